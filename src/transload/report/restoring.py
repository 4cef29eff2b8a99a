"""A JSON report read again, as the result that it was written from. The file may come from anywhere.

Keys that are not known are passed over, since format 1 may get new ones; those that came later may be missing.
"""

from __future__ import annotations

from datetime import datetime

from transload.documents.value import Value
from transload.errors import RefusedByRule, Side
from transload.limits import (
    REPORT_BYTES,
    REPORT_HALTS,
    REPORT_LAYERS,
    REPORT_STEPS,
    REPORT_TARGETS,
    REPORT_VALUES,
    SHARES,
)
from transload.oci import Digest
from transload.planning.plan import Share
from transload.planning.shares import ShareNumber
from transload.report.bundleorder import BundleFacts, BundleOrder, Standing
from transload.report.foundrecord import FoundRecord
from transload.report.gated import GateResult, GatesAttached
from transload.report.gated import OutputFormat as GateFormat
from transload.report.hosttotals import HostTotals
from transload.report.insight import HALTS, ImageInsight, Insight, ReportLayer, RunCourse, RunHalt
from transload.report.problem import Problem
from transload.report.result import RESULT_FORMAT, STATUSES, ImageResult, ReleaseResult, Result
from transload.report.several import Results
from transload.report.trusted import ImageSigner, ModeName, Trusted

_HINT = "give a report that mirror, push or pack wrote with --report FILE.json"
_SIDES: tuple[Side, ...] = ("source", "target")
_MODES: tuple[ModeName, ...] = ("require", "warn", "skip")
_STANDINGS: tuple[Standing, ...] = ("first", "newer", "same", "older", "unknown")
_OUTPUTS: tuple[GateFormat, ...] = ("sarif", "cyclonedx", "spdx", "json", "text")
_LONGEST_S = 1e9  # thirty years
_ROUNDING_S = 0.001
_SHORTEST_S = 0.001
_NAMED = 2  # releases in a sentence
_TIME_LENGTH, _YEARS = 40, range(1970, 9000)  # a run that ends after the year 9999 has no date


def restored(raw: bytes, name: str) -> Result | Results:
    """The result in a JSON report, of one target or of several. `name` is the file's.

    Raises `DocumentInvalid`, which says where the file is not a report.
    """
    document = Value.from_json(raw, name, limit=REPORT_BYTES, values=REPORT_VALUES, hint=_HINT, is_file=True)
    if not document.has("format") or not (document.has("images") or document.has("targets")):
        raise document.fail("is JSON, but no report of a run")
    version = document.get("format")
    if version.number() != RESULT_FORMAT:
        raise version.fail(f"this transload reads format {RESULT_FORMAT}, not {version.content}")
    if not document.has("targets"):
        return _result(document)
    targets = _items(document, "targets", REPORT_TARGETS)
    if not targets:
        raise document.get("targets").fail("there is no target in it")
    return Results(
        targets=tuple(target.get("name").text() for target in targets),
        results=tuple(map(_result, targets)),
        read_again=_share(document.get("read_again")),
        via=tuple(target.get("via").maybe(Value.text, None) for target in targets),
    )


def _result(document: Value) -> Result:
    totals = document.get("totals")
    images = document.get("images")
    return Result(
        run_id=document.get("run_id").maybe(Value.text, ""),
        asked=document.get("asked").text(),
        sources=_texts(document, "sources"),
        target=document.get("target").text(),
        interrupted=document.get("interrupted").truth(),
        out_of_bytes=document.get("out_of_bytes").maybe(Value.truth, default=False),
        began_wall_s=_time(document.get("began")).timestamp(),
        duration_s=_seconds(document.get("duration_s")),
        transfer_s=_transfer_s(totals),
        moved_bytes=totals.get("moved_bytes").number(),
        left_bytes=totals.get("left_bytes").maybe(Value.number, 0),
        retries=totals.get("retries").maybe(Value.number, 0),
        traffic=tuple(map(_traffic, _items(document, "traffic"))),
        images=tuple(map(_image, images.items())),
        releases=tuple(map(_release, _items(document, "releases"))),
        attestations=document.get("attestations").maybe(_attestations),
        bundle=document.get("bundle").maybe(_bundle),
        plan_share=document.get("share").maybe(_share_number),
        written=_texts(document, "written"),
        notes=_texts(document, "notes"),
        problem=document.get("problem").maybe(_problem),
        retry=document.get("retry").maybe(Value.text),
        versions={key: version.text() for key, version in document.get("versions").entries()},
        insight=_insight(document) if document.get("layers").content is not None else None,
    )


