"""The call: a plan and a client of Dask in, an outcome out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from transload.app.location import Location
from transload.app.network import Network
from transload.distributed.coordinator import Coordinator
from transload.errors import UsageError
from transload.events import Listener, ignore
from transload.files import local_errors, open_file, read_file
from transload.limits import TRUST_STORE_BYTES
from transload.net.traffic import Traffic
from transload.planning import Plan
from transload.planning.planfile import read_plan
from transload.threads import Cancellation
from transload.transfer import Journal, Outcome

if TYPE_CHECKING:
    from distributed import Client

    from transload.distributed.worker import Errand


def run(
    plan: Plan | str | Path,
    client: Client,
    *,
    network: Network | None = None,
    jobs: int = 16,
    listen: Listener = ignore,
    notice: Callable[[str], None] = lambda _: None,
    cancellation: Cancellation | None = None,
    journal: Journal | None = None,
    traffic: Traffic | None = None,
) -> Outcome:
    """Carry out a plan, or the one in a file, on the workers of a Dask `client`: blobs, then manifests, then tags.

    Each worker does as many tasks at a time as it has threads, at most `jobs`. A task is one large blob, or many small
    ones. What was on a lost worker goes to another; a blob on which all workers die fails, and the others go on.

    Logins come from the workers' own environment: docker's and podman's files, and the variables of the vendor's
    script. `network` is for all workers, but has no client certificate: each worker has that in its `certs.d`.
    `limit_rate` is divided among the workers. `listen` hears events as in a local run, in the thread of the call, and
    `notice` gets sentences for people. `cancellation` ends the run at a safe point. `journal` keeps what arrived,
    and `traffic` what the workers sent and received.

    Failures are part of the outcome. Raises `UsageError` for a plan that needs files of this machine; `Unreachable` if
    there is no worker or no scheduler; `PrerequisiteMissing` if no worker has the version of transload and Dask that is
    here and sees the folders of the plan, and `DocumentInvalid` for a file that is no plan. Other workers are left out,
    with a `notice`.
    """
    from transload.distributed.cluster import DaskCluster  # needs Dask, which is an extra

    decided = plan if isinstance(plan, Plan) else _in_file(Path(plan))
    check_stores(decided)
    network = network or Network()
    cancellation = Cancellation.within(cancellation or Cancellation())
    errand = errand_of(network)
    sources = map(Location.parse, decided.sources)
    folders = tuple(source.value for source in sources if source.kind == "oci")
    cluster = DaskCluster(client, errand, jobs=jobs, warn=notice, folders=folders)
    with cluster.joined():
        cluster.wait(network.give_up_after_s, cancellation)
        coordinator = Coordinator(
            decided,
            cluster,
            name=errand.name,
            listen=listen,
            notice=notice,
            traffic=traffic or Traffic(),
            journal=journal or Journal(),
            cancellation=cancellation,
            give_up_after_s=network.give_up_after_s,
        )
        return coordinator.run()


def _in_file(path: Path) -> Plan:
    """The plan in a file. Raises `DocumentInvalid`, `LocalError`."""
    with local_errors("reading", path), open_file(path) as opened:
        return read_plan(opened)[0]


def errand_of(network: Network) -> Errand:
    """What workers must know of `network`. Raises `UsageError` for a client certificate, `LocalError`."""
    from transload.distributed.worker import Errand  # needs Dask, which is an extra

    if network.client_certificate or network.client_key:
        raise UsageError(
            "a client certificate does not go to the workers: its key is a secret",
            hint="put both into certs.d/HOST on each worker, as for docker, and leave them out here",
        )
    authorities = []
    for path in network.ca_files:
        with local_errors("reading", path):
            authorities.append(read_file(path, TRUST_STORE_BYTES))
    settings = {
        name: getattr(network, name)
        for name in (
            *("insecure_tls", "plain_http", "realms", "stall_timeout_s", "give_up_after_s", "min_rate"),
            "max_connections",
        )
    }
    return Errand(
        name=f"transload-{os.urandom(4).hex()}",
        network=settings,
        limit_rate=network.limit_rate,
        authorities=tuple(authorities),
    )


def check_stores(plan: Plan) -> None:
    """Check that workers can reach the stores of a plan. Raises `UsageError`.

    A registry can be reached from anywhere. A folder is read where it is shared, under the same path on each worker.
    """
    target = Location.parse(plan.target)
    if target.kind != "registry":
        raise UsageError(
            f"workers cannot write to {target}: it would have to be one folder for all of them",
            subject=str(target),
            hint="serve it and make a plan for that registry: transload serve --help; or apply the plan without --dask",
        )
    for locator in plan.sources:
        source = Location.parse(locator)
        if source.kind == "registry" or (source.kind == "oci" and Path(source.value).is_absolute()):
            continue
        if source.kind == "oci":
            raise UsageError(
                f"workers cannot find {source}: its path depends on the current folder",
                subject=str(source),
                hint="make the plan with the absolute path of a folder that all workers share",
            )
        raise UsageError(
            f"workers cannot read {source}: it is on this machine",
            subject=str(source),
            hint="push it to a registry first, or apply the plan without --dask",
        )
