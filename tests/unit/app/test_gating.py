"""`--gate`: a program of the site looks at each image before anything of it reaches the target."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import frozen

import transload
from transload.app.staging import staging
from transload.cli.main import main
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Name
from transload.server import Served, serve
from transload.testing.images import fill, image, multi_platform
from transload.testing.releases import fill_release, release

MADE = release(images=3, size=300_000)
NAMES = tuple(MADE.images)
FIRST = NAMES[0]


@frozen
class Site:
    """A registry with a release as SOURCE, an empty folder, and programs in it."""

    folder: Path
    source: Served
    capsys: pytest.CaptureFixture[str]

    def program(self, lines: str) -> str:
        """A program, as `--gate` is given it: `$1` is the image's folder, `$2` its name, `$3` its digest."""
        path = self.folder / "gate.sh"
        path.write_text(lines)
        return f"sh {path} {{image}} {{name}} {{digest}}"

    def run(self, line: str, *gates: str) -> tuple[int, str, str]:
        self.capsys.readouterr()
        words = line.replace("SOURCE", self.source.host_port).split()
        code = main([*words, *(word for gate in gates for word in ("--gate", gate))])
        return code, *self.capsys.readouterr()

    def result(self, line: str, *gates: str) -> tuple[int, dict[str, Any]]:
        code, out, _ = self.run(f"{line} --output json", *gates)
        return code, json.loads(out.splitlines()[-1])["result"]

    def left(self) -> list[str]:
        """What is left in the folder for staging."""
        staging = self.folder / "state" / "gates"
        return [path.name for path in staging.iterdir()] if staging.exists() else []


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Site]:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    store = MemoryStore()
    fill_release(store, MADE, "acme")
    with serve(store) as source:
        yield Site(tmp_path, source, capsys)


def held(folder: str) -> set[str]:
    """The images that a folder has under their names, whole."""
    if not Path(folder).exists():
        return set()
    store = LayoutStore(Path(folder))
    names = {name.repository.removeprefix("acme/") for name in store._index().names}
    for name in names:
        assert store.fetch(Name(f"acme/{name}", MADE.tag)).raw == MADE.images[name].manifest.raw
    return names


MIRROR = "mirror --from SOURCE --to oci:copy"


def test_each_image_is_shown_once_and_copied_if_the_gate_lets_it_pass(site: Site) -> None:
    gate = site.program('test -f "$1/index.json" && test -f "$1/oci-layout" && echo "$2 $3" >> seen')
    code, result = site.result(MIRROR, gate)
    assert code == 0
    assert held("copy") == set(NAMES)
    seen = sorted(Path("seen").read_text().splitlines())
    assert seen == sorted(f"acme/{name}:{MADE.tag} {MADE.images[name].digest}" for name in NAMES)
    assert [[said["passed"] for said in image["gates"]] for image in result["images"]] == [[True]] * 3
    assert site.left() == []


def test_a_refused_image_is_not_there_and_the_others_are(site: Site) -> None:
    gate = site.program(f'case "$2" in acme/{FIRST}:*) echo "CVE-1 is critical"; exit 3;; esac')
    code, out, _ = site.run(MIRROR, gate)
    assert code == 7
    assert held("copy") == set(NAMES) - {FIRST}
    assert "the gate sh does not let it pass: exit code 3: CVE-1 is critical" in " ".join(out.split())
    assert not LayoutStore(Path("copy")).exists("", MADE.images[FIRST].manifest.descriptor)


def test_all_refused_is_exit_code_7_and_nothing_arrives(site: Site) -> None:
    code, result = site.result(MIRROR, site.program("exit 1"))
    assert code == 7
    assert held("copy") == set()
    assert {image["problem"]["code"] for image in result["images"]} == {"gate-refused"}


def test_each_blob_and_manifest_is_read_once_from_the_source(site: Site) -> None:
    before = site.source.requests
    assert site.run("mirror --from SOURCE --to oci:plain")[0] == 0
    without = site.source.requests
    assert site.run(MIRROR, site.program("exit 0"))[0] == 0
    after = site.source.requests
    plain = {kind: number - before.by_kind.get(kind, 0) for kind, number in without.by_kind.items()}
    gated = {kind: number - without.by_kind.get(kind, 0) for kind, number in after.by_kind.items()}
    assert gated == plain


