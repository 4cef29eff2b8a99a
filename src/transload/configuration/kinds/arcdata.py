"""Azure Arc-enabled data services: `control.json`, the pull secret, and the manifests of the upgrade by kubectl.

Facts: az's extension arcdata (Azure/azure-cli-extensions, `src/arcdata`), which reads `spec.docker.*`, and for upgrades
the secret `arc-private-registry` by this very name, under the registry exactly as `spec.docker.registry` has it.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from transload.configuration.arcset import ANCHOR, ArcSet, arc_set
from transload.configuration.jsonedit import json_object, with_members
from transload.configuration.kinds import manifests, pull_secret
from transload.configuration.lookup import Lookup
from transload.configuration.relocation import Relocation
from transload.configuration.rewriting import Keys, Rewritten, rewritten
from transload.configuration.wishes import ConfigFile, Configuration, InputFile, Wishes
from transload.discovery.values import at, items, text
from transload.documents.value import Value
from transload.errors import UsageError
from transload.oci.reference import shown
from transload.wording import number_of

SECRET = "arc-private-registry"  # noqa: S105 - its name
VARIABLES = PurePosixPath("arcdata.env")
_PLACEHOLDER = "your-private-registry"
_CONTROL = "control.json"
_POLICY = "Always"
_WAY = ("spec", "docker")


def write(relocation: Relocation, wishes: Wishes) -> Configuration:
    """The given files for the registry, and with a login the secret. Without a `control.json`, variables for az.

    Raises `UsageError` for images that no controller would find, `DocumentInvalid` for files that are refused.
    """
    found = arc_set(relocation.images)
    lookup = Lookup.of((*relocation.images, *found.published))
    files: list[ConfigFile] = []
    notes: list[str] = []
    manifested: list[tuple[InputFile, Rewritten]] = []
    for file in wishes.inputs:
        if _is_control(file):
            files.append(ConfigFile(path=file.name, content=_control(file, found, notes)))
            continue
        new = rewritten(file.content, str(file.name), lookup, lambda document: _fields(document, found))
        manifested.append((file, new))
        files.append(ConfigFile(path=file.name, content=new.content))
        if _PLACEHOLDER.encode() in new.content:
            notes.append(f"{file.name}: put {SECRET} in the place of {_PLACEHOLDER}, or take the line out")
    if not wishes.inputs:
        files.append(ConfigFile(path=VARIABLES, content=_variables(found)))
        notes.append(f"without a control.json, az reads these variables: set -a; . {VARIABLES}; az arcdata dc create …")
    if relocation.reach.login is not None:
        named = Wishes(name=SECRET, namespace=wishes.namespace)
        secret = pull_secret.write(relocation, named).files[0]
        if any(file.path == secret.path for file in files):
            raise UsageError(f"{secret.path} is rewritten, and would be written, too", hint="leave it out of --rewrite")
        files.append(secret)
        notes.append(f"kubectl apply -n NAMESPACE -f {secret.path}, before the data controller is made or upgraded")
    notes += manifests.unread(manifested)
    notes += manifests.told([left for _, new in manifested for left in new.left])
    return Configuration(files=tuple(files), notes=(_summary(found), *notes, *_warnings(found, relocation)))


def _docker(found: ArcSet) -> dict[str, str]:
    return {"registry": found.registry, "repository": found.repository, "imageTag": found.tag}


def _is_control(file: InputFile) -> bool:
    """Whether a file is a profile of az, which has one object, and not some other manifest in JSON."""
    if file.name.suffix != ".json":
        return False
    if file.name.name == _CONTROL:
        return True
    tree = json_object(file.content, str(file.name))
    is_alone = not text(tree, "kind") and any(at(tree, "spec", key).content for key in ("docker", "credentials"))
    return is_alone or _is_controller(tree)


def _is_controller(value: Value) -> bool:
    return text(value, "kind").casefold() == "datacontroller"  # so written in the first previews


def _control(file: InputFile, found: ArcSet, notes: list[str]) -> bytes:
    """A `control.json` with the fields of `spec.docker`; a policy for pulling that is there stays."""
    name = str(file.name)
    spec = at(json_object(file.content, name), "spec")
    if not isinstance(spec.content, dict):
        raise UsageError(f"{name} is no control.json: it has no spec", subject=name, hint="az arcdata dc config init")
    secret = text(spec, "credentials", "dockerRegistry")
    if secret and secret != SECRET:
        notes.append(f"{name} names the secret {secret}, and az reads {SECRET} for upgrades, whatever stands there")
    api = text(json_object(file.content, name), "apiVersion")
    if found.is_refused_with(api):
        notes.append(f"{name} has the apiVersion {shown(api)}, and az takes {found.tag} only with {found.api}")
    notes.append(
        f"if DOCKER_REGISTRY, DOCKER_IMAGE_TAG … are set, az takes these variables instead of what {name} says"
    )
    policy = text(spec, "docker", "imagePullPolicy") or _POLICY
    return with_members(file.content, name, _WAY, {**_docker(found), "imagePullPolicy": policy})


def _fields(document: Value, found: ArcSet) -> dict[Keys, str]:
    """What is to stand in DataControllers that are written as a manifest, or in a list; only fields that are there."""
    listed = [(("items", index), item) for index, item in enumerate(items(at(document, "items")))]
    return {
        (*keys, *_WAY, key): value
        for keys, controller in [((), document), *listed]
        if _is_controller(controller)
        for key, value in _docker(found).items()
        if text(controller, *_WAY, key)
    }


def _variables(found: ArcSet) -> bytes:
    lines = {
        "DOCKER_REGISTRY": found.registry,
        "DOCKER_REPOSITORY": found.repository,
        "DOCKER_IMAGE_TAG": found.tag,
        "DOCKER_IMAGE_POLICY": _POLICY,
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items()).encode()


def _summary(found: ArcSet) -> str:
    release = f"{found.tag}, {number_of(len(found.images), 'image')} in {found.registry}/{found.repository}"
    return f"the newest of {len(found.others) + 1} releases is taken: {release}" if found.others else release


def _warnings(found: ArcSet, relocation: Relocation) -> list[str]:
    """What goes wrong later, if nobody says it now. Each is one sentence."""
    tag, tags = found.tag, f"https://{found.registry}/v2/{found.repository}/{ANCHOR}/tags/list"
    warnings = [
        f"the way with kubectl is the safe one: bootstrapper-upgrade-job.yaml, then spec.docker.imageTag: {tag}",
        f"az arcdata dc upgrade reads {tags} before anything else, and asks mcr.microsoft.com where that fails",
        "with a login, az reads tags only by the token protocol of Azure Container Registry",
        f"always give az --desired-version {tag}: without it, it takes the oldest that it finds",
        "no minor version may be skipped: the registry needs each release between that of the cluster and this one",
        "before the data controller is upgraded again, every SQL managed instance must have its version",
        "az arcdata dc create makes the secret only if REGISTRY_USERNAME and REGISTRY_PASSWORD are set, or DOCKER_…",
        "az takes no release that is newer than its own: az extension update --name arcdata",
        "in direct mode the extension decides, and takes the image of the bootstrapper as systemDefaultValues.image: "
        + found.reference("arc-bootstrapper"),
    ]
    if relocation.reach.ca is not None:
        warnings.append("az must trust the certificate authority, too: name its file in REQUESTS_CA_BUNDLE")
    if relocation.reach.plain_http:
        warnings.append(f"az speaks only HTTPS, so it cannot list the tags of {found.registry}")
    if found.is_too_old:
        warnings.append(f"az makes no data controller below v1.9.0_2022-07-12, and this is {found.tag}")
    if not found.is_known:
        warnings.append(f"{found.tag} is newer than all releases known here: its list of images is not checked")
    if found.missing:
        warnings.append(f"{number_of(len(found.missing), 'image')} of the release are missing: {_some(found.missing)}")
    if found.between:
        warnings.append(
            f"{number_of(len(found.between), 'release')} between {found.others[0]} and {found.tag} are missing at the "
            f"registry: {_some(found.between)}"
        )
    return warnings


def _some(texts: tuple[str, ...]) -> str:
    return ", ".join(texts[:8]) + (f", and {len(texts) - 8} more" if len(texts) > 8 else "")
