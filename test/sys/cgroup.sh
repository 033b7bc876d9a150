#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2086,SC2317
#
# Control groups: where the payload is, limits as the kernel's files show them
# and as the payload feels them, what is there afterwards; hosts with none.

. "${0%/*}/../lib.sh"
need root cgroup

# The mount points of all hierarchies, v1 and v2
hierarchies=$(awk '/ - cgroup2? / { print $5 }' /proc/self/mountinfo)

# The mount point of the one that has a v1 controller, or that of v2
v1_mount()
{
	awk -v want="$1" '{
		for (i = 7; $i != "-"; i++)
			;
		n = split($(i + 3), words, ",")
		while ($(i + 1) == "cgroup" && n)
			if (words[n--] == want)
				print $5
	}' /proc/self/mountinfo | head -n 1
}
v2_mount=$(awk '/ - cgroup2 / { print $5; exit }' /proc/self/mountinfo)

# CONTROLLER: the directory of the payload, which has shown its cgroups
directory()
{
	mount_point=$(v1_mount "$1")
	if [ -n "$mount_point" ]; then
		path=$(seen cgroup | sed -n "s/^[0-9]*:\(.*,\)*$1\(,.*\)*://p")
	else
		mount_point=$v2_mount
		path=$(seen cgroup | sed -n 's/^0:://p')
	fi
	echo "$mount_point$path"
}

# Whether some hierarchy has the controller; else a visible skip.
controller()
{
	[ -n "$(v1_mount "$2")" ] || has "cgroup2:$2" || {
		missing "$1" "cgroup2:$2"
		false
	}
}

# [RESOURCES [PATH]]: starts a payload that shows its cgroups and waits.
hold()
{
	config linux="\"resources\":{${1:-}}${2:+,\"cgroupsPath\":\"$2\"}" \
		args="$(json_list show cgroup : echo ready : read /tmp/go)"
	start
	wait_for ready
	outputs
}

ready()
{
	grep -q ready "$T/out" || ! alive "$runner"
}

release()
{
	# shellcheck disable=SC2016
	alive "$runner" && $limit sh -c 'echo >"$1"' - "$B/rootfs/tmp/go"
	finish
}

mkfifo "$B/rootfs/tmp/go"
made tmp/go

# ---- where it is ----------------------------------------------------------

# The payload's paths in all hierarchies that are mounted: in others it stays
# where we are.
paths()
{
	for mount_point in $hierarchies; do
		if [ "$mount_point" = "$v2_mount" ]; then
			seen cgroup | sed -n 's/^0:://p'
			continue
		fi
		name=$(awk -v at="$mount_point" '$5 == at { print $NF }' \
			/proc/self/mountinfo | sed 's/^rw,//; s/,.*//')
		seen cgroup | grep "[:,]${name}[:,]" | cut -d : -f 3
	done
}

# PATTERN: every path matches; prints those that do not.
strangers()
{
	paths | grep -Evx -e "$1"
}

config linux="\"cgroupsPath\":\"/$TAG-a/b\"" args='"show","cgroup"'
run
check_is "an absolute cgroupsPath is below the top of every hierarchy" \
	"$status$(strangers "/$TAG-a/b")" 0
config linux="\"cgroupsPath\":\"$TAG-a/b\"" args='"show","cgroup"'
run
check_is "a relative one is somewhere below" \
	"$status$(strangers ".*/$TAG-a/b")" 0
config args='"show","cgroup"'
run
check_is "without one the id names the cgroup" \
	"$status$(strangers ".*/([^/]*[-.])?$ID([.].*)?")" 0
config linux='"cgroupsPath":"/"' ns="mount"
run
ours "the top as a cgroupsPath" &&
	refused "the top of the hierarchies is not the container's" cgroupsPath
config linux="\"cgroupsPath\":\"/$TAG-a//./b/\"" args='"show","cgroup"'
run
check_is "superfluous slashes and dots do not count" \
	"$status$(strangers "/$TAG-a/b")" 0

for path in "../../$TAG-x" "/$TAG-a/../../../$TAG-x" "/../../../$TAG-x" \
	"$TAG-a/../../../../../../../$TAG-x" ".." "/.." "/$TAG-a/.."; do
	config linux="\"cgroupsPath\":\"$path\"" args='"show","cgroup"'
	run
	if [ "$status" = 0 ]; then
		check_is "cgroupsPath $path does not leave the hierarchy" \
			"$(paths | grep -F -e ..)" ""
	else
		refused "cgroupsPath $path is refused" "cgroupsPath"
	fi
