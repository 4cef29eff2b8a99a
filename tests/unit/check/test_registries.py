"""`transload check` of registries that are well, closed, read-only, small-minded, or not there."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

import transload
from tests.unit.registry.test_uploads import MIB, Vault
from tests.unit.registry.wire import Asked, Said, Script, Wire, refused, serving
from transload import CheckPoint, Checkup, Environment, Interrupted, Login, Network, Secret
from transload.errors import AccessDenied, CredentialsRejected, StorageFull, Unreachable
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci.mediatype import DOCKER_MANIFEST
from transload.registry.known import KnownRegistries
from transload.server import Served, ServeSettings, serve
from transload.testing.images import fill, image, multi_platform

NOTHING = Environment()
SET = image("set", (300_000, 2_000_000))


def at(checkup: Checkup, aspect: str, store: str | None = None) -> CheckPoint:
    (point,) = (p for p in checkup.points if p.aspect == aspect and store in {None, p.store})
    return point


def verdicts(checkup: Checkup) -> dict[str, str]:
    return {point.aspect: point.verdict for point in checkup.points}


@pytest.fixture
def site() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def writable(site: MemoryStore, tmp_path: Path) -> Iterator[Served]:
    with serve(site, ServeSettings(writable=True, spool_folder=tmp_path)) as served:
        yield served


@pytest.fixture
def vendor() -> Iterator[Served]:
    store = MemoryStore()
    fill(store, SET, "acme/app", "1")
    fill(store, multi_platform("two", (100_000,)), "acme/web", "2")
    with serve(store) as served:
        yield served


# --- what is well


def test_a_registry_that_is_well(writable: Served) -> None:
    found = transload.check(f"{writable.host_port}/team", environment=NOTHING)
    assert found.works
    assert found.exit_code == 0
    assert (found.images, found.bytes, found.estimate_s) == (None, None, None)
    unknown = {aspect for aspect, verdict in verdicts(found).items() if verdict == "unknown"}
    assert unknown == {"mounts", "ranges", "manifests", "sparse"}
    assert {verdict for aspect, verdict in verdicts(found).items() if aspect not in unknown} == {"ok"}
    assert at(found, "push").found == "uploads can begin in 1 repository (team/transload-check)"
    assert at(found, "body").facts == {"wanted_bytes": 1 << 30, "taken_bytes": 1 << 30, "sent_bytes": 0}
    assert at(found, "resume").facts == {"resumes": True}
    assert at(found, "digests").facts == {"refuses_wrong_digest": True}
    assert at(found, "referrers").facts == {"referrers_api": True}
    assert at(found, "upload speed").facts["bytes_per_s"] > 0
    assert at(found, "clock").facts["skew_s"] in {-1, 0, 1}


def test_the_speed_is_at_most_what_the_run_may_take(writable: Served) -> None:
    found = transload.check(writable.host_port, environment=NOTHING, network=Network(limit_rate="4MB/s"))
    assert at(found, "upload speed").facts["bytes_per_s"] < 6_000_000  # what a bucket lets through at once comes on top


def test_nothing_stays_in_a_served_folder(tmp_path: Path) -> None:
    folder = tmp_path / "served"
    with serve(LayoutStore(folder, create=True), ServeSettings(writable=True)) as served:
        before = contents(folder)
        for deep in (False, True):
            assert transload.check(f"{served.host_port}/a", deep=deep, environment=NOTHING).works
            assert contents(folder) == before


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and ".lock" not in path.name}


def test_a_deep_check_tries_more(writable: Served) -> None:
    found = transload.check(writable.host_port, deep=True, environment=NOTHING)
    assert set(verdicts(found).values()) == {"ok"}
    assert at(found, "manifests").facts["refused"] == []
    assert at(found, "sparse").facts == {"takes_sparse": False}
    assert at(found, "mounts").facts == {"mounts": True}
    assert at(found, "ranges").facts == {"ranges": True}
    assert at(found, "clean").facts == {"left": 0}


def test_a_set_is_planned_and_tried_in_its_own_repositories(writable: Served, vendor: Served) -> None:
    names = [f"{vendor.host_port}/acme/app:1", f"{vendor.host_port}/acme/web:2"]
    found = transload.check(f"{writable.host_port}/in", names, environment=NOTHING)
    assert found.works
    assert found.images == 2
    assert found.bytes is not None
    assert found.bytes > 2_400_000
    assert found.estimate_s is not None
    assert found.estimate_s > 0
    assert at(found, "push").facts == {"tried": 2, "wanted": 2}
    assert at(found, "body").facts["wanted_bytes"] == max(layer.size for layer in SET.manifest.layers)
    assert at(found, "images").found == "2 images of the set can be copied"
    assert at(found, "images").store == vendor.host_port
    assert at(found, "download speed").facts["bytes_per_s"] > 0
    assert at(found, "ranges", vendor.host_port).facts == {"ranges": True}


def test_a_set_that_the_source_lacks_in_part(writable: Served, vendor: Served) -> None:
    names = [f"{vendor.host_port}/acme/app:1", f"{vendor.host_port}/acme/nobody:9"]
    found = transload.check(writable.host_port, names, environment=NOTHING)
    assert not found.works
    point = at(found, "images")
    assert (point.verdict, point.exit_code) == ("problem", 4)
    assert point.found.startswith("1 of 2 images cannot be copied: acme/nobody:9")
    assert at(found, "push").verdict == "ok"


def test_what_is_there_already_takes_no_time(writable: Served, vendor: Served) -> None:
    name = f"{vendor.host_port}/acme/app:1"
    transload.copy(name, f"{writable.host_port}/acme/app:1", environment=NOTHING)
    found = transload.check(writable.host_port, name, environment=NOTHING)
    assert (found.images, found.bytes, found.estimate_s) == (0, 0, None)
    assert found.works


def test_what_is_learnt_is_kept_and_shown(writable: Served, tmp_path: Path) -> None:
    environment = Environment(state=tmp_path / "state")
    transload.check(writable.host_port, deep=True, environment=environment)
    assert KnownRegistries(tmp_path / "state").fresh(writable.host_port)["mounts"] is True
    found = transload.check(writable.host_port, environment=environment)
    assert at(found, "mounts").verdict == "ok"
    assert "as found on" in at(found, "mounts").found
    assert at(found, "remembered").facts["findings"]["referrers_api"] is True


# --- rights


def test_a_wrong_password(site: MemoryStore, tmp_path: Path) -> None:
    settings = ServeSettings(writable=True, spool_folder=tmp_path, users={"ann": "right"})
    with serve(site, settings) as closed:
        login = Login("ann", Secret("wrong"))
        found = transload.check(closed.host_port, target_login=login, environment=NOTHING)
        point = at(found, "login")
        assert (point.verdict, point.code) == ("problem", CredentialsRejected.code)
        assert found.exit_code == CredentialsRejected.exit_code
        assert at(found, "push").verdict == at(found, "upload speed").verdict == "unknown"
        assert at(found, "push").found == "the login failed"
        missing = transload.check(closed.host_port, environment=NOTHING)
        assert (at(missing, "login").verdict, missing.exit_code) == ("problem", 3)


def test_a_login_is_told_with_its_place_and_without_its_secret(site: MemoryStore, tmp_path: Path) -> None:
    settings = ServeSettings(writable=True, spool_folder=tmp_path, users={"ann": "right"})
    with serve(site, settings) as closed:
        file = tmp_path / "auth.json"
        file.write_text(f'{{"auths": {{"{closed.host_port}": {{"auth": "YW5uOnJpZ2h0"}}}}}}')
        found = transload.check(closed.host_port, environment=Environment(credential_files=(file,)))
        assert at(found, "login").found == f"the login of ann, from {file}, is accepted"
        given = transload.check(closed.host_port, target_login=Login("ann", Secret("right")), environment=NOTHING)
        assert at(given, "login").found == "the login of ann, given for this run, is accepted"
        assert "right" not in str([point.to_json() for point in (*found.points, *given.points)])


def test_a_registry_that_only_reads(vendor: Served) -> None:
    found = transload.check(vendor.host_port, environment=NOTHING)
    point = at(found, "push")
    assert (point.verdict, found.works) == ("problem", False)
    assert "read-only" in f"{point.found} {point.advice}"
    assert at(found, "body").verdict == "unknown"


def test_only_some_repositories_may_be_written_to(vendor: Served) -> None:
    vault = Vault()

    def script(asked: Asked) -> Said:
        denied = asked.method == "POST" and "/web/" in asked.path
        if asked.path == "/v2/" or denied:
            return refused(403, "DENIED", "project web does not exist") if denied else Said(200)
        return Said(404) if "/uploads/" not in asked.path else vault(asked)

    with serving(script) as wire:
        names = [f"{vendor.host_port}/acme/app:1", f"{vendor.host_port}/acme/web:2"]
        found = transload.check(wire.host, names, environment=NOTHING)
    point = at(found, "push")
    assert (point.verdict, point.code) == ("problem", AccessDenied.code)
    assert point.found.startswith("1 of 2 repositories cannot be written to: acme/web: ")
    assert "project web does not exist" in point.found
    assert "to be created first" in (point.advice or "")


def test_paths_that_are_too_deep(vendor: Served) -> None:
    vault = Vault()

    def script(asked: Asked) -> Said:
        if asked.method == "POST" and asked.path.startswith("/v2/team/in/acme/"):
            return refused(400, "NAME_INVALID", "only two levels")
        return only_uploads(vault)(asked)

    with serving(script) as wire:
        deep = transload.check(f"{wire.host}/team/in", f"{vendor.host_port}/acme/app:1", environment=NOTHING)
        flat = transload.check(f"{wire.host}/team", f"{vendor.host_port}/acme/app:1", environment=NOTHING, flatten=True)
    assert "--flatten" in (at(deep, "push").advice or "")
    assert at(deep, "paths").verdict == "unknown"
    assert (at(flat, "push").verdict, at(flat, "paths").facts) == ("ok", {"parts": 2})


# --- types of manifests


class Picky:
    """A registry that takes uploads, and manifests of some types only."""

    def __init__(self, *refused_types: str) -> None:
        self._vault, self._refused = Vault(), refused_types

    def __call__(self, asked: Asked) -> Said:
        if asked.method == "PUT" and "/manifests/" in asked.path:
            wrong = asked.headers["Content-Type"] in self._refused
            return refused(415, "MANIFEST_INVALID", "unknown type") if wrong else Said(201)
        return only_uploads(self._vault)(asked)


@pytest.mark.parametrize(("wanted", "verdict"), [("app:1", "problem"), ("web:2", "warning")])
def test_a_type_that_is_refused_matters_if_the_set_has_it(vendor: Served, wanted: str, verdict: str) -> None:
    """The images are OCI's here; of the two, only the second has no manifest of a refused type."""
    refused_types = ("application/vnd.oci.image.manifest.v1+json",) if verdict == "problem" else (DOCKER_MANIFEST,)
    with serving(Picky(*refused_types)) as wire:
        found = transload.check(wire.host, f"{vendor.host_port}/acme/{wanted}", deep=True, environment=NOTHING)
    assert at(found, "manifests").verdict == verdict
    assert found.works is (verdict != "problem")


