"""The library's verbs: one call each, on real servers and folders; what they return, raise, tell, and how they stop."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import transload
from transload import Cancellation, Environment, ImagesFailed, LayoutStore, Login, MemoryStore, Secret
from transload.app.location import is_image
from transload.errors import (
    BundleUnsigned,
    CredentialsRejected,
    HostUnknown,
    Interrupted,
    LocalError,
    LoginMissing,
    NotFound,
    ReferenceInvalid,
    TransloadError,
    UsageError,
)
from transload.events import ImageDone, Progressed, RunFinished, StepMoved
from transload.oci import Name
from transload.server import Served, ServeSettings, serve
from transload.testing.faults import FaultyStore, out_of_space, waits
from transload.testing.images import fill, image, multi_platform, signature

ONE, TWO = image("one", layers=(3000, 70_000)), multi_platform("two")
NOTHING = Environment()


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own logins, and a state folder of the test's own."""
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


@pytest.fixture
def vendor() -> Iterator[Served]:
    store = MemoryStore()
    fill(store, ONE, "acme/app", "1")
    fill(store, TWO, "acme/web", "2")
    fill(store, signature(ONE), "acme/app")
    with serve(store) as served:
        yield served


@pytest.fixture
def site() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def local(site: MemoryStore) -> Iterator[Served]:
    with serve(site, ServeSettings(writable=True)) as served:
        yield served


def names(result: transload.Result) -> dict[str, str]:
    return {image.name: image.status for image in result.images}


# --- copy


def test_an_image_under_another_name(vendor: Served, local: Served, site: MemoryStore) -> None:
    result = transload.copy(f"{vendor.host_port}/acme/app:1", f"{local.host_port}/tools/app:9")
    assert names(result) == {"tools/app:9": "copied"}
    assert site.fetch(Name.parse("tools/app:9")).raw == ONE.manifest.raw
    again = transload.copy(f"{vendor.host_port}/acme/app:1", f"{local.host_port}/tools/app:9")
    assert names(again) == {"tools/app:9": "unchanged"}
    assert again.moved_bytes == 0


def test_an_image_by_digest_gets_the_tag_that_is_said(vendor: Served, local: Served, site: MemoryStore) -> None:
    transload.copy(f"{vendor.host_port}/acme/app@{ONE.digest}", f"{local.host_port}/tools/app:9")
    assert site.resolve(Name.parse("tools/app:9")).digest == ONE.digest


def test_an_image_into_a_store_keeps_its_path(vendor: Served, tmp_path: Path) -> None:
    result = transload.copy(f"{vendor.host_port}/acme/app:1", f"oci:{tmp_path / 'folder'}")
    assert names(result) == {"acme/app:1": "copied"}
    assert LayoutStore(tmp_path / "folder").resolve(Name.parse("acme/app:1")).digest == ONE.digest


def test_a_whole_store_and_images_of_it_under_new_names(vendor: Served, local: Served, tmp_path: Path) -> None:
    folder = f"oci:{tmp_path / 'folder'}"
    result = transload.copy(vendor.host_port, folder)
    assert names(result) == {"acme/app:1": "copied", "acme/web:2": "copied"}
    result = transload.copy(folder, f"{local.host_port}/in", ["acme/app:1 -> app:3", "acme/web:2"])
    assert names(result) == {"in/app:3": "copied", "in/acme/web:2": "copied"}


@pytest.mark.parametrize("text", ["acme/app:1 ->", "-> app:3", "acme/app:1 -> app:3 -> app:4", "acme/app:1 -> A b"])
def test_half_a_new_name_is_refused(text: str, vendor: Served, local: Served, site: MemoryStore) -> None:
    with pytest.raises(ReferenceInvalid):
        transload.copy(vendor.host_port, local.host_port, [text])
    assert list(site.repositories()) == []


def test_a_new_name_without_a_tag_keeps_the_tag(vendor: Served, local: Served, site: MemoryStore) -> None:
    transload.copy(vendor.host_port, local.host_port, ["acme/app:1 -> app"])
    assert list(site.tags("app")) == ["1"]


