#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2086,SC2317
#
# networks, routes and dns: what the kernel then shows, and packets that are
# really sent; between containers, the host and an outside behind it.
#
# The host is a network namespace of this script's own (see lib.sh), and so is
# the outside: whatever goes wrong, the machine's links, rules and forwarding
# stay as they are.
#
#	MANY=100	containers at once on one bridge

. "${0%/*}/../lib.sh"
need root net ip nsenter busybox
ours "all of ${0##*/}" || done_testing
MANY=${MANY:-100}
ip link add nst0 type veth 2>/dev/null || {
	skip "all of ${0##*/}" "this kernel has no veth"
	done_testing
}
ip link del nst0
iproute2=
case $(ip -V 2>/dev/null) in
*iproute2*) iproute2=1 ;;
esac
v6=/proc/sys/net/ipv6/conf
caps="CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE"

# An empty directory that shall not be written to, and a shell with ping.
mkdir "$T/victim"
busybox=$(command -v busybox)
[ -x "$busybox" ] || busybox=/bin/busybox	# of a shell that is one itself
cp "$busybox" "$B/rootfs/bin/busybox"
made bin/busybox

# ---- the words of this script ----------------------------------------------

# NAME NETWORKS [TOP]: starts a container that serves on port 80
up()
{
	what=$1
	config args="$(json_list serve 80 "$what")" caps="$caps" \
		ns="${spaces:-pid mount ipc uts network}" \
		top="\"networks\":[$2]${3:+,
		$3}"
	# Its stdout outlives the command.
	: >"$T/pay.$what"
	$limit "$NSRUN" --root "$STATE" run -b "$B" -d \
		--pid-file "$T/pid.$what" "$TAG-$what" \
		>"$T/pay.$what" 2>"$T/err"
	status=$? out='' err=$(cat "$T/err")
	if [ $status = 0 ]; then
		wait_for serves || fail_run "the container $what serves" \
			"$(cat "$T/pay.$what")"
	else
		fail_run "the container $what starts"
	fi
}

serves()
{
	grep -q serving "$T/pay.$what" || ! alive "$(pid_of "$what")"
}

down()
{
	for what; do
		verb delete --force "$TAG-$what"
		[ "$status" = 0 ] ||
			fail_run "the container $what is deleted"
	done
}

pid_of()
{
	cat "$T/pid.$1"
}

# NAME COMMAND..: of this machine, in the network namespace of a container
in_net()
{
	what=$(pid_of "$1")
	shift
	nsenter -t "${what:-no}" -n -- "$@" 2>&1
}

# NAME COMMAND..: in the container
within()
{
	what=$1
	shift
	verb exec "$TAG-$what" "$@"
}

# SENTENCE NAME WANT CONTAINER|host|outside COMMAND..: probe says WANT there
says()
{
	sentence=$1 wanted=$2 where=$3
	shift 3
	case $where in
	host)	out=$("$PROBE" "$@" 2>&1) ;;
	outside) out=$(nsenter -t $outside -n "$PROBE" "$@" 2>&1) ;;
	*)	within "$where" /bin/probe "$@" ;;
	esac
	check_is "$sentence" "$out" "$wanted"
}

# SENTENCE REGEX TEXT: a line of the text matches, whole
like()
{
	if printf '%s\n' "$3" | sed 's/ *$//' | grep -Eqx -e "$2"; then
		pass "$1"
	else
		fail "$1" "got:    $3" "wanted: $2"
	fi
}

# A member of networks on the bridge, whose addresses end in $1
on_bridge()
{
	printf '{"type":"veth","name":"eth0","bridge":"br0",
		"bridge_address":"10.201.0.1/24",
		"bridge_ipv6_address":"fd01::1/64",
		"address":"10.201.0.%s/24","ipv6_address":"fd01::%s/64",
		"gateway":"10.201.0.1","ipv6_gateway":"fd01::1"%s}' \
		"$1" "$1" "${2:+,$2}"
}

# What of nsrun's is in the host: links that are not in the list of those that
# this script made, tables, state.
left()
{
	sed -n 's/^ *\([^ ]*\):.*/\1/p' /proc/net/dev | sort |
		grep -Fxvf "$T/own_links"
	! has nft || nft list tables
	ls "$STATE" 2>/dev/null
}

own_links()
{
	sed -n 's/^ *\([^ ]*\):.*/\1/p' /proc/net/dev >"$T/own_links"
}

nothing_left()
{
	check_is "$1" "$(left)" ""
}

# A namespace, by a process that is $holder
hold_net()
{
	: >"$T/holder"		# what it holds of the last one is no answer
	"$PROBE" unshare net : echo up : sleep 1000 >"$T/holder" 2>&1 &
	holder=$!
	wait_for grep -q up "$T/holder"
}

# NAME PORT [COMMAND..]: $server answers there, where COMMAND leads to
serve()
{
	who=$1 port=$2
	shift 2
	: >"$T/serve"
	"$@" "$PROBE" serve "$port" "$who" >"$T/serve" &
	server=$!
	wait_for grep -q serving "$T/serve"
}

let_go()
{
	for process; do
		[ "$process" -gt 1 ] && kill -KILL "$process" &&
			wait "$process" 2>/dev/null
	done
}

# NAME PEER: a pair in the host, without doubts about IPv6 addresses
pair()
{
	(cd / && nsenter -t $$ -n ip link add "$1" type veth)
	other=$(ip link show "$1" | sed -n "s/^[0-9]*: $1@\([^:]*\):.*/\1/p")
	ip link set "$other" name "$2"
	for what in $1 $2; do
		echo 0 >$v6/$what/accept_dad
		ip link set "$what" up
	done
}

: >"$T/serve"
own_links

# ---- two on a bridge --------------------------------------------------------

up a "$(on_bridge 2 '"mac_address":"02:00:00:00:00:0a","mtu":1400,
	"txqueuelen":77,"host_interface_name":"vh-a"')"
config caps="$caps" top="\"networks\":[$(on_bridge 3)]" \
	args="$(json_list connect 10.201.0.2 80 : connect fd01::2 80)"
run
check_is "the next on the bridge reaches it at once, IPv4 and IPv6" \
	"$status $out$err" "0 a from 10.201.0.3
a from fd01::3"

links=$(in_net a ip link show)
like "a mac_address is there" ".*ether 02:00:00:00:00:0a .*" \
	"$(in_net a ip link show eth0)"
show_link()
{
	in_net a ip link show eth0 | xargs
	ip link show vh-a | xargs
}
ends=$(show_link)
check_is "the mtu, the queue and UP are those of both ends" \
	"$(printf '%s\n' "$ends" | grep -c '[<,]UP[,>].* mtu 1400 .*qlen 77')" 2
check_is "the end on the host has its name, and is a port of the bridge" \
	"$(ip link show vh-a | grep -c 'vh-a.* master br0 ')" 1
check_is "in the container there are lo and eth0" \
	"$(printf '%s\n' "$links" | sed -n 's/^[0-9]*: \([a-z0-9]*\).*/\1/p' |
		xargs)" "lo eth0"
check_is "lo is up" \
	"$(printf '%s\n' "$links" | grep -c ' lo: <.*[<,]UP[,>]')" 1
check_is "the addresses are there, and no IPv6 address is tentative" \
	"$(in_net a ip addr show eth0 | sed -n \
		'/tentative/p; s/^ *inet6* \([^ ]*\) .*global.*/\1/p' | xargs)" \
	"10.201.0.2/24 fd01::2/64"
check_is "the gateway is the default route" \
	"$(in_net a ip route show | grep '^default' | xargs)" \
	"default via 10.201.0.1 dev eth0"
like "that of IPv6 too" "default via fd01::1 dev eth0.*" \
	"$(in_net a ip -6 route show)"
check_is "the bridge has its addresses and is up" \
	"$(ip addr show br0 | sed -n 's/^ *inet6* \([^ ]*\) .*global.*/\1/p
		s/.*[<,]\(UP\)[,>].*/\1/p' | xargs)" \
	"UP 10.201.0.1/24 fd01::1/64"

routers()
{
	# shellcheck disable=SC2013 # words
	for link in $(sed -n 's/^ *\([^ ]*\):.*/\1/p' /proc/net/dev); do
		[ "$link" = lo ] || cat "$v6/$link/accept_ra"
	done
	in_net a cat "$v6/eth0/accept_ra"
}
check_is "no container is heard as a router" "$(routers | xargs)" "0 0 0"
says "the host reaches the container" "a from 10.201.0.1
a from fd01::1" host connect 10.201.0.2 80 : connect fd01::2 80
serve host 90
says "the container reaches the host" "host from 10.201.0.2
host from fd01::2" a connect 10.201.0.1 90 : connect fd01::1 90
within a /bin/busybox ping -c 1 -W 5 10.201.0.1
check_out "and pings it" "1 packets received"
within a /bin/busybox ping -c 1 -W 5 -s 1372 10.201.0.1
check_out "with as much as the mtu allows" "1 packets received"
let_go $server

verb state "$TAG-a"
check_out "state shows the interface" '"Name": *"eth0"'
check_out "and its address" '"10.201.0.2/24"'
verb events --stats "$TAG-a"
check_out "events --stats counts its packets" '"RxPackets": *[1-9]'

