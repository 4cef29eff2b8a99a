"""Turns what both sides have into steps: surveyed images and the target's content in, a plan out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from transload.errors import NotFound, PlatformUnavailable, Side
from transload.graph import Node, walk
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.cosign import subject_of
from transload.planning.companions import Companion
from transload.planning.plan import BlobStep, ManifestStep, Plan, PlannedImage, Requests, Share, Status, Step
from transload.planning.request import Request
from transload.planning.survey import Surveyed
from transload.planning.targetcontent import TargetContent
from transload.ports import RequestCosts


def draft(
    target: str,
    request: Request,
    surveyed: Iterable[Surveyed],
    holdings: TargetContent,
    stays: Callable[[Surveyed, Descriptor], bool],
    request_costs_of: Mapping[str, RequestCosts | None],
    target_costs: RequestCosts | None,
) -> Plan:
    """Lay the steps out: every blob copied once and mounted elsewhere, children before parents, tags last.

    What refers to an image comes after the image and before its tag: older versions of Harbor refuse a manifest whose
    subject is absent, and whoever finds the tag finds the signatures, too.
    """
    drafting = Drafting(request, holdings, stays)
    numbered = sorted(enumerate(surveyed), key=lambda pair: subject_of(pair[1].item.target.tag) is not None)
    drafted = {number: drafting.image(image) for number, image in numbered}
    images = tuple(drafted[number] for number in sorted(drafted))
    requests = _requests(drafting.steps, drafting.manifests, request_costs_of, target_costs)
    return Plan(
        target=target, images=images, steps=tuple(drafting.steps), manifests=drafting.manifests, requests=requests
    )


class Drafting:
    """The steps of the images so far, in the order in which they are given."""

    def __init__(
        self, request: Request, holdings: TargetContent, stays: Callable[[Surveyed, Descriptor], bool]
    ) -> None:
        self.request = request
        self.holdings = holdings
        self.stays = stays
        self.steps: list[Step] = []
        self.manifests: dict[Digest, Manifest] = {}
        self._placed: dict[tuple[str, Digest, str | None], int] = {}
        # Where the target has a blob, or will have it after a step: other repositories can mount it from there.
        self._carriers: dict[Digest, tuple[str, int | None]] = {
            digest: (repository, None) for repository, digest in sorted(holdings.pairs)
        }

    def image(self, image: Surveyed) -> PlannedImage:
        """Add the steps of one image."""
        item = image.item
        if image.error is not None:
            missing = isinstance(image.error, NotFound) and not isinstance(image.error, PlatformUnavailable)
            return PlannedImage(
                source_store=item.source_store,
                source=item.source,
                target=item.target,
                status="missing" if missing else "failed",
                excused=missing and (item.optional or self.request.allow_missing),
                error=image.error,
            )
        counting = _Counting()
        self._subject_first(image, counting)
        goals = [
            goal for companion in image.extras if (goal := self._companion(image, companion, counting)) is not None
        ]
        if image.root is not None:
            goals.append(self._tree(image, image.root, counting, item.target.tag, needs=tuple(goals)))
        return PlannedImage(
            source_store=item.source_store,
            source=item.source,
            target=item.target,
            status=_status(image, goals),
            digest=image.digest,
            source_digest=image.source_digest,
            goals=tuple(dict.fromkeys(goals)),
            copied=counting.copied,
            mounted=counting.mounted,
            present=counting.present,
            notes=image.notes + tuple(self._foreign_notes(image)),
            replaces=image.at_target.digest if image.at_target and image.at_target.digest != image.digest else None,
        )

    def _subject_first(self, image: Surveyed, counting: _Counting) -> None:
        """Bring the image under its digest if something that refers to it is to follow.

        An image without such companions is stored once, under its tag: that saves a request.
        """
        repository = image.item.target.repository
        if image.root is None or self.holdings.has(repository, image.root.manifest.digest):
            return
        if any(_subject_of(each.node.manifest, each.tag) and self._is_lacking(image, each) for each in image.extras):
            self._tree(image, image.root, counting, None)

    def _companion(self, image: Surveyed, companion: Companion, counting: _Counting) -> int | None:
        if not self._is_lacking(image, companion):
            return None
        return self._tree(image, companion.node, counting, companion.tag)

    def _is_lacking(self, image: Surveyed, companion: Companion) -> bool:
        repository, digest = image.item.target.repository, companion.node.manifest.digest
        named = companion.tag is None or (Name(repository, companion.tag), digest) in self.holdings.names
        return not (named and self.holdings.has(repository, digest))

    def _tree(
        self, image: Surveyed, root: Node, counting: _Counting, tag: str | None, needs: tuple[int, ...] = ()
    ) -> int:
        """Add steps for everything below `root` that is missing, then for `root` under its tag; the last step's id."""
        repository = image.item.target.repository
        if self.holdings.has(repository, root.manifest.digest):  # and so all below it: only the name is missing
            return self._manifest(image, root, tag, needs)
        ids: dict[Digest, int] = {}
        for node in walk(root, lambda node: not self.holdings.has(repository, node.manifest.digest)):
            manifest = node.manifest
            below = [ids[child.manifest.digest] for child in node.children if child.manifest.digest in ids]
            blobs = (self._blob(image, blob, counting) for blob in self._wanted(image, manifest))
            own = [step for step in blobs if step is not None]
            name = tag if node is root else None
            more = (*self._subject(repository, manifest, name), *(needs if node is root else ()))
            ids[manifest.digest] = self._manifest(image, node, name, tuple(dict.fromkeys((*own, *below, *more))))
        return ids[root.manifest.digest]

    def _subject(self, repository: str, manifest: Manifest, tag: str | None) -> tuple[int, ...]:
        """The step that stores what this manifest refers to, if there is one."""
        subject = _subject_of(manifest, tag)
        step = self._placed.get((repository, subject, "")) if subject else None
        return () if step is None else (step,)

    def _wanted(self, image: Surveyed, manifest: Manifest) -> Iterable[Descriptor]:
        unique = {blob.digest: blob for blob in manifest.blobs}
        return (blob for blob in unique.values() if not self.stays(image, blob))

    def _foreign_notes(self, image: Surveyed) -> Iterable[str]:
        if image.root is None:
            return
        blobs = {blob.digest: blob for node in walk(image.root) for blob in node.manifest.blobs}
        staying = [blob for blob in blobs.values() if self.stays(image, blob)]
        if staying:
            phrase = "1 foreign layer stays" if len(staying) == 1 else f"{len(staying)} foreign layers stay"
            held = f"{image.item.source_store} does not hold {'it' if len(staying) == 1 else 'them'}"
            option = f"--foreign-layers copies {'it' if len(staying) == 1 else 'them'}"
            yield f"{phrase} with the publisher; {held if self.request.foreign_layers else option}"

    def _blob(self, image: Surveyed, blob: Descriptor, counting: _Counting) -> int | None:
        item = image.item
        repository = item.target.repository
        if self.holdings.has(repository, blob.digest):
            counting.count_present((repository, blob.digest), blob.size)
            return None
        key = (self.holdings.scope(repository), blob.digest, None)
        if key in self._placed:
            return self._placed[key]
        origin, after = self._carriers.get(blob.digest, (None, None))
        step = BlobStep(
            id=len(self.steps),
            descriptor=blob,
            source_store=item.source_store,
            source_repository=item.source.repository,
            repository=repository,
            origin=origin,
            after=after,
        )
        self._add(step, key)
        if origin is None:
            self._carriers[blob.digest] = (repository, step.id)
            counting.copied = counting.copied.plus(blob.size)
        else:
            counting.mounted = counting.mounted.plus(blob.size)
        return step.id

    def _manifest(self, image: Surveyed, node: Node, tag: str | None, needs: tuple[int, ...]) -> int:
        repository, manifest = image.item.target.repository, node.manifest
        key = (repository, manifest.digest, tag or "")
        if key not in self._placed:
            self.manifests[manifest.digest] = manifest
            name = Name(repository, tag, None if tag else manifest.digest)
            item = image.item
            step = ManifestStep(
                id=len(self.steps),
                digest=manifest.digest,
                name=name,
                needs=needs,
                source_store=item.source_store,
                source_repository=item.source.repository,
                left_out=_left_out(node),
            )
            self._add(step, key)
        return self._placed[key]

    def _add(self, step: Step, key: tuple[str, Digest, str | None]) -> None:
        self.steps.append(step)
        self._placed[key] = step.id


