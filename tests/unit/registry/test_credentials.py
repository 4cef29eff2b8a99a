"""Docker's and podman's files, and credential helpers: real scripts on a PATH of their own."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.app.settings import INCUMBENT, read_environment
from transload.errors import CredentialsUnavailable
from transload.login import Login, Secret
from transload.registry.credentials import DockerConfig
from transload.registry.loginfile import CredentialFile
from transload.threads import TaskGroup

SECRET = "pass:with:colons-and-ü"


def auth(username: str, password: str = SECRET) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def login(username: str, password: str = SECRET) -> Login:
    return Login(username, Secret(password))


class Box:
    """A folder with a configuration file and helper scripts, and a note of what the helpers were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked_file = folder / "asked"

    def config(self, document: Any, name: str = "config.json") -> Path:
        path = self.folder / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    def load(self, *documents: Any) -> DockerConfig:
        paths = [self.config(document, f"{number}.json") for number, document in enumerate(documents)]
        return DockerConfig.load(paths, helper_path=str(self.folder))

    def helper(self, name: str, script: str) -> None:
        path = self.folder / f"docker-credential-{name}"
        path.write_text(f'#!/bin/sh\nserver=$(/bin/cat)\necho "{name} $* $server" >>{self.asked_file}\n{script}\n')
        path.chmod(0o755)

    def answering(self, name: str, username: str, secret: str = SECRET) -> None:
        answer = json.dumps({"ServerURL": "x", "Username": username, "Secret": secret})
        self.helper(name, f"echo '{answer}'")

    @property
    def asked(self) -> list[str]:
        return self.asked_file.read_text().splitlines() if self.asked_file.exists() else []


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


needs_sh = pytest.mark.skipif(os.name == "nt", reason="the helpers of these tests are shell scripts")


# --- what is written in a file


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        ("registry.example", "registry.example"),
        ("registry.example:5000", "registry.example:5000"),
        ("https://registry.example", "registry.example"),
        ("http://registry.example:5000", "registry.example:5000"),
        ("https://registry.example/", "registry.example"),
        ("https://registry.example/v1/", "registry.example"),
        ("https://registry.example/v2", "registry.example"),
        ("https://registry.example/some/api/", "registry.example"),
        ("registry.example/v1/", "registry.example"),
        ("Registry.Example", "registry.example"),
        ("registry.example", "REGISTRY.example"),
        ("[::1]:5000", "[::1]:5000"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("https://index.docker.io/v1/", "index.docker.io"),
        ("docker.io", "registry-1.docker.io"),
    ],
)
def test_keys_that_name_a_registry(box: Box, key: str, registry: str) -> None:
    assert box.load({"auths": {key: auth("jo")}}).login(registry, "team/app") == login("jo")


@pytest.mark.parametrize(
    "key", ["registry.example:5000", "registry.example.org", "example", "registry.example/team", "docker.io", ""]
)
def test_keys_that_name_another(box: Box, key: str) -> None:
    assert box.load({"auths": {key: auth("jo")}}).login("registry.example", "teams/app") is None


@pytest.mark.parametrize(
    ("repository", "username"),
    [
        ("", "host"),
        ("other/app", "host"),
        ("teammate/app", "host"),
        ("team", "team"),
        ("team/app", "team"),
        ("team/inner", "inner"),
        ("team/inner/app", "inner"),
    ],
)
def test_the_most_specific_key_wins(box: Box, repository: str, username: str) -> None:
    keys = {"r.example": "host", "r.example/team": "team", "r.example/team/inner": "inner"}
    config = box.load({"auths": {key: auth(name) for key, name in keys.items()}})
    assert config.login("r.example", repository) == login(username)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (auth("jo"), login("jo")),
        (auth("jo", ""), login("jo", "")),
        (auth("jo", "padded\0\0"), login("jo", "padded")),
        ({"username": "jo", "password": "pw"}, login("jo", "pw")),
        ({"username": "old", "password": "old"} | auth("jo"), login("jo")),
        ({"identitytoken": "t0k"}, Login(identity_token=Secret("t0k"))),
        (auth("0000", "") | {"identitytoken": "t0k"}, Login("0000", Secret(""), Secret("t0k"))),
        ({"auth": base64.encodebytes(f"jo:{SECRET * 9}".encode()).decode()}, login("jo", SECRET * 9)),
        ({"auth": " " + auth("jo", "12")["auth"].rstrip("=") + "\r\n"}, login("jo", "12")),
        ({"AUTH": auth("jo")["auth"]}, login("jo")),
        ({"IdentityToken": "t0k"}, Login(identity_token=Secret("t0k"))),
        ({"auth": auth("<token>", "t0k")["auth"]}, Login(identity_token=Secret("t0k"))),
        ({"registrytoken": "b3ar3r"}, Login(registry_token=Secret("b3ar3r"))),
        ({"auth": base64.b64encode(b"jo:gr\xfcn").decode()}, login("jo", "gr\udcfcn")),
        ({}, None),
        ({"auth": ""}, None),
        ({"auth": None, "email": "jo@example.org"}, None),
    ],
)
def test_forms_of_an_entry(box: Box, entry: dict[str, Any], expected: Login | None) -> None:
    assert box.load({"auths": {"r.example": entry}}).login("r.example") == expected


