"""Files as artifacts at a real docker-registry, read back as other tools read them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import transload
from tests.real.servers import Registry, Skopeo
from transload import Environment, Login, Secret, open_store
from transload.errors import AccessDenied, CredentialsRejected, Refused
from transload.oci import Digest
from transload.oci.mediatype import OCI_EMPTY, OCI_MANIFEST
from transload.testing.images import fill, image

NOTHING = Environment()
SBOM = "application/vnd.example.sbom"
APP = image("app", layers=(100,))


def test_what_oras_reads_is_there(registry: Registry, skopeo: Skopeo, tmp_path: Path) -> None:
    """The conventions of oras: the empty config, titles, the type; looked at by skopeo and by plain requests."""
    content = os.urandom(2_000_000)
    (tmp_path / "sbom.json").write_bytes(content)
    files: dict[str, Path | bytes] = {"sbom.json": tmp_path / "sbom.json", "notes.txt": b"read me"}
    reference = f"{registry.host}/artifacts/app:sbom"
    stored = transload.put_artifact(reference, files, artifact_type=SBOM, environment=NOTHING)
    raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{reference}").stdout
    assert Digest.of(raw.encode()) == stored.digest
    document = json.loads(raw)
    assert (document["mediaType"], document["artifactType"]) == (OCI_MANIFEST, SBOM)
    assert document["config"] == {"mediaType": OCI_EMPTY, "digest": Digest.of(b"{}"), "size": 2}
    found = {}
    for layer in document["layers"]:
        status, _, body = registry.request(f"/v2/artifacts/app/blobs/{layer['digest']}")
        assert status == 200
        found[layer["annotations"]["org.opencontainers.image.title"]] = body
    assert found == {"sbom.json": content, "notes.txt": b"read me"}
    paths = transload.get_artifact(reference, tmp_path / "out", environment=NOTHING)
    assert {path.name: path.read_bytes() for path in paths} == found


def test_a_subject_is_found_by_the_fallback_tag_and_forgotten_with_it(registry: Registry, tmp_path: Path) -> None:
    with open_store(f"{registry.host}/artifacts", environment=NOTHING) as store:
        fill(store.target, APP, "artifacts/signed", "1")
        one = store.put_artifact("signed", {"a": b"1"}, artifact_type=SBOM, subject="signed:1")
        two = store.put_artifact("signed", {"a": b"2"}, artifact_type="text/other", subject=str(APP.digest))
        assert {entry.digest for entry in store.referrers("signed:1")} == {one.digest, two.digest}
        assert store.referrers("signed:1", SBOM) == (one,)
        assert store.read_blob("signed", store.fetch(f"signed@{one.digest}").layers[0]) == b"1"
        store.delete(f"signed@{one.digest}")
        assert store.referrers("signed:1") == (two,)
        assert set(store.tags("signed")) == {"1", f"sha256-{APP.digest.encoded}"}


def test_artifacts_survive_skopeo(registry: Registry, skopeo: Skopeo, tmp_path: Path) -> None:
    """What skopeo copies into a folder is read there."""
    reference = f"{registry.host}/artifacts/copied:1"
    transload.put_artifact(reference, {"a.txt": b"a", "b.txt": b"b"}, artifact_type=SBOM, environment=NOTHING)
    skopeo("copy", "--src-tls-verify=false", f"docker://{reference}", f"oci:{tmp_path / 'layout'}:1")
    with open_store(f"oci:{tmp_path / 'layout'}", environment=NOTHING) as store:
        paths = store.get_artifact(":1", tmp_path / "out")
    assert {path.name: path.read_bytes() for path in paths} == {"a.txt": b"a", "b.txt": b"b"}


def test_a_real_image_is_refused(registry: Registry, tmp_path: Path) -> None:
    with open_store(f"{registry.host}/artifacts", environment=NOTHING) as store:
        fill(store.target, APP, "artifacts/image", "1")
        with pytest.raises(Refused, match="is an image"):
            store.get_artifact("image:1", tmp_path / "out")


def test_logins(token_registry: Registry) -> None:
    assert token_registry.user is not None
    assert token_registry.reader is not None
    writer = Login(token_registry.user.name, Secret(token_registry.user.password))
    reader = Login(token_registry.reader.name, Secret(token_registry.reader.password))
    wrong = Login(token_registry.user.name, Secret("wrong"))
    reference = f"{token_registry.host}/artifacts/closed:1"
    for login, error in ((reader, AccessDenied), (wrong, CredentialsRejected)):
        with pytest.raises(error):
            transload.put_artifact(reference, {"a": b"a"}, artifact_type=SBOM, login=login, environment=NOTHING)
    stored = transload.put_artifact(reference, {"a": b"a"}, artifact_type=SBOM, login=writer, environment=NOTHING)
    repository = reference.rpartition(":")[0]
    assert transload.tags(repository, login=reader, environment=NOTHING) == ("1",)
    with pytest.raises(AccessDenied):
        transload.delete(f"{repository}@{stored.digest}", login=reader, environment=NOTHING)
