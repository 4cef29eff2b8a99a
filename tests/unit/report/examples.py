"""The examples of docs/formats, taken from a replayed run; `python -m tests.unit.report.examples` writes them anew."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

from tests.unit.report.replay import Replay, StoppedClock, Trouble, Wanted, planned, result_of
from transload.errors import DigestMismatch, ManifestUnknown, SettingMissing, Unreachable
from transload.events import HostTroubled, Progressed, RunPaused, RunResumed
from transload.oci import Digest
from transload.report.jsonl import JsonLines, JsonProgress
from transload.report.markdown import to_markdown
from transload.report.problem import Problem
from transload.report.result import Result
from transload.report.tally import Tally, together

DOCS = Path(__file__).parents[3] / "docs" / "formats"
_MARK = re.compile(
    r"(?P<head><!-- example: (?P<name>[a-z]+) -->\n\n(?P<fence>`{3,})[a-z]+\n)(?P<text>.*?)(?P<tail>^(?P=fence)\n)",
    re.DOTALL | re.MULTILINE,
)
_MIB = 1 << 20
_DAMAGED = DigestMismatch(
    f"expected {Digest.of(b'a')}, found {Digest.of(b'b')}",
    subject=Digest.of(b"a"),
    hint="the source delivers damaged content; try again later, or from another mirror",
    side="source",
)
_ABSENT = ManifestUnknown("mcr.microsoft.com has no arcdata/arc-tools:v1.40.0_2025-06-10", side="source")
_RELEASE = (
    Wanted("arc-controller", (60 * _MIB,), notes=("1 of 2 platform entries (linux/amd64); index rewritten",)),
    Wanted("arc-kibana", (), "same"),
    Wanted("arc-sqlmi", (50 * _MIB,)),
    Wanted("arc-tools", error=_ABSENT, optional=True),
)
_SILENT = HostTroubled(
    "registry.plant-7.example:5000",
    "retrying",
    troubled_s=3.25,
    left_s=116.75,
    attempt=4,
    attempts=12,
    wait_s=3.5,
    error=Unreachable(
        "looking for the blob: registry.plant-7.example:5000 refuses connections",
        subject="registry.plant-7.example:5000",
        hint="check host and port; the server may be down, or a firewall or proxy in between",
        side="target",
    ),
    side="target",
    until_s=1_750_000_003.5,
    at_a_time=4,
)
_TROUBLES = (Trouble("arc-controller", retries=1), Trouble("arc-sqlmi", fatal=_DAMAGED))


def replayed() -> tuple[list[dict[str, Any]], Result]:
    """Every line of the stream, and the result, of a small run in which something of everything happens."""
    clock, plan, stream = StoppedClock(), planned(_RELEASE), io.StringIO()
    lines, tally = JsonLines(stream, clock), Tally(plan, clock)
    lines.hello("mirror", "1.0.0")
    lines.activity(Progressed("surveying", 12, 20))
    lines.plan(plan)
    replay = Replay(plan, clock, _TROUBLES)
    lines.host(_SILENT)
    with JsonProgress(tally, lines, clock, look_s=3600) as progress:
        listen = together(tally, progress)
        for event in replay:
            listen(event)
        progress(RunPaused("22:00"))
        progress(RunResumed(24_800.0))
        progress.notice("stopping: what has arrived is kept where possible; Ctrl-C once more leaves at once")
    result = result_of(tally, replay.outcome)
    lines.result(result)
    missing = SettingMissing("no target was given", hint="give --to, or set TARGET_DOCKER_REGISTRY")
    lines.error(Problem.of(missing))
    return [json.loads(line) for line in stream.getvalue().splitlines()], result


def examples() -> dict[str, str]:
    """Text by name: one for each event (the last of its kind, whose values say most), and the Markdown report."""
    told, result = replayed()
    named = {line["event"]: json.dumps(line, indent=2) + "\n" for line in told}
    return {**named, "markdown": to_markdown(result)}


def with_examples(text: str) -> str:
    """A page with every marked example as it has to be."""
    current = examples()
    return _MARK.sub(lambda found: f"{found['head']}{current[found['name']]}{found['tail']}", text)


def named_in(text: str) -> set[str]:
    """The examples that a page has."""
    return {found["name"] for found in _MARK.finditer(text)}


if __name__ == "__main__":
    for page in (DOCS / "json-output.md", DOCS / "report.md"):
        page.write_text(with_examples(page.read_text()))
