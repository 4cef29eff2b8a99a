"""The plan as a file: what was written is what is read, and nothing in a file is believed unchecked."""

import copy
import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.planning.scene import OTHER_SOURCE, Scene, item
from transload import errors
from transload.errors import DocumentInvalid, LimitExceeded, TransloadError
from transload.linedjson import lined
from transload.oci import Digest, Name, Platform
from transload.planning import Narrowing, Plan, PlannedImage, Referrers, planfile, planlines
from transload.planning.plan import Requests, Share
from transload.testing import faults
from transload.testing.images import image, multi_platform, signature
from transload.testing.layers import layer

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "formats" / "plan.md"
SHARED = layer("shared", 3000)


@pytest.fixture(scope="module")
def plan() -> Plan:
    """A bit of everything: indexes, mounts, referrers, two sources, what is missing, what failed, what is there."""
    scene = Scene()
    built = scene.publish(multi_platform("many"), "many:1")
    scene.publish(signature(built), "many")
    for name in ("a", "b"):
        scene.publish(image(name, (SHARED,)), f"{name}:1")
    scene.publish_elsewhere(image("c", (SHARED, SHARED)), "c:1")
    scene.publish(image("known"), "known:1")
    scene.deliver(image("known"), "known:1")
    denied = lambda: errors.AccessDenied("no", subject="secret:1", hint="log in")  # noqa: E731
    scene.script(faults.fails("fetch", denied, subject="secret:1"))
    wanted = ["many:1", "a:1", "b:1", "known:1", "secret:1"]
    other = item("c:1", "deep/c:1", store=OTHER_SOURCE)
    return scene.plan(
        *wanted, other, item(f"a@{image('a', (SHARED,)).digest}", "pinned"), "gone:1", referrers=Referrers.NEW
    )


@pytest.fixture
def document(plan: Plan) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(planfile.dump_plan(plan))
    return loaded


def dumped(document: object) -> bytes:
    return json.dumps(document).encode()


def test_what_was_written_is_what_is_read(plan: Plan) -> None:
    again = planfile.load_plan(planfile.dump_plan(plan))
    assert again == plan
    assert planfile.dump_plan(again) == planfile.dump_plan(plan)
    assert planfile.digest(again) == planfile.digest(plan) == Digest.of(planfile.dump_plan(plan))
    assert {digest: each.raw for digest, each in again.manifests.items()} == {
        digest: each.raw for digest, each in plan.manifests.items()
    }


def test_errors_come_back_as_what_they_were(plan: Plan) -> None:
    for before, after in zip(plan.images, planfile.load_plan(planfile.dump_plan(plan)).images, strict=True):
        assert type(before.error) is type(after.error)
        if before.error is not None and after.error is not None:
            for name in ("code", "exit_code", "message", "side", "subject", "hint"):
                assert getattr(after.error, name) == getattr(before.error, name)


def test_every_error_there_is_can_be_written_and_read() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TransloadError)]
    for kind in kinds:
        image = PlannedImage(
            source_store="s",
            source=Name("a", "1"),
            target=Name("a", "1"),
            status="failed",
            error=kind("what happened", side="source"),
        )
        (read,) = planfile.load_plan(
            planfile.dump_plan(Plan(target="t", images=(image,), steps=(), manifests={}))
        ).images
        assert type(read.error) is kind


def test_an_error_of_a_later_version_is_read_as_an_error(document: dict[str, Any]) -> None:
    broken = next(each for each in document["images"] if "error" in each)
    broken["error"] |= {"code": "never-heard-of", "exit_code": 42}
    error = next(each.error for each in planfile.load_plan(dumped(document)).images if each.error)
    assert type(error) is TransloadError
    assert error.message == broken["error"]["message"]


