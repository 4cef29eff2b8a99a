"""Report files: JSON, Markdown or HTML by the name's suffix, checked before the run, so that they can be written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from transload.errors import LocalError, TransloadError, UsageError
from transload.files import check_replaceable, local_errors, replace_file
from transload.report.several import Results
from transload.report.texts import json_parts

if TYPE_CHECKING:
    from transload.report.result import Result


def _to_json(result: Result | Results) -> Iterator[str]:
    yield from json_parts(result.to_json(), _IMAGES, indented=True)
    yield "\n"


def _to_markdown(result: Result | Results) -> Iterator[str]:
    from transload.report.markdown import pages, to_markdown  # few runs write one

    yield pages(result) if isinstance(result, Results) else to_markdown(result)


def _to_html(result: Result | Results) -> Iterator[str]:
    from transload.report.webpage import to_html  # few runs write one

    yield to_html(result)


_TOGETHER = 64 << 10
_IMAGES = 2  # how deep an image is in a result
_WRITERS: Mapping[str, Callable[[Result | Results], Iterator[str]]] = {
    ".json": _to_json,
    ".md": _to_markdown,
    ".html": _to_html,
}


def check_report_path(path: Path) -> None:
    """Check that a report can be written there; before a run, since after it people can no longer choose another path.

    Raises `UsageError` for a suffix that stands for no format, `PartMissing` without what HTML needs,
    `LocalError` for a folder that does not exist, `PermissionRefused` for one that cannot be written to.
    """
    if path.suffix.lower() not in _WRITERS:
        raise UsageError(
            f"a report named {path.name!r} has no known format",
            subject=str(path),
            hint="let the name end in .json, .md or .html",
        )
    if path.suffix.lower() == ".html":
        from transload.pages import check_pages

        check_pages(f"writing {path.name}")
    if path.is_dir():
        raise LocalError(f"{path} is a folder, not a report", subject=str(path))
    check_replaceable(path)


def write_reports(result: Result | Results, paths: Iterable[Path]) -> None:
    """Write the result to each path, each file whole or not at all.

    Raises what `check_report_path` raises, and `DiskFull`: the first such error, after all other files are written.
    """
    failed: list[TransloadError] = []
    for path in paths:
        try:
            check_report_path(path)
            with local_errors("writing", path):
                replace_file(path, _encoded(_WRITERS[path.suffix.lower()](result)))
        except TransloadError as error:
            failed.append(error)
    if failed:
        raise failed[0]


def _encoded(parts: Iterator[str]) -> Iterator[bytes]:
    """The parts as bytes, many small ones together."""
    waiting: list[str] = []
    length = 0
    for part in parts:
        waiting.append(part)
        length += len(part)
        if length >= _TOGETHER:
            yield "".join(waiting).encode()
            waiting, length = [], 0
    yield "".join(waiting).encode()
