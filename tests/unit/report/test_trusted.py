"""Who signed what, on a page of Markdown and in the lines of `verify`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from attrs import evolve

from tests.unit.report.replay import planned
from tests.unit.report.test_result import finished
from transload.report.markdown import to_markdown
from transload.report.trusted import ImageSigner, Trusted
from transload.report.verified import policy_lines, trust_lines

WHEN = datetime(2026, 4, 10, 20, 31, tzinfo=UTC)
SIGNED = Trusted(
    mode="require",
    holds=True,
    rule="vendor.example",
    signers=(
        ImageSigner(signer="CN=Vendor|O=x", form="notation", signed_at=WHEN, time_from="the time stamp of a TSA"),
    ),
)
REFUSED = Trusted(mode="require", holds=False, rule="", problem="no signature was found")
WARNED = Trusted(mode="warn", holds=False, rule="vendor.example", problem="no signature was found")
SKIPPED = Trusted(mode="skip", holds=True, rule="vendor.example/free")
NO_RULE = Trusted(mode="require", holds=False, problem="no rule of the policy fits its name")


def test_a_report_says_who_signed_the_images_that_were_judged() -> None:
    result = finished(planned())
    assert "## Signatures" not in to_markdown(result)
    first, second, *others = result.images
    judged = evolve(result, images=(evolve(first, trust=SIGNED), evolve(second, trust=REFUSED), *others))
    page = to_markdown(judged)
    rows = page.partition("## Signatures")[2].split("##")[0].strip().splitlines()
    assert rows[0] == "| Image | Rule | As the policy wants | Signed by | Why not |"
    assert f"| `{first.name}` | `vendor.example` (require) | yes | CN=Vendor\\|O=x (notation, 2026-04-10" in rows[2]
    assert rows[3] == f"| `{second.name}` | all names (require) | no |  | no signature was found |"
    assert len(rows) == 4


@pytest.mark.parametrize(
    ("trust", "told"),
    [
        (SIGNED, "  signed: by CN=Vendor|O=x (notation, 2026-04-10 20:31 by the time stamp of a TSA)"),
        (REFUSED, "  refused: no signature was found (the rule for all others)"),
        (WARNED, "  not signed as the policy wants: no signature was found (the rule for vendor.example only warns)"),
        (SKIPPED, "  not judged: the rule for vendor.example/free asks for nothing"),
        (NO_RULE, "  refused: no rule of the policy fits its name"),
    ],
)
def test_a_line_says_who_signed_or_why_that_is_not_enough(trust: Trusted, told: str) -> None:
    assert [str(line) for line in trust_lines(trust, "  ", None)] == [told]
    folded = [str(line) for line in trust_lines(trust, "  ", 40)]
    assert max(map(len, folded)) <= 40
    assert " ".join(" ".join(folded).split()) == told.strip()


def test_the_sum_counts_each_outcome_and_names_a_time_that_was_given() -> None:
    (line,) = policy_lines("p.yaml", WHEN, [SIGNED, REFUSED, NO_RULE, WARNED, SKIPPED], 1, None)
    assert str(line) == (
        "policy p.yaml (as of 2026-04-10 20:31 UTC): 1 signed as it wants, 2 refused, 1 not signed as it wants, which "
        "is only warned of, 1 under a rule that asks for nothing, 1 could not be asked for"
    )
    assert [str(line) for line in policy_lines("p.yaml", None, [], 0, None)] == ["policy p.yaml: no image was judged"]
    long = [str(line) for line in policy_lines(f"/a/{'long' * 20}.yaml", None, [SIGNED], 0, 40)]
    assert "1 signed as it wants" in " ".join(long)
