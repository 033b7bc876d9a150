#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2086,SC2154
#
# linux.resources: what each property makes of the kernel's files, on v1 and on
# v2, what the payload feels of it, and what becomes of what cannot be had.
# Device rules are in devices.sh.

. "${0%/*}/../lib.sh"
need root cgroup
cgroups

# ---- read back ------------------------------------------------------------

# FILE: whether a new group of $ctrl has it
new_has()
{
	look=$(v1_mount $ctrl)
	look=${look:-$v2_mount}/$TAG-look
	mkdir "$look"
	[ -e "$look/$1" ]
	set -- $?
	rmdir "$look"
	return $1
}

# CONTROLLER RESOURCES FILES: a running payload has FILE=VALUE;FILE=VALUE. A
# file with a ? in front may be missing; then the limit is refused by name, or
# it is one that a kernel without it keeps anyhow.
limits()
{
	ctrl=$1 what="$2: $3"
	hold "$2" "${4:-}"
	dir=$(directory $ctrl) wrong='' lacks=''
	old_IFS=$IFS
	IFS=';'
	for file in $3; do
		want=${file#*=} file=${file%%=*}
		case $file in
		\?*)	file=${file#\?}
			new_has $file || lacks="$lacks $file" ;;
		esac
		got=$(tr "\t\n" "  " 2>/dev/null <"$dir/$file")
		[ "${got% }" = "$want" ] || wrong="$wrong$file is $got; "
	done
	IFS=$old_IFS
	release
	if [ -z "$lacks" ]; then
		check_is "$what" "$status $wrong$err" "0 "
	elif [ "$status" = 0 ]; then
		skip "$what" "this kernel has no$lacks"
	else
		out=
		refused "$2 is refused for want of$lacks" "linux\.resources\."
	fi
}

# Two block devices that nobody uses: loop ones.
block=
for dir in /sys/block/loop*; do
	[ ! -e "$dir/dev" ] || [ -e "$dir/loop" ] || block="$dir $block"
done
: "${block:=/sys/block/none /sys/block/none}"
queue=${block%% *}/queue/scheduler
d1=$(cat "${block%% *}/dev" 2>/dev/null || echo 0:0) rest=${block#* }
d2=$(cat "${rest%% *}/dev" 2>/dev/null || echo 0:0)
on1="\"major\":${d1%:*},\"minor\":${d1#*:}"
on2="\"major\":${d2%:*},\"minor\":${d2#*:}"
m='"limit":67108864'
max=9223372036854771712		# no limit of memory to v1
throttle=blkio.throttle.

# The files of the weight, and what 500 and 10 are there.
if [ -n "$(v1_mount blkio)" ]; then
	bfq='?blkio.bfq.weight'
	ctrl=blkio
	new_has blkio.weight && bfq=blkio.weight
elif grep -q bfq /sys/block/*/queue/scheduler 2>/dev/null; then
	bfq='?io.bfq.weight' weight=500 least=10
else
	bfq='?io.weight' weight=4950 least=1
fi

# A ! in front: peers do it otherwise. - : there is nothing to read there.
cat >"$T/table" <<END
cpu|"cpu":{"shares":1024}|cpu.shares=1024|cpu.weight=100
cpu|"cpu":{"shares":2}|cpu.shares=2|cpu.weight=1
cpu|"cpu":{"shares":262144}|cpu.shares=262144|cpu.weight=10000
cpu|"cpu":{"shares":0}|cpu.shares=1024|cpu.weight=100
!cpu|"cpu":{"shares":1}|cpu.shares=2|cpu.weight=1
!cpu|"cpu":{"shares":262145}|cpu.shares=262144|cpu.weight=10000
!cpu|"cpu":{"shares":512}|cpu.shares=512|cpu.weight=59
!cpu|"cpu":{"shares":2048}|cpu.shares=2048|cpu.weight=174
!cpu|"cpu":{"shares":10000}|cpu.shares=10000|cpu.weight=627
cpu|"cpu":{"quota":50000,"period":100000}|cpu.cfs_quota_us=50000;cpu.cfs_period_us=100000|cpu.max=50000 100000
cpu|"cpu":{"quota":20000}|cpu.cfs_quota_us=20000;cpu.cfs_period_us=100000|cpu.max=20000 100000
cpu|"cpu":{"quota":-1}|cpu.cfs_quota_us=-1|cpu.max=max 100000
cpu|"cpu":{"quota":0}|cpu.cfs_quota_us=-1|cpu.max=max 100000
cpu|"cpu":{"quota":-1,"period":50000}|cpu.cfs_quota_us=-1;cpu.cfs_period_us=50000|cpu.max=max 50000
cpu|"cpu":{"period":50000}|cpu.cfs_quota_us=-1;cpu.cfs_period_us=50000|cpu.max=max 50000
cpu|"cpu":{"quota":1000000,"period":1000000}|cpu.cfs_quota_us=1000000;cpu.cfs_period_us=1000000|cpu.max=1000000 1000000
cpu|"cpu":{"quota":1000,"period":1000}|cpu.cfs_quota_us=1000;cpu.cfs_period_us=1000|cpu.max=1000 1000
!cpu|"cpu":{"quota":50000,"burst":20000}|?cpu.cfs_burst_us=20000;cpu.cfs_quota_us=50000|?cpu.max.burst=20000;cpu.max=50000 100000
!cpu|"cpu":{"idle":1}|?cpu.idle=1|?cpu.idle=1
!cpu|"cpu":{"shares":512,"idle":1}|?cpu.idle=1;cpu.shares=3|?cpu.idle=1;cpu.weight=0
!cpu|"cpu":{"shares":512,"idle":0}|?cpu.idle=0;cpu.shares=512|?cpu.idle=0;cpu.weight=59
cpu|"cpu":{"realtimeRuntime":1000,"realtimePeriod":500000}|?cpu.rt_runtime_us=1000;?cpu.rt_period_us=500000|-
cpuset|"cpu":{"cpus":"0","mems":"0"}|cpuset.cpus=0;cpuset.mems=0|cpuset.cpus=0;cpuset.mems=0
cpuset|"cpu":{"cpus":"0"}|cpuset.cpus=0;cpuset.mems=$(cat "$(v1_mount cpuset)/cpuset.mems" 2>/dev/null)|cpuset.cpus=0;cpuset.mems=
memory|"memory":{$m}|memory.limit_in_bytes=67108864|memory.max=67108864
memory|"memory":{"limit":-1}|memory.limit_in_bytes=$max|memory.max=max
memory|"memory":{"limit":0}|memory.limit_in_bytes=$max|memory.max=max
memory|"memory":{$m,"swap":134217728}|memory.limit_in_bytes=67108864;?memory.memsw.limit_in_bytes=134217728|memory.max=67108864;?memory.swap.max=67108864
memory|"memory":{$m,"swap":67108864}|?memory.memsw.limit_in_bytes=67108864|?memory.swap.max=0
memory|"memory":{$m,"swap":-1}|?memory.memsw.limit_in_bytes=$max|?memory.swap.max=max
memory|"memory":{"limit":-1,"swap":-1}|memory.limit_in_bytes=$max;?memory.memsw.limit_in_bytes=$max|memory.max=max;?memory.swap.max=max
memory|"memory":{"reservation":33554432}|memory.soft_limit_in_bytes=33554432|memory.low=33554432
!memory|"memory":{"reservation":-1}|memory.soft_limit_in_bytes=$max|memory.low=max
memory|"memory":{"swappiness":30}|memory.swappiness=30|-
memory|"memory":{"swappiness":0}|memory.swappiness=0|-
memory|"memory":{$m,"disableOOMKiller":true}|memory.oom_control=oom_kill_disable 1 under_oom 0 oom_kill 0|-
memory|"memory":{"disableOOMKiller":false}|memory.oom_control=oom_kill_disable 0 under_oom 0 oom_kill 0|memory.max=max
memory|"memory":{$m,"useHierarchy":true}|memory.use_hierarchy=1|-
!memory|"memory":{$m,"kernelTCP":33554432}|memory.limit_in_bytes=67108864|-
pids|"pids":{"limit":32}|pids.max=32|pids.max=32
pids|"pids":{"limit":-1}|pids.max=max|pids.max=max
!pids|"pids":{"limit":0}|pids.max=max|pids.max=max
blkio|"blockIO":{"throttleReadBpsDevice":[{$on1,"rate":1048576}]}|${throttle}read_bps_device=$d1 1048576|io.max=$d1 rbps=1048576 wbps=max riops=max wiops=max
blkio|"blockIO":{"throttleWriteBpsDevice":[{$on1,"rate":9223372036854775807}]}|${throttle}write_bps_device=$d1 9223372036854775807|io.max=$d1 rbps=max wbps=9223372036854775807 riops=max wiops=max
blkio|"blockIO":{"throttleReadIOPSDevice":[{$on1,"rate":300},{$on2,"rate":20}]}|${throttle}read_iops_device=$d2 20 $d1 300|io.max=$d2 rbps=max wbps=max riops=20 wiops=max $d1 rbps=max wbps=max riops=300 wiops=max
blkio|"blockIO":{"throttleWriteIOPSDevice":[{$on1,"rate":4}],"throttleReadBpsDevice":[{$on1,"rate":5}]}|${throttle}write_iops_device=$d1 4;${throttle}read_bps_device=$d1 5|io.max=$d1 rbps=5 wbps=max riops=max wiops=4
blkio|"blockIO":{"throttleReadBpsDevice":[{$on1,"rate":7}],"throttleWriteBpsDevice":[{$on1,"rate":0}]}|${throttle}read_bps_device=$d1 7;${throttle}write_bps_device=|io.max=$d1 rbps=7 wbps=max riops=max wiops=max
!hugetlb|"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]|?hugetlb.2MB.limit_in_bytes=4194304;?hugetlb.2MB.rsvd.limit_in_bytes=4194304|?hugetlb.2MB.max=4194304;?hugetlb.2MB.rsvd.max=4194304
!hugetlb|"hugepageLimits":[{"pageSize":"2MB","limit":0},{"pageSize":"1GB","limit":1073741824}]|?hugetlb.2MB.limit_in_bytes=0;?hugetlb.1GB.limit_in_bytes=1073741824|?hugetlb.2MB.max=0;?hugetlb.1GB.max=1073741824
blkio|"blockIO":{"weight":500}|$bfq=500|$bfq=default ${weight}
blkio|"blockIO":{"weight":10}|$bfq=10|$bfq=default ${least}
blkio|"blockIO":{"weight":0}|-|$bfq=default 100
blkio|"blockIO":{"leafWeight":300}|?blkio.leaf_weight=300|-
END
rows()
{
	while IFS='|' read -r ctrl r v1 v2; do
		case $ctrl in
		!*)	ours "$r" || continue ;;
		esac
		ctrl=${ctrl#!} files=$v2
		[ -z "$(v1_mount $ctrl)" ] || files=$v1
		[ "$files" = - ] || ! controller "$r" $ctrl ||
			limits $ctrl "$r" "$files"
	done
}
rows <"$T/table"

# A weight of a device is for a scheduler that knows weights.
r="\"blockIO\":{\"weightDevice\":[{$on1,\"weight\":200}]}"
cost=$v2_mount/io.cost.qos
if [ -n "$(v1_mount blkio)" ] && grep -q '\[none\].*bfq' "$queue"; then
	on="echo bfq >$queue" off="echo none >$queue"
elif [ -z "$(v1_mount blkio)" ] && [ -w "$cost" ]; then
	on="echo $d1 enable=1 >$cost" off="echo $d1 enable=0 >$cost"
else
	on=
fi 2>/dev/null
if [ -z "$on" ]; then
	skip "$r" "no scheduler of weights here"
elif ours "$r"; then
	config linux="\"resources\":{$r}"
	run
	refused "weights of a device that has none are refused" \
		"linux\.resources\.blockIO\.weightDevice"
	eval "$on"
	rows <<-END
	blkio|$r|blkio.bfq.weight_device=default 100 $d1 200|$bfq=default 100 $d1 1920
	END
	eval "$off"
fi

controller "a cpuset below others" cpuset && {
	hold '"cpu":{"cpus":"0","mems":"0"}' "/$TAG-a/b/c"
	dir=$(directory cpuset)
	check_is "a cpuset below others: it has what was asked" \
		"${dir##*/} $(cat "$dir/cpuset.cpus" "$dir/cpuset.mems")" "c 0
0"
	[ -z "$(v1_mount cpuset)" ] || check_is \
		"and those above it have what the host has" \
		"$(cat "$dir/../cpuset.cpus" "$dir/../../cpuset.cpus" | uniq)" \
		"$(cat "$(v1_mount cpuset)/cpuset.cpus")"
	release
}

