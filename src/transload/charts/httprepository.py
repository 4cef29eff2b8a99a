"""A chart repository on HTTP: an `index.yaml`, and the archives that it names, which may lie on other hosts.

(Helm documentation, "The Chart Repository Guide".)

An archive whose index states a digest is handed on only if it has this digest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from transload.charts.chart import Chart
from transload.charts.fetching import Fetching, is_page
from transload.charts.index import Entry, Index
from transload.charts.shelf import unknown_chart, unknown_version
from transload.errors import CorruptError, DigestMismatch, NotFound, ProtocolTrouble, Refused
from transload.limits import CHART_INDEX_BYTES, CHART_PACKED_BYTES, PROVENANCE_BYTES
from transload.login import Login
from transload.net.address import Url, joined, redacted
from transload.net.http import Http
from transload.oci import Digest

_INDEX = "index.yaml"
_PLACES = 4  # addresses of one archive that are tried; honest indexes have one


class HttpRepository:
    """The charts of the repository at `url`, where its `index.yaml` is. Its index is read once, when it is needed.

    `http` makes the client, `logins` gives the login for a host, or None. Raises `ProtocolTrouble` for a text that is
    no URL. Plain HTTP is refused unless it was allowed for the host.
    """

    def __init__(self, url: str, http: Callable[[], Http], logins: Callable[[str], Login | None]) -> None:
        self._url = str(Url.parse(url)).rstrip("/")
        self._fetching = Fetching(self._url, http, logins)
        self._index: Index | None = None
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return redacted(self._url)

    # --- Shelf

    def names(self) -> tuple[str, ...]:
        """Every chart of the index. Raises `NotFound` if there is no index, `CorruptError`, `AccessError`, …"""
        return self._entries_of().names

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of a chart, in the order of the index; Helm writes the newest first."""
        return tuple(entry.version for entry in self._entries(name))

    def version_of(self, name: str, digest: Digest) -> str | None:
        """The version whose archive has this digest, by the index."""
        return next((entry.version for entry in self._entries(name) if entry.digest == digest), None)

    def places(self, name: str, version: str) -> tuple[str, ...]:
        """The addresses of an archive, complete; some are `oci://…`. Raises `NotFound`."""
        return tuple(self._address(url) for url in self._entry(name, version).urls)

    def chart(self, name: str, version: str) -> Chart:
        """The chart, and its provenance if the repository has it.

        Raises `NotFound`, `DigestMismatch`, `ContentDiffers`, `LimitExceeded`, `AccessError`, `Unreachable`.
        """
        entry = self._entry(name, version)
        url, content = self._archive(entry)
        actual = Digest.of(content)
        if entry.digest is not None and actual != entry.digest:
            raise DigestMismatch(
                f"{redacted(url)}: the index states {entry.digest}, found {actual}",
                subject=f"{name}:{version}",
                hint="it was changed or damaged after the index was made; tell whoever runs the repository",
            )
        chart = Chart.parse(content, redacted(url), provenance_of(url, self._fetching))
        chart.check_is(name, version)
        return chart

    # --- the index

    def _entries_of(self) -> Index:
        with self._lock:
            if self._index is None:
                url = f"{self._url}/{_INDEX}"
                content = self._fetching.text(url, f"reading the index of {self}", CHART_INDEX_BYTES)
                if is_page(content):
                    raise ProtocolTrouble(
                        f"{redacted(url)} answers with a web page, so {self} is no chart repository",
                        subject=str(self),
                        hint="check the address; a login page or a proxy may stand in the way",
                    )
                self._index = Index(content, redacted(url))
            return self._index

    def _entries(self, name: str) -> tuple[Entry, ...]:
        index = self._entries_of()
        entries = index.entries(name)
        if not entries:
            raise unknown_chart(name, index.names, str(self))
        return entries

    def _entry(self, name: str, version: str) -> Entry:
        entries = self._entries(name)
        for entry in entries:
            if entry.version == version:
                return entry
        raise unknown_version(name, version, (entry.version for entry in entries), str(self))

    # --- archives

    def _archive(self, entry: Entry) -> tuple[str, bytes]:
        """The archive's bytes, and the address that had them."""
        missing: NotFound | None = None
        for address in entry.urls[:_PLACES]:
            url = self._address(address)
            if not url.startswith(("https://", "http://")):
                raise Refused(
                    f"{self} keeps {entry.name} {entry.version} elsewhere: {url[:200]}",
                    subject=entry.name,
                    hint="name this address in place of the repository",
                )
            doing = f"reading {entry.name} {entry.version} from {redacted(url)}"
            try:
                return url, self._fetching.file(url, doing, CHART_PACKED_BYTES)
            except NotFound as error:
                missing = error
        raise missing or CorruptError(f"{self} has no address for {entry.name} {entry.version}", subject=entry.name)

    def _address(self, url: str) -> str:
        """The address that an entry of the index means: relative ones begin at the index."""
        if "://" in url and not url.startswith(("https://", "http://")):
            return url
        return joined(f"{self._url}/{_INDEX}", url)


def provenance_of(archive: str, fetching: Fetching) -> bytes | None:
    """The provenance beside the archive at this address, if there is one."""
    url = Url.parse(archive)
    beside = str(Url(url.origin, url.names_port, f"{url.path}.prov", url.query))
    return fetching.optional_file(beside, f"reading {redacted(beside)}", PROVENANCE_BYTES)
