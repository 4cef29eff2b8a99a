"""What the front page says of the store as a whole. Whoever opens the store knows it; the server does not."""

from __future__ import annotations

from typing import Literal

from transload.oci import Name
from transload.values import field, frozen

Tone = Literal["good", "warn", "bad", "plain"]


@frozen
class Fact:
    """A word and what is known. `badge` is the verdict in a word or two, `tone` how good that is; `code` is to compare.

    >>> Fact("signature", "the key made it", badge="verified", tone="good", code="sha256:0a1b").badge
    'verified'
    """

    word: str
    text: str
    badge: str = field(default="", kw_only=True)
    tone: Tone = field(default="plain", kw_only=True)
    code: str = field(default="", kw_only=True)


@frozen(kw_only=True)
class About:
    """What is served: `title` is one sentence, `facts` are what else is known.

    `incomplete` are the images of which something is known to be missing, by the names that the store gives them.
    """

    title: str = "This is a registry, served by transload."
    facts: tuple[Fact, ...] = ()
    incomplete: frozenset[Name] = field(default=frozenset(), repr=False)

    @property
    def tone(self) -> Tone:
        """That of the worst fact; plain if none of them is a verdict."""
        tones = {fact.tone for fact in self.facts}
        ordered: tuple[Tone, ...] = ("bad", "warn", "good")
        return next((tone for tone in ordered if tone in tones), "plain")
