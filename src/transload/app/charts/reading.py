"""Reads the charts that `transload discover` meets: folders, packed ones, and those that are fetched first.

With helm on the PATH a chart is rendered, and its manifests are read as any others. What helm does not turn into a
field that is an image (an argument, a file) is still found by the rules for values, if its name stands in what helm
rendered. Without helm, or where it fails, only these rules are left.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from transload.app.charts.finding import fetch_chart
from transload.app.charts.rendering import ChartOptions, Helm
from transload.app.settings import Environment
from transload.app.stores import Stores
from transload.catalog.chartaddress import ChartAddress
from transload.discovery.charts import ChartReading, NoChart, read_chart, read_chart_folder
from transload.discovery.charts.setting import settings
from transload.discovery.charts.tree import Tree, mapping_of, merged, values_of
from transload.discovery.fieldpath import FieldPath
from transload.discovery.finding import Discovered, Irrelevant, Place, Unread
from transload.discovery.kinds import read_document
from transload.documents.yamlstream import documents_in
from transload.errors import DocumentInvalid, TransloadError, UsageError
from transload.files import local_errors, read_file
from transload.limits import YAML_BYTES
from transload.values import define, evolve, field, frozen

_NAME_LENGTH = 100
_WORD = re.compile(r"[\w./:@-]+")

Fetch = Callable[[str], bytes]
"""The archive of the chart at an address. Raises as `app.charts.fetch_chart` does."""


@frozen(kw_only=True)
class ReadChart:
    """A chart that was read: where it was found, and whether helm rendered it; if not, most of it is only likely."""

    file: str
    name: str
    version: str
    rendered: bool


@define
class ChartReader:
    """Reads charts in one way, and remembers which they were."""

    options: ChartOptions = field(factory=ChartOptions)
    helm: Helm | None = None
    fetch: Fetch | None = None
    charts: list[ReadChart] = field(factory=list)
    _above: dict[str, Tree] | None = None

    def folder(self, path: Path, fields: Sequence[FieldPath]) -> Iterator[Discovered]:
        """What the chart in a folder needs."""
        above = [self.above]
        yield from self._read(str(path), lambda: read_chart_folder(path, above), path, fields)

    def packed(self, content: bytes, file: str, fields: Sequence[FieldPath]) -> Iterator[Discovered]:
        """What a packed chart needs; it is called `file` in places. An archive that is no chart names nothing."""
        above = [self.above]
        with tempfile.TemporaryDirectory(prefix="transload-chart-") as folder:
            path = Path(folder, _archive_name(file))  # helm names it when it fails
            if self.helm:
                with local_errors("writing", path):
                    path.write_bytes(content)
            yield from self._read(file, lambda: read_chart(content, file, above), path, fields)

    def at_address(self, text: str, fields: Sequence[FieldPath]) -> Iterator[Discovered]:
        """What the chart at an address needs. Raises as `app.charts.fetch_chart` does."""
        if self.fetch is None:
            raise UsageError(f"{text} would have to be fetched", subject=text, hint="fetch it, and name the file")
        yield from self.packed(self.fetch(text), text, fields)

    def check(self) -> None:
        """Read the values of the user. Raises as `above` does."""
        _ = self.above

    @property
    def above(self) -> dict[str, Tree]:
        """The values of the user. Raises `DocumentInvalid`, `UsageError`; `LocalError` for a file that is missing."""
        if self._above is None:
            whole: Tree = {}
            for path in self.options.values:
                whole = merged(whole, _values(path))
            self._above = settings(self.options.sets, mapping_of(whole))
        return self._above

    def _read(
        self, file: str, read: Callable[[], ChartReading], path: Path, fields: Sequence[FieldPath]
    ) -> Iterator[Discovered]:
        try:
            reading = read()
        except NoChart as error:
            is_folder = path.is_dir()  # it has the file, and its .helmignore leaves it out
            yield Unread(place=Place(file=file), reason=str(error)) if is_folder else Irrelevant(place=Place(file=file))
            return
        except TransloadError as error:
            yield Unread(place=Place(file=file), reason=str(error))
            return
        rendered = None
        try:
            rendered = self.helm.render(path, self.options) if self.helm else None
        except DocumentInvalid as error:
            yield Unread(place=Place(file=file), reason=error.message)
        name, version = reading.name, reading.version
        self.charts.append(ReadChart(file=file, name=name, version=version, rendered=rendered is not None))
        if rendered is None:
            yield from reading.discovered
        else:
            yield from _rendered(rendered, reading, f"{file} (helm template)", fields)


def unused(options: ChartOptions, charts: Sequence[ReadChart]) -> Iterator[str]:
    """Sentences about options that had no use for these charts."""
    if not charts and options != evolve(ChartOptions(), helm=options.helm):
        yield "no chart was read, so the values and versions for charts had no use"
    if (options.kube_version or options.api_versions) and not all(chart.rendered for chart in charts):
        names = ", ".join(chart.name for chart in charts if not chart.rendered)
        yield f"helm did not render {names}, so the versions of Kubernetes and its APIs had no use there"


def chart_reader(
    options: ChartOptions, environment: Environment, stores: Stores | None, addresses: Iterable[str]
) -> ChartReader:
    """A reader with the helm of the user, if it is wanted and there is one, that fetches charts through `stores`.

    The login of the source is for the host of these addresses only. Raises `UsageError` if they have several.
    """
    helm = Helm.on_path(environment) if options.helm else None
    if stores is None:
        return ChartReader(options=options, helm=helm)
    hosts = frozenset(text.split("/")[2] for text in addresses)
    if hosts:
        stores.limit_source_login(hosts)
    return ChartReader(
        options=options, helm=helm, fetch=lambda text: fetch_chart(ChartAddress.parse(text), stores).content
    )


def _archive_name(file: str) -> str:
    """A name for a chart's archive, from the last part of what it is called in places."""
    name = re.sub(r"[^\w.+-]", "-", file.rpartition("/")[2])[-_NAME_LENGTH:]
    return name if name.endswith(".tgz") else f"{name}.tgz"


def _values(path: Path) -> dict[str, Tree]:
    with local_errors("reading", path):
        content = read_file(path, YAML_BYTES + 1)
    return values_of(content, str(path))


def _rendered(manifests: bytes, reading: ChartReading, file: str, fields: Sequence[FieldPath]) -> Iterator[Discovered]:
    """What helm's manifests name, what the chart states, what could not be read, and what only values show."""
    for document in documents_in(manifests, file):
        if isinstance(document, DocumentInvalid):
            yield Unread(place=Place(file=file), reason=str(document))
        else:
            yield from read_document(document, fields)
    yield from (item for item in reading.open if isinstance(item, (Unread, Irrelevant)))
    likely = {image.finding.text for image in reading.images if image.finding.sureness == "likely"}
    there = {match[0] for match in _WORD.finditer(manifests.decode(errors="replace")) if match[0] in likely}
    for image in reading.images:
        if image.finding.sureness == "certain" or image.finding.text in there:
            yield image.finding
