"""What the kinds for nodes write: files that engines read, errors where no file could help, notes for the rest."""

from __future__ import annotations

import base64
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml

from transload.configuration import Configuration, InputFile, MovedImage, Reach, Relocation, Wishes
from transload.configuration.kinds import KINDS, kind_named
from transload.configuration.tomlout import toml_table, toml_text
from transload.errors import UsageError
from transload.login import Login
from transload.oci import Digest, Reference

SITE = "registry.local:5000"
NODES = [word for word, kind in KINDS.items() if not kind.needs_images and word in {
    "containerd", "k3s", "rke2", "crio", "podman", "docker", "talos"}]  # fmt: skip
PEM = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"
D1, D2 = (Digest(f"sha256:{letter * 64}") for letter in "ab")


def moved(source: str, target: str, digest: Digest | None = None) -> MovedImage:
    return MovedImage(source=Reference.parse(source), target=Reference.parse(f"{SITE}/{target}"), digest=digest)


def relocation(*images: MovedImage, registry: str = SITE, **reach: Any) -> Relocation:
    return Relocation(registry=registry, images=images, reach=Reach(**reach))


ARC = moved("mcr.microsoft.com/arcdata/arc-sqlmi:v1", "mirror/arcdata/arc-sqlmi:v1")
NODE = moved("quay.io/prometheus/node-exporter:v1", "mirror/prometheus/node-exporter:v1")
REDIS = moved("redis:7", "library/redis:7")
RENAMED = moved("quay.io/a/x:1", "other/y:1")
RETAGGED = moved("quay.io/a/x:1", "mirror/a/x:1-site")


def write(kind: str, relocation: Relocation, *inputs: bytes, no_fallback: bool = False) -> Configuration:
    files = tuple(InputFile(name=PurePosixPath("daemon.json"), content=content) for content in inputs)
    return kind_named(kind).write(relocation, Wishes(inputs=files, no_fallback=no_fallback))


def files(configuration: Configuration) -> dict[str, Any]:
    """Each file as its format reads it."""
    readers: dict[str, Callable[[str], Any]] = {
        ".toml": tomllib.loads,
        ".conf": tomllib.loads,
        ".json": json.loads,
        ".yaml": yaml.safe_load,
    }
    return {str(file.path): readers.get(file.path.suffix, str)(file.content.decode()) for file in configuration.files}


# --- containerd and Talos


def test_containerd_moves_whole_registries() -> None:
    written = files(write("containerd", relocation(ARC, REDIS)))
    assert written == {
        "certs.d/docker.io/hosts.toml": {
            "server": "https://registry-1.docker.io",
            "host": {f"https://{SITE}": {"capabilities": ["pull", "resolve"]}},
        },
        "certs.d/mcr.microsoft.com/hosts.toml": {
            "server": "https://mcr.microsoft.com",
            "host": {f"https://{SITE}/v2/mirror": {"capabilities": ["pull", "resolve"], "override_path": True}},
        },
    }


def test_containerd_trusts_and_logs_in() -> None:
    login = Login("ann", 'p"ss')
    made = write("containerd", relocation(ARC, ca=KEY + PEM, insecure_tls=True, login=login))
    written = files(made)
    assert written[f"certs.d/{SITE}/ca.crt"].encode() == PEM  # the key that lay beside it stays here
    own = written[f"certs.d/{SITE}/hosts.toml"]["host"][f"https://{SITE}"]
    mirror = written["certs.d/mcr.microsoft.com/hosts.toml"]["host"][f"https://{SITE}/v2/mirror"]
    basic = "Basic " + base64.b64encode(b'ann:p"ss').decode()
    assert (own["ca"], mirror["ca"]) == ("ca.crt", f"../{SITE}/ca.crt")
    assert own["skip_verify"] is mirror["skip_verify"] is True
    assert own["header"] == mirror["header"] == {"Authorization": [basic]}
    assert {str(file.path) for file in made.files if file.secret} == {name for name in written if "hosts" in name}


