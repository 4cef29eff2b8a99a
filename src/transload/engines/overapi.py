"""docker and podman as engines that take images, by the API that both have (docker's `/images/load`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from transload.engines.address import EngineAddress
from transload.engines.api import STALL_S, EngineApi, printable
from transload.engines.archive import EngineImage, held_layers
from transload.engines.engine import Check
from transload.errors import NotFound, ProtocolTrouble, Refused, TransloadError
from transload.oci import Digest, Manifest, Platform, Reference, mediatype
from transload.ports import Chunk

_ZSTD_FROM = 23  # the version of docker
_TAGLESS = "give the image a tag in the store, or load it into containerd, which keeps names by digest"


class ApiEngine:
    """docker, or podman's service, which answers like docker. Raises what `EngineApi` raises when it is opened."""

    keeps_indexes = False

    def __init__(self, address: EngineAddress, check: Check = lambda: None, stall_s: float = STALL_S) -> None:
        self.address = address
        self._api = EngineApi(address, stall_s, check)
        doing = f"asking the {address.kind} engine what it is"
        version = self._api.value("GET", "/version", doing=doing)
        if not isinstance(version, dict) or not isinstance(version.get("Version"), str):
            raise ProtocolTrouble(
                f"what answers at {address} is no {address.kind} engine", subject=str(address), hint="check the address"
            )
        self._is_podman = "podman" in str(version.get("Components", "")).lower()
        self._version = version["Version"]
        self.platform = Platform.from_json({"os": version.get("Os"), "architecture": version.get("Arch")})

    @property
    def title(self) -> str:
        """See `Engine`."""
        return f"{'podman' if self._is_podman else 'docker'} {printable(self._version)}"

    def identity(self, name: Reference) -> str | None:
        """See `Engine`."""
        try:
            found: Any = self._api.value("GET", f"/images/{quote(str(name))}/json", doing=f"asking for {name}")
        except NotFound:
            return None
        identity = found.get("Id") if isinstance(found, dict) else None
        return identity if isinstance(identity, str) and identity else None

    def held(self, image: EngineImage, loaded: Iterable[Manifest]) -> frozenset[Digest]:
        """See `Engine`. podman wants every layer in the archive."""
        return frozenset() if self._is_podman else held_layers(image.images[0], loaded)

    def why_not(self, image: EngineImage) -> TransloadError | None:
        """See `Engine`."""
        if image.name.name.tag is None:
            return Refused(
                f"{image.name} has no tag, and {self.title} loads images by tags only",
                subject=str(image.name),
                hint=_TAGLESS,
            )
        major = self._version.partition(".")[0]
        old = not self._is_podman and major.isdecimal() and int(major) < _ZSTD_FROM
        if old and any(layer.media_type == mediatype.OCI_LAYER_ZSTD for layer in image.images[0].layers):
            return Refused(
                f"{image.name} has layers compressed with zstd, which {self.title} cannot read",
                subject=str(image.name),
                hint=f"docker reads them from version {_ZSTD_FROM} on; containerd and podman do too",
            )
        return None

    def load(self, image: EngineImage, archive: Iterable[Chunk]) -> None:
        """See `Engine`."""
        doing = f"loading {image.name}"
        with self._api.ask("POST", "/images/load", {"quiet": "1"}, body=archive, doing=doing) as answer:
            for _ in answer.events():
                pass
