#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2086,SC2154
#
# update: what its options and its JSON make of the kernel's files, what they
# leave alone, and what is left when it fails or is killed.

. "${0%/*}/../lib.sh"
need root cgroup
cgroups

# All that it can change, of both versions: each update is held against the
# whole list, so that it must not change anything else.
files='cpu.shares cpu.weight cpu.max cpu.cfs_quota_us cpu.cfs_period_us
cpu.cfs_burst_us cpu.max.burst cpu.idle cpu.rt_runtime_us cpu.rt_period_us
cpuset.cpus cpuset.mems memory.limit_in_bytes memory.max
memory.soft_limit_in_bytes memory.low memory.memsw.limit_in_bytes
memory.swap.max memory.high pids.max blkio.weight blkio.bfq.weight io.weight
io.bfq.weight'

# The groups of the payload that waits, $dir_CONTROLLER
groups()
{
	for name in cpu cpuset memory pids blkio devices; do
		eval "dir_$name=\$(directory $name)"
	done
	dir_io=$dir_blkio
}

# [RESOURCES]: hold, and its groups
held()
{
	hold "$@"
	groups
}

# The files of the payload, FILE=VALUE
limits()
{
	for file in $files; do
		eval "file=\$dir_${file%%.*}/$file"
		[ -e "$file" ] || continue
		read -r value <"$file" || value=
		echo "${file##*/}=$value"
	done
}

before()
{
	limits >"$T/before"
}

# Those that are not as they were before, in one line
changed()
{
	limits | grep -Fxvf "$T/before" | tr '\n' ';' | sed 's/;$//'
}

update()
{
	verb update "$@" $ID
}

# JSON
update_json()
{
	printf '%s' "$1" >"$T/json"
	update -r - <"$T/json"
}

# By the table $T/table, CONTROLLER|OPTIONS|V1|V2 in each line: an update changes
# that and nothing else. A ! in front: peers do it otherwise. A ? in front: a
# kernel may lack the last of the files. A row with a - is not for that version.
by_table()
{
	while IFS='|' read -r ctrl options v1 v2 <&3; do
		what="update $options"
		[ "$ctrl" = "${ctrl#!}" ] || ours "$what" || continue
		ctrl=${ctrl#!}
		controller "$what" $ctrl || continue
		[ -n "$(v1_mount $ctrl)" ] && want=$v1 || want=$v2
		case $want in
		-)	continue ;;
		\?*)	want=${want#\?} file=${want##*;}
			file=${file%%=*}
			eval "file=\$dir_${file%%.*}/$file"
			[ -e "$file" ] || {
				skip "$what" "this kernel has no ${file##*/}"
				continue
			} ;;
		esac
		before
		update $options
		check_is "$what" "$status$out$err $(changed)" "0 $want"
	done 3<"$T/table"
}

# ---- the options ------------------------------------------------------------

max=9223372036854771712		# no limit of memory to v1
held '"memory":{"limit":67108864},"pids":{"limit":50},
	"cpu":{"shares":2048,"quota":50000,"period":100000}'

one="cpuset.cpus=0"
[ "$(cat /sys/devices/system/cpu/online)" != 0 ] || one=
# A weight goes by the name of the scheduler that keeps it.
bfq=blkio.bfq.weight
[ ! -e "$dir_blkio/blkio.weight" ] || bfq=blkio.weight
weight='io.weight=default 2930'
[ ! -e "$dir_io/io.bfq.weight" ] || weight="io.bfq.weight=default 300"

