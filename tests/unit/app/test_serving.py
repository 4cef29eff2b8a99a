"""What the front page says of a bundle: never more than is known."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.unit.bundle.packing import named, pack
from transload.app.location import Location
from transload.app.serving import about_bundle, telling
from transload.bundle import BundleStore
from transload.bundle.format.keys import parse_public_key
from transload.bundle.format.signing import signer_of
from transload.cli.main import main
from transload.layout import LayoutStore
from transload.server.about import Fact
from transload.testing.images import fill, image
from transload.testing.releases import release

MADE = named(release("served", images=3, size=300_000))


def bundle(folder: Path) -> BundleStore:
    pack(folder / "november", MADE, 250_000)
    return BundleStore(folder / "november")


def fact(store: BundleStore, word: str) -> Fact:
    return next(each for each in about_bundle(store).facts if each.word == word)


def test_a_whole_bundle(tmp_path: Path) -> None:
    store = bundle(tmp_path)
    about = telling(Location("bundle", str(tmp_path / "november")), store, writable=False)()
    assert about.title == "The bundle november"
    assert fact(store, "signature").badge == "none"
    whole = fact(store, "completeness")
    assert (whole.badge, whole.tone) == ("complete", "good")
    assert fact(store, "size").text.startswith("3 images, ")
    assert str(tmp_path) not in repr(about)


def test_a_volume_that_is_missing_is_named_with_what_needs_it(tmp_path: Path) -> None:
    store = bundle(tmp_path)
    gone = store.file_name(2)
    (tmp_path / gone).unlink()
    store = BundleStore(tmp_path / "november")
    lost = fact(store, gone)
    assert (lost.badge, lost.tone) == ("missing", "bad")
    assert "of 3 images need it" in lost.text
    assert 0 < len(about_bundle(store).incomplete) <= 3
    assert "completeness" not in {each.word for each in about_bundle(store).facts}
    assert about_bundle(store).tone == "bad"
    assert str(tmp_path) not in repr(about_bundle(store))


def test_a_volume_that_is_too_short_is_not_called_missing(tmp_path: Path) -> None:
    store = bundle(tmp_path)
    path = tmp_path / store.file_name(2)
    path.write_bytes(path.read_bytes()[:1000])
    assert "damaged" in fact(BundleStore(tmp_path / "november"), path.name).badge


def test_recovery_volumes_are_enough_only_if_there_are_as_many_as_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = LayoutStore("site", create=True)
    for name, built in named(release("larger", images=4, size=4_000_000)).items():
        fill(store, built, name.repository, name.tag)
    words = ["pack", "--from", "oci:site", "-o", "november", "--volume-size", "1MiB", "--recovery", "1", "-q"]
    assert main(words) == 0
    whole = BundleStore("november")
    assert fact(whole, "recovery") == Fact("recovery", "1 recovery volume here")
    for number, (badge, tone) in enumerate([("enough", "warn"), ("not enough", "bad")], 2):
        gone = whole.file_name(number)
        Path(gone).unlink()
        lacking = BundleStore("november")
        assert (fact(lacking, "recovery").badge, fact(lacking, "recovery").tone) == (badge, tone)
        assert (fact(lacking, gone).badge, fact(lacking, gone).tone) == ("missing", tone)
        assert bool(about_bundle(lacking).incomplete) is (tone == "bad")


def test_an_image_that_needs_what_only_its_target_has_is_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    old, new = image("kept", (5000, 6000)), image("kept", (5000, 7000))
    fill(LayoutStore("far", create=True), old, "team/app", "1")
    store = LayoutStore("site", create=True)
    fill(store, new, "team/app", "2")
    fill(store, image("other", (4000,)), "team/other", "1")
    assert main(["inventory", "oci:far", "-o", "far.json", "-q"]) == 0
    assert main(["pack", "--from", "oci:site", "-o", "december", "--against", "far.json", "-q"]) == 0
    about = about_bundle(BundleStore("december"))
    assert {str(name) for name in about.incomplete} == {"team/app:2"}


@pytest.mark.parametrize("checked", [True, False])
def test_a_signature_is_verified_only_if_it_was(tmp_path: Path, checked: bool) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    pack(tmp_path / "signed", MADE, None, signer_of(key))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    store = BundleStore(tmp_path / "signed", verifier=parse_public_key(public) if checked else None)
    said = fact(store, "signature")
    assert said.badge == ("verified" if checked else "not checked")
    assert said.tone == ("good" if checked else "warn")
    assert store.signature is not None
    assert said.code == store.signature.key_id


def test_other_stores_say_what_they_are() -> None:
    told = telling(Location("oci", "/secret/place"), None, writable=True)()
    assert told.tone == "plain"
    assert "secret" not in repr(told)
    assert told.facts[1].text == "are taken"
