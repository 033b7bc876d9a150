#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2086,SC2154,SC2317,SC2016
#
# events, and pause, resume, ps and kill --all as far as they are about groups.

. "${0%/*}/../lib.sh"
need root cgroup
cgroups

# What JSON is in $out, to "PATH VALUE" lines in $T/flat: data.cpu.usage.total 5;
# an object or a list has the bracket as its value, an element its number.
flat()
{
	printf '%s\n' "$out" | awk -v sep=. -v brackets=1 \
		-f "$test_dir/flat.awk" | tr '\t' ' ' >"$T/flat"
}

# PATH: its value; of a list with .* in the end all, in a line
value()
{
	case $1 in
	*.\*)	awk -v path="${1%\*}" 'index($1, path) == 1 &&
			substr($1, length(path) + 1) ~ /^[0-9]+$/ {
				printf "%s%s", sep, $2; sep = " " }' "$T/flat" ;;
	*)	awk -v path="$1" '$1 == path { print $2 }' "$T/flat" ;;
	esac
}

stats()
{
	verb events --stats $ID
	flat
}

# The group of the process $pid with a controller
group()
{
	out=$(sed 's/^/cgroup /' "/proc/$pid/cgroup")
	directory $1
}

# Creates and starts $ID, which is to stay.
go()
{
	create
	verb start $ID
}

gone()
{
	verb kill $ID KILL
	wait_for in_state stopped
	verb delete $ID
}

# ---- statistics -------------------------------------------------------------

# It works a fifth of the time until it waits, so that it is throttled.
config args="$(json_list echo go : spin 0.1 : echo ready : signal-wait 15)" \
	linux='"resources":{"memory":{"limit":67108864,"swap":134217728},
	"pids":{"limit":50},"cpu":{"quota":20000,"period":100000}}'
go
wait_for said ready
stats
check_is "one line of JSON, and nothing else" \
	"$status $(printf '%s\n' "$out" | wc -l | tr -d ' ')$err" "0 1"
check_is "its type and its id" "$(value type) $(value id)" "stats $ID"
if has jq; then
	# shellcheck disable=SC2016
	check "jq takes it" sh -c 'printf "%s" "$1" | jq -e . >/dev/null' - \
		"$out"
fi

# CONTROLLER|PATH|FILE|FILE|HOW: data.PATH is what stands in the file, of v1 or
# of v2; "FILE FIELD", "FILE FIELD SCALE". HOW: = the same, < more than nothing
# and no more than what it is now, <= no more, ~ within a megabyte.
while IFS='|' read -r ctrl path v1 v2 how <&3; do
	[ -n "$(v1_mount $ctrl)" ] && file=$v1 || file=$v2
	[ "$file" != - ] || continue
	# Time is of the controller cpu in v2.
	[ "$ctrl" != cpuacct ] || [ -n "$(v1_mount $ctrl)" ] || ctrl=cpu
	controller "$path" $ctrl || continue
	set -- $file
	file=$(group $ctrl)/$1
	[ -e "$file" ] || {
		skip "$path" "this kernel has no $1"
		continue
	}
	got=$(value data.$path)
	due=$(awk -v field="${2:-}" -v scale="${3:-1}" \
		'field == "" || $1 == field {
			printf "%s\n", scale == 1 ? $NF : sprintf("%.0f",
				$NF * scale); exit }' "$file")
	case $how in
	=)	check_is "$path" "$got" "$due" ;;
	\<)	check "$path: 0 < $got <= $due" [ "${got:-0}" -gt 0 -a \
			"${got:-0}" -le "$due" ] ;;
	\<=)	check "$path: $got <= $due" [ "${got:--1}" -ge 0 -a \
			"${got:-0}" -le "$due" ] ;;
	\~)	check "$path: about $due" [ "${got:-0}" -gt 0 -a \
			$((${got:-0} - due)) -lt 1048576 -a \
			$((due - ${got:-0})) -lt 1048576 ] ;;
	esac
