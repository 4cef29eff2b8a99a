"""Where a saved plan lies: a file, a gzip file, or an artifact in a registry (`oci://HOST/REPOSITORY:TAG`).

An artifact is an image manifest with the plan as its only layer, so that its digest names the plan: whoever is given
`oci://…@sha256:…` gets these bytes or an error. docs/formats/plan.md describes it.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from transload.app.location import Location
from transload.errors import DocumentInvalid, LimitExceeded, LocalError, ReferenceInvalid, UsageError, at_side
from transload.files import CHUNK_BYTES, check_replaceable, local_errors, open_file, replace_file
from transload.limits import PLAN_BYTES
from transload.oci import Descriptor, Digest, Manifest, Name, Verifier
from transload.oci import mediatype as types
from transload.oci.reference import shown
from transload.planning.planfile import written
from transload.values import frozen

if TYPE_CHECKING:
    from transload.app.stores import Stores
    from transload.planning import Plan
    from transload.ports import Chunk, Target

PLAN_TYPE = "application/vnd.transload.plan.v1+json"
"""The type of the artifact, and of its layer."""

OCI = "oci://"
_GZIP = b"\x1f\x8b"
_HINT = "make the plan again with transload plan"
_EMPTY = b"{}"
_WITH_HEADER = 31  # zlib's `wbits` for gzip with the largest window


@frozen
class PlanAddress:
    """A plan in a registry. Raises `ReferenceInvalid` for a text that names none."""

    registry: Location
    name: Name

    @classmethod
    def parse(cls, text: str) -> PlanAddress:
        """Read `oci://HOST/REPOSITORY:TAG`, with `@DIGEST` after it or in place of the tag."""
        host, slash, rest = text.removeprefix(OCI).partition("/")
        if not slash or not rest:
            raise ReferenceInvalid(f"{shown(text)!r} names no plan", hint=f"write {OCI}HOST/REPOSITORY:TAG")
        registry, name = Location.parse(host), Name.parse(rest)
        if registry.kind != "registry" or (name.tag is None and name.digest is None):
            raise ReferenceInvalid(f"{shown(text)!r} names no plan", hint=f"write {OCI}HOST/REPOSITORY:TAG")
        return cls(registry, name)

    def __str__(self) -> str:
        return f"{OCI}{self.registry}/{self.name}"


PlanPlace = Path | PlanAddress
"""Where a plan is, or is to be written."""


def plan_place(text: str | Path) -> PlanPlace:
    """What `-o` and `apply` are given. Raises `ReferenceInvalid`."""
    return PlanAddress.parse(text) if isinstance(text, str) else text


def check_plan_place(place: PlanPlace) -> None:
    """Check before a plan is made that it can be written there. Raises `UsageError` and as `check_replaceable` does."""
    if isinstance(place, Path):
        check_replaceable(place)
    elif place.name.tag is None or place.name.digest is not None:
        raise UsageError(
            "a plan is written under a tag; its digest comes of its content", hint=f"write {OCI}HOST/REPOSITORY:TAG"
        )


def write_plan(plan: Plan, place: PlanPlace, stores: Stores) -> tuple[str, Digest]:
    """Write a plan, in parts. Returns what `apply` is given (of an artifact, with its digest), and the plan digest."""
    told: list[Digest] = []
    if isinstance(place, Path):
        content = written(plan, told.append)
        with local_errors("writing", place):
            replace_file(place, _packed(content) if place.suffix == ".gz" else content)
        return str(place), told[0]
    size = sum(map(len, written(plan, told.append)))
    target = stores.target(place.registry)
    layer = Descriptor(PLAN_TYPE, told[0], size)
    config = Descriptor(types.OCI_EMPTY, Digest.of(_EMPTY), len(_EMPTY))
    document = {
        "schemaVersion": 2,
        "mediaType": types.OCI_MANIFEST,
        "artifactType": PLAN_TYPE,
        "config": config.to_json(),
        "layers": [layer.to_json()],
    }
    manifest = Manifest.parse(json.dumps(document, separators=(",", ":")).encode())
    with at_side("target"):
        _send(target, place.name.repository, config, iter((_EMPTY,)))
        _send(target, place.name.repository, layer, written(plan))
        target.put_manifest(place.name, manifest)
    return str(PlanAddress(place.registry, Name(place.name.repository, place.name.tag, manifest.digest))), layer.digest


@contextlib.contextmanager
def opened_plan(place: PlanPlace, stores: Stores) -> Iterator[IO[bytes]]:
    """The content of a plan as a file, for a block; what was compressed or fetched lies in a file without a name.

    Raises `DocumentInvalid` for what is no plan, and what reading raises.
    """
    if isinstance(place, PlanAddress):
        with _nameless() as fetched:
            _fetch(place, stores, fetched)
            fetched.seek(0)
            yield fetched
        return
    with local_errors("reading", place), open_file(place) as file:
        if not file.seekable() or file.read(len(_GZIP)) != _GZIP:
            if file.seekable():
                file.seek(0)
            yield file
            return
        file.seek(0)
        with _nameless() as unpacked:
            _unpack(file, unpacked, str(place))
            unpacked.seek(0)
            yield unpacked


def _nameless() -> IO[bytes]:
    """A file that nobody else sees, and that goes with the process."""
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise LocalError(
            f"there is no folder for temporary files: {error.strerror}", hint="name one in the variable TMPDIR"
        ) from error


def _write(into: IO[bytes], content: Chunk) -> None:
    with local_errors("writing", Path(tempfile.gettempdir())):
        into.write(content)


def _fetch(place: PlanAddress, stores: Stores, into: IO[bytes]) -> None:
    with at_side("source"):
        source = stores.source(place.registry)
        manifest = source.fetch(place.name)
        layers = manifest.layers if not manifest.is_index else ()
        if len(layers) != 1 or layers[0].media_type != PLAN_TYPE:
            raise DocumentInvalid(
                f"{place} is not a plan", subject=str(place), hint=f"transload plan --out {OCI}… writes one"
            )
        if layers[0].size > PLAN_BYTES:
            raise LimitExceeded(f"{place} is larger than a plan may be", subject=str(place))
        verifier = Verifier(layers[0].digest, layers[0].size)
        with source.open(place.name.repository, layers[0]) as chunks:
            for chunk in chunks:
                verifier.update(chunk)
                _write(into, chunk)
        verifier.check()


def _packed(content: Iterator[bytes]) -> Iterator[bytes]:
    """The same as gzip, without name and time: equal plans are equal files."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, _WITH_HEADER)
    for chunk in content:
        yield deflater.compress(chunk)
    yield deflater.flush()


def _unpack(file: IO[bytes], into: IO[bytes], name: str) -> None:
    """Inflate, up to a byte more than a plan may have. Raises `DocumentInvalid` for damage."""
    inflater, size = zlib.decompressobj(_WITH_HEADER), 0
    while not inflater.eof and size <= PLAN_BYTES:
        packed = inflater.unconsumed_tail or file.read(CHUNK_BYTES)
        try:
            content = inflater.decompress(packed, CHUNK_BYTES)
            if not (packed or content):
                raise zlib.error("it ends too early")
        except zlib.error as error:
            why = f"{name} is damaged: its compressed content cannot be read"
            raise DocumentInvalid(why, subject=name, hint=_HINT) from error
        size += len(content)
        _write(into, content)


def _send(target: Target, repository: str, blob: Descriptor, content: Iterator[bytes]) -> None:
    if target.exists(repository, blob):
        return
    with target.begin(repository, blob) as ingest:
        ingest.write(_from(content, ingest.offset))
        ingest.commit()


def _from(content: Iterator[bytes], offset: int) -> Iterator[bytes]:
    """What is left of the content when an upload goes on at `offset`."""
    for chunk in content:
        if offset < len(chunk):
            yield chunk[offset:]
        offset = max(0, offset - len(chunk))
