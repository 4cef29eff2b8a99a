"""What was signed: the descriptor of an artifact (signature-specification.md, "Payload")."""

from __future__ import annotations

from transload.limits import NOTATION_BYTES, NOTATION_VALUES
from transload.oci import Descriptor
from transload.strictjson import NotJson, read_json
from transload.trust.doubt import Doubt, plain


def check_payload(payload: bytes, descriptor: Descriptor) -> None:
    """Raise `Doubt` unless digest, size and media type in the payload are those of `descriptor`."""
    try:
        document = read_json(payload, limit=NOTATION_BYTES, values=NOTATION_VALUES)
    except NotJson as error:
        raise Doubt(f"its payload {error.verdict}") from error
    target = document.get("targetArtifact") if isinstance(document, dict) else None
    if not isinstance(target, dict):
        raise Doubt("its payload names no artifact")
    expected = {"digest": str(descriptor.digest), "size": descriptor.size, "mediaType": descriptor.media_type}
    for key, value in expected.items():
        signed = target.get(key)
        if signed != value or type(signed) is not type(value):
            raise Doubt(f"it is the signature of another image: its {key} is {plain(signed)}, not {value}")
