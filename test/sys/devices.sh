#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2012
#
# /dev: the nodes and links that every container has, linux.devices, and the
# device policy, felt by a payload that may do all else.

. "${0%/*}/../lib.sh"
need root

# ---- what is always there -------------------------------------------------

nodes='null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0'
all=
for node in $nodes; do
	all="$all : lstat /dev/${node%%:*}"
done
# shellcheck disable=SC2086 # words
default_nodes="$(json_list ${all# : })"

# SENTENCE: each default node is what it should be.
check_nodes()
{
	wrong=
	for node in $nodes; do
		printf '%s\n' "$out" | grep -q "^stat /dev/${node%%:*} type=char \
mode=0666 uid=0 gid=0 rdev=${node#*:} " || wrong="$wrong $node"
	done
	check "$1" [ "$status" = 0 ] && check_is "$1, all" "$wrong" ""
}

config args="$default_nodes"
run
check_nodes "the default nodes, mode 0666"
umask 077
run
umask 022
check_nodes "whatever the caller's umask"

links='fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1
stderr:/proc/self/fd/2 ptmx:pts/ptmx'
for link in $links; do
	config args="$(json_list readlink "/dev/${link%%:*}")"
	run
	check_is "/dev/${link%%:*} leads to ${link#*:}" \
		"${out#/dev/}" "${link#*:}"
done
if [ -e /proc/kcore ]; then
	config args="$(json_list readlink /dev/core)"
	run
	check_is "/dev/core leads to /proc/kcore" "$out" /proc/kcore
else
	skip "/dev/core leads to /proc/kcore" "no /proc/kcore here"
fi

config args="$(json_list open /dev/ptmx rw : open /dev/null rw : \
	open /dev/zero r : open /dev/random r : open /dev/urandom r : \
	write /dev/null x : try write /dev/full x : try open /dev/tty rw)"
run
check_is "they can be used" "$status" 0
check_out "/dev/full is full" "^error write /dev/full: No space left"
check_out "/dev/tty has no terminal behind it" \
	"^error open /dev/tty: No such device or address"

# A /dev that is a bind of the host is as the host made it.
mkdir "$T/hostdev"
echo mine >"$T/hostdev/marker"
mknod "$T/hostdev/null" c 1 3
config base="{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},
	{\"destination\":\"/dev\",\"type\":\"bind\",
	\"source\":\"$T/hostdev\",\"options\":[\"rbind\",\"rw\"]}" \
	args="$(json_list read /dev/marker)"
run
check_out "/dev can be a bind of a host directory" "^mine\$"
check_is "which is left alone" "$(ls -A "$T/hostdev")" "marker
null"

config base='{"destination":"/proc","type":"proc","source":"proc"},
	{"destination":"/dev","type":"tmpfs","source":"tmpfs",
	"options":["ro","nosuid","noexec","mode=755","size=64k"]}' \
	args="$default_nodes,$(json_list : show mount : try write /dev/x x)"
run
check_nodes "a read-only /dev has the nodes too"
check_out "and is read-only" "^error write /dev/x: Read-only"
check_out "and keeps its flags" " /dev ro,nosuid,noexec"

# Without a mount on /dev the nodes are in the root; ones that are there and
# right will do.
made dev
config base='{"destination":"/proc","type":"proc","source":"proc"}' \
	args="$default_nodes"
run
check_nodes "without a mount on /dev"
run
check_nodes "and once more, where they exist"
bundle
made dev
ln -s /proc/self/fd "$B/rootfs/dev/fd"
ln -s pts/ptmx "$B/rootfs/dev/ptmx"
mknod "$B/rootfs/dev/null" c 1 3
chmod 600 "$B/rootfs/dev/null"
config base='{"destination":"/proc","type":"proc","source":"proc"}' \
	args="$default_nodes"
run
check_is "links and nodes that the image brings will do" "$status" 0

bundle
made dev
echo plain >"$B/rootfs/dev/null"
config base='{"destination":"/proc","type":"proc","source":"proc"}'
run
refused "a file in the place of /dev/null is refused" "/dev/null"
check_is "and left alone" "$(cat "$B/rootfs/dev/null")" plain

# ---- linux.devices --------------------------------------------------------

bundle
made data
# 420 is 0644, 384 is 0600
config linux='"devices":[
	{"path":"/dev/mynull","type":"c","major":1,"minor":3,"fileMode":420,
	 "uid":1000,"gid":1001},
	{"path":"/dev/mypipe","type":"p","fileMode":384},
	{"path":"/dev/myblock","type":"b","major":7,"minor":99,"uid":5},
	{"path":"/dev/myu","type":"u","major":1,"minor":5},
	{"path":"/dev/deep/er/null","type":"c","major":1,"minor":3},
	{"path":"/data/out/null","type":"c","major":1,"minor":3},
	{"path":"/dev/high","type":"c","major":511,"minor":1000000},
	{"path":"/dev/full","type":"c","major":1,"minor":7,"fileMode":384,
	 "gid":9}]' \
	args="$(json_list lstat /dev/mynull : lstat /dev/mypipe : \
	lstat /dev/myblock : lstat /dev/myu : lstat /dev/deep/er/null : \
	lstat /data/out/null : lstat /dev/high : lstat /dev/full : \
	lstat /dev/deep : lstat /dev/null)"
