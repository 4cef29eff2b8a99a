"""Damage and repair as programs and people meet them: `verify`, `push`, `list`, `repair`, library and command line."""

import contextlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

import transload
from tests import forked
from tests.unit.verbs.recoverable import NOTHING, pack_recoverable

MIB = 1 << 20


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source, and a bundle of it; it is copied for each test."""
    folder = tmp_path_factory.mktemp("packed")
    with contextlib.chdir(folder):
        pack_recoverable()
    return folder


@pytest.fixture
def bundle(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle of three volumes of some 2 MiB with two recovery volumes, in the current folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(packed, tmp_path, dirs_exist_ok=True)
    return tmp_path / "b"


def run(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = forked.run(*words)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def spoil(name: str, offset: int) -> None:
    with Path(name).open("r+b") as file:
        file.seek(offset)
        file.write(b"spoilt")


def contents() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}


def test_verify_says_where_the_damage_is_and_that_it_can_be_repaired(bundle: Path) -> None:
    spoil("b.002.tar", MIB + 5)
    Path("b.r01.tar").unlink()
    verified = transload.verify(f"bundle:{bundle}", environment=NOTHING)
    assert (verified.good, verified.repairable) == (False, True)
    ((begin, end),) = verified.damage[0].stretches
    assert (verified.damage[0].subject, begin, end) == ("b.002.tar", MIB, Path("b.002.tar").stat().st_size)
    told = run("verify", "b", code=1).stderr
    assert f"b.002.tar is damaged: 1 block of 1.0 MiB, bytes {MIB} to " in told
    assert "recovery volume b.r01.tar is missing" in told
    assert "transload repair b" in told
    (line,) = (
        document
        for document in map(json.loads, run("verify", "b", "--output", "json", code=1).stdout.splitlines())
        if document["event"] == "verification"
    )
    assert line["repairable"] is True
    assert [(part["file"], part["code"]) for part in line["damage"]] == [
        ("b.002.tar", "volume-damaged"),
        ("b.r01.tar", "volume-missing"),
    ]


def test_push_reads_through_damage_and_says_so_once(bundle: Path) -> None:
    spoil("b.002.tar", 5)
    Path("b.001.tar").unlink()
    told = run("push", "b", "--to", "oci:target").stderr
    assert told.count("b.001.tar is") == 1
    assert told.count("b.002.tar is") == 1
    assert transload.verify("oci:target", deep=True, environment=NOTHING).good
    run("mirror", "--from", "bundle:b", "--to", "oci:mirrored")
    assert transload.verify("oci:mirrored", deep=True, environment=NOTHING).good


def test_list_names_recovery_volumes_and_what_is_missing(bundle: Path) -> None:
    assert "recovery: b.r01.tar, b.r02.tar: from them, any 2 volumes can be made again" in run("list", "b").stdout
    Path("b.003.tar").unlink()
    listed = run("list", "b").stdout
    assert "b.003.tar, is missing" in listed
    (line,) = (
        document
        for document in map(json.loads, run("list", "b", "--output", "json").stdout.splitlines())
        if document["event"] == "bundle"
    )
    assert line["recovery_files"] == ["b.r01.tar", "b.r02.tar"]
    assert line["missing_files"] == ["b.003.tar"]


def test_repair_says_what_it_did(bundle: Path) -> None:
    whole = contents()
    spoil("b.002.tar", 5)
    Path("b.001.tar").unlink()
    done = run("repair", "b")
    assert done.stdout.splitlines() == [
        "b.001.tar  made again",
        "b.002.tar  1 block made again",
        "repaired: 2 files, and every byte is right",
    ]
    assert {**contents(), "SHA256SUMS": b""} == {**whole, "SHA256SUMS": b""}
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], capture_output=True, text=True)
    assert checked.returncode == 0
    assert run("repair", "b").stdout == "nothing to repair: every byte is right\n"
    assert transload.repair("b", environment=NOTHING) == transload.Repaired(())


def test_repair_into_another_folder(bundle: Path) -> None:
    Path("b.001.tar").rename("gone")
    before = contents()
    Path("there").mkdir()
    done = run("repair", "b", "--into", "there", "--output", "json")
    document = json.loads(done.stdout.splitlines()[-1])
    assert document["files"] == [{"file": "there/b.001.tar", "how": "made", "blocks": 2}]
    assert contents() == before
    assert Path("there/b.001.tar").read_bytes() == Path("gone").read_bytes()
    assert transload.verify("bundle:b", volumes="there", environment=NOTHING).good


def test_the_target_in_the_configuration_file_is_not_where_repaired_files_go(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("config.yaml").write_text("to: registry.local/arcdata\n")
    monkeypatch.setenv("TRANSLOAD_CONFIG", "config.yaml")
    assert run("repair", "b").stdout == "nothing to repair: every byte is right\n"


def test_too_much_is_refused_with_the_reason(bundle: Path) -> None:
    for name in ("b.001.tar", "b.002.tar", "b.r01.tar"):
        Path(name).unlink()
    before = contents()
    told = run("verify", "b", code=6)
    assert "transload repair" not in told.stderr
    run("repair", "b", code=6)
    assert contents() == before


def test_beyond_repair_names_the_files(bundle: Path) -> None:
    spoil("b.001.tar", MIB + 5000)
    spoil("b.002.tar", MIB + 700_000)
    Path("b.r01.tar").unlink()
    with pytest.raises(transload.BeyondRepair, match=r"b\.001\.tar, b\.002\.tar"):
        transload.repair("b", environment=NOTHING)
    verified = transload.verify("bundle:b", environment=NOTHING)
    assert verified.repairable is False


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["oci:source"], 2, "only bundles have recovery volumes"),
        (["absent"], 8, "there is no bundle"),
        (["b", "--into", "absent/deep"], 8, "absent"),
        (["b", "--into", "SHA256SUMS"], 2, "is a file"),
        (["plain"], 4, "has no recovery volumes"),
    ],
)
def test_wrong_inputs(bundle: Path, words: list[str], code: int, sentence: str) -> None:
    transload.pack((), "plain", origin="oci:source", images=["a/one:1"], environment=NOTHING)
    assert sentence in run("repair", *words, code=code).stderr.replace("\n", " ").replace("  ", " ")


def test_a_signed_bundle_is_opened_and_repaired_only_with_its_own_key(bundle: Path) -> None:
    pytest.importorskip("cryptography")
    from tests.real.airgap import write_key

    write_key(Path("site.key"))
    write_key(Path("other.key"))
    transload.pack((), "s", origin="oci:source", volume_count=3, recovery=1, sign_key="site.key", environment=NOTHING)
    Path("s.001.tar").unlink()
    with pytest.raises(transload.BundleForeignSignature):
        transload.repair("s", key="other.key.pub", environment=NOTHING)
    repaired = transload.repair("s", key="site.key.pub", environment=NOTHING)
    assert [file.path.name for file in repaired.files] == ["s.001.tar"]
    assert transload.verify("bundle:s", key="site.key.pub", environment=NOTHING).good


def test_recovery_volumes_from_before_another_signature_do_not_bring_the_old_one_back(bundle: Path) -> None:
    pytest.importorskip("cryptography")
    from tests.real.airgap import write_key

    for name in ("old.key", "new.key"):
        write_key(Path(name))
    for key, recovery in (("old.key", 1), ("new.key", 0)):
        for path in Path().glob("s.0*.tar"):
            path.unlink()
        transload.pack(
            (), "s", origin="oci:source", volume_count=3, recovery=recovery, sign_key=key, environment=NOTHING
        )
    assert transload.verify("bundle:s", key="new.key.pub", environment=NOTHING).good
    with pytest.raises(transload.NotFound):
        transload.repair("s", key="new.key.pub", environment=NOTHING)
    assert transload.verify("bundle:s", key="new.key.pub", environment=NOTHING).good


def test_one_recovery_volume_of_two_is_told_as_missing(bundle: Path) -> None:
    Path("b.r01.tar").unlink()
    assert "recovery volume b.r01.tar is missing" in run("verify", "b", code=6).stderr


def test_recovery_volumes_that_were_made_and_are_not_there_are_told(bundle: Path) -> None:
    Path("aside").mkdir()
    for name in ("b.r01.tar", "b.r02.tar"):
        Path(name).rename(Path("aside") / name)
    told = run("verify", "b")
    assert "all proved" in told.stdout
    assert "note: no recovery volume is here, though b.r01.tar, b.r02.tar were made" in told.stderr
    (note,) = transload.verify("bundle:b", environment=NOTHING).notes
    assert "pack --recovery makes them again" in note
    assert not transload.verify("bundle:b", volumes="aside", environment=NOTHING).notes
    Path("b.r01.tar").write_bytes(bytes(5000))
    (note,) = transload.verify("bundle:b", environment=NOTHING).notes
    assert note == "b.r01.tar cannot repair this bundle: of another one, or damaged as a whole"


@pytest.mark.parametrize("content", [None, b"", b"\xff\x00garbage", b"0123  b.001.tar\n"])
def test_repair_writes_the_list_of_sums_again(bundle: Path, content: bytes | None) -> None:
    whole = contents()
    Path("SHA256SUMS").unlink() if content is None else Path("SHA256SUMS").write_bytes(content)
    done = run("repair", "b")
    assert done.stdout.splitlines() == [
        "SHA256SUMS  lines for 5 files written again",
        "repaired: SHA256SUMS; every byte of the bundle was right",
    ]
    lines = Path("SHA256SUMS").read_bytes().splitlines()
    assert sorted(whole["SHA256SUMS"].splitlines()) == sorted(line for line in lines if b"garbage" not in line)[-5:]
    assert {**contents(), "SHA256SUMS": b""} == {**whole, "SHA256SUMS": b""}
    assert run("repair", "b").stdout == "nothing to repair: every byte is right\n"


def test_repair_of_files_and_of_the_list_of_sums(bundle: Path) -> None:
    Path("SHA256SUMS").unlink()
    Path("b.001.tar").unlink()
    done = run("repair", "b", "--output", "json")
    document = json.loads(done.stdout.splitlines()[-1])
    assert [file["file"] for file in document["files"]] == ["b.001.tar"]
    assert [Path(file).name for file in document["listed"]] == ["b.002.tar", "b.003.tar", "b.r01.tar", "b.r02.tar"]
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], capture_output=True, text=True)
    assert checked.returncode == 0
    assert len(checked.stdout.splitlines()) == 5


def test_the_folder_for_repaired_files_is_made(bundle: Path) -> None:
    Path("b.001.tar").unlink()
    run("repair", "b", "--into", "new")
    assert [path.name for path in sorted(Path("new").glob("*.tar"))] == ["b.001.tar"]


def folded(text: str) -> str:
    return " ".join(text.split())


def test_more_lost_than_can_be_repaired_is_told_once_for_each_file(bundle: Path) -> None:
    for name in ("b.002.tar", "b.003.tar", "b.r01.tar"):
        Path(name).unlink()
    done = run("verify", "b", code=6)
    assert [done.stderr.count(f"{name} is missing") for name in ("b.002.tar", "b.003.tar", "b.r01.tar")] == [1, 1, 1]
    assert "put it beside the others" not in done.stderr
    assert "more is lost than the recovery volumes can replace" in done.stderr
    listed = folded(run("list", "b").stdout)
    assert "recovery: b.r02.tar: from it, any 1 volume can be made again (b.r01.tar missing or incomplete)" in listed


def test_a_recovery_volume_that_is_too_short_does_not_count_in_the_list(bundle: Path) -> None:
    with Path("b.r02.tar").open("r+b") as file:
        file.truncate(3000)
    assert "any 1 volume can be made again (b.r02.tar missing or incomplete)" in folded(run("list", "b").stdout)
    (line,) = (
        document
        for document in map(json.loads, run("list", "b", "--output", "json").stdout.splitlines())
        if document["event"] == "bundle"
    )
    assert line["missing_recovery_files"] == ["b.r02.tar"]


@pytest.mark.parametrize("command", ["verify", "list", "repair"])
def test_the_first_volume_and_more_is_lost(bundle: Path, command: str) -> None:
    for name in ("b.001.tar", "b.003.tar", "b.r01.tar"):
        Path(name).unlink()
    assert "missing are b.001.tar, b.003.tar, b.r01.tar" in folded(run(command, "b", code=6).stderr)


@pytest.mark.parametrize("named_as", ["b", "."])
@pytest.mark.parametrize("command", ["verify", "list", "repair"])
def test_only_recovery_volumes_are_left(bundle: Path, command: str, named_as: str) -> None:
    for path in Path().glob("b.0*.tar"):
        path.unlink()
    told = folded(run(command, named_as, code=6).stderr)
    assert "no volume of b is here, only recovery volumes: b.r01.tar, b.r02.tar" in told


def test_recovery_volumes_are_not_made_of_a_damaged_bundle(bundle: Path) -> None:
    spoil("b.002.tar", MIB + 5)
    for name in ("b.r01.tar", "b.r02.tar"):
        Path(name).unlink()
    before = contents()
    words = ("pack", "--from", "oci:source", "--out", "b", "--volume-count", "3", "--recovery")
    told = folded(run(*words, "2", code=6).stderr)
    assert "the bundle is damaged, in b.002.tar" in told
    assert "delete the files of b, and run the same command again" in told
    assert contents() == before


def test_where_recovery_volumes_are_left_pack_says_to_repair(bundle: Path) -> None:
    spoil("b.002.tar", MIB + 5)
    Path("b.r02.tar").unlink()
    words = ("pack", "--from", "oci:source", "--out", "b", "--volume-count", "3", "--recovery", "2")
    told = folded(run(*words, code=6).stderr)
    assert "in b.002.tar" in told
    assert "transload repair b mends it" in told
    run("repair", "b")
    assert run("repair", "b").stdout == "nothing to repair: every byte is right\n"
