"""Where a pushed bundle stands among those that were taken before, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from transload.report.texts import digest
from transload.values import frozen

Standing = Literal["first", "newer", "same", "older", "unknown"]
"""Beside the newest of the same set and signer: there was none; newer; the same images; older; nobody can tell."""


@frozen(kw_only=True)
class BundleFacts:
    """What is told of a bundle: its ledger's digest, its edition as JSON, and in words; when it was taken, and the run.

    `taken` is a time of this machine's clock, as RFC 3339 writes it.
    """

    ledger: str
    edition: Mapping[str, Any] | None
    words: str
    taken: str = ""
    run_id: str = ""

    @property
    def day(self) -> str:
        """The day when it was taken."""
        return self.taken[:10]


@frozen(kw_only=True)
class BundleOrder:
    """A pushed bundle of the set `name`, signed by `signer` (None: not proved), beside the `newest` one taken before.

    `by` says by what it was judged. `kept` says that it is now remembered as the newest, `why_not` why it is not.
    """

    name: str
    signer: str | None
    bundle: BundleFacts
    newest: BundleFacts | None = None
    standing: Standing = "first"
    by: str = ""
    kept: bool = False
    why_not: str = ""

    @property
    def whose(self) -> str:
        """The set and the signer in words."""
        return f"{self.name} {f'by {digest(self.signer)}' if self.signer else '(signer not checked)'}"

    @property
    def sentence(self) -> str:
        """What is said at the end of a run."""
        before, words = self.newest, self.bundle.words
        if not self.kept:
            still = f"; the newest of {self.whose} is still that of {before.day} ({before.words})" if before else ""
            return f"not noted as taken{f', since {self.why_not}' if self.why_not else ''}{still}"
        if before is None:
            return f"the first one of {self.whose} taken here, {words}"
        if self.standing == "same":
            return f"still the newest one of {self.whose} taken here, {words}; taken on {before.day} already"
        what = "an older one" if self.standing == "older" else "the newest one"
        return f"{what} of {self.whose} taken here, {words}; before: {before.words}, taken on {before.day}"

    def to_json(self) -> dict[str, Any]:
        """The `bundle` object of docs/formats/json-output.md."""
        return {
            "set": self.name,
            "signer": self.signer,
            "ledger": self.bundle.ledger,
            "edition": self.bundle.edition,
            "standing": self.standing,
            "by": self.by or None,
            "newest": _newest(self.newest) if self.newest else None,
            "kept": self.kept,
            "why_not": self.why_not or None,
        }


def _newest(bundle: BundleFacts) -> dict[str, Any]:
    known = {"ledger": bundle.ledger, "edition": bundle.edition, "taken": bundle.taken, "run_id": bundle.run_id}
    return {key: value or None for key, value in known.items()}