if ours "a process killed for memory" &&
	controller "a process killed for memory" memory; then
	config linux='"resources":{"memory":{"limit":8388608,"swap":8388608}}' \
		args='"alloc","64"'
	run
	check_is "a process killed for memory: the limit is named" \
		"$status $err" "137 nsrun: the kernel killed the process for $(
		)want of memory: linux.resources.memory.limit is 8388608"
	config linux='"resources":{"memory":{"limit":8388608}}' \
		args='"kill","9"' ns='mount ipc uts network'
	run
	check_is "of another SIGKILL nothing is said" "$status $err" "137 "
fi

# What v2 has no equal for, and callers send all the same
if [ -z "$(v1_mount memory)" ] && ours "what only v1 has" &&
	controller "what only v1 has" memory; then
	while IFS='|' read -r key r; do
		config linux="\"resources\":{$r}" args='"exit","3"'
		run
		check_is "$r: the payload runs" "$status" 3
		check_err "and a warning says that it is not applied" "^nsrun: \
linux\.resources\.$key: .*not applied\$"
	done <<-END
	memory.swappiness|"memory":{"swappiness":30}
	memory.disableOOMKiller|"memory":{"disableOOMKiller":true}
	memory.useHierarchy|"memory":{"useHierarchy":true}
	memory.kernel|"memory":{"kernel":1000000}
	memory.kernelTCP|"memory":{"kernelTCP":1000000}
	blockIO.leafWeight|"blockIO":{"leafWeight":300}
	END
