"""What was damaged once on its way is asked for again, once, whatever it was; a second time it is the error."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.unit.registry.test_reading import BLOB, DIGEST, LAYER, NAME, RAW, manifest, part, reading
from tests.unit.registry.test_uploads import LARGE, SMALL, Vault, described, until_done
from tests.unit.registry.wire import Asked, Said, Script, refused, talking
from transload.errors import CorruptError, ProtocolTrouble, Refused, TransloadError
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.mediatype import OCI_INDEX
from transload.registry.store import RegistryStore

PAGE = Said(200, {"Content-Type": "text/html"}, b"<html>Sign in to the network</html>")
WRONG = Said(200, {"Content-Type": OCI_INDEX}, RAW.replace(b"2", b"3"))
CUT = Said(200, {"Content-Type": OCI_INDEX}, RAW[:-9])
LIE = Said(200, {"Content-Type": OCI_INDEX, "Docker-Content-Digest": Digest.of(b"other")}, RAW)
REFERRER = Descriptor(OCI_INDEX, DIGEST, len(RAW))


def times(count: int, damaged: Said, script: Script) -> Script:
    """The first `count` answers are `damaged`."""
    left = iter(range(count))
    return lambda asked: damaged if next(left, None) is not None else script(asked)


def names(key: str) -> Script:
    return lambda asked: Said(200, {"Content-Type": "application/json"}, json.dumps({key: ["a"]}).encode())


def referrers(asked: Asked) -> Said:
    return Said(200, {"Content-Type": OCI_INDEX}, json.dumps({"manifests": [REFERRER.to_json()]}).encode())


Asking = Callable[[RegistryStore], object]
BY_DIGEST = NAME.at(DIGEST)
CASES: list[tuple[str, Said, Script, Asking]] = [
    ("manifest, another digest", WRONG, manifest, lambda store: store.fetch(BY_DIGEST).digest),
    ("manifest, a page", PAGE, manifest, lambda store: store.fetch(BY_DIGEST).digest),
    ("manifest, short", CUT, manifest, lambda store: store.fetch(BY_DIGEST).digest),
    ("manifest by its tag, short", CUT, manifest, lambda store: store.fetch(NAME).digest),
    ("manifest by its tag, a page", PAGE, manifest, lambda store: store.fetch(NAME).digest),
    ("manifest, the header lies", LIE, manifest, lambda store: store.fetch(NAME).digest),
    ("name, the header lies", LIE, manifest, lambda store: store.resolve(BY_DIGEST).digest),
    ("blob, a page", PAGE, part, reading),
    ("blob, short", Said(200, {}, BLOB[:-5]), part, reading),
    ("blob, long", Said(200, {}, BLOB + b"!"), part, reading),
    ("part of a blob, another size", Said(206, {"Content-Range": "bytes 5-14/20"}, BLOB[5:15]), part,
     lambda store: reading(store, 5, 10)),
    ("part of a blob, a page", PAGE, part, lambda store: reading(store, 5, 10)),
    ("whether a blob is there, a page", PAGE, lambda asked: Said(body=BLOB), lambda store: store.exists("a/b", LAYER)),
    ("whether a blob is there, short", Said(body=BLOB[:-5]), lambda asked: Said(body=BLOB),
     lambda store: store.exists("a/b", LAYER)),
    ("tags, short", Said(200, {}, b'{"tags": ["a", '), names("tags"), lambda store: list(store.tags("a/b"))),
    ("tags, a page", PAGE, names("tags"), lambda store: list(store.tags("a/b"))),
    ("repositories, short", Said(200, {}, b'{"rep'), names("repositories"), lambda store: list(store.repositories())),
    ("repositories, a page", PAGE, names("repositories"), lambda store: list(store.repositories())),
    ("referrers, short", Said(200, {"Content-Type": OCI_INDEX}, b'{"mani'), referrers,
     lambda store: store.referrers("a/b", DIGEST)),
    ("referrers, a page", PAGE, referrers, lambda store: store.referrers("a/b", DIGEST)),
]  # fmt: skip


@pytest.mark.parametrize(("what", "damaged", "script", "ask"), CASES, ids=[case[0] for case in CASES])
def test_it_is_asked_for_again_once(what: str, damaged: Said, script: Script, ask: Asking) -> None:
    with talking(script) as (_, store):
        right = ask(store)
    with talking(times(1, damaged, script)) as (wire, store):
        assert ask(store) == right
        assert len(wire.asked) == 2


@pytest.mark.parametrize(("what", "damaged", "script", "ask"), CASES, ids=[case[0] for case in CASES])
def test_a_second_time_it_is_what_it_is(what: str, damaged: Said, script: Script, ask: Asking) -> None:
    with talking(times(99, damaged, script)) as (wire, store):
        if what == "whether a blob is there, short":
            assert not ask(store)
        elif what == "referrers, a page":  # a registry without this API, which is asked for the tag next
            with pytest.raises(ProtocolTrouble):
                ask(store)
        else:
            with pytest.raises((CorruptError, ProtocolTrouble, Refused)):
                ask(store)
        assert len(wire.asked) == (4 if what == "referrers, a page" else 2)


# --- what is sent

CODES = ["DIGEST_INVALID", "SIZE_INVALID"]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_an_upload_that_was_damaged_on_the_way_is_sent_again(content: bytes, code: str) -> None:
    vault = Vault()
    left = iter([True])
    vault.put = lambda asked: refused(400, code) if next(left, False) else None
    with talking(vault) as (wire, store):
        until_done(store, content, 2)
        assert vault.blobs[described(content).digest] == content
        assert sum(asked.method == "POST" for asked in wire.asked) == 2
        assert len(vault.sessions) == 1  # the damaged one was cancelled, the other one closed
        assert store.capabilities.resumes is None


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_a_registry_that_insists_is_believed(content: bytes, code: str) -> None:
    vault = Vault()
    vault.put = lambda asked: refused(400, code, "provided digest did not match")
    with talking(vault) as (wire, store):
        with pytest.raises(Refused, match="did not match"):
            until_done(store, content, 9)
        assert sum(asked.method == "POST" for asked in wire.asked) == 2


@pytest.mark.parametrize("count", [1, 2])
def test_a_manifest_that_was_damaged_on_the_way_is_sent_again(count: int) -> None:
    left = iter(range(count))

    def script(asked: Asked) -> Said:
        return refused(400, "DIGEST_INVALID") if next(left, None) is not None else Said(201)

    with talking(script) as (wire, store):
        try:
            store.put_manifest(Name("a/b", "1"), Manifest.parse(RAW, OCI_INDEX))
        except TransloadError:
            assert count == 2
        else:
            assert count == 1
        assert [asked.method for asked in wire.asked] == ["PUT", "PUT"]
        assert all(asked.body == RAW for asked in wire.asked)
