"""What was carried over the gap: which kind of store a path is, and which of its images are wanted."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from pathlib import Path

from transload.app.job import Job
from transload.app.place import Place
from transload.app.selecting import Selection, restricted, select, to_item
from transload.app.stores import Stores
from transload.bundle.ledger import Ledger
from transload.bundle.volumes import split_file_name
from transload.catalog.selection import Selected
from transload.errors import LocalError
from transload.files import local_errors
from transload.nursery import Cancellation
from transload.oci import Reference
from transload.planning.packing import subject_of

_SCHEMES = ("bundle", "oci", "archive")
_LEADING = 4  # the ledger is among the first members of a bundle


def carried_place(text: str, folders: Iterable[Path] = ()) -> Place:
    """What a path is: a bundle (its name without suffix, or one of its volumes), an OCI layout folder, an archive.

    `bundle:`, `oci:` and `archive:` before it say so. `folders` are further ones in which volumes may lie. Raises
    `LocalError` if there is nothing.
    """
    if _has_scheme(text):
        return Place.parse(text)
    place = _found(text, folders)
    if place is None:
        raise LocalError(
            f"there is no bundle, folder or archive {text}", subject=text, hint="check the path, or mount the medium"
        )
    return place


def is_carried(text: str, folders: Iterable[Path] = ()) -> bool:
    """Whether `carried_place` finds something."""
    return _has_scheme(text) or _found(text, folders) is not None


def _has_scheme(text: str) -> bool:
    return text.partition(":")[0] in _SCHEMES


def _found(text: str, folders: Iterable[Path]) -> Place | None:
    path = Path(text).expanduser()
    if path.is_dir():
        return Place("oci" if (path / "oci-layout").is_file() else "bundle", str(path))
    if path.is_file():
        is_volume = split_file_name(path.name)[1] is not None
        return Place("bundle" if is_volume or _has_ledger(path) else "archive", str(path))
    name = split_file_name(path.name)[0]
    if any(_has_volume(folder, name) for folder in (path.parent, *folders)):
        return Place("bundle", str(path))
    return None


def _has_volume(folder: Path, name: str) -> bool:
    """Any of them, so that whoever opens the bundle can say which one is missing."""
    with local_errors("looking into", folder):
        files = folder.iterdir() if folder.is_dir() else ()
        return any(file.name.endswith(".tar") and split_file_name(file.name)[0] == name for file in files)


def _has_ledger(path: Path) -> bool:
    try:
        with tarfile.open(path, "r:") as archive:
            for _ in range(_LEADING):
                member = archive.next()
                if member is not None and member.name == "transload/ledger.json":
                    return True
    except (tarfile.TarError, OSError):
        pass
    return False


def select_carried(place: Place, job: Job, stores: Stores, cancellation: Cancellation) -> Selection:
    """Everything in a carried store that `job` wants: of a bundle also what it left out, since the target has it.

    Raises what `select` and opening the store raise.
    """
    if place.kind != "bundle":
        return select(job, stores, cancellation)
    wanted = restricted(_images(stores.bundle(place).ledger), job)
    return Selection(tuple(to_item(one, place.locator, one.source.name, job) for one in wanted), (), (place,))


def _images(ledger: Ledger) -> tuple[Selected, ...]:
    """Without the tags of signatures and the like, which come with the images that they belong to."""
    known = ledger.by_digest.keys() | {each.image.root.digest for each in ledger.images}
    names = (each.image.name for each in ledger.images)
    return tuple(
        Selected(Reference("localhost", name), name.repository, name.tag)
        for name in names
        if subject_of(name.tag) not in known
    )
