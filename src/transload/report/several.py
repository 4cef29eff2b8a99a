"""The result of a run to several targets: each with its own, and what they have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from transload.errors import Interrupted, SiteLacks
from transload.report.exitcodes import MIXED
from transload.report.planned import share_json
from transload.report.result import RESULT_FORMAT, ImageResult, Result, exit_code
from transload.report.styled import Styled, folded
from transload.report.summary import summary_lines, traffic_of
from transload.report.texts import count, one_line, shortened, size
from transload.values import frozen

if TYPE_CHECKING:
    from transload.planning.plan import Share
    from transload.report.hosttotals import HostTotals

_FEW = 6  # targets whose results are all shown whole
_SAME = "run the same command again; it asks each target what it has"
_LABEL = 24  # letters of a target before a line; longer names lose their beginning


@frozen(kw_only=True)
class Results:
    """How a run ended for each target, in the order of `targets`: their names as the user wrote them.

    `read_again` are the blobs that came from a source more than once. `via` are the targets that fed others, None for
    a target that had its content from the source; it may be left out if all had.
    """

    targets: tuple[str, ...]
    results: tuple[Result, ...]
    read_again: Share
    via: tuple[str | None, ...] = ()

    @property
    def exit_code(self) -> int:
        """The exit code of the process: that of the targets which are not complete, if it is one.

        What a target lacks because the one that feeds it lacks it, follows from that one's own failure.
        """
        of_themselves = [result for result in self.results if not _follows(result)]
        return worst([exit_code(result) for result in of_themselves or self.results])

    @property
    def failures(self) -> tuple[ImageResult, ...]:
        """Images that should be at a target and are not, of all targets that had a plan."""
        return tuple(image for result in self.results for image in result.failures)

    @property
    def complete(self) -> int:
        """How many targets have everything."""
        return sum(not exit_code(result) for result in self.results)

    @property
    def each(self) -> tuple[tuple[str, Result, str | None], ...]:
        """Each target: its name, its result, and the name of the target that fed it."""
        via = self.via or (None,) * len(self.targets)
        return tuple(zip(self.targets, self.results, via, strict=True))

    def to_json(self) -> dict[str, Any]:
        """The JSON report, and the `result` object of docs/formats/json-output.md, for several targets."""
        return {
            "format": RESULT_FORMAT,
            "run_id": next((result.run_id for result in self.results), ""),
            "exit_code": self.exit_code,
            "interrupted": any(result.interrupted for result in self.results),
            "read_again": share_json(self.read_again),
            "targets": [{"name": name, "via": giver, **result.to_json()} for name, result, giver in self.each],
        }


def _is_plain(result: Result) -> bool:
    """Whether there is nothing to say of a target but that it is complete."""
    return not (exit_code(result) or result.written or result.attestations)


def _follows(result: Result) -> bool:
    """Whether all that is wrong with a target is what the one that feeds it lacks."""
    problems = [image.problem for image in result.failures] if result.problem is None else [result.problem]
    return bool(problems) and all(problem and problem.code == SiteLacks.code for problem in problems)


def worst(codes: Sequence[int]) -> int:
    """The exit code for several targets.

    >>> worst([0, 0]), worst([0, 5]), worst([5, 5]), worst([3, 5]), worst([3, 130])
    (0, 5, 5, 1, 130)
    """
    wrong = set(codes) - {0}
    if Interrupted.exit_code in wrong:
        return Interrupted.exit_code
    return wrong.pop() if len(wrong) == 1 else MIXED if wrong else 0


def results_lines(results: Results, width: int | None = None) -> list[Styled]:
    """How many targets have everything, and what was read for all; then the result for each under its name.

    Those that lack something come last, since people look there, and their results end with the command to go on with.
    Of many targets, those with nothing more to say than that they are complete get a line each.
    """
    short = len(results.targets) > _FEW
    lines = [_verdict(results), *_shared(results, width)]
    for name, result, giver in sorted(results.each, key=lambda each: bool(exit_code(each[1]))):
        own = [host for host in result.traffic if host.side == "target"]
        shown = indented(summary_lines(result, width and width - 2, own))
        if short and _is_plain(result):
            title = Styled.of((f"{titled(name, giver)}: ", "strong"))
            lines.append(Styled((*title.parts, *summary_lines(result, None, own)[0].parts)))
        else:
            lines += [Styled(), Styled.of((titled(name, giver), "strong")), *shown]
    # What had no plan when the run was stopped has no command of its own; that of its feeder would leave it out.
    if any(exit_code(result) == Interrupted.exit_code and not result.retry for result in results.results):
        lines += [Styled(), *folded("to finish all: ", _SAME, width)]
    return lines


def titled(name: str, giver: str | None) -> str:
    """A target in one line, and where its content came from if that was another target.

    >>> titled("b.example", "a.example"), titled("a.example", None)
    ('b.example, from a.example', 'a.example')
    """
    return one_line(name) if giver is None else f"{one_line(name)}, from {one_line(giver)}"


def _shared(results: Results, width: int | None) -> Iterator[Styled]:
    """The traffic with sources, once: they are read for all targets together. A target that feeds has its own line."""
    hosts: dict[str, HostTotals] = {}
    of_sources = (result for _, result, giver in results.each if giver is None)
    for host in (host for result in of_sources for host in result.traffic if host.side != "target"):
        hosts[host.host] = max(host, hosts.get(host.host, host), key=_so_far)  # counted when a target had ended
    for number, host in enumerate(hosts[name] for name in sorted(hosts)):
        yield from folded("                   " if number else "  for all of them: ", traffic_of(host), width, "faint")


def _so_far(host: HostTotals) -> tuple[int, int]:
    return host.requests, host.bytes_received + host.bytes_sent


def targets_complete(results: Results) -> str:
    """How many of the targets are complete, as a sentence."""
    return f"{results.complete} of {len(results.results)} targets {'is' if results.complete == 1 else 'are'} complete"


def _verdict(results: Results) -> Styled:
    return Styled.of((targets_complete(results), "good" if results.complete == len(results.results) else "bad"))


def read_once_lines(once: Share, shares: Sequence[Share], width: int | None = None) -> list[Styled]:
    """What plans for several targets come to: what is read once, and what is written.

    >>> from transload.planning.plan import Share
    >>> print(*read_once_lines(Share(2, 3000), [Share(2, 3000), Share(1, 1000)]), sep="\\n")
    together: 2 blobs (2.9 KiB) are read once, 3 blobs (3.9 KiB) are written
    """
    blobs, written = sum(share.blobs for share in shares), sum(share.bytes for share in shares)
    read = f"{count(once.blobs, 'blob')} ({size(once.bytes)}) {'is' if once.blobs == 1 else 'are'} read once"
    wrote = f"{count(blobs, 'blob')} ({size(written)}) {'is' if blobs == 1 else 'are'} written"
    return folded("together: ", f"{read}, {wrote}", width)


def indented(lines: Iterable[Styled]) -> list[Styled]:
    """The lines, two blanks further right."""
    return [Styled((("  ", ""), *line.parts)) if line.parts else line for line in lines]


def labels(targets: Sequence[str]) -> tuple[str, ...]:
    """A short name for each target, all of them different.

    >>> labels(["one.example/mirror", "oci:/a/very/long/way/to/some/folder"])
    ('one.example/mirror', '…long/way/to/some/folder')
    """
    short = tuple(shortened(one_line(target), _LABEL) for target in targets)
    return short if len(set(short)) == len(short) else tuple(map(one_line, targets))


def labelled(label: str, lines: Iterable[Styled]) -> list[Styled]:
    """The lines with a label before each."""
    return [Styled(((f"{label}: ", "faint"), *line.parts)) for line in lines]
