"""What a program gives by mistake to an open store, and to the single calls: one clear error, and nothing is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import transload
from transload import AnyEvent, Environment, MemoryStore, Name
from transload.errors import ReferenceInvalid, UsageError
from transload.server import Served, ServeSettings, serve
from transload.testing.images import fill, image

APP = image("app")
NOTHING = Environment()
KIND = "application/vnd.example.notes"
NOTES = {"a": b"x"}


@pytest.fixture
def served() -> Iterator[Served]:
    store = MemoryStore()
    fill(store, APP, "acme/app", "1")
    with serve(store, ServeSettings(writable=True)) as served:
        yield served


@pytest.mark.parametrize(
    ("call", "arguments", "named", "told"),
    [
        ("tags", (None,), {}, "repository must be str, not NoneType"),
        ("tags", (Path("x"),), {}, "repository must be str, not .*Path"),
        ("tags", (["x"],), {}, "repository must be str, not list"),
        ("referrers", (None,), {}, "reference must be str, not NoneType"),
        ("delete", (None,), {}, "reference must be str, not NoneType"),
        ("put_artifact", (None, NOTES), {}, "reference must be str, not NoneType"),
        ("put_artifact", ("", None), {}, "files must be a list of Path, or titles with Path or bytes, not NoneType"),
        ("put_artifact", ("", [None]), {}, "each of files must be str or Path, not NoneType"),
        ("put_artifact", ("", {5: b"x"}), {}, "each title of files must be str, not int"),
        ("put_artifact", ("", NOTES), {"artifact_type": None}, "artifact_type must be str, not NoneType"),
        ("put_artifact", ("", NOTES), {"media_type": 5}, "media_type must be str, not int"),
        ("put_artifact", ("", NOTES), {"annotations": ["k"]}, "annotations must be a mapping of str to str, not list"),
        ("put_artifact", ("", NOTES), {"annotations": {"k": 5}}, "annotations must be a mapping of str to str"),
        ("put_artifact", ("", NOTES), {"subject": 5}, "subject must be str or Descriptor, not int"),
        ("get_artifact", ("", None), {}, "folder must be str or Path, not NoneType"),
        ("get_artifact", ("", ["x"]), {}, "folder must be str or Path, not list"),
    ],
)
def test_a_wrong_type_in_a_single_call(
    call: str, arguments: tuple[Any, ...], named: dict[str, Any], told: str, served: Served
) -> None:
    given = tuple(f"{served.host_port}/acme/app:1" if value == "" else value for value in arguments)
    named = ({"artifact_type": KIND} if call == "put_artifact" else {}) | {"environment": NOTHING} | named
    with pytest.raises(TypeError, match=f"^{told}"):
        getattr(transload, call)(*given, **named)


@pytest.mark.parametrize(
    ("method", "arguments", "told"),
    [
        ("tags", (None,), "repository must be str, not NoneType"),
        ("tags", (["app"],), "repository must be str, not list"),
        ("resolve", (None,), "name must be str, not NoneType"),
        ("resolve", (Name("app", "1"),), "name must be str, not Name"),
        ("exists", (5,), "name must be str, not int"),
        ("read_blob", ("app", "sha256:00"), "descriptor must be Descriptor, not str"),
        ("read_blob", ("app", None), "descriptor must be Descriptor, not NoneType"),
    ],
)
def test_a_wrong_type_in_a_call_on_a_store(method: str, arguments: tuple[Any, ...], told: str, served: Served) -> None:
    with (
        transload.open_store(f"{served.host_port}/acme", environment=NOTHING) as store,
        pytest.raises(TypeError, match=f"^{told}"),
    ):
        getattr(store, method)(*arguments)


def test_a_wrong_value_in_a_single_call(served: Served, tmp_path: Path) -> None:
    reference = f"{served.host_port}/acme/app:1"
    with pytest.raises(UsageError, match="^repository is empty"):
        transload.tags("", environment=NOTHING)
    with pytest.raises(ReferenceInvalid, match=f"^'{served.host_port}' names no repository") as caught:
        transload.tags(served.host_port, environment=NOTHING)
    assert caught.value.hint
    with pytest.raises(UsageError, match="^folder is empty"):
        transload.get_artifact(reference, "", environment=NOTHING)
    with pytest.raises(UsageError, match="^folder has a NUL"):
        transload.get_artifact(reference, f"{tmp_path}/a\0b", environment=NOTHING)
    with pytest.raises(UsageError, match="^annotations: .* cannot be written as UTF-8"):
        transload.put_artifact(reference, NOTES, artifact_type=KIND, annotations={"k": "\udc80"}, environment=NOTHING)


def test_the_prefix_of_skopeo_is_understood_by_single_calls(served: Served) -> None:
    assert transload.tags(f"docker://{served.host_port}/acme/app", environment=NOTHING) == ("1",)
    with pytest.raises(ReferenceInvalid) as caught:
        transload.tags(f"docker://me:hunter2@{served.host_port}/acme/app", environment=NOTHING)
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


def test_a_password_before_a_store_is_told_as_one(served: Served) -> None:
    with pytest.raises(ReferenceInvalid, match="what follows the @ is not a digest"):
        transload.open_store(f"me:hunter2@{served.host_port}", environment=NOTHING)


def test_a_callback_is_an_ordinary_function(served: Served) -> None:
    async def progress(_: AnyEvent) -> None:
        raise AssertionError

    wrong: Any = progress
    with pytest.raises(TypeError, match="^progress must be an ordinary function, not async def"):
        transload.copy(f"{served.host_port}/acme/app:1", "oci:x", environment=NOTHING, progress=wrong)
