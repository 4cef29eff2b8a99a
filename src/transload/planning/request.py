"""What is wanted: names at sources, the names they get at the target, and how much of each image."""

from __future__ import annotations

from enum import Enum

from transload.oci import Name, Platform
from transload.values import field, frozen


class Narrowing(Enum):
    """The two ways to copy only some platforms of a multi-platform image."""

    REWRITTEN = "rewritten"
    """A new index has only the wanted entries: every registry takes it, but its digest is another one, so digest pins
    and signatures of the whole image are no longer valid."""

    SPARSE = "sparse"
    """The index stays as published, the other children are left out: digest and signatures stay valid, but many
    registries (distribution 2.8 among them) refuse an index whose children are missing."""


class Referrers(Enum):
    """What happens to the companions of images: what refers to them (signatures, SBOMs, attestations), cosign's tags.

    By its value, as the command line and the library take it.
    """

    UNASKED = "unasked"
    """Nobody asks for them: neither copied nor counted."""

    LEFT = "leave"
    """They stay at the source; how many, is asked for new and changed images."""

    USUAL = "usual"
    """Those of new and changed images come along. What cannot be looked for or read is a note: the image comes."""

    NEW = "new"
    """The same, but an error with them is one with the image, since somebody has asked for them."""

    REFRESH = "refresh"
    """As `NEW`, for unchanged images too."""

    @property
    def demanded(self) -> bool:
        """Whether somebody has asked for them, so that an error with them is one with the image."""
        return self in {Referrers.NEW, Referrers.REFRESH}


@frozen
class Item:
    """One thing wanted: `source` in the store with locator `source_store`, to be stored as `target`.

    With `optional`, it is no failure if the source lacks it. `platforms` replace those of the request.
    """

    source_store: str
    source: Name
    target: Name
    optional: bool = field(default=False, kw_only=True)
    platforms: tuple[Platform, ...] = field(default=(), kw_only=True)

    @property
    def label(self) -> str:
        """What people call it: its name at the target."""
        return str(self.target)


@frozen
class Request:
    """Everything that one run should copy. Without `platforms`, multi-platform images are copied whole.

    `foreign_layers` also copies layers that publishers keep elsewhere; with `foreign_as_held`, only those that the
    source has.

    `narrowing` says how an index is copied in part, when `platforms` are given. `referrers` says what happens to what
    refers to the images: signatures, SBOMs, attestations. With `allow_missing`, it is no failure if a source lacks an
    image.
    `recheck` asks the target for everything below the names that it has already, and brings again what it has lost.
    """

    items: tuple[Item, ...]
    platforms: tuple[Platform, ...] = ()
    narrowing: Narrowing = Narrowing.REWRITTEN
    referrers: Referrers = Referrers.UNASKED
    foreign_layers: bool = False
    foreign_as_held: bool = False
    allow_missing: bool = field(default=False)
    recheck: bool = field(default=False, kw_only=True)
