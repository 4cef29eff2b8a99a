"""Laying out: every place known beforehand, the same for the same contents, readable as an OCI image layout."""

import io
import json
import random
import tarfile
from pathlib import Path

import pytest
from attrs import evolve

from tests.unit.bundle.packing import contents_of, joined, named, pack, saved
from transload.bundle import BundledImage, Contents, ExtraFile, Prerequisite, lay_out
from transload.bundle.format.blueprint import LEDGER, head_size, index_content, index_of, is_in_place
from transload.bundle.format.ledger import Ledger
from transload.errors import LimitExceeded, SizeMismatch, UsageError
from transload.oci import Descriptor, Digest, Name
from transload.oci.imagelayout import INDEX
from transload.testing.images import image, index, multi_platform
from transload.testing.reading import sample
from transload.testing.releases import release

MADE = named(release(images=5, size=300_000))


def test_every_offset_of_the_ledger_is_where_tar_finds_the_member(tmp_path: Path) -> None:
    licence = tmp_path / "licence.txt"
    licence.write_bytes(b"may be used\n" * 100)
    blueprint, files = pack(tmp_path / "b", MADE | sample(), extras=(ExtraFile.of(licence),))
    stream = joined(files)
    assert len(stream) == blueprint.cut.size
    with tarfile.open(fileobj=io.BytesIO(stream)) as archive:
        members = {member.name: member for member in archive}
    for stored in blueprint.members:
        member = members.pop(stored.path)
        assert (member.offset_data, member.size) == (stored.offset, stored.size)
        content = stream[stored.offset : stored.offset + stored.size]
        assert Digest.of(content, stored.digest.algorithm) == stored.digest
    assert list(members) == ["oci-layout", "index.json", "transload/ledger.json", "manifest.json"]


def test_the_order_of_members_is_canonical_whatever_order_was_given() -> None:
    contents = contents_of(MADE)
    shuffled = random.Random(1)
    reference = lay_out(contents, 100_000)
    for _ in range(3):
        other = Contents(
            images=tuple(shuffled.sample(contents.images, len(contents.images))),
            blobs=tuple(shuffled.sample(contents.blobs * 2, len(contents.blobs * 2))),
            manifests=tuple(shuffled.sample(contents.manifests, len(contents.manifests))),
        )
        assert lay_out(other, 100_000).head == reference.head
    blobs = [each.descriptor for each in reference.ledger.blobs]
    manifests = [each for each in blobs if each.is_manifest]
    assert blobs[: len(manifests)] == sorted(manifests, key=lambda each: each.digest)
    sizes = [each.size for each in blobs[len(manifests) :]]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("images", [0, 1, 5, 25, 60])
def test_a_ledger_stands_by_its_own_length(images: int, signed: bool) -> None:
    """More images make offsets with more digits, which make a longer ledger, which moves the offsets."""
    made = named(release(images=images, size=images * 3000)) if images else {}
    blueprint = lay_out(contents_of(made), None, (lambda _: b"s" * 100) if signed else None)
    raw = blueprint.ledger.encode()
    index = index_of(blueprint.ledger)
    listed = saved(made)
    saved_bytes = len(listed) if listed else None
    assert len(blueprint.head) == head_size(len(index), len(raw), signed=signed, saved_bytes=saved_bytes)
    assert is_in_place(blueprint.ledger, len(blueprint.head))
    assert Ledger.decode(raw) == blueprint.ledger
    assert Ledger.decode(raw).text == blueprint.ledger.text
    assert raw in blueprint.head


def test_what_fits_into_one_volume_is_not_cut() -> None:
    whole = lay_out(contents_of(MADE), None)
    assert lay_out(contents_of(MADE), whole.cut.size).head == whole.head
    cut = lay_out(contents_of(MADE), whole.cut.size - 1)
    assert (cut.cut.count, cut.ledger.volume_bytes) == (2, whole.cut.size - 1)


def test_texts_of_others_are_made_fit_to_be_shown() -> None:
    (image_of,) = contents_of({Name("a", "1"): image("shown")}).images
    root = evolve(image_of.root, artifact_type="x\ny")
    contents = evolve(
        contents_of({Name("a", "1"): image("shown")}),
        images=(evolve(image_of, source="here\x1b[2J", root=root),),
        against="site\n.json",
    )
    (shown,) = Ledger.decode((ledger := lay_out(contents, None).ledger).encode()).images
    assert (shown.image.source, shown.image.root.artifact_type, ledger.against) == ("here?[2J", "x?y", "site?.json")


def test_too_many_volumes_are_refused() -> None:
    with pytest.raises(UsageError, match="9999"):
        lay_out(contents_of(MADE), 10)


