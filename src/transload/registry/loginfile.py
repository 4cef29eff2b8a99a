"""One file of logins as docker, podman and similar tools write it: `config.json`, `auth.json`, the old `.dockercfg`.

It is read as Go reads JSON: names of fields in any case, line ends inside base64. People also write these files by
hand, so other small mistakes are accepted where the meaning is clear.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from transload.errors import CredentialsUnavailable, LocalError
from transload.files import read_file
from transload.limits import LOGINS_BYTES, LOGINS_VALUES
from transload.login import Login, Secret
from transload.oci.reference import DEFAULT_REGISTRY, HUB_HOSTS
from transload.strictjson import read_json
from transload.values import field, frozen

_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_TLS_PORT = ":443"
_NOT_DOCKERS = "does not have the form that docker writes"
_TOKEN_USER = "<token>"  # noqa: S105 - the user name that marks an identity token, no secret


@frozen
class CredentialFile:
    """The logins of one file. Keys have the form that `key_of` gives them; `path` names the file in messages.

    docker compares only the host of a key, podman the path too. `by_host`: this is a file of docker's. An entry that
    does not have docker's form is an error for its own host only.
    """

    path: Path
    entries: Mapping[str, Any] = field(factory=dict, repr=False)
    helpers: Mapping[str, Any] = field(factory=dict, repr=False)
    store: str = ""
    by_host: bool = False

    @classmethod
    def read(cls, path: Path) -> CredentialFile | None:
        """Read the file at `path`; None if there is none. Raises `CredentialsUnavailable`."""
        try:
            content = b"" if str(path) == os.devnull else read_file(path, LOGINS_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise broken(path, error.strerror or "cannot be read") from error
        except LocalError as error:
            raise broken(path, "is not a file") from error
        except ValueError:  # the name has a NUL in it
            return None
        return cls.parse(path, content)

    @classmethod
    def parse(cls, path: Path, content: bytes) -> CredentialFile:
        """Read `content`, in UTF-8 or UTF-16, with or without a byte order mark. Raises `CredentialsUnavailable`."""
        if len(content) > LOGINS_BYTES:
            raise broken(path, f"is larger than {LOGINS_BYTES >> 20} MiB")
        try:
            text = content.decode(json.detect_encoding(content))
            # docker also takes the last of equal keys
            document = (
                read_json(text.encode(), limit=2 * LOGINS_BYTES, values=LOGINS_VALUES, twins=True)
                if text.strip()
                else {}
            )
        except ValueError:  # without the cause: its text may show content of the file
            raise broken(path, "is not JSON") from None
        if not isinstance(document, dict):
            raise broken(path, "is not a JSON object")
        if path.name == ".dockercfg":  # before docker 1.7 the map of logins was the whole file
            return cls(path, _by_key(document, dict))
        return cls(
            path,
            _by_key(_section(path, document, "auths"), dict),
            _by_key(_section(path, document, "credHelpers"), str),
            text_of(document, "credsStore"),
            by_host=path.name == "config.json",
        )

    def written(self, host: str, repository: str) -> Login | None:
        """The login that the file itself holds. The key with the longest part of the repository's path wins."""
        for key in self._keys(host, repository):
            entry = self.entries.get(key)
            if entry is not None and not isinstance(entry, dict):
                raise self._odd("auths", key)
            if entry and (login := _written(entry, f"{self.path}: the entry of {key}")):
                return login
        return None

    def helper_for(self, host: str) -> str | None:
        """The helper that is named for this registry. Raises `CredentialsUnavailable`."""
        name = next((name for name in _spellings(host) if name in self.helpers), None)
        helper = self.helpers[name] if name else None
        if name and not isinstance(helper, str):
            raise self._odd("credHelpers", name)
        return helper

    @property
    def troubles(self) -> tuple[CredentialsUnavailable, ...]:
        """The entries that cannot be used."""
        entries = (self._odd("auths", key) for key, entry in self.entries.items() if not isinstance(entry, dict))
        helpers = (self._odd("credHelpers", key) for key, name in self.helpers.items() if not isinstance(name, str))
        return (*entries, *helpers)

    def _odd(self, section: str, key: str) -> CredentialsUnavailable:
        return broken(self.path, f"the entry of {key} in {section} {_NOT_DOCKERS}")

    def _keys(self, host: str, repository: str) -> Iterator[str]:
        """`host/a/b`, `host/a`, `host`; in docker's file then any key with this host and a path."""
        parts = list(filter(None, repository.split("/")))
        for length in range(len(parts), -1, -1):
            for name in _spellings(host):
                yield "/".join([name, *parts[:length]])
        if self.by_host:
            yield from (key for key in self.entries if key.partition("/")[0] == host)


