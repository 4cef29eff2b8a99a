"""Charts are fetched from where people say they are: the original bytes, proved, and no login goes to another host."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from tests.unit.charts.building import archive, chart_repository, files, index_of, packed, stores_at
from tests.unit.registry.wire import Asked, Said, Wire
from transload.app.charts.finding import fetch_chart, find_chart
from transload.app.network import Network
from transload.app.stores import Logins
from transload.catalog.chartaddress import ChartAddress
from transload.charts.artifact import artifact_of
from transload.charts.chart import Chart
from transload.errors import (
    CertificateUntrusted,
    ContentDiffers,
    CorruptError,
    CredentialsRejected,
    DigestMismatch,
    InsecureRefused,
    LimitExceeded,
    LocalError,
    LoginMissing,
    ManifestUnknown,
    NotFound,
    ProtocolTrouble,
    RepositoryUnknown,
    TransloadError,
)
from transload.login import Login
from transload.oci import Digest

WEB = archive()
OLD = archive(version="1.1.0")
EARLY = archive(version="2.0.0-rc.1")
BUILD = archive(version="1.3.0+build.5")
CHARTS = {f"web-{version}.tgz": content for version, content in {
    "2.0.0-rc.1": EARLY, "1.2.3": WEB, "1.1.0": OLD}.items()}  # fmt: skip


def fetched(text: str, folder: Path, logins: Logins = Logins()) -> Chart:  # noqa: B008 - frozen
    with stores_at(folder, logins) as stores:
        stores.limit_source_login(frozenset({text.split("/")[2]}) if "://" in text else frozenset())
        return fetch_chart(ChartAddress.parse(text), stores)


@pytest.mark.parametrize(
    ("version", "content"),
    [("", WEB), (":1.2.3", WEB), (":v1.2.3", WEB), (":1.1.0", OLD), (":<1.2", OLD), (":^1", WEB), (":1.x", WEB),
     (":>=1 <2", WEB), (":2.0.0-rc.1", EARLY), (":>=2.0.0-rc.0", EARLY)],
)  # fmt: skip
def test_a_version_of_a_chart_repository(version: str, content: bytes, tmp_path: Path) -> None:
    with chart_repository(CHARTS) as wire:
        found = fetched(f"http://{wire.host}/charts/web{version}", tmp_path)
    assert found.content == content
    assert found.digest == Digest.of(content)
    assert wire.lines == [
        "GET /charts/index.yaml",
        f"GET /charts/web-{found.version}.tgz",
        f"GET /charts/web-{found.version}.tgz.prov",
    ]


def test_the_newest_version_is_none_that_is_early(tmp_path: Path) -> None:
    with chart_repository({"web-2.0.0-rc.1.tgz": EARLY}) as wire, pytest.raises(ManifestUnknown) as refused:
        fetched(f"http://{wire.host}/charts/web", tmp_path)
    assert refused.value.hint == "the newest versions are: 2.0.0-rc.1"


def test_a_plus_sign_is_an_underscore_in_the_tag(tmp_path: Path) -> None:
    with chart_repository({"web-1.3.0+build.5.tgz": BUILD}) as wire, stores_at(tmp_path) as stores:
        for written in ("1.3.0+build.5", "1.3.0_build.5", "^1"):
            found = find_chart(ChartAddress.parse(f"http://{wire.host}/charts/web:{written}"), stores)
            assert found.name.tag == "1.3.0_build.5"
            assert fetch_chart(found, stores).version == "1.3.0+build.5"


def test_the_provenance_comes_along(tmp_path: Path) -> None:
    signed = b"-----BEGIN PGP SIGNED MESSAGE-----"
    with chart_repository({"web-1.2.3.tgz": WEB}, **{"web-1__2__3__tgz__prov": signed}) as wire:
        assert fetched(f"http://{wire.host}/charts/web", tmp_path).provenance == signed


@pytest.mark.parametrize("answer", [Said(403), Said(404), Said(410), Said(200, {}, b"<html>not here</html>")])
def test_a_chart_without_provenance(answer: Said, tmp_path: Path) -> None:
    given = files({"index.yaml": index_of({"web-1.2.3.tgz": WEB}), "web-1.2.3.tgz": WEB})
    with Wire(lambda asked: answer if asked.path.endswith(".prov") else given(asked)) as wire:
        assert fetched(f"http://{wire.host}/web", tmp_path).provenance is None


def test_an_archive_at_an_address_of_its_own(tmp_path: Path) -> None:
    with chart_repository(CHARTS) as wire:
        found = fetched(f"http://{wire.host}/charts/web-1.1.0.tgz", tmp_path)
    assert (found.content, found.name, found.version) == (OLD, "web", "1.1.0")
    assert "GET /charts/index.yaml" not in wire.lines


def test_an_archive_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "any-name.tgz").write_bytes(WEB)
    (tmp_path / "any-name.tgz.prov").write_bytes(b"signed")
    found = fetched(f"{tmp_path}/any-name.tgz", tmp_path)
    assert (found.content, found.provenance, found.origin) == (WEB, b"signed", f"{tmp_path}/any-name.tgz")


def test_a_chart_in_a_registry(tmp_path: Path) -> None:
    made = artifact_of(Chart.parse(WEB, "web", b"signed"))
    paths = {f"v2/charts/web/blobs/{digest}": content for digest, content in made.blobs.items()}
    served = files(paths | {"v2/charts/web/tags/list": b'{"tags": ["1.0.0", "1.2.3", "2.0.0-rc.1"]}'})

    def registry(asked: Asked) -> Said:
        if asked.path in {"/v2/charts/web/manifests/1.2.3", f"/v2/charts/web/manifests/{made.manifest.digest}"}:
            return Said(200, {"Content-Type": made.manifest.media_type}, made.manifest.raw)
        return served(asked)

    with Wire(registry) as wire:
        for written in ("", ":1.2.3", ":^1", f"@{made.manifest.digest}", f":1.2.3@{made.manifest.digest}"):
            found = fetched(f"oci://{wire.host}/charts/web{written}", tmp_path)
            assert (found.content, found.provenance) == (WEB, b"signed")
        with pytest.raises(ManifestUnknown):
            fetched(f"oci://{wire.host}/charts/web:9.9.9", tmp_path)


def test_an_index_may_name_a_registry(tmp_path: Path) -> None:
    """Bitnami's index names `oci://` addresses only."""
    made = artifact_of(Chart.parse(WEB, "web"))
    served = files({f"v2/all/web/blobs/{digest}": content for digest, content in made.blobs.items()})

    def registry(asked: Asked) -> Said:
        is_manifest = asked.path == "/v2/all/web/manifests/1.2.3"
        return (
            Said(200, {"Content-Type": made.manifest.media_type}, made.manifest.raw) if is_manifest else served(asked)
        )

    with Wire(registry) as wire:
        index = index_of({"web-1.2.3.tgz": WEB}).replace(b"web-1.2.3.tgz", f"oci://{wire.host}/all/web:1.2.3".encode())
        with Wire(files({"index.yaml": index})) as web:
            assert fetched(f"http://{web.host}/web:^1", tmp_path).content == WEB