def test_the_index_has_plain_names_and_the_ledger_says_what_was_left_out() -> None:
    one, two, gone = image("one"), image("two"), image("gone")
    images = (
        BundledImage(Name("acme/one", "1"), one.descriptor, "x"),
        BundledImage(Name("one", "1"), one.descriptor, "x"),
        BundledImage(Name("mirror.example/two", "2"), two.descriptor, "x"),
        BundledImage(Name("acme/two", None, two.digest), two.descriptor, "x"),
        BundledImage(Name("acme/gone", "3"), gone.descriptor, "x", present=True),
    )
    blobs = tuple(each.descriptor for built in (one, two) for each in built.contents)
    blueprint = lay_out(Contents(images=images, blobs=blobs, manifests=(one.manifest, two.manifest)), None)
    entries = json.loads(index_content(images, ()))["manifests"]
    named_as = [entry.get("annotations", {}) for entry in entries]
    ref = "org.opencontainers.image.ref.name"
    assert named_as == [
        {ref: "acme/one:1"},
        {"io.transload.name": f"acme/two@{two.digest}"},
        {ref: "mirror.example/two:2", "io.transload.name": "mirror.example/two:2"},
        {ref: "one:1"},
    ]
    left_out = blueprint.ledger.by_name[Name("acme/gone", "3")]
    assert (left_out.image.present, left_out.blobs) == (True, ())
    assert not any(each.digest == gone.digest for each in blueprint.ledger.blobs)


def test_each_image_knows_what_it_needs() -> None:
    shared, multi = image("shared"), multi_platform("multi")
    nested = index([multi, shared])
    images = {Name("a", "1"): nested, Name("b", "1"): shared}
    ledger = lay_out(contents_of(images), None).ledger
    for name, built in images.items():
        found = {ledger.blobs[place].digest for place in ledger.by_name[name].blobs}
        assert found == {each.digest for each in built.walk()} | built.blobs.keys()
    assert [ledger.images[each].image.name for each in ledger.needed_by[shared.digest]] == [
        Name("a", "1"),
        Name("b", "1"),
    ]
    assert [ledger.images[each].image.name for each in ledger.needed_by[nested.digest]] == [Name("a", "1")]


def test_a_prerequisite_is_named_and_not_carried() -> None:
    built = image("differential", layers=(100, 200))
    first = built.manifest.layers[0]
    contents = evolve(
        contents_of({Name("a", "1"): built}),
        blobs=tuple(each.descriptor for each in built.contents if each.descriptor != first),
        prerequisites=(Prerequisite(first, ("a", "old/b"), ("a:1",)),),
        against="inventory of registry.example",
        plan_digest=Digest.of(b"plan"),
    )
    ledger = Ledger.decode(lay_out(contents, None).ledger.encode())
    assert ledger.prerequisites == contents.prerequisites
    assert (ledger.against, ledger.plan_digest) == (contents.against, contents.plan_digest)
    assert first.digest not in ledger.by_digest


def test_contents_that_lack_something_are_a_bug() -> None:
    built = image("lacking")
    whole = contents_of({Name("a", "1"): built})
    with pytest.raises(ValueError, match="neither carried"):
        evolve(whole, blobs=whole.blobs[1:])
    with pytest.raises(ValueError, match="manifest of a:1"):
        evolve(whole, manifests=())


def test_contradictory_contents_are_refused() -> None:
    built = image("twice")
    whole = contents_of({Name("a", "1"): built})
    lie = Descriptor("x/y", whole.blobs[0].digest, whole.blobs[0].size + 1)
    with pytest.raises(SizeMismatch):
        evolve(whole, blobs=(*whole.blobs, lie))
    with pytest.raises(UsageError, match="a:1"):
        evolve(whole, images=whole.images * 2)
    extra = ExtraFile("Manual.pdf", Path("x"), 1, Digest.of(b"x"))
    with pytest.raises(UsageError, match=r"manual\.pdf"):
        evolve(whole, extras=(extra, evolve(extra, name="manual.PDF")))


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "a\\b",
        ".hidden",
        "c:x",
        "NUL",
        "com1.txt",
        "a\n",
        "dot.",
        "x" * 151,
        "a\u202eb",
        "a*",
    ],
)
def test_names_of_extras_that_are_paths_or_devices_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        ExtraFile(name, Path("x"), 1, Digest.of(b"x"))


def test_what_no_reader_takes_is_not_written() -> None:
    built = image("huge")
    huge = Descriptor("x/y", Digest.of(b"huge"), 1 << 60)
    with pytest.raises(LimitExceeded):
        lay_out(
            evolve(contents_of({Name("a", "1"): built}), blobs=(*contents_of({Name("a", "1"): built}).blobs, huge)),
            None,
        )


def test_a_ledger_says_nothing_of_this_machine_or_time(tmp_path: Path) -> None:
    (tmp_path / "manual").write_text("read me")
    contents = contents_of(MADE, extras=(ExtraFile.of(tmp_path / "manual"),))
    raw = lay_out(contents, None).ledger.encode().decode()
    assert str(tmp_path) not in raw
    assert INDEX not in raw
    assert LEDGER not in raw
