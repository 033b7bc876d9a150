#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2154
#
# The configs that docker, podman, containerd and others really write: each of
# ../configs runs, and what it asks is what the kernel shows. From inside that
# is seen by probe; the cgroup files are read from outside.
#
#	configs.sh [NAME..]	only these
#
# adapt.awk makes a capture run here: the root, the command, the sources of
# bind mounts, the namespaces to join and the cgroup are the test's own, and
# what this root may not do (limits and capabilities beyond its own) is taken
# down. It edits by line, see ../configs/README. All else stays as captured.

. "${0%/*}/../lib.sh"
need root unshare awk mkfifo
configs=$test_dir/configs
chmod 711 "$T"			# a mapped root must come through

# ---- what this machine can do, beyond `has` -------------------------------

# A word of needs.awk; else $reason.
fits()
{
	case $1 in
	controller:blkio) has cgroup1:blkio || has cgroup2:io ;;
	controller:devices) has cgroup1:devices || has cgroup2 ;;
	controller:*) has "cgroup1:${1#*:}" || has "cgroup2:${1#*:}" ;;
	cpu:*)	[ -e "/sys/devices/system/cpu/cpu${1#*:}" ] ;;
	path:*)	[ -e "${1#*:}" ] ;;
	knob:swap) cgroup_file memory.memsw.limit_in_bytes ||
			has cgroup2:memory ;;
	knob:rt) cgroup_file cpu.rt_runtime_us ;;
	knob:weight) cgroup_file blkio.weight ||
			cgroup_file blkio.bfq.weight || has cgroup2:io ;;
	static-busybox) mkdir -p "$T/try" && has busybox &&
			cp "$(busybox which busybox)" "$T/try/busybox" &&
			chroot "$T/try" /busybox true ;;
	*)	has "$1"
		return ;;
	esac
	fitting=$?
	reason="no ${1%%:*} ${1#*:} here"
	return $fitting
}

# The hierarchies that a process is in: "CONTROLLERS MOUNT PATH", with cgroup2
# for v2.
cgroups_of()
{
	awk '
	FNR == NR && / - cgroup /	{ n = split($NF, word, ",") }
	FNR == NR && / - cgroup2 /	{ n = split("cgroup2", word) }
	FNR == NR {
		for (; n > 0; n--)
			if (!(word[n] in mount))
				mount[word[n]] = $5
		next
	}
	{
		path = $0
		sub(/^[0-9]*:[^:]*:/, "", path)
		split($0, part, ":")
		name = part[2] == "" ? "cgroup2" : part[2]
		split(name, word, ",")
		if (word[1] in mount)
			print name, mount[word[1]], path
	}' /proc/self/mountinfo "/proc/$1/cgroup"
}

# Whether a v1 hierarchy has such a file in its root.
cgroup_file()
{
	cgroups_of self | {
		while read -r _ mount _; do
			[ ! -e "$mount/$1" ] || exit 0
		done
		exit 1
	}
}

# What the kernel says of a running container from outside.
see_cgroup()
{
	cgroups_of "$1" | while read -r name mount path; do
		echo "in $name $path"
		for file in memory.limit_in_bytes memory.soft_limit_in_bytes \
			memory.memsw.limit_in_bytes memory.swappiness \
			memory.oom_control memory.max memory.low memory.high \
			memory.swap.max cpu.shares cpu.cfs_quota_us \
			cpu.cfs_period_us cpu.rt_runtime_us cpu.max \
			cpuset.cpus cpuset.mems pids.max \
			blkio.throttle.read_bps_device \
			blkio.throttle.write_bps_device \
			blkio.throttle.read_iops_device \
			blkio.throttle.write_iops_device; do
			[ -e "$mount$path/$file" ] || continue
			read -r line <"$mount$path/$file"
			echo "cg $file $line"
		done
		case ,$name, in
		*,devices,*) sed 's/^/devices.list /' "$mount$path/devices.list" ;;
		esac
	done
}

# ---- the root, and what is joined -----------------------------------------

