"""The pipelines of s3dlio, which cuts a large object into parts by itself."""

import s3dlio

import direct


def uri(job, key):
    return f"s3://{job.bucket}/{key}"


def get_stream(job):
    return len(s3dlio.get(uri(job, job.key)))


def get_buffer(job):
    buffer = job.touched_buffer()
    buffer[:] = memoryview(s3dlio.get(uri(job, job.key)))
    return len(buffer)


def get_file(job):
    file = direct.create(job.file, job.bytes)
    all = memoryview(s3dlio.get(uri(job, job.key)))
    return sum(direct.write(file, start, all[start : start + n]) for start, n in job.parts())


def upload(job, pieces):
    writer = s3dlio.MultipartUploadWriter(
        job.bucket, job.key, part_size=job.part_bytes, max_in_flight=job.connections
    )
    for piece in pieces:
        writer.write(piece)
    writer.close()
    return job.bytes


def put_memory(job):
    piece = job.piece()
    return upload(job, (piece[:length] for _, length in job.parts()))


def put_file(job):
    return upload(job, direct.read(job.file, job.parts()))


def get_many(job):
    uris = [uri(job, key) for key in job.keys()]
    got = s3dlio.get_many(uris, max_in_flight=job.connections)
    return sum(len(data) for _, data in got)


def put_many(job):
    piece = job.piece()
    items = [(uri(job, key), piece) for key in job.keys()]
    s3dlio.put_many(items, max_in_flight=job.connections)
    return job.objects * job.bytes
