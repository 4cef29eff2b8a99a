"""`.env` files beside Compose files: the values of variables (Docker's "Environment variables", "Syntax of .env")."""

from __future__ import annotations

import re
from pathlib import Path

from transload.discovery.finding import Place, Unread
from transload.discovery.variables import Variables
from transload.documents.text import decoded
from transload.errors import TransloadError
from transload.files import read_file
from transload.limits import YAML_BYTES

FILE = ".env"
_LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*[=:][ \t]*"""
    r"""(?:'([^']*+)'|"((?:[^"\\]|\\.)*+)"|([^\r\n]*))""",
    re.MULTILINE | re.DOTALL,
)
_COMMENT = re.compile(r"(?:^|[ \t])#.*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def parse(text: str) -> dict[str, str]:
    """The variables of such a text. A value may use those before it; one that cannot be filled in is left out.

    >>> parse("TAG='1.2'\\nIMAGE=app:${TAG} # the newest")
    {'TAG': '1.2', 'IMAGE': 'app:1.2'}
    """
    variables = Variables()
    for match in _LINE.finditer(text):
        name, literal, quoted, plain = match.groups()
        if literal is not None:
            variables.declare(name, literal, literally=True)
        else:
            variables.declare(name, _unescaped(quoted) if quoted is not None else _COMMENT.sub("", plain).strip())
    return variables.values


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text, flags=re.DOTALL)


def beside(file: str) -> tuple[dict[str, str], Unread | None]:
    """The variables of the `.env` file in the folder of `file`, and what is wrong with it.

    Only a file that lies there is read: a link could lead to one that is none of the folder's business. What came from
    standard input or out of an archive has nothing beside it.
    """
    if file == "-" or "!" in file:
        return {}, None
    path = Path(file).parent / FILE
    try:
        if path.is_symlink():
            return {}, Unread(place=Place(file=str(path)), reason="it is a link, and links are not followed")
        if not path.is_file():
            return {}, None
        return parse(decoded(read_file(path, YAML_BYTES + 1), str(path), YAML_BYTES)), None
    except TransloadError as error:
        return {}, Unread(place=Place(file=str(path)), reason=error.message)
    except OSError as error:
        return {}, Unread(place=Place(file=str(path)), reason=error.strerror or "it cannot be read")
