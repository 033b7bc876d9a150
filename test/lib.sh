# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034
#
# Sourced by each script of test/sys. It runs with dash and with busybox ash,
# also where there is nothing but busybox. A test is a sentence and a check:
#
#	. "${0%/*}/../lib.sh"
#	need root
#	config args='"exit","3"'
#	run
#	check_is "the exit status is the payload's" "$status" 3
#	done_testing
#
# The bundle
#   bundle              a fresh one in $B: rootfs with /bin/probe and the empty
#                       directories dev proc sys tmp etc data. One is made at
#                       the start; a new one checks the old for leaks.
#   config KEY=VALUE..  writes $B/config.json; what is not given has a default:
#       cmd=COMMAND     process.args in full        "/bin/probe",ARGS
#       args=ARGS       what probe is told, JSON    (none: it prints everything)
#       env=LIST        process.env, JSON strings   "PATH=/bin"
#       cwd=DIR         process.cwd, plain          /
#       user=MEMBERS    process.user                "uid":0,"gid":0
#       caps=WORDS      all five sets but ambient and inheritable: CAP_ names,
#                       `all`, `unset` for no member; nothing for empty sets
#       process=MEMBERS more members of process     "terminal":true
#       ns=WORDS        namespaces by OCI name      pid mount ipc uts network
#                       `network:/path` joins
#       base=MOUNTS     the first mounts, JSON      proc, dev (tmpfs), dev/pts
#       mounts=MOUNTS   more mounts, JSON objects separated by commas
#       linux=MEMBERS   more members of linux       "sysctl":{...}
#       root=MEMBERS    more members of root        "readonly":true
#       top=MEMBERS     more members of the config  "hostname":"web"
#   made PATH..         names what may be new under rootfs (data/x), or beside
#                       it (/pid), after the test: the leak check forgives it.
#
# Running
#   run [OPTION..]      $NSRUN --root $STATE $G run -b $B OPTION.. $ID, within
#                       $LIMIT seconds; its stdout, stderr and exit status are
#                       in $out, $err, $status. stdin is the caller's, else
#                       /dev/null. G holds global options.
#   start [OPTION..]    the same in the background: waits until the payload has
#                       written a line; $runner is the process to signal
#   start_nowait        does not wait
#   finish              waits for it; sets $out $err $status
#   verb COMMAND [..]   $NSRUN --root $STATE $G COMMAND .., as run does
#   create [OPTION..]   creates $ID of $B: $pid is its init, what it and its
#                       init say goes to $T/pay and $T/pay.err
#   in_state STATUS     whether `state` says so of $ID
#   said REGEX          whether a line of $T/pay matches
#   member NAME         of the JSON object $out, a string or a number
#   wait_for CMD..      until the command succeeds, $LIMIT seconds at most
#   seen KEY            the rest of the line "KEY rest" of $out
#
# Control groups
#   cgroups             first of all: sets $hierarchies, the mount points of all,
#                       and $v2_mount, "" without
#   v1_mount NAME       where the hierarchy with a v1 controller is; "" without
#   controller S NAME   whether v1 or v2 has it here; else a visible skip
#   hold [RESOURCES [PATH [OPTION..]]]  starts a payload that shows its cgroups
#                       in $out, and waits; release ends it, as finish does
#   directory NAME      where it is held, in the hierarchy with the controller
#
# Checking
#   check S CMD..       the command (test, [, grep, not ...) succeeds
#   check_is S GOT WANT the two are equal
#   check_out S REGEX   a line of $out matches the extended regex, status 0
#   check_err S REGEX   a line of $err does
#   refused S REGEX     nsrun failed itself: status 1, nothing on stdout, and
#                       one line on stderr, "nsrun: cannot run 'ID': ..." that
#                       matches; of a peer only the failure is asked
#   declined S REGEX [STATUS [WORDS]]  the same of any command, which names
#                       itself with WORDS
#   not CMD..           turns a status round
#
# Leaving out
#   need WORD..         the whole script needs these, see `has` for the words:
#                       root userns net cgroup1:memory cap:sys_resource ...
#   able S WORD..       one test does: `able S overlay && { ...; }`
#   ours S              the test holds for nsrun only, where runc or crun are
#                       known to differ
#   small_libc          the probe is small, as with musl: with glibc a static
#                       program needs more memory to begin
#   skip S REASON       a visible skip
#   REQUIRE="root net"  (environment) turns a skip for these into a failure
#
# A script must not set variables that begin with l_ or c_.
#
# Environment: NSRUN (default ../nsrun beside this directory; runc and crun
# serve to test the tests), PROBE (test/build/probe), REQUIRE, LIMIT (20).
# `done_testing` ends each script with the leak check and the totals.
#
# A script that runs as root gets a mount and a network namespace of its own:
# all mounts, links and tables in there are its own, whatever else the machine
# does meanwhile. Its cgroups and its processes are known by its mark, $TAG.

