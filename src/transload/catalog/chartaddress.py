"""Where a Helm chart is, and which version of it: one form for registries, chart repositories and files. Only parsing.

`PLACE/NAME` or `PLACE/NAME:VERSION`, where the place is `oci://HOST/PATH` or the `https://` address of a chart
repository. The path of a `.tgz` file, and the `https://` address of one, are charts, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from transload.errors import DocumentInvalid, ReferenceInvalid
from transload.expressions import late
from transload.oci import Digest
from transload.oci.reference import check_registry, check_repository, check_tag, shown
from transload.values import evolve, frozen

ARCHIVE = ".tgz"
OCI = "oci://"
WEB = ("https://", "http://")
_RANGE = late(r"[<>=!^~*|, ]|(?:^|\.)[xX](?:\.|$)")
_PRERELEASE = late(r"\d-[0-9A-Za-z]")
_EXAMPLE = "write oci://HOST/PATH/NAME:VERSION or https://HOST/PATH/NAME:VERSION"


@frozen(kw_only=True)
class ChartAddress:
    """Where a chart is, and which version of it is meant.

    `place` is the host of a registry (`registry.example:5000`), the address of a chart repository or of an archive
    (`https://…`), or the path of an archive. `name` is the chart there: the whole path in a registry, empty for an
    archive. `version` is a version or a range (`>=1.2 <2`, `^1`). None means the newest version that is no pre-release,
    or the one with this `digest`.
    """

    place: str
    name: str = ""
    version: str | None = None
    digest: Digest | None = None
    in_registry: bool = False

    @classmethod
    def parse(cls, text: str) -> ChartAddress:
        """Read an address. Raises `ReferenceInvalid`, `DocumentInvalid`.

        >>> ChartAddress.parse("oci://registry.example/charts/web:1.2.3").name
        'charts/web'
        >>> str(ChartAddress.parse("https://charts.example/stable/web:^1"))
        'https://charts.example/stable/web:^1'
        """
        text = text.strip()
        if text.startswith(OCI):
            return _in_registry(text)
        if text.startswith(WEB):
            return _on_web(text)
        if text.lower().endswith(ARCHIVE):
            return cls(place=text)
        raise ReferenceInvalid(f"{shown(text)[:200]!r} is not the address of a chart", hint=_EXAMPLE)

    def at(self, version: str) -> ChartAddress:
        """The same chart at another version, or at the newest of a range. Raises `DocumentInvalid`."""
        if self.version or self.digest:
            raise DocumentInvalid("the version is given twice: in the address and as a key", hint="write it once")
        return evolve(self, version=_version(version))

    @property
    def is_on_web(self) -> bool:
        """Whether it is in a chart repository, or an archive at an address of its own."""
        return self.place.startswith(WEB)

    @property
    def has_range(self) -> bool:
        """Whether the version is a range, so that the versions that there are decide; also if none is given."""
        return self.digest is None and (self.version is None or bool(_RANGE.search(self.version)))

    def __str__(self) -> str:
        named = f"{OCI if self.in_registry else ''}{self.place}" + (f"/{self.name}" if self.name else "")
        return named + (f":{self.version}" if self.version else "") + (f"@{self.digest}" if self.digest else "")


def is_chart(text: str) -> bool:
    """Whether a text can only be the address of a chart, and not of an image, a file of another kind or a store.

    >>> is_chart("oci://registry.example/web:1"), is_chart("https://charts.example/web"), is_chart("oci:folder")
    (True, True, False)
    """
    return text.startswith((OCI, *WEB)) or text.lower().endswith(ARCHIVE)


def newest_version(wanted: str | None, versions: Iterable[str]) -> str | None:
    """The newest of these versions that a range admits, or of all; None if there is none.

    As in Helm, a pre-release (`2.0.0-rc.1`) is taken only if the range names one. Raises `DocumentInvalid` for a text
    that is no range.
    """
    from transload.catalog.versionrange import VersionRange, order_key  # for ranges only

    admitted = VersionRange.parse(wanted or "*", prerelease=True)
    early = bool(wanted and _PRERELEASE.search(wanted))
    fitting = (version for version in versions if admitted.admits(version) and (early or not _is_early(version)))
    return max(fitting, key=order_key, default=None)


def _is_early(version: str) -> bool:
    """Whether a semantic version is a pre-release: it has a hyphen before its build metadata."""
    return "-" in re.split(r"[+_]", version, maxsplit=1)[0]


def _in_registry(text: str) -> ChartAddress:
    host, slash, rest = text.removeprefix(OCI).partition("/")
    path, at, digest = rest.partition("@")
    name, colon, version = path.partition(":")
    if not slash or not name or (colon and not version):
        raise ReferenceInvalid(f"{shown(text)!r} is not the address of a chart", hint=_EXAMPLE)
    return ChartAddress(
        place=check_registry(host),
        name=check_repository(name),
        version=_version(version) if colon else None,
        digest=Digest(digest) if at else None,
        in_registry=True,
    )


def _on_web(text: str) -> ChartAddress:
    if set("@?#\\") & set(text):
        raise ReferenceInvalid(
            f"{shown(text).partition('?')[0]!r} is not the address of a chart repository",
            hint="leave user name, password and parameters out; docker login keeps logins",
        )
    if text.lower().endswith(ARCHIVE):
        return ChartAddress(place=text)
    scheme, _, rest = text.partition("://")
    place, slash, last = rest.rstrip("/").rpartition("/")
    name, colon, version = last.partition(":")
    if not slash or not place or not name or (colon and not version):
        raise ReferenceInvalid(
            f"{text!r} names no chart", hint="the name of the chart follows the address of its repository: …/NAME"
        )
    return ChartAddress(
        place=f"{scheme}://{place}", name=check_repository(name), version=_version(version) if colon else None
    )


def _version(text: str) -> str:
    text = text.strip()
    if _RANGE.search(text):
        from transload.catalog.versionrange import VersionRange  # for ranges only

        VersionRange.parse(text)
    else:
        check_tag(text.replace("+", "_"))
    return text
