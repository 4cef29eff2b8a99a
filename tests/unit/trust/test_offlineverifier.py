"""The rules that are added to sigstore-python: an old entry of the log is compared with all that the bundle has."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from sigstore.errors import VerificationError
from sigstore.models import Bundle

from tests.unit.trust.test_conformance import CASES, NAMES
from transload.trust.offlineverifier import _logged, _signed

pytestmark = pytest.mark.skipif(not NAMES, reason="the signatures to test with are not beside the checkout")

CASE = CASES / "intoto-with-custom-trust-root" / "bundle.sigstore.json"


def changed(change: Callable[[dict[str, Any]], None]) -> Bundle:
    document = json.loads(CASE.read_text())
    change(document)
    return Bundle.from_json(json.dumps(document))


def compared(bundle: Bundle) -> bool:
    envelope = bundle._dsse_envelope
    assert envelope
    return _logged(bundle) == _signed(bundle, envelope)


def other_certificate(document: dict[str, Any]) -> None:
    other = json.loads((CASES / "happy-path-v0.1" / "bundle.sigstore.json").read_text())
    document["verificationMaterial"]["x509CertificateChain"] = other["verificationMaterial"]["x509CertificateChain"]


def body(document: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> None:
    entry = document["verificationMaterial"]["tlogEntries"][0]
    content = json.loads(base64.b64decode(entry["canonicalizedBody"]))
    change(content)
    entry["canonicalizedBody"] = base64.b64encode(json.dumps(content).encode()).decode()


def test_the_entry_of_a_good_bundle_matches() -> None:
    assert compared(changed(lambda document: None))


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["dsseEnvelope"].update(payload="e30="),
        lambda document: document["dsseEnvelope"].update(payloadType="text/plain"),
        lambda document: document["dsseEnvelope"]["signatures"][0].update(sig="AAAA"),
        other_certificate,
        lambda document: body(document, lambda it: it["spec"]["content"]["payloadHash"].update(algorithm="sha1")),
        lambda document: body(document, lambda it: it["spec"]["content"]["envelope"].update(signatures=[])),
    ],
)
def test_an_entry_about_something_else_does_not_match(change: Callable[[dict[str, Any]], None]) -> None:
    assert not compared(changed(change))


def test_an_entry_of_another_kind_is_refused() -> None:
    with pytest.raises(VerificationError, match="another kind"):
        compared(changed(lambda document: body(document, lambda it: it.update(kind="dsse"))))
