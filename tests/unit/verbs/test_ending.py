"""A verb that breaks off leaves nothing running and nothing locked: the same call goes on in the same process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import transload
from transload import AnyEvent, Cancellation, Environment, MemoryStore
from transload.errors import Interrupted
from transload.events import ImageDone, Progressed, RunFinished, StepDone, StepMoved, StepStarted
from transload.server import Served, serve
from transload.testing.images import fill, image

NOTHING = Environment()


class Broken(Exception):
    """What a callback of somebody else's raises."""


@pytest.fixture
def vendor() -> Iterator[Served]:
    store = MemoryStore()
    fill(store, image("one", layers=(3000, 70_000, 5000)), "acme/app", "1")
    with serve(store) as served:
        yield served


def raising(error: BaseException, kind: type[AnyEvent]) -> Callable[[AnyEvent], None]:
    """A callback that raises at the first event of a kind."""

    def progress(event: AnyEvent) -> None:
        if isinstance(event, kind):
            raise error

    return progress


@pytest.mark.parametrize("error", [Broken("mine"), KeyboardInterrupt()], ids=["an error", "Ctrl-C"])
@pytest.mark.parametrize("kind", [Progressed, StepStarted, StepMoved, StepDone, ImageDone, RunFinished])
def test_pack_goes_on_after_it_broke_off(
    error: BaseException, kind: type[AnyEvent], vendor: Served, tmp_path: Path
) -> None:
    wanted, running = f"{vendor.host_port}/acme/app:1", set(threading.enumerate())
    with pytest.raises(type(error)) as caught:  # kept, as a notebook keeps the last error with its frames
        transload.pack(wanted, tmp_path / "month", environment=NOTHING, progress=raising(error, kind))
    assert caught.value is error
    assert not [thread for thread in set(threading.enumerate()) - running if "serve" not in thread.name]
    packed = transload.pack(wanted, tmp_path / "month", environment=NOTHING)
    assert [file.name for file in packed.files] == ["month.tar"]
    assert transload.verify(tmp_path / "month", environment=NOTHING).good


def test_pack_goes_on_in_another_second_where_no_state_is_kept(vendor: Served, tmp_path: Path) -> None:
    wanted = f"{vendor.host_port}/acme/app:1"
    with pytest.raises(Broken):
        transload.pack(wanted, tmp_path / "month", environment=NOTHING, progress=raising(Broken("mine"), StepStarted))
    time.sleep(1.1)  # a bundle has the second in which it was packed first
    assert transload.pack(wanted, tmp_path / "month", environment=NOTHING).files


def test_a_cancelled_folder_goes_on(vendor: Served, tmp_path: Path) -> None:
    wanted, cancellation = f"{vendor.host_port}/acme/app:1", Cancellation()

    def progress(event: AnyEvent) -> None:
        if isinstance(event, StepMoved):
            cancellation.cancel()

    with pytest.raises(Interrupted):
        transload.copy(
            wanted, f"oci:{tmp_path / 'x'}", environment=NOTHING, progress=progress, cancellation=cancellation
        )
    assert transload.copy(wanted, f"oci:{tmp_path / 'x'}", environment=NOTHING).images[0].status == "copied"
    assert transload.verify(f"oci:{tmp_path / 'x'}", environment=NOTHING, deep=True).good
