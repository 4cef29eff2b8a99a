"""Standard streams that are closed, full, gone or in another encoding: the work is done, and what is lost is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from transload.layout import LayoutStore
from transload.testing.releases import fill_release, release

RUN = "from transload.cli.main import run; run()"
PLAN = ["plan", "--from", "oci:{there}", "--to", "oci:{new}"]
MIRROR = ["mirror", "--from", "oci:{there}", "--to", "oci:{new}"]
COMMANDS = [["--help"], ["releases", "arcdata", "--known"], PLAN, MIRROR, [*MIRROR, "--output", "json"]]
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
shell = pytest.mark.skipif(os.name != "posix", reason="this system closes no streams from a shell")


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("there") / "layout"
    fill_release(LayoutStore(folder, create=True), release(images=3, size=30_000), "plain")
    return folder


def ran(there: Path, folder: Path, words: list[str], redirection: str, **variables: str) -> tuple[int, str, str]:
    """A command in a shell that redirects its streams: exit code, what it said on standard output and error."""
    told = [word.format(there=there, new=folder / "new") for word in words]
    environment = {**os.environ, "TRANSLOAD_STATE_DIR": str(folder / "state"), **variables}
    script = f'exec "$@" {redirection}'
    command = ["bash", "-c", script, "bash", sys.executable, "-c", RUN, *told]
    done = subprocess.run(command, capture_output=True, env=environment, timeout=100, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


@shell
@pytest.mark.parametrize("words", [["--version"], MIRROR], ids=" ".join)
@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_are_done_without(there: Path, tmp_path: Path, words: list[str], redirection: str) -> None:
    code, _, said = ran(there, tmp_path, words, redirection)
    assert code == 0
    assert "Traceback" not in said


@full
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_result_that_is_lost_is_told(there: Path, tmp_path: Path, words: list[str]) -> None:
    code, _, said = ran(there, tmp_path, words, ">/dev/full")
    assert code == 8
    assert (
        "error: writing to standard output failed, and the rest of the result is lost: No space left on device" in said
    )
    assert "Traceback" not in said
    assert words[0] != "mirror" or "--help" in words or (tmp_path / "new" / "index.json").is_file()


@full
@pytest.mark.parametrize("words", [PLAN, MIRROR], ids=" ".join)
def test_words_that_are_lost_harm_nothing(there: Path, tmp_path: Path, words: list[str]) -> None:
    assert ran(there, tmp_path, words, "2>/dev/full")[0] == 0


@full
def test_an_error_that_nobody_hears_keeps_its_code(there: Path, tmp_path: Path) -> None:
    assert ran(there, tmp_path, ["list", "nothing"], "2>/dev/full >/dev/full")[0] == 8
    assert ran(there, tmp_path, ["nonsense"], "2>/dev/full")[0] == 2


@shell
@pytest.mark.parametrize("words", [["releases", "arcdata", "--known"], ["verify", "oci:{there}"]], ids=" ".join)
def test_a_reader_that_goes_is_not_spoken_of(there: Path, tmp_path: Path, words: list[str]) -> None:
    code, _, said = ran(there, tmp_path, words, "> >(exec true); :")
    assert code in {0, 1}
    assert said == ""


@shell
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
@pytest.mark.parametrize("words", [PLAN, MIRROR], ids=" ".join)
def test_any_encoding_will_do(there: Path, tmp_path: Path, words: list[str], encoding: str) -> None:
    code, told, said = ran(there, tmp_path, words, "", PYTHONIOENCODING=encoding)
    assert code == 0
    assert "Traceback" not in said
    assert told
