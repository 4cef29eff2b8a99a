"""What is wanted: names at sources, the names they get at the target, and how much of each image."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

from transload.oci import Name, Platform


class Narrowing(Enum):
    """The two honest ways to copy only some platforms of a multi-platform image."""

    REWRITTEN = "rewritten"
    """The index is written anew with the kept entries: every registry takes it, but its digest is another one, so
    digest pins and signatures of the whole image no longer hold."""

    SPARSE = "sparse"
    """The index stays as published, the other children are left out: digest and signatures hold, but many registries
    (distribution 2.8 among them) refuse an index whose children are missing."""


@frozen
class Item:
    """One thing wanted: `source` in the store with locator `source_store`, to be stored as `target`.

    `optional` means that its absence at the source is no failure; `platforms` stand before those of the request.
    """

    source_store: str
    source: Name
    target: Name
    optional: bool = False
    platforms: tuple[Platform, ...] = ()

    @property
    def label(self) -> str:
        """What people call it: its name at the target."""
        return str(self.target)


@frozen
class Request:
    """Everything wanted of one run. Without `platforms`, multi-platform images are copied whole.

    `foreign_layers`: those that publishers keep elsewhere, too; with `foreign_as_held`, as far as the source has them.
    """

    items: tuple[Item, ...]
    platforms: tuple[Platform, ...] = ()
    narrowing: Narrowing = Narrowing.REWRITTEN
    referrers: bool = False
    foreign_layers: bool = False
    foreign_as_held: bool = False
    allow_missing: bool = field(default=False)
