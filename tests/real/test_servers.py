"""The real servers are what the fixtures promise."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.real.servers import Registry, Skopeo, StartRegistry, merged
from tests.real.token_server import READER, WRITER, User


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A one-layer image as skopeo names it."""
    folder = tmp_path_factory.mktemp("image")
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("hello"), io.BytesIO())
    layer = _blob(folder, "application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(tar.getvalue(), mtime=0))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar.getvalue()).hexdigest()]},
    }
    manifest = {
        "schemaVersion": 2,
        "config": _blob(folder, "application/vnd.oci.image.config.v1+json", json.dumps(config).encode()),
        "layers": [layer],
    }
    child = _blob(folder, "application/vnd.oci.image.manifest.v1+json", json.dumps(manifest).encode())
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    index = {"schemaVersion": 2, "manifests": [child | {"annotations": {"org.opencontainers.image.ref.name": "1"}}]}
    (folder / "index.json").write_text(json.dumps(index))
    return f"oci:{folder}:1"


def _blob(folder: Path, media_type: str, content: bytes) -> dict[str, object]:
    encoded = hashlib.sha256(content).hexdigest()
    place = folder / "blobs" / "sha256" / encoded
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{encoded}", "size": len(content)}


def _token(registry: Registry, user: User | None, scope: str) -> str:
    """Ask the token server by hand."""
    assert registry.tokens
    query = urllib.parse.urlencode({"service": registry.tokens.service, "scope": scope})
    request = urllib.request.Request(f"{registry.tokens.realm}?{query}")
    if user:
        request.add_header("Authorization", _basic(user))
    with urllib.request.urlopen(request, timeout=240) as answer:
        return str(json.load(answer)["token"])


def _basic(user: User) -> str:
    return "Basic " + base64.b64encode(str(user).encode()).decode()


def test_registry_takes_and_gives_an_image(registry: Registry, skopeo: Skopeo, image: str) -> None:
    skopeo("copy", "--dest-tls-verify=false", image, f"docker://{registry.host}/servers/hello:1")
    status, _, body = registry.request("/v2/servers/hello/tags/list")
    assert (status, json.loads(body)) == (200, {"name": "servers/hello", "tags": ["1"]})
    assert (registry.root / "docker/registry/v2/repositories/servers/hello").is_dir()
    assert ("GET /v2/servers/hello/tags/list", 200) in registry.requests()


def test_registry_deletes(registry: Registry, skopeo: Skopeo, image: str) -> None:
    name = f"docker://{registry.host}/servers/gone:1"
    skopeo("copy", "--dest-tls-verify=false", image, name)
    skopeo("delete", "--tls-verify=false", name)
    assert skopeo("inspect", "--tls-verify=false", name, check=False).returncode != 0


def test_two_registries_are_strangers(start_registry: StartRegistry, skopeo: Skopeo, image: str) -> None:
    source, target = start_registry(), start_registry(http={"relativeurls": True})
    skopeo("copy", "--dest-tls-verify=false", image, f"docker://{source.host}/a:1")
    assert source.host != target.host
    assert json.loads(target.request("/v2/_catalog")[2]) == {"repositories": []}
    _, headers, _ = target.request("/v2/a/blobs/uploads/", "POST", body=b"")
    assert headers["Location"].startswith("/v2/a/blobs/uploads/")


def test_a_stopped_registry_is_gone(start_registry: StartRegistry) -> None:
    registry = start_registry()
    registry.stop()
    with pytest.raises(OSError):
        registry.request("/v2/")


def test_htpasswd(htpasswd_registry: Registry, skopeo: Skopeo, image: str) -> None:
    assert htpasswd_registry.user
    status, headers, _ = htpasswd_registry.request("/v2/")
    assert (status, headers["WWW-Authenticate"]) == (401, 'Basic realm="test"')
    assert htpasswd_registry.request("/v2/", user=READER)[0] == 401
    assert htpasswd_registry.request("/v2/", user=htpasswd_registry.user)[0] == 200
    name = f"docker://{htpasswd_registry.host}/hello:1"
    skopeo("copy", "--dest-tls-verify=false", f"--dest-creds={htpasswd_registry.user}", image, name)
    assert skopeo("copy", "--dest-tls-verify=false", image, name, check=False).returncode != 0


def test_tls(tls_registry: Registry, skopeo: Skopeo, image: str) -> None:
    assert tls_registry.request("/v2/", certificate=False)[0] == 200
    name = f"docker://{tls_registry.host}/hello:1"
    skopeo("copy", f"--dest-cert-dir={tls_registry.certs}", image, name)
    refused = skopeo("copy", image, name, check=False)
    assert "certificate" in refused.stderr


def test_client_certificates_are_demanded(mutual_tls_registry: Registry, skopeo: Skopeo, image: str) -> None:
    assert mutual_tls_registry.request("/v2/")[0] == 200
    with pytest.raises(OSError):
        mutual_tls_registry.request("/v2/", certificate=False)
    skopeo("copy", f"--dest-cert-dir={mutual_tls_registry.certs}", image, f"docker://{mutual_tls_registry.host}/a:1")


def test_token_rights(token_registry: Registry, skopeo: Skopeo, image: str, tmp_path: Path) -> None:
    private, public = (f"docker://{token_registry.host}/{each}/hello:1" for each in ("team", "public"))
    plain = "--dest-tls-verify=false"
    assert skopeo("copy", plain, f"--dest-creds={READER}", image, private, check=False).returncode != 0
    assert skopeo("copy", plain, f"--dest-creds={WRITER.name}:wrong", image, private, check=False).returncode != 0
    for name in (private, public):
        skopeo("copy", plain, f"--dest-creds={WRITER}", image, name)
    skopeo("inspect", "--tls-verify=false", f"--creds={READER}", private)
    skopeo("inspect", "--tls-verify=false", public)
    assert skopeo("inspect", "--tls-verify=false", private, check=False).returncode != 0


def test_tokens_are_counted_and_expire(start_registry: StartRegistry) -> None:
    registry = start_registry("token")
    assert registry.tokens
    scope = "repository:team/hello:pull,push"
    path = "/v2/team/hello/tags/list"
    token = _token(registry, READER, scope)
    assert registry.request(path, headers={"Authorization": f"Bearer {token}"})[0] == 404
    registry.tokens.expiry_s = -1
    stale = _token(registry, READER, scope)
    status, headers, _ = registry.request(path, headers={"Authorization": f"Bearer {stale}"})
    assert status == 401
    assert 'error="invalid_token"' in headers["WWW-Authenticate"]
    assert [(asked.user, asked.scopes) for asked in registry.tokens.requests] == [("reader", (scope,))] * 2


def test_identity_tokens_are_good_for_tokens(token_registry: Registry) -> None:
    tokens = token_registry.tokens
    assert tokens
    form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token(READER), "scope": "repository:a:pull"}
    with urllib.request.urlopen(tokens.realm, urllib.parse.urlencode(form).encode(), timeout=240) as answer:
        token = json.load(answer)["access_token"]
    assert token_registry.request("/v2/a/tags/list", headers={"Authorization": f"Bearer {token}"})[0] == 404


def test_configuration_is_merged_key_by_key() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 9}, "d": None}) == {"a": {"b": 9, "c": 2}}
