"""A policy: which signatures an image must have, by its name; and the verdict on one image. Pure.

The most specific rule whose prefix fits the image's name decides. No rule that fits refuses, as a policy is there to
keep out what nobody thought of. The file is docs/formats/policy.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import Enum

from attrs import field, frozen

from transload.trust.evidence import Authority, Evidence, Finding, Form, Subject
from transload.trust.policyfolder import Material
from transload.trust.prefixes import plain

_SHOWN = 3  # problems in one sentence


class Mode(Enum):
    """What a rule does with an image that does not fulfil it."""

    REQUIRE = "require"
    """The image is refused."""

    WARN = "warn"
    """The image is copied, and the run says what is wrong."""

    SKIP = "skip"
    """Nothing is asked."""


@frozen(kw_only=True)
class Rule:
    """What images must have whose names begin with `prefix`, as `prefixes.plain` spells it; empty, it fits all.
    `also` are other prefixes that were meant with it, of short names of Docker Hub.

    One of `authorities` must hold, with `all_of` each of them. Each of `attestations` must hold, too: these are
    authorities that only take attestations. `line` is where the rule stands in its file.
    """

    prefix: str
    mode: Mode
    also: tuple[str, ...] = ()
    authorities: tuple[Authority, ...] = ()
    all_of: bool = False
    attestations: tuple[Authority, ...] = ()
    line: int | None = None

    @property
    def forms(self) -> frozenset[Form]:
        """The forms of evidence that it can use; no others are fetched."""
        if self.mode is Mode.SKIP:
            return frozenset()
        return frozenset(form for authority in (*self.authorities, *self.attestations) for form in authority.forms)


@frozen(kw_only=True)
class Policy:
    """Rules, none with the prefix of another. `file` is where they were read; `material` is it and its files."""

    file: str
    rules: tuple[Rule, ...]
    material: tuple[Material, ...] = ()
    _by_prefix: dict[str, Rule] = field(init=False, repr=False, eq=False)

    @_by_prefix.default
    def _indexed(self) -> dict[str, Rule]:
        return {prefix: rule for rule in self.rules for prefix in (rule.prefix, *rule.also)}

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
    signed = [(each.name, _judged(each, subject, evidence, at)) for each in rule.authorities]
    attested = [(each.name, _judged(each, subject, evidence, at)) for each in rule.attestations]
    unproved = (_why(name, found) for name, found in attested if not _any_holds(found))
    problem = "; ".join((*_lacking(rule, signed), *unproved))
    findings = [finding for _, found in (*signed, *attested) for finding in found]
    return Verdict(rule=rule, problem=problem or None, findings=tuple(_best(findings)))


def _any_holds(findings: Iterable[Finding]) -> bool:
    return any(finding.holds for finding in findings)


def _judged(authority: Authority, subject: Subject, evidence: Iterable[Evidence], at: datetime) -> list[Finding]:
    return [
        Finding(evidence=piece, problem=piece.problem) if piece.problem else authority.judge(subject, piece, at)
        for piece in evidence
        if piece.form in authority.forms
    ]


def _lacking(rule: Rule, signed: Sequence[tuple[str, Sequence[Finding]]]) -> Iterable[str]:
    """Why the signatures do not suffice. Two authorities may have the same name: they are counted, not looked up."""
    lacking = [(name, findings) for name, findings in signed if not _any_holds(findings)]
    if lacking and (rule.all_of or len(lacking) == len(signed)):
        yield from (_why(name, findings) for name, findings in lacking[:_SHOWN])


def _why(name: str, findings: Sequence[Finding]) -> str:
    if not findings:
        return f"nothing that {name} could have signed was found"
    return f"{name} does not accept it: {findings[0].problem}"


def _best(findings: Iterable[Finding]) -> Iterable[Finding]:
    """One finding on each piece of evidence: one that holds, if there is one."""
    best: dict[int, Finding] = {}
    for finding in findings:
        known = best.get(id(finding.evidence))
        if known is None or (finding.holds and not known.holds):
            best[id(finding.evidence)] = finding
    return best.values()
