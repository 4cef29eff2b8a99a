"""--record-at-target: each image that arrives gets a record of its own, after it is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from transload.cli.main import main
from transload.errors import ManifestInvalid
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Digest, Manifest, Name
from transload.ports import Source
from transload.report.transferrecord import ARTIFACT_TYPE
from transload.server import ServeSettings, serve
from transload.testing.images import fill, image

IMAGES = {f"app/image{number}": image(f"image{number}", (100 + number,)) for number in range(12)}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    store = LayoutStore(tmp_path / "source", create=True)
    for repository, built in IMAGES.items():
        fill(store, built, repository, "1")
    return tmp_path


class Refusing(MemoryStore):
    """A registry that takes images, and no artifacts; or those of one repository only."""

    spared: str | None = None

    def put_manifest(self, name: Name, manifest: Manifest, *, part: bool = False, sparse: bool = False) -> None:
        if manifest.subject is not None and name.repository != self.spared:
            raise ManifestInvalid("artifacts are not taken here")
        super().put_manifest(name, manifest, part=part, sparse=sparse)


@pytest.fixture
def registry() -> Iterator[tuple[MemoryStore, str]]:
    store = MemoryStore()
    with serve(store, ServeSettings(writable=True)) as server:
        yield store, server.host_port


def records(store: Source, repository: str, digest: Digest) -> list[dict[str, Any]]:
    assert store.refers is not None
    statements = []
    for referrer in store.refers.referrers(repository, digest):
        assert referrer.artifact_type == ARTIFACT_TYPE
        manifest = store.fetch(Name(repository, None, referrer.digest))
        with store.open(repository, manifest.layers[0]) as chunks:
            statements.append(json.loads(b"".join(bytes(chunk) for chunk in chunks)))
    return statements


@pytest.mark.parametrize("command", ["mirror", "push"])
def test_each_image_gets_a_record_that_is_about_it_alone(
    desk: Path, registry: tuple[MemoryStore, str], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store, host = registry
    assert main(["pack", "--from", "oci:source", "-o", "rel"]) == 0
    source = ["push", "rel"] if command == "push" else ["mirror", "--from", "oci:source"]
    words = [*source, "--to", host, "--record-at-target", "--plain-http", host]
    assert main(words) == 0
    assert "records at the target: 12 attached" in capsys.readouterr().err
    for repository, built in IMAGES.items():
        (record,) = records(store, repository, built.digest)
        assert record["subject"] == [{"name": f"{host}/{repository}:1", "digest": {"sha256": built.digest.encoded}}]
        assert [entry["name"] for entry in record["predicate"]["images"]] == [f"{repository}:1"]
        assert "bytes" not in record["predicate"]
        others = json.dumps(record).replace(f"{repository}:1", "")
        assert "app/image" not in others
    assert main(words) == 0  # all is there, and has its record
    assert "records at the target: 0 attached, 12 had one" in capsys.readouterr().err
    assert len(records(store, "app/image3", IMAGES["app/image3"].digest)) == 1


def test_a_folder_takes_records_too(desk: Path) -> None:
    assert main(["mirror", "--from", "oci:source", "--to", "oci:far", "--record-at-target"]) == 0
    far = LayoutStore(desk / "far")
    for repository, built in IMAGES.items():
        assert len(records(far, repository, built.digest)) == 1


def test_what_is_there_without_a_record_gets_one(desk: Path, registry: tuple[MemoryStore, str]) -> None:
    store, host = registry
    words = ["mirror", "--from", "oci:source", "--to", host, "--plain-http", host]
    assert main(words) == 0
    assert main([*words, "--record-at-target"]) == 0
    (record,) = records(store, "app/image3", IMAGES["app/image3"].digest)
    assert record["predicate"]["images"][0]["status"] == "unchanged"


def test_an_image_that_failed_gets_none(desk: Path, registry: tuple[MemoryStore, str]) -> None:
    store, host = registry
    words = ["mirror", "app/image1:1", "app/none:1", "--from", "oci:source", "--to", host, "--plain-http", host]
    assert main([*words, "--record-at-target"]) == 1
    assert len(records(store, "app/image1", IMAGES["app/image1"].digest)) == 1


def test_a_target_that_refuses_artifacts_is_named_and_keeps_its_images(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Refusing()
    store.spared = "app/image1"
    with serve(store, ServeSettings(writable=True)) as server:
        host = server.host_port
        words = ["mirror", "--from", "oci:source", "--to", host, "--plain-http", host]
        assert main([*words, "--record-at-target"]) not in {0, 70}
    printed = capsys.readouterr()
    assert "done: 12 copied" in printed.out
    assert "11 of 12 records could not be attached to their images: " in printed.err
    assert len(records(store, "app/image1", IMAGES["app/image1"].digest)) == 1
    assert all(store.resolve(Name(repository, "1")).digest == built.digest for repository, built in IMAGES.items())


def test_flags_that_do_not_go_together(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["mirror", "--from", "oci:source", "--to", "oci:far", "--to", "oci:more", "--record-at-target"]
    assert main(words) == 2
    assert "--record-at-target is for one target" in capsys.readouterr().err


def test_a_record_costs_five_requests_at_serve_and_one_that_is_there_costs_one(desk: Path) -> None:
    spent = []
    for flags in ([], ["--record-at-target"]):
        with serve(MemoryStore(), ServeSettings(writable=True)) as server:
            words = ["mirror", "--from", "oci:source", "--to", server.host_port, "--plain-http", server.host_port]
            assert main([*words, *flags]) == 0
            first = server.requests.total
            assert main([*words, *flags]) == 0
            spent.append((first, server.requests.total - first))
    (plain, plain_again), (recorded, recorded_again) = spent
    assert recorded - plain == 5 * len(IMAGES)
    assert recorded_again - plain_again == len(IMAGES)