@pytest.mark.parametrize("narrowing", ["rewritten", "sparse"])
def test_a_sparse_index_that_is_refused_matters_if_the_set_has_one(
    writable: Served, vendor: Served, narrowing: str
) -> None:
    found = transload.check(
        writable.host_port,
        f"{vendor.host_port}/acme/web:2",
        deep=True,
        platforms="linux/amd64",
        narrowing=narrowing,
        environment=NOTHING,
    )
    assert at(found, "sparse").verdict == ("problem" if narrowing == "sparse" else "ok")


# --- bodies


def only_uploads(vault: Vault) -> Script:
    def script(asked: Asked) -> Said:
        if "/uploads/" in asked.path:
            return vault(asked)
        return Said(200 if asked.path == "/v2/" else 404)

    return script


@pytest.mark.parametrize("limit", [100 * MIB, MIB])
def test_a_limit_on_bodies_is_found_without_sending_any(limit: int, tmp_path: Path) -> None:
    """Without a set it is not kept: a run may never send so large a body."""
    vault = Vault()
    vault.largest_body = limit
    environment = Environment(state=tmp_path)
    with serving(only_uploads(vault)) as wire:
        found = transload.check(f"{wire.host}/a", environment=environment, network=Network(plain_http="127.0.0.1"))
        point = at(found, "body")
        assert (point.verdict, found.works) == ("warning", True)
        assert limit // 4 <= point.facts["taken_bytes"] <= limit
        assert "client_max_body_size" in (point.advice or "")
        assert "piece_bytes" not in KnownRegistries(tmp_path).fresh(wire.host)
        assert all(int(asked.headers["Content-Length"] or 0) <= limit for asked in wire.asked if asked.method == "PUT")


