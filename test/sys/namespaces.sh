#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2086,SC2317
#
# linux.namespaces: each made, each joined, all sets of them; names, offsets
# of clocks, the loopback device.

. "${0%/*}/../lib.sh"
need root

spaces="pid mount ipc uts network"
for kind in cgroup time user; do
	case $kind in
	user)	has userns ;;
	*)	[ -e /proc/self/ns/$kind ] ;;
	esac && spaces="$spaces $kind"
done
maps='"uidMappings":[{"containerID":0,"hostID":0,"size":65536}],
	"gidMappings":[{"containerID":0,"hostID":0,"size":65536}]'
dev='{"destination":"/dev","type":"tmpfs","source":"tmpfs"}'
proc='{"destination":"/proc","type":"proc","source":"proc"}'

# The OCI name, as /proc/PID/ns has it
short()
{
	case $1 in
	network) echo net ;;
	mount)	echo mnt ;;
	*)	echo "$1" ;;
	esac
}

# KIND: the inode of the namespace that the payload, and this script, is in
inside()
{
	seen "ns $(short "$1")"
}

outside()
{
	inode=$(readlink "/proc/${2:-self}/ns/$(short "$1")${3:-}")
	inode=${inode#*\[}
	echo "${inode%]}"
}

# OCI names of the namespaces that differ from ours
differ()
{
	for any in $spaces; do
		[ "$(inside $any)" = "$(outside $any)" ] || printf '%s ' $any
	done
}

# ---- made -----------------------------------------------------------------

# Whether a word is in the list that follows.
among()
{
	case " $2 " in
	*" $1 "*) ;;
	*)	return 1 ;;
	esac
}

# SPACES: a payload in these; 0 if it ran there.
try_spaces()
{
	args='"show","ns"' base=
	among mount "$1" && base="$dev,$proc"
	# A user namespace may mount no procfs of a pid namespace above it.
	among user "$1" && ! among pid "$1" && base=${base%%,"$proc"}
	case $base in
	*/proc*) ;;
	*)	args='"echo","ran"' ;;
	esac
	config ns="$1" base="$base" args="$args" \
		linux="$(among user "$1" && echo "$maps")"
	run
	[ "$status" = 0 ] || return
	case $args in
	*ran*)	[ "$out" = ran ] ;;
	*)	made_spaces=$(differ) && [ "${made_spaces% }" = "$1" ] ;;
	esac
}

made dev
for kind in $spaces; do
	set=$kind
	[ $kind = mount ] || set="mount $kind"
	[ $kind != user ] || set="pid mount user"
	[ $kind != pid ] || set="pid mount"
	try_spaces "$set"
	what="$set: that is new, the others are ours"
	check_is "$what" "$status $(differ)" "0 $set "
done

# Each of the sets, in the order of $spaces. Without a mount namespace there
# are no mounts.
wrong=0 tried=0 first=
set=0
while [ $set -lt $((1 << $(echo $spaces | wc -w))) ]; do
	chosen='' bits=$set set=$((set + 1))
	for kind in $spaces; do
		[ $((bits & 1)) = 0 ] || chosen="$chosen $kind"
		bits=$((bits >> 1))
	done
	# Of peers only these: they know no user namespace without the rest.
	[ -z "$peer" ] || { among mount "$chosen" && among pid "$chosen"; } ||
		continue
	tried=$((tried + 1))
	try_spaces "${chosen# }" && continue
	wrong=$((wrong + 1))
	[ $wrong -gt 10 ] || first="$first
'${chosen# }': $status ${made_spaces:-} $err"
done
check_is "all $tried sets of namespaces" "$wrong$first" 0

ours "mounts without a mount namespace" && {
	config ns="pid ipc uts network"
	run
	refused "mounts without a mount namespace are refused" \
		"mount.*namespace"
	for member in '"maskedPaths":["/proc"]' '"readonlyPaths":["/etc"]' \
		'"rootfsPropagation":"slave"'; do
		config ns="pid ipc uts" base='' linux="$member"
		run
		what=${member#\"}
		refused "so is ${what%%\"*}" "${what%%\"*}.*mount namespace"
	done
}

config ns="mount ipc uts network" args="$(json_list show pid : fork 3)"
able "processes without a pid namespace" cgroup && {
	run
	check "without a pid namespace the payload is not pid 1" \
		[ "$(seen pid)" -gt 1 ]
	left=
	for process in /proc/[0-9]*; do
		# shellcheck disable=SC3013 # both shells have it
		[ "$process/exe" -ef "$B/rootfs/bin/probe" ] &&
			grep -q '^State:.[^ZX]' "$process/status" &&
			left="$left ${process#/proc/}"
	done
	check_is "its children end with it nevertheless" "$left" ""
}

# ---- joined ---------------------------------------------------------------

# KIND..: a process in new namespaces of these kinds. The first child is in
# the new pid and time namespace.
helper()
{
	: >"$T/helper"		# what it holds of the last one is no answer
	"$PROBE" unshare "$@" : fork 1 : echo up : sleep 1000 >"$T/helper" &
	helper=$!
	wait_for grep -q up "$T/helper"
	child=$(grep -l "^PPid:[[:space:]]*$helper\$" /proc/[0-9]*/status \
		2>/dev/null | cut -d / -f 3)
}

helper_gone()
{
	for process in $child $helper; do
		[ "$process" -gt 1 ] && kill -KILL "$process"
	done
	wait "$helper" 2>/dev/null
}

# KIND: runs with the helper's namespace of that kind, all others new.
join()
{
	rest=
	for other in pid mount ipc uts network; do
		[ $other = "$1" ] || rest="$rest $other"
	done
	case $1 in
	pid | time) path=/proc/$helper/ns/${1}_for_children ;;
	*)	path=/proc/$helper/ns/$(short "$1") ;;
	esac
	config ns="$1:$path$rest" args='"show","ns","pid","link"'
	run
}

