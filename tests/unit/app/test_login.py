"""A login is for one registry: where more than one could be meant, nobody is sent anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.registry.wire import Asked, Said, Wire, refused, serving
from transload.app.location import Location
from transload.app.network import Network
from transload.app.saved import prepare_saved
from transload.app.settings import Environment
from transload.app.stores import Logins, Stores
from transload.cli.main import main
from transload.errors import AccessDenied, NotFound, UsageError
from transload.login import Login, Secret
from transload.oci import Name
from transload.planning import Plan
from transload.planning.plan import PlannedImage
from transload.threads import Cancellation

USAGE, ACCESS = 2, 3
VERBS = {
    "mirror": ["--to", "oci:out"],
    "plan": ["--to", "oci:out"],
    "verify": ["--to", "oci:out"],
    "pack": ["-o", "bundle"],
}


def asking_who(asked: Asked) -> Said:
    """Lists tags to whoever has a password."""
    if not asked.headers.get("Authorization"):
        return refused(401, WWW_Authenticate='Basic realm="r"')
    if asked.path.endswith("/tags/list"):
        return Said(200, {"Content-Type": "application/json"}, json.dumps({"tags": ["v1.0.0"]}).encode())
    return refused(404, "MANIFEST_UNKNOWN")


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Wire, Wire]]:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("TRANSLOAD_SOURCE_USERNAME", "ann")
    monkeypatch.setenv("TRANSLOAD_SOURCE_PASSWORD", "geheim")
    with serving(asking_who) as one, serving(asking_who) as other:
        yield one, other


def catalog(name: str, registry: str) -> str:
    path = Path(f"{name}.yaml")
    path.write_text(
        f"{{kind: Catalog, version: 1, name: {name}, registry: '{registry}', repository: {name}, anchor: a,"
        " releases: [{tag: v0.9.0, images: [a]}]}"
    )
    return str(path)


def image_set(*uses: str) -> str:
    Path("set.yaml").write_text("kind: ImageSet\nversion: 1\ncatalogs:\n" + "".join(f"- {use}\n" for use in uses))
    return "set.yaml"


def sets(kind: str, one: str, other: str) -> list[str]:
    match kind:
        case "an image set with catalogs":
            catalog("x", one)
            return [image_set("{file: x.yaml}", f"{{file: x.yaml, registry: '{other}', target: t}}")]
        case "an image set with images":
            Path("set.yaml").write_text(
                f"kind: ImageSet\nversion: 1\nimages: ['{one}/x/a:1', '{other}/x/b:1']\ncatalogs: [{{file: x.yaml}}]\n"
            )
            catalog("x", one)
            return ["set.yaml"]
        case "catalogs":
            return [catalog("x", one), catalog("y", other)]
        case "a catalog and a reference":
            return [catalog("x", one), f"{other}/x/b:1"]
        case "a list":
            Path("list.txt").write_text(f"{one}/x/a:1\n{other}/x/b:1\n")
            return ["list.txt"]
        case _:
            return [f"{one}/x/a:1", f"{other}/x/b:1"]


KINDS = [
    "an image set with catalogs",
    "an image set with images",
    "catalogs",
    "a catalog and a reference",
    "a list",
    "references",
]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", KINDS)
def test_two_registries_and_one_login(
    kind: str, verb: str, two: tuple[Wire, Wire], capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = two
    assert main([verb, *sets(kind, one.host, other.host), *VERBS[verb]]) == USAGE
    assert f"come from several registries: {', '.join(sorted((one.host, other.host)))}" in capsys.readouterr().err
    assert (one.asked, other.asked) == ([], [])


def test_a_login_named_with_its_registry_goes_to_that_one(
    two: tuple[Wire, Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two
    monkeypatch.setenv("TRANSLOAD_SOURCE_REGISTRY", one.host)
    main(["plan", f"{one.host}/x/a:1", f"{other.host}/x/b:1", "--to", "oci:out"])
    assert any(asked.headers.get("Authorization") for asked in one.asked)
    assert not any(asked.headers.get("Authorization") for asked in other.asked)


def test_a_saved_plan_of_two_sources(two: tuple[Wire, Wire], tmp_path: Path) -> None:
    one, other = two
    logins = Logins(source=Login("ann", Secret("geheim")))
    name = Name("a", "1")
    images = tuple(
        PlannedImage(source_store=host, source=name, target=name, status="failed", error=NotFound("no"))
        for host in (one.host, other.host, f"oci:{tmp_path}")
    )
    plan = Plan(target=f"oci:{tmp_path / 'out'}", images=images, steps=(), manifests={})
    stores = Stores(Environment(state=tmp_path), Network(), logins, Cancellation())
    with stores, pytest.raises(UsageError, match="several registries"):
        prepare_saved(plan, stores)
    assert (one.asked, other.asked) == ([], [])


def test_till_the_registry_is_known_the_login_is_kept(two: tuple[Wire, Wire], tmp_path: Path) -> None:
    logins = Logins(source=Login("ann", Secret("geheim")))
    stores = Stores(Environment(state=tmp_path), Network(), logins, Cancellation())
    with stores, pytest.raises(AccessDenied):
        list(stores.source(Location("registry", two[0].host)).tags("a"))
    assert [asked.headers.get("Authorization") for asked in two[0].asked] == [None]


def test_releases_ask_one_registry(two: tuple[Wire, Wire], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = two
    for name, value in {"REGISTRY": one.host, "USERNAME": "ann", "PASSWORD": "geheim"}.items():
        monkeypatch.setenv(f"SOURCE_DOCKER_{name}", value)
    assert main(["releases", catalog("x", one.host), "--to", f"{other.host}/x"]) == ACCESS
    assert any(asked.headers.get("Authorization") for asked in one.asked)
    assert not any(asked.headers.get("Authorization") for asked in other.asked)
