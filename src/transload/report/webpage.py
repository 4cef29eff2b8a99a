"""The result of a run as one page of HTML, for a change board or an archive. It fetches nothing and needs no script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transload.pages import render
from transload.planning.plan import Share
from transload.report.pictures import pictures
from transload.report.recordfacts import facts_of
from transload.report.result import ImageResult, ImageStatus, Result, exit_code
from transload.report.several import Results, titled
from transload.report.shared import share_headline
from transload.report.summary import grouped, rate_of_copied, status_counts, verdict
from transload.report.texts import count
from transload.values import evolve, frozen

if TYPE_CHECKING:
    from transload.report.insight import ImageInsight
    from transload.report.problem import Problem

_MEANINGS: dict[ImageStatus, str] = {
    "copied": "good",
    "updated": "good",
    "in-part": "plain",
    "unchanged": "plain",
    "missing": "bad",
    "failed": "bad",
    "not-tried": "warn",
    "interrupted": "warn",
    "left": "warn",
}
_WORDS = {"good": "complete", "bad": "not complete", "warn": "not complete"}


@frozen(kw_only=True)
class Row:
    """An image in the table."""

    image: ImageResult
    platforms: tuple[str, ...]
    meaning: str

    @property
    def status(self) -> str:
        """In words."""
        return "missing, as allowed" if self.image.excused else self.image.status.replace("-", " ")

    @property
    def there(self) -> Share:
        """What the target had: in the image's repository, or in another one of it, so that it was not sent."""
        present, mounted = self.image.present, self.image.mounted
        return Share(present.blobs + mounted.blobs, present.bytes + mounted.bytes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What else is to be said of it."""
        image = self.image
        other = image.source_digest is not None and image.digest is not None and image.source_digest != image.digest
        return (*image.notes, *([f"at the source it is {image.source_digest}"] if other else []))


def to_html(result: Result | Results) -> str:
    """The page. Raises `PartMissing` without jinja2."""
    several = isinstance(result, Results)
    results = result.results if isinstance(result, Results) else (result,)
    names = _names(result)
    complete = sum(not exit_code(single) for single in results)
    page = render(
        "report/report.html",
        styles=("report/report.css",),
        scripts=("copy.js", "report/report.js"),
        title=f"{complete} of {len(results)} targets complete" if several else headline(results[0]),
        several=several,
        complete=complete,
        exit_code=result.exit_code if isinstance(result, Results) else exit_code(result),
        runs=[_run(name, single, number) for number, (name, single) in enumerate(zip(names, results, strict=True), 1)],
    )
    return page.text


def _names(result: Result | Results) -> list[str]:
    if isinstance(result, Results):
        return [titled(name, giver) for name, _, giver in result.each]
    return [result.target]


def headline(result: Result) -> str:
    """The verdict in one sentence."""
    if result.problem is not None:
        return "The run was interrupted before it began" if result.interrupted else "The run did not start"
    if result.plan_share is not None:
        return share_headline(result, result.plan_share)
    there = sum(image.in_order and not image.excused for image in result.images)
    wanted = sum(not image.excused for image in result.images)
    where = f"{'in' if result.target.startswith(('bundle:', 'oci:', 'archive:')) else 'at'} {result.target}"
    arrived = f"{there} of {count(wanted, 'image')} {'is' if 1 in (there, wanted) else 'are'} {where}"
    if result.interrupted:
        return f"The run was interrupted: {arrived}"
    if result.out_of_bytes and not result.failures:
        return f"The run stopped at its limit of bytes: {arrived}"
    if result.ended_early:
        return f"The run ended early: {arrived}"
    if result.failures:
        return f"{count(len(result.failures), 'image')} failed: {arrived}"
    if not wanted:
        return "There was nothing to copy"
    if wanted == 1:
        return f"The image is {where}"
    return f"{'Both images' if wanted == 2 else f'All {wanted:,} images'} are {where}"


def _run(name: str, result: Result, number: int) -> dict[str, Any]:
    meaning, word = str(verdict(result)[1]), None
    if meaning == "good" and exit_code(result):  # the images are there, and something about them is not
        meaning, word = "warn", "complete, with a problem"
    elif meaning == "good" and result.plan_share is not None:
        word = "share done"
    return {
        "name": name,
        "key": f"run-{number}",
        "result": result,
        "headline": headline(result),
        "meaning": meaning,
        "word": word or _WORDS[meaning],
        "statuses": status_counts(result),
        "rate": rate_of_copied(result),
        "exit_code": exit_code(result),
        "failures": _failures(result),
        "retry_all": result.interrupted or result.ended_early or result.out_of_bytes,
        "rows": _rows(result),
        "pictures": pictures(result),
        "record": _record(result),
        "signed": [image for image in result.images if image.trust],
        "warned": sum(
            image.trust is not None and image.trust.mode == "warn" and not image.trust.holds for image in result.images
        ),
        "gated": [image for image in result.images if image.gates],
    }


def _record(result: Result) -> list[tuple[str, str]]:
    """What the transfer record of the run says. That it is signed is a claim here: only the record proves it."""
    found = result.insight.record if result.insight else None
    if found is None:
        return []
    told = [fact for fact in facts_of(found) if fact[0] != "signed"]
    if found.signed_by:
        by = f"with the key {', '.join(found.signed_by)}; transload history with --public-key proves it"
    else:
        by = "no: anybody can have written it"
    return [*told, ("signed", by), ("digest", found.digest)]


def _failures(result: Result) -> list[tuple[Problem | None, list[ImageResult]]]:
    """Failures by what is said of them; a gate says the same of many images."""
    groups: dict[Problem | None, tuple[Problem | None, list[ImageResult]]] = {}
    for problem, images in grouped(result):
        said = problem and evolve(problem, subject=None)
        shown, all_images = groups.setdefault(said, (problem, []))
        all_images += images
        groups[said] = (shown if len(all_images) == 1 else said, all_images)
    return list(groups.values())


def _rows(result: Result) -> list[Row]:
    known: tuple[ImageInsight | None, ...] = result.insight.images if result.insight else ()
    if len(known) != len(result.images):
        known = (None,) * len(result.images)
    return [
        Row(
            image=image,
            platforms=more.platforms if more else (),
            meaning="plain" if image.excused else _MEANINGS[image.status],
        )
        for image, more in zip(result.images, known, strict=True)
    ]
