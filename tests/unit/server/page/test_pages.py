"""The pages over HTTP: what each shows, to whom, and that clients of the registry notice nothing of them."""

from __future__ import annotations

import importlib.util
import json
import logging
import re
import ssl
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
import trustme

from tests.unit.bundle.packing import pack
from tests.unit.server.asking import Answer, ask
from tests.unit.server.page.content import (
    ATTACK,
    CYCLONEDX,
    DSSE,
    IN_TOTO,
    SPDX,
    app,
    attached,
    cyclonedx,
    encoded,
    envelope,
    spdx,
    statement,
)
from transload.app.location import Location
from transload.app.serving import telling
from transload.bundle import BundleStore
from transload.clock import SYSTEM_CLOCK
from transload.gathers import Put
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Manifest, Name, Platform
from transload.oci.cosign import signing_tags
from transload.server import Served, ServeSettings, serve
from transload.server.backend import Backend
from transload.server.page.pages import Pages
from transload.server.page.pulling import Place
from transload.testing.faults import FaultyStore
from transload.testing.images import AMD64, ARM64, Built, fill, index, multi_platform, signature

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
BUILT = app("one", history=[{"created_by": "COPY . /srv"}, {"created_by": "RUN make"}], config={"User": "1000"})


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    fill(store, BUILT, "team/app", "1.0")
    fill(store, multi_platform("many"), "team/app", "2.0")
    return store


@pytest.fixture
def served(store: MemoryStore) -> Iterator[Served]:
    with serve(store) as served:
        yield served


def get(served: Served, path: str, **headers: str) -> Answer:
    return ask(served, "GET", path, headers=HTML | headers)


def text(answer: Answer) -> str:
    """What a reader sees of a page, in one line."""
    main = answer.body.decode().partition("<main")[2].partition("</main>")[0]
    return unescape(" ".join(re.sub(r"<[^>]*>", " ", main.partition(">")[2]).split()))


def shown(served: Served, path: str) -> str:
    answer = get(served, path)
    assert answer.status == 200, answer.body
    return text(answer)


def links(answer: Answer) -> list[str]:
    return [unescape(one) for one in re.findall(r'href="([^"]*)"', answer.body.decode())]


def test_the_front_page_lists_repositories(served: Served) -> None:
    answer = get(served, "/")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "team/app 2" in text(answer)
    assert "/repository/team/app" in links(answer)


def test_a_repository_lists_its_images_newest_first(served: Served) -> None:
    answer = get(served, "/repository/team/app")
    assert links(answer)[2:4] == ["/image/team/app:2.0", "/image/team/app:1.0"]
    assert "linux/amd64, linux/arm64/v8" in text(answer)
    assert "2024-05-06" in text(answer)
    assert BUILT.digest.encoded[:12] in text(answer)


def test_an_image_shows_how_it_is_pulled_and_what_it_is_made_of(served: Served) -> None:
    said = shown(served, "/image/team/app:1.0")
    for word in (
        f"docker pull {served.host_port}/team/app:1.0",
        f"docker pull {served.host_port}/team/app@{BUILT.digest}",
        "linux/amd64",
        "COPY . /srv",
        "RUN make",
        "user 1000",
        *(layer.digest.encoded[:12] for layer in BUILT.manifest.layers),
    ):
        assert word in said


def test_an_index_leads_to_its_platforms(served: Served) -> None:
    answer = get(served, "/image/team/app:2.0")
    assert "an image for 2 platforms" in text(answer)
    children = [one for one in links(answer) if one.startswith("/image/team/app@")]
    assert len(children) == 2
    assert "linux/arm64/v8" in shown(served, children[1])


