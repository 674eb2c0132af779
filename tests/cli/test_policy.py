"""`spillway policy check`: files that are right, and where the others are wrong."""
import re
import unittest

from harness import FAILED, CommandTest, spillway

GOOD = """space: team
policies:
  - name: activations
    match: {name: "layer*", kind: activation, dtype: [f32, bf16], min_bytes: 16K}
    format: sfp-1-8-7-rne
    min_bytes: 4K
    learner: {kind: bitwave, period_steps: 20, paired: yes}
  - name: rest
    format: lossless
"""


class CheckTest(CommandTest):
    def write(self, text):
        path = self.path("policies.yaml")
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def assert_wrong(self, text, place, said, shown):
        """Told as file:line:column, then the line (`shown` in it) and a caret below where `shown` begins."""
        path = self.write(text)
        done = spillway("policy", "check", path, check=FAILED)
        lines = done.complaint.splitlines()
        self.assertEqual(done.stdout, b"")
        self.assertEqual(len(lines), 3, done.complaint)
        self.assertTrue(lines[0].startswith(f"spillway policy check: {path}:{place}: "), lines[0])
        self.assertIn(said, lines[0])
        self.assertEqual(lines[2].index("^"), lines[1].index(shown), done.complaint)

    def test_a_good_file_is_shown(self):
        for done in (spillway("policy", "check", self.write(GOOD)),
                     spillway("policy", "check", "-", stdin=GOOD.encode())):
            self.assertEqual(done.complaint, "")
            lines = done.text.splitlines()
            self.assertEqual(lines[0], "space team, 2 policies")
            self.assertEqual(lines[1].split(), ["POLICY", "MATCHES", "FORMAT", "LEARNER"])
            for said in ("activations", "layer*, activation, F32, BF16, from 16.0 KiB", "sfp-1-8-7-rne", "bitwave"):
                self.assertIn(said, lines[2])
            self.assertIn("everything", lines[3])
            self.assertIn("(built in)", lines[4])
            self.assertEqual(len(lines), 5)

    def test_the_example_of_the_help_is_right(self):
        text = spillway("policy", "check", "--help").text
        example = re.search(r"(?ms)^  space:.*?(?=^$)", text).group(0)
        shown = spillway("policy", "check", self.write(example)).text
        self.assertIn("activations", shown)
        self.assertIn("bitchop", shown)

    def test_mistakes_have_a_place(self):
        self.assert_wrong(GOOD.replace("format: loss", "fromat: loss"), "9:5", "name, match, format", "fromat")
        self.assert_wrong(GOOD.replace("bitwave", "bitwav"), "7:21", "bitpruning", "bitwav")
        self.assert_wrong(GOOD.replace("8-7-rne", "9-7-rne"), "5:13", "E 1 to 8", "sfp-1-9-7-rne")
        self.assert_wrong(GOOD.replace("layer*", "layer["), "4:19", "never closed", '"layer[')
        self.assert_wrong(GOOD.replace("name: rest", "name: activations"), "8:11", "another name", "activations")
        self.assert_wrong(GOOD.replace("20,", ".nan,"), "7:44", "a whole number from 1", ".nan")
        self.assert_wrong(GOOD.replace("space", "spåce"), "1:1", "space, version, policies", "sp")
        self.assert_wrong("policies: [" + "{name: p, format: raw}, " * 2 + "7]", "1:60", "name: and format:", "7")
        self.assert_wrong("policies: [" + " " * 500 + "7]", "1:512", "name: and format:", "7")

    def test_what_cannot_be_shown_is_not_sent_to_the_terminal(self):
        done = spillway("policy", "check", self.write(b"space: \x1b[2J\n"), check=FAILED)
        self.assertNotIn("\x1b", done.complaint)
        self.assertIn(":1:8: ", done.complaint)

    def test_files_that_are_none(self):
        self.assert_fails(FAILED, "No such file", "policy", "check", self.path("absent"))
        self.assert_fails(FAILED, "more than 1048576 bytes", "policy", "check", self.write("#" * (1 << 20) + "#"))
        self.assertIn(":1:1: there is nothing", spillway("policy", "check", self.write(""), check=FAILED).complaint)

    def test_what_is_seldom_meant_is_told(self):
        text = spillway("policy", "check", self.write(
            "policies:\n- {name: all, format: raw}\n- {name: b, format: sfp-1-8-7, learner: bitchop}\n")).text
        self.assertIn("note: all matches every tensor", text)
        self.assertIn("sfp-1-8-7-rne rounds to nearest", text)


if __name__ == "__main__":
    unittest.main()
