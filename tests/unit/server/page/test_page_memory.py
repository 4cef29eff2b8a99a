"""What pages cost: documents are read one at a time, once, and the API answers meanwhile."""

from __future__ import annotations

import threading
import tracemalloc
from pathlib import Path

from tests.unit.server.asking import ask
from tests.unit.server.page.content import SPDX, app, attached, spdx
from transload.layout import LayoutStore
from transload.server import Served, serve
from transload.testing.images import Built, fill

HTML = {"Accept": "text/html"}
ONE = app("one")


def bills(store: LayoutStore, count: int, packages: int) -> list[Built]:
    made = [
        attached(ONE.descriptor, [(spdx(f"package-{bill}-{number}" for number in range(packages)), SPDX)])
        for bill in range(count)
    ]
    fill(store, ONE, "a/b", "1")
    for bill in made:
        fill(store, bill, "a/b")
    return made


def peak(served: Served, documents: list[Built]) -> int:
    """The most memory of Python's, in bytes, while all these documents are asked for at once."""
    paths = [f"/document/a/b@{document.digest}?layer=0" for document in documents]
    statuses: list[int] = []
    askers = [
        threading.Thread(target=lambda path=path: statuses.append(ask(served, "GET", path, headers=HTML).status))
        for path in paths
    ]
    tracemalloc.start()
    try:
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        assert statuses == [200] * len(paths)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_documents_are_read_one_at_a_time(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "site", create=True)
    first, *others = bills(store, 7, 3000)
    with serve(store) as served:
        ask(served, "GET", "/", headers=HTML)  # the templates are compiled
        alone = peak(served, [first])
        together = peak(served, others)
    assert together < 3 * alone, "six at once took more than one, beside what is kept of each"


class Counted(LayoutStore):
    """Counts what is opened."""

    opened = 0

    def open(self, *arguments, **named):  # type: ignore[no-untyped-def]  # as the store's
        self.opened += 1
        return super().open(*arguments, **named)


def test_a_document_is_read_once_also_if_it_cannot_be_shown(tmp_path: Path) -> None:
    LayoutStore(tmp_path / "site", create=True)
    store = Counted(tmp_path / "site")
    [bill] = bills(store, 1, 50)
    broken = attached(ONE.descriptor, [(b"{", SPDX)])
    fill(store, broken, "a/b")
    with serve(store) as served:
        for document in (bill, broken):
            store.opened = 0
            for query in ("", "&page=2", "&q=package"):
                path = f"/document/a/b@{document.digest}?layer=0{query}"
                assert ask(served, "GET", path, headers=HTML).status == 200
            assert store.opened == 1
