"""The two ways as drawings: over a wire, and on a disk. Narrow, so that they can be read on a phone."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen
from jinja2 import Environment

WIDTH = 400


@frozen
class Place:
    """A box: what is there. `own` says that it is yours."""

    name: str
    lines: tuple[str, ...] = ()
    own: bool = False


@frozen
class Way:
    """An arrow to the next place, with the commands that one types for it, and what they do."""

    commands: tuple[str, ...]
    lines: tuple[str, ...] = ()
    by_hand: bool = False


OVER_A_WIRE = (
    Place("Where images are published", ("mcr.microsoft.com, quay.io, docker.io …",)),
    Way(
        ("transload plan arcdata --to registry.local/arcdata", "transload mirror arcdata --to registry.local/arcdata"),
        ("one machine sees both sides;", "only what is missing moves, each layer once"),
    ),
    Place("Your registry", ("registry.local/arcdata: the same digests",), own=True),
    Way(
        ("transload verify arcdata --to registry.local/arcdata", "transload configure containerd run.json -o nodes"),
        ("prove it; tell the nodes where images are now",),
    ),
    Place("Your clusters", ("nodes pull from your registry",), own=True),
)
ON_A_DISK = (
    Place("Where images are published", ("mcr.microsoft.com, quay.io, docker.io …",)),
    Way(
        ("transload pack arcdata -o /mnt/arcdata",),
        ("a machine with a line writes one bundle,", "each layer once, with sums, signed if you like"),
    ),
    Place("A disk", ("arcdata.tar, or volumes for several media",)),
    Way((), ("carried across the gap",), by_hand=True),
    Place("The far side", ("no line to the outside",), own=True),
    Way(
        ("transload verify /mnt/arcdata", "transload push /mnt/arcdata --to registry.local/arcdata"),
        ("straight from the disk, nothing is unpacked",),
    ),
    Place("Your registry", ("registry.local/arcdata: the same digests",), own=True),
    Way(
        ("transload inventory registry.local/arcdata -o site.json",),
        ("carried back, so that the next bundle has", "only what is new: pack --against site.json"),
    ),
    Place("The next bundle is small"),
)
DRAWINGS = {
    "over-a-wire": ("Over a wire: from where images are published to your registry", OVER_A_WIRE),
    "on-a-disk": ("On a disk: a bundle is packed, carried across the gap, and pushed to your registry", ON_A_DISK),
}

_TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{ width }} {{ height }}" width="{{ width }}" role="img" \
aria-labelledby="{{ name }}-t {{ name }}-d">
<title id="{{ name }}-t">{{ title }}</title>
<desc id="{{ name }}-d">{{ told }}</desc>
<style>
text { font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2430; text-anchor: middle }
.n { font-size: 16px; font-weight: 600 }
.c { font: 11.5px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #0b5d3b }
.g { fill: #fff } .b { fill: #eef1f6; stroke: #7a8699 } .o { fill: #e3f3ea; stroke: #2e8058 }
path { stroke: #4a5568; stroke-width: 2; fill: none } .h { stroke-dasharray: 5 4 } .p { fill: #4a5568; stroke: none }
@media (prefers-color-scheme: dark) {
text { fill: #e6e9ef } .c { fill: #7ed9a8 } .g { fill: #181a20 } .b { fill: #262b35; stroke: #7a8699 }
.o { fill: #173527; stroke: #4fae80 } path { stroke: #a3adbd } .p { fill: #a3adbd }
}
</style>
<rect class="g" width="{{ width }}" height="{{ height }}" rx="8"/>
{% for item in items -%}
{% if item.box -%}
<rect class="{{ item.kind }}" x="30" y="{{ item.y }}" width="{{ width - 60 }}" height="{{ item.h }}" rx="8"/>
{% else -%}
<path class="{{ "h" if item.by_hand else "l" }}" d="M{{ width // 2 }} {{ item.y + 2 }}v12\
M{{ width // 2 }} {{ item.y + item.h - 22 }}v10"/>
<path class="p" d="M{{ width // 2 - 7 }} {{ item.y + item.h - 13 }}h14l-7 11z"/>
{% endif -%}
{% for line in item.texts -%}
<text class="{{ line.kind }}" x="{{ width // 2 }}" y="{{ line.y }}">{{ line.text }}</text>
{% endfor -%}
{% endfor -%}
</svg>
"""


def draw_diagrams(folder: Path) -> None:
    """Draw both."""
    for name, (title, items) in DRAWINGS.items():
        (folder / f"{name}.svg").write_text(drawn(name, title, items), encoding="utf-8")


def drawn(name: str, title: str, items: tuple[Place | Way, ...]) -> str:
    """A drawing, from top to bottom."""
    y, shapes, told = 16, [], []
    for item in items:
        box = isinstance(item, Place)
        texts = [(item.name, "n")] if isinstance(item, Place) else [(command, "c") for command in item.commands]
        texts += [(line, "t") for line in item.lines]
        told.append(": ".join(filter(None, [texts[0][0], " ".join(text for text, _ in texts[1:])])))
        top = y + (24 if box else 32)
        lines = [{"text": text, "kind": kind, "y": top + 19 * number} for number, (text, kind) in enumerate(texts)]
        height = 19 * len(texts) + (20 if box else 42)
        shapes.append(
            {"box": box, "y": y, "h": height, "texts": lines, "kind": "o" if getattr(item, "own", False) else "b"}
        )
        shapes[-1]["by_hand"] = getattr(item, "by_hand", False)
        y += height
    template = Environment(autoescape=True, trim_blocks=False).from_string(_TEMPLATE)
    return template.render(name=name, title=title, told=". ".join(told), items=shapes, width=WIDTH, height=y + 16)
