#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2086,SC2154,SC2317,SC2016
#
# update: what its options and its JSON make of the kernel's files, what they
# leave alone, and what is left when it fails.

. "${0%/*}/../lib.sh"
need root cgroup
cgroups

# FILES: those of the held payload, FILE=VALUE;FILE=VALUE, all of $ctrl, are so
files_are()
{
	dir=$(directory $ctrl) wrong=
	old_IFS=$IFS
	IFS=';'
	for file in $2; do
		got=$(tr "\t\n" "  " 2>/dev/null <"$dir/${file%%=*}")
		[ "${got% }" = "${file#*=}" ] ||
			wrong="$wrong${file%%=*} is $got; "
	done
	IFS=$old_IFS
	check_is "$1" "$wrong" ""
}

# OPTIONS..: update of the held payload. Its output goes elsewhere: $out tells
# where the payload is.
update()
{
	shown=$out
	verb update "$@" $ID
	said=$out$err
	out=$shown
}

# CONTROLLER S OPTIONS V1FILES V2FILES: after it the files are so.
changes()
{
	ctrl=$1
	controller "$2" $ctrl || return 0
	update $3
	[ -n "$(v1_mount $ctrl)" ] && want=$4 || want=$5
	check_is "$2: succeeds" "$status$said" 0
	files_are "$2" "$want"
}

# CONTROLLER FILE: a new group has it
knob()
{
	look=$(v1_mount $1)
	look=${look:-$v2_mount}/$TAG-look
	mkdir "$look"
	[ -e "$look/$2" ]
	set -- $?
	rmdir "$look"
	return $1
}

# ---- the options ------------------------------------------------------------

hold '"memory":{"limit":67108864},"cpu":{"quota":50000,"period":100000},
	"pids":{"limit":50}'

changes pids "--pids-limit" "--pids-limit 77" "pids.max=77" "pids.max=77"
changes pids "--pids-limit -1" "--pids-limit -1" "pids.max=max" "pids.max=max"
changes pids "--pids-limit=40" "--pids-limit=40" "pids.max=40" "pids.max=40"
changes memory "--memory in bytes" "--memory 33554432" \
	"memory.limit_in_bytes=33554432" "memory.max=33554432"
changes memory "--memory 48m" "--memory 48m" \
	"memory.limit_in_bytes=50331648" "memory.max=50331648"
changes memory "--memory 1.5g" "--memory 1.5g" \
	"memory.limit_in_bytes=1610612736" "memory.max=1610612736"
changes memory "--memory 32MiB" "--memory 32MiB" \
	"memory.limit_in_bytes=33554432" "memory.max=33554432"
changes memory "--memory-reservation" "--memory-reservation 16m" \
	"memory.soft_limit_in_bytes=16777216" "memory.low=16777216"
changes cpu "--cpu-share" "--cpu-share 512" "cpu.shares=512" "cpu.weight=59"
changes cpu "--cpu-quota keeps the period" "--cpu-quota 20000" \
	"cpu.cfs_quota_us=20000;cpu.cfs_period_us=100000" \
	"cpu.max=20000 100000"
changes cpu "--cpu-period keeps the quota" "--cpu-period 50000" \
	"cpu.cfs_quota_us=20000;cpu.cfs_period_us=50000" "cpu.max=20000 50000"
changes cpu "--cpu-quota -1" "--cpu-quota -1" \
	"cpu.cfs_quota_us=-1;cpu.cfs_period_us=50000" "cpu.max=max 50000"
changes cpuset "--cpuset-cpus and --cpuset-mems" \
	"--cpuset-cpus 0 --cpuset-mems 0" "cpuset.cpus=0;cpuset.mems=0" \
	"cpuset.cpus=0;cpuset.mems=0"
if knob cpu cpu.cfs_burst_us || knob cpu cpu.max.burst; then
	changes cpu "--cpu-burst" "--cpu-quota 20000 --cpu-burst 5000" \
		"cpu.cfs_burst_us=5000" "cpu.max.burst=5000"
	changes cpu "--cpu-burst 0" "--cpu-burst 0" \
		"cpu.cfs_burst_us=0" "cpu.max.burst=0"
fi
if knob cpu cpu.idle; then
	changes cpu "--cpu-idle 1" "--cpu-idle 1" "cpu.idle=1" "cpu.idle=1"
	changes cpu "--cpu-idle 0 gives the share back" "--cpu-idle 0" \
		"cpu.idle=0;cpu.shares=512" "cpu.idle=0;cpu.weight=59"
fi
if knob blkio blkio.weight; then
	changes blkio "--blkio-weight" "--blkio-weight 300" "blkio.weight=300" ""
elif knob blkio io.weight; then
	changes blkio "--blkio-weight" "--blkio-weight 300" "" \
		"io.weight=default 2930"
fi
[ -z "$(v1_mount memory)" ] ||
	changes pids "--kernel-memory is taken" "--kernel-memory 64m" \
		"pids.max=40" ""

ctrl=pids
update --memory abc
check "a size that is none is refused" [ $status = 1 ]
err=$said
ours "and told" && check_err "and told" "resources\.memory\.limit: abc is no"
update --pids-limit 3x
check "a number that is none is refused" [ $status = 1 ]
files_are "and nothing is changed" "pids.max=40"
release

# ---- memory and swap ----------------------------------------------------------

