"""Bills of materials, CycloneDX and SPDX: package URLs of images become references, by the purl specification."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from tests.unit.discovery.reading import discovered, images, places, questions, rules, unread
from transload.discovery.finding import Finding, Irrelevant, Place, Question, Unread
from transload.discovery.kinds import read_file
from transload.discovery.purl import image_of

DIGEST = f"sha256:{'ab' * 32}"
PERCENT = DIGEST.replace(":", "%3A")
UNKNOWN = "it says no repository_url, so the registry and the repository are not known"


@pytest.mark.parametrize(
    ("url", "reference", "sureness"),
    [
        (
            f"pkg:oci/debian@{PERCENT}?repository_url=docker.io/library/debian&tag=latest",
            "docker.io/library/debian:latest@" + DIGEST,
            "certain",
        ),
        (
            f"pkg:oci/static@{DIGEST}?arch=amd64&repository_url=gcr.io%2Fdistroless%2Fstatic",
            "gcr.io/distroless/static@" + DIGEST,
            "certain",
        ),
        (
            f"pkg:oci/alpine@{PERCENT}?repository_url=index.docker.io%2Flibrary%2Falpine",
            "docker.io/library/alpine@" + DIGEST,
            "certain",
        ),
        ("pkg:oci/app?repository_url=https://ghcr.io/team/app&tag=1.2", "ghcr.io/team/app:1.2", "certain"),
        (
            "pkg:oci/app?repository_url=registry.example:5000/team&tag=1.2",
            "registry.example:5000/team/app:1.2",
            "likely",
        ),
        ("pkg:oci/pause@3.9?repository_url=registry.k8s.io", "registry.k8s.io/pause:3.9", "likely"),
        ("pkg:docker/cassandra@latest", "cassandra:latest", "certain"),
        ("pkg:docker/library/alpine@3.20?platform=linux%2Famd64", "library/alpine:3.20", "certain"),
        (f"pkg:docker/alpine@3.20?digest={PERCENT}", "alpine:3.20@" + DIGEST, "certain"),
        (f"pkg:docker/customer/app@{PERCENT}?repository_url=gcr.io", "gcr.io/customer/app@" + DIGEST, "likely"),
        ("PKG:Docker/a/b@1?repository_url=https://hub.docker.com#x", "docker.io/a/b:1", "certain"),
    ],
)
def test_package_urls_are_references(url: str, reference: str, sureness: str) -> None:
    found = image_of(url, Place(file="x"), "x")
    assert isinstance(found, Finding)
    assert (found.text, found.sureness) == (reference, sureness)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"pkg:oci/app@{PERCENT}?tag=1", UNKNOWN),
        ("pkg:oci/?tag=1", UNKNOWN),
        ("pkg:docker/a@sha256%3A244fd47e07d10", "takes 64 lower-case hexadecimal digits"),
        ("pkg:docker/a@.bad", "'.bad' is not a tag"),
        ("pkg:docker/UPPER%20CASE@1", "is not a repository"),
        ("pkg:oci/" + "a" * 5000, "it is no package URL of an image"),
        ("pkg:npm/left-pad@1", "it is no package URL of an image"),
    ],
)
def test_what_a_package_url_leaves_open_is_asked(url: str, reason: str) -> None:
    asked = image_of(url, Place(file="x"), "x")
    assert isinstance(asked, Question)
    assert reason in asked.reason or "capital letters" in asked.reason
    assert len(asked.text) <= 200


# Written anew, in the shapes of what Syft and Trivy write about an image, and of a product that lists its images.
PRODUCT: dict[str, Any] = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "metadata": {"component": {"type": "container", "name": "registry.example/shop/web:1.4", "version": DIGEST}},
    "components": [
        {"type": "library", "name": "left-pad", "version": "1.3.0", "purl": "pkg:npm/left-pad@1.3.0"},
        {"type": "container", "name": "db", "purl": "pkg:docker/postgres@16.3"},
        {
            "type": "application",
            "name": "suite",
            "components": [
                {"type": "container", "name": "quay.io/team/worker", "version": "2.0"},
                {"type": "container", "name": "cache", "purl": f"pkg:oci/redis@{PERCENT}?tag=7"},
            ],
        },
        {"type": "container", "name": "Not A Reference", "version": "1"},
        {"type": "container", "version": 3, "name": ["x"], "purl": {}},
    ],
}


def test_cyclonedx_json() -> None:
    text = json.dumps(PRODUCT)
    assert rules(text, "bom.json") == [
        (f"registry.example/shop/web:1.4@{DIGEST}", "cyclonedx", "likely"),
        ("postgres:16.3", "cyclonedx", "certain"),
        ("quay.io/team/worker:2.0", "cyclonedx", "likely"),
    ]
    assert [text for text, _ in questions(text, "bom.json")] == [f"pkg:oci/redis@{PERCENT}?tag=7", "Not A Reference:1"]
    assert places(text, "bom.json")[2] == "bom.json: components[2].components[0]"


XML = f"""<?xml version="1.0"?>
<bom xmlns="http://cyclonedx.org/schema/bom/1.5" version="1">
  <metadata><component type="container"><name>registry.example/shop/web</name><version>1.4</version></component></metadata>
  <components>
    <component type="library"><name>x</name><purl>pkg:npm/x@1</purl></component>
    <component type="application"><name>suite</name>
      <components>
        <component type="container">
          <name>db</name><purl>pkg:oci/postgres@{PERCENT}?repository_url=docker.io/library/postgres&amp;tag=16</purl>
        </component>
      </components>
    </component>
  </components>
