"""Try the cluster for real on one machine: hosts made for it, `ray up`, a sweep, one host cut off half-way, `ray down`.

    sudo .venv/bin/python scripts/try_cluster.py

The hosts (a laptop, a head, two workers) are network namespaces on a bridge of their own, each with its own processes,
name, temporary folder, shared memory and a copy-on-write home; all but the laptop have an sshd. On the laptop runs
scripts/lose_a_worker.py, which does what docs/cluster.md tells a person to do, with deploy/local.yaml as it is but for
addresses, user, key and the installation: hosts share this machine's Python and its packages. Everything is removed
afterwards, however it ends. Takes about five minutes. Needs root on Linux and some programs:

    apt-get install openssh-server rsync iproute2

Exit codes: 0 the sweep completed with one finished run per trial, 1 it did not, 2 this machine cannot try, 130 Ctrl-C.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ("sshd", "ssh", "ssh-keygen", "rsync", "ip", "unshare", "hostname")
ADDRESSES = {"laptop": "10.213.47.1", "head": "10.213.47.10", "worker1": "10.213.47.11", "worker2": "10.213.47.12"}
PREFIX = f"tic{os.getpid()}"
"""Of the names of what is made in this machine's network: at most 15 letters each."""
HOST = """
set -euo pipefail
export HOME=~root
mount --make-rprivate /
mount -t tmpfs tmpfs "$FOLDER/$NAME"
mkdir "$FOLDER/$NAME/upper" "$FOLDER/$NAME/work"
mount -t overlay overlay -o "lowerdir=$HOME,upperdir=$FOLDER/$NAME/upper,workdir=$FOLDER/$NAME/work" "$HOME"
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
hostname "$NAME"
ip link set lo up
cd "$HOME"
rm -rf .ssh .ray .bash_profile .bash_login .profile venv tfic-sweep mlflow.db mlartifacts mlflow.log
mkdir -m 700 .ssh
cp "$FOLDER/key" .ssh/id_ed25519
cp "$FOLDER/key.pub" .ssh/authorized_keys
ln -s "$PREFIX" venv
echo 'export PYTHONPATH=~/tfic-sweep' >.bashrc  # packages are installed from the checkout; hosts run their copy of it
mkdir -m 755 /run/sshd
cp "$FOLDER/key" /run/sshd/key
mount -t tmpfs tmpfs /tmp
exec "$@"
"""
"""Makes a process the first of a host and then becomes the command given. Its network is there already."""
NEEDED = """
set -e
export HOME=~root
mount -t tmpfs tmpfs /tmp
mkdir /tmp/upper /tmp/work /tmp/home
mount -t overlay overlay -o "lowerdir=$HOME,upperdir=/tmp/upper,workdir=/tmp/work" /tmp/home
ip link add bridge type bridge
ip link add cable type veth peer name eth0
hostname host
"""
"""What it takes to make a host, in namespaces that vanish at once."""
SSHD = """
/usr/sbin/sshd -D -e -f /dev/null -h /run/sshd/key
-o UsePAM=no -o StrictModes=no -o PermitRootLogin=prohibit-password -o UseDNS=no -o MaxStartups=100
"""


class UnableError(Exception):
    """No cluster can be tried on this machine; says what is missing."""


def main() -> int:
    """Run the command line and return its exit code."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C, so that the hosts are removed
        signal.signal(number, _interrupt)
    try:
        check()
        return try_it()
    except UnableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; the hosts are removed.", file=sys.stderr)
        return 130


def try_it() -> int:
    """Make the hosts, run the play on the laptop, and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="tfic-cluster-") as name, network():
        folder = Path(name)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
        with contextlib.ExitStack() as hosts:
            log = hosts.enter_context((folder / "sshd.log").open("w"))
            for each in list(ADDRESSES)[1:]:
                hosts.enter_context(host(each, folder, SSHD.split(), log))
            play = [sys.executable, str(ROOT / "scripts" / "lose_a_worker.py"), *list(ADDRESSES.values())[1:]]
            laptop = hosts.enter_context(host("laptop", folder, play, None))
            return 1 if laptop.wait() else 0


def check() -> None:
    """Raise UnableError unless hosts can be made here."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise UnableError("making hosts takes root on Linux: sudo .venv/bin/python scripts/try_cluster.py")
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    missing = [each for each in PROGRAMS if shutil.which(each, path=path) is None]
    if missing:
        raise UnableError(f"no {', '.join(missing)} here; apt-get install openssh-server rsync iproute2 util-linux")
    for place in (ROOT, Path(sys.prefix)):
        if place.is_relative_to("/tmp") or place.is_relative_to("/run"):
            raise UnableError(f"{place} lies where each host has a folder of its own; use a checkout elsewhere")
    apart = ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--mount-proc"]
    tried = subprocess.run([*apart, "bash", "-c", NEEDED], capture_output=True, text=True)
    if tried.returncode:
        raise UnableError(f"hosts cannot be made here (in a container?): {tried.stderr.strip()}")


@contextlib.contextmanager
def network() -> Iterator[None]:
    """A bridge that nothing of this machine is on, and a network namespace on it per host; removed afterwards."""
    with contextlib.ExitStack() as undo:
        _ip("link", "add", PREFIX, "type", "bridge")
        undo.callback(_ip, "link", "delete", PREFIX)
        _ip("link", "set", PREFIX, "up")
        for number, (name, address) in enumerate(ADDRESSES.items()):
            space, cable = f"{PREFIX}-{name}", f"{PREFIX}-{number}"
            _ip("netns", "add", space)
            undo.callback(_ip, "netns", "delete", space)  # and with it both ends of the cable
            _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("link", "set", cable, "master", PREFIX, "up")
            _ip("-n", space, "address", "add", f"{address}/24", "dev", "eth0")
            _ip("-n", space, "link", "set", "eth0", "up")
            # Ray takes the address that a host would leave the network with.
            _ip("-n", space, "route", "add", "default", "dev", "eth0")
        yield


@contextlib.contextmanager
def host(name: str, folder: Path, command: Sequence[str], log: IO[str] | None) -> Iterator["subprocess.Popen[bytes]"]:
    """A host whose first process is `command`; when that ends, or at the end of the block, all its processes do."""
    (folder / name).mkdir()
    apart = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
    settings = {"FOLDER": str(folder), "NAME": name, "PREFIX": sys.prefix}
    process = subprocess.Popen(
        ["ip", "netns", "exec", f"{PREFIX}-{name}", *apart, "bash", "-c", HOST, name, *command],
        env=os.environ | settings,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,  # Ctrl-C is for this program alone, which then removes the hosts
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