done
beside=
for dir in "" /sys /sys/fs /sys/fs/cgroup; do
	[ "$dir" = "$v2_mount" ] || [ ! -e "$dir/$TAG-x" ] ||
		beside="$beside $dir/$TAG-x"
done
check_is "nothing was made beside the hierarchies" "$beside" ""

hold "" "/$TAG-a/b"
in_all=
for mount_point in $hierarchies; do
	[ "$(wc -l <"$mount_point/$TAG-a/b/cgroup.procs")" = 1 ] ||
		in_all="$in_all $mount_point"
done
release
check_is "the payload, and only it, is in each of them" "$in_all" ""
gone=
for mount_point in $hierarchies; do
	[ ! -e "$mount_point/$TAG-a" ] || gone="$gone $mount_point"
done
check_is "and what was made for it is gone afterwards" "$gone" ""

config cmd='"/bin/none"' linux="\"cgroupsPath\":\"/$TAG-f/x\""
run
refused "a program that is not there fails" "/bin/none"
for mount_point in $hierarchies; do
	[ ! -e "$mount_point/$TAG-f" ] || gone="$gone $mount_point"
done
check_is "after a failure nothing is left either" "$gone" ""

for mount_point in $hierarchies; do
	mkdir "$mount_point/$TAG-parent" "$mount_point/$TAG-own"
	# A child of a v1 cpuset takes tasks only when it has both.
	for file in cpuset.cpus cpuset.mems; do
		[ "$mount_point" != "$(v1_mount cpuset)" ] ||
		for child in parent own; do
			cat "$mount_point/$file" \
				>"$mount_point/$TAG-$child/$file"
		done
	done
done
config linux="\"cgroupsPath\":\"/$TAG-parent/x\"" args='"exit","0"'
run
check_is "a parent that existed will do" "$status" 0
config linux="\"cgroupsPath\":\"/$TAG-own\"" args='"exit","0"'
run
ours "a cgroup that existed, empty" &&
	check_is "a cgroup that existed will do, when it is empty" "$status" 0
kept=
for mount_point in $hierarchies; do
	for child in parent own; do
		[ -d "$mount_point/$TAG-$child" ] ||
			kept="$kept $mount_point/$TAG-$child"
		rmdir "$mount_point/$TAG-$child" 2>/dev/null
	done
done
ours "cgroups that existed" &&
	check_is "and what existed is still there afterwards" "$kept" ""

busy=$(v1_mount pids)
busy=${busy:-$v2_mount}/$TAG-busy
mkdir "$busy"
"$PROBE" sleep 1000 &
sleeper=$!
echo $sleeper >"$busy/cgroup.procs"
config linux="\"cgroupsPath\":\"/$TAG-busy\""
run
refused "a cgroup with processes is refused" \
	"cgroup.*not empty.*$TAG-busy"
check "whose process goes on" alive $sleeper
kill $sleeper
wait $sleeper 2>/dev/null
wait_for rmdir "$busy"

able "a cgroup namespace" kernel:4.6 && {
	config ns="pid mount ipc uts network cgroup" args='"show","cgroup","ns"'
	run
	check_is "with a cgroup namespace the payload sees itself at the top" \
		"$status$(strangers /)" 0
}

# ---- limits, read back ----------------------------------------------------

# Whether a new v2 cgroup has the file; limits before have enabled all.
v2_has()
{
	mkdir -p "$v2_mount/$TAG-look"
	[ -e "$v2_mount/$TAG-look/$1" ]
	found=$?
	rmdir "$v2_mount/$TAG-look"
	return $found
}

# CONTROLLER RESOURCES V1-FILE VALUE V2-FILE VALUE; a file that begins with ?
# may be absent, - is not looked at.
limits()
{
	if [ -n "$(v1_mount "$1")" ]; then
		file=$3 want=$4
		[ -e "$(v1_mount "$1")/${file#\?}" ] || file=absent:$file
	else
		file=$5 want=$6
		case $file in \?*) v2_has "${file#\?}" || file=absent:$file ;;
		esac
	fi
	case $file in
	-)	return ;;
	absent:\?*)
		skip "$2" "this kernel has no ${file#*\?}"
		return ;;
	esac
	file=${file#absent:}
	hold "$2"
	case $err in
	*"does not support"*)
		finish
		skip "$2" "${err#nsrun: *: }"
		return ;;
	esac
	got=$(tr '\t\n' '  ' <"$(directory "$1")/${file#\?}")
	release
	check_is "$2: ${file#\?} is $want" "$status ${got% }" "0 $want"
}