def test_containerd_with_plain_http_and_a_path_on_the_nodes() -> None:
    written = files(write("containerd", relocation(plain_http=True)))
    assert written == {
        f"certs.d/{SITE}/hosts.toml": {
            "server": f"http://{SITE}",
            "host": {f"http://{SITE}": {"capabilities": ["pull", "resolve"]}},
        }
    }
    path = '/etc/ssl/odd "name" \\ é.pem'
    made = write("containerd", relocation(ARC, ca_file=path, ca=PEM))
    assert files(made)["certs.d/mcr.microsoft.com/hosts.toml"]["host"][f"https://{SITE}/v2/mirror"]["ca"] == path
    assert not [file for file in made.files if file.path.suffix == ".crt"]


def test_two_prefixes_are_tried_in_turn() -> None:
    more = [moved(f"quay.io/b/{name}:1", f"other/b/{name}:1") for name in "xy"]
    made = write("containerd", relocation(NODE, *more))
    hosts = list(files(made)["certs.d/quay.io/hosts.toml"]["host"])
    assert hosts == [f"https://{SITE}/v2/other", f"https://{SITE}/v2/mirror"]
    patch = files(write("talos", relocation(NODE, *more)))["talos-registries.yaml"]["machine"]["registries"]
    assert patch == {"mirrors": {"quay.io": {"endpoints": hosts, "overridePath": True}}}


def test_no_file_leads_to_another_image() -> None:
    """quay.io/b/z is asked for below `other` first, where the image of another vendor has the same name."""
    more = [moved(f"quay.io/b/{name}:1", f"other/b/{name}:1") for name in "xy"]
    covered = moved("quay.io/b/z:1", "mirror/b/z:1", D1)
    for kind in ("containerd", "talos"):
        with pytest.raises(UsageError, match="which is another image: ghcr.io/b/z:1"):
            write(kind, relocation(*more, covered, moved("ghcr.io/b/z:1", "other/b/z:1", D2)))
        assert write(kind, relocation(*more, covered, moved("ghcr.io/b/z:1", "other/b/z:1", D1))).files  # the same


@pytest.mark.parametrize(
    ("kind", "image"),
    [
        ("containerd", RENAMED),
        ("talos", RENAMED),
        *((kind, RETAGGED) for kind in ("containerd", "talos", "k3s", "rke2", "podman", "crio")),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.target),
)
def test_renamed_images(kind: str, image: MovedImage) -> None:
    with pytest.raises(UsageError, match="none of 1 image would be found"):
        write(kind, relocation(image))
    notes = write(kind, relocation(image, ARC)).notes
    assert any(f"{image.source} (is {image.target})" in note for note in notes)


def test_a_narrowed_index_is_not_found_by_its_digest() -> None:
    whole = moved(f"quay.io/a/x@{D1}", f"mirror/a/x@{D1}", D1)
    narrowed = moved(f"quay.io/a/x@{D1}", f"mirror/a/x@{D2}", D2)
    assert files(write("containerd", relocation(whole)))
    for kind in ("containerd", "k3s", "podman", "talos"):
        with pytest.raises(UsageError, match="none of 1 image would be found"):
            write(kind, relocation(narrowed))


def test_the_digest_of_a_narrowed_index_is_told() -> None:
    """A report has the image under the name that was asked for, and the digest that it has at the target."""
    narrowed = moved(f"quay.io/a/x@{D1}", f"mirror/a/x@{D1}", D2)
    for kind in ("containerd", "k3s", "podman", "talos"):
        note = next(note for note in write(kind, relocation(narrowed, NODE)).notes if note.startswith("not found"))
        assert f"quay.io/a/x@{D1} (is {SITE}/mirror/a/x@{D2})" in note
        assert "digest" in note.partition(":")[0]


def test_talos_has_certificate_and_login() -> None:
    made = write("talos", relocation(NODE, ca=PEM, insecure_tls=True, login=Login("ann", "secret")))
    registries = files(made)["talos-registries.yaml"]["machine"]["registries"]
    tls = {"ca": base64.b64encode(PEM).decode(), "insecureSkipVerify": True}
    assert registries["config"] == {SITE: {"tls": tls, "auth": {"username": "ann", "password": "secret"}}}
    assert [file.secret for file in made.files] == [True]
    assert any("reboot" in note for note in made.notes)


