"""Kustomize's `images:`, as a component that a kustomization names.

Rules: the `images` field of the Kustomization API (kustomize.config.k8s.io/v1alpha1, kind Component).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from transload.configuration.relocation import MovedImage, Relocation
from transload.configuration.wishes import ConfigFile, Configuration, Wishes
from transload.configuration.yamlout import yaml_text

FILE = PurePosixPath("transload-images/kustomization.yaml")


def write(relocation: Relocation, wishes: Wishes) -> Configuration:
    """A component with one entry for each repository. With `pin`, images get their digests.

    Kustomize knows an image by its repository alone: with several tags of one repository, tags stay as they are.
    """
    by_name: dict[str, list[MovedImage]] = {}
    for image in relocation.images:
        for name in _names(image):
            by_name.setdefault(name, []).append(image)
    images = [entry for name in sorted(by_name) for entry in _entries(name, by_name[name], wishes.pin)]
    document = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "images": images}
    several = sorted(name for name, moved in by_name.items() if len(moved) > 1)
    notes = [f"name the folder {FILE.parent} under components: in your kustomization.yaml"]
    if several and wishes.pin:
        notes.append(f"not pinned, since several tags share an entry: {', '.join(several)}")
    return Configuration(files=(ConfigFile(path=FILE, content=yaml_text(document)),), notes=tuple(notes))


def _names(image: MovedImage) -> tuple[str, ...]:
    """The repository as manifests write it: Docker's Hub may be left out, and `library`, too."""
    full = f"{image.source.registry}/{image.source.name.repository}"
    short = full.removeprefix("docker.io/")
    return tuple(dict.fromkeys((full, short, short.removeprefix("library/")))) if short != full else (full,)


def _entries(name: str, images: list[MovedImage], pin: bool) -> Iterator[dict[str, str]]:
    first = images[0]
    entry = {"name": name, "newName": f"{first.target.registry}/{first.target.name.repository}"}
    if len(images) == 1 and pin and first.digest:
        entry["digest"] = str(first.digest)
    elif len(images) == 1 and first.is_renamed_tag and first.target.name.tag:
        entry["newTag"] = first.target.name.tag
    yield entry