cat >"$T/table" <<END
pids|--pids-limit 77|pids.max=77|pids.max=77
pids|--pids-limit=40|pids.max=40|pids.max=40
pids|--pids-limit -1|pids.max=max|pids.max=max
pids|--pids-limit 60|pids.max=60|pids.max=60
!pids|--pids-limit 0|pids.max=max|pids.max=max
memory|--memory 33554432|memory.limit_in_bytes=33554432|memory.max=33554432
memory|--memory 48m|memory.limit_in_bytes=50331648|memory.max=50331648
memory|--memory 32M|memory.limit_in_bytes=33554432|memory.max=33554432
memory|--memory 7.5m|memory.limit_in_bytes=7864320|memory.max=7864320
memory|--memory 1g|memory.limit_in_bytes=1073741824|memory.max=1073741824
memory|--memory 1.5g|memory.limit_in_bytes=1610612736|memory.max=1610612736
memory|--memory 32MiB|memory.limit_in_bytes=33554432|memory.max=33554432
memory|--memory -1|memory.limit_in_bytes=$max|memory.max=max
memory|--memory 65536k|memory.limit_in_bytes=67108864|memory.max=67108864
memory|--memory-reservation 16m|memory.soft_limit_in_bytes=16777216|memory.low=16777216
cpu|--cpu-share 512|cpu.shares=512|cpu.weight=59
cpu|--cpu-share 1024|cpu.shares=1024|cpu.weight=100
cpu|--cpu-quota 20000|cpu.cfs_quota_us=20000|cpu.max=20000 100000
cpu|--cpu-period 50000|cpu.cfs_period_us=50000|cpu.max=20000 50000
!cpu|--cpu-burst 5000|?cpu.cfs_burst_us=5000|?cpu.max.burst=5000
!cpu|--cpu-burst 0|?cpu.cfs_burst_us=0|?cpu.max.burst=0
cpu|--cpu-quota -1|cpu.cfs_quota_us=-1|cpu.max=max 50000
cpu|--cpu-quota 1000 --cpu-period 1000|cpu.cfs_quota_us=1000;cpu.cfs_period_us=1000|cpu.max=1000 1000
cpu|--cpu-quota 1000000 --cpu-period 1000000|cpu.cfs_quota_us=1000000;cpu.cfs_period_us=1000000|cpu.max=1000000 1000000
!cpu|--cpu-idle 1|?cpu.shares=3;cpu.idle=1|?cpu.weight=0;cpu.idle=1
!cpu|--cpu-idle 0|?cpu.shares=1024;cpu.idle=0|?cpu.weight=100;cpu.idle=0
cpu|--cpu-rt-runtime 1000 --cpu-rt-period 500000|?cpu.rt_runtime_us=1000;cpu.rt_period_us=500000|-
cpuset|--cpuset-cpus 0|$one|cpuset.cpus=0
cpuset|--cpuset-mems 0||cpuset.mems=0
blkio|--blkio-weight 300|?$bfq=300|?$weight
pids|--pids-limit 61 --cpu-share 2048|cpu.shares=2048;pids.max=61|cpu.weight=174;pids.max=61
END
by_table

