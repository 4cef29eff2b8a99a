"""Trust material in bundles: carried as hints, shown, taken out, and never believed."""

from __future__ import annotations

import base64
import json
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from cryptography.hazmat.primitives.serialization import Encoding

from tests.unit.bundle.packing import pack as pack_images
from tests.unit.trust.notation.making import ROOT
from tests.unit.trust.test_cosignkey import Sign, signing
from transload.app.detect import carried_place, open_carried
from transload.app.job import Job
from transload.app.location import Location
from transload.app.mirror import Prepared
from transload.app.outcome import StartTime
from transload.app.pack import Packing, prepare_pack
from transload.app.protecting import Division
from transload.app.push import prepare_push
from transload.app.stores import Carried
from transload.app.trusthints import (
    INDEX,
    PREFIX,
    carried_hints,
    check_other_extras,
    planned_hints,
    read_hints,
)
from transload.bundle import BundleStore, ExtraFile
from transload.cli.main import main
from transload.errors import LimitExceeded, UsageError
from transload.layout import LayoutStore
from transload.limits import TRUST_HINTS, TRUST_HINTS_BYTES
from transload.oci import Digest, Manifest, Name
from transload.oci import mediatype as types
from transload.planning import Referrers
from transload.report.result import Result, exit_code
from transload.testing.images import Built, fill, image
from transload.testing.layers import Content
from transload.transfer.limits import NO_LIMITS
from transload.trust import simplesigning
from transload.trust.policy import Mode, Policy, Rule
from transload.trust.policyfile import read_policy
from transload.trust.policyfolder import Material
from transload.verbs.means import Means, at_work
from transload.verbs.run import carried_out

IMAGE = image("hinted", (1000, 90_000))
PUBLISHER, PUBLISHER_SIGNS = signing("p256")
FORGER, FORGER_SIGNS = signing("p256")
POLICY = "version: 1\nrules:\n  - prefix: ''\n    mode: require\n    any-of: [cosign-key: KEY]\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


def policy(folder: Path, key: bytes, file: str = "cosign.pub") -> Policy:
    """A policy that wants a signature by `key`, read from files."""
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_bytes(key)
    (folder / "policy.yaml").write_text(POLICY.replace("KEY", file))
    return read_policy(folder / "policy.yaml")


def made_policy(*materials: Material) -> Policy:
    return Policy(file="policy.yaml", rules=(Rule(prefix="", mode=Mode.SKIP),), material=materials)


def material(name: str, content: bytes = b"x", role: str = "public key") -> Material:
    return Material(name=name, role=role, content=content)


def signature_of(built: Built, sign: Sign) -> Built:
    """What lies under cosign's tag for an image that `sign` has signed."""
    critical = {"image": {"docker-manifest-digest": built.digest}, "type": "cosign container image signature"}
    payload = json.dumps({"critical": critical}).encode()
    config, layer = Content.of(b"{}", types.OCI_CONFIG), Content.of(payload, simplesigning.MEDIA_TYPE)
    stated = {simplesigning.SIGNATURE_ANNOTATION: base64.b64encode(sign(payload)).decode()}
    document = {
        "schemaVersion": 2,
        "mediaType": types.OCI_MANIFEST,
        "config": config.descriptor.to_json(),
        "layers": [{**layer.descriptor.to_json(), "annotations": stated}],
    }
    return Built(Manifest.parse(json.dumps(document).encode()), (config, layer))


def carry(prepared: Prepared, work: Any) -> Result:
    return carried_out(prepared, work, StartTime.now("test", None), 2, NO_LIMITS, check=False)


def packed(source: str, out: str, policy: Policy | None, sign: Sign = PUBLISHER_SIGNS, **packing: Any) -> Path:
    """The bundle `out` of a signed image, packed with `policy`."""
    store = LayoutStore(Path(source), create=True)
    fill(store, IMAGE, "vendor/app", "1")
    fill(store, signature_of(IMAGE, sign), "vendor/app", f"sha256-{IMAGE.digest.encoded}.sig")
    place = Location("bundle", out)
    job = Job(sets=("vendor/app:1",), target=place, origin=Location("oci", source), policy=policy)
    with at_work(Means.of({})) as work:
        made = prepare_pack(job, Packing(out=Path(out), **packing), work.stores, work.cancellation)
        assert exit_code(carry(made.prepared, work)) == 0
    return Path(out)


