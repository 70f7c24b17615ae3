#!/usr/bin/env python3
"""A client in Python, with the standard library alone: append a grant, ask who could, follow what is applied

    python3 docs/clients/client.py http://127.0.0.1:7480

The ledger needs the level `subaccount:dev` of the README's tour. Three habits make a client right:

- The client makes the id of an entry. If an answer does not come, it sends the same entry again: the ledger counts
  an id once.
- A refusal is an answer with status 200. A problem document is an answer with another status.
- A question passes the `revision` of its append as `min_position`, so the answer is not older than that.
"""

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

ATTEMPTS_MAX = 5


class Problem(Exception):
    """A problem document: a stable code and a sentence"""


def send(request):
    """The JSON of an answer"""
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        if error.code == 503:
            raise ConnectionError(error.read().decode()) from error
        problem = json.load(error)
        raise Problem(f"{problem['code']}: {problem['detail']}") from error


def append(server, entry):
    """Appends an entry, again and again with the same id until the ledger says what became of it"""
    body = json.dumps(entry).encode()
    headers = {"content-type": "application/json"}
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            return send(urllib.request.Request(f"{server}/v1/entries", body, headers))
        except OSError:  # Whether it is in the log is not known.
            time.sleep(0.2 * attempt)
    raise TimeoutError(f"no answer after {ATTEMPTS_MAX} attempts: try again later, with the same id")


def ask(server, question, **parameters):
    """Asks a question of the ledger"""
    return send(f"{server}/v1/{question}?{urllib.parse.urlencode(parameters)}")


def changes(server, after):
    """All applied entries after a position, for ever; go on from the last `id` when the connection breaks off"""
    with urllib.request.urlopen(f"{server}/v1/changes?after={after}") as stream:
        # Server-sent events: `id: <position>`, `event: applied`, `data: <JSON>`, and an empty line.
        for line in stream:
            if line.startswith(b"data: "):
                yield json.loads(line[len(b"data: "):])


def main(server):
    entry = {
        "id": str(uuid.uuid4()),
        "actor": "user:sap.default/admin@acme.example",
        "reason": "INC-4711 on-call rotation",
        "changes": [{"type": "grant", "level": "subaccount:dev", "role_collection": "Destination Administrator",
                     "to": "user:sap.default/erin@acme.example"}],
    }
    appended = append(server, entry)
    result = appended["results"][0]
    print(f"appended: {result['outcome']} at #{result['position']}")

    again = append(server, entry)["results"][0]  # As if the first answer had been lost.
    print(f"sent again: {again['outcome']} of #{again['original']['position']}")

    who = ask(server, "who", can="destinations.manage", on="subaccount:dev", min_position=appended["revision"])
    for subject in who["subjects"]:
        print(f"could: {subject['principal']}")

    change = next(changes(server, result["position"] - 1))
    print(f"applied: #{change['position']}, a {change['entry']['changes'][0]['type']}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:7480")
