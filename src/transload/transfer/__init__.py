"""Carries out a plan: threads, retries, the outcome of each step, and a journal of the blobs that arrived."""

from transload.transfer.engine import run
from transload.transfer.journal import Journal
from transload.transfer.limits import Limits
from transload.transfer.outcome import Attachments, ImageOutcome, Outcome

__all__ = ["Attachments", "ImageOutcome", "Journal", "Limits", "Outcome", "run"]
