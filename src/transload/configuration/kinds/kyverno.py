"""Kyverno's policy: its webhook rewrites the images of pods.

Rules: ClusterPolicy (kyverno.io/v1), mutate rules with `foreach`, and Kyverno's JMESPath with `lookup` (Kyverno 1.11)
and `regex_replace_all`. Each container is replaced by its number, so that the order of init containers stays.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from transload.configuration.admission import UNSAID
from transload.configuration.objects import object_name, objects_text
from transload.configuration.relocation import Relocation
from transload.configuration.renames import REPOSITORY, renames_of
from transload.configuration.wishes import ConfigFile, Configuration, Wishes

NAME = "transload-images"
_FIELDS = {
    "containers": "containers",
    "initContainers": "init-containers",
    "ephemeralContainers": "ephemeral-containers",
}
_REPOSITORY = f"regex_replace_all('^({REPOSITORY}).*$', element.image, '$1')"
_BEHIND = f"regex_replace_all('^{REPOSITORY}', element.image, '')"
_MOVED = (
    "lookup(movedImages, element.image) || "
    f"(lookup(movedRepositories, {_REPOSITORY}) && join('', [lookup(movedRepositories, {_REPOSITORY}), {_BEHIND}]))"
)


def write(relocation: Relocation, wishes: Wishes) -> Configuration:
    """One ClusterPolicy with a rule for each list of containers.

    Raises `TargetConflict` if a new name is the old name of another image, `LimitExceeded` for too many images.
    """
    name = object_name(wishes.name, NAME)
    renames = renames_of(relocation.images)
    context = [
        {"name": "movedRepositories", "variable": {"value": renames.repositories}},
        {"name": "movedImages", "variable": {"value": renames.images}},
    ]
    policy = {
        "apiVersion": "kyverno.io/v1",
        "kind": "ClusterPolicy",
        "metadata": {"name": name, "annotations": {"pod-policies.kyverno.io/autogen-controllers": "none"}},
        "spec": {"background": False, "failurePolicy": "Ignore", "rules": [_rule(field, context) for field in _FIELDS]},
    }
    file = ConfigFile(path=PurePosixPath("kyverno-policy.yaml"), content=objects_text(policy))
    notes = (
        f"kubectl apply --server-side -f {file.path.name} (Kyverno 1.11 or later)",
        "Kyverno leaves out the namespaces that its own configuration excludes: by default its own and kube-system",
        *UNSAID,
    )
    return Configuration(files=(file,), notes=notes)


def _rule(field: str, context: list[dict[str, Any]]) -> dict[str, Any]:
    late = field == "ephemeralContainers"
    resources = {
        "kinds": ["Pod/ephemeralcontainers" if late else "Pod"],
        "operations": ["UPDATE" if late else "CREATE"],
    }
    conditions = [{"key": "{{ moved }}", "operator": "NotEquals", "value": ""}]
    if late:  # those that are there cannot be changed any more
        there = "{{ request.oldObject.spec.ephemeralContainers[].name || `[]` }}"
        conditions.append({"key": "{{ element.name }}", "operator": "AnyNotIn", "value": there})
    each = {
        "list": f"request.object.spec.{field} || `[]`",
        "context": [{"name": "moved", "variable": {"jmesPath": _MOVED, "default": ""}}],
        "preconditions": {"all": conditions},
        "patchesJson6902": (
            f"- op: replace\n  path: /spec/{field}/{{{{ elementIndex }}}}/image\n  value: '{{{{ moved }}}}'\n"
        ),
    }
    return {
        "name": _FIELDS[field],
        "match": {"any": [{"resources": resources}]},
        # A mirror pod is the API server's view of a static pod, which kubelet runs from a file whatever stands here.
        "exclude": {"any": [{"resources": {"annotations": {"kubernetes.io/config.mirror": "*"}}}]},
        "context": context,
        "mutate": {"foreach": [each]},
    }
