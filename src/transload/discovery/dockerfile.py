"""Dockerfiles: the images that a build starts from, copies from, mounts, and is read with.

The rules are those of the Dockerfile reference (docs.docker.com/reference/dockerfile) and of BuildKit, which reads
them: only arguments before the first `FROM` count in a `FROM`, a name of a stage is no image, `COPY --from` takes no
variables.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath

from transload.discovery.finding import Discovered, Place, Unread
from transload.discovery.judging import is_template, judged, question
from transload.discovery.variables import Unresolved, Variables, expand
from transload.documents.text import decoded
from transload.limits import STREAM_BYTES
from transload.values import define, field, frozen

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+)")
_DIRECTIVES = {"syntax", "escape", "check"}
_WORD = re.compile(r"""(?:"(?:\\.|[^"\\])*+"|'[^']*+'|\\.|\S)++""", re.DOTALL)
_HEREDOC = re.compile(r"""[0-9]*<<(-?)(["']?)([^<"']+)\2""")
_NAMING = {"arg", "from", "onbuild"}
_WITH_HEREDOCS = {"run", "copy", "add"}
_OF_THE_PLATFORM = re.compile(r"(?:TARGET|BUILD)(?:PLATFORM|OS|OSVERSION|ARCH|VARIANT)")
_VARIABLE = re.compile(r"\$(?:\{[^}]*\}|[a-z_][a-z0-9_]*)")
_BEGINS = re.compile(r"\s*(?:#[^\n]*\n\s*)*(?:FROM|ARG)[ \t]+\S", re.IGNORECASE)
_HEAD = 64 << 10
_STAGE_LENGTH = 200
_STAGES = 200  # more than that, and no person has named them


@frozen
class Instruction:
    """One instruction: its name in lower case, the flags and the words behind it, and the line where it begins."""

    name: str
    flags: tuple[str, ...]
    words: tuple[str, ...]
    line: int

    def flag(self, name: str) -> Iterator[str]:
        """The values of `--name=…`, which may be given several times."""
        return (flag.partition("=")[2].strip("\"'") for flag in self.flags if flag.startswith(f"--{name}="))


def recognises(file: str, content: bytes) -> bool:
    """`Dockerfile`, `Containerfile`, `web.Dockerfile`, `Dockerfile.alpine`; on standard input, what begins like one."""
    if file == "-":
        return bool(_BEGINS.match(content[:_HEAD].decode("utf-8", "replace").lstrip("\ufeff")))
    name = PurePath(file.rpartition("!")[2]).name.lower()
    if name.endswith((".dockerignore", ".containerignore", ".md")):
        return False
    return name.endswith((".dockerfile", ".containerfile")) or name.split(".")[0] in {"dockerfile", "containerfile"}


def read(content: bytes, file: str) -> Iterator[Discovered]:
    """The images of a Dockerfile. Raises `DocumentInvalid` unless it is text."""
    yield from images_of(decoded(content, file, STREAM_BYTES), lambda line: Place(file=file, line=line))


def images_of(
    text: str, place_of: Callable[[int], Place], arguments: Mapping[str, str] | None = None
) -> Iterator[Discovered]:
    """The images of a Dockerfile's text; `arguments` are those of the build, and go before defaults."""
    source = _Source(text)
    build = _Build(place_of, arguments or {}, _stages(source))
    if syntax := source.directives.get("syntax"):
        yield judged(syntax, place_of(source.lines_of["syntax"]), "dockerfile syntax")
    for instruction in source.instructions():
        yield from build.follow(instruction)
    if source.open_heredoc:
        yield Unread(place=place_of(source.open_heredoc[1]), reason=f"no line ends <<{source.open_heredoc[0][:40]}")
    if not build.begun:
        yield Unread(place=place_of(1), reason="it has no FROM, so it is no Dockerfile, or only a part of one")


def _stages(source: _Source) -> set[str]:
    """The names of all stages: `COPY --from` may name one that comes later."""
    froms = (instruction.words for instruction in source.instructions() if instruction.name == "from")
    return {name for name in map(_stage, froms) if name}


def _stage(words: tuple[str, ...]) -> str:
    """The name of the stage that a `FROM` with these words begins, in lower case; empty if it has none."""
    return words[2].lower() if len(words) == 3 and words[1].lower() == "as" else ""


