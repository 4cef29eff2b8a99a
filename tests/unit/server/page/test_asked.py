"""Which requests are for pages, which page, and with which commands images are pulled from there."""

from __future__ import annotations

import pytest

from transload.errors import NotFound
from transload.oci import Digest, Name
from transload.oci.mediatype import ACCEPT
from transload.server.page.asked import address_of, is_page_path, page_at, repository_address, wants_html
from transload.server.page.pulling import Place, forms, login

FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHROMIUM = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
DIGEST = Digest.of(b"x")


@pytest.mark.parametrize("accept", [FIREFOX, CHROMIUM, "text/html", "TEXT/HTML; q=0.5", "application/xhtml+xml"])
def test_a_browser_wants_html(accept: str) -> None:
    assert wants_html([accept])


@pytest.mark.parametrize(
    "accept",
    [
        *("", "*/*", "application/json", "text/*", "text/html;q=0", "text/html;q=x", "text/htmlx", ";", ",,,"),
        *(", ".join(ACCEPT), "application/json, text/html;q=0.9", "application/vnd.x+json, text/html;q=0.1"),
    ],
)
def test_a_client_of_the_api_does_not(accept: str) -> None:
    assert not wants_html([accept])


def test_a_long_header_is_read_to_a_bound() -> None:
    assert not wants_html([",".join(["a/b"] * 100_000), "text/html"])


@pytest.mark.parametrize("path", ["/v2", "/v2/", "/v2/a/tags/list", "/v2/_catalog"])
def test_nothing_of_the_api_is_a_page(path: str) -> None:
    assert not is_page_path(path)


@pytest.mark.parametrize("name", [Name("a/b", "1.0"), Name("a", None, DIGEST), Name("v2/x", "t")])
def test_the_address_of_an_image_leads_to_it(name: Name) -> None:
    for asked in (page_at(address_of("image", name)), page_at(address_of("document", name))):
        assert asked.name == name


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/x",
            "/image/",
            "/image/a",
            "/image/A:1",
            "/image/a:1/..",
            "/image/../a:1",
            "/image/a@sha256:0",
            "/repository/",
        ),
        *("/repository/A", "/repository/a:1", "/repository/a/", "/v3/", "/image/" + "a" * 3000, "/image/u:p@h/a:1"),
    ],
)
def test_other_paths_are_no_pages(path: str) -> None:
    with pytest.raises(NotFound):
        page_at(path)


def test_what_a_reader_writes_becomes_an_address_only_if_it_can_be_a_repository() -> None:
    assert repository_address("team/app") == "/repository/team/app"
    assert repository_address("javascript:alert(1)") is None
    assert repository_address("//evil.example/a") is None


def place(host: str, *, secure: bool = False, login: bool = False) -> Place:
    return Place.of(host, "10.0.0.1:5000", secure=secure, login=login)


def commands(place: Place, name: Name, kind: str = "image") -> dict[str, str]:
    return {one.tool: one.text for form in forms(place, name, kind=kind) for one in form.commands}


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("registry.local:5000", "registry.local:5000"),
        ("Registry.Local", "registry.local"),
        ("localhost", "localhost"),
        ("[::1]:5000", "[::1]:5000"),
        ("registry", "registry:80"),
        ("", "10.0.0.1:5000"),
        ("<script>", "10.0.0.1:5000"),
        ("a.example/../x", "10.0.0.1:5000"),
        ("a.example; rm -rf /", "10.0.0.1:5000"),
        ("a.example:99999", "10.0.0.1:5000"),
        ("$(reboot).example", "10.0.0.1:5000"),
        ("user@host.example", "10.0.0.1:5000"),
        ("a" * 5000, "10.0.0.1:5000"),
    ],
)
def test_only_a_name_of_a_registry_is_repeated(host: str, named: str) -> None:
    assert place(host).host == named


def test_commands_over_tls() -> None:
    assert commands(place("r.example", secure=True), Name("a/b", "1")) == {
        "docker": "docker pull r.example/a/b:1",
        "podman": "podman pull r.example/a/b:1",
        "ctr": "ctr images pull r.example/a/b:1",
        "crane": "crane pull r.example/a/b:1 b.tar",
        "kubectl": "kubectl run b --image=r.example/a/b:1",
        "YAML": "image: r.example/a/b:1",
    }


def test_commands_without_tls_have_the_flags_that_allow_it() -> None:
    made = commands(place("r.example:5000"), Name("a/b", "1"))
    assert made["podman"] == "podman pull --tls-verify=false r.example:5000/a/b:1"
    assert made["ctr"] == "ctr images pull --plain-http r.example:5000/a/b:1"
    assert made["crane"] == "crane pull --insecure r.example:5000/a/b:1 b.tar"


@pytest.mark.parametrize(("host", "told"), [("r.example:5000", True), ("127.0.0.1:5000", False), ("localhost", False)])
def test_docker_is_told_about_plain_http_elsewhere_than_on_this_machine(host: str, told: bool) -> None:
    [form] = forms(place(host), Name("a", "1"), kind="image")
    assert ("insecure-registries" in form.commands[0].note) is told


def test_an_image_is_named_by_tag_and_by_digest() -> None:
    made = forms(place("r.example", secure=True), Name("a", "1", DIGEST), kind="image")
    assert [form.reference for form in made] == ["r.example/a:1", f"r.example/a@{DIGEST}"]


def test_a_chart_is_pulled_by_helm() -> None:
    made = commands(place("r.example:5000"), Name("charts/web", "1.2.3_build.4"), "chart")
    assert made["helm"] == "helm pull oci://r.example:5000/charts/web --version 1.2.3+build.4 --plain-http"


def test_a_login_comes_first_where_one_is_needed() -> None:
    assert login(place("r.example")) == ()
    assert [one.text for one in login(place("r.example", login=True))] == [
        "docker login r.example",
        "podman login r.example --tls-verify=false",
    ]


def test_what_nodes_need_is_said_beside_the_pod() -> None:
    def note(place: Place) -> str:
        [form] = forms(place, Name("a", "1"), kind="image")
        return next(one.note for one in form.commands if one.tool == "kubectl")

    assert note(place("r.example", secure=True)) == ""
    assert "no TLS" in note(place("r.example"))
    assert (
        note(place("r.example", secure=True, login=True)) == "the pod needs a secret with the login (imagePullSecrets)"
    )


def test_a_pod_gets_a_name_that_kubernetes_takes() -> None:
    assert "kubectl run my-app-x --image=" in commands(place("r.example"), Name("a/my.app__x", "1"))["kubectl"]


@pytest.mark.parametrize(("host", "is_said"), [("[fd00::1]:5000", True), ("10.0.0.1:5000", False)])
def test_podman_is_known_not_to_take_every_address(host: str, is_said: bool) -> None:
    (form,) = forms(Place.of(host, "", secure=True), Name("team/app", "1"), kind="image")
    notes = {one.tool: one.note for one in form.commands}
    assert ("take no IPv6 address: use a name" in notes["podman"]) is is_said
