"""Does all of Python's start that does not depend on the function, waits, and becomes `python launcher.py` of the function that
it is told. The protocol is in mod.rs, beside this file."""

import sys

# What a fresh start has imported before the program begins.
AT_START = frozenset(sys.modules)

import array
import asyncio
import base64
import builtins
import concurrent.futures.thread
import contextlib
import csv
import dataclasses
import datetime
import decimal
import email.message
import email.parser
import encodings.idna
import enum
import gc
import gzip
import hashlib
import hmac
import html
import http.client
import http.cookies
import http.server
import importlib.metadata
import importlib.resources
import inspect
import io
import ipaddress
import json
import logging
import marshal
import mimetypes
import os
import pathlib
import queue
import random
import secrets
import select
import shutil
import signal
import site
import socket
import ssl
import stat
import string
import struct
import subprocess
import tempfile
import textwrap
import threading
import time
import traceback
import types
import typing
import urllib.parse
import urllib.request
import uuid
import zlib
import zoneinfo
from importlib.machinery import SourceFileLoader

ASSIGNMENT_FD = 4
# What a pipe holds.
LINE_BYTES = 64 * 1024
LISTEN_FD = 3

PROGRAM = "launcher.py"
LAUNCHER = "ship_launcher"
PROJECT = "project"
PACKAGES = "python"

# Packages that replace parts of the standard library, and have to come before it.
BEFORE_ALL = ("gevent", "eventlet")

# What packages import with their first request, by what was imported of them before.
IMPORTED_LATE = {"anyio": "anyio._backends._asyncio", "fastapi": "fastapi.telemetry._runtime"}


def main():
    coerced = os.environ.get("LC_CTYPE")
    rehearse(import_launcher())
    known = {name.partition(".")[0] for name in sys.modules} - {name.partition(".")[0] for name in AT_START}
    gc.collect()
    gc.freeze()
    hear = hearing()
    assignment = json.loads(hear())
    # What Python made of a locale that says nothing, it makes of it in each start.
    environment = {"LC_CTYPE": coerced} if coerced else {}
    os.environ.clear()
    os.environ.update(environment | assignment["env"])
    time.tzset()
    hear()
    os.close(ASSIGNMENT_FD)
    os.chdir(assignment["root"])
    begin(assignment, known)


def hearing():
    """Gives one line of what this process is told after the other, and ends it where there is none."""
    heard = b""

    def hear():
        nonlocal heard
        while b"\n" not in heard:
            piece = os.read(ASSIGNMENT_FD, LINE_BYTES)
            if not piece:
                os._exit(0)
            heard += piece
        line, _, heard = heard.partition(b"\n")
        return line

    return hear


def begin(assignment, known):
    """Starts the launcher in the current folder. This process has modules of the `known` names."""
    is_zygote = assignment.get("zygote", False)
    if not assignment.get("launch", False):
        # The function's own launcher is another one.
        forget_launcher()
    if comes_first(known):
        if is_zygote:
            Zygote().refuse("the project replaces modules of the standard library")
        os.execve(sys.executable, [*sys.orig_argv[:-1], PROGRAM], os.environ)
    cache, is_making = assignment.get("code_cache"), assignment.get("make_code_cache", False)
    codes = None if cache is None else Codes(os.path.join(cache, "modules"), is_making)
    if is_zygote:
        announce(Zygote().serve)
    elif is_making:
        announce(codes.save)
    run_program(codes)


