"""Writing endpoints: uploads, mounts, manifests, deletions (distribution specification, "Push")."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from transload.errors import (
    BlobUnknown,
    CorruptError,
    DigestInvalid,
    DigestMismatch,
    DiskFull,
    LimitExceeded,
    NotFound,
)
from transload.limits import IMAGE_MANIFESTS, INDEX_DEPTH, MANIFEST_BYTES, SERVED_TAGS
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.mediatype import INDEXES
from transload.oci.reference import check_repository
from transload.ports import Source, Target
from transload.server.backend import OCTETS
from transload.server.bodies import receive, receive_whole
from transload.server.headers import ByteRange, stated
from transload.server.refusals import USUAL_HEADERS, Refusal
from transload.server.service import Call, Service
from transload.server.spools import KeptSpool, Spool, UploadGone, UploadMoved
from transload.server.uploads import ServedUpload, unknown


async def begin_upload(call: Call) -> web.StreamResponse:
    """`POST …/uploads/`: mount a blob, receive a whole one, or open a session."""
    query = call.request.query
    if "mount" in query and await _mount(call, call.route.repository, Digest(query["mount"]), query.get("from")):
        return _created(call.route.repository, Digest(query["mount"]))
    uploads, digest = call.service.uploads, None
    if "digest" in query and "mount" not in query:
        digest = Digest(query["digest"])
    if digest is None:
        upload = await call.service.run(uploads.begin, call.route.repository)
        return _answer(202, upload.headers | {"Content-Length": "0"})
    upload = uploads.begin(call.route.repository, whole=True)
    try:
        await _append(call, upload)
        return await _commit(call, upload, digest)
    except BaseException:
        uploads.end(upload)  # nobody else knows it
        raise


async def _mount(call: Call, repository: str, digest: Digest, origin: str | None) -> bool:
    """Whether the blob is in the repository now. Without an origin, only a store with one pool of blobs can mount."""
    home = check_repository(origin) if origin else repository
    try:
        blob = await call.service.run(call.service.backend.descriptor, home, digest)
    except BlobUnknown:
        return False
    if not call.service.backend.target.blobs_per_repository:
        return await call.service.run(call.service.store.exists, repository, blob)
    mounts = call.service.backend.mounts
    return bool(origin and mounts and await call.service.run(mounts.mount, blob, home, repository))


async def continue_upload(call: Call) -> web.StreamResponse:
    """`PATCH`: the next bytes, as a stream, or as a chunk with a Content-Range."""
    upload = await _found(call)
    await _append(call, upload)
    return _answer(202, upload.headers | {"Content-Length": "0"})


async def finish_upload(call: Call) -> web.StreamResponse:
    """`PUT ?digest=`: the last bytes, if any are left, and the digest of all bytes."""
    upload = await _found(call)
    if "digest" not in call.request.query:
        raise DigestInvalid("an upload ends with the blob's digest", hint="add ?digest=sha256:…")
    digest = Digest(call.request.query["digest"])
    await _append(call, upload)
    return await _commit(call, upload, digest)


async def get_upload(call: Call) -> web.StreamResponse:
    """How many bytes an upload has. The client wants to continue from there, so a body still on its way is ended."""
    upload = await _found(call)
    async with upload.lock:
        upload.take_over()
        await _refresh(call, upload)
        return _answer(204, upload.headers)


async def cancel_upload(call: Call) -> web.StreamResponse:
    """Forget an upload."""
    upload = await _found(call)
    async with upload.lock:
        await call.service.run(call.service.uploads.end, upload)
    return _answer(204, {})


async def _found(call: Call) -> ServedUpload:
    uploads, repository, identifier = call.service.uploads, call.route.repository, call.route.reference
    known = uploads.known(repository, identifier)
    return known if known is not None else await call.service.run(uploads.find, repository, identifier)


async def _refresh(call: Call, upload: ServedUpload) -> None:
    """Learn what another server of this store has done with a session. The session's lock is held."""
    if isinstance(upload.spool, KeptSpool):
        await _in_file(call, upload, upload.spool.refresh)


