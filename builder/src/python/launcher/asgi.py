"""A server with one event loop, for ASGI applications (version 3 of the specification)."""

import asyncio
import os
import signal
import sys

from . import leave
from .messages import CONTINUE, FAILED, MAX_HEAD_BYTES, BadRequest, Framing, Request, unquoted
from .report import report

# How much of a request's body waits to be read before the other side has to wait.
MAX_WAITING_BYTES = 64 * 1024

# How the host's log is told that there is work behind the responses when the process was asked to stop.
WORK_GOES_ON = b"\0ship: work goes on\n"

VERSIONS = {"version": "3.0", "spec_version": "2.3"}


def serve(listener, application, is_of_host):
    """Has `application` answer each request, until the process is asked to stop and all are answered."""
    leave(asyncio.run(Server(application, is_of_host).run(listener)))


async def say_that_work_goes_on():
    """Without this the host gives the process a second to end."""
    while True:
        try:
            os.write(2, WORK_GOES_ON)
            return
        except BlockingIOError:
            # The pipe is full, and the host empties it.
            await asyncio.sleep(0.01)
        except OSError:
            return


class Server:
    def __init__(self, application, is_of_host):
        self.application = application
        self.is_of_host = is_of_host
        self.connections = set()
        self.tasks = set()
        self.state = {}
        self.is_stopping = False

    async def run(self, listener):
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        lifespan = Lifespan(self.application, self.state)
        if not await lifespan.start():
            return 1
        listener.setblocking(False)
        server = await loop.create_server(lambda: Connection(self), sock=listener, backlog=1024)
        await stop.wait()
        self.is_stopping = True
        server.close()
        for connection in list(self.connections):
            connection.release()
        if self.is_of_host and (self.tasks or lifespan.is_supported):
            await say_that_work_goes_on()
        while self.tasks or self.connections:
            await asyncio.wait([*self.tasks, *(connection.is_closed for connection in self.connections)])
        await lifespan.stop()
        return 0

    def start(self, work):
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


class Lifespan:
    """Tells the application when it begins and ends."""

    def __init__(self, application, state):
        self.application = application
        self.scope = {"type": "lifespan", "asgi": dict(VERSIONS), "state": state}
        self.events = asyncio.Queue()
        self.started = asyncio.Event()
        self.stopped = asyncio.Event()
        self.failure = None
        self.is_supported = True

    async def start(self):
        """Says whether the application is ready."""
        self.events.put_nowait({"type": "lifespan.startup"})
        self.task = asyncio.get_running_loop().create_task(self.run())
        await self.started.wait()
        if self.failure is not None:
            print(self.failure or "the application's startup failed", file=sys.stderr)
            return False
        return True

    async def stop(self):
        if self.is_supported:
            self.events.put_nowait({"type": "lifespan.shutdown"})
            await self.stopped.wait()

    async def run(self):
        try:
            await self.application(self.scope, self.events.get, self.send)
        except Exception as error:
            # Before it said that it started, this is how an application says that it does not know lifespans.
            if self.started.is_set() and self.failure is None:
                report(error)
        self.is_supported = False
        self.started.set()
        self.stopped.set()

    async def send(self, message):
        kind = message["type"]
        if kind == "lifespan.startup.failed":
            self.failure = message.get("message", "")
        elif kind == "lifespan.shutdown.failed":
            print(message.get("message", ""), file=sys.stderr)
        if kind.startswith("lifespan.startup."):
            self.started.set()
        elif kind.startswith("lifespan.shutdown."):
            self.stopped.set()


