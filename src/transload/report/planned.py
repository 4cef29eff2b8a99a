"""A plan for people, as a table that fits their terminal, and for programs, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from transload.report.chosen import chosen_json, chosen_lines, explained_lines
from transload.report.problem import Problem, of_several, problem_lines, without_subject
from transload.report.styled import Meaning, Styled, folded
from transload.report.texts import count, one_line, shared_folder, shared_tag, shortened, size
from transload.report.trusted import NOBODY, Trusted, signed_lines
from transload.values import frozen

if TYPE_CHECKING:
    from transload.catalog.ruled import Choice
    from transload.errors import Side
    from transload.planning.additions import Addition
    from transload.planning.plan import Plan, PlannedImage, Share, Status

PLAN_FORMAT = 1
_WIDEST = 120
_NARROW = 60  # below this only name, status and bytes are left
_NAME_LEAST = 12
_MEANINGS: dict[Status, Meaning] = {
    "new": "good",
    "changed": "good",
    "unchanged": "faint",
    "missing": "warn",
    "failed": "bad",
}
_ORDER: tuple[Status, ...] = ("new", "changed", "unchanged", "missing", "failed")


def planned_lines(
    plan: Plan,
    width: int | None = None,
    notes: Iterable[str] = (),
    choices: Sequence[Choice] = (),
    additions: Sequence[Addition] = (),
    *,
    explained: bool = False,
    trusted: Mapping[str, Trusted] = NOBODY,
) -> list[Styled]:
    """The table, its totals, notes and problems. With `width` None, names are never shortened.

    `notes` are about the whole plan, such as how a catalog differs from what is published. `choices` are what rules for
    tags chose: how many of how many, and if `explained`, each tag with the reason. `additions` are what each of several
    releases adds to those before it. `trusted` is what a policy says of the images, by their names at the target.
    """
    folder, tag = _shared(plan, width)
    named = {id(image): one_line(image.label.removeprefix(folder).removesuffix(tag)) for image in plan.images}
    rows = [_Row.of(image, named[id(image)]) for image in plan.images]
    shared = f", as {folder}…{tag}" if folder or tag else ""
    heading = folded("Plan: ", f"{count(len(rows), 'image')} to {plan.target}{shared}", width, "strong")
    general = [line for note in notes for line in folded("note:     ", one_line(note), width, "warn")]
    noted = [
        line for images in _alike(plan) for line in _noted(images, plan, [named[id(image)] for image in images], width)
    ]
    totals = [*_totals(plan, width), *_additions(additions, width), *chosen_lines(choices, width)]
    verdicts = explained_lines(choices) if explained else ()
    signed = signed_lines(trusted, {image.label: named[id(image)] for image in plan.images}, width)
    return [*heading, Styled(), *_table(rows, width), Styled(), *totals, *signed, *general, *noted, *verdicts]


def planned_totals(
    plan: Plan,
    width: int | None = None,
    notes: Iterable[str] = (),
    choices: Sequence[Choice] = (),
    additions: Sequence[Addition] = (),
) -> list[Styled]:
    """The totals without the table, as shown before a run; the rest as in `planned_lines`."""
    what = "Plan: " if plan.share is None else f"Share {plan.share} of a plan: blobs of "
    heading = folded(what, f"{count(len(plan.images), 'image')} to {plan.target}", width, "strong")
    general = [line for note in notes for line in folded("note:     ", one_line(note), width, "warn")]
    image_notes = dict.fromkeys(note for image in plan.images for note in image.notes)
    return [
        *heading,
        *_totals(plan, width),
        *_additions(additions, width),
        *chosen_lines(choices, width),
        *general,
        *(line for note in image_notes for line in folded("note:     ", one_line(note), width, "warn")),
    ]


@frozen
class Totals:
    """What is shown of a plan before its run: see `planned_totals`."""

    plan: Plan
    notes: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    additions: tuple[Addition, ...] = ()

    def lines(self, width: int | None) -> list[Styled]:
        """For people."""
        return planned_totals(self.plan, width, self.notes, self.choices, self.additions)


def planned_json(
    plan: Plan,
    notes: Iterable[str] = (),
    choices: Iterable[Choice] = (),
    additions: Iterable[Addition] = (),
    trusted: Mapping[str, Trusted] = NOBODY,
) -> dict[str, Any]:
    """The `plan` object of docs/formats/json-output.md."""
    return {
        "format": PLAN_FORMAT,
        "target": plan.target,
        "sources": list(plan.sources),
        "images": [_image_json(image, plan, trusted.get(image.label)) for image in plan.images],
        "tags": [chosen_json(choice) for choice in choices],
        "releases": [_addition_json(addition) for addition in additions],
        "notes": list(notes),
        **({"share": plan.share.to_json()} if plan.share else {}),
        "totals": {
            "images": {"all": len(plan.images), **{status: plan.count(status) for status in _ORDER}},
            **_shares_json(plan),
            "requests": {
                "source": plan.requests.source,
                "target": plan.requests.target,
                "at_least": sorted(plan.requests.at_least),
                "asked": {"source": plan.asked.source, "target": plan.asked.target},
            },
        },
    }


def share_json(share: Share) -> dict[str, int]:
    """A count of blobs and their bytes."""
    return {"blobs": share.blobs, "bytes": share.bytes}


# --- for people


@frozen(kw_only=True)
class _Row:
    """The cells of one image; empty where the number is 0."""

    name: str
    status: Status
    excused: bool
    blobs: str
    bytes: str
    mount: str
    present: str

    @classmethod
    def of(cls, image: PlannedImage, name: str) -> _Row:
        return cls(
            name=name,
            status=image.status,
            excused=image.excused,
            blobs=_number(image.copied.blobs),
            bytes=size(image.copied.bytes) if image.copied.blobs else "",
            mount=_number(image.mounted.blobs),
            present=_number(image.present.blobs),
        )


def _number(blobs: int) -> str:
    return f"{blobs:,}" if blobs else ""


def _table(rows: list[_Row], width: int | None) -> Iterator[Styled]:
    narrow = width is not None and width < _NARROW
    tail = 22 if narrow else 43
    longest = max((len(row.name) for row in rows), default=0)
    room = longest if width is None else max(min(longest, min(width, _WIDEST) - 1 - tail), _NAME_LEAST)
    room = max(room, len("image"))
    columns = (
        f"{'status':<9}  {'copy':>9}"
        if narrow
        else f"{'status':<9}  {'blobs':>5} {'copy':>9}  {'mount':>5}  {'there':>5}"
    )
    yield Styled.of((f"{'image':<{room}}  {columns}", "faint"))
    for row in rows:
        name = f"{shortened(row.name, room):<{room}}  "
        meaning: Meaning = "faint" if row.excused else _MEANINGS[row.status]
        rest = f"  {row.bytes:>9}" if narrow else f"  {row.blobs:>5} {row.bytes:>9}  {row.mount:>5}  {row.present:>5}"
        yield Styled.of(name, (f"{row.status:<9}", meaning), rest)


def _totals(plan: Plan, width: int | None) -> Iterator[Styled]:
    counted = [f"{plan.count(status):,} {status}" for status in _ORDER if plan.count(status)]
    if plan.share is None:
        yield from folded("images:   ", ", ".join(counted) or "none", width, "faint")
    shares = (("copy", plan.copied), ("mount", plan.mounted), ("already there", plan.present))
    phrases = [f"{what} {count(share.blobs, 'blob')} ({size(share.bytes)})" for what, share in shares if share.blobs]
    nothing = "as the engine finds it" if plan.is_elsewhere else "nothing to copy"
    yield from folded("content:  ", ", ".join(phrases) or nothing, width, "faint")
    if requests := requests_of(plan):
        yield from folded("requests: ", requests, width, "faint")


def requests_of(plan: Plan) -> str:
    """What each side was asked to make the plan, and what its steps will ask, in words; empty if nothing is asked."""
    sides: tuple[tuple[Side, int, int], ...] = (
        ("source", plan.asked.source, plan.requests.source),
        ("target", plan.asked.target, plan.requests.target),
    )
    phrases = []
    for side, asked, to_come in sides:
        if asked or to_come:
            least = "at least " if side in plan.requests.at_least else ""
            phrases.append(f"{side} {asked:,} so far, {least}{to_come:,} to come")
    return "; ".join(phrases)


def _additions(additions: Sequence[Addition], width: int | None) -> Iterator[Styled]:
    """How little each further release adds: `v1.45.0: 3.2 GiB; v1.46.0: + 410 MiB`."""
    if not any(addition.copied.blobs for addition in additions):
        return
    catalogs = {addition.catalog for addition in additions}
    phrases = []
    for number, addition in enumerate(additions):
        name = addition.tag if len(catalogs) == 1 else f"{addition.catalog} {addition.tag}"
        amount = size(addition.copied.bytes) if addition.copied.blobs else "nothing"
        phrases.append(f"{name}: {'+ ' if number and addition.copied.blobs else ''}{amount}")
    yield from folded("releases: ", "; ".join(phrases), width, "faint")


def _alike(plan: Plan) -> Iterable[list[PlannedImage]]:
    """Groups of images with the same notes and the same problem. Missing images differ only by their names."""
    groups: dict[tuple[tuple[str, ...], Problem | None, bool], list[PlannedImage]] = {}
    for image in plan.images:
        problem = _problem(image, plan) if image.error else None
        problem = problem.not_published() if problem and image.status == "missing" else problem
        groups.setdefault((image.notes, problem and without_subject(problem), image.excused), []).append(image)
    return groups.values()


def _noted(images: list[PlannedImage], plan: Plan, names: list[str], width: int | None) -> Iterator[Styled]:
    """Notes and the problem, once for all images that share them."""
    image = images[0]
    if not image.notes and image.error is None:
        return
    yield Styled()
    yield from (Styled.of((name, "strong")) for name in names)
    for note in image.notes:
        yield from folded("  note: ", one_line(note), width, "warn")
    if image.error is not None and image.excused:
        yield Styled.of("  missing at the source, as allowed")
    elif image.error is not None:
        problem = _problem(image, plan) if len(images) == 1 else of_several(_problem(image, plan))
        yield from problem_lines(
            problem.not_published() if image.status == "missing" and len(images) > 1 else problem, width, indent="  "
        )


def _shared(plan: Plan, width: int | None) -> tuple[str, str]:
    """The folder and tag that all names share: the heading has them once. The tag only if the width is limited."""
    labels = [image.label for image in plan.images]
    return shared_folder(labels), shared_tag(labels) if width is not None else ""


# --- for programs


def _image_json(image: PlannedImage, plan: Plan, trusted: Trusted | None) -> dict[str, Any]:
    return {
        "name": image.label,
        "source": image.source_label,
        "status": image.status,
        "digest": image.digest,
        "source_digest": image.source_digest,
        "copy": share_json(image.copied),
        "mount": share_json(image.mounted),
        "present": share_json(image.present),
        "notes": list(image.notes),
        "excused": image.excused,
        "problem": None if image.error is None else _problem(image, plan).to_json(),
        **({"trust": trusted.to_json()} if trusted else {}),
    }


def _addition_json(addition: Addition) -> dict[str, Any]:
    return {
        "catalog": addition.catalog,
        "tag": addition.tag,
        "images": addition.images,
        "copy": share_json(addition.copied),
    }


def _shares_json(plan: Plan) -> dict[str, Any]:
    return {
        "copy": share_json(plan.copied),
        "mount": share_json(plan.mounted),
        "present": share_json(plan.present),
    }


def _problem(image: PlannedImage, plan: Plan) -> Problem:
    if image.error is None:
        raise ValueError(f"{image.label} has no error")
    return Problem.of(image.error, source=image.source_store, target=plan.target)
