"""One plan by several processes at the same time, one of them killed: real registries, and a folder."""

from __future__ import annotations

import base64
import json
import re
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.real.servers import Registry, Skopeo, StartRegistry
from tests.real.shelves import lay_release
from tests.real.vendor import Shell, held
from transload.planning import Plan
from transload.planning.planfile import load_plan
from transload.planning.shares import ShareNumber, share_of
from transload.testing.releases import release

MADE = release("real-shares", 6, 6 << 20, 1)
OF = 4
DEADLINE_S = 240.0


def planned(shell: Shell, source: Registry, target: str) -> Plan:
    """A plan of the release, in plan.json."""
    lay_release(source, MADE, "vendor")
    images = [f"{source.host}/vendor/{name}:{MADE.tag}" for name in MADE.images]
    ran = shell("plan", *images, "--to", target, "--out", "plan.json")
    assert ran.code == 0, ran.told
    return load_plan(Path("plan.json").read_bytes())


def reads(source: Registry) -> Counter[str]:
    """How often each blob was read at the source."""
    asked = (re.fullmatch(r"GET /v2/\S+/blobs/(\S+)", line) for line, status in source.all_requests() if status < 300)
    return Counter(found[1] for found in asked if found)


def arrived(target: Registry) -> set[str]:
    """The blobs whose upload ended."""
    found = (re.search(r"^PUT .*digest=(sha256%3A|sha256:)([0-9a-f]{64})", line) for line, _ in target.requests())
    return {f"sha256:{each[2]}" for each in found if each}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_four_processes_of_which_one_is_killed(
    shell: Shell, start_registry: StartRegistry, skopeo: Skopeo, tmp_path: Path
) -> None:
    source, target = start_registry(), start_registry()
    plan = planned(shell, source, f"{target.host}/site")
    slow = {step.descriptor.digest for step in share_of(plan, ShareNumber(2, OF)).blob_steps()}
    before = reads(source)  # configs, to make the plan
    slowly = {2: ("--limit-rate", "source=150kB/s")}
    shares = {
        number: shell.start("apply", "plan.json", "--share", f"{number}/{OF}", *slowly.get(number, ()))
        for number in range(1, OF + 1)
    }
    deadline = time.monotonic() + DEADLINE_S
    while not arrived(target) & slow:
        assert time.monotonic() < deadline
        assert shares[2].poll() is None
        time.sleep(0.02)
    shares[2].send_signal(signal.SIGKILL)
    there = arrived(target)
    told = {number: (process.communicate(timeout=DEADLINE_S), process.returncode) for number, process in shares.items()}
    assert told[2][1] == -signal.SIGKILL
    for number in (1, 3, 4):
        (out, err), code = told[number]
        assert code == 0, out + err
        assert f"share {number}/{OF} done: " in out

    early = shell("apply", "plan.json", "--finish", "--of", str(OF))
    assert early.code == 9
    assert f"share 2/{OF} is not done: " in early.err
    assert early.err.count(" is not done: ") == 2  # that line, and the error
    assert held(target, "site") == set()

    both = [shell.start("apply", "plan.json", "--share", f"2/{OF}") for _ in range(2)]  # two at once do no harm
    for process in both:
        out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, out + err
    once = reads(source) - before
    others = {step.descriptor.digest for step in plan.blob_steps()} - slow
    assert {digest: once[digest] for digest in others} == dict.fromkeys(others, 1)
    assert all(once[digest] == 1 for digest in there & slow)  # what had arrived was not read again
    assert all(1 <= once[digest] <= 3 for digest in slow)

    asked = len(target.all_requests())
    finished = shell("apply", "plan.json", "--finish", "--of", str(OF), "--record", "record.json")
    assert finished.code == 0, finished.told
    pairs = {(step.repository, step.descriptor.digest) for step in plan.blob_steps()}
    lines = [line for line, _ in target.all_requests()[asked:]]
    assert sum(line.startswith("HEAD") and "/blobs/" in line for line in lines) == len(pairs)
    assert not any(line.startswith(("POST", "PATCH")) for line in lines)
    names = {f"vendor/{name}:{MADE.tag}" for name in MADE.images}
    assert held(target, "site") == names
    assert Path("record.json").exists()
    assert shell("verify", *_images(source), "--to", f"{target.host}/site", "--deep").code == 0
    for name in names:
        skopeo("copy", "--src-tls-verify=false", f"docker://{target.host}/site/{name}", f"dir:{tmp_path / 'seen'}")
    assert shell("apply", "plan.json", "--finish", "--of", str(OF)).code == 0


def test_four_processes_into_one_folder(shell: Shell, start_registry: StartRegistry) -> None:
    source = start_registry()
    plan = planned(shell, source, "oci:site")
    before = reads(source)
    shares = [shell.start("apply", "plan.json", "--share", f"{number}/{OF}") for number in range(1, OF + 1)]
    for process in shares:
        out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, out + err
    digests = {step.descriptor.digest for step in plan.blob_steps()}
    assert reads(source) - before == Counter(digests)
    assert shell("apply", "plan.json", "--finish", "--of", str(OF)).code == 0
    assert shell("verify", *_images(source), "--to", "oci:site", "--deep").code == 0


def _images(source: Registry) -> list[str]:
    return [f"{source.host}/vendor/{name}:{MADE.tag}" for name in MADE.images]


def test_a_plan_in_a_registry_is_carried_out_from_there(
    shell: Shell, start_registry: StartRegistry, skopeo: Skopeo, tmp_path: Path
) -> None:
    source, target = start_registry(), start_registry(auth="htpasswd")
    assert target.user
    logins = {"auths": {target.host: {"auth": base64.b64encode(f"{target.user}".encode()).decode()}}}
    (tmp_path / "config.json").write_text(json.dumps(logins))
    shell.set(DOCKER_CONFIG=tmp_path)
    lay_release(source, MADE, "vendor")
    address = f"oci://{target.host}/plans/site:1"
    ran = shell("plan", *_images(source), "--to", f"{target.host}/site", "--out", address)
    assert ran.code == 0, ran.told
    named = ran.err.rpartition("to do it: transload apply ")[2].strip()
    assert named.startswith(f"{address}@sha256:")
    login = ("--src-tls-verify=false", f"--src-authfile={tmp_path}/config.json")
    skopeo("copy", *login, f"docker://{target.host}/plans/site:1", f"dir:{tmp_path}/plan")
    for number in (1, 2):
        assert shell("apply", named, "--share", f"{number}/2").code == 0
    assert shell("apply", address, "--finish", "--of", "2").code == 0
    assert shell("verify", *_images(source), "--to", f"{target.host}/site").code == 0
