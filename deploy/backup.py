"""Keep MLflow's database in a bucket: `python deploy/backup.py dump BUCKET`, and back: `... restore BUCKET`.

`ray down` ends the head and its disk. A dump is one object, database/mlflow.dump; the bucket's versions keep the older
ones. `restore` leaves a database alone that has tables, and one for which there is no dump: a new cluster.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

KEY = "database/mlflow.dump"
DATABASE = "postgresql:///mlflow"
"""MLflow's, on this machine, as its server opens it."""


def dump(bucket: str, database: str) -> str:
    """Write the database to the bucket, whole or not at all; what was done."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "mlflow.dump")
        _postgres("pg_dump", "--format=custom", f"--file={file}", f"--dbname={database}")
        boto3.client("s3").upload_file(str(file), bucket, KEY)
        return f"dumped {file.stat().st_size:,} bytes to s3://{bucket}/{KEY}"


def restore(bucket: str, database: str) -> str:
    """Fill an empty database from the bucket; what was done."""
    count = "select count(*) from information_schema.tables where table_schema = 'public'"
    tables = int(_postgres("psql", "--quiet", "--tuples-only", f"--dbname={database}", f"--command={count}"))
    if tables:
        return f"nothing restored: the database has {tables} tables"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "mlflow.dump")
        try:
            boto3.client("s3").download_file(bucket, KEY, str(file))
        except ClientError as error:
            if error.response["Error"]["Code"] != "404":
                raise
            return f"nothing restored: no s3://{bucket}/{KEY}"
        _postgres(
            "pg_restore", "--no-owner", "--exit-on-error", "--single-transaction", f"--dbname={database}", str(file)
        )
        return f"restored {file.stat().st_size:,} bytes from s3://{bucket}/{KEY}"


def _postgres(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["dump", "restore"])
    parser.add_argument("bucket")
    parser.add_argument("--database", metavar="URI", default=DATABASE, help=f"default {DATABASE}")
    args = parser.parse_args(arguments)
    try:
        print((dump if args.verb == "dump" else restore)(args.bucket, args.database), flush=True)
    except (ValueError, BotoCoreError, ClientError, boto3.exceptions.Boto3Error) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
