"""Exchanges of weights over gRPC: rounds, readers that wait, parts, refusals, and an end with streams open.

Containers are made and read by the plain decoder of tests/python and the daemon's own data plane.
"""

from __future__ import annotations

import struct
import sys
import threading
from pathlib import Path

from control import tensor
from control_case import ControlTest
from grpc import RpcError, StatusCode
from harness import main, until

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import decoder

F32 = 1
ROWS, COLUMNS = 300, 700
VALUES = ROWS * COLUMNS


def weights(worker: int) -> bytes:
    """Multiples of 2^-8, whose means over two workers are exact."""
    return struct.pack(f"<{VALUES}f", *((i * 7 + worker * 3) % 511 / 256 - 1 for i in range(VALUES)))


class Exchange(ControlTest):
    def setUp(self) -> None:
        super().setUp()
        self.client = self.connect()
        self.channel = self.control()

    def container(self, values: bytes, shape=(ROWS, COLUMNS), form: str = "raw") -> bytes:
        self.client.put("scratch", values, "F32", shape, format=form)
        made = self.client.get("scratch", encoded=True)
        self.client.free("scratch")
        return made

    def join(self, name: str = "fl", workers: int = 2, form: str = "raw", **fields):
        fields.setdefault("tensors", [tensor(F32, ROWS, COLUMNS)])
        return self.channel.call("Exchange.Join", exchange=name, workers=workers, format=form, **fields)

    def put(self, worker: int, container: bytes, number: int = 0, step: int = 300_000, **fields) -> int:
        fields = {"exchange": "fl", "round": 1, "samples": 1, **fields}
        for at in range(0, len(container), step):
            part = container[at : at + step]
            done = self.channel.call(
                "Exchange.Put",
                worker=worker,
                tensor=number,
                container=part,
                first=at == 0,
                last=at + len(part) == len(container),
                **fields,
            )
        return done.reported

    def get(self, number: int = 1, **fields) -> bytes:
        parts = list(self.channel.watch("Exchange.Get", exchange="fl", round=number, timeout=20, **fields))
        self.assertEqual([part.last for part in parts], [False] * (len(parts) - 1) + [True])
        return b"".join(part.container for part in parts)

    def test_a_round(self) -> None:
        self.assertEqual(self.join().round, 1)
        self.assertEqual(self.join().round, 1)
        found: list[bytes] = []
        reader = threading.Thread(target=lambda: found.append(self.get()))
        reader.start()
        a, b = weights(0), weights(1)
        self.assertEqual(self.put(0, self.container(a), samples=1), 1)
        self.assertEqual(self.put(1, self.container(b), samples=3), 2)
        reader.join(20)
        mean = [(x + 3 * y) / 4 for x, y in zip(struct.unpack(f"<{VALUES}f", a), struct.unpack(f"<{VALUES}f", b))]
        expected = struct.pack(f"<{VALUES}f", *mean)
        self.assertEqual(decoder.decode(found[0]).data, expected)
        self.assertEqual(decoder.decode(self.get(master=True)).data, expected)
        self.assertEqual(self.join().round, 2)
        self.channel.call("Exchange.End", exchange="fl")
        self.assert_fails(StatusCode.NOT_FOUND, "NOT_FOUND", self.channel.call, "Exchange.End", exchange="fl")

    def test_few_bits(self) -> None:
        self.join(form="fp8uq-e4m3", workers=1)
        self.put(0, self.container(weights(0)))
        self.assertLess(len(self.get()), VALUES * 1.02)
        self.assertEqual(decoder.decode(self.get(master=True)).data, weights(0))

    def test_refusals(self) -> None:
        self.join()
        good = self.container(weights(0))
        refused = (
            (StatusCode.NOT_FOUND, "NOT_FOUND", {"exchange": "other"}, "join it first"),
            (StatusCode.ABORTED, "STALE", {"round": 2}, "round 1's turn"),
            (StatusCode.INVALID_ARGUMENT, "INVALID", {"worker": 2}, "numbered from 0 to 1"),
            (StatusCode.INVALID_ARGUMENT, "INVALID", {"tensor": 1}, "numbered from 0 to 0"),
            (StatusCode.INVALID_ARGUMENT, "INVALID", {"samples": 0}, "samples is how many"),
            (StatusCode.NOT_FOUND, "NOT_FOUND", {"exchange": "x" * 65}, "more than 64"),
        )
        for code, status, wrong, says in refused:
            with self.subTest(wrong=wrong):
                fields = {"exchange": "fl", "round": 1, "samples": 1, "worker": 0, "tensor": 0, **wrong}
                self.assert_fails(
                    code, status, self.channel.call, "Exchange.Put", container=good[:100], first=True, says=says, **fields
                )
        self.assert_fails(
            StatusCode.DATA_LOSS, "CORRUPT", self.put, 0, good[:5000] + b"?" + good[5001:]
        )
        nan = struct.pack("<f", float("nan")) + weights(0)[4:]
        self.assert_fails(StatusCode.INVALID_ARGUMENT, "INVALID", self.put, 0, self.container(nan), says="NaN")
        other = self.container(weights(0), (COLUMNS, ROWS))
        self.assert_fails(StatusCode.INVALID_ARGUMENT, "INVALID", self.put, 0, other, says="another tensor")
        self.assert_fails(StatusCode.INVALID_ARGUMENT, "INVALID", self.join, seed=4, says="opened with other")
        self.assert_fails(
            StatusCode.INVALID_ARGUMENT, "INVALID", self.join, "new", form="fp9", says="unknown format 'fp9'"
        )
        self.assert_fails(
            StatusCode.INVALID_ARGUMENT, "INVALID", self.join, "new", tensors=[tensor(F32, *[1] * 65)], says="dimensions"
        )
        # Nothing of that spoiled the round.
        self.put(0, good)
        self.put(1, good)
        self.assertEqual(decoder.decode(self.get()).data, weights(0))
        self.assert_fails(StatusCode.ABORTED, "STALE", list, self.channel.watch("Exchange.Get", exchange="fl", round=0))

    def test_the_end_reaches_those_who_wait(self) -> None:
        self.join()
        ends: list[StatusCode] = []

        def wait() -> None:
            try:
                self.get()
            except RpcError as error:
                ends.append(error.code())

        readers = [threading.Thread(target=wait) for _ in range(3)]
        for reader in readers:
            reader.start()
        self.put(0, self.container(weights(0)))
        self.channel.call("Exchange.End", exchange="fl")
        until("every reader has heard", lambda: len(ends) == 3, 20)
        for reader in readers:
            reader.join(20)
        self.assertEqual(set(ends), {StatusCode.NOT_FOUND})

    def test_shutting_down_with_readers(self) -> None:
        self.join()
        stream = self.channel.watch("Exchange.Get", exchange="fl", round=1, timeout=20)
        self.put(0, self.container(weights(0)))
        self.client.close()
        self.daemon.terminate()
        self.assert_fails(StatusCode.UNAVAILABLE, "SHUTTING_DOWN", list, stream)


class Small(ControlTest):
    def test_memory_is_bounded(self) -> None:
        small = self.start_daemon("--set", "exchange_memory=1M")
        channel = self.control(small.control)
        wish = {"workers": 1, "format": "raw"}
        channel.call("Exchange.Join", exchange="a", tensors=[tensor(F32, 1000, 1000)], **wish)
        self.assert_fails(
            StatusCode.RESOURCE_EXHAUSTED,
            "FULL",
            channel.call,
            "Exchange.Join",
            exchange="b",
            tensors=[tensor(F32, 1)] * 4000,
            says="exchange_memory",
            **wish,
        )
        put = {"exchange": "a", "round": 1, "samples": 1}
        channel.call("Exchange.Put", container=bytes(900_000), first=True, **put)
        self.assert_fails(
            StatusCode.RESOURCE_EXHAUSTED, "FULL", channel.call, "Exchange.Put", container=bytes(900_000), **put
        )


if __name__ == "__main__":
    main()
