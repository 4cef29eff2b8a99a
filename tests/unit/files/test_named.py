"""Files that people name: what is no file is told at once, wherever one is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from transload.app.baseline import far_side
from transload.archive import ArchiveStore
from transload.bundle import ExtraFile
from transload.bundle.format.keys import load_public_key
from transload.bundle.format.signing import load_private_key
from transload.bundle.reading.reader import BundleStore
from transload.catalog.setfile import load_set
from transload.errors import LocalError, NotFound, TransloadError

READERS: list[Callable[[Path], object]] = [
    load_public_key,
    load_private_key,
    load_set,
    ArchiveStore,
    BundleStore,
    far_side,
    ExtraFile.of,
]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes of POSIX")
@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("name", ["named", "named.tar", "named.yaml"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, read: Callable[[Path], object], name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises((LocalError, NotFound)):
        read(tmp_path / name)


@pytest.mark.skipif(os.name == "nt", reason="needs devices of POSIX")
@pytest.mark.parametrize("read", READERS)
def test_a_device_is_not_read(tmp_path: Path, read: Callable[[Path], object]) -> None:
    (tmp_path / "named.tar").symlink_to("/dev/zero")
    with pytest.raises(TransloadError):
        read(tmp_path / "named.tar")