if [ -z "${OWN_HOST:-}" ] && unshare -m -n true 2>/dev/null; then
	l_shell=$(readlink "/proc/$$/exe") l_applet=
	case $l_shell in
	*busybox*) l_applet="sh" ;;
	esac
	# shellcheck disable=SC2086 # nothing, or a word
	OWN_HOST=1 exec unshare -m -n "$l_shell" $l_applet "$0" "$@"
fi
export OWN_HOST=
! command -v ip >/dev/null || ip link set lo up 2>/dev/null

test_dir=$(cd "${0%/*}/.." && pwd) || exit 1
NSRUN=${NSRUN:-$test_dir/../nsrun}
case $NSRUN in
*/*)	NSRUN=$(cd "${NSRUN%/*}" && pwd)/${NSRUN##*/} ;;
*)	NSRUN=$(command -v "$NSRUN") ;;
esac
PROBE=${PROBE:-$test_dir/build/probe}
LIMIT=${LIMIT:-20}
case ${NSRUN##*/} in
nsrun*)	peer= ;;
*)	peer=${NSRUN##*/} ;;
esac
for l_file in "$NSRUN" "$PROBE"; do
	[ -x "$l_file" ] && continue
	echo "FAIL - ${0##*/} can start: $l_file is not a program"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
done

passed=0 failed=0 skipped=0
TAG=nst$$x		# stands in each name that this script makes; no prefix of another
ID=$TAG
G=
exec </dev/null
T=$(mktemp -d "${TMPDIR:-/tmp}/$TAG.XXXXXX") || exit 1
STATE=$T/state
B=
NSRUN_TEST=$TAG		# marks the processes of this script, see leak_processes
export NSRUN_TEST
umask 022

# ---- the results ----------------------------------------------------------

pass()
{
	passed=$((passed + 1))
	echo "ok - $1"
}

# The first argument is the sentence, the others are lines of detail.
fail()
{
	failed=$((failed + 1))
	echo "FAIL - $1"
	shift
	for l_detail; do
		printf '%s\n' "$l_detail" | head -n 30 | cut -c 1-400 |
			sed 's/^/    /'
	done
}

fail_run()
{
	l_sentence=$1
	shift
	fail "$l_sentence" "$@" "status: $status" "stdout: $out" "stderr: $err"
}

skip()
{
	skipped=$((skipped + 1))
	echo "SKIP - $1: $2"
}

not()
{
	! "$@"
}

check()
{
	l_check_what=$1
	shift
	if "$@"; then
		pass "$l_check_what"
	else
		fail_run "$l_check_what" "not true: $*"
	fi
}

check_is()
{
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" "got:    $2" "wanted: $3" "stderr: $err"
	fi
}

check_out()
{
	if [ "$status" = 0 ] && printf '%s\n' "$out" | grep -Eq -e "$2"; then
		pass "$1"
	else
		fail_run "$1" "wanted on stdout: $2"
	fi
}

check_err()
{
	if printf '%s\n' "$err" | grep -Eq -e "$2"; then
		pass "$1"
	else
		fail_run "$1" "wanted on stderr: $2"
	fi
}

refused()
{
	declined "$1" "$2" 1 "cannot run "
}

declined()
{
	if [ -n "$peer" ]; then
		check "$1" [ "$status" != 0 ]
	elif [ "$status" != "${3:-1}" ]; then
		fail_run "$1" "wanted status ${3:-1}"
	elif [ -n "$out" ]; then
		fail_run "$1" "wanted nothing on stdout"
	elif [ "$(printf '%s\n' "$err" | wc -l)" -ne 1 ]; then
		fail_run "$1" "wanted one line on stderr"
	elif ! printf '%s\n' "$err" | grep -q "^nsrun: ${4:-}"; then
		fail_run "$1" "wanted on stderr: nsrun: ${4:-}..."
	else
		check_err "$1" "$2"
	fi
}

# ---- what this machine can do ---------------------------------------------

# 0 when it is there; else $reason says what is missing.
has()
{
	reason="no $1 here"
	case $1 in
	root)	[ "$(id -u)" = 0 ] ;;
	userns)	[ -e /proc/self/ns/user ] &&
		[ "$(cat /proc/sys/user/max_user_namespaces)" != 0 ] &&
		unshare -U true 2>/dev/null ;;
	net)	[ -e /proc/self/ns/net ] && unshare -n true 2>/dev/null ;;
	timens)	[ -e /proc/self/ns/time ] ;;
	cgroup)	has cgroup1 || has cgroup2 ;;
	cgroup1) grep -q ' - cgroup .*rw' /proc/self/mountinfo ;;
	cgroup2) grep -q ' - cgroup2 .*rw' /proc/self/mountinfo ;;
	cgroup1:*) grep -Eq " - cgroup .*[ ,]${1#*:}(,|\$)" \
			/proc/self/mountinfo ;;
	cgroup2:*) l_cgroup2_dir=$(sed -n \
			's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .* - cgroup2 .*/\1/p' \
			/proc/self/mountinfo | head -n 1)
		grep -qw "${1#*:}" "$l_cgroup2_dir/cgroup.controllers" ;;
	overlay | fs:*) grep -qw "${1#fs:}" /proc/filesystems ||
		modprobe "${1#fs:}" 2>/dev/null ;;
	kernel:*) reason="the kernel is older than ${1#*:}"
		kernel_at_least "${1#*:}" ;;
	cap:*)	reason="this process lacks CAP_${1#*:}"
		[ $((0x$(sed -n 's/^CapEff:[[:space:]]*........//p' \
			/proc/self/status) & $(cap_mask "${1#*:}"))) != 0 ] ;;
	seccomp) grep -q '^Seccomp:' /proc/self/status ;;
	*)	reason="the program $1 is not here"
		command -v "$1" >/dev/null ;;
	esac
}

