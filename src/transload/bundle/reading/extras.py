"""Extracts extra files (a licence, a chart, a manual) from a bundle: checked, in one folder, never over other files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from transload.bundle.format.entries import StoredExtra
from transload.bundle.reading.reader import BundleStore
from transload.errors import FileExists, NotFound
from transload.files import Arrivals, local_errors
from transload.oci import Verifier


def extract_extras(
    store: BundleStore,
    folder: Path,
    names: Iterable[str] | None = None,
    renamed: Mapping[str, str] = MappingProxyType({}),
    *,
    overwrite: bool = False,
) -> tuple[Path, ...]:
    """Write the files `names` (all if None) into `folder`; returns their paths. `renamed` gives some other plain names.

    A file gets its name when its digest is verified. Raises `NotFound` for a name that the bundle does not have,
    `FileExists` for a file that exists unless `overwrite`, `CorruptError`, `LocalError`, and what `open_extra`
    raises; nothing is written if one name is unknown or taken.
    """
    known = {extra.name: extra for extra in store.ledger.extras}
    chosen = list(known) if names is None else list(dict.fromkeys(names))
    for name in chosen:
        if name not in known:
            raise NotFound(f"{store.locator} has no file {name}", subject=name)
        if not overwrite and os.path.lexists(folder / renamed.get(name, name)):
            raise FileExists(
                f"{folder / renamed.get(name, name)} is there already",
                subject=name,
                hint="name another folder with --into, or replace it with --overwrite",
            )
    with local_errors("creating", folder):
        folder.mkdir(parents=True, exist_ok=True)
    return tuple(_extract(store, known[name], folder / renamed.get(name, name)) for name in chosen)


def _extract(store: BundleStore, extra: StoredExtra, path: Path) -> Path:
    verifier = Verifier(extra.digest, extra.size)
    with Arrivals(path.parent) as arrivals:  # its name is plain: reading the ledger has checked it
        with store.open_extra(extra.name) as chunks, arrivals.file(path.name) as file:
            for chunk in chunks:
                verifier.update(chunk)
                file.write(chunk)
        verifier.check()
    return path