def test_every_link_of_every_page_leads_somewhere(store: MemoryStore, served: Served) -> None:
    fill(store, signature(BUILT), "team/app")
    fill(store, attached(BUILT.descriptor, [(spdx(["zlib"]), SPDX)]), "team/app")
    seen: set[str] = set()
    waiting = ["/"]
    while waiting:
        path = waiting.pop()
        answer = get(served, path)
        assert answer.status == 200, path
        seen.add(path)
        if answer.headers["Content-Type"].startswith("text/html"):
            found = {path.partition("?")[0] + one if one[:1] == "?" else one for one in links(answer)}
            waiting += [one for one in found - seen if one.startswith("/") and one not in waiting]
    assert any(path.startswith("/document/") for path in seen)
    assert any(path.startswith("/v2/") for path in seen)


def test_clients_of_the_registry_get_what_they_got(served: Served) -> None:
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        answer = ask(served, "GET", "/", headers=accept)
        assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")
    with serve(MemoryStore(), ServeSettings(page=False)) as bare:
        for path in ("/", "/image/a:1"):
            one, other = get(bare, path), ask(served, "GET", path)
            assert (one.status, one.body) == (other.status, other.body)


def test_the_api_is_the_same_for_a_browser(served: Served) -> None:
    for path in ("/v2/", "/v2/_catalog", "/v2/team/app/manifests/1.0", "/v2/absent/tags/list", "/v2/team/app"):
        browser, client = get(served, path), ask(served, "GET", path)
        assert (browser.status, browser.body) == (client.status, client.body)
        assert browser.headers["Content-Type"] == client.headers["Content-Type"]


def test_a_page_is_asked_for_by_reading_only(served: Served) -> None:
    assert ask(served, "POST", "/", headers=HTML).code == "NAME_UNKNOWN"
    head = ask(served, "HEAD", "/", headers=HTML)
    assert (head.status, head.body) == (200, b"")


def test_headers_let_a_browser_do_nothing_else(served: Served) -> None:
    for path in ("/", "/absent", "/image/team/app:1.0"):
        headers = get(served, path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Vary"] == "Accept"


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/nowhere", "There is no page at this address."),
        ("/repository/absent", "has no repository absent"),
        ("/image/team/app:absent", "has no team/app:absent"),
        ("/image/team/app", "The address names no image"),
        ("/image/..%2f..%2fetc/passwd:1", "The address names nothing that a registry can have."),
        (f"/document/team/app@{BUILT.digest}?layer=9", "This artifact has no such part."),
        (f"/document/team/app@{BUILT.digest}?layer=x", "This artifact has no such part."),
    ],
)
def test_what_is_not_there_is_said_in_a_page(served: Served, path: str, sentence: str) -> None:
    answer = get(served, path)
    assert answer.status == 404
    assert sentence in text(answer)


def test_a_login_holds_for_pages_too(store: MemoryStore) -> None:
    with serve(store, ServeSettings(users={"ann": "open sesame"})) as guarded:
        refused = get(guarded, "/image/team/app:1.0")
        assert (refused.status, refused.headers["WWW-Authenticate"][:5]) == (401, "Basic")
        assert refused.body == b"This registry needs a login: a user name and a password.\n"
        wrong = b64encode(b"ann:wrong").decode()
        assert get(guarded, "/", Authorization=f"Basic {wrong}").status == 401
        right = b64encode(b"ann:open sesame").decode()
        page = get(guarded, "/image/team/app:1.0", Authorization=f"Basic {right}")
        assert f"docker login {guarded.host_port}" in text(page)
        assert "sesame" not in page.body.decode()


def test_a_page_of_another_site_changes_nothing_with_the_login_of_the_browser(store: MemoryStore) -> None:
    path = "/v2/team/app/blobs/uploads/"
    with serve(store, ServeSettings(writable=True)) as served:
        for origin in ("https://evil.example", "null", f"http://{served.host_port}.evil.example"):
            assert ask(served, "POST", path, headers={"Origin": origin}).code == "DENIED"
        assert ask(served, "POST", path, headers={"Origin": f"http://{served.host_port}"}).status == 202
        assert ask(served, "POST", path).status == 202
        assert ask(served, "GET", "/v2/", headers={"Origin": "https://evil.example"}).status == 200