def pushed(bundle: str, target: str, policy: Policy | None) -> tuple[Result, tuple[str, ...]]:
    """A push of a bundle to a folder: its result and its notes."""
    place = carried_place(bundle, Carried())
    job = Job(sets=(), target=Location("oci", target), origin=place, referrers=Referrers.REFRESH, policy=policy)
    with at_work(Means.of({})) as work:
        prepared = prepare_push(open_carried(place, work.stores), job, work.stores, work.cancellation)
        return carry(prepared, work), prepared.notes


# --- the way there and back


def test_the_files_of_the_policy_travel_and_come_out_as_they_were(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = policy(tmp_path / "near", PUBLISHER)
    packed("source", "b", site)
    assert main(["extract", "b", "--trust", "-C", "far"]) == 0
    assert sorted(path.name for path in Path("far").iterdir()) == ["cosign.pub", "policy.yaml"]
    assert Path("far/cosign.pub").read_bytes() == PUBLISHER
    assert Path("far/policy.yaml").read_bytes() == (tmp_path / "near" / "policy.yaml").read_bytes()
    assert Path("far/cosign.pub").stat().st_mode & 0o777 == 0o644
    assert read_policy(Path("far/policy.yaml")).rules[0].prefix == ""  # it works where it was taken out
    assert main(["extract", "b", "--trust", "-C", "far"]) == 7  # nothing is replaced
    assert "far/cosign.pub is there already" in capsys.readouterr().err


def test_list_shows_what_two_people_can_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed("source", "b", policy(tmp_path / "near", PUBLISHER, "keys/cosign.pub"))
    key = document(capsys, "keys", "show", "near/keys/cosign.pub")["keys"][0]["fingerprint"]
    lines = told(capsys, "list", "b")
    assert "carries trust material (hints, not believed: compare with what" in lines
    words = " ".join(lines.split())
    assert f"cosign.pub (public key, called keys/cosign.pub in the policy): key {key}" in words
    assert f"policy.yaml (policy): {Digest.of(Path('near/policy.yaml').read_bytes())}" in words
    assert "files:" not in lines
    shown = document(capsys, "list", "b")
    assert shown["files"] == []
    assert shown["trust_material"][0] == {
        "file": "cosign.pub",
        "name": "keys/cosign.pub",
        "role": "public key",
        "size": len(PUBLISHER),
        "digest": Digest.of(PUBLISHER),
        "key": key,
    }
    assert [hint["key"] for hint in shown["trust_material"]] == [key, None]


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(list(words)) == 0
    return capsys.readouterr().out


def document(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    return json.loads(told(capsys, *words, "--output", "json").splitlines()[1])


def test_other_extra_files_stay_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cosign.pub").write_text("the user's own")
    packed("source", "b", policy(tmp_path / "near", PUBLISHER), also=(tmp_path / "cosign.pub",))
    assert "files:    cosign.pub 14 B" in told(capsys, "list", "b")
    assert main(["extract", "b", "-C", "out"]) == 0
    assert [path.name for path in Path("out").iterdir()] == ["cosign.pub"]
    assert Path("out/cosign.pub").read_text() == "the user's own"


def test_without_a_policy_nothing_is_carried(capsys: pytest.CaptureFixture[str]) -> None:
    packed("source", "b", None)
    assert BundleStore(Path("b")).ledger.extras == ()
    assert "trust" not in told(capsys, "list", "b")
    assert main(["extract", "b", "--trust"]) == 4
    assert "b holds no trust material" in capsys.readouterr().err
    assert not any("--policy" in note for note in pushed("b", "far", None)[1])


def test_foreign_readers_find_the_files_and_the_images(tmp_path: Path) -> None:
    packed("source", "b", policy(tmp_path / "near", PUBLISHER))
    with tarfile.open("b.tar") as archive:
        assert f"transload/extra/{PREFIX}cosign.pub" in archive.getnames()
        archive.extractall("unpacked", filter="data")
    assert LayoutStore(Path("unpacked")).resolve(Name("vendor/app", "1")) == IMAGE.descriptor


# --- hints never decide


def test_a_forged_bundle_brings_a_policy_that_fits_it_and_is_refused(tmp_path: Path) -> None:
    packed("forged", "b", policy(tmp_path / "forger", FORGER), FORGER_SIGNS)
    result, notes = pushed("b", "far", policy(tmp_path / "site", PUBLISHER))
    assert exit_code(result) == 7
    assert not list(Path("far").rglob("blobs/*/*"))
    assert not any("carries a policy as a hint" in note for note in notes)


def test_the_carried_policy_is_not_used_where_none_is_given(tmp_path: Path) -> None:
    near = policy(tmp_path / "near", FORGER)
    lenient = evolve(near, rules=(Rule(prefix="", mode=Mode.SKIP),))
    packed("source", "b", lenient)  # the policy that it carries would refuse its image
    result, notes = pushed("b", "far", None)
    assert exit_code(result) == 0
    assert "this bundle carries a policy as a hint, which decides nothing: give your own with --policy" in notes
    refused, _ = pushed("b", "farther", near)
    assert exit_code(refused) == 7


# --- volumes, differences, damage


def test_split_and_protected_bundles_keep_it(tmp_path: Path) -> None:
    site = policy(tmp_path / "near", PUBLISHER)
    packed("source", "b", site, division=Division(volume_bytes=40_000, recovery=2))
    whole = {extra.name: extra.digest for extra in BundleStore(Path("b")).ledger.extras}
    holding = next(path for path in sorted(Path().glob("b.0*.tar")) if PUBLISHER[:40] in path.read_bytes())
    holding.unlink()
    assert main(["repair", "b"]) == 0
    assert main(["extract", "b", "--trust", "-C", "far"]) == 0
    assert Path("far/cosign.pub").read_bytes() == PUBLISHER
    assert whole.keys() == {INDEX, f"{PREFIX}cosign.pub", f"{PREFIX}policy.yaml"}


def test_a_difference_carries_it_again(tmp_path: Path) -> None:
    site = policy(tmp_path / "near", PUBLISHER)
    packed("source", "b", site)
    packed("source", "c", site, against=Path("b.tar"))
    assert {hint.file for hint in read_hints(BundleStore(Path("c"))).files} == {"cosign.pub", "policy.yaml"}


def test_media_written_one_by_one_have_it(tmp_path: Path) -> None:
    site = policy(tmp_path / "near", PUBLISHER)
    packed("source", "b", site, to_media=True, division=Division(volume_bytes=4096))
    assert main(["extract", "b", "--trust", "-C", "far"]) == 0
    assert Path("far/cosign.pub").read_bytes() == PUBLISHER


# --- what is not carried


@pytest.mark.parametrize("kind", ["", "EC ", "RSA ", "ENCRYPTED ", "OPENSSH ", "ENCRYPTED COSIGN "])
def test_a_private_key_never_travels(kind: str) -> None:
    content = PUBLISHER + f"-----BEGIN {kind}PRIVATE KEY-----\nAAAA\n".encode()
    with pytest.raises(UsageError, match="ca.pem has a private key in it, which must not travel with a bundle"):
        carried_hints(made_policy(material("ca.pem", content, "trust store")))


def test_it_is_refused_before_the_source_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy(tmp_path, PUBLISHER)
    private = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True, capture_output=True).stdout
    store = Path("site.crt")
    store.write_bytes(ROOT.certificate.public_bytes(Encoding.PEM) + private)
    rule = "notation: {trust-stores: [site.crt], identities: ['*']}"
    Path("policy.yaml").write_text(POLICY.replace("cosign-key: KEY", rule))
    words = ["pack", "127.0.0.1:1/app:1", "-o", "b", "--policy", "policy.yaml"]
    assert main(words) == 2
    assert "error: site.crt has a private key in it, which must not travel with a bundle" in capsys.readouterr().err


def test_what_is_carried_is_bounded() -> None:
    with pytest.raises(LimitExceeded, match=f"names {TRUST_HINTS + 1} files"):
        carried_hints(made_policy(*(material(f"{number}.pub") for number in range(TRUST_HINTS + 1))))
    with pytest.raises(LimitExceeded, match="bytes; a bundle carries"):
        carried_hints(made_policy(material("a", b"x" * (TRUST_HINTS_BYTES + 1))))
    with pytest.raises(LimitExceeded, match="names of files that are too long"):
        carried_hints(made_policy(*(material(f"{'long' * 300}/{number}") for number in range(TRUST_HINTS))))


def test_names_are_safe_and_none_is_taken_twice() -> None:
    names = ["../../etc/cosign.pub", "/abs/COSIGN.pub", "a b\x1b[31m.pub", "json", "nul", ".profile", "..", "é" * 200]
    files = carried_hints(made_policy(*map(material, names)))
    assert [file.name.removeprefix(PREFIX) for file in files] == [
        "json",
        "cosign.pub",
        "2-COSIGN.pub",
        "a-b-31m.pub",
        "2-json",
        "file-nul",
        "profile",
        "file-",
        "2-file-",
    ]


def test_a_policy_says_not_where_it_lay() -> None:
    index, _ = carried_hints(made_policy(material("/home/ann/site/policy.yaml", role="policy")))
    assert json.loads(index.content or b"")["files"][0]["name"] == "policy.yaml"


def test_the_names_are_kept_for_it(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}Key").write_bytes(b"x")
    with pytest.raises(UsageError, match="names in a bundle that begin with transload-trust. are"):
        check_other_extras([ExtraFile.of(tmp_path / f"{PREFIX}Key")])


# --- bundles that lie


def hinted(tmp_path: Path, files: Mapping[str, bytes]) -> BundleStore:
    extras = tuple(ExtraFile.made(f"{PREFIX}{name}", content) for name, content in files.items())
    pack_images(tmp_path / "lying", {Name("a", "1"): image("lying")}, extras=extras)
    return BundleStore(tmp_path / "lying")


def index(*entries: object) -> bytes:
    return json.dumps({"kind": "transload-trust-material", "format": 1, "files": list(entries)}).encode()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "cannot be read as JSON"),
        (b"[]", "not a JSON object"),
        (b'{"kind":"x"}', "kind"),
        (index().replace(b'"format": 1', b'"format": 2'), "format: expected 1"),
        (index({"file": 1}), "files[0].file: expected text"),
        (index({"file": "a.pub", "name": "x"}), "'role' is missing"),
        (b"[" * 900, "cannot be read as JSON"),
    ],
)
def test_a_broken_index_is_a_problem_and_no_crash(tmp_path: Path, content: bytes, problem: str) -> None:
    hints = read_hints(hinted(tmp_path, {"json": content, "a.pub": PUBLISHER}))
    assert hints.problem
    assert problem in hints.problem
    assert [(hint.file, hint.role) for hint in hints.files] == [("a.pub", "not said")]
    assert hints.files[0].key_id


