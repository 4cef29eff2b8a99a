"""OpenShift's mirrors: for images asked for by digest, for those asked for by tag, and the trust in the registry.

Rules: ImageDigestMirrorSet and ImageTagMirrorSet (config.openshift.io/v1, OpenShift 4.13 and later), and
`additionalTrustedCA` of image.config.openshift.io, whose keys are hosts with `..` before the port.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

from transload.configuration.objects import object_name, objects_text
from transload.configuration.relocation import MovedImage, PrefixRule, Relocation
from transload.configuration.wishes import ConfigFile, Configuration, Wishes
from transload.errors import UsageError
from transload.wording import first_of

NAME = "transload"
_API = "config.openshift.io/v1"
_HOST = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST_PORT = re.compile(rf"{_HOST}(?:\.{_HOST})*(?::[0-9]+)?")
_SHOWN = 3


def write(relocation: Relocation, wishes: Wishes) -> Configuration:
    """Both sets, and a ConfigMap with the certificate authority if it is known.

    Raises `UsageError` for a registry that OpenShift cannot name.
    """
    name = object_name(wishes.name, NAME)
    by_tag = [image for image in relocation.images if image.source.name.tag and not image.is_renamed_tag]
    rules = _rules(relocation, {image.source_repository for image in relocation.images}, wishes)
    tag_rules = _rules(relocation, {image.source_repository for image in by_tag}, wishes)
    files = [_set("ImageDigestMirrorSet", "imageDigestMirrors", name, rules, wishes)]
    if tag_rules:
        files.append(_set("ImageTagMirrorSet", "imageTagMirrors", name, tag_rules, wishes))
    if relocation.reach.ca is not None:
        files.append(_trust(name, relocation.registry, relocation.reach.ca))
    return Configuration(files=tuple(files), notes=tuple(_notes(relocation, wishes, name)))


def _rules(relocation: Relocation, repositories: set[str], wishes: Wishes) -> tuple[PrefixRule, ...]:
    """The rules that these repositories need. Without a way back, single ones: nothing else may be cut off."""
    if wishes.no_fallback:
        moved = {image.source_repository: image.target_repository for image in relocation.images}
        rules: Iterable[PrefixRule] = (PrefixRule(source, moved[source]) for source in sorted(repositories))
    else:
        rules = relocation.close_rules
    return tuple(rule for rule in rules if any(rule.covers(repository) for repository in repositories))


def _set(kind: str, field: str, name: str, rules: Iterable[PrefixRule], wishes: Wishes) -> ConfigFile:
    policy = "NeverContactSource" if wishes.no_fallback else "AllowContactingSource"
    mirrors = [
        {"source": _checked(rule.source), "mirrors": [_checked(rule.target)], "mirrorSourcePolicy": policy}
        for rule in rules
    ]
    document = {"apiVersion": _API, "kind": kind, "metadata": {"name": name}, "spec": {field: mirrors}}
    file = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind).lower()
    return ConfigFile(path=PurePosixPath(f"{file}.yaml"), content=objects_text(document))


def _checked(place: str) -> str:
    host = place.partition("/")[0]
    if not _HOST_PORT.fullmatch(host):
        raise UsageError(
            f"OpenShift's mirrors cannot name the registry {host}", subject=host, hint="give it a name in your DNS"
        )
    return place


def _trust(name: str, registry: str, authority: bytes) -> ConfigFile:
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{name}-registry-ca", "namespace": "openshift-config"},
        "data": {_checked(registry).replace(":", ".."): _text(authority)},
    }
    return ConfigFile(path=PurePosixPath("registry-ca.yaml"), content=objects_text(document))


def _text(authority: bytes) -> str:
    try:
        return authority.decode("ascii")
    except UnicodeDecodeError as error:
        raise UsageError("the certificate authority is not in PEM", hint="convert it with openssl x509") from error


def _notes(relocation: Relocation, wishes: Wishes, name: str) -> Iterator[str]:
    yield "oc apply -f each file; the machine config operator then changes the nodes one after the other"
    yield (
        "the set for digests serves pods that ask for images by digest, the set for tags those that ask by tag; before"
        " OpenShift 4.13 there are only digests: ImageContentSourcePolicy, with these pairs as repositoryDigestMirrors"
    )
    yield "a cluster that has ImageContentSourcePolicy objects takes none of these sets: oc adm migrate icsp first"
    reach = relocation.reach
    if reach.ca is not None:
        patch = f'{{"spec":{{"additionalTrustedCA":{{"name":"{name}-registry-ca"}}}}}}'
        yield f"oc patch image.config.openshift.io/cluster --type merge -p '{patch}', or add its key to the one there"
    if reach.plain_http or reach.insecure_tls:
        yield (
            f"{relocation.registry} is reached without a trusted certificate: name it in"
            " spec.registrySources.insecureRegistries of image.config.openshift.io/cluster"
        )
    if renamed := relocation.renamed_tags:
        yield f"mirrors cannot change tags, so these images are not found: {_named(renamed)}"
    if astray := [image for image in relocation.images if not _is_led(image, relocation.close_rules)]:
        yield f"one repository has one mirror, so these are not found: {_named(astray)}"
    narrowed = [image for image in relocation.images if image.digest and image.source.name.digest]
    if other := [image for image in narrowed if image.digest != image.source.name.digest]:
        yield f"the registry has other digests, so these are not found: {_named(other)}"
    if wishes.no_fallback:
        yield "what the registry does not have cannot be pulled"


def _is_led(image: MovedImage, rules: Iterable[PrefixRule]) -> bool:
    """Whether the rules lead to the repository of this image: others of its repository may lie elsewhere."""
    rule = max((rule for rule in rules if rule.covers(image.source_repository)), key=lambda rule: len(rule.source))
    return rule.of(image.source_repository) == image.target_repository


def _named(images: Iterable[MovedImage]) -> str:
    return first_of((str(image.source) for image in images), _SHOWN)
