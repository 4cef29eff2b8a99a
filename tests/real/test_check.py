"""`transload check` against docker-registry in its shapes: open, with passwords, with tokens, over TLS, read-only."""

from __future__ import annotations

from pathlib import Path

import pytest

import transload
from tests.real.servers import Registry, StartRegistry
from tests.real.vendor import IMAGES, NEW, Shell
from tests.unit.check.test_registries import at, verdicts
from transload import Environment, Login, Network, Secret

NOTHING = Environment()


def left_in(registry: Registry, repository: str) -> set[str]:
    """What a check left on the server's disk: sessions with bytes, tags, layers that are linked."""
    folder = registry.root / "docker/registry/v2/repositories" / repository
    files = [path for path in folder.rglob("*") if path.is_file() and "hashstates" not in path.parts]
    return {str(path.relative_to(folder)) for path in files}


def test_an_open_registry(registry: Registry) -> None:
    found = transload.check(f"{registry.host}/check-open", environment=NOTHING)
    assert found.works
    assert set(verdicts(found).values()) == {"ok", "unknown"}
    assert at(found, "login").found.startswith("the registry asks for none")
    assert at(found, "resume").facts == {"resumes": False}
    assert at(found, "digests").facts == {"refuses_wrong_digest": True}
    assert at(found, "delete").facts == {"deletes": True}
    assert at(found, "referrers").facts == {"referrers_api": False}
    assert left_in(registry, "check-open/transload-check") == set()


def test_a_deep_check_of_an_open_registry(registry: Registry) -> None:
    found = transload.check(f"{registry.host}/check-deep", deep=True, environment=NOTHING)
    assert set(verdicts(found).values()) == {"ok"}
    assert at(found, "manifests").facts["taken"] == ["OCI image", "docker image", "OCI index", "docker list"]
    assert at(found, "sparse").facts == {"takes_sparse": False}
    assert at(found, "mounts").facts == {"mounts": True}
    assert at(found, "ranges").facts == {"ranges": True}
    for name in ("transload-check", "transload-check/transload-check-mount"):
        assert not {path for path in left_in(registry, f"check-deep/{name}") if "_uploads" in path or "/tags/" in path}


def test_a_registry_that_does_not_delete(start_registry: StartRegistry) -> None:
    registry = start_registry(storage={"delete": {"enabled": False}})
    found = transload.check(registry.host, deep=True, environment=NOTHING)
    assert found.works
    assert at(found, "delete").facts == {"deletes": False}
    assert (at(found, "clean").verdict, at(found, "clean").facts) == ("warning", {"left": 4})


def test_a_release_is_checked_in_its_own_repositories(registry: Registry, vendor: Registry, shell: Shell) -> None:
    ran = shell("check", f"{registry.host}/check-set", "arcdata", "--source-registry", vendor.host, "--tag", NEW)
    assert ran.code == 0, ran.told
    assert f"uploads can begin in {len(IMAGES)} repositories" in ran.out
    assert f"{len(IMAGES) + 1} images of the set can be copied" in ran.out  # the chart, too
    assert "to copy in about" in ran.out.splitlines()[-1]


@pytest.mark.parametrize("right", [True, False])
def test_passwords(htpasswd_registry: Registry, right: bool) -> None:
    user = htpasswd_registry.user
    assert user
    login = Login(user.name, Secret(user.password if right else "wrong"))
    found = transload.check(f"{htpasswd_registry.host}/check", target_login=login, environment=NOTHING)
    assert found.exit_code == (0 if right else 3)
    assert at(found, "login").verdict == ("ok" if right else "problem")
    assert user.password not in str(found)


def test_tokens(token_registry: Registry) -> None:
    user, reader, tokens = token_registry.user, token_registry.reader, token_registry.tokens
    assert user
    assert reader
    assert tokens
    host = token_registry.host
    found = transload.check(f"{host}/check", target_login=Login(user.name, Secret(user.password)), environment=NOTHING)
    assert found.works
    assert at(found, "login").facts["scheme"] == "bearer"
    assert "tokens come from 127.0.0.1:" in at(found, "login").found
    only_reads = Login(reader.name, Secret(reader.password))
    denied = transload.check(f"{host}/check", target_login=only_reads, environment=NOTHING)
    assert (at(denied, "login").verdict, at(denied, "push").verdict, denied.exit_code) == ("ok", "problem", 3)


def test_tls(tls_registry: Registry) -> None:
    known = transload.check(
        f"{tls_registry.host}/check", environment=NOTHING, network=Network(ca_files=tls_registry.ca_file)
    )
    assert known.works
    assert "127.0.0.1" in at(known, "certificate").facts["names"]
    assert at(known, "certificate").facts["days_left"] > 14
    stranger = transload.check(f"{tls_registry.host}/check", environment=NOTHING)
    assert (at(stranger, "certificate").verdict, stranger.exit_code) == ("problem", 5)


def test_a_registry_under_maintenance(start_registry: StartRegistry) -> None:
    registry = start_registry(storage={"maintenance": {"readonly": {"enabled": True}}})
    found = transload.check(f"{registry.host}/check", environment=NOTHING)
    assert (at(found, "push").verdict, found.works) == ("problem", False)


def test_a_registry_that_went_away(start_registry: StartRegistry, tmp_path: Path) -> None:
    registry = start_registry()
    registry.stop()
    found = transload.check(registry.host, environment=Environment(state=tmp_path))
    assert (at(found, "connection").verdict, found.exit_code) == ("problem", 5)
