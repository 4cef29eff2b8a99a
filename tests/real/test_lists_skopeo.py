"""skopeo and transload take the same tags from one list of `skopeo sync`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.servers import Skopeo
from tests.real.vendor import Shell
from transload.memory import MemoryStore
from transload.server import ServeSettings, serve
from transload.testing.images import fill, image

TAGS = (
    *("latest", "edge", "1", "1.0", "1.27.0", "1.27.1-alpine-perl", "1.27.2-alpine-perl", "v1.2.3", "v1.2.3-rc.1"),
    *("3.9", "3.10", "2024.1-lts", "alpine", "alpine3.19", "a.b", "a_b", "A", "x86_64", "1x27y1"),
)
PATTERNS = (
    *(r"^1\.27\.[12]-alpine-perl$", "alpine", r"^3\.(8|9|10)$", r"^v?\d+(\.\d+){0,2}(-.+)?$|^latest$", "^latest"),
    *("lts$", r"1.27", r"^[0-9]+$", "a.b", "^(edge|a_b)$", "^a|t$", r"^v\d", "e", r"^[^v]*$", r"\.\d+-", "^A$"),
    r"86_|^1$",
)
_COPIED = re.compile(r'from="docker://[^/]+/(\S+)"')


@pytest.fixture
def host() -> Iterator[str]:
    store, built = MemoryStore(), image("skopeo", layers=(100,))
    for number in range(len(PATTERNS)):
        for tag in TAGS:
            fill(store, built, f"team/app{number}", tag)
    with serve(store, ServeSettings(writable=True)) as served:
        yield served.host_port


def test_the_same_images_are_taken(host: str, shell: Shell, skopeo: Skopeo, tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    patterns = "".join(f"    team/app{number}: {json.dumps(pattern)}\n" for number, pattern in enumerate(PATTERNS))
    path.write_text(
        f"{host}:\n  tls-verify: false\n  images:\n    team/app0: ['1.0', edge]\n    team/app1: []\n"
        f"  images-by-tag-regex:\n{patterns}"
    )
    would = skopeo("sync", "--dry-run", "--src", "yaml", "--dest", "docker", path, "localhost:1/mirror").stderr
    expected = set(_COPIED.findall(would))
    ran = shell("plan", path, "--to", f"oci:{tmp_path / 'out'}", "--output", "json")
    assert ran.code == 0, ran.told
    (plan,) = [line["plan"] for line in map(json.loads, ran.out.splitlines()) if line["event"] == "plan"]
    assert {image["name"] for image in plan["images"]} == expected
    assert len(expected) > 2 * len(PATTERNS)
    assert not [note for note in plan["notes"] if "is left open" in note]
