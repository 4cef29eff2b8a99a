"""Runs `helm template`: a chart and values in, manifests out. A chart is foreign, so helm gets as little as possible.

It gets no shell, no login, no cluster and no plugin: its folders are empty ones of its own, which are deleted after it.
`helm template` asks no cluster. It loads no subcharts that are missing (`--dependency-update` is not used), and looks
up no hosts. What it writes has a limit, and so has its time.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from transload.app.settings import Environment
from transload.errors import DocumentInvalid
from transload.limits import RENDERED_BYTES
from transload.programs import run_program
from transload.values import field, frozen
from transload.wording import in_words

TIMEOUT_S = 120.0
_RELEASE = "release-name"  # as helm itself calls a release without a name
_FOLDERS = ("HOME", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_PLUGINS")
_KEPT = ("PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "LANG")
_NOWHERE = "http://127.0.0.1:9"  # the discard port of RFC 863, which answers nowhere
_COMPLAINT = 400  # letters


@frozen(kw_only=True)
class ChartOptions:
    """How charts are read: files of values and single ones (`KEY=VALUE`) over their own, as helm takes them.

    `kube_version` and `api_versions` say for which cluster helm renders; without `helm` it is not used.
    """

    values: tuple[Path, ...] = ()
    sets: tuple[str, ...] = ()
    kube_version: str | None = None
    api_versions: tuple[str, ...] = ()
    helm: bool = True


@frozen(kw_only=True)
class Helm:
    """The program, and the variables that it gets beside its folders."""

    program: str
    variables: Mapping[str, str] = field(repr=False)
    timeout_s: float = TIMEOUT_S

    @classmethod
    def on_path(cls, environment: Environment) -> Helm | None:
        """The `helm` on the PATH of the user; None if there is none."""
        program = shutil.which("helm", path=environment.helper_path)
        given = environment.helper_variables or {}
        kept = {name: given[name] for name in _KEPT if name in given}
        return cls(program=program, variables=kept) if program else None

    def render(self, chart: Path, options: ChartOptions) -> bytes:
        """The manifests of a chart, as a YAML stream. Raises `DocumentInvalid` with what helm says if it cannot."""
        with tempfile.TemporaryDirectory(prefix="transload-helm-") as folder:
            homes = {name: str(Path(folder, name.lower())) for name in _FOLDERS}
            away = {"HTTP_PROXY": _NOWHERE, "HTTPS_PROXY": _NOWHERE, "KUBECONFIG": str(Path(folder, "none"))}
            try:
                done = run_program(
                    self._command(chart, options),
                    variables={**self.variables, **homes, **away},
                    timeout_s=self.timeout_s,
                    limit=RENDERED_BYTES,
                    folder=Path(folder),
                )
            except subprocess.TimeoutExpired:
                raise _failed(chart, f"it was not done after {self.timeout_s:g} s") from None
            except OSError as error:
                raise _failed(chart, f"it cannot be run: {error.strerror or error}") from error
        if max(len(done.stdout), len(done.stderr)) > RENDERED_BYTES:
            raise _failed(chart, f"it wrote more than {in_words(RENDERED_BYTES)}")
        if done.returncode != 0:
            raise _failed(chart, _complaint(done.stderr))
        return done.stdout

    def _command(self, chart: Path, options: ChartOptions) -> Sequence[str]:
        return [
            self.program,
            "template",
            _RELEASE,
            str(chart.absolute()),
            *(f"--values={path.absolute()}" for path in options.values),
            *(f"--set={text}" for text in options.sets),
            *([f"--kube-version={options.kube_version}"] if options.kube_version else []),
            *(f"--api-versions={version}" for version in options.api_versions),
        ]


def _failed(chart: Path, what: str) -> DocumentInvalid:
    what = what.replace(f"{chart.absolute().parent}/", "")
    return DocumentInvalid(f"helm cannot render {chart.name}: {what}", subject=str(chart))


def _complaint(errors: bytes) -> str:
    """What helm says went wrong, in one line."""
    lines = [line for line in errors.decode(errors="replace").splitlines() if not line.startswith("WARNING")]
    words = " ".join(" ".join(lines).split())
    text = "".join(letter if letter.isprintable() else "?" for letter in words).removeprefix("Error: ")
    return text[:_COMPLAINT] or "it ended without a word"