run
check_out "a character device with mode, uid and gid" \
	"^stat /dev/mynull type=char mode=0644 uid=1000 gid=1001 rdev=1:3 "
check_out "a fifo" "^stat /dev/mypipe type=fifo mode=0600 uid=0 gid=0 "
check_out "a block device; the default mode is 0666" \
	"^stat /dev/myblock type=block mode=0666 uid=5 gid=0 rdev=7:99 "
check_out "u is c" "^stat /dev/myu type=char mode=0666 .* rdev=1:5 "
check_out "parents are made" "^stat /dev/deep/er/null type=char "
check_out "with mode 0755" "^stat /dev/deep type=dir mode=0755 uid=0 gid=0 "
check_out "a path outside /dev" "^stat /data/out/null type=char .*rdev=1:3 "
check_out "large numbers" "^stat /dev/high type=char .* rdev=511:1000000 "
check_out "one of the default nodes, as it is listed" \
	"^stat /dev/full type=char mode=0600 uid=0 gid=9 rdev=1:7 "
check_out "the others stay" "^stat /dev/null type=char mode=0666 "

umask 077
run
umask 022
check_out "the caller's umask does not count" \
	"^stat /dev/mynull type=char mode=0644 "
ours "a node that exists" &&
	check_is "a node that exists and is right will do" "$status" 0

mknod "$B/rootfs/data/wrong" c 1 5
config linux='"devices":[{"path":"/data/wrong","type":"c","major":1,
	"minor":3}]'
run
refused "a node that exists and is another is refused" \
	"device.*/data/wrong"
check_is "and left alone" "$(ls -l "$B/rootfs/data/wrong" | tr -s ' ' |
	cut -d ' ' -f 5,6)" "1, 5"
mkdir "$B/rootfs/data/dir"
config linux='"devices":[{"path":"/dev/ok","type":"p"},
	{"path":"/data/dir","type":"c","major":1,"minor":3}]'
run
refused "so is a directory" "device.*/data/dir"

while IFS='|' read -r fault entry; do
	config linux="\"devices\":[{\"path\":\"/dev/ok\",\"type\":\"p\"},
		{$entry}]"
	run
	refused "a device is refused for $fault" "linux\.devices\[1\]"
done <<END
an unknown type|"path":"/dev/x","type":"q","major":1,"minor":3
no type|"path":"/dev/x","major":1,"minor":3
no path|"type":"c","major":1,"minor":3
END
ours "numbers of devices" && while IFS='|' read -r fault entry; do
	config linux="\"devices\":[{\"path\":\"/dev/ok\",\"type\":\"p\"},
		{$entry}]"
	run
	refused "a device is refused for $fault" "linux\.devices\[1\]"
done <<END
no major|"path":"/dev/x","type":"c","minor":3
no minor|"path":"/dev/x","type":"c","major":1
a negative major|"path":"/dev/x","type":"c","major":-1,"minor":3
a mode out of range|"path":"/dev/x","type":"p","fileMode":1048576
END

# ---- the policy -----------------------------------------------------------

bundle
made data
# nsrun enforces it by the devices controller of v1.
if has cgroup1:devices || [ -n "$peer" ]; then
	policy=yes
else
	skip "the device policy is felt" "no devices controller of v1 here"
	policy=
fi

