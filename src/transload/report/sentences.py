"""Sentences about an image that ended, a retry, and the progress of a run: the same in logs and on terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transload.errors import TransloadError, Unreachable
from transload.events import HostTroubled, ImageDone, RunPaused, RunResumed, StepRetried
from transload.report.problem import Problem, problem_lines, without_subject
from transload.report.speed import CRAWLING
from transload.report.styled import Meaning, Styled, folded
from transload.report.texts import (
    clock_time,
    count,
    duration,
    one_line,
    percent,
    rate,
    shared_folder,
    shared_tag,
    shortened,
    size,
    size_of,
    time_left,
    with_short_digests,
)

if TYPE_CHECKING:
    from transload.planning.plan import PlannedImage
    from transload.report.tally import ImageTally, Snapshot, Tally

_STILL_S = 5.0  # people are told of a pause from this length on
_LONG_S = 2.0  # and when a wait of this length ends
_SOON_S = 1.0  # a speed measured over less than this is a guess
_STATES = {"too-many-requests": "is busy", "server-trouble": "is in trouble", "too-slow": "is too slow"}
_NAME_LEAST = 16  # a shorter name cannot be recognised; details are left out first


class Sentences:
    """The sentences about one run. `width` is that of the terminal; None if lines may have any length.

    Names lose the folder that all of them share, and on a terminal also the tag that all share. The same failure is
    explained once: an unreachable target fails every image with the same words.
    """

    def __init__(self, tally: Tally, width: int | None = None) -> None:
        self.tally = tally
        self.width = width
        self._folder = shared_folder(image.label for image in tally.plan.images)
        self._tag = shared_tag(image.label for image in tally.plan.images)
        self._explained: set[Problem] = set()
        self._troubled: set[str] = set()
        self._broken: set[Problem] = set()
        self._longest_s = 0.0

    def short(self, label: str) -> str:
        """A name without the shared folder."""
        return one_line(label.removeprefix(self._folder))

    def image(self, event: ImageDone) -> list[Styled]:
        """How an image ended, and if it failed, why."""
        planned = self.tally.plan.images[event.image]
        counted = self._counter()
        if event.error is None:
            self._broken.clear()
            self._longest_s = 0.0
            return [self._success(counted, planned, self.tally.images[event.image])]
        if planned.excused:
            return [self._fit(counted, planned, ("missing", "warn"), " at the source, as allowed")]
        if planned.status == "missing":
            return [self._fit(counted, planned, ("missing", "bad"), " at the source")]
        return [
            self._fit(counted, planned, ("failed", "bad"), f" ({event.error.code})"),
            *self._why(event.error, planned),
        ]

    def retry(self, event: StepRetried, label: str) -> list[Styled]:
        """An attempt that failed, and when the next one comes. Nothing if a line about the host already says it.

        If a host fails, every blob on its way fails: one line is enough until the next image arrives, or until a wait
        is much longer.
        """
        if isinstance(event.error, Unreachable):
            broken = without_subject(Problem.of(event.error))
            known = self._troubled or broken in self._broken
            if known and event.wait_s <= max(_LONG_S, 1.5 * self._longest_s):
                return []
            self._broken.add(broken)
            self._longest_s = max(self._longest_s, event.wait_s)
        wait = f"again in {duration(event.wait_s)}" if event.wait_s > 0 else "again now"
        message = one_line(event.error.message)
        message = message if self.width is None else with_short_digests(message)
        words = f"{self.short(label)}: {message}; {wait} (attempt {event.attempt + 1})"
        return folded("  retry ", words, self.width, "warn")

    def host(self, event: HostTroubled) -> list[Styled]:
        """A host that does not answer as it should, or that answers again."""
        if event.state != "limited":
            (self._troubled.discard if event.state == "back" else self._troubled.add)(event.host)
        return folded("", host_sentence(event), self.width)

    def heartbeat(self, now: Snapshot) -> Styled:
        """How much is done, how fast it goes, how long it still takes."""
        return Styled.of((f"[{percent(now.position, now.total):>5}] ", "faint"), ", ".join(facts(now)))

    # --- parts

    def _counter(self) -> str:
        total = len(self.tally.images)
        return f"[{self.tally.images_done:>{len(str(total))}}/{total}] "

    def _success(self, counted: str, planned: PlannedImage, image: ImageTally) -> Styled:
        if planned.status == "unchanged":
            return self._fit(counted, planned, ("unchanged", "faint"), "")
        is_share = self.tally.plan.share is not None
        word = "in part" if is_share else "updated" if planned.status == "changed" else "copied"
        moved = f"{',' if is_share else ''} {size(image.copied.bytes)}" if image.copied.blobs else ""
        took = f" in {duration(image.duration_s)}" if image.duration_s is not None else ""
        rest = [
            f"{share.blobs} {what}"
            for share, what in ((image.mounted, "mounted"), (image.present, "already there"))
            if share.blobs
        ]
        if image.retries:
            rest.append(count(image.retries, "retry"))
        return self._fit(counted, planned, (word, "good"), moved + took, f" ({', '.join(rest)})" if rest else "")

    def _fit(
        self, counted: str, planned: PlannedImage, word: tuple[str, Meaning], detail: str, more: str = ""
    ) -> Styled:
        """One line of at most `width`. If it is too long, it loses its last parts first, then the name's beginning."""
        name = self.short(planned.label)
        if self.width is not None:
            name = name.removesuffix(self._tag)
            room = self.width - len(counted) - len(word[0]) - 1
            if len(name) + len(detail + more) > room:
                more = ""
            if min(len(name), _NAME_LEAST) + len(detail) > room:
                detail = ""
            name = shortened(name, max(room - len(detail + more), 1))
        return Styled.of((counted, "faint"), f"{name} ", word, detail, (more, "faint"))

    def _why(self, error: TransloadError, planned: PlannedImage) -> list[Styled]:
        problem = Problem.of(error, source=planned.source_store, target=self.tally.plan.target)
        if without_subject(problem) in self._explained:
            return []
        self._explained.add(without_subject(problem))
        return problem_lines(problem, self.width, indent="  ")


