#!/usr/bin/env python3
"""A second implementation of package sealed, written from its documentation alone.

    twin.py make         prints the test vectors
    twin.py check FILE   checks that the vectors in FILE are right
    twin.py open         opens packets: a JSON object on each line of standard input,
                         with secret, purpose and packet; prints each payload

It needs the package "cryptography" (Debian: python3-cryptography).
"""
import base64
import hashlib
import hmac
import json
import struct
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand


def prk(secret):
    # HKDF-Extract is HMAC with the salt as the key (RFC 5869, section 2.2).
    return hmac.new(b"ferry sealed 1", secret, hashlib.sha256).digest()


def expand(secret, info):
    return HKDFExpand(SHA256(), 32, info).derive(prk(secret))


def key_id(secret):
    return expand(secret, b"id")[:2]


def packet_key(secret, purpose, sender):
    return expand(secret, b"key\x00" + purpose.encode() + b"\x00" + sender)


def nonce(salt, counter):
    return salt + bytes(4) + struct.pack(">I", counter)


def seal(secret, purpose, sender, counter, salt, payload):
    header = b"\xfe\x01" + key_id(secret) + sender + struct.pack(">I", counter) + salt
    return header + AESGCM(packet_key(secret, purpose, sender)).encrypt(nonce(salt, counter), payload, header)


def open_packet(secret, purpose, packet):
    """Returns the payload, or None. It has no clock and no memory: times and replays are
    not checked."""
    if len(packet) < 40 or packet[:2] != b"\xfe\x01" or packet[2:4] != key_id(secret):
        return None
    sender, (counter,), salt = packet[4:16], struct.unpack(">I", packet[16:20]), packet[20:24]
    if counter == 0:
        return None
    try:
        return AESGCM(packet_key(secret, purpose, sender)).decrypt(nonce(salt, counter), packet[24:], packet[:24])
    except InvalidTag:
        return None


def parse_keys(text):
    """Returns the secrets of a key file, or the number of the bad line (0: no keys)."""
    keys = []
    lines = text.split(b"\n")
    for number, line in enumerate(lines, 1):
        line = line.removesuffix(b"\r")
        try:
            line = line.decode().strip(" \t")
        except UnicodeDecodeError:
            return number
        if line == "" or line.startswith("#"):
            continue
        rest = line.removeprefix("ferry-key-1")
        try:
            secret = base64.b64decode(rest, validate=True)
        except ValueError:
            return number
        canonical = base64.b64encode(secret).decode() == rest
        if rest == line or len(rest) != 44 or len(secret) != 32 or not canonical or secret in keys:
            return number
        keys.append(secret)
    return keys or 0


def pattern(n, start):
    return bytes((start + 7 * i) % 256 for i in range(n))


