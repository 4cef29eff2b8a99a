"""The other tools of the field: which are here, and how each is told to copy the same images between two registries.

An adapter is a few lines. Each copies all platforms of the images of an errand to the same names at the target; what
came of it is checked afterwards like our own work. Tools that copy one image at a time run four at a time.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator

from attrs import frozen

from benchmarks.contenders import Command, Errand, Tool, forgetful, surroundings
from benchmarks.content import PREFIX, TARGET_PREFIX, at_target, write_sync
from benchmarks.wording import printable

AT_A_TIME = 4
VERSION_S = 20.0


@frozen(kw_only=True)
class Peer:
    """A tool by the name of its program. `asked` are the words to which it says its version, if it can be used."""

    name: str
    tool: Tool
    asked: tuple[str, ...]

    def version(self) -> str | None:
        """What it says about itself; None where it is absent, or says nothing of use."""
        program = shutil.which(self.name)
        if program is None:
            return None
        try:
            done = subprocess.run(
                [program, *self.asked], capture_output=True, text=True, errors="replace", check=False, timeout=VERSION_S
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        said = [line.strip() for line in done.stdout.splitlines() if any(letter.isdigit() for letter in line)]
        return shortened(said[0]) if done.returncode == 0 and said else None


def shortened(said: str) -> str:
    """The version in a line such as `skopeo version 1.9.3` or `GitVersion: v1.2.0`."""
    words = [word.strip(",") for word in said.split() if any(letter.isdigit() for letter in word)]
    return printable(words[0].removeprefix("v") if words else said)[:40]


def skopeo(errand: Errand) -> Command:
    """`skopeo sync` with a source file of the same images."""
    secure = errand.authority is not None
    listed = write_sync(errand.goods, errand.source, errand.home / "images.yaml", verify_tls=secure)
    words: tuple[str, ...] = ("skopeo", "--insecure-policy", "sync", "--all", "--src", "yaml", "--dest", "docker")
    words += (f"--dest-tls-verify={str(secure).lower()}", str(listed), f"{errand.target}/{TARGET_PREFIX}")
    return Command(words, {**_go(errand), **forgetful(errand.home)})


def crane(errand: Errand) -> Command:
    """`crane copy` of one image after the other, four at a time."""
    plain = () if errand.authority else ("--insecure",)
    return _each(errand, ("crane", "copy", *plain))


def oras(errand: Errand) -> Command:
    """`oras copy` of one image after the other, four at a time."""
    if errand.authority:
        how: tuple[str, ...] = ("--from-ca-file", str(errand.authority), "--to-ca-file", str(errand.authority))
    else:
        how = ("--from-plain-http", "--to-plain-http")
    return _each(errand, ("oras", "copy", *how))


def docker(errand: Errand) -> Command:
    """`docker buildx imagetools create`, which copies between registries; `docker pull` takes one platform only."""
    return _each(errand, ("docker", "buildx", "imagetools", "create", "--tag"), target_first=True)


def regsync(errand: Errand) -> Command:
    """`regsync once` with a file that lists the images, four at a time."""
    if errand.authority:
        how: dict[str, object] = {"tls": "enabled", "regcert": errand.authority.read_text()}
    else:
        how = {"tls": "disabled"}
    document = {
        "version": 1,
        "creds": [{"registry": host, **how} for host in (errand.source, errand.target)],
        "defaults": {"parallel": AT_A_TIME},
        "sync": [{"source": one, "target": other, "type": "image"} for one, other in pairs(errand)],
    }
    listed = errand.home / "regsync.yaml"
    listed.write_text(json.dumps(document))  # JSON is YAML
    return Command(("regsync", "once", "--config", listed), _go(errand))


def hauler(errand: Errand) -> Command:
    """`hauler store sync` into a folder, then `hauler store copy` from it: it has no shorter way."""
    document = {
        "apiVersion": "content.hauler.cattle.io/v1",
        "kind": "Images",
        "metadata": {"name": "bench"},
        "spec": {"images": [{"name": one} for one, _ in pairs(errand)]},
    }
    listed, store = errand.home / "hauler.yaml", errand.home / "hauler"
    listed.write_text(json.dumps(document))
    plain = "" if errand.authority else " --plain-http"
    script = 'hauler store sync --store "$1" --filename "$2" && hauler store copy --store "$1" "registry://$3"' + plain
    words = ("sh", "-c", script, "sh", store, listed, f"{errand.target}/{TARGET_PREFIX}")
    return Command(words, _go(errand))


PEERS = (
    Peer(name="skopeo", tool=skopeo, asked=("--version",)),
    Peer(name="crane", tool=crane, asked=("version",)),
    Peer(name="regsync", tool=regsync, asked=("version",)),
    Peer(name="oras", tool=oras, asked=("version",)),
    Peer(name="hauler", tool=hauler, asked=("version",)),
    Peer(name="docker", tool=docker, asked=("buildx", "version")),
)


def present(wanted: Iterable[str] = ()) -> tuple[dict[str, str], list[str]]:
    """The versions of the peers that can be used, and the names of those that are absent. Nothing wanted means all."""
    names = set(wanted) or {peer.name for peer in PEERS}
    chosen = [peer for peer in PEERS if peer.name in names]
    versions = {peer.name: peer.version() for peer in chosen}
    here = {name: version for name, version in versions.items() if version is not None}
    return here, [name for name in versions if name not in here]


def why_absent(name: str) -> str:
    """Why a tool takes no part."""
    asked = next(" ".join((name, *peer.asked)) for peer in PEERS if peer.name == name)
    return f"on PATH, but `{asked}` names no version" if shutil.which(name) else "absent"


def named(name: str) -> Tool:
    """The adapter of a peer."""
    return next(peer.tool for peer in PEERS if peer.name == name)


def pairs(errand: Errand) -> Iterator[tuple[str, str]]:
    """Each image's reference at the source and at the target."""
    for name in errand.goods.names:
        yield f"{errand.source}/{PREFIX}/{name}", f"{errand.target}/{at_target(name)}"


def _each(errand: Errand, words: tuple[str, ...], *, target_first: bool = False) -> Command:
    """A command for each image with both references as its last words."""
    listed = errand.home / "pairs.txt"
    ordered = (pair[::-1] if target_first else pair for pair in pairs(errand))
    listed.write_text("".join(f"{one} {other}\n" for one, other in ordered))
    return Command(("xargs", "-a", listed, "-P", AT_A_TIME, "-n", 2, *words), _go(errand))


def _go(errand: Errand) -> dict[str, str]:
    """What programs in Go are told: where certificate authorities are."""
    trusted = {"SSL_CERT_FILE": str(errand.authority)} if errand.authority else {}
    return {**surroundings(errand.home), **trusted}
