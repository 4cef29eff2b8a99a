"""Policy files: what they come to, and what is said of wrong ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, blocks
from tests.unit.trust.notation.making import ROOT
from tests.unit.trust.test_cosignkey import PUBLIC, pem
from transload.documents.value import Value
from transload.errors import DocumentInvalid, LocalError
from transload.limits import POLICY_AUTHORITIES, POLICY_FILES, POLICY_RULES, RULE_AUTHORITIES, YAML_BYTES
from transload.trust import policyfile
from transload.trust.policy import Mode, Policy, Rule
from transload.trust.policyfile import policy_of, read_policy

ISSUE = """\
version: 1
rules:
  - prefix: registry.example/vendor        # "" is the default rule
    mode: require                          # require | warn | skip
    any-of:                                # or all-of
      - notation: {trust-stores: [site.example.crt], identities: ["*"]}
      - cosign-key: cosign.pub
  - prefix: ""
    mode: skip
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    (tmp_path / "site.example.crt").write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "cosign.pub").write_bytes(PUBLIC)
    (tmp_path / "copy.pub").write_bytes(PUBLIC)
    (tmp_path / "other.pub").write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))
    return tmp_path


def read(folder: Path, text: str) -> Policy:
    (folder / "policy.yaml").write_text(text)
    return read_policy(folder / "policy.yaml")


def one_rule(prefix: str = '""', **others: str) -> str:
    keys = {"mode": "require", "any-of": "[{cosign-key: cosign.pub}]"} | {
        key.replace("_", "-"): value for key, value in others.items()
    }
    return f"version: 1\nrules:\n  - prefix: {prefix}\n" + "".join(
        f"    {key}: {value}\n" for key, value in keys.items() if value
    )


def rule(policy: Policy, name: str) -> Rule:
    found = policy.rule_for(name)
    assert found is not None
    return found


def test_the_file_of_the_documentation(folder: Path) -> None:
    policy = read(folder, ISSUE)
    assert policy.file == str(folder / "policy.yaml")
    assert [one.prefix for one in policy.rules] == ["registry.example/vendor", ""]
    vendor = rule(policy, "registry.example/vendor/app")
    assert (vendor.mode, vendor.line, vendor.all_of) == (Mode.REQUIRE, 3, False)
    assert [one.name for one in vendor.authorities] == ["notation with site.example.crt", "the key cosign.pub"]
    assert rule(policy, "registry.example/vendors/app").mode is Mode.SKIP


def test_the_material_is_the_policy_and_each_file_once_as_it_was_read(folder: Path) -> None:
    again = ISSUE.replace("mode: skip", "mode: warn\n    all-of: [{cosign-key: ./cosign.pub}, {cosign-key: other.pub}]")
    material = read(folder, again).material
    assert [(each.name, each.role) for each in material] == [
        ("policy.yaml", "policy"),
        ("site.example.crt", "trust store"),
        ("cosign.pub", "public key"),
        ("other.pub", "public key"),
    ]
    for each in material:
        assert each.content == (folder / each.name).read_bytes()
        assert "BEGIN" not in repr(each)


def test_a_policy_inside_another_document(folder: Path) -> None:
    text = ISSUE.replace("version: 1\n", "").replace("\n", "\n  ")
    document = Value.from_yaml(f"kind: ImageSet\npolicy:\n  {text}", "set.yaml")
    policy = policy_of(document.get("policy"), folder, "set.yaml")
    assert rule(policy, "registry.example/vendor/app").line == 4
    inside = policy.material[0]
    assert (inside.name, inside.role) == ("set.yaml", "policy")
    (folder / "carried.yaml").write_bytes(inside.content)
    assert [one.prefix for one in read_policy(folder / "carried.yaml").rules] == [one.prefix for one in policy.rules]
    wrong = Value.from_yaml("a: 1\npolicy: {rules: [{prefix: A, mode: skip}]}", "set.yaml")
    with pytest.raises(DocumentInvalid, match=r"set\.yaml:2: policy\.rules\[0\]\.prefix: 'A' has capital letters"):
        policy_of(wrong.get("policy"), folder, "set.yaml")


PAGE = DOCS / "formats" / "policy.md"
BLOCKS = [pytest.param(block.text, id=str(block)) for block in blocks(PAGE) if block.language == "yaml"]


@pytest.mark.parametrize("text", BLOCKS)
def test_every_example_of_the_documentation_is_read(folder: Path, text: str) -> None:
    for name in ("vendor.pub", "builder.pub"):
        (folder / name).write_bytes(PUBLIC)
    assert read(folder, text).rule_for("registry.example/vendor/app")


