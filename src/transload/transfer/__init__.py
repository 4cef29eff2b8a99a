"""Carries out a plan: threads, retries, the outcome of each step, and a journal of the blobs that arrived."""

from transload.transfer.engine import ImageOutcome, Outcome, run
from transload.transfer.journal import Journal

__all__ = ["ImageOutcome", "Journal", "Outcome", "run"]
