"""WebSockets (RFC 6455) for ASGI applications, without extensions."""

import asyncio
import base64
import hashlib
import struct
import sys

from .asgi import VERSIONS, phrase
from .messages import FAILED, Framing, unquoted
from .report import report

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

# The most bytes of one message.
MAX_MESSAGE_BYTES = 16 * 1024 * 1024

# How many messages wait to be read before the other side has to wait.
MAX_WAITING_MESSAGES = 32

# How long the other side may take to answer a close, in seconds.
CLOSE_SECONDS = 5

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class WebSocket:
    """One WebSocket, from its handshake to its end."""

    def __init__(self, connection, request):
        self.connection = connection
        self.request = request
        self.buffer = connection.buffer
        self.messages = asyncio.Queue()
        self.messages.put_nowait({"type": "websocket.connect"})
        self.parts = []
        self.kind = None
        self.is_accepted = self.is_closing = self.is_over = False
        self.refusal = None

    async def run(self):
        key = self.request.header(b"sec-websocket-key")
        if key is None or self.request.header(b"sec-websocket-version") != b"13":
            self.refuse(b"400 Bad Request", [], b"this is no WebSocket handshake\n")
            return
        try:
            await self.connection.server.application(self.scope(), self.receive, self.send)
        except Exception as error:
            report(error)
            if not self.is_accepted and not self.is_over:
                self.refuse(b"500 Internal Server Error", FAILED, b"")
            self.close(1011, "")
            return
        if not self.is_accepted and not self.is_over:
            self.refuse(b"500 Internal Server Error", FAILED, b"")
        self.close(1000, "")

    def scope(self):
        path, query = self.request.path()
        offered = b",".join(value for name, value in self.request.headers if name == b"sec-websocket-protocol")
        return {
            "type": "websocket",
            "asgi": dict(VERSIONS),
            "http_version": "1.1",
            "scheme": "wss" if self.request.scheme() == "https" else "ws",
            "path": unquoted(path).decode("utf-8", "replace"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": list(self.request.headers),
            "client": (self.request.client(), 0),
            "server": self.request.server(),
            "subprotocols": [name.strip().decode("latin-1") for name in offered.split(b",") if name.strip()],
            "state": self.connection.server.state.copy(),
            "extensions": {"websocket.http.response": {}},
        }

    async def receive(self):
        message = await self.messages.get()
        if self.messages.qsize() < MAX_WAITING_MESSAGES:
            self.connection.resume()
        return message

    async def send(self, message):
        kind = message["type"]
        if self.is_over and self.is_accepted:
            # As ASGI 2.4 has it: an application that only sends learns of the end by that.
            raise OSError("the visitor has left")
        if self.is_over or self.is_closing:
            await asyncio.sleep(0)
            return
        if kind == "websocket.accept" and not self.is_accepted:
            self.accept(message)
        elif kind == "websocket.send" and self.is_accepted:
            text = message.get("text")
            self.frame(BINARY if text is None else TEXT, message["bytes"] if text is None else text.encode("utf-8"))
            await self.connection.can_write.wait()
            if self.connection.transport.is_closing():
                # That it has left is told in the next turn.
                await asyncio.sleep(0)
        elif kind == "websocket.close":
            if self.is_accepted:
                self.close(message.get("code") or 1000, message.get("reason") or "")
            else:
                self.refuse(b"403 Forbidden", [], b"")
        elif kind == "websocket.http.response.start" and not self.is_accepted:
            status = message["status"]
            self.refusal = (b"%d %s" % (status, phrase(status)), list(message.get("headers", ())), bytearray())
        elif kind == "websocket.http.response.body" and self.refusal is not None:
            status, headers, body = self.refusal
            body += message.get("body", b"")
            if not message.get("more_body", False):
                self.refuse(status, headers, bytes(body))
        else:
            raise RuntimeError(f"{kind} was not expected here")

    def accept(self, message):
        key = self.request.header(b"sec-websocket-key")
        proof = base64.b64encode(hashlib.sha1(key + GUID).digest())
        lines = [b"HTTP/1.1 101 Switching Protocols", b"upgrade: websocket", b"connection: Upgrade"]
        lines.append(b"sec-websocket-accept: " + proof)
        if message.get("subprotocol"):
            lines.append(b"sec-websocket-protocol: " + message["subprotocol"].encode("latin-1"))
        lines += [name + b": " + value for name, value in message.get("headers") or ()]
        self.connection.transport.write(b"\r\n".join(lines) + b"\r\n\r\n")
        self.is_accepted = True
        self.received(b"")

    def refuse(self, status, headers, body):
        """Answers the handshake with a response instead."""
        headers = [(name, value) for name, value in headers if name.lower() != b"content-length"]
        headers.append((b"content-length", b"%d" % len(body)))
        framing = Framing(self.request, status, headers, True)
        self.connection.transport.write(framing.head + framing.piece(body))
        self.connection.transport.close()
        self.is_over = True
        self.messages.put_nowait({"type": "websocket.disconnect", "code": 1006, "reason": ""})

    def received(self, data):
        if data and self.buffer is not data:
            self.buffer += data
        if not self.is_accepted:
            return
        try:
            while self.next_frame():
                pass
        except ProtocolError as error:
            self.close(*error.args)
        if self.messages.qsize() >= MAX_WAITING_MESSAGES:
            self.connection.pause()

    def next_frame(self):
        """Takes one frame from what has arrived. Says whether there was one."""
        buffer = self.buffer
        if len(buffer) < 2 or self.is_over:
            return False
        first, second = buffer[0], buffer[1]
        size, begin = second & 0x7F, 2
        if size >= 126:
            begin = 4 if size == 126 else 10
            if len(buffer) < begin:
                return False
            (size,) = struct.unpack_from("!H" if begin == 4 else "!Q", buffer, 2)
        if not second & 0x80 or first & 0x70:
            raise ProtocolError(1002, "")
        if size > MAX_MESSAGE_BYTES:
            raise ProtocolError(1009, "")
        end = begin + 4 + size
        if len(buffer) < end:
            return False
        payload = unmasked(bytes(buffer[begin + 4 : end]), bytes(buffer[begin : begin + 4]))
        del buffer[:end]
        self.take(bool(first & 0x80), first & 0x0F, payload)
        return True

    def take(self, is_last, kind, payload):
        if kind in (CLOSE, PING, PONG):
            if not is_last or len(payload) > 125:
                raise ProtocolError(1002, "")
            self.control(kind, payload)
            return
        if (kind == CONTINUATION) == (self.kind is None) or kind > BINARY:
            raise ProtocolError(1002, "")
        self.kind = self.kind or kind
        self.parts.append(payload)
        if sum(map(len, self.parts)) > MAX_MESSAGE_BYTES:
            raise ProtocolError(1009, "")
        if is_last:
            self.deliver(b"".join(self.parts))

    def deliver(self, payload):
        kind, self.kind, self.parts = self.kind, None, []
        if self.is_closing:
            return
        if kind == BINARY:
            self.messages.put_nowait({"type": "websocket.receive", "bytes": payload})
            return
        try:
            self.messages.put_nowait({"type": "websocket.receive", "text": payload.decode("utf-8")})
        except UnicodeDecodeError:
            raise ProtocolError(1007, "") from None

    def control(self, kind, payload):
        if kind == PING:
            self.frame(PONG, payload)
        elif kind == CLOSE:
            code = struct.unpack_from("!H", payload)[0] if len(payload) >= 2 else 1005
            if not self.is_closing:
                self.frame(CLOSE, payload[:2])
            self.end(code, payload[2:].decode("utf-8", "replace"))

    def frame(self, kind, payload):
        if self.is_over:
            return
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | kind, size)
        elif size < 65536:
            head = struct.pack("!BBH", 0x80 | kind, 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | kind, 127, size)
        self.connection.transport.write(head + payload)

    def close(self, code, reason):
        """Says goodbye, and waits a little for the other side to do so."""
        if self.is_over or self.is_closing or not self.is_accepted:
            return
        self.frame(CLOSE, struct.pack("!H", code) + reason.encode("utf-8")[:123])
        self.is_closing = True
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.end, code, reason)

    def going_away(self):
        """The process is about to end."""
        if self.is_accepted:
            self.close(1012, "")
        self.messages.put_nowait({"type": "websocket.disconnect", "code": 1012, "reason": ""})

    def end(self, code, reason):
        if not self.is_over:
            self.is_over = True
            self.messages.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
            self.connection.transport.close()

    def lost(self):
        """The connection is gone."""
        if not self.is_over:
            self.is_over = True
            self.messages.put_nowait({"type": "websocket.disconnect", "code": 1006, "reason": ""})


class ProtocolError(Exception):
    """The other side broke the rules: the code and the reason to close with."""


def unmasked(payload, mask):
    """A payload as it was before it was masked."""
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, sys.byteorder) ^ int.from_bytes(repeated, sys.byteorder)).to_bytes(size, sys.byteorder)
