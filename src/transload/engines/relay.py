"""Has an engine pull an image, give it another name, and push it: what `docker pull`, `tag` and `push` do by hand.

An engine says that something failed in the middle of an answer with status 200, so every message is looked at.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from transload.engines.api import EngineApi
from transload.errors import (
    AccessDenied,
    DigestInvalid,
    ManifestUnknown,
    NotFound,
    ServerTrouble,
    TransloadError,
    at_side,
)
from transload.login import Login
from transload.oci import Digest, Platform, Reference
from transload.values import frozen

_HUB = "docker.io"
_HUB_SERVER = "https://index.docker.io/v1/"  # under which docker keeps the login of its Hub
_PUSHED = re.compile(r"digest: (sha256:[a-f0-9]{64})")
_NO_ACCESS = re.compile(r"unauthori[sz]ed|access.*denied|denied:|authentication required|no basic auth", re.IGNORECASE)
_NOT_THERE = re.compile(r"manifest unknown|not found|does not exist", re.IGNORECASE)


@frozen(kw_only=True)
class Relayed:
    """One image on its way through an engine, with the logins for both registries, as far as there are any."""

    source: Reference
    target: Reference
    source_login: Login | None = None
    target_login: Login | None = None
    platform: Platform | None = None


def relay(engine: EngineApi, image: Relayed, *, keep: bool, check: Callable[[], None] = lambda: None) -> Digest | None:
    """Pull, tag and push. Returns the digest that the engine says it pushed; None if it says none.

    Unless `keep`, names that this call made are removed afterwards, and names that stood for something else stand for
    it again. `check` is called often, and may raise to stop. Raises `NotFound`, `AccessDenied`, `StorageFull`,
    `ServerTrouble`, `Unreachable`, with the engine's own message.
    """
    source = _pulled(image.source)
    before = {name: _identifier(engine, name) for name in dict.fromkeys((source, str(image.target)))}
    try:
        with at_side("source"), _meaning(image.source):
            _pull(engine, image, check)
        _tag(engine, source, image.target)
        with at_side("target"), _meaning(image.target):
            return _push(engine, image, check)
    finally:
        if not keep:
            _clean(engine, before)


def _pull(engine: EngineApi, image: Relayed, check: Callable[[], None]) -> None:
    name = image.source.name
    query = {"fromImage": f"{image.source.registry}/{name.repository}", "tag": str(name.digest or name.tag)}
    if image.platform is not None:
        query["platform"] = str(image.platform)
    headers = _authority(image.source.registry, image.source_login)
    with engine.ask("POST", "/images/create", query, headers=headers, doing=f"pulling {image.source}") as answer:
        for _ in answer.events():
            check()


def _tag(engine: EngineApi, source: str, target: Reference) -> None:
    query = {"repo": f"{target.registry}/{target.name.repository}", "tag": str(target.name.tag)}
    with engine.ask("POST", f"/images/{quote(source)}/tag", query, doing=f"tagging {target}"):
        pass


def _push(engine: EngineApi, image: Relayed, check: Callable[[], None]) -> Digest | None:
    target = image.target
    path = f"/images/{quote(f'{target.registry}/{target.name.repository}')}/push"
    headers = _authority(target.registry, image.target_login)
    digest = None
    with engine.ask("POST", path, {"tag": str(target.name.tag)}, headers=headers, doing=f"pushing {target}") as answer:
        for event in answer.events():
            check()
            digest = _digest_in(event) or digest
    return digest


def _digest_in(event: Mapping[str, Any]) -> Digest | None:
    """The pushed digest: docker says it in `aux`, podman in a sentence, as docker does besides."""
    aux = event.get("aux")
    told = aux.get("Digest") if isinstance(aux, dict) else None
    if not isinstance(told, str):
        sentence = _PUSHED.search(str(event.get("status", ""))[:1000])
        told = sentence[1] if sentence else None
    with contextlib.suppress(DigestInvalid):
        return Digest(told) if told else None
    return None


def _authority(registry: str, login: Login | None) -> Mapping[str, str]:
    """The header that gives a login to the engine for one registry. docker wants one even if there is no login."""
    document: dict[str, str] = {}
    if login is not None:
        document = {"username": login.username, "serveraddress": _HUB_SERVER if registry == _HUB else registry}
        if login.identity_token:
            document["identitytoken"] = login.identity_token.reveal()
        elif login.registry_token:
            document["registrytoken"] = login.registry_token.reveal()
        else:
            document["password"] = login.password.reveal()
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(document).encode()).decode()}


def _pulled(reference: Reference) -> str:
    """The name that a pulled image has in the engine: if it is pulled by digest, the tag plays no part."""
    name = reference.name
    return f"{reference.registry}/{name.repository}" + (f"@{name.digest}" if name.digest else f":{name.tag}")


def _identifier(engine: EngineApi, name: str) -> str | None:
    """Which image the engine has under this name; None if there is none."""
    try:
        document = engine.value("GET", f"/images/{quote(name)}/json", doing=f"looking for {name}")
    except NotFound:
        return None
    identifier = document.get("Id") if isinstance(document, dict) else None
    return identifier if isinstance(identifier, str) else None


def _clean(engine: EngineApi, before: Mapping[str, str | None]) -> None:
    """Take new names away, and give names that have moved back to what they stood for. Nothing else is removed."""
    for name, identifier in before.items():
        with contextlib.suppress(TransloadError):  # what stays is a name too many, and no reason to fail the image
            now = _identifier(engine, name)
            if now is None or now == identifier:
                continue
            if identifier is None:
                engine.value("DELETE", f"/images/{quote(name)}", doing=f"removing {name}")
            elif "@" not in name:
                repository, _, tag = name.rpartition(":")
                engine.value("POST", f"/images/{quote(identifier)}/tag", {"repo": repository, "tag": tag})
                engine.value("DELETE", f"/images/{quote(now)}")  # refused if it has another name


@contextlib.contextmanager
def _meaning(reference: Reference) -> Iterator[None]:
    """Give an engine's message about a registry its kind: engines report them all alike."""
    try:
        yield
    except (AccessDenied, NotFound, ServerTrouble) as error:
        if _NO_ACCESS.search(error.message):
            hint = f"check the login for {reference.registry}, and whether the image is there"
            raise AccessDenied(error.message, subject=str(reference), hint=hint) from error
        if _NOT_THERE.search(error.message):
            raise ManifestUnknown(error.message, subject=str(reference)) from error
        raise
