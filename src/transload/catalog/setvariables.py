"""Variables in image sets: `${NAME}` and `${NAME:-default}` in values (docs/formats/image-set.md). Pure.

A set may come from somebody else, and what is in its values goes to the registries that it names. So a variable that
seems to be a secret is never given to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from transload.documents.value import Value
from transload.documents.yamltree import Tree, YamlList, YamlMapping
from transload.errors import DocumentInvalid
from transload.limits import VARIABLE_LENGTH

_MARK = re.compile(r"\$\$|\$\{([^{}]*)\}|\$\{")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_SECRET_NAME = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|APIKEY"
    r"|(?:^|_)(?:PASS|AUTH|KEYS?|COOKIE|JWT|PAT)(?:_|$)|_PWD$",  # KEYCLOAK_TAG and PWD are none
    re.IGNORECASE,
)
_LOGIN_IN_URL = re.compile(r"://[^/\s]*@")
AS_WRITTEN = frozenset({"found", "questions", "include", "policy"})
"""Keys whose values stay as they are: what discovery found may be such texts, paths have rules of their own, and whom
a policy trusts is not for variables to say."""


def filled(root: Value, variables: Mapping[str, str]) -> Value:
    """The same document with its variables filled in. Raises `DocumentInvalid` with line and path."""
    return Value(_filled(root, variables), root.document)


def filled_text(text: str, variables: Mapping[str, str]) -> str:
    """`text` with its variables filled in, once: what comes from a variable is not looked at again.

    `$$` means `$`. A `$` before anything else stays. Raises `DocumentInvalid`.

    >>> filled_text("${HOST}/app:${TAG:-1.0}$", {"HOST": "quay.io"})
    'quay.io/app:1.0$'
    """
    return _MARK.sub(partial(_value, variables=variables), text)


def has_variables(text: str) -> bool:
    """Whether `filled_text` would put the value of a variable into `text`."""
    return any(match[0] != "$$" for match in _MARK.finditer(text))


def _filled(value: Value, variables: Mapping[str, str]) -> Tree:
    content: Tree = value.content
    if isinstance(content, str):
        return value.made(lambda text: filled_text(text, variables)) if "$" in content else content
    if isinstance(content, YamlList):
        items = YamlList()
        items.lines = content.lines
        items.extend(_filled(item, variables) for item in value.items())
        return items
    mapping = YamlMapping()
    mapping.lines, mapping.key_lines = content.lines, content.key_lines
    for key, entry in value.entries():
        mapping[key] = entry.content if key in AS_WRITTEN else _filled(entry, variables)
    return mapping


def _value(mark: re.Match[str], variables: Mapping[str, str]) -> str:
    if mark[0] == "$$":
        return "$"
    variable = _VARIABLE.fullmatch(mark[1] or "")
    if variable is None:
        raise DocumentInvalid(
            f"{mark[0][:80]!r} is not a variable", hint="write ${NAME} or ${NAME:-default}, and $$ for a dollar sign"
        )
    name, default = variable.groups()
    value = variables.get(name) or default
    if _SECRET_NAME.search(name) or (value and _LOGIN_IN_URL.search(value)):
        raise DocumentInvalid(
            f"the variable {name[:80]} is not given to image sets, since it seems to be a secret",
            hint="what is in a set goes to the registries that it names; use a variable with another name",
        )
    if value is None:
        state = "is empty" if name in variables else "is not set"
        raise DocumentInvalid(f"the variable {name[:80]} {state}", hint=f"set it, or write ${{{name[:80]}:-default}}")
    if not value.isprintable():
        raise DocumentInvalid(f"the variable {name[:80]} has characters that cannot be printed")
    if len(value) > VARIABLE_LENGTH:
        raise DocumentInvalid(
            f"the variable {name[:80]} has {len(value)} characters, and {VARIABLE_LENGTH} are allowed in an image set"
        )
    return value