def test_the_host_under_which_it_was_opened_is_in_the_commands(served: Served) -> None:
    named = text(get(served, "/image/team/app:1.0", Host="Registry.Local:5000"))
    assert "docker pull registry.local:5000/team/app:1.0" in named
    told = {"Host": "r.example", "X-Forwarded-Proto": "https, http"}  # by two proxies: the first is the browser's
    assert "podman pull r.example/team/app:1.0" in text(get(served, "/image/team/app:1.0", **told))
    behind = text(get(served, "/image/team/app:1.0", **{"Host": "r.example", "X-Forwarded-Proto": "https"}))
    assert "podman pull r.example/team/app:1.0" in behind
    for hostile in ('"><script>alert(1)</script>', "a$(reboot)", "a b", "x" * 4000):
        page = get(served, "/image/team/app:1.0", Host=hostile)
        assert f"docker pull {served.host_port}/team/app:1.0" in text(page)
        assert hostile not in page.body.decode()


def test_over_tls_no_flag_for_plain_http_is_there(store: MemoryStore, tmp_path: Path) -> None:
    authority, pem, context = trustme.CA(), tmp_path / "server.pem", ssl.create_default_context()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    authority.configure_trust(context)
    with serve(store, ServeSettings(tls_certificate=pem)) as served:
        answer = ask(served, "GET", "/image/team/app:1.0", headers=HTML, tls=context)
        assert f"podman pull {served.host_port}/team/app:1.0" in text(answer)
        assert "--insecure" not in text(answer)


def test_what_belongs_to_an_image_is_listed(store: MemoryStore, served: Served) -> None:
    fill(store, signature(BUILT), "team/app")
    fill(store, attached(BUILT.descriptor, [(spdx(["zlib"]), SPDX)]), "team/app")
    fill(store, attached(BUILT.descriptor, [(cyclonedx(["web"]), CYCLONEDX)]), "team/app")
    wrapped = envelope(statement("https://slsa.dev/provenance/v1", {"builder": {"id": "b"}}))
    [signed, attestations] = signing_tags(BUILT.digest)
    annotated = attached(None, [(wrapped, DSSE)], annotations={"predicateType": "https://slsa.dev/provenance/v1"})
    fill(store, annotated, "team/app", attestations)
    fill(store, attached(None, [(b"{}", "application/vnd.dev.cosign.simplesigning.v1+json")]), "team/app", signed)
    answer = get(served, "/image/team/app:1.0")
    said = text(answer)
    for word in (
        "signature, cosign",
        "SBOM, SPDX",
        "SBOM, CycloneDX",
        "attestation: provenance, SLSA",
        "tag of cosign",
    ):
        assert word in said
    documents = [shown(served, one) for one in links(answer) if one.startswith("/document/")]
    assert any("zlib" in one for one in documents)
    assert any("org.example/web" in one for one in documents)
    assert any('"builder"' in one for one in documents)
    assert "belongs to an image" in shown(served, "/repository/team/app")


def test_what_nothing_else_says_is_read_from_the_attestation(store: MemoryStore, served: Served) -> None:
    """Those of `transload gate`, and of other tools, have no annotation that tells."""
    bill = statement("https://cyclonedx.org/bom", json.loads(cyclonedx(["web"])))
    proof = statement("https://slsa.dev/provenance/v1", {"builder": {}})
    large = statement("https://spdx.dev/Document", json.loads(spdx("x" * 100 for _ in range(6000))))
    for raw, kind in ((bill, IN_TOTO), (envelope(proof), DSSE), (large, IN_TOTO), (b"{", IN_TOTO)):
        fill(store, attached(BUILT.descriptor, [(raw, kind)]), "team/app")
    said = shown(served, "/image/team/app:1.0")
    assert "attestation: SBOM, CycloneDX 1.5" in said
    assert "attestation: provenance, SLSA" in said
    assert "SPDX" not in said, "it is too large to be read for its name only"


