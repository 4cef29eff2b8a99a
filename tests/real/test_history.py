"""Transfer records at real registries: those of docker-registry lie behind a tag, those of transload serve in its list.

They are read here by plain HTTP, and checked by libraries of others: securesystemslib (DSSE) and in-toto-attestation.
"""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from securesystemslib.dsse import Envelope
from securesystemslib.signer._key import SSlibKey

from tests.real.servers import Skopeo, StartRegistry
from transload.app.attaching import put_artifact
from transload.cli.main import main
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.net.http import Http
from transload.net.settings import NetSettings
from transload.oci import Digest, Name
from transload.registry.store import RegistryStore
from transload.report.transferrecord import ARTIFACT_TYPE
from transload.server import ServeSettings, serve
from transload.testing.images import fill, image, multi_platform
from transload.trust.dsse import IN_TOTO, MEDIA_TYPE

ONE, MANY = image("one", (100, 200)), multi_platform("many", (300,))
KEYS: dict[str, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "p256": ec.generate_private_key(ec.SECP256R1()),
}


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    store = LayoutStore(tmp_path / "source", create=True)
    fill(store, ONE, "app/one", "1")
    fill(store, MANY, "app/many", "1")
    for name, key in KEYS.items():
        Path(f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        Path(f"{name}.pub").write_bytes(public)
    return tmp_path


@pytest.fixture(params=["docker-registry", "serve"])
def host(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "serve":
        with serve(MemoryStore(), ServeSettings(writable=True)) as server:
            yield server.host_port
    else:
        start: StartRegistry = request.getfixturevalue("start_registry")
        yield start().host


def got(host: str, path: str, accept: str = "*/*") -> bytes:
    """An answer by plain HTTP, as any client gets it."""
    request = urllib.request.Request(f"http://{host}/v2/{path}", headers={"Accept": accept})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        content: bytes = answer.read()
        return content


def records(host: str, repository: str, digest: Digest) -> list[bytes]:
    """The envelopes that refer to an image, found as the distribution specification says: in the list, or by a tag."""
    index = "application/vnd.oci.image.index.v1+json"
    try:
        listed = json.loads(got(host, f"{repository}/referrers/{digest}", index))
    except urllib.error.HTTPError:  # docker-registry 2.8 has no such list
        listed = json.loads(got(host, f"{repository}/manifests/{digest.replace(':', '-')}", index))
    envelopes = []
    for entry in listed["manifests"]:
        assert entry["artifactType"] == ARTIFACT_TYPE
        manifest = json.loads(got(host, f"{repository}/manifests/{entry['digest']}", entry["mediaType"]))
        assert manifest["subject"]["digest"] == digest
        (layer,) = manifest["layers"]
        envelopes.append(got(host, f"{repository}/blobs/{layer['digest']}"))
    return envelopes


def proved(content: bytes, kind: str) -> dict[str, Any]:
    """The statement, if readers of others say that its envelope and, where one is installed, its form are right."""
    envelope = Envelope.from_dict(json.loads(content))
    (named,) = envelope.signatures
    key = SSlibKey.from_crypto(KEYS[kind].public_key(), keyid=named)
    assert envelope.verify([key], 1) == {named: key}
    if find_spec("in_toto_attestation") is not None:
        statements = import_module("in_toto_attestation.v1.statement")
        message = import_module("in_toto_attestation.v1.statement_pb2").Statement()
        import_module("google.protobuf.json_format").Parse(envelope.payload, message)
        statements.Statement.copy_from_pb(message).validate()
    said: dict[str, Any] = json.loads(envelope.payload)
    return said


@pytest.mark.parametrize("kind", KEYS)
def test_others_find_and_prove_the_record_of_each_image(
    host: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    signing = ["--sign-key", f"{kind}.key", "--recorded-by", "Transfer desk"]
    words = ["mirror", "--from", "oci:source", "--to", f"{host}/site", "--plain-http", host]
    assert main([*words, "--record-at-target", *signing]) == 0
    for repository, built in (("site/app/one", ONE), ("site/app/many", MANY)):
        (content,) = records(host, repository, built.digest)
        said = proved(content, kind)
        assert said["subject"] == [{"name": f"{host}/{repository}:1", "digest": {"sha256": built.digest.encoded}}]
        assert said["predicate"]["recordedBy"] == "Transfer desk"
        history = ["history", f"{host}/{repository}:1", "--plain-http", host, "--public-key"]
        assert main([*history, f"{kind}.pub"]) == 0
        assert "recorded:  by Transfer desk" in capsys.readouterr().out
        other = next(name for name in KEYS if name != kind)
        assert main([*history, f"{other}.pub"]) == 6


def test_receipts_and_records_in_bundles_are_proved_by_others_too(host: str) -> None:
    assert main(["pack", "--from", "oci:source", "-o", "rel", "--record-in-bundle", "--sign-key", "p256.key"]) == 0
    words = ["push", "rel", "--to", host, "--plain-http", host, "--key", "p256.pub", "--receipt", "slip.json"]
    assert main([*words, "--sign-key", "ed25519.key"]) == 0
    said = proved(Path("slip.json").read_bytes(), "ed25519")
    assert said["predicateType"] == "urn:transload:receipt:v1"
    assert main(["extract", "rel", "transfer-record.json"]) == 0
    packed = proved(Path("transfer-record.json").read_bytes(), "p256")
    assert packed["predicate"]["plan"] == said["predicate"]["bundle"]["record"]["plan"]


def test_skopeo_and_tar_read_a_bundle_with_a_record(desk: Path, skopeo: Skopeo) -> None:
    assert main(["pack", "--from", "oci:source", "-o", "rel", "--record-in-bundle", "--sign-key", "p256.key"]) == 0
    for name, built in (("app/one:1", ONE), ("app/many:1", MANY)):
        raw = skopeo("inspect", "--raw", f"oci-archive:{desk / 'rel.tar'}:{name}").stdout
        assert raw.encode() == built.manifest.raw
    subprocess.run(["tar", "-xf", "rel.tar", "transload/extra/transfer-record.json"], check=True)
    packed = proved(Path("transload/extra/transfer-record.json").read_bytes(), "p256")
    assert packed["predicate"]["target"] == "bundle:rel"


def test_several_records_each_with_its_own_signer(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["mirror", "app/one:1", "--from", "oci:source", "--to", host, "--plain-http", host, "--record-at-target"]
    assert main([*words, "--sign-key", "p256.key", "--record", "signed.json"]) == 0
    assert main([*words, "--record", "plain.json"]) == 0  # not attached: it has one
    store = RegistryStore(host, Http(NetSettings()))
    subject = store.resolve(Name("app/one", "1"))
    for content, media_type in (
        (Path("plain.json").read_bytes(), IN_TOTO),
        (b'{"payload":', MEDIA_TYPE),
        (b"\x1b[31m" * 100, IN_TOTO),
    ):
        put_artifact(store, "app/one", subject, content=content, media_type=media_type, artifact_type=ARTIFACT_TYPE)
    capsys.readouterr()
    history = ["history", f"{host}/app/one:1", "--plain-http", host]
    assert main([*history, "--public-key", "p256.pub", "--output", "json"]) == 6
    found = json.loads(capsys.readouterr().out.splitlines()[-1])["records"]
    assert sorted(str(record["problem"])[:22] for record in found) == [
        "None",
        "it is not signed",
        "the record cannot be r",
        "the record cannot be r",
    ]
    assert main(history) == 6
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "signed:    not signed: anybody can have written it" in printed


def test_what_cannot_be_asked_is_not_taken_for_nothing(
    start_registry: StartRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = start_registry()
    words = ["--plain-http", registry.host, "--give-up-after", "1"]
    copy = ["mirror", "app/one:1", "--from", "oci:source", "--to", registry.host, *words]
    history = ["history", f"{registry.host}/app/one:1", *words]
    assert main(copy) == 0
    assert main(history) == 4
    assert "app/one:1 has no transfer record at" in capsys.readouterr().err
    assert main([*copy, "--record-at-target", "--sign-key", "p256.key"]) == 0
    (content,) = records(registry.host, "app/one", ONE.digest)
    blob = registry.root / f"docker/registry/v2/blobs/sha256/{(digest := Digest.of(content).encoded)[:2]}/{digest}/data"
    blob.unlink()  # the registry has lost it
    assert main(history) in {5, 6}
    printed = "".join(capsys.readouterr())
    assert "no transfer record" not in printed
    registry.stop()
    assert main(history) == 5
    assert "no transfer record" not in "".join(capsys.readouterr())
