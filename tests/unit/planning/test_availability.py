"""A local source is asked beforehand whether it has what it will be asked for."""

from tests.unit.planning.scene import Scene
from transload.errors import PrerequisiteMissing
from transload.memory import MemoryStore
from transload.oci import Descriptor, Digest
from transload.planning.plan import BlobStep
from transload.ports import RequestCosts
from transload.testing.images import image
from transload.testing.layers import layer

SHARED = layer("shared", 4000)
ONE = image("one", (100, SHARED))
TWO = image("two", (200,))


class Lossy(MemoryStore):
    """A store that has not got one blob although its manifests name it, as a differential bundle may be."""

    def __init__(self, lost: Digest) -> None:
        super().__init__("memory:source")
        self.lost = lost

    def exists(self, repository: str, descriptor: Descriptor) -> bool:
        return descriptor.digest != self.lost and super().exists(repository, descriptor)


def scene_of(lost: Digest) -> Scene:
    scene = Scene(source=Lossy(lost))
    scene.publish(ONE, "one:1")
    scene.publish(TWO, "two:1")
    return scene


def test_an_image_whose_blob_is_on_neither_side_fails_before_the_run_and_the_others_go_on() -> None:
    plan = scene_of(SHARED.descriptor.digest).plan("one:1", "two:1")
    one, two = plan.images
    assert isinstance(one.error, PrerequisiteMissing)
    assert SHARED.descriptor.digest.short in str(one.error)
    assert one.goals == ()
    assert two.status == "new"
    assert {step.repository for step in plan.steps if isinstance(step, BlobStep)} == {"two"}


def test_what_the_target_has_in_another_repository_is_not_missing() -> None:
    scene = scene_of(SHARED.descriptor.digest)
    scene.deliver(ONE, "one:1")
    scene.publish(image("other", (SHARED, 50)), "other:1")
    scene.deliver(image("before", (SHARED,)), "other:0")
    plan = scene.plan("other:1")
    assert plan.images[0].error is None


def test_a_remote_source_is_not_asked() -> None:
    lossy = Lossy(SHARED.descriptor.digest)
    lossy.request_costs = RequestCosts()
    scene = Scene(source=lossy)
    scene.publish(ONE, "one:1")
    scene.source.calls.clear()
    plan = scene.plan("one:1")
    assert plan.images[0].error is None
    assert "exists" not in scene.source.calls
