# SPDX-License-Identifier: Apache-2.0
"""A proxy that speaks CONNECT and SOCKS 5, and remembers what it was asked."""

import base64
import socket
import struct
import threading

from . import scope


def _exactly(peer, nr):
    data = b""
    while len(data) < nr:
        piece = peer.recv(nr - len(data))
        if not piece:
            raise ConnectionError("the client went away")
        data += piece
    return data


def _pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def forward(host, port):
    """Listen on another address of this machine, for what listens on the loopback interface.  Returns the port there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family)
    scope.on_exit(listener.close)

    def accept():
        while True:
            try:
                peer, _ = listener.accept()
                target = socket.create_connection(("127.0.0.1", port))
            except OSError:
                return
            threading.Thread(target=_pump, args=(peer, target), daemon=True).start()
            threading.Thread(target=_pump, args=(target, peer), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


class Proxy:
    """`names` says where the hosts are that only the proxy knows: {host: port on the loopback interface}."""

    def __init__(self, names, password=None):
        self.names, self.password = names, password
        self.targets, self.heads = [], []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        scope.on_exit(self._listener.close)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        try:
            target = self._socks(peer) if peer.recv(1, socket.MSG_PEEK) == b"\x05" else self._connect(peer)
        except (OSError, ValueError, IndexError):
            peer.close()
            return
        if target:
            threading.Thread(target=_pump, args=(peer, target), daemon=True).start()
            _pump(target, peer)

    def _reach(self, host, port):
        self.targets.append(f"{host}:{port}")
        return socket.create_connection(("127.0.0.1", self.names[host])) if host in self.names else None

    def _connect(self, peer):
        head = b""
        while b"\r\n\r\n" not in head:
            head += _exactly(peer, 1)
        self.heads.append(head.decode())
        wanted = self.password and b"Proxy-Authorization: Basic " + base64.b64encode(self.password.encode())
        if wanted and wanted not in head:
            peer.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return None
        host, port = head.split()[1].decode().rsplit(":", 1)
        target = self._reach(host, int(port))
        peer.sendall(b"HTTP/1.1 200 Connected\r\n\r\n" if target else b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        return target

    def _socks(self, peer):
        _exactly(peer, _exactly(peer, 2)[1])
        peer.sendall(b"\x05\x00")
        kind = _exactly(peer, 4)[3]
        if kind != 3:  # only names are of interest: an address means that the client resolved the name itself
            self.targets.append("an address")
            return None
        host = _exactly(peer, _exactly(peer, 1)[0]).decode()
        port = struct.unpack(">H", _exactly(peer, 2))[0]
        target = self._reach(host, port)
        peer.sendall(b"\x05" + (b"\x00" if target else b"\x04") + b"\x00\x01\x00\x00\x00\x00\x00\x00")
        return target
