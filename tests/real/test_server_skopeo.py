"""Debian's skopeo against a served store: what it pushes is what lies there, what lies there is what it pulls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.real.servers import Skopeo
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Digest, Name
from transload.ports import Target
from transload.server import Served, ServeSettings, serve
from transload.testing.images import fill, image, multi_platform

IMAGE = image("single", layers=(3_000, 2_500_000))
MANY = multi_platform("many")


@pytest.fixture
def origin(tmp_path: Path) -> LayoutStore:
    """A layout that skopeo can read: bare tags are what it finds an image by."""
    store = LayoutStore(tmp_path / "origin", create=True)
    fill(store, IMAGE, "", "single")
    fill(store, MANY, "", "many")
    return store


@pytest.fixture(params=["memory", "layout"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    if request.param == "memory":
        return MemoryStore()
    return LayoutStore(tmp_path / "target", create=True)


@pytest.fixture
def served(target: Target) -> Iterator[Served]:
    with serve(target, ServeSettings(writable=True)) as served:
        yield served


def test_push_inspect_and_pull(
    skopeo: Skopeo, origin: LayoutStore, target: Target, served: Served, tmp_path: Path
) -> None:
    there = f"docker://{served.host_port}/team/app"
    for tag, built in (("single", IMAGE), ("many", MANY)):
        skopeo("copy", "--all", "--dest-tls-verify=false", f"oci:{origin.root}:{tag}", f"{there}:{tag}")
        assert target.fetch(Name("team/app", tag)).raw == built.manifest.raw
        raw = skopeo("inspect", "--raw", "--tls-verify=false", f"{there}:{tag}").stdout
        assert raw.encode() == built.manifest.raw
        back = tmp_path / f"back-{tag}"
        skopeo("copy", "--all", "--src-tls-verify=false", f"{there}@{built.digest}", f"oci:{back}:{tag}")
        for digest, content in built.blobs.items():
            assert (back / "blobs" / digest.algorithm / digest.encoded).read_bytes() == content
    listed = skopeo("list-tags", "--tls-verify=false", there).stdout
    assert json.loads(listed)["Tags"] == ["many", "single"]
    inspected = json.loads(skopeo("inspect", "--tls-verify=false", f"{there}:single").stdout)
    assert inspected["Digest"] == IMAGE.digest


def test_a_second_repository_gets_its_blobs_by_mount(skopeo: Skopeo, origin: LayoutStore, served: Served) -> None:
    here = f"docker://{served.host_port}/first:1"
    skopeo("copy", "--dest-tls-verify=false", f"oci:{origin.root}:single", here)
    received = served.requests.bytes_received
    skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", here, f"docker://{served.host_port}/second:1")
    manifest_and_config = len(IMAGE.manifest.raw) + IMAGE.manifest.blobs[0].size  # skopeo mounts layers only
    assert served.requests.bytes_received - received <= manifest_and_config


def test_read_only(skopeo: Skopeo, origin: LayoutStore) -> None:
    with serve(origin) as served:
        refused = skopeo(
            "copy",
            "--dest-tls-verify=false",
            f"oci:{origin.root}:single",
            f"docker://{served.host_port}/a:1",
            check=False,
        )
    assert refused.returncode
    assert "--writable" in refused.stderr


def test_users_and_tls(skopeo: Skopeo, origin: LayoutStore, tmp_path: Path) -> None:
    authority, pem = trustme.CA(), tmp_path / "server.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    certs = tmp_path / "certs"
    certs.mkdir()
    authority.cert_pem.write_to_path(str(certs / "ca.crt"))
    store = MemoryStore()
    settings = ServeSettings(writable=True, tls_certificate=pem, users={"ann": "one"})
    with serve(store, settings) as served:
        there = f"docker://{served.host_port}/a:1"
        push = ("copy", "--dest-cert-dir", certs, f"oci:{origin.root}:single", there)
        assert "authentication required" in skopeo(*push, check=False).stderr
        assert skopeo(*push, "--dest-creds", "ann:two", check=False).returncode
        skopeo(*push, "--dest-creds", "ann:one")
        skopeo("copy", "--src-cert-dir", certs, "--src-creds", "ann:one", there, f"oci:{tmp_path / 'back'}:x")
    assert store.resolve(Name("a", "1")) == IMAGE.descriptor
    assert Digest.of(store.fetch(Name("a", "1")).raw) == IMAGE.digest
