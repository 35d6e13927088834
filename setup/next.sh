#!/bin/sh
# The last words of `make lab-up`: what to type next.
set -eu
labctl=.venv/bin/labctl
if [ "$(command -v labctl || true)" ]; then labctl=labctl; fi
page=$(.venv/bin/labctl ps --lab "$(setup/mine.sh)" --json | .venv/bin/python -c '
import json, sys
for node in json.load(sys.stdin)["nodes"]:
    for port in node["published"]:
        print("http://{host}:{port}/".format(**port))')
cat <<END

The lab is up. Now type:
  $labctl chat send alice "hi"            say something, and see it arrive at bob
  $labctl trace -- chat send alice "hi"   the same, with the packets that it causes
  $labctl logs -f                         watch all hosts on one clock
  $labctl --help                          what else there is
and open $page in a browser. \`make lab-down\` removes it all.
END
