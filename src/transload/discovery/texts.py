"""Texts in which images may be named among other words: configuration in a ConfigMap, a variable, a script.

Nothing defines these as images, so what is found is only likely.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from transload.discovery.finding import Finding, Place, Question
from transload.discovery.judging import is_template, judged, names_registry

TEXT_LENGTH = 1 << 20
"""Characters of one text that is searched: a ConfigMap holds a MiB at most (Kubernetes, "ConfigMaps")."""

_COMMENT = re.compile(r"^[ \t]*+(?:#|//).*$", re.MULTILINE)
_BETWEEN = re.compile(r"[\s,;=|<>\"'`()\[\]{}]+")
_FIELD = re.compile(r"(?<![A-Za-z0-9_-])[\"']?image[\"']?\s*[:=]\s*(\"[^\"\n]*\"|'[^'\n]*'|[^\s\"',}\]]+)")


def names_image(key: str) -> bool:
    """Whether a key says that its value is an image: `image`, `imageName`, `queue-sidecar-image`, `CSI_IMAGE`.

    >>> names_image("initImage"), names_image("imagePullPolicy"), names_image("IMAGE")
    (True, False, True)
    """
    return key.lower().endswith(("image", "imagename", "image_name", "image-name"))


def named_in(text: str, place: Place, rule: str) -> Iterator[Finding | Question]:
    """What a text names: every word with a registry and a tag or digest, and every `image:` or `image=` field.

    Lines that are comments do not count. A text that is too long to be searched is a question.
    """
    if len(text) > TEXT_LENGTH:
        yield Question(text=text[:40], place=place, reason=f"it has more than {TEXT_LENGTH} characters: look yourself")
        return
    text = _COMMENT.sub("", text)
    words = dict.fromkeys(word.rstrip(".:") for word in _BETWEEN.split(text) if "/" in word)
    found = [word for word in words if names_registry(word)]
    for word in found:
        yield Finding(text=word, place=place, rule=rule, sureness="likely")
    for match in _FIELD.finditer(text):
        value = match[1].strip("\"'").strip()
        if value and value not in found and (is_template(value) or not value.startswith(("{", "[", "|", ">"))):
            yield judged(value, place, rule, "likely")
