"""What somebody wrote with a password in it is not repeated: not in errors, hints, command lines, JSON or reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from transload.cli.main import main
from transload.layout import LayoutStore
from transload.testing.images import fill, image

FRONT, BACK = "Xqz", "Zkj"
"""The two halves of a password; what is between them is what URLs, references and shells take for something else."""
BETWEEN = ("", "@", ":", "/", "?", "#", "\\", "[", "]", "%", " ", "ü")
TO = ["--to", "oci:out"]

POSITIONS = {
    "mirror": ["mirror", "*", *TO],
    "mirror --to": ["mirror", "arcdata", "--to", "*"],
    "mirror --from": ["mirror", "--from", "*", *TO],
    "mirror --source-registry": ["mirror", "arcdata", "--source-registry", "*", *TO],
    "mirror --plain-http": ["mirror", "arcdata", "--plain-http", "*", *TO],
    "mirror --insecure-tls": ["mirror", "arcdata", "--insecure-tls", "*", *TO],
    "mirror --allow-realm": ["mirror", "arcdata", "--allow-realm", "*", *TO],
    "plan": ["plan", "*", *TO],
    "plan --to": ["plan", "arcdata", "--to", "*", "--output", "json"],
    "plan --from": ["plan", "a:1", "--from", "*", *TO],
    "pack": ["pack", "*", "-o", "bundle"],
    "pack --from": ["pack", "--from", "*", "-o", "bundle", "--output", "json"],
    "verify": ["verify", "*", *TO],
    "verify alone": ["verify", "*"],
    "verify --to": ["verify", "arcdata", "--to", "*"],
    "push": ["push", "*", *TO],
    "push --to": ["push", "layout", "--to", "*"],
    "inventory": ["inventory", "*", "-o", "site.json"],
    "check": ["check", "*"],
    "check set": ["check", "oci:folder", "*"],
    "forget": ["forget", "*"],
    "serve": ["serve", "*"],
    "list": ["list", "*"],
    "extract": ["extract", "*"],
    "repair": ["repair", "*"],
    "discover": ["discover", "*"],
    "releases": ["releases", "*"],
    "releases --to": ["releases", "arcdata", "--to", "*", "--known"],
    "releases --source-registry": ["releases", "arcdata", "--source-registry", "*", "--known"],
    "no command": ["*"],
    "a list": ["plan", "list.txt", *TO],
    "an image set": ["plan", "set.yaml", *TO],
    "a catalog": ["plan", "catalog.yaml", *TO],
}


@pytest.fixture(autouse=True)
def _nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    fill(LayoutStore(tmp_path / "layout", create=True), image("x"), "a", "1")


def write_files(text: str) -> None:
    quoted = text.replace("'", "''")
    Path("list.txt").write_text(f"{text}\n")
    Path("set.yaml").write_text(f"kind: ImageSet\nversion: 1\nimages: ['{quoted}']\n")
    Path("catalog.yaml").write_text(
        f"{{kind: Catalog, version: 1, name: x, registry: '{quoted}', releases: [{{tag: v1, images: [a]}}]}}"
    )


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("scheme", ["", "https://", "docker://"])
def test_a_password_in_a_store_or_reference(position: str, scheme: str, capsys: pytest.CaptureFixture[str]) -> None:
    for between in BETWEEN:
        text = f"{scheme}ann:{FRONT}{between}{BACK}@registry.invalid/a:1"
        write_files(text)
        code = main([text if word == "*" else word for word in POSITIONS[position]])
        told = "".join(capsys.readouterr())
        assert code in {2, 4, 8}, (text, told)
        assert told
        assert FRONT not in told, (text, told)
        assert BACK not in told, (text, told)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SOURCE_DOCKER_REGISTRY", ["plan", "arcdata", *TO]),
        ("TARGET_DOCKER_REGISTRY", ["plan", "arcdata"]),
        ("TRANSLOAD_TO", ["plan", "arcdata"]),
        ("TRANSLOAD_FROM", ["plan", *TO]),
    ],
)
def test_a_password_in_a_variable(
    name: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for between in BETWEEN:
        monkeypatch.setenv(name, f"https://ann:{FRONT}{between}{BACK}@registry.invalid/a")
        assert main(words) == 2
        told = "".join(capsys.readouterr())
        assert FRONT not in told
        assert BACK not in told


PROXIES = [
    f"{scheme}ann:{FRONT}{between}{BACK}@proxy.invalid:3128"
    for scheme in ("http://", "https://", "socks5://", "")
    for between in ("/", "?", "#", "\\", "[", "]", " ")
]
ASKING = {
    "mirror": ["mirror", "registry.invalid/a:1", *TO],
    "plan": ["plan", "arcdata", *TO, "--output", "json"],
    "pack": ["pack", "registry.invalid/a:1", "-o", "bundle"],
    "verify": ["verify", "registry.invalid/a:1", *TO],
    "push": ["push", "layout", "--to", "registry.invalid/a"],
    "inventory": ["inventory", "registry.invalid", "-o", "site.json"],
    "releases": ["releases", "arcdata"],
    "check": ["check", "registry.invalid"],
}


@pytest.mark.parametrize(
    "variable", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
)
@pytest.mark.parametrize("command", ASKING)
def test_a_proxy_that_cannot_be_read_is_blamed_by_its_variable(
    variable: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each variable gets each text, and each command; the texts are dealt to the commands, which all read it alike."""
    for text in PROXIES[[*ASKING].index(command) :: len(ASKING)]:
        monkeypatch.setenv(variable, text)
        assert main(ASKING[command]) == 2
        told = "".join(capsys.readouterr())
        assert f"{variable} is not an http or https URL" in told
        assert FRONT not in told
        assert BACK not in told


def test_what_needs_no_proxy_does_not_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:a#b@proxy.invalid:3128")
    assert main(["verify", "oci:layout"]) == 0
    assert main(["releases", "arcdata", "--known"]) == 0
