"""How a run ended, image by image."""

from __future__ import annotations

from transload.errors import TransloadError
from transload.oci import Digest
from transload.planning.plan import Share
from transload.values import field, frozen


@frozen
class ImageOutcome:
    """How one planned image ended. `done` with `error` None is success; not `done` means it was interrupted.

    `tried` is False if the run had already failed with `error` before this image's turn. `digest` is what its name
    stands for now, where the plan could not know it.
    """

    done: bool
    error: TransloadError | None
    tried: bool = True
    digest: Digest | None = None


@frozen(kw_only=True)
class Attachments:
    """How many statements about images were attached to them, how many could not be, and the first error then."""

    new: int = 0
    failed: int = 0
    error: TransloadError | None = None


@frozen
class Outcome:
    """How a run ended; `images` are in the order of the plan.

    `interrupted`: the run was cancelled before its end. `out_of_bytes`: it ended because it had moved as many bytes as
    it may, and something is left. `underway` are the blobs that were begun and not finished, and how many of their
    bytes had been sent. `written` are files that were written when the images were there, such as recovery volumes.
    `attached` is what became of what gates said of images. `duration_s` is in seconds.
    """

    images: tuple[ImageOutcome, ...]
    interrupted: bool
    duration_s: float
    out_of_bytes: bool = False
    underway: Share = field(factory=Share)
    written: tuple[str, ...] = ()
    attached: Attachments = field(factory=Attachments)
