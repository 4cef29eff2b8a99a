"""`verify` with a policy: each image of a target, a folder or a bundle by the signatures that lie with it there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

import transload
from tests.unit.app.signed import Signer, policy, rule
from transload.app.detect import CarriedStore, open_carried
from transload.app.job import Job
from transload.app.location import Location
from transload.app.network import Network
from transload.app.settings import Environment
from transload.app.stores import Carried, Logins, Stores
from transload.app.trusting import Judge
from transload.app.verify import Verification, check_against_source, check_alone
from transload.errors import ManifestInvalid, PolicyRefused, Unreachable, UsageError
from transload.limits import REFERRERS
from transload.memory import MemoryStore
from transload.oci import Name
from transload.ports import Target
from transload.server import serve
from transload.testing.faults import FaultyStore, fails
from transload.testing.images import Built, artifact, fill, image, index, multi_platform, signature
from transload.threads import Cancellation
from transload.trust.policy import Policy

NOTHING = Environment()
VENDOR, OTHER = Signer("vendor.pub"), Signer("other.pub")
APP, TILL, FREE = image("app"), image("till"), image("free")
PUBLISHED = "vendor.example/shop/app"


@contextmanager
def opened() -> Iterator[Stores]:
    with Stores(NOTHING, Network(), Logins(), Cancellation()) as stores:
        yield stores


def alone(store: Target, wanted: Policy, *, only: Name | None = None, at: str = "registry.local") -> Verification:
    """What verify says of a store by itself; its names there choose the rules."""
    carried = CarriedStore(Location.parse(at), store)
    return check_alone(carried, deep=False, cancellation=Cancellation(), judge=Judge(wanted), only=only)


def problem(checked: Verification, name: str) -> str | None:
    return checked.trust[name].problem


@pytest.fixture
def mirror() -> MemoryStore:
    """A mirror of three images: one signed by the vendor, one by somebody else, one by nobody."""
    store = MemoryStore()
    for built, name in ((APP, "app"), (TILL, "till"), (FREE, "free")):
        fill(store, built, f"shop/{name}", "v1")
    VENDOR.sign(store, "shop/app", APP, PUBLISHED)
    OTHER.sign(store, "shop/till", TILL, "vendor.example/shop/till")
    return store


def test_each_image_of_a_target_is_judged_by_the_rule_of_its_name_there(mirror: MemoryStore) -> None:
    wanted = policy(rule("", VENDOR), rule("registry.local/shop/free", mode="skip"))

    checked = alone(mirror, wanted)

    assert checked.trust.keys() == {"shop/app:v1", "shop/till:v1", "shop/free:v1"}
    (signer,) = checked.trust["shop/app:v1"].signers
    assert signer.signer == f"key {VENDOR.trusted.key.key_id}"
    assert "not made with this key" in str(problem(checked, "shop/till:v1"))
    assert problem(checked, "shop/free:v1") is None
    assert checked.exit_code == PolicyRefused.exit_code == 7
    assert not checked.good


def test_all_that_hold_end_with_0_and_a_warning_too(mirror: MemoryStore) -> None:
    assert alone(mirror, policy(rule("", VENDOR, OTHER, mode="warn"))).exit_code == 0
    wanted = policy(rule("registry.local/shop", VENDOR, OTHER), rule("registry.local/shop/free", mode="skip"))
    assert alone(mirror, wanted).exit_code == 0


def test_no_rule_that_fits_refuses(mirror: MemoryStore) -> None:
    checked = alone(mirror, policy(rule("registry.local/other", VENDOR)))
    assert problem(checked, "shop/app:v1") == "no rule of the policy fits its name"
    assert checked.exit_code == 7


def test_one_image_of_a_target_can_be_named(mirror: MemoryStore) -> None:
    checked = alone(mirror, policy(rule("", VENDOR)), only=Name("shop/app", "v1"))
    assert checked.exit_code == 0
    assert [str(proof.name) for proof in checked.proofs] == ["shop/app:v1"]


def test_a_prefix_of_a_target_leaves_the_rest_out(mirror: MemoryStore) -> None:
    fill(mirror, FREE, "else/free", "v1")
    checked = alone(mirror, policy(rule("", VENDOR)), at="registry.local/else")
    assert [str(proof.name) for proof in checked.proofs] == ["else/free:v1"]


def test_the_publishers_name_must_be_the_signed_one_where_it_is_known(mirror: MemoryStore) -> None:
    """The same content, which its signer calls otherwise: a test build under the name of the product."""
    vendor = MemoryStore()
    fill(vendor, APP, "shop/product", "v1")
    fill(mirror, APP, "mirrored/shop/product", "v1")
    VENDOR.sign(mirror, "mirrored/shop/product", APP, PUBLISHED)
    with serve(vendor) as published, serve(mirror) as site, opened() as stores:
        wanted = policy(rule(f"{published.host_port}/shop", VENDOR))
        job = Job(
            sets=(f"{published.host_port}/shop/product:v1",),
            target=Location.parse(f"{site.host_port}/mirrored"),
            policy=wanted,
        )
        checked = check_against_source(job, stores, deep=False, cancellation=Cancellation())
        assert "under another name: 'vendor.example/shop/app'" in str(problem(checked, "mirrored/shop/product:v1"))
        assert checked.exit_code == 7

        VENDOR.sign(mirror, "mirrored/shop/product", APP, f"{published.host_port}/shop/product")
        assert check_against_source(job, stores, deep=False, cancellation=Cancellation()).exit_code == 0


def bundle_of(folder: Path, mirror: MemoryStore, **options: object) -> Path:
    """A bundle of one signed image, as a registry published it."""
    with serve(mirror) as served:
        options = {"referrers": True, "environment": NOTHING, **options}
        transload.pack(f"{served.host_port}/shop/app:v1", folder / "shop", **options)  # type: ignore[arg-type]
        return folder / "shop"


def in_bundle(path: Path, wanted: Policy, key: Path | None = None) -> Verification:
    with Stores(NOTHING, Network(), Logins(), Cancellation(), carried=Carried(key=key)) as stores:
        carried = open_carried(Location("bundle", str(path)), stores)
        return check_alone(carried, deep=False, cancellation=Cancellation(), judge=Judge(wanted))


def test_in_a_bundle_the_publishers_name_decides_and_a_claim_chooses_no_weaker_rule(
    tmp_path: Path, mirror: MemoryStore
) -> None:
    own = Ed25519PrivateKey.generate()
    key, public = tmp_path / "site.key", tmp_path / "site.pub"
    key.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(own.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    path = bundle_of(tmp_path, mirror, sign_key=key)
    host = published_of(path)

    weaker = policy(rule("", OTHER), rule(host, mode="skip"))
    assert in_bundle(path, weaker).exit_code == 7
    assert in_bundle(path, weaker, public).exit_code == 0
    stronger = policy(rule("", mode="skip"), rule(host, OTHER))
    assert in_bundle(path, stronger).exit_code == in_bundle(path, stronger, public).exit_code == 7
    assert in_bundle(path, policy(rule("", mode="skip"))).exit_code == 0


def published_of(path: Path) -> str:
    with opened() as stores:
        bundle = open_carried(Location("bundle", str(path)), stores).bundle
        assert bundle is not None
        return bundle.ledger.images[0].image.source.partition("/")[0]


def test_damaged_content_is_the_worse_news(tmp_path: Path, mirror: MemoryStore) -> None:
    path = bundle_of(tmp_path, mirror)
    (volume,) = [file for file in tmp_path.iterdir() if file.name.endswith(".tar")]
    content = bytearray(volume.read_bytes())
    content[-20_000] ^= 1
    volume.write_bytes(content)
    checked = in_bundle(path, policy(rule("", OTHER)))
    assert [proof.verdict for proof in checked.proofs].count("damaged") == 1
    assert checked.exit_code not in {0, 7}


def test_what_could_not_be_asked_is_neither_signed_nor_unsigned(mirror: MemoryStore) -> None:
    tag = f"shop/app:sha256-{APP.digest.encoded}.sig"
    store = FaultyStore(mirror, [fails("fetch", lambda: Unreachable("it does not answer"), subject=tag)])

    checked = alone(store, policy(rule("", VENDOR)), only=Name("shop/app", "v1"))

    assert not checked.trust
    assert checked.troubles["shop/app:v1"].side == "target"
    assert checked.exit_code == Unreachable.exit_code


def test_a_list_of_referrers_that_never_ends_refuses_the_image(mirror: MemoryStore) -> None:
    endless = fails("referrers", lambda: ManifestInvalid(f"more than {REFERRERS} referrers"))
    bundles = Signer("bundles.pub")
    checked = alone(FaultyStore(mirror, [endless]), policy(rule("", bundles)), only=Name("shop/app", "v1"))
    told = f"its signatures cannot be read: more than {REFERRERS} referrers"
    assert problem(checked, "shop/app:v1") == told
    assert checked.exit_code == 7


def test_signatures_are_no_images_and_anything_else_under_such_a_tag_is_one(mirror: MemoryStore) -> None:
    fill(mirror, artifact("list", (10,)), "shop/app", f"sha256-{APP.digest.encoded}")
    fill(mirror, FREE, "shop/app", f"sha256-{'0' * 64}.sig")
    checked = alone(mirror, policy(rule("", VENDOR)))
    judged = {name for name in checked.trust if name.startswith("shop/app:")}
    assert judged == {"shop/app:v1", f"shop/app:sha256-{'0' * 64}.sig"}


def test_signatures_of_the_parts_of_an_image_and_of_signatures_are_no_images(mirror: MemoryStore) -> None:
    """Registries without a list of referrers have it under a tag, also that of a child, and of a signature."""
    wide = multi_platform("wide", (1000, 2000))
    child = signature(wide.children[0])
    again = signature(child)
    fill(mirror, wide, "shop/wide", "v1")
    for made in (child, again):
        fill(mirror, made, "shop/wide")
    fill(mirror, index([child]), "shop/wide", f"sha256-{wide.children[0].digest.encoded}")
    fill(mirror, index([again]), "shop/wide", f"sha256-{child.digest.encoded}")
    fill(mirror, artifact("cosign"), "shop/wide", f"sha256-{wide.children[1].digest.encoded}.sig")
    hidden = image("hidden")
    fill(mirror, index([hidden]), "shop/wide", f"sha256-{hidden.digest.encoded}")
    checked = alone(mirror, policy(rule("", VENDOR)))
    judged = {name for name in checked.trust if name.startswith("shop/wide:")}
    assert judged == {"shop/wide:v1", f"shop/wide:sha256-{hidden.digest.encoded}"}


def test_an_image_that_a_bundle_brings_with_a_signed_one_must_be_signed_too(
    tmp_path: Path, mirror: MemoryStore
) -> None:
    evil = image("evil", subject=APP.descriptor)
    fill(mirror, evil, "shop/app")
    VENDOR.bundle(mirror, "shop/app", APP)
    checked = in_bundle(bundle_of(tmp_path, mirror), policy(rule("", VENDOR)))
    assert str(problem(checked, "shop/app:v1")).startswith(f"{evil.digest.short}, which comes with it, is an image too")
    assert checked.exit_code == 7


def test_the_parts_of_an_image_in_a_bundle_need_no_signature(tmp_path: Path) -> None:
    vendor, wide = MemoryStore(), multi_platform("wide", (1000, 2000))
    fill(vendor, wide, "shop/app", "v1")
    VENDOR.bundle(vendor, "shop/app", wide)
    for options in ({}, {"platforms": "linux/amd64", "narrowing": transload.Narrowing.SPARSE}):
        folder = tmp_path / str(len(options))
        folder.mkdir()
        assert in_bundle(bundle_of(folder, vendor, **options), policy(rule("", VENDOR))).good


@pytest.mark.parametrize("evil", [image("evil"), multi_platform("evil", (1000,))])
def test_an_image_under_the_tag_of_a_signature_is_judged(mirror: MemoryStore, evil: Built) -> None:
    tag = f"sha256-{APP.digest.encoded}.att"
    fill(mirror, evil, "shop/app", tag)
    checked = alone(mirror, policy(rule("", VENDOR)))
    assert problem(checked, f"shop/app:{tag}")
    assert f"shop/app:sha256-{APP.digest.encoded}.sig" not in checked.trust


def test_a_rule_that_only_warns_does_not_fail_where_nobody_answers(mirror: MemoryStore) -> None:
    tag = f"shop/app:sha256-{APP.digest.encoded}.sig"
    store = FaultyStore(mirror, [fails("fetch", lambda: Unreachable("it does not answer"), subject=tag)])
    checked = alone(store, policy(rule("", VENDOR, mode="warn")), only=Name("shop/app", "v1"))
    assert problem(checked, "shop/app:v1") == "its signatures could not be asked for: it does not answer"
    assert checked.exit_code == 0


def test_a_narrowed_index_is_judged_by_the_published_one_that_it_is_proved_to_be_a_part_of(tmp_path: Path) -> None:
    vendor, narrow, wide = MemoryStore(), f"oci:{tmp_path / 'narrow'}", multi_platform("wide", (1000, 2000))
    fill(vendor, wide, "shop/wide", "v1")
    file = policy_file(tmp_path)
    with serve(vendor) as site:
        name = f"{site.host_port}/shop/wide:v1"
        VENDOR.sign(vendor, "shop/wide", wide, f"{site.host_port}/shop/wide")
        transload.mirror(name, to=narrow, platforms="linux/amd64", environment=NOTHING)
        alone = transload.verify(narrow, policy=file, environment=NOTHING)
        assert alone.exit_code == 7  # nobody has signed what transload made
        compared = transload.verify(name, to=narrow, policy=file, platforms="linux/amd64", environment=NOTHING)
        assert compared.proofs[0].digest != wide.digest
        assert compared.good
        assert len(compared.trust["shop/wide:v1"].signers) == 1


def test_an_image_without_signatures_costs_two_questions_more(mirror: MemoryStore) -> None:
    """Who refers to it, and whether cosign's tag is there; the digest that was proved is not asked for again."""
    counted = FaultyStore(mirror)
    carried = CarriedStore(Location.parse("registry.local"), counted)
    check_alone(carried, deep=False, cancellation=Cancellation(), only=Name("shop/free", "v1"))
    before = counted.calls
    judged = FaultyStore(mirror)
    alone(judged, policy(rule("", VENDOR)), only=Name("shop/free", "v1"))
    assert judged.calls - before == {"referrers": 1, "fetch": 1}


