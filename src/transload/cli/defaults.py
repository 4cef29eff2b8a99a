"""Defaults of flags from the configuration file: flag over variable over file."""

from __future__ import annotations

from typing import Any

from transload.app.settings import read_environment
from transload.errors import DocumentInvalid
from transload.files import local_errors

_COMMANDS = ("mirror", "plan", "apply", "verify", "releases", "serve")
_SECRET = ("password",)


def defaults_from_file() -> dict[str, Any] | None:
    """click's `default_map` from the file, whose keys are the long flags without dashes. Raises `DocumentInvalid`."""
    path = read_environment().config
    if not path.is_file():
        return None
    import yaml

    with local_errors("reading", path):
        content = path.read_bytes()
    try:
        document = yaml.safe_load(content) or {}
    except yaml.YAMLError as error:
        raise DocumentInvalid(f"{path}: not YAML: {' '.join(str(error).split())}", subject=str(path)) from error
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise DocumentInvalid(
            f"{path}: expected a map of flags to values",
            subject=str(path),
            hint="for example: to: registry.local/arcdata",
        )
    for key in document:
        if any(word in key for word in _SECRET):
            raise DocumentInvalid(
                f"{path}: {key}: secrets do not belong into this file", subject=str(path), hint="use docker login"
            )
    flags = {key.replace("-", "_"): value for key, value in document.items()}
    return dict.fromkeys(_COMMANDS, flags)
