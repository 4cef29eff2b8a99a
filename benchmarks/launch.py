"""Starts one program and tells what it took, as JSON on standard output: `python -I -S launch.py LOG PROGRAM [WORD]…`.

A process of its own, for Linux counts to a child's peak memory what its parent held when it was started; this parent
holds some 9 MiB. Nothing but the standard library, for the same reason.
"""

import json
import os
import sys
import time


def main(log: str, *words: str) -> None:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    silent = os.open(os.devnull, os.O_RDONLY)
    actions = [(os.POSIX_SPAWN_DUP2, silent, 0), (os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, out, 2)]
    began_s = time.perf_counter()
    process = os.posix_spawnp(words[0], words, os.environ, file_actions=actions)
    _, status, usage = os.wait4(process, 0)
    wall_s = time.perf_counter() - began_s
    cost = {"wall_s": wall_s, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_bytes": usage.ru_maxrss * 1024}
    print(json.dumps({"exit": os.waitstatus_to_exitcode(status), **cost}))


main(*sys.argv[1:])
