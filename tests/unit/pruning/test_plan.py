"""What goes from a pool of manifests, and what stays because something needs it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transload.errors import CorruptError
from transload.oci import Digest, Name
from transload.pruning.held import Held, HeldManifest, Pool
from transload.pruning.plan import PrunePlan, decide


def digest(word: str) -> Digest:
    return Digest.of(word.encode())


def manifest(
    word: str, children: tuple[str, ...] = (), subject: str | None = None, blobs: tuple[str, ...] = ()
) -> HeldManifest:
    return HeldManifest(
        digest=digest(word),
        size=100,
        children=tuple(map(digest, children)),
        subject=digest(subject) if subject else None,
        blobs={digest(blob): 1000 for blob in blobs},
    )


def pool(names: dict[str, str], *manifests: HeldManifest, repository: str = "app") -> Pool:
    tags = {Name(repository, tag): digest(word) for tag, word in names.items()}
    return Pool(repository=repository, names=tags, manifests={held.digest: held for held in manifests})


def plan_of(*pools: Pool, going: str) -> PrunePlan:
    wanted = {name: "the rule" for pool in pools for name in pool.names if name.tag in going.split()}
    return decide(Held(target="registry.test", prefix="", pools=pools), wanted)


def gone(plan: PrunePlan) -> set[Digest]:
    return {digest for pool in plan.pools for digest in pool.manifests}


def test_blobs_that_something_else_needs_free_nothing() -> None:
    old, new = manifest("old", blobs=("base", "one")), manifest("new", blobs=("base", "two"))
    plan = plan_of(pool({"v1": "old", "v2": "new"}, old, new), going="v1")
    assert (gone(plan), plan.bytes, plan.stays) == ({old.digest}, 1100, 1)
    assert plan.sizes == {old.digest: 100, digest("one"): 1000}


def test_a_blob_of_two_repositories_counts_once_and_only_if_both_let_it_go() -> None:
    here = pool({"v1": "a", "v2": "keep"}, manifest("a", blobs=("base",)), manifest("keep"))
    there = pool({"v1": "b", "v3": "b"}, manifest("b", blobs=("base",)), repository="other")
    assert plan_of(here, there, going="v1").bytes == 100
    both = plan_of(here, there, going="v1 v3")
    assert both.bytes == 1200
    assert both.emptied == ("other",)
    assert both.bytes_of(both.names[:1]) == 1100


def test_a_manifest_with_another_tag_stays_and_its_tag_goes_alone() -> None:
    plan = plan_of(pool({"v1": "a", "latest": "a"}, manifest("a", blobs=("x",))), going="v1")
    assert [(going.name.tag, going.only_name) for going in plan.names] == [("v1", True)]
    assert (gone(plan), plan.bytes) == (set(), 0)


def test_children_that_an_index_which_stays_needs_are_kept() -> None:
    shared, own = manifest("shared", blobs=("x",)), manifest("own", blobs=("y",))
    old, new = manifest("old", ("shared", "own")), manifest("new", ("shared",))
    plan = plan_of(pool({"v1": "old", "v2": "new"}, shared, own, old, new), going="v1")
    assert plan.pools[0].manifests == (old.digest, own.digest)


def test_a_child_with_a_tag_of_its_own_stays() -> None:
    child, old = manifest("child"), manifest("old", ("child",))
    assert gone(plan_of(pool({"v1": "old", "amd64": "child"}, child, old), going="v1")) == {old.digest}


def test_signatures_go_and_stay_with_their_image() -> None:
    sig = f"sha256-{digest('old').encoded}.sig"
    kept = f"sha256-{digest('new').encoded}.sig"
    lists = f"sha256-{digest('old').encoded}"
    held = pool(
        {"v1": "old", "v2": "new", sig: "s1", kept: "s2", lists: "list"},
        manifest("old"),
        manifest("new"),
        manifest("s1"),
        manifest("s2"),
        manifest("list", ("sbom",)),
        manifest("sbom", subject="old"),
        manifest("sbom of new", subject="new"),
        manifest("signature of the sbom", subject="sbom"),
    )
    plan = plan_of(held, going="v1")
    assert {going.name.tag for going in plan.names} == {"v1", sig, lists}
    order = [plan.pools[0].manifests.index(digest(word)) for word in ("list", "signature of the sbom", "sbom", "old")]
    assert order == sorted(order)
    assert gone(plan) == {digest(word) for word in ("old", "s1", "list", "sbom", "signature of the sbom")}


def test_what_a_kept_artifact_refers_to_stays() -> None:
    held = pool({"v1": "image", "sbom": "s"}, manifest("image", blobs=("x",)), manifest("s", subject="image"))
    plan = plan_of(held, going="v1")
    assert (gone(plan), [going.only_name for going in plan.names]) == (set(), [True])


def test_a_signature_of_an_image_that_is_not_there_stays() -> None:
    orphan = f"sha256-{digest('nobody').encoded}.sig"
    plan = plan_of(pool({"v1": "a", orphan: "s", "v2": "b"}, manifest("a"), manifest("s"), manifest("b")), going="v1")
    assert {going.name.tag for going in plan.names} == {"v1"}


def test_tags_that_lead_in_a_circle_do_no_harm() -> None:
    mine = f"sha256-{digest('parent').encoded}.sig"
    other = f"sha256-{digest('child').encoded}.att"
    held = pool({"v1": "parent", mine: "child", other: "parent"}, manifest("parent", ("child",)), manifest("child"))
    assert gone(plan_of(held, going="v1")) == {digest("parent"), digest("child")}


def test_nothing_goes_from_a_repository_that_could_not_be_read() -> None:
    broken = Pool(
        repository="app",
        names={Name("app", "v1"): digest("a")},
        manifests={digest("a"): manifest("a", blobs=("base",))},
        trouble=CorruptError("app:v2 is damaged"),
    )
    other = pool({"v1": "b", "v2": "c"}, manifest("b", blobs=("base",)), manifest("c"), repository="other")
    plan = plan_of(broken, other, going="v1")
    assert [going.name.repository for going in plan.names] == ["other"]
    assert [(str(left.name), left.why) for left in plan.left] == [
        ("app:v1", "app:v2 is damaged, so nobody knows what is needed there")
    ]
    assert plan.bytes == 100


NUMBERS = st.integers(0, 7)
GRAPHS = st.lists(
    st.tuples(st.sets(NUMBERS, max_size=3), st.none() | NUMBERS, st.sets(st.integers(0, 5), max_size=3)),
    min_size=1,
    max_size=8,
)


@given(GRAPHS, st.lists(st.tuples(NUMBERS, st.booleans(), st.booleans()), max_size=8))
def test_what_stays_is_whole_and_what_is_freed_is_needed_by_nobody(
    graph: list[tuple[set[int], int | None, set[int]]], tags: list[tuple[int, bool, bool]]
) -> None:
    """Manifest n may have the lower numbers as children and as its subject, as hashes allow."""
    held = [
        manifest(
            f"m{number}",
            tuple(f"m{child}" for child in children if child < number),
            f"m{subject}" if subject is not None and subject < number else None,
            tuple(f"b{blob}" for blob in blobs),
        )
        for number, (children, subject, blobs) in enumerate(graph)
    ]
    names = {}
    for position, (number, goes, accompanies) in enumerate(tags):
        tag = f"sha256-{digest(f'm{number}').encoded}.sig" if accompanies else f"{'old' if goes else 'new'}{position}"
        names[tag] = f"m{position % len(held) if accompanies else number % len(held)}"
    before = pool(names, *held)
    going = {name: "old" for name in before.names if (name.tag or "").startswith("old")}
    plan = decide(Held(target="t", prefix="", pools=(before,)), going)

    left = {name: found for name, found in before.names.items() if name not in {one.name for one in plan.names}}
    assert set(going) == {one.name for one in plan.names} - {name for name in before.names if "sha256-" in str(name)}
    stays = {number: one for number, one in before.manifests.items() if number not in gone(plan)}
    waiting = list(left.values())
    while waiting:
        found = waiting.pop()
        assert found in stays
        waiting += stays[found].children
        assert stays[found].subject is None or stays[found].subject in stays
    for referrer in before.manifests.values():
        if referrer.subject in left.values():
            assert referrer.digest in stays
    needed = {blob for one in stays.values() for blob in one.blobs} | stays.keys()
    everything = {blob for one in held for blob in one.blobs} | before.manifests.keys()
    assert plan.sizes.keys() == everything - needed
