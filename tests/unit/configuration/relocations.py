"""Relocations to write configurations of."""

from transload.configuration import MovedImage, Relocation
from transload.oci import Digest, Reference

ONE, OTHER = Digest("sha256:" + "1" * 64), Digest("sha256:" + "2" * 64)


def moved(source: str, target: str, digest: Digest | None = None) -> MovedImage:
    return MovedImage(source=Reference.parse(source), target=Reference.parse(target), digest=digest)


def relocation(*images: MovedImage) -> Relocation:
    return Relocation(registry=images[0].target.registry, images=images)


def many(number: int) -> Relocation:
    """Images of several registries, with long names."""
    hosts = ("quay.io", "docker.io", "registry.example:5000")
    names = [f"{'team/' * 5}application-with-a-long-name-{count}:v1.{count}.0-debian-12-r7" for count in range(number)]
    return relocation(
        *(
            moved(f"{hosts[count % 3]}/{name}", f"registry.local:5000/mirror/{name}", ONE)
            for count, name in enumerate(names)
        )
    )
