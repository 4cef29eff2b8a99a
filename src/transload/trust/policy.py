"""A policy: which signatures an image must have, by its name; and the verdict on one image. Pure.

The most specific rule whose prefix fits the image's name decides. No rule that fits refuses, as a policy is there to
keep out what nobody thought of. The file is docs/formats/policy.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import Enum

from transload.trust import simplesigning
from transload.trust.evidence import Authority, Evidence, Finding, Form, Subject
from transload.trust.policyfolder import Material
from transload.trust.predicate import WantedPredicate
from transload.trust.prefixes import plain
from transload.trust.reasons import Judged, unattested, unsigned
from transload.values import Factory, field, frozen


class Mode(Enum):
    """What a rule does with an image that does not fulfil it."""

    REQUIRE = "require"
    """The image is refused."""

    WARN = "warn"
    """The image is copied, and the run says what is wrong."""

    SKIP = "skip"
    """Nothing is asked."""


@frozen(kw_only=True)
class WantedAttestation:
    """An attestation that an image must have: what it must be and say, and who must have signed it.

    One of `authorities`, with `all_of` each of them; they are made for this predicate.
    """

    predicate: WantedPredicate
    authorities: tuple[Authority, ...]
    all_of: bool = False


@frozen(kw_only=True)
class Rule:
    """What images must have whose names begin with `prefix`, as `prefixes.plain` spells it; empty, it fits all.

    `also` are other prefixes that were meant with it, as short names of Docker Hub can mean two. One of `authorities`
    must hold, with `all_of` each of them. Each of `attestations` must hold, too. `line` is where the rule stands in its
    file.
    """

    prefix: str
    mode: Mode
    also: tuple[str, ...] = ()
    authorities: tuple[Authority, ...] = ()
    all_of: bool = False
    attestations: tuple[WantedAttestation, ...] = ()
    line: int | None = None

    @property
    def forms(self) -> frozenset[Form]:
        """The forms of evidence that it can use; no others are fetched."""
        if self.mode is Mode.SKIP:
            return frozenset()
        attesting = (authority for wanted in self.attestations for authority in wanted.authorities)
        return frozenset(form for authority in (*self.authorities, *attesting) for form in authority.forms)


def _by_prefix(rules: Iterable[Rule]) -> dict[str, Rule]:
    return {prefix: rule for rule in rules for prefix in (rule.prefix, *rule.also)}


@frozen(kw_only=True)
class Policy:
    """Rules, none with the prefix of another. `file` is where they were read; `material` is it and its files."""

    file: str
    rules: tuple[Rule, ...]
    material: tuple[Material, ...] = ()
    _by_prefix: dict[str, Rule] = field(
        init=False, repr=False, eq=False, default=Factory(lambda self: _by_prefix(self.rules), True)
    )

    def rule_for(self, name: str) -> Rule | None:
        """The rule whose prefix is `name`, such as `registry.example/vendor/app`, or what is above it, the nearest."""
        return next(self._fitting(name), None)

    def without_use(self, names: Iterable[str]) -> tuple[Rule, ...]:
        """The rules that fit none of these names."""
        used = {rule.prefix for name in names for rule in self._fitting(name)}
        return tuple(rule for rule in self.rules if rule.prefix not in used)

    def _fitting(self, name: str) -> Iterator[Rule]:
        """The rules that fit, the nearest first."""
        above = plain(name)
        while above:
            if above in self._by_prefix:
                yield self._by_prefix[above]
            above = above.rpartition("/")[0]
        if "" in self._by_prefix:
            yield self._by_prefix[""]

    def rule_for_claim(self, name: str) -> Rule | None:
        """The rule for an image that only an unsigned bundle calls `name`: such a claim must not choose a weaker rule.

        A rule that requires something decides, since whoever makes up the name cannot make up what is required.
        Else the empty prefix decides, if its rule is stricter; without one, no rule fits.
        """
        claimed, default = self.rule_for(name), self.rule_for("")
        if claimed is None or default is None:
            return claimed if claimed and claimed.mode is Mode.REQUIRE else None
        strictness = list(Mode)
        return min(claimed, default, key=lambda rule: strictness.index(rule.mode))


@frozen(kw_only=True)
class Verdict:
    """What a policy says of one image.

    `rule` is the one that decided; None if no rule fits. `problem` says what is missing, for people: the end of the
    sentence `… is not signed as the policy wants: …`; None if the rule holds. `findings` are on every signature that
    was looked at, by the authority that holds it for its own, or else by the first that judged it.
    """

    rule: Rule | None
    problem: str | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def refuses(self) -> bool:
        """Whether the image must not be copied."""
        return self.problem is not None and (self.rule is None or self.rule.mode is Mode.REQUIRE)

    @property
    def held(self) -> tuple[Finding, ...]:
        """The findings that prove a signature."""
        return tuple(finding for finding in self.findings if finding.holds)

    @property
    def signers(self) -> tuple[str, ...]:
        """Who signed, as far as that is proved, each once."""
        return tuple(dict.fromkeys(finding.signer for finding in self.held if finding.signer))

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know although it holds, such as that a list of revoked certificates is old."""
        return tuple(dict.fromkeys(finding.note for finding in self.held if finding.note))

    @property
    def signed(self) -> tuple[datetime, str] | None:
        """The first time that is proved for a signature, and what proves it; None if nothing does."""
        times = [(finding.signed_at, finding.time_from or "") for finding in self.held if finding.signed_at]
        return min(times, default=None)


