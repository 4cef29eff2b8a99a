"""What the sources of a set say: are the images there, do they send parts of blobs, and how fast do bytes come."""

from __future__ import annotations

from collections.abc import Iterator

from transload.app.check.uploads import SPEED_BYTES, SPEED_S
from transload.app.mirror import Prepared
from transload.clock import Clock
from transload.planning.plan import BlobStep
from transload.ports import Source
from transload.report.checkup import CheckPoint
from transload.report.texts import count, rate, size
from transload.threads import in_parallel

_STREAMS = 4
_LEAST = 64 << 10
_NAMED = 3


def image_points(prepared: Prepared, locator: str) -> Iterator[CheckPoint]:
    """Whether the images of the set that come from this source can be copied; nothing if there are none."""
    images = [image for image in prepared.plan.images if image.source_store == locator]
    failed = [image for image in images if image.error is not None and not image.excused]
    errors = [image.error for image in failed if image.error is not None]
    if errors:
        names = ", ".join(str(image.source) for image in failed[:_NAMED])
        more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        found = f"{len(failed)} of {count(len(images), 'image')} cannot be copied: {names}{more}: {errors[0]}"
        yield CheckPoint.failed("images", locator, errors[0], found)
    elif images:
        found = f"{count(len(images), 'image')} of the set can be copied"
        yield CheckPoint(aspect="images", verdict="ok", store=locator, found=found, facts={"images": len(images)})


def sample(prepared: Prepared, locator: str) -> BlobStep | None:
    """The largest blob that would be copied from a source."""
    steps = [
        step
        for step in prepared.plan.blob_steps()
        if step.source_store == locator and step.origin is None and not step.descriptor.is_foreign
    ]
    return max(steps, key=lambda step: step.descriptor.size, default=None)


def download_speed(source: Source, step: BlobStep, clock: Clock) -> CheckPoint:
    """How fast bytes come, over a few connections: at most `SPEED_BYTES`, some `SPEED_S` seconds. Nothing is kept."""
    length = min(step.descriptor.size, SPEED_BYTES)
    if length < _LEAST:
        return CheckPoint(
            aspect="download speed", verdict="unknown", store=source.locator, found="its blobs are too small to measure"
        )
    part, began_s = length // _STREAMS, clock.monotonic_s()

    def read(number: int) -> int:
        arrived = 0
        with source.open(step.source_repository, step.descriptor, number * part, part) as chunks:
            for chunk in chunks:
                arrived += len(chunk)
                if clock.monotonic_s() - began_s >= SPEED_S:
                    break
        return arrived

    total = sum(in_parallel(read, range(_STREAMS), _STREAMS))
    bytes_per_s = total / max(clock.monotonic_s() - began_s, 1e-3)
    return CheckPoint(
        aspect="download speed",
        verdict="ok",
        store=source.locator,
        found=f"{rate(bytes_per_s)} ({size(total)} read)",
        facts={"bytes_per_s": int(bytes_per_s)},
    )


def ranges(source: Source) -> CheckPoint | None:
    """Whether a registry sends parts of blobs, after `download_speed` has asked for some."""
    capabilities = getattr(source, "capabilities", None)
    if capabilities is None:
        return None
    sends = capabilities.ranges
    if sends is None:
        return CheckPoint(aspect="ranges", verdict="unknown", store=source.locator, found="no blob was read")
    found = "parts of blobs are sent" if sends else "blobs are sent only whole: a download that breaks starts over"
    return CheckPoint(aspect="ranges", verdict="ok", store=source.locator, found=found, facts={"ranges": sends})
