"""What is said of a share of a plan, which brings blobs and completes no image. Pure."""

from __future__ import annotations

from transload.planning.shares import ShareNumber
from transload.report.result import Result
from transload.report.texts import count


def share_headline(result: Result, share: ShareNumber) -> str:
    """How the share ended, in one sentence."""
    head = f"Share {share.number} of {share.of}"
    if result.interrupted:
        return f"{head} was interrupted"
    if result.out_of_bytes and not result.failures:
        return f"{head} stopped at its limit of bytes"
    if result.ended_early:
        return f"{head} ended early"
    if result.failures:
        return f"{head} is not done: it could not bring what {count(len(result.failures), 'image')} need"
    return f"{head} is done: its blobs are at {result.target}, where no tag points to them yet"