def test_what_is_unchanged_is_not_shown_again(site: Site) -> None:
    gate = site.program('echo "$2" >> seen')
    assert site.run(MIRROR, gate)[0] == 0
    Path("seen").unlink()
    assert site.run(MIRROR, gate)[0] == 0
    assert not Path("seen").exists()


def test_a_bundle_holds_what_passed(site: Site) -> None:
    gate = site.program(f'case "$2" in acme/{FIRST}:*) exit 1;; esac')
    code, result = site.result("pack --from SOURCE -o packed", gate)
    assert code == 7
    assert [image["status"] for image in result["images"]].count("failed") == 1
    assert site.run("push packed --to oci:pushed", site.program("exit 0"))[0] == 0
    assert held("pushed") == set(NAMES) - {FIRST}


def test_a_bundle_of_which_nothing_passed_is_not_written(site: Site) -> None:
    code, _, err = site.run("pack --from SOURCE -o packed", site.program("exit 1"))
    assert code == 7
    assert "does not let it pass" in err
    assert list(Path().glob("packed*")) == []


def test_the_gate_of_a_push_refuses_too(site: Site) -> None:
    assert site.run("pack --from SOURCE -o packed")[0] == 0
    gate = site.program(f'case "$2" in acme/{FIRST}:*) exit 1;; esac')
    assert site.run("push packed --to oci:pushed", gate)[0] == 7
    assert held("pushed") == set(NAMES) - {FIRST}
    assert site.left() == []


def test_a_gate_sees_whole_images_of_a_differential_bundle(site: Site) -> None:
    """What the bundle leaves out is at the target, and the program gets it from there."""
    assert site.run(f"mirror --from SOURCE --image acme/{FIRST} --to oci:far")[0] == 0
    assert site.run("inventory oci:far -o far.json")[0] == 0
    assert site.run("pack --from SOURCE -o packed --against far.json")[0] == 0
    whole = site.program('for blob in "$1"/blobs/sha256/*; do echo "$2 ${blob##*/}" >> seen; done')
    assert site.run("push packed --to oci:far", whole)[0] == 0
    seen = set(Path("seen").read_text().splitlines())
    for name in NAMES[1:]:
        made = MADE.images[name]
        wanted = {each.digest for each in made.walk()} | set(made.blobs)
        assert {f"acme/{name}:{MADE.tag} {digest.encoded}" for digest in wanted} <= seen
    assert held("far") == set(NAMES)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("kill -9 $$", "it was ended by signal 9"),
        ("exit 3", "exit code 3"),
        ("yes", "it was ended, since it wrote more than 16 MiB"),
        ("yes >&2", "it was ended, since it wrote more than 16 MiB"),
        ('for blob in "$1"/blobs/sha256/*; do chmod u+w $blob; echo x >> $blob; done', "it changed what it was given"),
    ],
)
def test_a_gate_that_ends_badly_lets_nothing_pass(site: Site, lines: str, said: str) -> None:
    code, result = site.result(f"{MIRROR} --image acme/{FIRST}", site.program(lines))
    assert code == 7
    assert said in result["images"][0]["gates"][0]["problem"]
    assert held("copy") == set()
    assert site.left() == []


def test_a_gate_that_hangs_is_ended_with_its_children(site: Site) -> None:
    code, result = site.result(f"{MIRROR} --image acme/{FIRST} --gate-timeout 1", site.program("sleep 600 & wait"))
    assert code == 7
    assert result["images"][0]["gates"][0]["problem"] == "it was ended after 1 s"