@pytest.mark.parametrize("encoded", ["!!!", "am8", "am8=", "am86=eA"])
def test_a_broken_entry_breaks_only_its_registry(box: Box, encoded: str) -> None:
    config = box.load({"auths": {"r.example": {"auth": encoded}, "other.example": auth("jo")}})
    assert config.login("other.example") == login("jo")
    with pytest.raises(CredentialsUnavailable, match=r"0\.json: the entry of r\.example") as caught:
        config.login("r.example")
    assert encoded not in str(caught.value)


def test_a_key_as_it_is_wins_over_one_with_a_scheme(box: Box) -> None:
    keys = {"https://r.example/v1/": auth("old"), "r.example": auth("new")}
    assert box.load({"auths": keys}).login("r.example") == login("new")
    assert box.load({"auths": keys | {"r.example": {}}}).login("r.example") == login("old")


def test_the_first_file_with_a_login_wins(box: Box) -> None:
    config = box.load(
        {"auths": {"a.example": auth("first"), "b.example": {}}},
        {"auths": {"a.example": auth("second"), "b.example": auth("second")}},
    )
    assert config.login("a.example") == login("first")
    assert config.login("b.example") == login("second")


def test_files_that_are_not_there_or_empty(box: Box, tmp_path: Path) -> None:
    paths = [tmp_path / "none.json", box.config("", "a.json"), box.config("{}", "b.json"), tmp_path / "a.json" / "x"]
    assert DockerConfig.load(paths).login("r.example") is None
    assert DockerConfig().login("r.example") is None


def test_a_byte_order_mark_is_no_trouble(box: Box) -> None:
    assert box.load("\ufeff" + json.dumps({"auths": {"r.example": auth("jo")}})).login("r.example") == login("jo")


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '"hunter2"',
        '{"auths": ["hunter2"]}',
        '{"auths": {"r.example": "hunter2"}}',
        '{"credHelpers": {"r.example": {}}}',
        "[" * 100_000,
    ],
)
def test_a_broken_file_is_named_and_not_shown_and_hides_no_other(box: Box, content: str) -> None:
    path = box.config(content, "broken.json")
    config = DockerConfig.load([path, box.config({"auths": {"other.example": auth("jo")}})])
    [trouble] = config.troubles
    assert trouble.subject == str(path)
    assert trouble.hint
    assert "broken.json" in str(trouble)
    assert "hunter2" not in str(trouble)
    assert config.login("other.example") == login("jo")
    with pytest.raises(CredentialsUnavailable, match=r"broken\.json"):
        config.login("r.example")


def test_an_entry_of_another_form_is_told_and_stands_in_the_way_of_its_host_only(box: Box) -> None:
    config = box.load(
        {
            "auths": {"r.example": "hunter2", "good.example": auth("jo")},
            "credHelpers": {"h.example": {"hunter2": 1}},
        }
    )
    assert [str(trouble).partition(": the")[2] for trouble in config.troubles] == [
        " entry of r.example in auths does not have the form that docker writes",
        " entry of h.example in credHelpers does not have the form that docker writes",
    ]
    assert config.login("good.example") == login("jo")
    assert config.login("other.example") is None
    for host in ("r.example", "h.example"):
        with pytest.raises(CredentialsUnavailable, match=f"the entry of {host}"):
            config.login(host)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    odd = [tmp_path, tmp_path / "pipe"]
    assert [trouble.subject for trouble in DockerConfig.load(odd).troubles] == list(map(str, odd))
    assert DockerConfig.load([Path(os.devnull), Path("a\0b")]).troubles == ()


