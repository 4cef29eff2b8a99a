"""Any store served as a registry: the distribution API on aiohttp. Needs the extra `serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transload.server.served import Served, ServedTotals, check_installed, serve
from transload.server.settings import ServeSettings

if TYPE_CHECKING:
    from transload.server.serving import serve_forever

__all__ = ["ServeSettings", "Served", "ServedTotals", "serve", "serve_forever"]


def __getattr__(name: str) -> Any:
    """Load aiohttp when a store is served, not when this package is imported. Raises `PartMissing`."""
    if name == "serve_forever":
        check_installed()
        from transload.server import serving

        return serving.serve_forever
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