async def _in_file(call: Call, upload: ServedUpload, work: Callable[..., None], *arguments: object) -> None:
    """Call `work`, which uses the file of an upload. If another server has ended the upload, it ends here too."""
    try:
        await call.service.run(work, *arguments)
    except UploadGone as error:
        await call.service.run(call.service.uploads.end, upload)
        raise unknown(upload.repository) from error
    except UploadMoved as error:
        await _refresh(call, upload)
        raise _misplaced(upload, "another server has taken this upload over") from error
    except DiskFull:  # delete what nobody may need, so that the disk does not stay full
        await call.service.run(call.service.uploads.end, upload)
        await call.service.run(call.service.uploads.end_idle)
        raise


async def _append(call: Call, upload: ServedUpload) -> None:
    """Add the body to the session, unless its Content-Range does not fit, or a newer request takes over."""
    async with upload.lock:  # an earlier request may still be writing, which moves the offset
        own = upload.take_over()
        if "Content-Range" in call.request.headers:
            await _refresh(call, upload)
        chunk = _chunk(call, upload)
    end = None if chunk is None else chunk.offset + chunk.length
    spool, first = upload.spool, True
    async for batch in receive(call):
        async with upload.lock:
            if not upload.owned_by(own):
                raise _misplaced(upload, "another request has taken this upload over")
            if end is not None and upload.spool.size + len(batch) > end:
                raise Refusal(400, "SIZE_INVALID", "the chunk is longer than its Content-Range")
            call.service.uploads.touch(upload)
            at_end = first and end is None
            write = spool.write_at_end if at_end and isinstance(spool, KeptSpool) else spool.write
            await _in_file(call, upload, write, batch)
        first = False
        del batch
    if end is not None and upload.spool.size != end:
        raise Refusal(400, "SIZE_INVALID", "the chunk is shorter than its Content-Range", headers=upload.headers)


def _chunk(call: Call, upload: ServedUpload) -> ByteRange | None:
    text = call.request.headers.get("Content-Range")
    if text is None:
        return None
    chunk = stated(text)
    if chunk is None:
        raise Refusal(400, "BLOB_UPLOAD_INVALID", f"Content-Range {text[:60]!r} is not <start>-<end>")
    if chunk.offset != upload.spool.size:
        raise _misplaced(upload, f"the chunk begins at {chunk.offset}, the next byte is {upload.spool.size}")
    if call.request.content_length is not None and call.request.content_length != chunk.length:
        raise Refusal(400, "SIZE_INVALID", f"{call.request.content_length} bytes cannot be Content-Range {text[:60]}")
    return chunk


def _misplaced(upload: ServedUpload, message: str) -> Refusal:
    return Refusal(416, "BLOB_UPLOAD_INVALID", message, headers=upload.headers)


async def _commit(call: Call, upload: ServedUpload, digest: Digest) -> web.StreamResponse:
    """Pass the session's bytes to the store. The session ends, also if the bytes are wrong or too many for the disk.

    After other errors, and if the server is stopped, the client can ask for the same again.
    """
    async with upload.lock, call.service.flight(digest):
        upload.take_over()
        await _in_file(call, upload, _store_blob, call.service, upload, digest)
    return _created(upload.repository, digest)


def _store_blob(service: Service, upload: ServedUpload, digest: Digest) -> None:
    if isinstance(upload.spool, KeptSpool):
        upload.spool.refresh()
    try:
        _hand_over(service, upload.repository, digest, upload.spool)
    except CorruptError:
        service.uploads.end(upload)
        raise
    service.uploads.end(upload)  # here in the thread, because deleting a large file takes time


def _hand_over(service: Service, repository: str, digest: Digest, spool: Spool | KeptSpool) -> None:
    descriptor = Descriptor(OCTETS, digest, spool.size)
    spools = service.backend.spools
    if spools is not None and spool.path is not None and spool.proves(descriptor):
        with spool.still():
            spools.adopt(repository, descriptor, spool.path.name)
        return
    target = service.backend.target
    if not (_ingest(target, repository, descriptor, spool) or _ingest(target, repository, descriptor, spool)):
        raise DigestMismatch(f"the bytes sent are not those of {digest}", subject=digest)


def _ingest(target: Target, repository: str, descriptor: Descriptor, spool: Spool | KeptSpool) -> bool:
    """Whether the store took the bytes. False if it had a parked beginning of the blob that turned out wrong."""
    with target.begin(repository, descriptor) as ingest:
        offset = ingest.offset
        ingest.write(spool.chunks(offset))
        try:
            ingest.commit()
        except CorruptError:
            if not offset:
                raise
            return False
    return True


