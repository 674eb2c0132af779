"""One tensor of 3 GiB: more than 32 bits of bytes. Its raw bytes really flow, both ways; being zeros they take no room."""

import os
import sys

import wire
from harness import SANITIZE, DaemonTest, main

MIB = 1 << 20
SIZE = 3 << 30
MARK = b"the last bytes of it"


class Big(DaemonTest):
    def test_three_gibibytes(self) -> None:
        client = self.connect()
        request = client.start_put(client.describe("big", "F32", (3, 1 << 28), deadline_ms=250_000))
        body = bytes(MIB)
        for _ in range(SIZE // MIB - 1):
            client.send_data(request, body)
        client.send_data(request, body[: -len(MARK)] + MARK)
        info = client.answer(request).message.object
        self.assertEqual((info.raw_bytes, info.chunks), (SIZE, SIZE >> 18))
        self.assertLess(info.stored_bytes, SIZE // 100)
        self.assertEqual(client.get("big", offset=SIZE - len(MARK)), MARK)
        self.assertEqual(client.get("big", offset=1 << 31, length=1), b"\0")

        request = client.start_get("big", deadline_ms=250_000)
        frame = client.answer(request)
        self.assertEqual(frame.message.body_bytes, SIZE)
        have, last = 0, b""
        while True:
            have += len(frame.body)
            last = (last + frame.body)[-len(MARK) :]
            if have == SIZE:
                break
            self.assertFalse(frame.body.strip(b"\0"), f"byte {have} is not as it was")
            frame = client.answer(request)
            self.assertEqual(frame.type, wire.DATA)
        self.assertEqual(last, MARK)
        self.assertLess(self.daemon.status("VmHWM"), 256 * MIB)


if __name__ == "__main__":
    if SANITIZE:
        print(f"skipped: {SIZE >> 30} GiB take too long under {SANITIZE}")
        sys.exit(77)
    if os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") < 512 * MIB:
        print("skipped: this machine has less than 512 MiB of free memory")
        sys.exit(77)
    main()
