"""What the environment says: the one place in transload that reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from attrs import field, frozen
from platformdirs import user_config_path, user_state_path

# The variables of the vendor's own script, in the order in which it asks. Set, even to nothing, means not asked.
INCUMBENT = (
    "SOURCE_DOCKER_REGISTRY",
    "SOURCE_DOCKER_REPOSITORY",
    "SOURCE_DOCKER_USERNAME",
    "SOURCE_DOCKER_PASSWORD",
    "SOURCE_DOCKER_TAG",
    "TARGET_DOCKER_REGISTRY",
    "TARGET_DOCKER_REPOSITORY",
    "TARGET_DOCKER_USERNAME",
    "TARGET_DOCKER_PASSWORD",
    "TARGET_DOCKER_TAG",
)

Colour = Literal["auto", "always", "never"]


@frozen
class Environment:
    """Everything that variables decide.

    `incumbent` holds those of `INCUMBENT` that are set. `credential_files` are searched in order. `helper_path` is
    where credential helpers are looked for. `state` keeps what was learnt about registries and unfinished runs.
    """

    incumbent: Mapping[str, str] = field(factory=dict, repr=False)
    proxies: Mapping[str, str] = field(factory=dict, repr=False)
    no_proxy: str = ""
    credential_files: tuple[Path, ...] = ()
    helper_path: str | None = None
    state: Path = field(factory=lambda: user_state_path("transload"))
    config: Path = field(factory=lambda: user_config_path("transload") / "config.yaml")
    colour: Colour = "auto"
    source_password: str | None = field(default=None, repr=False)
    target_password: str | None = field(default=None, repr=False)
    serve_password: str | None = field(default=None, repr=False)
    sign_passphrase: str | None = field(default=None, repr=False)


def read_environment(variables: Mapping[str, str] | None = None) -> Environment:
    """Read `variables` (the process's own when None)."""
    given = os.environ if variables is None else variables
    return Environment(
        incumbent={name: _answer(name, given[name]) for name in INCUMBENT if name in given},
        proxies={kind: url for kind in ("http", "https", "all") if (url := _either_case(given, f"{kind}_proxy"))},
        no_proxy=_either_case(given, "no_proxy"),
        credential_files=_credential_files(given),
        helper_path=given.get("PATH"),
        state=Path(given.get("TRANSLOAD_STATE_DIR") or user_state_path("transload")),
        config=Path(given.get("TRANSLOAD_CONFIG") or user_config_path("transload") / "config.yaml"),
        colour=_colour(given),
        source_password=given.get("TRANSLOAD_SOURCE_PASSWORD"),
        target_password=given.get("TRANSLOAD_TARGET_PASSWORD"),
        serve_password=given.get("TRANSLOAD_SERVE_PASSWORD"),
        sign_passphrase=given.get("TRANSLOAD_SIGN_PASSPHRASE"),
    )


def _answer(name: str, text: str) -> str:
    """An answer without blanks around it; a password keeps them, but not the line end of the file it came from."""
    return text.rstrip("\r\n") if name.endswith("PASSWORD") else text.strip()


def _either_case(given: Mapping[str, str], name: str) -> str:
    return given.get(name) or given.get(name.upper()) or ""


def _credential_files(given: Mapping[str, str]) -> tuple[Path, ...]:
    """podman's file where it is named, docker's, then podman's usual places: who logs in by hand mostly uses docker."""
    named = given.get("REGISTRY_AUTH_FILE")
    home = Path(given.get("HOME") or given.get("USERPROFILE") or Path.home())
    docker = Path(given.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    runtime = given.get("XDG_RUNTIME_DIR")
    podman = [Path(runtime) / "containers" / "auth.json"] if runtime else []
    return (*([Path(named)] if named else []), docker, *podman, home / ".config" / "containers" / "auth.json")


def _colour(given: Mapping[str, str]) -> Colour:
    """https://no-color.org and https://force-color.org, and terminals that say they can do nothing."""
    if given.get("NO_COLOR") or given.get("TERM") == "dumb":
        return "never"
    return "always" if given.get("FORCE_COLOR") else "auto"
