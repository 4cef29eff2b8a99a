"""Reads where images were and where they are now, out of what a run left behind: a report, a plan, a bundle, …"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from transload.app.detect import carried_place, is_carried
from transload.app.job import Job
from transload.app.location import Location, is_local
from transload.app.naming import FILE_SUFFIXES
from transload.app.selection import select
from transload.app.stores import Stores
from transload.catalog.selected import join
from transload.configuration import MovedImage, Relocation
from transload.documents.value import Value
from transload.errors import LocalError, ReferenceInvalid, SelectionEmpty, TargetConflict, UsageError
from transload.files import expanded, local_errors, open_file, read_file
from transload.inventory.file import load_inventory
from transload.limits import REPORT_BYTES, REPORT_VALUES
from transload.oci import Digest, Name, Reference
from transload.oci.cosign import subject_of
from transload.oci.reference import check_registry
from transload.planning.planfile import read_plan
from transload.report.texts import count
from transload.threads import Cancellation
from transload.values import evolve, frozen

_HINT = "name the file that `mirror --report FILE.json` wrote, a saved plan, an inventory, a bundle, or an image set"
_THERE = {"copied", "updated", "unchanged"}


@frozen(kw_only=True)
class Sources:
    """What says which images were moved.

    `words` are reports of runs, saved plans, inventories, bundles, folders, archives; or image sets, catalogs and
    references, whose names are made as `mirror` makes them, with `tag`, `target_tag` and `flatten`. `to` is the target
    that images were pushed to, `pull_from` the name under which clusters read it.

    `registry` and `repository` say where images were published if the words do not know that.
    """

    words: tuple[str, ...]
    to: Location | None = None
    pull_from: Location | None = None
    registry: str | None = None
    repository: str = ""
    tag: str | None = None
    target_tag: str | None = None
    flatten: bool = False


@frozen(kw_only=True)
class _Moved:
    """An image as one of the words tells of it; `source` is None if only its name at the target is known.

    `target` is None in a bundle, which does not know where it was pushed; then `below` is the name below the prefix.
    """

    source: Reference | None
    below: Name
    target: Reference | None = None
    digest: Digest | None = None


def read_relocation(sources: Sources, stores: Stores, cancellation: Cancellation) -> Relocation:
    """Where the images of all words were, and where clusters find them; each image once.

    Raises `UsageError` if the words do not say where the images are, `TargetConflict` for an image that is at two
    places, `SelectionEmpty` if none is left, and what reading the words raises.
    """
    moved: list[_Moved] = []
    notes: list[str] = []
    sets = [word for word in sources.words if not _is_record(word)]
    for word in sources.words:
        if word not in sets:
            moved += _recorded(word, sources, stores, notes)
    if sets:
        moved += _selected(tuple(sets), sources, stores, cancellation)
    images = tuple(_images(moved, sources, notes))
    if not images:
        raise SelectionEmpty(
            "nothing says which image is where", subject=", ".join(sources.words), hint="; ".join(notes) or _HINT
        )
    return Relocation(registry=_registry(images), images=images, notes=tuple(notes))


def _is_record(word: str) -> bool:
    """Whether a word is a file or a store that says what was moved; else it is a set, and names are made of it."""
    path = expanded(word)
    if word.lower().endswith(".json") and path.is_file():
        content = _document(path).content
        return any(key in content for key in ("asked", "targets", "steps", "scoped"))
    return not word.lower().endswith(FILE_SUFFIXES) and is_carried(word)


def _document(path: Path) -> Value:
    with local_errors("reading", path):
        raw = read_file(path, REPORT_BYTES + 1)
    limit, values = REPORT_BYTES, REPORT_VALUES  # those of a report: no other of these files is larger
    return Value.from_json(raw, path.name, limit=limit, values=values, hint=_HINT, is_file=True)


def _recorded(word: str, sources: Sources, stores: Stores, notes: list[str]) -> Iterator[_Moved]:
    path = expanded(word)
    if not word.lower().endswith(".json"):
        return _carried(word, stores)
    root = _document(path)
    if "scoped" in root.content:
        return _inventoried(path)
    if "steps" in root.content:
        return _planned(path)
    return _reported(root, sources, notes)


# --- records of runs


def _reported(root: Value, sources: Sources, notes: list[str]) -> Iterator[_Moved]:
    """The images of a report that are at the target. Raises `UsageError` for a report of several targets."""
    if "targets" in root.content:
        root = _one_target(root, sources)
    target = root.get("target").read(lambda text: check_registry(_registry_target(text)))
    absent = 0
    for image in root.get("images").items():
        if image.get("status").text() not in _THERE:
            absent += 1
            continue
        below = image.get("name").read(Name.parse)
        yield _Moved(
            source=_published(image.get("published").maybe(Value.text) or image.get("source").text()),
            below=below,
            target=Reference(target, below),
            digest=image.get("digest").maybe(lambda value: value.read(Digest)),
        )
    if absent:
        pronoun = "it" if absent == 1 else "them"
        notes.append(f"{count(absent, 'image')} of the report did not arrive, and nothing leads to {pronoun}")


def _one_target(root: Value, sources: Sources) -> Value:
    results = {result.get("name").text(): result for result in root.get("targets").items()}
    if sources.to is not None and str(sources.to) in results:
        return results[str(sources.to)]
    raise UsageError(
        f"the report is of {count(len(results), 'target')}",
        subject=root.document.name,
        hint=f"say which with --to: {', '.join(results)}",
    )


def _registry_target(locator: str) -> str:
    if is_local(locator):
        raise UsageError(
            f"the images are in {locator}, and clusters read from a registry",
            subject=locator,
            hint="name the report of the push to the registry",
        )
    return locator


def _planned(path: Path) -> Iterator[_Moved]:
    with open_file(path) as file:
        plan, _ = read_plan(file)
    target = _registry_target(plan.target)
    for image in plan.images:
        if image.error is None:
            yield _Moved(
                source=_published(image.source_label),
                below=image.target,
                target=Reference(target, image.target),
                digest=image.digest,
            )


def _inventoried(path: Path) -> Iterator[_Moved]:
    inventory = load_inventory(path.read_bytes())
    target = _registry_target(inventory.target)
    for relative, content in inventory.repositories.items():
        for tag, digest in content.tags.items():
            if subject_of(tag) is None:  # signatures of cosign are no images
                name = Name(inventory.full(relative), tag)
                below = Name(relative or name.repository.rpartition("/")[2], tag)
                yield _Moved(source=None, below=below, target=Reference(target, name), digest=digest)


def _carried(word: str, stores: Stores) -> Iterator[_Moved]:
    location = carried_place(word)
    if location.kind == "bundle":
        for entry in stores.bundle(location).ledger.images:
            image = entry.image
            yield _Moved(source=_published(image.source), below=image.name, digest=image.root.digest)
        return
    source = stores.source(location)
    for repository in source.repositories():
        for tag in source.tags(repository):
            name = Name(repository, tag)
            if repository and subject_of(tag) is None:
                yield _Moved(source=None, below=name, digest=source.resolve(name).digest)


def _published(text: str) -> Reference | None:
    """Where an image was published; None if it came out of a local store, which does not know that."""
    if is_local(text):
        return None
    try:
        return Reference.parse(text)
    except ReferenceInvalid:
        return None


# --- sets


def _selected(sets: tuple[str, ...], sources: Sources, stores: Stores, cancellation: Cancellation) -> Iterator[_Moved]:
    """The images of sets, under the names that `mirror` would give them. Raises what `select` raises."""
    where = sources.to or sources.pull_from
    if where is None:
        _check_exists(sets[0])
        raise UsageError(
            f"{sets[0]} does not say where the images are", subject=sets[0], hint="add --to HOST[:PORT][/PREFIX]"
        )
    job = Job(
        sets=sets,
        target=evolve(where, prefix=""),
        source_registry=sources.registry,
        source_repository=sources.repository or None,
        tag=sources.tag,
        target_tag=sources.target_tag,
        flatten=sources.flatten,
    )
    for item in select(job, stores, cancellation).items:
        source = None if is_local(item.source_store) else Reference(item.source_store, item.source)
        yield _Moved(source=source, below=item.target, digest=item.source.digest)


def _check_exists(word: str) -> None:
    if word.lower().endswith(FILE_SUFFIXES) and not expanded(word).exists():
        raise LocalError(f"there is no file {word}", subject=word, hint=_HINT)


# --- names


def _images(moved: Iterable[_Moved], sources: Sources, notes: list[str]) -> Iterator[MovedImage]:
    """Each image once, with the names that pods and clusters use."""
    by_source: dict[str, MovedImage] = {}
    unknown: list[str] = []
    for image in moved:
        target = _read_from(image, sources)
        source = image.source or _assumed(image, target, sources)
        if source is None:
            unknown.append(str(image.below))
            continue
        named = MovedImage(source=source, target=target, digest=image.digest)
        first = by_source.setdefault(str(source), named)
        if first.target != target:
            raise TargetConflict(
                f"{source} is at two places: {first.target} and {target}",
                subject=str(source),
                hint="name the report of one run only",
            )
    if unknown:
        notes.append(
            f"{count(len(unknown), 'image')} left out, since it is not known where they were published: add "
            f"--source-registry and --source-repository ({', '.join(unknown[:3])}{', …' if len(unknown) > 3 else ''})"
        )
    yield from by_source.values()


def _read_from(image: _Moved, sources: Sources) -> Reference:
    """The name under which clusters read an image: what lies below `to` lies below `pull_from` for them."""
    to, pull_from = sources.to, sources.pull_from
    if image.target is None:
        where = to or pull_from
        if where is None:
            raise UsageError(
                "a bundle, folder or archive does not know to which registry it was pushed",
                hint="add --to HOST[:PORT][/PREFIX]",
            )
        target = Reference(where.value, evolve(image.below, repository=join(where.prefix, image.below.repository)))
    else:
        target = image.target
        _check_below(target, to)
    if pull_from is None or (image.target is None and to is None):
        return target
    below = _below(target.name.repository, to.prefix if to else "")
    return Reference(pull_from.value, evolve(target.name, repository=join(pull_from.prefix, below)))


def _check_below(target: Reference, to: Location | None) -> None:
    """Raises `TargetConflict` if the user says that images are elsewhere than the record of them does."""
    if to is None:
        return
    prefix, repository = to.prefix, target.name.repository
    if to.value != target.registry or (prefix and not f"{repository}/".startswith(f"{prefix}/")):
        raise TargetConflict(
            f"the record of the run has {target}, which is not below {to}",
            subject=str(target),
            hint="leave --to out; the name under which clusters read the images is said with --pull-from",
        )


def _below(repository: str, prefix: str) -> str:
    return repository.removeprefix(f"{prefix}/") if prefix else repository


def _assumed(image: _Moved, target: Reference, sources: Sources) -> Reference | None:
    """Where an image was published, from what the user said; None if nothing was said."""
    if sources.registry is None:
        return None
    prefix = sources.to.prefix if sources.to and image.target is not None else ""
    repository = join(sources.repository, _below(image.below.repository, prefix))
    return Reference(sources.registry, Name(repository, target.name.tag, image.below.digest))


def _registry(images: Sequence[MovedImage]) -> str:
    registries = sorted({image.target.registry for image in images})
    if len(registries) > 1:
        raise UsageError(
            f"the images are at several registries: {', '.join(registries)}", hint="write one configuration for each"
        )
    return registries[0]
