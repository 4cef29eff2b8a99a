"""A process that writes into a layout until it is told to stop or is killed; run by the tests beside it.

writer.py loop LAYOUT SEED     images under tags that move, without end; a line for each
writer.py count LAYOUT SEED N  N images, each with a tag of its own
writer.py half LAYOUT          half of a blob, a line, and then nothing until the input ends
writer.py lock LAYOUT          hold the lock of the index, a line, and then nothing until the input ends
"""

import sys
from pathlib import Path

from transload.files import Folder
from transload.layout import LayoutStore
from transload.testing.contract import APP, blob
from transload.testing.images import Built, fill, image, signature
from transload.testing.layers import layer
from transload.threads import TaskGroup

SHARED = layer("shared", 20_000)
SAME = [blob("one", 5000), blob("two", 5000)]
HALF = blob("half", 3_000_000)


def written(seed: str, number: int) -> Built:
    """One of the images; every process writes the shared layer."""
    return image(f"{seed}/{number}", (SHARED, 3000, 400_000 if number % 4 == 0 else 10))


def loop(store: LayoutStore, seed: str) -> None:
    number = 0
    while True:
        built = written(seed, number)
        fill(store, built, APP, f"t{number % 5}")
        fill(store, signature(built), APP)
        print(number, flush=True)
        number += 1


def same(store: LayoutStore) -> None:
    def work() -> None:
        for turn in range(60):
            for content in SAME:
                with store.begin(APP, content.descriptor) as ingest:
                    ingest.write([content.read()[ingest.offset :]])
                    if turn % 3:
                        ingest.commit()

    with TaskGroup() as group:
        for _ in range(4):
            group.start(work)


def main() -> None:
    what, folder, *rest = sys.argv[1:]
    store = LayoutStore(folder, create=True)
    if what == "loop":
        loop(store, rest[0])
    elif what == "count":
        for number in range(int(rest[1])):
            fill(store, written(rest[0], number), APP, f"{rest[0]}{number}")
    elif what == "same":
        same(store)
    elif what == "lock":
        with Folder(Path(folder), (".transload",)).locked("lock"):
            print("locked", flush=True)
            sys.stdin.read()
    else:
        with store.begin(APP, HALF.descriptor) as ingest:
            ingest.write([HALF.read()[:2_000_000]])
            print("half", flush=True)
            sys.stdin.read()


if __name__ == "__main__":
    main()
