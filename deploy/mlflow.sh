#!/usr/bin/env bash
# Keep MLflow's server up on the head of a cluster: deploy/mlflow.sh STORE ARTIFACTS
#
#   STORE      its database: postgresql:///mlflow, or sqlite:////home/me/mlflow.db for a handful of workers
#   ARTIFACTS  where it keeps checkpoints and pictures: s3://bucket/folder, or a folder
#
# It listens on two addresses and no third: on loopback, for people who come through ssh, and on this machine's private
# address, for trials on the workers. Trials reach artifacts through the server, so that workers need no rights on S3.
# What keeps strangers from the private address is the security group or firewall around the cluster (docs/cluster.md).
set -euo pipefail
store=$1 artifacts=$2
address=$(hostname -I | cut -d' ' -f1)
health="http://$address:5000/health"

if ! curl -fs --noproxy '*' "$health" >/dev/null; then
    # `server` ends when the database goes away or memory is short; the trials' metrics wait for it to come back.
    workers=$([[ $store == sqlite:* ]] && echo 1 || echo 3)
    setsid nohup bash -c 'while true; do "$@"; sleep 2; done' mlflow \
        ~/venv/bin/python -m mlflow server --backend-store-uri "$store" --artifacts-destination "$artifacts" \
        --host "$address" --port 5000 --workers "$workers" \
        --gunicorn-opts "--bind 127.0.0.1:5000 --worker-class gthread --threads 16 --timeout 600" \
        >>~/mlflow.log 2>&1 </dev/null &
fi
for _ in {1..60}; do
    curl -fs --noproxy '*' "$health" >/dev/null && exit 0
    sleep 1
done
tail -n 20 ~/mlflow.log
echo "error: MLflow's server did not start within a minute; its log is ~/mlflow.log" >&2
exit 1
