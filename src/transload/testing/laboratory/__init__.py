"""A fault laboratory: a proxy on loopback before any registry, which spoils requests and answers by a script.

    with serve(store) as served, Laboratory(served.host_port, [cuts("GET blob", after=1000)]) as laboratory:
        ...  # a client that talks to laboratory.host_port

It works before our own server, before any other registry that speaks plain HTTP, and before a function. `tally` counts
requests, and bytes by blob.
"""

from transload.testing.laboratory.exchange import Answer, Asked, HangUp, Onward
from transload.testing.laboratory.faults import (
    answers,
    corrupts,
    cuts,
    cuts_request,
    drips,
    ends_early,
    ignores_ranges,
    limits_bodies,
    loses_pages,
    moves_location,
    names_digest,
    refuses,
    refuses_digest,
    refuses_mounts,
    sends_html,
    stalls,
    too_many_requests,
    unauthorized,
)
from transload.testing.laboratory.proxy import Laboratory
from transload.testing.laboratory.script import ALWAYS, Fault
from transload.testing.laboratory.tally import Seen, Tally

__all__ = [
    "ALWAYS",
    "Answer",
    "Asked",
    "Fault",
    "HangUp",
    "Laboratory",
    "Onward",
    "Seen",
    "Tally",
    "answers",
    "corrupts",
    "cuts",
    "cuts_request",
    "drips",
    "ends_early",
    "ignores_ranges",
    "limits_bodies",
    "loses_pages",
    "moves_location",
    "names_digest",
    "refuses",
    "refuses_digest",
    "refuses_mounts",
    "sends_html",
    "stalls",
    "too_many_requests",
    "unauthorized",
]
