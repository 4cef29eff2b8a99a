"""What the mirrors of engines can say: the whole of a registry is below prefixes of another one, with its names."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from attrs import frozen

from transload.configuration.relocation import MovedImage, PrefixRule, Relocation
from transload.errors import UsageError
from transload.wording import number_of

_SHOWN = 5


@frozen(kw_only=True)
class RegistryMirror:
    """All of `registry`, as pods name it, is asked for below `prefixes` of the registry that nodes read from.

    They are tried in this order; the empty one is the registry's root.
    """

    registry: str
    prefixes: tuple[str, ...]


@frozen(kw_only=True)
class Mirrors:
    """One mirror for each registry, and the images that no mirror leads to."""

    mirrors: tuple[RegistryMirror, ...]
    lost: tuple[MovedImage, ...]


def mirrors_of(relocation: Relocation) -> Mirrors:
    """The mirrors that lead to the images, those prefixes first below which most of them are."""
    by_registry: dict[str, list[MovedImage]] = defaultdict(list)
    for image in relocation.images:
        if image.source_repository != image.target_repository:
            by_registry[image.source.registry].append(image)
    taken = {str(image.target): image for image in relocation.images}
    mirrors, lost = [], [image for image in relocation.images if not keeps_its_name(image)]
    for registry, images in sorted(by_registry.items()):
        votes = Counter(prefix for image in images if (prefix := _prefix(image)) is not None)
        prefixes = tuple(sorted(votes, key=lambda prefix: (-votes[prefix], prefix)))
        lost += [image for image in images if keeps_its_name(image) and not _is_found(image, prefixes, taken)]
        if prefixes:
            mirrors.append(RegistryMirror(registry=registry, prefixes=prefixes))
    return Mirrors(mirrors=tuple(mirrors), lost=tuple(lost))


def keeps_its_name(image: MovedImage) -> bool:
    """Whether the tag or digest that pods ask for is known in the repository at the target."""
    if image.source.name.digest is not None:
        return image.digest in (None, image.source.name.digest)
    return not image.is_renamed_tag


def led_to(rules: Sequence[PrefixRule], repository: str) -> str:
    """Where the longest of the rules leads a repository, with its registry; unchanged if none covers it."""
    covering = [rule for rule in rules if rule.covers(repository)]
    return max(covering, key=lambda rule: len(rule.source)).of(repository) if covering else repository


def is_led(rules: Sequence[PrefixRule], image: MovedImage) -> bool:
    """Whether the rules lead to the image's repository: they cannot, if two tags of one went to different ones."""
    return led_to(rules, image.source_repository) == image.target_repository


def _prefix(image: MovedImage) -> str | None:
    """The prefix below which the repository has its own name; None if it was renamed."""
    source, target = image.source.name.repository, image.target.name.repository
    if not keeps_its_name(image) or not f"/{target}".endswith(f"/{source}"):
        return None
    return target[: len(target) - len(source)].rstrip("/")


def _is_found(image: MovedImage, prefixes: Sequence[str], taken: dict[str, MovedImage]) -> bool:
    """Whether the image is what its name leads to first: another one's may lie below an earlier prefix."""
    own = _prefix(image)
    if own is None:
        return False
    below = image.target.name
    for prefix in prefixes[: prefixes.index(own)]:
        repository = f"{prefix}/{image.source.name.repository}".lstrip("/")
        tag = f":{below.tag}" if below.tag else ""
        if f"{image.target.registry}/{repository}{tag}" in taken:
            return False
    return True


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
    more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
    named = ", ".join(f"{image.source} (is {image.target})" for image in lost[:_SHOWN])
    return (f"not found under the name that pods use, since {why}: {named}{more}",)