kernel_at_least()
{
	uname -r | {
		IFS=.- read -r l_major l_minor l_rest
		[ "$l_major" -gt "${1%.*}" ] || {
			[ "$l_major" -eq "${1%.*}" ] && [ "$l_minor" -ge "${1#*.}" ]
		}
	}
}

# Skips, or fails when the word is required.
missing()
{
	case " ${REQUIRE:-} " in
	*" $2 "* | *" ${2%%:*} "*) fail "$1" "required, but $reason" ;;
	*)	skip "$1" "$reason" ;;
	esac
}

able()
{
	l_able_what=$1
	shift
	for l_word; do
		has "$l_word" && continue
		missing "$l_able_what" "$l_word"
		return 1
	done
}

need()
{
	able "all of ${0##*/}" "$@" || done_testing
}

ours()
{
	[ -z "$peer" ] || {
		skip "$1" "$peer behaves differently"
		false
	}
}

# musl's probe has 100 KB, glibc's 850 KB.
small_libc()
{
	[ "$(wc -c <"$PROBE")" -lt 400000 ]
}

# ---- odd hosts ------------------------------------------------------------

# COMMAND: from now on nsrun runs after COMMAND, in a mount namespace of its own.
odd()
{
	real=$NSRUN
	cat >"$T/nsrun-odd" <<-END
	#!/bin/sh
	exec unshare -m sh -c '$1
	exec "$real" "\$@"' sh "\$@"
	END
	chmod 755 "$T/nsrun-odd"
	NSRUN=$T/nsrun-odd
}

# Until here.
even()
{
	NSRUN=$real
}

# COMMAND [OPTION..]: once
odd_host()
{
	odd "$1"
	shift
	run "$@"
	even
}

# ---- the bundle -----------------------------------------------------------

bundle()
{
	[ -z "$B" ] || leak_bundle
	bundles=$((${bundles:-0} + 1))
	B=$T/b$bundles
	allowed=
	mkdir -p "$B/rootfs/bin" || exit 1
	for l_dir in dev proc sys tmp etc data; do
		mkdir "$B/rootfs/$l_dir"
	done
	cp "$PROBE" "$B/rootfs/bin/probe"
	chmod 755 "$B" "$B/rootfs" "$B/rootfs/bin/probe"
	(cd "$B" && find . | sort) >"$T/pristine"
	config
}

made()
{
	allowed="$allowed $*"
}

all_caps='chown dac_override dac_read_search fowner fsetid kill setgid setuid
setpcap linux_immutable net_bind_service net_broadcast net_admin net_raw
ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct
sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease
audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm
block_suspend audit_read perfmon bpf checkpoint_restore'

