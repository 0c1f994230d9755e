"""RS256 (RFC 7515, RFC 8017 8.2.2) with Python's integers: enough to check what a client signed with openssl's help."""

import base64
import hashlib
import json

DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")  # SHA-256, RFC 8017 9.2


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _element(der, at):
    """(tag, content, end) of the DER element at a place."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(der[start : start + count], "big"), start + count
    return tag, der[start : start + length], start + length


def public_key(pem):
    """(n, e) of a PEM SubjectPublicKeyInfo."""
    der = base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-----")))
    _, info, _ = _element(der, 0)
    _, _, at = _element(info, 0)
    _, bits, _ = _element(info, at)
    _, key, _ = _element(bits[1:], 0)
    _, modulus, at = _element(key, 0)
    _, exponent, _ = _element(key, at)
    return int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")


def parse(token):
    """(header, claims, signed bytes, signature); ValueError if it is not a JWT."""
    try:
        head, claims, signature = token.split(".")
        return (
            json.loads(decode(head)),
            json.loads(decode(claims)),
            f"{head}.{claims}".encode(),
            decode(signature),
        )
    except (ValueError, TypeError) as error:
        raise ValueError("not a JWT") from error


def verify(pem, signed, signature):
    modulus, exponent = public_key(pem)
    size = (modulus.bit_length() + 7) // 8
    if len(signature) != size or int.from_bytes(signature, "big") >= modulus:
        return False
    plain = pow(int.from_bytes(signature, "big"), exponent, modulus).to_bytes(size, "big")
    ending = DIGEST_INFO + hashlib.sha256(signed).digest()
    return plain == b"\0\1" + b"\xff" * (size - len(ending) - 3) + b"\0" + ending
