"""Carries templates out as far as that is possible without Helm, for one question: which image names they write.

What only Helm or a cluster knows stays unknown. A condition that is unknown is taken both ways, so more may be written
than Helm would write, and a name with something unknown in it shows a `GAP`. Every line that is written keeps the
paths of the values that it was made from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from transload.discovery.charts.functions import call, references
from transload.discovery.charts.syntax import (
    Action,
    Block,
    Call,
    Dot,
    Expression,
    Field,
    Inclusion,
    Literal,
    Node,
    TemplateWrong,
    Text,
    Variable,
    parse,
)
from transload.discovery.charts.tree import Leaf, Path
from transload.discovery.charts.worth import (
    TEXT_LENGTH,
    UNKNOWN,
    Excess,
    Ref,
    Worth,
    as_text,
    child,
    items,
    measured,
    truth,
)
from transload.limits import TEMPLATE_STEPS
from transload.values import define, field, frozen

_CALLS = 20  # include within include


@frozen
class Line:
    """A line that templates write, the line of the template that it comes from, and the values it is made from."""

    text: str
    line: int
    reads: frozenset[Path]


@frozen
class _Piece:
    """A text that is written; `spans` says that it stands in the template as it is, so its lines are lines there."""

    text: str
    line: int
    reads: frozenset[Path] = frozenset()
    spans: bool = False


@define(eq=False)
class _Cell:
    """A variable's value, and the values of the chart that it was made from."""

    value: Worth
    reads: frozenset[Path]


@frozen(eq=False)
class _Scope:
    """What names mean at a place: `.`, the value that the template began with, and the variables."""

    dot: Worth
    root: Worth
    variables: dict[str, _Cell] = field(factory=dict)


