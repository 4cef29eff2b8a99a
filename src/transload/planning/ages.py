"""How old images must be, and may be, to be copied: which of them are refused, and why.

Only images that would be copied are judged, so that an unchanged one costs nothing. An image for several platforms is
as young as the youngest that is wanted of them, since any of them may be the poisoned one.

An image of which nobody knows when it was made is refused: whoever gave a limit wants none that may be beyond it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import AgeRefused, Interrupted, TransloadError, UsageError, as_result
from transload.expressions import late
from transload.graph import Node
from transload.oci import Name
from transload.planning.ageing import CREATED, made_at, moment
from transload.planning.narrowing import is_attestation
from transload.planning.survey import Surveyed
from transload.ports import Source
from transload.threads import Cancellation, in_parallel
from transload.values import frozen
from transload.wording import number_of

UNITS_S = {"d": 86_400, "h": 3600, "m": 60}
_LENGTH = late(r"([0-9]{1,6})\s*(?:(d)(?:ays?)?|(h)(?:ours?)?|(m)(?:in|inutes?)?)")
_THREADS = 8
_CLOCK = "this machine's clock"
_CHECK_CLOCK = "check the clock; if it is wrong, --at TIME gives the right time"
_FIELD = "by its created field, which its builder wrote"


def seconds_in(text: str) -> int:
    """The seconds in a length of time: `7d`, `12h`, `30m`. Raises `UsageError`.

    >>> seconds_in("7d"), seconds_in("12 hours"), seconds_in("30min")
    (604800, 43200, 1800)
    """
    form = _LENGTH.fullmatch(text.strip().lower())
    if form is None:
        raise UsageError(f"{text[:40]!r} is not a length of time", hint="write days, hours or minutes: 7d, 12h, 30m")
    return int(form[1]) * UNITS_S[form[2] or form[3] or form[4]]


def length_of(seconds: float) -> str:
    """A length of time as `seconds_in` reads it, in the largest unit that it has no rest in; parts of a minute go.

    >>> length_of(604800), length_of(90000), length_of(5400), length_of(10)
    ('7d', '25h', '90m', '0m')
    """
    minutes = int(seconds // 60)
    unit = next(unit for unit, unit_s in UNITS_S.items() if unit == "m" or (minutes and minutes % (unit_s // 60) == 0))
    return f"{minutes * 60 // UNITS_S[unit]}{unit}"


def _at_most(seconds: float) -> str:
    """A length of time for people, rounded up: after it, so much has surely passed.

    >>> _at_most(482_900), _at_most(172_801), _at_most(90_000), _at_most(7_201), _at_most(61)
    ('6 days', '3 days', '25 hours', '3 hours', '2 minutes')
    """
    unit, unit_s = next(
        ((word, UNITS_S[word[0]]) for word in ("day", "hour") if seconds > 2 * UNITS_S[word[0]]), ("minute", 60)
    )
    return number_of(math.ceil(seconds / unit_s), unit)


@frozen
class Ages:
    """The least and the greatest age in seconds; None where there is no limit. Raises `UsageError`."""

    least_s: int | None = None
    greatest_s: int | None = None

    def __attrs_post_init__(self) -> None:
        if self.least_s is not None and self.greatest_s is not None and self.least_s > self.greatest_s:
            raise UsageError(
                f"no image is at least {length_of(self.least_s)} and at most {length_of(self.greatest_s)} old",
                hint="--min-age is the smaller one",
            )

    @classmethod
    def of(cls, least: str | None, greatest: str | None) -> Ages:
        """From texts such as `7d`. Raises `UsageError`."""
        return cls(*(None if text is None else seconds_in(text) for text in (least, greatest)))

    @property
    def are_limited(self) -> bool:
        """Whether there is any limit."""
        return self.least_s is not None or self.greatest_s is not None

    @property
    def words(self) -> list[str]:
        """The same as the words of a command line."""
        limits = {"--min-age": self.least_s, "--max-age": self.greatest_s}
        return [word for flag, limit in limits.items() if limit is not None for word in (flag, length_of(limit))]


NO_AGES = Ages()


@frozen
class Dated:
    """When an image was `done` (made or signed), and how that is known: `by its created field, …`."""

    moment: datetime
    how: str
    done: str = "made"


@frozen
class Now:
    """The time that counts as now, by the clock or as somebody stated it."""

    time_s: float
    stated: bool = False


Date = Callable[[Surveyed, Source], Dated | None]
"""Says when an image was made; None if nobody knows. Raises what reading from the source raises."""


def by_created_field(image: Surveyed, source: Source) -> Dated | None:
    """The date that the image states itself: a manifest's annotation, else its config, which costs one request.

    A time that a signature or a log proves is better: whoever has one gives `too_young_or_old` another function.
    """
    if image.root is None:
        return None
    stated = moment(image.root.manifest.annotations.get(CREATED))
    if stated is None and image.root.manifest.is_index:
        stated = _of_children(image.root, image.item.source, source)
    elif stated is None:
        stated = made_at(image.root.manifest, source, image.item.source)
    return Dated(stated, _FIELD) if stated else None


def _of_children(root: Node, name: Name, source: Source) -> datetime | None:
    """The time of the youngest image of an index; None if one of them does not say it."""
    attestations = {child.digest for child in root.manifest.manifests if is_attestation(child)}
    images = [child.manifest for child in root.children if child.manifest.digest not in attestations]
    times = [made_at(manifest, source, name) for manifest in images]
    known = [time for time in times if time is not None]
    return max(known) if known and len(known) == len(times) else None


def too_young_or_old(
    surveyed: Sequence[Surveyed],
    ages: Ages,
    sources: Mapping[str, Source],
    cancellation: Cancellation | None = None,
    *,
    date: Date = by_created_field,
    at: datetime | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Mapping[Name, TransloadError]:
    """The errors of those images that would be copied and whose age is outside `ages`, by their names at the target.

    `at` counts as now where the clock is wrong. An image whose date cannot be read has the error of that.
    """
    now = Now(clock.wall_s()) if at is None else Now(at.timestamp(), stated=True)

    def judged(image: Surveyed) -> TransloadError | None:
        try:
            return _judged(image, date(image, sources[image.item.source_store]), ages, now)
        except Interrupted:
            raise
        except TransloadError as error:
            error.side = error.side or "source"
            return as_result(error)

    moving = [image for image in surveyed if image.root is not None and image.error is None and ages.are_limited]
    errors = in_parallel(judged, moving, _THREADS, cancellation)
    return {image.item.target: error for image, error in zip(moving, errors, strict=True) if error}


def _judged(image: Surveyed, dated: Dated | None, ages: Ages, now: Now) -> AgeRefused | None:
    name, limits = image.item.target, " ".join(ages.words)
    if dated is None:
        return _refused(name, f"{name} does not say when it was made", f"leave {limits} out for this image")
    age_s, day = now.time_s - dated.moment.timestamp(), f"{dated.moment:%Y-%m-%d %H:%M}"
    if age_s < 0 and ages.least_s is not None:
        clock, hint = ("the time of --at", "check that time") if now.stated else (_CLOCK, _CHECK_CLOCK)
        return _refused(name, f"{name} was {dated.done} {day}, {dated.how}: after {clock}", hint)
    if ages.least_s is not None and age_s < ages.least_s:
        why = f"{name} was {dated.done} {day}, {dated.how}: it is younger than {length_of(ages.least_s)}"
        return _refused(name, why, f"run the same again in {_at_most(ages.least_s - age_s)}")
    if ages.greatest_s is not None and age_s > ages.greatest_s:
        why = f"{name} was {dated.done} {day}, {dated.how}: it is older than {length_of(ages.greatest_s)}"
        return _refused(name, why, "take a newer one, or another --max-age")
    return None


def _refused(name: Name, why: str, hint: str) -> AgeRefused:
    return AgeRefused(why, subject=str(name), side="source", hint=hint)
