"""A plan from elsewhere does not say by itself which registry gets a password."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from transload.app.ownplans import is_own, remember
from transload.cli.main import main
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Digest
from transload.server import Served, ServeSettings, serve
from transload.testing.images import fill, image

PASSWORD = "s3cret"  # noqa: S105 - of a registry that ends with the test


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("TRANSLOAD_TARGET_PASSWORD", PASSWORD)
    fill(LayoutStore(tmp_path / "source", create=True), image("one", (1000,)), "app", "1")
    return tmp_path


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Served]:
    settings = ServeSettings(writable=True, users={"ann": PASSWORD}, spool_folder=tmp_path)
    with serve(MemoryStore(), settings) as served:
        yield served


@pytest.fixture
def plan(registry: Served, desk: Path) -> Path:
    words = ["plan", "--from", "oci:source", "--to", f"{registry.host_port}/m", "--target-username", "ann"]
    assert main([*words, "-o", "plan.json"]) == 0
    return desk / "plan.json"


@pytest.fixture
def foreign(plan: Path) -> Path:
    """The same plan, as somebody else would have written it."""
    plan.write_bytes(plan.read_bytes() + b"\n")
    return plan


def test_a_plan_that_was_made_here_gets_the_login(plan: Path) -> None:
    assert main(["apply", str(plan), "--target-username", "ann"]) == 0


def test_a_plan_from_elsewhere_gets_it_only_if_the_registry_is_named_again(
    foreign: Path, registry: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["apply", str(foreign), "--target-username", "ann"]
    capsys.readouterr()
    assert main(command) == 2
    told = capsys.readouterr().err
    assert f"only the plan says that {registry.host_port} is the target: the password of ann is not sent" in told
    assert f"--to {registry.host_port}" in told
    assert main([*command, "--to", "other.example"]) == 2
    assert "in the plan it is" in capsys.readouterr().err
    assert main([*command, "--to", f"{registry.host_port}/m"]) == 0


@pytest.mark.parametrize("names_it", [True, False])
def test_variables_that_name_the_registry_do_so_too(
    foreign: Path, registry: Served, monkeypatch: pytest.MonkeyPatch, names_it: bool
) -> None:
    monkeypatch.setenv("TARGET_DOCKER_USERNAME", "ann")
    monkeypatch.setenv("TARGET_DOCKER_PASSWORD", PASSWORD)
    if names_it:
        monkeypatch.setenv("TARGET_DOCKER_REGISTRY", registry.host_port)
    assert main(["apply", str(foreign)]) == (0 if names_it else 2)


def test_a_default_for_other_commands_is_no_contradiction(
    foreign: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRANSLOAD_TO", "other.example/elsewhere")
    assert main(["apply", str(foreign)]) == 3
    assert "none are known for it" in capsys.readouterr().err


def test_the_memory_is_bounded_and_may_be_lost(tmp_path: Path) -> None:
    plans = [Digest.of(str(number).encode()) for number in range(202)]
    for plan in plans:
        remember(plan, tmp_path / "state")
    assert [is_own(plan, tmp_path / "state") for plan in plans] == [False, False] + [True] * 200
    (tmp_path / "state" / "plans.json").write_text("{")
    assert not is_own(plans[-1], tmp_path / "state")
    remember(plans[0], None)
    assert not is_own(plans[0], None)
