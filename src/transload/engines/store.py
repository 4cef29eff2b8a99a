"""The images of a docker or podman engine as a store that can be read.

An engine gives content only as an archive (`docker save`), in an order of its own. So what a run needs is saved in one
stream, in which layers that images share are once, into a file without a name. The file is then read as any archive.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property
from pathlib import Path

from transload.engines.api import EngineApi
from transload.engines.listed import ListedImage, read_listed
from transload.engines.saving import Saved
from transload.errors import (
    BlobUnknown,
    ManifestUnknown,
    NotFound,
    Refused,
    RepositoryUnknown,
    ServerTrouble,
    TransloadError,
)
from transload.oci import Descriptor, Digest, Manifest, Name, Reference
from transload.oci.reference import tags_by_repository
from transload.ports import Chunk, RequestCosts, Source
from transload.wording import hint

_NAMED = 3  # images named in one sentence
_SHORT = 12  # letters of an identifier that people write, at the least


class EngineStore:
    """The images of an engine whose names begin with `registry`; all of them if it is empty. Safe for threads.

    Names are those at the registry, without it. `folder` is where the engine's archives go while the store is open;
    `read_archive` opens one, given the file and what messages call it.
    """

    request_costs: RequestCosts | None = None
    refers: None = None

    def __init__(
        self, engine: EngineApi, registry: str, folder: Path, read_archive: Callable[[Path, str], Source]
    ) -> None:
        self.locator = f"{engine.address.kind}:{registry}"
        self._engine = engine
        self._kind = engine.address.kind
        self._registry = registry
        self._folder = folder
        self._read_archive = read_archive
        self._saving = threading.RLock()
        self._expected: tuple[Name, ...] = ()
        self._archives: dict[Name, Source] = {}
        self._made: dict[Name, Digest] = {}
        self._files = ExitStack()
        self._tells_nameless = False  # only those who want everything have to know

    def close(self) -> None:
        """Remove what was saved."""
        self._files.close()

    def expect(self, names: Iterable[Name]) -> None:
        """Say which images will be read, so that the engine saves them in one go, each layer once."""
        self._expected = tuple(dict.fromkeys(names))

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for people about the digests of what was read, and about images that have no name."""
        return (*self._notes_on_digests(), *self._notes_on_nameless())

    # --- Resolves

    def resolve(self, name: Name) -> Descriptor:
        """The descriptor that `name` stands for. Raises `NotFound`."""
        return self.fetch(name).descriptor

    def fetch(self, name: Name) -> Manifest:
        """The manifest of an image, as the engine's archive has it. Raises `NotFound`, `Refused`, `CorruptError`."""
        if not name.tag:
            return self._by_digest(name)
        manifest = self._archive_of(name).fetch(Name(name.repository, name.tag))
        self._made[Name(name.repository, name.tag)] = manifest.digest
        if name.digest and name.digest != manifest.digest:
            raise ManifestUnknown(
                f"{name} is not in {self._kind} with this digest; there it has {manifest.digest}",
                subject=str(name),
                hint="an engine keeps no published manifests: name the image by its tag only",
            )
        return manifest

    def tags(self, repository: str) -> Iterator[str]:
        """Every tag of a repository. Raises `RepositoryUnknown`."""
        if repository not in self._tags:
            raise RepositoryUnknown(f"{self.locator} has no repository {repository}", subject=repository)
        return iter(self._tags[repository])

    def repositories(self) -> Iterator[str]:
        """Every repository with an image that has a name."""
        self._tells_nameless = True
        return iter(self._tags)

    @cached_property
    def _tags(self) -> Mapping[str, Sequence[str]]:
        return tags_by_repository(self._names)

    # --- Reads

    def exists(self, repository: str, descriptor: Descriptor) -> bool:
        """Whether one of the images that were read has this content."""
        return any(archive.exists(repository, descriptor) for archive in self._opened)

    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AbstractContextManager[Iterator[Chunk]]:
        """Bytes of a blob of an image that was read. Raises `BlobUnknown`."""
        for archive in self._opened:
            if archive.exists(repository, descriptor):
                return archive.open(repository, descriptor, offset, length)
        raise BlobUnknown(f"{self.locator} has no blob {descriptor.digest.short}", subject=descriptor.digest)

    # --- what the engine has

    @cached_property
    def _listed(self) -> tuple[ListedImage, ...]:
        return read_listed(self._engine.value("GET", "/images/json", doing="listing images"))

    @cached_property
    def _names(self) -> Mapping[Name, Mapping[Reference, ListedImage]]:
        """Every name, and the full references that it may mean."""
        with self._saving:
            names: dict[Name, dict[Reference, ListedImage]] = {}
            for image in self._listed:
                for reference in image.references:
                    if self._registry in {"", reference.registry}:
                        names.setdefault(reference.name, {})[reference] = image
            return names

    def _reference(self, name: Name) -> Reference:
        """The one full name that is meant. Raises `ManifestUnknown`, `Refused` if there are several images."""
        known = self._names.get(Name(name.repository, name.tag))
        if not known:
            raise self._unknown(name)
        if len({image.identifier for image in known.values()}) > 1:
            raise Refused(
                f"{self._kind} has different images called {' and '.join(map(str, sorted(known)))}",
                subject=str(name),
                hint=f"say which registry's are meant: {self._kind}:{min(known).registry}",
            )
        return next(iter(known))

    def _unknown(self, name: Name) -> ManifestUnknown:
        text = name.repository.removeprefix("library/")
        identified = len(text) >= _SHORT and any(
            image.identifier.removeprefix("sha256:").startswith(text) for image in self._listed
        )
        return ManifestUnknown(
            f"{self._kind} has no image {self._full(name)}",
            subject=str(name),
            hint=f"{text} is an image's identifier: give it a name with {self._kind} tag {text} NAME:TAG"
            if identified
            else self._similar(name),
        )

    def _similar(self, name: Name) -> str | None:
        """The same name of other registries, which people forget; else what is written alike."""
        known = sorted(str(reference) for image in self._listed for reference in image.references)
        ending = f"/{name}".removeprefix("/library")
        same = [text for text in known if text.endswith(ending)]
        return f"it has {', '.join(same[:_NAMED])}" if same else hint(self._full(name), known, what="it has")

    def _full(self, name: Name) -> str:
        return f"{self._registry}/{name}" if self._registry else str(name)

    def _by_digest(self, name: Name) -> Manifest:
        """A manifest that was made of an archive, by its digest."""
        for archive in self._opened:
            try:
                return archive.fetch(name)
            except NotFound:
                continue
        raise ManifestUnknown(
            f"{self._kind} cannot give {self._full(name)}: an engine keeps no published manifests",
            subject=str(name),
            hint="name the image by its tag",
        )

    # --- what it saves

    @property
    def _opened(self) -> tuple[Source, ...]:
        return tuple(dict.fromkeys(self._archives.values()))

    def _archive_of(self, name: Name) -> Source:
        name = Name(name.repository, name.tag)
        with self._saving:
            if name not in self._archives:
                self._save_with(name, self._reference(name))
            return self._archives[name]

    def _save_with(self, name: Name, reference: Reference) -> None:
        """Save this image and all others that are expected; only this one, if the engine refuses them together."""
        together = {name: reference}
        for other in self._expected:
            if other.tag and other not in self._archives:
                try:
                    together[other] = self._reference(other)
                except (NotFound, Refused):
                    continue
        self._expected = ()
        try:
            self._save(together)
        except (NotFound, Refused, ServerTrouble):  # podman says 500 for a name that it does not have
            if len(together) == 1:
                raise
            self._save({name: reference})

    def _save(self, references: Mapping[Name, Reference]) -> None:
        query = [("names", str(reference)) for reference in references.values()]
        with self._engine.ask("GET", "/images/get", query, doing="saving images") as answer:
            saved = Saved(answer.chunks(), self._folder)
        self._files.callback(saved.close)
        archive = self._read_archive(saved.path, self.locator)
        self._archives.update(dict.fromkeys(references, archive))

    # --- notes

    def _notes_on_digests(self) -> Iterator[str]:
        made = dict(sorted(self._made.items()))
        published = {name: self._published(name) for name in made}
        kept = [name for name, digest in made.items() if digest in published[name]]
        other = [name for name in made if name not in kept]
        if not other:
            return
        was = [
            f"{name} was published as {min(published[name]).short}, its copy is {made[name].short}"
            for name in other
            if published[name]
        ]
        named = ": " + "; ".join(was[:_NAMED]) + ("; …" if len(was) > _NAMED else "") if was else ""
        which = (
            "the copy has" if len(made) == 1 else "every copy has" if not kept else f"{len(other)} of {len(made)} have"
        )
        yield f"{self._kind} keeps no published digest, so {which} another digest{named}"

    def _published(self, name: Name) -> frozenset[Digest]:
        """The digests under which this image was pulled from, or pushed to, the repository in its name."""
        try:
            reference = self._reference(name)
        except TransloadError:
            return frozenset()
        image = self._names[name][reference]
        return image.published.get(f"{reference.registry}/{reference.name.repository}", frozenset())

    def _notes_on_nameless(self) -> Iterator[str]:
        nameless = sum(not image.references for image in self._listed) if self._tells_nameless else 0
        if nameless:
            have = "1 image in it has" if nameless == 1 else f"{nameless} images in it have"
            yield f"{have} no tag, and cannot be named; {self._kind} tag ID NAME:TAG gives a name"
