"""Which shelf a place has: a chart repository, an archive at an address, or archives on this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from transload.charts.httparchive import HttpArchive
from transload.charts.httprepository import HttpRepository
from transload.charts.shelf import ArchiveFiles
from transload.charts.store import ChartStore
from transload.login import Login
from transload.net.http import Http
from transload.ports import RequestCosts


def open_charts(
    locator: str, place: str, http: Callable[[], Http], logins: Callable[[str], Login | None]
) -> ChartStore:
    """The charts at a place: the address of a repository or of a `.tgz`, or the path of a `.tgz` or a folder of them.

    Nothing is read before a chart is asked for. Raises `ProtocolTrouble` for an address that is no URL.
    """
    if not place.startswith(("https://", "http://")):
        return ChartStore(locator, ArchiveFiles(Path(place)))
    kind = HttpArchive if place.lower().endswith(".tgz") else HttpRepository
    return ChartStore(locator, kind(place, http, logins), RequestCosts())
