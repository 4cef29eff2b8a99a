"""Builds the documentation as a site in build/site: README, the pages of docs/, and a reference of the Python API.

    make docs

The pages are plain Markdown and stay so: what a site needs beyond them (the tree of pages, the reference made from
`transload.__all__`) is written beside a copy of them in build/. A warning fails the build. Nothing in the site comes
from the network.
"""

from __future__ import annotations

import inspect
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_origin

from sphinx.application import Sphinx

import transload
from tools.publicnames import alias_docstring
from transload import events

ROOT = Path(__file__).resolve().parents[1]
SOURCE, SITE = ROOT / "build" / "site-source", ROOT / "build" / "site"
API = "docs/reference/api"
_TEST_KIT = tuple(f"transload.testing.{name}" for name in ("fixtures", "images", "faults", "laboratory", "contract"))
_GROUPS = ("Functions", "Stores and values", "Events", "Errors")
_TREE = {
    "Guides": "docs/guides/*.md",
    "Commands": "docs/verbs/*.md",
    "Reference": "docs/reference/*.md",
    "File formats": "docs/formats/*.md",
    "Inside": "docs/*.md",
    "Decisions": "docs/decisions/*.md",
}
_PROJECT = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
_OBJECT = re.compile(r"<(?:function )?(?P<name>[\w.]*(?:<lambda>)?)(?: object)?(?: at 0x[0-9a-f]+)?>")
SETTINGS: dict[str, Any] = {
    "project": "transload",
    "release": transload.__version__,
    "extensions": ["myst_parser", "sphinx.ext.autodoc"],
    "html_theme": "furo",
    "html_title": f"transload {transload.__version__}",
    "html_show_copyright": False,
    "html_copy_source": False,
    "html_static_path": [str(SOURCE / "static")],
    "html_css_files": ["wide.css"],
    "html_show_sourcelink": False,
    "myst_heading_anchors": 4,
    "autodoc_member_order": "bysource",
    "autodoc_class_signature": "separated",
    "default_role": "literal",
    "toc_object_entries": False,  # a page names what it describes in headings
    "suppress_warnings": ["misc.highlighting_failure"],  # what a program prints is not always the language of its block
}


def prepare() -> None:
    """Copy the pages, and write what a site needs beyond them."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", SOURCE / "docs")
    for name in (*_PROJECT, "LICENSE"):
        shutil.copy(ROOT / name, SOURCE)
    (SOURCE / f"{API}.md").write_text(api_page(), encoding="utf-8")
    start = (ROOT / "README.md").read_text(encoding="utf-8")
    (SOURCE / "index.md").write_text("\n".join([start, *tree(start)]), encoding="utf-8")
    (SOURCE / "static").mkdir()
    (SOURCE / "static" / "wide.css").write_text(
        ".content { width: 54em; }\n", encoding="utf-8"
    )  # 100 columns of --help
    for page in SOURCE.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        page.write_text(_LINK.sub(partial(_within, page.parent), text), encoding="utf-8")


def _within(folder: Path, link: re.Match[str]) -> str:
    """A link as it is, or to the first page; of one that leads to a folder or to the sources, only its text."""
    file = link["target"].partition("#")[0]
    if file and (folder / file).resolve() == SOURCE.resolve() / "README.md":
        return link[0].replace("README.md", "index.md")
    return link[0] if not file or "://" in file or (folder / file).is_file() else link["text"]


def tree(start: str) -> Iterator[str]:
    """Every page in the list on the left, under its folder's name; first those that `start` names, in its order."""
    for caption, pattern in _TREE.items():
        names = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.glob(pattern))
        names.sort(key=lambda name: start.rfind(name) if name in start else len(start))
        yield from ("", "```{toctree}", ":hidden:", f":caption: {caption}", "", *names, "```")
    yield from ("", "```{toctree}", ":hidden:", ":caption: Project", "", *_PROJECT, "```")


