"""References: registry, repository, tag and digest in one text, with Docker's grammar and defaults.

The grammar is that of distribution's `reference` package. The defaults (registry, `library/`) are those of
`docker pull`, which people rely on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from transload.errors import DigestInvalid, ReferenceInvalid
from transload.expressions import late
from transload.oci.digest import Digest
from transload.values import evolve, field, frozen

DEFAULT_REGISTRY = "docker.io"
HUB_HOSTS = frozenset({DEFAULT_REGISTRY, f"index.{DEFAULT_REGISTRY}", f"registry-1.{DEFAULT_REGISTRY}"})
"""All hosts under which people, logins and requests name the default registry, Docker Hub."""
DEFAULT_TAG = "latest"

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = late(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = late(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]{{1,5}})?")
_TAG = late(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_HEX64 = late(r"[a-f0-9]{64}")
_DIGEST_BEGINS = late(r"(?:sha|md|blake)[0-9a-z]*:")
_REPOSITORY_LENGTH = 255
_REFERENCE_LENGTH = 1024  # all parts with their greatest length
_LAST_PORT = 65_535
_REGISTRY_LENGTH = 253 + len(":65535")  # RFC 1035, section 2.3.4


def check_repository(text: str) -> str:
    """`text` if it is a repository path. Raises `ReferenceInvalid`, which says what is wrong."""
    if len(text) <= _REPOSITORY_LENGTH and _REPOSITORY.fullmatch(text):
        return text
    if len(text) > _REPOSITORY_LENGTH:
        raise ReferenceInvalid(
            f"repository {text[:40]!r}… is {len(text)} characters long, {_REPOSITORY_LENGTH} are allowed"
        )
    if text != text.lower():
        raise ReferenceInvalid(
            f"repository {text!r} has capital letters", hint=f"repositories are lower case: {text.lower()}"
        )
    raise ReferenceInvalid(f"{text!r} is not a repository", hint=_repository_hint(text))


def _repository_hint(text: str) -> str:
    if re.search(r"\s", text):
        return "leave the blank out"
    if text.strip("/") != text and _REPOSITORY.fullmatch(text.strip("/").partition(":")[0]):
        return f"leave the slash at the {'end' if text.endswith('/') else 'beginning'} out"
    return "use lower-case letters, digits and single . _ - between them"


def without_transport(text: str) -> str:
    """The text without `docker://`, which skopeo and podman write before the name of a registry."""
    return text.removeprefix("docker://")


def check_registry(text: str) -> str:
    """`text` if it is a registry's host[:port]. Raises `ReferenceInvalid`."""
    if len(text) > _REGISTRY_LENGTH or not _REGISTRY.fullmatch(text):
        raise ReferenceInvalid(f"{shown(text)[:_REGISTRY_LENGTH]!r} is not a registry", hint=_registry_hint(text))
    host, port = _host_and_port(text)
    if port is not None and not 0 < port <= _LAST_PORT:
        raise ReferenceInvalid(f"{text!r} has the port {port}", hint=f"ports go from 1 to {_LAST_PORT}")
    if host.startswith("[") and not _is_ipv6(host[1:-1]):
        raise ReferenceInvalid(f"{text!r} is not a registry", hint=f"{host} is no IPv6 address")
    return text


def _host_and_port(text: str) -> tuple[str, int | None]:
    host, _, port = text.partition("]:") if text.startswith("[") else text.partition(":")
    return (f"{host.removesuffix(']')}]" if text.startswith("[") else host), int(port) if port else None


def _is_ipv6(text: str) -> bool:
    from ipaddress import IPv6Address  # few registries are named so

    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _registry_hint(text: str) -> str:
    if "@" in text:
        return "leave user name and password out, other options give them"
    return "leave the scheme out" if "://" in text else "write host or host:port"


def shown(text: str) -> str:
    """The text of a name or a store, made safe for messages: the part before an @ may be a password.

    >>> shown("ann:secret@registry.example/a"), shown("registry.example/a@sha256:00")
    ('…@registry.example/a', 'registry.example/a@sha256:00')
    """
    *before, last = text.split("@")
    digests: list[str] = []
    while before and _DIGEST_BEGINS.match(last):
        digests.append(last)
        last = before.pop()
    return "@".join((f"…@{last}" if before else last, *reversed(digests)))


def check_no_user(text: str) -> str:
    """`text` if it has no @ except that of a digest. Raises `ReferenceInvalid`, which does not repeat a password."""
    before, at, after = text.rpartition("@")
    if at and "://" in before:
        raise ReferenceInvalid(
            f"{shown(text)!r} has a user name or a password in it",
            hint="leave them out: --source-username and --target-username name the user, the password is asked for",
        )
    if at and ("@" in before or not _DIGEST_BEGINS.match(after)):
        raise ReferenceInvalid(
            f"{shown(text)!r}: what follows the @ is not a digest",
            hint="a digest is written @sha256:…; user name and password are given apart",
        )
    return text