def test_a_plan_that_was_read_can_be_carried_out() -> None:
    scene = Scene()
    for name in ("a", "b"):
        scene.publish(image(name, (SHARED,)), f"{name}:1")
    outcome = scene.run(planfile.load_plan(planfile.dump_plan(scene.plan("a:1", "b:1"))))
    assert all(each.error is None for each in outcome.images)
    assert scene.plan("a:1", "b:1").count("unchanged") == 2


def test_a_rewritten_index_travels_in_the_plan() -> None:
    scene = Scene()
    scene.publish(multi_platform("many"), "many:1")
    want: dict[str, Any] = {"platforms": (Platform.parse("linux/amd64"),), "narrowing": Narrowing.REWRITTEN}
    plan = scene.plan("many:1", **want)
    scene.run(planfile.load_plan(planfile.dump_plan(plan)))
    assert scene.plan("many:1", **want).count("unchanged") == 1


def test_the_same_plan_gives_the_same_bytes_and_another_plan_others() -> None:
    scene = Scene()
    scene.publish(image("a"), "a:1", "a:2")
    assert planfile.dump_plan(scene.plan("a:1")) == planfile.dump_plan(scene.plan("a:1"))
    assert planfile.digest(scene.plan("a:1")) != planfile.digest(scene.plan("a:2"))


def test_the_file_is_plain_ascii_with_one_value_on_a_line(plan: Plan) -> None:
    raw = planfile.dump_plan(plan)
    assert raw.isascii()
    assert raw.endswith(b"}\n")
    assert max(map(len, raw.splitlines())) < 2 * max(len(each.raw) for each in plan.manifests.values())


def test_a_manifest_keeps_its_bytes_whatever_is_written_in_it() -> None:
    scene = Scene()
    built = scene.publish(image("odd", annotations={"org.example.note": "ä…\u2028\U0001f6a2 \\ud800 \x7f"}), "a:1")
    plan = planfile.load_plan(planfile.dump_plan(scene.plan("a:1")))
    assert plan.manifests[built.digest].raw == built.manifest.raw
    assert plan.manifests[built.digest].annotations == built.manifest.annotations


# --- documentation


def test_the_example_of_the_documentation_is_a_plan() -> None:
    example = DOCUMENTATION.read_text().split("```json\n")[1].split("```")[0].encode()
    plan = planfile.load_plan(example)
    assert planfile.dump_plan(plan) == example, "the example is written as dump_plan writes it"
    assert len(plan.steps) == 3


def test_every_key_is_documented(document: dict[str, Any]) -> None:
    text = DOCUMENTATION.read_text()
    manifests = document.pop("manifests")
    for key in {*_keys(document), *manifests[0]} - {"annotations", "platform", "urls", "artifactType", "mediaType"}:
        assert f"`{key}`" in text, f"{key} is not documented"


def _keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_keys, value.values()))
    return set().union(*map(_keys, value)) if isinstance(value, list) else set()


# --- what is refused

Change = Callable[[dict[str, Any]], object]


def step_with(document: dict[str, Any], key: str) -> dict[str, Any]:
    return next(step for step in document["steps"] if key in step)