def _image(image: Value) -> ImageResult:
    return ImageResult(
        name=image.get("name").text(),
        source=image.get("source").text(),
        published=image.get("published").maybe(Value.text),
        status=image.get("status").one_of(STATUSES),
        digest=image.get("digest").maybe(_digest),
        source_digest=image.get("source_digest").maybe(_digest),
        size=image.get("size").maybe(Value.number),
        copied=_share(image.get("copied")),
        mounted=_share(image.get("mounted")),
        present=_share(image.get("present")),
        retries=image.get("retries").maybe(Value.number, 0),
        duration_s=image.get("duration_s").maybe(_seconds),
        notes=_texts(image, "notes"),
        excused=image.get("excused").truth(),
        problem=image.get("problem").maybe(_problem),
        gates=tuple(map(_gate, _items(image, "gates"))),
        trust=image.get("trust").maybe(_trusted),
    )


def _share_number(share: Value) -> ShareNumber:
    of = share.get("of").number(SHARES + 1)
    return share.made(lambda _: ShareNumber(share.get("number").number(of + 1), of))


def _problem(problem: Value) -> Problem:
    code = problem.get("code").text()
    return Problem(
        code=code,
        exit_code=problem.get("exit_code").number(256),
        message=problem.get("message").text(),
        side=problem.get("side").maybe(_side),
        store=problem.get("store").maybe(Value.text),
        subject=problem.get("subject").maybe(Value.text),
        hint=problem.get("hint").maybe(Value.text),
        retryable=problem.get("retryable").maybe(Value.truth, default=False),
        by_rule=code in {RefusedByRule.code, *(kind.code for kind in RefusedByRule.__subclasses__())},
    )


def _gate(gate: Value) -> GateResult:
    output = gate.get("output")
    passed = gate.get("passed").truth()
    return GateResult(
        command=gate.get("command").text(),
        exit_code=gate.get("exit_code").maybe(lambda code: code.number(1 << 32)),
        problem=None if passed else gate.get("problem").maybe(Value.text, "it did not pass"),
        lines=_texts(gate, "lines"),
        output_format=output.get("format").one_of(_OUTPUTS),
        output_bytes=output.get("bytes").number(),
        output_sha256=output.get("sha256").text(),
        file=output.get("file").maybe(Value.text),
        duration_s=_seconds(gate.get("duration_s")),
    )


def _trusted(trust: Value) -> Trusted:
    return Trusted(
        mode=trust.get("mode").one_of(_MODES),
        holds=trust.get("holds").truth(),
        rule=trust.get("rule").maybe(Value.text),
        problem=trust.get("problem").maybe(Value.text),
        signers=tuple(
            ImageSigner(
                signer=signer.get("signer").text(),
                form=signer.get("form").text(),
                signed_at=signer.get("signed_at").maybe(_time),
                time_from=signer.get("time_from").maybe(Value.text),
            )
            for signer in _items(trust, "signers")
        ),
    )


def _traffic(host: Value) -> HostTotals:
    return HostTotals(
        host=host.get("host").text(),
        requests=host.get("requests").number(),
        bytes_received=host.get("bytes_received").number(),
        bytes_sent=host.get("bytes_sent").number(),
        side=host.get("side").maybe(_side),
        by_purpose={purpose: number.number() for purpose, number in host.get("by_purpose").entries()},
    )


def _release(release: Value) -> ReleaseResult:
    return ReleaseResult(
        catalog=release.get("catalog").text(),
        release=release.get("release").text(),
        date=release.get("date").maybe(Value.text),
    )


def _attestations(said: Value) -> GatesAttached:
    return GatesAttached(
        new=said.get("attached").number(),
        failed=said.get("failed").number(),
        problem=said.get("problem").maybe(_problem),
    )


def _bundle(order: Value) -> BundleOrder:
    return BundleOrder(
        name=order.get("set").text(),
        signer=order.get("signer").maybe(Value.text),
        bundle=_facts(order),
        newest=order.get("newest").maybe(_facts),
        standing=order.get("standing").one_of(_STANDINGS),
        by=order.get("by").maybe(Value.text, ""),
        kept=order.get("kept").truth(),
        why_not=order.get("why_not").maybe(Value.text, ""),
    )


def _facts(bundle: Value) -> BundleFacts:
    edition = bundle.get("edition")
    packed = None if edition.content is None else edition.get("packed").maybe(Value.text)
    tags = [] if packed is None else [release.get("tag").text() for release in _items(edition, "releases")]
    return BundleFacts(
        ledger=bundle.get("ledger").maybe(Value.text, ""),
        edition=edition.maybe(lambda said: said.content if dict(said.entries()) else None),
        words=_packed(packed, tags) if packed else "a bundle that does not say when it was packed",
        taken=bundle.get("taken").maybe(Value.text, ""),
        run_id=bundle.get("run_id").maybe(Value.text, ""),
    )


