"""Turns a Python file of a project into an HTTP server on the listener that the environment names.

What serves is chosen by what the file has: an ASGI application, a WSGI application, or a request handler class. Each way
of serving is a module of its own, imported only when it is needed, because a function's start is time that somebody waits.
"""

import os
import sys

# Where the host puts the project and its installed packages, beside the launcher.
PROJECT = "project"
PACKAGES = "python"

# Variables that are looked at, in this order, where the project does not name one.
NAMES = ("app", "application", "handler", "Handler")

# The folders of the project and of its packages, once they are known.
PLACES = []

# Flags of compiled functions: `*args`, and `async def`.
TAKES_ANY = 0x04
IS_COROUTINE = 0x80


def become(version):
    """Goes on as the Python of this version, which the function was built for, if this is another one."""
    came_from = os.environ.pop("SHIP_CAME_FROM", None)
    found = "%d.%d" % sys.version_info[:2]
    if found == version:
        return
    folders = os.environ.get("SHIP_INTERPRETERS") or os.environ.get("PATH", "")
    programs = [os.path.join(folder, f"python{version}") for folder in folders.split(os.pathsep)]
    programs = [program for program in programs if os.access(program, os.X_OK)]
    # A program that is not what it is called would become itself for ever.
    if not programs or came_from is not None:
        fail(f"the function asks for Python {version}, and there is no `python{version}` on this host")
    os.environ["SHIP_CAME_FROM"] = found
    os.execv(programs[0], [programs[0], "-I", "-u", "-B", sys.argv[0]])


def run(entry, variable):
    """Serves what `variable` in the file `entry` is, until the process is asked to stop."""
    os.environ.pop("SHIP_INTERPRETERS", None)
    is_of_host = "SHIP_LISTEN_FD" in os.environ
    take_listener = way_to_listen()
    prepare_paths(entry)
    # Only the host's log reads the marks.
    if is_of_host:
        from . import levels

        levels.mark()
    module = load(entry)
    application = find(module, entry, variable)
    serve = server_of(application, is_of_host)
    if serve is None:
        expected = "an ASGI application, a WSGI application or a class derived from BaseHTTPRequestHandler"
        fail(f"`{variable or NAMES[0]}` in {entry} cannot answer requests: expected {expected}")
    if is_of_host:
        levels.wait_no_more()
    report_threads()
    # A process that was prepared ahead may want to know, or to fork the one that serves.
    prelude = sys.modules.pop("ship_prelude", None)
    if prelude is not None:
        prelude.loaded()
    let_children_end()
    serve(take_listener())


def report_threads():
    """Has what ends a thread told as other errors are, unless the project has a way of its own."""
    threading = sys.modules.get("threading")
    if threading is not None and threading.excepthook is threading.__excepthook__:
        threading.excepthook = thread_ended


def thread_ended(ended):
    from .report import report_thread

    report_thread(ended)


def let_children_end():
    """Has what a function forks end on signals as other programs do. What serves has taken them for itself."""
    import signal

    taken = (signal.SIGTERM, signal.SIGINT)

    def begin_child():
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, taken)

    # One that comes in between would be taken by nobody.
    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, taken),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, taken),
        after_in_child=begin_child,
    )


def server_of(application, is_of_host):
    """What serves an object on a listener, if anything does."""
    kind = kind_of(application)
    if kind == "asgi":
        from . import asgi

        return lambda listener: asgi.serve(listener, application, is_of_host)
    if kind == "wsgi":
        from . import threads, wsgi

        return lambda listener: threads.serve(listener, wsgi.Application(application).answer)
    if kind == "handler":
        from . import handler, threads

        return lambda listener: threads.serve(listener, handler.Application(application).answer)
    return None


def way_to_listen():
    """What gives the socket that was handed over, or one on the port in PORT."""
    from .listener import Listener

    inherited = os.environ.pop("SHIP_LISTEN_FD", None)
    if inherited is not None:
        return lambda: Listener(fileno=int(inherited))
    port = os.environ.get("PORT")
    if port is None:
        fail("neither SHIP_LISTEN_FD nor PORT is set")
    return lambda: listen_on(int(port))


def listen_on(port):
    import socket

    from .listener import Listener

    return Listener(fileno=socket.create_server(("", port), backlog=1024).detach())


