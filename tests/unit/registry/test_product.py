"""What a registry is, by its name and its first answer, and what people are told to do there."""

from __future__ import annotations

import pytest

from transload.registry.headers import challenges
from transload.registry.product import how_bytes_are_freed, product_of


@pytest.mark.parametrize(
    ("host", "headers", "product", "way"),
    [
        (
            "harbor.test",
            {"WWW-Authenticate": 'Bearer realm="https://harbor.test/service/token",service="harbor-registry"'},
            "harbor",
            "Garbage Collection",
        ),
        ("git.test:5050", {"Gitlab-Container-Registry-Version": "4.1.0-gitlab"}, "gitlab", "registry-garbage-collect"),
        ("nexus.test", {"Server": "Nexus/3.70.1-02 (OSS)"}, "nexus", "Compact blob store"),
        ("jfrog.test", {"X-JFrog-Version": "Artifactory/7.90.0"}, "artifactory", "storage/gc"),
        ("site.azurecr.io", {}, "acr", "soft delete"),
        ("1234.dkr.ecr.eu-west-1.amazonaws.com", {}, "ecr", "by itself"),
        ("quay.io", {}, "quay", "time machine"),
        ("127.0.0.1:5000", {"Server": "transload"}, "transload", "--unused"),
        (
            "registry.local",
            {"Docker-Distribution-Api-Version": "registry/2.0"},
            None,
            "registry garbage-collect CONFIG",
        ),
        ("notquay.io", {}, None, "registry garbage-collect CONFIG"),
        ("azurecr.io.evil.test", {"Server": "nginx"}, None, "registry garbage-collect CONFIG"),
    ],
)
def test_a_product_is_known_by_its_answer(host: str, headers: dict[str, str], product: str | None, way: str) -> None:
    found = product_of(host, headers, challenges(headers.get("WWW-Authenticate", "")))
    assert found == product
    assert way in how_bytes_are_freed(found)
