"""The end of a run for people: what was done, what was not and why, and the command that does the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from transload.report.problem import Problem, kin, problem_lines
from transload.report.result import STATUSES, HostTotals, ImageResult, Result
from transload.report.styled import Meaning, Styled, folded
from transload.report.texts import count, duration, one_line, rate, size

_NAMED = 6  # names told under one problem; the report files have all of them


def summary_lines(result: Result, width: int | None = None) -> list[Styled]:
    """The verdict first; failures grouped by what they have in common; the way on last, where the eye ends."""
    lines = [*_verdict(result, width), *_facts(result, width)]
    if result.problem is not None:
        lines += problem_lines(result.problem, width)
    for problem, images in _grouped(result):
        lines += [Styled(), *_group(problem, images, width)]
    if result.retry:
        what = "to finish" if result.interrupted or result.ended_early else "to try just these again"
        lines += [Styled(), Styled.of((f"{what}:", "strong")), Styled.of(f"  {one_line(result.retry)}")]
    return lines


def status_counts(result: Result) -> str:
    """How many images came to which end; the ends that nothing came to are left out."""
    return ", ".join(_told(result.images))


def _told(images: Sequence[ImageResult]) -> Iterator[str]:
    found = Counter(image.status for image in images)
    excused = sum(image.excused for image in images)
    allowed = " as allowed" if excused == found["missing"] else f" ({excused} allowed)"
    for status in (one for one in STATUSES if found[one]):
        yield f"{found[status]} {status.replace('-', ' ')}" + (allowed if excused and status == "missing" else "")


def traffic_of(host: HostTotals) -> str:
    """What one host was asked and what moved."""
    moved = [
        f"{size(number)} {way}"
        for number, way in ((host.bytes_received, "received"), (host.bytes_sent, "sent"))
        if number
    ]
    return f"{host.host} {count(host.requests, 'request')}" + (f" ({', '.join(moved)})" if moved else "")


def verdict(result: Result) -> tuple[str, Meaning]:
    """In a few words, whether anybody has to do anything."""
    if result.problem is not None:
        return "not started", "bad"
    if result.interrupted:
        return "interrupted", "warn"
    if result.ended_early:
        return "ended early", "bad"
    failed = len(result.failures)
    if failed:
        return f"{failed} of {count(len(result.images), 'image')} failed", "bad"
    if _worked(result):
        return "done", "good"
    written = (
        result.target.startswith("bundle:") and not result.share("present").blobs
    )  # that only says what is not in it
    return "nothing new" if written else "nothing to do", "good"


def _worked(result: Result) -> bool:
    return any(result.counts[status] for status in ("copied", "updated"))


def _verdict(result: Result, width: int | None) -> list[Styled]:
    words, meaning = verdict(result)
    if not result.images:
        return [Styled.of((words, meaning))]
    took = f"in {duration(result.duration_s)}"
    if not words.endswith("failed"):
        return folded(f"{words}: ", f"{status_counts(result)}, {took}", width, meaning)
    others = _told([image for image in result.images if image not in result.failures])
    said, rest = f"{words}{_absent(result)}", ", ".join([*others, took])
    if width is None or len(said) + len(rest) + 2 <= width:
        return [Styled.of((said, meaning), f", {rest}")]
    return [*(Styled.of((str(line), meaning)) for line in folded("", f"{said},", width)), *folded("  ", rest, width)]


def _absent(result: Result) -> str:
    """How many of the failures are images that the source lacks."""
    absent = sum(image.status == "missing" for image in result.failures)
    if not absent:
        return ""
    return f" ({'' if absent == len(result.failures) else f'{absent} of them '}missing at the source)"


def _facts(result: Result, width: int | None) -> Iterator[Styled]:
    copied, mounted, present = (result.share(kind) for kind in ("copied", "mounted", "present"))
    told = [f"{size(copied.bytes)} copied in {count(copied.blobs, 'blob')}"] if copied.blobs else []
    told += [
        f"{share.blobs:,} {what}" for share, what in ((mounted, "mounted"), (present, "already there")) if share.blobs
    ]
    if copied.blobs and result.rate_bytes_per_s:
        told.append(rate(result.rate_bytes_per_s))
    if result.retries:
        told.append(count(result.retries, "retry"))
    if told:
        yield from folded("  content: ", ", ".join(told), width, "faint")
    for place, host in enumerate(result.traffic):
        yield from folded("           " if place else "  traffic: ", traffic_of(host), width, "faint")


def _grouped(result: Result) -> list[tuple[Problem | None, list[ImageResult]]]:
    """Failures by problem, since one cause often stops many images; what the source lacks differs only by its name."""
    groups: dict[Problem | None, tuple[Problem | None, list[ImageResult]]] = {}
    for image in result.failures:
        problem = image.problem
        if problem is not None and image.status == "missing":
            problem = problem.not_published()
        groups.setdefault(problem and kin(problem), (problem, []))[1].append(image)
    return [(images[0].problem if len(images) == 1 else shown, images) for shown, images in groups.values()]


def _group(problem: Problem | None, images: list[ImageResult], width: int | None) -> Iterator[Styled]:
    for image in images[:_NAMED]:
        yield Styled.of((f"{image.status.replace('-', ' ')} ", "bad"), (one_line(image.name), "strong"))
    if len(images) > _NAMED:
        yield Styled.of((f"and {len(images) - _NAMED} more", "bad"))
    if problem is not None:
        yield from problem_lines(problem, width, indent="  ")
