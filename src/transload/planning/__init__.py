"""Decides what has to be done, as data: what is wanted, what both sides have, which steps follow."""

from transload.planning.expected import asked_so_far, expect_run
from transload.planning.plan import BlobStep, ManifestStep, Plan, PlannedImage, Step
from transload.planning.planner import make_plan
from transload.planning.request import Item, Narrowing, Referrers, Request

__all__ = [
    "BlobStep",
    "Item",
    "ManifestStep",
    "Narrowing",
    "Plan",
    "PlannedImage",
    "Referrers",
    "Request",
    "Step",
    "asked_so_far",
    "expect_run",
    "make_plan",
]
