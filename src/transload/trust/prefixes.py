"""Prefixes of a policy's rules: what they may be, and how the names of images are compared with them."""

from __future__ import annotations

from transload.documents.value import Value
from transload.oci.reference import DEFAULT_REGISTRY, HUB_HOSTS, check_registry, check_repository, named_registry, shown

_OFFICIAL = "library"  # where Docker Hub keeps the images that have no other name before theirs
_HTTPS = "443"


def plain(name: str) -> str:
    """The name of a repository as prefixes are spelled: `Registry.example:443/a` is `registry.example/a`.

    >>> plain("registry-1.docker.io/library/a"), plain("[::1]:05000/a")
    ('docker.io/library/a', '[::1]:5000/a')
    """
    registry, slash, repository = name.lower().partition("/")
    host, colon, port = registry.rpartition(":")
    if colon and port.isdecimal():
        port = port.lstrip("0")
        registry = host if port == _HTTPS else f"{host}:{port}"
    return f"{DEFAULT_REGISTRY if slash and registry in HUB_HOSTS else registry}{slash}{repository}"


def read_prefix(value: Value) -> tuple[str, ...]:
    """The prefix that is written here, as names are spelled, and others that it stands for too.

    The empty one fits every name. Names of Docker Hub have short forms: `nginx` is both the image
    `docker.io/library/nginx` and what begins with `docker.io/nginx/`, since people mean one or the other. Raises
    `DocumentInvalid` for what no name can begin with.
    """
    text = value.content
    if not isinstance(text, str):
        raise value.wrong("text")
    if not text:
        return ("",)
    _check_form(value, text)
    bare = text.removesuffix("/")
    registry, repository = (bare, "") if _is_registry(bare) else named_registry(bare)
    if text != text.lower():
        raise value.fail(f"{text!r} has capital letters", hint=f"prefixes are lower case: {text.lower()}")
    with value.explained():
        if registry:
            check_registry(registry)
        if repository or not registry:
            check_repository(repository)
    if registry and registry not in HUB_HOSTS:
        return (plain(f"{registry}/{repository}" if repository else registry),)
    if not repository:
        return (DEFAULT_REGISTRY,)
    names: tuple[str, ...] = (repository,)
    if "/" not in text.removeprefix(f"{registry}/") and repository != _OFFICIAL:
        names = (repository, f"{_OFFICIAL}/{repository}")
    return tuple(f"{DEFAULT_REGISTRY}/{name}" for name in names)


def _is_registry(bare: str) -> bool:
    """Whether a text without a slash is a registry: Docker's rule, which `named_registry` has, wants a slash."""
    return "/" not in bare and bool(named_registry(f"{bare}/x")[0])


def _check_form(value: Value, text: str) -> None:
    """Raise `DocumentInvalid` for what people write who expect another kind of prefix."""
    what = shown(text)[:200]
    if "".join(text.split()) != text:
        raise value.fail(f"{what!r} has a blank", hint='leave it out; prefix: "" is the rule for every image')
    if text in ("*", "/"):
        raise value.fail(f"{text!r} is not a prefix", hint='prefix: "" is the rule for every image')
    if "*" in text:
        raise value.fail(f"{what!r} has a wildcard", hint="leave it out: a prefix fits whatever lies below it")
    if "://" in text:
        raise value.fail(f"{what!r} has a scheme", hint=f"leave it out: {what.partition('://')[2]}")
    if "@" in text:
        raise value.fail(f"{what!r} has a digest, or a user's name", hint="a rule is for whole repositories")
    last = text.rpartition("/")[2]
    if ":" in last and ("/" in text or not _is_host_and_port(last)):
        hint = f"a rule is for whole repositories: {text.rpartition(':')[0]}"
        if "/" not in text and last.rpartition(":")[2].isdigit():
            hint += f"; if a registry is meant, write {text}/"
        raise value.fail(f"{what!r} has a tag", hint=hint)


def _is_host_and_port(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return (port.isdigit() and ("." in host or host == "localhost" or host.startswith("["))) or text.endswith("]")
