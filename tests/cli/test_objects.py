"""Single objects through the command: put, get, ls, stat, rm, stats, ping, inspect."""
import json
import os
import pty
import struct
import subprocess
import unittest

from harness import FAILED, SPILLWAY, USAGE, DaemonTest, spillway, write_safetensors


def floats(count):
    return b"".join(struct.pack("<f", (i % 251 - 125) / 64) for i in range(count))


class ObjectTest(DaemonTest):
    def put(self, name, raw, *words):
        return self.run_in_space("put", name, "-", *words, stdin=raw)

    def get(self, name, *words):
        return self.run_in_space("get", name, *words).stdout

    def test_round_trip_of_a_tensor(self):
        raw = floats(256 * 1024)
        said = self.put("layer1/weight", raw, "--dtype", "F32", "--shape", "256,1024", "--kind", "weight").text
        self.assertIn("layer1/weight: F32 [256,1024], 1.0 MiB stored as", said)
        self.assertEqual(self.get("layer1/weight"), raw)
        info = self.json_of("stat", "layer1/weight")
        self.assertEqual((info["dtype"], info["shape"], info["kind"]), ("F32", [256, 1024], "weight"))
        self.assertEqual((info["raw_bytes"], info["format"], info["space"]), (len(raw), "lossless", self.space))
        self.assertLess(info["stored_bytes"], len(raw))

    def test_bytes_need_no_dtype(self):
        self.put("note", b"hello\n")
        self.assertEqual(self.get("note"), b"hello\n")
        self.assertEqual(self.json_of("stat", "note")["dtype"], "U8")

    def test_nothing_is_a_tensor_too(self):
        self.put("empty", b"")
        self.assertEqual(self.get("empty"), b"")

    def test_put_replaces(self):
        self.put("n", b"old")
        first = self.json_of("stat", "n")["generation"]
        self.put("n", b"newer")
        self.assertEqual(self.get("n"), b"newer")
        self.assertGreater(self.json_of("stat", "n")["generation"], first)

    def test_files_in_and_out(self):
        raw = floats(1000)
        with open(self.path("in.bin"), "wb") as file:
            file.write(raw)
        self.run_in_space("put", "t", self.path("in.bin"), "--dtype", "F32")
        self.run_in_space("get", "t", "-o", self.path("out.bin"))
        with open(self.path("out.bin"), "rb") as file:
            self.assertEqual(file.read(), raw)
        self.assertEqual(sorted(os.listdir(self.directory)), ["in.bin", "out.bin"])

    def test_a_tensor_out_of_a_safetensors_file(self):
        write_safetensors(self.path("m.safetensors"), {"a:b": ("I32", [2], b"12345678")})
        self.run_in_space("put", "t", self.path("m.safetensors") + ":a:b")
        self.assertEqual(self.get("t"), b"12345678")
        self.assertEqual(self.json_of("stat", "t")["dtype"], "I32")
        self.assert_fails_in_space(FAILED, "there is no tensor 'c'", "put", "t", self.path("m.safetensors") + ":c")

    def test_byte_ranges(self):
        raw = floats(200000)
        self.put("t", raw, "--dtype", "F32")
        for offset, length in ((0, 1), (4095, 4098), (131071, 300000), (len(raw) - 1, 1)):
            self.assertEqual(self.get("t", "--range", f"{offset}:{length}"), raw[offset:offset + length])
        self.assertEqual(self.get("t", "--range", "799990:"), raw[799990:])
        self.assertEqual(self.get("t", "--range", f"{len(raw)}:"), b"")
        self.assert_fails_in_space(FAILED, "has 800000 bytes", "get", "t", "--range", "799999:2")

    def test_a_failed_get_leaves_the_old_file(self):
        with open(self.path("kept"), "w") as file:
            file.write("kept")
        self.assert_fails_in_space(FAILED, "nothing: no object", "get", "nothing", "-o", self.path("kept"))
        with open(self.path("kept")) as file:
            self.assertEqual(file.read(), "kept")

    def test_auto_looks_at_the_values(self):
        for name, raw, expected in (("weights", floats(65536), "lossless"), ("noise", os.urandom(65536 * 4), "raw")):
            self.put(name, raw, "--dtype", "F32", "--format", "auto")
            self.assertEqual(self.json_of("stat", name)["format"], expected)
        self.put("cold", floats(5000), "--dtype", "F32", "--format", "auto-cold")
        self.assertEqual(self.json_of("stat", "cold")["format"], "lossless-cold")

    def test_lossy_formats_are_told(self):
        self.put("t", floats(65536), "--dtype", "F32", "--format", "sfp-1-4-2")
        self.assertEqual(self.json_of("stat", "t")["format"], "sfp-1-4-2")
        self.assertNotEqual(self.get("t"), floats(65536))

    def test_zeros_fit_every_format(self):
        for name, raw in (("zeros", bytes(4096)), ("subnormal", struct.pack("<I", 1) * 64), ("none", b"")):
            self.put(name, raw, "--dtype", "F32", "--format", "sfp-1-4-2")
            self.assertEqual(self.get(name), bytes(len(raw)))

    def test_wrong_sizes_and_sources(self):
        with open(self.path("seven"), "wb") as file:
            file.write(b"1234567")
        self.assert_fails_in_space(FAILED, "has 7 bytes, but dtype and shape ask for 4", "put", "t", self.path("seven"),
                                   "--dtype", "F32")
        self.assert_fails_in_space(FAILED, "ask for 48", "put", "t", self.path("seven"), "--dtype", "F32", "--shape", "3,4")
        self.assert_fails_in_space(FAILED, "absent: No such file", "put", "t", self.path("absent"))
        self.assert_fails_in_space(FAILED, "Is a directory", "put", "t", self.directory)
        self.assertEqual(self.run_in_space("ls").text, "")

    def test_listing(self):
        for name in ("b/2", "a/1", "b/10"):
            self.put(name, bytes(4096), "--dtype", "F32", "--shape", "32,32")
        self.assertEqual(self.run_in_space("ls").text.split(), ["a/1", "b/10", "b/2"])
        self.assertEqual(self.run_in_space("ls", "b/").text.split(), ["b/10", "b/2"])
        self.assertEqual(self.run_in_space("ls", "c").text, "")
        lines = self.run_in_space("ls", "-l").text.splitlines()
        self.assertRegex(lines[0], "^DTYPE +SHAPE +RAW +STORED +RATIO +FORMAT +KIND +AGE +NAME$")
        self.assertRegex(lines[1], r"^F32 +\[32,32\] +4\.0 KiB +.* lossless +other +.* a/1$")
        self.assertRegex(lines[4], "^3 objects, 12.0 KiB raw, ")
        self.assertEqual([o["name"] for o in self.json_of("ls", "b/")], ["b/10", "b/2"])

    def test_spaces(self):
        self.put("t", b"12345")
        (mine,) = [s for s in self.json_of("ls", "--spaces") if s["space"] == self.space]
        self.assertEqual((mine["objects"], mine["raw_bytes"]), (1, 5))
        self.assertRegex(self.run_in_space("ls", "--spaces").text, f"(?m) {self.space}$")

    def test_more_names_than_one_page(self):
        write_safetensors(self.path("many.safetensors"), {f"t{i:05}": ("U8", [1], b"x") for i in range(3000)})
        self.run_in_space("import", self.path("many.safetensors"), "--jobs", "64")
        self.assertEqual(self.run_in_space("ls").text.split(), [f"t{i:05}" for i in range(3000)])
        self.assertEqual(self.run_in_space("rm", "--prefix", "t", "--yes").text, "removed 3000 objects\n")
        self.assertEqual(self.run_in_space("ls").text, "")

    def test_removing(self):
        for name in ("a", "b", "p/1", "p/2"):
            self.put(name, b"x")
        self.run_in_space("rm", "a")
        self.assert_fails_in_space(FAILED, "a: there is no such object in space removing", "rm", "a", "b")
        self.assertEqual(self.run_in_space("ls").text.split(), ["p/1", "p/2"])
        done = self.run_in_space("rm", "--prefix", "p/", check=USAGE)
        self.assertIn("would remove 2 objects", done.complaint)
        self.assertEqual(self.run_in_space("ls").text.split(), ["p/1", "p/2"])
        self.run_in_space("rm", "--prefix", "p/", "--yes")
        self.assertEqual(self.run_in_space("ls").text, "")
        self.assert_fails_in_space(FAILED, "no object's name begins with 'p/'", "rm", "--prefix", "p/", "--yes")

    def answer_on_a_terminal(self, answer, *words):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        os.write(master, answer)
        done = subprocess.run([SPILLWAY, *words, "--space", self.space], stdin=slave, capture_output=True, timeout=30,
                              env={**os.environ, "SPILLWAY_ENDPOINT": self.daemon.endpoint})
        os.close(slave)
        return done

    def test_removing_by_prefix_asks(self):
        self.put("p/1", b"12345")
        done = self.answer_on_a_terminal(b"n\n", "rm", "--prefix", "p/")
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"Remove 1 object (5 B) whose names begin with 'p/'", done.stderr)
        self.assertEqual(self.run_in_space("ls").text, "p/1\n")
        self.assertEqual(self.answer_on_a_terminal(b"y\n", "rm", "--prefix", "p/").returncode, 0)
        self.assertEqual(self.run_in_space("ls").text, "")

    def test_over_tcp(self):
        raw = floats(500000)
        tcp = self.daemon.tcp_endpoint()
        spillway("put", "t", "-", "--space", self.space, "--dtype", "F32", stdin=raw, endpoint=tcp)
        self.assertEqual(spillway("get", "t", "--space", self.space, "-e", tcp).stdout, raw)
        self.assertEqual(self.get("t"), raw)

    def test_a_full_disk_is_told(self):
        self.put("t", bytes(100000))
        self.assert_fails_in_space(FAILED, "/dev/full: No space left", "get", "t", "-o", "/dev/full")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([SPILLWAY, "-e", self.daemon.endpoint, "ls", "--spaces"], stdout=full,
                                  stderr=subprocess.PIPE, timeout=30)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"standard output could not be written", done.stderr)

    def test_what_is_absent(self):
        for words in (["get", "x"], ["stat", "x"], ["inspect", "--object", "x"]):
            self.assert_fails_in_space(FAILED, "x: no object", words[0], *words[1:])

    def test_stat_for_people(self):
        self.put("t", floats(65536), "--dtype", "F32", "--shape", "256,256")
        text = self.run_in_space("stat", "t").text
        self.assertRegex(text, r"(?m)^tensor +F32 \[256,256\]$")
        self.assertRegex(text, r"(?m)^raw +262144 bytes \(256\.0 KiB\)$")

    def test_containers(self):
        raw = floats(100000)
        self.put("t", raw, "--dtype", "F32")
        self.run_in_space("get", "t", "--container", "-o", self.path("t.swc"))
        info = self.json_of("stat", "t")
        self.assertEqual(os.path.getsize(self.path("t.swc")), info["stored_bytes"])
        from_file, from_daemon = self.json_of("inspect", self.path("t.swc")), self.json_of("inspect", "--object", "t")
        self.assertEqual(from_file["total"], from_daemon["total"])
        self.assertEqual(from_file["total"]["stored_bytes"], info["stored_bytes"])
        for field in ("sign_bits", "exponent_bits", "mantissa_bits", "raw_bits"):
            self.assertEqual(from_file["total"][field], info[field])

    def test_a_damaged_container_is_refused(self):
        self.put("t", floats(100000), "--dtype", "F32")
        self.run_in_space("get", "t", "--container", "-o", self.path("t.swc"))
        with open(self.path("t.swc"), "rb") as file:
            whole = file.read()
        for damaged in (whole[:-1], whole + b"x", whole[:20], whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:]):
            with open(self.path("t.swc"), "wb") as file:
                file.write(damaged)
            self.assert_fails_in_space(FAILED, "t.swc", "inspect", self.path("t.swc"))

    def test_counters(self):
        before = json.loads(self.run_anywhere("stats", "--json").text)
        self.put("t", b"x")
        after = json.loads(self.run_anywhere("stats", "--json").text)
        self.assertEqual(set(before), set(after))
        self.assertTrue(any(after[name] > before[name] for name in after))
        table = self.run_anywhere("stats").text
        for name in after:
            self.assertRegex(table, rf"(?m) {name}$")

    def test_ping(self):
        self.assertRegex(self.run_anywhere("ping").text, r"^spillwayd answered in [0-9.]+ us\n$")
        lines = self.run_anywhere("ping", "-c", "3").text.splitlines()
        self.assertEqual(len(lines), 4)
        self.assertRegex(lines[3], "^3 answers: least ")

    def run_anywhere(self, command, *words):
        return spillway(command, *words, endpoint=self.daemon.endpoint)


if __name__ == "__main__":
    unittest.main()
