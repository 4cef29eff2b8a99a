"""Reads the images of an image set, with its defaults: single ones, and those whose tags a rule chooses."""

from __future__ import annotations

import re
from functools import partial

from transload.catalog.definition import checked_registry, checked_repository
from transload.catalog.ruled import RuledImages
from transload.catalog.rulefile import RULE, platforms_in, tag_rule
from transload.catalog.selected import Selected, join
from transload.documents.value import Value
from transload.errors import DocumentInvalid
from transload.oci import Digest, Name, Platform, Reference
from transload.oci.reference import DEFAULT_REGISTRY, check_tag
from transload.values import evolve, frozen

IMAGE = ("source", "target", "tag", "digest", "tags", "platforms", "optional", "found")
_RANGE = re.compile(r"[<>=^~*]")
DEFAULTS = ("registry", "repository", "tag", "platforms")


@frozen
class Defaults:
    """Defaults for the images of a set. `registry` None means Docker's default registry."""

    registry: str | None = None
    repository: str = ""
    tag: str | None = None
    platforms: tuple[Platform, ...] = ()


def defaults_in(value: Value) -> Defaults:
    """The `defaults` of an image set. Raises `DocumentInvalid`."""
    value.only(*DEFAULTS)
    return Defaults(
        value.get("registry").maybe(checked_registry),
        value.get("repository").maybe(checked_repository, ""),
        value.get("tag").maybe(_tag),
        value.get("platforms").maybe(platforms_in, ()),
    )


def image_in(value: Value, defaults: Defaults) -> Selected | RuledImages:
    """An entry of `images`: a reference, or a mapping. Raises `DocumentInvalid`."""
    if isinstance(value.content, str) and value.content:
        return evolve(value.read(lambda text: _wanted(text, defaults)), platforms=defaults.platforms)
    for key in RULE:
        if value.has(key):
            raise value.get(key).fail(f"{key} belongs to a rule", hint=f"write it under tags: tags: {{{key}: …}}")
    value.only(*IMAGE).needs("source")
    value.get("found").maybe(Value.texts)
    if value.has("tags"):
        return _ruled(value, defaults)
    tag, digest = value.get("tag").maybe(_tag), value.get("digest").maybe(_digest)
    target = value.get("target").maybe(Value.text)
    wanted = value.get("source").read(lambda text: _wanted(text, defaults, tag, digest))
    if target is not None:
        wanted = value.get("target").read(partial(Selected.of, wanted.source))
    return evolve(
        wanted,
        optional=value.get("optional").maybe(Value.truth, False),
        platforms=value.get("platforms").maybe(platforms_in, defaults.platforms),
    )


def _ruled(value: Value, defaults: Defaults) -> RuledImages:
    """An image with `tags`, whose source has neither tag nor digest."""
    for key in ("tag", "digest"):
        if value.has(key):
            raise value.get(key).fail(f"{key} stands beside tags", hint=f"leave out tags or {key}")
    wanted = value.get("source").read(partial(_untagged, defaults=defaults))
    return RuledImages(
        source=Reference(wanted.source.registry, Name(wanted.source.name.repository)),
        rule=tag_rule(value.get("tags")),
        target=value.get("target").maybe(checked_repository, wanted.repository),
        platforms=value.get("platforms").maybe(platforms_in, defaults.platforms),
        optional=value.get("optional").maybe(Value.truth, False),
        where=value.where,
    )


def _untagged(text: str, defaults: Defaults) -> Selected:
    name = Reference.parse(text).name
    if name.digest is not None or text.strip().endswith(f":{name.tag}"):
        raise DocumentInvalid(
            f"{text.strip()[:140]!r} has a tag or a digest, and tags chooses the tags", hint="leave it out of source"
        )
    return _wanted(text, defaults)


def _wanted(text: str, defaults: Defaults, tag: str | None = None, digest: Digest | None = None) -> Selected:
    """The image `text`. Without a registry in it, it is at the default registry, under the default repository.

    As with a catalog, the default repository is not part of the name at the target.
    """
    text = text.strip()
    reference = Reference.parse(text)
    named = text.partition("/")[0] in {reference.registry, f"index.{DEFAULT_REGISTRY}"} and "/" in text
    if not named and (defaults.registry or defaults.repository):
        reference = Reference.parse(join(defaults.registry or DEFAULT_REGISTRY, defaults.repository, text))
    name = _completed(reference.name, text, tag, digest, defaults.tag)
    prefix = f"{defaults.repository}/" if defaults.repository and not named else ""
    return Selected(Reference(reference.registry, name), name.repository.removeprefix(prefix), name.tag)


def _completed(name: Name, text: str, tag: str | None, digest: Digest | None, default_tag: str | None) -> Name:
    """`name` with the tag and digest of the keys. Its tag `latest` may only be a default."""
    filled = name.digest is None and not text.endswith(f":{name.tag}")
    written = None if filled else name.tag
    for what, inside, beside in (("tag", written, tag), ("digest", name.digest, digest)):
        if inside and beside:
            raise DocumentInvalid(f"the {what} is given twice: in the source and as a key", hint="write it once")
    tag, digest = written or tag, name.digest or digest
    if tag is None and digest is None:
        tag = default_tag or name.tag
    return Name(name.repository, tag, digest)


def _tag(value: Value) -> str:
    content = value.content
    if isinstance(content, (list, dict)) or (isinstance(content, str) and _RANGE.match(content)):
        raise value.fail("this is not one tag", hint="several tags, or a rule for them, are written under tags")
    return value.read(check_tag)


def _digest(value: Value) -> Digest:
    return value.read(Digest)
