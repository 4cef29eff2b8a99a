"""A plan is a file, a compressed file, or an artifact in a registry, and is read from each as it was written."""

from __future__ import annotations

import contextlib
import gzip
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.app.network import Network
from transload.app.planplaces import PLAN_TYPE, PlanAddress, opened_plan
from transload.app.settings import Environment
from transload.app.stores import Logins, Stores
from transload.cli.main import main
from transload.errors import UsageError
from transload.layout import LayoutStore
from transload.limits import PLAN_BYTES
from transload.memory import MemoryStore
from transload.oci import Name
from transload.server import Served, ServeSettings, serve
from transload.testing.images import fill, image
from transload.threads import Cancellation

Ran = tuple[int, str]


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    fill(LayoutStore(tmp_path / "source", create=True), image("one", (1000,)), "app", "1")
    return tmp_path


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def registry(store: MemoryStore, tmp_path: Path) -> Iterator[Served]:
    with serve(store, ServeSettings(writable=True, spool_folder=tmp_path)) as served:
        yield served


def plan(out: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Make a plan; what `apply` is to be given."""
    capsys.readouterr()
    assert main(["plan", "--from", "oci:source", "--to", "oci:target", "--out", out]) == 0
    return capsys.readouterr().err.rpartition("to do it: transload apply ")[2].strip()


def content(address: str) -> bytes:
    """The bytes of a plan in a registry."""
    with (
        Stores(Environment(), Network(), Logins(), Cancellation()) as stores,
        opened_plan(PlanAddress.parse(address), stores) as file,
    ):
        return file.read()


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> Ran:
    capsys.readouterr()
    return main(words), capsys.readouterr().err


def test_a_compressed_plan_is_the_same_plan(capsys: pytest.CaptureFixture[str]) -> None:
    plan("plan.json", capsys)
    assert plan("plan.json.gz", capsys) == "plan.json.gz"
    assert gzip.decompress(Path("plan.json.gz").read_bytes()) == Path("plan.json").read_bytes()
    assert main(["apply", "plan.json.gz"]) == 0


def test_a_plan_in_a_registry_is_named_by_its_digest(
    registry: Served, store: MemoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"oci://{registry.host_port}/plans/app:1"
    named = plan(address, capsys)
    manifest = store.fetch(Name("plans/app", "1"))
    assert named == f"{address}@{manifest.digest}"
    assert json.loads(manifest.raw)["artifactType"] == PLAN_TYPE
    plan("plan.json", capsys)
    assert content(named) == Path("plan.json").read_bytes()
    for number in (1, 2):
        assert main(["apply", named, "--share", f"{number}/2"]) == 0
    assert main(["apply", address, "--finish", "--of", "2"]) == 0
    assert main(["verify", "oci:source", "--to", "oci:target"]) == 0


def test_another_plan_under_the_tag_is_not_taken_for_the_one_that_was_named(
    registry: Served, desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"oci://{registry.host_port}/plans/app:1"
    named = plan(address, capsys)
    fill(LayoutStore(desk / "source"), image("two", (1000,)), "app", "1")
    other = plan(address, capsys)
    assert other != named
    assert content(named) != content(address)


def test_an_image_is_no_plan(registry: Served, store: MemoryStore, capsys: pytest.CaptureFixture[str]) -> None:
    fill(store, image("three", (1000,)), "app", "1")
    code, told = refused(["apply", f"oci://{registry.host_port}/app:1"], capsys)
    assert (code, "/app:1 is not a plan" in told) == (2, True)


def test_what_is_not_there_is_not_there(registry: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(["apply", f"oci://{registry.host_port}/plans/none:1"], capsys)[0] == 4


@pytest.mark.parametrize(
    "text", ["oci://", "oci://registry.local", "oci://registry.local/a", "oci://a/b:1", "oci:///b:1"]
)
def test_an_address_that_names_no_plan_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = refused(["apply", text], capsys)
    assert (code, "error: " in told) == (2, True)


def test_a_plan_is_written_under_a_tag(capsys: pytest.CaptureFixture[str]) -> None:
    address = f"oci://registry.invalid/plans@sha256:{'0' * 64}"
    code, told = refused(["plan", "--from", "oci:source", "--to", "oci:target", "--out", address], capsys)
    assert (code, "written under a tag" in told) == (2, True)


@pytest.mark.parametrize("content", [b"\x1f\x8b", gzip.compress(b"{}", mtime=0)[:-9], b"\x1f\x8b\x08\x00" + b"x" * 40])
def test_a_damaged_file_is_told(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    Path("plan.json.gz").write_bytes(content)
    code, told = refused(["apply", "plan.json.gz"], capsys)
    assert (code, "plan.json.gz is damaged" in told) == (2, True)


def test_a_file_that_unpacks_to_more_than_a_plan_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plan.json.gz").write_bytes(gzip.compress(b" " * (PLAN_BYTES + 1000)))
    code, _ = refused(["apply", "plan.json.gz"], capsys)
    assert code == 2


@given(st.text(max_size=80))
def test_any_address_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        name = PlanAddress.parse(f"oci://{text}").name
        assert name.tag or name.digest


def test_without_a_folder_for_temporary_files_that_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan("plan.json.gz", capsys)
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    code, told = refused(["apply", "plan.json.gz"], capsys)
    assert (code, "there is no folder for temporary files" in told) == (8, True)
