#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2086,SC2154,SC2317,SC2016
#
# networks, routes and dns: the kernel's view of what is made, and packets that
# go through it. The host is played by a network namespace of this script's own,
# the outside world by a container behind it that has no way back but the one
# it was given.

[ -n "${NST_OWN_NET:-}" ] || {
	NST_OWN_NET=1
	export NST_OWN_NET
	unshare -n true 2>/dev/null && exec unshare -n sh "$0" "$@"
}
. "${0%/*}/../lib.sh"
need root net
ip link set lo up
br=br$$
for busybox in /bin/busybox /usr/bin/busybox ''; do
	[ ! -x "$busybox" ] || break
done
stay='"signal-wait","15"'

# NAME NETWORKS [ARGS [TOP]]: a running container of that name; what it says is
# in $T/NAME, the status in $status.
box()
{
	config caps="CAP_NET_RAW CAP_NET_ADMIN CAP_NET_BIND_SERVICE" \
		args="${3:-$stay}" \
		top="\"networks\":[$2]${4:+,$4}"
	$limit $NSRUN --root $STATE run -d -b "$B" $TAG-$1 >"$T/$1" \
		2>"$T/$1.err"
	status=$?
	out=
	err=$(cat "$T/$1.err")
}

# NAME COMMAND..: in it
in_box()
{
	box_name=$1
	shift
	$limit $NSRUN --root $STATE exec $TAG-$box_name "$@" 2>&1
}

end_box()
{
	for box_name; do
		$NSRUN --root $STATE delete --force $TAG-$box_name
	done
}

# What of ours is on the host: links but lo, and tables
on_host()
{
	sed -n 's/^ *\([^ ]*\):.*/\1/p' /proc/net/dev | grep -v '^lo$' |
		sort | tr '\n' ' '
	! command -v nft >/dev/null || nft list tables
}

# NAME ADDRESS PORT: what a box hears there; FROM host is the host
hears()
{
	if [ "$1" = host ]; then
		timeout 3 $PROBE connect $2 $3 2>&1
	else
		in_box $1 timeout 3 /bin/probe connect $2 $3
	fi
}

[ -z "$busybox" ] || for name in busybox ip ping timeout; do
	cp "$busybox" "$B/rootfs/bin/$name"
	made bin/$name
done
[ -n "$busybox" ] || { skip "networks" "no busybox here"; done_testing; }

# ---- a bridge -----------------------------------------------------------------

lan='"type":"veth","name":"eth0","bridge":"'$br'",
	"bridge_address":"10.77.0.1/24","bridge_ipv6_address":"fd77::1/64"'
box a '{'"$lan"',"address":"10.77.0.2/24","gateway":"10.77.0.1",
	"ipv6_address":"fd77::2/64","ipv6_gateway":"fd77::1","mtu":1400,
	"mac_address":"02:00:00:00:77:02","txqueuelen":77}' '' \
	'"routes":[{"destination":"10.99.0.0/16","gateway":"10.77.0.1",
	"source":"10.77.0.2","interface_name":"eth0"}]'
check_is "a container on a bridge" "$status$err" 0
box b '{'"$lan"',"address":"10.77.0.3/24","gateway":"10.77.0.1",
	"ipv6_address":"fd77::3/64"}'
check_is "a second one" "$status$err" 0
for pair in "b 10.77.0.2" "b fd77::2" "a 10.77.0.1" "a fd77::1"; do
	set -- $pair
	out=$(in_box $1 ping -c 1 -W 2 $2)
	check "$1 reaches $2 at once" [ "$?" = 0 ]
done
for to in 10.77.0.2 fd77::3; do
	out=$($busybox ping -c 1 -W 2 $to 2>&1)
	check "the host reaches $to" [ "$?" = 0 ]
done

out=$(in_box a ip addr)
status=0
check_out "the address" "inet 10\.77\.0\.2/24 "
check_out "that of IPv6" "inet6 fd77::2/64 "
check_out "the hardware address" "ether 02:00:00:00:77:02 "
check_out "the MTU and the queue" "eth0@.* mtu 1400 .*qlen 77"
check_out "lo is up" "lo: .*[<,]UP"
out=$(in_box a ip route)
check_out "the default route" "default via 10\.77\.0\.1 dev eth0"
check_out "the route that was asked" \
	"10\.99\.0\.0/16 via 10\.77\.0\.1 dev eth0 +src 10\.77\.0\.2"
