"""What the operating system says becomes an error of this machine, with a hint that fits."""

import errno
import os
from pathlib import Path

import pytest

from transload.cli.main import main
from transload.errors import DiskFull, LocalError, MediumLost, PermissionRefused
from transload.files import local_errors
from transload.net.address import Origin
from transload.net.translate import translated

TROUBLE = [
    (errno.ENOSPC, DiskFull, "free some space"),
    (errno.EDQUOT, DiskFull, "quota"),
    (errno.EROFS, PermissionRefused, "makes a disk read-only when it fails"),
    (errno.EFBIG, LocalError, "FAT takes files below 4 GiB"),
    (errno.EACCES, PermissionRefused, None),
    (errno.EIO, MediumLost, "put it in again"),
    (errno.ENODEV, MediumLost, "put it in again"),
    (errno.ENXIO, MediumLost, "put it in again"),
    (errno.ESTALE, MediumLost, "put it in again"),
    (errno.ENOTCONN, MediumLost, "put it in again"),
    (errno.EMFILE, LocalError, "ulimit -n"),
    (errno.ENFILE, LocalError, "whole machine"),
    (errno.ENAMETOOLONG, LocalError, "shorter name"),
]


@pytest.mark.parametrize(("number", "kind", "hint"), TROUBLE)
def test_trouble_with_a_file(number: int, kind: type[LocalError], hint: str | None) -> None:
    with pytest.raises(LocalError) as caught, local_errors("writing", Path("there")):
        raise OSError(number, os.strerror(number), "there")
    assert type(caught.value) is kind
    assert caught.value.message.startswith("writing there: ")
    assert (caught.value.hint is None) == (hint is None)
    assert hint is None or hint in (caught.value.hint or "")


def test_a_folder_that_is_gone_was_perhaps_unmounted(tmp_path: Path) -> None:
    with pytest.raises(MediumLost, match="was the medium removed"), local_errors("writing", tmp_path / "gone" / "file"):
        (tmp_path / "gone" / "file").write_text("")


@pytest.mark.parametrize("number", [number for number, _, _ in TROUBLE])
def test_trouble_that_nobody_translated_is_no_bug(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(path: Path) -> bool:
        raise OSError(number, os.strerror(number), "there")

    monkeypatch.setattr(Path, "is_dir", fail)
    assert main(["verify", "oci:nowhere", "--quiet"]) in {4, 8}
    assert main(["push", "somewhere", "--to", "localhost:1/x"]) == 8
    assert "Traceback" not in capsys.readouterr().err


def test_too_many_open_files_are_not_the_hosts_fault() -> None:
    error = translated(
        OSError(errno.EMFILE, "Too many open files"), Origin("https", "registry.example", 443), "asking", 1
    )
    assert isinstance(error, LocalError)
    assert "ulimit" in (error.hint or "")
