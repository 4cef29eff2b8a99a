"""Everything that a store has, taken without naming it."""

from pathlib import Path

import pytest

from transload.app.job import Job
from transload.app.location import Location
from transload.app.network import Network
from transload.app.selection import select
from transload.app.settings import Environment
from transload.app.stores import Logins, Stores
from transload.cli.main import main
from transload.errors import UsageError
from transload.layout import LayoutStore
from transload.planning import Referrers
from transload.testing.images import artifact, fill, image, signature
from transload.threads import Cancellation


def items(folder: Path, to: str, **more: object) -> dict[str, str]:
    job = Job(sets=(), target=Location.parse(to), origin=Location.parse(f"oci:{folder}"), **more)  # type: ignore[arg-type]
    with Stores(Environment(state=folder.parent / "state"), Network(), Logins(), Cancellation()) as stores:
        found = select(job, stores, Cancellation())
    return {str(item.source): str(item.target) for item in found.items}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = LayoutStore(tmp_path / "folder", create=True)
    for name in ("b:1", "a:2", "a:1"):
        fill(store, image(name), *name.split(":"))
    fill(store, image("bare"), "", "v1")
    return tmp_path / "folder"


def test_names_come_in_order_and_bare_tags_get_the_prefix_as_their_repository(folder: Path) -> None:
    assert list(items(folder, "registry.local/site").items()) == [
        ("a:1", "site/a:1"),
        ("a:2", "site/a:2"),
        ("b:1", "site/b:1"),
        (":v1", "site:v1"),
    ]


def test_a_bare_tag_without_a_prefix_is_not_passed_over(folder: Path) -> None:
    with pytest.raises(UsageError, match="without a repository") as caught:
        items(folder, "registry.local")
    assert caught.value.hint == "say which repository it goes to: --to registry.local/NAME"
    assert items(folder, "registry.local", images=("b",)) == {"b:1": "b:1"}


def test_a_selection_brings_its_open_store_along(folder: Path) -> None:
    origin = Location.parse(f"oci:{folder}")
    with Stores(Environment(state=folder.parent / "state"), Network(), Logins(), Cancellation()) as stores:
        for words in ((), ("a:1",)):
            job = Job(sets=words, target=Location.parse("oci:out"), origin=origin)
            selection = select(job, stores, Cancellation())
            assert selection.sources == {origin.locator: stores.source(origin)}
            assert {item.source_store for item in selection.items} == {origin.locator}


def test_lists_of_referrers_are_no_images_and_signatures_are_left_on_demand(folder: Path) -> None:
    """A target that gets the source's list would lose what its own has, and get it again each night."""
    store, signed = LayoutStore(folder), image("a:1")
    encoded = signed.digest.encoded
    fill(store, artifact("a list"), "a", f"sha256-{encoded}")
    fill(store, artifact("cosign"), "a", f"sha256-{encoded}.sig")
    fill(store, signature(signed), "a")
    everything = {"a:1", "a:2", "b:1", ":v1"}
    assert set(items(folder, "oci:out")) == everything | {f"a:sha256-{encoded}.sig"}
    assert set(items(folder, "oci:out", referrers=Referrers.LEFT)) == everything
    named = f"a:sha256-{encoded}"
    assert set(items(folder, "oci:out", images=("a",))) == {"a:1", "a:2", f"{named}.sig"}
    assert set(items(folder, "oci:out", images=("a",), referrers=Referrers.LEFT)) == {"a:1", "a:2"}
    for tag in (named, f"{named}.sig"):
        assert set(items(folder, "oci:out", images=(tag,), referrers=Referrers.LEFT)) == {tag}


def test_a_store_with_signatures_is_copied_once_and_for_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, signed = LayoutStore(folder), image("a:1")
    tag = f"sha256-{signed.digest.encoded}"
    fill(store, artifact("a list"), "a", tag)
    fill(store, artifact("cosign"), "a", f"{tag}.sig")
    words = ["mirror", "--from", f"oci:{folder}", "--to", f"oci:{folder.parent / 'copy'}"]
    assert main(words) == 0
    told = capsys.readouterr()
    assert "5 copied" in told.out
    assert "1 tag has a list of referrers and no image" in told.err + told.out
    assert main(words) == 0
    assert "5 unchanged" in capsys.readouterr().out
