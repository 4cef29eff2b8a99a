"""A product: where its releases are published, which images belong to each, and which one is the newest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from transload.catalog import difference
from transload.catalog.offer import Offer
from transload.catalog.release import CompanionImage, Release, day_in
from transload.catalog.selected import Selected, join
from transload.catalog.tagorder import VERSION_PATTERN, Order, TagOrder
from transload.catalog.tagpattern import check_pattern
from transload.catalog.words import NEWEST
from transload.errors import DocumentInvalid, ImageUnknown, ReleaseUnknown, UsageError
from transload.oci import Name, Reference
from transload.oci.reference import check_registry, check_repository, check_tag
from transload.values import Factory, field, frozen
from transload.wording import hint

if TYPE_CHECKING:
    from transload.catalog.difference import Difference, Published

_OTHER_SIGNS = (",", ":", "-", "–", "/", " ")


@frozen(kw_only=True)
class Catalog:
    """A product's releases, oldest first. Raises `DocumentInvalid`, `ReferenceInvalid` when contradictory.

    `repository` is the prefix at the vendor's `registry`, empty for none. `anchor` is the image whose tags say
    which releases a registry has. `tag_pattern` says which tags look like releases (see `TagOrder`). Without it,
    version order uses `VERSION_PATTERN`, and in listed order only listed tags are releases.

    A parameter `tags` always means the tags that the source really has on the anchor image.

    `title` and `note` are for people. `companions` are artifacts beside the images, such as a chart. `order` is
    `version` or `listed`. The file format is docs/formats/catalog.md.

    An image set with releases is a catalog, too, whose releases have `selected` images. Then `registry` is that of one
    of them. `notes` are those of `ImageSet`.
    """

    name: str
    registry: str = field(converter=check_registry)
    repository: str
    releases: tuple[Release, ...]
    title: str = ""
    anchor: str = ""
    companions: tuple[CompanionImage, ...] = ()
    order: Order = "version"
    tag_pattern: str | None = None
    note: str = ""
    notes: tuple[str, ...] = ()
    _tags: TagOrder = field(init=False, repr=False, eq=False, default=Factory(lambda self: _order(self), True))

    def __attrs_post_init__(self) -> None:
        if self.repository:
            check_repository(self.repository)
        for tag in {tag for release in self.releases for tag in self.companions_of(release).values()}:
            check_tag(tag)
        if not any(self._tags.key(release.tag) for release in self.releases):
            raise DocumentInvalid(f"catalog {self.name} has no release", subject=self.name)
        if self.anchor and self.anchor not in self.newest().images:
            raise DocumentInvalid(
                f"the anchor {self.anchor!r} is not an image of the newest release",
                hint=hint(self.anchor, self.newest().images),
            )

    @property
    def is_set(self) -> bool:
        """Whether it is an image set with releases: it lists all there are, and no source is asked for more."""
        return all(release.selected for release in self.releases)

    @property
    def registries(self) -> frozenset[str]:
        """Where the images of all releases are published."""
        of_sets = {image.source.registry for release in self.releases for image in release.selected}
        return frozenset(of_sets or {self.registry})

    @property
    def anchor_image(self) -> str:
        """The image whose tags say which releases a registry has: `anchor`, else the newest list's first image."""
        return self.anchor or self.newest().images[0]

    def anchor_repository(self, repository: str | None = None) -> str:
        """The anchor's full path under the catalog's prefix or another one."""
        return join(self.repository if repository is None else repository, self.anchor_image)

    # --- which release

    def newest(self, tags: Iterable[str] | None = None) -> Release:
        """The newest release that the catalog knows; with `tags`, the newest one at the source, known or not.

        Raises `ReleaseUnknown` when none of `tags` is a release.
        """
        if tags is None:
            newest_first = self._tags.newest_first(release.tag for release in self.releases)
        else:
            newest_first = self._tags.newest_first(tags)
        if not newest_first:
            raise ReleaseUnknown(
                f"the source has no release of {self.name}",
                subject=self.name,
                hint=f"its image {self.anchor_image} carries no tag that looks like a release; check the repository",
            )
        return self.assume(newest_first[0])

    def release(self, text: str, tags: Iterable[str] | None = None) -> Release:
        """The release that `text` means: its tag, its name, the tag's beginning (`1.46`), or `newest`.

        `tags` adds releases that the catalog does not know. Raises `ReleaseUnknown` with close matches, also if `text`
        could mean several.
        """
        matches = self._matching(text, tags)
        if len(matches) == 1:
            return matches[0]
        tags_shown = ", ".join(release.tag for release in matches[:8])
        raise ReleaseUnknown(
            f"{text!r} could be {len(matches)} releases of {self.name}",
            subject=text,
            hint=f"write one of them in full: {tags_shown}",
        )

    def _matching(self, text: str, tags: Iterable[str] | None) -> list[Release]:
        """Every release that `text` could mean, newest first. Raises `ReleaseUnknown` with close matches if none."""
        if text == NEWEST:
            return [self.newest(tags)]
        candidates = self._candidates(tags)
        matches = [release for release in candidates if release.tag == text]
        matches = matches or [release for release in candidates if release.answers_to(text)]
        if not matches:
            names = [name for release in candidates for name in (release.tag, release.name) if name]
            raise ReleaseUnknown(
                f"{self.name} has no release {text[:140]!r}",
                subject=text,
                hint=_meant_range(text, candidates) or hint(text, names, what="the newest are"),
            )
        return matches

    def assume(self, tag: str) -> Release:
        """The release with exactly this tag; one that the catalog does not know gets the newest known list.

        For a tag that surely exists. `Release.known` says whether the catalog knows it. Raises `ReferenceInvalid`.
        """
        for release in self.releases:
            if release.tag == tag:
                return release
        like = self.newest()
        return Release(
            tag=tag,
            images=like.images,
            list_name=like.list_name,
            basis="inferred",
            date=day_in(tag),
            note=f"those of {like.tag}, since the catalog does not have this release",
            known=False,
        )

    def releases_in(self, text: str, tags: Iterable[str] | None = None) -> tuple[Release, ...]:
        """One release, or with `FROM..TO` every release between the two, both included, oldest first.

        Without FROM the range begins with the oldest, without TO it ends with the newest. Where FROM or TO could mean
        several releases, as `1.46` can, all of them are in it. Raises `ReleaseUnknown`; `UsageError` if FROM is newer
        than TO, or if this is no range.
        """
        tags = None if tags is None else list(tags)
        first, dots, last = (part.strip() for part in text.partition(".."))
        if not dots:
            return (self.release(text, tags),)
        if ".." in last or last.startswith("."):
            ends = [end.strip(" .") for end in (first, last.rpartition("..")[2])]
            raise UsageError(f"{text[:140]!r} is not a range", hint=f"a range is written FROM..TO: {'..'.join(ends)}")
        oldest_first = list(reversed(self._candidates(tags)))
        start = oldest_first.index(self._matching(first, tags)[-1]) if first else 0
        end = oldest_first.index(self._matching(last, tags)[0]) if last else len(oldest_first) - 1
        if start > end:
            raise UsageError(
                f"the range {text} is empty, since {first} is newer than {last}", hint=f"write {last}..{first}"
            )
        return tuple(oldest_first[start : end + 1])

    def releases_at_source(self, tags: Iterable[str]) -> tuple[Offer, ...]:
        """The releases among the source's `tags`, newest first.

        Tags that neither look like a release nor are in the catalog are left out.
        """
        return tuple(Offer(release=self.assume(tag)) for tag in self._tags.newest_first(tags))

    def oldest_first(self, releases: Iterable[Release]) -> tuple[Release, ...]:
        """The same releases, each once, oldest first; one whose place is not known comes last."""
        by_tag = {release.tag: release for release in releases}
        ordered = self._tags.newest_first(by_tag)[::-1]
        return tuple(by_tag[tag] for tag in (*ordered, *(tag for tag in by_tag if tag not in ordered)))

    def newest_first(self, tags: Iterable[str]) -> list[str]:
        """Those of `tags` that are releases, each once, newest first."""
        return self._tags.newest_first(tags)

    def _candidates(self, tags: Iterable[str] | None) -> list[Release]:
        known = (release.tag for release in self.releases)
        return [self.assume(tag) for tag in self._tags.newest_first([*known, *(tags or ())])]

    # --- which images

    def select(
        self,
        release: Release,
        *,
        registry: str | None = None,
        repository: str | None = None,
        images: Sequence[str] = (),
        target_tag: str | None = None,
        companions: bool = True,
    ) -> tuple[Selected, ...]:
        """The images of `release`, each directly under the target's prefix.

        `registry` and `repository` replace the vendor's, `images` keeps only these, `target_tag` is the images' tag at
        the target (companions keep their own). Raises `ImageUnknown` with close matches.

        Of a release of an image set, only `images` counts: its images say the rest themselves.
        """
        if release.selected:
            self.check_images(images, [release])
            return tuple(image for image in release.selected if not images or image.repository in images)
        host = self.registry if registry is None else registry
        prefix = self.repository if repository is None else repository

        def selected_as(image: str, tag: str, target: str, optional: bool) -> Selected:
            return Selected(Reference(host, Name(join(prefix, image), tag)), image, target, optional)

        wanted = [selected_as(image, release.tag, target_tag or release.tag, False) for image in release.images]
        companion_tags = self.companions_of(release)
        if companions or images:
            wanted += [selected_as(image, tag, tag, True) for image, tag in companion_tags.items()]
        self.check_images(images, [release])
        return tuple(selected for selected in wanted if not images or selected.repository in images)

    def companions_of(self, release: Release) -> dict[str, str]:
        """The companions of `release`, each with its own tag."""
        return {
            companion.image: release.facts[companion.tag_fact]
            for companion in self.companions
            if companion.tag_fact in release.facts and companion.image not in release.images
        }

    def check_images(self, images: Iterable[str], releases: Iterable[Release]) -> None:
        """Check that each image belongs to one of `releases`. Raises `ImageUnknown` with close matches."""
        releases = list(releases)
        known = [name for release in releases for name in (*release.images, *self.companions_of(release))]
        for image in images:
            if image not in known:
                tags = ", ".join(release.tag for release in releases[:3]) + (" …" if len(releases) > 3 else "")
                raise ImageUnknown(
                    f"{self.name} {tags} lists no image {image[:140]!r}",
                    subject=image,
                    hint=hint(image, known, what="its images are"),
                )

    def difference(self, release: Release, published: Published, *, repository: str | None = None) -> Difference:
        """The difference between the list of `release` and what the source publishes under its tag."""
        return difference.compare(release, self.repository if repository is None else repository, published)

    def discovered(self, release: Release, published: Published, *, repository: str | None = None) -> Release:
        """`release` with the images that the source really has."""
        return difference.discovered(release, self.repository if repository is None else repository, published)


def _meant_range(text: str, releases: Iterable[Release]) -> str | None:
    """A hint for a range with another sign in it, such as `1.40-1.46` or `1.40,1.46`; None if it is none."""
    releases = list(releases)
    for sign in _OTHER_SIGNS:
        ends = [end.strip() for end in text.split(sign)]
        if len(ends) == 2 and all(any(release.answers_to(end) for release in releases) for end in ends):
            return f"a range is written {'..'.join(ends)}"
    return None


def _order(catalog: Catalog) -> TagOrder:
    pattern = catalog.tag_pattern or (VERSION_PATTERN if catalog.order == "version" else None)
    positions = {release.tag: position for position, release in enumerate(catalog.releases)}
    return TagOrder(catalog.order, check_pattern(pattern) if pattern else None, positions)
