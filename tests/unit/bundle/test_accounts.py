"""A bundle whose ledger does not fit its content is refused, image by image: a digest that is right is not enough."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tests.unit.bundle.packing import blobs_of, contents_of, pack, saved
from transload.bundle import BundleStore, BundleWriter, Prerequisite, lay_out
from transload.bundle.format.blueprint import head, head_size, index_content, index_of, placed
from transload.bundle.format.entries import StoredBlob
from transload.bundle.format.ledger import Ledger
from transload.bundle.format.tarheader import END, header, padding
from transload.bundle.reading.accounts import Accounts
from transload.cli.main import main
from transload.errors import IndexTampered, LedgerTampered
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Digest, Name
from transload.server import ServeSettings, serve
from transload.testing.images import image, multi_platform, signature

ONE, TWO = image("one", layers=(1000, 500)), multi_platform("two", layers=(100,))
SIGNED = signature(ONE)
MADE = {Name("app/one", "1"): ONE, Name("app/two", "1"): TWO, Name("app/one", None, SIGNED.digest): SIGNED}
MANIFEST_JSON = saved(MADE) or b""


def forged(
    path: Path, change: Callable[[Ledger], Ledger], index: bytes | None = None, manifest_json: bytes = MANIFEST_JSON
) -> Path:
    """A bundle of `MADE` with another ledger, every offset and every digest of it right."""
    ledger = change(lay_out(contents_of(MADE), None).ledger)
    ledger = evolve(ledger, index_digest=Digest.of(index or index_of(ledger)), saved_digest=Digest.of(manifest_json))
    while True:
        raw = ledger.encode()
        index_bytes, saved_bytes = len(index or index_of(ledger)), len(manifest_json)
        moved = placed(ledger, head_size(index_bytes, len(raw), signed=False, saved_bytes=saved_bytes))
        if moved == ledger:
            break
        ledger = moved
    contents = {digest: content.read() for digest, content in blobs_of(MADE).items()}
    contents |= {each.digest: each.manifest.raw for built in MADE.values() for each in built.walk()}
    members = [
        header(each.path, each.size) + contents[each.digest] + bytes(padding(each.size)) for each in ledger.blobs
    ]
    beginning = head(index or index_of(ledger), raw, None, manifest_json)
    path.with_suffix(".tar").write_bytes(beginning + b"".join(members) + END)
    return path


def without(*digests: Digest) -> Callable[[Ledger], Ledger]:
    """The ledger without some members; images need the rest."""

    def change(ledger: Ledger) -> Ledger:
        kept = [place for place, blob in enumerate(ledger.blobs) if blob.digest not in digests]
        now = {old: new for new, old in enumerate(kept)}
        images = tuple(
            evolve(each, blobs=tuple(now[place] for place in each.blobs if place in now)) for each in ledger.images
        )
        return evolve(ledger, images=images, blobs=tuple(ledger.blobs[place] for place in kept))

    return change


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out + err


@pytest.mark.parametrize(
    ("lacking", "told"),
    [
        ((ONE.manifest.layers[0].digest,), "needs blob"),
        ((ONE.manifest.config.digest,), "needs blob"),  # type: ignore[union-attr]
        ((ONE.digest,), "it lists app/one:1, but no manifest as it should be"),
        (tuple(each.digest for each in (ONE.descriptor, *ONE.manifest.blobs)), "it lists app/one:1"),
    ],
    ids=["layer", "config", "manifest", "everything"],
)
def test_an_image_that_is_not_whole_is_not_sound_and_is_never_tagged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lacking: tuple[Digest, ...], told: str
) -> None:
    forged(tmp_path / "b", without(*lacking))
    code, text = run(capsys, "verify", str(tmp_path / "b"))
    assert (code, told in text, "all proved" in text) == (1, True, False), text
    assert text.count("sound") >= 1
    far = MemoryStore()
    with serve(far, ServeSettings(writable=True, spool_folder=tmp_path)) as served:
        code, text = run(capsys, "push", str(tmp_path / "b"), "--to", served.host_port)
    assert (code, told in text) == (1, True), text
    assert "app/one" not in list(far.repositories()) or list(far.tags("app/one")) == []
    assert far.resolve(Name("app/two", "1")).digest == TWO.digest


def test_a_child_that_is_missing_is_told_apart_from_one_that_was_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = TWO.children[1]
    gone = (absent.digest, *(blob.digest for blob in absent.manifest.blobs))
    forged(tmp_path / "b", without(*gone))
    assert run(capsys, "verify", str(tmp_path / "b"))[0] == 1

    def on_purpose(ledger: Ledger) -> Ledger:
        images = tuple(
            evolve(each, image=evolve(each.image, left_out=(absent.digest,)))
            if each.image.name.repository == "app/two"
            else each
            for each in without(*gone)(ledger).images
        )
        return evolve(without(*gone)(ledger), images=images)

    forged(tmp_path / "b", on_purpose)
    code, text = run(capsys, "verify", str(tmp_path / "b"))
    assert (code, "all proved" in text) == (0, True), text


def _with_blob(ledger: Ledger, digest: Digest, **change: Any) -> Ledger:
    def changed(blob: StoredBlob) -> StoredBlob:
        return evolve(blob, **change) if blob.digest == digest else blob

    return evolve(ledger, blobs=tuple(map(changed, ledger.blobs)))


def test_a_type_that_is_another_one_is_refused(tmp_path: Path) -> None:
    child = TWO.children[0].descriptor
    other = evolve(child, media_type="application/vnd.docker.distribution.manifest.v2+json")
    store = BundleStore(forged(tmp_path / "b", lambda ledger: _with_blob(ledger, child.digest, descriptor=other)))
    error = Accounts(store).contradiction_in(store.ledger.by_name[Name("app/two", "1")])
    assert error is not None
    with pytest.raises(LedgerTampered, match="of another type"):
        store.fetch(Name("app/two", "1"))


def test_a_referrer_that_the_ledger_hides_from_other_readers_is_found(tmp_path: Path) -> None:
    store = BundleStore(forged(tmp_path / "b", lambda ledger: _with_blob(ledger, SIGNED.digest, subject=None)))
    error = Accounts(store).contradiction_in(store.ledger.by_name[Name("app/one", "1")])
    assert isinstance(error, LedgerTampered)
    assert "refers to another manifest than the ledger says" in error.message


@pytest.mark.parametrize("wrong", ["name", "digest", "size", "type", "fewer", "more"])
def test_an_index_that_says_something_else_than_the_ledger_is_refused(tmp_path: Path, wrong: str) -> None:
    document = json.loads(index_of(lay_out(contents_of(MADE), None).ledger))
    entry = document["manifests"][0]
    change: dict[str, Callable[[], object]] = {
        "name": lambda: entry["annotations"].update({"org.opencontainers.image.ref.name": "app/one:2"}),
        "digest": lambda: entry.update(digest=TWO.digest),
        "size": lambda: entry.update(size=1),
        "type": lambda: entry.update(mediaType="application/vnd.oci.image.index.v1+json"),
        "fewer": lambda: document["manifests"].pop(),
        "more": lambda: document["manifests"].append(ONE.descriptor.to_json()),
    }
    change[wrong]()
    raw = json.dumps(document, indent=1).encode() + b"\n"
    with pytest.raises(IndexTampered, match="index.json and the ledger of the bundle differ"):
        BundleStore(forged(tmp_path / "b", lambda ledger: ledger, raw))


def test_other_readers_find_referrers_and_names_by_digest(tmp_path: Path) -> None:
    blueprint, (file, *_) = pack(tmp_path / "b", MADE)
    with tarfile.open(file) as archive:
        archive.extractall(tmp_path / "layout", filter="data")
    store = LayoutStore(tmp_path / "layout")
    assert [each.digest for each in store.refers.referrers("", ONE.digest)] == [SIGNED.digest]
    assert list(store.lists.untagged()) == [Name("app/one", None, SIGNED.digest)]
    listed = json.loads(index_content(blueprint.contents.images, blueprint.contents.referring, for_engines=True))
    assert json.loads((tmp_path / "layout" / "index.json").read_text()) == listed


def test_what_must_be_at_the_target_is_accounted_for(tmp_path: Path) -> None:
    layer = ONE.manifest.layers[0]
    made = {Name("app/one", "1"): ONE}
    contents = contents_of(made)
    kept = tuple(blob for blob in contents.blobs if blob.digest != layer.digest)
    more = evolve(contents, blobs=kept, prerequisites=(Prerequisite(layer, ("app/one",), ("app/one:1",)),))
    with BundleWriter(tmp_path / "b", lay_out(more, None)) as writer:
        for digest, content in blobs_of(made).items():
            if digest != layer.digest:
                with writer.begin("", content.descriptor) as ingest:
                    ingest.write([content.read()])
                    ingest.commit()
        writer.put_manifest(Name("app/one", "1"), ONE.manifest)
        writer.finish()
    store = BundleStore(tmp_path / "b")
    assert Accounts(store).contradiction_in(store.ledger.images[0]) is None
