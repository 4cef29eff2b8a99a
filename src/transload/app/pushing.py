"""Pushing what was carried: every image of a bundle, folder or archive to a target, straight from where it lies."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

from transload.app.job import Job
from transload.app.mirroring import Prepared, request_of, source_notes
from transload.app.place import Place
from transload.app.selecting import Selection, restricted, select, to_item
from transload.app.stores import Stores
from transload.bundle.ledger import Ledger
from transload.bundle.volumes import split_file_name
from transload.catalog.selection import Selected, join
from transload.errors import LocalError
from transload.nursery import Cancellation
from transload.oci import Digest, Reference
from transload.planning import make_plan

_LEADING = 4  # the ledger is among the first members of a bundle


def carried_place(text: str) -> Place:
    """What a path is: a bundle (its name without suffix, or one of its volumes), an OCI layout folder, an archive.

    `bundle:`, `oci:` and `archive:` before it say so. Raises `LocalError` if there is nothing.
    """
    if text.partition(":")[0] in {"bundle", "oci", "archive"}:
        return Place.parse(text)
    path = Path(text).expanduser()
    if (path / "oci-layout").is_file():
        return Place("oci", str(path))
    if path.is_dir() or not path.exists():
        name = path.name
        volumes = [f"{name}.tar", f"{name}.001.tar"]
        if path.is_dir() or any(path.with_name(volume).is_file() for volume in volumes):
            return Place("bundle", str(path))
        raise LocalError(
            f"there is no bundle, folder or archive {text}", subject=text, hint="check the path, or mount the medium"
        )
    cut = split_file_name(path.name)[1] is not None
    return Place("bundle" if cut or _has_ledger(path) else "archive", str(path))


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


def prepare_push(place: Place, job: Job, stores: Stores, cancellation: Cancellation) -> Prepared:
    """Plan the push of `place`; `job` says where to and which images. Moves nothing.

    What a differential bundle leaves out is looked for at the target first; images that cannot be completed become
    failures of the plan, the others can still be pushed.
    """
    ledger = stores.bundle(place).ledger if place.kind == "bundle" else None
    selection = _of_bundle(place, job, ledger) if ledger else select(job, stores, cancellation)
    source = stores.source(place)
    target = stores.target(job.target)
    journal = stores.journal(job.target)
    plan = make_plan(
        request_of(job, selection),
        {place.locator: source},
        target,
        known=journal.knows,
        elsewhere=_prerequisites(ledger, job) if ledger else lambda _digest: (),
        cancellation=cancellation,
    )
    return Prepared(plan, {place.locator: source}, target, job.target, source_notes({place.locator: source}))


def _of_bundle(place: Place, job: Job, ledger: Ledger) -> Selection:
    names = (each.image.name for each in ledger.images)
    wanted = tuple(Selected(Reference("localhost", name), name.repository, name.tag) for name in names)
    items = tuple(to_item(one, place.locator, one.source.name, job) for one in restricted(wanted, job))
    return Selection(items, (), (place,))


def _prerequisites(ledger: Ledger, job: Job) -> Callable[[Digest], Iterable[str]]:
    """Where at the target to look for what the bundle leaves out."""
    where: dict[Digest, tuple[str, ...]] = {
        one.descriptor.digest: tuple(join(job.target.prefix, repository) for repository in one.repositories)
        for one in ledger.prerequisites
    }

    return lambda digest: where.get(digest, ())
