"""cosign's tags: it makes them from the digest of the image that a signature, attestation or SBOM belongs to.

The rule: https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md. Content with a sha512 digest has no such
tags: they would be longer than the 128 characters that a tag may have.
"""

from __future__ import annotations

from transload.expressions import late
from transload.oci.digest import Digest

_SUFFIXES = ("sig", "att", "sbom")
_TAG = late(rf"sha256-([0-9a-f]{{64}})\.(?:{'|'.join(_SUFFIXES)})")


def companion_tags(digest: Digest) -> frozenset[str]:
    """Every tag under which cosign may have stored a signature, attestations or an SBOM of `digest`."""
    if digest.algorithm != "sha256":
        return frozenset()
    return frozenset(f"sha256-{digest.encoded}.{suffix}" for suffix in _SUFFIXES)


def signing_tags(digest: Digest, *, attestations: bool = True) -> tuple[str, ...]:
    """The tags of signatures of `digest`, and of attestations about it; none for other digests than sha256."""
    suffixes = ("sig", "att") if attestations else ("sig",)
    return tuple(f"sha256-{digest.encoded}.{suffix}" for suffix in suffixes) if digest.algorithm == "sha256" else ()


def subject_of(tag: str | None) -> Digest | None:
    """The digest that one of cosign's tags belongs to; None for any other tag.

    >>> subject_of("v1"), subject_of(f"sha256-{'0' * 64}.sig") == "sha256:" + "0" * 64
    (None, True)
    """
    form = _TAG.fullmatch(tag) if tag else None
    return Digest(f"sha256:{form[1]}") if form else None
