"""Dockerfiles: which images a build needs, which names are stages, and what stays open."""

from __future__ import annotations

import pytest

from tests.unit.discovery.reading import discovered, images, places, questions, rules, unread
from transload.discovery import dockerfile
from transload.discovery.finding import Irrelevant
from transload.discovery.judging import NO_TAG

DIGEST = f"sha256:{'a' * 64}"
# Written anew, in the shape of a web application with a build stage, tools from other images, and a base for each.
APPLICATION = f"""\
# syntax=docker/dockerfile:1.7
# The version that the images share.
ARG NODE=22.4
ARG BASE=node:${{NODE}}-slim REGISTRY

FROM --platform=$BUILDPLATFORM ${{BASE}} AS Build
ARG NODE=99
COPY --from=ghcr.io/astral-sh/uv:0.5.11 /uv /bin/uv
RUN --mount=type=bind,from=busybox:1.36,source=/bin,target=/tools \\
    # a comment between
    --mount=type=cache,target=/root/.npm \\

    npm ci
RUN <<EOF
FROM not-an-instruction:1
EOF
COPY <<-'ONE' <<TWO /etc/
\tFROM no:1
\tONE
FROM no:2
TWO

from build as test
RUN echo "a <<EOF b" $((1<<2))
FROM scratch AS empty
FROM gcr.io/distroless/nodejs22-debian12@{DIGEST}
COPY --from=build --chown=1:1 /app /app
COPY --from=0 /app /app
COPY --from=Later /x /x
FROM nginx AS later
"""


def test_an_application() -> None:
    assert rules(APPLICATION, "Dockerfile") == [
        ("docker/dockerfile:1.7", "dockerfile syntax", "certain"),
        ("node:22.4-slim", "dockerfile FROM", "certain"),
        ("ghcr.io/astral-sh/uv:0.5.11", "dockerfile COPY --from", "certain"),
        ("busybox:1.36", "dockerfile RUN --mount", "certain"),
        (f"gcr.io/distroless/nodejs22-debian12@{DIGEST}", "dockerfile FROM", "certain"),
    ]
    assert questions(APPLICATION, "Dockerfile") == [("nginx", NO_TAG)]
    assert unread(APPLICATION, "Dockerfile") == []
    assert places(APPLICATION, "web/Dockerfile")[1] == "web/Dockerfile:6"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM a:1\r\nFROM b:2 \\\r\n  AS x\r\n", ["a:1", "b:2"]),
        ("\ufeffFROM a:1\n", ["a:1"]),
        ("# escape=`\nFROM a:1 `\n AS x\nRUN dir c:\\\nFROM b:1\n", ["a:1", "b:1"]),
        ("#\n# syntax=not/a:directive\nFROM a:1\n", ["a:1"]),
        ("# Syntax = a/b:1\nFROM a:1\n", ["a/b:1", "a:1"]),
        ("FROM 'a:1'\nFROM \"b:1\" AS x\n", ["a:1", "b:1"]),
        ("FROM base:1 AS base\nFROM base\n", ["base:1"]),
        ("ARG A=1\nARG A=2\nFROM a:$A\n", ["a:2"]),
        ("FROM a:1 AS Build-amd64\nFROM a:2 AS build-arm64\nFROM build-${TARGETARCH}\n", ["a:1", "a:2"]),
        ("FROM a:1 AS amd64\nFROM a:2 AS arm64\nFROM $TARGETARCH\n", ["a:1", "a:2"]),
        ("ARG KIND\nFROM a:1 AS with-x\nFROM with-$KIND AS b\n", ["a:1"]),
        ('ARG PREFIX=""\nFROM ${PREFIX}a:1\n', ["a:1"]),
        ("ARG A\nFROM ${A:-b:1}\n", ["b:1"]),
        ("FROM a:1\nONBUILD COPY --from=b:1 / /\n", ["a:1", "b:1"]),
        ("FROM a:1\nRUN echo \\\\\nFROM b:1\n", ["a:1", "b:1"]),
        ('FROM a:1\nRUN --mount=type=bind,"from=b:1",target=/b true\n', ["a:1", "b:1"]),
    ],
)
def test_the_rules_of_the_reference(text: str, found: list[str]) -> None:
    assert images(text, "Dockerfile") == found
    assert questions(text, "Dockerfile") == []