def verdict(rule: Rule | None, subject: Subject, evidence: Sequence[Evidence], at: datetime) -> Verdict:
    """Judge the evidence that was found for `subject` by `rule`; `at` is the time that counts as now.

    Raises `PartMissing` without a library that an authority needs.
    """
    if rule is None:
        return Verdict(rule=None, problem="no rule of the policy fits its name")
    if rule.mode is Mode.SKIP:
        return Verdict(rule=rule)
    signed = _judged(rule.authorities, subject, evidence, at)
    problems = [unsigned(signed, evidence, all_of=rule.all_of)]
    found = [(finding, finding.predicate_type is None) for each in signed for finding in each.findings]
    for wanted in rule.attestations:
        attested = _judged(wanted.authorities, subject, filter(_may_attest, evidence), at)
        problems.append(unattested(wanted.predicate, attested, all_of=wanted.all_of))
        is_type = wanted.predicate.is_type
        found += [(finding, is_type(finding.predicate_type or "")) for each in attested for finding in each.findings]
    problem = "; ".join(filter(None, problems))
    return Verdict(rule=rule, problem=problem or None, findings=tuple(_best(found)))


def _judged(
    authorities: Iterable[Authority], subject: Subject, evidence: Iterable[Evidence], at: datetime
) -> list[Judged]:
    pieces = list(evidence)
    return [Judged(authority, [*_findings(authority, subject, pieces, at)]) for authority in authorities]


def _findings(authority: Authority, subject: Subject, evidence: Iterable[Evidence], at: datetime) -> Iterator[Finding]:
    for piece in evidence:
        if piece.problem and piece.form in authority.forms:
            yield Finding(evidence=piece, problem=piece.problem)
        elif piece.form in authority.forms:
            yield authority.judge(subject, piece, at)


def _may_attest(piece: Evidence) -> bool:
    """Whether it can be an attestation: a simple signing document is a signature."""
    return piece.layer.media_type != simplesigning.MEDIA_TYPE


def _best(findings: Iterable[tuple[Finding, bool]]) -> Iterable[Finding]:
    """One finding on each piece of evidence: one that holds, else one on what it was meant for, else the first."""
    best: dict[int, tuple[Finding, bool]] = {}
    for finding, is_meant in findings:
        known = best.setdefault(id(finding.evidence), (finding, is_meant))
        if (finding.holds, is_meant) > (known[0].holds, known[1]):
            best[id(finding.evidence)] = finding, is_meant
    return [finding for finding, _ in best.values()]
