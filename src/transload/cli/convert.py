"""`transload convert`: writes the lists of other tools as an image set."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import say_notes, show_result
from transload.cli.output import OutputFormat
from transload.cli.session import open_session
from transload.errors import UsageError
from transload.files import check_replaceable, expanded, replace_file
from transload.report.texts import count

if TYPE_CHECKING:
    from transload.app.converting import Converted


@click.command(cls=Command)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, shell_complete=completion.files)
@click.option("-o", "--out", type=options.FILE, metavar="SET", help="Write the image set here, not to the output.")
@click.option("--strict", is_flag=True, help="Fail if a question is open.")
@options.reporter
def convert(files: tuple[str, ...], out: Path | None, strict: bool, output: OutputFormat, quiet: bool) -> int:
    """Write lists of other tools as one image set: Hauler, Zarf, oc-mirror, skopeo, regsync, imgpkg, and more.

    FILE may be - for standard input. Every command takes such files as they are, too. What they ask for and no run
    does is said, and becomes a comment; what cannot be decided becomes a question in the set.

    \b
      transload convert hauler-manifest.yaml -o set.yaml
      transload convert zarf.yaml images.txt > set.yaml
    """
    from transload.app.converting import convert_lists

    with open_session("convert", output, quiet) as session:
        if out is not None:
            check_replaceable(out)
            _check_is_no_input(out, files)
        converted = convert_lists(files, sys.stdin.buffer)
        text = converted.set_text()
        if out is not None:
            replace_file(out, text.encode())
        if not quiet and session.output.speaks:
            say_notes([*converted.image_set.notes, *map(str, converted.questions)])
        if not session.output.document("converted", set=str(out) if out else None, **_json(converted)):
            if out is None:
                click.echo(text, nl=False)
            else:
                show_result([f"{_totals(converted)}; written to {out}"])
    return int(bool(strict and converted.questions))


def _check_is_no_input(out: Path, files: tuple[str, ...]) -> None:
    """Raises `UsageError`: nobody wants to lose the list that is converted."""
    if out.exists() and any(out.samefile(path) for path in map(expanded, files) if path.exists()):
        raise UsageError(
            f"{out} is read, and would be replaced", subject=str(out), hint="write the set to another file"
        )


def _totals(converted: Converted) -> str:
    image_set = converted.image_set
    rules, questions = len(image_set.ruled) + len(image_set.prefixes), len(converted.questions)
    parts = [
        count(len(image_set.images), "image"),
        *([count(rules, "rule") + " for tags"] if rules else []),
        *([count(len(image_set.charts), "chart")] if image_set.charts else []),
        *([count(questions, "open question")] if questions else []),
        *([count(len(image_set.notes), "note")] if image_set.notes else []),
    ]
    return ", ".join(parts)


def _json(converted: Converted) -> dict[str, Any]:
    image_set = converted.image_set
    return {
        "files": [{"file": file, "format": what} for file, what in converted.formats],
        "images": [
            {
                "source": str(image.source),
                "target": image.place,
                "platforms": [str(platform) for platform in image.platforms],
            }
            for image in image_set.images
        ],
        "rules": [
            {"source": str(images.source), "target": images.target, "rule": str(images.rule)}
            for images in image_set.ruled
        ]
        + [{"source": str(prefix), "target": prefix.target, "rule": str(prefix.rule)} for prefix in image_set.prefixes],
        "charts": [
            {"chart": str(chart.address), "target": chart.target or None, "images": chart.images}
            for chart in image_set.charts
        ],
        "notes": list(image_set.notes),
        "questions": [
            {"text": question.text, "reason": question.reason, "found": question.where}
            for question in converted.questions
        ],
    }
