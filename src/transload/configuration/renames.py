"""The names that manifests write, and where they lead now: for kinds that say it of each image, not of prefixes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from transload.configuration.relocation import MovedImage
from transload.errors import TargetConflict
from transload.oci.reference import DEFAULT_REGISTRY, DEFAULT_TAG, named_registry
from transload.values import frozen

_HUBS = (DEFAULT_REGISTRY, f"index.{DEFAULT_REGISTRY}")
_LIBRARY = "library/"
REPOSITORY = r"(?:[^/@]*/)*[^/:@]+"
"""A regular expression, as Python and Go read it, for what stands before tag and digest at the beginning of a name."""

_REPOSITORY = re.compile(REPOSITORY)


@frozen(kw_only=True)
class Renames:
    """The old names as keys, each as manifests may write it; the new ones as values.

    `repositories` hold for every tag and digest that may follow. `images` are whole names, for which that would lead
    elsewhere, since they have another tag or repository, or are pinned.
    """

    repositories: dict[str, str]
    images: dict[str, str]


def renames_of(images: Iterable[MovedImage], *, pin: bool = False) -> Renames:
    """What leads to these images. With `pin`, tags lead to digests where they are known.

    Raises `TargetConflict` if a new name is the old name of another image, so that a second look would move it again.
    """
    by_source: dict[str, list[MovedImage]] = defaultdict(list)
    for image in images:
        by_source[image.source_repository].append(image)
    repositories: dict[str, str] = {}
    named: dict[str, str] = {}
    for source in sorted(by_source):
        target = by_source[source][0].target_repository
        for name in written_names(source):
            repositories[name] = target
            named.update(_named(name, by_source[source], target, pin))
    _check_chains(repositories)
    return Renames(repositories=repositories, images=named)


def repository_in(name: str) -> str:
    """A name without tag and digest.

    >>> repository_in("r.local:5000/a/b:1")
    'r.local:5000/a/b'
    """
    found = _REPOSITORY.match(name)
    return found[0] if found else name


def written_names(repository: str) -> tuple[str, ...]:
    """A repository with its registry, in all the ways in which manifests write it: Docker's Hub may be left out.

    >>> written_names("docker.io/library/redis")
    ('docker.io/library/redis', 'docker.io/redis', 'index.docker.io/library/redis', 'library/redis', 'redis')
    """
    registry, _, path = repository.partition("/")
    if registry not in _HUBS:
        return (repository,)
    shorter = path.removeprefix(_LIBRARY)
    names = {f"{hub}/{path}" for hub in _HUBS} | {path}
    if "/" not in shorter:
        names |= {f"{DEFAULT_REGISTRY}/{shorter}", shorter}
    return tuple(sorted(name for name in names if named_registry(name)[0] in {"", *_HUBS}))


def _named(name: str, images: Iterable[MovedImage], target: str, pin: bool) -> Iterator[tuple[str, str]]:
    """The images of one repository that need entries of their own, because others of it are at `target`."""
    for image in images:
        source = image.source.name
        old = f"@{source.digest}" if source.digest else f":{source.tag}"
        new = image.target_repository + _behind(image, pin)
        if new != target + old:
            yield name + old, new
            if source.tag == DEFAULT_TAG and not source.digest:
                yield name, new


def _behind(image: MovedImage, pin: bool) -> str:
    """Tag or digest at the target. Who asks for a digest gets one: of what lies there, if an index was narrowed."""
    digest = image.digest or image.target.name.digest
    if image.source.name.digest:
        return f"@{digest or image.source.name.digest}"
    if digest and (pin or not image.target.name.tag):
        return f"@{digest}"
    return f":{image.target.name.tag or image.source.name.tag}"


def _check_chains(repositories: dict[str, str]) -> None:
    for source, target in repositories.items():
        if repositories.get(target, target) != target:
            raise TargetConflict(
                f"{source} is at {target} now, and {target} itself is at {repositories[target]}",
                subject=target,
                hint="write one configuration for each of the two",
            )
