"""The figures of the last run in the text format of Prometheus, for node_exporter's textfile collector.

The format is docs/formats/metrics.md. All figures carry `task`, the file's name without its suffix, because no two
files in the folder may have the same figure with the same labels. Moments are given, not ages, since a file is read
long after it was written; the one age is that of the release when the run ended.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path

from transload.errors import FileExists, LocalError, UsageError
from transload.files import check_replaceable, local_errors, read_file, replace_file
from transload.limits import METRICS_BYTES
from transload.report.conclusion import Conclusion, Figures
from transload.report.texts import one_line
from transload.values import frozen
from transload.version import __version__

_SUFFIX = ".prom"
_PERMISSIONS = 0o644  # node_exporter is another user
_HELP = {
    "transload_run_info": "The last run: its command, its run id, and the version of transload.",
    "transload_run_end_timestamp_seconds": "When the last run ended.",
    "transload_run_success_timestamp_seconds": "When the last run ended that had the exit code 0.",
    "transload_run_duration_seconds": "How long the last run took.",
    "transload_run_exit_code": "The exit code of the last run.",
    "transload_run_images": "Images of the last run by status.",
    "transload_run_failures": "Images that should be at the target and are not.",
    "transload_run_copied_bytes": "Bytes of blobs that the last run copied.",
    "transload_run_moved_bytes": "Bytes that the last run moved, repeats included.",
    "transload_run_retries": "Attempts of the last run that were repeated.",
    "transload_release_info": "The newest release that the target has, as of the last run that found it complete.",
    "transload_release_published_timestamp_seconds": "The day on which this release was published.",
    "transload_release_age_seconds": "How old this release was when the last run ended.",
}
_SUCCESS, _RELEASE, _PUBLISHED = (
    "transload_run_success_timestamp_seconds",
    "transload_release_info",
    "transload_release_published_timestamp_seconds",
)
_SAMPLE = re.compile(
    r'(?P<name>transload_[a-z_]+)\{(?P<labels>(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\} (?P<value>[0-9]{1,18})'
)
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@frozen
class Sample:
    """One line: the figure's name, its labels as they are written, and its value."""

    name: str
    labels: str
    value: str

    @classmethod
    def of(cls, name: str, labels: Mapping[str, str], value: float) -> Sample:
        """A figure with these labels."""
        written = ",".join(f'{label}="{one_line(text).translate(_ESCAPED)}"' for label, text in labels.items())
        return cls(name, written, f"{value:.3f}".rstrip("0").rstrip("."))


@frozen(kw_only=True)
class EndedRun:
    """What the figures are made of. `ended_wall_s` is in seconds since 1970; a `duration_s` of None is not known."""

    command: str
    run_id: str
    ended_wall_s: float
    duration_s: float | None
    conclusion: Conclusion


def check_metrics_path(path: Path) -> None:
    """Check before a run that its figures can be written to `path`, and that nobody else's file is there.

    Raises `UsageError` for a name that node_exporter would not read; `LocalError` for a missing folder, a folder, a
    pipe; `FileExists`; `PermissionRefused`.
    """
    if path.is_dir():
        raise LocalError(
            f"{path} is a folder, not a file of metrics", subject=str(path), hint=f"name a file: {path}/NAME.prom"
        )
    check_replaceable(path)
    if path.suffix != _SUFFIX:
        raise UsageError(
            f"the name of {path} does not end in {_SUFFIX}, so node_exporter would not read it",
            subject=str(path),
            hint=f"call it NAME{_SUFFIX}",
        )
    earlier(path)


def earlier(path: Path) -> tuple[Sample, ...]:
    """What an earlier run wrote there. Raises `FileExists` if the file is somebody else's, and `LocalError`."""
    if not path.exists():
        return ()
    with local_errors("reading", path):
        content = read_file(path, METRICS_BYTES + 1)
    lines = content[:METRICS_BYTES].decode("utf-8", "replace").splitlines()
    if len(content) > METRICS_BYTES or not all(map(_is_ours, lines)):
        raise FileExists(
            f"{path} has something else than the metrics of transload",
            subject=str(path),
            hint="give --metrics-file a name of its own; nothing was changed",
        )
    return tuple(Sample(*match.groups()) for match in map(_SAMPLE.fullmatch, lines) if match)