def broken(path: Path, what: str) -> CredentialsUnavailable:
    """The error for a file of logins that cannot be used."""
    return CredentialsUnavailable(
        f"reading logins: {path}: {what}", subject=str(path), hint="correct or move the file, or log in again"
    )


def key_of(key: str) -> str:
    """A key as host[:port][/path]. A path after a scheme is that of an API and is dropped; else it is a namespace."""
    bare = _SCHEME.sub("", key.strip(), count=1)
    if bare != key.strip():
        bare = bare.partition("/")[0]
    host, _, path = bare.strip("/").partition("/")
    host = DEFAULT_REGISTRY if host.lower() in HUB_HOSTS else host.lower()
    return host if path in {"", "v1", "v2"} else f"{host}/{path}"


def text_of(document: Mapping[str, Any], name: str) -> str:
    """The text in a field; empty if there is none."""
    value = _member(document, name)
    return value if isinstance(value, str) else ""


def login_of(username: str, password: str, identity_token: str = "", registry_token: str = "") -> Login | None:
    """A login from these fields, read as docker does; None if all are empty."""
    if username == _TOKEN_USER:
        username, password, identity_token = "", "", identity_token or password
    login = Login(username, Secret(password), Secret(identity_token), Secret(registry_token))
    return login if username or password or identity_token or registry_token else None


def _spellings(host: str) -> tuple[str, ...]:
    """The host as given, then with or without https's default port."""
    if host.endswith(_TLS_PORT):
        return (host, host.removesuffix(_TLS_PORT))
    return (host, host + _TLS_PORT) if ":" not in host.rpartition("]")[2] else (host,)


def _section(path: Path, document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = _member(document, name)
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise broken(path, f"{name} {_NOT_DOCKERS}")
    return section


def _member(document: Mapping[str, Any], name: str) -> Any:
    """A field by its name in any case. Of several the last that is not null counts, as in Go's encoding/json."""
    named = [value for key, value in document.items() if key.lower() == name.lower() and value is not None]
    return named[-1] if named else None


def _by_key(section: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Entries under keys of one form, without empty values. A key without a scheme wins, as in docker."""
    entries: dict[str, Any] = {}
    for key, value in sorted(section.items(), key=lambda item: bool(_SCHEME.match(item[0]))):
        if value or not (value is None or isinstance(value, kind)):  # null is the empty value, as Go reads it
            entries.setdefault(key_of(key), value)
    return entries


def _written(entry: Mapping[str, Any], where: str) -> Login | None:
    username, password = text_of(entry, "username"), text_of(entry, "password")
    if encoded := text_of(entry, "auth").strip():
        username, password = _decoded(encoded, where)
    registry_token = text_of(entry, "registrytoken")
    if not (registry_token.isascii() and registry_token.isprintable()):
        raise CredentialsUnavailable(f"{where} has a registrytoken that does not fit in a header")
    return login_of(username, password, text_of(entry, "identitytoken"), registry_token)


def _decoded(encoded: str, where: str) -> tuple[str, str]:
    """User and password of an `auth` field: base64 of `user:password`. The password may have more colons.

    Bytes that are not UTF-8 are kept; the registry may understand them.
    """
    bare = "".join(encoded.split()).rstrip("=")
    try:
        content = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        content = b""
    username, colon, password = content.decode("utf-8", "surrogateescape").partition(":")
    if not colon:
        raise CredentialsUnavailable(
            f"{where} has an auth field that is not base64 of user:password", hint="log in again with docker or podman"
        )
    return username, password.strip("\0")  # docker pads with NUL
