"""Which tags would move to content that is older than what they stand for now.

Only tags that move are looked at, so that an unchanged or new image costs no request. An image that does not say when
it was made, or cannot be read, is left out: nothing is known of it. The times are those that the builders wrote.

If both times are after this machine's clock, it is the clock that is wrong, and they are compared. If only that of the
target is, nobody knows which of them is wrong.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import Interrupted, TransloadError
from transload.oci import Digest, Manifest, Name
from transload.planning.configs import read_config
from transload.planning.narrowing import is_attestation
from transload.planning.plan import Plan
from transload.planning.survey import Surveyed
from transload.ports import Source
from transload.threads import Cancellation, in_parallel
from transload.values import frozen

CREATED = "org.opencontainers.image.created"
_TEXT = 64
_THREADS = 8
_CLOCK_S = 24 * 3600  # by so much a clock may be behind, and images of a publisher elsewhere be ahead
_PLACEHOLDER = 1981  # tools that make reproducible images write a time in 1970 or 1980 instead of the real one


@frozen(kw_only=True)
class Moving:
    """A tag of the target, `name`, that will stand for the manifest `new` in place of `replaces`."""

    name: Name
    replaces: Digest
    new: Manifest
    source_store: str
    source: Name


@frozen
class GoingBack:
    """A tag that would move from content made at `now` to older content, made at `then`.

    It is `doubtful` if `now` is after this machine's clock, and `then` is not: one of the three times is wrong.
    """

    name: Name
    now: datetime
    then: datetime
    doubtful: bool = False

    @property
    def times(self) -> tuple[str, str]:
        """`now` and `then` for people: the days, or the seconds too if the day is the same."""
        form = "%Y-%m-%d" if self.now.date() != self.then.date() else "%Y-%m-%d %H:%M:%S"
        return f"{self.now:{form}}", f"{self.then:{form}}"

    def __str__(self) -> str:
        now, then = self.times
        return f"{self.name} from {now} to {then}"


def moving_in(plan: Plan) -> Iterator[Moving]:
    """The tags that a plan moves."""
    for image in plan.images:
        new = plan.manifests.get(image.digest) if image.digest else None
        if image.replaces is not None and image.target.tag and new is not None:
            yield Moving(
                name=image.target,
                replaces=image.replaces,
                new=new,
                source_store=image.source_store,
                source=image.source,
            )


def moving_among(surveyed: Iterable[Surveyed]) -> Iterator[Moving]:
    """The tags that would move if all these images were copied."""
    for image in surveyed:
        if image.error or image.root is None or image.at_target is None or image.item.target.tag is None:
            continue
        if image.at_target.digest != image.digest:
            yield Moving(
                name=image.item.target,
                replaces=image.at_target.digest,
                new=image.root.manifest,
                source_store=image.item.source_store,
                source=image.item.source,
            )


@frozen(kw_only=True)
class Compared:
    """A tag that moves, and when both contents were made: `now` what is there, `then` what it would get.

    None for a time that nobody knows. `doubtful`: see `GoingBack`.
    """

    name: Name
    now: datetime | None
    then: datetime | None
    doubtful: bool = False

    @property
    def going_back(self) -> GoingBack | None:
        """The tag, if it would move to older content."""
        if self.now is None or self.then is None or self.now <= self.then:
            return None
        return GoingBack(self.name, self.now, self.then, doubtful=self.doubtful)

    @property
    def is_decided(self) -> bool:
        """Whether the times say which content is older."""
        return self.now is not None and self.then is not None and self.now != self.then and not self.doubtful


def going_back(
    moving: Iterable[Moving],
    sources: Mapping[str, Source],
    target: Source,
    cancellation: Cancellation | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> tuple[GoingBack, ...]:
    """The tags that stand for newer content at `target` than that which they would get."""
    tags = compared(moving, sources, target, cancellation, clock)
    return tuple(back for tag in tags if (back := tag.going_back) is not None)


def compared(
    moving: Iterable[Moving],
    sources: Mapping[str, Source],
    target: Source,
    cancellation: Cancellation | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> tuple[Compared, ...]:
    """When the contents were made that these tags stand for, and would get."""

    def one(tag: Moving) -> Compared:
        try:
            return _compared(tag, sources[tag.source_store], target, clock)
        except Interrupted:
            raise
        except TransloadError:  # what cannot be read does not say when it was made
            return Compared(name=tag.name, now=None, then=None)

    return tuple(in_parallel(one, list(moving), _THREADS, cancellation))


def _compared(tag: Moving, source: Source, target: Source, clock: Clock) -> Compared:
    then = made_at(tag.new, source, tag.source)
    if then is None:
        return Compared(name=tag.name, now=None, then=None)
    now = made_at(target.fetch(tag.name.at(tag.replaces)), target, tag.name)
    today_s = clock.wall_s() + _CLOCK_S
    doubtful = now is not None and now.timestamp() > today_s >= then.timestamp()
    return Compared(name=tag.name, now=now, then=then, doubtful=doubtful)


def made_at(manifest: Manifest, store: Source, name: Name) -> datetime | None:
    """When an image was made: by its annotation, else by its config. An index without one: its first image.

    None if nothing says so. The time is in UTC. Raises what reading from `store` raises.
    """
    stated = moment(manifest.annotations.get(CREATED))
    if stated is not None:
        return stated
    if manifest.is_index:
        first = next((child for child in manifest.manifests if not is_attestation(child)), None)
        child = store.fetch(name.at(first.digest)) if first else None
        return made_at(child, store, name) if child and not child.is_index else None
    if manifest.config is None or "image" not in manifest.config.media_type:
        return None
    return moment(read_config(store, name.repository, manifest.config).get("created"))


def moment(text: object) -> datetime | None:
    """The time in a text of RFC 3339; None for any other text, and for times that are only placeholders.

    >>> moment("2026-05-12T08:30:00.123456789+02:00")
    datetime.datetime(2026, 5, 12, 6, 30, 0, 123456, tzinfo=datetime.timezone.utc)
    >>> moment("1970-01-01T00:00:00Z"), moment("yesterday")
    (None, None)
    """
    if not isinstance(text, str) or len(text) > _TEXT:
        return None
    with contextlib.suppress(ValueError, OverflowError):
        parsed = datetime.fromisoformat(text)
        parsed = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
        return parsed if parsed.year >= _PLACEHOLDER else None
    return None
