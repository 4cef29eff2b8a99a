"""Headers are what tar readers read, and nothing but our own headers is believed."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.bundle.format.tarheader import BLOCK, END, header, header_size, padding, size_in, why_not
from transload.errors import MemberDamaged, MemberUnsafe, TransloadError

SHA512 = "blobs/sha512/" + "ab" * 64


class Sparse(io.RawIOBase):
    """A header, and behind it as many zeros as it promises, none of them in memory."""

    def __init__(self, head: bytes, size: int) -> None:
        self.head, self.size, self.place = head, size, 0

    def seek(self, place: int, whence: int = 0) -> int:
        self.place = place + (self.place if whence == 1 else 0)
        return self.place

    def tell(self) -> int:
        return self.place

    def read(self, count: int = -1) -> bytes:
        end = min(self.place + count, self.size)
        found = self.head[self.place : end].ljust(max(0, end - self.place), b"\0")
        self.place += len(found)
        return found


@pytest.mark.parametrize("size", [0, 1, 511, 512, (8 << 30) - 1, 8 << 30, 9 << 40])
@pytest.mark.parametrize("name", ["index.json", "blobs/sha256/" + "ab" * 32, SHA512, "transload/extra/Lizenz – ü.txt"])
def test_python_reads_what_we_write(name: str, size: int) -> None:
    head = header(name, size)
    assert len(head) % BLOCK == 0
    assert len(head) == header_size(name, size)
    end = len(head) + size + padding(size) + len(END)
    with tarfile.open(fileobj=Sparse(head, end)) as archive:
        (member,) = archive.getmembers()
    assert (member.name, member.size, member.isreg(), member.mtime, member.uid, member.uname, member.mode) == (
        *(name, size, True, 0, 0, "", 0o644),
    )
    assert member.offset_data == len(head)


def test_ordinary_headers_are_one_block() -> None:
    assert len(header("blobs/sha256/" + "ab" * 32, (8 << 30) - 1)) == BLOCK


@given(st.integers(0, (8 << 30) - 1))
def test_sizes_come_back(size: int) -> None:
    assert size_in(header("index.json", size), "index.json") == size


@given(
    st.binary(max_size=BLOCK)
    | st.builds(lambda place, value: _changed(place, value), st.integers(0, 511), st.binary(min_size=1, max_size=1))
)
def test_any_other_block_is_refused(block: bytes) -> None:
    if block == header("index.json", 77):
        return
    with pytest.raises(TransloadError):
        size_in(block, "index.json")


def _changed(place: int, value: bytes) -> bytes:
    block = header("index.json", 77)
    return block[:place] + value + block[place + 1 :]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_what_is_no_file_is_unsafe(kind: bytes) -> None:
    assert isinstance(why_not(_foreign("blobs/x", kind), "blobs/x"), MemberUnsafe)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "../" * 60 + "x"])
def test_a_path_that_leads_out_is_unsafe(path: str) -> None:
    assert isinstance(why_not(_foreign(path, tarfile.REGTYPE), "blobs/x"), MemberUnsafe)


def test_another_file_is_only_damage() -> None:
    assert isinstance(why_not(_foreign("blobs/y", tarfile.REGTYPE), "blobs/x"), MemberDamaged)
    assert isinstance(why_not(b"", "blobs/x"), MemberDamaged)


def _foreign(name: str, kind: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "target" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
    return info.tobuf(tarfile.USTAR_FORMAT)
