"""Kustomize's `images:`, as a component that a kustomization names.

Rules: the `images` field of the Kustomization API (kustomize.config.k8s.io/v1alpha1, kind Component). A `name` stands
for a repository, with any tag or digest behind it, or for one image with its tag. The first one that fits is taken,
since no later one knows the new name. Kustomize reads it as a regular expression, which an IPv6 address is not.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from transload.configuration.relocation import Relocation
from transload.configuration.renames import Renames, renames_of, repository_in
from transload.configuration.wishes import ConfigFile, Configuration, Wishes
from transload.configuration.yamlout import yaml_text
from transload.wording import first_of

FILE = PurePosixPath("transload-images/kustomization.yaml")
_SHOWN = 3


def write(relocation: Relocation, wishes: Wishes) -> Configuration:
    """A component with an entry for each repository, and for each image that has another tag or is pinned.

    Raises `TargetConflict` if a new name is the old name of another image.
    """
    renames = renames_of(relocation.images, pin=wishes.pin)
    whole = [_entry(name, new) for name, new in renames.images.items() if repository_in(name) != name]
    images = [*whole, *({"name": _pattern(name), "newName": new} for name, new in renames.repositories.items())]
    document = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "images": images}
    notes = (
        f"name the folder {FILE.parent} under components: in your kustomization.yaml",
        "it leaves ephemeral containers, volumes that are images, and fields of custom resources as they are",
        *_unsaid(renames),
        *(_unpinned(relocation) if wishes.pin else ()),
    )
    return Configuration(files=(ConfigFile(path=FILE, content=yaml_text(document)),), notes=notes)


def _entry(name: str, new: str) -> dict[str, str]:
    """One image: `newName` with `newTag` or `digest`."""
    repository = repository_in(new)
    behind = new[len(repository) :]
    return {"name": _pattern(name), "newName": repository, "digest" if behind[0] == "@" else "newTag": behind[1:]}


def _pattern(name: str) -> str:
    return name.replace("[", r"\[").replace("]", r"\]")


def _unsaid(renames: Renames) -> tuple[str, ...]:
    bare = sorted(name for name in renames.images if repository_in(name) == name)
    if not bare:
        return ()
    return (f"where a manifest has no tag, write :latest: Kustomize cannot tell it from other tags ({bare[0]})",)


def _unpinned(relocation: Relocation) -> tuple[str, ...]:
    unknown = [str(image.source) for image in relocation.images if image.source.name.tag and not image.digest]
    return (f"not pinned, since no digest is known: {first_of(unknown, _SHOWN)}",) if unknown else ()
