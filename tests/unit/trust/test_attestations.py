"""Rules that want attestations: their type, who signed them, and what they say."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.trust.evidences import bundle_evidence
from tests.unit.trust.test_conformance import SIGNATURES
from tests.unit.trust.test_cosignkey import (
    IMAGE,
    JSON,
    PUBLIC,
    SUBJECT,
    attestation,
    dsse_bundle,
    message_bundle,
    payload,
    signing,
    simple,
    statement,
)
from tests.unit.trust.test_cosignkey import MANIFEST as CONTENT
from tests.unit.trust.test_cosignkey import SIGN as BY_BUILDER
from tests.unit.trust.test_policyfile import read
from transload.documents.value import Value
from transload.errors import DocumentInvalid
from transload.limits import CONDITIONS, IDENTITY_LENGTH
from transload.oci import Descriptor, Digest
from transload.trust.doubt import Doubt
from transload.trust.evidence import Evidence, Form, Subject
from transload.trust.policy import Mode, Verdict, verdict
from transload.trust.predicate import WantedPredicate, read_predicate, repository_in

NOW = datetime(2026, 11, 27, tzinfo=UTC)
SLSA1, SLSA02, SPDX = "https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2", "https://spdx.dev/Document"
BUILDER, SOURCE = "https://builder.example/github", "https://github.com/vendor/app"
PROVENANCE1 = {
    "buildDefinition": {
        "buildType": "https://actions.github.io/buildtypes/workflow/v1",
        "externalParameters": {"workflow": {"ref": "refs/heads/main", "repository": SOURCE}},
        "internalParameters": {"github": {"event_name": "push", "attempt": 3, "hosted": True, "share": 0.5}},
        "resolvedDependencies": [{"uri": f"git+{SOURCE}@refs/heads/main"}, {"uri": "x"}],
    },
    "runDetails": {"builder": {"id": BUILDER}, "metadata": {"org.example/x": "y", "none": None}},
}
PROVENANCE02 = {
    "builder": {"id": BUILDER},
    "invocation": {"configSource": {"uri": f"git+{SOURCE}@refs/heads/main", "entryPoint": "build.yml"}},
}
OTHER_PUBLIC, BY_OTHER = signing("p256")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "builder.pub").write_bytes(PUBLIC)
    (tmp_path / "other.pub").write_bytes(OTHER_PUBLIC)
    return tmp_path


def rule_with(*lines: str, kind: str = "slsa-provenance", signers: str = "any-of: [{cosign-key: builder.pub}]") -> str:
    where = ["where:", *(f"  {line}" for line in lines)] if lines else []
    keys = [f"predicate-type: {kind}", signers, *where]
    listed = "".join(f"        {line}\n" for line in keys)
    return f'version: 1\nrules:\n  - prefix: ""\n    mode: require\n    attestations:\n      -\n{listed}'


def said(folder: Path, text: str, *found: Evidence) -> Verdict:
    rule = read(folder, text).rule_for("registry.example/vendor/image")
    assert rule is not None
    assert rule.forms == frozenset({Form.COSIGN_TAG, Form.SIGSTORE_BUNDLE})
    return verdict(rule, SUBJECT, found, NOW)


def provenance(predicate: object = PROVENANCE1, kind: str = SLSA1, **others: Any) -> bytes:
    return statement(kind, predicate=predicate, **others)


def wanted(**keys: object) -> WantedPredicate:
    content = {key.replace("_", "-"): value for key, value in keys.items()}
    return read_predicate(Value.from_json(json.dumps(content).encode(), "rule", limit=1 << 20, values=1000, hint=""))


def problem(predicate: WantedPredicate, kind: str, content: dict[str, Any]) -> str | None:
    try:
        predicate.check(kind, content)
    except Doubt as doubt:
        return str(doubt)
    return None


# --- the type, and who signed


@pytest.mark.parametrize(
    ("word", "fitting", "others"),
    [
        (
            "slsa-provenance",
            [SLSA1, SLSA02, "https://slsa.dev/provenance/v1.1"],
            [SPDX, f"{SLSA1}/x", "https://slsa.dev/provenance1"],
        ),
        ("slsaprovenance02", [SLSA02], [SLSA1]),
        ("slsaprovenance1", [SLSA1], [SLSA02, f"{SLSA1}.1"]),
        ("spdx", [SPDX, f"{SPDX}/v2.3"], ["https://spdx.dev/Documents"]),
        ("cyclonedx", ["https://cyclonedx.org/bom", "https://cyclonedx.org/bom/v1.6"], [SPDX]),
        ("openvex", ["https://openvex.dev/ns", "https://openvex.dev/ns/v0.2.0"], [SPDX]),
        ("vuln", ["https://cosign.sigstore.dev/attestation/vuln/v1"], ["https://cosign.sigstore.dev/attestation/v1"]),
        ("custom", ["https://cosign.sigstore.dev/attestation/v1"], ["https://cosign.sigstore.dev/attestation/v1/v1"]),
        (SLSA1, [SLSA1], [SLSA02, f"{SLSA1}/v1", SLSA1[:-1]]),
    ],
)
def test_types(word: str, fitting: list[str], others: list[str]) -> None:
    predicate = wanted(predicate_type=word)
    assert [kind for kind in fitting if not predicate.is_type(kind)] == []
    assert [kind for kind in others if predicate.is_type(kind)] == []


@pytest.mark.parametrize("form", [attestation, dsse_bundle])
def test_one_attestation_of_several_that_is_signed_and_says_it_suffices(folder: Path, form: Any) -> None:
    right = form(provenance(), BY_BUILDER)
    others = [
        form(statement(SPDX), BY_BUILDER),
        form(provenance(), BY_OTHER),
        form(provenance({}), BY_BUILDER),
        simple(payload(), BY_BUILDER),
        message_bundle(BY_BUILDER(CONTENT)),
    ]
    text = rule_with(f"builder-id: {BUILDER}")
    judged = said(folder, text, *others, right)
    assert judged.problem is None
    assert [finding.predicate_type for finding in judged.held] == [SLSA1]
    assert judged.signers[0].startswith("key sha256:")
    assert said(folder, text, *others).refuses


def test_several_layers_of_one_tag_are_judged_one_by_one(folder: Path) -> None:
    text = rule_with() + "      - {predicate-type: spdx, any-of: [{cosign-key: other.pub}]}\n"
    layers = [attestation(provenance(), BY_BUILDER), attestation(statement(SPDX), BY_OTHER)]
    assert said(folder, text, *layers).problem is None
    assert len(said(folder, text, *layers).held) == 2
    assert said(folder, text, layers[0]).problem == (
        "the key other.pub signed no attestation of the type spdx: "
        "it was not made with this key, or what it signs was changed"
    )


def test_all_of_an_attestation(folder: Path) -> None:
    text = rule_with(signers="all-of: [{cosign-key: builder.pub}, {cosign-key: other.pub}]")
    both = [attestation(provenance(), BY_BUILDER), attestation(provenance(PROVENANCE02, SLSA02), BY_OTHER)]
    assert said(folder, text, *both).problem is None
    assert said(folder, text, both[0]).refuses


def test_an_attestation_is_wanted_besides_signatures(folder: Path) -> None:
    text = rule_with().replace("    attestations", "    any-of: [{cosign-key: other.pub}]\n    attestations")
    signature, made = simple(payload(), BY_OTHER), attestation(provenance(), BY_BUILDER)
    assert said(folder, text, signature, made).problem is None
    assert "no attestation" in str(said(folder, text, signature).problem)
    assert "the key other.pub does not accept its signature" in str(said(folder, text, made).problem)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ([], "there is no attestation of the type slsa-provenance"),
        ([simple(payload(), BY_BUILDER)], "there is no attestation of the type slsa-provenance"),
        (
            [attestation(statement(SPDX), BY_BUILDER)],
            "the key builder.pub signed no attestation of the type slsa-provenance, only others",
        ),
        (
            [attestation(provenance(), BY_OTHER)],
            (
                "the key builder.pub signed no attestation of the type slsa-provenance: "
                "it was not made with this key, or what it signs was changed"
            ),
        ),
        (
            [attestation(provenance(digest="0" * 64), BY_BUILDER)],
            (
                "the key builder.pub does not accept its attestation of the type slsa-provenance: "
                f"it signs another image: 'sha256:{'0' * 64}'"
            ),
        ),
        (
            [attestation(provenance({"runDetails": {"builder": {"id": "https://evil.example"}}}), BY_BUILDER)],
            (
                "the key builder.pub does not accept its attestation of the type slsa-provenance: "
                f"runDetails.builder.id is 'https://evil.example', which is not {BUILDER}"
            ),
        ),
        (
            [attestation(provenance({}), BY_BUILDER), attestation(provenance({"runDetails": []}), BY_BUILDER)],
            (
                "the key builder.pub accepts none of its 2 attestations of the type slsa-provenance: "
                "it does not say builder-id"
            ),
        ),
    ],
)
def test_what_is_said_of_an_attestation_that_is_missing(folder: Path, found: list[Evidence], why: str) -> None:
    judged = said(folder, rule_with(f"builder-id: {BUILDER}"), *found)
    assert judged.refuses
    assert judged.problem == why


# --- conditions


@pytest.mark.parametrize(
    ("name", "wish", "why"),
    [
        ("builder-id", BUILDER, None),
        ("builder-id", {"regexp": "https://builder[.]example/.*"}, None),
        ("builder-id", ["https://a.example", BUILDER], None),
        (
            "builder-id",
            "https://builder.example",
            f"runDetails.builder.id is '{BUILDER}', which is not https://builder.example",
        ),
        ("builder-id", {"regexp": "https://builder"}, "which does not match https://builder as a whole"),
        ("builder-id", ["https://a.example", "b", "c"], "which is not https://a.example or one of 2 others"),
        ("source-repository", SOURCE, None),
        ("source-repository", f"git+{SOURCE}.git", None),
        ("source-repository", {"regexp": "https://github[.]com/vendor/[a-z]+"}, None),
        ("source-repository", "https://github.com/vendor", "which is not https://github.com/vendor"),
        ("buildDefinition.internalParameters.github.event_name", "push", None),
        ("buildDefinition.internalParameters.github.attempt", "3", None),
        ("buildDefinition.internalParameters.github.hosted", "true", None),
        ("buildDefinition.internalParameters.github.hosted", "false", "is 'true', which is not false"),
        (
            "buildDefinition.internalParameters.github.share",
            "0.5",
            "is a number with a fraction, which cannot be compared",
        ),
        ("buildDefinition.internalParameters.github", "x", "is an object, which cannot be compared"),
        ("buildDefinition.resolvedDependencies", "x", "is a list, which cannot be compared"),
        ("buildDefinition.resolvedDependencies[1].uri", "x", None),
        (
            "buildDefinition.resolvedDependencies[2].uri",
            "x",
            "it does not say buildDefinition.resolvedDependencies[2].uri",
        ),
        ("buildDefinition.resolvedDependencies.uri", "x", "it does not say"),
        ("buildDefinition[0]", "x", "it does not say"),
        ('runDetails.metadata."org.example/x"', "y", None),
        ("runDetails.metadata.org.example/x", "y", "it does not say"),
        ("runDetails.metadata.none", "x", "it does not say"),
        ("runDetails.metadata.none", {"regexp": ".*"}, "it does not say"),
        ("runDetails", {"regexp": ".*"}, "is an object"),
    ],
)
def test_conditions(name: str, wish: object, why: str | None) -> None:
    found = problem(wanted(predicate_type="slsa-provenance", where={name: wish}), SLSA1, PROVENANCE1)
    assert (found is None) == (why is None), found
    assert (why or "") in (found or "")


@pytest.mark.parametrize(
    ("kind", "predicate"),
    [
        (SLSA1, PROVENANCE1),
        (SLSA02, PROVENANCE02),
        (SLSA1, {"externalParameters": {"source": SOURCE}}),
        (SLSA1, {"externalParameters": {"source": {"uri": f"git+{SOURCE}@refs/tags/v1"}}}),
        (SLSA1, {"externalParameters": {"configSource": {"uri": f"{SOURCE}.git#refs/tags/v1"}}}),
        (SLSA1, {"externalParameters": {"buildConfigSource": {"repository": SOURCE}}}),
    ],
)
def test_where_builders_say_the_source(kind: str, predicate: dict[str, Any]) -> None:
    content = {"buildDefinition": predicate} if "externalParameters" in predicate else predicate
    assert problem(wanted(predicate_type="slsa-provenance", where={"source-repository": SOURCE}), kind, content) is None
    other = wanted(predicate_type="slsa-provenance", where={"source-repository": "https://github.com/evil/app"})
    assert f"'{SOURCE}', which is not https://github.com/evil/app" in str(problem(other, kind, content))


def test_a_source_that_is_said_twice_must_be_right_twice() -> None:
    external = {"workflow": {"repository": SOURCE}, "source": {"uri": "https://github.com/evil/app"}}
    where = wanted(predicate_type="slsa-provenance", where={"source-repository": SOURCE})
    assert "evil" in str(problem(where, SLSA1, {"buildDefinition": {"externalParameters": external}}))


def test_fields_of_one_version_do_not_count_in_another() -> None:
    where = wanted(predicate_type="slsa-provenance", where={"builder-id": BUILDER})
    assert problem(where, SLSA02, PROVENANCE02) is None
    assert problem(where, SLSA1, PROVENANCE02) == "it does not say builder-id"
    assert problem(where, SLSA02, PROVENANCE1) == "it does not say builder-id"


def test_several_conditions_must_hold_for_one_attestation(folder: Path) -> None:
    text = rule_with(f"builder-id: {BUILDER}", f"source-repository: {SOURCE}")
    half: list[dict[str, Any]] = [
        {"runDetails": PROVENANCE1["runDetails"]},
        {"buildDefinition": PROVENANCE1["buildDefinition"]},
    ]
    assert said(folder, text, attestation(provenance(), BY_BUILDER)).problem is None
    assert said(folder, text, *(attestation(provenance(each), BY_BUILDER) for each in half)).refuses


@pytest.mark.parametrize(
    ("uri", "repository"),
    [
        ("https://h.example/a/b", "https://h.example/a/b"),
        ("git+https://h.example/a/b.git@refs/heads/main", "https://h.example/a/b"),
        ("git+ssh://git@h.example/a/b@v1", "ssh://git@h.example/a/b"),
        ("https://h.example/a/b/#main", "https://h.example/a/b"),
        ("https://github.com@evil.example/vendor/app", "https://github.com@evil.example/vendor/app"),
        ("https://h.example/a@b://c", "https://h.example/a"),
        ("text", "text"),
        ("", ""),
    ],
)
def test_the_repository_in_an_address(uri: str, repository: str) -> None:
    assert repository_in(uri) == repository


def test_long_values_are_not_compared() -> None:
    where = wanted(predicate_type="x://y", where={"a": {"regexp": "(x)*"}})
    assert problem(where, "x://y", {"a": "x" * IDENTITY_LENGTH}) is None
    long = problem(where, "x://y", {"a": "x" * (IDENTITY_LENGTH + 1)})
    assert long == f"a has {IDENTITY_LENGTH + 1} characters, {IDENTITY_LENGTH} are compared"
    assert str(problem(where, "x://y", {"a": "\x1b[31m\n"})).isprintable()


# --- what is refused in the file


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (rule_with(kind="slsa-provenence"), "predicate-type: 'slsa-provenence' is not a predicate type"),
        (rule_with(kind="https://sigstore.dev/cosign/sign/v1"), "predicate-type: this is the type of signatures"),
        (rule_with(kind='"a://b c"'), "predicate-type: it is not the address of a predicate type"),
        (rule_with(kind="a://" + "b" * IDENTITY_LENGTH), "predicate-type: it is not the address of a predicate type"),
        (rule_with().replace("predicate-type", "predicate"), "predicate: unknown key"),
        (rule_with().replace("predicate-type: slsa-provenance", ""), "key 'predicate-type' is missing"),
        (rule_with(signers=""), "nothing says who must have signed it"),
        (rule_with(signers="any-of: []"), "any-of: nobody is listed"),
        (
            rule_with(signers="any-of: [{notation: {trust-stores: [a], identities: ['*']}}]"),
            "notation signs no attestations",
        ),
        (rule_with(signers="any-of: [{cosign-key: builder.pub}, {cosign-key: builder.pub}]"), "it means the same as"),
        (rule_with(kind="spdx").rstrip() + "\n        where: {}\n", "where: it has 0 conditions"),
        (rule_with("a: []"), "where.a: it lists 0 values"),
        (rule_with("a: {regex: x}"), "where.a.regex: unknown key"),
        (rule_with("a: {}"), "where.a: key 'regexp' is missing"),
        (rule_with("a: {regexp: '('}"), "where.a.regexp: it is not a regular expression"),
        (rule_with("a: ''"), "where.a: has no value; expected text"),
        (rule_with("a: [[b]]"), "where.a[0]: expected text, found a list"),
        (rule_with(f"a: {'x' * 2000}"), "where.a: it has 2000 characters, 1024 are allowed"),
        (rule_with("a..b: x"), "it is not the path of a field"),
        (rule_with("a.: x"), "it is not the path of a field"),
        (rule_with("a[x]: x"), "it is not the path of a field"),
        (rule_with('"a\\n": x'), "it is not the path of a field"),
        (rule_with('a: "b\\nc"'), "where.a: it has line breaks"),
        (rule_with("'': x"), "it is not the path of a field"),
        (rule_with("'a.\"b': x"), "it is not the path of a field"),
        (rule_with("builder-id: x", kind="spdx"), "where.builder-id: builder-id is a field of provenance of SLSA only"),
        (
            rule_with(*(f"a{number}: x" for number in range(CONDITIONS + 1))),
            f"where: it has {CONDITIONS + 1} conditions",
        ),
        (
            'version: 1\nrules:\n  - {prefix: "", mode: require, attestations: []}\n',
            "attestations: no attestation is listed",
        ),
        ('version: 1\nrules:\n  - {prefix: "", mode: require, attestations: {}}\n', "attestations: expected a list"),
    ],
)
def test_wrong_attestations_in_a_policy(folder: Path, text: str, why: str) -> None:
    with pytest.raises(DocumentInvalid) as raised:
        read(folder, text)
    message = raised.value.message
    assert message.startswith(f"{folder}/policy.yaml:")
    assert "rules[0]" in message
    assert why in message
    assert message.isprintable()


def test_a_word_that_is_nearly_right_is_guessed(folder: Path) -> None:
    with pytest.raises(DocumentInvalid) as raised:
        read(folder, rule_with(kind="cyclondx"))
    assert raised.value.hint == "did you mean cyclonedx?"


# --- anything


PATHS = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(
    ["a.b", "a[0]", '"a.b"[1].c', "builder-id"]
)


@settings(max_examples=200, deadline=None)
@given(name=PATHS, content=st.dictionaries(st.sampled_from("abc"), JSON, max_size=3))
def test_any_path_and_any_predicate_give_an_answer(name: str, content: dict[str, Any]) -> None:
    with contextlib.suppress(DocumentInvalid):
        answer = problem(wanted(predicate_type="slsa-provenance", where={name: "x"}), SLSA1, content)
        assert answer is None or answer.isprintable()


@settings(max_examples=100, deadline=None)
@given(key=st.sampled_from(["subject", "predicateType", "predicate", "_type"]), value=JSON)
def test_any_statement_that_its_owner_signed_gives_a_verdict(key: str, value: object, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "builder.pub").write_bytes(PUBLIC)
    changed = json.dumps(json.loads(provenance()) | {key: value}).encode()
    for found in (attestation(changed, BY_BUILDER), dsse_bundle(changed, BY_BUILDER)):
        judged = said(folder, rule_with(f"builder-id: {BUILDER}"), found)
        assert judged.problem is None or judged.problem.isprintable()


@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=100))
def test_any_bytes_are_no_attestation(content: bytes, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "builder.pub").write_bytes(PUBLIC)
    assert said(folder, rule_with(), bundle_evidence(content), attestation(content, BY_BUILDER)).refuses


def test_an_attestation_of_another_image_is_none_of_this_one(folder: Path) -> None:
    rule = read(folder, rule_with()).rule_for("x")
    assert rule is not None
    assert rule.mode is Mode.REQUIRE
    other = Subject(descriptor=Descriptor(IMAGE.media_type, Digest.of(b"other"), 5))
    assert "it signs another image" in str(verdict(rule, other, [attestation(provenance(), BY_BUILDER)], NOW).problem)


# --- by an identity, with a bundle that cosign attached to an image

REAL = SIGNATURES / "oci-attestation.sigstore.json"
needs_shared = pytest.mark.skipif(not REAL.exists(), reason="the signatures to test with are not beside the checkout")


def real(folder: Path, identity: str = "cody@soyland.com", at: datetime = NOW, **where: str) -> Verdict:
    (folder / "trusted_root.json").write_bytes((SIGNATURES / "trusted_root_pgi.json").read_bytes())
    options = f"issuer: https://github.com/login/oauth, identity-regexp: '{identity}', trusted-root: trusted_root.json"
    lines = [f"{key}: '{value}'" for key, value in where.items()]
    text = rule_with(*lines, kind="custom", signers=f"any-of: [{{cosign-key: other.pub}}, {{sigstore: {{{options}}}}}]")
    rule = read(folder, text).rule_for("x")
    assert rule is not None
    digest = Digest("sha256:732112270d7e59418a8c080b134b24cabd67d250d0d0147a97ed95ba5c280aa4")
    subject = Subject(descriptor=Descriptor(IMAGE.media_type, digest, 1))
    return verdict(rule, subject, [bundle_evidence(REAL.read_bytes())], at)


@needs_shared
def test_an_attestation_by_an_identity(folder: Path) -> None:
    judged = real(folder, Timestamp="2025-02-28T19:18:11Z")
    assert judged.problem is None
    assert judged.signers == ("cody@soyland.com (issuer https://github.com/login/oauth)",)
    assert judged.signed == (datetime(2025, 2, 28, 19, 18, 11, tzinfo=UTC), "the transparency log")


@needs_shared
@pytest.mark.parametrize(
    ("options", "why"),
    [
        (
            {"Timestamp": "2024"},
            "its attestation of the type custom: Timestamp is '2025-02-28T19:18:11Z', which is not 2024",
        ),
        ({"identity": ".*@vendor[.]example"}, "'cody@soyland.com' signed it, not .*@vendor[.]example"),
        ({"identity": "cody"}, "'cody@soyland.com' signed it, not cody, which must match the whole name"),
        ({"at": datetime(2020, 1, 1, tzinfo=UTC)}, "it is only 2020-01-01 00:00 UTC: set the clock right"),
    ],
)
def test_an_attestation_that_an_identity_does_not_prove(folder: Path, options: dict[str, Any], why: str) -> None:
    judged = real(folder, **options)
    assert judged.refuses
    assert why in str(judged.problem)
    assert "the key other.pub signed no attestation of the type custom" in str(judged.problem)
    assert "it was signed with a certificate, not with a key" in str(judged.problem)
