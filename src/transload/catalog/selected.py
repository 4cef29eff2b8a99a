"""What is wanted: one source reference, its place under the target's prefix, and how wants become one set."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve, field, frozen

from transload.errors import ReferenceInvalid, TargetConflict
from transload.oci import Name, Platform, Reference
from transload.oci.reference import check_repository, check_tag


def join(*segments: str) -> str:
    """A repository path of the segments that are not empty.

    >>> join("mirror", "", "arc-controller")
    'mirror/arc-controller'
    """
    return "/".join(filter(None, segments))


@frozen
class Selected:
    """One thing wanted. Raises `ReferenceInvalid` for a target name that no registry would take.

    `repository` is the path under the target's prefix. `tag` is the tag at the target; None keeps the content by
    digest only, so the source must then be pinned by digest. `optional` means that its absence at the source is no
    failure. `platforms` restricts an index to these platforms; empty means whatever the run says.
    """

    source: Reference
    repository: str = field(converter=check_repository)
    tag: str | None
    optional: bool = False
    platforms: tuple[Platform, ...] = ()

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
        place = Name.parse(target)
        if place.digest is not None:
            raise ReferenceInvalid(
                f"target {target!r} has a digest", hint="pin the source by digest; a target is repository[:tag]"
            )
        return cls(source, place.repository, place.tag or source.name.tag, optional)

    def under(self, prefix: str) -> Selected:
        """The same thing one or more path segments deeper."""
        return evolve(self, repository=join(prefix, self.repository))

    @property
    def place(self) -> str:
        """The name at the target, under its prefix: what no two different things may share."""
        return str(Name(self.repository, self.tag, None if self.tag else self.source.name.digest))

    def same_content(self, other: Selected) -> bool:
        """Whether both are sure to be the same content: one digest, or one reference; and the same platforms."""
        ours, theirs = self.source.name.digest, other.source.name.digest
        same = ours == theirs if ours and theirs else self.source == other.source
        return same and set(self.platforms) == set(other.platforms)


def merge(wanted: Iterable[Selected]) -> tuple[Selected, ...]:
    """Every target name once, in the order of first appearance; the same thing twice is one thing.

    Wanted once as optional and once as not, it is not optional. Raises `TargetConflict` for one target name with
    different content.
    """
    places: dict[str, Selected] = {}
    for one in wanted:
        first = places.setdefault(one.place, one)
        if not first.same_content(one):
            raise TargetConflict(
                f"{one.place} is wanted twice at the target: as {_told(first)} and as {_told(one)}",
                subject=one.place,
                hint="give one of them another target name or tag",
            )
        if first.optional and not one.optional:
            places[one.place] = evolve(first, optional=False)
    return tuple(places.values())


def _told(wanted: Selected) -> str:
    platforms = ", ".join(map(str, wanted.platforms))
    return f"{wanted.source} ({platforms})" if platforms else str(wanted.source)