fi

# FILE RESOURCES WANT: on a host with no other hierarchy than this one of v1,
# the payload reads it from its cgroup mount.
alone()
{
	name=${1%%.*} what="$2: $1 is $3"
	grep -q "^${name}[[:space:]].*1\$" /proc/cgroups || {
		skip "$what" "this kernel has no $name"
		return
	}
	config mounts='{"destination":"/data","type":"cgroup",
		"source":"cgroup","options":["ro"]}' \
		linux="\"resources\":{$2}" \
		args="$(json_list read "/data/$name/$1")"
	odd_host "mount -t tmpfs none /sys/fs/cgroup
		mkdir /sys/fs/cgroup/$name
		mount -t cgroup -o $name none /sys/fs/cgroup/$name"
	check_is "$what" \
		"$status $(printf '%s\n' "$out" | grep -v ' 0$')$err" "0 $3"
}
ours "controllers of networks" && able "controllers of networks" unshare && {
	alone net_cls.classid '"network":{"classID":1048577}' 1048577
	alone net_cls.classid '"network":{"classID":4294967295}' 4294967295
	alone net_prio.ifpriomap \
		'"network":{"priorities":[{"name":"lo","priority":7}]}' "lo 7"
}

# ---- unified --------------------------------------------------------------

if [ "$hierarchies" = "$v2_mount" ]; then
	rows <<-END
	pids|"unified":{"pids.max":"17"}|-|pids.max=17
	pids|"pids":{"limit":32},"unified":{"pids.max":"17"}|-|pids.max=17
	memory|"unified":{"memory.high":"32M","memory.low":"1M"}|-|memory.high=33554432;memory.low=1048576
	cpu|"cpu":{"shares":2},"unified":{"cpu.weight":"300","cpu.max":"max 50000"}|-|cpu.weight=300;cpu.max=max 50000
	blkio|"unified":{"io.max":"$d1 rbps=9\\u000a$d2 wiops=8"}|-|io.max=$d2 rbps=max wbps=max riops=max wiops=8 $d1 rbps=9 wbps=max riops=max wiops=max
	END
	config linux='"resources":{"unified":{"nosuch.max":"1"}}'
	run
	refused "a unified file of no controller is refused" \
		"linux\.resources\.unified.*nosuch"
	config linux='"resources":{"unified":{"pids.nosuch":"1"}}'
	run
	refused "so is one that the controller does not have" \
		"linux\.resources\.unified.*pids\.nosuch"
	config linux='"resources":{"unified":{"pids.max":"many"}}'
	run
	refused "and a value that the kernel refuses" \
		"linux\.resources\.unified.*many.*pids\.max: invalid argument"
