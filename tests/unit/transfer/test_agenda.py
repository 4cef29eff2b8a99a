"""Whatever the plan and however its steps end: each is settled once, none before what it needs, large bodies first."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from transload.oci import Descriptor, Digest, Name
from transload.oci.mediatype import OCI_LAYER_GZIP
from transload.planning import BlobStep, ManifestStep, Step
from transload.transfer.agenda import LIGHT_BYTES, Agenda, always, is_heavy, never

DIGEST = Digest.of(b"")


def blob(
    number: int, size: int = 1, after: int | None = None, *, mounted: bool = False, source: str = "store"
) -> BlobStep:
    origin = "origin" if mounted or after is not None else None
    return BlobStep(
        id=number,
        descriptor=Descriptor(OCI_LAYER_GZIP, DIGEST, size),
        source_store=source,
        source_repository="from",
        repository="to",
        origin=origin,
        after=after,
    )


def manifest(number: int, *needs: int) -> ManifestStep:
    return ManifestStep(
        id=number, digest=DIGEST, name=Name("to", "1"), needs=needs, source_store="store", source_repository="from"
    )


def plan(shape: list[tuple[str, int, list[int]]]) -> list[Step]:
    """Steps of these kinds, sizes and wishes; a wish is taken as one of the steps before."""
    steps: list[Step] = []
    for number, (kind, size, wishes) in enumerate(shape):
        earlier = tuple(dict.fromkeys(wish % number for wish in wishes)) if number else ()
        if kind == "manifest":
            steps.append(manifest(number, *earlier))
        else:
            after = earlier[0] if kind == "after" and earlier else None
            steps.append(blob(number, size * LIGHT_BYTES, after, mounted=kind == "mount"))
    return steps


KINDS = st.sampled_from(["body", "mount", "after", "manifest"])
PLANS = st.lists(st.tuples(KINDS, st.integers(0, 5), st.lists(st.integers(0, 99), max_size=4)), max_size=25).map(plan)


@given(PLANS, st.randoms(use_true_random=False))
def test_every_step_is_settled_once_and_never_before_what_it_needs(steps: list[Step], choice: Random) -> None:
    agenda = Agenda(steps)
    succeeded: set[int] = set()
    settled: set[int] = set()
    begun: set[int] = set()
    running: list[Step] = []
    while agenda.open:
        heavy = choice.random() < 0.7
        step = agenda.take(heavy=always if heavy else never)
        if step is not None:
            assert heavy or not is_heavy(step)
            assert step.id not in begun | settled
            assert set(step.needs) <= succeeded
            assert step.after is None or step.after in settled
            begun.add(step.id)
            running.append(step)
        assert running or step or not heavy, "there is work left, but none of it is ready"
        if running and choice.random() < 0.5:
            ended = running.pop(choice.randrange(len(running)))
            now = [ended.id]
            if choice.random() < 0.7:
                agenda.done(ended)
                succeeded.add(ended.id)
            else:
                now += [each.id for each in agenda.failed(ended)]
            assert len(now) == len(set(now))
            assert not settled & set(now)
            settled.update(now)
        assert agenda.open == len(steps) - len(settled)
    assert settled == set(range(len(steps)))
    assert agenda.take() is None
    for step in steps:
        assert (step.id in begun) == (set(step.needs) <= succeeded), "begun exactly when all it needs is there"


@given(st.lists(st.integers(0, 10**12), min_size=1))
def test_the_biggest_body_comes_first(sizes: list[int]) -> None:
    agenda = Agenda(blob(number, size) for number, size in enumerate(sizes))
    taken = [agenda.take() for _ in sizes]
    assert [step.descriptor.size for step in taken if isinstance(step, BlobStep)] == sorted(sizes, reverse=True)


def test_what_is_quick_comes_before_bodies_and_light_ones_do_not_wait_for_heavy_ones() -> None:
    agenda = Agenda([blob(0, LIGHT_BYTES + 1), blob(1, LIGHT_BYTES), blob(2, mounted=True), manifest(3), blob(4, 1)])
    taken = [agenda.take(), agenda.take(), agenda.take(heavy=never), agenda.take(), agenda.take(heavy=never)]
    assert [step.id for step in taken if step] == [2, 3, 1, 0, 4]
    assert agenda.take() is None


def test_heavy_bodies_can_be_left() -> None:
    agenda = Agenda([blob(0, LIGHT_BYTES + 1)])
    assert agenda.take(heavy=never) is None
    assert agenda.take() is not None


def test_a_mount_waits_for_the_copy_but_survives_its_failure() -> None:
    agenda = Agenda([blob(0), blob(1, after=0), manifest(2, 0), manifest(3, 1), manifest(4, 2)])
    copy = agenda.take()
    assert copy is not None
    assert agenda.take() is None
    assert {step.id for step in agenda.failed(copy)} == {2, 4}
    mount = agenda.take()
    assert mount is not None
    assert mount.id == 1
    agenda.done(mount)
    last = agenda.take()
    assert last is not None
    assert last.id == 3
    agenda.done(last)
    assert agenda.open == 0


def test_bodies_of_a_source_that_is_full_leave_others_in_front() -> None:
    heavy = [blob(0, LIGHT_BYTES + 3), blob(1, LIGHT_BYTES + 2, source="b")]
    agenda = Agenda([*heavy, blob(2, 5), blob(3, 4, source="b")])
    assert (agenda.bodies_ready(), agenda.bodies_ready("b"), agenda.bodies_ready("c")) == (4, 2, 0)
    assert agenda.has_next(heavy="b".__eq__, light=never)
    taken = [agenda.take(heavy="b".__eq__, light="b".__eq__) for _ in range(3)]
    assert [step and step.id for step in taken] == [1, 3, None]
    assert not agenda.has_next(heavy="b".__eq__, light="b".__eq__)
    assert agenda.has_next(heavy=never)
