"""The address that the server listens on, taken before anything slow is loaded."""

from __future__ import annotations

import socket

from app.errors import UserError


def listen(host: str, port: int) -> socket.socket:
    """Take an address; port 0 lets the system choose one.

    Raises:
        UserError: the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named asyncio turns Nagle's algorithm off (TCP_NODELAY). Else the body of an answer on a kept
    # connection waits until its headers are acknowledged, which Linux puts off by 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        reason = error.strerror or error
        raise UserError(f"Cannot listen on {host}:{port}: {reason}; choose another --host or --port.") from None
    return listener
