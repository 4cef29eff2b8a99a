"""The `charts` of an image set: Helm charts that are copied with the images that they need."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from transload.catalog.chartaddress import ARCHIVE, OCI, WEB, ChartAddress
from transload.catalog.definition import checked_repository
from transload.catalog.rulefile import platforms_in
from transload.catalog.selected import join
from transload.documents.value import Value
from transload.errors import DocumentInvalid
from transload.oci import Platform
from transload.values import evolve, frozen

KEYS = ("chart", "repository", "version", "target", "images", "values", "platforms")
_FOLDER = "charts"


@frozen(kw_only=True)
class ChartUse:
    """A Helm chart of an image set.

    `target` is its repository under the target's prefix: that of the source if it is empty, or `charts/NAME` for a
    chart that comes from no registry. With `images`, the images that the chart needs are copied too; `values` are
    files that `helm --values` would get, which may name others. `platforms` are for these images. `where` is its
    position in the file, for errors.
    """

    address: ChartAddress
    target: str = ""
    images: bool = True
    values: tuple[Path, ...] = ()
    platforms: tuple[Platform, ...] = ()
    where: str = ""

    def repository_of(self, name: str) -> str:
        """The repository under the target's prefix for the chart called `name` at its source."""
        return self.target or (name if self.address.in_registry else join(_FOLDER, name.rpartition("/")[2]))


def chart_use(value: Value, platforms: tuple[Platform, ...]) -> ChartUse:
    """A chart of an image set: its address, or a mapping. Paths start from the folder of the file.

    `platforms` are those of the set's defaults. Raises `DocumentInvalid`.
    """
    folder = Path(value.document.name).parent
    if isinstance(value.content, str) and value.content:
        return ChartUse(address=value.read(partial(_address, folder)), platforms=platforms, where=value.where)
    value.only(*KEYS).needs("chart")
    return ChartUse(
        address=_versioned(value, _place(value, folder)),
        target=value.get("target").maybe(checked_repository, ""),
        images=value.get("images").maybe(Value.truth, True),
        values=tuple(folder / text for text in value.get("values").maybe(Value.texts, ())),
        platforms=value.get("platforms").maybe(platforms_in, platforms),
        where=value.where,
    )


def _place(value: Value, folder: Path) -> ChartAddress:
    chart, repository = value.get("chart"), value.get("repository")
    if not value.has("repository"):
        return chart.read(partial(_address, folder))
    if ":" in chart.text() or "/" in chart.text():
        raise chart.fail("with a repository beside it, the chart is only a name", hint="write version as a key")
    place = repository.text().strip()
    if not place.startswith((OCI, *WEB)):
        raise repository.fail("this is not a chart repository", hint="write https://HOST/PATH or oci://HOST/PATH")
    return repository.read(lambda text: ChartAddress.parse(f"{text.strip().rstrip('/')}/{chart.text().strip()}"))


def _versioned(value: Value, address: ChartAddress) -> ChartAddress:
    return value.get("version").read(address.at) if value.has("version") else address


def _address(folder: Path, text: str) -> ChartAddress:
    """The address in a text; the path of an archive starts from `folder`."""
    text = text.strip()
    if not text.startswith((OCI, *WEB)) and not text.lower().endswith(ARCHIVE):
        raise DocumentInvalid(
            f"{text[:200]!r} is not the address of a chart",
            hint="write oci://HOST/PATH/NAME:VERSION, https://HOST/PATH/NAME:VERSION, a .tgz, or chart and repository",
        )
    address = ChartAddress.parse(text)
    return address if address.in_registry or address.is_on_web else evolve(address, place=str(folder / address.place))
