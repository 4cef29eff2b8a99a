"""Which certificates the folders of docker and podman hold for a registry, and for whom they count."""

from __future__ import annotations

import contextlib
import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from transload.errors import TransloadError
from transload.net.address import Origin
from transload.net.certsd import certificates_for
from transload.net.http import Http
from transload.net.messages import HttpRequest
from transload.net.settings import NetSettings
from transload.net.tls import Trust


def made(root: Path, *names: str) -> list[Path]:
    paths = [root / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


@pytest.mark.parametrize(
    ("folder", "url"),
    [
        ("r.example", "https://r.example"),
        ("r.example:443", "https://r.example"),
        ("r.example:5000", "https://r.example:5000"),
        ("docker.io", "https://registry-1.docker.io"),
        ("registry-1.docker.io", "https://registry-1.docker.io"),
        ("[::1]:5000", "https://[::1]:5000"),
    ],
)
def test_folders_of_a_registry(tmp_path: Path, folder: str, url: str) -> None:
    [path] = made(tmp_path, f"{folder}/ca.crt")
    found = certificates_for(Origin.of(url), [tmp_path])
    assert found is not None
    assert found.authorities == (path,)


@pytest.mark.parametrize(
    "url", ["https://r.example:5000", "https://s.r.example", "http://r.example", "https://..", "https://ca.crt"]
)
def test_folders_of_others(tmp_path: Path, url: str) -> None:
    made(tmp_path, "certs.d/r.example/ca.crt", "certs.d/ca.crt", "ca.crt")
    assert certificates_for(Origin.of(url), [tmp_path / "certs.d", tmp_path / "none"]) is None


def test_every_root_is_read_in_order_and_what_lacks_its_other_half_is_told(tmp_path: Path) -> None:
    first = made(tmp_path / "a/r.example", "a.crt", "a.cert", "a.key", "notes.txt", "ca.pem")
    second = made(tmp_path / "b/r.example", "b.crt", "c.cert", "d.key")
    found = certificates_for(Origin.of("https://r.example"), [tmp_path / "a", tmp_path / "b"])
    assert found is not None
    assert found.authorities == (first[0], second[0])
    assert found.pairs == ((first[1], first[2]),)
    assert len(found.troubles) == 2


def test_a_client_certificate_is_shown_to_the_registrys_own_host_only(tmp_path: Path) -> None:
    made(tmp_path, "r.example/me.cert", "r.example/me.key")
    trust = Trust(NetSettings(certificate_folders=(tmp_path,)))
    registry = Origin.of("https://r.example")
    assert trust.circle(registry).shown
    assert trust.circle(Origin.of("https://r.example:5001"), registry).shown
    elsewhere = trust.circle(Origin.of("https://storage.example"), registry)
    assert not elsewhere.shown
    assert elsewhere.folder == trust.circle(registry).folder
    assert trust.circle(Origin.of("https://storage.example")).folder is None


class _Answers(http.server.BaseHTTPRequestHandler):
    location = ""

    def do_GET(self) -> None:
        self.send_response(307 if self.location else 200)
        if self.location:
            self.send_header("Location", self.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextlib.contextmanager
def serving(authority: trustme.CA, location: str = "") -> Iterator[str]:
    """An https server that sends everybody to `location`; its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    handler = type("_Sends", (_Answers,), {"location": location})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_authorities_count_for_where_a_registry_sends_and_whom_it_asks_for_tokens(tmp_path: Path) -> None:
    authority = trustme.CA()
    with serving(authority) as storage, serving(authority, storage) as registry:
        folder = tmp_path / Origin.of(registry).netloc
        folder.mkdir()
        authority.cert_pem.write_to_path(str(folder / "site.crt"))
        with Http(NetSettings(certificate_folders=(tmp_path,), attempts=1)) as network:
            assert network.ask(HttpRequest("GET", registry, "asking", "test")).status == 200
            behalf = HttpRequest("GET", storage, "asking", "test", registry=Origin.of(registry))
            assert network.ask(behalf).status == 200
            with pytest.raises(TransloadError, match="certificate"):
                network.ask(HttpRequest("GET", storage, "asking", "test"))
