"""What the published schemas of OpenShift's mirror sets allow.

Source: github.com/openshift/api, config/v1/zz_generated.crd-manifests, 0000_10_config-operator_01_image{digest,tag}
mirrorsets.crd.yaml, commit c01b540c398a5af09329b62a4dd0fcb751df4da2. The facts are theirs, the form is ours.
"""

import re
from typing import Any

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_PATH = r"(?:/[a-z0-9]+(?:(?:(?:[._]|__|[-]*)[a-z0-9]+)+)?)+"
MIRROR = re.compile(rf"({_LABEL}(?:(?:\.{_LABEL})+)?(?::[0-9]+)?)(?:{_PATH})?")
SOURCE = re.compile(rf"\*(?:\.{_LABEL})+|{MIRROR.pattern}")
POLICIES = {"NeverContactSource", "AllowContactingSource"}
FIELDS = {"ImageDigestMirrorSet": "imageDigestMirrors", "ImageTagMirrorSet": "imageTagMirrors"}


def check(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The mirrors of a set that the schema allows; an `AssertionError` tells what it does not."""
    assert set(document) == {"apiVersion", "kind", "metadata", "spec"}
    assert document["apiVersion"] == "config.openshift.io/v1"
    assert set(document["spec"]) == {FIELDS[document["kind"]]}
    mirrors: list[dict[str, Any]] = document["spec"][FIELDS[document["kind"]]]
    for mirror in mirrors:
        assert set(mirror) <= {"source", "mirrors", "mirrorSourcePolicy"}
        assert SOURCE.fullmatch(mirror["source"]), mirror["source"]
        assert len(set(mirror["mirrors"])) == len(mirror["mirrors"]) > 0
        assert all(MIRROR.fullmatch(place) for place in mirror["mirrors"])
        assert mirror["mirrorSourcePolicy"] in POLICIES
    return mirrors
