"""The exit codes of runs and of checks, as in docs/formats/json-output.md ("Exit codes"). Pure.

Each image has a code: 0 if it is in order, else the exit code of its error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from transload.errors import Interrupted, OutOfBytes, PolicyRefused, RefusedByRule, TransloadError

if TYPE_CHECKING:
    from transload.catalog.offer import ReleaseList
    from transload.planning import Plan

MORE = OutOfBytes.exit_code
"""The code if nothing failed and there is more to copy: a run stopped by its limit, a release that is new."""

MIXED = 1
"""The code if something failed, but not everything with the same code."""


def code_of(error: TransloadError | None) -> int:
    """The exit code of a failure, whose error may be unknown."""
    return error.exit_code if error else MIXED


def of_run(images: Iterable[int], ended_by: int | None = None, *, ruled: bool = False) -> int:
    """The exit code of a run. `images`: the codes of all images that are not excused. `ended_by`: what ended it early.

    `ruled`: all that failed was refused by a rule (`RefusedByRule`). Then the images in order do not count: it was
    wanted that they go on, and that the code says what was refused.

    >>> of_run([]), of_run([0, 0])
    (0, 0)
    >>> of_run([5, 5]), of_run([3, 5]), of_run([0, 5])
    (5, 1, 1)
    >>> of_run([0, 3], ended_by=5), of_run([0, 0], ended_by=130)
    (5, 130)
    >>> of_run([0, 7]), of_run([0, 7], ruled=True), of_run([0], ruled=True)
    (1, 7, 0)
    """
    if ended_by is not None:
        return ended_by
    codes = {code for code in images if code or not ruled}
    return codes.pop() if len(codes) == 1 else MIXED if codes else 0


def of_plan(plan: Plan) -> int:
    """The exit code of `plan`. Nothing ends it early, so only the images count."""
    images = [image for image in plan.images if not image.excused]
    errors = [image.error for image in images if image.error]
    ruled = all(isinstance(error, RefusedByRule) for error in errors)
    return of_run((image.error.exit_code if image.error else 0 for image in images), ruled=ruled)


def of_verification(wrong: Sequence[int], unchecked: Sequence[int], *, refused: bool = False) -> int:
    """The exit code of `verify`. `wrong`: a code for each image and problem, 0 if nothing is wrong with it.

    `refused`: an image is not signed as a policy requires. It counts only if no content is wrong, since content that
    is damaged is the worse news, and then it counts alone. `unchecked`: the codes of errors that prevented a check.
    They count only if nothing is wrong, and nothing is refused.

    >>> of_verification([0, 0], [])
    0
    >>> of_verification([6, 6], []), of_verification([6, 4], []), of_verification([6, 0], [5])
    (6, 1, 1)
    >>> of_verification([0, 0], [5]), of_verification([0], [3, 5]), of_verification([0], [5, 130])
    (5, 1, 130)
    >>> of_verification([0, 0], [5], refused=True), of_verification([6], [], refused=True)
    (7, 6)
    """
    if any(wrong):
        return of_run(wrong)
    if refused:
        return PolicyRefused.exit_code
    return of_run(unchecked, Interrupted.exit_code if Interrupted.exit_code in unchecked else None)


def of_releases(listed: ReleaseList, *, news: bool) -> int:
    """The exit code of `releases`. With `news`, a release that is surely new counts, before what could not be asked."""
    if news and listed.new:
        return MORE
    unclear = any(offer.holding and offer.holding.unclear for offer in listed.releases)
    return of_run(error.exit_code for error in listed.troubles.values()) if unclear else 0
