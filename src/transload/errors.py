"""Every error that transload raises on purpose: one root, families by kind of fault, an exit code for each family.

An error says what was being done and what was found (the message, lower case, no full stop), on which side, about
which subject, and what to do next (the hint). A bug is not a `TransloadError`: it passes through with a traceback.

A long file of short classes, kept as one so that codes and exit codes can be read, and compared, in one place.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Literal, TypeVar

Side = Literal["source", "target"]
"""Where an error happened: at the store copied from, or at the store copied to."""

Kept = TypeVar("Kept", bound="TransloadError")


class TransloadError(Exception):
    """The root. `code` names the error for programs, `exit_code` is what the command line ends with.

    `retryable` says that the same call may succeed later without anybody changing anything.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        subject: str | None = None,
        hint: str | None = None,
        side: Side | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.subject = subject
        self.hint = hint
        self.side = side
        self.retry_after_s = retry_after_s


@contextmanager
def at_side(side: Side) -> Iterator[None]:
    """Mark errors that pass through with the side they came from, unless a closer caller already did."""
    try:
        yield
    except TransloadError as error:
        if error.side is None:
            error.side = side
        raise


def as_result(error: Kept) -> Kept:
    """The same error, to be kept and told later: without the calls that led to it.

    A traceback holds the frames of those calls, and they hold all that they read: manifests, buffers, connections.
    """
    reason: BaseException | None = error
    while reason is not None and reason.__traceback__ is not None:
        reason.__traceback__ = None
        reason = reason.__cause__ or reason.__context__
    return error


# --- 2: the request itself is wrong -------------------------------------------------------------------------------


class UsageError(TransloadError):
    """What was asked for cannot be understood or contradicts itself."""

    code = "usage"
    exit_code = 2


class ReferenceInvalid(UsageError):
    """A text is not an image reference (grammar of distribution/reference)."""

    code = "reference-invalid"


class DigestInvalid(UsageError):
    """A text is not a digest (OCI image specification, descriptor.md, "Digests")."""

    code = "digest-invalid"


class PlatformInvalid(UsageError):
    """A text is not a platform written os/architecture[/variant]."""

    code = "platform-invalid"


class DocumentInvalid(UsageError):
    """A file given by the user (catalog, image set, plan) does not have the documented shape."""

    code = "document-invalid"


class SettingMissing(UsageError):
    """Something needed was not given, and nobody is there to be asked."""

    code = "setting-missing"


class TargetConflict(UsageError):
    """Two wanted images would be stored under one name with different content."""

    code = "target-conflict"


class KeyInvalid(UsageError):
    """A file is no key that bundles can be signed or verified with, or its passphrase is wrong."""

    code = "key-invalid"


# --- 3: the server knows us and says no ---------------------------------------------------------------------------


class AccessError(TransloadError):
    """A registry refused access."""

    code = "access"
    exit_code = 3


class AccessDenied(AccessError):
    """The credentials (or the lack of them) do not permit this; some registries answer so for what does not exist."""

    code = "access-denied"


class LoginMissing(AccessDenied):
    """The registry asks who we are, and no login for it is known."""

    code = "login-missing"


class CredentialsRejected(AccessError):
    """User name or password are wrong."""

    code = "credentials-rejected"


class CredentialsUnavailable(AccessError):
    """A credential helper or docker's config file could not be used."""

    code = "credentials-unavailable"


# --- 4: it is not there -------------------------------------------------------------------------------------------


class NotFound(TransloadError):
    """Something named does not exist."""

    code = "not-found"
    exit_code = 4


class ManifestUnknown(NotFound):
    """No manifest has this tag or digest."""

    code = "manifest-unknown"


class BlobUnknown(NotFound):
    """The repository does not hold this blob."""

    code = "blob-unknown"


class RepositoryUnknown(NotFound):
    """The store has no such repository."""

    code = "repository-unknown"


class CatalogUnknown(NotFound):
    """No catalog has this name."""

    code = "catalog-unknown"


class ReleaseUnknown(NotFound):
    """The catalog or the source has no such release."""

    code = "release-unknown"


class ImageUnknown(NotFound):
    """The catalog lists no such image."""

    code = "image-unknown"


class SelectionEmpty(NotFound):
    """Nothing is there to be taken, checked or listed: an empty store, prefix, set or release."""

    code = "selection-empty"


class PlatformUnavailable(NotFound):
    """The image exists, but not for the wanted platform."""

    code = "platform-unavailable"


# --- 5: the other end does not answer as it should ------------------------------------------------------------------


class Unreachable(TransloadError):
    """The host could not be reached, or the connection broke."""

    code = "unreachable"
    exit_code = 5
    retryable = True


class HostUnknown(Unreachable):
    """The host name does not resolve."""

    code = "host-unknown"
    retryable = False


class CertificateUntrusted(Unreachable):
    """TLS verification failed."""

    code = "certificate-untrusted"
    retryable = False


class Stalled(Unreachable):
    """Nothing moved for the whole stall period."""

    code = "stalled"


class TooSlow(Stalled):
    """Something moved, but less than the least rate."""

    code = "too-slow"


class HostGivenUp(Unreachable):
    """A host gave no useful answer for so long that nothing more is asked of it."""

    code = "host-given-up"
    retryable = False


