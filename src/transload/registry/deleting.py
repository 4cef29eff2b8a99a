"""Deletes tags and manifests at a registry.

Rules: distribution specification, "Deleting tags", "Deleting Manifests", "Deleting Blobs". Many registries delete by
digest only, and then every tag of the manifest goes. This is never done if the user named a tag.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from transload.errors import CorruptError, NotFound, ReadOnly, Refused, TransloadError
from transload.net.messages import HttpRequest, Reply
from transload.oci import Digest, Name
from transload.registry.api import Api
from transload.registry.manifests import Manifests
from transload.registry.referrers import Referrers
from transload.registry.scope import removal
from transload.registry.translate import complaints, problem

_DELETED = {200, 202, 204}
"""The specification has 202; some registries send the others."""
_NO_TAGS = {400, 404, 405, 501}
"""Answers of registries that cannot delete a tag. Some send 404, because they take the tag for an unknown digest."""
_NEVER = {405, 501}
"""Answers of registries that delete no manifest at all (distribution specification, "Deleting Manifests")."""
_SHOWN = 5


class RegistryDeletes:
    """Deletes from one registry (see `transload.ports.Deletes`). `tags` lists the tags of a repository."""

    def __init__(
        self, api: Api, manifests: Manifests, referrers: Referrers, tags: Callable[[str], Iterable[str]]
    ) -> None:
        self._api = api
        self._manifests = manifests
        self._referrers = referrers
        self._tags = tags

    def delete_manifest(self, name: Name) -> None:
        """Delete a tag, or a manifest with all its tags. If both tag and digest are named, the digest decides.

        Raises `ManifestUnknown`, `AccessDenied`; `ReadOnly` if the registry deletes nothing, `Refused` if no tag alone.
        """
        if name.digest is None:
            self._delete_tag(name)
        else:
            self._delete_by_digest(name, name.digest)

    def delete_blob(self, repository: str, digest: Digest) -> None:
        """Make a blob invisible in a repository. Raises `BlobUnknown`, `AccessDenied`, `Refused`."""
        doing = f"deleting {digest.short} from {repository} at {self._api.host}"
        reply = self._ask(self._api.blob_url(repository, digest), doing, repository)
        if reply.status not in _DELETED:
            raise _explained(problem(reply, doing, "blob", digest), self._api.host)

    # --- a tag

    def _delete_tag(self, name: Name) -> None:
        doing = f"deleting {self._api.host}/{name}"
        digest = self._manifests.resolve(name).digest
        others = set(self._tags(name.repository)) - {name.tag}
        reply = self._ask(self._api.manifest_url(name.repository, name.tag or ""), doing, name.repository)
        if reply.status in _DELETED:
            self._check_others(name, digest, others)
        elif (reply.status in _NO_TAGS or _is_unsupported(reply)) and self._is_there(name):
            raise Refused(
                f"{self._api.host} does not delete a tag alone ({reply.status})",
                subject=str(name),
                hint=f"delete the manifest by its digest, which takes every tag of it away: …@{digest}",
            )
        elif reply.status != 404:  # 404: it was there before, so a first attempt has deleted it
            raise problem(reply, doing, "manifest", str(name))

    def _check_others(self, name: Name, digest: Digest, others: set[str]) -> None:
        """Raise `Refused` if other tags are lost: some registries delete the whole manifest when asked for a tag."""
        if not others or self._is_there(name.at(digest)):
            return
        lost = sorted(others - set(self._left(name.repository)))
        if lost:
            more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
            raise Refused(
                f"{self._api.host} deleted {name}, and with it the manifest that other tags stood for: "
                f"{', '.join(lost[:_SHOWN])}{more}",
                subject=digest,
                hint="copy that image there again; this registry keeps no manifest when one of its tags is deleted",
            )

    def _left(self, repository: str) -> Iterable[str]:
        try:
            return list(self._tags(repository))
        except NotFound:  # some registries drop a repository with its last tag
            return ()

    def _is_there(self, name: Name) -> bool:
        try:
            self._manifests.resolve(name)
        except NotFound:
            return False
        return True

    # --- a manifest

    def _delete_by_digest(self, name: Name, digest: Digest) -> None:
        doing = f"deleting {self._api.host}/{name}"
        subject: Digest | None = None
        with suppress(CorruptError, Refused):  # a manifest that cannot be read can still be deleted
            manifest = self._manifests.fetch(name.at(digest))
            subject = manifest.subject.digest if manifest.subject else None
        reply = self._ask(self._api.manifest_url(name.repository, digest), doing, name.repository)
        gone = reply.status == 404 and not self._is_there(name.at(digest))
        if reply.status not in _DELETED and not gone:
            error = problem(reply, doing, "manifest", str(name))
            if type(error) is Refused and (reply.status in _NEVER or _is_unsupported(reply)):
                error = ReadOnly(error.message, subject=error.subject)
            raise _explained(error, self._api.host)
        if subject is not None:
            self._referrers.forget(name.repository, subject, digest)

    def _ask(self, url: str, doing: str, repository: str) -> Reply:
        return self._api.ask(HttpRequest("DELETE", url, doing, "delete"), removal(repository))


def _is_unsupported(reply: Reply) -> bool:
    return "UNSUPPORTED" in {complaint.code for complaint in complaints(reply)}


def _explained(error: TransloadError, host: str) -> TransloadError:
    if type(error) in {Refused, ReadOnly} and error.hint is None:
        error.hint = f"{host} may not delete at all: distribution wants storage.delete.enabled in its configuration"
    return error
