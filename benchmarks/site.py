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

from benchmarks.contenders import TRANSLOAD, Errand, Tool
from benchmarks.content import PREFIX, Goods, at_target
from benchmarks.processes import Cost, measured
from benchmarks.servers import Certificates, Server, registry

_ACCEPT = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


@frozen
class Pair:
    """Two running registries, and a home for a tool that has never been here before."""

    source: Server
    target: Server
    home: Path
    tls: Certificates | None = None
    source_at: str = ""
    target_at: str = ""

    def run(self, tool: Tool, goods: Goods) -> Cost:
        """Copy `goods` with `tool`, and look whether they are there. Nothing is being written out meanwhile."""
        errand = Errand(
            goods,
            self.source_at or self.source.host,
            self.target_at or self.target.host,
            home=self.home,
            authority=self.tls.authority if self.tls else None,
        )
        command = tool(errand)
        os.sync()
        return measured(command.words, command.environment, self.home / "output.log")

    def check(self, goods: Goods) -> None:
        """Every image is at the target, byte for byte, with all its blobs. Raises `AssertionError`."""
        asking = _connection(self.target.host, self.tls)
        for name, manifest in goods.manifests().items():
            there = at_target(name)
            status, body = _answer(asking, "GET", f"/v2/{there.repository}/manifests/{there.tag}")
            assert status == 200, f"{there} is missing at the target"
            assert body == manifest.raw, f"{there} differs at the target"
            for blob in manifest.blobs:
                status, _ = _answer(asking, "HEAD", f"/v2/{there.repository}/blobs/{blob.digest}")
                assert status == 200, f"{there} lacks {blob.digest} at the target"
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
        with registry(site.source) as server:
            to = f"{server.host}/{PREFIX}"
            words = (TRANSLOAD, "mirror", "--quiet", "--from", f"oci:{goods.layout}", "--to", to)
            measured(words, {"HOME": str(folder)}, folder / "filling.log")
        return site

    @contextlib.contextmanager
    def pair(self, *, counted: bool = False, tls: Certificates | None = None) -> Iterator[Pair]:
        """Fresh processes, the target's storage empty; all of it gone afterwards."""
        target, home = self.folder / "target", self.folder / "home"
        for folder in (target, home):
            shutil.rmtree(folder, ignore_errors=True)
        home.mkdir()
        with (
            registry(self.source, counted=counted, tls=tls) as one,
            registry(target, counted=counted, tls=tls) as other,
        ):
            yield Pair(one, other, home, tls)
        shutil.rmtree(target)


def asked(server: Server, since: int = 0) -> Counter[str]:
    """Requests of a counted server by kind, as `GET blob`, from the `since`-th on."""
    return Counter(f"{method} {_kind(path)}" for method, path, _ in server.requests()[since:])


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