done 3<<END
pids|pids.current|pids.current|pids.current|=
pids|pids.limit|pids.max|pids.max|=
memory|memory.usage.limit|memory.limit_in_bytes|memory.max|=
memory|memory.usage.usage|memory.usage_in_bytes|memory.current|~
memory|memory.usage.max|memory.max_usage_in_bytes|memory.peak|=
memory|memory.usage.failcnt|memory.failcnt|memory.events max|=
memory|memory.swap.limit|memory.memsw.limit_in_bytes|-|=
memory|memory.swap.usage|memory.memsw.usage_in_bytes|memory.current|~
memory|memory.swap.max|memory.memsw.max_usage_in_bytes|-|=
memory|memory.swap.failcnt|memory.memsw.failcnt|memory.swap.events max|=
memory|memory.kernel.limit|memory.kmem.limit_in_bytes|-|=
memory|memory.kernel.usage|memory.kmem.usage_in_bytes|-|~
memory|memory.kernel.failcnt|memory.kmem.failcnt|-|=
memory|memory.kernelTCP.limit|memory.kmem.tcp.limit_in_bytes|-|=
memory|memory.kernelTCP.failcnt|memory.kmem.tcp.failcnt|-|=
memory|memory.raw.pgfault|memory.stat pgfault|memory.stat pgfault|<=
memory|memory.raw.total_pgfault|memory.stat total_pgfault|-|<=
memory|memory.raw.hierarchical_memory_limit|memory.stat hierarchical_memory_limit|-|=
memory|memory.raw.anon|-|memory.stat anon|~
cpuacct|cpu.usage.total|cpuacct.usage|cpu.stat usage_usec 1000|<
cpuacct|cpu.usage.user|cpuacct.stat user 10000000|cpu.stat user_usec 1000|<=
cpuacct|cpu.usage.kernel|cpuacct.stat system 10000000|cpu.stat system_usec 1000|<=
cpu|cpu.throttling.periods|cpu.stat nr_periods|cpu.stat nr_periods|<
cpu|cpu.throttling.throttledPeriods|cpu.stat nr_throttled|cpu.stat nr_throttled|<
cpu|cpu.throttling.throttledTime|cpu.stat throttled_time|cpu.stat throttled_usec 1000|<
cpuset|cpuset.cpu_exclusive|cpuset.cpu_exclusive|-|=
cpuset|cpuset.mem_exclusive|cpuset.mem_exclusive|-|=
cpuset|cpuset.mem_hardwall|cpuset.mem_hardwall|-|=
cpuset|cpuset.memory_migrate|cpuset.memory_migrate|-|=
cpuset|cpuset.memory_spread_page|cpuset.memory_spread_page|-|=
cpuset|cpuset.memory_spread_slab|cpuset.memory_spread_slab|-|=
cpuset|cpuset.memory_pressure|cpuset.memory_pressure|-|=
cpuset|cpuset.sched_load_balance|cpuset.sched_load_balance|-|=
cpuset|cpuset.sched_relax_domain_level|cpuset.sched_relax_domain_level|-|=
END
# What the engines that ask runc 1.1 do not get
ours "what is new in runc" && while IFS='|' read -r ctrl path file; do
	[ -z "$(v1_mount $ctrl)" ] || continue
	controller "$path" $ctrl || continue
	[ -e "$(group $ctrl)/${file%% *}" ] || continue
	check_is "$path" "$(value data.$path)" \
		"$(awk -v field="${file#* }" '$1 == field { print $2 }' \
			"$(group $ctrl)/${file%% *}")"
done <<END
memory|memory.event_count.oom_kill|memory.events oom_kill
memory|memory.event_count.max|memory.events max
END
if [ -z "$(v1_mount memory)" ] && has cgroup2:memory; then
	[ ! -e "$(group memory)/memory.swap.max" ] ||
		check_is "memory.swap.limit is of both together" \
			"$(value data.memory.swap.limit)" 134217728
fi

