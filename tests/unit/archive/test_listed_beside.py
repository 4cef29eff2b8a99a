"""Archives of docker since version 25 whose index does not list, or not name, all that docker's own list has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.archive.writer import Saved, layout_files, saved_files, write_tar
from transload.archive import ArchiveStore
from transload.memory import MemoryStore
from transload.oci import Name
from transload.planning import Item, Request, make_plan
from transload.testing.images import image
from transload.transfer import run

LISTED = image("listed", layers=(100,))
NAMED = Name("acme/app", "1")
ENTRY = {
    "Config": f"blobs/sha256/{LISTED.manifest.config.digest.encoded}",  # type: ignore[union-attr]
    "Layers": [f"blobs/sha256/{layer.digest.encoded}" for layer in LISTED.manifest.layers],
}
OTHER = Saved("other")


def archive(folder: Path, name: Name, listed: list[str] | None, tags: list[str] | None) -> ArchiveStore:
    """One image that the index lists as `name` and docker's list as `listed`, and one that only the latter has."""
    images = [(({}, ENTRY), listed), (OTHER.flat(), tags)]
    return ArchiveStore(write_tar(folder / "saved.tar", layout_files({name: LISTED}, full=True) | saved_files(*images)))


@pytest.mark.parametrize("tags", [None, ["acme/other:2"]])
def test_an_image_that_only_dockers_list_has_is_carried(tmp_path: Path, tags: list[str] | None) -> None:
    store = archive(tmp_path, NAMED, ["acme/app:1"], tags)
    names = [Name(repository, tag) for repository in store.repositories() for tag in store.tags(repository)]
    (other,) = [*(name for name in names if name != NAMED), *store.lists.untagged()]
    assert store.resolve(NAMED).digest == LISTED.digest
    assert other.tag == ("2" if tags else None)
    target = MemoryStore()
    plan = make_plan(Request((Item(store.locator, other, Name("far", "1")),)), {store.locator: store}, target)
    assert [ended.error for ended in run(plan, {store.locator: store}, target).images] == [None]
    config = target.fetch(Name("far", "1")).config
    assert config is not None
    assert config.digest == OTHER.config_digest
    assert any("docker save keeps no manifests" in note for note in store.notes)


def test_dockers_list_names_what_the_index_does_not(tmp_path: Path) -> None:
    store = archive(tmp_path, Name("acme/app"), ["acme/app:1"], None)
    assert list(store.tags("acme/app")) == ["1"]
    assert store.resolve(NAMED).digest == LISTED.digest
    assert len(list(store.lists.untagged())) == 1


def test_an_image_that_both_have_is_there_once(tmp_path: Path) -> None:
    files = layout_files({NAMED: LISTED}, full=True) | saved_files((({}, ENTRY), ["acme/app:1"]))
    store = ArchiveStore(write_tar(tmp_path / "saved.tar", files))
    assert list(store.repositories()) == ["acme/app"]
    assert list(store.lists.untagged()) == []
    assert not store.notes
