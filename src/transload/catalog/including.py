"""Image sets that include others: from which folder, how deep, and never in a circle."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from transload.catalog.catalog import Catalog
from transload.catalog.imageset import ImageSet
from transload.catalog.setvariables import filled_text, has_variables
from transload.documents.value import Value
from transload.limits import INCLUDE_DEPTH, INCLUDED_FILES
from transload.oci.reference import shown
from transload.values import field, frozen


@frozen
class Reading:
    """The values of variables, and the files that are read for one set: those that led to this one, and all so far."""

    variables: Mapping[str, str] = field(factory=dict)
    trail: tuple[Path, ...] = ()
    read: set[Path] = field(factory=set)

    def below(self, path: Path) -> Reading:
        """The same, in the file `path`."""
        self.read.add(path)
        return Reading(self.variables, (*self.trail, path), self.read)


def real_path(path: Path) -> Path:
    """The path without links, by which a file is known again, whether it exists or not."""
    return Path(os.path.realpath(path))


Load = Callable[[Path, Reading], Catalog | ImageSet]


def included(paths: Value, reading: Reading, load: Load) -> Iterator[ImageSet]:
    """The sets that `include` names, each file once. `load` reads one. Raises `DocumentInvalid`, `LocalError`."""
    paths.texts()
    for item in paths.items():
        path = _path(item, reading.variables)
        real = real_path(path)
        _check(item, real, reading)
        if real in reading.read:
            continue
        with item.explained():
            loaded = load(path, reading.below(real))
        if not isinstance(loaded, ImageSet):
            raise item.fail(f"{path} is a catalog", hint="name it under catalogs, as - file: PATH")
        yield loaded


def _path(item: Value, variables: Mapping[str, str]) -> Path:
    """The path of an included file. The values of variables, which others may set, must not lead out of its folder."""
    text = item.text()
    folder = Path(item.document.name).parent
    named = item.read(lambda raw: filled_text(raw, variables))
    if "://" in named:
        raise item.fail(f"{shown(named)[:200]!r} is an address", hint="save the file here, and name it")
    if Path(named).is_absolute():
        raise item.fail(f"the path {named[:200]!r} is absolute", hint="write it from the folder of this file")
    if has_variables(text) and (".." in Path(named).parts or "\\" in named):
        raise item.fail(f"the variables lead to {named[:200]!r}, which is outside of the folder of this file")
    return folder / named


def _check(item: Value, real: Path, reading: Reading) -> None:
    if real in reading.trail:
        circle = [*reading.trail[reading.trail.index(real) :], real]
        raise item.fail(f"the file includes itself: {' → '.join(path.name for path in circle)}")
    if len(reading.trail) >= INCLUDE_DEPTH:
        raise item.fail(f"files include one another more than {INCLUDE_DEPTH} levels deep")
    if len(reading.read) > INCLUDED_FILES and real not in reading.read:
        raise item.fail(f"more than {INCLUDED_FILES} files are included")