# A number that means no limit to v1
none=9223372036854771712
m64='"limit":67108864'
controller "memory limits" memory && while IFS='|' read -r r f1 w1 f2 w2; do
	limits memory "\"memory\":{$r}" "$f1" "$w1" "$f2" "$w2"
done <<END
$m64|memory.limit_in_bytes|67108864|memory.max|67108864
"limit":-1|memory.limit_in_bytes|$none|memory.max|max
$m64,"swap":134217728|?memory.memsw.limit_in_bytes|134217728|?memory.swap.max|67108864
$m64,"swap":67108864|?memory.memsw.limit_in_bytes|67108864|?memory.swap.max|0
$m64,"swap":-1|?memory.memsw.limit_in_bytes|$none|?memory.swap.max|max
"limit":-1,"swap":-1|?memory.memsw.limit_in_bytes|$none|?memory.swap.max|max
"reservation":33554432|memory.soft_limit_in_bytes|33554432|memory.low|33554432
$m64,"swappiness":30|memory.swappiness|30|memory.max|67108864
END
[ -z "$(v1_mount memory)" ] || {
	hold "\"memory\":{$m64,\"disableOOMKiller\":true}"
	got=$(grep oom_kill_disable "$(directory memory)/memory.oom_control")
	release
	check_is "disableOOMKiller is set" "$got" "oom_kill_disable 1"
}
ours "kernel memory limits" && controller "kernel memory limits" memory && {
	hold "\"memory\":{$m64,\"kernel\":33554432,\"kernelTCP\":33554432}"
	release
	check_is "kernel memory limits do not stop it" "$status" 0
}

controller "limits of processes" pids && while IFS='|' read -r r want; do
	limits pids "\"pids\":{\"limit\":$r}" pids.max "$want" pids.max "$want"
done <<END
32|32
-1|max
END
ours "a limit of no process" && controller "a limit of no process" pids &&
	limits pids '"pids":{"limit":0}' pids.max 1 pids.max 1

controller "cpu limits" cpu && while IFS='|' read -r r f1 w1 f2 w2; do
	limits cpu "\"cpu\":{$r}" "$f1" "$w1" "$f2" "$w2"
done <<END
"shares":1024|cpu.shares|1024|cpu.weight|100
"shares":2|cpu.shares|2|cpu.weight|1
"shares":262144|cpu.shares|262144|cpu.weight|10000
"shares":0|cpu.shares|1024|cpu.weight|100
"quota":50000,"period":100000|cpu.cfs_quota_us|50000|cpu.max|50000 100000
"quota":20000|cpu.cfs_quota_us|20000|cpu.max|20000 100000
"quota":-1|cpu.cfs_quota_us|-1|cpu.max|max 100000
"period":50000|cpu.cfs_period_us|50000|cpu.max|max 50000
"quota":30000,"period":200000|cpu.cfs_period_us|200000|cpu.max|30000 200000
END
ours "the newer formula of shares, burst and idle" &&
controller "shares, burst and idle" cpu && while IFS='|' read -r r f1 w1 f2 w2
do
	limits cpu "\"cpu\":{$r}" "$f1" "$w1" "$f2" "$w2"
done <<END
"shares":512|cpu.shares|512|cpu.weight|59
"shares":2048|cpu.shares|2048|cpu.weight|174
"shares":10000|cpu.shares|10000|cpu.weight|627
"quota":50000,"burst":20000|?cpu.cfs_burst_us|20000|?cpu.max.burst|20000
"idle":1|?cpu.idle|1|?cpu.idle|1
END

controller "cpu sets" cpuset && {
	limits cpuset '"cpu":{"cpus":"0","mems":"0"}' cpuset.cpus 0 cpuset.cpus 0
	limits cpuset '"cpu":{"cpus":"0","mems":"0"}' cpuset.mems 0 cpuset.mems 0
}

block=$(awk 'NR > 2 && $3 > 0 { print $1 "|" $2; exit }' /proc/partitions)
if [ -z "$block" ]; then
	skip "limits of block devices" "there is no block device"
