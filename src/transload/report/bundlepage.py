"""What is in a bundle, as one page of HTML, by the same templates as the report of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from transload.pages import render
from transload.report.pictures import contents


def to_html(
    bundle: Mapping[str, Any],
    facts: Sequence[tuple[str, str]],
    parts: Sequence[Sequence[int]],
    sizes: Sequence[int],
    *,
    problems: Sequence[str] = (),
) -> str:
    """The page. `bundle` is the object of docs/formats/json-output.md, `facts` are its facts in words.

    `parts` are the numbers of each image's blobs in `sizes`. Raises `PartMissing` without jinja2.
    """
    grouped: list[tuple[str, list[str]]] = []
    for name, text in facts:
        if name or not grouped:
            grouped.append((name, [text]))
        else:
            grouped[-1][1].append(text)
    names = [image["name"] for image in bundle["images"]]
    whole = not problems
    signed = "verified" if bundle["verified"] else "not checked" if bundle["signed_by"] else "none"
    page = render(
        "report/bundle.html",
        styles=("report/report.css",),
        scripts=("copy.js", "report/report.js"),
        title=f"Bundle {bundle['bundle']}",
        bundle=bundle,
        facts=grouped,
        problems=problems,
        whole=whole,
        signed=signed,
        picture=contents(names, parts, sizes),
    )
    return page.text
