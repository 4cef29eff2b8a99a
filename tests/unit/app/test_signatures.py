"""Signatures are found at any store, with bounds; what could not be asked is an error, not an absent signature."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from attrs import frozen

from transload.app.signatures import NOTATION, evidence_for
from transload.errors import AccessDenied, ManifestInvalid, TransloadError, Unreachable
from transload.limits import ENVELOPE_BYTES, NOTATION_BYTES, SIGNATURES, SIGNATURES_BYTES
from transload.memory import MemoryStore
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci import mediatype as types
from transload.testing.faults import FaultyStore, Operation, corrupts, fails
from transload.testing.images import Built, artifact, fill, image
from transload.testing.layers import Content
from transload.trust import sigstorebundle
from transload.trust.evidence import Evidence, Finding, Form, Subject
from transload.trust.policy import Mode, Rule, verdict

IMAGE = image("signed", (1000,))
OTHER = image("other", (900,))
EVERY = frozenset(Form)
BUNDLE = sigstorebundle.MEDIA_TYPE


def under_tag(*contents: bytes, subject: Descriptor | None = None) -> Built:
    """A manifest as cosign stores one under its tags: each signature is a layer with annotations."""
    config = Content.of(b"{}", types.OCI_CONFIG)
    layers = [Content.of(content, "application/vnd.dev.cosign.simplesigning.v1+json") for content in contents]
    document = {
        "schemaVersion": 2,
        "mediaType": types.OCI_MANIFEST,
        "config": config.descriptor.to_json(),
        "layers": [{**layer.descriptor.to_json(), "annotations": {"signature": "…"}} for layer in layers],
        **({"subject": subject.to_json()} if subject else {}),
    }
    return Built(Manifest.parse(json.dumps(document).encode()), (config, *layers))


def tag(suffix: str, built: Built = IMAGE) -> str:
    return f"sha256-{built.digest.encoded}.{suffix}"


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    fill(store, IMAGE, "vendor/app", "v1")
    return store


class Lists(FaultyStore):
    """A store whose list of referrers has more than is there."""

    def __init__(self, store: MemoryStore, listed: Iterable[Descriptor]) -> None:
        super().__init__(store)
        self.listed = tuple(listed)

    @property
    def refers(self) -> Lists:
        return self

    def referrers(self, repository: str, digest: Digest) -> tuple[Descriptor, ...]:
        return self.listed


NAME = Name("vendor/app", None, IMAGE.digest)


def problems(found: Iterable[Evidence]) -> list[str | None]:
    return [piece.problem for piece in found]


def test_each_form_is_found_with_its_bytes(store: MemoryStore) -> None:
    fill(store, artifact("notation", (200,), NOTATION, IMAGE), "vendor/app")
    fill(store, artifact("bundle", (300,), BUNDLE, IMAGE), "vendor/app")
    fill(store, artifact("old", (300,), "application/vnd.dev.sigstore.bundle+json;version=0.2", IMAGE), "vendor/app")
    fill(store, artifact("sbom", (300,), "application/spdx+json", IMAGE), "vendor/app")
    fill(store, under_tag(b"first", b"second"), "vendor/app", tag("sig"))
    fill(store, under_tag(b"attested"), "vendor/app", tag("att"))

    found = evidence_for(store, NAME, EVERY)

    forms = [piece.form for piece in found]
    assert forms.count(Form.NOTATION) == 1
    assert forms.count(Form.SIGSTORE_BUNDLE) == 2
    assert [p.content for p in found if p.form is Form.COSIGN_TAG] == [b"first", b"second", b"attested"]
    assert all(piece.problem is None and Digest.of(piece.content) == piece.layer.digest for piece in found)
    assert found[0].layer.annotations == {"signature": "…"}


@pytest.mark.parametrize("form", Form)
def test_only_the_wanted_forms_are_fetched(store: MemoryStore, form: Form) -> None:
    fill(store, artifact("notation", (200,), NOTATION, IMAGE), "vendor/app")
    fill(store, artifact("bundle", (300,), BUNDLE, IMAGE), "vendor/app")
    fill(store, under_tag(b"first"), "vendor/app", tag("sig"))
    counted = FaultyStore(store)

    found = evidence_for(counted, NAME, frozenset({form}), attestations=False)

    assert [piece.form for piece in found if piece.problem is None] == [form]
    listed = {Form.NOTATION, Form.SIGSTORE_BUNDLE} - {form} if form is not Form.COSIGN_TAG else set()
    assert {piece.form for piece in found if piece.problem == "nobody asked for it"} == listed
    asked = {"referrers": 1} if form is not Form.COSIGN_TAG else {}
    assert counted.calls == {**asked, "fetch": 1, "open": 1}


def test_nothing_there_is_no_evidence_and_asks_three_times_at_most(store: MemoryStore) -> None:
    counted = FaultyStore(store)
    assert evidence_for(counted, NAME, EVERY) == ()
    assert counted.calls == {"referrers": 1, "fetch": 2}
    assert evidence_for(counted, NAME, frozenset()) == ()
    assert counted.calls == {"referrers": 1, "fetch": 2}


def test_signatures_of_another_image_are_not_found(store: MemoryStore) -> None:
    fill(store, OTHER, "vendor/app", "v2")
    fill(store, artifact("notation", (200,), NOTATION, OTHER), "vendor/app")
    fill(store, under_tag(b"first"), "vendor/app", tag("sig", OTHER))
    assert evidence_for(store, NAME, EVERY) == ()


def test_a_manifest_with_another_subject_is_no_evidence(store: MemoryStore) -> None:
    fill(store, OTHER, "vendor/app", "v2")
    of_other = artifact("notation", (200,), NOTATION, OTHER)
    of_none = artifact("none", (200,), NOTATION)
    for built in (of_other, of_none):
        fill(store, built, "vendor/app")
    fill(store, under_tag(b"first", subject=OTHER.descriptor), "vendor/app", tag("sig"))
    lying = Lists(store, (built.manifest.as_referrer for built in (of_other, of_none)))

    found = evidence_for(lying, NAME, EVERY)

    assert problems(found) == [
        f"its manifest refers to another image: {OTHER.digest}",
        f"its manifest refers to another image: {OTHER.digest}",
        "its manifest refers to no image",
    ]
    assert not any(piece.content for piece in found)


def test_a_list_that_states_no_type_is_looked_through(store: MemoryStore) -> None:
    built = artifact("notation", (200,), NOTATION, IMAGE)
    sbom = artifact("sbom", (200,), "application/spdx+json", IMAGE)
    fill(store, built, "vendor/app")
    fill(store, sbom, "vendor/app")
    bare = [Descriptor(types.OCI_MANIFEST, entry.digest, entry.descriptor.size) for entry in (sbom, built)]
    found = evidence_for(Lists(store, bare), NAME, EVERY)
    assert [(piece.form, piece.problem) for piece in found] == [(Form.NOTATION, None)]


# --- could not ask


@pytest.mark.parametrize("error", [Unreachable, AccessDenied])
@pytest.mark.parametrize("on", ["referrers", "fetch", "open"])
def test_what_cannot_be_asked_is_raised(store: MemoryStore, error: type[TransloadError], on: Operation) -> None:
    fill(store, artifact("notation", (200,), NOTATION, IMAGE), "vendor/app")
    faulty = FaultyStore(store, [fails(on, lambda: error("no answer"))])
    with pytest.raises(error) as caught:
        evidence_for(faulty, NAME, EVERY)
    assert caught.value.side == "source"


# --- bounds


def test_one_signature_that_is_damaged_does_not_hide_another(store: MemoryStore) -> None:
    fill(store, artifact("first", (200,), NOTATION, IMAGE), "vendor/app")
    fill(store, artifact("second", (201,), NOTATION, IMAGE), "vendor/app")
    found = evidence_for(FaultyStore(store, [corrupts()]), NAME, EVERY)
    assert [piece.problem is None for piece in found] == [True, False]
    assert "expected sha256:" in (found[1].problem or "")


def test_ten_thousand_referrers_are_not_all_read(store: MemoryStore) -> None:
    built = artifact("notation", (200,), NOTATION, IMAGE)
    fill(store, built, "vendor/app")
    fill(store, under_tag(b"first"), "vendor/app", tag("sig"))
    lying = Lists(store, [built.manifest.as_referrer] * 10_000)

    found = evidence_for(lying, NAME, EVERY)

    assert len(found) == SIGNATURES + 1
    assert found[0].content == b"first"
    assert problems(found[-1:]) == [f"there are more than {SIGNATURES}, so the others were not looked at"]
    assert lying.calls["fetch"] <= SIGNATURES + 2

    unstated = Lists(store, [Descriptor(types.OCI_MANIFEST, Digest.of(b"%d" % n), 500) for n in range(10_000)])
    assert [piece.content for piece in evidence_for(unstated, NAME, EVERY)] == [b"first"]
    assert unstated.calls["fetch"] <= SIGNATURES + 2


def test_a_layer_that_is_too_large_is_not_read(store: MemoryStore) -> None:
    fill(store, artifact("large", (NOTATION_BYTES + 1,), NOTATION, IMAGE), "vendor/app")
    counted = FaultyStore(store)
    assert problems(evidence_for(counted, NAME, EVERY)) == ["it has 1.0 MiB, the limit is 1.0 MiB"]
    assert counted.calls["open"] == 0


def test_all_signatures_together_have_a_bound(store: MemoryStore) -> None:
    sizes = (ENVELOPE_BYTES - 100_000,)
    for number in range(3):
        fill(store, artifact(f"large{number}", sizes, BUNDLE, IMAGE), "vendor/app")
    counted = FaultyStore(store)
    found = evidence_for(counted, NAME, EVERY)
    assert sum(len(piece.content) for piece in found) <= SIGNATURES_BYTES
    assert problems(found) == [None, None, "all signatures of the image have more than 32 MiB"]
    assert counted.calls["open"] == 2


def test_a_referrer_that_is_an_index_and_refers_to_itself_by_its_tag(store: MemoryStore) -> None:
    """As the fallback tag of its own subject: nothing is followed."""
    index = {
        "schemaVersion": 2,
        "mediaType": types.OCI_INDEX,
        "artifactType": NOTATION,
        "subject": IMAGE.descriptor.to_json(),
        "manifests": [],
    }
    built = Manifest.parse(json.dumps(index).encode())
    store.put_manifest(Name("vendor/app", f"sha256-{IMAGE.digest.encoded}"), built)
    listed = Lists(store, [built.as_referrer])
    assert problems(evidence_for(listed, NAME, EVERY)) == ["its manifest has no layer"]
    assert listed.calls["fetch"] == 3


def test_a_listed_signature_that_is_absent_says_so(store: MemoryStore) -> None:
    gone = artifact("gone", (200,), NOTATION, IMAGE)
    (problem,) = problems(evidence_for(Lists(store, [gone.manifest.as_referrer]), NAME, EVERY))
    assert gone.digest in str(problem)


def test_a_broken_manifest_under_the_tag_does_not_hide_another(store: MemoryStore) -> None:
    fill(store, artifact("notation", (200,), NOTATION, IMAGE), "vendor/app")
    faulty = FaultyStore(store, [fails("fetch", lambda: ManifestInvalid("a manifest is not a JSON object"))])
    found = evidence_for(faulty, NAME, EVERY)
    assert [(piece.form, piece.problem) for piece in found] == [
        (Form.NOTATION, None),
        (Form.COSIGN_TAG, "a manifest is not a JSON object"),
    ]


@frozen
class Anybody:
    """Whoever asks it has what should not be judged."""

    name: str = "anybody"
    forms: frozenset[Form] = EVERY

    def judge(self, subject: Subject, evidence: Evidence, at: datetime) -> Finding:
        raise AssertionError(evidence)


def test_what_could_not_be_read_is_a_reason_and_is_shown_to_no_authority(store: MemoryStore) -> None:
    fill(store, artifact("large", (NOTATION_BYTES + 1,), NOTATION, IMAGE), "vendor/app")
    rule = Rule(prefix="", mode=Mode.REQUIRE, authorities=(Anybody(),))
    found = evidence_for(store, NAME, rule.forms)
    said = verdict(rule, Subject(descriptor=IMAGE.descriptor), found, datetime(2026, 11, 26, tzinfo=UTC))
    assert said.refuses
    assert said.problem == "anybody does not accept its signature: it has 1.0 MiB, the limit is 1.0 MiB"


def test_signatures_that_nobody_asked_for_do_not_crowd_out_others_and_are_named(store: MemoryStore) -> None:
    bundle = artifact("bundle", (300,), BUNDLE, IMAGE)
    for number in range(SIGNATURES + 2):
        fill(store, artifact(f"n{number}", (10,), NOTATION, IMAGE), "vendor/app")
    counted = FaultyStore(store)

    none = evidence_for(counted, NAME, frozenset({Form.SIGSTORE_BUNDLE}))
    fill(store, bundle, "vendor/app")
    one = evidence_for(store, NAME, frozenset({Form.SIGSTORE_BUNDLE}))

    assert counted.calls == {"referrers": 1}
    assert [piece.form for piece in one[:2]] == [Form.SIGSTORE_BUNDLE, Form.NOTATION]
    rule = Rule(prefix="", mode=Mode.REQUIRE, authorities=(Anybody(forms=frozenset({Form.SIGSTORE_BUNDLE})),))
    said = verdict(rule, Subject(descriptor=IMAGE.descriptor), none, datetime(2026, 11, 26, tzinfo=UTC))
    assert said.problem == (
        "no signature was found (looked for: Sigstore bundles; "
        f"found: {SIGNATURES + 2} signatures of notation, which nobody in the rule can judge)"
    )
