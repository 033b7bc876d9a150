#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2317,SC2016
#
# Hostile images and configurations: whatever they lead through, nothing of
# the host is made, changed or shown.

. "${0%/*}/../lib.sh"
need root

# ---- the host that must not change ----------------------------------------

host=$T/host
mkdir "$host" "$host/dir" "$host/dir/sub" "$host/dev" "$host/dev/pts"
echo precious >"$host/file"
echo precious >"$host/dir/file"
chmod 640 "$host/file"
chown 77:78 "$host/dir"

# All of the tree but times, and the names in /dev
picture()
{
	find "$host" -exec stat -c '%n %f %u %g %t %T %s %h' {} + | sort
	find "$host" -type f -exec sha256sum {} + | sort
	find /dev -maxdepth 1 | sort
	cat /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname
}
picture >"$T/before"

unharmed()
{
	picture >"$T/after"
	check_is "$1: the host is unharmed" \
		"$(diff "$T/before" "$T/after")" ""
	mv "$T/after" "$T/before"
}

# A way from the root of a bundle up to the host
up=../../../../../../../../..

# An image: the bundle anew, without the directory NAME, which is a symlink.
evil()
{
	bundle
	# What is made along a symlink is made in the root.
	made "${T#/}" "$1" data tmp
	rm -rf "$B/rootfs/${1:?}"
	ln -s "$2" "$B/rootfs/$1"
}

# SENTENCE: that failed, or it ran inside; the host is unharmed.
harmless()
{
	if [ -z "$peer" ] && [ "$status" != 0 ]; then
		refused "$1, refused" .
	fi
	unharmed "$1"
}

# ---- directories of the image that lead out -------------------------------

for way in "$host" "$up$host" "/proc/self/root$host" "/proc/1/root$host"; do
	evil dev "$way/dev"
	config args='"lstat","/dev/null"'
	run
	harmless "/dev is a symlink to $way/dev, with a tmpfs"
	config base='{"destination":"/proc","type":"proc","source":"proc"}' \
		linux='"devices":[{"path":"/dev/new","type":"c","major":1,
		"minor":3},{"path":"/dev/fifo","type":"p","uid":5}]' \
		args='"lstat","/dev/null"'
	run
	harmless "/dev is a symlink to $way/dev, without"

	evil etc "$way/dir"
	config mounts="{\"destination\":\"/etc/hosts\",\"type\":\"bind\",
		\"source\":\"$PROBE\",\"options\":[\"bind\"]},
		{\"destination\":\"/etc/new/dir\",\"type\":\"tmpfs\",
		\"source\":\"tmpfs\"}" cwd=/etc/cwd
	run
	harmless "/etc is a symlink to $way/dir"

	evil data "$way/dir"
	for entry in '"destination":"/data","type":"tmpfs","source":"tmpfs",
		"options":["mode=777"]' '"destination":"/data/file",
		"type":"bind","source":"/dev/null","options":["bind"]' \
		'"destination":"/data/new/deep","type":"tmpfs",
		"source":"tmpfs"' '"destination":"/data/sub","type":"tmpfs",
		"source":"tmpfs","options":["tmpcopyup"]' \
		'"destination":"/data/new/f","type":"bind","source":
		"/dev/null","options":["bind","rro"]'; do
		config mounts="{$entry}"
		run
		[ -n "$peer" ] || [ "$status" = 0 ] || refused "mount" .
	done
	config linux='"maskedPaths":["/data/file","/data/dir","/data/sub"],
		"readonlyPaths":["/data","/data/sub"]'
	run
	harmless "/data is a symlink to $way/dir: mounts"
	config linux='"devices":[{"path":"/data/null","type":"c","major":1,
		"minor":3,"fileMode":511,"uid":9,"gid":9},{"path":
		"/data/a/b/fifo","type":"p"}]' cwd=/data/work/dir
	run
	harmless "/data is a symlink to $way/dir: devices and cwd"
done

