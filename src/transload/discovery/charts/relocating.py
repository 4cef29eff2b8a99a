"""Values that make a chart take its images from another registry: an overlay for `helm install --values`. Pure.

Only fields that the chart has are written, and only those that name an image, so everything else stays the chart's own.
What no field names, such as an image that a template has as a word, is not placed, and is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Union

from transload.discovery.charts.fields import ChartImage, Fields
from transload.discovery.charts.reading import ChartReading
from transload.discovery.charts.tree import Leaf, Path, Tree, at, leaves, text_at, written
from transload.discovery.finding import Finding, Place
from transload.documents.yamltext import comment, quoted, scalar
from transload.oci import Reference
from transload.values import define, evolve, field, frozen

Plain = Union[str, dict[str, "Plain"], list["Plain"]]  # noqa: UP007 - it names itself
"""Values to be written; a scalar is text, or a word of the chart's own."""


class _Word(str):
    """A scalar that stands without quotes in the chart, and so does in the overlay: its kind stays what it is."""

    __slots__ = ()


# Numbers and truths of which it is known whether they stand in quotes (`Leaf.quoted`), and what else YAML may take for
# no text without them: other numbers, dates, and words of YAML 1.1.
_KNOWN = re.compile(r"true|True|TRUE|yes|on|false|False|FALSE|no|off|[+-]?[0-9][0-9_]{0,20}(?:\.[0-9_]{0,20})?")
_UNSURE = re.compile(r"[-+.]?[0-9][0-9a-f_.,:e+xo-]*|[.][a-z]+|~|null|y|n|yes|no|on|off", re.ASCII | re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]{64}")


@frozen(kw_only=True)
class Unplaced:
    """An image that no value leads to the target, where it was found, and why."""

    text: str
    place: Place
    reason: str


@frozen(kw_only=True)
class Overlay:
    """The values to be written, and the images for which there is none."""

    values: dict[str, Plain]
    unplaced: tuple[Unplaced, ...] = ()


def overlay_of(reading: ChartReading, destinations: Mapping[str, Reference]) -> Overlay:
    """The values that make the images of a chart those of `destinations`, by the texts of the findings.

    A destination's digest is written where the chart has a field with a digest, or a text with one.
    """
    making = _Making(reading.values)
    unplaced = [item for image in reading.images for item in making.place(image, destinations)]
    placed = making.placed
    return Overlay(
        values=making.values,
        unplaced=tuple(dict.fromkeys(item for item in unplaced if item.text not in placed)),
    )


def proved(overlay: Overlay, findings: Iterable[Finding], destinations: Mapping[str, Reference]) -> Overlay:
    """The overlay, with what does not come from the target in spite of it.

    `findings` are those of the chart with the overlay over its values.
    """
    there = {_content(reference) for reference in destinations.values()}
    texts = {item.text for item in overlay.unplaced}
    astray = (finding for finding in findings if _content(Reference.parse(finding.text)) not in there)
    more = (
        Unplaced(text=finding.text, place=finding.place, reason="the chart makes another name of these values")
        for finding in astray
        if finding.text not in texts
    )
    return evolve(overlay, unplaced=(*overlay.unplaced, *dict.fromkeys(more)))


def overlay_text(overlay: Overlay, title: str) -> str:
    """The overlay as a file. Each line of `title` becomes a comment before it."""
    lines = [f"# {comment(line)}" for line in title.splitlines()]
    lines += _lines(overlay.values, "") if overlay.values else ["{}"]
    if overlay.unplaced:
        lines += ["", "# No value leads these to the target:"]
        lines += [f"# - {comment(item.text)} ({comment(str(item.place))}): {item.reason}" for item in overlay.unplaced]
    return "\n".join(lines) + "\n"


def _content(reference: Reference) -> tuple[str, str, str | None]:
    return reference.registry, reference.name.repository, reference.name.tag or reference.name.digest


