"""Tells the host's log which level a line of `logging` has: it goes to standard error whatever its level, so by itself the stream
says that all of them are errors.

The mark at the beginning of a line is the one that systemd reads from what a service prints.
"""

import sys
from importlib._bootstrap import _find_spec

NAME = "logging"

# Standard output and standard error.
PRINTED = (1, 2)


def mark():
    """Has each line that `logging` writes to a stream of this process begin with its level, from when it is imported on."""
    if NAME in sys.modules:
        mark_lines(sys.modules[NAME])
    else:
        sys.meta_path.insert(0, Awaited())


def wait_no_more():
    """Leaves `logging` alone where it was not imported."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Awaited)]


class Awaited:
    """Finds `logging` as everybody else does, and has its lines marked before anybody writes one. What never imports it does not pay
    for it."""

    def find_spec(self, name, path=None, target=None):
        if name != NAME:
            return None
        wait_no_more()
        spec = _find_spec(name, path)
        if spec is not None:
            load = spec.loader.exec_module

            def exec_module(module):
                del spec.loader.exec_module
                load(module)
                mark_lines(module)

            spec.loader.exec_module = exec_module
        return spec


def mark_lines(logging):
    # A project may have a module of that name.
    if not hasattr(logging, "StreamHandler"):
        return
    plain = logging.StreamHandler.format

    def marked(self, record):
        text = plain(self, record)
        if not is_printed(self.stream):
            return text
        mark = f"<{priority(logging, record.levelno)}>"
        return "\n".join(mark + line for line in text.split("\n"))

    logging.StreamHandler.format = marked


def is_printed(stream):
    """Whether the host reads what is written to a stream. Flask's, for one, is an object that asks for the stream each time."""
    if stream is sys.stderr or stream is sys.stdout:
        return True
    try:
        return stream.fileno() in PRINTED
    except Exception:
        return False


def priority(logging, level):
    """The priority that syslog has for a level."""
    if level >= logging.CRITICAL:
        return 2
    if level >= logging.ERROR:
        return 3
    if level >= logging.WARNING:
        return 4
    return 6 if level >= logging.INFO else 7
