"""What the front page says of the store as a whole. Whoever opens the store knows it; the server does not."""

from __future__ import annotations

from typing import Literal

from transload.values import frozen

Tone = Literal["good", "warn", "bad", "plain"]


@frozen
class Fact:
    """A word and what is known, such as `("signature", "nobody signed it", "warn")`; `tone` is how good that is."""

    word: str
    text: str
    tone: Tone = "plain"


@frozen(kw_only=True)
class About:
    """What is served: `title` is one sentence, `facts` are what else is known."""

    title: str = "This is a registry, served by transload."
    facts: tuple[Fact, ...] = ()
