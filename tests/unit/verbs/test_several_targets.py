"""Several targets in one call: real servers, each blob and manifest asked for once, and no target spoils another."""

from __future__ import annotations

import random
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme

import transload
from transload import Cancellation, Environment, LayoutStore, Limits, Login, MemoryStore, Results, Secret, TargetEvent
from transload.errors import CertificateUntrusted, Interrupted, SelectionEmpty, TargetsFailed, Unreachable, UsageError
from transload.events import RunFinished, RunStarted, StepMoved
from transload.oci import Name
from transload.server import Served, ServeSettings, serve
from transload.testing.laboratory import ALWAYS, Answer, Asked, Fault, Laboratory, Onward, cuts, refuses
from transload.testing.releases import SeededRelease, fill_release, release

MADE = release(images=5, size=1_500_000)
BLOBS = dict.fromkeys((content.descriptor.digest for content in MADE.contents()), 1)
LAYERS = {layer.digest for built in MADE.images.values() for layer in built.manifest.layers}
OWN: dict[str, Any] = {"environment": Environment()}


@pytest.fixture
def running() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


class Scene:
    """A vendor's registry behind a front that counts, and as many registries as a test wants."""

    def __init__(self, running: ExitStack) -> None:
        self.running = running
        store = MemoryStore()
        fill_release(store, MADE, "acme")
        self.source = running.enter_context(Laboratory(running.enter_context(serve(store)).host_port))

    def registry(self, *faults: Fault) -> tuple[MemoryStore, str]:
        """A registry, and its address; with faults, that of a front before it."""
        store = MemoryStore()
        served: Served = self.running.enter_context(serve(store, ServeSettings(writable=True)))
        if not faults:
            return store, served.host_port
        return store, self.running.enter_context(Laboratory(served.host_port, faults)).host_port

    def mirror(self, *to: str, **more: Any) -> Results:
        return transload.mirror(origin=self.source.host_port, to=list(to), **{**OWN, **more})

    @property
    def fetched(self) -> Counter[str]:
        """How often each blob was asked for."""
        return Counter(target.rpartition("/")[2] for target in self._asked("blob"))

    @property
    def manifests(self) -> Counter[str]:
        return Counter(self._asked("manifest"))

    def _asked(self, kind: str) -> list[str]:
        seen = list(self.source.tally.requests)
        return [asked.target for asked in seen if (asked.method, asked.kind) == ("GET", kind)]


@pytest.fixture
def scene(running: ExitStack) -> Scene:
    return Scene(running)


def is_whole(store: MemoryStore | LayoutStore, made: SeededRelease = MADE, prefix: str = "acme/") -> bool:
    for name, built in made.images.items():
        assert store.fetch(Name(f"{prefix}{name}", made.tag)).raw == built.manifest.raw
        for descriptor, raw in built.walk_blobs():
            with store.open(f"{prefix}{name}", descriptor) as chunks:
                assert b"".join(map(bytes, chunks)) == raw
    return True


def waits(gate: threading.Event) -> Fault:
    """Uploads of blobs get no answer before `gate`."""

    def act(asked: Asked, onward: Onward, _: random.Random) -> Answer:
        while not (gate.wait(0.05) or asked.closing.is_set()):
            pass
        return onward(asked)

    return Fault(on="POST|PATCH|PUT *", act=act, times=ALWAYS)


