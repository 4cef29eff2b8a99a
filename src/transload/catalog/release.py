"""One release of a product: its tag, its images, and how sure the list is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from transload.catalog.selected import Selected
from transload.errors import DocumentInvalid
from transload.oci.reference import check_repository, check_tag
from transload.values import field, frozen

Basis = Literal["listed", "established", "inferred", "discovered"]
"""Where a list of images comes from: `listed` by the vendor's own tool, `established` by looking at the registry,
`inferred` from neighbouring releases, `discovered` at the source in this run."""

BASES: tuple[Basis, ...] = ("listed", "established", "inferred", "discovered")
_DAY = re.compile(r"(?<![0-9])[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])")
_DATE = re.compile(r"[0-9]{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?")


def day_in(tag: str) -> str | None:
    """The date in a tag, if it has one.

    >>> day_in("v1.46.0_2026-05-12")
    '2026-05-12'
    """
    match = _DAY.search(tag)
    return match.group() if match and _DATE.fullmatch(match.group()) else None


@frozen(kw_only=True)
class Release:
    """A set of images that belong together, all under one tag.

    `images` are paths under the catalog's repository. `list_name` is the catalog's list that they come from, empty if
    the release has a list of its own. `date` is ISO 8601, as precise as it is known: year, month or day. `facts` are
    versions of what belongs to the release, such as `chart`. `known` is False for a release seen only at the source:
    its images are then those of the newest release that the catalog knows.

    `selected` are the images of a release of an image set, each with a registry and a tag of its own; `images` are then
    their paths at the target, and `tag` is the name of the release.
    """

    tag: str = field(converter=check_tag)
    images: tuple[str, ...]
    list_name: str = ""
    basis: Basis = "listed"
    name: str = ""
    date: str | None = None
    note: str = ""
    facts: Mapping[str, str] = field(factory=dict, hash=False)
    known: bool = True
    selected: tuple[Selected, ...] = ()

    def __attrs_post_init__(self) -> None:
        for image in self.images:
            check_repository(image)
        if self.date is not None and not _DATE.fullmatch(self.date):
            raise DocumentInvalid(f"{self.date[:40]!r} is not a date", hint="write YYYY-MM-DD, YYYY-MM or YYYY")

    def answers_to(self, text: str) -> bool:
        """Whether `text` is this release's tag or name, or the tag's beginning up to a full part, with or without v.

        `v1.46.0_2026-05-12` answers to `1.46` and `v1.46.0`, but not to `1.4`.
        """
        if text == self.tag or (self.name and text.lower() == self.name.lower()):
            return True
        short, full = text.removeprefix("v"), self.tag.removeprefix("v")
        return bool(short) and (full == short or full.startswith(tuple(short + mark for mark in "._-")))


@frozen
class CompanionImage:
    """An artifact published beside the images under a tag of its own, which is one of the release's facts.

    It is always optional: a release without the fact has no companion, and it is no failure if the source lacks it.
    """

    image: str = field(converter=check_repository)
    tag_fact: str
