"""What a plan says when the target has nothing, all, or part of what is wanted; and how few questions that takes."""

import threading
from pathlib import Path

import pytest

from tests.unit.planning.scene import OTHER_SOURCE, Scene, copied, item, mounted, stored
from transload.errors import Interrupted, RepositoryUnknown, TargetConflict, Unreachable
from transload.events import Progressed
from transload.layout import LayoutStore
from transload.oci import Descriptor, Name
from transload.planning import ManifestStep, Request, make_plan
from transload.planning.plan import Requests, Share
from transload.ports import RequestCosts
from transload.testing import faults
from transload.testing.images import fill, image, index, multi_platform, put
from transload.testing.layers import layer
from transload.testing.releases import release
from transload.threads import Cancellation

ONE = image("one", (100, 2000))
SHARED = layer("shared", 5000)


def test_a_cold_image_is_copied_blob_by_blob_and_its_tag_moves_last() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    plan = scene.plan("app:1")
    (planned,) = plan.images
    assert copied(plan) == set(ONE.blobs)
    assert plan.steps[-1].needs == (0, 1, 2)
    assert stored(plan) == ["app:1"]
    assert (planned.status, planned.digest, planned.source_digest) == ("new", ONE.digest, ONE.digest)
    assert planned.goals == (3,)
    assert planned.copied == Share(3, sum(map(len, ONE.blobs.values())))


def test_a_cold_image_costs_one_question_to_the_source_and_two_to_the_target() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    scene.plan("app:1")
    assert scene.source.calls == {"fetch": 1, "exists": 3}  # a local source is asked for its blobs, which costs nothing
    assert scene.target.calls == {"resolve": 1, "tags": 1}


def test_an_unchanged_image_costs_one_question_to_each_side() -> None:
    scene = Scene()
    scene.publish(multi_platform("many"), "app:1")
    scene.deliver(multi_platform("many"), "app:1")
    plan = scene.plan("app:1")
    assert scene.source.subjects == [("resolve", "app:1")]
    assert scene.target.subjects == [("resolve", "app:1")]
    assert plan.images[0].status == "unchanged"
    assert plan.steps == ()


def test_an_unchanged_image_wanted_by_digest_costs_the_source_nothing() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    scene.deliver(ONE, "app:1")
    plan = scene.plan(item(f"app:1@{ONE.digest}", "app:1"))
    assert plan.images[0].status == "unchanged"
    assert not scene.source.calls
    assert scene.target.calls == {"resolve": 1}


def test_a_name_without_tag_is_stored_and_recognised_by_digest() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    wanted = item(f"app@{ONE.digest}", "mirror/app")
    plan = scene.plan(wanted)
    assert stored(plan) == [f"mirror/app@{ONE.digest}"]
    scene.deliver(ONE, "mirror/app")
    assert scene.plan(wanted).images[0].status == "unchanged"


def test_a_tag_wanted_without_a_tag_asks_the_target_for_no_nameless_thing() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    plan = scene.plan(item("app:1", "mirror/app"))
    assert stored(plan) == [f"mirror/app@{ONE.digest}"]
    assert "resolve" not in scene.target.calls


def test_the_next_release_brings_only_what_is_new() -> None:
    before, after = (release(images=8, size=100_000, version=version) for version in (1, 2))
    scene = Scene()
    for name, built in before.images.items():
        scene.deliver(built, f"{name}:current")
    for name, built in after.images.items():
        scene.publish(built, f"{name}:current")
    plan = scene.plan(*(f"{name}:current" for name in after.images))
    old = {content.descriptor.digest for content in before.contents()}
    new = {content.descriptor.digest for content in after.contents()} - old
    assert copied(plan) == new
    assert plan.count("unchanged") == 2
    assert plan.count("changed") == 6
    assert plan.present.blobs + plan.copied.blobs + plan.mounted.blobs == sum(
        len(built.blobs) for name, built in after.images.items() if built.digest != before.images[name].digest
    )


def test_a_blob_of_several_repositories_is_copied_once_and_mounted_after() -> None:
    scene = Scene()
    for name in ("a", "b", "c"):
        scene.publish(image(name, (SHARED,)), f"{name}:1")
    plan = scene.plan("a:1", "b:1", "c:1")
    first = next(step for step in plan.blob_steps() if step.descriptor.digest == SHARED.descriptor.digest)
    assert (first.repository, first.origin, first.after) == ("a", None, None)
    assert mounted(plan) == {("b", SHARED.descriptor.digest, "a"), ("c", SHARED.descriptor.digest, "a")}
    assert {step.after for step in plan.blob_steps() if step.origin} == {first.id}


