"""The image names that the templates of a chart write with its values, as far as that can be known without Helm."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import zip_longest

from transload.discovery import kubernetes
from transload.discovery.charts.chart import Chart
from transload.discovery.charts.coalescing import Use
from transload.discovery.charts.rendering import Line, Renderer
from transload.discovery.charts.rules import HIDDEN, has_tag
from transload.discovery.charts.syntax import Block, Node, TemplateWrong, parse
from transload.discovery.charts.tree import Path, Tree, at, mapping_at
from transload.discovery.charts.worth import GAP, UNKNOWN, Excess, Ref
from transload.discovery.finding import Finding, Place, Unread
from transload.documents.yamlstream import documents_in, split_documents
from transload.errors import DocumentInvalid, LimitExceeded
from transload.limits import CHART_TEXT_BYTES
from transload.values import define, evolve, field, frozen

_IMAGE_LINE = re.compile(r"\s*(?:-\s+)*[\"']?(?:\w*[iI]mage)[\"']?:[ \t]+(?P<value>[^\s#].*)")
_EMPTY_LINE = re.compile(r"\s*(?:-\s+)*[\"']?image[\"']?:\s*(?:\"\"|'')?\s*")
_KIND = re.compile(r"^kind:", re.MULTILINE)
_USUAL = re.compile(
    r"^kind:[ \t]*(?:Pod|Deployment|StatefulSet|DaemonSet|ReplicaSet|Job|CronJob|Service|ServiceAccount|ConfigMap"
    r"|Secret|(?:Cluster)?Role(?:Binding)?|CustomResourceDefinition|NetworkPolicy|Ingress)[ \t]*$",
    re.MULTILINE,
)
_QUOTED = re.compile(r"\"([^\"]*)\"|'([^']*)'|([^\s#,}\]]+)")


@frozen(kw_only=True)
class Named:
    """An image name that a template writes; one with a `GAP` in it is not known whole. `reads` are the paths of the
    values that its line is made from.
    """

    text: str
    place: Place
    reads: frozenset[Path]
    source: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether all of it is known."""
        return GAP not in self.text


@define
class Written:
    """All that the templates of a chart and its subcharts write.

    `reads` are the paths of the values that templates use, `looks` those that they look at, also where there is none.
    """

    names: list[Named] = field(factory=list)
    reads: set[Path] = field(factory=set)
    looks: set[Path] = field(factory=set)
    unread: list[Unread] = field(factory=list)

    @property
    def is_known(self) -> bool:
        """Whether every template could be read, so that a value that is not in `reads` is not used."""
        return not self.unread

    def uses(self, path: Path) -> bool:
        """Whether templates use the value at a path, by itself or with all that stands around it."""
        return not self.is_known or any(path[:length] in self.reads for length in range(len(path) + 1))


def templates_of(chart: Chart, uses: list[Use], tree: dict[str, Tree]) -> Written:
    """What the templates of these charts write. Raises `LimitExceeded` for more text than `CHART_TEXT_BYTES`."""
    written = Written()
    parsed: dict[tuple[str, str], list[Node]] = {}
    length = 0
    for each in _all(chart):
        for name, text in each.templates.items():
            length += len(text)
            if length > CHART_TEXT_BYTES:
                raise LimitExceeded(f"{chart.name} has more than {CHART_TEXT_BYTES >> 20} MiB of templates")
            try:
                parsed[each.inside, name] = parse(text)
            except TemplateWrong as error:
                place = Place(file=each.inside + name)
                written.unread.append(Unread(place=place, reason=f"the template is not understood: {error}"))
    defines: dict[str, Sequence[Node]] = {
        node.name: node.nodes for nodes in parsed.values() for node in _defines(nodes)
    }
    for each in _all(chart):  # a file is a template, too: checksums of others are made so
        own = {f"{each.name}/{name}": parsed.get((each.inside, name), []) for name in each.templates}
        defines = {**own, **defines}
    renderer = Renderer(defines)
    for use in uses:
        try:
            for name in (name for name in use.chart.templates if _is_rendered(use.chart, name)):
                nodes = parsed.get((use.chart.inside, name), [])
                _write(renderer, nodes, use, name, tree, written)
        except Excess as error:
            reason = f"not all templates were read: {error}; helm on the PATH does better"
            written.unread.append(Unread(place=Place(file=f"{use.chart.inside}templates"), reason=reason))
    written.looks = renderer.looks
    return written


def _all(chart: Chart) -> Iterator[Chart]:
    """The charts below, then the chart: what is defined twice is as the outer chart defines it."""
    for subchart in chart.subcharts:
        yield from _all(subchart)
    yield chart


