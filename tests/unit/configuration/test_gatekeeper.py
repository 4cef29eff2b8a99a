"""Gatekeeper's AssignImage: written only where another registry alone leads to every image.

Its fields are those of the published schema, config/crd/bases/mutations.gatekeeper.sh_assignimage.yaml in
github.com/open-policy-agent/gatekeeper, commit 36b75d7ccfce153b876e72b47c1f2db293a1a82f. What it does with names is in
pkg/mutation/mutators/assignimage/imageparser.go there.
"""

import pytest
import yaml

from tests.unit.configuration.relocations import moved, relocation
from transload.configuration import MovedImage, Wishes
from transload.configuration.kinds import KINDS
from transload.errors import UsageError


def test_every_list_of_containers_gets_the_registry() -> None:
    to = relocation(moved("quay.io/a/b:1", "r.local:5000/a/b:1"), moved("bitnami/c:1", "r.local:5000/bitnami/c:1"))
    configuration = KINDS["gatekeeper"].write(to, Wishes())
    made = list(yaml.safe_load_all(configuration.files[0].content))
    assert [item["spec"]["location"] for item in made] == [
        f"spec.{field}[name:*].image" for field in ("containers", "initContainers", "ephemeralContainers")
    ]
    assert {item["spec"]["parameters"]["assignDomain"] for item in made} == {"r.local:5000"}
    assert len({item["metadata"]["name"] for item in made}) == 3
    assert any("every image" in note for note in configuration.notes)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (moved("quay.io/a/b:1", "r.local/m/a/b:1"), "a/b would ask for r.local/a/b"),
        (moved("quay.io/a/b:1", "r.local/a/b:2"), "a/b:1 would ask for r.local/a/b:1"),
        (moved("redis:7", "r.local/library/redis:7"), "redis would ask for r.local/redis"),
        (moved("redis:7", "r.local/redis:7"), "library/redis would ask for r.local/library/redis"),
    ],
    ids=["prefix", "tag", "library", "no library"],
)
def test_what_a_registry_alone_does_not_reach_is_refused(image: MovedImage, reason: str) -> None:
    with pytest.raises(
        UsageError, match=f"pods that name {reason}, and {image.source} is at {image.target}$"
    ) as caught:
        KINDS["gatekeeper"].write(relocation(image), Wishes())
    assert caught.value.hint is not None
    assert "admission-policy" in caught.value.hint


@pytest.mark.parametrize("registry", ["registry:5000", "[::1]:5000"])
def test_a_host_that_gatekeeper_does_not_take_is_refused(registry: str) -> None:
    with pytest.raises(UsageError, match="for a registry"):
        KINDS["gatekeeper"].write(relocation(moved("quay.io/a/b:1", f"{registry}/a/b:1")), Wishes())


def test_its_fields_are_those_of_the_schema() -> None:
    [file] = KINDS["gatekeeper"].write(relocation(moved("quay.io/a/b:1", "localhost:5000/a/b:1")), Wishes()).files
    for item in yaml.safe_load_all(file.content):
        assert (item["apiVersion"], item["kind"]) == ("mutations.gatekeeper.sh/v1alpha1", "AssignImage")
        assert set(item["spec"]) == {"applyTo", "match", "location", "parameters"}
        assert set(item["spec"]["match"]) == {"scope", "excludedNamespaces"}
        assert [set(kinds) for kinds in item["spec"]["applyTo"]] == [{"groups", "versions", "kinds"}]
