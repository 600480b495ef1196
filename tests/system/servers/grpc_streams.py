"""Random answers to a health check. Of those that are right the probe says what gRPC's own client says; of
those that are broken it takes none that the client does not take. See tests/system/servers/grpc."""

import os
import random
import re
import socketserver
import subprocess
import sys
import threading

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

PROBE = sys.argv[1]
COUNT = int(os.environ.get("GRPC_STREAMS", "5000"))
DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION, UNKNOWN = 0, 1, 4, 6, 8, 9, 99
END_STREAM, END_HEADERS, PRIORITY = 1, 4, 32
# The client's words for what the probe does not look at: names and Huffman's code of other fields, and how
# often a block says that there is no table; and flags without a meaning, which are to be ignored (RFC 9113, 4.1).
OTHERS = r"unsupported data flags|Illegal header key|More than two max table size|Error parsing ':(?!status)|huffman decoding (?!'(:status|grpc-status)')"
# RFC 7541, appendix B.
DIGITS = "00000 00001 00010 011001 011010 011011 011100 011101 011110 011111".split()
CODED = {":status": "b8848d36a3", "grpc-status": "9acac8b21234da8f", "content-type": "21ea496a4ac9f5597f"}


def integer(first, bits, number):
    most = (1 << bits) - 1
    return bytes([first | number]) if number < most else bytes([first | most]) + varint(number - most)


