"""An S3 server with one bucket, which does for one key what a policy allows, and nothing else: BUCKET KEY SECRET, and the policy on
the standard input. Writes its address, and ends when nobody reads any more what it would say.
"""

import json
import logging
import os
import sys

import boto3
from botocore.exceptions import ClientError
from moto import settings
from moto.iam.models import iam_backends
from moto.server import ThreadedMotoServer

REGION = "us-east-1"


def main():
    bucket, key, secret = sys.argv[1:]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    policy = json.loads(sys.stdin.readline())
    arn = f"arn:aws:s3:::{bucket}"
    if any("s3:DeleteObject" in statement["Action"] and f"{arn}/*" in statement["Resource"] for statement in policy["Statement"]):
        # S3 looks at each object that is to be deleted, and this server at the bucket.
        policy["Statement"].append({"Effect": "Allow", "Action": ["s3:DeleteObject"], "Resource": [arn]})
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    owner = {"endpoint_url": endpoint, "region_name": REGION, "aws_access_key_id": "owner", "aws_secret_access_key": "owner"}
    for name in (bucket, "another"):
        boto3.client("s3", **owner).create_bucket(Bucket=name)
    iam = boto3.client("iam", **owner)
    iam.create_user(UserName="worker")
    iam.put_user_policy(UserName="worker", PolicyName="bucket", PolicyDocument=json.dumps(policy))
    iam.create_access_key(UserName="worker")
    made = iam_backends["123456789012"]["global"].users["worker"].access_keys[0]
    made.access_key_id, made.secret_access_key = key, secret
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    check(boto3.client("s3", endpoint_url=endpoint, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret))
    print(endpoint, flush=True)
    sys.stdin.read()
    os._exit(0)


def check(worker):
    """Or the rest would show nothing."""
    for what, arguments in (
        ("list_buckets", {}),
        ("list_objects_v2", {"Bucket": "another"}),
        ("put_object", {"Bucket": "another", "Key": "a", "Body": b""}),
        ("create_bucket", {"Bucket": "a-third"}),
    ):
        try:
            getattr(worker, what)(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] == "AccessDenied":
                continue
            raise
        sys.exit(f"{what} is done, which the policy does not allow")


main()