def _is_ours(line: str) -> bool:
    return not line.strip() or line.startswith(("transload_", "# HELP transload_", "# TYPE transload_"))


def write_metrics(path: Path, run: EndedRun) -> None:
    """Replace the file at `path` with the figures of `run`, whole or not at all. Raises as `check_metrics_path`."""
    content = to_metrics(path.stem, run, earlier(path))
    with local_errors("writing", path):
        replace_file(path, content.encode(), permissions=_PERMISSIONS)


def to_metrics(task: str, run: EndedRun, before: Iterable[Sample] = ()) -> str:
    """The text for a run of `task`. What only a success says is kept from `before` if this run was none."""
    before = tuple(before)
    samples = [*_of_run(task, run, before)]
    for figures in run.conclusion.figures:
        samples += _of_target(task, figures)
    samples += _releases(task, run, before)
    lines: list[str] = []
    for name, what in _HELP.items():
        alike = [f"{name}{{{sample.labels}}} {sample.value}" for sample in samples if sample.name == name]
        if alike:
            lines += [f"# HELP {name} {what}", f"# TYPE {name} gauge", *dict.fromkeys(alike)]
    return "\n".join(lines) + "\n"


def _of_run(task: str, run: EndedRun, before: Iterable[Sample]) -> Iterator[Sample]:
    of = {"task": task}
    about = {**of, "command": run.command, "run_id": run.run_id, "version": __version__}
    yield Sample.of("transload_run_info", about, 1)
    yield Sample.of("transload_run_end_timestamp_seconds", of, int(run.ended_wall_s))
    if run.duration_s is not None:
        yield Sample.of("transload_run_duration_seconds", of, run.duration_s)
    yield Sample.of("transload_run_exit_code", of, run.conclusion.exit_code)
    if run.conclusion.exit_code == 0:
        yield Sample.of(_SUCCESS, of, int(run.ended_wall_s))
    else:
        yield from (Sample.of(_SUCCESS, of, int(sample.value)) for sample in before if sample.name == _SUCCESS)


def _of_target(task: str, figures: Figures) -> Iterator[Sample]:
    of = {"task": task, "target": figures.target}
    for status, number in figures.images.items():
        yield Sample.of("transload_run_images", {**of, "status": status}, number)
    named = {
        "transload_run_failures": figures.failures,
        "transload_run_copied_bytes": figures.copied_bytes,
        "transload_run_moved_bytes": figures.moved_bytes,
        "transload_run_retries": figures.retries,
    }
    yield from (Sample.of(name, of, value) for name, value in named.items() if value is not None)


def _releases(task: str, run: EndedRun, before: Iterable[Sample]) -> Iterator[Sample]:
    """The newest release at each target: as found by this run, or by the last one that could say so."""
    found = [sample for figures in run.conclusion.figures for sample in _found(task, figures)]
    known = {_target_in(sample.labels) for sample in found}
    of_run = {_target_in(Sample.of("", {"target": figures.target}, 0).labels) for figures in run.conclusion.figures}
    kept = [
        sample
        for sample in before
        if sample.name in {_RELEASE, _PUBLISHED}
        and _target_in(sample.labels) not in known
        and (not of_run or _target_in(sample.labels) in of_run)
    ]
    for sample in (*found, *kept):
        yield sample
        if sample.name == _PUBLISHED:
            age_s = max(0, int(run.ended_wall_s) - int(sample.value))
            yield Sample("transload_release_age_seconds", sample.labels, str(age_s))


def _found(task: str, figures: Figures) -> Iterator[Sample]:
    newest = {release.catalog: release for release in figures.releases}  # oldest first
    for catalog, release in newest.items():
        labels = {"task": task, "target": figures.target, "catalog": catalog, "release": release.release}
        yield Sample.of(_RELEASE, labels, 1)
        day = _day(release.date)
        if day is not None:
            yield Sample.of(_PUBLISHED, labels, timegm(day.timetuple()))


def _day(text: str | None) -> date | None:
    """The day, if it is known as precisely as that, and exists."""
    try:
        return date.fromisoformat(text) if text and len(text) == len("YYYY-MM-DD") else None
    except ValueError:
        return None


def _target_in(labels: str) -> str:
    match = re.search(r'(?:^|,)target="((?:[^"\\]|\\.)*)"', labels)
    return match.group(1) if match else ""
