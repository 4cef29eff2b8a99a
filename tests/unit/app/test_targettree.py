"""Which target feeds which: what `--via` says, and what it must not say."""

from __future__ import annotations

import pytest

from transload.app.location import Location
from transload.app.targettree import feeds_of, givers, line_to, pairs_of, words_of
from transload.errors import UsageError

NAMES = ("a.example/mirror", "b.example/mirror", "c.example", "c.example/other", "oci:/disk=1/site", "oci:/plain")
TARGETS = tuple(map(Location.parse, NAMES))


def feeds(*texts: str, is_default: bool = False) -> dict[str, str]:
    found = feeds_of(pairs_of(texts, TARGETS), TARGETS, is_default=is_default)
    return {name: giver for name, giver in zip(NAMES, givers(found, NAMES), strict=True) if giver}


@pytest.mark.parametrize(
    ("texts", "fed"),
    [
        ((), {}),
        (("b.example/mirror=a.example/mirror",), {NAMES[1]: NAMES[0]}),
        (("b.example=a.example",), {NAMES[1]: NAMES[0]}),
        (("B.example:443/mirror=a.example",), {NAMES[1]: NAMES[0]}),
        (("c.example=a.example", "b.example=c.example"), {NAMES[2]: NAMES[0], NAMES[1]: NAMES[2]}),
        (("b.example=a.example", "b.example/mirror=a.example/mirror"), {NAMES[1]: NAMES[0]}),
        (("oci:/disk=1/site=a.example",), {NAMES[4]: NAMES[0]}),
        (("oci:/plain=oci:/disk=1/site",), {NAMES[5]: NAMES[4]}),
    ],
)
def test_targets_are_named_as_after_to_or_by_their_host(texts: tuple[str, ...], fed: dict[str, str]) -> None:
    assert feeds(*texts) == fed


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (("b.example",), "--via b.example is not two targets with = between them"),
        (("=b.example",), "is not two targets"),
        (("b.example=",), "is not two targets"),
        (("b.example=nowhere.example",), "--via names nowhere.example, which is not a target of this run"),
        (("x y=a.example",), "--via names x y, which is not a target"),
        (("b.example=a.example", "b.example=c.example"), "--via feeds b.example/mirror twice: from a.example/mirror"),
        (("b.example=b.example",), "goes in a circle: b.example/mirror ← b.example/mirror"),
        (("b.example=a.example", "a.example=c.example", "c.example=b.example"), "goes in a circle"),
    ],
)
def test_what_makes_no_tree_is_told(texts: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        feeds(*texts)
    assert told in str(caught.value)
    assert caught.value.hint


def test_a_default_for_a_site_may_name_targets_that_a_run_leaves_out() -> None:
    assert feeds("b.example=gone.example", "c.example=a.example", is_default=True) == {NAMES[2]: NAMES[0]}


def test_the_way_to_a_target_as_words() -> None:
    found = feeds_of(pairs_of(("b.example=a.example", "c.example=b.example"), TARGETS), TARGETS)
    assert line_to(2, found) == (0, 1, 2)
    assert words_of(line_to(2, found), found, NAMES) == [
        *("--via", "b.example/mirror=a.example/mirror"),
        *("--via", "c.example=b.example/mirror"),
    ]
