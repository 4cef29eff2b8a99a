"""Reads the environment. No other module of transload does."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

from platformdirs import user_config_path, user_state_path

from transload.engines.address import VARIABLES, EnginePlaces
from transload.values import field, frozen

# The variables of the vendor's own script, in the order of its questions. If one is set, even to an empty value, its
# question is not asked.
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

# Variables that programs which we start do not get.
_SECRET = frozenset(
    {
        "SOURCE_DOCKER_PASSWORD",
        "TARGET_DOCKER_PASSWORD",
        "TRANSLOAD_SOURCE_PASSWORD",
        "TRANSLOAD_TARGET_PASSWORD",
        "TRANSLOAD_SERVE_PASSWORD",
        "TRANSLOAD_SIGN_PASSPHRASE",
        "TRANSLOAD_NEW_PASSPHRASE",
        "DOCKER_AUTH_CONFIG",
    }
)

Colour = Literal["auto", "always", "never"]


def _path_if_any(value: str | Path | None) -> Path | None:
    return None if value is None else Path(value)


@frozen(kw_only=True)
class Environment:
    """All settings that come from variables.

    `incumbent` holds those of `INCUMBENT` that are set. `credential_files` are searched in order, after
    `credential_text`, which is the content of such a file. Credential helpers are searched in `helper_path` and get
    the environment `helper_variables`, which has no passwords of ours. `proxy_variables` are the names of the
    variables that `proxies` come from. `source_date` is the time, in seconds since 1970, at which bundles say that they
    were packed. `state` is the folder for what was learnt about registries and unfinished runs; None for a user without
    a home. `job_index` is the number of a pod in an Indexed Job of Kubernetes, from 0.
    """

    incumbent: Mapping[str, str] = field(factory=dict, repr=False)
    proxies: Mapping[str, str] = field(factory=dict, repr=False)
    proxy_variables: Mapping[str, str] = field(factory=dict)
    no_proxy: str = ""
    credential_files: tuple[Path, ...] = ()
    credential_text: str = field(default="", repr=False)
    certificate_folders: tuple[Path, ...] = ()
    helper_path: str | None = None
    helper_variables: Mapping[str, str] | None = field(default=None, repr=False)
    state: Path | None = field(default=None, converter=_path_if_any)
    source_date: str = ""
    config: Path | None = field(default=None, converter=_path_if_any)
    config_named: bool = False
    output: str = ""
    colour: Colour = "auto"
    many_colours: bool = False
    dumb_terminal: bool = False
    journal_stream: str = ""
    source_password: str | None = field(default=None, repr=False)
    target_password: str | None = field(default=None, repr=False)
    serve_password: str | None = field(default=None, repr=False)
    sign_passphrase: str | None = field(default=None, repr=False)
    new_passphrase: str | None = field(default=None, repr=False)
    engines: EnginePlaces = field(factory=EnginePlaces)
    job_index: str = ""

    @property
    def set_variables(self) -> Mapping[str, str]:
        """The values for variables in image sets; `transload.catalog.setvariables` says which of them a set gets."""
        return self.helper_variables or {}


def read_environment(variables: Mapping[str, str] | None = None) -> Environment:
    """Read `variables`; when None the process's own, which a command asks for several times."""
    return _read(variables) if variables is not None else _read_of_process(tuple(os.environ.items()))


@lru_cache(maxsize=1)
def _read_of_process(_items: tuple[tuple[str, str], ...]) -> Environment:
    """As long as they are the same, they are read once."""
    return _read(os.environ)


def _read(environ: Mapping[str, str]) -> Environment:
    proxies = _proxy_variables(environ)
    return Environment(
        incumbent={name: _answer(name, environ[name]) for name in INCUMBENT if name in environ},
        proxies={kind: environ[name] for kind, name in proxies.items()},
        proxy_variables=proxies,
        no_proxy=_either_case(environ, "no_proxy"),
        credential_files=_credential_files(environ, _home(environ)),
        credential_text=environ.get("DOCKER_AUTH_CONFIG", ""),
        certificate_folders=_certificate_folders(environ, _home(environ)),
        helper_path=environ.get("PATH"),
        helper_variables={name: value for name, value in environ.items() if name.upper() not in _SECRET},
        state=_named_or(environ.get("TRANSLOAD_STATE_DIR"), user_state_path),
        source_date=environ.get("SOURCE_DATE_EPOCH", ""),
        config=_named_or(environ.get("TRANSLOAD_CONFIG"), user_config_path, "config.yaml"),
        config_named=bool(environ.get("TRANSLOAD_CONFIG")),
        output=environ.get("TRANSLOAD_OUTPUT", ""),
        colour=_colour(environ),
        many_colours="256" in environ.get("TERM", "") or bool(environ.get("COLORTERM")),
        dumb_terminal=environ.get("TERM") == "dumb",
        journal_stream=environ.get("JOURNAL_STREAM", ""),
        source_password=environ.get("TRANSLOAD_SOURCE_PASSWORD"),
        target_password=environ.get("TRANSLOAD_TARGET_PASSWORD"),
        serve_password=environ.get("TRANSLOAD_SERVE_PASSWORD"),
        sign_passphrase=environ.get("TRANSLOAD_SIGN_PASSPHRASE"),
        new_passphrase=environ.get("TRANSLOAD_NEW_PASSPHRASE"),
        engines=_engine_places(environ),
        job_index=environ.get("JOB_COMPLETION_INDEX", ""),
    )


