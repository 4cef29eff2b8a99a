"""The hint for a name that nobody knows: what was probably meant, or what there is."""

from __future__ import annotations

from collections.abc import Iterable

_SHOWN = 8


def hint(wanted: str, known: Iterable[str], *, what: str = "known", also: Iterable[str] = ()) -> str | None:
    """`did you mean …` for close names, else the first few known ones; None if nothing is known.

    `also` are further names of the same things: any of them may be what was meant, but only `known` ones are counted.

    >>> hint("arc-controler", ["arc-controller", "arc-dns"])
    'did you mean arc-controller?'
    """
    from difflib import get_close_matches  # only errors need it

    names = list(dict.fromkeys(known))
    close = get_close_matches(wanted[:200], list(dict.fromkeys((*names, *also))), n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if not names:
        return None
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{what}: {', '.join(names[:_SHOWN])}{more}"
