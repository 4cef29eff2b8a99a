"""Pages of HTML from templates: one look, one way to escape, nothing that a browser has to fetch.

    from transload.pages import check_pages, render

    check_pages("writing HTML")                                   # PartMissing with a hint, if jinja2 is not installed
    page = render("serve/index.html", scripts=("copy.js",), title="Images", repositories=found)
    page.text      # the whole page: style and scripts are in it
    page.policy    # for the header Content-Security-Policy; the page has it as a <meta> too

A template lies in `templates/`, in a folder for each part (`report/`, `serve/`), and begins with
`{% extends "base.html" %}`. It fills the blocks `head` (what stands in the bar at the top), `main` and `foot`, and gets
`title`. `styles` and `scripts` name the files there that the page needs besides `base.css`; a page must be readable
without scripts too. Read `base.css` for the classes and colours that there are. No `style="…"` and no `onclick="…"`:
the policy allows what `render` put in, and nothing else. In SVG write attributes (`fill`, `width`) or classes.

Every text that a template prints is escaped, and made harmless and short first: whatever moves a cursor, turns the
direction of writing or is invisible becomes a question mark. Never write `|safe`. Do not join texts with `~`: the
result is no longer looked at; write them side by side. A name that is missing is an error, never nothing.

Filters: `size` (bytes), `count("image")`, `duration` (seconds), `time` (seconds since 1970, to UTC), `short` (of a
digest), `whole` (a command, which must not be cut).
Import this when a page is asked for, not before: jinja2 takes some 60 ms.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transload.extras import Extra
from transload.values import frozen
from transload.wording import count, cut, duration, harmless, in_words, instant

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).with_name("templates")
_SHORT_DIGEST = 12


@frozen
class Page:
    """A page, and the Content-Security-Policy that allows what is in it and nothing else."""

    text: str
    policy: str


def check_pages(doing: str) -> None:
    """Raise `PartMissing` if pages cannot be made here; `doing` begins the sentence."""
    if not Extra.HTML.is_installed:
        raise Extra.HTML.missing(doing, "jinja2")


def render(
    template: str, *, styles: Iterable[str] = (), scripts: Iterable[str] = (), connect: str = "'none'", **values: Any
) -> Page:
    """The page that a template makes of these values.

    `connect` is what its scripts may ask: `'self'` for a page that a server sends. Raises `PartMissing` without jinja2.
    """
    check_pages("writing HTML")
    from markupsafe import Markup  # comes with jinja2

    style = "\n".join(_own(name) for name in ("base.css", *styles))
    script = "\n".join(_own(name) for name in scripts)
    policy = "; ".join(
        [
            "default-src 'none'",
            f"style-src {_hashed(style)}",
            f"script-src {_hashed(script)}" if script else "script-src 'none'",
            f"connect-src {connect}",
            f"form-action {connect}",
            "base-uri 'none'",
        ]
    )
    # Our own files, as they are: escaping would change what the policy has the hash of.
    own = {"style": Markup(style), "script": Markup(script), "policy": policy}  # noqa: S704 - nothing from outside is in them
    return Page(environment().get_template(template).render({**own, **values}), policy)


@cache
def environment() -> Environment:
    """What the templates are compiled by; made once."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined  # few runs make pages

    made = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FunctionLoader(_own),
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {"size": in_words, "count": count, "duration": duration, "time": _time, "short": _short}
    made.filters["whole"] = _whole
    return made


@cache
def _own(name: str) -> str:
    """A file of the package, through the loader, since transload can also be one zipped file."""
    loader: Any = __spec__.loader  # every importer of files answers get_data (PEP 302)
    content: bytes = loader.get_data(str(_TEMPLATES.joinpath(*name.split("/"))))
    return content.decode()


def _hashed(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _shown(value: object) -> object:
    """What a template prints: texts become harmless and are cut; what is markup already came from a template."""
    return value if not isinstance(value, str) or hasattr(value, "__html__") else harmless(cut(value))


def _whole(text: str) -> object:
    """A text as it is, but harmless: half a command would be another one."""
    from markupsafe import escape

    return escape(harmless(text))


def _time(wall_s: float) -> str:
    """A moment to the second, as people read it.

    >>> _time(1_700_000_000.5)
    '2023-11-14 22:13:20 UTC'
    """
    return f"{instant(wall_s)[:19].replace('T', ' ')} UTC"


def _short(digest: str) -> str:
    """The first digits of a digest, without its algorithm, as engines show it.

    >>> _short("sha256:" + "0123456789abcdef" * 4)
    '0123456789ab'
    """
    return digest.rpartition(":")[2][:_SHORT_DIGEST]