# The same by ip, and what the kernel shows then.
normal()
{
	sed 's/^[0-9]*: //; s/@[^:]*:/:/; s/ numtxqueues.*//; s/group [^ ]*//
		s/link-netnsid [0-9]*//; s/state [A-Z]*//
		s/link-netns [^ ]*//
		/fe80::/d; /valid_lft/d; /alias/d; /bridge_slave/d
		s|link/ether [0-9a-f:]* |link/ether |
		s|vh-b|vh-a|; s| br1 | br0 |'
}
if [ -n "$iproute2" ]; then
	hold_net
	ip link add br1 type bridge
	ip addr add 10.201.0.1/24 brd + dev br1
	ip addr add fd01::1/64 dev br1 nodad
	ip link set br1 up
	ip link add vh-b mtu 1400 txqueuelen 77 type veth peer name eth0 \
		mtu 1400 txqueuelen 77 netns $holder
	ip link set vh-b master br1 up
	echo "$holder" >"$T/pid.b"
	in_net b ip addr add 10.201.0.2/24 brd + dev eth0
	in_net b ip addr add fd01::2/64 dev eth0 nodad
	in_net b ip link set lo up
	in_net b ip link set eth0 up
	in_net b ip route add default via 10.201.0.1
	in_net b ip route add default via fd01::1
	for net in a b; do
		{
			in_net $net ip -d addr show
			in_net $net ip route show table all
			in_net $net ip -6 route show table all | grep -v fe80
			ip -d link show vh-$net
		} | normal | sort >"$T/shown.$net"
	done
	check_is "links, addresses and routes are those that ip makes" \
		"$(diff "$T/shown.a" "$T/shown.b")" ""
	for net in br0 br1; do
		# but for the group, by which it is known again
		ip -d addr show $net | normal |
			sed "s/$net/br/; s/group [a-z0-9]*/group/" |
			grep -E 'inet|mtu' >"$T/shown.$net"
	done
	check_is "so is the bridge" \
		"$(diff "$T/shown.br0" "$T/shown.br1")" ""
	let_go $holder
	ip link del br1
else
	skip "links, addresses and routes are those that ip makes" \
		"busybox ip shows too little"
fi

# WHAT NETWORKS: of the container a on the bridge, or of the bridge
clash()
{
	config args='"exit","0"' top="\"networks\":[$2]"
	run
	refused "an address is refused that $1 has" "networks\[0\][:.] *$3"
}
clash "another container of the bridge" "$(on_bridge 2)" \
	"address: '$TAG-a' on br0 has the same"
clash "another, of IPv6" \
	"$(on_bridge 3 | sed 's|"fd01::3/64"|"fd01::2/64"|')" \
	"ipv6_address: '$TAG-a' on br0 has the same"
clash "the bridge" '{"type":"veth","name":"eth0","bridge":"br0",
	"address":"10.201.0.1/24"}' "address: br0 itself has the same"
clash "the bridge, by its IPv6" '{"type":"veth","name":"eth0",
	"bridge":"br0","ipv6_address":"fd01::1/64"}' \
	"ipv6_address: br0 itself has the same"
clash "the gateway" "$(on_bridge 1)" "address: is that of the gateway"
up b "$(on_bridge 3)"
says "an address that another had a moment ago is reached at once" \
	"b from 10.201.0.2
b from fd01::2" a connect 10.201.0.3 80 : connect fd01::3 80
# Who goes is the one whose link gave the bridge its address, if one did: what
# the other remembers of the gateway must stay true.
serve host 90
for net in a b; do
	in_net $net ip neigh flush dev eth0 >"$T/out"
	within $net /bin/probe ask 10.201.0.1 90 : ask fd01::1 90
done
ether()
{
	ip link show "$1" | sed -n 's/.*ether \([^ ]*\).*/\1/p'
}
goes=b stays=a number=2
[ "$(ether vh-a)" != "$(ether br0)" ] || goes=a stays=b number=3
down $goes
check "the bridge stays for the other" ip link show br0 >"$T/out"
says "which reaches the gateway as before" "host from 10.201.0.$number
host from fd01::$number" $stays ask 10.201.0.1 90 1 : ask fd01::1 90 1
says "and goes on to be reached" "$stays from 10.201.0.1" \
	host connect 10.201.0.$number 80
down $stays
let_go $server
nothing_left "the last takes the bridge with it"

# The kernel takes a namespace down a little later than the last process ends.
up a "$(on_bridge 2)"
kill -KILL "$(pid_of a)"
no_port()
{
	! ip link show | grep -q "master br0"
}
check "with the container's processes its links go" wait_for no_port
down a
nothing_left "a delete much later takes the bridge nevertheless"
[ -z "$(left)" ] || ip link del br0

stays=
for turn in 1 2 3 4 5 6 7 8 9 10; do
	config args='"exit","0"' top="\"networks\":[$(on_bridge $((turn + 1)))]"
	run
	[ -z "$(left)" ] || {
		stays="$stays $turn: $(left)"
		ip link del br0
	}
done
check_is "ten that end by themselves take it too" "$stays" ""

# ---- several, routes, without a bridge -------------------------------------

up a '{"type":"veth","name":"wan0","address":"10.202.0.2/30",
		"host_address":"10.202.0.1/30","ipv6_address":"fd02::2/126",
		"host_ipv6_address":"fd02::1/126","host_interface_name":"vh-a"},
	'"$(on_bridge 2)"', {"type":"loopback"}' \
	'"routes":[{"destination":"10.210.0.0/16","gateway":"10.202.0.1"},
		{"destination":"10.211.0.0/16","interface_name":"wan0",
			"source":"10.202.0.2"},
		{"destination":"fd11::/48","gateway":"fd02::1"},
		{"destination":"192.0.2.77/32","gateway":"10.201.0.9",
			"interface_name":"eth0"}]'
says "a pair without a bridge has an address at each end" \
	"a from 10.202.0.1
a from fd02::1" host connect 10.202.0.2 80 : connect fd02::2 80
says "beside it is the second network" "a from 10.201.0.1" \
	host connect 10.201.0.2 80
check_is "no end is a port where there is no bridge" \
	"$(ip link show vh-a | grep -c master)" 0
broadcast()
{
	sed -n 's/^ *inet .* brd \([^ ]*\) .*/\1/p' | xargs
}
check_is "IPv4 addresses have their broadcast address: inside" \
	"$(in_net a ip addr show | broadcast)" "10.202.0.3 10.201.0.255"
check_is "and on the host, the bridge and the other end" \
	"$(ip addr show br0 | broadcast) $(ip addr show vh-a | broadcast)" \
	"10.201.0.255 10.202.0.3"
routes=$(in_net a ip route show; in_net a ip -6 route show)
for route in "10.210.0.0/16 via 10.202.0.1 dev wan0" \
	"10.211.0.0/16 dev wan0.* src 10.202.0.2" \
	"192.0.2.77 via 10.201.0.9 dev eth0" "fd11::/48 via fd02::1 dev wan0"; do
	like "routes: $route" "$route.*" "$routes"
done
down a
up a '{"type":"veth","name":"eth0","address":"10.202.0.2/31",
	"host_address":"10.202.0.3/31","host_interface_name":"vh-a"}'
check_is "but those of a network of two have none" \
	"$( (ip addr show vh-a; in_net a ip addr show) | broadcast)" ""
down a
# As providers have them: each address alone, and a gateway that is elsewhere
up a '{"type":"veth","name":"eth0","host_interface_name":"vh-a",
	"address":"10.202.0.2/32","gateway":"10.212.0.1",
	"host_address":"10.212.0.1/32","ipv6_address":"fd02::2/128",
	"ipv6_gateway":"fd12::1","host_ipv6_address":"fd12::1/128"}' \
	'"routes":[{"destination":"10.210.0.0/16","gateway":"10.212.0.9",
		"interface_name":"eth0"}]'
ip route add 10.202.0.2/32 dev vh-a
ip -6 route add fd02::2/128 dev vh-a
serve host 90
says "a gateway outside the container's network is reached" \
	"host from 10.202.0.2
host from fd02::2" a connect 10.212.0.1 90 : connect fd12::1 90
let_go $server
like "so is that of a route with an interface_name" \
	"10.210.0.0/16 via 10.212.0.9 dev eth0.*" "$(in_net a ip route show)"
down a
nothing_left "all of it goes"

able "networks in a user namespace" userns && {
	config caps="$caps" ns="user pid mount ipc uts network" \
		top="\"networks\":[$(on_bridge 2)]" \
		linux='"uidMappings":[{"containerID":0,"hostID":0,"size":65536}],
		"gidMappings":[{"containerID":0,"hostID":0,"size":65536}]' \
		args="$(json_list show link : try connect 10.201.0.1 80 : \
		try connect fd01::1 80)"
	run
	check_is "a container with a user namespace has them too" \
		"$(seen link | grep -c 'eth0 up')$(seen error)$err" \
		"1connect 10.201.0.1: Connection refused
connect fd01::1: Connection refused"
}

up a '{"type":"veth","name":"eth0","address":"10.202.0.2/24",
	"gateway":"10.202.0.1","ipv6_address":"fd02::2/64",
	"ipv6_gateway":"fd02::1","metric":10},
	{"type":"veth","name":"eth1","address":"10.212.0.2/24",
	"gateway":"10.212.0.1","ipv6_address":"fd12::2/64",
	"ipv6_gateway":"fd12::1","metric":20}' \
	'"routes":[{"destination":"10.9.0.0/16","gateway":"10.202.0.9"},
		{"destination":"10.9.0.0/16","gateway":"10.212.0.9","metric":7}]'
for route in "default via 10.202.0.1 dev eth0 *metric 10" \
	"default via 10.212.0.1 dev eth1 *metric 20" \
	"10.9.0.0/16 via 10.202.0.9 dev eth0" \
	"10.9.0.0/16 via 10.212.0.9 dev eth1 *metric 7"; do
	like "a metric tells routes apart: $route" "$route *" \
		"$(in_net a ip route show)"
