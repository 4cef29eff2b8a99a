"""An operator's bundle, and catalogs as files: which images are right, found, and open."""

from __future__ import annotations

import json

from tests.unit.discovery.reading import discovered, images, places, questions, rules, unread
from transload.discovery.finding import Irrelevant

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")

# Written anew, in the shape of the manifest of an operator for a database: the operator and a proxy beside it run in a
# deployment, the images that it starts are in variables and, with digests, among the related images.
VERSION = f"""\
apiVersion: operators.coreos.com/v1alpha1
kind: ClusterServiceVersion
metadata:
  name: pond-operator.v1.4.0
  annotations:
    containerImage: quay.io/pond/operator:v1.4.0
    alm-examples: '[{{"kind": "Pond", "spec": {{"image": "quay.io/pond/example:1"}}}}]'
spec:
  install:
    strategy: deployment
    spec:
      deployments:
      - name: pond-controller
        spec:
          template:
            spec:
              initContainers:
              - {{name: wait, image: "registry.k8s.io/pause:3.9"}}
              containers:
              - name: proxy
                image: gcr.io/kubebuilder/kube-rbac-proxy:v0.16.0
              - name: manager
                image: quay.io/pond/operator@{A}
                env:
                - {{name: RELATED_IMAGE_POND, value: "quay.io/pond/pond@{B}"}}
                - {{name: RELATED_IMAGE_BACKUP, value: ""}}
                - {{name: RELATED_IMAGE_SHELL, value: "quay.io/pond/shell:$(VERSION)"}}
                - {{name: LOG_LEVEL, value: "debug:2"}}
                - {{name: OPERAND_IMAGE_METRICS, value: "quay.io/pond/metrics:1"}}
  relatedImages:
  - {{name: pond, image: "quay.io/pond/pond@{B}"}}
  - {{name: backup, image: "quay.io/pond/backup@{C}"}}
  - {{name: wrong, image: "@{C}"}}
  - {{name: worse, image: [x]}}
"""


def test_a_cluster_service_version() -> None:
    assert rules(VERSION, "csv.yaml") == [
        (f"quay.io/pond/pond@{B}", "olm relatedImages", "certain"),
        (f"quay.io/pond/backup@{C}", "olm relatedImages", "certain"),
        ("quay.io/pond/operator:v1.4.0", "olm containerImage", "certain"),
        ("registry.k8s.io/pause:3.9", "init container", "certain"),
        ("gcr.io/kubebuilder/kube-rbac-proxy:v0.16.0", "pod", "certain"),
        (f"quay.io/pond/operator@{A}", "pod", "certain"),
        (f"quay.io/pond/pond@{B}", "RELATED_IMAGE", "certain"),
        ("quay.io/pond/metrics:1", "environment variable", "likely"),
    ]
    assert [text for text, _ in questions(VERSION, "csv.yaml")] == [f"@{C}", "quay.io/pond/shell:$(VERSION)"]
    assert unread(VERSION, "csv.yaml") == [
        "csv.yaml:34: spec.relatedImages[3].image: expected the name of an image, found a list"
    ]
    place = "csv.yaml:31: ClusterServiceVersion pond-operator.v1.4.0: spec.relatedImages[0].image"
    assert places(VERSION, "csv.yaml")[0] == place


# In the shape of what `opm render` writes about a package with two versions.
BUNDLES = [
    {
        "schema": "olm.bundle",
        "name": f"pond.v1.{number}",
        "package": "pond",
        "image": f"quay.io/pond/bundle@{digest}",
        "properties": [{"type": "olm.package", "value": {"packageName": "pond", "version": f"1.{number}.0"}}],
        "relatedImages": [
            {"name": "", "image": f"quay.io/pond/bundle@{digest}"},
            {"name": "pond", "image": f"quay.io/pond/pond:1.{number}"},
            {"name": "open", "image": ""},
        ],
    }
    for number, digest in enumerate((A, B))
]
CATALOG = [{"schema": "olm.package", "name": "pond"}, {"schema": "olm.channel", "name": "stable"}, *BUNDLES]
FOUND = [
    f"quay.io/pond/bundle@{A}",
    f"quay.io/pond/bundle@{A}",
    "quay.io/pond/pond:1.0",
    f"quay.io/pond/bundle@{B}",
    f"quay.io/pond/bundle@{B}",
    "quay.io/pond/pond:1.1",
]


def test_a_catalog_is_a_stream_of_json_documents() -> None:
    for written in (
        "\n".join(json.dumps(part) for part in CATALOG),
        "\n".join(json.dumps(part, indent=4) for part in CATALOG) + "\n",
        "\r\n".join(json.dumps(part, indent=4) for part in CATALOG),
    ):
        assert images(written, "catalog.json") == FOUND
        assert [type(item) for item in discovered(written, "catalog.json")[:2]] == [Irrelevant, Irrelevant]
    assert (
        places(json.dumps(BUNDLES[0]), "catalog.json")[2]
        == "catalog.json: olm.bundle pond.v1.0: relatedImages[1].image"
    )


def test_a_catalog_is_a_stream_of_yaml_documents() -> None:
    written = "".join(f"---\n{json.dumps(part)}\n" for part in CATALOG)
    assert images(written, "catalog.yaml") == FOUND


def test_a_bad_document_of_a_stream_costs_only_itself() -> None:
    written = "\n".join((json.dumps(BUNDLES[0]), '{"schema": "olm.bundle", "image": }', json.dumps(BUNDLES[1])))
    assert images(written, "catalog.json") == FOUND
    [reason] = unread(written, "catalog.json")
    assert reason.startswith("catalog.json:2: not JSON: ")


def test_templates_of_catalogs() -> None:
    basic = (
        "schema: olm.template.basic\nentries:\n- {schema: olm.package, name: a}\n- {schema: olm.bundle, image: b:1}\n"
    )
    assert images(basic, "basic.yaml") == ["b:1"]
    semver = "schema: olm.semver\ngenerateMajorChannels: true\ncandidate:\n  bundles:\n  - image: b:1\n  - image: b:2\n"
    assert images(semver, "semver.yaml") == ["b:1", "b:2"]


def test_objects_that_name_a_catalog() -> None:
    source = "apiVersion: operators.coreos.com/v1alpha1\nkind: CatalogSource\nspec: {sourceType: grpc, image: a:1}\n"
    cluster = "apiVersion: olm.operatorframework.io/v1\nkind: ClusterCatalog\nspec: {source: {image: {ref: b:1}}}\n"
    assert images(f"{source}---\n{cluster}", "x.yaml") == ["a:1", "b:1"]


def test_wrong_kinds_cost_nothing_else() -> None:
    text = "apiVersion: operators.coreos.com/v1\nkind: ClusterServiceVersion\nmetadata: []\nspec: {relatedImages: 3}\n"
    assert [type(item) for item in discovered(text, "x.yaml")] == [Irrelevant]
