"""What the other tools are told, and which of them are here."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmarks import content, peers
from benchmarks.contenders import Errand


@pytest.fixture
def errand(tmp_path: Path) -> Errand:
    goods = content.sparse(tmp_path / "goods", {"one": (10,), "two": (10, 20)})
    return Errand(goods, "127.0.0.1:1", "127.0.0.1:2", tmp_path)


PAIRS = [
    ("127.0.0.1:1/vendor/one:v1", "127.0.0.1:2/site/one:v1"),
    ("127.0.0.1:1/vendor/two:v1", "127.0.0.1:2/site/two:v1"),
]


def with_authority(errand: Errand) -> Errand:
    authority = errand.home / "ca.pem"
    authority.write_text("the authority")
    return Errand(errand.goods, errand.source, errand.target, errand.home, authority=authority)


def program(folder: Path, name: str, said: str, status: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\nprintf '{said}'\nexit {status}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("name", "plain", "secure"),
    [
        ("crane", ["crane", "copy", "--insecure"], ["crane", "copy"]),
        (
            "oras",
            ["oras", "copy", "--from-plain-http", "--to-plain-http"],
            ["oras", "copy", "--from-ca-file", "CA", "--to-ca-file", "CA"],
        ),
    ],
)
def test_tools_that_copy_one_image_run_four_at_a_time(
    errand: Errand, name: str, plain: list[str], secure: list[str]
) -> None:
    listed = errand.home / "pairs.txt"
    command = peers.named(name)(errand)
    assert command.words == ("xargs", "-a", listed, "-P", 4, "-n", 2, *plain)
    assert [tuple(line.split()) for line in listed.read_text().splitlines()] == PAIRS
    trusting = with_authority(errand)
    command = peers.named(name)(trusting)
    assert command.words[7:] == tuple(word.replace("CA", str(trusting.authority)) for word in secure)
    assert command.environment["SSL_CERT_FILE"] == str(trusting.authority)


def test_docker_names_the_target_first(errand: Errand) -> None:
    command = peers.named("docker")(errand)
    assert command.words[7:] == ("docker", "buildx", "imagetools", "create", "--tag")
    assert (errand.home / "pairs.txt").read_text().split()[:2] == [PAIRS[0][1], PAIRS[0][0]]


def test_skopeo_gets_a_list_of_all_images(errand: Errand) -> None:
    command = peers.named("skopeo")(errand)
    assert command.words[:4] == ("skopeo", "--insecure-policy", "sync", "--all")
    assert "--dest-tls-verify=false" in command.words
    listed = json.loads((errand.home / "images.yaml").read_text())
    assert listed == {"127.0.0.1:1": {"tls-verify": False, "images": {"vendor/one": ["v1"], "vendor/two": ["v1"]}}}
    assert "--dest-tls-verify=true" in peers.named("skopeo")(with_authority(errand)).words


def test_regsync_gets_a_list_of_all_images(errand: Errand) -> None:
    command = peers.named("regsync")(errand)
    assert command.words == ("regsync", "once", "--config", errand.home / "regsync.yaml")
    document = json.loads((errand.home / "regsync.yaml").read_text())
    assert document["sync"] == [{"source": one, "target": other, "type": "image"} for one, other in PAIRS]
    assert document["creds"] == [{"registry": f"127.0.0.1:{port}", "tls": "disabled"} for port in (1, 2)]
    peers.named("regsync")(with_authority(errand))
    document = json.loads((errand.home / "regsync.yaml").read_text())
    assert document["creds"][0]["regcert"] == "the authority"


def test_hauler_goes_through_a_folder(errand: Errand) -> None:
    command = peers.named("hauler")(errand)
    assert command.words[:2] == ("sh", "-c")
    assert str(command.words[2]).endswith("--plain-http")
    listed = json.loads((errand.home / "hauler.yaml").read_text())
    assert listed["spec"]["images"] == [{"name": one} for one, _ in PAIRS]


def test_what_is_on_the_path_takes_part_and_the_rest_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/nowhere")
    assert peers.present() == ({}, ["skopeo", "crane", "regsync", "oras", "hauler", "docker"])
    program(tmp_path / "bin", "skopeo", "skopeo version 1.9.3\\n")
    program(tmp_path / "bin", "crane", "0.20.1\\n")
    program(tmp_path / "bin", "oras", "Version:        1.2.0\\nGo version: go1.23\\n")
    program(tmp_path / "bin", "docker", "", status=1)  # no buildx
    here, absent = peers.present()
    assert here == {"skopeo": "1.9.3", "crane": "0.20.1", "oras": "1.2.0"}
    assert absent == ["regsync", "hauler", "docker"]
    assert peers.present(["crane", "hauler"]) == ({"crane": "0.20.1"}, ["hauler"])
    assert peers.present(["none"]) == ({}, [])


def test_a_program_that_says_no_version_takes_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setattr(peers, "VERSION_S", 0.2)
    program(tmp_path / "bin", "crane", "")
    (tmp_path / "bin" / "crane").write_text("#!/bin/sh\nexec sleep 60\n")  # hangs
    program(tmp_path / "bin", "oras", "")
    (tmp_path / "bin" / "oras").write_text("echo 1.2.3\n")  # cannot be started without a shell
    program(tmp_path / "bin", "regsync", "\\377 v1.0\\033[31m\n")
    assert peers.present(["crane", "oras", "regsync"]) == ({"regsync": "1.0"}, ["crane", "oras"])
    assert peers.why_absent("crane") == "on PATH, but `crane version` names no version"
    assert peers.why_absent("hauler") == "absent"
