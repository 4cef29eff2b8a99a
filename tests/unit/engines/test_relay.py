"""Pull, tag and push by an engine, against a server that answers as an engine does."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.unit.engines.scripted import answer, scripted
from transload.engines.address import EngineAddress
from transload.engines.api import EngineApi
from transload.engines.relay import Relayed, relay
from transload.errors import AccessDenied, ManifestUnknown, ServerTrouble, StorageFull, TransloadError
from transload.login import Login, Secret
from transload.oci import Digest, Platform, Reference

SOURCE, TARGET = Reference.parse("quay.io/acme/app:1"), Reference.parse("registry.local/tools/app:1")
DIGEST = Digest(f"sha256:{'b' * 64}")
NOT_THERE = answer(404, b'{"message":"no such image"}')
IMAGE = answer(200, b'{"Id":"sha256:1"}')
OTHER = answer(200, b'{"Id":"sha256:2"}')
DONE = answer(200, b'{"status":"done"}')
TAGGED = answer(201, b"")
PUSHED = answer(200, json.dumps({"aux": {"Tag": "1", "Digest": DIGEST}}).encode())


def failing(message: str) -> bytes:
    """Progress, and then a failure, all with status 200."""
    lines: list[dict[str, Any]] = [{"status": "Pulling"}, {"errorDetail": {"message": message}, "error": message}]
    return answer(200, "\r\n".join(map(json.dumps, lines)).encode())


def run(*answers: bytes, keep: bool = False, **more: Any) -> tuple[Digest | None, list[str], list[bytes]]:
    """What came of it, the first lines of the requests, and all of them."""
    with scripted(*answers) as engine:
        api = EngineApi(EngineAddress("docker", engine.path))
        digest = relay(api, Relayed(source=SOURCE, target=TARGET, **more), keep=keep)
        return digest, [request.split(b" HTTP")[0].decode() for request in engine.requests], engine.requests


def authority(request: bytes) -> Any:
    """The login in a request."""
    line = next(line for line in request.split(b"\r\n") if line.startswith(b"X-Registry-Auth: "))
    return json.loads(base64.urlsafe_b64decode(line.partition(b": ")[2]))


def test_the_requests_in_order_and_the_new_names_go() -> None:
    digest, lines, _ = run(
        NOT_THERE, NOT_THERE, DONE, TAGGED, PUSHED, IMAGE, DONE, IMAGE, DONE, platform=Platform.parse("linux/arm64")
    )
    assert digest == DIGEST
    assert lines == [
        "GET /images/quay.io/acme/app%3A1/json",
        "GET /images/registry.local/tools/app%3A1/json",
        "POST /images/create?fromImage=quay.io%2Facme%2Fapp&tag=1&platform=linux%2Farm64",
        "POST /images/quay.io/acme/app%3A1/tag?repo=registry.local%2Ftools%2Fapp&tag=1",
        "POST /images/registry.local/tools/app/push?tag=1",
        "GET /images/quay.io/acme/app%3A1/json",
        "DELETE /images/quay.io/acme/app%3A1",
        "GET /images/registry.local/tools/app%3A1/json",
        "DELETE /images/registry.local/tools/app%3A1",
    ]


def test_each_login_goes_with_the_request_for_its_registry_only() -> None:
    source, target = Login("ann", Secret("one")), Login("bob", identity_token=Secret("two"))
    _, _, requests = run(
        NOT_THERE, NOT_THERE, DONE, TAGGED, PUSHED, keep=True, source_login=source, target_login=target
    )
    assert authority(requests[2]) == {"username": "ann", "password": "one", "serveraddress": "quay.io"}
    assert authority(requests[4]) == {"username": "bob", "identitytoken": "two", "serveraddress": "registry.local"}
    assert all(b"X-Registry-Auth" not in requests[number] for number in (0, 1, 3))
    assert len(requests) == 5


def test_what_was_there_before_is_not_removed() -> None:
    _, lines, _ = run(IMAGE, OTHER, DONE, TAGGED, PUSHED, IMAGE, IMAGE, TAGGED, answer(409, b'{"message":"in use"}'))
    assert lines[6:] == [
        "GET /images/registry.local/tools/app%3A1/json",
        "POST /images/sha256%3A2/tag?repo=registry.local%2Ftools%2Fapp&tag=1",
        "DELETE /images/sha256%3A1",
    ]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("manifest for x not found: manifest unknown", ManifestUnknown),
        ("pull access denied for x, repository does not exist or may require 'docker login'", AccessDenied),
        ("unauthorized: authentication required", AccessDenied),
        ("write /var/lib/docker/tmp/x: no space left on device", StorageFull),
        ("dial tcp: lookup quay.io: no such host", ServerTrouble),
    ],
)
def test_a_failure_in_the_middle_has_the_engines_message(message: str, kind: type[TransloadError]) -> None:
    with pytest.raises(kind) as caught:
        run(NOT_THERE, NOT_THERE, failing(message), NOT_THERE, NOT_THERE)
    assert caught.value.side == "source"
    if kind is not StorageFull:
        assert message in caught.value.message


def test_a_push_that_fails_still_tidies_up() -> None:
    with scripted(NOT_THERE, NOT_THERE, DONE, TAGGED, failing("denied: no"), IMAGE, DONE, IMAGE, DONE) as engine:
        with pytest.raises(AccessDenied) as caught:
            relay(EngineApi(EngineAddress("podman", engine.path)), Relayed(source=SOURCE, target=TARGET), keep=False)
        assert (caught.value.side, len(engine.requests)) == ("target", 9)


@pytest.mark.parametrize(
    ("last", "digest"),
    [
        ({"status": f"1: digest: {DIGEST} size: 706"}, DIGEST),  # as podman says it
        ({"aux": {"Digest": "nonsense"}}, None),
        ({"aux": [], "status": None}, None),
    ],
)
def test_the_digest_that_the_engine_tells(last: dict[str, Any], digest: Digest | None) -> None:
    told, _, _ = run(NOT_THERE, NOT_THERE, DONE, TAGGED, answer(200, json.dumps(last).encode()), keep=True)
    assert told == digest