def _defines(nodes: list[Node]) -> Iterator[Block]:
    for node in nodes:
        if isinstance(node, Block):
            if node.kind == "define":
                yield node
            yield from _defines(node.nodes)
            yield from _defines(node.otherwise)


def _is_rendered(chart: Chart, name: str) -> bool:
    """Whether Helm writes what a template makes: partials, hidden files and library charts are only used by others."""
    return not chart.is_library and not name.rpartition("/")[2].startswith(("_", "."))


def _write(renderer: Renderer, nodes: list[Node], use: Use, name: str, tree: dict[str, Tree], into: Written) -> None:
    source = use.chart.templates[name].split("\n")
    lines = [_from_root(line, use, tree) for line in renderer.lines(nodes, _context(use, name, tree))]
    named = [(line, text) for line in lines for text in names_in(line)]
    known = {text for _, text in named}
    empty = [(line, "") for line in _empty(lines) if "{{" in _source_of(line, source)]
    for line, text in (*named, *empty, *((line, text) for line, text in _in_objects(lines) if text not in known)):
        place = Place(file=use.chart.inside + name, line=line.line or None)
        into.names.append(Named(text=text, place=place, reads=line.reads, source=_source_of(line, source)))
    for line in lines:
        into.reads |= line.reads


def _source_of(line: Line, source: Sequence[str]) -> str:
    """The line of the template that writes this one."""
    return source[line.line - 1].strip() if 0 < line.line <= len(source) else ""


def _empty(lines: Sequence[Line]) -> Iterator[Line]:
    """The lines `image:` that have nothing behind them, and no mapping below."""
    for line, following in zip_longest(lines, lines[1:]):
        if _EMPTY_LINE.fullmatch(line.text) and not (following and _indent(following) > _indent(line)):
            yield line


def _indent(line: Line) -> int:
    return len(line.text) - len(line.text.lstrip(" -"))


def _from_root(line: Line, use: Use, tree: dict[str, Tree]) -> Line:
    """The line, with what it reads of the outermost chart's `global` as read there, and not in the subchart's copy."""
    if not use.path or not line.reads:
        return line
    length = len(use.path)

    def origin(path: Path) -> Path:
        shared = path[length:]
        return shared if shared[:1] == ("global",) and at(tree, shared) is not None else path

    return evolve(line, reads=frozenset(map(origin, line.reads)))


def _in_objects(lines: list[Line]) -> Iterator[tuple[Line, str]]:
    """The images in fields that only the kind of an object makes images, such as `baseImage` and `tag` of Prometheus.

    The usual kinds are left out: there, such fields are called `image`, and every line with that key has been seen.
    """
    for begin, part in split_documents("\n".join(line.text for line in lines)):
        is_usual = _USUAL.search(part) and "reference:" not in part
        if not is_usual and GAP not in part and _KIND.search(part):
            for finding in _in_object(part):
                yield lines[begin + (finding.place.line or 1) - 2], finding.text


def _in_object(text: str) -> Iterator[Finding]:
    """The images that one object names; none if it is not well formed, which Helm may see otherwise."""
    for document in documents_in(text, ""):
        if not isinstance(document, DocumentInvalid) and kubernetes.recognises(document):
            with suppress(DocumentInvalid):
                yield from (item for item in kubernetes.read(document) if isinstance(item, Finding))


def names_in(line: Line) -> Iterator[str]:
    """The image names in a line: the value of a key such as `image`, and any text in it that can be nothing else."""
    if line.text.lstrip().startswith("#"):
        return
    match = _IMAGE_LINE.match(line.text)
    value = _QUOTED.match(match["value"]) if match else None
    text = next((part for part in value.groups() if part), "") if value else ""
    if text and not text.startswith(("{", "[", "&", "*", "|", ">")):
        yield text
        return
    yield from (found[0] for found in HIDDEN.finditer(line.text) if has_tag(found[0]))


def _context(use: Use, name: str, tree: dict[str, Tree]) -> Mapping[str, object]:
    """What `.` is in a template (Helm, "Built-in Objects"). The release is called as `helm template` calls it."""
    chart = use.chart
    about = {"Name": chart.name, "Version": chart.version, "AppVersion": chart.app_version, "IsRoot": not use.path}
    return {
        "Values": Ref(use.path, mapping_at(tree, use.path)),
        "Chart": {**about, "Type": "library" if chart.is_library else "application", "Annotations": UNKNOWN},
        "Release": {
            "Name": "release-name",
            "Namespace": "default",
            "Service": "Helm",
            "IsInstall": True,
            "IsUpgrade": False,
            "Revision": 1,
        },
        "Template": {"Name": f"{chart.name}/{name}", "BasePath": f"{chart.name}/templates"},
        "Capabilities": UNKNOWN,
        "Files": UNKNOWN,
        "Subcharts": UNKNOWN,
    }
