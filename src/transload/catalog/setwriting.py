"""Writes an image set as a file (docs/formats/image-set.md), which reads back as the same set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from transload.catalog.chartuse import ChartUse
from transload.catalog.imageset import ImageSet
from transload.catalog.lists.taken import ListQuestion
from transload.catalog.ruled import RuledImages, RuledPrefix
from transload.catalog.selected import Selected
from transload.catalog.tagrule import EVERY_TAG, TagRule
from transload.documents import yamltext
from transload.documents.yamltext import comment
from transload.errors import UsageError
from transload.oci import Name, Platform
from transload.values import evolve


def set_text(image_set: ImageSet, *, questions: Sequence[ListQuestion] = (), comments: Iterable[str] = ()) -> str:
    """The text of an image set, with open questions and lines of comment. Raises `UsageError` for one with catalogs.

    Its `notes` are no part of it: who writes one says in `comments` what is to be said.
    """
    if image_set.catalogs:
        raise UsageError("an image set with catalogs is not written", hint="name the catalogs in a file of your own")
    lines = [*(f"# {comment(line)}" for line in comments), "kind: ImageSet", "version: 1"]
    lines += [f"name: {_scalar(image_set.name)}"] if image_set.name.strip() else []
    entries = [*map(_image, image_set.images), *map(_ruled, image_set.ruled)]
    if entries or not (image_set.prefixes or image_set.charts):
        lines.append("images:" if entries else "images: []")
    for entry in entries:
        lines += _item(entry)
    lines += ["repositories:"] if image_set.prefixes else []
    for prefix in image_set.prefixes:
        lines += _item(_prefix(prefix))
    lines += ["charts:"] if image_set.charts else []
    for chart in image_set.charts:
        lines += _item(_chart(chart))
    lines += ["questions:"] if questions else []
    for question in questions:
        lines += _item(_question(question))
    return "\n".join(lines) + "\n"


def _item(entry: Iterable[str]) -> Iterator[str]:
    """The lines of an entry as an item of a list."""
    return (f"{'    ' if number else '  - '}{line}" for number, line in enumerate(entry))


def _image(image: Selected) -> Iterator[str]:
    source, target = image.source.name, Name(image.repository, image.tag)
    if Name(source.repository, source.tag) == target and not (image.platforms or image.optional):
        yield _scalar(str(image.source))
        return
    yield f"source: {_scalar(str(image.source))}"
    if Name(source.repository, source.tag) != target:
        yield f"target: {_scalar(str(target))}"
    yield from _conditions(image.platforms, image.optional)


def _ruled(images: RuledImages) -> Iterator[str]:
    repository = images.source.name.repository
    yield f"source: {_scalar(f'{images.source.registry}/{repository}')}"
    if images.target not in ("", repository):
        yield f"target: {_scalar(images.target)}"
    yield from _tags(images.rule)
    yield from _conditions(images.platforms, images.optional)


def _prefix(prefix: RuledPrefix) -> Iterator[str]:
    yield f"prefix: {_scalar(str(prefix))}"
    if prefix.target:
        yield f"target: {_scalar(prefix.target)}"
    if prefix.deny:
        yield f"deny: {_list(prefix.deny)}"
    yield from _tags(prefix.rule)
    yield from _conditions(prefix.platforms, prefix.optional)


def _chart(chart: ChartUse) -> Iterator[str]:
    yield f"chart: {_scalar(str(evolve(chart.address, version=None)))}"
    if chart.address.version:
        yield f"version: {_quoted(chart.address.version)}"
    if chart.target:
        yield f"target: {_scalar(chart.target)}"
    if chart.values:
        yield f"values: {_list(map(str, chart.values))}"
    if not chart.images:
        yield "images: false"
    yield from _conditions(chart.platforms, optional=False)


def _conditions(platforms: Sequence[Platform], optional: bool) -> Iterator[str]:
    if platforms:
        yield f"platforms: {_list(map(str, platforms))}"
    if optional:
        yield "optional: true"


def _tags(rule: TagRule) -> Iterator[str]:
    if rule == EVERY_TAG:
        yield "tags: all"
        return
    if not rule.asks_source:
        yield f"tags: {_list(rule.exact)}"
        return
    yield "tags:"
    yield from (f"  {line}" for line in _rule(rule))


def _rule(rule: TagRule) -> Iterator[str]:
    if rule.exact:
        yield f"exact: {_list(rule.exact)}"
    if rule.pattern:
        yield f"pattern: {_quoted(rule.pattern.pattern)}"
    if rule.versions:
        yield f"versions: {_quoted(rule.versions.text)}"
        if rule.versions.prerelease:
            yield "prerelease: true"
        if rule.versions.semver:
            yield "semver: true"
    if rule.newest is not None:
        yield f"newest: {rule.newest}"
    if rule.sort != "version":
        yield f"sort: {rule.sort}"
    if rule.newer_than:
        yield f"newer_than: {_quoted(rule.newer_than.isoformat())}"
    if rule.deny:
        yield f"deny: {_list(_denial(denial) for denial in rule.deny)}"


def _denial(denial: str | re.Pattern[str]) -> str:
    return denial if isinstance(denial, str) else f"/{denial.pattern}/"


def _question(question: ListQuestion) -> Iterator[str]:
    yield f"text: {yamltext.quoted(question.text)}"
    yield f"reason: {yamltext.quoted(question.reason)}"
    yield f"found: [{yamltext.quoted(question.where)}]"


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _scalar(text: str) -> str:
    return yamltext.scalar(_without_variables(text))


def _quoted(text: str) -> str:
    return yamltext.quoted(_without_variables(text))


def _without_variables(text: str) -> str:
    """The text as a value that has no variables in it (docs/formats/image-set.md)."""
    return text.replace("$", "$$") if "$$" in text or "${" in text else text