def make():
    one, two = pattern(32, 1), pattern(32, 100)
    vectors = []
    for name, secret, purpose, seconds, counter, salt, payload in [
        ("empty payload", one, "test", 1700000000, 1, bytes(4), b""),
        ("one byte", one, "test", 1700000000, 2, bytes(4), b"x"),
        ("text", one, "p2mp", 1700000001, 3, pattern(4, 9), b"hello, group"),
        ("other purpose", one, "tftp", 1700000001, 3, pattern(4, 9), b"hello, group"),
        ("other key", two, "p2mp", 1700000001, 3, pattern(4, 9), b"hello, group"),
        ("shortest purpose", one, "0", 0, 1, bytes([255] * 4), b"at the epoch"),
        ("longest purpose", one, "abcdefghijklmnopqrstuvwxyz-12345", 4294967295, 4194304, bytes([255] * 4), b"last packet of an id"),
        ("1400 bytes", one, "p2mp", 1800000000, 77777, pattern(4, 200), pattern(1400, 3)),
    ]:
        sender = struct.pack(">I", seconds) + pattern(8, seconds % 256)
        vectors.append({
            "name": name, "secret": secret.hex(), "purpose": purpose, "sender": sender.hex(), "counter": counter,
            "salt": salt.hex(), "payload": payload.hex(), "prk": prk(secret).hex(), "key_id": key_id(secret).hex(),
            "packet_key": packet_key(secret, purpose, sender).hex(), "nonce": nonce(salt, counter).hex(),
            "packet": seal(secret, purpose, sender, counter, salt, payload).hex(),
        })
    good = bytes.fromhex(vectors[2]["packet"])
    refused = []
    for name, packet in [
        ("shorter than an empty packet", good[:39]),
        ("other magic", b"\xff" + good[1:]),
        ("version 2", good[:1] + b"\x02" + good[2:]),
        ("other key id", good[:2] + b"\x00\x00" + good[4:]),
        ("other sender", good[:15] + bytes([good[15] ^ 1]) + good[16:]),
        ("counter 0", good[:16] + bytes(4) + good[20:]),
        ("other counter", good[:19] + bytes([good[19] ^ 1]) + good[20:]),
        ("other salt", good[:23] + bytes([good[23] ^ 1]) + good[24:]),
        ("other ciphertext", good[:24] + bytes([good[24] ^ 128]) + good[25:]),
        ("other tag", good[:-1] + bytes([good[-1] ^ 1])),
        ("truncated", good[:-1]),
        ("a byte more", good + b"\x00"),
        ("counter 0, sealed", seal(one, "p2mp", good[4:16], 0, good[20:24], b"zero")),
        ("of another purpose", bytes.fromhex(vectors[3]["packet"])),
        ("of another key", bytes.fromhex(vectors[4]["packet"])),
    ]:
        refused.append({"name": name, "secret": one.hex(), "purpose": "p2mp", "packet": packet.hex()})
    line = b"ferry-key-1" + base64.b64encode(one)
    other = b"ferry-key-1" + base64.b64encode(two)
    files = []
    for name, text in [
        ("one key", line + b"\n"), ("no newline", line), ("CRLF", line + b"\r\n" + other + b"\r\n"),
        ("blanks and comments", b"# created: today\n\n \t" + line + b" \t\n  # indented\n" + other + b"\n\n"),
        ("empty", b""), ("only comments", b"# nothing\n"), ("a duplicate", line + b"\n#\n" + line + b"\n"),
        ("text", b"secret\n"), ("other version", line.replace(b"key-1", b"key-2") + b"\n"),
        ("a blank inside", b"ferry-key-1 " + base64.b64encode(one) + b"\n"), ("two on a line", line + line + b"\n"),
        ("no padding", line[:-1] + b"\n"), ("31 bytes", b"ferry-key-1" + base64.b64encode(one[:31]) + b"\n"),
        ("unused bits", line[:-2] + bytes([line[-2] + 1]) + b"=\n"), ("URL alphabet", b"ferry-key-1" + b"-" * 43 + b"=\n"),
        ("a comment behind", line + b" # mine\n"), ("not UTF-8", b"# \xff\n" + line + b"\n"),
        ("byte order mark", b"\xef\xbb\xbf" + line + b"\n"), ("CR alone", line + b"\r" + other + b"\n"),
        ("a verification key", b"ferry-verify-1" + base64.b64encode(one) + b"\n"),
    ]:
        keys = parse_keys(text)
        entry = {"name": name, "file": base64.b64encode(text).decode()}
        if isinstance(keys, int):
            entry["bad_line"] = keys
        else:
            entry["keys"] = [k.hex() for k in keys]
        files.append(entry)
    return {"sealed": vectors, "refused": refused, "key_files": files}


def check(name):
    with open(name) as f:
        got = json.load(f)
    assert got == make(), name + " differs from what twin.py makes"
    for v in got["sealed"]:
        payload = open_packet(bytes.fromhex(v["secret"]), v["purpose"], bytes.fromhex(v["packet"]))
        assert payload == bytes.fromhex(v["payload"]), v["name"]
    for v in got["refused"]:
        assert open_packet(bytes.fromhex(v["secret"]), v["purpose"], bytes.fromhex(v["packet"])) is None, v["name"]
    print(len(got["sealed"]), "packets,", len(got["refused"]), "refused,", len(got["key_files"]), "key files: all right")


def open_lines():
    for line in sys.stdin:
        v = json.loads(line)
        payload = open_packet(bytes.fromhex(v["secret"]), v["purpose"], bytes.fromhex(v["packet"]))
        print("refused" if payload is None else payload.hex())


if __name__ == "__main__":
    if sys.argv[1:] == ["make"]:
        json.dump(make(), sys.stdout, indent="\t")
        print()
    elif len(sys.argv) == 3 and sys.argv[1] == "check":
        check(sys.argv[2])
    elif sys.argv[1:] == ["open"]:
        open_lines()
    else:
        sys.exit(__doc__)
