"""Tells the host's log which level a line of `logging` has: it goes to standard error whatever its level, so by itself the stream
says that all of them are errors.

The mark at the beginning of a line is the one that systemd reads from what a service prints.
"""

import logging
import sys


def mark():
    """Has each line that `logging` writes to a stream of this process begin with its level."""
    plain = logging.StreamHandler.format

    def marked(self, record):
        text = plain(self, record)
        if self.stream is not sys.stderr and self.stream is not sys.stdout:
            return text
        return "\n".join(f"<{priority(record.levelno)}>{line}" for line in text.split("\n"))

    logging.StreamHandler.format = marked


def priority(level):
    """The priority that syslog has for a level."""
    if level >= logging.CRITICAL:
        return 2
    if level >= logging.ERROR:
        return 3
    if level >= logging.WARNING:
        return 4
    return 6 if level >= logging.INFO else 7
