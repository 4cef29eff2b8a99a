"""Finding out which images files name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Unpack

from transload.app.discovering import STANDARD_INPUT, Discovery, discover_images, pinned
from transload.discovery.fieldpath import FieldPath
from transload.errors import UsageError
from transload.verbs import arguments
from transload.verbs.means import Means, Options, at_work


def discover(
    paths: str | Path | Iterable[str | Path] = (),
    *,
    content: bytes | None = None,
    fields: str | Iterable[str] = (),
    pin: bool = False,
    **options: Unpack[Options],
) -> Discovery:
    """Find the images that files name: `transload discover` of the command line.

    `paths` are files and folders; `content` is what a program has itself, such as the output of kubectl, and is called
    `-` in places. `fields` are paths to fields that are images in kinds of your own: `spec.workers[].image`. With
    `pin`, the registries are asked for the digests of the tags; `options` then say how they are reached.

    What cannot be decided is in `listing.questions` of the result, what cannot be read in `listing.unread`;
    `Discovery.set_text()` is an image set of all that.

    Raises `SelectionEmpty` if there is neither an image nor a question, `LocalError` for a path that does not exist,
    `UsageError`, `TypeError`.
    """
    words = arguments.texts("paths", paths)
    if STANDARD_INPUT in words:
        raise UsageError("a program's standard input is not read", hint="pass what it holds as content")
    if content is not None:
        words = (*words, STANDARD_INPUT)
        arguments.of_kind("content", content, bytes)
    if not words:
        raise UsageError("nothing was named to look at", hint="name files or folders, or pass content")
    means = Means.of(options)
    asked = [FieldPath.parse(os.fspath(field)) for field in arguments.texts("fields", fields)]
    found = discover_images(words, fields=asked, standard_input=BytesIO(content or b""))
    if not pin:
        return found
    with at_work(means) as work:
        return pinned(found, work.stores, work.cancellation)