else
	config linux='"resources":{"unified":{"pids.max":"17"}}'
	run
	refused "unified is refused where v1 has the controller" \
		"linux\.resources\.unified"
fi
able "hosts with v1 alone" unshare && ours "hosts with v1 alone" && {
	config linux='"resources":{"unified":{"net_cls.classid":"0"}}'
	odd_host "mount -t tmpfs none /sys/fs/cgroup
		mkdir /sys/fs/cgroup/net_cls
		mount -t cgroup -o net_cls none /sys/fs/cgroup/net_cls"
	refused "unified is refused where there is v1 alone" \
		"linux\.resources\.unified.*no cgroup v2"
}

# ---- what is not right ----------------------------------------------------

# A ! in front: only nsrun looks. The error begins with the property.
cat >"$T/table" <<'END'
cpu|"cpu":[]
cpu.shares|"cpu":{"shares":"1024"}
cpu.shares|"cpu":{"shares":-1}
cpu.shares|"cpu":{"shares":1.5}
cpu.quota|"cpu":{"quota":true}
cpu.quota|"cpu":{"quota":9223372036854775808}
cpu.period|"cpu":{"period":-1}
!cpu.burst|"cpu":{"burst":-1}
!cpu.burst|"cpu":{"burst":"1"}
!cpu.idle|"cpu":{"idle":2}
!cpu.idle|"cpu":{"idle":true}
cpu.realtimeRuntime|"cpu":{"realtimeRuntime":[]}
cpu.realtimePeriod|"cpu":{"realtimePeriod":-1}
cpu.cpus|"cpu":{"cpus":0}
cpu.mems|"cpu":{"mems":["0"]}
memory.limit|"memory":{"limit":"64m"}
memory.limit|"memory":{"limit":9223372036854775808}
!memory.limit|"memory":{"limit":-2}
memory.swap|"memory":{"limit":67108864,"swap":33554432}
!memory.swap|"memory":{"swap":67108864}
memory.reservation|"memory":{"reservation":{}}
memory.swappiness|"memory":{"swappiness":101}
memory.swappiness|"memory":{"swappiness":-1}
memory.disableOOMKiller|"memory":{"disableOOMKiller":1}
memory.useHierarchy|"memory":{"useHierarchy":"yes"}
pids|"pids":[]
pids.limit|"pids":{"limit":"10"}
blockIO|"blockIO":7
blockIO.*|"blockIO":{"weight":9}
blockIO.*|"blockIO":{"weight":1001}
blockIO.*|"blockIO":{"leafWeight":1001}
blockIO.weightDevice|"blockIO":{"weightDevice":{}}
!blockIO.weightDevice\[0\].minor|"blockIO":{"weightDevice":[{"major":7,"weight":20}]}
!blockIO.*|"blockIO":{"weightDevice":[{"major":7,"minor":0,"weight":9}]}
blockIO.throttleReadBpsDevice\[0\].rate|"blockIO":{"throttleReadBpsDevice":[{"major":7,"minor":0,"rate":-1}]}
!blockIO.throttleWriteIOPSDevice\[0\].rate|"blockIO":{"throttleWriteIOPSDevice":[{"major":7,"minor":0}]}
blockIO.throttleWriteBpsDevice\[0\].major|"blockIO":{"throttleWriteBpsDevice":[{"major":"7","minor":0,"rate":1}]}
hugepageLimits|"hugepageLimits":{}
hugepageLimits\[0\].pageSize|"hugepageLimits":[{"pageSize":"../2MB","limit":1}]
!hugepageLimits\[1\].pageSize|"hugepageLimits":[{"pageSize":"2MB","limit":1},{"pageSize":"2","limit":1}]
!hugepageLimits\[0\].pageSize|"hugepageLimits":[{"pageSize":"02MB","limit":1}]
!hugepageLimits\[0\].pageSize|"hugepageLimits":[{"pageSize":"2MB/x","limit":1}]
!hugepageLimits\[0\].pageSize|"hugepageLimits":[{"pageSize":"","limit":1}]
hugepageLimits\[0\].limit|"hugepageLimits":[{"pageSize":"2MB","limit":-1}]
!hugepageLimits\[0\].limit|"hugepageLimits":[{"pageSize":"2MB"}]
network.classID|"network":{"classID":4294967296}
network.classID|"network":{"classID":-1}
network.priorities\[0\].priority|"network":{"priorities":[{"name":"lo","priority":-1}]}
!network.priorities\[0\].name|"network":{"priorities":[{"name":"lo 1","priority":1}]}
rdma|"rdma":[]
rdma.x.hcaHandles|"rdma":{"x":{"hcaHandles":-1}}
!rdma.*|"rdma":{"x hca_object=1":{"hcaHandles":1}}
unified|"unified":[]
unified.pids.max|"unified":{"pids.max":5}
unified.../cgroup.procs|"unified":{"../cgroup.procs":"1"}
unified.a/b|"unified":{"a/b":"1"}
unified.|"unified":{"":"1"}
devices|"devices":{}
!devices\[0\].allow|"devices":[{"access":"rwm"}]
devices\[0\].allow|"devices":[{"allow":"no","access":"rwm"}]
END
# The crun of Debian 12 looks at no types.
[ "$peer" = crun ] || while IFS='|' read -r key r; do
	case $key in
	!*)	ours "$r" || continue ;;
	esac
	config linux="\"resources\":{$r}"
	run
	refused "refused: $r" "config\.json: linux\.resources\.${key#!}: "
