"""Some platforms of an image: what is kept, what is rewritten, what is left alone."""

import json
from typing import Any

import pytest

from tests.unit.planning.scene import Scene, copied, item, stored
from transload.errors import PlatformUnavailable
from transload.oci import Manifest, Platform
from transload.oci.mediatype import OCI_INDEX
from transload.planning import Narrowing, Referrers
from transload.planning.narrowing import rewritten, wanted_children
from transload.testing.images import AMD64, ARM64, Built, artifact, image, index, multi_platform

WANT_AMD64 = (Platform.parse("amd64"),)
WANT_ARM64 = (Platform.parse("linux/arm64"),)
WANT_BOTH = WANT_AMD64 + WANT_ARM64
MANY = multi_platform("many", platforms=(AMD64, ARM64, Platform("linux", "s390x")))
ARM32 = [Platform("linux", "arm", variant) for variant in ("v5", "v6", "v7")]


def test_a_rewritten_index_has_only_what_is_wanted_and_another_digest() -> None:
    scene = Scene()
    scene.publish(MANY, "app:1")
    plan = scene.plan("app:1", platforms=WANT_AMD64)
    (planned,) = plan.images
    assert planned.digest != MANY.digest == planned.source_digest
    assert planned.digest is not None
    assert [child.digest for child in plan.manifests[planned.digest].manifests] == [MANY.children[0].digest]
    assert copied(plan) == set(MANY.children[0].blobs)
    assert "1 of 3 platform entries (linux/amd64); index rewritten" in planned.notes[0]
    assert {call for on, call in scene.source.subjects if on != "exists"} == {"app:1", f"app@{MANY.children[0].digest}"}


def test_a_rewritten_index_is_recognised_the_next_time() -> None:
    scene = Scene()
    scene.publish(MANY, "app:1")
    scene.run(scene.plan("app:1", platforms=WANT_AMD64))
    plan = scene.plan("app:1", platforms=WANT_AMD64)
    assert plan.images[0].status == "unchanged"
    assert plan.images[0].source_digest == MANY.digest
    assert plan.images[0].notes


def test_a_rewritten_index_is_recognised_with_its_referrers_too() -> None:
    scene = Scene()
    scene.publish(MANY, "app:1")
    wanted: dict[str, Any] = {"platforms": WANT_AMD64, "referrers": Referrers.REFRESH}
    scene.run(scene.plan("app:1", **wanted))
    assert scene.plan("app:1", **wanted).images[0].status == "unchanged"


def test_a_sparse_index_stays_as_published() -> None:
    scene = Scene()
    scene.publish(MANY, "app:1")
    plan = scene.plan("app:1", platforms=WANT_ARM64, narrowing=Narrowing.SPARSE)
    assert plan.images[0].digest == MANY.digest
    assert stored(plan) == [f"app@{MANY.children[1].digest}", "app:1"]
    assert "sparse" in plan.images[0].notes[0]


def test_a_sparse_index_that_lacks_what_is_wanted_now_is_not_called_unchanged() -> None:
    scene = Scene()
    amd64, *_ = scene.publish(MANY, "app:1").children
    target = scene.target.store
    for content in amd64.walk_contents():
        with target.begin("app", content.descriptor) as ingest:
            ingest.write(content.chunks())
            ingest.commit()
    target.put_manifest(item(f"app@{amd64.digest}").target, amd64.manifest)
    target._repositories["app"].manifests[MANY.digest] = MANY.manifest  # type: ignore[attr-defined]
    target._repositories["app"].tags["1"] = MANY.digest  # type: ignore[attr-defined]  # as a registry that takes sparse
    sparse: dict[str, Any] = {"narrowing": Narrowing.SPARSE}
    assert scene.plan("app:1", platforms=WANT_AMD64, **sparse).images[0].status == "unchanged"
    plan = scene.plan("app:1", platforms=WANT_BOTH, **sparse)
    assert plan.images[0].status == "changed"
    assert stored(plan) == [f"app@{MANY.children[1].digest}", "app:1"]


