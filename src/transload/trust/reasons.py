"""Why a rule does not hold, in words: the end of the sentence `… is not signed as the policy wants: …`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from transload.trust.doubt import plain
from transload.trust.evidence import Authority, Evidence, Finding, Form
from transload.trust.predicate import COSIGN_SIGNATURE, WantedPredicate
from transload.values import frozen
from transload.wording import first_of, number_of

_SHOWN = 3  # authorities, or problems of one, in a sentence
_FORMS = {
    Form.COSIGN_TAG: ("signature", " under tags of cosign"),
    Form.SIGSTORE_BUNDLE: ("Sigstore bundle", ""),
    Form.NOTATION: ("signature", " of notation"),
}


@frozen
class Judged:
    """What one authority says of all evidence in its forms."""

    authority: Authority
    findings: Sequence[Finding]

    @property
    def holds(self) -> bool:
        """Whether one of them holds."""
        return any(finding.holds for finding in self.findings)

    @property
    def name(self) -> str:
        """The authority's."""
        return self.authority.name


def unsigned(judged: Sequence[Judged], evidence: Sequence[Evidence], *, all_of: bool) -> str | None:
    """Why the image is not signed as it should be; None if it is, or need not be."""
    lacking = [each for each in judged if not each.holds]
    if not lacking or (not all_of and len(lacking) < len(judged)):
        return None
    if not any(each.findings for each in judged):
        return _nothing(judged, evidence)
    without = [each.name for each in lacking if not each.findings]
    reasons = _sentences((each.name, _no_signature(each)) for each in lacking if each.findings)
    if without:
        reasons.append(f"nothing was found that {_listed(without, 'or')} could have signed")
    why = _joined(reasons)
    return f"the rule wants {len(judged)} signatures, and {why}" if all_of and len(judged) > 1 else why


def unattested(wanted: WantedPredicate, judged: Sequence[Judged], *, all_of: bool) -> str | None:
    """Why there is no attestation as it should be; None if there is."""
    lacking = [each for each in judged if not each.holds]
    if not lacking or (not all_of and len(lacking) < len(judged)):
        return None
    if not any(each.findings for each in judged):
        return f"there is no attestation of the type {wanted.name}"
    return _joined(_sentences((each.name, _no_attestation(wanted, each)) for each in lacking))


def _nothing(judged: Sequence[Judged], evidence: Sequence[Evidence]) -> str:
    forms = [form for form in Form if any(form in each.authority.forms for each in judged)]
    others = Counter(piece.form for piece in evidence if piece.form not in forms)
    notes = [f"looked for: {', '.join(_FORMS[form][0] + 's' + _FORMS[form][1] for form in forms)}"]
    for form, number in others.items():
        noun, where = _FORMS[form]
        by_identity = form is Form.COSIGN_TAG and Form.SIGSTORE_BUNDLE in forms
        why = "cannot be checked by identity" if by_identity else "nobody in the rule can judge"
        notes.append(f"found: {number_of(number, noun)}{where}, which {why}")
    return f"no signature was found ({'; '.join(notes)})"


def _no_signature(judged: Judged) -> str:
    signatures = [each for each in judged.findings if each.predicate_type in (None, COSIGN_SIGNATURE)]
    if not signatures:
        kinds = first_of(sorted({plain(each.predicate_type) for each in judged.findings}), _SHOWN)
        return f"signed only attestations of it ({kinds}), which a rule takes under attestations"
    return _rejected("signature", signatures)


def _no_attestation(wanted: WantedPredicate, judged: Judged) -> str:
    right = [each for each in judged.findings if each.predicate_type and wanted.is_type(each.predicate_type)]
    if right:
        return _rejected("attestation", right, f" of the type {wanted.name}")
    unproved = [each for each in judged.findings if each.predicate_type is None]
    if not unproved:
        return f"signed no attestation of the type {wanted.name}, only others"
    return f"signed no attestation of the type {wanted.name}: {_problems(unproved)}"


def _rejected(noun: str, findings: Sequence[Finding], kind: str = "") -> str:
    number = len(findings)
    what = f"does not accept its {noun}" if number == 1 else f"accepts none of its {number_of(number, noun)}"
    return f"{what}{kind}: {_problems(findings)}"


def _sentences(said: Iterable[tuple[str, str]]) -> list[str]:
    """What is said of each authority; those of which the same is said share a sentence.

    These come last: that a signature was not made by any of ten keys says less than what the eleventh found.
    """
    names: dict[str, list[str]] = {}
    for name, what in said:
        names.setdefault(what, []).append(name)
    ordered = sorted(names.items(), key=lambda item: len(item[1]))
    return [f"{who[0] if len(who) == 1 else 'each of ' + _listed(who, 'and')} {what}" for what, who in ordered]


def _listed(names: Sequence[str], word: str) -> str:
    """Names with `or` or `and` between them; no more than a sentence can hold."""
    more = len(names) - _SHOWN
    shown = [*names[:_SHOWN], "1 other" if more == 1 else f"{more} others"] if more > 0 else [*names]
    return f" {word} ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _problems(findings: Iterable[Finding]) -> str:
    return _joined(list(dict.fromkeys(str(each.problem) for each in findings)))


def _joined(parts: Sequence[str]) -> str:
    more = [f"and {number_of(len(parts) - _SHOWN, 'more reason')}"] if len(parts) > _SHOWN else []
    return "; ".join([*parts[:_SHOWN], *more])