@define(eq=False)
class Renderer:
    """Renders templates that share their `define`s. Raises `Excess` for too much work."""

    defines: Mapping[str, Sequence[Node]]
    steps: int = TEMPLATE_STEPS
    looks: set[Path] = field(factory=set)
    """The paths below the values that templates look at, also where there is no value."""
    _reads: set[Path] = field(factory=set)
    _depth: int = 0

    def lines(self, nodes: Sequence[Node], context: Worth) -> Iterator[Line]:
        """The lines that a template writes with this context."""
        text, line, reads = "", 1, set[Path]()
        for piece in self._written(nodes, self._scope(context)):
            for number, part in enumerate(piece.text.split("\n")):
                if number:
                    yield Line(text, line, frozenset(reads))
                    text, reads = "", set()
                if not text.strip():
                    line = piece.line + number * piece.spans
                text += part
                reads |= piece.reads if part else frozenset()
                if len(text) > TEXT_LENGTH:
                    raise Excess(f"its templates make a line of more than {TEXT_LENGTH} letters")
        yield Line(text, line, frozenset(reads))

    def _scope(self, context: Worth) -> _Scope:
        return _Scope(context, context)

    def _inner(self, scope: _Scope, dot: Worth) -> _Scope:
        """A block's scope: its own variables end with it."""
        self._step(len(scope.variables))
        return _Scope(dot, scope.root, dict(scope.variables))

    # --- nodes

    def _written(self, nodes: Sequence[Node], scope: _Scope) -> Iterator[_Piece]:
        for node in nodes:
            self._step()
            if isinstance(node, Text):
                self._step(len(node.text) // 16)
                yield _Piece(node.text, node.line, spans=True)
            elif isinstance(node, Action):
                yield from self._action(node, scope)
            elif isinstance(node, Inclusion):
                yield self._inclusion(node, scope)
            elif node.kind != "define":
                yield from self._block(node, scope)

    def _inclusion(self, node: Inclusion, scope: _Scope) -> _Piece:
        text, reads = self._apart(lambda: self._include(node.name, self._worth(node.value, scope)))
        return _Piece(as_text(text), node.line, reads)

    def _action(self, action: Action, scope: _Scope) -> Iterator[_Piece]:
        value, reads = self._apart(lambda: self._worth(action.value, scope))
        if not action.names:
            text, more = self._apart(lambda: self._used_up(value))
            yield _Piece(text, action.line, reads | more)
            return
        name = action.names[-1]
        if action.declares or name not in scope.variables:
            scope.variables[name] = _Cell(value, reads)
        else:
            cell = scope.variables[name]
            cell.value, cell.reads = value, reads

    def _block(self, block: Block, scope: _Scope) -> Iterator[_Piece]:
        head = block.head
        assert head is not None  # noqa: S101 - only `define` has none
        value, reads = self._apart(lambda: self._worth(head.value, scope))
        if block.kind == "range":
            yield from self._range(block, value, reads, scope)
            return
        known = truth(value)
        before = {name: (cell, cell.value) for name, cell in scope.variables.items()} if known is None else {}
        if known is not False:
            inner = self._inner(scope, value if block.kind == "with" else scope.dot)
            for name in head.names:
                inner.variables[name] = _Cell(value, reads)
            yield from self._written(block.nodes, inner)
        if known is not True:
            yield from self._written(block.otherwise, self._inner(scope, scope.dot))
        for cell, old in before.values():
            if cell.value is not old:
                cell.value = UNKNOWN

    def _range(self, block: Block, value: Worth, reads: frozenset[Path], scope: _Scope) -> Iterator[_Piece]:
        assert block.head is not None  # noqa: S101 - `range` has one
        pairs = items(value)
        self._step(len(pairs or ()))
        if pairs == []:
            yield from self._written(block.otherwise, self._inner(scope, scope.dot))
            return
        for key, item in [(UNKNOWN, UNKNOWN)] if pairs is None else pairs:
            inner = self._inner(scope, item)
            names = block.head.names
            if names:
                inner.variables[names[-1]] = _Cell(item, reads)
            if len(names) > 1:
                inner.variables[names[0]] = _Cell(key, reads)
            yield from self._written(block.nodes, inner)

    # --- expressions

    def _worth(self, expression: Expression, scope: _Scope) -> Worth:
        self._step()
        if isinstance(expression, Literal):
            return expression.value
        if isinstance(expression, Dot):
            return scope.dot
        if isinstance(expression, Variable):
            if expression.name == "$":
                return scope.root
            cell = scope.variables.get(expression.name)
            self._reads |= cell.reads if cell else frozenset()
            return cell.value if cell else UNKNOWN
        if isinstance(expression, Field):
            of = self._worth(expression.of, scope)
            if isinstance(of, Ref):
                self.looks.add((*of.path, expression.name))
            return child(of, expression.name)
        return self._call(expression, scope)

    def _call(self, expression: Call, scope: _Scope) -> Worth:
        name = expression.function
        values = [self._worth(argument, scope) for argument in expression.arguments]
        if name == "include" and len(values) == 2:
            return self._include(as_text(values[0]), values[1])
        if name == "tpl" and values:
            return self._tpl(values[0], values[1] if len(values) > 1 else scope.dot)
        if name not in _KEEPING:
            for ref in (ref for value in values for ref in references(value)):
                self._reads.add(ref.path)
        if sum(len(value) for value in values if isinstance(value, str)) > TEXT_LENGTH:
            raise Excess(f"its templates make a text of more than {TEXT_LENGTH} letters")
        value = call(name, values)
        if isinstance(value, (list, dict)):
            self._step(len(value))
        return measured(value) if isinstance(value, str) else value

    def _include(self, name: str, dot: Worth) -> Worth:
        nodes = self.defines.get(name)
        if nodes is None or self._depth >= _CALLS:
            self._reads.update(ref.path for ref in references(dot))
            return UNKNOWN
        return self._text_of(nodes, dot)

    def _tpl(self, value: Worth, dot: Worth) -> Worth:
        text = self._used_up(value)
        if "{{" not in text:
            return text
        if self._depth >= _CALLS:
            return UNKNOWN
        self._step(len(text))
        try:
            return self._text_of(parse(text), dot)
        except TemplateWrong:
            return UNKNOWN

    def _text_of(self, nodes: Sequence[Node], dot: Worth) -> str:
        """What nodes write with this `.`; the values that it is made from are among those of the caller."""
        self._depth += 1
        outer, text, length = set(self._reads), [], 0
        for piece in self._written(nodes, self._scope(dot)):
            text.append(piece.text)
            outer |= piece.reads
            length += len(piece.text)
            self._step(len(piece.reads) // 4)
            if length > TEXT_LENGTH:
                raise Excess(f"its templates make a text of more than {TEXT_LENGTH} letters")
        self._depth -= 1
        self._reads = outer
        return "".join(text)

    # --- what is read

    def _used_up(self, value: Worth) -> str:
        """A value as it is written; a mapping or a list of the chart's values counts as read with all that is in it."""
        if isinstance(value, Ref):
            self._reads.add(value.path)
        return measured(as_text(value))

    def _apart(self, work: Callable[[], Worth]) -> tuple[Worth, frozenset[Path]]:
        """The outcome of `work`, and the paths of the values that it has read."""
        outer, self._reads = self._reads, set()
        value = work()
        reads, self._reads = frozenset(self._reads), outer
        if isinstance(value, Ref) and isinstance(value.tree, Leaf):
            reads |= {value.path}
        return value, reads

    def _step(self, count: int = 1) -> None:
        self.steps -= 1 + count
        if self.steps < 0:
            raise Excess("its templates are more work than is done here")


# These only choose between values or look into them; whoever uses the value that they give has read it.
_KEEPING = {"default", "coalesce", "and", "or", "not", "empty", "ternary", "dict", "list", "tuple", "get", "index"}
_KEEPING |= {"dig", "hasKey", "required", "first", "last", "merge", "mergeOverwrite", "deepCopy", "len", "kindIs"}
_KEEPING |= {"kindOf", "typeIs", "mustMerge", "mustMergeOverwrite", "mustDeepCopy"}