done <"$T/table"

# And what is right, but the kernel cannot do.
cat >"$T/table" <<'END'
cpu|cpu.quota|"cpu":{"quota":10,"period":100000}
cpu|cpu.period|"cpu":{"period":1000001}
!cpu|cpu.burst|"cpu":{"quota":20000,"burst":20001}
cpuset|cpu.cpus|"cpu":{"cpus":"4000"}
cpuset|cpu.cpus|"cpu":{"cpus":"one"}
cpuset|cpu.mems|"cpu":{"mems":"1000"}
pids|pids.limit|"pids":{"limit":9223372036854775807}
blkio|blockIO.throttleReadBpsDevice|"blockIO":{"throttleReadBpsDevice":[{"major":4095,"minor":0,"rate":1}]}
!hugetlb|hugepageLimits|"hugepageLimits":[{"pageSize":"3MB","limit":1}]
!-|rdma|"rdma":{"nosuch0":{"hcaHandles":3}}
-|unified|"unified":{".":"1"}
-|unified|"unified":{"..":"1"}
END
while IFS='|' read -r ctrl key r; do
	case $ctrl in
	!*)	ours "$r" || continue ;;
	esac
	[ "${ctrl#!}" = - ] || controller "$r" "${ctrl#!}" || continue
	config linux="\"resources\":{$r}"
	run
	refused "told: $r" "linux\.resources\.${key}[.:]"