def test_addresses_in_an_index_are_relative_or_elsewhere(tmp_path: Path) -> None:
    with Wire(files({"deep/web-1.2.3.tgz": WEB})) as elsewhere:
        for base in ("../deep/", "/deep/", f"http://{elsewhere.host}/deep/"):
            index = index_of({"web-1.2.3.tgz": WEB}, base=base)
            with Wire(files({"charts/index.yaml": index, "deep/web-1.2.3.tgz": WEB})) as wire:
                assert fetched(f"http://{wire.host}/charts/web", tmp_path).content == WEB


# --- logins


def asking(given: Callable[[Asked], Said]) -> Callable[[Asked], Said]:
    right = f"Basic {base64.b64encode(b'ann:geheim').decode()}"
    return lambda asked: given(asked) if asked.headers.get("Authorization") == right else Said(401)


def test_a_login_is_sent_when_the_repository_asks_for_one(tmp_path: Path) -> None:
    given = files({"index.yaml": index_of({"web-1.2.3.tgz": WEB}), "web-1.2.3.tgz": WEB})
    with Wire(asking(given)) as wire:
        assert fetched(f"http://{wire.host}/web", tmp_path, Logins(source=Login("ann", "geheim"))).content == WEB
        assert "Authorization" not in wire.asked[0].headers
        with pytest.raises(LoginMissing) as missing:
            fetched(f"http://{wire.host}/web", tmp_path)
        assert (missing.value.hint or "").startswith(f"log in once: docker login {wire.host}")
        with pytest.raises(CredentialsRejected):
            fetched(f"http://{wire.host}/web", tmp_path, Logins(source=Login("ann", "wrong")))


@pytest.mark.parametrize("redirected", [False, True])
def test_another_host_gets_no_login(redirected: bool, tmp_path: Path) -> None:
    def elsewhere(asked: Asked) -> Said:
        return Said(404) if asked.path.endswith(".prov") else Said(200, {}, WEB)

    with Wire(elsewhere) as other:
        there = f"http://{other.host}/web-1.2.3.tgz"
        index = index_of({"web-1.2.3.tgz": WEB}, base="" if redirected else f"http://{other.host}/")
        own = files({"index.yaml": index})
        with Wire(
            asking(lambda asked: Said(302, {"Location": there}) if asked.path == "/web-1.2.3.tgz" else own(asked))
        ) as wire:
            fetched(f"http://{wire.host}/web", tmp_path, Logins(source=Login("ann", "geheim")))
            assert any("Authorization" in asked.headers for asked in wire.asked)
        assert other.asked
        assert not [asked for asked in other.asked if "Authorization" in asked.headers]


