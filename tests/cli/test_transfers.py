"""Whole safetensors files through the command: import and export."""
import glob
import os
import pty
import select
import signal
import subprocess
import time
import unittest

from harness import FAILED, SPILLWAY, DaemonTest, random_tensors, read_safetensors, write_safetensors


class TransferTest(DaemonTest):
    def import_file(self, tensors, *words, metadata=None, name="in.safetensors"):
        write_safetensors(self.path(name), tensors, metadata)
        return self.run_in_space("import", self.path(name), *words)

    def export(self, prefix, *words):
        self.run_in_space("export", prefix, "-o", self.path("out.safetensors"), *words)
        return read_safetensors(self.path("out.safetensors"))

    def test_round_trip(self):
        tensors, metadata = random_tensors(1), {"origin": "test", "größe": "1"}
        done = self.import_file(tensors, metadata=metadata)
        self.assertIn(f"imported {len(tensors)} tensors: ", done.text)
        self.assertEqual(done.complaint, "")
        self.assertEqual(self.export(""), (tensors, metadata))
        self.assertEqual(sorted(os.listdir(self.directory)), ["in.safetensors", "out.safetensors"])

    def test_prefixes(self):
        tensors = random_tensors(2)
        self.import_file(tensors, "--prefix", "run1/", metadata={"run": "1"})
        self.import_file(tensors, "--prefix", "run2/")
        self.assertEqual(self.export("run1/"), (tensors, {"run": "1"}))
        self.assertEqual(self.export("run2/"), (tensors, None))
        full, _ = self.export("run2/", "--keep-prefix")
        self.assertEqual(set(full), {"run2/" + name for name in tensors})

    def test_several_files_and_options(self):
        a, b = {"a": ("F32", [2], b"12345678")}, {"b": ("I64", [1], b"12345678")}
        write_safetensors(self.path("a.safetensors"), a, {"x": "1"})
        write_safetensors(self.path("b.safetensors"), b, {"y": "2"})
        self.run_in_space("import", self.path("a.safetensors"), self.path("b.safetensors"), "--kind", "optimizer",
                          "--format", "raw", "--jobs", "1")
        self.assertEqual(self.export(""), ({**a, **b}, {"x": "1", "y": "2"}))
        self.assertEqual(self.json_of("stat", "a")["kind"], "optimizer")
        self.assertEqual(self.json_of("stat", "a")["format"], "raw")

    def test_a_lossy_format_spares_other_types(self):
        tensors = random_tensors(4)
        self.import_file(tensors, "--format", "sfp-1-5-3")
        exported, _ = self.export("")
        self.assertEqual(self.json_of("stat", "normal/f32")["format"], "sfp-1-5-3")
        self.assertNotEqual(exported["normal/f32"], tensors["normal/f32"])
        for name in ("noise/I64", "noise/BOOL", "scalar"):
            self.assertEqual(exported[name], tensors[name])

    def test_what_real_training_left(self):
        directory = os.environ.get("SPILLWAY_DATA")
        if not directory:
            self.skipTest("SPILLWAY_DATA names no directory of real tensors")
        for path in sorted(glob.glob(os.path.join(directory, "*.safetensors"))):
            with self.subTest(file=os.path.basename(path)):
                self.run_in_space("import", path, "--prefix", "t/")
                self.assertEqual(self.export("t/"), read_safetensors(path))
                self.run_in_space("rm", "--prefix", "t/", "--yes")

    def test_what_cannot_be_exported(self):
        self.assert_fails_in_space(FAILED, "no object's name begins with 'x/'", "export", "x/", "-o", self.path("o"))
        self.run_in_space("put", "p", "-", stdin=b"1")
        self.assert_fails_in_space(FAILED, "--keep-prefix", "export", "p", "-o", self.path("o"))
        self.run_in_space("put", "__metadata__", "-", stdin=b"[]")
        self.assert_fails_in_space(FAILED, "does not hold a file's metadata", "export", "", "-o", self.path("o"))
        self.assert_fails_in_space(FAILED, "No such file or directory", "export", "p", "-o", "/nonexistent/o",
                                   "--keep-prefix")
        self.assertEqual(os.listdir(self.directory), [])

    def test_a_full_store_is_told_and_keeps_what_it_had(self):
        noise = os.urandom(1 << 20)
        tensors = {f"t{i:03}": ("U8", [1 << 20], noise) for i in range(400)}
        write_safetensors(self.path("big.safetensors"), tensors)
        done = self.run_in_space("import", self.path("big.safetensors"), check=FAILED)
        self.assertRegex(done.complaint, r"full.* \(\d+ of 400 objects were stored before\)")
        names = self.run_in_space("ls").text.split()
        self.assertTrue(0 < len(names) < 400)
        self.assertEqual(self.run_in_space("get", names[-1]).stdout, noise)
        self.run_in_space("rm", "--prefix", "t", "--yes")

    def test_progress_lines_when_asked(self):
        done = self.import_file(random_tensors(5), "--progress")
        self.assertRegex(done.complaint.splitlines()[0], r"^import +\d+%  \d+/\d+ tensors  .*/s  ETA ")

    def test_a_bar_on_a_terminal(self):
        write_safetensors(self.path("in.safetensors"), random_tensors(6))
        master, slave = pty.openpty()
        process = subprocess.Popen([SPILLWAY, "-e", self.daemon.endpoint, "import", "--space", self.space,
                                    self.path("in.safetensors")], stdout=subprocess.PIPE, stderr=slave)
        os.close(slave)
        seen = b""
        while select.select([master], [], [], 30)[0]:
            try:
                seen += os.read(master, 65536)
            except OSError:
                break
        os.close(master)
        self.assertIn(b"imported", process.communicate(timeout=30)[0])
        self.assertRegex(seen, rb"\rimport \[[#.]{24}\] ")
        self.assertTrue(seen.endswith(b"\r\x1b[K"))

    def test_an_interrupted_export_leaves_nothing(self):
        tensors = {f"t{i:03}": ("U8", [1 << 20], bytes(1 << 20)) for i in range(200)}
        self.import_file(tensors)
        os.unlink(self.path("in.safetensors"))
        process = subprocess.Popen([SPILLWAY, "-e", self.daemon.endpoint, "export", "--space", self.space, "", "-o",
                                    self.path("out.safetensors"), "--jobs", "1"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        for _ in range(1000):
            if os.listdir(self.directory):
                break
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=30)
        if process.returncode == 0:
            # It was quicker than the signal; then the file is whole.
            self.assertEqual(read_safetensors(self.path("out.safetensors"))[0], tensors)
        else:
            self.assertIn(b"interrupted", complaint)
            self.assertEqual(os.listdir(self.directory), [])

    def test_an_interrupted_get_leaves_nothing(self):
        """Even when the daemon answers nothing at that moment: it is not waited for."""
        size = 192 << 20
        self.run_in_space("put", "large", "-", "--dtype", "F32", "--shape", str(size // 4), stdin=bytes(size))
        process = subprocess.Popen([SPILLWAY, "-e", self.daemon.endpoint, "get", "--space", self.space, "large", "-o",
                                    self.path("out.bin")], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while not os.listdir(self.directory):
            time.sleep(0.001)
        self.daemon.process.send_signal(signal.SIGSTOP)
        try:
            process.send_signal(signal.SIGINT)
            _, complaint = process.communicate(timeout=20)
        finally:
            self.daemon.process.send_signal(signal.SIGCONT)
        self.assertEqual(process.returncode, FAILED)
        self.assertIn(b"interrupted", complaint)
        self.assertEqual(os.listdir(self.directory), [])


if __name__ == "__main__":
    unittest.main()
