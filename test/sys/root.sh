#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2317
#
# The root: where it is, that nothing of the host is seen in it or reaches the
# host from it, read-only and masked paths.

# The sources mounted here go with a mount namespace of our own.
if [ -z "${OWN_MOUNTS:-}" ] && unshare -m true 2>/dev/null; then
	export OWN_MOUNTS=1
	exec unshare -m sh "$0"
fi
. "${0%/*}/../lib.sh"
need root unshare

# A line of "show mount" up to the mount point, for patterns
at='^mount [0-9]+ [0-9]+ [0-9:]+ [^ ]+'

# ---- only the root is there -----------------------------------------------

config args="$(json_list show mount)"
run
check_is "mountinfo has the container's mounts and no other" \
	"$(printf '%s\n' "$out" | awk '{ printf "%s ", $6 }')" \
	"/ /proc /dev /dev/pts "
first_out=$out

echo host >"$T/secret"
powers="CAP_SYS_ADMIN CAP_SYS_CHROOT CAP_DAC_OVERRIDE"
config caps="$powers" args="$(json_list chroot data : \
	chdir ../../../../../../../../.. : chroot . : chdir / : \
	lstat /bin/probe : lstat "$T/secret")"
run
check_is "chroot and .. do not lead out of it: it runs" "$status" 1
check "and finds nothing of the host" \
	grep -q "^error lstat $T/secret: No such file" "$T/out"

config caps="$powers" args="$(json_list try umount / detach : lstat /bin/probe)"
run
check_is "nor does umount of / by a payload that may" "$status" 0

run --no-pivot
ours "--no-pivot" &&
	check_is "--no-pivot is accepted" "$status" 0
config args="$(json_list show mount)"
run --no-pivot
check_is "and shows the same mounts" \
	"$(printf '%s\n' "$out" | awk '{ printf "%s ", $6 }')" \
	"$(printf '%s\n' "$first_out" | awk '{ printf "%s ", $6 }')"

# ---- root.path ------------------------------------------------------------

# PATH: makes it the root.path of the config.
move_root()
{
	sed -i "s|\"path\": \"rootfs\"|\"path\": \"$1\"|" "$B/config.json"
}

root_path()
{
	config args='"lstat","/bin/probe"'
	move_root "$1"
	run
}
good='^stat /bin/probe type=file'
for path in rootfs rootfs/ ./rootfs rootfs/../rootfs; do
	root_path $path
	check_out "root.path $path, below the bundle" "$good"
done
root_path "$B/rootfs"
check_out "an absolute root.path" "$good"
cd "$B" && root_path rootfs
check_out "whatever the working directory" "$good"
cd /
root_path "$B/none"
refused "a root that does not exist is named" "root\.path.*$B/none"
echo >"$B/file"
made /file /link
root_path file
refused "so is one that is no directory" "root\.path.*file.*directory"
ln -s rootfs "$B/link"
root_path link
ours "a root behind a symlink" &&
	if [ "$status" = 0 ]; then
		check_out "a root behind a symlink" "$good"
	else
		refused "a root behind a symlink is refused by name" \
			"root\.path.*link"
	fi
ours "an empty root.path" && {
	root_path ""
	refused "an empty root.path is refused" "root\.path"
}

if grep -q ' / / [^-]* - rootfs ' /proc/self/mountinfo; then
	skip "the host's root as root" "it is an initramfs"
else ours "the host's root as root" && {
	config cmd="\"$PROBE\",\"show\",\"mount\""
	move_root /
	mounts_before=$(cat /proc/self/mountinfo)
	run
	check_is "the host's root can be the root" "$status" 0
	check_is "and keeps its mounts" \
		"$(cat /proc/self/mountinfo)" "$mounts_before"
}
fi

