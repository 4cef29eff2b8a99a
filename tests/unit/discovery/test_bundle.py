"""An operator's bundle as a folder, in the shape that the Operator SDK makes: what is right, found, and open."""

from pathlib import Path

from transload.app.discovering import discover_images
from transload.discovery.judging import NO_TAG

BUNDLE = Path(__file__).parent / "bundle"
CERTAIN = {
    "quay.io/lake/lake-operator:v2.3.1",
    f"quay.io/lake/lake@sha256:{'2' * 64}",
    f"quay.io/brancz/kube-rbac-proxy@sha256:{'1' * 64}",
    f"registry.access.redhat.com/ubi9/ubi-minimal@sha256:{'3' * 64}",
}
LIKELY = {
    "quay.io/lake/backup:0.9",  # an argument of the operator
    "quay.io/operator-framework/scorecard-test:v1.34.1",  # what tests the bundle
}


def test_an_operator_bundle() -> None:
    found = discover_images([str(BUNDLE)])
    images = {str(image.reference): image for image in found.listing.images}
    assert {name for name, image in images.items() if image.sureness == "certain"} == CERTAIN
    assert {name for name, image in images.items() if image.sureness == "likely"} == LIKELY
    assert [(question.text, question.reason) for question in found.listing.questions] == [
        ("quay.io/lake/exporter", NO_TAG)
    ]
    assert found.listing.unread == ()
    assert found.files == 7
    assert found.listing.irrelevant == 5  # the Dockerfile, the metadata, the definition and the service
    lake = images[f"quay.io/lake/lake@sha256:{'2' * 64}"]
    assert [place.path.rpartition(": ")[2] for place in lake.places] == [
        "spec.relatedImages[0].image",
        "spec.install.spec.deployments[0].spec.template.spec.containers[1].env[0].value",
    ]
