"""Objects in which one value is of another kind: nothing breaks, and the object is still counted somewhere."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from transload.discovery.kinds import read_file
from transload.discovery.listing import listed
from transload.discovery.setfile import set_text

CONTAINER = {"name": "a", "image": "a:1", "env": [{"name": "X_IMAGE", "value": "b:1"}], "args": ["--image", "c:1"]}
POD = {"containers": [CONTAINER], "volumes": [{"image": {"reference": "v:1"}}]}
STATUS = [{"name": "a", "image": "a:1", "imageID": "docker-pullable://a@sha256:" + "a" * 64}]
PARTS = {"registry": "quay.io", "repository": "a/b", "tag": "1"}


def thing(version: str, kind: str, **more: object) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x", "namespace": "y"}, **more}


OBJECTS = {
    "pod": thing("v1", "Pod", spec=POD, status={"containerStatuses": STATUS}),
    "cron job": thing("batch/v1", "CronJob", spec={"jobTemplate": {"spec": {"template": {"spec": POD}}}}),
    "replica set": thing("apps/v1", "ReplicaSet", spec={"replicas": 0, "template": {"spec": POD}}),
    "node": thing("v1", "Node", status={"images": [{"names": ["a:1", "a@sha256:" + "a" * 64]}]}),
    "settings": thing("v1", "ConfigMap", data={"a.yaml": "image: quay.io/a/b:1"}),
    "list": thing("v1", "List", items=[thing("v1", "Pod", spec=POD)]),
    "template": thing("v1", "Template", objects=[thing("v1", "Pod", spec=POD)]),
    "prometheus": thing("monitoring.coreos.com/v1", "Prometheus", spec={"image": "a:1", "containers": [CONTAINER]}),
    "workflow": thing("argoproj.io/v1", "Workflow", spec={"templates": [{"container": {"image": "a:1"}}]}),
    "other": thing("example.com/v1", "Farm", spec={"a": {"image": PARTS}, "b": {"initContainers": [CONTAINER]}}),
}
ODD: tuple[Any, ...] = (None, True, 5, -0.5, "", "x", [], {}, [[{"image": "a:1"}]], {"image": {"image": []}})


def changed(tree: Any) -> Iterator[Any]:
    """The tree with each of its values in turn replaced by each odd one."""
    yield from ODD
    for key, inner in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        for other in changed(inner):
            yield {**tree, key: other} if isinstance(tree, dict) else [*tree[:key], other, *tree[key + 1 :]]


@pytest.mark.parametrize("name", OBJECTS)
def test_a_value_of_another_kind_breaks_nothing(name: str) -> None:
    for tree in changed(OBJECTS[name]):
        text = json.dumps(tree).encode()
        for file in ("a.json", "a.yaml"):
            found = list(read_file(text, file))
            assert found or tree in ([], None, ""), tree
            assert set_text(listed(found)).startswith("kind: ImageSet")
