"""Uploads to a layout that is served: the bytes are written once, where the blob will lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.server.asking import ask
from transload.layout.store import LayoutStore
from transload.oci import Digest
from transload.server import ServeSettings, serve
from transload.server.spools import IN_MEMORY_BYTES

LARGE = os.urandom(IN_MEMORY_BYTES + 1)
UPLOADS = "/v2/team/app/blobs/uploads/"


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_large_upload_becomes_the_blob_without_a_copy(tmp_path: Path) -> None:
    store, elsewhere, digest = LayoutStore(tmp_path / "site", create=True), tmp_path / "spool", Digest.of(LARGE)
    elsewhere.mkdir()
    with serve(store, ServeSettings(writable=True, spool_folder=elsewhere)) as served:
        location = ask(served, "POST", UPLOADS).headers["Location"]
        assert ask(served, "PATCH", location, LARGE).status == 202
        assert files(elsewhere) == []
        (spooled,) = (store.root / ".transload" / "ingest").iterdir()
        before = spooled.stat()
        assert before.st_size == len(LARGE)
        assert ask(served, "PUT", f"{location}?digest={digest}").status == 201
        blob = store.root / "blobs" / "sha256" / digest.encoded
        assert blob.stat().st_ino == before.st_ino, "it is the same file"
        assert blob.read_bytes() == LARGE
        assert ask(served, "GET", f"/v2/team/app/blobs/{digest}").body == LARGE
    assert list((store.root / ".transload" / "ingest").iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_blob_that_was_uploaded_may_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    store, digest = LayoutStore(tmp_path / "site", create=True), Digest.of(LARGE)
    with serve(store, ServeSettings(writable=True)) as served:
        assert ask(served, "POST", f"{UPLOADS}?digest={digest}", LARGE).status == 201
    uploaded = store.root / "blobs" / "sha256" / digest.encoded
    assert uploaded.stat().st_mode == (store.root / "index.json").stat().st_mode


def test_wrong_bytes_and_other_algorithms_leave_nothing_behind(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "site", create=True)
    with serve(store, ServeSettings(writable=True)) as served:
        wrong = ask(served, "POST", f"{UPLOADS}?digest={Digest.of(b'other')}", LARGE)
        assert (wrong.status, wrong.code) == (400, "DIGEST_INVALID")
        assert files(store.root / "blobs") == []
        long = Digest.of(LARGE, "sha512")
        assert ask(served, "POST", f"{UPLOADS}?digest={long}", LARGE).status == 201
        assert files(store.root / "blobs") == [f"sha512/{long.encoded}"]
    assert list((store.root / ".transload" / "ingest").iterdir()) == []


def test_a_layout_that_is_only_read_stays_as_it_is(tmp_path: Path) -> None:
    LayoutStore(tmp_path / "site", create=True)
    before = files(tmp_path)
    with serve(LayoutStore(tmp_path / "site")) as served:
        assert ask(served, "POST", UPLOADS).status == 405
    assert files(tmp_path) == before


@pytest.mark.skipif(os.name == "nt", reason="needs links of POSIX")
def test_nothing_is_written_where_a_link_leads(tmp_path: Path) -> None:
    store, outside = LayoutStore(tmp_path / "site", create=True), tmp_path / "outside"
    outside.mkdir()
    ingests = store.root / ".transload" / "ingest"
    with serve(store, ServeSettings(writable=True)) as served:
        assert ask(served, "POST", f"{UPLOADS}?digest={Digest.of(LARGE)}", LARGE).status == 201
        ingests.rmdir()
        ingests.symlink_to(outside)
        refused = ask(served, "POST", f"{UPLOADS}?digest={Digest.of(LARGE[1:] + b'x')}", LARGE[1:] + b"x")
        assert refused.status >= 400
        location = ask(served, "POST", UPLOADS).headers["Location"]
        assert ask(served, "PATCH", location, LARGE).status >= 400
    assert list(outside.iterdir()) == []


def test_what_a_killed_server_left_is_deleted_a_day_later(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "site", create=True)
    folder, name = store.spools.spool_file("0a-1b")
    folder.open(name, "x+").close()
    path = folder.path / name
    LayoutStore(store.root).spools.spool_file("other")
    assert path.exists()
    os.utime(path, (0, 0))
    LayoutStore(store.root).spools.spool_file("other")
    assert not path.exists()