def policy_file(folder: Path, prefix: str = "", mode: str = "require") -> Path:
    """A file that trusts the vendor, with the key beside it."""
    (folder / "vendor.pub").write_bytes(VENDOR.pem)
    path = folder / "policy.yaml"
    rule = f"prefix: '{prefix}', mode: {mode}, any-of: [{{cosign-key: vendor.pub}}]"
    path.write_text(f"version: 1\nrules:\n  - {{{rule}}}\n")
    return path


def test_the_library_checks_a_registry_an_image_there_a_folder_and_a_comparison(
    tmp_path: Path, mirror: MemoryStore
) -> None:
    file = policy_file(tmp_path)
    with serve(mirror) as site:
        everything = transload.verify(f"{site.host_port}/shop", policy=file, environment=NOTHING)
        assert everything.exit_code == 7
        assert {name for name, trust in everything.trust.items() if trust.holds} == {"shop/app:v1"}
        assert everything.troubles.keys() == {"shop/till:v1", "shop/free:v1"}
        one = transload.verify(f"{site.host_port}/shop/app:v1", policy=file, environment=NOTHING)
        assert one.good
        place = f"oci:{tmp_path / 'folder'}"
        transload.mirror(f"{site.host_port}/shop/app:v1", to=place, referrers=True, environment=NOTHING)
        assert transload.verify(place, policy=file, environment=NOTHING).good
        compared = transload.verify(f"{site.host_port}/shop/app:v1", to=place, policy=file, environment=NOTHING)
        assert "under another name" in str(compared.trust["shop/app:v1"].problem)  # it was published here, as it seems


def test_a_time_without_a_policy_or_a_zone_is_refused(tmp_path: Path) -> None:
    moment = datetime(2026, 11, 26, tzinfo=UTC)
    with pytest.raises(UsageError, match="there is no policy"):
        transload.verify("oci:folder", at=moment, environment=NOTHING)
    with pytest.raises(UsageError, match="at has no time zone"):
        transload.verify("oci:x", policy=policy_file(tmp_path), at=moment.replace(tzinfo=None), environment=NOTHING)