CHANGES: dict[str, tuple[str, Change]] = {
    "no format": ("plan: key 'format' is missing", lambda d: d.pop("format")),
    "later format": (
        "plan.format: expected 1, the format that this version of transload reads, found 2",
        lambda d: d.update(format=2),
    ),
    "true is not a number": (
        "plan.format: expected a whole number from 0 to 9223372036854775807, found true",
        lambda d: d.update(format=True),
    ),
    "unknown key": ("plan.x: unknown key", lambda d: d.update(x=1)),
    "no target": ("plan: key 'target' is missing", lambda d: d.pop("target")),
    "target of another kind": ("plan.target: expected text, found a list", lambda d: d.update(target=["x"])),
    "steps of another kind": ("plan.steps: expected a list, found a mapping", lambda d: d.update(steps={})),
    "step of another kind": ("plan.steps[0]: expected a mapping, found 7", lambda d: d["steps"].__setitem__(0, 7)),
    "step without work": ("plan.steps[0].repository: unknown key", lambda d: d["steps"][0].pop("blob")),
    "step ids with a gap": (
        "plan.steps[1].id: expected 1, its place in the list, found 2",
        lambda d: d["steps"][1].update(id=2),
    ),
    "step ids in disorder": (
        "plan.steps[0].id: expected 0, its place in the list, found 1",
        lambda d: d["steps"].insert(0, d["steps"].pop(1)),
    ),
    "negative size": (
        "plan.steps[0].blob: the descriptor has no valid size",
        lambda d: d["steps"][0]["blob"].update(size=-1),
    ),
    "wrong digest": (
        "plan.steps[0].blob: the descriptor: 'sha256:x': sha256 takes 64",
        lambda d: d["steps"][0]["blob"].update(digest="sha256:x"),
    ),
    "path as repository": (
        "plan.steps[0].repository: '../../etc' is not a repository",
        lambda d: d["steps"][0].update(repository="../../etc"),
    ),
    "path as source": (
        "plan.steps[0].source_repository: '/etc' is not a repository",
        lambda d: d["steps"][0].update(source_repository="/etc"),
    ),
    "path as origin": (
        ".origin: 'a/../b' is not a repository",
        lambda d: step_with(d, "origin").update(origin="a/../b"),
    ),
    "wait for a later step": (
        "].after: expected a whole number from 0 to 16, found 999",
        lambda d: step_with(d, "after").update(after=999),
    ),
    "wait for another blob": (
        ".after: expected the step that brings this blob to its origin, found 0",
        lambda d: step_with(d, "after").update(after=0),
    ),
    "need of a later step": (
        "plan.steps[3].needs[0]: expected a whole number from 0 to 2, found 999",
        lambda d: step_with(d, "needs").update(needs=[999]),
    ),
    "need of itself": (
        "plan.steps[3].needs[0]: expected a whole number from 0 to 2, found 3",
        lambda d: step_with(d, "needs").update(needs=[step_with(d, "needs")["id"]]),
    ),
    "need as text": (
        "plan.steps[3].needs[0]: expected a whole number from 0 to 2, found '0'",
        lambda d: step_with(d, "needs").update(needs=["0"]),
    ),
    "manifest not there": ("of a manifest of this plan", lambda d: d["manifests"].clear()),
    "manifest changed": ("plan.manifests[0].raw: manifest sha256:", lambda d: d["manifests"][0].update(raw="{}")),
    "manifest by another digest": (
        "plan.manifests[0].raw: manifest sha256:",
        lambda d: d["manifests"][0].update(digest=Digest.of(b"")),
    ),
    "manifest of no bytes": (
        "plan.manifests[0].raw: a manifest cannot be read as JSON",
        lambda d: d["manifests"][0].update(raw="\ud900"),
    ),
    "manifest as another type": (
        "plan.manifests[0].raw: the manifest states mediaType",
        lambda d: d["manifests"][0].update(media_type="application/vnd.docker.distribution.manifest.list.v2+json"),
    ),
    "name of another digest": (
        ".name: expected a name for this manifest, found 'a",
        lambda d: step_with(d, "name").update(name=f"a@{Digest.of(b'')}"),
    ),
    "name of nothing": (
        ".name: expected a name for this manifest, found 'a",
        lambda d: step_with(d, "name").update(name="a"),
    ),
    "name that is none": (
        ".name: repository 'A' has capital letters",
        lambda d: step_with(d, "name").update(name="A:1"),
    ),
    "goal not there": (
        "plan.images[0].goals[0]: expected a whole number from 0 to 24, found 999",
        lambda d: d["images"][0].update(goals=[999]),
    ),
    "unknown status": (
        "images[0].status: expected unchanged or new or changed or missing or failed, found 'fine'",
        lambda d: d["images"][0].update(status="fine"),
    ),
    "failed without error": (
        "plan.images[0]: contradicts itself: status failed",
        lambda d: d["images"][0].update(status="failed"),
    ),
    "negative count": ("plan.images[0].copied.bytes", lambda d: d["images"][0]["copied"].update(bytes=-1)),
    "huge count": ("plan.images[0].copied.bytes", lambda d: d["images"][0]["copied"].update(bytes=1 << 63)),
    "no count": ("plan.images[0].copied.bytes", lambda d: d["images"][0]["copied"].update(bytes=1.5)),
    "excuse as number": ("plan.images[0].excused", lambda d: d["images"][0].update(excused=0)),
    "side unknown": (
        ".error.side: expected source or target, found 'left'",
        lambda d: next(i for i in d["images"] if "error" in i)["error"].update(side="left"),
    ),
    "requests missing": ("plan: key 'requests' is missing", lambda d: d.pop("requests")),
}


