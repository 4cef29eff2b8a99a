"""Writing in place: whole, interrupted, refused, full; and always the same bytes."""

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from tests.unit.bundle.packing import blobs_of, contents_of, joined, named, pack, send
from transload.bundle import BundleStore, BundleWriter, ExtraFile, lay_out
from transload.bundle.writing.partial import discard, is_finished
from transload.bundle.writing.sums import write_sums
from transload.errors import (
    BlobUnknown,
    BundleExists,
    Busy,
    DigestMismatch,
    DiskFull,
    LocalError,
    ManifestUnknown,
    NotFound,
    Refused,
    RepositoryUnknown,
    SizeMismatch,
    VolumeMissing,
)
from transload.oci import Descriptor, Digest, Name
from transload.ports import Ingest
from transload.testing.images import image, multi_platform, put
from transload.testing.reading import Broken, breaks, read
from transload.testing.releases import release
from transload.threads import TaskGroup

MADE = named(release(images=4, size=400_000))
ONE = {Name("acme/app", "1"): image("one", layers=(300_000, 1000))}
BIG = max(blobs_of(ONE).values(), key=lambda each: each.descriptor.size)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The stream of `MADE` in volumes of 100,000 bytes, packed in one go."""
    return joined(pack(tmp_path_factory.mktemp("reference") / "b", MADE, 100_000)[1])


def _all(ingest: Ingest, raw: bytes) -> None:
    ingest.write([raw])
    ingest.commit()


def opened(path: Path, volume_bytes: int | None = 100_000) -> BundleWriter:
    return BundleWriter(path, lay_out(contents_of(MADE), volume_bytes))


def test_volumes_have_the_chosen_size_and_no_traces_are_left(tmp_path: Path, reference: bytes) -> None:
    _, files = pack(tmp_path / "b", MADE, 100_000)
    *volumes, sums = files
    assert [file.stat().st_size for file in volumes[:-1]] == [100_000] * (len(volumes) - 1)
    assert [file.name for file in volumes[:2]] == ["b.001.tar", "b.002.tar"]
    assert {*tmp_path.iterdir()} == {*files}
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}" for file in volumes]
    assert sums.read_text().splitlines() == lines
    assert joined(files) == reference


@pytest.mark.parametrize("volume_bytes", [None, 512, 777, 4096, 65_537, 1 << 20])
def test_the_cut_does_not_change_what_is_inside(tmp_path: Path, volume_bytes: int | None) -> None:
    pack(tmp_path / "b", ONE, volume_bytes)
    store = BundleStore(tmp_path / "b")
    for content in blobs_of(ONE).values():
        assert read(store, "", content.descriptor) == content.read()


def test_many_threads_write_the_same_bytes(tmp_path: Path, reference: bytes) -> None:
    with opened(tmp_path / "b") as writer:
        with TaskGroup() as group:
            for content in blobs_of(MADE).values():
                group.start(put, writer, "", content)
        send(writer, MADE)
        assert joined(writer.finish()) == reference


def test_writers_of_different_blobs_do_not_wait_for_each_other(tmp_path: Path) -> None:
    reached, gate = threading.Event(), threading.Event()
    first, second = list(blobs_of(MADE).values())[:2]

    def slowly() -> Iterator[bytes]:
        yield first.read()[:100]
        reached.set()
        assert gate.wait(60)
        yield first.read()[100:]

    def stuck() -> None:
        with writer.begin("", first.descriptor) as ingest:
            ingest.write(slowly())
            ingest.commit()

    with opened(tmp_path / "b") as writer, TaskGroup() as group:
        group.start(stuck)
        assert reached.wait(60)
        put(writer, "", second)
        with pytest.raises(Busy), writer.begin("", first.descriptor):
            pass
        gate.set()
    assert writer.exists("", first.descriptor)


@pytest.mark.parametrize("parts", [1, 3, 10])
def test_a_second_run_sends_only_what_lacks(tmp_path: Path, reference: bytes, parts: int) -> None:
    contents = list(blobs_of(MADE).values())
    total = sum(each.descriptor.size for each in contents)
    with opened(tmp_path / "b") as writer:
        for content in contents[:parts]:
            put(writer, "", content)
    with opened(tmp_path / "b") as writer:
        there = sum(each.descriptor.size for each in contents[:parts])
        assert writer.missing_bytes < writer._blueprint.cut.size - there + 1
        assert all(writer.exists("", each.descriptor) for each in contents[:parts])
        assert not writer.exists("", contents[parts].descriptor)
        assert send(writer, MADE) == total - there
        assert joined(writer.finish()) == reference


def test_part_of_a_blob_is_hashed_again_and_taken_up(tmp_path: Path) -> None:
    raw = BIG.read()
    blueprint = lay_out(contents_of(ONE), 50_000)
    with BundleWriter(tmp_path / "b", blueprint) as writer:
        with pytest.raises(Broken), writer.begin("", BIG.descriptor) as ingest:
            ingest.write(breaks(raw[:120_000]))
        with writer.begin("", BIG.descriptor) as ingest:
            assert ingest.offset == 120_000
            ingest.write([raw[120_000:200_000]])
    with BundleWriter(tmp_path / "b", blueprint) as writer:
        with writer.begin("", BIG.descriptor) as ingest:
            assert ingest.offset == 200_000
            ingest.write([raw[200_000:]])
            ingest.commit()
        send(writer, ONE)
        writer.finish()
    assert read(BundleStore(tmp_path / "b"), "", BIG.descriptor) == raw


def test_wrong_bytes_of_an_earlier_run_are_found_and_fetched_again(tmp_path: Path, reference: bytes) -> None:
    """What was done but not flushed may have been lost by a power cut."""
    contents = list(blobs_of(MADE).values())
    with opened(tmp_path / "b") as writer:
        for content in contents[:4]:
            put(writer, "", content)
        lost = writer._members[contents[1].descriptor.digest]
    volume = tmp_path / f"b.{lost.offset // 100_000 + 1:03}.tar.partial"
    with volume.open("r+b") as file:
        file.seek(lost.offset % 100_000)
        file.write(b"\xff" * 40)
    with opened(tmp_path / "b") as writer:
        assert [writer.exists("", each.descriptor) for each in contents[:4]] == [True, False, True, True]
        assert send(writer, MADE) == sum(each.descriptor.size for each in contents[4:]) + lost.size
        assert joined(writer.finish()) == reference


def test_a_damaged_part_costs_that_blob_only(tmp_path: Path) -> None:
    raw = BIG.read()
    blueprint = lay_out(contents_of(ONE), None)
    with BundleWriter(tmp_path / "b", blueprint) as writer, writer.begin("", BIG.descriptor) as ingest:
        ingest.write([b"\0" + raw[1:1000]])
    with BundleWriter(tmp_path / "b", blueprint) as writer:
        with writer.begin("", BIG.descriptor) as ingest:
            ingest.write([raw[ingest.offset :]])
            with pytest.raises(DigestMismatch):
                ingest.commit()
        assert send(writer, ONE) == sum(each.descriptor.size for each in blobs_of(ONE).values())
        writer.finish()


@pytest.mark.parametrize("change", [-1, 1])
def test_a_wrong_size_never_reaches_the_neighbours(tmp_path: Path, change: int) -> None:
    raw = (BIG.read() + b"x")[: BIG.descriptor.size + change]
    with BundleWriter(tmp_path / "b", lay_out(contents_of(ONE), None)) as writer:
        with writer.begin("", BIG.descriptor) as ingest, pytest.raises(SizeMismatch):
            _all(ingest, raw)
        assert not writer.exists("", BIG.descriptor)
        send(writer, ONE)
        writer.finish()
    assert all(each.error is None for each in BundleStore(tmp_path / "b").check())


def test_an_abandoned_blob_starts_over(tmp_path: Path) -> None:
    with BundleWriter(tmp_path / "b", lay_out(contents_of(ONE), None)) as writer:
        with writer.begin("", BIG.descriptor) as ingest:
            ingest.write([b"wrong"])
            ingest.abandon()
        with writer.begin("", BIG.descriptor) as ingest:
            assert ingest.offset == 0


def test_only_what_was_laid_out_is_taken(tmp_path: Path) -> None:
    stranger = image("stranger")
    with opened(tmp_path / "b") as writer:
        with pytest.raises(Refused):
            writer.begin("", stranger.contents[0].descriptor)
        with pytest.raises(Refused):
            writer.begin("", evolve(BIG.descriptor, size=1))
        with pytest.raises(Refused):
            writer.put_manifest(Name("a", "1"), stranger.manifest)


def test_a_manifest_needs_its_blobs_and_children(tmp_path: Path) -> None:
    multi = multi_platform("multi")
    images = {Name("a", "1"): multi}
    child = multi.children[0]
    with BundleWriter(tmp_path / "b", lay_out(contents_of(images), None)) as writer:
        with pytest.raises(BlobUnknown):
            writer.put_manifest(Name("a", None, child.digest), child.manifest)
        for content in blobs_of(images).values():
            put(writer, "", content)
        with pytest.raises(ManifestUnknown):
            writer.put_manifest(Name("a", "1"), multi.manifest)
        assert not writer.exists("", multi.descriptor)
        send(writer, images)
        assert writer.exists("", multi.descriptor)
        assert read(writer, "", multi.descriptor) == multi.manifest.raw


def test_a_manifest_that_was_pointed_at_is_not_held_when_a_blob_is_lost(tmp_path: Path) -> None:
    """A plan does not ask for what is below a manifest that is held."""
    (built,) = ONE.values()
    blueprint = lay_out(contents_of(ONE), None)
    with BundleWriter(tmp_path / "b", blueprint) as writer:
        send(writer, ONE)
        place = writer._members[BIG.descriptor.digest].offset
    with (tmp_path / "b.tar.partial").open("r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 9)
    with BundleWriter(tmp_path / "b", blueprint) as writer:
        assert not writer.exists("", built.descriptor)


def test_an_unfinished_bundle_has_blobs_and_no_names(tmp_path: Path) -> None:
    (name,) = ONE
    with BundleWriter(tmp_path / "b", lay_out(contents_of(ONE), None)) as writer:
        send(writer, ONE)
        for ask in (lambda: writer.resolve(name), lambda: writer.fetch(name)):
            with pytest.raises(NotFound):
                ask()
        with pytest.raises(RepositoryUnknown):
            writer.tags("acme/app")
        assert list(writer.repositories()) == []
        assert read(writer, "", BIG.descriptor, 100, 50) == BIG.read()[100:150]


def test_an_incomplete_bundle_cannot_be_finished_and_says_what_lacks(tmp_path: Path) -> None:
    with opened(tmp_path / "b") as writer:
        put(writer, "", next(iter(blobs_of(MADE).values())))
        with pytest.raises(BlobUnknown, match="are missing") as caught:
            writer.finish()
        assert caught.value.hint
    assert not list(tmp_path.glob("*.tar"))


def test_two_processes_cannot_make_one_bundle(tmp_path: Path) -> None:
    with opened(tmp_path / "b"), pytest.raises(Busy):
        opened(tmp_path / "b")
    opened(tmp_path / "b").park()


def test_other_contents_under_the_same_name_are_refused_until_discarded(tmp_path: Path) -> None:
    with opened(tmp_path / "b") as writer:
        send(writer, MADE)
    with pytest.raises(BundleExists):
        BundleWriter(tmp_path / "b", lay_out(contents_of(ONE), None))
    with pytest.raises(BundleExists):
        opened(tmp_path / "b", 200_000)
    discard(tmp_path / "b")
    assert not list(tmp_path.iterdir())
    discard(tmp_path / "b")
    assert pack(tmp_path / "b", ONE)[1]


@pytest.mark.parametrize("volume_bytes", [None, 100_000])
def test_a_finished_bundle_is_not_overwritten(tmp_path: Path, volume_bytes: int | None) -> None:
    blueprint, files = pack(tmp_path / "b", MADE, volume_bytes)
    for again in (volume_bytes, None, 50_000):
        with pytest.raises(BundleExists):
            opened(tmp_path / "b", again)
    assert is_finished(tmp_path / "b", blueprint)
    assert not is_finished(tmp_path / "b", lay_out(contents_of(ONE), None))
    assert not is_finished(tmp_path / "c", blueprint)
    files[0].write_bytes(files[0].read_bytes()[:-1])
    assert not is_finished(tmp_path / "b", blueprint)


def test_volumes_that_a_crash_left_half_renamed_are_finished(tmp_path: Path, reference: bytes) -> None:
    writer = opened(tmp_path / "b")
    send(writer, MADE)
    writer._files.publish = lambda sums: (_ for _ in ()).throw(Broken)  # type: ignore[method-assign]
    with pytest.raises(Broken), writer:
        writer.finish()
    (tmp_path / "b.001.tar.partial").rename(tmp_path / "b.001.tar")
    with opened(tmp_path / "b") as writer:
        assert send(writer, MADE) == 0
        assert joined(writer.finish()) == reference


def test_a_new_signature_replaces_the_old_one_while_packing(tmp_path: Path) -> None:
    contents = contents_of(MADE)
    with BundleWriter(tmp_path / "b", lay_out(contents, 100_000, lambda _: b"old")) as writer:
        send(writer, MADE)
    blueprint = lay_out(contents, 100_000, lambda _: b"new signature")
    with BundleWriter(tmp_path / "b", blueprint) as writer:
        assert send(writer, MADE) == 0
        *volumes, sums = writer.finish()
    assert joined(volumes).startswith(blueprint.head)
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}" for file in volumes]
    assert sums.read_text().splitlines() == lines


def test_sums_of_other_bundles_in_the_folder_stay(tmp_path: Path) -> None:
    pack(tmp_path / "one", ONE)
    (tmp_path / "SHA256SUMS").write_text((tmp_path / "SHA256SUMS").read_text() + "a line of somebody else\n")
    pack(tmp_path / "two", MADE)
    (tmp_path / "one.tar").unlink()
    pack(tmp_path / "one", ONE)
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert sorted(line.split()[-1] for line in lines) == ["else", "one.tar", "two.tar"]


def test_many_processes_lose_no_line_of_the_sums(tmp_path: Path) -> None:
    writers = []
    for writer in range(8):
        process = os.fork()
        if process == 0:
            try:
                for turn in range(25):
                    write_sums(tmp_path, {f"b{writer}-{turn}.tar": "ab" * 32})
                os._exit(0)
            finally:
                os._exit(1)
        writers.append(process)
    assert [os.waitpid(process, 0)[1] for process in writers] == [0] * 8
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    wanted = {f"{'ab' * 32}  b{writer}-{turn}.tar" for writer in range(8) for turn in range(25)}
    assert (len(lines), set(lines)) == (200, wanted)
    assert [file.name for file in tmp_path.iterdir()] == ["SHA256SUMS"]


def test_a_volume_that_somebody_deleted_meanwhile_is_written_again(tmp_path: Path, reference: bytes) -> None:
    with opened(tmp_path / "b") as writer:
        send(writer, MADE)
        writer._files.sync()
    (tmp_path / "b.002.tar.partial").unlink()
    with opened(tmp_path / "b") as writer:
        assert 0 < send(writer, MADE) < len(reference)
        files = writer.finish()
    assert joined(files) == reference


def test_a_complete_volume_that_was_moved_before_its_sum_was_listed(tmp_path: Path) -> None:
    with opened(tmp_path / "b") as writer:
        send(writer, MADE)
        (tmp_path / "SHA256SUMS").mkdir()
        with pytest.raises(LocalError):
            writer.finish()
    (tmp_path / "SHA256SUMS").rmdir()
    moved = (tmp_path / "b.002.tar").rename(tmp_path / "moved")
    with pytest.raises(VolumeMissing, match="is not there any more"):
        opened(tmp_path / "b")
    moved.rename(tmp_path / "b.002.tar")
    with opened(tmp_path / "b") as writer:
        assert send(writer, MADE) == 0
        writer.finish()
    assert (tmp_path / "SHA256SUMS").is_file()
    assert not list(tmp_path.glob("*.partial*"))


def test_extras_are_copied_and_must_not_have_changed(tmp_path: Path) -> None:
    manual = tmp_path / "manual.pdf"
    manual.write_bytes(b"read me " * 1000)
    extra = ExtraFile.of(manual)
    assert extra.digest == Digest.of(manual.read_bytes())
    blueprint = lay_out(contents_of(ONE, extras=(extra,)), 3000)
    manual.write_bytes(b"read him" * 1000)
    with BundleWriter(tmp_path / "b", blueprint) as writer, pytest.raises(DigestMismatch):
        writer.start()
    manual.write_bytes(b"read me " * 1000)
    with BundleWriter(tmp_path / "b", blueprint) as writer:
        send(writer, ONE)
        writer.finish()
    with BundleStore(tmp_path / "b").open_extra("manual.pdf") as chunks:
        assert b"".join(map(bytes, chunks)) == manual.read_bytes()
    manual.unlink()
    with BundleWriter(tmp_path / "c", blueprint) as writer, pytest.raises(LocalError):
        writer.start()


def test_extra_files_may_have_the_content_of_each_other_and_of_a_blob(tmp_path: Path) -> None:
    for name in ("a.bin", "b.bin"):
        (tmp_path / name).write_bytes(BIG.read())
    extras = tuple(ExtraFile.of(tmp_path / name) for name in ("a.bin", "b.bin"))
    pack(tmp_path / "b", ONE, 100_000, extras=extras)
    assert all(each.error is None for each in BundleStore(tmp_path / "b").check())


def test_too_little_room_is_told_with_the_numbers_before_the_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path / "b") as writer:
        size = writer._blueprint.cut.size
        monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": size - 1, "total": size})())
        with pytest.raises(DiskFull, match=str(size)) as caught:
            writer.check_space()
        assert "make room" in (caught.value.hint or "")
        assert [path.name for path in tmp_path.iterdir()] == ["b.partial.journal"]
        put(writer, "", next(iter(blobs_of(MADE).values())))
        writer.check_space()


def test_an_empty_blob_and_one_by_sha512(tmp_path: Path) -> None:
    built = image("sha512", layers=(1000,), algorithm="sha512")
    empty = Descriptor("x/y", Digest.of(b""), 0)
    contents = contents_of({Name("a", "1"): built})
    blueprint = lay_out(evolve(contents, blobs=(*contents.blobs, empty)), None)
    with BundleWriter(tmp_path / "b", blueprint) as writer:
        with writer.begin("", empty) as ingest:
            ingest.commit()
        send(writer, {Name("a", "1"): built})
        writer.finish()
    store = BundleStore(tmp_path / "b")
    assert read(store, "", empty) == b""
    assert all(read(store, "", each.descriptor) == each.read() for each in built.contents)
    assert all(each.error is None for each in store.check())
