"""Every question over NATS, in both formats: the answers equal those over HTTP and fit the AsyncAPI document."""

import asyncio
import json
import unittest

import msgpack
from nats.micro.service import ServiceInfo, ServicePing, ServiceStats

from ledger import LANDSCAPE, LEDGER, Asker, Problem, connect, entry, grant, http

CAN = {"can": "destinations.manage", "on": "subaccount:dev"}
ALICE = {"principal": "alice@acme.example"}
AT = {"at": "2025-06-01"}
# The parameters that are tried with each question; `known_at` is added if the question has it.
QUESTIONS = {
    "who": [
        {**CAN, **AT, "explain": True},
        {"can": "destinations.manage", "under": "global-account:acme", **AT},
        {**CAN, "from": "2025-01-01", "until": "2026-01-01"},
        {"can": "destinations.manage", "under": "global-account:acme", "from": "2025-01-01"},
        {"can": "role-collection:Subaccount Viewer", "on": "subaccount:dev", **AT, "limit": 1},
    ],
    "what": [{**ALICE, "on": "subaccount:dev", **AT}],
    "check": [
        {**ALICE, **CAN, **AT},
        {"principal": "bob@acme.example", **CAN, **AT},
    ],
    "timeline": [{**ALICE, **CAN}],
    "where": [{**ALICE, "can": "destinations.manage", "under": "global-account:acme", **AT}],
    "diff": [
        {"from": "2024-01-15", "until": "2025-06-01"},
        {"from": "2024-01-15", "until": "2025-06-01", "principal": "alice@acme.example", "limit": 1},
        {**CAN, "from": "2024-01-15", "until": "2025-06-01"},
        {"can": "destinations.manage", "under": "global-account:acme", "from": "2024-01-15", "until": "2025-06-01"},
    ],
    "assignments": [{"on": "subaccount:dev", **AT}, {**ALICE, **AT, "explain": "full"}],
    "holdings": [ALICE, {"on": "subaccount:dev", "from": "2025-01-01", "explain": "full"}],
    "members": [{"set": "group:corp/admins", **AT}],
    "principals": [AT, {"kind": "user", "holding": True, **AT}],
    "search": [{"q": "DEV", **AT}, {"q": "subaccount viewer", "kind": "role-collection", "limit": 1, **AT}],
    "sources": [AT, {"under": "global-account:acme", "source": "listing", "limit": 1, **AT}],
    "levels": [AT, {"under": "global-account:acme", "kind": "subaccount", **AT}],
    "role-collections": [{"on": "subaccount:dev", **AT}],
    "catalog": [AT],
    "history": [{"principal": "alice@acme.example"}, {"level": "subaccount:dev", "limit": 2}],
    "entry": [{"entry": 1}],
}
UNKNOWN_AT = {"history", "entry", "diff"}


def over_http(question, parameters):
    if question == "history":
        return http("/v1/entries", parameters)
    if question == "entry":
        return http(f"/v1/entries/{parameters['entry']}")
    return http(f"/v1/{question}", parameters)