# The last part is a symlink.
for way in "$host/new" "$up$host/new" "$host/file" "$host/dir"; do
	evil data/last "$way"
	for kind in '"type":"tmpfs","source":"tmpfs"' "\"type\":\"bind\",
		\"source\":\"$PROBE\",\"options\":[\"bind\"]" \
		"\"type\":\"bind\",\"source\":\"$T/b1\",
		\"options\":[\"rbind\",\"rw\"]"; do
		config mounts="{\"destination\":\"/data/last\",$kind}"
		run
	done
	config linux='"devices":[{"path":"/data/last","type":"c","major":1,
		"minor":3,"fileMode":511}]'
	run
	config cwd=/data/last
	run
	config linux='"maskedPaths":["/data/last"],
		"readonlyPaths":["/data/last"]'
	run
	unharmed "/data/last is a symlink to $way"
done
evil data/a b
ln -s a "$B/rootfs/data/b"
for way in mount cwd; do
	if [ $way = mount ]; then
		config mounts='{"destination":"/data/a/x","type":"tmpfs",
			"source":"tmpfs"}'
	else
		config cwd=/data/a/x
	fi
	run
	refused "$way through a loop of symlinks is refused" \
		"/data/a/x.*([Ss]ymbolic link|loop)"
done

# ---- /proc and /sys -------------------------------------------------------

for name in proc sys; do
	for way in "$host" "$up$host" tmp data/there; do
		evil $name "$way"
		mkdir "$B/rootfs/data/there"
		config base="{\"destination\":\"/$name\",\"type\":
			\"$([ $name = sys ] && echo sysfs || echo proc)\",
			\"source\":\"$name\"}"
		run
		case $peer in
		crun)	;;
		*)	refused "/$name as a symlink to $way is refused" \
				"mounts\[0\].*/$name.*symbolic link" ;;
		esac
		unharmed "/$name as a symlink to $way"
	done
done
bundle
made data
ln -s ../proc/self "$B/rootfs/data/link"
ln -s /proc "$B/rootfs/data/proc"
for where in /data/link/attr/exec /data/proc/sys/kernel/hostname /data/proc \
	/data/link/task; do
	config mounts="{\"destination\":\"$where\",\"type\":\"bind\",
		\"source\":\"$host/$(case $where in */exec | */hostname)
		echo file ;; *) echo dir ;; esac)\",\"options\":[\"bind\"]}"
	run
	[ "$peer" = crun ] ||
		refused "a bind into /proc through a symlink, $where" \
			"mounts\[3\].*proc"
done
unharmed "binds into /proc through symlinks"

# ---- single nodes ---------------------------------------------------------

