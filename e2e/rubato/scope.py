# SPDX-License-Identifier: Apache-2.0
"""Whatever is made is given back: on the normal way out, on an exception, on SIGINT and on SIGTERM."""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile

_undo = []


def on_exit(function, *args):
    """Call function(*args) at the end; the last registered comes first."""
    _undo.append((function, args))


def _run():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while _undo:
        function, args = _undo.pop()
        try:
            function(*args)
        except Exception as error:  # the rest must be cleaned up all the same
            print(f"clean-up: {function.__qualname__}: {error}", file=sys.stderr)


def _stop(signum, _frame):
    sys.exit(128 + signum)


def install():
    """To be called once, first."""
    atexit.register(_run)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _stop)


def temp_dir(prefix, keep_in=None):
    """A directory that goes at the end (kept, under keep_in, when that is given)."""
    path = tempfile.mkdtemp(prefix=prefix, dir=keep_in)
    os.chmod(path, 0o755)
    if not keep_in:
        on_exit(shutil.rmtree, path, True)
    return path


def end_process(process, grace_s=5):
    """SIGTERM, and SIGKILL when that does not help.  Returns the exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()