def test_a_blob_that_another_wanted_repository_holds_is_mounted_at_once() -> None:
    scene = Scene()
    scene.deliver(image("old a", (SHARED,)), "a:1")
    scene.publish(image("a", (SHARED,)), "a:1")
    scene.publish(image("b", (SHARED,)), "b:1")
    plan = scene.plan("b:1", "a:1")
    assert mounted(plan) == {("b", SHARED.descriptor.digest, "a")}
    assert all(step.after is None for step in plan.blob_steps())


def test_a_pool_takes_every_blob_once_and_needs_no_mounts(tmp_path: Path) -> None:
    scene = Scene(target=LayoutStore(tmp_path / "layout", create=True))
    for name in ("a", "b"):
        scene.publish(image(name, (SHARED,)), f"{name}:1")
    plan = scene.plan("a:1", "b:1")
    assert not mounted(plan)
    assert len(copied(plan)) == 3
    assert "tags" not in scene.target.calls
    assert all(image.error is None and image.done for image in scene.run(plan).images)
    assert scene.plan("a:1", "b:1").count("unchanged") == 2


def test_a_pool_that_holds_a_blob_of_another_repository_is_not_sent_it_again(tmp_path: Path) -> None:
    scene = Scene(target=LayoutStore(tmp_path / "layout", create=True))
    scene.deliver(image("a", (SHARED,)), "a:1")
    scene.publish(image("b", (SHARED,)), "b:1")
    assert SHARED.descriptor.digest not in copied(scene.plan("b:1"))


def test_images_of_several_sources_share_what_they_share() -> None:
    scene = Scene()
    scene.publish(image("a", (SHARED,)), "a:1")
    scene.publish_elsewhere(image("b", (SHARED,)), "b:1")
    plan = scene.plan("a:1", item("b:1", store=OTHER_SOURCE))
    assert plan.sources == ("memory:other", "memory:source")
    assert mounted(plan) == {("b", SHARED.descriptor.digest, "a")}


def test_the_same_image_under_two_tags_is_copied_once_and_named_twice() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1", "app:latest")
    plan = scene.plan("app:1", "app:latest")
    assert stored(plan) == ["app:1", "app:latest"]
    assert plan.steps[-1].needs == plan.steps[-2].needs
    assert [image.copied.blobs for image in plan.images] == [3, 0]


def test_the_same_item_twice_is_one_piece_of_work_with_two_results() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    plan = scene.plan("app:1", "app:1")
    assert stored(plan) == ["app:1"]
    assert plan.images[0].goals == plan.images[1].goals


def test_a_layer_that_is_there_twice_is_copied_once() -> None:
    scene = Scene()
    scene.publish(image("twice", (SHARED, SHARED, SHARED)), "app:1")
    plan = scene.plan("app:1")
    assert len(list(plan.blob_steps())) == 2
    assert plan.steps[-1].needs == (0, 1)


def test_an_index_is_copied_whole_children_first() -> None:
    scene = Scene()
    built = scene.publish(multi_platform("many"), "app:1")
    plan = scene.plan("app:1")
    assert copied(plan) == set(built.blobs)
    assert stored(plan) == [*(f"app@{child.digest}" for child in built.children), "app:1"]
    children = [step.id for step in plan.steps[:-1] if isinstance(step, ManifestStep)]
    assert plan.steps[-1].needs == tuple(children)


def test_a_child_of_two_indexes_is_stored_once() -> None:
    scene = Scene()
    child = image("child")
    scene.publish(index([child, image("left")]), "app:left")
    scene.publish(index([child, image("right")]), "app:right")
    assert stored(scene.plan("app:left", "app:right")).count(f"app@{child.digest}") == 1


def test_an_index_of_an_index_is_copied_inside_out() -> None:
    scene = Scene()
    inner = index([image("deep")])
    scene.publish(index([inner, image("shallow")]), "app:1")
    names = stored(scene.plan("app:1"))
    assert names.index(f"app@{inner.children[0].digest}") < names.index(f"app@{inner.digest}") < names.index("app:1")


def test_a_child_manifest_that_is_there_vouches_for_what_is_below_it() -> None:
    scene = Scene()
    built = scene.publish(multi_platform("many"), "app:1")
    held, lacking = built.children
    scene.deliver(held, "app:amd64")
    plan = scene.plan("app:1")
    assert stored(plan) == [f"app@{lacking.digest}", "app:1"]
    assert not copied(plan) & set(held.blobs)
    assert not {subject for on, subject in scene.target.subjects if on == "exists"} & set(held.blobs)


def test_an_image_whose_manifest_is_there_already_only_gets_its_tag() -> None:
    scene = Scene()
    built = multi_platform("many")
    scene.deliver(built, "app:1")
    scene.publish(built.children[0], "app:amd64")
    scene.publish(built, "app:1")
    plan = scene.plan("app:1", "app:amd64")
    assert stored(plan) == ["app:amd64"]
    assert copied(plan) == set()