# --- k3s and RKE2


@pytest.mark.parametrize("kind", ["k3s", "rke2"])
def test_registries_yaml(kind: str) -> None:
    made = write(kind, relocation(ARC, REDIS, ca=PEM, login=Login("ann", "secret")))
    written = files(made)
    assert written["registries.yaml"] == {
        "mirrors": {
            "docker.io": {"endpoint": [f"https://{SITE}"]},
            "mcr.microsoft.com": {"endpoint": [f"https://{SITE}"], "rewrite": {"^(.*)$": "mirror/$1"}},
            SITE: {"endpoint": [f"https://{SITE}"]},
        },
        "configs": {
            SITE: {
                "auth": {"username": "ann", "password": "secret"},
                "tls": {"ca_file": f"/etc/rancher/{kind}/registry-ca.crt"},
            }
        },
    }
    assert written["registry-ca.crt"].encode() == PEM
    assert {str(file.path): file.secret for file in made.files} == {"registries.yaml": True, "registry-ca.crt": False}


def rewritten(patterns: dict[str, str], repository: str) -> set[str]:
    """All that k3s could ask for, which tries patterns in any order."""
    return {
        re.sub(pattern, target.replace("$1", r"\1"), repository)
        for pattern, target in patterns.items()
        if re.search(pattern, repository)
    }


@pytest.mark.parametrize(
    "images",
    [
        [moved("quay.io/a.b/x:1", "m/a.b/x:1"), moved("quay.io/axb/x:1", "n/else:1")],
        [moved(f"quay.io/a/{n}:1", f"m/a/{n}:1") for n in "xyz"] + [moved("quay.io/a/q:1", "else/w:1")],
        [moved("quay.io/a:1", "m/a:1"), moved("quay.io/a/b:1", "n/b:1")],
        [moved("quay.io/a/x:1", "x:1"), moved("quay.io/a/y:1", "y:1")],
    ],
    ids=["a dot", "an exception below a rule", "a repository above another", "a folder left out"],
)
def test_k3s_rewrites_are_the_same_in_any_order(images: list[MovedImage]) -> None:
    mirror = files(write("k3s", relocation(*images)))["registries.yaml"]["mirrors"]["quay.io"]
    for image in images:
        assert rewritten(mirror["rewrite"], image.source.name.repository) == {image.target.name.repository}


SPLIT = [moved("quay.io/a/x:1", "m/a/x:1"), moved("quay.io/a/x:2", "other/x:2")]


def test_two_tags_of_a_repository_at_two_places() -> None:
    """No rule for repositories says that: what is not where the rule leads is named."""
    for kind in ("k3s", "containerd", "talos", "podman"):
        (note,) = [note for note in write(kind, relocation(*SPLIT)).notes if note.startswith("not found")]
        assert sum(f"{image.source} (is {image.target})" in note for image in SPLIT) == 1


# --- podman and CRI-O


@pytest.mark.parametrize("kind", ["podman", "crio"])
def test_registries_conf(kind: str) -> None:
    made = write(kind, relocation(ARC, RENAMED, moved("quay.io/b/z:1", "m/b/z:1"), ca=PEM))
    tables = files(made)["registries.conf.d/50-transload.conf"]["registry"]
    assert {table["prefix"]: table["mirror"][0]["location"] for table in tables} == {
        "mcr.microsoft.com/arcdata": f"{SITE}/mirror/arcdata",
        "quay.io/a/x": f"{SITE}/other/y",
        "quay.io/b": f"{SITE}/m/b",
    }
    assert all(table["location"] == table["prefix"] for table in tables)
    assert files(made)[f"certs.d/{SITE}/ca.crt"].encode() == PEM


def test_podman_without_tls_and_with_a_login() -> None:
    made = write("podman", relocation(ARC, plain_http=True, login=Login("ann", "secret")))
    written = files(made)
    own, arc = written["registries.conf.d/50-transload.conf"]["registry"]
    assert own == {"location": SITE, "insecure": True}
    assert arc["mirror"] == [{"location": f"{SITE}/mirror/arcdata", "insecure": True}]
    assert written["auth.json"] == {"auths": {SITE: {"auth": base64.b64encode(b"ann:secret").decode()}}}
    assert [str(file.path) for file in made.files if file.secret] == ["auth.json"]


