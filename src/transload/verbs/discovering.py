"""Finding out which images files name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Unpack

from transload.app.charts.reading import chart_reader
from transload.app.charts.rendering import ChartOptions
from transload.app.discovering import Discovery, discover_images, pinned
from transload.app.namedfiles import STANDARD_INPUT, is_remote
from transload.app.settings import read_environment
from transload.discovery.fieldpath import FieldPath
from transload.errors import UsageError
from transload.verbs import arguments
from transload.verbs.means import Means, Options, at_work


def discover(
    paths: str | Path | Iterable[str | Path] = (),
    *,
    content: bytes | None = None,
    fields: str | Iterable[str] = (),
    charts: ChartOptions | None = None,
    pin: bool = False,
    **options: Unpack[Options],
) -> Discovery:
    """Find the images that files name: `transload discover` of the command line.

    `paths` are files, folders, and the addresses of charts (`oci://…`, `https://…`), which are fetched. `content` is
    what a program has itself, such as the output of kubectl, and is called `-` in places. `fields` are paths to fields
    that are images in kinds of your own: `spec.workers[].image`. `charts` says with which values charts are read, and
    whether helm renders them if it is on the PATH; `Discovery.charts` says how each was read. With `pin`, tags get
    the digests that nodes run, or else that the registries have; `options` then say how they are reached.

    What cannot be decided is in `listing.questions` of the result, what cannot be read in `listing.unread`;
    `Discovery.set_text()` is an image set of all that.

    Raises `SelectionEmpty` if there is neither an image nor a question, `LocalError` for a path that does not exist,
    `DocumentInvalid` for a file of values that cannot be read, `UsageError`, `TypeError`; for a chart that is to be
    fetched `NotFound`, `CorruptError`, `AccessError`, `Unreachable`.
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
    arguments.of_kind_if_any("charts", charts, ChartOptions)
    asked = [FieldPath.parse(os.fspath(field)) for field in arguments.texts("fields", fields)]
    with at_work(means) as work:
        environment, addresses = means.environment or read_environment(), filter(is_remote, words)
        reader = chart_reader(charts or ChartOptions(), environment, work.stores, addresses)
        found = discover_images(words, fields=asked, standard_input=BytesIO(content or b""), charts=reader)
        return pinned(found, work.stores, work.cancellation) if pin else found
