"""A store that a program works with call by call: its names, its content, files in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from transload.app.location import Location, is_image
from transload.app.network import Network
from transload.app.settings import Environment
from transload.errors import DigestInvalid, LimitExceeded, NotFound, ReferenceInvalid, Refused, UsageError
from transload.events import ignore
from transload.limits import READ_BYTES
from transload.login import Login
from transload.oci import Descriptor, Digest, Manifest, Name, Verifier
from transload.oci.reference import check_no_user, check_repository, shown
from transload.threads import Cancellation
from transload.verbs import arguments
from transload.verbs.means import Means, Progress, at_work

if TYPE_CHECKING:
    from transload.ports import Deletes, Source, Target
    from transload.verbs.artifacts import ArtifactFiles

_OCTETS = "application/octet-stream"


class StoreOptions(TypedDict, total=False):
    """What every single call on a store takes by name: how it is reached, and who follows it.

    `login` goes before logins in docker's and podman's files. Without `environment`, that of the process is read;
    `environment=Environment()` reads nothing. `network` has certificates, hosts without TLS and time limits.
    `progress` hears what happens; `cancellation` ends the work at a safe point, from any thread.
    """

    login: Login | None
    network: Network | None
    environment: Environment | None
    progress: Progress | None
    cancellation: Cancellation | None


class Store:
    """One open store, used through a prefix: what lies outside the prefix cannot be reached. Made by `open_store`.

    Names are texts relative to the prefix: `app:1`, `team/app@sha256:…`. With a prefix that is itself a repository,
    the empty text is that repository: `:1`. Safe for threads. Use it as a context manager, or call `close`.

    Every method raises `ReferenceInvalid` for a text that is no name, `Interrupted` after the cancellation, and what
    the store raises: `AccessDenied`, `CredentialsRejected`, `Unreachable`, `CorruptError` and their kinds.
    """

    def __init__(
        self,
        source: Source,
        prefix: str = "",
        *,
        progress: Progress = ignore,
        cancellation: Cancellation | None = None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._source = source
        self._prefix = check_repository(prefix) if prefix else ""
        self._progress = progress
        self._cancellation = cancellation or Cancellation()
        self._close = close
        self._closed = False

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections. The store cannot be used afterwards; closing it again does nothing."""
        if not self._closed:
            self._closed = True
            self._close()

    @property
    def locator(self) -> str:
        """The store without its prefix, as people write it: `registry.local`, `oci:DIR`. Never with a secret in it."""
        return self._source.locator

    @property
    def prefix(self) -> str:
        """What every repository here begins with; empty for all of the store."""
        return self._prefix

    @property
    def source(self) -> Source:
        """The port behind this store, for `make_plan`, `run` and `compare`. Its names are whole: they have the prefix.

        Raises `ValueError` when the store is closed.
        """
        if self._closed:
            raise ValueError(f"{self.locator} is closed")
        return self._source

    @property
    def target(self) -> Target:
        """The same port as one to write to. Raises `UsageError` for bundles and archives, which are only read."""
        source: Any = self.source
        if not hasattr(source, "put_manifest"):
            raise UsageError(f"{self} can only be read", subject=self.locator, hint="transload.pack writes bundles")
        target: Target = source
        return target

    def __str__(self) -> str:
        return f"{self.locator}/{self._prefix}" if self._prefix else self.locator

    def __repr__(self) -> str:
        return f"<Store {self}{', closed' if self._closed else ''}>"

    # --- names

    def repositories(self) -> tuple[str, ...]:
        """Every repository below the prefix, relative to it, in the store's order.

        Raises `Refused` where the store keeps no list, as many registries do for who may not see all of it.
        """
        below = f"{self._prefix}/" if self._prefix else ""
        every = self._ready().repositories()
        if not below:
            return tuple(every)
        return tuple(
            "" if path == self._prefix else path.removeprefix(below)
            for path in every
            if path == self._prefix or path.startswith(below)
        )

    def tags(self, repository: str = "") -> tuple[str, ...]:
        """Every tag of a repository, in the store's order. Raises `RepositoryUnknown`."""
        return tuple(self._ready().tags(self._path(repository)))

    def resolve(self, name: str) -> Descriptor:
        """What a name stands for: media type, digest and size in bytes of its manifest. Raises `ManifestUnknown`."""
        return self._ready().resolve(self._name(name))

    def fetch(self, name: str) -> Manifest:
        """The manifest that a name stands for, its bytes verified against its digest. Raises `ManifestUnknown`."""
        return self._ready().fetch(self._name(name))

    def exists(self, name: str) -> bool:
        """Whether the store has this tag or this manifest."""
        try:
            self.resolve(name)
        except NotFound:
            return False
        return True

    def referrers(self, name: str, artifact_type: str | None = None) -> tuple[Descriptor, ...]:
        """What refers to a manifest: signatures, SBOMs, attestations, files; of one `artifact_type` only, if given.

        Of an index, what refers to the index itself, not to its children. A tag is resolved first. Registries without
        the referrers API are asked by its fallback tag. Empty where nothing refers to it, or where the store cannot
        hold referrers (an archive of `docker save`). Raises `ManifestUnknown` for a tag that is not there.
        """
        source, wanted = self._ready(), self._name(name)
        if source.refers is None:
            return ()
        digest = wanted.digest or source.resolve(wanted).digest
        every = source.refers.referrers(wanted.repository, digest)
        return tuple(entry for entry in every if artifact_type is None or entry.artifact_type == artifact_type)

    def delete(self, name: str) -> None:
        """Take a tag away (`app:1`), or a manifest with all of its tags in that repository (`app@sha256:…`).

        Deleting a tag never deletes another tag of the same manifest: where the registry cannot do that, nothing is
        deleted, and `Refused` names the digest to delete instead. Blobs stay until the registry collects its garbage.
        Raises `ManifestUnknown`, `Refused` also for a manifest that an index needs or a store that deletes nothing,
        `UsageError` for a bundle or an archive.
        """
        wanted = self._name(name)
        if wanted.tag is not None and wanted.digest is not None:
            raise ReferenceInvalid(
                f"{shown(name)!r} names a tag and a digest, and only one of them can be deleted",
                hint="leave one of them out: a tag goes alone, a digest takes all of its tags away",
            )
        self._ready()
        deletes: Deletes | None = getattr(self.target, "deletes", None)
        if deletes is None:
            raise Refused(f"{self.locator} deletes nothing", subject=self.locator)
        deletes.delete_manifest(wanted)

    # --- content

    def read_blob(self, repository: str, descriptor: Descriptor, *, limit: int = READ_BYTES) -> bytes:
        """The content of a blob, proved against its digest and size.

        `limit` is the most bytes that are read into memory. Raises `BlobUnknown`, `LimitExceeded`, `DigestMismatch`.
        """
        source, path = self._ready(), self._path(repository)
        arguments.of_kind("descriptor", descriptor, Descriptor)
        if descriptor.size > limit:
            raise LimitExceeded(
                f"blob {descriptor.digest.short} has {descriptor.size} bytes, the limit is {limit}",
                subject=descriptor.digest,
                hint="give a larger limit, or write it to a file with get_artifact",
            )
        verifier, content = Verifier(descriptor.digest, descriptor.size), bytearray()
        with source.open(path, descriptor) as chunks:
            for chunk in chunks:
                self._cancellation.check()
                verifier.update(chunk)
                content += chunk
        verifier.check()
        return bytes(content)

    # --- files

    def put_artifact(
        self,
        name: str,
        files: ArtifactFiles,
        *,
        artifact_type: str,
        subject: str | Descriptor | None = None,
        annotations: Mapping[str, str] | None = None,
        media_type: str = _OCTETS,
    ) -> Descriptor:
        """Store files as an OCI artifact, which oras and others can pull. Returns the descriptor of its manifest.

        `name` is a repository with a tag (`app:notes`), or without: then only the digest leads to it. `files` are
        titles with a `Path` or with `bytes` each, or paths, whose file names are the titles. `artifact_type` and
        `media_type` (of every file) are media types. `subject` is the manifest that this one refers to, as a name or
        a digest in the same repository; it must be there. The same files give the same digest.

        What the repository has already is not sent again. Raises `UsageError` for a title that is no plain file name
        and for a store that is only read, `LocalError` for a file that cannot be read, `ReadOnly`.
        """
        from transload.verbs.artifacts import put_files

        wanted = self._name(name, bare=True)
        if wanted.digest is not None:
            raise ReferenceInvalid(
                f"{shown(name)!r} names a digest, which follows from the files", hint="write a tag, or no name at all"
            )
        self._ready()
        target = self.target
        return put_files(
            target,
            wanted,
            files,
            artifact_type=artifact_type,
            subject=self._subject(subject, wanted.repository),
            annotations=annotations,
            media_type=media_type,
            listen=self._progress,
            cancellation=self._cancellation,
        )

    def get_artifact(self, name: str, folder: str | Path, *, overwrite: bool = False) -> tuple[Path, ...]:
        """Write the files of an artifact into `folder`, which is made if need be; returns where they are, in order.

        Each is called by its title; a layer without a title by its digest (`sha256-…`), as in Helm charts. A folder
        that oras packed arrives as the archive that it was packed into. All files are there in the end or none: each
        gets its name when the size and digest of all are proved. Nothing is written over without `overwrite`.

        Raises `MemberUnsafe` for a title that is no plain file name, `Refused` for an index and for an image (whose
        layers are no files), `FileExists`, `DiskFull`, `DigestMismatch`, `ManifestUnknown`.
        """
        from transload.verbs.artifacts import take_files

        source, wanted = self._ready(), self._name(name)
        return take_files(
            source, wanted, arguments.path("folder", folder), overwrite=overwrite, cancellation=self._cancellation
        )

    # --- inside

    def _ready(self) -> Source:
        self._cancellation.check()
        return self.source

    def _path(self, repository: str) -> str:
        """A repository's whole path. Raises `ReferenceInvalid`."""
        below = check_repository(repository) if arguments.string("repository", repository) else ""
        return "/".join(filter(None, (self._prefix, below)))

    def _name(self, text: str, *, bare: bool = False) -> Name:
        """A whole name; without tag and digest only if it may be `bare`."""
        relative = Name.parse(arguments.string("name", text))
        if relative.tag is None and relative.digest is None and not bare:
            raise ReferenceInvalid(
                f"{shown(text)!r} has neither a tag nor a digest", hint="write app:TAG, or app@sha256:…"
            )
        return Name(self._path(relative.repository), relative.tag, relative.digest)

    def _subject(self, subject: str | Descriptor | None, repository: str) -> Descriptor | None:
        """The manifest that an artifact is to refer to. Raises `ManifestUnknown`, `ReferenceInvalid`."""
        if subject is None or isinstance(subject, Descriptor):
            return subject
        if not isinstance(subject, str):
            raise TypeError(f"subject must be str or Descriptor, not {type(subject).__name__}")
        try:
            name = Name(repository, None, Digest(subject))
        except DigestInvalid:
            name = self._name(subject)
        if name.repository != repository:
            raise ReferenceInvalid(
                f"{shown(subject)!r} is in another repository than the artifact, {repository}",
                hint="a subject is in the same repository: copy it there first",
            )
        return self.source.resolve(name)


