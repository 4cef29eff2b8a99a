"""The names that manifests write, and where they lead."""

import pytest

from tests.unit.configuration.relocations import ONE, OTHER, moved
from transload.configuration.renames import renames_of, written_names
from transload.errors import TargetConflict


@pytest.mark.parametrize(
    ("repository", "names"),
    [
        ("quay.io/a/b", {"quay.io/a/b"}),
        ("docker.io/a/b", {"docker.io/a/b", "index.docker.io/a/b", "a/b"}),
        ("docker.io/library/a/b", {"docker.io/library/a/b", "index.docker.io/library/a/b", "library/a/b"}),
        ("docker.io/a.b/c", {"docker.io/a.b/c", "index.docker.io/a.b/c"}),  # without the host, a.b would be one
        ("docker.io/localhost/c", {"docker.io/localhost/c", "index.docker.io/localhost/c"}),
        ("localhost:5000/a", {"localhost:5000/a"}),
    ],
)
def test_names_that_mean_a_repository(repository: str, names: set[str]) -> None:
    assert set(written_names(repository)) == names


def test_a_repository_is_enough_for_all_its_tags_and_digests() -> None:
    images = [
        moved("quay.io/a/b:1", "r.local/a/b:1", ONE),
        moved("quay.io/a/b:2", "r.local/a/b:2", OTHER),
        moved(f"quay.io/a/b@{ONE}", f"r.local/a/b@{ONE}", ONE),
    ]
    renames = renames_of(images)
    assert renames.repositories == {"quay.io/a/b": "r.local/a/b"}
    assert renames.images == {}


def test_what_lies_elsewhere_has_its_own_entry() -> None:
    images = [
        moved("quay.io/a/b:1", "r.local/a/b:1"),
        moved("quay.io/a/b:2", "r.local/a/b:two"),
        moved("quay.io/a/b:3", "r.local/other:3"),
        moved("quay.io/a/b:latest", "r.local/a/b:4"),
        moved(f"quay.io/a/b@{ONE}", f"r.local/a/b@{ONE}", OTHER),  # a narrowed index
    ]
    assert renames_of(images).images == {
        "quay.io/a/b:2": "r.local/a/b:two",
        "quay.io/a/b:3": "r.local/other:3",
        "quay.io/a/b:latest": "r.local/a/b:4",
        "quay.io/a/b": "r.local/a/b:4",
        f"quay.io/a/b@{ONE}": f"r.local/a/b@{OTHER}",
    }


def test_pinned_tags_lead_to_digests_and_others_stay() -> None:
    images = [moved("redis:7", "r.local/redis:7", ONE), moved("redis:6", "r.local/redis:6")]
    named = renames_of(images, pin=True).images
    assert named["redis:7"] == named["docker.io/library/redis:7"] == f"r.local/redis@{ONE}"
    assert "redis:6" not in named


def test_two_moves_in_a_row_are_refused() -> None:
    images = [moved("a.example/x:1", "b.example/x:1"), moved("b.example/x:1", "b.example/y:1")]
    with pytest.raises(TargetConflict, match=r"a\.example/x is at b\.example/x now"):
        renames_of(images)
