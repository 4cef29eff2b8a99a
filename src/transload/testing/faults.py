"""A store that fails by a script: a wrapper around any target, which implements the ports and counts the calls.

    store = FaultyStore(MemoryStore(), [fails("open", times=2), corrupts(at=100, subject=digest)])

For each call, the first fault of the script that fits and has times left is used.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

from transload.errors import DiskFull, ReadOnly, TransloadError, Truncated, Unreachable
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.ports import Chunk, Ingest, Lists, Mounts, Refers, RequestCosts, Sparse, Target
from transload.values import evolve, field, frozen

Operation = (
    Literal["resolve", "fetch", "tags", "repositories", "exists", "open"]
    | Literal["begin", "write", "commit", "put_manifest", "mount", "referrers"]
)
WRITES: tuple[Operation, ...] = ("begin", "write", "commit", "put_manifest", "mount")
ALWAYS = 1 << 62


@frozen(kw_only=True)
class Fault:
    """A fault in calls of `on` about `subject` (a digest or a name as text; None: any).

    The first `skip` fitting calls pass, the next `times` fail. `open` and `write` pass `after` bytes first.
    """

    on: Operation
    error: Callable[[], TransloadError] | None = None
    subject: str | None = None
    skip: int = 0
    times: int = 1
    after: int = 0
    ends: bool = False
    corrupt_at: int | None = None
    size_by: int = 0
    digest: Digest | None = None
    refuse: bool = False
    gate: threading.Event | None = field(default=None, eq=False)


def fails(
    on: Operation,
    error: Callable[[], TransloadError] = lambda: Unreachable("the connection broke"),
    *,
    subject: str | None = None,
    skip: int = 0,
    times: int = 1,
    after: int = 0,
) -> Fault:
    """`on` raises `error()`; `open` and `write` do so after `after` bytes. The default error is retryable."""
    return Fault(on=on, error=error, subject=subject, skip=skip, times=times, after=after)


def truncates(after: int, *, subject: str | None = None, skip: int = 0, times: int = 1) -> Fault:
    """`open` gives `after` bytes and then raises `Truncated`, as a store does when it notices."""
    return Fault(
        on="open",
        error=lambda: Truncated(f"the body ended after {after} bytes"),
        subject=subject,
        skip=skip,
        times=times,
        after=after,
    )


def ends_early(after: int, *, subject: str | None = None, skip: int = 0, times: int = 1) -> Fault:
    """`open` gives `after` bytes and ends as if that were all. This breaks the port's rule, to test who notices."""
    return Fault(on="open", error=None, subject=subject, skip=skip, times=times, after=after, ends=True)


def corrupts(at: int = 0, *, subject: str | None = None, skip: int = 0, times: int = 1) -> Fault:
    """`open` gives a wrong byte at position `at` of the blob, if that byte was requested."""
    return Fault(on="open", error=None, subject=subject, skip=skip, times=times, corrupt_at=at)


def lies_about_size(by: int = 1, *, subject: str | None = None, times: int = ALWAYS) -> Fault:
    """`resolve` gives a descriptor whose size is off by `by`."""
    return Fault(on="resolve", error=None, subject=subject, skip=0, times=times, size_by=by)


def lies_about_digest(digest: Digest, *, subject: str | None = None, times: int = ALWAYS) -> Fault:
    """`resolve` gives a descriptor with another digest."""
    return Fault(on="resolve", error=None, subject=subject, skip=0, times=times, digest=digest)


def refuses_mount(*, subject: str | None = None, times: int = ALWAYS) -> Fault:
    """`mount` returns False."""
    return Fault(on="mount", error=None, subject=subject, skip=0, times=times, refuse=True)


def forgets(*, subject: str | None = None, times: int = ALWAYS) -> Fault:
    """`exists` returns False, whatever is there."""
    return Fault(on="exists", error=None, subject=subject, skip=0, times=times, refuse=True)


def read_only() -> list[Fault]:
    """Every write is refused."""
    return [fails(on, lambda: ReadOnly("the store takes no writes"), times=ALWAYS) for on in WRITES]


def out_of_space(after: int = 0, *, subject: str | None = None, times: int = ALWAYS) -> Fault:
    """`write` takes `after` bytes of each blob and then raises `DiskFull`."""
    return Fault(
        on="write",
        error=lambda: DiskFull("no space left on the disk"),
        subject=subject,
        skip=0,
        times=times,
        after=after,
    )


def waits(on: Operation, gate: threading.Event, *, subject: str | None = None, skip: int = 0, times: int = 1) -> Fault:
    """`on` waits until `gate` is set; `open` waits before the first byte. So a test can stop work at one point."""
    return Fault(on=on, error=None, subject=subject, skip=skip, times=times, gate=gate)