before
while IFS='|' read -r option word key <&3; do
	what=${option#!}
	[ "$option" = "$what" ] || ours "$what $word" || continue
	option=$what
	update "$option" "$word"
	declined "$option '$word' is refused" "resources\.$key" 1 \
		"cannot update '$ID': "
done 3<<END
--memory|abc|memory\.limit: abc is no number of bytes
!--memory||memory\.limit:
!--memory|64 m|memory\.limit:
--memory|64mm|memory\.limit:
!--memory|-2|memory\.limit: -2 is out of range
!--memory|1e6|memory\.limit:
!--memory|0x10|memory\.limit:
!--memory|99999999999g|memory\.limit:
--memory-reservation|abc|memory\.reservation: abc
--memory-swap|1..5g|memory\.swap: 1\.\.5g
--kernel-memory|abc|memory\.kernel: abc
--pids-limit|3x|pids\.limit: 3x is no number
--pids-limit|1m|pids\.limit: 1m
--pids-limit|99999999999999999999|pids\.limit:
--cpu-share|x|cpu\.shares: x is no number
!--cpu-share|-1|cpu\.shares: -1 is out of range
--cpu-quota|x|cpu\.quota: x
--cpu-period|x|cpu\.period: x
--cpu-rt-runtime|x|cpu\.realtimeRuntime: x
--cpu-rt-period|x|cpu\.realtimePeriod: x
--cpu-idle|2|cpu\.idle: 2 is out of range
--cpuset-cpus|a|cpu\.cpus:
--cpuset-mems|1-|cpu\.mems:
--blkio-weight|x|blockIO\.weight: x
!--blkio-weight|5|blockIO: a weight is from 10 to 1000
!--blkio-weight|1001|blockIO\.weight: 1001 is out of range
END
update --pids-limit
check "an option without its value is refused" [ $status = 1 ]
update --pid-limit 5
check "an option that is none is refused" [ $status = 1 ]
check_is "which changes nothing" "$(changed)" ""
update --kernel-memory 64m --kernel-memory-tcp 64m
check_is "--kernel-memory and --kernel-memory-tcp limit nothing" \
	"$status $(changed)" "0 "
ours "which is told" && able "which is told" kernel:5.16 &&
	check_err "which is told" "memory\.kernel: .* has no such limit"
release
check_is "the payload notices nothing of all that" "$status" 0

# ---- memory and swap ----------------------------------------------------------

# The option counts both together, the file of v2 swap alone.
held '"memory":{"limit":33554432,"swap":67108864}'
if [ -e "$dir_memory/memory.memsw.limit_in_bytes" ] ||
   [ -e "$dir_memory/memory.swap.max" ]; then
	l=memory.limit_in_bytes s=memory.memsw.limit_in_bytes
	m=memory.max w=memory.swap.max
	cat >"$T/table" <<-END
	memory|--memory 128m --memory-swap 256m|$l=134217728;$s=268435456|$m=134217728;$w=134217728
	memory|--memory 16m --memory-swap 16m|$l=16777216;$s=16777216|$m=16777216;$w=0
	memory|--memory 64m --memory-swap 1g|$l=67108864;$s=1073741824|$m=67108864;$w=1006632960
	memory|--memory-swap -1|$s=$max|$w=max
	memory|--memory 32m|$l=33554432|$m=33554432
	memory|--memory-swap 48m|$s=50331648|$w=16777216
	memory|--memory 40m|$l=41943040|$m=41943040;$w=8388608
	memory|--memory 30m --memory-swap 90m|$l=31457280;$s=94371840|$m=31457280;$w=62914560
	memory|--memory 80m --memory-swap -1|$l=83886080;$s=$max|$m=83886080;$w=max
	memory|--memory 32m --memory-swap 32m|$l=33554432;$s=33554432|$m=33554432;$w=0
	END
	by_table
	update --memory 64m
	ours "more memory than both together" && declined \
		"more memory than both together is refused" \
		"resources\.memory\.swap: 33554432 .*67108864" 1 "cannot update"
	echo "!memory|--memory -1|$l=$max;$s=$max|$m=max;$w=max" >"$T/table"
	by_table
else
	skip "memory and swap" "swap is not limited here"
fi
release

# No processes: the oldest configs mean no limit by it, see the table.
if controller "a limit of 0 processes" pids && ours "a limit of 0 processes"
then
	config args="$(json_list show cgroup : echo ready : read /tmp/go)" \
		linux='"resources":{"pids":{"limit":50}}'
	sed 's/"1\.0\.2"/"1.3.0"/' "$B/config.json" >"$T/new"
	cp "$T/new" "$B/config.json"
	start
	wait_for ready
	outputs
	groups
	before
	update --pids-limit 0
	check_is "of a config of 1.3.0 it is the least there is" \
		"$status $(changed)" "0 pids.max=1"
	check_err "with a warning" 'pids\.limit: 0 is a limit since ociVersion'
	release
fi

# Less than what is in use
big()
{
	config args="$(json_list show cgroup : alloc 24 : echo ready : \
		read /tmp/go)" linux='"resources":{"memory":{"limit":67108864},
		"pids":{"limit":50}}'
	start
	wait_for ready
	outputs
	groups
	before
}
if ! controller "less memory than is in use" memory; then
	:
elif [ -n "$(v1_mount memory)" ] && [ "$(wc -l </proc/swaps)" -gt 1 ]; then
	skip "less memory than is in use" "the kernel swaps it out"
elif [ -n "$(v1_mount memory)" ]; then
	big
	update --pids-limit 51 --memory 8m
	declined "less memory than is in use is refused, and how much that is" \
		"memory\.limit.*busy \(2[0-9]{7} bytes are in use\)" 1 \
		"cannot update"
	ours "the limits after that" &&
		check_is "the limits stay" "$(changed)" ""
	release
	check_is "and the payload" "$status" 0
