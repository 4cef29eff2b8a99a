"""Reads a policy from YAML, strictly: a rule that is misread lets in what it was written to keep out.

The file is docs/formats/policy.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from transload.documents.value import Value
from transload.files import local_errors, read_file
from transload.limits import POLICY_AUTHORITIES, POLICY_RULES, RULE_AUTHORITIES, YAML_BYTES
from transload.trust.cosignkey import CosignKey, read_cosign_key
from transload.trust.evidence import Authority
from transload.trust.keyless import Keyless, read_sigstore
from transload.trust.notation import read_notation
from transload.trust.policy import Mode, Policy, Rule, WantedAttestation
from transload.trust.policyfolder import Material, PolicyFolder
from transload.trust.predicate import WantedPredicate, read_predicate
from transload.trust.prefixes import read_prefix
from transload.values import define, evolve, field

VERSION = "1"
_POLICY = ("version", "rules")
_RULE = ("prefix", "mode", "any-of", "all-of", "attestations")
_ATTESTATION = ("predicate-type", "any-of", "all-of", "where")
_READERS: dict[str, Callable[[Value, PolicyFolder], Authority]] = {
    "cosign-key": read_cosign_key,
    "sigstore": read_sigstore,
    "notation": read_notation,
}


def read_policy(path: Path) -> Policy:
    """The policy in a file of YAML, with the files that it names.

    Raises `DocumentInvalid` with file, line and path for whatever is wrong; `LocalError` for a file that cannot be
    read; `PartMissing` without a library that an authority needs.
    """
    with local_errors("reading", path):
        content = read_file(path, YAML_BYTES + 1)
    root = Value.from_yaml(content, str(path))
    root.only(*_POLICY).needs("version")
    return _policy(root, path.parent, str(path), content)


def policy_of(value: Value, folder: Path, file: str) -> Policy:
    """The policy in a mapping of another document of YAML, such as an image set; `version` can be left out there.

    Relative paths start from `folder`. The material `policy` is the mapping as JSON, which `read_policy` reads too.
    Raises as `read_policy` does.
    """
    value.only(*_POLICY)
    content = json.dumps({"version": VERSION, **value.content}, indent=2, ensure_ascii=False)
    return _policy(value, folder, file, content.encode())


def _policy(value: Value, folder: Path, file: str, content: bytes) -> Policy:
    value.only(*_POLICY).needs("rules")
    if value.has("version") and value.get("version").text() != VERSION:
        raise value.get("version").wrong(f"{VERSION}, the version of policies that this transload reads")
    files = PolicyFolder(folder)
    rules = tuple(_Reading(files).rules(value.get("rules")))
    own = Material(name=Path(file).name, role="policy", content=content)
    return Policy(file=file, rules=rules, material=(own, *files.material))


@define
class _Reading:
    """What was read so far, of which there may not be too many or two alike."""

    files: PolicyFolder
    prefixes: dict[str, Value] = field(factory=dict, init=False)
    authorities: int = field(default=0, init=False)
    in_rule: int = field(default=0, init=False)

    def rules(self, listed: Value) -> Iterator[Rule]:
        items = list(listed.items())
        if not items:
            raise listed.fail("no rule is listed", hint='write at least one: prefix: "" is the rule for every image')
        if len(items) > POLICY_RULES:
            raise listed.fail(f"{len(items)} rules are listed, {POLICY_RULES} are allowed")
        for item in items:
            yield self._rule(item)

    def _rule(self, value: Value) -> Rule:
        value.only(*_RULE).needs("prefix", "mode")
        prefix, *also = read_prefix(value.get("prefix"))
        for each in (prefix, *also):
            self._check_new(each, value.get("prefix"))
        mode = Mode(value.get("mode").one_of([mode.value for mode in Mode]))
        self.in_rule = 0
        authorities, all_of = self._authorities(value)
        attestations = tuple(map(self._attestation, value.get("attestations").maybe(_some, ())))
        if not authorities and not attestations and mode is not Mode.SKIP:
            hint = "list who must have signed under any-of or all-of; mode: skip asks for nothing"
            raise value.fail(f"mode is {mode.value}, and nothing says what is wanted", hint=hint)
        return Rule(
            prefix=prefix,
            also=tuple(also),
            mode=mode,
            authorities=authorities,
            all_of=all_of,
            attestations=attestations,
            line=value.line,
        )

    def _attestation(self, value: Value) -> WantedAttestation:
        predicate = read_predicate(value.only(*_ATTESTATION))
        authorities, all_of = self._authorities(value, predicate)
        if not authorities:
            raise value.fail("nothing says who must have signed it", hint="list them under any-of or all-of")
        return WantedAttestation(predicate=predicate, authorities=authorities, all_of=all_of)

    def _check_new(self, prefix: str, value: Value) -> None:
        first = self.prefixes.setdefault(prefix, value)
        if first is not value:
            line = f" on line {first.line}" if first.line else ""
            shown = f"{prefix!r}" if prefix else "the empty prefix"
            raise value.fail(f"another rule{line} is for {shown} too", hint="join the two rules")

    def _authorities(
        self, value: Value, predicate: WantedPredicate | None = None
    ) -> tuple[tuple[Authority, ...], bool]:
        if value.has("any-of") and value.has("all-of"):
            raise value.fail("it has both any-of and all-of", hint="keep one of them; a rule cannot mix them")
        key = "all-of" if value.has("all-of") else "any-of"
        if not value.has(key):
            return (), False
        listed = value.get(key)
        items = list(listed.items())
        if not items:
            raise listed.fail("nobody is listed", hint=f"list one or more of {', '.join(_READERS)}")
        self.authorities += len(items)
        self.in_rule += len(items)
        if self.in_rule > RULE_AUTHORITIES:
            raise listed.fail(f"{self.in_rule} are listed, {RULE_AUTHORITIES} are allowed in a rule")
        if self.authorities > POLICY_AUTHORITIES:
            raise listed.fail(f"with these, the policy lists more than {POLICY_AUTHORITIES}, which is the limit")
        return self._unequal(items, predicate), key == "all-of"

    def _unequal(self, items: list[Value], predicate: WantedPredicate | None) -> tuple[Authority, ...]:
        known: dict[str, Value] = {}
        authorities = []
        for item in items:
            authority = self._authority(item, predicate)
            same = authority.key.key_id if isinstance(authority, CosignKey) else json.dumps(item.content)
            first = known.setdefault(same, item)
            if first is not item:
                line = f"the one on line {first.line}" if first.line else "another"
                raise item.fail(f"it means the same as {line}", hint="leave one of them out")
            authorities.append(authority)
        return tuple(authorities)

    def _authority(self, item: Value, predicate: WantedPredicate | None) -> Authority:
        options = dict(item.only(*_READERS).entries())
        if len(options) != 1:
            found = f"it has {' and '.join(options)}" if options else "it is empty"
            raise item.fail(found, hint=f"each item has one of {', '.join(_READERS)}; begin a new one with -")
        ((kind, value),) = options.items()
        if predicate and kind == "notation":
            raise item.fail("notation signs no attestations", hint="list a cosign-key or a sigstore identity")
        authority = _READERS[kind](value, self.files)
        return evolve(authority, predicate=predicate) if isinstance(authority, CosignKey | Keyless) else authority


def _some(listed: Value) -> list[Value]:
    items = list(listed.items())
    if not items:
        raise listed.fail("no attestation is listed", hint="leave attestations out, or list some")
    return items
