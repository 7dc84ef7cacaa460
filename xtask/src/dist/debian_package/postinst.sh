#!/bin/sh
# The account of the service. A host that runs is taken over by the new program without a lost request.
set -e

if [ "$1" = configure ]; then
    adduser --system --group --quiet --home /var/lib/ship --no-create-home --gecos "ship host" ship
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload || true
        if [ -n "$2" ] && systemctl is-active --quiet ship.service; then
            systemctl reload ship.service || echo "ship: the host serves on with the program before: systemctl restart ship" >&2
        fi
    fi
fi

exit 0
