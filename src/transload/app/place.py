"""Stores as people write them: `registry.example/prefix`, `oci:DIR`. Pure reading, nothing is opened here."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from transload.errors import ReferenceInvalid, UsageError
from transload.oci.reference import check_registry, check_repository

Kind = Literal["registry", "oci"]


@frozen
class Place:
    """A store and a prefix for repositories in it. `value` is a registry's host[:port] or a folder's path."""

    kind: Kind
    value: str
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read `host[:port][/prefix]` or `oci:DIR`. Raises `UsageError`, `ReferenceInvalid`."""
        text = text.strip()
        scheme, colon, rest = text.partition(":")
        if colon and scheme == "oci":
            if not rest:
                raise UsageError("oci: names no folder", hint="write oci:DIR")
            return cls("oci", rest)
        if colon and scheme in {"bundle", "docker"}:
            raise UsageError(f"{scheme}: stores cannot be used by this command", subject=text)
        if "://" in text:
            raise ReferenceInvalid(f"{text!r} is not a store", hint=f"leave {text.partition('://')[0]}:// out")
        host, _, prefix = text.rstrip("/").partition("/")
        if not host or not ({".", ":"} & set(host) or host == "localhost"):
            raise ReferenceInvalid(
                f"{text!r} names no registry", hint="write host/prefix, for example registry.local/arcdata, or oci:DIR"
            )
        return cls("registry", check_registry(host), check_repository(prefix) if prefix else "")

    @property
    def locator(self) -> str:
        """The store alone, as plans and messages name it."""
        return f"oci:{self.value}" if self.kind == "oci" else self.value

    def __str__(self) -> str:
        return f"{self.locator}/{self.prefix}" if self.prefix else self.locator
