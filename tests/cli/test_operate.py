"""The commands over the control plane: policy, run, group."""
import json
import os
import re
import subprocess
import time
import unittest

from harness import FAILED, SPILLWAY, USAGE, CommandTest, Daemon, DaemonTest, spillway

POLICIES = """
policies:
  - name: activations
    match: {kind: activation, dtype: F32}
    format: sfp-1-4-2
  - name: rest
    format: lossless
"""


class PolicyTest(DaemonTest):
    def setUp(self):
        super().setUp()
        self.file = self.path("p.yaml")
        self.write(POLICIES)

    def write(self, text):
        with open(self.file, "w") as file:
            file.write(text)

    def policy(self, command, *words, **options):
        return spillway("policy", command, "--space", self.space, *words, endpoint=self.daemon.endpoint, **options)

    def test_push_and_show(self):
        said = self.policy("push", self.file).text
        self.assertEqual(said, f"{self.space}: version 1 is in force, 2 policies\n")
        shown = self.policy("show").text
        self.assertIn("format: sfp-1-4-2", shown)
        self.assertIn("version: 1", shown)
        # What is shown can be pushed again, from standard input too.
        self.assertIn("version 2", self.policy("push", "-", stdin=shown.encode()).text)
        self.assertEqual(self.policy("show").text, shown.replace("version: 1", "version: 2"))

    def test_what_is_in_force_decides(self):
        self.policy("push", self.file)
        self.run_in_space("put", "a", "-", "--dtype", "F32", "--kind", "activation", stdin=bytes(4096))
        self.run_in_space("put", "w", "-", "--dtype", "F32", "--kind", "weight", stdin=bytes(4096))
        self.assertEqual(self.json_of("stat", "a")["format"], "sfp-1-4-2")
        self.assertEqual(self.json_of("stat", "w")["format"], "lossless")

    def test_nothing_was_pushed(self):
        self.assertIn("no policies were ever pushed", self.policy("show").text)

    def test_only_a_version_that_is_expected(self):
        self.policy("push", self.file, "--expect", "0")
        self.assert_fails(FAILED, "version 1", "policy", "push", "--space", self.space, self.file, "--expect", "0",
                          endpoint=self.daemon.endpoint)
        self.policy("push", self.file, "--expect", "1")

    def test_bad_files_are_told_by_their_place(self):
        self.write(POLICIES.replace("sfp-1-4-2", "sfp-1-99-2"))
        said = self.policy("push", self.file, check=FAILED).complaint
        self.assertIn("p.yaml:5:13:", said)
        self.assertIn("sfp-1-99-2", said)
        self.assert_fails(FAILED, "No such file", "policy", "push", self.path("none"), endpoint=self.daemon.endpoint)
        self.assertIn("no policies were ever pushed", self.policy("show").text)

    def test_watch(self):
        command = [SPILLWAY, "policy", "watch", "--space", self.space, "-e", self.daemon.endpoint]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watcher:
            self.addCleanup(watcher.kill)

            def next_set():
                lines = []
                while (line := watcher.stdout.readline()) not in ("---\n", ""):
                    lines.append(line)
                return "".join(lines)

            self.assertIn("no policies", next_set())
            self.policy("push", self.file)
            self.assertIn("version: 1", next_set())
            watcher.terminate()


class RunTest(DaemonTest):
    def test_no_runs(self):
        self.assertEqual(json.loads(spillway("run", "list", "--json", endpoint=self.daemon.endpoint).text), [])
        self.assert_fails(FAILED, "no run", "run", "show", "none", endpoint=self.daemon.endpoint)


class GroupTest(DaemonTest):
    def test_list_and_free(self):
        # A command's session ends with it, and its groups too: nothing is there.
        lines = spillway("group", "list", endpoint=self.daemon.endpoint).text.splitlines()
        self.assertEqual([line.split() for line in lines], [["SESSION", "GROUP", "OBJECTS", "STORED", "CONNECTED"]])
        self.assertEqual(spillway("group", "free", "1", "1", endpoint=self.daemon.endpoint).text, "0 objects freed\n")


class WordsTest(CommandTest):
    def test_usage(self):
        for words, said in (
            (("policy",), "say what to do: check, push, show, watch"),
            (("policy", "pull"), "no subcommand 'pull'"),
            (("policy", "push"), "FILE"),
            (("policy", "push", "a", "b"), "one FILE"),
            (("policy", "push", "a", "--expect", "x"), "whole number"),
            (("policy", "show", "x"), "--space"),
            (("run",), "list"),
            (("run", "show"), "RUN"),
            (("group", "free", "1"), "GROUP"),
            (("group", "free", "a", "b"), "SESSION"),
        ):
            self.assert_fails(USAGE, said, *words)

    def test_help_teaches(self):
        for words in (("policy",), ("policy", "push"), ("policy", "show"), ("policy", "watch"), ("run",),
                      ("run", "list"), ("run", "show"), ("group",), ("group", "list"), ("group", "free")):
            said = spillway(*words, "--help").text
            self.assertIn("Usage: spillway " + " ".join(words), said)
            self.assertIn("Examples:", said)
        self.assertEqual(spillway("help", "policy").text, spillway("policy", "--help").text)

    def test_nobody_is_there(self):
        for words in (("policy", "show"), ("run", "list"), ("group", "list")):
            self.assert_fails(FAILED, "start spillwayd", *words)
        self.assert_fails(FAILED, "--control", "run", "list", endpoint="tcp:127.0.0.1:1")
        self.assert_fails(FAILED, "no endpoint", "run", "list", "--control", "nowhere")


class TokenTest(CommandTest):
    def test_over_tcp(self):
        token = self.path("token")
        with open(token, "w") as file:
            file.write("correct-horse-battery\n")
        policies = self.path("p.yaml")
        with open(policies, "w") as file:
            file.write(POLICIES)
        daemon = Daemon(self.directory, "--control-listen", "tcp:0", "--control-token-file", token)
        self.addCleanup(daemon.stop)
        daemon.wait_until_up()
        for _ in range(100):
            if found := re.search(r"control_port=(\d+)", daemon.read_log()):
                break
            time.sleep(0.05)
        words = ("policy", "push", policies, "--control", f"tcp:127.0.0.1:{found[1]}")
        self.assert_fails(FAILED, "token", *words)
        self.assertIn("version 1", spillway(*words, "--token-file", token).text)
        self.assert_fails(FAILED, "cannot be read", *words, "--token-file", os.path.join(self.directory, "none"))


if __name__ == "__main__":
    unittest.main()
