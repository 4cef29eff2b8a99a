"""The syntax of Go templates (package `text/template`), as far as charts use it: text into a tree of nodes.

What a template does with its values is in `rendering`. The tree is at most `_NESTING` deep, because both call
themselves for what is inside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from transload.values import define, field, frozen

_NESTING = 20
_SPACE = " \t\r\n"
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    | (?P<comment>/\*.*?\*/)
    | (?P<close>-?\}\})
    | (?P<string>"(?:\\.|[^"\\\n])*" | `[^`]*` | '(?:\\.|[^'\\\n])*')
    | (?P<mark>:=|[=|(),])
    | (?P<variable>\$\w*)
    | (?P<field>\.\w+)
    | (?P<dot>\.)
    | (?P<number>[+-]?\d[\w.]*)
    | (?P<word>[A-Za-z_]\w*)""",
    re.VERBOSE | re.DOTALL,
)


class TemplateWrong(Exception):
    """A text that is no template, or one that is not understood here. The message says why, with the line."""


@frozen
class Literal:
    """A text, a number, true, false or nil."""

    value: str | int | bool | None


@frozen
class Dot:
    """What `.` is at this place."""


@frozen
class Variable:
    """`$name`; `$` alone is the value that the template began with."""

    name: str


@frozen
class Field:
    """`.name` of a value."""

    of: Expression
    name: str


@frozen
class Call:
    """A function with its arguments; the value before a `|` is the last one."""

    function: str
    arguments: tuple[Expression, ...]


Expression = Literal | Dot | Variable | Field | Call


@frozen
class Text:
    """Text that is written as it stands."""

    text: str
    line: int


@frozen
class Action:
    """Writes a value, or with `names` gives it to variables; `declares` tells `:=` from `=`."""

    line: int
    value: Expression
    names: tuple[str, ...] = ()
    declares: bool = True


@define
class Block:
    """`if`, `with`, `range`, `define`, or the branch that `else` begins; its nodes, and the branch after it."""

    kind: str
    line: int
    head: Action | None = None
    name: str = ""
    nodes: list[Node] = field(factory=list)
    otherwise: list[Node] = field(factory=list)


@frozen
class Inclusion:
    """`template "name" value`."""

    line: int
    name: str
    value: Expression


Node = Text | Action | Block | Inclusion


@frozen
class Token:
    """A piece of an action, and where it stands in the template."""

    kind: str
    text: str
    begin: int
    end: int