done
for route in "default via fd02::1 dev eth0 *metric 10" \
	"default via fd12::1 dev eth1 *metric 20"; do
	like "of IPv6, too: $route" "$route.*" "$(in_net a ip -6 route show)"
done
down a

# A host without IPv6; a namespace that is joined is one, too.
hold_net
echo "$holder" >"$T/pid.holder"
in_net holder sh -c "echo 1 >$v6/default/disable_ipv6"
echo 1 >$v6/default/disable_ipv6
up b "$(on_bridge 3 | sed 's/"bridge_ipv6_address":"[^"]*",//
	s/"ipv6_[a-z]*":"[^"]*",//; s/,"ipv6_gateway":"[^"]*"//')"
check_is "where IPv6 is off links without an address of it are left alone" \
	"$(cat $v6/br0/disable_ipv6) $err" "1 "
spaces="pid mount ipc uts network:/proc/$holder/ns/net"
up a "$(on_bridge 2),"'{"type":"veth","name":"wan0","host_interface_name":"vh-a",
	"ipv6_address":"fd02::2/126","host_ipv6_address":"fd02::1/126"}'
says "and those with one have it on: the bridge, the other end, inside" \
	"a from fd01::1
a from fd02::1" host connect fd01::2 80 : connect fd02::2 80
down a b
spaces=
echo 0 >$v6/default/disable_ipv6
let_go $holder
nothing_left "those go, too"

# ---- somebody else's bridge --------------------------------------------------

ip link add own0 type bridge
ip addr add 10.204.0.1/24 dev own0
ip link set own0 up
own_links
see_own()
{
	ip addr show own0 | grep 'inet '
	ip link show own0 | grep alias
	ip link show own0 | grep -c '[<,]UP[,>]'
}
before=$(see_own)
up a '{"type":"veth","name":"eth0","bridge":"own0","address":"10.204.0.2/24",
	"bridge_address":"10.204.0.9/24"}'
says "a bridge of somebody else's is used" "a from 10.204.0.1" \
	host connect 10.204.0.2 80
check_is "and not changed" "$(see_own)" "$before"
down a
check_is "nor removed" "$(see_own)" "$before"
# A port with another mtu would change that of the bridge.
ip link set own0 mtu 1300
up a '{"type":"veth","name":"eth0","bridge":"own0","address":"10.204.0.2/24",
	"host_interface_name":"vh-a"}'
mtu_of()
{
	sed -n 's/.* mtu \([0-9]*\) .*/\1/p'
}
check_is "a port has the mtu of its bridge, at both ends" \
	"$(for link in own0 vh-a; do ip link show $link; done | mtu_of | xargs) \
$(in_net a ip link show eth0 | mtu_of)" "1300 1300 1300"
down a
ip link set own0 mtu 1500
mkdir "$T/sys"
mount -t sysfs sysfs "$T/sys"		# of this network namespace
filter=$T/sys/class/net/own0/bridge
# NUMBER [MEMBERS]
on_own()
{
	printf '{"type":"veth","name":"eth0","bridge":"own0",
		"address":"10.204.0.%s/24"%s}' "$1" "${2:+,$2}"
}
config args='"exit","0"' top="\"networks\":[$(on_own 2 '"vlan":10')]"
run
refused "a vlan is refused where the bridge has no filter" \
	"networks\[0\]: vlan: own0 does not filter"
if { echo 1 >"$filter/vlan_filtering"; } 2>/dev/null; then
	up a "$(on_own 2 '"vlan":10')"
	up b "$(on_own 3 '"vlan":20')"
	up c "$(on_own 4)"
	up d "$(on_own 5 '"vlan":10')"
	says "a port reaches its vlan" "d from 10.204.0.2" \
		a connect 10.204.0.5 80
	for number in 3 4; do
		within a /bin/busybox ping -c 1 -W 1 10.204.0.$number
		check "and no other" [ "$status" != 0 ]
	done
	within c /bin/busybox ping -c 1 -W 1 10.204.0.5
	check_is "nor hears who asks for it in the default one" \
		"$(in_net d ip neigh show | grep '^10.204.0.4 ')" ""
	down a b c d
	echo 0 >"$filter/vlan_filtering"	# or it is refused
	echo 0 >"$filter/default_pvid"
	echo 1 >"$filter/vlan_filtering"
	config args='"exit","0"' top="\"networks\":[$(on_own 2)]"
	run
	refused "where the bridge has none for a new port, vlan is missing" \
		"networks\[0\]: vlan: is missing: own0 .*default_pvid is 0"
	up a "$(on_own 2 '"vlan":10')"
	check_is "with it all is well" "$status$err" 0
	down a
else
	skip "a port has a vlan" "this kernel has no filter of VLANs in a bridge"
fi
umount "$T/sys"
ip link del own0
own_links

# ---- other types --------------------------------------------------------------

pair p0 p1
ip addr add 10.205.0.1/24 dev p1
own_links
# TYPE NUMBER [MEMBERS]: an address of its own each, which p1 remembers
on_link()
{
	printf '{"type":"%s","name":"eth0","host_interface_name":"p0",
		"address":"10.205.0.%s/24"%s}' "$1" "$2" "${3:+,$3}"
}
# TYPE: whether this kernel has it
knows()
{
	ip link add link p0 nst1 type "$1" 2>/dev/null || {
		skip "$2" "this kernel has no $1"
		return 1
	}
	ip link del nst1
}
# TYPE NUMBER: kernels before 6.15 look for the name among the host's links
name_of_host()
{
	pair eth0 nst1
	up a "$(on_link $1 $2)"
	says "a link of the host may have the name of a container's $1" \
		"a from 10.205.0.1" host connect 10.205.0.$2 80
	down a
	ip link del eth0
	nothing_left "it goes, too"
}
knows macvlan "a macvlan" && {
	config args='"exit","0"' caps="$caps" \
		top="\"networks\":[$(on_link macvlan 2 '"mode":"passthru"')]"
	for round in 1 2 3 4 5 6; do
		run
		[ "$status" = 0 ] || break
	done
	check_is "one comes at once after another" "$round $status $err" "6 0 "
	up a "$(on_link macvlan 2 '"mac_address":"02:00:00:00:00:0b","mtu":1300,
		"mode":"private"')"
	says "a macvlan reaches what is behind its parent" "a from 10.205.0.1" \
		host connect 10.205.0.2 80
	like "it has its mtu and its address" \
		".* mtu 1300 .*ether 02:00:00:00:00:0b .*" \
		"$(in_net a ip link show eth0 | xargs)"
	[ -z "$iproute2" ] || like "and its mode" ".*macvlan mode private.*" \
		"$(in_net a ip -d link show eth0)"
	down a
	nothing_left "it goes with the container"
	ip link set p0 mtu 1400
	up a "$(on_link macvlan 8)"
	check_is "without an mtu it has that of its parent" \
		"$(in_net a ip link show eth0 | mtu_of)" 1400
	down a
	config args='"exit","0"' \
		top="\"networks\":[$(on_link macvlan 8 '"mtu":1500')]"
	run
	refused "one that is more is refused" \
		"networks\[0\]: mtu: 1500 is more than the 1400 of p0"
	ip link set p0 mtu 1500
	name_of_host macvlan 6
}
knows ipvlan "an ipvlan" && {
	up a "$(on_link ipvlan 3 '"mode":"l2"')"
	says "an ipvlan reaches what is behind its parent" "a from 10.205.0.1" \
		host connect 10.205.0.3 80
	down a
	nothing_left "it goes with the container"
	name_of_host ipvlan 7
}
for kind in macvlan ipvlan; do
	ip link add link p0 nst1 type $kind 2>/dev/null && {
		ip link del nst1
		skip "the message where a kernel has no $kind" "this one has it"
		continue
	}
	config args='"exit","0"' top="\"networks\":[$(on_link $kind 3)]"
	run
	refused "a kernel without $kind is told by the name of its option" \
		"no $kind: CONFIG_$(echo $kind | tr '[:lower:]' '[:upper:]')"
done
# SENTENCE: p0 is in the host as it was before
back()
{
	check_is "$1" "$(as_it_was)" "$before"
	ip link set p0 up
}
mount -t sysfs none "$T/victim"	# that of the machine shows its own links
as_it_was()
{
	cat "$T/victim/class/net/p0/mtu" "$T/victim/class/net/p0/address" \
		2>&1 | xargs
}
ip link set p0 mtu 1400
before=$(as_it_was)
up a "$(on_link phys 4 '"mtu":1300,"mac_address":"02:00:00:00:00:0c"')"
says "a device moves in" "a from 10.205.0.1" host connect 10.205.0.4 80
check_is "with a new name and a new mtu" \
	"$(in_net a ip link show eth0 | grep -c 'mtu 1300')$(
		ip link show p0 2>/dev/null)" 1
down a
back "delete gives it back, with its name, mtu and address"
kept_net()
{
	grep -c "$STATE" /proc/self/mounts
}
up a "$(on_link phys 4 '"mtu":1300')"
in_net a ip link set eth0 down
in_net a ip link set eth0 name renamed
kill -KILL "$(pid_of a)"
down a
back "so it does when it was renamed inside, and init ended by itself"
check_is "and keeps no namespace" "$(kept_net)" 0
# What a container with CAP_NET_ADMIN may do to it.
up a "$(on_link phys 4)"
in_net a ip link set eth0 alias "nsrun x-1 1 1 1"
in_net a ip link set eth0 group 1853059694
if in_net a ip link property add dev eth0 altname zz9; then
	in_net a ip link property del dev eth0 altname zz9
	pair taken0 taken1
	in_net a ip link property add dev eth0 altname taken0
	down a
	back "it comes back from an alternative name that the host has"
	ip link del taken0
