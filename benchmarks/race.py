"""Tools in turn, round after round, each with the same work between the same registries; what each run took."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from attrs import define, evolve, field, frozen

from benchmarks import content
from benchmarks.contenders import Tool, bare_bytes, transload
from benchmarks.figures import Figure, limited
from benchmarks.peers import named
from benchmarks.processes import Cost, ProgramFailed, TookTooLong
from benchmarks.profiles import LOOPBACK, Profile
from benchmarks.servers import Certificates
from benchmarks.site import Site, WrongResult
from benchmarks.slow_wire import Counts
from benchmarks.wording import ending

OURS, FLOOR = "transload", "sockets"
GROWTH = "growth"  # the scene with a plot and limits of its own
MIB = 1 << 20


@frozen(kw_only=True)
class Sample:
    """One run of one tool. The counts are those of the wires, where there were any."""

    scene: str
    stage: str
    tool: str
    cost: Cost
    images: int
    size: int
    source: Counts = field(factory=Counts)
    target: Counts = field(factory=Counts)


@frozen(kw_only=True)
class Course:
    """What the tools of a race have to do: stages after each other on the same registries."""

    scene: str
    stages: Mapping[str, content.Goods]
    source: Profile = LOOPBACK
    target: Profile = LOOPBACK
    tls: Certificates | None = None
    counting: bool = False


@define
class Bench:
    """What all scenes share: where they work, who takes part, how often, and what was measured in this scene."""

    folder: Path
    peers: tuple[str, ...]
    rounds: int | None = None
    full: bool = False
    quick: bool = False
    layout: Path | None = None
    sizes: tuple[int, ...] = ()
    samples: list[Sample] = field(factory=list, repr=False)
    failures: list[str] = field(factory=list, repr=False)
    hung: dict[str, str] = field(factory=dict, repr=False)  # a tool that was stopped, and in which scene

    def begin(self) -> list[Sample]:
        """Another scene: its samples, to which races add."""
        self.samples, self.failures = [], []
        return self.samples

    @property
    def goods(self) -> content.Goods:
        """Two releases."""
        if self.layout:
            return content.opened(self.layout)
        images, size = (8, 20 * MIB) if self.quick else (content.IMAGES, content.RELEASE_BYTES)
        return content.seeded(self.folder, size, images)

    @property
    def releases(self) -> tuple[content.Goods, content.Goods]:
        """The month before and the month."""
        first, second = self.goods.tags[:2]
        return self.goods.of(first), self.goods.of(second)

    @property
    def site(self) -> Site:
        """The releases in a registry's storage."""
        folder = self.work / "releases"
        return Site(folder, folder / "source") if folder.exists() else Site.filled(folder, self.goods)

    @property
    def work(self) -> Path:
        """Where scenes work; emptied after each."""
        return self.folder / "work"

    def home(self, name: str) -> Path:
        """A folder for output."""
        folder = self.work / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def times(self, usually: int, most: int | None = None) -> int:
        """How often a scene repeats what it usually repeats so often: as asked for, once with --quick."""
        if self.quick:
            return 1
        wanted = self.rounds or (2 * usually if self.full else usually)
        return min(wanted, most or wanted)

    def tools(self, *, floor: bool = False) -> dict[str, Tool]:
        """We and the peers that are here, and the floor if wanted."""
        found: dict[str, Tool] = {OURS: transload, **{name: named(name) for name in self.peers}}
        return {**found, FLOOR: bare_bytes} if floor else found

    def certificates(self) -> Certificates:
        """New ones for loopback."""
        return Certificates.made_in(self.home("certificates"))

    def race(self, site: Site, course: Course, tools: Mapping[str, Tool], rounds: int) -> Race:
        """All tools in turn; one that fails is out, and the others go on. One that hung is not tried again."""
        race = Race(scene=course.scene)
        race.failures |= {
            name: f"left out, since it was stopped in {scene}" for name, scene in self.hung.items() if name in tools
        }
        for _ in range(rounds):
            for name, tool in tools.items():
                if name in race.failures:
                    continue
                try:
                    race.samples += _round(site, course, name, tool)
                except (ProgramFailed, WrongResult) as error:
                    race.failures[name] = str(error)
                    if isinstance(error, TookTooLong) and name != OURS:
                        self.hung[name] = course.scene
        self.samples += race.samples
        self.failures += [f"{course.scene}: {name}: {error}" for name, error in race.failures.items()]
        return race