def test_a_limit_below_the_largest_blob_of_the_set_is_kept_for_the_run(vendor: Served, tmp_path: Path) -> None:
    vault = Vault()
    vault.largest_body = MIB
    environment, network = Environment(state=tmp_path), Network(plain_http="127.0.0.1")
    with serving(only_uploads(vault)) as wire:
        name = f"{vendor.host_port}/acme/app:1"
        found = transload.check(wire.host, name, environment=environment, network=network)
        point = at(found, "body")
        assert (point.verdict, point.facts["wanted_bytes"] > 2_000_000) == ("warning", True)
        known = KnownRegistries(tmp_path).fresh(wire.host)
        assert (known["upload_mode"], known["piece_bytes"]) == ("pieces", point.facts["taken_bytes"])
        vault.largest_body = 100 * MIB
        found = transload.check(wire.host, name, environment=environment, network=network)
        assert (at(found, "body").verdict, at(found, "body").facts["taken_bytes"] > 2_000_000) == ("ok", True)
        assert KnownRegistries(tmp_path).fresh(wire.host).get("piece_bytes") is None


def test_a_limit_on_bodies_is_found_over_tls_too(authority: trustme.CA, tmp_path: Path) -> None:
    vault = Vault()
    vault.largest_body = 100 * MIB
    found = over_tls(authority.issue_cert("127.0.0.1"), only_uploads(vault), ca_files=tmp_path / "ca.pem")
    assert at(found, "body").facts["taken_bytes"] == 64 * MIB