@needs_sh
def test_an_entry_or_a_helper_that_cannot_be_used_hides_no_other(box: Box) -> None:
    first = {"auths": {"a.example": {"auth": "!!!"}}, "credHelpers": {"b.example": "missing"}, "credsStore": "gone"}
    config = box.load(first, {"auths": {"a.example": auth("jo"), "b.example": auth("al"), "c.example": auth("cy")}})
    assert [config.login(f"{host}.example") for host in "abc"] == [login("jo"), login("al"), login("cy")]
    with pytest.raises(CredentialsUnavailable, match="docker-credential-gone"):
        config.login("d.example")


@pytest.mark.parametrize("names", [("auths", "credsStore"), ("AUTHS", "credSstore"), ("Auths", "CREDSSTORE")])
def test_names_of_fields_in_any_case(box: Box, names: tuple[str, str]) -> None:
    path = box.config({names[0]: {"r.example": auth("jo")}, names[1]: "desktop"})
    file = CredentialFile.read(path)
    assert file is not None
    assert file.written("r.example", "") == login("jo")
    assert file.store == "desktop"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_files_of_other_editors(box: Box, encoding: str) -> None:
    path = box.folder / "config.json"
    path.write_bytes(json.dumps({"auths": {"r.example": auth("jo")}}, indent=1).replace("\n", "\r\n").encode(encoding))
    assert DockerConfig.load([path]).login("r.example") == login("jo")


def test_docker_compares_hosts_alone_and_podman_paths_too(box: Box) -> None:
    keys = {"auths": {"r.example/team": auth("jo")}}
    docker, podman = (DockerConfig.load([box.config(keys, name)]) for name in ("config.json", "auth.json"))
    assert docker.login("r.example", "other/app") == login("jo")
    assert podman.login("r.example", "other/app") is None
    assert podman.login("r.example", "team/app") == login("jo")


@pytest.mark.parametrize(("key", "host"), [("r.example", "r.example:443"), ("r.example:443", "r.example")])
def test_the_port_that_https_has_anyway(box: Box, key: str, host: str) -> None:
    config = box.load({"auths": {key: auth("jo"), "[::1]": auth("six")}})
    assert config.login(host) == login("jo")
    assert config.login("[::1]:443") == login("six")


def test_the_file_of_old_dockers(box: Box) -> None:
    path = box.config({"https://index.docker.io/v1/": auth("jo"), "email": "jo@example.org"}, ".dockercfg")
    assert DockerConfig.load([path]).login("docker.io", "library/x") == login("jo")


def test_a_variable_that_holds_such_a_file_goes_first(box: Box) -> None:
    path = box.config({"auths": {"r.example": auth("file"), "s.example": auth("file")}})
    config = DockerConfig.load([path], inline=json.dumps({"auths": {"r.example": auth("variable")}}))
    assert config.login("r.example") == login("variable")
    assert config.login("s.example") == login("file")
    broken = DockerConfig.load([path], inline="{hunter2")
    assert broken.login("s.example") == login("file")
    assert [str(trouble) for trouble in broken.troubles] == ["reading logins: DOCKER_AUTH_CONFIG: is not JSON"]


KEYS = st.sampled_from(["auths", "credHelpers", "credsStore", "r.example", "r.example/a", "auth", "username"])
DOCUMENTS = st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(KEYS, inner))


@given(st.text() | DOCUMENTS.map(json.dumps))
def test_any_content_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(content, encoding="utf-8", errors="replace")
    inline = content.encode("utf-8", "replace").decode()
    with contextlib.suppress(CredentialsUnavailable):
        DockerConfig.load([path], inline=inline, helper_path=str(path.parent)).login("r.example", "a")


# --- helpers


