"""Package URLs (purl) of images: `pkg:oci/…` and `pkg:docker/…`, as references.

The forms are those of the purl specification and its types `oci` and `docker` (github.com/package-url/purl-spec).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from transload.discovery.finding import Finding, Place, Question, Sureness
from transload.discovery.judging import judged
from transload.errors import TransloadError
from transload.limits import PURL_LENGTH
from transload.oci import Digest
from transload.oci.reference import DEFAULT_REGISTRY, HUB_HOSTS, check_tag, shown

_PURL = re.compile(r"pkg:/*(oci|docker)/([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE | re.DOTALL)
_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*://")
_HUB = HUB_HOSTS | {"hub.docker.com", "registry.hub.docker.com"}
_SHOWN = 200


def images_in(purls: Iterable[tuple[str, Place]], rule: str) -> Iterable[Finding | Question]:
    """What those of the package URLs name that mean images; other packages are no images, and left out."""
    for text, place in purls:
        if _PURL.match(text[:PURL_LENGTH]):
            yield image_of(text, place, rule)


def image_of(text: str, place: Place, rule: str) -> Finding | Question:
    """The reference that a package URL of an image means, or a question about it."""
    match = _PURL.fullmatch(text.strip()) if len(text) <= PURL_LENGTH else None
    if match is None:
        return Question(text=text[:_SHOWN], place=place, reason="it is no package URL of an image")
    open_text = _shown(text)
    kind, path, qualifiers = match[1].lower(), match[2], _qualifiers(match[3] or "")
    name, _, version = path.rpartition("@") if "@" in path else (path, "", "")
    repository, sureness = _repository(kind, unquote(name).strip("/"), qualifiers.get("repository_url", ""))
    if not repository:
        return Question(
            text=open_text,
            place=place,
            reason="it says no repository_url, so the registry and the repository are not known",
        )
    tag, digest, wrong = _version(unquote(version), qualifiers)
    if wrong:
        return Question(text=open_text, place=place, reason=wrong)
    if kind == "docker" and digest and "digest" not in qualifiers:
        sureness = "likely"  # the type's definition allows the identifier of an image here
    return judged(f"{repository}{tag and f':{tag}'}{digest and f'@{digest}'}", place, rule, sureness)


def _shown(text: str) -> str:
    """The package URL without a password that the address of a registry in it may have."""
    path, mark, rest = text.partition("?")
    return f"{path}{mark}{shown(unquote(rest))}"[:_SHOWN]


def _qualifiers(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split("&"))
    return {key.lower(): unquote(value) for key, _, value in pairs if value}


def _repository(kind: str, name: str, url: str) -> tuple[str, Sureness]:
    """The repository with its registry; empty if unknown.

    For `oci`, `repository_url` is the whole repository, whose last part is the name. Some programs leave the name out
    there. For `docker`, it is the registry, that of Docker if left out.
    """
    url = _SCHEME.sub("", url).strip("/")
    host, _, path = url.partition("/")
    registry = DEFAULT_REGISTRY if host in _HUB else host
    base = f"{registry}/{path}" if path else registry
    if kind == "docker":
        return (f"{base}/{name}" if base and path != name else base or name), "certain"
    if not base or base.rpartition("/")[2].lower() == name.lower():
        return base if path else "", "certain"
    return f"{base}/{name}", "likely"


def _version(version: str, qualifiers: dict[str, str]) -> tuple[str, str, str]:
    """Tag, digest, and what is wrong with them. The version is a digest or, against the type's definition, a tag."""
    is_tag = bool(version) and ":" not in version
    tag = version if is_tag else qualifiers.get("tag", "")
    digest = qualifiers.get("digest", "") if is_tag or not version else version
    try:
        return tag and check_tag(tag), digest and Digest(digest), ""
    except TransloadError as error:
        return "", "", error.message
