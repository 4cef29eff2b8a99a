"""The fewest rules for prefixes that lead images to where they are."""

import pytest

from transload.configuration.relocation import PrefixRule, closest_rules, widest_rules


@pytest.mark.parametrize(
    ("moves", "rules"),
    [
        ([("quay.io/a/x", "r.local/m/a/x"), ("quay.io/b/y", "r.local/m/b/y")], [("quay.io", "r.local/m")]),
        ([("quay.io/a/x", "r.local/a/x")], [("quay.io", "r.local")]),
        ([("quay.io/a/x", "r.local/x"), ("quay.io/a/y", "r.local/y")], [("quay.io/a", "r.local")]),
        ([("quay.io/a/x", "r.local/other")], [("quay.io/a/x", "r.local/other")]),
        (
            [("quay.io/a/x", "r.local/a/x"), ("quay.io/a/y", "r.local/a/y"), ("quay.io/a/z", "r.local/else/w")],
            [("quay.io", "r.local"), ("quay.io/a/z", "r.local/else/w")],
        ),
    ],
    ids=["prefix", "same path", "folder left out", "renamed", "an exception"],
)
def test_the_widest_rules(moves: list[tuple[str, str]], rules: list[tuple[str, str]]) -> None:
    assert widest_rules(moves) == tuple(PrefixRule(*rule) for rule in rules)


def test_closer_rules_touch_nothing_else() -> None:
    rules = widest_rules([("quay.io/a/b/x", "r.local/m/a/b/x"), ("quay.io/a/b/y", "r.local/m/a/b/y")])
    assert closest_rules(rules, ["quay.io/a/b/x", "quay.io/a/b/y"]) == (PrefixRule("quay.io/a/b", "r.local/m/a/b"),)
