"""Finds the signatures of an image: manifests that refer to it, and those under cosign's tags. Believes none of them.

An error of the store is raised: then nobody knows whether there is a signature. What is wrong with a signature itself
(too large, damaged, of another image) makes evidence with a `problem`, so that another one can still hold.

cosign's tags are asked for by their names, one request for each, and not looked up in the list of tags: that may have
thousands of pages, and a registry that stands before another one lists only what it has fetched already.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from transload.errors import (
    DigestMismatch,
    LimitExceeded,
    ManifestInvalid,
    NotFound,
    SchemaUnsupported,
    SizeMismatch,
    at_side,
)
from transload.limits import ENVELOPE_BYTES, NOTATION_BYTES, SIGNATURES, SIGNATURES_BYTES
from transload.oci import Descriptor, Digest, Manifest, Name, verified
from transload.oci.cosign import signing_tags
from transload.oci.mediatype import OCI_MANIFEST, is_sigstore_bundle
from transload.ports import Source
from transload.trust.evidence import Evidence, Form
from transload.values import define, field, frozen
from transload.wording import in_words

NOTATION = "application/vnd.cncf.notary.signature"
_ITS_OWN = (ManifestInvalid, DigestMismatch, SizeMismatch, NotFound, LimitExceeded, SchemaUnsupported)
_UNKNOWN = Descriptor(OCI_MANIFEST, Digest.of(b""), 0)


def evidence_for(
    source: Source, name: Name, forms: frozenset[Form], *, attestations: bool = True
) -> tuple[Evidence, ...]:
    """The signatures of one image in `forms`, those that could be read first; `name` has its repository and digest.

    After them come others that were listed with them, in forms that nobody asked for: these are not fetched. Without
    `attestations` cosign's tag for them is not asked for. Raises what reading from `source` raises, such as
    `AccessError` and `Unreachable`, but nothing for what is wrong with a signature.
    """
    assert name.digest is not None  # noqa: S101 - a signature is of a digest
    search = _Search(source=source, image=name, digest=name.digest, forms=forms)
    with at_side("source"):
        found = list(islice(search.pieces(attestations=attestations), SIGNATURES + 1))
    if len(found) > SIGNATURES:
        found[-1] = _unread(found[-1].form, f"there are more than {SIGNATURES}, so the others were not looked at")
    return (*sorted(found, key=lambda piece: piece.problem is not None), *search.others)


@frozen
class _Artifact:
    """Where a signature may be: a referrer, or a tag that may not exist. `form` is None if its type is not stated."""

    name: Name
    form: Form | None
    listed: Descriptor | None = None


@define(kw_only=True)
class _Search:
    """The search for the signatures of one image, and how many bytes it may still take."""

    source: Source
    image: Name
    digest: Digest
    forms: frozenset[Form]
    others: list[Evidence] = field(factory=list, init=False)
    _bytes_left: int = field(default=SIGNATURES_BYTES, init=False)

    def pieces(self, *, attestations: bool) -> Iterator[Evidence]:
        """One for each signature. Of referrers that state no type only a few are opened to see it."""
        unstated = 0
        for artifact in self._artifacts(attestations=attestations):
            unstated += artifact.form is None
            if artifact.form is not None or unstated <= SIGNATURES:
                yield from self._read(artifact)

    def _artifacts(self, *, attestations: bool) -> Iterator[_Artifact]:
        """cosign's tags, since nothing can be put before them; then referrers of the wanted types."""
        if Form.COSIGN_TAG in self.forms:
            for tag in signing_tags(self.digest, attestations=attestations):
                yield _Artifact(Name(self.image.repository, tag), Form.COSIGN_TAG)
        if self.source.refers is not None and self.forms - {Form.COSIGN_TAG}:
            for referrer in self.source.refers.referrers(self.image.repository, self.digest):
                form = _form(referrer.artifact_type)
                if form in self.forms or not referrer.artifact_type:
                    yield _Artifact(self.image.at(referrer.digest), form, referrer)
                elif form is not None:
                    self.others.append(_unread(form, "nobody asked for it", referrer))

    def _read(self, artifact: _Artifact) -> Iterator[Evidence]:
        listed = artifact.listed or _UNKNOWN
        try:
            self._take(listed.size)
            manifest = self.source.fetch(artifact.name)
            self._take(manifest.weight)
            _check_subject(manifest, self.digest, must_have=artifact.listed is not None)
        except _ITS_OWN as error:
            absent = isinstance(error, NotFound) and artifact.listed is None
            if artifact.form is not None and not absent:
                yield _unread(artifact.form, error.message, listed)
            return
        form = artifact.form or _form(manifest.artifact_type)
        if form is not None and form in self.forms:
            yield from (self._layer(form, manifest, layer) for layer in manifest.layers)
            if not manifest.layers:
                yield _unread(form, "its manifest has no layer", manifest.descriptor)

    def _layer(self, form: Form, manifest: Manifest, layer: Descriptor) -> Evidence:
        content, problem = b"", None
        try:
            _check_size(layer, NOTATION_BYTES if form is Form.NOTATION else ENVELOPE_BYTES)
            self._take(layer.size)
            with self.source.open(self.image.repository, layer) as chunks:
                content = verified(chunks, layer.digest, layer.size)
        except _ITS_OWN as error:
            problem = error.message
        return Evidence(form=form, manifest=manifest, layer=layer, content=content, problem=problem)

    def _take(self, size: int) -> None:
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise LimitExceeded(f"all signatures of the image have more than {in_words(SIGNATURES_BYTES)}")


def _form(artifact_type: str) -> Form | None:
    if artifact_type == NOTATION:
        return Form.NOTATION
    return Form.SIGSTORE_BUNDLE if is_sigstore_bundle(artifact_type) else None


def _check_subject(manifest: Manifest, image: Digest, *, must_have: bool) -> None:
    """A tag of cosign need not have a subject: its name says whose it is."""
    if manifest.subject is None and must_have:
        raise ManifestInvalid("its manifest refers to no image")
    if manifest.subject is not None and manifest.subject.digest != image:
        raise ManifestInvalid(f"its manifest refers to another image: {manifest.subject.digest}")


def _check_size(layer: Descriptor, limit: int) -> None:
    if layer.size > limit:
        raise LimitExceeded(f"it has {in_words(layer.size)}, the limit is {in_words(limit)}")


def _unread(form: Form, problem: str, layer: Descriptor = _UNKNOWN) -> Evidence:
    return Evidence(form=form, manifest=None, layer=layer, content=b"", problem=problem)