elif ours "less memory than is in use"; then
	big
	update_json '{"pids":{"limit":51},
		"memory":{"limit":8388608,"checkBeforeUpdate":true}}'
	declined "less memory than is in use can be refused" \
		"memory\.limit.*8388608.*2[0-9]{7}" 1 "cannot update"
	check_is "the limits stay" "$(changed)" ""
	update_json '{"memory":{"limit":50331648,"checkBeforeUpdate":true}}'
	check_is "what is enough is not" "$status$err $(changed)" \
		"0 memory.max=50331648"
	release
	check_is "and the payload stays" "$status" 0
fi

# ---- JSON -----------------------------------------------------------------------

held '"memory":{"limit":67108864},"cpu":{"shares":2048},"pids":{"limit":50}'
before
update_json '{"pids":{"limit":60},"unknown":{"a":[1]}}'
check_is "-r - reads stdin" "$status$err $(changed)" "0 pids.max=60"
printf '{"pids":{"limit":61}}' >"$T/resources"
update --resources "$T/resources"
check_is "--resources reads a file" "$status$err $(changed)" "0 pids.max=61"
ours "options and --resources" && {
	update -r "$T/resources" --pids-limit 63
	check_is "options come after it" "$status$err $(changed)" "0 pids.max=63"
}
before
update_json '{"memory":{"limit":0,"swap":0,"reservation":0},
	"cpu":{"shares":0,"quota":0,"period":0,"cpus":"","mems":"",
	"realtimeRuntime":0,"realtimePeriod":0},
	"blockIO":{"weight":0},"pids":{"limit":64}}'
check_is "zeros and empty strings ask for nothing" "$status$err $(changed)" \
	"0 pids.max=64"