# What the image of the captures had.
image()
{
	mkdir -p "$B/rootfs/work" "$B/rootfs/root" "$B/rootfs/home/u"
	chmod 1777 "$B/rootfs/tmp"
	printf '%s\n' root:x:0:0:root:/root:/bin/sh \
		u:x:1000:1000:u:/home/u:/bin/sh >"$B/rootfs/etc/passwd"
	printf '%s\n' root:x:0: u:x:1000: video:x:44:u >"$B/rootfs/etc/group"
	if grep -q '/startContainer/' "$T/flat"; then
		cp "$T/try/busybox" "$B/rootfs/bin/busybox"
		for applet in sh cat; do
			ln -s busybox "$B/rootfs/bin/$applet"
		done
	fi
	sed -n '/\/destination/h; /\ttmpcopyup$/{x;s/.*\t//p;}' "$T/flat" |
	while read -r dir; do
		mkdir -p "$B/rootfs$dir"
		echo copied >"$B/rootfs$dir/copied"
	done
	made bin etc home root tmp work
	# What a mount or the working directory stands on is made, and left.
	# shellcheck disable=SC2046 # words
	made $(sed -n 's|^mounts/[0-9]*/destination\t/\([^/]*\).*|\1|p
		s|^process/cwd\t/\([^/]*\).*|\1|p' "$T/flat" | sort -u)
}

# The root and the sources belong to whom the config calls root, as engines
# do it.
give()
{
	owner=$(awk -F '\t' '
		/Mappings\/.*containerID/ { inside = $2 }
		/^linux\/uidM.*hostID/ && inside == 0 { uid = $2 }
		/^linux\/gidM.*hostID/ && inside == 0 { gid = $2 }
		END { if (uid gid != "") print uid ":" gid }' "$T/flat")
	[ -z "$owner" ] || chown -hR "$owner" "$B/rootfs" "$T/src"
}

sources()
{
	rm -rf "$T/src"
	mkdir "$T/src"
	while read -r type path; do
		case $type in
		file)	echo "source" >"$path" ;;
		dir)	mkdir "$path" ;;
		esac
	done <"$T/sources"
}

# Realtime needs a share in each parent, which is the engine's business.
realtime()
{
	runtime=$(sed -n 's/.*realtimeRuntime\t//p' "$T/flat")
	[ -n "$runtime" ] || return 0
	dir=$(cgroups_of self | awk '"," $1 "," ~ /,cpu,/ { print $2 }')
	parents=$(sed -n 's|^linux/cgroupsPath\t/\(.*\)/[^/]*$|\1|p' "$T/flat")
	while [ -n "$parents" ]; do
		dir=$dir/${parents%%/*}
		[ -d "$dir" ] || mkdir "$dir"
		echo "$runtime" >"$dir/cpu.rt_runtime_us"
		case $parents in
		*/*)	parents=${parents#*/} ;;
		*)	parents= ;;
		esac
	done
}

