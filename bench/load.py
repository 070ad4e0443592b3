"""A cheap HTTP load: raw keep-alive sockets and one epoll loop, so that the client takes little of the machine."""

import json
import select
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

SILENCE_S = 30


@dataclass
class Report:
    """What a drive did. ``latencies`` in seconds, unsorted; ``bodies`` only when they were asked for."""

    answered: int = 0
    elapsed_s: float = 0.0
    cpu_s: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        return self.answered / self.elapsed_s

    def quantile_ms(self, q: float) -> float:
        """Return the latency below which a share ``q`` of the answers stayed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))] * 1000


def post(path: str, content: object, *, host: str, key: str, idempotency_key: str = "") -> bytes:
    """Return the bytes of one POST of JSON."""
    body = json.dumps(content).encode()
    head = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        f"Authorization: Bearer {key}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    if idempotency_key:
        head.append(f"Idempotency-Key: {idempotency_key}")
    return "\r\n".join([*head, "", ""]).encode() + body


class _Line:
    """One connection: at most one request under way."""

    __slots__ = ("received", "sent_at", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.received = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def read(self) -> tuple[int, bytes] | None:
        """Return status and body once the whole answer is here."""
        chunk = self.socket.recv(262_144)
        if not chunk:
            raise ConnectionError("the server closed a connection")
        self.received += chunk
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return None
        at = head.lower().find(b"content-length:")
        if at < 0:
            return (int(head[9:12]), body) if body.endswith(b"0\r\n\r\n") else None  # chunked
        length = int(head[at + 15 :].partition(b"\r\n")[0])
        return (int(head[9:12]), body) if len(body) >= length else None


def drive(port: int, requests: Sequence[bytes], connections: int = 64, *, keep_bodies: bool = False) -> Report:
    """Send every request over ``connections`` keep-alive connections, each waiting for its answer before the next."""
    report = Report()
    lines = {line.socket.fileno(): line for line in (_Line(port) for _ in range(min(connections, len(requests))))}
    poll = select.epoll()
    todo = iter(requests)
    started, cpu = time.perf_counter(), time.process_time()
    try:
        for descriptor, line in lines.items():
            poll.register(descriptor, select.EPOLLIN)
            line.send(next(todo))
        while report.answered < len(requests):
            ready = poll.poll(SILENCE_S)
            if not ready:
                raise TimeoutError(f"silence after {report.answered} answers")
            for descriptor, _ in ready:
                line = lines[descriptor]
                answer = line.read()
                if answer is None:
                    continue
                report.latencies.append(time.perf_counter() - line.sent_at)
                report.statuses[answer[0]] += 1
                report.answered += 1
                if keep_bodies:
                    report.bodies.append(answer[1])
                following = next(todo, None)
                if following is not None:
                    line.send(following)
        report.elapsed_s = time.perf_counter() - started
        report.cpu_s = time.process_time() - cpu
    finally:
        poll.close()
        for line in lines.values():
            line.socket.close()
    return report
