"""`transload forget`, and the same for programs: what is known about registries is shown and removed."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

import transload
from transload import Environment, NotFound, ReferenceInvalid, UsageError
from transload.app.remembered import in_a_sentence
from transload.cli.main import main
from transload.registry.known import FILE, Finding, KnownRegistries, Scalar

KNOWN: dict[str, Scalar] = {
    "upload_mode": "pieces",
    "piece_bytes": 1 << 20,
    "mounts": False,
    "referrers_api": True,
    "reads_at_a_time": 14,
    "new_thing": 7,
}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path / "transload_state_dir"


@pytest.fixture
def filled(state: Path) -> Path:
    for host in ("a.example", "b.example:5000", "c.example:80", "[::1]:5000"):
        KnownRegistries(state).keep(host, {}, KNOWN)
    return state


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["forget", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_what_is_known_is_shown_in_words(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = told(capsys, "--list")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        *("[::1]:5000", "a.example", "b.example:5000", "c.example:80"),
    ]
    assert {line[14:] for line in lines if line.startswith(" ")} == {
        "mounts no blobs",
        "new thing: 7",
        "takes bodies of 1.0 MiB, and perhaps no larger ones",
        "has the referrers API",
        "sends 14 blobs at a time well",
        "takes large blobs only in pieces",
    }


def test_what_is_known_as_json(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys, "--list", "--output", "json")
    hello, known = map(json.loads, out.splitlines())
    assert (code, hello["command"], known["event"]) == (0, "forget", "known")
    assert [entry["registry"] for entry in known["registries"]][1:] == ["a.example", "b.example:5000", "c.example:80"]
    finding = known["registries"][1]["findings"][0]
    assert (finding["name"], finding["value"], finding["used"]) == ("mounts", False, True)
    assert set(finding) == {"name", "value", "learnt", "version", "used"}


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a.example", "a.example"),
        ("a.example:443/team", "a.example"),
        ("b.example:5000", "b.example:5000"),
        ("c.example", "c.example:80"),
        ("[::1]:5000", "[::1]:5000"),
    ],
)
def test_a_registry_is_forgotten(filled: Path, capsys: pytest.CaptureFixture[str], host: str, name: str) -> None:
    assert told(capsys, host) == (0, f"forgotten: {name}\n", "")
    assert len(KnownRegistries(filled).registries()) == 3
    assert name not in KnownRegistries(filled).registries()


def test_a_wrong_host_is_told_with_those_that_are_known(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = told(capsys, "a.example", "b.example")
    assert (code, out) == (NotFound.exit_code, "")
    assert "nothing is known about b.example" in err
    assert "known are: [::1]:5000, a.example, b.example:5000, c.example:80" in err
    assert len(KnownRegistries(filled).registries()) == 4


def test_all_are_forgotten(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys, "--all", "--output", "json")
    assert (code, json.loads(out.splitlines()[1])["registries"][1:3]) == (0, ["a.example", "b.example:5000"])
    assert told(capsys, "--all") == (0, "nothing was known\n", "")
    assert told(capsys, "--list") == (0, "nothing is known about any registry\n", "")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "no registry is named"),
        (["--bundles"], "no target is named"),
        (["a.example", "--all"], "exclude each other"),
        (["--list", "--all"], "exclude each other"),
        (["oci:folder"], "is not a registry"),
        (["a"], "write host or host:port, for example registry.local"),
        (["https://a.example"], "leave https:// out"),
        (["a.example/UPPER"], "UPPER"),
    ],
)
def test_wrong_words(capsys: pytest.CaptureFixture[str], words: list[str], sentence: str) -> None:
    code, out, err = told(capsys, *words)
    assert (code, out) == (UsageError.exit_code, "")
    assert sentence in err


def test_the_file_of_a_newer_version_is_told(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(filled / FILE) as database:
        database.execute("PRAGMA user_version = 9")
    database.close()
    code, out, err = told(capsys, "--list")
    assert (code, out) == (0, "nothing is known about any registry\n")
    assert "a newer version of transload wrote" in err
    code, _, err = told(capsys, "--all")
    assert code == transload.LocalError.exit_code
    assert "use that version, or delete the file" in err


def test_programs_do_the_same(filled: Path) -> None:
    environment = Environment(state=filled)
    known = transload.known_registries(environment=environment)
    assert known["a.example"]["mounts"].value is False
    assert transload.forget("a.example", environment=environment) == ("a.example",)
    assert transload.forget(None, environment=environment) == ("[::1]:5000", "b.example:5000", "c.example:80")
    assert transload.known_registries(environment=environment) == {}
    assert transload.known_registries(environment=Environment()) == {}
    with pytest.raises(NotFound, match=r"nothing is known about a\.example"):
        transload.forget(["a.example"], environment=environment)
    with pytest.raises(ReferenceInvalid):
        transload.forget("nowhere", environment=environment)


def test_every_finding_has_its_words() -> None:
    from transload.registry.capabilities import Capabilities

    powers = [name for name, value in vars(Capabilities()).items() if value is None and not name.startswith("_")]
    assert "mounts" not in powers
    for name in ("mounts", *powers):
        value = 1 << 20 if name.endswith("bytes") else True
        assert "True" not in in_a_sentence(name, Finding(value, 0, "1")), name
