"""The programs that bring a release onto a disk, and from it into a registry: how each is told to do it."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.contenders import TRANSLOAD, Command, Errand, forgetful, surroundings
from benchmarks.content import PREFIX, TARGET_PREFIX, Goods, write_references, write_sync

PARALLEL = 8  # as many blobs at a time as transload moves by default
BUNDLE, TAR = "bundle", "../carried.tar"


def pack(errand: Errand) -> Command:
    """`transload pack` into one file."""
    return _pack(errand)


def cut(errand: Errand) -> Command:
    """`transload pack` into volumes: some four for a release of the default size."""
    return _pack(errand, "--volume-size", f"{volume_mib(errand.goods)}MiB")


def against(errand: Errand) -> Command:
    """`transload pack` of what an inventory of the far side, in the home, does not list."""
    return _pack(errand, "--against", errand.home / "far-side.json")


def inventory(errand: Errand) -> Command:
    """`transload inventory` of what the far side holds; that is the errand's target."""
    words = (TRANSLOAD, "inventory", "--quiet", f"{errand.target}/{TARGET_PREFIX}", "-o", errand.home / "far-side.json")
    return Command(words, surroundings(errand.home))


def push(errand: Errand) -> Command:
    """`transload push` of the bundle in the home into the errand's target."""
    words = (TRANSLOAD, "push", "--quiet", errand.home / BUNDLE, "--to", f"{errand.target}/{TARGET_PREFIX}")
    return Command(words, surroundings(errand.home))


def curl(errand: Errand) -> Command:
    """The floor of packing: each blob into a file of its own, with neither hashes nor manifests nor a flush."""
    config = errand.home / "curl.config"
    lines = (
        f'url = "http://{errand.source}/v2/{PREFIX}/{repository}/blobs/{digest}"\noutput = "{digest}"\n'
        for digest, repository in _places(errand).items()
    )
    config.write_text("".join(lines))
    words = ("curl", "--silent", "--show-error", "--fail", "--parallel", "--parallel-immediate", "--parallel-max")
    return Command((*words, PARALLEL, "--output-dir", errand.target, "-K", config), surroundings(errand.home))


def flushed_curl(errand: Errand) -> Command:
    """The same, and then on the medium, as every bundle is when `pack` says so."""
    fetching = curl(errand)
    return Command(_then('sync -f "$target"', errand, fetching.words), fetching.environment)


def skopeo_tar(errand: Errand) -> Command:
    """`skopeo sync` into a folder, then `tar`: what is carried by hand where there is nothing better."""
    listed = write_sync(errand.goods, errand.source, errand.home / "images.yaml", verify_tls=False)
    syncing = ("skopeo", "--insecure-policy", "sync", "--all", "--src", "yaml", "--dest", "dir", listed, errand.target)
    return Command(_then(f'tar cf "$target/{TAR}" -C "$target" .', errand, syncing), forgetful(errand.home))


def volume_mib(goods: Goods) -> int:
    """100 for a release of 390 MiB, and as a share of it otherwise."""
    return max(1, round(goods.size * 100 / 390 / (1 << 20)))


def _pack(errand: Errand, *more: object) -> Command:
    listed = write_references(errand.goods, errand.source, errand.home / "images.txt")
    words = (TRANSLOAD, "pack", "--quiet", listed, "-o", f"{errand.target}/{BUNDLE}", *more)
    return Command(words, surroundings(errand.home))


def _places(errand: Errand) -> dict[str, str]:
    return {digest: repository for digest, (_, repository) in errand.goods.places().items()}


def _then(script: str, errand: Errand, words: Sequence[object]) -> tuple[object, ...]:
    """A shell that runs `words`, and if they succeed, `script`."""
    return ("sh", "-c", f'target=$1; shift; "$@" && {script}', "sh", errand.target, *words)