@pytest.mark.parametrize(
    "lines",
    [
        'rm -rf "$1"',
        'rm -rf "$1"/*; chmod 000 "$1"',
        'for blob in "$1"/blobs/sha256/*; do rm -f $blob; echo other > $blob; done',
        'rm -rf "$1"; ln -s / "$1"',
        'echo "a report" > "$1/report"; ln -s /etc "$1/blobs/etc"',
    ],
)
def test_what_a_gate_does_in_its_folder_reaches_no_target_and_no_other_gate(site: Site, lines: str) -> None:
    first = site.program(lines)
    second = Path("second.sh")
    second.write_text('cd "$1/blobs/sha256" && for blob in *; do echo "$blob  $blob"; done | sha256sum -c --quiet\n')
    assert site.run(MIRROR, first, f"sh {second} {{image}}")[0] == 0
    assert held("copy") == set(NAMES)
    assert site.run("verify oci:copy --deep")[0] == 0
    assert sorted(path.name for path in Path("copy").iterdir()) == [".transload", "blobs", "index.json", "oci-layout"]
    assert site.left() == []


def test_an_image_with_blobs_that_a_gate_damaged_for_another_is_fetched_whole(site: Site) -> None:
    """Images share layers: a program that damages those of one does not spoil the next."""
    gate = site.program(f'case "$2" in acme/{FIRST}:*) for b in "$1"/blobs/sha256/*; do echo x >> $b; done;; esac')
    assert site.run(MIRROR, gate)[0] == 7
    assert held("copy") == set(NAMES) - {FIRST}
    assert site.run("verify oci:copy --deep")[0] == 0


@pytest.mark.parametrize(
    ("gate", "code", "said"),
    [
        ("true", 2, "does not say where the folder of the image goes"),
        ("no-such-program {image}", 8, "there is no program 'no-such-program' that can be run"),
        ("./plain {image}", 8, "there is no program './plain' that can be run"),
        ("sh 'x {image}", 2, "cannot be split into words"),
        ("", 2, "it is empty"),
        ("sh {image} | tee", 2, "no shell reads it"),
    ],
)
def test_a_wrong_command_is_said_before_anything_is_asked(site: Site, gate: str, code: int, said: str) -> None:
    Path("plain").write_text("")
    before = site.source.requests
    ended, _, err = site.run(MIRROR, gate)
    assert (ended, said in " ".join(err.split())) == (code, True), err
    assert site.source.requests == before


@pytest.mark.parametrize("more", ["--max-bytes 1MB", "--between 00:00-24:00", "--through docker"])
def test_what_does_not_go_with_a_gate_is_said(site: Site, more: str) -> None:
    code, _, err = site.run(f"{MIRROR} {more}", "true {image}")
    assert code == 2
    assert "--gate does not go with" in err or "--through" in err


def test_what_gates_write_is_kept_in_files_that_say_what_it_is(site: Site) -> None:
    outputs = {
        "sarif.json": '{"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "runs": []}',
        "cdx.json": '{"bomFormat": "CycloneDX", "specVersion": "1.6"}',
        "json": '{"matches": []}',
        "txt": "clean",
    }
    for number, text in enumerate(outputs.values()):
        Path(f"{number}.out").write_text(text)
    gates = [f"cat {number}.out {{image}}/oci-layout" for number in range(len(outputs))]
    code, result = site.result(f"{MIRROR} --image acme/{FIRST} --gate-output kept/here", *gates)
    assert code == 0
    for said, suffix in zip(result["images"][0]["gates"], outputs, strict=True):
        file = Path(said["output"]["file"])
        assert file.name.endswith(f".{suffix}")
        raw = file.read_bytes()
        assert (said["output"]["bytes"], said["output"]["sha256"]) == (len(raw), hashlib.sha256(raw).hexdigest())


def test_what_a_program_writes_is_shown_without_control_characters(site: Site) -> None:
    code, out, err = site.run(f"{MIRROR} --image acme/{FIRST}", site.program(r"printf '\033[31mred\007\n'; exit 1"))
    assert code == 7
    assert "\033" not in out + err
    assert "\007" not in out + err


def test_what_a_program_writes_holds_no_control_characters_for_programs_either(site: Site) -> None:
    code, out, _ = site.run(f"{MIRROR} --image acme/{FIRST} --output json", site.program(r"printf '\033[31m\377\n'"))
    assert code == 0
    assert "\033" not in out
    assert "\\u001b" not in out