@define
class _Making:
    """Builds the overlay over the values of a chart."""

    base: dict[str, Tree]
    values: dict[str, Plain] = field(factory=dict)
    placed: set[str] = field(factory=set)
    set_to: dict[Path, str] = field(factory=dict)

    def place(self, image: ChartImage, destinations: Mapping[str, Reference]) -> Iterator[Unplaced]:
        """Write the fields of one image; why not, if that cannot be done."""
        text, destination = image.finding.text, destinations.get(image.finding.text)
        reason = "it is not copied"
        if destination is not None:
            reason = self._fields(image.fields, text, destination)
        if reason:
            yield Unplaced(text=text, place=image.finding.place, reason=reason)
        else:
            self.placed.add(text)

    def _fields(self, fields: Fields | None, text: str, destination: Reference) -> str:
        """Write the fields, all of them or none; why not, in words."""
        if fields is None:
            return "no value names it, only a template or an annotation"
        if fields.whole is not None:
            changes = self._whole(fields.whole, text, destination)
        else:
            changes = self._parts(fields, text, destination)
        if changes is None:
            return "its values have another form"
        for path, value in changes.items():
            if self.set_to.get(path, value) != value:
                return f"{written(path)} would need two values"
            if reason := self._why_not_set(path):
                return reason
        for path, value in changes.items():
            self._set(path, value)
        return ""

    def _whole(self, path: Path, text: str, destination: Reference) -> dict[Path, str] | None:
        leaf = text_at(self.base, path)
        with_digest = "@" in text
        before = leaf if text not in leaf and "@" not in leaf else text  # the templates added the tag
        if not before or (before != text and not text.startswith(before)):
            return None
        return {path: leaf.replace(before, _named(destination, tag=before == text, digest=with_digest))}

    def _parts(self, fields: Fields, text: str, destination: Reference) -> dict[Path, str] | None:
        changes = self._registries(fields, text, destination)
        if changes is None:
            return None
        for path, part in ((fields.tag, destination.name.tag), (fields.digest, destination.name.digest)):
            if path is not None and part is not None and (stated := text_at(self.base, path)):
                changes[path] = part.partition(":")[2] if _HEX.fullmatch(stated) else part
        return changes

    def _registries(self, fields: Fields, text: str, destination: Reference) -> dict[Path, str] | None:
        """The registry and the repository, in as many fields as the chart has for them."""
        assert fields.repository is not None  # noqa: S101 - `Fields` has one of the two
        own, new = text_at(self.base, fields.repository), destination.name.repository
        paths = [path for path in (fields.registry, fields.shared_registry) if path is not None]
        stated = {path: text_at(self.base, path) for path in paths}
        before = stated.get(fields.shared_registry or ()) or stated.get(fields.registry or ()) or ""
        before = before or (_host(text) if paths else "")  # the templates have a registry for an empty field
        # A shared registry that is empty stays so, if the image has a field of its own.
        paths = [path for path in paths if path == fields.registry or len(paths) == 1 or stated[path]]
        if before and own.startswith(f"{before}/"):  # the field for the registry is not used
            paths, before = [], ""
        if before and ("/" in before or not text.startswith(f"{before}/{own}")):
            return _moved(before, text, destination, paths)
        repository = _without_added(own, text, new)
        if repository is None:
            return None
        if not paths:
            return {fields.repository: f"{destination.registry}/{repository}"}
        return {fields.repository: repository, **dict.fromkeys(paths, destination.registry)}

    # --- the tree

    def _why_not_set(self, path: Path) -> str:
        """Why a value cannot be written: a list is written whole, and what else is in it must keep its kind."""
        number = next((position for position, key in enumerate(path) if isinstance(key, int)), None)
        if number is None:
            return ""
        around = path[:number]
        for leaf_path, leaf in leaves(at(self.base, around) or [], around):
            if leaf_path not in self.set_to and leaf_path != path and _is_unsure(leaf):
                return f"{written(around)} is a list with {leaf.text[:40]!r} in it, which may be no text"
        return ""

    def _set(self, path: Path, value: str) -> None:
        self.set_to[path] = value
        tree: Plain = self.values
        for position, key in enumerate(path[:-1]):
            tree = self._below(tree, path[: position + 1], key)
        if isinstance(tree, dict):
            tree[str(path[-1])] = value
        elif isinstance(tree, list) and isinstance(path[-1], int):
            tree[path[-1]] = value

    def _below(self, tree: Plain, path: Path, key: str | int) -> Plain:
        if isinstance(tree, list) and isinstance(key, int):
            return tree[key]
        assert isinstance(tree, dict)  # noqa: S101 - the base has the same shape
        base = at(self.base, path)
        if str(key) not in tree:
            tree[str(key)] = _plain(base) if isinstance(base, list) else {}
        return tree[str(key)]


def _moved(before: str, text: str, destination: Reference, paths: list[Path]) -> dict[Path, str] | None:
    """The fields of a registry with folders in it, such as istio's hub, if only what stands before has to change."""
    rest = _untagged(text).removeprefix(before)
    new = f"{destination.registry}/{destination.name.repository}"
    return dict.fromkeys(paths, new.removesuffix(rest)) if text.startswith(before) and new.endswith(rest) else None


def _host(text: str) -> str:
    """The registry in a name as it is written; empty if it has none (docker's rule)."""
    first, slash, _ = text.partition("/")
    return first if slash and ({".", ":"} & set(first) or first == "localhost") else ""


def _untagged(text: str) -> str:
    name = text.partition("@")[0]
    return name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name


def _without_added(own: str, text: str, repository: str) -> str | None:
    """The repository for a field, without what templates add behind it: `controller-chroot` from `controller`."""
    word = own.partition("@")[0].rpartition("/")[2].partition(":")[0]
    last = text.partition("@")[0].rpartition("/")[2].partition(":")[0]
    if not last.startswith(word):
        return None
    added = last.removeprefix(word)
    return repository.removesuffix(added) if repository.endswith(last) else None if added else repository


def _named(destination: Reference, *, tag: bool, digest: bool) -> str:
    name = destination.name
    text = f"{destination.registry}/{name.repository}"
    text += f":{name.tag}" if tag and name.tag else ""
    return text + (f"@{name.digest}" if digest and name.digest else "")


def _is_unsure(leaf: Leaf) -> bool:
    """Whether it is not known if this text stands without quotes and means something else than text."""
    return not (leaf.quoted or leaf.null or _KNOWN.fullmatch(leaf.text)) and bool(_UNSURE.fullmatch(leaf.text))


def _plain(tree: Tree) -> Plain:
    if isinstance(tree, Leaf):
        if tree.null:
            return _Word("null")
        return _Word(tree.text) if not tree.quoted and _KNOWN.fullmatch(tree.text) else tree.text
    if isinstance(tree, list):
        return [_plain(item) for item in tree]
    return {key: _plain(value) for key, value in tree.items()}


def _lines(tree: Plain, indent: str) -> Iterator[str]:
    """The lines of a mapping or a list."""
    pairs = (
        ((f"{scalar(key)}:", value) for key, value in tree.items())
        if isinstance(tree, dict)
        else (("-", value) for value in tree)
    )
    for before, value in pairs:
        if isinstance(value, str):
            yield f"{indent}{before} {value if isinstance(value, _Word) else quoted(value)}"
        elif value:
            yield f"{indent}{before}"
            yield from _lines(value, f"{indent}  ")
        else:
            yield f"{indent}{before} {'{}' if isinstance(value, dict) else '[]'}"
