"""A run's images are judged by a policy before they are copied: which, by which rule, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import transload
from tests.unit.app.signed import Signer, policy, rule
from transload.app.job import Job
from transload.app.location import Location
from transload.app.rules import refuse_by_rule
from transload.app.trusting import Judge, Published, Trusting
from transload.errors import AgeRefused, PolicyRefused, Unreachable
from transload.memory import MemoryStore
from transload.oci import Digest, Manifest, Name
from transload.planning import Item, Plan, Request, make_plan
from transload.planning.ages import Ages
from transload.planning.request import Referrers
from transload.server import serve
from transload.testing.faults import FaultyStore, fails
from transload.testing.images import Built, artifact, fill, image, multi_platform
from transload.threads import Cancellation
from transload.trust.evidence import Evidence, Finding, Form, Subject
from transload.trust.policy import Mode, Policy, Rule

HOST = "registry.example"
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
VENDOR, OTHER = Signer("vendor.pub"), Signer("other.pub")


class Run:
    """A vendor's registry, an empty target, and plans from one to the other."""

    def __init__(self, rules: Policy, source: MemoryStore | FaultyStore | None = None) -> None:
        self.held = MemoryStore(HOST)
        self.source = source or FaultyStore(self.held)
        self.target = MemoryStore("target.example")
        self.judge = Judge(rules, NOW)
        self.trusting = self.again()

    def again(self, source: MemoryStore | FaultyStore | None = None) -> Trusting:
        return Trusting(judge=self.judge, sources={HOST: source or self.source})

    def add(self, name: str, signer: Signer | None = None, built: Built | None = None) -> Built:
        built = built or image(name, (1000,))
        fill(self.held, built, name, "v1")
        if signer is not None:
            signer.sign(self.held, name, built, f"{HOST}/{name}")
        return built

    def plan(self, *names: str, trusting: Trusting | None = None, tag: str = "v1") -> Plan:
        trusting = trusting or self.trusting
        items = tuple(Item(HOST, Name(name, tag), Name(name, tag)) for name in names)
        sources = dict(trusting.sources)
        return make_plan(Request(items), sources, self.target, refuse=trusting.refuse)


def errors(plan: Plan) -> dict[str, str]:
    return {planned.label: str(planned.error) for planned in plan.images if planned.error is not None}


# --- which images, and by which rule


def test_what_is_not_signed_is_refused_and_the_others_are_planned() -> None:
    run = Run(policy(rule("", VENDOR)))
    run.add("acme/good", VENDOR)
    run.add("acme/stranger", OTHER)
    run.add("acme/bare")

    plan = run.plan("acme/good", "acme/stranger", "acme/bare")

    assert [planned.status for planned in plan.images] == ["new", "failed", "failed"]
    assert all(isinstance(planned.error, PolicyRefused) for planned in plan.images[1:])
    assert errors(plan)["acme/stranger:v1"].startswith("acme/stranger:v1 is not signed as the policy wants: ")
    assert "no signature was found" in errors(plan)["acme/bare:v1"]
    assert plan.images[2].error is not None
    assert plan.images[2].error.exit_code == 7
    assert run.trusting.verdicts["acme/good:v1"].signers
    assert not any(step for step in plan.steps if "bare" in str(step)), "nothing of it is copied"


def test_an_unchanged_image_costs_nothing_and_is_counted() -> None:
    run = Run(policy(rule("", VENDOR)))
    built = run.add("acme/app")
    fill(run.target, built, "acme/app", "v1")
    plan = run.plan("acme/app")
    assert [planned.status for planned in plan.images] == ["unchanged"]
    assert isinstance(run.source, FaultyStore)
    assert run.source.calls == {"resolve": 1}
    assert [*run.trusting.notes()] == [
        "policy policy.yaml: 1 unchanged and not judged; transload verify --policy judges what the target has"
    ]


def test_a_rule_that_skips_asks_for_nothing() -> None:
    run = Run(policy(rule("", VENDOR), rule(f"{HOST}/open", mode="skip")))
    run.add("open/app")
    plan = run.plan("open/app")
    assert [planned.status for planned in plan.images] == ["new"]
    assert isinstance(run.source, FaultyStore)
    assert run.source.calls["referrers"] == 0
    assert [*run.trusting.notes()] == ["policy policy.yaml: 1 under a rule that asks for nothing"]
    assert [check.result for check in run.trusting.checks()] == ["not-made"]