else
	down a
	back "it comes back"
fi
check_is "with the alias and the group that it had" \
	"$(ip link show p0 | grep -c 'alias\|group 1853059694')" 0
config args='"exit","0"' caps="$caps" top="\"networks\":[$(on_bridge 2 | sed \
	s/eth0/eth1/), $(on_link phys 4 '"mac_address":"02:00:00:00:00:0d"')]"
run
check_is "a run that ends" "$status$err" 0
back "gives it back"
for members in ',"mtu":10}]' ',"mac_address":"01:00:5e:00:00:01"}]' \
	'}],"routes":[{"destination":"10.9.0.0/16","interface_name":"eth7"}]'; do
	config caps="$caps" top="\"networks\":[$(on_link phys 4 |
		sed "s|}\$|$members|")"
	run
	check_is "a run that fails" "$status" 1
	back "gives it back ($members)"
done
config cmd='"/bin/missing"' top="\"networks\":[$(on_link phys 4)]"
"$NSRUN" --root /proc/none run -b "$B" "$ID" 2>"$T/err"
back "and one without a state"
config args='"serve","80","a"' caps="$caps" top="\"networks\":[$(on_link phys 4 \
	'"mtu":1300')]"
start
[ "$runner" -gt 1 ] && kill -KILL "$runner"
wait "$runner" 2>/dev/null
config args='"exit","0"' caps="$caps" top="\"networks\":[$(on_link phys 4)]"
run
check_is "after a kill -9 the next run finds it" "$status$err" 0
back "and gives it back as it was before the first"
umount "$T/victim"
gone()
{
	! ip link show "$1" >/dev/null 2>&1
}
ip link del p0
own_links

# ---- a hardware address without an address, as for DHCP -----------------------

pair p0 p1
own_links
for kind in veth macvlan; do
	[ $kind = veth ] || knows $kind "a hardware address that lasts" ||
		continue
	seen=
	for round in 1 2; do
		member='"host_interface_name":"p0"'
		[ $kind = macvlan ] || member='"txqueuelen":50'
		up a "{\"type\":\"$kind\",\"name\":\"eth0\",$member},
			{\"type\":\"$kind\",\"name\":\"eth1\",$member}"
		seen="$seen
$(in_net a ip link show | sed -n 's/.*ether \([^ ]*\).*/\1/p' | xargs)"
		down a
	done
	check_is "a $kind has the same each time, and each its own" \
		"$(echo "$seen" | sort -u | grep -c :) \
$(echo "$seen" | xargs -n 1 | sort -u | grep -c :)" "1 2"
done
ip link del p0
own_links

# ---- a namespace that is joined -------------------------------------------------

hold_net
echo "$holder" >"$T/pid.holder"
spaces="pid mount ipc uts network:/proc/$holder/ns/net"
up a "$(on_bridge 2)"
says "a namespace that is joined gets the links too" "a from 10.201.0.1" \
	host connect 10.201.0.2 80
check_is "so it has eth0" "$(in_net holder ip link show eth0 | grep -c mtu)" 1
config ns="$spaces" args='"exit","0"' caps="$caps" \
	top="\"networks\":[$(on_bridge 3)]"
run
refused "a name that it has already is refused" \
	"networks\[0\]: .*eth0.*: .*file exists"
down a
check_is "delete takes them away" \
	"$(in_net holder ip link show eth0 2>/dev/null | grep -c mtu)" 0
pair p0 p1
own_links
knows macvlan "a macvlan in a joined namespace" && {
	up a "$(on_link macvlan 5)"
	down a
	check_is "also a macvlan" \
		"$(in_net holder ip link show eth0 | grep -c mtu)" 0
}
ip link del p0
own_links
let_go $holder
spaces=

# ---- the outside ------------------------------------------------------------------

hold_net
outside=$holder
echo "$outside" >"$T/pid.outside"
pair out0 out1
ip link set out1 netns $outside
own_links
in_net outside sh -c "echo 0 >$v6/out1/accept_dad
	ip link set lo up; ip link set out1 up
	ip addr add 10.203.0.2/24 dev out1; ip addr add fd03::2/64 dev out1"
ip addr add 10.203.0.1/24 dev out0
ip addr add fd03::1/64 dev out0
serve outside 90 nsenter -t $outside -n
forwarding()
{
	cat /proc/sys/net/ipv4/ip_forward $v6/all/forwarding | xargs
}

nat=1
"$PROBE" lack netlink 12 : echo ok >"$T/out" 2>&1 && {
	config args='"exit","0"' top="\"networks\":[$(on_bridge 2 \
		'"masquerade":true')]"
	real=$NSRUN
	printf '#!/bin/sh\nexec "%s" lack netlink 12 : exec "%s" "$@"\n' \
		"$PROBE" "$real" >"$T/nsrun-lacking"
	chmod 755 "$T/nsrun-lacking"
	NSRUN=$T/nsrun-lacking
	run
	refused "without nf_tables .*in the kernel masquerade is refused" \
		"nf_tables .*in the kernel"
	nothing_left "then nothing is left"
	config args='"echo","ran"' top="\"networks\":[$(on_bridge 2)]"
	run
	check_is "what needs none goes on" "$status $out$err" "0 ran"
	sed 's/netlink 12/netlink 0/' "$T/nsrun-lacking" >"$T/nsrun-mute"
	cat "$T/nsrun-mute" >"$T/nsrun-lacking"
	run
	check "without rtnetlink all networks are" [ "$status" = 1 ]
	check_err "and it says so" "^nsrun: cannot run .*: .*open netlink"
	NSRUN=$real
}

echo 0 >/proc/sys/net/ipv4/ip_forward
echo 0 >$v6/all/forwarding
up a "$(on_bridge 2)"
check_is "forwarding is left alone where nobody wants it" "$(forwarding)$err" \
	"0 0"
says "without masquerade the outside does not answer" \
	"error ask 10.203.0.2: Resource temporarily unavailable" \
	a ask 10.203.0.2 90 1
down a
up a "$(on_bridge 2 '"masquerade":true')"
if [ "$status" != 0 ]; then
	nat=
else
	check_is "masquerade switches forwarding on" "$(forwarding)" "1 1"
fi
if [ -n "$nat" ]; then
check_is "and says so" "$(printf '%s\n' "$err" |
	grep -c 'IPv[46] forwarding was off')" 2
says "the outside sees the address of the host" "outside from 10.203.0.1
outside from fd03::1
outside from 10.203.0.1
outside from fd03::1" a connect 10.203.0.2 90 : connect fd03::2 90 : \
	ask 10.203.0.2 90 : ask fd03::2 90
within a /bin/busybox ping -c 1 -W 5 10.203.0.2
check_out "and answers a ping" "1 packets received"
says "the host sees the container's own" "a from 10.201.0.1" \
	host connect 10.201.0.2 80
up b "$(on_bridge 3)"
check_is "where it is on, nothing is said" "$err" ""
down b
down a
echo 0 >/proc/sys/net/ipv4/ip_forward
echo 0 >$v6/all/forwarding
config cmd='"/bin/missing"' \
	top="\"networks\":[$(on_bridge 2 '"masquerade":true')]"
run
check_is "a run that fails leaves it off" "$status $(forwarding)" "1 0 0"
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >$v6/all/forwarding
echo 0 >/proc/sys/net/ipv4/conf/default/forwarding
echo 0 >$v6/default/forwarding
up a "$(on_bridge 2 '"masquerade":true')"
says "new links forward where conf/default says 0" \
	"outside from 10.203.0.1
outside from fd03::1" a connect 10.203.0.2 90 : connect fd03::2 90
down a
up a "$(on_bridge 2 '"masquerade":true' | sed 's/bridge/host/g
	s/"host":"br0",//')"
says "and where there is no bridge" "outside from 10.203.0.1
outside from fd03::1" a connect 10.203.0.2 90 : connect fd03::2 90
down a
echo 1 >/proc/sys/net/ipv4/conf/default/forwarding
echo 1 >$v6/default/forwarding
if has nft; then
	nft -f - <<-END
	table inet fw {
		chain pass {
			type filter hook forward priority 0; policy accept;
		}
		chain stop {
			type filter hook forward priority 0; policy drop;
		}
	}
	END
	up a "$(on_bridge 2 '"masquerade":true,"publish":["8080:80"]')"
	check_err "a firewall that drops what is forwarded is told of" \
		"^nsrun: networks: the chain stop of the table inet fw drops"
	printf '%s\n' "$err" | sed -n 's/.*Networks: //p' >"$T/rules"
	says "for it does so" \
		"error ask 10.203.0.2: Resource temporarily unavailable" \
		a ask 10.203.0.2 90 1
	sh "$T/rules"
	says "the rules that it is told with let a container out" \
		"outside from 10.203.0.1
outside from fd03::1" a connect 10.203.0.2 90 : connect fd03::2 90
	says "and others in by its port" "a from 10.203.0.2
a from fd03::2" outside connect 10.203.0.1 8080 : connect fd03::1 8080
	down a
	up a "$(on_bridge 2 '"masquerade":true' | sed 's/bridge/host/g
		s/"host":"br0",//')"
	check_is "with them nothing is said" "$err" ""
	says "nor are they for bridges alone" "outside from 10.203.0.1" \
		a connect 10.203.0.2 90
	down a
	nft delete table inet fw
