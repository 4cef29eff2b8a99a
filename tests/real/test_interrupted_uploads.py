"""A mirror that is killed half-way, in the middle of blobs: what the next run reads again, and sends again."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.servers import Registry
from tests.real.vendor import Shell
from tests.unit.registry.distribution3 import Distribution3
from transload.layout import LayoutStore
from transload.net.messages import CHUNK
from transload.server import ServeSettings, serve
from transload.testing.images import Built, image
from transload.transfer.engine import ATTEMPTS

MIB = 1 << 20
UNNOTED = 2 * MIB  # of each blob of a bundle: NOTE_BYTES, which other tests change in this process
ONE = image("one", [48 * MIB])
MANY = image("many", [6 * MIB] * 8)
MADE: dict[str, bytes] = {}  # blobs by digest, which are made again at each reading
KILL, CTRL_C, TERM = signal.SIGKILL, signal.SIGINT, signal.SIGTERM
every_signal = pytest.mark.parametrize("number", [KILL, CTRL_C, TERM], ids=["kill", "ctrl-c", "term"])
kill_and_stop = pytest.mark.parametrize("number", [KILL, TERM], ids=["kill", "term"])


def size(built: Built) -> int:
    return sum(blob.size for blob in built.manifest.blobs)


def on_the_way(built: Built) -> int:
    """What the process has read and not yet handed on, at most one chunk for each blob, and what it never got."""
    return (CHUNK + 256 * 1024) * len(built.manifest.layers)


@contextlib.contextmanager
def publishing(built: Built) -> Iterator[Distribution3]:
    with Distribution3() as source:
        for content in built.walk_contents():
            digest = content.descriptor.digest
            if digest not in MADE:
                MADE[digest] = content.read()
            source.blobs["app", digest] = MADE[digest]
        for reference in ("1", built.digest):
            source.manifests["app", reference] = (built.manifest.media_type, built.manifest.raw)
        yield source


def wait_until_read(source: Distribution3) -> None:
    """Wait until the kernel holds no byte that the source has sent (proc_net_tcp: the second of the two queues)."""
    port = f":{int(source.host.rpartition(':')[2]):04X}"
    while True:
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        if all(int(line[4].partition(":")[2], 16) == 0 for line in lines if line[2].endswith(port)):
            return
        time.sleep(0.02)


def interrupt(shell: Shell, slow: Distribution3, number: int, *words: object) -> str:
    """Run a command until half of all bytes have passed the slow side, and give its process the signal there.

    Returns what it printed.
    """
    process = shell.start(*words)
    assert slow.held.wait(240)
    wait_until_read(slow)
    process.send_signal(number)
    out, err = process.communicate(timeout=240)
    slow.settle()
    assert process.returncode == (-9 if number == signal.SIGKILL else 130)
    assert number == signal.SIGKILL or "half-way" in out + err
    return out + err


@every_signal
@pytest.mark.parametrize("built", [ONE, MANY], ids=["one-blob", "many-blobs"])
def test_behind_a_slow_source_no_byte_is_read_or_sent_twice(shell: Shell, built: Built, number: int) -> None:
    """An empty session may be left, if it was opened as the run ended and its address came too late."""
    total = size(built)
    with publishing(built) as source, Distribution3() as target:
        source.hold_at = total // 2
        # On a busy machine a blob comes slowly, and is read on more connections; what those lose is for another test.
        jobs = ("--jobs", "1") if built is ONE else ()
        words = ("mirror", f"{source.host}/app:1", "--to", target.host, *jobs)
        interrupt(shell, source, number, *words)
        target.settle()
        again = shell(*words)
        assert again.code == 0, again.told
        print(f"\nread {source.sent / total:.4f} sent {target.received / total:.4f}")
        assert source.sent <= total * 1.01 + on_the_way(built)
        assert target.received <= total * 1.001
        assert not any(session.content for session in target.sessions.values())
        assert not list((shell.home / "state" / "journal").iterdir())


@every_signal
def test_before_a_slow_target_no_byte_is_sent_twice(shell: Shell, number: int) -> None:
    """What a connection holds unread when its process ends is read again: the kernel keeps up to 6 MiB for each.

    This target stops at once, from full speed. Before one that is slow from the beginning, the kernel keeps little:
    tests/unit/net/test_window.py.
    """
    total = size(MANY)
    with publishing(MANY) as source, Distribution3(hold_at=total // 2) as target:
        words = ("mirror", f"{source.host}/app:1", "--to", target.host)
        interrupt(shell, target, number, *words)
        assert total // 2 <= target.received
        again = shell(*words)
        assert again.code == 0, again.told
        print(f"\nread {source.sent / total:.4f} sent {target.received / total:.4f}")
        assert target.received <= total * 1.001


@kill_and_stop
@pytest.mark.parametrize("kind", ["serve", "folder", "bundle"])
def test_no_byte_is_read_twice_for_our_own_stores(shell: Shell, tmp_path: Path, number: int, kind: str) -> None:
    total = size(MANY)
    with publishing(MANY) as source, contextlib.ExitStack() as stack:
        source.hold_at = total // 2
        image = f"{source.host}/app:1"
        if kind == "serve":
            served = stack.enter_context(
                serve(LayoutStore(tmp_path / "served", create=True), ServeSettings(writable=True))
            )
            words = ["mirror", image, "--to", served.host_port]
        elif kind == "folder":
            words = ["mirror", image, "--to", f"oci:{tmp_path / 'folder'}"]
        else:
            words = ["pack", image, "--out", str(tmp_path / "bundle.tar")]
        interrupt(shell, source, number, *words)
        again = shell(*words)
        assert again.code == 0, again.told
        print(f"\n{kind} read {source.sent / total:.4f}")
        unnoted = UNNOTED * len(MANY.manifest.layers) if kind == "bundle" else 0
        assert source.sent <= total * 1.01 + on_the_way(MANY) + unnoted


@kill_and_stop
def test_what_docker_registry_loses_is_the_half_blobs(shell: Shell, registry: Registry, number: int) -> None:
    total = size(MANY)
    with publishing(MANY) as source:
        source.hold_at = total // 2
        words = ("mirror", f"{source.host}/app:1", "--to", f"{registry.host}/interrupted-{number}")
        interrupt(shell, source, number, *words)
        half = source.sent
        again = shell(*words)
        assert again.code == 0, again.told
        print(f"\ndocker-registry read {source.sent / total:.4f}, of which half blobs {half / total:.4f}")
        assert source.sent <= total * 1.01 + half + on_the_way(MANY)


def test_a_line_that_breaks_again_and_again_carries_a_blob_to_a_registry_that_resumes(shell: Shell) -> None:
    """More breaks than attempts: each break comes after new bytes, so that the attempts are counted anew."""
    total = size(ONE)
    with publishing(ONE) as source, Distribution3(cut_every=6 * MIB) as target:
        ran = shell("mirror", f"{source.host}/app:1", "--to", target.host)
        assert ran.code == 0, ran.told
        assert target.methods["PATCH"] > ATTEMPTS + 1
        assert target.received == total


@pytest.mark.parametrize("number", [CTRL_C, TERM], ids=["ctrl-c", "term"])
def test_an_orderly_end_loses_nothing_at_docker_registry_either_once_it_is_known(
    shell: Shell, registry: Registry, number: int
) -> None:
    """It drops an upload whose request breaks off, but goes on after one that ended as it should."""
    total = size(MANY)
    with publishing(MANY) as source:
        assert shell("check", registry.host).code == 0  # learns that it does not go on after a break
        source.hold_at = total // 2
        words = ("mirror", f"{source.host}/app:1", "--to", f"{registry.host}/orderly-{number}")
        told = interrupt(shell, source, number, *words)
        assert f"{registry.host} keeps " in told
        again = shell(*words)
        assert again.code == 0, again.told
        print(f"\norderly read {source.sent / total:.4f}")
        assert source.sent <= total * 1.01 + on_the_way(MANY)