proc='{"destination":"/proc","type":"proc","source":"proc"}'
# CVE-2025-31133: what masks files is the null device and nothing else.
secret='"maskedPaths":["/etc/secret"]'
for way in /proc/sys/kernel/core_pattern "$host/file" "$up$host/file" \
	/etc/other; do
	evil dev/null "$way"
	made dev etc
	echo secret >"$B/rootfs/etc/secret"
	echo other >"$B/rootfs/etc/other"
	# What is the host's is read only, lest a failure does harm.
	case $way in
	/proc/*) try="lstat /" ;;
	*)	try="write /etc/secret x" ;;
	esac
	# shellcheck disable=SC2086 # words
	config base="$proc" linux="$secret" caps=CAP_DAC_OVERRIDE \
		args="$(json_list read /etc/secret : try $try : echo end)"
	run
	what="/dev/null is a symlink to $way"
	[ "$status" != 0 ] || check_is "$what, the masked file is empty" \
			"$(printf '%s\n' "$out" | grep -v '^error\|^stat')" \
			end
	harmless "$what"
	check_is "$what, the image keeps its file" \
		"$(cat "$B/rootfs/etc/other")" other
done
for kind in "c 1 1" p dir; do
	bundle
	made dev etc
	echo secret >"$B/rootfs/etc/secret"
	case $kind in
	dir)	mkdir "$B/rootfs/dev/null" ;;
	*)	# shellcheck disable=SC2086 # words
		mknod "$B/rootfs/dev/null" $kind ;;
	esac
	config base="$proc" linux="$secret" \
		args="$(json_list read /etc/secret : echo end)"
	run
	ours "/dev/null is $kind in the image" &&
		refused "/dev/null that is '$kind' in the image is refused" \
			"/dev/null"
done

for name in pts console ptmx tty fd zero; do
	evil dev/$name "$up$host/dev/new"
	made dev
	config base="$proc" linux='"devices":[{"path":"/dev/zero",
		"type":"c","major":1,"minor":5,"fileMode":384,"uid":3}]'
	run
	config base="$proc,{\"destination\":\"/dev/pts\",\"type\":\"devpts\",
		\"source\":\"devpts\",\"options\":[\"newinstance\",
		\"ptmxmode=0666\"]}" process='"terminal":true' \
		args='"echo","x"'
	run
	unharmed "/dev/$name is a symlink to the host"
done

# ---- files that are read --------------------------------------------------

for kind in fifo zero loop fd long dir; do
	bundle
	made etc
	passwd=$B/rootfs/etc/passwd
	case $kind in
	fifo)	mkfifo "$passwd" ;;
	zero)	ln -s /dev/zero "$passwd" ;;
	loop)	ln -s passwd "$passwd" ;;
	fd)	ln -s /proc/self/fd/0 "$passwd" ;;
	long)	dd if=/dev/zero bs=1M count=0 seek=1024 of="$passwd" \
			2>/dev/null ;;
	dir)	mkdir "$passwd" ;;
	esac
	config env='"PATH=/bin"' args='"show","env"'
	run
	if [ "$status" = 0 ]; then
		check_out "/etc/passwd that is a $kind gives a HOME of /" \
			"^env HOME=/\$"
	else
		refused "/etc/passwd that is a $kind is refused" "/etc/passwd"
	fi
done

# What the kernel makes up as it is read: that has no end, and a log that is
# read is gone. It looks like a regular file.
for file in /proc/self/pagemap /proc/kmsg /sys/kernel/uevent_seqnum; do
	bundle
	made etc
	ln -s "$file" "$B/rootfs/etc/passwd"
	config env='"PATH=/bin"' args='"show","env"' mounts='{
		"destination":"/sys","type":"sysfs","source":"sysfs"}'
	run
	check_out "/etc/passwd that is a link to $file gives a HOME of /" \
		"^env HOME=/\$"
done
bundle
made etc
{
	head -c 1048576 /dev/zero | tr '\000' '\n'
	echo 'root:x:0:0::/late:/bin/sh'
} >"$B/rootfs/etc/passwd"
config env='"PATH=/bin"' args='"show","env"'
run
check_out "of /etc/passwd no more than a MiB is read" "^env HOME=/\$"

bundle
made data
mkfifo "$B/rootfs/data/fifo"
chmod 755 "$B/rootfs/data/fifo"
(echo x >"$B/rootfs/data/fifo") 2>/dev/null &
writer=$!
config cmd='"/data/fifo"'
run
refused "a program that is a fifo is refused" "regular file|denied"
check "and was not opened to say so" kill "$writer"
wait "$writer" 2>/dev/null

# ---- a program that is looked for -----------------------------------------

# While it is, a descriptor of init is no way to the host: not even whether a
# file is there is told.
bundle
chmod 755 "$host/dir/file"
told=
for n in $(seq 3 20); do
	for file in "$$/root$host/file" "$$/root$host/dir/file" config.json \
		state.json "..$host/file"; do
		config cmd="\"/proc/self/fd/$n/$file\""
		create
		[ "$status" != 0 ] || verb start "$ID"
		case $status:$err in
		1:*"fd/$n/$file\": no such file or directory"*) ;;
		1:*"fd/$n/$file\": not a directory"*) ;;	# a socket
		*)	told="$told $n/$file:$status:$err" ;;
		esac
		verb delete --force "$ID"
	done
done
check_is "args[0] below /proc/self/fd tells nothing of the host" "$told" ""
chmod 644 "$host/dir/file"

# ---- descriptors ----------------------------------------------------------

bundle
# shellcheck disable=SC3023 # all shells here have more than ten
exec 7<"$T" 8<"$host/file" 9>>"$T/open"
shown=
for n in $(seq 3 64); do
	config cwd="/proc/self/fd/$n" args='"show","cwd"'
	run
	[ "$status" != 0 ] || shown="$shown $n:$(seen cwd)"
done
check_is "a cwd of /proc/self/fd/N, N from 3 to 64, is refused" "$shown" ""
evil data/cwd /proc/self/fd/7
for way in /data/cwd /data/cwd/x "/proc/self/fd/7/$up$host" \
	/proc/1/fd/8 /proc/self/cwd/.. /proc/self/root/data; do
	config cwd="$way" args='"show","cwd"'
	run
	[ "$status" != 0 ] || check "a cwd of $way stays inside" \
		[ -d "$B/rootfs/$(seen cwd)" ]
done
unharmed "working directories"
# The procfs of the host would lead on, here to nsrun itself.
found=
for n in $(seq 3 30); do
	config cmd="\"/proc/self/fd/$n/self/exe\",\"--version\""
	run
	case $err in
	*"no such file"*|*"not a directory"*) ;;
	*)	found="$found $n: $status $out$err" ;;
	esac
done
check_is "a program of /proc/self/fd/N, N from 3 to 30, leads nowhere" \
	"$found" ""
config args='"show","fd"'
run
check_is "no descriptor of the caller or the runtime reaches the payload" \
	"$(seen fd | cut -d ' ' -f 1 | tr '\n' ' ')" "0 1 2 "
exec 7<&- 8<&- 9>&-

# Closed standard descriptors are not filled with what the runtime opens.
got=
for fd in 0 1 2 3 4 5 6; do
	config args="$(json_list stat /proc/self/fd/$fd)"
	# shellcheck disable=SC2086 # words
	$limit "$NSRUN" --root "$STATE" run -b "$B" "$ID" <&- >&- 2>&-
	got="$got$? "
done
ours "closed standard descriptors" &&
	check_is "with 0 to 2 closed the payload has these three and no other" \
		"$got" "0 0 0 1 1 1 1 "

# ---- sysctl ---------------------------------------------------------------

# The values are those of the host, lest a failure does harm.
while IFS='|' read -r key file; do
	config linux="\"sysctl\":{\"$key\":\"$(cat "/proc/sys/$file")\"}"
	run
	ours "sysctl $key" && refused "sysctl '$key' is refused" "sysctl"
done <<END
kernel.core_pattern|kernel/core_pattern
kernel.sysrq|kernel/sysrq
kernel.hostname|kernel/hostname
vm.swappiness|vm/swappiness
fs.file-max|fs/file-max
net/../kernel/core_pattern|kernel/core_pattern
net.ipv4.../../kernel/sysrq|kernel/sysrq
kernel.shm_rmid_forced/../core_pattern|kernel/core_pattern
kernel.shmmax/../../vm/swappiness|vm/swappiness
../../../..$host/file|kernel/sysrq
kernel.msgmax\\n|kernel/msgmax
net.ipv4.conf.nosuch0.forwarding|net/ipv4/conf/lo/forwarding
|kernel/sysrq
.|kernel/sysrq
..|kernel/sysrq
/|kernel/sysrq
net|kernel/sysrq
END
unharmed "sysctl"
forward=$(cat /proc/sys/net/ipv4/ip_forward)
for ns in "pid mount ipc uts" "pid mount ipc uts network:/proc/$$/ns/net"; do
	config ns="$ns" linux='"sysctl":{"net.ipv4.ip_forward":"'"$forward"'"}'
	run
	refused "a net sysctl in the host's namespace is refused" "sysctl"
done
config ns="pid mount uts network" \
	linux="\"sysctl\":{\"kernel.msgmax\":\"$(cat \
	/proc/sys/kernel/msgmax)\"}"
run
refused "so is one of ipc" "sysctl"

# ---- other paths in the config --------------------------------------------

bundle
config linux='"resources":{"unified":{"../cgroup.procs":"1"}}'
run
refused "a path as a key of unified is refused" "unified"
config linux='"resources":{"hugepageLimits":[{"pageSize":"../../2MB",
	"limit":1}]}'
run
refused "a path as a page size is refused" "hugepageLimits|pageSize"
config linux='"rootfsPropagation":"../x"'
run
refused "a path as propagation is refused" "rootfsPropagation"

# ---- races ----------------------------------------------------------------

# Two containers share a volume: while one is set up with mounts in it, the
# other makes a directory there a symlink to the host and back. No tool here
# exchanges two names at once: in between the runtime makes its own directory,
# which is put away.
bundle
made data host "${T#/}"
mkdir "$T/volume" "$T/volume/real" "$T/volume/real/b"
ln -s real "$T/volume/a"
race()
{
	cd "$T/volume" || exit
	round=0
	while [ ! -e "$T/stop" ]; do
		for target in "$host/dir" real "$up$host/dir" ../host/dir real
		do
			[ -L a ] || mv a "made.$((round += 1))"
			ln -sfn "$target" a
		done
	done
}
race 2>/dev/null &
racer=$!
volume="{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"$T/volume\",
	\"options\":[\"rbind\"]}"
config mounts="$volume,{\"destination\":\"/data/a/b\",\"type\":\"tmpfs\",
	\"source\":\"tmpfs\",\"options\":[\"tmpcopyup\",\"mode=777\"]},
	{\"destination\":\"/data/a/new/x\",\"type\":\"bind\",
	\"source\":\"$PROBE\",\"options\":[\"bind\",\"ro\"]}" \
	linux='"devices":[{"path":"/data/a/null","type":"c","major":1,
	"minor":3,"fileMode":511,"uid":1,"gid":1}],
	"maskedPaths":["/data/a/file","/data/a/sub"],
	"readonlyPaths":["/data/a"]' cwd=/data/a/cwd/deep args='"show","cwd"'
worked=0 wild='' n=0 began=$(date +%s)
while [ $n -lt 200 ] && [ $(($(date +%s) - began)) -lt 20 ]; do
	n=$((n + 1))
	run
	case $status in
	0)	worked=$((worked + 1)) ;;
	1)	;;
	*)	wild="$wild $status" ;;
	esac
	# The link may be followed, in the root of the payload.
	case $(seen cwd) in
	/data/*)	;;
	*)	[ -d "$B/rootfs$(seen cwd)" ] || wild="$wild $(seen cwd)" ;;
	esac
done
: >"$T/stop"
wait $racer
check_is "$n runs in a race, of which $worked worked, end as they should" \
	"$wild" ""
unharmed "a race"

# The same with a link that is always there: a directory and a link out of the
# volume, but in the root, change places.
rm -rf "$T/volume"
mkdir -p "$T/volume/a" "$B/rootfs/there" "$B/rootfs/secret"
made there secret
echo evil >"$T/volume/a/planted"
ln -s /there "$T/volume/b"
"$PROBE" exchange "$T/volume" a b &
racer=$!
volume="{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"$T/volume\",
	\"options\":[\"rbind\"]}"
config mounts="$volume,{\"destination\":\"/data/a\",\"type\":\"tmpfs\",
	\"source\":\"tmpfs\",\"options\":[\"tmpcopyup\"]}" args='"exit","0"'
n=0 planted=
while [ $n -lt 100 ] && [ -z "$planted" ]; do
	n=$((n + 1))
	run
	planted=$(ls "$B/rootfs/there")
done
: >"$T/volume/stop"
wait $racer
check_is "a copy in $n races ends up nowhere else" "$planted" ""

done_testing