else
	skip "a firewall that drops what is forwarded is told of" "no nft here"
fi
up a "$(on_bridge 2 '"masquerade":true')"
up b "$(on_bridge 3)"
says "a neighbour too" "b from 10.201.0.2
b from fd01::2" a connect 10.201.0.3 80 : connect fd01::3 80
down a b
nothing_left "the rules go with the container"

# ---- published ports --------------------------------------------------------------

up a "$(on_bridge 2 '"publish":["8080:80","8080:80/udp","10.203.0.1:8081:80/tcp",
	"[fd03::1]:8082:80/tcp"],"hairpin_mode":true,"masquerade":true')"
says "a published port is reached from outside at once" "a from fd03::2
a from 10.203.0.2" outside ask fd03::1 8080 1 : ask 10.203.0.1 8080 1
says "over TCP too" \
	"a from 10.203.0.2
a from fd03::2" outside connect 10.203.0.1 8080 : connect fd03::1 8080
says "from the host by each of its addresses" "a from 10.203.0.1
a from 10.201.0.1" host connect 10.203.0.1 8080 : connect 10.201.0.1 8080
says "of IPv6 too" "a from fd03::1
a from fd01::1" host connect fd03::1 8080 : ask fd01::1 8080
says "not from 127.0.0.1, as the manual says" \
	"error connect 127.0.0.1: Connection refused" \
	host connect 127.0.0.1 8080
there=$server
serve service 8080
says "a service of the host's keeps its port for the host alone" \
	"service from 127.0.0.1
service from ::1" host connect 127.0.0.1 8080 : connect ::1 8080
let_go $server
server=$there
# SENTENCE PORT: another container cannot have it
taken()
{
	config args='"exit","0"' caps="$caps" \
		top="\"networks\":[$(on_bridge 3 "\"publish\":[\"$2\"]")]"
	run
	refused "$1" "publish: .*$(printf %s "${2#*]}").* '$TAG-a' has already"
}
taken "a port that is published is not published again" 8080:81
taken "of no single address either" 10.201.0.1:8080:81
taken "nor of IPv6" "[fd01::1]:8080:81"
taken "and what one address has is not for all" 8081:80/tcp
up b "$(on_bridge 3 '"publish":["8083:80","8081:80/udp","10.201.0.1:8081:80",
	"[fd01::1]:8082:80","10.203.0.1:8082:80"]')"
says "what overlaps with none is for another" "b from 10.201.0.1" \
	host connect 10.201.0.1 8081
down b
if has nft; then
	nft "add table ip nsrun-mine; add chain ip nsrun-mine c;
		add rule ip nsrun-mine c accept comment \"8083:80\""
	up b "$(on_bridge 3 '"publish":["8083:80"]')"
	check "a table of the administrator's stays, whatever its name" \
		nft list table ip nsrun-mine >"$T/out"
	nft delete table ip nsrun-mine
	down b
fi
up b "$(on_bridge 3 '"publish":["0.0.0.0:8083:80","[::]:8084:80"]')"
says "0.0.0.0 and :: are all of their kind" "b from 10.203.0.2
b from fd03::2" outside connect 10.203.0.1 8083 : connect fd03::1 8084
says "and only of that" "error connect fd03::1: Connection refused" \
	outside connect fd03::1 8083
down b
up b "$(on_bridge 3)"
says "a neighbour is seen as who it is" "a from 10.201.0.3
a from fd01::3" b connect 10.201.0.2 80 : connect fd01::2 80
says "from another container" "a from 10.201.0.1
a from 10.201.0.1" b connect 10.203.0.1 8080 : ask 10.201.0.1 8080
says "over IPv6 too" "a from fd01::1" b connect fd03::1 8080
says "with hairpin_mode from itself" "a from 10.201.0.1
a from fd01::1" a connect 10.203.0.1 8080 : connect fd03::1 8080
says "a port of one address is reached there" "a from 10.203.0.2
a from fd03::2" outside connect 10.203.0.1 8081 : connect fd03::1 8082
says "and not at another" "error connect 10.201.0.1: Connection refused" \
	host connect 10.201.0.1 8081
says "of IPv6 neither" "error connect fd01::1: Connection refused" \
	host connect fd01::1 8082
says "a port that is not published is not" \
	"error connect 10.203.0.1: Connection refused" \
	outside connect 10.203.0.1 8083
says "tcp alone is not udp" \
	"error ask 10.203.0.1: Connection refused" outside ask 10.203.0.1 8081 1

if has nft; then
	# a container's, which has its state root in its name
	table_of()
	{
		nft list tables ip | grep -o "nsrun-$TAG-$1-.*"
	}
	# The programs, without the numbers of the rules
	programs()
	{
		nft --debug=netlink list table ip "$1" |
			sed "s/$1/twin/; s/^\(ip twin [a-z]*\) .*/\1/"
	}
	programs "$(table_of a)" >"$T/rules.a"
	nft -f - <<-END
	table ip twin {
		chain prerouting {
			type nat hook prerouting priority -100;
			fib daddr type local tcp dport 8080 dnat to 10.201.0.2:80 comment "8080:80"
			fib daddr type local udp dport 8080 dnat to 10.201.0.2:80 comment "8080:80/udp"
			ip daddr 10.203.0.1 tcp dport 8081 dnat to 10.201.0.2:80 comment "10.203.0.1:8081:80/tcp"
		}
		chain output {
			type nat hook output priority -100;
			fib daddr type local ip daddr & 255.0.0.0 != 127.0.0.0 tcp dport 8080 dnat to 10.201.0.2:80 comment "8080:80"
			fib daddr type local ip daddr & 255.0.0.0 != 127.0.0.0 udp dport 8080 dnat to 10.201.0.2:80 comment "8080:80/udp"
			ip daddr 10.203.0.1 ip daddr & 255.0.0.0 != 127.0.0.0 tcp dport 8081 dnat to 10.201.0.2:80 comment "10.203.0.1:8081:80/tcp"
		}
		chain postrouting {
			type nat hook postrouting priority 100;
			ip saddr 10.201.0.2 ip daddr & 255.255.255.0 != 10.201.0.0 oifname != "br0" masquerade
			ip saddr & 255.255.255.0 == 10.201.0.0 ip daddr 10.201.0.2 ct status & 32 != 0 masquerade
		}
	}
	END
	programs twin >"$T/rules.b"
	nft delete table ip twin
	check_is "the rules are those that nft makes" \
		"$(diff "$T/rules.a" "$T/rules.b")" ""
else
	skip "the rules are those that nft makes" "no nft here"
fi
# PORT PUBLISH [MEMBERS]: what is said when a program waits there
over()
{
	kept=$server
	serve host "$1"
	up c "$(on_bridge 4 "\"publish\":[\"$2\"]${3:+,$3}")"
	cp "$T/err" "$T/said"
	down c
	let_go $server
	server=$kept
}
for port in 9000:80 8995-9005:8995-9005 10.203.0.1:9000:80 "[fd03::1]:9000:80" \
	9000:80/udp; do
	over 9000 $port
	check "a port of a program of the host's is published with a warning: $port" \
		grep -q "publish: .*takes the port.*publish_over" "$T/said"
done
over 9000 9000:80 '"publish_over":true'
check_is "without one where it is meant" "$(cat "$T/said")" ""
over 9000 9001:9000
check_is "without one where nobody waits" "$(cat "$T/said")" ""

up c "$(on_bridge 4 '"publish":["9000-9080:9000-9080","9101-9180:1-80/tcp",
	"9101-9180:1-80/udp"]')"
says "the last of a range is the last of the container's" \
	"c from 10.203.0.2
c from 10.203.0.2
c from fd03::2" outside connect 10.203.0.1 9180 : ask 10.203.0.1 9180 : \
	connect fd03::1 9180
kept=$server
serve other 9080 nsenter -t "$(pid_of c)" -n
says "a range that keeps its numbers too" "other from 10.203.0.2
other from fd03::2" outside connect 10.203.0.1 9080 : connect fd03::1 9080
let_go $server
server=$kept
says "and no more than those" "error connect 10.203.0.1: Connection refused" \
	outside connect 10.203.0.1 9081
config args='"exit","0"' top="\"networks\":[$(on_bridge 5 \
	'"publish":["9180-9190:80-90"]')]"
run
refused "a range that overlaps is refused" "publish: .*'$TAG-c' has already"
config args='"exit","0"' top="\"networks\":[$(on_bridge 5 \
	'"publish":["8000-8010:80-89"]')]"
run
refused "one of another length, too" "publish\[0\]: .*equal lengths"
down c
kill -KILL "$(pid_of a)"
down a b
nothing_left "rules, links and bridge are gone"
# A client with a port of its own that asked when nobody was there, and when
# another was
ask()
{
	nsenter -t $outside -n "$PROBE" ask "$1" 8080 1 5555 2>&1
}
flows()
{
	ask 10.203.0.1
	ask fd03::1
}
flows >"$T/out"
up a "$(on_bridge 2 '"publish":["8080:80/udp"]')"
check_is "a flow from before comes to whom the port is given" "$(flows)" \
	"a from 10.203.0.2
