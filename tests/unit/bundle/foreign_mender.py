"""Makes lost volumes again, as docs/formats/recovery.md says. It knows nothing of transload, and cares for no speed.

foreign_mender.py FOLDER NAME: writes every volume of the bundle that is missing.
"""

import hashlib
import itertools
import json
import sys
import tarfile
from pathlib import Path


def times(one: int, other: int) -> int:
    result = 0
    while other:
        result ^= one * (other & 1)
        one = (one << 1) ^ (0x11D if one & 0x80 else 0)
        other >>= 1
    return result


def inverse(number: int) -> int:
    return next(other for other in range(1, 256) if times(number, other) == 1)


def factor(row: int, volume: int) -> int:
    return times(255 ^ (volume - 1), inverse((256 - row) ^ (volume - 1)))


def times_all(number: int, content: bytes) -> bytes:
    table = [times(number, byte) for byte in range(256)]
    return bytes(table[byte] for byte in content)


def plus(one: bytes, other: bytes) -> bytes:
    """The shorter one is filled up with zeros."""
    return bytes(left ^ right for left, right in itertools.zip_longest(one, other, fillvalue=0))


def solve(rows: list[int], lost: list[int], right: list[bytes]) -> list[bytes]:
    """Gaussian elimination, with whole volumes as the right side."""
    matrix = [[factor(row, volume) for volume in lost] for row in rows]
    for column in range(len(lost)):
        pivot = next(line for line in range(column, len(lost)) if matrix[line][column])
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        right[column], right[pivot] = right[pivot], right[column]
        scale = inverse(matrix[column][column])
        matrix[column] = [times(scale, number) for number in matrix[column]]
        right[column] = times_all(scale, right[column])
        for line in range(len(lost)):
            number = matrix[line][column]
            if line != column and number:
                matrix[line] = [one ^ times(number, two) for one, two in zip(matrix[line], matrix[column], strict=True)]
                right[line] = plus(right[line], times_all(number, right[column]))
    return right


def read(path: Path) -> tuple[dict[str, int], str, bytes]:
    with tarfile.open(path) as archive:
        described, sums, parity, *_ = archive.getmembers()
        files = [archive.extractfile(member) for member in (described, sums, parity)]
        raw, table, content = [file.read() for file in files if file]
    assert described.name == f"transload/recovery/{hashlib.sha256(raw).hexdigest()}.json"
    description = json.loads(raw)
    assert description["sums"] == f"sha256:{hashlib.sha256(table).hexdigest()}"
    return description, parity.name, content


def mend(folder: Path, name: str) -> None:
    parities = {}
    for path in folder.glob(f"{name}.r*.tar"):
        description, member, content = read(path)
        parities[int(member.rpartition(".r")[2])] = content
    count, longest = description["volumes"], len(content)
    paths = {volume: folder / f"{name}.{volume:03}.tar" for volume in range(1, count + 1)}
    lost = [volume for volume, path in paths.items() if not path.exists()]
    rows = sorted(parities)[: len(lost)]
    right = []
    for row in rows:
        total = parities[row]
        for volume in paths.keys() - set(lost):
            total = plus(total, times_all(factor(row, volume), paths[volume].read_bytes()))
        right.append(total)
    for volume, content in zip(lost, solve(rows, lost, right), strict=True):
        paths[volume].write_bytes(content[: min(longest, description["size"] - (volume - 1) * longest)])


if __name__ == "__main__":
    mend(Path(sys.argv[1]), sys.argv[2])
