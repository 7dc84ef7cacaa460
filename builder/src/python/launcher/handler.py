"""Serving a class derived from `http.server.BaseHTTPRequestHandler`."""

import io

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
        except Exception as error:
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


def whole(body):
    """A body that is read to its end, and its length."""
    import tempfile

    file = tempfile.SpooledTemporaryFile(MAX_BODY_BYTES_IN_MEMORY)
    buffer = bytearray(BUFFER_BYTES)
    while count := body.readinto(memoryview(buffer)):
        file.write(buffer[:count])
    length = file.tell()
    file.seek(0)
    return file, length


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
        self.head = b""

    def writable(self):
        return True

    def fileno(self):
        return self.exchange.connection.fileno()

    def write(self, data):
        data = bytes(data)
        if self.exchange.framing is not None:
            self.exchange.write(data)
            return len(data)
        self.head += data
        while self.exchange.framing is None:
            head, end, rest = self.head.partition(b"\r\n\r\n")
            if not end:
                return len(data)
            self.head = rest
            self.begin(head)
        self.exchange.write(rest)
        return len(data)

    def begin(self, head):
        first, *lines = head.split(b"\r\n")
        status = first.partition(b" ")[2]
        if status.startswith(b"100"):
            return
        headers = [line.partition(b":")[::2] for line in lines]
        headers = [(name, value.strip()) for name, value in headers]
        self.exchange.begin(status, headers)

    def end(self):
        if self.exchange.framing is None:
            raise RuntimeError("the handler wrote no response")
