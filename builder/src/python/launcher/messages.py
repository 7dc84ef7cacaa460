"""Heads of HTTP/1.1 messages: reading a request's, writing a response's."""

# The most bytes of a request's head. Whoever stands before a function accepts less.
MAX_HEAD_BYTES = 256 * 1024

# What is made of a response's head at the most. Whoever stands before a function accepts less, and answers itself.
MAX_MADE_BYTES = 256 * 1024

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

# What tells the host that the application failed, so that its visitors, its log and its counts are told.
FAILED = [(b"x-ship-failed", b"1")]

# Headers about the connection. Whoever frames the body writes them.
OF_THE_CONNECTION = (b"connection", b"transfer-encoding", b"keep-alive")


class BadRequest(Exception):
    """What arrived is no request."""


class Request:
    """The head of a request. Names of headers are lower case; everything is bytes."""

    __slots__ = ("raw", "method", "target", "version", "headers", "length", "is_chunked", "expects_continue", "keeps_alive")

    def __init__(self, raw):
        self.raw = raw
        first, *lines = raw.rstrip(b"\r\n").split(b"\r\n")
        try:
            self.method, self.target, self.version = first.split(b" ")
        except ValueError:
            raise BadRequest(first) from None
        self.headers = []
        self.length = 0
        self.is_chunked = self.expects_continue = False
        self.keeps_alive = self.version == b"HTTP/1.1"
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon or not name or name[-1:] in b" \t":
                raise BadRequest(line)
            self.add(name.lower(), value.strip(b" \t"))

    def add(self, name, value):
        self.headers.append((name, value))
        if name == b"content-length":
            if not value.isdigit():
                raise BadRequest(value)
            self.length = int(value)
        elif name == b"transfer-encoding":
            if value.lower() != b"chunked":
                raise BadRequest(value)
            self.is_chunked = True
        elif name == b"expect":
            self.expects_continue = value.lower() == b"100-continue"
        elif name == b"connection" and value.lower() == b"close":
            self.keeps_alive = False

    def header(self, wanted):
        """The first value of a header, or None."""
        return next((value for name, value in self.headers if name == wanted), None)

    def is_check(self):
        """Whether the platform asks if the program is up, which no application is asked."""
        return self.header(b"x-ship-check") == b"1"

    def path(self):
        """The path as it was sent, and the query behind it."""
        path, _, query = self.target.partition(b"?")
        return path, query

    def client(self):
        """The visitor's address."""
        forwarded = self.header(b"x-forwarded-for")
        return forwarded.split(b",")[0].strip().decode("latin-1") if forwarded else "127.0.0.1"

    def scheme(self):
        return (self.header(b"x-forwarded-proto") or b"http").decode("latin-1")

    def server(self):
        """The name and port that the visitor asked for."""
        host = (self.header(b"x-forwarded-host") or self.header(b"host") or b"localhost").decode("latin-1")
        name, colon, port = host.rpartition(":")
        if colon and port.isdigit():
            return name, int(port)
        return host, 443 if self.scheme() == "https" else 80


def unquoted(path):
    """A path with its `%` sequences replaced by what they stand for."""
    first, *parts = path.split(b"%")
    decoded = [first]
    for part in parts:
        try:
            decoded.append(bytes.fromhex(part[:2].decode("ascii")) if len(part) >= 2 else b"%" + part)
            decoded.append(part[2:] if len(part) >= 2 else b"")
        except ValueError:
            decoded[-1:] = [decoded[-1], b"%" + part]
    return b"".join(decoded)


class Framing:
    """How the body of a response is delimited."""

    __slots__ = ("head", "remaining", "is_chunked", "has_body", "closes")

    def __init__(self, request, status, headers, is_closing):
        """`status` is `200 OK`; of `headers`, those about the connection are left out."""
        lines = [b"HTTP/1.1 ", status, b"\r\n"]
        length = None
        made = 0
        self.closes = is_closing or not request.keeps_alive
        for name, value in headers:
            made += len(name) + len(value) + 4
            if made > MAX_MADE_BYTES:
                # To put the rest together would need its memory once more.
                self.closes = True
                break
            lower = name.lower()
            if lower in OF_THE_CONNECTION:
                self.closes = self.closes or (lower == b"connection" and value.lower() == b"close")
                continue
            if lower == b"content-length":
                length = int(value)
            if b"\n" in name or b"\n" in value or b"\r" in name or b"\r" in value:
                raise ValueError(f"the header {name!r} has a line break in it")
            lines += (name, b": ", value, b"\r\n")
        code = status[:3]
        self.has_body = request.method != b"HEAD" and code not in (b"204", b"304")
        self.is_chunked = self.has_body and length is None and request.version == b"HTTP/1.1"
        self.remaining = length if self.has_body else 0
        if self.is_chunked:
            lines.append(b"transfer-encoding: chunked\r\n")
        elif self.has_body and length is None:
            self.closes = True
        if self.closes:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        self.head = b"".join(lines)

    def piece(self, data):
        """What is sent for a part of the body."""
        if not data or not self.has_body:
            return b""
        if self.is_chunked:
            return b"%x\r\n%b\r\n" % (len(data), data)
        if self.remaining is not None:
            data = data[: self.remaining]
            self.remaining -= len(data)
        return data

    def end(self):
        """What is sent behind the body."""
        return b"0\r\n\r\n" if self.is_chunked else b""

    def is_complete(self):
        """Whether as much was sent as was announced."""
        return not self.remaining
