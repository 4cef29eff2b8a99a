"""Run in a mount namespace of its own: every command that writes, onto a disk that is full or read-only.

full_disk.py FOLDER    prints one JSON object: what was run → exit code, what it said, what it left
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests import forked
from transload.layout import LayoutStore
from transload.registry.known import KnownRegistries
from transload.testing.images import fill, image


def run(*words: str, **more: str) -> tuple[int, str]:
    done = forked.run(*words, **more)
    return done.returncode, done.stderr


def mounted(how: str, disk: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", how, "tmpfs", str(disk)], check=True)


def everything(disk: Path, **more: str) -> dict[str, tuple[int, str]]:
    """Each command that writes, told to write there."""
    Path("medium.tar").unlink(missing_ok=True)
    source = ["mirror", "--from", "oci:source"]
    return {
        "mirror": run(*source, "--to", f"oci:{disk}/layout", **more),
        "mirror-new": run(*source, "--to", f"oci:{disk}/new", **more),
        "pack": run("pack", "--from", "oci:source", "-o", f"{disk}/bundle", **more),
        "to-media": run("pack", "--from", "oci:source", "-o", f"{disk}/medium", "--to-media", **more),
        "media-state": run(
            *("pack", "--from", "oci:source", "-o", "medium", "--to-media"), TRANSLOAD_STATE_DIR=str(disk / "media")
        ),
        "plan": run("plan", "--from", "oci:source", "--to", "oci:nowhere", "-o", f"{disk}/plan.json", **more),
        "inventory": run("inventory", "oci:source", "-o", f"{disk}/inventory.json", **more),
        "report": run(*source, "--to", "oci:reported", "--report", f"{disk}/report.json", **more),
        "pack-record": run("pack", "--from", "oci:source", "-o", f"{disk}/noted", "--record-in-bundle", **more),
        "record": run(*source, "--to", "oci:recorded", "--record", f"{disk}/record.json", **more),
        "receipt": run("push", "carried.tar", "--to", "oci:received", "--receipt", f"{disk}/receipt.json", **more),
        "extract": run("extract", "carried.tar", "--into", str(disk), **more),
        "state": run(*source, "--to", "oci:stated", TRANSLOAD_STATE_DIR=str(disk / "state"), **more),
    }


def pushed(disk: Path) -> list[tuple[int, str]]:
    """Uploads to a folder served from there: what each was answered."""
    words = [sys.executable, "-m", "transload", "serve", f"oci:{disk}/layout", "--writable", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        found = re.search(r":(\d+),", process.stderr.readline())
        assert found
        answers = []
        for size in (100, 700_000):
            content = os.urandom(size)
            connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=240)
            digest = hashlib.sha256(content).hexdigest()
            connection.request("POST", f"/v2/a/blobs/uploads/?digest=sha256:{digest}", content)
            answer = connection.getresponse()
            answers.append((answer.status, answer.read().decode()))
            connection.close()
        process.terminate()
        process.communicate(timeout=240)
    return answers


def several(disk: Path) -> dict[str, tuple[int, str]]:
    """A run to several targets of which one is on this disk, and one whose temporary files are there."""
    words = [sys.executable, "-m", "transload", "serve", "oci:source", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        found = re.search(r"(127\.0\.0\.1:\d+),", process.stderr.readline())
        assert found
        source = ["mirror", "--from", found[1], "--to", "oci:beside"]
        told = {
            "target": run(*source, "--to", f"oci:{disk}/several"),
            "state": run(*source, "--to", "oci:other", TRANSLOAD_STATE_DIR=str(disk / "state")),
        }
        process.terminate()
        process.communicate(timeout=240)
    return told


def remembered(disk: Path) -> dict[str, object]:
    """What is known in the next run about a registry, on this disk."""
    known: dict[str, str | int | bool] = {"mounts": True, "piece_bytes": 1 << 20}
    for folder in (disk, disk / "state"):
        KnownRegistries(folder).keep("registry.example", {}, known)
    return dict(KnownRegistries(disk).fresh("registry.example"))


def checked(disk: Path) -> tuple[int, str]:
    """What a check of the disk says before a run."""
    words = ("check", f"oci:{disk}/layout", "--from", "oci:source", "-q")
    done = forked.run(*words)
    return done.returncode, done.stdout + done.stderr


def main() -> None:
    os.chdir(sys.argv[1])
    disk, small = Path("disk"), Path("small")
    disk.mkdir()
    small.mkdir()
    store = LayoutStore("source", create=True)
    fill(store, image("source", layers=(900_000, 20)), "a/b", "1")
    Path("licence.txt").write_text("the licence")
    packed = run("pack", "--from", "oci:source", "-o", "carried", "--also", "licence.txt")
    assert packed[0] == 0, packed[1]
    mounted("size=512k", small)
    told: dict[str, object] = {"small": everything(small)}
    told["small-left"] = sorted(path.name for path in small.iterdir())
    mounted("size=2m", disk)
    LayoutStore(disk / "layout", create=True)
    with (disk / "ballast").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    told["full"] = everything(disk)
    told["full-known"] = remembered(disk)
    told["full-check"] = checked(disk)
    told["full-status"] = run("status", TRANSLOAD_STATE_DIR=str(disk))
    told["pushed"] = pushed(disk)
    told["several"] = several(disk)
    told["beside"] = [*LayoutStore("beside").tags("a/b"), *LayoutStore("other").tags("a/b")]
    (disk / "ballast").unlink()
    told["room"] = run("mirror", "--from", "oci:source", "--to", f"oci:{disk}/layout")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    told["read-only"] = everything(disk)
    told["read-only-known"] = remembered(disk)
    told["read-only-check"] = checked(disk)
    told["read-only-status"] = run("status", TRANSLOAD_STATE_DIR=str(disk))
    told["unchanged"] = run("mirror", "--from", "oci:source", "--to", f"oci:{disk}/layout")
    print(json.dumps(told))


if __name__ == "__main__":
    main()