# FILE: the numbers of 0-2,5
set_of()
{
	awk -F, '{
		for (i = 1; i <= NF; i++) {
			n = split($i, ends, "-")
			for (k = ends[1] + 0; k <= ends[n] + 0; k++) {
				printf "%s%s", sep, k
				sep = " "
			}
		}
	}' "$1"
}
for list in cpus mems; do
	controller "cpuset.$list" cpuset || break
	file=$(group cpuset)/cpuset.$list
	[ -n "$(v1_mount cpuset)" ] || file=$file.effective
	check_is "cpuset.$list is a list" "$(value "data.cpuset.$list.*")" \
		"$(set_of "$file")"
done
if [ -n "$(v1_mount cpuacct)" ]; then
	check_is "cpu.usage.percpu has each processor" \
		"$(value 'data.cpu.usage.percpu.*' | wc -w)" \
		"$(wc -w <"$(group cpuacct)/cpuacct.usage_percpu")"
	total=$(value data.cpu.usage.total)
	check_is "and they are the total" $(($(value 'data.cpu.usage.percpu.*' |
		tr ' ' '+'))) "$total"
fi
if controller "hugetlb" hugetlb; then
	for file in "$(group hugetlb)"/hugetlb.*[0-9]?B.current \
		"$(group hugetlb)"/hugetlb.*[0-9]?B.usage_in_bytes; do
		[ -e "$file" ] || continue
		size=${file##*/hugetlb.}
		size=${size%%.*}
		check_is "hugetlb.$size.usage" "$(value \
			data.hugetlb.$size.usage)" "$(cat "$file")"
		check_is "hugetlb.$size.failcnt" "$(value \
			data.hugetlb.$size.failcnt)" 0
	done
fi
check_is "intel_rdt is an object" "$(value data.intel_rdt)" "{"
check "there is network_interfaces" \
	grep -q '^data\.network_interfaces ' "$T/flat"

# IF OF: a process in the group copies 64 KiB past the cache, if it can.
copy()
{
	sh -c 'echo $$ >"$1/cgroup.procs" && exec dd if="$2" of="$3" bs=4096 \
		count=16 $4' - "$(group blkio)" "$@" 2>/dev/null
}

# What a disk counts of that: the one below $T, and a loop device.
if controller "blkio" blkio; then
	copy /dev/zero "$T/disk" oflag=direct || copy /dev/zero "$T/disk" ""
	loop=$(losetup -f 2>/dev/null)
	if [ -n "$loop" ] && losetup "$loop" "$T/disk" 2>/dev/null; then
		copy "$loop" /dev/null ""
	else
		loop=
	fi
	stats
	if [ -n "$(v1_mount blkio)" ]; then
		awk 'NF == 3' "$(group blkio)/blkio.throttle.io_service_bytes_recursive"
	else
		awk '{ for (i = 2; i <= NF; i++)
			if (sub(/bytes=/, " ", $i)) {
				sub(/^r/, "Read", $i)
				sub(/^w/, "Write", $i)
				sub(/^d/, "Discard", $i)
				print $1, $i
			} }' "$(group blkio)/io.stat"
	fi >"$T/io"
	[ -z "$loop" ] || losetup -d "$loop"
	[ -z "$(v1_mount blkio)$(cat "$T/io")" ] ||
		check_is "blkio.ioServiceBytesRecursive is a list" \
			"$(value data.blkio.ioServiceBytesRecursive)" "["
	awk '/^data\.blkio\.ioServiceBytesRecursive\.[0-9]+\./ {
		printf "%s%s", $2, /major/ ? ":" : /value/ ? "\n" : " " }' \
		"$T/flat" >"$T/io.got"
	if [ ! -s "$T/io" ]; then
		skip "what it has" "no disk counts here"
	elif ours "what it has"; then	# runc has no "minor":0
		check_is "and has what the group's file has" \
			"$(cat "$T/io.got")" "$(cat "$T/io")"
	fi
fi
gone

# The shape of runc: all that it has, we have.
if ours "runc's statistics" && able "runc's statistics" runc; then
	keys()
	{
		# but what a list has
		sed 's/ .*//; /\.[0-9]/d' "$T/flat" | sort
	}
	go
	stats
	keys >"$T/keys"
	gone
	own=$NSRUN own_state=$STATE
	NSRUN=$(command -v runc) STATE=$T/state-runc
	go
	stats
	gone
	rm -rf "$STATE"
	NSRUN=$own STATE=$own_state
	if [ "$(value type)" = stats ]; then
		check_is "all of runc's statistics are there" \
			"$(keys | grep -Fxvf "$T/keys")" ""
	else
		skip "runc's statistics" "runc does not run here"
	fi