# RULES WORD..: under these device rules
policy()
{
	rules=$1
	shift
	rm -f "$B"/rootfs/data/*
	config caps="CAP_MKNOD CAP_DAC_OVERRIDE CAP_SYSLOG CAP_SYS_ADMIN" \
		linux="\"resources\":{\"devices\":[$rules]}" \
		args="$(json_list "$@")"
	run
}
deny='{"allow":false,"access":"rwm"}'
denied='Operation not permitted'

# 1:11 is the kernel's log, which is harmless to open.
[ -z "$policy" ] || {
	policy "" mknod /data/kmsg c 1 11 : open /data/kmsg r
	check_is "without rules a device opens" "$status" 0

	policy "$deny" mknod /data/kmsg c 1 11 : try open /data/kmsg r : \
		try open /data/kmsg w : mknod /data/b b 7 0 : \
		try open /data/b r : open /dev/null rw : open /dev/zero rw : \
		open /dev/full rw : open /dev/random r : \
		open /dev/urandom r : open /dev/ptmx rw : try open /dev/tty rw
	check_out "what is denied can be made" "^error open /data/kmsg"
	check_is "but not opened" "$(printf '%s\n' "$out" |
		grep -c "^error open /data/.*: $denied")" 3
	check_is "the default devices open" "$status" 0
	check_out "and /dev/tty" "^error open /dev/tty: No such device"

	policy "$deny"',{"allow":true,"type":"c","major":1,"minor":11,
		"access":"r"}' mknod /data/kmsg c 1 11 : \
		open /data/kmsg r : try open /data/kmsg w : \
		try open /data/kmsg rw
	check_is "what is allowed for r opens for r" "$status" 0
	check_is "and not for more" "$(printf '%s\n' "$out" |
		grep -c "^error open /data/kmsg: $denied")" 2

	policy "$deny"',{"allow":true,"type":"c","major":1,"access":"rw"},
		{"allow":false,"type":"c","major":1,"minor":11,"access":"w"}' \
		mknod /data/kmsg c 1 11 : open /data/kmsg r : \
		try open /data/kmsg w
	ours "a hole in what is allowed" &&
	if [ "$status" = 0 ]; then
		check_out "a hole in what is allowed" \
			"^error open /data/kmsg: $denied"
	else	# the devices controller of v1 cannot express it
		refused "a hole in what is allowed is not left out silently" \
			"linux\.resources\.devices"
	fi

	policy "$deny"',{"allow":true,"type":"a","access":"rwm"}' \
		mknod /data/kmsg c 1 11 : open /data/kmsg rw
	check_is "a later rule for all allows all" "$status" 0

	policy '{"allow":false,"type":"c","major":1,"minor":11,"access":"rw"}' \
		mknod /data/kmsg c 1 11 : try open /data/kmsg r : \
		mknod /data/b b 250 0 : try open /data/b r
	ours "a rule without a denial of all before it" && {
		check_out "one device denied" \
			"^error open /data/kmsg: $denied"
		check_out "and the others not" "^error open /data/b: No such"
	}

	policy "$deny"',{"allow":true,"type":"b","major":250,"access":"rwm"},
		{"allow":true,"type":"c","minor":11,"access":"r"}' \
		mknod /data/b b 250 0 : try open /data/b r : \
		mknod /data/kmsg c 1 11 : open /data/kmsg r
	check_out "a block device allowed" "^error open /data/b: No such"
	check_is "an absent major is any" "$status" 0

	config caps=CAP_MKNOD linux='"devices":[{"path":"/dev/log","type":"c",
		"major":1,"minor":11}],"resources":{"devices":['"$deny"']}' \
		args="$(json_list try open /dev/log r)"
	run
	check_out "a device in the list is not allowed by that" \
		"^error open /dev/log: $denied"
}

while IFS='|' read -r fault entry; do
	config linux="\"resources\":{\"devices\":[$deny,{$entry}]}"
	run
	refused "a rule is refused for $fault" \
		"linux\.resources\.devices\[1\]"
done <<END
an unknown type|"allow":true,"type":"q","access":"r"
an unknown access|"allow":true,"type":"c","access":"rx"
END

if ours "holes between kinds" && has cgroup1:devices; then
	policy "$deny"',{"allow":true,"major":10},
		{"allow":false,"type":"c","major":10,"minor":229}' true
	refused "a denial of a part of what a rule without a type allows" \
		"linux\.resources\.devices\[2\]"
	policy "$deny"',{"allow":true,"type":"c","minor":229},
		{"allow":false,"type":"c","major":10}' true
	refused "or of more than an allowance that it meets" \
		"linux\.resources\.devices\[2\]"
fi

done_testing