def test_no_rule_that_fits_refuses() -> None:
    run = Run(policy(rule(f"{HOST}/acme", VENDOR)))
    run.add("other/app", VENDOR)
    plan = run.plan("other/app")
    assert errors(plan) == {"other/app:v1": "other/app:v1 is under no rule of the policy policy.yaml, so it is refused"}
    assert plan.images[0].error is not None
    assert f'prefix "{HOST}/other"' in str(plan.images[0].error.hint)


def test_a_rule_that_fits_no_image_is_named() -> None:
    run = Run(policy(rule("", VENDOR), rule("registry.example/acne", VENDOR), rule(f"{HOST}/acme", VENDOR)))
    run.add("acme/app", VENDOR)
    run.plan("acme/app")
    assert [*run.trusting.notes()] == [
        "policy policy.yaml: 1 signed as it wants",
        "policy policy.yaml: a rule fits no image of this run: registry.example/acne",
    ]


def test_of_an_index_the_published_one_must_be_signed_whatever_platforms_are_wanted() -> None:
    run = Run(policy(rule("", VENDOR)))
    built = run.add("acme/app", VENDOR, multi_platform("many", (1000,)))
    item = Item(HOST, Name("acme/app", "v1"), Name("acme/app", "v1"))
    request = Request((item,), platforms=(transload.Platform("linux", "amd64"),))
    plan = make_plan(request, {HOST: run.source}, run.target, refuse=run.trusting.refuse)
    assert errors(plan) == {}
    assert plan.images[0].source_digest == built.digest != plan.images[0].digest
    assert run.trusting.verdicts["acme/app:v1"].signers
    assert [*run.trusting.notes()][1].startswith("1 image gets another digest with only some platforms, and signatures")


def test_tags_of_signatures_go_with_their_image() -> None:
    """Where everything in a repository is wanted, they are among the images."""
    run = Run(policy(rule("", VENDOR)))
    good, bad = run.add("acme/good", VENDOR), run.add("acme/bad", OTHER)
    tags = {"acme/good": f"sha256-{good.digest.encoded}.sig", "acme/bad": f"sha256-{bad.digest.encoded}.sig"}
    names = [*(Name(name, "v1") for name in tags), *(Name(name, tag) for name, tag in tags.items())]
    items = tuple(Item(HOST, name, name) for name in names)
    plan = make_plan(Request(items), {HOST: run.source}, run.target, refuse=run.trusting.refuse)
    assert [planned.status for planned in plan.images] == ["new", "failed", "new", "failed"]
    assert errors(plan)[f"acme/bad:{tags['acme/bad']}"].endswith("belongs to acme/bad:v1, which is not copied")
    assert set(run.trusting.verdicts) == {"acme/good:v1", "acme/bad:v1"}


def test_the_tag_of_a_signature_alone_is_judged_as_any_image() -> None:
    run = Run(policy(rule("", VENDOR)))
    good = run.add("acme/good", VENDOR)
    plan = run.plan("acme/good", tag=f"sha256-{good.digest.encoded}.sig")
    assert [planned.status for planned in plan.images] == ["failed"]


def test_images_under_the_tags_of_each_others_signatures_are_judged() -> None:
    """Nobody has signed either of them, so there is no image with which they could go."""
    run = Run(policy(rule("", VENDOR)))
    one, other = image("one"), image("other")
    tags = [f"sha256-{one.digest.encoded}.sig", f"sha256-{other.digest.encoded}.sig"]
    fill(run.held, other, "acme/app", tags[0])
    fill(run.held, one, "acme/app", tags[1])
    items = tuple(Item(HOST, Name("acme/app", tag), Name("acme/app", tag)) for tag in tags)
    plan = make_plan(Request(items), {HOST: run.source}, run.target, refuse=run.trusting.refuse)
    assert [planned.status for planned in plan.images] == ["failed", "failed"]


def test_the_tag_of_a_signature_that_gets_another_name_is_judged() -> None:
    run = Run(policy(rule("", VENDOR)))
    good = run.add("acme/app", VENDOR)
    tag = f"sha256-{good.digest.encoded}.att"
    fill(run.held, image("evil"), "acme/app", tag)
    items = (
        Item(HOST, Name("acme/app", "v1"), Name("acme/app", "v1")),
        Item(HOST, Name("acme/app", tag), Name("acme/app", "v2")),
        Item(HOST, Name("acme/app", tag), Name("acme/other", tag)),
    )
    plan = make_plan(Request(items), {HOST: run.source}, run.target, refuse=run.trusting.refuse)
    assert [planned.status for planned in plan.images] == ["new", "failed", "failed"]


