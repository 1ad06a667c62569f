# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that lets so many bytes of a connection through and then does it harm; and a crowd that only stands there."""

import socket
import struct
import threading
import time

from . import scope

CUT, RESET, STALL = "cut", "reset", "stall"
RST = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends a reset
# The start of a TLS handshake: a record of 512 bytes is announced, five of them come.
HALF_A_HELLO = bytes([0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3])


class FaultProxy:
    """Before `port` of the loopback interface.  `plan` says what befalls the connections, one after the other: (harm, bytes of
    the client, bytes of the server) or None; those after the last are left alone."""

    def __init__(self, port, plan=()):
        self.to, self.plan, self.seen = port, list(plan), 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        scope.on_exit(self._listener.close)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.to))
            except ConnectionError:
                client.close()
                continue
            except OSError:
                return
            fate = self.plan[self.seen] if self.seen < len(self.plan) else None
            self.seen += 1
            harm, ups, downs = fate or (None, None, None)
            for source, sink, most in ((client, server, ups), (server, client, downs)):
                threading.Thread(target=self._pump, args=(source, sink, most, harm), daemon=True).start()

    @staticmethod
    def _pump(source, sink, most, harm):
        passed = 0
        try:
            while data := source.recv(65536):
                if most is not None and passed + len(data) >= most:
                    sink.sendall(data[:most - passed])
                    if harm == STALL:
                        time.sleep(60)
                    break
                sink.sendall(data)
                passed += len(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                if harm == RESET:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
                    end.close()
                else:
                    end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Crowd:
    """`nr` connections to a port that say `hello` and no more, and come again when they are closed."""

    def __init__(self, port, nr, hello=b""):
        self.port, self.hello, self.over = port, hello, False
        self._threads = [threading.Thread(target=self._stand, args=(nr // 10,), daemon=True) for _ in range(10)]
        for thread in self._threads:
            thread.start()

    def _come(self):
        end = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        end.sendall(self.hello)
        end.setblocking(False)
        return end

    def _stand(self, nr):
        ends = []
        while not self.over:
            try:
                while len(ends) < nr and not self.over:
                    ends.append(self._come())
            except OSError:
                pass
            time.sleep(0.05)
            ends = [end for end in ends if self._stays(end)]
        for end in ends:
            end.close()

    @staticmethod
    def _stays(end):
        try:
            if end.recv(4096):
                return True
        except BlockingIOError:
            return True
        except OSError:
            pass
        end.close()
        return False

    def go(self):
        self.over = True
        for thread in self._threads:
            thread.join()
