"""Builds the one-file program from the environment that runs this script, so that it is what the tests ran with.

    python tools/pyz.py [-o dist/transload.pyz]

Here every part must be there; an installed transload (`pack --with-tool pyz`) says which it lacks.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from transload.app.onefile import one_file, undecided

ROOT = Path(__file__).resolve().parents[1]


def build(target: Path) -> None:
    """Write the program to `target`, executable; a half-written one never has its name."""
    check_parts()
    made = one_file()
    if made.lacks:
        sys.exit(f"tools/pyz.py: parts are not installed that {' and '.join(made.lacks)}: make .venv/ready")
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.part")
    beside.write_bytes(made.content)
    beside.chmod(0o755)
    beside.replace(target)


def check_parts() -> None:
    """End with a sentence when something is needed about which nothing has been decided."""
    if names := undecided():
        sys.exit(f"tools/pyz.py: decide in transload/app/onefile.py about {', '.join(sorted(names))}")


def main() -> None:
    """Build, and say how large it became."""
    parser = argparse.ArgumentParser(description="Build the one-file program.")
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "dist" / "transload.pyz")
    target: Path = parser.parse_args().out
    build(target)
    sys.stdout.write(f"{target}: {target.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
