"""The kinds of configuration: which there are, and what each takes. A kind is a module here, and a line in `KINDS`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Literal

from transload.configuration.relocation import Relocation
from transload.configuration.wishes import Configuration, Wishes
from transload.errors import UsageError
from transload.values import frozen

Wish = Literal["name", "namespace", "inputs", "pin", "no_fallback", "strict", "login", "ca"]
"""What a kind can use: fields of `Wishes`, the login, and the certificate authority."""

Write = Callable[[Relocation, Wishes], Configuration]


@frozen(kw_only=True)
class Kind:
    """A kind of configuration. Its module has `write`, which is imported when it is used.

    `summary` is what it writes, in a few words. `takes` are the wishes that it can use; `needs` those that it cannot do
    without. Without `needs_images`, it tells of the registry alone. With `reads_charts`, its inputs are Helm charts.
    """

    word: str
    summary: str
    takes: frozenset[Wish] = frozenset()
    needs: frozenset[Wish] = frozenset()
    needs_images: bool = True
    reads_charts: bool = False

    def write(self, relocation: Relocation, wishes: Wishes) -> Configuration:
        """What this kind makes of the relocation. Raises `UsageError` where no file could say what is wanted."""
        module = importlib.import_module(f"transload.configuration.kinds.{self.word.replace('-', '_')}")
        written: Configuration = module.write(relocation, wishes)
        return written


def _node(word: str, summary: str, *takes: Wish) -> Kind:
    """A kind for nodes, which may also tell them of the registry alone."""
    return Kind(word=word, summary=summary, takes=frozenset(takes), needs_images=False)


KINDS: dict[str, Kind] = {
    kind.word: kind
    for kind in (
        _node("containerd", "containerd: a certs.d tree of hosts.toml files", "login", "ca", "no_fallback"),
        _node("k3s", "k3s: registries.yaml", "login", "ca"),
        _node("rke2", "RKE2: registries.yaml", "login", "ca"),
        _node("crio", "CRI-O: registries.conf.d, certificates, a login file", "login", "ca", "no_fallback"),
        _node(
            "podman", "podman and buildah: registries.conf.d, certificates, a login file", "login", "ca", "no_fallback"
        ),
        _node("docker", "Docker: daemon.json and certificates", "inputs", "ca"),
        _node("talos", "Talos: a patch of the machine configuration", "login", "no_fallback"),
        Kind(word="kustomize", summary="Kustomize: the images of a kustomization", takes=frozenset({"pin"})),
        Kind(
            word="pull-secret",
            summary="Kubernetes: the Secret with which pods pull",
            takes=frozenset({"name", "namespace"}),
            needs=frozenset({"login"}),
            needs_images=False,
        ),
        Kind(
            word="openshift",
            summary="OpenShift: mirrors for digests and tags, and the trust in the registry",
            takes=frozenset({"name", "no_fallback"}),
        ),
        Kind(
            word="arcdata",
            summary="Azure Arc data services: control.json, the secret, the manifests of the upgrade",
            takes=frozenset({"namespace", "inputs", "login"}),
        ),
        Kind(
            word="manifests",
            summary="a copy of manifests with the references replaced",
            takes=frozenset({"pin", "strict"}),
            needs=frozenset({"inputs"}),
        ),
        Kind(
            word="admission-policy",
            summary="Kubernetes: a MutatingAdmissionPolicy that rewrites the images of pods",
            takes=frozenset({"name"}),
        ),
        Kind(
            word="helm-values",
            summary="Helm: values for charts, which are named with --rewrite",
            needs=frozenset({"inputs"}),
            reads_charts=True,
        ),
        Kind(
            word="gatekeeper",
            summary="Gatekeeper: another registry before the images of all pods",
            takes=frozenset({"name"}),
        ),
        Kind(word="kyverno", summary="Kyverno: a policy that rewrites the images of pods", takes=frozenset({"name"})),
    )
}


def kind_named(word: str) -> Kind:
    """The kind of this name. Raises `UsageError`."""
    if word not in KINDS:
        from transload.wording import hint

        raise UsageError(f"there is no kind of configuration {word!r}", hint=hint(word, KINDS, what="the kinds are"))
    return KINDS[word]