class Connection(asyncio.Protocol):
    """Bytes from and to whoever asks: one exchange after the other."""

    def __init__(self, server):
        self.server = server
        self.buffer = bytearray()
        self.exchange = None
        self.upgraded = None
        self.is_paused = False
        self.has_ended = False
        self.can_write = asyncio.Event()
        self.can_write.set()

    def connection_made(self, transport):
        self.transport = transport
        self.is_closed = asyncio.get_running_loop().create_future()
        self.server.connections.add(self)

    def connection_lost(self, error):
        self.server.connections.discard(self)
        self.can_write.set()
        if self.exchange is not None:
            self.exchange.disconnect()
        if self.upgraded is not None:
            self.upgraded.lost()
        self.is_closed.set_result(None)

    def eof_received(self):
        # Whoever stops sending may still read: the response is finished first.
        self.has_ended = True
        if self.exchange is None and self.upgraded is None:
            return False
        if self.exchange is not None:
            self.exchange.no_more()
        return self.upgraded is None

    def pause_writing(self):
        self.can_write.clear()

    def resume_writing(self):
        self.can_write.set()

    def data_received(self, data):
        if self.upgraded is not None:
            self.upgraded.received(data)
            return
        self.buffer += data
        self.advance()

    def release(self):
        """Ends a connection that is idle; one that is not ends with its response."""
        if self.upgraded is not None:
            self.upgraded.going_away()
        elif self.exchange is None and not self.buffer:
            self.transport.close()

    def advance(self):
        """Uses what has arrived, as far as somebody wants it."""
        if self.exchange is not None:
            self.exchange.receive_body()
            if len(self.buffer) > MAX_WAITING_BYTES:
                self.pause()
            return
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buffer) > MAX_HEAD_BYTES:
                self.refuse()
            return
        raw = bytes(self.buffer[: end + 4])
        del self.buffer[: end + 4]
        try:
            request = Request(raw.lstrip(b"\r\n"))
        except BadRequest:
            self.refuse()
            return
        self.begin(request)

    def begin(self, request):
        if request.is_check():
            framing = Framing(request, b"204 No Content", [], self.server.is_stopping)
            self.transport.write(framing.head)
            self.next(framing.closes)
            return
        if (request.header(b"upgrade") or b"").lower() == b"websocket":
            from .websocket import WebSocket

            self.upgraded = WebSocket(self, request)
            self.server.start(self.upgraded.run())
            return
        self.exchange = Exchange(self, request)
        self.exchange.receive_body()
        self.server.start(self.exchange.run())

    def refuse(self):
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def next(self, closes):
        """The exchange is over."""
        self.exchange = None
        if closes or (self.has_ended or self.server.is_stopping) and not self.buffer:
            self.transport.close()
            return
        self.resume()
        if self.buffer:
            asyncio.get_running_loop().call_soon(self.advance)

    def pause(self):
        if not self.is_paused:
            self.is_paused = True
            self.transport.pause_reading()

    def resume(self):
        if self.is_paused and not self.transport.is_closing():
            self.is_paused = False
            self.transport.resume_reading()


