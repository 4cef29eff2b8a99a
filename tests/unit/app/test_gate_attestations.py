"""What gates say travels with the images that they let pass: as in-toto statements that refer to them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

import transload
from transload.app.attaching import put_artifact
from transload.bundle import BundleStore
from transload.bundle.format.signing import parse_private_key, signer_of
from transload.cli.main import main
from transload.errors import ManifestInvalid
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Digest, Manifest, Name
from transload.ports import Source
from transload.report.gateattestation import ARTIFACT_TYPE, BILL_ARTIFACT_TYPE, PREDICATE_TYPE
from transload.server import ServeSettings, serve
from transload.testing.images import fill, image
from transload.trust import dsse

IMAGES = {f"app/image{number}": image(f"image{number}", (100 + number,)) for number in range(3)}
FIRST = "app/image0"
KEY = Ed25519PrivateKey.generate()


@frozen
class Desk:
    """A folder `source` with images, a key, and programs as gates."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def gate(self, lines: str, name: str = "scan") -> str:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
        return f"{path} {{image}}"

    def run(self, line: str, *gates: str) -> tuple[int, dict[str, Any]]:
        self.capsys.readouterr()
        words = [*line.split(), *(word for gate in gates for word in ("--gate", gate)), "--output", "json"]
        code = main(words)
        out, err = self.capsys.readouterr()
        assert out, err
        return code, json.loads(out.splitlines()[-1]).get("result", {})

    @property
    def waiting(self) -> list[Path]:
        """Statements that wait to be attached."""
        return sorted((self.folder / "state" / "attested").glob("*"))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    store = LayoutStore(tmp_path / "source", create=True)
    for repository, built in IMAGES.items():
        fill(store, built, repository, "1")
    Path("site.key").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Desk(tmp_path, capsys)


class Refusing(MemoryStore):
    """A registry that takes images, and for as long as `refuses` no artifacts."""

    refuses = True

    def put_manifest(self, name: Name, manifest: Manifest, *, part: bool = False, sparse: bool = False) -> None:
        if manifest.subject is not None and self.refuses:
            raise ManifestInvalid("artifacts are not taken here")
        super().put_manifest(name, manifest, part=part, sparse=sparse)


@pytest.fixture
def registry() -> Iterator[tuple[Refusing, str]]:
    store = Refusing()
    with serve(store, ServeSettings(writable=True)) as server:
        yield store, server.host_port


def layers(store: Source, repository: str, digest: Digest, kind: str = ARTIFACT_TYPE) -> list[tuple[str, bytes]]:
    """The media types and contents of the artifacts of one type that refer to an image."""
    assert store.refers is not None
    found = []
    for referrer in store.refers.referrers(repository, digest):
        if referrer.artifact_type != kind:
            continue
        manifest = store.fetch(Name(repository, None, referrer.digest))
        assert manifest.subject is not None
        assert manifest.subject.digest == digest
        with store.open(repository, manifest.layers[0]) as chunks:
            found.append((manifest.layers[0].media_type, b"".join(map(bytes, chunks))))
    return found


def said(store: Source, repository: str = FIRST, kind: str = ARTIFACT_TYPE) -> list[dict[str, Any]]:
    """The statements of gates on an image, without envelopes."""
    statements = []
    for media_type, content in layers(store, repository, IMAGES[repository].digest, kind):
        signed = media_type == dsse.MEDIA_TYPE
        statements.append(json.loads(dsse.decode(content).payload if signed else content))
    return statements


MIRROR = "mirror --from oci:source --to oci:copy"


def test_what_a_gate_says_is_attached_to_its_image(desk: Desk) -> None:
    code, result = desk.run(MIRROR, desk.gate("echo clean"))
    assert code == 0
    assert result["attestations"] == {"attached": 3, "failed": 0, "problem": None}
    for repository, built in IMAGES.items():
        (statement,) = said(LayoutStore(Path("copy")), repository)
        assert statement["_type"] == "https://in-toto.io/Statement/v1"
        assert statement["predicateType"] == PREDICATE_TYPE
        assert statement["subject"] == [{"name": f"{repository}:1", "digest": {"sha256": built.digest.encoded}}]
        predicate = statement["predicate"]
        assert predicate.pop("finishedOn").startswith("20")
        assert predicate == {
            "gate": {"program": "scan"},
            "result": "passed",
            "exitCode": 0,
            "target": "oci:copy",
            "tool": {"name": "transload", "version": transload.__version__},
            "output": {
                "mediaType": "text/plain",
                "digest": {"sha256": hashlib.sha256(b"clean\n").hexdigest()},
                "size": 6,
                "text": "clean\n",
            },
        }
    assert desk.waiting == []


