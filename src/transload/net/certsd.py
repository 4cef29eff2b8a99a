"""The `certs.d` folders of docker and podman: the certificates for one registry are in a folder with its name.

`HOST[:PORT]/*.crt` are authorities to trust for this registry. `NAME.cert` with `NAME.key` is the client certificate.
Rules: docker's "Verify repository client with certificates", containers-certs.d(5).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from transload.net.address import Origin
from transload.values import frozen

_FILES = 256
_HUB = ("registry-1.docker.io", "docker.io")


@frozen
class HostCertificates:
    """What the folders hold for one registry. `troubles` are sentences about files that cannot be used."""

    authorities: tuple[Path, ...] = ()
    pairs: tuple[tuple[Path, Path], ...] = ()
    troubles: tuple[str, ...] = ()


def certificates_for(origin: Origin, roots: Sequence[Path]) -> HostCertificates | None:
    """All that the folders `roots` hold for `origin`; None if that is nothing."""
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
    certificates = HostCertificates(tuple(authorities), tuple(pairs), tuple(troubles))
    return None if certificates == HostCertificates() else certificates


def _pairs(files: Sequence[Path], troubles: list[str]) -> Iterator[tuple[Path, Path]]:
    """Certificates with the key beside them. Docker refuses one without the other."""
    for file in files:
        certificate, key = file.with_suffix(".cert"), file.with_suffix(".key")
        if file.suffix == ".cert" and key in files:
            yield certificate, key
        elif file.suffix == ".cert":
            troubles.append(f"{certificate} has no key {key.name} beside it (an authority's file ends with .crt)")
        elif file.suffix == ".key" and certificate not in files:
            troubles.append(f"{key} has no certificate {certificate.name} beside it")


def _names(origin: Origin) -> tuple[str, ...]:
    """Possible names of a registry's folder. Windows allows no colon in a name, so docker leaves it out there."""
    if origin.scheme != "https" or origin.host.startswith("."):
        return ()
    names = dict.fromkeys((origin.netloc, origin.netloc if origin.port != 443 else f"{origin.netloc}:443"))
    if origin.host in _HUB:
        names |= dict.fromkeys(_HUB)
    return tuple(name.replace(":", "") if os.name == "nt" else name for name in names)