class FaultyStore:
    """A target around another target. `calls` counts operations; `subjects` lists each operation with its subject."""

    def __init__(self, store: Target, script: Iterable[Fault] = ()) -> None:
        self.store = store
        self.locator = store.locator
        self.blobs_per_repository = store.blobs_per_repository
        self.request_costs: RequestCosts | None = store.request_costs
        self.subjects: list[tuple[Operation, str]] = []
        self._lock = threading.Lock()
        self.script(script)

    def script(self, script: Iterable[Fault]) -> None:
        """What goes wrong from now on, in place of what was scripted before."""
        self._script = [_Pending(fault) for fault in script]

    @property
    def calls(self) -> Counter[str]:
        """How often each operation was called."""
        return Counter(on for on, _ in self.subjects)

    @property
    def mounts(self) -> Mounts | None:
        """This wrapper, if the wrapped store can mount."""
        return self if self.store.mounts else None

    @property
    def refers(self) -> Refers | None:
        """This wrapper, if the wrapped store knows referrers."""
        return self if self.store.refers else None

    @property
    def sparse(self) -> Sparse | None:
        """What the wrapped store remembers of sparse indexes."""
        return getattr(self.store, "sparse", None)

    @property
    def lists(self) -> Lists | None:
        """What the wrapped store lists without a tag."""
        return getattr(self.store, "lists", None)

    def struck(self, on: Operation, subject: str) -> Fault | None:
        """Count a call and return the fault that it gets. A fault with a gate waits for it here."""
        with self._lock:
            self.subjects.append((on, subject))
            fault = self._next(on, subject)
        if fault and fault.gate:
            fault.gate.wait()
        return fault

    def _next(self, on: Operation, subject: str) -> Fault | None:
        for pending in self._script:
            if pending.strikes(on, subject):
                return pending.fault
        return None

    def _ask(self, on: Operation, subject: str) -> Fault | None:
        fault = self.struck(on, subject)
        if fault and fault.error:
            raise fault.error()
        return fault

    def resolve(self, name: Name) -> Descriptor:
        """See `Resolves`."""
        fault = self._ask("resolve", str(name))
        descriptor = self.store.resolve(name)
        if fault is None:
            return descriptor
        return evolve(descriptor, size=descriptor.size + fault.size_by, digest=fault.digest or descriptor.digest)

    def fetch(self, name: Name) -> Manifest:
        """See `Resolves`."""
        self._ask("fetch", str(name))
        return self.store.fetch(name)

    def tags(self, repository: str) -> Iterator[str]:
        """See `Resolves`."""
        self._ask("tags", repository)
        return self.store.tags(repository)

    def repositories(self) -> Iterator[str]:
        """See `Resolves`."""
        self._ask("repositories", "")
        return self.store.repositories()

    def exists(self, repository: str, descriptor: Descriptor) -> bool:
        """See `Reads`."""
        fault = self._ask("exists", descriptor.digest)
        return not (fault and fault.refuse) and self.store.exists(repository, descriptor)

    @contextmanager
    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[Chunk]]:
        """See `Reads`."""
        fault = self.struck("open", descriptor.digest)
        with self.store.open(repository, descriptor, offset, length) as chunks:
            yield _spoilt(chunks, fault, offset) if fault else chunks

    @contextmanager
    def begin(self, repository: str, descriptor: Descriptor) -> Iterator[Ingest]:
        """See `Ingests`."""
        self._ask("begin", descriptor.digest)
        with self.store.begin(repository, descriptor) as ingest:
            yield FaultyIngest(self, ingest, descriptor.digest)

    def put_manifest(self, name: Name, manifest: Manifest, *, part: bool = False, sparse: bool = False) -> None:
        """See `Names`."""
        self._ask("put_manifest", str(name))
        self.store.put_manifest(name, manifest, part=part, sparse=sparse)

    def mount(self, descriptor: Descriptor, origin: str, repository: str) -> bool:
        """See `Mounts`."""
        fault = self._ask("mount", descriptor.digest)
        mounts = self.store.mounts
        return mounts is not None and not (fault and fault.refuse) and mounts.mount(descriptor, origin, repository)

    def referrers(self, repository: str, digest: Digest) -> tuple[Descriptor, ...]:
        """See `Refers`."""
        self._ask("referrers", digest)
        return self.store.refers.referrers(repository, digest) if self.store.refers else ()


class FaultyIngest:
    """An ingest of a `FaultyStore`."""

    def __init__(self, store: FaultyStore, ingest: Ingest, digest: Digest) -> None:
        self._store = store
        self._ingest = ingest
        self._digest = digest

    @property
    def offset(self) -> int:
        """See `Ingest`."""
        return self._ingest.offset

    def write(self, chunks: Iterable[Chunk]) -> None:
        """See `Ingest`. The bytes before the fault do arrive."""
        fault = self._store.struck("write", self._digest)
        self._ingest.write(_spoilt(chunks, fault, self.offset) if fault else chunks)

    def commit(self) -> None:
        """See `Ingest`."""
        fault = self._store.struck("commit", self._digest)
        if fault and fault.error:
            raise fault.error()
        self._ingest.commit()

    def abandon(self) -> None:
        """See `Ingest`."""
        self._ingest.abandon()


class _Pending:
    """A fault of the script, with the calls that are left to skip and to fail."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._skip = fault.skip
        self._times = fault.times

    def strikes(self, on: Operation, subject: str) -> bool:
        if self.fault.on != on or self.fault.subject not in {None, subject} or not self._times:
            return False
        if self._skip:
            self._skip -= 1
            return False
        self._times -= 1
        return True


def _spoilt(chunks: Iterable[Chunk], fault: Fault, offset: int) -> Iterator[Chunk]:
    """The chunks, changed by `fault`. `offset` is their position in the blob."""
    passed = 0
    for chunk in chunks:
        if (fault.error or fault.ends) and passed + len(chunk) > fault.after:
            if fault.after > passed:
                yield chunk[: fault.after - passed]
            break
        yield _flipped(chunk, fault.corrupt_at, offset + passed)
        passed += len(chunk)
    if fault.error:
        raise fault.error()


def _flipped(chunk: Chunk, at: int | None, start: int) -> Chunk:
    if at is None or not start <= at < start + len(chunk):
        return chunk
    wrong = bytearray(chunk)
    wrong[at - start] ^= 0xFF
    return wrong
