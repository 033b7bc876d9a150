#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2012,SC2086
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
	config args="$(json_list try readlink /dev/core)"
	run
	check_out "there is no /dev/core where no /proc/kcore is" \
		"^error readlink /dev/core: No such file"
fi

config args="$(json_list open /dev/ptmx rw : open /dev/null rw : \
	open /dev/zero r : open /dev/random r : open /dev/urandom r : \
	write /dev/null x : try write /dev/full x : try open /dev/tty rw)"
run
check_is "they can be used" "$status" 0
check_out "/dev/full is full" "^error write /dev/full: No space left"
check_out "/dev/tty has no terminal behind it" \
	"^error open /dev/tty: No such device or address"

# What mounts[] puts on a node is what the config wants there.
put()
{
	echo "{\"destination\":\"$1\",\"type\":\"bind\",\"source\":\"$2\",
		\"options\":[\"bind\"]}"
}
echo mine >"$T/file"
list='"devices":[{"path":"/dev/listed","type":"c","major":1,"minor":3}]'
config mounts="$(put /dev/random /dev/urandom),$(put /dev/tty "$T/file"),
	$(put /dev/listed /dev/zero)" linux="$list" \
	args="$(json_list lstat /dev/random : read /dev/tty : \
	lstat /dev/listed : lstat /dev/zero)"
run
check_out "a mount over a default node stands for it" \
	"^stat /dev/random type=char .*rdev=1:9 "
check_out "also a file" "^mine\$"
check_out "and one over a node of linux.devices" \
	"^stat /dev/listed type=char .*rdev=1:5 "
check_out "the others are made" "^stat /dev/zero type=char .*rdev=1:5 "
config base="$(put /dev/random /dev/urandom),{\"destination\":\"/dev\",
	\"type\":\"tmpfs\",\"source\":\"tmpfs\"}" \
	args="$(json_list lstat /dev/random)"
run
rm -f "$B/rootfs/dev/random"
check_out "one that a mount on /dev hides does not" \
	"^stat /dev/random type=char .*rdev=1:8 "

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
config linux='"devices":[{"path":"/dev/'"$(printf '%0300d' 0)"'","type":"p"}]'
run
refused "a name that is too long is not cut" "device.*: file ?name too long"

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
has cgroup && cgroups

# WORD..: rules in JSON; +c,1,*,rw allows, -b,7,,r denies; no type, number or
# access leaves the member out; * is -1.
rules()
{
	l_rules=
	for l_word; do
		case $l_word in
		+*)	l_rules="$l_rules,{\"allow\":true" ;;
		-*)	l_rules="$l_rules,{\"allow\":false" ;;
		esac
		l_word=$(echo "${l_word#?}" | sed 's/\*/-1/g')
		IFS=, read -r l_type l_major l_minor l_access <<-END
			$l_word
		END
		l_rules="$l_rules${l_type:+,\"type\":\"$l_type\"}"
		l_rules="$l_rules${l_major:+,\"major\":$l_major}"
		l_rules="$l_rules${l_minor:+,\"minor\":$l_minor}"
		l_rules="$l_rules${l_access:+,\"access\":\"$l_access\"}}"
	done
	echo "${l_rules#,}"
}

