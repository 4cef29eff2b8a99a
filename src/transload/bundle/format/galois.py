"""Reed-Solomon over GF(2⁸) with a Cauchy matrix: any K lost volumes are made again from K recovery volumes. Pure.

The field is that of RAID 6: bytes as polynomials modulo x⁸+x⁴+x³+x²+1 (0x11D). Volumes count from 1 to N, recovery
volumes, which are rows of the matrix, from 1 to K. The factor of volume n in row k is (x₁+yₙ)/(xₖ+yₙ), with xₖ = 256-k
and yₙ = n-1, and + is exclusive or. Scaled so that the first row has only ones, it stays a Cauchy matrix in which every
square part can be inverted (Plank and Xu, "Optimizing Cauchy Reed-Solomon Codes", 2006). So row 1 is the exclusive or
of all volumes, and no row depends on how many rows or volumes there are.

One number times a whole block is `bytes.translate`, adding two blocks is the exclusive or of two long integers: both
run in C, at some 800 MB/s together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import repeat

POLYNOMIAL = 0x11D


def _powers() -> tuple[list[int], list[int]]:
    powers, logarithms, value = [0] * 510, [0] * 256, 1
    for exponent in range(255):
        powers[exponent] = powers[exponent + 255] = value
        logarithms[value] = exponent
        value <<= 1
        if value > 255:
            value ^= POLYNOMIAL
    return powers, logarithms


_POWER, _LOGARITHM = _powers()


def product(one: int, other: int) -> int:
    """One number of the field times another.

    >>> product(2, 128), product(29, 1)
    (29, 29)
    """
    return _POWER[_LOGARITHM[one] + _LOGARITHM[other]] if one and other else 0


def inverse(number: int) -> int:
    """The number whose product with this one is 1. Raises `ZeroDivisionError` for 0."""
    if not number:
        raise ZeroDivisionError("0 has no inverse")
    return _POWER[255 - _LOGARITHM[number]]


def factor(row: int, volume: int) -> int:
    """The factor of a volume in a row of the matrix; both count from 1.

    >>> [factor(1, 1), factor(1, 2), factor(2, 1), factor(2, 2)]
    [1, 1, 127, 252]
    """
    first, own, place = 255, 256 - row, volume - 1
    return product(first ^ place, inverse(own ^ place))


@lru_cache(maxsize=256)
def _times(number: int) -> bytes:
    """The products of all bytes with `number`, for `bytes.translate`."""
    return bytes(map(product, range(256), repeat(number)))


def add(sums: list[int], factors: Sequence[int], block: bytes) -> None:
    """Add `block`, times each of the factors, to the sum in its place. Sums are little-endian numbers."""
    plain = None
    for place, number in enumerate(factors):
        if number == 1:
            plain = int.from_bytes(block, "little") if plain is None else plain
            sums[place] ^= plain
        elif number:
            sums[place] ^= int.from_bytes(block.translate(_times(number)), "little")


@lru_cache(maxsize=64)
def recipe(volumes: int, lost: tuple[int, ...], rows: tuple[int, ...], wanted: int) -> Mapping[int, int]:
    """How one block of a stripe is made from others: the factor of each block that is needed.

    Volumes have their numbers, rows follow: row k has the number `volumes` + k. `lost` are volumes that cannot be
    read, `rows` as many rows that can. `wanted` is one of the lost volumes, or any row.
    """
    if wanted in lost:
        return _recipe_of_lost(volumes, lost, rows)[wanted]
    row = wanted - volumes
    result = {volume: factor(row, volume) for volume in range(1, volumes + 1) if volume not in lost}
    for volume in lost:
        for number, weight in _recipe_of_lost(volumes, lost, rows)[volume].items():
            result[number] = result.get(number, 0) ^ product(factor(row, volume), weight)
    return result


@lru_cache(maxsize=64)
def _recipe_of_lost(volumes: int, lost: tuple[int, ...], rows: tuple[int, ...]) -> Mapping[int, Mapping[int, int]]:
    solved = _inverted([[factor(row, volume) for volume in lost] for row in rows])
    whole = [volume for volume in range(1, volumes + 1) if volume not in lost]
    recipes = {}
    for volume, weights in zip(lost, solved, strict=True):
        known = {volumes + row: weight for row, weight in zip(rows, weights, strict=True)}
        for other in whole:
            total = 0
            for row, weight in zip(rows, weights, strict=True):
                total ^= product(weight, factor(row, other))
            known[other] = total
        recipes[volume] = known
    return recipes


def _inverted(matrix: Sequence[Sequence[int]]) -> list[list[int]]:
    """The inverse of a square part of the matrix (Gauss and Jordan); a part of a Cauchy matrix always has one."""
    size = len(matrix)
    rows = [[*line, *(int(place == number) for place in range(size))] for number, line in enumerate(matrix)]
    for column in range(size):
        pivot = next(number for number in range(column, size) if rows[number][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        scale = inverse(rows[column][column])
        rows[column] = [product(scale, number) for number in rows[column]]
        for number, line in enumerate(rows):
            if number != column and line[column]:
                times = line[column]
                rows[number] = [one ^ product(times, other) for one, other in zip(line, rows[column], strict=True)]
    return [line[size:] for line in rows]
