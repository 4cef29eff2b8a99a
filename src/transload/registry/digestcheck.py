"""Whether a registry compares the digest at the end of an upload: only then is its word a proof for bytes unseen."""

from __future__ import annotations

import os
import threading

from transload.errors import Interrupted, TransloadError
from transload.net.messages import HttpRequest
from transload.oci import Descriptor, Digest
from transload.registry.api import Api
from transload.registry.scope import removal
from transload.registry.session import ACCEPTED, UploadSession
from transload.registry.translate import codes_of

_CONTENT = b"Does this registry compare digests? It may delete this.\n"


class DigestCheck:
    """Asks a registry once in a run: it uploads a few bytes under the digest of others, which an honest one refuses.

    So nothing is left there. If it does take them, they are deleted, where it lets us. What an earlier run found is not
    relied on. Safe for threads.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._asked = False

    def passed(self, repository: str) -> bool:
        """Whether it is known to refuse; False also where it could not be asked. Raises `Interrupted`."""
        capabilities = self._api.capabilities
        with self._lock:
            if not (self._asked or capabilities.is_settled("refuses_wrong_digest")):
                self._asked = True
                refuses = self._ask(repository)
                if refuses is not None:
                    capabilities.learn("refuses_wrong_digest", refuses)
        return capabilities.is_settled("refuses_wrong_digest") and capabilities.refuses_wrong_digest is True

    def _ask(self, repository: str) -> bool | None:
        digest = Digest.of(os.urandom(32))  # of nothing that anybody has
        session = UploadSession(self._api, repository, Descriptor("application/octet-stream", digest, len(_CONTENT)))
        try:
            session.open()
            session.patch([_CONTENT], len(_CONTENT), ranged=False)
            reply = session.close()
            if reply.status in ACCEPTED:
                url = self._api.blob_url(repository, digest)
                self._api.ask(HttpRequest("DELETE", url, session.doing, "delete"), removal(repository))
                return False
        except Interrupted:
            raise
        except TransloadError:  # no answer is no proof; the bytes are read again
            return None
        finally:
            session.cancel()
        return True if "DIGEST_INVALID" in codes_of(reply) else None
