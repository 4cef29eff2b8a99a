"""Archives and folders that list all platforms of an image and hold some, as `docker save` 29 leaves them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from attrs import evolve

from tests.unit.archive.writer import Files, blob_name, layout_files, write_tar
from transload.archive import ArchiveStore
from transload.errors import PlatformUnavailable, PrerequisiteMissing
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Digest, Manifest, Name, Platform
from transload.oci.mediatype import OCI_INDEX
from transload.planning import Item, Narrowing, Plan, Request, make_plan
from transload.testing.images import AMD64, Built, image, index, multi_platform
from transload.transfer import run

ARM64 = Platform("linux", "arm64")
S390X = Platform("linux", "s390x")
UNKNOWN = Platform("unknown", "unknown")
NAME = Name("acme/app", "1")
Open = Callable[[Files], ArchiveStore | LayoutStore]


@pytest.fixture(params=["archive", "folder"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Writes the files as an archive, or as a folder, and opens it."""

    def archive(files: Files) -> ArchiveStore:
        return ArchiveStore(write_tar(tmp_path / "saved.tar", files))

    def folder(files: Files) -> LayoutStore:
        for name, content in files.items():
            path = tmp_path / "saved" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return LayoutStore(tmp_path / "saved")

    return archive if request.param == "archive" else folder


def attested(*platforms: Platform) -> Built:
    """An index as BuildKit writes it: each image, then an attestation of each."""
    images = [(image(f"of {each}"), each) for each in platforms]
    about = [(image(f"about {each}", layers=(50,)), UNKNOWN, built.digest) for built, each in images]
    built = index([*images, *((each, unknown) for each, unknown, _ in about)])
    document = json.loads(built.manifest.raw)
    for entry, (_, _, digest) in zip(document["manifests"][len(images) :], about, strict=True):
        entry["annotations"] = {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": str(digest),
        }
    return remade(built, document)


def remade(built: Built, document: dict[str, object]) -> Built:
    return evolve(built, manifest=Manifest.parse(json.dumps(document).encode(), OCI_INDEX))


def without(files: Files, *absent: Built, manifests: bool = True) -> Files:
    """The files less what only these images have; `manifests` says whether theirs are away too."""
    names = {blob_name(descriptor.digest) for each in absent for descriptor, _ in each.walk_blobs()}
    names |= {blob_name(each.digest) for one in absent for each in one.walk() if manifests}
    return {name: content for name, content in files.items() if name not in names}


def plan_of(
    store: ArchiveStore | LayoutStore,
    target: MemoryStore,
    platforms: Iterable[Platform] = (),
    narrowing: Narrowing = Narrowing.REWRITTEN,
) -> Plan:
    request = Request((Item(store.locator, NAME, NAME),), tuple(platforms), narrowing)
    return make_plan(request, {store.locator: store}, target)


def pushed(store: ArchiveStore | LayoutStore, *platforms: Platform) -> tuple[MemoryStore, str]:
    """The target after a push, and what was said of it."""
    target = MemoryStore()
    plan = plan_of(store, target, platforms)
    (planned,) = plan.images
    if planned.error:
        raise planned.error
    assert [one.error for one in run(plan, {store.locator: store}, target).images] == [None]
    assert plan_of(store, target, platforms).images[0].status == "unchanged"
    return target, "; ".join(planned.notes)


@pytest.mark.parametrize("manifests", [True, False])
@pytest.mark.parametrize("platforms", [(), (AMD64,)])
def test_the_only_image_that_is_there_is_pushed_by_itself(
    opened: Open, platforms: tuple[Platform, ...], manifests: bool
) -> None:
    built = multi_platform("many", platforms=(AMD64, ARM64, S390X))
    amd64, arm64, s390x = built.children
    target, told = pushed(opened(without(layout_files({NAME: built}), arm64, s390x, manifests=manifests)), *platforms)
    assert target.resolve(NAME).digest == amd64.digest
    assert "holds linux/amd64 only, not linux/arm64, linux/s390x" in told
    assert "not that of the index" in told


def test_the_only_image_is_pushed_without_an_attestation_that_is_not_there(opened: Open) -> None:
    built = attested(AMD64, ARM64)
    amd64, *others = built.children
    target, told = pushed(opened(without(layout_files({NAME: built}), *others)))
    assert target.resolve(NAME).digest == amd64.digest
    assert "linux/arm64" in told


def test_an_image_and_its_attestation_keep_an_index_that_lists_nothing_else(opened: Open) -> None:
    built = attested(AMD64, ARM64)
    amd64, arm64, about_amd64, about_arm64 = built.children
    target, told = pushed(opened(without(layout_files({NAME: built}), arm64, about_arm64)))
    listed = [child.digest for child in target.fetch(NAME).manifests]
    assert listed == [amd64.digest, about_amd64.digest]
    assert "2 of 4 platform entries; " in told
    assert "does not hold linux/arm64; index rewritten" in told


def test_an_attestation_of_what_is_not_there_is_left_out(opened: Open) -> None:
    built = attested(AMD64, ARM64)
    amd64, arm64, *_ = built.children
    target, _ = pushed(opened(without(layout_files({NAME: built}), arm64)))
    assert amd64.digest in {child.digest for child in target.fetch(NAME).manifests}
    assert len(target.fetch(NAME).manifests) == 2


def test_attestations_alone_are_no_image(opened: Open) -> None:
    built = attested(AMD64, ARM64)
    with pytest.raises(PlatformUnavailable, match="lists acme/app:1 for linux/amd64, linux/arm64, but"):
        pushed(opened(without(layout_files({NAME: built}), *built.children[:2])))


