"""What a target holds, as a value: repositories, their tags, and the digests of their manifests and blobs.

It is taken where the target is (`transload.inventory.take`) and carried back as a file
(`transload.inventory.file`). A plan that is made where nobody can ask the target uses it instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NoReturn

from transload.errors import ManifestUnknown, ReadOnly, Refused, RepositoryUnknown
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.reference import check_repository, check_tag
from transload.ports import RequestCosts
from transload.values import define, frozen


@frozen
class RepositoryContent:
    """What one repository holds: what its tags stand for, and everything that these lead to.

    `tags` maps each tag to the digest of its manifest. `manifests` and `blobs` are the digests that the repository
    holds.
    """

    tags: Mapping[str, Digest]
    manifests: frozenset[Digest]
    blobs: frozenset[Digest]


@define(frozen=True, slots=False, kw_only=True)
class Inventory:
    """Everything under `prefix` at `target` (a locator). Names of repositories are relative to the prefix.

    `manifests` and `blobs` describe each digest once; `repositories` only name digests. `notes` say what could not
    be read. Raises `ReferenceInvalid` for an invalid name, `ValueError` for a digest that is not described.

    `blobs` maps digests to sizes in bytes. `blobs_per_repository` says whether the target keeps the blobs of each
    repository apart, as registries do. The file format is docs/formats/inventory.md.
    """

    target: str
    prefix: str
    blobs_per_repository: bool
    manifests: Mapping[Digest, Descriptor]
    blobs: Mapping[Digest, int]
    repositories: Mapping[str, RepositoryContent]
    notes: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.prefix:
            check_repository(self.prefix)
        for relative, content in self.repositories.items():
            Name(self.full(relative))
            for tag in content.tags:
                check_tag(tag)
            described = content.manifests <= self.manifests.keys() and content.blobs <= self.blobs.keys()
            if not (described and content.manifests.issuperset(content.tags.values())):
                raise ValueError(f"the repository {relative!r} lists digests that the inventory does not describe")

    def full(self, relative: str) -> str:
        """The repository's name at the target."""
        return "/".join(filter(None, (self.prefix, relative)))

    def holders(self, digest: Digest) -> tuple[str, ...]:
        """Every repository of the target that holds this blob, by its full name: the `elsewhere` of `make_plan`."""
        return self._holders.get(digest, ())

    @cached_property
    def _holders(self) -> Mapping[Digest, tuple[str, ...]]:
        holders: dict[Digest, tuple[str, ...]] = {}
        for relative in sorted(filter(self.full, self.repositories)):  # in a folder there may be one without a name
            for digest in self.repositories[relative].blobs:
                holders[digest] = (*holders.get(digest, ()), self.full(relative))
        return holders


class InventoryTarget:
    """A target that answers a planner's questions from an inventory. Nothing can be written to it.

    If the target is a registry, it can mount: a blob that another repository holds need not be copied. With
    `request_costs`, a plan says how many requests the real target will see.
    """

    refers: None = None

    def __init__(self, inventory: Inventory, request_costs: RequestCosts | None = None) -> None:
        self.inventory = inventory
        self.locator = inventory.target
        self.blobs_per_repository = inventory.blobs_per_repository
        self.request_costs = request_costs
        self._contents = {inventory.full(relative): content for relative, content in inventory.repositories.items()}

    @property
    def mounts(self) -> InventoryTarget | None:
        """Itself: the planner only needs to know that the target can mount."""
        return self if self.blobs_per_repository else None

    # --- Resolves

    def resolve(self, name: Name) -> Descriptor:
        """The descriptor that `name` stood for when the inventory was taken. Raises `NotFound`."""
        digest = name.digest
        if digest is None:
            content = self._contents.get(name.repository)
            digest = content.tags.get(name.tag or "") if content else None
        if digest is None or not self._has(name.repository, digest):
            raise ManifestUnknown(f"the inventory of {self.locator} has no {name}", subject=str(name))
        return self.inventory.manifests[digest]

    def fetch(self, name: Name) -> Manifest:
        """Refused: an inventory has digests, not content."""
        self._refuse(f"reading {name}")

    def tags(self, repository: str) -> Iterator[str]:
        """Every tag of a repository, sorted. Raises `RepositoryUnknown`."""
        if repository not in self._contents:
            raise RepositoryUnknown(
                f"the inventory of {self.locator} has no repository {repository}", subject=repository
            )
        return iter(sorted(self._contents[repository].tags))

    def repositories(self) -> Iterator[str]:
        """Every repository of the inventory by its full name, sorted."""
        return iter(sorted(self._contents))

    # --- Reads

    def exists(self, repository: str, descriptor: Descriptor) -> bool:
        """Whether the inventory lists this blob or manifest, with this size, in the repository."""
        digest, inventory = descriptor.digest, self.inventory
        manifest = inventory.manifests.get(digest)
        size = inventory.blobs.get(digest) if manifest is None else manifest.size
        return size == descriptor.size and self._has(repository, digest)

    def open(self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None) -> NoReturn:  # noqa: ARG002 - the port's signature
        """Refused: an inventory has digests, not content."""
        self._refuse(f"reading {repository}@{descriptor.digest.short}")

    def _has(self, repository: str, digest: Digest) -> bool:
        contents = [self._contents.get(repository)] if self.blobs_per_repository else self._contents.values()
        return any(content and (digest in content.manifests or digest in content.blobs) for content in contents)

    # --- Ingests, Names, Mounts

    def begin(self, repository: str, descriptor: Descriptor) -> NoReturn:
        """Refused: nothing can be written into an inventory."""
        raise self._read_only(f"{repository}@{descriptor.digest.short}")

    def put_manifest(self, name: Name, manifest: Manifest, *, part: bool = False, sparse: bool = False) -> NoReturn:  # noqa: ARG002 - the port's signature
        """Refused: nothing can be written into an inventory."""
        raise self._read_only(str(name))

    def mount(self, descriptor: Descriptor, origin: str, repository: str) -> NoReturn:  # noqa: ARG002 - the port's signature
        """Refused: nothing can be written into an inventory."""
        raise self._read_only(f"{repository}@{descriptor.digest.short}")

    def _refuse(self, doing: str) -> NoReturn:
        raise Refused(f"{doing}: an inventory of {self.locator} has no content", subject=self.locator)

    def _read_only(self, what: str) -> ReadOnly:
        return ReadOnly(f"an inventory of {self.locator} does not take {what}", subject=self.locator)
