"""The fewest rules for prefixes that lead images to where they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        (
            [("quay.io/a/x", "r.local/a/x"), ("quay.io/a/y", "r.local/a/y"), ("quay.io/a/z", "r.local/else/z")],
            [("quay.io", "r.local"), ("quay.io/a/z", "r.local/else/z")],
        ),
        (
            [("quay.io/a", "r.local/m/a"), ("quay.io/a/b", "r.local/n/b")],
            [("quay.io", "r.local/m"), ("quay.io/a/b", "r.local/n/b")],
        ),
    ],
    ids=[
        "prefix",
        "same path",
        "folder left out",
        "renamed",
        "an exception",
        "an exception with its name",
        "a repository above another",
    ],
)
def test_the_widest_rules(moves: list[tuple[str, str]], rules: list[tuple[str, str]]) -> None:
    assert widest_rules(moves) == tuple(PrefixRule(*rule) for rule in rules)


def test_closer_rules_touch_nothing_else() -> None:
    rules = widest_rules([("quay.io/a/b/x", "r.local/m/a/b/x"), ("quay.io/a/b/y", "r.local/m/a/b/y")])
    assert closest_rules(rules, ["quay.io/a/b/x", "quay.io/a/b/y"]) == (PrefixRule("quay.io/a/b", "r.local/m/a/b"),)


PATHS = st.lists(st.sampled_from("abv"), min_size=1, max_size=4).map("/".join)
MOVES = st.dictionaries(PATHS.map("quay.io/{}".format), PATHS.map("r.local/{}".format), min_size=1, max_size=8)


@given(MOVES)
def test_the_longest_rule_leads_every_repository_to_its_place(moves: dict[str, str]) -> None:
    wide = widest_rules(moves.items())
    for rules in (wide, closest_rules(wide, moves)):
        for source, target in moves.items():
            assert max((rule for rule in rules if rule.covers(source)), key=lambda rule: len(rule.source)).of(
                source
            ) == (target)


@given(MOVES)
def test_close_rules_lead_something_and_lie_within_the_wide_ones(moves: dict[str, str]) -> None:
    wide = widest_rules(moves.items())
    close = closest_rules(wide, moves)
    assert len(close) == len(wide) <= len(moves)
    for rule, wider in zip(close, wide, strict=True):
        assert wider.covers(rule.source)
        assert wider.of(rule.source) == rule.target
        assert any(rule.covers(source) for source in moves)


@given(st.lists(PATHS, min_size=1, max_size=8, unique=True), st.sampled_from(["", "/mirror", "/a/b"]))
def test_a_prefix_needs_one_rule_for_each_registry(paths: list[str], prefix: str) -> None:
    hosts = ["quay.io", "docker.io", "registry.example:5000"]
    moves = [(f"{hosts[number % 3]}/{path}", f"r.local{prefix}/{path}") for number, path in enumerate(paths)]
    assert widest_rules(moves) == tuple(
        PrefixRule(host, f"r.local{prefix}") for host in sorted({source.partition("/")[0] for source, _ in moves})
    )
