"""Manifests of one registry: resolving names, fetching exact bytes, and putting them there."""

from __future__ import annotations

from collections.abc import Mapping

from transload.errors import DigestInvalid, DigestMismatch, LimitExceeded, NotFound, Refused, TransloadError
from transload.limits import MANIFEST_BYTES
from transload.net.messages import HttpRequest, Reply
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.mediatype import ACCEPT, MANIFESTS, SCHEMA1, UNCOMPRESSED_LAYERS
from transload.registry.api import Api
from transload.registry.presence import Presence, is_no_answer
from transload.registry.scope import pull, push
from transload.registry.translate import DAMAGED, codes_of, looks_like_html, not_a_registry, problem
from transload.wording import whole_number

_PUT = {200, 201, 202, 204}
_ACCEPT = {"Accept": ", ".join(ACCEPT)}


class Manifests:
    """Resolves, fetches and puts manifests."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def resolve(self, name: Name) -> Descriptor:
        """What a name stands for: by one HEAD if its answer is complete, else by a GET.

        If the registry does not know HEAD, later calls use GET at once.

        Raises `ManifestUnknown`, `DigestMismatch`, `AccessDenied`.
        """
        return self._api.once_more(lambda: self._resolved(name))

    def _resolved(self, name: Name) -> Descriptor:
        doing = f"resolving {self._api.host}/{name}"
        if self._api.capabilities.rules_out("head"):
            return self._fetched(name).descriptor
        reply = self._ask("HEAD", name, doing)
        if is_no_answer(self._url(name), reply):
            descriptor = self._fetched(name).descriptor
            self._api.capabilities.learn("head", False)
            return descriptor
        if reply.status != 200:
            raise problem(reply, doing, "manifest", str(name))
        if not self._api.capabilities.head:
            self._api.capabilities.learn("head", True)
        return self._described(reply, name, doing) or self._fetched(name).descriptor

    def fetch(self, name: Name) -> Manifest:
        """The manifest, by one GET; by a second one if what came was damaged.

        Raises `ManifestUnknown`, `DigestMismatch`, `ManifestInvalid`, `ProtocolTrouble`, `AccessDenied`.
        """
        return self._api.once_more(lambda: self._fetched(name))

    def _fetched(self, name: Name) -> Manifest:
        doing = f"fetching {self._api.host}/{name}"
        reply = self._ask("GET", name, doing)
        if reply.status != 200:
            raise problem(reply, doing, "manifest", str(name))
        if looks_like_html(reply):
            raise not_a_registry(reply, doing)
        manifest = Manifest.parse(reply.body, reply.content_type or None, name.digest)
        _check_claim(reply.headers, manifest, doing)
        return manifest

    def exists(self, repository: str, descriptor: Descriptor) -> bool:
        """Whether the manifest is there, by one HEAD. Raises `AccessDenied`."""
        name = Name(repository, None, descriptor.digest)
        url = self._api.manifest_url(repository, descriptor.digest)
        presence = Presence(
            api=self._api,
            url=url,
            descriptor=descriptor,
            doing=f"looking for {self._api.host}/{name}",
            asked="manifest",
            subject=str(name),
        )
        return presence.ask(pull(repository), _ACCEPT)

    def put(self, repository: str, reference: str, manifest: Manifest) -> Reply:
        """Store the exact bytes, by one PUT; by a second one if they were damaged on the way.

        Raises `NotFound`, `Refused`, `ReadOnly`, `DigestMismatch`, `AccessDenied`.
        """
        doing = f"storing {reference} in {repository} at {self._api.host}"
        url = self._api.manifest_url(repository, reference)
        request = HttpRequest(
            "PUT", url, doing, "manifest", headers={"Content-Type": manifest.media_type}, body=manifest.raw
        )
        reply = self._api.ask(request, push(repository))
        if reply.status not in _PUT and codes_of(reply) & DAMAGED:  # not by us: the bytes are those of the digest
            self._api.http.traffic.retried(self._api.origin.netloc)
            reply = self._api.ask(request, push(repository))
        if reply.status not in _PUT:
            raise _explained(problem(reply, doing, "push", f"{repository}:{reference}"), manifest)
        _check_claim(reply.headers, manifest, doing)
        return reply

    def _ask(self, method: str, name: Name, doing: str) -> Reply:
        if name.digest is None and name.tag is None:
            raise NotFound(f"{doing}: the name has neither tag nor digest", subject=str(name))
        request = HttpRequest(method, self._url(name), doing, "manifest", headers=_ACCEPT)
        return self._api.ask(request, pull(name.repository))

    def _url(self, name: Name) -> str:
        return self._api.manifest_url(name.repository, name.digest or name.tag or "")

    def _described(self, reply: Reply, name: Name, doing: str) -> Descriptor | None:
        """The descriptor that the headers give; None if they are incomplete, or do not describe a manifest."""
        claimed = _claimed(reply.headers)
        length = whole_number(reply.headers.get("Content-Length", ""))
        digest = name.digest or claimed
        if digest is None or length is None or reply.content_type not in MANIFESTS | SCHEMA1:
            return None
        if claimed is not None and claimed.algorithm == digest.algorithm and claimed != digest:
            raise DigestMismatch(f"{doing}: the registry answers with {claimed}", subject=digest)
        if length > MANIFEST_BYTES:
            raise LimitExceeded(f"{doing}: a manifest of {length} bytes is over the limit of {MANIFEST_BYTES}")
        if not length:
            return None
        return Descriptor(reply.content_type, digest, length)


def _explained(error: TransloadError, manifest: Manifest) -> TransloadError:
    """The error with a hint, if the manifest has something that some registries are known to refuse."""
    plain = any(layer.media_type in UNCOMPRESSED_LAYERS for layer in manifest.layers)
    if type(error) is Refused and plain and error.hint is None:  # Quay, for one: MANIFEST_INVALID
        error.hint = "its layers are not compressed, which this registry may not take: transload push --compress"
    return error


def _claimed(headers: Mapping[str, str]) -> Digest | None:
    """The `Docker-Content-Digest`, which is only a hint; None if it is missing or not a digest that we can check."""
    try:
        return Digest(headers.get("Docker-Content-Digest", "").strip())
    except DigestInvalid:
        return None


def _check_claim(headers: Mapping[str, str], manifest: Manifest, doing: str) -> None:
    claimed = _claimed(headers)
    if claimed is None or claimed == Digest.of(manifest.raw, claimed.algorithm):
        return
    raise DigestMismatch(
        f"{doing}: the registry lies about its digest: it says {claimed}, the content has {manifest.digest}",
        subject=manifest.digest,
    )
