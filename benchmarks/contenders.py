"""What a contender is; transload itself; and the floor, which moves bytes and does nothing else."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import field, frozen

from benchmarks.content import PREFIX, TARGET_PREFIX, Goods, write_references

TRANSLOAD = Path(sys.executable).with_name("transload")


@frozen
class Errand:
    """What is copied from which registry to where. `home` is for what a tool remembers; `authority` trusts TLS.

    `source` is written `host:port`, and so is `target`, unless it is a folder.
    """

    goods: Goods
    source: str
    target: str
    home: Path
    authority: Path | None = field(default=None, kw_only=True)


@frozen
class Command:
    """A command line and its whole environment."""

    words: tuple[object, ...]
    environment: Mapping[str, str]


Tool = Callable[[Errand], Command]


def transload(errand: Errand) -> Command:
    """`transload mirror` with a list of references."""
    return mirror(errand)


def mirror(errand: Errand, *more: object) -> Command:
    """The same with more options."""
    listed = write_references(errand.goods, errand.source, errand.home / "images.txt")
    trust = ("--ca-file", errand.authority) if errand.authority else ()
    words = (TRANSLOAD, "mirror", "--quiet", listed, "--to", f"{errand.target}/{TARGET_PREFIX}", *trust, *more)
    return Command(words, surroundings(errand.home))


def bare_bytes(errand: Errand, connections: int = 8) -> Command:
    """The floor: every blob's bytes once from socket to socket, without hashes, manifests or mounts."""
    listed = errand.home / "blobs.txt"
    places = errand.goods.places().items()
    listed.write_text("".join(f"{size} {digest} {PREFIX}/{repository}\n" for digest, (size, repository) in places))
    script = Path(__file__).with_name("bare_bytes.py")
    return Command(
        (sys.executable, script, listed, errand.source, errand.target, connections), surroundings(errand.home)
    )


def installed(program: str) -> bool:
    """Whether a program can be run here."""
    return shutil.which(program) is not None


def surroundings(home: Path) -> dict[str, str]:
    """The environment of every program: all that it keeps, for a while or longer, is in `home`."""
    own = {"HOME": home, "TMPDIR": home, "TRANSLOAD_STATE_DIR": home / "state"}
    return {name: str(value) for name, value in own.items()} | {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
    }


def forgetful(home: Path) -> dict[str, str]:
    """The environment of skopeo: as root it keeps what it knows of blobs under /var/lib, as others in its home."""
    return {**surroundings(home), "_CONTAINERS_ROOTLESS_UID": "1000", "XDG_DATA_HOME": str(home)}