ours "a bundle in a directory of mode 0700, in a user namespace" &&
able "a bundle in a directory of mode 0700" userns && {
	chmod 700 "$T"
	config ns="pid mount ipc uts network user" args="$(json_list \
		lstat /bin/probe)" linux='"uidMappings":[{"containerID":0,
		"hostID":100000,"size":65536}],"gidMappings":[{"containerID":0,
		"hostID":100000,"size":65536}]'
	run
	check_out "a bundle in a directory of mode 0700, in a user namespace" \
		"$good"
}

# ---- read-only ------------------------------------------------------------

bundle
config cwd=/data/cwd root='"readonly":true' caps=CAP_SYS_ADMIN \
	mounts='{"destination":"/data/m","type":"tmpfs","source":"tmpfs"}' \
	args="$(json_list show mount cwd : write /data/m/x x : write /dev/x x \
	: try write /data/x x : try mkdir /new)"
made data/cwd data/m
run
check_out "root.readonly makes / read-only" "$at / ro"
check_out "no file is made in it" "^error write /data/x: Read-only"
check_out "nor a directory" "^error mkdir /new: Read-only"
check_out "it comes after the cwd and the mount targets are made" \
	"^cwd /data/cwd\$"
check "mounts in it stay writable" not grep -q "^error write /d.*/m" "$T/out"

config args="$(json_list write /data/written x)"
made data/written
run
check "without it the root is written" [ -f "$B/rootfs/data/written" ]

mkdir "$T/flags"
mount -t tmpfs -o size=4m nst "$T/flags"
cp -R "$B/rootfs/bin" "$B/rootfs/proc" "$B/rootfs/dev" "$T/flags"
mount -o remount,bind,nosuid,nodev "$T/flags"
config args="$(json_list show mount)" root='"readonly":true'
move_root "$T/flags"
run
check_out "read-only keeps the root's other flags" \
	"$at / ro,nosuid,nodev"
config args="$(json_list show mount)"
move_root "$T/flags"
run
check_out "without it they are kept too" "$at / rw,nosuid,nodev"
mount -o remount,bind,ro "$T/flags"
run
check_out "a root on a read-only mount will do" "$at / ro"
umount "$T/flags"

# ---- masked and read-only paths -------------------------------------------

bundle
tree=$B/rootfs/data
made data
mkdir "$tree/dir" "$tree/dir/sub" "$tree/open" "$tree/target"
for file in file dir/in dir/sub/in open/in target/in behind; do
	echo secret >"$tree/$file"
done
ln -s target "$tree/dirlink"
ln -s behind "$tree/filelink"
ln -s /nowhere "$tree/dangling"
masked='"/data/dir","/data/file","/data/missing","/data/file","/data/dir",
	"/data/dirlink","/data/filelink","/data/dangling","/data/dir/sub"'
config linux="\"maskedPaths\":[$masked]" caps="CAP_DAC_OVERRIDE" \
	args="$(json_list echo dir : ls /data/dir : echo file : \
	read /data/file : echo target : ls /data/target : echo behind : \
	read /data/behind : echo open : read /data/open/in : \
	try write /data/dir/new x : try append /data/file more : echo end)"
run
check_is "masked directories and files are empty, also behind a symlink" \
	"$(printf '%s\n' "$out" | grep -v '^error' | tr '\n' ' ')" \
	"dir file target behind open secret end "
check_out "nothing can be made in a masked directory" "^error write /data/dir/"
check_is "what is underneath stays" "$(cat "$tree/file" "$tree/dir/in")" \
	"secret
secret"

config root='"readonly":true' linux="\"maskedPaths\":[$masked]" \
	args="$(json_list ls /data/dir : read /data/file : echo end)"
run
check_is "masks work on a read-only root" "$out" end

many=$(seq 200 | sed 's|.*|"/data/many/&"|' | tr '\n' ,)
mkdir "$tree/many"
for i in $(seq 200); do
	mkdir "$tree/many/$i"
	echo secret >"$tree/many/$i/in"
