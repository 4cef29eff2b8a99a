"""The end of a run for people: what was done, what was not and why, and the command for the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from transload.report.problem import Problem, of_several, problem_lines, without_subject
from transload.report.result import STATUSES, ImageResult, Result
from transload.report.styled import Meaning, Styled, folded
from transload.report.texts import count, duration, one_line, rate, size

if TYPE_CHECKING:
    from transload.report.hosttotals import HostTotals
    from transload.report.several import Results

_NAMED = 6  # names shown under one problem; the report files have all of them


def summary_lines(
    result: Result, width: int | None = None, traffic: Sequence[HostTotals] | None = None
) -> list[Styled]:
    """The verdict first, then failures grouped by cause, and last, where people look, the command to go on with.

    `traffic` are the hosts to name, if not all of them.
    """
    lines = [*_verdict(result, width), *_facts(result, width, result.traffic if traffic is None else traffic)]
    if result.problem is not None:
        lines += problem_lines(result.problem, width)
    if result.attestations is not None and result.attestations.problem is not None:
        lines += problem_lines(result.attestations.problem, width)
    for problem, images in grouped(result):
        lines += [Styled(), *_group(problem, images, width)]
    if result.retry:
        unended = result.interrupted or result.ended_early or result.out_of_bytes
        what = "to finish" if unended else "to try just these again"
        lines += [Styled(), Styled.of((f"{what}:", "strong")), Styled.of(f"  {one_line(result.retry)}")]
    return lines


def result_lines(result: Result | Results, width: int | None = None) -> list[Styled]:
    """What is shown at the end of a run to one target or to several."""
    if isinstance(result, Result):
        return summary_lines(result, width)
    from transload.report.several import results_lines  # most runs have one target

    return results_lines(result, width)


def nothing_new_line(result: Result, target: str) -> Styled:
    """One line for a run that found everything at the target. `target` is its name as the user wrote it."""
    return Styled.of(("nothing new", "good"), f": {_what_is_there(result)} complete at {one_line(target)}")


def _what_is_there(result: Result) -> str:
    if not result.releases:
        images = result.counts["unchanged"]
        return f"{count(images, 'image')} {'is' if images == 1 else 'are'}"
    by_catalog: dict[str, list[str]] = {}
    for release in result.releases:
        by_catalog.setdefault(release.catalog, []).append(release.release)
    named = [
        f"{tags[0] if len(tags) == 1 else f'{len(tags)} releases ({tags[0]} to {tags[-1]})'} of {catalog}"
        for catalog, tags in by_catalog.items()
    ]
    return one_line(" and ".join(named)) + (" is" if len(result.releases) == 1 else " are")


def status_counts(result: Result) -> str:
    """How many images have each status, without statuses that no image has."""
    return ", ".join(_counted(result.images))


def _counted(images: Sequence[ImageResult]) -> Iterator[str]:
    counts = Counter(image.status for image in images)
    excused = sum(image.excused for image in images)
    allowed = " as allowed" if excused == counts["missing"] else f" ({excused:,} allowed)"
    for status in (status for status in STATUSES if counts[status]):
        words = "not finished" if status == "interrupted" else status.replace("-", " ")
        yield f"{counts[status]:,} {words}" + (allowed if excused and status == "missing" else "")


def traffic_of(host: HostTotals) -> str:
    """The number of requests to one host, and the bytes that moved."""
    moved = [
        f"{size(number)} {way}"
        for number, way in ((host.bytes_received, "received"), (host.bytes_sent, "sent"))
        if number
    ]
    return f"{host.host} {count(host.requests, 'request')}" + (f" ({', '.join(moved)})" if moved else "")


def verdict(result: Result) -> tuple[str, Meaning]:
    """The outcome in a few words."""
    if result.problem is not None:
        return "not started", "bad"
    if result.interrupted:
        return "interrupted", "warn"
    if result.out_of_bytes and not result.failures:
        return "stopped at the limit of bytes", "warn"
    if result.ended_early:
        return "ended early", "bad"
    failed = len(result.failures)
    if failed:
        return f"{failed} of {count(len(result.images), 'image')} failed", "bad"
    if result.plan_share is not None:
        return f"share {result.plan_share} done", "good"
    if _worked(result) or result.written:
        return "done", "good"
    written = (
        result.target.startswith("bundle:") and not result.share("present").blobs
    )  # in a bundle, "present" only means what it leaves out
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
    others = _counted([image for image in result.images if image not in result.failures])
    head, rest = f"{words}{_absent(result)}", ", ".join([*others, took])
    if width is None or len(head) + len(rest) + 2 <= width:
        return [Styled.of((head, meaning), f", {rest}")]
    return [*(Styled.of((str(line), meaning)) for line in folded("", f"{head},", width)), *folded("  ", rest, width)]


def _absent(result: Result) -> str:
    """How many of the failures are images that the source lacks."""
    absent = sum(image.status == "missing" for image in result.failures)
    if not absent:
        return ""
    return f" ({'' if absent == len(result.failures) else f'{absent} of them '}missing at the source)"


def _facts(result: Result, width: int | None, traffic: Sequence[HostTotals]) -> Iterator[Styled]:
    copied, mounted, present = (result.share(kind) for kind in ("copied", "mounted", "present"))
    phrases = [f"{size(copied.bytes)} copied in {count(copied.blobs, 'blob')}"] if copied.blobs else []
    phrases += [
        f"{share.blobs:,} {what}" for share, what in ((mounted, "mounted"), (present, "already there")) if share.blobs
    ]
    phrases += rate_of_copied(result)
    if result.retries:
        phrases.append(count(result.retries, "retry"))
    if phrases:
        yield from folded("  content: ", ", ".join(phrases), width, "faint")
    if result.attestations is not None:
        attached = f"{count(result.attestations.new, 'gate attestation')} attached to images at the target"
        yield from folded("  gates:   ", attached, width, "faint")
    if result.bundle is not None:
        yield from folded("  bundle:  ", result.bundle.sentence, width, "faint")
    if result.written:
        yield from folded("  written: ", _in_short(result.written), width, "faint")
    if result.out_of_bytes:
        left = f"{count(result.counts['left'], 'image')}, {size(result.left_bytes)}, for the next run"
        yield from folded("  left:    ", left, width, "faint")
    for number, host in enumerate(traffic):
        yield from folded("           " if number else "  traffic: ", traffic_of(host), width, "faint")


def rate_of_copied(result: Result) -> list[str]:
    """The rate to show beside what was copied; none if most of what moved is in blobs that were not finished."""
    copied = result.share("copied").bytes
    shown = copied and result.rate_bytes_per_s and 2 * copied >= result.moved_bytes
    return [rate(result.rate_bytes_per_s)] if shown else []


def _in_short(paths: Sequence[str]) -> str:
    """File names, or how many there are."""
    names = [PurePath(path).name for path in paths]
    return ", ".join(names if len(names) <= _NAMED else [*names[:2], "…", names[-1]])


def grouped(result: Result) -> list[tuple[Problem | None, list[ImageResult]]]:
    """Failures by problem, since one cause often stops many images. Missing images differ only by their names."""
    groups: dict[Problem | None, tuple[Problem | None, list[ImageResult]]] = {}
    for image in result.failures:
        problem = image.problem
        if problem is not None and image.status == "missing":
            problem = problem.not_published()
        groups.setdefault(problem and without_subject(problem), (problem, []))[1].append(image)
    return [
        (images[0].problem if len(images) == 1 else shown and of_several(shown), images)
        for shown, images in groups.values()
    ]


def _group(problem: Problem | None, images: list[ImageResult], width: int | None) -> Iterator[Styled]:
    for image in images[:_NAMED]:
        yield Styled.of((f"{image.status.replace('-', ' ')} ", "bad"), (one_line(image.name), "strong"))
    if len(images) > _NAMED:
        yield Styled.of((f"and {len(images) - _NAMED} more", "bad"))
    if problem is not None:
        yield from problem_lines(problem, width, indent="  ")
