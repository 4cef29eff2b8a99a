"""Archives that were cut short, damaged, or made to hurt: refused with a reason, never believed, never slow."""

import gzip
import io
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.archive.writer import Saved, add, blob_name, layout_files, saved_files, write_tar
from transload import tarheaders as limits
from transload.archive import ArchiveStore
from transload.errors import CorruptError, LimitExceeded, NotFound, Refused, TransloadError, UsageError
from transload.oci import Name
from transload.testing.contract import read
from transload.testing.images import image

IMAGE = image("hostile", layers=(3000,))
NAME = Name("acme/app", "1")
LAYER = IMAGE.contents[1].descriptor


def files() -> dict[str, bytes | str]:
    return layout_files({NAME: IMAGE})


@pytest.mark.parametrize("link", ["/etc/passwd", "../../../etc/passwd", "../../../../../../etc/passwd"])
def test_links_that_lead_out_are_not_followed(tmp_path: Path, link: str) -> None:
    store = ArchiveStore(write_tar(tmp_path / "a.tar", files() | {blob_name(LAYER.digest): link}))
    for ask in (lambda: read(store, "", LAYER), lambda: store.exists("", LAYER)):
        with pytest.raises(Refused, match="leads out"):
            ask()


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    circle = {blob_name(LAYER.digest): "../../round", "round": f"{blob_name(LAYER.digest)}"}
    store = ArchiveStore(write_tar(tmp_path / "a.tar", files() | circle))
    with pytest.raises(Refused, match="links"):
        store.exists("", LAYER)


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "a/../../outside", ".."])
def test_members_that_lead_out_condemn_the_archive(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refused, match="leads out"):
        ArchiveStore(write_tar(tmp_path / "a.tar", files() | {name: b"x"}))


@pytest.mark.parametrize("second", ["index.json", "./index.json", "x/../index.json"])
def test_a_name_given_twice_is_refused(tmp_path: Path, second: str) -> None:
    path = write_tar(tmp_path / "a.tar", files())
    with tarfile.open(path, "a") as tar:
        add(tar, second, b'{"manifests": []}')
    with pytest.raises(CorruptError, match="two members"):
        ArchiveStore(path)


# --- what the file states


def test_an_archive_cut_short_anywhere_is_damaged_or_lacks_its_end_only(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "whole.tar", files()).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        last = tar.getmembers()[-1]
    end = last.offset_data + last.size
    path = tmp_path / "cut.tar"
    for length in [0, 1, 511, *range(512, len(whole), 256)]:
        path.write_bytes(whole[:length])
        if length < end:
            with pytest.raises((CorruptError, Refused)):
                ArchiveStore(path)
        else:
            assert read(ArchiveStore(path), "", LAYER) == IMAGE.contents[1].read()


def test_a_header_with_another_checksum_is_no_end(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", files())
    with tarfile.open(path) as tar:
        middle = tar.getmembers()[2].offset
    raw = bytearray(path.read_bytes())
    raw[middle + 10] ^= 1
    path.write_bytes(raw)
    with pytest.raises(CorruptError, match=f"damaged at byte {middle}"):
        ArchiveStore(path)


def headed(*parts: bytes) -> bytes:
    return b"".join(parts) + bytes(1024)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def pax(records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return header("pax", len(records), kind) + records + bytes(-len(records) % 512)


@pytest.mark.parametrize(
    "raw",
    [
        headed(header("index.json", 1 << 62)),
        headed(header("index.json", -1)),
        headed(pax(b"30 size=99999999999999999999999\n"), header("index.json", 1)),
        headed(pax(b"9 size=x\n"), header("index.json", 1)),
        headed(pax(b"99 path=index.json\n"), header("x", 0)),
        headed(pax(b"path"), header("x", 0)),
        headed(pax(b"10 path=a\n", tarfile.XGLTYPE), header("x", 0)),
        headed(pax(b"22 GNU.sparse.major=1\n"), header("x", 0)),
        headed(header("x", 0, tarfile.GNUTYPE_SPARSE)),
        b"no tar at all" * 100,
        b"x",
        b"",
    ],
)
def test_headers_that_cannot_be_meant(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(raw)
    with pytest.raises(CorruptError):
        ArchiveStore(path)


@pytest.mark.parametrize(
    "raw",
    [
        headed(header("L", 2 << 20, tarfile.GNUTYPE_LONGNAME), bytes(2 << 20)),
        headed(header("x", 2 << 20, tarfile.XHDTYPE), bytes(2 << 20)),
        headed(pax(b"5016 path=" + b"x" * 5005 + b"\n"), header("x", 0)),
    ],
)
def test_what_is_said_of_one_member_has_a_limit(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(raw)
    with pytest.raises(LimitExceeded):
        ArchiveStore(path)


def test_the_number_of_members_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tar(tmp_path / "a.tar", files())
    monkeypatch.setattr(limits, "ARCHIVE_MEMBERS", 3)
    with pytest.raises(LimitExceeded):
        ArchiveStore(path)


def test_all_extended_headers_together_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tar(tmp_path / "a.tar", {f"{'x' * 300}{number}": b"" for number in range(4)} | files())
    ArchiveStore(path)
    monkeypatch.setattr(limits, "ARCHIVE_HEADERS_BYTES", 1000)
    with pytest.raises(LimitExceeded, match="more than 1000 bytes of headers"):
        ArchiveStore(path)


@given(st.data())
def test_whatever_changes_only_our_errors_come(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    saved = saved_files((Saved("fuzz", (10,)).flat(), ["app:1"]))
    whole = write_tar(folder / "a.tar", data.draw(st.sampled_from([files(), saved]))).read_bytes()
    raw = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] = data.draw(st.integers(0, 255))
    (folder / "b.tar").write_bytes(raw)
    with suppress(TransloadError):
        store = ArchiveStore(folder / "b.tar")
        names = [Name(repository, tag) for repository in store.repositories() for tag in store.tags(repository)]
        for name in names:
            manifest = store.fetch(name)
            assert all(len(read(store, "", blob)) == blob.size for blob in manifest.blobs)


# --- what is no tar


@pytest.mark.parametrize(
    ("begin", "program"),
    [(b"\x1f\x8b\x08", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2")],
)
def test_compressed_archives_are_refused_with_the_command_that_unpacks_them(
    tmp_path: Path, begin: bytes, program: str
) -> None:
    path = tmp_path / "my images.tar.gz"
    path.write_bytes(begin + bytes(1000))
    with pytest.raises(Refused, match=program) as caught:
        ArchiveStore(path)
    assert f"{program} -dc '{path}' > '{tmp_path}/my images.tar'" in str(caught.value.hint)


@pytest.mark.parametrize(("name", "unpacked"), [("a.tgz", "a.tar"), ("a.tar.gz", "a.tar"), ("a", "a.tar")])
def test_an_unpacked_archive_gets_a_name_of_its_own(tmp_path: Path, name: str, unpacked: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(b"x"))
    with pytest.raises(Refused) as caught:
        ArchiveStore(tmp_path / name)
    assert str(caught.value.hint).split(" > ")[1].split(" ")[0] == str(tmp_path / unpacked)


def test_a_folder_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        ArchiveStore(tmp_path)
    assert f"oci:{tmp_path}" in str(caught.value.hint)


def test_an_archive_that_goes_away(tmp_path: Path) -> None:
    store = ArchiveStore(write_tar(tmp_path / "a.tar", files()))
    store.path.write_bytes(store.path.read_bytes()[:600])
    with pytest.raises(CorruptError):
        read(store, "", LAYER)
    store.path.unlink()
    with pytest.raises(NotFound):
        read(store, "", LAYER)