def test_the_documentation_names_every_key() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## Every key")[2].partition("\n## ")[0]
    told: dict[str, set[str]] = {}
    for keys, where in re.findall(r"^\| (`[^|]+) \| (\w+)", table, re.MULTILINE):
        told.setdefault(where, set()).update(re.findall("`([a-z-]+)`", keys))
    assert told == {
        "top": set(policyfile._POLICY),
        "rule": set(policyfile._RULE),
        "attestation": set(policyfile._ATTESTATION),
        "signer": set(policyfile._READERS),
    }


# --- prefixes


@pytest.mark.parametrize(
    ("prefix", "fitting", "others"),
    [
        ('""', ["registry.example/a", "docker.io/library/nginx", "a", ""], []),
        ("registry.example", ["registry.example/a", "registry.example/a/b"], ["registry.examples/a", "a"]),
        ("registry.example/a", ["registry.example/a", "registry.example/a/b"], ["registry.example/ab", "docker.io/a"]),
        ("registry.example/a/", ["registry.example/a", "registry.example/a/b"], ["registry.example/ab"]),
        ("registry.example:5000", ["registry.example:5000/a"], ["registry.example/a"]),
        ("registry.example:443/a", ["registry.example/a", "registry.example:443/a"], ["registry.example:444/a"]),
        ("registry.example/a", ["Registry.Example/a/b", "registry.example:443/a/b"], []),
        ("localhost", ["localhost/a"], ["docker.io/library/localhost"]),
        ("registry:5000/", ["registry:5000/a"], []),
        ('"[::1]:5000"', ["[::1]:5000/a"], []),
        ("docker.io", ["docker.io/library/a", "docker.io/a/b"], ["quay.io/a"]),
        ("nginx", ["docker.io/library/nginx", "docker.io/nginx/x"], ["docker.io/library/nginx-x", "quay.io/nginx"]),
        ("docker.io/nginx", ["docker.io/library/nginx", "docker.io/nginx/x"], ["docker.io/library/nginx-x"]),
        ("index.docker.io/nginx", ["docker.io/library/nginx"], []),
        ("docker.io", ["index.docker.io/library/a", "registry-1.docker.io/a/b", "Registry-1.Docker.io:0443/a/b"], []),
        ("registry-1.docker.io/nginx", ["docker.io/library/nginx", "registry-1.docker.io/library/nginx"], []),
        ("registry.example:5000/a", ["registry.example:05000/a"], ["registry.example:50000/a"]),
        ("registry.example/a", ["registry.example:0443/a"], []),
        ("docker.io/nginx/", ["docker.io/nginx/x"], ["docker.io/library/nginx"]),
        ("docker.io/library/nginx", ["docker.io/library/nginx"], ["docker.io/nginx/x"]),
        ("docker.io/library", ["docker.io/library/nginx"], ["docker.io/nginx/x"]),
        ("nginx/x", ["docker.io/nginx/x"], ["docker.io/nginx/y"]),
    ],
)
def test_prefixes(folder: Path, prefix: str, fitting: list[str], others: list[str]) -> None:
    policy = read(folder, one_rule(prefix))
    assert [name for name in fitting if not policy.rule_for(name)] == []
    assert [name for name in others if policy.rule_for(name)] == []


def test_a_short_name_of_docker_hub_is_one_rule(folder: Path) -> None:
    policy = read(folder, one_rule("nginx"))
    assert [(one.prefix, one.also) for one in policy.rules] == [("docker.io/nginx", ("docker.io/library/nginx",))]
    assert policy.without_use(["docker.io/library/nginx"]) == ()
    assert policy.without_use(["docker.io/nginx/ingress"]) == ()
    assert policy.without_use(["docker.io/library/nginx-x"]) == policy.rules


def test_the_longest_prefix_decides(folder: Path) -> None:
    modes = {"": "skip", "r.example": "warn", "r.example/a/b": "require", "r.example/a/b/c/d": "skip"}
    lines = [
        f'  - {{prefix: "{prefix}", mode: {mode}, any-of: [{{cosign-key: cosign.pub}}]}}'
        for prefix, mode in modes.items()
    ]
    policy = read(folder, "\n".join(["version: 1", "rules:", *reversed(lines)]))
    for name, prefix in {
        "r.example/a/b/c/d": "r.example/a/b/c/d",
        "r.example/a/b/c": "r.example/a/b",
        "r.example/a": "r.example",
        "s.example/a": "",
    }.items():
        assert rule(policy, name).prefix == prefix


