"""`transload prune` on folders and served registries: what is shown is what goes, and what stays is whole."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from transload.app.location import Location
from transload.app.network import Network
from transload.app.pruning import Wish, prune_store
from transload.app.settings import Environment
from transload.app.stores import Logins, Stores
from transload.cli.main import main
from transload.errors import AccessDenied
from transload.layout import LayoutStore
from transload.layout.blobs import Blobs
from transload.memory import MemoryStore
from transload.oci import Digest, Manifest, Name
from transload.oci.mediatype import OCI_MANIFEST
from transload.ports import Target
from transload.pruning.plan import PrunePlan
from transload.report.texts import size
from transload.server import ServeSettings, serve
from transload.testing.images import Built, fill, image, index, multi_platform, put, signature
from transload.testing.releases import release
from transload.threads import Cancellation

OLD = ("v1.1.0", "v1.2.0")
KEPT = ("v1.3.0", "v1.4.0")
RULE = ["--remove-tags", "v1.*", "--keep", "2"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


def fill_releases(store: Target) -> dict[str, dict[str, Built]]:
    """Four releases that share layers, an index in each, and a signature of one image."""
    releases: dict[str, dict[str, Built]] = {}
    for version, tag in enumerate((*OLD, *KEPT), 1):
        built = dict(release(images=4, size=200_000, version=version).images)
        built["many"] = multi_platform(f"many{version}")
        releases[tag] = built
        for name, one in built.items():
            fill(store, one, f"mirror/{name}", tag)
        signed = built["controller"]
        fill(store, signature(signed), "mirror/controller")
        fill(store, image(f"sig{version}"), "mirror/controller", f"sha256-{signed.digest.encoded}.sig")
    return releases


def check_whole(store: Target) -> list[Name]:
    """Every name that the store has, after reading all that each leads to."""
    names = [Name(repository, tag) for repository in store.repositories() for tag in store.tags(repository)]
    for name in names:
        waiting = [store.fetch(name)]
        while waiting:
            manifest = waiting.pop()
            assert all(store.exists(name.repository, blob) for blob in manifest.blobs)
            waiting += [store.fetch(name.at(child.digest)) for child in manifest.manifests]
    return names


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "blobs").rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def _filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled") / "folder"
    fill_releases(LayoutStore(folder, create=True))
    return folder


@pytest.fixture
def folder(tmp_path: Path, _filled: Path) -> Path:
    return shutil.copytree(_filled, tmp_path / "folder")


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["prune", *words])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def result(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    main(["prune", *words, "--output", "json"])
    last: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return last


class Serve(Protocol):
    """Serves a store until the test ends, and gives its host and port."""

    def __call__(self, store: Target, *, writable: bool = True) -> str: ...


@pytest.fixture
def served() -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(store: Target, *, writable: bool = True) -> str:
            settings = ServeSettings(writable=writable)
            return stack.enter_context(serve(store, settings)).host_port

        yield start


# --- a folder


def test_without_yes_nothing_is_deleted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(path for path in folder.rglob("*"))
    code, text = told(capsys, f"oci:{folder}", *RULE)
    assert code == 0
    assert "in mirror/: controller, controller-db, database, many" in text
    assert "12 names in 5 repositories and" in text
    assert "nothing was deleted yet; to do it, add --yes" in text
    assert sorted(path for path in folder.rglob("*")) == before


def test_what_is_freed_is_what_was_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = on_disk(folder)
    shown = result(capsys, f"oci:{folder}", *RULE)
    done = result(capsys, f"oci:{folder}", *RULE, "--yes")
    assert done["bytes"] == shown["bytes"] == before - on_disk(folder) > 0
    assert (done["applied"], shown["applied"], done["left"], done["errors"]) == (True, False, [], [])
    assert done["deleted"] == [name["name"] for name in done["names"]]  # type: ignore[attr-defined]
    names = check_whole(LayoutStore(folder))
    assert {name.tag for name in names if name.tag in {*OLD, *KEPT}} == set(KEPT)
    assert len([name for name in names if "sig" in (name.tag or "")]) == 2
    assert told(capsys, f"oci:{folder}", *RULE, "--yes") == (
        0,
        f"nothing goes; {len(names)} names stay\n",
    )


def test_the_signatures_of_what_stays_stay(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = {LayoutStore(folder).fetch(Name("mirror/controller", tag)).digest for tag in KEPT}
    told(capsys, f"oci:{folder}", *RULE, "--yes")
    store = LayoutStore(folder)
    listed = set(store.prunes.listed())
    assert all(store.refers.referrers("", digest) for digest in kept)
    assert len(listed) < 30


class Killed(BaseException):
    """As `kill -9` between two deletions."""


class Dying(Blobs):
    """Blobs of which the process deletes some and then dies."""

    left = 3

    def delete(self, digest: Digest) -> None:
        if not self.left:
            raise Killed
        self.left -= 1
        super().delete(digest)


def test_a_prune_that_was_killed_goes_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = on_disk(folder)
    shown = result(capsys, f"oci:{folder}", *RULE)
    plan = plan_for(folder)
    prunes = LayoutStore(folder).prunes
    prunes._blobs = Dying(folder)
    with pytest.raises(Killed):
        prunes.prune({going.name: going.digest for going in plan.names}, plan.sizes)
    check_whole(LayoutStore(folder))
    assert before - on_disk(folder) < shown["bytes"]  # type: ignore[operator]
    again = result(capsys, f"oci:{folder}", *RULE, "--yes")
    assert (again["names"], again["applied"]) == ([], True)
    assert before - on_disk(folder) == shown["bytes"]
    assert not LayoutStore(folder).prunes.unfinished()
    check_whole(LayoutStore(folder))


def plan_for(folder: Path) -> PrunePlan:
    wish = Wish(remove_tags=(re.compile("v1.*"),), keep=2)
    with Stores(Environment(), Network(), Logins(), Cancellation()) as stores:
        location = Location.parse(f"oci:{folder}")
        return prune_store(location, wish, stores, Cancellation(), apply=False).plan


def test_what_came_after_it_was_shown_stays(folder: Path) -> None:
    plan = plan_for(folder)
    store = LayoutStore(folder)
    moved, new = Name("mirror/controller", "v1.1.0"), Name("new", "latest")
    fill(store, image("other"), moved.repository, moved.tag)
    store.put_manifest(new, store.fetch(Name("mirror/many", "v1.1.0")))
    pruned = store.prunes.prune({going.name: going.digest for going in plan.names}, plan.sizes)
    assert moved not in pruned.names
    assert {moved, new} <= set(check_whole(store))


def test_nothing_goes_while_a_manifest_cannot_be_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digest = LayoutStore(folder).resolve(Name("mirror/many", "v1.4.0")).digest
    Blobs(folder).path(digest).write_bytes(b"{}")
    before = on_disk(folder)
    code, text = told(capsys, f"oci:{folder}", *RULE, "--yes")
    assert code == 6
    assert "nobody knows what is needed there" in text
    assert on_disk(folder) == before


def test_images_without_a_tag_go_if_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = LayoutStore(tmp_path / "loose", create=True)
    fill(store, image("tagged"), "app", "1")
    fill(store, image("loose"), "app")
    before = on_disk(tmp_path / "loose")
    done = result(capsys, "oci:loose", "--untagged", "--yes")
    assert done["bytes"] == before - on_disk(tmp_path / "loose") > 0
    assert [str(name) for name in check_whole(store)] == ["app:1"]


def test_many_images_are_pruned_in_one_pass(tmp_path: Path) -> None:
    """Each manifest is read a fixed number of times, however many there are."""
    store = LayoutStore(tmp_path / "many", create=True)
    for number in range(60):
        fill(store, image(number, layers=(10,)), f"app{number % 3}", f"v{number}")
    reads = []

    class Counted(Blobs):
        def read(self, digest: Digest, limit: int) -> bytes:
            reads.append(digest)
            return super().read(digest, limit)

    names = {Name(f"app{number % 3}", f"v{number}"): image(number, layers=(10,)).digest for number in range(30)}
    prunes = store.prunes
    prunes._blobs = Counted(tmp_path / "many")
    pruned = prunes.prune(names, dict.fromkeys(names.values(), 0))
    assert (len(pruned.names), len(reads)) == (30, 30)


def test_what_no_image_needs_goes_if_it_is_old(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = LayoutStore(folder)
    for tag in OLD:
        store.deletes.delete_manifest(Name("mirror/many", tag))
    young = image("young")
    put(store, "", next(young.walk_contents()))
    before, shown = on_disk(folder), result(capsys, f"oci:{folder}", "--unused")
    assert (shown["names"], shown["bytes"]) == ([], 0)
    yesterday = time.time() - 90_000
    for path in (folder / "blobs" / "sha256").iterdir():
        if path.name != next(young.walk_contents()).descriptor.digest.encoded:
            os.utime(path, (yesterday, yesterday))
    done = result(capsys, f"oci:{folder}", "--unused", "--yes")
    assert done["bytes"] == before - on_disk(folder) > 0
    assert store.exists("", next(young.walk_contents()).descriptor)
    assert len(check_whole(LayoutStore(folder))) == 22
    assert result(capsys, f"oci:{folder}", "--unused", "--yes")["bytes"] == 0


def test_a_folder_is_pruned_while_another_process_writes_to_it(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The writer puts what the pruner deletes, again and again; each image is then whole, or it was refused."""
    words = [sys.executable, "-c", WRITER, str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == "ready\n"
        for _ in range(6):
            assert main(["prune", f"oci:{folder}", *RULE, "--yes", "-q"]) in {0, 10}
        writer.stdin.close()
        stored, refused = map(int, writer.stdout.readline().split())
    assert writer.returncode == 0
    capsys.readouterr()
    assert stored > 0
    names = check_whole(LayoutStore(folder))
    assert {Name("mirror/many", tag) for tag in KEPT} <= set(names)


WRITER = """
import sys, threading
from pathlib import Path
from transload.errors import NotFound
from transload.errors import AccessDenied
from transload.layout import LayoutStore
from transload.oci import Name
from transload.testing.images import fill, multi_platform

store = LayoutStore(Path(sys.argv[1]))
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
stored = refused = 0
built = multi_platform("many1")
fill(store, built, "mirror/many", "v1.1.0")
print("ready", flush=True)
while not ended.is_set() or not stored:
    try:
        fill(store, built, "mirror/many", "v1.1.0")
        stored += 1
    except NotFound:
        refused += 1
print(stored, refused, flush=True)
"""


def test_a_served_folder_is_pruned_through_the_server_and_then_freed(
    served: Serve, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = result(capsys, f"oci:{folder}", *RULE)["bytes"]
    before = on_disk(folder)
    host = served(LayoutStore(folder))
    done = result(capsys, f"{host}/mirror", *RULE, "--yes")
    assert (done["errors"], done["left"], done["bytes"]) == ([], [], wanted)
    check_whole(LayoutStore(folder))
    yesterday = time.time() - 90_000
    for path in (folder / "blobs" / "sha256").iterdir():
        os.utime(path, (yesterday, yesterday))
    unused = on_disk(folder)
    told = folder.parent / "told"
    words = ["prune", f"oci:{folder}", "--unused", "--yes", "-q", "--notify-command", f"touch {told}"]
    assert main(words) == 0
    assert capsys.readouterr().out == f"deleted: {size(unused - on_disk(folder))} that no image needs\n"
    assert told.exists(), "something was deleted, although it had no name"
    told.unlink()
    assert main(words) == 0
    assert not told.exists()
    assert before - on_disk(folder) == wanted
    check_whole(LayoutStore(folder))


# --- a registry


def test_a_registry_keeps_what_stays_whole(served: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    store = MemoryStore()
    fill_releases(store)
    fill(store, image("outside"), "outside", "v1.0.0")
    target = f"{served(store)}/mirror"
    shown = result(capsys, target, *RULE)
    done = result(capsys, target, *RULE, "--yes")
    assert (done["names"], done["errors"], done["left"]) == (shown["names"], [], [])
    assert done["deleted_manifests"] == shown["manifests"]
    names = check_whole(store)
    assert {name.tag for name in names if name.repository != "outside"} & {*OLD, *KEPT} == set(KEPT)
    assert Name("outside", "v1.0.0") in names
    code, text = told(capsys, target, *RULE)
    assert (code, text.splitlines()[-1]) == (0, f"nothing goes; {len(names) - 1} names stay")


def test_it_says_who_frees_the_bytes(served: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    store = MemoryStore()
    fill_releases(store)
    code, text = told(capsys, f"{served(store)}/mirror", *RULE)
    assert code == 0
    assert "prune the folder that it serves" in " ".join(text.split())
    assert "were not looked at" in " ".join(text.split())


def prune_meanwhile(host: str, meanwhile: Callable[[], object]) -> tuple[int, dict[str, str]]:
    """Prune by the rule; `meanwhile` happens after the plan was shown. The exit code, and what was left and why."""
    wish = Wish(remove_tags=(re.compile("v1.*"),), keep=2)
    with Stores(Environment(), Network(), Logins(), Cancellation()) as stores:
        location = Location.parse(f"{host}/mirror")
        done = prune_store(location, wish, stores, Cancellation(), apply=True, shown=lambda _: meanwhile())
    return done.exit_code, {str(left.name): left.why for left in done.left}


def test_a_tag_that_moved_since_it_was_shown_stays(served: Serve) -> None:
    store = MemoryStore()
    fill_releases(store)
    other = image("other")
    code, left = prune_meanwhile(served(store), lambda: fill(store, other, "mirror/many", "v1.1.0"))
    assert code == 10
    assert left == {"mirror/many:v1.1.0": f"it stands for another image now: {other.digest.short}"}
    assert store.resolve(Name("mirror/many", "v1.1.0")).digest == other.digest
    check_whole(store)


def test_a_new_tag_keeps_its_manifest(served: Serve) -> None:
    store = MemoryStore()
    built = fill_releases(store)["v1.1.0"]["many"]
    child = built.children[0]

    def tag_them() -> None:
        store.put_manifest(Name("mirror/many", "latest"), store.fetch(Name("mirror/many", "v1.1.0")))

    code, left = prune_meanwhile(served(store), tag_them)
    assert (code, left) == (10, {"mirror/many:v1.1.0": "something that is new there needs its manifest"})
    assert store.fetch(Name("mirror/many", "latest")).digest == built.digest
    assert store.fetch(Name("mirror/many", None, child.digest)).digest == child.digest
    check_whole(store)


def test_a_new_index_keeps_its_children(served: Serve) -> None:
    store = MemoryStore()
    built = fill_releases(store)["v1.1.0"]["many"]
    child = built.children[0]
    code, left = prune_meanwhile(served(store), lambda: fill(store, index([child]), "mirror/many", "new"))
    assert (code, left) == (0, {})
    assert store.fetch(Name("mirror/many", None, child.digest)).digest == child.digest
    check_whole(store)


def test_a_registry_that_deletes_nothing_is_told_once(served: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    store = MemoryStore()
    fill_releases(store)
    host = served(store, writable=False)
    before = check_whole(store)
    code, text = told(capsys, f"{host}/mirror", *RULE, "--yes")
    assert code == 7
    assert f"{host} answers 405" in " ".join(text.split())
    assert check_whole(store) == before


class Greedy(MemoryStore):
    """A registry that deletes the whole manifest when it is asked for a tag, as decision 24 tells."""

    def delete_manifest(self, name: Name) -> None:
        super().delete_manifest(name if name.digest else name.at(self.resolve(name).digest))


def test_a_registry_that_deletes_more_than_a_tag_gets_the_image_back(served: Serve) -> None:
    store = Greedy()
    for tag in ("v1.1.0", "latest"):
        fill(store, image("one"), "mirror/app", tag)
    for tag in KEPT:
        fill(store, image(tag), "mirror/app", tag)
    code, left = prune_meanwhile(served(store), lambda: None)
    assert (code, left) == (0, {})
    assert sorted(store.tags("mirror/app")) == ["latest", *KEPT]
    check_whole(store)


def test_a_manifest_that_cannot_be_read_keeps_its_repository(served: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    store = MemoryStore()
    fill_releases(store)
    raw = b'{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "manifests": 7}'
    strange = Manifest.parse(
        b'{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.empty.v1+json","size":2,"digest":"'
        + str(Digest.of(b"{}")).encode()
        + b'"},"layers":[]}',
        OCI_MANIFEST,
    )
    store.point_lacking(Name("mirror/many", "broken"), strange)
    object.__setattr__(strange, "raw", raw)
    code, text = told(capsys, f"{served(store)}/mirror", *RULE, "--yes")
    assert code == 6
    assert "stays: mirror/many:v1.1.0, mirror/many:v1.2.0" in " ".join(text.split())
    assert sorted(store.tags("mirror/many")) == sorted(["broken", *OLD, *KEPT])
    assert sorted(tag for tag in store.tags("mirror/controller-db")) == sorted(KEPT)


# --- wrong input


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["oci:folder"], 2, "no rule says what goes"),
        (["oci:folder", "--keep", "3"], 2, "--keep does not say what is counted"),
        (["oci:folder", "--keep", "0", "--catalog", "arcdata"], 2, "--keep 0 would keep nothing"),
        (["oci:folder", "--keep", "-1", "--catalog", "arcdata"], 2, "--keep -1 would keep nothing"),
        (["oci:folder", "--catalog", "arcdata"], 2, "does not say how many"),
        (["oci:folder", "--keep", "1", "--catalog", "arcdata"], 4, "oci:folder holds no release of arcdata"),
        (["docker:app:1", "--untagged"], 2, "docker"),
        (["oci:folder", "--keep", "1", "--catalog", "nonesuch"], 4, "nonesuch"),
        (["oci:folder", "--remove-tags", ".*"], 2, "this rule would delete every image of oci:folder"),
        (["oci:folder", "--remove-tags", "(a+)+b"], 2, "could take for ever"),
        (["oci:folder", "--remove-tags", "v1.*", "--keep-since", "soon"], 2, "write a day or an age"),
        (["oci:absent", "--untagged"], 8, "there is no folder"),
        (["bundle:b", "--untagged"], 2, "cannot be pruned"),
        (["archive:a.tar", "--untagged"], 2, "cannot be pruned"),
        (["oci:folder", "--untagged", "--repository", "NO"], 2, "NO"),
        (["oci:empty", "--untagged"], 4, "there is no image"),
    ],
)
def test_wrong_input_is_one_sentence(
    words: list[str], code: int, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    LayoutStore("empty", create=True)
    before = on_disk(folder)
    ended, text = told(capsys, *words, "--yes")
    assert (ended, said in " ".join(text.split())) == (code, True), text
    assert on_disk(folder) == before


def test_a_prefix_without_repositories_is_no_success(served: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    store = MemoryStore()
    fill_releases(store)
    code, text = told(capsys, f"{served(store)}/miror", *RULE)
    assert (code, "did you mean" in text or "has no image under miror" in text) == (4, True)


def test_a_repository_may_be_emptied_only_if_that_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(LayoutStore(folder), image("alone"), "mirror/gone", "v0.1.0")
    words = (f"oci:{folder}", "--remove-tags", "v0.*", "--yes")
    code, text = told(capsys, *words)
    assert (code, "would delete every image of mirror/gone" in " ".join(text.split())) == (2, True)
    assert told(capsys, *words, "--allow-empty")[0] == 0
    assert "mirror/gone" not in set(LayoutStore(folder).repositories())


def test_exactly_a_set_is_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("set.txt").write_text("registry.test/mirror/many:v1.4.0\nregistry.test/mirror/controller:v1.1.0\n")
    done = result(capsys, f"oci:{folder}", "--set", "set.txt", "--allow-empty", "--yes")
    assert done["errors"] == []
    names = {str(name) for name in check_whole(LayoutStore(folder)) if "sha256" not in (name.tag or "")}
    assert names == {"mirror/many:v1.4.0", "mirror/controller:v1.1.0"}


def test_the_rules_of_a_file_are_judged_on_what_is_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("rules.yaml").write_text(
        "{kind: ImageSet, version: 1, images: [{source: nobody.invalid/mirror/many, tags: {newest: 3}}]}"
    )
    done = result(capsys, f"oci:{folder}", "--rules", "rules.yaml", "--yes")
    assert (done["deleted"], done["errors"]) == (["mirror/many:v1.1.0"], [])
    assert len(check_whole(LayoutStore(folder))) == 23
    code, text = told(capsys, f"oci:{folder}", "--rules", "absent.yaml")
    assert (code, "absent.yaml" in text) == (8, True)
    code, text = told(capsys, "oci:folder", "--rules", "rules.yaml", "--repository", "mirror/controller")
    assert (code, "speaks of no repository" in text) == (2, True)


def test_one_repository_of_a_folder_may_share_with_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = LayoutStore(tmp_path / "shared", create=True)
    for repository, tag in (("a", "v1"), ("a", "v2"), ("b", "v1")):
        fill(store, image("same" if tag == "v1" else "other"), repository, tag)
    before = on_disk(tmp_path / "shared")
    done = result(capsys, "oci:shared", "--remove-tags", "v1", "--repository", "a", "--yes")
    assert (done["deleted"], done["bytes"], on_disk(tmp_path / "shared")) == (["a:v1"], 0, before)
    assert {str(name) for name in check_whole(store)} == {"a:v2", "b:v1"}
    assert told(capsys, "oci:shared", "--remove-tags", "v1", "--repository", "absent")[0] == 4


class Private(MemoryStore):
    """A registry that does not show the tags of one repository."""

    def tags(self, repository: str) -> Iterator[str]:
        if repository == "mirror/many":
            raise AccessDenied("the tags of mirror/many are not for you")
        return super().tags(repository)


def test_a_repository_that_cannot_be_listed_is_told_and_left(served: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    store = Private()
    fill_releases(store)
    code, text = told(capsys, f"{served(store)}/mirror", *RULE, "--yes")
    assert code == 3, text
    assert "not read: mirror/many:" in text
    assert sorted(MemoryStore.tags(store, "mirror/many")) == sorted([*OLD, *KEPT])
    assert sorted(store.tags("mirror/controller-db")) == sorted(KEPT)
