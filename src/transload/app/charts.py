"""Finds charts where people say they are, chooses a version, and fetches the original bytes.

An address has the same form everywhere: `PLACE/NAME` or `PLACE/NAME:VERSION`, where the place is `oci://HOST/PATH` or
the `https://` address of a chart repository. The path of a `.tgz` file, and the `https://` address of one, are charts
too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from transload.app.location import Location
from transload.catalog.versionrange import VersionRange, order_key
from transload.errors import CorruptError, ManifestUnknown, ReferenceInvalid, TransloadError, UsageError, at_side
from transload.oci import Digest, Name
from transload.oci.reference import check_registry, check_repository, check_tag, shown
from transload.wording import hint

if TYPE_CHECKING:
    from transload.app.stores import Stores
    from transload.charts import Chart
    from transload.ports import Source

ARCHIVE = ".tgz"
_OCI = "oci://"
_WEB = ("https://", "http://")
_RANGE = re.compile(r"[<>=!^~*|, ]|(?:^|\.)[xX](?:\.|$)")
_PRERELEASE = re.compile(r"\d-[0-9A-Za-z]")
_REDIRECTIONS = 2  # a repository whose index names `oci://` addresses sends us on once
_EXAMPLE = "write oci://HOST/PATH/NAME:VERSION or https://HOST/PATH/NAME:VERSION"


@frozen(kw_only=True)
class ChartAddress:
    """Where a chart is: a store, its name there, and which version of it.

    `name` is empty where the store holds one chart only, a `.tgz`. `version` is a version or a range (`>=1.2
    <2`, `^1`); None means the newest one that is no pre-release, or the one with this `digest`.
    """

    location: Location
    name: str = ""
    version: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> ChartAddress:
        """Read an address. Raises `ReferenceInvalid`, `UsageError`.

        >>> str(ChartAddress.parse("oci://registry.example/charts/web:1.2.3"))
        'oci://registry.example/charts/web:1.2.3'
        """
        text = text.strip()
        if text.startswith(_OCI):
            return _in_registry(text)
        if text.startswith(_WEB):
            return _on_web(text)
        if text.lower().endswith(ARCHIVE):
            return cls(location=Location.parse(f"charts:{text}"))
        raise ReferenceInvalid(f"{shown(text)[:200]!r} is not the address of a chart", hint=_EXAMPLE)

    @classmethod
    def of(cls, chart: str, repository: str | None = None, version: str | None = None) -> ChartAddress:
        """The same from its parts, as image sets have them. Raises `ReferenceInvalid`, `UsageError`."""
        address = cls.parse(f"{repository.rstrip('/')}/{chart}" if repository else chart)
        if version is None:
            return address
        if address.version or address.digest:
            raise UsageError("the version is given twice: in the address and as a key", hint="write it once")
        return evolve(address, version=_version(version))

    def __str__(self) -> str:
        place = self.location.value if self.location.kind == "charts" else f"{_OCI}{self.location.value}"
        named = f"{place}/{self.name}" if self.name else place
        return named + (f":{self.version}" if self.version else "") + (f"@{self.digest}" if self.digest else "")


@frozen(kw_only=True)
class FoundChart:
    """A chart at one version: the open store that has it, and its name there. `version` is for people."""

    location: Location
    source: Source
    name: Name
    version: str


def is_chart(text: str) -> bool:
    """Whether a text can only be the address of a chart, and not of an image, a file of another kind or a store.

    >>> is_chart("oci://registry.example/web:1"), is_chart("https://charts.example/web"), is_chart("oci:folder")
    (True, True, False)
    """
    return text.startswith((_OCI, *_WEB)) or text.lower().endswith(ARCHIVE)


def find_chart(address: ChartAddress, stores: Stores) -> FoundChart:
    """The version of a chart that an address means. Its index, or its tags, are read if that needs them.

    Raises `NotFound` if there is no such chart or version, `CorruptError` for an index that cannot be read,
    `AccessError`, `Unreachable`, `LocalError`.
    """
    for _ in range(_REDIRECTIONS):
        with at_side("source"):
            source = stores.source(address.location)
            if address.location.kind == "registry":
                return _in_source(address, source)
            found = _in_repository(address, source)
        if isinstance(found, FoundChart):
            return found
        address = found
    raise CorruptError(f"{address} sends us on to another chart repository", subject=str(address))


def fetch_chart(address: ChartAddress | FoundChart, stores: Stores) -> Chart:
    """A chart with the original bytes of its archive, proved by their digest. Raises as `find_chart` does."""
    from transload.charts import ChartStore
    from transload.charts.artifact import chart_in

    found = find_chart(address, stores) if isinstance(address, ChartAddress) else address
    with at_side("source"):
        if isinstance(found.source, ChartStore):
            return found.source.chart(found.name)
        manifest = found.source.fetch(found.name)
        return chart_in(manifest, found.source, found.name.repository, f"{_OCI}{found.location.value}/{found.name}")


def newest_version(wanted: str | None, versions: Iterable[str]) -> str | None:
    """The newest of these versions that a range admits, or of all; None if there is none. Pure.

    As in Helm, a pre-release (`2.0.0-rc.1`) is taken only if the range names one. Raises `DocumentInvalid` for a text
    that is no range.
    """
    admitted = VersionRange.parse(wanted or "*", prerelease=True)
    early = bool(wanted and _PRERELEASE.search(wanted))
    fitting = (version for version in versions if admitted.admits(version) and (early or not _is_early(version)))
    return max(fitting, key=order_key, default=None)


def _is_early(version: str) -> bool:
    """Whether a semantic version is a pre-release: it has a hyphen before its build metadata."""
    return "-" in re.split(r"[+_]", version, maxsplit=1)[0]


# --- reading addresses


def _in_registry(text: str) -> ChartAddress:
    host, slash, rest = text.removeprefix(_OCI).partition("/")
    path, at, digest = rest.partition("@")
    name, colon, version = path.partition(":")
    if not slash or not name or (colon and not version):
        raise ReferenceInvalid(f"{shown(text)!r} is not the address of a chart", hint=_EXAMPLE)
    return ChartAddress(
        location=Location("registry", check_registry(host)),
        name=check_repository(name),
        version=_version(version) if colon else None,
        digest=Digest(digest) if at else None,
    )


def _on_web(text: str) -> ChartAddress:
    if set("@?#") & set(text):
        raise ReferenceInvalid(
            f"{shown(text).partition('?')[0]!r} is not the address of a chart repository",
            hint="leave user name, password and parameters out; docker login keeps logins",
        )
    if text.lower().endswith(ARCHIVE):
        return ChartAddress(location=Location.parse(f"charts:{text}"))
    scheme, _, rest = text.partition("://")
    place, slash, last = rest.rstrip("/").rpartition("/")
    name, colon, version = last.partition(":")
    if not slash or not place or not name or (colon and not version):
        raise ReferenceInvalid(
            f"{text!r} names no chart", hint="the name of the chart follows the address of its repository: …/NAME"
        )
    return ChartAddress(
        location=Location.parse(f"charts:{scheme}://{place}"),
        name=check_repository(name),
        version=_version(version) if colon else None,
    )


def _version(text: str) -> str:
    text = text.strip()
    if _RANGE.search(text):
        VersionRange.parse(text)
    else:
        check_tag(text.replace("+", "_"))
    return text


# --- choosing a version


def _in_source(address: ChartAddress, source: Source) -> FoundChart:
    """In a registry, a version is a tag; only a range needs the list of tags."""
    version, digest = address.version, address.digest
    if digest is None and (version is None or _RANGE.search(version)):
        version = _chosen(address, source.tags(address.name))
    tag = version.replace("+", "_") if version else None
    name = Name(address.name, tag, digest)
    return FoundChart(location=address.location, source=source, name=name, version=version or str(digest))


def _in_repository(address: ChartAddress, source: Source) -> FoundChart | ChartAddress:
    """In a chart repository; the address at which it continues, if its index only names one in a registry."""
    from transload.charts import ChartStore

    if not isinstance(source, ChartStore):
        raise UsageError(f"{source.locator} has no charts", subject=source.locator)
    name = address.name or next(iter(source.repositories()))
    versions = source.versions(name)
    version = next((known for known in versions if _same(known, address.version)), None)
    version = version or _chosen(address, versions)
    elsewhere = next((place for place in source.places(name, version) if place.startswith(_OCI)), None)
    if elsewhere is None:
        tag = version.replace("+", "_")
        return FoundChart(location=address.location, source=source, name=Name(name, tag), version=version)
    onward = ChartAddress.parse(elsewhere)
    return onward if onward.version or onward.digest else evolve(onward, version=version)


def _same(known: str, wanted: str | None) -> bool:
    return wanted is not None and known.removeprefix("v").replace("+", "_") == wanted.removeprefix("v").replace(
        "+", "_"
    )


def _chosen(address: ChartAddress, versions: Iterable[str]) -> str:
    offered = tuple(versions)
    try:
        version = newest_version(address.version, offered)
    except TransloadError:
        version = None  # a version that is no number, and that is not there
    if version is not None:
        return version
    newest = sorted(offered, key=order_key, reverse=True)
    what = f"version {address.version!r}" if address.version else "version that is no pre-release"
    raise ManifestUnknown(
        f"{address.location.locator} has no {what} of {address.name}",
        subject=str(address),
        hint=hint(address.version or "", newest, what="the newest versions are"),
    )
