"""What transload remembers about registries: in words, and forgotten by the names that people write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from transload.app.location import Location
from transload.app.settings import Environment
from transload.errors import NotFound, UsageError
from transload.registry.known import Finding, KnownRegistries, registry_key
from transload.wording import in_words, number_of

_NAMED = 8
# Findings that are yes or no, in words.
_YES_NO = {
    "mounts": ("mounts blobs", "mounts no blobs"),
    "ranges": ("sends parts of blobs", "sends blobs only whole"),
    "head": ("answers HEAD of manifests", "does not answer HEAD of manifests"),
    "head_tells": ("answers HEAD with sizes", "does not answer HEAD with sizes"),
    "referrers_api": ("has the referrers API", "has no referrers API"),
    "resumes": ("continues uploads that broke off", "does not continue uploads that broke off"),
    "put_with_body": ("takes small blobs in one body", "takes no body with the last request of an upload"),
    "asks_login": ("asks for a login or a token", "asks for no login"),
    "single_post": ("takes a small blob in one request", "takes no blob in one request"),
    "refuses_wrong_digest": ("refuses content with a wrong digest", "takes content with a wrong digest"),
    "faster_in_parts": ("sends a blob faster on several connections", "sends a blob as fast on one connection"),
}
_AT_A_TIME = {"reads_at_a_time": "sends {} at a time well", "writes_at_a_time": "takes {} at a time well"}
_MODES = {
    "stream": "takes large blobs in one stream",
    "put": "takes large blobs only with the last request of an upload",
    "pieces": "takes large blobs only in pieces",
}


def in_a_sentence(name: str, finding: Finding) -> str:
    """What was found, to be read after the registry's name."""
    value = finding.value
    if name in _YES_NO and isinstance(value, bool):
        return _YES_NO[name][0 if value else 1]
    if name == "upload_mode" and value in _MODES:
        return _MODES[str(value)]
    if name == "piece_bytes" and isinstance(value, int):
        return f"takes bodies of {in_words(value)}, and perhaps no larger ones"
    if name in _AT_A_TIME and isinstance(value, int):
        return _AT_A_TIME[name].format(number_of(value, "blob"))
    return f"{name.replace('_', ' ')}: {value}"


def remembered(environment: Environment) -> dict[str, Mapping[str, Finding]]:
    """Every registry that something is known about, with its findings by name."""
    known = KnownRegistries(environment.state)
    return {registry: known.of(registry) for registry in known.registries()}


def why_unused(environment: Environment) -> str | None:
    """Why nothing is remembered although there is a file; None if it is used, or not there yet."""
    known = KnownRegistries(environment.state)
    reasons = {
        "newer": f"a newer version of transload wrote {known.path}, so this one does not use it",
        "unusable": f"{known.path} cannot be read, so nothing is remembered",
    }
    return reasons.get(known.state())


def forget_registries(environment: Environment, hosts: Iterable[str]) -> tuple[str, ...]:
    """Forget what is known about the registries that `hosts` name, each `HOST[:PORT]`, perhaps with a prefix.

    Returns which they were. If nothing is known about one of them, none is forgotten.

    Raises `NotFound` for such a one, `UsageError` for a store that is no registry, `LocalError` if the file cannot be
    changed.
    """
    known = KnownRegistries(environment.state)
    listed = known.registries()
    wanted = dict.fromkeys(name for host in hosts for name in _names(host, listed))
    return tuple(name for name in wanted if known.forget(name))


def forget_all(environment: Environment) -> tuple[str, ...]:
    """Forget what is known about all registries. Returns which they were. Raises `LocalError`."""
    return KnownRegistries(environment.state).forget()


def _names(host: str, listed: tuple[str, ...]) -> tuple[str, ...]:
    """The listed names that `host` can mean: written without a port, it may be known by that of https or of http."""
    try:
        location = Location.parse(host)
    except UsageError as error:
        if ":" not in host:
            error.hint = "write host or host:port, for example registry.local"
        raise
    if location.kind != "registry":
        raise UsageError(f"{location} is not a registry", hint="nothing is remembered about stores on this machine")
    names = {registry_key(location.value), registry_key(location.value, plain=True)}
    found = tuple(name for name in listed if name in names)
    if not found:
        more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
        hint = f"known are: {', '.join(listed[:_NAMED])}{more}" if listed else "nothing is known about any registry"
        raise NotFound(f"nothing is known about {location.value}", subject=location.value, hint=hint)
    return found