def _packed(packed: str, tags: list[str]) -> str:
    """As `app.takenbundles` says it: the releases, and when it was packed.

    >>> _packed("2026-11-27T08:30:00Z", ["v1", "v2", "v3"])
    'v1, …, v3, packed 2026-11-27 08:30:00 UTC'
    """
    named = list(dict.fromkeys(tags))
    shown = named if len(named) <= _NAMED else [named[0], "…", named[-1]]
    return ", ".join([*shown, f"packed {packed.replace('T', ' ').replace('Z', ' UTC')}"])


def _insight(document: Value) -> Insight:
    layers = tuple(
        ReportLayer(digest=_digest(layer.get("digest")), size=layer.get("size").number())
        for layer in _items(document, "layers", REPORT_LAYERS)
    )
    return Insight(
        layers=layers,
        images=tuple(
            ImageInsight(
                layers=image.get("layers").maybe(lambda numbers: numbers.numbers(len(layers)), ()),
                platforms=_texts(image, "platforms"),
                began_s=image.get("began_s").maybe(_seconds),
            )
            for image in document.get("images").items()
        ),
        course=document.get("course").maybe(_course),
        record=document.get("record").maybe(_record),
    )


def _record(found: Value) -> FoundRecord:
    return FoundRecord(
        digest=_digest(found.get("digest")),
        signed_by=_texts(found, "signed_by"),
        verified=found.get("verified").maybe(Value.truth),
        problem=found.get("problem").maybe(Value.text),
        carried=found.get("carried").maybe(Value.truth, default=False),
        record={key: value.content for key, value in found.get("record").entries()},
    )


def _course(course: Value) -> RunCourse:
    step = course.get("step_s")
    if _seconds(step) < _SHORTEST_S:
        raise step.wrong(f"a number of seconds, at least {_SHORTEST_S}")
    return RunCourse(
        step_s=_seconds(step),
        source=_amounts(course, "source"),
        target=_amounts(course, "target"),
        halts=tuple(
            RunHalt(
                at_s=_seconds(halt.get("at_s")),
                kind=halt.get("kind").one_of(HALTS),
                wait_s=_seconds(halt.get("wait_s")),
                about=halt.get("about").maybe(Value.text, ""),
                side=halt.get("side").maybe(_side),
                code=halt.get("code").maybe(Value.text),
            )
            for halt in _items(course, "halts", REPORT_HALTS)
        ),
        more_halts=course.get("more_halts").maybe(Value.number, 0),
    )


# --- values


def _items(parent: Value, key: str, limit: int | None = None) -> tuple[Value, ...]:
    """The items of a list that may be missing."""
    listed = parent.get(key)
    items = listed.maybe(lambda value: tuple(value.items()), ())
    if limit is not None and len(items) > limit:
        raise listed.fail(f"has {len(items)} entries, and {limit} are read at most")
    return items


def _texts(parent: Value, key: str) -> tuple[str, ...]:
    return tuple(item.text() for item in _items(parent, key))


def _amounts(course: Value, key: str) -> tuple[int, ...]:
    return tuple(amount.number() for amount in _items(course, key, REPORT_STEPS))


def _side(value: Value) -> Side:
    return value.one_of(_SIDES)


def _digest(value: Value) -> Digest:
    return value.read(Digest)


def _share(value: Value) -> Share:
    return value.maybe(lambda share: Share(share.get("blobs").number(), share.get("bytes").number()), Share())


def _transfer_s(totals: Value) -> float:
    """As exact as the rate is: the seconds are rounded, which changes the rate of a short run."""
    rounded = _seconds(totals.get("transfer_s"))
    rate = totals.get("rate_bytes_per_s").maybe(Value.number, 0)
    exact = totals.get("moved_bytes").number() / rate if rate else rounded
    return exact if abs(exact - rounded) <= _ROUNDING_S else rounded


def _seconds(value: Value) -> float:
    number = value.content
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number <= _LONGEST_S:
        raise value.wrong("a number of seconds")
    return float(number)


def _time(value: Value) -> datetime:
    """A moment as RFC 3339 writes it, with its zone."""
    try:
        moment = datetime.fromisoformat(value.text()[:_TIME_LENGTH])
    except ValueError:
        raise value.wrong("a time such as 2025-06-15T15:06:40Z") from None
    if moment.tzinfo is None or moment.year not in _YEARS:
        raise value.wrong("a time such as 2025-06-15T15:06:40Z")
    return moment