fi

create
stats
check_is "a created container has statistics" "$status$err$(value type)" 0stats
verb start $ID
for word in 0 0s -1s 5x 1.5 ''; do
	verb events --interval "$word" $ID
	declined "--interval '$word' is refused" "interval" 1 ""
done
verb kill $ID KILL
wait_for in_state stopped
stats
declined "a stopped container has none" \
	"container with id $ID is not running" 1 ""
verb events --interval 100ms $ID
declined "nor events" "container with id $ID is not running" 1 ""
verb delete $ID
stats
declined "nor one that is not there" "does not exist" 1 ""

# ---- events -------------------------------------------------------------------

# OPTIONS..: events of $ID in the background, into $T/events
follow()
{
	: >"$T/events"
	"$NSRUN" --root "$STATE" events "$@" $ID >"$T/events" \
		2>"$T/events.err" &
	follower=$!
}

# Until it ends by itself, or nearly so; $status is its status.
followed()
{
	wait_for not alive $follower || {
		echo "does not end" >>"$T/events.err"
		kill -KILL $follower
	}
	wait $follower
	status=$?
}

# TYPE: how many there are
lines_of()
{
	grep -c "^{\"type\": *\"$1\",\"id\": *\"$ID\"[,}]" "$T/events"
}

some_lines()
{
	[ "$(lines_of stats)" -ge 3 ]
}

config args='"signal-wait","15"'
go
follow --interval 100ms
check "a line every interval" wait_for some_lines
ours "the end of events" && {
	verb kill $ID KILL
	followed
	check_is "it ends when the container does" \
		"$status$(cat "$T/events.err")" 0
	check_is "and tells nothing else" \
		"$(grep -vc '^{"type":"stats"' "$T/events")" 0
}
gone
[ -z "$peer" ] || followed

# The group is there after the end of its processes.
if controller "an oom kill" memory; then
	wrong=
	for n in 1 2 3 4 5; do
		config linux='"resources":{"memory":{"limit":8388608}}' \
			args='"alloc","64"'
		create
		follow --interval 1h
		sleep 0.3
		verb start $ID
		[ -z "$peer" ] || {
			wait_for in_state stopped
			verb delete $ID
		}
		followed
		[ "$status$(cat "$T/events" "$T/events.err")" = \
			"0{\"type\":\"oom\",\"id\":\"$ID\"}" ] ||
			wrong="$wrong$n: $(cat "$T/events" "$T/events.err"); "
		verb delete --force $ID
	done
	check_is "an oom kill is told, once" "$wrong" ""

	# Of others than init too, each time. runc tells of them twice on v1.
	ours "the oom kills of other processes" && {
		config linux='"resources":{"memory":{"limit":16777216}}' \
			args='"signal-wait","15"'
		go
		follow --interval 1h
		sleep 0.3
		for n in 1 2 3; do
			verb exec $ID /bin/probe alloc 64
			check "process $n is killed for memory" [ $status = 137 ]
			enough()
			{
				[ "$(lines_of oom)" -ge $n ]
			}
			check "and told" wait_for enough
		done
		verb kill $ID KILL
		followed
		check_is "three in all" "$(lines_of oom)" 3
		gone
	}
fi

# Whoever reads has enough: it does not go on for nobody.
config args='"signal-wait","15"'
go
mkfifo "$T/pipe"
"$NSRUN" --root "$STATE" events --interval 50ms $ID >"$T/pipe" \
	2>"$T/events.err" &
follower=$!
head -n 2 <"$T/pipe" >"$T/events"
: >"$T/events.err"
wait_for not alive $follower || echo "goes on" >"$T/events.err"
check_is "it ends when nobody reads any more" \
	"$(lines_of stats)$(grep goes "$T/events.err")" 2
[ ! -s "$T/events.err" ] || kill -KILL $follower
gone