def test_platforms_and_referrers(vendor: Served, local: Served, site: MemoryStore) -> None:
    transload.copy(f"{vendor.host_port}/acme/web:2", f"{local.host_port}/web:2", platforms=["linux/amd64"])
    kept = site.fetch(Name.parse("web:2"))
    assert not kept.is_index or len(kept.manifests) == 1
    transload.copy(f"{vendor.host_port}/acme/app:1", f"{local.host_port}/app:1", referrers=True)
    assert [each.digest for each in site.referrers("app", ONE.digest)] == [signature(ONE).digest]


@pytest.mark.parametrize(
    ("text", "whether"),
    [
        ("registry.local/app:1", True),
        ("registry.local:5000/app:1", True),
        (f"registry.local/app@{ONE.digest}", True),
        ("registry.local/app", False),
        ("registry.local:5000/app", False),
        ("registry.local:5000", False),
        ("localhost:5000", False),
        ("oci:folder", False),
        ("oci:folder/at:1", False),
        ("bundle:/media/usb/x", False),
        ("archive:C:\\x.tar", False),
    ],
)
def test_a_text_with_a_tag_or_digest_is_an_image(text: str, whether: bool) -> None:
    assert is_image(text) is whether


# --- errors


def test_one_image_raises_its_own_error(vendor: Served, local: Served) -> None:
    with pytest.raises(NotFound) as caught:
        transload.copy(f"{vendor.host_port}/acme/none:1", f"{local.host_port}/x:1")
    assert caught.value.side == "source"


def test_several_images_raise_one_error_with_the_result(vendor: Served, local: Served, site: MemoryStore) -> None:
    wanted = [f"{vendor.host_port}/{name}" for name in ("acme/none:1", "acme/app:1", "acme/nor:2")]
    with pytest.raises(ImagesFailed, match=r"2 of 3 images failed: acme/none:1: .*; acme/nor:2: ") as caught:
        transload.mirror(wanted, to=local.host_port)
    assert names(caught.value.result) == {"acme/none:1": "missing", "acme/app:1": "copied", "acme/nor:2": "missing"}
    assert [type(error) for error in caught.value.errors] == [type(caught.value.errors[0])] * 2
    assert site.resolve(Name.parse("acme/app:1")).digest == ONE.digest


def test_without_check_the_result_tells(vendor: Served, local: Served) -> None:
    result = transload.mirror(f"{vendor.host_port}/acme/none:1", to=local.host_port, check=False)
    (failed,) = result.failures
    assert failed.problem is not None
    assert failed.problem.code == "manifest-unknown"


def test_what_may_be_missing_is_no_error(vendor: Served, local: Served) -> None:
    wanted = [f"{vendor.host_port}/acme/none:1", f"{vendor.host_port}/acme/app:1"]
    assert names(transload.mirror(wanted, to=local.host_port, allow_missing=True))["acme/none:1"] == "missing"