def test_a_limit_below_reason() -> None:
    vault = Vault()
    vault.largest_body = 1000
    with serving(only_uploads(vault)) as wire:
        found = transload.check(f"{wire.host}/a", environment=NOTHING)
    assert at(found, "body").verdict == "problem"
    assert found.exit_code == 7


def test_a_body_is_really_sent_if_wanted(writable: Served) -> None:
    found = transload.check(writable.host_port, probe_bytes=3_000_000, environment=NOTHING)
    assert at(found, "body").facts["sent_bytes"] == 3_000_000


@pytest.mark.parametrize("said", [Said(507), refused(500, "UNKNOWN", "write /data: no space left on device")])
def test_a_registry_whose_disk_is_full(said: Said) -> None:
    vault = Vault()
    vault.patch = lambda asked: said
    with serving(only_uploads(vault)) as wire:
        found = transload.check(f"{wire.host}/a", environment=NOTHING)
    assert (at(found, "upload speed").verdict, at(found, "upload speed").code) == ("problem", StorageFull.code)
    assert found.exit_code == 7


def test_a_slow_line_gets_only_bodies_that_end_in_time() -> None:
    vault, never = Vault(), threading.Event()

    def slow(asked: Asked) -> None:
        if len(asked.body) > 1000:
            never.wait(0.5)  # as 64 KiB take on a line of 128 KiB a second; eight times as many are not begun

    vault.patch = slow
    with serving(only_uploads(vault)) as wire:
        found = transload.check(f"{wire.host}/a", environment=NOTHING)
    assert "(256 KiB sent)" in at(found, "upload speed").found
    assert vault.sessions == {}