@pytest.mark.parametrize("kind", ["podman", "crio"])
def test_a_host_that_podman_takes_for_a_repository(kind: str) -> None:
    image = MovedImage(source=ARC.source, target=Reference("registry", ARC.target.name))
    with pytest.raises(UsageError, match="as a repository of docker.io") as raised:
        write(kind, relocation(image, registry="registry"))
    assert "registry:443" in (raised.value.hint or "")


# --- Docker


def test_docker_mirrors_the_hub_only() -> None:
    made = write("docker", relocation(REDIS, ARC))
    assert files(made) == {"daemon.json": {"registry-mirrors": [f"https://{SITE}"]}}
    assert any(str(ARC.source) in note for note in made.notes)
    for image in (ARC, moved("redis:7", "mirror/library/redis:7")):
        with pytest.raises(UsageError, match="Docker mirrors docker.io only"):
            write("docker", relocation(image))


def test_docker_keeps_what_is_in_a_given_file() -> None:
    given = {"log-driver": "é", "registry-mirrors": ["https://first.local/"], "max-concurrent-downloads": 3}
    written = files(write("docker", relocation(REDIS, plain_http=True), json.dumps(given).encode()))
    assert written["daemon.json"] == {
        **given,
        "registry-mirrors": ["https://first.local/", f"http://{SITE}"],
        "insecure-registries": [SITE],
    }
    assert list(written["daemon.json"])[:3] == list(given)
    again = write("docker", relocation(REDIS, plain_http=True), json.dumps(written["daemon.json"]).encode())
    assert files(again) == written
    assert files(write("docker", relocation(REDIS), b"\n"))  # an empty file, which dockerd takes


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"{", "daemon.json cannot be read as JSON"),
        (b"[]", "daemon.json is no object"),
        (b'{"registry-mirrors": "x"}', "registry-mirrors in daemon.json is no list"),
        (b'{"a": 1, "a": 2}', "daemon.json cannot be read as JSON"),
    ],
    ids=["broken", "a list", "another type", "twins"],
)
def test_docker_files_that_are_no_configuration(given: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        write("docker", relocation(REDIS), given)


# --- all of them


def test_no_way_back_to_the_vendor() -> None:
    """What the vendor has besides is never asked for; for podman, only what was moved is cut off from it."""
    asked = relocation(ARC, ca=PEM, login=Login("ann", "secret"))
    hosts = files(write("containerd", asked, no_fallback=True))["certs.d/mcr.microsoft.com/hosts.toml"]
    url = f"https://{SITE}/v2/mirror"
    assert (hosts["server"], hosts["override_path"], list(hosts["host"])) == (url, True, [url])
    assert hosts["ca"] == f"../{SITE}/ca.crt"
    patch = files(write("talos", asked, no_fallback=True))["talos-registries.yaml"]["machine"]["registries"]
    assert patch["mirrors"]["mcr.microsoft.com"] == {"endpoints": [url], "overridePath": True, "skipFallback": True}
    for kind in ("podman", "crio"):
        made = write(kind, asked, no_fallback=True)
        assert files(made)["registries.conf.d/50-transload.conf"]["registry"] == [
            {"prefix": "mcr.microsoft.com/arcdata/arc-sqlmi", "location": f"{SITE}/mirror/arcdata/arc-sqlmi"}
        ]
        assert any("cannot be pulled" in note for note in made.notes)


@pytest.mark.parametrize("kind", NODES)
def test_notes_are_single_sentences_without_secrets(kind: str) -> None:
    login = Login("ann", "hunter2") if "login" in KINDS[kind].takes else None
    made = write(kind, relocation(REDIS, ARC, ca=PEM, login=login))
    for note in made.notes:
        assert "hunter2" not in note
        assert "\n" not in note
        assert not note.endswith(".")
    for file in made.files:
        is_told = b"hunter2" in file.content or base64.b64encode(b"ann:hunter2") in file.content
        assert file.secret or not is_told


@pytest.mark.parametrize("kind", NODES)
def test_nothing_to_say(kind: str) -> None:
    where_it_was = MovedImage(source=ARC.target, target=ARC.target)
    for nothing in (relocation(), relocation(where_it_was)):
        with pytest.raises(UsageError, match="nothing to tell nodes"):
            write(kind, nothing)


@pytest.mark.parametrize("kind", ["docker", "podman", "crio"])
def test_engines_that_look_for_certificates_in_their_own_folder(kind: str) -> None:
    with pytest.raises(UsageError, match=r"looks for certificates in /etc/\w+/certs.d/registry.local:5000 only"):
        write(kind, relocation(ca_file="/etc/ssl/site.pem"))
    assert any(
        "/etc/ssl/site.pem" in note for note in write(kind, relocation(REDIS, ca_file="/etc/ssl/site.pem")).notes
    )


@pytest.mark.parametrize("kind", NODES)
def test_a_file_without_a_certificate(kind: str) -> None:
    with pytest.raises(UsageError, match="has no certificate"):
        write(kind, relocation(REDIS, ca=KEY))


@pytest.mark.parametrize("kind", [kind for kind in NODES if "ca" in KINDS[kind].takes])
@pytest.mark.parametrize("path", ["certs/site.pem", "/etc/a\nb.pem", "/etc/\udcff.pem"])
def test_paths_that_mean_nothing_on_nodes(kind: str, path: str) -> None:
    with pytest.raises(UsageError, match="path"):
        write(kind, relocation(REDIS, ca_file=path))


@pytest.mark.parametrize("kind", [kind for kind in NODES if "login" in KINDS[kind].takes])
@pytest.mark.parametrize("token", ["identity_token", "registry_token"])
def test_a_token_where_a_password_is_needed(kind: str, token: str) -> None:
    login = Login("ann", **{token: "secret-token"})
    if (kind, token) in {("containerd", "registry_token"), ("talos", "identity_token")}:
        assert b"secret-token" in b"".join(file.content for file in write(kind, relocation(ARC, login=login)).files)
        return
    with pytest.raises(UsageError, match="is a token") as raised:
        write(kind, relocation(ARC, login=login))
    assert "secret-token" not in f"{raised.value} {raised.value.hint}"


@pytest.mark.parametrize("kind", [kind for kind in NODES if kind != "docker"])
def test_engines_that_cannot_name_an_address_of_ipv6(kind: str) -> None:
    image = MovedImage(source=REDIS.source, target=Reference("[fd00::5]:5000", REDIS.target.name))
    with pytest.raises(UsageError, match="takes no IPv6 address"):
        write(kind, relocation(image, registry="[fd00::5]:5000"))


def test_an_address_with_which_docker_would_not_start() -> None:
    def made(host: str) -> Configuration:
        image = MovedImage(source=REDIS.source, target=Reference(host, REDIS.target.name))
        return write("docker", relocation(image, registry=host, plain_http=True))

    with pytest.raises(UsageError, match="would not start") as raised:
        made("[fd00::5]")
    assert "[fd00::5]:80" in (raised.value.hint or "")
    assert files(made("[fd00::5]:80"))["daemon.json"]["insecure-registries"] == ["[fd00::5]:80"]


@pytest.mark.parametrize("kind", NODES)
@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1:5000"])
def test_a_registry_that_is_each_node_itself(kind: str, host: str) -> None:
    image = MovedImage(source=REDIS.source, target=Reference(host, REDIS.target.name))
    made = write(kind, relocation(image, registry=host))
    assert files(made)
    assert any("each node itself" in note for note in made.notes)


@pytest.mark.parametrize("text", ["", 'a"b', "a\\b", "tab\t", "\x7f\x01", "é 🎈", "#", "'''"])
def test_toml_texts(text: str) -> None:
    assert tomllib.loads(toml_table(f"[t.{toml_text(text)}]", {"k": text, "l": [text], "m": True})) == {
        "t": {text: {"k": text, "l": [text], "m": True}}
    }
