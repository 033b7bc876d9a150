#!/bin/sh
# SPDX-License-Identifier: MIT
# bench-net.sh - what a network costs: `nsrun run` with a veth on a bridge, two
# addresses and a default route, beside netfloor.c (the cheapest program that
# makes the same kernel objects), a script of `ip` and CNI's bridge plug-in,
# which make the network only; and the throughput through nsrun's pair, beside
# a pair that `ip` made.
#
#	ROUNDS=100	runs of each program, interleaved
#	SECONDS_EACH=1	of a throughput, which is measured STREAMS=7 times
#	NSRUN CNI	nsrun, and the directory of CNI's plug-ins; those and
#			iperf3 and ip are left out if they are missing
#
# Needs root. All of it happens in network namespaces of its own.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=vm/debian.sh
. "$here/vm/debian.sh"

[ "$(id -u)" = 0 ] || die "needs root"
[ -n "${NET_HOST:-}" ] || NET_HOST=1 exec unshare -n -m "$0"

ROUNDS=${ROUNDS:-100} SECONDS_EACH=${SECONDS_EACH:-1} STREAMS=${STREAMS:-7}
NSRUN=${NSRUN:-$here/../nsrun} CNI=${CNI:-/usr/lib/cni}
NSRUN=$(readlink -f "$(command -v "$NSRUN")") || die "no nsrun: run make first"
command -v ip >/dev/null || die "no ip: install iproute2"

tmp=$(mktemp -d)
holder='' server=''
finish() {
	for pid in $holder $server; do
		[ "$pid" -le 1 ] || kill "$pid" 2>/dev/null || :
	done
	"$NSRUN" --root "$tmp/run" delete --force bench-pair 2>/dev/null || :
	umount "$tmp/run" "$tmp/netns" 2>/dev/null || :
	rm -rf "$tmp"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
mkdir "$tmp/run" "$tmp/netns"
mount -t tmpfs run "$tmp/run"	# as /run is nearly everywhere

ip link set lo up
ip link add br0 type bridge
ip addr add 10.201.0.1/24 dev br0
ip link set br0 up

# bundle NAME NETWORKS - the default bundle with probe in it
bundle() {
	b=$tmp/$1
	mkdir -p "$b/rootfs/bin" "$b/rootfs/proc" "$b/rootfs/dev" \
		"$b/rootfs/sys"
	cp "$here/build/probe" "$b/rootfs/bin/true"
	cp "$here/build/probe" "$b/rootfs/bin/sleep"
	(cd "$b" && "$NSRUN" spec)
	sed -e 's/"terminal": *true/"terminal": false/' -e "s|\"sh\"|$3|" \
		-e "0,/{/s|{|{ $2|" "$b/config.json" > "$b/new"
	mv "$b/new" "$b/config.json"
}
network='"networks": [{ "type": "veth", "name": "eth0", "bridge": "br0",
	"address": "10.201.0.2/24", "ipv6_address": "fd01::2/64",
	"gateway": "10.201.0.1" }],'
bundle plain '' '"/bin/true"'
bundle net "$(echo "$network" | tr -d '\n')" '"/bin/true"'
bundle pair '"networks": [{ "type": "veth", "name": "eth0", "address": "10.202.0.2/24", "host_address": "10.202.0.1/24" }],' \
	'"/bin/sleep", "1000"'

# ---- the time ---------------------------------------------------------------

cat > "$tmp/by-ip" <<-'EOF'
#!/bin/sh -e
ip netns add nsbench
ip link add nsb0 type veth peer name eth0 netns nsbench
ip link set nsb0 master br0 up
ip -n nsbench link set lo up
ip -n nsbench addr add 10.201.0.2/24 dev eth0
ip -n nsbench addr add fd01::2/64 dev eth0 nodad
ip -n nsbench link set eth0 up
ip -n nsbench route add default via 10.201.0.1
ip link del nsb0
ip netns del nsbench
EOF
cat > "$tmp/cni.json" <<-'EOF'
{ "cniVersion": "0.4.0", "name": "nsbench", "type": "bridge",
  "bridge": "br0", "isGateway": false, "ipam": { "type": "static",
  "addresses": [ { "address": "10.201.0.2/24", "gateway": "10.201.0.1" },
    { "address": "fd01::2/64" } ],
  "routes": [ { "dst": "0.0.0.0/0" } ] } }
