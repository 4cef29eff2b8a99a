"""Reading endpoints: manifests, blobs, tags, catalog, referrers (distribution specification, "Pull", "Discovery")."""

from __future__ import annotations

import json
from contextlib import nullcontext

from aiohttp import web

from transload.errors import ManifestUnknown, NotFound, ReferenceInvalid
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.mediatype import OCI_INDEX
from transload.server.bodies import send_blob
from transload.server.conditions import is_known
from transload.server.headers import ByteRange, PageInvalid, Unsatisfiable, page, requested
from transload.server.refusals import USUAL_HEADERS, Refusal
from transload.server.routes import Route
from transload.server.service import Call
from transload.wording import number_of


async def get_version(_: Call) -> web.StreamResponse:
    """`GET /v2/`: this is a registry, and the client has access."""
    return _json(b"{}")


async def get_manifest(call: Call) -> web.StreamResponse:
    """A manifest with exactly the stored bytes. HEAD asks the store for the descriptor only."""
    name = manifest_name(call.route)
    if call.request.method == "HEAD":
        descriptor = await call.service.run(call.service.store.resolve, name)
        if call.service.pulls is not None:
            call.service.pulls.resolved(call.client, call.route, descriptor.digest)
        if _is_known(call, descriptor):
            return _not_modified(descriptor)
        head = web.StreamResponse(headers=_content_headers(descriptor) | {"Content-Type": descriptor.media_type})
        head.content_length = descriptor.size
        return head
    manifest: Manifest = await call.service.run(call.service.store.fetch, name)
    call.service.backend.learn(manifest)
    if _is_known(call, manifest.descriptor):
        return _not_modified(manifest.descriptor)
    call.service.counts.bytes_sent += len(manifest.raw)
    if call.service.pulls is not None:
        call.service.pulls.manifest(call.client, call.route, manifest)
    return web.Response(
        body=manifest.raw, headers=_content_headers(manifest.descriptor) | {"Content-Type": manifest.media_type}
    )


def manifest_name(route: Route) -> Name:
    """The name in the path. Raises `DigestInvalid`; `ManifestUnknown` for an invalid tag, since it cannot exist."""
    if ":" in route.reference:
        return Name(route.repository, None, Digest(route.reference))
    try:
        return Name(route.repository, route.reference)
    except ReferenceInvalid as error:
        raise ManifestUnknown(error.message, subject=route.reference) from error


async def get_blob(call: Call) -> web.StreamResponse:
    """A blob or a part of it."""
    digest = Digest(call.route.reference)
    blob = await call.service.run(call.service.backend.descriptor, call.route.repository, digest)
    if _is_known(call, blob):
        return _not_modified(blob)
    headers = _content_headers(blob) | {"Content-Type": blob.media_type, "Accept-Ranges": "bytes"}
    span = None if call.request.method == "HEAD" else _span(call, blob)
    response = web.StreamResponse(status=206 if span else 200, headers=headers)
    if span:
        response.headers["Content-Range"] = span.content_range(blob.size)
    response.content_length = span.length if span else blob.size
    if call.request.method == "HEAD" or blob.size == 0:
        return response
    span, pulls = span or ByteRange(0, blob.size), call.service.pulls
    with pulls.sending(call.client, call.route, blob, call.body) if pulls is not None else nullcontext():
        return await send_blob(call, response, blob, span)


def _span(call: Call, blob: Descriptor) -> ByteRange | None:
    if call.request.headers.get("If-Range") not in {None, f'"{blob.digest}"'}:
        return None
    try:
        return requested(call.request.headers.get("Range"), blob.size)
    except Unsatisfiable as error:
        raise Refusal(
            416,
            "SIZE_INVALID",
            f"the blob has {number_of(blob.size, 'byte')}, none of them in the range asked for",
            subject=blob.digest,
            headers={"Content-Range": f"bytes */{blob.size}"},
        ) from error


async def get_tags(call: Call) -> web.StreamResponse:
    """The tags of a repository, sorted, in pages if the client asks for pages."""
    tags = await call.service.run(lambda: sorted(call.service.store.tags(call.route.repository)))
    return _paged(call, "tags", tags, {"name": call.route.repository})


async def get_catalog(call: Call) -> web.StreamResponse:
    """Every repository, sorted. Names without a repository cannot be shown in this API."""
    repositories = await call.service.run(lambda: sorted(filter(None, call.service.store.repositories())))
    return _paged(call, "repositories", repositories, {})


def _paged(call: Call, key: str, entries: list[str], rest: dict[str, object]) -> web.Response:
    try:
        shown = page(entries, call.request.query, call.request.path)
    except PageInvalid as error:
        raise Refusal(400, "PAGINATION_NUMBER_INVALID", str(error)) from error
    response = _json(json.dumps(rest | {key: list(shown.entries)}).encode())
    if shown.link:
        response.headers["Link"] = shown.link
    return response


async def get_referrers(call: Call) -> web.StreamResponse:
    """An index of the manifests with this one as subject; with one artifact type if the client asks for one."""
    digest = Digest(call.route.reference)
    refers = call.service.backend.refers
    if refers is None:
        raise Refusal(404, "UNSUPPORTED", "this store keeps no list of referrers")
    referrers = await call.service.run(refers.referrers, call.route.repository, digest)
    referrers = tuple([await _described(call, referrer) for referrer in referrers])
    wanted = call.request.query.get("artifactType")
    if wanted:
        referrers = tuple(referrer for referrer in referrers if referrer.artifact_type == wanted)
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [referrer.to_json() for referrer in referrers]}
    response = _json(json.dumps(index).encode(), OCI_INDEX)
    if wanted:
        response.headers["OCI-Filters-Applied"] = "artifactType"
    return response


async def _described(call: Call, referrer: Descriptor) -> Descriptor:
    """The referrer with artifact type and annotations: the specification wants them, not every store keeps them."""
    if referrer.artifact_type:
        return referrer
    try:
        manifest: Manifest = await call.service.run(
            call.service.store.fetch, Name(call.route.repository, None, referrer.digest)
        )
    except NotFound:
        return referrer
    return manifest.as_referrer


def _is_known(call: Call, descriptor: Descriptor) -> bool:
    return is_known(call.request.headers.getall("If-None-Match", []), descriptor.digest)


def _not_modified(descriptor: Descriptor) -> web.Response:
    return web.Response(status=304, headers=_content_headers(descriptor))


def _content_headers(descriptor: Descriptor) -> dict[str, str]:
    return USUAL_HEADERS | {"Docker-Content-Digest": descriptor.digest, "ETag": f'"{descriptor.digest}"'}


def _json(body: bytes, content_type: str = "application/json") -> web.Response:
    return web.Response(body=body, headers=USUAL_HEADERS, content_type=content_type)
