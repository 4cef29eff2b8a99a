"""Whether a folder or a bundle can be written on this machine: may it be, is there room, how fast is the disk."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from transload.app.location import Location
from transload.app.pack import bundle_path
from transload.bundle.format.volumes import split_file_name
from transload.clock import Clock
from transload.errors import DiskFull, Interrupted, LocalError, TransloadError, UsageError
from transload.files import Folder, free_bytes, local_errors
from transload.layout import LayoutStore
from transload.report.checkup import CheckPoint
from transload.report.texts import rate, size

_BYTES = 16 << 20
_BLOCK = 1 << 20
_SECONDS = 3.0
_THERE = " is there already"
_SAME_SET = "transload pack takes it for the same set, cut in the same way; else it stops: choose another name"


def local_points(target: Location, needed: Callable[[], int | None], clock: Clock) -> Iterator[CheckPoint]:
    """The points of a target on this machine. `needed` plans the set, and gives the bytes that it would bring."""
    if target.kind in {"archive", "charts"}:
        error = UsageError(f"{target} can only be read", hint="a target is a registry, oci:DIR or bundle:NAME")
        yield CheckPoint.failed("target", str(target), error)
        return
    try:
        folder, found = _folder_of_bundle(target) if target.kind == "bundle" else _folder_of_layout(target)
    except TransloadError as error:
        yield CheckPoint.failed("target", str(target), error)
        return
    advice = _SAME_SET if found.endswith(_THERE) else None
    yield CheckPoint(
        aspect="target", verdict="warning" if advice else "ok", store=str(target), found=found, advice=advice
    )
    try:
        yield _space(target, folder, needed())
        yield _written(target, folder, clock)
    except (Interrupted, UsageError):
        raise
    except TransloadError as error:
        yield CheckPoint.failed("writing", str(target), error)


def _folder_of_layout(target: Location) -> tuple[Path, str]:
    """The nearest folder that is there, and what will happen. Raises `LocalError`, `LayoutInvalid` and their kinds."""
    path = Path(target.value)
    if path.is_dir() and any(path.iterdir()):
        LayoutStore(path, create=False)
        return path, f"{path} is an image layout"
    there = path
    while not there.is_dir():
        if there.exists() or there.is_symlink():
            raise LocalError(f"{there} is not a folder", subject=str(path), hint="name a folder")
        there = there.parent
    return there.absolute(), f"{path} is empty" if path.is_dir() else f"{path} will be made"


def _folder_of_bundle(target: Location) -> tuple[Path, str]:
    path = bundle_path(Path(target.value))
    folder = path.absolute().parent
    if not folder.is_dir():
        raise LocalError(f"there is no folder {folder}", subject=str(path), hint="make it, or mount the medium")
    taken = sorted(entry.name for entry in folder.iterdir() if _is_volume(entry.name, path.name))
    if taken:
        return folder, f"{folder / taken[0]}{_THERE}"
    return folder, f"{path.name} can be written into {folder}"


def _is_volume(file: str, bundle: str) -> bool:
    return file.lower().endswith(".tar") and split_file_name(file)[0] == bundle


def _space(target: Location, folder: Path, needed: int | None) -> CheckPoint:
    free = free_bytes(folder)
    facts = {"free_bytes": free, "needed_bytes": needed}
    if needed is not None and free < needed:
        error = DiskFull(
            f"the set needs {size(needed)}, and {folder} has {size(free)} free",
            hint=f"make room for {size(needed - free)}, or choose another disk",
        )
        return CheckPoint.failed("space", str(target), error)
    wanted = f", and the set needs {size(needed)}" if needed is not None else ""
    return CheckPoint(aspect="space", verdict="ok", store=str(target), found=f"{size(free)} free{wanted}", facts=facts)


def _written(target: Location, folder: Path, clock: Clock) -> CheckPoint:
    """Write a hidden file as fast as the disk takes it, and remove it. Raises `LocalError`, `DiskFull`."""
    name = f".transload-check-{secrets.token_hex(4)}"
    path = folder / name
    written, block, began_s = 0, os.urandom(_BLOCK), clock.monotonic_s()
    try:
        with local_errors("writing in", folder), Folder(folder).locked(name) as file:
            while written < _BYTES and clock.monotonic_s() - began_s < _SECONDS:
                written += file.write(block) or 0
            os.fsync(file.fileno())
        bytes_per_s = written / max(clock.monotonic_s() - began_s, 1e-3)
        found = f"{rate(bytes_per_s)} ({size(written)} written, and removed again)"
        facts = {"bytes_per_s": int(bytes_per_s)}
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    return CheckPoint(aspect="writing", verdict="ok", store=str(target), found=found, facts=facts)
