"""How many requests the operations of a registry take, by what is known of it. Pure."""

from __future__ import annotations

from transload.limits import SEGMENT_LEAST_BYTES
from transload.ports import RequestCosts
from transload.registry.capabilities import Capabilities


def request_costs_of(known: Capabilities) -> RequestCosts:
    """The costs at a registry of which this is known.

    A small blob takes POST and PUT, or one POST; a large one POST, PATCH and PUT, or POST and PUT. How many pieces are
    sent where bodies have a limit depends on the blob, and a registry may refuse to mount: it takes at least so many.
    """
    mode, _ = known.way_of_uploading()
    one_put = known.put_with_body is not False
    return RequestCosts(
        ingest_small=1 if known.single_post and mode != "pieces" else 2 if one_put else 3,
        ingest_large=2 if mode == "put" else 3,
        one_read_bytes=None if known.ranges is False else SEGMENT_LEAST_BYTES,
        ingests_known=mode != "pieces",
        mounts_known=known.mounts is True,
    )
