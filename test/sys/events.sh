#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2086,SC2154,SC2317,SC2016
#
# events, and pause, resume, ps and kill --all as far as they are about groups.

. "${0%/*}/../lib.sh"
need root cgroup
cgroups

# PATH: a number or a string of the JSON line $out, "data.cpu.usage.total",
# where no list comes before it
value()
{
	printf '%s\n' "$out" | awk -v want="$1" '
	{
		gsub(/\[[^][]*\]/, "0")
		gsub(/\[[^][]*\]/, "0")
		depth = 0
		while (match($0, /"[^"]*": ?[^,{}]*|[{}]/)) {
			word = substr($0, RSTART, RLENGTH)
			$0 = substr($0, RSTART + RLENGTH)
			if (word == "{") {
				depth++
				continue
			} else if (word == "}") {
				depth--
				continue
			}
			key = word
			sub(/^"/, "", key)
			sub(/".*/, "", key)
			sub(/^"[^"]*": ?/, "", word)
			at[depth] = key
			path = at[1]
			for (i = 2; i <= depth; i++)
				path = path "." at[i]
			if (path == want) {
				gsub(/"/, "", word)
				print word
			}
		}
	}'
}

stats()
{
	verb events --stats $ID
}

# S PATH FILE [FIELD [SCALE]]: the value is what the group's file says.
tells()
{
	file=$group_dir/$3
	[ -e "$file" ] || { skip "$1" "no $3 here"; return 0; }
	due=$(awk -v field="${4:-}" -v scale="${5:-1}" \
		'field == "" || $1 == field {
			printf "%s\n", scale == 1 ? $NF : $NF * scale; exit }' \
		"$file")
	check_is "$1" "$(value "$2")" "$due"
}

# ---- statistics -------------------------------------------------------------

hold '"memory":{"limit":67108864},"pids":{"limit":50},
	"cpu":{"quota":50000,"period":100000}'
places=$out
in_group()
{
	out=$places
	group_dir=$(directory $1)
}

stats
check_is "one line of JSON, and nothing else" \
	"$status $(printf '%s\n' "$out" | wc -l | tr -d ' ')$err" "0 1"
line=$out
if has jq; then
	# shellcheck disable=SC2016
	check "which jq takes" sh -c 'printf "%s" "$1" | jq -e . >/dev/null' - \
		"$out"
fi
check_is "its type" "$(value type)" stats
check_is "its id" "$(value id)" $ID
in_group pids
out=$line
tells "pids.current" data.pids.current pids.current
tells "pids.limit" data.pids.limit pids.max
in_group memory
out=$line
if [ -n "$(v1_mount memory)" ]; then
	tells "memory.usage.limit" data.memory.usage.limit \
		memory.limit_in_bytes
	tells "memory.usage.max" data.memory.usage.max \
		memory.max_usage_in_bytes
	tells "memory.usage.failcnt" data.memory.usage.failcnt memory.failcnt
	tells "memory.swap.limit" data.memory.swap.limit \
		memory.memsw.limit_in_bytes
	tells "memory.raw" data.memory.raw.pgfault memory.stat pgfault
elif has cgroup2:memory; then
	tells "memory.usage.limit" data.memory.usage.limit memory.max
	tells "memory.raw" data.memory.raw.pgfault memory.stat pgfault
	tells "memory.event_count" data.memory.event_count.oom_kill \
		memory.events oom_kill
fi
if [ -n "$(v1_mount cpuacct)" ]; then
	in_group cpuacct
	out=$line
	total=$(value data.cpu.usage.total)
	check "cpu.usage.total is that of the group, and not more ($total)" \
		[ "$total" -gt 0 -a "$total" -le \
		"$(cat "$group_dir/cpuacct.usage")" ]
elif has cgroup2:cpu; then
	in_group cpu
	out=$line
	total=$(value data.cpu.usage.total)
	now=$(sed -n 's/^usage_usec //p' "$group_dir/cpu.stat")
	check "cpu.usage.total is that of the group, and not more ($total)" \
		[ "$total" -gt 0 -a "$total" -le "${now}000" ]
fi
in_group cpu
out=$line
if controller "cpu.throttling" cpu; then
	periods=$(value data.cpu.throttling.periods)
	check "cpu.throttling.periods ($periods)" [ "${periods:-x}" -ge 0 ]
fi
for key in '"intel_rdt"' '"network_interfaces"'; do
	case $line in
	*"$key"*) pass "there is $key" ;;
	*) fail "there is $key" ;;
	esac
done
release

config args='"signal-wait","15"'
create
verb start $ID
for word in 0 -1s 5x ''; do
	verb events --interval "$word" $ID
	declined "--interval '$word' is refused" "interval" 1 ""
done
verb kill $ID KILL
wait_for in_state stopped
stats
declined "a stopped container has none" \
	"container with id $ID is not running" 1 ""
verb delete $ID

# ---- events -------------------------------------------------------------------

# OPTIONS..: events of $ID in the background, into $T/events
follow()
{
	$NSRUN --root $STATE events "$@" $ID >"$T/events" 2>"$T/events.err" &
	follower=$!
}

lines_of()
{
	grep -c "\"type\": *\"$1\"" "$T/events"
}

config args='"signal-wait","15"'
create
verb start $ID
follow --interval 100ms
some_lines()
{
	[ "$(lines_of stats)" -ge 3 ]
}
check "a line every interval" wait_for some_lines
verb kill $ID KILL
wait_for in_state stopped
wait $follower
check_is "it ends when the container does" "$?$(cat "$T/events.err")" 0
verb delete $ID

if controller "an oom kill is told" memory; then
	config linux='"resources":{"memory":{"limit":8388608}}' \
		args='"alloc","64"'
	create
	follow --interval 1h
	sleep 0.3
	verb start $ID
	wait_for in_state stopped
	wait $follower
	check_is "an oom kill is told, once" "$(lines_of oom)" 1
	check_is "with its id and nothing else" "$(grep oom "$T/events")" \
		"{\"type\":\"oom\",\"id\":\"$ID\"}"
	verb delete $ID
fi

# ---- freezing -----------------------------------------------------------------

# The processor time of a process, in ticks
ticks()
{
	sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}

freezer()
{
	[ -n "$v2_mount" ] || return
	mkdir "$v2_mount/$TAG-look"
	[ -e "$v2_mount/$TAG-look/cgroup.freeze" ]
	set -- $?
	rmdir "$v2_mount/$TAG-look"
	return $1
}

if ! has cgroup1:freezer && ! freezer; then
	skip "freezing" "no freezer here"
else
	config cmd='"/bin/probe","spin","1000"'
	create
	verb start $ID
	verb exec -d $ID /bin/probe spin 1000
	check_is "two processes spin" "$status$err" 0
	verb ps -f json $ID
	pids=$(printf '%s' "$out" | tr -d '[]' | tr ',' ' ')
	check_is "ps counts both" "$(echo $pids | wc -w | tr -d ' ')" 2
	verb pause $ID
	check_is "pause" "$status$err" 0
	check "they are paused" in_state paused
	before=$(for p in $pids; do ticks $p; done)
	sleep 0.4
	check_is "they stand still" "$(for p in $pids; do ticks $p; done)" \
		"$before"
	verb pause $ID
	declined "no second pause" "container not running or created: paused" \
		1 ""
	verb resume $ID
	check_is "resume" "$status$err" 0
	check "they run again" in_state running
	sleep 0.4
	check "and go on" [ "$(for p in $pids; do ticks $p; done)" != "$before" ]
	verb resume $ID
	declined "no second resume" "container not paused" 1 ""
	verb pause $ID
	verb kill $ID KILL
	check_is "a paused one can be killed" "$status$err" 0
	check "and ends" wait_for in_state stopped
	verb delete $ID
	create
	verb pause $ID
	check_is "a created one can be paused" "$status$err" 0
	verb start $ID
	declined "and is not started" "in the paused state" 1 ""
	verb delete --force $ID
	check_is "and deleted" "$status$err" 0
fi

# ---- ps, and groups in groups ----------------------------------------------------

config args='"fork","3",":","signal-wait","15"'
create
verb start $ID
all_there()
{
	verb ps -f json $ID
	[ "$(printf '%s\n' "$out" | awk -F, '{ print NF }')" -ge 4 ]
}
check "ps tells of children" wait_for all_there
pids=$(printf '%s' "$out" | tr -d '[]' | tr ',' ' ')
place=$(sed -n 's/^[0-9]*:\(.*,\)*pids\(,.*\)*://p' "/proc/$pid/cgroup")
[ -n "$place" ] || place=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
place=$(v1_mount pids)$place
[ -n "$(v1_mount pids)" ] || place=$v2_mount$place
set -- $pids
if mkdir "$place/sub" "$place/sub/sub" 2>/dev/null &&
   echo $4 2>/dev/null >"$place/sub/sub/cgroup.procs"; then
	verb ps -f json $ID
	check_is "also in groups below" \
		"$(printf '%s' "$out" | tr -d '[]' | tr ',' '\n' | sort -n |
			tr '\n' ' ')" \
		"$(printf '%s\n' $pids | sort -n | tr '\n' ' ')"