before
while IFS='|' read -r json regex <&3; do
	what=${json#!}
	[ "$json" = "$what" ] || ours "$what" || continue
	json=$what
	update_json "$json"
	declined "$json is refused" "$regex" 1 "cannot update '$ID': "
done 3<<END
|resources:1:1: unexpected end
{"pids":|resources:1:9: unexpected end
!{} x|resources:1:4
!null|resources: expected an object
[]|resources: expected an object
{"memory":[]}|resources\.memory: expected an object
{"memory":{"limit":"1g"}}|resources\.memory\.limit: expected a number
{"memory":{"limit":true}}|resources\.memory\.limit: expected a number
{"memory":{"limit":1.5}}|resources\.memory\.limit: 1\.5 is no whole number
{"pids":{"limit":"5"}}|resources\.pids\.limit: expected a number
{"cpu":{"cpus":5}}|resources\.cpu\.cpus: expected a string
{"cpu":{"shares":-5}}|resources\.cpu\.shares: -5 is out of range
{"blockIO":{"weight":65536}}|resources\.blockIO\.weight: 65536 is out of range
!{"blockIO":{"weightDevice":[{"major":8}]}}|resources\.blockIO\.weightDevice\[0\]\.minor: is missing
!{"unified":{"a/b":"1"}}|resources\.unified\.a/b
!{"unified":{"pids.max":5}}|resources\.unified\.pids\.max: expected a string
!{"memory":{"limit":67108864,"swap":33554432}}|resources\.memory\.swap: 33554432
END
update --resources "$T/nothing"
check "a file that is not there is refused" [ $status = 1 ]
check_is "which changes nothing" "$(changed)" ""

# What the kernel keeps was changed by somebody else: what is remembered comes
# back with the next update.
ours "what is remembered" && {
	before
	echo 7 >"$dir_pids/pids.max"
	update_json '{}'
	check_is "updates are remembered" "$status$err $(changed)" "0 "
}
if [ "$hierarchies" = "$v2_mount" ] && able "unified" cgroup2:memory &&
   ours "unified"; then
	before
	update_json '{"unified":{"memory.high":"33554432"}}'
	check_is "unified" "$status$err $(changed)" "0 memory.high=33554432"
fi

# Several at once: all are applied, and remembered.
if ours "updates at once"; then
	wrong=
	for round in 1 2 3 4 5 6; do
		others=
		for option in "--pids-limit 100$round" \
			"--cpu-quota 2000$round" "--memory-reservation ${round}m"; do
			"$NSRUN" --root "$STATE" update $option $ID \
				>>"$T/others" 2>&1 &
			others="$others $!"
		done
		wait $others || wrong="$wrong $?"
		echo 7 >"$dir_pids/pids.max"
		update_json '{}'
		wrong="$wrong$status$err$(limits | grep -Ec -e "=100$round" \
			-e "=2000$round" -e "=$((round * 1048576))")"
	done
	check_is "updates at once are applied and remembered" \
		"$wrong$(cat "$T/others")" 030303030303
fi
release

# What a host cannot do is no hindrance later, if it was none at the start.
if ours "best effort"; then
	held '"hugepageLimits":[{"pageSize":"3MB","limit":0}],
		"pids":{"limit":50}' "" --best-effort
	before
	update --pids-limit 60
	check_is "an update of what was made with --best-effort" \
		"$status $(changed)" "0 pids.max=60"
	check_err "which tells what is not applied" \
		"hugepageLimits: .*is not applied"
	update --pids-limit 61
	check_is "once" "$status $err" "0 "
	release
fi

# ---- failures -------------------------------------------------------------------

# Each fails when other files have been written. The config knows of no limit,
# and then of all.
cat >"$T/late" <<END
{"memory":{"limit":99000000},"pids":{"limit":99},\
"cpu":{"shares":77,"quota":1,"period":100000}}
{"pids":{"limit":98},"cpu":{"shares":99,"cpus":"99999"}}
{"pids":{"limit":97},"unified":{"nonsense.max":"1"}}
END
if ours "after a failure"; then
	for had in "" '"memory":{"limit":67108864,"swap":134217728},
		"cpu":{"shares":512,"quota":50000,"period":50000,"cpus":"0",
		"mems":"0"},"pids":{"limit":50}'; do
		held "$had"
		before
		while read -r json <&3; do
			update_json "$json"
			declined "$json fails" "resources\.(cpu|unified)" 1 \
				"cannot update"
			check_is "and ${had:+with limits }all is as before" \
				"$(changed)" ""
		done 3<"$T/late"
		update_json '{}'
		check_is "the next update does not know of it" \
			"$status$err $(changed)" "0 "
		release
	done
fi

oom=$(v1_mount memory)
[ -z "$oom" ] || ! ours "the OOM killer" || {
	held
	oom=$dir_memory/memory.oom_control
	update_json '{"memory":{"disableOOMKiller":true}}'
	check_is "an update takes the OOM killer away" \
		"$status$err $(head -n 1 "$oom")" "0 oom_kill_disable 1"
	update_json '{"memory":{"disableOOMKiller":false}}'
	check_is "and brings it back" \
		"$status$err $(head -n 1 "$oom")" "0 oom_kill_disable 0"
	release
}

# What had no limit comes back to have none.
device=$(awk '$4 ~ /^[sv]d[a-z]$|^nvme.*n1$/ { print $1 ":" $2; exit }' \
	/proc/partitions)
if ours "after a failure" && [ -n "$device" ] &&
   controller "rates after a failure" blkio && controller "and OOM" memory; then
	held
	rates=$dir_blkio/blkio.throttle.read_bps_device
	[ -e "$rates" ] || rates=$dir_io/io.max
	oom=$dir_memory/memory.oom_control
	update_json "{\"memory\":{\"disableOOMKiller\":true},
		\"blockIO\":{\"throttleReadBpsDevice\":[{
		\"major\":${device%:*},\"minor\":${device#*:},\"rate\":9999}]},
		\"unified\":{\"nonsense.max\":\"1\"}}"
	declined "rates are written, then it fails" nonsense 1 "cannot update"
	check_is "and there are none" "$(cat "$rates")" ""
	[ ! -e "$oom" ] || check_is "and the OOM killer is as before" \
		"$(head -n 1 "$oom")" "oom_kill_disable 0"
	release
fi

# Killed before one of its system calls: what was remembered is, or what it was
# told, and nothing is in the way of others.
killer=$test_dir/build/killer
if [ ! -x "$killer" ]; then
	skip "kill -9 in the middle" "test/build/killer is not built"
elif ours "kill -9 in the middle"; then
	held '"memory":{"limit":67108864},"pids":{"limit":50}'
	update --memory-reservation 16m
	n=$(($$ % 3 + 1)) step=3 was=50 wrong=
	before
	while :; do
		"$killer" $n "$NSRUN" --root "$STATE" update --pids-limit \
			$((1000 + n)) $ID >"$T/out" 2>&1
		[ $? = 99 ] || break
		echo 7 >"$dir_pids/pids.max"
		update_json '{}'
		now=$(cat "$dir_pids/pids.max")
		case $status$err$(changed) in
		0 | "0pids.max=$((1000 + n))" | "0pids.max=$was") ;;
		*)	wrong="$wrong$n: $err$(changed) " ;;
		esac
		was=$now
		n=$((n + step))
	done
	check_is "kill -9 in the middle loses nothing" "$wrong" ""
	check "in more than 20 places ($((n / step)))" [ $((n / step)) -gt 20 ]
	check_is "and leaves nothing" "$(find "$STATE/$ID" -name '.*tmp*')" ""
	release
