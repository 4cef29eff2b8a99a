"""Limits on the rate as people write them."""

from __future__ import annotations

from typing import Any

import pytest

from transload.errors import UsageError
from transload.net.rates import RateLimits
from transload.net.settings import NetSettings


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("20MB/s", 20e6),
        ("20MiB/s", 20 * 2**20),
        ("20M", 20 * 2**20),
        ("20 MB/s", 20e6),
        ("20mb", 20e6),
        ("0.5GB/s", 5e8),
        ("50KB/s", 50e3),
        ("123456", 123456),
        ("1000B/s", 1000),
    ],
)
def test_units(text: str, rate: float) -> None:
    assert RateLimits.of(text) == RateLimits(whole=rate)
    assert RateLimits.of([f"source={text}", f"target={text}"]) == RateLimits(source=rate, target=rate)


@pytest.mark.parametrize(
    "text",
    ["", "fast", "20MB/h", "20Mbit/s", "-1", "1e9", "inf", "nan", "20MB/s/s", "from=20MB/s", "source=", "=20MB/s"],
)
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(UsageError, match="is not a rate"):
        RateLimits.of(text)


@pytest.mark.parametrize("value", ["0", "999", "source=1B/s", "0.5KB/s", 0, -1, float("nan")])
def test_what_is_too_slow(value: str | float) -> None:
    with pytest.raises(UsageError, match="at least 1KB/s is needed"):
        RateLimits.of(value)


@pytest.mark.parametrize("value", [b"20MB/s", True, [20_000_000], ["1MB/s", None]])
def test_what_is_neither_a_number_nor_a_text(value: Any) -> None:
    with pytest.raises(TypeError, match="a rate"):
        RateLimits.of(value)


def test_a_limit_is_given_once() -> None:
    with pytest.raises(UsageError, match="'source=2MB/s' is the second one for the source"):
        RateLimits.of(["source=1MB/s", "20MB/s", "source=2MB/s"])


def test_all_forms_and_back() -> None:
    limits = RateLimits(whole=2e7, target=5e5)
    assert RateLimits.of(limits) is limits
    assert RateLimits.of(None) == RateLimits.of(()) == RateLimits()
    assert RateLimits.of(20_000_000) == RateLimits(whole=2e7)
    assert limits.texts == ("20000000", "target=500000")
    assert RateLimits.of(limits.texts) == limits


def test_at_a_low_limit_few_bodies_move_at_a_time() -> None:
    assert RateLimits().bodies is None
    assert [RateLimits(whole=rate).bodies for rate in (1e3, 5e4, 1e6)] == [1, 3, 61]
    assert RateLimits(whole=1e9, source=5e4).bodies == 3
    assert [NetSettings(limits=RateLimits(whole=rate)).slots for rate in (1e3, 5e4, 1e9)] == [3, 5, 32]
    assert NetSettings(limits=RateLimits(whole=5e4), slots_per_host=2).slots == 2


def test_at_a_low_limit_little_lies_in_buffers() -> None:
    assert NetSettings().receive_buffer is None
    sizes = [NetSettings(limits=RateLimits(whole=rate)).receive_buffer for rate in (1e3, 1e6, 5e6)]
    assert sizes == [64 << 10, 1_000_000, None]