done
config linux="\"maskedPaths\":[${many%,}]" args="$(json_list ls /data/many/1 : \
	ls /data/many/200 : echo end)"
run
check_is "two hundred masked directories" "$out" end

config mounts='{"destination":"/data/m","type":"tmpfs","source":"tmpfs",
	"options":["nosuid","nodev","noexec","noatime"]},
	{"destination":"/data/m/x","type":"tmpfs","source":"tmpfs",
	"options":["nosuid","nodev","noexec","noatime"]}' \
	linux='"readonlyPaths":["/data/m/x","/data/missing","/data/open",
	"/data/behind","/data/open","/proc/sys","/data/filelink"]' \
	args="$(json_list show mount : try write /data/open/new x : \
	try append /data/behind x : try write /proc/sys/kernel/msgmax 1 : \
	write /data/m/new x : read /data/open/in)"
run
check_out "a read-only path keeps its other flags" \
	"$at /data/m/x ro,nosuid,nodev,noexec,noatime "
check_out "nothing is made in a read-only directory" \
	"^error write /data/open/new: Read-only"
check_out "a read-only file is not written" \
	"^error append /data/behind: Read-only"
check_out "nor is /proc/sys" "^error write /proc/sys/.*: Read-only"
check_out "it can be read" "^secret\$"

config linux='"readonlyPaths":["relative"]'
run
ours "relative paths" && {
	refused "a relative read-only path is refused" \
		"linux\.readonlyPaths\[0\]"
	config linux='"maskedPaths":["/x","relative"]'
	run
	refused "a relative masked path is refused" "linux\.maskedPaths\[1\]"
}

# ---- propagation ----------------------------------------------------------

# From here on the bundle is on a shared mount of the host.
bundle
mkdir "$T/shared"
mount -t tmpfs -o size=8m nst "$T/shared"
mount --make-shared "$T/shared"
cp -R "$B/rootfs" "$T/shared/rootfs"
mkfifo "$T/shared/rootfs/tmp/go"

# What the host's table has of our directory
host_mounts()
{
	grep " $T" /proc/self/mountinfo | cut -d ' ' -f 5,6
}
host_before=$(host_mounts)

ready()
{
	grep -q ready "$T/out" || ! alive "$runner"
}

# VALUE: runs with it on the shared mount; $during is the host's table then.
propagation()
{
	config caps=CAP_SYS_ADMIN linux="${1:+\"rootfsPropagation\":\"$1\"}" \
		mounts='{"destination":"/data/m","type":"tmpfs",
		"source":"tmpfs","options":["rshared"]}' \
		args="$(json_list mount tmpfs /data/m tmpfs : show mount : \
		mkdir /etc/m : mount tmpfs /etc/m tmpfs : echo ready : \
		read /tmp/go)"
	move_root "$T/shared/rootfs"
	start
	wait_for ready
	during=$(host_mounts)
	# shellcheck disable=SC2086,SC2016 # words
	alive "$runner" &&
		$limit sh -c 'echo >"$1"' - "$T/shared/rootfs/tmp/go"
	finish
	rmdir "$T/shared/rootfs/etc/m"
}

while read -r mode want; do
	[ "$mode" != absent ] || mode=
	propagation "$mode"
	what="rootfsPropagation '$mode'"
	check_is "$what leaks no mount to the host" "$during" "$host_before"
	case $want in
	none)	check_out "$what is private or slave" \
			"$at / [^ ]+ (master:[0-9]+ )?- " ;;
	private) check_out "$what makes / private" "$at / [^ ]+ - " ;;
	*)	check_out "$what makes / $want" "$at / [^ ]+ (.* )?$want" ;;
	esac
done <<END
absent none
private private
rprivate private
slave none
rslave none
shared shared
rshared shared
unbindable unbindable
runbindable unbindable
END
config linux='"rootfsPropagation":"sideways"'
run
refused "an unknown rootfsPropagation is refused" \
	"linux\.rootfsPropagation.*sideways"

