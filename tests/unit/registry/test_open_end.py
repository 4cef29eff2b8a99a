"""docker-registry 2.8 drops what a broken request brought; one that ends as it should keeps it."""

from __future__ import annotations

import pytest

from tests.unit.registry.test_uploads import LARGE, MIB, Vault, breaking, described, summary, until_done, upload
from tests.unit.registry.wire import Asked, Said, refused, talking
from transload.errors import Interrupted, ServerTrouble
from transload.registry.store import RegistryStore


def knowing(store: RegistryStore) -> RegistryStore:
    store.capabilities.learn("resumes", False)
    return store


@pytest.mark.parametrize("error", [ConnectionResetError("of the source"), Interrupted("interrupted")])
def test_what_was_sent_before_an_end_is_kept(error: Exception) -> None:
    vault = Vault()
    with talking(vault) as (wire, store):
        with pytest.raises(type(error)), knowing(store).begin("a/b", described(LARGE)) as ingest:
            ingest.write(breaking(LARGE[: 4 * MIB], error))
        assert store.continues.kept_bytes == 4 * MIB
        with store.begin("a/b", described(LARGE)) as ingest:
            assert ingest.offset == 4 * MIB
            ingest.write([LARGE[4 * MIB :]])
            ingest.commit()
        assert vault.blobs[described(LARGE).digest] == LARGE
        assert [asked.headers.get("Transfer-Encoding") for asked in wire.asked] == [None, "chunked", "chunked", None]
        assert "Content-Length" not in wire.asked[1].headers


def test_a_run_that_is_stopped_ends_its_bodies(tmp_path: object) -> None:
    vault = Vault()
    with talking(vault) as (_, store):
        http = store._api.http

        def chunks() -> object:
            yield LARGE[: 2 * MIB]
            http.cancellation.cancel()
            yield LARGE[2 * MIB : 3 * MIB]
            http.cancellation.check()

        with pytest.raises(Interrupted), knowing(store).begin("a/b", described(LARGE)) as ingest:
            ingest.write(chunks())  # type: ignore[arg-type]
        assert store.continues.kept_bytes == 3 * MIB


@pytest.mark.parametrize(
    "said",
    [
        Said(411),
        Said(501),
        refused(400, "SIZE_INVALID"),
        Said(202, {"Location": "/v2/a/b/blobs/uploads/0?part=x%2Fy&_state=7"}),
    ],
)
def test_a_registry_that_wants_a_length_gets_it(said: Said) -> None:
    vault = Vault()

    def script(asked: Asked) -> Said | None:
        return said if asked.headers.get("Transfer-Encoding") and asked.body else None

    vault.patch = script
    with talking(vault) as (wire, store):
        until_done(knowing(store), LARGE, 2)
        assert vault.blobs[described(LARGE).digest] == LARGE
        before = len(wire.asked)
        upload(store, LARGE[::-1])
        assert summary(wire.asked)[before:] == ["POST 0", f"PATCH {len(LARGE)}", "PUT 0"]


def test_a_break_in_such_a_body_leads_back_to_the_usual_way() -> None:
    vault = Vault()
    broken = iter([True])
    vault.patch = lambda asked: Said(hang_up=True) if next(broken, False) else None
    with talking(vault) as (wire, store):
        until_done(knowing(store), LARGE, 3)
        assert vault.blobs[described(LARGE).digest] == LARGE
        assert wire.asked[-2].headers["Content-Length"] == str(len(LARGE))


@pytest.mark.parametrize("resumes", [True, None])
def test_where_it_is_not_needed_bodies_have_a_length(resumes: bool | None) -> None:
    vault = Vault()
    with talking(vault) as (wire, store):
        if resumes is not None:
            store.capabilities.learn("resumes", resumes)
        upload(store, LARGE)
        assert summary(wire.asked) == ["POST 0", f"PATCH {len(LARGE)}", "PUT 0"]


def test_registries_of_other_makers_get_a_length() -> None:
    """ECR waits for it for ever. Only distribution's addresses have a state."""
    vault = Vault()
    vault.location = lambda path: path.partition("&_state")[0]
    vault._session = lambda asked, *, state=True: (  # type: ignore[method-assign]
        asked.path.rpartition("/")[2],
        vault.sessions.get(asked.path.rpartition("/")[2]),
    )
    with talking(vault) as (wire, store):
        upload(knowing(store), LARGE)
        assert summary(wire.asked) == ["POST 0", f"PATCH {len(LARGE)}", "PUT 0"]
    assert ServerTrouble.retryable
