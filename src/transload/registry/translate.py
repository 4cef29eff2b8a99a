"""Turns a registry's refusal into one of our errors (distribution specification, "Error Codes")."""

from __future__ import annotations

import http
import json
import re
from itertools import islice
from typing import Literal

from transload.errors import (
    AccessDenied,
    BlobUnknown,
    HostGivenUp,
    ManifestUnknown,
    ProtocolTrouble,
    ReadOnly,
    Refused,
    RepositoryUnknown,
    ServerTrouble,
    StorageFull,
    TooLarge,
    TooManyRequests,
    TransloadError,
    Unreachable,
)
from transload.expressions import late
from transload.limits import PROBLEM_BYTES, PROBLEM_VALUES
from transload.net.address import Origin
from transload.net.allowance import renewed_s
from transload.net.backoff import retry_after_s
from transload.net.messages import Reply
from transload.net.patience import WAY_ON
from transload.strictjson import NotJson, read_json
from transload.values import frozen

Asked = Literal["manifest", "blob", "repository", "upload", "push", "list"]
"""What a 404 is about: `upload` is a blob going in, `push` a manifest going in, `list` the catalog."""
_WRITES = {"upload", "push"}
_TEXT = 300
# Harbor wants the project, GitLab too, ECR and Nexus the repository; some answer 404 to that, some 401 or 403.
_FIRST = "some registries want the repository or project to be created first"
_DEPTH = "some registries take paths of two or three parts only: --flatten keeps the last one"
_DOCKER_HUB = "docker.io"
_DISK_FULL = late(
    r"no space left on device|\"Err\":\s*28\b|not enough space on the disk|disk quota exceeded", re.IGNORECASE
)
# Statuses for a registry's own rules, which only the text explains: Harbor's quotas (403, 412), immutable tags of ECR
# (400), Harbor (412) and ACR (409), Nexus without redeploy (400).
_BY_RULE = {400, 403, 405, 409, 412, 422}
_QUOTA = late(r"\bquota\b|exceed the configured upper limit|\bstorage limit\b", re.IGNORECASE)
_IMMUTABLE = late(r"\bimmutable\b|\bcannot be overwritten\b|\bredeploy\b", re.IGNORECASE)
_TITLE = late(r"<title>([^<]*+)", re.IGNORECASE)
_TAG = late(r"<[^<>]*+>")
DAMAGED = frozenset({"DIGEST_INVALID", "SIZE_INVALID"})
"""Codes for content that is not what its digest says. Where ours was right, it was damaged on the way, or there."""
_ENTRIES = 8  # of an error body that are shown


@frozen
class Complaint:
    """One entry of an error body, or the text of a body in another form."""

    code: str
    message: str


def complaints(reply: Reply) -> tuple[Complaint, ...]:
    """The entries of an error body. Text or HTML gives one entry without a code."""
    try:
        entries = read_json(reply.body, limit=PROBLEM_BYTES, values=PROBLEM_VALUES)["errors"]
        listed = tuple(
            Complaint(_printable(str(entry.get("code") or "")), _message(entry))
            for entry in islice(entries, _ENTRIES)
            if isinstance(entry, dict)
        )
    except (NotJson, KeyError, TypeError):
        listed = ()
    if listed:
        return listed
    text = reply.body.decode("utf-8", "replace")
    title = _TITLE.search(text)
    plain = " ".join(_TAG.sub(" ", title[1] if title else text).split())
    return (Complaint("", _printable(plain)),) if plain else ()


def codes_of(reply: Reply) -> set[str]:
    """The codes of an error body (distribution specification, "Error Codes")."""
    return {complaint.code for complaint in complaints(reply)}


def _message(entry: dict[str, object]) -> str:
    message, detail = str(entry.get("message") or ""), entry.get("detail")
    explanation = detail if isinstance(detail, str) else json.dumps(detail) if detail else ""
    return _printable(f"{message} ({explanation})" if explanation else message)


def _printable(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else " " for letter in text[:_TEXT])
    return shown if len(text) <= _TEXT else shown + "…"


def looks_like_html(reply: Reply) -> bool:
    """Whether a web page answered where a registry was expected."""
    return reply.content_type in {"text/html", "application/xhtml+xml"} or reply.body[:64].lstrip().startswith(b"<")


def not_a_registry(reply: Reply, doing: str) -> ProtocolTrouble:
    """The error for an answer that reports success but is not a registry's."""
    return ProtocolTrouble(
        f"{doing}: what answers at {reply.origin.netloc} does not look like a registry"
        f" ({reply.status}, {reply.content_type or 'no content type'})",
        subject=reply.origin.netloc,
        hint="check the address; a login page or a proxy may stand in the way",
    )


def check_is_no_page(reply: Reply, length: int | None, size: int, doing: str) -> None:
    """Raise `ProtocolTrouble` for a web page whose size is not the blob's: it does not tell whether the blob exists."""
    if length != size and looks_like_html(reply):
        raise not_a_registry(reply, doing)


