#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2317
#
# The program file of the runtime cannot be changed from a container, neither
# while it runs nor afterwards (CVE-2019-5736). All is done to a copy of it.

. "${0%/*}/../lib.sh"
need root sha256sum

mkdir "$T/bin"
cp "$NSRUN" "$T/bin"
NSRUN=$T/bin/${NSRUN##*/}
chmod 755 "$NSRUN"
sum=$(sha256sum <"$NSRUN")
inode=$(stat -c %i "$NSRUN")

unchanged()
{
	check_is "$1: the program is unchanged" "$(stat -c %i "$NSRUN") \
$(sha256sum <"$NSRUN")" "$inode $sum"
}

# ---- a container that runs the runtime as its program ---------------------

config cmd='"/proc/self/exe","--version"'
run
unchanged "args /proc/self/exe"
config cmd='"/proc/self/exe","run","-b","/","x"' caps=all
run
unchanged "and with more arguments"

made bin
ln -s /proc/self/exe "$B/rootfs/bin/link"
config cmd='"/bin/link","--version"'
run
unchanged "a symlink to it"
printf '#!/proc/self/exe\n' >"$B/rootfs/bin/script"
chmod 755 "$B/rootfs/bin/script"
config cmd='"/bin/script","--version"'
run
unchanged "a script that has it as interpreter"
mkdir -p "$B/rootfs/data/target"
made data
config cmd='"/data/probe","echo","x"' mounts='{"destination":"/data",
	"type":"bind","source":"/proc/self","options":["rbind"]}'
run
unchanged "a bind of /proc/self"
config cmd='"/data/exe","--version"' mounts='{"destination":"/data",
	"type":"bind","source":"/proc/self","options":["rbind"]}'
run
unchanged "and a program from there"

# ---- a container that writes to it ----------------------------------------

# With the host's pid namespace the payload sees the runtime, its parent.
powers="CAP_SYS_PTRACE CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_SYS_ADMIN"
mkfifo "$B/rootfs/tmp/go"
made tmp/go
config ns="mount ipc uts network" caps="$powers" \
	args="$(json_list show ppid : read /tmp/go)"
start
wait_for [ -s "$T/out" ]
outputs
parent=$(seen ppid)
# What the payload will open, seen from here: its own file, so that the rest
# cannot hurt another program.
is_ours()
{
	[ "$parent" = "$runner" ] &&
		[ "$(sha256sum <"/proc/$parent/exe")" = "$sum" ]
}
check "the payload's parent is the runtime" is_ours
exec 8<"/proc/$parent/exe"
echo >"$B/rootfs/tmp/go"
finish
# shellcheck disable=SC3045,SC2320
(echo x >>/proc/self/fd/8) 2>/dev/null
check "what was open while it ran cannot be written afterwards" [ $? != 0 ]
exec 8<&-
unchanged "written through /proc/PID/exe of a runtime that ended"

# The same from inside, while it runs, and in a loop when it ends.
# command -v does not tell where it is to a shell that is busybox itself.
for dir in /bin /usr/bin $(echo "$PATH" | tr : ' '); do
	[ ! -x "$dir/busybox" ] || busybox=$dir/busybox
done
able "a payload that is a shell" busybox && {
	cp "$busybox" "$B/rootfs/bin/busybox"
	made bin/busybox
	echo "$STATE" >"$B/rootfs/data/state"
	cat >"$B/rootfs/bin/evil" <<-'END'
	#!/bin/busybox sh
	# The parent is the runtime, or else it is left in peace.
	/bin/busybox tr '\000' '\n' </proc/$PPID/cmdline |
		/bin/busybox grep -qxF -f /data/state || exit
	exe=/proc/$PPID/exe
	exec 8<$exe && echo opened
	for n in 1 2 3 4 5 6 7 8 9 10; do
		(echo x >>$exe) 2>/dev/null && echo appended
		(echo x >>/proc/self/fd/8) 2>/dev/null && echo reopened
		(: >/proc/self/fd/8) 2>/dev/null && echo truncated
	done
	/bin/busybox cp /bin/probe $exe 2>/dev/null && echo copied
	/bin/busybox chmod 777 $exe 2>/dev/null && echo changed
	END
	chmod 755 "$B/rootfs/bin/evil"
	mode=$(stat -c %a "$NSRUN")
	config ns="mount ipc uts network" caps="$powers" cmd='"/bin/evil"'
	run
	check_is "a payload opens its parent's program, but cannot write it" \
		"$out" opened
	unchanged "written by a payload"
	check_is "its mode too" "$(stat -c %a "$NSRUN")" "$mode"
}

# ---- what protects it does not depend on where it is ----------------------

able "a program on a read-only file system" unshare && {
	cat >"$T/nsrun-ro" <<-END
	#!/bin/sh
	exec unshare -m sh -c 'mount --bind "$T/bin" "$T/bin" &&
	mount -o remount,bind,ro "$T/bin" && exec "$NSRUN" "\$@"' sh "\$@"
	END
	chmod 755 "$T/nsrun-ro"
	real=$NSRUN
	NSRUN=$T/nsrun-ro
	config args='"echo","alive"'
	run
	NSRUN=$real
	check_out "a program on a read-only mount runs" "^alive\$"
}
# Read-only today, but not for ever: the mount of the host's is no protection.
able "a program on a tmpfs" mount && {
	mkdir "$T/ro"
	mount -t tmpfs "$TAG" "$T/ro"
	cp "$NSRUN" "$T/ro"
	mount -o remount,ro "$T/ro"
	real=$NSRUN
	NSRUN=$T/ro/${NSRUN##*/}
	config ns="mount ipc uts network" \
		args="$(json_list show ppid : read /tmp/go)"
	start
	wait_for [ -s "$T/out" ]
	outputs
	exec 8<"/proc/$(seen ppid)/exe"
	echo >"$B/rootfs/tmp/go"
	finish
	mount -o remount,rw "$T/ro"
	# shellcheck disable=SC3045,SC2320
	(echo x >>/proc/self/fd/8) 2>/dev/null
	check "a program whose read-only mount becomes rw cannot be written" [ $? != 0 ]
	exec 8<&-
	check_is "which is unchanged" "$(sha256sum <"$NSRUN")" "$sum"
	NSRUN=$real
	umount "$T/ro"
}
chmod 555 "$T/bin" "$NSRUN"
config args='"echo","alive"'
run
check_out "a program that nobody may write runs" "^alive\$"
cd "$T/bin" && NSRUN=./${NSRUN##*/}
run
cd /
NSRUN=$T/bin/${NSRUN##*/}
check_out "so does one that is called by a relative name" "^alive\$"
chmod 111 "$NSRUN"
run
check_out "and one that may not be read, as for root" "^alive\$"
chmod 755 "$T/bin" "$NSRUN"
PATH=$T/bin:$PATH
# shellcheck disable=SC2086 # words
$limit "${NSRUN##*/}" --root "$STATE" run -b "$B" "$ID" >"$T/out" 2>"$T/err"
status=$?
outputs
check_out "and one that is found in PATH" "^alive\$"
unchanged "after all"

done_testing