def prepare_paths(entry):
    """Makes the project the current folder, and decides what an `import` finds.

    What is installed on the host is not a part of the deployment: a package that only this machine has would be missing
    on the next one. The folder of the function comes last, so that `api/json.py` does not take the place of `json`.
    """
    here = os.getcwd()
    outside = [path for path in sys.path if os.path.basename(path) not in ("site-packages", "dist-packages")]
    os.chdir(PROJECT)
    project = os.getcwd()
    sys.path[:] = [project, *(path for path in outside if path not in ("", here))]
    packages = os.path.realpath(os.path.join(here, PACKAGES))
    PLACES[:] = [project, packages]
    if os.path.isdir(packages):
        if any(name.endswith(".pth") for name in os.listdir(packages)):
            import site

            site.addsitedir(packages)
        else:
            sys.path.append(packages)
    folder = os.path.dirname(os.path.join(project, entry))
    if folder != project:
        sys.path.append(folder)


def load(entry):
    """Runs the file as a module that other modules can import and that can import its neighbours."""
    import importlib.machinery
    from importlib._bootstrap import _load

    name = ".".join(part.replace(".", "_") for part in entry[: -len(".py")].split("/"))
    path = os.path.join(os.getcwd(), entry)
    loader = importlib.machinery.SourceFileLoader(name, path)
    spec = importlib.machinery.ModuleSpec(name, loader, origin=path)
    spec.has_location = True
    try:
        return _load(spec)
    except SystemExit as error:
        # As the interpreter does: a code in words is printed.
        if error.code is not None and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
        leave(error.code if isinstance(error.code, int) else 1)
    except BaseException as error:
        explain(error)
        leave(1)


def explain(error):
    """Says why the file could not be loaded."""
    from .report import report

    report(error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.split(".")[0]
        hint = "is neither in the project nor among its dependencies: add it to requirements.txt or pyproject.toml"
        print(f"`{package}` {hint}", file=sys.stderr)


def find(module, entry, variable):
    """The variable of the module that answers requests."""
    if variable is None:
        found = [getattr(module, name) for name in NAMES if hasattr(module, name)]
        if not found:
            fail(f"{entry} has no `app` and no `handler`")
        return found[0]
    value = module
    for name in variable.split("."):
        value = getattr(value, name, None)
        if value is None:
            fail(f"{entry} has no `{variable}` once it is loaded")
    return value


def kind_of(application):
    """How an object answers requests: `asgi`, `wsgi`, `handler`, or None."""
    server = sys.modules.get("http.server")
    if isinstance(application, type):
        is_handler = server is not None and issubclass(application, server.BaseHTTPRequestHandler)
        return "handler" if is_handler else None
    if not callable(application):
        return None
    is_async, count = signature(application)
    if is_async or count == 3:
        return "asgi"
    if hasattr(application, "asgi") and count != 2:
        return "asgi"
    return "wsgi" if count == 2 else None


def signature(application):
    """Whether calling an object gives a coroutine, and how many arguments it has to be called with."""
    function, bound = application, 0
    if not hasattr(function, "__code__") and not hasattr(function, "__func__"):
        function = getattr(type(application), "__call__", None)
        bound = 1
    if hasattr(function, "__func__"):
        function, bound = function.__func__, bound + 1
    code = getattr(function, "__code__", None)
    if code is not None and not code.co_flags & TAKES_ANY and not hasattr(function, "__wrapped__"):
        count = code.co_argcount - bound
        optional = len(function.__defaults__ or ())
        # A parameter with a default may be left out: `(environ, start_response, more=None)` takes two.
        count = count if count <= 3 and optional == 0 else max(count - optional, 2)
        return bool(code.co_flags & IS_COROUTINE), count
    return described_signature(application, function)


def described_signature(application, function):
    """The same for what is wrapped, partial, or not written in Python."""
    import inspect

    is_async = inspect.iscoroutinefunction(inspect.unwrap(application)) or inspect.iscoroutinefunction(function)
    try:
        parameters = inspect.signature(application).parameters.values()
    except (TypeError, ValueError):
        return is_async, None
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty]
    return is_async, len(positional)


def fail(message):
    print(message, file=sys.stderr)
    leave(1)


def leave(code):
    """Ends the process at once. Threads that never end do not keep it, and the listener does not close before it is gone:
    whoever waits for an answer would take that for one."""
    import atexit

    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
