"""A stick that is pulled out in the middle: told as that, and the same command goes on when it is back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import transload
from tests.real.media import Medium, inserted
from transload import LayoutStore
from transload.errors import MediumLost, TransloadError
from transload.events import StepMoved
from transload.testing.images import fill, image


@pytest.fixture
def medium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Medium]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    store = LayoutStore("source", create=True)
    for number in range(4):
        fill(store, image(f"image {number}", layers=(4_000_000, 20)), "a/b", str(number))
    with inserted("exfat", tmp_path) as medium:
        yield medium


def pulling(medium: Medium) -> Callable[[object], None]:
    """Pulls the medium out when half of the second large blob has arrived."""
    seen: set[int] = set()

    def listen(event: object) -> None:
        if isinstance(event, StepMoved) and event.position > 2_000_000 and event.step not in seen:
            seen.add(event.step)
            if len(seen) == 2:
                medium.pull()

    return listen


def lost(error: TransloadError) -> list[TransloadError]:
    return [each for each in (error, *getattr(error, "errors", ())) if isinstance(each, MediumLost)]


def test_while_a_bundle_is_packed(medium: Medium) -> None:
    def pack(**more: object) -> transload.PackResult:
        return transload.pack((), medium.place / "b", origin="oci:source", volume_size="1MiB", jobs=1, **more)  # type: ignore[arg-type]

    with pytest.raises(TransloadError) as caught:
        pack(progress=pulling(medium))
    assert lost(caught.value), repr(caught.value)
    assert "medium" in str(lost(caught.value)[0])
    medium.insert()
    pack()
    assert transload.verify(f"bundle:{medium.place}/b").good


def test_while_a_folder_is_filled(medium: Medium) -> None:
    def mirror(**more: object) -> transload.Result:
        return transload.mirror((), origin="oci:source", to=f"oci:{medium.place}/folder", jobs=1, **more)  # type: ignore[call-overload, no-any-return]

    with pytest.raises(TransloadError) as caught:
        mirror(progress=pulling(medium))
    assert lost(caught.value), repr(caught.value)
    medium.insert()
    mirror()
    assert transload.verify(f"oci:{medium.place}/folder", deep=True).good


def test_while_it_is_read(medium: Medium) -> None:
    transload.pack((), medium.place / "b", origin="oci:source", volume_size="1MiB")

    def push(**more: object) -> transload.Result:
        return transload.push(medium.place / "b", to="oci:site", jobs=1, **more)  # type: ignore[arg-type]

    with pytest.raises(TransloadError) as caught:
        push(progress=pulling(medium))
    told = [str(each) for each in (caught.value, *getattr(caught.value, "errors", ()))]
    assert any("medium" in each or "is missing" in each for each in told), told
    medium.insert()
    push()
    assert transload.verify("oci:site", deep=True).good