# ---- freezing -----------------------------------------------------------------

# The processor time of processes, in ticks
ticks()
{
	for process; do
		sed 's/.*) //' "/proc/$process/stat" | awk '{ print $12 + $13 }'
	done
}

# How many of them have got on since then
went_on()
{
	ticks "$@" | paste - "$T/ticks" | awk '$1 > $2 { n++ } END { print n + 0 }'
}

all_went_on()
{
	[ "$(went_on $pids)" = "$(echo $pids | wc -w)" ]
}

# $pids, of $ID
list()
{
	verb ps -f json $ID
	# runc has null for none
	pids=$(printf '%s' "$out" | tr -d '[]nul' | tr ',' ' ')
}

# Those of them that are there
living()
{
	for process; do
		! alive $process || echo $process
	done
}

# NUMBER: so many processes are there
count_is()
{
	list
	[ "$(echo $pids | wc -w)" -eq "$1" ]
}

config cmd='"/bin/probe","spin","60"'
go
if [ -z "$(v1_mount freezer)" ] && [ ! -e "$(group freezer)/cgroup.freeze" ]
then
	skip "freezing" "no freezer here"
	gone
else
	verb exec -d $ID /bin/probe spin 60
	verb exec -d $ID /bin/probe spin 60
	check "three processes spin" wait_for count_is 3
	mkdir "$(group freezer)/sub" "$(group freezer)/sub/sub"
	for last in $pids; do :; done
	echo $last >"$(group freezer)/sub/sub/cgroup.procs"
	verb pause $ID
	check_is "pause" "$status$out$err" 0
	ticks $pids >"$T/ticks"
	sleep 0.5
	check_is "they stand still, also in groups below" "$(went_on $pids)" 0
	check "and are paused" in_state paused
	stats
	check_is "a paused one has statistics" "$status$(value type)" 0stats
	verb pause $ID
	declined "no second pause" "container not running or created: paused" \
		1 ""
	verb resume $ID
	check_is "resume" "$status$out$err" 0
	check "all go on" wait_for all_went_on
	check "and are running" in_state running
	verb resume $ID
	declined "no second resume" "container not paused" 1 ""

	# What is paused can be ended, in each of the ways.
	while read -r words <&3; do
		list
		had=$pids
		verb pause $ID
		verb $words
		check_is "${words%% "$ID"*} ends a paused one" "$status$err" 0
		check "whole" wait_for count_is 0
		wait_for in_state stopped
		verb delete $ID
		check_is "and nobody is left" "$(living $had)" ""
		go
		verb exec -d $ID /bin/probe spin 60
	done 3<<-END
	kill $ID KILL
	kill --all $ID KILL
	END
	list
	had=$pids
	verb pause $ID
	verb delete --force $ID
	check_is "delete --force ends a paused one" "$status$err" 0
	check_is "and nobody is left" "$(living $had)" ""

	create
	verb pause $ID
	check_is "a created one can be paused" "$status$err" 0
	verb start $ID
	declined "and is not started" "in the paused state" 1 ""
	verb resume $ID
	check_is "until it is resumed" "$status$err" 0
	verb start $ID
	check_is "then it is" "$status$err" 0
	gone
fi

# ---- ps, and groups in groups ----------------------------------------------------

sorted()
{
	printf '%s\n' "$@" | sort -n | xargs
}

config args='"fork","3",":","signal-wait","15"'
go
check "ps tells of children" wait_for count_is 4
had=$(sorted $pids)
mkdir "$(group pids)/sub" "$(group pids)/sub/sub"
echo "${had##* }" >"$(group pids)/sub/sub/cgroup.procs"
list
check_is "also in groups below" "$(sorted $pids)" "$had"
ours "ps without a ps" && {
	PATH=/none "$NSRUN" --root "$STATE" ps $ID >"$T/out" 2>"$T/err"
	status=$?
	outputs
	check_is "the table needs no ps of the host" \
		"$status $(printf '%s\n' "$out" | wc -l)$err" "0 5"
	check_out "it has the commands" "^$pid +.*probe fork 3"
}
gone
check_is "groups below are removed with it" "$status$err" 0