@pytest.mark.parametrize("write", [dumped, lined])
@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_file_is_refused_and_the_place_is_named(
    document: dict[str, Any], name: str, write: Callable[[dict[str, Any]], bytes]
) -> None:
    says, change = CHANGES[name]
    change(document)
    with pytest.raises(DocumentInvalid) as caught:
        planfile.load_plan(write(document))
    assert says in caught.value.message
    assert caught.value.subject is not None
    assert caught.value.subject.startswith("plan")
    assert caught.value.hint


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"null", b"{", b"\xff", b'{"format":1,"format":1}', b"[" * 100_000, b"9" * 5000, b'{"format":NaN}'],
)
def test_what_is_no_plan_is_refused(raw: bytes) -> None:
    with pytest.raises(DocumentInvalid):
        planfile.load_plan(raw)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"null", "the plan is not a JSON object"),
        (b"", "the plan cannot be read as JSON: it is empty"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ("{}".encode("utf-16"), "saved as UTF-16"),
    ],
)
def test_what_is_no_plan_is_said_in_our_words(raw: bytes, why: str) -> None:
    with pytest.raises(DocumentInvalid, match=why) as caught:
        planfile.load_plan(raw)
    assert (caught.value.hint is None) == ("save it" in str(caught.value))  # then the plan is good as it is


def test_a_file_beyond_any_plan_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planfile, "PLAN_BYTES", 10)
    with pytest.raises(DocumentInvalid, match="too large: it has 11 bytes"):
        planfile.load_plan(b" " * 11)


def _places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value of a document."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [path] * bool(path) + [place for key, item in items for place in _places(item, (*path, key))]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)


