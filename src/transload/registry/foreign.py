"""Layers that their publisher keeps elsewhere, read from the `urls` of their descriptors.

(OCI image specification, descriptor.md, "urls"; layer.md, "Non-Distributable Layers".)

Invariants:
1. no credentials are ever sent, because the author of a manifest chooses its URLs;
2. exactly the promised bytes are handed on; the reader checks their digest, so plain HTTP is safe here;
3. every error names the URL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from transload.errors import BlobUnknown, ServerTrouble, SizeMismatch, TransloadError, Truncated
from transload.net.address import Url, redacted
from transload.net.http import Http
from transload.net.messages import Answer, HttpRequest
from transload.oci import Descriptor
from transload.ports import Chunk
from transload.registry.headers import closed_range, parse_content_range
from transload.wording import number_of

_URLS = 4  # how many are tried for one layer; honest manifests have one


class ForeignLayers:
    """Opens foreign layers at their publisher's URLs. `http` makes the client when it is needed."""

    def __init__(self, http: Callable[[], Http]) -> None:
        self._http = http

    @contextmanager
    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[Chunk]]:
        """Bytes of a layer, as `Reads.open` gives them, from the first of its URLs that has it."""
        end = descriptor.size if length is None else min(offset + length, descriptor.size)
        with ExitStack() as held:
            yield self._begun(repository, descriptor, offset, end, held)

    def _begun(
        self, repository: str, descriptor: Descriptor, offset: int, end: int, held: ExitStack
    ) -> Iterator[Chunk]:
        last: TransloadError | None = None
        for url in descriptor.urls[:_URLS]:
            doing = f"reading foreign layer {descriptor.digest.short} of {repository} from {redacted(url)}"
            try:
                answer = held.enter_context(self._http().stream(_request(url, doing, offset, end)))
                skip = _skipped(answer, doing, descriptor, offset)
            except TransloadError as error:
                held.close()
                last = error
                continue
            return _exactly(answer, skip, end - offset, doing, descriptor)
        raise last or BlobUnknown(
            f"foreign layer {descriptor.digest.short} of {repository} has no URL", subject=descriptor.digest
        )


def _request(url: str, doing: str, offset: int, end: int) -> HttpRequest:
    headers = {"Accept-Encoding": "identity"} | ({"Range": closed_range(offset, end)} if offset else {})
    return HttpRequest("GET", str(Url.parse(url)), doing, "foreign layer", headers=headers, lane="read", side="source")


def _skipped(answer: Answer, doing: str, descriptor: Descriptor, offset: int) -> int:
    """How many bytes come before the wanted ones. Raises the error that the answer means."""
    if answer.status == 206:
        part = parse_content_range(answer.headers.get("Content-Range"))
        if part is None or part.start != offset:
            raise ServerTrouble(f"{doing}: another part arrives than was asked for", subject=descriptor.digest)
        return 0
    if answer.status == 200:
        length = answer.headers.get("Content-Length", "")
        if length.isascii() and length.isdigit() and length != str(descriptor.size):
            raise SizeMismatch(
                f"{doing}: it has {length[:20]} bytes, the manifest says {descriptor.size}",
                subject=descriptor.digest,
            )
        return offset
    kind = ServerTrouble if answer.status >= 500 else BlobUnknown
    raise kind(
        f"{doing}: the answer is {answer.status}",
        subject=descriptor.digest,
        hint="leave --foreign-layers out to keep the layer where its publisher has it",
    )


def _exactly(answer: Answer, skip: int, wanted: int, doing: str, descriptor: Descriptor) -> Iterator[Chunk]:
    for chunk in answer.chunks():
        piece = chunk[skip:] if skip < len(chunk) else b""
        skip -= min(skip, len(chunk))
        if len(piece) > wanted:
            raise SizeMismatch(f"{doing}: more bytes arrive than the manifest says", subject=descriptor.digest)
        wanted -= len(piece)
        if piece:
            yield piece
    if wanted:
        raise Truncated(f"{doing}: the body ended {number_of(wanted, 'byte')} early", subject=descriptor.digest)