fi
verb ps $ID
check_out "the table has the commands" "^$pid +.*probe fork 3"
verb kill $ID KILL
wait_for in_state stopped
verb delete $ID
check_is "groups below are removed with it" "$status$err" 0

# ---- kill --all -----------------------------------------------------------------

# S NAMESPACES SIGNAL: a fork bomb dies whole
bomb()
{
	config ns="$2" cmd='"/bin/probe","bomb","15"' \
		linux='"resources":{"pids":{"limit":600}}'
	create
	place=$(sed -n 's/^[0-9]*:\(.*,\)*pids\(,.*\)*://p' \
		"/proc/$pid/cgroup")
	[ -n "$place" ] || place=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
	place=$(v1_mount pids)$place
	[ -n "$(v1_mount pids)" ] || place=$v2_mount$place
	verb start $ID
	many()
	{
		[ "$(cat "$place/pids.current")" -ge 400 ]
	}
	check "$1: it grows" wait_for many
	verb kill --all $ID KILL
	check_is "$1: kill --all" "$status$err" 0
	check "$1: init ends" wait_for in_state stopped
	none()
	{
		[ "$(cat "$place/pids.current")" = 0 ]
	}
	check "$1: nobody is left" wait_for none
	verb delete $ID
	check_is "$1: delete" "$status$err" 0
}

if controller "fork bombs" pids; then
	bomb "with a pid namespace" "pid mount ipc uts network"
	bomb "without one" "mount ipc uts network"
fi

config ns="mount ipc uts network" args='"fork","5",":","sleep","100"'
create
verb start $ID
wait_for all_there
verb kill --all $ID TERM
check "kill --all TERM reaches all of them" wait_for in_state stopped
verb ps -f json $ID
check_is "and nobody is left" "$out" "[]"
verb delete $ID

done_testing
