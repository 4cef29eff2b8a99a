"""Every error that transload raises on purpose: one root, families by kind of fault, an exit code for each family.

An error says what was being done and what went wrong (the message, lower case, no full stop), on which side, about
which subject, and what to do next (the hint). A bug is not a `TransloadError`: it passes through with a traceback.

The short classes are all in this one long file, so that codes and exit codes can be compared in one place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypeVar

Side = Literal["source", "target"]
"""Where an error happened: at the store copied from, or at the store copied to."""

Kept = TypeVar("Kept", bound="TransloadError")


class TransloadError(Exception):
    """The root of all errors. `code` names the error for programs; the command line ends with `exit_code`.

    `retryable`: the same call may succeed later, although nothing is changed.
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

    def __str__(self) -> str:
        """The message as it is now: what is learnt later is added to it."""
        return self.message


@contextmanager
def at_side(side: Side) -> Iterator[None]:
    """Mark errors that pass through with their side, unless an inner block has done so."""
    try:
        yield
    except TransloadError as error:
        if error.side is None:
            error.side = side
        raise


def as_result(error: Kept) -> Kept:
    """The same error without its traceback, to be kept and reported later.

    A traceback keeps the frames of all calls alive, with all that they read: manifests, buffers, connections.
    """
    reason: BaseException | None = error
    while reason is not None and reason.__traceback__ is not None:
        reason.__traceback__ = None
        reason = reason.__cause__ or reason.__context__
    return error


# --- 2: the request itself is wrong -------------------------------------------------------------------------------


class UsageError(TransloadError):
    """The request cannot be understood, or it contradicts itself."""

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
    """A needed setting is missing, and there is no terminal to ask for it."""

    code = "setting-missing"


class TargetConflict(UsageError):
    """Two images with different content would be stored under one name."""

    code = "target-conflict"


class KeyInvalid(UsageError):
    """A file is not a key that can sign or verify bundles, or its passphrase is wrong."""

    code = "key-invalid"


# --- 3: the server does not give access ---------------------------------------------------------------------------


class AccessError(TransloadError):
    """A registry refused access."""

    code = "access"
    exit_code = 3


class AccessDenied(AccessError):
    """The login, or the lack of one, does not permit this. Some registries also say so if something does not exist."""

    code = "access-denied"


class LoginMissing(AccessDenied):
    """The registry asks for a login, and none is known for it."""

    code = "login-missing"


class CredentialsRejected(AccessError):
    """The user name or the password is wrong."""

    code = "credentials-rejected"


class CredentialsUnavailable(AccessError):
    """A credential helper or docker's config file could not be used."""

    code = "credentials-unavailable"


# --- 4: it is not there -------------------------------------------------------------------------------------------


class NotFound(TransloadError):
    """Something with this name does not exist."""

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
    """There is nothing to copy, check or list: the store, prefix, set or release is empty."""

    code = "selection-empty"


class PlatformUnavailable(NotFound):
    """The image exists, but not for the requested platform."""

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
    """No byte moved for the whole stall period."""

    code = "stalled"


class TooSlow(Stalled):
    """Bytes moved, but more slowly than the least rate."""

    code = "too-slow"


class HostGivenUp(Unreachable):
    """A host gave no useful answer for so long that it gets no more requests."""

    code = "host-given-up"
    retryable = False


class ServerTrouble(Unreachable):
    """The server answered with a failure of its own (5xx)."""

    code = "server-trouble"


class TooManyRequests(Unreachable):
    """The server asks for fewer requests (429)."""

    code = "too-many-requests"


class ProtocolTrouble(Unreachable):
    """The server does not speak the distribution protocol."""

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
    """The body ended before its promised length. The rest can be requested."""

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


class BundleUnfinished(CorruptError):
    """A bundle is not finished yet: its volumes have no final names, and not all of their content."""

    code = "bundle-unfinished"


class MediumDamaged(CorruptError):
    """What a medium gives back is not what was written to it."""

    code = "medium-damaged"


class LedgerTampered(CorruptError):
    """A bundle's ledger is not the one that was signed, or it contradicts itself."""

    code = "ledger-tampered"


class IndexTampered(CorruptError):
    """A bundle's index.json is not the one in its ledger."""

    code = "index-tampered"


class MemberDamaged(CorruptError):
    """A part of a bundle does not have the content that its ledger states."""

    code = "member-damaged"


class VolumeMissing(CorruptError):
    """A volume of a bundle was not found."""

    code = "volume-missing"


class VolumeTruncated(CorruptError):
    """A volume of a bundle is shorter than its ledger says: it was copied in part."""

    code = "volume-truncated"


class VolumeDamaged(CorruptError):
    """A part of a volume is wrong, and there are recovery volumes that say so."""

    code = "volume-damaged"


class BeyondRepair(CorruptError):
    """A bundle has lost more than its recovery volumes can replace."""

    code = "beyond-repair"


class VolumeForeign(CorruptError):
    """A file has the name of a volume, but belongs to another bundle."""

    code = "volume-foreign"


class VolumeSwapped(CorruptError):
    """A file has the name of one volume and the content of another one."""

    code = "volume-swapped"


# --- 7: refused on principle ----------------------------------------------------------------------------------------


