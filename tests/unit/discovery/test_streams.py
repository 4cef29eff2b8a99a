"""Documents one at a time: JSON after JSON, and the objects of a long list."""

import json
from typing import Any

import pytest
import yaml

from transload.discovery.finding import Discovered, Finding, Unread
from transload.discovery.jsonstream import json_documents
from transload.discovery.kinds import read_file
from transload.documents.value import Value
from transload.errors import DocumentInvalid


def pod(number: int) -> dict[str, Any]:
    metadata = {"name": f"p{number}", "annotations": {"x": "PADDING"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [{"image": f"a:{number}"}]}}


def texts(found: list[Discovered]) -> list[str]:
    return [item.text for item in found if isinstance(item, Finding)]


def contents(text: str) -> list[Any]:
    documents = json_documents(text.encode(), "a.json")
    return [item.content if isinstance(item, Value) else str(item) for item in documents]


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("", []),
        ('{"a":1}{"b":2}\n{"c":3}', [{"a": 1}, {"b": 2}, {"c": 3}]),
        ('[{"a":1}, {"b":2}]', [{"a": 1}, {"b": 2}]),
        ("[]", []),
        ('"text" 5', ["text", 5]),
        ('\ufeff{"a":1}\r\n', [{"a": 1}]),
        ('{"items":[{"a":1},{"b":2}],"kind":"List"}', [{"a": 1}, {"b": 2}]),
        ('{"kind":"PodList","items":[{"a":1}]}', [{"a": 1, "kind": "Pod", "apiVersion": "v1"}]),
        ('{"kind":"PodList","items":[{"kind":"X"}]}', [{"kind": "X"}]),
        ('{"kind":"List","items":[]}', []),
        ('{"kind":"Menu","items":[{"a":1}]}', [{"kind": "Menu", "items": [{"a": 1}]}]),
        ('{"kind":"List","items":{}}', [{"kind": "List", "items": {}}]),
        ("{}", [{}]),
    ],
)
def test_json(text: str, documents: list[Any]) -> None:
    assert contents(text) == documents


@pytest.mark.parametrize(
    ("text", "documents", "told"),
    [
        ('{"a":1}\n{"a":', [{"a": 1}], "a.json:2: not JSON: "),
        ('{"a":1}\nx', [{"a": 1}], "a.json:2: not JSON: "),
        ('{"kind":"List","items":[{"a":1},\n{"a":NaN},{"a":1,"a":2},{"b":1}]}', [{"a": 1}, {"b": 1}], "a.json:2: what"),
        ('{"kind":"List","items":[{"a":1}', [], "a.json:1: not JSON: a bracket is not closed"),
        ('{"a":1}\n{"b":}\n{"c":1}', [{"a": 1}, {"c": 1}], "a.json:2: not JSON: "),
        ("\n{" * 200, [], "a.json:2: not JSON"),
        ('{"a" 1}', [], "a.json:1: not JSON: expected ':'"),
        ('{"a":1', [], "a.json:1: not JSON: expected '}'"),
        ("[" * 100_000, [], "a.json:1: not JSON: it is nested too deep"),
        ('{"a":' * 100_000, [], "a.json:1: not JSON: it is nested too deep"),
    ],
)
def test_json_that_is_wrong_is_told_with_its_line(text: str, documents: list[Any], told: str) -> None:
    found = list(json_documents(text.encode(), "a.json"))
    assert [item.content for item in found if isinstance(item, Value)] == documents
    errors = [item for item in found if isinstance(item, DocumentInvalid)]
    assert errors
    assert str(errors[0]).startswith(told)


def test_a_long_list_in_yaml_is_read_item_by_item() -> None:
    pods = [pod(number) for number in range(10)]
    text = yaml.safe_dump({"apiVersion": "v1", "items": pods, "kind": "List", "metadata": {"resourceVersion": ""}})
    text = f"# of a cluster\n---\n{text}---\n{yaml.safe_dump(pod(10))}".replace("PADDING", "y" * 150_000)
    found = list(read_file(text.encode(), "all.yaml"))
    assert texts(found) == [f"a:{number}" for number in range(11)]
    for item in found:
        assert isinstance(item, Finding)
        assert text.splitlines()[(item.place.line or 0) - 1].strip() == f"- image: {item.text}"


def test_a_bad_item_of_a_long_list_costs_only_itself() -> None:
    pods = yaml.safe_dump([pod(number) for number in range(3)]).replace("image: a:1", "image: [")
    pods = pods.replace("PADDING", "y" * 600_000)
    for order in (f"kind: PodList\nitems:\n{pods}", f"items:\n{pods}kind: PodList\n"):
        found = list(read_file(order.encode(), "all.yaml"))
        assert texts(found) == ["a:0", "a:2"]
        assert [type(item) for item in found].count(Unread) == 1


def test_a_long_list_of_another_kind_is_one_document() -> None:
    text = f"kind: Menu\nx: {'y' * 1_100_000}\nitems:\n- image: a:1\n"
    assert texts(list(read_file(text.encode(), "all.yaml"))) == []


def test_standard_input_is_read_as_what_it_is() -> None:
    assert texts(list(read_file(json.dumps(pod(1)).encode(), "-"))) == ["a:1"]
    assert texts(list(read_file(yaml.safe_dump(pod(1)).encode(), "-"))) == ["a:1"]
    flow = b"{apiVersion: v1, kind: Pod, spec: {containers: [{image: 'a:1'}]}}"
    assert texts(list(read_file(flow, "-"))) == ["a:1"]
