"""What the tests of the `spillway` command share: a private daemon, the command, safetensors files by an independent hand."""
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest

SPILLWAY = os.environ["SPILLWAY"]
SPILLWAYD = os.environ.get("SPILLWAYD")
WIDTHS = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "BF16": 2, "F16": 2, "U8": 1, "BOOL": 1}
FAILED, USAGE = 1, 2


class Daemon:
    """A spillwayd of its own on a socket in a directory of its own."""

    def __init__(self, directory, *flags):
        self.endpoint = "unix:" + os.path.join(directory, "sock")
        self.log = open(os.path.join(directory, "log"), "w+")
        command = [SPILLWAYD, "--socket", self.endpoint[len("unix:"):], "--memory", "256M",
                   "--config", "/dev/null", *flags]
        self.process = subprocess.Popen(command, stderr=self.log, stdout=self.log)

    def wait_until_up(self):
        for _ in range(200):
            if spillway("ping", endpoint=self.endpoint, check=None).returncode == 0:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        self.stop()
        raise AssertionError("spillwayd did not come up:\n" + self.read_log())

    def stop(self):
        """Ends it as an operator would; the status is part of what is tested."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def tcp_endpoint(self):
        """Where it listens on TCP, which only it knows: the kernel chose the port."""
        return "tcp:127.0.0.1:" + re.search(r"tcp_port=(\d+)", self.read_log()).group(1)

    def read_log(self):
        self.log.seek(0)
        return self.log.read()


def spillway(*words, endpoint=None, check=0, stdin=b""):
    """Runs the command. `check` is the exit status it must have, or None."""
    environment = dict(os.environ)
    environment["SPILLWAY_ENDPOINT"] = endpoint or "unix:/nonexistent/spillway.sock"
    done = subprocess.run([SPILLWAY, *words], input=stdin, capture_output=True, env=environment, timeout=180)
    done.text = done.stdout.decode(errors="replace")
    done.complaint = done.stderr.decode(errors="replace")
    if check is not None and done.returncode != check:
        raise AssertionError(f"spillway {' '.join(words)}: status {done.returncode}\n{done.text}{done.complaint}")
    return done


def write_safetensors(path, tensors, metadata=None):
    """tensors: {name: (dtype, shape, bytes)}. Written by the format's description, not by our code."""
    header, end = {}, 0
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + len(raw)]}
        end += len(raw)
    write_raw_safetensors(path, json.dumps(header).encode(), b"".join(raw for _, _, raw in tensors.values()))


def write_raw_safetensors(path, header, data, header_bytes=None):
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header) if header_bytes is None else header_bytes) + header + data)


def read_safetensors(path):
    """The tensors and the metadata, checked as a strict reader would."""
    with open(path, "rb") as file:
        raw = file.read()
    (header_bytes,) = struct.unpack_from("<Q", raw)
    assert header_bytes % 8 == 0, "data is not aligned"
    header = json.loads(raw[8:8 + header_bytes])
    data = raw[8 + header_bytes:]
    metadata = header.pop("__metadata__", None)
    end = 0
    for spec in sorted(header.values(), key=lambda s: s["data_offsets"]):
        assert spec["data_offsets"][0] == end, "a gap or an overlap"
        assert end % WIDTHS[spec["dtype"]] == 0, "a tensor is not aligned"
        end = spec["data_offsets"][1]
    assert end == len(data)
    return {name: (s["dtype"], s["shape"], data[slice(*s["data_offsets"])]) for name, s in header.items()}, metadata


def random_tensors(seed):
    """One tensor of each dtype and of shapes that matter: none, scalar, more than one chunk, a relative of real ones."""
    rng = random.Random(seed)
    tensors = {
        "empty": ("F32", [3, 0], b""),
        "scalar": ("F64", [], struct.pack("<d", -0.0)),
        "zeros": ("F32", [64, 64], bytes(4 * 64 * 64)),
        "unicode/größe": ("I32", [2], struct.pack("<ii", -1, 7)),
        "normal/f32": ("F32", [100, 700], b"".join(struct.pack("<f", rng.gauss(0, 0.02)) for _ in range(70000))),
    }
    for dtype, width in WIDTHS.items():
        tensors[f"noise/{dtype}"] = (dtype, [3, 11], rng.getrandbits(8 * 33 * width).to_bytes(33 * width, "little"))
    return tensors


class CommandTest(unittest.TestCase):
    """A temporary directory, and assertions about what the command says."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="spillway-cli-")
        self.addCleanup(shutil.rmtree, self.directory)

    def path(self, name):
        return os.path.join(self.directory, name)

    def assert_fails(self, status, said, *words, **options):
        """The command ends with this status and one sentence that contains `said`, and prints nothing else."""
        done = spillway(*words, check=status, **options)
        self.assertIn(said, done.complaint)
        self.assertEqual(done.stdout, b"")
        if status == FAILED:
            self.assertEqual(len(done.complaint.splitlines()), 1, done.complaint)
            self.assertTrue(done.complaint.startswith("spillway "), done.complaint)
        return done


class DaemonTest(CommandTest):
    """With one daemon for all tests of a class; each test has a space of its own."""

    @classmethod
    def setUpClass(cls):
        cls.daemon_directory = tempfile.mkdtemp(prefix="spillway-cli-")
        cls.daemon = Daemon(cls.daemon_directory, "--listen", "tcp:127.0.0.1:0")
        cls.daemon.wait_until_up()

    @classmethod
    def tearDownClass(cls):
        status = cls.daemon.stop()
        log = cls.daemon.read_log()
        shutil.rmtree(cls.daemon_directory)
        if status != 0:
            raise AssertionError(f"spillwayd ended with {status}:\n{log}")

    def setUp(self):
        super().setUp()
        self.space = self._testMethodName.replace("test_", "")[:64]

    def run_in_space(self, command, *words, **options):
        return spillway(command, "--space", self.space, *words, endpoint=self.daemon.endpoint, **options)

    def assert_fails_in_space(self, status, said, command, *words):
        return self.assert_fails(status, said, command, "--space", self.space, *words, endpoint=self.daemon.endpoint)

    def json_of(self, command, *words):
        return json.loads(self.run_in_space(command, "--json", *words).text)
