"""Questions at a terminal. Ctrl-C and Ctrl-D leave at once, at any time and in any thread."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator

import click

from transload.report.texts import harmless

_asking: list[threading.Thread] = []
"""The threads whose questions wait for an answer."""


def is_interactive() -> bool:
    """Whether there is a terminal to ask on; a stream may also be closed."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def asking_thread() -> threading.Thread | None:
    """The thread whose question waits for an answer; nothing else has to be waited for then."""
    return _asking[-1] if _asking else None


def ask(text: str, default: str = "", *, shown: bool = True, hidden: bool = False) -> str:
    """The answer without blanks around it, `default` for an empty one. Raises `click.Abort` at Ctrl-C and Ctrl-D.

    `shown` puts the default into the question. The answer to a `hidden` one is not echoed, and keeps its blanks.
    """
    prompt = f"{text} [{default}]: " if default and shown else f"{text}: "
    line = _line(prompt, hidden)
    return (line if hidden else line.strip()) or default


def ask_password(text: str, *, twice: bool = False) -> str:
    """Ask without showing what is typed; `twice` until both are the same."""
    while True:
        answer = ask(text, hidden=True)
        if not twice or ask("The same again", hidden=True) == answer:
            return answer
        click.echo("  these two differ", err=True)


def confirm(text: str) -> bool:
    """Ask for yes or no; Enter is yes."""
    while True:
        answer = ask(f"{text} [Y/n]").lower()
        if answer in {"", "y", "yes", "n", "no"}:
            return answer in {"", "y", "yes"}
        click.echo("  please answer y or n", err=True)


def _line(prompt: str, hidden: bool) -> str:
    _asking.append(threading.current_thread())
    try:
        if hidden and os.name == "nt":
            import getpass

            return getpass.getpass(harmless(prompt))
        with _echo_off() if hidden else contextlib.nullcontext():
            click.echo(harmless(prompt), nl=False, err=True)
            _wait()
            line = sys.stdin.readline()
    except (KeyboardInterrupt, OSError):  # Ctrl-C, or the terminal has gone
        raise click.Abort from None
    finally:
        _asking.remove(threading.current_thread())
    if hidden:
        click.echo(err=True)
    if not line:
        raise click.Abort
    return line.rstrip("\r\n")


def _wait() -> None:
    """Wait until there is a line. A Ctrl-C just before is not lost, as it would be with a plain read."""
    if os.name == "nt" or threading.current_thread() is not threading.main_thread():
        return
    receiver, signals = socket.socketpair()
    with receiver, signals:
        signals.setblocking(False)
        before = signal.set_wakeup_fd(signals.fileno(), warn_on_full_buffer=False)
        try:
            while select.select([sys.stdin, receiver], [], [])[0] != [sys.stdin]:
                receiver.recv(64)  # a signal came: its handler runs now
        finally:
            signal.set_wakeup_fd(before)


@contextlib.contextmanager
def _echo_off() -> Iterator[None]:
    import termios

    number = sys.stdin.fileno()
    try:
        before = termios.tcgetattr(number)
        quiet = [*before]
        quiet[3] &= ~termios.ECHO
        termios.tcsetattr(number, termios.TCSADRAIN, quiet)
    except termios.error as error:
        raise OSError(*error.args) from error
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(number, termios.TCSADRAIN, before)
