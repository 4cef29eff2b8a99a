"""A port that no host has is refused wherever a registry is named, before anything is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from transload.cli.main import main
from transload.errors import ReferenceInvalid
from transload.oci.reference import Reference, check_registry


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSLOAD_CONFIG", str(tmp_path / "none.yaml"))


@pytest.mark.parametrize("host", ["registry.local:99999", "[::1]:65536", "localhost:0"])
@pytest.mark.parametrize(
    "line",
    [
        "check {}/x",
        "mirror a.example/b:1 --to {}/x",
        "mirror {}/a/b:1 --to oci:out",
        "mirror --from {}/x --to oci:out",
        "mirror arcdata --source-registry {} --to oci:out",
        "plan {}/a/b:1 --to oci:out",
        "pack {}/a/b:1 -o out",
        "push folder --to {}",
        "inventory {} -o out",
        "forget {}",
        "verify a.example/b:1 --to {}/x",
        "releases arcdata --to {}",
        "serve {}/x",
        "mirror a.example/b:1 --to oci:out --plain-http {}",
        "mirror a.example/b:1 --to oci:out --insecure-tls {}",
        "mirror a.example/b:1 --to oci:out --allow-realm {}",
    ],
)
def test_it_is_refused(capsys: pytest.CaptureFixture[str], line: str, host: str) -> None:
    Path("folder").mkdir()
    assert main(line.format(host).split()) == 2
    told = capsys.readouterr().err
    assert f"{host!r} has the port {host.rpartition(':')[2]}" in told
    assert "ports go from 1 to 65535" in told


def test_serve_listens_at_no_such_port(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "oci:folder", "--listen", "127.0.0.1:65536"]) == 2
    assert "'127.0.0.1:65536' is not HOST:PORT" in capsys.readouterr().err


def test_the_first_and_the_last_port_are_ports() -> None:
    for host in ("a.example:1", "a.example:65535", "[::1]:5000", "[2001:db8::1]", "a.example"):
        assert check_registry(host) == host
    assert Reference.parse("[::1]:5000/a:1").registry == "[::1]:5000"


@pytest.mark.parametrize("host", ["[:::]", "[::1::2]", "[12345::]", "[]", "[::1]x", "[::1]:"])
def test_what_is_no_address_is_no_registry(host: str) -> None:
    with pytest.raises(ReferenceInvalid):
        check_registry(host)