out=$(in_box a ip -6 route)
check_out "the default route of IPv6" "default via fd77::1 dev eth0"
out=$(ip addr show dev $br)
check_out "the bridge has its address" "inet 10\.77\.0\.1/24 "
check_out "and that of IPv6" "inet6 fd77::1/64 "
out=$(ip link)
check_out "the other end has the MTU too" "veth.*mtu 1400"

verb state $TAG-a
check_out "state tells of the interface" '"Name": "eth0"'
check_out "and of its addresses" '"10\.77\.0\.2/24"'
verb events --stats $TAG-a
check "events too, with bytes" [ "$(printf '%s' "$out" |
	sed 's/.*"Name":"eth0"[^}]*"RxBytes":\([0-9]*\).*/\1/')" -gt 98 ]

end_box a
out=$(on_host)
check "the bridge stays for the other" sh -c 'case $1 in *$2*) ;;
	*) false ;; esac' - "$out" "$br"
end_box b
check_is "and goes with the last" "$(on_host)" ""

# ---- other links --------------------------------------------------------------

box p '{"type":"veth","name":"up0","host_interface_name":"web-up0",
	"address":"10.78.0.2/30","host_address":"10.78.0.1/30",
	"ipv6_address":"fd78::2/64","host_ipv6_address":"fd78::1/64"}'
check_is "a pair without a bridge" "$status$err" 0
out=$($busybox ping -c 1 -W 2 10.78.0.2 2>&1)
check "is reached" [ "$?" = 0 ]
out=$(in_box p ping -c 1 -W 2 fd78::1)
check "and reaches the host" [ "$?" = 0 ]
out=$(ip link)
check_out "by the name that was asked" "web-up0@"
box q '{"type":"veth","name":"up0","host_interface_name":"web-up0"}'
check "a name that is taken is refused" [ $status = 1 ]
check_err "and told" "networks\[0\]: create veth web-up0/up0: .*exists"
end_box p
check_is "nothing is left" "$(on_host)" ""

if ip link add $br type bridge 2>/dev/null; then
	ip addr add 10.79.0.1/24 dev $br
	ip link set $br up
	box a '{"type":"veth","name":"eth0","bridge":"'$br'",
		"bridge_address":"10.66.0.1/24","address":"10.79.0.2/24",
		"hairpin_mode":true}'
	check_is "a bridge of somebody else's is used" "$status$err" 0
	out=$(in_box a ping -c 1 -W 2 10.79.0.1)
	check "and reached" [ "$?" = 0 ]
	out=$(ip addr show dev $br)
	check "but gets no address" sh -c 'case $1 in *10.66.0.1*) false ;;
		esac' - "$out"
	port=$(ip link | sed -n 's/.*\(veth[0-9a-f]*\)@.*/\1/p')
	[ ! -e "/sys/class/net/$port/brport/hairpin_mode" ] ||
		check_is "hairpin_mode" \
			"$(cat "/sys/class/net/$port/brport/hairpin_mode")" 1
	end_box a
	check_is "nor is it removed" "$(on_host)" "$br "
	ip link del $br
fi

# A parent for those that have one
if ! ip link add up$$ type veth peer name far$$ 2>/dev/null ||
   ! ip link show far$$ >"$T/far" 2>&1; then	# busybox names no peer
	skip "macvlan, ipvlan, phys" "this ip makes no pair"
	ip link del up$$ 2>/dev/null
else
	ip link set up$$ up
	ip link set far$$ up
	ip addr add 10.80.0.1/24 dev far$$
	box m '{"type":"macvlan","name":"mac0","host_interface_name":"up'$$'",
		"address":"10.80.0.2/24","mac_address":"02:00:00:00:80:02"}'
	if [ $status = 0 ]; then
		out=$($busybox ping -c 1 -W 2 10.80.0.2 2>&1)
		check "a macvlan is reached" [ "$?" = 0 ]
	else
		skip "macvlan" "$err"
	fi
	end_box m
	box i '{"type":"ipvlan","name":"ipv0","host_interface_name":"up'$$'",
		"mode":"l2","address":"10.80.0.3/24"}'
	if [ $status = 0 ]; then
		out=$($busybox ping -c 1 -W 2 10.80.0.3 2>&1)
		check "an ipvlan is reached" [ "$?" = 0 ]
	else
		skip "ipvlan" "$err"
	fi
	end_box i
	box y '{"type":"phys","name":"wan","host_interface_name":"up'$$'",
		"address":"10.80.0.4/24"}'
	check_is "a device moves in" "$status$err" 0
	out=$($busybox ping -c 1 -W 2 10.80.0.4 2>&1)
	check "and is reached" [ "$?" = 0 ]
	end_box y
	ip link del far$$ 2>/dev/null
