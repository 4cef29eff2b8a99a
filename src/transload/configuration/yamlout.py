"""YAML that we write: keys in their order, and every text as a text, whatever YAML would read in it."""

from __future__ import annotations

from typing import Any


def yaml_text(document: Any, *further: Any) -> bytes:
    """One or several documents as YAML. They are made of mappings, lists, texts, numbers and truths."""
    import yaml

    documents = [document, *further]
    text = yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True, width=1_000, explicit_start=bool(further))
    return str(text).encode()