class Exchange:
    """One request and its response."""

    def __init__(self, connection, request):
        self.connection = connection
        self.request = request
        self.body = bytearray()
        self.remaining = 0 if request.is_chunked else request.length
        self.has_whole_body = not request.is_chunked and request.length == 0
        self.is_told_of_end = False
        self.is_awaited = request.expects_continue
        self.is_gone = False
        self.news = asyncio.Event()
        self.head = None
        self.framing = None
        self.unsent = b""
        self.is_complete = False

    async def run(self):
        try:
            await self.connection.server.application(self.scope(), self.receive, self.send)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            report(error)
            self.fail()
        if self.is_gone:
            self.connection.transport.close()
        elif not self.is_complete:
            print("the application returned without a whole response", file=sys.stderr)
            self.fail()

    def scope(self):
        request = self.request
        path, query = request.path()
        return {
            "type": "http",
            "asgi": dict(VERSIONS),
            "http_version": "1.1" if request.version == b"HTTP/1.1" else "1.0",
            "method": request.method.decode("latin-1").upper(),
            "scheme": request.scheme(),
            "path": unquoted(path).decode("utf-8", "replace"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": list(request.headers),
            "client": (request.client(), 0),
            "server": request.server(),
            "state": self.connection.server.state.copy(),
            "extensions": {},
        }

    def receive_body(self):
        """Takes what has arrived of the body, if there is room for it."""
        buffer = self.connection.buffer
        while buffer and not self.has_whole_body and len(self.body) < MAX_WAITING_BYTES:
            if self.request.is_chunked and self.remaining == 0 and not self.next_chunk():
                break
            count = min(self.remaining, len(buffer))
            self.body += buffer[:count]
            del buffer[:count]
            self.remaining -= count
            if self.remaining == 0 and not self.request.is_chunked:
                self.has_whole_body = True
        self.news.set()
        if len(self.body) >= MAX_WAITING_BYTES:
            self.connection.pause()

    def next_chunk(self):
        """Reads the line before a chunk. Says whether there is a chunk."""
        buffer = self.connection.buffer
        begin = 2 if buffer.startswith(b"\r\n") else 0
        end = buffer.find(b"\r\n", begin)
        if end < 0:
            return False
        try:
            size = int(buffer[begin:end].split(b";")[0], 16)
        except ValueError:
            self.connection.transport.abort()
            return False
        if size == 0:
            last = buffer.find(b"\r\n\r\n", begin)
            if last < 0:
                return False
            del buffer[: last + 4]
            self.has_whole_body = True
            return False
        del buffer[: end + 2]
        self.remaining = size
        return True

    def no_more(self):
        """Nothing arrives any more. Whoever sent half a body is gone, and so is the visitor for whom the host asked: it ends what it sends
        when nobody waits for the response any more, and waits until the application is done."""
        if not self.has_whole_body or self.connection.server.is_of_host:
            self.disconnect()

    def disconnect(self):
        self.is_gone = True
        self.news.set()

    async def receive(self):
        while not self.is_told_of_end and not self.is_gone:
            if self.body or self.has_whole_body:
                body = bytes(self.body)
                self.body.clear()
                self.receive_body()
                self.connection.resume()
                self.is_told_of_end = self.has_whole_body and not self.body
                return {"type": "http.request", "body": body, "more_body": not self.is_told_of_end}
            if self.is_awaited:
                self.is_awaited = False
                if self.framing is None:
                    self.connection.transport.write(CONTINUE)
            self.news.clear()
            await self.news.wait()
        while not self.is_gone and not self.is_complete:
            self.news.clear()
            await self.news.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        kind = message["type"]
        if kind == "http.response.start" and self.head is None:
            status = message["status"]
            self.head = (b"%d %s" % (status, phrase(status)), list(message.get("headers", ())))
        elif kind == "http.response.body" and self.head is not None and not self.is_complete:
            await self.send_body(message.get("body", b""), message.get("more_body", False))
        elif not self.is_complete:
            raise RuntimeError(f"{kind} was not expected here")

    async def send_body(self, body, more):
        if self.framing is None:
            self.begin(body, more)
        data = self.unsent + self.framing.piece(bytes(body))
        self.unsent = b""
        if not more:
            data += self.framing.end()
        if self.is_gone or self.connection.transport.is_closing():
            # An application that sends without end hears here that nobody listens, and others get their turn.
            await asyncio.sleep(0)
            return
        if data:
            self.connection.transport.write(data)
            await self.connection.can_write.wait()
        if not more:
            self.finish()

    def begin(self, body, more):
        status, headers = self.head
        is_known = any(name.lower() == b"content-length" for name, _ in headers)
        has_none = self.request.method == b"HEAD" or status[:3] in (b"204", b"304")
        if not more and not is_known and not has_none:
            headers.append((b"content-length", b"%d" % len(body)))
        self.framing = Framing(self.request, status, headers, self.connection.server.is_stopping)
        self.unsent = self.framing.head

    def finish(self):
        """The response is sent. What the application does behind it keeps nobody waiting."""
        self.is_complete = True
        self.news.set()
        if not self.framing.is_complete():
            print("the response is shorter than its content-length", file=sys.stderr)
            self.connection.transport.abort()
        elif self.connection.exchange is self:
            # What is left of the body would be taken for the next request.
            self.connection.next(self.framing.closes or not self.has_whole_body)

    def fail(self):
        """The application failed: an answer if there is none yet, else the response is broken off."""
        if self.is_complete or self.is_gone:
            return
        self.is_complete = True
        self.news.set()
        if self.framing is not None:
            self.connection.transport.abort()
            return
        body = b"Internal Server Error\n"
        headers = [*FAILED, (b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        framing = Framing(self.request, b"500 Internal Server Error", headers, self.connection.server.is_stopping)
        self.connection.transport.write(framing.head + framing.piece(body))
        self.connection.next(framing.closes or not self.has_whole_body)


def phrase(status):
    from http import HTTPStatus

    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b"Unknown"
