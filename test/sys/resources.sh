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
	dir=$(directory $ctrl) wrong= lacks=
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
!memory|"memory":{$m,"kernel":33554432,"kernelTCP":33554432}|memory.limit_in_bytes=67108864|-
pids|"pids":{"limit":32}|pids.max=32|pids.max=32
pids|"pids":{"limit":-1}|pids.max=max|pids.max=max
!pids|"pids":{"limit":0}|pids.max=1|pids.max=1
blkio|"blockIO":{"throttleReadBpsDevice":[{$on1,"rate":1048576}]}|${throttle}read_bps_device=$d1 1048576|io.max=$d1 rbps=1048576 wbps=max riops=max wiops=max
blkio|"blockIO":{"throttleWriteBpsDevice":[{$on1,"rate":9223372036854775807}]}|${throttle}write_bps_device=$d1 9223372036854775807|io.max=$d1 rbps=max wbps=9223372036854775807 riops=max wiops=max
blkio|"blockIO":{"throttleReadIOPSDevice":[{$on1,"rate":300},{$on2,"rate":20}]}|${throttle}read_iops_device=$d2 20 $d1 300|io.max=$d2 rbps=max wbps=max riops=20 wiops=max $d1 rbps=max wbps=max riops=300 wiops=max
blkio|"blockIO":{"throttleWriteIOPSDevice":[{$on1,"rate":4}],"throttleReadBpsDevice":[{$on1,"rate":5}]}|${throttle}write_iops_device=$d1 4;${throttle}read_bps_device=$d1 5|io.max=$d1 rbps=5 wbps=max riops=max wiops=4
blkio|"blockIO":{"throttleReadBpsDevice":[{$on1,"rate":7}],"throttleWriteBpsDevice":[{$on1,"rate":0}]}|${throttle}read_bps_device=$d1 7;${throttle}write_bps_device=|io.max=$d1 rbps=7 wbps=max riops=max wiops=max
END
while IFS='|' read -r ctrl r v1 v2; do
	case $ctrl in
	!*)	ours "$r" || continue ;;
	esac
	ctrl=${ctrl#!} files=$v2
	[ -z "$(v1_mount $ctrl)" ] || files=$v1
	[ "$files" = - ] || ! controller "$r" $ctrl || limits $ctrl "$r" "$files"
done <"$T/table"
done_testing