def test_all_platforms_wanted_leaves_the_index_alone() -> None:
    scene = Scene()
    built = scene.publish(multi_platform("two"), "app:1")
    plan = scene.plan("app:1", platforms=WANT_BOTH)
    assert plan.images[0].digest == built.digest
    assert plan.images[0].notes == ()


def test_an_items_platforms_stand_before_those_of_the_request() -> None:
    scene = Scene()
    scene.publish(MANY, "app:1", "other:1")
    plan = scene.plan(item("app:1", platforms=WANT_ARM64), "other:1", platforms=WANT_AMD64)
    assert copied(plan) == set(MANY.children[0].blobs) | set(MANY.children[1].blobs)


def test_no_such_platform_says_which_there_are() -> None:
    scene = Scene()
    scene.publish(multi_platform("two"), "app:1")
    (planned,) = scene.plan("app:1", platforms=(Platform.parse("windows/amd64"),)).images
    assert isinstance(planned.error, PlatformUnavailable)
    assert planned.error.hint == "it has: linux/amd64, linux/arm64/v8"


def test_a_single_image_of_another_platform_is_refused_by_its_config() -> None:
    scene = Scene()
    scene.publish(image("arm", platform=ARM64), "app:1")
    (planned,) = scene.plan("app:1", platforms=WANT_AMD64).images
    assert isinstance(planned.error, PlatformUnavailable)
    assert "linux/arm64" in planned.error.message
    assert scene.plan("app:1", platforms=WANT_ARM64).images[0].status == "new"


def test_an_artifact_is_for_every_platform() -> None:
    scene = Scene()
    scene.publish(artifact("chart"), "chart:1")
    assert scene.plan("chart:1", platforms=WANT_AMD64).images[0].status == "new"


@pytest.mark.parametrize(("wanted", "kept"), [("linux/arm", 3), ("linux/arm/v7", 1), ("linux/arm64/v8", 0)])
def test_variants(wanted: str, kept: int) -> None:
    built = multi_platform("arm", platforms=ARM32)
    assert len(wanted_children(built.manifest, [Platform.parse(wanted)])) == kept


def _attested() -> tuple[Built, list[Built]]:
    """As BuildKit writes it: each platform's provenance is a child of the index."""
    images = [image(f"attested/{each}", platform=each) for each in (AMD64, ARM64)]
    notes = [artifact(f"provenance/{place}") for place in range(2)]
    manifests: list[dict[str, object]] = []
    for built, platform in zip(images, (AMD64, ARM64), strict=True):
        manifests.append(built.descriptor.to_json() | {"platform": platform.to_json()})
    for built, note in zip(images, notes, strict=True):
        annotations = {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": str(built.digest),
        }
        nowhere = {"os": "unknown", "architecture": "unknown"}
        manifests.append(note.descriptor.to_json() | {"annotations": annotations, "platform": nowhere})
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
    return Built(Manifest.parse(json.dumps(document).encode()), (), (*images, *notes)), notes


def test_attestations_stay_with_the_child_they_speak_of() -> None:
    built, notes = _attested()
    kept = wanted_children(built.manifest, WANT_AMD64)
    assert kept == {built.children[0].digest, notes[0].digest}


def test_rewriting_keeps_everything_else_and_gives_the_same_bytes_each_time() -> None:
    built = index([(image("a"), AMD64), (image("b"), ARM64)], annotations={"org.example.näme": "wärt"})
    keep = {built.children[0].digest: built.children[0].descriptor}
    once = rewritten(built.manifest, keep)
    assert once.raw == rewritten(built.manifest, keep).raw
    assert once.annotations == {"org.example.näme": "wärt"}
    assert once.manifests == built.manifest.manifests[:1]
    assert once.manifests[0].platform == AMD64