fi

# ---- devices --------------------------------------------------------------------

# The node is in the image. Anybody may open it to write, if the rules allow it.
mknod "$B/rootfs/data/kmsg" c 1 11
made data/kmsg data/pid
deny='{"allow":false,"access":"rwm"}'
config args="$(json_list open /data/kmsg w)" linux="\"resources\":{\"devices\":
	[$deny,{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":11,
	\"access\":\"w\"}]}"
run
check_is "a device that is allowed opens" "$status$out$err" 0
held "\"devices\":[$deny],\"pids\":{\"limit\":50}"
verb exec -d --pid-file "$B/rootfs/data/pid" $ID /bin/probe copy /dev/zero \
	/dev/null
copier=$(cat "$B/rootfs/data/pid")
check "a process copies /dev/zero to /dev/null" [ "$status${copier:+ok}" = 0ok ]
[ -z "$(v1_mount devices)" ] || cp "$dir_devices/devices.list" "$T/list"
wrong=
for n in 1 2 3 4 5 6 7 8; do
	update --pids-limit $((50 + n))
	wrong="$wrong$status$err"
	update_json '{"devices":[{"allow":true,"access":"rwm"}]}'
	wrong="$wrong$status$err"
done
check_is "updates, also with devices, are taken" "$wrong" 0000000000000000
check "it still copies" alive "$copier"
[ -z "$(v1_mount devices)" ] || check "the list of devices is as it was" \
	cmp "$T/list" "$dir_devices/devices.list"
verb exec $ID /bin/probe open /data/kmsg w
check "what was not allowed is not" [ "$status" = 1 ]
check "by the rules" grep -q "Operation not permitted" "$T/out"
[ -z "$copier" ] || kill "$copier"
release

# ---- who is updated -----------------------------------------------------------

config linux='"resources":{"pids":{"limit":50}}' args='"signal-wait","15"'
create
out=$(sed 's/^/cgroup /' "/proc/$pid/cgroup")	# as `show cgroup`
groups
verb update --pids-limit 51 $ID
check_is "a created one is updated" "$status $(cat "$dir_pids/pids.max")" "0 51"
verb start $ID
check_is "and is started with that" "$status $(cat "$dir_pids/pids.max")" "0 51"
verb update --pids-limit 52 $ID
check_is "a running one is" "$status $(cat "$dir_pids/pids.max")" "0 52"
if has cgroup1:freezer || [ -e "$dir_pids/cgroup.freeze" ]; then
	verb pause $ID
	verb update --pids-limit 53 $ID
	check_is "a paused one is" "$status $(cat "$dir_pids/pids.max")" "0 53"
	check "and stays paused" in_state paused
	verb resume $ID
else
	skip "a paused one" "no freezer here"
fi
verb kill $ID KILL
wait_for in_state stopped
verb update --pids-limit 54 $ID
declined "a stopped one is not" "container not running" 1 "cannot update"
verb delete $ID
verb update --pids-limit 54 $ID
declined "nor one that is not there" "does not exist" 1 "cannot update"
verb update --pids-limit 54
check "nor none" [ $status = 1 ]

done_testing
