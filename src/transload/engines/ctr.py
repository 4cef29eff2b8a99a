"""containerd as an engine that takes images, by its own program `ctr`: its API would need gRPC."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import select
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

from transload.engines.address import EngineAddress
from transload.engines.api import STALL_S, problem_of
from transload.engines.archive import EngineImage
from transload.engines.engine import Check
from transload.engines.socket import connected
from transload.errors import PartMissing, ProtocolTrouble, ServerTrouble, Stalled, TransloadError, UsageError
from transload.limits import ENGINE_ANSWER_BYTES, PROBLEM_BYTES
from transload.oci import Digest, Manifest, Platform, Reference
from transload.ports import Chunk
from transload.programs import PipeReader, run_program

K8S = "k8s.io"
"""The namespace in which containerd keeps the images of pods."""

_NAMESPACE = re.compile(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*")  # containerd's identifiers package
_NAMESPACE_LENGTH = 76
_ASKING_S = 60.0
_TICK_S = 0.5
_CHECK = "check the address of the socket"
_WRITTEN_AT_ONCE = 64 << 10


class CtrEngine:
    """containerd at a socket, spoken to by `ctr`. With `whole`, images of all platforms are imported.

    `program_path` and `variables` are the PATH and the environment for `ctr`.
    """

    keeps_indexes = True

    def __init__(
        self,
        address: EngineAddress,
        check: Check = lambda: None,
        stall_s: float = STALL_S,
        *,
        namespace: str = K8S,
        whole: bool = False,
        program_path: str | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        if len(namespace) > _NAMESPACE_LENGTH or not _NAMESPACE.fullmatch(namespace):
            raise UsageError(
                f"{namespace[:80]!r} is not a namespace of containerd",
                hint="pods have their images in k8s.io, nerdctl and ctr in default",
            )
        self.address = address
        self._check = check
        self._stall_s = stall_s
        self._whole = whole
        self._variables = variables
        program = shutil.which("ctr", path=program_path)
        if program is None:
            raise PartMissing(
                "images are loaded into containerd by its program ctr, and there is none on the PATH",
                hint="install containerd's programs; k3s has it as k3s ctr: make a link called ctr to k3s",
            )
        self._ctr = [program, "--address", str(address.path), "--namespace", namespace]
        connected(address).close()  # ctr would try for ten seconds
        self.title = f"containerd {self._server_version()}"
        self.platform = Platform.parse(f"linux/{platform.machine().lower()}")
        self._names: dict[str, str] | None = None

    def identity(self, name: Reference) -> str | None:
        """See `Engine`."""
        if self._names is None:
            self._names = _images(self._asked("images", "ls"))
        return self._names.get(str(name))

    def held(self, image: EngineImage, loaded: Iterable[Manifest]) -> frozenset[Digest]:  # noqa: ARG002 - it says so
        """See `Engine`."""
        there = set(self._asked("content", "ls", "-q").split())
        return frozenset(digest for digest in image.digests if digest in there)

    def why_not(self, image: EngineImage) -> TransloadError | None:  # noqa: ARG002 - it takes all
        """See `Engine`."""
        return None

    def load(self, image: EngineImage, archive: Iterable[Chunk]) -> None:
        """See `Engine`. Layers are not unpacked: whoever starts a pod does that, with the right snapshotter."""
        self._names = None
        which = ["--all-platforms"] if self._whole or image.images[0] is image.root else []
        command = [*self._ctr, "images", "import", "--no-unpack", *(which or self._platform_of(image)), "-"]
        with self._started(command, f"loading {image.name}") as running:
            running.feed(archive)

    def _platform_of(self, image: EngineImage) -> list[str]:
        stated = {child.digest: child.platform for manifest in image.manifests for child in manifest.manifests}
        chosen = stated.get(image.images[0].digest)
        return ["--platform", str(chosen)] if chosen else []

    def _server_version(self) -> str:
        no_engine = f"what answers at {self.address} is no containerd"
        try:
            said = self._asked("version").partition("Server:")[2]
        except ServerTrouble as error:
            raise ProtocolTrouble(
                f"{no_engine}, or one that hangs: {error}", subject=str(self.address), hint=_CHECK
            ) from error
        found = re.search(r"Version:\s*v?([0-9A-Za-z.~+-]{1,40})", said)
        if found is None:
            raise ProtocolTrouble(no_engine, subject=str(self.address), hint=_CHECK)
        return found[1]

    def _asked(self, *words: str) -> str:
        doing = f"asking containerd ({' '.join(words)})"
        try:
            done = run_program(
                [*self._ctr, *words], variables=self._variables, timeout_s=_ASKING_S, limit=ENGINE_ANSWER_BYTES
            )
        except subprocess.TimeoutExpired as error:
            raise _silent(self.address, _ASKING_S) from error
        except OSError as error:
            raise PartMissing(f"ctr cannot be started: {error.strerror}", subject=self._ctr[0]) from error
        if done.returncode:
            raise problem_of(self.address, 0, _complaint(done.stderr), doing)
        return done.stdout[:ENGINE_ANSWER_BYTES].decode("utf-8", "replace")

    @contextlib.contextmanager
    def _started(self, command: list[str], doing: str) -> Any:
        running = _Running(command, self, doing)
        try:
            yield running
        finally:
            running.end()


class _Running:
    """A `ctr` that reads its standard input from us. Ended at once if the block that owns it is left early."""

    def __init__(self, command: list[str], engine: CtrEngine, doing: str) -> None:
        self._engine = engine
        self._doing = doing
        self._process = subprocess.Popen(  # noqa: S603 - no shell; the program is the user's own ctr
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=engine._variables,
            start_new_session=True,  # Ctrl-C in a terminal is for us, who end it cleanly
        )
        self._said = [
            PipeReader(self._process, pipe, PROBLEM_BYTES) for pipe in (self._process.stdout, self._process.stderr)
        ]

    def feed(self, archive: Iterable[Chunk]) -> None:
        """Write everything, then wait for the end. Raises what `archive` raises, and what containerd complains of."""
        pipe = self._process.stdin
        assert pipe is not None  # noqa: S101 - it is piped
        os.set_blocking(pipe.fileno(), False)
        with contextlib.suppress(BrokenPipeError):  # it has ended, and says why
            for chunk in archive:
                self._write(pipe.fileno(), memoryview(chunk))
            pipe.close()
        self._wait()
        if self._process.returncode:
            complaint = b" ".join(reader.content for reader in reversed(self._said))
            raise problem_of(self._engine.address, 0, _complaint(complaint), self._doing)

    def _write(self, number: int, left: memoryview) -> None:
        poll = select.poll()
        poll.register(number, select.POLLOUT)
        waited_s = 0.0
        while left:
            if poll.poll(_TICK_S * 1000):
                with contextlib.suppress(BlockingIOError):
                    left = left[os.write(number, left[:_WRITTEN_AT_ONCE]) :]
                    waited_s = 0.0
            else:
                waited_s = self._still_waiting(waited_s)

    def _wait(self) -> None:
        waited_s = 0.0
        while True:
            try:
                self._process.wait(_TICK_S)
            except subprocess.TimeoutExpired:
                waited_s = self._still_waiting(waited_s)
            else:
                for reader in self._said:
                    reader.join(_TICK_S)
                return

    def _still_waiting(self, waited_s: float) -> float:
        """How long it has been waited for now. Raises `Interrupted`, and `Stalled` if containerd is silent."""
        self._engine._check()
        waited_s += _TICK_S
        if waited_s < self._engine._stall_s:
            return waited_s
        self._engine._asked("version")
        return 0.0

    def end(self) -> None:
        """End the program, whatever it does; it holds no names until it has read everything."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()


def _images(listed: str) -> dict[str, str]:
    """Name and digest of each image, from the table of `ctr images ls`."""
    rows = (line.split(None, 3) for line in listed.splitlines()[1:])
    return {row[0]: row[2] for row in rows if len(row) > 3}  # name, type, digest, the rest


def _complaint(said: bytes) -> str:
    text = said.decode("utf-8", "replace").strip()
    return text.removeprefix("ctr: ") or "it gives no reason"


def _silent(address: EngineAddress, waited_s: float) -> Stalled:
    return Stalled(
        f"containerd at {address} does not answer any more: nothing came for {waited_s:.0f} s",
        subject=str(address),
        hint="look at its log: journalctl -u containerd; then start it again",
    )