def test_a_registry_that_takes_wrong_content(tmp_path: Path) -> None:
    deleted: list[str] = []

    def script(asked: Asked) -> Said:
        if asked.method == "DELETE":
            deleted.append(asked.path)
        if asked.method in {"POST", "PATCH"}:
            return Said(202, {"Location": "/v2/a/blobs/uploads/1"})
        return Said(201 if asked.method == "PUT" else 200)

    with serving(script) as wire:
        found = transload.check(f"{wire.host}/a", environment=NOTHING)
    assert at(found, "digests").verdict == "warning"
    assert any("/blobs/sha256:" in path for path in deleted)


# --- the way there


def test_nothing_listens() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{closed.getsockname()[1]}"
        found = transload.check(host, environment=NOTHING)
    point = at(found, "connection")
    assert (point.verdict, point.exit_code) == ("problem", Unreachable.exit_code)
    assert at(found, "push").found == "the registry was not reached"


def test_a_name_that_does_not_resolve() -> None:
    found = transload.check("registry.invalid/x", environment=NOTHING)
    assert (at(found, "name").verdict, found.exit_code) == ("problem", 5)
    assert "registry.invalid is not known" in at(found, "name").found


def test_a_proxy_is_named_by_its_variable_and_without_its_password() -> None:
    with serving(lambda asked: Said(502)) as proxy:
        environment = Environment(
            proxies={"https": f"http://ann:secret@{proxy.host}"}, proxy_variables={"https": "HTTPS_PROXY"}
        )
        found = transload.check("registry.example/x", environment=environment)
    point = at(found, "proxy")
    assert point.found == f"http://{proxy.host}, from the variable HTTPS_PROXY"
    assert not found.works
    assert "secret" not in str(found)
    assert "name" not in verdicts(found)


def test_a_host_without_a_proxy_by_no_proxy() -> None:
    environment = Environment(proxies={"all": "http://proxy.example"}, no_proxy="registry.invalid")
    found = transload.check("registry.invalid/x", environment=environment)
    assert at(found, "proxy").found == "none, because NO_PROXY names this host"


# --- certificates and clocks


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return made


def over_tls(certificate: trustme.LeafCert, script: Any, **network: Any) -> Checkup:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with Wire(script, context) as wire:
        return transload.check(f"{wire.host}/a", environment=NOTHING, network=Network(**network))


def closed_to_all(asked: Asked) -> Said:
    return Said(200) if asked.path == "/v2/" else Said(403)


@pytest.mark.parametrize(("days", "verdict"), [(400, "ok"), (15, "ok"), (13, "warning"), (0, "warning")])
def test_the_days_that_a_certificate_has_left(authority: trustme.CA, tmp_path: Path, days: int, verdict: str) -> None:
    until = datetime.now(UTC) + timedelta(days=days, hours=1)
    certificate = authority.issue_cert("127.0.0.1", "registry.example", not_after=until)
    point = at(over_tls(certificate, closed_to_all, ca_files=tmp_path / "ca.pem"), "certificate")
    assert (point.verdict, point.facts["days_left"]) == (verdict, days)
    assert set(point.facts["names"]) == {"127.0.0.1", "registry.example"}
    assert "issued by trustme" in point.found
    assert (point.advice is None) is (verdict == "ok")


def test_a_certificate_that_has_expired(authority: trustme.CA, tmp_path: Path) -> None:
    certificate = authority.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 2, tzinfo=UTC))
    found = over_tls(certificate, closed_to_all, ca_files=tmp_path / "ca.pem")
    assert (at(found, "certificate").verdict, found.exit_code) == ("problem", 5)
    assert "expired on 2020-01-02" in at(found, "certificate").found


