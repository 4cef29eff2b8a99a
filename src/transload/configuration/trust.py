"""What nodes must trust: the certificate authority, as a file beside the others or as a path on the nodes."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath

from transload.configuration.relocation import Reach, Relocation
from transload.configuration.wishes import ConfigFile
from transload.errors import UsageError
from transload.values import evolve

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_HERE = ("localhost", "127.", "[::1]")  # RFC 6761, RFC 1122, RFC 4291


def certificates(reach: Reach) -> bytes | None:
    """The certificates among what the user gave, and nothing else of it: a key beside them stays here.

    Raises `UsageError` if there is none.
    """
    if reach.ca is None:
        return None
    found = _CERTIFICATE.findall(reach.ca)
    if not found:
        raise UsageError(
            "the file of the certificate authority has no certificate",
            hint="give a PEM file, with BEGIN CERTIFICATE in it",
        )
    return b"".join(certificate + b"\n" for certificate in found)


def path_on_nodes(reach: Reach) -> str | None:
    """Where the authority's certificate lies on the nodes. Raises `UsageError` for a path that starts nowhere."""
    path = reach.ca_file
    if path is None:
        return None
    if not (PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute()):
        raise UsageError(f"{path!r} is no full path on the nodes", hint="begin with /, as in /etc/ssl/certs/site.pem")
    if not path.isprintable():
        raise UsageError(f"the path {path!r} cannot be written into a file", hint="use letters that can be printed")
    return path


def authority_file(relocation: Relocation, path: PurePosixPath) -> tuple[ConfigFile, ...]:
    """The certificates as a file to be laid on the nodes, unless the user says that they are there already."""
    content = certificates(relocation.reach)
    is_there = path_on_nodes(relocation.reach) is not None
    return () if content is None or is_there else (ConfigFile(path=path, content=content),)


def url(relocation: Relocation) -> str:
    """The registry with its scheme, without a slash at the end."""
    return f"{'http' if relocation.reach.plain_http else 'https'}://{relocation.registry}"


def needs_words(reach: Reach) -> bool:
    """Whether nodes would not reach the registry as it is, without being told more."""
    return reach != Reach()


def place_notes(relocation: Relocation) -> tuple[str, ...]:
    """Warnings for a registry whose name means each node itself, and for a login that others can read on its way."""
    registry, reach = relocation.registry, relocation.reach
    if registry.startswith(_HERE):
        return (f"{registry} is each node itself: give the registry's name for nodes with --pull-from",)
    if reach.login is None or not (reach.plain_http or reach.insecure_tls):
        return ()
    way = "without TLS" if reach.plain_http else "without checking who it is"
    return (f"nodes send the login to {registry} {way}: give the certificate with --ca-file instead",)


def check_has_name(registry: str, engine: str) -> None:
    """Raises `UsageError` for an IPv6 address.

    Seen: podman 4.3 refuses such a reference; containerd 1.6 drops the file and asks the vendor, saying nothing.
    """
    if registry.startswith("["):
        raise UsageError(
            f"{engine} cannot be told of {registry}: it takes no IPv6 address as the host of a registry",
            hint="give the registry a name in your DNS, and say it with --pull-from",
        )


def check_not_the_path_alone(relocation: Relocation, engine: str, folder: str) -> None:
    """Raises `UsageError` if all that is to be said is a path, for an engine that looks in its own folder only."""
    path = path_on_nodes(relocation.reach)
    if path and not _is_moved(relocation) and evolve(relocation.reach, ca=None, ca_file=None) == Reach():
        raise UsageError(
            f"{engine} cannot be told of {path}: it looks for certificates in {folder}/{relocation.registry} only",
            hint="link the file there as ca.crt, or give the certificate with --ca-file",
        )


def _is_moved(relocation: Relocation) -> bool:
    return any(image.source_repository != image.target_repository for image in relocation.images)


def check_something_is_said(relocation: Relocation) -> None:
    """Raises `UsageError` without images and without anything that nodes would have to be told of the registry."""
    if not _is_moved(relocation) and not needs_words(relocation.reach):
        raise UsageError(
            f"there is nothing to tell nodes about {relocation.registry}",
            hint="name what says where the images are (a report, a set), or add --ca-file, --plain-http, --with-login",
        )
