"""Registries and lines as people have met them with other tools, played by the laboratory: the copy arrives at all."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from tests.unit.testing.spoilt import APP, LARGE, copied
from transload.testing import laboratory as lab
from transload.testing.laboratory import ALWAYS, Answer, Asked, Fault, Laboratory

MIB = 1 << 20


def refusal(status: int, code: str) -> Answer:
    body = json.dumps({"errors": [{"code": code, "message": code.lower(), "detail": None}]}).encode()
    return Answer.of(status, body, Content_Type="application/json")


def refuses_if(on: str, condition: Callable[[Asked], bool], status: int, code: str) -> Fault:
    """A registry that refuses what has this about it."""

    def act(asked: Asked, onward: lab.Onward, dice: object) -> Answer:  # noqa: ARG001 - an Act
        return refusal(status, code) if condition(asked) else onward(asked)

    return Fault(on=on, act=act, times=ALWAYS)


def arrives(source: list[Fault], target: list[Fault], **settings: Any) -> tuple[Laboratory, Laboratory]:
    outcome, before, behind = copied(source, target, **settings)
    assert [image.error for image in outcome.images] == [None, None]
    return before, behind


def test_an_idle_side_that_is_cut_off_is_no_end() -> None:
    """The source is slow, so the target has had enough of waiting; the line to it is made anew."""
    impatient = threading.Event()
    cut = lab.cuts_request("PATCH upload", after=900_000)

    def cut_and_told(asked: Asked, onward: lab.Onward, dice: random.Random) -> Answer:
        try:
            return cut.act(asked, onward, dice)
        finally:
            impatient.set()

    slow = lab.stalls(about=LARGE.descriptor.digest, after=MIB, until=impatient)
    before, behind = arrives([slow], [Fault(on="PATCH upload", act=cut_and_told)])
    assert (before.tally.struck, behind.tally.struck) == ({"GET blob": 1}, {"PATCH upload": 1})


def test_a_source_that_says_nothing_any_more_is_asked_again() -> None:
    stalls = lab.stalls(about=LARGE.descriptor.digest, after=MIB, times=2)
    before, _ = arrives([stalls], [], stall_timeout_s=0.5)
    assert before.tally.fetched[LARGE.descriptor.digest] < LARGE.descriptor.size + MIB


def test_too_many_requests_that_are_told_by_a_web_page() -> None:
    page = Answer.of(429, b"<html>Too Many Requests", Content_Type="text/html", Retry_After="1")
    arrives([lab.answers("* *", lambda _: page, times=3)], [lab.answers("* *", lambda _: page, times=3)])


def test_bodies_of_one_request_are_limited_and_of_others_not() -> None:
    """As at Azure: 413 for a large PUT, none for a PATCH; after a reset the session is gone."""
    lost = Fault(on="PATCH upload", act=_lost_session)
    arrives([], [lab.limits_bodies(2 * MIB, "PUT upload"), lost])


def _lost_session(asked: Asked, onward: lab.Onward, dice: object) -> Answer:  # noqa: ARG001 - an Act
    onward(evolve(asked, method="DELETE", body=iter(())))
    return refusal(404, "BLOB_UPLOAD_INVALID")


def test_no_large_piece_with_a_range_is_taken() -> None:
    """As at GitHub (above 4 MiB) and Google (any piece): the blob goes in one stream without Content-Range."""
    arrives([], [refuses_if("PATCH upload", lambda asked: "Content-Range" in asked.headers, 416, "RANGE_INVALID")])


def test_a_mount_without_an_origin_is_not_asked_for() -> None:
    """As Quay demands."""
    lacking = refuses_if(
        "POST uploads", lambda asked: "mount" in asked.query and "from" not in asked.query, 400, "BAD_REQUEST"
    )
    _, behind = arrives([], [lacking])
    assert any("mount=" in seen.target for seen in behind.tally.requests)


def test_bodies_with_the_put_mounts_deletes_and_accept_are_refused() -> None:
    """As at Artifactory, older and newer."""
    put = refuses_if("PUT upload", lambda asked: asked.length > 0, 404, "NOT_FOUND")
    accept = refuses_if("POST|PATCH upload|uploads", lambda asked: "Accept" in asked.headers, 406, "UNSUPPORTED")
    delete = refuses_if("DELETE upload", lambda _: True, 403, "DENIED")
    arrives([], [put, delete, lab.refuses_mounts(), accept])


def test_no_layer_is_uploaded_twice_at_the_same_time() -> None:
    """Nexus answers 400 to that. Each blob is uploaded to one repository, and mounted in the other."""
    _, behind = arrives([], [])
    sizes = {content.descriptor.digest: content.descriptor.size for content in APP.walk_contents()}
    assert behind.tally.uploaded() == sizes


def test_replicas_that_do_not_know_each_others_uploads() -> None:
    replica = lab.refuses("PATCH|PUT upload", 404, "BLOB_UPLOAD_UNKNOWN", times=4, chance=0.6)
    _, behind = arrives([], [replica])
    assert behind.tally.struck


@pytest.mark.parametrize("to", ["relative", "portless"])
def test_a_location_without_its_host_or_its_port(to: str) -> None:
    moved = lab.moves_location(to)  # type: ignore[arg-type]
    arrives([], [moved])


def test_a_content_network_that_cuts_and_ignores_ranges_at_the_end() -> None:
    """The whole comes again from the start, and what is there already is read past; the layer is not begun anew."""
    cut = [lab.cuts(about=LARGE.descriptor.digest, after=2 * MIB, reset=False)]
    before, behind = arrives([*cut, lab.ignores_ranges(about=LARGE.descriptor.digest)], [])
    assert before.tally.fetched[LARGE.descriptor.digest] == 2 * MIB + LARGE.descriptor.size
    assert behind.tally.uploaded()[LARGE.descriptor.digest] == LARGE.descriptor.size
