#!/bin/sh
# Sites stay, also after a purge: /var/lib/ship is removed by whoever knows that nobody needs them, and the account owns them.
set -e

if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
fi

exit 0
