"""Layers that only their publisher has: fetched from the URLs of their descriptors, and believed by their digest."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.unit.registry.wire import Asked, Said, Wire, plain_http, serving
from transload.errors import BlobUnknown, DigestMismatch, TransloadError
from transload.memory import MemoryStore
from transload.oci import Manifest, Name
from transload.planning import Item, Plan, Request, make_plan, planfile
from transload.registry.foreign import ForeignLayers
from transload.testing.images import Built, fill, image
from transload.testing.layers import layer
from transload.transfer import run

NAME = Name("windows/core", "ltsc")
BASE = layer("base", 5000).typed("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
RAW = BASE.read()


def windows(*urls: str) -> Built:
    """An image on a base that lies elsewhere."""
    plain = image("windows", (100,), family="docker")
    entry = BASE.descriptor.to_json() | {"urls": list(urls)}
    document = plain.manifest.document | {"layers": [entry, *plain.manifest.document["layers"]]}
    return Built(Manifest.parse(json.dumps(document).encode()), plain.contents)


def brought(*urls: str, saved: bool = False) -> MemoryStore:
    """The target after a run with foreign layers. Raises what happened to the image."""
    source, target = MemoryStore("memory:source"), MemoryStore("memory:target")
    fill(source, windows(*urls), NAME.repository, NAME.tag)
    plan: Plan = make_plan(
        Request((Item(source.locator, NAME, NAME),), foreign_layers=True), {source.locator: source}, target
    )
    if saved:
        plan = planfile.load_plan(planfile.dump_plan(plan))
    (planned,) = plan.images
    if planned.error is not None:
        raise planned.error
    with plain_http() as http:
        outcome = run(plan, {source.locator: source}, target, publishers=ForeignLayers(lambda: http), attempts=2)
    if outcome.images[0].error is not None:
        raise outcome.images[0].error
    return target


@pytest.fixture
def publisher() -> Callable[[Asked], Said]:
    return lambda asked: Said(body=RAW) if asked.path == "/base" else Said(404)


@pytest.mark.parametrize("saved", [False, True])
def test_a_layer_that_the_source_lacks_is_read_at_its_url(publisher: Callable[[Asked], Said], saved: bool) -> None:
    with serving(publisher) as wire:
        target = brought(f"http://{wire.host}/base", saved=saved)
        assert target.exists(NAME.repository, BASE.descriptor)
        assert wire.lines == ["GET /base"]
        assert "Authorization" not in wire.asked[0].headers


def test_the_next_url_is_tried(publisher: Callable[[Asked], Said]) -> None:
    with serving(publisher) as wire:
        brought(f"http://{wire.host}/gone", "ftp://x.example/base", f"http://{wire.host}/base")
        assert wire.lines == ["GET /gone", "GET /base"]


def test_redirects_are_followed() -> None:
    def script(asked: Asked) -> Said:
        return Said(body=RAW) if asked.path == "/there" else Said(302, {"Location": "/there"})

    with serving(script) as wire:
        brought(f"http://{wire.host}/base")
        assert wire.lines == ["GET /base", "GET /there"]


def test_a_body_that_breaks_off_is_continued_or_begun_anew() -> None:
    def script(asked: Asked) -> Said:
        return Said(body=RAW, cut=1000) if len(wire.asked) == 1 else Said(body=RAW)

    with Wire(script) as wire:
        brought(f"http://{wire.host}/base")
        assert len(wire.asked) == 2


def _error(*urls: str) -> TransloadError:
    with pytest.raises(TransloadError) as caught:
        brought(*urls)
    return caught.value


def test_content_that_is_something_else_is_not_believed() -> None:
    with serving(lambda asked: Said(body=RAW[:-1] + b"x")) as wire:
        error = _error(f"http://{wire.host}/base")
    assert isinstance(error, DigestMismatch)
    assert f"{wire.host}/base" in (error.hint or "")


@pytest.mark.parametrize("said", [Said(404), Said(403), Said(body=b"<html>gone</html>"), Said(body=RAW + b"more")])
def test_what_cannot_be_had_is_told_with_its_url(said: Said) -> None:
    with serving(lambda asked: said) as wire:
        error = _error(f"http://{wire.host}/base?signature=secret")
    assert f"{wire.host}/base" in error.message
    assert "secret" not in error.message
    assert error.side == "source"


@pytest.mark.parametrize(
    "url", ["http://user:pass@host.invalid/x", "http://a.invalid\\@b.invalid/", "file:///etc/passwd", "nothing", ""]
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    assert "pass@" not in _error(url).message


def test_a_layer_without_a_url_says_so() -> None:
    assert "neither in memory:source nor at the target" in _error().message


def test_what_the_source_lacks_is_left_out_where_only_what_it_has_is_wanted() -> None:
    source, target = MemoryStore("memory:source"), MemoryStore("memory:target")
    fill(source, windows("http://publisher.invalid/base"), NAME.repository, NAME.tag)
    request = Request((Item(source.locator, NAME, NAME),), foreign_layers=True, foreign_as_held=True)
    plan = make_plan(request, {source.locator: source}, target)
    assert run(plan, {source.locator: source}, target).images[0].error is None
    assert plan.images[0].notes == ("1 foreign layer stays with the publisher; memory:source does not hold it",)


def test_an_unreachable_publisher_says_nothing_about_the_source() -> None:
    error = _error("http://127.0.0.1:1/base")
    assert "127.0.0.1:1/base" in error.message
    assert not isinstance(error, BlobUnknown)
    assert error.exit_code == 5
