"""Hauler's manifests: `content.hauler.cattle.io`, kinds Images, Charts, Files and ImageTxts.

Shape: pkg/apis/hauler.cattle.io in https://github.com/hauler-dev/hauler; v1 and v1alpha1 have the same keys.
"""

from __future__ import annotations

from collections.abc import Iterator

from transload.catalog.lists.naming import chart, image, targets_note
from transload.catalog.lists.taken import Format, Note, Taken, is_of, items_of, listed, platform, rest, text_of
from transload.catalog.selected import join
from transload.documents.value import Value
from transload.oci.reference import named_registry, shown

_CONTENT, _COLLECTION = "content.hauler.cattle.io", "collection.hauler.cattle.io"
_UNVERIFIED = "signatures are not verified with it"
_SIGNATURES = dict.fromkeys(
    (
        *("key", "use-tlog-verify", "certificate-identity", "certificate-identity-regexp"),
        *("certificate-oidc-issuer", "certificate-oidc-issuer-regexp", "certificate-github-workflow-repository"),
    ),
    _UNVERIFIED,
)
_PREFIX = "hauler.dev/"
_ANNOTATIONS = {f"{_PREFIX}{key}": sentence for key, sentence in _SIGNATURES.items()}
_VALUES = "values of a chart are named under charts in an image set"
_CHART = ("name", "repoURL", "version", "add-images", "rewrite", "add-dependencies", "exclude-extras")


def _recognises(root: Value) -> bool:
    return is_of(root, _CONTENT) or is_of(root, _COLLECTION)


def _read(root: Value) -> Iterator[Taken]:
    kind, spec = root.get("kind").text(), root.get("spec")
    yield from rest(root, ("apiVersion", "kind", "metadata", "spec"), {})
    if is_of(root, _COLLECTION) or kind not in _KINDS:
        yield Note(root.where, f"Hauler's kind {kind[:40]!r} is not understood, and left out")
    elif spec.content:
        yield from _KINDS[kind](root, spec)


def _images(root: Value, spec: Value) -> Iterator[Taken]:
    metadata = root.get("metadata")
    annotations = metadata.get("annotations") if metadata.content else metadata
    registry, platforms = "", platform(Value("", root.document))
    if annotations.content:
        registry = text_of(annotations.get(f"{_PREFIX}registry"))
        platforms = platform(annotations.get(f"{_PREFIX}platform"))
        own = tuple(key for key, _ in annotations.entries() if not key.startswith(_PREFIX))
        yield from rest(annotations, (f"{_PREFIX}registry", f"{_PREFIX}platform", *own), _ANNOTATIONS)
    yield from rest(spec, ("images",), {})
    items = items_of(spec.get("images"))
    yield from targets_note(item.get("rewrite") for item in items if text_of(item.get("rewrite")))
    for item in items:
        name, rewrite = item.get("name"), item.get("rewrite")
        bare = registry and not named_registry(name.text())[0]  # the annotation is for these alone
        text = join(registry, name.text()) if bare else None
        target = rewrite if text_of(rewrite) else None
        yield image(name, text, target=target, platforms=platform(item.get("platform")) or platforms)
        yield from rest(item, ("name", "platform", "rewrite", "exclude-extras"), _SIGNATURES)


def _charts(_: Value, spec: Value) -> Iterator[Taken]:
    yield from rest(spec, ("charts",), {})
    for item in items_of(spec.get("charts")):
        name, repository = item.get("name").text(), text_of(item.get("repoURL")).rstrip("/")
        rewrite = item.get("rewrite") if text_of(item.get("rewrite")) else None
        with_images = item.get("add-images").content == "true"
        yield chart(item, join(repository, name), text_of(item.get("version")), images=with_images, target=rewrite)
        yield from rest(item, _CHART, {"verify": _UNVERIFIED, "keyring": _UNVERIFIED, "valuesFiles": _VALUES})


def _files(_: Value, spec: Value) -> Iterator[Taken]:
    files = items_of(spec.get("files"))
    if files:
        names = listed(item.get("path").text() for item in files)
        yield Note(spec.get("files").where, f"files are no images, pack carries them with --also: {names}")


def _texts(_: Value, spec: Value) -> Iterator[Taken]:
    for item in items_of(spec.get("imageTxts")):
        yield Note(item.where, f"{shown(item.get('ref').text())[:100]} is a list of its own; name it in the same run")


_KINDS = {"Images": _images, "Charts": _charts, "Files": _files, "ImageTxts": _texts}

FORMAT = Format("Hauler manifest", _recognises, _read)
