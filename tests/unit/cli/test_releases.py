"""`transload releases` against served registries: how much of each release is there, what is new, and its exit code."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

import transload
from transload import Cancellation, Catalog, Environment, Holding, Interrupted, load_set
from transload.cli.main import main
from transload.errors import AccessDenied, Refused, TransloadError, UsageError
from transload.memory import MemoryStore
from transload.server import Served, ServeSettings, serve
from transload.testing.faults import ALWAYS, FaultyStore, fails
from transload.testing.images import fill, image

IMAGES = ("archive", "forecast", "gateway")
TAGS = ("v1.0.0", "v1.1.0", "v1.2.0")
CATALOG = """\
kind: Catalog
version: 1
name: weather
registry: {registry}
repository: vendor/weather
anchor: gateway
lists:
  all: {{images: [archive, forecast, gateway]}}
releases:
  - {{tag: v1.0.0, list: all, facts: {{chart: 0.1.0}}}}
  - {{tag: v1.1.0, list: all, facts: {{chart: 0.2.0}}}}
  - {{tag: v1.2.0, list: all}}
companions:
  - {{image: weather-chart, tag_fact: chart}}
"""


@frozen
class Site:
    """A vendor with three releases of three images, and a target; `run` gives an exit code, `listed` the JSON too."""

    folder: Path
    vendor: Served
    source: MemoryStore
    served: Served
    target: MemoryStore
    capsys: pytest.CaptureFixture[str]

    @property
    def to(self) -> str:
        return f"{self.served.host_port}/site"

    def run(self, *words: str) -> tuple[int, str, str]:
        code = main(["releases", str(self.folder / "weather.yaml"), *words])
        told = self.capsys.readouterr()
        return code, told.out, told.err

    def listed(self, *words: str) -> tuple[int, dict[str, Any]]:
        code, out, _ = self.run("--to", self.to, "--output", "json", *words)
        event: dict[str, Any] = json.loads(out.splitlines()[-1])
        return code, event

    def bring(self, tag: str, images: tuple[str, ...] = IMAGES) -> None:
        for name in images:
            fill(self.target, image(f"{name} {tag}"), f"site/{name}", tag)


@pytest.fixture
def make_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Site]]:
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    opened = contextlib.ExitStack()

    def make(source_faults: Any = (), target_faults: Any = ()) -> Site:
        source, target = MemoryStore(), MemoryStore()
        for tag in TAGS:
            for name in IMAGES:
                fill(source, image(f"{name} {tag}"), f"vendor/weather/{name}", tag)
        vendor = opened.enter_context(serve(FaultyStore(source, source_faults)))
        served = opened.enter_context(serve(FaultyStore(target, target_faults), ServeSettings(writable=True)))
        (tmp_path / "weather.yaml").write_text(CATALOG.format(registry=vendor.host_port))
        return Site(tmp_path, vendor, source, served, target=target, capsys=capsys)

    with opened:
        yield make


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()


def states(event: dict[str, Any]) -> list[tuple[str, str, bool | None]]:
    return [(release["tag"], release["held"]["state"], release["new"]) for release in event["releases"]]


def refused() -> TransloadError:
    return AccessDenied("you may not list this")


# --- how much is there


def test_whole_in_part_and_absent_are_told_apart(site: Site) -> None:
    site.bring("v1.0.0")
    site.bring("v1.1.0", ("archive", "gateway"))
    code, out, err = site.run("--to", site.to)
    newest, second, oldest = out.splitlines()
    assert code == 0
    assert newest.split() == ["v1.2.0", "new", "3", "images"]
    assert "new, 2 of 3 at the target" in second
    assert "at the target" in oldest
    assert "new" not in oldest
    assert "2 releases new; to copy what is new: transload mirror " in err
    assert f"--to {site.to} --tag v1.1.0..v1.2.0" in err


def test_the_anchor_alone_is_not_the_release(site: Site) -> None:
    site.bring("v1.2.0", ("gateway",))
    _, event = site.listed()
    assert states(event)[0] == ("v1.2.0", "part", True)
    held = event["releases"][0]["held"]
    assert (held["there"], held["absent"]) == (["gateway"], ["archive", "forecast"])
    assert event["releases"][0]["at_target"] is False


def test_each_repository_is_asked_once_whatever_the_number_of_releases(site: Site) -> None:
    site.bring("v1.1.0")
    before = site.served.requests.total, site.vendor.requests.total
    site.listed()
    # The first question learns how to log in. After it: three images at the target; the companion is not published, ...
    assert site.served.requests.by_kind["GET", "tags"] == 3
    assert site.served.requests.total - before[0] <= 4
    # ... the anchor and the companion at the source.
    assert site.vendor.requests.by_kind["GET", "tags"] == 2
    assert site.vendor.requests.total - before[1] <= 3


def test_a_companion_counts_if_the_source_has_it(site: Site) -> None:
    site.bring("v1.0.0")
    fill(site.source, image("chart"), "vendor/weather/weather-chart", "0.1.0")
    _, event = site.listed()
    assert event["releases"][-1]["held"]["absent"] == ["weather-chart"]
    fill(site.target, image("chart"), "site/weather-chart", "0.1.0")
    _, event = site.listed()
    assert states(event)[-1] == ("v1.0.0", "whole", False)
    assert event["releases"][-1]["held"]["there"] == [*IMAGES, "weather-chart"]


@pytest.mark.parametrize("basis", ["inferred", "listed"])
def test_what_a_guessed_list_has_and_the_vendor_has_not_is_not_missed(site: Site, basis: str) -> None:
    """Else a job would try for ever to mirror it."""
    text = (site.folder / "weather.yaml").read_text()
    text = text.replace("[archive, forecast, gateway]", "[archive, forecast, gateway, oracle]")
    (site.folder / "weather.yaml").write_text(text.replace("v1.2.0, list: all", f"v1.2.0, list: all, basis: {basis}"))
    site.listed()
    assert site.vendor.requests.by_kind["GET", "tags"] == 2, "with nothing there, nothing depends on it"
    site.bring("v1.2.0")
    code, event = site.listed("--exit-code")
    assert (code, states(event)[0]) == ((0, ("v1.2.0", "whole", False)), (10, ("v1.2.0", "part", True)))[
        basis == "listed"
    ]
    assert site.vendor.requests.by_kind["GET", "tags"] == 4 + (basis == "inferred")
    code, event = site.listed("--exit-code", "--known")
    assert (code, event["releases"][0]["held"]["absent"]) == (10, ["oracle"]), "only the source can tell"


def test_a_release_newer_than_the_catalog_is_counted_as_far_as_it_is_published(site: Site) -> None:
    for store, prefix in ((site.source, "vendor/weather"), (site.target, "site")):
        for name in ("archive", "gateway"):
            fill(store, image(f"{name} v1.3.0"), f"{prefix}/{name}", "v1.3.0")
    code, event = site.listed("--exit-code")
    assert (code, states(event)[0]) == (0, ("v1.3.0", "whole", False))
    assert event["releases"][0]["known"] is False


def test_without_the_source_the_target_can_still_be_asked(site: Site) -> None:
    site.bring("v1.1.0")
    before = site.vendor.requests.total
    code, event = site.listed("--known")
    assert (code, states(event)) == (
        0,
        [("v1.2.0", "absent", True), ("v1.1.0", "whole", False), ("v1.0.0", "absent", False)],
    )
    assert site.vendor.requests.total == before


def test_a_folder_is_asked_too(site: Site) -> None:
    assert (
        main(["mirror", str(site.folder / "weather.yaml"), "--tag", "v1.1", "--to", f"oci:{site.folder / 'out'}"]) == 0
    )
    site.capsys.readouterr()
    code, out, _ = site.run("--to", f"oci:{site.folder / 'out'}", "--exit-code")
    assert code == 10
    assert [line.split()[1] for line in out.splitlines()[:2]] == ["new", "at"]


def test_only_a_range_and_only_some_images(site: Site) -> None:
    site.bring("v1.1.0", ("gateway",))
    _, event = site.listed("--releases", "1.1..")
    assert states(event) == [("v1.2.0", "absent", True), ("v1.1.0", "part", True)]
    code, event = site.listed("--image", "gateway", "--exit-code", "--releases", "1.0..1.1")
    assert (code, states(event)) == (0, [("v1.1.0", "whole", False), ("v1.0.0", "absent", False)])


def test_a_folder_that_is_not_there_yet_holds_nothing_and_is_not_made(site: Site) -> None:
    code, out, err = site.run("--known", "--to", f"oci:{site.folder / 'out'}", "--exit-code")
    assert code == 10
    assert len(out.splitlines()) == 3
    assert "all 3 releases are new; to copy the newest: " in err
    assert f"--to oci:{site.folder / 'out'} --tag v1.2.0" in err, "all of them is rarely wanted"
    assert not (site.folder / "out").exists()


def test_known_asks_no_target_that_is_only_a_default(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLOAD_TO", site.to)
    assert site.run("--known")[0] == 0
    assert site.served.requests.total == 0
    assert site.run("--exit-code")[0] == 10
    assert site.served.requests.total > 0


def test_what_was_mirrored_flat_is_found_flat(station: Site) -> None:
    mirrored(station, "--flatten")
    assert states(station.listed()[1])[0] == ("summer", "part", True)
    code, event = station.listed("--flatten", "--exit-code")
    assert (code, states(event)[0]) == (0, ("summer", "whole", False))
    assert event["releases"][0]["held"]["there"] == ["gateway", "forecast", "archive", "probe"]


def test_releases_without_the_named_image_are_left_out(site: Site) -> None:
    text = (site.folder / "weather.yaml").read_text()
    (site.folder / "weather.yaml").write_text(text.replace("v1.2.0, list: all", "v1.2.0, images: [gateway]"))
    site.bring("v1.1.0", ("archive",))
    code, event = site.listed("--image", "archive", "--exit-code")
    assert (code, states(event)) == (0, [("v1.1.0", "whole", False), ("v1.0.0", "absent", False)])


def test_only_the_tags_in_question_are_kept_of_a_long_list(site: Site) -> None:
    for number in range(300):
        fill(site.target, image("noise"), "site/gateway", f"noise-{number}")
    site.bring("v1.2.0")
    assert states(site.listed()[1])[0] == ("v1.2.0", "whole", False)


def test_the_command_for_what_is_new_has_what_this_one_had(site: Site) -> None:
    words = ("--to", site.to, "--image", "gateway", "--image", "gateway", "--stall-timeout", "30", "--flatten")
    _, _, err = site.run(*words, "--source-registry", site.vendor.host_port)
    for part in (f"--to {site.to}", "--stall-timeout 30", f"--source-registry {site.vendor.host_port}", "--flatten"):
        assert part in err
    assert err.count("--image gateway") == 1


# --- digests


def test_digests_show_what_was_published_again(site: Site) -> None:
    site.bring("v1.2.0")
    code, event = site.listed("--digests", "--exit-code")
    assert (code, states(event)[0]) == (0, ("v1.2.0", "whole", False))
    fill(site.source, image("built again"), "vendor/weather/gateway", "v1.2.0")
    code, event = site.listed("--exit-code")
    assert (code, states(event)[0]) == (0, ("v1.2.0", "whole", False))
    code, event = site.listed("--digests", "--exit-code")
    assert (code, states(event)[0]) == (10, ("v1.2.0", "part", True))
    assert event["releases"][0]["held"]["differing"] == ["gateway"]
    assert "3 of 3 at the target, 1 with other content" in site.run("--to", site.to, "--digests")[1]


def test_digests_are_asked_only_for_what_is_there(site: Site) -> None:
    site.bring("v1.2.0", ("gateway",))
    site.listed("--digests")
    for served in (site.served, site.vendor):
        asked = served.requests.by_kind
        assert asked["HEAD", "manifest"] + asked["GET", "manifest"] == 1


def test_what_the_source_lacks_has_nothing_to_differ_from(site: Site) -> None:
    site.bring("v1.2.0")
    fill(site.target, image("ours"), "site/archive", "v1.3.0")
    fill(site.target, image("ours"), "site/gateway", "v1.3.0")
    fill(site.source, image("ours"), "vendor/weather/gateway", "v1.3.0")
    _, event = site.listed("--digests")
    assert event["releases"][0]["held"]["there"] == ["archive", "gateway"]
    assert event["releases"][0]["held"]["differing"] == []


# --- the exit code


def test_the_exit_code_says_whether_something_is_new(site: Site) -> None:
    assert site.run("--to", site.to, "--exit-code")[0] == 10
    site.bring("v1.1.0")
    assert site.run("--to", site.to, "--exit-code")[0] == 10
    site.bring("v1.2.0", ("gateway",))
    assert site.run("--to", site.to, "--exit-code")[0] == 10
    site.bring("v1.2.0")
    code, out, err = site.run("--to", site.to, "--exit-code")
    assert (code, err) == (0, "nothing is new\n")
    assert "new" not in out
    site.bring("v1.1.0", ("gateway",))
    assert site.run("--to", site.to)[0] == 0


def test_for_cron_nothing_is_printed_when_nothing_is_new(site: Site) -> None:
    site.bring("v1.1.0")
    assert site.run("--to", site.to, "--exit-code", "--quiet") == (10, "v1.2.0\n", "")
    assert site.run("--to", site.to, "--quiet") == (0, "v1.2.0\nv1.1.0\nv1.0.0\n", "")
    site.bring("v1.2.0")
    assert site.run("--to", site.to, "--exit-code", "--quiet") == (0, "", "")


# --- what could not be asked


def test_could_not_ask_is_not_absent(make_site: Callable[..., Site]) -> None:
    site = make_site(target_faults=[fails("tags", refused, subject="site/archive", times=ALWAYS)])
    site.bring("v1.1.0")
    site.bring("v1.2.0")
    code, out, err = site.run("--to", site.to)
    assert code == 3
    assert "2 of 3 at the target, 1 could not be asked" in out.splitlines()[0]
    assert "1 of 3" not in out
    assert f"could not ask: {site.served.host_port}/site/archive" in err
    assert "whether 3 releases would be new is not known" in err
    code, event = site.listed("--exit-code")
    assert code == 3
    assert states(event) == [("v1.2.0", "unknown", None), ("v1.1.0", "unknown", None), ("v1.0.0", "absent", None)]
    assert [release["at_target"] for release in event["releases"]] == [None, None, False]
    (trouble,) = event["troubles"]
    assert trouble["repository"] == f"{site.served.host_port}/site/archive"
    assert (trouble["exit_code"], trouble["side"]) == (3, "target")
    code, out, err = site.run("--to", site.to, "--quiet")
    assert (code, out) == (3, "v1.2.0\nv1.1.0\nv1.0.0\n")
    assert "could not ask" in err


def test_what_is_surely_new_is_news_although_something_could_not_be_asked(make_site: Callable[..., Site]) -> None:
    site = make_site(target_faults=[fails("tags", refused, subject="site/archive", times=ALWAYS)])
    site.bring("v1.1.0")
    code, event = site.listed("--exit-code")
    assert (code, states(event)[0]) == (10, ("v1.2.0", "absent", True))


def test_a_target_that_says_nothing_is_an_error(make_site: Callable[..., Site]) -> None:
    site = make_site(target_faults=[fails("tags", refused, times=ALWAYS)])
    code, out, err = site.run("--to", site.to, "--exit-code")
    assert (code, out) == (3, "")
    assert err.count("error:") == 1


def test_a_companion_that_the_source_does_not_tell_of_is_no_failure(make_site: Callable[..., Site]) -> None:
    faults = [fails("tags", refused, subject="vendor/weather/weather-chart", times=ALWAYS)]
    site = make_site(source_faults=faults)
    site.bring("v1.2.0")
    code, event = site.listed("--exit-code")
    assert (code, states(event)[0]) == (0, ("v1.2.0", "whole", False))
    assert [trouble["side"] for trouble in event["troubles"]] == ["source"]


def test_digests_that_could_not_be_asked_leave_it_open(make_site: Callable[..., Site]) -> None:
    def cannot() -> TransloadError:
        return Refused("not today")

    site = make_site(source_faults=[fails("resolve", cannot, subject="vendor/weather/gateway:v1.2.0", times=ALWAYS)])
    site.bring("v1.2.0")
    code, event = site.listed("--digests", "--exit-code")
    assert states(event)[0] == ("v1.2.0", "unknown", None)
    assert event["releases"][0]["held"]["unclear"] == ["gateway"]
    assert code not in {0, 10}


# --- wrong requests


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--exit-code",), 2, "name it: --to STORE"),
        (("--digests",), 2, "name it: --to STORE"),
        (("--image", "gateway"), 2, "name it: --to STORE"),
        (("--known", "--digests", "--to", "registry.example/x"), 2, "leave one of them out"),
        (("--known", "--releases", "1.2..1.0"), 2, "write 1.0..1.2"),
        (("--known", "--releases", "9.9"), 4, "has no release '9.9'"),
        (("--known", "--releases", ""), 2, "it is empty"),
        (("--known", "--releases", "1.2 "), 2, "leave the blank out: 1.2"),
        (("--known", "--image", "gatway", "--to", "registry.example/x"), 4, "did you mean gateway"),
        (("--known", "--to", "bundle:carried"), 2, "cannot be a target"),
    ],
)
def test_wrong_requests_are_told_in_a_sentence(site: Site, words: tuple[str, ...], code: int, told: str) -> None:
    ended, out, err = site.run(*words)
    assert (ended, out) == (code, "")
    assert told in err


# --- what each further release adds to a plan


def test_the_plan_of_several_releases_says_what_each_adds(site: Site) -> None:
    words = ["plan", str(site.folder / "weather.yaml"), "--releases", "1.0..1.2", "--to", site.to]
    assert main(words) == 0
    (line,) = [line for line in site.capsys.readouterr().out.splitlines() if line.startswith("releases: ")]
    first, second, third = line.removeprefix("releases: ").split("; ")
    assert first.startswith("v1.0.0: ")
    assert "+" not in first
    assert second.startswith("v1.1.0: + ")
    assert third.startswith("v1.2.0: + ")
    assert main([*words, "--output", "json"]) == 0
    plan = json.loads(site.capsys.readouterr().out.splitlines()[-1])["plan"]
    assert [(added["catalog"], added["tag"], added["images"]) for added in plan["releases"]] == [
        ("weather", tag, 4 if tag in {"v1.0.0", "v1.1.0"} else 3) for tag in TAGS
    ]
    assert sum(added["copy"]["bytes"] for added in plan["releases"]) == plan["totals"]["copy"]["bytes"] > 0


def test_an_image_set_lists_its_releases_oldest_first(site: Site) -> None:
    (site.folder / "set.yaml").write_text(
        "kind: ImageSet\nversion: 1\n"
        f"images: [{{source: {site.vendor.host_port}/vendor/weather/gateway, tag: v1.2.0, target: mine}}]\n"
        "catalogs:\n  - {file: weather.yaml, releases: [newest, 1.0..1.1], images: [gateway, archive], target: w}\n"
    )
    assert main(["plan", str(site.folder / "set.yaml"), "--to", site.to, "--output", "json"]) == 0
    plan = json.loads(site.capsys.readouterr().out.splitlines()[-1])["plan"]
    assert [(added["tag"], added["images"]) for added in plan["releases"]] == [(tag, 2) for tag in TAGS]


@pytest.mark.parametrize("flag", ["--tag", "--releases", "--target-tag"])
def test_a_release_for_a_set_that_says_its_own_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    (site.folder / "set.yaml").write_text("kind: ImageSet\nversion: 1\ncatalogs: [{file: weather.yaml}]\n")
    words = ["plan", str(site.folder / "set.yaml"), "--to", site.to]
    before = site.vendor.requests.total
    assert main([*words, flag, "v1.0.0"]) == 2
    assert "says itself which releases" in site.capsys.readouterr().err
    assert site.vendor.requests.total == before
    monkeypatch.setenv("TRANSLOAD_TAG", "v1.0.0")
    assert main(words) == 0, "a default for other commands is no mistake here"
    assert main(["plan", str(site.folder / "weather.yaml"), str(site.folder / "set.yaml"), *words[2:]]) == 0


def test_one_release_adds_nothing_to_others(site: Site) -> None:
    words = ["plan", str(site.folder / "weather.yaml"), "--to", site.to]
    assert main([*words, "--output", "json"]) == 0
    assert json.loads(site.capsys.readouterr().out.splitlines()[-1])["plan"]["releases"] == []
    assert main(words) == 0
    assert "releases: " not in site.capsys.readouterr().out


def test_a_bundle_of_several_releases_says_it_too(site: Site) -> None:
    words = ["pack", str(site.folder / "weather.yaml"), "--releases", "1.0..", "-o", str(site.folder / "three")]
    assert main(words) == 0
    assert "releases: v1.0.0: " in site.capsys.readouterr().err


# --- an image set with releases

STATION = """\
kind: ImageSet
version: 1
images: [{vendor}/vendor/weather/gateway:v1.0.0]
releases:
  - name: spring
    images: [{vendor}/vendor/weather/forecast:v1.0.0, {other}/tools/probe:7]
  - name: summer
    images:
      - {vendor}/vendor/weather/forecast:v1.1.0
      - {vendor}/vendor/weather/archive:v1.1.0@{digest}
      - {{source: "{other}/tools/probe@{probe}", target: probe}}
      - {{source: "{other}/tools/lens:1", optional: true}}
