"""Defaults from variables and the file make no command fail that has no use for them, and are named where they do."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from tests.unit.bundle.packing import pack
from transload.app.answers import QUESTIONS
from transload.cli.main import main, transload
from transload.layout import LayoutStore
from transload.oci import Name
from transload.testing.images import fill, image

NOWHERE = "registry.invalid"
VALUES = {  # what somebody would set for a whole site
    "TRANSLOAD_TO": f"{NOWHERE}/site",
    "TRANSLOAD_VIA": f"{NOWHERE}/site=registry.invalid/site",
    "TRANSLOAD_PULL_FROM": "registry.invalid/site",
    "TRANSLOAD_FROM": "oci:elsewhere",
    "TRANSLOAD_TAG": "v1.40",
    "TRANSLOAD_TARGET_TAG": "stable",
    "TRANSLOAD_IMAGE": "app/one:v1",
    "TRANSLOAD_PLATFORM": "linux/amd64",
    "TRANSLOAD_NARROW": "sparse",
    "TRANSLOAD_REFERRERS": "refresh",
    "TRANSLOAD_SOURCE_REGISTRY": NOWHERE,
    "TRANSLOAD_SOURCE_REPOSITORY": "team",
    "TRANSLOAD_SOURCE_USERNAME": "ann",
    "TRANSLOAD_TARGET_USERNAME": "bob",
    "TRANSLOAD_INSECURE_TLS": NOWHERE,
    "TRANSLOAD_PLAIN_HTTP": NOWHERE,
    "TRANSLOAD_ALLOW_REALM": NOWHERE,
    "TRANSLOAD_REPORT": "report.json",
    "TRANSLOAD_RECORD": "record.json",
    "TRANSLOAD_RECEIPT": "receipt.json",
    "TRANSLOAD_RECORDED_BY": "desk",
    "TRANSLOAD_OUTPUT": "json",
    "TRANSLOAD_RUN_ID": "night-7",
    "TRANSLOAD_METRICS_FILE": "site.prom",
    "TRANSLOAD_NOTIFY_COMMAND": "true",
    "TRANSLOAD_NOTIFY_ON": "always",
    "TRANSLOAD_LOG_FILE": "site.log",
    "TRANSLOAD_LOG_FORMAT": "json",
    "TRANSLOAD_LOG_PULLS": "json",
    "TRANSLOAD_VOLUME_SIZE": "1GiB",
    "TRANSLOAD_LIMIT_RATE": "source=20MB/s 1GB/s",
    "TRANSLOAD_VOLUMES": "disks",
    "TRANSLOAD_MAX_BYTES": "1GB",
    "TRANSLOAD_BETWEEN": "00:00-24:00",
    "TRANSLOAD_MIN_AGE": "7d",
    "TRANSLOAD_MAX_AGE": "99999d",
    "TRANSLOAD_POLICY": "policy.yaml",
    "TRANSLOAD_LISTEN": "127.0.0.1:0",
    "TRANSLOAD_SERVE_USER": "eve",
    "SOURCE_DOCKER_REGISTRY": NOWHERE,
    "SOURCE_DOCKER_REPOSITORY": "team",
    "SOURCE_DOCKER_USERNAME": "ann",
    "SOURCE_DOCKER_TAG": "v1.40",
    "TARGET_DOCKER_REGISTRY": NOWHERE,
    "TARGET_DOCKER_REPOSITORY": "team",
    "TARGET_DOCKER_USERNAME": "bob",
    "TARGET_DOCKER_TAG": "stable",
}
FILES = {"TRANSLOAD_CA_FILE", "TRANSLOAD_CLIENT_CERT", "TRANSLOAD_CLIENT_KEY", "TRANSLOAD_TLS_CERT"}
FILES |= {"TRANSLOAD_SIGN_COMMAND", "TRANSLOAD_PUBLIC_KEY"}
FILES |= {"TRANSLOAD_TLS_KEY", "TRANSLOAD_SIGN_KEY", "TRANSLOAD_KEY", "TRANSLOAD_AGAINST", "TRANSLOAD_AGAINST_KEY"}
FILES |= {"TRANSLOAD_PUBLIC_KEY"}
UNLIKE = {"verify two": {"TRANSLOAD_FLATTEN"}}  # a target that was filled without
COMMANDS = {
    "mirror": ("mirror", "--from", "oci:folder", "--to", "oci:copy"),
    "mirror one": ("mirror", "app/one:v1", "--from", "oci:folder", "--to", "oci:copy"),
    "plan": ("plan", "--from", "oci:folder", "--to", "oci:copy"),
    "pack": ("pack", "--from", "oci:folder", "-o", "packed"),
    "list": ("list", "bundle"),
    "verify a folder": ("verify", "oci:folder"),
    "verify a bundle": ("verify", "bundle"),
    "verify two": ("verify", "bundle", "--to", "oci:folder"),
    "push": ("push", "bundle", "--to", "oci:pushed"),
    "releases": ("releases", "arcdata", "--known", "-q"),
}


def options_with_variables(*names: str) -> dict[str, click.Option]:
    context = click.Context(transload)
    commands = [transload.get_command(context, name) for name in names or transload.list_commands(context)]
    options = [one for command in commands if command for one in command.params if isinstance(one, click.Option)]
    return {str(one.envvar): one for one in options if one.envvar}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: an OCI layout and a bundle with the same image, and a policy that asks for nothing."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    one = image("one", (1000,))
    fill(LayoutStore(tmp_path / "folder", create=True), one, "app/one", "v1")
    pack(tmp_path / "bundle", {Name("app/one", "v1"): one})
    (tmp_path / "policy.yaml").write_text('{version: 1, rules: [{prefix: "", mode: skip}]}')
    return tmp_path


def test_every_variable_has_a_likely_value() -> None:
    asked = {question.variable for question in QUESTIONS if not question.secret}
    assert asked <= VALUES.keys()
    known = VALUES.keys() | FILES
    for name, option in options_with_variables().items():
        assert name in known or option.is_flag or isinstance(option.type, click.IntRange | click.FloatRange), name


@pytest.mark.parametrize("command", COMMANDS)
def test_a_default_makes_no_other_command_fail(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    words = COMMANDS[command]
    assert main(list(words)) == 0, capsys.readouterr().err
    taken = options_with_variables(words[0])
    values = {name: VALUES.get(name, "1") for name in taken if name not in FILES | UNLIKE.get(command, set())}
    for name, value in {**values, **{name: VALUES[name] for name in VALUES if "_DOCKER_" in name}}.items():
        (desk / "packed.tar").unlink(missing_ok=True)
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            code = main(list(words))
        assert code == 0, (name, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("words", "variable", "value"),
    [
        (COMMANDS["mirror"], "TRANSLOAD_JOBS", "many"),
        (COMMANDS["mirror"], "TRANSLOAD_OUTPUT", "xml"),
        (COMMANDS["mirror"], "TRANSLOAD_STALL_TIMEOUT", "nan"),
        (COMMANDS["mirror"], "TRANSLOAD_LIMIT_RATE", "20MB/s 30MB/s"),
        (COMMANDS["mirror"], "TRANSLOAD_STALL_TIMEOUT", "inf"),
        (COMMANDS["mirror"], "TRANSLOAD_DISCOVER", "perhaps"),
        (COMMANDS["mirror"], "TRANSLOAD_PLATFORM", "linux/"),
        (COMMANDS["mirror"], "TRANSLOAD_IMAGE", "app/none"),
        (COMMANDS["mirror"], "TRANSLOAD_REPORT", "none/report.json"),
        (COMMANDS["mirror"], "TRANSLOAD_CA_FILE", "none.pem"),
        (("mirror", "arcdata", "--to", "oci:copy"), "TRANSLOAD_FROM", "elsewhere"),
        (("mirror", "arcdata"), "TRANSLOAD_TO", "elsewhere"),
        (("mirror", "arcdata", "--to", "oci:copy"), "SOURCE_DOCKER_REGISTRY", "a b"),
        (("mirror", "arcdata", "--to", "oci:copy"), "TARGET_DOCKER_TAG", "a b"),
        (("mirror", "arcdata", "--to", "oci:copy"), "SOURCE_DOCKER_REPOSITORY", "Team"),
        (("mirror", f"{NOWHERE}/a:1", "other.invalid/b:1", "--to", "oci:copy"), "SOURCE_DOCKER_USERNAME", "ann"),
        (COMMANDS["list"], "TRANSLOAD_KEY", "none.pub"),
        (COMMANDS["list"], "TRANSLOAD_CONFIG", "folder"),
        (("serve", "oci:folder"), "TRANSLOAD_LISTEN", "anywhere"),
    ],
)
def test_a_value_that_cannot_be_meant_is_blamed_on_its_variable(
    desk: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    variable: str,
    value: str,
) -> None:
    monkeypatch.setenv("SOURCE_DOCKER_PASSWORD", "secret")
    monkeypatch.setenv(variable, value)
    code = main(list(words))
    told = " ".join(capsys.readouterr().err.split())
    assert code in {2, 4, 8}, told
    assert variable in told


@pytest.mark.parametrize(
    ("content", "words", "told"),
    [
        ("jobs: many", COMMANDS["mirror"], "this comes from the file"),
        ("from: elsewhere", ("mirror", "arcdata", "--to", "oci:copy"), "this comes from the file"),
        ("tag: 1.40", COMMANDS["mirror"], "is not text"),
        ("tag: [a, b]", COMMANDS["mirror"], "takes one value"),
        ("too: x", COMMANDS["mirror"], "no command has this flag"),
        ("{", COMMANDS["mirror"], "YAML"),
        ("[" * 50_000, COMMANDS["mirror"], "nest"),
        (b"to: \xff\xff", COMMANDS["mirror"], "not UTF-8"),
        ("to: elsewhere", ("list", "bundle"), None),
        ("tag: 1.40", ("list", "bundle"), None),
        ("{", ("mirror", "--help"), None),
        ("to: oci:copy\r\n".encode("utf-16"), ("mirror", "--from", "oci:folder"), None),
        ("to: oci:copy\r\n".encode("utf-8-sig"), ("mirror", "--from", "oci:folder"), None),
        ("from: oci:elsewhere\nto: registry.invalid\ntag: v1", ("verify", "bundle"), None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_the_file(
    desk: Path, capsys: pytest.CaptureFixture[str], content: str | bytes, words: tuple[str, ...], told: str | None
) -> None:
    (desk / "transload_config").write_bytes(content if isinstance(content, bytes) else content.encode())
    code = main(list(words))
    err = " ".join(capsys.readouterr().err.split())
    assert code == (0 if told is None else 2), err
    assert (told or "") in err
    assert told is None or "transload_config" in err


def test_a_user_goes_with_the_registry_that_was_named_with_it(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRANSLOAD_TO", "one.invalid/site")
    monkeypatch.setenv("TRANSLOAD_TARGET_USERNAME", "bob")
    words = ["mirror", "--from", "oci:folder", "--to"]
    assert main([*words, "one.invalid"]) == 2
    assert "user 'bob' at the target has no password" in capsys.readouterr().err
    assert main([*words, "two.invalid"]) == 5
    assert "bob" not in capsys.readouterr().err
