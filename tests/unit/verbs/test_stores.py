"""A store that is opened by its name and used call by call: names, prefixes, what is read, what is deleted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import transload
from tests.unit.bundle.packing import pack
from tests.unit.registry.wire import Asked, Said, serving
from transload import Cancellation, Environment, LayoutStore, Login, MemoryStore, Network, Secret, Store, open_store
from transload.errors import (
    BundleUnsigned,
    CredentialsRejected,
    DigestMismatch,
    Interrupted,
    LimitExceeded,
    LocalError,
    LoginMissing,
    ManifestUnknown,
    ReferenceInvalid,
    Refused,
    RepositoryUnknown,
    UsageError,
)
from transload.oci import Descriptor, Digest, Name
from transload.registry.known import KnownRegistries
from transload.server import Served, ServeSettings, serve
from transload.testing.faults import FaultyStore, corrupts
from transload.testing.images import SIGNATURE, artifact, fill, image, multi_platform, signature
from transload.threads import TaskGroup

APP, WEB, OUTSIDE = image("app"), multi_platform("web"), image("outside")
SIGNED, NOTED = signature(APP), artifact("notes", subject=APP)
NOTHING = Environment()


def filled(store: MemoryStore | LayoutStore) -> None:
    for tag in ("1", "2"):
        fill(store, APP, "team/app", tag)
    fill(store, WEB, "team/web", "1")
    fill(store, OUTSIDE, "secret/app", "1")
    fill(store, OUTSIDE, "teammates/app", "1")
    for referrer in (SIGNED, NOTED):
        fill(store, referrer, "team/app")


@pytest.fixture
def held() -> MemoryStore:
    store = MemoryStore()
    filled(store)
    return store


@pytest.fixture
def served(held: MemoryStore) -> Iterator[Served]:
    with serve(held, ServeSettings(writable=True)) as served:
        yield served


@pytest.fixture
def team(served: Served) -> Iterator[Store]:
    with open_store(f"{served.host_port}/team", environment=NOTHING) as store:
        yield store


# --- names and prefixes


def test_names_are_relative_to_the_prefix(team: Store, served: Served) -> None:
    assert (str(team), team.locator, team.prefix) == (f"{served.host_port}/team", served.host_port, "team")
    assert team.repositories() == ("app", "web")
    assert team.tags("app") == ("1", "2")
    assert team.resolve("app:1") == APP.descriptor
    assert team.resolve(f"app@{APP.digest}") == APP.descriptor
    assert team.fetch("web:1").raw == WEB.manifest.raw
    assert [team.exists(name) for name in ("app:1", "app:9", "none:1")] == [True, False, False]


@pytest.mark.parametrize(
    "name",
    ["../secret/app:1", "/secret/app:1", "app/../../secret/app:1", "./app:1", "app//x:1", "..:1", "app%2f..:1", "A:1"],
)
def test_nothing_leads_out_of_the_prefix(team: Store, name: str, served: Served) -> None:
    before = served.requests.total
    for ask in (team.resolve, team.fetch, team.exists, team.referrers, team.delete):
        with pytest.raises(ReferenceInvalid):
            ask(name)
    with pytest.raises(ReferenceInvalid):
        team.tags(name.rpartition(":")[0])
    assert served.requests.total == before


def test_what_lies_beside_the_prefix_is_not_there(team: Store) -> None:
    assert not team.exists("secret/app:1")
    assert not team.exists("teammates/app:1")
    with pytest.raises(RepositoryUnknown):
        team.tags("secret/app")
    with pytest.raises(ManifestUnknown):
        team.delete("secret/app:1")


def test_a_prefix_may_be_a_repository(served: Served) -> None:
    with open_store(f"{served.host_port}/team/app", environment=NOTHING) as app:
        assert app.repositories() == ("",)
        assert app.tags() == ("1", "2")
        assert app.resolve(":1") == APP.descriptor


@pytest.mark.parametrize("name", ["app", "", "app:", "app@sha256:0", "app@md5:00", "user@app:1", "app:1 2"])
def test_what_is_no_name_is_said_to_be_none(team: Store, name: str) -> None:
    with pytest.raises(ReferenceInvalid):
        team.resolve(name)


def test_any_store_can_be_wrapped(held: MemoryStore) -> None:
    with Store(held, "team") as store:
        assert store.repositories() == ("app", "web")
        assert store.source is store.target is held


# --- kinds of stores


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(LocalError):
        open_store(f"oci:{tmp_path / 'new'}", environment=NOTHING)
    with open_store(f"oci:{tmp_path / 'new'}", environment=NOTHING, create=True) as store:
        assert store.repositories() == ()
        assert (store.locator, store.prefix) == (f"oci:{tmp_path / 'new'}", "")
    assert (tmp_path / "new" / "oci-layout").is_file()
    filled(LayoutStore(tmp_path / "new"))
    with open_store(f"oci:{tmp_path / 'new'}", environment=NOTHING) as store:
        assert store.tags("team/app") == ("1", "2")
        assert {entry.digest for entry in store.referrers("team/app:1")} == {SIGNED.digest, NOTED.digest}
        store.delete("team/app:1")
        assert store.tags("team/app") == ("2",)
        with pytest.raises(Refused):
            store.delete(f"team/web@{WEB.children[0].digest}")


def test_a_bundle_is_only_read(tmp_path: Path) -> None:
    pack(tmp_path / "b", {Name("app", "1"): APP})
    with open_store(f"bundle:{tmp_path / 'b'}", environment=NOTHING) as store:
        assert store.fetch("app:1").raw == APP.manifest.raw
        assert store.read_blob("app", APP.manifest.layers[0])
        with pytest.raises(UsageError, match="can only be read"):
            _ = store.target
        with pytest.raises(UsageError, match="can only be read"):
            store.delete("app:1")
        with pytest.raises(UsageError, match="can only be read"):
            store.put_artifact("app:notes", {"a": b""}, artifact_type="text/notes")
        assert store.exists("app:1")


def test_a_key_demands_a_signature(tmp_path: Path, served: Served) -> None:
    key = tmp_path / "site.pub"
    for text in (served.host_port, f"oci:{tmp_path}"):
        with pytest.raises(BundleUnsigned):
            open_store(text, key=key, environment=NOTHING)


def test_what_is_no_store() -> None:
    with pytest.raises(ReferenceInvalid):
        open_store("app", environment=NOTHING)
    with pytest.raises(UsageError):
        open_store("docker-daemon:app", environment=NOTHING)
    with pytest.raises(ReferenceInvalid, match="is an image, and a store was expected"):
        open_store("registry.local/app:1", environment=NOTHING)


# --- referrers


def test_referrers_by_type_and_of_a_tag(team: Store) -> None:
    assert {entry.digest for entry in team.referrers("app:1")} == {SIGNED.digest, NOTED.digest}
    assert [entry.digest for entry in team.referrers("app:2", SIGNATURE)] == [SIGNED.digest]
    assert team.referrers(f"app@{APP.digest}", "text/none") == ()
    assert team.referrers("web:1") == ()
    with pytest.raises(ManifestUnknown):
        team.referrers("app:9")


# --- blobs


def test_a_blob_is_read_and_proved(team: Store) -> None:
    layer = APP.manifest.layers[0]
    assert Digest.of(team.read_blob("app", layer)) == layer.digest
    with pytest.raises(LimitExceeded, match="limit is 10"):
        team.read_blob("app", layer, limit=10)


def test_a_damaged_blob_is_not_returned(held: MemoryStore) -> None:
    layer = APP.manifest.layers[0]
    store = Store(FaultyStore(held, [corrupts(at=3, subject=layer.digest)]), "team")
    with pytest.raises(DigestMismatch):
        store.read_blob("app", layer)


# --- deleting


def test_a_tag_goes_alone_and_a_digest_with_its_tags(team: Store, held: MemoryStore) -> None:
    team.delete("app:1")
    assert team.tags("app") == ("2",)
    team.delete(f"app@{APP.digest}")
    assert not team.exists("app:2")
    assert list(held.tags("secret/app")) == ["1"]


def test_a_store_that_deletes_nothing(held: MemoryStore) -> None:
    with pytest.raises(Refused, match="deletes nothing"):
        Store(FaultyStore(held), "team").delete("app:1")


def test_a_tag_with_a_digest_is_ambiguous(team: Store) -> None:
    with pytest.raises(ReferenceInvalid, match="tag and a digest"):
        team.delete(f"app:1@{APP.digest}")
    assert team.tags("app") == ("1", "2")


# --- opening, closing, logins


def test_nothing_is_asked_before_the_first_call_nor_after_the_end(served: Served) -> None:
    store = open_store(f"{served.host_port}/team", environment=NOTHING)
    assert served.requests.total == 0
    assert store.exists("app:1")
    store.close()
    store.close()
    with pytest.raises(ValueError, match="is closed"):
        store.exists("app:1")
    assert "closed" in repr(store)


def test_a_login_that_is_given_and_a_wrong_one(held: MemoryStore) -> None:
    with serve(held, ServeSettings(users={"ann": "right"})) as closed:
        with open_store(closed.host_port, login=Login("ann", Secret("right")), environment=NOTHING) as store:
            assert store.exists("team/app:1")
        with (
            open_store(closed.host_port, login=Login("ann", Secret("wrong")), environment=NOTHING) as store,
            pytest.raises(CredentialsRejected),
        ):
            store.exists("team/app:1")
        with pytest.raises(LoginMissing):
            transload.tags(f"{closed.host_port}/team/app", environment=NOTHING)


def test_docker_s_own_login_is_found(held: MemoryStore, tmp_path: Path) -> None:
    with serve(held, ServeSettings(users={"ann": "right"})) as closed:
        (tmp_path / "auth.json").write_text(f'{{"auths": {{"{closed.host_port}": {{"auth": "YW5uOnJpZ2h0"}}}}}}')
        environment = Environment(credential_files=(tmp_path / "auth.json",))
        assert transload.tags(f"{closed.host_port}/team/app", environment=environment) == ("1", "2")


def test_what_was_learnt_about_a_registry_is_kept(served: Served, tmp_path: Path) -> None:
    environment = Environment(state=tmp_path / "state")
    transload.referrers(f"{served.host_port}/team/app:1", environment=environment)
    assert KnownRegistries(tmp_path / "state").fresh(served.host_port)["referrers_api"] is True


def test_a_cancelled_store_does_nothing_more(served: Served, tmp_path: Path) -> None:
    cancellation = Cancellation()
    with open_store(f"{served.host_port}/team", environment=NOTHING, cancellation=cancellation) as store:
        assert store.exists("app:1")
        before = served.requests.total
        cancellation.cancel()
        for ask in (store.resolve, store.fetch, store.exists, store.referrers, store.delete):
            with pytest.raises(Interrupted):
                ask("app:1")
        with pytest.raises(Interrupted):
            store.get_artifact("app:1", tmp_path / "out")
        assert served.requests.total == before


def test_a_registry_that_says_nothing_does_not_hold_up_a_cancellation() -> None:
    cancellation, asked, over = Cancellation(), threading.Event(), threading.Event()

    def script(_: Asked) -> Said:
        asked.set()
        over.wait()
        return Said(hang_up=True)

    def stop() -> None:
        asked.wait()
        cancellation.cancel()

    network = Network(plain_http=("127.0.0.1",), stall_timeout_s=3600)
    with serving(script) as registry, TaskGroup() as group:
        group.start(stop)
        with (
            open_store(registry.host, environment=NOTHING, network=network, cancellation=cancellation) as store,
            pytest.raises(Interrupted),
        ):
            store.exists("app:1")
        over.set()


def test_a_password_leaves_for_no_other_host(served: Served) -> None:
    """The login is for the registry that was opened: one it sends blobs' readers to does not get it."""

    def script(asked: Asked) -> Said:
        if "Authorization" not in asked.headers:
            return Said(401, {"WWW-Authenticate": 'Basic realm="x"'})
        return Said(307, {"Location": f"http://{other.host}/elsewhere"})

    with serving(lambda _: Said(404)) as other, serving(script) as registry:
        network = Network(plain_http=("127.0.0.1", registry.host, other.host))
        login = Login("ann", Secret("right"))
        with open_store(registry.host, login=login, environment=NOTHING, network=network) as store:
            assert not store.exists("app:1")
        assert other.asked
        assert all("Authorization" not in asked.headers for asked in other.asked)


