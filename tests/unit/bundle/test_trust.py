"""Whatever somebody does to a bundle, it is refused with an error of its own, and costs as little as can be."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.bundle.packing import blobs_of, contents_of, joined, named, pack, saved
from transload.bundle import BundleStore, ExtraFile, lay_out
from transload.bundle.format.blueprint import head, index_of, starts
from transload.bundle.format.keys import PublicKey, Signature
from transload.bundle.format.ledger import Ledger
from transload.bundle.format.signing import Signer, load_private_key
from transload.errors import (
    BundleForeignSignature,
    BundleInvalid,
    BundleUnsigned,
    DigestMismatch,
    IndexTampered,
    LedgerTampered,
    LimitExceeded,
    MemberDamaged,
    MemberUnsafe,
    TransloadError,
    VolumeForeign,
    VolumeMissing,
    VolumeSwapped,
    VolumeTruncated,
)
from transload.memory import MemoryStore
from transload.oci import Name
from transload.testing.images import image
from transload.testing.reading import read
from transload.testing.releases import release

MADE = named(release(images=5, size=500_000))
VOLUME = 60_000


def signer(folder: Path, name: str = "key") -> Signer:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = folder / name
    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    return load_private_key(path)


def packed(folder: Path, volume_bytes: int | None = VOLUME, sign: Signer | None = None) -> Path:
    pack(folder / "b", MADE, volume_bytes, sign)
    return folder / "b"


def rewritten(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change the bytes of an uncut bundle."""
    file = path.with_name(f"{path.name}.tar")
    content = change(file.read_bytes())
    file.write_bytes(content)


def patched(path: Path, offset: int, content: bytes) -> None:
    rewritten(path, lambda old: old[:offset] + content + old[offset + len(content) :])


def with_ledger(
    path: Path, change: Callable[[dict[str, Any]], None], sign: Callable[[bytes], bytes] | None = None
) -> None:
    """Put another ledger, written as ledgers are, into an uncut bundle."""
    blueprint = lay_out(contents_of(MADE), None)
    document = json.loads(blueprint.ledger.encode())
    change(document)
    raw = json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"
    rewritten(
        path,
        lambda old: (
            head(index_of(blueprint.ledger), raw, sign(raw) if sign else None, saved(MADE)) + old[len(blueprint.head) :]
        ),
    )


# --- signatures


def test_a_signed_bundle_is_read_with_its_key_and_says_who_signed_it(tmp_path: Path) -> None:
    key = signer(tmp_path)
    store = BundleStore(packed(tmp_path, sign=key), verifier=key.public)
    assert store.verified
    assert store.signature is not None
    assert store.signature.key_id == key.key_id
    assert store.fetch(next(iter(MADE))).raw == MADE[next(iter(MADE))].manifest.raw
    assert not BundleStore(tmp_path / "b").verified


def test_an_unsigned_bundle_is_refused_when_a_key_is_demanded(tmp_path: Path) -> None:
    path = packed(tmp_path, None)
    with_ledger(path, lambda document: document.clear())  # nothing may be parsed before
    with pytest.raises(BundleUnsigned):
        BundleStore(path, verifier=signer(tmp_path).public)


def test_a_bundle_signed_by_somebody_else_is_refused(tmp_path: Path) -> None:
    stranger, key = signer(tmp_path, "stranger"), signer(tmp_path)
    path = packed(tmp_path, None, stranger)
    with_ledger(path, lambda document: document.clear(), stranger)
    with pytest.raises(BundleForeignSignature) as caught:
        BundleStore(path, verifier=key.public)
    assert key.key_id in caught.value.message
    assert stranger.key_id in caught.value.message


def test_a_stranger_who_claims_to_have_the_key_is_found_out(tmp_path: Path) -> None:
    stranger, key = signer(tmp_path, "stranger"), signer(tmp_path)
    path = packed(tmp_path, None, key)
    with_ledger(
        path,
        lambda document: document.update(against="lies"),
        lambda raw: Signature("ed25519", key.key_id, stranger.sign(raw)).encode(),
    )
    with pytest.raises(LedgerTampered):
        BundleStore(path, verifier=key.public)


