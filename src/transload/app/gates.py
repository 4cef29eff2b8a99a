"""A gate: a program of the site that looks at an image in a folder, and lets it pass or refuses it."""

from __future__ import annotations

import hashlib
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from transload.app.commandtext import words_of_command
from transload.app.settings import Environment
from transload.errors import UsageError
from transload.files import local_errors, replace_file
from transload.limits import GATE_OUTPUT_BYTES
from transload.oci import Digest, Name
from transload.oci.reference import shown
from transload.programs import run_program
from transload.report.gated import GateResult, OutputFormat
from transload.report.texts import one_line
from transload.transfer.limits import NO_LIMITS, Limits
from transload.values import evolve, frozen
from transload.wording import in_words

if TYPE_CHECKING:
    from transload.bundle.format.signing import Signer

TIMEOUT_S = 1800.0
_PLACE = re.compile(r"\{(image|name|digest)\}")
_LINES, _LINE = 3, 400  # of the output that people read, and letters of each: a scanner says its verdict after a path
_LOOKED_AT = 4096
_CYCLONEDX = re.compile(rb'"bomFormat"\s*:\s*"CycloneDX"')
_SPDX = re.compile(rb'"spdxVersion"\s*:\s*"SPDX-')
_SARIF = re.compile(rb'"\$schema"\s*:\s*"[^"]*sarif|"runs"\s*:\s*\[')
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_SUFFIXES: Mapping[OutputFormat, str] = {
    "sarif": "sarif.json",
    "cyclonedx": "cdx.json",
    "spdx": "spdx.json",
    "json": "json",
    "text": "txt",
}


@frozen
class Gate:
    """A command: `text` as it was given, and its words, in which `{image}` stands for the folder."""

    text: str
    words: Sequence[str]

    @classmethod
    def parse(cls, text: str, environment: Environment) -> Gate:
        """Read a command. Raises `UsageError` for one without `{image}`, and what `words_of_command` raises."""
        words = words_of_command("--gate", text, environment)
        if not any("{image}" in word for word in words[1:]):
            raise UsageError(
                f"--gate {shown(text)!r} does not say where the folder of the image goes",
                hint="write {image} there, such as: --gate 'trivy image --exit-code 1 --input {image}'",
            )
        return cls(text, words)

    def command(self, folder: Path, name: Name, digest: Digest) -> list[str]:
        """The words for one image."""
        values = {"image": str(folder), "name": str(name), "digest": str(digest)}
        return [_PLACE.sub(lambda place: values[place[1]], word) for word in self.words]


@frozen(kw_only=True)
class Gates:
    """The gates of a run, in order; an image that one of them refuses is not shown to the next.

    `timeout_s` is for one program and one image. `output` is a folder for what the programs write. With `attest`, what
    they say of images that pass travels with these, signed by `signer` if there is one.
    """

    gates: tuple[Gate, ...]
    timeout_s: float = TIMEOUT_S
    output: Path | None = None
    attest: bool = True
    signer: Signer | None = None

    @classmethod
    def parse(
        cls,
        texts: Iterable[str],
        environment: Environment,
        *,
        timeout_s: float = TIMEOUT_S,
        output: Path | None = None,
        attest: bool = True,
        signer: Signer | None = None,
    ) -> Gates | None:
        """The gates; None without any. Raises what `Gate.parse` raises, `UsageError`, `LocalError` for the folder."""
        gates = tuple(Gate.parse(text, environment) for text in texts)
        if not gates:
            return None
        if output is not None:
            with local_errors("making the folder", output):
                output.mkdir(parents=True, exist_ok=True)
        return cls(gates=gates, timeout_s=timeout_s, output=output, attest=attest, signer=signer)


def check_limits(limits: Limits) -> None:
    """Raise `UsageError` for limits, which what is fetched for the gates would not keep."""
    if limits != NO_LIMITS:
        raise UsageError(
            "--gate does not go with --max-bytes or --between: images are fetched whole for the gates",
            hint="leave one of them out; --limit-rate goes with gates",
        )


def look(
    gate: Gate, command: Sequence[str], timeout_s: float, environment: Environment, check: Callable[[], None]
) -> tuple[GateResult, bytes]:
    """Run a gate on one image. Gives what it said, and its output. Raises only what `check` raises."""
    began_s = time.monotonic()
    try:
        done = run_program(
            command,
            variables=environment.helper_variables or {},
            timeout_s=timeout_s,
            limit=GATE_OUTPUT_BYTES,
            with_children=True,
            check=check,
        )
    except subprocess.TimeoutExpired:
        return GateResult(
            command=gate.text,
            exit_code=None,
            problem=f"it was ended after {timeout_s:g} s",
            duration_s=time.monotonic() - began_s,
        ), b""
    except OSError as error:
        problem = f"it could not be started: {error.strerror or error}"
        return GateResult(command=gate.text, exit_code=None, problem=problem), b""
    result = _result(gate, done, time.monotonic() - began_s)
    return result, done.stdout[:GATE_OUTPUT_BYTES]


def _result(gate: Gate, done: subprocess.CompletedProcess[bytes], duration_s: float) -> GateResult:
    output = done.stdout[:GATE_OUTPUT_BYTES]
    kind = output_format(output)
    return GateResult(
        command=gate.text,
        exit_code=done.returncode if done.returncode >= 0 else None,
        problem=_problem(done),
        lines=_first_lines(done.stdout if kind == "text" else b"", done.stderr),
        output_format=kind,
        output_bytes=len(output),
        output_sha256=hashlib.sha256(output).hexdigest(),
        duration_s=duration_s,
    )


def _problem(done: subprocess.CompletedProcess[bytes]) -> str | None:
    if max(len(done.stdout), len(done.stderr)) > GATE_OUTPUT_BYTES:
        return f"it was ended, since it wrote more than {in_words(GATE_OUTPUT_BYTES)}"
    if done.returncode < 0:
        return f"it was ended by signal {-done.returncode}"
    return f"exit code {done.returncode}" if done.returncode else None


def _first_lines(*texts: bytes) -> tuple[str, ...]:
    """The first lines of the first text that has any."""
    for text in texts:
        lines = [line.strip() for line in text[:4096].decode("utf-8", "replace").splitlines() if line.strip()]
        if lines:
            return tuple(one_line(line)[:_LINE] for line in lines[:_LINES])
    return ()


def output_format(output: bytes) -> OutputFormat:
    r"""What a program's output is, by a look at its beginning; it may be large, and nobody here needs the rest.

    >>> output_format(b'{"bomFormat": "CycloneDX", "specVersion": "1.6"}'), output_format(b"clean\n")
    ('cyclonedx', 'text')
    """
    beginning = output[:_LOOKED_AT].lstrip()
    if not beginning.startswith(b"{"):
        return "text"
    if _CYCLONEDX.search(beginning):
        return "cyclonedx"
    if _SPDX.search(beginning):
        return "spdx"
    return "sarif" if _SARIF.search(beginning) else "json"


def kept(result: GateResult, output: bytes, folder: Path | None, name: Name, digest: Digest, number: int) -> GateResult:
    """The same result, with the output in a file of `folder`, if there is one. Raises `LocalError`."""
    if folder is None:
        return result
    suffix = f"{number}.{_SUFFIXES[result.output_format]}"
    path = folder / f"{_UNSAFE.sub('_', str(name))[:120]}-{digest.short}.{suffix}"
    with local_errors("writing", path):
        replace_file(path, output)
    return evolve(result, file=str(path))
