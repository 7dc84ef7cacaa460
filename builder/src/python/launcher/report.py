"""What went wrong in a project's code, told without the launcher's own part in it."""

import os
import sys
import traceback

from . import PLACES


def report(error):
    """Prints an error with its trace, from where it is the project's own code, with paths as they are in the project."""
    trace = error.__traceback__
    while trace is not None and not is_outside(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    if trace is None and error.__traceback__ is not None and not isinstance(error, (SyntaxError, ImportError)):
        trace = error.__traceback__
    text = "".join(traceback.format_exception(type(error), error, trace))
    for place in PLACES:
        text = text.replace(place + os.sep, "")
    print(text, end="", file=sys.stderr)


def is_outside(filename):
    """Whether a file is neither the launcher's nor the interpreter's import machinery."""
    return not filename.startswith("<frozen") and os.path.dirname(filename) != os.path.dirname(__file__)
