"""Says which images were pulled, and by whom: follows the requests of each client, and tells of a pull when it is over.

A client asks for an index, for the manifest of its platform, and for the blobs that it lacks. All that one client asks
of one image belongs to one pull. It is over when all its content was sent and nothing was asked for a moment; or when
nothing was asked for longer, since a client that has some layers already asks for the others only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from transload.clock import Clock
from transload.limits import PULL_PARTS, PULLS_FOLLOWED
from transload.oci import Descriptor, Digest, Manifest
from transload.server.routes import Route
from transload.values import define, field, frozen

_ALL_SENT_S, _PARTLY_S = 2.0, 30.0

Ending = Literal["complete", "broken-off"]


@frozen(kw_only=True)
class Client:
    """Who asks: an address, and the name of the login if one is needed."""

    address: str
    user: str | None = None


@frozen(kw_only=True)
class Pulled:
    """An image that a client pulled from `repository`, by `tag` if it named one. `digest` is that of what it named.

    `platform` is the one that it chose of an index; None if it chose none or several. `blobs` were sent to their ends,
    `bytes` in all, with manifests. `ended`: `broken-off` if a blob was not sent to its end, and not asked for again.
    `began_s` is in seconds since 1970.
    """

    client: Client
    repository: str
    tag: str | None
    digest: Digest
    platform: str | None
    blobs: int
    bytes: int
    began_s: float
    duration_s: float
    ended: Ending


Tell = Callable[[Sequence[Pulled], int], None]
"""Gets pulls that are over, and of how many more nothing is known since they were too many. Called in a thread."""


@define(eq=False)
class Body:
    """The body of an answer: how many bytes have gone."""

    sent: int = 0


@define(kw_only=True, eq=False)
class _Pull:
    client: Client
    repository: str
    tag: str | None
    digest: Digest
    began_s: float
    began_wall_s: float
    last_s: float
    bytes: int = 0
    under_way: int = 0
    platforms: set[str] = field(factory=set)
    children: dict[Digest, str] = field(factory=dict)
    wanted: set[Digest] = field(factory=set)
    sent: set[Digest] = field(factory=set)
    arrived: Counter[Digest] = field(factory=Counter)

    def is_over(self, now_s: float) -> bool:
        if self.under_way:
            return False
        return now_s - self.last_s >= (_ALL_SENT_S if self.wanted and self.wanted <= self.sent else _PARTLY_S)

    def told(self) -> Pulled:
        return Pulled(
            client=self.client,
            repository=self.repository,
            tag=self.tag,
            digest=self.digest,
            platform=next(iter(self.platforms)) if len(self.platforms) == 1 else None,
            blobs=len(self.sent),
            bytes=self.bytes,
            began_s=self.began_wall_s,
            duration_s=self.last_s - self.began_s,
            ended="complete" if self.arrived.keys() <= self.sent else "broken-off",
        )


class Pulls:
    """The pulls that go on. Only the server's event loop calls it. Of too many, the oldest are told of early."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[int, _Pull] = {}
        self._of: dict[tuple[Client, str], list[_Pull]] = {}
        self._over: list[Pulled] = []
        self._lost = 0
        self._named: dict[tuple[Client, str, Digest], str] = {}

    def resolved(self, client: Client, route: Route, digest: Digest) -> None:
        """A client asked what a tag is; many ask for the content by digest then."""
        if ":" not in route.reference:
            if len(self._named) >= PULLS_FOLLOWED:
                del self._named[next(iter(self._named))]
            self._named[client, route.repository, digest] = route.reference

    def manifest(self, client: Client, route: Route, manifest: Manifest) -> None:
        """A client gets this manifest."""
        pull = self._with(client, route.repository, manifest.digest)
        if pull is None or route.reference not in {pull.tag, manifest.digest}:
            pull = self._begin(client, route, manifest.digest)
        pull.last_s = self._clock.monotonic_s()
        pull.bytes += len(manifest.raw)
        if platform := pull.children.get(manifest.digest):
            pull.platforms.add(platform)
        for child in manifest.manifests[: PULL_PARTS - len(pull.children)]:
            pull.children[child.digest] = str(child.platform or "")
        pull.wanted |= {blob.digest for blob in manifest.blobs[: PULL_PARTS - len(pull.wanted)]}

    @contextmanager
    def sending(self, client: Client, route: Route, blob: Descriptor, body: Body) -> Iterator[None]:
        """A client gets a blob or a part of it during the block, which counts the bytes in `body`."""
        pull = self._with(client, route.repository, blob.digest) or self._begin(client, route, blob.digest)
        pull.wanted.add(blob.digest)
        pull.under_way += 1
        try:
            yield
        finally:
            pull.under_way -= 1
            pull.bytes += body.sent
            pull.last_s = self._clock.monotonic_s()
            pull.arrived[blob.digest] += body.sent
            if pull.arrived[blob.digest] >= blob.size:  # several connections may each have asked for a part
                pull.sent.add(blob.digest)

    def take(self, *, all_of_them: bool = False) -> tuple[list[Pulled], int]:
        """What is over, or all of them at the end, and how many are lost."""
        now_s = self._clock.monotonic_s()
        for pull in [pull for pull in self._open.values() if all_of_them or pull.is_over(now_s)]:
            self._end(pull)
        (over, self._over), (lost, self._lost) = (self._over, []), (self._lost, 0)
        return over, lost

    # --- parts

    def _with(self, client: Client, repository: str, digest: Digest) -> _Pull | None:
        """The newest pull of a client that this content belongs to."""
        for pull in reversed(self._of.get((client, repository), [])):
            if digest == pull.digest or digest in pull.children or digest in pull.wanted:
                return pull
        return None

    def _begin(self, client: Client, route: Route, digest: Digest) -> _Pull:
        if len(self._open) >= PULLS_FOLLOWED:
            self._end(next(iter(self._open.values())))
        named = self._named.pop((client, route.repository, digest), None)
        now_s = self._clock.monotonic_s()
        pull = _Pull(
            client=client,
            repository=route.repository,
            tag=named if ":" in route.reference else route.reference,
            digest=digest,
            began_s=now_s,
            began_wall_s=self._clock.wall_s(),
            last_s=now_s,
        )
        self._open[id(pull)] = pull
        self._of.setdefault((client, route.repository), []).append(pull)
        return pull

    def _end(self, pull: _Pull) -> None:
        del self._open[id(pull)]
        key = pull.client, pull.repository
        self._of[key].remove(pull)
        if not self._of[key]:
            del self._of[key]
        if len(self._over) < PULLS_FOLLOWED:
            self._over.append(pull.told())
        else:
            self._lost += 1