def test_a_gate_may_leave_its_input_and_its_folder_alone(site: Site) -> None:
    """It changes to another folder, and the words of the command still lead to the image."""
    assert site.run(MIRROR, site.program('exec 0<&-; cd / && test -f "$1/index.json"'))[0] == 0
    assert held("copy") == set(NAMES)


@pytest.mark.parametrize("closed", ["", " >/dev/null 2>&1"])
def test_what_a_gate_leaves_running_is_ended(site: Site, closed: str) -> None:
    """What holds its output open would keep the run waiting; what does not could look at a folder that is gone."""
    gate = site.program(f"sleep 600{closed} & echo $! > child; echo clean")
    began_s = time.monotonic()
    code, result = site.result(f"{MIRROR} --image acme/{FIRST}", gate)
    assert (code, result["images"][0]["gates"][0]["lines"]) == (0, ["clean"])
    assert time.monotonic() - began_s < 60
    child = Path(f"/proc/{Path('child').read_text().strip()}/stat")
    for _ in range(100):
        if not child.exists() or child.read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.1)
    else:
        pytest.fail("the child of the gate is still there")


def test_what_left_the_group_of_a_gate_keeps_nobody_waiting(site: Site) -> None:
    gate = site.program("setsid sleep 30 & echo clean")
    began_s = time.monotonic()
    code, result = site.result(f"{MIRROR} --image acme/{FIRST}", gate)
    assert (code, result["images"][0]["gates"][0]["lines"]) == (0, ["clean"])
    assert time.monotonic() - began_s < 25


def test_a_gate_that_is_gone_after_the_first_image_refuses_the_others(site: Site) -> None:
    path = site.folder / "once"
    path.write_text('#!/bin/sh\nrm "$0"\n')
    path.chmod(0o755)
    code, result = site.result(MIRROR, f"{path} {{image}}")
    assert code == 7
    problems = [image["gates"][0]["problem"] for image in result["images"]]
    assert problems == [None] + ["it could not be started: No such file or directory"] * 2


def test_a_gate_that_writes_a_gigabyte_is_ended(site: Site) -> None:
    gate = site.program("head -c 1073741824 /dev/zero; echo written > written")
    code, result = site.result(f"{MIRROR} --image acme/{FIRST}", gate)
    assert code == 7
    said = result["images"][0]["gates"][0]
    assert said["problem"] == "it was ended, since it wrote more than 16 MiB"
    assert said["output"]["bytes"] == 16 << 20
    assert not Path("written").exists()


def test_a_bomb_in_json_is_only_looked_at(site: Site) -> None:
    """Nobody parses it: it is text, of which the digest is told."""
    Path("bomb").write_text('{"$schema": "https://x/sarif-2.1.0.json", "runs": ' + "[" * 10_000_000)
    code, result = site.result(f"{MIRROR} --image acme/{FIRST}", "cat bomb {image}/oci-layout")
    assert code == 0
    assert result["images"][0]["gates"][0]["output"]["format"] == "sarif"


