"""Proved, wrong, or not checked: what could not be asked is never called damaged, and what is wrong is never hidden."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.planning.scene import SOURCE, Scene, item
from transload.app.verify import Verification
from transload.errors import (
    AccessDenied,
    BlobUnknown,
    DigestMismatch,
    HostGivenUp,
    Interrupted,
    ManifestUnknown,
    PermissionRefused,
    Refused,
    ServerTrouble,
    TooManyRequests,
    TransloadError,
    Truncated,
    Unreachable,
    VolumeMissing,
    VolumeTruncated,
)
from transload.oci import Name
from transload.planning import Request
from transload.ports import RequestCosts
from transload.testing import faults
from transload.testing.faults import ALWAYS, Fault, Operation
from transload.testing.images import image
from transload.testing.layers import layer
from transload.transfer.proof import Proof, Prover, Verdict, compare

LAYER = layer("checked", 5000)
OTHER = layer("other", 5000)
DIGEST = LAYER.descriptor.digest
NOT_ASKED: list[Callable[[], TransloadError]] = [
    lambda: Unreachable("refuses connections"),
    lambda: HostGivenUp("gave no useful answer"),
    lambda: ServerTrouble("answers 503"),
    lambda: TooManyRequests("answers 429"),
    lambda: AccessDenied("answers 403"),
    lambda: Refused("answers 400"),
    lambda: Truncated("ended early"),
    lambda: VolumeMissing("not there"),
    lambda: PermissionRefused("permission denied"),
    lambda: Interrupted("interrupted"),
]
WRONG: list[Callable[[], TransloadError]] = [
    lambda: BlobUnknown("lacks it"),
    lambda: DigestMismatch("is another"),
    lambda: VolumeTruncated("is short"),
]


def proved(*script: Fault, deep: bool = True) -> Proof:
    """The proof of one image at a target that misbehaves."""
    scene = Scene()
    scene.publish(image("a", (LAYER, OTHER)), "a:1")
    scene.deliver(image("a", (LAYER, OTHER)), "a:1")
    scene.script(*script, at="target")
    return Prover(scene.target, deep=deep, threads=1).prove(Name("a", "1"))


@pytest.mark.parametrize("error", NOT_ASKED)
@pytest.mark.parametrize("on", ["open", "exists", "fetch"])
def test_what_could_not_be_asked_is_not_checked(error: Callable[[], TransloadError], on: Operation) -> None:
    subject = None if on == "fetch" else DIGEST
    proof = proved(faults.fails(on, error, subject=subject, times=ALWAYS), deep=on == "open")
    assert (proof.verdict, proof.good, proof.wrong) == ("unchecked", False, False)
    assert type(proof.error) is type(error())


@pytest.mark.parametrize("error", WRONG)
def test_what_is_wrong_is_wrong(error: Callable[[], TransloadError]) -> None:
    proof = proved(faults.fails("open", error, subject=DIGEST, times=ALWAYS))
    assert (proof.verdict, proof.wrong) == ("damaged", True)


@pytest.mark.parametrize("first", [DIGEST, OTHER.descriptor.digest])
def test_wrong_content_is_found_beside_what_could_not_be_asked(first: str) -> None:
    second = ({DIGEST, OTHER.descriptor.digest} - {first}).pop()
    silent = faults.fails("open", lambda: Unreachable("silent"), subject=first, times=ALWAYS)
    proof = proved(silent, faults.corrupts(7, subject=second, times=ALWAYS))
    assert proof.verdict == "damaged"
    assert isinstance(proof.error, DigestMismatch)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (lambda: ManifestUnknown("a:1 is not there", subject="a:1"), "absent"),
        (lambda: AccessDenied("403"), "unchecked"),
    ],
)
def test_a_name_that_may_not_be_asked_for_is_not_absent(error: Callable[[], TransloadError], verdict: Verdict) -> None:
    scene = Scene()
    scene.publish(image("a", (LAYER,)), "a:1")
    request = Request((item("a:1"),))
    scene.script(faults.fails("resolve", error, times=ALWAYS), faults.fails("fetch", error, times=ALWAYS), at="target")
    (proof,) = compare(request, {SOURCE: scene.source}, scene.target)
    assert proof.verdict == verdict


@pytest.mark.parametrize(("seed", "verdict"), [("a", "identical"), ("b", "differs")])
@pytest.mark.parametrize("error", [lambda: AccessDenied("403"), lambda: ManifestUnknown("404", subject="a:1")])
def test_a_name_that_only_a_get_is_told_is_compared(
    error: Callable[[], TransloadError], seed: str, verdict: Verdict
) -> None:
    scene = Scene()
    scene.publish(image("a", (LAYER,)), "a:1")
    scene.deliver(image(seed, (LAYER,)), "a:1")
    scene.script(faults.fails("resolve", error, times=ALWAYS), at="target")
    (proof,) = compare(Request((item("a:1"),)), {SOURCE: scene.source}, scene.target)
    assert proof.verdict == verdict


GOOD = Proof(Name("a", "1"), "identical")
DAMAGED = Proof(Name("b", "1"), "damaged", error=DigestMismatch("x"))


def unchecked(error: TransloadError) -> Proof:
    return Proof(Name("c", "1"), "unchecked", error=error)


@pytest.mark.parametrize(
    ("proofs", "code"),
    [
        ([GOOD], 0),
        ([DAMAGED], 6),
        ([GOOD, DAMAGED], 1),
        ([DAMAGED, unchecked(Unreachable("x"))], 1),
        ([GOOD, unchecked(Unreachable("x"))], 5),
        ([GOOD, unchecked(AccessDenied("x"))], 3),
        ([unchecked(AccessDenied("x")), unchecked(Unreachable("x"))], 1),
        ([GOOD, unchecked(Unreachable("x")), unchecked(Interrupted("x"))], 130),
        ([GOOD, DAMAGED, unchecked(Interrupted("x"))], 1),
    ],
)
def test_the_exit_code_tells_wrong_from_not_checked(proofs: list[Proof], code: int) -> None:
    assert Verification("r.example", tuple(proofs)).exit_code == code


@pytest.mark.parametrize(("times", "verdict"), [(1, "sound"), (2, "damaged")])
def test_what_a_server_sent_damaged_is_read_once_more(times: int, verdict: Verdict) -> None:
    scene = Scene()
    scene.deliver(image("a", (LAYER,)), "a:1")
    scene.script(faults.corrupts(7, subject=DIGEST, times=times), at="target")
    scene.target.request_costs = RequestCosts()
    assert Prover(scene.target, deep=True).prove(Name.parse("a:1")).verdict == verdict


def test_what_is_damaged_on_a_disk_is_read_once() -> None:
    scene = Scene()
    scene.deliver(image("a", (LAYER,)), "a:1")
    scene.script(faults.corrupts(7, subject=DIGEST), at="target")
    assert Prover(scene.target, deep=True).prove(Name.parse("a:1")).verdict == "damaged"