class Asking(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        landscape = entry(*LANDSCAPE, effective_at="2025-01-01T00:00:00Z")
        landscape["id"] = "7d1f4d44-3c1e-4e0e-8f0a-0f6f4b2d7f10"
        # However often this runs against one ledger, the entry is there once.
        (result,) = http("/v1/entries", body=landscape)["results"]
        assert result["outcome"] in ("applied", "duplicate"), result
        cls.known_at = result["position"]
        cls.id = landscape["id"]

    async def asyncSetUp(self):
        self.connection = await connect("auditor")
        self.asker = Asker(self.connection)

    async def asyncTearDown(self):
        await self.connection.close()

    async def test_every_question_in_both_formats_as_over_http(self):
        for question, asked in QUESTIONS.items():
            for parameters in asked + ([{"entry": self.id}] if question == "entry" else []):
                if question not in UNKNOWN_AT:
                    parameters = {**parameters, "known_at": self.known_at}
                with self.subTest(question=question, parameters=parameters):
                    expected = over_http(question, parameters)
                    self.assertEqual(await self.asker.ask(question, parameters), expected)
                    packed = await self.asker.ask(question, parameters, "MessagePack")
                    self.assertEqual(packed, expected)

    async def test_the_answers_are_not_empty(self):
        coordinates = {**AT, "known_at": self.known_at}
        who = await self.asker.ask("who", {**CAN, **coordinates, "explain": True})
        self.assertEqual(who["subjects"][0]["because"][0]["id"], self.id)
        what = await self.asker.ask("what", {**ALICE, "on": "subaccount:dev", **coordinates})
        self.assertIn("destinations.manage", what["operations"])
        denied = {"principal": "bob@acme.example", **CAN, **coordinates}
        self.assertFalse((await self.asker.ask("check", denied))["allowed"])

    async def test_many_checks_at_once(self):
        checks = {"checks": [{**ALICE, **CAN, **AT}, {**ALICE, "can": "role:none", "on": "subaccount:dev"}]}
        for form in ("Json", "MessagePack"):
            found = await self.asker.ask("check", checks, form)
            self.assertTrue(found["results"][0]["allowed"])
            self.assertEqual(found["results"][1]["code"], "unknown_role")

    async def test_pages_over_nats(self):
        asked = {"can": "role-collection:Subaccount Viewer", "on": "subaccount:dev", "limit": 1}
        appended = http("/v1/entries", body=entry(grant("carol@acme.example")))
        first = await self.asker.ask("who", {**asked, "min_position": appended["revision"]}, "MessagePack")
        self.assertGreaterEqual(first["total"], 2)
        seen = [subject["principal"] for subject in first["subjects"]]
        page = first
        while "next_page_token" in page:
            page = await self.asker.ask("who", {**asked, "page_token": page["next_page_token"]})
            seen += [subject["principal"] for subject in page["subjects"]]
        self.assertEqual(len(set(seen)), first["total"])

    async def test_an_answer_is_as_new_as_was_asked_for(self):
        revision = http("/v1/entries", body=entry(grant("dave@acme.example")))["revision"]
        position = int(revision.split("@")[1])
        for min_position in (revision, position):
            levels = await self.asker.ask("levels", {"min_position": min_position})
            self.assertGreaterEqual(levels["as_of"]["known_at"], position)
        with self.assertRaises(Problem) as behind:
            await self.asker.ask("levels", {"min_position": position + 1_000_000})
        self.assertEqual(behind.exception.document["code"], "behind")

    async def test_errors_are_in_the_headers_and_the_body(self):
        wrong = [
            ("who", {"can": "destinations.manage", "on": "subaccount:none"}, "unknown_level", 404),
            ("who", {"can": "no.such", "on": "subaccount:dev"}, "unknown_operation", 404),
            ("who", {}, "bad_request", 400),
            ("levels", {"att": "2025-01-01"}, "unknown_parameter", 400),
            ("levels", {"at": "yesterday"}, "bad_time", 400),
            ("levels", {"known_at": 10**9}, "not_yet", 409),
            ("entry", {"entry": "0b6f9c1e-63bb-4a4a-9d8c-0d5e5f1d0a11", "wait": 10}, "unknown_entry", 404),
        ]
        for question, parameters, code, status in wrong:
            for form in ("Json", "MessagePack"):
                with self.subTest(question=question, code=code, form=form):
                    with self.assertRaises(Problem) as found:
                        await self.asker.ask(question, parameters, form, check_request=False)
                    headers, document = found.exception.headers, found.exception.document
                    self.assertEqual(headers["Nats-Service-Error"], code)
                    self.assertEqual(headers["Nats-Service-Error-Code"], str(status))
                    self.assertEqual((document["code"], document["status"]), (code, status))
                    self.assertGreater(len(document["detail"].split()), 2)

    async def test_garbage_gets_a_sentence_and_the_service_lives(self):
        garbage = [
            (b"\x00\xff{", None),
            (b"\xc1", "application/msgpack"),
            (b"[" * 100_000, "application/json"),
            (b"\xdd\xff\xff\xff\xff", "application/msgpack"),
            (b"\xdf\xff\xff\xff\xff", "application/msgpack"),
            (msgpack.packb({1: 2}), "application/msgpack"),
            (json.dumps({"can": "x" * 900_000, "on": "y"}).encode(), None),
        ]
        for payload, kind in garbage:
            headers = {"content-type": kind} if kind else None
            reply = await self.asker.raw("who", payload, headers)
            self.assertEqual(reply.headers["Nats-Service-Error-Code"], "400", payload[:20])
        await self.asker.ask("levels", {})

    async def test_the_service_is_found_and_counts(self):
        await self.asker.ask("levels", {})
        with self.assertRaises(Problem):
            await self.asker.ask("levels", {"at": "never"})
        # Each replica answers by itself; nats-py's own types read the answers.
        inbox = self.connection.new_inbox()
        replies = await self.connection.subscribe(inbox)
        found = {}
        for verb, kind in (("PING", ServicePing), ("INFO", ServiceInfo), ("STATS", ServiceStats)):
            await self.connection.publish(f"$SRV.{verb}.tenure", b"", reply=inbox)
            tree = json.loads((await replies.next_msg(timeout=60)).data)
            self.assertEqual(tree["type"], f"io.nats.micro.v1.{verb.lower()}_response")
            found[verb] = kind.from_dict(tree)
        self.assertEqual(found["PING"].metadata, {"ledger": LEDGER})
        endpoints = {endpoint.name: endpoint for endpoint in found["INFO"].endpoints}
        self.assertEqual(set(endpoints), set(QUESTIONS))
        for name, endpoint in endpoints.items():
            self.assertEqual(endpoint.subject, f"tenure.{LEDGER}.ask.{name}")
        levels = next(e for e in found["STATS"].endpoints if e.name == "levels")
        self.assertGreaterEqual(levels.num_requests, 2)
        self.assertGreaterEqual(levels.num_errors, 1)
        self.assertEqual(levels.last_error, "400:bad_time")
        self.assertGreater(levels.average_processing_time, 0)

    async def test_many_at_once_are_all_answered(self):
        asked = [self.asker.ask("check", {**ALICE, **CAN, **AT}) for _ in range(500)]
        for answer in await asyncio.gather(*asked):
            self.assertTrue(answer["allowed"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
