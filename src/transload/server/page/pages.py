"""Makes the pages of one store. All of it blocks, so it runs in the threads of the server.

A list costs what its page shows, not what the store holds: names are in memory, images of a page are read once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from transload.clock import Clock
from transload.errors import AccessError, ManifestUnknown, NotFound, Refused, TransloadError
from transload.expressions import late
from transload.limits import PAGE_COMPONENTS, PAGE_DOCUMENT_BYTES, PAGE_LOOK_BYTES
from transload.oci import Descriptor, Digest, Name
from transload.oci.cosign import subject_of
from transload.oci.referrers import is_fallback
from transload.pages import Page, render
from transload.server.about import About
from transload.server.backend import Backend
from transload.server.page import asked, kinds, pulling
from transload.server.page.image import image_of
from transload.server.page.known import Images, Known
from transload.server.page.names import Names
from transload.server.page.paging import Listing, Wish, listing
from transload.server.page.parts import Component, Inside, inside
from transload.server.page.reading import NotShown, content_of
from transload.server.page.trouble import said
from transload.values import evolve, frozen
from transload.wording import whole_number

_ROWS = 50
_COMPONENTS = 100
_BARE = 50  # tags without a repository that are named
_KEPT_COMPONENTS = 2 * PAGE_COMPONENTS
_DIGITS = late(r"([0-9]{1,18})")
_VERSION = late(r"[vV]?[0-9]{1,18}(?:[._][0-9]{1,18})*")
_CANDIDATE = late(r"[-._+~]?(?:rc|alpha|beta|pre|dev|a|b)[-._]?[0-9]")
_DAY = late(r"(\d{4}-\d\d-\d\d)T")
_NEVER = "1980-01-02"  # tools that make the same image twice write a date before


@frozen(kw_only=True)
class RepositoryRow:
    """A repository in the list; `tags` is None if counting them would cost requests. `highest` is by its number."""

    name: str
    address: str
    tags: int | None = None
    highest: Name | None = None


@frozen(kw_only=True)
class ImageRow:
    """An image in the list of a repository."""

    name: Name
    address: str
    digest: Digest | None = None
    known: Known | None = None
    companion: bool = False
    incomplete: bool = False
    trouble: str = ""


class Pages:
    """The pages of the store behind `backend`; `about` says what is known of it as a whole. Safe for threads."""

    def __init__(self, backend: Backend, about: Callable[[], About], clock: Clock) -> None:
        self._backend = backend
        self._about = about
        self._names = Names(backend.store, clock)
        self._images = Images(backend.store)
        self._documents = _Documents()

    def page(self, path: str, query: Mapping[str, str], place: pulling.Place) -> Page:
        """The page at a path. Raises `NotFound`, `PartMissing`, and what reading the store raises."""
        wanted = asked.page_at(path)
        wish = Wish.of(query)
        if wanted.name is None:
            return self._front(wish, place)
        if wanted.kind == "repository":
            return self._repository(wanted.name.repository, wish, place)
        if wanted.kind == "image":
            return self._image(wanted.name, place)
        return self._document(wanted.name, query, wish, place)

    # --- the list of repositories

    def _front(self, wish: Wish, place: pulling.Place) -> Page:
        about, trouble = self._about(), ""
        names: list[str] = []
        bare: list[str] = []
        try:
            listed = self._names.repositories()
            names = sorted(filter(None, listed))
            bare = self._names.tags("") if "" in listed else []
        except (Refused, AccessError):
            trouble = "This store gives no list of its repositories. Write the whole name of one to open it."
        found = listing(names, wish, _ROWS, lambda name: (name,))
        rows = [self._repository_row(name) for name in found.rows]
        return self._made(
            "front.html",
            title=place.host,
            place=place,
            about=about,
            rows=rows,
            list=found,
            trouble=trouble,
            guess=asked.image_address(wish.words) or (asked.repository_address(wish.words) if trouble else None),
            bare=list(self._bare(bare[:_BARE])),
            bare_count=len(bare),
            address=asked.address_of,
            login=pulling.login(place),
        )

    def _bare(self, tags: list[str]) -> Iterator[tuple[str, str]]:
        """Tags without a repository, each with the page of its image: any repository leads to a digest in one pool."""
        for tag in tags:
            try:
                name = Name("image", None, self._backend.store.resolve(Name("", tag)).digest)
            except TransloadError:
                yield tag, ""
            else:
                yield tag, asked.address_of("image", name)

    def _repository_row(self, repository: str) -> RepositoryRow:
        store, address = self._backend.store, asked.address_of("repository", Name(repository))
        if store.request_costs is not None:
            return RepositoryRow(name=repository, address=address)
        try:
            tags = [tag for tag in self._names.tags(repository) if not is_companion(tag)]
        except NotFound:
            tags = []
        highest = Name(repository, max(tags, key=by_number)) if tags else None
        return RepositoryRow(name=repository, address=address, tags=len(tags), highest=highest)

    # --- one repository

    def _repository(self, repository: str, wish: Wish, place: pulling.Place) -> Page:
        names = [Name(repository, tag) for tag in self._names.tags(repository)]
        names.sort(key=lambda name: by_number(name.tag or ""), reverse=True)
        names.sort(key=lambda name: is_companion(name.tag))
        names += self._names.untagged(repository)
        found = listing(names, wish, _ROWS, lambda name: (name.tag or "", name.digest or ""))
        incomplete = self._about().incomplete
        rows = [evolve(self._row(name), incomplete=name in incomplete) for name in found.rows]
        return self._made(
            "repository.html", title=repository, place=place, repository=repository, rows=rows, list=found
        )

    def _row(self, name: Name) -> ImageRow:
        address, store = asked.address_of("image", name), self._backend.store
        row = ImageRow(name=name, address=address, companion=is_companion(name.tag), digest=name.digest)
        if store.request_costs is not None:
            return row
        try:
            row = evolve(row, digest=name.digest or store.resolve(name).digest)
            return evolve(row, known=self._images.known(name, row.digest)) if row.digest else row
        except TransloadError as error:
            return evolve(row, trouble=said(error, store.locator))

    # --- one image, and a document in it

    def _image(self, name: Name, place: pulling.Place) -> Page:
        image = image_of(self._backend, self._images, name, self._look)
        return self._made(
            "image.html",
            title=str(name),
            place=place,
            image=image,
            incomplete=self._is_incomplete(image.name),
            repository=name.repository,
            forms=pulling.forms(place, image.name, kind=image.kind),
            login=pulling.login(place),
            raw=f"/v2/{name.repository}/manifests/{image.digest}",
            blobs=f"/v2/{name.repository}/blobs/",
            address=asked.address_of,
            home=Name(name.repository),
        )

    def _is_incomplete(self, name: Name) -> bool:
        """Whether some of an image is known to be missing, by whichever of its names it was opened."""
        lost = [each for each in self._about().incomplete if each.repository == name.repository]
        return any(self._backend.store.resolve(each).digest == name.digest for each in lost)

    def _document(self, name: Name, query: Mapping[str, str], wish: Wish, place: pulling.Place) -> Page:
        manifest = self._backend.store.fetch(name)
        number = whole_number(query.get("layer", "0"))
        if number is None or number >= len(manifest.layers):
            raise ManifestUnknown("this artifact has no such part")
        layer = manifest.layers[number]
        document: Inside | None = None
        trouble = ""
        try:
            document = self._documents.read(
                layer.digest,
                lambda: content_of(self._backend.store, name.repository, layer, PAGE_DOCUMENT_BYTES),
            )
        except (NotShown, TransloadError) as error:
            trouble = said(error, self._backend.store.locator)
        components: Listing[Component] | None = None
        if document is not None and document.components is not None:
            components = listing(document.components, wish, _COMPONENTS, _texts, more={"layer": str(number)})
        return self._made(
            "document.html",
            title=str(name),
            heading=_heading(document),
            place=place,
            name=name,
            repository=name.repository,
            number=number,
            subject=name.at(manifest.subject.digest) if manifest.subject else None,
            layer=layer,
            document=document,
            list=components,
            trouble=trouble,
            raw=f"/v2/{name.repository}/blobs/{layer.digest}",
            address=asked.address_of,
            home=Name(name.repository),
        )

    def _look(self, repository: str, layer: Descriptor) -> str:
        """What a document is, by reading it, if that costs little."""
        store = self._backend.store
        if store.request_costs is not None or layer.size > PAGE_LOOK_BYTES:
            return ""
        try:
            read = self._documents.read(layer.digest, lambda: content_of(store, repository, layer, PAGE_LOOK_BYTES))
        except (NotShown, TransloadError):
            return ""
        return kinds.of_document(read.predicate, read.form, is_bill=read.components is not None)

    def error(self, status: int, sentence: str, place: pulling.Place) -> Page:
        """The page for a request that has no other answer."""
        title = _TITLES.get(status, "This did not work")
        return self._made("error.html", title=title, place=place, sentence=f"{sentence[:1].upper()}{sentence[1:]}.")

    def _made(self, template: str, **values: Any) -> Page:
        return render(
            f"serve/{template}",
            styles=("serve/serve.css",),
            scripts=("copy.js",),
            connect="'self'",
            day=day,
            **values,
        )


def _heading(document: Inside | None) -> str:
    if document is None or (document.components is None and not document.predicate):
        return "Document"
    return "Attestation" if document.components is None else "SBOM"


_TITLES = {401: "A login is needed", 403: "This may not be read", 404: "Not found", 503: "Try again"}


class _Documents:
    """Documents that were read, at most so many components in all. One is read at a time: it takes much memory.

    What cannot be shown is remembered too, so that asking for it again and again costs nothing.
    """

    def __init__(self) -> None:
        self._known: dict[Digest, Inside | NotShown] = {}
        self._turn = threading.Lock()

    def read(self, digest: Digest, load: Callable[[], bytes]) -> Inside:
        """The document with this digest. Raises `NotShown`, and what loading it raises."""
        with self._turn:
            known = self._known.pop(digest, None)
            if known is None:
                try:
                    known = inside(load())
                except NotShown as error:
                    known = error.with_traceback(None)
            self._known[digest] = known
            while sum(map(_weight, self._known.values())) > _KEPT_COMPONENTS:
                self._known.pop(next(iter(self._known)))
        if isinstance(known, NotShown):
            raise NotShown(str(known))
        return known


def _weight(document: Inside | NotShown) -> int:
    return 200 + (len(document.components or document.lines) if isinstance(document, Inside) else 0)


def _texts(component: Component) -> tuple[str, ...]:
    return component.name, component.version, component.licence, component.purl, component.kind


def is_companion(tag: str | None) -> bool:
    """Whether a tag is one of cosign's, or a list of referrers: what it holds is shown with the image."""
    return tag is not None and (subject_of(tag) is not None or is_fallback(tag))


def day(created: str) -> str:
    """The day of a date; empty for what is none, or one that tools write to make the same image twice.

    >>> day("2024-05-06T07:08:09Z"), day("1970-01-01T00:00:00Z"), day("soon")
    ('2024-05-06', '', '')
    """
    form = _DAY.match(created)
    return form[1] if form and form[1] >= _NEVER else ""


def by_number(tag: str) -> tuple[bool, tuple[int, ...], bool, tuple[tuple[int, str], ...]]:
    """What tags are compared by: versions above words, their numbers as numbers, and a release above its candidates.

    >>> sorted(["v1.10", "latest", "v1.9", "v1.9-rc1", "1.9-alpine"], key=by_number)
    ['latest', 'v1.9-rc1', 'v1.9', '1.9-alpine', 'v1.10']
    """
    version = _VERSION.match(tag)
    numbers = tuple(map(int, _DIGITS.findall(version[0]))) if version else ()
    rest = tag[version.end() :] if version else tag
    parts = tuple((int(part), "") if part.isdigit() else (-1, part) for part in _DIGITS.split(rest) if part)
    return version is not None, numbers, not _CANDIDATE.match(rest), parts
