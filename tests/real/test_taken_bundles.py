"""The newest bundle that a registry got, remembered where it was pushed: releases, keys, words, forgetting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.airgap import write_key
from tests.real.servers import Registry
from tests.real.vendor import Ran, Shell, held, store_at
from transload.catalog.builtin import load_builtin
from transload.memory import MemoryStore
from transload.oci import Name
from transload.server import Served, serve
from transload.testing.images import Built, fill, image

CATALOG = load_builtin("arcdata")
NEW, OLD = CATALOG.newest_first(release.tag for release in CATALOG.releases)[:2]


def built(tag: str, repository: str) -> Built:
    """An image that does not say when it was made."""
    return image(f"{repository} {tag}", layers=(2_000, 20))


@pytest.fixture(scope="module")
def published() -> Iterator[Served]:
    """Two releases of a catalog, and two months of an image whose tag moves."""
    store = MemoryStore()
    for tag in (NEW, OLD):
        for repository in CATALOG.release(tag).images:
            fill(store, built(tag, repository), f"arcdata/{repository}", tag)
    with serve(store) as served:
        yield served


def pack(shell: Shell, published: Served, name: str, tag: str, *words: object) -> None:
    source = f"{published.host_port}/arcdata"
    ran = shell("pack", "arcdata", "--from", source, "--tag", tag, "-o", name, *words)
    assert ran.code == 0, ran.told


def push(shell: Shell, registry: Registry, prefix: str, name: str, *words: object) -> Ran:
    return shell("push", name, "--to", f"{registry.host}/{prefix}", *words)


def anchor(registry: Registry, prefix: str, tag: str) -> str:
    with store_at(registry) as store:
        return store.resolve(Name(f"{prefix}/arc-controller", tag)).digest


def test_an_older_release_is_refused_though_it_was_packed_later(
    shell: Shell, published: Served, registry: Registry, tmp_path: Path
) -> None:
    pack(shell, published, "november", NEW)
    pack(shell, published, "october", OLD)
    first = push(shell, registry, "taken-a", "november")
    assert first.code == 0
    assert f"bundle:  the first one of arcdata (signer not checked) taken here, {NEW}, packed 20" in first.out
    refused = push(shell, registry, "taken-a", "october")
    assert refused.code == 7
    assert f"error: this bundle of arcdata ({OLD}, packed 20" in refused.told
    assert "judged by the order of the releases of arcdata" in refused.told
    assert "hint: to go back all the same, push again with --allow-older" in refused.told
    assert "not noted as taken, since it is older; the newest of arcdata (signer not checked) is still that of 20" in (
        refused.out
    )
    assert f" ({NEW}, packed 20" in refused.out
    assert not any(OLD in name for name in held(registry, "taken-a"))
    assert push(shell, registry, "taken-a", "november").code == 0
    allowed = push(shell, registry, "taken-a", "october", "--allow-older")
    assert allowed.code == 0
    assert "bundle:  an older one of arcdata" in allowed.out
    assert any(OLD in name for name in held(registry, "taken-a"))


def test_a_moving_tag_does_not_go_back_to_an_older_release_of_another_signer(
    shell: Shell, published: Served, registry: Registry, tmp_path: Path
) -> None:
    for key in ("site", "other"):
        write_key(tmp_path / f"{key}.key")
    pack(shell, published, "new", NEW, "--target-tag", "current", "--sign-key", "site.key")
    pack(shell, published, "old", OLD, "--target-tag", "current", "--sign-key", "other.key")
    assert push(shell, registry, "taken-b", "new", "--key", "site.key.pub").code == 0
    refused = push(shell, registry, "taken-b", "old", "--key", "other.key.pub")
    assert refused.code == 7
    assert "a newer bundle of arcdata, signed by sha256:" in refused.told
    assert anchor(registry, "taken-b", "current") == built(NEW, "arc-controller").digest
    unsigned = push(shell, registry, "taken-b", "old")
    assert unsigned.code == 7
    assert "the signature of this one was not checked: give --key" in unsigned.told
    allowed = push(shell, registry, "taken-b", "old", "--key", "other.key.pub", "--allow-older")
    assert (allowed.code, anchor(registry, "taken-b", "current")) == (0, built(OLD, "arc-controller").digest)


def test_it_is_listed_and_forgotten(shell: Shell, published: Served, registry: Registry, tmp_path: Path) -> None:
    target = f"{registry.host}/taken-c"
    pack(shell, published, "november", NEW)
    pack(shell, published, "october", OLD)
    push(shell, registry, "taken-c", "november")
    listed = shell("forget", "--list").out
    assert f"newest bundles taken for {target}" in listed
    assert f"arcdata (signer not checked): {NEW}, packed 20" in listed
    known = shell("forget", "--list", "--output", "json").events[-1]
    assert [(entry["target"], entry["name"], entry["signer"]) for entry in known["bundles"]] == [
        (target, "arcdata", None)
    ]
    nothing = shell("forget", "--bundles", f"{registry.host}/other")
    assert (nothing.code, f"no bundle is known that was taken for {registry.host}/other" in nothing.err) == (4, True)
    assert target in nothing.err
    shell("forget", registry.host)
    assert target in shell("forget", "--list").out, "what was learnt about a registry is another matter"
    forgotten = shell("forget", "--bundles", target)
    assert (forgotten.code, forgotten.out.startswith(f"forgotten: {target}: arcdata")) == (0, True)
    assert target not in shell("forget", "--list").out
    assert push(shell, registry, "taken-c", "october").code == 0


def test_programs_get_the_same(shell: Shell, published: Served, registry: Registry, tmp_path: Path) -> None:
    pack(shell, published, "november", NEW)
    pack(shell, published, "october", OLD)
    push(shell, registry, "taken-d", "november")
    told = push(shell, registry, "taken-d", "october", "--output", "json", "--record", "record.json")
    bundle = told.events[-1]["result"]["bundle"]
    assert (bundle["standing"], bundle["by"]) == ("older", "the order of the releases of arcdata")
    assert (bundle["kept"], bundle["why_not"]) == (False, "it is older")
    assert [release["tag"] for release in bundle["newest"]["edition"]["releases"]] == [NEW]
    documented = (Path(__file__).parents[2] / "docs/formats/json-output.md").read_text("utf-8")
    section = documented.partition("### Order of a bundle\n")[2].partition("\n### ")[0]
    assert {key for key in bundle if f"`{key}`" not in section} == set()
