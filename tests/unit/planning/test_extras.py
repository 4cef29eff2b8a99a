"""What belongs to an image without being part of it: referrers, cosign's tags, layers kept by their publisher."""

import json

import pytest

from tests.unit.planning.scene import Scene, copied, item, stored
from transload.memory import MemoryStore
from transload.oci import Manifest, Name
from transload.planning import ManifestStep, Referrers
from transload.testing.images import Built, artifact, fill, image, multi_platform, signature
from transload.testing.layers import Layer, layer

FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
ONE = image("one")


def cosign_tag(built: Built, kind: str = "sig") -> str:
    return f"{built.digest.replace(':', '-')}.{kind}"


def test_referrers_come_only_when_asked_for() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    scene.publish(signature(ONE), "app")
    assert stored(scene.plan("app:1")) == ["app:1"]


def test_referrers_of_an_image_and_of_its_children_come_before_its_tag() -> None:
    scene = Scene()
    built = scene.publish(multi_platform("many"), "app:1")
    signed = [scene.publish(signature(each, place), "app") for place, each in enumerate((built, *built.children))]
    plan = scene.plan("app:1", referrers=Referrers.NEW)
    names = stored(plan)
    assert {f"app@{each.digest}" for each in signed} <= set(names)
    assert names[-1] == "app:1"
    assert copied(plan) >= {digest for each in signed for digest in each.blobs}
    assert names[:3] == [f"app@{child.digest}" for child in (*built.children, built)]
    assert len(plan.images[0].goals) == 4
    assert set(plan.images[0].goals[:3]) <= set(plan.steps[-1].needs)


def test_a_referrer_of_a_referrer_comes_too() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    sbom = scene.publish(artifact("sbom", subject=ONE), "app")
    signed = scene.publish(signature(sbom), "app")
    assert f"app@{signed.digest}" in stored(scene.plan("app:1", referrers=Referrers.NEW))


def test_what_refers_in_a_circle_comes_to_an_end() -> None:
    """Digests forbid a true circle; a store that answers the same for everything makes one."""
    scene = Scene()
    scene.publish(ONE, "app:1")
    signed = scene.publish(signature(ONE), "app")

    class Circle(MemoryStore):
        def referrers(self, repository, digest):  # type: ignore[no-untyped-def]
            return (signed.descriptor,)

    circle = Circle("memory:source")
    fill(circle, ONE, "app", "1")
    fill(circle, signed, "app")
    scene.source.store = circle
    assert stored(scene.plan("app:1", referrers=Referrers.NEW)) == [
        f"app@{ONE.digest}",
        f"app@{signed.digest}",
        "app:1",
    ]


def test_an_image_comes_by_digest_before_what_refers_to_it_and_its_tag_comes_last() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    sbom = scene.publish(artifact("sbom", subject=ONE), "app")
    signed = scene.publish(signature(sbom), "app")
    plan = scene.plan("app:1", referrers=Referrers.NEW)
    assert stored(plan) == [f"app@{ONE.digest}", f"app@{sbom.digest}", f"app@{signed.digest}", "app:1"]
    image_step, sbom_step, signature_step, tag_step = (step for step in plan.steps if isinstance(step, ManifestStep))
    assert image_step.id in sbom_step.needs
    assert sbom_step.id in signature_step.needs
    assert {sbom_step.id, signature_step.id} <= set(tag_step.needs)


def test_an_image_that_nothing_belongs_to_is_stored_once() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    assert stored(scene.plan("app:1", referrers=Referrers.NEW)) == ["app:1"]


@pytest.mark.parametrize("kind", ["sig", "att", "sbom"])
def test_an_image_comes_by_digest_before_a_tag_of_cosign(kind: str) -> None:
    """Harbor 2.5 looks for the image of `sha256-….sig` when that is pushed, and fails the push if there is none."""
    scene = Scene()
    scene.publish(ONE, "app:1")
    scene.publish(artifact("cosign"), f"app:{cosign_tag(ONE, kind)}")
    plan = scene.plan("app:1", referrers=Referrers.NEW)
    assert stored(plan) == [f"app@{ONE.digest}", f"app:{cosign_tag(ONE, kind)}", "app:1"]
    image_step, cosign_step, tag_step = (step for step in plan.steps if isinstance(step, ManifestStep))
    assert image_step.id in cosign_step.needs
    assert cosign_step.id in tag_step.needs