def problem(reply: Reply, doing: str, asked: Asked, subject: str | None = None) -> TransloadError:
    """The error for an unexpected reply, which came while `doing` something."""
    error, host = _meaning(reply, doing, asked, subject), reply.origin.netloc
    if not (reply.is_last and isinstance(error, Unreachable)):
        return error
    message = f"{host} gave no useful answer in time: {error.message}"
    way_on = error.hint or WAY_ON
    if error.retry_after_s:
        way_on = f"it asks to wait for {error.retry_after_s:.0f} s: run the same command then"
        way_on += ", or give a longer --give-up-after"
    return HostGivenUp(message, subject=host, hint=way_on)


def _meaning(reply: Reply, doing: str, asked: Asked, subject: str | None) -> TransloadError:
    listed = complaints(reply)
    codes = {complaint.code for complaint in listed}
    reason = "; ".join(complaint.message or complaint.code for complaint in listed) or _phrase(reply.status)
    text = f"{doing}: {reply.origin.netloc} answers {reply.status}: {reason}"
    if asked in _WRITES and reply.status in _BY_RULE and (hint := _rule(reason, reply.origin.netloc)):
        return Refused(text, subject=subject, hint=hint)
    if reply.status in {401, 403}:
        return _denied(reply, text, asked, subject)
    if reply.status == 429 or "TOOMANYREQUESTS" in codes:
        return TooManyRequests(text, subject=subject, retry_after_s=_wish_s(reply))
    if reply.status == 413:
        return TooLarge(text, subject=subject, hint="raise the limit of the registry or of the proxy in front of it")
    if reply.status >= 500 or reply.status in {408, 499}:
        return _trouble(reply, doing, text, asked, codes, subject)
    if "MANIFEST_BLOB_UNKNOWN" in codes:
        return BlobUnknown(text, subject=subject)
    if asked == "push" and codes & {"MANIFEST_UNKNOWN", "BLOB_UNKNOWN"}:
        return (ManifestUnknown if "MANIFEST_UNKNOWN" in codes else BlobUnknown)(text, subject=subject)
    if reply.status == 404:
        return _missing(reply, text, asked, subject)
    if reply.status == 405 or "UNSUPPORTED" in codes:
        return _unsupported(text, asked, subject)
    if 400 <= reply.status < 500:
        return Refused(text, subject=subject, hint=_DEPTH if "NAME_INVALID" in codes else None)
    return not_a_registry(reply, doing)


def _wish_s(reply: Reply) -> float | None:
    wish_s = retry_after_s(reply.headers)
    return renewed_s(reply.headers) if wish_s is None else wish_s


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase.lower()
    except ValueError:
        return "no explanation"


def _rule(reason: str, host: str) -> str | None:
    """A hint for a refusal by a registry's own rule, where another login does not help; None for other refusals."""
    if _QUOTA.search(reason):
        return f"delete what is not needed there, or have the quota on {host} raised"
    if _IMMUTABLE.search(reason):
        return f"{host} does not allow replacing this tag: use another with --target-tag, or have the rule changed"
    return None


def _denied(reply: Reply, text: str, asked: Asked, subject: str | None) -> AccessDenied:
    host = reply.origin.netloc
    hint = f"the login for {host} lacks this right, or there is no login for it"
    if asked in _WRITES and host.endswith(_DOCKER_HUB):
        hint = "repositories at Docker Hub are USER/NAME: write --to docker.io/USER --flatten"
    elif asked in _WRITES:
        hint = f"{hint}; {_FIRST}"
    return AccessDenied(text, subject=subject or host, hint=hint)


def by_storage(error: TransloadError, answering: Origin, registry: Origin) -> TransloadError:
    """The same error; if a storage refused what the registry had led to, with a hint that fits: no login goes there."""
    if answering == registry or not isinstance(error, AccessDenied):
        return error
    hint = f"{registry.netloc} leads there, and no login is sent: the address may have expired, or a proxy refuses it"
    return AccessDenied(error.message, subject=error.subject, hint=f"{hint}; run the same command again")


def _trouble(reply: Reply, doing: str, text: str, asked: Asked, codes: set[str], subject: str | None) -> TransloadError:
    if _DISK_FULL.search(reply.body.decode("utf-8", "replace")) or reply.status == 507:
        host = reply.origin.netloc
        return StorageFull(
            f"{doing}: the disk of {host} is full ({reply.status})", subject=host, hint=f"free some space on {host}"
        )
    if reply.status == 501 or "UNSUPPORTED" in codes:
        return _unsupported(text, asked, subject)
    gateway = reply.by_proxy and reply.status in {502, 503, 504}
    maybe = f"this may be the proxy's answer: check that it can reach {reply.origin.netloc}" if gateway else None
    return ServerTrouble(text, subject=subject, hint=maybe)


def _missing(reply: Reply, text: str, asked: Asked, subject: str | None) -> TransloadError:
    if asked in _WRITES:
        return RepositoryUnknown(text, subject=subject, hint=f"check the path; {_FIRST}")
    if asked == "manifest":
        return ManifestUnknown(f"{reply.origin.netloc} has no {subject}" if subject else text, subject=subject)
    if asked == "blob":
        return BlobUnknown(text, subject=subject)
    return RepositoryUnknown(text, subject=subject)


def _unsupported(text: str, asked: Asked, subject: str | None) -> TransloadError:
    if asked in _WRITES:
        return ReadOnly(text, subject=subject, hint="the registry is read-only, perhaps for maintenance, or a mirror")
    return Refused(text, subject=subject)
