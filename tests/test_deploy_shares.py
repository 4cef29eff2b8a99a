"""The worked files for one plan on many machines: their commands are ours, and they try again what may succeed."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.commandlines import parse, transload_commands, variables
from tests.kubernetesschemas import validated
from tests.podsecurity import violations
from tests.test_deploy import AGAIN, DEPLOY, settings
from tools.share import ENDINGS
from transload.app.planplaces import PlanAddress
from transload.app.settings import Environment
from transload.app.shares import share_number
from transload.errors import (
    AccessDenied,
    BlobUnknown,
    CredentialsRejected,
    DocumentInvalid,
    LocalError,
    OutOfBytes,
    Refused,
    SharesMissing,
    UsageError,
)

KUBERNETES = DEPLOY / "kubernetes" / "shares"
JOBS: dict[str, dict[str, Any]] = {
    name: yaml.safe_load((KUBERNETES / f"{name}.yaml").read_text())["spec"] for name in ("shares", "finish")
}
ARGO: dict[str, Any] = yaml.safe_load((DEPLOY / "argo" / "shares.yaml").read_text())["spec"]
AIRFLOW = (DEPLOY / "airflow" / "transload_shares.py").read_text()
GUIDE = DEPLOY.parent / "docs" / "guides" / "many-machines.md"
OLDEST, NEWEST = "1.33", "1.37"
"""The first in which backoffLimitPerIndex is there for good; the last whose schemas the package has."""


def container_of(name: str) -> dict[str, Any]:
    (container,) = JOBS[name]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


def exit_codes(name: str) -> dict[str, set[int]]:
    """What is done with which exit codes; with those of no rule, the pod is started again."""
    rules = [rule for rule in JOBS[name]["podFailurePolicy"]["rules"] if "onExitCodes" in rule]
    assert {rule["onExitCodes"]["containerName"] for rule in rules} == {container_of(name)["name"]}
    return {rule["action"]: set(rule["onExitCodes"]["values"]) for rule in rules}


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", JOBS)
def test_a_job_meets_the_published_schema(name: str, version: str) -> None:
    validated(KUBERNETES / f"{name}.yaml", version)


def test_a_wrong_field_of_a_job_would_be_seen(tmp_path: Path) -> None:
    text = (KUBERNETES / "shares.yaml").read_text()
    (tmp_path / "wrong.yaml").write_text(text.replace("backoffLimitPerIndex", "backoffLimitPerIndexx"))
    with pytest.raises(AssertionError, match="backoffLimitPerIndexx"):
        validated(tmp_path / "wrong.yaml", NEWEST)


@pytest.mark.parametrize("name", JOBS)
def test_the_container_of_a_job_runs_a_command_that_is_one(name: str) -> None:
    container = container_of(name)
    parse(container["args"])
    assert {variable["name"] for variable in container["env"]} <= variables()
    assert dict(settings(KUBERNETES / "settings.env"))


def test_each_pod_has_a_share_and_the_finish_knows_how_many() -> None:
    spec, args = JOBS["shares"], container_of("shares")["args"]
    of = spec["completions"]
    assert spec["completionMode"] == "Indexed"
    numbers = {share_number(args[-1], Environment(job_index=str(index))).number for index in range(of)}
    assert numbers == set(range(1, of + 1))
    finish = container_of("finish")["args"]
    assert finish[finish.index("--of") + 1] == str(of)
    assert args[1] == finish[1]


def test_a_share_is_tried_again_where_it_may_succeed() -> None:
    rules = exit_codes("shares")
    assert set.union(*rules.values()) == set(ENDINGS) - {0, 130, SharesMissing.exit_code} - AGAIN
    assert JOBS["shares"]["backoffLimitPerIndex"] > 0


def test_what_no_share_can_mend_ends_all_of_them_at_once() -> None:
    rules = exit_codes("shares")
    kinds = (UsageError, AccessDenied, CredentialsRejected, BlobUnknown, Refused, DocumentInvalid)
    assert rules["FailJob"] == {kind.exit_code for kind in kinds} | {70}
    assert rules["FailIndex"] == {LocalError.exit_code, OutOfBytes.exit_code}  # the others have machines of their own


def test_the_finish_is_tried_again_until_the_shares_are_done() -> None:
    assert exit_codes("finish") == {"FailJob": set(ENDINGS) - {0, 130, SharesMissing.exit_code} - AGAIN}


def test_the_finish_ends_at_a_time_that_the_user_sets() -> None:
    spec = JOBS["finish"]
    waits_s = [min(10 * 2**number, 360) for number in range(spec["backoffLimit"])]  # as the Job controller waits
    assert spec["activeDeadlineSeconds"] < sum(waits_s)  # else the number of tries would end it before
    (line,) = (line for line in GUIDE.read_text().splitlines() if "activeDeadlineSeconds" in line)
    assert spec["activeDeadlineSeconds"] == 7200
    assert "two hours" in line


@pytest.mark.parametrize("name", JOBS)
def test_a_drained_node_is_no_failure(name: str) -> None:
    (first, *_) = JOBS[name]["podFailurePolicy"]["rules"]
    assert first == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert JOBS[name]["template"]["spec"]["restartPolicy"] == "Never"  # the policy demands it


@pytest.mark.parametrize("name", JOBS)
def test_the_pods_are_allowed_in_a_namespace_of_the_strictest_kind(name: str) -> None:
    pod = JOBS[name]["template"]["spec"]
    assert not list(violations(pod))
    assert pod["automountServiceAccountToken"] is False
    container = container_of(name)
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    written = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert written == {"/state", "/tmp"}


def test_the_folder_generates_what_the_jobs_mount() -> None:
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    generated = {each["name"]: each for each in kustomization["configMapGenerator"]}
    (plan,) = generated["transload-plan"]["files"]
    for name, job in JOBS.items():
        volumes = job["template"]["spec"]["volumes"]
        maps = {volume["configMap"]["name"] for volume in volumes if "configMap" in volume}
        maps |= {source["configMapRef"]["name"] for source in container_of(name)["envFrom"]}
        assert maps - set(generated) == {"transload-site-ca"}  # which is optional
        (mount,) = (mount for mount in container_of(name)["volumeMounts"] if mount["name"] == "plan")
        assert container_of(name)["args"][1] == f"{mount['mountPath']}/{plan}"
    for resource in kustomization["resources"]:
        assert (KUBERNETES / resource).is_file()


# --- Argo Workflows


def argo_words(part: str, item: str) -> list[str]:
    """The words of the container with what Argo puts in."""
    values = {f"workflow.parameters.{each['name']}": each["value"] for each in ARGO["arguments"]["parameters"]}
    (template,) = (each for each in ARGO["templates"] if "container" in each)
    filled = [word.replace("{{inputs.parameters.part}}", part) for word in template["container"]["args"]]
    values["item"] = item
    return [re.sub(r"{{([a-z.]+)}}", lambda found: values[found[1]], word) for word in filled]


def test_argo_runs_each_share_and_then_the_finish(tmp_path: Path) -> None:
    (release,) = (each for each in ARGO["templates"] if "steps" in each)
    ((share,), (finish,)) = release["steps"]
    (apply,) = (each for each in ARGO["templates"] if "container" in each)
    assert share["template"] == finish["template"] == apply["name"]
    of = int(next(each["value"] for each in ARGO["arguments"]["parameters"] if each["name"] == "shares"))
    assert share["withSequence"] == {"start": "1", "end": "{{workflow.parameters.shares}}"}
    (part,) = share["arguments"]["parameters"]
    for number in range(1, of + 1):
        words = argo_words(part["value"], str(number))
        parse(words)
        assert words[-1] == f"--share={number}/{of}"
        PlanAddress.parse(words[1])
    words = argo_words(finish["arguments"]["parameters"][0]["value"], "")
    parse(words)
    assert words[-1] == "--finish"
    again = re.search(r"in \[([0-9, ]+)\]", apply["retryStrategy"]["expression"])
    assert again
    assert set(json.loads(f"[{again[1]}]")) == AGAIN | {130, 137}  # a drained node stops or kills its pods


def test_argo_starts_pods_that_meet_the_strictest_standard(tmp_path: Path) -> None:
    (apply,) = (each for each in ARGO["templates"] if "container" in each)
    container = {"name": "main", **apply["container"]}
    pod = {
        "containers": [container],
        "volumes": ARGO["volumes"],
        "securityContext": ARGO["securityContext"],
        "automountServiceAccountToken": ARGO["automountServiceAccountToken"],
    }
    assert not list(violations(pod))
    assert {variable["name"] for variable in container["env"]} <= variables()
    (tmp_path / "pod.yaml").write_text(
        yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "share"}, "spec": pod})
    )
    validated(tmp_path / "pod.yaml", NEWEST)


# --- Airflow


def test_the_dag_of_airflow_has_commands_that_are_ours() -> None:
    module = ast.parse(AIRFLOW)
    values = {
        node.targets[0].id: node.value.value
        for node in module.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    PlanAddress.parse(str(values["PLAN"]))
    arguments = [
        eval(compile(ast.Expression(each.value), "dag", "eval"), {**values, "range": range, "str": str})  # noqa: S307 - our own file
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        for each in node.keywords
        if each.arg == "arguments"
    ]
    shares, finish = sorted(arguments, key=lambda words: isinstance(words[0], str))
    of = int(str(values["SHARES"]))
    assert [words[-1] for words in shares] == [f"{number}/{of}" for number in range(1, of + 1)]
    for words in (*shares, finish):
        parse(words)
    assert finish[-3:] == ["--finish", "--of", str(of)]
    maps = (node for node in ast.walk(module) if isinstance(node, ast.Dict))
    named = {key.value for node in maps for key in node.keys if isinstance(key, ast.Constant)}
    assert {name for name in named if str(name).isupper()} <= variables()


# --- pipelines


def github() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "ci" / "github-actions-shares.yml").read_text())
    return found


def gitlab() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "ci" / "gitlab-ci-shares.yml").read_text())
    return found


@pytest.mark.parametrize(
    ("name", "schema"), [("github-actions-shares.yml", "github-workflows"), ("gitlab-ci-shares.yml", "gitlab-ci")]
)
def test_a_pipeline_meets_the_published_schema(name: str, schema: str, tmp_path: Path) -> None:
    def checked(path: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)

    done = checked(DEPLOY / "ci" / name)
    assert done.returncode == 0, done.stdout
    (tmp_path / name).write_text((DEPLOY / "ci" / name).read_text().replace("  timeout", "  timeoutt"))
    assert "timeoutt" in checked(tmp_path / name).stdout


def test_github_runs_each_share_and_then_the_finish() -> None:
    jobs = github()["jobs"]
    numbers = jobs["share"]["strategy"]["matrix"]["share"]
    assert numbers == list(range(1, len(numbers) + 1))
    steps = {step["name"]: step for job in jobs.values() for step in job["steps"] if step.get("name")}
    for name in ("Plan", "Share", "Finish"):
        (words,) = transload_commands(steps[name]["run"])
        parse([word.replace("$SHARE", "1/4") for word in words])
        assert {*github()["env"], *steps[name]["env"]} - {"SHARE"} <= variables()
    assert shlex.split(steps["Finish"]["run"])[4:6] == ["--of", str(len(numbers))]
    assert (jobs["share"]["needs"], jobs["finish"]["needs"]) == ("plan", "share")


def test_gitlab_runs_each_share_and_then_the_finish() -> None:
    jobs = gitlab()
    for name in ("plan", "share", "finish"):
        (words,) = transload_commands("\n".join(jobs[name]["script"]))
        parse([word.replace("$CI_NODE_INDEX/$CI_NODE_TOTAL", "1/4") for word in words])
        assert jobs[name]["stage"] == name
    assert shlex.split(jobs["share"]["script"][0])[-1] == "$CI_NODE_INDEX/$CI_NODE_TOTAL"
    assert f"--of {jobs['share']['parallel']} " in jobs["finish"]["script"][0]
    assert set(jobs["default"]["retry"]["exit_codes"]) == AGAIN
    assert set(re.findall(r"\bTRANSLOAD_\w+", (DEPLOY / "ci" / "gitlab-ci-shares.yml").read_text())) <= variables()
