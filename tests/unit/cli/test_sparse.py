"""An index some of whose children were left out on purpose: held, proved, carried, and pushed where it is taken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.server.asking import ask
from transload.cli.main import main
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Name
from transload.server import Served, ServeSettings, serve
from transload.testing.images import AMD64, ARM64, fill, index, multi_platform

MANY = multi_platform("many", platforms=(AMD64, ARM64), layers=(1000,))
KEPT, ABSENT = MANY.children
SPARSE = ("--platform", "linux/amd64", "--narrow", "sparse")


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Served]:
    store = MemoryStore()
    fill(store, MANY, "acme/many", "1")
    with serve(store, ServeSettings(spool_folder=tmp_path)) as served:
        yield served


@pytest.fixture
def far() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def lenient(far: MemoryStore, tmp_path: Path) -> Iterator[Served]:
    with serve(far, ServeSettings(writable=True, allow_sparse=True, spool_folder=tmp_path)) as served:
        yield served


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Served]:
    with serve(MemoryStore(), ServeSettings(writable=True, spool_folder=tmp_path)) as served:
        yield served


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out + err


def test_it_crosses_in_a_bundle(
    capsys: pytest.CaptureFixture[str], source: Served, lenient: Served, far: MemoryStore, desk: Path
) -> None:
    wanted = f"{source.host_port}/acme/many:1"
    assert told(capsys, "pack", wanted, *SPARSE, "-o", "b")[0] == 0
    assert told(capsys, "verify", "b")[0] == 0
    code, text = told(capsys, "push", "b", "--to", f"{lenient.host_port}/m")
    assert (code, "1 of 2 platform entries" in text, "(sparse)" in text) == (0, True, True), text
    assert far.resolve(Name("m/acme/many", "1")).digest == MANY.digest
    assert far.left_out("m/acme/many", MANY.digest) == {ABSENT.digest}
    assert told(capsys, "verify", "b", "--to", f"{lenient.host_port}/m", "--deep")[0] == 0
    assert told(capsys, "push", "b", "--to", f"{lenient.host_port}/m")[1].startswith("nothing to do")


def test_it_crosses_in_a_folder(
    capsys: pytest.CaptureFixture[str], source: Served, lenient: Served, far: MemoryStore, desk: Path
) -> None:
    wanted = f"{source.host_port}/acme/many:1"
    assert told(capsys, "mirror", wanted, *SPARSE, "--to", "oci:folder")[0] == 0
    assert told(capsys, "verify", "oci:folder", "--deep")[0] == 0
    assert told(capsys, "mirror", "--from", "oci:folder", "--to", "oci:copy")[0] == 0
    assert told(capsys, "verify", "oci:copy")[0] == 0
    assert told(capsys, "mirror", "--from", "oci:copy", "--to", lenient.host_port)[0] == 0
    assert far.resolve(Name("acme/many", "1")).digest == MANY.digest
    assert told(capsys, "verify", "oci:copy", "--to", lenient.host_port)[0] == 0


def test_a_target_that_takes_none_says_so_and_what_to_do(
    capsys: pytest.CaptureFixture[str], source: Served, strict: Served
) -> None:
    wanted = f"{source.host_port}/acme/many:1"
    assert told(capsys, "pack", wanted, *SPARSE, "-o", "b")[0] == 0
    code, text = told(capsys, "push", "b", "--to", strict.host_port)
    assert (code, "the target does not take an incomplete index (1 of 2 left out)" in text) == (7, True), text
    assert "--allow-sparse" in text
    code, text = told(capsys, "push", "b", "--to", strict.host_port, "--platform", "linux/amd64")
    assert (code, "index rewritten" in text) == (0, True), text


def test_left_out_on_purpose_is_not_lost(capsys: pytest.CaptureFixture[str], source: Served, desk: Path) -> None:
    wanted = f"{source.host_port}/acme/many:1"
    assert told(capsys, "mirror", wanted, *SPARSE, "--to", "oci:folder")[0] == 0
    (desk / "folder" / "blobs" / "sha256" / KEPT.digest.encoded).unlink()
    code, text = told(capsys, "verify", "oci:folder")
    assert (code != 0, "damaged" in text) == (True, True)


def test_what_was_left_out_comes_when_it_is_wanted(
    capsys: pytest.CaptureFixture[str], source: Served, desk: Path
) -> None:
    wanted = f"{source.host_port}/acme/many:1"
    assert told(capsys, "mirror", wanted, *SPARSE, "--to", "oci:folder")[0] == 0
    assert told(capsys, "verify", wanted, "--to", "oci:folder")[0] != 0
    assert told(capsys, "mirror", wanted, "--to", "oci:folder")[0] == 0
    assert "left-out" not in (desk / "folder" / "index.json").read_text()
    assert told(capsys, "verify", wanted, "--to", "oci:folder")[0] == 0


def test_a_saved_plan_knows_what_it_leaves_out(capsys: pytest.CaptureFixture[str], source: Served, desk: Path) -> None:
    wanted = f"{source.host_port}/acme/many:1"
    assert told(capsys, "plan", wanted, *SPARSE, "--to", "oci:folder", "-o", "plan.json")[0] == 0
    steps = json.loads((desk / "plan.json").read_text())["steps"]
    assert [step["left_out"] for step in steps if "left_out" in step] == [[ABSENT.digest]]
    assert told(capsys, "apply", "plan.json")[0] == 0
    assert LayoutStore(desk / "folder").left_out("", MANY.digest) == {ABSENT.digest}


def test_an_index_within_an_index_may_be_sparse_too(
    capsys: pytest.CaptureFixture[str], lenient: Served, far: MemoryStore
) -> None:
    outer = index([(MANY, None)])
    fill(far, KEPT, "acme/many")
    far.put_manifest(Name("acme/many", None, MANY.digest), MANY.manifest, sparse=True)
    far.put_manifest(Name("acme/many", "1"), outer.manifest)
    store = LayoutStore("folder", create=True)
    for content in KEPT.walk_contents():
        with store.begin("a", content.descriptor) as ingest:
            ingest.write([content.read()])
            ingest.commit()
    store.put_manifest(Name("a", None, KEPT.digest), KEPT.manifest, part=True)
    store.put_manifest(Name("a", None, MANY.digest), MANY.manifest, part=True, sparse=True)
    store.put_manifest(Name("a", "1"), outer.manifest)
    assert told(capsys, "verify", "oci:folder")[0] == 0
    assert told(capsys, "pack", "--from", "oci:folder", "-o", "b")[0] == 0
    assert told(capsys, "verify", "b")[0] == 0
    assert told(capsys, "push", "b", "--to", f"{lenient.host_port}/m", "--image", "a:1")[0] == 0
    assert far.resolve(Name("m/a", "1")).digest == outer.digest


def test_a_layer_that_never_came_is_missing_and_not_left_out(capsys: pytest.CaptureFixture[str], desk: Path) -> None:
    store = LayoutStore(desk / "folder", create=True)
    layer = KEPT.manifest.layers[0]
    with serve(store, ServeSettings(writable=True, allow_sparse=True)) as served:
        for digest, content in KEPT.blobs.items():
            if digest != layer.digest:
                assert ask(served, "POST", f"/v2/acme/many/blobs/uploads/?digest={digest}", content).status == 201
        for reference, built in (("amd64", KEPT), ("1", MANY)):
            headers = {"Content-Type": built.manifest.media_type}
            answer = ask(served, "PUT", f"/v2/acme/many/manifests/{reference}", built.manifest.raw, headers)
            assert answer.status == 201
    assert store.left_out("acme/many", MANY.digest) == {ABSENT.digest}
    for words in (("verify", "oci:folder"), ("mirror", "--from", "oci:folder", "--to", "oci:copy")):
        code, text = told(capsys, *words)
        assert (code != 0, layer.digest.short in text, ABSENT.digest.short in text) == (True, True, False), text
