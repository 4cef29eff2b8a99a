"""Where a measurement takes place: a source that is filled once, a target that is new each time, and a look at both."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from benchmarks.contenders import Errand, Tool
from benchmarks.content import Goods, at_target
from benchmarks.processes import Cost, measured
from benchmarks.profiles import LOOPBACK, Profile
from benchmarks.servers import Certificates, Server, registry
from benchmarks.slow_wire import Wire, wire
from benchmarks.storage import fill_storage

_ACCEPT = ", ".join(
    (
        *("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"),
        *("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"),
    )
)

PART = 206


class WrongResult(Exception):
    """A tool said that all went well, and something else is at the target."""


@frozen(kw_only=True)
class Pair:
    """Two running registries, each at the end of a wire, and a home for a tool that has never been here before."""

    source: Server
    target: Server
    home: Path
    source_wire: Wire
    target_wire: Wire
    tls: Certificates | None = None

    def run(self, tool: Tool, goods: Goods) -> Cost:
        """Copy `goods` with `tool`. Nothing is being written out meanwhile."""
        authority = self.tls.authority if self.tls else None
        command = tool(Errand(goods, self.source_wire.host, self.target_wire.host, self.home, authority=authority))
        os.sync()
        return measured(command.words, command.environment, self.home / "output.log")

    def check(self, goods: Goods) -> None:
        """Every image is at the target, byte for byte, with all its manifests and blobs. Raises `WrongResult`."""
        asking = _connection(self.target.host, self.tls)
        seen: set[tuple[str, str]] = set()
        for name, graph in goods.graphs().items():
            there = at_target(name)
            for manifest in graph:
                reference = there.tag if manifest is graph[-1] else manifest.digest
                status, body = _answer(asking, "GET", f"/v2/{there.repository}/manifests/{reference}")
                if status != 200:
                    raise WrongResult(f"{there}: {reference} is missing at the target ({status})")
                if body != manifest.raw:
                    raise WrongResult(f"{there}: {reference} differs at the target")
                for blob in manifest.blobs:
                    if (there.repository, blob.digest) in seen:
                        continue
                    seen.add((there.repository, blob.digest))
                    status, _ = _answer(asking, "HEAD", f"/v2/{there.repository}/blobs/{blob.digest}")
                    if status != 200:
                        raise WrongResult(f"{there} lacks {blob.digest} at the target")
        asking.close()


@frozen
class Site:
    """A folder of a file system, and where the releases lie in it as a registry's storage."""

    folder: Path
    source: Path

    @classmethod
    def filled(cls, folder: Path, goods: Goods) -> Site:
        """With the images of `goods` in the source registry."""
        site = cls(folder, folder / "source")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        fill_storage(site.source, goods)
        return site

    @contextlib.contextmanager
    def pair(
        self,
        *,
        counted: bool = False,
        tls: Certificates | None = None,
        source_profile: Profile = LOOPBACK,
        target_profile: Profile = LOOPBACK,
        counting: bool = False,
    ) -> Iterator[Pair]:
        """Fresh processes, the target's storage empty; all of it gone afterwards.

        `counted` lets the registries keep access logs; `counting` puts a wire that counts also where none is imitated.
        """
        target, home = self.folder / "target", self.folder / "home"
        for folder in (target, home):
            shutil.rmtree(folder, ignore_errors=True)
        home.mkdir()
        with (
            registry(self.source, counted=counted, tls=tls) as one,
            registry(target, counted=counted, tls=tls) as other,
            wire(one.host, source_profile, counting=counting) as from_source,
            wire(other.host, target_profile, counting=counting) as to_target,
        ):
            yield Pair(source=one, target=other, home=home, source_wire=from_source, target_wire=to_target, tls=tls)
        shutil.rmtree(target)


def asked(server: Server, since: int = 0) -> Counter[str]:
    """Requests of a counted server by kind, as `GET blob`, from the `since`-th on; a range of a blob is a part."""
    return Counter(
        "GET part" if status == PART and "/blobs/" in path else f"{method} {_kind(path)}"
        for method, path, status in server.requests()[since:]
    )


def _kind(path: str) -> str:
    parts = path.partition("?")
    for kind in ("manifests", "uploads", "blobs", "tags"):
        if f"/{kind}/" in parts[0]:
            return "mount" if "mount=" in parts[2] else kind.rstrip("s")
    return "other"


def _connection(host: str, tls: Certificates | None) -> http.client.HTTPConnection:
    if tls is None:
        return http.client.HTTPConnection(host, timeout=30)
    return http.client.HTTPSConnection(host, timeout=30, context=ssl.create_default_context(cafile=str(tls.authority)))


def _answer(asking: http.client.HTTPConnection, method: str, path: str) -> tuple[int, bytes]:
    asking.request(method, path, headers={"Accept": _ACCEPT})
    answer = asking.getresponse()
    return answer.status, answer.read()