def _created(repository: str, digest: Digest) -> web.Response:
    headers = {"Location": f"/v2/{repository}/blobs/{digest}", "Docker-Content-Digest": digest}
    return _answer(201, headers)


async def put_manifest(call: Call) -> web.StreamResponse:
    """Store a manifest under a tag or under its digest alone."""
    by_digest = ":" in call.route.reference
    digest = Digest(call.route.reference) if by_digest else None
    name = Name(call.route.repository, None if by_digest else call.route.reference, digest)
    tags = [Name(call.route.repository, tag) for tag in call.request.query.getall("tag", [])] if by_digest else []
    if len(tags) > SERVED_TAGS:
        raise Refusal(414, "UNSUPPORTED", f"more than {SERVED_TAGS} tags at once")
    raw = await receive_whole(call, MANIFEST_BYTES)
    manifest = Manifest.parse(raw, call.request.headers.get("Content-Type"), digest)
    await call.service.run(check_depth, call.service.store, call.route.repository, manifest)
    for wanted in (name, *tags):
        await call.service.run(_point, call.service, wanted, manifest)
    headers = {
        "Location": f"/v2/{call.route.repository}/manifests/{manifest.digest}",
        "Docker-Content-Digest": manifest.digest,
    }
    if manifest.subject and call.service.backend.refers is not None:
        headers["OCI-Subject"] = manifest.subject.digest  # the client need not keep a list of referrers itself
    response = _answer(201, headers)
    for tagged in tags:
        response.headers.add("OCI-Tag", tagged.tag or "")
    return response


def _point(service: Service, name: Name, manifest: Manifest) -> None:
    sparse, lenient = service.settings.allow_sparse, service.backend.lenient
    if sparse and lenient is not None:
        lenient.point_lacking(name, manifest)
    else:
        service.backend.target.put_manifest(name, manifest, sparse=sparse)


def check_depth(store: Source | Target, repository: str, root: Manifest) -> None:
    """Raise `LimitExceeded` for indexes that are nested deeper than clients read. Each index is read once."""
    known: dict[Digest, Manifest | None] = {}
    level: dict[Digest, Manifest] = {root.digest: root}
    for _ in range(INDEX_DEPTH):
        below = {child.digest for index in level.values() for child in index.manifests if child.media_type in INDEXES}
        if not below:
            return
        for digest in below - known.keys():
            if len(known) >= IMAGE_MANIFESTS:
                raise LimitExceeded(f"an index of more than {IMAGE_MANIFESTS} indexes", subject=root.digest)
            known[digest] = _fetched(store, Name(repository, None, digest))
        level = {digest: index for digest in below if (index := known[digest]) is not None}
    raise LimitExceeded(f"indexes are nested deeper than {INDEX_DEPTH}", subject=root.digest)


def _fetched(store: Source | Target, name: Name) -> Manifest | None:
    try:
        return store.fetch(name)
    except NotFound:  # the store decides whether it may be missing
        return None


async def delete_manifest(call: Call) -> web.StreamResponse:
    """Delete a tag or a manifest, if the store can."""
    deletes = call.service.backend.deletes
    if deletes is None:
        raise _no_deletes()
    by_digest = ":" in call.route.reference
    name = Name(
        call.route.repository,
        None if by_digest else call.route.reference,
        Digest(call.route.reference) if by_digest else None,
    )
    try:
        await call.service.run(deletes.delete_manifest, name)
    except NotFound as error:  # for other writes it would mean that a push needs it
        raise Refusal(404, "MANIFEST_UNKNOWN", f"there is no {name}") from error
    return _answer(202, {})


async def delete_blob(call: Call) -> web.StreamResponse:
    """Delete a blob, if the store can."""
    deletes = call.service.backend.deletes
    if deletes is None:
        raise _no_deletes()
    digest = Digest(call.route.reference)
    try:
        await call.service.run(deletes.delete_blob, call.route.repository, digest)
    except NotFound as error:
        raise Refusal(404, "BLOB_UNKNOWN", f"there is no blob {digest}", subject=digest) from error
    return _answer(202, {})


def _no_deletes() -> Refusal:
    return Refusal(405, "UNSUPPORTED", "this store deletes nothing")


def _answer(status: int, headers: dict[str, str]) -> web.Response:
    return web.Response(status=status, headers=USUAL_HEADERS | headers)
