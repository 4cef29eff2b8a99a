"""Compose files: the images of services by the specification, and what a build or a variable leaves open."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.discovery.reading import discovered, images, places, questions, rules, unread
from transload.discovery.finding import Irrelevant
from transload.discovery.judging import NO_TAG
from transload.discovery.listing import listed

# Written anew, in the shape of a project with shared settings, a profile, builds, and variables.
PROJECT = """\
name: shop
include:
  - ../common/compose.yaml
  - path: [a.yaml, b.yaml]
x-worker: &worker
  image: ${REGISTRY:-registry.example}/shop/worker:${TAG:?set TAG}
  restart: always
services:
  db:
    image: postgres:16.3
  mail:
    <<: *worker
    command: mail
  cron:
    <<: [{restart: "no"}, *worker]
    image: registry.example/shop/cron:1
  debug:
    profiles: [debug]
    image: nicolaka/netshoot
  web:
    build: ./web
  api:
    image: shop/api
    build: {context: api, dockerfile: api.Dockerfile}
  proxy:
    image: "${PROXY:-nginx:1.27}"
    volumes:
      - ./conf:/etc/nginx
      - type: image
        source: registry.example/shop/static:3
        target: /static
  tools:
    build:
      dockerfile_inline: |
        ARG BASE=alpine:3.20
        FROM $${BASE}
        COPY --from=busybox:1.36 /bin /tools
      args: {BASE: "alpine:3.21"}
      additional_contexts:
        - certs=docker-image://registry.example/certs:1
        - src=../src
  old:
    extends: {file: old.yaml, service: web}
  llm:
    provider: {type: model}
models:
  small:
    model: ai/smollm2
"""


def test_a_project() -> None:
    assert rules(PROJECT, "no/compose.yaml") == [
        ("postgres:16.3", "compose", "certain"),
        ("registry.example/shop/cron:1", "compose", "certain"),
        ("nginx:1.27", "compose", "certain"),
        ("registry.example/shop/static:3", "compose image volume", "certain"),
        ("alpine:3.21", "dockerfile FROM", "certain"),
        ("busybox:1.36", "dockerfile COPY --from", "certain"),
        ("registry.example/certs:1", "compose build context", "certain"),
    ]
    worker = "${REGISTRY:-registry.example}/shop/worker:${TAG:?set TAG}"
    assert questions(PROJECT, "no/compose.yaml") == [
        ("../common/compose.yaml", "this file is included: discover it, too"),
        ("a.yaml", "this file is included: discover it, too"),
        ("b.yaml", "this file is included: discover it, too"),
        (worker, "TAG has no value here, and no default"),
        ("nicolaka/netshoot", NO_TAG),
        ("./web", "it is built with Dockerfile, and has no name in a registry: discover that file, too"),
        ("shop/api", NO_TAG),
        (".", "it is built with the dockerfile_inline here, and has no name in a registry"),
        ("old.yaml", "the service extends one of another file: discover that file, too"),
        ("ai/smollm2", NO_TAG),
    ]
    assert unread(PROJECT, "no/compose.yaml") == []
    assert places(PROJECT, "no/compose.yaml")[3] == "no/compose.yaml:10: services.db.image"
    inline = [place for place in places(PROJECT, "no/compose.yaml") if "dockerfile_inline" in place]
    assert inline[0] == "no/compose.yaml:36: services.tools.build.dockerfile_inline"


def test_the_dotenv_file_beside_it_gives_values(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("REGISTRY=mirror.example\nTAG='7'\n")
    found = images(PROJECT, str(tmp_path / "compose.yaml"))
    assert found[1] == "mirror.example/shop/worker:7"
    assert "nginx:1.27" in found


def test_a_dotenv_file_that_is_a_link_is_told_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("TAG=secret\n")
    (tmp_path / "project").mkdir()
    (tmp_path / "project/.env").symlink_to(tmp_path / "secrets")
    file = str(tmp_path / "project/compose.yaml")
    assert unread(PROJECT, file) == ["it is a link, and links are not followed"]
    assert not any("secret" in image for image in images(PROJECT, file))


def test_a_dotenv_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"TAG=\xff\n")
    [reason] = unread(PROJECT, str(tmp_path / "compose.yaml"))
    assert "not UTF-8" in reason


@pytest.mark.parametrize("file", ["-", "x.tgz!compose.yaml"])
def test_nothing_lies_beside_standard_input_or_inside_an_archive(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("TAG=7\n")
    monkeypatch.chdir(tmp_path)
    assert any("TAG has no value" in reason for _, reason in questions(PROJECT, file))


def test_wrong_kinds_cost_only_themselves() -> None:
    text = "services:\n  a: {image: [x]}\n  b: [1]\n  c: {image: ok:1, volumes: no, build: {args: 3}}\n  d:\n"
    assert images(text, "c.yaml") == ["ok:1"]
    assert unread(text, "c.yaml") == ["c.yaml:2: services.a.image: expected the name of an image, found a list"]


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: X\nservices: {a: {image: b}}\n",
        "services: [docker:dind]\n",
        "services:\n  App\\Mailer: ~\n  logger: {class: X}\n",
        "services: {web: {image: {repository: x}}}\n",
        "include: [a.yaml]\n",
    ],
)
def test_other_files_with_services_are_no_compose_files(text: str) -> None:
    assert [type(item) for item in discovered(text, "x.yaml")] == [Irrelevant]


def test_json_is_read_as_well() -> None:
    assert images('{"services": {"a": {"image": "b:1"}}}', "compose.json") == ["b:1"]


def test_what_another_file_answers_is_no_question() -> None:
    files = {
        "site/compose.yaml": (
            "include: [../common/a.yaml]\nservices:\n  web: {build: ./web}\n"
            "  api: {build: {context: api, dockerfile: ../api.Dockerfile}}\n"
            "  old: {extends: {file: old.yaml, service: x}}\n  git: {build: 'https://g/x.git'}\n"
        ),
        "common/a.yaml": "services: {}\n",
        "site/web/Dockerfile": "FROM a:1\n",
        "site/api.Dockerfile": "FROM scratch\n",
    }
    listing = listed(item for file, text in files.items() for item in discovered(text, file))
    assert [question.text for question in listing.questions] == ["old.yaml", "https://g/x.git"]
    assert [str(image.reference) for image in listing.images] == ["docker.io/library/a:1"]


def test_a_variable_that_is_empty_is_a_question(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("IMAGE=\n")
    text = "services: {a: {image: $IMAGE}, b: {image: '${IMAGE:-}'}, c: {image: ''}}\n"
    assert [reason for _, reason in questions(text, str(tmp_path / "compose.yaml"))] == [
        "an empty text is not an image reference"
    ] * 2


def test_a_file_that_only_includes_others() -> None:
    assert [text for text, _ in questions("include: [a.yaml]\n", "x/compose.prod.yaml")] == ["a.yaml"]


def test_tags_of_the_compose_specification() -> None:
    text = "services:\n  a:\n    ports: !override ['1:1']\n    image: !override b:1\n    build: !reset null\n"
    assert images(text, "compose.override.yaml") == ["b:1"]


def test_an_image_that_is_always_built_is_never_pulled() -> None:
    text = "services: {a: {image: 'own/a:1', build: ./a, pull_policy: build}, b: {image: 'b:1', pull_policy: build}}\n"
    assert images(text, "compose.yaml") == ["b:1"]
    assert [text for text, _ in questions(text, "compose.yaml")] == ["./a"]