# The bits of capabilities in the lower half of a set, by name without CAP_.
cap_mask()
{
	l_mask=0
	for l_name; do
		l_bit=1
		for l_cap in $all_caps; do
			[ "$l_cap" != "$l_name" ] || l_mask=$((l_mask | l_bit))
			l_bit=$((l_bit << 1))
		done
	done
	echo "$l_mask"
}

# "a","b" from the words a b
json_list()
{
	l_json=
	for l_word; do
		l_json="$l_json,\"$l_word\""
	done
	printf %s "${l_json#,}"
}

config()
{
	c_args='' c_env='"PATH=/bin"' c_cwd=/ c_user='"uid":0,"gid":0'
	c_caps='' c_process='' c_ns='pid mount ipc uts network' c_mounts=''
	c_linux='' c_root='' c_top='' c_cmd=''
	c_base='{"destination":"/proc","type":"proc","source":"proc"},
		{"destination":"/dev","type":"tmpfs","source":"tmpfs",
		 "options":["nosuid","mode=755","size=64k"]},
		{"destination":"/dev/pts","type":"devpts","source":"devpts",
		 "options":["nosuid","noexec","newinstance","ptmxmode=0666",
			"mode=0620"]}'
	for l_pair; do
		case ${l_pair%%=*} in
		cmd | args | env | cwd | user | caps | process | ns | base | \
		mounts | linux | root | top)
			l_value=${l_pair#*=}
			eval "c_${l_pair%%=*}=\$l_value" ;;
		*)	echo "config: unknown key in $l_pair" >&2
			exit 1 ;;
		esac
	done
	[ -n "$c_cmd" ] || c_cmd="\"/bin/probe\"${c_args:+,$c_args}"
	c_spaces=
	for l_space in $c_ns; do
		case $l_space in
		*:*)	l_space="{\"type\":\"${l_space%%:*}\",\"path\":\"${l_space#*:}\"}" ;;
		*)	l_space="{\"type\":\"$l_space\"}" ;;
		esac
		c_spaces="$c_spaces${c_spaces:+,}$l_space"
	done
	if [ "$c_caps" = all ]; then
		c_caps=$(for l_cap in $all_caps; do echo "CAP_$l_cap"; done |
			tr '[:lower:]' '[:upper:]')
	fi
	if [ "$c_caps" != unset ]; then
		# shellcheck disable=SC2086 # words
		c_caps=$(json_list $c_caps)
		c_process="\"capabilities\":{\"bounding\":[$c_caps],
			\"effective\":[$c_caps],\"permitted\":[$c_caps],
			\"inheritable\":[],\"ambient\":[]}${c_process:+,
			}$c_process"
	fi
	cat >"$B/config.json" <<-END
	{
		"ociVersion": "1.0.2",
		"root": {"path": "rootfs"${c_root:+, $c_root}},
		"process": {
			"args": [$c_cmd],
			"env": [$c_env],
			"cwd": "$c_cwd",
			"user": {$c_user}${c_process:+,
			$c_process}
		},
		"mounts": [
			$c_base${c_base:+${c_mounts:+,}}
			$c_mounts
		],
		"linux": {
			"namespaces": [$c_spaces]${c_linux:+,
			$c_linux}
		}${c_top:+,
		$c_top}
	}
	END
}

# ---- running --------------------------------------------------------------

# KILL, because nsrun forwards the others: a payload that ignores them would
# keep it.
limit=
has timeout && limit="timeout -s KILL $LIMIT"

run()
{
	# shellcheck disable=SC2086 # words
	$limit "$NSRUN" --root "$STATE" $G run -b "$B" "$@" "$ID" \
		>"$T/out" 2>"$T/err"
	status=$?
	outputs
	[ -z "$limit" ] || [ "$status" != 137 ] || no_processes || sweep
}

outputs()
{
	# A NUL byte would make the shell complain.
	out=$(tr -d '\000' <"$T/out")
	err=$(tr -d '\000' <"$T/err")
}

verb()
{
	# shellcheck disable=SC2086 # words
	$limit "$NSRUN" --root "$STATE" $G "$@" >"$T/out" 2>"$T/err"
	status=$?
	outputs
}

