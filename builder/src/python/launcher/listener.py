"""The socket on which requests arrive, also while the function has opened all the files that it may."""

import errno
import os
import socket

# How many descriptors are put aside: as many as connections that a function can be asked on when it has taken all others.
SPARES = 8


class Listener(socket.socket):
    """A listening socket that gives up a descriptor of its own where there is none for a connection."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        # A program that takes the function's place would hold it, and never answer.
        self.set_inheritable(False)
        self.spares = []

    def accept(self):
        self.put_aside()
        while True:
            try:
                return super().accept()
            except OSError as error:
                if error.errno != errno.EMFILE or not self.spares:
                    raise
                os.close(self.spares.pop())

    def put_aside(self):
        while len(self.spares) < SPARES:
            try:
                self.spares.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                return
