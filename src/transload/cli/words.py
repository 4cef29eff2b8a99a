"""Small pieces of text that several commands write."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def close_match(text: str, known: Iterable[str]) -> str:
    """`; did you mean 'mirror'?`, or nothing."""
    found = difflib.get_close_matches(text, list(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""


# What other tools call our commands.
_COMMANDS = {
    "copy": "mirror",
    "cp": "mirror",
    "sync": "mirror",
    "pull": "mirror --to oci:DIR",
    "save": "pack",
    "export": "pack",
    "bundle": "pack",
    "load": "push",
    "import": "push",
    "unpack": "push",
    "ls": "list",
    "inspect": "list",
    "show": "list",
    "tags": "releases",
    "check": "verify",
    "diff": "plan",
    "compare": "verify",
    "dry-run": "plan",
    "registry": "serve",
    "version": "--version",
}
_LOGIN = "what docker login and podman login keep is used, or name the user with --target-username"
_UNVERIFIED = "--insecure-tls HOST takes any certificate, --plain-http HOST speaks without TLS"
# What other tools call our options, and what has another place here.
_OPTIONS = {
    "--dry-run": "transload plan says what mirror would do; of a bundle: transload plan --from bundle:NAME --to STORE",
    "--dryrun": "transload plan says what mirror would do",
    "--insecure": _UNVERIFIED,
    "--insecure-skip-tls-verify": _UNVERIFIED,
    "--tls-verify": _UNVERIFIED,
    "--src-tls-verify": _UNVERIFIED,
    "--dest-tls-verify": _UNVERIFIED,
    "--all": "all platforms are copied, unless --platform names some",
    "--multi-arch": "all platforms are copied, unless --platform names some",
    "--arch": "write --platform OS/ARCH",
    "--os": "write --platform OS/ARCH",
    "--dest": "the target is named by --to",
    "--destination": "the target is named by --to",
    "--target": "the target is named by --to",
    "--src": "a store to copy from is named by --from",
    "--source": "a store to copy from is named by --from",
    "--authfile": "logins of docker and podman are found by themselves; REGISTRY_AUTH_FILE names another file",
    "--creds": "write --source-username or --target-username; the password is asked for, or a variable",
    "--src-creds": "write --source-username; the password is asked for, or TRANSLOAD_SOURCE_PASSWORD",
    "--dest-creds": "write --target-username; the password is asked for, or TRANSLOAD_TARGET_PASSWORD",
    "--password": "it is asked for, or a variable: TRANSLOAD_SOURCE_PASSWORD, TRANSLOAD_TARGET_PASSWORD",
    "--username": "write --source-username or --target-username",
    "--ca-cert": "write --ca-file FILE",
    "--cacert": "write --ca-file FILE",
    "--cert-dir": "write --ca-file, --client-cert and --client-key; certs.d folders of docker and podman are read",
    "--json": "write --output json",
    "--force": "what is there already is not sent again, and what differs is replaced: there is nothing to force",
    "--verbose": "every step is told where no terminal shows progress; --output json tells all; -V is the version",
    "--debug": "--output json tells every event",
    "-v": "every step is told where no terminal shows progress; --output json tells all; -V is the version",
}


def other_command(text: str) -> str:
    """The rest of `there is no command …`: what it is called here, or what was probably meant; may be empty."""
    if text in {"login", "logout"}:
        return f"; {_LOGIN}"
    if text in _COMMANDS:
        return f"; here that is transload {_COMMANDS[text]}"
    return ""


def other_option(name: str) -> str | None:
    """What to do instead of an option that other tools have; None where nothing is known."""
    return _OPTIONS.get(name)
