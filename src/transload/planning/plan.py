"""The plan: frozen steps with what each needs, and their sums per image and in total."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from transload.errors import Side, TransloadError
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.values import define, field, frozen

if TYPE_CHECKING:
    from transload.planning.shares import ShareNumber

Status = Literal["unchanged", "new", "changed", "missing", "failed"]
"""`missing`: the source lacks it. `failed`: it could not be planned; `error` says why."""


@frozen(kw_only=True)
class BlobStep:
    """Make a blob visible in a repository of the target: by mounting from `origin`, else by copying its bytes.

    `after` is the step that brings the blob to `origin`. This step waits for it, but does not fail with it.
    """

    id: int
    descriptor: Descriptor
    source_store: str
    source_repository: str
    repository: str
    origin: str | None = None
    after: int | None = None

    @property
    def needs(self) -> tuple[int, ...]:
        """None: no other step has to succeed first."""
        return ()

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.repository}@{self.descriptor.digest.short}"


@frozen(kw_only=True)
class ManifestStep:
    """Store a manifest of `Plan.manifests` under `name`, once every step in `needs` has succeeded.

    `left_out` are the children of a sparse index that are not copied on purpose.
    """

    id: int
    digest: Digest
    name: Name
    needs: tuple[int, ...]
    source_store: str
    source_repository: str
    left_out: tuple[Digest, ...] = ()

    @property
    def after(self) -> None:
        """None: a manifest waits only for its needs."""
        return

    @property
    def label(self) -> str:
        """For people."""
        return (
            f"{self.name.repository}:{self.name.tag}"
            if self.name.tag
            else f"{self.name.repository}@{self.digest.short}"
        )


Step = BlobStep | ManifestStep
"""One thing to do for a plan. Steps are numbered by `id`, and none needs a later one."""


@frozen
class Share:
    """A count of blobs and their bytes.

    `bytes` is the sum of their sizes.
    """

    blobs: int = 0
    bytes: int = 0

    def plus(self, size: int) -> Share:
        """With one more blob."""
        return Share(self.blobs + 1, self.bytes + size)


@frozen(kw_only=True)
class PlannedImage:
    """One wanted image: where it is, what it will be called, what has to be done for it.

    `replaces` is the digest that the target's name stands for now, if it is another one.

    `goals` are the steps that complete it (empty when nothing is to be done). `copied`, `mounted` and `present` count
    each (repository, blob) pair once; a blob that several images of a repository share counts for the first.

    `digest` is what `target` will stand for, `source_digest` what `source` stands for; None where that is not known.
    `status` is `new`, `changed`, `unchanged`, `missing` at the source, or `failed`; the last two have an `error`. With
    `excused`, the error is allowed: the image was optional, or missing ones are.
    """

    source_store: str
    source: Name
    target: Name
    status: Status
    digest: Digest | None = None
    source_digest: Digest | None = None
    goals: tuple[int, ...] = ()
    copied: Share = Share()
    mounted: Share = Share()
    present: Share = Share()
    notes: tuple[str, ...] = ()
    excused: bool = False
    replaces: Digest | None = None
    error: TransloadError | None = field(default=None, eq=False)

    @property
    def label(self) -> str:
        """For people."""
        return str(self.target)

    @property
    def called(self) -> Name:
        """The image's name in a bundle. Without a tag, it has its digest there, which is new for a narrowed index."""
        if self.target.tag is not None or self.digest is None:
            return self.target
        return self.target.at(self.digest)

    @property
    def source_label(self) -> str:
        """Store and name at the source, as people write it on the command line."""
        return f"{self.source_store}/{self.source}"


@frozen
class Requests:
    """How many requests each side sees when nothing has to be repeated; 0 for local stores.

    On a side in `at_least` there may be more, such as at a target of which it is not known that it mounts blobs.
    """

    source: int = 0
    target: int = 0
    at_least: frozenset[Side] = field(default=frozenset(), kw_only=True)

    def __add__(self, other: Requests) -> Requests:
        return Requests(self.source + other.source, self.target + other.target, at_least=self.at_least | other.at_least)

    def __sub__(self, other: Requests) -> Requests:
        return Requests(self.source - other.source, self.target - other.target, at_least=self.at_least)


@define(frozen=True, slots=False, kw_only=True)
class Plan:
    """What will be done at `target` (a locator), in an order in which every step follows what it needs.

    `images` are in the order of the request, `manifests` has the manifests that are stored, by digest. `requests` is
    what the steps will cost when nothing has to be repeated, `asked` what was asked to make the plan: a run asks both.
    The file format is docs/formats/plan.md; it has no `asked`, so that equal plans are equal files. `share` says which
    share of a plan this one is; then it brings blobs and completes no image, and is never a file.
    """

    target: str
    images: tuple[PlannedImage, ...]
    steps: tuple[Step, ...]
    manifests: Mapping[Digest, Manifest] = field(repr=False)
    requests: Requests = Requests()
    asked: Requests = field(default=Requests(), eq=False)
    share: ShareNumber | None = None

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The locators of every store that is read."""
        used = {image.source_store for image in self.images}
        return tuple(sorted(used | {step.source_store for step in self.blob_steps()}))

    @property
    def is_done(self) -> bool:
        """Whether the target has everything, as far as both sides could be asked."""
        return not (self.steps or self.failures or self.is_elsewhere)

    @property
    def is_elsewhere(self) -> bool:
        """Whether there is something to do without any step of ours: an engine copies."""
        return not self.steps and self.count("new", "changed") > 0

    def blob_steps(self) -> Iterator[BlobStep]:
        """The steps that bring blobs."""
        return (step for step in self.steps if isinstance(step, BlobStep))

    @cached_property
    def copied(self) -> Share:
        """The blobs to read from the sources."""
        return _sum(image.copied for image in self.images)

    @cached_property
    def mounted(self) -> Share:
        """The blobs that the target has, or will have, and that only have to be mounted in another repository."""
        return _sum(image.mounted for image in self.images)

    @cached_property
    def present(self) -> Share:
        """The blobs that are there already, as far as the target was asked: unchanged images are not counted."""
        return _sum(image.present for image in self.images)

    def count(self, *status: Status) -> int:
        """How many images have one of these statuses."""
        return sum(image.status in status for image in self.images)

    def size_of(self, image: PlannedImage) -> int | None:
        """Bytes of the manifests and distinct blobs of an image; None if the plan does not hold all its manifests."""
        sizes: dict[Digest, int] = {}
        pending = [image.digest]
        while pending:
            digest = pending.pop()
            manifest = self.manifests.get(digest) if digest else None
            if manifest is None:
                return None
            sizes[manifest.digest] = len(manifest.raw)
            sizes |= {blob.digest: blob.size for blob in manifest.blobs}
            pending += [child.digest for child in manifest.manifests if child.digest not in sizes]
        return sum(sizes.values())

    @property
    def failures(self) -> tuple[PlannedImage, ...]:
        """Images that cannot be copied, and are not excused (optional, or missing ones allowed)."""
        return tuple(image for image in self.images if image.error is not None and not image.excused)


def _sum(shares: Iterator[Share]) -> Share:
    blobs = size = 0
    for share in shares:
        blobs, size = blobs + share.blobs, size + share.bytes
    return Share(blobs, size)
