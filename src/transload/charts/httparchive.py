"""One chart archive at an address of its own, without an index."""

from __future__ import annotations

import threading
from collections.abc import Callable

from transload.charts.chart import Chart
from transload.charts.fetching import Fetching
from transload.charts.httprepository import provenance_of
from transload.charts.shelf import unknown_chart, unknown_version
from transload.limits import CHART_PACKED_BYTES
from transload.login import Login
from transload.net.address import Url, redacted
from transload.net.http import Http
from transload.oci import Digest


class HttpArchive:
    """The chart at `url`, the address of a `.tgz`. It is read once, and nothing but TLS proves what arrives."""

    def __init__(self, url: str, http: Callable[[], Http], logins: Callable[[str], Login | None]) -> None:
        self._url = str(Url.parse(url))
        self._fetching = Fetching(self._url, http, logins)
        self._chart: Chart | None = None
        self._lock = threading.Lock()

    def names(self) -> tuple[str, ...]:
        """The name of the chart. Raises `NotFound`, `CorruptError`, …"""
        return (self._read().name,)

    def versions(self, name: str) -> tuple[str, ...]:
        """The only version. Raises `RepositoryUnknown` for another chart."""
        chart = self._read()
        if chart.name != name:
            raise unknown_chart(name, (chart.name,), redacted(self._url))
        return (chart.version,)

    def version_of(self, name: str, digest: Digest) -> str | None:
        """The version, if the archive has this digest."""
        chart = self._read()
        return chart.version if (chart.name, chart.digest) == (name, digest) else None

    def places(self, name: str, version: str) -> tuple[str, ...]:  # noqa: ARG002 - there is one
        """The address."""
        return (self._url,)

    def chart(self, name: str, version: str) -> Chart:
        """The chart. Raises `NotFound` for another one, or for another version."""
        if version not in self.versions(name):
            raise unknown_version(name, version, self.versions(name), redacted(self._url))
        return self._read()

    def _read(self) -> Chart:
        with self._lock:
            if self._chart is None:
                shown = redacted(self._url)
                content = self._fetching.file(self._url, f"reading {shown}", CHART_PACKED_BYTES)
                self._chart = Chart.parse(content, shown, provenance_of(self._url, self._fetching))
            return self._chart
