"""Ceph's S3 server, without systemd: one monitor, one OSD on a file, one radosgw, all on 127.0.0.1."""
import os, shutil, subprocess, uuid

from s3 import KEY, SECRET

CONFIG = """[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{ports[1]}/0
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
run dir = {folder}
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
pid file =
crash dir = {folder}
mon data = {folder}/mon
mon allow pool size one = true
mon osd full ratio = 0.99
mon osd backfillfull ratio = 0.985
mon osd nearfull ratio = 0.98
mon data avail crit = 1
osd data = {folder}/osd
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd crush chooseleaf type = 0
osd objectstore = bluestore
osd memory target = 939524096
bluestore block size = 4294967296
bluestore fsck on mount = false

[client.admin]
keyring = {folder}/admin.keyring

[osd]
keyring = {folder}/osd/keyring

[client.rgw.a]
keyring = {folder}/rgw.keyring
rgw data = {folder}/rgw
# Without it small answers wait 40 ms each: Nagle's algorithm beside delayed acknowledgements.
rgw frontends = beast endpoint=127.0.0.1:{ports[0]} tcp_nodelay=1
rgw enable usage log = false
rgw thread pool size = 64
"""


def commands(folder, ports, log):
    """Sets Ceph up and gives, one after the other, the commands that go on running; each is asked for when those before
    it are started."""
    missing = [name for name in ("ceph-mon", "ceph-osd", "radosgw", "ceph", "radosgw-admin") if not shutil.which(name)]
    if missing:
        raise SystemExit(f"radosgw: there is no {', '.join(missing)}: tools/install-dependencies --remotes")
    config = os.path.join(folder, "ceph.conf")
    with open(config, "w") as file:
        file.write(CONFIG.format(fsid=uuid.uuid4(), ports=ports, folder=folder))

    def run(program, *arguments, **options):
        subprocess.run([program, *arguments], check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                       env=dict(os.environ, CEPH_CONF=config), cwd=folder, **options)

    for name in ("mon", "osd", "rgw"):
        os.mkdir(os.path.join(folder, name))
    run("ceph-authtool", "--create-keyring", "mon.keyring", "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
    run("ceph-authtool", "--create-keyring", "admin.keyring", "--gen-key", "-n", "client.admin", "--cap", "mon", "allow *",
        "--cap", "osd", "allow *", "--cap", "mgr", "allow *")
    # radosgw hangs for minutes without a key of its own.
    run("ceph-authtool", "--create-keyring", "rgw.keyring", "--gen-key", "-n", "client.rgw.a", "--cap", "mon", "allow rwx",
        "--cap", "osd", "allow rwx")
    for keyring in ("admin.keyring", "rgw.keyring"):
        run("ceph-authtool", "mon.keyring", "--import-keyring", keyring)
    fsid = [line.split("=")[1].strip() for line in open(config) if line.startswith("fsid")][0]
    run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{ports[1]}/0]", "monmap")
    run("ceph-mon", "-c", config, "--mkfs", "-i", "a", "--monmap", "monmap", "--keyring", "mon.keyring")
    yield ["ceph-mon", "-c", config, "-i", "a", "-f"]
    identity = str(uuid.uuid4())
    run("ceph", "-c", config, "osd", "new", identity, timeout=60)
    run("ceph-authtool", "--create-keyring", "osd/keyring", "--gen-key", "-n", "osd.0")
    run("ceph", "-c", config, "auth", "add", "osd.0", "osd", "allow *", "mon", "allow profile osd", "-i", "osd/keyring", timeout=60)
    run("ceph-osd", "-c", config, "-i", "0", "--mkfs", "--osd-uuid", identity)
    yield ["ceph-osd", "-c", config, "-i", "0", "-f"]
    run("radosgw-admin", "-c", config, "user", "create", "--uid=test", "--display-name=test", f"--access-key={KEY}",
        f"--secret-key={SECRET}", timeout=120)
    yield ["radosgw", "-c", config, "-n", "client.rgw.a", "-f"]
