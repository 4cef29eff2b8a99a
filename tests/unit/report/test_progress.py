"""What people see while a run is on: plain lines in a log, bars on a terminal; never wider than they may be."""

from __future__ import annotations

import contextlib
import io
import re
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.report.replay import MIB, Replay, StoppedClock, Wanted, planned
from tests.unit.report.screens import Screen
from transload.errors import AccessDenied, DigestMismatch, ServerTrouble, TooManyRequests, Unreachable
from transload.events import Allowance, HostTroubled, ImageDone, RunStarted, StepRetried, StepStarted
from transload.planning import Plan
from transload.report.hostnews import HostNews
from transload.report.lines import LineProgress
from transload.report.planned import planned_lines
from transload.report.screen import ROWS, WIDEST, screen
from transload.report.sentences import Sentences, host_sentence
from transload.report.tally import Tally, together
from transload.report.terminal import TerminalProgress
from transload.report.theme import PLAIN, SIXTEEN

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SGR = re.compile(r"\x1b\[[0-9;]*m")


def lines_of(plan: Plan, **options: object) -> list[str]:
    clock, stream = StoppedClock(), io.StringIO()
    tally = Tally(plan, clock)
    listen = together(tally, LineProgress(tally, stream, clock=clock))
    for event in Replay(plan, clock):
        listen(event)
    assert not re.search(r"[\r\x1b]", stream.getvalue())
    return stream.getvalue().splitlines()


# --- a log


def test_a_log_has_one_line_for_each_image_and_counts_them() -> None:
    plan = planned()
    told = [line for line in lines_of(plan) if line.startswith("[")]
    assert [line[:7] for line in told] == [f"[{number:>2}/17]" for number in range(1, 18)]
    assert "[12/17] arc-controller:v1.40.0_2025-06-10 updated 44 MiB in 16 s (1 already there)" in told
    assert "[17/17] arc-sqlmi:v1.40.0_2025-06-10 copied 592 MiB in 43 s (1 mounted, 2 retries)" in told
    assert any("unchanged" in line for line in told)


def test_a_log_explains_failures_with_place_and_hint_and_tells_retries() -> None:
    told = "\n".join(lines_of(planned()))
    assert "failed (digest-mismatch)\n  error: expected sha256:ca978112ca1bbdcafac231b39a23dc4da786" in told
    assert "    where: source mcr.microsoft.com\n    hint: the source delivers damaged content" in told
    assert "  retry arc-sqlmi@f827a0c5880c: registry.plant-7.example answered 502; again in 3.0 s (attempt 3)" in told


def test_a_retry_on_a_terminal_has_short_digests() -> None:
    found = f"damaged content: expected sha256:{'a' * 64}, found sha256:{'b' * 64}"
    retried = StepRetried(0, DigestMismatch(found, side="source"), 1, 0.5)
    (line, more) = Sentences(Tally(planned([Wanted("a")])), width=80).retry(retried, "a@0123")
    assert f"{line} {str(more).strip()}" == (
        "  retry a@0123: damaged content: expected sha256:aaaaaaaaaaaa…, found "
        "sha256:bbbbbbbbbbbb…; again in 0.5 s (attempt 2)"
    )


def test_the_same_failure_is_explained_once() -> None:
    plan = planned([Wanted(name) for name in "abc"])
    sentences = Sentences(Tally(plan))
    down = Unreachable("registry.example does not answer", hint="is the port open?", side="target")
    told = [[str(line) for line in sentences.image(ImageDone(number, down))] for number in range(3)]
    assert [len(lines) for lines in told] == [4, 1, 1]


def test_a_refusal_is_explained_once_whichever_blob_was_on_its_way() -> None:
    sentences = Sentences(Tally(planned([Wanted(name) for name in "abcd"])))
    refused = [AccessDenied(f"uploading {n}: 403", subject=f"sha256:{n}", side="target") for n in range(3)]
    told = [[str(line) for line in sentences.image(ImageDone(n, error))] for n, error in enumerate(refused)]
    assert [len(lines) for lines in told] == [3, 1, 1]
    other = [str(line) for line in sentences.image(ImageDone(3, AccessDenied("denied", side="source")))]
    assert len(other) > 1, "the other side is another trouble"


