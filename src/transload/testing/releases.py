"""A vendor's release from a seed: some twenty images that share layers, and a next release where only some change.

It is like the releases of vendors of databases and control planes: two base systems and two runtimes under all images,
one image far larger than the rest, and mostly new top layers in the next release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from transload.oci import Name
from transload.ports import Target
from transload.testing.images import AMD64, Built, Family, fill, image
from transload.testing.layers import Content, Layer, layer
from transload.values import frozen

_NAMES = (
    *("controller", "controller-db", "database", "database-agent", "gateway", "identity", "ingest", "log-agent"),
    *("log-store", "metrics", "metrics-agent", "monitor", "operator", "proxy", "scheduler", "search", "security"),
    *("ui", "watchdog", "webhook"),
)
_BASES, _RUNTIMES = 2, 2
_BASE_SHARE, _RUNTIME_SHARE, _DEPENDENCY_SHARE = 0.12, 0.10, 0.7


@frozen
class SeededRelease:
    """Images by their names, all with one tag."""

    tag: str
    images: Mapping[str, Built]

    @property
    def size(self) -> int:
        """Bytes of all blobs, each counted once."""
        return sum(content.descriptor.size for content in self.contents())

    def contents(self) -> Iterator[Content]:
        """Every blob once; its bytes are made only when they are read."""
        seen = set()
        for built in self.images.values():
            for content in built.walk_contents():
                if content.descriptor.digest not in seen:
                    seen.add(content.descriptor.digest)
                    yield content


def release(
    seed: object = "release", images: int = 20, size: int = 64 << 20, version: int = 1, family: Family = "oci"
) -> SeededRelease:
    """A release of about `size` bytes in all. With the same seed, each `version` changes a part of the images.

    A quarter of the images stays byte for byte the same in every version. The others get a new program layer, and every
    fifth of them also new dependencies. Bases and runtimes never change.
    """
    bases = [layer(f"{seed}/base{number}", int(size * _BASE_SHARE)) for number in range(_BASES)]
    runtimes = [layer(f"{seed}/runtime{number}", int(size * _RUNTIME_SHARE)) for number in range(_RUNTIMES)]
    own = size * (1 - _BASES * _BASE_SHARE - _RUNTIMES * _RUNTIME_SHARE)
    weights = [1 / (number + 1) for number in range(images)]  # a few large images and many small ones
    built: dict[str, Built] = {}
    for number, weight in enumerate(weights):
        shared = [bases[number % _BASES], runtimes[number // _BASES % _RUNTIMES]]
        name = _name(number)
        built[name] = _image(f"{seed}/{name}", number, int(own * weight / sum(weights)), version, shared, family)
    return SeededRelease(f"v1.{version}.0", built)


def fill_release(store: Target, made: SeededRelease, prefix: str = "") -> list[Name]:
    """Write a whole release into `store`, with its repositories under `prefix`. One layer is in memory at a time."""
    path = f"{prefix.strip('/')}/" if prefix else ""
    return [fill(store, built, f"{path}{name}", made.tag) for name, built in made.images.items()]


def _name(number: int) -> str:
    repeat, which = divmod(number, len(_NAMES))
    return _NAMES[which] + (f"-{repeat + 1}" if repeat else "")


def _image(seed: str, number: int, size: int, version: int, shared: list[Layer], family: Family) -> Built:
    program = 1 if number % 4 == 3 else version
    dependencies = program if number % 5 == 0 else 1
    dependency_size = int(size * _DEPENDENCY_SHARE)
    layers = [
        *shared,
        layer(f"{seed}/dependencies{dependencies}", dependency_size),
        layer(f"{seed}/program{program}", size - dependency_size),
    ]
    return image(f"{seed}/v{program}", layers, AMD64, family)