# --- in one line


def test_one_line_each(served: Served, held: MemoryStore) -> None:
    app = f"{served.host_port}/team/app"
    assert transload.tags(app, environment=NOTHING) == ("1", "2")
    (signed,) = transload.referrers(f"{app}:1", SIGNATURE, environment=NOTHING)
    assert signed == Descriptor(SIGNED.manifest.media_type, SIGNED.digest, len(SIGNED.manifest.raw))
    transload.delete(f"{app}:1", environment=NOTHING)
    assert list(held.tags("team/app")) == ["2"]


def test_no_tag_is_guessed(served: Served) -> None:
    app = f"{served.host_port}/team/app"
    for ask in (transload.delete, transload.referrers):
        with pytest.raises(ReferenceInvalid, match="neither a tag nor a digest"):
            ask(app, environment=NOTHING)
    with pytest.raises(ReferenceInvalid, match="is an image"):
        transload.tags(f"{app}:1", environment=NOTHING)


@pytest.mark.parametrize("text", ["oci:folder", "archive:image.tar", "bundle:month", "docker-daemon:app:1"])
def test_a_local_store_is_not_looked_for_at_docker_hub(text: str) -> None:
    for ask in (transload.tags, transload.referrers, transload.delete):
        with pytest.raises(UsageError, match="not at a registry"):
            ask(text, environment=NOTHING)


def test_an_option_that_does_not_exist_is_an_error(served: Served) -> None:
    with pytest.raises(TypeError, match="logn"):
        transload.tags(f"{served.host_port}/team/app", logn=None)  # type: ignore[call-arg]
