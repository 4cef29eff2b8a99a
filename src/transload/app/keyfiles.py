"""Pairs of key files: made, shown, and given another passphrase."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from transload.bundle.format.keys import Algorithm, PublicKey, parse_public_key
from transload.bundle.format.newkeys import check_passphrase, new_private_key, private_pem
from transload.bundle.format.signing import (
    KEY_FILE_BYTES,
    OPENSSH,
    Passphrase,
    check_library,
    parse_private_key,
    signer_of,
)
from transload.errors import FileExists, KeyInvalid, PermissionRefused, TransloadError, UsageError
from transload.files import check_replaceable, create_file, expanded, local_errors, read_file, replace_file
from transload.values import frozen

_OWNER_ONLY = 0o600
_PRIVATE = b"PRIVATE KEY-----"


@frozen
class KeyPair:
    """The files of a new pair, and its public key."""

    private: Path
    public: Path
    key: PublicKey


@frozen
class KeyFile:
    """What a file holds: the public or the private key of a pair. `key` is the public key of both."""

    path: Path
    kind: Literal["public", "private"]
    key: PublicKey


def pair_paths(name: Path) -> tuple[Path, Path]:
    """The two files of the pair called `name`, with or without their suffix. Raises `UsageError`."""
    path = expanded(name)
    stem = path.name.removesuffix(".key").removesuffix(".pub")
    if not stem:
        raise UsageError(f"{name} is no name for a pair of keys", hint="write a name or a path, such as keys/site")
    return path.with_name(f"{stem}.key"), path.with_name(f"{stem}.pub")


def check_new_pair(name: Path) -> None:
    """Check, before anybody is asked for a passphrase, that `make_pair` will work.

    Raises `FileExists`, `LocalError`, `PartMissing`, `UsageError`.
    """
    check_library()
    for path in pair_paths(name):
        if path.is_symlink() or path.exists():
            raise _exists(path)
        check_replaceable(path)


def make_pair(name: Path, algorithm: Algorithm, passphrase: str | None) -> KeyPair:
    """Make the files NAME.key, which its owner alone may read, and NAME.pub. Both are there in the end, or neither.

    Raises `FileExists`, `LocalError`, `PartMissing`, `UsageError`.
    """
    private, public = pair_paths(name)
    key = new_private_key(algorithm)
    pair = KeyPair(private, public, signer_of(key).public)
    check_new_pair(name)
    _create(private, private_pem(key, passphrase), _OWNER_ONLY)
    try:
        _create(public, pair.key.pem, None)
    except BaseException:
        private.unlink(missing_ok=True)
        raise
    return pair


def read_key(path: Path, passphrase: Passphrase | None = None) -> KeyFile:
    """What kind of key a file holds. `passphrase` is asked only for a private key that has one.

    Raises `KeyInvalid`, `LocalError`, `PartMissing`.
    """
    path = expanded(path)
    with local_errors("reading", path):
        content = read_file(path, KEY_FILE_BYTES)
    if _PRIVATE in content:
        return KeyFile(path, "private", signer_of(parse_private_key(content, path, passphrase)).public)
    try:
        return KeyFile(path, "public", parse_public_key(content))
    except KeyInvalid as error:
        raise KeyInvalid(f"{path}: {error}", subject=str(path), hint=error.hint) from error


def change_passphrase(path: Path, old: Passphrase | None, new: Callable[[], str] | None) -> PublicKey:
    """Write a private key anew with another passphrase (None: without one), in one step that a crash cannot halve.

    `old` and `new` are asked for in this order, and `old` only if the key has a passphrase. A link is followed; the
    file keeps its permissions. Raises `KeyInvalid`, `LocalError`, `PartMissing`, `UsageError`.
    """
    with local_errors("reading", path):
        content = read_file(expanded(path), KEY_FILE_BYTES)
        real = expanded(path).resolve()
        status = real.stat()
    if OPENSSH in content:
        raise KeyInvalid(
            f"{path} is in the OpenSSH format, which transload reads and does not write",
            subject=str(path),
            hint=f"ssh-keygen -p -f {path}",
        )
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise PermissionRefused(
            f"{path} belongs to another user, who could not read it any more", subject=str(path), hint="run it as them"
        )
    check_replaceable(real)
    key = parse_private_key(content, path, old)
    passphrase = None if new is None else new()
    if passphrase is not None:
        check_passphrase(passphrase)
    with local_errors("writing", path):
        replace_file(real, private_pem(key, passphrase), permissions=stat.S_IMODE(status.st_mode))
    return signer_of(key).public


def _create(path: Path, content: bytes, permissions: int | None) -> None:
    try:
        with local_errors("writing", path):
            create_file(path, content, permissions=permissions)
    except TransloadError as error:
        if isinstance(error.__cause__, FileExistsError):
            raise _exists(path) from error
        raise


def _exists(path: Path) -> FileExists:
    return FileExists(
        f"{path} exists already, and a key is never overwritten",
        subject=str(path),
        hint="choose another name; to renew a key, make a new pair and carry its public key to those who verify",
    )
