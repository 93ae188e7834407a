#!/usr/bin/env bash
# Every documented command, the long ones included.
exec "$(dirname "$0")/commands.sh" --slow
