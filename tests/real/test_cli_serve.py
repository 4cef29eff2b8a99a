"""`transload serve` as a process: skopeo pulls and pushes, with and without TLS and passwords, and signals end it."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.real.servers import Registry, Skopeo, write_certificates
from tests.real.vendor import NEW, Shell, command, digest_at, push
from transload.layout import LayoutStore
from transload.oci import Name
from transload.testing.images import fill, image

SAMPLE = image("served", (1000, 300_000))


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A folder with one image."""
    fill(LayoutStore(tmp_path / "store", create=True), SAMPLE, "team/app", "v1")
    return tmp_path / "store"


@contextlib.contextmanager
def serving(shell: Shell, *words: object) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """`transload serve …` on a free port: the process, host and port, and what it said."""
    process = shell.start("serve", "--listen", "127.0.0.1:0", *words)
    assert process.stderr
    try:
        said = process.stderr.readline()
        found = re.search(r"https?://(\S+?),", said)
        assert found, said
        yield process, found[1], said
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=240)


def test_skopeo_pulls_what_is_served_and_nothing_can_be_pushed(
    shell: Shell, skopeo: Skopeo, layout: Path, tmp_path: Path
) -> None:
    with serving(shell, f"oci:{layout}") as (_, host, said):
        assert f"serving oci:{layout} at http://{host}, read-only; Ctrl-C ends it" in said
        skopeo("copy", "--src-tls-verify=false", f"docker://{host}/team/app:v1", f"oci:{tmp_path / 'pulled'}:v1")
        refused = skopeo(
            *("copy", "--dest-tls-verify=false", f"oci:{tmp_path / 'pulled'}:v1", f"docker://{host}/team/other:v1"),
            check=False,
        )
        assert refused.returncode != 0
    assert LayoutStore(tmp_path / "pulled").resolve(Name("", "v1")).digest == SAMPLE.digest


def test_on_request_it_says_what_was_pulled_by_whom(shell: Shell, skopeo: Skopeo, layout: Path, tmp_path: Path) -> None:
    shell.set(TRANSLOAD_SERVE_PASSWORD="open sesame")
    words = ("serve", "--listen", "127.0.0.1:0", f"oci:{layout}", "--user", "ali", "--log-pulls", "json")
    process = shell.start(*words)
    assert process.stderr
    host = re.search(r"http://(\S+?),", process.stderr.readline())
    assert host
    copied = ("copy", "--src-tls-verify=false", "--src-creds", "ali:open sesame")
    skopeo(*copied, f"docker://{host[1]}/team/app:v1", f"oci:{tmp_path / 'pulled'}:v1")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=240)
    (pulled,) = map(json.loads, out.splitlines())
    assert (pulled["client"], pulled["user"], pulled["repository"]) == ("127.0.0.1", "ali", "team/app")
    assert (pulled["tag"], pulled["digest"], pulled["ended"]) == ("v1", SAMPLE.digest, "complete")
    assert pulled["blobs"] == len(SAMPLE.manifest.blobs)
    assert "sesame" not in out


def test_skopeo_pushes_to_what_is_served_writable(shell: Shell, skopeo: Skopeo, layout: Path, tmp_path: Path) -> None:
    with serving(shell, f"oci:{tmp_path / 'fresh'}", "--writable") as (_, host, said):
        assert "read and write" in said
        skopeo("copy", "--dest-tls-verify=false", f"oci:{layout}:team/app:v1", f"docker://{host}/in/app:v2")
    assert LayoutStore(tmp_path / "fresh").resolve(Name("in/app", "v2")).digest == SAMPLE.digest


def test_passwords_and_tls(shell: Shell, layout: Path, tmp_path: Path) -> None:
    certs = write_certificates(tmp_path / "certs")
    shell.set(TRANSLOAD_SERVE_PASSWORD="open sesame")
    words = (f"oci:{layout}", "--user", "ali", "--tls-cert", certs / "server.cert", "--tls-key", certs / "server.key")
    with serving(shell, *words) as (_, host, said):
        assert f"https://{host}" in said
        assert "open sesame" not in said
        pull = ("mirror", f"{host}/team/app:v1", "--to", "oci:got")
        assert shell(*pull).code == 5
        trusted = (*pull, "--ca-file", certs / "ca.crt")
        assert shell(*trusted).code == 3
        shell.set(TRANSLOAD_SOURCE_PASSWORD="wrong")
        assert shell(*trusted, "--source-username", "ali").code == 3
        shell.set(TRANSLOAD_SOURCE_PASSWORD="open sesame")
        assert shell(*trusted, "--source-username", "ali").code == 0
    assert LayoutStore(tmp_path / "got").resolve(Name("team/app", "v1")).digest == SAMPLE.digest


