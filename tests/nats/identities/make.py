"""Makes everything in this folder anew: certificates, nkeys, and the JWTs of an operator with its accounts.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install cryptography
    /tmp/venv/bin/python tests/nats/identities/make.py

Its output is checked in, and no test runs it.
"""

import base64
import datetime
import hashlib
import ipaddress
import json
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

FOLDER = Path(__file__).parent
SINCE = datetime.datetime(2020, 1, 1)
UNTIL = datetime.datetime(2120, 1, 1)
# NATS' prefixes for the kinds of keys (nkeys, `PrefixByteSeed` and after)
SEED, OPERATOR, ACCOUNT, USER = 18 << 3, 14 << 3, 0, 20 << 3


def write(name, text):
    (FOLDER / name).write_text(text)


def certificate(name, issuer=None, use=None):
    """Makes a key and a certificate; without an issuer the certificate is an authority"""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"tenure test {name}")])
    issuer_key, issuer_name = issuer or (key, subject)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer_name)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(SINCE).not_valid_after(UNTIL)
    builder = builder.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    if use is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    made = builder.sign(issuer_key, hashes.SHA256())
    write(f"{name}.pem", made.public_bytes(serialization.Encoding.PEM).decode())
    if use is not None:
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        write(f"{name}-key.pem", key.private_bytes(*form).decode())
    return key, subject


def crc16(data):
    """CRC-16/XMODEM"""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc.to_bytes(2, "little")


def text_of(data):
    return base64.b32encode(data + crc16(data)).decode().rstrip("=")


class Nkey:
    def __init__(self, kind):
        self.key = ed25519.Ed25519PrivateKey.generate()
        raw = self.key.private_bytes_raw()
        self.seed = text_of(bytes([SEED | kind >> 5, (kind & 31) << 3]) + raw)
        self.public = text_of(bytes([kind]) + self.key.public_key().public_bytes_raw())

    def signs(self, name, subject, nats):
        """A JWT with these claims about a subject"""
        claims = {"jti": "", "iat": int(SINCE.timestamp()), "iss": self.public, "name": name,
                  "sub": subject.public, "nats": {**nats, "version": 2}}
        digest = hashlib.new("sha512_256", json.dumps(claims).encode()).digest()
        claims["jti"] = base64.b32encode(digest).decode().rstrip("=")
        parts = [{"typ": "JWT", "alg": "ed25519-nkey"}, claims]
        signed = ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts)
        return signed + "." + base64.urlsafe_b64encode(self.key.sign(signed.encode())).decode().rstrip("=")


def credentials(name, account):
    user = Nkey(USER)
    jwt = account.signs(name, user, {"type": "user", "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1})
    write(f"{name}.creds", f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
          f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n")


def accounts():
    operator, system, ledger, stranger = Nkey(OPERATOR), Nkey(ACCOUNT), Nkey(ACCOUNT), Nkey(ACCOUNT)
    limits = {"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": True, "conn": -1,
              "leaf": -1}
    stored = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
    own = operator.signs("operator", operator, {"type": "operator", "system_account": system.public})
    preload = {
        system.public: operator.signs("system", system, {"type": "account", "limits": limits}),
        ledger.public: operator.signs("ledger", ledger, {"type": "account", "limits": {**limits, **stored}}),
    }
    lines = "".join(f"  {account}: {jwt}\n" for account, jwt in preload.items())
    write("operator.conf", f"operator: {own}\nsystem_account: {system.public}\nresolver: MEMORY\n"
          f"resolver_preload: {{\n{lines}}}\n")
    credentials("ledger", ledger)
    # The account of this user does not belong to the operator.
    credentials("stranger", stranger)


def main():
    authority = certificate("ca")
    certificate("server", authority, ExtendedKeyUsageOID.SERVER_AUTH)
    certificate("client", authority, ExtendedKeyUsageOID.CLIENT_AUTH)
    other = certificate("other-ca")
    certificate("stranger", other, ExtendedKeyUsageOID.CLIENT_AUTH)
    for name in ["ledger", "stranger"]:
        key = Nkey(USER)
        write(f"{name}.nk", key.seed + "\n")
        if name == "ledger":
            write(f"{name}.pub", key.public + "\n")
    accounts()


main()
