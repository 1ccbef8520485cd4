#!/usr/bin/env bash
# Make this machine (Ubuntu) the keeper of a sweep's results: deploy/head.sh BUCKET
#
# Postgres here, put back from the bucket if it is empty; dumped to the bucket every quarter of an hour; MLflow's server
# on both. Run again, it starts what does not run and changes nothing else.
set -euo pipefail
bucket=$1
here=$(dirname "$(realpath "$0")")

sudo apt-get -o DPkg::Lock::Timeout=300 -yq install postgresql
until sudo -u postgres psql -qc 'select' >/dev/null 2>&1; do sleep 1; done
exists() { [[ $(sudo -u postgres psql -qtAc "select count(*) from $1 where $2") != 0 ]]; }
exists pg_roles "rolname = '$USER'" || sudo -u postgres createuser "$USER"
exists pg_database "datname = 'mlflow'" || sudo -u postgres createdb --owner "$USER" mlflow

~/venv/bin/python "$here/backup.py" restore "$bucket"
if ! pgrep -f '^bash -c .*backup.py' >/dev/null; then
    setsid nohup bash -c 'while sleep 900; do "$@"; done' backup ~/venv/bin/python "$here/backup.py" dump "$bucket" \
        >>~/backup.log 2>&1 </dev/null &
fi
"$here/mlflow.sh" postgresql:///mlflow "s3://$bucket/artifacts"