def test_an_image_without_a_repository_has_a_page_and_is_pulled_as_it_says(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "site", create=True)
    fill(store, BUILT, "", "v1")
    with serve(store) as served:
        answer = get(served, "/")
        [page] = [one for one in links(answer) if one.startswith("/image/")]
        said = shown(served, page)
        assert f"docker pull {served.host_port}/image@{BUILT.digest}" in said
        assert ask(served, "GET", f"/v2/image/manifests/{BUILT.digest}").status == 200


def test_an_image_without_a_tag_is_listed_by_its_digest(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "site", create=True)
    fill(store, BUILT, "team/app")
    fill(store, app("tagged"), "team/app", "1")
    fill(store, app("bare"), "")
    with serve(store) as served:
        found = [one for one in links(get(served, "/repository/team/app")) if one.startswith("/image/")]
        assert found == ["/image/team/app:1", f"/image/team/app@{BUILT.digest}"]
        assert "no tag" in shown(served, "/repository/team/app")


def test_attestations_of_buildkit_are_found_in_the_index(store: MemoryStore, served: Served) -> None:
    amd, arm = app("amd"), app("arm", platform=ARM64)
    bill = attached(None, [(statement("https://spdx.dev/Document", {"spdxVersion": "SPDX-2.3"}), IN_TOTO)])
    built = index([(amd, AMD64), (arm, ARM64), (bill, Platform("unknown", "unknown"))])
    document = built.manifest.document
    notes = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": str(amd.digest)}
    document["manifests"][2]["annotations"] = notes
    fill(store, Built(Manifest.parse(encoded(document)), (), (amd, arm, bill)), "kit/app", "1")
    said = shown(served, "/image/kit/app:1")
    assert "an image for 2 platforms" in said
    assert "1 attestation" in said
    assert "from the index of the image" in said


def test_components_are_searched_and_paged(store: MemoryStore, served: Served) -> None:
    names = [f"package-{number}" for number in range(250)]
    bill = attached(BUILT.descriptor, [(spdx(names), SPDX)])
    fill(store, bill, "team/app")
    path = f"/document/team/app@{bill.digest}?layer=0"
    assert "250 components, 1 to 100 shown" in shown(served, path)
    assert "package-249" in shown(served, f"{path}&page=3")
    assert "11 of 250 components found" in shown(served, f"{path}&q=PACKAGE-24")
    assert "No component has these words" in shown(served, f"{path}&q=absent")


def test_repositories_are_searched_and_paged(served: Served, store: MemoryStore) -> None:
    for number in range(120):
        fill(store, BUILT, f"many/app-{number:03}", "1")
    assert "121 repositories, 1 to 50 shown" in shown(served, "/")
    assert "team/app" in shown(served, "/?page=3")
    assert "10 of 121 repositories found" in shown(served, "/?q=APP-01")


def test_a_reference_that_is_searched_for_opens_its_image(served: Served) -> None:
    found = links(get(served, "/?q=registry.local:5000/team/app:1.0"))
    assert "/image/team/app:1.0" in found
    assert not [one for one in links(get(served, "/?q=javascript:alert(1)")) if "alert" in one]


