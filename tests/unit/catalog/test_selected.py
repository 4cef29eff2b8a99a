import pytest

from transload.catalog.references import wanted
from transload.catalog.selected import Selected, merge
from transload.errors import ReferenceInvalid, TargetConflict
from transload.oci import Platform, Reference

D1, D2 = (f"sha256:{digit * 64}" for digit in "12")


def test_the_same_thing_twice_is_one_thing() -> None:
    one, two = wanted("a.example/x:1"), wanted("a.example/y:1")
    assert merge([one, two, wanted("a.example/x:1")]) == (one, two)


def test_two_things_of_one_name_are_a_conflict_that_names_both() -> None:
    with pytest.raises(TargetConflict) as caught:
        merge([wanted("a.example/x:1"), wanted("b.example/x:1")])
    assert str(caught.value) == "x:1 is wanted twice at the target: as a.example/x:1 and as b.example/x:1"


@pytest.mark.parametrize(
    ("first", "second", "places"),
    [
        ("a.example/x:1", "b.example/x:2", 2),  # different tags
        (f"a.example/x@{D1}", f"b.example/x@{D2}", 2),  # no tag: each by its own digest
        (f"a.example/x@{D1}", f"b.example/x@{D1}", 1),  # the same content from two places
        (f"a.example/x:1@{D1}", f"b.example/x:1@{D1}", 1),
        (f"a.example/x:1@{D1}", f"a.example/x@{D1}", 2),  # tagged, and once more by digest only
    ],
)
def test_what_counts_as_the_same(first: str, second: str, places: int) -> None:
    assert len(merge([wanted(first), wanted(second)])) == places


def test_other_digests_or_platforms_are_other_content() -> None:
    with pytest.raises(TargetConflict):
        merge([wanted(f"a.example/x:1@{D1}"), wanted(f"a.example/x:1@{D2}")])
    source = Reference.parse("a.example/x:1")
    platforms = [(Platform.parse(name),) for name in ("amd64", "arm64")]
    with pytest.raises(TargetConflict, match="linux/amd64"):
        merge([Selected(source, "x", "1", platforms=one) for one in platforms])


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_needed_once_is_not_optional(order: int) -> None:
    source = Reference.parse("a.example/x:1")
    both = [Selected(source, "x", "1", optional=True), Selected(source, "x", "1")]
    assert merge(both[::order]) == (both[1],)


def test_an_invalid_target_cannot_exist() -> None:
    source = Reference.parse("a.example/x:1")
    for repository, tag in (("X", "1"), ("", "1"), ("x/../y", "1"), ("x", "a b")):
        with pytest.raises(ReferenceInvalid):
            Selected(source, repository, tag)
    with pytest.raises(ReferenceInvalid, match="neither a tag"):
        Selected(source, "x", None)


def test_a_prefix_goes_before_the_repository() -> None:
    assert wanted("a.example/x:1").under("p/q").place == "p/q/x:1"
    assert wanted("a.example/x:1").under("").place == "x:1"
