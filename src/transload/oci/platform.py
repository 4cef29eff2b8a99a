"""Platforms, written os/architecture[/variant] (OCI image specification, image-index.md, "platform")."""

from __future__ import annotations

import re
from typing import Any

from attrs import frozen

from transload.errors import PlatformInvalid

_FORM = re.compile(r"[a-z0-9._-]+")
# The names that containerd's platforms package takes for the same thing.
_ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "i386": "386",
    "armhf": "arm",
    "armel": "arm",
}
_DEFAULT_VARIANT = {"arm64": "v8", "arm": "v7"}


@frozen
class Platform:
    """Operating system, architecture and the finer points, as an index states them of each child."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read `linux/amd64`, `linux/arm/v7`; a bare `amd64` means Linux. Raises `PlatformInvalid`."""
        parts = text.strip().lower().split("/")
        if len(parts) == 1:
            parts = ["linux", *parts]
        if len(parts) > 3 or not all(_FORM.fullmatch(part) for part in parts):
            raise PlatformInvalid(
                f"{text!r} is not a platform", hint="write os/architecture[/variant], for example linux/amd64"
            )
        architecture = _ARCHITECTURES.get(parts[1], parts[1])
        variant = parts[2] if len(parts) == 3 else ""
        return cls(parts[0], architecture, "" if (architecture, variant) == ("arm64", "v8") else variant)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Platform:
        """From the `platform` object of an index entry; missing fields become empty."""
        fields = (document.get(key) for key in ("os", "architecture", "variant", "os.version"))
        return cls(*(field if isinstance(field, str) else "" for field in fields))

    def to_json(self) -> dict[str, str]:
        """The `platform` object of an index entry, without empty fields."""
        named = {
            "os": self.os,
            "architecture": self.architecture,
            "variant": self.variant,
            "os.version": self.os_version,
        }
        return {key: value for key, value in named.items() if value}

    def satisfies(self, wanted: Platform) -> bool:
        """Whether an image for this platform is what `wanted` asks for; what `wanted` leaves out, it does not mind."""
        default = _DEFAULT_VARIANT.get(self.architecture, "")
        return (
            (self.os, self.architecture) == (wanted.os, wanted.architecture)
            and (not wanted.variant or (self.variant or default) == wanted.variant)
            and (not wanted.os_version or self.os_version == wanted.os_version)
        )

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))