create()
{
	rm -f "$T/pay.pid"
	# shellcheck disable=SC2086 # words
	$limit "$NSRUN" --root "$STATE" $G create -b "$B" \
		--pid-file "$T/pay.pid" "$@" "$ID" >"$T/pay" 2>"$T/pay.err"
	status=$?
	out=$(cat "$T/pay")
	err=$(cat "$T/pay.err")
	pid=$(cat "$T/pay.pid" 2>/dev/null)
}

in_state()
{
	verb state "$ID"
	[ "$(member status)" = "$1" ]
}

said()
{
	grep -Eq -e "$1" "$T/pay"
}

member()
{
	if has jq; then
		printf '%s\n' "$out" | jq -r ".$1"
	else
		printf '%s\n' "$out" |
			sed -n "s/^ *\"$1\": *\"\{0,1\}\([^\",]*\).*/\1/p"
	fi
}

start_nowait()
{
	: >"$T/out"
	# The subshell replaces itself, so that $! is nsrun in every shell.
	# shellcheck disable=SC2086 # words
	(exec "$NSRUN" --root "$STATE" $G run -b "$B" "$@" "$ID" \
		>"$T/out" 2>"$T/err") &
	runner=$!
}

start()
{
	start_nowait "$@"
	wait_for started
}

started()
{
	[ -s "$T/out" ] || ! alive "$runner"
}

finish()
{
	l_hangs=
	wait_for not alive "$runner" || {
		l_hangs=1
		kill -KILL "$runner"
	}
	wait "$runner"
	status=$?
	[ -z "$l_hangs" ] || {
		echo "still running after $LIMIT seconds, killed" >>"$T/err"
		sweep
	}
	outputs
}

# Whether the process is there and not a zombie.
alive()
{
	grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" 2>/dev/null
}

wait_for()
{
	l_tries=$((LIMIT * 20))
	until "$@"; do
		l_tries=$((l_tries - 1))
		[ "$l_tries" -gt 0 ] || return 1
		sleep 0.05
	done
}

seen()
{
	printf '%s\n' "$out" | sed -n "s|^$1 ||p"
}

# ---- control groups ---------------------------------------------------------

# Sets $hierarchies, the mount points of all, and $v2_mount, and readies the
# bundle for hold.
cgroups()
{
	hierarchies=$(awk '/ - cgroup2? / { print $5 }' /proc/self/mountinfo)
	v2_mount=$(awk '/ - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
	mkfifo "$B/rootfs/tmp/go"
	made tmp/go
}

# The mount point of the hierarchy that has a v1 controller
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

directory()
{
	l_mount=$(v1_mount "$1")
	if [ -n "$l_mount" ]; then
		l_path=$(seen cgroup |
			sed -n "s/^[0-9]*:\(.*,\)*$1\(,.*\)*://p")
	else
		l_mount=$v2_mount
		l_path=$(seen cgroup | sed -n 's/^0:://p')
	fi
	echo "$l_mount$l_path"
}

controller()
{
	# One has another name in v2.
	case $2 in
	blkio)	l_controller=cgroup2:io ;;
	*)	l_controller=cgroup2:$2 ;;
	esac
	[ -n "$(v1_mount "$2")" ] || has "$l_controller" || {
		missing "$1" "$l_controller"
		false
	}
}

