"""What a list of another tool gives: images, notes on what is not taken, and questions. Reading one starts here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from attrs import evolve, frozen

from transload.catalog.chartaddress import ChartAddress
from transload.catalog.chartuse import ChartUse
from transload.catalog.ruled import RuledImages, RuledPrefix
from transload.catalog.selected import Selected
from transload.catalog.tagpattern import check_pattern
from transload.catalog.tagrule import TagRule
from transload.catalog.versionrange import VersionRange
from transload.documents.value import Value
from transload.errors import DocumentInvalid
from transload.oci import Name, Platform, Reference
from transload.oci.reference import check_repository, named_registry, shown, without_transport

_SHOWN = 200  # letters of a text in a question
_LISTED = 5  # names in a note
_NOTHING = ("", "false", "False", "FALSE")
# Zarf's ###ZARF_PKG_TMPL_X###, Go's {{ .X }}, the shell's ${X} and $X. No reference has # { $ in it.
_TEMPLATE = re.compile(r"###\w+###|\{\{[^}]*\}*|\$\{[^}]*\}?|\$\w+")
_ENDS = re.compile(r"(?<!\\)(?:\\\\)*\$\Z")
# The tokens of a regular expression: an escape, a class, any other letter.
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)


@frozen
class Note:
    """What the list asks for and a run does not do: a sentence, and where it is asked for."""

    where: str
    sentence: str


@frozen
class ListQuestion:
    """A text that should name images, where it stands, and why it is not known which images it means."""

    text: str
    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text!r} is left open: {self.reason}"


Taken = Selected | RuledImages | RuledPrefix | ChartUse | Note | ListQuestion


@frozen
class Format:
    """A format of another tool: its name, how a document of it is known, and what is taken from one.

    `read` raises `DocumentInvalid` for a value that the format does not allow.
    """

    name: str
    recognises: Callable[[Value], bool]
    read: Callable[[Value], Iterator[Taken]]


def is_of(root: Value, group: str, *kinds: str) -> bool:
    """Whether a document has this `apiVersion` without its version, and one of `kinds`, if there are any."""
    version, kind = (root.get(key).content for key in ("apiVersion", "kind"))
    return isinstance(version, str) and version.partition("/")[0] == group and (not kinds or kind in kinds)


# --- images


def image(
    value: Value,
    text: str | None = None,
    *,
    target: Value | None = None,
    renamed: str = "",
    platforms: Iterable[Platform] = (),
) -> Selected | ListQuestion:
    """The image that `value` names, or `text`, which was made from it.

    At the target it has its own name, unless `target` gives it one there, or the text `renamed`, which was made from
    that. The registry of such a name is left out.
    """
    text, renamed = text or value.text(), renamed or (target.text() if target else "")
    target, below = target or value, below_registry(renamed)
    if question := question_of(value, text) or question_of(target, below):
        return question
    with value.explained():
        wanted = Selected.of(Reference.parse(without_transport(text.strip())))
    if below:
        with target.explained():
            wanted = Selected.of(wanted.source, below)
    several = tuple(platforms)
    return evolve(wanted, platforms=several) if several else wanted


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
            raise DocumentInvalid(f"{shown(text)[:_SHOWN]!r} is one image, and a repository was expected")
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


def left_open(value: Value, text: str, reason: str) -> ListQuestion:
    """A question about a text in `value`."""
    return ListQuestion(shown(text)[:_SHOWN], value.where, reason)


def template_in(text: str) -> str | None:
    """The first placeholder in a text that another tool would replace."""
    found = _TEMPLATE.search(text)
    return found[0][:40] if found else None


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


# --- which tags

NEWEST_VERSION = TagRule(versions=VersionRange.parse("*"), newest=1)


def one_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """A pattern that a whole tag matches if it matches one of these. Raises `DocumentInvalid`."""
    return check_pattern("|".join(f"(?:{pattern})" if "|" in pattern else pattern for pattern in patterns))


def found_anywhere(text: str) -> re.Pattern[str]:
    """A pattern that a whole tag matches if Go's `MatchString` finds `text` in it. Raises `DocumentInvalid`."""
    alike: dict[tuple[str, str], list[str]] = {}  # alternatives with the same anchors share what is around them
    for alternative in _alternatives(text):
        before = "" if alternative.startswith("^") else ".*"
        after = "" if _ENDS.search(alternative) else ".*"
        alike.setdefault((before, after), []).append(alternative)
    return check_pattern("|".join(f"{before}{_joined(parts)}{after}" for (before, after), parts in alike.items()))


def _joined(alternatives: Sequence[str]) -> str:
    return alternatives[0] if len(alternatives) == 1 else f"(?:{'|'.join(alternatives)})"


def _alternatives(text: str) -> list[str]:
    """The parts of a pattern between those `|` that are in no group and no class."""
    parts, begin, depth = [], 0, 0
    for token in _TOKEN.finditer(text):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if token[0] == "|" and depth == 0:
            parts.append(text[begin : token.start()])
            begin = token.end()
    return [*parts, text[begin:]]


# --- values that may be missing


def text_of(value: Value) -> str:
    """This text, empty if it is missing or blank. Raises `DocumentInvalid` for a list or a mapping."""
    return value.text() if value.content and str(value.content).strip() else ""


def items_of(value: Value) -> tuple[Value, ...]:
    """The items of this list, none if it is missing or empty."""
    return tuple(value.items()) if value.content else ()


def platform(value: Value) -> tuple[Platform, ...]:
    """The platform that a text names, none if it is missing or blank."""
    return (value.read(Platform.parse),) if text_of(value) else ()


# --- what is not done


def rest(value: Value, known: Iterable[str], sentences: Mapping[str, str]) -> Iterator[Note]:
    """Notes on what a mapping asks for besides its `known` keys: the sentence of each key, or that the key is unknown.

    What is empty or false asks for nothing.
    """
    for key, inner in value.entries():
        if key not in known and inner.content not in _NOTHING and inner.content:
            yield Note(inner.where, sentences.get(key, "is not understood, and left out"))


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


def listed(names: Iterable[str]) -> str:
    """Some names for a note, each once.

    >>> listed("abcdefga")
    'a, b, c, d, e and 2 more'
    """
    several = list(dict.fromkeys(shown(name)[:_SHOWN] for name in names))
    more = len(several) - _LISTED
    return ", ".join(several[:_LISTED]) + (f" and {more} more" if more > 0 else "")


# --- charts


def chart(
    value: Value, address: str, version: str, *, images: bool, target: Value | None = None, renamed: str = ""
) -> ChartUse | Note | ListQuestion:
    """The chart at an address, at a version or the newest of a range; with the images that it needs, if so wanted.

    `target` as for images, without a tag: a chart has that of its version. A chart in a file or a folder is only noted.
    """
    text, below = address, below_registry(renamed or (target.text() if target else ""))
    if not address.startswith(("oci://", "https://", "http://")):
        return Note(value.where, "a chart in a file or a folder is not copied; name it under charts in an image set")
    if question := question_of(value, f"{text} {version}") or question_of(target or value, below):
        return question
    with value.explained():
        place = ChartAddress.parse(text.rstrip("/"))
        place = place.at(version) if version else place
    with (target or value).explained():
        repository = Name.parse(below).repository if below else ""
    return ChartUse(address=place, target=repository, images=images, where=value.where)
