"""What a page says about content that cannot be read. No place of this machine is named, and no host behind it."""

from __future__ import annotations

import logging

from transload.errors import NotFound, TransloadError, VolumeMissing
from transload.server.page.reading import NotShown
from transload.server.refusals import printable, refusal

_log = logging.getLogger("transload.server")


def said(error: TransloadError | NotShown, locator: str) -> str:
    """A sentence for the reader of a page. The details of what is wrong with the store go to the log."""
    if isinstance(error, NotShown):
        return f"This is not shown: {error}."
    if isinstance(error, NotFound):
        return "This is not here: it was left out, or has not come yet."
    if isinstance(error, VolumeMissing):  # its message names a file, no folder: whoever has the other media can help
        return f"This could not be read: {printable(error.message)}."
    refused = refusal(error, writing=False, locator=locator)
    if refused.status >= 500:
        _log.warning("a page could not show something: %s", printable(error.message))
    return f"This could not be read: {refused.message}."
