"""A chart as it was written: `Chart.yaml`, values, templates, and the charts in its folder `charts/`.

The layout of the files is Helm's ("Charts", docs of Helm; `pkg/chart/loader/load.go`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from transload.discovery.charts.package import Files, Room, is_packed, unpacked
from transload.discovery.charts.tree import Tree, values_of
from transload.discovery.finding import Place, Unread
from transload.documents.text import decoded
from transload.documents.value import Value
from transload.errors import DocumentInvalid, LimitExceeded, TransloadError
from transload.limits import CHART_DEPTH, CHART_FILE_BYTES
from transload.values import field, frozen


class NoChart(DocumentInvalid):
    """Files without a `Chart.yaml`."""


@frozen(kw_only=True)
class Dependency:
    """A subchart that `Chart.yaml` names.

    Its values stand under `key`. `condition` has paths to a value that switches it on or off, `tags` groups of
    subcharts that are switched together.
    """

    name: str
    key: str
    version: str = ""
    repository: str = ""
    condition: str = ""
    tags: tuple[str, ...] = ()
    place: Place


@frozen(kw_only=True, eq=False)
class Chart:
    """A chart. `inside` stands before the names of its files in places: `web-1.2.tgz!`, or the folder with a slash."""

    inside: str
    name: str
    version: str = ""
    app_version: str = ""
    is_library: bool = False
    annotations: Value | None = None
    dependencies: tuple[Dependency, ...] = ()
    values: dict[str, Tree] = field(factory=dict)
    templates: Mapping[str, str] = field(factory=dict)
    subcharts: tuple[Chart, ...] = ()
    unread: tuple[Unread, ...] = ()


def chart_of(files: Files, inside: str, room: Room, depth: int = 1) -> Chart:
    """The chart that these files are. Raises `DocumentInvalid` if it has no `Chart.yaml`, or one that is wrong."""
    contents = files.contents
    about = _about(contents, inside)
    unread = [Unread(place=Place(file=inside + name), reason=reason) for name, reason in files.unread.items()]
    subcharts = tuple(_subcharts(files, inside, room, depth, unread))
    return Chart(
        inside=inside,
        name=_text(about, "name"),
        version=_text(about, "version"),
        app_version=_text(about, "appVersion"),
        is_library=_text(about, "type") == "library",
        annotations=about.get("annotations") if isinstance(about.get("annotations").content, dict) else None,
        dependencies=tuple(_dependencies(about, contents, inside, unread)),
        values=_values(contents, inside, unread),
        templates=dict(_templates(contents, inside, unread)),
        subcharts=subcharts,
        unread=tuple(unread),
    )


def _about(contents: Mapping[str, bytes], inside: str) -> Value:
    if "Chart.yaml" not in contents:
        raise NoChart(f"{inside}Chart.yaml is missing, so this is no chart", subject=inside)
    about = Value.from_yaml(contents["Chart.yaml"], f"{inside}Chart.yaml")
    about.get("name").text()
    return about


def _text(value: Value, key: str) -> str:
    content = value.get(key).content
    return content.strip() if isinstance(content, str) else ""


def _values(contents: Mapping[str, bytes], inside: str, unread: list[Unread]) -> dict[str, Tree]:
    file = f"{inside}values.yaml"
    try:
        return values_of(contents.get("values.yaml", b""), file)
    except DocumentInvalid as error:
        unread.append(Unread(place=Place(file=file), reason=str(error)))
        return {}


def _templates(contents: Mapping[str, bytes], inside: str, unread: list[Unread]) -> Iterator[tuple[str, str]]:
    """The text of every template but the notes for the user."""
    for name, content in contents.items():
        if name.startswith("templates/") and name.rpartition("/")[2] != "NOTES.txt":
            try:
                yield name, decoded(content, inside + name, CHART_FILE_BYTES)
            except DocumentInvalid as error:
                unread.append(Unread(place=Place(file=inside + name), reason=str(error)))


def _dependencies(
    about: Value, contents: Mapping[str, bytes], inside: str, unread: list[Unread]
) -> Iterator[Dependency]:
    """Those in `Chart.yaml`, and in `requirements.yaml`, where charts of Helm 2 have them."""
    documents = [about]
    if "requirements.yaml" in contents:
        try:
            documents.append(Value.from_yaml(contents["requirements.yaml"], f"{inside}requirements.yaml"))
        except DocumentInvalid as error:
            unread.append(Unread(place=Place(file=f"{inside}requirements.yaml"), reason=str(error)))
    for document in documents:
        listed = document.get("dependencies") if isinstance(document.content, dict) else document
        for item in listed.items() if isinstance(listed.content, list) else ():
            if isinstance(item.content, dict) and _text(item, "name"):
                yield _dependency(item)
            else:
                unread.append(Unread(place=Place.of(item), reason="a dependency without a name"))


def _dependency(item: Value) -> Dependency:
    tags = item.get("tags").content
    name = _text(item, "name")
    return Dependency(
        name=name,
        key=_text(item, "alias") or name,
        version=_text(item, "version"),
        repository=_text(item, "repository"),
        condition=_text(item, "condition"),
        tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        place=Place.of(item),
    )


def _subcharts(files: Files, inside: str, room: Room, depth: int, unread: list[Unread]) -> Iterator[Chart]:
    """The charts in `charts/`, folders and packed ones. Helm leaves out names that begin with `_` or a dot."""
    for name, group in _grouped(files).items():
        if name.startswith(("_", ".")):
            continue
        packed = group.contents.get("")
        below = f"{inside}charts/{name}" + ("!" if packed is not None else "/")
        try:
            if depth >= CHART_DEPTH:
                raise LimitExceeded(f"{below} is nested more than {CHART_DEPTH} charts deep", subject=below)
            if packed is not None:
                if not is_packed(name, packed):
                    continue  # a README, a lock file
                group = unpacked(packed, below.removesuffix("!"), room)
            yield chart_of(group, below, room, depth + 1)
        except TransloadError as error:
            unread.append(Unread(place=Place(file=below.rstrip("!/")), reason=str(error)))


def _grouped(files: Files) -> dict[str, Files]:
    """The files of each subchart; a file directly in `charts/` has the empty name in its group."""
    groups: dict[str, Files] = {}
    for name, content in files.contents.items():
        if name.startswith("charts/"):
            _, chart, below = (*name.split("/", 2), "")[:3]
            groups.setdefault(chart, Files({}, {})).contents[below] = content
    return groups
