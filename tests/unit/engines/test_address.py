"""Where an engine's socket is looked for."""

import socket
from pathlib import Path

import pytest

from transload.app.settings import read_environment
from transload.engines.address import KINDS, EngineKind, EnginePlaces, find_engine, usual_paths
from transload.errors import UsageError


@pytest.mark.parametrize(
    ("kind", "variable"),
    [("docker", "DOCKER_HOST"), ("podman", "CONTAINER_HOST"), ("containerd", "CONTAINERD_ADDRESS")],
)
def test_the_named_address_comes_before_the_variable(kind: EngineKind, variable: str) -> None:
    places = read_environment({"HOME": "/h", variable: "unix:///variable.sock"}).engines
    assert find_engine(kind, places).path == Path("/variable.sock")
    assert find_engine(kind, places).origin == variable
    assert find_engine(kind, places, "unix:///flag.sock").path == Path("/flag.sock")
    assert find_engine(kind, places, "/flag.sock").path == Path("/flag.sock")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:2375", "ssh://host", "unix://relative", "relative.sock", ""])
def test_only_sockets_of_this_machine_are_used(address: str) -> None:
    with pytest.raises(UsageError, match="only sockets of this machine"):
        find_engine("docker", EnginePlaces(), address)


def test_a_password_in_a_variable_is_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        find_engine("docker", EnginePlaces(named={"DOCKER_HOST": "ssh://ann:secret@host"}))
    assert "secret" not in caught.value.message


def test_the_users_own_socket_is_taken_if_it_is_the_one_that_is_there(tmp_path: Path) -> None:
    places = read_environment({"HOME": "/h", "XDG_RUNTIME_DIR": str(tmp_path)}).engines
    own = tmp_path / "podman" / "podman.sock"
    assert usual_paths("podman", places)[-1] == own
    if find_engine("podman", places).path.exists():
        pytest.skip("a podman engine runs here")
    own.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(own))
        assert find_engine("podman", places).path == own


def test_without_any_socket_the_usual_path_is_named() -> None:
    for kind in KINDS:
        address = find_engine(kind, EnginePlaces(runtime_folder=Path("/nowhere")))
        assert address.path in usual_paths(kind, EnginePlaces())
