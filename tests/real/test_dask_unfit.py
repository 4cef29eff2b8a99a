"""`apply --dask` where some of the workers do not fit: they are left out, and the others do the work."""

from __future__ import annotations

import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

from tests.real.clusters import running_cluster
from tests.real.servers import Registry, StartRegistry
from tests.real.test_dask import MIB, planned, tasks_at, until
from tests.real.vendor import Ran, Shell, digest_at, held, push
from transload.layout import LayoutStore
from transload.testing.images import fill, image
from transload.testing.laboratory import Answer, Asked, Fault, Laboratory, Onward, drips

BARE = "import sys; sys.modules['transload'] = None"
BLIND = "/nothing/is/here"
OLD = "import transload.version as v, transload.distributed.worker as w; v.__version__ = '0.0.9'; w.load_plan = None"


def test_workers_that_come_late_and_do_not_fit_are_left_out(
    shell: Shell, start_registry: StartRegistry, registry: Registry, tmp_path: Path
) -> None:
    source, built = start_registry(), image("late", [2 * MIB + number for number in range(10)])
    push(source, built, "app", "1")
    begun, have_come = threading.Event(), threading.Event()

    def hold(asked: Asked, onward: Onward, dice: Any) -> Answer:
        begun.set()
        have_come.wait(120)
        time.sleep(0.6)  # the scheduler is asked for new workers every two seconds
        return onward(asked)

    with (
        running_cluster(tmp_path) as cluster,
        Laboratory(source.host, [Fault(on="GET blob", act=hold, times=1000)]) as lab,
    ):
        cluster.worker("fit", threads=2)
        plan = planned(shell, f"{lab.host_port}/app:1", f"{registry.host}/late")
        process = shell.start("apply", plan, "--dask", cluster.address, "--jobs", "2", "--stall-timeout", "120")
        until(begun.is_set, process)
        cluster.worker("bare", prelude=BARE, threads=4)
        cluster.worker("old", prelude=OLD, threads=4)
        have_come.set()
        out, err = process.communicate(timeout=240)
        assert tasks_at(cluster) == 0
    ran = Ran(process.returncode, out, err)
    assert ran.code == 0, ran.told
    assert digest_at(registry, "late/app:1") == built.digest
    assert ran.told.count("it is left out") == 2, ran.told
    assert "has no transload" in ran.told
    assert "has transload 0.0.9, and this is " in ran.told
    assert "install it there: python3 -m pip install 'transload[distributed]==" in ran.told


def test_a_worker_that_fits_is_enough_to_begin(
    shell: Shell, start_registry: StartRegistry, registry: Registry, tmp_path: Path
) -> None:
    source = start_registry()
    push(source, image("begun", [2 * MIB + number for number in range(6)]), "app", "1")
    plan = planned(shell, f"{source.host}/app:1", f"{registry.host}/begun")
    with running_cluster(tmp_path) as cluster:
        cluster.worker("bare", prelude=BARE, threads=4)
        cluster.worker("fit")
        process = shell.start("apply", plan, "--dask", cluster.address)
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, out + err
    assert err.count("it is left out") == 1
    assert held(registry, "begun") == {"app:1"}


def test_blobs_of_the_last_worker_that_fits_go_to_the_next_one_that_does(
    shell: Shell, start_registry: StartRegistry, registry: Registry, tmp_path: Path
) -> None:
    source, built = start_registry(), image("last", [6 * MIB])
    push(source, built, "app", "1")
    big = built.manifest.layers[0].digest
    with running_cluster(tmp_path) as cluster, Laboratory(source.host, [drips(about=big, rate=600_000)]) as lab:
        cluster.worker("bare", prelude=BARE, threads=4)
        first = cluster.worker("first")
        plan = planned(shell, f"{lab.host_port}/app:1", f"{registry.host}/last")
        process = shell.start("apply", plan, "--dask", cluster.address)
        until(lambda: lab.tally.fetched[big] >= MIB // 2, process)
        first.kill()
        cluster.worker("second")
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, out + err
    assert held(registry, "last") == {"app:1"}


def test_a_worker_that_comes_back_at_its_address_with_another_version_is_left_out(
    shell: Shell, start_registry: StartRegistry, registry: Registry, tmp_path: Path
) -> None:
    source, built = start_registry(), image("back", [6 * MIB])
    push(source, built, "app", "1")
    big = built.manifest.layers[0].digest
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
    with running_cluster(tmp_path) as cluster, Laboratory(source.host, [drips(about=big, rate=600_000)]) as lab:
        first = cluster.worker("first", "--worker-port", port)
        plan = planned(shell, f"{lab.host_port}/app:1", f"{registry.host}/back")
        process = shell.start("apply", plan, "--dask", cluster.address)
        until(lambda: lab.tally.fetched[big] >= MIB // 2, process)
        process.send_signal(signal.SIGSTOP)  # it must not see that the first one has gone
        first.kill()
        first.wait()
        cluster.worker("old", "--worker-port", port, prelude=OLD)
        until(lambda: "Compute Failed" in cluster.log("old"))
        cluster.worker("second")
        process.send_signal(signal.SIGCONT)
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, out + err
    assert err.count("has transload 0.0.9, and this is ") == 1
    assert held(registry, "back") == {"app:1"}


def test_a_worker_that_does_not_see_the_folder_of_the_images_is_left_out(
    shell: Shell, registry: Registry, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    store = LayoutStore(folder, create=True)
    fill(store, image("shared", [2 * MIB + number for number in range(6)]), "app", "1")
    blind = (
        f"from transload.distributed import worker; worker.Path = lambda *parts: __import__('pathlib').Path({BLIND!r})"
    )
    words = ("--from", f"oci:{folder}", "--to", f"{registry.host}/shared")
    assert shell("plan", *words, "-o", "shared.json").code == 0
    with running_cluster(tmp_path) as cluster:
        cluster.worker("blind", prelude=blind, threads=4)
        process = shell.start("apply", "shared.json", "--dask", cluster.address)
        out, err = process.communicate(timeout=240)
        assert process.returncode == 9, out + err
        assert f"does not see the images in '{folder}'" in out + err
        cluster.worker("fit")
        process = shell.start("apply", "shared.json", "--dask", cluster.address)
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, out + err
    assert err.count("it is left out (mount the folder there, under the same path, and ") == 1
    assert held(registry, "shared") == {"app:1"}


def test_a_worker_that_is_frozen_is_left_out(
    shell: Shell, start_registry: StartRegistry, registry: Registry, tmp_path: Path
) -> None:
    source = start_registry()
    push(source, image("frozen", [20_000]), "app", "1")
    plan = planned(shell, f"{source.host}/app:1", f"{registry.host}/frozen")
    with running_cluster(tmp_path) as cluster:
        frozen = cluster.worker("frozen")
        cluster.worker("fit")
        frozen.send_signal(signal.SIGSTOP)
        process = shell.start("apply", plan, "--dask", cluster.address)
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, out + err
    assert err.count("did not answer within 10 seconds: it is left out") == 1
    assert held(registry, "frozen") == {"app:1"}
