"""oc-mirror's ImageSetConfiguration, of version 2 of the plugin and of version 1.

Shape: internal/pkg/api/v2alpha1 in https://github.com/openshift/oc-mirror. OpenShift's releases and operator catalogs
are not copied, since only oc-mirror knows what is in them; a note says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from transload.catalog.lists.naming import chart, image
from transload.catalog.lists.taken import (
    Format,
    ListedImage,
    ListQuestion,
    Note,
    Taken,
    is_of,
    items_of,
    left_open,
    listed,
    rest,
    text_of,
)
from transload.catalog.selected import Selected, join
from transload.documents.value import Value
from transload.limits import BLOCKED_COMPARISONS
from transload.oci import Platform
from transload.oci.reference import check_repository, check_tag
from transload.values import evolve, frozen

_GROUP = "mirror.openshift.io"
_RELEASES = "OpenShift's releases are not copied; oc-mirror asks the update service for them"
_SENTENCES = {
    "platform": _RELEASES,
    "ocp": _RELEASES,
    "operators": "operator catalogs are not copied, and neither are the images of their operators",
    "samples": "samples are not copied",
}
_PLAIN = re.compile(r"[\w./:@-]*", re.ASCII)


def _recognises(root: Value) -> bool:
    return is_of(root, _GROUP, "ImageSetConfiguration", "DeleteImageSetConfiguration")


def _read(root: Value) -> Iterator[Taken]:
    if root.get("kind").content == "DeleteImageSetConfiguration":
        raise root.fail("this says what to delete", hint="name the ImageSetConfiguration that says what is wanted")
    yield from rest(root, ("apiVersion", "kind", "mirror", "archiveSize", "storageConfig"), {})
    mirror = root.get("mirror")
    blocked: list[_Blocked] = []
    for pattern in _blocked(mirror.get("blockedImages"), len(items_of(mirror.get("additionalImages")))):
        if isinstance(pattern, Note):
            yield pattern
        else:
            blocked.append(pattern)
    left_out: list[str] = []
    for item in items_of(mirror.get("additionalImages")):
        taken = _image(item)
        if isinstance(taken, ListedImage) and any(pattern.fits(item.get("name").text(), taken) for pattern in blocked):
            left_out.append(str(taken.source))
        else:
            yield taken
            yield from rest(item, ("name", "targetRepo", "targetTag", "platforms"), {})
    if left_out:
        yield Note(mirror.get("blockedImages").where, f"blocked, and so left out: {listed(left_out)}")
    if mirror.get("helm").content:
        yield from _charts(mirror.get("helm"))
    yield from rest(mirror, ("additionalImages", "blockedImages", "helm"), _SENTENCES)


def _image(item: Value) -> ListedImage | ListQuestion:
    name = item.get("name")
    if name.text().startswith("oci:"):
        return left_open(name, name.text(), "an image in a folder is taken with --from oci:DIR")
    platforms = tuple(map(_platform, items_of(item.get("platforms"))))
    taken = image(name, platforms=platforms)
    if isinstance(taken, ListedImage):
        if text_of(item.get("targetRepo")):
            taken = evolve(taken, repository=item.get("targetRepo").read(check_repository))
        if text_of(item.get("targetTag")):
            taken = evolve(taken, tag=item.get("targetTag").read(check_tag))
    return taken


def _platform(entry: Value) -> Platform:
    with entry.explained():
        return Platform.parse(f"{entry.get('os').text()}/{entry.get('architecture').text()}")


def _charts(helm: Value) -> Iterator[Taken]:
    """Charts with the images that they need, which is what oc-mirror takes of them."""
    for repository in items_of(helm.get("repositories")):
        for item in items_of(repository.get("charts")):
            address = join(repository.get("url").text().rstrip("/"), item.get("name").text())
            yield chart(item, address, text_of(item.get("version")), images=True)
            yield from rest(item, ("name", "version", "platforms"), {"imagePaths": "images are not looked for there"})
    for item in items_of(helm.get("local")):
        yield chart(item, "", "", images=True)
    yield from rest(helm, ("repositories", "local"), {})


@frozen
class _Blocked:
    """A name that is blocked: texts that a reference has one after the other, at its beginning or end if so marked."""

    parts: tuple[str, ...]
    first: bool
    last: bool

    def fits(self, written: str, wanted: Selected) -> bool:
        """Whether the image, as written, in full or at the target, is blocked."""
        return any(
            self._is_in(name) for name in (written.partition("://")[2] or written, str(wanted.source), wanted.place)
        )

    def _is_in(self, name: str) -> bool:
        *parts, end = self.parts
        if self.last:
            if not name.endswith(end) or (self.first and not parts and name != end):
                return False
            name = name[: len(name) - len(end)]
        else:
            parts.append(end)
        for number, part in enumerate(parts):
            at = name.find(part)
            if at < 0 or (at and not number and self.first):
                return False
            name = name[at + len(part) :]
        return True


def _blocked(names: Value, images: int) -> Iterator[_Blocked | Note]:
    """oc-mirror takes the names for regular expressions. Those of letters, dots, `.*` and anchors are understood.

    They are looked for in time linear in the name, whatever the expression.
    """
    items = items_of(names)
    if len(items) * images > BLOCKED_COMPARISONS:
        raise names.fail(
            f"{len(items)} blocked names for {images} images are over the limit of {BLOCKED_COMPARISONS} together"
        )
    for item in items:
        name = item.get("name")
        text = name.text()
        inner = text.removeprefix("^").removesuffix("$").replace("\\.", ".").split(".*")
        if all(_PLAIN.fullmatch(part) for part in inner):
            yield _Blocked(tuple(inner), text.startswith("^"), text.endswith("$"))
        else:
            yield Note(name.where, "this pattern is not understood, and blocks nothing")


FORMAT = Format("oc-mirror ImageSetConfiguration", _recognises, _read)
