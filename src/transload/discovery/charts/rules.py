"""The rules by which values of a chart are taken for images. Helm knows no such fields: all charts choose their own.

What public charts do, in the order in which it is tried for each mapping:
1. parts: `image: {registry, repository, tag, digest}`, with `image` or `name` for the repository, `sha` for the digest,
   and `version` or `imageTag` for the tag; `global.imageRegistry` and its like precede the registry;
2. flat: `image: name:tag`, or `image: name` with `imageTag`, `tag` or `version` beside it, also with a word before
   (`rancherImage`, `rancherImageTag`), and istio's `hub`;
3. `images:` as a mapping or a list of names;
4. hidden: a registry's host with a repository and a tag or digest, anywhere in a text, such as an argument.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from transload.discovery.charts.fields import Fields
from transload.discovery.charts.tree import Leaf, Path, Tree, text_at, written
from transload.errors import LimitExceeded
from transload.limits import CHART_TEXT_BYTES
from transload.values import define, evolve, field, frozen

_PART_REPOSITORY = ("repository", "image", "name", "repo", "imageName", "imageRepository")
_PART_REGISTRY = ("registry", "imageRegistry", "hub")
_PART_TAG = ("tag", "imageTag", "version", "imageVersion")
_PART_DIGEST = ("digest", "sha", "sha256", "imageDigest")
_SHARED_REGISTRIES: tuple[Path, ...] = (
    ("global", "imageRegistry"),
    ("global", "image", "registry"),
    ("global", "registry"),
    ("global", "hub"),
)
_SHARED_TAGS: tuple[Path, ...] = (("global", "tag"), ("global", "image", "tag"), ("global", "imageTag"))
_IMAGE_KEY = re.compile(r"(?:.*[iI]|i)mage(?:Name|Repository|_name|_repository)?|.*_image", re.DOTALL)
_IMAGES_KEY = re.compile(r"(?:.*[iI]|i)mages|.*_images", re.DOTALL)
_NO_NAME = re.compile(r".*(?:[pP]ull|[sS]ecret|[pP]olicy)", re.DOTALL)
_SWITCHES = ("enabled", "enable", "install", "deploy", "create")
_HEX = re.compile(r"[0-9a-f]{64}")
# A host with a dot or a port, or localhost, then a path, then a tag or a digest. It must not follow // or a letter.
HIDDEN = re.compile(
    r"(?<![\w./@:-])(?:[a-z0-9](?:[a-z0-9-]{0,62}\.){1,8}[a-z][a-z0-9-]{0,62}(?::[0-9]{1,5})?|localhost(?::[0-9]{1,5})?)"
    r"(?:/[a-z0-9][a-z0-9._-]{0,127}){1,10}"
    r"(?::[A-Za-z0-9_][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?(?![\w/@:])"
)


@frozen(kw_only=True)
class Candidate:
    """Values that seem to name an image: its name as far as they say it, and the leaf that says most of it.

    `path` is what it is called in places, `at` leads to the leaf. `open` is why it is not a whole name: `no tag`. `off`
    is the switch that is false around it.
    """

    text: str
    path: Path
    at: Path
    leaf: Leaf
    fields: Fields
    rule: str
    open: str = ""
    off: str = ""

    def below(self, path: Path) -> Candidate:
        """The same candidate of a chart whose values stand at `path`."""
        if not path:
            return self
        return evolve(self, path=(*path, *self.path), at=(*path, *self.at), fields=self.fields.below(path))


def candidates(values: dict[str, Tree], skipped: set[str], looks: Callable[[Path], bool]) -> Iterator[Candidate]:
    """The images that values name, without those below the keys in `skipped`, which belong to subcharts.

    `looks` says whether templates look at a path, also at one without a value.
    """
    walk = _Walk(values, looks)
    own: dict[str, Tree] = {key: tree for key, tree in values.items() if key not in skipped}
    yield from walk.mapping(own, (), "")
    for key, tree in own.items():
        yield from walk.below(tree, (key,), "")


@define
class _Walk:
    values: dict[str, Tree]
    looks: Callable[[Path], bool]
    letters: int = field(factory=lambda: CHART_TEXT_BYTES)
    taken: set[Path] = field(factory=set)

    def below(self, tree: Tree, path: Path, off: str) -> Iterator[Candidate]:
        """The images at a path and below it; `off` is a switch around it that is false."""
        if isinstance(tree, dict):
            yield from self.mapping(tree, path, _switch(tree, path) or off)
            for key, value in tree.items():
                yield from self.below(value, (*path, key), _switch(tree, path) or off)
        elif isinstance(tree, list):
            for number, item in enumerate(tree):
                yield from self.below(item, (*path, number), off)
        elif path not in self.taken:
            yield from self._text(tree, path, off)

    def mapping(self, tree: dict[str, Tree], path: Path, off: str) -> Iterator[Candidate]:
        parts = self._parts(tree, path, off)
        if parts:
            yield parts
        for key, leaf in tree.items():
            if isinstance(leaf, Leaf) and (*path, key) not in self.taken and _IMAGE_KEY.fullmatch(key):
                yield from self._flat(tree, (*path, key), leaf, off)

    # --- rule 1

    def _parts(self, tree: dict[str, Tree], path: Path, off: str) -> Candidate | None:
        key = _first(tree, _PART_REPOSITORY)
        tag, digest, registry = (_first(tree, keys) for keys in (_PART_TAG, _PART_DIGEST, _PART_REGISTRY))
        if not key or not _are_parts(path, key, tag, digest, registry):
            return None
        leaf = tree[key]
        assert isinstance(leaf, Leaf)  # noqa: S101 - `_first` chooses leaves
        return self._named(path, leaf, (*path, key), (registry, tag, digest), off, is_mapping=True)

    def _named(
        self,
        path: Path,
        leaf: Leaf,
        repository: Path,
        parts: tuple[str, str, str],
        off: str,
        *,
        is_mapping: bool = False,
    ) -> Candidate | None:
        """The candidate whose repository is `leaf` and whose other parts have these keys at `path`, if any."""
        registry, tag, digest = ((*path, key) if key else None for key in parts)
        shared = next((place for place in _SHARED_REGISTRIES if self.looks(place)), None)
        shared = None if shared == registry else shared
        if not tag and not digest and not has_tag(leaf.text):
            tag = next((place for place in _SHARED_TAGS if self.looks(place) and text_at(self.values, place)), None)
        fields = Fields(registry=registry, shared_registry=shared, repository=repository, tag=tag, digest=digest)
        self.taken.update(filter(None, (registry, repository, tag, digest)))
        if not leaf.text.strip():
            return None
        text, is_open = self._joined(fields, leaf.text.strip())
        where = path if is_mapping else repository
        return Candidate(
            text=text, path=where, at=repository, leaf=leaf, fields=fields, rule="chart values", open=is_open, off=off
        )

    def _joined(self, fields: Fields, repository: str) -> tuple[str, str]:
        """The name that the parts make, and what it lacks."""
        registry, shared, tag, digest = (
            text_at(self.values, path) if path else ""
            for path in (fields.registry, fields.shared_registry, fields.tag, fields.digest)
        )
        registry = (shared or registry).rstrip("/")
        text = repository
        if registry and not repository.startswith(f"{registry}/"):
            text = f"{registry}/{repository}"
        text += f":{tag}" if tag else ""
        text += f"@{_digest(digest)}" if digest else ""
        return text, "" if tag or digest or has_tag(repository) else "no tag"

    # --- rules 2 to 4

    def _flat(self, tree: dict[str, Tree], path: Path, leaf: Leaf, off: str) -> Iterator[Candidate]:
        key = str(path[-1])
        if _NO_NAME.fullmatch(key) or not leaf.text.strip() or leaf.truth is not None:
            return
        if has_tag(leaf.text):
            self.taken.add(path)
            yield _whole(leaf.text.strip(), leaf, path, off)
            return
        stem = re.sub(r"(?:_?[nN]ame|_?[rR]epository)$", "", key)
        word = re.sub(r"_?[iI]mage$", "", stem)
        tags = [f"{stem}Tag", f"{stem}_tag", f"{stem}Version", f"{word}Tag", f"{word}Version", f"{word}_tag"]
        tag = _first(tree, (*tags, *_PART_TAG) if key in {"image", stem} else tuple(tags))
        digest = _first(tree, (f"{stem}Digest", *_PART_DIGEST))
        registry = _first(tree, (f"{stem}Registry", *_PART_REGISTRY))
        named = self._named(path[:-1], leaf, path, (registry, tag, digest), off)
        if named:
            yield named

    def _text(self, leaf: Leaf, path: Path, off: str) -> Iterator[Candidate]:
        """Rules 3 and 4."""
        words = leaf.text.strip()
        parent = [key for key in path[:-1] if isinstance(key, str)][-1:]
        key = str(path[-1])
        listed = parent and _IMAGES_KEY.fullmatch(parent[0])
        within = parent and _IMAGE_KEY.fullmatch(parent[0]) and has_tag(words)
        if (listed or within) and not _NO_NAME.fullmatch(key) and _is_name(words):
            yield _whole(words, leaf, path, off)
            return
        self.letters -= len(leaf.text)
        if self.letters < 0:
            raise LimitExceeded(f"{leaf.file} has more than {CHART_TEXT_BYTES >> 20} MiB of text, aliases written out")
        for match in HIDDEN.finditer(leaf.text):
            if has_tag(match[0]):
                yield _whole(match[0], leaf, path, off, "chart values, in a text" if match[0] != words else "")


def _are_parts(path: Path, key: str, tag: str, digest: str, registry: str) -> bool:
    """Whether the keys of a mapping are those of an image; `name` and `image` are common words for other things."""
    is_image = bool(path) and any(
        isinstance(part, str) and (_IMAGE_KEY.fullmatch(part) or _IMAGES_KEY.fullmatch(part)) for part in path[-2:]
    )
    if key == "repository":
        return is_image or bool(tag or digest or registry)
    if key == "name":
        return is_image and bool(tag or digest or registry)
    if key in {"image", "imageName", "imageRepository"}:
        return bool(path) and is_image and bool(tag or digest or registry)
    return is_image and bool(tag or digest)


def _switch(tree: dict[str, Tree], path: Path) -> str:
    for key in _SWITCHES:
        leaf = tree.get(key)
        if isinstance(leaf, Leaf) and leaf.truth is False:
            return written((*path, key))
    return ""


def _first(tree: dict[str, Tree], keys: tuple[str, ...]) -> str:
    """The first of these keys with a text, else the first that is there at all; empty if none is."""
    there = [key for key in keys if isinstance(tree.get(key), Leaf)]
    return next((key for key in there if text_at(tree, (key,))), there[0] if there else "")


def _whole(text: str, leaf: Leaf, path: Path, off: str, rule: str = "") -> Candidate:
    is_open = "" if has_tag(text) else "no tag"
    return Candidate(
        text=text,
        path=path,
        at=path,
        leaf=leaf,
        fields=Fields(whole=path),
        rule=rule or "chart values",
        open=is_open,
        off=off,
    )


def has_tag(text: str) -> bool:
    """Whether a name has a tag or a digest."""
    return ":" in text.rpartition("/")[2] or "@" in text


def _is_name(text: str) -> bool:
    whole = re.fullmatch(r"[a-z0-9][\w.:/@-]{0,1023}", text) and ("/" in text or ":" in text)
    return bool(whole) and not text.startswith("sha256:")


def _digest(text: str) -> str:
    return f"sha256:{text}" if _HEX.fullmatch(text) else text