def _engine_places(environ: Mapping[str, str]) -> EnginePlaces:
    runtime = Path(environ.get("XDG_RUNTIME_DIR") or ".")
    return EnginePlaces(
        named={name: environ[name] for name in VARIABLES.values() if environ.get(name)},
        runtime_folder=runtime if runtime.is_absolute() else None,
    )


def _named_or(named: str | None, usual: Callable[[str], Path], *below: str) -> Path | None:
    """The path in a variable, else the usual folder; None if the user has no such folder.

    A home or an XDG folder that is not absolute is not used: it would depend on the current folder.
    """
    if named:
        return Path(named)
    try:
        folder = usual("transload")
    except RuntimeError:  # a user without a home: `docker run --user 1000`
        return None
    return folder.joinpath(*below) if folder.is_absolute() else None


def _answer(name: str, text: str) -> str:
    """An answer without blanks around it. A password keeps them, but not the line end of the file it came from."""
    return text.rstrip("\r\n") if name.endswith("PASSWORD") else text.strip()


def _either_case(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""


def _proxy_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variable that names the proxy for `http`, for `https` and, if one of these is missing, for `all`."""
    names = ((kind, name) for kind in ("http", "https", "all") for name in (f"{kind}_proxy".upper(), f"{kind}_proxy"))
    chosen = {kind: name for kind, name in names if environ.get(name)}
    if {"http", "https"} <= set(chosen):
        chosen.pop("all", None)
    return chosen


def _home(environ: Mapping[str, str]) -> Path | None:
    """The user's home folder, found as docker and podman do: from the variable, else from the system."""
    named = environ.get("USERPROFILE") if os.name == "nt" else environ.get("HOME")
    named = named or environ.get("HOME") or environ.get("USERPROFILE")
    try:
        return Path(named) if named else Path.home()
    except RuntimeError:  # neither: a container's user without a name
        return None


def _credential_files(environ: Mapping[str, str], home: Path | None) -> tuple[Path, ...]:
    """podman's file if a variable names it, docker's, then podman's usual files: most people log in with docker."""
    named = environ.get("REGISTRY_AUTH_FILE")
    docker = environ.get("DOCKER_CONFIG")
    config = environ.get("XDG_CONFIG_HOME")
    files = [Path(named)] if named else []
    files += [Path(docker) / "config.json"] if docker else [home / ".docker" / "config.json"] if home else []
    files += [folder / "auth.json" for folder in _runtime_folders(environ)]
    files += [Path(config) / "containers" / "auth.json"] if config else []
    files += [home / ".config" / "containers" / "auth.json", home / ".dockercfg"] if home else []
    return tuple(dict.fromkeys(files))


def _certificate_folders(environ: Mapping[str, str], home: Path | None) -> tuple[Path, ...]:
    """`certs.d` of podman, then of docker: the user's own (rootless docker, Docker Desktop) before the machine's."""
    config = environ.get("XDG_CONFIG_HOME")
    own = [Path(config)] if config else []
    own += [home / ".config"] if home else []
    folders = [*(folder / "containers" for folder in own), Path("/etc/containers")]
    folders += [*(folder / "docker" for folder in own), *([home / ".docker"] if home else []), Path("/etc/docker")]
    if os.name == "nt" and environ.get("PROGRAMDATA"):
        folders.append(Path(environ["PROGRAMDATA"]) / "docker")
    return tuple(folder / "certs.d" for folder in dict.fromkeys(folders))


def _runtime_folders(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where podman and skopeo keep logins until the next start. Without the variable (sudo, cron, su): two folders."""
    named = environ.get("XDG_RUNTIME_DIR")
    if named:
        return (Path(named) / "containers",)
    who: Callable[[], int] | None = getattr(os, "getuid", None)  # Windows has no numbers for users, and no /run
    if who is None:
        return ()
    return (Path("/run/containers") / str(who()), Path("/run/user") / str(who()) / "containers")


def _colour(environ: Mapping[str, str]) -> Colour:
    """See https://no-color.org and https://force-color.org; a dumb terminal has no colours."""
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return "never"
    return "always" if environ.get("FORCE_COLOR") else "auto"
