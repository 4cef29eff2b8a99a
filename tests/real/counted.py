"""Registries that count: docker-registry by its log and its token server, `transload serve` by its own counts."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Protocol

from attrs import frozen

from tests.real.servers import Registry, StartRegistry
from tests.real.shelves import lay_release
from tests.real.token_server import WRITER
from transload.login import Login, Secret
from transload.memory import MemoryStore
from transload.server import Served, ServeSettings, serve
from transload.testing.releases import SeededRelease, fill_release

Kinds = Counter[str]
"""Requests by method and thing, such as `GET manifest`; `401` are those that were refused for want of a login."""


class Counted(Protocol):
    """A registry and what it was asked."""

    @property
    def host(self) -> str:
        """The beginning of image references."""
        ...

    @property
    def token_host(self) -> str | None:
        """Where its tokens come from."""
        ...

    @property
    def login(self) -> Login | None:
        """For tests that look into it."""
        ...

    def asked(self) -> Kinds:
        """All requests so far, as the server counted them."""
        ...

    def publish(self, made: SeededRelease, prefix: str) -> None:
        """Put a release into it without a request."""
        ...


@frozen
class Distribution:
    """docker-registry 2.8, with tokens or without a login."""

    registry: Registry

    @property
    def host(self) -> str:
        return self.registry.host

    @property
    def token_host(self) -> str | None:
        tokens = self.registry.tokens
        return tokens.realm.split("/")[2] if tokens else None

    @property
    def login(self) -> Login | None:
        return Login(WRITER.name, Secret(WRITER.password)) if self.registry.tokens else None

    def asked(self) -> Kinds:
        counted = Counter(_kind(line, status) for line, status in self.registry.all_requests())
        counted.pop("GET /v2/", None)  # by which the fixture waits for the server
        tokens = self.registry.tokens
        return counted + Counter({"GET token": len(tokens.requests) if tokens else 0})

    def publish(self, made: SeededRelease, prefix: str) -> None:
        lay_release(self.registry, made, prefix)


def _kind(line: str, status: int) -> str:
    method, path = line.split(" ", 1)
    if path == "/v2/":
        return line
    if status == 401:
        return "401"
    if "mount=" in path:
        return "POST mount"
    found = re.search(r"/(manifests|uploads|blobs|tags|referrers)/", path.replace("/blobs/uploads/", "/uploads/"))
    return f"{method} {found[1].rstrip('s') if found else path}"


@frozen
class OfOurs:
    """The server of `transload serve`, writable, without a login. It does not tell mounts from other uploads."""

    served: Served
    store: MemoryStore
    token_host: str | None = None
    login: Login | None = None

    @property
    def host(self) -> str:
        return self.served.host_port

    def asked(self) -> Kinds:
        names = {"uploads": "upload", "tags": "tag"}
        kinds = self.served.requests.by_kind.items()
        return sum(
            (Counter({f"{method} {names.get(kind, kind).rstrip('s')}": n}) for (method, kind), n in kinds), Kinds()
        )

    def publish(self, made: SeededRelease, prefix: str) -> None:
        fill_release(self.store, made, prefix)


class StartCounted(Protocol):
    """Starts `distribution`, `tokens` (the same with a token server) or `serve`. Only files can be published to."""

    def __call__(self, kind: str, *, files: bool = False) -> Counted: ...


@contextlib.contextmanager
def counted_registries(start_registry: StartRegistry) -> Iterator[StartCounted]:
    """Starts registries for the block."""
    with contextlib.ExitStack() as stack:

        def start(kind: str, *, files: bool = False) -> Counted:
            if kind == "serve":
                store = MemoryStore()
                return OfOurs(stack.enter_context(serve(store, ServeSettings(writable=True))), store)
            memory: dict[str, Any] = {"filesystem": None, "inmemory": {}}  # thousands of files would take their time
            return Distribution(
                start_registry("token" if kind == "tokens" else None, **({} if files else {"storage": memory}))
            )

        yield start


def as_logged(traffic: list[dict[str, Any]], registry: Counted) -> Kinds:
    """What our own counters say of the same requests, in the server's words; `401` are counted as what was refused."""
    hosts = {registry.host, registry.token_host}
    kinds = Kinds()
    for host in traffic:
        if host["host"] in hosts:
            for purpose, number in host["by_purpose"].items():
                kinds[_WORDS.get(purpose, purpose)] += number
    return kinds


_WORDS = {"GET tags": "GET tag", "GET referrers": "GET referrer"}
