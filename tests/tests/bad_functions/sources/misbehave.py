import ctypes
import os
import signal
import socket
import subprocess
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlsplit

MEGABYTE = 1 << 20
KEPT = []
ASKED = 0

kind = os.path.dirname(os.environ["SHIP_FUNCTION"])
if kind == "api/slow":
    time.sleep(9)
if kind == "api/deaf":
    print("waiting for nothing", flush=True)
    time.sleep(3600)


def run(line):
    """Runs a line of the shell in a session of its own."""
    subprocess.Popen(["/bin/sh", "-c", line], start_new_session=True)


def never():
    time.sleep(3600)


def signal_is_ignored():
    # Only the first thread may change what becomes of signals in Python; the C library lets all.
    ctypes.CDLL(None).signal(signal.SIGTERM, ctypes.c_void_p(1))


def fork_twice():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            never()
        os._exit(0)


def storm():
    while True:
        try:
            os.fork()
        except OSError:
            pass


def spin():
    for _ in range(os.cpu_count()):
        if os.fork() == 0:
            while True:
                pass
    never()


def fill():
    file = os.open("/tmp/filler", os.O_CREAT | os.O_WRONLY)
    written = 0
    try:
        while True:
            written += os.write(file, bytes(MEGABYTE))
    except OSError:
        return written // MEGABYTE


def open_all():
    try:
        while True:
            KEPT.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        return len(KEPT)


def read(path):
    if os.path.isdir(path):
        return " ".join(os.listdir(path))
    with open(path, "rb") as file:
        return file.read().decode(errors="replace")


def connect(path):
    socket.socket(socket.AF_UNIX).connect("\0" + path[1:] if path.startswith("@") else path)
    return "connected"


def dial(address):
    host, port = address.split(":")
    socket.create_connection((host, int(port)), timeout=5)
    return "connected"


class handler(BaseHTTPRequestHandler):
    def do_GET(self):
        global ASKED
        query = dict(parse_qsl(urlsplit(self.path).query))
        what = query.get("do")
        text = "behaved"
        try:
            if what == "never":
                never()
            elif what == "busy":
                while True:
                    pass
            elif what == "throw":
                raise ValueError("thrown")
            elif what == "exit":
                os._exit(3)
            elif what == "halfway":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"begun\n")
                self.wfile.flush()
                os._exit(3)
            elif what == "every-second":
                ASKED += 1
                if ASKED % 2 == 0:
                    os._exit(3)
            elif what == "segfault":
                ctypes.string_at(0)
            elif what == "daemon":
                fork_twice()
            elif what == "outlive":
                run("(while :; do echo still here; sleep 0.01; done &)")
                never()
            elif what == "fork":
                run("while :; do sleep 1000 & done")
                never()
            elif what == "storm":
                storm()
            elif what == "ignore":
                signal_is_ignored()
                run("trap '' TERM; (sleep 1000 &)")
            elif what == "flood":
                for _ in range(64):
                    os.write(1, b"x" * MEGABYTE)
                text = "flooded"
            elif what == "descriptors":
                text = open_all()
            elif what == "tmp":
                text = fill()
            elif what == "memory":
                while True:
                    KEPT.append(b"x" * MEGABYTE)
            elif what == "spin":
                spin()
            elif what == "two-lengths":
                return self.say(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab")
            elif what == "status-42":
                return self.say(b"HTTP/1.1 42 Odd\r\ncontent-length: 0\r\n\r\n")
            elif what == "short":
                return self.say(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nnot a hundred")
            elif what == "long":
                smuggled = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsmuggled\n"
                return self.say(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno" + smuggled)
            elif what == "headers":
                megabyte = (b"x-flood: " + b"x" * 53 + b"\r\n") * (1 << 14)
                return self.say(b"HTTP/1.1 200 OK\r\n", *[megabyte] * (1 << 10))
            elif what == "read":
                text = read(query["path"])
            elif what == "connect":
                text = connect(query["path"])
            elif what == "dial":
                text = dial(query["to"])
            elif what == "signal":
                os.kill(int(query["process"]), 0)
                text = "there"
            elif what == "processes":
                ids = [name for name in os.listdir("/proc") if name.isdecimal()]
                text = "\n".join(read(f"/proc/{id}/cmdline").replace("\0", " ") for id in ids)
        except OSError as error:
            self.answer(403, error)
        else:
            self.answer(200, text)

    do_POST = do_GET

    def answer(self, status, text):
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def say(self, *pieces):
        """Writes what goes out without the launcher's leave."""
        connection = self.connection.writer.fileno()
        for piece in pieces:
            while piece:
                piece = piece[os.write(connection, piece) :]
        socket.socket(fileno=os.dup(connection)).shutdown(socket.SHUT_RDWR)
