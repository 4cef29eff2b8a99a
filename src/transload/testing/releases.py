"""A vendor's release from a seed: some twenty images that share layers, and a next release where only some change.

The shape follows what vendors of database and control-plane images publish: two base systems and two runtimes under
everything, one image far larger than the rest, and between two releases mostly the topmost layers new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import frozen

from transload.oci import Name
from transload.ports import Target
from transload.testing.images import AMD64, Built, Family, fill, image
from transload.testing.layers import Content, Layer, layer

_NAMES = (
    *("controller", "controller-db", "database", "database-agent", "gateway", "identity", "ingest", "log-agent"),
    *("log-store", "metrics", "metrics-agent", "monitor", "operator", "proxy", "scheduler", "search", "security"),
    *("ui", "watchdog", "webhook"),
)
_BASES, _RUNTIMES = 2, 2
_BASE_SHARE, _RUNTIME_SHARE, _DEPENDENCY_SHARE = 0.12, 0.10, 0.7


@frozen
class SeededRelease:
    """Images under the names that the vendor gives them, all with one tag."""

    tag: str
    images: Mapping[str, Built]

    @property
    def size(self) -> int:
        """Bytes of all blobs, each counted once."""
        return sum(content.descriptor.size for content in self.contents())

    def contents(self) -> Iterator[Content]:
        """Every blob once, none of them made yet."""
        seen = set()
        for built in self.images.values():
            for content in built.walk_contents():
                if content.descriptor.digest not in seen:
                    seen.add(content.descriptor.digest)
                    yield content


def release(
    seed: object = "release", images: int = 20, size: int = 64 << 20, version: int = 1, family: Family = "oci"
) -> SeededRelease:
    """A release of about `size` bytes in all. With the same seed, each next `version` changes part of the images.

    Of the images, a quarter stays byte for byte the same in every version; the others get a new program layer, and
    of those every fifth new dependencies as well. Bases and runtimes never change.
    """
    bases = [layer(f"{seed}/base{place}", int(size * _BASE_SHARE)) for place in range(_BASES)]
    runtimes = [layer(f"{seed}/runtime{place}", int(size * _RUNTIME_SHARE)) for place in range(_RUNTIMES)]
    own = size * (1 - _BASES * _BASE_SHARE - _RUNTIMES * _RUNTIME_SHARE)
    weights = [1 / (place + 1) for place in range(images)]  # a few large images and many small ones
    built: dict[str, Built] = {}
    for place in range(images):
        shared = [bases[place % _BASES], runtimes[place // _BASES % _RUNTIMES]]
        name = _name(place)
        built[name] = _image(f"{seed}/{name}", place, int(own * weights[place] / sum(weights)), version, shared, family)
    return SeededRelease(f"v1.{version}.0", built)


def fill_release(store: Target, made: SeededRelease, prefix: str = "") -> list[Name]:
    """Write a whole release into `store`, its repositories under `prefix`; one layer at a time in memory."""
    path = f"{prefix.strip('/')}/" if prefix else ""
    return [fill(store, built, f"{path}{name}", made.tag) for name, built in made.images.items()]


def _name(place: int) -> str:
    repeat, which = divmod(place, len(_NAMES))
    return _NAMES[which] + (f"-{repeat + 1}" if repeat else "")


def _image(seed: str, place: int, size: int, version: int, shared: list[Layer], family: Family) -> Built:
    program = 1 if place % 4 == 3 else version
    dependencies = program if place % 5 == 0 else 1
    dependency_size = int(size * _DEPENDENCY_SHARE)
    layers = [
        *shared,
        layer(f"{seed}/dependencies{dependencies}", dependency_size),
        layer(f"{seed}/program{program}", size - dependency_size),
    ]
    return image(f"{seed}/v{program}", layers, AMD64, family)
