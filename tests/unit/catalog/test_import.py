"""What importing costs: YAML is paid for by those who read a file."""

import subprocess
import sys


def test_importing_the_catalogs_does_not_import_yaml() -> None:
    code = (
        "import sys; from transload.catalog.references import select_references;"
        "select_references(['nginx']); print('yaml' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
