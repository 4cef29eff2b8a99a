"""Whether a registry has a blob or manifest with a given size: asked by HEAD, or by GET where HEAD does not work.

Storage behind signed addresses refuses a redirected HEAD, because the signature is for GET (403 from MinIO and R2, 400
from S3 in China). Other storage answers HEAD without a length, or with 0.
"""

from __future__ import annotations

from collections.abc import Mapping

from transload.errors import SizeMismatch
from transload.net.messages import Answer, HttpRequest, Reply
from transload.oci import Descriptor
from transload.registry.api import Api
from transload.registry.headers import closed_range, parse_content_range
from transload.registry.scope import Scope
from transload.registry.translate import Asked, check_is_no_page, problem
from transload.values import frozen
from transload.wording import number_of, whole_number

NO_HEAD = {400, 405, 501}
"""Answers of servers that do not know HEAD."""


@frozen(kw_only=True)
class Presence:
    """One question about `descriptor`, which should be at `url`. `subject` is its name in errors."""

    api: Api
    url: str
    descriptor: Descriptor
    doing: str
    asked: Asked
    subject: str

    def ask(self, scope: Scope, headers: Mapping[str, str] | None = None) -> bool:
        """Whether it is there: one HEAD, then a GET if HEAD gives no answer. Raises `AccessDenied`.

        Once HEAD has given no answer, GET is used at once for this registry. A web page, or another size, may be an
        accident on the way, and is asked about once more.
        """
        try:
            return self.api.once_more(lambda: self._ask(scope, headers))
        except SizeMismatch:
            return False

    def _ask(self, scope: Scope, headers: Mapping[str, str] | None) -> bool:
        if not self.api.capabilities.rules_out("head_tells"):
            reply = self.api.ask(HttpRequest("HEAD", self.url, self.doing, self.asked, headers=headers or {}), scope)
            present = self._by_head(reply)
            if present and not self.api.capabilities.head_tells:
                self.api.capabilities.learn("head_tells", True)
            if present is not None:
                return present
        part = {"Range": closed_range(0, 1)} if self.descriptor.size > 1 and self.asked == "blob" else {}
        request = HttpRequest("GET", self.url, self.doing, self.asked, headers={**(headers or {}), **part})
        with self.api.stream(request, scope) as answer:
            if answer.status in {200, 206, 404}:
                self.api.capabilities.learn("head_tells", False)
            return self._by_get(answer)

    def _by_head(self, reply: Reply) -> bool | None:
        if is_no_answer(self.url, reply):
            return None
        if reply.status == 404:
            return False
        if reply.status != 200:
            raise problem(reply, self.doing, self.asked, self.subject)
        length = whole_number(reply.headers.get("Content-Length", ""))
        check_is_no_page(reply, length, self.descriptor.size, self.doing)
        return None if length in {None, 0} and self.descriptor.size else self._checked(length)

    def _by_get(self, answer: Answer) -> bool:
        part = parse_content_range(answer.headers.get("Content-Range")) if answer.status == 206 else None
        if part is not None:
            return self._checked(part.total)
        if answer.status == 404:
            return False
        if answer.status != 200:
            raise problem(answer.reply(0), self.doing, self.asked, self.subject)
        length = whole_number(answer.headers.get("Content-Length", ""))
        check_is_no_page(answer.head, length, self.descriptor.size, self.doing)
        return self._checked(length)

    def _checked(self, size: int | None) -> bool:
        if size in {None, self.descriptor.size}:
            return True
        raise SizeMismatch(
            f"{self.doing}: there are {number_of(size, 'byte')}, not {self.descriptor.size}", subject=self.subject
        )


def presence_of_blob(api: Api, repository: str, blob: Descriptor, doing: str) -> Presence:
    """The question about a blob in a repository."""
    url = api.blob_url(repository, blob.digest)
    return Presence(api=api, url=url, descriptor=blob, doing=doing, asked="blob", subject=blob.digest)


def is_no_answer(url: str, reply: Reply) -> bool:
    """Whether HEAD itself was refused, or its redirect was. Then the answer does not tell whether `url` exists."""
    elsewhere = reply.url != url and 400 <= reply.status < 500 and reply.status not in {404, 408, 429, 499}
    return elsewhere or reply.status in NO_HEAD
