"""With helm on the PATH, the images of a chart are those of what it renders. A small program stands for it."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import transload
from tests.unit.charts.building import archive
from transload.memory import MemoryStore
from transload.oci import Name
from transload.server import Served, ServeSettings, serve
from transload.testing.images import fill, image

APP, SIDECAR = image("app", layers=(100,)), image("sidecar", layers=(200,))
POD = "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: {{ .Values.image }}}]}\n"
# Renders the image of the last file of values that has one, and one that only it knows.
PROGRAM = """\
#!{python}
import re, sys
from pathlib import Path
files = [Path(word.partition("=")[2]).read_text() for word in sys.argv if word.startswith("--values=")]
found = [match for text in files for match in re.findall(r'^image: "?([^"\\n]*)', text, re.MULTILINE)]
image = (found or ["{host}/team/app:1"])[-1]
print("apiVersion: v1\\nkind: Pod\\nspec:\\n  containers:")
print("  - image: " + image + "\\n  - image: {host}/team/sidecar:2")
"""


@pytest.fixture
def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    store = MemoryStore()
    fill(store, APP, "team/app", "1")
    fill(store, SIDECAR, "team/sidecar", "2")
    with serve(store, ServeSettings(writable=True)) as served:
        program = Path("bin/helm").absolute()
        program.parent.mkdir()
        program.write_text(PROGRAM.format(python=sys.executable, host=served.host_port))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(program.parent))
        values = f"image: {served.host_port}/team/app:1\nother: {served.host_port}/team/never:1\n"
        Path("web.tgz").write_bytes(archive(files={"values.yaml": values, "templates/pod.yaml": POD}))
        Path("set.yaml").write_text("kind: ImageSet\nversion: 1\ncharts: [web.tgz]\n")
        yield served


def test_the_images_are_those_that_helm_renders(vendor: Served) -> None:
    result = transload.mirror("set.yaml", to="oci:out")
    assert {image.name: image.status for image in result.images} == {
        "charts/web:1.2.3": "copied",
        "team/app:1": "copied",
        "team/sidecar:2": "copied",
    }
    assert result.notes == ()


def test_the_values_are_proved_by_helm(vendor: Served) -> None:
    store = MemoryStore()
    with serve(store, ServeSettings(writable=True)) as site:
        to = f"{site.host_port}/mirror"
        transload.mirror("set.yaml", to=to, values_folder="values")
        text = Path("values/web-1.2.3-values-relocated.yaml").read_text()
    assert f'image: "{to}/team/app:1"' in text
    assert "# No value leads these to the target:" in text
    assert f"# - {vendor.host_port}/team/sidecar:2 (web-1.2.3.tgz (helm template):" in text
    assert store.fetch(Name("mirror/team/app", "1")).digest == APP.digest


def test_a_chart_that_helm_cannot_render_is_read_without_it(vendor: Served) -> None:
    Path("bin/helm").write_text(f"#!{sys.executable}\nimport sys\nsys.exit('no')\n")
    result = transload.mirror("set.yaml", to="oci:out", check=False)
    likely, questions = result.notes
    assert "it was not rendered by Helm" in likely
    assert "helm cannot render web-1.2.3.tgz: no" in questions
