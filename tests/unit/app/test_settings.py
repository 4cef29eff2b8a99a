"""What the environment says, and how variables with odd values are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from transload.app.settings import read_environment

RUNNING = [f"/run/containers/{os.getuid()}/auth.json", f"/run/user/{os.getuid()}/containers/auth.json"]
"""Where podman and skopeo keep logins when XDG_RUNTIME_DIR is not set."""


def test_blanks_around_answers_go_and_those_of_passwords_stay() -> None:
    read = read_environment(
        {"SOURCE_DOCKER_TAG": " v1\n", "SOURCE_DOCKER_PASSWORD": " s p \n", "TARGET_DOCKER_PASSWORD": "x\r\n"}
    )
    assert read.incumbent == {
        "SOURCE_DOCKER_TAG": "v1",
        "SOURCE_DOCKER_PASSWORD": " s p ",
        "TARGET_DOCKER_PASSWORD": "x",
    }


def test_other_variables_of_that_kind_are_not_ours() -> None:
    assert read_environment({"DOCKER_HOST": "x", "SOURCE_DOCKER_REGISTRY": ""}).incumbent == {
        "SOURCE_DOCKER_REGISTRY": ""
    }


def test_variables_of_the_process_are_read_again_once_one_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", ".local")
    first = read_environment()
    assert (first.no_proxy, read_environment() is first) == (".local", True)
    monkeypatch.setenv("NO_PROXY", ".lan")
    assert read_environment().no_proxy == ".lan"
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy", raising=False)
    assert read_environment().no_proxy == ""


def test_proxies_in_either_case_the_lower_one_first() -> None:
    read = read_environment({"HTTPS_PROXY": "http://a", "https_proxy": "http://b", "NO_PROXY": ".local"})
    assert read.proxies == {"https": "http://b"}
    assert read.no_proxy == ".local"


@pytest.mark.parametrize(
    ("given", "files"),
    [
        ({"HOME": "/h"}, ["/h/.docker/config.json", *RUNNING, "/h/.config/containers/auth.json", "/h/.dockercfg"]),
        (
            {"USERPROFILE": "/u"},
            ["/u/.docker/config.json", *RUNNING, "/u/.config/containers/auth.json", "/u/.dockercfg"],
        ),
        (
            {
                "HOME": "/h",
                "DOCKER_CONFIG": "/d",
                "REGISTRY_AUTH_FILE": "/r",
                "XDG_RUNTIME_DIR": "/x",
                "XDG_CONFIG_HOME": "/c",
            },
            [
                "/r",
                "/d/config.json",
                "/x/containers/auth.json",
                "/c/containers/auth.json",
                "/h/.config/containers/auth.json",
                "/h/.dockercfg",
            ],
        ),
    ],
)
def test_where_logins_are_looked_for(given: dict[str, str], files: list[str]) -> None:
    assert list(read_environment(given).credential_files) == list(map(Path, files))


def test_where_certificates_are_looked_for() -> None:
    folders = read_environment({"HOME": "/h", "XDG_CONFIG_HOME": "/c"}).certificate_folders
    podman = ["/c/containers", "/h/.config/containers", "/etc/containers"]
    docker = ["/c/docker", "/h/.config/docker", "/h/.docker", "/etc/docker"]
    assert [str(folder) for folder in folders] == [f"{one}/certs.d" for one in podman + docker]


@pytest.mark.parametrize(
    ("given", "colour"),
    [
        ({}, "auto"),
        ({"NO_COLOR": "1"}, "never"),
        ({"NO_COLOR": ""}, "auto"),
        ({"TERM": "dumb"}, "never"),
        ({"FORCE_COLOR": "1"}, "always"),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, "never"),
    ],
)
def test_colours(given: dict[str, str], colour: str) -> None:
    assert read_environment(given).colour == colour
