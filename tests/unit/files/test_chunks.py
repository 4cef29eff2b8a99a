"""Reading a file in chunks."""

import io
from pathlib import Path

import pytest

from transload.errors import LocalError, Truncated
from transload.files import CHUNK_BYTES, chunks_of, exactly, open_file, read_up_to

CONTENT = bytes(range(251)) * (2 * CHUNK_BYTES // 251 + 1)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chunks") / "file"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize("offset", [0, 7, len(CONTENT) - 1, len(CONTENT), len(CONTENT) + 1])
@pytest.mark.parametrize("length", [-1, 0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, len(CONTENT), len(CONTENT) + 1])
def test_as_many_bytes_come_as_are_wanted_and_there(path: Path, offset: int, length: int) -> None:
    wanted = CONTENT[offset : offset + max(0, length)]
    with open_file(path) as file:
        file.seek(offset)
        chunks = [bytes(chunk) for chunk in chunks_of(file, path, length)]
        assert file.tell() == offset + len(wanted), "what follows is left to whoever reads on"
    assert b"".join(chunks) == wanted
    assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in chunks)


def test_without_a_length_everything_is_read(path: Path) -> None:
    with open_file(path) as file:
        assert b"".join(map(bytes, chunks_of(file, path))) == CONTENT


def test_a_file_that_is_too_short_is_told_behind_its_last_byte(path: Path) -> None:
    chunks = exactly([memoryview(b"abc"), memoryview(b"de")], 7, "blob 123", "sha256:123")
    assert bytes(next(chunks)) + bytes(next(chunks)) == b"abcde"
    with pytest.raises(Truncated, match="blob 123 ended 2 bytes too early") as caught:
        next(chunks)
    assert caught.value.subject == "sha256:123"


def test_what_the_system_says_against_reading_is_told_with_the_path(path: Path) -> None:
    with path.open("ab", buffering=0) as unreadable, pytest.raises(LocalError, match="reading .*/file: "):
        list(chunks_of(unreadable, path))


def test_a_short_file_is_not_read_into_a_large_buffer(path: Path) -> None:
    """A buffer of a megabyte for each of thousands of manifests left gaps in the memory that nothing else filled."""
    asked: list[int] = []

    class _Watched(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(-1 if size is None else size)
            return super().read(size)

    with _Watched(path) as file:
        assert read_up_to(file, len(CONTENT) - 1) == CONTENT[:-1]
    assert asked[0] <= 16 << 10
    assert max(asked) <= CHUNK_BYTES
    assert len(asked) <= 6, "and a large one is not read in small pieces"