class Refused(TransloadError):
    """The other side, or transload itself, refuses to do this."""

    code = "refused"
    exit_code = 7


class RefusedByRule(Refused):
    """A rule that the user gave, or left in force, keeps this image out. The other images go on."""

    code = "refused-by-rule"


class AgeRefused(RefusedByRule):
    """An image is younger or older than is wanted, or does not say when it was made."""

    code = "age-refused"


class WouldGoBack(RefusedByRule):
    """A push would move a tag back to content that is older than what it stands for, which nobody allowed."""

    code = "would-go-back"


class PolicyRefused(RefusedByRule):
    """An image has not the signatures or attestations that the policy wants."""

    code = "policy-refused"


class GateRefused(RefusedByRule):
    """A program of the site (`--gate`) did not let an image pass, or could not look at it."""

    code = "gate-refused"


class SchemaUnsupported(Refused):
    """Docker image manifest schema 1. It cannot be copied unchanged, and current registries do not take it."""

    code = "schema1-unsupported"


class LimitExceeded(Refused):
    """Something from outside is larger than any honest registry, file or bundle needs."""

    code = "limit-exceeded"


class ReadOnly(Refused):
    """The target cannot be written to."""

    code = "read-only"


class StorageFull(ReadOnly):
    """The target has no space left on its own disk."""

    code = "storage-full"


class TooLarge(Refused):
    """The server, or a proxy before it, does not accept a body of this size (413)."""

    code = "too-large"


class InsecureRefused(Refused):
    """Plain HTTP, a downgrade to it, or a token server at another host, which no setting allows."""

    code = "insecure-refused"


class BundleUnsigned(Refused):
    """A signature is required, and the bundle has none."""

    code = "bundle-unsigned"


class BundleForeignSignature(Refused):
    """A bundle is signed with another key than the required one."""

    code = "bundle-foreign-signature"


class BundleExists(Refused):
    """Writing a bundle would overwrite another one, finished or not."""

    code = "bundle-exists"


class BundleIncomplete(Refused):
    """A bundle would lack images that were requested. They cannot be fetched later, where the bundle is used."""

    code = "bundle-incomplete"


class MemberUnsafe(Refused):
    """A bundle or artifact holds something that is not a plain file: a link, a device, a path that leads out."""

    code = "member-unsafe"


class FolderUnsafe(Refused):
    """A folder holds a link, or a file with a second name, so that something outside would be read or written."""

    code = "folder-unsafe"


class FileExists(Refused):
    """A file that would be written exists already, and overwriting it was not allowed."""

    code = "file-exists"


# --- 8: this machine ------------------------------------------------------------------------------------------------


class LocalError(TransloadError):
    """The local disk, or the environment of the process, is the cause."""

    code = "local"
    exit_code = 8


class DiskFull(LocalError):
    """No space left."""

    code = "disk-full"


class MediumLost(LocalError):
    """A disk, stick or mount was removed while it was used, or it has failed."""

    code = "medium-lost"


class MediumWanted(LocalError):
    """The next medium is needed, and nobody can be asked to put it in."""

    code = "medium-wanted"


class PermissionRefused(LocalError):
    """The operating system does not permit reading or writing a path."""

    code = "permission"


class Busy(LocalError):
    """Another process is using the same thing."""

    code = "busy"


class AlreadyRunning(Busy):
    """The same command runs already, and only one of it runs at a time."""

    code = "already-running"


class LocksMissing(LocalError):
    """The file system has no locks, so nothing keeps another process out."""

    code = "locks-missing"


class PartMissing(LocalError):
    """An optional part of transload is not installed."""

    code = "part-missing"


# --- 9, 10, 130 -------------------------------------------------------------------------------------------------------


class PrerequisiteMissing(TransloadError):
    """The target lacks content that the work needs."""

    code = "prerequisite-missing"
    exit_code = 9


class SharesMissing(PrerequisiteMissing):
    """Some shares of a plan are not done (`apply --finish`), so that blobs are missing and no tag was pointed."""

    code = "shares-missing"
    retryable = True


class SiteLacks(PrerequisiteMissing):
    """A target is fed by another one (`--via`), which lacks the image because its own copy failed."""

    code = "site-lacks"


class OutOfBytes(TransloadError):
    """A run has moved as many bytes as it may (`Limits.max_bytes`), and something is left for the next one.

    The library's verbs raise it, with the `result` (a `transload.Result`); the command line ends with its exit code.
    """

    code = "out-of-bytes"
    exit_code = 10
    result: Any = None


class ImagesFailed(TransloadError):
    """Some images of a run failed, others may be done. The library's verbs raise this; the command line does not.

    `result` (a `transload.Result`) has each image; `errors` are the errors of the failed ones, in the plan's order.
    """

    code = "images-failed"
    exit_code = 1
    result: Any = None
    errors: tuple[TransloadError, ...] = ()


class TargetsFailed(ImagesFailed):
    """Some of several targets of a run are not complete, others may be. The library's verbs raise this.

    `result` (a `transload.Results`) has each target; `by_target` has the errors of those that failed, by their names.
    """

    code = "targets-failed"
    by_target: Mapping[str, TransloadError] = MappingProxyType({})


class Interrupted(TransloadError):
    """The user, or a signal, ended the work."""

    code = "interrupted"
    exit_code = 130
