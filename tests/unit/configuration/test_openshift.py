"""OpenShift's mirror sets, held against their published schemas."""

from typing import Any

import pytest
import yaml
from attrs import evolve

from tests.unit.configuration.openshiftschema import check
from tests.unit.configuration.relocations import ONE, OTHER, many, moved, relocation
from transload.configuration import Configuration, Reach, Relocation, Wishes
from transload.configuration.kinds import KINDS
from transload.errors import UsageError

TAG = moved("quay.io/a/b:1", "r.local:5000/m/a/b:1")
DIGEST = moved(f"docker.io/c/d@{ONE}", f"r.local:5000/m/c/d@{ONE}", ONE)


def written(to: Relocation, *, no_fallback: bool = False, name: str | None = None) -> Configuration:
    return KINDS["openshift"].write(to, Wishes(no_fallback=no_fallback, name=name))


def documents(configuration: Configuration) -> dict[str, Any]:
    return {str(file.path): yaml.safe_load(file.content) for file in configuration.files}


def pairs(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(mirror["source"], *mirror["mirrors"]) for mirror in check(document)]


def test_digests_have_all_rules_and_tags_those_of_images_with_tags() -> None:
    made = documents(written(relocation(TAG, DIGEST)))
    assert set(made) == {"image-digest-mirror-set.yaml", "image-tag-mirror-set.yaml"}
    tags = ("quay.io/a", "r.local:5000/m/a")
    assert pairs(made["image-digest-mirror-set.yaml"]) == [("docker.io/c", "r.local:5000/m/c"), tags]
    assert pairs(made["image-tag-mirror-set.yaml"]) == [tags]


def test_images_by_digest_alone_need_one_set() -> None:
    assert set(documents(written(relocation(DIGEST)))) == {"image-digest-mirror-set.yaml"}


def test_without_fallback_only_what_was_moved_is_cut_off() -> None:
    made = documents(written(relocation(TAG), no_fallback=True))["image-tag-mirror-set.yaml"]
    assert pairs(made) == [("quay.io/a/b", "r.local:5000/m/a/b")]
    assert made["spec"]["imageTagMirrors"][0]["mirrorSourcePolicy"] == "NeverContactSource"


def test_five_hundred_images_fit() -> None:
    for no_fallback in (False, True):
        configuration = written(many(500), no_fallback=no_fallback)
        assert all(check(document) for document in documents(configuration).values())
        assert max(len(file.content) for file in configuration.files) < 200_000


def test_the_certificate_authority_stands_under_the_host_with_two_dots_before_the_port() -> None:
    to = evolve(relocation(TAG), reach=Reach(ca=b"-----BEGIN CERTIFICATE-----\n"))
    configuration = written(to, name="site")
    trust = documents(configuration)["registry-ca.yaml"]
    assert trust["metadata"] == {"name": "site-registry-ca", "namespace": "openshift-config"}
    assert trust["data"] == {"r.local..5000": "-----BEGIN CERTIFICATE-----\n"}
    assert any('"name":"site-registry-ca"' in note for note in configuration.notes)


def test_what_mirrors_cannot_do_is_said() -> None:
    renamed = moved("quay.io/a/b:2", "r.local:5000/m/a/b:two")
    narrowed = moved(f"quay.io/a/e@{ONE}", f"r.local:5000/m/a/e@{ONE}", OTHER)
    notes = "\n".join(written(relocation(TAG, renamed, narrowed)).notes)
    assert "mirrors cannot change tags, so these images are not found: quay.io/a/b:2" in notes
    assert f"other digests, so these are not found: quay.io/a/e@{ONE}" in notes
    elsewhere = moved("quay.io/a/b:3", "r.local:5000/other:3")
    assert "one repository has one mirror" in "\n".join(written(relocation(elsewhere, TAG)).notes)
    plain = evolve(relocation(TAG), reach=Reach(plain_http=True))
    assert any("insecureRegistries" in note for note in written(plain).notes)


@pytest.mark.parametrize("image", [moved("[::1]:5000/a:1", "r.local/a:1"), moved("quay.io/a:1", "[::1]:5000/a:1")])
def test_an_address_of_ipv6_is_refused(image: Any) -> None:
    with pytest.raises(UsageError, match=r"cannot name the registry \[::1\]:5000"):
        written(relocation(image))


def test_an_authority_that_is_no_text_is_refused() -> None:
    with pytest.raises(UsageError, match="not in PEM"):
        written(evolve(relocation(TAG), reach=Reach(ca=b"\x30\x82\xff")))