class ServerTrouble(Unreachable):
    """The server answered with a failure of its own (5xx)."""

    code = "server-trouble"


class TooManyRequests(Unreachable):
    """The server asks to slow down (429)."""

    code = "too-many-requests"


class ProtocolTrouble(Unreachable):
    """What answered does not speak the distribution protocol."""

    code = "protocol-trouble"
    retryable = False


# --- 6: content is not what it claims to be -------------------------------------------------------------------------


class CorruptError(TransloadError):
    """Content does not match what was promised."""

    code = "corrupt"
    exit_code = 6


class DigestMismatch(CorruptError):
    """The bytes do not have the expected digest."""

    code = "digest-mismatch"


class SizeMismatch(CorruptError):
    """The content is longer or shorter than its descriptor says."""

    code = "size-mismatch"


class Truncated(CorruptError):
    """The body ended before its promised length; the rest can be asked for."""

    code = "truncated"
    retryable = True


class ManifestInvalid(CorruptError):
    """A manifest or index is not valid."""

    code = "manifest-invalid"


class ContentDiffers(CorruptError):
    """Source and target do not hold the same content."""

    code = "content-differs"


class BundleInvalid(CorruptError):
    """A file is not the beginning of a bundle that this version can read."""

    code = "bundle-invalid"


class LedgerTampered(CorruptError):
    """A bundle's ledger is not what was signed, or contradicts itself."""

    code = "ledger-tampered"


class IndexTampered(CorruptError):
    """A bundle's index.json is not the one that its ledger vouches for."""

    code = "index-tampered"


class MemberDamaged(CorruptError):
    """A place in a bundle does not hold what its ledger says is there."""

    code = "member-damaged"


class VolumeMissing(CorruptError):
    """A volume of a bundle is not where it was looked for."""

    code = "volume-missing"


class VolumeTruncated(CorruptError):
    """A volume of a bundle is shorter than its ledger says: copied in part."""

    code = "volume-truncated"


class VolumeForeign(CorruptError):
    """A file has the name of a volume, but belongs to another bundle."""

    code = "volume-foreign"


class VolumeSwapped(CorruptError):
    """A file has the name of one volume and the content of another one."""

    code = "volume-swapped"


# --- 7: refused on principle ----------------------------------------------------------------------------------------


class Refused(TransloadError):
    """The other end, or transload itself, will not do this."""

    code = "refused"
    exit_code = 7


class SchemaUnsupported(Refused):
    """Docker image manifest schema 1: unsafe to copy unchanged, gone from current registries."""

    code = "schema1-unsupported"


class LimitExceeded(Refused):
    """A number from outside is beyond what any honest registry sends."""

    code = "limit-exceeded"


class ReadOnly(Refused):
    """The target does not take writes."""

    code = "read-only"


class StorageFull(ReadOnly):
    """The target has no space left on its own disk."""

    code = "storage-full"


class TooLarge(Refused):
    """The server, or a proxy before it, does not take a body of this size (413)."""

    code = "too-large"


class InsecureRefused(Refused):
    """Plain HTTP, a downgrade, or a token realm elsewhere, that nobody allowed by name."""

    code = "insecure-refused"


class BundleUnsigned(Refused):
    """A signature is demanded, and the bundle has none."""

    code = "bundle-unsigned"


class BundleForeignSignature(Refused):
    """A bundle is signed with another key than the one demanded."""

    code = "bundle-foreign-signature"


class BundleExists(Refused):
    """Writing a bundle would overwrite another one, finished or not."""

    code = "bundle-exists"


class BundleIncomplete(Refused):
    """A bundle would lack images that were asked for; it would be found out where nobody can fetch them."""

    code = "bundle-incomplete"


class MemberUnsafe(Refused):
    """A bundle holds something that no bundle of ours does: a link, a device, a path that leads out."""

    code = "member-unsafe"


class FolderUnsafe(Refused):
    """A folder holds a link, or a second name of a file, through which something outside would be read or written."""

    code = "folder-unsafe"


class FileExists(Refused):
    """A file that would be written is there already, and nobody allowed overwriting it."""

    code = "file-exists"


# --- 8: this machine ------------------------------------------------------------------------------------------------


class LocalError(TransloadError):
    """The local disk or process environment stands in the way."""

    code = "local"
    exit_code = 8


class DiskFull(LocalError):
    """No space left."""

    code = "disk-full"


class PermissionRefused(LocalError):
    """The operating system does not permit reading or writing a path."""

    code = "permission"


class Busy(LocalError):
    """Another process is at work on the same thing."""

    code = "busy"


class PartMissing(LocalError):
    """An optional part of transload is not installed."""

    code = "part-missing"


# --- 9, 130 -----------------------------------------------------------------------------------------------------------


class PrerequisiteMissing(TransloadError):
    """The target lacks content that the work assumes to be there."""

    code = "prerequisite-missing"
    exit_code = 9


class ImagesFailed(TransloadError):
    """Some images of a run failed, others may be done; raised by the library's verbs, not by the command line.

    `result` (a `transload.Result`) tells of each image, `errors` are those of the failed ones, in the plan's order.
    """

    code = "images-failed"
    exit_code = 1
    result: Any = None
    errors: tuple[TransloadError, ...] = ()


class Interrupted(TransloadError):
    """The user, or a signal, ended the work."""

    code = "interrupted"
    exit_code = 130