def pause_sentence(event: RunPaused | RunResumed) -> str:
    """A sentence about a run that waits for its hours, or goes on."""
    if isinstance(event, RunPaused):
        return f"outside the hours of --between: waiting until {event.until}; Ctrl-C ends, the same command goes on"
    return f"the hours of --between have begun: going on, after {_whole(event.paused_s)}"


def host_sentence(event: HostTroubled) -> str:
    """A sentence about a host that does not answer as it should, before, during and after a run."""
    if event.state == "back":
        return f"{event.side or event.host} answers again, after {_whole(event.troubled_s)}"
    if event.state == "silent":
        who = f"the {event.side} {event.host}" if event.side else event.host
        return f"waiting for {who} for {_whole(event.troubled_s)}, giving up in {_wait(event.left_s, event)}"
    if event.state == "limited":
        return f"{event.side or event.host} {_limited(event)}"
    code = event.error.code if event.error else ""
    state = _STATES.get(code, "does not answer")  # also if it breaks off: then it answers again, too
    wait = _wait(event.wait_s, event)
    # Of a request that nobody repeats, since others do its work, there is nothing to count.
    counted = f"retrying ({event.attempt} of {event.attempts}), next in {wait}"
    tries = counted if event.attempts else f"next request in {wait}"
    why = f": {one_line(event.error.message)}" if event.error else ""
    return f"{event.side or event.host} {state}, {tries}{why}"


def _wait(seconds: float, event: HostTroubled) -> str:
    """How long a wait is, and when it ends; a short one has ended before anyone looks at a clock."""
    asked = ", as it asks" if event.error and event.error.retry_after_s else ""
    if seconds <= _LONG_S or event.until_s is None:
        return _whole(seconds)
    return f"{_whole(seconds)} (at {clock_time(event.until_s)}{asked})"


def _limited(event: HostTroubled) -> str:
    allowance = event.allowance
    number = count(allowance.of, "request") if allowance and allowance.of else "requests"
    window = f" in {duration(allowance.window_s)}" if allowance and allowance.window_s else ""
    when = clock_time(event.until_s or 0)
    used = f"has a limit of {number}{window}, which are used up"
    if not event.wait_s:
        return f"{used}; the next is due at {when}, and --give-up-after does not allow to wait so long"
    return f"{used}: waiting {_whole(event.wait_s)} (until {when})"


def _whole(seconds: float) -> str:
    """A duration in whole seconds: for a wait, nobody needs tenths."""
    return f"{max(1, round(seconds))} s" if seconds < 9.95 else duration(seconds)


def facts(now: Snapshot) -> list[str]:
    """The numbers of a moment in words, the most important first."""
    phrases = [size_of(now.position, now.total)] if now.total else []
    if now.paused_until:
        return [*phrases, f"paused until {now.paused_until}", *image_facts(now)]
    if now.still_s >= _STILL_S:
        phrases.append(f"nothing new for {duration(now.still_s)}")
    elif now.moved and now.elapsed_s >= _SOON_S:
        phrases.append(rate(now.rate_bytes_per_s) if now.rate_bytes_per_s >= CRAWLING else "under 1 KiB/s")
    if now.left_s is not None:
        phrases.append(time_left(now.left_s))
    return [*phrases, *image_facts(now)]


def image_facts(now: Snapshot) -> list[str]:
    """How many images are done or failed, and the number of retries."""
    phrases = [f"{now.images_done} of {count(now.images, 'image')}"]
    if now.images_failed:
        phrases.append(f"{now.images_failed} failed")
    if now.retries:
        phrases.append(count(now.retries, "retry"))
    return phrases