def test_signatures_of_signatures_go_with_the_image() -> None:
    run = Run(policy(rule("", VENDOR)))
    bad = run.add("acme/bad", OTHER)
    signature = f"sha256-{bad.digest.encoded}.sig"
    of_signature = f"sha256-{run.held.resolve(Name('acme/bad', signature)).digest.encoded}.sig"
    fill(run.held, artifact("signature of it"), "acme/bad", of_signature)
    items = tuple(Item(HOST, Name("acme/bad", tag), Name("acme/bad", tag)) for tag in ("v1", signature, of_signature))
    plan = make_plan(Request(items), {HOST: run.source}, run.target, refuse=run.trusting.refuse)
    assert [planned.status for planned in plan.images] == ["failed", "failed", "failed"]


def test_an_image_under_the_tag_of_a_signature_is_judged_as_any_image() -> None:
    """A registry can put anything there, and whoever knows the tag can run it at the target."""
    run = Run(policy(rule("", VENDOR)))
    good = run.add("acme/app", VENDOR)
    tag = f"sha256-{good.digest.encoded}.att"
    fill(run.held, image("evil"), "acme/app", tag)
    items = tuple(Item(HOST, Name("acme/app", each), Name("acme/app", each)) for each in ("v1", tag))
    plan = make_plan(Request(items), {HOST: run.source}, run.target, refuse=run.trusting.refuse)
    assert [planned.status for planned in plan.images] == ["new", "failed"]


@pytest.mark.parametrize("tagged", [True, False])
def test_an_image_that_would_come_along_with_a_signed_one_must_be_signed_too(*, tagged: bool) -> None:
    run = Run(policy(rule("", VENDOR), rule(f"{HOST}/free", mode="skip")))
    good, free = run.add("acme/app", VENDOR), run.add("free/app")
    evil = image("evil", subject=None if tagged else good.descriptor)
    fill(run.held, evil, "acme/app", f"sha256-{good.digest.encoded}.sbom" if tagged else None)
    fill(run.held, image("free, too", subject=free.descriptor), "free/app", None)
    items = tuple(Item(HOST, Name(name, "v1"), Name(name, "v1")) for name in ("acme/app", "free/app"))
    request = Request(items, referrers=Referrers.USUAL)

    plan = make_plan(request, {HOST: run.source}, run.target, refuse=run.trusting.refuse)
    assert [planned.status for planned in plan.images] == ["failed", "new"]
    error = plan.images[0].error
    assert isinstance(error, PolicyRefused)
    assert f"{evil.digest.short}, which refers to acme/app:v1 and would come with it, is an image too" in str(error)
    assert "--no-referrers" in str(error.hint)
    assert next(run.trusting.notes()) == "policy policy.yaml: 1 refused, 1 under a rule that asks for nothing"

    VENDOR.sign(run.held, "acme/app", evil, f"{HOST}/acme/app")
    trusting = Trusting(judge=Judge(run.judge.policy), sources={HOST: run.source})
    plan = make_plan(request, {HOST: run.source}, run.target, refuse=trusting.refuse)
    assert [planned.status for planned in plan.images] == ["new", "new"]


def test_an_image_that_would_come_along_with_an_unchanged_one_must_be_signed_too() -> None:
    run = Run(policy(rule("", VENDOR)))
    good = run.add("acme/app", VENDOR)
    fill(run.target, good, "acme/app", "v1")
    item = Item(HOST, Name("acme/app", "v1"), Name("acme/app", "v1"))
    request = Request((item,), referrers=Referrers.REFRESH)
    assert make_plan(request, {HOST: run.source}, run.target, refuse=run.trusting.refuse).images[0].error is None
    fill(run.held, image("evil", subject=good.descriptor), "acme/app", None)
    plan = make_plan(request, {HOST: run.source}, run.target, refuse=run.again().refuse)
    assert isinstance(plan.images[0].error, PolicyRefused)
    assert not plan.steps


def test_signatures_and_the_image_under_its_own_tags_are_no_images_beside_it() -> None:
    run = Run(policy(rule("", VENDOR)))
    good = run.add("acme/app", VENDOR, multi_platform("many", (1000,)))
    fill(run.held, good.children[0], "acme/app", f"sha256-{good.digest.encoded}.att")
    VENDOR.bundle(run.held, "acme/app", good)
    item = Item(HOST, Name("acme/app", "v1"), Name("acme/app", "v1"))
    request = Request((item,), referrers=Referrers.USUAL)
    plan = make_plan(request, {HOST: run.source}, run.target, refuse=run.trusting.refuse)
    assert [planned.status for planned in plan.images] == ["new"]


