"""A process that packs a seeded release until it is done or killed; run by the tests beside it.

packer.py PATH VOLUME_BYTES [OTHER BYTES]

For each blob it says `at DIGEST OFFSET` when it begins, and `done DIGEST` at its commit. Once the room on the disk was
checked, a file OTHER takes so many BYTES of it.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.unit.bundle.packing import blobs_of, contents_of, named
from transload.bundle import BundleWriter, lay_out
from transload.bundle.writing import ingest
from transload.errors import TransloadError
from transload.testing.layers import Content
from transload.testing.releases import release
from transload.threads import in_parallel

MADE = named(release("packer", images=6, size=6_000_000))
ingest.NOTE_BYTES = 100_000  # so that blobs small enough for a test are noted in parts


def say(line: str) -> None:
    """In one write, since there are several threads."""
    os.write(1, f"{line}\n".encode())


def main() -> int:
    path, volume_bytes = Path(sys.argv[1]), int(sys.argv[2])
    contents = sorted(blobs_of(MADE).values(), key=lambda each: -each.descriptor.size)

    def work(content: Content) -> None:
        with writer.begin("", content.descriptor) as taken:
            say(f"at {content.descriptor.digest} {taken.offset}")
            raw = content.read()
            taken.write(raw[start : start + 20_000] for start in range(taken.offset, len(raw), 20_000))
            taken.commit()
        say(f"done {content.descriptor.digest}")

    try:
        with BundleWriter(path, lay_out(contents_of(MADE), volume_bytes)) as writer:
            writer.check_space()
            if len(sys.argv) > 3:
                Path(sys.argv[3]).write_bytes(bytes(int(sys.argv[4])))
            in_parallel(work, contents, 4)
            for name, built in MADE.items():
                writer.put_manifest(name, built.manifest)
            writer.finish()
    except TransloadError as error:
        say(f"error {error.code} {error}")
        return error.exit_code
    say("finished")
    return 0


if __name__ == "__main__":
    sys.exit(main())
