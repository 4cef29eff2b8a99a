"""A target that another one feeds: who is asked for what, and what happens if the one that feeds fails."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import transload
from tests.unit.verbs.test_several_targets import BLOBS, MADE, OWN, Scene, is_whole, unused
from transload import Cancellation, LayoutStore, TargetEvent
from transload.errors import Interrupted, SiteLacks, TargetsFailed, UsageError
from transload.events import RunFinished, StepMoved
from transload.memory import MemoryStore
from transload.oci import Name
from transload.report.result import exit_code
from transload.server import ServeSettings, serve
from transload.testing.images import fill
from transload.testing.laboratory import ALWAYS, Fault, Laboratory, refuses
from transload.testing.releases import fill_release, release


@pytest.fixture
def scene() -> Any:
    with ExitStack() as running:
        yield Scene(running)


def fronted(scene: Scene, *faults: Fault) -> tuple[MemoryStore, Laboratory]:
    """A registry behind a front that counts, and spoils requests."""
    store = MemoryStore()
    served = scene.running.enter_context(serve(store, ServeSettings(writable=True)))
    return store, scene.running.enter_context(Laboratory(served.host_port, faults))


def asked(front: Laboratory, kind: str) -> list[str]:
    """What was read from a registry of this kind, after its last upload."""
    return [each.target for each in list(front.tally.requests) if (each.method, each.kind) == ("GET", kind)]


def test_a_site_feeds_two_others_and_the_source_is_read_once(scene: Scene) -> None:
    one, front = fronted(scene)
    (two, second), (three, third) = scene.registry(), scene.registry()
    site = front.host_port
    results = scene.mirror(second, third, site, via={second: site, third: site})
    assert scene.fetched == BLOBS
    assert all(map(is_whole, (one, two, three)))
    read = [target.rpartition("/")[2] for target in asked(front, "blob")]
    assert sorted(read) == sorted(BLOBS)  # once for both
    assert results.via == (site, site, None)
    assert [result.sources for result in results.results] == [(site,), (site,), (scene.source.host_port,)]
    assert [result.counts["copied"] for result in results.results] == [5, 5, 5]
    assert results.read_again.blobs == 0


def test_a_line_of_sites_and_a_folder_at_its_end(scene: Scene, tmp_path: Path) -> None:
    (one, first), (two, second) = scene.registry(), scene.registry()
    folder = f"oci:{tmp_path / 'folder'}"
    results = scene.mirror(f"{first}/x", f"{second}/y", folder, via={folder: second, second: first})
    assert is_whole(one, prefix="x/acme/")
    assert is_whole(two, prefix="y/acme/")
    assert is_whole(LayoutStore(tmp_path / "folder"))
    assert scene.fetched == BLOBS
    assert results.exit_code == 0


def test_a_folder_feeds_a_registry(scene: Scene, tmp_path: Path) -> None:
    two, second = scene.registry()
    folder = f"oci:{tmp_path / 'folder'}"
    assert scene.mirror(folder, second, via={second: folder}).exit_code == 0
    assert is_whole(two)
    assert scene.fetched == BLOBS


def test_what_is_everywhere_costs_one_question_at_each_place(scene: Scene) -> None:
    one, front = fronted(scene)
    two, second = scene.registry()
    scene.mirror(front.host_port, second, via={second: front.host_port})
    before = len(list(front.tally.requests))
    results = scene.mirror(front.host_port, second, via={second: front.host_port})
    assert [result.counts["unchanged"] for result in results.results] == [5, 5]
    since = list(front.tally.requests)[before:]
    assert [(each.method, each.kind) for each in since if each.kind != "base"] == [("HEAD", "manifest")] * 5
    assert is_whole(one)
    assert is_whole(two)


def test_a_target_behind_a_site_that_has_all_reads_nothing_of_the_source(scene: Scene) -> None:
    one, first = scene.registry()
    two, second = scene.registry()
    fill_release(one, MADE, "acme")
    results = scene.mirror(first, second, via={second: first})
    assert is_whole(two)
    assert not scene.fetched
    assert not scene.manifests
    assert [result.counts["unchanged"] for result in results.results] == [5, 0]


def test_what_a_site_lacks_is_told_as_that_and_the_rest_goes_on(scene: Scene) -> None:
    """One image is refused at the site. The next target gets the others, and an older image is not passed on."""
    name = next(iter(MADE.images))
    one, front = fronted(scene, refuses("PUT manifest", 403, "DENIED", about=f"/{name}/", times=ALWAYS))
    fill_release(one, release(images=5, size=1_500_000, version=2), "acme")
    two, second = scene.registry()
    results = scene.mirror(front.host_port, second, via={second: front.host_port}, check=False)
    site, behind = results.results
    assert [image.name for image in behind.failures] == [image.name for image in site.failures]
    (failed,) = behind.failures
    assert failed.problem is not None
    assert failed.problem.code == "site-lacks"
    assert failed.problem.exit_code == 9
    assert failed.problem.message == f"{front.host_port} lacks the image, because its own copy failed (access-denied)"
    assert behind.counts["copied"] == 4
    assert f"acme/{name}" not in list(two.repositories())
    assert set(scene.fetched.values()) == {1}


def test_a_site_that_is_down_leaves_nothing_for_those_behind_it_and_the_rest_go_on(scene: Scene) -> None:
    (two, second), (three, third) = scene.registry(), scene.registry()
    down = unused()
    with pytest.raises(TargetsFailed) as caught:
        scene.mirror(down, second, third, via={second: down})
    error = caught.value.by_target[second]
    assert isinstance(error, SiteLacks)
    assert f"{down} has nothing to give: " in str(error)
    assert is_whole(three)
    assert not list(two.repositories())
    assert caught.value.result.exit_code == 5  # what those behind it lack follows from that


def test_platforms_are_chosen_once(scene: Scene) -> None:
    (one, first), (two, second) = scene.registry(), scene.registry()
    results = scene.mirror(first, second, via={second: first}, platforms="linux/amd64")
    digests = [[image.digest for image in result.images] for result in results.results]
    assert digests[0] == digests[1]
    assert results.exit_code == 0
    assert is_whole(one)
    assert is_whole(two)


def test_a_tag_that_moves_at_the_site_meanwhile_changes_nothing(scene: Scene) -> None:
    (one, first), (two, second) = scene.registry(), scene.registry()
    other = release(images=5, size=1_500_000, version=2)

    for name, built in other.images.items():
        fill(one, built, f"acme/{name}", "other")

    def hear(event: object) -> None:
        if isinstance(event, TargetEvent) and event.target == first and isinstance(event.event, RunFinished):
            for name, built in other.images.items():
                one.put_manifest(Name(f"acme/{name}", MADE.tag), built.manifest)

    results = scene.mirror(first, second, via={second: first}, progress=hear)
    assert is_whole(two)
    assert results.exit_code == 0


@pytest.mark.parametrize(
    ("to", "via", "error", "told"),
    [
        ("oci:a", {"oci:b": "oci:a"}, UsageError, "via is for several targets"),
        (["oci:a", "oci:b"], {"oci:b": "oci:c"}, UsageError, "--via names oci:c"),
        (["oci:a", "oci:b"], {"oci:b": "oci:a", "oci:a": "oci:b"}, UsageError, "goes in a circle"),
        (["oci:a", "oci:b"], "oci:b", TypeError, "via must be a mapping"),
    ],
)
def test_wrong_trees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: Any, via: Any, error: type[Exception], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=told):
        transload.mirror("a/b:1", to=to, via=via, **OWN)


def test_a_gate_does_not_go_with_a_tree(scene: Scene, tmp_path: Path) -> None:
    one, two = (f"oci:{tmp_path / name}" for name in ("one", "two"))
    with pytest.raises(UsageError, match="--gate does not go with --via"):
        scene.mirror(one, two, via={two: one}, gates="true {image}", gate_attestations=False)
    assert not list(tmp_path.iterdir())


def test_a_cancellation_in_the_middle_ends_the_tree_and_the_same_call_goes_on(scene: Scene) -> None:
    (one, first), (two, second) = scene.registry(), scene.registry()
    cancellation = Cancellation()

    def hear(event: object) -> None:
        if isinstance(event, TargetEvent) and isinstance(event.event, StepMoved):
            cancellation.cancel()

    with pytest.raises(Interrupted):
        scene.mirror(first, second, via={second: first}, progress=hear, cancellation=cancellation)
    assert not list(two.repositories())
    assert scene.mirror(first, second, via={second: first}).exit_code == 0
    assert is_whole(one)
    assert is_whole(two)


def test_a_policy_judges_what_goes_on_by_the_names_at_the_source(scene: Scene, tmp_path: Path) -> None:
    """The site had the images before there was a policy, so nothing was judged there."""
    one, first = scene.registry()
    fill_release(one, MADE, "acme")
    codes = {}
    for ruled in (scene.source.host_port, first):
        two, second = scene.registry()
        policy = tmp_path / "policy.yaml"
        policy.write_text(f"version: 1\nrules:\n  - {{prefix: '{ruled}/acme', mode: skip}}\n")
        results = scene.mirror(first, second, via={second: first}, policy=policy, check=False)
        assert results.results[0].counts["unchanged"] == 5
        codes[ruled] = results.results[1].counts["copied"], exit_code(results.results[1])
        assert bool(list(two.repositories())) == (ruled == scene.source.host_port)
    assert codes == {scene.source.host_port: (5, 0), first: (0, 7)}
