"""Sizes, durations and names are short, unambiguous and safe to print."""

from __future__ import annotations

import doctest
import importlib
import json
import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.report import texts
from transload.report.styled import Styled, folded

TEXTS = st.sampled_from(["a\nb", "é\u202e", "\x1b[1m", ""])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "é", "c"]), inner),
)
FACTORS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "PiB": 1 << 50}


@pytest.mark.parametrize(
    "name", [*(f"report.{name}" for name in ("exitcodes", "texts", "styled", "problem", "screen")), "wording"]
)
def test_the_examples_in_docstrings_hold(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(f"transload.{name}"))
    assert outcome.attempted
    assert not outcome.failed


@given(st.integers(0, 1 << 59))
def test_a_size_is_close_to_the_truth_and_short(count_bytes: int) -> None:
    number, unit = texts.size(count_bytes).split(" ")
    assert float(number) < 1024
    assert abs(float(number) * FACTORS[unit] - count_bytes) <= max(0.06 * count_bytes, 0.5)
    assert len(texts.size(count_bytes)) <= 8


@pytest.mark.parametrize(
    ("count_bytes", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1048575, "1.0 MiB")]
)
def test_sizes_at_the_edges_of_units(count_bytes: int, text: str) -> None:
    assert texts.size(count_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (3599.7, "1 h"),
        (3660, "1 h 1 min"),
        (86_400, "1 d"),
        (-1, "0.0 s"),
    ],
)
def test_durations_at_the_edges_of_units(seconds: float, text: str) -> None:
    assert texts.duration(seconds) == text


@given(st.integers(0, 10**15), st.integers(1, 10**15))
def test_a_hundred_percent_is_all_of_it(part: int, whole: int) -> None:
    assert (texts.percent(part, whole) == "100%") == (part >= whole)


@given(st.text())
def test_nothing_from_outside_moves_the_cursor(text: str) -> None:
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", texts.one_line(text))


@given(st.text(), st.integers(1, 60))
def test_a_shortened_text_fits_and_keeps_its_end(text: str, width: int) -> None:
    cut = texts.shortened(text, width)
    assert len(cut) <= width
    assert text.endswith(cut.removeprefix("…"))


@given(st.text(alphabet="abc /:-", max_size=200), st.integers(20, 100))
def test_folding_loses_no_word(text: str, width: int) -> None:
    lines = [str(line) for line in folded("hint: ", text, width)]
    assert all(len(line) <= max(width, 22) for line in lines)
    assert "".join("".join(lines).removeprefix("hint: ").split()) == "".join(text.split()) or not text.strip()


def test_a_line_is_the_same_text_with_and_without_its_dress() -> None:
    assert str(Styled.of("a ", ("b", "bad"), " ")) == "a b"


@given(JSON, st.integers(0, 4))
def test_json_in_parts_is_the_same_text(value: object, depth: int) -> None:
    whole = texts.harmless_json(value)
    assert "".join(texts.json_parts(value, depth)) == json.dumps(whole, separators=(",", ":"))
    indented = json.dumps(whole, indent=2, ensure_ascii=False)
    assert "".join(texts.json_parts(value, depth, indented=True)) == indented


def test_json_in_parts_takes_little_memory_besides_its_value() -> None:
    value = {"images": [{f"key {number}": "text" for number in range(50)} for _ in range(1000)]}
    tracemalloc.start()
    try:
        size = sum(map(len, texts.json_parts(value, 2, indented=True)))
        assert tracemalloc.get_traced_memory()[1] < size / 10
    finally:
        tracemalloc.stop()