if able "swap is limited" cgroup1:memory && knob memory \
	memory.memsw.limit_in_bytes; then
	hold '"memory":{"limit":33554432,"swap":67108864}'
	for pair in "128m 256m 134217728 268435456" \
		"16m 16m 16777216 16777216" "64m 1g 67108864 1073741824" \
		"64m -1 67108864 9223372036854771712" \
		"32m 32m 33554432 33554432"; do
		set -- $pair
		changes memory "memory $1 and swap $2 at once" \
			"--memory $1 --memory-swap $2" "memory.limit_in_bytes=$3;memory.memsw.limit_in_bytes=$4" ""
	done
	changes memory "without a limit of memory there is none of swap" \
		"--memory -1" "memory.limit_in_bytes=9223372036854771712;memory.memsw.limit_in_bytes=9223372036854771712" ""
	release
fi

# ---- JSON -----------------------------------------------------------------------

hold '"memory":{"limit":67108864},"cpu":{"shares":2048},"pids":{"limit":50},
	"devices":[{"allow":false,"access":"rwm"}]'
ctrl=pids

# JSON: update -r -
update_json()
{
	shown=$out
	printf '%s' "$1" >"$T/json"
	verb update -r - $ID <"$T/json"
	said=$out$err
	out=$shown
}

update_json '{"pids":{"limit":60},"unknown":{"a":[1]}}'
check_is "-r - reads stdin" "$status$said" 0
files_are "and applies it" "pids.max=60"
printf '{"pids":{"limit":61}}' >"$T/resources"
update --resources "$T/resources"
check_is "--resources reads a file" "$status$said" 0
files_are "and applies it, too" "pids.max=61"
printf '{"pids":{"limit":62}}' >"$T/resources"
update --resources "$T/resources" --pids-limit 63
files_are "options come after it" "pids.max=63"
update_json '{"memory":{"limit":0,"swap":0},"cpu":{"shares":0,"quota":0,
	"cpus":""},"blockIO":{"weight":0},"pids":{"limit":64}}'
check_is "zeros and empty strings ask for nothing" "$status$said" 0
files_are "what else is asked is applied" "pids.max=64"
ctrl=cpu
controller "shares stay" cpu &&
	if [ -n "$(v1_mount cpu)" ]; then
		files_are "shares stay" "cpu.shares=2048"
	else
		files_are "shares stay" "cpu.weight=174"
	fi
ctrl=pids
if able "devices are not touched" cgroup1:devices; then
	before=$(cat "$(directory devices)/devices.list")
	update_json '{"devices":[{"allow":true,"access":"rwm"}],
		"pids":{"limit":65}}'
	check_is "devices are not touched" "$before" \
		"$(cat "$(directory devices)/devices.list")"
fi
update_json '{"memory":{"limit":"1g"}}'
err=$said
check "a wrong type is refused" [ $status = 1 ]
ours "with its path" && check_err "with its path" \
	"resources\.memory\.limit: a number is due"
update_json '{"pids":'
check "broken JSON is refused" [ $status = 1 ]
update --resources "$T/nothing"
check "a file that is not there is refused" [ $status = 1 ]

# A failure in the middle: pids is written before the quota is refused.
if ours "after a failure the old limits are in force"; then
	before=$(cat "$(directory pids)/pids.max")
	update_json '{"pids":{"limit":99},"cpu":{"quota":1,"period":100000}}'
	check "what the kernel refuses is an error" [ $status = 1 ]
	update_json '{"unified":{"nonsense.max":"1"},"pids":{"limit":98}}'
	check "what no file is there for is an error" [ $status = 1 ]
	files_are "the old limits are in force" "pids.max=$before"
	update_json '{}'
	check_is "and the next update does not know of it" "$status$said" 0
	files_are "so nothing changes" "pids.max=$before"
fi

# Two at once: both are applied.
if ours "two at once"; then
	update --pids-limit 70 &
	other=$!
	update --cpu-share 4096
	wait $other
	files_are "two at once: the first" "pids.max=70"
	ctrl=cpu
	if [ -n "$(v1_mount cpu)" ]; then
		files_are "two at once: the second" "cpu.shares=4096"
	elif has cgroup2:cpu; then
		files_are "two at once: the second" "cpu.weight=303"
	fi
	ctrl=pids
	update_json '{}'
	files_are "and both are remembered" "pids.max=70"
fi
release

# ---- who is updated -----------------------------------------------------------

config linux='"resources":{"pids":{"limit":50}}' args='"signal-wait","15"'
create
group=$(sed -n 's/^[0-9]*:\(.*,\)*pids\(,.*\)*://p' "/proc/$pid/cgroup")
[ -n "$group" ] || group=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
mount_point=$(v1_mount pids)
group=${mount_point:-$v2_mount}$group
verb update --pids-limit 51 $ID
check_is "a created one is updated" "$status $(cat "$group/pids.max")" "0 51"
verb start $ID
verb update --pids-limit 52 $ID
check_is "a running one is" "$status $(cat "$group/pids.max")" "0 52"
if has cgroup1:freezer || [ -e "$group/cgroup.freeze" ]; then
	verb pause $ID
	verb update --pids-limit 53 $ID
	check_is "a paused one is" "$status $(cat "$group/pids.max")" "0 53"
	verb resume $ID
fi
verb kill $ID KILL
wait_for in_state stopped
verb update --pids-limit 54 $ID
declined "a stopped one is not" "container not running" 1 "cannot update"
verb delete $ID
verb update --pids-limit 54 $ID
declined "nor one that is not there" "does not exist" 1 "cannot update"

done_testing