def test_a_plan_is_read_in_parts_or_as_a_whole_with_the_same_result(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = planfile.dump_plan(plan)
    whole = planfile.load_plan(dumped(json.loads(raw)))
    monkeypatch.setattr(planfile, "OTHER_PLAN_BYTES", 0)
    for size in (1, 2, 7, 100, 4000, 1 << 20):
        monkeypatch.setattr(planlines, "_AT_A_TIME", size)
        assert planfile.read_plan(io.BytesIO(raw)) == (whole, Digest.of(raw))
    with pytest.raises(DocumentInvalid, match="from byte 0 on it is not written as plans are"):
        planfile.load_plan(dumped(json.loads(raw)))


@pytest.mark.parametrize(
    "target", ["[::1]:5000/site", "oci:/media/{old}/[a]", 'oci:/"', "oci:/a\nb,", "oci:/" + "\u00e9" * 2000]
)
def test_a_plan_is_read_in_parts_whatever_its_target_is_called(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(target=target, images=(), steps=(), manifests={}, requests=Requests(1, 2))
    raw = planfile.dump_plan(plan)
    monkeypatch.setattr(planfile, "OTHER_PLAN_BYTES", 0)
    assert planfile.load_plan(raw) == plan


def test_a_large_plan_that_is_cut_or_changed_is_refused_with_the_place(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = planfile.dump_plan(plan)
    monkeypatch.setattr(planfile, "OTHER_PLAN_BYTES", 0)
    for damaged in (
        raw[:-40],
        raw[:2000],
        raw.replace(b"  },\n", b"  }\n", 1),
        raw + b" ",
        raw.replace(b"\n ]", b"\n  ]"),
    ):
        with pytest.raises(DocumentInvalid, match="the plan is damaged, or was changed: from byte [0-9]+ on") as caught:
            planfile.load_plan(damaged)
        assert caught.value.hint


def test_a_plan_in_lines_has_its_bounds_too(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = planfile.dump_plan(plan)
    monkeypatch.setattr(planfile, "PLAN_VALUES", 100)
    with pytest.raises(DocumentInvalid, match="the plan is too large: it has more than 100 values"):
        planfile.load_plan(raw)
    with pytest.raises(LimitExceeded, match="it has more than 100 values"):
        planfile.dump_plan(plan)
    monkeypatch.setattr(planfile, "PLAN_BYTES", 100)
    with pytest.raises(LimitExceeded, match="it has [0-9]+ bytes, 100 are allowed"):
        planfile.dump_plan(plan)


LONG_ITEMS = {
    "a text": (b'"' + b"\\ud800" * 4_000_000 + b'"',) * 2,
    "many values": (b"[" + b'{"a":1},' * 650_000 + b"1]",) * 2,
    "no end": (b" " * (21 << 20), b""),
}


@pytest.mark.parametrize("long", LONG_ITEMS)
def test_a_long_item_that_no_plan_has_takes_little_memory(long: str) -> None:
    """20 MiB of such a text took 110 MiB and more; a file may have six times as much."""
    first, second = LONG_ITEMS[long]
    items = b'{\n "format": 1,\n "images": [\n  {\n   "notes": ' + first + b"\n  },\n  {" + second
    raw = items + b" " * (21 << 20) + b'\n  }\n ],\n "manifests": []\n}\n'
    tracemalloc.start()
    try:
        with pytest.raises(DocumentInvalid, match="from byte [0-9]+ on it is not written as plans are"):
            planfile.load_plan(raw)
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()


def test_a_long_item_of_a_plan_is_read_and_those_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    text = "\u00e9\u6f22" * 100_000
    made = [image(name, annotations={"long": text if name in "bc" else ""}) for name in "abcd"]
    for number, built in enumerate(made):
        scene.publish(built, f"many:{number}")
    raw = planfile.dump_plan(scene.plan(*(f"many:{number}" for number in range(4))))
    whole = planfile.load_plan(dumped(json.loads(raw)))
    monkeypatch.setattr(planfile, "OTHER_PLAN_BYTES", 0)
    for size in (1, 100, 4000, 256 << 10):
        monkeypatch.setattr(planlines, "_AT_A_TIME", size)
        assert planfile.load_plan(raw) == whole


@given(st.data(), st.booleans())
def test_no_damage_gets_past_as_anything_but_a_refusal_or_a_valid_plan(
    plan: Plan, data: st.DataObject, lines: bool
) -> None:
    damaged = copy.deepcopy(json.loads(planfile.dump_plan(plan)))
    *way, last = data.draw(st.sampled_from(_places(damaged)))
    place = damaged
    for key in way:
        place = place[key]
    place[last] = data.draw(JSON)
    try:
        read = planfile.load_plan(lined(damaged) if lines else dumped(damaged))
    except DocumentInvalid:
        return
    assert planfile.load_plan(planfile.dump_plan(read)) == read


def test_counts_of_an_empty_plan() -> None:
    plan = planfile.load_plan(
        planfile.dump_plan(Plan(target="oci:there", images=(), steps=(), manifests={}, requests=Requests(1, 2)))
    )
    assert (plan.target, plan.requests, plan.copied) == ("oci:there", Requests(1, 2), Share())
