"""Judges the images of a run by a policy, before the first byte of them is copied.

What a name stands for is resolved first, once; the signatures of that digest are judged, and that digest is copied.
Only images that would be copied are judged, so that an unchanged one costs nothing.

The rule of an image is found by its name where it was published. A bundle says this of its images itself: if nobody
has proved who made the bundle, its claim may choose a stricter rule than that of the empty prefix, but no weaker one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from transload.app.belonging import belonging, images_beside, with_their_images
from transload.app.location import Location
from transload.app.signatures import evidence_for
from transload.clock import SYSTEM_CLOCK
from transload.errors import (
    AccessDenied,
    Interrupted,
    NotFound,
    PartMissing,
    PolicyRefused,
    PrerequisiteMissing,
    ReferenceInvalid,
    TransloadError,
    as_result,
)
from transload.events import ActivityListener, Counting, ignore
from transload.oci import Descriptor, Name, Reference
from transload.oci.reference import named_registry
from transload.planning.ages import Dated, by_created_field
from transload.planning.survey import Surveyed
from transload.ports import Source
from transload.report.texts import count
from transload.report.transferrecord import Check, CheckResult
from transload.threads import Cancellation, in_parallel
from transload.trust.evidence import Subject
from transload.trust.policy import Mode, Policy, Rule, Verdict, verdict
from transload.values import define, evolve, field, frozen
from transload.wording import first_of

_THREADS = 8
_NAMED = 3  # names in one sentence
_NOTED = 10  # images that get a sentence of their own


@frozen(kw_only=True)
class Published:
    """Whose image it is. `name` is its repository with the registry, as far as that is known; it chooses the rule.

    `proved` is false if only what was carried says so. `names` are those that a signature may state.
    """

    name: str
    proved: bool = True
    names: tuple[str, ...] = ()

    @classmethod
    def at(cls, store: str, repository: str) -> Published:
        """An image in the store with this locator. A folder or archive only claims the name that it has there."""
        location = Location.parse(store)
        if location.is_remote:
            name = f"{location.value.removeprefix('https://').removeprefix('http://').rstrip('/')}/{repository}"
            return cls(name=name, names=(name,))
        return cls.claimed(f"{location.value}/{repository}" if location.is_engine else "", repository)

    @classmethod
    def claimed(cls, source: str, repository: str, *, proved: bool = False) -> Published:
        """An image that is said to come from `source`, else from what its name in a folder or bundle means."""
        for text in (source, repository):
            with suppress(ReferenceInvalid):  # of an image that comes from a folder, or has no name
                reference = Reference.parse(text)
                name = f"{reference.registry}/{reference.name.repository}"
                return cls(name=name, proved=proved, names=(name,) if text == source or named_registry(text)[0] else ())
        return cls(name=repository, proved=proved)

    def rule(self, policy: Policy) -> Rule | None:
        """The rule that decides; None if no rule fits, which refuses."""
        return policy.rule_for(self.name) if self.proved else policy.rule_for_claim(self.name)


def whose(sources: Mapping[str, Source]) -> Callable[[str, Name], Published]:
    """Says whose image a name in a store is. The ledger of a bundle knows; a key that the user gave may prove it."""
    claims = {
        locator: {entry.image.name: entry.image.source for entry in ledger.images}
        for locator, source in sources.items()
        if (ledger := getattr(source, "ledger", None)) is not None
    }

    def published(store: str, name: Name) -> Published:
        if store not in claims:
            return Published.at(store, name.repository)
        proved = bool(getattr(sources[store], "verified", False))
        return Published.claimed(claims[store].get(name, ""), name.repository, proved=proved)

    return published


class Judge:
    """Says what `policy` says of images at the time `at` (None: now), of each once. Safe for threads."""

    def __init__(self, policy: Policy, at: datetime | None = None) -> None:
        self.policy = policy
        self.stated = at
        self.at = at or datetime.fromtimestamp(SYSTEM_CLOCK.wall_s(), UTC)
        self._known: dict[tuple[object, ...], _Once] = {}
        self._lock = threading.Lock()

    def verdict_on(self, source: Source, repository: str, descriptor: Descriptor, published: Published) -> Verdict:
        """The verdict on the manifest with this descriptor in a repository of `source`; without the signatures' bytes.

        Raises what asking for the signatures raises, and `PartMissing`.
        """
        with self._lock:
            once = self._known.setdefault((source.locator, repository, descriptor.digest, published), _Once())
        with once.lock:
            if once.verdict is None:
                once.verdict = self._judged(source, repository, descriptor, published)
            return once.verdict

    def _judged(self, source: Source, repository: str, descriptor: Descriptor, published: Published) -> Verdict:
        rule = published.rule(self.policy)
        subject = Subject(descriptor=descriptor, names=published.names)
        name = Name(repository, None, descriptor.digest)
        wanted = rule.forms if rule else frozenset()
        found = evidence_for(source, name, wanted, attestations=bool(rule and rule.attestations))
        said = verdict(rule, subject, found, self.at)
        light = (evolve(each, evidence=evolve(each.evidence, manifest=None, content=b"")) for each in said.findings)
        return evolve(said, findings=tuple(light))


@define(eq=False)
class _Once:
    lock: threading.Lock = field(factory=threading.Lock)
    verdict: Verdict | None = None


@define(kw_only=True)
class Trusting:
    """What a policy says of the images of one run. `verdicts` are by the images' names at the target.

    `published` says whose image an item is. `beside` is the target of a differential bundle, which leaves out the
    signatures that are there. `unknown` are images with a rule that only warns, whose signatures could
    not be asked for.
    """

    judge: Judge
    sources: Mapping[str, Source]
    published: Callable[[str, Name], Published] = lambda store, name: Published.at(store, name.repository)
    cancellation: Cancellation | None = None
    working: ActivityListener = ignore
    beside: Source | None = None
    verdicts: dict[str, Verdict] = field(factory=dict)
    unknown: dict[str, TransloadError] = field(factory=dict)
    _unchanged: int = 0
    _unasked: int = 0
    _narrowed: int = 0
    _names: tuple[str, ...] = ()

    def refuse(self, surveyed: Sequence[Surveyed]) -> Mapping[Name, TransloadError]:
        """The errors of the images that must not be copied, by their names at the target; see `planning.Refuse`."""
        belongs = belonging(surveyed)
        images = [image for image in surveyed if image.item not in belongs]
        moving = [image for image in images if image.error is None and (image.root or any(images_beside(image)))]
        self._unchanged = sum(image.unchanged for image in images)
        self._names = tuple(self._of(image).name for image in images)
        judged = Counting(self.working, "judging", len(moving), possible=not moving).around(self._error)
        errors = in_parallel(judged, moving, _THREADS, self.cancellation)
        self._unasked = sum(error is not None and not isinstance(error, PolicyRefused) for error in errors)
        self._narrowed = sum(
            error is None and _is_narrowed(image) and image.item.label in self.verdicts
            for image, error in zip(moving, errors, strict=True)
        )
        refused = {image.item.target: error for image, error in zip(moving, errors, strict=True) if error is not None}
        return {**refused, **dict(with_their_images(belongs, refused))}

    def _of(self, image: Surveyed) -> Published:
        return self.published(image.item.source_store, image.item.source)

    def _error(self, image: Surveyed) -> TransloadError | None:
        published, label = self._of(image), image.item.label
        try:
            said = self._verdict(image, published) if image.root else None
            beside = None if said and said.refuses else self._image_beside(image, published)
        except (Interrupted, PartMissing):
            raise
        except TransloadError as error:
            rule = published.rule(self.judge.policy)
            if rule is not None and rule.mode is Mode.WARN:
                self.unknown[label] = as_result(error)
                return None
            return as_result(error)
        if said is not None:
            self.verdicts[label] = said if beside is None else evolve(said, problem=beside.message)
        return refusal(label, published, said, self.judge.policy) if said and said.refuses else beside

    def _image_beside(self, image: Surveyed, published: Published) -> PolicyRefused | None:
        """The error for something that would come along with an image, and is another image that nobody signed."""
        source, repository = self.sources[image.item.source_store], image.item.source.repository
        for descriptor in images_beside(image):
            said = self.judge.verdict_on(source, repository, descriptor, published)
            if said.refuses:
                return PolicyRefused(
                    f"{descriptor.digest.short}, which refers to {image.item.label} and would come with it, is an "
                    f"image too, and it is not signed as the policy wants: {said.problem}",
                    subject=image.item.label,
                    side="source",
                    hint="--no-referrers brings the image without anything that refers to it",
                )
        return None

    def _verdict(self, image: Surveyed, published: Published) -> Verdict:
        source = self.sources[image.item.source_store]
        before: Callable[[Descriptor], Descriptor] = getattr(source, "before", lambda descriptor: descriptor)
        assert image.published is not None  # noqa: S101 - the name of an image with a root stands for something
        descriptor = before(image.published)
        if self.beside is None:
            return self.judge.verdict_on(source, image.item.source.repository, descriptor, published)
        try:
            said = self.judge.verdict_on(source, image.item.source.repository, descriptor, published)
        except PrerequisiteMissing:
            return self._verdict_beside(self.beside, image, descriptor, published)
        if said.problem is None:
            return said
        with suppress(NotFound, AccessDenied):  # the target has no such repository yet
            there = self._verdict_beside(self.beside, image, descriptor, published)
            return there if there.problem is None else said
        return said

    def _verdict_beside(self, store: Source, image: Surveyed, descriptor: Descriptor, published: Published) -> Verdict:
        try:
            return self.judge.verdict_on(store, image.item.target.repository, descriptor, published)
        except TransloadError as error:
            error.side = "target"
            raise

    def date(self, image: Surveyed, source: Source) -> Dated | None:
        """When an image was signed, if that is proved; else when it says that it was made. See `planning.ages.Date`."""
        said = self.verdicts.get(image.item.label)
        if said is None or said.signed is None:
            return by_created_field(image, source)
        moment, how = said.signed
        return Dated(moment, f"by {how}", "signed")

    # --- what is told of it

    def notes(self) -> Iterator[str]:
        """What the policy decided, images that it only warns of, and rules that fit no image."""
        file = self.judge.policy.file
        judging = "; transload verify --policy judges what the target has" if self._unchanged else ""
        yield f"policy {file}: {', '.join(self._counts()) or 'no image was judged'}{judging}"
        warnings = [*self._warnings()]
        yield from warnings[:_NOTED]
        if len(warnings) > _NOTED:
            yield f"{count(len(warnings) - _NOTED, 'more image')} of which the policy warns: --output json has them all"
        yield from dict.fromkeys(note for said in self.verdicts.values() for note in said.notes)
        if self._narrowed:
            gets = "1 image gets" if self._narrowed == 1 else f"{self._narrowed} images get"
            yield (
                f"{gets} another digest with only some platforms, and signatures of the whole do not hold for that: "
                "who judges it later refuses it; --narrow sparse keeps the digest that is signed"
            )
        yield from without_use(self.judge.policy, self._names, "of this run")

    def _counts(self) -> Iterator[str]:
        said = self.verdicts.values()
        refused = sum(each.refuses for each in said)
        skipped = sum(each.rule is not None and each.rule.mode is Mode.SKIP for each in said)
        warned = sum(each.problem is not None for each in said) - refused
        holding = len(said) - refused - warned - skipped
        counts = {
            "signed as it wants": holding,
            "refused": refused,
            "not signed as it wants, and copied all the same": warned + len(self.unknown),
            "under a rule that asks for nothing": skipped,
            "whose signatures could not be asked for": self._unasked,
            "unchanged and not judged": self._unchanged,
        }
        return (f"{number} {what}" for what, number in counts.items() if number)

    def _warnings(self) -> Iterator[str]:
        for label, said in self.verdicts.items():
            if said.problem is not None and not said.refuses:
                yield f"{label} is not signed as the policy wants: {said.problem}"
        for label, error in self.unknown.items():
            yield f"whether {label} is signed could not be asked: {error.message}"

    def checks(self) -> tuple[Check, ...]:
        """What a transfer record says was checked."""
        time = self.judge.stated
        return tuple(_check(label, said, time) for label, said in sorted(self.verdicts.items()))


def without_use(policy: Policy, names: Iterable[str], of_what: str) -> Iterator[str]:
    """A note on the rules that fit none of these images, whose prefixes may be misspelt."""
    names = tuple(names)
    rules = policy.without_use(names) if names else ()
    if rules:
        fits = "a rule fits" if len(rules) == 1 else f"{len(rules)} rules fit"
        yield f"policy {policy.file}: {fits} no image {of_what}: {first_of(map(_place, rules), _NAMED)}"


def _is_narrowed(image: Surveyed) -> bool:
    return image.root is not None and image.source_digest not in {None, image.root.manifest.digest}


def _place(rule: Rule) -> str:
    prefix = rule.prefix or '""'
    return f"{prefix} (line {rule.line})" if rule.line else prefix


def _check(label: str, said: Verdict, time: datetime | None) -> Check:
    """For strangers: why a signature does not hold, but not the paths of the policy's files."""
    result: CheckResult = "passed"
    why = None
    if said.rule is not None and said.rule.mode is Mode.SKIP:
        result = "not-made"
    elif said.problem is not None:
        result = "failed" if said.refuses else "warned"
        missing = "no rule fits" if said.rule is None else "no signature that the rule wants was found"
        why = next((found.problem for found in said.findings if found.problem), missing)
    as_of = f"judged as of {time:%Y-%m-%dT%H:%M:%SZ}" if time else None
    detail = "; ".join(filter(None, (why, as_of)))
    return Check(name="policy", result=result, by=", ".join(said.signers) or None, image=label, detail=detail or None)


