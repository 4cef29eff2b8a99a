"""What a program gives to a verb by mistake: one clear error, before anything is asked or written, without a secret."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import transload
from transload import Environment, Login, MemoryStore, Narrowing, Network, Secret
from transload.errors import ReferenceInvalid, SelectionEmpty, TransloadError, UsageError
from transload.oci import Name, Platform
from transload.server import Served, ServeSettings, serve
from transload.testing.images import fill, image, multi_platform

ONE, TWO = image("one", layers=(3000, 70_000)), multi_platform("two")
NOTHING = Environment()
A, B = "registry.invalid/app:1", "registry.invalid/other:1"


@pytest.fixture
def vendor() -> Iterator[Served]:
    store = MemoryStore()
    fill(store, ONE, "acme/app", "1")
    fill(store, TWO, "acme/web", "2")
    with serve(store) as served:
        yield served


@pytest.fixture
def site() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def local(site: MemoryStore) -> Iterator[Served]:
    with serve(site, ServeSettings(writable=True)) as served:
        yield served


def call(verb: str, *arguments: Any, **named: Any) -> Any:
    return getattr(transload, verb)(*arguments, **{"environment": NOTHING, **named})


# --- types


@pytest.mark.parametrize(
    ("verb", "arguments", "named", "told"),
    [
        ("copy", (None, B), {}, "source must be str, not NoneType"),
        ("copy", (A, 5), {}, "target must be str, not int"),
        ("copy", ([A], B), {}, "source must be str, not list"),
        ("copy", (A.encode(), B), {}, "source must be str, not bytes"),
        ("copy", (A, Path("x")), {}, "target must be str, not .*Path .*oci:DIR"),
        ("copy", ("oci:x", "oci:y", 5), {}, "images must be a list of str or Path, not int"),
        ("copy", ("oci:x", "oci:y", b"app:1"), {}, "images must be a list of str or Path, not bytes"),
        ("copy", ("oci:x", "oci:y", [Name("app", "1")]), {}, "each of images must be str or Path, not Name"),
        ("copy", (A, B), {"platforms": None}, "platforms must be a list of str or Platform, not NoneType"),
        ("copy", (A, B), {"platforms": [5]}, "each of platforms must be str or Platform, not int"),
        ("copy", (A, B), {"jobs": "4"}, "jobs must be int, not str"),
        ("copy", (A, B), {"jobs": None}, "jobs must be int, not NoneType"),
        ("copy", (A, B), {"source_login": ("me", "hunter2")}, "source_login must be Login, not tuple"),
        ("copy", (A, B), {"target_login": "me:hunter2"}, "target_login must be Login, not str"),
        ("copy", (A, B), {"network": "x"}, "network must be Network, not str"),
        ("copy", (A, B), {"environment": {}}, "environment must be Environment, not dict"),
        ("copy", (A, B), {"cancellation": threading.Event()}, "cancellation must be Cancellation, not Event"),
        ("copy", (A, B), {"progress": 5}, "progress must be callable, not int"),
        ("copy", (A, B), {"progres": print}, "unexpected keyword argument 'progres'; did you mean progress?"),
        (
            "verify",
            (A,),
            {"to": B, "login": 5},
            "unexpected keyword .* 'login'; did you mean source_login or",
        ),
        ("push", ("bundle:x",), {"to": "oci:y", "loud": True}, "unexpected keyword argument 'loud'$"),
        ("pack", (A, "x"), {"sign_key": "k", "passphrase": "hunter2"}, "passphrase must be a function .*, not str"),
        ("mirror", (None,), {"to": "oci:x"}, "sets must be a list of str or Path, not NoneType"),
        ("mirror", ([[A]],), {"to": "oci:x"}, "each of sets must be str or Path, not list"),
        ("mirror", (A,), {"to": None}, "to must be str, not NoneType"),
        ("mirror", ("arcdata",), {"to": "oci:x", "tag": 5}, "tag must be str, not int"),
        ("mirror", ((),), {"to": "oci:x", "origin": Path("y")}, "origin must be str, not .*Path"),
        ("pack", (A, None), {}, "out must be str or Path, not NoneType"),
        ("pack", (A, ["x"]), {}, "out must be str or Path, not list"),
        ("push", (None,), {"to": "oci:x"}, "bundle must be str or Path, not NoneType"),
        ("push", (["x"],), {"to": "oci:x"}, "bundle must be str or Path, not list"),
        ("verify", (None,), {}, "sets must be a list of str or Path, not NoneType"),
        ("open_store", (Path("x"),), {}, "text must be str, not .*Path"),
        ("open_store", ("registry.invalid",), {"login": "me:hunter2"}, "login must be Login, not str"),
    ],
)
def test_a_wrong_type_names_the_parameter(
    verb: str,
    arguments: tuple[Any, ...],
    named: dict[str, Any],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError, match=f"^{told}") as caught:
        call(verb, *arguments, **named)
    assert "hunter2" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


# --- values


@pytest.mark.parametrize(
    ("verb", "arguments", "named", "told"),
    [
        ("copy", ("", B), {}, "source is empty"),
        ("copy", (A, "  "), {}, "target is empty"),
        ("copy", ("oci:x", "oci:y", [""]), {}, "a text in images is empty"),
        ("copy", ("oci:a\0b", "oci:y"), {}, "source has a NUL"),
        ("copy", (A, "oci:a\0b"), {}, "target has a NUL"),
        ("copy", (A, B), {"jobs": 0}, "jobs must be at least 1, not 0"),
        ("copy", (A, B), {"narrowing": "thin"}, "narrowing is neither"),
        ("copy", ("registry.local/app", B), {}, f"{B} is one image, and registry.local/app has neither a tag"),
        ("copy", ("alpine", B), {}, f"{B} is one image, and alpine has neither a tag"),
        ("copy", ("oci:x", B), {}, f"{B} is one image, and oci:x is a store"),
        ("copy", ("registry.local:5000", B), {}, f"{B} is one image, and registry.local:5000 is a store"),
        ("mirror", ("",), {"to": "oci:x"}, "a text in sets is empty"),
        ("mirror", (A,), {"to": ""}, "to is empty"),
        ("pack", (A, ""), {}, "out is empty"),
        ("pack", (A, "a\0b"), {}, "out has a NUL"),
        ("pack", (A, "oci:x"), {}, "oci: is not followed by a bundle"),
        ("push", ("",), {"to": "oci:x"}, "bundle is empty"),
        ("verify", ("",), {}, "a text in sets is empty"),
        ("open_store", ("",), {}, "text is empty"),
    ],
)
def test_a_wrong_value_is_told_before_anything_is_done(
    verb: str,
    arguments: tuple[Any, ...],
    named: dict[str, Any],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=f"^{told}") as caught:
        call(verb, *arguments, **named)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [float("nan"), 0, -1])
def test_a_limit_of_time_is_above_zero(value: float) -> None:
    with pytest.raises(UsageError, match="stall_timeout_s must be above zero"):
        call("copy", A, B, network=Network(stall_timeout_s=value))


@pytest.mark.parametrize("before", ["", "docker://", "https://", "http://", "DOCKER://"])
@pytest.mark.parametrize("after", ["/app:1", "/app", ""])
def test_a_password_in_a_text_is_never_repeated(before: str, after: str) -> None:
    text = f"{before}me:hunter2@registry.invalid{after}"
    calls: list[Callable[[], Any]] = [
        lambda: call("copy", text, B),
        lambda: call("copy", text, "oci:x"),
        lambda: call("copy", A, text),
        lambda: call("copy", "oci:x", text),
        lambda: call("copy", "oci:x", "oci:y", [text]),
        lambda: call("copy", text, "oci:y", ["app:1"]),
        lambda: call("mirror", text, to="oci:x"),
        lambda: call("mirror", A, to=text),
        lambda: call("mirror", to="oci:x", origin=text),
        lambda: call("push", text, to="oci:x"),
        lambda: call("verify", text),
        lambda: call("verify", A, to=text),
        lambda: call("open_store", text),
    ]
    for ask in calls:
        with pytest.raises(TransloadError) as caught:
            ask()
        error = caught.value
        assert "hunter2" not in f"{error} {error.hint} {error.subject}"


def test_what_is_wrong_with_a_source_is_told_of_the_source_alone() -> None:
    with pytest.raises(ReferenceInvalid) as caught:
        call("copy", "registry.invalid/App:1", B)
    assert "->" not in str(caught.value)


def test_a_login_takes_a_text_for_its_secret_and_never_shows_it() -> None:
    assert Login("me", "hunter2") == Login("me", Secret("hunter2"))
    assert "hunter2" not in repr(Login("me", "hunter2", "hunter2"))


# --- what is meant all the same


def test_one_text_stands_for_itself(vendor: Served, local: Served, site: MemoryStore, tmp_path: Path) -> None:
    call("copy", vendor.host_port, local.host_port, "acme/app:1")
    assert list(site.repositories()) == ["acme/app"]
    call("copy", f"{vendor.host_port}/acme/web:2", f"{local.host_port}/web:2", platforms="linux/amd64")
    call("copy", f"{vendor.host_port}/acme/web:2", f"{local.host_port}/web:3", platforms=Platform.parse("linux/amd64"))
    assert site.resolve(Name("web", "2")).digest == site.resolve(Name("web", "3")).digest != TWO.digest
    (tmp_path / "note").write_text("read me")
    call("pack", f"{vendor.host_port}/acme/app:1", tmp_path / "month", also=tmp_path / "note")
    assert call("verify", tmp_path / "month", volumes=str(tmp_path)).good
    call("push", str(tmp_path / "month"), to=f"{local.host_port}/in", images="acme/app:1", volumes=tmp_path)


def test_a_file_among_the_sets_may_be_a_path(vendor: Served, local: Served, tmp_path: Path) -> None:
    (tmp_path / "wanted.txt").write_text(f"{vendor.host_port}/acme/app:1\n")
    result = call("mirror", [tmp_path / "wanted.txt", f"{vendor.host_port}/acme/web:2"], to=local.host_port)
    assert [found.status for found in result.images] == ["copied", "copied"]


def test_the_prefix_of_skopeo_is_understood(vendor: Served, local: Served, site: MemoryStore) -> None:
    call("copy", f"docker://{vendor.host_port}/acme/app:1", f"docker://{local.host_port}/x:1")
    assert site.resolve(Name("x", "1")).digest == ONE.digest


def test_an_image_of_the_hub_may_be_short() -> None:
    proxies = Environment(proxies={"https": "http://127.0.0.1:1"})  # nobody is there, and nothing leaves this machine
    with pytest.raises(TransloadError) as caught:
        call("copy", "alpine:3.20", B, environment=proxies, network=Network(give_up_after_s=0.1))
    assert not isinstance(caught.value, UsageError)
    with pytest.raises(TransloadError, match=r"docker\.io|127\.0\.0\.1:1"):
        call("copy", "alpine:3.20", "oci:x", environment=proxies, network=Network(give_up_after_s=0.1))


def test_a_bundle_may_be_written_as_a_store(vendor: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    packed = call("pack", f"{vendor.host_port}/acme/app:1", "bundle:month")
    assert [str(file) for file in packed.files] == ["month.tar"]


def test_narrowing_by_its_value(vendor: Served, local: Served, site: MemoryStore) -> None:
    for number, narrowing in enumerate(("rewritten", Narrowing.REWRITTEN)):
        name = f"{local.host_port}/web:{number}"
        call("copy", f"{vendor.host_port}/acme/web:2", name, platforms=["linux/amd64"], narrowing=narrowing)
    assert site.resolve(Name("web", "0")).digest == site.resolve(Name("web", "1")).digest != TWO.digest


def test_the_state_folder_of_an_environment_may_be_a_text(vendor: Served, tmp_path: Path) -> None:
    wrong: Any = str(tmp_path / "state")
    call("referrers", f"{vendor.host_port}/acme/app:1", environment=Environment(state=wrong))
    assert (tmp_path / "state" / "known-registries.sqlite3").is_file()


def test_hosts_and_authorities_of_a_network_may_be_one() -> None:
    network = Network(ca_files="site-ca.pem", insecure_tls="a.example", plain_http=["b.example"], realms="c.example")
    assert network.ca_files == (Path("site-ca.pem"),)
    assert (network.insecure_tls, network.plain_http, network.realms) == (
        ("a.example",),
        ("b.example",),
        ("c.example",),
    )


@pytest.mark.parametrize("empty", [[], (), iter(()), {}])
def test_no_images_are_not_all_images(empty: Any, vendor: Served, local: Served, site: MemoryStore) -> None:
    with pytest.raises(SelectionEmpty) as caught:
        call("copy", vendor.host_port, local.host_port, empty)
    assert caught.value.hint == "leave images out to take everything"
    with pytest.raises(SelectionEmpty):
        call("mirror", f"{vendor.host_port}/acme/app:1", to=local.host_port, images=[])
    assert list(site.repositories()) == []
    assert len(call("copy", vendor.host_port, local.host_port, None).images) == 2
