"""A layout that somebody changes while it is read: between looking at a blob and opening it, a link takes its place.

Or nothing does: another process has deleted it.
"""

from __future__ import annotations

import itertools
import os
import threading
from pathlib import Path

import pytest

from transload.errors import BlobUnknown, TransloadError
from transload.layout.blobs import Blobs
from transload.oci import Descriptor, Digest
from transload.testing.reading import OCTETS

CONTENT, SECRET = b"content", b"secret!"
TRIES = 2000


@pytest.mark.skipif(os.name == "nt", reason="what is open cannot be replaced there")
def test_a_link_that_comes_late_is_not_followed(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "layout")
    wanted = Descriptor(OCTETS, Digest.of(CONTENT), len(CONTENT))
    blob = blobs.expected_path(wanted.digest)
    blob.parent.mkdir(parents=True)
    (tmp_path / "secret").write_bytes(SECRET)
    beside = blob.with_name("beside")
    over = threading.Event()

    def swap() -> None:
        for turn in itertools.count():
            if over.is_set():
                return
            if turn % 2:
                beside.symlink_to(tmp_path / "secret")
            else:
                beside.write_bytes(CONTENT)
            beside.replace(blob)

    swapping = threading.Thread(target=swap)
    swapping.start()
    found = set()
    try:
        for _ in range(TRIES):
            try:
                found.add(blobs.read(wanted.digest, 100))
                with blobs.open(wanted) as chunks:
                    found.update(bytes(chunk) for chunk in chunks)
            except TransloadError:
                pass
    finally:
        over.set()
        swapping.join()
    assert found <= {CONTENT, b""}


@pytest.mark.skipif(os.name == "nt", reason="what is open cannot be deleted there")
def test_a_blob_that_is_deleted_meanwhile_is_unknown(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "layout")
    wanted = Descriptor(OCTETS, Digest.of(CONTENT), len(CONTENT))
    blob = blobs.expected_path(wanted.digest)
    blob.parent.mkdir(parents=True)
    beside = blob.with_name("beside")
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            beside.write_bytes(CONTENT)
            beside.replace(blob)
            blob.unlink()

    changing = threading.Thread(target=come_and_go)
    changing.start()
    try:
        for _ in range(TRIES):
            try:
                assert blobs.read(wanted.digest, 100) == CONTENT
                with blobs.open(wanted) as chunks:
                    assert b"".join(map(bytes, chunks)) == CONTENT
                blobs.file(wanted.digest).close()
            except BlobUnknown:
                pass
    finally:
        over.set()
        changing.join()
