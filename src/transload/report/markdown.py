"""The result of a run as a page of Markdown: for a ticket, a change record, an archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from transload.planning.plan import Share
from transload.report.problem import Problem
from transload.report.result import ImageResult, Result, exit_code
from transload.report.several import Results, titled
from transload.report.summary import rate_of_copied, status_counts, verdict
from transload.report.texts import count, duration, instant, one_line, size
from transload.report.trusted import Trusted

_ESCAPED = str.maketrans({char: f"\\{char}" for char in "\\`*_[]<>|#"})


def to_markdown(result: Result, name: str = "transload") -> str:
    """Headings, tables and all failures. Texts from outside are escaped, so that they cannot become markup.

    `name` is what the page is about: a target, if there are several.
    """
    return "\n".join([f"# {_escaped(name)}: {verdict(result)[0]}", "", *_asked(result), *_sections(result)]) + "\n"


def pages(results: Results) -> str:
    """A page for each of several targets, one after the other, and before them how many are complete."""
    head = f"# transload: {results.complete} of {len(results.results)} targets complete\n"
    return "\n".join([head, *(to_markdown(result, titled(name, giver)) for name, result, giver in results.each)])


def _sections(result: Result) -> Iterator[str]:
    if result.problem is not None:
        yield from ("", "## Problem", "", *_problem(result.problem))
    if result.notes:
        yield from ("", "## Notes", "", *(f"* {_escaped(note)}" for note in result.notes))
    if result.failures:
        yield from ("", "## Failures")
        for image in [image for image in result.failures if image.status != "not-tried"] or result.failures[:1]:
            yield from _failure(image)
    if result.retry:
        yield from ("", "## Next", "", "```", one_line(result.retry).replace("```", "'''"), "```")
    if result.images:
        yield from ("", "## Images", "", *_images(result))
        yield from ("", "## Digests", "", *_digests(result))
    judged = [(image.name, image.trust) for image in result.images if image.trust]
    if judged:
        yield from ("", "## Signatures", "", *_signatures(judged))
    if result.traffic:
        yield from ("", "## Traffic", "", *_traffic(result))


def _asked(result: Result) -> Iterator[str]:
    copied, mounted, present = (result.share(kind) for kind in ("copied", "mounted", "present"))
    facts = {
        **({"Run": _code(result.run_id)} if result.run_id else {}),
        "Asked": _code(result.asked),
        "Sources": ", ".join(map(_code, result.sources)) or "none",
        "Target": _code(result.target),
        "Began": instant(result.began_wall_s),
        "Took": duration(result.duration_s),
        "Images": status_counts(result) or "none",
        "Copied": ", ".join([_share(copied), *rate_of_copied(result)]),
        "Mounted": _share(mounted),
        "Already there": _share(present),
        **({"Written": ", ".join(map(_code, result.written))} if result.written else {}),
        "Retries": f"{result.retries:,}",
        "Exit code": str(exit_code(result)),
        "Made by": ", ".join(f"{name} {version}" for name, version in sorted(result.versions.items())),
    }
    return _table(("", ""), facts.items())


def _images(result: Result) -> Iterator[str]:
    heads = ("Image", "Status", "Size", "Copied", "Mounted", "Already there", "Took", "Notes")
    return _table(heads, map(_image_row, result.images))


def _image_row(image: ImageResult) -> tuple[str, ...]:
    return (
        _code(image.name),
        f"{image.status} (allowed)" if image.excused else image.status.replace("-", " "),
        "" if image.size is None else size(image.size),
        _share(image.copied),
        _share(image.mounted),
        _share(image.present),
        "" if image.duration_s is None else duration(image.duration_s),
        "; ".join(map(_escaped, image.notes)),
    )


def _digests(result: Result) -> Iterator[str]:
    """Full digests, for comparing with the target."""
    rows = []
    for image in result.images:
        other = image.source_digest if image.source_digest != image.digest else None
        rows.append((_code(image.name), _code(image.source), _code(image.digest or ""), _code(other or "")))
    return _table(("Image", "Source", "Digest", "Digest at the source, if different"), rows)


def _signatures(judged: Iterable[tuple[str, Trusted]]) -> Iterator[str]:
    """Who signed each image that a policy judged, or why that is not enough."""
    rows = (
        (
            _code(name),
            "none fits" if trust.rule is None else f"{_code(trust.rule) or 'all names'} ({trust.mode})",
            "not asked" if trust.mode == "skip" else "yes" if trust.holds else "no",
            "; ".join(_escaped(str(signer)) for signer in trust.signers),
            _escaped(trust.problem or ""),
        )
        for name, trust in judged
    )
    return _table(("Image", "Rule", "As the policy wants", "Signed by", "Why not"), rows)


def _traffic(result: Result) -> Iterator[str]:
    rows = (
        (_code(host.host), host.side or "", f"{host.requests:,}", size(host.bytes_received), size(host.bytes_sent))
        for host in result.traffic
    )
    return _table(("Host", "Side", "Requests", "Received", "Sent"), rows)


def _failure(image: ImageResult) -> Iterator[str]:
    yield from ("", f"### {_code(image.name)}: {image.status}", "")
    if image.problem is not None:
        yield from _problem(image.problem)


def _problem(problem: Problem) -> Iterator[str]:
    yield f"* Error: {_escaped(problem.message)} ({_code(problem.code)})"
    if problem.where:
        yield f"* Where: {_escaped(problem.where)}"
    if problem.hint:
        yield f"* Hint: {_escaped(problem.hint)}"


# --- Markdown


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    heads = tuple(heads)
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join(' --- ' for _ in heads)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _code(text: str) -> str:
    """Text as code. Backticks and bars are replaced, since code in a table cannot escape them."""
    return f"`{one_line(text).replace('`', chr(39)).replace('|', '¦')}`" if text else ""


def _escaped(text: str) -> str:
    return one_line(text).translate(_ESCAPED)


def _share(share: Share) -> str:
    return f"{count(share.blobs, 'blob')}, {size(share.bytes)}" if share.blobs else "none"
