"""The files in deploy/ say what the program understands: commands, variables, exit codes, image sets."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.commandlines import parse, transload_commands, variables
from tests.docs.reference import families
from tests.podsecurity import violations
from tools.share import ENDINGS
from transload.catalog.setfile import parse_set
from transload.errors import SharesMissing
from transload.version import __version__

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
RETRYABLE = {kind for _, members in families() for kind in members if kind.retryable}
AGAIN = {kind.exit_code for kind in RETRYABLE if kind is not SharesMissing} | {1}
"""What the same run may do better later; 1 is some of several images, whatever the reason."""
NEITHER = {0, 10, 130}
"""No failures: nothing is to be mended, and nobody is to be told."""


CRON_JOB: dict[str, Any] = yaml.safe_load((DEPLOY / "kubernetes" / "cronjob.yaml").read_text())
JOB = CRON_JOB["spec"]["jobTemplate"]["spec"]
POD = JOB["template"]["spec"]


def lines_of(unit: Path, key: str) -> list[str]:
    """The values of a key of a unit, in order; systemd adds them up."""
    found = re.findall(rf"^{key}=(.*)$", unit.read_text().replace("\\\n", " "), re.MULTILINE)
    assert found, f"{unit.name} has no {key}"
    return found


def statuses(unit: Path, key: str) -> set[int]:
    return {int(word) for line in lines_of(unit, key) for word in line.split()}


def settings(path: Path) -> Iterator[tuple[str, str]]:
    """The variables of a file of settings, those too that are only proposed, after `# `."""
    for line in path.read_text().splitlines():
        if found := re.fullmatch(r"(?:# )?([A-Z_]+)=(.*)", line):
            yield found[1], found[2]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_command_of_a_unit_is_one(unit: Path) -> None:
    (line,) = lines_of(unit, "ExecStart")
    words = shlex.split(line.replace("${INVOCATION_ID}", "0123456789abcdef0123456789abcdef"))
    assert words[0] == "/opt/transload/bin/transload"
    parse(words[1:])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_variables_of_a_unit_are_read(unit: Path) -> None:
    assert {line.partition("=")[0] for line in lines_of(unit, "Environment")} <= variables()


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.env")), ids=lambda path: path.name)
def test_the_variables_of_a_file_of_settings_are_read(path: Path) -> None:
    named = dict(settings(path))
    assert named
    assert set(named) - {"STORE"} <= variables()


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.yaml")), ids=lambda path: str(path.relative_to(DEPLOY)))
def test_image_sets_are_read(path: Path) -> None:
    if "kind: ImageSet" in path.read_text():
        parse_set(path.read_text(), str(path))


def test_a_job_of_systemd_tries_again_what_may_succeed() -> None:
    (unit,) = (unit for unit in UNITS if "mirror" in unit.name)
    done, given_up = statuses(unit, "SuccessExitStatus"), statuses(unit, "RestartPreventExitStatus")
    assert done == NEITHER - {0}
    assert given_up == set(ENDINGS) - NEITHER - AGAIN


def test_a_server_of_systemd_is_not_started_again_where_it_cannot_succeed() -> None:
    (unit,) = (unit for unit in UNITS if "serve" in unit.name)
    assert statuses(unit, "RestartPreventExitStatus") <= (set(ENDINGS) - NEITHER - AGAIN) | {6}


def test_both_units_are_hardened_alike() -> None:
    mirror, serve = (
        re.findall(r"^(?!#)\S+=.*", unit.read_text().partition("NoNewPrivileges")[2].partition("[")[0], re.MULTILINE)
        for unit in UNITS
    )
    assert mirror == serve


def test_the_container_of_the_cron_job_runs_a_command_that_is_one() -> None:
    (container,) = POD["containers"]
    parse(container["args"])
    assert {variable["name"] for variable in container["env"]} <= variables()


def test_a_job_of_kubernetes_tries_again_what_may_succeed() -> None:
    (rule,) = (rule["onExitCodes"] for rule in JOB["podFailurePolicy"]["rules"] if "onExitCodes" in rule)
    assert rule["containerName"] == POD["containers"][0]["name"]
    # 10 is a failure to Kubernetes; tried again, it would move more bytes than it may. 130 is a pod that was stopped.
    assert set(rule["values"]) == set(ENDINGS) - {0, 130} - AGAIN
    assert POD["restartPolicy"] == "Never"  # the policy demands it


def test_the_pod_is_allowed_in_a_namespace_of_the_strictest_kind() -> None:
    assert not list(violations(POD))
    assert POD["automountServiceAccountToken"] is False
    assert POD["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hostNetwork": True}, "hostNetwork"),
        ({"securityContext": {}}, "runAsNonRoot"),
        ({"securityContext": {"runAsNonRoot": True, "runAsUser": 0}}, "runAsUser"),
        ({"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}, "volume of kind hostPath"),
        ({"containers": [{"name": "x", "securityContext": {"privileged": True}}]}, "privileged"),
        ({"initContainers": [{"name": "x"}]}, "allowPrivilegeEscalation"),
        ({"initContainers": [{"name": "x"}]}, "capabilities are not dropped"),
    ],
)
def test_what_the_standard_does_not_allow_would_be_seen(change: dict[str, Any], told: str) -> None:
    assert told in set(violations(POD | change))


def test_what_the_cron_job_mounts_is_there() -> None:
    (container,) = POD["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in POD["volumes"]}
    for place in ("/state", "/tmp"):  # the only ones that can be written to
        assert place in {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}


def test_the_image_has_variables_that_are_read() -> None:
    text = (DEPLOY / "container" / "Containerfile").read_text()
    named = set(re.findall(r"\b(TRANSLOAD_\w+)=", text))
    assert named
    assert named <= variables()
    assert 'ENTRYPOINT ["/opt/transload/bin/transload"]' in text
    assert f"ARG VERSION={__version__}\n" in text


def test_the_cluster_runs_the_image_as_the_user_that_it_names() -> None:
    user, group = POD["securityContext"]["runAsUser"], POD["securityContext"]["runAsGroup"]
    assert f"USER {user}:{group}\n" in (DEPLOY / "container" / "Containerfile").read_text()


def test_a_job_of_github_has_variables_and_a_command_that_are_read() -> None:
    (job,) = yaml.safe_load((DEPLOY / "ci" / "github-actions.yml").read_text())["jobs"].values()
    (mirror,) = (step for step in job["steps"] if step.get("name") == "Mirror")
    assert {*job["env"], *mirror["env"]} <= variables()
    commands = list(transload_commands(mirror["run"]))
    assert [words[0] for words in commands] == ["mirror"]
    parse(commands[0])
    assert f"in {' | '.join(map(str, sorted(AGAIN)))})" in mirror["run"]


def test_a_job_of_gitlab_has_variables_and_a_command_that_are_read() -> None:
    text = (DEPLOY / "ci" / "gitlab-ci.yml").read_text()
    job = yaml.safe_load(text)["mirror"]
    assert set(re.findall(r"\bTRANSLOAD_\w+", text)) <= variables()
    (command,) = transload_commands("\n".join(job["script"]))
    parse(command)
    assert set(job["retry"]["exit_codes"]) == AGAIN
    assert set(job["allow_failure"]["exit_codes"]) == NEITHER - {0, 130}
