"""What a target holds, taken through the ports, carried as a file, and standing in for the target in a plan."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.planning.scene import SOURCE, Scene, copied, mounted
from transload import errors
from transload.errors import DocumentInvalid, LimitExceeded, ManifestUnknown, ReadOnly, Refused, RepositoryUnknown
from transload.inventory import file
from transload.inventory.file import dump_inventory, load_inventory
from transload.inventory.inventory import Inventory, InventoryTarget, RepositoryContent
from transload.inventory.take import take_inventory
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Descriptor, Digest, Name
from transload.planning import Item, Request, make_plan
from transload.planning.plan import Requests
from transload.ports import RequestCosts
from transload.testing import faults
from transload.testing.faults import FaultyStore
from transload.testing.images import fill, image, index, multi_platform, signature
from transload.testing.layers import layer
from transload.testing.releases import fill_release, release
from transload.threads import Cancellation

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "formats" / "inventory.md"
SHARED = layer("shared", 5000)
ONE, TWO, MANY = image("one", (SHARED, 100)), image("two", (SHARED, 200)), multi_platform("many", (300,))


def stocked() -> FaultyStore:
    store = FaultyStore(MemoryStore("memory:target"))
    fill(store.store, ONE, "shop/one", "1")
    fill(store.store, ONE, "shop/one", "latest")
    fill(store.store, MANY, "shop/many", "1")
    fill(store.store, TWO, "shop", "root")
    fill(store.store, ONE, "shopping/one", "1")
    return store


def fails_always(on: Any, subject: str | None = None, kind: type[errors.TransloadError] = errors.AccessDenied) -> Any:
    return faults.fails(on, lambda: kind("not for you"), subject=subject, times=faults.ALWAYS)


# --- taking


def test_everything_under_the_prefix_is_there_and_nothing_else() -> None:
    found = take_inventory(stocked(), "shop")
    assert set(found.repositories) == {"", "one", "many"}
    assert found.repositories["one"].tags == {"1": ONE.digest, "latest": ONE.digest}
    assert found.repositories["one"].manifests == {ONE.digest}
    assert found.repositories["one"].blobs == set(ONE.blobs)
    assert found.repositories["many"].manifests == {each.digest for each in MANY.walk()}
    assert found.repositories["many"].blobs == set(MANY.blobs)
    assert found.manifests[ONE.digest] == ONE.descriptor
    assert found.blobs == {digest: len(raw) for built in (ONE, TWO, MANY) for digest, raw in built.blobs.items()}
    assert (found.target, found.prefix, found.blobs_per_repository, found.notes) == ("memory:target", "shop", True, ())


def test_no_prefix_means_everything() -> None:
    assert set(take_inventory(stocked()).repositories) == {"shop", "shop/one", "shop/many", "shopping/one"}


def test_it_costs_a_question_per_repository_and_tag_and_one_per_child_however_many_know_it() -> None:
    store = stocked()
    fill(store.store, index([MANY, ONE]), "shop/many", "nested")
    fill(store.store, MANY, "shop/copy", "1")
    take_inventory(store, "shop")
    tags = 1 + 2 + 2 + 1
    assert store.calls == {"repositories": 1, "tags": 4, "fetch": tags + len(MANY.children)}


def test_a_store_without_a_list_is_asked_for_the_repositories_that_are_named() -> None:
    store = stocked()
    store = FaultyStore(store.store, [fails_always("repositories", kind=Refused)])
    with pytest.raises(Refused):
        take_inventory(store, "shop")
    named = ["shop/one", "shop/not-there", "elsewhere/one", "shop/one"]
    found = take_inventory(store, "shop", repositories=named)
    assert set(found.repositories) == {"one"}
    assert found.notes == ()


def test_what_cannot_be_read_of_one_repository_is_a_note() -> None:
    script = [fails_always("tags", "shop/one"), fails_always("fetch", "shop/many:1")]
    found = take_inventory(FaultyStore(stocked().store, script), "shop")
    assert set(found.repositories) == {"", "many"}
    assert found.repositories["many"] == RepositoryContent({}, frozenset(), frozenset())
    assert found.notes == ("shop/one: not for you", "shop/many:1: not for you")


def test_what_stands_in_the_way_of_all_is_an_error() -> None:
    with pytest.raises(errors.Unreachable):
        take_inventory(FaultyStore(stocked().store, [fails_always("tags", kind=errors.Unreachable)]), "shop")


def test_a_child_that_is_missing_is_not_held(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "layout", create=True)
    fill(store, MANY, "many", "1")
    gone = MANY.children[0].digest
    (tmp_path / "layout" / "blobs" / "sha256" / gone.encoded).unlink()
    found = take_inventory(store)
    assert found.repositories["many"].manifests == {MANY.digest, MANY.children[1].digest}
    assert found.notes == ()
    assert found.blobs_per_repository is False


def test_an_index_nested_without_end_is_refused() -> None:
    built = image("bottom")
    for _ in range(12):
        built = index([built])
    store = MemoryStore()
    fill(store, built, "deep", "1")
    with pytest.raises(errors.LimitExceeded):
        take_inventory(store)


def test_it_can_be_stopped() -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(errors.Interrupted):
        take_inventory(stocked(), cancellation=cancellation)


def test_an_inventory_describes_every_digest() -> None:
    shelf = RepositoryContent({}, frozenset(), frozenset({Digest.of(b"x")}))
    with pytest.raises(ValueError, match="does not describe"):
        Inventory(target="t", prefix="", blobs_per_repository=True, manifests={}, blobs={}, repositories={"a": shelf})
    with pytest.raises(errors.ReferenceInvalid):
        Inventory(
            target="t",
            prefix="",
            blobs_per_repository=True,
            manifests={},
            blobs={},
            repositories={"../a": RepositoryContent({}, frozenset(), frozenset())},
        )


# --- the file


@pytest.fixture(scope="module")
def written() -> bytes:
    return dump_inventory(take_inventory(FaultyStore(stocked().store, [fails_always("fetch", "shop/many:1")]), "shop"))


def test_what_was_written_is_what_is_read(written: bytes) -> None:
    assert load_inventory(written).notes
    assert dump_inventory(load_inventory(written)) == written
    found = take_inventory(stocked())
    assert load_inventory(dump_inventory(found)) == found
    assert written.isascii()


def test_each_digest_is_written_once() -> None:
    made = release(images=8, size=100_000)
    store = MemoryStore()
    fill_release(store, made, "shop")
    raw = dump_inventory(take_inventory(store)).decode()
    for content in made.contents():
        assert raw.count(content.descriptor.digest) == 1


def test_the_documented_example_is_an_inventory() -> None:
    text = DOCUMENTATION.read_text()
    example = text.split("```json\n")[1].split("```")[0]
    assert dump_inventory(load_inventory(example.encode())) == example.encode()
    for key in json.loads(example):
        assert f"`{key}`" in text


def _first(document: Any) -> Any:
    return document["repositories"][0]


CHANGES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "format": (
        "inventory.format: expected 1, the format that this version of transload reads, found 2",
        lambda d: d.update(format=2),
    ),
    "unknown key": ("inventory.more: unknown key", lambda d: d.update(more=1)),
    "missing": ("inventory: key 'scoped' is missing", lambda d: d.pop("scoped")),
    "prefix": ("inventory.prefix: '../x' is not a repository", lambda d: d.update(prefix="../x")),
    "digest": (
        "inventory.manifests[0].digest: 'sha256:x': sha256 takes 64",
        lambda d: d["manifests"][0].update(digest="sha256:x"),
    ),
    "media type": (
        "manifests[0].media_type: expected printable text, found '\\n'",
        lambda d: d["manifests"][0].update(media_type="\n"),
    ),
    "size": ("inventory.blobs[0].size: expected a whole number", lambda d: d["blobs"][0].update(size=-1)),
    "twice": ("inventory.blobs: a digest is listed twice", lambda d: d["blobs"].append(d["blobs"][0])),
    "same name": (
        "inventory.repositories[2].name: 'many' is listed twice",
        lambda d: d["repositories"][2].update(name="many"),
    ),
    "name": ("repositories[0].name: 'a//b' is not a repository", lambda d: _first(d).update(name="a//b")),
    "long name": ("inventory.repositories: repository 'shop/aaa", lambda d: _first(d).update(name="a" * 253)),
    "number": (
        "inventory.repositories[2].blobs[0]: expected a whole number from 0 to 4, found 99",
        lambda d: d["repositories"][2]["blobs"].insert(0, 99),
    ),
    "tag": (
        "inventory.repositories[2].tags.-x: '-x' is not a tag",
        lambda d: d["repositories"][2]["tags"].update({"-x": 0}),
    ),
    "tags": ("inventory.repositories[0].tags: expected a mapping, found a list", lambda d: _first(d).update(tags=[])),
    "tag elsewhere": ("of a manifest of this repository", lambda d: d["repositories"][1]["tags"].update(x=0)),
    "notes": ("inventory.notes[0]: expected text, found 1", lambda d: d.update(notes=[1])),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_file_is_refused_and_the_place_is_named(written: bytes, name: str) -> None:
    says, change = CHANGES[name]
    document = json.loads(written)
    change(document)
    with pytest.raises(DocumentInvalid) as caught:
        load_inventory(json.dumps(document).encode())
    assert says in caught.value.message
    assert caught.value.subject
    assert caught.value.hint


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"format":1,"format":1}', b"[" * 100_000])
def test_what_is_no_inventory_is_refused(raw: bytes) -> None:
    with pytest.raises(DocumentInvalid):
        load_inventory(raw)


def test_a_file_beyond_any_inventory_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "INVENTORY_BYTES", 10)
    with pytest.raises(DocumentInvalid, match="too large"):
        load_inventory(b" " * 11)


JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.lists(st.integers(), max_size=2)


def _places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: list[Any] = list(value.items()) if isinstance(value, dict) else []
    items = list(enumerate(value)) if isinstance(value, list) else items
    return [path] * bool(path) + [place for key, item in items for place in _places(item, (*path, key))]


@given(st.data())
def test_no_damage_gets_past_as_anything_but_a_refusal_or_a_valid_inventory(
    written: bytes, data: st.DataObject
) -> None:
    damaged = copy.deepcopy(json.loads(written))
    *way, last = data.draw(st.sampled_from(_places(damaged)))
    place = damaged
    for key in way:
        place = place[key]
    place[last] = data.draw(JSON)
    try:
        read = load_inventory(json.dumps(damaged).encode())
    except DocumentInvalid:
        return
    assert load_inventory(dump_inventory(read)) == read


# --- standing in for the target


def test_it_answers_as_the_target_does() -> None:
    store = stocked()
    stand_in = InventoryTarget(take_inventory(store, "shop"))
    assert list(stand_in.repositories()) == ["shop", "shop/many", "shop/one"]
    assert list(stand_in.tags("shop/one")) == list(store.tags("shop/one"))
    for name in (Name("shop/one", "latest"), Name("shop", "root"), Name("shop/many", None, MANY.children[0].digest)):
        assert stand_in.resolve(name) == store.resolve(name)
    for name in (Name("shop/one", "2"), Name("shop/none", "1"), Name("shop/one", None, TWO.digest)):
        with pytest.raises(ManifestUnknown):
            stand_in.resolve(name)
    with pytest.raises(RepositoryUnknown):
        stand_in.tags("shop/none")
    for repository in ("shop", "shop/one", "shop/many", "shop/none"):
        for built in (ONE, TWO, *MANY.walk()):
            for descriptor in (built.descriptor, *built.manifest.blobs):
                assert stand_in.exists(repository, descriptor) == store.exists(repository, descriptor)
                larger = Descriptor(descriptor.media_type, descriptor.digest, descriptor.size + 1)
                assert not stand_in.exists(repository, larger)


def test_it_takes_and_gives_nothing() -> None:
    stand_in = InventoryTarget(take_inventory(stocked(), "shop"))
    layer = ONE.manifest.layers[0]
    writes: tuple[Callable[[], object], ...] = (
        lambda: stand_in.begin("shop/one", layer),
        lambda: stand_in.put_manifest(Name("shop/one", "2"), ONE.manifest),
        lambda: stand_in.mount(layer, "shop/one", "shop/two"),
    )
    for write in writes:
        with pytest.raises(ReadOnly):
            write()
    reads: tuple[Callable[[], object], ...] = (
        lambda: stand_in.fetch(Name("shop/one", "1")),
        lambda: stand_in.open("shop/one", layer),
    )
    for read in reads:
        with pytest.raises(Refused):
            read()


def test_a_plan_against_an_inventory_is_the_plan_against_the_target() -> None:
    before, after = (release(images=8, size=100_000, version=version) for version in (1, 2))
    source, target = MemoryStore(SOURCE), MemoryStore("memory:target")
    fill_release(source, after, "shop")
    fill_release(target, before, "shop")
    fill(target, after.images["gateway"], "shop/gateway", after.tag)
    items = tuple(
        Item(SOURCE, Name(f"shop/{name}", after.tag), Name(f"shop/{name}", after.tag)) for name in after.images
    )
    stand_in = InventoryTarget(load_inventory(dump_inventory(take_inventory(target, "shop"))))
    real, foretold = (make_plan(Request(items), {SOURCE: source}, one) for one in (target, stand_in))
    assert foretold == real
    assert foretold.count("unchanged") == 1
    assert foretold.present.blobs


def test_a_pool_is_one_for_all_repositories(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "layout", create=True)
    fill(store, ONE, "one", "1")
    stand_in = InventoryTarget(take_inventory(store))
    assert stand_in.mounts is None
    assert stand_in.exists("any", ONE.manifest.layers[0])


def test_requests_of_the_real_target_are_foretold() -> None:
    scene = Scene(target=None)
    scene.publish(TWO, "shop/two:1")
    stand_in = InventoryTarget(take_inventory(stocked(), "shop"), RequestCosts())
    wanted = Item(SOURCE, Name("shop/two", "1"), Name("shop/two", "1"))
    plan = make_plan(Request((wanted,)), scene.sources, stand_in, elsewhere=stand_in.inventory.holders)
    # every blob is in the repository that is called like the prefix
    assert plan.requests == Requests(source=0, target=3 * 1 + 1)


# --- blobs that other repositories hold


def test_a_blob_that_an_unwanted_repository_holds_is_mounted_from_there() -> None:
    scene = Scene()
    scene.deliver(ONE, "shop/one:1")
    scene.publish(TWO, "shop/two:1")
    inventory = take_inventory(scene.target.store, "shop")
    digest = SHARED.descriptor.digest
    assert digest in copied(scene.plan("shop/two:1"))
    plan = scene.plan("shop/two:1", elsewhere=inventory.holders)
    assert mounted(plan) == {("shop/two", digest, "shop/one")}
    asked = [subject for on, subject in scene.target.subjects if on == "exists"]
    assert asked == [digest]
    assert all(image.error is None for image in scene.run(plan).images)
    assert scene.target.store.fetch(Name("shop/two", "1")).raw == TWO.manifest.raw
    assert scene.source.calls["open"] == 2


def test_a_hint_that_is_wrong_costs_a_question_and_nothing_else() -> None:
    scene = Scene()
    scene.publish(TWO, "shop/two:1")
    repositories = ("a", "b", "c", "d")
    plan = scene.plan("shop/two:1", elsewhere=lambda _: repositories)
    assert copied(plan) == set(TWO.blobs)
    assert scene.target.calls["exists"] == len(TWO.blobs) * 3


def test_hints_are_not_needed_where_a_wanted_repository_has_the_blob() -> None:
    scene = Scene()
    scene.deliver(ONE, "shop/one:1", "shop/other:1")
    scene.publish(image("next", (SHARED, 300)), "shop/one:1")
    scene.publish(TWO, "shop/two:1")
    plan = scene.plan("shop/one:1", "shop/two:1", elsewhere=lambda _: ("shop/other",))
    digest = SHARED.descriptor.digest
    assert mounted(plan) == {("shop/two", digest, "shop/one")}
    assert scene.target.subjects.count(("exists", digest)) == 1


def test_a_pool_is_asked_for_no_other_repository(tmp_path: Path) -> None:
    scene = Scene(target=LayoutStore(tmp_path / "layout", create=True))
    scene.publish(TWO, "two:1")
    plan = scene.plan("two:1", elsewhere=lambda _: ("a", "b"))
    assert not mounted(plan)
    assert scene.target.calls["exists"] == len(TWO.blobs)


def test_signatures_without_a_tag_are_not_seen() -> None:
    store = stocked()
    fill(store.store, signed := signature(ONE), "shop/one")
    assert signed.digest not in take_inventory(store, "shop").manifests


def test_an_inventory_that_would_not_be_read_again_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "INVENTORY_BYTES", 10)
    with pytest.raises(LimitExceeded, match="too large for a file"):
        file.dump_inventory(
            Inventory(target="oci:x", prefix="", blobs_per_repository=False, manifests={}, blobs={}, repositories={})
        )