def test_tags_of_cosign_that_are_wanted_themselves_come_after_their_image() -> None:
    """As with `mirror --from STORE`, which takes every tag: `sha256-….sig` stands before `v1` there."""
    scene = Scene()
    scene.publish(ONE, "app:v1")
    scene.publish(artifact("cosign"), f"app:{cosign_tag(ONE)}")
    plan = scene.plan(f"app:{cosign_tag(ONE)}", "app:v1", referrers=Referrers.NEW)
    assert stored(plan) == [f"app@{ONE.digest}", f"app:{cosign_tag(ONE)}", "app:v1"]
    assert [image.target.tag for image in plan.images] == [cosign_tag(ONE), "v1"]


def test_an_image_without_a_tag_comes_before_what_refers_to_it() -> None:
    scene = Scene()
    scene.publish(ONE, "app")
    signed = scene.publish(signature(ONE), "app")
    plan = scene.plan(item(f"app@{ONE.digest}"), referrers=Referrers.NEW)
    assert stored(plan) == [f"app@{ONE.digest}", f"app@{signed.digest}"]


def test_cosign_tags_come_under_their_tags() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    wanted = [cosign_tag(ONE, kind) for kind in ("sig", "att", "sbom")]
    for place, tag in enumerate((*wanted, cosign_tag(ONE, "other"), cosign_tag(image("two")))):
        scene.publish(artifact(f"cosign {place}"), f"app:{tag}")
    names = stored(scene.plan("app:1", referrers=Referrers.NEW))
    assert set(names) == {f"app@{ONE.digest}", "app:1", *(f"app:{tag}" for tag in wanted)}
    assert scene.source.calls["tags"] == 1


def test_a_signature_added_later_comes_with_the_unchanged_image() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    scene.deliver(ONE, "app:1")
    signed = scene.publish(signature(ONE), "app")
    plan = scene.plan("app:1", referrers=Referrers.REFRESH)
    assert plan.images[0].status == "changed"
    assert stored(plan) == [f"app@{signed.digest}"]


def test_referrers_and_cosign_tags_that_are_there_are_left_alone() -> None:
    scene = Scene()
    for put in (scene.publish, scene.deliver):
        put(ONE, "app:1")
        put(signature(ONE), "app")
        put(artifact("cosign"), f"app:{cosign_tag(ONE)}")
    plan = scene.plan("app:1", referrers=Referrers.REFRESH)
    assert plan.images[0].status == "unchanged"
    assert plan.steps == ()


def test_a_cosign_tag_that_moved_moves_at_the_target_without_its_blobs() -> None:
    scene = Scene()
    tag = cosign_tag(ONE)
    before, after = artifact("before"), artifact("after")
    scene.deliver(ONE, "app:1")
    scene.deliver(after, "app")
    scene.deliver(before, f"app:{tag}")
    scene.publish(ONE, "app:1")
    scene.publish(after, f"app:{tag}")
    plan = scene.plan("app:1", referrers=Referrers.REFRESH)
    assert stored(plan) == [f"app:{tag}"]
    assert copied(plan) == set()


def test_foreign_layers_stay_with_their_publisher_unless_wanted() -> None:
    scene = Scene()
    foreign = layer("windows", 4000).typed(FOREIGN)
    built = scene.publish(_with_foreign(foreign), "win:1")
    plan = scene.plan("win:1")
    assert foreign.descriptor.digest not in copied(plan)
    assert plan.images[0].notes == ("1 foreign layer stays with the publisher; --foreign-layers copies it",)
    plan = scene.plan("win:1", foreign_layers=True)
    assert copied(plan) == set(built.blobs)
    assert plan.images[0].notes == ()


def _with_foreign(foreign: Layer) -> Built:
    plain = image("windows", (100,), family="docker")
    layers = [foreign.descriptor.to_json(), *plain.manifest.document["layers"]]
    document = plain.manifest.document | {"layers": layers}
    return Built(Manifest.parse(json.dumps(document).encode()), (*plain.contents, foreign))


def test_a_referrer_held_by_the_target_is_not_taken_apart() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    signed = scene.publish(signature(ONE), "app")
    scene.deliver(signed, "app")
    plan = scene.plan("app:1", referrers=Referrers.NEW)
    assert stored(plan) == ["app:1"]
    assert copied(plan) == set(ONE.blobs)
    assert Name("app", None, signed.digest) not in {getattr(step, "name", None) for step in plan.steps}