# However many there are beside each other, each directory is read once: two
# system calls, and some more for one that is long.
if able "many groups" strace && ours "many groups"; then
	config args='"signal-wait","15"'
	go
	# the first of its groups is the one that is looked at
	dir=$(sed -n 's/.*"path": "\(.*\)".*/\1/p' "$STATE/$ID/state.json" |
		head -n 1)
	(cd "$dir" && seq -f 'group%g/sub' 500 | xargs mkdir -p)
	wait_for [ -e "$dir/group500/sub" ]
	for command in "ps $ID" "delete --force $ID"; do
		strace -f -e trace=getdents64 -o "$T/trace" "$NSRUN" \
			--root "$STATE" $command >"$T/many" 2>&1
		check_is "${command%% *} goes through a thousand groups" \
			"$? $(grep -c "^$pid " "$T/many")" \
			"0 $([ "${command%% *}" = ps ] && echo 1 || echo 0)"
		check "and reads each once" \
			[ "$(grep -c getdents64 "$T/trace")" -lt 2500 ]
	done
	check "all are gone" [ ! -e "$dir" ]
fi

# Init ends, and leaves behind who is busy in groups below.
config ns="mount ipc uts network" args='"fork","3",":","signal-wait","15"'
go
wait_for count_is 4
mkdir "$(group pids)/sub" "$(group pids)/sub/sub" "$(group pids)/sub/empty"
for process in $pids; do
	[ $process = $pid ] || echo $process >"$(group pids)/sub/sub/cgroup.procs"
done
had=$pids dir=$(group pids)
kill -TERM $pid
check "init ends" wait_for in_state stopped
verb delete $ID
check_is "delete of a group whose groups are busy" "$status" 0
check_is "removes them, and who is in them" \
	"$([ ! -e "$dir" ] || echo "$dir")$(living $had)" ""

# ---- kill --all -----------------------------------------------------------------

# S NAMESPACES: a fork bomb dies whole. It has ten seconds.
bomb()
{
	config ns="$2" cmd='"/bin/probe","bomb","10"' \
		linux='"resources":{"pids":{"limit":600}}'
	create
	place=$(group pids)
	bomb=500	# an emulated processor does not get there
	[ "$(nproc)" -gt 1 ] || bomb=50
	verb start $ID
	many()
	{
		[ "$(wc -l <"$place/cgroup.procs")" -ge $bomb ]
	}
	check "$1: a bomb of $bomb" wait_for many
	verb kill --all $ID KILL
	check_is "$1: kill --all" "$status$err" 0
	check "$1: init ends" wait_for in_state stopped
	none()
	{
		[ -z "$(cat "$place/cgroup.procs")" ]
	}
	check "$1: nobody is left" wait_for none
	verb delete $ID
	check_is "$1: delete" "$status$err" 0
}

if controller "fork bombs" pids; then
	bomb "with a pid namespace" "pid mount ipc uts network"
	bomb "without one" "mount ipc uts network"
fi

# Each tells what comes; 12 ends them.
for ns in "pid mount ipc uts network" "mount ipc uts network"; do
	what="kill --all, $(echo $ns | grep -q pid && echo with || echo without) \
a pid namespace"
	config ns="$ns" args='"signal-wait","12"'
	go
	for n in 1 2 3; do
		"$NSRUN" --root "$STATE" exec -d $ID /bin/probe signal-wait 12 \
			>"$T/told.$n" 2>&1
	done
	cat_told()
	{
		cat "$T/pay" "$T/told.1" "$T/told.2" "$T/told.3"
	}
	told()
	{
		[ "$(cat_told | grep -cx "$1")" = 4 ]
	}
	wait_for told ready
	verb kill --all $ID TERM
	check_is "$what" "$status$err" 0
	check "reaches all of them" wait_for told "signal 15"
	verb kill --all $ID USR2
	check "and ends all" wait_for count_is 0
	check_is "TERM came once to each" "$(cat_told | grep -c "signal 15")" 4
	wait_for in_state stopped
	verb delete $ID
done

done_testing