def test_the_trouble_of_a_host_is_told_once_and_not_for_each_blob_again() -> None:
    tally, stream = Tally(planned(), StoppedClock()), io.StringIO()
    progress = LineProgress(tally, stream)
    for event in Replay(planned(), StoppedClock()):
        tally(event)
        if isinstance(event, StepStarted):
            started = event
            break
    retried = StepRetried(started.step, Unreachable("r.example does not answer", side="target"), 1, 0.5)
    damaged = StepRetried(started.step, DigestMismatch("damaged", side="source"), 1, 0.5)
    progress.host(HostTroubled("r.example", "silent", 3, 117))
    progress(retried)
    progress(damaged)
    progress.host(HostTroubled("r.example", "back", 9, 120))
    progress(retried)
    told = stream.getvalue().splitlines()
    assert [line.partition(": ")[2][:7] or line[:7] for line in told] == ["waiting", "damaged", "r.examp", "r.examp"]


def test_a_host_that_dies_gets_one_line_for_all_blobs_under_way() -> None:
    sentences = Sentences(Tally(planned([Wanted(name) for name in "ab"])))
    cut = StepRetried(0, Unreachable("r.example breaks off", side="target"), 1, 0.5)
    other = StepRetried(0, Unreachable("s.example breaks off", side="source"), 1, 0.5)
    assert [len(sentences.retry(event, "a")) for event in (cut, cut, other, cut)] == [1, 0, 1, 0]
    sentences.image(ImageDone(0, None))
    assert len(sentences.retry(cut, "a")) == 1
    longer = [StepRetried(0, cut.error, 2, wait_s) for wait_s in (1.5, 2.5, 3, 9, 9)]
    assert [len(sentences.retry(event, "a")) for event in longer] == [0, 1, 0, 1, 0], "long waits are told"


def test_a_limit_on_requests_does_not_hide_the_retries_of_blobs() -> None:
    sentences = Sentences(Tally(planned([Wanted("a")])))
    sentences.host(HostTroubled("r.example", "limited", 0, 120, wait_s=5, until_s=MOMENT_S, allowance=HUB))
    assert len(sentences.retry(StepRetried(0, Unreachable("r.example breaks off"), 1, 0.5), "a")) == 1


def test_a_log_shows_no_sign_of_life_beside_that_of_a_dead_host() -> None:
    clock, stream = StoppedClock(), io.StringIO()
    tally = Tally(planned(), clock)
    progress = LineProgress(tally, stream, clock=clock)
    tally(RunStarted(17, 1, MIB))
    clock.now_s += 20
    progress.host(HostTroubled("r.example", "silent", 10, 110))
    progress._beat()
    assert len(stream.getvalue().splitlines()) == 1
    clock.now_s += 10
    progress._beat()
    assert len(stream.getvalue().splitlines()) == 2


def test_what_a_registry_says_cannot_write_on_the_terminal() -> None:
    plan = planned([Wanted("a")])
    stream = io.StringIO()
    evil = AccessDenied("denied\r\n[ 1/1] a copied\x1b[2J\x9b31m\u202e", hint="\x1b]0;title\x07")
    LineProgress(Tally(plan), stream)(ImageDone(0, evil))
    assert not re.search(r"[\r\x00-\x09\x1b\x9b\u202e]", stream.getvalue())
    assert not any(line.startswith("[ 1/1]") for line in stream.getvalue().splitlines()[1:])


