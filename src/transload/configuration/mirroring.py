"""What the mirrors of engines can say: the whole of a registry is below prefixes of another one, with its names."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from transload.configuration.relocation import MovedImage, PrefixRule, Relocation
from transload.errors import UsageError
from transload.oci import Reference
from transload.values import frozen
from transload.wording import first_of, number_of

_SHOWN = 5


@frozen(kw_only=True)
class RegistryMirror:
    """All of `registry`, as pods name it, is asked for below `prefixes` of the registry that nodes read from.

    They are tried in this order; the empty one is the registry's root.
    """

    registry: str
    prefixes: tuple[str, ...]


Asked = Callable[[MovedImage], Sequence[str]]
"""The repositories, with their registry, in which an engine looks for an image, in its order."""


def registry_mirrors(relocation: Relocation) -> tuple[RegistryMirror, ...]:
    """The mirrors that lead to the images, those prefixes first below which most of them are."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for image in relocation.images:
        prefix = _prefix(image)
        if prefix is not None and image.source_repository != image.target_repository:
            votes[image.source.registry][prefix] += 1
    return tuple(
        RegistryMirror(registry=registry, prefixes=tuple(sorted(of, key=lambda prefix: (-of[prefix], prefix))))
        for registry, of in sorted(votes.items())
    )


def asked_by_mirrors(relocation: Relocation, mirrors: Sequence[RegistryMirror]) -> Asked:
    """Where an engine with these mirrors looks: below each prefix, and in the registry itself at the end."""
    prefixes = {mirror.registry: mirror.prefixes for mirror in mirrors}

    def asked(image: MovedImage) -> list[str]:
        name = image.source.name.repository
        below = (f"{prefix}/{name}".lstrip("/") for prefix in prefixes.get(image.source.registry, ()))
        return [*(f"{relocation.registry}/{repository}" for repository in below), image.source_repository]

    return asked


def asked_by_rules(relocation: Relocation) -> Asked:
    """Where an engine looks that reads the rules for prefixes."""
    return lambda image: [led_to(relocation.rules, image.source_repository)]


def lost_images(relocation: Relocation, asked: Asked) -> tuple[MovedImage, ...]:
    """The images that an engine does not find under the names that pods use.

    Raises `UsageError` if it would find another image under one of them: no file may lead to the wrong one.
    """
    by_target = {(image.target_repository, image.target.name.tag): image for image in relocation.images}
    return tuple(image for image in relocation.images if not _is_found(image, asked(image), by_target))


def _is_found(
    image: MovedImage, repositories: Sequence[str], by_target: Mapping[tuple[str, str | None], MovedImage]
) -> bool:
    if image.source.name.digest is not None:
        return image.target_repository in repositories and keeps_its_name(image)
    for repository in repositories:
        first = by_target.get((repository, image.source.name.tag))
        if first is None:
            continue
        is_same = first.target == image.target or (first.digest is not None and first.digest == image.digest)
        if not is_same:
            raise UsageError(
                f"asked for {image.source}, nodes would get {first.target}, which is another image: {first.source}",
                subject=str(image.source),
                hint="copy them below different prefixes, or change what manifests say, as the kind kustomize does",
            )
        return True
    return False


def keeps_its_name(image: MovedImage) -> bool:
    """Whether the tag or digest that pods ask for is known in the repository at the target."""
    if image.source.name.digest is not None:
        return image.digest in (None, image.source.name.digest)
    return not image.is_renamed_tag


def led_to(rules: Sequence[PrefixRule], repository: str) -> str:
    """Where the longest of the rules leads a repository, with its registry; unchanged if none covers it."""
    covering = [rule for rule in rules if rule.covers(repository)]
    return max(covering, key=lambda rule: len(rule.source)).of(repository) if covering else repository


def _prefix(image: MovedImage) -> str | None:
    """The prefix below which the repository has its own name; None if it was renamed."""
    source, target = image.source.name.repository, image.target.name.repository
    if not keeps_its_name(image) or not f"/{target}".endswith(f"/{source}"):
        return None
    return target[: len(target) - len(source)].rstrip("/")


def check_some_are_found(relocation: Relocation, lost: Sequence[MovedImage], what: str, otherwise: str) -> None:
    """Raises `UsageError` if pods would find none of the images. `what` is what the kind can say at most."""
    if relocation.images and len(lost) == len(relocation.images):
        raise UsageError(
            f"{what}: none of {number_of(len(lost), 'image')} would be found under the name that pods use",
            hint=otherwise,
        )


def fallback_notes(images: Sequence[MovedImage], no_fallback: bool, way: str = "") -> tuple[str, ...]:
    """What becomes of images that the registry does not have; `way` says how that could be stopped."""
    if not images:
        return ()
    if no_fallback:
        return ("what the registry does not have cannot be pulled from where these images were published",)
    return (f"what the registry does not have is asked of the registry that pods name{way}",)


def lost_notes(lost: Sequence[MovedImage], why: str) -> tuple[str, ...]:
    """Which images nodes do not find under the names that pods use."""
    if not lost:
        return ()
    named = first_of((f"{image.source} (is {_place(image)})" for image in lost), _SHOWN)
    return (f"not found under the name that pods use, since {why}: {named}",)


def _place(image: MovedImage) -> Reference:
    """Where an image is, with the digest that it has there: a narrowed index has another one than pods ask for."""
    name = image.target.name
    return Reference(image.target.registry, name.at(image.digest)) if name.digest and image.digest else image.target
