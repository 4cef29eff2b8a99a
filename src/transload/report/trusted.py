"""What a policy says of one image, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from transload.report.styled import Styled, folded
from transload.report.texts import harmless
from transload.values import frozen

if TYPE_CHECKING:
    from transload.trust.policy import Verdict

NOBODY: Mapping[str, Trusted] = MappingProxyType({})
"""What is said of the images of a run without a policy."""

ModeName = Literal["require", "warn", "skip"]


@frozen(kw_only=True)
class ImageSigner:
    """Who signed an image, as far as that is proved. `form` is how the signature was kept: `notation`, `cosign-tag`, …

    `signed_at` is the time that a log or a time stamp proves, and `time_from` says which; None if nothing proves one.
    """

    signer: str
    form: str
    signed_at: datetime | None = None
    time_from: str | None = None

    def to_json(self) -> dict[str, Any]:
        """One entry of `signers`."""
        return {
            "signer": self.signer,
            "form": self.form,
            "signed_at": f"{self.signed_at:%Y-%m-%dT%H:%M:%SZ}" if self.signed_at else None,
            "time_from": self.time_from,
        }

    def __str__(self) -> str:
        when = f", {self.signed_at:%Y-%m-%d %H:%M} by {self.time_from}" if self.signed_at else ""
        return f"{self.signer} ({self.form}{when})"


@frozen(kw_only=True)
class Trusted:
    """What a policy says of an image. `rule` is the prefix of the rule that decided, None if no rule fits.

    `mode` is that of the rule. `holds` says whether the image has what the rule wants; `problem` says what is missing.
    `signers` are those whom the rule accepts.
    """

    mode: ModeName
    holds: bool
    rule: str | None = None
    problem: str | None = None
    signers: tuple[ImageSigner, ...] = ()

    @classmethod
    def of(cls, said: Verdict) -> Trusted:
        """The same, without what nobody shows."""
        mode: ModeName = said.rule.mode.value if said.rule else "require"
        signers = (
            ImageSigner(
                signer=harmless(found.signer or "unnamed"),
                form=found.evidence.form.value,
                signed_at=found.signed_at,
                time_from=harmless(found.time_from) if found.time_from else None,
            )
            for found in said.held
        )
        return cls(
            mode=mode,
            holds=said.problem is None,
            rule=said.rule.prefix if said.rule else None,
            problem=harmless(said.problem) if said.problem else None,
            signers=tuple(dict.fromkeys(signers)),
        )

    def to_json(self) -> dict[str, Any]:
        """The `trust` object of docs/formats/json-output.md."""
        return {
            "mode": self.mode,
            "holds": self.holds,
            "problem": self.problem,
            "signers": [signer.to_json() for signer in self.signers],
            "rule": self.rule,
        }


def trusted_by_name(verdicts: Mapping[str, Verdict]) -> dict[str, Trusted]:
    """What a policy says of each image, by the images' names at the target."""
    return {name: Trusted.of(said) for name, said in verdicts.items()}


def signed_lines(trusted: Mapping[str, Trusted], named: Mapping[str, str], width: int | None) -> Iterator[Styled]:
    """Who signed which images; `named` are the names that are shown, by the images' names at the target."""
    groups: dict[str, list[str]] = {}
    for name, shown in named.items():
        if name in trusted and trusted[name].signers:
            groups.setdefault("; ".join(map(str, trusted[name].signers)), []).append(shown)
    for signers, names in groups.items():
        which = "every image" if len(names) == len(named) > 1 else ", ".join(names)
        yield from folded("signed:   ", f"by {signers}: {which}", width, "good")
