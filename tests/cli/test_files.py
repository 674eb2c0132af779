"""What the command does without a daemon: usage, hostile safetensors files, inspecting files."""
import json
import os
import pathlib
import re
import struct
import unittest

from harness import FAILED, USAGE, CommandTest, random_tensors, spillway, write_raw_safetensors, write_safetensors

VECTORS = pathlib.Path(__file__).parent.parent / "vectors"
COMMANDS = ["put", "get", "ls", "stat", "rm", "stats", "ping", "import", "export", "inspect", "policy"]


class UsageTest(CommandTest):
    def test_help_names_every_command(self):
        text = spillway("--help").text
        for command in COMMANDS:
            self.assertRegex(text, rf"(?m)^  {command} ")
        self.assertEqual(spillway("help").text, text)

    def test_every_command_explains_itself(self):
        for command in COMMANDS:
            text = spillway(command, "--help").text
            self.assertIn(f"Usage: spillway {command}", text)
            self.assertIn("Examples:", text)
            self.assertEqual(spillway("help", command).text, text)

    def test_wrong_usage_is_status_2_with_a_sentence(self):
        for said, *words in [
            ("Usage:",),
            ("there is no command 'fetch'", "fetch"),
            ("unrecognized option", "ls", "--frobnicate"),
            ("say what to store", "put", "name"),
            ("there is no dtype 'F31'", "put", "name", "-", "--dtype", "F31"),
            ("a shape looks like", "put", "name", "-", "--dtype", "F32", "--shape", "3,,4"),
            ("a shape looks like", "put", "name", "-", "--dtype", "F32", "--shape", "-3"),
            ("--shape needs --dtype", "put", "name", "-", "--shape", "3"),
            ("there is no kind", "put", "name", "-", "--kind", "heavy"),
            ("there is no format", "put", "name", "-", "--format", "sfp-1-99-2"),
            ("lossless[-cold], raw, rans", "put", "name", "-", "--format", "mxfp9"),
            ("see spillway put --help", "import", "file", "--format", "mxfp9"),
            ("say which object", "stat"),
            ("a range looks like", "get", "name", "--range", "7"),
            ("a range looks like", "get", "name", "--range", "7:0"),
            ("do not go together", "get", "name", "--range", "0:1", "--container"),
            ("say which objects", "rm"),
            ("but not both", "rm", "name", "--prefix", "p"),
            ("from 1 to 64", "import", "--jobs", "65", "file"),
            ("say what to import", "import"),
            ("say where to", "export", "p"),
            ("--count takes", "ping", "-c", "0"),
            ("say what to do: check", "policy"),
            ("there is no subcommand 'push-it'", "policy", "push-it"),
            ("say which file", "policy", "check"),
            ("one file at a time", "policy", "check", "a", "b"),
        ]:
            self.assert_fails(USAGE, said, *words)

    def test_the_formats_that_put_explains_are_there(self):
        text = spillway("put", "--help").text
        table = text[text.index("Formats, by example") : text.index("Examples:")]
        for family in ("lossless", "sfp-1-4-2", "bm8", "mxfp8-e5m2", "group2", "mask1", "e4m3", "nvfp4", "grad1"):
            self.assertRegex(table, rf"(?m)^  .*\b{family}\b")
        for example in re.findall(r"(?m)^  (\S.*?)(?:  |$)", table):
            for name in re.split(r", | \.\.\. ", example):
                self.assert_fails(FAILED, "/nonexistent", "put", "x", "-", "--format", name)

    def test_an_absent_daemon_is_told_with_what_to_do(self):
        for words in (["ping"], ["ls"], ["stat", "x"], ["rm", "x"], ["get", "x"], ["stats"]):
            self.assert_fails(FAILED, "/nonexistent/spillway.sock", *words)


