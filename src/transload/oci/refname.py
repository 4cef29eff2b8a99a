"""Names in the annotations of an `index.json`: reading those of other tools, and writing ours beside them."""

from __future__ import annotations

from collections.abc import Mapping

from transload.errors import ReferenceInvalid
from transload.oci.reference import DEFAULT_TAG, Name, Reference

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
OWN_NAME = "io.transload.name"  # only where REF_NAME would be read as another name
NAME_KEYS = frozenset({REF_NAME, CONTAINERD_NAME, OWN_NAME})


def name_in(text: str) -> Name | None:
    """The name in a `ref.name` annotation; None if it has none.

    Tools write a bare tag (`v1`, as in the specification), `repository:tag`, or a full reference. Its registry is
    dropped, because the origin of an image is not part of its name here. A digest is dropped too.

    >>> name_in("localhost:5000/acme/app:1"), name_in("acme/app"), name_in("v1")
    (Name(repository='acme/app', tag='1', digest=None), Name(repository='acme/app', tag='latest', digest=None), \
Name(repository='', tag='v1', digest=None))
    """
    try:
        if not set("/:@") & set(text):
            return Name("", text) if text else None
        name = Reference.parse(text).name if "/" in text else Name.parse(text)
    except ReferenceInvalid:
        return None
    if name.digest and not name.tag:
        return None
    return Name(name.repository, name.tag or DEFAULT_TAG)


def name_of(annotations: Mapping[str, str]) -> Name | None:
    """The name in the annotations of an index's entry; None if there is none."""
    own = annotations.get(OWN_NAME)
    if own:
        try:
            return Name.parse(own)
        except ReferenceInvalid:
            return None
    # Docker and containerd write the full name here, and the bare tag into REF_NAME, where many images share it.
    return name_in(annotations.get(CONTAINERD_NAME, "")) or name_in(annotations.get(REF_NAME, ""))


def annotations_for(name: Name, *, for_engines: bool = False) -> dict[str, str]:
    """Annotations from which `name_of` reads this name, and other tools as much of it as they can.

    A digest beside a tag is not written. With `for_engines`, a tagged name is also written in the full form that docker
    and containerd use: `docker.io/library/app:1` for `app:1`.
    """
    if name.tag is None:  # other readers do not know such names; they find the manifest by its position or digest
        return {OWN_NAME: str(name)} if name.repository else {}
    tagged = Name(name.repository, name.tag)
    text = str(tagged) if tagged.repository else name.tag
    if for_engines and tagged.repository:
        return {CONTAINERD_NAME: str(Reference.parse(text)), REF_NAME: text, OWN_NAME: text}
    return {REF_NAME: text} if name_in(text) == tagged else {REF_NAME: text, OWN_NAME: text}