</bom>
"""  # noqa: E501 - an element of XML


def test_cyclonedx_xml() -> None:
    assert rules(XML, "bom.xml") == [
        ("registry.example/shop/web:1.4", "cyclonedx", "likely"),
        (f"docker.io/library/postgres:16@{DIGEST}", "cyclonedx", "certain"),
    ]
    assert places(XML, "bom.xml")[1] == "bom.xml:8: component"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (XML.replace("<bom", '<!DOCTYPE b [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>\n<bom'), "it has a DOCTYPE"),
        (XML[:-8], "no element found"),
        (XML.replace("<metadata>", "<x>" * 1000), "it is nested too deep"),
        (
            XML.replace("<metadata>", "<x " + " ".join(f"a{n}=''" for n in range(300_000)) + ">"),
            "more than 1048576 bytes",
        ),
        (XML.replace('"1.0"', '"1.0" encoding="no-such"'), "unknown encoding"),
    ],
)
def test_xml_that_is_not_read_is_told(content: str, reason: str) -> None:
    assert [reason in told for told in unread(content, "bom.xml")] == [True]


def test_what_stands_before_an_error_in_xml_is_found() -> None:
    components = "<component type='container'><name>a/b</name><version>1</version></component>\n" * 2000
    text = f'<bom xmlns="http://cyclonedx.org/schema/bom/1.5">{components}</nothing>'
    assert len(images(text, "bom.xml")) == 2000
    assert "mismatched tag" in unread(text, "bom.xml")[0]
    assert places(text, "bom.xml")[-1] == "bom.xml:2001"


# In the shape of a release that lists its images as packages, with and without a package URL.
SPDX = {
    "spdxVersion": "SPDX-2.3",
    "packages": [
        {"name": "curl", "externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:deb/debian/curl@7"}]},
        {
            "name": "apiserver",
            "externalRefs": [
                {"referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:x:y:1:*:*:*:*:*:*:*"},
                {
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": f"pkg:oci/api@{PERCENT}?repository_url=registry.example%2Fkube%2Fapi&tag=v1",
                },
            ],
        },
    ],
}
API = f"registry.example/kube/api:v1@{DIGEST}"


def test_spdx_json() -> None:
    assert rules(json.dumps(SPDX), "release.spdx.json") == [(API, "spdx", "certain")]
    assert places(json.dumps(SPDX), "r.json") == ["r.json: packages[1].externalRefs[1]"]


def test_spdx_yaml() -> None:
    reference = "  - referenceType: purl\n    referenceLocator: pkg:docker/a@1\n"
    text = f"spdxVersion: SPDX-2.2\npackages:\n- externalRefs:\n{reference}"
    assert images(text, "x.spdx.yaml") == ["a:1"]


def test_spdx_version_3() -> None:
    graph = {
        "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
        "@graph": [
            {"type": "software_Package", "software_packageUrl": "pkg:docker/a@1"},
            {
                "type": "software_Package",
                "externalIdentifier": [{"externalIdentifierType": "packageUrl", "identifier": "pkg:docker/b@2"}],
            },
        ],
    }
    assert images(json.dumps(graph), "x.spdx.json") == ["a:1", "b:2"]


def test_spdx_tag_value() -> None:
    text = (
        "# made by hand\nSPDXVersion: SPDX-2.3\r\nPackageName: api\r\n"
        f"ExternalRef: PACKAGE-MANAGER purl pkg:oci/api@{PERCENT}?repository_url=registry.example/kube/api&tag=v1\r\n"
        "ExternalRef: SECURITY cpe23Type cpe:2.3:a:x\n"
    )
    assert rules(text, "release.spdx") == [(API, "spdx", "certain")]
    assert places(text, "release.spdx") == ["release.spdx:4"]


def test_a_bill_without_images_is_counted() -> None:
    for text in ('{"bomFormat": "CycloneDX"}', '{"spdxVersion": "SPDX-2.3", "packages": 3}', "SPDXVersion: SPDX-2.3\n"):
        assert [type(item) for item in discovered(text, "x.json")] == [Irrelevant]


def test_components_are_read_one_by_one() -> None:
    good = '{"type": "container", "name": "a/b", "version": "1"}'
    text = (
        f'{{"bomFormat": "CycloneDX", "x": [[{{}}]], "components": [{good}, {{"a": NaN}}, {{"a": 1, "a": 2}}, {good}]}}'
    )
    assert images(text, "b.json") == ["a/b:1", "a/b:1"]
    assert places(text, "b.json")[-1] == "b.json: components[3]"
    assert [reason[:36] for reason in unread(text, "b.json")] == ["b.json:1: what begins here cannot be"] * 2
    assert unread(f"{text}\n{text}", "b.json")[-1].startswith("b.json:2: a second document begins")
    assert "a bracket is not closed" in unread(text[:-2], "b.json")[0]


def test_a_bill_with_more_values_than_one_document_may_have_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transload.discovery.jsonstream.STREAM_DOCUMENT_VALUES", 2000)
    component = {"type": "library", "name": "x", "properties": [{"name": "a", "value": ""}] * 100}
    components = [component] * 50 + PRODUCT["components"]
    content = json.dumps({"bomFormat": "CycloneDX", "components": components}).encode()
    assert images(content, "b.json") == ["postgres:16.3", "quay.io/team/worker:2.0"]
    assert unread(content, "b.json") == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"bomFormat": "CycloneDX", "components": [' + "3," * 2000 + "4]}", "it has more than 1000 items"),
        ('{"bomFormat": "CycloneDX", "components": [[' + "3," * 2000 + "4]]}", "it has more than 1000 values"),
        ('{"bomFormat": "CycloneDX", "components": [' + "[]," * 2000 + "4]}", "more than 2000 lists and objects"),
        ('{"bomFormat": "CycloneDX", ' + '"a":1,' * 2000 + '"b":1}', "it has more than 1000 items"),
        ('{"bomFormat": "CycloneDX", "components": ' + "[" * 1900, "it is nested too deep"),
        ('{"spdxVersion": "SPDX-2.3", "packages": "' + "x" * 1_000_000, "Unterminated string"),
    ],
    ids=["items", "values", "brackets", "members", "depth", "text"],
)
def test_hostile_bills_are_told(content: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, value in (("ITEMS", 1000), ("DOCUMENT_VALUES", 1000), ("BRACKETS", 2000)):
        monkeypatch.setattr(f"transload.discovery.jsonstream.STREAM_{limit}", value)
    [told] = unread(content, "b.json")
    assert reason in told


def test_hostile_json_costs_no_more_memory_than_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transload.discovery.jsonstream.STREAM_DOCUMENT_VALUES", 1000)
    content = b'{"kind":"List","items":[{"a":[' + b"[]," * 100_000 + b'1]},{"a":1}]}'
    tracemalloc.start()
    try:
        found = [type(item) for item in read_file(content, "a.json")]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == [Unread, Irrelevant]
    assert peak < 5 * len(content)  # read as a whole, it takes 30 times as much


def test_spdx_as_rdf_is_told() -> None:
    text = '<?xml version="1.0"?>\n<rdf:RDF xmlns:spdx="http://spdx.org/rdf/terms#"/>'
    assert unread(text, "a.rdf") == ["SPDX as RDF is not read: convert it to JSON (pyspdxtools does)"]


@pytest.mark.parametrize(
    ("mark", "key"), [({"bomFormat": "CycloneDX"}, "components"), ({"spdxVersion": "SPDX-2.3"}, "packages")]
)
def test_a_mark_that_stands_at_the_end_is_seen(mark: dict[str, str], key: str) -> None:
    reference = {"referenceType": "purl", "referenceLocator": "pkg:docker/a@1"}
    package = {"type": "container", "name": "a", "purl": "pkg:docker/a@1", "externalRefs": [reference]}
    text = json.dumps({key: [package], "padding": "x" * 70_000, **mark})
    assert images(text, "b.json") == ["a:1"]