fi

# ---- translation ----------------------------------------------------------------

out_net='{"type":"veth","name":"eth0","host_interface_name":"outside",
	"address":"198.51.100.2/24","host_address":"198.51.100.1/24",
	"ipv6_address":"fdff::2/64","host_ipv6_address":"fdff::1/64"}'
nat=',"masquerade":true,"publish":["8080:80","198.51.100.1:8443:443/tcp",
	"[fdff::1]:8443:443"]'
server='"listen","::","80","hello"'
for i in 1 2 3 4 5; do
	server="$server,\":\",\"listen\",\"::\",\"80\",\"hello\""
done
box out "$out_net" '"listen","::","7","from outside",":","listen","::","7","six",
	":","signal-wait","15"'
check_is "an outside" "$status$err" 0
echo 0 >/proc/sys/net/ipv4/ip_forward
box s '{'"$lan"',"address":"10.77.0.2/24","gateway":"10.77.0.1",
	"ipv6_address":"fd77::2/64","ipv6_gateway":"fd77::1",
	"hairpin_mode":true'"$nat"'}' "$server"
if [ $status != 0 ] && printf '%s' "$err" | grep -q nf_tables; then
	skip "masquerade and publish" "$err"
	end_box s out
else
	check "masquerade and publish" [ $status = 0 ]
	check_err "forwarding is switched on, and said" "IPv4 forwarding was off"
	check_is "it is on" "$(cat /proc/sys/net/ipv4/ip_forward)" 1
	box c '{'"$lan"',"address":"10.77.0.3/24","gateway":"10.77.0.1",
		"ipv6_address":"fd77::3/64","ipv6_gateway":"fd77::1",
		"masquerade":true}'
	check_is "the outside is reached, which knows no way back" \
		"$(hears c 198.51.100.2 7)" "from outside"
	check_is "over IPv6, too" "$(hears c fdff::2 7)" six
	check_is "a port is reached from outside" \
		"$(hears out 198.51.100.1 8080)" hello
	check_is "over IPv6, too" "$(hears out fdff::1 8080)" hello
	check_is "from the host" "$(hears host 198.51.100.1 8080)" hello
	check_is "from another container" "$(hears c 10.77.0.1 8080)" hello
	check_is "from itself, by hairpin_mode" \
		"$(hears s 198.51.100.1 8080)" hello
	case $(hears out 198.51.100.1 80) in
	*hello*) fail "a port that was not published is not" ;;
	*) pass "a port that was not published is not" ;;
	esac
	if command -v nft >/dev/null; then
		out=$(nft list table ip nsrun-$TAG-s)
		status=0
		check_out "an address in front is matched" \
			"ip daddr 198\.51\.100\.1 tcp dport 8443 dnat to 10\.77\.0\.2:443"
		check_out "without one all of the host's are" \
			"fib daddr type local tcp dport 8080 dnat to 10\.77\.0\.2:80"
		check_out "what leaves is masqueraded" \
			"ip saddr 10\.77\.0\.2 .*masquerade"
	fi
	end_box s c out
	check_is "nothing is left" "$(on_host)" ""
	box u '{'"$lan"',"address":"10.77.0.2/24","gateway":"10.77.0.1",
		"publish":["53:5353/udp"]}'
	check "udp is published" [ $status = 0 ]
	end_box u
fi

# ---- dns --------------------------------------------------------------------------

mkdir -p "$B/rootfs/etc"
made etc/resolv.conf
made etc/hosts
made etc/hostname
config args='"exit","0"' \
	top='"hostname":"web","networks":[{"type":"veth","name":"eth0",
	"address":"10.77.0.9/24"}],"dns":{"nameservers":["10.77.0.1","fd77::1"],
	"search":["lan","example.org"],"options":["ndots:2"]}'