@needs_sh
def test_a_helper_is_asked_as_docker_asks(box: Box) -> None:
    box.answering("one", "jo")
    config = box.load({"credHelpers": {"r.example:5000": "one", "https://index.docker.io/v1/": "one"}})
    assert config.login("r.example:5000") == login("jo")
    assert config.login("docker.io", "library/ubuntu") == login("jo")
    assert config.login("other.example") is None
    assert box.asked == ["one get r.example:5000", "one get https://index.docker.io/v1/"]


@needs_sh
def test_order_within_a_file(box: Box) -> None:
    for name in ("one", "all"):
        box.answering(name, f"from-{name}")
    config = box.load(
        {
            "credHelpers": {"named.example": "one"},
            "auths": {"named.example": auth("written"), "written.example": auth("written"), "empty.example": {}},
            "credsStore": "all",
        }
    )
    expected = {"named": "from-one", "written": "written", "empty": "from-all", "unlisted": "from-all"}
    assert {key: config.login(f"{key}.example") for key in expected} == {k: login(v) for k, v in expected.items()}


@needs_sh
@pytest.mark.parametrize("stream", ["", ">&1"])
def test_a_helper_that_knows_nothing_is_no_trouble(box: Box, stream: str) -> None:
    box.helper("none", f"echo 'credentials not found in native keychain' {stream}; exit 1")
    config = box.load({"credsStore": "none"}, {"auths": {"r.example": auth("jo")}})
    assert config.login("r.example") == login("jo")
    assert config.login("other.example") is None


def test_null_is_no_login_and_no_harm(box: Box) -> None:
    config = box.load({"auths": {"none.example": None, "r.example": auth("jo")}, "credHelpers": {"r.example": None}})
    assert config.login("r.example") == login("jo")
    assert config.login("none.example") is None


@needs_sh
def test_a_helper_may_know_a_registry_by_its_address_only(box: Box) -> None:
    answer = json.dumps({"Username": "jo", "Secret": SECRET})
    box.helper(
        "url",
        f"case $server in https://*) echo '{answer}'; exit;; esac\n"
        "echo 'credentials not found in native keychain'; exit 1",
    )
    for document in ({"credsStore": "url"}, {"credHelpers": {"https://r.example:5000": "url"}}):
        assert box.load(document).login("r.example:5000") == login("jo")
    assert set(box.asked) == {"url get r.example:5000", "url get https://r.example:5000"}


@needs_sh
def test_identity_tokens_and_empty_answers(box: Box) -> None:
    box.answering("token", "<token>", "t0k")
    box.answering("empty", "", "")
    config = box.load({"credHelpers": {"t.example": "token", "e.example": "empty"}})
    assert config.login("t.example") == Login(identity_token=Secret("t0k"))
    assert config.login("e.example") is None


@needs_sh
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'the keyring is locked' >&2; exit 1", "ended with 1: the keyring is locked"),
        ("echo 'no such session'; exit 3", "ended with 3: no such session"),
        ("""echo '{"Secret": "hunter2"}'; exit 1""", "ended with 1$"),
        ("echo hunter2", "not a JSON object"),
        ("echo '[\"hunter2\"]'", "not a JSON object"),
        ("true", "not a JSON object"),
    ],
)
def test_a_helper_that_fails(box: Box, script: str, message: str) -> None:
    box.helper("bad", script)
    config = box.load({"credHelpers": {"r.example": "bad"}})
    for _ in range(2):
        with pytest.raises(CredentialsUnavailable, match=message) as caught:
            config.login("r.example")
        assert "docker-credential-bad" in str(caught.value)
        assert caught.value.hint == "try it by hand: echo r.example | docker-credential-bad get"
        assert "hunter2" not in str(caught.value)
    assert len(box.asked) == 1


@pytest.mark.parametrize("name", ["missing", "../evil", "a/b", "a b", "-"])
def test_a_helper_that_is_not_there(box: Box, name: str) -> None:
    config = box.load({"credsStore": name})
    with pytest.raises(CredentialsUnavailable, match="not on the PATH") as caught:
        config.login("r.example")
    assert f"docker-credential-{name}" in str(caught.value.hint)


@needs_sh
def test_a_program_of_another_folder_is_not_run(box: Box, tmp_path: Path) -> None:
    folder = tmp_path / "docker-credential-x"
    folder.mkdir()
    Box(tmp_path).helper("evil", "echo '{}'")
    with pytest.raises(CredentialsUnavailable):
        box.load({"credsStore": "x/../docker-credential-evil"}).login("r.example")
    assert box.asked == []