# --- could not ask is not unsigned


def test_what_could_not_be_asked_fails_as_that() -> None:
    run = Run(policy(rule("", VENDOR)))
    run.add("acme/app", VENDOR)
    faulty = FaultyStore(run.held, [fails("referrers", times=9)])
    run.trusting = run.again(faulty)
    plan = run.plan("acme/app")
    assert isinstance(plan.images[0].error, Unreachable)
    assert plan.images[0].error.side == "source"
    assert [*run.trusting.notes()] == ["policy policy.yaml: 1 whose signatures could not be asked for"]


def test_a_rule_that_warns_copies_and_says_what_is_wrong() -> None:
    run = Run(policy(rule("", VENDOR, mode="warn")))
    run.add("acme/bare")
    assert errors(run.plan("acme/bare")) == {}
    counted, warned = run.trusting.notes()
    assert counted == "policy policy.yaml: 1 not signed as it wants, and copied all the same"
    assert warned.startswith("acme/bare:v1 is not signed as the policy wants: ")
    assert [check.result for check in run.trusting.checks()] == ["warned"]

    trusting = run.again(FaultyStore(run.held, [fails("referrers", times=9)]))
    assert (
        errors(run.plan("acme/bare", trusting=Trusting(judge=Judge(run.judge.policy), sources=trusting.sources))) == {}
    )


def test_warnings_are_bounded() -> None:
    run = Run(policy(rule("", VENDOR, mode="warn")))
    names = [f"acme/app{number}" for number in range(14)]
    for name in names:
        run.add(name)
    run.plan(*names)
    notes = [*run.trusting.notes()]
    assert len(notes) == 1 + 10 + 1
    assert notes[-1].startswith("4 more images of which the policy warns")


# --- once, and what was judged is copied


def test_each_image_is_judged_once_for_several_targets() -> None:
    run = Run(policy(rule("", VENDOR)))
    run.add("acme/app", VENDOR)
    for _ in range(3):
        trusting = run.again()
        assert errors(run.plan("acme/app", trusting=trusting)) == {}
        assert trusting.verdicts["acme/app:v1"].signers
    assert isinstance(run.source, FaultyStore)
    assert run.source.calls["referrers"] == 1


def test_nothing_is_kept_of_the_signatures_themselves() -> None:
    run = Run(policy(rule("", VENDOR)))
    run.add("acme/app", VENDOR)
    run.plan("acme/app")
    (finding,) = run.trusting.verdicts["acme/app:v1"].findings
    assert finding.evidence.content == b""
    assert finding.evidence.manifest is None


class Moves(MemoryStore):
    """A registry where somebody moves the tag as soon as signatures are asked for."""

    def __init__(self, later: Manifest) -> None:
        super().__init__()
        self.later = later

    def referrers(self, repository: str, digest: Digest) -> tuple[transload.Descriptor, ...]:
        self.put_manifest(Name(repository, "v1"), self.later)
        return super().referrers(repository, digest)


def test_a_tag_that_moves_after_it_was_judged_is_copied_as_it_was_judged(tmp_path: Path) -> None:
    signed, evil = image("signed", (1000,)), image("evil", (900,))
    store = Moves(evil.manifest)
    fill(store, evil, "acme/app", "other")
    fill(store, signed, "acme/app", "v1")
    with serve(store) as served:
        VENDOR.sign(store, "acme/app", signed, f"{served.host_port}/acme/app")
        transload.mirror(f"{served.host_port}/acme/app:v1", to=f"oci:{tmp_path}/out", policy=policy(rule("", VENDOR)))
        assert store.resolve(Name("acme/app", "v1")).digest == evil.digest, "it has moved"
    with transload.open_store(f"oci:{tmp_path}/out") as out:
        assert out.resolve("acme/app:v1").digest == signed.digest


# --- whose image it is


@pytest.mark.parametrize(
    ("store", "repository", "name", "proved", "names"),
    [
        ("quay.io", "acme/app", "quay.io/acme/app", True, ("quay.io/acme/app",)),
        ("127.0.0.1:5000", "app", "127.0.0.1:5000/app", True, ("127.0.0.1:5000/app",)),
        (
            "charts:https://charts.example/stable/",
            "app",
            "charts.example/stable/app",
            True,
            ("charts.example/stable/app",),
        ),
        ("oci:folder", "quay.io/acme/app", "quay.io/acme/app", False, ("quay.io/acme/app",)),
        ("oci:folder", "acme/app", "docker.io/acme/app", False, ()),
        ("archive:saved.tar", "nginx", "docker.io/library/nginx", False, ()),
        ("oci:folder", "", "", False, ()),
        ("docker:quay.io", "acme/app", "quay.io/acme/app", False, ("quay.io/acme/app",)),
    ],
)
def test_the_name_of_an_image_in_a_store(
    store: str, repository: str, name: str, proved: bool, names: tuple[str, ...]
) -> None:
    assert Published.at(store, repository) == Published(name=name, proved=proved, names=names)