elif [ -n "$(v1_mount blkio)" ] || has cgroup2:io; then
	device="\"major\":${block%|*},\"minor\":${block#*|},\"rate\":1048576"
	block=${block%|*}:${block#*|}
	# One controller has two names.
	io=blkio
	[ -n "$(v1_mount blkio)" ] || io=io
	limits $io "\"blockIO\":{\"throttleReadBpsDevice\":[{$device}]}" \
		blkio.throttle.read_bps_device "$block 1048576" io.max \
		"$block rbps=1048576 wbps=max riops=max wiops=max"
	limits $io "\"blockIO\":{\"throttleWriteIOPSDevice\":[{$device}]}" \
		blkio.throttle.write_iops_device "$block 1048576" io.max \
		"$block rbps=max wbps=max riops=max wiops=1048576"
else
	missing "limits of block devices" cgroup2:io
fi

if controller "huge pages" hugetlb; then
	limits hugetlb '"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]' \
		"?hugetlb.2MB.limit_in_bytes" 4194304 \
		"?hugetlb.2MB.max" 4194304
fi

if [ -n "$v2_mount" ] && [ "$hierarchies" = "$v2_mount" ]; then
	limits pids '"unified":{"pids.max":"17"}' - - pids.max 17
	limits pids '"pids":{"limit":32},"unified":{"pids.max":"17"}' - - \
		pids.max 17
	limits memory '"unified":{"memory.high":"32M","memory.low":"1M"}' - - \
		memory.high 33554432
	for key in ../cgroup.procs a/b "" . ..; do
		config linux="\"resources\":{\"unified\":{\"$key\":\"1\"}}"
		run
		refused "the unified key '$key' is refused" \
			"linux\.resources\.unified"
	done
	config linux='"resources":{"unified":{"nosuch.max":"1"}}'
	run
	refused "so is one of no controller" \
		"linux\.resources\.unified.*nosuch"
else
	config linux='"resources":{"unified":{"pids.max":"17"}}'
	run
	refused "unified is refused where there are v1 hierarchies" "unified"
fi

# ---- limits that cannot be ------------------------------------------------

controller "memory limits that cannot be" memory && {
	config linux='"resources":{"memory":{"limit":67108864,
		"swap":33554432}}'
	run
	refused "swap below the limit is refused" \
		"linux\.resources\.memory\.swap"
	ours "swap alone" && {
		config linux='"resources":{"memory":{"swap":67108864}}'
		run
		refused "swap without a limit is refused" \
			"linux\.resources\.memory\.swap"
	}
}
controller "cpu limits that cannot be" cpu && {
	config linux='"resources":{"cpu":{"quota":10,"period":100000}}'
	run
	refused "a quota that the kernel refuses is told" "cpu.*quota|cpu\.max"
	check_is "and nothing is left of it" "$(for mount_point in $hierarchies
		do ls -d "$mount_point/$ID" 2>/dev/null; done)" ""
}
controller "cpu sets that cannot be" cpuset && {
	config linux='"resources":{"cpu":{"cpus":"4000"}}'
	run
	refused "a cpu that is not there is told" "cpuset\.cpus"
}
config linux='"resources":{"hugepageLimits":[{"pageSize":"../2MB","limit":1}]}'
run
refused "a page size with a path in it is refused" "hugepageLimits|pageSize"
config linux='"resources":{"hugepageLimits":[{"pageSize":"3MB","limit":1}]}'
ours "a page size that does not exist" && {
	run
	refused "so is one that does not exist" "hugepageLimits|3MB"
}

# ---- limits, felt ---------------------------------------------------------

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

# ---- /sys/fs/cgroup -------------------------------------------------------

sys='{"destination":"/sys","type":"sysfs","source":"sysfs",
	"options":["nosuid","noexec","nodev","ro"]}'
top=/sys/fs/cgroup
pids=$top$([ -z "$(v1_mount pids)" ] || echo /pids)

# OPTIONS SPACES WORD..: what probe does with a cgroup mount
mounted()
{
	config mounts="$sys,{\"destination\":\"/sys/fs/cgroup\",
		\"type\":\"cgroup\",\"source\":\"cgroup\",
		\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"relatime\"$1]}" \
		linux='"resources":{"pids":{"limit":33}}' \
		ns="pid mount ipc uts network $2" caps=CAP_DAC_OVERRIDE
	shift 2
	config_args=$(json_list "$@")
	sed -i "s|\"args\": .*|\"args\": [\"/bin/probe\",$config_args],|" \
		"$B/config.json"
	run
}
controller "/sys/fs/cgroup" pids && {
	for mount_point in $hierarchies; do
		mkdir "$mount_point/$TAG-other"
	done
	for space in "" cgroup; do
		what="/sys/fs/cgroup${space:+ in a cgroup namespace}"
		mounted ',"ro"' "$space" ls $pids : read $pids/pids.max : \
			read $pids/cgroup.procs : \
			try write $pids/pids.max max : try mkdir $pids/sub
		check_out "$what shows the payload's own cgroup" "^33\$"
		check_out "in which it is" "^1\$"
		check "$what shows no other" \
			not grep -q "^$TAG-other" "$T/out"
		check_is "and is read-only" "$(printf '%s\n' "$out" |
			grep -c '^error .*Read-only')" 2
	done
	[ -z "$(v1_mount pids)" ] || {
		mounted ',"ro"' "" ls $top : try mkdir $top/new
		lost=
		for mount_point in $hierarchies; do
			printf '%s\n' "$out" | grep -qx "${mount_point##*/}" ||
				lost="$lost $mount_point"
		done
		ours "the hierarchies of a hybrid host" && check_is \
			"it has all hierarchies of the host" "$lost" ""
		check_out "and nothing can be made beside them" \
			"^error mkdir .*Read-only"
	}
	mounted "" cgroup mkdir $pids/inner : mkdir $pids/inner/deep : \
		write $pids/inner/cgroup.procs 1 : read $pids/inner/cgroup.procs
	check_out "without ro the payload makes cgroups in its own" "^1\$"
	for mount_point in $hierarchies; do
		rmdir "$mount_point/$TAG-other"
	done
}

