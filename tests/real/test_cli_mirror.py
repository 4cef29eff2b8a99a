"""`transload mirror` between real registries: the contract of the vendor's script, what is selected, how it is told."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.real.servers import Registry, StartRegistry
from tests.real.vendor import CHART, IMAGES, NEW, OLD, Shell, digest_at, held, publish, push, variables
from transload.testing.images import artifact, image


def tagged(tag: str) -> set[str]:
    """The names of a whole release under this tag."""
    return {f"{name}:{tag}" for name in IMAGES}


# --- the contract of the vendor's script


def test_ten_variables_run_without_a_question_between_registries_with_passwords(
    shell: Shell, start_registry: StartRegistry
) -> None:
    source, target = start_registry("htpasswd"), start_registry("htpasswd")
    assert source.user
    assert target.user
    publish(source, (NEW,), "private/arc", user=source.user)
    shell.set(
        **variables(
            {
                "registry": source.host,
                "repository": "private/arc",
                "username": source.user.name,
                "password": source.user.password,
                "tag": NEW,
            },
            {
                "registry": target.host,
                "repository": "site/mirror",
                "username": target.user.name,
                "password": target.user.password,
                "tag": "2025-quarter-3",
            },
        )
    )
    ran = shell("mirror")
    assert ran.code == 0, ran.told
    assert held(target, "site/mirror", target.user) == tagged("2025-quarter-3")
    for name in ("arc-controller", "arc-dns"):
        ours = digest_at(target, f"site/mirror/{name}:2025-quarter-3", target.user)
        assert ours == digest_at(source, f"private/arc/{name}:{NEW}", source.user)
    for user in (source.user, target.user):
        assert user.password not in ran.told


def test_empty_variables_are_answers_and_mean_the_defaults(shell: Shell, vendor: Registry, registry: Registry) -> None:
    shell.set(
        **variables(
            {"registry": vendor.host, "repository": ""}, {"registry": registry.host, "repository": "empty/answers"}
        )
    )
    ran = shell("mirror")
    assert ran.code == 0, ran.told
    assert held(registry, "empty/answers") == tagged(NEW)  # the newest that the source has; the catalog knows newer


def test_without_a_terminal_what_to_set_is_named(shell: Shell) -> None:
    ran = shell("mirror")
    assert ran.code == 2
    assert "TARGET_DOCKER_REGISTRY, TARGET_DOCKER_REPOSITORY" in ran.err
    assert "--to" in ran.err
    shell.set(TARGET_DOCKER_REPOSITORY="x")
    ran = shell("mirror")
    assert ran.code == 2
    assert "TARGET_DOCKER_REGISTRY" in ran.err
    assert "TARGET_DOCKER_REPOSITORY" not in ran.err


def test_a_login_is_never_sent_to_another_registry(
    shell: Shell, vendor: Registry, start_registry: StartRegistry
) -> None:
    other = start_registry("htpasswd")
    assert other.user
    shell.set(
        **variables(
            {"registry": vendor.host, "tag": NEW},
            {"registry": "site.example", "username": other.user.name, "password": other.user.password},
        )
    )
    ran = shell("mirror", "arcdata", "--to", f"{other.host}/x", "--image", "arc-dns")
    assert ran.code == 3
    assert f"{other.host} asks for user name and password, and none are known for it" in ran.err


# --- what is wanted


def test_a_release_named_by_a_part_and_one_image_of_it(shell: Shell, vendor: Registry, registry: Registry) -> None:
    ran = shell(
        *("mirror", "arcdata", "--source-registry", vendor.host, "--tag", "1.39", "--image", "arc-dns"),
        *("--to", f"{registry.host}/part"),
    )
    assert ran.code == 0, ran.told
    assert held(registry, "part") == {f"arc-dns:{OLD}"}


def test_a_range_takes_every_release_in_it(shell: Shell, vendor: Registry, registry: Registry) -> None:
    ran = shell(
        *("mirror", "arcdata", "--source-registry", vendor.host, "--tag", "1.39..1.40"),
        *("--to", f"{registry.host}/range"),
    )
    assert ran.code == 0, ran.told
    assert held(registry, "range") == tagged(OLD) | tagged(NEW)


def test_sets_of_all_kinds_together(shell: Shell, vendor: Registry, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "set.yaml").write_text(
        "kind: ImageSet\nversion: 1\nimages:\n"
        f"  - source: {vendor.host}/arcdata/arc-sqlmi:{NEW}\n    target: db/sqlmi\n"
    )
    (tmp_path / "more.txt").write_text(f"# by hand\n{vendor.host}/arcdata/arc-controller:{OLD} -> ctl:old\n")
    ran = shell(
        *("mirror", "set.yaml", "more.txt", f"{vendor.host}/arcdata/arc-dns:{OLD}"),
        *("--to", f"{registry.host}/sets"),
    )
    assert ran.code == 0, ran.told
    assert held(registry, "sets") == {f"db/sqlmi:{NEW}", "ctl:old", f"arcdata/arc-dns:{OLD}"}


def test_what_differs_from_the_catalog_is_told_and_discover_takes_it(
    shell: Shell, registry: Registry, start_registry: StartRegistry
) -> None:
    source = start_registry()
    publish(source, (NEW,), images=[*IMAGES[:4], "arc-brand-new"])
    chart = IMAGES[4:]
    words = ("mirror", "arcdata", "--source-registry", source.host, "--tag", NEW)
    ran = shell(*words, "--to", f"{registry.host}/listed")
    assert ran.code == 1
    assert "not in the catalog: arc-brand-new (--discover takes them too)" in ran.err
    assert f"[ 1/21] {chart[0]}:{NEW} missing at the source" in ran.err
    assert f"error: not published at {source.host}" in ran.out
    assert held(registry, "listed") == {f"{name}:{NEW}" for name in IMAGES[:4]}
    allowed = shell(*words, "--to", f"{registry.host}/listed", "--allow-missing")
    assert allowed.code == 0
    assert "17 missing as allowed" in allowed.out
    found = shell(*words, "--to", f"{registry.host}/found", "--discover")
    assert found.code == 0, found.told
    assert held(registry, "found") == {f"{name}:{NEW}" for name in (*IMAGES[:4], "arc-brand-new")}


def test_the_chart_is_optional_and_keeps_its_own_tag(
    shell: Shell, registry: Registry, start_registry: StartRegistry
) -> None:
    source = start_registry()
    publish(source, (NEW,), images=["arc-controller"])
    both = ("--source-registry", source.host, "--to", f"{registry.host}/chart")
    words = ("mirror", "arcdata", *both, "--image", "arc-controller", "--image", CHART, "--target-tag", "ours")
    without = shell(*words)
    assert without.code == 0
    assert "1 missing as allowed" in without.out
    push(
        source,
        artifact("chart", artifact_type="application/vnd.cncf.helm.config.v1+json"),
        f"arcdata/{CHART}",
        "1.40.0",
    )
    assert shell(*words).code == 0
    assert held(registry, "chart") == {"arc-controller:ours", f"{CHART}:1.40.0"}


def test_releases_are_listed_with_what_the_target_has(shell: Shell, vendor: Registry, registry: Registry) -> None:
    assert (
        shell("mirror", "arcdata", "--source-registry", vendor.host, "--to", f"{registry.host}/rel", "--tag", OLD).code
        == 0
    )
    words = ("releases", "arcdata", "--source-registry", vendor.host, "--to", f"{registry.host}/rel")
    told = shell(*words).out.splitlines()
    assert [line.split()[0] for line in told] == [NEW, OLD]
    assert ["at the target" in line for line in told] == [False, True]
    hello, *_, listed = shell(*words, "--output", "json").events
    assert hello["command"] == "releases"
    assert [(one["tag"], one["at_target"]) for one in listed["releases"]] == [(NEW, False), (OLD, True)]
    assert len(shell("releases", "arcdata", "--known").out.splitlines()) > 40


def test_what_is_new_is_found_with_one_question_for_each_repository(
    shell: Shell, start_registry: StartRegistry, vendor: Registry
) -> None:
    target = start_registry("htpasswd")
    assert target.user
    shell.set(
        SOURCE_DOCKER_REGISTRY=vendor.host,
        TARGET_DOCKER_USERNAME=target.user.name,
        TARGET_DOCKER_PASSWORD=target.user.password,
    )
    words = ("arcdata", "--to", f"{target.host}/rel")
    assert shell("mirror", *words, "--releases", OLD).code == 0
    before = len(target.all_requests())
    listed = shell("releases", *words, "--exit-code", "--output", "json")
    asked = target.all_requests()[before:]
    assert (listed.code, [release["new"] for release in listed.events[-1]["releases"]]) == (10, [True, False])
    lists = [line for line, status in asked if "/tags/list" in line and status != 401]
    assert len(lists) == len(set(lists)) == len(IMAGES), lists
    assert shell("mirror", *words, "--image", "arc-dns", "--quiet").code == 0
    assert shell("releases", *words, "--exit-code").code == 10
    assert "1 of " in shell("releases", *words).out.splitlines()[0]
    assert shell("mirror", *words, "--quiet").code == 0
    done = shell("releases", *words, "--exit-code", "--digests", "--quiet")
    assert (done.code, done.out) == (0, "")


def test_a_target_that_refuses_the_login_is_no_target_without_releases(
    shell: Shell, start_registry: StartRegistry, vendor: Registry
) -> None:
    target = start_registry("htpasswd")
    shell.set(SOURCE_DOCKER_REGISTRY=vendor.host)
    ran = shell("releases", "arcdata", "--to", f"{target.host}/rel", "--exit-code")
    assert (ran.code, ran.out) == (3, "")
    assert target.host in ran.err


def test_a_folder_in_between_and_names_in_it(shell: Shell, vendor: Registry, registry: Registry) -> None:
    assert shell("mirror", "arcdata", "--source-registry", vendor.host, "--tag", NEW, "--to", "oci:carried").code == 0
    everything = shell("mirror", "--from", "oci:carried", "--to", f"{registry.host}/all")
    assert everything.code == 0, everything.told
    assert held(registry, "all") == tagged(NEW)
    newest = shell(
        "mirror", "arcdata", "--from", "oci:carried", "--to", f"{registry.host}/newest", "--image", "arc-dns"
    )
    assert newest.code == 0, newest.told
    named = shell("mirror", f"arc-dns:{NEW}", "--from", f"{registry.host}/all", "--to", f"{registry.host}/newest/named")
    assert named.code == 0, named.told
    assert held(registry, "newest") == {f"arc-dns:{NEW}", f"named/arc-dns:{NEW}"}
    assert digest_at(registry, f"newest/named/arc-dns:{NEW}") == digest_at(vendor, f"arcdata/arc-dns:{NEW}")


# --- how it is told


def test_unchanged_images_cost_a_question_to_each_side(shell: Shell, vendor: Registry, registry: Registry) -> None:
    words = ("mirror", "arcdata", "--source-registry", vendor.host, "--tag", NEW, "--to", f"{registry.host}/again")
    assert shell(*words).code == 0
    ran = shell(*words, "--output", "json")
    assert ran.code == 0
    result = ran.events[-1]["result"]
    assert result["totals"]["images"]["unchanged"] == 20
    assert {host["host"]: host["requests"] for host in result["traffic"]} == {vendor.host: 21, registry.host: 21}
    assert result["totals"]["moved_bytes"] == 0


def test_without_a_terminal_lines_are_plain(shell: Shell, vendor: Registry, registry: Registry) -> None:
    ran = shell(
        *("mirror", "arcdata", "--source-registry", vendor.host, "--tag", NEW, "--to", f"{registry.host}/plain"),
        *("--image", "arc-dns", "--image", "arc-sqlmi"),
    )
    assert "\x1b" not in ran.told
    assert re.search(r"^\[2/2\] arc-(dns|sqlmi):v1\.40\S+ copied \d", ran.err, re.MULTILINE)
    assert ran.err.startswith(f"Plan: 2 images to {registry.host}\n")
    assert ran.out.startswith("done: 2 copied, in ")


def test_quiet_tells_results_and_failures_only(shell: Shell, vendor: Registry, registry: Registry) -> None:
    ran = shell(
        *("mirror", f"{vendor.host}/arcdata/arc-dns:{NEW}", f"{vendor.host}/arcdata/none:v1"),
        *("--to", f"{registry.host}/quiet", "--quiet"),
    )
    assert ran.code == 1
    assert ran.out.startswith("1 of 2 images failed")
    assert "arc-dns" not in ran.err


def test_every_line_of_json_parses_and_the_last_one_tells_all(
    shell: Shell, vendor: Registry, registry: Registry
) -> None:
    ran = shell(
        *("mirror", "arcdata", "--source-registry", vendor.host, "--tag", NEW, "--to", f"{registry.host}/json"),
        *("--output", "json"),
    )
    events = ran.events
    assert [events[0]["event"], events[1]["event"], events[-1]["event"]] == ["hello", "plan", "result"]
    assert events[0]["format"] == 1
    assert len([one for one in events if one["event"] == "image"]) == 21
    result = events[-1]["result"]
    assert (result["exit_code"], result["totals"]["images"]["copied"]) == (0, 20)
    assert result["images"][0]["digest"].startswith("sha256:")
    assert ran.err == ""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("mirror", "--output", "json"), "setting-missing"),
        (("mirror", "nothing", "--to", "127.0.0.1:1/x", "--output", "json"), "catalog-unknown"),
        (("mirror", "arcdata", "--to", "127.0.0.1:1/x", "--report", "r.txt", "--output", "json"), "usage"),
        (
            ("plan", "arcdata", "--source-registry", "127.0.0.1:1", "--to", "127.0.0.1:1", "--output", "json"),
            "unreachable",
        ),
        (("verify", "oci:nowhere", "--output", "json"), "local"),
        (("releases", "arcdta", "--output", "json"), "catalog-unknown"),
        (("apply", "absent.json", "--output", "json"), "local"),
    ],
)
def test_errors_are_events_too(shell: Shell, words: tuple[str, ...], code: str) -> None:
    ran = shell(*words)
    hello, *_, error = ran.events
    assert hello["command"] == words[0]
    assert error["problem"]["code"] == code
    assert error["problem"]["exit_code"] == ran.code
    assert error["problem"]["message"] in ran.err


def test_report_files_are_written_also_of_a_run_that_failed(
    shell: Shell, vendor: Registry, registry: Registry, tmp_path: Path
) -> None:
    ran = shell(
        *("mirror", f"{vendor.host}/arcdata/arc-dns:{NEW}", f"{vendor.host}/arcdata/none:v1"),
        *("--to", f"{registry.host}/report", "--report", "r.json", "--report", "r.md"),
    )
    assert ran.code == 1
    assert "report: r.json, r.md" in ran.err
    kept = json.loads((tmp_path / "r.json").read_text())
    assert [image["status"] for image in kept["images"]] == ["copied", "missing"]
    assert "arcdata/none:v1" in (tmp_path / "r.md").read_text()


def test_the_retry_command_retries_just_what_failed(
    shell: Shell, registry: Registry, start_registry: StartRegistry
) -> None:
    source = start_registry(tls=True)
    good, late = image("good"), image("late")
    here = push(source, good, "app/good", "v1")
    words = (
        "mirror",
        here,
        f"{source.host}/app/late:v1",
        "--to",
        f"{registry.host}/retry",
        "--ca-file",
        source.ca_file,
    )
    ran = shell(*words, "--referrers")
    assert ran.code == 1
    retry = ran.out.strip().splitlines()[-1].split()
    assert retry[0] == "transload"
    push(source, late, "app/late", "v1")
    again = shell(*retry[1:], "--output", "json")
    assert again.code == 0, again.told
    assert [image["name"] for image in again.events[-1]["result"]["images"]] == ["retry/app/late:v1"]
    assert digest_at(registry, "retry/app/late:v1") == late.digest


def test_the_retry_command_of_a_login_asks_for_the_password_only(
    shell: Shell, vendor: Registry, htpasswd_registry: Registry
) -> None:
    user = htpasswd_registry.user
    assert user
    shell.set(TRANSLOAD_TARGET_PASSWORD=user.password, TRANSLOAD_SOURCE_REGISTRY=vendor.host)
    words = ("--to", f"{htpasswd_registry.host}/retry", "--target-username", user.name, "--image", "arc-dns")
    ran = shell("mirror", "arcdata", f"{vendor.host}/absent:v1", *words, "--image", "absent")
    assert ran.code == 1
    retry = shlex.split(ran.out.strip().splitlines()[-1])
    assert ["--target-username", user.name] == retry[retry.index("--target-username") :][:2]
    assert retry[-2:] == ["--image", "absent"]
    assert user.password not in ran.out


def test_when_all_failed_the_whole_command_is_to_be_given_again(shell: Shell, vendor: Registry) -> None:
    ran = shell("mirror", f"{vendor.host}/none:v1", f"{vendor.host}/none:v2", "--to", "oci:x")
    assert ran.code == 4
    assert ran.out.strip().endswith(f"transload mirror {vendor.host}/none:v1 {vendor.host}/none:v2 --to oci:x")
