"""`--policy`, `--no-policy` and `--at`, and the policies that lie beside image sets or in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

import transload
from tests.unit.app.signed import Signer
from transload.cli.main import main
from transload.errors import PolicyRefused, UsageError
from transload.memory import MemoryStore
from transload.server import Served, serve
from transload.testing.images import fill, image

RULES = """
version: 1
rules:
  - prefix: ""
    mode: MODE
    any-of: [{cosign-key: vendor.pub}]
"""
VENDOR = Signer("vendor.pub")


@frozen
class Desk:
    """A folder with a policy and the vendor's key in it, and the vendor's registry: one image is signed, one is not."""

    folder: Path
    served: Served
    capsys: pytest.CaptureFixture[str]

    def run(self, *words: str) -> tuple[int, str, str]:
        self.capsys.readouterr()
        code = main([word.replace("SOURCE", self.served.host_port) for word in words])
        return code, *self.capsys.readouterr()

    def result(self, *words: str) -> tuple[int, dict[str, Any]]:
        code, out, _ = self.run(*words, "--output", "json")
        return code, json.loads(out.splitlines()[-1])["result"]

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("SOURCE", self.served.host_port))
        return path

    def held(self) -> set[str]:
        """What arrived."""
        if not (self.folder / "out").exists():
            return set()
        with transload.open_store(f"oci:{self.folder / 'out'}") as out:
            return {name for name in out.repositories() for tag in out.tags(name) if tag == "v1"}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_CONFIG", "TRANSLOAD_STATE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    (tmp_path / "vendor.pub").write_bytes(VENDOR.pem)
    (tmp_path / "policy.yaml").write_text(RULES.replace("MODE", "require"))
    (tmp_path / "lenient.yaml").write_text(RULES.replace("MODE", "warn"))
    store = MemoryStore()
    with serve(store) as served:
        for name in ("good", "bare"):
            built = image(name, (1000,))
            fill(store, built, f"acme/{name}", "v1")
            if name == "good":
                VENDOR.sign(store, f"acme/{name}", built, f"{served.host_port}/acme/{name}")
        yield Desk(tmp_path, served, capsys)


BOTH = ("SOURCE/acme/good:v1", "SOURCE/acme/bare:v1")
SET = "kind: ImageSet\nversion: 1\nimages: [SOURCE/acme/good:v1, SOURCE/acme/bare:v1]\n"


def test_mirror_refuses_what_is_not_signed_and_copies_the_rest(desk: Desk) -> None:
    code, result = desk.result("mirror", *BOTH, "--to", "oci:out", "--policy", "policy.yaml")
    assert code == 7
    assert desk.held() == {"acme/good"}
    good, bare = result["images"]
    assert good["status"] == "copied"
    assert good["trust"]["holds"] is True
    assert good["trust"]["mode"] == "require"
    assert [signer["form"] for signer in good["trust"]["signers"]] == ["cosign-tag"]
    assert bare["problem"]["code"] == "policy-refused"
    assert bare["trust"]["problem"]
    assert "policy policy.yaml: 1 signed as it wants, 1 refused" in result["notes"]
    assert "--policy policy.yaml" in result["retry"]


def test_plan_shows_the_signers_before_anything_moves(desk: Desk) -> None:
    code, out, _ = desk.run("plan", *BOTH, "--to", "oci:out", "--policy", "policy.yaml")
    assert code == 7
    (line,) = [line for line in out.splitlines() if line.startswith("signed:")]
    assert line.endswith("(cosign-tag): good:v1")
    assert desk.held() == set()
    code, out, _ = desk.run("plan", *BOTH, "--to", "oci:out", "--policy", "policy.yaml", "--output", "json")
    planned = json.loads(out.splitlines()[-1])["plan"]
    assert [entry["trust"]["holds"] for entry in planned["images"]] == [True, False]


def test_without_a_policy_nothing_is_said_of_signatures(desk: Desk) -> None:
    code, result = desk.result("mirror", *BOTH, "--to", "oci:out")
    assert code == 0
    assert not any("trust" in entry for entry in result["images"])
    assert not any("policy" in note for note in result["notes"])


def test_pack_leaves_out_what_is_refused_and_push_judges_again(desk: Desk) -> None:
    code, result = desk.result("pack", *BOTH, "-o", "site", "--policy", "policy.yaml")
    assert code == 7
    assert [entry["status"] for entry in result["images"]] == ["failed", "copied"]
    code, result = desk.result("push", "site", "--to", "oci:out", "--policy", "policy.yaml")
    assert code == 0
    assert [entry["trust"]["holds"] for entry in result["images"]] == [True]
    assert desk.held() == {"acme/good"}


def test_a_bundle_without_what_is_refused_is_finished(desk: Desk) -> None:
    code, out, err = desk.run("pack", *BOTH, "-o", "site", "--policy", "policy.yaml")
    assert code == 7
    assert "not finished" not in err
    assert "try just these again" not in out + err, "the bundle is there, so the same command would refuse to write it"
    assert "content:  1 image" in out


def test_push_refuses_what_a_bundle_brings_unsigned(desk: Desk) -> None:
    assert desk.run("pack", *BOTH, "-o", "site")[0] == 0
    code, result = desk.result("push", "site", "--to", "oci:out", "--policy", "policy.yaml")
    assert code == 7
    assert desk.held() == {"acme/good"}


def test_the_claim_of_a_bundle_chooses_no_weaker_rule_unless_its_key_proves_it(desk: Desk) -> None:
    assert desk.run("keys", "make", "site", "--no-passphrase")[0] == 0
    assert desk.run("pack", BOTH[1], "-o", "site", "--sign-key", "site.key")[0] == 0
    rules = RULES.replace("MODE", "require") + "  - {prefix: SOURCE, mode: skip}\n"
    desk.write("policy.yaml", rules)
    code, _, err = desk.run("push", "site", "--to", "oci:out", "--policy", "policy.yaml")
    assert code == 7
    assert desk.held() == set()
    code, _, err = desk.run("push", "site", "--to", "oci:out", "--policy", "policy.yaml", "--key", "site.pub")
    assert code == 0, err
    assert desk.held() == {"acme/bare"}
    mirrored = ("mirror", "--from", "bundle:site", "--policy", "policy.yaml")
    assert desk.run(*mirrored, "--to", "oci:unproved")[0] == 7
    desk.write("policy.yaml", RULES.replace("MODE", "require") + "  - {prefix: acme, mode: skip}\n")
    code, _, err = desk.run(*mirrored, "--to", "oci:unproved")
    assert code == 7, "its name in the bundle does not count, and proves nothing"


def test_compressing_does_not_hide_the_signature(desk: Desk) -> None:
    assert desk.run("pack", *BOTH, "-o", "site")[0] == 0
    code, result = desk.result("push", "site", "--compress", "--to", "oci:out", "--policy", "policy.yaml")
    assert code == 7
    assert {entry["name"]: entry["trust"]["holds"] for entry in result["images"]} == {
        "acme/good:v1": True,
        "acme/bare:v1": False,
    }


def test_several_targets_get_the_same_verdicts(desk: Desk) -> None:
    words = ("mirror", *BOTH, "--to", "oci:out", "--to", "oci:second", "--policy", "policy.yaml", "--output", "json")
    code, out, _ = desk.run(*words)
    assert code == 7
    results = json.loads(out.splitlines()[-1])["result"]["targets"]
    for each in results:
        assert [entry["trust"]["holds"] for entry in each["images"]] == [True, False]


# --- which policy is in force


def test_a_policy_beside_the_image_set_is_in_force_and_named(desk: Desk) -> None:
    desk.write("sets/set.yaml", SET)
    desk.write("sets/vendor.pub", VENDOR.pem.decode())
    desk.write("sets/transload.yaml", RULES.replace("MODE", "require"))
    code, _, err = desk.run("mirror", "sets/set.yaml", "--to", "oci:out")
    assert code == 7
    assert "policy sets/transload.yaml: 1 signed as it wants, 1 refused" in err
    assert desk.held() == {"acme/good"}
    code, _, err = desk.run("mirror", "sets/set.yaml", "--to", "oci:out", "--policy", "lenient.yaml")
    assert code == 0
    assert "the policy sets/transload.yaml is not in force: lenient.yaml is" in err
    code, _, err = desk.run("mirror", "sets/set.yaml", "--to", "oci:third", "--no-policy")
    assert code == 0
    assert "the policy sets/transload.yaml is not in force: --no-policy" in err
    code, _, err = desk.run("mirror", "sets/set.yaml", "--to", "oci:third", "--policy", "./sets/transload.yaml")
    assert "not in force" not in err


def test_a_policy_in_the_image_set_comes_before_one_beside_it(desk: Desk) -> None:
    desk.write(
        "set.yaml", SET + "policy:\n  rules: [{prefix: '', mode: require, any-of: [{cosign-key: vendor.pub}]}]\n"
    )
    desk.write("transload.yaml", RULES.replace("MODE", "warn"))
    code, _, err = desk.run("mirror", "set.yaml", "--to", "oci:out")
    assert code == 7
    assert "policy set.yaml: 1 signed as it wants, 1 refused" in err


def test_a_set_called_like_a_policy_is_a_set(desk: Desk) -> None:
    desk.write("transload.yaml", SET)
    code, _, err = desk.run("mirror", "transload.yaml", "--to", "oci:out")
    assert code == 0
    assert "policy" not in err


def test_sets_in_one_folder_have_one_policy(desk: Desk) -> None:
    desk.write("one.yaml", SET)
    desk.write("two.txt", "SOURCE/acme/bare:v1\n")
    desk.write("transload.yaml", RULES.replace("MODE", "require"))
    code, _, err = desk.run("mirror", "one.yaml", str(desk.folder / "two.txt"), "--to", "oci:out")
    assert code == 7
    assert f"policy {desk.folder}/transload.yaml: 1 signed as it wants, 1 refused" in err


def test_a_file_beside_the_set_that_is_no_policy_is_explained(desk: Desk) -> None:
    desk.write("set.yaml", SET)
    desk.write("transload.yaml", "to: registry.local\n")
    code, _, err = desk.run("mirror", "set.yaml", "--to", "oci:out")
    assert code == 2
    assert "transload.yaml:1: to: unknown key" in err
    assert (
        "transload.yaml beside an image set is its policy: correct it, give it another name, or add --no-policy" in err
    )
    assert desk.run("mirror", "set.yaml", "--to", "oci:out", "--no-policy")[0] == 0


def test_two_sets_with_different_policies_are_a_mistake(desk: Desk) -> None:
    inside = "policy:\n  rules: [{prefix: '', mode: warn, any-of: [{cosign-key: vendor.pub}]}]\n"
    desk.write("one.yaml", SET + inside)
    desk.write("two.yaml", SET + inside)
    code, _, err = desk.run("mirror", "one.yaml", "two.yaml", "--to", "oci:out")
    assert code == 2
    assert "these sets have different policies: one.yaml and two.yaml" in err
    assert desk.run("mirror", "one.yaml", "two.yaml", "--to", "oci:out", "--policy", "policy.yaml")[0] == 7
    desk.write("two.yaml", SET)
    code, _, err = desk.run("plan", "one.yaml", "two.yaml", "--to", "oci:out")
    assert code == 0
    assert "policy one.yaml:" in desk.run("mirror", "one.yaml", "two.yaml", "--to", "oci:all")[2]


def test_the_policy_of_an_included_set_is_not_silently_left_out(desk: Desk) -> None:
    desk.write("inner.yaml", SET + "policy:\n  rules: [{prefix: '', mode: skip}]\n")
    desk.write("outer.yaml", "kind: ImageSet\nversion: 1\ninclude: [inner.yaml]\n")
    code, _, err = desk.run("mirror", "outer.yaml", "--to", "oci:out")
    assert code == 2
    assert "only the file that a command names has a policy" in err


# --- mistakes


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--at", "2026-11-26T12:00:00Z"), "there is no policy"),
        (("--no-policy", "--at", "2026-11-26T12:00:00Z"), "there is no policy"),
        (("--policy", "policy.yaml", "--at", "yesterday"), "'yesterday' is not a point in time"),
        (("--policy", "policy.yaml", "--at", "2026-11-26"), "'2026-11-26' is not a point in time"),
        (("--policy", "policy.yaml", "--at", "2026-13-26T12:00:00Z"), "is not a point in time"),
        (("--policy", "policy.yaml", "--at", "2026-11-26T12:00:00"), "is not a point in time"),
        (("--policy", "policy.yaml", "--no-policy"), "--policy and --no-policy contradict each other"),
        (("--policy", "absent.yaml"), "absent.yaml"),
        (("--policy", "policy.yaml", "--through", "docker"), "does not go with an engine"),
    ],
)
def test_what_contradicts_itself_is_refused(desk: Desk, words: tuple[str, ...], told: str) -> None:
    code, _, err = desk.run("mirror", *BOTH, "--to", "oci:out" if "--through" not in words else "SOURCE/site", *words)
    assert code in {2, 8}
    assert told in err
    assert desk.held() == set()


# --- the library


def test_the_library_takes_a_policy(desk: Desk) -> None:
    host = desk.served.host_port
    with pytest.raises(PolicyRefused):
        transload.copy(f"{host}/acme/bare:v1", f"oci:{desk.folder}/out", policy="policy.yaml")
    result = transload.mirror(
        f"{host}/acme/good:v1",
        to=f"oci:{desk.folder}/out",
        policy=desk.folder / "policy.yaml",
        at="2026-11-26T12:00:00Z",
    )
    assert result.images[0].trust is not None
    assert result.images[0].trust.holds
    with pytest.raises(UsageError, match="there is no policy"):
        transload.mirror(f"{host}/acme/good:v1", to=f"oci:{desk.folder}/out", at="2026-11-26T12:00:00Z")
    desk.write("set.yaml", SET)
    desk.write("transload.yaml", RULES.replace("MODE", "require"))
    assert transload.mirror("set.yaml", to="oci:all", policy=False).counts["copied"] == 2
    with pytest.raises(transload.ImagesFailed) as failed:
        transload.mirror("set.yaml", to="oci:some")
    assert [type(error) for error in failed.value.errors] == [PolicyRefused]


def test_a_gate_sees_no_image_that_the_policy_refuses(desk: Desk) -> None:
    gate = desk.write("gate.sh", 'echo "$1" >> seen.txt\n')
    words = ("--policy", "policy.yaml", "--gate", f"sh {gate} {{name}} {{image}}")
    code, result = desk.result("mirror", *BOTH, "--to", "oci:out", *words)
    assert code == 7
    assert [image["status"] for image in result["images"]] == ["copied", "failed"]
    assert (desk.folder / "seen.txt").read_text().split() == ["acme/good:v1"]


def test_the_record_of_an_image_says_who_signed_it(desk: Desk) -> None:
    assert desk.run("mirror", *BOTH, "--to", "oci:out", "--policy", "policy.yaml", "--record", "run.json")[0] == 7
    checks = json.loads((desk.folder / "run.json").read_text())["predicate"]["checks"]
    said = {check["image"]: (check["result"], check.get("by", "")) for check in checks if check["name"] == "policy"}
    assert said["acme/good:v1"][0] == "passed"
    assert said["acme/good:v1"][1].startswith("key ")
    assert said["acme/bare:v1"] == ("failed", "")


def test_a_differential_bundle_is_judged_with_the_signatures_that_the_target_has(desk: Desk) -> None:
    """The same content gets a further tag: its signature is at the target already, so the bundle leaves it out."""
    good, bare = ("SOURCE/acme/good:v1 -> again/good:v2", "SOURCE/acme/bare:v1")
    desk.write("first.txt", "SOURCE/acme/good:v1 -> acme/good:v1\nSOURCE/acme/good:v1 -> again/good:v1\n")
    assert desk.run("mirror", "first.txt", "--to", "oci:out", "--policy", "policy.yaml")[0] == 0
    assert desk.run("inventory", "oci:out", "-o", "site.json")[0] == 0
    desk.write("second.txt", f"{good}\n{bare}\n")
    assert desk.run("pack", "second.txt", "-o", "more", "--against", "site.json")[0] == 0
    code, result = desk.result("push", "more", "--to", "oci:out", "--policy", "policy.yaml")
    assert code == 7
    said = {image["name"]: (image["status"], image["trust"]["holds"]) for image in result["images"]}
    assert said == {"again/good:v2": ("copied", True), "acme/bare:v1": ("failed", False)}
    code, result = desk.result("push", "more", "--to", "oci:elsewhere", "--policy", "policy.yaml")
    assert code != 0, "there is no signature"
    assert not any(image.get("trust", {}).get("holds") for image in result["images"])