a from fd03::2"
down a
up b "$(on_bridge 3 '"publish":["8080:80/udp"]')"
check_is "and then to the next" "$(flows)" "b from 10.203.0.2
b from fd03::2"
down b
if [ -r /proc/net/nf_conntrack ]; then
	of_port()
	{
		grep -c "udp .*dport=8080 " /proc/net/nf_conntrack
	}
	up b "$(on_bridge 3 '"masquerade":true')"
	# A host with 512 MB remembers no more than 4096.
	flood=3000
	nsenter -t $outside -n "$PROBE" flood 10.203.0.1 8080 $flood >"$T/out"
	check "there are thousands of flows" \
		[ "$(of_port)" -gt $((flood * 3 / 4)) ]
	up a "$(on_bridge 2 '"publish":["8080:80/udp"]')"
	check_is "a port that is published has none of them" "$(of_port)" 0
	down a b
else
	skip "a port that is published has no flow of before" \
		"this kernel does not list them"
fi
# Where a bridge gives to nf_tables what it passes on, the way back to oneself
# is within the bridge; elsewhere it is over the host, hairpin_mode or not.
if grep -qs 1 /proc/sys/net/bridge/bridge-nf-call-iptables; then
	up a "$(on_bridge 2 '"publish":["8080:80/udp"]')"
	says "without hairpin_mode not from itself" \
		"error ask 10.203.0.1: Resource temporarily unavailable" \
		a ask 10.203.0.1 8080 1
	down a
else
	skip "without hairpin_mode not from itself" \
		"this kernel has no br_netfilter"
fi
fi

# ---- dns ----------------------------------------------------------------------------

etc=$B/rootfs/etc
dns='"hostname":"web","dns":{"nameservers":["10.201.0.1","fd01::1"],
	"search":["lan","example.org"],"options":["ndots:2","rotate"]}'
resolv="nameserver 10.201.0.1
nameserver fd01::1
search lan example.org
options ndots:2
options rotate"
seen_dns()
{
	config top="\"networks\":[$(on_bridge 2)],$dns" \
		args="$(json_list read /etc/resolv.conf : read /etc/hosts : \
		read /etc/hostname)" "$@"
	run
}
all_dns="0 $resolv
127.0.0.1 localhost
::1 localhost
10.201.0.2 web
fd01::2 web
web"
seen_dns
check_is "dns writes resolv.conf, hosts and hostname" "$status $out$err" \
	"$all_dns"
check_is "what it makes in the root for that is gone afterwards" \
	"$(ls "$etc")" ""
printf '%0200d\n' 0 >"$etc/resolv.conf"
seen_dns root='"readonly":true'
check_is "over what was there, and with a root that is read-only" \
	"$status $out$err" "$all_dns"
check_is "which is left as it was" "$(wc -c <"$etc/resolv.conf")" 201
to_dns()	# ROOT: a container writes to one
{
	config top="$dns" root="$1" cmd='"/bin/busybox","sh","-c",
		"echo mine >/etc/hosts; /bin/probe read /etc/hosts"'
	run
}
to_dns ''
check_is "the container may write to it" "$status $out$err" "0 mine"
to_dns '"readonly":true'
check "but not with root.readonly" [ "$out" != mine ]

# Its own file system is read-only.
touch "$etc/hosts" "$etc/hostname"
mount --bind "$B/rootfs" "$B/rootfs"
mount -o remount,bind,ro "$B/rootfs"
seen_dns
check_is "dns on a root that nothing can be written to" "$status $out$err" \
	"$all_dns"
umount "$B/rootfs"
rm -f "$etc/resolv.conf"
mount --bind "$B/rootfs" "$B/rootfs"
mount -o remount,bind,ro "$B/rootfs"
seen_dns
refused "which needs a file in each place" \
	"dns: .*/etc/resolv.conf: read-only .*empty file"
