"""From what was found to what is to be done: surveyed images and holdings in, a plan out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from transload.errors import NotFound, PlatformUnavailable
from transload.graph import Node, walk
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.planning.plan import BlobStep, ManifestStep, Plan, PlannedImage, Requests, Share, Status, Step
from transload.planning.request import Request
from transload.planning.survey import Companion, Surveyed
from transload.planning.targetcontent import TargetContent
from transload.ports import RequestCosts


def draft(
    target: str,
    request: Request,
    surveyed: Iterable[Surveyed],
    holdings: TargetContent,
    stays: Callable[[Surveyed, Descriptor], bool],
    request_costs_of: Mapping[str, RequestCosts | None],
    target_tariff: RequestCosts | None,
) -> Plan:
    """Lay the steps out: every blob copied once and mounted elsewhere, children before parents, tags last."""
    drafting = _Drafting(request, holdings, stays)
    images = tuple(drafting.image(found) for found in surveyed)
    requests = _requests(drafting.steps, request_costs_of, target_tariff)
    return Plan(target, images, tuple(drafting.steps), drafting.manifests, requests)


class _Drafting:
    def __init__(
        self, request: Request, holdings: TargetContent, stays: Callable[[Surveyed, Descriptor], bool]
    ) -> None:
        self.request = request
        self.holdings = holdings
        self.stays = stays
        self.steps: list[Step] = []
        self.manifests: dict[Digest, Manifest] = {}
        self._placed: dict[tuple[str, Digest, str | None], int] = {}
        # Where the target has a blob, or will have it after a step: what later repositories mount it from.
        self._carriers: dict[Digest, tuple[str, int | None]] = {
            digest: (repository, None) for repository, digest in sorted(holdings.pairs)
        }

    def image(self, found: Surveyed) -> PlannedImage:
        item = found.item
        if found.error is not None:
            missing = isinstance(found.error, NotFound) and not isinstance(found.error, PlatformUnavailable)
            return PlannedImage(
                item.source_store,
                item.source,
                item.target,
                "missing" if missing else "failed",
                excused=missing and (item.optional or self.request.allow_missing),
                error=found.error,
            )
        counting = _Counting()
        goals = [goal for extra in found.extras if (goal := self._extra(found, extra, counting)) is not None]
        if found.root is not None:
            goals.append(self._tree(found, found.root, counting, item.target.tag, needs=tuple(goals)))
        return PlannedImage(
            item.source_store,
            item.source,
            item.target,
            _status(found, goals),
            found.digest,
            found.source_digest,
            tuple(dict.fromkeys(goals)),
            counting.copied,
            counting.mounted,
            counting.present,
            found.notes + tuple(self._foreign_notes(found)),
            replaces=found.at_target.digest if found.at_target and found.at_target.digest != found.digest else None,
        )

    def _extra(self, found: Surveyed, extra: Companion, counting: _Counting) -> int | None:
        repository, digest = found.item.target.repository, extra.node.manifest.digest
        named = extra.tag is None or (Name(repository, extra.tag), digest) in self.holdings.names
        if named and self.holdings.has(repository, digest):
            return None
        return self._tree(found, extra.node, counting, extra.tag)

    def _tree(
        self, found: Surveyed, root: Node, counting: _Counting, tag: str | None, needs: tuple[int, ...] = ()
    ) -> int:
        """Steps for everything below `root` that is not there, then for `root` under its tag; the last one's id."""
        repository = found.item.target.repository
        if self.holdings.has(repository, root.manifest.digest):  # with all below it: only the name is lacking
            return self._manifest(found, root, tag, needs)
        ids: dict[Digest, int] = {}
        for node in walk(root, lambda node: not self.holdings.has(repository, node.manifest.digest)):
            manifest = node.manifest
            below = [ids[child.manifest.digest] for child in node.children if child.manifest.digest in ids]
            blobs = (self._blob(found, blob, counting) for blob in self._wanted(found, manifest))
            own = [step for step in blobs if step is not None]
            more = needs if node is root else ()
            ids[manifest.digest] = self._manifest(
                found, node, tag if node is root else None, tuple(dict.fromkeys((*own, *below, *more)))
            )
        return ids[root.manifest.digest]

    def _wanted(self, found: Surveyed, manifest: Manifest) -> Iterable[Descriptor]:
        unique = {blob.digest: blob for blob in manifest.blobs}
        return (blob for blob in unique.values() if not self.stays(found, blob))

    def _foreign_notes(self, found: Surveyed) -> Iterable[str]:
        if found.root is None:
            return
        blobs = {blob.digest: blob for node in walk(found.root) for blob in node.manifest.blobs}
        left = [blob for blob in blobs.values() if self.stays(found, blob)]
        if left:
            stay = "1 foreign layer stays" if len(left) == 1 else f"{len(left)} foreign layers stay"
            held = f"{found.item.source_store} does not hold {'it' if len(left) == 1 else 'them'}"
            way = f"--foreign-layers copies {'it' if len(left) == 1 else 'them'}"
            yield f"{stay} with the publisher; {held if self.request.foreign_layers else way}"

    def _blob(self, found: Surveyed, blob: Descriptor, counting: _Counting) -> int | None:
        item = found.item
        repository = item.target.repository
        if self.holdings.has(repository, blob.digest):
            counting.count_present((repository, blob.digest), blob.size)
            return None
        key = (self.holdings.scope(repository), blob.digest, None)
        if key in self._placed:
            return self._placed[key]
        origin, after = self._carriers.get(blob.digest, (None, None))
        step = BlobStep(len(self.steps), blob, item.source_store, item.source.repository, repository, origin, after)
        self._add(step, key)
        if origin is None:
            self._carriers[blob.digest] = (repository, step.id)
            counting.copied = counting.copied.plus(blob.size)
        else:
            counting.mounted = counting.mounted.plus(blob.size)
        return step.id

    def _manifest(self, found: Surveyed, node: Node, tag: str | None, needs: tuple[int, ...]) -> int:
        repository, manifest = found.item.target.repository, node.manifest
        key = (repository, manifest.digest, tag or "")
        if key not in self._placed:
            self.manifests[manifest.digest] = manifest
            name = Name(repository, tag, None if tag else manifest.digest)
            item = found.item
            step = ManifestStep(
                len(self.steps),
                manifest.digest,
                name,
                needs,
                item.source_store,
                item.source.repository,
                _left_out(node),
            )
            self._add(step, key)
        return self._placed[key]

    def _add(self, step: Step, key: tuple[str, Digest, str | None]) -> None:
        self.steps.append(step)
        self._placed[key] = step.id


def _left_out(node: Node) -> tuple[Digest, ...]:
    there = {child.manifest.digest for child in node.children}
    return tuple(dict.fromkeys(child.digest for child in node.manifest.manifests if child.digest not in there))


class _Counting:
    def __init__(self) -> None:
        self.copied = self.mounted = self.present = Share()
        self._seen: set[tuple[str, Digest]] = set()

    def count_present(self, pair: tuple[str, Digest], size: int) -> None:
        if pair not in self._seen:
            self._seen.add(pair)
            self.present = self.present.plus(size)


def _status(found: Surveyed, goals: list[int]) -> Status:
    if not goals:
        return "unchanged"
    return "new" if found.at_target is None else "changed"


def _requests(
    steps: Iterable[Step], request_costs_of: Mapping[str, RequestCosts | None], target: RequestCosts | None
) -> Requests:
    source_count = target_count = 0
    for step in steps:
        if isinstance(step, ManifestStep):
            target_count += target.put_manifest if target else 0
        elif step.origin is not None:
            target_count += target.mount if target else 0
        else:
            source = request_costs_of.get(step.source_store)
            source_count += source.open if source else 0
            target_count += target.ingest(step.descriptor.size) if target else 0
    return Requests(source_count, target_count)
