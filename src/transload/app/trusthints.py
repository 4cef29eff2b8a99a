"""Trust material in bundles: the policy of the side that packs, and the files that it names, as hints for the far side.

They are extra files whose names begin with `PREFIX`; `INDEX` among them says what each is. Nothing of it is believed:
whoever could forge a bundle could forge them too. The far side compares the fingerprints and puts them into a policy of
its own (docs/formats/bundle.md).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from transload.bundle.format.contents import ExtraFile
from transload.documents.value import Value
from transload.errors import LimitExceeded, TransloadError, UsageError
from transload.files import is_plain_name
from transload.limits import SMALL_JSON_BYTES, SMALL_JSON_VALUES, TRUST_HINTS, TRUST_HINTS_BYTES
from transload.linedjson import lined
from transload.oci import Digest
from transload.oci.digest import verified
from transload.trust.doubt import plain
from transload.values import evolve, frozen
from transload.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from transload.bundle.format.entries import StoredExtra
    from transload.bundle.format.ledger import Ledger
    from transload.bundle.reading.reader import BundleStore
    from transload.trust.policy import Policy
    from transload.trust.policyfolder import Material

PREFIX = "transload-trust."
INDEX = f"{PREFIX}json"
KIND = "transload-trust-material"

_NAME_LENGTH = 80
_KEY_BYTES = 64 << 10
_UNSAFE = re.compile(r"[^A-Za-z0-9._+@=-]+")
_PRIVATE = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_PUBLIC = re.compile(rb"\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]{1,20000})-----END PUBLIC KEY-----\s*")


@frozen(kw_only=True)
class Hint:
    """A file of trust material in a bundle.

    `file` is its name when it is taken out, `name` what the policy calls it, `role` what it is, such as `public key`;
    the last two are what the bundle says. `digest` is that of its bytes. `key_id` is the fingerprint of a public key.
    """

    file: str
    name: str
    role: str
    size: int
    digest: Digest
    key_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """One entry of `trust_material` in docs/formats/json-output.md."""
        return {
            "file": self.file,
            "name": self.name,
            "role": self.role,
            "size": self.size,
            "digest": self.digest,
            "key": self.key_id,
        }


@frozen
class Hints:
    """The trust material of a bundle; `problem` says why what the bundle says of it cannot be read, if that is so."""

    files: tuple[Hint, ...] = ()
    problem: str | None = None


# --- putting it into a bundle


def carried_hints(policy: Policy | None) -> tuple[ExtraFile, ...]:
    """The files that a bundle carries for `policy`, with their index; none without a policy.

    Raises `UsageError` if one of them has a private key, `LimitExceeded` if they are too many or too large.
    """
    if policy is None or not policy.material:
        return ()
    total = sum(len(material.content) for material in policy.material)
    if len(policy.material) > TRUST_HINTS or total > TRUST_HINTS_BYTES:
        found = f"{number_of(len(policy.material), 'file')} with {number_of(total, 'byte')}"
        raise LimitExceeded(
            f"the policy {policy.file} names {found}; a bundle carries {TRUST_HINTS} with {TRUST_HINTS_BYTES:,} bytes",
            subject=policy.file,
            hint="name fewer files in the policy",
        )
    for material in policy.material:
        _check_public(material)
    named = dict(zip(_file_names(policy.material), policy.material, strict=True))
    index = {
        "kind": KIND,
        "format": 1,
        "files": [
            {"file": file, "name": _stated_name(material), "role": material.role} for file, material in named.items()
        ],
    }
    described = lined(index, iter)
    if len(described) > SMALL_JSON_BYTES:
        raise LimitExceeded(f"the policy {policy.file} has names of files that are too long", subject=policy.file)
    contents = {INDEX: described, **{f"{PREFIX}{file}": made.content for file, made in named.items()}}
    return tuple(ExtraFile.made(name, content) for name, content in contents.items())


def check_other_extras(extras: Iterable[ExtraFile]) -> None:
    """Raise `UsageError` for a file of the user's with a name of trust material."""
    for extra in extras:
        if extra.name.casefold().startswith(PREFIX):
            raise UsageError(
                f"{extra.name}: names in a bundle that begin with {PREFIX} are those of trust material",
                subject=extra.name,
                hint="rename the file",
            )


def _check_public(material: Material) -> None:
    if _PRIVATE.search(material.content):
        raise UsageError(
            f"{material.name} has a private key in it, which must not travel with a bundle",
            subject=material.name,
            hint="let the policy name a file with the public key or the certificates alone",
        )


