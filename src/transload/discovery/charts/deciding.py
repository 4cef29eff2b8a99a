"""What is an image: the names that values seem to hold are held against what the templates write.

1. A value that is read for a line of the templates with a whole name: the name in that line is a finding, so tags that
   templates add (`appVersion`, with or without v) are theirs.
2. A value whose name some line has as it is: a finding.
3. A value that no template reads, or one beside a switch that is false: a question.
4. A value that is read for something else (an argument, a file), or by a template that is not understood: a finding if
   the name has a tag or digest, else a question.
5. A name that templates write and no value holds: a finding; if only Helm can know all of it, a question.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from transload.discovery.charts.fields import ChartImage, Fields
from transload.discovery.charts.rules import Candidate, has_tag
from transload.discovery.charts.templates import Named, Written
from transload.discovery.charts.tree import Path, written
from transload.discovery.finding import Finding, Irrelevant, Place, Question, Unread
from transload.discovery.judging import judged, open_reason, question
from transload.values import define, field

Item = ChartImage | Question | Unread | Irrelevant
_ONE_VALUE = re.compile(r"(?:- )?(?:image: *)?[\"']?\{\{-? *\.Values(?:\.\w+)+ *(?:\| *quote *)?-?\}\}[\"']?")


def decided(candidates: Iterable[Candidate], writes: Written) -> Iterator[Item]:
    """Findings and questions, by the rules above."""
    lines = _Lines(writes)
    for candidate in candidates:
        yield from lines.of(candidate)
    yield from lines.left()


@define
class _Lines:
    writes: Written
    by_path: dict[Path, list[Named]] = field(factory=lambda: defaultdict(list))
    by_text: dict[str, list[Named]] = field(factory=lambda: defaultdict(list))
    explained: set[int] = field(factory=set)

    def __attrs_post_init__(self) -> None:
        for name in self.writes.names:
            self.by_text[name.text].append(name)
            for path in name.reads:
                self.by_path[path].append(name)

    def of(self, candidate: Candidate) -> Iterator[Item]:
        """What becomes of one candidate."""
        path = candidate.at
        made = self.by_path.get(path, [])
        names = [name for name in made if not name.is_whole or _is_part(candidate, name)]
        if made and not names:
            return  # it is a part of other names, such as the registry's folder for all images
        names = names or self.by_text.get(candidate.text, [])
        self.explained.update(map(id, (*names, *self.by_text.get(candidate.leaf.text.strip(), []))))
        whole = dict.fromkeys(name.text for name in names if name.is_whole)
        if whole:
            for text in whole:
                yield _image(candidate, text)
        elif candidate.off or not self.writes.uses(path):
            off = f"{candidate.off} is false" if candidate.off else "no template uses it with these values"
            yield _question(candidate, f"not needed, as it seems: {off}")
        elif "{{" in candidate.text:
            yield _question(candidate, "a template, which only Helm can render")
        elif not has_tag(candidate.text):
            yield _question(candidate, "no tag: only Helm can tell what the templates make of it")
        else:
            yield _image(candidate, candidate.text)

    def left(self) -> Iterator[Item]:
        """What templates write that no candidate explains, each text and place once."""
        seen: set[tuple[str, Place]] = set()
        for name in self.writes.names:
            if id(name) in self.explained or (name.text, name.place) in seen:
                continue
            seen.add((name.text, name.place))
            yield _literal(name)


def _is_part(candidate: Candidate, name: Named) -> bool:
    """Whether a line that was made from a candidate's value names its image: its last word is the same.

    Templates may add to it (`-chroot`), and put folders before it.
    """
    word = _last_word(candidate.leaf.text.strip() if candidate.fields.repository else candidate.text)
    return word in _last_word(name.text)


def _last_word(name: str) -> str:
    return name.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _image(candidate: Candidate, text: str) -> Item:
    reason = open_reason(text)
    if reason:
        return _question(candidate, reason, text)
    finding = Finding(text=text, place=_place(candidate), rule=candidate.rule, sureness="likely")
    return ChartImage(finding=finding, fields=candidate.fields)


def _question(candidate: Candidate, reason: str, text: str = "") -> Question:
    return question(text or candidate.text, _place(candidate), reason)


def _place(candidate: Candidate) -> Place:
    return Place(file=candidate.leaf.file, line=candidate.leaf.line, path=written(candidate.path))


def _literal(name: Named) -> Item:
    if not name.is_whole:
        return question(name.source, name.place, "the templates make this name, and only Helm can tell all of it")
    if "{{" in name.source and (not name.text or name.text[0] in ":/@" or name.text[-1] in ":/@"):
        return question(name.source, name.place, "a value in it is empty: give it with --values")
    item = judged(name.text, name.place, "chart template", "likely")
    return ChartImage(finding=item, fields=_only_value(name)) if isinstance(item, Finding) else item


def _only_value(name: Named) -> Fields | None:
    """The fields of a name that is one value as it stands, whatever the value is called."""
    if len(name.reads) == 1 and _ONE_VALUE.fullmatch(name.source.strip()):
        return Fields(whole=next(iter(name.reads)))
    return None
