"""A bundle that is not finished is called so by everything that reads bundles, wherever its files were copied."""

from pathlib import Path

import pytest

from tests import forked
from tests.unit.bundle.packing import contents_of, named, pack, send
from transload.bundle import BundleStore, BundleWriter, lay_out
from transload.errors import BundleUnfinished, VolumeMissing
from transload.testing.releases import release

MADE = named(release(images=4, size=3_000_000))
COMMANDS = {
    "push": ["--to", "oci:{}/target"],
    "verify": [],
    "list": [],
    "repair": [],
    "extract": ["--into", "{}/out"],
    "serve": ["--listen", "127.0.0.1:0"],
    "mirror": ["--to", "oci:{}/target"],
}


@pytest.fixture(scope="module", params=[None, 1 << 20], ids=["whole", "cut"])
def unfinished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of an unfinished bundle, without its journal, as on another machine."""
    folder = tmp_path_factory.mktemp("medium")
    with BundleWriter(folder / "b", lay_out(contents_of(MADE), request.param)) as writer:
        send(writer, MADE)
    (folder / "b.partial.journal").unlink()
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_so(unfinished: Path, tmp_path: Path, command: str) -> None:
    named_as = ["--from", f"bundle:{unfinished}/b"] if command == "mirror" else [f"{unfinished}/b"]
    words = [command, *named_as, *(word.format(tmp_path) for word in COMMANDS[command])]
    done = forked.run(*words)
    assert done.returncode == 6, done.stderr
    assert "error: the bundle is not finished: there is only" in done.stderr
    assert "run the pack command that began it once more" in done.stderr


@pytest.mark.parametrize("journal", [True, False])
def test_however_it_is_named(unfinished: Path, journal: bool) -> None:
    if journal:
        (unfinished / "b.partial.journal").write_text("bundle 1 sha256:0\n")
    partial = min(unfinished.glob("*.partial"))
    for path in (unfinished, unfinished / "b", unfinished / "b.tar", partial):
        with pytest.raises(BundleUnfinished, match=f"there is only {partial}"):
            BundleStore(path)


def test_a_volume_without_its_final_name_is_missing_and_the_hint_says_why(tmp_path: Path) -> None:
    *_, last, _ = pack(tmp_path / "b", MADE, 1 << 20)[1]
    last.rename(last.with_name(f"{last.name}.partial"))
    problems = [part.error for part in BundleStore(tmp_path / "b").check() if part.error]
    assert isinstance(problems[0], VolumeMissing)
    assert f"{last.name}.partial is there: the bundle was not finished" in str(problems[0].hint)


@pytest.mark.parametrize("volume_size", [None, 1 << 20])
@pytest.mark.parametrize("command", ["verify", "push", "list"])
def test_where_only_the_end_of_the_run_is_missing_it_is_a_note(
    tmp_path: Path, command: str, volume_size: int | None
) -> None:
    """Killed after the volumes got their names: the content is whole, but SHA256SUMS may be missing."""
    pack(tmp_path / "b", MADE, volume_size)
    words = [command, f"{tmp_path}/b", *(word.format(tmp_path) for word in COMMANDS[command])]
    for journal in (False, True):
        if journal:
            (tmp_path / "b.partial.journal").write_text("bundle 1 sha256:0\n")
        done = forked.run(*words)
        assert done.returncode == 0, done.stderr
        told = " ".join((done.stdout + done.stderr).split())
        assert ("b.partial.journal is there" in told) is journal
