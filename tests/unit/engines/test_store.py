"""The images of an engine as a store, against a server that answers as an engine does."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.engines.scripted import answer, scripted
from transload.archive import ArchiveStore
from transload.engines.address import EngineAddress
from transload.engines.api import EngineApi
from transload.engines.listed import read_listed
from transload.engines.saving import Saved
from transload.engines.store import EngineStore
from transload.errors import ManifestUnknown, ProtocolTrouble, Refused, RepositoryUnknown, Truncated, Unreachable
from transload.oci import Digest, Name

APP = Name("acme/app", "1")
PUBLISHED = f"sha256:{'a' * 64}"


def listed(*images: dict[str, object]) -> bytes:
    return answer(200, json.dumps(images).encode())


def entry(identifier: str, *tags: str, published: tuple[str, ...] = ()) -> dict[str, object]:
    return {"Id": f"sha256:{identifier * 64}", "RepoTags": list(tags), "RepoDigests": list(published)}


def saved(*tags: str) -> bytes:
    """What `docker save` writes of one image without layers."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    name = f"{str(Digest.of(config)).partition(':')[2]}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": list(tags), "Layers": []}]).encode()
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for path, content in ((name, config), ("manifest.json", manifest)):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return raw.getvalue()


OPENED: list[EngineStore] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def store_at(path: Path, folder: Path, registry: str = "") -> EngineStore:
    """Such a store; it is closed after the test."""
    api = EngineApi(EngineAddress("docker", path))
    OPENED.append(EngineStore(api, registry, folder, lambda file, called: ArchiveStore(called, file)))
    return OPENED[-1]


def test_all_that_is_expected_is_saved_in_one_request(tmp_path: Path) -> None:
    images = [entry("1", "acme/app:1"), entry("2", "acme/other:2", "quay.io/acme/third:3")]
    with scripted(listed(*images), answer(200, saved("acme/app:1", "acme/other:2"))) as engine:
        store = store_at(engine.path, tmp_path)
        store.expect([APP, Name("acme/other", "2"), Name("acme/nosuch", "9")])
        assert store.fetch(APP).digest == store.fetch(Name("acme/other", "2")).digest
        assert b"names=docker.io%2Facme%2Fapp%3A1&names=docker.io%2Facme%2Fother%3A2 " in engine.requests[1]
    assert len(engine.requests) == 2
    assert list(tmp_path.iterdir()) == []  # the file has no name, so nothing stays of it


@pytest.mark.parametrize("status", [404, 500])  # docker, podman
def test_one_is_saved_alone_if_the_engine_refuses_them_together(status: int, tmp_path: Path) -> None:
    images = [entry("1", "acme/app:1"), entry("2", "acme/gone:2")]
    refusal = answer(status, b'{"message":"reference does not exist"}')
    with scripted(listed(*images), refusal, answer(200, saved("acme/app:1"))) as engine:
        store = store_at(engine.path, tmp_path)
        store.expect([APP, Name("acme/gone", "2")])
        assert store.fetch(APP).media_type


def test_one_name_of_two_registries_is_refused_unless_they_are_the_same_image(tmp_path: Path) -> None:
    with scripted(listed(entry("1", "a.test/acme/app:1"), entry("2", "b.test/acme/app:1"))) as engine:
        with pytest.raises(Refused, match=r"a\.test/acme/app:1 and b\.test/acme/app:1") as caught:
            store_at(engine.path, tmp_path).fetch(APP)
        assert "docker:a.test" in str(caught.value.hint)
    with scripted(listed(entry("1", "a.test/acme/app:1"), entry("2", "b.test/acme/app:1"))) as engine:
        assert list(store_at(engine.path, tmp_path, "b.test").repositories()) == ["acme/app"]


def test_what_the_engine_does_not_have(tmp_path: Path) -> None:
    with scripted(listed(entry("1", "acme/app:1"), entry("c", "<none>:<none>"))) as engine:
        store = store_at(engine.path, tmp_path)
        with pytest.raises(ManifestUnknown):
            store.fetch(Name("acme/app", "2"))
        with pytest.raises(ManifestUnknown) as by_identifier:
            store.fetch(Name("library/cccccccccccc", "latest"))
        with pytest.raises(ManifestUnknown, match="keeps no published manifests"):
            store.fetch(Name("acme/app", None, Digest(PUBLISHED)))
        with pytest.raises(RepositoryUnknown):
            store.tags("nosuch")
        assert list(store.repositories()) == ["acme/app"]
    assert "is an image's identifier: give it a name with docker tag" in str(by_identifier.value.hint)
    assert store.notes == ("1 image in it has no tag, and cannot be named; docker tag ID NAME:TAG gives a name",)


def test_a_digest_that_stays_needs_no_note(tmp_path: Path) -> None:
    raw = saved("acme/app:1")
    (tmp_path / "x.tar").write_bytes(raw)
    digest = ArchiveStore(tmp_path / "x.tar").fetch(APP).digest
    for published, notes in ((str(digest), 0), (PUBLISHED, 1)):
        images = listed(entry("1", "acme/app:1", published=(f"acme/app@{published}",)))
        with scripted(images, answer(200, raw)) as engine:
            store = store_at(engine.path, tmp_path)
            store.fetch(APP)
            assert len(store.notes) == notes, store.notes


def test_an_answer_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    whole = answer(200, saved("acme/app:1"))
    with scripted(listed(entry("1", "acme/app:1")), whole[:-3000]) as engine, pytest.raises(Unreachable):
        store_at(engine.path, tmp_path).fetch(APP)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "document", [{}, None, [1], [{"Id": 1}], [{"Id": "x", "RepoTags": "y"}], [{"Id": "x", "RepoTags": [1]}]]
)
def test_a_list_that_is_none(document: object) -> None:
    with pytest.raises(ProtocolTrouble):
        read_listed(document)


def test_the_file_has_no_name_and_an_error_closes_it(tmp_path: Path) -> None:
    file = Saved([b"abc", b"", b"de"], tmp_path)
    assert (file.size, file.path.read_bytes()) == (5, b"abcde")
    assert file.path.stat().st_nlink == 0
    file.close()

    def broken() -> Iterator[bytes]:
        yield b"abc"
        raise Truncated("it ended")

    with pytest.raises(Truncated):
        Saved(broken(), tmp_path)