@define
class _Build:
    """Follows the instructions, and knows which names are stages at each of them."""

    place_of: Callable[[int], Place]
    arguments: Mapping[str, str]
    stages: set[str]
    before: set[str] = field(factory=set)
    variables: Variables = field(factory=Variables)
    begun: bool = False

    def follow(self, instruction: Instruction) -> Iterator[Discovered]:
        """What one instruction names."""
        match instruction.name:
            case "arg" if not self.begun:
                self._declare(instruction.words)
            case "from":
                yield from self._base(instruction)
            case "copy" | "add":
                for name in instruction.flag("from"):
                    yield from self._source(name, instruction, "dockerfile COPY --from")
            case "run":
                for mount in instruction.flag("mount"):
                    for name in _mounted(mount):
                        yield from self._source(name, instruction, "dockerfile RUN --mount")
            case "onbuild":
                yield from self._later(_instruction(" ".join(instruction.words), instruction.line))

    def _declare(self, words: tuple[str, ...]) -> None:
        for word in words:
            name, equals, default = word.partition("=")
            if name in self.arguments:
                self.variables.declare(name, self.arguments[name], literally=True)
            elif equals:
                self.variables.declare(name, _unquoted(default))

    def _base(self, instruction: Instruction) -> Iterator[Discovered]:
        words, place, name = instruction.words, self.place_of(instruction.line), _stage(instruction.words)
        self.begun = True
        if len(words) != 1 and not name:
            text = " ".join(words)
            wrong = "it is a template" if is_template(text) else "FROM takes an image, or an image, AS and a name"
            yield question(text, place, wrong)
            return
        try:
            image = expand(_unquoted(words[0]), self.variables.values)
        except Unresolved as error:
            if not self._names_a_stage(words[0], error.name):
                yield self._open(words[0], place, error)
        else:
            if image != "scratch" and image.lower() not in self.before:
                yield judged(image, place, "dockerfile FROM")
        self.before.add(name)

    def _names_a_stage(self, word: str, variable: str) -> bool:
        """Whether a stage is meant, as in `FROM build-$TARGETARCH` with a stage for each.

        A variable alone, such as `$BASE`, may mean any image as well, unless it is one of the platform.
        """
        parts = _VARIABLE.split(_unquoted(word[:_STAGE_LENGTH]).lower())
        if len(word) > _STAGE_LENGTH or len(self.before) > _STAGES or len(parts) == 1:
            return False
        begin, end = parts[0], parts[-1]
        if not (begin or end or _OF_THE_PLATFORM.fullmatch(variable)):
            return False
        return any(
            name.startswith(begin) and name.endswith(end) and len(name) > len(begin) + len(end) for name in self.before
        )

    def _open(self, word: str, place: Place, error: Unresolved) -> Discovered:
        of_platform = _OF_THE_PLATFORM.fullmatch(error.name)
        return question(word, place, "it depends on the platform of the build" if of_platform else str(error))

    def _source(self, name: str, instruction: Instruction, rule: str) -> Iterator[Discovered]:
        place = self.place_of(instruction.line)
        if "$" in name:
            yield question(name, place, "no variable is filled in here: name the image in a FROM of its own")
        elif not (name.lower() in self.stages or (name.isascii() and name.isdigit()) or name in {"", "scratch"}):
            yield judged(name, place, rule)

    def _later(self, instruction: Instruction) -> Iterator[Discovered]:
        """`ONBUILD`: it names a stage of the build that starts from this image, or an image."""
        sources = [*instruction.flag("from")] if instruction.name in {"copy", "add"} else []
        if instruction.name == "run":
            sources = [name for mount in instruction.flag("mount") for name in _mounted(mount)]
        for name in sources:
            if set("/:@") & set(name):
                yield from self._source(name, instruction, "dockerfile ONBUILD")
            elif not name.isdigit():
                place = self.place_of(instruction.line)
                yield question(name, place, "it is an image, or a stage of the build that starts from this one")


def _mounted(mount: str) -> Iterator[str]:
    """The image or stage of `--mount=type=bind,from=…`; the fields are those of a line of CSV."""
    for fields in csv.reader([mount]):
        for key, _, value in (part.partition("=") for part in fields):
            if key.strip().lower() == "from":
                yield value


def _unquoted(text: str) -> str:
    return text.replace('"', "").replace("'", "")


def _may_name_images(text: str) -> bool:
    """Whether an instruction must be taken apart: most run a program, without flags and heredocs."""
    name = text.split(None, 1)[0].lower() if text.strip() else ""
    return name in _NAMING or (name in _WITH_HEREDOCS and ("--" in text or "<<" in text))


def _instruction(text: str, line: int) -> Instruction:
    words = _WORD.findall(text)
    name, rest = (words[0].lower(), words[1:]) if words else ("", [])
    many = next((number for number, word in enumerate(rest) if not word.startswith("--")), len(rest))
    return Instruction(name, tuple(rest[:many]), tuple(rest[many:]), line)


class _Source:
    """The text of a Dockerfile: its directives, and instructions whose lines are joined."""

    def __init__(self, text: str) -> None:
        self._lines = [line.removesuffix("\r") for line in text.split("\n")]
        self.directives: dict[str, str] = {}
        self.lines_of: dict[str, int] = {}
        self.open_heredoc: tuple[str, int] | None = None
        self._read_directives()
        escape = re.escape("`" if self.directives.get("escape") == "`" else "\\")
        self._continued = re.compile(rf"(?:^|(?<!{escape})){escape}[ \t]*$")

    def _read_directives(self) -> None:
        """Directives stand before everything else, each once; an unknown one ends them."""
        for number, line in enumerate(self._lines, 1):
            match = _DIRECTIVE.fullmatch(line.strip())
            name = match[1].lower() if match else ""
            if match is None or name not in _DIRECTIVES or name in self.directives:
                return
            self.directives[name], self.lines_of[name] = match[2], number

    def instructions(self) -> Iterator[Instruction]:
        """Those that may name images, in their order. The text of heredocs is skipped: it goes to programs."""
        lines = enumerate(self._lines, 1)
        for number, line in lines:
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            text = self._joined(line, lines)
            if not _may_name_images(text):
                continue
            instruction = _instruction(text, number)
            yield instruction
            if instruction.name in _WITH_HEREDOCS:
                self._skip_heredocs(instruction, lines)

    def _joined(self, line: str, lines: Iterator[tuple[int, str]]) -> str:
        """A line with those that continue it. Comments and empty lines between them do not count."""
        parts = []
        while match := self._continued.search(line):
            parts.append(line[: match.start()])
            line = next((text for _, text in lines if text.strip() and not text.lstrip().startswith("#")), "")
        return "".join((*parts, line))

    def _skip_heredocs(self, instruction: Instruction, lines: Iterator[tuple[int, str]]) -> None:
        for match in filter(None, map(_HEREDOC.fullmatch, instruction.words)):
            tabs, end = match[1], match[3]
            if not any((text.lstrip("\t") if tabs else text) == end for _, text in lines):
                self.open_heredoc = end, instruction.line