class HostileSafetensorsTest(CommandTest):
    """Every file is refused by import, before it asks for a daemon, and by inspect, with a sentence that says why."""

    def assert_refused(self, said, header, data=b"", header_bytes=None):
        path = self.path("hostile.safetensors")
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        write_raw_safetensors(path, text, data, header_bytes)
        for command in ("import", "inspect"):
            done = self.assert_fails(FAILED, said, command, path)
            self.assertIn("hostile.safetensors", done.complaint)
            self.assertNotIn("\x1b", done.complaint)

    def test_broken_frames(self):
        self.assert_refused("it was cut off", b"{}", header_bytes=3)
        self.assert_refused("it was cut off", b"{}", header_bytes=2**64 - 1)
        self.assert_refused("no valid JSON", b"{")
        self.assert_refused("no valid JSON", b'{"a\x00": 1}')
        self.assert_refused("no valid JSON", b"{}{}")
        self.assert_refused("not an object", b"[]")
        self.assert_refused("belong to no tensor", b"{}", b"stray")

    def test_short_files(self):
        for raw in (b"", b"1234567"):
            path = self.path("short.safetensors")
            with open(path, "wb") as file:
                file.write(raw)
            self.assert_fails(FAILED, "no safetensors file", "import", path)
            self.assert_fails(FAILED, "no safetensors file", "inspect", path)

    def test_impossible_tensors(self):
        good = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}
        for said, change in [
            ("dtype 'F31', which Spillway does not know", {"dtype": "F31"}),
            ("has no dtype", {"dtype": 7}),
            ("has no shape", {"shape": 4}),
            ("not made of counts", {"shape": [-4]}),
            ("not made of counts", {"shape": [4.0]}),
            ("more than 64 dimensions", {"shape": [1] * 65}),
            ("larger than any tensor", {"shape": [2**62, 2**62]}),
            ("needs 16 bytes", {"dtype": "F32"}),
            ("needs 5 bytes", {"shape": [5]}),
            ("no pair of data_offsets", {"data_offsets": [0]}),
            ("no pair of data_offsets", {"data_offsets": [0, -4]}),
            ("ends before it begins", {"data_offsets": [4, 0]}),
            ("has only 4", {"data_offsets": [0, 5]}),
            ("has only 4", {"data_offsets": [2**62, 2**62 + 4]}),
        ]:
            self.assert_refused(said, {"t": {**good, **change}}, b"1234")
        self.assert_refused("not described by an object", {"t": 1})
        self.assert_refused("is not an object", {"__metadata__": []})
        self.assert_refused("not a text", {"__metadata__": {"steps": 3}})

    def test_bytes_with_two_owners_or_none(self):
        def header(*ranges):
            return {f"t{i}": {"dtype": "U8", "shape": [e - b], "data_offsets": [b, e]} for i, (b, e) in enumerate(ranges)}

        self.assert_refused("overlaps", header((0, 3), (2, 4)), b"1234")
        self.assert_refused("bytes that no tensor owns", header((0, 2), (3, 4)), b"1234")
        self.assert_refused("belong to no tensor", header((0, 3)), b"1234")

    def test_a_name_given_twice(self):
        spec = b'{"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}'
        self.assert_refused("duplicate", b'{"t": ' + spec + b', "t": ' + spec + b"}", b"1")

    def test_a_name_cannot_steer_the_terminal(self):
        self.assert_refused("tensor '?[2J", {"\x1b[2J": {"dtype": "F31", "shape": [], "data_offsets": [0, 0]}})
        path = self.path("good.safetensors")
        write_safetensors(path, {"\x1b]0;owned\x07\x9b2J": ("U8", [1], b"1")})
        text = spillway("inspect", path).text
        self.assertIn("?]0;owned???2J", text)

    def test_the_same_tensor_in_two_files(self):
        for name in ("a", "b"):
            write_safetensors(self.path(name + ".safetensors"), {"t": ("U8", [1], b"1")})
        self.assert_fails(FAILED, "different prefixes", "import", self.path("a.safetensors"), self.path("b.safetensors"))