def test_programs_get_no_passwords(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLOAD_TARGET_PASSWORD", "hunter2")
    assert site.run(f"{MIRROR} --image acme/{FIRST}", site.program("env > seen"))[0] == 0
    assert "hunter2" not in Path("seen").read_text()


def test_too_little_room_is_said_before_anything_is_fetched(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(total=2000, free=1000))
    before = site.source.requests.by_kind.get(("GET", "blob"), 0)
    code, _, err = site.run(MIRROR, site.program("exit 0"))
    assert code == 8
    assert "fetching images for the gates: the folder needs" in " ".join(err.split())
    assert "TRANSLOAD_STATE_DIR" in err
    assert site.source.requests.by_kind.get(("GET", "blob"), 0) - before <= len(NAMES)  # configs, read by the plan
    assert site.left() == []


def test_a_stop_ends_the_program_and_leaves_nothing(site: Site) -> None:
    """The program itself asks for the stop, as Ctrl-C does, and then hangs."""
    gate = site.program(f"kill -INT {os.getpid()}; sleep 600")
    code, _, _ = site.run(MIRROR, gate)
    assert code == 130
    assert site.left() == []
    assert held("copy") == set()


def test_what_a_killed_run_left_is_removed_by_the_next(site: Site) -> None:
    left = site.folder / "state" / "gates" / "run-0123"
    left.mkdir(parents=True)
    (left / "blob").write_bytes(b"x")
    assert site.run(MIRROR, site.program("exit 0"))[0] == 0
    assert site.left() == []


def test_clean_removes_what_a_killed_run_left_and_says_how_much(site: Site) -> None:
    """The lock of the killed run is still there; nobody holds it."""
    left = site.folder / "state" / "gates" / "run-0123"
    (left / "pool").mkdir(parents=True)
    (left / "pool" / "blob").write_bytes(b"x" * 3000)
    (left / "pool" / "same").hardlink_to(left / "pool" / "blob")
    (left / "out").symlink_to("/etc")
    (site.folder / "state" / "gates" / "run-0123.lock").touch()
    assert "nothing to clean" in site.run("clean --older-than 1h")[1]
    code, out, _ = site.run("clean --older-than 0m --dry-run")
    assert code == 0
    assert "run-0123  (images for gates, of a run that was killed, 2.9 KiB" in out  # two names of a blob count once
    assert left.exists()
    assert "removed: 1 folder" in site.run("clean --older-than 0m")[1]
    assert site.left() == []
    assert Path("/etc").is_dir()


def test_a_run_that_was_killed_in_the_middle_is_cleaned_up_by_the_next(site: Site) -> None:
    """`kill -9` while a gate looks: the next run removes what lies there, and copies all."""
    words = [MIRROR.replace("SOURCE", site.source.host_port), "--plain-http", site.source.host_port, "--gate"]
    gate = site.program("echo $PPID > parent; sleep 20")
    command = [sys.executable, "-m", "transload", *" ".join(words).split(), gate]
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        if Path("parent").exists() and Path("parent").read_text().strip():
            break
        time.sleep(0.1)
    killed.kill()
    killed.wait()
    (abandoned,) = {name.removesuffix(".lock") for name in site.left()}
    assert (site.folder / "state" / "gates" / abandoned / "pool").is_dir()
    assert site.run(MIRROR, site.program("exit 0"))[0] == 0
    assert site.left() == []
    assert held("copy") == set(NAMES)


@pytest.mark.parametrize("made", ["link", "open"])
def test_without_a_state_folder_a_place_that_somebody_else_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    place = tmp_path / f"transload-{os.getuid()}"
    if made == "link":
        (tmp_path / "theirs").mkdir()
        place.symlink_to(tmp_path / "theirs")
    else:
        place.mkdir()
        place.chmod(0o777)
    with pytest.raises(transload.FolderUnsafe, match="images for gates do not lie there"), staging(None):
        pass
    assert list(tmp_path.rglob("run-*")) == []


def test_without_a_state_folder_images_lie_in_a_private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for _ in range(2):
        with staging(None) as place:
            assert place.folder.parent == tmp_path / f"transload-{os.getuid()}" / "gates"
            assert [path.stat().st_mode & 0o77 for path in (place.folder, place.folder.parent.parent)] == [0, 0]
    assert list(place.folder.parent.iterdir()) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_without_a_state_folder_a_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    place = tmp_path / f"transload-{os.getuid()}"
    place.mkdir(mode=0o700)
    os.chown(place, 12345, 12345)
    with pytest.raises(transload.FolderUnsafe), staging(None):
        pass


def test_two_runs_do_not_remove_each_others_folders(site: Site) -> None:
    with staging(site.folder / "state") as mine:
        assert site.run(MIRROR, site.program("exit 0"))[0] == 0
        assert mine.folder.is_dir()


def test_the_library_has_gates_too(site: Site) -> None:
    with pytest.raises(transload.GateRefused, match="does not let it pass: exit code 1"):
        transload.mirror(
            to="oci:library",
            origin=site.source.host_port,
            images=[f"acme/{FIRST}"],
            gates=[site.program("exit 1")],
            network=transload.Network(plain_http=(site.source.host_port,)),
        )
    with pytest.raises(transload.UsageError, match="gate_output and gate_timeout_s are for gates"):
        transload.mirror(to="oci:library", gate_output="x")


def test_a_transfer_record_says_which_programs_looked(site: Site) -> None:
    gate = site.program(f'case "$2" in acme/{FIRST}:*) exit 1;; esac; echo clean')
    assert site.run(f"{MIRROR} --record record.json", gate)[0] == 7
    checks = json.loads(Path("record.json").read_text())["predicate"]["checks"]
    said = {check["image"].rpartition("/")[2]: check for check in checks if check["name"] == "gate"}
    assert {check["by"] for check in said.values()} == {"sh"}
    assert said[f"{FIRST}:{MADE.tag}"]["result"] == "failed"
    written = hashlib.sha256(b"clean\n").hexdigest()
    assert said[f"{NAMES[1]}:{MADE.tag}"]["detail"] == f"exit code 0; output sha256:{written}"


def test_a_gate_in_the_file_of_settings(site: Site) -> None:
    Path("transload_config").write_text("mirror:\n  gate: ['sh -c \"exit 4\" {image}']\n")
    assert site.run(MIRROR)[0] == 7
    assert held("copy") == set()


def test_the_images_of_a_saved_plan_are_shown_too(site: Site) -> None:
    assert site.run("plan --from SOURCE --to oci:copy -o plan.json")[0] == 0
    gate = site.program(f'echo "$3" >> seen; case "$2" in acme/{FIRST}:*) exit 1;; esac')
    code, result = site.result("apply plan.json", gate)
    assert code == 7
    assert held("copy") == set(NAMES) - {FIRST}
    assert result["attestations"]["attached"] == len(NAMES) - 1
    assert set(Path("seen").read_text().split()) == {str(made.digest) for made in MADE.images.values()}
    assert site.run("plan --from SOURCE --to oci:copy -o plan.json")[0] == 0
    assert site.run("apply plan.json", site.program("exit 0"))[0] == 0
    assert held("copy") == set(NAMES)


@pytest.mark.parametrize("narrowing", ["", " --narrow sparse"])
def test_a_gate_is_shown_an_image_as_a_saved_plan_narrows_it(site: Site, narrowing: str) -> None:
    """The digest of a narrowed index is not known to its publisher."""
    store = LayoutStore(Path("many"), create=True)
    made = multi_platform("many", layers=(3000,))
    fill(store, made, "acme/many", "1")
    words = f"plan --from oci:many --to oci:copy --platform linux/amd64{narrowing} -o plan.json"
    assert site.run(words)[0] == 0
    whole = site.program('cd "$1/blobs/sha256" && for b in *; do echo "$b  $b"; done | sha256sum -c --quiet && ls')
    code, result = site.result("apply plan.json --gate-output kept", whole)
    assert code == 0
    blobs = Path(result["images"][0]["gates"][0]["output"]["file"]).read_text().split()
    assert len(blobs) == 4  # the index, one manifest, its config and its layer
    assert site.run("verify oci:copy --deep")[0] == 0


def test_an_image_that_would_come_beside_another_one_is_not_let_past_the_gates(site: Site) -> None:
    """A registry can list any image as a referrer; gates see the images that are wanted, not what comes with them."""
    store, app = MemoryStore(), image("app")
    fill(store, app, "acme/app", "v1")
    fill(store, image("hidden", subject=app.descriptor), "acme/app")
    with serve(store) as source:
        words = f"mirror {source.host_port}/acme/app:v1 --to oci:beside"
        gate = site.program("exit 0")
        code, _, err = site.run(words, gate)
        assert code == 7
        assert "is an image too, and gates do not see what comes with another one" in " ".join(err.split())
        assert site.run(f"{words} --no-referrers", gate)[0] == 0
