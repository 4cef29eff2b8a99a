"""What a policy says of images that `verify` has proved, in lines for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from transload.report.styled import Meaning, Styled, folded
from transload.report.texts import one_line, with_short_digests
from transload.report.trusted import Trusted

_WORDS = {
    "signed": "signed as it wants",
    "refused": "refused",
    "warned": "not signed as it wants, which is only warned of",
    "skipped": "under a rule that asks for nothing",
    "unasked": "could not be asked for",
}


def trust_lines(trust: Trusted, indent: str, width: int | None) -> list[Styled]:
    """Who signed an image, or why that is not enough."""
    rule = f"the rule for {trust.rule}" if trust.rule else "the rule for all others"
    if trust.mode == "skip":
        return _told(indent, "not judged", f"{rule} asks for nothing", width, "faint")
    if trust.holds:
        signers = "; ".join(map(str, trust.signers))
        return _told(indent, "signed", _short(f"by {signers}" if signers else f"as {rule} wants", width), width, "good")
    problem = _short(trust.problem or "", width)
    if trust.mode == "warn":
        return _told(indent, "not signed as the policy wants", f"{problem} ({rule} only warns)", width, "warn")
    decided = f" ({rule})" if trust.rule is not None else ""
    return _told(indent, "refused", f"{problem}{decided}", width, "bad")


def policy_lines(
    file: str, given_at: datetime | None, trust: Iterable[Trusted], unasked: int, width: int | None
) -> list[Styled]:
    """How many images the policy is content with, in one sentence."""
    counts = Counter(map(_outcome, trust))
    counts["unasked"] = unasked
    said = ", ".join(f"{counts[outcome]:,} {words}" for outcome, words in _WORDS.items() if counts[outcome])
    time = f" (as of {given_at:%Y-%m-%d %H:%M} UTC)" if given_at else ""
    meaning: Meaning = "bad" if counts["refused"] else "warn" if unasked or counts["warned"] else "good"
    return _told("", f"policy {one_line(file)}{time}", said or "no image was judged", width, meaning)


def _outcome(trust: Trusted) -> str:
    if trust.mode == "skip":
        return "skipped"
    if trust.holds:
        return "signed"
    return "warned" if trust.mode == "warn" else "refused"


def _short(text: str, width: int | None) -> str:
    return one_line(text) if width is None else with_short_digests(one_line(text))


def _told(indent: str, word: str, text: str, width: int | None, meaning: Meaning) -> list[Styled]:
    """The word with its meaning, and the text after it, which goes on below the word."""
    first, *others = folded(indent, f"{word}: {text}", width)
    begin, told = f"{indent}{word}", str(first)
    if not told.startswith(begin):  # the word alone is longer than a line
        return [first, *others]
    return [Styled.of(indent, (word, meaning), told.removeprefix(begin)), *others]