def api_page() -> str:
    """The names of `transload.__all__`, each as its docstring describes it: functions first, errors last."""
    parts = [
        "# Python API",
        "",
        "What `import transload` offers. [As a library](../guides/as-a-library.md) shows it at work.",
    ]
    for title in _GROUPS:
        parts += ["", f"## {title}"]
        for name in transload.__all__:
            value = getattr(transload, name)
            if _group(name, value) == title:
                parts += ["", f"### {name}", "", "```{eval-rst}", *_described(name, value), "```"]
    parts += ["", "## Test kit"]
    for module in _TEST_KIT:
        parts += ["", f"### {module}", "", "```{eval-rst}", f".. automodule:: {module}", "   :members:", "```"]
    return "\n".join(parts) + "\n"


def _group(name: str, value: object) -> str:
    if _is_function(value):
        return "Functions"
    if inspect.isclass(value) and issubclass(value, transload.TransloadError):
        return "Errors"
    return "Events" if name in vars(events) else "Stores and values"


def _is_function(value: object) -> bool:
    """Also one with a decorator that keeps what it decorates, such as `functools.cache`."""
    return callable(value) and inspect.isfunction(inspect.unwrap(value))


def _described(name: str, value: object) -> list[str]:
    if inspect.isclass(value):
        return [f".. autoclass:: transload.{name}", "   :members:"]
    if _is_function(value):
        return [f".. autofunction:: transload.{name}"]
    meaning = map(_escaped, (alias_docstring(name) or "").splitlines())
    return [f".. py:data:: transload.{name}", "", *(f"   {line}" for line in [_stands_for(value), "", *meaning])]


def _stands_for(value: object) -> str:
    """What an alias or a constant is short for."""
    if get_origin(value) is Callable:
        parameters, _ = get_args(value)
        return f"A function that takes one of {_choices(parameters[0])}."
    return f"One of {_choices(value)}." if get_args(value) else f"`{value!r}`."


def _choices(value: object) -> str:
    return ", ".join(f"`{getattr(choice, '__name__', repr(choice))}`" for choice in get_args(value) or (value,))


def _plain(_: Sphinx, __: str, ___: str, ____: object, _____: object, lines: list[str]) -> None:
    """Docstrings are plain text with code in backticks, or indented: a star or a bar in them is itself."""
    lines[:] = _with_code([line for line in lines if not line.startswith("Method generated by attrs")])


def _signed(_: Sphinx, __: str, ___: str, ____: object, _____: object, given: str | None, made: str | None) -> Any:
    """The signature with defaults that are functions or objects by their names, since Sphinx reads it as Python."""
    return given and _OBJECT.sub(_name, given), made


def _name(found: re.Match[str]) -> str:
    return "..." if "lambda" in found["name"] else found["name"].rpartition(".")[2]


def _with_code(lines: list[str]) -> Iterator[str]:
    """The lines with their stars escaped, and code that is indented marked as such."""
    code = False
    for line in lines:
        indented = line.startswith("    ")
        if indented and not code:
            yield from ("::", "")
        code = indented or (code and not line)
        yield line if code else _escaped(line)


def _escaped(line: str) -> str:
    marked = "".join(_unmarked(part) for part in re.split(r"(`[^`]*`)", line))
    return re.sub(r"(`[^`]*`)(?=\w)", r"\1\\ ", marked)  # a plural after a name


def _unmarked(part: str) -> str:
    return part if part.startswith("`") else re.sub(r"(?<=\S)[*_|]|[*|](?=\S)", r"\\\g<0>", part)


def build() -> int:
    """Build the site; what is returned is the exit code."""
    app = Sphinx(
        SOURCE,
        None,
        SITE,
        ROOT / "build" / "site-state",
        "html",
        confoverrides=SETTINGS,
        warningiserror=True,
        freshenv=True,
        status=None,
    )
    app.connect("autodoc-process-docstring", _plain)
    app.connect("autodoc-process-signature", _signed)
    app.build()
    code: int = app.statuscode
    return code


if __name__ == "__main__":
    prepare()
    code = build()
    sys.stdout.write(f"{SITE / 'index.html'}\n" if code == 0 else "")
    sys.exit(code)