def parse(source: str) -> list[Node]:
    """The nodes of a template. Raises `TemplateWrong`."""
    return _Parser(source).nodes()


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens: list[Token] = []
        self._next = 0
        self._line = 1
        self._counted = 0
        self._after = 0

    def nodes(self) -> list[Node]:
        """The whole template. Blocks that are open are on a stack, each with the list that its nodes go to."""
        root: list[Node] = []
        stack: list[tuple[Block, list[Node]]] = []
        into = root
        for kind, begin, text in self._pieces():
            self._line += self._source.count("\n", self._counted, begin)
            self._counted = begin
            if kind == "text":
                into.append(Text(text, self._line))
                continue
            self._begin(begin)
            keyword = self._keyword()
            if keyword in {"if", "with", "range", "define", "block"}:
                if len(stack) >= _NESTING:
                    raise self._wrong(f"blocks are nested more than {_NESTING} deep")
                block = self._block(keyword, into)
                stack.append((block, into))
                into = block.nodes
            elif keyword in {"else", "end"}:
                if not stack:
                    raise self._wrong(f"{keyword} without a block")
                into = self._closed(stack) if keyword == "end" else self._else(stack)
            elif keyword in {"break", "continue"} or self._peek().kind == "close":
                continue
            elif keyword == "template":
                into.append(Inclusion(self._line, self._string(), self._pipeline(0, empty=Literal(None))))
            else:
                into.append(self._action())
            self._end()
        if stack:
            raise self._wrong(f"the {stack[-1][0].kind} of line {stack[-1][0].line} has no end")
        return root

    # --- blocks

    def _block(self, keyword: str, into: list[Node]) -> Block:
        if keyword in {"define", "block"}:
            block = Block("define", self._line, name=self._string())
            if keyword == "block":
                into.append(block)
                into.append(Inclusion(self._line, block.name, self._pipeline(0)))
                return block
        else:
            block = Block(keyword, self._line, head=self._action())
        into.append(block)
        return block

    def _closed(self, stack: list[tuple[Block, list[Node]]]) -> list[Node]:
        """Close the innermost block, and with it those that `else if` opened inside it."""
        block, into = stack.pop()
        while block.name == "else":
            block, into = stack.pop()
        return into

    def _else(self, stack: list[tuple[Block, list[Node]]]) -> list[Node]:
        block = stack[-1][0]
        keyword = self._keyword()
        if keyword not in {"if", "with"}:
            return block.otherwise
        if len(stack) >= _NESTING * 4:
            raise self._wrong("too many branches")
        inner = Block(keyword, self._line, head=self._action(), name="else")
        block.otherwise.append(inner)
        stack.append((inner, block.otherwise))
        return inner.nodes

    # --- text and tokens

    def _pieces(self) -> Iterator[tuple[str, int, str]]:
        """Texts, trimmed as their neighbours ask, and the beginnings of actions. `_end` says where an action ended."""
        source, at, trim = self._source, 0, False
        while True:
            begin = source.find("{{", at)
            text = source[at:] if begin < 0 else source[at:begin]
            if trim:
                text = text.lstrip(_SPACE)
                at = (len(source) if begin < 0 else begin) - len(text)
            trims = (
                begin >= 0 and source[begin + 2 : begin + 3] == "-" and source[begin + 3 : begin + 4] in (*_SPACE, "/")
            )
            if trims:
                text = text.rstrip(_SPACE)
            if text:
                yield "text", at, text
            if begin < 0:
                return
            yield "action", begin + (3 if trims else 2), ""
            at, trim = self._after, self._source[self._after - 3] == "-"

    def _begin(self, begin: int) -> None:
        """Read the tokens of the action that begins here."""
        self._tokens, self._next = [], 0
        at = begin
        while True:
            match = _TOKEN.match(self._source, at)
            if match is None:
                rest = self._source[at : at + 20]
                raise self._wrong(f"{rest!r} is not understood" if rest else "an action has no end")
            kind, at = str(match.lastgroup), match.end()
            if kind not in {"space", "comment"}:
                self._tokens.append(Token(kind, match[0], match.start(), at))
            if kind == "close":
                self._after = at
                return

    def _end(self) -> None:
        if self._peek().kind != "close":
            raise self._wrong(f"{self._peek().text[:20]!r} is not understood")

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        if token.kind != "close":
            self._next += 1
        return token

    def _keyword(self) -> str:
        token = self._peek()
        if token.kind == "word" and token.text in _KEYWORDS:
            self._next += 1
            return token.text
        return ""

    def _string(self) -> str:
        token = self._take()
        if token.kind != "string":
            raise self._wrong(f"expected a name in quotes, found {token.text[:20]!r}")
        return _unquoted(token.text)

    def _wrong(self, message: str) -> TemplateWrong:
        return TemplateWrong(f"line {self._line}: {message}")

    # --- expressions

    def _action(self) -> Action:
        """`$a, $b := pipeline`, `$a = pipeline`, or a pipeline."""
        line, back, names = self._line, self._next, []
        while self._peek().kind == "variable":
            names.append(self._take().text)
            mark = self._take().text
            if mark == ",":
                continue
            if mark in {":=", "="}:
                return Action(line, self._pipeline(0), tuple(names), mark == ":=")
            break
        self._next = back
        return Action(line, self._pipeline(0))

    def _pipeline(self, depth: int, empty: Expression | None = None) -> Expression:
        if depth > _NESTING:
            raise self._wrong(f"parentheses are nested more than {_NESTING} deep")
        if empty is not None and self._peek().kind == "close":
            return empty
        value = self._command(depth, ())
        for _ in range(_NESTING):
            if self._peek().kind != "mark" or self._peek().text != "|":
                return value
            self._take()
            value = self._command(depth, (value,))
        raise self._wrong(f"more than {_NESTING} functions in a row")

    def _command(self, depth: int, piped: Sequence[Expression]) -> Expression:
        token = self._peek()
        if token.kind == "word" and token.text not in _CONSTANTS:
            self._take()
            return Call(token.text, (*self._operands(depth), *piped))
        first = self._operand(depth)
        rest = (*self._operands(depth), *piped)
        return Call("call", (first, *rest)) if rest else first

    def _operands(self, depth: int) -> Iterator[Expression]:
        while self._peek().kind != "close" and not (self._peek().kind == "mark" and self._peek().text != "("):
            yield self._operand(depth)

    def _operand(self, depth: int) -> Expression:
        token = self._take()
        value: Expression
        if token.kind == "mark" and token.text == "(":
            value = self._pipeline(depth + 1)
            token = self._take()
            if token.text != ")":
                raise self._wrong("a parenthesis is not closed")
        elif token.kind == "field":
            value = Field(Dot(), token.text[1:])
        else:
            value = self._simple(token)
        for _ in range(_NESTING):
            if self._peek().kind != "field" or self._peek().begin != token.end:
                return value
            token = self._take()
            value = Field(value, token.text[1:])
        raise self._wrong(f"more than {_NESTING} fields in a row")

    def _simple(self, token: Token) -> Expression:
        if token.kind == "string":
            return Literal(_unquoted(token.text))
        if token.kind == "variable":
            return Variable(token.text)
        if token.kind == "dot":
            return Dot()
        if token.kind == "number":
            return Literal(int(token.text) if re.fullmatch(r"[+-]?\d{1,18}", token.text) else token.text)
        if token.kind == "word":
            return Literal(_CONSTANTS[token.text]) if token.text in _CONSTANTS else Call(token.text, ())
        raise self._wrong(f"{token.text[:20]!r} is not understood")


_KEYWORDS = {"if", "else", "end", "range", "with", "define", "block", "template", "break", "continue"}
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "nil": None}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "'": "'", "\\": "\\"}


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), text[1:-1])
