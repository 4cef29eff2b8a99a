"""What cannot be planned is said per image, and leaves the other images alone."""

import json

import pytest

from tests.unit.planning.scene import OTHER_SOURCE, Scene, copied, item, stored
from transload.errors import (
    AccessDenied,
    CredentialsRejected,
    DigestMismatch,
    HostUnknown,
    LimitExceeded,
    ManifestInvalid,
    ManifestUnknown,
    ServerTrouble,
    TransloadError,
)
from transload.oci import Manifest, Platform
from transload.oci.mediatype import OCI_CONFIG
from transload.planning import survey
from transload.testing import faults
from transload.testing.faults import ALWAYS
from transload.testing.images import Built, artifact, image, index
from transload.testing.layers import Content

ONE, TWO = image("one"), image("two")
AMD64 = Platform.parse("linux/amd64")


def test_a_missing_image_is_a_failure_and_the_others_are_planned() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    plan = scene.plan("gone:1", "app:1")
    gone, app = plan.images
    assert (gone.status, gone.excused, gone.goals) == ("missing", False, ())
    assert isinstance(gone.error, ManifestUnknown)
    assert gone.error.side == "source"
    assert plan.failures == (gone,)
    assert app.status == "new"
    assert stored(plan) == ["app:1"]


@pytest.mark.parametrize(("optional", "allow_missing"), [(True, False), (False, True)])
def test_what_may_be_missing_is_excused(optional: bool, allow_missing: bool) -> None:
    plan = Scene().plan(item("gone:1", optional=optional), allow_missing=allow_missing)
    assert plan.images[0].status == "missing"
    assert plan.failures == ()


def test_a_denied_image_is_never_excused() -> None:
    scene = Scene()
    scene.script(faults.fails("fetch", lambda: AccessDenied("no")))
    plan = scene.plan(item("secret:1", optional=True), allow_missing=True)
    assert plan.images[0].status == "failed"
    assert len(plan.failures) == 1


@pytest.mark.parametrize("error", [HostUnknown("no such host"), CredentialsRejected("wrong password")])
def test_a_source_that_is_down_is_asked_once_and_other_sources_are_served(error: TransloadError) -> None:
    scene = Scene()
    scene.publish_elsewhere(ONE, "app:1")
    scene.script(faults.fails("fetch", lambda: error, times=ALWAYS))
    first = scene.plan("a:1")
    assert first.images[0].error is error
    many = [item(f"image{number}:1") for number in range(40)]
    plan = scene.plan(*many, item("app:1", store=OTHER_SOURCE))
    assert scene.source.calls["fetch"] <= 4, "one question for each thread that was on its way"
    assert plan.count("failed") == 40
    assert plan.images[-1].status == "new"


def test_trouble_with_one_image_does_not_condemn_its_source() -> None:
    scene = Scene()
    scene.publish(ONE, "a:1", "b:1", "c:1")
    scene.script(faults.fails("fetch", lambda: ServerTrouble("502"), subject="a:1", times=ALWAYS))
    for _ in range(3):
        assert [each.status for each in scene.plan("a:1", "b:1", "c:1").images] == ["failed", "new", "new"]


def test_a_target_that_hides_what_is_not_there_is_taken_as_empty() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    denied = [faults.fails(on, lambda: AccessDenied("401 for what does not exist")) for on in ("resolve", "tags")]
    scene.script(*denied, at="target")
    assert copied(scene.plan("app:1")) == set(ONE.blobs)


def test_a_blob_that_may_not_be_asked_for_is_sent() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    scene.deliver(TWO, "app:1")
    scene.script(faults.fails("exists", lambda: AccessDenied("no"), times=ALWAYS), at="target")
    assert copied(scene.plan("app:1")) == set(ONE.blobs)


def test_an_index_with_a_missing_child_fails() -> None:
    scene = Scene()
    built = scene.publish(index([ONE, TWO]), "app:1")
    missing = f"app@{TWO.digest}"
    scene.script(faults.fails("fetch", lambda: ManifestUnknown("gone"), subject=missing, times=ALWAYS))
    plan = scene.plan("app:1")
    assert plan.images[0].status == "missing"
    assert plan.steps == ()
    assert built.digest not in plan.manifests


def test_indexes_nested_too_deep_are_refused() -> None:
    scene = Scene()
    built = ONE
    for _ in range(8):
        built = index([built])
    scene.publish(built, "deep:8")
    scene.publish(index([built]), "deep:9")
    eight, nine = scene.plan("deep:8", "deep:9").images
    assert eight.error is None
    assert isinstance(nine.error, LimitExceeded)


def test_an_image_that_takes_too_much_memory_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    large = index([image(f"part {number}", (10,)) for number in range(20)])
    small = image("small", (10,))
    scene = Scene()
    scene.publish(large, "large:1")
    scene.publish(small, "small:1")
    monkeypatch.setattr(survey, "IMAGE_MANIFESTS_BYTES", 10 * small.manifest.weight)
    plan = scene.plan("large:1", "small:1")
    assert [type(one.error) for one in plan.images] == [LimitExceeded, type(None)]


def test_a_config_that_is_not_json_is_the_images_fault_alone() -> None:
    scene = Scene()
    scene.publish(_with_config(b"not json"), "app:1")
    scene.publish(ONE, "good:1")
    bad, good = scene.plan("app:1", "good:1", platforms=(AMD64,)).images
    assert isinstance(bad.error, ManifestInvalid)
    assert good.error is None


def test_a_config_with_other_bytes_than_promised_is_not_believed() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    scene.script(faults.corrupts(5))
    assert isinstance(scene.plan("app:1", platforms=(AMD64,)).images[0].error, DigestMismatch)


def _with_config(raw: bytes) -> Built:
    config = Content.of(raw, OCI_CONFIG)
    document = artifact("x").manifest.document | {"config": config.descriptor.to_json(), "layers": []}
    return Built(Manifest.parse(json.dumps(document).encode()), (config,))


@pytest.mark.parametrize("error", [ManifestUnknown("HEAD: 404"), AccessDenied("HEAD: 403")])
def test_a_source_that_refuses_head_is_read_and_compared(error: TransloadError) -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    scene.deliver(ONE, "app:1")
    scene.script(faults.fails("resolve", lambda: error, times=ALWAYS))
    plan = scene.plan("app:1")
    assert plan.images[0].status == "unchanged"
    assert plan.failures == ()
