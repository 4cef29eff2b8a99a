"""Says what stands in the way of a release, and ends with 1 if anything does.

python tools/releasable.py v1.2.3
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import transload

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("transload-{}-py3-none-any.whl", "transload-{}.tar.gz", "transload.pyz", "transload.cdx.json")


def obstacles(tag: str, version: str, project: str, changelog: str, files: set[str]) -> Iterator[str]:
    """What is wrong with releasing `version` as `tag`: `project` is pyproject.toml, `files` what `make dist` left."""
    if tag != f"v{version}":
        yield f"the tag is {tag}, and src/transload says {version}"
    if ".invalid" in project.partition("[project.urls]")[2].partition("\n[")[0]:
        yield "[project.urls] in pyproject.toml has addresses that do not exist"
    headings = [line for line in changelog.splitlines() if line.startswith("## ")]
    if not headings or not headings[0].startswith(f"## {version}, ") or "unreleased" in headings[0]:
        yield f"CHANGELOG.md does not begin with a heading '## {version}, ' and the day"
    for part in PARTS:
        if part.format(version) not in files:
            yield f"dist/{part.format(version)} is missing: run make dist"


def main() -> None:
    """Look at this checkout."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    project, changelog = ((ROOT / name).read_text() for name in ("pyproject.toml", "CHANGELOG.md"))
    dist = ROOT / "dist"
    files = {path.name for path in dist.iterdir()} if dist.is_dir() else set()
    found = list(obstacles(sys.argv[1], transload.__version__, project, changelog, files))
    for obstacle in found:
        sys.stderr.write(f"tools/releasable.py: {obstacle}\n")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
