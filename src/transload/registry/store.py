"""A registry as a store: the ports of `transload.ports` on the distribution API."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from transload.errors import (
    AccessDenied,
    DigestMismatch,
    LimitExceeded,
    LoginMissing,
    ReferenceInvalid,
    Refused,
    Side,
    TransloadError,
)
from transload.limits import LIST_ENTRIES, LIST_PAGE_BYTES
from transload.login import Login
from transload.net.address import Origin
from transload.net.http import Http
from transload.net.messages import HttpRequest, Reply
from transload.net.traffic import Asked, Traffic
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.reference import check_repository, check_tag
from transload.ports import Chunk, RequestCosts
from transload.registry.api import Api, Logins, json_object
from transload.registry.capabilities import Capabilities
from transload.registry.costs import request_costs_of
from transload.registry.expecting import Expecting
from transload.registry.headers import pages
from transload.registry.manifests import Manifests
from transload.registry.presence import presence_of_blob
from transload.registry.reading import Readings
from transload.registry.referrers import Referrers
from transload.registry.scope import CATALOG, Scope, pull
from transload.registry.session import UploadSession
from transload.registry.translate import looks_like_html, not_a_registry, problem
from transload.registry.upload import Upload, Uploads

if TYPE_CHECKING:
    from transload.registry.deleting import RegistryDeletes
    from transload.registry.probing import RegistryProbes

_PAGE = 1000  # ECR accepts no more


class RegistryStore:
    """A target (so also a source) at one registry, `host` or `host:port`. Safe for threads.

    Several stores may share one `Http`. `login` is for the whole registry. Without it, `logins` is called for each
    repository, once the registry asks for a login. `capabilities` is what an earlier run learnt about the registry.
    `side` says whose limit on the rate (`NetSettings.limits`) counts for it. With `keeps_tags`, a list of tags that was
    read to its end is not asked for again, nor a fallback tag that is not in it.
    """

    blobs_per_repository = True

    def __init__(
        self,
        host: str,
        http: Http,
        *,
        login: Login | None = None,
        logins: Logins | None = None,
        capabilities: Capabilities | None = None,
        side: Side | None = None,
        keeps_tags: bool = False,
    ) -> None:
        self.locator = host
        self.capabilities = capabilities or Capabilities()
        self._tags: dict[str, tuple[str, ...]] | None = {} if keeps_tags else None
        self._api = Api(
            host,
            http,
            logins if logins and not login else lambda _: login,
            self.capabilities,
            side=side,
            has_login=login is not None,
        )
        self._manifests = Manifests(self._api)
        self._referrers = Referrers(self._api, self._manifests)
        self._readings = Readings(self._api)
        self._uploads = Uploads(self._api, RequestCosts().small_blob_bytes)

    @property
    def mounts(self) -> RegistryStore:
        """Mounts are tried until the registry has refused enough of them."""
        return self

    @property
    def refers(self) -> RegistryStore:
        """Referrers by the API or by the fallback tag."""
        return self

    def hasty(self) -> AbstractContextManager[None]:
        """In this block, what this thread asks is not asked again for long, if the registry has trouble."""
        return self._api.hasty()

    @property
    def streams(self) -> Api:
        """How many bodies it carries at a time."""
        return self._api

    @property
    def noting(self) -> Referrers:
        """The lists of referrers, which a registry without the API leaves to its clients."""
        return self._referrers

    @property
    def continues(self) -> Uploads:
        """Uploads of an earlier process, for as long as the registry keeps them."""
        return self._uploads

    @property
    def deletes(self) -> RegistryDeletes:
        """What the registry lets its clients delete."""
        from transload.registry.deleting import RegistryDeletes  # few commands delete

        return RegistryDeletes(self._api, self._manifests, self._referrers, self.tags)

    @property
    def probes(self) -> RegistryProbes:
        """What can be tried out before a run."""
        from transload.registry.probing import RegistryProbes  # only `check` tries things

        return RegistryProbes(self._api, self._referrers)

    @property
    def origin(self) -> Origin:
        """Scheme, host and port that are asked. Raises `Unreachable` for a loopback port where nothing listens."""
        return self._api.origin

    def connect_ahead(self) -> None:
        """Open one more connection for a question that is to come. Does not raise; trouble shows with the question."""
        with contextlib.suppress(TransloadError):  # the first question says more
            self._api.http.connect_ahead(self._api.origin)

    @property
    def connections_for_bodies(self) -> int:
        """How many connections are of use before bodies are asked for: none, where one is open in a moment."""
        return self._api.reading.at_a_time if self._api.reading.is_far else 0

    @property
    def request_costs(self) -> RequestCosts | None:
        """As far as is known of the registry by now; what is not known counts as the usual way."""
        return request_costs_of(self.capabilities)

    @property
    def expecting(self) -> Expecting:
        """What will be asked, so that one token serves many repositories."""
        return Expecting(self._api)

    @property
    def requests_sent(self) -> Asked:
        """The requests that were sent for this store."""
        return self._api.asked

    @property
    def traffic(self) -> Traffic:
        """Counts of requests and bytes, for all stores that share the `Http`."""
        return self._api.http.traffic

    def check_login(self) -> None:
        """Log in, to learn before the work begins whether the login is accepted.

        Raises `CredentialsRejected`, `Unreachable` and others. A registry that never asks for a login accepts any.
        """
        self._api.ask(HttpRequest("GET", self._api.url(""), f"logging in at {self.locator}", "login"))

    # --- Resolves

    def resolve(self, name: Name) -> Descriptor:
        """The descriptor that `name` stands for, by a HEAD request. Raises `NotFound`, `AccessError`, `Unreachable`."""
        return self._manifests.resolve(name)

    def fetch(self, name: Name) -> Manifest:
        """The manifest that `name` stands for, its bytes verified (distribution specification, "Pulling manifests").

        Raises `NotFound`, `CorruptError`, `AccessError`, `Unreachable`.
        """
        return self._manifests.fetch(name)

    def tags(self, repository: str) -> Iterator[str]:
        """Every tag of a repository, in the registry's order (distribution specification, "Listing Tags").

        Raises `RepositoryUnknown`, `AccessError`, `LimitExceeded`, at the first step or later.
        """
        doing = f"listing the tags of {repository} at {self.locator}"
        first = self._api.url(f"{check_repository(repository)}/tags/list?n={_PAGE}")

        def fetch(url: str) -> Reply:
            reply = self._list(url, doing, "tags", pull(repository))
            if reply.status != 200:
                raise problem(reply, doing, "repository", repository)
            return reply

        if self._tags is not None and repository in self._tags:
            return iter(self._tags[repository])
        return self._noted(repository, _entries(self._api, first, fetch, "tags", doing, check_tag))

    def _noted(self, repository: str, tags: Iterator[str]) -> Iterator[str]:
        """The same tags, kept when the last one has come, if this store keeps them."""
        if self._tags is None:
            yield from tags
            return
        listed: list[str] = []
        for tag in tags:
            listed.append(tag)
            yield tag
        self._tags[repository] = tuple(listed)

    def repositories(self) -> Iterator[str]:
        """Every repository that the registry lists to this login, by `/v2/_catalog`, which not every registry has.

        Raises `Refused` where there is no list, `AccessError`, `LimitExceeded`.
        """
        doing = f"listing the repositories of {self.locator}"

        def fetch(url: str) -> Reply:
            reply = self._catalog(url, doing)
            if reply.status == 200 and looks_like_html(reply):  # if it is no accident, it comes again
                reply = self._catalog(url, doing)
            if reply.status in {401, 403, 404, 405} or (reply.status == 200 and looks_like_html(reply)):
                raise Refused(f"{self.locator} does not list its repositories", subject=self.locator)
            if reply.status != 200:
                raise problem(reply, doing, "list", self.locator)
            return reply

        first = self._api.url(f"_catalog?n={_PAGE}")
        return _entries(self._api, first, fetch, "repositories", doing, check_repository)

    def _catalog(self, url: str, doing: str) -> Reply:
        try:
            return self._list(url, doing, "catalog", CATALOG)
        except LoginMissing:
            raise
        except AccessDenied as error:
            raise Refused(f"{self.locator} does not list its repositories", subject=self.locator) from error

    def _list(self, url: str, doing: str, purpose: str, scope: Scope) -> Reply:
        return self._api.ask(HttpRequest("GET", url, doing, purpose, limit=LIST_PAGE_BYTES), scope)

    # --- Reads

    def ends_readings(self) -> bool:
        """Whether all work is to end, so that each reading raises `Interrupted` when it has given what had arrived."""
        return self._api.http.cancellation.cancelled

    def exists(self, repository: str, descriptor: Descriptor) -> bool:
        """Whether the repository holds this blob or manifest, with this size if the registry states sizes.

        Raises `AccessError`, `Unreachable`.
        """
        if descriptor.is_manifest:
            return self._manifests.exists(repository, descriptor)
        doing = f"looking for {descriptor.digest.short} in {repository} at {self.locator}"
        return presence_of_blob(self._api, repository, descriptor, doing).ask(pull(repository))

    @contextmanager
    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[Chunk]]:
        """Bytes of a blob from `offset`, `length` of them (to the end when None). Raises `BlobUnknown`, `Unreachable`.

        A body that breaks off is continued where it broke, within the budget of attempts. A large blob may come on
        several connections (see `Readings`). The reader checks the digest.
        """
        end = descriptor.size if length is None else min(offset + length, descriptor.size)
        if offset >= end and descriptor.size:
            yield iter(())
            return
        reading = self._readings.of(repository, descriptor, offset, end)
        try:
            reading.begin()
            yield reading.chunks()
        finally:
            reading.close()

    # --- Ingests

    def begin(self, repository: str, descriptor: Descriptor) -> AbstractContextManager[Upload]:
        """Begin an upload, or continue an unfinished one (distribution specification, "Pushing a blob in chunks").

        Unfinished uploads are kept as long as this store lives, if the registry can resume them; with notes
        (`continues`), a later process goes on with them too.
        """
        return self._uploads.begin(repository, descriptor)

    # --- Names

    def put_manifest(self, name: Name, manifest: Manifest, *, part: bool = False, sparse: bool = False) -> None:  # noqa: ARG002 - the registry decides
        """Store `manifest` and let `name` stand for it; its blobs and child manifests must be there.

        Updates the list of referrers under the fallback tag, if the registry has no API for them (distribution
        specification, "Pushing manifests with subject"). Raises `NotFound`, `ReadOnly`, `AccessDenied`, `TooLarge`.
        """
        if name.digest is not None and name.digest != manifest.digest:
            raise DigestMismatch(f"{name} cannot stand for {manifest.digest}", subject=manifest.digest)
        reply = self._manifests.put(name.repository, name.tag or manifest.digest, manifest)
        if manifest.subject is None:
            return
        if "OCI-Subject" in reply.headers:
            self.capabilities.learn("referrers_api", True)
        else:
            self._referrers.record(name.repository, manifest.subject.digest, manifest)

    # --- Mounts

    def mount(self, descriptor: Descriptor, origin: str, repository: str) -> bool:
        """Ask for a blob of `origin` in `repository` without sending it; False if the bytes have to be sent.

        After three refusals without a success the registry is no longer asked (distribution specification,
        "Mounting a blob from another repository").
        """
        if not self.capabilities.mounts_worth_trying:
            return False
        session = UploadSession(self._api, repository, descriptor)
        accepted = session.mount(origin)
        if accepted is not None:
            self.capabilities.mount_answered(accepted)
        return bool(accepted)

    # --- Refers

    def referrers(self, repository: str, digest: Digest) -> tuple[Descriptor, ...]:
        """Descriptors of the manifests whose subject is `digest`; empty if there are none.

        They are asked for by the API, and read from the fallback tag where there is none (distribution specification,
        "Listing Referrers"). Raises `AccessError`, `Unreachable`, `LimitExceeded`.
        """
        return self._referrers.of(repository, digest, self._tags.get(repository) if self._tags else None)


def _entries(
    api: Api, first: str, fetch: Callable[[str], Reply], key: str, doing: str, check: Callable[[str], str]
) -> Iterator[str]:
    """The names of a paged list, each once. An empty list may be null. Names that `check` refuses are left out.

    A page that cannot be read is asked for once more.
    """
    count, known = 0, set[str]()
    entries: list[object] = []

    def readable(url: str) -> Reply:
        page = fetch(url)
        listed = json_object(page, doing).get(key) or []
        if not isinstance(listed, list):
            raise not_a_registry(page, doing)
        entries[:] = listed
        return page

    for _ in pages(first, lambda url: api.once_more(lambda: readable(url)), known):
        count += len(entries)
        if count > LIST_ENTRIES:
            raise LimitExceeded(f"{doing}: the list has more than {LIST_ENTRIES} names")
        fresh = dict.fromkeys(entry for entry in entries if isinstance(entry, str) and entry not in known)
        valid = [entry for entry in fresh if _is(check, entry)]
        known.update(valid)
        yield from valid


def _is(check: Callable[[str], str], text: str) -> bool:
    try:
        check(text)
    except ReferenceInvalid:
        return False
    return True