def check_tag(text: str) -> str:
    """`text` if it is a tag. Raises `ReferenceInvalid`."""
    if _TAG.fullmatch(text):
        return text
    joined = "".join(text.split())
    blank = joined != text and _TAG.fullmatch(joined)
    raise ReferenceInvalid(
        f"{text[:140]!r} is not a tag",
        hint=f"leave the blank out: {joined}"
        if blank
        else "a tag has up to 128 letters, digits, _ . -, and does not start with . or -",
    )


def _check_length(text: str) -> None:
    if len(text) > _REFERENCE_LENGTH:
        raise ReferenceInvalid(f"{len(text)} characters are too long for an image reference")


def _absent_first(part: str | None) -> str:
    return part or ""


@frozen(order=True)
class Name:
    """The name of a manifest in a store: a repository with a tag, a digest, or both (then the digest decides).

    `repository` is empty in a store without repositories (a layout from another tool, with bare tags).
    """

    repository: str
    tag: str | None = field(default=None, order=_absent_first)
    digest: Digest | None = field(default=None, order=_absent_first)

    def __attrs_post_init__(self) -> None:
        if self.repository:
            check_repository(self.repository)
        if self.tag is not None:
            check_tag(self.tag)

    @classmethod
    def parse(cls, text: str) -> Name:
        """Read `repository:tag`, `repository@digest`, `repository:tag@digest`, or a bare `repository`."""
        _check_length(text)
        repository, tag, digest = _split(check_no_user(text))
        return cls(repository, tag, digest)

    def at(self, digest: Digest) -> Name:
        """The name of the manifest with this digest in the same repository."""
        return Name(self.repository, None, digest)

    def __str__(self) -> str:
        return self.repository + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def tags_by_repository(names: Iterable[Name]) -> Mapping[str, Sequence[str]]:
    """Every repository among `names`, in their order, with its tags; images by digest have none.

    Stores keep it: looking through all names for each repository takes seconds when there are thousands.
    """
    tags: dict[str, list[str]] = {}
    for name in names:
        listed = tags.setdefault(name.repository, [])
        if name.tag:
            listed.append(name.tag)
    return tags


@frozen(order=True)
class Reference:
    """A name at a registry. `str()` gives the full form; `Reference.parse` reads it and all short forms."""

    registry: str = field(converter=check_registry)
    name: Name

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read what `docker pull` reads. Without tag and digest it means `latest`. Raises `ReferenceInvalid`.

        >>> str(Reference.parse("ubuntu"))
        'docker.io/library/ubuntu:latest'
        >>> str(Reference.parse("localhost:5000/a/b:1"))
        'localhost:5000/a/b:1'
        """
        text = text.strip()
        _check_length(text)
        if not text:
            raise ReferenceInvalid("an empty text is not an image reference")
        if "://" in text:
            raise ReferenceInvalid(f"{shown(text)!r} is not an image reference", hint=_registry_hint(text))
        check_no_user(text)
        if _HEX64.fullmatch(text):
            raise ReferenceInvalid(f"{text!r} could be an image identifier", hint="write repository@sha256:…")
        registry, rest = _split_registry(text)
        name = Name.parse(rest)
        if not name.repository:
            raise ReferenceInvalid(f"{text!r} names no repository")
        if name.tag is None and name.digest is None:
            name = evolve(name, tag=DEFAULT_TAG)
        return cls(registry, name)

    def __str__(self) -> str:
        return f"{self.registry}/{self.name}"


def named_registry(text: str) -> tuple[str, str]:
    """The registry that a reference names, empty if it names none, and what follows it.

    Docker's rule: text before the first slash is a host if it has a dot, a colon or a capital, or is localhost.

    >>> named_registry("quay.io/a/b:1"), named_registry("a/b:1")
    (('quay.io', 'a/b:1'), ('', 'a/b:1'))
    """
    first, slash, rest = text.partition("/")
    if slash and (set(".:[") & set(first) or first == "localhost" or first != first.lower()):
        return first, rest
    return "", text


def _split_registry(text: str) -> tuple[str, str]:
    first, rest = named_registry(text)
    registry = DEFAULT_REGISTRY if first in {"", "index.docker.io"} else first
    path = rest.partition("@")[0]
    if registry == DEFAULT_REGISTRY and "/" not in path:
        rest = f"library/{rest}"
    return registry, rest


def _split(text: str) -> tuple[str, str | None, Digest | None]:
    path, at, digest = text.partition("@")
    colon = path.rfind(":")
    tagged = colon > path.rfind("/")
    repository, tag = (path[:colon], path[colon + 1 :]) if tagged else (path, None)
    try:
        return repository, tag, Digest(digest) if at else None
    except DigestInvalid as error:
        raise ReferenceInvalid(f"{repository}@…: {error}", hint=error.hint) from error  # a tag may be a password
