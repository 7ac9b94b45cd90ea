"""The pipelines of AWS's common runtime, through its bindings for Python."""

import io
import os
import threading
from urllib.parse import urlsplit

from awscrt.auth import AwsCredentialsProvider
from awscrt.http import HttpHeaders, HttpRequest
from awscrt.io import (
    ClientBootstrap,
    ClientTlsContext,
    DefaultHostResolver,
    EventLoopGroup,
    TlsContextOptions,
)
from awscrt.s3 import S3Client, S3RequestTlsMode, S3RequestType, create_default_s3_signing_config

GET, PUT = S3RequestType.GET_OBJECT, S3RequestType.PUT_OBJECT


def tls(job):
    """It does not read the variable that names the certificates to trust."""
    if not job.endpoint.startswith("https:"):
        return {"tls_mode": S3RequestTlsMode.DISABLED}
    options = TlsContextOptions()
    options.override_default_trust_store_from_path(None, os.environ["SSL_CERT_FILE"])
    connection = ClientTlsContext(options).new_connection_options()
    return {"tls_mode": S3RequestTlsMode.ENABLED, "tls_connection_options": connection}


class Client:
    def __init__(self, job):
        self.job = job
        group = EventLoopGroup(1)
        bootstrap = ClientBootstrap(group, DefaultHostResolver(group))
        region = os.environ["AWS_REGION"]
        keys = AwsCredentialsProvider.new_environment()
        self.client = S3Client(
            bootstrap=bootstrap,
            region=region,
            signing_config=create_default_s3_signing_config(
                region=region, credential_provider=keys
            ),
            part_size=job.part_bytes,
            max_active_connections_override=job.connections,
            **tls(job),
        )

    def start(self, kind, key, length=None, body=None, **how):
        method = "GET" if kind == GET else "PUT"
        headers = HttpHeaders([("Host", urlsplit(self.job.endpoint).netloc)])
        if length is not None:
            headers.add("Content-Length", str(length))
        request = HttpRequest(method, f"/{self.job.bucket}/{key}", headers, body)
        return self.client.make_request(type=kind, request=request, **how)

    def get(self, key, on_body):
        return self.start(GET, key, on_body=on_body)


def get_stream(job):
    moved = 0

    def on_body(chunk, offset, **_):
        nonlocal moved
        moved += len(chunk)

    Client(job).get(job.key, on_body).finished_future.result()
    return moved


def get_buffer(job):
    buffer = memoryview(job.touched_buffer())
    moved = 0

    def on_body(chunk, offset, **_):
        nonlocal moved
        buffer[offset : offset + len(chunk)] = chunk
        moved += len(chunk)

    Client(job).get(job.key, on_body).finished_future.result()
    return moved


def get_file(job):
    """Through the page cache: it writes files by itself and knows no O_DIRECT for that."""
    client = Client(job)
    client.start(GET, job.key, recv_filepath=job.file).finished_future.result()
    return os.path.getsize(job.file)


class Pieces(io.RawIOBase):
    """The same piece until the length is reached."""

    def __init__(self, job):
        self.piece, self.left, self.at = job.piece(), job.bytes, 0

    def readable(self):
        return True

    def readinto(self, into):
        count = min(len(into), len(self.piece) - self.at, self.left)
        into[:count] = self.piece[self.at : self.at + count]
        self.at = (self.at + count) % len(self.piece)
        self.left -= count
        return count


def put_memory(job):
    client = Client(job)
    client.start(PUT, job.key, job.bytes, Pieces(job)).finished_future.result()
    return job.bytes


def put_file(job):
    client = Client(job)
    client.start(PUT, job.key, job.bytes, send_filepath=job.file).finished_future.result()
    return job.bytes


def many(job, begin):
    """All requests, as many at once as there are connections."""
    room, errors = threading.Semaphore(job.connections), []

    def on_done(error=None, **_):
        if error is not None:
            errors.append(error)
        room.release()

    for key in job.keys():
        room.acquire()
        begin(key, on_done)
    for _ in range(job.connections):
        room.acquire()
    if errors:
        raise errors[0]


def get_many(job):
    client, moved, lock = Client(job), 0, threading.Lock()

    def on_body(chunk, offset, **_):
        nonlocal moved
        with lock:
            moved += len(chunk)

    many(job, lambda key, done: client.start(GET, key, on_body=on_body, on_done=done))
    return moved


def put_many(job):
    client, piece = Client(job), job.piece()

    def begin(key, done):
        client.start(PUT, key, len(piece), io.BytesIO(piece), on_done=done)

    many(job, begin)
    return job.objects * job.bytes
