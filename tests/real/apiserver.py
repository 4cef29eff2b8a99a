"""Enough of an API server for `kubectl create --dry-run=client`: it says which kinds there are, and takes nothing."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Kinds = Mapping[str, Mapping[str, bool]]
"""For each `apiVersion` its kinds, and whether they are in namespaces."""


@contextlib.contextmanager
def discovery(kinds: Kinds) -> Iterator[str]:
    """The address of a server that knows these kinds."""
    answers = dict(_answers(kinds))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.get(self.path.partition("?")[0])
            self.send_response(200 if answer else 404)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer or {}).encode())

        def log_message(self, *_words: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _answers(kinds: Kinds) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "/api", {"kind": "APIVersions", "versions": ["v1"]}
    groups = []
    for version, names in kinds.items():
        group, slash, number = version.rpartition("/")
        resources = [
            {"name": f"{name.lower()}s", "kind": name, "namespaced": within, "verbs": ["create"]}
            for name, within in names.items()
        ]
        path = f"/apis/{version}" if slash else f"/api/{version}"
        yield path, {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
        if slash:
            named = {"groupVersion": version, "version": number}
            groups.append({"name": group, "versions": [named], "preferredVersion": named})
    yield "/apis", {"kind": "APIGroupList", "groups": groups}
