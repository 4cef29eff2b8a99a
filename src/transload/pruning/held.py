"""What a target holds, as pruning sees it: names, manifests, and what each manifest needs. Values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from transload.errors import TransloadError
from transload.oci import Digest, Manifest, Name
from transload.oci.cosign import subject_of
from transload.oci.referrers import FALLBACK, is_fallback
from transload.values import evolve, field, frozen


def by_beginning(manifests: Iterable[Digest]) -> dict[str, Digest]:
    """The longer digests by as much of them as a tag can have; see `companion_of`."""
    return {digest[: len("sha512:") + 64]: digest for digest in manifests if digest.startswith("sha512:")}


def companion_of(tag: str | None, longer: Mapping[str, Digest]) -> Digest | None:
    """The manifest that a tag only accompanies; None for any other tag.

    Such tags are those of cosign, and the tag with the list of referrers (distribution specification, "Referrers Tag
    Schema"). The latter has only the first 64 letters of a longer digest, which is one of `longer`.
    """
    subject = subject_of(tag)
    if subject is not None:
        return subject
    form = FALLBACK.fullmatch(tag) if tag else None
    if form is None:
        return None
    if form[1]:
        return Digest(f"sha256:{form[1]}")
    return longer.get(f"sha512:{form[2]}")


def is_companion(tag: str | None) -> bool:
    """Whether a tag accompanies a manifest, by its look: it goes and stays with that one."""
    return subject_of(tag) is not None or is_fallback(tag)


@frozen(kw_only=True)
class HeldManifest:
    """One manifest. `children` are those of an index, `subject` is what it refers to, `blobs` has sizes in bytes."""

    digest: Digest
    size: int
    children: tuple[Digest, ...] = ()
    subject: Digest | None = None
    blobs: Mapping[Digest, int] = field(factory=dict, repr=False)

    @classmethod
    def of(cls, manifest: Manifest) -> HeldManifest:
        """What pruning has to know of a manifest."""
        return cls(
            digest=manifest.digest,
            size=manifest.descriptor.size,
            children=tuple(dict.fromkeys(child.digest for child in manifest.manifests)),
            subject=manifest.subject.digest if manifest.subject else None,
            blobs={blob.digest: blob.size for blob in manifest.blobs if not blob.is_foreign},
        )

    @property
    def weight(self) -> int:
        """About how many bytes of memory this takes."""
        return 600 + 160 * len(self.children) + 300 * len(self.blobs)


@frozen(kw_only=True)
class Pool:
    """Manifests that can need each other: those of one repository of a registry, or of a whole folder.

    `names` maps every tag, and every image that the store lists without a tag, to its digest. With a `trouble`, some
    of it could not be read. Then nobody knows what it needs, and nothing of the pool is deleted.
    """

    repository: str | None
    names: Mapping[Name, Digest]
    manifests: Mapping[Digest, HeldManifest]
    trouble: TransloadError | None = field(default=None, eq=False)

    def with_manifests(self, more: Iterable[HeldManifest]) -> Pool:
        """The same pool, with more manifests that were found in it."""
        return evolve(self, manifests={**self.manifests, **{manifest.digest: manifest for manifest in more}})


@frozen(kw_only=True)
class Held:
    """What `target` (a locator) holds at and under `prefix`.

    `unused` is content of a folder, with its sizes in bytes, that no image needs and that goes too: what an earlier
    prune began to delete and did not, and what nobody has written to for long, where that was asked for.
    """

    target: str
    prefix: str
    pools: tuple[Pool, ...]
    unused: Mapping[Digest, int] = field(factory=dict)

    @property
    def names(self) -> dict[Name, Digest]:
        """Every name, in all pools."""
        return {name: digest for pool in self.pools for name, digest in pool.names.items()}