helper uts ipc net cgroup pid
for kind in uts ipc network cgroup; do
	join $kind
	check_is "a $kind namespace is joined by its path" \
		"$(inside $kind)" "$(outside $kind "$helper")"
	case $kind in
	network) check_out "the loopback device of one is left alone" \
			"^link lo down" ;;
	ipc)	check_out "that of a new one is up" "^link lo up" ;;
	esac
done
join pid
check_is "a pid namespace is joined by its path" \
	"$(inside pid)" "$(outside pid "$helper" _for_children)"
check "the payload is not its pid 1" [ "$(seen pid)" -gt 1 ]
check "which outlives it" alive "$child"

config ns="network:/proc/$helper/ns/net ipc:/proc/$helper/ns/ipc \
uts:/proc/$helper/ns/uts pid:/proc/$helper/ns/pid_for_children mount" \
	args='"show","ns"'
run
check_is "several are joined at once" \
	"$(inside network) $(inside ipc) $(inside uts) $(inside pid)" \
	"$(outside network "$helper") $(outside ipc "$helper") \
$(outside uts "$helper") $(outside pid "$helper" _for_children)"

config ns="uts:/proc/$helper/ns/uts pid mount" top='"hostname":"joined"' \
	args='"show","hostname"'
run
check_out "a hostname is set in a joined uts namespace" "^hostname joined\$"
config ns="uts:/proc/$helper/ns/uts pid mount" args='"show","hostname"'
run
check_out "and is still set for the next" "^hostname joined\$"

able "a new user namespace over a joined network namespace" userns && {
	config ns="network:/proc/$helper/ns/net pid mount ipc uts user" \
		linux="$maps" args='"show","ns"'
	run
	check_is "a new user namespace over a joined network namespace" \
		"$(inside network) $status" "$(outside network "$helper") 0"
	check "and it is new" [ "$(inside user)" != "$(outside user)" ]
}

# Wrong paths
ours "errors about paths" && {
	config ns="pid mount network:/proc/$helper/ns/uts"
	run
	refused "a namespace of another type is refused" \
		"linux\.namespaces.*network.*/proc/$helper/ns/uts"
	check "and no capability is said to be the cause" \
		not grep -q CAP_ "$T/err"
	config ns="pid mount network:proc/self/ns/net"
	run
	refused "a relative path is refused" "linux\.namespaces\[2\].*path"
	config ns="pid mount network:/proc/self/ns/none"
	run
	refused "a path that does not exist is named" \
		"linux\.namespaces.*/proc/self/ns/none"
	echo >"$T/file"
	config ns="pid mount network:$T/file"
	run
	refused "a file that is no namespace is refused" \
		"linux\.namespaces.*$T/file"
}
kill -KILL "$child"
wait_for not alive "$child"
join pid
refused "a pid namespace whose process 1 has ended is told" \
	"out of memory.*pid namespace whose process 1 has ended"
gone=$helper
helper_gone
config ns="pid mount network:/proc/$gone/ns/net"
run
refused "so is the namespace of a process that ended" \
	"linux\.namespaces.*/proc/$gone/ns/net"

config ns="network:/proc/$$/ns/net pid mount" args='"show","ns"'
run
check_is "our own namespace can be joined" \
	"$(inside network)" "$(outside network)"

able "joining a time namespace" timens && ours "joining a time namespace" && {
	helper time
	join time
	check_is "a time namespace is joined by its path" \
		"$(inside time)" "$(outside time "$helper" _for_children)"
	helper_gone
}

ours "joining a mount namespace" && {
	helper mnt
	config ns="mount:/proc/$helper/ns/mnt pid ipc uts" \
		args="$(json_list show ns : lstat /bin/probe)"
	run
	if [ "$status" = 0 ]; then
		check_is "a mount namespace is joined by its path" \
			"$(inside mount)" "$(outside mount "$helper")"
	else
		refused "joining a mount namespace is done or refused" \
			"linux\.namespaces\[0\]"
	fi
	helper_gone
}

