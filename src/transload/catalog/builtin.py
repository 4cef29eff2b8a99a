"""The catalogs that come with transload."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transload.errors import CatalogUnknown
from transload.oci.reference import shown
from transload.wording import hint

if TYPE_CHECKING:
    from transload.catalog.catalog import Catalog

_NAMES = ("arcdata", "bdc")


def builtin() -> tuple[str, ...]:
    """The names of the built-in catalogs, sorted."""
    return _NAMES


@cache
def load_builtin(name: str) -> Catalog:
    """The built-in catalog with this name. Raises `CatalogUnknown` with close matches."""
    if name not in _NAMES:
        raise CatalogUnknown(
            f"no built-in catalog is called {shown(name)[:80]!r}",
            subject=shown(name),
            hint=hint(name, _NAMES, what="built in are"),
        )
    from transload.catalog.definition import parse_catalog

    # Through the loader, since transload can also be one zipped file. pkgutil does the same, but imports slowly.
    loader: Any = __spec__.loader  # every importer of files answers get_data (PEP 302)
    content: bytes = loader.get_data(str(Path(__file__).with_name("data") / f"{name}.yaml"))
    return parse_catalog(content, f"{name}.yaml")
