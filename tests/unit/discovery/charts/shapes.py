"""Charts in the shapes of public ones, written anew: which fields they have, and how their templates use them.

They are in the folder `shapes`; the description in each `Chart.yaml` says what it is about.
"""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

Texts = Mapping[str, str | bytes]

_FOLDER = Path(__file__).parent / "shapes"


def packed(files: Texts, name: str = "chart") -> bytes:
    """The `.tgz` of a chart with these files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for path, text in files.items():
            content = text.encode() if isinstance(text, str) else text
            info = tarfile.TarInfo(f"{name}/{path}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def laid_out(files: Texts, root: Path) -> Path:
    """A chart's folder with these files."""
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
    return root


def about(name: str, more: str = "", app: str = "1.0.0") -> str:
    """A `Chart.yaml`."""
    return f"apiVersion: v2\nname: {name}\nversion: 1.2.3\nappVersion: {app!r}\n{more}"


def pod(name: str, image: str) -> str:
    """The manifest of a pod."""
    return f"""\
apiVersion: v1
kind: Pod
metadata:
  name: {name}
spec:
  containers:
    - name: main
      image: {image}
"""


def simple(name: str, image: str, tag: str) -> Texts:
    """A chart with one image, which asks `global` for the registry."""
    registry = "{{ .Values.global.imageRegistry | default .Values.image.registry }}"
    return {
        "Chart.yaml": about(name),
        "values.yaml": f"image:\n  registry: docker.io\n  repository: {image}\n  tag: '{tag}'\n",
        "templates/pod.yaml": pod(name, f"{registry}/{{{{ .Values.image.repository }}}}:{{{{ .Values.image.tag }}}}"),
    }


def _shape(name: str) -> Texts:
    root = _FOLDER / name
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


SHAPES: dict[str, Texts] = {path.name: _shape(path.name) for path in sorted(_FOLDER.iterdir())}
SHAPES["umbrella"] = {
    **SHAPES["umbrella"],
    **{f"charts/web/{name}": text for name, text in simple("web", "acme/web", "2.0").items()},
    "charts/db-1.0.0.tgz": packed(simple("db", "acme/db", "16"), "db"),
    "charts/cache-1.0.0.tgz": packed(simple("cache", "acme/cache", "7.2"), "cache"),
    "charts/mail-1.0.0.tgz": packed(simple("mail", "acme/mail", "1"), "mail"),
}
