"""A policy that tries what no policy may have, and says as its error what came of it; or does what its settings say."""

import encodings.idna  # noqa: F401  read when a name is looked up, where there are no files any more
import os
import socket
import sys
import time

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import tailing

TRIES = {
    "read a file": lambda: open("/etc/hostname").read(),
    "read a file here": lambda: open("log.txt").read(),
    "write a file": lambda: open("/tmp/spy", "w"),
    "list /": lambda: os.listdir("/"),
    "list .": lambda: os.listdir("."),
    "environment": lambda: dict(os.environ),
    "arguments": lambda: sys.argv[1:],
    "input": lambda: sys.stdin.read(),
    "resolve": lambda: socket.getaddrinfo("localhost", 80),
    "tcp": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "udp": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
    "run": lambda: os.system("true"),
}


def tried(what):
    try:
        return repr(what())
    except BaseException as error:
        return type(error).__name__


class Tailing(exports.Tailing):
    def start(self, settings):
        for key, value in settings.custom:
            if value == "sleep":
                time.sleep(20)
            elif value == "exit":
                sys.exit(3)
            elif value == "memory":
                kept = []
                while True:
                    kept.append(bytearray(1 << 20))
            elif value == "loop":
                while True:
                    pass
            elif value == "print":
                print("printed by the policy")
        raise Err("; ".join(f"{name}: {tried(what)}" for name, what in TRIES.items()))

    def step(self, wake):
        return tailing.Next_Finished()
