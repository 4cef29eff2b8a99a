"""Files as artifacts: what is written is what the specification and oras say; titles from outside are hostile."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import transload
from transload import Cancellation, Environment, LayoutStore, MemoryStore, Store, open_store
from transload.errors import (
    CorruptError,
    DiskFull,
    FileExists,
    Interrupted,
    LocalError,
    ManifestUnknown,
    MemberUnsafe,
    ReadOnly,
    ReferenceInvalid,
    Refused,
    SizeMismatch,
    UsageError,
)
from transload.events import StepMoved, StepRetried
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci import mediatype as types
from transload.ports import Chunk
from transload.server import Served, ServeSettings, serve
from transload.testing.faults import FaultyStore, corrupts, fails
from transload.testing.images import fill, image, multi_platform, put
from transload.testing.layers import Content
from transload.verbs.means import AnyEvent

NOTHING = Environment()
NOTES = "application/vnd.example.notes"
TITLE = "org.opencontainers.image.title"
APP, WEB = image("app"), multi_platform("web")


@pytest.fixture
def held() -> MemoryStore:
    store = MemoryStore()
    fill(store, APP, "team/app", "1")
    fill(store, WEB, "team/app", "web")
    return store


@pytest.fixture
def served(held: MemoryStore) -> Iterator[Served]:
    with serve(held, ServeSettings(writable=True)) as served:
        yield served


@pytest.fixture(params=["registry", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A registry and a folder, each with an image to refer to."""
    if request.param == "registry":
        served = request.getfixturevalue("served")
        with open_store(f"{served.host_port}/team", environment=NOTHING) as opened:
            yield opened
    else:
        folder = LayoutStore(tmp_path / "layout", create=True)
        fill(folder, APP, "app", "1")
        with open_store(f"oci:{tmp_path / 'layout'}", environment=NOTHING) as opened:
            yield opened


def store_layers(
    layers: Mapping[str | None, bytes] | list[tuple[str | None, bytes]],
    config: Content | None = None,
    **more: Any,
) -> Store:
    """A store with an artifact `app:x` whose layers have these titles, as any publisher may write them."""
    config = config or Content.of(b"{}", types.OCI_EMPTY)
    pairs = layers if isinstance(layers, list) else list(layers.items())
    contents = [Content.of(content, "application/octet-stream") for _, content in pairs]
    held = MemoryStore()
    for content in (config, *contents):
        put(held, "app", content)
    entries = [
        content.descriptor.to_json() | ({} if title is None else {"annotations": {TITLE: title}})
        for content, (title, _) in zip(contents, pairs, strict=True)
    ]
    document = {
        "schemaVersion": 2,
        "mediaType": types.OCI_MANIFEST,
        "config": config.descriptor.to_json(),
        "layers": entries,
        **more,
    }
    held.put_manifest(Name("app", "x"), Manifest.parse(json.dumps(document).encode()))
    return Store(held)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


# --- in


