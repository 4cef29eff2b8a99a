"""What one run of mirror, plan or verify is asked to do, with every answer already given."""

from __future__ import annotations

from attrs import evolve, field, frozen

from transload.app.place import Place
from transload.oci import Platform
from transload.planning import Narrowing


@frozen
class Job:
    """What is wanted, from where, to where.

    `sets` are names of catalogs, files, and references; empty with `origin` means everything that is there. `origin`
    replaces where catalogs' images come from (`registry[/prefix]`), and is where plain names are looked up if it is
    a folder. `tag` is a release of the catalogs (None: the newest at the source), `target_tag` what its images are
    called at the target (None: the same). `images` restricts the sets to these names at the target.
    """

    sets: tuple[str, ...]
    target: Place
    origin: Place | None = None
    tag: str | None = None
    target_tag: str | None = None
    images: tuple[str, ...] = ()
    platforms: tuple[Platform, ...] = ()
    narrowing: Narrowing = Narrowing.REWRITTEN
    referrers: bool = False
    foreign_layers: bool = False
    allow_missing: bool = False
    discover: bool = False
    flatten: bool = False
    bodies: int = field(default=8)

    def only(self, images: tuple[str, ...]) -> Job:
        """The same, restricted to these images: what a retry is made of."""
        return evolve(self, images=images)
