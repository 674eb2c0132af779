"""Numbers over HTTP: OpenMetrics by a strict reading and by Prometheus' own parser, JSON, health, and bad requests."""

from __future__ import annotations

import http.client
import json
import re
import socket

from harness import DaemonTest, main, pattern
from prometheus_client.openmetrics.parser import text_string_to_metric_families

VALUES = 4096
_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABELS = rf'(?:\{{(?:{_NAME}="(?:[^"\\\n]|\\["\\n])*"(?:,|(?=\}})))*\}})?'
_SAMPLE = re.compile(rf"({_NAME})({_LABELS}) (-?[0-9.]+(?:e[+-]?[0-9]+)?|\+Inf|NaN)")
_META = re.compile(rf"# (TYPE|UNIT|HELP) ({_NAME}) (.+)")
_SUFFIX = {"counter": "_total", "gauge": "", "info": "_info"}


def check_strictly(text: str) -> dict[str, float]:
    """OpenMetrics 1.0, the part that we use: one block a family, its TYPE, UNIT and HELP before its samples."""
    assert text.endswith("# EOF\n")
    family, kind, unit, helped, done, samples = "", "", "", False, set(), {}
    for line in text.removesuffix("# EOF\n").splitlines():
        if meta := _META.fullmatch(line):
            what, name, value = meta.groups()
            if what == "TYPE":
                assert name not in done, f"{name} comes twice"
                assert name.startswith("spillway_"), name
                family, kind, unit, helped = name, value, "", False
                done.add(name)
            assert name == family, line
            if what == "UNIT":
                assert name.endswith("_" + value) and kind != "info", line
                unit = value
            helped |= what == "HELP"
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample, f"no line of OpenMetrics: {line!r}"
        assert sample[1] == family + _SUFFIX[kind], line
        assert helped, f"{family} has no HELP"
        assert unit or not re.search(r"_(bytes|seconds)$", family), f"{family} has no UNIT"
        assert sample[1] + sample[2] not in samples, f"{line} comes twice"
        samples[sample[1] + sample[2]] = float(sample[3])
    return samples


class Pages(DaemonTest):
    def fetch(self, path: str, method: str = "GET", body: bytes | None = None):
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.http_port, timeout=20)
        self.addCleanup(connection.close)
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer, answer.read()

    def put_some(self) -> None:
        with self.connect() as client:
            client.put("a", pattern(VALUES), "U8")
            client.put("w", bytes(4 * VALUES), "F32", kind=2)
            client.bye()

    def test_metrics(self) -> None:
        self.put_some()
        answer, body = self.fetch("/metrics")
        self.assertEqual(answer.status, 200)
        self.assertEqual(
            answer.headers["Content-Type"], "application/openmetrics-text; version=1.0.0; charset=utf-8"
        )
        samples = check_strictly(body.decode())
        self.assertEqual(samples["spillway_puts_total"], 2)
        self.assertEqual(samples["spillway_put_raw_bytes_total"], 5 * VALUES)
        self.assertEqual(samples["spillway_store_objects"], 2)
        self.assertEqual(samples['spillway_coding_tensors_total{run="",kind="weight"}'], 1)
        self.assertGreater(samples["spillway_uptime_seconds"], 0)
        parsed = {f.name: f for f in text_string_to_metric_families(body.decode())}
        self.assertEqual(parsed["spillway_puts"].type, "counter")
        self.assertEqual(parsed["spillway_put_raw_bytes"].unit, "bytes")
        self.assertEqual(parsed["spillway_encode_seconds"].unit, "seconds")

    def test_json_has_the_same_numbers(self) -> None:
        self.put_some()
        answer, body = self.fetch("/stats.json")
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        stats = json.loads(body)
        told = self.stats()
        self.assertEqual(stats["counters"].keys(), told.keys())
        self.assertEqual(stats["counters"]["puts"], told["puts"])
        weights = [c for c in stats["coding"] if c["kind"] == "weight"]
        self.assertEqual([(c["run"], c["values"]) for c in weights], [("", VALUES)])

    def test_health(self) -> None:
        answer, body = self.fetch("/healthz")
        self.assertEqual((answer.status, body), (200, b"ok\n"))

    def test_head_has_no_body(self) -> None:
        answer, body = self.fetch("/metrics", "HEAD")
        self.assertEqual((answer.status, body), (200, b""))

    def test_what_is_refused(self) -> None:
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            answer, body = self.fetch("/metrics", method, b"x" * 100)
            self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD"))
            self.assertIn(b"GET", body)
        for path in ("/", "/metrics/", "/../etc/passwd", "/stats", "/" + "x" * 2000):
            answer, body = self.fetch(path)
            self.assertEqual(answer.status, 404)
            self.assertIn(b"/metrics", body)
        self.assertEqual(self.fetch("/" + "x" * 100_000)[0].status, 414)

    def test_many_idle_connections(self) -> None:
        """More than are served: those beyond wait or are closed, and after all have gone it serves again."""
        idle = [socket.create_connection(("127.0.0.1", self.daemon.http_port), timeout=10) for _ in range(200)]
        with self.connect() as client:
            client.ping()
            client.bye()
        for peer in idle:
            peer.close()
        self.assertEqual(self.fetch("/healthz")[0].status, 200)

    def test_garbage(self) -> None:
        for request in (b"\xff" * 1000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 100):
            with socket.create_connection(("127.0.0.1", self.daemon.http_port), timeout=10) as peer:
                peer.sendall(request)
        self.assertEqual(self.fetch("/healthz")[0].status, 200)

    def test_ends_with_a_connection_open(self) -> None:
        with socket.create_connection(("127.0.0.1", self.daemon.http_port), timeout=10) as peer:
            peer.sendall(b"GET /metrics HTTP/1.1\r\n")
            self.assertLess(self.daemon.terminate(), 10)


if __name__ == "__main__":
    main()
