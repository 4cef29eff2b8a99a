"""What a run keeps in memory: bounded whatever the sources say, and no more than what it needs later."""

from __future__ import annotations

import re

import pytest

from tests.unit.limited import MEMORY, run_limited
from tests.unit.planning.scene import Scene
from transload.errors import LimitExceeded, ServerTrouble
from transload.planning import Referrers, survey
from transload.testing import faults
from transload.testing.faults import ALWAYS
from transload.testing.images import image, multi_platform, signature

PROGRAM = r"""
import collections, json, re
from pathlib import Path
from transload.memory import MemoryStore
from transload.oci import Digest, Manifest, Name
from transload.oci.mediatype import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST
from transload.planning import Item, Request, make_plan

class Endless(MemoryStore):
    # Any tag is an image for two platforms, and no two of them have a layer in common.

    def described(self, number, kind):
        return {"mediaType": kind, "digest": f"sha256:{number:064x}", "size": 1000}

    def image(self, number):
        config, *layers = [
            self.described(101 * number + blob, OCI_LAYER_GZIP if blob else OCI_CONFIG) for blob in range(101)
        ]
        return json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers}).encode()

    def exists(self, repository, blob):
        return True

    def resolve(self, name):
        return self.fetch(name).descriptor

    def fetch(self, name):
        if name.digest:
            return Manifest.parse(self.image(self.asked.pop(name.digest)), digest=name.digest)
        children = []
        for which, architecture in enumerate(("amd64", "arm64")):
            number = 2 * int(name.tag) + which
            raw = self.image(number)
            self.asked[Digest.of(raw)] = number
            child = {"mediaType": OCI_MANIFEST, "digest": Digest.of(raw), "size": len(raw)}
            children.append(child | {"platform": {"os": "linux", "architecture": architecture}})
        return Manifest.parse(json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}).encode())

source = Endless("memory:source")
source.asked = {}
items = tuple(Item("memory:source", *[Name("app", str(number))] * 2) for number in range(1500))
plan = make_plan(Request(items), {"memory:source": source}, MemoryStore("memory:target"))
print(collections.Counter(type(image.error).__name__ for image in plan.images))
print("peak", re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1])
"""


def test_a_source_that_has_more_than_a_run_can_hold() -> None:
    said = run_limited(PROGRAM, space=16 * MEMORY)
    planned, refused = (re.search(rf"'{kind}': (\d+)", said) for kind in ("NoneType", "LimitExceeded"))
    assert planned, said
    assert refused, said
    assert int(planned[1]) + int(refused[1]) == 1500
    assert int(planned[1]) > 1000
    peak = re.search(r"peak (\d+)", said)
    assert peak, said
    assert int(peak[1]) << 10 < MEMORY


def test_what_is_not_kept_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of unchanged images are read for their signatures; only those are kept."""
    scene = Scene()
    images = [multi_platform(f"image {number}") for number in range(20)]
    for number, built in enumerate(images):
        scene.publish(built, f"app{number}:1")
        scene.publish(signature(built), f"app{number}")
        scene.deliver(built, f"app{number}:1")
    kept = sum(signature(built).manifest.weight for built in images)
    whole = max(sum(node.manifest.weight for node in built.walk()) for built in images)
    monkeypatch.setattr(survey, "RUN_MANIFESTS_BYTES", kept + 4 * whole)  # four threads
    plan = scene.plan(*(f"app{number}:1" for number in range(20)), referrers=Referrers.REFRESH)
    assert [each.error for each in plan.images] == [None] * 20
    monkeypatch.setattr(survey, "RUN_MANIFESTS_BYTES", kept - 1)
    plan = scene.plan(*(f"app{number}:1" for number in range(20)), referrers=Referrers.REFRESH)
    assert [type(each.error) for each in plan.failures] == [LimitExceeded] * len(plan.failures) != []


def test_the_error_of_an_image_keeps_nothing_of_what_was_read() -> None:
    scene = Scene()
    built = scene.publish(multi_platform("many"), "app:1")
    child = f"app@{built.children[0].digest}"
    scene.script(faults.fails("fetch", lambda: ServerTrouble("502"), subject=child, times=ALWAYS))
    error = scene.plan("app:1").images[0].error
    assert isinstance(error, ServerTrouble)
    assert error.__traceback__ is None


def test_a_large_run_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    one = scene.publish(image("one"), "one:1")
    scene.publish(image("two"), "two:1")
    monkeypatch.setattr(survey, "RUN_MANIFESTS_BYTES", one.manifest.weight + 10)
    (failed,) = scene.plan("one:1", "two:1").failures
    assert isinstance(failed.error, LimitExceeded)
    assert failed.error.hint == "do fewer images at a time"