# RULES DEVICE: sets $got to what the payload may do with a node of its own,
# and to what is wrong with the default devices. A device that is not there can
# be opened too: the kernel asks the policy first.
policy()
{
	rm -f "$B/rootfs/data/x"
	config caps="CAP_MKNOD CAP_DAC_OVERRIDE CAP_SYSLOG CAP_SYS_ADMIN" \
		linux="${3:+\"cgroupsPath\":\"$3\",}\"resources\":{
			\"devices\":[$(rules $1)]}" \
		args="$(json_list mknod /data/x $2 : \
		try open /data/x r : echo r : try open /data/x w : echo w : \
		open /dev/null rw : open /dev/zero rw : open /dev/full rw : \
		open /dev/random r : open /dev/urandom r : \
		open /dev/ptmx rw : try open /dev/tty rw)"
	run
	got=$(printf '%s\n' "$out" | awk '
	/^error open .*x: .*not permitted$/	{ no = 1; next }
	/^[rw]$/	{ printf "%s", no ? "-" : $0; no = 0; next }
	/^error open .dev.tty: No such device/ || / .data.x: No such / { next }
			{ print " " $0 }')
}

# ON: on a host that enforces by v1 or v2. Columns: the sentence, the rules,
# the device, what may be done there; what v1 does about it if not the same:
# a word, or refused because the controller cannot express it.
policies()
{
	while IFS='|' read -r what rule device want v1; do
		[ "$1" = v2 ] || want=${v1:-$want}
		case $want in
		!*)	ours "$1: $what" || continue ;;
		esac
		set -f
		policy "$rule" "$device"
		set +f
		case $want in
		!refused)
			refused "$1: $what, is refused" \
				"linux\.resources\.devices: cgroup v1 cannot" ;;
		*)	check_is "$1: $what" "$status $got" "0 ${want#!}" ;;
		esac
	done <"$T/table"
	config caps=CAP_MKNOD linux="\"resources\":{\"devices\":[
		$(rules -,,,rwm)]}" args="$(json_list mknod /data/tty c 5 1 : \
		try open /data/tty r)"
	rm -f "$B/rootfs/data/tty"
	run
	check_out "$1: the host's console is none of the default devices" \
		"^error open /data/tty: Operation not permitted"
	config caps=CAP_MKNOD linux="\"devices\":[{\"path\":\"/dev/log\",
		\"type\":\"c\",\"major\":1,\"minor\":11}],\"resources\":{
		\"devices\":[$(rules -,,,rwm)]}" args='"try","open","/dev/log","r"'
	run
	check_out "$1: a device in the list is not allowed by that" \
		"^error open /dev/log: Operation not permitted"
}

# 1:11 is the kernel's log, which is harmless to open.
cat >"$T/table" <<'END'
no rules||c 1 11|!rw
all is denied; nodes can be made, but not opened|-,,,rwm|c 1 11|--
and of block devices|-|b 7 0|--
no access at all is all of it|-|b 250 0|!--
one is allowed for r|-,,,rwm +c,1,11,r|c 1 11|r-
for w|-,,,rwm +c,1,11,w|c 1 11|-w
for all that there is|-,,,rwm +c,1,11|c 1 11|rw
only this|-,,,rwm +c,1,11,rw|c 1 12|--
any minor|-,,,rwm +c,1,*,r|c 1 11|r-
an absent major|-,,,rwm +c,,11,r|c 1 11|r-
any major|-,,,rwm +c,*,11,w|c 1 11|-w
any of a kind|-,,,rwm +b,*,*,rw|b 250 3|rw
and not the other kind|-,,,rwm +b,*,*,rw|c 1 11|--
a block device|-,,,rwm +b,250,,rwm|b 250 0|rw
two rules add up|-,,,rwm +c,1,11,r +c,1,,w|c 1 11|rw
a rule for all after all|-,,,rwm +a,,,rwm|c 1 11|rw
a denial of all at the end|+c,1,11,rw -,,,rwm|c 1 11|--
a part of a rule taken back|-,,,rwm +c,1,11,rw -c,1,11,w|c 1 11|r-
one denied|-c,1,11,rw|c 1 11|!--
and the others not|-c,1,11,rw|b 250 0|!rw
a hole in what is allowed|-,,,rwm +c,1,,rw -c,1,11,w|c 1 11|!r-|!refused
last rule wins, for each bit|-,,,rwm +c,1,,rw -c,1,11,rw +c,1,11,w|c 1 11|!-w|!refused
a rule for both kinds|-,,,rwm +,10,,rw|b 10 3|!rw
a hole in it|-,,,rwm +,10,,rw -c,10,229|c 10 229|!--|!refused
an allowance in a denial|-c,1,,rw +c,1,11,r|c 1 11|!r-|!refused
no device is written|-,,,w|b 250 0|!r-|!refused
a denial that meets an allowance|-,,,rwm +c,,229,r -c,10,,r|c 10 229|!--|!refused
END

if has cgroup1:devices || { [ -n "$peer" ] && has cgroup2; }; then
	case $(has cgroup1:devices && echo v1) in
	v1)	policies v1 ;;
	*)	policies v2 ;;
	esac
fi

