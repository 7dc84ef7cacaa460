"""A server with a thread per connection, for applications that block."""

import io
import select
import signal
import socket
import threading
import time

from . import leave
from .messages import CONTINUE, FAILED, MAX_HEAD_BYTES, BadRequest, Framing, Request

# The most connections at once. A host opens as many as requests may be in flight in one instance.
MAX_CONNECTIONS = 256

# The most bytes of a body nobody read that are read for the sake of the connection.
MAX_DRAINED_BYTES = 256 * 1024

# How long a connection waits that there is no descriptor for, in seconds.
DESCRIPTOR_SECONDS = 0.01

# How long a connection that is given up may go on sending, in seconds.
LINGER_SECONDS = 5

BUFFER_BYTES = 64 * 1024


class Gone(ConnectionError):
    """Whoever asked went away. Not to be confused with a connection that an application lost."""


def serve(listener, answer):
    """Has `answer(exchange)` answer each request, until the process is asked to stop and all are answered."""
    Server(listener, answer).run()


class Server:
    def __init__(self, listener, answer):
        self.listener = listener
        self.answer = answer
        self.is_stopping = False
        self.changed = threading.Condition()
        self.open = set()
        self.idle = set()

    def run(self):
        wake, waker = socket.socketpair()
        waker.setblocking(False)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        self.listener.setblocking(False)
        events = select.poll()
        events.register(self.listener, select.POLLIN)
        events.register(wake, select.POLLIN)
        while not any(ready == wake.fileno() for ready, _ in events.poll()):
            self.accept()
        self.drain()
        leave(0)

    def accept(self):
        try:
            connection, _ = self.listener.accept()
        except BlockingIOError:
            return
        except OSError:
            # Looking again at once would take a whole processor until there is one.
            time.sleep(DESCRIPTOR_SECONDS)
            return
        connection.setblocking(True)
        with self.changed:
            while len(self.open) >= MAX_CONNECTIONS:
                self.release(self.idle.pop()) if self.idle else self.changed.wait()
            self.open.add(connection)
        threading.Thread(target=self.converse, args=(connection,), daemon=True).start()

    def drain(self):
        """Closes what is idle and waits for what is being answered."""
        self.listener.close()
        with self.changed:
            self.is_stopping = True
            for connection in self.idle:
                self.release(connection)
            while self.open:
                self.changed.wait()

    def release(self, connection):
        """Ends a connection once what has arrived on it is answered."""
        try:
            connection.shutdown(socket.SHUT_RD)
        except OSError:
            pass

    def converse(self, connection):
        stream = connection.makefile("rb", BUFFER_BYTES)
        try:
            while self.exchange(connection, stream):
                pass
        except OSError:
            pass
        finally:
            # A trace that somebody keeps may keep the stream, and an open stream keeps the connection.
            stream.close()
            connection.close()
            with self.changed:
                self.open.discard(connection)
                self.idle.discard(connection)
                self.changed.notify_all()

    def exchange(self, connection, stream):
        """Reads one request and answers it. Says whether there may be another one."""
        with self.changed:
            if self.is_stopping:
                self.release(connection)
            self.idle.add(connection)
            self.changed.notify_all()
        try:
            raw = read_head(stream)
            request = Request(raw) if raw else None
        except BadRequest:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return False
        finally:
            with self.changed:
                self.idle.discard(connection)
        if request is None:
            return False
        exchange = Exchange(self, connection, stream, request)
        if request.is_check():
            exchange.begin(b"204 No Content", [])
        else:
            self.answer(exchange)
        return exchange.finish()


def read_head(stream):
    """The bytes of a request's head, empty if none comes."""
    lines, size = [], 0
    while True:
        line = stream.readline(MAX_HEAD_BYTES)
        size += len(line)
        if not line.endswith(b"\n") or size > MAX_HEAD_BYTES:
            if lines or line:
                raise BadRequest(line)
            return b""
        if line in (b"\r\n", b"\n"):
            if lines:
                return b"".join(lines)
            continue
        lines.append(line)


