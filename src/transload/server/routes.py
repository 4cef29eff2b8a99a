"""What a path of the distribution API asks for (distribution specification, "Endpoints"). Pure."""

from __future__ import annotations

from typing import Literal

from transload.oci.reference import check_repository
from transload.values import frozen

Kind = Literal["version", "catalog", "manifest", "blob", "uploads", "upload", "tags", "referrers", "unknown"]


@frozen
class Route:
    """An endpoint, its repository, and the tag, digest or upload that the path names."""

    kind: Kind
    repository: str = ""
    reference: str = ""


_UNKNOWN = Route("unknown")


def route(path: str) -> Route:
    """Read a decoded path from its end, because repositories contain slashes. Raises `ReferenceInvalid`.

    >>> route("/v2/team/app/manifests/1.0")
    Route(kind='manifest', repository='team/app', reference='1.0')
    """
    if path in {"/v2", "/v2/"}:
        return Route("version")
    if path in {"/v2/_catalog", "/v2/_catalog/"}:
        return Route("catalog")
    if not path.startswith("/v2/"):
        return _UNKNOWN
    kind, head, reference = _read_tail(path.removeprefix("/v2/").split("/"))
    if kind == "unknown" or not head:
        return _UNKNOWN
    return Route(kind, check_repository("/".join(head)), reference)


def _read_tail(parts: list[str]) -> tuple[Kind, list[str], str]:
    match parts:
        case [*head, "blobs", "uploads", ""] | [*head, "blobs", "uploads"]:
            return "uploads", head, ""
        case [*head, "blobs", "uploads", session]:
            return "upload", head, session
        case [*head, "tags", "list"]:
            return "tags", head, ""
        case [*head, "manifests", reference]:
            return "manifest", head, reference
        case [*head, "blobs", reference]:
            return "blob", head, reference
        case [*head, "referrers", reference]:
            return "referrers", head, reference
    return "unknown", [], ""
