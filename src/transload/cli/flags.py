"""The flags of a command as typed values. Nothing is read, checked or completed yet.

A command that has only some of the flags keeps the defaults for the others.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from transload.values import frozen

if TYPE_CHECKING:
    from transload.planning import Referrers


@frozen(kw_only=True)
class WantedFlags:
    """The wanted images, their source and their target: `options.wanted`. Stores, names and platforms are texts.

    `also_to` are the further targets of a command that takes several, `via` says which of them another one feeds.
    Without `referrers`, a command does what is usual for it.
    """

    sets: tuple[str, ...] = ()
    to: str | None = None
    also_to: tuple[str, ...] = ()
    via: tuple[str, ...] = ()
    origin: str | None = None
    tag: str | None = None
    target_tag: str | None = None
    image: tuple[str, ...] = ()
    platform: tuple[str, ...] = ()
    narrow: str = "rewritten"
    referrers: Referrers | None = None
    foreign_layers: bool = False
    foreign_as_held: bool = False
    allow_missing: bool = False
    discover: bool = False
    flatten: bool = False
    recheck: bool = False
    source_registry: str | None = None
    source_repository: str | None = None


@frozen(kw_only=True)
class MediaFlags:
    """How the media of a bundle are written: `options.media`."""

    verify_medium: bool = False
    to_media: bool = False
    rewrite_volume: tuple[int, ...] = ()

    @property
    def words(self) -> list[str]:
        """The same as the words of a command line, without volumes that are written again."""
        return [*(["--verify-medium"] if self.verify_medium else []), *(["--to-media"] if self.to_media else [])]


@frozen(kw_only=True)
class GateFlags:
    """The site's programs that look at images before they are copied: `options.gates`."""

    gate: tuple[str, ...] = ()
    gate_timeout: float = 1800.0
    gate_output: Path | None = None
    no_gate_attestations: bool = False

    @property
    def words(self) -> list[str]:
        """The same as the words of a command line."""
        words = [word for command in self.gate for word in ("--gate", command)]
        if words and self.gate_timeout != GateFlags().gate_timeout:
            words += ["--gate-timeout", f"{self.gate_timeout:g}"]
        words += ["--no-gate-attestations"] if words and self.no_gate_attestations else []
        return words + (["--gate-output", str(self.gate_output)] if words and self.gate_output else [])


@frozen(kw_only=True)
class RunFlags:
    """What is kept of a run, and who is told of it: `options.reports`, `options.recorded`."""

    report: tuple[Path, ...] = ()
    run_id: str | None = None
    metrics_file: Path | None = None
    notify_command: str | None = None
    notify_on: Literal["failure", "change", "always"] = "change"
    log_file: Path | None = None
    log_format: Literal["text", "json"] = "text"

    @property
    def words(self) -> list[str]:
        """The files of the run as the words of a command line.

        The run's name is not said again, for another run has another one; nor is the command that is told, in which
        there may be a secret: reports show these words.
        """
        words = [word for path in self.report for word in ("--report", str(path))]
        words += ["--log-file", str(self.log_file)] if self.log_file is not None else []
        words += ["--log-format", self.log_format] if words and self.log_format != RunFlags().log_format else []
        return words + (["--metrics-file", str(self.metrics_file)] if self.metrics_file is not None else [])

    @property
    def has_afterwards(self) -> bool:
        """Whether anything is done when the run is over."""
        return self.metrics_file is not None or self.notify_command is not None


@frozen(kw_only=True)
class LoginFlags:
    """Users, and whether a password comes from standard input: `options.logins`."""

    source_username: str | None = None
    source_password_stdin: bool = False
    target_username: str | None = None
    target_password_stdin: bool = False
