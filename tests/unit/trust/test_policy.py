"""A verdict counts authorities, not their names."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from attrs import frozen

from transload.oci import Descriptor, Digest
from transload.oci.mediatype import OCI_MANIFEST
from transload.trust.evidence import Evidence, Finding, Form, Subject
from transload.trust.policy import Mode, Rule, verdict

NOW = datetime(2026, 11, 26, tzinfo=UTC)
DESCRIPTOR = Descriptor(OCI_MANIFEST, Digest.of(b"image"), 5)
PIECE = Evidence(form=Form.NOTATION, manifest=None, layer=DESCRIPTOR, content=b"")


@frozen
class Says:
    """An authority that always says the same."""

    name: str
    problem: str | None
    forms: frozenset[Form] = frozenset({Form.NOTATION})

    def judge(self, subject: Subject, evidence: Evidence, at: datetime) -> Finding:
        """As `Authority` wants it."""
        return Finding(evidence=evidence, problem=self.problem)


@pytest.mark.parametrize("problems", [("no", None), (None, "no")])
@pytest.mark.parametrize("all_of", [True, False])
def test_two_authorities_with_one_name_are_two(problems: tuple[str | None, ...], all_of: bool) -> None:
    """Two lists of identities for one trust store have the same name."""
    both = tuple(Says("notation with site.crt", problem) for problem in problems)
    rule = Rule(prefix="", mode=Mode.REQUIRE, authorities=both, all_of=all_of)
    said = verdict(rule, Subject(descriptor=DESCRIPTOR), [PIECE], NOW)
    assert said.refuses == all_of
