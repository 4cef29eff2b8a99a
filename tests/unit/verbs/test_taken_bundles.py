"""The far side remembers the newest bundle of each set and signer, and takes no older one unless it is told to."""

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

import transload
from tests.real.airgap import write_key
from transload.app.takenbundles import FILE
from transload.errors import ImagesFailed, WouldGoBack
from transload.layout import LayoutStore
from transload.report.bundleorder import BundleOrder
from transload.report.result import exit_code
from transload.testing.images import fill, image

MONTHS = {"09": 1_788_220_800, "10": 1_790_812_800, "11": 1_793_491_200}
"""The first of these months in 2026, in seconds since 1970."""
NAMES = ("app/one", "app/two")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: sources of three months, whose images do not say when they were made; keys of two people."""
    monkeypatch.chdir(tmp_path)
    for month in MONTHS:
        store = LayoutStore(f"source-{month}", create=True)
        for name in NAMES:
            fill(store, image(f"{name} {month}", layers=(9_000, 20)), name, "latest")
    for name in ("site", "other"):
        write_key(tmp_path / f"{name}.key")
    return tmp_path


def environment(state: str | None = "state", time: int | str = "") -> transload.Environment:
    return transload.Environment(state=Path(state) if state else None, source_date=str(time))


def pack(month: str, key: str | None = None, time: int | None = None, name: str = "", **more: object) -> str:
    path = name or f"{key or 'unsigned'}-{month}"
    options = {"environment": environment(time=MONTHS[month] if time is None else time), **more}
    signed = {"sign_key": f"{key}.key"} if key else {}
    transload.pack((), path, origin=f"oci:source-{month}", **signed, **options)  # type: ignore[arg-type]  # options of any kind
    return path


def push(bundle: str, key: str | None = None, state: str | None = "state", **more: object) -> transload.Result:
    proved = {"key": f"{key}.key.pub"} if key else {}
    options = {"check": False, "environment": environment(state), **more}
    return transload.push(bundle, to="oci:target", **proved, **options)  # type: ignore[arg-type]


def order(result: transload.Result) -> BundleOrder:
    assert result.bundle is not None
    return result.bundle


def there() -> dict[str, str]:
    store = LayoutStore("target")
    return {name: store.resolve(transload.Name(name, "latest")).digest for name in NAMES}


def published(month: str) -> dict[str, str]:
    return {name: image(f"{name} {month}", layers=(9_000, 20)).digest for name in NAMES}


def remembered(state: str = "state") -> list[dict[str, object]]:
    entries = json.loads((Path(state) / FILE).read_text())["entries"]
    assert isinstance(entries, list)
    return entries


def test_the_first_a_newer_the_same_and_an_older_one(here: Path) -> None:
    first = order(push(pack("10")))
    assert (first.standing, first.kept, first.newest) == ("first", True, None)
    assert first.sentence == (
        "the first one of app/one and app/two (signer not checked) taken here, packed 2026-10-01 00:00:00 UTC"
    )
    newer = order(push(pack("11")))
    assert (newer.standing, newer.by, newer.kept) == ("newer", "the times at which they were packed", True)
    assert newer.newest is not None
    assert newer.newest.words == "packed 2026-10-01 00:00:00 UTC"
    assert "; before: packed 2026-10-01 00:00:00 UTC, taken on 20" in newer.sentence
    again = push("unsigned-11")
    assert (order(again).standing, order(again).kept, again.is_unchanged) == ("same", True, True)
    assert order(again).bundle.taken == newer.bundle.taken
    older = push("unsigned-10")
    assert (order(older).standing, order(older).kept, exit_code(older)) == ("older", False, 7)
    assert {one.problem.code for one in older.images if one.problem} == {"would-go-back"}
    assert there() == published("11")
    problem = older.images[0].problem
    assert problem is not None
    assert problem.message.startswith(
        "this bundle of app/one and app/two (packed 2026-10-01 00:00:00 UTC) is older than one that was taken here on "
    )
    assert "(packed 2026-11-01 00:00:00 UTC), judged by the times at which they were packed" in problem.message
    assert "--allow-older" in (problem.hint or "")
    assert any("the bundle is older than one that was taken here" in note for note in older.notes)


def test_the_library_raises_and_an_older_one_goes_if_it_is_allowed(here: Path) -> None:
    push(pack("11"))
    with pytest.raises(ImagesFailed) as caught:
        push(pack("10"), check=True)
    assert all(isinstance(error, WouldGoBack) for error in caught.value.errors)
    allowed = push("unsigned-10", allow_older=True)
    assert (exit_code(allowed), order(allowed).standing, order(allowed).kept) == (0, "older", True)
    assert there() == published("10")
    assert order(allowed).sentence.startswith("an older one of app/one and app/two")
    assert order(push("unsigned-11")).standing == "newer"  # what is there now counts


def test_an_older_bundle_of_which_all_is_there_is_no_failure(here: Path) -> None:
    for month in ("10", "11"):
        push(pack(month))
    fill(LayoutStore("target"), image("app/one 10", layers=(9_000, 20)), "app/one", "latest")
    fill(LayoutStore("target"), image("app/two 10", layers=(9_000, 20)), "app/two", "latest")
    result = push("unsigned-10")
    assert (exit_code(result), order(result).standing, order(result).kept) == (0, "older", False)
    assert order(push("unsigned-11")).standing == "same"


def test_bundles_of_two_signers_are_not_compared_by_their_times(here: Path) -> None:
    push(pack("11", "site"), "site")
    other = push(pack("10", "other"), "other")
    assert (order(other).standing, order(other).kept, there()) == ("first", True, published("10"))
    assert any("a newer bundle of app/one and app/two, signed by sha256:" in note for note in other.notes)
    assert order(push(pack("09", "site"), "site")).standing == "older"
    assert len(remembered()) == 2


def test_a_bundle_of_nobody_does_not_stand_in_the_way_of_signed_ones(here: Path) -> None:
    poison = push(pack("11", time=253_402_300_799 // 10))
    assert order(poison).kept
    assert any("after this machine's clock" in note for note in poison.notes)
    claimed = push(pack("11", "site", time=25_340_230_079))  # its signature is not checked
    assert order(claimed).signer is None
    assert order(push(pack("10", "site"), "site")).standing == "first"
    assert there() == published("10")


def test_it_is_said_if_a_bundle_comes_unsigned_after_signed_ones(here: Path) -> None:
    push(pack("10", "site"), "site")
    unsigned = push(pack("11"))
    assert any("and this one is not signed" in note for note in unsigned.notes)
    unchecked = push(pack("11", "site"))
    assert any("was not checked: give --key" in note for note in unchecked.notes)
    assert exit_code(unsigned) == 0


def test_a_time_in_the_future_stands_in_the_way_until_it_is_allowed_or_forgotten(here: Path) -> None:
    push(pack("10", "site", time=25_340_230_079), "site")
    result = push(pack("11", "site"), "site")
    problem = result.images[0].problem
    assert problem is not None
    assert "packed 2772-12-31 16:47:59 UTC, after this machine's clock" in problem.message
    push("site-11", "site", allow_older=True)
    assert order(push(pack("09", "site"), "site")).standing == "older"
    assert there() == published("11")


def test_only_a_bundle_that_has_arrived_as_a_whole_is_remembered(here: Path) -> None:
    bundle = pack("11")
    part = push(bundle, images=["app/one:latest"])
    assert (order(part).kept, order(part).why_not) == (False, "only a part of it was wanted")
    assert not Path("state", FILE).exists()
    Path(f"{bundle}.tar").write_bytes(Path(f"{bundle}.tar").read_bytes()[:40_000])
    damaged = push(bundle)
    assert (order(damaged).kept, order(damaged).why_not) == (False, "not all of its images have arrived")
    assert order(push(pack("10"))).standing == "first"


def test_the_name_of_the_file_and_the_cut_do_not_matter(here: Path) -> None:
    push(pack("11"))
    Path("large").write_bytes(bytes(3 << 20))
    assert order(push(pack("11", name="again", volume_size="1MiB", also="large"))).standing == "same"
    assert order(push(pack("10", name="zzz", volume_size="1MiB", also="large"))).standing == "older"


def test_another_set_and_another_target_are_not_compared(here: Path) -> None:
    push(pack("11"))
    one = push(pack("10", name="one", images=["app/one:latest"]))
    assert (order(one).standing, order(one).name) == ("first", "app/one")
    elsewhere = transload.push(pack("10"), to="oci:elsewhere", environment=environment())
    assert order(elsewhere).standing == "first"


def test_images_that_the_bundle_leaves_out_count_as_its_images(here: Path) -> None:
    push(pack("10"))
    transload.pack((), "diff", origin="oci:source-11", against="unsigned-10.tar", environment=environment(time=10**9))
    assert order(push("diff")).standing == "older"


@pytest.mark.parametrize(
    "raw", [b"garbage", b'{"kind":"transload-taken-bundles","version":1,"entries":[1,{"a":2},[]]}']
)
def test_a_damaged_memory_is_a_warning_at_most(here: Path, raw: bytes) -> None:
    push(pack("11"))
    Path("state", FILE).write_bytes(raw)
    result = push(pack("10"))
    assert (exit_code(result), order(result).standing, order(result).kept) == (0, "first", True)
    assert any("nobody knows which bundles were taken here" in note for note in result.notes) is (raw == b"garbage")
    assert len(remembered()) == 1


def test_a_record_does_not_say_that_the_order_was_checked_if_the_memory_could_not_be_read(here: Path) -> None:
    push(pack("11"), record="known.json")
    Path("state", FILE).write_bytes(b"garbage")
    push(pack("10"), record="lost.json")
    found = [
        check["result"]
        for name in ("known.json", "lost.json")
        for check in json.loads(Path(name).read_text())["predicate"]["checks"]
        if check["name"] == "bundle-order"
    ]
    assert found == ["passed", "not-made"]


def test_the_quiet_command_says_it_too(here: Path) -> None:
    push(pack("10", "site"), "site")
    done = subprocess.run(
        [sys.executable, "-m", "transload", "push", pack("11"), "--to", "oci:target", "--quiet"],
        env={**os.environ, "TRANSLOAD_STATE_DIR": "state"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "and this one is not signed" in " ".join(done.stderr.split())


def test_a_memory_of_a_newer_version_is_not_touched(here: Path) -> None:
    Path("state").mkdir()
    Path("state", FILE).write_text('{"kind":"transload-taken-bundles","version":2,"entries":{}}')
    result = push(pack("10"))
    assert (exit_code(result), order(result).kept) == (0, False)
    assert order(result).why_not == "taken-bundles.json cannot be used"
    assert '"version":2' in Path("state", FILE).read_text()


def test_without_a_state_folder_nothing_is_remembered(here: Path) -> None:
    result = push(pack("10"), state=None)
    assert (exit_code(result), order(result).why_not) == (0, "there is no state folder")


def test_entries_are_bounded_and_those_of_nobody_go_first(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transload.app.takenbundles._KEPT", 2)
    push(pack("10", "site"), "site")
    for name in NAMES:
        push(pack("10", name=name.replace("/", "-"), images=[f"{name}:latest"]))
    assert [entry["signer"] is None for entry in remembered()] == [False, True]


def _push_in_process(bundle: str, target: str) -> None:
    transload.push(bundle, to=f"oci:{target}", environment=environment())


def test_several_pushes_at_a_time_lose_no_memory(here: Path) -> None:
    bundle, targets = pack("10"), [f"target-{number}" for number in range(4)]
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_push_in_process, args=(bundle, target)) for target in targets]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert len(remembered()) == 4


def test_packing_again_gives_the_same_bytes_and_another_content_another_time(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def packed(month: str, name: str, state: str | None = "near") -> bytes:
        transload.pack((), name, origin=f"oci:source-{month}", environment=environment(state))
        return Path(f"{name}.tar").read_bytes()

    now = [1_800_000_000.0]
    clock = clock_at(now)
    monkeypatch.setattr("transload.app.edition.SYSTEM_CLOCK", clock)
    first = packed("10", "first")
    now[0] += 3_600
    assert packed("10", "second") == first  # the state folder remembers
    other = packed("11", "third")
    now[0] += 3_600
    assert packed("10", "first", state=None) == first  # the bundle that is there says it
    assert packed("11", "third", state=None) == other
    assert packed("10", "fourth", state=None) != first
    assert b'"packed": "2027-01-15T08:00:00Z"' in first


def clock_at(now: list[float]) -> object:
    from transload.clock import SystemClock

    class Told(SystemClock):
        @staticmethod
        def wall_s() -> float:
            return now[0]

    return Told()


@pytest.mark.parametrize("text", ["soon", "-1", "1.5", "9" * 12, "１"])
def test_a_source_date_that_is_none_is_an_error(here: Path, text: str) -> None:
    with pytest.raises(transload.UsageError, match="SOURCE_DATE_EPOCH"):
        transload.pack((), "b", origin="oci:source-10", environment=environment(time=text))
    assert not list(Path().glob("b*"))