"""


@pytest.fixture
def station(site: Site) -> Iterator[Site]:
    """The same site with a set in place of the catalog: images of two registries, pinned and optional ones."""
    probe = image("probe")
    other = MemoryStore()
    fill(other, probe, "tools/probe", "7")
    with serve(other) as tools:
        (site.folder / "weather.yaml").write_text(
            STATION.format(
                vendor=site.vendor.host_port,
                other=tools.host_port,
                digest=image("archive v1.1.0").digest,
                probe=probe.digest,
            )
        )
        yield site


def mirrored(site: Site, *words: str) -> str:
    assert main(["mirror", str(site.folder / "weather.yaml"), "--to", site.to, *words]) == 0
    told = site.capsys.readouterr()
    return told.out + told.err


def test_a_set_with_releases_is_listed_without_asking_its_sources(station: Site) -> None:
    before = station.vendor.requests.total
    code, out, _ = station.run()
    assert (code, [line.split()[0] for line in out.splitlines()]) == (0, ["summer", "spring"])
    code, event = station.listed("--exit-code", "--known")
    assert (code, states(event)) == (10, [("summer", "absent", True), ("spring", "absent", True)])
    assert event["source"].count(", ") == 1
    assert station.vendor.requests.total == before


def test_mirroring_a_set_with_releases_takes_the_newest_one_or_a_range(station: Site) -> None:
    mirrored(station)
    code, event = station.listed("--exit-code")
    assert (code, states(event)) == (0, [("summer", "whole", False), ("spring", "part", False)])
    held = [release["held"] for release in event["releases"]]
    assert held[0]["there"] == ["vendor/weather/gateway", "vendor/weather/forecast", "vendor/weather/archive", "probe"]
    assert held[1]["absent"] == ["vendor/weather/forecast", "tools/probe"]
    told = mirrored(station, "--releases", "spring..summer")
    assert "2 copied, 4 unchanged" in told
    assert "releases: spring: " in told
    assert [state for _, state, _ in states(station.listed("--digests")[1])] == ["whole", "whole"]


def test_a_pinned_digest_is_compared_without_asking_the_source(station: Site) -> None:
    mirrored(station)
    fill(station.target, image("other content"), "site/vendor/weather/archive", "v1.1.0")
    before = station.vendor.requests.by_kind
    code, event = station.listed(
        "--digests", "--exit-code", "--releases", "summer", "--image", "vendor/weather/archive"
    )
    assert (code, event["releases"][0]["held"]["differing"]) == (10, ["vendor/weather/archive"])
    assert station.vendor.requests.by_kind == before


def test_an_image_by_digest_alone_is_looked_for_by_its_digest(station: Site) -> None:
    mirrored(station)
    asked = station.served.requests.by_kind
    before = asked["HEAD", "manifest"] + asked["GET", "manifest"]
    assert station.listed("--image", "probe")[1]["releases"][0]["held"]["there"] == ["probe"]
    asked = station.served.requests.by_kind
    assert asked["HEAD", "manifest"] + asked["GET", "manifest"] == before + 1


def test_an_optional_image_counts_once_it_is_published(station: Site) -> None:
    mirrored(station)
    _, event = station.listed()
    assert "tools/lens" not in str(event["releases"][0]["held"])


def test_two_tags_of_one_image_are_told_apart(site: Site) -> None:
    gateway = f"{site.vendor.host_port}/vendor/weather/gateway"
    (site.folder / "weather.yaml").write_text(
        f"kind: ImageSet\nversion: 1\nreleases:\n  - {{name: both, images: ['{gateway}:v1.0.0', '{gateway}:v1.1.0']}}\n"
    )
    fill(site.target, image("gateway v1.1.0"), "site/vendor/weather/gateway", "v1.1.0")
    held = site.listed()[1]["releases"][0]["held"]
    assert (held["there"], held["absent"]) == (["vendor/weather/gateway:v1.1.0"], ["vendor/weather/gateway:v1.0.0"])


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--target-tag", "ours"), 2, "have tags of their own"),
        (("--tag", "autumn"), 4, "weather has no release 'autumn'"),
        (("--releases", "summer..spring"), 2, "write spring..summer"),
        (("--image", "gatway"), 4, "gateway"),
    ],
)
def test_wrong_requests_of_a_set_are_told(station: Site, words: tuple[str, ...], code: int, told: str) -> None:
    assert main(["mirror", str(station.folder / "weather.yaml"), "--to", station.to, *words]) == code
    assert told in station.capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--source-registry", "--source-repository"])
def test_another_source_is_refused_where_it_would_do_nothing(station: Site, flag: str) -> None:
    code, _, err = station.run(flag, "registry.example")
    assert code == 2
    assert "name their registries themselves" in err


def test_a_set_without_releases_says_what_to_do(site: Site) -> None:
    (site.folder / "weather.yaml").write_text("kind: ImageSet\nversion: 1\ncatalogs: [{name: arcdata}]\n")
    assert site.run()[0] == 2
    (site.folder / "weather.yaml").write_text("kind: ImageSet\nversion: 1\nimages: [nginx]\n")
    code, _, err = site.run()
    assert code == 2
    assert "write its images under releases, each with a name" in err


def test_open_questions_of_a_set_with_releases_are_told(station: Site) -> None:
    path = station.folder / "weather.yaml"
    path.write_text(path.read_text() + "questions: [{text: '{{ x }}', reason: a template}]\n")
    assert "1 question is open in" in mirrored(station)


def test_the_sets_source_login_is_for_one_registry(station: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DOCKER_USERNAME", "someone")
    monkeypatch.setenv("SOURCE_DOCKER_PASSWORD", "secret")
    code, _, err = station.run("--to", station.to, "--digests")
    assert code == 2
    assert "is for one registry" in err
    assert "secret" not in err


# --- the library


def test_the_library_has_the_same(site: Site) -> None:
    site.bring("v1.1.0")
    catalog = load_set(site.folder / "weather.yaml")
    assert isinstance(catalog, Catalog)
    for asked in (site.folder / "weather.yaml", str(site.folder / "weather.yaml"), catalog):
        listed = transload.releases(asked, to=site.to, environment=Environment())
        assert [offer.at_target for offer in listed.releases] == [False, True, False]
        assert [release.tag for release in listed.new] == ["v1.2.0"]
    listed = transload.releases(catalog, tag="1.1", images=["gateway"], to=site.to, digests=True)
    assert [offer.holding for offer in listed.releases] == [Holding(there=("gateway",))]
    assert len(transload.releases("arcdata", known=True).releases) > 40
    with pytest.raises(UsageError, match="none is named"):
        transload.releases(catalog, digests=True)
    with pytest.raises(TypeError, match="catalog must be str or Path"):
        transload.releases(7)  # type: ignore[arg-type]


def test_a_cancelled_look_ends(site: Site) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Interrupted):
        transload.releases(site.folder / "weather.yaml", known=True, to=site.to, cancellation=cancellation)
