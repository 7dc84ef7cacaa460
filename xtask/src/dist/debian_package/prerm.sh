#!/bin/sh
# What is removed does not run on. An upgrade leaves it running: the new program takes over.
set -e

if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    systemctl disable --now --quiet ship.socket ship.service || true
fi

exit 0