def test_nothing_of_this_machine_is_in_it_but_what_the_program_wrote(desk: Desk) -> None:
    assert desk.run(MIRROR, desk.gate("true") + " --token hunter2")[0] == 0
    (statement,) = said(LayoutStore(Path("copy")))
    assert str(desk.folder) not in json.dumps(statement)
    assert "hunter2" not in json.dumps(statement)


def test_an_unchanged_image_gets_no_second_one(desk: Desk) -> None:
    for _ in range(2):
        assert desk.run(MIRROR, desk.gate("echo clean"))[0] == 0
    assert len(said(LayoutStore(Path("copy")))) == 1


def test_a_refused_image_gets_none(desk: Desk) -> None:
    assert desk.run(MIRROR, desk.gate("echo found; exit 1"))[0] == 7
    assert not Path("copy").exists() or said(LayoutStore(Path("copy"))) == []
    assert desk.waiting == []


def test_each_gate_says_its_own(desk: Desk) -> None:
    assert desk.run(MIRROR, desk.gate("echo a", "one"), desk.gate("echo b", "two"))[0] == 0
    statements = said(LayoutStore(Path("copy")))
    programs = {each["predicate"]["gate"]["program"]: each["predicate"]["output"]["text"] for each in statements}
    assert programs == {"one": "a\n", "two": "b\n"}


@pytest.mark.parametrize("line", ["mirror --from oci:source --to oci:copy", "push source --to oci:copy"])
def test_it_is_signed_by_the_key_of_the_run(desk: Desk, line: str) -> None:
    assert desk.run(f"{line} --sign-key site.key", desk.gate("echo clean"))[0] == 0
    ((media_type, content),) = layers(LayoutStore(Path("copy")), FIRST, IMAGES[FIRST].digest)
    assert media_type == dsse.MEDIA_TYPE
    envelope = dsse.decode(content)
    (signature,) = envelope.signatures
    KEY.public_key().verify(signature.value, envelope.signed_bytes)
    public = signer_of(parse_private_key(Path("site.key").read_bytes(), Path("site.key"), None)).public
    assert signature.key_id == public.key_id


def test_none_is_attached_if_it_is_not_wanted(desk: Desk) -> None:
    code, result = desk.run(f"{MIRROR} --no-gate-attestations", desk.gate("echo clean"))
    assert code == 0
    assert "attestations" not in result
    assert said(LayoutStore(Path("copy"))) == []


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ({"bomFormat": "CycloneDX", "specVersion": "1.6"}, "https://cyclonedx.org/bom"),
        ({"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT"}, "https://spdx.dev/Document"),
    ],
)
def test_a_bill_of_materials_travels_under_the_type_that_others_look_for(
    desk: Desk, output: dict[str, str], kind: str
) -> None:
    Path("bill.json").write_text(json.dumps(output))
    assert desk.run(MIRROR, f"cat {desk.folder}/bill.json {{image}}/none")[0] == 7  # cat ends with 1 for a missing file
    code, result = desk.run(MIRROR, desk.gate(f"cat {desk.folder}/bill.json"))
    assert (code, result["attestations"]["attached"]) == (0, 6)
    (bill,) = said(LayoutStore(Path("copy")), kind=BILL_ARTIFACT_TYPE)
    assert (bill["predicateType"], bill["predicate"]) == (kind, output)
    (statement,) = said(LayoutStore(Path("copy")))
    assert json.loads(statement["predicate"]["output"]["text"]) == output