run
check_is "dns writes three files" "$status $(cd "$B/rootfs/etc" &&
	cat resolv.conf hosts hostname)" "0 nameserver 10.77.0.1
nameserver fd77::1
search lan example.org
options ndots:2
127.0.0.1 localhost
::1 localhost
10.77.0.9 web
web"
rm -f "$B/rootfs/etc/resolv.conf"
echo precious >"$T/host-file"
ln -s "../../../../../../../../../..$T/host-file" "$B/rootfs/etc/resolv.conf"
made "${T#/}"
config args='"exit","0"' top='"dns":{"nameservers":["10.0.0.1"]}'
run
check_is "a link that leads out leads nowhere" "$(cat "$T/host-file")" precious
rm -rf "$B/rootfs/etc/resolv.conf" "$B/rootfs/tmp/nst"*
mkfifo "$B/rootfs/etc/resolv.conf"
run
refused "a fifo is not written to" "dns: /etc/resolv.conf is no regular file"
rm -f "$B/rootfs/etc/resolv.conf"

# ---- failures -----------------------------------------------------------------------

# NETWORKS REGEX: refused while it is made, and nothing is left
fails()
{
	config top="\"networks\":[$1]" args='"exit","0"'
	run
	refused "refused: $2" "$2"
	check_is "and nothing is left" "$(on_host)" ""
}
fails '{"type":"veth","name":"eth0","bridge":"no'$$'"}' \
	"networks\[0\]: find the interface no$$: .*no such device"
fails '{"type":"phys","name":"eth0","host_interface_name":"no'$$'"}' \
	"networks\[0\]: find the interface no$$"
fails '{"type":"macvlan","name":"eth0","host_interface_name":"no'$$'"}' \
	"networks\[0\]: find the interface no$$"
fails '{'"$lan"',"address":"10.77.0.2/24","gateway":"10.99.99.1"}' \
	"networks\[0\]: gateway: set the default route"
fails '{'"$lan"',"address":"10.77.0.2/24"},{"type":"veth","name":"lo"}' \
	"networks\[1\]: create veth"
fails '{'"$lan"',"mtu":1}' "networks\[0\]"

# Killed in between: what is there is found again.
config top='"networks":[{'"$lan"',"address":"10.77.0.2/24",
	"gateway":"10.77.0.1"}]' args="$stay"
for wait in 0.002 0.005 0.01; do	# the shell says "Killed" of each
	$NSRUN --root $STATE run -b "$B" $TAG-k >"$T/k" 2>&1 &
	killed=$!
	sleep $wait
	[ "$killed" -gt 1 ] && kill -9 $killed
	wait $killed 2>/dev/null
	$NSRUN --root $STATE delete --force $TAG-k
	gone()
	{
		[ -z "$(on_host)" ]
	}
	check "killed after $wait s, nothing is left" wait_for gone
done

# ---- many ----------------------------------------------------------------------------

many=${MANY:-100}
[ "$(uname -r | cut -d. -f1)" -ge 6 ] && [ "$(nproc)" -ge 2 ] || many=10
for i in $(seq 1 $many); do
	config args="$stay" top='"networks":[{'"$lan"',
		"address":"10.77.0.'$((i + 1))'/24","gateway":"10.77.0.1"}]'
	cp "$B/config.json" "$T/config.$i"
done
config args="$stay"
failures=$(for start in $(seq 1 10 $many); do
	for i in $(seq $start $((start + 9))); do
		$NSRUN --root $STATE run -d -b "$B" -f "$T/config.$i" \
			$TAG-$i >"$T/out.$i" 2>&1 || cat "$T/out.$i" &
	done
	wait
done)
check_is "$many containers on one bridge, ten at a time" "$failures" ""
reached=0
for i in $(seq 1 $many); do
	! $busybox ping -c 1 -W 2 10.77.0.$((i + 1)) >"$T/ping" 2>&1 ||
		reached=$((reached + 1))
done
check_is "each is reached" $reached $many
for start in $(seq 1 10 $many); do
	for i in $(seq $start $((start + 9))); do
		$NSRUN --root $STATE delete --force $TAG-$i &
	done
	wait
done
check_is "all are gone, and the bridge with the last" "$(on_host)" ""
for file in "$T"/out.*; do
	[ ! -s "$file" ] || rm -f "$file"
done

done_testing