def test_what_it_says_is_safe_to_print(tmp_path: Path) -> None:
    lying = index({"file": "a.pub", "name": "\x1b[2Jx" + "y" * 5000, "role": "\u202e trusted \n root"})
    (hint,) = read_hints(hinted(tmp_path, {"json": lying, "a.pub": b"x"})).files
    assert hint.name.startswith(r"\x1b[2Jx")
    assert len(hint.name) < 300
    assert hint.role == r"\u202e trusted \n root"


def test_names_that_are_no_files_do_not_come_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hinted(tmp_path, {".profile": b"x", "nul": b"x"})
    assert main(["extract", "lying", "--trust", "-C", "out"]) == 4
    assert not Path("out").exists()
    assert "no trust material" in capsys.readouterr().err


def test_many_files_are_not_all_read(tmp_path: Path) -> None:
    hints = read_hints(hinted(tmp_path, {f"{number}.pub": PUBLISHER for number in range(TRUST_HINTS + 50)}))
    assert len(hints.files) == TRUST_HINTS
    assert hints.problem == f"it has {TRUST_HINTS + 50} files, of which the first {TRUST_HINTS} are shown"


@pytest.mark.parametrize("kind", ["ed25519", "rsa2048", "p384"])
def test_the_fingerprint_is_the_one_that_openssl_computes(tmp_path: Path, kind: str) -> None:
    key, _ = signing(kind)
    (tmp_path / "key.pub").write_bytes(key)
    words = ["openssl", "pkey", "-pubin", "-in", "key.pub", "-outform", "DER"]
    der = subprocess.run(words, check=True, capture_output=True).stdout
    (hint,) = read_hints(hinted(tmp_path, {"key.pub": key})).files
    assert hint.key_id == Digest.of(der)


def test_what_is_no_public_key_has_no_fingerprint_of_one(tmp_path: Path) -> None:
    broken = PUBLISHER.replace(b"M", b"=", 1)
    stored = hinted(tmp_path, {"a": broken, "b": b"-----BEGIN PUBLIC KEY-----", "c": PUBLISHER + PUBLISHER})
    assert [hint.key_id for hint in read_hints(stored).files] == [None, None, None]


def test_a_bundle_that_is_about_to_be_written_says_the_same(tmp_path: Path) -> None:
    site = policy(tmp_path / "near", PUBLISHER)
    packed("source", "b", site)
    store = BundleStore(Path("b"))
    assert planned_hints(store.ledger, carried_hints(site)) == read_hints(store)