@needs_sh
def test_a_helper_that_cannot_be_run(box: Box) -> None:
    path = box.folder / "docker-credential-odd"
    path.write_text("#!/no/such/interpreter\n")
    path.chmod(0o755)
    with pytest.raises(CredentialsUnavailable, match="cannot be run"):
        box.load({"credsStore": "odd"}).login("r.example")


@needs_sh
def test_a_helper_that_hangs(box: Box) -> None:
    box.helper("slow", "exec /bin/sleep 60")
    file = CredentialFile.read(box.config({"credsStore": "slow"}))
    assert file
    config = DockerConfig([file], helper_path=str(box.folder), helper_timeout_s=0.2)
    with pytest.raises(CredentialsUnavailable, match=r"no answer for 0\.2 s"):
        config.login("r.example")


@needs_sh
@pytest.mark.parametrize("where", ["", " >&2"])
def test_a_helper_that_never_stops_talking(box: Box, where: str) -> None:
    box.helper("endless", f"exec /bin/cat /dev/zero{where}")
    config = box.load({"credsStore": "endless"})
    with pytest.raises(CredentialsUnavailable, match="endless wrote more than 4 MiB"):
        config.login("r.example")


@needs_sh
def test_a_helper_that_leaves_a_child_behind(box: Box) -> None:
    box.helper("parent", "/bin/sleep 60 &")
    file = CredentialFile.read(box.config({"credsStore": "parent"}))
    assert file
    config = DockerConfig([file], helper_path=str(box.folder), helper_timeout_s=0.2)
    with pytest.raises(CredentialsUnavailable, match=r"no answer for 0\.2 s"):
        config.login("r.example")


@needs_sh
def test_helpers_see_the_variables_that_are_theirs(box: Box) -> None:
    box.helper("one", """echo "{\\"Username\\": \\"$VAULT\\", \\"Secret\\": \\"<$TRANSLOAD_TARGET_PASSWORD>\\"}\"""")
    variables = {"VAULT": "jo", "TRANSLOAD_TARGET_PASSWORD": "hunter2"}
    given = read_environment(variables)
    path = box.config({"credsStore": "one"})
    config = DockerConfig.load([path], helper_path=str(box.folder), helper_variables=given.helper_variables)
    assert config.login("r.example") == login("jo", "<>")


def test_no_secret_of_ours_is_among_what_helpers_see() -> None:
    ours = [name for name in INCUMBENT if name.endswith("PASSWORD")]
    ours += [
        f"TRANSLOAD_{name}" for name in ("SOURCE_PASSWORD", "TARGET_PASSWORD", "SERVE_PASSWORD", "SIGN_PASSPHRASE")
    ]
    given = read_environment(dict.fromkeys([*ours, "DOCKER_AUTH_CONFIG", "PATH"], "x"))
    assert given.helper_variables == {"PATH": "x"}


@needs_sh
def test_threads_ask_once(box: Box) -> None:
    box.answering("one", "jo")
    config = box.load({"credsStore": "one"})
    start = threading.Barrier(8)
    found: list[Login | None] = []

    def ask() -> None:
        start.wait(60)
        found.append(config.login("r.example", "team/app"))

    with TaskGroup() as group:
        for _ in range(8):
            group.start(ask)
    assert found == [login("jo")] * 8
    assert box.asked == ["one get r.example"]


@needs_sh
def test_forgotten_answers_are_asked_for_again(box: Box) -> None:
    box.answering("one", "jo")
    config = box.load({"credsStore": "one"})
    for forget in ("r.example", "other.example"):
        config.login("r.example")
        config.forget(forget)
    assert config.login("r.example") == login("jo")
    assert len(box.asked) == 2


# --- secrets


@needs_sh
def test_secrets_are_never_printed(box: Box) -> None:
    box.answering("one", "jo")
    config = box.load({"auths": {"a.example": auth("jo")}, "credHelpers": {"b.example": "one"}})
    encoded = auth("jo")["auth"]
    logins = [config.login("a.example"), config.login("b.example")]
    shown: list[Callable[[object], str]] = [repr, str]
    for text in (show(value) for show in shown for value in (config, *logins, *config._files)):
        assert SECRET not in text
        assert encoded not in text
