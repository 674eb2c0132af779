"""What comes back is what was put: every dtype, every awkward size, both transports."""

import struct

import wire
from harness import SANITIZE, DaemonTest, main, pattern

CHUNK_VALUES = 32768  # of tensors below a million values, see CONTAINER.md


def floats(count: int) -> bytes:
    """Values as training has them: near zero, of both signs."""
    import numpy

    return numpy.random.default_rng(count).normal(0, 0.02, count).astype("<f4").tobytes()


class OverUnix(DaemonTest):
    memory = "128M"

    def endpoint(self) -> str:
        return self.daemon.unix

    def check(self, client, name: str, data: bytes, dtype: str, shape) -> None:
        info = client.put(name, data, dtype, shape)
        self.assertEqual((info.raw_bytes, list(info.tensor.shape)), (len(data), list(shape)))
        got, back = client.finish_get(client.start_get(name))
        self.assertEqual(back, data)
        self.assertEqual((got.tensor.dtype, list(got.tensor.shape)), (wire.DTYPES[dtype][0], list(shape)))
        self.assertEqual(got.generation, info.generation)

    def test_every_dtype(self) -> None:
        client = self.connect(self.endpoint())
        for dtype, (_, size) in wire.DTYPES.items():
            with self.subTest(dtype):
                self.check(client, dtype, pattern(1000 * size), dtype, (10, 100))

    def test_sizes_around_chunks_and_frames(self) -> None:
        client = self.connect(self.endpoint())
        for count in (0, 1, 7, 8, 63, 64, 65, CHUNK_VALUES - 1, CHUNK_VALUES, CHUNK_VALUES + 1, 5 * CHUNK_VALUES + 3):
            with self.subTest(count):
                self.check(client, f"f{count}", floats(count), "F32", (count,))
                self.check(client, f"b{count}", pattern(count), "U8", (count,))

    def test_shapes_without_and_with_one_value(self) -> None:
        client = self.connect(self.endpoint())
        self.check(client, "scalar", struct.pack("<f", 1.5), "F32", ())
        self.check(client, "ones", b"\1", "BOOL", (1,) * 64)
        self.check(client, "empty", b"", "F32", (3, 0, 5))
        self.check(client, "also empty", b"", "C128", (0,))

    def test_large(self) -> None:
        client = self.connect(self.endpoint())
        data = floats((2 << 20) + 17)
        self.check(client, "large", data, "F32", (len(data) // 4,))
        self.assertLess(client.stat("large").stored_bytes, 0.95 * len(data))

    def test_one_byte_frames(self) -> None:
        """However the bytes are cut into frames, the tensor is the same."""
        client = self.connect(self.endpoint())
        data = pattern(300)
        request = client.start_put(client.describe("cut", "U8", (300,)), data[:1])
        for at in range(1, 300):
            client.send_data(request, data[at : at + 1])
        client.answer(request)
        self.assertEqual(client.get("cut"), data)

    def test_formats_keep_their_promise(self) -> None:
        client = self.connect(self.endpoint())
        data = floats(100_000)
        for form in ("", "lossless", "raw", "gecko", "gecko-delta", "gecko-bias", "sfp-1-x-23"):
            with self.subTest(form):
                client.put("w", data, "F32", format=form)
                self.assertEqual(client.get("w"), data)
        client.put("w", data, "F32", format="sfp-1-x-3")
        cut = b"".join(struct.pack("<I", v & 0xFFF00000) for (v,) in struct.iter_unpack("<I", data))
        self.assertEqual(client.get("w"), cut)
        self.assertLess(client.stat("w").stored_bytes, len(data) // 2)

    def test_many_small(self) -> None:
        client = self.connect(self.endpoint())
        count = 10_000 if not SANITIZE else 2_000
        window = 200  # open at once, below the limit that WELCOME names
        opened = [client.start_put(client.describe(f"t{i:05}", "F32", (), group=1), struct.pack("<f", i))
                  for i in range(window)]  # fmt: skip
        for i in range(count):
            client.answer(opened[i])
            if i + window < count:
                message = client.describe(f"t{i + window:05}", "F32", (), group=1)
                opened.append(client.start_put(message, struct.pack("<f", i + window)))
        self.assertEqual(client.names("t"), [f"t{i:05}" for i in range(count)])
        for i in range(0, count, 97):
            self.assertEqual(client.get(f"t{i:05}"), struct.pack("<f", i))
        self.assertEqual(client.stats()["store_objects"], count)
        self.assertEqual(client.free_group(1).freed, count)
        self.assert_idle()


class OverTcp(OverUnix):
    tcp = True

    def endpoint(self) -> str:
        return self.daemon.tcp


if __name__ == "__main__":
    main()
