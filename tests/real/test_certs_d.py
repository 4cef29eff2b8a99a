"""Certificates where docker and podman look for them, against servers that demand one and nobody else vouches for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.real.servers import Registry, write_certificates
from tests.real.vendor import NEW, Ran, Shell, publish
from transload.layout import LayoutStore
from transload.testing.images import fill, image

FOLDERS = (".config/containers/certs.d", ".config/docker/certs.d", ".docker/certs.d")


def folder_of(registry: Registry, home: Path, certs_d: str = FOLDERS[0]) -> Path:
    folder = home / certs_d / registry.host
    folder.mkdir(parents=True)
    return folder


def trust(registry: Registry, folder: Path) -> None:
    assert registry.certs
    shutil.copy(registry.certs / "ca.crt", folder / "site.crt")


def show(registry: Registry, folder: Path) -> None:
    shutil.copy(registry.client_certificate, folder / "me.cert")
    shutil.copy(registry.client_key, folder / "me.key")


def copied(shell: Shell, registry: Registry, *more: object) -> Ran:
    """One image of a folder, pushed there."""
    fill(LayoutStore(shell.home / "folder", create=True), image("certs-d", (1000,)), "app", "v1")
    return shell("mirror", "--from", f"oci:{shell.home}/folder", "--to", f"{registry.host}/certs-d", "--quiet", *more)


@pytest.mark.parametrize("certs_d", FOLDERS)
def test_authority_and_client_certificate(shell: Shell, mutual_tls_registry: Registry, certs_d: str) -> None:
    folder = folder_of(mutual_tls_registry, shell.home, certs_d)
    trust(mutual_tls_registry, folder)
    show(mutual_tls_registry, folder)
    done = copied(shell, mutual_tls_registry)
    assert done.code == 0, done.told
    assert "warning" not in done.err


def test_without_them_or_for_another_port(shell: Shell, mutual_tls_registry: Registry) -> None:
    folder = shell.home / FOLDERS[0] / "127.0.0.1:1"
    folder.mkdir(parents=True)
    trust(mutual_tls_registry, folder)
    show(mutual_tls_registry, folder)
    failed = copied(shell, mutual_tls_registry)
    assert failed.code in {3, 5}
    assert "certificate" in failed.told


def test_flags_go_before_folders(shell: Shell, mutual_tls_registry: Registry, tmp_path: Path) -> None:
    folder = folder_of(mutual_tls_registry, shell.home)
    strangers = write_certificates(tmp_path / "strangers")
    shutil.copy(strangers / "client.cert", folder / "me.cert")
    shutil.copy(strangers / "client.key", folder / "me.key")
    (folder / "broken.crt").write_text("no certificate")
    flags = ("--client-cert", mutual_tls_registry.client_certificate, "--client-key", mutual_tls_registry.client_key)
    done = copied(shell, mutual_tls_registry, *flags, "--ca-file", mutual_tls_registry.ca_file)
    assert done.code == 0, done.told
    assert done.err.count("broken.crt holds no certificate authority") == 1
    assert copied(shell, mutual_tls_registry, *flags, "--insecure-tls", mutual_tls_registry.host).code == 0


def test_what_cannot_be_used_is_told_and_the_rest_is(shell: Shell, mutual_tls_registry: Registry) -> None:
    folder = folder_of(mutual_tls_registry, shell.home)
    trust(mutual_tls_registry, folder)
    show(mutual_tls_registry, folder)
    (folder / "alone.cert").write_bytes(mutual_tls_registry.client_certificate.read_bytes())
    (folder / "lost.key").write_bytes(mutual_tls_registry.client_key.read_bytes())
    (folder / "odd.crt").mkdir()
    done = copied(shell, mutual_tls_registry)
    assert done.code == 0, done.told
    told = " ".join(done.err.split())
    assert "alone.cert has no key alone.key beside it" in told
    assert "lost.key has no certificate lost.cert beside it" in told
    assert "odd.crt" in told


def test_a_whole_run(shell: Shell, tls_registry: Registry, registry: Registry) -> None:
    trust(tls_registry, folder_of(tls_registry, shell.home, FOLDERS[1]))
    publish(registry, (NEW,), prefix="certs-d", images=("app",))
    done = shell("mirror", f"{registry.host}/certs-d/app:{NEW}", "--to", f"{tls_registry.host}/certs-d", "--quiet")
    assert done.code == 0, done.told
