"""Image sets and catalogs of our own (docs/formats/image-set.md): the images that a set names by itself."""

from __future__ import annotations

from collections.abc import Iterator

from transload.discovery.finding import Discovered, Place
from transload.discovery.judging import CHART, chart_question, file_question, judged, question
from transload.discovery.values import at, items, text
from transload.discovery.variables import Unresolved, expand
from transload.documents.value import Value

_WHOLE = "only a run decides what this means: give the set itself to the other commands"
_CHOSEN = ("catalogs", "repositories")


def recognises(document: Value) -> bool:
    """`kind: ImageSet` or `kind: Catalog` with our version; objects of Kubernetes have an `apiVersion`."""
    return (
        text(document, "kind") in {"ImageSet", "Catalog"}
        and at(document, "version").content is not None
        and not text(document, "apiVersion")
    )


def read(document: Value) -> Iterator[Discovered]:
    """The images with their tags; a question for what a rule or a catalog chooses, and the set's own questions."""
    if text(document, "kind") == "Catalog":
        reason = "this is a catalog, of which a set chooses releases: give it to the other commands"
        yield question(text(document, "name"), Place.of(document), reason)
        return
    for group in (document, *items(at(document, "releases"))):
        for image in items(at(group, "images")):
            yield from _image(image, at(document, "defaults"))
    for key in _CHOSEN:
        if (chosen := at(document, key)).content:
            yield question(key, Place.of(chosen), _WHOLE)
    for chart in items(at(document, "charts")):
        yield from _chart(chart)
    for file in filter(text, items(at(document, "include"))):
        yield file_question(text(file), Place.of(file), "this file is included: discover it, too", text(file))
    for asked in items(at(document, "questions")):
        yield question(text(asked, "text"), Place.of(asked), text(asked, "reason") or "a question of this set")


def _image(image: Value, defaults: Value) -> Iterator[Discovered]:
    source, place, tags = text(image) or text(image, "source"), Place.of(image), at(image, "tags")
    if isinstance(tags.content, dict) or text(tags):
        yield question(source, place, _WHOLE)
        return
    for tag in [text(item) for item in items(tags)] or [text(image, "tag")]:
        try:
            name = expand(source, {})
        except Unresolved as error:
            yield question(source, place, str(error))
        else:
            yield judged(_completed(name, tag, text(image, "digest"), defaults), place, "image set")


def _chart(chart: Value) -> Iterator[Discovered]:
    """A question for a chart, which the chart answers; none if the set leaves its images out."""
    name, repository = text(chart) or text(chart, "chart"), text(chart, "repository")
    if at(chart, "images").content is False or text(chart, "images") == "false":
        return
    if repository or "://" in name:
        yield chart_question(chart, repository, name, text(chart, "version"))
    else:
        yield file_question(name, Place.of(chart), CHART, name)


def _completed(name: str, tag: str, digest: str, defaults: Value) -> str:
    """The reference with the defaults that a set has for names without a registry, and without a tag."""
    first, slash, _ = name.partition("/")
    named = slash and (set(".:") & set(first) or first == "localhost")
    before = [] if named else [text(defaults, "registry"), text(defaults, "repository")]
    if not named and before[1] and not before[0]:
        before[0] = "docker.io"
    whole = "/".join(filter(None, (*before, name)))
    has_version = "@" in name or ":" in name.rpartition("/")[2]
    tag = tag or ("" if has_version or digest else text(defaults, "tag"))
    return f"{whole}{tag and f':{tag}'}{digest and f'@{digest}'}"
