"""Round trips in sequence of a mirror, counted by wires that only cross together: no clock takes part."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from attrs import frozen

from benchmarks.roundtrips import RoundTrips, timeline
from tests.real.servers import Registry, StartRegistry
from tests.real.shelves import lay_release
from tests.real.token_server import WRITER
from transload.testing.releases import SeededRelease, release

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="who is busy is read from /proc")

PREFIX = "vendor"
PROBES = (
    2  # loopback only: a connection, and an offer of TLS to which a server of plain HTTP answers; none if it is told
)


@frozen
class Way:
    """Two registries with wires before them, and a place for what runs remember."""

    source: Registry
    target: Registry
    folder: Path

    def publish(self, made: SeededRelease) -> SeededRelease:
        """Put a release into the source."""
        lay_release(self.source, made, PREFIX)
        return made

    def rounds(self, made: SeededRelease) -> int:
        """Mirror a release; the number of round trips in sequence, without those of probing loopback hosts."""
        servers = {"source": self.source, "target": self.target}
        ports = {side: int(server.host.rpartition(":")[2]) for side, server in servers.items()}
        with RoundTrips(ports, [server.process.pid for server in servers.values()]) as wires:
            listed = self.folder / "images.txt"
            source, target = (f"127.0.0.1:{wires.ports[side]}" for side in servers)
            listed.write_text("".join(f"{source}/{PREFIX}/{name}:{made.tag}\n" for name in made.images))
            words = [sys.executable, "-m", "transload", "mirror", "--quiet", listed, "--to", f"{target}/site"]
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "PYTHONPATH": os.pathsep.join(sys.path),
            }
            if self.target.tokens:
                environment |= {
                    "TRANSLOAD_TARGET_USERNAME": WRITER.name,
                    "TRANSLOAD_TARGET_PASSWORD": WRITER.password,
                }
            code, said = wires.run(words, environment)
        print("\n".join(timeline(wires.sent)))
        assert code == 0, said
        return wires.rounds - PROBES


@pytest.fixture
def way(start_registry: StartRegistry, tmp_path: Path) -> Way:
    return Way(start_registry(), start_registry(), tmp_path)


def test_an_unchanged_release(way: Way) -> None:
    """1 both sides: connections; 2 the target says what its names stand for; 3 the source says the same.

    The source is asked last, since for a new image it is asked for the manifest instead, which would be a request more.
    """
    made = way.publish(release("unchanged", 20, 1 << 20))
    way.rounds(made)
    assert way.rounds(made) <= 3


def test_one_new_image(way: Way) -> None:
    """1 connections; 2 the target's name; 3 the manifest, and whether the repository is new; 4 who refers to it;
    5 the bytes are asked for; 6 the uploads begin, and 7 end; 8 the manifest.

    One more for the list of tags, in which signatures are looked for, since a single question asks first whether the
    source answers at all; two for connections to each side beyond the first, since five blobs move at a time.
    """
    made = way.publish(release("one", 1, 1 << 18))
    assert way.rounds(made) <= 8 + 3


def test_a_new_release(way: Way) -> None:
    """As one image; and of the blobs as many at a time as bodies may be read (14): their three round trips, as often as
    that; the mounts that wait for them; and the manifests.
    """
    made = way.publish(release("many", 8, 1 << 20))
    blobs = len(list(made.contents()))
    waves = -(-blobs // 10)
    assert way.rounds(made) <= 6 + 3 * waves + 2 + 1


def test_twenty_new_images(way: Way) -> None:
    """6 as for one image until the first body; 64 blobs, 14 of which may be read at a time: 5 times 3 round trips;
    and 3 for mounts and manifests. Fewer as a rule (17), since the first bodies move while others are planned.
    """
    made = way.publish(release("cold", 20, 1 << 20))
    assert len(list(made.contents())) == 64
    assert way.rounds(made) <= 6 + 5 * 3 + 3


@pytest.mark.parametrize(("images", "waves"), [(1, 1), (8, 2), (20, 3)])
def test_next_month(way: Way, images: int, waves: int) -> None:
    """As for new images, and the target is asked for each blob of a repository that is there: as many at a time as
    questions may be asked (32), from the round on in which the source says who refers to the images.
    """
    way.rounds(way.publish(release("month", images, images << 17)))
    made = way.publish(release("month", images, images << 17, 2))
    pairs = sum(len({content.descriptor.digest for content in built.walk_contents()}) for built in made.images.values())
    assert way.rounds(made) <= 6 + -(-pairs // 32) + 3 * waves + 2


def test_twenty_new_images_at_a_target_with_tokens(start_registry: StartRegistry, tmp_path: Path) -> None:
    """As without tokens: three round trips more, in which the target refuses the first question, and two tokens come.

    The way to the token server is no wire here, so only the refusal is counted.
    """
    way = Way(start_registry(), start_registry("token"), tmp_path)
    made = way.publish(release("cold", 20, 1 << 20))
    assert way.rounds(made) <= 6 + 5 * 3 + 3 + 1
