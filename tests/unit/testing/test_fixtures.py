"""The fixtures for somebody else's tests: a registry that is empty, writable, and gone when the test is over."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from transload.errors import CredentialsRejected, LoginMissing, ReadOnly
from transload.layout import LayoutStore
from transload.login import Login, Secret
from transload.memory import MemoryStore
from transload.net.http import Http
from transload.net.settings import NetSettings
from transload.registry.store import RegistryStore
from transload.testing.fixtures import ServedStore, ServeRegistry, registry, serve_registry
from transload.testing.images import fill, image

__all__ = ["registry", "serve_registry"]

APP = image("an image")


def test_what_is_pushed_is_in_the_store_behind(registry: ServedStore[MemoryStore]) -> None:
    with Http(NetSettings()) as http:
        name = fill(RegistryStore(registry.host_port, http), APP, "team/app", "1.0")
    assert registry.store.fetch(name) == APP.manifest
    assert registry.url == f"http://{registry.host_port}"


def test_what_is_in_the_store_is_published(registry: ServedStore[MemoryStore]) -> None:
    assert list(registry.store.repositories()) == []
    name = fill(registry.store, APP, "team/app", "1.0")
    with Http(NetSettings()) as http:
        assert RegistryStore(registry.host_port, http).fetch(name) == APP.manifest


def test_several_registries_with_settings_of_their_own(serve_registry: ServeRegistry, tmp_path: Path) -> None:
    folder = LayoutStore(tmp_path / "folder", create=True)
    vendor = serve_registry(folder, writable=False)
    site = serve_registry(users={"mirror": "correct horse"})
    assert vendor.store is folder
    with Http(NetSettings()) as http:
        with pytest.raises(ReadOnly):
            fill(RegistryStore(vendor.host_port, http), APP, "team/app", "1.0")
        with pytest.raises(LoginMissing):
            list(RegistryStore(site.host_port, http).repositories())
        with pytest.raises(CredentialsRejected):
            RegistryStore(site.host_port, http, login=Login("mirror", Secret("wrong"))).check_login()
        fill(RegistryStore(site.host_port, http, login=Login("mirror", Secret("correct horse"))), APP, "team/app", "1")
    assert list(site.store.tags("team/app")) == ["1"]


def test_a_setting_that_does_not_exist_is_a_type_error(serve_registry: ServeRegistry) -> None:
    with pytest.raises(TypeError, match="writeable"):
        serve_registry(writeable=True)


def test_nothing_listens_when_the_test_is_over(tmp_path: Path) -> None:
    tests = tmp_path / "test_it.py"
    tests.write_text(
        'pytest_plugins = ["transload.testing.fixtures"]\n\n\n'
        "def test_it(registry):\n"
        "    with open('port', 'w') as file:\n"
        "        file.write(registry.host_port)\n"
    )
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", tests], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    host, _, port = (tmp_path / "port").read_text().rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))