def test_a_certificate_of_a_stranger(authority: trustme.CA) -> None:
    found = over_tls(authority.issue_cert("127.0.0.1"), closed_to_all)
    assert at(found, "certificate").verdict == "problem"
    assert "--ca-file" in (at(found, "certificate").advice or "")


def test_a_certificate_that_is_not_verified(authority: trustme.CA) -> None:
    found = over_tls(authority.issue_cert("elsewhere.example"), closed_to_all, insecure_tls="127.0.0.1")
    assert at(found, "certificate").verdict == "warning"


@pytest.mark.parametrize(("skew_s", "verdict"), [(0, "ok"), (3600, "warning"), (-3600, "warning"), (None, "unknown")])
def test_the_clock_of_the_registry(skew_s: int | None, verdict: str) -> None:
    def script(asked: Asked) -> Said:
        if skew_s is None:
            return closed_to_all(asked)
        now = datetime.now(UTC) + timedelta(seconds=skew_s)
        said = closed_to_all(asked)
        return Said(said.status, {"Date": now.strftime("%a, %d %b %Y %H:%M:%S GMT")})

    with serving(script) as wire:
        point = at(transload.check(f"{wire.host}/a", environment=NOTHING), "clock")
    assert point.verdict == verdict
    if skew_s:
        assert abs(point.facts["skew_s"] - skew_s) <= 2


@pytest.mark.parametrize("date", ["yesterday", "\x7f" * 50, "Mon, 99 Foo 99999 99:99:99 GMT", "9" * 60])
def test_a_date_that_is_none(date: str) -> None:
    with serving(lambda asked: Said(200, {"Date": date})) as wire:
        assert at(transload.check(f"{wire.host}/a", environment=NOTHING), "clock").verdict == "unknown"


# --- hostile registries


def test_a_registry_that_says_yes_to_everything_is_bounded() -> None:
    with serving(lambda asked: Said(200, {"Location": "/v2/x", "Range": "0-99999999"}, b"x" * 1000)) as wire:
        found = transload.check(f"{wire.host}/a", deep=True, environment=NOTHING)
        assert len(wire.asked) < 120
    assert at(found, "resume").facts == {"resumes": False}


def test_a_registry_that_falls_silent_ends_with_the_time_that_there_is() -> None:
    def script(asked: Asked) -> Said:
        if asked.path != "/v2/":
            silent.wait(30)
        return Said(200)

    silent = threading.Event()
    with serving(script) as wire:
        found = transload.check(f"{wire.host}/a", budget_s=1, environment=NOTHING)
        silent.set()
    assert at(found, "push").found == "there was no time left to find out (--timeout)"
    assert (found.works, found.exit_code) == (False, 1)
    assert at(found, "upload speed").verdict == "unknown"


def test_a_registry_whose_answer_never_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"

        def drip() -> None:
            with server.accept()[0] as line, contextlib.suppress(OSError):
                line.recv(65536)
                line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
                while True:
                    line.sendall(b"x")
                    over.wait(0.05)

        over = threading.Event()
        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        network = Network(plain_http="127.0.0.1")
        found = transload.check(host, budget_s=1, environment=NOTHING, network=network)
        over.set()
        thread.join()
    assert at(found, "connection").verdict == "problem"
    assert found.exit_code == Unreachable.exit_code


def test_the_user_may_end_it() -> None:
    cancellation = transload.Cancellation()

    def script(asked: Asked) -> Said:
        cancellation.cancel()
        return Said(200)

    with serving(script) as wire, pytest.raises(Interrupted):
        transload.check(f"{wire.host}/a", environment=NOTHING, cancellation=cancellation)


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"\xff" * 100, b""])
def test_what_is_no_registry(body: bytes) -> None:
    with serving(lambda asked: Said(200, {"Content-Type": "text/html"}, body)) as wire:
        found = transload.check(f"{wire.host}/a", environment=NOTHING)
    assert not found.works