@pytest.mark.parametrize("proved", [True, False])
def test_an_unproved_claim_chooses_no_weaker_rule(proved: bool) -> None:
    rules = policy(rule("", VENDOR), rule("quay.io/open", mode="skip"), rule("quay.io/acme", OTHER))
    lenient = Published.claimed("quay.io/open/app:v1", "app", proved=proved).rule(rules)
    strict = Published.claimed("quay.io/acme/app:v1", "app", proved=proved).rule(rules)
    assert lenient is not None
    assert lenient.mode is (Mode.SKIP if proved else Mode.REQUIRE)
    assert strict is not None
    assert strict.prefix == "quay.io/acme"
    assert Published.claimed("oci:folder/app:v1", "quay.io/acme/app", proved=proved).name == "quay.io/acme/app"


# --- ages by what is proved


class Stamped:
    """An authority whose signatures all have a time stamp."""

    name = "the authority"
    forms = frozenset({Form.COSIGN_TAG})
    attestation = False
    wants = ""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def judge(self, subject: Subject, evidence: Evidence, at: datetime) -> Finding:
        return Finding(
            evidence=evidence, problem=None, signer="CN=ann", signed_at=self.moment, time_from="the time stamp of TSA"
        )


def refused_by_age(run: Run, ages: Ages, names: Iterable[str]) -> Plan:
    job = Job(sets=(), target=Location.parse("oci:out"), ages=ages, policy=run.judge.policy)
    refuse = refuse_by_rule(job, run.trusting.sources, Cancellation(), run.trusting)
    items = tuple(Item(HOST, Name(name, "v1"), Name(name, "v1")) for name in names)
    return make_plan(Request(items), dict(run.trusting.sources), run.target, refuse=refuse)


def test_an_age_counts_from_the_time_that_a_signature_proves() -> None:
    """The images say that they were made in 2024; one was signed an hour ago."""
    now = datetime.now(UTC)
    rules = Policy(file="policy.yaml", rules=(Rule(prefix="", mode=Mode.WARN, authorities=(Stamped(now),)),))
    run = Run(rules)
    run.add("acme/fresh", VENDOR)
    run.add("acme/bare")
    plan = refused_by_age(run, Ages.of("7d", None), ["acme/fresh", "acme/bare"])
    fresh, bare = plan.images
    assert isinstance(fresh.error, AgeRefused)
    assert f"acme/fresh:v1 was signed {now:%Y-%m-%d %H:%M}, by the time stamp of TSA: it is younger than 7d" in str(
        fresh.error
    )
    assert bare.error is None, "its created field is old enough"


# --- what a transfer record says


def test_a_record_says_who_signed_why_not_and_by_which_time_but_no_path() -> None:
    at_home = Signer("/home/ann/vendor.pub")
    run = Run(policy(rule("", at_home)))
    run.add("acme/good", at_home)
    run.add("acme/stranger", OTHER)
    run.add("acme/bare")
    run.plan("acme/good", "acme/stranger", "acme/bare")
    bare, good, stranger = (check.to_json() for check in run.trusting.checks())
    time = "judged as of 2026-11-26T12:00:00Z"
    assert bare == {
        "name": "policy",
        "result": "failed",
        "image": "acme/bare:v1",
        "detail": f"no signature that the rule wants was found; {time}",
    }
    assert good["result"] == "passed"
    assert good["by"].startswith("key ")
    assert good["detail"] == time
    assert stranger["detail"] == f"it was not made with this key, or what it signs was changed; {time}"
    assert "/home" not in str((bare, good, stranger))


def test_progress_is_told_while_signatures_are_looked_for() -> None:
    run = Run(policy(rule("", VENDOR)))
    names = ["acme/one", "acme/two"]
    for name in names:
        run.add(name, VENDOR)
    heard: list[transload.Progressed] = []
    run.trusting.working = heard.append
    run.plan(*names)
    assert [(told.activity, told.total) for told in heard] == [("judging", 2)] * 3
    assert max(told.done for told in heard) == 2
    heard.clear()
    run.trusting.refuse([])
    assert not heard
