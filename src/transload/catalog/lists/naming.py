"""What a text in a list of another tool names: an image, a repository, a chart; and its name at the target."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from transload.catalog.chartaddress import ChartAddress
from transload.catalog.chartuse import ChartUse
from transload.catalog.lists.taken import ListedImage, ListQuestion, Note, left_open, listed
from transload.catalog.ruled import RuledImages
from transload.catalog.tagrule import TagRule
from transload.documents.value import Value
from transload.errors import DocumentInvalid
from transload.oci import Name, Platform, Reference
from transload.oci.reference import check_repository, named_registry, shown, without_transport

# Zarf's ###ZARF_PKG_TMPL_X###, Go's {{ .X }}, the shell's ${X} and $X. No reference has # { $ in it.
_TEMPLATE = re.compile(r"###\w+###|\{\{[^}]*\}*|\$\{[^}]*\}?|\$\w+")
_CHARTS = ("oci://", "https://", "http://")


def image(
    value: Value,
    text: str | None = None,
    *,
    target: Value | None = None,
    renamed: str = "",
    platforms: Iterable[Platform] = (),
) -> ListedImage | ListQuestion:
    """The image that `value` names, or `text`, which was made from it.

    At the target it has its own name, unless `target` gives it one there, or the text `renamed`, which was made from
    that. The registry of such a name is left out.
    """
    text, below = text or value.text(), below_registry(renamed or (target.text() if target else ""))
    target = target or value
    if question := question_of(value, text) or question_of(target, below):
        return question
    with value.explained():
        wanted = ListedImage.of(Reference.parse(without_transport(text.strip())))
    if below:
        with target.explained():
            wanted = ListedImage.of(wanted.source, below)
    return ListedImage(wanted.source, wanted.repository, wanted.tag, platforms=tuple(platforms), where=value.where)


def ruled(
    value: Value,
    rule: TagRule | Callable[[], TagRule],
    text: str | None = None,
    *,
    target: Value | None = None,
    renamed: str = "",
    platforms: Iterable[Platform] = (),
) -> RuledImages | ListQuestion:
    """Images of the repository that `value` names, or `text`, whose tags a rule chooses; the rest is as for `image`.

    A rule that cannot be made, since it has a pattern or a range that is not understood here, leaves them open.
    """
    text, below = text or value.text(), below_registry(renamed or (target.text() if target else ""))
    target = target or value
    if question := question_of(value, text) or question_of(target, below):
        return question
    with value.explained():
        named = Name.parse(named_registry(without_transport(text.strip()))[1])
        if named.tag or named.digest:
            raise DocumentInvalid(f"{shown(text)[:200]!r} is one image, and a repository was expected")
        source = Reference.parse(without_transport(text.strip()))
        source = Reference(source.registry, Name(source.name.repository))
    with target.explained():
        below = below and check_repository(below)
    below = below or source.name.repository
    try:
        rule = rule if isinstance(rule, TagRule) else rule()
    except DocumentInvalid as error:
        return left_open(value, text, error.message)
    return RuledImages(source=source, rule=rule, target=below, platforms=tuple(platforms), where=value.where)


def question_of(value: Value, text: str) -> ListQuestion | None:
    """A question, if another tool has to fill something into the text before it names anything."""
    template = template_in(text)
    return left_open(value, text, f"{template} stands for what another tool fills in") if template else None


def template_in(text: str) -> str | None:
    """The first placeholder in a text that another tool would replace."""
    template = _TEMPLATE.search(text)
    return template[0][:40] if template else None


def chart(
    value: Value, address: str, version: str, *, images: bool, target: Value | None = None, renamed: str = ""
) -> ChartUse | Note | ListQuestion:
    """The chart at an address, at a version or the newest of a range; with the images that it needs, if so wanted.

    `target` as for images, without a tag: a chart has that of its version. A chart in a file or a folder is only noted.
    """
    below = below_registry(renamed or (target.text() if target else ""))
    target = target or value
    if not address.startswith(_CHARTS):
        return Note(value.where, "a chart in a file or a folder is not copied; name it under charts in an image set")
    if question := question_of(value, f"{address} {version}") or question_of(target, below):
        return question
    with value.explained():
        parsed = ChartAddress.parse(address.rstrip("/"))
        parsed = parsed.at(version) if version else parsed
    with target.explained():
        repository = Name.parse(below).repository if below else ""
    return ChartUse(address=parsed, target=repository, images=images, where=value.where)


# --- names at the target


def below_registry(text: str) -> str:
    """A name at a target, without the registry, which --to says; also if another tool fills that in.

    >>> below_registry("docker://registry.example:5000/team/app:1"), below_registry("${MIRROR}/app")
    ('team/app:1', 'app')
    """
    return _target(text)[1]


def _target(text: str) -> tuple[str, str]:
    """The registry in a name at a target, and the rest."""
    bare = without_transport(text.strip()).removeprefix("oci://")
    template = _TEMPLATE.match(bare)
    if template and bare[template.end() :].startswith("/"):
        return template[0], bare[template.end() :].strip("/")
    registry, path = named_registry(bare)
    return registry, path.strip("/")


def targets_note(targets: Iterable[Value]) -> Iterator[Note]:
    """A note if targets name registries, since --to says where images go."""
    places: dict[str, str] = {}
    for target in targets:
        registry = _target(target.text())[0]
        if registry:
            places.setdefault(shown(registry), target.where)
    if places:
        where = next(iter(places.values()))
        yield Note(where, f"--to says which registry images go to, instead of {listed(places)}; their paths there stay")
