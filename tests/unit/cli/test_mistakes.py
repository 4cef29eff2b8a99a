"""What people write by mistake, or as other tools have it: the same exit code for every verb, and a hint that helps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen

from tests.unit.archive.writer import Saved, layout_files, saved_files, write_tar
from transload.cli.main import main
from transload.layout import LayoutStore
from transload.oci import Name
from transload.testing.images import fill, image

ONE = image("one", (100,))
NAME = Name("acme/app", "1")


@frozen
class Ran:
    code: int
    told: str


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line in a folder with a layout, an archive of each kind and a folder of skopeo's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TRANSLOAD_CONFIG", str(tmp_path / "none.yaml"))
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    fill(LayoutStore("layout", create=True), ONE, NAME.repository, NAME.tag)
    write_tar(Path("oci.tar"), layout_files({NAME: ONE}))
    write_tar(Path("saved.tar"), saved_files((Saved("saved").flat(), ["acme/saved:1"])))
    Path("unmarked").mkdir()
    Path("unmarked", "index.json").write_text("{}")
    Path("skopeo").mkdir()
    for name in ("version", "manifest.json"):
        Path("skopeo", name).write_text("{}")

    def call(line: str) -> Ran:
        capsys.readouterr()
        code = main(line.split(" "))
        told = capsys.readouterr()
        return Ran(code, told.out + told.err)

    return call


FROM = ["mirror {} --to oci:out", "plan {} --to oci:out", "pack {} -o bun", "verify {} --to oci:layout"]
STORE = ["mirror --from {} --to oci:out", "plan --from {} --to oci:out", "pack --from {} -o bun"]
CARRIED = ["push {} --to oci:out", "list {}", "extract {}", "serve {}", "verify {}"]
TO = ["mirror --from oci:layout --to {}", "plan --from oci:layout --to {}", "push layout --to {}"]
OPTIONS = [
    "mirror --from oci:layout --to oci:out",
    "plan --from oci:layout --to oci:out",
    "pack --from oci:layout -o bun",
]


@pytest.mark.parametrize(
    ("lines", "mistake", "code", "words"),
    [
        # what is not there
        (STORE, "oci:absent", 8, "there is no folder absent"),
        (STORE, "archive:absent.tar", 8, "there is no archive absent.tar"),
        (STORE, "bundle:absent", 8, "there is no bundle absent"),
        (CARRIED, "absent", 8, "there is no bundle, folder or archive absent"),
        (CARRIED[:1], "-", 8, "write it to a file first"),
        (CARRIED, "./absent", 8, "there is no bundle, folder or archive ./absent"),
        (["inventory {} -o out.json"], "absent", 8, "there is no bundle, folder or archive absent"),
        (FROM, "absent.yaml", 8, "there is no file absent.yaml"),
        (["releases {}"], "./absent.yaml", 8, "there is no file ./absent.yaml"),
        ([f"{line} --ca-file {{}}" for line in OPTIONS], "absent.pem", 8, "there is no file absent.pem"),
        ([f"{line} --report {{}}/r.json" for line in OPTIONS[:1]], "absent", 8, "there is no folder"),
        (["apply {}"], "absent.json", 8, "there is no file absent.json"),
        (["pack --from oci:layout -o bun --sign-key {}"], "absent.pem", 8, "there is no file absent.pem"),
        (["pack --from oci:layout -o {}/out"], "absent", 8, "there is no folder"),
        # what is something else
        (FROM[:3], "layout", 8, "--from oci:layout"),
        (FROM[:3], "./layout", 8, "--from oci:./layout"),
        (FROM[:3], "oci.tar", 8, "--from archive:oci.tar"),
        (FROM[:3], "oci:layout", 2, "take them with --from oci:layout"),
        (FROM[:3], "layout/", 2, "leave the slash at the end out"),
        (["push {} --to oci:out", "verify {}"], "unmarked", 4, "is not an OCI layout: it has no file oci-layout"),
        (["push {} --to oci:out"], "skopeo", 4, "skopeo copy dir:skopeo oci:DIR:NAME"),
        (TO, "./folder", 2, "oci:./folder"),
        (TO, "../folder", 2, "oci:../folder"),
        (TO, "~/folder", 2, "oci:~/folder"),
        (TO, "/absolute/folder", 2, "oci:/absolute/folder"),
        (TO, "out.tar", 2, "transload pack"),
        (TO, "./out.tar", 2, "transload pack"),
        (["pack --from oci:layout -o {}"], "out.tar.gz", 2, "a bundle is not compressed"),
        # the words of other tools
        (STORE, "oci-archive:oci.tar", 0, ""),
        (STORE, "docker-archive:saved.tar", 0, ""),
        (["push {} --to oci:out"], "oci-archive:oci.tar", 0, ""),
        (["push {} --to oci:out"], "docker-archive:saved.tar", 0, ""),
        ([*FROM[:3], *STORE, *CARRIED[:3]], "docker-archive:saved.tar:acme/saved:1", 2, "--image acme/saved:1"),
        (STORE, "oci:layout:acme/app:1", 8, "--image acme/app:1"),
        ([*FROM[:3], *STORE, *CARRIED, *TO], "containers-storage:localhost/x", 2, "--from podman: IMAGE"),
        ([*FROM[:3], *STORE, *CARRIED, *TO], "docker-daemon:x:1", 2, "--from docker: IMAGE"),
        (FROM[:3], "docker:app", 2, "--from docker: app"),
        (FROM[:3], "podman:quay.io/acme/app:1", 2, "--from podman: quay.io/acme/app:1"),
        (TO[:2], "docker:", 2, "--to docker:HOST[/PREFIX]"),
        (TO[2:], "docker:", 2, "transload load BUNDLE --docker"),
        ([*FROM[:3], *STORE, *CARRIED, *TO], "dir:skopeo", 2, "skopeo copy dir:PATH oci:DIR:NAME"),
        (TO, "docker-archive:new.tar", 2, "cannot be a target"),
        ([*STORE, *TO], "https://registry.invalid/x", 2, "leave https:// out"),
        (FROM[:3], "https://registry.invalid/x:1", 5, "if this is an image, leave the scheme out"),
        (CARRIED[1:3], "oci.tar", 2, "push, verify and serve take this one"),
        (["inventory {} -o i.json"], "archive:oci.tar", 2, "name the registry or the folder"),
        (["inventory {} -o i.json"], "bundle:bun", 2, "pack --against bun"),
        # slips
        ([f"{line} --platform {{}}" for line in OPTIONS], "linux/amd46", 2, "did you mean linux/amd64?"),
        ([f"{line} --platform {{}}" for line in OPTIONS], "amd64/linux", 2, "did you mean linux/amd64?"),
        ([f"{line} --platform {{}}" for line in OPTIONS], "windows", 2, "write windows/amd64"),
        ([f"{line} --platform {{}}" for line in OPTIONS], "linux/amd64,linux/arm64", 2, "once for each"),
        (["push layout --to oci:out --platform {}"], "linux/amd46", 2, "did you mean linux/amd64?"),
        ([f"{line} --platform {{}}" for line in OPTIONS], "x86_64", 0, ""),
        (FROM[:3], "registry.invalid/Acme/app:1", 2, "repositories are lower case: acme/app"),
        (["mirror --from oci:layout --to {}"], "registry.invalid/Acme", 2, "repositories are lower case: acme"),
        (FROM[:3], "registry.invalid/acme/app:1/", 2, "leave the slash at the end out"),
        (FROM[:3], "ubuntu", 4, "an image is written with its tag, ubuntu:latest"),
        # options
        (["mirror {}", "plan {}", "pack {}", "push x {}", "verify {}"], "--dry-run", 2, "transload plan shows"),
        (["mirror {}", "pack {}", "push x {}"], "--dest-tls-verify=false", 2, "--insecure-tls HOST"),
        (["{}", "mirror {}", "push x {}"], "-v", 2, "-V shows the version"),
        (["mirror {}", "push x {}"], "--platfrom", 2, "--platform"),
        ([f"{line} --limit-rate {{}}" for line in OPTIONS], "fast", 2, "'fast' is not a rate; write a rate such as"),
        ([f"{line} --limit-rate {{}}" for line in OPTIONS], "20Mbit/s", 2, "'20Mbit/s' is not a rate"),
        ([f"{line} --limit-rate {{}}" for line in OPTIONS], "from=1MB/s", 2, "'from=1MB/s' is not a rate"),
        ([f"{line} --limit-rate {{}}" for line in OPTIONS], "source=10", 2, "at least 1KB/s is needed"),
        ([f"{line} --limit-rate 1MB/s --limit-rate {{}}" for line in OPTIONS], "2MB/s", 2, "is the second one"),
        ([f"{line} --max-connections {{}}" for line in OPTIONS], "0", 2, "--max-connections"),
        ([f"{line} --limit-rate {{}}" for line in OPTIONS], "target=20MB/s", 0, ""),
    ],
)
def test_a_mistake_ends_the_same_way_everywhere(
    run: Run, lines: list[str], mistake: str, code: int, words: str
) -> None:
    for line in lines:
        ran = run(line.format(mistake))
        assert (ran.code, words in ran.told) == (code, True), f"{line.format(mistake)}\n{ran.told}"
        assert "Traceback" not in ran.told


@pytest.mark.parametrize("text", ["registry.invalid/x:v1 .42", "registry.invalid/x: 1", "registry.invalid/x :1"])
def test_a_blank_in_a_reference(run: Run, capsys: pytest.CaptureFixture[str], text: str) -> None:
    for verb in (["mirror", text, "--to", "oci:out"], ["pack", text, "-o", "bun"]):
        assert main(verb) == 2
        assert f"leave the blank out: {''.join(text.split())}" in capsys.readouterr().err


def test_a_blank_in_a_tag(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mirror", "arcdata", "--tag", "v1 .42", "--to", "oci:out"]) == 2
    assert "leave the blank out: v1.42" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "here"),
    [
        *(("copy", "mirror"), ("sync", "mirror"), ("pull", "mirror"), ("save", "pack")),
        *(
            ("version", "--version"),
            ("inspect", "list"),
            ("mirorr", "mirror"),
            ("login", "docker"),
        ),
    ],
)
def test_the_commands_of_other_tools_are_told_what_they_are_here(run: Run, word: str, here: str) -> None:
    ran = run(f"{word} x")
    assert ran.code == 2
    assert f"there is no command {word!r}; " in ran.told
    assert here in ran.told.partition("; ")[2]


def test_no_help_speaks_of_the_work_of_another_command(run: Run) -> None:
    for verb in ("plan", "pack", "push", "verify", "list", "extract", "repair", "inventory", "releases", "serve"):
        options = run(f"{verb} --help").told.partition("Options:")[2].lower()
        assert "copy" not in options
        assert "where to:" not in options
        assert "where to;" not in options


@pytest.mark.parametrize(
    "line",
    [
        "mirror --from oci:absent --to oci:{}",
        "mirror unmarked.invalid/x:1 --to oci:{}",
        "plan --from oci:layout --to oci:{}",
        "push absent --to oci:{}",
        "push layout --image none --to oci:{}",
    ],
)
@pytest.mark.parametrize("folder", ["out", "deep/er", "made"])
def test_no_folder_is_left_into_which_nothing_came(run: Run, line: str, folder: str) -> None:
    Path("made").mkdir()
    before = sorted(Path().rglob("*"))
    run(line.format(folder))
    assert [path for path in sorted(Path().rglob("*")) if "state" not in path.parts] == before


def test_what_else_lies_there_is_left(run: Run) -> None:
    assert run("mirror --from oci:layout --to oci:out").code == 0
    before = sorted(Path("out").rglob("*"))
    assert run("mirror --from oci:layout --image none --to oci:out").code != 0
    assert sorted(Path("out").rglob("*")) == before


def test_what_the_source_lacks_is_explained_once_and_how_to_leave_it_out(run: Run) -> None:
    run("push layout --to oci:target")
    ran = run("verify --from oci:layout --to oci:target acme/b:1 acme/c:1")
    assert ran.code != 0
    assert ran.told.count("error: ") == ran.told.count("--allow-missing") == 1


def test_nothing_new_is_a_bundle_all_the_same(run: Run) -> None:
    run("pack --from oci:layout -o one")
    told = run("pack --from oci:layout --against one.tar -o two").told
    assert "nothing new: 1 unchanged" in told
    assert Path("two.tar").exists()


def test_help_is_a_command_too(run: Run) -> None:
    assert run("help").told == run("--help").told
    assert run("help mirror").told == run("mirror --help").told
    assert run("help mirror").code == 0
    assert run("help nothing").code == 2


def test_a_home_folder_after_a_colon_is_meant(run: Run, tmp_path: Path) -> None:
    assert run("mirror --from oci:~/layout --to oci:~/out").code == 0
    assert json.loads((tmp_path / "out" / "index.json").read_text())["manifests"]


@pytest.mark.parametrize(
    "line",
    [
        "plan --from oci:layout --to oci:there -o ",
        "inventory oci:layout -o ",
        "pack --from oci:layout -o ",
        "apply ",
        "mirror --from oci:layout --to oci:there --report ",
        "mirror --from oci:layout --to oci:there --ca-file ",
    ],
)
def test_a_file_without_a_name_is_told_as_such(run: Run, line: str) -> None:
    ran = run(line)  # which ends in an empty word
    assert (ran.code, "it is empty: write the name of a file" in ran.told) == (2, True), ran.told


@pytest.mark.parametrize("verb", ["plan", "mirror"])
def test_an_image_that_may_be_missing_does_not_count_for_the_exit_code(run: Run, verb: str) -> None:
    both = "acme/gone:1 acme/app:1 --from oci:layout --to oci:out --allow-missing --platform windows/amd64"
    ran = run(f"{verb} {both}")
    assert ran.code == 4, ran.told


@pytest.mark.parametrize("flag", ["--ca-file none.pem", "--plain-http http://x", "--report report.pdf"])
def test_programs_hear_of_a_flag_that_cannot_be_used(run: Run, flag: str) -> None:
    ran = run(f"mirror --from oci:layout --to oci:out --output json {flag}")
    events = [json.loads(line) for line in ran.told.splitlines() if line.startswith("{")]
    assert [event["event"] for event in events] == ["hello", "error"]
    assert events[-1]["problem"]["exit_code"] == ran.code