no_realtime()
{
	[ -n "$runtime" ] || return 0
	[ -z "$peer" ] || return 0
	while [ "${dir%"$TAG"*}" != "$dir" ]; do
		rmdir "$dir"
		dir=${dir%/*}
	done
}

# A process in namespaces of its own, until the pipe is closed.
mkfifo "$T/hold" "$T/idle"
# shellcheck disable=SC2016 # for the other shell
unshare -n -i -u -p -f sh -c 'read -r _ <"$1"' sh "$T/hold" &
holder=$!
exec 9>"$T/hold"
exec 8<>"$T/idle"

space()
{
	readlink "/proc/$1/ns/$2" | sed 's/^.*\[\(.*\)\]$/\1/'
}

for name in cgroup ipc mnt net pid user uts; do
	printf 'ns %s\t%s\n' $name "$(space self $name)"
done >"$T/host"
for name in ipc net uts; do
	printf 'joined %s\t%s\n' $name "$(space $holder $name)"
done >>"$T/host"
printf 'joined pid\t%s\n' "$(space $holder pid_for_children)" >>"$T/host"

"$PROBE" show rlimit cap >"$T/most"
# Hierarchies in which a container must be where the config says.
placed=$(cgroups_of self | awk '$1 != "cgroup2" { print $1 }')
! has cgroup2:pids || placed="$placed cgroup2"
export T ID holder all_caps placed parent args peer
: >"$T/facts"

# ---- one config -----------------------------------------------------------

# shellcheck disable=SC2317 # called by wait_for
ready()
{
	grep -qx ready "$T/out" || not alive "$runner"
}

# With a terminal: script(1) gives one. Its input has no end, or it would type
# one into the terminal.
run_tty()
{
	printf '%s' "'$NSRUN' --root '$STATE' run -b '$B' $ID" >"$T/command"
	$limit script -q -c "sh '$T/command'; echo ended \$?" /dev/null \
		>"$T/out.tty" 2>&1 <&8
	status=$(sed -n 's/^ended \([0-9]*\).*/\1/p' "$T/out.tty")
	tr -d '\r' <"$T/out.tty" >"$T/out"
	: >"$T/err"
	outputs
}

# What nsrun says it has not yet; whatever else it says is a failure.
unsupported()
{
	for word in hooks linux.resources.blockIO \
		linux.resources.cpu.realtimeRuntime; do
		reason="$word is not supported yet"
		printf '%s\n' "$err" | grep -Fq "config.json: $word: nsrun " &&
			return
	done
	return 1
}

lacks=
check_config()
{
	name=$1
	file=$configs/$name.json
	awk -f "$test_dir/flat.awk" "$file" >"$T/flat"
	# shellcheck disable=SC2013 # words
	for word in $(awk -f "$configs/needs.awk" "$T/flat"); do
		fits "$word" && continue
		missing "$name" "$word"
		return
	done
	bundle
	image
	args=$(awk -f "$configs/args.awk" "$T/flat")
	parent=/$TAG.$name
	: >"$T/sources"
	awk -f "$configs/caps.awk" -f "$configs/adapt.awk" "$T/most" "$file" \
		>"$B/config.json"
	sources
	give
	awk -f "$test_dir/flat.awk" "$B/config.json" >"$T/flat"
	rm -f "$T"/hook.*
	: >"$T/seen"
	realtime
	if grep -q '^process/terminal.true' "$T/flat"; then
		run_tty
		want=0
	else
		start --pid-file "$T/pid"
		wait_for ready
		if grep -qx ready "$T/out"; then
			see_cgroup "$(cat "$T/pid")" >"$T/seen"
			kill -TERM "$runner"
		fi
		finish
		want=55
	fi
	no_realtime
	if unsupported; then
		missing "$name" "$word"
		lacks="$lacks $word"
		return
	fi
	# No other runtime makes up the mappings that crun's own spec omits.
	if [ "$name" = crun-spec-rootless ] && [ "$peer" != crun ]; then
		check "$name: a user namespace without mappings is refused" \
			grep -q '[uU]ser namespace.*\(needs\|no uid\)' "$T/out"
		return
	fi
	if [ "$status" != $want ]; then
		fail_run "$name runs" "$(diff "$file" "$B/config.json" |
			grep '^>' | cut -c 1-200)"
		return
	fi
	printf '%s\n' "$out" >>"$T/seen"
	for file in "$T"/hook.* "$B"/rootfs/tmp/hook.*; do
		[ ! -e "$file" ] || echo "${file##*/} $(tr '\n' ' ' <"$file")"
	done >>"$T/seen"
	awk -f "$configs/caps.awk" -f "$configs/check.awk" kind=conf "$T/flat" \
		kind=host "$T/host" kind=seen "$T/seen" >"$T/result" ||
		echo "check.awk failed" >>"$T/result"
	grep '^fact ' "$T/result" >>"$T/facts"
	wrong=$(grep -v '^fact ' "$T/result")
	check_is "$name: the kernel shows what it asks" "$wrong" ""
}

# What all configs together must have shown: a check that never compares is no
# check.
kinds()
{
	! has userns || echo map
	! has script || echo terminal
	! has cgroup1 || printf '%s\n' cgroup limit "device rule"
	[ "${lacks#*hooks}" != "$lacks" ] || ! has busybox ||
		echo hook
	printf '%s\n' uid gid groups umask cwd hostname fd nnp oom_score_adj \
		personality caps rlimit env namespace pid mount \
		"mount flag" "mount data" propagation tmpcopyup root mask \
		"read-only path" sysctl device
}

if [ $# -gt 0 ]; then
	for config; do
		check_config "$config"
	done
else
	for config in "$configs"/*.json; do
		config=${config##*/}
		case $config in
		process-*) ;;	# for exec
		*)	check_config "${config%.json}" ;;
		esac
	done

	if ours "each kind of fact was compared"; then
		kinds | sed 's/^/fact /' | grep -Fxvf "$T/facts" >"$T/missed"
		check_is "each kind of fact was compared" \
			"$(cat "$T/missed")" ""
	fi
fi

if [ -s "$T/lowered" ]; then
	sort "$T/lowered" | uniq -c | while read -r count what; do
		echo "$what ($count times)"
	done >"$T/lowered.all"
	while read -r what; do
		skip "$what" "beyond what this root may, so less was asked"
	done <"$T/lowered.all"
fi

exec 9>&-
wait "$holder"
# A peer leaves the parents of a cgroupsPath.
[ -z "$peer" ] || drop_cgroups "/$TAG"
done_testing
