"""An encoded get hands out a container that the plain decoder of tests/python reads to the same bytes."""

import sys
from pathlib import Path

import wire
from harness import DaemonTest, main, pattern

sys.path.insert(0, str(Path(__file__).parent.parent / "python"))
import decoder  # noqa: E402


class Containers(DaemonTest):
    def check(self, client, dtype: str, shape, data: bytes, form: str = "", **fields) -> None:
        info = client.put("w", data, dtype, shape, format=form, **fields)
        container = client.get("w", encoded=True)
        tensor = decoder.decode(container)
        self.assertEqual(len(container), info.stored_bytes)
        self.assertEqual((tensor.dtype, list(tensor.shape)), (wire.DTYPES[dtype][0], list(shape)))
        self.assertEqual(tensor.data, client.get("w"))
        if not form.startswith("sfp"):
            self.assertEqual(tensor.data, data)

    def test_every_dtype(self) -> None:
        client = self.connect()
        for dtype, (_, size) in wire.DTYPES.items():
            with self.subTest(dtype):
                self.check(client, dtype, (7, 11), pattern(77 * size))

    def test_shapes_and_formats(self) -> None:
        import numpy

        values = numpy.random.default_rng(3).normal(0, 0.1, 70_000).astype("<f4")
        values[values < -0.05] = 0
        e_max = int(numpy.abs(values).max().view("<u4") >> 23)
        client = self.connect()
        for shape in ((0, 3), (), (1,), (64,), (32_768,), (32_769,), (7, 10_000)):
            count = int(numpy.prod(shape))
            for form in ("", "raw", "gecko-delta", "gecko-bias", "sfp-1-4-2", "sfp-0-x-3"):
                with self.subTest(shape=shape, form=form):
                    data = values[:count].tobytes()
                    self.check(client, "F32", shape, data, form, e_max=e_max if form == "sfp-1-4-2" else 0)

    def test_a_large_container_flows_like_a_tensor(self) -> None:
        client = self.connect(window=100_000)
        data = pattern(3 << 20)
        client.put("w", data)
        self.assertEqual(decoder.decode(client.get("w", encoded=True)).data, data)


if __name__ == "__main__":
    main()