@pytest.mark.parametrize(
    ("call", "arguments", "error"),
    [
        ("copy", ("nonsense", "oci:x"), ReferenceInvalid),
        ("copy", ("registry.local/app:1", "x"), ReferenceInvalid),
        ("copy", ("oci:folder", "registry.local/app:1"), UsageError),
        ("copy", ("registry.local/app:1", "oci:folder", ["app:1"]), UsageError),
        ("copy", ("registry.local/app:1", f"registry.local/app@{ONE.digest}"), UsageError),
        ("copy", ("oci:nowhere", "oci:folder"), LocalError),
        ("copy", ("registry.local/app:1", "bundle:x"), UsageError),
        ("copy", ("registry.invalid/app:1", "oci:folder"), HostUnknown),
        ("push", ("nowhere",), LocalError),
        ("pack", ("arcdata", "nowhere/x"), LocalError),
        ("verify", (), UsageError),
        ("verify", ("arcdata",), UsageError),
        ("verify", ("oci:nowhere",), LocalError),
    ],
)
def test_what_makes_no_sense_is_one_error_and_leaves_nothing(
    call: str, arguments: tuple[Any, ...], error: type[TransloadError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    more = {"to": "registry.local"} if call == "push" else {}
    with pytest.raises(error) as caught:
        getattr(transload, call)(*arguments, **more)
    assert caught.value.message
    assert not (tmp_path / "folder").exists()


def test_a_disk_that_is_full(vendor: Served, tmp_path: Path) -> None:
    store = FaultyStore(MemoryStore(), [out_of_space()])
    with serve(store, ServeSettings(writable=True)) as full, pytest.raises(TransloadError):
        transload.copy(f"{vendor.host_port}/acme/app:1", f"{full.host_port}/app:1")


# --- logins and surroundings


def test_logins_are_given_or_found_or_neither(
    site: MemoryStore, vendor: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ServeSettings(writable=True, users={"me": Secret("right")})
    with serve(site, settings) as closed:
        source, target = f"{vendor.host_port}/acme/app:1", f"{closed.host_port}/app:1"
        with pytest.raises(LoginMissing):
            transload.copy(source, target)
        with pytest.raises(CredentialsRejected):
            transload.copy(source, target, target_login=Login("me", Secret("wrong")))
        transload.copy(source, target, target_login=Login("me", Secret("right")))
        file = tmp_path / "auth.json"
        file.write_text(f'{{"auths": {{"{closed.host_port}": {{"auth": "bWU6cmlnaHQ="}}}}}}')
        monkeypatch.setenv("REGISTRY_AUTH_FILE", str(file))
        assert names(transload.copy(source, target)) == {"app:1": "unchanged"}
        with pytest.raises(LoginMissing):
            transload.copy(source, target, environment=NOTHING)


# --- bundles and proof


def test_packed_pushed_and_verified(vendor: Served, local: Served, tmp_path: Path) -> None:
    wanted = [f"{vendor.host_port}/acme/app:1", f"{vendor.host_port}/acme/web:2"]
    packed = transload.pack(wanted, tmp_path / "month", volume_size="1MiB", also=[__file__])
    assert [file.name for file in packed.files] == ["month.tar"]
    assert all(file.is_file() for file in packed.files)
    assert {str(each.image.name) for each in packed.ledger.images} == {"acme/app:1", "acme/web:2"}
    assert transload.verify(tmp_path / "month").good
    result = transload.push(tmp_path / "month", to=f"{local.host_port}/in")
    assert names(result) == {"in/acme/app:1": "copied", "in/acme/web:2": "copied"}
    checked = transload.verify(tmp_path / "month", to=f"{local.host_port}/in", deep=True)
    assert [proof.verdict for proof in checked.proofs] == ["identical", "identical"]
    assert transload.verify(wanted, to=f"{local.host_port}/in").good


def test_a_program_travels_beside_a_bundle(vendor: Served, tmp_path: Path) -> None:
    (tmp_path / "medium").mkdir()
    (tmp_path / "program").write_bytes(b"\x7fELF")
    wanted = f"{vendor.host_port}/acme/app:1"
    packed = transload.pack(wanted, tmp_path / "medium/month", with_tool=tmp_path / "program")
    assert packed.tool == tmp_path / "medium/program"
    assert {path.name for path in packed.tool.parent.iterdir()} == {"SHA256SUMS", "README.txt", "month.tar", "program"}
    with pytest.raises(LocalError, match="not the native executable"):
        transload.pack(wanted, tmp_path / "medium/next", with_tool="binary")


def test_a_bundle_lacks_nothing(vendor: Served, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        transload.pack(f"{vendor.host_port}/acme/none:1", tmp_path / "month")
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == []


def test_a_key_demands_a_signature(vendor: Served, local: Served, tmp_path: Path) -> None:
    transload.copy(f"{vendor.host_port}/acme/app:1", f"oci:{tmp_path / 'folder'}")
    for read in (
        lambda: transload.push(tmp_path / "folder", to=local.host_port, key=tmp_path / "key.pub"),
        lambda: transload.verify(f"oci:{tmp_path / 'folder'}", key=tmp_path / "key.pub"),
        lambda: transload.verify(f"{vendor.host_port}/acme/app:1", to=local.host_port, key=tmp_path / "key.pub"),
    ):
        with pytest.raises(BundleUnsigned):
            read()


def test_what_differs_is_told_and_not_raised(vendor: Served, local: Served, site: MemoryStore) -> None:
    fill(site, TWO, "acme/app", "1")
    checked = transload.verify(f"{vendor.host_port}/acme/app:1", to=local.host_port)
    assert not checked.good
    assert [proof.verdict for proof in checked.proofs] == ["differs"]


# --- events and cancellation


def test_a_callback_hears_what_happens_one_thing_at_a_time(vendor: Served, local: Served) -> None:
    heard: list[object] = []
    inside = threading.Lock()

    def progress(event: object) -> None:
        assert inside.acquire(blocking=False)
        heard.append(event)
        inside.release()

    wanted = [f"{vendor.host_port}/acme/app:1", f"{vendor.host_port}/acme/web:2"]
    transload.mirror(wanted, to=local.host_port, progress=progress)
    kinds = {type(event) for event in heard}
    assert {Progressed, StepMoved, ImageDone, RunFinished} <= kinds


def test_cancelled_before_it_begins(vendor: Served, local: Served, site: MemoryStore) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Interrupted):
        transload.copy(f"{vendor.host_port}/acme/app:1", f"{local.host_port}/app:1", cancellation=cancellation)
    assert list(site.repositories()) == []


def test_cancelled_on_the_way(vendor: Served, local: Served, site: MemoryStore) -> None:
    cancellation = Cancellation()

    def progress(event: object) -> None:
        if isinstance(event, StepMoved):
            cancellation.cancel()

    with pytest.raises(Interrupted):
        transload.copy(
            f"{vendor.host_port}/acme/app:1",
            f"{local.host_port}/app:1",
            progress=progress,
            cancellation=cancellation,
            jobs=1,
        )
    with pytest.raises(NotFound):
        site.resolve(Name.parse("app:1"))


@pytest.mark.skipif(os.name == "nt", reason="Windows delivers no signal to a process of its own choosing")
def test_ctrl_c_does_not_wait_for_a_server_that_says_nothing(tmp_path: Path) -> None:
    class Gate(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            os.kill(os.getpid(), signal.SIGINT)  # as "Interrupt the kernel" does in a notebook
            return super().wait(timeout)

    store, gate = MemoryStore(), Gate()
    fill(store, ONE, "acme/app", "1")
    patient = transload.Network(stall_timeout_s=10_000, give_up_after_s=10_000)
    with serve(FaultyStore(store, [waits("open", gate)])) as silent:
        with pytest.raises(KeyboardInterrupt):
            transload.copy(f"{silent.host_port}/acme/app:1", f"oci:{tmp_path / 'out'}", network=patient)
        gate.set()
        assert names(transload.copy(f"{silent.host_port}/acme/app:1", f"oci:{tmp_path / 'out'}")) == {
            "acme/app:1": "copied"
        }


def test_a_run_has_the_name_that_it_is_given(vendor: Served, tmp_path: Path) -> None:
    source, target = f"{vendor.host_port}/acme/app:1", f"oci:{tmp_path}/to"
    assert transload.copy(source, target, run_id="night-7").run_id == "night-7"
    result = transload.mirror(["acme/app:1"], origin=vendor.host_port, to=target)
    assert result.run_id != transload.copy(source, target).run_id
    assert result.is_unchanged
    with pytest.raises(UsageError, match="cannot be the name of a run"):
        transload.copy(source, target, run_id="two\nlines")
    with pytest.raises(TypeError, match="run_id must be str, not int"):
        transload.copy(source, target, run_id=7)  # type: ignore[arg-type]