# --- what is wrong


@pytest.mark.parametrize(
    ("index", "archives", "error", "message"),
    [
        (None, {}, NotFound, "answers 404"),
        (b"<!doctype html>", {}, ProtocolTrouble, "answers with a web page, so"),
        (b"", {}, CorruptError, "the file is empty"),
        (b"a: \xfa", {}, CorruptError, "not UTF-8"),
        (b"apiVersion: v1\n", {}, CorruptError, "is no index of charts: it has no entries"),
        (b'{"apiVersion": "v1"}', {}, CorruptError, "is no index of charts"),
        (b"apiVersion: v1\nentries: {}\n", {}, RepositoryUnknown, "has no chart 'web'"),
        (b"apiVersion: v1\nentries:\n", {}, RepositoryUnknown, "has no chart 'web'"),
        (b"entries:\n  web:\n  - version: 1.2.3\n    urls: [a, *b]\n", {}, CorruptError, "says of web cannot be read"),
        (b"entries:\n  web:\n  - version: 1.2.3\n    urls: []\n", {}, CorruptError, "has no address for web 1.2.3"),
        (b"entries:\n  web:\n  - version: 1.2.3\n    urls: ['ftp://a/b']\n", {}, TransloadError, "keeps web 1.2.3"),
        (index_of({"web-1.2.3.tgz": WEB}), {"web-1.2.3.tgz": OLD}, DigestMismatch, "the index states sha256:"),
        (index_of({"web-1.2.3.tgz": OLD}), {"web-1.2.3.tgz": OLD}, ContentDiffers, "holds web 1.1.0, and web 1.2.3"),
        (index_of({"web-1.2.3.tgz": b"no"}), {"web-1.2.3.tgz": b"no"}, CorruptError, "damaged, or not a .tgz"),
        (index_of({"web-1.2.3.tgz": WEB}), {}, NotFound, "answers 404"),
    ],
)
def test_a_repository_with_something_wrong(
    index: bytes | None, archives: dict[str, bytes], error: type[TransloadError], message: str, tmp_path: Path
) -> None:
    with Wire(files(archives | ({} if index is None else {"index.yaml": index}))) as wire:
        with pytest.raises(error, match=message) as refused:
            fetched(f"http://{wire.host}/web", tmp_path)
        assert refused.value.side == "source"
        assert "\n" not in refused.value.message


def test_a_chart_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = index_of({"web-1.2.3.tgz": WEB})
    promised = {"Content-Length": str(1 << 30)}
    given = files({"index.yaml": index})
    with (
        Wire(lambda asked: Said(200, promised, b"x" * 100, cut=100) if "tgz" in asked.path else given(asked)) as wire,
        pytest.raises(LimitExceeded, match="answers with more than 33554432 bytes"),
    ):
        fetched(f"http://{wire.host}/web", tmp_path)
    assert len(wire.asked) == 2


def test_a_small_archive_that_unpacks_to_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transload.charts.chart.CHART_BYTES", 1 << 20)
    for bomb in (
        archive(files={"big": "x" * (2 << 20)}),
        packed("web", {"big": "x" * (2 << 20), "Chart.yaml": "a: b"}),
    ):
        with pytest.raises(LimitExceeded, match="is over 1 MiB when it is unpacked"):
            Chart.parse(bomb, "bomb.tgz")


def test_an_archive_of_too_many_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transload.charts.chart.CHART_FILES", 3)
    with pytest.raises(LimitExceeded, match="has more than 3 files"):
        Chart.parse(packed("web", {f"templates/{number}": "" for number in range(5)}), "many.tgz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "there is no Chart.yaml in it|not a .tgz"),
        (b"\x1f\x8b", "not a .tgz"),
        (archive()[:-40], "it ends too early|no Chart.yaml"),
        (packed("web", {"values.yaml": "a: b"}), "there is no Chart.yaml in it"),
        (packed("web", {"charts/db/Chart.yaml": "name: db"}), "there is no Chart.yaml in it"),
        (packed("web", {"Chart.yaml": "name: web"}), "key 'version' is missing"),
        (packed("web", {"Chart.yaml": "- web"}), "expected a mapping"),
        (packed("web", {"Chart.yaml": "name: web\nversion: '1 2'"}), "is not a tag"),
        (packed("web", {"Chart.yaml": "a: &a [b]\n" + "c: [" + "*a, " * 9}), "not valid YAML"),
    ],
)
def test_archives_that_are_no_charts(content: bytes, message: str) -> None:
    with pytest.raises(CorruptError, match=message):
        Chart.parse(content, "odd.tgz")


