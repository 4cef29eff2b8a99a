"""Which tags of a plan would move to content that is older than what they stand for now.

Only tags that move are looked at, so that an unchanged or new image costs no request. An image that does not say when
it was made, or cannot be read, is left out: this is only a note for people, who may well mean to go back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime

from attrs import frozen

from transload.errors import Interrupted, TransloadError
from transload.oci import Manifest, Name
from transload.planning.configs import read_config
from transload.planning.narrowing import is_attestation
from transload.planning.plan import Plan, PlannedImage
from transload.ports import Source
from transload.threads import Cancellation, in_parallel

CREATED = "org.opencontainers.image.created"
_TEXT = 64
_THREADS = 8
_PLACEHOLDER = 1981  # tools that make reproducible images write a time in 1970 or 1980 instead of the real one


@frozen
class GoingBack:
    """A tag that would move from content made at `now` to older content, made at `then`."""

    name: Name
    now: datetime
    then: datetime

    def __str__(self) -> str:
        form = "%Y-%m-%d" if self.now.date() != self.then.date() else "%Y-%m-%d %H:%M:%S"
        return f"{self.name} from {self.now:{form}} to {self.then:{form}}"


def going_back(
    plan: Plan, sources: Mapping[str, Source], target: Source, cancellation: Cancellation | None = None
) -> tuple[GoingBack, ...]:
    """The tags that stand for newer content at `target` than the content that `plan` brings."""

    def judged(image: PlannedImage) -> GoingBack | None:
        try:
            return _judged(image, plan, sources[image.source_store], target)
        except Interrupted:
            raise
        except TransloadError:  # only a note would have come of it
            return None

    moving = [image for image in plan.images if image.replaces is not None and image.target.tag]
    return tuple(filter(None, in_parallel(judged, moving, _THREADS, cancellation)))


def _judged(image: PlannedImage, plan: Plan, source: Source, target: Source) -> GoingBack | None:
    new = plan.manifests.get(image.digest) if image.digest else None
    if new is None or image.replaces is None:
        return None
    then = made_at(new, source, image.source)
    if then is None:
        return None
    now = made_at(target.fetch(image.target.at(image.replaces)), target, image.target)
    return GoingBack(image.target, now, then) if now is not None and now > then else None


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
