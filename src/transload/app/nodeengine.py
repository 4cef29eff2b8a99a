"""Opens an engine of this machine: the one that was named, or the only one that answers."""

from __future__ import annotations

import contextlib

from transload.app.settings import Environment
from transload.engines.address import KINDS, EngineAddress, EngineKind, EnginePlaces, find_engine, is_socket
from transload.engines.ctr import K8S, CtrEngine
from transload.engines.engine import Check, Engine
from transload.engines.overapi import ApiEngine
from transload.engines.socket import answers_ping, connected
from transload.errors import TransloadError, UsageError
from transload.values import frozen


@frozen(kw_only=True)
class EngineChoice:
    """Which engine is meant: its kind (None: the only one that answers), its socket, and containerd's namespace."""

    kind: EngineKind | None = None
    address: str | None = None
    namespace: str | None = None

    def check(self) -> None:
        """Raises `UsageError` if the parts do not go together."""
        if self.kind is None and self.address is not None:
            raise UsageError(
                "it is not said which engine has the address", hint="add --docker, --podman or --containerd"
            )
        if self.namespace is not None and self.kind not in {"containerd", None}:
            raise UsageError(f"{self.kind} has no namespaces", hint="leave --namespace out, or write --containerd")


def open_engine(choice: EngineChoice, environment: Environment, check: Check, *, whole: bool = False) -> Engine:
    """The engine, after it has said what it is. With `whole`, containerd takes images of all platforms.

    Raises `UsageError` if it is not clear which engine is meant, `Unreachable`, `PermissionRefused`, `PartMissing`,
    `ProtocolTrouble`.
    """
    choice.check()
    if choice.kind:
        address = find_engine(choice.kind, environment.engines, choice.address)
    else:
        address = _only_one(environment.engines)
    if address.kind == "containerd":
        return CtrEngine(
            address,
            check,
            namespace=K8S if choice.namespace is None else choice.namespace,
            whole=whole,
            program_path=environment.helper_path,
            variables=environment.helper_variables,
        )
    if choice.namespace is not None:
        raise UsageError(f"{address.kind} has no namespaces", hint="leave --namespace out, or write --containerd")
    if whole:
        raise UsageError(
            f"{address.kind} keeps an image for one platform", hint="leave --all-platforms out, or write --containerd"
        )
    return ApiEngine(address, check)


def _only_one(places: EnginePlaces) -> EngineAddress:
    """The engine that answers, if it is the only one. Docker's own containerd counts: pods may be meant."""
    found = [address for address in _addresses(places) if _answers(address)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(
            "no engine answers on this machine",
            hint="name one: --docker, --podman or --containerd, with --engine-address if its socket lies elsewhere",
        )
    named = " and ".join(f"{address.kind} ({address})" for address in found)
    raise UsageError(
        f"several engines answer on this machine: {named}", hint="name one: --docker, --podman or --containerd"
    )


def _addresses(places: EnginePlaces) -> list[EngineAddress]:
    addresses = []
    for kind in KINDS:
        with contextlib.suppress(UsageError):  # a variable that names another machine
            addresses.append(find_engine(kind, places))
    return addresses


def _answers(address: EngineAddress) -> bool:
    if not is_socket(address.path):
        return False
    if address.kind != "containerd":
        return answers_ping(address)
    with contextlib.suppress(TransloadError):
        connected(address).close()
        return True
    return False
