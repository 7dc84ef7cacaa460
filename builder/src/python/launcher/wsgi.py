"""Serving a WSGI application (PEP 3333)."""

import io
import sys

from .messages import unquoted
from .threads import BUFFER_BYTES, Gone


class Application:
    def __init__(self, application):
        self.application = application

    def answer(self, exchange):
        response = Response(exchange)
        result = None
        try:
            result = self.application(environment(exchange), response.start)
            response.send(result)
        except Gone:
            exchange.is_broken = True
        except BaseException as error:
            exchange.fail(error)
        finally:
            if hasattr(result, "close"):
                close(result)


def close(result):
    try:
        result.close()
    except Exception as error:
        from .report import report

        report(error)


class Response:
    """What `start_response` was told, and what follows."""

    def __init__(self, exchange):
        self.exchange = exchange
        self.status = None
        self.headers = []
        self.is_begun = False

    def start(self, status, headers, exc_info=None):
        if exc_info and self.is_begun:
            try:
                raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        if self.status is not None and not exc_info:
            raise RuntimeError("start_response was called twice")
        self.status = status.encode("latin-1")
        self.headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return self.write

    def send(self, result):
        for data in result:
            if data:
                self.write(data, whole=isinstance(result, (list, tuple)) and len(result) == 1)
        if not self.is_begun:
            self.begin(b"", whole=True)

    def write(self, data, whole=False):
        if not self.is_begun:
            self.begin(data, whole)
        self.exchange.write(data)

    def begin(self, data, whole):
        """Decides the head. The length of a body that is there as a whole is known."""
        if self.status is None:
            raise RuntimeError("the application did not call start_response")
        is_known = any(name.lower() == b"content-length" for name, _ in self.headers)
        has_none = self.exchange.request.method == b"HEAD" or self.status[:3] in (b"204", b"304")
        if whole and not is_known and not has_none:
            self.headers.append((b"content-length", b"%d" % len(data)))
        self.exchange.begin(self.status, self.headers)
        self.is_begun = True


def environment(exchange):
    """The `environ` of a request."""
    request = exchange.request
    path, query = request.path()
    name, port = request.server()
    environ = {
        "REQUEST_METHOD": request.method.decode("latin-1"),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquoted(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "REQUEST_URI": request.target.decode("latin-1"),
        "RAW_URI": request.target.decode("latin-1"),
        "SERVER_NAME": name,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": request.version.decode("latin-1"),
        "REMOTE_ADDR": request.client(),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme(),
        "wsgi.input": io.BufferedReader(exchange.body, BUFFER_BYTES),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }
    for name, value in request.headers:
        # `x_y` and `x-y` would be the same variable: one of them could pretend to be the other.
        if b"_" in name:
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        value = value.decode("latin-1")
        if key in environ:
            value = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + value
        environ[key] = value
    return environ


class FileWrapper:
    """A file as an iterable of its pieces."""

    def __init__(self, file, size=BUFFER_BYTES):
        self.file = file
        self.size = size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self):
        return iter(lambda: self.file.read(self.size), b"")
