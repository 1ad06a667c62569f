#!/bin/sh
# run.sh [NAME...]: end-to-end tests on the real kernel, with real processes.  NAME is a module or a case of
# e2e/cases/.  Skips with a sentence where it cannot run.  Closing line: "N passed, N failed, N skipped".
cd "$(dirname "$0")/.." || exit 1
exec python3 -B e2e/run.py "$@"
