"""Rules of an image set, against served registries: what is chosen, what is asked for, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import transload
from transload import MemoryStore
from transload.cli.main import main
from transload.errors import AccessDenied, LimitExceeded, NotFound, Refused, SelectionEmpty
from transload.server import Served, serve
from transload.testing.images import fill, image
from transload.testing.laboratory import ALWAYS, Laboratory, refuses

DAYS = {"1.40.0": "2025-11-02", "1.41.0": "2026-01-01", "1.42.0-rc.1": "2026-02-01", "1.42.0": "2026-03-01"}
HEAD = "kind: ImageSet\nversion: 1\n"
CREATED = "org.opencontainers.image.created"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


@pytest.fixture
def vendor() -> Iterator[Served]:
    store = MemoryStore()
    for tag, day in DAYS.items():
        fill(store, image(f"app {tag}", layers=(100,), annotations={CREATED: f"{day}T08:00:00Z"}), "acme/app", tag)
    fill(store, image("app latest", layers=(100,)), "acme/app", "latest")
    fill(store, image("web", layers=(100,)), "acme/web", "2.0")
    fill(store, image("internal", layers=(100,)), "acme/internal/tool", "1.0")
    fill(store, image("other", layers=(100,)), "other/app", "1.0")
    with serve(store) as served:
        yield served


def chosen(vendor: Served, folder: Path, entries: str) -> list[str]:
    """What a run with these entries copies; `REGISTRY` in them is the vendor's."""
    path = folder / "set.yaml"
    path.write_text(HEAD + entries.replace("REGISTRY", vendor.host_port))
    result = transload.mirror(path, to=f"oci:{folder / 'target'}")
    assert all(copied.status in {"copied", "unchanged"} for copied in result.images)
    return [copied.name for copied in result.images]


def test_a_range_and_the_newest_of_it(vendor: Served, tmp_path: Path) -> None:
    entries = 'images: [{source: REGISTRY/acme/app, tags: {versions: ">=1.40 <2", newest: 2}}]'
    assert chosen(vendor, tmp_path, entries) == ["acme/app:1.42.0", "acme/app:1.41.0"]


def test_exact_tags_are_not_listed(vendor: Served, tmp_path: Path) -> None:
    entries = "images: [{source: REGISTRY/acme/app, tags: [latest, 1.40.0], target: mine/app}]"
    assert chosen(vendor, tmp_path, entries) == ["mine/app:1.40.0", "mine/app:latest"]
    assert vendor.requests.by_kind["GET", "tags"] == 1, "once, for the signatures of what is copied"


def test_a_repository_is_listed_once_for_all_rules(vendor: Served, tmp_path: Path) -> None:
    entries = """
images:
  - {source: REGISTRY/acme/app, tags: {versions: 1.40.x}}
  - {source: REGISTRY/acme/app, tags: {pattern: late.*}}
repositories: [{prefix: REGISTRY/acme/app, tags: {exact: [1.41.0]}}]
"""
    assert chosen(vendor, tmp_path, entries) == ["acme/app:1.40.0", "acme/app:latest", "acme/app:1.41.0"]
    assert vendor.requests.by_kind["GET", "tags"] == 1


def test_dates_are_asked_only_where_they_decide(vendor: Served, tmp_path: Path) -> None:
    rule = 'tags: {newer_than: 2026-01-01, pattern: "1[.]4[01].*"}'
    assert chosen(vendor, tmp_path, f"images: [{{source: REGISTRY/acme/app, {rule}}}]") == ["acme/app:1.41.0"]
    before = vendor.requests.by_kind["GET", "manifest"]
    assert before == 3, "two for the dates, one for the copy"
    assert chosen(vendor, tmp_path, "images: [{source: REGISTRY/acme/app, tags: {newest: 1}}]") == ["acme/app:1.42.0"]
    assert vendor.requests.by_kind["GET", "manifest"] == before + 1