def _left_out(node: Node) -> tuple[Digest, ...]:
    children = {child.manifest.digest for child in node.children}
    return tuple(dict.fromkeys(child.digest for child in node.manifest.manifests if child.digest not in children))


class _Counting:
    def __init__(self) -> None:
        self.copied = self.mounted = self.present = Share()
        self._seen: set[tuple[str, Digest]] = set()

    def count_present(self, pair: tuple[str, Digest], size: int) -> None:
        if pair not in self._seen:
            self._seen.add(pair)
            self.present = self.present.plus(size)


def _status(image: Surveyed, goals: list[int]) -> Status:
    if not goals:
        return "unchanged"
    return "new" if image.at_target is None else "changed"


def _requests(
    steps: Iterable[Step],
    manifests: Mapping[Digest, Manifest],
    request_costs_of: Mapping[str, RequestCosts | None],
    target: RequestCosts | None,
) -> Requests:
    source_count = target_count = 0
    at_least: set[Side] = set()
    for step in steps:
        if isinstance(step, ManifestStep):
            noted = manifests[step.digest].subject is not None
            target_count += target.put_manifest + noted * target.note_referrer if target else 0
        elif step.origin is not None:
            target_count += target.mount if target else 0
            at_least |= {"target"} if target and not target.mounts_known else set()
        else:
            source = request_costs_of.get(step.source_store)
            source_count += source.open if source else 0
            at_least |= {"source"} if source and not source.reads_at_once(step.descriptor.size) else set()
            target_count += target.ingest(step.descriptor.size) if target else 0
            at_least |= {"target"} if target and not target.ingests_known else set()
    return Requests(source_count, target_count, at_least=frozenset(at_least))


def _subject_of(manifest: Manifest, tag: str | None) -> Digest | None:
    """What a manifest refers to, by its subject or by its tag: Harbor 2.5 wants the image for a tag of cosign, too."""
    return manifest.subject.digest if manifest.subject else subject_of(tag)
