"""`transload demo`: shows the main job with generated images."""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import click

from transload.app.demo import Stage, staged
from transload.app.job import Job
from transload.app.location import Location
from transload.app.mirror import prepare
from transload.app.network import Network
from transload.app.outcome import StartTime
from transload.app.settings import Environment
from transload.app.verify import check_against_source
from transload.cli import options
from transload.cli.command import Command
from transload.cli.commandline import command_line, command_words, retry_command
from transload.cli.console import show_result, width_of
from transload.cli.output import Output
from transload.cli.running import carry
from transload.cli.session import Session
from transload.report.markdown import to_markdown
from transload.report.result import Result, exit_code
from transload.report.styled import Styled, folded
from transload.report.texts import count, size
from transload.threads import Cancellation


@click.command(cls=Command)
@click.option(
    "--size",
    "mebibytes",
    metavar="MIB",
    type=click.IntRange(1, 4096),
    default=192,
    show_default=True,
    help="MiB of a release.",
)
@click.option(
    "--keep",
    type=options.FOLDER,
    metavar="DIR",
    help="Keep registries and reports in DIR.",
)
def demo(mebibytes: int, keep: Path | None) -> int:
    """Show the main job on generated images: a release, next month's release, proof. No network, under a minute."""
    with tempfile.TemporaryDirectory(prefix="transload-demo-") as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        with staged(folder, mebibytes << 20) as stage:
            return _Show(stage, folder, kept=keep is not None).run()


class _Show:
    """The parts of the demo. Each prints a command, and then the output of that command."""

    def __init__(self, stage: Stage, folder: Path, *, kept: bool) -> None:
        self._stage = stage
        self._environment = Environment(state=folder / "state")
        self._reports = [folder / "report.md", folder / "report.json"] if kept else []
        self._cancellation = Cancellation()
        self._job = Job(sets=(str(stage.catalog),), target=Location.parse(f"{stage.target.host_port}/mirror"))

    def run(self) -> int:
        stage = self._stage
        self._say("Building images from a seed ...")
        first = stage.publish(1)
        offer = f"publishes {first.tag}: {count(len(first.images), 'image')}, {size(first.size)} in shared layers"
        self._say(f"A vendor's registry at {stage.source.host_port} {offer}.")
        self._say(f"Ours at {stage.target.host_port} is empty.")
        results = [self._mirror("1. Mirror the release. Each layer crosses once; other images get it by a mount.")]
        second = stage.publish(2)
        results.append(self._mirror(f"2. Next month: {second.tag} is out. Only what is new crosses."))
        results.append(
            self._mirror("3. Again, with nothing new: which release is the newest, then two requests per image.")
        )
        proved = self._verify()
        self._report(results[1])
        self._numbers(results)
        failed = next((code for code in map(exit_code, results) if code), 0)
        return failed or proved

    def _mirror(self, title: str) -> Result:
        before = self._stage.source.requests.total + self._stage.target.requests.total
        self._act(title, ["mirror", *command_words(self._job)])
        began = StartTime.now(command_line(["mirror", *command_words(self._job)]))
        session = self._session("mirror", self._reports)
        with session.stoppable(), session.stores() as stores:
            prepared = prepare(self._job, stores, session.cancellation)
            result = carry(session, stores, prepared, began, retry_command(self._job))
        asked = self._stage.source.requests.total + self._stage.target.requests.total - before
        self._say(f"Both registries counted {count(asked, 'request')}.")
        return result

    def _verify(self) -> int:
        self._act(
            "4. Prove it: every manifest compared, every blob at the target read and hashed again.",
            ["verify", *command_words(self._job), "--deep"],
        )
        session = self._session("verify")
        with session.stores() as stores:
            checked = check_against_source(self._job, stores, True, session.cancellation)
        good = sum(proof.good for proof in checked.proofs)
        read = sum(proof.bytes for proof in checked.proofs)
        with session.output.paused():  # else it goes on to say that it verifies
            show_result(
                [
                    Styled.of(
                        (
                            f"{good} of {count(len(checked.proofs), 'image')} identical",
                            "good" if checked.exit_code == 0 else "bad",
                        ),
                        f", {size(read)} accounted for",
                    )
                ]
            )
        return checked.exit_code

    def _report(self, result: Result) -> None:
        """The report of a run, up to its lists of images."""
        self._act("5. What --report report.md keeps of the second run, in short:", [])
        show_result(to_markdown(result).partition("\n## Images")[0].splitlines())

    def _numbers(self, results: list[Result]) -> None:
        rows = ["", f"{'':<14}  {'images':>6}  {'copied':>8}  {'blobs':>5}  {'mounts':>6}  {'seconds':>7}"]
        for name, result in zip(("first release", "next release", "nothing new"), results, strict=True):
            copied, mounted = result.share("copied"), result.share("mounted")
            done = f"{len(result.images):>6}  {size(copied.bytes):>8}  {copied.blobs:>5}  {mounted.blobs:>6}"
            rows.append(f"{name:<14}  {done}  {result.duration_s:>7.1f}")
        show_result([*rows, ""])

    def _act(self, title: str, words: list[str]) -> None:
        command = [Styled.of((f"$ transload {shlex.join(words)}", "faint"))] if words else []
        shown = (Styled.of((str(line), "strong")) for line in folded("", title, width_of(sys.stdout)))
        show_result(["", *shown, *command])

    def _say(self, text: str) -> None:
        show_result(Styled.of((str(line), "faint")) for line in folded("", text, width_of(sys.stdout)))

    def _session(self, command: str, reports: Iterable[Path] = ()) -> Session:
        output = Output(command, "text", quiet=False, reports=reports)
        return Session(output, self._environment, Network(), self._cancellation)