class Exchange:
    """One request and its response."""

    def __init__(self, server, connection, stream, request):
        self.server = server
        self.connection = connection
        self.request = request
        self.body = Body(self, stream)
        self.framing = None
        self.is_broken = False

    def begin(self, status, headers):
        """Decides the head of the response. It is sent with the first piece of the body."""
        self.framing = Framing(self.request, status, headers, self.server.is_stopping)
        self.unsent = self.framing.head

    def write(self, data):
        """Sends a piece of the body at once."""
        piece = self.unsent + self.framing.piece(data)
        self.unsent = b""
        if piece:
            try:
                self.connection.sendall(piece)
            except OSError as error:
                raise Gone("nobody waits for the response any more") from error

    def pass_on(self, data):
        """Sends what is no response as it is, and nothing after it on this connection."""
        self.is_broken = True
        try:
            self.connection.sendall(data)
        except OSError as error:
            raise Gone("nobody waits for the response any more") from error

    def fail(self, error):
        """Answers a request whose application failed, or breaks off what it had begun."""
        from .report import report

        report(error)
        if self.framing is None or self.unsent:
            body = b"Internal Server Error\n"
            headers = [*FAILED, (b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
            self.begin(b"500 Internal Server Error", headers)
            self.write(body)
        else:
            self.is_broken = True

    def refuse(self, status, body):
        """Answers a request in place of its application, which has not seen it."""
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        self.begin(status, headers)
        self.write(body)

    def finish(self):
        """Ends the response. Says whether the connection can take another request."""
        if self.is_broken or self.framing is None:
            return False
        rest = self.unsent + self.framing.end()
        if rest:
            self.connection.sendall(rest)
        if not self.framing.is_complete() or self.framing.closes:
            self.linger()
            return False
        if self.body.drain():
            return True
        self.linger()
        return False

    def linger(self):
        """Lets the other side read the response before the connection goes: closing with unread bytes would discard it."""
        if self.body.is_over():
            return
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(LINGER_SECONDS)
        while self.connection.recv(BUFFER_BYTES):
            pass


class Body(io.RawIOBase):
    """The body of a request, as it arrives."""

    def __init__(self, exchange, stream):
        request = exchange.request
        self.exchange = exchange
        self.stream = stream
        self.is_chunked = request.is_chunked
        self.remaining = 0 if request.is_chunked else request.length
        self.has_ended = not request.is_chunked and request.length == 0
        self.is_awaited = request.expects_continue

    def readable(self):
        return True

    def is_over(self):
        return self.has_ended

    def readinto(self, buffer):
        if self.is_awaited:
            self.is_awaited = False
            if self.exchange.framing is None:
                self.exchange.connection.sendall(CONTINUE)
        if self.has_ended or not buffer:
            return 0
        if self.is_chunked and self.remaining == 0:
            self.next_chunk()
            if self.has_ended:
                return 0
        data = self.stream.read1(min(len(buffer), self.remaining))
        if not data:
            raise Gone("the request was broken off")
        buffer[: len(data)] = data
        self.remaining -= len(data)
        if self.remaining == 0:
            if self.is_chunked:
                self.stream.readline(MAX_HEAD_BYTES)
            else:
                self.has_ended = True
        return len(data)

    def next_chunk(self):
        size = self.stream.readline(MAX_HEAD_BYTES).split(b";")[0].strip()
        try:
            self.remaining = int(size, 16)
        except ValueError:
            raise Gone("the request was broken off") from None
        if self.remaining == 0:
            while self.stream.readline(MAX_HEAD_BYTES).strip():
                pass
            self.has_ended = True

    def drain(self):
        """Reads what the application left, if that is little. Says whether nothing is left."""
        # Whoever waits to be asked for a body that is not wanted any more sends none.
        if self.is_awaited:
            return False
        left, buffer = MAX_DRAINED_BYTES, bytearray(BUFFER_BYTES)
        while not self.has_ended and left > 0:
            left -= self.readinto(memoryview(buffer))
        return self.has_ended
