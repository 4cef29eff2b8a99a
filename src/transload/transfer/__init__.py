"""Doing what a plan says: threads, retries, what is settled, and a journal of what arrived."""

from transload.transfer.engine import ImageOutcome, Outcome, run
from transload.transfer.journal import Journal

__all__ = ["ImageOutcome", "Journal", "Outcome", "run"]
