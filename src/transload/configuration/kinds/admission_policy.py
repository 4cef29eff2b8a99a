"""A MutatingAdmissionPolicy: the API server itself rewrites the images of pods, by expressions in CEL.

Rules: MutatingAdmissionPolicy (admissionregistration.k8s.io): v1 from Kubernetes 1.36 on, v1beta1 from 1.34, v1alpha1
from 1.32. An ApplyConfiguration merges containers by their names. All of them are in it, so that their order, which
counts for init containers, stays. Of CEL, only what the oldest of these versions has.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from transload.configuration.admission import UNSAID
from transload.configuration.objects import object_name, objects_text
from transload.configuration.relocation import Relocation
from transload.configuration.renames import REPOSITORY, Renames, renames_of, repository_in
from transload.configuration.wishes import ConfigFile, Configuration, Wishes

NAME = "transload-images"
_FILE = "mutating-admission-policy-{}.yaml"
_VERSIONS = {"v1": "1.36", "v1beta1": "1.34", "v1alpha1": "1.32"}
_EXPRESSION = 60_000
"""Characters of one map. CEL takes expressions of 100,000 code points (cel-go, `expressionSizeCodePointLimit`)."""

# A mirror pod is the API server's view of a static pod, which kubelet runs from a file whatever stands here.
_NO_MIRROR = '!has(object.metadata.annotations) || !("kubernetes.io/config.mirror" in object.metadata.annotations)'
_NEW = {
    "containers": 'request.operation == "CREATE"',
    "initContainers": 'request.operation == "CREATE" && has(object.spec.initContainers)',
    # Those that are there cannot be changed any more.
    "ephemeralContainers": 'request.operation == "UPDATE" && has(object.spec.ephemeralContainers)',
}


def write(relocation: Relocation, wishes: Wishes) -> Configuration:
    """A file for each version of the API, with one policy and its binding, or several if there are very many images.

    Raises `TargetConflict` if a new name is the old name of another image.
    """
    name = object_name(wishes.name, NAME)
    parts = list(_parts(renames_of(relocation.images)))
    named = {name if number == 1 else f"{name}-{number}": part for number, part in enumerate(parts, 1)}
    files = tuple(_file(version, named) for version in _VERSIONS)
    since = [f"{_FILE.format(version)} from Kubernetes {first} on" for version, first in _VERSIONS.items()]
    notes = (
        f"kubectl apply -f one of them: {', '.join(since)}",
        (
            "before Kubernetes 1.36, the API server needs the feature gate MutatingAdmissionPolicy and the version in"
            " --runtime-config"
        ),
        *UNSAID,
    )
    return Configuration(files=files, notes=notes)


def _parts(renames: Renames) -> Iterator[Renames]:
    """The same, in parts that an expression can hold. What belongs to one repository stays together."""
    images: dict[str, dict[str, str]] = defaultdict(dict)
    for old, new in renames.images.items():
        images[repository_in(old)][old] = new
    part, size = Renames(repositories={}, images={}), 0
    for old, new in renames.repositories.items():
        more = len(json.dumps({old: new, **images[old]}))
        if size and size + more > _EXPRESSION:
            yield part
            part, size = Renames(repositories={}, images={}), 0
        part.repositories[old] = new
        part.images.update(images[old])
        size += more
    yield part


def _file(version: str, parts: dict[str, Renames]) -> ConfigFile:
    documents = [document for name, part in parts.items() for document in _policy(version, name, part)]
    return ConfigFile(path=PurePosixPath(_FILE.format(version)), content=objects_text(*documents))


def _policy(version: str, name: str, part: Renames) -> Iterator[dict[str, Any]]:
    api = f"admissionregistration.k8s.io/{version}"
    spec = {
        "failurePolicy": "Ignore",  # a pod with its old image is better than no pods at all
        "reinvocationPolicy": "IfNeeded",
        "matchConstraints": {
            "resourceRules": [_resources("CREATE", "pods"), _resources("UPDATE", "pods/ephemeralcontainers")]
        },
        "matchConditions": [{"name": "no-mirror-pod", "expression": _NO_MIRROR}],
        "variables": [
            {"name": "repositories", "expression": json.dumps(part.repositories, indent=0)},
            {"name": "images", "expression": json.dumps(part.images, indent=0)},
            *({"name": field, "expression": _moved(field)} for field in _NEW),
        ],
        "mutations": [
            {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": _applied(field)}} for field in _NEW
        ],
    }
    yield {"apiVersion": api, "kind": "MutatingAdmissionPolicy", "metadata": {"name": name}, "spec": spec}
    binding = {"policyName": name}
    yield {"apiVersion": api, "kind": "MutatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": binding}


def _resources(operation: str, resource: str) -> dict[str, Any]:
    return {"apiGroups": [""], "apiVersions": ["v1"], "operations": [operation], "resources": [resource]}


def _moved(field: str) -> str:
    """CEL for names and images of the containers, in which those that were moved have their new images."""
    repository = f"c.image.find({json.dumps('^' + REPOSITORY)})"
    there = "" if field != "ephemeralContainers" else _THERE
    return (
        f"!({_NEW[field]}) ? [] : object.spec.{field}.filter(c, has(c.image)).map(c, "
        '{"name": c.name, "image": ' + there + "c.image in variables.images ? variables.images[c.image] : "
        f"{repository} in variables.repositories ? "
        f"variables.repositories[{repository}] + c.image.substring({repository}.size()) : c.image}})"
    )


def _applied(field: str) -> str:
    new = f"Object.spec.{field}{{name: c.name, image: c.image}}"
    return (
        f"variables.{field}.size() == 0 ? Object{{}} : "
        f"Object{{spec: Object.spec{{{field}: variables.{field}.map(c, {new})}}}}"
    )


_THERE = (
    "has(oldObject.spec.ephemeralContainers) && oldObject.spec.ephemeralContainers.exists(o, o.name == c.name) "
    "? c.image : "
)
