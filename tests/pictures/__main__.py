"""Makes the pictures of the documentation, in docs/pictures: `make pictures`.

The program runs for real, on releases that are generated. A picture stays as it is if only times, rates and what moves
at a moment would differ; delete it to have it made anew. Those of the report change with each run.
"""

from __future__ import annotations

import sys

from tests.docs.pages import DOCS
from tests.pictures.diagrams import draw_diagrams
from tests.pictures.pages import draw_pages
from tests.pictures.scenes import draw_terminals

FOLDER = DOCS / "pictures"


def main() -> None:
    """Make all, or those whose kind is named: terminals, pages."""
    wanted = sys.argv[1:] or ["terminals", "pages"]
    FOLDER.mkdir(exist_ok=True)
    before = _pictures()
    draw_diagrams(FOLDER)
    if "terminals" in wanted:
        draw_terminals(FOLDER)
    if "pages" in wanted:
        draw_pages(FOLDER)
    changed = [name for name, content in _pictures().items() if before.get(name) != content]
    print(f"changed in {FOLDER}: {', '.join(changed)}" if changed else f"{FOLDER}: no picture has changed")


def _pictures() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.is_file()}


if __name__ == "__main__":
    main()
