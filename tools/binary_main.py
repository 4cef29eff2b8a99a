"""What the native executable starts with: it makes up for having been built on another system, then runs transload."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

# Where systems keep their certificate authorities: Debian, Red Hat, SUSE, Alpine. OpenSSL looks only where the system
# keeps them that it was built on.
AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def trust_this_system() -> None:
    """Name this system's authorities, unless the user did, or OpenSSL finds some by itself."""
    found = ssl.get_default_verify_paths()
    if found.cafile is None and found.capath is None and "SSL_CERT_FILE" not in os.environ:
        for path in AUTHORITIES:
            if Path(path).is_file():
                os.environ["SSL_CERT_FILE"] = path
                return


def free_other_programs() -> None:
    """Let programs that transload starts, such as credential helpers, load the system's libraries, not ours."""
    before = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)  # where PyInstaller keeps the user's value
    if before is None:
        os.environ.pop("LD_LIBRARY_PATH", None)
    else:
        os.environ["LD_LIBRARY_PATH"] = before


if __name__ == "__main__":
    free_other_programs()
    trust_this_system()

    from transload.__main__ import run

    run()
