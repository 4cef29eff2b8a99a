"""Names of Kubernetes objects, and how large one may be."""

from __future__ import annotations

import re
from typing import Any

from transload.configuration.yamlout import yaml_text
from transload.errors import LimitExceeded, UsageError
from transload.limits import KUBERNETES_OBJECT_BYTES

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_LABEL_LENGTH = 63
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NAME_LENGTH = 253


def object_name(text: str | None, default: str) -> str:
    """`text`, or `default` without it, if it can name an object: a subdomain of RFC 1123. Raises `UsageError`."""
    name = default if text is None else text
    if len(name) > _NAME_LENGTH or not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:_NAME_LENGTH]!r} cannot be the name of a Kubernetes object",
            hint="use at most 253 lower-case letters, digits, - and . between them",
        )
    return name


def namespace_name(text: str) -> str:
    """`text`, if it can be a namespace: a label of RFC 1123. Raises `UsageError`."""
    if len(text) > _LABEL_LENGTH or not re.fullmatch(_LABEL, text):
        raise UsageError(
            f"{text[:_NAME_LENGTH]!r} cannot be the name of a namespace",
            hint="use at most 63 lower-case letters, digits, and - between them",
        )
    return text


def objects_text(*documents: dict[str, Any]) -> bytes:
    """Kubernetes objects as one file. Raises `LimitExceeded` for one that a cluster would not take."""
    texts = [yaml_text(document) for document in documents]
    for document, text in zip(documents, texts, strict=True):
        if len(text) > KUBERNETES_OBJECT_BYTES:
            raise LimitExceeded(
                f"the {document['kind']} would have {len(text)} bytes, and clusters take {KUBERNETES_OBJECT_BYTES}",
                hint="write one configuration for each part of the images",
            )
    return texts[0] if len(texts) == 1 else b"".join(b"---\n" + text for text in texts)