hold()
{
	l_resources=${1:-} l_cgroup=${2:-}
	shift $(($# < 2 ? $# : 2))
	config linux="\"resources\":{$l_resources}${l_cgroup:+,
		\"cgroupsPath\":\"$l_cgroup\"}" \
		args="$(json_list show cgroup : echo ready : read /tmp/go)"
	start "$@"
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

# ---- the leak check -------------------------------------------------------

# All of the namespaces that are the script's own, see the top of this file.
list_mounts()
{
	awk '{ print $5, "(" $1 ")" }' /proc/self/mountinfo | sort
}

list_links()
{
	sed -n 's/^ *\([^ ]*\):.*/\1/p' /proc/net/dev | sort
}

# Tables of nf_tables, where there is a program that shows them.
list_tables()
{
	! has nft || nft list tables 2>/dev/null | sort
}

# The groups that bear the mark: each id does, and so does each cgroupsPath.
list_cgroups()
{
	awk '/ - cgroup2? / { print $5 }' /proc/self/mountinfo |
		while read -r l_dir; do
			find "$l_dir" -type d -path "*$TAG*"
		done 2>/dev/null | sort
}

# Processes that bear the mark in their environment, run a probe of ours, or
# have a bundle of ours as root. No program that bears the mark may run here,
# or it would be found itself.
list_processes()
{
	l_found=' '
	for l_p in $(env -i PATH="$PATH" grep -l "NSRUN_TEST=$TAG" \
		/proc/[0-9]*/environ 2>/dev/null); do
		l_p=${l_p#/proc/}
		l_found="$l_found${l_p%%/*} "
	done
	# shellcheck disable=SC3013 # both shells have -ef
	for l_p in /proc/[0-9]*; do
		for l_dir in "$T"/b*; do
			[ "$l_p/root" -ef "$l_dir/rootfs" ] ||
			[ "$l_p/exe" -ef "$l_dir/rootfs/bin/probe" ] || continue
			case $l_found in
			*" ${l_p#/proc/} "*) ;;
			*)	l_found="$l_found${l_p#/proc/} " ;;
			esac
		done
	done
	echo "${l_found# }"
}

no_processes()
{
	[ -z "$(list_processes)" ]
}

# After a hang: its processes go, and its id is not used again, so that it
# does not spoil the tests that follow.
sweep()
{
	LIMIT=1 wait_for no_processes || for l_pid in $(list_processes); do
		kill -KILL "$l_pid" 2>/dev/null
	done
	hung=$((${hung:-0} + 1))
	ID=$TAG-after$hung
}

leak()
{
	leaks="$leaks${leaks:+
}$1: $2"
}

# What is there now, was not at the start, and does not go by itself: what
# comes and goes is the work of others.
leak_new()
{
	LIMIT=3 wait_for nothing_new "$1" || leak "$2" "$l_new"
}

nothing_new()
{
	"$1" >"$T/now"
	l_new=$(grep -Fxvf "$T/$1" "$T/now")
	[ -z "$l_new" ]
}

leak_bundle()
{
	l_new=$(cd "$B" && find . | sort | grep -Fxvf "$T/pristine" |
		sed 's|^\./rootfs/||; s|^\./|/|' | while read -r l_file; do
		case $l_file in /config.json) continue ;; esac
		for l_ok in $allowed; do
			case $l_file in "$l_ok" | "$l_ok"/*) continue 2 ;; esac
		done
		echo "$l_file"
	done)
	[ -z "$l_new" ] || leak "file in bundle ${B##*/}" "$l_new"
}

leak_check()
{
	leak_bundle
	if ! LIMIT=3 wait_for no_processes; then
		for l_pid in $(list_processes); do
			leak process "$l_pid $(tr '\000' ' ' \
				<"/proc/$l_pid/cmdline")"
		done
	fi
	leak_new list_mounts mount
	leak_new list_cgroups "cgroup directory"
	leak_new list_links "network link"
	leak_new list_tables "table of nf_tables"
	l_new=$(find "$STATE" -mindepth 1 2>/dev/null)
	[ -z "$l_new" ] || leak "state" "$l_new"
	if [ -z "$leaks" ]; then
		pass "nothing is left behind"
	else
		fail "nothing is left behind" "$leaks"
	fi
}

# What was found is taken away: it must not disturb the scripts to come.
# TEXT: rmdir the groups of ours with it in their path, the leaves first
drop_cgroups()
{
	list_cgroups | grep "$1" | sort -r | while read -r l_dir; do
		rmdir "$l_dir"
	done
}

clean_up()
{
	no_processes || sweep
	sed -n "s|^[^ ]* [^ ]* [^ ]* [^ ]* \($T/[^ ]*\) .*|\1|p" \
		/proc/self/mountinfo | sort -r | while read -r l_dir; do
		umount -l "$l_dir"
	done
	drop_cgroups "$TAG"
}

totals()
{
	echo "$passed passed, $failed failed, $skipped skipped"
}

done_testing()
{
	[ ! -e "$T/list_mounts" ] || leak_check
	totals
	completed=1
	[ "$failed" = 0 ]
	exit
}

# However a script ends, its directory goes, and an early end is a failure.
clean()
{
	if [ -z "$completed" ]; then
		fail "${0##*/} runs to its end"
		totals
	fi
	if [ -n "$leaks" ] || [ -z "$completed" ]; then
		clean_up
	fi
	# Never through a mount.
	if grep -q " $T/" /proc/self/mountinfo; then
		echo "kept $T, because something is mounted there" >&2
	else
		rm -rf "$T"
	fi
	[ -n "$completed" ] || exit 1
}

leaks=
completed=
trap clean EXIT
trap 'exit 1' HUP INT TERM
for l_list in list_mounts list_cgroups list_links list_tables; do
	"$l_list" >"$T/$l_list"
done
bundle