EOF
cat > "$tmp/by-cni" <<-EOF
#!/bin/sh -e
export CNI_CONTAINERID=nsbench CNI_NETNS=/run/netns/nsbench CNI_IFNAME=eth0
export CNI_PATH=$CNI
ip netns add nsbench
CNI_COMMAND=ADD $CNI/bridge < $tmp/cni.json > $tmp/cni.out
CNI_COMMAND=DEL $CNI/bridge < $tmp/cni.json
ip netns del nsbench
EOF
chmod 755 "$tmp/by-ip" "$tmp/by-cni"

root=$tmp/net/rootfs
set -- "floor, no network" "$here/build/floor" "$root" /bin/true -- \
	netfloor "$here/build/netfloor" "$root" /bin/true -- \
	"nsrun, no network" "$NSRUN" --root "$tmp/run" run -b "$tmp/plain" \
		bench-plain -- \
	"nsrun" "$NSRUN" --root "$tmp/run" run -b "$tmp/net" bench-net -- \
	"ip, network only" "$tmp/by-ip"
if [ ! -x "$CNI/bridge" ]; then
	echo "CNI's bridge: not in $CNI"
elif "$tmp/by-cni" > "$tmp/err" 2>&1; then
	set -- "$@" -- "CNI, network only" "$tmp/by-cni"
else
	echo "CNI's bridge: fails: $(cat "$tmp/err" "$tmp/cni.out")"
	ip netns del nsbench || :
fi
"$here/build/rounds" "$ROUNDS" 0 "$@" > "$tmp/times"
awk -v rounds="$ROUNDS" -v floor=netfloor -f "$here/rounds.awk" "$tmp/times"
awk -F '\t' '
	{ by[$1] = $2 }
	END {
		floor = by["netfloor"] - by["floor, no network"]
		ours = by["nsrun"] - by["nsrun, no network"]
		if (floor > 0)
			printf "the network alone: nsrun / netfloor: %.2f\n",
				ours / floor
	}' "$tmp/times"

# ---- the throughput -----------------------------------------------------------

# through PID ADDRESS - Mbit/s from here into the namespace of PID; each end
# stays on a processor of its own, as where the scheduler puts them is most of
# the difference between two runs
last=$(($(nproc) - 1))
through() {
	nsenter -t "$1" -n taskset -c "$last" \
		iperf3 -s -1 > "$tmp/server" 2>&1 &
	server=$!
	tries=0
	until nsenter -t "$1" -n ss -Hltn 2>/dev/null | grep -q 5201; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || die "no iperf3 server: $(cat "$tmp/server")"
		sleep 0.05
	done
	taskset -c 0 iperf3 -c "$2" -t "$SECONDS_EACH" -f m |
		awk '/receiver/ { for (i = 2; i <= NF; i++)
			if ($i == "Mbits/sec") print $(i - 1) }'
	wait "$server"
	server=
}
# What others do on this machine is in the least of the best.
best() {
	sort -n "$1" | tail -n 1
}

if command -v iperf3 >/dev/null; then
	"$NSRUN" --root "$tmp/run" run -d -b "$tmp/pair" \
		--pid-file "$tmp/pid" bench-pair > "$tmp/out"
	unshare -n sleep 1000 &
	holder=$!
	until [ "$(readlink "/proc/$holder/ns/net")" != \
		"$(readlink /proc/self/ns/net)" ]; do
		sleep 0.05
	done
	ip link add by-ip type veth peer name eth0 netns "$holder"
	ip addr add 10.203.0.1/24 dev by-ip
	ip link set by-ip up
	nsenter -t "$holder" -n ip addr add 10.203.0.2/24 dev eth0
	nsenter -t "$holder" -n ip link set eth0 up
	i=0
	while [ $i -lt "$STREAMS" ]; do
		through "$(cat "$tmp/pid")" 10.202.0.2 >> "$tmp/nsrun.mbit"
		through "$holder" 10.203.0.2 >> "$tmp/ip.mbit"
		i=$((i + 1))
	done
	ours=$(best "$tmp/nsrun.mbit") theirs=$(best "$tmp/ip.mbit")
	echo "through the pair, Mbit/s, best of $STREAMS: nsrun $ours, ip $theirs, nsrun / ip" \
		"$(awk "BEGIN { printf \"%.3f\", $ours / $theirs }")"
else
	echo "iperf3: not installed"
fi

# Wrong numbers are worse than none.
awk -F '\t' '$4 { bad = 1 } END { exit bad }' "$tmp/times"
