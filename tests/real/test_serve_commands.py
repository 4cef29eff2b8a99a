"""The commands that a page shows, run as they stand there by real engines, with and without a tag."""

from __future__ import annotations

import re
import shlex
import urllib.request
from collections.abc import Iterator
from html import unescape

import pytest

from tests.real.engines import Engine
from transload.layout import LayoutStore
from transload.server import Served, serve
from transload.testing.images import AMD64, ARM64, fill, image, index

REPOSITORY, TAG = "team/app", "1.0"
BUILT = index([(image("amd", (3000,), AMD64), AMD64), (image("arm", (3000,), ARM64), ARM64)])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = LayoutStore(tmp_path_factory.mktemp("commands") / "site", create=True)
    fill(store, BUILT, REPOSITORY, TAG)
    with serve(store) as served:
        yield served


def commands(served: Served, tool: str) -> list[list[str]]:
    """The words of every command that the image's page has for a tool, without its name."""
    asked = urllib.request.Request(f"{served.url}/image/{REPOSITORY}:{TAG}", headers={"Accept": "text/html"})
    with urllib.request.urlopen(asked) as answer:
        page = answer.read().decode()
    found = [shlex.split(unescape(text)) for text in re.findall(r'data-copy="([^"]*)"', page)]
    return [words[1:] for words in found if words[0] == tool]


@pytest.mark.parametrize("tool", ["docker", "podman", "ctr"])
def test_an_engine_pulls_what_the_page_says(served: Served, request: pytest.FixtureRequest, tool: str) -> None:
    engine: Engine = request.getfixturevalue(tool)
    by_tag, by_digest = commands(served, tool)
    before = served.requests.by_kind["GET", "blob"]
    engine(*by_tag)
    assert served.requests.by_kind["GET", "blob"] > before
    engine(*by_digest)
    listed = engine("images", "list" if tool == "ctr" else "--digests")
    assert f"{served.host_port}/{REPOSITORY}" in listed


def test_they_name_the_image_by_tag_and_by_digest(served: Served) -> None:
    by_tag, by_digest = commands(served, "docker")
    assert by_tag == ["pull", f"{served.host_port}/{REPOSITORY}:{TAG}"]
    assert by_digest == ["pull", f"{served.host_port}/{REPOSITORY}@{BUILT.digest}"]
