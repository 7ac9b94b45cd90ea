"""Signs the requests of a JSON array as S3 wants them, by botocore's own signers.

Each is an object with `method`, `url`, `headers` (pairs), `body` (hexadecimal, or null for a payload that
is not signed), `secret`, `token`, `region`, `unix_seconds` and `expires_s`. What has the last is signed in
its query, and answered with the URL; the others with the value of `Authorization`.
"""

import datetime
import json
import sys
import types

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def sign(given):
    moment = datetime.datetime.fromtimestamp(given["unix_seconds"], datetime.timezone.utc)
    if not hasattr(botocore.auth, "get_current_datetime"):
        raise SystemExit("this botocore has another clock")
    botocore.auth.get_current_datetime = lambda: moment
    credentials = Credentials("AKID", given["secret"], given["token"])
    body = given["body"] and bytes.fromhex(given["body"])
    request = AWSRequest(method=given["method"], url=given["url"], data=body)
    for name, value in given["headers"]:
        request.headers.add_header(name, value)
    if given["expires_s"] is not None:
        signer = botocore.auth.S3SigV4QueryAuth(
            credentials, "s3", given["region"], expires=given["expires_s"]
        )
        signer.add_auth(request)
        return request.url
    is_signed = given["body"] is not None
    s3 = {"payload_signing_enabled": is_signed}
    request.context["client_config"] = types.SimpleNamespace(s3=s3)
    botocore.auth.S3SigV4Auth(credentials, "s3", given["region"]).add_auth(request)
    return request.headers["Authorization"]


json.dump([sign(given) for given in json.load(sys.stdin)], sys.stdout)