def page(host: str) -> tuple[int, str]:
    """The front page as a browser asks for it: the status, and the text."""
    asked = urllib.request.Request(f"http://{host}/", headers={"Accept": "text/html"})
    try:
        with urllib.request.urlopen(asked) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_browser_sees_the_bundle_and_who_signed_it(shell: Shell, layout: Path, tmp_path: Path) -> None:
    assert shell("keys", "make", "site", "--no-passphrase").code == 0
    assert shell("pack", "--from", f"oci:{layout}", "-o", "november", "--sign-key", "site.key").code == 0
    for words, badge in (((), "not checked"), (("--key", "site.pub"), "verified")):
        with serving(shell, "bundle:november", *words) as (_, host, _):
            status, text = page(host)
            assert status == 200
            assert "The bundle november" in text
            assert f">{badge}</span>" in text
            assert ">complete</span>" in text
            assert str(tmp_path) not in text


def test_the_page_is_switched_off(shell: Shell, layout: Path) -> None:
    with serving(shell, f"oci:{layout}", "--no-page") as (_, host, _):
        status, text = page(host)
    assert (status, "NAME_UNKNOWN" in text) == (404, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(shell: Shell, layout: Path, number: int) -> None:
    with serving(shell, f"oci:{layout}") as (process, _, _):
        process.send_signal(number)
        _, err = process.communicate(timeout=240)
        assert process.returncode == 0
        assert "Traceback" not in err


def test_a_registry_is_served_as_a_read_through(shell: Shell, registry: Registry) -> None:
    push(registry, SAMPLE, "behind/app", "v1")
    with serving(shell, registry.host) as (_, host, _):
        assert shell("mirror", f"{host}/behind/app:v1", "--to", f"{registry.host}/through").code == 0
    assert digest_at(registry, "through/behind/app:v1") == SAMPLE.digest


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("oci:absent",), 8, "there is no folder absent"),
        (("oci:store", "--listen", "5000"), 2, "'5000' is not HOST:PORT"),
        (("oci:store", "--listen", "127.0.0.1:99999"), 2, "'127.0.0.1:99999' is not HOST:PORT"),
        (("oci:store", "--user", "ali"), 2, "user 'ali' has no password, and there is no terminal to ask on"),
        (("oci:store", "--tls-key", "k.pem"), 2, "a TLS key was given without a certificate"),
        (("oci:store", "--tls-cert", "absent.pem"), 8, "reading the TLS certificate absent.pem"),
        (("oci:store", "--listen", "192.0.2.1:0"), 8, "cannot listen on 192.0.2.1:0"),
    ],
)
def test_what_cannot_be_served(shell: Shell, layout: Path, words: tuple[str, ...], code: int, sentence: str) -> None:
    ran = shell("serve", *words)
    assert (ran.code, sentence in ran.err) == (code, True), ran.err


def test_a_port_that_is_taken(shell: Shell, layout: Path, registry: Registry) -> None:
    ran = shell("serve", f"oci:{layout}", "--listen", registry.host)
    assert ran.code == 8
    assert f"cannot listen on {registry.host}" in ran.err
    assert "hint: choose another port" in ran.err


def test_what_was_mirrored_to_a_folder_is_served(shell: Shell, skopeo: Skopeo, vendor: Registry) -> None:
    assert shell("mirror", f"{vendor.host}/arcdata/arc-dns:{NEW}", "--to", "oci:carried").code == 0
    with serving(shell, "oci:carried") as (_, host, _):
        told = skopeo("inspect", "--tls-verify=false", f"docker://{host}/arcdata/arc-dns:{NEW}").stdout
    assert digest_at(vendor, f"arcdata/arc-dns:{NEW}") in told


def test_a_limit_on_the_rate_is_said_to_hold_for_what_is_read(shell: Shell, layout: Path) -> None:
    with serving(shell, f"oci:{layout}", "--limit-rate", "1MB/s") as (process, _, _):
        assert process.stderr
        assert process.stderr.readline().startswith("note: --limit-rate holds for what is read from a registry")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--listen", "0.0.0.0:0", "--writable"], "may read and change what is served"),
        (["--listen", "nowhere"], "'nowhere' is not HOST:PORT"),
    ],
)
def test_sentences_at_a_narrow_terminal_are_folded_between_words(layout: Path, words: list[str], sentence: str) -> None:
    program, *arguments = command("serve", f"oci:{layout}", *words)
    with pexpect.spawn(program, arguments, encoding="utf-8", timeout=240, use_poll=True, dimensions=(40, 50)) as said:
        said.expect(r"\s+".join(map(re.escape, sentence.split())))
        said.sendintr()
        lines = f"{said.before}{said.after}".splitlines()
    assert max(map(len, lines)) <= 50
