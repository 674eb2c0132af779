"""What `spillway inspect` says about values: histograms, pictures, costs of formats, the reasons of the lossless plan."""
import json
import struct
import unittest
import zlib

import numpy as np

from harness import USAGE, CommandTest, DaemonTest, spillway, write_safetensors

CELL_WIDTH, CELL_HEIGHT, RULE_AT, BARS_AT, BARS_HEIGHT = 271, 113, 92, 15, 64
PAPER, INK, RULE, BAR, ZERO = range(5)


def read_png(path):
    """Pixels of a PNG file of one byte a pixel, by the specification."""
    with open(path, "rb") as file:
        raw = file.read()
    assert raw[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(raw):
        (length,) = struct.unpack_from(">I", raw, at)
        kind, body = raw[at + 4:at + 8], raw[at + 8:at + 8 + length]
        assert struct.unpack_from(">I", raw, at + 8 + length)[0] == zlib.crc32(kind + body)
        chunks[kind] = chunks.get(kind, b"") + body
        at += 12 + length
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert colour == 3 and interlace == 0, "an image with a palette"
    data = zlib.decompress(chunks[b"IDAT"])
    stride = (width * depth + 7) // 8
    rows, above = [], np.zeros(stride, np.uint8)
    for y in range(height):
        kind, *row = data[y * (stride + 1):(y + 1) * (stride + 1)]
        assert kind in (0, 2), "filters that do not look to the left"
        above = np.array(row, np.uint8) + (above if kind == 2 else np.uint8(0))
        bits = np.unpackbits(above)[:width * depth].reshape(width, depth)
        rows.append(bits.dot(1 << np.arange(depth)[::-1]))
    return np.array(rows), np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)


def signed_terms(significand):
    """Of the non-adjacent form, digit by digit."""
    count = 0
    while significand:
        if significand & 1:
            count += 1
            significand -= 2 - significand % 4
        significand >>= 1
    return count


def losses(before, after):
    """Largest and mean relative error, and the relative RMS error."""
    error, there = np.abs(after.astype(float) - before), before != 0
    relative = error[there] / np.abs(before[there])
    return relative.max(), relative.mean(), np.sqrt((error ** 2).sum() / (before.astype(float) ** 2).sum())


class InspectTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.values = np.random.default_rng(5).normal(0, 0.02, (60, 1000)).astype(np.float32)
        self.values[:, :100] = 0
        self.file = self.path("t.safetensors")
        write_safetensors(self.file, {"normal": ("F32", [60, 1000], self.values.tobytes()),
                                      "bytes": ("U8", [3], b"abc")})

    def inspect(self, *words):
        report = json.loads(spillway("inspect", "--json", self.file, *words).text)
        return {tensor["name"]: tensor for tensor in report["tensors"]}

    def costs(self, formats):
        return {cost["format"]: cost for cost in self.inspect("--formats=" + formats)["normal"]["formats"]}

    def assert_losses(self, cost, after):
        for said, is_so in zip(("max", "mean", "rms"), losses(self.values, after)):
            self.assertAlmostEqual(cost["relative_error_" + said], is_so, delta=1e-9 + 1e-5 * is_so)
        self.assertEqual(cost["flushed"], np.count_nonzero((after == 0) & (self.values != 0)))

    def test_escapes_are_counted(self):
        values = np.array([2.0 ** (-i % 5) for i in range(2000)] + [2.0 ** -100] * 3, np.float32)
        write_safetensors(self.file, {"t": ("F32", [2003], values.tobytes())})
        self.assertEqual(self.inspect("--format", "window")["t"]["escaped"], 3)

    def test_terms_of_significands(self):
        bits = np.arange(0x3f80, 0x4000, dtype=np.uint16)  # all significands of BF16
        write_safetensors(self.file, {"t": ("BF16", [128], bits.tobytes())})
        tensor = self.inspect()["t"]
        terms = [signed_terms(0x80 | int(b) & 0x7f) for b in bits]
        self.assertEqual((tensor["significands"], tensor["terms"], max(terms)), (128, sum(terms), 5))
        self.assertAlmostEqual(tensor["terms_per_significand"], 441 / 128, places=5)
        self.assertRegex(spillway("inspect", self.file).text, r" 3\.45  t\n")

    def test_histogram_counts_every_value(self):
        histogram = self.inspect("--histogram")["normal"]["histogram"]
        there = self.values[self.values != 0]
        exponents = np.frexp(there)[1] - 1
        expected = np.bincount(exponents - exponents.min())
        self.assertEqual(histogram["lowest"], exponents.min())
        self.assertEqual(histogram["counts"], expected.tolist())
        self.assertEqual((histogram["zeros"], histogram["below"]), (6000, 0))

    def test_histogram_in_the_terminal(self):
        # Two binades, one of them with half of what the other has: five rows against two and a half.
        values = np.array([1.0] * 60 + [0.5] * 30 + [0.0] * 10, np.float32)
        write_safetensors(self.file, {"t": ("F32", [100], values.tobytes())})
        lines = spillway("inspect", "--histogram", self.file).text.splitlines()
        at = lines.index("t")
        self.assertEqual(lines[at + 1:at + 9], [
            "   60.0% ┤ █", "         │ █", "         │▄█", "         │██", "         │██",
            "         └──", "          2^-1 .. 2^1", "  zeros 10.00 %"])

    def test_wide_ranges_keep_the_top(self):
        values = np.array([2.0 ** -140, 2.0 ** -100, 1.0, np.inf, np.nan, -0.0], np.float32)
        write_safetensors(self.file, {"t": ("F32", [6], values.tobytes())})
        histogram = self.inspect("--histogram")["t"]["histogram"]
        self.assertEqual((histogram["zeros"], histogram["nonfinite"], histogram["below"]), (1, 2, 2))
        self.assertEqual((histogram["lowest"], histogram["counts"]), (-47, [0] * 47 + [1]))

    def test_picture(self):
        path = self.path("t.png")
        spillway("inspect", "--png", path, self.file)
        pixels, palette = read_png(path)
        self.assertEqual(pixels.shape, (CELL_HEIGHT, 2 * CELL_WIDTH))
        self.assertEqual(palette[PAPER].tolist(), [255, 255, 255])
        histogram = self.inspect("--histogram")["normal"]["histogram"]
        most = max(histogram["counts"])
        # Tensors come in the order of their data: the normal one first.
        heights = [np.count_nonzero(pixels[:RULE_AT, 8 + BARS_AT + 5 * i] == BAR) for i in range(len(histogram["counts"]))]
        for height, count in zip(heights, histogram["counts"]):
            self.assertEqual(height, max(int(count / most * BARS_HEIGHT + 0.5), count > 0))
        self.assertEqual(max(heights), BARS_HEIGHT)
        self.assertEqual(np.count_nonzero(pixels[:, 8] == ZERO), int(6000 / most * BARS_HEIGHT + 0.5))
        self.assertTrue((pixels[RULE_AT, 8:CELL_WIDTH - 8] == RULE).all())
        # "n" of "normal" is drawn as a capital: two strokes and a slanting one between.
        self.assertEqual((pixels[8:15, 8:13] == INK).astype(int).tolist()[:3], [[1, 0, 0, 0, 1], [1, 1, 0, 0, 1], [1, 0, 1, 0, 1]])
        self.assertEqual(np.count_nonzero(pixels[:, CELL_WIDTH:] == BAR), 0)

    def test_picture_that_cannot_be_written(self):
        self.assert_fails(1, "nowhere", "inspect", "--png", self.path("nowhere/t.png"), self.file)

    def test_lossless_formats_lose_nothing(self):
        for name, cost in self.costs("lossless,lossless-cold,raw,rans,window,gecko,fpraker,sfp-1-8-23").items():
            self.assert_losses(cost, self.values)
            self.assertAlmostEqual(cost["ratio"], 4 * self.values.size / cost["stored_bytes"], places=5)
            self.assertAlmostEqual(cost["bits_per_value"], 8 * cost["stored_bytes"] / self.values.size, places=3)

    def test_errors_of_truncated_mantissas(self):
        after = (self.values.view(np.uint32) & np.uint32(0xffe00000)).view(np.float32)
        self.assert_losses(self.costs("sfp-1-8-2")["sfp-1-8-2"], after)

    def test_errors_of_few_exponents(self):
        # Fifteen binades below the largest are kept; zero is the sixteenth code.
        bits = self.values.view(np.uint32) & np.uint32(0xffe00000)
        exponent = bits >> 23 & 0xff
        after = np.where(exponent + 15 > exponent.max(), bits, 0).astype(np.uint32).view(np.float32)
        cost = self.costs("sfp-1-4-2")["sfp-1-4-2"]
        self.assert_losses(cost, after)
        self.assertGreater(cost["flushed"], 0)

    def test_errors_of_mxint8(self):
        blocks = np.pad(self.values.astype(float), ((0, 0), (0, 24))).reshape(60, 32, 32)
        largest = np.abs(blocks).max(axis=2, keepdims=True)
        scale = 2.0 ** np.where(largest > 0, np.frexp(largest)[1] - 1 - 6, 0)
        after = np.clip(np.round(blocks / scale), -127, 127) * scale
        self.assert_losses(self.costs("mxint8")["mxint8"], after.reshape(60, 1024)[:, :1000])

    def test_every_format_of_the_usual_list(self):
        tensors = self.inspect("--formats")
        names = [cost["format"] for cost in tensors["normal"]["formats"]]
        self.assertEqual(len(names), len(set(names)))
        for name in ("lossless", "gecko", "fpraker", "sfp-1-4-2-sr", "sfp-1-x-2", "bm8", "bm4-b", "e4m3", "e2m1-c",
                     "fp8uq-e4m3", "mxfp4-e2m1", "nvfp4", "int8", "int4-c", "group4", "grad1-top", "mask1"):
            self.assertIn(name, names)
        self.assertEqual([cost["format"] for cost in tensors["bytes"]["formats"]], ["lossless", "lossless-cold", "raw"])

    def test_every_width_of_every_format(self):
        names = {cost["format"] for cost in self.inspect("--formats=all")["normal"]["formats"]}
        minifloats = {f"e{e}m{b - 1 - e}" for b in range(3, 9) for e in range(1, b)}
        integers = {f"int{b}{suffix}" for b in range(1, 17) for suffix in ("", "-c")}
        self.assertLessEqual(minifloats | integers | {f"group{b}" for b in range(2, 9)}, names)
        self.assertLessEqual({name["format"] for name in self.inspect("--formats")["normal"]["formats"]} -
                             {"sfp-1-8-7", "sfp-1-8-3", "sfp-1-5-2"}, names)

    def test_formats_in_a_table(self):
        lines = spillway("inspect", "--formats=int8,bm8", self.file).text.splitlines()
        (head,) = [i for i, line in enumerate(lines) if line.startswith("FORMAT")]
        self.assertEqual([line.split()[0] for line in lines[head + 1:head + 3]], ["int8", "bm8"])
        self.assertEqual(len({line.rindex("  ") for line in lines[head:head + 3]}), 1, "columns line up")

    def test_what_is_no_format(self):
        for text in ("int17", "bm8,", "bm8,,int8", "sfp-1-9-2", "", "x" * 300):
            self.assert_fails(USAGE, "is no format", "inspect", "--formats=" + text, self.file)

    def test_the_plan_and_its_reasons(self):
        tensors = self.inspect("--plan")
        plan = tensors["normal"]["plan"]
        self.assertEqual(plan["modes"], tensors["normal"]["modes"])
        self.assertEqual(plan["chunks"], sum(plan["modes"].values()))
        self.assertEqual(plan["zeros"], 6000)
        # A sample tells nearly what all values have.
        self.assertAlmostEqual(plan["sampled_exponent_bits"], plan["exponent_entropy"], delta=0.35)
        self.assertEqual(plan["bitmap_chunks"], plan["chunks"])
        self.assertNotIn("sampled_exponent_bits", tensors["bytes"]["plan"])
        self.assertEqual({name: tensors[name]["plan"]["auto"] for name in ("normal", "bytes")},
                         {"normal": "lossless", "bytes": "raw"})
        text = spillway("inspect", "--plan", self.file).text
        self.assertIn("auto takes lossless: many values are zero", text)
        self.assertIn("10.00 % of the values are zeros, which a bitmap takes out of", text)
        self.assertIn("1 of 1 chunks raw: no coding would make it smaller\n  the type has no exponents", text)


class InspectObjectTest(DaemonTest):
    def test_an_object_is_as_good_as_a_file(self):
        values = np.random.default_rng(6).normal(0, 1, 70000).astype(np.float32)
        write_safetensors(self.path("t.safetensors"), {"t": ("F32", [70000], values.tobytes())})
        words = ("--histogram", "--plan", "--formats=lossless,bm8,int8")
        (file,) = json.loads(spillway("inspect", "--json", *words, self.path("t.safetensors")).text)["tensors"]
        self.run_in_space("import", self.path("t.safetensors"))
        (stored,) = self.json_of("inspect", *words, "--object", "t")["tensors"]
        for key in ("histogram", "plan", "formats", "terms", "exponent_entropy"):
            self.assertEqual(stored[key], file[key])


if __name__ == "__main__":
    unittest.main()
