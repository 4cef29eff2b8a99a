"""A run imports what it uses: nobody waits for charts, lists, bundles or YAML that they do not have."""

import subprocess
import sys
from pathlib import Path

from transload.memory import MemoryStore
from transload.server import ServeSettings, serve
from transload.testing.images import fill, image

SELDOM = (
    "transload.bundle",
    "transload.charts",
    "transload.discovery",
    "transload.catalog.catalog",
    "transload.catalog.lists",
    "transload.catalog.setfile",
    "transload.catalog.versionrange",
    "transload.documents.value",
    "transload.engines.api",
    "transload.planning.additions",
    "transload.cli.passwords",
    "transload.files.readback",
    "transload.registry.deleting",
    "transload.registry.parts",
    "transload.registry.probing",
    "transload.registry.room",
    "transload.registry.segments",
    "transload.registry.together",
    "transload.report.jsonl",
    "transload.report.reportfile",
    "transload.report.several",
    "transload.trust",
    "aiohttp",
    "attr",
    "cryptography",
    "rich",
    "yaml",
    "asyncio",
    "encodings.idna",
    "statistics",  # brings fractions and decimal
    "tarfile",
)
# What an unchanged run over HTTP imports. Raise a number only for what such a run uses; see docs/architecture.md.
OURS, ALL, CLASSES = 205, 436, 143


PROGRAM = """
import sys
from transload.cli.main import main

assert main(sys.argv[1:]) == 0
ours = [module for name, module in list(sys.modules.items()) if name.split(".")[0] == "transload"]
classes = [
    kind
    for module in ours
    for kind in vars(module).values()
    if isinstance(kind, type) and kind.__module__ == module.__name__ and "__fields_of_its_own__" in vars(kind)
]
print(len(classes), *sys.modules)
"""


def imported_by(folder: Path, *words: str) -> tuple[set[str], int]:
    """What a run imports, and how many classes of values that makes: each costs as much as a small module."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        timeout=60,
        env={"HOME": str(folder)},
    )
    classes, *names = done.stdout.splitlines()[-1].split()
    return set(names), int(classes)


def test_an_unchanged_mirror_imports_no_more_than_it_uses(tmp_path: Path) -> None:
    source = MemoryStore()
    fill(source, image("kept"), "app", "v1")
    with serve(source) as published, serve(MemoryStore(), ServeSettings(writable=True)) as private:
        listed = tmp_path / "images.txt"
        listed.write_text(f"{published.host_port}/app:v1\n")
        words = ("mirror", str(listed), "--to", private.host_port)
        imported_by(tmp_path, *words)
        imported, classes = imported_by(tmp_path, *words)
    assert "transload.registry.store" in imported
    assert not {name for name in imported if name in SELDOM or name.startswith(tuple(f"{one}." for one in SELDOM))}
    ours = {name for name in imported if name.split(".")[0] == "transload"}
    assert (len(ours) <= OURS, len(imported) <= ALL, classes <= CLASSES) == (True,) * 3, (
        f"{len(ours)} modules of ours, {len(imported)} in all, {classes} classes"
    )


def test_a_check_without_a_policy_imports_nothing_that_judges_signatures(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "import transload\n"
        "from transload.cli.main import main\n"
        "from transload.testing.images import fill, image\n"
        f"place = {str(tmp_path / 'folder')!r}\n"
        "store = transload.LayoutStore(place, create=True)\n"
        "fill(store, image('checked'), 'app', 'v1')\n"
        "assert main(['verify', f'oci:{place}', '--quiet']) == 0\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60
    )
    imported = set(done.stdout.splitlines()[-1].split())
    judging = ("transload.trust", "transload.app.trusting", "transload.app.judging", "cryptography", "sigstore")
    assert "transload.app.verify" in imported
    assert not {name for name in imported if name.startswith(judging)}