def unused() -> str:
    """An address where nothing listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{held.getsockname()[1]}"


@pytest.mark.parametrize("number", [2, 3])
def test_each_blob_and_each_manifest_is_asked_for_once(scene: Scene, tmp_path: Path, number: int) -> None:
    registries = [scene.registry() for _ in range(number - 1)]
    results = scene.mirror(*(address for _, address in registries), f"oci:{tmp_path / 'folder'}")
    assert scene.fetched == BLOBS
    assert set(scene.manifests.values()) == {1}
    assert all(is_whole(store) for store, _ in registries)
    assert is_whole(LayoutStore(tmp_path / "folder"))
    assert [result.counts["copied"] for result in results.results] == [5] * number
    assert (results.exit_code, results.complete, results.read_again.blobs) == (0, number, 0)


def test_configs_that_plans_read_are_read_once_too(scene: Scene) -> None:
    """Whether an image of one platform is the wanted one stands in its config."""
    (one, first), (two, second) = scene.registry(), scene.registry()
    scene.mirror(first, second, platforms="linux/amd64")
    assert is_whole(one)
    assert is_whole(two)
    assert scene.fetched == BLOBS


def test_two_prefixes_of_one_registry_are_two_targets(scene: Scene) -> None:
    store, address = scene.registry()
    scene.mirror(f"{address}/a", f"{address}/b")
    assert scene.fetched == BLOBS
    assert is_whole(store, prefix="a/acme/")
    assert is_whole(store, prefix="b/acme/")


def test_a_target_that_has_everything_is_only_asked(scene: Scene) -> None:
    (one, first), (two, second) = scene.registry(), scene.registry()
    fill_release(two, MADE, "acme")
    results = scene.mirror(first, second)
    assert scene.fetched == BLOBS
    assert is_whole(one)
    assert [result.counts["unchanged"] for result in results.results] == [0, 5]


def test_a_target_that_has_a_part_gets_the_rest(scene: Scene) -> None:
    (one, first), (two, second) = scene.registry(), scene.registry()
    scene.mirror(second, images=[f"acme/{next(iter(MADE.images))}"])
    before = scene.fetched
    scene.mirror(first, second)
    assert is_whole(one)
    assert is_whole(two)
    assert scene.fetched - before == BLOBS


def test_a_target_that_is_down_spoils_no_other(scene: Scene) -> None:
    store, address = scene.registry()
    down = unused()
    with pytest.raises(TargetsFailed, match=f"1 of 2 targets failed: {down}/x: .* refuses connections") as caught:
        scene.mirror(f"{down}/x", address)
    assert is_whole(store)
    assert scene.fetched == BLOBS
    assert isinstance(caught.value.by_target[f"{down}/x"], Unreachable)
    assert caught.value.errors == tuple(caught.value.by_target.values())
    results = caught.value.result
    assert results.failures == ()
    assert (results.exit_code, results.complete) == (5, 1)
    assert results.results[0].problem.store == down


@pytest.mark.parametrize(
    "fault",
    [
        refuses("* *", 401, "UNAUTHORIZED", times=ALWAYS),
        refuses("POST|PATCH|PUT *", 403, "DENIED", times=ALWAYS),
        refuses("POST|PATCH|PUT *", 507, times=ALWAYS),
    ],
    ids=["login", "denied", "full"],
)
def test_a_target_that_refuses_spoils_no_other(scene: Scene, fault: Fault) -> None:
    (_, bad), (store, address) = scene.registry(fault), scene.registry()
    results = scene.mirror(bad, address, check=False, network=transload.Network(give_up_after_s=2))
    assert is_whole(store)
    assert scene.fetched == BLOBS
    assert results.complete == 1
    assert results.exit_code != 0


def test_a_target_that_goes_down_in_the_middle_spoils_no_other(scene: Scene) -> None:
    """From the third upload on, it answers nothing useful."""
    fault = refuses("* *", 503, skip=20, times=ALWAYS)
    (_, bad), (store, address) = scene.registry(fault), scene.registry()
    results = scene.mirror(bad, address, check=False, network=transload.Network(give_up_after_s=2))
    assert is_whole(store)
    assert scene.fetched == BLOBS
    assert (results.complete, results.exit_code) == (1, 5)


def test_a_target_with_a_certificate_that_nobody_signed_spoils_no_other(scene: Scene) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    _, behind = scene.registry()
    front = scene.running.enter_context(Laboratory(behind, tls=context))
    store, address = scene.registry()
    with pytest.raises(TargetsFailed) as caught:
        scene.mirror(front.host_port, address)
    assert isinstance(caught.value.by_target[front.host_port], CertificateUntrusted)
    assert is_whole(store)
    assert scene.fetched == BLOBS


def test_a_slow_target_holds_nobody_up(scene: Scene) -> None:
    """No upload to the slow one is answered before the fast one is complete; then it gets all from the files."""
    gate, ended = threading.Event(), list[tuple[str, object]]()
    (slow, first), (fast, second) = scene.registry(waits(gate)), scene.registry()

    def hear(event: object) -> None:
        if isinstance(event, TargetEvent) and isinstance(event.event, RunFinished):
            ended.append((event.target, is_whole(fast)))
            gate.set()

    scene.mirror(first, second, progress=hear)
    assert [target for target, _ in ended] == [second, first]
    assert is_whole(slow)
    assert scene.fetched == BLOBS


def test_a_source_that_breaks_off_is_read_on_for_both(scene: Scene, running: ExitStack) -> None:
    store = MemoryStore()
    fill_release(store, MADE, "acme")
    served = running.enter_context(serve(store))
    layers = (layer for built in MADE.images.values() for layer in built.manifest.layers)
    largest = max(layers, key=lambda layer: layer.size)
    fault = cuts("GET blob", after=3000, times=2, about=largest.digest)
    scene.source = running.enter_context(Laboratory(served.host_port, [fault]))
    (one, first), (two, second) = scene.registry(), scene.registry()
    scene.mirror(first, second)
    assert is_whole(one)
    assert is_whole(two)
    assert sum(scene.fetched.values()) == len(BLOBS) + 2


def test_a_cancellation_ends_all_and_the_next_run_goes_on_for_each(scene: Scene, tmp_path: Path) -> None:
    (one, first), folder = scene.registry(), tmp_path / "folder"
    cancellation = Cancellation()

    def hear(event: object) -> None:
        if isinstance(event, TargetEvent) and isinstance(event.event, StepMoved):
            cancellation.cancel()

    with pytest.raises(Interrupted):
        scene.mirror(first, f"oci:{folder}", progress=hear, cancellation=cancellation)
    results = scene.mirror(first, f"oci:{folder}")
    assert is_whole(one)
    assert is_whole(LayoutStore(folder))
    assert results.complete == 2


def test_without_room_for_files_each_reads_for_itself_and_it_is_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("transload.transfer.sharing.SPOOLED_BYTES", 0)
    (one, first), (two, second) = scene.registry(), scene.registry()
    results = scene.mirror(first, second)
    assert is_whole(one)
    assert is_whole(two)
    again = {digest for digest, times in scene.fetched.items() if times == 2}
    assert again == LAYERS
    assert results.read_again.blobs == len(LAYERS)
    assert "came from the source more than once" in caplog.text


def test_the_events_say_which_target_they_are_about(scene: Scene) -> None:
    (_, first), (_, second) = scene.registry(), scene.registry()
    heard: list[TargetEvent] = []
    scene.mirror(first, second, progress=lambda event: heard.append(event) if isinstance(event, TargetEvent) else None)
    for address in (first, second):
        events = [event.event for event in heard if event.target == address]
        assert isinstance(events[0], RunStarted)
        assert isinstance(events[-1], RunFinished)


def test_a_limit_counts_for_each_target(scene: Scene) -> None:
    (_, first), (_, second) = scene.registry(), scene.registry()
    results = scene.mirror(first, second, limits=Limits(max_bytes=400_000), check=False)
    assert all(result.out_of_bytes for result in results.results)
    assert results.exit_code == 10


def test_one_target_in_a_list_is_one_of_several(scene: Scene) -> None:
    store, address = scene.registry()
    results = scene.mirror(address)
    assert is_whole(store)
    assert results.targets == (address,)


@pytest.mark.parametrize(
    ("to", "more", "error", "told"),
    [
        ([], {}, UsageError, "to names no store"),
        (["oci:a", "oci:./a"], {}, UsageError, r"oci:a is oci:\./a, too: each target is named once"),
        (["r.example/x", "R.example:443/x"], {}, UsageError, "r.example/x is .*, too"),
        (["docker.io/x", "index.docker.io/x"], {}, UsageError, "docker.io/x is index.docker.io/x, too"),
        (["localhost:5000/x", "127.0.0.1:5000/x"], {}, UsageError, "localhost:5000/x is 127.0.0.1:5000/x, too"),
        (["oci:a", "oci:a"], {}, UsageError, "oci:a is given twice"),
        (["oci:a", "bundle:b"], {}, UsageError, "bundle:b cannot be a target"),
        (["oci:a", "archive:b"], {}, UsageError, "archive:b cannot be a target"),
        (["oci:a", 5], {}, TypeError, "a store in to must be str, not int"),
        (["oci:a", "nowhere"], {}, UsageError, "nowhere"),
        ({"oci:a", "oci:b"}, {}, TypeError, "to must be str, not set"),
        (["oci:a", "oci:b"], {"target_login": Login("u", Secret("p"))}, UsageError, "target_login is for one target"),
        (["oci:a", "r.example"], {"verify_medium": True}, UsageError, "r.example"),
    ],
)
def test_wrong_targets(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    to: Any,
    more: dict[str, Any],
    error: type[Exception],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=told):
        transload.mirror("a/b:1", to=to, **OWN, **more)
    assert not list(tmp_path.iterdir())


def test_a_target_that_is_the_source(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    fill_release(LayoutStore(folder, create=True), MADE)
    with pytest.raises(UsageError, match="is the source, too"):
        transload.mirror(origin=f"oci:{folder}", to=[f"oci:{tmp_path / 'other'}", f"oci:{folder}"], **OWN)
    assert not (tmp_path / "other").exists()


def test_a_link_to_the_source_is_the_source(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    fill_release(LayoutStore(folder, create=True), MADE)
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(UsageError, match="is the source, too"):
        transload.mirror(origin=f"oci:{folder}", to=[f"oci:{tmp_path / 'other'}", f"oci:{tmp_path / 'link'}"], **OWN)


def test_references_that_are_where_they_come_from(scene: Scene, tmp_path: Path) -> None:
    name = next(iter(MADE.images))
    wanted = f"{scene.source.host_port}/acme/{name}:{MADE.tag}"
    with pytest.raises(UsageError, match="is the source, too"):
        transload.mirror(wanted, to=[f"oci:{tmp_path / 'other'}", scene.source.host_port], **OWN)


def test_a_source_with_nothing_is_one_error_for_all(running: ExitStack, tmp_path: Path) -> None:
    served = running.enter_context(serve(MemoryStore()))
    with pytest.raises(SelectionEmpty):
        transload.mirror(origin=served.host_port, to=[f"oci:{tmp_path / 'a'}", f"oci:{tmp_path / 'b'}"], **OWN)
    assert not list(tmp_path.iterdir())


def test_folders_are_read_by_each_target_for_itself(tmp_path: Path) -> None:
    fill_release(LayoutStore(tmp_path / "from", create=True), MADE, "acme")
    to = [f"oci:{tmp_path / name}" for name in ("a", "b")]
    results = transload.mirror(origin=f"oci:{tmp_path / 'from'}", to=to, **OWN)
    assert is_whole(LayoutStore(tmp_path / "a"))
    assert is_whole(LayoutStore(tmp_path / "b"))
    assert results.complete == 2
