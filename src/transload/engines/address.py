"""Where an engine's socket is: what the user names, then the engine's own variable, then the usual paths."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

from transload.errors import UsageError
from transload.oci.reference import shown
from transload.values import field, frozen

EngineKind = Literal["docker", "podman", "containerd"]
KINDS: tuple[EngineKind, ...] = get_args(EngineKind)

VARIABLES: Mapping[EngineKind, str] = {
    "docker": "DOCKER_HOST",
    "podman": "CONTAINER_HOST",
    "containerd": "CONTAINERD_ADDRESS",
}
"""The variable with which the engine's own client is told where the engine is."""

_RUN = Path("/run")
# Where the packages of each engine put the socket; k3s and RKE2 have a containerd of their own.
_USUAL: Mapping[EngineKind, tuple[Path, ...]] = {
    "docker": (Path("/var/run/docker.sock"),),
    "podman": (_RUN / "podman/podman.sock",),
    "containerd": (_RUN / "containerd/containerd.sock", _RUN / "k3s/containerd/containerd.sock"),
}
# Below the user's own folder for sockets, for engines that run without root.
_OWN: Mapping[EngineKind, str] = {"docker": "docker.sock", "podman": "podman/podman.sock"}


@frozen(kw_only=True)
class EnginePlaces:
    """What the environment says about engines: the values of `VARIABLES` that are set, and `$XDG_RUNTIME_DIR`."""

    named: Mapping[str, str] = field(factory=dict)
    runtime_folder: Path | None = None


@frozen
class EngineAddress:
    """An engine and the path of its socket. `origin` says who named the path, for errors; empty for a usual path."""

    kind: EngineKind
    path: Path
    origin: str = ""

    def __str__(self) -> str:
        return f"unix://{self.path}"


def find_engine(kind: EngineKind, places: EnginePlaces, named: str | None = None) -> EngineAddress:
    """The engine at the address `named` (`unix:///path`), else where its variable says, else where its socket lies.

    If no socket is there, the first usual path: whoever connects gets the error. Raises `UsageError` for an address
    that is no socket of this machine.
    """
    if named is not None:
        return EngineAddress(kind, _socket_path(named, "--engine-address"), "--engine-address")
    variable = VARIABLES[kind]
    if address := places.named.get(variable):
        return EngineAddress(kind, _socket_path(address, variable), variable)
    usual = usual_paths(kind, places)
    return EngineAddress(kind, next((path for path in usual if is_socket(path)), usual[0]))


def usual_paths(kind: EngineKind, places: EnginePlaces) -> tuple[Path, ...]:
    """Where the engine's socket lies if nobody says otherwise: the machine's own first, then the user's."""
    own = _OWN.get(kind)
    return (*_USUAL[kind], *([places.runtime_folder / own] if own and places.runtime_folder else []))


def is_socket(path: Path) -> bool:
    """Whether a socket lies there, as far as this user may see."""
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _socket_path(address: str, origin: str) -> Path:
    scheme, separator, rest = address.strip().partition("://")
    path = rest if separator else scheme
    if (separator and scheme != "unix") or not path.startswith("/"):
        raise UsageError(
            f"{origin} names {shown(address)!r}, and only sockets of this machine are used",
            subject=origin,
            hint="write unix:///path/of/the.sock",
        )
    return Path(path)