able "joining a user namespace" userns && {
	helper user net
	echo "0 0 65536" >"/proc/$helper/uid_map"
	echo "0 0 65536" >"/proc/$helper/gid_map"
	config ns="user:/proc/$helper/ns/user pid mount ipc uts network" \
		args='"show","ns","uid_map"'
	ours "joining a user namespace" && {
		run
		check_is "a user namespace is joined by its path" \
			"$(inside user)" "$(outside user "$helper")"
		check_out "with its maps" "^uid_map 0 0 65536"
		config ns="user:/proc/$helper/ns/user pid mount ipc uts \
network:/proc/$helper/ns/net" args='"show","ns"'
		run
		check_is "with a network namespace of its own" \
			"$(inside user) $(inside network)" \
			"$(outside user "$helper") \
$(outside network "$helper")"
		config ns="user:/proc/$helper/ns/user pid mount ipc uts" \
			linux="$maps" args='"show","ns"'
		run
		check_is "mappings that a joined one has already do no harm" \
			"$status $(inside user)" "0 $(outside user "$helper")"
	}
	helper_gone
}

# ---- faults ---------------------------------------------------------------

config ns="pid mount ipc pid"
run
refused "a namespace twice is refused" "linux\.namespaces\[3\]"
config ns="pid mount nosuch"
run
refused "an unknown one is named" "linux\.namespaces\[2\].*nosuch"
config linux='"namespaces":[{"type":"mount"},{"path":"/proc/self/ns/pid"}]'
run
ours "a namespace without type" &&
	refused "one without type is refused" "linux\.namespaces\[1\].*type"

# ---- names ----------------------------------------------------------------

host_name=$(uname -n)
config top='"hostname":"web-1","domainname":"example.org"' \
	args='"show","hostname","domainname"'
run
check_out "the hostname is set" "^hostname web-1\$"
ours "domainname" &&
	check_out "the domainname too" "^domainname example\.org\$"
check_is "the host keeps its own" "$(uname -n)" "$host_name"
config args='"show","hostname"'
run
check_out "without one the host's is kept" "^hostname $host_name\$"

name=$(printf '%064d' 0)
config top="\"hostname\":\"$name\"" args='"show","hostname"'
run
check_out "64 bytes of hostname" "^hostname $name\$"
config top="\"hostname\":\"x$name\""
run
refused "65 are refused" "hostname"
config ns="pid mount ipc network" top='"hostname":"web"'
run
refused "a hostname without uts namespace is refused" "hostname.*uts"
check_is "and not set" "$(uname -n)" "$host_name"
config ns="pid mount ipc network" top='"domainname":"web"'
ours "domainname without uts namespace" && {
	run
	refused "so is a domainname" "domainname.*uts"
	config top="\"domainname\":\"x$name\""
	run
	refused "and one of 65 bytes" "domainname"
}

# ---- clocks ---------------------------------------------------------------

now()
{
	"$PROBE" show "$1" | cut -d ' ' -f 2
}

# WANTED CLOCK: the payload's clock is ahead of ours by that, or a bit more.
ahead()
{
	difference=$(($(seen "$2") - $(now "$2") - $1))
	[ $difference -ge -$LIMIT ] && [ $difference -le 1 ]
}

able "offsets of clocks" timens && ours "offsets of clocks" && {
	all="pid mount ipc uts time"
	config ns="$all" args='"show","monotonic","boottime"' \
		linux='"timeOffsets":{"monotonic":{"secs":1000000,
		"nanosecs":999999999},"boottime":{"secs":2000000}}'
	run
	check "the monotonic clock is ahead" ahead 1000000 monotonic
	check "the boot clock is ahead" ahead 2000000 boottime
	config ns="$all" args='"show","monotonic","boottime"' \
		linux='"timeOffsets":{"boottime":{"nanosecs":1}}'
	run
	check "a clock without offset is ours" ahead 0 monotonic
	config ns="$all" args='"show","monotonic","boottime"' \
		linux='"timeOffsets":{"monotonic":{"secs":-100}}'
	if [ "$(now monotonic)" -gt 200 ]; then
		run
		check "a negative offset" ahead -100 monotonic
	else
		skip "a negative offset" "the machine is up for less than 200 s"
	fi
	config ns="$all" \
		linux='"timeOffsets":{"boottime":{"secs":-2000000000}}'
	run
	refused "one that goes back before the start is refused" \
		"timeOffsets.*(range|represent)"
	config ns="$all" linux='"timeOffsets":{"monotonic":{"secs":1,
		"nanosecs":1000000000}}'
	run
	refused "so are too many nanoseconds" \
		"linux\.timeOffsets\.monotonic\.nanosecs"
	config linux='"timeOffsets":{"monotonic":{"secs":1}}'
	run
	refused "offsets without a time namespace are refused" \
		"linux\.timeOffsets.*time namespace"
	helper time
	config ns="pid mount time:/proc/$helper/ns/time_for_children" \
		linux='"timeOffsets":{"monotonic":{"secs":1}}'
	run
	refused "and offsets for a joined namespace" "linux\.timeOffsets"
	helper_gone
}

done_testing
