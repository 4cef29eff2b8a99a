"""The algebra of recovery volumes: any K of N+K blocks are made again from the others."""

import random

from hypothesis import given
from hypothesis import strategies as st

from transload.bundle.format.galois import add, factor, inverse, product, recipe
from transload.limits import SYMBOLS

NUMBERS = st.integers(0, 255)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_it_is_a_field(one: int, two: int, three: int) -> None:
    assert product(one, two) == product(two, one)
    assert product(one, product(two, three)) == product(product(one, two), three)
    assert product(one, two ^ three) == product(one, two) ^ product(one, three)
    assert one == 0 or product(one, inverse(one)) == 1
    assert product(one, 1) == one


def test_products_are_those_of_polynomials() -> None:
    def by_hand(one: int, other: int) -> int:
        result = 0
        while other:
            result ^= one * (other & 1)
            one, other = (one << 1) ^ (0x11D * (one >> 7)), other >> 1
        return result

    assert all(product(one, other) == by_hand(one, other) for one in range(256) for other in range(256))


def test_every_factor_exists_and_the_first_row_has_only_ones() -> None:
    for volumes in range(1, SYMBOLS):
        assert factor(1, volumes) == 1
        assert factor(SYMBOLS - volumes, volumes) > 0


def parity(row: int, blocks: list[bytes], length: int) -> bytes:
    sums = [0]
    for volume, block in enumerate(blocks, 1):
        add(sums, [factor(row, volume)], block)
    return sums[0].to_bytes(length, "little")


@st.composite
def damage(draw: st.DrawFn) -> tuple[int, int, set[int], random.Random]:
    """How many volumes and recovery volumes there are, which are lost, and what is in them."""
    volumes = draw(st.integers(1, 40))
    rows = draw(st.integers(1, min(12, SYMBOLS - volumes)))
    lost = draw(st.sets(st.integers(1, volumes + rows), max_size=rows))
    return volumes, rows, lost, draw(st.randoms(use_true_random=False))


@given(damage())
def test_what_is_lost_is_made_again(case: tuple[int, int, set[int], random.Random]) -> None:
    volumes, rows, lost, chance = case
    blocks = {volume: chance.randbytes(chance.choice([16, 16, 16, 5, 0])) for volume in range(1, volumes + 1)}
    data = [blocks[volume] for volume in range(1, volumes + 1)]
    blocks |= {volumes + row: parity(row, data, 16) for row in range(1, rows + 1)}
    missing = tuple(sorted(number for number in lost if number <= volumes))
    usable = tuple(row for row in range(1, rows + 1) if volumes + row not in lost)[: len(missing)]
    for wanted in lost:
        sums = [0]
        for number, weight in recipe(volumes, missing, usable, wanted).items():
            assert number not in lost
            add(sums, [weight], blocks[number])
        made = sums[0].to_bytes(16, "little")
        assert made[: len(blocks[wanted])] == blocks[wanted]
        assert not any(made[len(blocks[wanted]) :])


def test_a_hundred_lost_volumes_of_two_hundred() -> None:
    lost = tuple(range(1, 200, 4))
    made = recipe(200, lost, tuple(range(1, 51)), 5)
    assert len(made) == 200
    assert not set(lost) & set(made)
