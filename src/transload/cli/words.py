"""Short texts that several commands use."""

from __future__ import annotations

from collections.abc import Iterable

from transload.wording import close_to


def close_match(text: str, known: Iterable[str]) -> str:
    """`; did you mean 'mirror'?`, or nothing."""
    close = close_to(text, known)
    return f"; did you mean {close[0]!r}?" if close else ""


# Names of our commands in other tools.
_COMMANDS = {
    "copy": "mirror",
    "cp": "mirror",
    "sync": "mirror",
    "pull": "mirror --to oci:DIR",
    "save": "pack",
    "export": "pack",
    "bundle": "pack",
    "import": "push",
    "unpack": "push",
    "ls": "list",
    "inspect": "list",
    "show": "list",
    "tags": "releases",
    "diff": "plan",
    "compare": "verify",
    "dry-run": "plan",
    "registry": "serve",
    "version": "--version",
}
_LOGIN = "transload uses the logins of docker login and podman login; or name a user with --target-username"
_UNVERIFIED = "--insecure-tls HOST takes any certificate, --plain-http HOST speaks without TLS"
# Names of our options in other tools, and options that are different here.
_OPTIONS = {
    "--dry-run": "transload plan shows what mirror would do; of a bundle: transload plan --from bundle:NAME --to STORE",
    "--dryrun": "transload plan shows what mirror would do",
    "--insecure": _UNVERIFIED,
    "--insecure-skip-tls-verify": _UNVERIFIED,
    "--tls-verify": _UNVERIFIED,
    "--src-tls-verify": _UNVERIFIED,
    "--dest-tls-verify": _UNVERIFIED,
    "--all": "all platforms are copied, unless --platform names some",
    "--multi-arch": "all platforms are copied, unless --platform names some",
    "--arch": "write --platform OS/ARCH",
    "--os": "write --platform OS/ARCH",
    "--dest": "write --to STORE",
    "--destination": "write --to STORE",
    "--target": "write --to STORE",
    "--src": "write --from STORE",
    "--source": "write --from STORE",
    "--authfile": "transload finds the logins of docker and podman; REGISTRY_AUTH_FILE names another file",
    "--creds": "write --source-username or --target-username; the password comes from a variable or a prompt",
    "--src-creds": "write --source-username; the password comes from TRANSLOAD_SOURCE_PASSWORD or a prompt",
    "--dest-creds": "write --target-username; the password comes from TRANSLOAD_TARGET_PASSWORD or a prompt",
    "--password": "it comes from a prompt, or from TRANSLOAD_SOURCE_PASSWORD or TRANSLOAD_TARGET_PASSWORD",
    "--username": "write --source-username or --target-username",
    "--ca-cert": "write --ca-file FILE",
    "--cacert": "write --ca-file FILE",
    "--cert-dir": "write --ca-file, --client-cert and --client-key; certs.d folders of docker and podman are read too",
    "--json": "write --output json",
    "--force": "there is nothing to force: what is there already is not sent again, and what differs is replaced",
    "--verbose": "without a terminal each step has a line; --output json has every event; -V shows the version",
    "--debug": "--output json has every event",
    "-v": "without a terminal each step has a line; --output json has every event; -V shows the version",
}


def other_command(text: str) -> str:
    """The end of `there is no command …`: its name here, or the command that was probably meant; may be empty."""
    if text in {"login", "logout"}:
        return f"; {_LOGIN}"
    if text in _COMMANDS:
        return f"; here that is transload {_COMMANDS[text]}"
    return ""


def other_option(name: str) -> str | None:
    """What to use instead of an option of other tools; None if unknown."""
    return _OPTIONS.get(name)
