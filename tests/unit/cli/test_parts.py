"""Parts of images and of bundles: what has another digest at the target, and what is said if a part is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.archive.writer import Files, blob_name, layout_files, write_tar
from transload.cli.main import main
from transload.layout import LayoutStore
from transload.oci import Name, Platform
from transload.testing.images import AMD64, Built, fill, multi_platform

ARM64 = Platform("linux", "arm64")
MANY = multi_platform("many", platforms=(AMD64, ARM64))
FIRST, SECOND = MANY.children


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out + err


def saved(path: Path, *absent: Built, tag: str | None = "1") -> Path:
    """An archive with the index of all platforms and without these images, as docker 29 saves it."""
    files: Files = layout_files({Name("acme/app", tag): MANY}, full=True)
    away = {blob_name(descriptor.digest) for each in absent for descriptor, _ in each.walk_blobs()}
    away |= {blob_name(each.digest) for each in absent}
    return write_tar(path, {name: content for name, content in files.items() if name not in away})


# --- an image without a tag whose index is written anew is known by its new digest


@pytest.mark.parametrize("store", ["folder", "archive"])
def test_a_narrowed_image_without_a_tag_gets_over_the_gap(
    desk: Path, capsys: pytest.CaptureFixture[str], store: str
) -> None:
    if store == "archive":
        saved(desk / "saved.tar", SECOND, tag=None)
        source = ["--from", "archive:saved.tar"]
    else:
        fill(LayoutStore(desk / "source", create=True), MANY, "acme/app")
        source = ["--from", "oci:source", "--platform", "linux/amd64"]
    code, text = told(capsys, "pack", *source, "-o", "bundle")
    assert code == 0
    assert "it becomes " in text
    assert told(capsys, "verify", "bundle")[0] == 0
    assert told(capsys, "push", "bundle", "--to", "oci:far/acme")[0] == 0
    assert told(capsys, "verify", "bundle", "--to", "oci:far/acme")[0] == 0
    assert told(capsys, "mirror", *source, "--to", "oci:direct")[0] == 0
    assert told(capsys, "verify", *source, "--to", "oci:direct")[0] == 0
    assert told(capsys, "pack", *source, "--against", "bundle.tar", "-o", "next")[0] == 0
    assert told(capsys, "verify", "next")[0] == 0


# --- an archive that holds a part


def test_what_an_archive_holds_of_an_image_is_proved_and_the_rest_is_told(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(desk / "part.tar", SECOND)
    code, text = told(capsys, "verify", "part.tar", "--deep")
    assert code == 0
    assert "sound     acme/app:1" in text
    assert "does not hold linux/arm64 of acme/app:1: only what is there was checked" in text
    code, text = told(capsys, "verify", "part.tar", "--output", "json")
    (note,) = json.loads(text.splitlines()[-1])["notes"]
    assert (code, "linux/arm64" in note) == (0, True)


def test_an_archive_that_holds_no_platform_or_half_of_one_is_damaged(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(desk / "none.tar", FIRST, SECOND)
    assert told(capsys, "verify", "none.tar")[0] == 4
    files = layout_files({Name("acme/app", "1"): MANY}, full=True)
    del files[blob_name(FIRST.manifest.layers[0].digest)]
    write_tar(desk / "half.tar", files)
    code, text = told(capsys, "verify", "half.tar")
    assert code == 4
    assert "damaged   acme/app:1" in text


def test_a_folder_that_has_lost_a_platform_is_damaged(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(LayoutStore(desk / "folder", create=True), MANY, "acme/app", "1")
    (desk / "folder" / blob_name(SECOND.digest)).unlink()
    code, text = told(capsys, "verify", "oci:folder")
    assert (code, "damaged" in text) == (4, True)


# --- a bundle that lacks a volume


def test_what_lies_in_a_missing_volume_is_not_checked(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(LayoutStore(desk / "source", create=True), multi_platform("big", layers=(1_500_000,)), "acme/app", "1")
    assert told(capsys, "pack", "--from", "oci:source", "-o", "bundle", "--volume-size", "1MiB")[0] == 0
    (desk / "bundle.002.tar").unlink()
    code, text = told(capsys, "verify", "bundle")
    assert code == 6
    assert "not checked acme/app:1" in text
    assert "volume 2 of " in text
    assert "damaged" not in text
