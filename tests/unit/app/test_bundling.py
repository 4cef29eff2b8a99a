"""From a plan to the contents of a bundle, and to the plan that fills it."""

from tests.unit.planning.scene import Scene, check_plan, copied, stored
from transload.app.bundling import contents_of, filling_plan
from transload.inventory.inventory import Inventory, InventoryTarget
from transload.inventory.take import take_inventory
from transload.memory import MemoryStore
from transload.oci import Digest, Name
from transload.planning import Plan, Referrers
from transload.testing.images import artifact, image, multi_platform, signature
from transload.testing.layers import layer

SHARED = layer("shared", 4000)
ONE = image("one", (100, SHARED))
TWO = image("two", (200, SHARED))
NOTHING = Inventory(target="bundle:", prefix="", blobs_per_repository=True, manifests={}, blobs={}, repositories={})


def scene_against(inventory: Inventory) -> Scene:
    scene = Scene(target=InventoryTarget(inventory))
    scene.publish(ONE, "one:1")
    scene.publish(TWO, "two:1")
    return scene


def planned(inventory: Inventory, *names: str, **more: object) -> Plan:
    scene = scene_against(inventory)
    return scene.plan(*names, elsewhere=inventory.holders, **more)  # type: ignore[arg-type]


def inventory_of(*names: str) -> Inventory:
    """What a target has after these were pushed."""
    store = MemoryStore("memory:far")
    scene = Scene(target=store)
    for name in names:
        scene.deliver(ONE if name.startswith("one") else TWO, name)
    return take_inventory(store)


def blobs_of(*builts: object) -> set[Digest]:
    return {content.descriptor.digest for built in builts for content in built.walk_contents()}  # type: ignore[attr-defined]


# --- contents


def test_everything_once_for_an_empty_far_side() -> None:
    plan = planned(NOTHING, "one:1", "two:1")
    contents = contents_of(plan, InventoryTarget(NOTHING).resolve, NOTHING.holders)
    assert {blob.digest for blob in contents.blobs} == blobs_of(ONE, TWO)
    assert {manifest.digest for manifest in contents.manifests} == {ONE.digest, TWO.digest}
    assert [(str(each.name), each.present) for each in contents.images] == [("one:1", False), ("two:1", False)]
    assert contents.prerequisites == ()
    assert contents.plan_digest is not None


def test_what_the_far_side_has_elsewhere_is_a_prerequisite_of_who_needs_it() -> None:
    far = inventory_of("one:1")
    plan = planned(far, "one:1", "two:1")
    contents = contents_of(plan, InventoryTarget(far).resolve, far.holders, against="site.json")
    assert {blob.digest for blob in contents.blobs} == blobs_of(TWO) - {SHARED.descriptor.digest}
    needed = {each.descriptor.digest: (each.repositories, each.images) for each in contents.prerequisites}
    assert needed[SHARED.descriptor.digest] == (("one",), ("two:1",))
    assert needed[ONE.digest] == ((), ("one:1",))
    assert {str(each.name): each.present for each in contents.images} == {"one:1": True, "two:1": False}
    assert contents.against == "site.json"


def test_images_that_failed_are_left_out() -> None:
    plan = planned(NOTHING, "one:1", "absent:1", allow_missing=True)
    contents = contents_of(plan, InventoryTarget(NOTHING).resolve, NOTHING.holders)
    assert [str(each.name) for each in contents.images] == ["one:1"]


def test_a_tag_of_cosign_travels_like_an_image_and_a_referrer_with_its_image() -> None:
    built = multi_platform("signed", (100,))
    tag = f"sha256-{built.digest.encoded}.sig"
    scene = scene_against(NOTHING)
    scene.publish(built, "app:1")
    scene.publish(artifact("cosign"), f"app:{tag}")
    scene.publish(signature(built), f"app@{signature(built).digest}")
    plan = scene.plan("app:1", referrers=Referrers.NEW)
    contents = contents_of(plan, InventoryTarget(NOTHING).resolve, NOTHING.holders)
    assert [str(each.name) for each in contents.images] == ["app:1", f"app:{tag}"]
    assert contents.needs(contents.images[0], {signature(built).digest: 3}) == (3,)


# --- filling


def test_nothing_is_mounted_in_a_bundle() -> None:
    plan = planned(NOTHING, "one:1", "two:1")
    filling = filling_plan(plan, "bundle:b")
    check_plan(filling)
    assert filling.target == "bundle:b"
    assert copied(filling) == blobs_of(ONE, TWO)
    assert stored(filling) == ["one:1", "two:1"]
    assert filling.mounted.blobs == 0
    assert filling.copied == plan.copied
    two = filling.steps[filling.images[1].goals[0]]
    assert len(two.needs) == len(TWO.manifest.blobs)  # the shared layer, brought for the first, as well


def test_what_an_earlier_run_left_is_there_already() -> None:
    plan = planned(NOTHING, "one:1", "two:1")
    filling = filling_plan(plan, "bundle:b", lambda blob: blob.digest == SHARED.descriptor.digest)
    check_plan(filling)
    assert copied(filling) == blobs_of(ONE, TWO) - {SHARED.descriptor.digest}
    one, two = filling.images
    assert (one.present.blobs, one.present.bytes) == (1, SHARED.descriptor.size)
    assert two.present.blobs == 0  # counted once, as it was to be copied once
    assert filling.copied.bytes + SHARED.descriptor.size == plan.copied.bytes


def test_when_all_blobs_are_there_only_manifests_are_left() -> None:
    filling = filling_plan(planned(NOTHING, "one:1", "two:1"), "bundle:b", lambda _: True)
    check_plan(filling)
    assert copied(filling) == set()
    assert stored(filling) == ["one:1", "two:1"]
    assert filling.copied.blobs == 0
    assert filling.present.blobs == len(blobs_of(ONE, TWO))


def test_what_the_far_side_has_is_not_in_the_filling_plan() -> None:
    far = inventory_of("one:1")
    filling = filling_plan(planned(far, "one:1", "two:1"), "bundle:b")
    check_plan(filling)
    assert copied(filling) == blobs_of(TWO) - {SHARED.descriptor.digest}
    assert stored(filling) == ["two:1"]
    assert filling.images[0].goals == ()
    assert str(Name("one", "1")) == filling.images[0].label
