"""Any store served as a registry: the distribution API on aiohttp. Needs the extra `serve`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from transload.errors import PartMissing
from transload.server.settings import ServeSettings

if TYPE_CHECKING:
    from transload.server.serving import Served, serve, serve_forever

__all__ = ["ServeSettings", "Served", "serve", "serve_forever"]

if find_spec("aiohttp") is None:
    raise PartMissing(
        "serving a store needs aiohttp, which is not installed", hint="install it: python3 -m pip install aiohttp"
    )


def __getattr__(name: str) -> Any:
    """Load aiohttp when something is really served, not when this package is imported."""
    if name in __all__:
        from transload.server import serving

        return getattr(serving, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
