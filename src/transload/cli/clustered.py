"""`apply --dask`: the steps of a plan are done by the workers of a Dask cluster, all else on this machine."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from transload.errors import PartMissing, PrerequisiteMissing, Unreachable, UsageError
from transload.extras import Extra
from transload.oci.reference import shown
from transload.values import evolve

if TYPE_CHECKING:
    from distributed import Client

    from transload.app.mirror import Prepared
    from transload.app.network import Network
    from transload.app.stores import Stores
    from transload.cli.flags import LoginFlags
    from transload.cli.session import Session
    from transload.planning import Plan
    from transload.transfer.limits import Limits

_SCHEMES = ("tcp://", "tls://")
_CONNECT_S = 10


def check_clustered(address: str, plan: Plan, logins: LoginFlags, network: Network, limits: Limits) -> None:
    """Check that the plan can be given to workers, before anything is asked. Raises `UsageError`, `PartMissing`."""
    if not address.startswith(_SCHEMES) or address in _SCHEMES:
        raise UsageError(
            f"--dask {shown(address)} is not the address of a scheduler",
            hint="write it with its scheme, as the scheduler prints it: tcp://HOST:8786, or tls://HOST:8786",
        )
    if logins.source_username or logins.target_username:
        raise UsageError(
            "a user and a password on this command line would be no login of the workers, and they are not sent there",
            hint="give each worker its own logins, as DOCKER_CONFIG or by docker login, and leave the user out here",
        )
    if limits.max_bytes is not None or limits.between is not None:
        raise UsageError(
            "--max-bytes and --between do not go with --dask: each counts for one machine",
            hint="leave them out; to limit the speed of all workers together, use --limit-rate",
        )
    if not Extra.DISTRIBUTED.is_installed:
        raise _missing()
    from transload.distributed.running import check_stores, errand_of

    check_stores(plan)
    errand_of(network)


@contextlib.contextmanager
def on_cluster(
    address: str, session: Session, network: Network, jobs: int
) -> Iterator[Callable[[Prepared, Stores], Prepared]]:
    """In this block there is a connection to the scheduler; the function gives the steps of a plan to its workers."""
    with _connected(address) as client:
        yield partial(_given_away, client=client, session=session, network=network, jobs=jobs)


def _given_away(
    prepared: Prepared, stores: Stores, *, client: Client, session: Session, network: Network, jobs: int
) -> Prepared:
    from transload.distributed import run

    elsewhere = partial(
        run,
        prepared.plan,
        client,
        network=network,
        jobs=jobs,
        notice=session.output.notice,
        cancellation=session.cancellation,
        journal=prepared.journal,
        traffic=stores.http.traffic,
    )
    return evolve(prepared, elsewhere=lambda listen: elsewhere(listen=listen))


@contextlib.contextmanager
def _connected(address: str) -> Iterator[Client]:
    """A client of the scheduler. Its certificates for `tls://` are those of Dask's own configuration."""
    try:
        from distributed import Client
        from distributed.versions import VersionMismatchWarning
    except ImportError as error:
        raise _missing() from error
    warnings.filterwarnings("ignore", category=VersionMismatchWarning)  # what matters of it is checked, for a sentence
    for name in list(logging.root.manager.loggerDict):  # what these say on standard error, we say in a sentence
        if name.partition(".")[0] in {"distributed", "tornado"}:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        client: Any = cast("Any", Client)(address, timeout=_CONNECT_S, set_as_default=False)  # it has no types
    except (OSError, TimeoutError) as error:
        raise Unreachable(
            f"the scheduler {shown(address)} cannot be reached",
            hint="check the address, and that the scheduler runs: dask scheduler",
        ) from error
    except (ValueError, TypeError) as error:
        if isinstance(error, TypeError) and address.startswith("tcp://"):
            raise PrerequisiteMissing(
                f"the scheduler {shown(address)} has another version of Dask than this machine: {shown(str(error))}",
                hint="install the same version everywhere: the scheduler, the workers and here",
            ) from error
        raise UsageError(
            f"--dask {shown(address)}: Dask cannot use this address: {shown(str(error))}",
            hint="for tls://, Dask's settings name the certificates, such as DASK_DISTRIBUTED__COMM__TLS__CA_FILE",
        ) from error
    with client:
        yield client


def _missing() -> PartMissing:
    return Extra.DISTRIBUTED.missing("--dask", "distributed")
