#!/bin/sh
# demo.sh: one machine, no cluster.  Two services in two cgroups, a controller, an agent, one boost; see e2e/demo.py.
cd "$(dirname "$0")/.." || exit 1
exec python3 -B e2e/demo.py
