"""Decides what has to be done, as data: what is wanted, what both sides have, which steps follow."""

from transload.planning.plan import BlobStep, ManifestStep, Plan, PlannedImage, Step
from transload.planning.planner import asked_so_far, make_plan
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
    "make_plan",
]
