"""Which subcharts are switched on, and the values that each chart gets, by Helm's rules.

Subcharts in `charts/` that nothing names are always on. A dependency is off if none of its tags is true and one is
false; the first path of its condition that leads to true or false decides before tags do. Tags stand in the values of
the outermost chart; where it has none, those of the charts between count. Below a chart that names no dependency, Helm
asks nothing more: all subcharts are on, under their own names. The parent's values for a subchart stand under its name
or alias and precede its own; `global` goes down to every subchart.
(Helm's `pkg/chartutil/dependencies.go` and `coalesce.go`.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from transload.discovery.charts.chart import Chart, Dependency
from transload.discovery.charts.tree import Leaf, Path, Tree, at, mapping_at, mapping_of, merged, size, without_nulls
from transload.errors import LimitExceeded
from transload.limits import CHART_VALUES
from transload.values import define, evolve, field, frozen


@frozen(eq=False)
class Use:
    """A chart in its place in the tree of charts: `path` leads to its values; `why_off` says what switches it off.

    `below` are the keys of its subcharts, each with its own use. `is_ruled` says that its dependencies are asked about.
    """

    chart: Chart
    path: Path = ()
    why_off: str = ""
    is_ruled: bool = True
    below: Mapping[str, Use] = field(factory=dict)


@frozen
class Missing:
    """A dependency that is not in the `charts/` of the chart at `path`."""

    dependency: Dependency
    path: Path = ()
    why_off: str = ""


def coalesced(chart: Chart, values: dict[str, Tree]) -> dict[str, Tree]:
    """All values of a chart and its subcharts, each under its key, with `values` over those that the charts have.

    Raises `LimitExceeded` over `CHART_VALUES`.
    """
    return _coalesced(chart, values, _Room(chart.name), is_ruled=True)


@define
class _Room:
    """How many values there may still be. A subchart with many aliases has its values once for each."""

    chart: str
    values: int = CHART_VALUES

    def take(self, tree: Tree) -> None:
        self.values -= 1 + size(tree)
        if self.values < 0:
            raise LimitExceeded(f"{self.chart} and its subcharts have more than {CHART_VALUES} values")


def _coalesced(chart: Chart, values: dict[str, Tree], room: _Room, *, is_ruled: bool) -> dict[str, Tree]:
    given = mapping_of(merged(chart.values, values))
    own = without_nulls(given)
    room.take(own)
    shared = mapping_at(given, ("global",))
    for key, subchart in _keyed(chart, is_ruled=is_ruled):
        below = mapping_at(given, (key,))
        common = without_nulls(mapping_of(merged(mapping_at(below, ("global",)), shared)))
        below = {**below, "global": common} if common else below
        own[key] = _coalesced(subchart, below, room, is_ruled=is_ruled and bool(chart.dependencies))
    return own


def _keyed(chart: Chart, *, is_ruled: bool) -> Iterator[tuple[str, Chart]]:
    """Each subchart with the key of its values: once for each dependency that names it, else by its own name."""
    dependencies = chart.dependencies if is_ruled else ()
    for subchart in chart.subcharts:
        keys = [dependency.key for dependency in dependencies if dependency.name == subchart.name]
        for key in dict.fromkeys(keys or [subchart.name]):
            yield key, subchart


def used(chart: Chart, tree: dict[str, Tree]) -> Iterator[Use | Missing]:
    """The chart and all below it, those that are switched off, too; what is below a chart that is off is left out."""
    yield from _used(Use(chart), tree, mapping_at(tree, ("tags",)))


def _used(use: Use, tree: dict[str, Tree], tags: dict[str, Tree]) -> Iterator[Use | Missing]:
    chart = use.chart
    named = {dependency.key: dependency for dependency in chart.dependencies if use.is_ruled}
    tags = mapping_of(merged(mapping_at(chart.values, ("tags",)), tags))
    values = {**mapping_at(tree, use.path), "tags": tags}
    present = {
        key: Use(
            subchart,
            (*use.path, key),
            _why_off(named[key], values) if key in named else "",
            is_ruled=use.is_ruled and bool(chart.dependencies),
        )
        for key, subchart in _keyed(chart, is_ruled=use.is_ruled)
    }
    yield evolve(use, below=present)
    if use.why_off:
        return
    for key, dependency in named.items():
        if key not in present:
            yield Missing(dependency, use.path, _why_off(dependency, values))
    for below in present.values():
        yield from _used(below, tree, tags)


def _why_off(dependency: Dependency, values: dict[str, Tree]) -> str:
    """The values that switch a dependency off, in words; empty if it is on."""
    for path in filter(None, (part.strip() for part in dependency.condition.split(","))):
        switch = at(values, tuple(path.split(".")))
        if isinstance(switch, Leaf) and switch.truth is not None:
            return "" if switch.truth else f"{path} is false"
    tags = mapping_at(values, ("tags",))
    switches = {tag: leaf.truth for tag in dependency.tags if isinstance(leaf := tags.get(tag), Leaf)}
    if True in switches.values() or False not in switches.values():
        return ""
    return f"tags.{next(tag for tag, truth in switches.items() if truth is False)} is false"