@pytest.mark.parametrize(
    ("prefix", "problem", "hint"),
    [
        ("registry.example/a:1.0", "'registry.example/a:1.0' has a tag", "whole repositories: registry.example/a"),
        ("nginx:1.0", "'nginx:1.0' has a tag", "whole repositories: nginx"),
        ("registry:5000", "'registry:5000' has a tag", "if a registry is meant, write registry:5000/"),
        (f"r.example/a@sha256:{'0' * 64}", "has a digest", "whole repositories"),
        ("ann:secret@r.example/a", "'…@r.example/a' has a digest, or a user's name", "whole repositories"),
        ("https://r.example/a", "'https://r.example/a' has a scheme", "leave it out: r.example/a"),
        ("docker://r.example/a", "has a scheme", "leave it out: r.example/a"),
        ("r.example/A", "'r.example/A' has capital letters", "lower case: r.example/a"),
        ("R.example/a", "'R.example/a' has capital letters", "lower case: r.example/a"),
        ('" "', "' ' has a blank", 'prefix: ""'),
        ("r.example/a b", "'r.example/a b' has a blank", "leave it out"),
        ('"*"', "'*' is not a prefix", 'prefix: "" is the rule for every image'),
        ("r.example/*", "'r.example/*' has a wildcard", "fits whatever lies below it"),
        ("/", "'/' is not a prefix", 'prefix: ""'),
        ("/a", "'/a' is not a repository", "leave the slash at the beginning out"),
        ("r.example//a", "'/a' is not a repository", "leave the slash at the beginning out"),
        ("r.example/a//", "'a/' is not a repository", "leave the slash at the end out"),
        ("r.example/a..b", "'a..b' is not a repository", "single . _ -"),
        ("r..example/a", "'r..example' is not a registry", "write host or host:port"),
        ("r.example:99999/a", "has the port 99999", "ports go from 1 to 65535"),
        ("[a]", "expected text, found a list", None),
        ('"a\\0b"', "is not a repository", "lower-case"),
        ("é", "'é' is not a repository", "lower-case"),
        (f"r.example/{'a' * 300}", "is 300 characters long, 255 are allowed", None),
    ],
)
def test_prefixes_that_no_repository_can_have(folder: Path, prefix: str, problem: str, hint: str | None) -> None:
    with pytest.raises(DocumentInvalid) as raised:
        read(folder, one_rule(prefix))
    message = raised.value.message
    assert message.startswith(f"{folder}/policy.yaml:3: rules[0].prefix: ")
    assert problem in message
    assert message.isprintable()
    assert (hint or "") in (raised.value.hint or "")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("r.example/a", "r.example/a"),
        ("r.example/a", "r.example/a/"),
        ("r.example/a", "r.example:443/a"),
        ('""', '""'),
        ("nginx", "docker.io/library/nginx"),
        ("nginx", "docker.io/nginx/"),
        ("docker.io/nginx/x", "nginx/x"),
    ],
)
def test_rules_that_overlap(folder: Path, first: str, second: str) -> None:
    text = f"version: 1\nrules:\n  - {{prefix: {first}, mode: skip}}\n  - {{prefix: {second}, mode: skip}}\n"
    with pytest.raises(
        DocumentInvalid, match=r"policy\.yaml:4: rules\[1\]\.prefix: another rule on line 3 is for"
    ) as it:
        read(folder, text)
    assert it.value.hint == "join the two rules"


# --- what else is refused

