"""`apply --share` and `--finish`: each share brings its blobs, the finish points tags only when all are there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from transload.cli.main import main
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Digest, Name
from transload.planning.planfile import load_plan
from transload.planning.shares import ShareNumber, share_of
from transload.ports import KnowsSizes
from transload.server import ServeSettings, serve
from transload.testing.faults import FaultyStore, fails
from transload.testing.images import fill
from transload.testing.releases import release

MADE = release("cli-shares", 4, 100_000, 1)
NAMES = [Name.parse(f"app/{name}:{MADE.tag}") for name in MADE.images]


class Sized(FaultyStore):
    """It knows the sizes of blobs that no manifest names yet, as registries do. So a server asks if a blob exists."""

    @property
    def sizes(self) -> KnowsSizes:
        return self

    def size(self, repository: str, digest: Digest) -> int:
        """See `KnowsSizes`."""
        fault = self.struck("exists", digest)
        if fault is not None and fault.error is not None:
            raise fault.error()
        assert isinstance(self.store, MemoryStore)
        return self.store.size(repository, digest)


@frozen
class Site:
    """A folder with a release, a plan of it for a served store, and that store."""

    target: MemoryStore
    host: str
    faulty: FaultyStore
    capture: pytest.CaptureFixture[str]

    def run(self, *words: str) -> tuple[int, str, str]:
        """Exit code, output and errors of a command."""
        self.capture.readouterr()
        code = main([*words])
        told = self.capture.readouterr()
        return code, told.out, told.err

    def json(self, *words: str) -> dict[str, Any]:
        """The last event."""
        last: dict[str, Any] = json.loads(self.run(*words, "--output", "json")[1].splitlines()[-1])
        return last

    def pointed(self) -> set[str]:
        """The names at the target that have a tag."""
        repositories = list(self.target.repositories())
        return {f"{repository}:{tag}" for repository in repositories for tag in self.target.tags(repository)}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Site]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JOB_COMPLETION_INDEX", raising=False)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    source = LayoutStore(tmp_path / "source", create=True)
    for image, built in zip(NAMES, MADE.images.values(), strict=True):
        fill(source, built, image.repository, image.tag)
    store = MemoryStore()
    faulty = Sized(store)
    with serve(faulty, ServeSettings(writable=True, spool_folder=tmp_path)) as served:
        assert main(["plan", "--from", "oci:source", "--to", f"{served.host_port}/site", "-o", "plan.json"]) == 0
        yield Site(store, served.host_port, faulty, capsys)


def test_shares_bring_everything_and_the_finish_points_it(site: Site) -> None:
    for number in (1, 2, 3):
        code, out, err = site.run("apply", "plan.json", "--share", f"{number}/3")
        assert code == 0, err
        assert f"share {number}/3 done: " in out
        assert "in part" in out
        assert "complete" not in out
        assert not site.pointed()
    code, out, _ = site.run("apply", "plan.json", "--finish", "--of", "3")
    assert (code, out.splitlines()[0].startswith("done: 4 copied")) == (0, True)
    assert site.pointed() == {f"site/{name}" for name in map(str, NAMES)}
    assert site.run("verify", "oci:source", "--to", f"{site.host}/site")[0] == 0
    assert site.run("apply", "plan.json", "--finish", "--of", "3")[0] == 0  # again


def test_a_share_that_is_done_again_copies_nothing(site: Site) -> None:
    first = site.json("apply", "plan.json", "--share", "2/3")["result"]
    assert first["totals"]["copied"]["blobs"] > 0
    again = site.json("apply", "plan.json", "--share", "2/3")["result"]
    assert again["totals"]["copied"] == {"blobs": 0, "bytes": 0}
    assert again["exit_code"] == 0


def test_the_finish_names_the_shares_that_are_not_done_and_points_nothing(site: Site) -> None:
    assert site.run("apply", "plan.json", "--share", "1/3")[0] == 0
    code, _, err = site.run("apply", "plan.json", "--finish", "--of", "3")
    assert code == 9
    assert "share 1/3" not in err
    for number in (2, 3):
        assert f"share {number}/3 is not done: " in err
        assert f"to do it: transload apply plan.json --share {number}/3\n" in err
    assert "2 of 3 shares are not done" in err
    assert not site.pointed()


def test_without_the_number_of_shares_the_finish_names_blobs(site: Site) -> None:
    event = site.json("apply", "plan.json", "--finish")
    assert (event["event"], event["problem"]["code"], event["problem"]["exit_code"]) == ("error", "shares-missing", 9)
    blobs = list(load_plan(Path("plan.json").read_bytes()).blob_steps())
    biggest = max(blobs, key=lambda step: step.descriptor.size)
    assert biggest.descriptor.digest.short in event["problem"]["message"]


@pytest.mark.parametrize("error", ["unreachable", "access"])
def test_what_could_not_be_asked_is_not_missing(site: Site, error: str) -> None:
    from transload.errors import AccessDenied, ServerTrouble

    for number in (1, 2):
        assert site.run("apply", "plan.json", "--share", f"{number}/2")[0] == 0
    raised = (lambda: AccessDenied("no")) if error == "access" else (lambda: ServerTrouble("gone"))
    site.faulty.script([fails("exists", raised, skip=3, times=10_000)])
    code, _, err = site.run("apply", "plan.json", "--finish", "--of", "2", "--give-up-after", "1")
    assert code == (3 if error == "access" else 5)
    assert "not done" not in err
    assert not site.pointed()


def test_a_finish_asks_for_each_blob_once(site: Site) -> None:
    for number in (1, 2):
        assert site.run("apply", "plan.json", "--share", f"{number}/2")[0] == 0
    site.faulty.subjects.clear()
    assert site.run("apply", "plan.json", "--finish", "--of", "2")[0] == 0
    plan = load_plan(Path("plan.json").read_bytes())
    asked = [operation for operation, _ in site.faulty.subjects]
    assert asked.count("exists") == len(list(plan.blob_steps()))
    assert "begin" not in asked


def test_more_shares_than_blobs_do_nothing_and_succeed(site: Site) -> None:
    code, out, _ = site.run("apply", "plan.json", "--share", "999/1000")
    assert (code, out) == (0, "share 999/1000 done\n")


def test_a_pod_takes_its_number_from_its_index(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "1")
    result = site.json("apply", "plan.json", "--share", "/3")["result"]
    assert result["share"] == {"number": 2, "of": 3}
    assert result["asked"] == "transload apply plan.json --share 2/3"
    share = share_of(load_plan(Path("plan.json").read_bytes()), ShareNumber(2, 3))
    assert result["totals"]["copied"] == {"blobs": share.copied.blobs, "bytes": share.copied.bytes}
    assert {image["status"] for image in result["images"]} == {"in-part"}
    assert result["totals"]["images"]["in-part"] == len(share.images)


@pytest.mark.parametrize(
    ("words", "index", "told"),
    [
        ("--share 0/8", None, "there is no share 0 of 8"),
        ("--share 9/8", None, "there is no share 9 of 8"),
        ("--share 1/0", None, "1 to 10,000 shares, not 0"),
        ("--share /0", "0", "the last of 0 shares"),
        ("--share 1/99999", None, "1 to 10,000 shares, not 99,999"),
        ("--share 1/9999999999", None, "does not say which share"),
        ("--share a/b", None, "'a/b' does not say which share of how many"),
        ("--share 3", None, "does not say which share"),
        ("--share -1/8", None, "does not say which share"),
        ("--share 1/8/2", None, "does not say which share"),
        ("--share ١/8", None, "does not say which share"),
        ("--share /8", None, "JOB_COMPLETION_INDEX, which is not set"),
        ("--share /8", "", "JOB_COMPLETION_INDEX, which is not set"),
        ("--share /8", "x\x1b[2J", "JOB_COMPLETION_INDEX is 'x\\x1b[2J', which is no number"),
        ("--share /8", "8", "JOB_COMPLETION_INDEX is 8, and the last of 8 shares has the index 7"),
        ("--share 1/8 --finish", None, "--share and --finish are two runs"),
        ("--share 1/8 --of 8", None, "--of without --finish has no effect"),
        ("--share 1/8 --dask tcp://127.0.0.1:1", None, "--dask and --share are two ways"),
        ("--finish --dask tcp://127.0.0.1:1", None, "--dask and --finish are two ways"),
        ("--of 8", None, "--of without --finish has no effect"),
        ("--finish --of 0", None, "--of"),
        ("--share 1/8 --record r.json", None, "--record is about images"),
        ("--share 1/8 --record-at-target", None, "--record-at-target is about images"),
        ("--share 1/8 --gate true", None, "--gate is about images"),
        ("--share 1/8 --policy p.yaml", None, "--policy is about images"),
    ],
)
def test_wrong_input_is_one_sentence(
    site: Site, monkeypatch: pytest.MonkeyPatch, words: str, index: str | None, told: str
) -> None:
    if index is not None:
        monkeypatch.setenv("JOB_COMPLETION_INDEX", index)
    code, _, err = site.run("apply", "plan.json", *words.split())
    assert code == 2
    assert told in err
    assert "\x1b" not in err
    assert len([line for line in err.splitlines() if line.startswith("error:")]) <= 1
    assert not list(site.target.repositories())


def test_what_a_site_sets_for_all_runs_is_left_to_the_finish(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLOAD_RECORD", "record.json")
    assert site.run("apply", "plan.json", "--share", "1/1")[0] == 0
    assert not Path("record.json").exists()
    assert site.run("apply", "plan.json", "--finish", "--of", "1")[0] == 0
    subjects = json.loads(Path("record.json").read_text())
    assert all(name.repository in json.dumps(subjects) for name in NAMES)


def test_a_finish_leaves_out_what_a_gate_refuses(site: Site) -> None:
    assert site.run("apply", "plan.json", "--share", "1/1")[0] == 0
    code, _, _ = site.run("apply", "plan.json", "--finish", "--gate", "false {image}", "--no-gate-attestations")
    assert code == 7
    assert not site.pointed()


def test_a_plan_with_nothing_to_do_has_shares_that_do_nothing(site: Site) -> None:
    assert site.run("apply", "plan.json")[0] == 0
    assert site.run("plan", "--from", "oci:source", "--to", f"{site.host}/site", "-o", "again.json")[0] == 0
    code, out, _ = site.run("apply", "again.json", "--share", "1/2")
    assert (code, out) == (0, "share 1/2 done\n")
    code, out, _ = site.run("apply", "again.json", "--finish", "--of", "2")
    assert (code, out.startswith("nothing to do: 4 unchanged")) == (0, True)


def test_an_image_that_the_source_lacks_is_told_by_the_finish(site: Site) -> None:
    words = ("plan", *map(str, NAMES), "app/none:1", "--from", "oci:source", "--to", f"{site.host}/site")
    assert site.run(*words, "-o", "lacks.json")[0] == 1
    assert site.run("apply", "lacks.json", "--share", "1/1")[0] == 0
    code, out, _ = site.run("apply", "lacks.json", "--finish", "--of", "1")
    assert (code, "1 of 5 images failed" in out) == (1, True)
    assert site.pointed() == {f"site/{name}" for name in map(str, NAMES)}


def test_reports_of_a_share_say_that_it_is_one(site: Site) -> None:
    words = ("--report", "r.md", "--report", "r.html", "--report", "r.json", "--metrics-file", "m.prom")
    assert site.run("apply", "plan.json", "--share", "1/3", *words)[0] == 0
    assert Path("r.md").read_text().startswith("# transload: share 1/3 done\n")
    page = Path("r.html").read_text()
    assert "Share 1 of 3 is done: its blobs are at" in page
    assert ">share done<" in page
    assert ">complete<" not in page
    assert 'status="in-part"' in Path("m.prom").read_text()
    code, out, _ = site.run("report", "r.json")
    assert (code, "share 1/3 done" in out) == (0, True)


def test_a_share_that_failed_says_so_and_how_to_go_on(site: Site) -> None:
    from transload.errors import StorageFull

    site.faulty.script([fails("begin", lambda: StorageFull("full"), times=10_000)])
    code, out, _ = site.run("apply", "plan.json", "--share", "1/2", "--give-up-after", "1", "--report", "r.html")
    assert code != 0
    assert "failed" in out
    assert "transload apply plan.json --share 1/2" in out
    page = Path("r.html").read_text()
    assert "Share 1 of 2 ended early" in page or "Share 1 of 2 is not done: it could not bring what" in page
    assert "apply plan.json --share 1/2" in site.run("status")[1]