def test_sarif_travels_as_it_was_written(desk: Desk) -> None:
    sarif = '{"$schema": "https://json.schemastore.org/sarif-2.1.0.json",\n "runs": [1.10, 1e5]}'
    Path("sarif.json").write_text(sarif)
    assert desk.run(MIRROR, desk.gate(f"cat {desk.folder}/sarif.json"))[0] == 0
    (statement,) = said(LayoutStore(Path("copy")))
    output = statement["predicate"]["output"]
    assert (output["mediaType"], output["text"]) == ("application/sarif+json", sarif)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (r"printf '\377\376'", "it is not UTF-8"),
        ("yes | head -c 5000000", "it has 7500002 bytes, 4194304 are allowed"),
        ("yes , | head -c 1000000", "it has more than 399000 values"),
    ],
)
def test_of_output_that_is_no_text_or_too_long_the_digest_travels(desk: Desk, lines: str, why: str) -> None:
    assert desk.run(MIRROR, desk.gate(lines))[0] == 0
    (statement,) = said(LayoutStore(Path("copy")))
    output = statement["predicate"]["output"]
    assert "text" not in output
    assert output["leftOut"] == why
    assert output["size"] > 0


@pytest.mark.parametrize("bomb", ["[" * 100_000, '{"a": 1, "a": 2}', '{"a": 1e999}', "{"])
def test_a_bomb_as_a_bill_of_materials_is_told_and_travels_as_text_only(desk: Desk, bomb: str) -> None:
    Path("bomb.json").write_text('{"bomFormat": "CycloneDX", "x": ' + bomb)
    code, result = desk.run(MIRROR, desk.gate(f"cat {desk.folder}/bomb.json"))
    assert (code, result["attestations"]["attached"]) == (0, 3)
    assert f"no bill of materials is attached to {FIRST}:1" in result["notes"][0]
    assert said(LayoutStore(Path("copy")), kind=BILL_ARTIFACT_TYPE) == []
    assert len(said(LayoutStore(Path("copy")))) == 1


def test_a_registry_that_takes_no_artifacts_has_the_images_and_the_exit_code_tells(
    desk: Desk, registry: tuple[Refusing, str]
) -> None:
    """The next run attaches what this one could not, without showing the images again."""
    store, host = registry
    line = f"mirror --from oci:source --to {host} --plain-http {host}"
    gate = desk.gate(f"echo seen >> {desk.folder}/seen; echo clean")
    code, result = desk.run(line, gate)
    assert code == result["exit_code"] == result["attestations"]["problem"]["exit_code"] != 0
    assert {image["status"] for image in result["images"]} == {"copied"}
    assert result["attestations"]["failed"] == 3
    assert "3 of 3 gate attestations could not be attached" in result["attestations"]["problem"]["message"]
    assert len(desk.waiting) == 3
    store.refuses = False
    code, result = desk.run(line, gate)
    assert (code, result["attestations"]["attached"]) == (0, 3)
    assert len(said(store)) == 1
    assert Path("seen").read_text().count("seen") == 3
    assert desk.waiting == []
    assert "attestations" not in desk.run(line, gate)[1]


def test_a_statement_costs_five_requests_at_serve(desk: Desk) -> None:
    """Two blobs, each looked for and sent in one request, and the manifest that refers to the image."""
    spent = []
    for flag in ("", " --no-gate-attestations"):
        with serve(MemoryStore(), ServeSettings(writable=True)) as server:
            host = server.host_port
            assert (
                desk.run(f"mirror --from oci:source --to {host} --plain-http {host}{flag}", desk.gate("true"))[0] == 0
            )
            spent.append(sum(server.requests.by_kind.values()))
    assert spent[0] - spent[1] == 5 * len(IMAGES)


def test_the_library_raises_what_could_not_be_attached(desk: Desk, registry: tuple[Refusing, str]) -> None:
    _, host = registry
    network = transload.Network(plain_http=(host,))
    gate = desk.gate("echo clean")
    with pytest.raises(transload.TransloadError, match="3 of 3 gate attestations could not be attached"):
        transload.mirror(origin="oci:source", to=host, gates=[gate], network=network)
    result = transload.mirror(origin="oci:source", to="oci:copy", gates=[gate], gate_attestations=False)
    assert result.attestations is None
    signed = transload.mirror(origin="oci:source", to="oci:signed", gates=[gate], sign_key="site.key")
    assert signed.attestations is not None
    assert signed.attestations.new == 3
    with pytest.raises(transload.UsageError, match="sign_key without record or gates has no effect"):
        transload.mirror(origin="oci:source", to="oci:copy", sign_key="site.key")