def test_an_identical_child_many_times_over_costs_no_more_than_once() -> None:
    """Indexes of fifty times the same index, five deep: 312 million ways down to one image."""
    scene = Scene()
    built = scene.publish(image("bottom"), "app:0")
    for depth in range(1, 6):
        built = index([built] * 50)
        scene.source.store.put_manifest(Name("app", str(depth)), built.manifest)
    assert len(stored(scene.plan("app:5"))) == 6


def test_requests_are_foretold_with_the_tariffs_of_both_sides() -> None:
    scene = Scene()
    scene.source.request_costs = scene.target.request_costs = RequestCosts(small_blob_bytes=3000)
    scene.publish(image("a", (SHARED,)), "a:1")
    scene.publish(image("b", (SHARED,)), "b:1")
    plan = scene.plan("a:1", "b:1")
    configs, layer_upload, mounts, manifests = 2 * 2, 3, 1, 2
    assert plan.requests == Requests(source=3, target=configs + layer_upload + mounts + manifests)


def test_a_local_store_is_charged_nothing() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    assert scene.plan("app:1").requests == Requests(0, 0)


def test_a_hint_about_a_repository_without_manifests_is_checked_and_used() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    there, gone, unknown = (content.descriptor.digest for content in ONE.contents)
    put(scene.target.store, "app", ONE.contents[0])
    put(scene.target.store, "app", ONE.contents[2])
    scene.script(faults.fails("tags", lambda: RepositoryUnknown("no manifests yet")), at="target")
    plan = scene.plan("app:1", known=lambda repository, digest: repository == "app" and digest in {there, gone})
    assert copied(plan) == {gone, unknown}
    assert scene.target.calls["exists"] == 2


@pytest.mark.parametrize("names", [("app:1", "app:1"), ("a:1", "b:1")])
def test_one_target_name_for_two_contents_is_refused(names: tuple[str, str]) -> None:
    scene = Scene()
    scene.publish(ONE, names[0])
    scene.publish_elsewhere(image("two"), names[1])
    items = [item(names[0], "mirror:1"), item(names[1], "mirror:1", store=OTHER_SOURCE)]
    with pytest.raises(TargetConflict) as caught:
        scene.plan(*items)
    assert caught.value.subject == "mirror:1"
    assert "memory:other/" in caught.value.message


def test_one_target_name_for_the_same_content_twice_is_no_conflict() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    scene.publish_elsewhere(ONE, "app:1")
    assert scene.plan("app:1", item("app:1", store=OTHER_SOURCE)).count("new") == 2


def test_trouble_at_the_target_ends_the_planning_and_says_where() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    scene.script(faults.fails("resolve"), at="target")
    with pytest.raises(Unreachable) as caught:
        scene.plan("app:1")
    assert caught.value.side == "target"


def test_a_question_that_is_cut_by_an_end_of_the_run_fails_no_image() -> None:
    scene, cancellation = Scene(), Cancellation()
    scene.publish(image("app"), "app:1")

    def cut() -> Interrupted:
        cancellation.cancel()
        return Interrupted("interrupted")

    scene.script(faults.fails("fetch", cut, times=9))
    with pytest.raises(Interrupted):
        make_plan(Request((item("app:1"),)), scene.sources, scene.target, cancellation=cancellation)


def test_planning_can_be_interrupted() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1")
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Interrupted):
        make_plan(Request((item("app:1"),)), scene.sources, scene.target, cancellation=cancellation)


def test_nothing_wanted_is_an_empty_plan() -> None:
    plan = Scene().plan()
    assert (plan.images, plan.steps, plan.copied) == ((), (), Share())


def test_nothing_is_said_of_blobs_where_none_is_asked_for() -> None:
    """A log said "0 of 0 blobs looked for at the target" of a pack, and of every target that is empty."""
    scene = Scene()
    scene.publish(image("a"), "a:1")
    told: list[Progressed] = []
    make_plan(Request((item("a:1"),)), scene.sources, scene.target, threads=4, working=told.append)
    assert Progressed("surveying", 1, 1) in told
    assert not [each for each in told if each.activity == "searching" and not each.total]


def test_where_nothing_is_asked_over_a_wire_one_thread_asks(tmp_path: Path) -> None:
    """More of them would only wait for each other."""
    source = LayoutStore(tmp_path / "source", create=True)
    fill(source, ONE, "app", "1")
    threads = set[int]()

    class Watched(LayoutStore):
        def resolve(self, name: Name) -> Descriptor:
            threads.add(threading.get_ident())
            return super().resolve(name)

    target = Watched(tmp_path / "target", create=True)
    wanted = tuple(item("app:1", f"copy/app:{number}", store=source.locator) for number in range(40))
    plan = make_plan(Request(wanted), {source.locator: source}, target)
    assert plan.count("new") == 40
    assert len(threads) == 1
