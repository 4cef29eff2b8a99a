"""Runs what the policies say on pods, as the API server and Kyverno would: their expressions really are evaluated.

CEL is run by cel-python, with the one function of Kubernetes' library for regular expressions, and `substring` of its
library for texts; constructors of objects are read as maps. JMESPath is run by jmespath, with two of Kyverno's
functions. Only what the policies use is here.
"""

import copy
import json
import re
from typing import Any

import celpy
import jmespath
import yaml
from celpy import adapter, celtypes
from jmespath import functions

from transload.configuration import Relocation, Wishes
from transload.configuration.kinds import KINDS

FIELDS = ("containers", "initContainers", "ephemeralContainers")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast
_CONSTRUCTOR = re.compile(r"Object(?:\.\w+)*\{")
_FIELD = re.compile(r"(?<=[{ ])(\w+): (?=\S)")


def policies(kind: str, to: Relocation, version: str = "v1") -> list[dict[str, Any]]:
    """The policies, in the order in which they are asked."""
    files = {str(file.path): file.content for file in KINDS[kind].write(to, Wishes()).files}
    name = "kyverno-policy.yaml" if kind == "kyverno" else f"mutating-admission-policy-{version}.yaml"
    return [document for document in yaml.load_all(files[name], _LOADER) if not document["kind"].endswith("Binding")]


def pod(**images: list[str]) -> dict[str, Any]:
    spec = {
        field: [{"name": f"{field.lower()}-{number}", "image": image, "args": ["x"]} for number, image in enumerate(of)]
        for field, of in images.items()
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


# --- CEL


def admitted(policy: dict[str, Any], pod: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, Any]:
    """The pod as a MutatingAdmissionPolicy leaves it: created, or with `old` before it, given ephemeral containers."""
    spec = policy["spec"]
    given = {
        "object": adapter.json_to_cel(pod),
        "oldObject": adapter.json_to_cel(old),
        "request": adapter.json_to_cel({"operation": "UPDATE" if old else "CREATE"}),
    }
    if not all(_cel(condition["expression"], given) for condition in spec["matchConditions"]):
        return pod
    variables = celtypes.MapType()
    for variable in spec["variables"]:
        variables[celtypes.StringType(variable["name"])] = _cel(
            variable["expression"], given | {"variables": variables}
        )
    for mutation in spec["mutations"]:
        assert mutation["patchType"] == "ApplyConfiguration"
        expression = _as_maps(mutation["applyConfiguration"]["expression"])
        applied = json.loads(json.dumps(_cel(expression, given | {"variables": variables}), cls=adapter.CELJSONEncoder))
        pod = _merged(pod, applied)
    return pod


def _cel(expression: str, given: dict[str, Any]) -> Any:
    environment = celpy.Environment()
    program = environment.program(environment.compile(expression), functions={"find": _find, "substring": _substring})
    return program.evaluate(given)


def _find(text: celtypes.StringType, pattern: celtypes.StringType) -> celtypes.StringType:
    found = re.search(pattern, text)
    return celtypes.StringType(found[0] if found else "")


def _substring(text: celtypes.StringType, begin: celtypes.IntType) -> celtypes.StringType:
    return celtypes.StringType(text[int(begin) :])


def _as_maps(expression: str) -> str:
    return _FIELD.sub(r'"\1": ', _CONSTRUCTOR.sub("{", expression))


def _merged(pod: dict[str, Any], applied: dict[str, Any]) -> dict[str, Any]:
    """The lists of containers are merged by name."""
    pod = copy.deepcopy(pod)
    for field, containers in applied.get("spec", {}).items():
        assert [container["name"] for container in containers] == [item["name"] for item in pod["spec"][field]]
        for container, item in zip(containers, pod["spec"][field], strict=True):
            item.update(container)
    return pod


# --- Kyverno


class _Functions(functions.Functions):  # type: ignore[misc]  # it has no types
    @functions.signature({"types": ["object"]}, {"types": ["string"]})  # type: ignore[untyped-decorator]
    def _func_lookup(self, within: dict[str, Any], key: str) -> Any:
        return within.get(key)

    @functions.signature({"types": ["string"]}, {"types": ["string"]}, {"types": ["string"]})  # type: ignore[untyped-decorator]
    def _func_regex_replace_all(self, pattern: str, text: str, replacement: str) -> str:
        return re.sub(pattern, re.sub(r"\$(\d)", r"\\\1", replacement), text)


_OPTIONS = jmespath.Options(custom_functions=_Functions())


def kyverno(policy: dict[str, Any], pod: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, Any]:
    """The pod as Kyverno leaves it."""
    late = old is not None
    if "kubernetes.io/config.mirror" in pod["metadata"].get("annotations", {}):
        assert policy["spec"]["rules"][0]["exclude"]["any"][0]["resources"]["annotations"]
        return pod
    pod = copy.deepcopy(pod)
    for rule in policy["spec"]["rules"]:
        resources = rule["match"]["any"][0]["resources"]
        wanted = (["Pod/ephemeralcontainers"], ["UPDATE"]) if late else (["Pod"], ["CREATE"])
        if (resources["kinds"], resources["operations"]) == wanted:
            known = {entry["name"]: entry["variable"]["value"] for entry in rule["context"]}
            known["request"] = {"object": copy.deepcopy(pod), "oldObject": old}
            for each in rule["mutate"]["foreach"]:
                _each(each, known, pod)
    return pod


def _each(each: dict[str, Any], known: dict[str, Any], pod: dict[str, Any]) -> None:
    for number, element in enumerate(jmespath.search(each["list"], known)):
        here = known | {"element": element, "elementIndex": number}
        for entry in each["context"]:
            value = jmespath.search(entry["variable"]["jmesPath"], here, options=_OPTIONS)
            here[entry["name"]] = entry["variable"]["default"] if value is None else value
        if all(_holds(condition, here) for condition in each["preconditions"]["all"]):
            for patch in yaml.safe_load(_filled(each["patchesJson6902"], here)):
                spec, field, index, image = patch["path"].strip("/").split("/")
                assert (patch["op"], spec, image) == ("replace", "spec", "image")
                pod["spec"][field][int(index)]["image"] = patch["value"]


def _holds(condition: dict[str, Any], here: dict[str, Any]) -> bool:
    assert condition["operator"] in {"NotEquals", "AnyNotIn"}
    key, value = _filled(condition["key"], here), _filled(condition["value"], here)
    return bool(key != value) if condition["operator"] == "NotEquals" else key not in value


def _filled(text: str, here: dict[str, Any]) -> Any:
    """`{{ … }}` replaced; alone, it keeps its kind."""
    if whole := re.fullmatch(r"\{\{ (.*?) \}\}", text):
        return jmespath.search(whole[1], here, options=_OPTIONS)
    return re.sub(r"\{\{ (.*?) \}\}", lambda found: str(jmespath.search(found[1], here, options=_OPTIONS)), text)
