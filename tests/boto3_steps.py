"""What another client sees of the objects. Called with an endpoint, a bucket, a folder and a step."""

import os
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

MIB = 1 << 20
endpoint, bucket, folder, step = sys.argv[1:]
s3 = boto3.client(
    "s3", endpoint_url=endpoint, config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1})
)
in_parts = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
said = {"CacheControl": "max-age=7", "ContentType": "text/x-theirs", "Metadata": {"made-by": "boto3"}}


def path(*names):
    return os.path.join(folder, *names)


if step == "put":
    for name in sorted(os.listdir(path("data"))):
        s3.upload_file(path("data", name), bucket, "theirs/" + name, Config=in_parts, ExtraArgs=said)
    for number in range(25):
        s3.put_object(Bucket=bucket, Key=f"pages/{number:02} +%/é", Body=b"x" * number)
elif step == "get":
    for name in sorted(os.listdir(path("data"))):
        s3.download_file(bucket, "ours/" + name, path("back"), Config=in_parts)
        with open(path("data", name), "rb") as left, open(path("back"), "rb") as right:
            assert left.read() == right.read(), name
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix="ours/", PaginationConfig={"PageSize": 2}
    )
    listed = [entry["Key"] for page in pages for entry in page["Contents"]]
    assert listed == ["ours/" + name for name in sorted(os.listdir(path("data")))], listed
    for kind in ("copied", "streamed"):
        for name in sorted(os.listdir(path("data"))):
            s3.download_file(bucket, f"{kind}/{name}", path("back"), Config=in_parts)
            with open(path("data", name), "rb") as left, open(path("back"), "rb") as right:
                assert left.read() == right.read(), (kind, name)
            head = s3.head_object(Bucket=bucket, Key=f"{kind}/{name}")
            assert {known: head[known] for known in said} == said, (kind, name, head)
    assert s3.head_object(Bucket=bucket, Key="ours/0")["ContentType"] == "text/x-test"
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")
else:
    sys.exit(f"no step {step}")
