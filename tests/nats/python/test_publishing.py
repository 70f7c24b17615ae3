"""An independent client publishes entries to the log: one and several, in both formats, and garbage."""

import asyncio
import base64
import json
import os
import re
import sys
import unittest
from pathlib import Path

import msgpack

from ledger import (
    ADMIN,
    FORMATS,
    LANDSCAPE,
    LEDGER,
    Asker,
    connect,
    described,
    entry,
    grant,
    http,
    identity,
    new_id,
)

STREAM = "TENURE_" + LEDGER.upper().replace("-", "_")
CE_TYPE = "dev.tenure.entries.v1"
# The longest time that a question waits for an entry
WAIT = 20_000


class Publishing(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.connection = await connect("crm")
        self.stream = self.connection.jetstream()
        self.asker = Asker(self.connection)
        # Another test may have published this before: then the entry is refused, and the levels are there.
        await self.settled(entry(*LANDSCAPE, effective_at="2025-01-01T00:00:00Z"))

    async def asyncTearDown(self):
        await self.connection.close()

    async def publish(self, payload, form="Json", check=True, **headers):
        """Publishes with JetStream, and returns when the broker has acknowledged the message"""
        kind, write, _ = FORMATS[form]
        head = {
            "ce-specversion": "1.0",
            "ce-id": new_id(),
            "ce-type": CE_TYPE,
            "ce-source": "urn:acme:crm",
            "content-type": kind,
            **headers,
        }
        head = {name: value for name, value in head.items() if value is not None}
        if check:
            described(f"entries{form}", payload, head)
        data = payload if isinstance(payload, bytes) else write(payload)
        ack = await self.stream.publish(f"tenure.{LEDGER}.log.crm", data, timeout=60, headers=head)
        self.assertEqual(ack.stream, STREAM)
        return ack

    async def became(self, id):
        """The row of an entry, once the ledger has applied it"""
        return await self.asker.ask("entry", {"entry": id, "wait": WAIT})

    async def settled(self, one, form="Json"):
        await self.publish(one, form)
        return await self.became(one["id"])

    async def test_one_entry_in_each_format(self):
        for form in ("Json", "MessagePack"):
            one = entry(grant("erin@acme.example"), reason="INC-4711")
            row = await self.settled(one, form)
            self.assertEqual(row["outcome"], "applied")
            self.assertEqual(row["entry"], one)

    async def test_a_batch_is_only_packing(self):
        for form in ("Json", "MessagePack"):
            for pack in (lambda batch: {"entries": batch}, lambda batch: batch):
                users = [f"{new_id()}@acme.example" for _ in range(3)]
                batch = [entry(grant(user)) for user in users]
                # One of them is refused, which changes nothing for the others.
                batch.insert(1, entry(grant("x@acme.example", level="subaccount:none")))
                await self.publish(pack(batch), form)
                rows = [await self.became(one["id"]) for one in batch]
                outcomes = [row["outcome"] for row in rows]
                self.assertEqual(outcomes, ["applied", "refused", "applied", "applied"])
                self.assertEqual(rows[1]["refusal"]["code"], "unknown_level")
                positions = [row["position"] for row in rows]
                self.assertEqual(positions, list(range(positions[0], positions[0] + 4)))
                self.assertEqual(len({row["recorded_at"] for row in rows}), 1)

    async def test_a_publisher_waits_for_what_becomes_of_its_entry(self):
        one = entry(grant("frank@acme.example"))
        waiting = asyncio.create_task(self.became(one["id"]))
        await asyncio.sleep(0)
        await self.publish(one, "MessagePack")
        self.assertEqual((await waiting)["outcome"], "applied")

    async def test_the_same_id_again(self):
        one = entry(grant("grace@acme.example"))
        first = await self.settled(one)
        await self.publish(one, "MessagePack")
        other = {**one, "reason": "another content"}
        await self.publish(other)
        last = await self.settled(entry(grant("heidi@acme.example")))
        # The id leads to its owner; the other entries are found by their positions.
        self.assertEqual((await self.became(one["id"]))["position"], first["position"])
        again = [await self.asker.ask("entry", {"entry": last["position"] - n}) for n in (2, 1)]
        self.assertEqual(again[0]["outcome"], "duplicate")
        self.assertEqual(again[0]["original"]["position"], first["position"])
        self.assertEqual(again[1]["refusal"]["code"], "id_reused")

    async def malformed(self, data, raw=None, form="Json", **headers):
        """Publishes data that is no entry, and returns its row: it is kept whole, and later entries are applied"""
        await self.publish(data, form, check=False, **headers)
        after = await self.settled(entry(grant("ivan@acme.example")))
        row = await self.asker.ask("entry", {"entry": after["position"] - 1})
        self.assertEqual((row["id"], row["outcome"]), (None, "refused"), row)
        self.assertEqual((row["refusal"]["code"], row["refusal"]["change"]), ("malformed", None))
        self.assertGreater(len(row["refusal"]["message"].split()), 2)
        self.assertEqual(base64.b64decode(row["raw"]), data if raw is None else raw)
        return row["refusal"]["message"]

    async def test_garbage_is_an_entry_refused_as_malformed(self):
        noise = os.urandom(512)
        for form in ("Json", "MessagePack"):
            for data in (noise, b"{", b"", b"[]", b"\xc1", b"[[[[" * 10_000, b"\xdd\xff\xff\xff\xff"):
                with self.subTest(form=form, data=data[:10]):
                    await self.malformed(data, form=form)
        one = json.dumps(entry(grant("x@acme.example"))).encode()
        self.assertIn("ce-type", await self.malformed(one, **{"ce-type": None}))
        self.assertIn("ce-type", await self.malformed(one, **{"ce-type": "com.example.order"}))
        self.assertIn("content-type", await self.malformed(one, **{"content-type": None}))
        self.assertIn("content-type", await self.malformed(one, **{"content-type": "text/plain"}))
        misspelt = entry({**grant("x@acme.example"), "untill": "2099-01-01T00:00:00Z"})
        self.assertIn("untill", await self.malformed(json.dumps(misspelt).encode()))
        packed = msgpack.packb(misspelt)
        self.assertIn("untill", await self.malformed(packed, form="MessagePack"))

    async def test_a_wrong_entry_in_a_batch_takes_nothing_from_the_others(self):
        good = [entry(grant(f"{new_id()}@acme.example")) for _ in range(2)]
        bad = {"id": new_id(), "actor": "nobody in particular", "changes": []}
        await self.publish({"entries": [good[0], bad, good[1]]}, "MessagePack", check=False)
        rows = [await self.became(one["id"]) for one in good]
        self.assertEqual(rows[1]["position"], rows[0]["position"] + 2)
        between = await self.asker.ask("entry", {"entry": rows[0]["position"] + 1})
        self.assertEqual(between["refusal"]["code"], "malformed")
        self.assertEqual(msgpack.unpackb(base64.b64decode(between["raw"])), bad)

    async def test_the_example_of_the_documentation(self):
        text = (Path(__file__).parents[3] / "docs/nats.md").read_text()
        (example,) = re.findall("```python\n(.*?)```", text, re.DOTALL)
        where = 'connect("nats://127.0.0.1:4222")'
        self.assertIn(where, example)
        # Only the address is replaced.
        here = {"servers": os.environ["NATS_URL"], "inbox_prefix": "_INBOX.crm", **identity("crm")}
        example = example.replace(where, f"connect(**{here!r})")
        ran = await asyncio.create_subprocess_exec(
            sys.executable, "-c", example, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await ran.communicate()
        self.assertRegex(said.decode(), r"^\d+ applied None\n$")

    async def test_what_is_published_is_there_for_every_door(self):
        one = entry(grant("judy@acme.example"))
        row = await self.settled(one, "MessagePack")
        over_http = http(f"/v1/entries/{one['id']}", {"min_position": row["position"]})
        self.assertEqual(over_http, row)
        self.assertEqual(over_http["entry"]["actor"], ADMIN)


if __name__ == "__main__":
    unittest.main(verbosity=2)
