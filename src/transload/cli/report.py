"""`transload report`: shows the JSON report of a run again, or writes it as a page."""

from __future__ import annotations

import sys
from os.path import realpath  # Path.resolve raises errors for links in a circle
from pathlib import Path

import click

from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import show_result, width_of
from transload.cli.output import OutputFormat
from transload.cli.session import open_session
from transload.errors import UsageError
from transload.files import local_errors, read_file
from transload.limits import REPORT_BYTES

_STANDARD_OUTPUT = Path("-")


@click.command(cls=Command)
@click.argument("report_file", metavar="FILE", type=options.FILE, shell_complete=completion.files)
@click.option(
    "-o",
    "--out",
    type=options.FILE,
    metavar="FILE",
    help="Where to write it: FILE.html or FILE.md; - for HTML to standard output.",
)
@options.reporter
def report(report_file: Path, out: Path | None, output: OutputFormat, quiet: bool) -> int:
    """Show the JSON report of a run (--report FILE.json) again: its result, or a page of HTML or Markdown.

    \b
      transload report run.json
      transload report run.json -o run.html
    """
    from transload.report.reportfile import check_report_path, write_reports
    from transload.report.restoring import restored
    from transload.report.summary import result_lines

    with open_session("report", output, quiet) as session:
        if out == _STANDARD_OUTPUT and output == "json":
            raise UsageError("standard output is for one of both: the page, or JSON", hint="name a file with --out")
        if out is not None and out != _STANDARD_OUTPUT:
            check_report_path(out)
            if realpath(out) == realpath(report_file):
                raise UsageError(f"{out} is the report that is read", subject=str(out), hint="write another name")
        with local_errors("reading", report_file):
            raw = read_file(report_file, REPORT_BYTES + 1)
        result = restored(raw, report_file.name)
        if out == _STANDARD_OUTPUT:
            from transload.report.webpage import to_html

            sys.stdout.write(to_html(result))
            return 0
        if out is not None:
            write_reports(result, [out])
        if session.output.document("report", file=None if out is None else str(out), result=result.to_json()):
            return 0
        if out is None:
            show_result(result_lines(result, width_of(sys.stdout)))
        elif not quiet:
            show_result([f"report: {out}"])
    return 0
