"""Starting, stopping, and who may come in."""

from __future__ import annotations

import base64
import gc
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.unit.server.asking import ask
from transload.errors import Busy, LocalError, UsageError
from transload.memory import MemoryStore
from transload.oci import Digest
from transload.server import Served, ServeSettings, serve

WRITES = [
    ("POST", "/v2/a/blobs/uploads/"),
    ("PATCH", "/v2/a/blobs/uploads/1"),
    ("PUT", "/v2/a/blobs/uploads/1"),
    ("DELETE", "/v2/a/blobs/uploads/1"),
    ("PUT", "/v2/a/manifests/1"),
    ("DELETE", "/v2/a/manifests/1"),
    ("DELETE", f"/v2/a/blobs/{Digest.of(b'')}"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_read_only_unless_asked_otherwise(store: MemoryStore, method: str, path: str) -> None:
    with serve(store) as served:
        answer = ask(served, method, path, b"x")
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    assert "--writable" in answer.document["errors"][0]["message"]


def test_methods_that_do_not_exist(served: Served) -> None:
    answer = ask(served, "POST", "/v2/a/tags/list")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert ask(served, "POST", "/v2/a/manifests/1").headers["Allow"] == "DELETE, GET, HEAD, PUT"
    assert ask(served, "OPTIONS", "/v2/").status == 405


def test_users(store: MemoryStore) -> None:
    with serve(store, ServeSettings(users={"ann": "one"})) as served:
        refused = ask(served, "GET", "/v2/")
        assert (refused.status, refused.code) == (401, "UNAUTHORIZED")
        assert refused.headers["WWW-Authenticate"].startswith("Basic realm=")
        wrong = {"Authorization": "Basic " + base64.b64encode(b"ann:two").decode()}
        assert ask(served, "GET", "/v2/_catalog", headers=wrong).status == 401
        right = {"Authorization": "Basic " + base64.b64encode(b"ann:one").decode()}
        assert ask(served, "GET", "/v2/_catalog", headers=right).status == 200
        assert served.requests.by_status == {401: 2, 200: 1}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def test_tls(store: MemoryStore, authority: trustme.CA, tmp_path: Path) -> None:
    certificate = authority.issue_cert("127.0.0.1")
    both, key, chain = tmp_path / "both.pem", tmp_path / "key.pem", tmp_path / "chain.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(str(both))
    certificate.private_key_pem.write_to_path(str(key))
    certificate.cert_chain_pems[0].write_to_path(str(chain))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    content = os.urandom(2_500_000)
    for settings in (
        ServeSettings(tls_certificate=both, writable=True),
        ServeSettings(tls_certificate=chain, tls_key=key, writable=True),
    ):
        with serve(store, settings) as served:
            assert served.url == f"https://{served.host_port}"
            path = f"/v2/a/blobs/uploads/?digest={Digest.of(content)}"
            assert ask(served, "POST", path, content, tls=context).status == 201
            assert ask(served, "GET", f"/v2/a/blobs/{Digest.of(content)}", tls=context).body == content


def test_tls_from_a_file(store: MemoryStore, authority: trustme.CA, tmp_path: Path) -> None:
    from tests.unit.server.shelf import RepositoryContent

    pem = tmp_path / "both.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    shelf = RepositoryContent(tmp_path)
    content = os.urandom(2_500_000)
    digest = shelf.put(content)
    with serve(shelf, ServeSettings(tls_certificate=pem)) as served:
        answer = ask(served, "GET", f"/v2/a/blobs/{digest}", headers={"Range": "bytes=5-2000000"}, tls=context)
    assert answer.body == content[5:2_000_001]


def test_a_certificate_that_cannot_be_read(store: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    os.mkfifo(tmp_path / "pipe.pem")
    key = trustme.CA().private_key_pem.bytes()
    locked = load_pem_private_key(key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    own = trustme.CA().cert_pem.bytes()
    (tmp_path / "locked.pem").write_bytes(own + locked)
    for name in ("none.pem", "no.pem", "pipe.pem", "locked.pem"):
        with (
            pytest.raises(LocalError, match="TLS certificate|pipe|has a passphrase"),
            serve(store, ServeSettings(tls_certificate=tmp_path / name)),
        ):
            pass


def test_a_port_that_is_taken(served: Served, store: MemoryStore) -> None:
    port = int(served.host_port.rpartition(":")[2])
    with pytest.raises(Busy, match="cannot listen"), serve(store, ServeSettings(port=port)):
        pass


def test_a_host_that_is_none(store: MemoryStore) -> None:
    with pytest.raises(UsageError), serve(store, ServeSettings(host="no host.invalid")):
        pass


def test_a_key_without_a_certificate(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        ServeSettings(tls_key=tmp_path / "key.pem")


def test_closing_ends_the_threads(store: MemoryStore) -> None:
    before = set(threading.enumerate())  # some of earlier tests may still be ending
    with serve(store) as served:
        host, _, port = served.host_port.partition(":")
        with socket.create_connection((host, int(port))):
            ask(served, "GET", "/v2/a/tags/list")
            served.close()
            assert set(threading.enumerate()) <= before
            with pytest.raises(OSError):
                ask(served, "GET", "/v2/")
        served.close()


def test_a_connection_of_the_last_moment_is_closed(store: MemoryStore) -> None:
    """pytest makes an error of a socket that nobody closed, as soon as it is collected."""
    for _ in range(20):
        with serve(store) as served:
            host, _, port = served.host_port.partition(":")
            socket.create_connection((host, int(port))).close()
        gc.collect()


def test_two_servers_of_one_store(served: Served, store: MemoryStore) -> None:
    with serve(store) as other:
        assert ask(other, "GET", "/v2/").status == ask(served, "GET", "/v2/").status == 200
        assert other.host_port != served.host_port


def test_what_is_not_http(served: Served) -> None:
    host, _, port = served.host_port.partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert b" 400 " in connection.recv(200)
    assert ask(served, "GET", "/v2/").status == 200


def test_headers_have_a_limit(served: Served) -> None:
    assert ask(served, "GET", "/v2/", headers={"X-Long": "x" * 20_000}).status == 400
    assert ask(served, "GET", f"/v2/{'a' * 20_000}/tags/list").status in {400, 414}


FOREVER = """
from transload.memory import MemoryStore
from transload.server import ServeSettings, serve_forever
serve_forever(MemoryStore(), ServeSettings(), lambda url: print(url, flush=True))
print("ended", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_in_the_foreground_until_a_signal_comes(number: signal.Signals) -> None:
    assert_ended_by(number, [sys.executable, "-c", FOREVER])


def test_started_in_the_background_by_the_shell_of_a_script() -> None:
    """Such a shell has it ignore SIGINT, and yet that is how the script ends it."""
    ignoring = ["bash", "-c", "trap '' INT; exec \"$@\"", "bash"]
    assert_ended_by(signal.SIGINT, [*ignoring, sys.executable, "-c", FOREVER])


def assert_ended_by(number: signal.Signals, words: list[str]) -> None:
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline().startswith("http://127.0.0.1:")
            child.send_signal(number)
            assert child.stdout.readline() == "ended\n"
            assert child.wait(60) == 0
        finally:
            child.kill()


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "serving", ["from transload.server import serve_forever", "with transload.serve(transload.MemoryStore()): pass"]
)
def test_without_aiohttp_the_hint_says_what_to_install(serving: str) -> None:
    said = run(
        "import sys; sys.modules['aiohttp'] = None\n"
        "import transload\n"
        f"try:\n    {serving}\nexcept transload.PartMissing as error:\n    print(error.hint)"
    )
    assert said == "install it: python3 -m pip install 'transload[serve]'\n"


def test_importing_the_package_does_not_import_aiohttp() -> None:
    assert run("import sys, transload.server; print('aiohttp' in sys.modules)") == "False\n"


@pytest.mark.parametrize("wrong", ["oci:folder", None, 5])
def test_what_is_no_store(wrong: Any) -> None:
    with (
        pytest.raises(TypeError, match=r"^store must be a store such as .*open_store\(\.\.\.\)\.source, not "),
        serve(wrong),
    ):
        pass
