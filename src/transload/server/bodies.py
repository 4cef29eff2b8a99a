"""Bodies on the wire: blobs are sent by sendfile or in chunks, uploads arrive in batches; stalled ones are ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

from aiohttp import ClientPayloadError, HttpVersion11, web
from aiohttp.http_exceptions import HttpProcessingError

from transload.errors import LimitExceeded, Stalled, TransloadError, Truncated, Unreachable
from transload.infiles import Piece
from transload.limits import CHUNK_BYTES, SERVED_BODY_BYTES_S, SMALL_CHUNKS
from transload.oci import Descriptor
from transload.ports import Chunk
from transload.server.headers import ByteRange
from transload.server.service import Call

BATCH_BYTES = 1 << 20
_LEAST_BATCH_BYTES = 64 << 10
_BATCHES_BYTES = 8 << 20  # of all bodies that arrive at the same time, and of all that are sent
# A client has one stall period to receive a part of this size.
_SENDFILE_BYTES = 4 << 20
_PAUSE_S = 1.0
Take = Callable[[int], bytes | bytearray]  # the next batch of about so many bytes

_log = logging.getLogger("transload.server")


async def send_blob(
    call: Call, response: web.StreamResponse, descriptor: Descriptor, span: ByteRange
) -> web.StreamResponse:
    """Answer with the part `span` of a blob. If that fails midway, the connection is aborted."""
    service = call.service
    pieces = await service.run(service.backend.pieces, descriptor, span.offset, span.length)
    service.counts.by_status[response.status] += 1
    try:
        if pieces is None:
            await _send_chunks(call, response, descriptor, span)
        else:
            await _send_pieces(call, response, pieces)
    except (TransloadError, OSError, TimeoutError) as error:  # too late for another answer
        if not response.prepared and isinstance(error, TransloadError):
            service.counts.by_status[response.status] -= 1
            raise
        _log.debug("sending %s broke off: %s", descriptor.digest, str(error) or type(error).__name__)
        if call.request.transport is not None:
            call.request.transport.abort()
    return response


async def _send_pieces(call: Call, response: web.StreamResponse, pieces: Iterator[Piece]) -> None:
    service = call.service
    piece = await service.run(next, pieces, None)
    try:
        await response.prepare(call.request)
        while piece is not None:
            await _send_piece(call, response, piece)
            piece.file.close()
            piece = await service.run(next, pieces, None)
        await response.write_eof()
    finally:
        if piece is not None:
            piece.file.close()


async def _send_piece(call: Call, response: web.StreamResponse, piece: Piece) -> None:
    transport = call.request.transport
    if transport is None:
        raise ConnectionResetError("the client has gone")
    if transport.get_extra_info("sslcontext") is None:
        await _sendfile(call, transport, piece)
    else:  # sendfile cannot encrypt, and asyncio's own fallback reads 16 KiB at a time
        await _write(call, response, _reader(piece), piece.length)


async def _sendfile(call: Call, transport: asyncio.Transport, piece: Piece) -> None:
    service = call.service
    loop = asyncio.get_running_loop()
    end = piece.offset + piece.length
    for offset in range(piece.offset, end, _SENDFILE_BYTES):
        count = min(_SENDFILE_BYTES, end - offset)
        service.counts.bytes_sent += count
        async with asyncio.timeout(service.settings.stall_timeout_s):
            if await loop.sendfile(transport, piece.file, offset, count) < count:
                raise Truncated("a file has become shorter while it was sent")
        call.body.sent += count


async def _send_chunks(call: Call, response: web.StreamResponse, descriptor: Descriptor, span: ByteRange) -> None:
    service = call.service
    opened = service.store.open(call.route.repository, descriptor, span.offset, span.length)
    chunks = await service.run(opened.__enter__)
    try:
        await response.prepare(call.request)
        await _write(call, response, partial(_take, chunks), span.length)
        await response.write_eof()
    finally:
        await service.run(opened.__exit__, None, None, None)


async def _write(call: Call, response: web.StreamResponse, take: Take, length: int) -> None:
    """Send batches. While the client reads slowly, no thread waits for it."""
    service = call.service
    service.sending += 1
    try:
        while batch := await service.run(take, batch_bytes(service.sending)):
            length -= len(batch)
            service.counts.bytes_sent += len(batch)
            async with asyncio.timeout(service.settings.stall_timeout_s):
                await response.write(batch)
            call.body.sent += len(batch)
    finally:
        service.sending -= 1
    if length:
        raise Truncated("a blob ended before its promised length")


def _take(chunks: Iterator[Chunk], size: int) -> bytearray:
    """Copy chunks into a batch, because a chunk may be a view of a buffer that the store uses again."""
    batch = bytearray()
    for chunk in chunks:
        batch += chunk
        if len(batch) >= size:
            break
    return batch


def _reader(piece: Piece) -> Take:
    file, end = piece.file, piece.offset + piece.length
    file.seek(piece.offset)

    def read(size: int) -> bytes:
        left = end - file.tell()
        piece = file.read(min(left, size))
        if left and not piece:
            raise Truncated("a file has become shorter while it was sent")
        return piece

    return read


async def receive(call: Call) -> AsyncIterator[bytearray]:
    """The body of a request, in batches. Bytes that arrived before the connection broke are still delivered.

    Each batch belongs to the caller, who should let go of it before asking for the next: many clients may send at once.

    Raises `Stalled` if nothing comes for a whole stall period, `Unreachable` if the connection breaks. For a body of
    very small chunks it raises `LimitExceeded` and ends the connection.
    """
    await _welcome(call.request)
    service, request = call.service, call.request
    body = _Body(request)
    stall_s = service.settings.stall_timeout_s
    pace = _Pace(stall_s)
    batch = bytearray()
    service.arriving += 1
    try:
        while True:
            # A client that pauses must not keep a batch in memory: many clients could do so at once.
            chunk = await body.next(min(_PAUSE_S, stall_s) if batch else stall_s)
            if chunk is None and batch:
                full, batch = batch, bytearray()
                yield full
                del full
                continue
            if chunk is None:
                raise TimeoutError
            if not chunk:
                break
            service.counts.bytes_received += len(chunk)
            pace.moved(len(chunk))
            batch += chunk
            del chunk
            if len(batch) >= batch_bytes(service.arriving):
                full, batch = batch, bytearray()
                yield full
                del full
    except TimeoutError as error:
        failure: TransloadError | None = Stalled("nothing, or next to nothing, arrived for the whole stall period")
        cause: BaseException = error
    except (OSError, web.RequestPayloadError, ClientPayloadError, HttpProcessingError) as error:
        failure, cause = Unreachable("the connection broke while a body arrived"), error
    else:
        failure = None
    finally:
        service.arriving -= 1
    if batch:
        yield batch
    if failure:
        raise failure from cause


def batch_bytes(bodies: int) -> int:
    """How large a batch is while so many bodies move: small enough that a crowd takes no more memory than a few.

    >>> batch_bytes(1), batch_bytes(64), batch_bytes(1000)
    (1048576, 131072, 65536)
    """
    return max(_LEAST_BATCH_BYTES, min(BATCH_BYTES, _BATCHES_BYTES // bodies))


class _Body:
    """Reads a body. Each chunk costs work, however small it is, so chunks must have a least size on average."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._chunked = request.content_length is None
        self._cost = 0  # `CHUNK_BYTES` for each chunk, less the bytes received

    async def next(self, patience_s: float) -> bytes | None:
        """The bytes that have arrived, none at the end of the body; None if it stalls. Raises `LimitExceeded`."""
        try:
            async with asyncio.timeout(patience_s):
                return await (self._of_chunks() if self._chunked else self._request.content.readany())
        except TimeoutError:
            return None

    async def _of_chunks(self) -> bytes:
        whole = True
        arrived = b""
        while whole and not arrived:  # the end of a chunk may come by itself
            arrived, whole = await self._request.content.readchunk()
            self._cost = max(0, self._cost + CHUNK_BYTES * whole - len(arrived))
        if self._cost > SMALL_CHUNKS * CHUNK_BYTES:
            if self._request.transport is not None:
                self._request.transport.abort()  # without this, aiohttp would read the rest
            raise LimitExceeded(f"a body in chunks of less than {CHUNK_BYTES} bytes, without end")
        return arrived


class _Pace:
    """Raises `TimeoutError` for a body that moves too slowly."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._ends_s = asyncio.get_running_loop().time() + period_s
        self._bytes = 0

    def moved(self, count: int) -> None:
        """Count bytes that have arrived."""
        self._bytes += count
        now_s = asyncio.get_running_loop().time()
        if now_s < self._ends_s:
            return
        if self._bytes < SERVED_BODY_BYTES_S * self._period_s:
            raise TimeoutError
        self._bytes, self._ends_s = 0, now_s + self._period_s


async def receive_whole(call: Call, limit: int) -> bytes:
    """A small body. Raises `LimitExceeded` before more than `limit` bytes are kept."""
    if (call.request.content_length or 0) > limit:
        raise LimitExceeded(f"a body of {call.request.content_length} bytes is over the limit of {limit}")
    whole = bytearray()
    async for batch in receive(call):
        whole += batch
        if len(whole) > limit:
            raise LimitExceeded(f"a body of over {limit} bytes is over the limit")
    return bytes(whole)


async def _welcome(request: web.BaseRequest) -> None:
    """Send `100 Continue` to a client that waits for it (`Expect: 100-continue`)."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