def varint(number, size=1):
    """In at least so many bytes."""
    groups = [number >> 7 * place & 0x7F for place in range(max(size, (number.bit_length() + 6) // 7))]
    return bytes(group | 0x80 for group in groups[:-1]) + bytes(groups[-1:])


def string(text):
    """Plain, or in Huffman's code where that is known."""
    coded = CODED.get(text)
    if text.isdigit() and len(text) < 5:
        bits = "".join(DIGITS[int(digit)] for digit in text)
        bits += "1" * (-len(bits) % 8)
        coded = f"{int(bits, 2):0{len(bits) // 4}x}"
    if coded and random.random() < 0.5:
        return integer(0x80, 7, len(coded) // 2) + bytes.fromhex(coded)
    return integer(0, 7, len(text)) + text.encode()


def field(name, value, *indices):
    """A literal, its name by one of these indices of the static table or by none; to be indexed, not, or never."""
    first, bits = random.choice([(0x40, 6), (0, 4), (0x10, 4)])
    index = random.choice([0, *indices])
    return integer(first, bits, index) + (b"" if index else string(name)) + string(value)


def block(*fields):
    names, values = ["x-a", "server", "y" * 200], ["", "1", "z" * 300]
    others = [field(random.choice(names), random.choice(values)) for _ in range(random.choice([0, 0, 0, 1, 4]))]
    sizes = random.choice([b"", b"", b"\x20", b"\x20\x3f\xe1\x1f"])
    # What comes first stays there.
    return sizes + b"".join(fields[:1]) + b"".join(random.sample([*fields[1:], *others], len(fields) - 1 + len(others)))


def http_status(code):
    return b"\x88" if code == "200" and random.random() < 0.6 else field(":status", code, 8, 9, 14)


def headers(fields, flags):
    """In one frame, or cut."""
    pieces = []
    while random.random() < 0.3:
        at = random.randrange(len(fields) + 1)
        pieces.append(fields[:at])
        fields = fields[at:]
    pieces.append(fields)
    first = pieces[0]
    if random.random() < 0.1:
        flags, first = flags | PRIORITY, b"\0\0\0\0\x10" + first
    frames = [[HEADERS, flags, 1, first]] + [[CONTINUATION, 0, 1, piece] for piece in pieces[1:]]
    frames[-1][1] |= END_HEADERS
    return frames


def message(health):
    """A HealthCheckResponse: its last field 1 counts, and nothing else does."""
    varints = [lambda: varint(8, random.choice([1, 1, 2])) + varint(random.choice([0, 1, 2, 3, 1 << 32]), random.choice([1, 10]))]
    others = [
        lambda: varint(random.randrange(2, 1 << 28) << 3) + varint(random.getrandbits(random.choice([3, 32, 64]))),
        lambda: varint(random.randrange(1, 99) << 3 | 1) + random.randbytes(8),
        lambda: varint(random.randrange(1, 99) << 3 | 5) + random.randbytes(4),
        lambda: varint(random.randrange(1, 99) << 3 | 2) + b"\x03\x08\x01\x08",
    ]
    before = [random.choice(varints + others)() for _ in range(random.choice([0, 0, 0, 1, 3]))]
    after = [random.choice(others)() for _ in range(random.choice([0, 0, 0, 1, 3]))]
    value = varint(8) + varint(health | random.choice([0, 0, 0, 1 << 32, 0xFFFF << 48]), random.choice([1, 1, 3, 10]))
    fields = b"".join(before) + (value if health or before else b"") + b"".join(after)
    return b"\0" + len(fields).to_bytes(4, "big") + fields


def right():
    """An answer that is right, as frames, and what it says."""
    others = [[PING, 0, 0, bytes(8)], [WINDOW_UPDATE, 0, 0, b"\0\0\0\1"], [SETTINGS, 0, 0, b""], [UNKNOWN, 0xFF, 1, b"?"]]
    content_type = field("content-type", "application/grpc", 31)
    code = "0" if random.random() < 0.7 else str(random.randrange(17))
    # Of a repeated status the last one counts.
    codes = [str(random.randrange(17)) for _ in range(random.choice([0, 0, 0, 1, 2]))] + [code]
    health = 1 if random.random() < 0.7 else random.randrange(4)
    status = b"".join(field("grpc-status", code) for code in codes)
    if code != "0" and random.random() < 0.5:
        frames = headers(block(http_status("200"), content_type, status), END_STREAM)
    else:
        data, pieces = message(health), []
        while random.random() < 0.3:
            at = random.randrange(len(data) + 1)
            pieces.append([DATA, 0, 1, data[:at]])
            data = data[at:]
        pieces.append([DATA, 0, 1, data])
        trailers = block(b"", status)
        frames = headers(block(http_status("200"), content_type), 0) + pieces + headers(trailers, END_STREAM)
    whole = [at for at in range(len(frames)) if frames[at][0] != CONTINUATION]
    for at in sorted(random.sample(whole, random.randrange(min(2, len(whole)) + 1)), reverse=True):
        frames.insert(at, random.choice(others))
    words = [code.name for code in sorted(grpc.StatusCode, key=lambda code: code.value[0])]
    return frames, health_pb2.HealthCheckResponse.ServingStatus.Name(health) if code == "0" else words[int(code)]


def broken():
    """Such an answer, changed in one or two places."""
    frames, _ = right()
    for _ in range(random.choice([1, 1, 2])):
        at = random.choice([at for at, frame in enumerate(frames) if frame[0] in (DATA, HEADERS, CONTINUATION)])
        kind, flags, stream, data = frames[at]
        place = random.randrange(len(data) + 1)
        byte = random.choice([random.randbytes(1), data[place : place + 1] * 2, bytes([byte ^ 1 for byte in data[place : place + 1]])])
        changes = [
            lambda: frames.insert(random.randrange(len(frames) + 1), frames.pop(at)),
            lambda: frames.insert(random.randrange(len(frames) + 1), list(frames[at])),
            lambda: frames.insert(at, [UNKNOWN, 0, 0, b""]),
            lambda: frames[at].__setitem__(0, random.choice([DATA, HEADERS, CONTINUATION])),
            lambda: frames[at].__setitem__(1, flags ^ END_STREAM),
            lambda: frames[at].__setitem__(1, flags ^ END_HEADERS if kind != DATA else flags),
            lambda: frames[at].__setitem__(2, stream ^ 2 if kind == DATA or flags & END_HEADERS else stream),
            lambda: frames[at].__setitem__(3, data[:place]),
            lambda: frames[at].__setitem__(3, data[:place] + data[place + 1 :]),
            lambda: frames[at].__setitem__(3, data[:place] + byte + data[place + 1 :]),
        ]
        random.choice(changes)()
    return frames, None


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    answer = b""


class Answer(socketserver.StreamRequestHandler):
    """SETTINGS at once; the rest after the end of the call; then it closes."""

    def handle(self):
        self.connection.settimeout(20)
        try:
            self.wfile.write(b"\0\0\0\x04\0\0\0\0\0")
            self.rfile.read(24)
            header = None
            while header is None or header[3:5] != b"\0\1":
                header = self.rfile.read(9)
                self.rfile.read(int.from_bytes(header[:3], "big"))
                if not header:
                    return
            self.wfile.write(self.server.answer)
            self.connection.shutdown(1)
            while self.rfile.read(1):
                pass
        except OSError:
            pass


def client(address):
    """The library's own verdict, and its words for it."""
    options = [("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address, options=options) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
            if answer is None:
                return "no message", ""
            status = answer.status
            return health_pb2.HealthCheckResponse.ServingStatus.Name(status) if status < 4 else str(status), ""
        except grpc.RpcError as error:
            return error.code().name, error.details() or ""


def main():
    seed = int(os.environ.get("GRPC_SEED", random.randrange(1 << 32)))
    print(f"GRPC_SEED={seed}")
    random.seed(seed)
    counts, failed = {}, 0
    with Server(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = "127.0.0.1:%d" % server.server_address[1]
        for number in range(COUNT):
            frames, says = random.choice([right, broken])()
            server.answer = b"".join(
                len(data).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + data
                for kind, flags, stream, data in frames
            )
            run = subprocess.run([PROBE, "-t20s", f"grpc://{address}"], env={}, capture_output=True, text=True, timeout=60)
            line = (run.stdout + run.stderr).removesuffix("\n")
            said = line.split(f"{address}: ")[1]
            healthy = run.returncode == 0
            # Of some that are broken the client waits for the end of its time.
            theirs, why = client(address) if says or healthy else ("not asked", "")
            word = re.match(r"\w*", said)[0]
            agreed = word == theirs == says if says else not healthy or theirs == "SERVING" or re.search(OTHERS, why)
            kind = f"{'right' if says else 'broken'}, {'healthy' if healthy else 'unhealthy'}"
            counts[kind] = counts.get(kind, 0) + 1
            if not agreed:
                failed += 1
                print(f"FAILED: stream {number}: {line}; gRPC's client says {theirs} {why}, it is {says}: {server.answer.hex()}")
        server.shutdown()
    print(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) + f": {failed} failed")
    sys.exit(failed != 0)


main()