def test_files_go_in_and_come_out(store: Store, tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(os.urandom(3_000_000))
    files: dict[str, Path | bytes] = {"notes.txt": b"read me", "big.bin": tmp_path / "big.bin", "none": b""}
    descriptor = store.put_artifact("app:notes", files, artifact_type=NOTES)
    assert store.resolve("app:notes") == descriptor
    paths = store.get_artifact("app:notes", tmp_path / "out" / "deep")
    assert [path.name for path in paths] == ["notes.txt", "big.bin", "none"]
    wanted = {"notes.txt": b"read me", "big.bin": (tmp_path / "big.bin").read_bytes(), "none": b""}
    assert files_in(tmp_path / "out" / "deep") == wanted


def test_the_manifest_is_the_one_of_the_specification(store: Store) -> None:
    store.put_artifact(
        "app:notes",
        {"notes.txt": b"read me"},
        artifact_type=NOTES,
        subject="app:1",
        annotations={"b": "2", "a": "1"},
        media_type="text/plain",
    )
    assert json.loads(store.fetch("app:notes").raw) == {
        "schemaVersion": 2,
        "mediaType": types.OCI_MANIFEST,
        "artifactType": NOTES,
        "config": {"mediaType": types.OCI_EMPTY, "digest": Digest.of(b"{}"), "size": 2},
        "layers": [
            {
                "mediaType": "text/plain",
                "digest": Digest.of(b"read me"),
                "size": 7,
                "annotations": {TITLE: "notes.txt"},
            }
        ],
        "subject": {"mediaType": APP.manifest.media_type, "digest": APP.digest, "size": len(APP.manifest.raw)},
        "annotations": {"a": "1", "b": "2"},
    }


def test_the_same_files_have_the_same_digest(store: Store, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
    by_path = store.put_artifact("app:one", [tmp_path / "a", tmp_path / "b"], artifact_type=NOTES)
    by_bytes = store.put_artifact("other:two", {"a": b"a", "b": b"b"}, artifact_type=NOTES)
    assert by_path == by_bytes


@pytest.mark.parametrize("subject", ["app:1", f"app@{APP.digest}", str(APP.digest), APP.descriptor])
def test_without_a_tag_the_digest_and_the_subject_lead_to_it(store: Store, subject: str | Descriptor) -> None:
    before = set(store.tags("app"))
    noted = store.put_artifact("app", {"notes": b"n"}, artifact_type=NOTES, subject=subject)
    assert set(store.tags("app")) == before
    assert store.exists(f"app@{noted.digest}")
    (referrer,) = store.referrers("app:1", NOTES)
    assert referrer == noted
    assert referrer.artifact_type == NOTES


def test_without_tag_and_subject_the_digest_leads_to_it(store: Store, tmp_path: Path) -> None:
    noted = store.put_artifact("notes", {"a": b"a"}, artifact_type=NOTES)
    assert store.tags("notes") == ()
    assert store.get_artifact(f"notes@{noted.digest}", tmp_path / "out") == (tmp_path / "out" / "a",)


def test_an_artifact_of_no_files(store: Store, tmp_path: Path) -> None:
    store.put_artifact("app:empty", {}, artifact_type=NOTES, annotations={"says": "all"})
    assert [layer.media_type for layer in store.fetch("app:empty").layers] == [types.OCI_EMPTY]
    assert store.get_artifact("app:empty", tmp_path / "out") == ()


def test_what_is_there_is_not_sent_again(served: Served, tmp_path: Path) -> None:
    with open_store(f"{served.host_port}/team", environment=NOTHING) as store:
        store.put_artifact("app:one", {"a": b"same", "b": b"same"}, artifact_type=NOTES)
        received = served.requests.bytes_received
        store.put_artifact("app:two", {"a": b"same", "b": b"same"}, artifact_type=NOTES)
        manifest = store.fetch("app:two")
        assert served.requests.bytes_received - received == len(manifest.raw)
        assert served.requests.by_kind["POST", "uploads"] == 2


@pytest.mark.parametrize(
    "title",
    ["", ".", "..", "a/b", "../a", "a\\b", "C:a", ".hidden", "nul", "COM1.txt", "a\nb", "a\x00", "a ", "a.", "x" * 256],
)
def test_a_title_that_could_not_come_out_does_not_go_in(store: Store, title: str) -> None:
    with pytest.raises(UsageError, match="cannot be the title"):
        store.put_artifact("app:notes", {title: b"x"}, artifact_type=NOTES)
    assert not store.exists("app:notes")


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ("notes.txt", "is not a list"),
        (b"notes", "is not a list"),
        (Path("notes"), "is not a list"),
        ({"a": b"1", "A": b"2"}, "would have the title"),
        ({"a": "text"}, "neither a Path nor bytes"),
    ],
)
def test_what_are_no_files(store: Store, files: Any, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        store.put_artifact("app:notes", files, artifact_type=NOTES)


@pytest.mark.parametrize("kind", ["", "notes", "/", "text/", "a b/c", "text/ü"])
def test_what_is_no_media_type(store: Store, kind: str) -> None:
    with pytest.raises(UsageError, match="is not a media type"):
        store.put_artifact("app:notes", {}, artifact_type=kind)


def test_what_cannot_be_named_or_referred_to(store: Store) -> None:
    with pytest.raises(ReferenceInvalid, match="names a digest"):
        store.put_artifact(f"app@{APP.digest}", {}, artifact_type=NOTES)
    with pytest.raises(ReferenceInvalid, match="another repository"):
        store.put_artifact("other:notes", {}, artifact_type=NOTES, subject="app:1")
    with pytest.raises(ManifestUnknown):
        store.put_artifact("app:notes", {}, artifact_type=NOTES, subject="app:9")
    assert not store.exists("app:notes")


def test_files_that_cannot_be_read(store: Store, tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="there is no file"):
        store.put_artifact("app:notes", [tmp_path / "none"], artifact_type=NOTES)
    (tmp_path / "folder").mkdir()
    with pytest.raises(LocalError, match="is a folder"):
        store.put_artifact("app:notes", [tmp_path / "folder"], artifact_type=NOTES)


@pytest.mark.parametrize("now", [b"AS LONG AS THIS", b"shorter", b"longer than it was before"])
def test_a_file_that_changes_on_the_way(held: MemoryStore, tmp_path: Path, now: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"as long as this")

    def change(_: AnyEvent) -> None:
        path.write_bytes(now)

    with pytest.raises(LocalError, match="changed while it was sent"):
        Store(held, "team", progress=change).put_artifact("app:log", [path], artifact_type=NOTES)
    with pytest.raises(ManifestUnknown):
        held.resolve(Name("team/app", "log"))


def test_a_file_that_shrinks_before_a_registry_has_it(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(bytes(9_000_000))

    def shrink(event: AnyEvent) -> None:
        if isinstance(event, StepMoved) and 0 < event.position < 8_000_000:
            os.truncate(path, 8_000_000)

    with open_store(f"{served.host_port}/team", environment=NOTHING, progress=shrink) as store:
        with pytest.raises(LocalError, match="changed while it was sent"):
            store.put_artifact("app:log", [path], artifact_type=NOTES)
        assert not store.exists("app:log")


def test_a_broken_connection_is_tried_again_and_told(held: MemoryStore) -> None:
    heard: list[AnyEvent] = []
    broken = FaultyStore(held, [fails("write", times=1)])
    Store(broken, "team", progress=heard.append).put_artifact("app:notes", {"a": b"a"}, artifact_type=NOTES)
    assert len([event for event in heard if isinstance(event, StepRetried)]) == 1
    assert any(isinstance(event, StepMoved) for event in heard)
    assert held.fetch(Name("team/app", "notes")).artifact_type == NOTES


def test_a_registry_that_is_only_read(held: MemoryStore) -> None:
    with serve(held) as served, pytest.raises(ReadOnly):
        transload.put_artifact(f"{served.host_port}/a:1", {"a": b"a"}, artifact_type=NOTES, environment=NOTHING)


def test_a_cancelled_call_stores_nothing(held: MemoryStore) -> None:
    cancellation = Cancellation()

    def stop(_: AnyEvent) -> None:
        cancellation.cancel()

    store = Store(held, "team", progress=stop, cancellation=cancellation)
    with pytest.raises(Interrupted):
        store.put_artifact("app:notes", {"a": b"a", "b": b"b"}, artifact_type=NOTES)
    with pytest.raises(ManifestUnknown):
        held.resolve(Name("team/app", "notes"))


# --- out


@pytest.mark.parametrize(
    "title",
    [
        "",
        "..",
        "../../etc/passwd",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "C:\\a",
        "a:stream",
        ".bashrc",
        "aux.txt",
        "a\x1b[2J",
        "a\u202etxt",
        "a ",
        "x" * 256,
    ],
)
def test_a_hostile_title_writes_nothing(title: str, tmp_path: Path) -> None:
    store = store_layers({"fine": b"1", title: b"2"})
    with pytest.raises(MemberUnsafe) as raised:
        store.get_artifact("app:x", tmp_path / "in" / "out")
    assert str(raised.value).isprintable()
    assert list(tmp_path.iterdir()) == []


def test_two_files_of_one_title(tmp_path: Path) -> None:
    with pytest.raises(MemberUnsafe, match="two files"):
        store_layers([("a", b"1"), ("A", b"2")]).get_artifact("app:x", tmp_path / "out")
    same = store_layers([("a", b"1"), ("a", b"1")])
    assert [path.name for path in same.get_artifact("app:x", tmp_path / "out")] == ["a"]


def test_a_layer_without_title_is_called_by_its_digest(tmp_path: Path) -> None:
    """As in Helm charts and cosign's signatures."""
    config = Content.of(b'{"name": "chart"}', "application/vnd.cncf.helm.config.v1+json")
    store = store_layers({None: b"chart", "README": b"read me"}, config)
    store.get_artifact("app:x", tmp_path / "out")
    digest = Digest.of(b"chart")
    assert files_in(tmp_path / "out") == {f"sha256-{digest.encoded}": b"chart", "README": b"read me"}


def test_an_image_is_no_artifact(store: Store, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is an image") as raised:
        store.get_artifact("app:1", tmp_path / "out")
    assert "transload.copy" in (raised.value.hint or "")
    assert not (tmp_path / "out").exists()


def test_files_beside_the_layers_of_an_image(tmp_path: Path) -> None:
    store = store_layers({None: b"layer", "licence": b"free"}, Content.of(b"{}", types.OCI_CONFIG))
    assert [path.name for path in store.get_artifact("app:x", tmp_path)] == ["licence"]


def test_an_index_is_no_artifact(served: Served, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is an index") as raised:
        transload.get_artifact(f"{served.host_port}/team/app:web", tmp_path / "out", environment=NOTHING)
    assert str(WEB.children[0].digest) in (raised.value.hint or "")


def test_nothing_is_written_over(tmp_path: Path) -> None:
    store = store_layers({"a": b"new a", "b": b"new b"})
    (tmp_path / "b").write_bytes(b"old")
    with pytest.raises(FileExists):
        store.get_artifact("app:x", tmp_path)
    assert files_in(tmp_path) == {"b": b"old"}
    store.get_artifact("app:x", tmp_path, overwrite=True)
    assert files_in(tmp_path) == {"a": b"new a", "b": b"new b"}


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"kept")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path / "outside")
    store = store_layers({"a": b"new"})
    with pytest.raises(FileExists):
        store.get_artifact("app:x", tmp_path / "out")
    store.get_artifact("app:x", tmp_path / "out", overwrite=True)
    assert (tmp_path / "outside").read_bytes() == b"kept"
    assert (tmp_path / "out" / "a").read_bytes() == b"new"


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with pytest.raises(LocalError, match="is a folder"):
        store_layers({"a": b"1", "b": b"2"}).get_artifact("app:x", tmp_path, overwrite=True)
    assert not (tmp_path / "a").exists()


def test_damage_leaves_no_file_at_all(tmp_path: Path) -> None:
    store = store_layers({"a": b"first", "b": b"second"})
    damaged = Store(FaultyStore(store.target, [corrupts(at=2, subject=Digest.of(b"second"))]))
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(CorruptError):
        damaged.get_artifact("app:x", tmp_path, overwrite=True)
    assert files_in(tmp_path) == {"a": b"old"}


def test_a_size_that_is_not_true(tmp_path: Path) -> None:
    store = store_layers({"a": b"12345"})
    raw = store.fetch("app:x").raw.replace(b'"size": 5', b'"size": 4')
    store.target.put_manifest(Name("app", "x"), Manifest.parse(raw))
    with pytest.raises(SizeMismatch):
        store.get_artifact("app:x", tmp_path / "out")
    assert files_in(tmp_path / "out") == {}


def test_more_than_the_disk_has_room_for_is_not_begun(tmp_path: Path) -> None:
    store = store_layers({"a": b"12345"})
    raw = store.fetch("app:x").raw.replace(b'"size": 5', b'"size": 5' + b"0" * 17)
    store.target.put_manifest(Name("app", "x"), Manifest.parse(raw))
    with pytest.raises(DiskFull, match="left"):
        store.get_artifact("app:x", tmp_path / "out")
    assert files_in(tmp_path / "out") == {}


class Cancelling(MemoryStore):
    """Asks for the end while the second blob is read."""

    def __init__(self, cancellation: Cancellation) -> None:
        super().__init__()
        self.cancellation, self.opened = cancellation, 0

    @contextmanager
    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[Chunk]]:
        self.opened += 1
        if self.opened == 2:
            self.cancellation.cancel()
        with super().open(repository, descriptor, offset, length) as chunks:
            yield chunks


def test_a_cancelled_call_leaves_no_file(tmp_path: Path) -> None:
    cancellation = Cancellation()
    held = Cancelling(cancellation)
    store = Store(held, cancellation=cancellation)
    store.put_artifact("app:x", {"a": b"first", "b": b"second", "c": b"third"}, artifact_type=NOTES)
    with pytest.raises(Interrupted):
        store.get_artifact("app:x", tmp_path / "out")
    assert (held.opened, files_in(tmp_path / "out")) == (2, {})


def test_what_is_not_there(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ManifestUnknown):
        store.get_artifact("app:none", tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- in one line


def test_one_line_each(served: Served, tmp_path: Path) -> None:
    app = f"{served.host_port}/team/app"
    (tmp_path / "notes.txt").write_bytes(b"read me")
    put_artifact, get_artifact = transload.put_artifact, transload.get_artifact
    noted = put_artifact(
        f"{app}:notes", [tmp_path / "notes.txt"], artifact_type=NOTES, subject=f"{app}:1", environment=NOTHING
    )
    assert transload.referrers(f"{app}:1", environment=NOTHING) == (noted,)
    by_digest = put_artifact(app, {"b": b"b"}, artifact_type=NOTES, subject=str(APP.digest), environment=NOTHING)
    assert get_artifact(f"{app}@{by_digest.digest}", tmp_path / "b", environment=NOTHING) == (tmp_path / "b" / "b",)
    get_artifact(f"{app}:notes", tmp_path / "out", environment=NOTHING)
    assert files_in(tmp_path / "out") == {"notes.txt": b"read me"}
    with pytest.raises(ReferenceInvalid, match="another registry"):
        put_artifact(app, {}, artifact_type=NOTES, subject="quay.io/team/app:1", environment=NOTHING)
