"""Gatekeeper's mutation: another registry before the images of pods.

Rules: AssignImage (mutations.gatekeeper.sh/v1alpha1). It has no condition on the image, and a path that it assigns is
the same for all. So it can say one thing only: every image, with the path that it has, comes from this registry.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from transload.configuration.admission import UNSAID
from transload.configuration.objects import object_name, objects_text
from transload.configuration.relocation import MovedImage, Relocation
from transload.configuration.renames import written_names
from transload.configuration.wishes import ConfigFile, Configuration, Wishes
from transload.errors import UsageError
from transload.oci.reference import named_registry

NAME = "transload-images"
_FIELDS = {"containers": "", "initContainers": "-init", "ephemeralContainers": "-ephemeral"}
_DOMAIN = re.compile(r"(?:\w[\w-]*\.[\w.-]*\w|localhost)(?::\d+)?", re.ASCII)  # its rule for assignDomain
_INSTEAD = "write admission-policy or kyverno, which know each image, or mirror without a prefix"


def write(relocation: Relocation, wishes: Wishes) -> Configuration:
    """An AssignImage for each list of containers. Raises `UsageError` for images that lie under another path."""
    name = object_name(wishes.name, NAME)
    if not _DOMAIN.fullmatch(relocation.registry):
        raise UsageError(
            f"Gatekeeper does not take {relocation.registry} for a registry", hint="use a host name with a dot in it"
        )
    for image in relocation.images:
        _check(image)
    documents = [_assign(field, name + end, relocation.registry) for field, end in _FIELDS.items()]
    file = ConfigFile(path=PurePosixPath("gatekeeper-assignimage.yaml"), content=objects_text(*documents))
    notes = (
        f"kubectl apply -f {file.path}",
        f"Gatekeeper leads every image to {relocation.registry}: pods with one that was not moved do not start",
        "excludedNamespaces has kube-system and gatekeeper-system: add yours, such as that of the registry itself",
        *UNSAID,
    )
    return Configuration(files=(file,), notes=notes)


def _check(image: MovedImage) -> None:
    """Raises `UsageError` if another registry alone does not lead to the image, in every spelling."""
    target = image.target.name.repository
    paths = {named_registry(name)[1] for name in written_names(image.source_repository)}
    if image.is_renamed_tag or paths != {target}:
        other = next((path for path in sorted(paths) if path != target), f"{target}:{image.source.name.tag}")
        raise UsageError(
            f"Gatekeeper can change registries only: pods that name {other} would ask for"
            f" {image.target.registry}/{other}, and {image.source} is at {image.target}",
            subject=str(image.source),
            hint=_INSTEAD,
        )


def _assign(field: str, name: str, registry: str) -> dict[str, Any]:
    return {
        "apiVersion": "mutations.gatekeeper.sh/v1alpha1",
        "kind": "AssignImage",
        "metadata": {"name": name},
        "spec": {
            "applyTo": [{"groups": [""], "versions": ["v1"], "kinds": ["Pod"]}],
            "match": {"scope": "Namespaced", "excludedNamespaces": ["kube-system", "gatekeeper-system"]},
            "location": f"spec.{field}[name:*].image",
            "parameters": {"assignDomain": registry},
        },
    }
