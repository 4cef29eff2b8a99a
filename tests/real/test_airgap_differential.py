"""Only what is new crosses: packed against an inventory or an earlier bundle, prerequisites checked before a push."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.airgap import Vendor, pack, vendor, write_key
from tests.real.servers import Registry
from tests.real.vendor import Shell, digest_at, held, push, store_at
from transload.bundle import BundleStore
from transload.testing.images import artifact, image, multi_platform
from transload.testing.layers import Layer, layer
from transload.wording import in_words

BASE, TOOLS = layer("base", 400_000), layer("tools", 90_000)
MAY = {"one:5": image("one/5", (BASE, 2000)), "two:5": image("two/5", (BASE, TOOLS, 3000)), "kept:1": image("kept")}
JUNE = {"one:6": image("one/6", (BASE, 2500)), "two:6": image("two/6", (BASE, TOOLS, 3500)), "kept:1": MAY["kept:1"]}
NEW_BLOBS = {
    blob.descriptor.digest
    for name in ("one:6", "two:6")
    for blob in JUNE[name].walk_contents()
    if blob not in {BASE, TOOLS}
}


@pytest.fixture(scope="module")
def source() -> Iterator[Vendor]:
    with vendor(images=MAY | JUNE) as serving:
        yield serving


def blobs_in(path: Path) -> set[str]:
    return {blob.digest for blob in BundleStore(path).ledger.blobs if not blob.descriptor.is_manifest}


@pytest.fixture
def site(shell: Shell, source: Vendor, registry: Registry, request: pytest.FixtureRequest) -> str:
    """Where May is at the far side: registry and prefix."""
    prefix = request.node.name.partition("[")[0].replace("_", "-")
    pack(shell, *map(source, MAY), "-o", "may")
    assert shell("push", "may", "--to", f"{registry.host}/{prefix}").code == 0
    return f"{registry.host}/{prefix}"


# --- packing against what is known of the far side


def test_against_an_inventory(shell: Shell, source: Vendor, registry: Registry, site: str, tmp_path: Path) -> None:
    taken = shell("inventory", site, "-o", "site.json", "--output", "json").events[-1]
    assert (taken["repositories"], taken["tags"], taken["signed_by"]) == (3, 3, None)
    before = source.blobs_read
    ran = pack(shell, *map(source, JUNE), "-o", "june", "--against", "site.json")
    assert source.blobs_read == before + len(NEW_BLOBS)
    assert blobs_in(tmp_path / "june") == NEW_BLOBS
    assert "done: 2 copied, 1 unchanged" in ran.out
    assert "needs:    1 image and 2 blobs (482 KiB) at the target already, packed against site.json" in ran.out
    listed = shell("list", "june")
    assert "left out, the target has it" in next(line for line in listed.out.splitlines() if "kept:1" in line)
    done = shell("push", "june", "--to", site, "--output", "json")
    assert done.code == 0, done.told
    totals = done.events[-1]["result"]["totals"]
    assert totals["copied"]["blobs"] == len(NEW_BLOBS)
    prefix = site.partition("/")[2]
    for name, built in (MAY | JUNE).items():
        assert digest_at(registry, f"{prefix}/{name}") == built.digest
    assert shell("verify", "june", "--to", site, "--deep").out.count("identical") == 3


def test_against_the_bundle_before(shell: Shell, source: Vendor, registry: Registry, site: str, tmp_path: Path) -> None:
    pack(shell, *map(source, JUNE), "-o", "june", "--against", "may")
    assert blobs_in(tmp_path / "june") == NEW_BLOBS
    lately = JUNE["one:6"].contents[2]
    assert isinstance(lately, Layer)
    july = {"one:7": image("one/7", (BASE, lately, 10))}
    with vendor(images=july) as later:
        pack(shell, *map(later, july), "-o", "july", "--against", "june.tar")
    assert len(blobs_in(tmp_path / "july")) == 2  # one layer and the config; June had one layer, and needed the other
    for name in ("june", "july"):
        ran = shell("push", name, "--to", site)
        assert ran.code == 0, ran.told
    assert digest_at(registry, f"{site.partition('/')[2]}/one:7") == july["one:7"].digest


def test_nothing_new_is_a_bundle_too(shell: Shell, source: Vendor, site: str, tmp_path: Path) -> None:
    ran = pack(shell, *map(source, MAY), "-o", "again", "--against", "may")
    assert ran.out.startswith("nothing new: 3 unchanged")
    assert blobs_in(tmp_path / "again") == set()
    assert shell("push", "again", "--to", site).out.startswith("nothing to do: 3 unchanged")
    assert shell("verify", "again").code == 0


def test_the_inventory_of_a_whole_registry(shell: Shell, source: Vendor, start_registry: object) -> None:
    target = start_registry()  # type: ignore[operator]
    pack(shell, *map(source, MAY), "-o", "may")
    assert shell("push", "may", "--to", f"{target.host}/deep/down").code == 0
    assert shell("inventory", target.host, "-o", "all.json").code == 0
    pack(shell, *map(source, JUNE), "-o", "june", "--against", "all.json")
    ran = shell("push", "june", "--to", f"{target.host}/deep/down")
    assert ran.code == 0, ran.told
    assert held(target, "deep/down") == set(MAY | JUNE)


def test_to_another_prefix_than_the_inventory_was_taken_of(
    shell: Shell, source: Vendor, registry: Registry, site: str
) -> None:
    assert shell("inventory", site, "-o", "site.json").code == 0
    pack(shell, *map(source, JUNE), "-o", "june", "--against", "site.json")
    ran = shell("push", "june", "--to", f"{site}-elsewhere")
    assert ran.code == 9
    assert held(registry, f"{site.partition('/')[2]}-elsewhere") == set()


def test_what_is_there_under_another_name_only_is_mounted(shell: Shell, registry: Registry, tmp_path: Path) -> None:
    push(registry, image("other", (BASE,)), "apart/other", "1")
    assert shell("inventory", f"{registry.host}/apart", "-o", "apart.json").code == 0
    with vendor(images={"one:6": JUNE["one:6"]}) as source:
        pack(shell, source("one:6"), "-o", "apart", "--against", "apart.json")
    assert BASE.descriptor.digest not in blobs_in(tmp_path / "apart")
    done = shell("push", "apart", "--to", f"{registry.host}/apart", "--output", "json")
    assert done.events[-1]["result"]["totals"]["mounted"] == {"blobs": 1, "bytes": BASE.descriptor.size}
    with store_at(registry) as store:
        assert store.exists("apart/one", BASE.descriptor)


def test_new_signatures_of_an_image_that_is_there(shell: Shell, registry: Registry) -> None:
    built = multi_platform("signed later", (1000, 2000))
    tag = f"sha256-{built.children[1].digest.encoded}.sig"
    with vendor(images={"app:1": built}) as source:
        pack(shell, source("app:1"), "-o", "first")
        assert shell("push", "first", "--to", f"{registry.host}/later").code == 0
    assert shell("inventory", f"{registry.host}/later", "-o", "later.json").code == 0
    with vendor(images={"app:1": built, f"app:{tag}": artifact("cosign")}) as source:
        pack(shell, source("app:1"), "-o", "second", "--against", "later.json", "--referrers", "refresh")
    ran = shell("push", "second", "--to", f"{registry.host}/later")
    assert ran.code == 0, ran.told
    assert digest_at(registry, f"later/app:{tag}") == artifact("cosign").digest


# --- what is assumed is checked


def test_what_is_missing_is_named_and_the_others_are_pushed(
    shell: Shell, source: Vendor, registry: Registry, site: str
) -> None:
    pack(shell, *map(source, JUNE), "-o", "june", "--against", "may")
    alone = f"{registry.host}/prerequisites"
    push(registry, MAY["one:5"], "prerequisites/one", "5")
    ran = shell("push", "june", "--to", alone)
    assert ran.code == 1
    assert "note:     the bundle leaves out content of 2 of 3 images, and the target does not have it" in ran.err
    assert f"a blob ({in_words(TOOLS.descriptor.size)}) is neither in bundle:june nor at the target: " in ran.out
    assert "failed prerequisites/kept:1" in ran.out
    assert held(registry, "prerequisites") == {"one:5", "one:6"}
    assert shell("push", "june", "--to", f"{registry.host}/nothing-there").code == 9
    assert held(registry, "nothing-there") == set()


def test_no_byte_is_pushed_when_nothing_can_be_completed(
    shell: Shell, source: Vendor, start_registry: object, tmp_path: Path
) -> None:
    target = start_registry()  # type: ignore[operator]
    pack(shell, *map(source, MAY), "-o", "may")
    pack(shell, *map(source, JUNE), "-o", "june", "--against", "may")
    ran = shell("push", "june", "--to", target.host, "--output", "json")
    assert ran.code == 9
    problems = {image["name"]: image["problem"]["code"] for image in ran.events[-1]["result"]["images"]}
    assert problems == dict.fromkeys(JUNE, "prerequisite-missing")
    assert {line.split()[0] for line, _ in target.requests()} <= {"GET", "HEAD"}


# --- a signed inventory


@pytest.fixture
def signed(shell: Shell, site: str, tmp_path: Path) -> Path:
    write_key(tmp_path / "site.key")
    ran = shell("inventory", site, "-o", "site.json", "--sign-key", "site.key")
    assert ran.code == 0, ran.told
    assert ", signed by sha256:" in ran.out
    return tmp_path / "site.json"


def test_a_signed_inventory_is_believed(shell: Shell, source: Vendor, signed: Path, tmp_path: Path) -> None:
    words = (*map(source, JUNE), "--against", "site.json", "--against-key", "site.key.pub")
    pack(shell, *words, "-o", "june")
    assert blobs_in(tmp_path / "june") == NEW_BLOBS


def test_an_inventory_that_the_key_did_not_sign_is_refused(
    shell: Shell, source: Vendor, signed: Path, tmp_path: Path
) -> None:
    words = ("pack", *map(source, JUNE), "--against", "site.json", "-o", "june", "--against-key")
    write_key(tmp_path / "other.key")
    foreign = shell(*words, "other.key.pub")
    assert (foreign.code, "is signed with the key sha256:" in foreign.err) == (7, True)
    document = json.loads(signed.read_bytes())
    document["notes"] = ["more than there is"]
    signed.write_text(json.dumps(document))
    changed = shell(*words, "site.key.pub")
    assert (changed.code, "the signature does not match the inventory site.json" in changed.err) == (6, True)
    (tmp_path / "site.json.sig").write_text("{}")
    assert "site.json.sig is not a signature" in shell(*words, "site.key.pub").err
    (tmp_path / "site.json.sig").unlink()
    unsigned = shell(*words, "site.key.pub")
    assert (unsigned.code, "the inventory site.json is not signed" in unsigned.err) == (7, True)
    assert not (tmp_path / "june.tar").exists()


def test_a_bundle_as_what_the_far_side_has_must_be_signed_too(shell: Shell, source: Vendor, tmp_path: Path) -> None:
    write_key(tmp_path / "site.key")
    pack(shell, *map(source, MAY), "-o", "may")
    ran = shell("pack", *map(source, JUNE), "--against", "may", "-o", "june", "--against-key", "site.key.pub")
    assert (ran.code, "the bundle is not signed" in ran.err) == (7, True)


def test_an_inventory_has_to_go_somewhere(shell: Shell, registry: Registry) -> None:
    ran = shell("inventory", registry.host, "-o", "absent/site.json")
    assert (ran.code, "there is no folder" in ran.err) == (8, True)


@pytest.mark.parametrize("content", ["{", '{"format": 2}', "[]", ""])
def test_an_inventory_that_is_none(shell: Shell, source: Vendor, tmp_path: Path, content: str) -> None:
    (tmp_path / "site.json").write_text(content)
    ran = shell("pack", source("one:6"), "-o", "june", "--against", "site.json")
    assert ran.code in {2, 6}
    assert "Traceback" not in ran.err
    assert not (tmp_path / "june.tar").exists()
