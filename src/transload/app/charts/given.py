"""Charts that a user names, so that values are written for them: packed ones, folders, and addresses."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from shlex import quote

from transload.app.charts.finding import LocatedChart, fetched, find_chart, hosts_of
from transload.app.inputfiles import input_files
from transload.app.stores import Stores
from transload.catalog.chartaddress import ARCHIVE, OCI, WEB, ChartAddress
from transload.catalog.chartuse import ChartUse
from transload.charts import Chart
from transload.configuration import InputChart
from transload.discovery.charts import read_chart, read_chart_folder
from transload.errors import UsageError
from transload.files import expanded
from transload.oci import Reference


def input_charts(words: Iterable[str], stores: Stores) -> tuple[InputChart, ...]:
    """The charts of these words; those with an address are fetched.

    Raises `UsageError` for a folder that is no chart, and for two charts of one name; what `find_chart` raises for an
    address, and `input_files` for a file.
    """
    places = tuple(words)
    addresses = {word: ChartAddress.parse(word) for word in places if word.startswith((OCI, *WEB))}
    if hosts := frozenset(hosts_of(ChartUse(address=address) for address in addresses.values())):
        stores.limit_source_login(hosts)
    charts: dict[str, InputChart] = {}
    for word in places:
        chart = _fetched(addresses[word], stores) if word in addresses else _local(word)
        if chart.stem in charts:
            raise UsageError(f"two charts are called {chart.stem}", subject=word, hint="name them in two commands")
        charts[chart.stem] = chart
    return tuple(charts.values())


def _local(word: str) -> InputChart:
    path = expanded(word)
    if not path.is_dir():
        [file] = input_files([word])
        name = file.name.name
        return InputChart(
            name=quote(name), stem=name.removesuffix(ARCHIVE), read=partial(read_chart, file.content, name)
        )
    if not (path / "Chart.yaml").is_file():
        raise UsageError(
            f"{path} is no chart: it has no Chart.yaml",
            subject=str(path),
            hint="name the folder of each chart, or packed charts (.tgz)",
        )
    return InputChart(name=quote(word), stem=path.resolve().name, read=partial(read_chart_folder, path))


def _fetched(address: ChartAddress, stores: Stores) -> InputChart:
    located, chart = fetched(find_chart(address, stores))
    stem = f"{chart.name}-{chart.version}"
    return InputChart(
        name=_for_helm(located, chart),
        stem=stem,
        read=partial(read_chart, chart.content, f"{stem}{ARCHIVE}"),
        source=Reference(located.location.value, located.name) if located.location.kind == "registry" else None,
        version=chart.version,
    )


def _for_helm(located: LocatedChart, chart: Chart) -> str:
    """The chart as Helm's command line names it."""
    place = located.location.value
    if located.location.kind == "registry":
        return f"{OCI}{place}/{located.name.repository} --version {chart.version}"
    return place if place.lower().endswith(ARCHIVE) else f"{chart.name} --repo {place} --version {chart.version}"
