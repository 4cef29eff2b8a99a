"""Charts and chart repositories for tests, made anew: the same arguments give the same bytes."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.unit.registry.wire import Asked, Said, Wire
from transload.app.network import Network
from transload.app.settings import Environment
from transload.app.stores import Logins, Stores
from transload.oci import Digest
from transload.threads import Cancellation

METADATA = """apiVersion: v2
name: {name}
version: {version}
description: A web server & its <friends>
type: application
appVersion: "1.27"
home: https://example.org/web
sources: [https://example.org/web/source, https://example.org/more]
maintainers:
  - name: Ann
    email: ann@example.org
  - name: Bob
"""
VALUES = "image:\n  registry: docker.io\n  repository: library/nginx\n  tag: 1.27.0\n"


def archive(
    name: str = "web", version: str = "1.2.3", *, files: Mapping[str, str] | None = None, metadata: str = METADATA
) -> bytes:
    """The bytes of a chart's .tgz, without a date in them."""
    own = {"Chart.yaml": metadata.format(name=name, version=version), "values.yaml": VALUES}
    return packed(name, own | dict(files or {}))


def packed(name: str, contents: Mapping[str, str]) -> bytes:
    """The bytes of a .tgz with these files in one folder."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for path, text in contents.items():
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(raw.getvalue(), mtime=0)


def index_of(charts: Mapping[str, bytes], *, base: str = "", digests: bool = True) -> bytes:
    """An index.yaml in the form that `helm repo index` writes, for archives called `name-version.tgz`."""
    lines = ["apiVersion: v1", "entries:"]
    last = None
    for file, content in charts.items():
        name, _, version = file.removesuffix(".tgz").partition("-")
        lines += [f"  {name}:"] if name != last else []
        last = name
        lines += ["  - apiVersion: v2", '    created: "2026-05-12T00:00:00Z"', "    description: |", "      entries:"]
        lines += [f"    digest: {Digest.of(content).encoded}"] if digests else []
        lines += [f"    name: {name}", "    urls:", f"    - {base}{file}", f"    version: {version}"]
    return "\n".join([*lines, 'generated: "2026-05-12T00:00:00Z"', ""]).encode()


def files(contents: Mapping[str, bytes]) -> Callable[[Asked], Said]:
    """A web server's script: what is not there is a 404."""

    def answer(asked: Asked) -> Said:
        content = contents.get(asked.path.lstrip("/"))
        return Said(404) if content is None else Said(200, {"Content-Type": "text/plain"}, content)

    return answer


@contextmanager
def chart_repository(charts: Mapping[str, bytes], **more: bytes) -> Iterator[Wire]:
    """A chart repository at /charts on loopback. `more` are other files, with two underscores for a dot."""
    beside = {f"charts/{name.replace('__', '.')}": content for name, content in more.items()}
    contents = {f"charts/{file}": content for file, content in charts.items()}
    with Wire(files({"charts/index.yaml": index_of(charts), **contents, **beside})) as wire:
        yield wire


@contextmanager
def stores_at(folder: Path, logins: Logins = Logins(), network: Network = Network()) -> Iterator[Stores]:  # noqa: B008 - frozen
    """The stores of a run that keeps its state in a folder."""
    with Stores(Environment(state=folder / "state"), network, logins, Cancellation()) as stores:
        yield stores
