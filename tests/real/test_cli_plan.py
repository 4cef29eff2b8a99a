"""`transload plan` and `apply`, platforms and what refers to images, against real registries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.real.servers import Registry
from tests.real.vendor import NEW, Shell, digest_at, held, push, store_at
from transload.oci import Name
from transload.testing.images import AMD64, ARM64, artifact, image, multi_platform, signature

WORDS = ("arcdata", "--tag", NEW, "--image", "arc-dns", "--image", "arc-sqlmi")


# --- plan and apply


def test_a_plan_says_what_a_run_then_does_and_moves_nothing(shell: Shell, vendor: Registry, registry: Registry) -> None:
    words = (*WORDS, "--source-registry", vendor.host, "--to", f"{registry.host}/plan", "--output", "json")
    planned = shell("plan", *words)
    assert planned.code == 0
    assert held(registry, "plan") == set()
    plan = planned.events[-1]["plan"]
    assert plan["totals"]["images"]["new"] == 2
    done = shell("mirror", *words).events[-1]["result"]
    assert done["totals"]["copied"] == plan["totals"]["copy"]
    assert done["totals"]["mounted"] == plan["totals"]["mount"]
    again = shell("plan", *words).events[-1]["plan"]
    assert again["totals"]["images"]["unchanged"] == 2
    to_come = again["totals"]["requests"]
    assert (to_come["source"], to_come["target"]) == (0, 0)
    assert to_come["asked"] == {"source": 2, "target": 2}


def test_a_plan_as_a_table(shell: Shell, vendor: Registry, registry: Registry) -> None:
    ran = shell("plan", *WORDS, "--source-registry", vendor.host, "--to", f"{registry.host}/table")
    assert ran.out.startswith(f"Plan: 2 images to {registry.host}, as table/…")
    assert "images:   2 new\n" in ran.out
    assert "requests: source 5 so far, 5 to come; target 4 so far, at least 13 to come\n" in ran.out
    assert ran.err == ""


def test_a_saved_plan_is_applied_and_what_arrived_since_is_not_sent_again(
    shell: Shell, vendor: Registry, registry: Registry, tmp_path: Path
) -> None:
    words = (*WORDS, "--source-registry", vendor.host, "--to", f"{registry.host}/saved")
    ran = shell("plan", *words, "-o", "my plan.json")
    assert ran.code == 0
    assert "plan written; to do it: transload apply 'my plan.json'" in ran.err
    assert json.loads((tmp_path / "my plan.json").read_text())["target"] == registry.host
    applied = shell("apply", "my plan.json", "--report", "r.json")
    assert applied.code == 0, applied.told
    assert held(registry, "saved") == {f"arc-dns:{NEW}", f"arc-sqlmi:{NEW}"}
    assert json.loads((tmp_path / "r.json").read_text())["asked"] == "transload apply 'my plan.json' --report r.json"
    again = shell("apply", "my plan.json", "--output", "json").events[-1]["result"]
    assert again["exit_code"] == 0


def test_a_plan_with_passwords_on_both_sides_has_none_in_it(
    shell: Shell, vendor: Registry, htpasswd_registry: Registry, tmp_path: Path
) -> None:
    user = htpasswd_registry.user
    assert user
    shell.set(TARGET_DOCKER_USERNAME=user.name, TARGET_DOCKER_PASSWORD=user.password)
    to = ("--to", f"{htpasswd_registry.host}/planned")
    assert shell("plan", *WORDS, "--source-registry", vendor.host, *to, "-o", "p.json").code == 0
    assert user.password not in (tmp_path / "p.json").read_text()
    assert shell("apply", "p.json").code == 0
    assert held(htpasswd_registry, "planned", user) == {f"arc-dns:{NEW}", f"arc-sqlmi:{NEW}"}


def test_a_changed_plan_file_is_refused(shell: Shell, vendor: Registry, registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    shell("plan", *WORDS, "--source-registry", vendor.host, "--to", f"{registry.host}/changed", "-o", path)
    path.write_text(path.read_text().replace("changed/", "../../etc/", 1))
    ran = shell("apply", path)
    assert ran.code == 2
    assert held(registry, "changed") == set()


# --- platforms


@pytest.fixture
def many(registry: Registry) -> str:
    """A reference to an image for two platforms."""
    return push(registry, multi_platform("many"), "published/many", "v1")


def test_an_image_for_many_platforms_is_copied_whole(shell: Shell, registry: Registry, many: str) -> None:
    assert shell("mirror", many, "--to", f"{registry.host}/whole-platforms").code == 0
    assert digest_at(registry, "whole-platforms/published/many:v1") == digest_at(registry, "published/many:v1")


def test_a_platform_narrows_the_index_and_a_second_run_has_nothing_to_do(
    shell: Shell, registry: Registry, many: str
) -> None:
    words = (many, "--to", f"{registry.host}/narrow", "--platform", "linux/amd64")
    ran = shell("mirror", *words)
    assert ran.code == 0, ran.told
    assert "1 of 2 platform entries (linux/amd64); index rewritten" in ran.err
    with store_at(registry) as store:
        index = store.fetch(Name("narrow/published/many", "v1"))
        assert [child.platform for child in index.manifests] == [AMD64]
        children = multi_platform("many").children
        assert [store.exists("narrow/published/many", child.descriptor) for child in children] == [True, False]
    again = shell("mirror", *words)
    assert again.out.startswith("nothing to do: 1 unchanged")
    assert shell("verify", *words, "--deep").code == 0


def test_a_sparse_index_refused_by_the_target_says_what_to_use_instead(
    shell: Shell, registry: Registry, many: str
) -> None:
    ran = shell("mirror", many, "--to", f"{registry.host}/sparse", "--platform", "linux/amd64", "--narrow", "sparse")
    assert ran.code == 7
    assert "error: the target does not take an incomplete index (1 of 2 left out)" in ran.out
    assert "--narrow rewritten" in ran.out
    assert held(registry, "sparse") == set()


def test_a_platform_that_is_not_there(shell: Shell, registry: Registry, many: str) -> None:
    ran = shell("mirror", many, "--to", f"{registry.host}/none", "--platform", "windows/amd64")
    assert ran.code == 4
    assert "linux/amd64" in ran.told
    assert held(registry, "none") == set()


def test_two_platforms_of_two(shell: Shell, registry: Registry, many: str) -> None:
    both = ("--platform", "linux/amd64", "--platform", str(ARM64))
    assert shell("mirror", many, "--to", f"{registry.host}/both", *both).code == 0
    assert digest_at(registry, "both/published/many:v1") == digest_at(registry, "published/many:v1")


# --- what refers to an image


def _stores_a_manifest(line: str) -> bool:
    return line.startswith("PUT ") and "/manifests/" in line


def test_referrers_and_cosign_tags_come_along(shell: Shell, registry: Registry) -> None:
    signed = image("signed")
    reference = push(registry, signed, "published/signed", "v1")
    attached = signature(signed)
    cosign = f"{signed.digest.replace(':', '-')}.sig"
    with store_at(registry) as store:
        from transload.testing.images import fill

        fill(store, attached, "published/signed")
        fill(store, artifact("cosign"), "published/signed", cosign)
    left = shell("mirror", reference, "--to", f"{registry.host}/bare", "--no-referrers")
    assert left.code == 0, left.told
    assert "2 signatures or other referrers of an image stay at the source" in left.told
    assert held(registry, "bare") == {"published/signed:v1"}
    before = len(registry.all_requests())
    ran = shell("mirror", reference, "--to", f"{registry.host}/full")
    assert ran.code == 0, ran.told
    put = [line.rpartition("/")[2] for line, _ in registry.all_requests()[before:] if _stores_a_manifest(line)]
    fallback = signed.digest.replace(":", "-")
    assert put[-1] == "v1"
    assert [name for name in put if name != cosign] == [signed.digest, attached.digest, fallback, "v1"]
    there = held(registry, "full")
    assert f"published/signed:{cosign}" in there
    assert (
        f"published/signed:{signed.digest.replace(':', '-')}" in there
    )  # the fallback tag, by which referrers are found
    with store_at(registry) as store:
        assert [one.digest for one in store.referrers("full/published/signed", signed.digest)] == [attached.digest]
    assert shell("verify", reference, "--to", f"{registry.host}/full", "--referrers", "--deep").code == 0
    lacking = shell("verify", reference, "--to", f"{registry.host}/bare", "--referrers")
    assert lacking.code != 0
