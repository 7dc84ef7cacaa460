"""Serving a class derived from `http.server.BaseHTTPRequestHandler`."""

import errno
import io
import sys

from .messages import MAX_HEAD_BYTES
from .threads import BUFFER_BYTES, Gone

# A request's body of unknown length up to this many bytes is kept in memory, a longer one in a temporary file.
MAX_BODY_BYTES_IN_MEMORY = 1024 * 1024


class Application:
    def __init__(self, handler):
        self.handler = handler
        handler.log_request = quiet(handler)

    def answer(self, exchange):
        try:
            connection = Connection(exchange)
            client = (exchange.request.client(), 0)
            self.handler(connection, client, Server(exchange))
            connection.writer.end()
        except Gone:
            exchange.is_broken = True
        except NoRoom:
            print("a request's body that came without a length is larger than /tmp has room for", file=sys.stderr)
            exchange.refuse(b"413 Content Too Large", b"The request's body is too large.\n")
        except BaseException as error:
            exchange.fail(error)


def quiet(handler):
    """Requests are in the platform's log already; a class with a log of its own keeps it."""
    from http.server import BaseHTTPRequestHandler

    is_own = handler.log_request is not BaseHTTPRequestHandler.log_request
    is_own = is_own or handler.log_message is not BaseHTTPRequestHandler.log_message
    return handler.log_request if is_own else lambda self, code="-", size="-": None


class Server:
    """What a handler may ask of its `server`."""

    def __init__(self, exchange):
        self.server_name, self.server_port = exchange.request.server()
        self.server_address = (self.server_name, self.server_port)


class Connection:
    """What a handler takes for its socket: one request to read, one response to write."""

    def __init__(self, exchange):
        self.exchange = exchange
        self.writer = Writer(exchange)

    def makefile(self, mode="r", buffering=-1, **_):
        if "w" in mode:
            return self.writer
        head, body = self.exchange.request.raw, self.exchange.body
        if self.exchange.request.is_chunked:
            # Handlers ask for `Content-Length` and read so much.
            body, length = whole(body)
            lines = head.rstrip(b"\r\n").split(b"\r\n")
            lines = [line for line in lines if not line.lower().startswith(b"transfer-encoding:")]
            head = b"\r\n".join([*lines, b"content-length: %d" % length])
        return io.BufferedReader(Joined(head.rstrip(b"\r\n") + b"\r\n\r\n", body), BUFFER_BYTES)

    def sendall(self, data, *_):
        self.writer.write(data)

    send = sendall

    def getpeername(self):
        return (self.exchange.request.client(), 0)

    def settimeout(self, *_):
        pass

    setsockopt = shutdown = close = settimeout


class NoRoom(Exception):
    """There is no room for a body that has to be read to its end."""


def whole(body):
    """A body that is read to its end, and its length."""
    import tempfile

    file = tempfile.SpooledTemporaryFile(MAX_BODY_BYTES_IN_MEMORY)
    buffer = bytearray(BUFFER_BYTES)
    while count := body.readinto(memoryview(buffer)):
        try:
            file.write(buffer[:count])
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            close_full(file)
            raise NoRoom from error
    length = file.tell()
    file.seek(0)
    return file, length


def close_full(file):
    """Closes a file that could not be written to its end; what it holds back cannot be written then, either."""
    try:
        file.close()
    except OSError:
        pass


class Joined(io.RawIOBase):
    """A head, and the body behind it."""

    def __init__(self, head, body):
        self.head = memoryview(head)
        self.body = body

    def readable(self):
        return True

    def readinto(self, buffer):
        if self.head:
            count = min(len(buffer), len(self.head))
            buffer[:count] = self.head[:count]
            self.head = self.head[count:]
            return count
        if isinstance(self.body, io.RawIOBase):
            return self.body.readinto(buffer)
        data = self.body.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class Writer(io.RawIOBase):
    """Where a handler writes: the head it writes is read again, and its body framed as HTTP/1.1 wants it."""

    def __init__(self, exchange):
        self.exchange = exchange
        self.head = bytearray()
        self.chunks = None
        self.is_raw = False

    def writable(self):
        return True

    def fileno(self):
        return self.exchange.connection.fileno()

    def write(self, data):
        data = bytes(data)
        if self.is_raw:
            self.exchange.pass_on(data)
        elif self.exchange.framing is not None:
            self.send(data)
        else:
            self.add_to_head(data)
        return len(data)

    def add_to_head(self, data):
        self.head += data
        while self.exchange.framing is None:
            head, end, rest = self.head.partition(b"\r\n\r\n")
            if not end and len(head) <= MAX_HEAD_BYTES:
                return
            if not end or not self.begin(bytes(head)):
                # What is no head is for whoever reads it to refuse.
                self.is_raw = True
                return self.exchange.pass_on(bytes(self.head))
            self.head = rest
        self.send(bytes(rest))

    def begin(self, head):
        """Begins the response. Says whether the head is one."""
        first, *lines = head.split(b"\r\n")
        version, _, status = first.partition(b" ")
        if not version.startswith(b"HTTP/"):
            return False
        if status.startswith(b"100"):
            return True
        headers = [line.partition(b":")[::2] for line in lines]
        headers = [(name, value.strip()) for name, value in headers]
        named = {name.lower(): value.lower() for name, value in headers}
        if named.get(b"transfer-encoding") == b"chunked":
            if b"content-length" in named:
                return False
            self.chunks = Chunks()
        self.exchange.begin(status, headers)
        return True

    def send(self, data):
        self.exchange.write(data if self.chunks is None else self.chunks.read(data))

    def end(self):
        if self.is_raw:
            return
        if self.exchange.framing is None and self.head:
            return self.exchange.pass_on(bytes(self.head))
        if self.exchange.framing is None:
            raise RuntimeError("the handler wrote no response")
        if self.chunks is not None and not self.chunks.have_ended and self.exchange.framing.has_body:
            raise RuntimeError("the handler did not write the last chunk of its response")


class Chunks:
    """The chunks that a handler writes itself, whose content is framed again."""

    def __init__(self):
        self.unread = b""
        self.left = 0
        self.have_ended = False

    def read(self, data):
        """The content of what was written, as far as it is there."""
        self.unread += data
        content = []
        while self.unread and not self.have_ended:
            if self.left == 0:
                line, end, rest = self.unread.removeprefix(b"\r\n").partition(b"\r\n")
                if not end:
                    break
                self.left, self.unread = int(line.partition(b";")[0], 16), rest
                self.have_ended = self.left == 0
            else:
                content.append(self.unread[: self.left])
                self.left -= len(content[-1])
                self.unread = self.unread[len(content[-1]) :]
        return b"".join(content)
