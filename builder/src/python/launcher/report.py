"""What went wrong in a project's code, told without the launcher's own part in it."""

import os
import sys
import traceback

from . import PLACES


def report(error):
    """Prints an error with its trace."""
    print(told(error), end="", file=sys.stderr)


def report_thread(ended):
    """Says what ended a thread, as Python does."""
    if ended.exc_value is not None and ended.exc_type is not SystemExit:
        name = ended.thread.name if ended.thread is not None else "(unknown)"
        print(f"Exception in thread {name}:\n{told(ended.exc_value)}", end="", file=sys.stderr)


def told(error):
    """An error with its trace, from where it is the project's own code, with paths as they are in the project."""
    trace = error.__traceback__
    while trace is not None and not is_outside(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    if trace is None and error.__traceback__ is not None and not isinstance(error, (SyntaxError, ImportError)):
        trace = error.__traceback__
    text = "".join(traceback.format_exception(type(error), error, trace))
    for place in PLACES:
        text = text.replace(place + os.sep, "")
    return text


def is_outside(filename):
    """Whether a file is neither the launcher's nor the interpreter's import machinery."""
    return not filename.startswith("<frozen") and os.path.dirname(filename) != os.path.dirname(__file__)
