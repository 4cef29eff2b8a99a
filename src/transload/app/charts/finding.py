"""Finds charts where people say they are, chooses a version, and fetches the original bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from transload.app.location import Location
from transload.catalog.chartaddress import OCI, ChartAddress, newest_version
from transload.catalog.versionrange import order_key
from transload.errors import CorruptError, ManifestUnknown, Refused, UsageError, at_side
from transload.oci import Name
from transload.oci.reference import check_repository
from transload.values import evolve, frozen
from transload.wording import hint

if TYPE_CHECKING:
    from transload.app.stores import Stores
    from transload.catalog.chartuse import ChartUse
    from transload.charts import Chart
    from transload.ports import Source

_REDIRECTIONS = 2  # a repository whose index names `oci://` addresses sends us on once


@frozen(kw_only=True)
class LocatedChart:
    """A chart at one version: where it is, the open store that has it, and its name there. `version` is for people."""

    location: Location
    source: Source
    name: Name
    version: str

    def __str__(self) -> str:
        place = self.location.value if self.location.kind == "charts" else f"{OCI}{self.location.value}"
        return f"{place}/{self.name}"


def location_of(address: ChartAddress) -> Location:
    """The store that an address names. Raises `ReferenceInvalid`, `UsageError`."""
    return Location("registry", address.place) if address.in_registry else Location.parse(f"charts:{address.place}")


def hosts_of(uses: Iterable[ChartUse]) -> Iterator[str]:
    """The hosts that charts come from, as logins name them; files have none."""
    for use in uses:
        host = location_of(use.address).host
        if host:
            yield host


def find_chart(address: ChartAddress, stores: Stores) -> LocatedChart:
    """The version of a chart that an address means. Its index, or its tags, are read if that needs them.

    Raises `NotFound` if there is no such chart or version, `CorruptError` for an index that cannot be read,
    `AccessError`, `Unreachable`, `LocalError`.
    """
    for _ in range(_REDIRECTIONS):
        location = location_of(address)
        with at_side("source"):
            source = stores.source(location)
            located = (_in_source if address.in_registry else _in_repository)(address, location, source)
        if isinstance(located, LocatedChart):
            return located
        address = located
    raise CorruptError(f"{address} sends us on to another chart repository", subject=str(address))


def find_named(text: str, location: Location, stores: Stores) -> LocatedChart:
    """The chart called `NAME` or `NAME:VERSION` in a store of charts. Raises as `find_chart` does."""
    name, _, version = text.strip().partition(":")
    address = ChartAddress(place=location.value, name=check_repository(name))
    located = find_chart(address.at(version) if version else address, stores)
    if located.location != location:
        raise Refused(
            f"{location} keeps {name} elsewhere: {located}", subject=name, hint=f"write {located} without --from"
        )
    return located


def fetch_chart(wanted: ChartAddress | LocatedChart, stores: Stores) -> Chart:
    """A chart with the original bytes of its archive, proved by their digest. Raises as `find_chart` does."""
    return fetched(find_chart(wanted, stores) if isinstance(wanted, ChartAddress) else wanted)[1]


def fetched(located: LocatedChart) -> tuple[LocatedChart, Chart]:
    """A chart with its bytes, and the same place by the digest of its manifest: a tag may move. Raises as above."""
    from transload.charts import ChartStore
    from transload.charts.artifact import chart_in

    with at_side("source"):
        if isinstance(located.source, ChartStore):
            return located, located.source.chart(located.name)
        manifest = located.source.fetch(located.name)
        chart = chart_in(manifest, located.source, located.name.repository, str(located))
        return evolve(located, name=evolve(located.name, digest=manifest.digest)), chart


def _in_source(address: ChartAddress, location: Location, source: Source) -> LocatedChart:
    """In a registry, a version is a tag; only a range needs the list of tags."""
    version = _chosen(address, source.tags(address.name)) if address.has_range else address.version
    tag = version.replace("+", "_") if version else None
    name = Name(address.name, tag, address.digest)
    return LocatedChart(location=location, source=source, name=name, version=version or str(address.digest))


def _in_repository(address: ChartAddress, location: Location, source: Source) -> LocatedChart | ChartAddress:
    """In a chart repository; the address at which it continues, if its index only names one in a registry."""
    from transload.charts import ChartStore

    if not isinstance(source, ChartStore):
        raise UsageError(f"{source.locator} has no charts", subject=source.locator)
    name = address.name or next(iter(source.repositories()))
    versions = source.versions(name)
    version = next((known for known in versions if _same(known, address.version)), None)
    version = version or _chosen(address, versions)
    elsewhere = next((place for place in source.places(name, version) if place.startswith(OCI)), None)
    if elsewhere is None:
        tag = version.replace("+", "_")
        return LocatedChart(location=location, source=source, name=Name(name, tag), version=version)
    onward = ChartAddress.parse(elsewhere)
    return onward if onward.version or onward.digest else evolve(onward, version=version)


def _same(known: str, wanted: str | None) -> bool:
    plain = known.removeprefix("v").replace("+", "_")
    return wanted is not None and plain == wanted.removeprefix("v").replace("+", "_")


def _chosen(address: ChartAddress, versions: Iterable[str]) -> str:
    offered = tuple(versions)
    version = newest_version(address.version, offered)
    if version is not None:
        return version
    newest = sorted(offered, key=order_key, reverse=True)
    what = f"version {address.version!r}" if address.version else "version that is no pre-release"
    raise ManifestUnknown(
        f"{address.place} has no {what} of {address.name}",
        subject=str(address),
        hint=hint(address.version or "", newest, what="the newest versions are"),
    )
