"""`apply --dask` with a real scheduler and real workers as processes."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.real.clusters import Cluster, running_cluster
from tests.real.servers import Registry, StartRegistry
from tests.real.vendor import NEW, Ran, Shell, digest_at, held, publish

MIB = 1 << 20
TASKS = """
import sys
from distributed import Client
with Client(sys.argv[1], timeout=60, set_as_default=False) as client:
    print(client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)))
"""


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
    words = [sys.executable, "-c", TASKS, cluster.address]
    return int(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)


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
    ran = applied(shell, shell.home.parent / "p.json", "--dask", cluster.address, "--output", "json")
    result = ran.events[-1]["result"]
    assert (ran.code, ran.err) == (0, ""), ran.told
    assert result["totals"]["images"]["copied"] == len(held(registry, "dasked")) > 10
    assert {count for blob, count in blobs_read(source).items()} == {1}
    assert digest_at(registry, f"dasked/arc-dns:{NEW}") == digest_at(source, f"arcdata/arc-dns:{NEW}")
    assert tasks_at(cluster) == 0
    again = applied(shell, shell.home.parent / "p.json", "--dask", cluster.address)
    assert again.code == 0, again.told
    assert {count for blob, count in blobs_read(source).items()} == {1}
