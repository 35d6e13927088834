#!/bin/sh
# The name of this user's default lab: that of LABCTL_LAB, else `hello`, or another one where somebody else has that name.
set -eu
if [ -n "${LABCTL_LAB:-}" ]; then
    echo "$LABCTL_LAB"
    exit
fi
.venv/bin/labctl ls --json | .venv/bin/python -c '
import json, sys
mine = [lab["lab"] for lab in json.load(sys.stdin)["labs"] if lab["mine"] and lab["topology"] == "hello"]
print(next((name for name in mine if name == "hello"), next((n for n in mine if n.startswith("hello-")), "hello")))'