class InspectTest(CommandTest):
    def inspect(self, *words):
        return json.loads(spillway("inspect", "--json", *words).text)

    def setUp(self):
        super().setUp()
        self.file = self.path("t.safetensors")
        self.tensors = random_tensors(3)
        write_safetensors(self.file, self.tensors)

    def assert_adds_up(self, part):
        bits = sum(part[f"{field}_bits"] for field in ("sign", "exponent", "mantissa", "raw", "metadata"))
        self.assertEqual(bits, 8 * part["stored_bytes"])

    def test_bits_add_up_to_the_stored_bytes(self):
        report = self.inspect(self.file, "--chunks")
        self.assertEqual({t["name"] for t in report["tensors"]}, set(self.tensors))
        for tensor in report["tensors"]:
            dtype, shape, raw = self.tensors[tensor["name"]]
            self.assertEqual((tensor["dtype"], tensor["shape"], tensor["raw_bytes"]), (dtype, shape, len(raw)))
            self.assert_adds_up(tensor)
            for chunk in tensor["chunks"]:
                self.assert_adds_up(chunk)
        self.assert_adds_up(report["total"])
        self.assertEqual(report["total"]["raw_bytes"], sum(len(raw) for _, _, raw in self.tensors.values()))

    def test_a_known_entropy(self):
        # Exponents 127 and 128 equally often: one bit each, 24 others; the ratio of that is 32/25.
        # No two values are equal, and every bit is used: a coding of repetitions or of fewer bits would beat that.
        values = [sign * (1 + (2 * i + 1) * 2047 / 2**23) for i in range(2048) for sign in (1, -2)]
        write_safetensors(self.file, {"t": ("F32", [4096], struct.pack("<4096f", *values))})
        (tensor,) = self.inspect(self.file)["tensors"]
        self.assertAlmostEqual(tensor["exponent_entropy"], 1.0, places=5)
        self.assertAlmostEqual(tensor["bound"], 32 / 25, places=5)
        self.assertLessEqual(tensor["ratio"], 32 / 24)

    def test_a_lossy_format_spends_what_it_says(self):
        report = self.inspect(self.file, "--format", "sfp-1-4-2")
        tensors = {t["name"]: t for t in report["tensors"]}
        normal = tensors["normal/f32"]
        self.assertEqual(normal["format"], "sfp-1-4-2")
        stored = normal["values"] - normal["zeros"]
        self.assertLessEqual(normal["sign_bits"], normal["values"])
        self.assertGreaterEqual(normal["mantissa_bits"], 2 * stored - 2 * normal["flushed"])
        self.assertGreater(normal["ratio"], 4)
        self.assertEqual(tensors["noise/I64"]["format"], "lossless")

    def test_the_table_has_a_line_for_each_tensor_and_a_sum(self):
        lines = spillway("inspect", self.file).text.splitlines()
        self.assertTrue(lines[0].startswith("DTYPE  CODING"))
        self.assertEqual(len([line for line in lines if line.startswith(("F", "BF", "I", "U", "BOOL"))]), len(self.tensors))
        (total,) = [line for line in lines if line.startswith("all")]
        self.assertIn(f"{len(self.tensors)} tensors", total)

    def test_neither_file_nor_object(self):
        self.assert_fails(FAILED, "there is no file 'nowhere'", "inspect", "nowhere")

    def test_damaged_containers_are_refused(self):
        path = self.path("t.swc")
        for raw in (b"SWC", b"SWC\x01" + bytes(60), b"SWC\xff" + bytes(28)):
            with open(path, "wb") as file:
                file.write(raw)
            self.assert_fails(FAILED, "t.swc", "inspect", path)

    def test_every_golden_container_is_sound(self):
        # Among them one of a later day, whose head is longer than ours would be.
        paths = sorted(str(path) for path in VECTORS.glob("*.swc"))
        self.assertIn(str(VECTORS / "F32_lossless_later_10.swc"), paths)
        for path in paths:
            (tensor,) = json.loads(spillway("inspect", "--json", path).text)["tensors"]
            self.assertEqual(tensor["stored_bytes"], os.path.getsize(path), path)


if __name__ == "__main__":
    unittest.main()
