#!/usr/bin/env bash
# Keep MLflow's server up on the head of a cluster: deploy/mlflow.sh STORE ARTIFACTS [PORT]
#
#   STORE      its database: postgresql:///mlflow, or sqlite:////home/me/mlflow.db for a handful of workers
#   ARTIFACTS  where it keeps checkpoints and pictures: s3://bucket/folder, or a folder
#   PORT       5000 unless given
#
# It listens on two addresses and no third: on loopback, for people who come through ssh, and on this machine's private
# address, for trials on the workers. Trials reach artifacts through the server, so that workers need no rights on S3.
# What keeps strangers from the private address is the security group or firewall around the cluster (docs/cluster.md).
# Run again while it is up, this does nothing. To end it: kill -- -$(cat ~/mlflow.pid)
set -euo pipefail
store=$1 artifacts=$2 port=${3:-5000}
address=$(hostname -I | cut -d' ' -f1)
loopback="--bind 127.0.0.1:$port"
if [[ -z $address ]]; then  # a machine without a network
    address=127.0.0.1 loopback=
fi
ask='import sys, urllib.request as web; web.build_opener(web.ProxyHandler({})).open(sys.argv[1], timeout=5)'
healthy() { ~/venv/bin/python -c "$ask" "http://$address:$port/health" 2>/dev/null; }

if ! healthy; then
    # `server` ends when the database goes away or memory is short; the trials' metrics wait for it to come back.
    workers=$([[ $store == sqlite:* ]] && echo 1 || echo 2)
    # Its executor of jobs (judging traces, say) is eight more processes, and no sweep gives it a job.
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
    setsid nohup bash -c 'while true; do "$@"; sleep 2; done' mlflow \
        ~/venv/bin/python -m mlflow server --backend-store-uri "$store" --artifacts-destination "$artifacts" \
        --host "$address" --port "$port" --workers "$workers" \
        --gunicorn-opts "$loopback --worker-class gthread --threads 16 --timeout 600" \
        >>~/mlflow.log 2>&1 </dev/null &
    echo $! >~/mlflow.pid
fi
for _ in {1..120}; do
    healthy && exit 0
    sleep 1
done
tail -n 20 ~/mlflow.log
echo "error: MLflow's server did not start within two minutes; its log is ~/mlflow.log" >&2
exit 1
