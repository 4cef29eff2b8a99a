"""The files that a policy names, such as public keys: each is read once, and its bytes are kept for whoever needs them.

A bundle can carry them to the far side as hints, so their number and their size together are bounded.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from transload.documents.value import Value
from transload.errors import DocumentInvalid, LimitExceeded
from transload.files import local_errors, read_file
from transload.limits import POLICY_FILES, POLICY_FILES_BYTES
from transload.values import define, field, frozen

Result = TypeVar("Result")


@frozen(kw_only=True)
class Material:
    """A file that a policy names, such as a public key: its name as the policy has it, and its bytes as they were read.

    `role` is for people: `public key`, `trust store`, `trusted root`, `policy`.
    """

    name: str
    role: str
    content: bytes = field(repr=False)


@define
class PolicyFolder:
    """Where relative paths of a policy start. What was read and parsed is kept, by the path of the file."""

    folder: Path
    _material: dict[str, Material] = field(factory=dict, init=False, repr=False)
    _parsed: dict[tuple[str, Callable[..., Any]], Any] = field(factory=dict, init=False, repr=False)

    @property
    def material(self) -> tuple[Material, ...]:
        """The files that were read, each once, in the order in which they were."""
        return tuple(self._material.values())

    def load(self, named: Value, role: str, limit: int, parse: Callable[[bytes, str], Result]) -> Result:
        """What `parse` makes of the bytes of the file that `named` names, and of its path for errors.

        `role` is for people, and stays that of the first who asked. Errors say where the file is named:
        `DocumentInvalid` for one that has more than `limit` bytes, or is not what it should be; `LocalError` if it
        cannot be read.
        """
        text = named.text()
        path = self.folder / text
        key = os.path.normpath(path)
        with named.explained():
            if key not in self._material:
                self._material[key] = Material(name=text, role=role, content=self._read(path, role, limit))
            if (key, parse) not in self._parsed:
                self._parsed[key, parse] = parse(self._material[key].content, str(path))
        result: Result = self._parsed[key, parse]
        return result

    def _read(self, path: Path, role: str, limit: int) -> bytes:
        with local_errors("reading", path):
            content = read_file(path, limit + 1)
        if len(content) > limit:
            hint = f"give a file that has nothing but the {role}"
            raise DocumentInvalid(f"{path} is too large for a {role}: {limit} bytes are allowed", hint=hint)
        total = sum(len(known.content) for known in self._material.values()) + len(content)
        if len(self._material) >= POLICY_FILES or total > POLICY_FILES_BYTES:
            raise LimitExceeded(
                f"the files that this policy names are too many or too large: {POLICY_FILES} with {POLICY_FILES_BYTES} "
                "bytes together are allowed",
                hint="join trust stores: one file can hold many certificates",
            )
        return content
