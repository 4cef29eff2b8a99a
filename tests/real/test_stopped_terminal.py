"""A terminal that takes no bytes (Ctrl-S, a slow line): the run goes on without it."""

from __future__ import annotations

import threading
import time

from tests.real.servers import Registry
from tests.real.test_cli_guided import at_terminal, ended
from tests.real.vendor import Shell, held
from transload.memory import MemoryStore
from transload.server import serve
from transload.testing.faults import FaultyStore, waits
from transload.testing.images import fill, image
from transload.testing.layers import layer

NAMES = ("first", "second", "third")
LAYERS = {name: layer(name, 700_000) for name in NAMES}
STOP, GO_ON = "\x13", "\x11"


def test_a_run_goes_on_while_its_terminal_is_stopped(shell: Shell, registry: Registry) -> None:
    """It stood still as soon as an image had ended, until Ctrl-Q."""
    memory, gates = MemoryStore(), {name: threading.Event() for name in NAMES}
    for name in NAMES:
        fill(memory, image(name, [LAYERS[name], 1000]), f"app/{name}", "v1")
    faults = [waits("open", gates[name], subject=LAYERS[name].descriptor.digest, times=99) for name in NAMES]
    with serve(FaultyStore(memory, faults)) as served:
        images = [f"{served.host_port}/app/{name}:v1" for name in NAMES]
        terminal = at_terminal("mirror", *images, "--to", f"{registry.host}/stopped-terminal")
        try:
            gates["first"].set()
            terminal.expect(r"\[1/3\]")
            terminal.send(STOP)
            for name, number in (("second", 2), ("third", 3)):
                gates[name].set()
                deadline_s = time.monotonic() + 120
                while len(held(registry, "stopped-terminal")) < number:
                    assert time.monotonic() < deadline_s, f"{name} did not arrive while the terminal was stopped"
                    time.sleep(0.05)
        finally:
            for gate in gates.values():
                gate.set()
            terminal.send(GO_ON)
        code, told = ended(terminal)
    assert code == 0
    assert "[3/3]" in told
    assert "done: 3 copied" in told
