"""push --receipt, and pack --against RECEIPT: one file on the returning disk says what the next bundle leaves out."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

import transload
from transload.app.receipts import read_receipt
from transload.bundle.reading.reader import BundleStore
from transload.cli.main import main
from transload.inventory.file import inventory_out
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Digest, Name
from transload.ports import Target
from transload.report.transferrecord import PREDICATE_TYPE, RECEIPT_TYPE
from transload.server import ServeSettings, serve
from transload.testing.images import fill, image, multi_platform, signature
from transload.testing.layers import layer
from transload.trust import dsse

SHARED = layer("shared", 9000)
FIRST, SECOND, SMALL = image("app 1", (SHARED, 100)), image("app 2", (SHARED, 200)), image("small", (300,))
SITE, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    store = LayoutStore(tmp_path / "source", create=True)
    fill(store, FIRST, "app/one", "1")
    fill(store, SMALL, "app/small", "1")
    for name, key in (("site", SITE), ("other", OTHER)):
        Path(f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        Path(f"{name}.pub").write_bytes(public)
    return tmp_path


@pytest.fixture
def registry() -> Iterator[tuple[MemoryStore, list[str]]]:
    store = MemoryStore()
    with serve(store, ServeSettings(writable=True)) as server:
        yield store, ["--to", f"{server.host_port}/site", "--plain-http", server.host_port]


def pack(*words: str, name: str = "rel") -> None:
    assert main(["pack", "--from", "oci:source", "-o", name, *words]) == 0


def push(to: list[str], *words: str, name: str = "rel", code: int = 0) -> dict[str, Any]:
    """Push, and give the statement of the receipt."""
    assert main(["push", name, *to, "--receipt", "receipt.json", *words]) == code
    content = json.loads(Path("receipt.json").read_bytes())
    statement = base64.b64decode(content["payload"]) if "payload" in content else json.dumps(content).encode()
    said: dict[str, Any] = json.loads(statement)
    return said


def holds(said: dict[str, Any]) -> dict[str, tuple[dict[str, str], set[str]]]:
    """What the inventory of a receipt says: the tags and all digests of each repository."""
    inventory = said["predicate"]["inventory"]
    manifests = [entry["digest"] for entry in inventory["manifests"]]
    blobs = [entry["digest"] for entry in inventory["blobs"]]
    return {
        entry["name"]: (
            {tag: manifests[number] for tag, number in entry["tags"].items()},
            {manifests[number] for number in entry["manifests"]} | {blobs[number] for number in entry["blobs"]},
        )
        for entry in inventory["repositories"]
    }


def test_a_receipt_says_what_arrived(registry: tuple[MemoryStore, list[str]]) -> None:
    store, to = registry
    pack()
    said = push(to, "--recorded-by", "Far desk")
    assert said["predicateType"] == RECEIPT_TYPE
    run = said["predicate"]
    assert (run["complete"], run["recordedBy"], run["bundle"]["images"]) == (True, "Far desk", 2)
    assert (run["inventory"]["prefix"], run["inventory"]["scoped"]) == ("site", True)
    assert {subject["digest"]["sha256"] for subject in said["subject"]} == {FIRST.digest.encoded, SMALL.digest.encoded}
    held = holds(said)
    assert held.keys() == {"app/one", "app/small"}
    assert held["app/one"][0] == {"1": FIRST.digest}
    for repository, built in (("app/one", FIRST), ("app/small", SMALL)):
        digests = {blob.digest for blob in built.manifest.blobs} | {built.digest}
        assert held[repository][1] == digests
        assert all(store.exists(f"site/{repository}", blob) for blob in built.manifest.blobs)


def test_one_file_closes_the_circle(desk: Path, registry: tuple[MemoryStore, list[str]]) -> None:
    store, to = registry
    pack("--sign-key", "site.key")
    push(to, "--sign-key", "other.key")
    fill(LayoutStore(desk / "source"), SECOND, "app/one", "2")
    against = ("--against", "receipt.json", "--against-key", "other.pub")
    pack(*against, name="next")
    ledger = BundleStore(desk / "next").ledger
    assert {str(entry.image.name) for entry in ledger.images if entry.image.present} == {"app/one:1", "app/small:1"}
    common = {blob.digest for blob in FIRST.manifest.blobs} & {blob.digest for blob in SECOND.manifest.blobs}
    assert common
    assert not common & ledger.by_digest.keys()
    said = push(to, "--sign-key", "other.key", name="next")  # the third receipt knows all of it, not only what is new
    assert holds(said)["app/one"][0] == {"1": FIRST.digest, "2": SECOND.digest}
    assert {blob.digest for blob in FIRST.manifest.blobs} <= holds(said)["app/one"][1]
    assert store.resolve(Name("site/app/one", "2")).digest == SECOND.digest
    pack(*against, name="third")
    assert all(entry.image.present for entry in BundleStore(desk / "third").ledger.images)


def test_a_copied_image_costs_no_request_more(registry: tuple[MemoryStore, list[str]]) -> None:
    pack()
    spent = []
    for flags in ([], ["--receipt", "receipt.json"]):
        with serve(MemoryStore(), ServeSettings(writable=True)) as server:
            words = ["push", "rel", "--to", server.host_port, "--plain-http", server.host_port, *flags]
            assert main(words) == 0
            first = server.requests.total
            assert main(words) == 0
            spent.append((first, server.requests.total - first))
    (plain, plain_again), (told, told_again) = spent
    assert told == plain
    assert told_again - plain_again == 2  # the manifests of two images that were there


def test_what_failed_is_not_in_it(
    desk: Path, registry: tuple[MemoryStore, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    _, to = registry
    pack()
    gate = "/bin/sh -c 'case {image} in *) grep -q " + FIRST.digest.encoded + " $0/index.json;; esac' {image}"
    said = push(to, "--gate", gate, code=7)
    assert said["predicate"]["complete"] is False
    assert holds(said).keys() == {"app/one"}
    assert [entry["status"] for entry in said["predicate"]["images"]] == ["copied", "failed"]
    assert "receipt: receipt.json, 1 of 2 images arrived" in capsys.readouterr().err
    pack("--against", "receipt.json", name="next")
    assert "by the receipt receipt.json, 1 of 2 images are at the target" in capsys.readouterr().err
    assert app_names(desk / "next") == {"app/small:1"}


def app_names(bundle: Path) -> set[str]:
    return {str(entry.image.name) for entry in BundleStore(bundle).ledger.images if not entry.image.present}


def test_a_part_of_a_bundle_is_not_complete(registry: tuple[MemoryStore, list[str]]) -> None:
    _, to = registry
    pack()
    said = push(to, "--image", "app/small")
    assert said["predicate"]["complete"] is False
    assert holds(said).keys() == {"app/small"}


def test_without_an_image_there_is_no_receipt(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack()
    assert main(["push", "rel", "--to", "oci:far", "--receipt", "r.json", "--gate", "/bin/false {image}"]) == 7
    assert not (desk / "r.json").exists()
    assert "no image is at the target" in capsys.readouterr().err


@pytest.mark.parametrize("narrow", ["rewritten", "sparse"])
def test_of_an_index_only_what_was_brought_is_held(
    desk: Path, registry: tuple[MemoryStore, list[str]], narrow: str
) -> None:
    store: Target
    store, to = registry
    if narrow == "sparse":  # which many registries do not take
        store, to = LayoutStore(desk / "far", create=True), ["--to", "oci:far"]
    fill(LayoutStore(desk / "source"), multi_platform("many", (500,)), "app/many", "1")
    pack("--platform", "linux/amd64", "--narrow", narrow)
    said = push(to)
    check_held(store, said)
    again = push(to)  # now all of it is there, and the target is asked
    check_held(store, again)
    assert holds(again) == holds(said)


def check_held(store: Target, said: dict[str, Any]) -> None:
    """Everything that a receipt claims is at the target."""
    sizes = {entry["digest"]: entry["size"] for entry in said["predicate"]["inventory"]["blobs"]}
    prefix = said["predicate"]["inventory"]["prefix"]
    for relative, (tags, digests) in holds(said).items():
        repository = "/".join(filter(None, (prefix, relative)))
        for tag, digest in tags.items():
            assert store.resolve(Name(repository, tag)).digest == digest
        for digest in digests:
            if digest in sizes:
                continue
            assert store.fetch(Name(repository, None, Digest(digest))).digest == digest


def test_a_folder_gives_receipts_too(desk: Path) -> None:
    pack()
    said = push(["--to", "oci:far"])
    assert said["predicate"]["inventory"]["target"] == "oci:far"
    assert str(desk) not in json.dumps(said)
    pack("--against", "receipt.json", name="next")
    assert app_names(desk / "next") == set()


# --- who signed it


def changed(path: Path, signed: bool) -> None:
    """The receipt with another digest of an image in it, as somebody on the way may write."""
    document = json.loads(path.read_bytes())
    swap = (FIRST.digest.encoded.encode(), SECOND.digest.encoded.encode())
    if not signed:
        path.write_bytes(path.read_bytes().replace(*swap))
        return
    document["payload"] = base64.b64encode(base64.b64decode(document["payload"]).replace(*swap)).decode()
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("signing", "key", "code", "message"),
    [
        (["--sign-key", "site.key"], "site.pub", 6, "the signature does not match the receipt receipt.json"),
        (["--sign-key", "site.key"], "other.pub", 7, "is signed with the key sha256:"),
        ([], "site.pub", 7, "the receipt receipt.json is not signed"),
    ],
)
def test_a_receipt_that_the_key_does_not_prove_is_refused(
    desk: Path, capsys: pytest.CaptureFixture[str], signing: list[str], key: str, code: int, message: str
) -> None:
    pack()
    push(["--to", "oci:far"], *signing)
    changed(desk / "receipt.json", signed=bool(signing))
    capsys.readouterr()
    words = ["pack", "--from", "oci:source", "-o", "next", "--against", "receipt.json", "--against-key", key]
    assert main(words) == code
    assert message in capsys.readouterr().err
    assert not list(desk.glob("next*"))


# --- what cannot be


def written(**predicate: Any) -> bytes:
    kind = predicate.pop("kind", RECEIPT_TYPE)
    document = {"_type": "https://in-toto.io/Statement/v1", "subject": [], "predicateType": kind}
    return json.dumps({**document, "predicate": predicate}).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (written(kind=PREDICATE_TYPE), "is a transfer record, which does not say what the target holds"),
        (written(kind="urn:transload:receipt:v2"), "is a receipt of version 'v2', this version of transload reads v1"),
        (written(kind="https://slsa.dev/provenance/v1"), "is no receipt: it states 'https://slsa.dev/provenance/v1'"),
        (written(), "key 'inventory' is missing"),
        (written(inventory={"format": 2}), "format: expected 1"),
        (written(inventory={"format": 1, "target": "x", "prefix": "", "scoped": True}), "manifests"),
        (b'{"_type":"https://in-toto.io/Statement/v1"}', "is missing"),
        (b'{"payloadType":"text/plain","payload":"YQ==","signatures":[{"sig":"YQ=="}]}', "is not a receipt"),
        (b'{"payload":"YQ==","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":""}]}', "JSON"),
        (b'{"subject":' + b"[" * 5000, "the receipt"),
        (b'{"subject":[' + b"1," * 1_500_000 + b"1]}", "the receipt is too large: it has more than 1400000 values"),
    ],
)
def test_what_is_no_receipt_is_said(
    desk: Path, capsys: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    (desk / "r.json").write_bytes(content)
    assert main(["pack", "--from", "oci:source", "-o", "next", "--against", "r.json"]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert "hint:" in printed
    assert not list(desk.glob("next*"))


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--receipt", "no/r.json"], 8, "there is no folder"),
        (["--receipt", "r"], 2, "a receipt named 'r' has no known format"),
        (["--receipt", "site.key"], 2, "let the name end in .json"),
        (["--receipt", "source"], 2, "source"),
        (["--receipt", "folder.json"], 2, "folder.json"),
        (["--receipt", "source/index.json"], 7, "index.json is there already, and it is no receipt"),
        (["--receipt", "/proc/r.json"], 8, "r.json"),
        (["--receipt", "r.json", "--record", "./r.json"], 2, "would be the record and the receipt"),
    ],
)
def test_a_receipt_that_cannot_be_written_is_said_before_the_push(
    desk: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    (desk / "folder.json").mkdir()
    pack()
    before = (desk / "source" / "index.json").read_bytes()
    assert main(["push", "rel", "--to", "oci:far", *words]) == code
    assert message in capsys.readouterr().err
    assert not (desk / "far").exists()
    assert (desk / "source" / "index.json").read_bytes() == before


def test_a_receipt_of_something_else_leaves_nothing_out_and_says_so(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack()
    push(["--to", "oci:far"])
    fill(LayoutStore(desk / "more", create=True), image("other", (77,)), "tools/other", "1")
    assert main(["pack", "--from", "oci:more", "-o", "next", "--against", "receipt.json"]) == 0
    assert "nothing of these images is in receipt.json, so the bundle has all of them" in capsys.readouterr().err


def test_the_far_sides_words_are_shown_harmless(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack()
    said = push(["--to", "oci:far"])
    said["predicate"]["inventory"]["notes"] = ["\x1b[31mred", *["more"] * 9]
    (desk / "r.json").write_text(json.dumps(said))
    assert main(["pack", "--from", "oci:source", "-o", "next", "--against", "r.json"]) == 0
    printed = capsys.readouterr().err
    assert "\x1b" not in printed
    assert "r.json has 7 more notes" in printed


def test_an_inventory_in_another_order_is_still_an_inventory(desk: Path) -> None:
    assert main(["inventory", "oci:source", "-o", "site.json"]) == 0
    document = json.loads((desk / "site.json").read_bytes())
    (desk / "sorted.json").write_text(json.dumps(document, indent=2, sort_keys=True))
    pack("--against", "sorted.json")
    assert app_names(desk / "rel") == set()


def test_a_receipt_is_read_as_an_inventory(desk: Path) -> None:
    pack()
    push(["--to", "oci:far"], "--sign-key", "site.key")
    raw = (desk / "receipt.json").read_bytes()
    assert dsse.decode(raw).payload_type == dsse.IN_TOTO
    held = read_receipt(raw, Path("receipt.json"), None)
    assert held.repositories["app/one"].tags == {"1": FIRST.digest}


def test_the_library_writes_and_takes_it(desk: Path) -> None:
    transload.pack((), "rel", origin="oci:source", record_in_bundle=True, recorded_by="me", sign_key="site.key")
    transload.push("rel", to="oci:far", key="site.pub", receipt="receipt.json", sign_key="other.key")
    packed = transload.pack((), "next", origin="oci:source", against="receipt.json", against_key="other.pub")
    assert all(entry.image.present for entry in packed.ledger.images)


def test_the_example_of_the_format_is_a_receipt() -> None:
    page = (Path(__file__).parents[3] / "docs/formats/receipt.md").read_text()
    raw = page.partition("```json\n")[2].partition("```")[0].encode()
    held = read_receipt(raw, Path("receipt.json"), None)
    assert held.notes == ()
    assert held.full("hello") == "tools/hello"
    said = json.loads(raw)
    assert said["predicate"]["inventory"] == inventory_out(held)
    assert list(said["predicate"]["inventory"]) == list(inventory_out(held))


def test_a_push_that_may_move_no_more_says_what_it_left(registry: tuple[MemoryStore, list[str]]) -> None:
    store, to = registry
    pack()
    said = push(to, "--max-bytes", "5KB", code=10)
    assert said["predicate"]["complete"] is False
    assert sorted(entry["status"] for entry in said["predicate"]["images"]) == ["copied", "left"]
    check_held(store, said)
    assert push(to)["predicate"]["complete"] is True


def test_a_folder_that_is_pushed_has_a_receipt_too(desk: Path) -> None:
    said = push(["--to", "oci:far"], name="oci:source")
    assert (said["predicate"]["complete"], "bundle" in said["predicate"]) == (True, False)
    assert holds(said).keys() == {"app/one", "app/small"}


def test_signatures_that_came_along_are_held_too(desk: Path, registry: tuple[MemoryStore, list[str]]) -> None:
    _, to = registry
    signed = signature(FIRST.descriptor)
    fill(LayoutStore(desk / "source"), signed, "app/one")
    pack()
    assert signed.digest in holds(push(to))["app/one"][1]
