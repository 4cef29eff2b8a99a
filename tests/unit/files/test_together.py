"""Several files are written all or none, whatever is in the way, and whenever the program ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from transload.errors import FileExists, FolderUnsafe, LocalError, TransloadError
from transload.files.together import NewFile, write_together

FILES = {
    PurePosixPath("a.yaml"): NewFile(b"a: 1\n"),
    PurePosixPath("deep/er/b.toml"): NewFile(b"b\n"),
    PurePosixPath("secret.yaml"): NewFile(b"password\n", 0o600),
}


def held(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


WRITTEN = {str(name): file.content for name, file in FILES.items()}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_permissions_are_those_asked_for_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    (tmp_path / "out" / "deep" / "er").mkdir(parents=True)
    before = os.umask(umask)
    try:
        write_together(tmp_path / "out", FILES)
    finally:
        os.umask(before)
    modes = {name: (tmp_path / "out" / name).stat().st_mode & 0o777 for name in WRITTEN}
    assert modes == {"a.yaml": 0o644, "deep/er/b.toml": 0o644, "secret.yaml": 0o600}


def test_the_same_files_again_are_no_trouble_and_get_their_permissions(tmp_path: Path) -> None:
    write_together(tmp_path, FILES)
    (tmp_path / "secret.yaml").chmod(0o666)
    write_together(tmp_path, FILES)
    assert held(tmp_path) == WRITTEN
    assert (tmp_path / "secret.yaml").stat().st_mode & 0o777 == 0o600


def test_other_content_stays_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("mine")
    with pytest.raises(FileExists, match="there already, with other content: .*secret.yaml"):
        write_together(tmp_path, FILES)
    assert held(tmp_path) == {"secret.yaml": b"mine"}
    write_together(tmp_path, FILES, replace=True)
    assert held(tmp_path) == WRITTEN


def test_links_are_replaced_and_never_followed(tmp_path: Path) -> None:
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    out.mkdir()
    (outside / "file").write_text("theirs")
    (out / "a.yaml").symlink_to(outside / "file")
    with pytest.raises(FileExists):
        write_together(out, FILES)
    (out / "deep").symlink_to(outside)
    with pytest.raises(FolderUnsafe, match="deep is a link"):
        write_together(out, FILES, replace=True)
    (out / "deep").unlink()
    write_together(out, FILES, replace=True)
    assert held(outside) == {"file": b"theirs"}
    assert not (out / "a.yaml").is_symlink()
    (tmp_path / "link").symlink_to(out)  # the folder itself may be one: the user named it
    write_together(tmp_path / "link", FILES)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", ""])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FolderUnsafe, match="is no name below"):
        write_together(tmp_path / "out", {PurePosixPath(name): NewFile(b"")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "pipe", "file for a folder", "file for the output"])
def test_what_is_no_file_is_one_sentence_and_nothing_is_left(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    if kind == "file for the output":
        out.write_text("")
    else:
        out.mkdir()
    if kind == "folder":
        (out / "secret.yaml").mkdir()
    elif kind == "pipe":
        os.mkfifo(out / "secret.yaml")
    elif kind == "file for a folder":
        (out / "deep").write_text("")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LocalError):
        write_together(out, FILES, replace=True)
    assert sorted(tmp_path.rglob("*")) == before


PROGRAM = """
import os, sys
from pathlib import Path, PurePosixPath
from transload.files.together import NewFile, write_together
out, event, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
seen = 0
def hook(name, arguments):
    global seen
    if name == "os.chmod":
        mode = os.stat(arguments[0]).st_mode & 0o777
        print("mode", oct(mode), os.stat(arguments[0]).st_size)
    if name == event:
        seen += 1
        if seen == number:
            os._exit(9)
os.umask(0)
sys.addaudithook(hook)
files = {PurePosixPath(f"{name}.yaml"): NewFile(b"new " + name.encode(), 0o600) for name in "abc"}
write_together(out, files, replace=True)
"""


def killed(out: Path, event: str, number: int) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-c", PROGRAM, str(out), event, str(number))
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_secret_is_never_readable_for_others(tmp_path: Path) -> None:
    done = killed(tmp_path / "out", "none", 0)
    assert (done.returncode, done.stdout.splitlines()) == (0, ["mode 0o600 5"] * 3)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_killed_between_renames_each_file_is_whole_and_the_next_call_completes(tmp_path: Path, number: int) -> None:
    for name in "abc":
        (tmp_path / f"{name}.yaml").write_text(f"old {name}")
    assert killed(tmp_path, "os.rename", number).returncode == 9
    visible = {path.name: path.read_text() for path in tmp_path.glob("[!.]*")}
    assert visible == {
        f"{name}.yaml": f"{'new' if place < number - 1 else 'old'} {name}" for place, name in enumerate("abc")
    }
    assert killed(tmp_path, "none", 0).returncode == 0
    assert {path.read_text() for path in tmp_path.glob("[!.]*")} == {"new a", "new b", "new c"}


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "disk"
    out.mkdir()
    command = ("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(out))
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted")
    try:
        (out / "a.yaml").write_text("mine")
        files = {PurePosixPath(f"new/{number}.yaml"): NewFile(b"x" * 20_000) for number in range(9)}
        with pytest.raises(TransloadError, match="no space|full") as raised:
            write_together(out, {**files, PurePosixPath("a.yaml"): NewFile(b"theirs")}, replace=True)
        assert raised.value.exit_code
        assert held(out) == {"a.yaml": b"mine"}
        assert [path.name for path in out.iterdir()] == ["a.yaml"]
    finally:
        subprocess.run(["umount", str(out)], check=True)
