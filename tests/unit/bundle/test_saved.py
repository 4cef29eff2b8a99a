"""The `manifest.json` in a bundle: which images and platforms other tools get from it, and that readers check it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from attrs import evolve

from tests.unit.bundle.packing import contents_of, pack, saved
from tests.unit.bundle.test_accounts import MADE, MANIFEST_JSON, forged
from transload.app.location import Location
from transload.archive import ArchiveStore
from transload.bundle import BundleStore, Contents, Prerequisite, lay_out
from transload.bundle.format.blueprint import head, head_size, index_of, placed
from transload.bundle.format.ledger import Ledger
from transload.bundle.format.saved import saved_content
from transload.cli.main import main
from transload.errors import IndexTampered, MemberDamaged
from transload.oci import Digest, Manifest, Name, Platform
from transload.testing.images import Built, artifact, image, index, signature

AMD, ARM = (Platform("linux", "amd64"), Platform("linux", "arm64"))
S390, WINDOWS = (Platform("linux", "s390x"), Platform("windows", "amd64"))


def entries(images: dict[Name, Built]) -> list[dict[str, object]]:
    raw = saved(images)
    return [] if raw is None else json.loads(raw)


def config_of(built: Built) -> str:
    config = built.manifest.config
    assert config is not None
    return f"blobs/sha256/{config.digest.encoded}"


def test_each_image_has_a_line_with_its_name_config_and_layers() -> None:
    one, two = image("one", layers=(10, 20)), image("two", layers=(30,), family="docker")
    raw = saved({Name("b", "2"): two, Name("a/x", "1"): one})
    assert raw is not None
    assert raw.count(b"\n") == 4
    listed = json.loads(raw)
    assert [entry["RepoTags"] for entry in listed] == [["a/x:1"], ["b:2"]]
    assert [entry["Config"] for entry in listed] == [config_of(one), config_of(two)]
    assert listed[0]["Layers"] == [f"blobs/sha256/{layer.digest.encoded}" for layer in one.manifest.layers]


@pytest.mark.parametrize(
    ("platforms", "chosen"),
    [
        ((ARM, AMD), AMD),
        ((S390, ARM), ARM),
        ((S390, WINDOWS), S390),
        ((WINDOWS,), WINDOWS),
    ],
)
def test_of_an_index_one_platform_is_listed(platforms: tuple[Platform, ...], chosen: Platform) -> None:
    children = {platform: image(str(platform), platform=platform) for platform in platforms}
    listed = entries({Name("a", "1"): index([(built, platform) for platform, built in children.items()])})
    assert [entry["Config"] for entry in listed] == [config_of(children[chosen])]


def test_what_an_engine_cannot_run_is_not_listed() -> None:
    one, zstd = image("one"), image("z").manifest.raw.replace(b"tar+gzip", b"tar+zstd")
    images = {
        Name("a", "chart"): artifact("chart"),
        Name("a", None, one.digest): one,
        Name("a", "sig"): signature(one),
        Name("a", "zstd"): Built(Manifest.parse(zstd), image("z").contents),
    }
    assert saved(images) is None
    blueprint = lay_out(contents_of(images), None)
    assert blueprint.ledger.format == 1
    assert b"manifest.json" not in blueprint.head


def test_an_image_whose_layer_the_target_must_have_is_not_listed() -> None:
    one, two = image("one", layers=(1000,)), image("two", layers=(900,))
    layer = one.manifest.layers[0]
    contents = contents_of({Name("a", "1"): one, Name("b", "1"): two})
    lacking = evolve(
        contents,
        blobs=tuple(blob for blob in contents.blobs if blob.digest != layer.digest),
        prerequisites=(Prerequisite(layer, ("a",), ("a:1",)),),
    )
    head_bytes = lay_out(lacking, None).head
    assert b'"RepoTags":["b:1"]' in head_bytes
    assert b'"RepoTags":["a:1"]' not in head_bytes


def test_a_list_that_readers_would_refuse_is_left_out() -> None:
    built = image("many", layers=(10,) * 50)
    names = [(Name(f"a{number}", "1"), built.digest) for number in range(3000)]
    blobs = {descriptor.digest for descriptor, _ in built.walk_blobs()}
    assert saved_content(names[:500], lambda _digest: built.manifest, blobs)
    assert saved_content(names, lambda _digest: built.manifest, blobs) is None


def test_engines_find_full_names_in_the_index_and_we_ours(tmp_path: Path) -> None:
    built = image("one")
    names = [Name("app", "1"), Name("acme/app", "1"), Name("registry.example/acme/app", "1")]
    blueprint, _ = pack(tmp_path / "b", dict.fromkeys(names, built))
    listed = json.loads(index_of(blueprint.ledger))["manifests"]
    assert sorted(entry["annotations"]["io.containerd.image.name"] for entry in listed) == [
        "docker.io/acme/app:1",
        "docker.io/library/app:1",
        "registry.example/acme/app:1",
    ]
    assert sorted(str(entry.image.name) for entry in BundleStore(tmp_path / "b").ledger.images) == sorted(
        map(str, names)
    )


def test_another_list_than_the_ledger_states_is_refused(tmp_path: Path) -> None:
    blueprint, (file, *_) = pack(tmp_path / "b", MADE)
    raw = file.read_bytes()
    at = raw.index(b'"RepoTags":["app/one:1"]')
    file.write_bytes(raw[:at] + raw[at:].replace(b"app/one:1", b"app/eno:1", 1))
    with pytest.raises(IndexTampered, match=r"manifest\.json .* does not have the digest"):
        BundleStore(tmp_path / "b")
    assert blueprint.ledger.format == 2


def test_a_list_of_other_images_with_the_right_digest_is_found_by_verify(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    swapped = MANIFEST_JSON.replace(b"app/one:1", b"app/xxx:1").replace(b"app/two:1", b"app/one:1")
    path = forged(tmp_path / "b", lambda ledger: ledger, None, swapped)
    assert main(["verify", str(Location("bundle", str(path)))]) == 1
    assert "docker would load other images from its manifest.json" in capsys.readouterr().err


def test_a_ledger_that_states_a_list_needs_one(tmp_path: Path) -> None:
    blueprint = lay_out(contents_of(MADE), None)
    raw = blueprint.ledger.encode()
    (tmp_path / "b.tar").write_bytes(head(index_of(blueprint.ledger), raw, None) + bytes(100_000))
    with pytest.raises(MemberDamaged, match=r"manifest\.json is damaged"):
        BundleStore(tmp_path / "b")


def test_a_bundle_of_the_first_format_is_read(tmp_path: Path) -> None:
    blueprint, (file, *_) = pack(tmp_path / "b", MADE)
    members = file.read_bytes()[len(blueprint.head) :]
    ledger = first_format(blueprint.ledger)
    (tmp_path / "old.tar").write_bytes(head(index_of(ledger), ledger.encode(), None) + members)
    store = BundleStore(tmp_path / "old")
    assert store.ledger.format == 1
    assert all(part.error is None for part in store.check())
    assert main(["verify", f"bundle:{tmp_path / 'old'}"]) == 0


def first_format(ledger: Ledger) -> Ledger:
    """The ledger as the first format has it, every offset right."""
    ledger = evolve(ledger, saved_digest=None)
    ledger = evolve(ledger, index_digest=Digest.of(index_of(ledger)))
    while True:
        moved = placed(ledger, head_size(len(index_of(ledger)), len(ledger.encode()), signed=False))
        if moved == ledger:
            return ledger
        ledger = moved


def test_nothing_is_listed_for_an_empty_bundle() -> None:
    assert lay_out(Contents(images=(), blobs=(), manifests=()), None).ledger.saved_digest is None


def test_read_as_an_archive_it_has_the_same_images(tmp_path: Path) -> None:
    """`archive:b.tar` sees an OCI layout with docker's list beside it, as docker itself writes since version 25."""
    names = (Name("app/one", "1"), Name("app/two", "1"))
    pack(tmp_path / "b", MADE)
    store = ArchiveStore(tmp_path / "b.tar")
    assert [store.fetch(name).digest for name in names] == [MADE[name].digest for name in names]
    assert sorted(store.repositories()) == ["app/one", "app/two"]
    assert store.notes == ()