def test_a_ledger_changed_after_signing_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    key = signer(tmp_path)
    path = packed(tmp_path, None, key)
    raw = (tmp_path / "b.tar").read_bytes()
    patched(path, raw.index(b"source.example"), b"evil00.example")
    with pytest.raises(LedgerTampered, match="does not match"):
        BundleStore(path, verifier=key.public)


def test_a_signature_that_was_cut_out_leaves_a_ledger_that_contradicts_itself(tmp_path: Path) -> None:
    key = signer(tmp_path)
    blueprint = lay_out(contents_of(MADE), None, key)
    path = packed(tmp_path, None, key)
    unsigned = head(index_of(blueprint.ledger), blueprint.ledger.encode(), None, saved(MADE))
    rewritten(path, lambda old: unsigned + old[len(blueprint.head) :])
    with pytest.raises(LedgerTampered):
        BundleStore(path)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff" * 100, b'{"algorithm":1}', b"[" * 500])
def test_a_signature_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = packed(tmp_path, None)
    with_ledger(path, lambda _: None, lambda _: content)
    with pytest.raises(TransloadError) as caught:
        BundleStore(path, verifier=PublicKey("ed25519", bytes(32)))
    assert isinstance(caught.value, LedgerTampered)


# --- ledger and index


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["blobs"][3].update(offset=document["blobs"][3]["offset"] + 512),
        lambda document: document["blobs"][3].update(size=document["blobs"][3]["size"] + 512),
        lambda document: document["blobs"].reverse(),
        lambda document: document["blobs"].append(document["blobs"][0]),
        lambda document: document["images"].append(document["images"][0]),
        lambda document: document["images"][0]["blobs"].append(10_000),
        lambda document: document["images"][0]["blobs"].append(-1),
        lambda document: document["images"][0].update(name="../../etc"),
        lambda document: document["images"][0].update(source="\x1b[2Jgone"),
        lambda document: document["images"][0].update(artifactType="a\nb"),
        lambda document: document.update(against="\ud800"),
        lambda document: document["images"][0].update(unknown=1),
        lambda document: document["blobs"][0].update(digest="sha256:../../../x"),
        lambda document: document["extras"].append(
            {"name": "../x", "size": 1, "digest": "sha256:" + "0" * 64, "offset": 0}
        ),
        lambda document: document["prerequisites"].append(
            document["blobs"][0] | {"repositories": ["../x"], "images": []}
        ),
        lambda document: document.update(size=document["size"] + 512),
        lambda document: document.update(volumes=2),
        lambda document: document.update(volume_size=True),
        lambda document: document.update(kind="something"),
        lambda document: document.update(more=1),
        lambda document: document.clear(),
        lambda document: document.update(images="all"),
    ],
)
def test_a_ledger_that_contradicts_itself_is_refused(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = packed(tmp_path, None)
    with_ledger(path, change)
    with pytest.raises(LedgerTampered):
        BundleStore(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda document: document["blobs"][3].pop("offset"), "ledger.blobs[3]: key 'offset' is missing"),
        (lambda document: document["blobs"][3].update(offset="0"), "ledger.blobs[3].offset: expected a whole number"),
        (lambda document: document["images"][0]["blobs"].append(10_000), "ledger.images[0].blobs["),
        (lambda document: document["images"][0].update(source="\x1b[2J"), "found '\\x1b[2J'"),
        (lambda document: document.update(images="all"), "ledger.images: expected a list, found 'all'"),
    ],
)
def test_the_error_of_a_ledger_names_the_value(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], says: str
) -> None:
    path = packed(tmp_path, None)
    with_ledger(path, change)
    with pytest.raises(LedgerTampered) as caught:
        BundleStore(path)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["blobs"][0].update(size=1 << 62),
        lambda document: document["blobs"][0].update(offset=1 << 62),
        lambda document: document.update(size=1 << 60),
        lambda document: document.update(size=10**400),
        lambda document: document.update(volume_size=1, volumes=document["size"]),
        lambda document: document["images"][0].update(blobs=[0] * 200_001),
        lambda document: document.update(against=[0] * 600_000),
    ],
)
def test_absurd_numbers_are_refused(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = packed(tmp_path, None)
    with_ledger(path, change)
    with pytest.raises(LimitExceeded):
        BundleStore(path)


def test_a_bundle_of_a_later_format_says_so(tmp_path: Path) -> None:
    path = packed(tmp_path, None)
    with_ledger(path, lambda document: document.update(format=4, new="thing"))
    with pytest.raises(BundleInvalid, match="format 4") as caught:
        BundleStore(path)
    assert "later" in (caught.value.hint or "")


def test_a_ledger_that_is_not_written_as_ledgers_are(tmp_path: Path) -> None:
    """One set of facts has one ledger: spaces, an order of keys or a key given twice would make others."""
    raw = lay_out(contents_of(MADE), None).ledger.encode()
    assert Ledger.decode(raw).encode() == raw
    for other in (raw + b" ", raw.replace(b'"against"', b'"format": 1,\n "against"'), raw[:-1], b"", b"{" * 5000):
        with pytest.raises(LedgerTampered):
            Ledger.decode(other)


def test_an_index_that_the_ledger_does_not_vouch_for(tmp_path: Path) -> None:
    path = packed(tmp_path, None)
    raw = (tmp_path / "b.tar").read_bytes()
    patched(path, raw.index(b"acme/controller"), b"evil/controller")
    with pytest.raises(IndexTampered):
        BundleStore(path)


@pytest.mark.parametrize(
    "content", [b"x", b"PK\x03\x04" * 1000, bytes(5000), b"oci-layout" + bytes(90) + b"0000644\0" + bytes(5000)]
)
def test_any_other_file_is_no_bundle(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.tar").write_bytes(content)
    with pytest.raises(BundleInvalid):
        BundleStore(tmp_path / "b")


def test_an_archive_of_another_tool_is_no_bundle(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "b.tar", "w") as archive:
        for name in ("oci-layout", "index.json"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    with pytest.raises(BundleInvalid) as caught:
        BundleStore(tmp_path / "b")
    assert "archive:FILE" in (caught.value.hint or "")


# --- members


def forged(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(
    "block",
    [
        forged("blobs/sha256/x", tarfile.SYMTYPE, "/etc/passwd"),
        forged("blobs/sha256/x", tarfile.LNKTYPE, "index.json"),
        forged("../../../etc/cron.d/x"),
        forged("/etc/passwd"),
        forged("blobs/sha256/x", tarfile.CHRTYPE),
    ],
)
def test_a_link_or_a_path_that_leads_out_is_refused_where_it_stands(tmp_path: Path, block: bytes) -> None:
    path = packed(tmp_path, None)
    ledger = BundleStore(path).ledger
    member = ledger.blobs[-3]
    patched(path, starts(member), block)
    store = BundleStore(path)
    with pytest.raises(MemberUnsafe):
        read(store, "", member.descriptor)
    (problem,) = [each for each in store.check() if each.error]
    assert isinstance(problem.error, MemberUnsafe)
    assert problem.images == tuple(ledger.images[each].image.name for each in ledger.needed_by[member.digest])
    others = [each for each in ledger.blobs if each is not member]
    assert all(len(read(store, "", each.descriptor)) == each.size for each in others)


def test_a_link_in_place_of_the_index_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path, None)
    patched(path, 1024, forged("index.json", tarfile.SYMTYPE, "/etc/passwd"))
    with pytest.raises(MemberUnsafe):
        BundleStore(path)


def test_a_damaged_blob_costs_its_images_and_nothing_gets_through(tmp_path: Path) -> None:
    path = packed(tmp_path, None)
    member = BundleStore(path).ledger.blobs[-1]
    patched(path, member.offset + member.size // 2, b"\xff")
    store = BundleStore(path)
    (problem,) = [each for each in store.check() if each.error]
    assert isinstance(problem.error, MemberDamaged)
    assert problem.images == tuple(
        store.ledger.images[each].image.name for each in store.ledger.needed_by[member.digest]
    )
    target = MemoryStore()
    with target.begin("a", member.descriptor) as ingest, store.open("", member.descriptor) as chunks:
        ingest.write(chunks)
        with pytest.raises(DigestMismatch):
            ingest.commit()


def test_a_damaged_manifest_is_never_handed_out(tmp_path: Path) -> None:
    path = packed(tmp_path, None)
    name, built = next(iter(MADE.items()))
    member = BundleStore(path).ledger.by_digest[built.digest]
    patched(path, member.offset + 5, b"X")
    with pytest.raises(TransloadError) as caught:
        BundleStore(path).fetch(name)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize("where", ["header", "padding", "end"])
def test_every_other_byte_is_checked_too(tmp_path: Path, where: str) -> None:
    path = packed(tmp_path, None)
    ledger = BundleStore(path).ledger
    member = next(each for each in ledger.blobs if each.size % 512)
    place = {"header": starts(member) + 110, "padding": member.offset + member.size, "end": ledger.size - 1}[where]
    patched(path, place, b"\x01")
    (problem,) = [each for each in BundleStore(path).check() if each.error]
    assert isinstance(problem.error, MemberDamaged)


# --- volumes


def lost(store: BundleStore) -> dict[str, set[Name]]:
    return {each.subject: set(each.images) for each in store.check() if each.error}


def readable(store: BundleStore) -> set[Name]:
    """Images of which every part comes out right."""
    found = set()
    for name, built in MADE.items():
        try:
            same = store.fetch(name).raw == built.manifest.raw and all(
                read(store, "", each.descriptor) == each.read() for each in built.contents
            )
        except TransloadError:
            continue
        assert same
        found.add(name)
    return found


def test_a_missing_volume_costs_only_the_images_that_need_it(tmp_path: Path) -> None:
    store = BundleStore(packed(tmp_path))
    volume = store.cut.count - 1
    needing = set(store.images_in(volume))
    assert 0 < len(needing) < len(MADE)
    (tmp_path / f"b.{volume:03}.tar").unlink()
    store = BundleStore(tmp_path / "b")
    assert lost(store) == {f"b.{volume:03}.tar": needing}
    assert readable(store) == MADE.keys() - needing
    member = next(each for each in store.ledger.blobs if each.offset // VOLUME == volume - 1)
    with pytest.raises(VolumeMissing) as caught:
        read(store, "", member.descriptor)
    assert caught.value.subject == f"b.{volume:03}.tar"


def test_a_missing_first_volume_is_named(tmp_path: Path) -> None:
    packed(tmp_path)
    (tmp_path / "b.001.tar").unlink()
    with pytest.raises(VolumeMissing, match=r"b\.001\.tar"):
        BundleStore(tmp_path / "b")


def test_a_truncated_volume_costs_what_was_cut_off(tmp_path: Path) -> None:
    store = BundleStore(packed(tmp_path))
    volume = store.cut.count - 1
    file = tmp_path / f"b.{volume:03}.tar"
    file.write_bytes(file.read_bytes()[: VOLUME // 2])
    store = BundleStore(tmp_path / "b")
    problems = [each.error for each in store.check() if each.error]
    assert problems
    assert all(isinstance(each, VolumeTruncated) for each in problems)
    cut_off = {
        each.digest
        for each in store.ledger.blobs
        for span in store.cut.spans(each.offset, each.size)
        if span.volume == volume and span.offset + span.length > VOLUME // 2
    }
    for each in store.ledger.blobs:
        if each.digest in cut_off:
            with pytest.raises(VolumeTruncated):
                read(store, "", each.descriptor)
        else:
            assert len(read(store, "", each.descriptor)) == each.size


@pytest.mark.parametrize("length", [0, 100, 1500, 3000])
def test_a_truncated_head(tmp_path: Path, length: int) -> None:
    packed(tmp_path, None)
    file = tmp_path / "b.tar"
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(VolumeTruncated):
        BundleStore(tmp_path / "b")


def test_swapped_volumes_are_told_from_foreign_ones(tmp_path: Path) -> None:
    store = BundleStore(packed(tmp_path))
    last = store.cut.count
    one, two = tmp_path / f"b.{last - 1:03}.tar", tmp_path / f"b.{last - 2:03}.tar"
    contents = one.read_bytes(), two.read_bytes()
    two.write_bytes(contents[0])
    one.write_bytes(contents[1])
    problems = {each.subject: each.error for each in BundleStore(tmp_path / "b").check() if each.error}
    assert problems.keys() == {one.name, two.name}
    assert all(isinstance(each, VolumeSwapped) for each in problems.values())
    assert str(problems[one.name]).endswith(f"holds volume {last - 2}, not volume {last - 1}")


@pytest.mark.parametrize("length", [VOLUME, VOLUME - 1000])
def test_a_volume_of_another_bundle_is_refused(tmp_path: Path, length: int) -> None:
    store = BundleStore(packed(tmp_path))
    (tmp_path / "other").mkdir()
    pack(tmp_path / "other" / "b", named(release("other", images=5, size=500_000)), VOLUME)
    volume = f"b.{store.cut.count - 1:03}.tar"
    (tmp_path / volume).write_bytes((tmp_path / "other" / volume).read_bytes()[:length])
    store = BundleStore(tmp_path / "b")
    (problem,) = [each for each in store.check() if each.error]
    assert isinstance(problem.error, VolumeForeign)
    assert problem.subject == volume
    assert readable(store) == MADE.keys() - set(problem.images)


def test_a_volume_that_is_too_long_is_not_ours(tmp_path: Path) -> None:
    packed(tmp_path)
    file = tmp_path / "b.003.tar"
    file.write_bytes(file.read_bytes() + b"x")
    assert [type(each.error) for each in BundleStore(tmp_path / "b").check() if each.error] == [VolumeForeign]


def test_a_damaged_header_does_not_make_a_volume_foreign(tmp_path: Path) -> None:
    store = BundleStore(packed(tmp_path))
    member = next(
        each for each in store.ledger.blobs if starts(each) % VOLUME < VOLUME - 2000 and starts(each) > VOLUME
    )
    volume = tmp_path / f"b.{starts(member) // VOLUME + 1:03}.tar"
    raw = bytearray(volume.read_bytes())
    raw[starts(member) % VOLUME] ^= 1
    volume.write_bytes(raw)
    (problem,) = [each for each in BundleStore(tmp_path / "b").check() if each.error]
    assert isinstance(problem.error, MemberDamaged)


def test_a_whole_bundle_is_found_right(tmp_path: Path) -> None:
    (tmp_path / "manual").write_text("read me")
    pack(tmp_path / "b", MADE, VOLUME, extras=(ExtraFile.of(tmp_path / "manual"),))
    checked = list(BundleStore(tmp_path / "b").check())
    assert all(each.error is None for each in checked)
    members = [each.subject for each in checked if "/" in each.subject]
    assert len(members) == len(blobs_of(MADE)) + len(MADE) + 1


def test_images_of_other_bundles_do_not_matter_to_the_signature(tmp_path: Path) -> None:
    """A signature fits one ledger only."""
    key = signer(tmp_path)
    signed = lay_out(contents_of(MADE), None, key)
    other = lay_out(contents_of({Name("a", "1"): image("other")}), None)
    assert signed.digest != other.digest
    assert key.public.verify(signed.ledger.encode(), key.sign(signed.ledger.encode()))
    assert not key.public.verify(other.ledger.encode(), key.sign(signed.ledger.encode()))


def test_the_stream_is_the_same_with_a_deterministic_signature(tmp_path: Path) -> None:
    key = signer(tmp_path)
    one, two = pack(tmp_path / "one", MADE, None, key)[1], pack(tmp_path / "two", MADE, None, key)[1]
    assert joined(one) == joined(two)