def test_a_platform_that_is_listed_but_not_there_is_told_with_what_is(opened: Open) -> None:
    built = multi_platform("many", platforms=(AMD64, ARM64))
    store = opened(without(layout_files({NAME: built}), built.children[1]))
    with pytest.raises(PlatformUnavailable, match="linux/arm64, but does not hold that") as caught:
        pushed(store, ARM64)
    assert caught.value.hint == "it holds: linux/amd64"


def test_a_platform_that_is_not_even_listed(opened: Open) -> None:
    built = multi_platform("many", platforms=(AMD64, ARM64))
    with pytest.raises(PlatformUnavailable, match="not published for linux/s390x"):
        pushed(opened(without(layout_files({NAME: built}), built.children[1])), S390X)


def test_nested_indexes_are_written_anew_from_below(opened: Open) -> None:
    amd64, arm64, s390x = (image(str(each)) for each in (AMD64, ARM64, S390X))
    inner = index([(arm64, ARM64), (s390x, S390X)])
    built = index([(amd64, AMD64), (inner, None)])
    target, told = pushed(opened(without(layout_files({NAME: built}), s390x)))
    first, second = target.fetch(NAME).manifests
    assert first.digest == amd64.digest
    assert [child.digest for child in target.fetch(NAME.at(second.digest)).manifests] == [arm64.digest]
    assert "does not hold linux/s390x" in told


def test_a_nested_index_of_which_nothing_is_there_is_left_out(opened: Open) -> None:
    amd64, arm64 = image("a"), image("b")
    built = index([(amd64, AMD64), (index([(arm64, ARM64)]), None)])
    target, _ = pushed(opened(without(layout_files({NAME: built}), arm64)))
    assert target.resolve(NAME).digest == amd64.digest


def test_a_sparse_index_is_kept_as_published_when_asked_for(opened: Open) -> None:
    built = multi_platform("many", platforms=(AMD64, ARM64))
    store = opened(without(layout_files({NAME: built}), built.children[1]))
    (planned,) = plan_of(store, MemoryStore(), narrowing=Narrowing.SPARSE).images
    assert planned.digest == built.digest
    assert "does not hold linux/arm64; index kept as published (sparse)" in planned.notes[0]


def test_a_lacking_layer_is_damage_and_not_a_platform_left_out(opened: Open) -> None:
    built = multi_platform("many", platforms=(AMD64, ARM64), layers=(100, 200))
    files = layout_files({NAME: built})
    del files[blob_name(built.children[1].contents[1].descriptor.digest)]
    with pytest.raises(PrerequisiteMissing) as caught:
        pushed(opened(files))
    assert "save or copy the image again" in (caught.value.hint or "")


def test_a_whole_index_stays_as_it_is(opened: Open) -> None:
    built = attested(AMD64, ARM64)
    target, told = pushed(opened(layout_files({NAME: built})))
    assert target.resolve(NAME).digest == built.digest
    assert told == ""


def test_every_image_and_tag_of_an_archive_is_looked_at_by_itself(opened: Open) -> None:
    one, two = multi_platform("one", platforms=(AMD64, ARM64)), multi_platform("two", platforms=(AMD64, ARM64))
    files = layout_files({NAME: one, Name("acme/app", "2"): one, Name("acme/other", "1"): two}, full=True)
    store = opened(without(files, one.children[1], two.children[0]))
    names = [Name("acme/app", "1"), Name("acme/app", "2"), Name("acme/other", "1")]
    request = Request(tuple(Item(store.locator, name, name) for name in names))
    target = MemoryStore()
    plan = make_plan(request, {store.locator: store}, target)
    run(plan, {store.locator: store}, target)
    held: list[Digest] = [target.resolve(name).digest for name in names]
    assert held == [one.children[0].digest, one.children[0].digest, two.children[1].digest]


def test_an_image_without_a_name_is_recognised_under_the_digest_it_got(opened: Open) -> None:
    built = multi_platform("many", platforms=(AMD64, ARM64))
    store = opened(without(layout_files({Name(""): built}), built.children[1]))
    request = Request((Item(store.locator, Name("", None, built.digest), Name("acme/app", None, built.digest)),))
    target = MemoryStore()
    plan = make_plan(request, {store.locator: store}, target)
    run(plan, {store.locator: store}, target)
    assert target.fetch(NAME.at(built.children[0].digest)).digest == built.children[0].digest
    assert make_plan(request, {store.locator: store}, target).images[0].status == "unchanged"


def test_a_second_image_of_a_name_is_carried_by_its_digest_and_told(opened: Open) -> None:
    one, two = image("one"), image("two")
    files = layout_files({NAME: one}) | layout_files({NAME: two})
    listed = [json.loads(layout_files({NAME: each})["index.json"])["manifests"][0] for each in (one, two)]
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": listed}).encode()
    store = opened(files)
    assert store.resolve(NAME).digest == one.digest
    assert list(store.lists.untagged()) == [NAME.at(two.digest)]
    assert store.notes == ("acme/app:1 is the name of several images in it: the first one keeps it",)


def test_a_name_that_only_docker_s_list_gives_leads_to_the_index(tmp_path: Path) -> None:
    built = multi_platform("many", platforms=(AMD64, ARM64))
    files = without(layout_files({Name(""): built}), built.children[1])
    config = built.children[0].manifest.config
    assert config is not None
    saved = [{"Config": f"blobs/sha256/{config.digest.encoded}", "RepoTags": ["acme/app:1"], "Layers": []}]
    store = ArchiveStore(write_tar(tmp_path / "saved.tar", files | {"manifest.json": json.dumps(saved).encode()}))
    assert store.resolve(NAME).digest == built.digest