@pytest.mark.parametrize("name", ["..", "../web", "a/b", "Web", "web\n", ""])
def test_a_name_that_no_registry_can_hold(name: str) -> None:
    raw = archive(metadata=f"name: {name!r}\nversion: 1.0.0\n".replace("{", "{{"))
    with pytest.raises(CorruptError, match="is not a chart that can be stored"):
        Chart.parse(raw, "odd.tgz")


def test_an_answer_that_breaks_off_is_asked_for_again(tmp_path: Path) -> None:
    given = files({"index.yaml": index_of({"web-1.2.3.tgz": WEB}), "web-1.2.3.tgz": WEB})
    broken: list[str] = []

    def once(asked: Asked) -> Said:
        if asked.path.endswith(".tgz") and not broken:
            broken.append(asked.path)
            return Said(200, {}, WEB, cut=20)
        return given(asked)

    with Wire(once) as wire:
        assert fetched(f"http://{wire.host}/web", tmp_path).content == WEB
    assert wire.lines.count("GET /web-1.2.3.tgz") == 2


def test_a_server_that_calls_an_archive_a_compressed_tar(tmp_path: Path) -> None:
    given = files({"index.yaml": index_of({"web-1.2.3.tgz": WEB})})
    coded = Said(200, {"Content-Encoding": "gzip", "Content-Type": "application/x-tar"}, WEB)
    with Wire(lambda asked: coded if asked.path.endswith(".tgz") else given(asked)) as wire:
        assert fetched(f"http://{wire.host}/web", tmp_path).content == WEB


def test_plain_http_is_not_spoken_to_hosts_that_were_not_named(tmp_path: Path) -> None:
    with pytest.raises(InsecureRefused, match="would be asked without TLS") as refused:
        fetched("http://charts.example.invalid/web", tmp_path)
    assert refused.value.hint == "write https://, or allow it with --plain-http charts.example.invalid"


def test_a_server_without_tls_where_tls_was_expected(tmp_path: Path) -> None:
    with chart_repository(CHARTS) as wire, pytest.raises(ProtocolTrouble, match="does not speak TLS"):
        fetched(f"https://{wire.host}/charts/web", tmp_path)


def test_a_certificate_is_checked(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    served = files({"index.yaml": index_of({"web-1.2.3.tgz": WEB}), "web-1.2.3.tgz": WEB})
    with Wire(served, context) as wire:
        with pytest.raises(CertificateUntrusted):
            fetched(f"https://{wire.host}/web", tmp_path)
        with stores_at(tmp_path, network=Network(ca_files=tmp_path / "ca.pem")) as stores:
            assert fetch_chart(ChartAddress.parse(f"https://{wire.host}/web"), stores).content == WEB


def test_files_that_are_no_charts(tmp_path: Path) -> None:
    (tmp_path / "folder.tgz").mkdir()
    for name, error in (("none.tgz", LocalError), ("folder.tgz/inner.tgz", LocalError)):
        with pytest.raises(error):
            fetched(f"{tmp_path}/{name}", tmp_path)


def test_the_artifact_is_the_one_that_helm_makes() -> None:
    made = artifact_of(Chart.parse(WEB, "web", b"signed"))
    document = made.manifest.document
    assert document["config"]["mediaType"] == "application/vnd.cncf.helm.config.v1+json"
    assert [layer["mediaType"] for layer in document["layers"]] == [
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
        "application/vnd.cncf.helm.chart.provenance.v1.prov",
    ]
    assert made.blobs[made.manifest.layers[0].digest] == WEB
    assert made.manifest.config is not None
    assert made.blobs[made.manifest.config.digest] == (
        b'{"name":"web","home":"https://example.org/web",'
        b'"sources":["https://example.org/web/source","https://example.org/more"],"version":"1.2.3",'
        b'"description":"A web server \\u0026 its \\u003cfriends\\u003e",'
        b'"maintainers":[{"name":"Ann","email":"ann@example.org"},{"name":"Bob"}],'
        b'"apiVersion":"v2","appVersion":"1.27","type":"application"}'
    )
    assert dict(made.manifest.annotations) == {
        "org.opencontainers.image.authors": "Ann (ann@example.org), Bob",
        "org.opencontainers.image.description": "A web server & its <friends>",
        "org.opencontainers.image.source": "https://example.org/web/source",
        "org.opencontainers.image.title": "web",
        "org.opencontainers.image.url": "https://example.org/web",
        "org.opencontainers.image.version": "1.2.3",
    }
    assert artifact_of(Chart.parse(WEB, "elsewhere", b"signed")).manifest.digest == made.manifest.digest
