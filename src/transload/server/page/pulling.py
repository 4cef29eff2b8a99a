"""The commands that pull an image, with the host under which the page was opened. Pure.

The Host header comes from outside: what is not a registry's name is not repeated.
"""

from __future__ import annotations

import ipaddress

from transload.errors import ReferenceInvalid
from transload.expressions import late
from transload.oci import Name
from transload.oci.reference import check_registry
from transload.values import frozen

_NOT_IN_NAMES = late(r"[^a-z0-9]+")
_POD_NAME_LENGTH = 63  # RFC 1123, a label


@frozen(kw_only=True)
class Place:
    """Where the page was opened: host and port as references begin, whether over TLS, whether a login is needed."""

    host: str
    secure: bool
    login: bool = False

    @classmethod
    def of(cls, header: str | None, fallback: str, *, secure: bool, login: bool = False) -> Place:
        """From a Host header; `fallback` is the address that the server listens on.

        >>> Place.of("registry", "", secure=True).host, Place.of("<script>", "10.0.0.1:5000", secure=True).host
        ('registry:443', '10.0.0.1:5000')
        """
        try:
            host = check_registry((header or "").strip().lower())
        except ReferenceInvalid:
            host = fallback
        if not set(".:") & set(host) and host != "localhost":  # docker would take it for a folder at Docker Hub
            host = f"{host}:{443 if secure else 80}"
        return cls(host=host, secure=secure, login=login)

    @property
    def is_local(self) -> bool:
        """Whether it is this machine: docker allows plain HTTP there."""
        name = self.host.rpartition(":")[0] if ":" in self.host.rpartition("]")[2] else self.host
        try:
            return ipaddress.ip_address(name.strip("[]")).is_loopback
        except ValueError:
            return name == "localhost"


@frozen
class Command:
    """A line to copy: for which tool it is, and what else is needed there."""

    tool: str
    text: str
    note: str = ""


@frozen(kw_only=True)
class Form:
    """The commands for one way of naming: by tag, or by digest."""

    by: str
    reference: str
    commands: tuple[Command, ...]


def forms(place: Place, name: Name, *, kind: str) -> tuple[Form, ...]:
    """By tag, if `name` has one, and by digest, if it has one. `kind` is image, chart, or anything else."""
    by = [("tag", Name(name.repository, name.tag))] if name.tag else []
    by += [("digest", Name(name.repository, None, name.digest))] if name.digest else []
    return tuple(
        Form(by=word, reference=f"{place.host}/{each}", commands=tuple(_commands(place, each, kind)))
        for word, each in by
    )


def login(place: Place) -> tuple[Command, ...]:
    """What to do first, where a login is needed."""
    if not place.login:
        return ()
    return (
        Command("docker", f"docker login {place.host}"),
        Command("podman", f"podman login {place.host}{_tls(place)}"),
    )


def _commands(place: Place, name: Name, kind: str) -> list[Command]:
    reference, plain = f"{place.host}/{name}", not place.secure
    crane = Command("crane", f"crane pull {'--insecure ' if plain else ''}{reference} {_file(name)}.tar")
    if kind == "chart":
        return [Command("helm", _helm(place, name)), crane]
    if kind != "image":
        return [Command("oras", f"oras pull {'--plain-http ' if plain else ''}{reference}"), crane]
    note = ""
    if plain and not place.is_local:
        note = f'docker refuses plain HTTP: add "insecure-registries": ["{place.host}"] to /etc/docker/daemon.json'
    nodes = ["each node must be told that this registry has no TLS (transload configure)"] if plain else []
    nodes += ["the pod needs a secret with the login (imagePullSecrets)"] if place.login else []
    user = "--user NAME " if place.login else ""
    return [
        Command("docker", f"docker pull {reference}", note),
        Command("podman", f"podman pull {_tls(place).strip() + ' ' if plain else ''}{reference}", _addressed(place)),
        Command(
            "ctr",
            f"ctr images pull {'--plain-http ' if plain else ''}{user}{reference}",
            "Kubernetes looks in a namespace of its own: ctr --namespace k8s.io images pull …",
        ),
        crane,
        Command("kubectl", f"kubectl run {_pod(name)} --image={reference}", "; ".join(nodes)),
        Command("YAML", f"image: {reference}"),
    ]


def _addressed(place: Place) -> str:
    return "older versions of podman take no IPv6 address: use a name" if place.host.startswith("[") else ""


def _tls(place: Place) -> str:
    return "" if place.secure else " --tls-verify=false"


def _helm(place: Place, name: Name) -> str:
    plain = "" if place.secure else " --plain-http"
    if name.tag is None:
        return f"helm pull oci://{place.host}/{name}{plain}"
    version = name.tag.replace("_", "+")  # Helm writes the + of a version as _ in a tag
    return f"helm pull oci://{place.host}/{name.repository} --version {version}{plain}"


def _file(name: Name) -> str:
    return name.repository.rpartition("/")[2]


def _pod(name: Name) -> str:
    return _NOT_IN_NAMES.sub("-", _file(name))[:_POD_NAME_LENGTH].strip("-")