def test_the_newest_by_date(vendor: Served, tmp_path: Path) -> None:
    entries = "images: [{source: REGISTRY/acme/app, tags: {newest: 2, sort: date}}]"
    assert chosen(vendor, tmp_path, entries) == ["acme/app:1.42.0", "acme/app:1.42.0-rc.1"]


def test_a_prefix_has_all_repositories_under_it(vendor: Served, tmp_path: Path) -> None:
    entries = "repositories: [{prefix: REGISTRY/acme, deny: [internal], tags: {versions: '>=1.41'}}]"
    assert chosen(vendor, tmp_path, entries) == ["acme/app:1.42.0", "acme/app:1.41.0", "acme/web:2.0"]


def test_under_a_prefix_only_existing_tags_are_taken(vendor: Served, tmp_path: Path) -> None:
    assert chosen(vendor, tmp_path, "repositories: [{prefix: REGISTRY/acme, tags: ['2.0', '3.0']}]") == ["acme/web:2.0"]


def test_a_prefix_gets_another_name(vendor: Served, tmp_path: Path) -> None:
    assert chosen(vendor, tmp_path, "repositories: [{prefix: REGISTRY/other, target: mine}]") == ["mine/app:1.0"]
    entries = "defaults: {registry: REGISTRY}\nrepositories: [{prefix: other}]"
    assert chosen(vendor, tmp_path, entries) == ["other/app:1.0"]


def test_a_whole_registry(vendor: Served, tmp_path: Path) -> None:
    assert len(chosen(vendor, tmp_path, "repositories: [{prefix: REGISTRY}]")) == len(DAYS) + 4


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("images: [{source: REGISTRY/acme/app, tags: {versions: '>=3'}}]", "takes none of the 5 tags of .*: >=3"),
        ("images: [{source: REGISTRY/acme/none, tags: all}]", "set.yaml:3: images\\[0\\]: .*acme/none"),
        ("repositories: [{prefix: REGISTRY/nobody}]", "lists no repository under nobody"),
        ("repositories: [{prefix: REGISTRY/acme, tags: {versions: '>=9'}}]", "none of the 7 tags in 3 repositories"),
    ],
)
def test_a_rule_that_takes_nothing_fails(vendor: Served, tmp_path: Path, entries: str, message: str) -> None:
    with pytest.raises(NotFound, match=message) as caught:
        chosen(vendor, tmp_path, entries)
    assert caught.value.side == "source"
    with pytest.raises(SelectionEmpty):  # nothing at all was chosen, as allowed
        chosen(vendor, tmp_path, entries.replace("}]", ", optional: true}]"))


def test_an_optional_rule_may_take_nothing(vendor: Served, tmp_path: Path) -> None:
    entries = """
images:
  - {source: REGISTRY/acme/none, tags: all, optional: true}
  - REGISTRY/acme/web:2.0
"""
    assert chosen(vendor, tmp_path, entries) == ["acme/web:2.0"]


