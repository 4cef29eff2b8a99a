"""The programs that are compared: how each is told to copy the same images between the same two registries."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import field, frozen

from benchmarks.content import PREFIX, TARGET_PREFIX, Goods, write_references, write_sync

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
    listed = write_references(errand.goods, errand.source, errand.home / "images.txt")
    trust = ("--ca-file", errand.authority) if errand.authority else ()
    words = (TRANSLOAD, "mirror", "--quiet", listed, "--to", f"{errand.target}/{TARGET_PREFIX}", *trust)
    return Command(words, surroundings(errand.home))


def skopeo(errand: Errand) -> Command:
    """`skopeo sync` with a source file of the same images."""
    secure = errand.authority is not None
    listed = write_sync(errand.goods, errand.source, errand.home / "images.yaml", verify_tls=secure)
    words: tuple[str, ...] = ("skopeo", "--insecure-policy", "sync", "--all", "--src", "yaml", "--dest", "docker")
    words += (f"--dest-tls-verify={str(secure).lower()}", str(listed), f"{errand.target}/{TARGET_PREFIX}")
    more = {"SSL_CERT_FILE": str(errand.authority)} if errand.authority else {}
    return Command(words, {**forgetful(errand.home), **more})


def bare_bytes(errand: Errand) -> Command:
    """The floor: every blob's bytes once from socket to socket, without hashes, manifests or mounts."""
    blobs = errand.home / "blobs.txt"
    lines = {
        blob.digest: f"{blob.size} {blob.digest} {PREFIX}/{name.repository}\n"
        for name, manifest in errand.goods.manifests().items()
        for blob in manifest.blobs
    }
    blobs.write_text("".join(lines.values()))
    script = Path(__file__).with_name("bare_bytes.py")
    return Command((sys.executable, script, blobs, errand.source, errand.target), surroundings(errand.home))


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
