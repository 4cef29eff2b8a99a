"""Stores that were carried over an air gap: which kind of store a path is, and which of its images are wanted."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from transload.app.job import Job
from transload.app.location import SCHEMES, Location, is_path
from transload.app.naming import FILE_SUFFIXES, kind_of
from transload.app.selection import Selection, select_everything
from transload.app.stores import NOTHING_SAID, Carried, Stores
from transload.app.whole import items_of
from transload.bundle.format.blueprint import LEDGER
from transload.bundle.format.ledger import Ledger
from transload.bundle.format.recovery import split_recovery_name
from transload.bundle.format.volumes import finished_name, is_volume_name, split_file_name
from transload.catalog.builtin import builtin
from transload.errors import CorruptError, LimitExceeded, LocalError, SelectionEmpty
from transload.events import ActivityListener, Progressed
from transload.files import check_kind, expanded, local_errors, open_file
from transload.oci import Name
from transload.oci.cosign import subject_of
from transload.oci.imagelayout import INDEX, MARKER
from transload.oci.reference import shown
from transload.ports import Source
from transload.report.texts import count
from transload.tarheaders import read_headers
from transload.values import frozen

if TYPE_CHECKING:
    from transload.bundle.reading.reader import BundleStore
    from transload.report.transferrecord import Check

_LAYOUT = (MARKER, INDEX)  # a folder with only the second is a damaged layout, not a missing bundle
_LEADING = 4  # the ledger is among the first members of a bundle


def carried_place(text: str, carried: Carried = NOTHING_SAID) -> Location:
    """The store at a path: a bundle (its name without suffix, or one of its volumes), an OCI layout folder, an archive.

    `bundle:`, `oci:` and `archive:` before the path name the kind. Raises `LocalError` if there is no store,
    `BundleUnsigned` if `carried` has a key and this is not a bundle: the signature is checked before anything is read.
    """
    location = Location.parse(text) if _has_scheme(text) else _found(text, carried)
    if location is None:
        piped = "a pipe cannot be read twice: write it to a file first"
        raise LocalError(
            f"there is no bundle, folder or archive {shown(text)}",
            subject=shown(text),
            hint=piped if text == "-" else "check the path, or mount the medium",
        )
    carried.demand_signature(location)
    return location


def named_place(text: str, carried: Carried = NOTHING_SAID) -> Location:
    """What `carried_place` finds, or else a registry. Raises what it and `Location.parse` raise."""
    if is_carried(text, carried) or is_path(text) or not set("/:.") & set(text):
        return carried_place(text, carried)
    return Location.parse(text)


def is_carried(text: str, carried: Carried = NOTHING_SAID) -> bool:
    """Whether `carried_place` finds something."""
    return _has_scheme(text) or _found(text, carried) is not None


def only_store(words: tuple[str, ...], carried: Carried = NOTHING_SAID, *, alone: bool) -> Location | None:
    """The local store, if exactly one word was given and it names one, by its kind or by a path; else None.

    `alone` means that nothing else is named, so a bare word can only be a store. Raises what `carried_place` raises.
    """
    if len(words) != 1:
        return None
    text = words[0]
    kind = kind_of(text)
    if kind == "store":
        return carried_place(text, carried)
    if text.lower().endswith(FILE_SUFFIXES) or text in builtin():
        return None
    is_one = kind == "file" or (alone and kind == "catalog") or is_carried(text, carried)
    return carried_place(text, carried) if is_one else None


def _has_scheme(text: str) -> bool:
    scheme, colon, _ = text.partition(":")
    return bool(colon) and scheme in SCHEMES


def _found(text: str, carried: Carried) -> Location | None:
    path = expanded(text)
    with local_errors("looking at", path):
        check_kind(path, stat.S_ISREG, stat.S_ISDIR)
    if path.is_dir():
        return Location("oci" if any((path / name).is_file() for name in _LAYOUT) else "bundle", str(path))
    if finished_name(path.name) is not None:
        return Location("bundle", str(path))
    if path.is_file():
        is_bundle = is_volume_name(path.name) if carried.key else _is_volume(path) or _has_ledger(path)
        return Location("bundle" if is_bundle else "archive", str(path))
    name = split_file_name(path.name)[0]
    if any(_has_volume(folder, name) for folder in (path.parent, *carried.folders)):
        return Location("bundle", str(path))
    return None


def _has_volume(folder: Path, name: str) -> bool:
    """Whether any volume of the bundle is there, finished or not. Opening the bundle then says what is missing."""
    with local_errors("looking into", folder):
        files = folder.iterdir() if folder.is_dir() else ()
        volumes = (finished_name(file.name) or file.name for file in files)
        return any(is_volume_name(volume) and _same(_bundle_of(volume), name) for volume in volumes)


def _bundle_of(volume: str) -> str:
    recovery = split_recovery_name(volume)
    return recovery[0] if recovery else split_file_name(volume)[0]


def _same(name: str, wanted: str) -> bool:
    return name in {wanted, wanted.upper()}


def _is_volume(path: Path) -> bool:
    """Whether a file is a volume by its name, or a bundle that has recovery volumes."""
    if split_file_name(path.name)[1] is not None or split_recovery_name(path.name) is not None:
        return True
    name = split_file_name(path.name)[0]
    with local_errors("looking into", path.parent):
        recovery = (split_recovery_name(file.name) for file in path.parent.iterdir())
        return any(split is not None and _same(split[0], name) for split in recovery)


def _has_ledger(path: Path) -> bool:
    try:
        with open_file(path) as file:
            leading = islice(read_headers(file, path.stat().st_size, str(path)), _LEADING)
            return any(header.name == LEDGER for header in leading)
    except (CorruptError, LimitExceeded, LocalError, OSError):
        return False


def signature_notes(bundle: BundleStore) -> Iterator[str]:
    """A note on who claims to have signed a bundle, if the signature was not checked."""
    if bundle.signature is not None and not bundle.verified:
        signer = bundle.signature.key_id
        yield f"the bundle says that {signer} signed it, but this was not checked: give the public key with --key"


def signature_checks(bundle: BundleStore) -> tuple[Check, ...]:
    """What a transfer record says of the bundle's signature; nothing of one without."""
    if bundle.signature is None:
        return ()
    from transload.report.transferrecord import Check  # only pushes of signed bundles

    return (
        Check(
            name="bundle-signature",
            result="passed" if bundle.verified else "not-made",
            by=bundle.signature.key_id if bundle.verified else None,
        ),
    )