def test_too_many_dates_are_refused(vendor: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transload.app.choosing.DATED_TAGS", 4)
    with pytest.raises(LimitExceeded, match="ask when 5 images were made, .* acme/app, and 4 are allowed"):
        chosen(vendor, tmp_path, "images: [{source: REGISTRY/acme/app, tags: {newer_than: 2026-01-01}}]")


def test_repositories_that_do_not_show_their_tags_are_told_together(vendor: Served, tmp_path: Path) -> None:
    path = tmp_path / "set.yaml"
    names = ("acme/web", "acme/internal/tool")
    closed = [refuses("GET tags", 403, "DENIED", times=ALWAYS, about=name) for name in names]
    with Laboratory(vendor.host_port, closed, seed=1) as line:
        path.write_text(f"{HEAD}repositories: [{{prefix: {line.host_port}/acme}}]")
        with pytest.raises(AccessDenied, match="2 repositories under .*/acme do not show their tags: acme/") as caught:
            transload.mirror(path, to=f"oci:{tmp_path / 'target'}")
        assert caught.value.message.startswith(f"{path}:3: repositories[0]: ")
        assert "name them under deny" in (caught.value.hint or "")
        path.write_text(f"{HEAD}repositories: [{{prefix: {line.host_port}/acme, deny: [web, internal]}}]")
        assert len(transload.mirror(path, to=f"oci:{tmp_path / 'target'}").images) == 5


class Unlisted(MemoryStore):
    """A registry without a catalogue."""

    def repositories(self) -> Iterator[str]:
        raise Refused("no list")


def test_a_registry_without_a_catalogue(tmp_path: Path) -> None:
    store = Unlisted()
    fill(store, image("app", layers=(100,)), "acme/app", "1.0")
    with serve(store) as served, pytest.raises(Refused, match="does not list its repositories") as caught:
        chosen(served, tmp_path, "repositories: [{prefix: REGISTRY/acme}]")
    assert "name its repositories under images" in (caught.value.hint or "")


def test_the_plan_says_why(vendor: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "set.yaml"
    entries = """
images: [{source: REGISTRY/acme/app, tags: {versions: ^1.41, deny: [latest]}}]
repositories: [{prefix: REGISTRY/acme, deny: [app, internal], tags: all}]
"""
    path.write_text(HEAD + entries.replace("REGISTRY", vendor.host_port))
    command = ["plan", str(path), "--to", f"oci:{tmp_path / 'target'}"]
    assert main([*command, "--explain-tags"]) == 0
    told = capsys.readouterr().out.replace(vendor.host_port, "REGISTRY")
    assert "tags:     2 of 5 tags of REGISTRY/acme/app: ^1.41, not latest\n" in told
    assert "tags:     1 of 1 tag in 1 of 1 repository under REGISTRY/acme, without app, internal: every tag\n" in told
    assert "  taken  1.42.0       ^1.41, not latest\n  left   1.42.0-rc.1  it is a pre-release\n" in told
    assert "  left   latest       latest is denied\n" in told
    assert main(command) == 0
    assert "pre-release" not in capsys.readouterr().out
    assert main([*command, "--output", "json"]) == 0
    (event,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"event":"plan"' in line]
    first = event["plan"]["tags"][0]
    assert (first["repository"], first["prefix"], first["taken"]) == (f"{vendor.host_port}/acme/app", None, 2)
    assert first["tags"][1] == {"tag": "1.42.0-rc.1", "taken": False, "why": "it is a pre-release"}
    assert event["plan"]["tags"][1]["prefix"] == f"{vendor.host_port}/acme"


def test_a_rule_is_shown_without_control_characters(
    vendor: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "set.yaml"
    rule = r'{pattern: "(?:\e]0;x\a)?[0-9.]+", deny: ["/\e31m/"], newest: 1}'
    path.write_text(f"{HEAD}images: [{{source: {vendor.host_port}/acme/app, tags: {rule}}}]")
    target = f"oci:{tmp_path / 'target'}"
    assert main(["plan", str(path), "--to", target, "--explain-tags"]) == 0
    path.write_text(f"{HEAD}images: [{{source: {vendor.host_port}/acme/app, tags: {rule.replace('[0-9.]+', 'x')}}}]")
    assert main(["plan", str(path), "--to", target]) == 4
    assert main(["plan", f"{vendor.host_port}/acme/app:latest", "--to", target, "--explain-tags"]) == 0
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err
    assert "\x07" not in printed.out + printed.err
    assert "takes none of the 5 tags" in printed.err
    assert "no set has a rule for tags" in printed.err


def test_what_was_chosen_is_there(vendor: Served, tmp_path: Path) -> None:
    chosen(vendor, tmp_path, "images: [{source: REGISTRY/acme/app, tags: {newest: 1}}]")
    held = transload.LayoutStore(tmp_path / "target")
    assert list(held.tags("acme/app")) == ["1.42.0"]
