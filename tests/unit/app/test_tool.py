"""The program for the far side: which one is put beside a bundle, and what is written with it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from transload.app import onefile
from transload.app.tool import Tool, put_tool, tool_for
from transload.errors import LocalError

ELF = Tool("transload", b"\x7fELF and so on")


def test_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"a program")
    assert tool_for(str(tmp_path / "mine")) == Tool("mine", b"a program")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("absent", "there is no file absent"),
        ("", "'' is not a file"),
        (".", r"'\.' is not a file"),
        ("binary", "not the native executable"),
    ],
)
def test_what_is_not_there_is_said(word: str, said: str) -> None:
    with pytest.raises(LocalError, match=said) as raised:
        tool_for(word)
    assert raised.value.hint


@pytest.mark.parametrize("name", ["app.tar", "README.txt", "SHA256SUMS", "two\nlines"])
def test_a_program_takes_the_place_of_nothing_else(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"a program")
    with pytest.raises(LocalError, match="is not a name for a program beside a bundle"):
        tool_for(str(tmp_path / name))


def test_it_is_executable_and_in_the_list_of_sums(tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  other.tar\n")
    written = put_tool(ELF, tmp_path / "app", signed=False)
    assert [path.name for path in written] == ["transload", "README.txt"]
    assert written[0].stat().st_mode & 0o111 == 0o111
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == ["other.tar", "README.txt", "transload"]
    done = subprocess.run(
        ["sha256sum", "--ignore-missing", "-c", "SHA256SUMS"], cwd=tmp_path, capture_output=True, check=True
    )
    assert done.stdout.splitlines() == [b"README.txt: OK", b"transload: OK"]


@pytest.mark.parametrize("signed", [False, True])
def test_the_page_has_the_commands_for_this_bundle(tmp_path: Path, signed: bool) -> None:
    put_tool(ELF, tmp_path / "an app", signed=signed)
    page = (tmp_path / "README.txt").read_text()
    assert "./transload push 'an app' --to REGISTRY/PATH" in page
    assert page.count("--key FILE") == (3 if signed else 0)
    assert "{" not in page
    assert all(len(line) <= 120 for line in page.splitlines())


def test_the_page_names_nothing_that_the_program_lacks(tmp_path: Path) -> None:
    put_tool(Tool("transload", ELF.content, ("serve",)), tmp_path / "app", signed=False)
    page = (tmp_path / "README.txt").read_text()
    assert "push app" in page
    assert "serve" not in page


def test_a_page_of_somebody_else_stays(tmp_path: Path) -> None:
    (tmp_path / "README.txt").write_text("my own\n")
    assert [path.name for path in put_tool(ELF, tmp_path / "app", signed=False)] == ["transload"]
    assert (tmp_path / "README.txt").read_text() == "my own\n"
    assert "README.txt" not in (tmp_path / "SHA256SUMS").read_text()


def test_a_page_of_ours_is_written_anew(tmp_path: Path) -> None:
    for name in ("first", "second"):
        put_tool(ELF, tmp_path / name, signed=False)
    assert "push second --to" in (tmp_path / "README.txt").read_text()


def test_a_file_of_another_kind_has_no_page(tmp_path: Path) -> None:
    put_tool(Tool("mine", b"a program"), tmp_path / "app", signed=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SHA256SUMS", "mine"]


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "medium").mkdir()
    (tmp_path / "outside").write_bytes(b"keep")
    (tmp_path / "medium" / "transload").symlink_to(tmp_path / "outside")
    put_tool(ELF, tmp_path / "medium" / "app", signed=False)
    assert (tmp_path / "outside").read_bytes() == b"keep"


def test_what_is_not_installed_is_said_not_left_out_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onefile, "OPTIONAL", {"serve": ("attrs", "no-such-part")})
    # Less to compile; tests/test_pyz.py makes the whole.
    monkeypatch.setattr(onefile, "PACKAGE", onefile.PACKAGE / "oci")
    monkeypatch.setattr(onefile, "NEEDED", ("attrs",))
    assert tool_for("pyz").lacks == ("serve",)
