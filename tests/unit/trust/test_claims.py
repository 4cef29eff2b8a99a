"""Which rule decides on an image whose name only an unsigned bundle states."""

from __future__ import annotations

import pytest

from transload.trust.policy import Mode, Policy, Rule

SHOP, BANK = "registry.example/shop", "registry.example/bank"


def policy(**modes: str) -> Policy:
    prefixes = {"default": "", "shop": SHOP, "bank": BANK}
    rules = tuple(Rule(prefix=prefixes[name], mode=Mode(mode)) for name, mode in modes.items())
    return Policy(file="policy.yaml", rules=rules)


@pytest.mark.parametrize(
    ("modes", "deciding"),
    [
        ({"default": "require", "shop": "skip"}, ""),
        ({"default": "require", "shop": "warn"}, ""),
        ({"default": "warn", "shop": "skip"}, ""),
        ({"default": "skip", "shop": "warn"}, SHOP),
        ({"default": "warn", "shop": "require"}, SHOP),
        ({"default": "require", "shop": "require"}, SHOP),
        ({"default": "require"}, ""),
        ({"shop": "require"}, SHOP),
    ],
)
def test_a_claim_chooses_no_weaker_rule(modes: dict[str, str], deciding: str) -> None:
    rule = policy(**modes).rule_for_claim(f"{SHOP}/till")
    assert rule is not None
    assert rule.prefix == deciding


@pytest.mark.parametrize("modes", [{"shop": "warn"}, {"shop": "skip"}, {"bank": "require"}, {}])
def test_without_a_rule_for_all_a_claim_is_worth_no_permission(modes: dict[str, str]) -> None:
    assert policy(**modes).rule_for_claim(f"{SHOP}/till") is None