def ending_notes(bundle: BundleStore) -> Iterator[str]:
    """A note on a bundle whose volumes are all there, but whose run did not come to its end."""
    if bundle.journal is not None:
        yield (
            f"the run that packs it has not come to its end ({bundle.journal.name} is there): SHA256SUMS and recovery "
            "volumes may be missing; the same pack command finishes it"
        )


def volume_notes(bundle: BundleStore) -> Iterator[str]:
    """Notes on volumes that are missing or too short, before any byte moves. A target may have their content."""
    yield from ending_notes(bundle)
    if not bundle.asks:  # otherwise the user is asked for the volume when it is needed
        for volume in bundle.lacking():
            images = f"{len(volume.images)} of {count(len(bundle.ledger.images), 'image')}"
            mended = "; as much of it as possible is made again from the recovery volumes" if bundle.mender else ""
            yield f"{volume.error}; it is needed for {images}{mended}"


@frozen
class CarriedStore:
    """A bundle, folder or archive that is open; `bundle` is the same store if it is a bundle."""

    location: Location
    source: Source
    bundle: BundleStore | None = None


def open_carried(location: Location, stores: Stores) -> CarriedStore:
    """Open what was carried. Raises `LocalError`, `BundleUnsigned` and what is wrong with a bundle's ledger."""
    if location.kind == "bundle":
        bundle = stores.bundle(location)
        return CarriedStore(location, bundle, bundle)
    return CarriedStore(location, stores.source(location))


def select_carried(carried: CarriedStore, job: Job, working: ActivityListener) -> Selection:
    """Everything in a carried store that `job` wants; for a bundle, also images that it left out.

    Raises `SelectionEmpty`, `ImageUnknown`, `UsageError`.
    """
    location, source = carried.location, carried.source
    if carried.bundle is None:
        working(Progressed("selecting"))
        return select_everything(job, location, source, working)
    names = _images(carried.bundle.ledger)
    if not names:
        raise SelectionEmpty(f"there is no image in {location}", subject=str(location), side="source")
    return Selection(items_of(names, location, job), {location.locator: source})


def _images(ledger: Ledger) -> list[Name]:
    """The images' names, without the tags of signatures and other companions, which are copied with their images."""
    known = ledger.by_digest.keys() | {entry.image.root.digest for entry in ledger.images}
    return [entry.image.name for entry in ledger.images if subject_of(entry.image.name.tag) not in known]