KEY = "[{cosign-key: cosign.pub}]"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ": the file is empty"),
        ("- a", ":1: expected a mapping, found a list"),
        ("rules: []", ":1: key 'version' is missing"),
        ("version: 1", ":1: key 'rules' is missing"),
        (
            "version: 2\nrules: []",
            ":1: version: expected 1, the version of policies that this transload reads, found '2'",
        ),
        ("version: 1\nrules: []", ":2: rules: no rule is listed"),
        ("version: 1\nrules: {}", ":2: rules: expected a list, found a mapping"),
        ("version: 1\nrule: []", ":2: rule: unknown key"),
        (one_rule(mod="require"), ":6: rules[0].mod: unknown key"),
        (one_rule(mode="refuse"), ":4: rules[0].mode: expected require or warn or skip, found 'refuse'"),
        (one_rule(mode=""), ":3: rules[0]: key 'mode' is missing"),
        (one_rule(any_of=""), ":3: rules[0]: mode is require, and nothing says what is wanted"),
        (one_rule(mode="warn", any_of=""), ":3: rules[0]: mode is warn, and nothing says what is wanted"),
        (one_rule(any_of="[]"), ":5: rules[0].any-of: nobody is listed"),
        (one_rule(any_of="cosign.pub"), ":5: rules[0].any-of: expected a list, found 'cosign.pub'"),
        (one_rule(any_of="[cosign.pub]"), ":5: rules[0].any-of[0]: expected a mapping, found 'cosign.pub'"),
        (one_rule(any_of="[{}]"), ":5: rules[0].any-of[0]: it is empty"),
        (one_rule(any_of="[{cosign: a}]"), ":5: rules[0].any-of[0].cosign: unknown key"),
        (
            one_rule(any_of="[{cosign-key: cosign.pub, notation: {}}]"),
            "rules[0].any-of[0]: it has cosign-key and notation",
        ),
        (one_rule(all_of=KEY), ":3: rules[0]: it has both any-of and all-of"),
        (
            one_rule(any_of="[{cosign-key: cosign.pub}, {cosign-key: copy.pub}]"),
            ":5: rules[0].any-of[1]: it means the same as the one on line 5",
        ),
        (one_rule(any_of="[{cosign-key: {kye: cosign.pub}}]"), ":5: rules[0].any-of[0].cosign-key.kye: unknown key"),
        (
            one_rule(any_of="[{notation: {identities: ['*']}}]"),
            "rules[0].any-of[0].notation: key 'trust-stores' is missing",
        ),
        (one_rule(any_of="[{sigstore: {issuer: x}}]"), "rules[0].any-of[0].sigstore: key 'identity' is missing"),
        (one_rule(any_of="[{cosign-key: policy.yaml}]"), "policy.yaml: this is not a public key: it is not PEM"),
        (one_rule(mode="skip", any_of="[{cosign-key: policy.yaml}]"), "this is not a public key"),
        (one_rule() + "    prefix: x\n", "twice"),
        ("x: " + "a" * YAML_BYTES, f"the file has more than {YAML_BYTES} bytes"),
    ],
)
def test_wrong_policies(folder: Path, text: str, problem: str) -> None:
    with pytest.raises(DocumentInvalid) as raised:
        read(folder, text)
    assert raised.value.message.startswith(f"{folder}/policy.yaml:")
    assert problem in raised.value.message
    assert raised.value.message.isprintable()


def test_a_rule_that_skips_may_keep_its_authorities(folder: Path) -> None:
    found = rule(read(folder, one_rule(mode="skip")), "a")
    assert (found.mode, len(found.authorities), found.forms) == (Mode.SKIP, 1, frozenset())


def test_files_that_are_not_there(folder: Path) -> None:
    with pytest.raises(LocalError, match=r"absent\.yaml"):
        read_policy(folder / "absent.yaml")
    with pytest.raises(LocalError, match=r"policy\.yaml:5: rules\[0\]\.any-of\[0\]\.cosign-key: .*absent\.pub"):
        read(folder, one_rule(any_of="[{cosign-key: absent.pub}]"))


def test_a_policy_may_not_be_too_large(folder: Path) -> None:
    many = "".join(f"  - {{prefix: r.example/a{number}, mode: skip}}\n" for number in range(POLICY_RULES + 1))
    with pytest.raises(
        DocumentInvalid, match=rf"rules: {POLICY_RULES + 1} rules are listed, {POLICY_RULES} are allowed"
    ):
        read(folder, f"version: 1\nrules:\n{many}")
    keys = ", ".join("{cosign-key: cosign.pub}" for _ in range(RULE_AUTHORITIES + 1))
    with pytest.raises(
        DocumentInvalid, match=f"{RULE_AUTHORITIES + 1} are listed, {RULE_AUTHORITIES} are allowed in a rule"
    ):
        read(folder, one_rule(any_of=f"[{keys}]"))
    rules = "".join(
        f"  - {{prefix: r.ex/a{number}, mode: skip, any-of: [{{cosign-key: cosign.pub}}, {{cosign-key: other.pub}}]}}\n"
        for number in range(POLICY_AUTHORITIES // 2 + 1)
    )
    with pytest.raises(DocumentInvalid, match=f"more than {POLICY_AUTHORITIES}"):
        read(folder, f"version: 1\nrules:\n{rules}")
    for number in range(POLICY_FILES + 1):
        (folder / f"{number}.pub").write_bytes(PUBLIC)
    rules = "".join(
        f"  - {{prefix: r.example/a{number}, mode: skip, any-of: [{{cosign-key: {number}.pub}}]}}\n"
        for number in range(POLICY_FILES + 1)
    )
    with pytest.raises(DocumentInvalid, match=f"too many or too large: {POLICY_FILES} with"):
        read(folder, f"version: 1\nrules:\n{rules}")
