"""Policies that rewrite pods when they are admitted: their expressions are run on pods."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.configuration import engines
from tests.unit.configuration.engines import pod, policies
from tests.unit.configuration.relocations import ONE, OTHER, many, moved, relocation
from transload.configuration import Relocation, Wishes
from transload.configuration.kinds import KINDS
from transload.errors import LimitExceeded, TargetConflict, UsageError

T = "r.local:5000/m"
MOVED = relocation(
    moved("redis:7", f"{T}/library/redis:7", ONE),
    moved("quay.io/a/b:1", f"{T}/a/b:1"),
    moved("quay.io/a/b:2", f"{T}/a/b:two"),
    moved("quay.io/a/latest", f"{T}/a/latest:5"),
    moved("registry.example:5000/x:1", f"{T}/x:1"),
    moved(f"quay.io/d@{ONE}", f"{T}/d@{ONE}", OTHER),
)
CASES = {
    "redis": f"{T}/library/redis",
    "redis:6": f"{T}/library/redis:6",
    "library/redis:7": f"{T}/library/redis:7",
    "docker.io/redis:7": f"{T}/library/redis:7",
    "index.docker.io/library/redis:7": f"{T}/library/redis:7",
    f"redis:7@{OTHER}": f"{T}/library/redis:7@{OTHER}",
    "quay.io/a/b:1": f"{T}/a/b:1",
    "quay.io/a/b:2": f"{T}/a/b:two",
    "quay.io/a/latest": f"{T}/a/latest:5",
    "quay.io/a/latest:3": f"{T}/a/latest:3",
    "registry.example:5000/x": f"{T}/x",
    f"quay.io/d@{ONE}": f"{T}/d@{OTHER}",
}
UNMOVED = (
    "redis-exporter:7", "nginx", "quay.io/redis:7", "quay.io/a/bc:1", "quay.io/a:1", "quay.io/a/b/c:1",
    "xquay.io/a/b:1", "registry.example/x:1", "registry.example:5001/x:1", "quay.io/A/b:1", "", "@", "://",
    f"{T}/library/redis:7", f"{T}/a/b:two",
)  # fmt: skip

Admit = Callable[..., dict[str, Any]]


@pytest.fixture(params=["admission-policy", "kyverno"])
def admit(request: pytest.FixtureRequest) -> Admit:
    run = engines.kyverno if request.param == "kyverno" else engines.admitted

    def admitted(item: dict[str, Any], old: dict[str, Any] | None = None, to: Relocation = MOVED) -> dict[str, Any]:
        for policy in policies(request.param, to):
            item = run(policy, item, old)
        return item

    return admitted


def test_every_spelling_leads_to_the_registry_and_a_second_look_changes_nothing(admit: Admit) -> None:
    created = admit(pod(containers=[*CASES, *UNMOVED], initContainers=[*reversed(CASES)]))
    assert created == pod(containers=[*CASES.values(), *UNMOVED], initContainers=[*reversed(CASES.values())])
    assert admit(created) == created


def test_of_ephemeral_containers_only_new_ones_are_changed(admit: Admit) -> None:
    old = pod(containers=["redis:7"], ephemeralContainers=["redis:7"])
    new = pod(containers=["redis:7"], ephemeralContainers=["redis:7", "redis:6"])
    images = ["redis:7", f"{T}/library/redis:6"]
    assert admit(new, old) == pod(containers=["redis:7"], ephemeralContainers=images)
    first = pod(containers=["nginx"], ephemeralContainers=["redis:6"])
    assert admit(first, pod(containers=["nginx"])) == pod(containers=["nginx"], ephemeralContainers=images[1:])


def test_mirror_pods_stay_as_they_are(admit: Admit) -> None:
    item = pod(containers=["redis:7"])
    item["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "abc"}
    assert admit(item) == item
    item["metadata"]["annotations"] = {"other": "abc"}
    assert admit(item)["spec"] == pod(containers=[f"{T}/library/redis:7"])["spec"]


def test_a_target_below_the_source_is_not_moved_again(admit: Admit) -> None:
    to = relocation(moved("r.local/a:1", "r.local/mirror/a:1"), moved("r.local/mirror:1", "r.local/mirror/mirror:1"))
    created = admit(pod(containers=["r.local/a:1", "r.local/mirror:1"]), to=to)
    assert created == pod(containers=["r.local/mirror/a:1", "r.local/mirror/mirror:1"])
    assert admit(created, to=to) == created


def test_many_images_are_all_found(admit: Admit) -> None:
    to = many(30)
    created = admit(pod(containers=[str(image.source) for image in to.images]), to=to)
    assert created == pod(containers=[str(image.target) for image in to.images])


def test_objects_stay_below_what_clusters_take() -> None:
    to = many(500)
    [kyverno] = KINDS["kyverno"].write(to, Wishes()).files
    assert len(kyverno.content) < 1_000_000
    made = policies("admission-policy", to)
    assert [policy["metadata"]["name"] for policy in made] == [f"transload-images{end}" for end in ("", "-2", "-3")]
    expressions = [variable["expression"] for policy in made for variable in policy["spec"]["variables"]]
    assert max(map(len, expressions)) < 100_000


@pytest.mark.parametrize("kind", ["admission-policy", "kyverno"])
def test_two_moves_in_a_row_and_wrong_names_are_refused(kind: str) -> None:
    with pytest.raises(TargetConflict):
        KINDS[kind].write(
            relocation(moved("a.example/x", "b.example/x"), moved("b.example/x", "b.example/y")), Wishes()
        )
    with pytest.raises(UsageError, match="name of a Kubernetes object"):
        KINDS[kind].write(MOVED, Wishes(name="Not_a_name"))


def test_the_versions_of_the_api_differ_in_nothing_else() -> None:
    documents = {version: policies("admission-policy", MOVED, version) for version in ("v1", "v1beta1", "v1alpha1")}
    assert {item[0].pop("apiVersion") for item in documents.values()} == {
        f"admissionregistration.k8s.io/{version}" for version in documents
    }
    assert documents["v1"] == documents["v1beta1"] == documents["v1alpha1"]


def test_what_a_cluster_would_not_take_is_refused() -> None:
    with pytest.raises(LimitExceeded, match="the ClusterPolicy would have"):
        KINDS["kyverno"].write(many(1_300), Wishes())
