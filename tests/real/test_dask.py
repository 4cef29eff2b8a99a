"""`apply --dask` with a real scheduler and real workers as processes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme
from attrs import evolve

from tests.real.clusters import Cluster, Relay, memory_of, running_cluster
from tests.real.servers import Registry, StartRegistry
from tests.real.vendor import NEW, Ran, Shell, digest_at, held, publish, push
from transload.testing.images import image
from transload.testing.laboratory import Answer, Asked, Fault, Laboratory, Onward, drips, stalls

MIB = 1 << 20


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler with two workers of two threads each. No test ends them."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        running.worker("one", threads=2)
        running.worker("two", threads=2)
        yield running


def applied(shell: Shell, *words: object) -> Ran:
    process = shell.start("apply", *words)
    out, err = process.communicate(timeout=240)
    return Ran(process.returncode, out, err)


def tasks_at(cluster: Cluster) -> int:
    """How many tasks the scheduler knows."""
    from distributed import Client  # without which running_cluster skips

    with Client(cluster.address, timeout=60, set_as_default=False) as client:  # type: ignore[no-untyped-call]  # it has no types
        return int(client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)))


def blobs_read(registry: Registry) -> Counter[str]:
    """How often each blob was asked for, while these tests had the registry for themselves."""
    return Counter(line for line, status in registry.all_requests() if line.startswith("GET") and "/blobs/" in line)


def test_a_plan_is_carried_out_by_workers(
    shell: Shell, start_registry: StartRegistry, registry: Registry, cluster: Cluster
) -> None:
    source = start_registry()
    publish(source)
    to = ("--source-registry", source.host, "--to", f"{registry.host}/dasked")
    assert shell("plan", "arcdata", "--tag", NEW, "--allow-missing", *to, "-o", "p.json").code == 0
    asked = len(source.all_requests())
    ran = applied(shell, shell.home.parent / "p.json", "--dask", cluster.address, "--output", "json")
    result = ran.events[-1]["result"]
    assert (ran.code, ran.err) == (0, ""), ran.told
    assert result["totals"]["images"]["copied"] == len(held(registry, "dasked")) > 10
    assert {count for blob, count in blobs_read(source).items()} == {1}
    traffic = {each["host"]: each for each in result["traffic"]}  # of the workers too
    assert traffic[source.host]["requests"] == len(source.all_requests()) - asked
    assert traffic[source.host]["by_purpose"]["GET blob"] == len(blobs_read(source))
    assert digest_at(registry, f"dasked/arc-dns:{NEW}") == digest_at(source, f"arcdata/arc-dns:{NEW}")
    assert tasks_at(cluster) == 0
    again = applied(shell, shell.home.parent / "p.json", "--dask", cluster.address)
    assert again.code == 0, again.told
    assert {count for blob, count in blobs_read(source).items()} == {1}


def planned(shell: Shell, source: str, target: str, *words: object, name: str = "p.json") -> Path:
    ran = shell("plan", source, "--to", target, *words, "-o", name)
    assert ran.code == 0, ran.told
    return Path(name).absolute()


def until(condition: Callable[[], bool], process: subprocess.Popen[Any] | None = None) -> None:
    deadline = time.monotonic() + 240
    while not condition():
        assert process is None or process.poll() is None, "the process has ended"
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- workers and schedulers that go away


def test_the_blobs_of_a_killed_worker_go_to_another(
    shell: Shell, start_registry: StartRegistry, registry: Registry, tmp_path: Path
) -> None:
    source, built = start_registry(), image("big", [24 * MIB, 30_000, 20_000])
    push(source, built, "app", "1")
    big, *rest = sorted((blob for blob in built.manifest.blobs), key=lambda blob: -blob.size)
    with (
        running_cluster(tmp_path) as cluster,
        Laboratory(source.host, [stalls(about=big.digest, after=4 * MIB)]) as lab,
    ):
        first = cluster.worker("first")
        plan = planned(shell, f"{lab.host_port}/app:1", f"{registry.host}/killed")
        process = shell.start("apply", plan, "--dask", cluster.address, "--output", "json")
        until(lambda: lab.tally.fetched[big.digest] >= 3 * MIB, process)
        cluster.worker("second")
        first.kill()
        out, err = process.communicate(timeout=240)
        ran = Ran(process.returncode, out, err)
        assert (ran.code, ran.err) == (0, ""), ran.told
        assert tasks_at(cluster) == 0
    assert ran.events[-1]["result"]["totals"]["copied"]["blobs"] == len(built.manifest.blobs)
    assert digest_at(registry, "killed/app:1") == built.digest
    verified = shell("verify", f"{source.host}/app:1", "--to", f"{registry.host}/killed", "--deep")
    assert verified.code == 0, verified.told
    assert {lab.tally.fetched[blob.digest] for blob in rest} == {blob.size for blob in rest}
    assert big.size <= lab.tally.fetched[big.digest] <= 2 * big.size + MIB  # by the first worker, then by the second


def test_a_blob_that_kills_every_worker_fails_alone(
    shell: Shell, start_registry: StartRegistry, registry: Registry, tmp_path: Path
) -> None:
    source, bad, good = start_registry(), image("bad", [30_000]), image("good", [20_000])
    push(source, bad, "app", "bad")
    push(source, good, "app", "good")
    deadly = bad.manifest.layers[0].digest
    with running_cluster(tmp_path, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=0) as cluster:
        nanny = cluster.worker("mortal", "--nanny")

        def kill(asked: Asked, onward: Onward, dice: Any) -> Answer:
            for task in Path(f"/proc/{nanny.pid}/task").iterdir():
                for child in (task / "children").read_text().split():
                    if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                        os.kill(int(child), signal.SIGKILL)
            return onward(asked)

        with Laboratory(source.host, [Fault(on="GET blob", act=kill, about=deadly, times=9)]) as lab:
            plan = planned(shell, f"{lab.host_port}/app:bad", f"{registry.host}/deadly", f"{lab.host_port}/app:good")
            ran = applied(shell, plan, "--dask", cluster.address, "--output", "json")
    result = ran.events[-1]["result"]
    assert ran.code == 1, ran.told
    assert [(image["status"], image["problem"] and image["problem"]["message"]) for image in result["images"]] == [
        ("failed", "every worker that this was given to died of it"),
        ("copied", None),
    ]
    assert held(registry, "deadly") == {"app:good"}
    assert [seen.method for seen in lab.tally.requests if deadly in seen.target] == ["GET", "GET"]


def test_a_scheduler_that_dies_ends_the_run_with_a_sentence(
    shell: Shell, start_registry: StartRegistry, registry: Registry, tmp_path: Path
) -> None:
    source, built = start_registry(), image("half", [2 * MIB])
    push(source, built, "app", "1")
    blob = built.manifest.layers[0].digest
    with running_cluster(tmp_path) as cluster, Laboratory(source.host, [stalls(about=blob, after=MIB)]) as lab:
        cluster.worker("one")
        plan = planned(shell, f"{lab.host_port}/app:1", f"{registry.host}/orphan")
        process = shell.start("apply", plan, "--dask", cluster.address)
        until(lambda: lab.tally.fetched[blob] >= MIB // 2, process)
        cluster.scheduler.kill()
        out, err = process.communicate(timeout=240)
    assert process.returncode == 5, out + err
    assert "has gone, or forgot this run" in out + err
    assert "Traceback" not in out + err
    assert held(registry, "orphan") == set()


def test_workers_that_do_not_come_back_end_the_run(
    shell: Shell, start_registry: StartRegistry, registry: Registry, tmp_path: Path
) -> None:
    source, built = start_registry(), image("gone", [2 * MIB])
    push(source, built, "app", "1")
    blob = built.manifest.layers[0].digest
    with running_cluster(tmp_path) as cluster, Laboratory(source.host, [stalls(about=blob, after=MIB)]) as lab:
        only = cluster.worker("only")
        plan = planned(shell, f"{lab.host_port}/app:1", f"{registry.host}/gone")
        process = shell.start("apply", plan, "--dask", cluster.address, "--give-up-after", "3")
        until(lambda: lab.tally.fetched[blob] >= MIB // 2, process)
        only.kill()
        out, err = process.communicate(timeout=240)
        assert tasks_at(cluster) == 0
    assert process.returncode == 5, out + err
    assert "all workers have gone" in out + err


# --- stopping


def test_ctrl_c_parks_what_moves_and_leaves_no_task(
    shell: Shell, start_registry: StartRegistry, tmp_path: Path
) -> None:
    """With one worker: of several with one state folder, only one at a time notes where its uploads go on."""
    source, registry, built = start_registry(), start_registry(), image("stopped", [8 * MIB])
    push(source, built, "app", "1")
    blob = built.manifest.layers[0]
    drip = drips(about=blob.digest, rate=600_000)
    with running_cluster(tmp_path) as cluster, Laboratory(source.host, [drip]) as lab:
        cluster.worker("only", threads=2, TRANSLOAD_STATE_DIR=tmp_path / "noted")
        plan = planned(shell, f"{lab.host_port}/app:1", f"{registry.host}/stopped")
        process = shell.start("apply", plan, "--dask", cluster.address, "--output", "json")
        until(lambda: lab.tally.fetched[blob.digest] >= 2 * MIB, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=240)
        assert process.returncode == 130, out + err
        assert Ran(130, out, err).events[-1]["result"]["interrupted"] is True
        assert tasks_at(cluster) == 0
        lab.wait_until_quiet()
        stopped_at = lab.tally.fetched[blob.digest]
        assert stopped_at < blob.size
        assert applied(shell, plan, "--dask", cluster.address).code == 0
    uploads = [line for line, _ in registry.all_requests() if "/v2/stopped/app/blobs/uploads/" in line]
    begun = re.search(r"PATCH (\S+/uploads/[^?]+)", "\n".join(uploads))
    assert begun
    assert f"GET {begun[1]}" in uploads  # the next run asks how far the upload came; this registry forgets cut ones


def test_a_client_that_is_killed_leaves_no_task(
    shell: Shell, start_registry: StartRegistry, registry: Registry, cluster: Cluster
) -> None:
    source, built = start_registry(), image("left", [3 * MIB])
    push(source, built, "app", "1")
    blob = built.manifest.layers[0].digest
    with Laboratory(source.host, [drips(about=blob, rate=300_000)]) as lab:
        plan = planned(shell, f"{lab.host_port}/app:1", f"{registry.host}/left")
        process = shell.start("apply", plan, "--dask", cluster.address)
        until(lambda: lab.tally.fetched[blob] >= MIB, process)
        process.kill()
        process.communicate()
        until(lambda: tasks_at(cluster) == 0)
        until(lambda: _stays(lambda: lab.tally.fetched[blob]))  # a worker may keep its idle connections for a while
        assert lab.tally.fetched[blob] < built.manifest.layers[0].size


def _stays(count: Callable[[], int]) -> bool:
    """Whether nothing was counted for a second, in which much would have come."""
    before = count()
    time.sleep(1)
    return count() == before


# --- secrets


def test_no_login_goes_through_the_scheduler(
    shell: Shell, start_registry: StartRegistry, htpasswd_registry: Registry, tmp_path: Path
) -> None:
    source, built, user = start_registry(), image("secret", [30_000]), htpasswd_registry.user
    assert user
    push(source, built, "app", "1")
    told = b64encode(f"{user.name}:{user.password}".encode()).decode()
    logins = tmp_path / "logins"
    logins.mkdir()
    (logins / "config.json").write_text(json.dumps({"auths": {htpasswd_registry.host: {"auth": told}}}))
    with running_cluster(tmp_path) as cluster, Relay(cluster.address) as relay:
        evolve(cluster, by_way_of=relay.address).worker("one", DOCKER_CONFIG=logins)
        shell.set(TARGET_DOCKER_USERNAME=user.name, TARGET_DOCKER_PASSWORD=user.password)
        plan = planned(shell, f"{source.host}/app:1", f"{htpasswd_registry.host}/secret")
        ran = applied(shell, plan, "--dask", relay.address)
        assert ran.code == 0, ran.told
        found = [b"".join(relay.passed), *memory_of(cluster.scheduler)]
        found += [cluster.log(name).encode() for name in ("scheduler", "one")]
    assert any(built.manifest.layers[0].digest.encode() in text for text in found)  # it was looked through
    for secret in (user.password, told):
        assert not any(secret.encode() in text for text in found)
    assert held(htpasswd_registry, "secret", user) == {"app:1"}


def test_a_worker_without_a_login_says_which_one_it_is(
    shell: Shell, start_registry: StartRegistry, htpasswd_registry: Registry, cluster: Cluster
) -> None:
    source, built, user = start_registry(), image("refused", [30_000]), htpasswd_registry.user
    assert user
    push(source, built, "app", "1")
    shell.set(TARGET_DOCKER_USERNAME=user.name, TARGET_DOCKER_PASSWORD=user.password)
    plan = planned(shell, f"{source.host}/app:1", f"{htpasswd_registry.host}/refused")
    ran = applied(shell, plan, "--dask", cluster.address)
    assert ran.code == 3, ran.told
    assert "this was on the worker tcp://127.0.0.1:" in " ".join(ran.told.split())


# --- what does not fit


def has_removed(cluster: Cluster, more_than: int) -> bool:
    return cluster.log("scheduler").count("Remove worker") > more_than


def test_workers_are_waited_for_and_their_versions_are_checked_before_the_first_task(
    shell: Shell, start_registry: StartRegistry, registry: Registry, tmp_path: Path
) -> None:
    source, built = start_registry(), image("versions", [30_000])
    push(source, built, "app", "1")
    plan = planned(shell, f"{source.host}/app:1", f"{registry.host}/versions")
    unfit = {
        "import sys; sys.modules['transload'] = None": "has no transload",
        "import distributed as d; d.__version__ = '2024.8.0'": "has Dask 2024.8.0, and this is",
        "import pkgutil; pkgutil.resolve_name = divmod": "does not say which Dask it has: ",
    }
    with running_cluster(tmp_path) as cluster:
        ran = applied(shell, plan, "--dask", cluster.address, "--give-up-after", "2")
        assert ran.code == 5, ran.told
        assert "the scheduler has no worker yet: waiting for one, up to 2 seconds" in ran.err
        assert "has had no worker for 2 seconds" in ran.err
        for number, (prelude, told) in enumerate(unfit.items()):
            worker = cluster.worker(f"unfit{number}", prelude=prelude)
            ran = applied(shell, plan, "--dask", cluster.address)
            assert ran.code == 9, ran.told
            assert told in ran.told
            assert (
                f"hint: {'install it there: python3 -m pip install ' if 'no' in told.split() else 'install'}"
                in ran.told
            )
            worker.kill()
            until(partial(has_removed, cluster, number))
    assert held(registry, "versions") == set()


@pytest.mark.parametrize(
    ("prelude", "told"),
    [
        ("import sys; sys.modules['transload'] = None", " has no transload"),
        (
            "from distributed import Scheduler as s; was = s.identity; s.identity = lambda self: was(self)",
            " has another version of Dask",
        ),
    ],
)
def test_a_scheduler_must_fit_too(
    shell: Shell, registry: Registry, vendor: Registry, tmp_path: Path, prelude: str, told: str
) -> None:
    plan = planned(shell, "arcdata", f"{registry.host}/bare", "--tag", NEW, "--source-registry", vendor.host)
    with running_cluster(tmp_path, prelude=prelude) as cluster:
        ran = applied(shell, plan, "--dask", cluster.address)
    assert ran.code == 9, ran.told
    assert f"the scheduler {cluster.address}{told}" in ran.told


def test_a_scheduler_that_is_not_there(shell: Shell, registry: Registry, vendor: Registry) -> None:
    plan = planned(shell, "arcdata", f"{registry.host}/none", "--tag", NEW, "--source-registry", vendor.host)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        ran = applied(shell, plan, "--dask", address)
    assert ran.code == 5, ran.told
    assert ran.err.splitlines() == [
        f"error: the scheduler {address} cannot be reached",
        "  hint: check the address, and that the scheduler runs: dask scheduler",
    ]


def test_over_tls_only_those_with_a_certificate_are_let_in(
    shell: Shell, start_registry: StartRegistry, registry: Registry, tmp_path: Path
) -> None:
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1", "localhost")
    files = {"ca": tmp_path / "ca.pem", "cert": tmp_path / "own.pem", "key": tmp_path / "own.key"}
    authority.cert_pem.write_to_path(files["ca"])
    own.cert_chain_pems[0].write_to_path(files["cert"])
    own.private_key_pem.write_to_path(files["key"])
    source, built = start_registry(), image("tls", [30_000])
    push(source, built, "app", "1")
    plan = planned(shell, f"{source.host}/app:1", f"{registry.host}/tls")
    words = ("--tls-ca-file", str(files["ca"]), "--tls-cert", str(files["cert"]), "--tls-key", str(files["key"]))
    with running_cluster(tmp_path, "--protocol", "tls", *words) as cluster:
        assert cluster.address.startswith("tls://")
        cluster.worker("one")
        ran = applied(shell, plan, "--dask", cluster.address)
        assert ran.code == 2, ran.told
        assert "for tls://, Dask's settings name the certificates" in ran.err
        assert "Traceback" not in ran.err
        tls = "DASK_DISTRIBUTED__COMM__TLS"
        shell.set(**{f"{tls}__CA_FILE": files["ca"], f"{tls}__CLIENT__CERT": files["cert"]})
        shell.set(**{f"{tls}__CLIENT__KEY": files["key"]})
        ran = applied(shell, plan, "--dask", cluster.address)
        assert ran.code == 0, ran.told
    assert held(registry, "tls") == {"app:1"}
