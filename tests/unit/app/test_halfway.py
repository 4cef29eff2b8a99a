"""What is said of half blobs is true of the target, as far as it is known."""

from __future__ import annotations

import pytest

from tests.unit.planning.scene import Scene
from transload.app.halfway import half_blob_notes, kept_half, unknown_half_notes
from transload.app.location import Location
from transload.net.http import Http
from transload.planning.plan import Share
from transload.ports import RequestCosts
from transload.registry.capabilities import Capabilities
from transload.registry.store import RegistryStore
from transload.testing.images import image

HOST = "registry.example"
TWO = Share(2, 5 << 20)


def registry(resumes: bool | None) -> RegistryStore:
    capabilities = Capabilities()
    if resumes is not None:
        capabilities.learn("resumes", resumes)
    return RegistryStore(HOST, Http(), capabilities=capabilities)


@pytest.mark.parametrize(
    ("target", "resumes", "noted", "text"),
    [
        ("oci:folder", None, False, "2 blobs were half-way: the 5.0 MiB that had arrived are parked"),
        (HOST, True, True, "registry.example keeps what it had got, and the next run goes on there"),
        (HOST, None, True, "if registry.example has kept what it had got, the next run goes on there"),
        (HOST, False, True, "will be sent again: registry.example does not take up half a blob"),
        (HOST, True, False, "will be sent again: there is no state folder"),
    ],
)
def test_a_stopped_run_says_what_becomes_of_half_blobs(
    target: str, resumes: bool | None, noted: bool, text: str
) -> None:
    told = kept_half(TWO, Location.parse(target), registry(resumes), noted=noted)
    assert told is not None
    assert text.replace("5.0 MiB", "5 MiB") in told.replace("5.0 MiB", "5 MiB")
    assert kept_half(Share(), Location.parse(target), registry(resumes), noted=noted) is None


@pytest.mark.parametrize(
    ("resumes", "size", "lost", "unknown"),
    [
        (False, 2 << 20, 1, 0),
        (False, 1000, 0, 0),
        (True, 2 << 20, 0, 0),
        (None, 2 << 20, 0, 1),
        (None, 1000, 0, 0),
    ],
)
def test_a_plan_says_where_half_a_blob_is_lost(resumes: bool | None, size: int, lost: int, unknown: int) -> None:
    scene = Scene()
    scene.publish(image("a", (size,)), "a:1")
    notes = half_blob_notes(scene.plan("a:1"), registry(resumes))
    assert len(notes) == lost
    assert all("registry.example does not take up half a blob" in note for note in notes)
    notes = unknown_half_notes(scene.plan("a:1"), registry(resumes))
    assert len(notes) == unknown
    assert all("transload check registry.example" in note for note in notes)


def test_a_folder_needs_no_such_note() -> None:
    scene = Scene()
    scene.publish(image("a", (2 << 20,)), "a:1")
    assert half_blob_notes(scene.plan("a:1"), scene.target) == ()
    assert unknown_half_notes(scene.plan("a:1"), scene.target) == ()
    assert RequestCosts().small_blob_bytes < 2 << 20
