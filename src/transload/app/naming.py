"""What the words of a command line name: catalogs, charts, files, stores and references; and the sets in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from transload.app.location import SCHEMES, Location
from transload.catalog.builtin import builtin, load_builtin
from transload.catalog.chartaddress import OCI, WEB, ChartAddress
from transload.catalog.imageset import ImageSet
from transload.catalog.listfile import is_document, load_references
from transload.catalog.references import select_references
from transload.errors import CatalogUnknown, LocalError, SelectionEmpty, UsageError
from transload.files import expanded
from transload.oci.reference import shown

if TYPE_CHECKING:
    from transload.app.job import Job
    from transload.catalog.catalog import Catalog

FILE_SUFFIXES = (".yaml", ".yml", ".json", ".lock", ".txt", ".list")
_REFERENCES, _CHARTS = "references", "charts"
UNNAMED = frozenset({_REFERENCES, _CHARTS})
"""What sets are called that were not given a name."""
_ARCHIVE_SUFFIXES = (".tar", ".tgz", ".gz", ".zst", ".xz", ".bz2")


def kind_of(text: str) -> str:
    """`catalog`, `chart`, `file`, `store` or `reference`.

    A bare word is a catalog, a text that looks like a file is a file.
    """
    if text.startswith((OCI, *WEB)):
        return "chart"
    if text.partition(":")[0] in SCHEMES and "//" not in text:
        return "store"
    if text.lower().endswith(FILE_SUFFIXES) or text.startswith((".", "/", "~")) or "\\" in text:
        return "file"
    if text in builtin() or not set("/:@") & set(text):
        return "catalog"
    return "reference"


def named_sets(job: Job, variables: Mapping[str, str]) -> list[Catalog | ImageSet]:
    """The sets that the job names, read before any request. References come last, as one set."""
    kinds = [(text, kind_of(text)) for text in job.sets]
    sets = [_load(text, kind, variables) for text, kind in kinds if kind != "reference"]
    references = select_references(text for text, kind in kinds if kind == "reference")
    return [*sets, ImageSet(_REFERENCES, references)] if references else sets


def _load(text: str, kind: str, variables: Mapping[str, str]) -> Catalog | ImageSet:
    if kind == "store":
        raise store_as_set(text, Location.parse(text))
    if kind == "file":
        return _load_file(text, variables)
    if kind == "chart":
        from transload.catalog.chartuse import ChartUse  # few runs have charts

        return ImageSet(_CHARTS, charts=(ChartUse(address=ChartAddress.parse(text)),))
    try:
        return load_builtin(text)
    except CatalogUnknown as error:
        path = Path(text)
        if path.exists():
            raise _path_as_set(text, path) from error
        error.hint = f"{error.hint}; an image is written with its tag, {text}:latest"
        raise


def load_catalog(text: str, variables: Mapping[str, str] | None = None) -> Catalog:
    """The built-in catalog of this name, or the one in this file, which may be an image set with releases.

    Raises `CatalogUnknown`, `UsageError`, `DocumentInvalid`.
    """
    if kind_of(text) != "file":
        return load_builtin(text)
    listing = _load_file(text, variables)
    if isinstance(listing, ImageSet):
        catalogs = " or ".join(dict.fromkeys(use.catalog.name for use in listing.catalogs))
        raise UsageError(
            f"{shown(text)} is an image set without releases",
            subject=shown(text),
            hint=f"name its catalog: {catalogs}" if catalogs else "write its images under releases, each with a name",
        )
    return listing


def _load_file(text: str, variables: Mapping[str, str] | None = None) -> Catalog | ImageSet:
    path = expanded(text)
    if not path.exists():
        raise LocalError(
            f"there is no file {shown(text)}",
            subject=shown(text),
            hint="a catalog is a bare name, a reference has a tag",
        )
    if path.is_dir() or path.suffix.lower() in _ARCHIVE_SUFFIXES:
        raise _path_as_set(text, path)
    listing = _load_list(path, variables)
    if isinstance(listing, ImageSet) and listing.is_empty:
        way = "; ".join(listing.notes[:3]) or "write at least one reference into it"
        raise SelectionEmpty(f"{text} lists no image", subject=text, hint=way)
    return listing


def _load_list(path: Path, variables: Mapping[str, str] | None) -> Catalog | ImageSet:
    if not is_document(path):
        return load_references(path)
    from transload.catalog.setfile import load_set  # it knows every format of a list

    return load_set(path, variables)


def _path_as_set(text: str, path: Path) -> LocalError:
    what, kind = ("a folder", "oci") if path.is_dir() else ("a file", "archive")
    return LocalError(
        f"{text} is {what}, and a catalog, an image set or a reference was expected",
        subject=text,
        hint=f"images in it are taken with --from {kind}:{text}; an image set ends in .yaml or .txt",
    )


def store_as_set(text: str, location: Location) -> UsageError:
    """The error for a store where a list of images was expected."""
    return UsageError(
        f"{text} is a store, not a list of images", subject=text, hint=f"take them with --from {location}"
    )