def test_a_bundle_carries_what_gates_said(desk: Desk) -> None:
    code, result = desk.run("pack --from oci:source -o rel --sign-key site.key", desk.gate("echo clean"))
    assert code == 0
    assert "attestations" not in result
    listed = BundleStore(Path("rel"))
    for repository, built in IMAGES.items():
        ((media_type, _),) = layers(listed, repository, built.digest)
        assert media_type == dsse.MEDIA_TYPE
        (statement,) = said(listed, repository)
        assert statement["predicate"]["target"] == "bundle:rel"
    assert desk.run("push rel --to oci:far")[0] == 0
    (carried,) = said(LayoutStore(Path("far")))
    assert carried["predicate"]["output"]["text"] == "clean\n"
    assert main(["verify", "rel"]) == 0


def test_the_same_pack_gives_the_same_bytes_again_though_the_program_says_the_time(desk: Desk) -> None:
    gate = desk.gate("date +%N; echo clean")
    assert desk.run("pack --from oci:source -o rel", gate)[0] == 0
    first = Path("rel.tar").read_bytes()
    code, result = desk.run("pack --from oci:source -o rel", gate)
    assert code == 0
    assert {image["status"] for image in result["images"]} == {"unchanged"}
    assert Path("rel.tar").read_bytes() == first
    Path("rel.tar").unlink()
    assert desk.run("pack --from oci:source -o rel", gate)[0] == 0
    assert Path("rel.tar").read_bytes() != first  # a new bundle has what the gates say now


def test_a_pack_that_was_killed_goes_on_though_the_program_says_the_time(desk: Desk) -> None:
    """The earlier statements are taken: others would make another bundle, and what is there could not be gone on with.

    If this machine is so fast that the bundle is finished before it is killed, the second run finds it.
    """
    fill(LayoutStore(Path("source")), image("large", (30_000_000,)), "app/large", "1")
    gate = desk.gate("date +%N")
    words = ["pack", "--from", "oci:source", "-o", "rel", "--gate", gate]
    killed = subprocess.Popen([sys.executable, "-m", "transload", *words, "--quiet"], stderr=subprocess.DEVNULL)
    while killed.poll() is None and not list(Path().glob("rel.tar*")):
        time.sleep(0.005)
    killed.kill()
    killed.wait()
    before = {path.name: path.read_bytes() for path in desk.waiting}
    assert len(before) == 4
    assert desk.run("pack --from oci:source -o rel", gate)[0] == 0
    assert {path.name: path.read_bytes() for path in desk.waiting} == before
    assert main(["verify", "rel"]) == 0
    assert len(said(BundleStore(Path("rel")))) == 1


def test_the_gates_of_a_push_look_whatever_the_bundle_carries(desk: Desk) -> None:
    """What the connected side's gate said is no check of the far side, also not if the same program said it."""
    gate = desk.gate("echo clean")
    assert desk.run("pack --from oci:source -o rel", gate)[0] == 0
    code, result = desk.run("push rel --to oci:far", desk.gate(f"echo seen >> {desk.folder}/seen; exit 1", "own"))
    assert code == 7
    assert len(Path("seen").read_text().split()) == 3
    assert {image["problem"]["code"] for image in result["images"]} == {"gate-refused"}
    code, result = desk.run("push rel --to oci:far", gate)
    assert code == 0
    targets = sorted(each["predicate"]["target"] for each in said(LayoutStore(Path("far"))))
    assert targets == ["bundle:rel", "oci:far"]


