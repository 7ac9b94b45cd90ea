"""The pipelines of obstore: payloads are not signed."""

import asyncio
import os

import obstore
from obstore.store import S3Store

import direct


def store(job):
    return S3Store(
        job.bucket,
        endpoint=job.endpoint,
        region=os.environ["AWS_REGION"],
        unsigned_payload=True,
        client_options={"allow_http": True},
    )


async def in_turn(job, all, one):
    """So many at once, and the sum of what they give."""
    left, moved = iter(all), 0

    async def worker():
        nonlocal moved
        for item in left:
            got = await one(item)
            moved += got

    await asyncio.gather(*(worker() for _ in range(job.connections)))
    return moved


def ranges(job, use):
    place = store(job)

    async def one(part):
        start, length = part
        got = await obstore.get_range_async(place, job.key, start=start, length=length)
        return await use(start, got)

    return asyncio.run(in_turn(job, job.parts(), one))


def get_stream(job):
    """A part is released as soon as it is there, which is less than handing on in order."""

    async def use(_start, got):
        return len(got)

    return ranges(job, use)


def get_buffer(job):
    buffer = job.touched_buffer()
    view = memoryview(buffer)

    async def use(start, got):
        view[start : start + len(got)] = memoryview(got)
        return len(got)

    return ranges(job, use)


def get_file(job):
    file = direct.create(job.file, job.bytes)

    async def use(start, got):
        return await asyncio.to_thread(direct.write, file, start, memoryview(got))

    return ranges(job, use)


def upload(job, pieces):
    obstore.put(
        store(job),
        job.key,
        pieces,
        use_multipart=True,
        chunk_size=job.part_bytes,
        max_concurrency=job.connections,
    )
    return job.bytes


def put_memory(job):
    piece = job.piece()
    return upload(job, (piece[:length] for _, length in job.parts()))


def put_file(job):
    return upload(job, direct.read(job.file, job.parts()))


def get_many(job):
    place = store(job)

    async def one(key):
        answer = await obstore.get_async(place, key)
        return len(await answer.bytes_async())

    return asyncio.run(in_turn(job, job.keys(), one))


def put_many(job):
    place, piece = store(job), job.piece()

    async def one(key):
        await obstore.put_async(place, key, piece, use_multipart=False)
        return len(piece)

    return asyncio.run(in_turn(job, job.keys(), one))