# Where there is no cgroup at all, nodev does it for who can make no node. It
# holds for what comes later and for what the config lists.
if able "a policy that nodev keeps" unshare && ours "a policy by nodev"; then
	odd "for at in $(printf "%s " $hierarchies); do umount -l \$at; done"
	log='"devices":[{"path":"/dev/log","type":"c","major":1,"minor":11}],'
	config caps=CAP_SYSLOG linux="$log\"resources\":{\"devices\":[
		$(rules -,,,rwm +c,1,11,r)]}"
	run
	check_is "a device that it does not allow is refused" "$status $(printf \
		'%s\n' "$err" | grep -c 'allow linux.devices.0. (/dev/log) to be')" \
		"1 1"
	config caps=CAP_SYSLOG linux="$log\"resources\":{\"devices\":[
		$(rules -,,,rwm +c,1,11,rw)]}" args='"open","/dev/log","r"'
	run
	check_is "one that it allows can be opened" "$status" 0
	config caps=CAP_CHOWN linux="\"resources\":{\"devices\":[
		$(rules -,,,rwm)]}" args="$(json_list echo ready : signal-wait 15)"
	create
	verb start "$ID"
	for cap in CAP_MKNOD CAP_SYS_ADMIN; do
		verb exec --cap $cap "$ID" /bin/probe mknod /dev/log c 1 11
		declined "exec with $cap is refused" "may make nodes or mounts" \
			255 "cannot exec in '$ID': "
	done
	verb exec --cap CAP_SYSLOG "$ID" /bin/probe exit 3
	check_is "with another it is not" "$status" 3
	verb delete --force "$ID"
	even
fi

# Elsewhere, or where v1 is hidden, a program does it.
programs()
{
	"$PROBE" programs "$v2_mount/$1" | sed 's/programs //'
}

if ! programs . >"$T/bpf" 2>&1 || ! grep -qx '[0-9]*' "$T/bpf"; then
	skip "programs of devices" "$(cat "$T/bpf")"
elif able "programs of devices" unshare && ours "programs of devices"; then
	odd "umount -l $(v1_mount devices) 2>/dev/null"
	policies v2
	hold "\"devices\":[$(rules - +c,1,11,r)]"
	at=$(seen cgroup | sed -n 's|^0::/||p')
	check_is "there is one program" "$(programs "$at")" 1
	if able "after an update" cgroup2:pids; then
		verb update --pids-limit 50 "$ID"
		check_is "after an update too" "$status $(programs "$at")" "0 1"
	fi
	release
	hold '"devices":[{"allow":true,"access":"rwm"}]'
	check_is "none where nothing is denied" "$(programs "$at")" 0
	release

	# A group of somebody else: what is left there is replaced.
	mkdir "$v2_mount/$TAG-own"
	set -f
	policy "-" "c 1 11" "/$TAG-own"
	check_is "in a group that exists" "$status $got" "0 --"
	policy "- +c,1,11,r" "c 1 11" "/$TAG-own"
	check_is "in the same one by other rules" "$status $got" "0 r-"
	check "there is one program at most" \
		[ "$(programs "$TAG-own")" -le 1 ]
	policy "" "c 1 11" "/$TAG-own"
	check_is "without rules there, all is allowed again" "$status $got" \
		"0 rw"
	hold "\"devices\":[$(rules -)]" "/$TAG-own"
	check_is "one program again" "$(programs "$TAG-own")" 1
	set +f
	release
	rmdir "$v2_mount/$TAG-own"
	even
fi

deny=$(rules -,,,rwm)
config linux="\"resources\":{\"devices\":[$deny,{\"allow\":true,\"type\":\"\",
	\"access\":\"r\"}]}" args='"exit","0"'
if has cgroup; then
	run
	check_is "a rule with the type \"\" is as one without" "$status$err" 0
fi
while IFS='|' read -r fault entry; do
	config linux="\"resources\":{\"devices\":[$deny,{$entry}]}"
	run
	refused "a rule is refused for $fault" \
		"linux\.resources\.devices\[1\]"
done <<END
an unknown type|"allow":true,"type":"q","access":"r"
an unknown access|"allow":true,"type":"c","access":"rx"
an access that is empty|"allow":true,"type":"c","access":""
END

done_testing
