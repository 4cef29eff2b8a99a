"""`mirror --if-new`: a line for cron when there is nothing new, one run at a time, and never a success unasked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import frozen

from transload.catalog.builtin import load_builtin
from transload.cli.main import main
from transload.memory import MemoryStore
from transload.oci import Name
from transload.server import Served, ServeSettings, serve
from transload.testing.faults import FaultyStore, waits
from transload.testing.images import fill, image

CATALOG = load_builtin("arcdata")
OLD, NEW = "v1.45.0_2026-04-14", "v1.46.0_2026-05-12"
IMAGES = len(CATALOG.releases_in(NEW)[0].images)


@frozen
class Site:
    """A vendor's registry and the site's, and a command line in which SOURCE and TARGET are them."""

    vendor: MemoryStore
    source: Served
    target: Served
    words: Callable[[str], list[str]]
    run: Callable[[str], tuple[int, str, str]]


def publish(store: MemoryStore, tag: str) -> None:
    for name in CATALOG.releases_in(tag)[0].images:
        fill(store, image(f"{name} {tag}", layers=(2000,)), f"{CATALOG.repository}/{name}", tag)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Site]:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    vendor = MemoryStore()
    publish(vendor, OLD)
    with serve(vendor) as source, serve(MemoryStore(), ServeSettings(writable=True)) as target:

        def words(line: str) -> list[str]:
            line = line.replace("ARCDATA", "arcdata --source-registry SOURCE --to TARGET/site --if-new")
            return line.replace("SOURCE", source.host_port).replace("TARGET", target.host_port).split()

        def run(line: str) -> tuple[int, str, str]:
            capsys.readouterr()
            code = main(words(line))
            return code, *capsys.readouterr()

        yield Site(vendor=vendor, source=source, target=target, words=words, run=run)


def test_a_new_release_is_copied_and_then_nothing_is_new(site: Site) -> None:
    code, out, _ = site.run("mirror ARCDATA")
    assert (code, out.splitlines()[0][:5]) == (0, "done:")
    assert site.run("mirror ARCDATA") == (
        0,
        f"nothing new: {OLD} of arcdata is complete at {site.target.host_port}/site\n",
        "",
    )
    publish(site.vendor, NEW)
    code, out, _ = site.run("mirror ARCDATA")
    assert (code, out.splitlines()[0].partition(",")[0]) == (0, f"done: {IMAGES} copied")
    assert site.run("mirror ARCDATA --quiet") == (0, "", "")


def test_what_it_costs_when_nothing_is_new(site: Site) -> None:
    """At the source a request for the releases and one for each name; at the target one for each name."""
    site.run("mirror ARCDATA")
    before = site.source.requests.total, site.target.requests.total
    site.run("mirror ARCDATA")
    asked = site.source.requests.total - before[0], site.target.requests.total - before[1]
    names = IMAGES + 1  # the chart beside the images is asked for, too
    assert asked == (1 + names, names)


def test_a_moved_tag_is_new(site: Site) -> None:
    site.run("mirror ARCDATA")
    again = image("again", layers=(2000,))
    fill(site.vendor, again, f"{CATALOG.repository}/{CATALOG.releases_in(OLD)[0].images[0]}", OLD)
    code, out, _ = site.run("mirror ARCDATA")
    assert code == 0
    assert out.startswith(f"done: 1 updated, {IMAGES - 1} unchanged")


def test_several_releases_and_other_images(site: Site) -> None:
    publish(site.vendor, NEW)
    fill(site.vendor, image("one"), "app/one", "1")
    where = f"{site.target.host_port}/site"
    line = "mirror ARCDATA --releases 1.45..1.46"
    site.run(line)
    assert site.run(line)[1] == f"nothing new: 2 releases ({OLD} to {NEW}) of arcdata are complete at {where}\n"
    line = "mirror app/one:1 --from SOURCE --to TARGET/site --if-new"
    site.run(line)
    assert site.run(line)[1] == f"nothing new: 1 image is complete at {where}\n"


def test_each_of_several_targets(site: Site) -> None:
    site.run("mirror ARCDATA --to oci:folder")
    code, out, err = site.run("mirror ARCDATA --to oci:folder")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"nothing new: {OLD} of arcdata is complete at {site.target.host_port}/site",
        "nothing new: v1.45.0_2026-04-14 of arcdata is complete at oci:folder",
    ]
    code, out, err = site.run("mirror ARCDATA --to oci:other")
    assert code == 0
    assert "done" in out
    assert "site: " not in err


def test_programs_get_the_whole_result(site: Site) -> None:
    site.run("mirror ARCDATA")
    _, out, _ = site.run("mirror ARCDATA --output json")
    result = json.loads(out.splitlines()[-1])["result"]
    assert result["totals"]["images"]["unchanged"] == IMAGES
    assert result["releases"] == [{"catalog": "arcdata", "release": OLD, "date": "2026-04-14"}]


@pytest.mark.parametrize("down", ["SOURCE", "TARGET"])
def test_a_side_that_cannot_be_asked_is_no_success(site: Site, down: str) -> None:
    site.run("mirror ARCDATA")
    line = "mirror arcdata --source-registry SOURCE --to TARGET/site --if-new --give-up-after 1"
    code, out, err = site.run(line.replace(down, "127.0.0.1:1"))
    assert code == 5
    assert "nothing new" not in out + err
    assert "127.0.0.1:1 refuses connections" in out + err


def test_an_image_that_the_source_lost_is_no_success(site: Site) -> None:
    site.run("mirror ARCDATA")
    name = f"{CATALOG.repository}/{CATALOG.releases_in(OLD)[0].images[-1]}"
    site.vendor.delete_manifest(Name(name, OLD))
    code, out, _ = site.run("mirror ARCDATA")
    assert code == 1
    assert "nothing new" not in out


@pytest.mark.parametrize("end", ["SIGINT", "SIGKILL"])
def test_a_second_run_says_that_the_first_works(site: Site, tmp_path: Path, end: str) -> None:
    """With real processes: the first waits at the source, the second is kept out; after it is killed, one runs."""
    gate = threading.Event()
    store = MemoryStore()
    fill(store, image("one", layers=(5000,)), "app/one", "1")
    with serve(FaultyStore(store, [waits("fetch", gate, times=99)])) as held:
        words = ["mirror", "app/one:1", "--from", held.host_port, "--to", "oci:copy", "--if-new"]
        command = [sys.executable, "-m", "transload", *words, "--metrics-file", "site.prom"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as first:
            lock = tmp_path / "transload_state_dir" / "running"
            while not (lock.exists() and [file for file in lock.iterdir() if file.stat().st_size]):
                assert first.poll() is None, first.communicate()
                threading.Event().wait(0.005)
            second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
            assert second.returncode == 8
            assert f"the same command is running already: process {first.pid}, since 20" in second.stderr
            assert second.stdout == ""
            assert not Path("site.prom").exists(), "the run that works tells how it ended"
            other = subprocess.run([*command, "--tag", "x"], capture_output=True, text=True, check=False, timeout=60)
            assert "running already" not in other.stderr
            os.kill(first.pid, getattr(signal, end))
            gate.set()
            first.communicate(timeout=60)
        third = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert third.returncode == 0, third.stderr


def test_without_a_state_folder_it_runs_all_the_same(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").touch()
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", "file")
    assert site.run("mirror ARCDATA")[0] == 0
