"""What was pulled and by whom: one pull for each client and image, whatever requests it makes of it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.unit.report.replay import StoppedClock
from tests.unit.server.asking import ask
from transload.limits import PULLS_FOLLOWED
from transload.memory import MemoryStore
from transload.oci import Descriptor, Digest, Manifest
from transload.oci.mediatype import OCI_INDEX, OCI_LAYER_GZIP
from transload.report.pulled import pulled_lines, pulls_json, pulls_lines
from transload.server import ServeSettings
from transload.server.pulls import Body, Client, Pulled, Pulls
from transload.server.routes import Route
from transload.server.serving import in_thread
from transload.testing.images import fill, image

IMAGE = image("app", layers=(3000, 200_000))
INDEX = Manifest.parse(
    json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [
                {**IMAGE.manifest.descriptor.to_json(), "platform": {"os": "linux", "architecture": "arm64"}},
            ],
        }
    ).encode()
)
ANN, BOB = Client(address="10.0.0.7", user="ann"), Client(address="10.0.0.8")


def named(reference: str, repository: str = "team/app") -> Route:
    return Route("manifest", repository, reference)


def sent(pulls: Pulls, client: Client, blob: Descriptor, count: int | None = None) -> None:
    """So many bytes of a blob reach a client."""
    body = Body()
    with pulls.sending(client, Route("blob", "team/app", blob.digest), blob, body):
        body.sent = blob.size if count is None else count


def whole(pulls: Pulls, client: Client) -> None:
    pulls.manifest(client, named("1.0"), INDEX)
    pulls.manifest(client, named(IMAGE.digest), IMAGE.manifest)
    for blob in IMAGE.manifest.blobs:
        sent(pulls, client, blob)


def test_all_that_a_client_asks_of_an_image_is_one_pull() -> None:
    clock = StoppedClock()
    pulls = Pulls(clock)
    whole(pulls, ANN)
    whole(pulls, BOB)
    assert pulls.take() == ([], 0), "another request may follow"
    clock.now_s += 2
    (one, other), _ = pulls.take()
    assert (one.client, one.tag, one.digest, one.platform) == (ANN, "1.0", INDEX.digest, "linux/arm64")
    assert (one.blobs, one.ended) == (len(IMAGE.manifest.blobs), "complete")
    assert one.bytes == len(INDEX.raw) + len(IMAGE.manifest.raw) + sum(blob.size for blob in IMAGE.manifest.blobs)
    assert other.client == BOB
    assert pulls.take() == ([], 0)


def test_a_client_that_has_some_layers_already_has_pulled_too() -> None:
    clock = StoppedClock()
    pulls = Pulls(clock)
    pulls.manifest(ANN, named("1.0"), IMAGE.manifest)
    clock.now_s += 29
    assert not pulls.take()[0], "the others may come"
    clock.now_s += 1
    (pulled,), _ = pulls.take()
    assert (pulled.blobs, pulled.ended) == (0, "complete")


def test_what_breaks_off_is_told_unless_the_rest_comes() -> None:
    clock = StoppedClock()
    pulls = Pulls(clock)
    layer = IMAGE.manifest.layers[1]
    for client in (ANN, BOB):
        pulls.manifest(client, named("1.0"), IMAGE.manifest)
        sent(pulls, client, layer, 1000)
    sent(pulls, BOB, layer, layer.size - 1000)
    clock.now_s += 30
    (ann, bob), _ = pulls.take()
    assert (ann.ended, ann.blobs) == ("broken-off", 0)
    assert (bob.ended, bob.blobs) == ("complete", 1)


def test_while_a_blob_is_on_its_way_a_pull_is_not_over() -> None:
    clock = StoppedClock()
    pulls = Pulls(clock)
    layer, body = IMAGE.manifest.layers[1], Body()
    with pulls.sending(ANN, Route("blob", "team/app", layer.digest), layer, body):
        clock.now_s += 1000
        assert not pulls.take()[0]
        body.sent = layer.size
    clock.now_s += 2
    (pulled,), _ = pulls.take()
    assert (pulled.tag, pulled.digest, pulled.duration_s) == (None, layer.digest, 1000)


def test_the_tag_that_was_asked_for_first_is_known_when_the_content_is_asked_by_digest() -> None:
    """Docker and containerd do so."""
    pulls = Pulls(StoppedClock())
    pulls.resolved(ANN, named("1.0"), IMAGE.digest)
    pulls.manifest(ANN, named(IMAGE.digest), IMAGE.manifest)
    pulls.manifest(BOB, named(IMAGE.digest), IMAGE.manifest)
    assert [pulled.tag for pulled in pulls.take(all_of_them=True)[0]] == ["1.0", None]


def test_two_tags_of_one_image_are_two_pulls() -> None:
    pulls = Pulls(StoppedClock())
    for tag in ("1.0", "latest", "latest"):
        pulls.manifest(ANN, named(tag), IMAGE.manifest)
    assert [pulled.tag for pulled in pulls.take(all_of_them=True)[0]] == ["1.0", "latest"]


def test_of_too_many_only_the_number_is_told() -> None:
    pulls = Pulls(StoppedClock())
    blob = Descriptor(OCI_LAYER_GZIP, Digest.of(b""), 1)
    for number in range(2 * PULLS_FOLLOWED + 3):
        sent(pulls, Client(address=str(number)), blob)
        pulls.resolved(Client(address=str(number)), named("1.0"), blob.digest)
    assert len(pulls._named) == PULLS_FOLLOWED
    over, lost = pulls.take(all_of_them=True)
    assert (len(over), lost) == (PULLS_FOLLOWED, PULLS_FOLLOWED + 3)
    assert "and 4,099 pulls more" in str(list(pulls_lines([], lost))[0])
    assert json.loads(next(pulls_json([], lost))) == {"event": "pulls-lost", "number": lost}


def test_a_server_tells_of_pulls_at_its_end_at_the_latest() -> None:
    store, told = MemoryStore(), list[Pulled]()
    fill(store, IMAGE, "team/app", "1.0")

    def tell(pulls: Sequence[Pulled], lost: int) -> None:
        told.extend(pulls)

    with in_thread(store, ServeSettings(), tell_pulls=tell) as served:
        for path in ("manifests/1.0", *(f"blobs/{blob.digest}" for blob in IMAGE.manifest.blobs), "tags/list"):
            assert ask(served, "GET", f"/v2/team/app/{path}").status == 200
        assert ask(served, "HEAD", "/v2/team/app/manifests/1.0").status == 200
        assert ask(served, "GET", "/v2/team/app/manifests/2.0").status == 404
    (pulled,) = told
    assert (pulled.client, pulled.tag) == (Client(address="127.0.0.1"), "1.0")
    assert (pulled.blobs, pulled.ended) == (len(IMAGE.manifest.blobs), "complete")


def test_lines_say_who_pulled_what_and_whether_it_arrived() -> None:
    pulled = Pulled(
        client=Client(address="10.0.0.7", user="ann\x1b[2J"),
        repository="team/app",
        tag="1.0",
        digest=IMAGE.digest,
        platform="linux/arm64\u202e",
        blobs=3,
        bytes=48 << 20,
        began_s=1.75e9,
        duration_s=1.25,
        ended="broken-off",
    )
    (line,) = map(str, pulled_lines(pulled))
    assert line.endswith("10.0.0.7 (ann?[2J) pulled team/app:1.0 linux/arm64?: 48 MiB in 3 blobs, broken off")
    assert all(len(str(folded)) <= 50 for folded in pulled_lines(pulled, 50))
    document = json.loads(next(pulls_json([pulled], 0)))
    assert (document["user"], document["digest"], document["ended"]) == ("ann?[2J", IMAGE.digest, "broken-off")
