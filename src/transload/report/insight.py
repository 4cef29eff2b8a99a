"""What a report file says beyond the result: layers and platforms of images, and how the run went over time.

All of it is optional: reports of older versions have none of it, and what a run did not learn is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from transload.limits import REPORT_LAYERS
from transload.values import frozen

if TYPE_CHECKING:
    from transload.errors import Side
    from transload.oci import Digest
    from transload.planning import Plan
    from transload.planning.plan import PlannedImage
    from transload.report.foundrecord import FoundRecord

HaltKind = Literal["retry", "wait", "pause"]
"""`retry`: an attempt at a blob failed, and another follows. `wait`: a host gives no useful answer. `pause`: a run
waits for its hours."""
HALTS: tuple[HaltKind, ...] = ("retry", "wait", "pause")


@frozen(kw_only=True)
class ReportLayer:
    """A layer that an image of the run has."""

    digest: Digest
    size: int


@frozen(kw_only=True)
class ImageInsight:
    """Of one image: the numbers of its layers in `Insight.layers`, and the platforms that its index names.

    `began_s` is when its first step began, in seconds from the begin of copying; None if none did.
    """

    layers: tuple[int, ...] = ()
    platforms: tuple[str, ...] = ()
    began_s: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The further keys of an image object."""
        return {"platforms": list(self.platforms), "layers": list(self.layers), "began_s": _rounded(self.began_s)}


@frozen(kw_only=True)
class RunHalt:
    """Something did not move for a while: from `at_s` on, in seconds from the begin of copying, for `wait_s` seconds.

    `about` is the image or the host. `code` is that of the error, None for a pause.
    """

    at_s: float
    kind: HaltKind
    wait_s: float = 0.0
    about: str = ""
    side: Side | None = None
    code: str | None = None

    def to_json(self) -> dict[str, Any]:
        """One entry of `course.halts`."""
        return {
            "at_s": _rounded(self.at_s),
            "kind": self.kind,
            "wait_s": _rounded(self.wait_s),
            "about": self.about,
            "side": self.side,
            "code": self.code,
        }


@frozen(kw_only=True)
class RunCourse:
    """How the bytes moved: for each step of `step_s` seconds, those that came from the sources and went to the target.

    `source` is empty where no source counts its bytes, as a folder. `halts` are the first ones; `more_halts` followed.
    """

    step_s: float
    source: tuple[int, ...] = ()
    target: tuple[int, ...] = ()
    halts: tuple[RunHalt, ...] = ()
    more_halts: int = 0

    def to_json(self) -> dict[str, Any]:
        """The `course` object of docs/formats/report.md."""
        return {
            "step_s": self.step_s,
            "source": list(self.source),
            "target": list(self.target),
            "halts": [halt.to_json() for halt in self.halts],
            "more_halts": self.more_halts,
        }


@frozen(kw_only=True)
class Insight:
    """What is known beyond the result. `images` are in the order of the result's, or none.

    `record` is the transfer record of the run, if one was written, without its images.
    """

    layers: tuple[ReportLayer, ...] = ()
    images: tuple[ImageInsight, ...] = ()
    course: RunCourse | None = None
    record: FoundRecord | None = None

    def added_to(self, document: dict[str, Any]) -> dict[str, Any]:
        """The result object with these keys more; its images get theirs."""
        images = document["images"]
        if len(images) == len(self.images):
            for image, more in zip(images, self.images, strict=True):
                image.update(more.to_json())
        return {
            **document,
            "layers": [{"digest": layer.digest, "size": layer.size} for layer in self.layers],
            "course": self.course.to_json() if self.course else None,
            "record": self.record.to_json() if self.record else None,
        }


def insight_of(plan: Plan, began: Iterable[float | None], course: RunCourse | None) -> Insight:
    """What a plan knows of its images. `began` says of each when its first step began.

    Each layer is listed once. When there are too many, further images have none.
    """
    layers: dict[Digest, int] = {}
    numbers: dict[Digest, int] = {}
    images = []
    for image, began_s in zip(plan.images, began, strict=True):
        found, platforms = _contents(plan, image)
        if len(numbers) + len(found) > REPORT_LAYERS:
            found = {}
        for digest, size in found.items():
            numbers.setdefault(digest, len(numbers))
            layers.setdefault(digest, size)
        images.append(
            ImageInsight(layers=tuple(numbers[digest] for digest in found), platforms=platforms, began_s=began_s)
        )
    listed = tuple(ReportLayer(digest=digest, size=size) for digest, size in layers.items())
    return Insight(layers=listed, images=tuple(images), course=course)


def _contents(plan: Plan, image: PlannedImage) -> tuple[Mapping[Digest, int], tuple[str, ...]]:
    """The layers below an image, as far as the plan has its manifests, and the platforms that it is for."""
    layers: dict[Digest, int] = {}
    platforms: dict[str, None] = {}
    seen: set[Digest] = set()
    pending = [image.digest] if image.digest else []
    while pending:
        digest = pending.pop(0)
        manifest = plan.manifests.get(digest)
        if manifest is None or digest in seen:
            continue
        seen.add(digest)
        layers |= {layer.digest: layer.size for layer in manifest.layers}
        for child in manifest.manifests:
            pending.append(child.digest)
            if child.platform is not None and child.platform.os != "unknown" and child.digest in plan.manifests:
                platforms[str(child.platform)] = None
    return layers, tuple(platforms)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
