"""cosign's tags."""

import pytest

from transload.errors import ReferenceInvalid
from transload.oci import Digest
from transload.oci.cosign import companion_tags, subject_of
from transload.oci.reference import check_tag

DIGEST = Digest.of(b"an image")


def test_every_companion_tag_leads_back_to_its_subject() -> None:
    tags = companion_tags(DIGEST)
    assert sorted(tag.rpartition(".")[2] for tag in tags) == ["att", "sbom", "sig"]
    assert {subject_of(tag) for tag in tags} == {DIGEST}


@pytest.mark.parametrize("tag", [None, "", "v1", "{}", "{}.txt", "x{}.sig", "{}.sig.sig", "{}.SIG", "sha256-0.sig"])
def test_any_other_tag_has_no_subject(tag: str | None) -> None:
    assert subject_of(tag.format(f"sha256-{DIGEST.encoded}") if tag else tag) is None


def test_a_digest_of_sha512_makes_no_tag_that_a_registry_could_take() -> None:
    long = Digest.of(b"an image", "sha512")
    tag = f"sha512-{long.encoded}.sig"
    with pytest.raises(ReferenceInvalid):
        check_tag(tag)
    assert subject_of(tag) is None
    assert companion_tags(long) == frozenset()
