"""Stores as people write them: `registry.example/prefix`, `oci:DIR`, `bundle:NAME`, `docker:`, `charts:URL` and others.

The words of skopeo and docker are accepted if their meaning is clear; else the error names our word.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Literal

from transload.errors import LocalError, ProtocolTrouble, ReferenceInvalid, UsageError
from transload.files import expanded
from transload.oci.reference import check_no_user, check_registry, check_repository, shown, without_transport
from transload.values import frozen

Kind = Literal["registry", "oci", "bundle", "archive", "charts", "docker", "podman"]

_LOCAL: tuple[Kind, ...] = ("oci", "bundle", "archive", "charts")
_ENGINES: tuple[Kind, ...] = ("docker", "podman")
# The transports of skopeo and podman (containers-transports(5)) that have another word here, or none.
_ARCHIVES = ("oci-archive", "docker-archive")
_NO_STORES = {
    "docker-daemon": "the images in docker are written docker: as in --from docker: IMAGE",
    "containers-storage": "the images in podman are written podman: as in --from podman: IMAGE",
    "dir": "make an OCI layout of it first: skopeo copy dir:PATH oci:DIR:NAME; then write oci:DIR",
}
NOT_THERE = "check the path, or mount the medium"
_PATH_STARTS = ("/", "./", "../", "~", ".\\", "..\\")
WEB = ("https://", "http://")
_ARCHIVE_SUFFIXES = (".tar", ".tgz", ".tar.gz")
SCHEMES = frozenset({*_LOCAL, *_ARCHIVES, *_NO_STORES, *_ENGINES})


@frozen
class Location:
    """A store and a prefix for repositories in it.

    `value` is a registry's host[:port], a path, or the `https://` address of a chart repository. Of an engine it is the
    registry that names in it begin with; all of them if it is empty.
    """

    kind: Kind
    value: str
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> Location:
        """Read `host[:port][/prefix]`, or a local store after its kind. Raises `UsageError`, `ReferenceInvalid`."""
        text = without_transport(text.strip())
        scheme, colon, rest = text.partition(":")
        if colon and scheme in _ENGINES and not rest.partition("/")[0].isdigit():
            return cls._engine(scheme, rest)
        if colon and scheme in SCHEMES and not rest.isdigit():  # dir:5000 is a host with its port
            return cls._local(scheme, rest)
        if "://" in text:
            hint = (
                "leave user name and password out, other options give them" if "@" in text else f"leave {scheme}:// out"
            )
            raise ReferenceInvalid(f"{shown(text)!r} is not a store", hint=hint)
        if is_path(text):
            path = text if text.startswith(_PATH_STARTS) else shown(text)
            raise ReferenceInvalid(f"{path!r} is a path, and a registry was expected", hint=_path_hint(path))
        check_no_user(text)
        host, _, prefix = text.rstrip("/").partition("/")
        if not host or not ({".", ":"} & set(host) or host == "localhost"):
            raise ReferenceInvalid(
                f"{text!r} names no registry",
                hint="write host/prefix, for example registry.local/arcdata, or oci:DIR for a folder",
            )
        return cls("registry", check_registry(host), check_repository(prefix) if prefix else "")

    @classmethod
    def _local(cls, scheme: str, rest: str) -> Location:
        if scheme in _NO_STORES:
            raise UsageError(
                f"{scheme}: is not a kind of store that transload knows",
                subject=shown(f"{scheme}:{rest}"),
                hint=_NO_STORES[scheme],
            )
        if not rest:
            kind = "archive" if scheme in _ARCHIVES else scheme
            raise UsageError(f"{scheme}: is not followed by anything", hint=f"write {kind}:PATH")
        if scheme in _ARCHIVES:
            path, colon, image = rest.partition(":")
            if colon and len(path) > 1:  # a single letter is a drive of Windows
                raise UsageError(
                    f"{scheme}: is followed by a file only, not by an image",
                    subject=f"{scheme}:{rest}",
                    hint=f"write archive:{path}, and choose the image with --image {image}",
                )
        for kind in _LOCAL:
            if scheme == kind:
                return cls(kind, _web(rest) if kind == "charts" and rest.startswith(WEB) else _expanded(rest))
        return cls("archive", _expanded(rest))

    @classmethod
    def _engine(cls, scheme: str, rest: str) -> Location:
        """`docker:` alone, or followed by the beginning of names: `docker:HOST[:PORT][/PREFIX]`."""
        host, _, prefix = rest.strip("/").partition("/")
        if rest and (is_image(rest) or not ({".", ":"} & set(host) or host == "localhost")):
            raise UsageError(
                f"{scheme}: is followed by a registry only, not by an image",
                subject=shown(f"{scheme}:{rest}"),
                hint=f"write the image beside it, as in --from {scheme}: {shown(rest)}",
            )
        kind = next(kind for kind in _ENGINES if kind == scheme)
        return cls(kind, check_registry(host) if rest else "", check_repository(prefix) if prefix else "")

    @property
    def is_engine(self) -> bool:
        """Whether it is what a docker or podman engine on this machine has."""
        return self.kind in _ENGINES

    @property
    def is_remote(self) -> bool:
        """Whether it is at a host, and not carried: a registry, or a chart repository."""
        return self.kind == "registry" or (self.kind == "charts" and self.value.startswith(WEB))

    @property
    def host(self) -> str | None:
        """The host, as logins name it; None for what is on this machine. Raises `ProtocolTrouble` for a bad address."""
        if self.kind == "registry":
            return self.value
        if not self.is_remote:
            return None
        from transload.net.address import Origin  # few runs name a chart repository

        return Origin.of(self.value).netloc

    @property
    def locator(self) -> str:
        """The store without the prefix, as plans and messages name it."""
        return self.value if self.kind == "registry" else f"{self.kind}:{self.value}"

    def check_target(self) -> None:
        """Raises `UsageError` for a bundle or an archive, which are written whole or not at all, and for charts."""
        if self.kind == "charts":
            raise UsageError(f"{self} cannot be a target", hint="charts are stored as artifacts in a registry")
        if self.kind in {"bundle", "archive"}:
            raise UsageError(f"{self} cannot be a target here", hint="transload pack writes bundles")
        if self.is_engine:
            raise UsageError(
                f"{self} cannot be a target here", hint=f"pack a bundle; transload load BUNDLE --{self.kind} takes it"
            )

    def check_there(self) -> None:
        """Check that a folder or archive exists. Raises `LocalError`, as for any missing file."""
        path = Path(self.value)
        if self.kind == "bundle" or self.is_remote or self.is_engine or path.exists():
            return
        folder, colon, image = self.value.partition(":")
        hint = NOT_THERE
        if colon and Path(folder).exists():  # as skopeo writes it
            hint = f"write {self.kind}:{folder}, and choose the image with --image {image}"
        what = {"oci": "folder", "charts": "chart"}.get(self.kind, "archive")
        raise LocalError(f"there is no {what} {path}", subject=str(path), hint=hint)

    def __str__(self) -> str:
        return f"{self.locator}/{self.prefix}" if self.prefix else self.locator


def is_local(text: str) -> bool:
    """Whether a text begins with a kind of local store, and not with a host of that name and a port.

    >>> is_local("oci:folder"), is_local("dir:5000/app"), is_local("registry.local/app")
    (True, False, False)
    """
    scheme, colon, rest = text.partition(":")
    return bool(colon) and scheme in SCHEMES and not rest.partition("/")[0].isdigit()


def is_image(text: str) -> bool:
    """Whether a text names one image: it has a tag or a digest; a store has none.

    >>> is_image("registry.local/app:1"), is_image("registry.local:5000/app"), is_image("oci:folder")
    (True, False, False)
    """
    if is_local(text):
        return False
    return "@" in text or (":" in text.rpartition("/")[2] and ("/" in text or is_short(text, also_numbers=False)))


def is_short(text: str, *, also_numbers: bool) -> bool:
    """Whether a text can be an image as docker takes it from its Hub: `alpine:3.20`.

    `redis:7` can be one too, and a host with its port: `also_numbers` says that no store can be meant.

    >>> is_short("alpine:3.20", also_numbers=False), is_short("redis:7", also_numbers=False)
    (True, False)
    """
    name, colon, tag = text.partition(":")
    is_plain = bool(colon) and name not in {*SCHEMES, "localhost"} and not set("./\\") & set(name) and "\\" not in tag
    return is_plain and (also_numbers or not tag.isdigit())


def is_path(text: str) -> bool:
    """Whether this can only be a path: its beginning cannot be that of a host, or it ends like an archive."""
    starts = text.startswith(_PATH_STARTS) or text in {".", ".."}
    return starts or text.lower().endswith(_ARCHIVE_SUFFIXES)


def _web(address: str) -> str:
    """The address of a chart repository. Raises `ReferenceInvalid`, which does not repeat a password."""
    from transload.net.address import Url  # few runs name one

    if set("@?#") & set(address):
        raise ReferenceInvalid(
            f"{shown(address).partition('?')[0]!r} is not the address of a chart repository",
            hint="leave user name, password and parameters out; docker login keeps logins",
        )
    try:
        Url.parse(address)
    except ProtocolTrouble as error:
        raise ReferenceInvalid(error.message, hint="write charts:https://HOST/PATH") from error
    return address.rstrip("/")


def _path_hint(text: str) -> str:
    if text.lower().endswith(_ARCHIVE_SUFFIXES):
        return f"an archive is written archive:{text}, and can only be read; transload pack writes bundles"
    return f"a folder in OCI image layout is written oci:{text}"


def _expanded(path: str) -> str:
    """The path with the home folder for ~, which shells do not replace after a colon."""
    with contextlib.suppress(RuntimeError):  # nobody knows where the home is
        return str(expanded(path)) if path.startswith("~") else path
    return path
