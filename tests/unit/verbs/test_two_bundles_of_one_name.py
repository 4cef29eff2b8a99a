"""A bundle that is not cut, beside the volumes of another one with the same name: whoever reads asks which is meant."""

import contextlib
import shutil
from pathlib import Path

import pytest

import transload
from tests import forked
from tests.unit.verbs.recoverable import NOTHING, pack_recoverable


@pytest.fixture(scope="module", params=["another", "the same images"])
def packed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source and two bundles; it is copied for each test."""
    folder = tmp_path_factory.mktemp("packed")
    with contextlib.chdir(folder):
        pack_recoverable()
        images = ["a/one:1"] if request.param == "another" else None
        Path("apart").mkdir()
        transload.pack((), "apart/b", origin="oci:source", images=images, environment=NOTHING)
        Path("apart/b.tar").rename("b.tar")
    return folder


@pytest.fixture
def two(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`b.tar` and `b.001.tar` to `b.003.tar` with two recovery volumes, in the current folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(packed, tmp_path, dirs_exist_ok=True)
    return Path("b.tar")


def contents() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}


def run(*words: str, code: int = 0) -> str:
    done = forked.run(*words)
    assert done.returncode == code, done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("named_as", ["b", "."])
@pytest.mark.parametrize(
    "command",
    [
        "verify {}",
        "push {} --to oci:target",
        "list {}",
        "extract {}",
        "repair {}",
        "mirror --from bundle:{} --to oci:target",
        "serve {} --listen 127.0.0.1:0",
        "pack --from bundle:{} --out c",
    ],
)
def test_every_reader_says_that_there_are_two(two: Path, command: str, named_as: str) -> None:
    before = contents()
    told = run(*command.format(named_as).split(), code=2)
    assert "there are two bundles called b: b.tar is one, and b.001.tar (with 2 other volumes) another" in told
    assert "b.tar or b.001.tar" in told
    assert contents() == before
    assert not Path("target").exists() or not any(Path("target").rglob("sha256/*"))


def test_the_one_that_is_named_is_read_and_the_other_stays(two: Path) -> None:
    before = contents()
    for file in ("b.tar", "b.001.tar", "b.002.tar"):
        assert transload.verify(f"bundle:{file}", environment=NOTHING).good
    assert run("repair", "b.001.tar") == "nothing to repair: every byte is right"
    assert "has no recovery volumes" in run("repair", "b.tar", code=4)
    assert contents() == before


def test_repair_of_the_volumes_leaves_the_other_bundle(two: Path) -> None:
    before = contents()
    Path("b.001.tar").unlink()
    run("verify", "b", code=2)
    hint = run("verify", "b.002.tar", code=6)
    assert "transload repair b.002.tar" in hint
    run("repair", "b.002.tar")
    assert {**contents(), "SHA256SUMS": b""} == {**before, "SHA256SUMS": b""}


def test_packing_onto_the_name_writes_nothing(two: Path) -> None:
    before = contents()
    told = run("pack", "--from", "oci:source", "--image", "a/two:1", "--out", "b", code=7)
    assert "b.tar exists already" in told
    told = run("pack", "--from", "oci:source", "--volume-count", "3", "--recovery", "3", "--out", "b", code=2)
    assert "there are two bundles called b" in told
    assert contents() == before


def test_a_file_that_was_joined_from_the_volumes_is_no_other_bundle(two: Path) -> None:
    two.write_bytes(b"".join(path.read_bytes() for path in sorted(Path().glob("b.0*.tar"))))
    assert transload.verify("bundle:b", environment=NOTHING).good
