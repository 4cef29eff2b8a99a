"""`transload mirror` between real registries: the contract of the vendor's script, what is selected, how it is told."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.real.servers import Registry, StartRegistry
from tests.real.vendor import CHART, IMAGES, NEW, OLD, Shell, digest_at, held, publish, push, variables
from transload.errors import Unreachable
from transload.testing.images import artifact, image


def tagged(tag: str) -> set[str]:
    """The names of a whole release under this tag."""
    return {f"{name}:{tag}" for name in IMAGES}


# --- the contract of the vendor's script


def test_ten_variables_run_without_a_question_between_registries_with_passwords(
    shell: Shell, start_registry: StartRegistry
) -> None:
    source, target = start_registry("htpasswd"), start_registry("htpasswd")
    assert source.user
    assert target.user
    publish(source, (NEW,), "private/arc", user=source.user)
    shell.set(
        **variables(
            {
                "registry": source.host,
                "repository": "private/arc",
                "username": source.user.name,
                "password": source.user.password,
                "tag": NEW,
            },
            {
                "registry": target.host,
                "repository": "site/mirror",
                "username": target.user.name,
                "password": target.user.password,
                "tag": "2025-quarter-3",
            },
        )
    )
    ran = shell("mirror")
    assert ran.code == 0, ran.told
    assert held(target, "site/mirror", target.user) == tagged("2025-quarter-3")
    for name in ("arc-controller", "arc-dns"):
        ours = digest_at(target, f"site/mirror/{name}:2025-quarter-3", target.user)
        assert ours == digest_at(source, f"private/arc/{name}:{NEW}", source.user)
    for user in (source.user, target.user):
        assert user.password not in ran.told


def test_empty_variables_are_answers_and_mean_the_defaults(shell: Shell, vendor: Registry, registry: Registry) -> None:
    shell.set(
        **variables(
            {"registry": vendor.host, "repository": ""}, {"registry": registry.host, "repository": "empty/answers"}
        )
    )
    ran = shell("mirror")
    assert ran.code == 0, ran.told
    assert held(registry, "empty/answers") == tagged(NEW)  # the newest that the source has; the catalog knows newer


def test_without_a_terminal_what_to_set_is_named(shell: Shell) -> None:
    ran = shell("mirror")
    assert ran.code == 2
    assert "TARGET_DOCKER_REGISTRY, TARGET_DOCKER_REPOSITORY" in ran.err
    assert "--to" in ran.err
    shell.set(TARGET_DOCKER_REPOSITORY="x")
    ran = shell("mirror")
    assert ran.code == 2
    assert "TARGET_DOCKER_REGISTRY" in ran.err
    assert "TARGET_DOCKER_REPOSITORY" not in ran.err
