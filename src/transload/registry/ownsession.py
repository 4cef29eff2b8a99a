"""Which addresses of uploads may be noted for a later process."""

from __future__ import annotations

from transload.errors import ProtocolTrouble
from transload.expressions import late
from transload.net.address import Origin, Url

_SESSION = late(r"/v2/([a-z0-9/._-]+)/blobs/uploads?/([A-Za-z0-9._~=+-]+)")


def is_own_session(address: str, origin: Origin, repository: str) -> bool:
    """Whether an address is that of an upload to this repository at this registry itself.

    Only such an address is noted for a later process, and asked by it with our login: no other host, and nothing else
    that a request could change at the registry, whoever wrote the note.
    """
    try:
        url = Url.parse(address)
    except ProtocolTrouble:
        return False
    form = _SESSION.fullmatch(url.path)
    return url.origin == origin and form is not None and form[1] == repository and ".." not in form[2]
