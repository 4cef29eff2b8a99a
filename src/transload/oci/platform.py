"""Platforms, written os/architecture[/variant] (OCI image specification, image-index.md, "platform")."""

from __future__ import annotations

from typing import Any

from transload.errors import PlatformInvalid
from transload.expressions import late
from transload.values import frozen
from transload.wording import close_to

_FORM = late(r"[a-z0-9._-]+")
# Other names for an architecture, as containerd's platforms package knows them, and the variant that they imply.
_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "i386": ("386", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
_OPERATING_SYSTEMS = {"macos": "darwin"}
_DEFAULT_VARIANT = {"amd64": "v1", "arm64": "v8", "arm": "v7"}
# The names that Go knows (internal/syslist). A name that is close to one of these is probably a typing mistake.
_KNOWN_ARCHITECTURES = (
    *("386", "amd64", "arm", "arm64", "armbe", "arm64be", "loong64", "mips", "mips64", "mips64le", "mipsle"),
    *("ppc", "ppc64", "ppc64le", "riscv", "riscv64", "s390", "s390x", "sparc", "sparc64", "wasm", "unknown"),
)
_KNOWN_SYSTEMS = (
    *("aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux", "netbsd", "openbsd"),
    *("plan9", "solaris", "unknown", "wasip1", "wasi", "windows", "zos"),
)
# One of these alone is half a platform, not an architecture.
_BARE_REFUSED = frozenset({"linux", "windows", "darwin", "macos", "freebsd"})


@frozen
class Platform:
    """Operating system, architecture, variant and version, as an index states them for each child.

    OCI image specification, image-index.md, "platform". People write it `os/architecture[/variant]`.
    """

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read `linux/amd64`, `linux/arm/v7`; a bare `amd64` means Linux. Raises `PlatformInvalid`."""
        parts = text.strip().lower().split("/")
        if len(parts) == 1 and parts[0] not in _BARE_REFUSED:
            parts = ["linux", *parts]
        if not 2 <= len(parts) <= 3 or not all(_FORM.fullmatch(part) for part in parts):
            raise PlatformInvalid(f"{text[:80]!r} is not a platform", hint=_hint(parts))
        meant = _meant(parts)
        if meant != parts:
            raise PlatformInvalid(f"{text!r} is not a platform that is known", hint=f"did you mean {'/'.join(meant)}?")
        architecture, variant = _normal(parts[1], parts[2] if len(parts) == 3 else "")
        stated = variant if architecture == "arm" or variant != _DEFAULT_VARIANT.get(architecture) else ""
        return cls(_OPERATING_SYSTEMS.get(parts[0], parts[0]), architecture, stated)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Platform:
        """Read the `platform` object of an index entry. Missing fields become empty."""
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
        """Whether an image for this platform fits `wanted`. Fields that are empty in `wanted` may have any value."""
        architecture, variant = _normal(self.architecture, self.variant)
        wanted_architecture, wanted_variant = _normal(wanted.architecture, wanted.variant)
        return (
            (self.os, architecture) == (wanted.os, wanted_architecture)
            and (not wanted_variant or (variant or _DEFAULT_VARIANT.get(architecture)) == wanted_variant)
            and (not wanted.os_version or self.os_version == wanted.os_version)
        )

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


def _hint(parts: list[str]) -> str:
    if any("," in part for part in parts):
        return "write --platform once for each; in a file, write a list"
    if parts[0] in _BARE_REFUSED and len(parts) == 1:
        return f"write {parts[0]}/amd64, or another architecture after the slash"
    return "write os/architecture[/variant], for example linux/amd64"


def _meant(parts: list[str]) -> list[str]:
    """The parts with each unknown name replaced by a known one that is close to it, if there is one."""
    system, architecture, *variant = parts
    if system in {*_KNOWN_ARCHITECTURES, *_ARCHITECTURES} and architecture in _BARE_REFUSED:
        return [architecture, system, *variant]
    return [
        _close(system, (*_KNOWN_SYSTEMS, *_OPERATING_SYSTEMS)),
        _close(architecture, (*_KNOWN_ARCHITECTURES, *_ARCHITECTURES)),
        *variant,
    ]


def _close(name: str, known: tuple[str, ...]) -> str:
    return name if name in known else next(iter(close_to(name, known, cutoff=0.7)), name)


def _normal(architecture: str, variant: str) -> tuple[str, str]:
    """Architecture and variant in one spelling: other names are replaced, and the variant gets its v."""
    architecture, implied = _ARCHITECTURES.get(architecture, (architecture, ""))
    return architecture, f"v{variant}" if variant.isdecimal() else variant or implied
