"""TOML that we write: keys in their order, every text as a basic string (TOML 1.0)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

Value = str | bool | Sequence[str]


def toml_text(text: str) -> str:
    """A text in TOML's quotes, for keys and for values.

    >>> print(toml_text('a "quoted" back\\\\slash'))
    "a \\"quoted\\" back\\\\slash"
    """
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_table(header: str, values: Mapping[str, Value]) -> str:
    """One table with its header, which may be empty: `[host."https://registry.local"]`."""
    lines = [header] if header else []
    lines += [f"{key} = {_value(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return toml_text(value) if isinstance(value, str) else f"[{', '.join(map(toml_text, value))}]"
