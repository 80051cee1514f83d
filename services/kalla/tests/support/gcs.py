"""A server that speaks as Google Cloud Storage does: BUCKET, and the file to write the credentials of a service account to. Writes
its address, and ends when nobody reads any more what it would say.

Its API of XML is that of S3 but for who asks and for versions: tokens are checked here, generations are made of tags, and the rest is asked of
an S3 server.
"""

import base64
import hashlib
import http.client
import http.server
import json
import logging
import os
import sys
import threading
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from moto.server import ThreadedMotoServer

WHO = "worker@kalla.example"
KEY_ID = "1"
# Either of them lets it do what its role allows.
SCOPES = ["https://www.googleapis.com/auth/devstorage.full_control", "https://www.googleapis.com/auth/cloud-platform"]
OWNER = "AWS4-HMAC-SHA256 Credential=owner/20260302/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
# Of a request, and of an answer.
PASSED_ON = ["content-type", "content-length", "range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"]
PASSED_BACK = ["content-type", "content-range", "last-modified", "etag", "accept-ranges"]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        why = self.server.refuses(self.headers.get("Authorization", ""))
        if why:
            return self.answer(401, {}, f"<Error><Code>AuthenticationRequired</Code><Message>{why}</Message></Error>".encode())
        headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        headers |= {"Authorization": OWNER, "Content-Length": str(len(body))}
        if "x-goog-copy-source" in self.headers:
            headers["x-amz-copy-source"] = self.headers["x-goog-copy-source"]
        wanted = self.headers.get("x-goog-if-generation-match")
        if wanted == "0":
            headers["If-None-Match"] = "*"
        elif wanted is not None:
            headers["If-Match"] = self.server.tags.get(wanted, '"none"')
        connection = http.client.HTTPConnection(*self.server.store)
        path, _, query = self.path.partition("?")
        path = urllib.parse.quote(urllib.parse.unquote(path))
        connection.request(self.command, f"{path}?{query}" if query else path, body, headers)
        answer = connection.getresponse()
        told = {name: answer.headers[name] for name in PASSED_BACK if name in answer.headers}
        if "etag" in told:
            generation = str(int(hashlib.md5(told["etag"].encode()).hexdigest()[:13], 16))
            self.server.tags[generation] = told["etag"]
            told["x-goog-generation"] = generation
        if self.command == "HEAD":
            told["Content-Length"] = answer.headers.get("Content-Length", "0")
        self.answer(answer.status, told, answer.read())
        connection.close()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = serve

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, key, store):
        super().__init__(("127.0.0.1", 0), Handler)
        self.key, self.store = key, store
        # By generation.
        self.tags = {}

    def refuses(self, authorization):
        """Why a token is not taken: it is signed with the account's key, for this service, and is still good."""
        if not authorization.startswith("Bearer "):
            return "no token"
        try:
            head, claims, signature = authorization.removeprefix("Bearer ").split(".")
            signed = f"{head}.{claims}".encode()
            self.key.public_key().verify(decoded(signature), signed, padding.PKCS1v15(), hashes.SHA256())
            head, claims = json.loads(decoded(head)), json.loads(decoded(claims))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not taken
            return f"no good token: {error!r}"
        known = (head["alg"], head["kid"], claims["iss"], claims["sub"]) == ("RS256", KEY_ID, WHO, WHO)
        if not known or claims["scope"] not in SCOPES:
            return f"another token is wanted: {head} {claims}"
        return None if claims["iat"] - 60 < time.time() < claims["exp"] else "the token is not good now"

    def handle_error(self, *_):
        # Workers that are killed break off in the middle.
        pass


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def main():
    bucket, credentials = sys.argv[1:]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    server = Server(key, store.get_host_and_port())
    connection = http.client.HTTPConnection(*server.store)
    connection.request("PUT", f"/{bucket}", headers={"Authorization": OWNER})
    assert connection.getresponse().status == 200
    endpoint = f"http://127.0.0.1:{server.server_port}"
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    account = {"type": "service_account", "private_key_id": KEY_ID, "private_key": pem, "client_email": WHO}
    with open(credentials, "w") as file:
        json.dump(account, file)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(endpoint, flush=True)
    sys.stdin.read()
    os._exit(0)


main()
