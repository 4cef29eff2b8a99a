"""`transload prune` at a real docker-registry, whose own garbage collection then frees what was said."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import pytest

from tests.real.programs import program
from tests.real.servers import Registry, StartRegistry
from transload.cli.main import main
from transload.login import Login, Secret
from transload.net.http import Http
from transload.net.settings import NetSettings
from transload.oci import Name
from transload.registry.store import RegistryStore
from transload.testing.images import fill, image, multi_platform, signature
from transload.testing.releases import release

RULE = ["--remove-tags", "v1.*", "--keep", "2"]
TAGS = ("v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "TRANSLOAD_STATE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


def fill_releases(store: RegistryStore) -> None:
    """Four releases that share layers, with an index, cosign's tags, and referrers under the fallback tag.

    One referrer for each image: a second one would replace the list, and the first list would stay there without a tag,
    unseen by us, and keep the first referrer from being collected.
    """
    for version, tag in enumerate(TAGS, 1):
        built = dict(release(images=4, size=400_000, version=version).images)
        built["many"] = multi_platform(f"many{version}")
        for name, one in built.items():
            fill(store, one, f"mirror/{name}", tag)
        signed = built["controller"]
        fill(store, image(f"sig{version}"), "mirror/controller", f"sha256-{signed.digest.encoded}.sig")
        fill(store, signature(signed, f"s{version}"), "mirror/controller")


def check_whole(store: RegistryStore) -> list[Name]:
    names = [Name(repository, tag) for repository in store.repositories() for tag in _tags(store, repository)]
    for name in names:
        waiting = [store.fetch(name)]
        while waiting:
            manifest = waiting.pop()
            assert all(store.exists(name.repository, blob) for blob in manifest.blobs)
            waiting += [store.fetch(name.at(child.digest)) for child in manifest.manifests]
    return names


def _tags(store: RegistryStore, repository: str) -> list[str]:
    try:
        return list(store.tags(repository))
    except Exception:  # noqa: BLE001 - a repository without tags is still listed
        return []


def result(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    main(["prune", *words, "--output", "json"])
    last: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return last


def stored(registry: Registry) -> int:
    """Bytes of all blobs on the registry's disk; manifests are blobs there too."""
    return sum(path.stat().st_size for path in registry.root.rglob("blobs/*/*/*/data"))


def collect_garbage(registry: Registry) -> None:
    config = registry.root.parent / "config.yml"
    subprocess.run(
        [program("docker-registry"), "garbage-collect", str(config)], check=True, capture_output=True, env={}
    )


@pytest.mark.parametrize("prefix", ["/mirror", ""])
def test_its_garbage_collection_frees_what_was_said(
    prefix: str, start_registry: StartRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = start_registry(tls=True)
    with Http(NetSettings(ca_files=(registry.ca_file,))) as http:
        store = RegistryStore(registry.host, http)
        fill_releases(store)
        before = stored(registry)
        trust = ["--ca-file", str(registry.ca_file)]
        done = result(capsys, f"{registry.host}{prefix}", *RULE, *trust, "--yes")
        assert (done["errors"], done["applied"]) == ([], True)
        assert "registry garbage-collect CONFIG" in str(done["notes"])
        names = check_whole(store)
        assert {name.tag for name in names if name.tag in TAGS} >= set(TAGS[2:])
        collect_garbage(registry)
        assert before - stored(registry) == done["bytes"]
        assert done["bytes"] > 100_000
        assert check_whole(store) == names
        kept = store.resolve(Name("mirror/controller", "v1.4.0")).digest
        assert len(store.referrers("mirror/controller", kept)) == 1
        again = result(capsys, f"{registry.host}{prefix}", *RULE, *trust, "--yes")
        assert (again["deleted"], again["bytes"]) == ([], 0)


def test_a_registry_without_deletes_is_told_once_and_keeps_all(
    start_registry: StartRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = start_registry(storage={"delete": {"enabled": False}})
    with Http() as http:
        store = RegistryStore(registry.host, http)
        fill_releases(store)
        before = check_whole(store)
        assert main(["prune", f"{registry.host}/mirror", *RULE, "--yes"]) == 7
        told = " ".join(capsys.readouterr().err.split())
        assert f"{registry.host} answers 405" in told
        assert "storage.delete.enabled" in told
        assert check_whole(store) == before


def test_a_name_of_an_image_that_stays_is_told_and_is_no_failure(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    """docker-registry deletes no tag alone: the next run could do no more, so a job that prunes has ended well."""
    with Http() as http:
        store = RegistryStore(registry.host, http)
        for tag in TAGS:
            fill(store, image(tag), "mirror/app", tag)
            fill(store, image("unchanged"), "mirror/base", tag)
        for gone in (2, 0):
            code = main(["prune", f"{registry.host}/mirror", *RULE, "--yes"])
            told = capsys.readouterr().out
            assert (code, told.splitlines()[-1]) == (0, f"deleted: {gone} names, {gone} manifests; 2 names left")
            assert "does not delete a tag alone" in " ".join(told.split())
        assert sorted(store.tags("mirror/app")) == list(TAGS[2:])
        assert sorted(store.tags("mirror/base")) == list(TAGS)


def test_a_user_without_the_right_to_delete_is_told(
    start_registry: StartRegistry, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = start_registry("token")
    assert registry.user is not None
    assert registry.reader is not None
    with Http() as http:
        store = RegistryStore(registry.host, http, login=Login(registry.user.name, Secret(registry.user.password)))
        for tag in ("v1.1.0", "v1.2.0", "v1.3.0"):
            fill(store, image(tag), "mirror/app", tag)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(registry.reader.password.encode())))
        words = ["--target-username", registry.reader.name, "--target-password-stdin", "--repository", "app"]
        code = main(["prune", f"{registry.host}/mirror", *RULE, *words, "--yes"])
        told = capsys.readouterr()
        assert (code, "stays: mirror/app:v1.1.0" in told.out) == (3, True), told
        assert len(list(store.tags("mirror/app"))) == 3