def _stated_name(material: Material) -> str:
    """The name as the policy has it; of the policy itself, where it lay is nobody's business."""
    return PurePosixPath(material.name).name if material.role == "policy" else material.name


def _file_names(materials: Iterable[Material]) -> Iterator[str]:
    """A plain name for each, made of its own; no two are the same."""
    taken: set[str] = {"json"}  # that of the index
    for material in materials:
        name = _UNSAFE.sub("-", PurePosixPath(material.name).name)[-_NAME_LENGTH:].lstrip(".-").rstrip(".")
        name = name if is_plain_name(name) else f"file-{name}"
        number, free = 1, name
        while free.casefold() in taken:
            number += 1
            free = f"{number}-{name}"
        taken.add(free.casefold())
        yield free


# --- reading it


def carries_hints(ledger: Ledger) -> bool:
    """Whether a bundle has trust material."""
    return any(_is_hint(extra) for extra in ledger.extras)


def hint_names(ledger: Ledger) -> dict[str, str]:
    """The files of trust material by their names in the bundle, with the names that they get when they are taken out.

    The index is not among them.
    """
    return {
        extra.name: extra.name.removeprefix(PREFIX)
        for extra in ledger.extras
        if _is_hint(extra) and extra.name != INDEX and is_plain_name(extra.name.removeprefix(PREFIX))
    }


def other_extras(ledger: Ledger) -> tuple[StoredExtra, ...]:
    """The extra files that are no trust material."""
    return tuple(extra for extra in ledger.extras if not _is_hint(extra))


def read_hints(store: BundleStore) -> Hints:
    """The trust material of a bundle, for people to look at. Raises nothing for what the bundle says, or lacks."""
    return hints_of(store.ledger, lambda name: _read(store, name))


def planned_hints(ledger: Ledger, extras: Iterable[ExtraFile]) -> Hints:
    """The same of a bundle that is about to be written."""
    contents = {extra.name: extra.content or b"" for extra in extras}
    return hints_of(ledger, contents.__getitem__)


def hints_of(ledger: Ledger, read: Callable[[str], bytes]) -> Hints:
    """What `ledger` and the files that `read` gives by their names say of the trust material."""
    if not carries_hints(ledger):
        return Hints()
    stored = {extra.name: extra for extra in ledger.extras}
    try:
        said, problem = _said(read, stored), None
    except TransloadError as error:
        said, problem = {}, error.message
    hints, files = [], list(hint_names(ledger).items())
    if len(files) > TRUST_HINTS:
        problem = f"it has {number_of(len(files), 'file')}, of which the first {TRUST_HINTS} are shown"
    for name, file in files[:TRUST_HINTS]:
        called, role = said.get(file, (file, "not said"))
        hint = Hint(file=file, name=called, role=role, size=stored[name].size, digest=stored[name].digest)
        try:
            key_id = _key_id(read(name)) if stored[name].size <= _KEY_BYTES else None
        except TransloadError as error:
            key_id, problem = None, problem or error.message
        hints.append(evolve(hint, key_id=key_id))
    return Hints(tuple(hints), problem)


def _said(read: Callable[[str], bytes], stored: dict[str, StoredExtra]) -> dict[str, tuple[str, str]]:
    """What the index says of each file: the name in the policy, and the role. Raises `TransloadError`."""
    if INDEX not in stored or stored[INDEX].size > SMALL_JSON_BYTES:
        return {}
    root = Value.from_json(
        read(INDEX), INDEX, limit=SMALL_JSON_BYTES, values=SMALL_JSON_VALUES, hint="look at the files", is_file=True
    )
    root.get("kind").one_of((KIND,))
    if root.get("format").number() != 1:
        raise root.get("format").wrong("1, all that this version reads")
    return {
        entry.get("file").text(): (plain(entry.get("name").text()), plain(entry.get("role").text()))
        for entry in root.get("files").items()
    }


def _is_hint(extra: StoredExtra) -> bool:
    return extra.name.startswith(PREFIX)


def _read(store: BundleStore, name: str) -> bytes:
    """A small file of the bundle, whose digest is checked. Raises `TransloadError`."""
    stored = next(extra for extra in store.ledger.extras if extra.name == name)
    with store.open_extra(name) as chunks:
        return verified(chunks, stored.digest, stored.size)


def _key_id(content: bytes) -> str | None:
    """The fingerprint of a public key in PEM, as `transload keys show` and `openssl` compute it; else None."""
    match = _PUBLIC.fullmatch(content)
    if match is None:
        return None
    try:
        return str(Digest.of(binascii.a2b_base64(b"".join(match[1].split()), strict_mode=True)))
    except binascii.Error:
        return None
