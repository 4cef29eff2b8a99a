"""`transload configure` for nodes, as people call it: what it writes, and where it refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen

from transload.cli.main import main

SITE = "registry.local:5000"
NODES = ("containerd", "k3s", "rke2", "crio", "podman", "docker", "talos")
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"


@frozen
class Ran:
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `transload configure …` in a folder with a release, a report, a certificate authority and a login."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TRANSLOAD_CONFIG", str(tmp_path / "none.yaml"))
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("TRANSLOAD_CA_FILE", raising=False)
    Path("set.yaml").write_text("kind: ImageSet\nversion: 1\nimages: [docker.io/library/redis:7]\n")
    image = {"name": "library/redis:7", "source": "docker.io/library/redis:7", "status": "copied"}
    report = {"asked": {}, "target": SITE, "images": [{**image, "digest": "sha256:" + "a" * 64}]}
    Path("report.json").write_text(json.dumps(report))
    Path("ca.pem").write_text(KEY + PEM)
    Path(".docker").mkdir()
    auth = base64.b64encode(b"ann:hunter2").decode()
    Path(".docker", "config.json").write_text(json.dumps({"auths": {SITE: {"auth": auth}}}))

    def call(*words: str) -> Ran:
        capsys.readouterr()
        code = main(["configure", *words])
        return Ran(code, *capsys.readouterr())

    return call


@pytest.mark.parametrize("kind", NODES)
def test_a_report_knows_the_registry_that_options_are_about(run: Run, kind: str) -> None:
    """Without --to, plain HTTP and the login are those of the registry in the report."""
    more = [] if kind == "docker" else ["--with-login"]
    done = run(kind, "report.json", "--plain-http", SITE, "-o", "out", *more)
    assert done.code == 0, done.err
    text = "".join(file.read_text() for file in Path("out").rglob("*") if file.is_file())
    assert "insecure = true" in text if kind in {"crio", "podman"} else f"http://{SITE}" in text
    assert f"https://{SITE}" not in text
    secret = [file for file in Path("out").rglob("*") if file.is_file() and file.stat().st_mode & 0o077 == 0]
    assert bool(secret) == bool(more)
    assert "hunter2" not in done.out + done.err


@pytest.mark.parametrize("kind", NODES)
def test_a_key_beside_the_authority_is_not_given_away(run: Run, kind: str) -> None:
    done = run(kind, "report.json", "--ca-file", "ca.pem", "-o", "out")
    assert done.code == 0, done.err
    text = "".join(file.read_text() for file in Path("out").rglob("*") if file.is_file())
    assert PEM in text or base64.b64encode(PEM.encode()).decode() in text
    assert "PRIVATE" not in text
    assert base64.b64encode(KEY.encode()).decode()[:40] not in text


@pytest.mark.parametrize("kind", NODES)
def test_files_that_are_there_stay(run: Run, kind: str) -> None:
    assert run(kind, "report.json", "--ca-file", "ca.pem", "-o", "out").code == 0
    files = [file for file in Path("out").rglob("*") if file.is_file()]
    for file in files:
        file.chmod(0o644)
        file.write_text("the site's own")
    refused = run(kind, "report.json", "--ca-file", "ca.pem", "-o", "out")
    assert refused.code == 7
    assert "there already" in refused.err
    assert {file.read_text() for file in files} == {"the site's own"}
    assert run(kind, "report.json", "--ca-file", "ca.pem", "-o", "out", "--force").code == 0
    assert "the site's own" not in {file.read_text() for file in files}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["containerd", "set.yaml", "--to", "bad_host.local:5000"], "is not a registry"),
        (["containerd", "set.yaml", "--to", f"{SITE}:1"], "is not a"),
        (["crio", "set.yaml", "--to", f"{SITE}/Mirror"], "capital letters"),
        (["podman", "set.yaml", "--to", SITE, "--pull-from", "registry/mirror"], "names no registry"),
        (["docker", "set.yaml", "--to", f"{SITE}/mirror"], "Docker mirrors docker.io only"),
        (["docker", "set.yaml", "--to", SITE, "--rewrite", "ca.pem"], "cannot be read as JSON"),
        (["docker", "set.yaml", "--to", SITE, "--rewrite", "absent.json"], "no file or folder"),
        (["docker", "set.yaml", "--to", SITE, "--no-fallback"], "--no-fallback means nothing for docker"),
        (["docker", "set.yaml", "--to", SITE, "--with-login"], "--with-login means nothing for docker"),
        (["talos", "set.yaml", "--to", SITE, "--node-ca-file", "/ca.pem"], "--node-ca-file means nothing for talos"),
        (["containerd", "set.yaml", "--to", SITE, "--node-ca-file", "ca.pem"], "is no full path on the nodes"),
        (["containerd", "set.yaml", "--to", SITE, "--ca-file", "set.yaml"], "has no certificate"),
        (["k3s", "set.yaml", "--to", "other.local", "--with-login"], "no login for other.local"),
        (["k3s", "--to", SITE], "nothing to tell nodes"),
        (["k3s"], "nothing says which registry"),
        (["talos", "set.yaml", "--to", "oci:layout"], "oci:layout is no registry"),
        (["containerd", "report.json", "--with-login"], "add -o DIR"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_written_is_said_in_one_sentence(run: Run, words: list[str], said: str) -> None:
    done = run(*words)
    assert done.code in {2, 3, 8}, done
    assert said in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


@pytest.mark.parametrize("kind", ["containerd", "pull-secret"])
def test_a_given_login_is_written_for_the_registry_that_was_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A report, a plan or an inventory may name any registry, and nodes send the login to the one in their files."""
    monkeypatch.setenv("TRANSLOAD_TARGET_USERNAME", "ann")
    monkeypatch.setenv("TRANSLOAD_TARGET_PASSWORD", "hunter3")
    words = [kind, "report.json", "--with-login", "-o", "out"]
    done = run(*words)
    assert (done.code, f"only the files say that it would be for {SITE}" in done.err) == (2, True)
    for flag in ("--to", "--pull-from"):
        assert run(*words, flag, SITE, "--force").code == 0
    done = run(*words, "--to", "other.local")
    assert (done.code, "is not below other.local" in done.err) == (2, True), done.err


@pytest.mark.parametrize("flag", ["--plain-http", "--insecure-tls"])
@pytest.mark.parametrize("kind", NODES)
def test_a_login_that_others_can_read_is_warned_of(run: Run, kind: str, flag: str) -> None:
    warned = "nodes send the login to registry.local:5000 without"
    assert warned not in run(kind, "set.yaml", "--to", SITE, flag, SITE, "-o", "out").err
    if kind != "docker":  # its logins are in no file of the daemon
        done = run(kind, "set.yaml", "--to", SITE, flag, SITE, "--with-login", "-o", "with")
        assert (done.code, warned in done.err) == (0, True), done.err


def test_the_registry_alone(run: Run) -> None:
    """Without a release, nodes are told how the registry is reached."""
    for kind in NODES:
        done = run(kind, "--to", SITE, "--ca-file", "ca.pem", "-o", f"{kind}-alone")
        assert done.code == 0, done.err
        assert "published" not in done.err
        assert "asked of the registry that pods name" not in done.err