done <"$T/table"

# ---- felt -----------------------------------------------------------------

controller "memory felt" memory && {
	config linux='"resources":{"memory":{"limit":16777216,
		"swap":16777216}}' args="$(json_list echo started : alloc 64)"
	run
	check_is "more memory than the limit kills the payload" \
		"$status $out" "137 started"
	config linux='"resources":{"memory":{"limit":33554432}}' \
		args="$(json_list alloc 8)"
	run
	check_out "less does not" "^allocated 8\$"
	# Started by nobody but the kernel, a true of musl needs 64 KiB,
	# and one of glibc 120.
	kib=128
	small_libc || kib=160
	ours "a limit of $kib KiB" && {
		cp "$B/rootfs/bin/probe" "$B/rootfs/bin/true"
		made bin/true
		config cmd='"/bin/true"' linux="\"resources\":{
			\"memory\":{\"limit\":$((kib * 1024))}}"
		run && run && run
		check_is "a static true runs in $kib KiB, three times" \
			"$status $err" "0 "
	}
}
# What nsrun itself keeps in memory for the container
controller "tmpcopyup is charged" memory && ours "tmpcopyup is charged" && {
	dd if=/dev/zero of="$B/rootfs/data/big" bs=1048576 count=24 2>/dev/null
	made data/big
	copy='{"destination":"/data","type":"tmpfs","source":"tmpfs",
		"options":["tmpcopyup"]}'
	over=$(v1_mount memory)
	over=${over:-$v2_mount}/$TAG-over
	[ -z "$(v1_mount memory)" ] && limit_file=memory.max ||
		limit_file=memory.limit_in_bytes
	mkdir "$over"
	echo 16777216 >"$over/$limit_file"
	for swap in memory.swap.max memory.memsw.limit_in_bytes; do
		[ ! -e "$over/$swap" ] || echo 16777216 >"$over/$swap"
	done
	small='"memory":{"limit":16777216,"swap":16777216}'
	while IFS='|' read -r what ns r path <&3; do
		config mounts="$copy" ns="$ns" args='"exit","0"' \
			linux="\"resources\":{$r}${path:+,\"cgroupsPath\":\"$path\"}"
		run
		refused "a copy that does not fit $what is refused" \
			"init was ended by signal 9"
	done 3<<-END
	into the limit|pid mount ipc uts network|$small|
	with a cgroup namespace|pid mount cgroup|$small|
	into that of a group above|pid mount|"cpu":{"shares":512}|/$TAG-over/x
	without another limit|pid mount cgroup||/$TAG-over/x
	END
	config mounts="$copy" args="$(json_list show cgroup : echo ready : \
		read /tmp/go)" linux='"resources":{"memory":{"limit":67108864}}'
	start
	wait_for ready
	outputs
	got=$(cat "$(directory memory)/memory.usage_in_bytes" \
		"$(directory memory)/memory.current" 2>/dev/null)
	release
	check "one that fits is charged to the container" \
		[ "$got" -ge 25165824 ]
	check_is "and it runs" "$status$err" 0
	rmdir "$over"
	rm "$B/rootfs/data/big"
}
controller "processes felt" pids && {
	config linux='"resources":{"pids":{"limit":8}}' args="$(json_list \
		fork 20)"
	run
	check "more processes than the limit are refused" grep -q \
		"^error fork 20: Resource temporarily unavailable" "$T/out"
	check_is "after as many as it lets" "$(seen forked)" 7
}
controller "processor time felt" cpu && {
	config linux='"resources":{"cpu":{"quota":20000,"period":100000}}' \
		args="$(json_list show cgroup : spin 0.2 : echo ready : \
		read /tmp/go)"
	start
	wait_for ready
	outputs
	got=$(sed -n 's/^nr_throttled //p' "$(directory cpu)/cpu.stat")
	release
	check "a payload over its quota is held back" [ "${got:-0}" -gt 2 ]
}
controller "a set of processors felt" cpuset && {
	config linux='"resources":{"cpu":{"cpus":"0"}}' args='"show","cpus"'
	run
	check_is "a payload sees the processors of its set" "$out" "cpus 0"
}
if [ -e "$(v1_mount cpu)/cpu.rt_runtime_us" ] && ours "real time felt"; then
	for share in 0 1000; do
		config linux="\"cgroupsPath\":\"/$TAG-a/b\",\"resources\":{
			\"cpu\":{\"realtimeRuntime\":$share}}" args='"exit","3"' \
			process='"scheduler":{"policy":"SCHED_RR","priority":1}'
		run
		if [ $share = 0 ]; then
			refused "without a share of real time no payload can \
be a process of it" "process\.scheduler: set SCHED_RR"
		else
			check_is "with a share of real time a payload \
can be a process of it, also in a group below a new one" "$status $err" "3 "
		fi
	done