def test_what_was_carried_is_told_from_what_this_side_checked(desk: Desk) -> None:
    """With the key of this side, what it did not sign itself is a problem; what came with the image is not."""
    assert desk.run("pack --from oci:source -o rel", desk.gate("echo clean", "theirs"))[0] == 0
    code = main(["list", "rel"])
    out = " ".join(desk.capsys.readouterr().out.split())
    assert (code, "gates: 3 images with what gates said when packing; that is no check of the far side" in out) == (
        0,
        True,
    ), out
    code, result = desk.run("push rel --to oci:far --sign-key site.key", desk.gate("echo clean", "ours"))
    assert code == 0
    assert "3 images with what gates of the sender said: that is no check of this side" in result["notes"]
    Path("site.pub").write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    desk.capsys.readouterr()
    assert main(["history", f"{FIRST}:1", "--from", "oci:far", "--public-key", "site.pub", "--output", "json"]) == 0
    found = json.loads(desk.capsys.readouterr().out.splitlines()[-1])["gates"]
    told = {each["record"]["gate"]["program"]: (each["carried"], each["verified"], each["problem"]) for each in found}
    assert told == {"theirs": (True, False, "it is not signed"), "ours": (False, True, None)}
    assert "text" not in found[0]["record"]["output"]
    assert main(["history", f"{FIRST}:1", "--from", "oci:far"]) == 0
    shown = desk.capsys.readouterr().out
    assert "to:        bundle:rel (came along with the image, no check of this side)" in shown
    assert "to:        oci:far (a check of this side by its own words only)" in shown
    assert main(["history", f"{FIRST}:1", "--from", "oci:far", "--public-key", "site.pub"]) == 0
    assert "to:        oci:far (a check of this side)" in desk.capsys.readouterr().out


def test_what_a_gate_of_this_side_did_not_sign_does_not_count(desk: Desk) -> None:
    assert desk.run(MIRROR, desk.gate("echo clean"))[0] == 0
    Path("site.pub").write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert main(["history", f"{FIRST}:1", "--from", "oci:copy", "--public-key", "site.pub"]) == 6
    assert "it is not signed" in desk.capsys.readouterr().out


def test_what_is_said_of_another_image_is_a_problem(desk: Desk) -> None:
    assert desk.run(MIRROR, desk.gate("echo clean"))[0] == 0
    store = LayoutStore(Path("copy"))
    ((media_type, content),) = layers(store, FIRST, IMAGES[FIRST].digest)
    other = store.resolve(Name("app/image1", "1"))
    artifact = {"content": content, "media_type": media_type, "artifact_type": ARTIFACT_TYPE}
    put_artifact(store, "app/image1", other, **artifact)  # type: ignore[arg-type]
    assert main(["history", "app/image1:1", "--from", "oci:copy"]) == 6
    assert "it is about another image" in desk.capsys.readouterr().out


def test_with_several_targets_each_image_is_shown_once_and_told_at_each(desk: Desk) -> None:
    gate = desk.gate(f"echo $1 >> {desk.folder}/seen; echo clean")
    words = f"{MIRROR} --to oci:other --output json --gate".split()
    assert main([*words, gate]) == 0
    assert len(Path("seen").read_text().splitlines()) == 3
    for name in ("copy", "other"):
        (statement,) = said(LayoutStore(Path(name)))
        assert statement["predicate"]["target"] == f"oci:{name}"


def test_with_several_targets_a_refused_image_goes_to_none(desk: Desk) -> None:
    """The images at the one target already are shown for the other."""
    assert main(["mirror", "--from", "oci:source", "--to", "oci:other", "--image", "app/image1"]) == 0
    gate = desk.gate(f"echo $2 >> {desk.folder}/seen; case $2 in {FIRST}:*) exit 1;; esac") + " {name}"
    assert main([*f"{MIRROR} --to oci:other --gate".split(), gate]) == 7
    assert sorted(Path("seen").read_text().split()) == [f"{name}:1" for name in IMAGES]
    for place in ("copy", "other"):
        names = {name.repository for name in LayoutStore(Path(place))._index().names}
        assert names == set(IMAGES) - {FIRST}


def test_a_remote_source_is_read_once_for_the_gates_and_several_targets(desk: Desk) -> None:
    store = MemoryStore()
    for repository, built in IMAGES.items():
        fill(store, built, repository, "1")
    with serve(store) as server:
        host = server.host_port
        words = f"mirror --from {host} --to oci:copy --to oci:other --plain-http {host} --gate".split()
        assert main([*words, desk.gate("echo clean")]) == 0
        blobs = sum(len(set(built.blobs)) for built in IMAGES.values())
        assert server.requests.by_kind[("GET", "blob")] == blobs
    for place in ("copy", "other"):
        assert main(["verify", f"oci:{place}", "--deep"]) == 0


@pytest.fixture(autouse=True)
def _no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
