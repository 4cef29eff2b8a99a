"""A plan that was saved earlier is judged before it is carried out, and copies only what was judged."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from attrs import evolve

from tests.unit.app.signed import Signer, policy, rule
from transload.app.judgedplan import judged_plan
from transload.app.location import Location
from transload.app.mirror import Prepared
from transload.app.trusting import Judge
from transload.errors import DocumentInvalid, PolicyRefused, Unreachable
from transload.memory import MemoryStore
from transload.oci import Name, Platform
from transload.planning import Item, Plan, Request, make_plan
from transload.planning.plan import ManifestStep
from transload.planning.planfile import dump_plan, load_plan
from transload.planning.request import Referrers
from transload.testing.faults import FaultyStore, fails
from transload.testing.images import fill, image, multi_platform
from transload.threads import Cancellation
from transload.transfer import run
from transload.trust.policy import Policy

VENDOR, OTHER = Signer("vendor.pub"), Signer("other.pub")
APP, FREE, WIDE = image("app"), image("free"), multi_platform("wide", (1000, 2000))
SHOP = "vendor.example"
ONE_PLATFORM = (Platform.parse("linux/amd64"),)


@pytest.fixture
def vendor() -> MemoryStore:
    store = MemoryStore(SHOP)
    for built, name in ((APP, "app"), (FREE, "free"), (WIDE, "wide")):
        fill(store, built, f"shop/{name}", "v1")
    for built, name in ((APP, "app"), (WIDE, "wide")):
        VENDOR.sign(store, f"shop/{name}", built, f"{SHOP}/shop/{name}")
    return store


def saved(vendor: MemoryStore, *names: str, platforms: tuple[Platform, ...] = ()) -> Plan:
    """A plan as `apply` reads it from its file."""
    items = tuple(Item(SHOP, Name(f"shop/{name}", "v1"), Name(f"mirror/{name}", "v1")) for name in names)
    return load_plan(dump_plan(make_plan(Request(items, platforms=platforms), {SHOP: vendor}, MemoryStore("memory:"))))


def judged(plan: Plan, vendor: MemoryStore | FaultyStore, wanted: Policy, *, own: bool = True) -> Prepared:
    prepared = Prepared(
        plan=plan, sources={SHOP: vendor}, target=MemoryStore("memory:"), location=Location("oci", "site")
    )
    return judged_plan(prepared, Judge(wanted), Cancellation(), own=own)


def failed(prepared: Prepared) -> Mapping[str, type[Exception]]:
    return {image.label: type(image.error) for image in prepared.plan.images if image.error is not None}


REQUIRED = policy(rule("", VENDOR))


def test_images_that_do_not_hold_are_left_out_and_the_others_go_on(vendor: MemoryStore) -> None:
    prepared = judged(saved(vendor, "app", "free"), vendor, REQUIRED)
    assert failed(prepared) == {"mirror/free:v1": PolicyRefused}
    assert prepared.verdicts.keys() == {"mirror/app:v1", "mirror/free:v1"}
    outcome = run(prepared.plan, prepared.sources, prepared.target)
    assert [ended.error is None for ended in outcome.images] == [True, False]
    assert list(prepared.target.repositories()) == ["mirror/app"]


def test_a_narrowed_index_is_judged_by_the_published_one(vendor: MemoryStore) -> None:
    plan = saved(vendor, "wide", platforms=ONE_PLATFORM)
    assert plan.images[0].digest != plan.images[0].source_digest
    assert not failed(judged(plan, vendor, REQUIRED))
    assert failed(judged(plan, vendor, policy(rule("", OTHER)))) == {"mirror/wide:v1": PolicyRefused}


def test_a_plan_that_puts_something_else_under_a_tag_is_refused(vendor: MemoryStore) -> None:
    """Each image in it is signed, and a step would still bring the unsigned one under its tag."""
    plan, evil = saved(vendor, "app"), saved(vendor, "free")
    name = Name("mirror/app", "v1")
    steps = tuple(evolve(step, name=name) if isinstance(step, ManifestStep) else step for step in evil.steps)
    crafted = evolve(plan, steps=steps, manifests=evil.manifests)
    with pytest.raises(DocumentInvalid, match="would put .* under mirror/app:v1, and names no such image"):
        judged(crafted, vendor, REQUIRED)


def test_a_plan_that_calls_another_image_a_part_of_a_signed_one_is_refused(vendor: MemoryStore) -> None:
    plan = saved(vendor, "free")
    crafted = evolve(plan, images=(evolve(plan.images[0], source=Name("shop/wide", "v1"), source_digest=WIDE.digest),))
    assert failed(judged(crafted, vendor, REQUIRED)) == {"mirror/free:v1": DocumentInvalid}


def test_a_plan_that_does_not_say_what_was_published_is_refused(vendor: MemoryStore) -> None:
    plan = saved(vendor, "app")
    crafted = evolve(plan, images=(evolve(plan.images[0], source_digest=None),))
    assert failed(judged(crafted, vendor, REQUIRED)) == {"mirror/app:v1": DocumentInvalid}


def test_a_plan_from_elsewhere_chooses_no_weaker_rule(vendor: MemoryStore) -> None:
    wanted = policy(rule("", VENDOR), rule(SHOP, mode="skip"))
    plan = saved(vendor, "free")
    assert not failed(judged(plan, vendor, wanted))
    assert failed(judged(plan, vendor, wanted, own=False)) == {"mirror/free:v1": PolicyRefused}


def test_what_could_not_be_asked_fails_with_that_error(vendor: MemoryStore) -> None:
    plan = saved(vendor, "wide", platforms=ONE_PLATFORM)
    down = fails("fetch", lambda: Unreachable("no answer"), subject=f"shop/wide@{WIDE.digest}")
    assert failed(judged(plan, FaultyStore(vendor, [down]), REQUIRED)) == {"mirror/wide:v1": Unreachable}


def test_nothing_to_copy_is_not_judged(vendor: MemoryStore) -> None:
    target = MemoryStore("memory:")
    fill(target, FREE, "mirror/free", "v1")
    item = Item(SHOP, Name("shop/free", "v1"), Name("mirror/free", "v1"))
    plan = make_plan(Request((item,)), {SHOP: vendor}, target)
    counted = FaultyStore(vendor)
    assert not failed(judged(plan, counted, REQUIRED))
    assert not counted.calls


def test_steps_that_belong_to_no_image_are_refused(vendor: MemoryStore) -> None:
    """The image says that there is nothing to do for it, so it would not be judged; its steps would be done."""
    plan = saved(vendor, "free")
    for planned in (
        evolve(plan.images[0], goals=()),
        evolve(plan.images[0], goals=plan.images[0].goals[:0], status="unchanged"),
    ):
        with pytest.raises(DocumentInvalid, match="would put .* under mirror/free:v1, which is no step of that image"):
            judged(load_plan(dump_plan(evolve(plan, images=(planned,)))), vendor, REQUIRED)


def test_steps_of_an_image_that_has_failed_are_refused(vendor: MemoryStore) -> None:
    plan = saved(vendor, "free")
    error = Unreachable("no answer")
    crafted = evolve(plan, images=(evolve(plan.images[0], goals=(), status="failed", error=error),))
    with pytest.raises(DocumentInvalid, match="would put"):
        judged(load_plan(dump_plan(crafted)), vendor, REQUIRED)


def test_steps_that_only_another_image_wants_are_refused(vendor: MemoryStore) -> None:
    plan = saved(vendor, "app", "free")
    app, free = plan.images
    crafted = evolve(plan, images=(evolve(app, goals=(*app.goals, *free.goals)), evolve(free, goals=())))
    with pytest.raises(DocumentInvalid, match="would put .* under mirror/free:v1"):
        judged(load_plan(dump_plan(crafted)), vendor, REQUIRED)


def test_the_tag_of_a_signature_at_the_source_is_no_way_to_another_tag(vendor: MemoryStore) -> None:
    """What lies under the tag of a signature goes with its image, unjudged; so it must stay under that tag."""
    fill(vendor, FREE, "shop/app", f"sha256-{APP.digest.encoded}.att")
    plan = saved(vendor, "app", "free")
    free = evolve(plan.images[1], source=Name("shop/app", f"sha256-{APP.digest.encoded}.att"))
    crafted = evolve(plan, images=(plan.images[0], free))
    assert failed(judged(load_plan(dump_plan(crafted)), vendor, REQUIRED)) == {"mirror/free:v1": PolicyRefused}


def test_an_image_that_a_step_brings_beside_a_signed_one_is_judged(vendor: MemoryStore) -> None:
    plan = saved(vendor, "app", "free")
    (step,) = (step for step in plan.steps if isinstance(step, ManifestStep) and step.digest == FREE.digest)
    untagged = evolve(step, name=step.name.at(FREE.digest))
    steps = tuple(untagged if each is step else each for each in plan.steps)
    app = evolve(plan.images[0], goals=(*plan.images[0].goals, step.id))
    crafted = load_plan(dump_plan(evolve(plan, images=(app,), steps=steps)))
    assert failed(judged(crafted, vendor, REQUIRED)) == {"mirror/app:v1": PolicyRefused}


def test_parts_and_signatures_in_a_plan_are_no_other_images(vendor: MemoryStore) -> None:
    items = tuple(Item(SHOP, Name(f"shop/{name}", "v1"), Name(f"mirror/{name}", "v1")) for name in ("app", "wide"))
    for platforms in ((), ONE_PLATFORM):
        request = Request(items, platforms=platforms, referrers=Referrers.REFRESH)
        plan = load_plan(dump_plan(make_plan(request, {SHOP: vendor}, MemoryStore("memory:"))))
        assert not failed(judged(plan, vendor, REQUIRED))


def test_a_plan_keeps_its_steps_if_nothing_is_refused(vendor: MemoryStore) -> None:
    plan = saved(vendor, "app", "wide")
    assert judged(plan, vendor, REQUIRED).plan == plan


def test_a_manifest_that_no_image_needs_is_refused(vendor: MemoryStore) -> None:
    plan = saved(vendor, "app", "free")
    for name in (Name("mirror/app", None, FREE.digest), Name("mirror/app", f"sha256-{APP.digest.encoded}.sig")):
        steps = tuple(
            evolve(step, name=name) if isinstance(step, ManifestStep) and step.digest == FREE.digest else step
            for step in plan.steps
        )
        crafted = load_plan(dump_plan(evolve(plan, images=plan.images[:1], steps=steps)))
        with pytest.raises(DocumentInvalid, match="which no image needs"):
            judged(crafted, vendor, REQUIRED)


def test_an_image_that_comes_beside_an_unchanged_one_is_judged(vendor: MemoryStore) -> None:
    fill(vendor, image("evil", subject=APP.descriptor), "shop/app", None)
    target = MemoryStore("memory:")
    fill(target, APP, "mirror/app", "v1")
    item = Item(SHOP, Name("shop/app", "v1"), Name("mirror/app", "v1"))
    plan = make_plan(Request((item,), referrers=Referrers.REFRESH), {SHOP: vendor}, target)
    assert plan.images[0].goals
    assert failed(judged(load_plan(dump_plan(plan)), vendor, REQUIRED)) == {"mirror/app:v1": PolicyRefused}
