"""What the configuration of an image says of it: where it runs, how it starts, its labels, its history.

OCI image specification, config.md. Any field may be missing, or have a value of a wrong type: then it says nothing.
Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from transload.limits import PAGE_CONFIG_BYTES, PAGE_CONFIG_VALUES, PAGE_ROWS
from transload.oci import Descriptor, Platform
from transload.server.page.reading import NotShown
from transload.strictjson import NotJson, read_json
from transload.values import frozen

_LETTERS = 1000
_EMPTY_MAP: Mapping[str, Any] = {}


@frozen(kw_only=True)
class Step:
    """One step of the history, and the layer that it made; None if it made none, or if that is not known."""

    number: int
    text: str
    comment: str = ""
    created: str = ""
    layer: Descriptor | None = None


@frozen(kw_only=True)
class Settings:
    """The parts of a configuration that people ask for. Each list has at most `PAGE_ROWS` entries.

    `steps_count` and `labels_count` count all. `settings` are pairs of a word and a text, such as `("user", "1000")`.
    """

    platform: str = ""
    created: str = ""
    author: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    environment: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    labels_count: int = 0
    steps: tuple[Step, ...] = ()
    steps_count: int = 0


def settings_of(raw: bytes, layers: Sequence[Descriptor]) -> Settings:
    """Read a configuration. Raises `NotShown` for what is no JSON, or is over the limits."""
    try:
        document = read_json(raw, limit=PAGE_CONFIG_BYTES, values=PAGE_CONFIG_VALUES)
    except NotJson as error:
        raise NotShown(f"it {error.verdict}") from None
    if not isinstance(document, dict):
        return Settings()
    run = _map(document.get("config"))
    labels = [(key, value) for key, value in _map(run.get("Labels")).items() if isinstance(value, str)]
    history = document.get("history")
    steps = [each for each in history if isinstance(each, dict)] if isinstance(history, list) else []
    return Settings(
        platform=str(Platform.from_json(document))[:_LETTERS],
        created=_text(document.get("created")),
        author=_text(document.get("author")),
        settings=tuple((word, text) for word, text in _settings(run) if text),
        environment=tuple(map(_text, _texts(run.get("Env"))[:PAGE_ROWS])),
        labels=tuple((key[:_LETTERS], _text(value)) for key, value in sorted(labels)[:PAGE_ROWS]),
        labels_count=len(labels),
        steps=_steps(steps, layers)[:PAGE_ROWS],
        steps_count=len(steps),
    )


def _settings(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("entrypoint", _command(run.get("Entrypoint"))),
        ("command", _command(run.get("Cmd"))),
        ("working folder", _text(run.get("WorkingDir"))),
        ("user", _text(run.get("User"))),
        ("ports", _keys(run.get("ExposedPorts"))),
        ("volumes", _keys(run.get("Volumes"))),
        ("stop signal", _text(run.get("StopSignal"))),
    ]


def _steps(steps: Sequence[Mapping[str, Any]], layers: Sequence[Descriptor]) -> tuple[Step, ...]:
    """The steps with their layers, if those that made one are as many as the layers."""
    making = sum(step.get("empty_layer") is not True for step in steps)
    left = iter(layers if making == len(layers) else ())
    return tuple(
        Step(
            number=number,
            text=_text(step.get("created_by")),
            comment=_text(step.get("comment")),
            created=_text(step.get("created")),
            layer=None if step.get("empty_layer") is True else next(left, None),
        )
        for number, step in enumerate(steps, 1)
    )


def _command(value: object) -> str:
    """A command as its JSON array, in which it is clear where each word ends."""
    words = _texts(value)
    return json.dumps(words, ensure_ascii=False)[:_LETTERS] if words else ""


def _keys(value: object) -> str:
    return ", ".join(list(_map(value))[:PAGE_ROWS])[:_LETTERS]


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else _EMPTY_MAP


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return value if len(value) <= _LETTERS else f"{value[:_LETTERS]}…"
