"""A run imports what it uses: nobody waits for charts, lists, bundles or YAML that they do not have."""

import subprocess
import sys
from pathlib import Path

SELDOM = (
    "transload.bundle",
    "transload.charts",
    "transload.discovery",
    "transload.catalog.lists",
    "transload.engines.api",
    "transload.trust",
    "cryptography",
    "yaml",
    "tarfile",
)


def test_a_mirror_of_a_reference_imports_no_more_than_it_uses(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from transload.cli.main import main\n"
        f"main(['mirror', 'a:1', '--from', 'oci:nothing', '--to', 'oci:{tmp_path}/to'])\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60
    )
    imported = set(done.stdout.splitlines()[-1].split())
    assert "transload.app.mirror" in imported
    assert not {name for name in imported if name in SELDOM or name.startswith(tuple(f"{one}." for one in SELDOM))}


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
