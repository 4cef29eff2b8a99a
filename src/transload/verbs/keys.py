"""Keys that sign bundles, for programs: made, and given another passphrase."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from transload.app import keyfiles
from transload.app.keyfiles import KeyFile, KeyPair
from transload.bundle.format.keys import Algorithm, PublicKey
from transload.errors import UsageError
from transload.verbs import arguments

_ALGORITHMS = ("ed25519", "ecdsa-p256")


def make_key(name: str | Path, *, passphrase: Callable[[], str] | None, algorithm: Algorithm = "ed25519") -> KeyPair:
    """Make a pair of keys: the files NAME.key (for its owner only) and NAME.pub. Both are there in the end, or neither.

    `passphrase` gives the one that protects the private key, and is called when everything else is checked; None
    leaves the key unprotected. Returns the paths and the public key. Raises `FileExists` (a key is never overwritten),
    `LocalError`, `PartMissing` without `cryptography`, `UsageError`.
    """
    path = arguments.path("name", name)
    _check_function("passphrase", passphrase)
    if algorithm not in _ALGORITHMS:
        raise UsageError(f"algorithm is neither {' nor '.join(_ALGORITHMS)}", hint="leave it out for ed25519")
    keyfiles.check_new_pair(path)
    return keyfiles.make_pair(path, algorithm, None if passphrase is None else passphrase())


def read_key(path: str | Path, *, passphrase: Callable[[], str] | None = None) -> KeyFile:
    """What a public or private key's file holds: its kind, and the public key with its fingerprint (`key.key_id`).

    `passphrase` is called for a private key that has one. Raises `KeyInvalid`, `LocalError`, `PartMissing`.
    """
    _check_function("passphrase", passphrase)
    return keyfiles.read_key(arguments.path("path", path), passphrase)


def change_passphrase(
    path: str | Path, *, passphrase: Callable[[], str] | None = None, new: Callable[[], str] | None
) -> PublicKey:
    """Give a private key (PEM) another passphrase, or none if `new` is None, in one step that no crash can halve.

    `passphrase` gives the one that it has; `new` is called after it was right. Returns the public key. Raises
    `KeyInvalid` also for a wrong passphrase and for the OpenSSH format, `LocalError`, `PartMissing`, `UsageError`.
    """
    _check_function("passphrase", passphrase)
    _check_function("new", new)
    return keyfiles.change_passphrase(arguments.path("path", path), passphrase, new)


def _check_function(name: str, function: Callable[[], str] | None) -> None:
    if function is not None and not callable(function):
        raise TypeError(f"{name} must be a function that returns it, not {type(function).__name__}")