# ---- hosts without --------------------------------------------------------

all_gone='sed -n "/ - cgroup2* /p" /proc/self/mountinfo | cut -d " " -f 5 |
	sort -r | xargs -n 1 umount -l; umount -l /sys/fs/cgroup 2>/dev/null'

if able "hosts without cgroups" unshare && ours "hosts without cgroups"; then
	for host in "$all_gone" 'mount -t tmpfs none /sys/fs/cgroup' \
		'umount -l /sys'; do
		case $host in
		sed*)	what="a host without cgroups" ;;
		mount*)	what="a host whose cgroups are covered" ;;
		*)	what="a host without /sys" ;;
		esac
		config args='"echo","alive"'
		odd_host "$host"
		check_out "it runs on $what" "^alive\$"
		config linux='"resources":{"pids":{"limit":20}}'
		odd_host "$host"
		refused "$what: a limit of processes is refused by name" \
			"pids"
		config linux='"resources":{"memory":{"limit":20000000}}'
		odd_host "$host"
		refused "$what: one of memory too" "memory"
		config linux="\"cgroupsPath\":\"/$TAG-a\"" args='"echo","alive"'
		odd_host "$host"
		check_out "$what: a cgroupsPath alone does not matter" \
			"^alive\$"
	done
	config mounts="{\"destination\":\"/data\",\"type\":\"cgroup\",
		\"source\":\"cgroup\",\"options\":[\"ro\"]}" \
		args="$(json_list ls /data : try mkdir /data/x : show mount)"
	odd_host "$all_gone"
	check_out "a cgroup mount is an empty, read-only directory there" \
		"^error mkdir /data/x: Read-only"
	check_is "really empty" "$(printf '%s\n' "$out" |
		grep -v '^error\|^mount ')" ""

	# A policy that nothing enforces is refused, unless no node can be made.
	# Then those of the image must not open.
	mknod "$B/rootfs/data/zero" c 1 5
	made data/zero
	deny='"resources":{"devices":[{"allow":false,"access":"rwm"}]}'
	config caps=CAP_MKNOD linux="$deny"
	odd_host "$all_gone"
	refused "a device policy that nothing enforces is refused" \
		"linux\.resources\.devices|device"
	config linux="$deny" args="$(json_list try open /data/zero r : \
		open /dev/null rw : open /dev/zero r : open /dev/ptmx rw)"
	odd_host "$all_gone"
	check_out "without CAP_MKNOD the nodes of the image do not open" \
		"^error open /data/zero: Permission denied"
	check_is "but the default devices do" "$status" 0

	config args='"echo","alive"'
	# shellcheck disable=SC2016
	odd_host 'for dir in $(sed -n "/ - cgroup2* /p" /proc/self/mountinfo |
		cut -d " " -f 5); do mount -o remount,bind,ro $dir; done'
	check_out "it runs on a host with read-only cgroups" "^alive\$"

	if [ -n "$(v1_mount pids)" ] && [ -n "$(v1_mount memory)" ]; then
		config linux='"resources":{"pids":{"limit":20}}'
		odd_host "umount -l $(v1_mount pids)"
		refused "only pids is missing: its limit is refused" "pids"
		config linux='"resources":{"memory":{"limit":20000000}}' \
			args='"echo","alive"'
		odd_host "umount -l $(v1_mount pids)"
		check_out "others are set" "^alive\$"
	fi
fi

# A peer leaves the parents that it made.
[ -z "$peer" ] || for mount_point in $hierarchies; do
	rmdir "$mount_point/$TAG-a" "$mount_point/$TAG-f" 2>/dev/null
done
done_testing