umount "$B/rootfs"
rm -f "$etc"/*
seen_dns mounts='{"destination":"/etc","type":"tmpfs","source":"tmpfs"}'
check_is "dns in a tmpfs on /etc" "$status $out$err" "$all_dns"

# NUMBER [STATE]: starts a container of the one root
dns_up()
{
	config top="\"dns\":{\"nameservers\":[\"10.0.0.$1\"]}" \
		args='"signal-wait","15"'
	$limit "$NSRUN" --root "${2:-$STATE}" run -d -b "$B" \
		--pid-file "$T/pid.$1" "$TAG-$1" >"$T/out" 2>&1
}
# Two containers of one root.
dns_up 1
dns_up 2
for what in 1 2; do
	within $what /bin/probe read /etc/resolv.conf
	check_is "of two containers of one root each has its own ($what)" \
		"$out$err" "nameserver 10.0.0.$what"
done
down 1
within 2 /bin/probe read /etc/resolv.conf
check_is "also when the one that made the mount points is deleted" \
	"$out$err" "nameserver 10.0.0.2"
down 2
check_is "and the last takes those along" "$(ls "$etc")" ""

# What is left of a root without files for dns.
stat_etc()
{
	(cd "$etc" && stat -c '%n %a %s %Y' ./*) 2>&1
}
: >"$etc/hosts"
touch -d '2001-02-03 04:05:06' "$etc/hosts"
before=$(stat_etc)
dns_up 1
down 1
check_is "an empty file of the root's own stays as it was" "$(stat_etc)" \
	"$before"
rm -f "$etc/hosts"
dns_up 1
echo mine >"$etc/hosts"
down 1
check_is "so does what is no longer empty" "$(stat_etc)" "$(cd "$etc" &&
	stat -c '%n %a %s %Y' ./hosts)"
rm -f "$etc/hosts"
mkdir "$T/other"
dns_up 1
dns_up 2 "$T/other"
down 1
"$NSRUN" --root "$T/other" exec "$TAG-2" /bin/probe read /etc/resolv.conf \
	>"$T/out" 2>&1
check_is "a container of another state root keeps its own, too" \
	"$(cat "$T/out")" "nameserver 10.0.0.2"
"$NSRUN" --root "$T/other" delete --force "$TAG-2"
rm -rf "$T/other"
check_is "and then empty files stay" "$(wc -c "$etc"/* | tail -n 1 |
	tr -d ' ') $(find "$etc" -type f -perm 644 | wc -l)" "0total 2"
rm -f "$etc"/*
dns_up 1
echo 10.0.0.7 >"$T/victim/file"
config args='"signal-wait","15"' mounts="{\"destination\":\"/etc/resolv.conf\",
	\"type\":\"bind\",\"source\":\"$T/victim/file\",\"options\":[\"bind\"]}"
$limit "$NSRUN" --root "$STATE" run -d -b "$B" "$TAG-2" >"$T/out" 2>&1
down 1
within 2 /bin/probe read /etc/resolv.conf
check_is "one that mounts its own file there keeps that" "$out$err" 10.0.0.7
down 2
dns_up 1
kill -KILL "$(pid_of 1)"
down 1
check_is "delete removes what one that was killed left, and what stayed before" \
	"$(ls "$etc")" ""
config top="$dns" args='"signal-wait","15"'
start_nowait
wait_for test -e "$etc/hostname"
kill -KILL "$runner"
wait "$runner" 2>/dev/null
check "of one whose nsrun was killed there are mount points" \
	[ -e "$etc/hostname" ]
seen_dns
check_is "that the next of its id removes" "$(ls "$etc")" ""
rmdir "$etc"
seen_dns
check_is "an /etc that is made for it goes along" \
	"$status $out$err $(ls -d "$etc" 2>/dev/null)" "$all_dns "
config top="$dns" cmd='"/bin/busybox","touch","/etc/mine"'
run
check_is "but not with what is in there" "$status $out$err $(ls "$etc")" \
	"0  mine"
rm -f "$etc/mine"
chmod 755 "$etc"
mkdir "$T/ro"
mount -t tmpfs -o ro none "$T/ro"
config top="$dns" args='"read","/etc/hostname"'
check_is "a run without a state removes its own" "$("$NSRUN" --root "$T/ro" \
	--log /dev/null run -b "$B" "$ID") $(ls "$etc")" "web "
umount "$T/ro"
rmdir "$T/ro"
able "dns in a user namespace" userns && {
	config top="$dns" args='"read","/etc/hostname"' \
		ns="user pid mount ipc uts network" linux='"uidMappings":[
		{"containerID":0,"hostID":0,"size":65536}],"gidMappings":[
		{"containerID":0,"hostID":0,"size":65536}]'
	run
	check_is "so does one with a user namespace" "$status $out$err $(ls \
		"$etc")" "0 web "
}
config top="$dns" args='"exit","0"' mounts="{\"destination\":\"/etc\",
	\"type\":\"bind\",\"source\":\"$T/victim\",\"options\":[\"bind\"]}"
run
check_is "a mark is not left in a volume" "$status$err $(find "$T/victim" \
	-perm -1000)" "0 "
rm -f "$T/victim"/*
if command -v flock >/dev/null; then
	(exec 9<"$B/rootfs" && flock 9 && exec sleep 1000) &
	locker=$!
	not_ours() { ! flock -n "$B/rootfs" true; }
	wait_for not_ours
	config top="$dns" args='"read","/etc/hostname"'
	run
	check_is "who locks the root holds nobody up" "$status $out$err $(find \
		"$etc" -type f -perm 644 | wc -l)" "0 web 3"
	kill "$locker"
	wait "$locker" 2>/dev/null
	rm -f "$etc"/*
else
	skip "who locks the root holds nobody up" "there is no flock(1)"
fi

# resolv.conf is a link to
link_dns()
{
	rm -f "$etc/resolv.conf"
	ln -s "$1" "$etc/resolv.conf"
	echo mine >"$T/victim/file"
	shift
	seen_dns "$@"
}
echo there >"$B/rootfs/tmp/there"
link_dns /tmp/there
check_is "a link inside the root is followed" "$status $out$err" "$all_dns"
check_is "to a file that is left as it was" "$(cat "$B/rootfs/tmp/there")" \
	there
config top="$dns" args='"read","/tmp/there"'
run
check_is "and that shows it, too" "$status $out$err" "0 $resolv"
for to in /tmp/new/file ../run/new/file "$T/victim/file" \
	"../../../../../../../../$T/victim/file" "$T/victim/new"; do
	link_dns "$to"
	check_is "a link that leads nowhere is covered (${to##*/}, ${to%"${to#???}"})" \
		"$status $out$err" "$all_dns"
	check_is "and nothing is made where it leads" "$(cd "$B/rootfs" &&
		echo * tmp/* "$T"/victim/*)" \
		"bin data dev etc proc sys tmp tmp/there $T/victim/file"
done
link_dns /data/new mounts="{\"destination\":\"/data\",\"type\":\"bind\",
	\"source\":\"$T/victim\",\"options\":[\"rbind\"]}"
check_is "also one into a volume" "$status $out$err $(ls "$T/victim")" \
	"$all_dns file"
link_dns /data/file mounts="{\"destination\":\"/data\",\"type\":\"bind\",
	\"source\":\"$T/victim\",\"options\":[\"rbind\"]}"
refused "a link to a file of a volume is refused" \
	"dns: /etc/resolv.conf is a link .* another mount"
check_is "and the file is as it was" "$(cat "$T/victim/file")" mine
link_dns /proc/sys/kernel/hostname
refused "as is one into /proc" "dns: /etc/resolv.conf is a link .* another mount"
rm -f "$etc/resolv.conf" "$B/rootfs/tmp/there"
rm -f "$etc/resolv.conf"
mkfifo "$etc/resolv.conf"
seen_dns
refused "a fifo in its place is refused" "dns: .*/etc/resolv.conf.*regular"
rm -f "$etc/resolv.conf"
mknod "$etc/resolv.conf" c 1 3
seen_dns
refused "a device too" "dns: .*/etc/resolv.conf.*regular"
rm -f "$etc/resolv.conf"
mkdir "$etc/resolv.conf"
seen_dns
refused "a directory too" "dns: .*/etc/resolv.conf"
rmdir "$etc/resolv.conf"
rm -f "$etc"/*
nothing_left "nothing is left of those"
config top='"dns":{"nameservers":["10.0.0.1"]}' ns="pid mount ipc uts" \
	args='"read","/etc/resolv.conf"'
run
check_is "dns is there without networks" "$status $out$err" \
	"0 nameserver 10.0.0.1"
rm -f "$etc"/*

# ---- errors ----------------------------------------------------------------------------

# SENTENCE REGEX NETWORKS [TOP]
wrong()
{
	config args='"exit","0"' caps="$caps" \
		top="\"networks\":[$3]${4:+,$4}"
	run
	refused "$1" "$2"
	[ -z "$(left)" ] || nothing_left "$1, and leaves nothing"
}
# a network with these members after the first
veth()
{
	echo '{"type":"veth","name":"eth0"'"${1:+,$1}}"
}
n0='networks\[0\]'
wrong "a name of the host's that is taken" "$n0: .*out0.*: file exists" \
	"$(veth '"host_interface_name":"out0"')"
wrong "a name with 16 characters" "$n0.name: .*15" \
	'{"type":"veth","name":"abcdefghijklmnop"}'
wrong "one of the host's" "$n0.host_interface_name: .*15" \
	"$(veth '"host_interface_name":"abcdefghijklmnop"')"
wrong "one of a bridge" "$n0.bridge: .*15" \
	"$(veth '"bridge":"abcdefghijklmnop"')"
wrong "a name that stands there twice" "networks\[1\].name: .*twice" \
	"$(veth), $(veth)"
wrong "a bridge that is missing" "$n0: .*br9.*no such device.*bridge_address" \
	"$(veth '"bridge":"br9"')"
wrong "a bridge that is none" "$n0: .*out0" "$(veth '"bridge":"out0"')"
for kind in macvlan ipvlan phys; do
	wrong "a parent of $kind that is missing" "$n0: .*p9.*: no such device" \
		'{"type":"'$kind'","name":"eth0","host_interface_name":"p9"}'
	wrong "one that is not named" "$n0.host_interface_name: is missing" \
		'{"type":"'$kind'","name":"eth0"}'
done
wrong "a gateway without an address" "$n0.gateway: needs an address" \
	"$(veth '"gateway":"10.222.0.1"')"
wrong "a route by a gateway that nobody reaches" "routes\[0\]: .*unreachable" \
	"$(on_bridge 2)" \
	'"routes":[{"destination":"10.9.0.0/16","gateway":"10.222.0.1"}]'
wrong "one of IPv6" "routes\[0\]: " \
	"$(on_bridge 2 | sed 's/,"ipv6_gateway":"fd01::1"//')" \
	'"routes":[{"destination":"fd09::/16","gateway":"fd22::1"}]'
two='{"type":"veth","name":"eth1","address":"10.212.0.2/24",
	"ipv6_address":"fd12::2/64"'
wrong "two default routes" \
	"networks\[1\]: gateway: .*default route.*file exists.*metric" \
	"$(on_bridge 2),$two,\"gateway\":\"10.212.0.1\"}"
wrong "two of IPv6" \
	"networks\[1\]: ipv6_gateway: .*default route.*file exists.*metric" \
	"$(on_bridge 2),$two,\"ipv6_gateway\":\"fd12::1\"}"
wrong "a metric of nothing" "$n0.metric: needs a gateway" \
	"$(veth '"metric":1')"
wrong "a route by an interface that is not there" \
	"routes\[1\]: .*eth7.*no such device" "$(on_bridge 2)" \
	'"routes":[{"destination":"10.9.0.0/16","gateway":"10.201.0.1"},
		{"destination":"10.8.0.0/16","interface_name":"eth7"}]'
wrong "an mtu that the kernel does not take" "$n0: .*: invalid argument" \
	"$(veth '"mtu":10')"
wrong "an mtu that IPv6 does not take" "$n0.mtu: IPv6 needs 1280" \
	"$(veth '"mtu":1000,"ipv6_address":"fd01::2/64"')"
ip link add own0 type bridge
ip link set own0 mtu 1000
own_links
wrong "also that of a bridge" "$n0: mtu: IPv6 needs 1280, own0 has 1000" \
	"$(veth '"bridge":"own0","ipv6_address":"fd01::2/64"')"
ip link del own0
own_links
wrong "an address that is none" "$n0.address: \"10.0.0.256/24\"" \
	"$(veth '"address":"10.0.0.256/24"')"
wrong "an address of hardware that is a group's" \
	"$n0: .*(address|not available|invalid)" \
	"$(veth '"mac_address":"01:00:5e:00:00:01"')"
wrong "a published port without an address" "$n0.publish: needs an address" \
	"$(veth '"publish":["80:80"]')"
wrong "a second network that fails" "networks\[1\]: .*p9.*no such device" \
	"$(on_bridge 2 '"masquerade":true')"',
	{"type":"phys","name":"eth1","host_interface_name":"p9"}'
wrong "a second link called lo" "networks\[1\]: create veth .*lo" \
	"$(on_bridge 2)"',{"type":"veth","name":"lo"}'
wrong "a type that does not exist" "networks\[0\].*type" \
	'{"type":"token-ring","name":"eth0"}'
able "networks of who may not make them" userns && {
	config args='"exit","0"' top="\"networks\":[$(veth)]"
	verb list		# makes the state root
	real=$NSRUN
	printf '#!/bin/sh\nexec unshare -r "%s" "$@"\n' "$real" \
		>"$T/nsrun-powerless"
	chmod 755 "$T/nsrun-powerless"
	NSRUN=$T/nsrun-powerless
	run
	NSRUN=$real
	check_err "who may not make networks is told what is missing" \
		"networks\[0\]: .*not permitted.*CAP_NET_ADMIN"
}
config args='"exit","0"' ns="pid mount ipc uts" top="\"networks\":[$(veth)]"
run
refused "networks without a network namespace" \
	"networks: .*no network namespace"
nothing_left "after all these errors there is nothing"
config cmd='"/bin/missing"' \
	top="\"networks\":[$(on_bridge 2 '"masquerade":true')]"
run
nothing_left "nor after one that comes later"

# ---- the same id twice -------------------------------------------------------------

up a "$(on_bridge 2 '"masquerade":true')"
config args='"exit","0"' caps="$caps" \
	linux="\"cgroupsPath\":\"/$TAG-other\"" top="\"networks\":[$(on_bridge 3 '"masquerade":true')]"
"$NSRUN" --root "$T/other" run -b "$B" "$TAG-a" >"$T/out" 2>"$T/err"
check_is "the same id of another state root is somebody else" \
	"$? $(cat "$T/err")" "0 "
says "and leaves the first alone" "a from 10.201.0.1" \
	host connect 10.201.0.2 80
down a
id=$(printf '%0150d' 0)
config args='"exit","0"' caps="$caps" \
	linux="\"cgroupsPath\":\"/$TAG-other\"" top="\"networks\":[$(on_bridge 2 '"masquerade":true')]"
"$NSRUN" --root "$T/other" run -b "$B" "$id" >"$T/out" 2>"$T/err"
check_is "an id can be long" "$? $(cat "$T/err")" "0 "
rm -rf "$T/other"
nothing_left "and nothing is left of it"

# ---- the same id twice, without a state ----------------------------------------------

# NUMBER: in the foreground, where there is no place for a state
stateless()
{
	config args="$(json_list serve 80 "s$1")" caps="$caps" \
		linux="\"cgroupsPath\":\"/$TAG-s$1\"" \
		top="\"networks\":[$(on_bridge "$1" \
		"\"masquerade\":true,\"publish\":[\"8080:80\"]")]"
	: >"$T/pay.s$1"
	"$NSRUN" --root "$T/ro" run -b "$B" "$TAG-s" >"$T/pay.s$1" \
		2>"$T/err" &
	runner=$!
	what=s$1
	wait_for stateless_serves
}
stateless_serves()
{
	grep -q serving "$T/pay.$what" || ! alive $runner
}
kill_runner()
{
	[ "$1" -gt 1 ] && kill -KILL "$1"
	wait "$1" 2>/dev/null
}
mkdir "$T/ro"
mount -t tmpfs -o ro none "$T/ro"
stateless 2
first=$runner
says "a run without a state serves" "s2 from 10.201.0.1" \
	host connect 10.201.0.2 80
before=$(left)
stateless 3
wait $runner
check_is "a second one of its id is refused" "$? $(grep -c \
	'a container of the same id runs' "$T/err")" "1 1"
check_is "and takes nothing from the first" "$(left)" "$before"
says "which serves as before" "s2 from 10.201.0.1" host connect 10.201.0.2 80
"$NSRUN" --root "$T/ro" delete --force "$TAG-s"
check_is "delete --force of a state that is not there takes nothing either" \
	"$? $(left)" "0 $before"
up b "$(on_bridge 4 '"publish":["8083:80"]')"
config args='"exit","0"' caps="$caps" \
	top="\"networks\":[$(on_bridge 5 '"publish":["8080:80"]')]"
run
refused "its port is taken" "publish: .* '$TAG-s' has already"
kill_runner $first
run
check_is "and free after a kill -9" "$status $err" "0 "
stateless 3
says "so is its id" "s3 from 10.201.0.1" host connect 10.201.0.3 80
kill_runner $runner
"$NSRUN" --root "$T/ro" delete --force "$TAG-s"
down b
umount "$T/ro"
rmdir "$T/ro"
check_is "what it left delete --force removes" "$(left)" ""
[ -z "$(left)" ] || ip link del br0
find /sys/fs/cgroup -depth -name "$TAG-s[23]" -type d -exec rmdir {} +

# ---- a container that is dead ----------------------------------------------------------

up a "$(on_bridge 2 '"publish":["8080:80"]')"
kill -KILL "$(pid_of a)"
a_stopped()
{
	verb state "$TAG-a"
	[ "$(member status)" = stopped ]
}
wait_for a_stopped
up b "$(on_bridge 3 '"publish":["8080:80"]')"
says "the port of a container whose init is dead is free" "b from 10.201.0.1" \
	host connect 10.201.0.1 8080
down a
says "and its delete takes it from nobody" "b from 10.201.0.1" \
	host connect 10.201.0.1 8080
kill -KILL "$(pid_of b)"
rm -rf "${STATE:?}/$TAG-b"
up b "$(on_bridge 3 '"publish":["8080:80"]')"
says "nor is a table in the way whose state is lost" "b from 10.201.0.1" \
	host connect 10.201.0.1 8080
down b
nothing_left "and all of it goes"
find /sys/fs/cgroup -depth -name "$TAG-b" -type d -exec rmdir {} +

# ---- one lock for the host ---------------------------------------------------------------

config args='"exit","0"' caps="$caps" top="\"networks\":[$(on_bridge 2)]"
: >"$T/locked"
"$PROBE" lock /proc/sys/net/ipv4/tcp_fastopen_key : echo locked : \
	sleep 1000 >"$T/locked" 2>&1 &
locker=$!
wait_for grep -q locked "$T/locked"
start_nowait
sleep 0.3
check "who makes links waits for who does, whatever the state root" \
	alive "$runner"
let_go $locker
finish
check_is "and then goes on" "$status $err" "0 "

# ---- a nsrun that is killed ---------------------------------------------------------------

config args='"serve","80","a"' \
	top="\"networks\":[$(on_bridge 2 '"masquerade":true')]"
start
[ "$runner" -gt 1 ] && kill -KILL "$runner"
wait "$runner" 2>/dev/null
verb delete --force "$ID"
nothing_left "after a kill -9 of run, delete --force leaves nothing"
for after in 0.003 0.006 0.01 0.02; do
	start_nowait
	sleep $after
	[ "$runner" -gt 1 ] && kill -KILL "$runner"
	wait "$runner" 2>/dev/null
	verb delete --force "$ID"
	check_is "killed after $after s too" "$(left)" ""
done

# Orphans want somebody who waits for them, or their namespaces stay a while.
killer=$test_dir/build/killer
[ -x "$killer" ] || make -s -C "$test_dir/.." test/build/killer 2>/dev/null
if [ -x "$killer" ]; then
	"$killer" 0 "$NSRUN" --root "$STATE" create -b "$B" "$ID" \
		>"$T/out" 2>"$T/err"
	calls=$(sed -n 's/[^0-9]*\([0-9][0-9]*\).*/\1/p' "$T/err" | tail -n 1)
	verb delete --force "$ID"
	n=$(($$ % 9 + 1)) found='' tried=0
	while [ "$n" -le "${calls:-0}" ]; do
		"$killer" $n "$NSRUN" --root "$STATE" create -b "$B" "$ID" \
			>"$T/out" 2>"$T/err"
		verb delete --force "$ID"
		[ -z "$(left)" ] || {
			found="$found $n: $(left | xargs)"
			ip link del br0 2>/dev/null
		}
		n=$((n + 9)) tried=$((tried + 1))
	done
	check "create makes $calls calls" [ "$tried" -gt 10 ]
	check_is "killed at $tried of them, delete --force leaves nothing" \
		"$found" ""
	n=$((calls / 2)) found=
	"$killer" $((calls * 3 / 4)) "$NSRUN" --root "$STATE" create -b "$B" \
		"$ID" >"$T/out" 2>"$T/err"
	config args='"echo","ran"' top="\"networks\":[$(on_bridge 2 \
		'"masquerade":true,"publish":["80:80"]')]"
	run
	check_is "the id is taken over, and its links" "$status $out$err" \
		"0 ran"
