"""`pack` with recovery volumes: how the bundle is cut, what is there already, what would not be right."""

from pathlib import Path
from typing import Any

import pytest

import transload
from transload.bundle.format.recoveryfile import protections_in
from transload.errors import BeyondRepair, BundleExists, DiskFull, Interrupted, TransloadError, UsageError
from transload.events import Progressed
from transload.layout import LayoutStore
from transload.report.summary import summary_lines
from transload.testing.images import fill, image
from transload.threads import Cancellation

NOTHING = transload.Environment(source_date="1790000000")  # two bundles of one content are the same at any second


@pytest.fixture(autouse=True)
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one image of some 3 MB, in the folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    store = LayoutStore("source", create=True)
    fill(store, image("protected", layers=(2_000_000, 900_000, 20)), "a/b", "1")
    return tmp_path / "source"


def pack(name: str = "b", **more: Any) -> transload.PackResult:
    return transload.pack((), name, origin="oci:source", environment=NOTHING, **more)


def content() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}


def test_volumes_are_cut_alike_and_protected() -> None:
    packed = pack(volume_size="2MiB", recovery=2)
    assert [path.name for path in packed.files] == ["b.001.tar", "b.002.tar", "b.r01.tar", "b.r02.tar"]
    sizes = [path.stat().st_size for path in packed.files]
    assert sizes[0] - sizes[1] < 2 * 4096 < sizes[0]
    assert max(sizes) <= 2 << 20
    assert set(content()) == {*(path.name for path in packed.files), "SHA256SUMS"}
    assert transload.verify("bundle:b", environment=NOTHING).good
    (protection,) = protections_in(packed.files[2:])
    assert protection.description.volumes == 2


def test_so_many_volumes_as_asked_for() -> None:
    assert len(pack(volume_count=3).files) == 3
    assert len(pack("c", volume_count=3, recovery=1).files) == 4


def test_a_bundle_that_is_not_cut_gets_a_copy() -> None:
    packed = pack(recovery=1)
    assert [path.name for path in packed.files] == ["b.tar", "b.r01.tar"]
    assert packed.files[0].read_bytes() in packed.files[1].read_bytes()


@pytest.mark.parametrize("volume_size", ["2MiB", None, "1.5MiB"])
def test_the_same_again_does_nothing_and_without_them_writes_them_again(volume_size: str | None) -> None:
    pack(volume_size=volume_size, recovery=2)
    before = content()
    pack(volume_size=volume_size, recovery=2)
    assert content() == before
    Path("b.r02.tar").unlink()
    pack(volume_size=volume_size, recovery=2)
    assert content() == before


@pytest.mark.parametrize("volume_size", ["1.5MiB", None])
def test_a_bundle_that_was_packed_without_gets_them_later(volume_size: str | None) -> None:
    pack(volume_size=volume_size)
    before = content()
    pack(volume_size=volume_size, recovery=1)
    after = content()
    assert after.keys() - before.keys() == {"b.r01.tar"}
    assert {name: after[name] for name in before if name != "SHA256SUMS"} == {
        name: before[name] for name in before if name != "SHA256SUMS"
    }
    assert set(before["SHA256SUMS"].splitlines()) < set(after["SHA256SUMS"].splitlines())


def test_more_of_them_later() -> None:
    pack(volume_count=3, recovery=1)
    pack(volume_count=3, recovery=2)
    assert len(protections_in([Path("b.r01.tar"), Path("b.r02.tar")])) == 1
    before = content()
    pack(volume_count=3, recovery=1)  # there are as many already
    assert content() == before


def test_a_damaged_bundle_gets_none() -> None:
    pack(volume_count=3)
    raw = bytearray(Path("b.002.tar").read_bytes())
    raw[1000] ^= 1
    Path("b.002.tar").write_bytes(raw)
    with pytest.raises(TransloadError) as caught:
        pack(volume_count=3, recovery=1)
    assert caught.value.exit_code == 6
    assert not list(Path().glob("b.r*"))


def test_recovery_volumes_of_another_bundle_are_not_replaced() -> None:
    pack("other", recovery=1)
    Path("other.r01.tar").rename("b.r01.tar")
    before = content()
    with pytest.raises(BundleExists, match="belongs to another bundle"):
        pack(volume_count=3, recovery=1)
    assert content() == before


