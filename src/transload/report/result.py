"""The result of a run as one value: what was asked, how each image ended, what it cost, and what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from transload.errors import HostGivenUp, Interrupted, OutOfBytes
from transload.planning.plan import PlannedImage, Share
from transload.report.exitcodes import MIXED, of_run
from transload.report.gated import GateResult, GatesAttached
from transload.report.planned import share_json
from transload.report.problem import Problem
from transload.report.texts import instant
from transload.report.trusted import NOBODY, Trusted
from transload.values import define, field, frozen

if TYPE_CHECKING:
    from transload.oci import Digest
    from transload.planning import Plan
    from transload.planning.shares import ShareNumber
    from transload.report.bundleorder import BundleOrder
    from transload.report.hosttotals import HostTotals
    from transload.report.insight import Insight
    from transload.report.tally import ImageTally, Tally
    from transload.transfer import ImageOutcome, Outcome

RESULT_FORMAT = 1

ImageStatus = Literal[
    "copied", "updated", "unchanged", "in-part", "missing", "failed", "not-tried", "interrupted", "left"
]
"""`updated`: the name stood for something else before. `missing`: the source lacks it. `failed` has a problem.

`in-part`: a share of a plan has brought its blobs of the image, which only `apply --finish` completes.
`not-tried`: the problem ended the run before this image's turn. `left`: the run had moved all the bytes that it may.
"""

STATUSES: tuple[ImageStatus, ...] = get_args(ImageStatus)


@frozen(kw_only=True)
class ImageResult:
    """How one image ended. `size` is None if its manifests were not read, since it was unchanged.

    `copied`, `mounted` and `present` count what was really done; a blob that several images share counts for the
    first.

    `name` is its name at the target, `source` where it comes from. `status` is `copied` (the name is new), `updated`
    (it stood for something else before), `unchanged`, `missing` at the source, `failed`, `not-tried` (the run ended
    before), `interrupted`, or `left` (the run may move no more bytes). `digest` is the one at the target; it
    differs from `source_digest` where an index was narrowed or layers were compressed. Sizes are bytes, `duration_s`
    seconds. With `excused`, a failure was allowed; `problem` says what it was. `published` is where the image came from
    before it was carried in a bundle, None if `source` says that, or nobody knows. `gates` is what the site's gates
    said of it, `trust` what the policy says, None if it was not judged.
    """

    name: str
    source: str
    status: ImageStatus
    digest: Digest | None = None
    source_digest: Digest | None = None
    size: int | None = None
    copied: Share = field(factory=Share)
    mounted: Share = field(factory=Share)
    present: Share = field(factory=Share)
    retries: int = 0
    duration_s: float | None = None
    notes: tuple[str, ...] = ()
    excused: bool = False
    problem: Problem | None = None
    published: str | None = None
    gates: tuple[GateResult, ...] = ()
    trust: Trusted | None = None

    @classmethod
    def of(
        cls,
        plan: Plan,
        number: int,
        counted: ImageTally,
        outcome: ImageOutcome,
        unfinished: ImageStatus = "interrupted",
        *,
        published: str | None = None,
        gates: tuple[GateResult, ...] = (),
        trust: Trusted | None = None,
    ) -> ImageResult:
        """Image `number` of the plan. `unfinished` is the status of an image that is not done."""
        image = plan.images[number]
        error = outcome.error
        return cls(
            name=image.label,
            source=image.source_label,
            status=_status(plan, image, outcome) if outcome.done else unfinished,
            digest=outcome.digest or image.digest,
            source_digest=image.source_digest,
            size=plan.size_of(image),
            copied=counted.copied,
            mounted=counted.mounted,
            present=counted.present,
            retries=counted.retries,
            duration_s=counted.duration_s,
            notes=image.notes,
            excused=image.excused,
            problem=None if error is None else Problem.of(error, source=image.source_store, target=plan.target),
            published=published,
            gates=gates,
            trust=trust,
        )

    @property
    def in_order(self) -> bool:
        """Whether there is nothing left to do for it in this run."""
        return self.status in {"unchanged", "copied", "updated", "in-part"} or self.excused

    def to_json(self) -> dict[str, Any]:
        """The `image` object of docs/formats/json-output.md."""
        return {
            "name": self.name,
            "source": self.source,
            "published": self.published,
            "status": self.status,
            "digest": self.digest,
            "source_digest": self.source_digest,
            "size": self.size,
            "copied": share_json(self.copied),
            "mounted": share_json(self.mounted),
            "present": share_json(self.present),
            "retries": self.retries,
            "duration_s": _rounded(self.duration_s),
            "notes": list(self.notes),
            "excused": self.excused,
            "problem": self.problem.to_json() if self.problem else None,
            **({"gates": [gate.to_json() for gate in self.gates]} if self.gates else {}),
            **({"trust": self.trust.to_json()} if self.trust else {}),
        }


@frozen(kw_only=True)
class ReleaseResult:
    """A release of a catalog that the run was about: its tag, and the day of its publication, as far as it is known."""

    catalog: str
    release: str
    date: str | None = None

    def to_json(self) -> dict[str, Any]:
        """One entry of `releases`."""
        return {"catalog": self.catalog, "release": self.release, "date": self.date}


@define(frozen=True, slots=False, kw_only=True)
class Result:
    """A whole run. `problem` is the error that ended it before there was a plan; `retry` the command for the rest.

    `duration_s` is the wall time from `began_wall_s` on, with planning; `transfer_s` is the time of moving bytes, over
    which the rate is measured.

    `run_id` is the run's name, `asked` the call or command, `sources` and `target` are locators. `images` are in the
    order of the plan.
    `moved_bytes` is what went over the wire, repeats included; `left_bytes` is what is still to be copied, and
    `out_of_bytes` says that the run left it because it had moved as many bytes as it may. `traffic` has the requests by
    host, `retries` counts the attempts that were repeated. `versions` are those of transload, Python and libraries;
    `notes` concern the whole run, `releases` are the catalogs' releases that were wanted whole. `attestations` says
    what became of what gates said, None where nothing was to be attached. `bundle` is where a pushed bundle stands,
    `insight` what only report files say. `plan_share` is the share of the plan that the run did: it completes no image.
    `to_json` gives the documented form (docs/formats/json-output.md, docs/formats/report.md).
    """

    asked: str
    sources: tuple[str, ...]
    target: str
    images: tuple[ImageResult, ...]
    interrupted: bool
    began_wall_s: float
    duration_s: float
    transfer_s: float = 0.0
    moved_bytes: int = 0
    traffic: tuple[HostTotals, ...] = ()
    retries: int = 0
    retry: str | None = None
    out_of_bytes: bool = False
    left_bytes: int = 0
    written: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(factory=dict, hash=False)
    notes: tuple[str, ...] = ()
    problem: Problem | None = None
    releases: tuple[ReleaseResult, ...] = ()
    run_id: str = ""
    attestations: GatesAttached | None = None
    bundle: BundleOrder | None = None
    insight: Insight | None = None
    plan_share: ShareNumber | None = None

    @classmethod
    def of(
        cls,
        tally: Tally,
        outcome: Outcome,
        *,
        asked: str,
        began_wall_s: float,
        duration_s: float,
        versions: Mapping[str, str],
        traffic: Sequence[HostTotals] = (),
        retry: Callable[[tuple[str, ...]], str] | None = None,
        notes: Sequence[str] = (),
        published: Mapping[str, str] | None = None,
        gates: Mapping[str, tuple[GateResult, ...]] | None = None,
        trusted: Mapping[str, Trusted] = NOBODY,
        releases: Sequence[ReleaseResult] = (),
        run_id: str = "",
    ) -> Result:
        """The result of a run of the tally's plan.

        `retry` makes the command that copies the named images again. It gets no names if the run was interrupted:
        then the whole command should be given again, and content that is already there costs little. An empty text
        means that there is no such command.

        `notes` are about the whole run, such as how a catalog differs from what is published. `published` says where
        images of a bundle come from, by their names in it; `gates` and `trusted` are what gates and a policy said of
        images, by their names at the target.
        """
        plan = tally.plan
        unfinished: ImageStatus = "left" if outcome.out_of_bytes else "interrupted"
        images = tuple(
            ImageResult.of(
                plan,
                number,
                tally.images[number],
                ended,
                unfinished,
                published=(published or {}).get(str(plan.images[number].source)),
                gates=(gates or {}).get(plan.images[number].label, ()),
                trust=trusted.get(plan.images[number].label),
            )
            for number, ended in enumerate(outcome.images)
        )
        unended = outcome.interrupted or outcome.out_of_bytes
        open_names = tuple(image.name for image in images if not image.in_order)
        return cls(
            asked=asked,
            sources=plan.sources,
            target=plan.target,
            images=images,
            interrupted=outcome.interrupted,
            began_wall_s=began_wall_s,
            duration_s=duration_s,
            transfer_s=outcome.duration_s,
            moved_bytes=tally.moved,
            traffic=tuple(traffic),
            retries=tally.retries,
            out_of_bytes=outcome.out_of_bytes,
            left_bytes=tally.left_bytes,
            written=outcome.written,
            retry=(retry(() if unended or _ended(images) else open_names) or None) if retry and open_names else None,
            versions=versions,
            notes=tuple(notes),
            releases=tuple(releases),
            run_id=run_id,
            attestations=GatesAttached.of(outcome.attached, plan.target),
            plan_share=plan.share,
        )

    @cached_property
    def counts(self) -> Mapping[ImageStatus, int]:
        """How many images have each status; every status has an entry, `in-part` only in the result of a share."""
        counts = Counter(image.status for image in self.images)
        return {status: counts[status] for status in STATUSES if status != "in-part" or self.plan_share}

    @property
    def is_unchanged(self) -> bool:
        """Whether the target had everything, so that nothing was done, and nothing failed."""
        of_share = self.share("copied").blobs or self.share("mounted").blobs
        done = of_share if self.plan_share else self.counts["copied"] or self.counts["updated"]
        return not (exit_code(self) or done)

    @property
    def only_rules_refused(self) -> bool:
        """Whether every image is in order or was refused by a rule of the user, such as a policy or a gate."""
        return all(image.in_order or (image.problem and image.problem.by_rule) for image in self.images)

    @property
    def ended_early(self) -> bool:
        """Whether a problem ended the run before every image had its turn."""
        return _ended(self.images) is not None

    @property
    def failures(self) -> tuple[ImageResult, ...]:
        """Images that should be at the target and are not, without interrupted ones and those left for the next run."""
        unfinished = {"interrupted", "left"}
        return tuple(image for image in self.images if not image.in_order and image.status not in unfinished)

    def share(self, kind: Literal["copied", "mounted", "present"]) -> Share:
        """The sum over all images."""
        shares: list[Share] = [getattr(image, kind) for image in self.images]
        return Share(sum(share.blobs for share in shares), sum(share.bytes for share in shares))

    @property
    def rate_bytes_per_s(self) -> float:
        """Moved bytes divided by the time of the transfer; 0 if nothing moved."""
        return self.moved_bytes / self.transfer_s if self.transfer_s > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        """The JSON report, and the `result` object of docs/formats/json-output.md."""
        document = {
            "format": RESULT_FORMAT,
            "run_id": self.run_id,
            "asked": self.asked,
            "sources": list(self.sources),
            "target": self.target,
            "exit_code": exit_code(self),
            "interrupted": self.interrupted,
            "out_of_bytes": self.out_of_bytes,
            "began": instant(self.began_wall_s),
            "duration_s": _rounded(self.duration_s),
            "totals": self._totals(),
            "traffic": [host.to_json() for host in self.traffic],
            "images": [image.to_json() for image in self.images],
            "releases": [release.to_json() for release in self.releases],
            **({"attestations": self.attestations.to_json()} if self.attestations else {}),
            **({"bundle": self.bundle.to_json()} if self.bundle else {}),
            **({"share": self.plan_share.to_json()} if self.plan_share else {}),
            "written": list(self.written),
            "notes": list(self.notes),
            "problem": self.problem.to_json() if self.problem else None,
            "retry": self.retry,
            "versions": dict(sorted(self.versions.items())),
        }
        return self.insight.added_to(document) if self.insight else document

    def _totals(self) -> dict[str, Any]:
        return {
            "images": {"all": len(self.images), **self.counts},
            "copied": share_json(self.share("copied")),
            "mounted": share_json(self.share("mounted")),
            "present": share_json(self.share("present")),
            "moved_bytes": self.moved_bytes,
            "left_bytes": self.left_bytes,
            "transfer_s": _rounded(self.transfer_s),
            "rate_bytes_per_s": round(self.rate_bytes_per_s),
            "requests": sum(host.requests for host in self.traffic),
            "retries": self.retries,
        }


def exit_code(result: Result) -> int:
    """The exit code of the process (docs/formats/json-output.md, "Exit codes").

    A problem before there was a plan gives its own code. Else it is that of an interruption, or of the problem that
    ended the run, such as a host that was given up; if all is in order, of an attestation that could not be attached.
    """
    images = [image for image in result.images if not image.excused]
    code = of_run(map(_image_code, images), _ended_by(result), ruled=result.only_rules_refused)
    unattached = result.attestations.problem if result.attestations else None
    return code or (unattached.exit_code if unattached else 0)


def _image_code(image: ImageResult) -> int:
    return 0 if image.in_order else image.problem.exit_code if image.problem else MIXED


def _ended_by(result: Result) -> int | None:
    """The code of the problem that ended the run early, if one did."""
    if result.problem is None and result.interrupted:
        return Interrupted.exit_code
    if result.out_of_bytes and not result.failures:
        return OutOfBytes.exit_code
    problem = result.problem or _ended(result.images)
    return problem.exit_code if problem else None


def _ended(images: Sequence[ImageResult]) -> Problem | None:
    """The problem that ended the run before every image had its turn."""
    ended = (
        image
        for image in images
        if image.status == "not-tried" or (image.problem and image.problem.code == HostGivenUp.code)
    )
    return next((image.problem for image in ended), None)


def _status(plan: Plan, image: PlannedImage, outcome: ImageOutcome) -> ImageStatus:
    if outcome.error is not None:
        if image.status == "missing":
            return "missing"
        return "failed" if outcome.tried else "not-tried"
    if plan.share is not None:
        return "in-part"
    if image.status == "unchanged":
        return "unchanged"
    return "updated" if image.status == "changed" else "copied"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
