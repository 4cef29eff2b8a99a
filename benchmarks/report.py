"""What a run found, as Markdown and as JSON; written after each scene, so that nothing is lost if one hangs."""

from __future__ import annotations

import json
import os
import platform
import ssl
import statistics
import subprocess
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from attrs import asdict, define, field

from benchmarks import plots
from benchmarks.figures import Figure, limited, markdown, table
from benchmarks.processes import Cost
from benchmarks.race import GROWTH, MIB, OURS, Sample
from benchmarks.slow_wire import Counts
from benchmarks.wording import printable
from transload import __version__

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
GROWTH_BEGIN, GROWTH_END = "<!-- growth: begin -->", "<!-- growth: end -->"
RESULTS = "results.json"
Row = tuple[str, str]  # a scene, and its stage


@define
class Part:
    """What one scene gave."""

    figures: list[Figure] = field(factory=list)
    samples: list[Sample] = field(factory=list)
    failures: list[str] = field(factory=list)


@define
class Report:
    """What the scenes gave so far, by their names, and where it is written."""

    folder: Path
    about: dict[str, Any]
    parts: dict[str, Part] = field(factory=dict)

    @property
    def figures(self) -> list[Figure]:
        """The lines of all scenes, and one about all of them."""
        found = [figure for part in self.parts.values() for figure in part.figures]
        ours = [sample for sample in self.samples if sample.tool == OURS and sample.scene != GROWTH]
        peaks = [sample.cost.peak_bytes / MIB for sample in ours]
        return [*found, limited("peak memory, the most in any run", max(peaks), 96, "MiB")] if peaks else found

    @property
    def samples(self) -> list[Sample]:
        """The runs of all scenes."""
        return [sample for part in self.parts.values() for sample in part.samples]

    def write(self) -> None:
        """`results.json`, `results.md`, and the plots that there is something for."""
        self.folder.mkdir(parents=True, exist_ok=True)
        document = {"about": self.about, "scenes": {name: asdict(part) for name, part in self.parts.items()}}
        _replace(self.folder / RESULTS, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        drawn = plots.draw(self.samples, self.folder / "plots")
        _replace(self.folder / "results.md", self.markdown(drawn))

    def read(self) -> None:
        """Take over what an earlier run wrote into the folder, if there was one."""
        if (written := self.folder / RESULTS).exists():
            scenes = json.loads(written.read_text())["scenes"]
            self.parts |= {name: _part(found) for name, found in scenes.items()}

    def publish(self, page: Path) -> None:
        """The figures between the two marks of a page, and the plots beside it in `plots`; those of growth elsewhere.

        Either place stays as it is if nothing was measured for it.
        """
        for begin, end, chosen in (
            (BEGIN, END, {name: part for name, part in self.parts.items() if name != GROWTH}),
            (GROWTH_BEGIN, GROWTH_END, {name: part for name, part in self.parts.items() if name == GROWTH}),
        ):
            text = page.read_text()
            if chosen and begin in text:
                of = Report(self.folder, self.about, chosen)
                told = of.markdown(plots.draw(of.samples, page.parent / "plots"), "###").partition("\n\n")[2]
                before, _, rest = text.partition(begin)
                _replace(page, f"{before}{begin}\n\n{told}\n{end}{rest.partition(end)[2]}")

    def markdown(self, drawn: Sequence[Path] = (), level: str = "##") -> str:
        """Everything that people read."""
        parts = ["# Results", ", ".join(f"{name} {value}" for name, value in self.about.items()) + "."]
        parts += [f"![{plots.TOLD[path.stem]}]({path.parent.name}/{path.name})" for path in drawn]
        parts += [f"{level} Aims", table(self.figures)]
        for title, of, unit in (
            ("Wall time", lambda cost: cost.wall_s, "s"),
            ("Processor time", lambda cost: cost.cpu_s, "s"),
            ("Peak memory of the largest process", lambda cost: cost.peak_bytes / MIB, "MiB"),
        ):
            parts += [f"{level} {title}, median, {unit}", side_by_side(self.samples, of)]
        if any(sample.source.connections or sample.target.connections for sample in self.samples):
            parts += [f"{level} What passed the wires", counts(self.samples)]
        if failures := [text for part in self.parts.values() for text in part.failures]:
            parts += [f"{level} What failed", "\n".join(f"* {_one_line(self._placeless(text))}" for text in failures)]
        return "\n\n".join(parts) + "\n"

    def _placeless(self, text: str) -> str:
        """Without the folders of this machine, which mean nothing to others."""
        for place in (self.folder.resolve(), Path(__file__).parents[1]):
            text = text.replace(f"{place}/", "")
        return text


def side_by_side(samples: Sequence[Sample], of: Callable[[Cost], float]) -> str:
    """A line for each stage of each scene, a column for each tool."""
    tools = list(dict.fromkeys([OURS, *(sample.tool for sample in samples)]))

    def cells(row: Row) -> Iterator[str]:
        for tool in tools:
            values = [
                of(sample.cost) for sample in samples if (sample.scene, sample.stage, sample.tool) == (*row, tool)
            ]
            yield f"{statistics.median(values):.3g}" if values else ""

    return markdown(["scene", *tools], [(": ".join(row), *cells(row)) for row in _rows(samples)])


def counts(samples: Sequence[Sample]) -> str:
    """What the wires counted: connections, handshakes of TLS, exchanges, round trips in sequence, megabytes."""
    head = ("scene", "tool", "side", "connections", "at a time", "TLS", "exchanges", "in sequence", "resets", "MB")
    last = {(sample.scene, sample.stage, sample.tool): sample for sample in samples}
    rows = []
    for (scene, stage, tool), sample in last.items():
        for side, found in (("source", sample.source), ("target", sample.target)):
            if found.connections:
                numbers = (found.connections, found.most_connections, found.handshakes, found.exchanges)
                more = (found.in_sequence, found.resets, round((found.up_bytes + found.down_bytes) / 1e6, 1))
                rows.append((f"{scene}: {stage}", tool, side, *map(str, (*numbers, *more))))
    return markdown(head, rows)


def surroundings(peers: dict[str, str], absent: Sequence[str]) -> dict[str, Any]:
    """Date, machine and versions: without them figures mean nothing."""
    load = f"{os.getloadavg()[0]:.1f}"
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {_memory_gib()} GiB, {platform.system()} {platform.release()}",
        "load at the start": load,
        "python": platform.python_version(),
        "OpenSSL": ssl.OPENSSL_VERSION.split()[1],
        "urllib3": version("urllib3"),
        "transload": f"{__version__} ({_commit()})",
        "docker-registry": _said("docker-registry", "--version"),
        **peers,
        "absent": " ".join(absent) or "none",
    }


# --- inside


def _part(found: dict[str, Any]) -> Part:
    samples = [
        Sample(
            **{
                **sample,
                "cost": Cost(**sample["cost"]),
                "source": Counts(**sample["source"]),
                "target": Counts(**sample["target"]),
            }
        )
        for sample in found["samples"]
    ]
    return Part([Figure(**figure) for figure in found["figures"]], samples, found["failures"])


def _rows(samples: Sequence[Sample]) -> list[Row]:
    return list(dict.fromkeys((sample.scene, sample.stage) for sample in samples))


def _replace(path: Path, text: str) -> None:
    making = path.with_name(path.name + ".making")
    making.write_text(text)
    making.replace(path)


def _one_line(text: str) -> str:
    line = printable(text)
    return line if len(line) <= 600 else f"{line[:200]} … {line[-390:].partition(' ')[2]}"


def _said(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip().rpartition(" ")[2] if done.returncode == 0 else "not installed"


def _commit() -> str:
    words = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "no commit"


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30))
