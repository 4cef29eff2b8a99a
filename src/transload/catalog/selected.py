"""One wanted image: its source reference and its name under the target's prefix; and how images become one set."""

from __future__ import annotations

import re
from collections.abc import Iterable

from transload.errors import ReferenceInvalid, TargetConflict
from transload.oci import Name, Platform, Reference
from transload.oci.reference import check_repository, check_tag
from transload.values import evolve, field, frozen


def join(*segments: str) -> str:
    """A repository path of those segments that are not empty.

    >>> join("mirror", "", "arc-controller")
    'mirror/arc-controller'
    """
    return "/".join(filter(None, segments))


@frozen
class Selected:
    """One wanted image. Raises `ReferenceInvalid` for a target name that no registry would take.

    `repository` is the path under the target's prefix. `tag` is the tag at the target; None stores the content by
    digest only, so the source must then have a digest. With `optional`, it is no failure if the source lacks it.
    `platforms` restricts an index to these platforms; empty means those of the run. `store` is the locator of the store
    that has it, if that is not the registry of `source`.
    """

    source: Reference
    repository: str = field(converter=check_repository)
    tag: str | None
    optional: bool = False
    platforms: tuple[Platform, ...] = ()
    store: str = ""

    def __attrs_post_init__(self) -> None:
        if self.tag is not None:
            check_tag(self.tag)
        elif self.source.name.digest is None:
            raise ReferenceInvalid(
                f"{self.source} has neither a tag for the target nor a digest", subject=str(self.source)
            )

    @classmethod
    def of(cls, source: Reference, target: str | None = None, *, optional: bool = False) -> Selected:
        """`source` under its own repository path and tag, or under `target`, written `repository[:tag]`.

        Raises `ReferenceInvalid`.
        """
        if target is None:
            return cls(source, source.name.repository, source.name.tag, optional)
        name = Name.parse(target)
        if name.digest is not None:
            raise ReferenceInvalid(
                f"target {target!r} has a digest", hint="pin the source by digest; a target is repository[:tag]"
            )
        return cls(source, name.repository, name.tag or source.name.tag, optional)

    @property
    def locator(self) -> str:
        """The locator of the store that has it."""
        return self.store or self.source.registry

    def under(self, prefix: str) -> Selected:
        """The same image, with its target name under `prefix`."""
        return evolve(self, repository=join(prefix, self.repository))

    @property
    def place(self) -> str:
        """The name at the target, under its prefix. No two different images may share it."""
        return str(Name(self.repository, self.tag, None if self.tag else self.source.name.digest))

    def same_content(self, other: Selected) -> bool:
        """Whether both surely have the same content: the same digest or reference, and the same platforms."""
        digest, other_digest = self.source.name.digest, other.source.name.digest
        named = (self.source, self.store) == (other.source, other.store)
        same = digest == other_digest if digest and other_digest else named
        return same and set(self.platforms) == set(other.platforms)


def merge(wanted: Iterable[Selected]) -> tuple[Selected, ...]:
    """Every target name once, in the order of first appearance. The same image twice counts as one.

    An image that is wanted both as optional and as not optional is not optional. Raises `TargetConflict` for one
    target name with different content.
    """
    by_place: dict[str, Selected] = {}
    for selected in wanted:
        first = by_place.setdefault(selected.place, selected)
        if not first.same_content(selected):
            raise TargetConflict(
                f"{selected.place} is wanted twice at the target: as {_described(first)} and as {_described(selected)}",
                subject=selected.place,
                hint="give one of them another target name or tag",
            )
        if first.optional and not selected.optional:
            by_place[selected.place] = evolve(first, optional=False)
    return tuple(by_place.values())


def kept_apart(wanted: Iterable[Selected]) -> tuple[Selected, ...]:
    """The same images. Those of different content that want one target name get their registry before it."""
    images = tuple(wanted)
    by_place: dict[str, list[Selected]] = {}
    for image in images:
        by_place.setdefault(image.place, []).append(image)
    shared = {
        place for place, several in by_place.items() if not all(several[0].same_content(other) for other in several)
    }
    return tuple(_below_its_registry(image) if image.place in shared else image for image in images)


def _below_its_registry(image: Selected) -> Selected:
    return image.under(re.sub("[^a-z0-9.]+", "-", image.source.registry.lower()).strip("-."))


def _described(wanted: Selected) -> str:
    platforms = ", ".join(map(str, wanted.platforms))
    return f"{wanted.source} ({platforms})" if platforms else str(wanted.source)