fi

# ---- what is missing ------------------------------------------------------

# Where there is no cgroup at all, each limit is missed by name, or with
# --best-effort told.
cat >"$T/table" <<'END'
cpu.shares|cpu|"cpu":{"shares":1024}
cpu.quota|cpu|"cpu":{"quota":10000}
cpu.period|cpu|"cpu":{"period":10000}
cpu.burst|cpu|"cpu":{"burst":10000}
cpu.idle|cpu|"cpu":{"idle":1}
cpu.realtimeRuntime|cpu|"cpu":{"realtimeRuntime":1000}
cpu.realtimePeriod|cpu|"cpu":{"realtimePeriod":1000000}
cpu.cpus|cpuset|"cpu":{"cpus":"0"}
cpu.mems|cpuset|"cpu":{"mems":"0"}
memory.limit|memory|"memory":{"limit":100000000}
memory.swap|memory|"memory":{"swap":-1}
memory.reservation|memory|"memory":{"reservation":10000}
memory.swappiness|memory|"memory":{"swappiness":0}
memory.disableOOMKiller|memory|"memory":{"disableOOMKiller":true}
memory.useHierarchy|memory|"memory":{"useHierarchy":true}
memory.kernel|memory|"memory":{"kernel":1000000}
memory.kernelTCP|memory|"memory":{"kernelTCP":1000000}
pids.limit|pids|"pids":{"limit":7}
blockIO.weight|blkio|"blockIO":{"weight":500}
blockIO.leafWeight|blkio|"blockIO":{"leafWeight":500}
blockIO.weightDevice|blkio|"blockIO":{"weightDevice":[{"major":7,"minor":0,"weight":200}]}
blockIO.throttleReadBpsDevice|blkio|"blockIO":{"throttleReadBpsDevice":[{"major":7,"minor":0,"rate":1}]}
blockIO.throttleWriteBpsDevice|blkio|"blockIO":{"throttleWriteBpsDevice":[{"major":7,"minor":0,"rate":1}]}
blockIO.throttleReadIOPSDevice|blkio|"blockIO":{"throttleReadIOPSDevice":[{"major":7,"minor":0,"rate":1}]}
blockIO.throttleWriteIOPSDevice|blkio|"blockIO":{"throttleWriteIOPSDevice":[{"major":7,"minor":0,"rate":1}]}
hugepageLimits|hugetlb|"hugepageLimits":[{"pageSize":"2MB","limit":0}]
rdma|rdma|"rdma":{"mlx5_1":{"hcaObjects":1}}
network.classID|net_cls|"network":{"classID":1}
network.priorities|net_prio|"network":{"priorities":[{"name":"lo","priority":1}]}
unified|v2|"unified":{"pids.max":"7"}
END
ours "limits without cgroups" && {
	G="--cgroup-manager disabled"
	while IFS='|' read -r key ctrl r; do
		config linux="\"resources\":{$r}" args='"exit","3"'
		run
		refused "without cgroups refused: $r" \
			"config\.json: linux\.resources\.$key: .*$ctrl"
		run --best-effort
		check_is "told with --best-effort: $key" "$status $(
			printf '%s\n' "$err" | sed "s/^nsrun: \
linux\.resources\.$key: .*$ctrl.* it is not applied\$/told/")" "3 told"
	done <"$T/table"
	config linux='"resources":{"pids":{"limit":7},"cpu":{"shares":7}}'
	create --best-effort
	check_is "so does create, of both" "$status $(grep -c 'not applied$' \
		"$T/pay.err")" "0 2"
	verb delete --force "$ID"
	check_is "whose container can be deleted" "$status $out$err" "0 "
	config linux='"resources":{"pids":{},"cpu":{"shares":0,"quota":0},
		"memory":{"limit":0,"disableOOMKiller":false},
		"blockIO":{"weight":0},"hugepageLimits":[],"unified":{},
		"network":{}}' args='"exit","3"'
	run
	check_is "what asks for nothing misses nothing" "$status $err" "3 "
	G=
}

# And here, where some are.
ours "controllers that are not mounted" && while IFS='|' read -r ctrl key r; do
	if [ -n "$(v1_mount $ctrl)" ] || has cgroup2:$ctrl; then
		skip "$key without a controller" "$ctrl is here"
		continue
	fi
	config linux="\"resources\":{$r}" args='"exit","3"'
	run
	refused "without $ctrl refused: $r" "linux\.resources\.$key: .*$ctrl"
	run --best-effort
	check_is "or with --best-effort told" "$status $(printf '%s\n' "$err" |
		sed "s/^nsrun: linux\.resources\.$key: .*$ctrl.*not applied\$/told/"
	)" "3 told"
done <<END
rdma|rdma|"rdma":{"mlx5_1":{"hcaObjects":1}}
net_cls|network.classID|"network":{"classID":1}
net_prio|network.priorities|"network":{"priorities":[{"name":"lo","priority":1}]}
nosuch|unified|"unified":{"nosuch.max":"1"}
END

# A peer leaves the parents that it made.
[ -z "$peer" ] || drop_cgroups "$TAG-"
done_testing
