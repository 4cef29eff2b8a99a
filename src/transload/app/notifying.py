"""Runs the site's own program after a run: for a mail, a message, a ping to a monitor."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Literal

from transload.app.commandtext import how_it_ended, words_of_command
from transload.app.settings import Environment
from transload.limits import OWN_PROGRAM_OUTPUT_BYTES
from transload.programs import run_program
from transload.report.conclusion import Conclusion
from transload.report.texts import harmless_json
from transload.values import frozen

Occasion = Literal["failure", "change", "always"]
"""When the program runs: `change` also after failures, `always` also when nothing was new."""

TIMEOUT_S = 60.0
# Else the program's own transload would notify again, and write these figures.
_NOT_INHERITED = ("TRANSLOAD_NOTIFY_COMMAND", "TRANSLOAD_NOTIFY_ON", "TRANSLOAD_METRICS_FILE", "TRANSLOAD_REPORT")


@frozen
class Notifier:
    """The program with its arguments, and when it runs."""

    words: Sequence[str]
    occasion: Occasion

    @classmethod
    def parse(cls, text: str, occasion: Occasion, environment: Environment) -> Notifier:
        """Read a command as a shell would split it; no shell is used. Checks before the run that the program is there.

        Raises `UsageError` for a text that is empty or unfinished, or that only a shell would understand; `LocalError`
        for a program that does not exist.
        """
        return cls(words_of_command("--notify-command", text, environment), occasion)

    def is_due(self, conclusion: Conclusion) -> bool:
        """Whether the program runs after a run that ended so."""
        if self.occasion == "always":
            return True
        if self.occasion == "change":
            return conclusion.status != "unchanged"
        return conclusion.status in {"failed", "interrupted"}

    def notify(
        self, conclusion: Conclusion, run_id: str, environment: Environment, timeout_s: float = TIMEOUT_S
    ) -> str | None:
        """Run the program. Returns a sentence about what went wrong with it, which changes nothing for the run."""
        try:
            done = run_program(
                self.words,
                variables=_variables(environment, conclusion, run_id),
                timeout_s=timeout_s,
                limit=OWN_PROGRAM_OUTPUT_BYTES,
                given=json.dumps(harmless_json(dict(conclusion.document))).encode(),
                with_children=True,
            )
        except subprocess.TimeoutExpired:
            return f"it was ended after {timeout_s:g} s"
        except OSError as error:
            return f"it could not be started: {error.strerror or error}"
        if max(len(done.stdout), len(done.stderr)) > OWN_PROGRAM_OUTPUT_BYTES:
            return f"it was ended, since it wrote more than {OWN_PROGRAM_OUTPUT_BYTES >> 10} KiB"
        if done.returncode == 0:
            return None
        return how_it_ended(done)


def _variables(environment: Environment, conclusion: Conclusion, run_id: str) -> Mapping[str, str]:
    """The program's environment: that of the run without our passwords, and how the run ended."""
    inherited = environment.helper_variables or {}
    return {
        **{name: value for name, value in inherited.items() if name.upper() not in _NOT_INHERITED},
        "TRANSLOAD_RUN_ID": run_id,
        "TRANSLOAD_EXIT_CODE": str(conclusion.exit_code),
        "TRANSLOAD_STATUS": conclusion.status,
        "TRANSLOAD_SUMMARY": conclusion.summary,
    }
