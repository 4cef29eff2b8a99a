"""Bills of materials of each form, and what is hostile in them."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from tests.unit.server.page.content import ATTACK, cyclonedx, encoded, envelope, spdx, statement
from transload.limits import PAGE_COMPONENTS, PAGE_DOCUMENT_BYTES
from transload.server.page.parts import Component, inside
from transload.server.page.reading import NotShown

TAG_VALUE = b"""SPDXVersion: SPDX-2.3
DocumentName: app
Created: 2024-05-06T07:08:09Z
PackageName: zlib
PackageVersion: 1.2
PackageLicenseConcluded: NOASSERTION
PackageLicenseDeclared: Zlib
ExternalRef: PACKAGE-MANAGER purl pkg:deb/debian/zlib@1.2
PackageName: openssl
PackageVersion: 3.0
"""
SPDX_3 = encoded(
    {
        "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
        "@graph": [
            {"type": "CreationInfo", "created": "2024-05-06"},
            {"type": "SpdxDocument", "name": "app"},
            {"type": "software_Package", "name": "zlib", "software_packageVersion": "1.2"},
        ],
    }
)


def test_spdx() -> None:
    read = inside(spdx(["zlib", "openssl"]))
    assert (read.form, read.about, read.created, read.total) == ("SPDX 2.3", "app", "2024-05-06T07:08:09Z", 2)
    assert read.components is not None
    assert read.components[0] == Component(
        name="zlib", version="1.0", kind="library", licence="Apache-2.0", purl="pkg:deb/debian/zlib@1.0"
    )


def test_spdx_3() -> None:
    read = inside(SPDX_3)
    assert (read.form, read.about, read.components) == ("SPDX 3", "app", (Component(name="zlib", version="1.2"),))


def test_spdx_as_text() -> None:
    read = inside(TAG_VALUE)
    assert (read.form, read.about, read.created) == ("SPDX 2.3", "app", "2024-05-06T07:08:09Z")
    assert read.components == (
        Component(name="zlib", version="1.2", licence="Zlib", purl="pkg:deb/debian/zlib@1.2"),
        Component(name="openssl", version="3.0"),
    )


def test_cyclonedx_with_components_inside_others() -> None:
    read = inside(cyclonedx(["web"]))
    assert (read.form, read.about) == ("CycloneDX 1.5", "app 7")
    assert read.components == (
        Component(
            name="org.example/web", version="2.0", kind="library", licence="MIT", purl="pkg:maven/org.example/web@2.0"
        ),
        Component(name="web.jar", kind="file"),
    )


def test_a_bill_inside_an_attestation_inside_a_bundle_of_sigstore() -> None:
    wrapped = envelope(statement("https://spdx.dev/Document/v2.3", json.loads(spdx(["zlib"]))))
    for raw in (wrapped, encoded({"dsseEnvelope": json.loads(wrapped), "verificationMaterial": {}})):
        read = inside(raw)
        assert (read.predicate, read.total) == ("https://spdx.dev/Document/v2.3", 1)


def test_a_bill_as_cosign_1_wrapped_it() -> None:
    data = {"Data": spdx(["zlib"]).decode(), "Timestamp": "2022"}
    assert inside(envelope(statement("https://spdx.dev/Document", data))).total == 1


def test_what_is_no_bill_is_shown_as_text() -> None:
    read = inside(statement("https://slsa.dev/provenance/v1", {"builder": {"id": "b"}}))
    assert read.predicate == "https://slsa.dev/provenance/v1"
    assert read.components is None
    assert '    "id": "b"' in read.lines


def test_a_long_text_is_cut() -> None:
    read = inside(encoded(["x" * 10] * 100_000))
    assert read.cut
    assert sum(map(len, read.lines)) <= 64 << 10
    assert inside(encoded({"a": "x" * 1_000_000})).cut


def test_components_are_kept_to_a_bound_and_all_are_counted() -> None:
    read = inside(spdx("x" for _ in range(PAGE_COMPONENTS + 5)))
    assert read.components is not None
    assert (len(read.components), read.total) == (PAGE_COMPONENTS, PAGE_COMPONENTS + 5)


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"{", b"\xff\xfe", b"<xml/>", b'{"a":1,"a":2}', b"[" * 5000),
        b" " * (PAGE_DOCUMENT_BYTES + 1),
        envelope(b"{")[:-20] + b"!!",
        encoded({"payloadType": "x", "payload": "not base64!"}),
        encoded({"payloadType": "x", "payload": "é"}),
        b"SPDXVersion: \xff",
    ],
)
def test_what_cannot_be_read_is_said(raw: bytes) -> None:
    with pytest.raises(NotShown):
        inside(raw)


def test_values_of_wrong_types_say_nothing() -> None:
    odd: list[object] = [None, 1, "x", [], {"name": 5, "licenses": {"a": 1}, "components": "x", "externalRefs": [1]}]
    for key, head in (("packages", {"spdxVersion": "SPDX-2.3"}), ("components", {"bomFormat": "CycloneDX"})):
        read = inside(encoded({**head, key: odd, "metadata": 3, "creationInfo": []}))
        assert read.components == (Component(name=""),)
        assert inside(encoded({**head, key: "x"})).components == ()


def test_texts_are_bounded_and_kept_as_they_are() -> None:
    [component] = inside(spdx([ATTACK])).components or ()
    assert component.name == ATTACK  # whoever shows it escapes it
    [component] = inside(spdx(["x" * 7_000_000])).components or ()
    assert len(component.name) < 300


def test_deep_nesting_of_components_is_no_recursion() -> None:
    tree: dict[str, object] = {"name": "leaf"}
    for _ in range(25):
        tree = {"name": "x", "components": [tree]}
    assert inside(encoded({"bomFormat": "CycloneDX", "components": [tree]})).total == 26


@pytest.mark.parametrize(
    "line", [b":\n", b"\n", b"a:\n", b"PackageName:\n", b"PackageName: x\nExternalRef: a purl b\n"]
)
def test_lines_of_a_text_take_little_memory(line: bytes) -> None:
    """A list of all lines took a gigabyte."""
    raw = b"SPDXVersion: SPDX-2.3\n" + line * ((2 << 20) // len(line))
    tracemalloc.start()
    try:
        read = inside(raw)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()
    assert read.components is not None
    assert len(read.components) <= PAGE_COMPONENTS
