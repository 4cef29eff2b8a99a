"""`verify --policy` and `apply --policy` with a real registry, images that notation signed, and keys made here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.real.servers import Registry
from tests.real.vendor import Ran, Shell, held, store_at
from tests.unit.app.signed import Signer
from tests.unit.trust.notation.signatures import SHARED
from transload.testing.images import fill, image

LAYOUT = SHARED / "notation-signed"
THEN = ("--at", "2026-11-26T12:00:00Z")  # the certificates that signed the layout have expired since
SITE = '{notation: {trust-stores: [site.example.crt], identities: ["*"]}}'
needs_layout = pytest.mark.skipif(not LAYOUT.is_dir(), reason=f"no images that notation signed in {LAYOUT}")


def write_policy(shell: Shell, *rules: str) -> Path:
    path = shell.home / "policy.yaml"
    path.write_text("version: 1\nrules:\n" + "".join(f"  - {{{rule}}}\n" for rule in rules))
    return path


def images(ran: Ran) -> Mapping[str, Any]:
    """What a run with JSON output says of each image, by the last part of its name."""
    found = ran.events[-1]["images"]
    return {image["name"].rpartition("/")[2].partition(":")[0]: image for image in found if image["trust"]}


@pytest.fixture
def site(shell: Shell) -> Path:
    """The certificate that the site trusts, beside its policies."""
    (shell.home / "site.example.crt").write_bytes((LAYOUT / "site.example.crt").read_bytes())
    return shell.home


@needs_layout
@pytest.mark.usefixtures("site")
def test_images_that_notation_signed_are_judged_at_a_registry_in_a_folder_and_in_a_bundle(
    shell: Shell, registry: Registry
) -> None:
    policy = write_policy(shell, f'prefix: "", mode: require, any-of: [{SITE}]')
    target, folder, bundle = f"{registry.host}/notation", f"oci:{shell.home / 'folder'}", shell.home / "bundle"
    assert shell("mirror", "--from", f"oci:{LAYOUT}", "--to", target).code == 0
    assert shell("mirror", "--from", f"oci:{LAYOUT}", "--to", folder).code == 0
    assert shell("pack", "--from", f"oci:{LAYOUT}", "-o", bundle).code == 0

    for place in ([target], [folder], [bundle], ["--from", f"oci:{LAYOUT}", "--to", target], [bundle, "--to", target]):
        ran = shell("verify", *place, "--policy", policy, *THEN, "--output", "json")
        assert ran.code == 7, ran.told
        told = images(ran)
        assert {name: entry["trust"]["holds"] for name, entry in told.items()} == {
            "jws-good": True,
            "cose-good": True,
            "jws-other": False,
            "unsigned": False,
        }, place
        assert told["unsigned"]["problem"]["code"] == "policy-refused"
        assert "site.example" in told["cose-good"]["trust"]["signers"][0]["signer"]
        expired = shell("verify", *place, "--policy", policy, "--at", "2031-01-01T00:00:00Z")
        assert expired.code == 7
        assert "if that is not so, the clock of this machine is wrong" in " ".join(expired.out.split())

    lenient = write_policy(shell, f'prefix: "", mode: warn, any-of: [{SITE}]')
    assert shell("verify", target, "--policy", lenient, *THEN).code == 0


def test_a_key_of_cosign_is_judged_at_a_registry(shell: Shell, registry: Registry) -> None:
    vendor, built, other = Signer("vendor.pub"), image("by cosign"), image("unsigned")
    (shell.home / "vendor.pub").write_bytes(vendor.pem)
    with store_at(registry) as store:
        fill(store, built, "cosigned/app", "v1")
        fill(store, other, "cosigned/free", "v1")
        vendor.sign(store, "cosigned/app", built, "vendor.example/app")
    policy = write_policy(shell, 'prefix: "", mode: require, any-of: [cosign-key: vendor.pub]')
    one = shell("verify", f"{registry.host}/cosigned/app:v1", "--policy", policy)
    assert one.code == 0, one.told
    assert f"signed: by key {vendor.trusted.key.key_id} (cosign-tag)" in one.out
    both = shell("verify", "--to", f"{registry.host}/cosigned", "--policy", policy, "--quiet")
    assert both.code == 7
    assert [line.split()[0] for line in both.out.splitlines()] == ["sound", "refused:", "2", "policy"]


def test_a_saved_plan_is_judged_before_it_is_carried_out(shell: Shell, registry: Registry) -> None:
    vendor, built, other = Signer("vendor.pub"), image("planned"), image("planned, unsigned")
    (shell.home / "vendor.pub").write_bytes(vendor.pem)
    with store_at(registry) as store:
        fill(store, built, "planned/app", "v1")
        fill(store, other, "planned/free", "v1")
        vendor.sign(store, "planned/app", built, f"{registry.host}/planned/app")
    policy = write_policy(shell, 'prefix: "", mode: require, any-of: [cosign-key: vendor.pub]')
    plan = shell.home / "plan.json"
    words = [f"{registry.host}/planned/{name}:v1" for name in ("app", "free")]
    assert shell("plan", *words, "--to", f"{registry.host}/applied", "-o", plan).code == 0
    ran = shell("apply", plan, "--policy", policy)
    assert ran.code == 7, ran.told
    assert "1 of 2 images failed, 1 copied" in ran.out
    assert "is not signed as the policy wants: no signature was found" in " ".join(ran.told.split())
    assert {name for name in held(registry, "applied") if name.endswith(":v1")} == {"planned/app:v1"}


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--policy", "missing.yaml"), 8, "there is no file"),
        (("--policy", "empty.yaml"), 2, "the file is empty"),
        (("--policy", "unknown.yaml"), 2, "more: unknown key"),
        (("--policy", "good.yaml", "--at", "yesterday"), 2, "'yesterday' is not a point in time"),
        (("--at", "2026-11-26T12:00:00Z"), 2, "there is no policy"),
        (("--policy", "good.yaml", "--image", "app"), 2, "takes no --image"),
        (("--policy", "good.yaml", "--inventory", "x"), 2, "No such option '--inventory'"),
        (("--policy", "good.yaml", "--no-policy"), 2, "contradict each other"),
    ],
)
def test_wrong_words_are_refused_by_name(
    shell: Shell, registry: Registry, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int, told: str
) -> None:
    monkeypatch.chdir(shell.home)
    good = 'version: 1\nrules: [{prefix: "", mode: skip}]\n'
    for name, text in {"good": good, "empty": "", "unknown": f"{good}more: 1\n"}.items():
        (shell.home / f"{name}.yaml").write_text(text)
    ran = shell("verify", f"{registry.host}/x", *words)
    assert (ran.code, told in " ".join(ran.err.split())) == (code, True), ran.told


def test_nothing_to_verify_is_said(shell: Shell) -> None:
    ran = shell("verify", "--policy", write_policy(shell, 'prefix: "", mode: skip'))
    assert ran.code == 2
    assert "nothing says what should be verified" in ran.err


def test_a_target_that_does_not_answer_is_not_unsigned(shell: Shell) -> None:
    policy = write_policy(shell, 'prefix: "", mode: skip')
    ran = shell("verify", "127.0.0.1:1/app:v1", "--policy", policy)
    assert ran.code == 5
    assert "refused:" not in ran.out
