"""Kustomize's component: what stands in it. That Kustomize does it is in tests/real."""

import yaml

from tests.unit.configuration.relocations import ONE, OTHER, many, moved, relocation
from transload.configuration import Relocation, Wishes
from transload.configuration.kinds import kustomize


def entries(moved_to: Relocation, *, pin: bool = False) -> list[dict[str, str]]:
    configuration = kustomize.write(moved_to, Wishes(pin=pin))
    document = yaml.safe_load(configuration.files[0].content)
    assert (document["apiVersion"], document["kind"]) == ("kustomize.config.k8s.io/v1alpha1", "Component")
    images: list[dict[str, str]] = document["images"]
    return images


def test_images_with_tags_come_before_their_repository() -> None:
    images = (moved("quay.io/a/b:1", "r.local:5000/m/b:1", ONE), moved("quay.io/a/b:2", "r.local:5000/m/b:two", OTHER))
    assert entries(relocation(*images)) == [
        {"name": "quay.io/a/b:2", "newName": "r.local:5000/m/b", "newTag": "two"},
        {"name": "quay.io/a/b", "newName": "r.local:5000/m/b"},
    ]
    assert entries(relocation(*images), pin=True) == [
        {"name": "quay.io/a/b:1", "newName": "r.local:5000/m/b", "digest": str(ONE)},
        {"name": "quay.io/a/b:2", "newName": "r.local:5000/m/b", "digest": str(OTHER)},
        {"name": "quay.io/a/b", "newName": "r.local:5000/m/b"},
    ]


def test_a_tag_that_looks_like_a_number_stays_a_text() -> None:
    content = kustomize.write(relocation(moved("quay.io/a/b:2", "r.local/b:010")), Wishes()).files[0].content
    assert yaml.safe_load(content)["images"][0]["newTag"] == "010"


def test_a_manifest_without_a_tag_cannot_be_told_apart() -> None:
    configuration = kustomize.write(relocation(moved("quay.io/a/b:latest", "r.local/b:4")), Wishes())
    assert any("write :latest" in note for note in configuration.notes)


def test_five_hundred_images_have_an_entry_each() -> None:
    names = [entry["name"] for entry in entries(many(500))]
    assert len(names) == len(set(names)) == 333 + 3 * 167  # those of Docker's Hub under three names


def test_an_address_of_ipv6_is_no_pattern() -> None:
    assert entries(relocation(moved("[::1]:5000/a:1", "r.local/a:1")))[0]["name"] == r"\[::1\]:5000/a"


def test_what_cannot_be_pinned_is_said() -> None:
    images = (moved("quay.io/a/b:1", "r.local/b:1", ONE), moved("quay.io/a/c:1", "r.local/c:1"))
    configuration = kustomize.write(relocation(*images), Wishes(pin=True))
    assert configuration.notes[-1] == "not pinned, since no digest is known: quay.io/a/c:1"