def test_an_image_of_which_a_volume_is_missing_is_called_incomplete(tmp_path: Path) -> None:
    pack(tmp_path / "november", {Name("team/app", "1"): app("a", (300_000,)), Name("team/app", "2"): BUILT}, 100_000)
    whole = BundleStore(tmp_path / "november")
    (tmp_path / whole.file_name(2)).unlink()
    store = BundleStore(tmp_path / "november")
    service = telling(Location("bundle", str(tmp_path / "november")), store, writable=False)
    lost = {str(name) for name in service().incomplete}
    assert lost == {"team/app:1"}
    pages = Pages(Backend(store), service, SYSTEM_CLOCK)
    place = Place.of("r.example", "", secure=True)
    listed = pages.page("/repository/team/app", {}, place).text
    assert listed.count(">incomplete</span>") == 1
    assert "pulling it will fail" in pages.page("/image/team/app:1", {}, place).text
    digest = store.resolve(Name("team/app", "1")).digest
    for name in (Name("team/app", "1", digest), Name("team/app", None, digest)):  # as other pages link to it
        assert "pulling it will fail" in pages.page(f"/image/{name}", {}, place).text
    assert "pulling it will fail" not in pages.page("/image/team/app:2", {}, place).text


def test_jinja2_is_loaded_with_the_first_page(served: Served) -> None:
    program = (
        "import sys, urllib.request as r; from transload import MemoryStore; from transload.server import serve\n"
        "with serve(MemoryStore()) as s:\n"
        "    r.urlopen(s.url + '/v2/').read(); before = 'jinja2' in sys.modules\n"
        "    r.urlopen(r.Request(s.url, headers={'Accept': 'text/html'})).read()\n"
        "print(before, 'jinja2' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False True\n"


def test_nothing_of_an_image_reaches_a_page_unescaped(store: MemoryStore, served: Served) -> None:
    hostile = app(
        "hostile",
        config={"Labels": {ATTACK: ATTACK}, "Env": [ATTACK], "User": ATTACK, "Cmd": [ATTACK], "Volumes": {ATTACK: {}}},
        history=[{"created_by": ATTACK, "comment": ATTACK, "created": ATTACK}],
        annotations={ATTACK: ATTACK},
        created=ATTACK,
    )
    fill(store, hostile, "bad/app", "1")
    bills = [
        attached(hostile.descriptor, [(spdx([ATTACK], name=ATTACK), SPDX)], annotations={"predicateType": ATTACK}),
        attached(hostile.descriptor, [(cyclonedx([ATTACK]), CYCLONEDX)]),
        attached(hostile.descriptor, [(statement(ATTACK, {ATTACK: ATTACK}), IN_TOTO)], artifactType=ATTACK),
    ]
    for bill in bills:
        fill(store, bill, "bad/app")
    paths = ["/", "/repository/bad/app", "/image/bad/app:1", "/?q=%3Cscript%3Ealert(1)%3C/script%3E%22%27"]
    paths += [f"/{kind}/bad/app@{bill.digest}?layer=0" for bill in bills for kind in ("image", "document")]
    for path in paths:
        body = get(served, path).body.decode()
        own = body.count("<script>")
        assert own == 1, path
        assert "<img" not in body
        assert "\u202e" not in body
        assert "\x1b" not in body
    said = shown(served, "/image/bad/app:1")
    assert said.count("<script>alert(1)</script>") > 5, "it is shown as it was written"
    assert "{{7*7}}" in said


def test_what_is_too_large_to_show_is_said_before_it_is_read(store: MemoryStore, served: Served) -> None:
    huge = attached(BUILT.descriptor, [(b" " * (17 << 20), SPDX)])
    fill(store, huge, "team/app")
    said = shown(served, f"/document/team/app@{huge.digest}")
    assert "This is not shown: it has 17 MiB, and a page shows at most 16 MiB." in said
    large = app("large", raw_config=b" " * (3 << 20))
    fill(store, large, "team/app", "large")
    assert "This is not shown: it has 3.0 MiB, and a page shows at most 2.0 MiB." in shown(
        served, "/image/team/app:large"
    )
    assert "large" in shown(served, "/repository/team/app")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = LayoutStore(tmp_path / "site", create=True)
    fill(store, BUILT, "team/app", "1.0")
    return tmp_path / "site"


def test_damage_is_not_called_absence(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = BUILT.manifest.config
    assert config is not None
    blob = folder / "blobs" / "sha256" / config.digest.encoded
    blob.write_bytes(blob.read_bytes().replace(b"linux", b"minix"))
    with serve(LayoutStore(folder)) as served, caplog.at_level(logging.WARNING):
        said = shown(served, "/image/team/app:1.0")
        assert "This could not be read: the store of this registry is damaged at this place" in said
        assert "minix" not in said
        assert "could not be read" in shown(served, "/repository/team/app")
        blob.unlink()
        assert "This is not here" in shown(served, "/image/team/app:1.0")
        manifest = folder / "blobs" / "sha256" / BUILT.digest.encoded
        manifest.write_bytes(manifest.read_bytes().replace(b"layers", b"lavers"))
        broken = get(served, "/image/team/app:1.0")
        assert broken.status == 500
        assert "damaged at this place" in text(broken)
        assert str(folder) not in broken.body.decode()
        manifest.unlink()
        gone = get(served, "/image/team/app:1.0")
        assert gone.status == 404
        assert str(folder) not in gone.body.decode()
    assert "other bytes than its digest says" in caplog.text


def test_a_bug_ends_in_a_page_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(MemoryStore):
        def repositories(self) -> Iterator[str]:
            raise RuntimeError("secret detail")

    with serve(Broken()) as served:
        answer = get(served, "/")
    assert answer.status == 500
    assert "The server has failed; see its log." in text(answer)
    assert "secret detail" in caplog.text


def test_without_jinja2_a_sentence_says_what_to_install(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("transload.extras.find_spec", lambda name: None if name == "jinja2" else found(name))
    for path in ("/", "/absent"):
        answer = get(served, path)
        assert (answer.status, answer.headers["Content-Type"]) == (501, "text/plain; charset=utf-8")
        assert b"needs the package jinja2; install it: " in answer.body
    assert ask(served, "GET", "/v2/").status == 200


def test_a_page_opens_few_files_however_many_repositories_there_are(tmp_path: Path) -> None:
    opened: list[Name] = []
    store = MemoryStore()
    for number in range(300):
        fill(store, BUILT, f"many/app-{number:03}", "1")
    for number in range(300):
        fill(store, BUILT, "long/app", f"1.{number}")

    class Counted(FaultyStore):
        def fetch(self, name: Name):  # type: ignore[no-untyped-def]  # as the store's
            opened.append(name)
            return super().fetch(name)

    with serve(Counted(store, [])) as served:
        assert shown(served, "/?page=2")
        assert opened == []
        assert shown(served, "/repository/long/app")
        assert len(opened) <= 50
        opened.clear()
        assert shown(served, "/repository/long/app")
        assert opened == []


def test_of_5000_repositories_a_page_looks_at_its_own(tmp_path: Path) -> None:
    """Names are in memory, and no blob is opened for the list; an image's page opens its own, once."""
    store = Watched(tmp_path / "site", create=True)
    fill(store, BUILT, "first/app", "1")
    names = [Name(f"team-{number % 50:02}/app-{number:04}", "1") for number in range(5000)]
    store.gathers.put_manifests([Put(name=name, manifest=BUILT.manifest) for name in names])
    with serve(store) as served:
        shown(served, "/")
        store.fetched = store.listed = 0
        assert "5,001 repositories, 2,001 to 2,050 shown" in shown(served, "/?page=41")
        assert (store.fetched, store.listed) == (0, 50)
        assert "100 of 5,001 repositories found" in shown(served, "/?q=team-07")
        shown(served, "/repository/team-07/app-0007")
        assert store.fetched == 1
        shown(served, "/repository/team-07/app-0007")
        assert store.fetched == 1


class Watched(LayoutStore):
    """Counts the manifests that are read, and the lists of tags."""

    fetched = listed = 0

    def fetch(self, name: Name) -> Manifest:
        self.fetched += 1
        return super().fetch(name)

    def tags(self, repository: str) -> Iterator[str]:
        self.listed += 1
        return super().tags(repository)
