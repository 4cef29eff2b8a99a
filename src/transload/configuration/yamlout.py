"""YAML that we write: keys in their order, and every text as a text, whatever YAML would read in it."""

from __future__ import annotations

from functools import cache
from typing import Any


def yaml_text(document: Any, *further: Any) -> bytes:
    """One or several documents as YAML. They are made of mappings, lists, texts, numbers and truths.

    What stands at two places is written twice, and a text of several lines as one, for those who read it.
    """
    import yaml

    documents = [document, *further]
    text = yaml.dump_all(
        documents, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=1_000, explicit_start=bool(further)
    )
    return str(text).encode()


@cache
def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return Dumper
