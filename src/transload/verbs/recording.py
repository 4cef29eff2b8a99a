"""What the verbs take for a transfer record: a file, a key, and who answers for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from transload.app.outcome import StartTime
from transload.app.recording import Recording
from transload.app.settings import Environment, read_environment
from transload.bundle.format.signing import Signer
from transload.errors import UsageError
from transload.verbs import arguments

if TYPE_CHECKING:
    from transload.app.bundlerecord import InBundle


def signer_of(
    path: Path | None,
    passphrase: Callable[[], str] | None,
    command: str | None = None,
    public_key: Path | None = None,
    environment: Environment | None = None,
) -> Signer | None:
    """The private key at `path`, or the program `command`, whose signatures `public_key` checks; None for nobody.

    Raises `KeyInvalid`, `PartMissing`, `LocalError`, `TypeError`, `UsageError`.
    """
    if (command is None) != (public_key is None):
        raise UsageError("sign_command and public_key belong together", hint="give both, or neither")
    if command is not None and public_key is not None:
        if path is not None:
            raise UsageError("sign_key and sign_command are two ways to sign", hint="give one of them")
        from transload.app.signing import command_signer

        return command_signer(command, public_key, environment or read_environment())
    if path is None:
        return None
    if passphrase is not None and not callable(passphrase):
        raise TypeError(f"passphrase must be a function that returns it, not {type(passphrase).__name__}")
    from transload.bundle.format.signing import load_private_key

    return load_private_key(path, passphrase)


def recording_of(
    record: str | Path | None,
    recorded_by: str | None,
    signer: Signer | None,
    *,
    at_target: bool = False,
    receipt: str | Path | None = None,
    in_bundle: bool = False,
) -> Recording | None:
    """What writes the record of a run; None if none is wanted. Raises `UsageError`, `LocalError`, `TypeError`.

    With `in_bundle`, the bundle carries one, which `recorded_by` answers for too.
    """
    path, slip = arguments.path_if_any("record", record), arguments.path_if_any("receipt", receipt)
    by = arguments.text_if_any("recorded_by", recorded_by)
    if path is None and slip is None and not at_target:
        if by is not None and not in_bundle:
            raise UsageError("recorded_by without record has no effect")
        return None
    return Recording(path=path, receipt=slip, at_target=at_target, signer=signer, recorded_by=by)


def in_bundle_of(wanted: bool, recorded_by: str | None, began: StartTime) -> InBundle | None:
    """The record that a bundle carries, if it is wanted. Raises `UsageError`, `TypeError`."""
    if not arguments.of_kind("record_in_bundle", wanted, bool):
        return None
    from transload.app.bundlerecord import InBundle  # few bundles carry one

    by = arguments.text_if_any("recorded_by", recorded_by)
    return InBundle(run_id=began.run_id, began_wall_s=began.wall_s, recorded_by=by)


def signer_if_wanted(
    wanted: bool,
    sign_key: str | Path | None,
    passphrase: Callable[[], str] | None,
    sign_command: str | None,
    public_key: str | Path | None,
) -> Signer | None:
    """The same for a verb that signs only its record and what gates say; without both, a signer is refused."""
    if not wanted:
        for name, value in (("sign_key", sign_key), ("sign_command", sign_command), ("public_key", public_key)):
            if value is not None:
                raise UsageError(f"{name} without record or gates has no effect")
    return signer_of(
        arguments.path_if_any("sign_key", sign_key),
        passphrase,
        arguments.text_if_any("sign_command", sign_command),
        arguments.path_if_any("public_key", public_key),
    )
