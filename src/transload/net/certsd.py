"""The `certs.d` folders of docker and podman: certificates for one registry, in a folder of its name.

`HOST[:PORT]/*.crt` are authorities to believe for this registry, `NAME.cert` with `NAME.key` is what to show to it.
Rules: docker's "Verify repository client with certificates", containers-certs.d(5).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import frozen

from transload.net.address import Origin

_FILES = 256
_HUB = ("registry-1.docker.io", "docker.io")


@frozen
class HostCertificates:
    """What the folders hold for one registry; `troubles` are sentences on what is there and cannot be used."""

    authorities: tuple[Path, ...] = ()
    pairs: tuple[tuple[Path, Path], ...] = ()
    troubles: tuple[str, ...] = ()


def certificates_for(origin: Origin, roots: Sequence[Path]) -> HostCertificates | None:
    """Everything for `origin` that is in one of the `roots`; None where there is nothing."""
    authorities: list[Path] = []
    pairs: list[tuple[Path, Path]] = []
    troubles: list[str] = []
    for folder in (root / name for root in roots for name in _names(origin)):
        try:
            files = sorted(folder.iterdir())[:_FILES]
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            troubles.append(f"reading {folder}: {error.strerror or error}")
            continue
        authorities += [file for file in files if file.suffix == ".crt"]
        pairs += _pairs(files, troubles)
    found = HostCertificates(tuple(authorities), tuple(pairs), tuple(troubles))
    return None if found == HostCertificates() else found


def _pairs(files: Sequence[Path], troubles: list[str]) -> Iterator[tuple[Path, Path]]:
    """Certificates with the key beside them; one without the other is what docker refuses."""
    for file in files:
        certificate, key = file.with_suffix(".cert"), file.with_suffix(".key")
        if file.suffix == ".cert" and key in files:
            yield certificate, key
        elif file.suffix == ".cert":
            troubles.append(f"{certificate} has no key {key.name} beside it (an authority's file ends with .crt)")
        elif file.suffix == ".key" and certificate not in files:
            troubles.append(f"{key} has no certificate {certificate.name} beside it")


def _names(origin: Origin) -> tuple[str, ...]:
    """How the folder of a registry may be called; Windows allows no colon in a name, so docker leaves it out there."""
    if origin.scheme != "https" or origin.host.startswith("."):
        return ()
    names = dict.fromkeys((origin.netloc, origin.netloc if origin.port != 443 else f"{origin.netloc}:443"))
    if origin.host in _HUB:
        names |= dict.fromkeys(_HUB)
    return tuple(name.replace(":", "") if os.name == "nt" else name for name in names)