# A root that is a mount itself, of a shared parent
mkdir "$T/shared/own"
mount -t tmpfs -o size=4m nst "$T/shared/own"
cp -R "$B/rootfs/bin" "$B/rootfs/proc" "$B/rootfs/dev" "$T/shared/own"
host_before=$(host_mounts)
for mode in shared slave private; do
	config linux="\"rootfsPropagation\":\"$mode\"" \
		args="$(json_list show mount)"
	move_root "$T/shared/own"
	run
	check_is "a root that is a shared mount, $mode" \
		"$status$(printf '%s\n' "$out" | awk '{ printf " " $6 }')" \
		"0 / /proc /dev /dev/pts"
	check_is "nothing on the host has changed" \
		"$(host_mounts)" "$host_before"
done
umount "$T/shared/own"

# All that the host has, shared, as on a machine with systemd
mount --make-rshared /
host_before=$(cat /proc/self/mountinfo)
for path in "$B/rootfs" "$T/shared/rootfs"; do
	for mode in shared slave; do
		config args="$(json_list show mount)" \
			linux="\"rootfsPropagation\":\"$mode\""
		move_root "$path"
		run
		what="with all of the host shared, $mode, ${path#"$T/"}"
		check_is "$what: nothing leaks either" \
			"$(cat /proc/self/mountinfo)" "$host_before"
		check_is "$what: it runs" "$status" 0
	done
done
mount --make-rprivate /
umount "$T/shared"

# ---- odd hosts ------------------------------------------------------------

# Closed stdio on a host without /dev/null: what stands in for it must lead
# nowhere.
ours "closed stdio without /dev/null" && {
	config args='"try","ls","/proc/self/fd/0/",":","echo","alive"'
	odd_host 'mount -t tmpfs none /dev; exec 0<&-'
	check_out "closed stdio is not the host's root" \
		"^error ls /proc/self/fd/0/: Not a directory"
}

# pivot_root would change the root of the host as well.
ours "the host's mount namespace, joined" && {
	config ns="pid mount:/proc/self/ns/mnt" args='"echo","alive"'
	cat >"$T/nsrun-odd" <<-END
	#!/bin/sh
	exec unshare -m sh -c '"$NSRUN" "\$@"; s=\$?; ls / >"$T/root-after"; exit \$s' sh "\$@"
	END
	chmod 755 "$T/nsrun-odd"
	ls / >"$T/root-before"
	real=$NSRUN
	NSRUN=$T/nsrun-odd
	run
	NSRUN=$real
	refused "the host's mount namespace is not joined" "is the host's"
	check "it keeps its root" cmp -s "$T/root-before" "$T/root-after"
}

config args='"echo","alive"'
# Before 5.12 the program could not protect itself there.
ours "a host without /proc" &&
able "it runs on a host without /proc" kernel:5.12 && {
	odd_host 'umount -l /proc'
	check_out "it runs on a host without /proc" "^alive\$"
}
odd_host 'mount -o remount,bind,ro /; mount -t tmpfs none /run'
ours "a host with a read-only root" &&
	check_out "it runs on a host with a read-only root" "^alive\$"
ours "a host with an empty /dev" && {
	odd_host 'mount -t tmpfs none /dev'
	check_out "it runs on a host with an empty /dev" "^alive\$"
}

# Two at once that have to make the same targets
bundle
made data
config mounts='{"destination":"/data/a/b/c/d","type":"tmpfs","source":"tmpfs"}'\
	args='"echo","up"'
for i in 1 2 3 4 5 6 7 8; do
	# shellcheck disable=SC2086 # words
	$limit "$NSRUN" --root "$STATE" run -b "$B" "$ID-$i" \
		>"$T/many$i" 2>&1 &
done
wait
check_is "eight at once on one new root" "$(cat "$T"/many? | sort | uniq -c |
	tr -s ' ')" " 8 up"

done_testing
