"""Each engine, imitated in a few lines: it pulls the right image by the name that pods use, or a note names it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from transload.configuration import Configuration, MovedImage, Relocation, Wishes
from transload.configuration.kinds import kind_named
from transload.errors import UsageError
from transload.oci import Name, Reference

SITE = "registry.local"
PATHS = st.lists(st.sampled_from(["a", "b", "v2", "a.b", "axb"]), min_size=1, max_size=3).map("/".join)
TAGS = st.sampled_from(["1", "2"])
NAMES = st.builds(Name, PATHS, TAGS)
SOURCES = st.builds(Reference, st.sampled_from(["quay.io", "docker.io"]), NAMES)
MOVES = st.dictionaries(SOURCES, NAMES, min_size=1, max_size=5)
Asked = Callable[[Reference], list[str]]
"""What an engine asks the site's registry for, one after the other: repositories."""


def _file(configuration: Configuration, path: str) -> Any:
    (content,) = [file.content.decode() for file in configuration.files if file.path == PurePosixPath(path)] or [""]
    return yaml.safe_load(content) if path.endswith("yaml") else tomllib.loads(content)


def _below(url: str, source: Reference) -> str:
    return f"{url.removeprefix(f'https://{SITE}').removeprefix('/v2')}/{source.name.repository}".lstrip("/")


def containerd(made: Configuration) -> Asked:
    def asked(source: Reference) -> list[str]:
        return [_below(url, source) for url in _file(made, f"certs.d/{source.registry}/hosts.toml").get("host", {})]

    return asked


def talos(made: Configuration) -> Asked:
    mirrors = _file(made, "talos-registries.yaml")["machine"]["registries"].get("mirrors", {})
    return lambda source: [_below(url, source) for url in mirrors.get(source.registry, {}).get("endpoints", [])]


def k3s(made: Configuration) -> Asked:
    mirrors = _file(made, "registries.yaml")["mirrors"]

    def asked(source: Reference) -> list[str]:
        repository = source.name.repository
        patterns = mirrors.get(source.registry, {}).get("rewrite", {})
        results = {
            re.sub(pattern, target.replace("$1", r"\1"), repository)
            for pattern, target in patterns.items()
            if re.search(pattern, repository)
        }
        assert len(results) <= 1, "the order of patterns matters"
        return sorted(results) or [repository]

    return asked


def podman(made: Configuration) -> Asked:
    tables = _file(made, "registries.conf.d/50-transload.conf").get("registry", [])

    def asked(source: Reference) -> list[str]:
        repository = f"{source.registry}/{source.name.repository}"
        matching = [table for table in tables if f"{repository}/".startswith(f"{table['prefix']}/")]
        if not matching:
            return []
        table = max(matching, key=lambda table: len(table["prefix"]))
        moved: str = table["mirror"][0]["location"] + repository[len(table["prefix"]) :]
        return [moved.removeprefix(f"{SITE}/")]

    return asked


@pytest.mark.parametrize("engine", [containerd, talos, k3s, podman])
@given(moves=MOVES)
def test_each_image_is_the_right_one_or_is_named(
    engine: Callable[[Configuration], Asked], moves: dict[Reference, Name]
) -> None:
    images = tuple(MovedImage(source=source, target=Reference(SITE, target)) for source, target in moves.items())
    there = {str(target) for target in moves.values()}
    try:
        made = kind_named(engine.__name__).write(Relocation(registry=SITE, images=images), Wishes())
    except UsageError:
        return
    asked = engine(made)
    notes = "\n".join(made.notes)
    for image in images:
        names = [f"{repository}:{image.source.name.tag}" for repository in asked(image.source)]
        pulled = next((name for name in names if name in there), None)
        named = f"{image.source} (is {image.target})" in notes
        assert pulled == (None if named else str(image.target.name))