def import_launcher():
    """The modules of the launcher that stands beside this file, by their names."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, here)
    modules = ("asgi", "handler", "levels", "messages", "report", "threads", "wsgi")
    launcher = {name: importlib.import_module(f"{LAUNCHER}.{name}") for name in modules}
    sys.path.remove(here)
    sys.path_importer_cache.pop(here, None)
    return launcher


def forget_launcher():
    for name in [name for name in sys.modules if name.partition(".")[0] == LAUNCHER]:
        del sys.modules[name]


def rehearse(launcher):
    """Answers requests: what is first done then is done now."""
    body = json.dumps(json.loads('{"a": [1, 2.5, null, "b"]}')).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
            self.send_response(200)
            self.send_header("content-type", self.headers["x-a"])
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    def application(environ, start_response):
        start_response("200 OK", [("content-type", environ["HTTP_X_A"])])
        return [body]

    for answer in (launcher["handler"].Application(Handler).answer, launcher["wsgi"].Application(application).answer):
        server = launcher["threads"].Server(None, answer)
        ours, theirs = socket.socketpair()
        ours.sendall(b"GET /?a=b HTTP/1.1\r\nhost: x\r\nx-a: text/plain\r\nconnection: close\r\n\r\n")
        server.open.add(theirs)
        # One without a name would take a number from the function's own.
        thread = threading.Thread(target=server.converse, args=(theirs,), daemon=True, name="rehearsal")
        thread.start()
        thread.join()
        ours.recv(65536)
        ours.close()


def comes_first(known):
    """Whether the project has modules that an `import` has to find where this process already has others of that name."""
    try:
        with os.scandir(PROJECT) as entries:
            found = [entry.name for entry in entries]
    except OSError:
        found = []
    for name in found:
        module, _, ending = name.partition(".")
        if module in known and (ending or os.path.exists(os.path.join(PROJECT, name, "__init__.py"))):
            return True
    return any(os.path.exists(os.path.join(PACKAGES, name)) for name in BEFORE_ALL)


def run_program(codes):
    """Runs the launcher as `__main__`, as the interpreter does."""
    sys.argv[:] = [PROGRAM]
    sys.orig_argv[-1] = PROGRAM
    path = os.path.abspath(PROGRAM)
    main = types.ModuleType("__main__")
    main.__loader__ = SourceFileLoader("__main__", path)
    main.__dict__.update(__builtins__=builtins, __file__=path, __cached__=None, __annotations__={})
    sys.modules["__main__"] = main
    try:
        loader = main.__loader__
        exec(loader.get_code("__main__") if codes else loader.source_to_code(loader.get_data(path), path), main.__dict__)
    except Exception as error:
        # This file has no part in what went wrong, nor has what compiles for it.
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename.startswith((__file__, "<frozen importlib")):
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        sys.exit(1)


def announce(loaded):
    """Has the launcher call `loaded` when the function is loaded and would be served."""
    module = types.ModuleType("ship_prelude")
    module.loaded = loaded
    sys.modules["ship_prelude"] = module


class Codes:
    """What the files of a function were compiled to, in one file of a folder that the host keeps."""

    # What makes the code of another interpreter.
    TAG = (sys.hexversion, sys.implementation.cache_tag)

    def __init__(self, file, is_making):
        self.file = file
        self.codes = {} if is_making else self.saved()
        self.is_making = is_making
        self.library = os.path.dirname(os.__file__) + os.sep
        self.compile = SourceFileLoader.get_code
        if is_making or self.codes:
            SourceFileLoader.get_code = lambda loader, name: self.code(loader, name)

    def saved(self):
        try:
            with open(self.file, "rb", 0) as file:
                saved = file.read()
            # The interpreter trusts code, and runs what is damaged too.
            if zlib.crc32(memoryview(saved)[4:]) != int.from_bytes(saved[:4], "little"):
                return {}
            tag, codes = marshal.loads(memoryview(saved)[4:])
            return codes if tag == self.TAG else {}
        except (OSError, EOFError, ValueError, TypeError):
            return {}

    def code(self, loader, name):
        known = self.codes.get(loader.path)
        if known is not None and not self.is_making:
            return marshal.loads(known)
        code = self.compile(loader, name)
        if self.is_making and not loader.path.startswith(self.library):
            self.codes[loader.path] = marshal.dumps(code)
        return code

    def save(self):
        content = marshal.dumps((self.TAG, self.codes))
        with open(self.file, "wb") as file:
            file.write(zlib.crc32(content).to_bytes(4, "little") + content)
        os._exit(0)


class Zygote:
    """A process that has loaded a function and forks the instances that serve it."""

    def __init__(self):
        # The first who connects is the host: nothing of the function has run yet.
        with socket.socket(fileno=LISTEN_FD) as listener:
            self.host, _ = listener.accept()
        # Its place is taken, so that no descriptor arrives there.
        os.dup2(0, LISTEN_FD)
        self.children = {}
        self.found = open_descriptors()

    def refuse(self, reason):
        """Says why it forks nothing, and ends."""
        self.tell(error=reason)
        os._exit(0)

    def tell(self, *descriptors, **message):
        line = json.dumps(message).encode() + b"\n"
        socket.send_fds(self.host, [line], descriptors)

    def serve(self):
        """Forks when it is asked to. Returns in each child that is to serve."""
        for package, late in IMPORTED_LATE.items():
            if package in sys.modules:
                with contextlib.suppress(ImportError):
                    importlib.import_module(late)
        reason = self.obstacle()
        if reason is not None:
            self.refuse(reason)
        gc.collect()
        gc.freeze()
        self.events = select.poll()
        self.events.register(self.host, select.POLLIN)
        self.tell(ready=os.getpid())
        while True:
            for ready, _ in self.events.poll():
                if ready in self.children:
                    self.collect(ready)
                elif self.fork():
                    return

    def obstacle(self):
        """What a fork would break, if there is anything."""
        if len(os.listdir("/proc/self/task")) > 1:
            return "it starts threads while it is loaded"
        # Two processes that speak on one connection understand neither answer, and a file has one position for both.
        if any(is_shared(descriptor) for descriptor in open_descriptors() - self.found):
            return "it opens connections or files while it is loaded"
        return None

    def fork(self):
        """Answers one request to fork. Says whether this is the child."""
        request, descriptors, _, _ = socket.recv_fds(self.host, 1, 4, socket.MSG_CMSG_CLOEXEC)
        if not request:
            # Nobody is there who could ask. What was forked goes on.
            os._exit(0)
        if len(descriptors) != 4:
            self.tell(error="a request has four descriptors: listener, stdout, stderr, leave to begin")
            close(descriptors)
            return False
        child = os.fork()
        if child == 0:
            self.become_instance(descriptors)
            return True
        close(descriptors)
        watch = os.pidfd_open(child)
        self.children[watch] = child
        self.events.register(watch, select.POLLIN)
        self.tell(watch, pid=child)
        return False

    def become_instance(self, descriptors):
        os.setpgid(0, 0)
        *places, leave = descriptors
        for descriptor, place in zip(places, (LISTEN_FD, 1, 2)):
            os.dup2(descriptor, place)
        close([*places, *self.children])
        self.host.close()
        # `random` reseeds itself in a fork, and so does OpenSSL.
        if "numpy.random" in sys.modules:
            sys.modules["numpy.random"].seed()
        # The host puts it where it is limited, and may need it later or never.
        if not os.read(leave, 1):
            os._exit(0)
        os.close(leave)

    def collect(self, watch):
        child = self.children.pop(watch)
        self.events.unregister(watch)
        os.close(watch)
        _, status = os.waitpid(child, 0)
        self.tell(pid=child, exit=os.waitstatus_to_exitcode(status))


def open_descriptors():
    # One of those in the list was open for the list alone.
    return {number for number in map(int, os.listdir("/proc/self/fd")) if kind_of(number) is not None}


def is_shared(descriptor):
    """Whether a fork would share what is behind a descriptor: files, sockets, pipes, and what has no kind, such as `epoll`."""
    return kind_of(descriptor) in (stat.S_IFREG, stat.S_IFSOCK, stat.S_IFIFO, 0)


def kind_of(descriptor):
    try:
        return stat.S_IFMT(os.fstat(descriptor).st_mode)
    except OSError:
        return None


def close(descriptors):
    for descriptor in descriptors:
        os.close(descriptor)


main()
