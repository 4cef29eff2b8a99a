"""Puts the program into a simulated world: its time, its threads, its sockets, and the sums of zeros.

What is replaced is what the system and the standard library give: `threading`, `time.monotonic`, sockets, `select`, and
SHA-256 for content that is nothing but zeros (its sum follows from its length). All code of the program is its own.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import pkgutil
import random
import select
import socket
import sys
import threading
import time
import types
from collections.abc import Iterator
from typing import Any

import urllib3.connection

import transload.net.connection
import transload.net.flight
import transload.oci.digest
from benchmarks.simulation.lines import Line, MeteredLine, Network, Poll, wait_for_read
from benchmarks.simulation.virtual import Virtual
from transload.registry.room import ROOM

_LOADED = ("transload.net", "transload.registry", "transload.transfer", "transload.planning", "transload.graph")


class ZeroSum:
    """A SHA-256 of zeros by their number, of anything else by the bytes."""

    def __init__(self, content: Any = b"") -> None:
        self._zeros = 0
        self._hash = hashlib.sha256()
        self.update(content)

    def update(self, content: Any) -> None:
        if len(content) and not content[0]:
            self._zeros += len(content)
        else:
            self._hash.update(content)

    def hexdigest(self) -> str:
        return sum_of_zeros(self._zeros) if self._zeros else self._hash.hexdigest()


def sum_of_zeros(count: int) -> str:
    """What stands for the SHA-256 of so many zeros."""
    return hashlib.sha256(f"{count} zeros".encode()).hexdigest()


def _new(_: str, content: Any = b"", **__: Any) -> ZeroSum:
    return ZeroSum(content)


@contextlib.contextmanager
def simulated(*, seed: int = 1, longest_s: float = 1e6) -> Iterator[Virtual]:
    """In this block, this thread and those that it starts live in virtual time."""
    _load()
    virtual = Virtual(longest_s=longest_s)
    Network.now = Network(virtual)
    random.seed(seed)
    with contextlib.ExitStack() as held:
        for name, module in tuple(sys.modules.items()):
            if name.startswith("transload.") and getattr(module, "threading", None) is threading:
                held.enter_context(_replaced(module, "threading", virtual.threading))
            if name.startswith("transload.") and getattr(module, "time", None) is time:
                clock = _with(time, monotonic=virtual.monotonic_s, time=virtual.wall_s)
                held.enter_context(_replaced(module, "time", clock))
        connection, flight = transload.net.connection, transload.net.flight
        for at, attribute, value in (
            (connection, "MeteredSocket", MeteredLine),
            (connection, "wait_for_read", wait_for_read),
            (flight, "select", _with(select, poll=Poll)),
            (urllib3.connection, "wait_for_read", wait_for_read),
            (flight, "socket", _with(socket, socket=Line)),
            (transload.oci.digest, "hashlib", _with(hashlib, new=_new)),
            (ROOM, "_changed", virtual.threading.Condition()),  # made while the program was loaded
        ):
            held.enter_context(_replaced(at, attribute, value))
        held.enter_context(_without_collection())
        try:
            yield virtual
        finally:
            virtual.close()


def _load() -> None:
    """Whatever a run may import, so that it is there to be changed."""
    for root in _LOADED:
        package = importlib.import_module(root)
        for found in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{root}."):
            importlib.import_module(found.name)


def _with(module: types.ModuleType, **changes: Any) -> types.SimpleNamespace:
    return types.SimpleNamespace(**{**vars(module), **changes})


@contextlib.contextmanager
def _replaced(at: Any, attribute: str, value: Any) -> Iterator[None]:
    before = getattr(at, attribute)
    setattr(at, attribute, value)
    try:
        yield
    finally:
        setattr(at, attribute, before)


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """No garbage is collected: what that closes would be closed at another moment each time."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
