"""What a chart's `Chart.yaml` becomes in its artifact: the config and the annotations of the manifest, as in Helm.

Helm writes the config from a structure of Go, so the keys stand in the order of its fields, empty ones are left out,
and three letters of HTML are escaped. The time, which Helm adds to the annotations, is left out, so that the same chart
always has the same digest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

_TITLE = "org.opencontainers.image.title"
_VERSION = "org.opencontainers.image.version"
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_DEPENDENCY_ALWAYS = ("name", "repository")


def config_of(metadata: Mapping[str, Any]) -> bytes:
    """The config of the artifact: `Chart.yaml` as JSON."""
    text = json.dumps(_kept(metadata, _CHART), ensure_ascii=False, separators=(",", ":"))
    for letter, escaped in _ESCAPED.items():
        text = text.replace(letter, escaped)
    return text.encode()


def annotations_of(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The annotations of the manifest, sorted: those of the chart, and what registries show of it."""
    sources, maintainers = _texts(metadata.get("sources")), metadata.get("maintainers")
    shown = {
        "org.opencontainers.image.description": _text(metadata.get("description")),
        _TITLE: _text(metadata.get("name")),
        _VERSION: _text(metadata.get("version")),
        "org.opencontainers.image.url": _text(metadata.get("home")),
        "org.opencontainers.image.source": sources[0] if sources else "",
        "org.opencontainers.image.authors": ", ".join(
            map(_person, maintainers if isinstance(maintainers, list) else ())
        ),
    }
    own = {key: value for key, value in _text_map(metadata.get("annotations")).items() if key not in {_TITLE, _VERSION}}
    return dict(sorted(({key: value for key, value in shown.items() if value.strip()} | own).items()))


def _person(person: Any) -> str:
    name, email = (_text(person.get(key)) if isinstance(person, Mapping) else "" for key in ("name", "email"))
    return f"{name} ({email})" if email else name


def _kept(mapping: Mapping[str, Any], fields: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    kept = {key: read(mapping[key]) for key, read in fields.items() if key in mapping}
    return {key: value for key, value in kept.items() if value or (fields is _DEPENDENCY and key in _DEPENDENCY_ALWAYS)}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if _is_list(value) else []


def _text_map(value: Any) -> dict[str, str]:
    pairs = value.items() if isinstance(value, Mapping) else ()
    return {key: item for key, item in sorted(pairs) if isinstance(item, str)}


def _truth(value: Any) -> bool:
    return value in {"true", "True", "TRUE"} if isinstance(value, str) else False


def _each(fields: Mapping[str, Callable[[Any], Any]]) -> Callable[[Any], list[dict[str, Any]]]:
    return lambda value: [_kept(item, fields) for item in value if isinstance(item, Mapping)] if _is_list(value) else []


def _as_it_is(value: Any) -> Any:
    return value


_PERSON = {"name": _text, "email": _text, "url": _text}
_DEPENDENCY = {
    "name": _text,
    "version": _text,
    "repository": _text,
    "condition": _text,
    "tags": _texts,
    "enabled": _truth,
    "import-values": _as_it_is,
    "alias": _text,
}
# The fields of Helm's `chart.Metadata` (pkg/chart/v2), in their order there.
_CHART: dict[str, Callable[[Any], Any]] = {
    "name": _text,
    "home": _text,
    "sources": _texts,
    "version": _text,
    "description": _text,
    "keywords": _texts,
    "maintainers": _each(_PERSON),
    "icon": _text,
    "apiVersion": _text,
    "condition": _text,
    "tags": _text,
    "appVersion": _text,
    "deprecated": _truth,
    "annotations": _text_map,
    "kubeVersion": _text,
    "dependencies": _each(_DEPENDENCY),
    "type": _text,
}
