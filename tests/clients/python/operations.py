"""The operations that clients rely on, and a count of which of them were called by whom."""

import re

_ID = "[^/]+"

# In the words of the project: what programs need, and what comes next.
MUST = [
    "GET /ok",
    "GET /info",
    "POST /assistants/search",
    "GET /assistants/{id}",
    "POST /threads",
    "GET /threads/{id}",
    "PATCH /threads/{id}",
    "DELETE /threads/{id}",
    "POST /threads/search",
    "GET /threads/{id}/state",
    "GET /threads/{id}/state/{id}",
    "POST /threads/{id}/state/checkpoint",
    "POST /threads/{id}/history",
    "GET /threads/{id}/history",
    "POST /threads/{id}/runs",
    "POST /threads/{id}/runs/stream",
    "POST /threads/{id}/runs/wait",
    "GET /threads/{id}/runs",
    "GET /threads/{id}/runs/{id}",
    "GET /threads/{id}/runs/{id}/join",
    "GET /threads/{id}/runs/{id}/stream",
    "POST /threads/{id}/runs/{id}/cancel",
    "POST /runs/wait",
    "POST /runs/stream",
    "POST /runs",
    "PUT /store/items",
    "GET /store/items",
    "DELETE /store/items",
    "POST /store/items/search",
    "POST /store/namespaces",
]

SHOULD = [
    "GET /openapi.json",
    "GET /assistants/{id}/schemas",
    "GET /assistants/{id}/graph",
    "POST /assistants",
    "PATCH /assistants/{id}",
    "DELETE /assistants/{id}",
    "POST /assistants/{id}/versions",
    "POST /assistants/count",
    "POST /threads/{id}/state",
    "POST /threads/{id}/copy",
    "POST /threads/count",
    "GET /threads/{id}/stream",
    "DELETE /threads/{id}/runs/{id}",
    "POST /runs/cancel",
    "POST /runs/batch",
    "POST /threads/{id}/commands",
    "POST /threads/{id}/stream/events",
]

# Longer words first: `POST /assistants/search` is not `POST /assistants/{id}`.
_PATTERNS = [
    (operation, re.compile("^" + operation.replace("{id}", _ID) + "$"))
    for operation in sorted(MUST + SHOULD, key=lambda name: name.count("{id}"))
]


class Calls:
    """Which operations were answered with success."""

    def __init__(self):
        self.seen = set()

    def note(self, method, path, status):
        if status >= 300:
            return
        for operation, pattern in _PATTERNS:
            if pattern.match(f"{method} {path}"):
                self.seen.add(operation)
                return

    def missing(self):
        return [operation for operation in MUST + SHOULD if operation not in self.seen]
