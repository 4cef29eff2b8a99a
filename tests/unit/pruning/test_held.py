"""Tags that only accompany a manifest."""

from __future__ import annotations

from transload.oci import Digest
from transload.pruning.held import by_beginning, companion_of, is_companion

SHORT, LONG, OTHER = Digest(f"sha256:{'a' * 64}"), Digest(f"sha512:{'b' * 128}"), Digest(f"sha512:{'c' * 128}")


def test_a_tag_of_a_longer_digest_is_found_by_its_beginning() -> None:
    longer = by_beginning([SHORT, LONG, OTHER])
    assert companion_of(f"sha512-{'b' * 64}", longer) == LONG
    assert companion_of(f"sha512-{'d' * 64}", longer) is None
    assert companion_of(f"sha256-{'a' * 64}", longer) == SHORT
    assert companion_of(f"sha256-{'a' * 64}.sig", {}) == SHORT
    assert companion_of("v1", longer) is None


def test_what_accompanies_is_known_by_its_look() -> None:
    assert is_companion(f"sha512-{'d' * 64}")
    assert not is_companion(f"sha512-{'d' * 63}")
    assert not is_companion(None)