def refusal(label: str, published: Published, said: Verdict, policy: Policy) -> PolicyRefused:
    """The error of an image that is refused: what was found, why that does not hold, and what to do."""
    claimed = policy.rule_for(published.name)
    if said.rule != claimed and claimed is not None:
        hint = (
            "nobody proves where it comes from, so its rule does not count; the key of a bundle (--key) would prove it"
        )
    elif said.rule is None:
        prefix = published.name.rpartition("/")[0]
        hint = f'add a rule there, such as one with the prefix "{prefix}"; the prefix "" fits all images'
    else:
        hint = f"{_decided(said.rule, policy)}: ask the publisher to sign it, or write a rule for this image alone"
        if "clock" in (said.problem or ""):  # it says of a certificate that it is not valid now
            hint = f"{_decided(said.rule, policy)}; --at TIME judges by another time than that of this machine's clock"
    if said.rule is None:
        why = f"{label} is under no rule of the policy {policy.file}, so it is refused"
    else:
        many = f" ({len(said.findings)} signatures were looked at)" if len(said.findings) > 1 else ""
        why = f"{label} is not signed as the policy wants: {said.problem}{many}"
    return PolicyRefused(why, subject=label, side="source", hint=hint)


def _decided(rule: Rule, policy: Policy) -> str:
    which = f"the rule for {rule.prefix}" if rule.prefix else "the rule for all images"
    return f"{which} in {policy.file}{f', line {rule.line}' if rule.line else ''}, wants it"
