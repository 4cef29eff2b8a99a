"""One huge layer beside small images in a docker-registry at the end of a long wire: read in parts, and whole there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.profiles import Profile
from benchmarks.slow_wire import Wire, wire
from tests.real.servers import Registry, StartRegistry
from tests.real.vendor import Shell, push
from transload.testing.images import image

PROFILE = Profile(name="test", told="", round_trip_s=0.02, connection_rate=4e6)  # far less than a busy machine reads
HUGE = image("huge", [24 << 20])
LAYER = max((content.descriptor for content in HUGE.walk_contents()), key=lambda descriptor: descriptor.size)
SMALL = 8


@pytest.fixture
def source(start_registry: StartRegistry) -> Registry:
    """A registry of its own, since it counts."""
    started = start_registry()
    push(started, HUGE, "vendor/huge", "v1")
    for number in range(SMALL):
        push(started, image(f"small{number}", [5000]), f"vendor/small{number}", "v1")
    return started


@pytest.fixture
def far(source: Registry) -> Iterator[Wire]:
    """The same, from far away."""
    with wire(source.host, PROFILE, counting=True) as laid:
        yield laid


@pytest.fixture
def listed(far: Wire, tmp_path: Path) -> Path:
    """The list of what is copied."""
    path = tmp_path / "images.txt"
    names = ["huge", *(f"small{number}" for number in range(SMALL))]
    path.write_text("".join(f"{far.host}/vendor/{name}:v1\n" for name in names))
    return path


def answers(source: Registry, since: int) -> Counter[int]:
    """How often the huge layer was asked for, by what was answered."""
    asked = source.all_requests()[since:]
    return Counter(status for line, status in asked if line.startswith("GET ") and str(LAYER.digest) in line)


def test_a_huge_layer_comes_in_parts_and_all_targets_are_proved(
    shell: Shell, source: Registry, far: Wire, listed: Path, start_registry: StartRegistry
) -> None:
    targets = [start_registry() for _ in range(2)]
    before = len(source.all_requests())
    to = [word for target in targets for word in ("--to", target.host)]
    ran = shell("mirror", listed, *to)
    assert ran.code == 0, ran.told
    counts = far.counts()
    assert counts.most_connections >= 4
    assert counts.down_bytes < 1.5 * LAYER.size, "read once for both, apart from what was under way when parts began"
    assert answers(source, before)[206] >= 2
    for target in targets:
        proved = shell("verify", listed, "--to", target.host, "--deep", "--quiet")
        assert proved.code == 0, proved.told


def test_pack_and_verify_deep_read_in_parts_too(
    shell: Shell, source: Registry, far: Wire, listed: Path, tmp_path: Path
) -> None:
    before, bundle = len(source.all_requests()), tmp_path / "release"
    ran = shell("pack", listed, "-o", bundle)
    assert ran.code == 0, ran.told
    assert answers(source, before)[206] >= 2
    before = len(source.all_requests())
    proved = shell("verify", bundle, "--to", far.host, "--deep", "--quiet")
    assert proved.code == 0, proved.told
    assert answers(source, before)[206] >= 2
