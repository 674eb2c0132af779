"""A daemon and channels to its control plane, for each test."""

from __future__ import annotations

import grpc
from control import Control, status_of
from harness import DaemonTest


class ControlTest(DaemonTest):
    def control(self, target: str = "", **options: int) -> Control:
        channel = Control(target or self.daemon.control, **options)
        self.addCleanup(channel.close)
        return channel

    def assert_fails(self, code: grpc.StatusCode, status: str, call, /, *args, says: str = "", **fields) -> grpc.RpcError:
        with self.assertRaises(grpc.RpcError) as caught:
            call(*args, **fields)
        error = caught.exception
        self.assertEqual(error.code(), code, error.details())
        self.assertEqual(status_of(error), status)
        self.assertTrue(error.details(), "every status comes with a sentence")
        self.assertIn(says, error.details())
        return error
