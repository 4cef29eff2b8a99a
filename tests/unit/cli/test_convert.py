"""`transload convert` as people and programs call it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

import transload
from transload.catalog.setfile import load_set
from transload.cli.main import main

FILES = Path(__file__).parents[1] / "catalog" / "lists" / "files"
ZARF = """\
kind: ZarfPackageConfig
metadata: {name: a}
components:
  - name: one
    images: ["quay.io/a/b:1", "quay.io/a/c:###ZARF_PKG_TMPL_TAG###"]
    repos: ["https://git.example/a"]
"""
NOT_FOUND = 4


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / ".home"))


def test_the_set_goes_to_the_output_and_the_rest_to_people(capsys: pytest.CaptureFixture[str]) -> None:
    Path("zarf.yaml").write_text(ZARF)
    assert main(["convert", "zarf.yaml"]) == 0
    out, err = capsys.readouterr()
    set_ = transload.parse_set(out, "set.yaml")
    assert isinstance(set_, transload.ImageSet)
    assert [image.place for image in set_.images] == ["a/b:1"]
    assert set_.notes == (
        "1 question is open in set.yaml, so images may be missing: add what is meant to images, and delete it",
    )
    assert "note: zarf.yaml:6: components[0].repos: git repositories are not copied\n" in err
    assert "###ZARF_PKG_TMPL_TAG### stands for what another tool fills in" in err


def test_into_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("zarf.yaml").write_text(ZARF)
    Path("more.txt").write_text("quay.io/a/d:1\n")
    assert main(["convert", "zarf.yaml", "more.txt", "-o", "set.yaml", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("2 images, 1 open question, 1 note; written to set.yaml\n", "")
    set_ = load_set(Path("set.yaml"))
    assert isinstance(set_, transload.ImageSet)
    assert [image.place for image in set_.images] == ["a/b:1", "a/d:1"]
    assert "# made by transload convert from more.txt (list of references)\n" in Path("set.yaml").read_text()
    assert main(["convert", "zarf.yaml", "--strict", "-o", "set.yaml"]) == 1
    assert main(["convert", "more.txt", "--strict", "-o", "set.yaml"]) == 0


def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    Path("zarf.yaml").write_text(ZARF)
    assert main(["convert", "zarf.yaml", "--output", "json"]) == 0
    hello, converted = map(json.loads, capsys.readouterr().out.splitlines())
    assert (hello["command"], converted.pop("event")) == ("convert", "converted")
    del converted["time"]
    assert converted == {
        "files": [{"file": "zarf.yaml", "format": "Zarf package"}],
        "images": [{"source": "quay.io/a/b:1", "target": "a/b:1", "platforms": []}],
        "rules": [],
        "charts": [],
        "notes": ["zarf.yaml:6: components[0].repos: git repositories are not copied"],
        "questions": [
            {
                "text": "quay.io/a/c:###ZARF_PKG_TMPL_TAG###",
                "reason": "###ZARF_PKG_TMPL_TAG### stands for what another tool fills in",
                "found": "zarf.yaml:5: components[0].images[1]",
            }
        ],
        "set": None,
    }


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        ("kind: ZarfPackageConfig\ncomponents: []\n", NOT_FOUND, "no image is listed in list.yaml"),
        ("kind: Deployment\napiVersion: apps/v1\n", 2, "list.yaml is no list of a tool that is known"),
        ("kind: ImageSet\nversion: 1\nimages: [nginx]\n", 2, "an image set is taken as it is"),
        ("", 2, "list.yaml is no list of a tool that is known"),
        ("a: [\n", 2, "list.yaml:2:1: not valid YAML"),
        ("kind: ZarfPackageConfig\ncomponents:\n  - images: [BAD]\n", 2, "list.yaml:3: components[0].images[0]: "),
        ("kind: ZarfPackageConfig\ncomponents:\n  - images: {a: b}\n", 2, "components[0].images: expected a list"),
        (
            f"kind: ZarfPackageConfig\ncomponents:\n  - images: [a.example/x:1, a.example/x:1@sha256:{'1' * 64}]\n",
            2,
            "x:1 is wanted twice at the target",
        ),
    ],
)
def test_what_is_refused(content: str, code: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("list.yaml").write_text(content)
    assert main(["convert", "list.yaml", "-o", "set.yaml"]) == code
    assert told in capsys.readouterr().err
    assert not Path("set.yaml").exists()


def test_images_that_want_one_name_are_kept_apart(capsys: pytest.CaptureFixture[str]) -> None:
    images = "[a.example/x:1, B.example:5000/x:1, c.example/y:1]"
    Path("zarf.yaml").write_text(f"kind: ZarfPackageConfig\ncomponents:\n  - images: {images}\n")
    Path("more.txt").write_text("a.example/x:1 -> x\nc.example/y:1\n")
    assert main(["convert", "zarf.yaml", "more.txt"]) == 0
    out, err = capsys.readouterr()
    set_ = transload.parse_set(out, "set.yaml")
    assert isinstance(set_, transload.ImageSet)
    assert [image.place for image in set_.images] == ["a.example/x:1", "b.example-5000/x:1", "y:1"]
    assert "note: B.example:5000/x:1 goes to b.example-5000/x:1, since another image wants x:1\n" in err


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder").mkdir()
    assert main(["convert", "absent.yaml"]) != 0
    assert main(["convert", "folder"]) != 0
    assert "folder is a folder, and a file was expected" in capsys.readouterr().err


def test_the_list_itself_is_not_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    Path("zarf.yaml").write_text(ZARF)
    Path("link.yaml").symlink_to("zarf.yaml")
    for out in ("zarf.yaml", "./zarf.yaml", "link.yaml"):
        assert main(["convert", "zarf.yaml", "-o", out]) != 0
        assert "would be replaced" in capsys.readouterr().err
    assert Path("zarf.yaml").read_text() == ZARF


def test_nothing_hostile_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    path = "https://u:secret@a.example/\\e]0;x\\a\\n- b"
    Path("h.yaml").write_text(
        "apiVersion: content.hauler.cattle.io/v1\nkind: Files\nspec:\n  files:\n"
        f'    - path: "{path}"\n---\napiVersion: content.hauler.cattle.io/v1\nkind: Images\nspec:\n'
        '  images:\n    - {name: "a/b:1", "key\\e[2J": x}\n'
    )
    assert main(["convert", "h.yaml"]) == 0
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert "\a" not in out + err
    assert "secret" not in out + err
    assert isinstance(transload.parse_set(out, "set.yaml"), transload.ImageSet)


def test_a_program_gets_the_same() -> None:
    converted = transload.convert([FILES / "regsync.yaml", FILES / "hangar.txt"])
    assert [what for _, what in converted.formats] == ["regsync configuration", "list of references"]
    set_ = transload.parse_set(converted.set_text(), "set.yaml")
    assert isinstance(set_, transload.ImageSet)
    assert set_.images == converted.image_set.images
    with pytest.raises(transload.UsageError):
        transload.convert([])
    with pytest.raises(transload.UsageError, match="standard input"):
        transload.convert("-")


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (ZARF, 0, "(Zarf package)"),
        ("# all\nquay.io/a/b:1\nnginx -> web:2\n", 0, "(list of references)"),
        ("- quay.io/a/b:1\n", 0, "(list of references)"),
        ('{"quay.io/a/b:1": "r.example/c"}', 0, "(image-syncer rules)"),
        ("quay.io/a/b:1\nBAD\n", 2, "-:2: "),
        ("kind: ZarfPackageConfig\ncomponents: [\n", 2, "not valid YAML"),
        ("kind: Pod\n", 2, "- is no list of a tool that is known"),
        ("", NOT_FOUND, "no image is listed in -"),
    ],
)
def test_standard_input(
    content: str, code: int, told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stdin:
        buffer = io.BytesIO(content.encode())

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert main(["convert", "-"]) == code
    assert told in "".join(capsys.readouterr())
