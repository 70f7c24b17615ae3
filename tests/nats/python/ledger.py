"""A ledger as an independent client sees it: nats-py, msgpack, and the AsyncAPI document.

The environment says where the ledger is: NATS_URL, HTTP_URL, LEDGER. If the server has users, SECRETS is set:
a user's password is SECRETS followed by the user's name.
"""

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

import jsonschema
import msgpack
import nats
import nats.errors

LEDGER = os.environ["LEDGER"]
HTTP_URL = os.environ["HTTP_URL"]
ADMIN = "user:sap.default/admin@acme.example"
FORMATS = {
    "Json": ("application/json", lambda tree: json.dumps(tree).encode(), json.loads),
    "MessagePack": ("application/msgpack", msgpack.packb, msgpack.unpackb),
}
DOCUMENT = json.loads((Path(__file__).parents[3] / "schemas/asyncapi.json").read_text())


def identity(user):
    """The user and the password, if the server has users"""
    if "SECRETS" not in os.environ:
        return {}
    return {"user": user, "password": os.environ["SECRETS"] + user}


async def connect(user):
    """A connection as a user"""
    # Answers come only to a user's own inbox.
    url, inbox = os.environ["NATS_URL"], f"_INBOX.{user}"
    return await nats.connect(url, inbox_prefix=inbox, **identity(user))


def described(message, payload, headers=None):
    """Fails if a payload or its headers do not fit the AsyncAPI document's description of the message"""
    message = DOCUMENT["components"]["messages"][message]
    # References to components need them here.
    within = {"components": DOCUMENT["components"]}
    validator = jsonschema.validators.Draft202012Validator
    validator({**message["payload"], **within}).validate(payload)
    if headers is not None:
        validator({**message["headers"], **within}).validate(headers)


def new_id():
    return str(uuid.uuid4())


def entry(*changes, **more):
    return {"id": new_id(), "actor": ADMIN, **more, "changes": list(changes)}


def grant(to, level="subaccount:dev", role_collection="Subaccount Viewer"):
    return {
        "type": "grant",
        "level": level,
        "role_collection": role_collection,
        "to": f"user:sap.default/{to}",
    }


LANDSCAPE = [
    {"type": "create_level", "level": "global-account:acme"},
    {"type": "create_level", "level": "subaccount:dev", "parent": "global-account:acme"},
    grant("alice@acme.example", role_collection="Destination Administrator"),
    grant("bob@acme.example"),
]


class Problem(Exception):
    """An error of the service, with its headers and its document"""

    def __init__(self, headers, document):
        super().__init__(document)
        self.headers = headers
        self.document = document


class Asker:
    """Asks over NATS, and checks every request and reply against the AsyncAPI document"""

    def __init__(self, connection):
        self.connection = connection

    async def raw(self, question, payload, headers=None):
        """Asks until a ledger is there: one that has just started does not answer yet"""
        subject = f"tenure.{LEDGER}.ask.{question}"
        deadline = time.monotonic() + 60
        while True:
            try:
                return await self.connection.request(subject, payload, timeout=60, headers=headers)
            except nats.errors.NoRespondersError:
                if time.monotonic() > deadline:
                    raise

    async def ask(self, question, parameters, form="Json", check_request=True):
        kind, write, read = FORMATS[form]
        named = camel(question)
        if check_request:
            described(f"{named}Request{form}", parameters, {"content-type": kind})
        reply = await self.raw(question, write(parameters), {"content-type": kind})
        tree = read(reply.data)
        if "Nats-Service-Error" in reply.headers:
            described(f"problem{form}", tree, reply.headers)
            raise Problem(reply.headers, tree)
        described(f"{named}Answer{form}", tree, reply.headers)
        return tree


def camel(name):
    first, *rest = name.split("-")
    return first + "".join(part.capitalize() for part in rest)


def http(path, query=None, body=None):
    """The same over HTTP"""
    texts = {k: str(v).lower() if isinstance(v, bool) else v for k, v in (query or {}).items()}
    url = f"{HTTP_URL}{path}?{urllib.parse.urlencode(texts)}" if texts else f"{HTTP_URL}{path}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