@define
class Race:
    """What the runs of one course took."""

    scene: str
    samples: list[Sample] = field(factory=list)
    failures: dict[str, str] = field(factory=dict)

    def of(self, stage: str, tool: str) -> list[Sample]:
        """The runs of a tool, in order of the rounds."""
        return [sample for sample in self.samples if (sample.stage, sample.tool) == (stage, tool)]

    def costs(self, stage: str, tool: str) -> list[Cost]:
        """What they took."""
        return [sample.cost for sample in self.of(stage, tool)]

    def wall_s(self, stage: str, tool: str) -> float:
        """The median. Raises `ProgramFailed` when there is none."""
        return statistics.median(cost.wall_s for cost in self._some(stage, tool))

    def best_peer(self, stage: str) -> str | None:
        """The fastest peer in the median."""
        peers = {sample.tool for sample in self.samples} - {OURS, FLOOR} - set(self.failures)
        return min(peers, key=lambda peer: self.wall_s(stage, peer), default=None)

    def beside(
        self,
        name: str,
        stage: str,
        peer: str | None,
        at_most: float | None = None,
        of: Callable[[Cost], float] = lambda cost: cost.wall_s,
    ) -> Figure:
        """Medians of both, and the median of the ratios of the rounds: a machine busy for a while slows both."""
        ours = [of(cost) for cost in self._some(stage, OURS)]
        reach = "" if at_most is None else f"≤ {at_most:g} ×"
        if peer is None:
            return Figure(name, f"{statistics.median(ours):.2f} s", "no peer", reach=reach, samples={"ours": ours})
        theirs = [of(cost) for cost in self._some(stage, peer)]
        ratio = statistics.median(paired(ours, theirs))
        return Figure(
            name,
            f"{statistics.median(ours):.2f} s",
            f"{peer} {statistics.median(theirs):.2f} s",
            ratio=round(ratio, 3),
            reach=reach,
            reached=None if at_most is None else ratio <= at_most,
            samples={"ours": ours, "theirs": theirs},
        )

    def peak(self, name: str, stages: Iterable[str] = ("cold",), at_most_mib: int = 96) -> Figure:
        """The most memory of ours."""
        peaks = [cost.peak_bytes / MIB for stage in stages for cost in self._some(stage, OURS)]
        return limited(name, max(peaks), at_most_mib, "MiB", samples=peaks)

    def told(self) -> Iterator[Figure]:
        """A line for each tool that failed."""
        for name, error in self.failures.items():
            yield Figure(f"{self.scene}: {name}", "failed", gist(error))

    def _some(self, stage: str, tool: str) -> list[Cost]:
        if not (found := self.costs(stage, tool)):
            raise ProgramFailed(f"{self.scene}, {stage}: no run of {tool} succeeded: {self.failures.get(tool, '')}")
        return found


def gist(error: str) -> str:
    """The last line that a program printed; how it ended, where it printed nothing."""
    first, *more = [line for line in error.splitlines() if line.strip()]
    if more:
        return ending(more[-1])
    found = re.search(r"(ended with|was ended by|was stopped after|cannot be started)[^/]*$", first)
    return ending(found[0].rstrip(":") if found else first)


def paired(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """The ratios of the rounds; where one had fewer rounds, its median stands for the others."""
    if len(ours) == len(theirs):
        return [one / other for one, other in zip(ours, theirs, strict=True)]
    if len(ours) > len(theirs):
        return [one / statistics.median(theirs) for one in ours]
    return [statistics.median(ours) / other for other in theirs]


def _round(site: Site, course: Course, name: str, tool: Tool) -> Iterator[Sample]:
    with site.pair(
        tls=course.tls, source_profile=course.source, target_profile=course.target, counting=course.counting
    ) as pair:
        for stage, goods in course.stages.items():
            cost = pair.run(tool, goods)
            if name != FLOOR:
                pair.check(goods)
            sample = Sample(
                scene=course.scene, stage=stage, tool=name, cost=cost, images=len(goods.names), size=goods.size
            )
            yield evolve(sample, source=pair.source_wire.counts(), target=pair.target_wire.counts())
            if name == FLOOR:
                return
