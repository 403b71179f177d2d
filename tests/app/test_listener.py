"""The address that the server listens on."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.errors import UserError
from app.listener import listen


def test_answers_are_sent_without_delay() -> None:
    """Nagle's algorithm would hold the body of each answer for 40 ms on a kept connection."""

    async def delay_is_off() -> bool:
        found = asyncio.get_running_loop().create_future()

        def arrived(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted = writer.get_extra_info("socket")
            found.set_result(bool(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            writer.close()

        listener = listen("127.0.0.1", 0)
        async with await asyncio.start_server(arrived, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            answer = await found
            writer.close()
            await writer.wait_closed()
        return answer

    with ThreadPoolExecutor(1) as thread:  # a browser's loop may be running in this one
        assert thread.submit(asyncio.run, delay_is_off()).result()


def test_a_taken_address_is_named() -> None:
    with listen("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"127\.0\.0\.1:{port}: .*choose another --host or --port"):
            listen("127.0.0.1", port)