@pytest.mark.parametrize(
    ("text", "asked", "reason"),
    [
        ("ARG TAG\nFROM a:${TAG}\n", "a:${TAG}", "TAG has no value here, and no default"),
        ("FROM x:1\nARG TAG=1\nFROM a:$TAG\n", "a:$TAG", "TAG has no value here, and no default"),
        ("FROM a:1-$TARGETARCH\n", "a:1-$TARGETARCH", "it depends on the platform of the build"),
        ("FROM ${A\n", "${A", "a variable has no closing brace"),
        ("ARG BASE\nFROM a:1 AS one\nFROM $BASE\n", "$BASE", "BASE has no value here, and no default"),
        ("FROM {{ base }}:1 AS x\n", "{{ base }}:1 AS x", "it is a template"),
        ("FROM a:{{tag}}\n", "a:{{tag}}", "it is a template: fill it in, and discover the result"),
        ("FROM a b\n", "a b", "FROM takes an image, or an image, AS and a name"),
        ("FROM\n", "", "FROM takes an image, or an image, AS and a name"),
        ("FROM A/B:1\n", "A/B:1", "repository 'B' has capital letters"),
        (
            "ARG T=1\nFROM a:1\nCOPY --from=b:$T / /\n",
            "b:$T",
            "no variable is filled in here: name the image in a FROM of its own",
        ),
        (
            "FROM a:1\nONBUILD COPY --from=build / /\n",
            "build",
            "it is an image, or a stage of the build that starts from this one",
        ),
    ],
)
def test_what_stays_open_is_asked(text: str, asked: str, reason: str) -> None:
    assert questions(text, "Dockerfile") == [(asked, reason)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it has no FROM, so it is no Dockerfile, or only a part of one"),
        ("RUN true\n", "it has no FROM, so it is no Dockerfile, or only a part of one"),
        ("FROM a:1\nRUN <<EOF\nFROM b:1\n", "no line ends <<EOF"),
    ],
)
def test_what_is_no_whole_dockerfile_is_told(text: str, reason: str) -> None:
    assert unread(text, "Dockerfile") == [reason]


def test_a_dockerfile_without_images_is_counted() -> None:
    assert [type(item) for item in discovered("FROM scratch\nCOPY . /\n", "Dockerfile")] == [Irrelevant]


@pytest.mark.parametrize(
    ("file", "content", "recognised"),
    [
        ("Dockerfile", b"", True),
        ("a/Containerfile.arm", b"", True),
        ("web.Dockerfile", b"", True),
        ("x.tgz!a/dockerfile.prod", b"", True),
        ("Dockerfile.dockerignore", b"", False),
        ("Dockerfiles/readme.txt", b"", False),
        ("-", b"\xef\xbb\xbf# x\n\nfrom a:1", True),
        ("-", b"# x\nfrom: a", False),
    ],
)
def test_files_are_known_by_name_and_standard_input_by_its_beginning(
    file: str, content: bytes, recognised: bool
) -> None:
    assert dockerfile.recognises(file, content) is recognised


@pytest.mark.parametrize(
    "text",
    [
        "ARG A=xxxxxxxx\n" + "ARG A=$A$A$A$A$A$A$A$A\n" * 50 + "FROM a:$A\n",
        "FROM a:1\nRUN " + '"' * 200_001 + "\nFROM b:1\n",
        "FROM a:1\nRUN x \\\n" * 20_000,
        "# a" + " " * 500_000 + "b\nFROM a:1\n",
        "".join(f"FROM s{number} AS s{number + 1}\n" for number in range(20_000)),
        "FROM " + "${A:-" * 100_000 + "\n",
        f"ARG A={'x' * 65_000}\n" + "".join(f"ARG A{number}=$A\n" for number in range(10_000)) + "FROM a:$A9999\n",
        f"FROM a{'@sha256:' * 20_000}\n",
    ],
    ids=["bomb", "quotes", "continued", "blanks", "stages", "braces", "many", "digests"],
)
@pytest.mark.timeout(60)  # what is not linear takes hours
def test_hostile_text_takes_linear_time(text: str) -> None:
    assert discovered(text, "Dockerfile")