class Beats(StoppedClock):
    """A clock whose sleeper waits for `release` instead of for time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []
        self.asleep = threading.Semaphore(0)
        self.release = threading.Semaphore(0)

    def sleep_s(self, seconds: float, wake: threading.Event | None = None) -> None:
        self.asked.append(seconds)
        self.asleep.release()
        assert self.release.acquire(timeout=60)


def test_a_log_shows_signs_of_life_while_nothing_else_happens() -> None:
    plan = planned([Wanted("a", (300 * MIB,))])
    clock, stream = Beats(), io.StringIO()
    tally = Tally(plan, clock)
    with LineProgress(tally, stream, clock=clock) as progress:
        listen = together(tally, progress)
        for event in Replay(plan, clock, troubles=()):
            if clock.now_s >= 1004.0:
                break
            listen(event)
        assert clock.asleep.acquire(timeout=60)
        clock.release.release()
        assert clock.asleep.acquire(timeout=60)  # it has written, and sleeps again
        beat = stream.getvalue()
        progress._pulse._ended.set()
        clock.release.release()
    assert clock.asked == [10.0, 10.0]
    assert re.fullmatch(r"\[  \d\d%\] 1\d\d of 300 MiB, 4\d MiB/s, \d s left, 0 of 1 image\n", beat)
    assert stream.getvalue() == beat


def test_a_run_outlives_the_reader_of_its_log() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    progress = LineProgress(Tally(planned()), Closed())
    progress.notice("one")
    progress.notice("two")
    assert progress._lines.broken


def test_a_log_in_another_encoding_loses_characters_not_lines() -> None:
    raw = io.BytesIO()
    progress = LineProgress(Tally(planned()), io.TextIOWrapper(raw, "ascii"))
    progress.notice("café …")
    assert raw.getvalue() == b"caf? ~\n"


# --- a terminal


@given(st.integers(10, 220), st.integers(0, 400), st.integers(0, 12))
def test_no_line_of_the_screen_is_wider_than_it_may_be(width: int, events: int, rows: int) -> None:
    clock, plan = StoppedClock(), planned()
    tally = Tally(plan, clock)
    for event, _ in zip(Replay(plan, clock), range(events), strict=False):
        tally(event)
    lines = [str(line) for line in screen(tally.snapshot(), width, Sentences(tally).short, rows)]
    assert max(map(len, lines)) <= min(width, WIDEST)
    assert len(lines) <= 3 + rows + 1


def test_the_screen_names_the_biggest_and_counts_the_rest() -> None:
    clock, plan = StoppedClock(), planned()
    tally = Tally(plan, clock)
    for event in Replay(plan, clock):
        tally(event)
        if len(tally.snapshot().running) == 8:
            break
    lines = [str(line) for line in screen(tally.snapshot(), 80, Sentences(tally).short, 5)]
    assert "arc-sqlmi@" in lines[2]
    assert lines[-1] == "  and 3 more"
    assert len(lines) == 2 + 5 + 1
    assert ROWS == 8


@pytest.mark.parametrize("width", [60, 80])
def test_what_moves_says_how_fast_and_what_waits_says_for_whom(width: int) -> None:
    clock, plan = StoppedClock(), planned()
    tally = Tally(plan, clock)
    rows: list[str] = []
    for event in Replay(plan, clock):
        tally(event)
        if isinstance(event, StepRetried):
            clock.now_s += 0.1
            rows += [str(line) for line in screen(tally.snapshot(), width, Sentences(tally).short)]
    waiting = [row for row in rows if "again in" in row]
    assert [re.findall(r"(?:source|target): again in \d s", row) for row in waiting] == [
        ["source: again in 2 s"],
        ["source: again in 2 s"],
        ["target: again in 3 s"],
    ]
    assert any(re.search(r" \d+% +[\d.]+ MiB/s$", row) for row in rows)


@pytest.mark.parametrize("width", [40, 45, 60, 80, 160])
def test_a_plan_fits_its_terminal(width: int) -> None:
    lines = [str(line) for line in planned_lines(planned(), width)]
    assert max(map(len, lines)) <= width
    table = next(line for line in lines if line.startswith("image"))
    assert ("mount" in table) == (width >= 60)


def shown(width: int, color: bool = True, terminal: bool = True) -> str:
    clock, plan, stream = StoppedClock(), planned(), io.StringIO()
    tally = Tally(plan, clock)
    look = SIXTEEN if color else PLAIN
    with TerminalProgress(tally, stream, look, moves=terminal, size=lambda: (width, 24)) as progress:
        listen = together(tally, progress)
        for event in Replay(plan, clock):
            listen(event)
        progress.notice("stopping")
    return stream.getvalue()


@pytest.mark.parametrize("width", [40, 80, 160])
def test_a_terminal_keeps_what_matters_and_never_folds_a_line(width: int) -> None:
    text = shown(width, color=True)
    assert SGR.search(text)
    plain = [line.split("\r")[-1] for line in ESCAPE.sub("", text).split("\n")]
    assert max(map(len, plain)) <= width
    kept = "\n".join(plain)
    assert "retry arc-sqlmi" in kept
    assert "hint: the source delivers" in kept
    assert "unchanged" not in kept
    assert "17 of 17 images" in kept


def test_a_run_with_nothing_to_do_leaves_no_bar_behind() -> None:
    clock, plan, stream, seen = StoppedClock(), planned([Wanted("a", at_target="same")]), io.StringIO(), Screen(80)
    tally = Tally(plan, clock)
    with TerminalProgress(tally, stream, SIXTEEN, size=lambda: (80, 24)) as progress:
        listen = together(tally, progress)
        for event in Replay(plan, clock, troubles=()):
            listen(event)
    seen.feed(stream.getvalue())
    assert seen.rows == []
    assert not seen.cursor_is_hidden


def test_without_colour_nothing_is_coloured_or_bold() -> None:
    assert not SGR.search(shown(80, color=False))


def test_where_lines_cannot_move_there_is_only_plain_text() -> None:
    assert "\x1b" not in shown(80, color=False, terminal=False)


@contextlib.contextmanager
def in_zone(zone: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        yield
    time.tzset()


MOMENT_S = 1_750_000_000.0
BUSY = TooManyRequests("r.example answers 429", retry_after_s=30)
SAID_OF_A_LONG_WAIT = (
    "source has a limit of requests, which are used up; the next is due at 15:06:40, and --give-up-after does not allow"
    " to wait so long"
)
HUB, UNSAID = Allowance(0, 100, 21_600, 216), Allowance(0, None, None, 500)
REFUSED = Unreachable("finding the blob: r.example refuses connections")


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (
            HostTroubled(
                "r.example", "retrying", 3, 117, attempt=2, attempts=6, wait_s=8, error=REFUSED, side="source"
            ),
            "source does not answer, retrying (2 of 6), next in 8 s: finding the blob: r.example refuses connections",
        ),
        (
            HostTroubled(
                "r.example",
                "retrying",
                3,
                117,
                attempt=2,
                attempts=6,
                wait_s=0.4,
                error=ServerTrouble("r.example answers 503"),
            ),
            "r.example is in trouble, retrying (2 of 6), next in 1 s: r.example answers 503",
        ),
        (
            HostTroubled("r.example", "silent", 10, 110, side="target"),
            "waiting for the target r.example for 10 s, giving up in 1 min 50 s",
        ),
        (HostTroubled("r.example", "back", 34, 120), "r.example answers again, after 34 s"),
        (HostTroubled("r.example", "back", 34, 120, side="source"), "source answers again, after 34 s"),
        (
            HostTroubled("r.example", "retrying", 1, 119, wait_s=1.9, until_s=MOMENT_S, error=BUSY, side="source"),
            "source is busy, next request in 2 s: r.example answers 429",
        ),
        (
            HostTroubled("r.example", "silent", 10, 110, until_s=MOMENT_S),
            "waiting for r.example for 10 s, giving up in 1 min 50 s (at 15:06:40)",
        ),
        (
            HostTroubled("r.example", "retrying", 3, 117, attempt=2, attempts=6, wait_s=1.9, until_s=MOMENT_S),
            "r.example does not answer, retrying (2 of 6), next in 2 s",
        ),
        (
            HostTroubled(
                "r.example", "retrying", 3, 117, attempt=2, attempts=6, wait_s=30, until_s=MOMENT_S, error=BUSY
            ),
            "r.example is busy, retrying (2 of 6), next in 30 s (at 15:06:40, as it asks): r.example answers 429",
        ),
        (
            HostTroubled("r.example", "limited", 0, 120, wait_s=108, until_s=MOMENT_S, allowance=HUB),
            "r.example has a limit of 100 requests in 6 h, which are used up: waiting 1 min 48 s (until 15:06:40)",
        ),
        (
            HostTroubled("r.example", "limited", 0, 120, until_s=MOMENT_S, allowance=UNSAID, side="source"),
            SAID_OF_A_LONG_WAIT,
        ),
    ],
)
def test_what_is_said_of_a_host_that_does_not_answer(event: HostTroubled, told: str) -> None:
    with in_zone("UTC"):
        assert host_sentence(event) == told


def test_that_a_host_answers_again_is_told_only_after_its_trouble_was() -> None:
    """A line that broke off each second filled the screen with "answers again"."""
    news = HostNews()
    broken = [HostTroubled("r.example", "retrying", troubled_s, 117, wait_s=0.5) for troubled_s in (1.0, 1.1, 1.2)]
    back = HostTroubled("r.example", "back", 1.3, 120)
    told = [news.is_for_people(event) for event in (back, broken[0], back, broken[1], back, broken[2], back)]
    assert told == [False, True, True, False, False, False, False]


def test_a_host_that_fails_each_second_is_told_of_less_and_less_often() -> None:
    news, told = HostNews(), 0
    for second in range(240):
        until_s = MOMENT_S + second
        told += news.is_for_people(HostTroubled("r.example", "retrying", 0.1, 119, wait_s=0.4, until_s=until_s))
        told += news.is_for_people(HostTroubled("r.example", "back", 0.5, 120))
    assert told <= 2 * 8
    waits = HostTroubled("r.example", "retrying", 0.1, 119, wait_s=8, until_s=MOMENT_S + 241)
    assert news.is_for_people(waits), "a wait that people feel is told"


def test_the_time_of_a_wait_is_that_of_the_place() -> None:
    with in_zone("Asia/Kolkata"):
        told = host_sentence(HostTroubled("r.example", "silent", 10, 110, until_s=MOMENT_S))
    assert told.endswith("(at 20:36:40)")
