"""Stores as people write them: `registry.example/prefix`, `oci:DIR`, `bundle:NAME`, `archive:FILE`. Pure reading."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from transload.errors import ReferenceInvalid, UsageError
from transload.oci.reference import check_registry, check_repository

Kind = Literal["registry", "oci", "bundle", "archive"]

_LOCAL: tuple[Kind, ...] = ("oci", "bundle", "archive")


@frozen
class Place:
    """A store and a prefix for repositories in it. `value` is a registry's host[:port], or a path."""

    kind: Kind
    value: str
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read `host[:port][/prefix]`, or a local store after its kind. Raises `UsageError`, `ReferenceInvalid`."""
        text = text.strip()
        scheme, colon, rest = text.partition(":")
        for kind in _LOCAL:
            if colon and scheme == kind:
                if not rest:
                    raise UsageError(f"{kind}: names nothing", hint=f"write {kind}:PATH")
                return cls(kind, rest)
        if colon and scheme == "docker":
            raise UsageError(
                "docker: stores cannot be used yet", subject=text, hint="use docker save, and archive:FILE"
            )
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
        return self.value if self.kind == "registry" else f"{self.kind}:{self.value}"

    def __str__(self) -> str:
        return f"{self.locator}/{self.prefix}" if self.prefix else self.locator