def test_the_disk_must_have_room_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transload.bundle.writing.partial.free_bytes", lambda _: 5_000_000)
    with pytest.raises(DiskFull):
        pack(volume_count=3, recovery=3)
    assert not list(Path().glob("b*"))
    pack(volume_count=3, recovery=1)


def test_stopped_while_they_are_computed_and_run_again() -> None:
    pack("whole", volume_count=3, recovery=2)
    cancellation = Cancellation()

    def stop(event: object) -> None:
        if isinstance(event, Progressed) and event.activity == "protecting" and event.done:
            cancellation.cancel()

    with pytest.raises(Interrupted):
        pack(volume_count=3, recovery=2, progress=stop, cancellation=cancellation)
    assert {path.name for path in Path().glob("b.*")} >= {"b.001.tar", "b.r01.tar.partial"}
    assert not Path("b.r01.tar").exists()
    pack(volume_count=3, recovery=2)
    ours = {name.removeprefix("b"): raw for name, raw in content().items() if name.startswith("b.")}
    theirs = {name.removeprefix("whole"): raw for name, raw in content().items() if name.startswith("whole.")}
    assert ours == theirs


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"volume_size": "1MiB", "volume_count": 3}, "two ways"),
        ({"recovery": -1}, "not possible"),
        ({"recovery": 255}, "at most 255 together"),
        ({"volume_count": 0}, "not possible"),
    ],
)
def test_what_is_not_possible_is_said_before_anything_is_written(more: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pack(**more)
    assert [path.name for path in Path().iterdir()] == ["source"]


def test_recovery_volumes_that_are_added_are_told_as_written() -> None:
    pack()
    added = pack(recovery=2).result
    assert [Path(path).name for path in added.written] == ["b.r01.tar", "b.r02.tar"]
    assert added.to_json()["written"] == list(added.written)
    told = [str(line) for line in summary_lines(added)]
    assert told[0].startswith("done: 1 unchanged")
    assert "  written: b.r01.tar, b.r02.tar" in told
    again = pack(recovery=2).result
    assert again.written == ()
    assert str(summary_lines(again)[0]).startswith("nothing to do")


def test_more_recovery_volumes_than_asked_for_are_kept_and_told() -> None:
    pack(recovery=2)
    before = content()
    fewer = pack(recovery=1)
    assert content() == before
    assert [path.name for path in fewer.files] == ["b.tar", "b.r01.tar", "b.r02.tar"]
    assert fewer.result.notes == ("the bundle has 2 recovery volumes, more than --recovery 1 asks for: all are kept",)
    assert pack(recovery=2).result.notes == ()


def test_a_bundle_that_lost_its_only_volume_is_packed_again_beside_its_recovery_volumes() -> None:
    pack(recovery=2)
    before = content()
    Path("b.tar").unlink()
    packed = pack(recovery=2)
    after = content()
    assert sorted(after.pop("SHA256SUMS").splitlines()) == sorted(before.pop("SHA256SUMS").splitlines())
    assert after == before
    assert len(packed.files) == 3
    assert packed.result.written == ()


@pytest.mark.parametrize("offset", [20, 1100, 1560])
def test_a_damaged_beginning_and_a_second_loss_are_damage_and_not_tampering(offset: int) -> None:
    pack(volume_count=3, recovery=1)
    with Path("b.001.tar").open("r+b") as file:
        file.seek(offset)
        file.write(b"damaged")
    aside = Path("b.003.tar").rename("elsewhere")
    for call in (lambda: transload.verify("bundle:b", environment=NOTHING), lambda: transload.repair("b")):
        with pytest.raises(BeyondRepair) as caught:
            call()
        assert "the beginning of the bundle is damaged, and more is lost than" in str(caught.value)
        assert caught.value.exit_code == 6
    aside.rename("b.003.tar")
    assert len(transload.repair("b").files) == 1
    assert transload.verify("bundle:b", environment=NOTHING).good


def test_numbers_and_nouns_go_together() -> None:
    with pytest.raises(UsageError, match="1 volume and 300 recovery volumes are not possible"):
        pack(recovery=300)
