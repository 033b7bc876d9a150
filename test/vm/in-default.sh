#!/bin/sh
# SPDX-License-Identifier: MIT
# /test.sh of a virtual machine that runs the default bundle, without a flag,
# on an initramfs: with no cgroup file system at all, with v2, and with v1. What
# the container saw (its program is below) is held against what was asked.

bundle=/bundle
cd / || exit 1

report() {
	if [ "$2" = "$3" ]; then
		echo "ok - $cgroup: $1"
	else
		echo "FAIL - $cgroup: $1"
		echo "    got:    $2"
		echo "    wanted: $3"
		bad=1
	fi
}

# seen KEY - what the container printed behind this word.
seen() {
	sed -n "s/^$1 //p" /tmp/out
}

# All that a container may leave: mounts, cgroups, links, processes, state.
world() {
	cat /proc/self/mountinfo
	find /sys/fs/cgroup -type d
	ls /sys/class/net
	for p in /proc/[0-9]*/cmdline; do
		# Kernel threads, which come and go, have no command line.
		tr '\0' ' ' < "$p" 2>/dev/null | sed '/^$/d; s/$/\n/'
	done
	hostname
	find /run/nsrun -mindepth 1 2>/dev/null
}

prepare() {
	mkdir -p $bundle/rootfs/bin
	cp /bin/busybox $bundle/rootfs/bin
	chroot $bundle/rootfs /bin/busybox --install -s /bin
	cat > $bundle/rootfs/report <<-'EOF'
	echo "pid $$"
	echo "hostname $(hostname)"
	while read -r _ _ _ _ target options rest; do
		type=${rest#*- }
		echo "mount $target ${type%% *} ${options%%,*}"
	done < /proc/self/mountinfo
	for ns in ipc mnt net pid uts; do
		echo "ns $(readlink /proc/self/ns/$ns)"
	done
	echo "links $(ls /sys/class/net | xargs)"
	echo "lo $(cat /sys/class/net/lo/flags)"
	echo "null $(stat -c %F,%t:%T /dev/null)"
	echo "caps $(sed -n 's/^CapBnd:[^0-9a-f]*//p' /proc/self/status)"
	echo "processes $(ls -d /proc/[0-9]* | xargs)"
	echo "cgroups $(ls /sys/fs/cgroup | xargs)"
	for dir in /sys/fs/cgroup /sys/fs/cgroup/pids; do
		# Processes that this namespace cannot see count as 0.
		[ ! -e $dir/cgroup.procs ] ||
			echo "members $(grep -E '^[01]$' $dir/cgroup.procs |
				sort -u | xargs)"
	done
	(: > /written) 2>/dev/null || echo "root read-only"
	exit 7
	EOF
}

# What the container printed.
inside() {
	report "the program is process 1" "$(seen pid)" 1
	report "it sees no other process than its own" \
		"$(seen processes | sed 's|^/proc/1 .*|alone|')" alone
	report "the host name is that of the config" "$(seen hostname)" \
		"$(sed -n 's/.*"hostname": *"\([^"]*\)".*/\1/p' \
			$bundle/config.json)"
	report "no namespace is the machine's" "$(seen ns | wc -l) $(
		for ns in ipc mnt net pid uts; do
			readlink /proc/self/ns/$ns
		done | grep -Fxc "$(seen ns)")" "5 0"
	report "the mounts are those of the config, in its order" \
		"$(seen mount | grep -E '^/(proc|sys|dev|dev/[a-z]*|sys/fs/cgroup) ' |
			cut -d ' ' -f 1 | uniq | xargs)" \
		"$(sed -n 's/.*"destination": *"\([^"]*\)".*/\1/p' \
			$bundle/config.json | xargs)"
	report "the root is read-only" "$(seen root)" read-only
	report "the one link is lo" "$(seen links)" lo
	report "lo is up" "$(seen lo)" 0x9
	report "/dev/null is the device" "$(seen null)" \
		"character special file,1:3"
	report "capabilities are three" "$(seen caps)" 0000000020000420
	case $cgroup in
	none)	report "/sys/fs/cgroup is an empty read-only tmpfs" \
			"$(seen mount | grep ^/sys/fs/cgroup) $(seen cgroups)" \
			"/sys/fs/cgroup tmpfs ro " ;;
	v2)	report "cgroup v2 is mounted read-only" \
			"$(seen mount | grep ^/sys/fs/cgroup)" \
			"/sys/fs/cgroup cgroup2 ro" ;;
	v1)	report "every hierarchy is mounted read-only" \
			"$(seen mount | grep -c '^/sys/fs/cgroup/.* cgroup ro')" \
			"$(grep -c ' - cgroup ' /proc/self/mountinfo)" ;;
	esac
	[ "$cgroup" = none ] ||
		report "it is alone in its cgroup" "$(seen members)" 1
}

check() {
	cgroup=$1
	rm -f $bundle/config.json
	(cd $bundle && /nsrun/nsrun spec)
	sed -i -e 's/"terminal": *true/"terminal": false/' \
		-e 's|"sh"|"/bin/sh", "-c", ". /report"|' $bundle/config.json
	world > /tmp/before
	/nsrun/nsrun run -b $bundle web > /tmp/out 2> /tmp/err < /dev/null
	status=$? err=$(cat /tmp/err)
	# Where no cgroup can enforce the device policy it says so, no more.
	case $cgroup in
	none | v2) err=$(echo "$err" | grep -v '^nsrun: .*devices.* nodev ') ;;
	esac
	report "the exit status is the program's, stderr is empty" \
		"$status $err" "7 "
	[ $status != 7 ] || inside
	world > /tmp/after
	report "nothing is left behind" "$(diff /tmp/before /tmp/after)" ""
}

bad=
prepare
check none
mount -t cgroup2 cgroup2 /sys/fs/cgroup
check v2
umount /sys/fs/cgroup
mount -t tmpfs cgroup /sys/fs/cgroup
while read -r name _ _ enabled; do
	[ "$enabled" = 1 ] || continue
	mkdir "/sys/fs/cgroup/$name"
	mount -t cgroup -o "$name" cgroup "/sys/fs/cgroup/$name" ||
		rmdir "/sys/fs/cgroup/$name"
done < /proc/cgroups
check v1
[ -z "$bad" ]
