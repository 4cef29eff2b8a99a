"""Compose files: the images of services, of volumes and models, and those that builds start from.

The rules are those of the Compose specification (docs.docker.com/reference/compose-file). Variables have the values of
the `.env` file beside the Compose file, else their defaults; the environment is not read. Services of every profile are
taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath

from transload.discovery import dockerfile, dotenv
from transload.discovery.finding import Discovered, Place, Sureness, Unread
from transload.discovery.judging import file_question, judged, question
from transload.discovery.values import at, entries, items, text
from transload.discovery.variables import Unresolved, expand
from transload.documents.value import Value
from transload.values import frozen

_MERGE = "<<"
_IMAGE_CONTEXT = "docker-image://"


def recognises(document: Value) -> bool:
    """A mapping with `services` of which one has an image or a build, and that is no object of Kubernetes.

    Other formats include files too: that alone counts only under a name such as `compose.yaml`.
    """
    if text(document, "apiVersion"):
        return False
    is_named = "compose" in PurePath(document.document.name.rpartition("!")[2]).name.lower()
    return (is_named and bool(_included(document))) or any(
        text(_get(service, "image")) or any(_get(service, key).content for key in ("build", "extends"))
        for _, service in entries(at(document, "services"))
    )


def read(document: Value) -> Iterator[Discovered]:
    """The images of a Compose file, with the variables of the `.env` file beside it."""
    variables, wrong = dotenv.beside(document.document.name)
    if wrong:
        yield wrong
    yield from images_of(document, variables)


def images_of(document: Value, variables: Mapping[str, str]) -> Iterator[Discovered]:
    """The images of a Compose file; what has no value among these variables has its default."""
    yield from _Compose(document, variables).everything()


@frozen
class _Compose:
    """One file, and the values of its variables."""

    document: Value
    variables: Mapping[str, str]

    def everything(self) -> Iterator[Discovered]:
        for file in _included(self.document):
            place = Place.of(file)
            yield file_question(text(file), place, "this file is included: discover it, too", text(file))
        for _, service in entries(at(self.document, "services")):
            yield from self._service(service)
        for _, model in entries(at(self.document, "models")):
            yield from self._image(at(model, "model"), "compose model")

    def _service(self, service: Value) -> Iterator[Discovered]:
        image, build = _get(service, "image"), _get(service, "build")
        never_pulled = bool(build.content) and text(_get(service, "pull_policy")) == "build"
        if not never_pulled:
            yield from self._image(image, "compose, built here" if build.content else "compose", bool(build.content))
        if build.content:
            yield from self._build(build, named=bool(image.content) and not never_pulled)
        elif not image.content:
            yield from self._extended(_get(service, "extends"))
        for volume in items(_get(service, "volumes")):
            if text(volume, "type") == "image":
                yield from self._image(at(volume, "source"), "compose image volume")

    def _image(self, value: Value, rule: str, unsure: bool = False) -> Iterator[Discovered]:
        """The image that a value names, with its variables filled in."""
        if not isinstance(value.content, str):
            if value.content is not None:
                yield Unread(place=Place.of(value), reason=value.wrong("the name of an image").message)
            return
        sureness: Sureness = "likely" if unsure else "certain"
        try:
            image = expand(text(value), self.variables)
        except Unresolved as error:
            yield question(text(value), Place.of(value), str(error))
        else:
            if text(value):
                yield judged(image, Place.of(value), rule, sureness)

    def _build(self, build: Value, *, named: bool) -> Iterator[Discovered]:
        """What a build starts from. Without a name of its own, what it makes is in no registry."""
        inline = at(build, "dockerfile_inline")
        if not named:
            yield _built(build, inline.content is not None)
        if isinstance(inline.content, str) and inline.content:
            yield from self._inline(inline, _pairs(at(build, "args")))
        for context in _pairs(at(build, "additional_contexts")).values():
            if context.startswith(_IMAGE_CONTEXT):
                place = Place.of(at(build, "additional_contexts"))
                yield self._named(context.removeprefix(_IMAGE_CONTEXT), place, "compose build context")

    def _named(self, image: str, place: Place, rule: str) -> Discovered:
        try:
            return judged(expand(image, self.variables), place, rule)
        except Unresolved as error:
            return question(image, place, str(error))

    def _inline(self, inline: Value, arguments: Mapping[str, str]) -> Iterator[Discovered]:
        """A Dockerfile inside the Compose file, of which Compose fills in the variables first."""
        try:
            content = expand(inline.content, self.variables)
        except Unresolved:
            content = inline.content.replace("$$", "$")
        line = inline.line
        known = {name: value for name, value in arguments.items() if "$" not in value}

        def place_of(number: int) -> Place:
            return Place(file=inline.document.name, line=line and line + number, path=inline.path)

        yield from dockerfile.images_of(content, place_of, known)

    def _extended(self, extends: Value) -> Iterator[Discovered]:
        if file := text(extends, "file"):
            place = Place.of(extends)
            reason = "the service extends one of another file: discover that file, too"
            yield file_question(file, place, reason, file)


def _built(build: Value, inline: bool) -> Discovered:
    """A question about what is built here: the file with its base images may be read, too."""
    context, place = text(build) or text(build, "context") or ".", Place.of(build)
    if inline:
        return question(context, place, "it is built with the dockerfile_inline here, and has no name in a registry")
    dockerfile = text(build, "dockerfile") or "Dockerfile"
    reason = f"it is built with {dockerfile[:80]}, and has no name in a registry: discover that file, too"
    return file_question(context, place, reason, context, dockerfile)


def _get(mapping: Value, key: str) -> Value:
    """The value of a key, also one that comes from a merge key (yaml.org/type/merge)."""
    value = at(mapping, key)
    if value.content is None and (merged := at(mapping, _MERGE)).content:
        for source in [merged, *items(merged)]:
            if (inherited := _get(source, key)).content is not None:
                return inherited
    return value


def _included(document: Value) -> list[Value]:
    """The files that `include` names: a text, or a mapping whose `path` is one or a list of them."""
    files = []
    for entry in items(at(document, "include")):
        path = at(entry, "path")
        files += [entry] if isinstance(entry.content, str) else [path, *items(path)]
    return [file for file in files if text(file)]


def _pairs(value: Value) -> dict[str, str]:
    """A mapping, or a list of `name=value`. Names without a value have one of the environment, which is not read."""
    pairs = {name: text(item) for name, item in entries(value) if text(item)}
    for item in items(value):
        name, equals, content = text(item).partition("=")
        if equals:
            pairs[name] = content
    return pairs
