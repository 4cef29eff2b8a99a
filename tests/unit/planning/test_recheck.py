"""What a target has lost below its names: found, told, and brought again, with no more questions than needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import transload
from transload import LayoutStore, MemoryStore
from transload.cli.main import main
from transload.oci import Digest, Name
from transload.server import Served, ServeSettings, serve
from transload.testing.images import Built, fill, image, multi_platform

ONE, MANY = image("one", layers=(3000, 70_000)), multi_platform("many")
LAYER = max(ONE.walk_contents(), key=lambda content: content.descriptor.size).descriptor
CHILD = next(built for built in MANY.walk() if built is not MANY)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a folder of its own, with a source in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    source = LayoutStore("source", create=True)
    for built, repository in ((ONE, "a/one"), (MANY, "a/many")):
        fill(source, built, repository, "1")


def bring(to: str, recheck: bool = False) -> transload.Result:
    return transload.mirror((), origin="oci:source", to=to, recheck=recheck)


def statuses(result: transload.Result) -> dict[str, str]:
    return {image.name.rpartition("/")[2]: image.status for image in result.images}


# --- registries


@pytest.fixture
def site() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def local(site: MemoryStore) -> Iterator[Served]:
    with serve(site, ServeSettings(writable=True)) as served:
        yield served


def lose(site: MemoryStore, repository: str, digest: Digest) -> None:
    """Lose content below a tag, as a registry does whose garbage collection ran during an upload."""
    contents = site._repositories[repository]
    contents.blobs.pop(digest, None)
    contents.manifests.pop(digest, None)


def test_a_blob_below_a_tag_is_brought_again_only_when_it_is_asked_for(local: Served, site: MemoryStore) -> None:
    bring(local.host_port)
    lose(site, "a/one", LAYER.digest)
    assert not transload.verify("oci:source", to=local.host_port).good
    assert statuses(bring(local.host_port)) == {"one:1": "unchanged", "many:1": "unchanged"}
    again = bring(local.host_port, recheck=True)
    assert statuses(again) == {"one:1": "updated", "many:1": "unchanged"}
    assert again.moved_bytes == LAYER.size
    assert "without" in str(again.to_json())
    assert transload.verify("oci:source", to=local.host_port, deep=True).good


def test_a_manifest_below_an_index_is_brought_again(local: Served, site: MemoryStore) -> None:
    bring(local.host_port)
    lose(site, "a/many", CHILD.descriptor.digest)
    again = bring(local.host_port, recheck=True)
    assert statuses(again) == {"one:1": "unchanged", "many:1": "updated"}
    assert again.moved_bytes == 0
    assert site.fetch(Name("a/many", None, CHILD.descriptor.digest)).raw == CHILD.manifest.raw


def test_a_blob_below_a_child_of_an_index_is_brought_again(local: Served, site: MemoryStore) -> None:
    bring(local.host_port)
    blob = next(iter(CHILD.walk_contents())).descriptor
    lose(site, "a/many", blob.digest)
    again = bring(local.host_port, recheck=True)
    assert again.moved_bytes == blob.size
    assert transload.verify("oci:source", to=local.host_port, deep=True).good


def pieces(*images: Built) -> int:
    """One question for each manifest and each blob of each repository."""
    return sum(len({*built.walk()}) + len({each.descriptor for each in built.walk_contents()}) for built in images)


def test_it_costs_a_request_for_each_manifest_and_each_blob(local: Served) -> None:
    bring(local.host_port)
    before = local.requests.total
    bring(local.host_port)
    unchanged = local.requests.total - before
    bring(local.host_port, recheck=True)
    rechecked = local.requests.total - before - unchanged
    assert rechecked - unchanged == pieces(ONE, MANY)


# --- folders


def file_of(digest: Digest) -> Path:
    return Path("copy/blobs") / digest.algorithm / digest.encoded


def damage(digest: Digest) -> None:
    """Change one byte, as a bad sector does; the size stays."""
    with file_of(digest).open("r+b") as file:
        file.seek(100)
        byte = file.read(1)
        file.seek(100)
        file.write(bytes([byte[0] ^ 1]))


def test_a_damaged_blob_is_noted_by_verify_and_brought_again_by_the_next_run() -> None:
    bring("oci:copy")
    damage(LAYER.digest)
    assert statuses(bring("oci:copy"))["one:1"] == "unchanged"  # nobody has read it yet
    checked = transload.verify("oci:copy", deep=True)
    hints = [proof.error.hint for proof in checked.proofs if proof.error]
    assert hints == ["it is noted in the folder: mirror or push to it again, and the blob is brought again"]
    again = bring("oci:copy")
    assert (statuses(again)["one:1"], again.moved_bytes) == ("updated", LAYER.size)
    assert transload.verify("oci:copy", deep=True).good
    assert bring("oci:copy").moved_bytes == 0
    assert not list(Path("copy/.transload/damaged").iterdir())


def test_a_note_on_a_blob_that_is_right_costs_one_reading() -> None:
    bring("oci:copy")
    LayoutStore("copy").doubts.note(LAYER.digest)
    assert bring("oci:copy").moved_bytes == 0
    assert not list(Path("copy/.transload/damaged").iterdir())


@pytest.mark.parametrize("digest", [ONE.descriptor.digest, MANY.descriptor.digest, CHILD.descriptor.digest])
@pytest.mark.parametrize("how", ["damaged", "missing"])
def test_a_manifest_in_a_folder_is_brought_again(digest: Digest, how: str) -> None:
    bring("oci:copy")
    if how == "damaged":
        damage(digest)
    else:
        file_of(digest).unlink()
    assert not transload.verify("oci:copy").good
    bring("oci:copy")
    assert transload.verify("oci:copy", deep=True).good


def test_a_missing_or_short_blob_in_a_folder_is_brought_again() -> None:
    bring("oci:copy")
    os.truncate(file_of(LAYER.digest), 10)
    assert bring("oci:copy").moved_bytes == LAYER.size
    file_of(LAYER.digest).unlink()
    assert bring("oci:copy").moved_bytes == LAYER.size
    assert transload.verify("oci:copy", deep=True).good


def test_a_folder_that_cannot_be_written_to_is_told_so() -> None:
    bring("oci:copy")
    damage(LAYER.digest)
    Path("copy/.transload/damaged").write_text("no folder, so that no note can be written")
    hints = [str(proof.error.hint) for proof in transload.verify("oci:copy", deep=True).proofs if proof.error]
    assert hints[0].startswith("this cannot be noted there")


def test_only_a_folder_can_be_read_back_from_its_medium() -> None:
    with pytest.raises(transload.UsageError, match="is not on a medium of this machine"):
        transload.mirror((), origin="oci:source", to="127.0.0.1:1", verify_medium=True)


def test_a_folder_that_lacks_nothing_is_not_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["mirror", "--from", "oci:source", "--to", "oci:target", "--verify-medium", "--quiet"]
    assert main(words) == 0
    assert "read back from target, all as written" in capsys.readouterr().err
    assert main(words) == 0
    assert "so nothing was read back: transload verify oci:target --deep" in capsys.readouterr().err
