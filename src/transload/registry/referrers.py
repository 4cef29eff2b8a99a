"""Who refers to a manifest: by the referrers API if the registry has one, else by its fallback tag.

Rules: distribution specification, "Listing Referrers" and "Referrers Tag Schema".
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Container
from typing import Any

from transload.errors import ManifestInvalid, NotFound
from transload.limits import IMAGE_MANIFESTS_BYTES, REFERRER_PAGES, REFERRERS
from transload.net.messages import HttpRequest, Reply
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.mediatype import OCI_INDEX
from transload.registry.api import Api, json_object
from transload.registry.headers import pages
from transload.registry.manifests import Manifests
from transload.registry.scope import pull
from transload.registry.translate import looks_like_html, problem

_UNKNOWN = {400, 404, 405, 501}


def fallback_tag(digest: Digest) -> str:
    """The tag whose index lists the referrers of `digest`, for registries without the API."""
    return f"{digest.algorithm[:32]}-{digest.encoded[:64]}"


def index_with(index: Manifest | None, manifest: Manifest) -> bytes | None:
    """The bytes of `index` (None: there is none yet) with an entry for `manifest`; None if it has one already.

    Other entries are kept as they are, with all their fields. Raises `ManifestInvalid` if `index` is not an index.
    """
    if index is not None and not index.is_index:
        raise ManifestInvalid("the tag for referrers does not stand for an index", subject=index.digest)
    empty: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    document = index.document if index else empty
    entries = document.get("manifests") or []
    if any(isinstance(entry, dict) and entry.get("digest") == manifest.digest for entry in entries):
        return None
    document["manifests"] = [*entries, manifest.as_referrer.to_json()]
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def index_without(index: Manifest, digest: Digest) -> bytes | None:
    """The bytes of `index` without the entry for `digest`; None if it has none. Raises `ManifestInvalid`."""
    if not index.is_index:
        raise ManifestInvalid("the tag for referrers does not stand for an index", subject=index.digest)
    document = index.document
    entries = document.get("manifests") or []
    rest = [entry for entry in entries if not (isinstance(entry, dict) and entry.get("digest") == digest)]
    if len(rest) == len(entries):
        return None
    document["manifests"] = rest
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


class Referrers:
    """Reads lists of referrers. Where the registry leaves the list to its clients, it also updates it."""

    def __init__(self, api: Api, manifests: Manifests) -> None:
        self._api = api
        self._manifests = manifests
        self._lock = threading.Lock()
        self._finding_out = threading.Lock()
        self._tags: dict[tuple[str, str], threading.Lock] = {}

    def of(self, repository: str, digest: Digest, tags: Container[str] | None = None) -> tuple[Descriptor, ...]:
        """Descriptors of the manifests whose subject is `digest`. `tags` are the repository's, if they are known.

        Raises `AccessDenied`, `ProtocolTrouble`.
        """
        referrers = self._found_out(repository, digest)
        if referrers is None and self._api.capabilities.referrers_api is not False:
            referrers = self._by_api(repository, digest)
        if referrers is None and tags is not None and fallback_tag(digest) not in tags:
            return ()
        return self._by_tag(repository, digest) if referrers is None else referrers

    def _found_out(self, repository: str, digest: Digest) -> tuple[Descriptor, ...] | None:
        """The referrers by the API, if this is the request that finds out whether the registry has it.

        Only one thread asks, and others wait for what it learns. What an earlier run learnt is asked again: with a
        registry that has the API by now, its fallback tags would hide new referrers.
        """
        capabilities = self._api.capabilities
        if capabilities.is_settled("referrers_api"):
            return None
        with self._finding_out:
            return None if capabilities.is_settled("referrers_api") else self._by_api(repository, digest)

    def requests_to_note(self, repository: str, digest: Digest) -> int:
        """How many requests `record` takes. Asks the registry whether it has the API, if this run does not know."""
        self._found_out(repository, digest)
        return 2 if self._api.capabilities.referrers_api is False else 0

    def record(self, repository: str, subject: Digest, manifest: Manifest) -> None:
        """Add `manifest` to the list of its subject, if the registry did not do so itself."""
        self._change(repository, subject, lambda index: index_with(index, manifest))

    def forget(self, repository: str, subject: Digest, digest: Digest) -> None:
        """Remove a deleted manifest from the list of its subject, if the registry did not do so itself.

        Rules: distribution specification, "Deleting Manifests".
        """
        if not self._api.capabilities.is_settled("referrers_api"):
            self.of(repository, subject)  # this finds out whether the registry has the API
        if self._api.capabilities.referrers_api is False:
            self._change(repository, subject, lambda index: index_without(index, digest) if index else None)

    def _change(self, repository: str, subject: Digest, change: Callable[[Manifest | None], bytes | None]) -> None:
        """Change the list of a subject: `change` gets the index and gives its new bytes, or None for no change."""
        tag = fallback_tag(subject)
        with self._lock:
            tag_lock = self._tags.setdefault((repository, tag), threading.Lock())
        with tag_lock:
            try:
                index: Manifest | None = self._manifests.fetch(Name(repository, tag))
            except NotFound:
                index = None
            wanted = change(index)
            if wanted is not None:
                self._manifests.put(repository, tag, Manifest.parse(wanted, OCI_INDEX))

    def _by_api(self, repository: str, digest: Digest) -> tuple[Descriptor, ...] | None:
        """The referrers by the API; None if the registry does not have it."""
        doing = f"asking {self._api.host} who refers to {digest.short} in {repository}"
        referrers: dict[Digest, Descriptor] = {}
        entries: list[Descriptor] = []

        def fetch(url: str) -> Reply:
            request = HttpRequest("GET", url, doing, "referrers", headers={"Accept": OCI_INDEX})
            page = self._api.ask(request, pull(repository))
            if page.status == 200 and looks_like_html(page):  # if it is no accident, it comes again
                page = self._api.ask(request, pull(repository))
            return page

        def readable(url: str) -> Reply:
            page = fetch(url)
            if page.status == 200 and page.content_type == OCI_INDEX:
                entries[:] = _entries(json_object(page, doing), doing)
            return page

        first = self._api.url(f"{repository}/referrers/{digest}")
        for page in pages(first, lambda url: self._api.once_more(lambda: readable(url)), referrers, REFERRER_PAGES):
            if page.status in _UNKNOWN or (page.status == 200 and page.content_type != OCI_INDEX):
                self._api.capabilities.learn("referrers_api", False)
                return None
            if page.status != 200:
                raise problem(page, doing, "manifest", digest)
            self._api.capabilities.learn("referrers_api", True)
            referrers.update((entry.digest, entry) for entry in entries)
            if (
                len(referrers) > REFERRERS
                or sum(referrer.weight for referrer in referrers.values()) > IMAGE_MANIFESTS_BYTES
            ):
                raise ManifestInvalid(f"{doing}: more than {REFERRERS} referrers, or they take too much memory")
        return tuple(referrers.values())

    def _by_tag(self, repository: str, digest: Digest) -> tuple[Descriptor, ...]:
        try:
            index = self._manifests.fetch(Name(repository, fallback_tag(digest)))
        except NotFound:
            return ()
        return index.manifests


def _entries(document: dict[str, Any], doing: str) -> list[Descriptor]:
    entries = document.get("manifests") or []
    if not isinstance(entries, list):
        raise ManifestInvalid(f"{doing}: manifests is not a list")
    return [Descriptor.from_json(entry, f"manifests[{index}]") for index, entry in enumerate(entries)]
