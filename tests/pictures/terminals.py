"""Pictures of terminals: the real program in tmux, in the world of the documentation's examples; its screen as SVG."""

from __future__ import annotations

import contextlib
import html
import itertools
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests.docs.world import World
from tests.real.programs import program

COLUMNS = 76
_PATIENCE_S = 60.0
_PACKED = "1795773600"  # 2026-11-27T10:00:00Z
_TITLE = 29  # rows of pixels that rich keeps for one
_NUMBERS = itertools.count()
_PROMPT = "\x1b[1m$ \x1b[0m"
# Colours with a contrast of 4.5 and more on this ground, in the order of a terminal's sixteen.
_THEME = TerminalTheme(
    (24, 26, 32),
    (222, 225, 230),
    [(98, 104, 117), (255, 123, 114), (126, 211, 133), (229, 192, 96)]
    + [(121, 184, 255), (214, 160, 255), (102, 214, 214), (222, 225, 230)],
    [(139, 146, 160), (255, 155, 148), (153, 227, 160), (240, 210, 130)]
    + [(160, 205, 255), (228, 190, 255), (140, 230, 230), (255, 255, 255)],
)
# Without the frame of a window, and without fonts from elsewhere.
_FORM = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{unique_id}-t">
<title id="{unique_id}-t">TITLE</title>
<style>
.{unique_id}-matrix {{ font: {char_height}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace }}
{styles}
</style>
<rect width="{width}" height="{height}" rx="8" fill="#181a20"/>
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
# What differs from run to run: figures of time, rates and sizes under way, bars, numbers of processes, dates.
_UNSTEADY = re.compile(
    r"\b\d+(?:\.\d+)? (?:B |[KMGT]iB )?of |\d+ requests|"
    r"\d{4}-\d\d-\d\d[T ][\d:.]+Z?|\b\d+(?:\.\d+)? (?:ms|s|min|h|d|B|[KMGT]iB)\b(?:/s)?|\d+%|process \d+|[━╸╺─█▉-▏]+"
    r"|sha256:[0-9a-f]+|\d+:\d\d(?::\d\d)?|\[ *\d+/\d+\]"
)
_MOVING = re.compile(r"\s+\S+ +[━╸╺─]+ |\s+and \d+ more$")


class Terminal:
    """A terminal in which commands of the documentation's world run, one after the other."""

    def __init__(self, here: World, rows: int = 60) -> None:
        self._here = here
        self._rows = rows
        self._server = [program("tmux"), "-L", f"pictures-{os.getpid()}", "-f", os.devnull]
        self._session = ""

    @contextlib.contextmanager
    def running(self, command: str, **variables: str) -> Iterator[None]:
        """Start a command on an empty screen; it is killed at the end of the block if it is still there."""
        self._session = f"s{next(_NUMBERS)}"
        environment = {**self._here.environment, **variables, "TERM": "screen", "SOURCE_DATE_EPOCH": _PACKED}
        environment.pop("TRANSLOAD_CA_FILE")
        given = [word for name, value in environment.items() for word in (f"{name}={value}",)]
        ended = self._ended
        line = (
            f"cd {shlex.quote(str(self._here.folder))}; {command}; echo $? > {shlex.quote(str(ended))}; exec sleep 600"
        )
        words = ["env", "-i", *given, "bash", "--norc", "-c", line]
        size = ["-x", str(COLUMNS), "-y", str(self._rows)]
        self._begin("new-session", "-d", "-s", self._session, *size, shlex.join(words))
        self._tmux("set-option", "-t", self._session, "status", "off")
        self._tmux("resize-window", "-t", self._session, *size)
        try:
            yield
        finally:
            pid = int(self._tmux("display-message", "-p", "-t", self._session, "#{pane_pid}"))
            for child in _children(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, 9)
            self._tmux("kill-session", "-t", self._session)

    @property
    def _ended(self) -> Path:
        return self._here.folder / f".ended-{self._session}"

    def wait(self) -> int:
        """Wait until the command has ended; its exit code."""
        self.until("", lambda: self._ended.exists() and bool(self._ended.read_text()))
        return int(self._ended.read_text())

    def until(self, text: str, further: Callable[[], object] | None = None) -> None:
        """Wait until the screen has a text that this regular expression finds, or until `further` is true."""
        until_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until_s:
            if further() if further else re.search(text, self.text()):
                return
            time.sleep(0.05)
        raise AssertionError(f"{text!r} did not come:\n{self.screen()}")

    def screen(self) -> str:
        """What is on the screen, with its colours."""
        return self._tmux("capture-pane", "-e", "-p", "-t", self._session).rstrip("\n ")

    def text(self) -> str:
        """The same without colours."""
        return self._tmux("capture-pane", "-p", "-t", self._session)

    def _begin(self, *words: str) -> None:
        """Start a session. The server of the one before may just be ending, and then takes no other."""
        for _ in range(50):
            with contextlib.suppress(subprocess.CalledProcessError):
                self._tmux(*words)
                return
            time.sleep(0.1)
        raise AssertionError("tmux starts no session")

    def _tmux(self, *words: str) -> str:
        done = subprocess.run([*self._server, *words], capture_output=True, text=True, check=True)
        return done.stdout


def picture(path: Path, title: str, *parts: tuple[str, str]) -> None:
    """Draw commands with what each printed; leave the picture as it is if only figures of time would differ."""
    lines = "\n".join(f"{_PROMPT}{command}\n{screen}".rstrip() + "\n" for command, screen in parts)
    text = Text.from_ansi(lines)
    if path.exists() and steady(words_of(path)) == steady(text.plain):
        return
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="standard")
        console.print(text, soft_wrap=False, end="")
        form = _FORM.replace("TITLE", html.escape(title).replace("{", "{{").replace("}", "}}"))
        drawn = console.export_svg(
            title="", theme=_THEME, code_format=form, unique_id=path.stem, font_aspect_ratio=0.61
        )
    path.write_text(_smaller(drawn), encoding="utf-8")


def _smaller(drawn: str) -> str:
    """Without room for a title, and without a frame around each line, which nothing exceeds."""
    drawn = re.sub(r' clip-path="[^"]*"|<defs>.*</defs>\n|&#160;\n', "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"<text[^>]*>\n</text>", "\n", drawn)
    width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawn).groups())  # type: ignore[union-attr]  # it has one
    drawn = drawn.replace(f'viewBox="0 0 {width:g} {height:g}"', f'viewBox="0 0 {width:g} {height - _TITLE:g}"', 1)
    drawn = drawn.replace(f'height="{height:g}" rx', f'height="{height - _TITLE:g}" rx', 1)
    return drawn.replace("translate(9, 41)", f"translate(9, {41 - _TITLE})").replace("\n\n", "\n")


def words_of(path: Path) -> str:
    """The text in a picture."""
    body = path.read_text(encoding="utf-8").partition("<g ")[2]
    return html.unescape(re.sub(r"<[^>]+>", "", f"<g {body}")).replace("\xa0", " ")


def steady(text: str) -> str:
    """The words of a text, without what differs from run to run: figures of time, the order of images, what moves."""
    lines = [line for line in text.splitlines() if not _MOVING.match(line)]
    return " ".join(sorted({*_UNSTEADY.sub(" ", "\n".join(lines)).split()}))


def _children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    return [int(one) for one in found]
