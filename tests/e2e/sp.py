"""A client of the service that shares no code with it: nng's framing over a unix socket by hand, and as much of
protobuf as it takes to send what the tool would never send.

On the wire (ipc): both sides send eight bytes, \\0SP\\0, the protocol's number (REQ 0x30, REP 0x31), two zero bytes. Then
messages: a byte 1, the length in eight bytes big-endian, the payload; a request's begins with a four-byte id whose
high bit is set."""

import socket
import struct

from harness import Failure

REQ, REP = 0x30, 0x31
HELLO = struct.Struct(">4sHH")
FRAME = struct.Struct(">BQ")


class Client:
    def __init__(self, path, hello=True, limit=30):
        self.limit = limit
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)  # blocking: with a time limit a full backlog would be an error
        self.socket.settimeout(limit)
        self.id = 0x80000000
        self.buffer = b""
        if hello:
            self.send_raw(HELLO.pack(b"\0SP\0", REQ, 0))
            magic, protocol, _ = HELLO.unpack(self.read_exactly(HELLO.size))
            if magic != b"\0SP\0" or protocol != REP:
                raise Failure(f"not a REP socket: {magic!r} {protocol:#x}")

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, payload):
        """Sends a request and returns its id."""
        self.id += 1
        message = struct.pack(">I", self.id) + payload
        self.send_raw(FRAME.pack(1, len(message)) + message)
        return self.id

    def read_exactly(self, count):
        while len(self.buffer) < count:
            data = self.socket.recv(1 << 16)
            if not data:
                raise Failure("the service closed the connection")
            self.buffer += data
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def receive(self):
        """The next reply: its request's id and the payload."""
        kind, length = FRAME.unpack(self.read_exactly(FRAME.size))
        if kind != 1:
            raise Failure(f"a message of kind {kind}")
        message = self.read_exactly(length)
        return struct.unpack(">I", message[:4])[0], message[4:]

    def ask(self, payload):
        sent = self.send(payload)
        while True:
            answered, reply = self.receive()
            if answered == sent:
                return reply

    def closed_by_service(self):
        """Waits until the service hangs up (True) or the time is over (False)."""
        try:
            while self.socket.recv(1 << 16):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- protobuf ----


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def block(field, content):
    if isinstance(content, str):
        content = content.encode()
    return varint(field << 3 | 2) + varint(len(content)) + content


def decode(data):
    """One level of a message: a list of (field, value), values being ints or bytes."""
    fields, at = [], 0

    def take_varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(data):
        tag = take_varint()
        field, kind = tag >> 3, tag & 7
        if kind == 0:
            fields.append((field, take_varint()))
        elif kind == 2:
            length = take_varint()
            fields.append((field, data[at:at + length]))
            at += length
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
            fields.append((field, int.from_bytes(data[at:at + length], "little")))
            at += length
        else:
            raise Failure(f"a reply with wire type {kind}")
    return fields


def get(data, field, default=None):
    """The last value of a field."""
    values = [value for number, value in decode(data) if number == field]
    return values[-1] if values else default
