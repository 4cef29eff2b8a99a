"""How signatures and other referrers are looked for: by default, on demand, and where a source does not answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.planning.scene import Scene, stored
from transload.errors import (
    AccessDenied,
    Interrupted,
    LimitExceeded,
    ManifestInvalid,
    NotFound,
    Refused,
    ServerTrouble,
    TransloadError,
)
from transload.limits import COMPANION_TAGS, COMPANIONS
from transload.memory import MemoryStore
from transload.oci import Descriptor, Digest, Platform
from transload.planning import Narrowing, Plan, Referrers
from transload.ports import RequestCosts
from transload.testing.faults import ALWAYS, fails
from transload.testing.images import Built, artifact, fill, image, multi_platform, signature

ONE = image("one")
MANY = multi_platform("many")
SIGNED = signature(ONE)
AMD64 = Platform.parse("linux/amd64")
ASKING = [mode for mode in Referrers if mode is not Referrers.UNASKED]


def cosign_tag(built: Built) -> str:
    return f"{built.digest.replace(':', '-')}.sig"


def signed_scene() -> Scene:
    """One image with a referrer and a tag of cosign."""
    scene = Scene()
    scene.publish(ONE, "app:1")
    scene.publish(SIGNED, "app")
    scene.publish(artifact("cosign"), f"app:{cosign_tag(ONE)}")
    return scene


def notes(plan: Plan) -> tuple[str, ...]:
    assert plan.images[0].error is None, plan.images[0].error
    return plan.images[0].notes


# --- what comes


@pytest.mark.parametrize("mode", [Referrers.USUAL, Referrers.NEW, Referrers.REFRESH])
def test_they_come_with_a_new_image_after_it_and_before_its_tag(mode: Referrers) -> None:
    plan = signed_scene().plan("app:1", referrers=mode)
    assert stored(plan) == [f"app@{ONE.digest}", f"app:{cosign_tag(ONE)}", f"app@{SIGNED.digest}", "app:1"]
    assert notes(plan) == ()


def test_they_come_with_a_changed_image() -> None:
    scene = signed_scene()
    scene.deliver(image("before"), "app:1")
    assert f"app@{SIGNED.digest}" in stored(scene.plan("app:1", referrers=Referrers.USUAL))


@pytest.mark.parametrize("mode", [Referrers.LEFT, Referrers.USUAL, Referrers.NEW])
def test_an_unchanged_image_costs_one_question_to_each_side(mode: Referrers) -> None:
    scene = signed_scene()
    scene.deliver(ONE, "app:1")
    plan = scene.plan("app:1", referrers=mode)
    assert plan.images[0].status == "unchanged"
    assert plan.images[0].notes == ()
    assert dict(scene.source.calls) == dict(scene.target.calls) == {"resolve": 1}


def test_an_unchanged_image_is_looked_at_on_demand() -> None:
    scene = signed_scene()
    scene.deliver(ONE, "app:1")
    plan = scene.plan("app:1", referrers=Referrers.REFRESH)
    assert plan.images[0].status == "changed"
    assert set(stored(plan)) == {f"app@{SIGNED.digest}", f"app:{cosign_tag(ONE)}"}


def test_an_unchanged_narrowed_image_is_not_looked_at() -> None:
    scene = Scene()
    scene.publish(MANY, "app:1")
    wanted: dict[str, Any] = {"platforms": (AMD64,), "referrers": Referrers.USUAL}
    scene.run(scene.plan("app:1", **wanted))
    assert scene.plan("app:1", **wanted).images[0].status == "unchanged"
    assert {"referrers", "tags"}.isdisjoint(scene.source.calls)


def test_signatures_of_other_images_stay() -> None:
    scene = signed_scene()
    other = scene.publish(image("other"), "app:2")
    scene.publish(signature(other), "app")
    scene.publish(artifact("of the other"), f"app:{cosign_tag(other)}")
    assert len(stored(scene.plan("app:1", referrers=Referrers.USUAL))) == 4


def test_a_tag_of_cosign_that_is_wanted_itself_is_stored_once() -> None:
    """As with `mirror --from STORE`, which takes every tag."""
    plan = signed_scene().plan("app:1", f"app:{cosign_tag(ONE)}", referrers=Referrers.USUAL)
    assert len(stored(plan)) == len(set(stored(plan))) == 4
    assert [one.status for one in plan.images] == ["new", "new"]


# --- each question once


def test_a_repository_is_listed_once_and_an_image_asked_about_once() -> None:
    scene = signed_scene()
    for number in range(2, 40):
        scene.publish(ONE, f"app:{number}")
    scene.plan(*(f"app:{number}" for number in range(1, 40)), referrers=Referrers.USUAL)
    assert scene.source.calls["tags"] == 1
    asked = [subject for operation, subject in scene.source.subjects if operation == "referrers"]
    assert sorted(asked) == sorted([ONE.digest, SIGNED.digest])
    assert sum(subject.endswith(SIGNED.digest) for on, subject in scene.source.subjects if on == "fetch") == 1


# --- what stays is counted


def test_what_is_left_is_counted_and_not_read() -> None:
    scene = signed_scene()
    plan = scene.plan("app:1", referrers=Referrers.LEFT)
    assert stored(plan) == ["app:1"]
    assert notes(plan) == ("2 signatures or other referrers of an image stay at the source",)
    asked = {operation: scene.source.calls[operation] for operation in ("fetch", "referrers", "tags", "resolve")}
    assert asked == {"fetch": 1, "referrers": 1, "tags": 1, "resolve": 0}


def test_one_that_is_left_and_none() -> None:
    scene = Scene()
    scene.publish(ONE, "app:1", "app:2")
    assert notes(scene.plan("app:1", referrers=Referrers.LEFT)) == ()
    scene.publish(SIGNED, "app")
    assert notes(scene.plan("app:1", referrers=Referrers.LEFT)) == (
        "1 signature or other referrer of an image stays at the source",
    )


def test_what_is_left_and_cannot_be_counted_is_no_failure() -> None:
    scene = signed_scene()
    scene.script(fails("referrers", lambda: AccessDenied("no list for you"), times=ALWAYS))
    plan = scene.plan("app:1", referrers=Referrers.LEFT)
    assert notes(plan) == (
        "1 signature or other referrer of an image stays at the source",
        "how many signatures stay at the source could not be asked: no list for you",
    )


def test_a_signature_of_the_published_index_stays_when_the_index_is_rewritten() -> None:
    scene = Scene()
    scene.publish(MANY, "app:1")
    of_index, of_child = (scene.publish(signature(each), "app") for each in (MANY, MANY.children[0]))
    other = scene.publish(signature(MANY.children[1], 7), "app")
    plan = scene.plan("app:1", platforms=(AMD64,), referrers=Referrers.USUAL)
    names = stored(plan)
    assert f"app@{of_child.digest}" in names
    assert not {f"app@{of_index.digest}", f"app@{other.digest}"} & set(names)
    told = "1 signature or other referrer of an image stays with the published index, which is not copied as it is"
    assert notes(plan)[-1] == told
    rewritten = str(plan.images[0].digest)
    assert rewritten not in {subject for operation, subject in scene.source.subjects if operation == "referrers"}


def test_a_signature_of_the_published_index_comes_with_a_sparse_one() -> None:
    scene = Scene()
    scene.publish(MANY, "app:1")
    signed = scene.publish(signature(MANY), "app")
    plan = scene.plan("app:1", platforms=(AMD64,), narrowing=Narrowing.SPARSE, referrers=Referrers.USUAL)
    assert f"app@{signed.digest}" in stored(plan)


# --- a source that does not answer


def refused() -> TransloadError:
    return AccessDenied("that is not for you")


@pytest.mark.parametrize("error", [refused, lambda: ServerTrouble("an error inside"), lambda: LimitExceeded("endless")])
def test_an_image_comes_although_nobody_says_who_refers_to_it(error: Callable[[], TransloadError]) -> None:
    scene = signed_scene()
    scene.script(fails("referrers", error, times=ALWAYS))
    plan = scene.plan("app:1", referrers=Referrers.USUAL)
    assert stored(plan) == [f"app@{ONE.digest}", f"app:{cosign_tag(ONE)}", "app:1"]
    told = f"whether all signatures come along could not be asked: {error()}; --referrers refresh looks for them again"
    assert notes(plan) == (told,)


@pytest.mark.parametrize("mode", [Referrers.NEW, Referrers.REFRESH])
def test_who_demands_them_gets_no_image_without(mode: Referrers) -> None:
    scene = signed_scene()
    scene.script(fails("referrers", refused, times=ALWAYS))
    assert isinstance(scene.plan("app:1", referrers=mode).images[0].error, AccessDenied)


def test_a_refusal_is_not_provoked_by_each_image() -> None:
    scene = Scene()
    for number in range(30):
        scene.publish(image(f"image {number}"), f"app:{number}")
    scene.script(fails("referrers", refused, times=ALWAYS))
    plan = scene.plan(*(f"app:{number}" for number in range(30)), referrers=Referrers.USUAL)
    assert scene.source.calls["referrers"] <= 4, "one for each thread that asks at the same time"
    assert all(len(one.notes) == 1 for one in plan.images)


def test_a_passing_error_with_one_image_is_none_with_another_that_demands() -> None:
    scene = Scene()
    for number in range(5):
        scene.publish(image(f"image {number}"), f"app:{number}")
    scene.script(fails("referrers", lambda: ServerTrouble("for now"), times=1))
    plan = scene.plan(*(f"app:{number}" for number in range(5)), referrers=Referrers.NEW)
    assert len(plan.failures) == 1


@pytest.mark.parametrize("mode", [Referrers.USUAL, Referrers.NEW])
@pytest.mark.parametrize("error", [refused, lambda: Refused("no lists here"), lambda: LimitExceeded("too many pages")])
def test_tags_of_cosign_are_asked_for_by_name_where_tags_are_not_listed(
    error: Callable[[], TransloadError], mode: Referrers
) -> None:
    scene = signed_scene()
    scene.script(fails("tags", error, times=ALWAYS))
    plan = scene.plan("app:1", referrers=mode)
    assert f"app:{cosign_tag(ONE)}" in stored(plan)
    assert notes(plan) == ()
    assert scene.source.calls["tags"] == 1
    assert scene.source.calls["resolve"] == 6, "three for the image, three for its referrer"


def test_a_registry_that_gives_out_neither_tags_nor_a_list_of_them_is_asked_once() -> None:
    scene = Scene()
    for number in range(30):
        scene.publish(image(f"image {number}"), f"app:{number}")
    scene.script(fails("tags", refused, times=ALWAYS), fails("resolve", refused, times=ALWAYS))
    plan = scene.plan(*(f"app:{number}" for number in range(30)), referrers=Referrers.USUAL)
    assert scene.source.calls["resolve"] <= 4
    assert all("could not be asked: that is not for you" in one.notes[0] for one in plan.images)


class Registry(MemoryStore):
    """A store that costs requests, with more tags than are read."""

    request_costs = RequestCosts()

    def tags(self, repository: str):  # type: ignore[no-untyped-def]
        yield from (f"{number}" for number in range(COMPANION_TAGS + 1))
        raise AssertionError("the list was read on")


def test_a_very_long_list_of_tags_is_not_read_to_its_end() -> None:
    scene = Scene(source=Registry("memory:source"))
    scene.publish(ONE, "app:1")
    scene.publish(artifact("cosign"), f"app:{cosign_tag(ONE)}")
    plan = scene.plan("app:1", referrers=Referrers.USUAL)
    assert stored(plan) == [f"app@{ONE.digest}", f"app:{cosign_tag(ONE)}", "app:1"]
    assert scene.source.calls["resolve"] == 3


def test_a_referrer_that_cannot_be_read_stays_and_the_others_come() -> None:
    scene = signed_scene()
    broken = scene.publish(signature(ONE, 7), "app")
    scene.script(fails("fetch", lambda: ManifestInvalid("it is no manifest"), subject=f"app@{broken.digest}", times=9))
    plan = scene.plan("app:1", referrers=Referrers.USUAL)
    assert f"app@{SIGNED.digest}" in stored(plan)
    assert notes(plan) == (
        (
            "1 signature or other referrer of an image could not be read: it is no manifest; "
            "--referrers refresh looks for them again"
        ),
    )
    assert isinstance(scene.plan("app:1", referrers=Referrers.NEW).images[0].error, ManifestInvalid)


def test_a_list_with_a_referrer_that_is_gone() -> None:
    """The fallback tag of a registry without the API may list what was deleted."""
    scene = signed_scene()
    gone = fails("fetch", lambda: NotFound("not there any more"), subject=f"app@{SIGNED.digest}", times=ALWAYS)
    scene.script(gone)
    plan = scene.plan("app:1", referrers=Referrers.USUAL)
    assert plan.images[0].status == "new"
    assert "not there any more" in notes(plan)[0]


@pytest.mark.parametrize("mode", ASKING)
def test_a_run_that_is_ended_ends(mode: Referrers) -> None:
    scene = signed_scene()
    scene.script(fails("referrers", lambda: Interrupted("ended"), times=ALWAYS))
    plan = scene.plan("app:1", referrers=mode)
    assert isinstance(plan.images[0].error, Interrupted)


# --- hostile sources


class Flood(MemoryStore):
    """Everything has as many referrers as are given, which are the same for all."""

    given: tuple[Descriptor, ...] = ()

    def referrers(self, repository: str, digest: Digest) -> tuple[Descriptor, ...]:
        return self.given


def flooded(number: int) -> Scene:
    flood = Flood("memory:source")
    fill(flood, ONE, "app", "1")
    signatures = [signature(ONE, place) for place in range(min(number, 60))]
    for each in signatures:
        fill(flood, each, "app")
    flood.given = tuple(each.descriptor for each in signatures)
    if number > len(signatures):
        kind = SIGNED.manifest.media_type
        flood.given += tuple(Descriptor(kind, Digest.of(b"%d" % place), 100) for place in range(number))
    return Scene(source=flood)


def test_what_all_refer_to_each_other_is_asked_about_once() -> None:
    scene = flooded(60)
    plan = scene.plan("app:1", referrers=Referrers.USUAL)
    assert len(stored(plan)) == 62
    assert scene.source.calls["referrers"] == 61


def test_ten_thousand_referrers_are_not_read() -> None:
    scene = flooded(10_000)
    plan = scene.plan("app:1", referrers=Referrers.USUAL)
    assert stored(plan) == ["app:1"]
    assert f"more than {COMPANIONS} referrers belong to" in notes(plan)[0]
    assert scene.source.calls["fetch"] == 1
    assert scene.source.calls["referrers"] == 1
    assert isinstance(scene.plan("app:1", referrers=Referrers.NEW).images[0].error, LimitExceeded)


def test_a_store_that_holds_no_referrers_is_not_asked() -> None:
    class Archive(MemoryStore):
        refers = None  # type: ignore[assignment]

    scene = Scene(source=Archive("memory:source"))
    scene.publish(ONE, "app:1")
    assert stored(scene.plan("app:1", referrers=Referrers.USUAL)) == ["app:1"]
    assert {"referrers", "tags"}.isdisjoint(scene.source.calls)
