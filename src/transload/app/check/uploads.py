"""What a registry takes: uploads in the very repositories of a set, how large, and what happens to broken ones."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from transload.app.check.way import Way
from transload.errors import AccessDenied, Interrupted, TooLarge, TransloadError
from transload.report.checkup import CheckPoint
from transload.report.texts import count, rate, size
from transload.threads import in_parallel
from transload.values import frozen
from transload.wording import first_of

_REPOSITORIES = 64
_THREADS = 8
_NAMED = 3
_UNTOLD_BODY = 1 << 30  # what is tried if no set says how large the blobs are
_PAUSE_S = 0.1
_FAR_S = 0.3
SPEED_BYTES = 16 << 20
SPEED_S = 3.0
_STREAMS = 4
_ROUNDS = (64 << 10, 512 << 10, 3 << 20)


@frozen
class Wish:
    """What a run would send: its repositories at the target, and its largest blob in bytes, None if it is not known.

    `probe_bytes` is the size of a body that is really sent, whatever a run would send.
    """

    repositories: tuple[str, ...]
    largest: int | None = None
    probe_bytes: int | None = None


def push_points(way: Way, wish: Wish) -> Iterator[CheckPoint]:
    """Whether uploads can begin in every repository: one is begun in each, and cancelled."""
    asked = wish.repositories[:_REPOSITORIES]

    def attempt(repository: str) -> TransloadError | None:
        try:
            way.store.probes.open_upload(repository)
        except Interrupted:
            raise
        except TransloadError as error:
            return error
        return None

    errors = in_parallel(attempt, asked, _THREADS)
    refused = {repository: error for repository, error in zip(asked, errors, strict=True) if error is not None}
    more = f"; {len(wish.repositories) - len(asked)} more not tried" if len(wish.repositories) > len(asked) else ""
    where = f" ({asked[0]})" if len(asked) == 1 else ""
    if not refused:
        found = f"uploads can begin in {count(len(asked), 'repository')}{where}{more}"
        yield way.point("push", "ok", found, tried=len(asked), wanted=len(wish.repositories))
        parts = max(repository.count("/") + 1 for repository in asked)
        yield way.point("paths", "ok", f"paths of {count(parts, 'part')} are taken", parts=parts)
        return
    first = next(iter(refused.values()))
    which = f"{len(refused)} of {count(len(asked), 'repository')}"
    found = f"{which} cannot be written to: {first_of(refused, _NAMED)}: {first}"
    yield CheckPoint.failed("push", way.store.locator, first, found)


def upload_points(way: Way, wish: Wish) -> Iterator[Callable[[], CheckPoint]]:
    """How blobs are taken, tried in the first repository. Each is called on its own, and may raise."""
    repository = wish.repositories[0]
    yield lambda: _body(way, wish, repository)
    yield lambda: _deleting(way, repository)
    yield lambda: _referrers(way, repository)
    yield lambda: _resume(way, repository)
    yield lambda: _digests(way, repository)


ASPECTS = ("body", "delete", "referrers", "resume", "digests")
"""The aspects of `upload_points`, in their order."""


def _body(way: Way, wish: Wish, repository: str) -> CheckPoint:
    wanted = max(wish.largest or _UNTOLD_BODY, wish.probe_bytes or 0)
    capabilities = way.store.capabilities
    before = capabilities.way_of_uploading()
    capabilities.doubts_uploads()  # what is remembered may be gone by now
    try:
        taken = way.store.probes.largest_body(repository, wanted, max(_PAUSE_S, way.connecting_s() or _FAR_S))
        sent_bytes = min(wish.probe_bytes or 0, taken)
        if sent_bytes:
            way.store.probes.sent(repository, sent_bytes)
    finally:
        if wanted != wish.largest:  # no run may ever send so large a body
            capabilities.upload_as(*before)
    facts: dict[str, Any] = {"wanted_bytes": wanted, "taken_bytes": taken, "sent_bytes": sent_bytes}
    if not taken:
        return CheckPoint.failed(
            "body", way.store.locator, TooLarge("bodies of any useful size are refused", hint=_RAISE)
        )
    sent = f", {size(sent_bytes)} were really sent" if sent_bytes else ""
    if taken < wanted:
        found = f"bodies of {size(wanted)} are too large (413); blobs go in pieces of {size(taken)}{sent}"
        return way.point("body", "warning", found, _RAISE, **facts)
    untold = " (the size that is tried without a set)" if wanted == _UNTOLD_BODY != wish.largest else ""
    return way.point("body", "ok", f"a body of {size(wanted)} was announced and not refused{untold}{sent}", **facts)


_RAISE = "a proxy before the registry may have a limit that can be raised (nginx: client_max_body_size 0)"


def _resume(way: Way, repository: str) -> CheckPoint:
    stands = way.store.probes.tells_where_uploads_stand(repository)
    found = "a broken upload can go on" if stands else "an upload that breaks off starts over"
    return way.point("resume", "ok", found, resumes=stands)


def _digests(way: Way, repository: str) -> CheckPoint:
    refuses = way.store.probes.refuses_wrong_digest(repository)
    if refuses is None:
        return way.point("digests", "unknown", "the answer to content with a wrong digest is not clear")
    if refuses:
        return way.point("digests", "ok", "content with a wrong digest is refused", refuses_wrong_digest=True)
    found, advice = "content with a wrong digest is taken", "prove what arrived: transload verify --deep"
    return way.point("digests", "warning", found, advice, refuses_wrong_digest=False)


def _deleting(way: Way, repository: str) -> CheckPoint:
    may: bool | None = False
    with contextlib.suppress(AccessDenied):  # a token server gives no token for that
        may = way.store.probes.may_delete(repository)
    if may is None:
        return way.point("delete", "unknown", "the answer does not say whether manifests may be deleted")
    found = "manifests may be deleted" if may else "manifests may not be deleted, which no copy needs"
    return way.point("delete", "ok", found, deletes=may)


def _referrers(way: Way, repository: str) -> CheckPoint:
    has = way.store.probes.has_referrers_api(repository)
    found = "there is an API for them" if has else "there is no API for them, so the fallback tag is used"
    return way.point("referrers", "ok", found, referrers_api=has)


# --- speed


def upload_speed(way: Way, repository: str, largest: int) -> CheckPoint:
    """How fast bytes go to the registry, over a few connections: at most `SPEED_BYTES`, some `SPEED_S` seconds.

    `largest` is the largest body that it takes.
    """
    total, bytes_per_s = 0, 0.0
    for length in _ROUNDS:
        if bytes_per_s and _STREAMS * length / bytes_per_s > SPEED_S:  # a body that has begun is not cut short
            break
        piece = min(length, largest)
        moments = in_parallel(partial(way.store.probes.sent, repository), [piece] * _STREAMS, _STREAMS)
        total += _STREAMS * piece
        # from the first byte of all to the last answer: bodies may have waited for each other, as with --limit-rate
        taken_s = max(answered for _, answered in moments) - min(began for began, _ in moments)
        bytes_per_s = _STREAMS * piece / max(taken_s, 1e-3)
    return way.point("upload speed", "ok", f"{rate(bytes_per_s)} ({size(total)} sent)", bytes_per_s=int(bytes_per_s))