else
	skip "killed at each call, delete --force leaves nothing" \
		"test/build/killer is not built"
fi
let_go $server $outside
check "the outside ends" wait_for gone out0
own_links
nothing_left "nothing is left"

# ---- many -----------------------------------------------------------------------------------

# COMMAND N: the command with 1 to N, $batch at a time
batch=10
many()
{
	one=1
	while [ $one -le "$2" ]; do
		last=$((one + batch - 1))
		pids=
		while [ $one -le $last ] && [ $one -le "$2" ]; do
			"$1" $one &
			pids="$pids $!"
			one=$((one + 1))
		done
		wait $pids
	done
}
begin()
{
	"$NSRUN" --root "$STATE" run -d -b "$T/many/$1" "$TAG-m$1" \
		>"$T/many/$1/out" 2>"$T/many/$1/err" || echo "$1" >>"$T/many/bad"
}
end()
{
	"$NSRUN" --root "$STATE" delete --force "$TAG-m$1" \
		>"$T/many/$1/out" 2>"$T/many/$1/err" || echo "$1" >>"$T/many/bad"
}
told()
{
	[ ! -s "$T/many/bad" ] || {
		wc -l <"$T/many/bad"
		head -n 1 "$T/many/$(head -n 1 "$T/many/bad")/err"
	}
}
one=1
while [ $one -le "$MANY" ]; do
	config args="$(json_list sleep 1000)" root='"x":0' \
		top="\"networks\":[$(on_bridge $((one + 1)) \
		'"masquerade":true')]"
	mkdir -p "$T/many/$one"
	sed "s|\"path\": \"rootfs\", \"x\":0|\"path\": \"$B/rootfs\"|" \
		"$B/config.json" >"$T/many/$one/config.json"
	one=$((one + 1))
done
many begin "$MANY"
check_is "$MANY containers are made at once on one bridge" "$(told)" ""
check_is "so it has as many ports" \
	"$(ip link show | grep -c 'master br0 ')" "$MANY"
deaf=
one=1
while [ $one -le "$MANY" ]; do
	busybox ping -c 1 -W 5 10.201.0.$((one + 1)) >"$T/out" 2>&1 ||
		deaf="$deaf $one"
	one=$((one + 1))
done
check_is "each answers a ping" "$deaf" ""
rm -f "$T/many/bad"
many end "$MANY"
check_is "they are deleted at once" "$(told)" ""
nothing_left "and nothing is left of them"

# The bridge comes and goes with each that is alone on it.
serve host 90
brief()
{
	"$NSRUN" --root "$STATE" run -b "$T/many/$1" "$TAG-m$1" \
		>"$T/many/$1/out" 2>"$T/many/$1/err"
	[ "$(cat "$T/many/$1/out" "$T/many/$1/err")" = \
		"host from 10.201.0.$(($1 + 1))" ] || echo "$1" >>"$T/many/bad"
}
for one in "$T"/many/*/config.json; do
	sed 's/"sleep","1000"/"connect","10.201.0.1","90"/' "$one" >"$T/now"
	cat "$T/now" >"$one"
done
batch=3
rm -f "$T/many/bad"
many brief $((MANY / 4))
check_is "$((MANY / 4)) that come and go, $batch at a time, reach the bridge" \
	"$(told)" ""
let_go $server
nothing_left "and nothing is left of those"

done_testing