def open_store(
    text: str,
    *,
    create: bool = False,
    login: Login | None = None,
    key: str | Path | None = None,
    volumes: str | Path | Iterable[str | Path] = (),
    network: Network | None = None,
    environment: Environment | None = None,
    progress: Progress | None = None,
    cancellation: Cancellation | None = None,
) -> Store:
    """Open a store as the command line names it: `registry.local/prefix`, `oci:DIR`, `bundle:NAME`, `archive:FILE`.

    `create` makes the folder of an `oci:` store that is not there yet. `login` is for the registry; without it,
    docker's and podman's files are searched. A registry is asked for nothing before the first call, so a wrong login
    is raised there. `key` is the public key that must have signed the bundle, `volumes` are further folders where its
    volumes lie. The other parameters: see `copy`.

    Raises `UsageError`, `ReferenceInvalid`, `LocalError` for what is not there, `BundleUnsigned` and its kind.
    """
    if is_image(arguments.text("text", text)):
        check_no_user(text)
        raise ReferenceInvalid(
            f"{shown(text)!r} is an image, and a store was expected",
            hint="leave the tag and the digest out, and give them to the store's methods",
        )
    location = Location.parse(text)
    means = Means(
        target_login=arguments.of_kind_if_any("login", login, Login),
        network=network,
        environment=environment,
        progress=progress,
        cancellation=cancellation,
        key=arguments.path_if_any("key", key),
        volumes=arguments.paths("volumes", volumes),
    )
    with ExitStack() as stack:
        work = stack.enter_context(at_work(means))
        port: Source
        if location.kind in {"registry", "oci"} and key is None:
            port = work.stores.target(location, create=create, kept=True)
        else:  # only reading asks for a signature
            port = work.stores.source(location)
        return Store(
            port,
            location.prefix,
            progress=work.listen,
            cancellation=work.cancellation,
            close=stack.pop_all().close,
        )
