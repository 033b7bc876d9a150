# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2016,SC2034,SC2154
#
# `nsrun exec`: one more process in a container.

. "${0%/*}/../lib.sh"
need root
chmod 711 "$T"		# user namespaces must reach the bundles

waits='"signal-wait","15"'

up()		# a container of the config that runs
{
	create
	verb start "$ID"
	wait_for said ready || fail_run "a container runs" "$(cat "$T/pay")"
}

down()
{
	verb delete --force "$ID"
	[ "$status" = 0 ] || fail_run "the container can be deleted"
}

x()		# x [OPTION..] -- ARG..: the probe in the container
{
	options=
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	# shellcheck disable=SC2086 # words
	verb exec $options "$ID" /bin/probe "$@"
}

spaces()	# the namespaces of a process, as the probe shows them
{
	for name in cgroup ipc mnt net pid time user uts; do
		readlink "/proc/$1/ns/$name" | sed "s/.*\\[\\(.*\\)\\]/$name \\1/"
	done
}

declines()	# as declined, of an exec that failed itself
{
	declined "$1" "$2" 255 "cannot exec in '$ID': "
}

# ---- the exit status ------------------------------------------------------

config args="$waits" env='"PATH=/bin","A=1","B=1"' caps='CAP_CHOWN' \
	user='"uid":0,"gid":0,"additionalGids":[7,8]' process='"umask":18,
	"rlimits":[{"type":"RLIMIT_NOFILE","soft":77,"hard":78}],
	"oomScoreAdj":321'
up
wrong=
for n in 0 1 2 42 126 127 128 137 254 255; do
	x -- exit $n
	[ "$status$err" = $n ] || wrong="$wrong $n:$status:$err"
done
check_is "the exit status is that of the process, 0 to 255" "$wrong" ""
for n in 1 2 6 9 13 15; do
	x -- kill $n
	[ "$status$err" = $((128 + n)) ] || wrong="$wrong $n:$status:$err"
done
check_is "a signal n that ends it gives 128 + n" "$wrong" ""
x -- fault
check_is "so does a fault" "$status" 139
verb exec "$ID" /bin/none
declines "a program that is not there gives 255" '/bin/none.*[Nn]o such file'
verb exec "$ID" none
declines "one that is nowhere in PATH too" 'none.*not found in \$PATH'
verb exec "$ID" /etc
declines "and a directory" '/etc.*directory'
verb exec "$ID" /proc/version
declines "and what is not executable" '/proc/version.*[Pp]ermission denied'
verb exec "$ID"
declined "without a command it is an error" . 255
verb exec
declined "without an id too" "takes ID COMMAND"
verb exec --none "$ID" /bin/true
declined "an unknown option is one" "none"
verb exec "x$ID" /bin/true
declined "an id that does not exist gives 255" "container does not exist" 255
check "the container lives on" in_state running

x -- cat <<END
first
second
END
check_is "stdin and stdout are passed through" "$status $out" "0 first
second"
x -- fd 1 'to out' : fd 2 'to err'
check_is "stdout and stderr are kept apart" "$out/$err" "to out/to err"
x -- echo --user -e -- "a b" ""
check_is "what follows the command is its own" "$out" "--user -e -- a b "

# ---- where it is ----------------------------------------------------------

x -- show ns
check_is "all namespaces are those of the container" "$(seen ns)" \
	"$(spaces "$pid")"
x -- show pid ppid sid
check "its pid is another than 1" [ "$(seen pid)" -gt 1 ]
check_is "its parent is not seen" "$(seen ppid)" 0
check_is "it leads a session" "$(seen sid)" "$(seen pid)"
x -- show mount
check_is "its root is the container's" \
	"$(seen mount | cut -d ' ' -f 5 | sort | tr '\n' ' ')" \
	"$(awk '{ print $5 }' "/proc/$pid/mountinfo" | sort | tr '\n' ' ')"

: >"$T/reaped"
"$PROBE" reap "$NSRUN" --root "$STATE" exec -d --pid-file "$T/pid" "$ID" \
	/bin/probe signal-wait 15 >"$T/reaped" 2>"$T/err" &
reaper=$!
wait_for grep -q '^reaped ' "$T/reaped"
check "exec -d ends with 0 while the process runs" \
	grep -q '^reaped [0-9]* 0$' "$T/reaped"
other=$(cat "$T/pid")
check_is "its pid file holds digits and no line end" \
	"$(tr -d 0-9 <"$T/pid" | wc -c) $(wc -l <"$T/pid")" "0 0"
wait_for grep -q ready "$T/reaped"
check "the pid is that of a process of the container" grep -Eq \
	"^NSpid:.*[[:space:]]${other}[[:space:]]+[2-9]" "/proc/$other/status"
check_is "its parent is the subreaper of the caller" \
	"$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$other/status")" "$reaper"
check_is "its namespaces are the container's too" "$(spaces "$other")" \
	"$(spaces "$pid")"
check_is "its cgroups are those of the container" \
	"$(cat "/proc/$other/cgroup")" "$(cat "/proc/$pid/cgroup")"
check "which are its own" [ "$(cat "/proc/$pid/cgroup")" != \
	"$(cat /proc/self/cgroup)" ]
kill -TERM "$other"
wait "$reaper"
check_is "the subreaper gets its exit status" \
	"$(sed -n "s/^reaped $other //p" "$T/reaped")" 55
verb exec -d --pid-file "$T/none/pid" "$ID" /bin/probe signal-wait 15
declines "a pid file that cannot be written is an error" "$T/none/pid"
x -- ls /proc
check_is "and the process does not run then" \
	"$(printf '%s\n' "$out" | grep -Ecx '[0-9]+')" 2

# ---- ids ------------------------------------------------------------------

x -- show uid gid groups umask rlimit oom_score_adj
check_is "ids and groups are those of the config" \
	"$(seen uid)/$(seen gid)/$(seen groups)" "0 0 0/0 0 0/7 8"
check_is "so is the umask" "$(seen umask)" 0022
check_is "so are limits" "$(seen rlimit | grep NOFILE)" "NOFILE 77 78"
check_is "so is oomScoreAdj" "$(seen oom_score_adj)" 321
x --user 5:6 -- show uid gid
check_is "--user UID:GID" "$(seen uid)/$(seen gid)" "5 5 5/6 6 6"
x -u 4294967294 -- show uid gid
check_is "--user UID, the highest" "$(seen uid)/$(seen gid)" \
	"4294967294 4294967294 4294967294/0 0 0"
x -u 5 -g 9 --additional-gids 10 -- show groups
check_is "--additional-gids, again and again" \
	"$(seen groups | tr ' ' '\n' | grep -x -e 9 -e 10 | tr '\n' ' ')" \
	"9 10 "
wrong=
for user in : :5 -1 4294967295 4294967296 18446744073709551616 0x10 '1 ' \
	' 1' 1000: 1000:x 1:-1 1:2:3 root 1e3 +1 '' 1:4294967295; do
	verb exec --user "$user" "$ID" /bin/probe echo ran
	[ "$status$out" = 255 ] && printf '%s\n' "$err" | grep -q -e --user ||
		wrong="$wrong '$user':$status:$out:$err"
done
check_is "other strings are errors" "$wrong" ""
for group in -1 x '' 4294967295; do
	verb exec -g "$group" "$ID" /bin/probe echo ran
	[ "$status$out" = 255 ] || wrong="$wrong '$group':$status:$out"
done
check_is "other groups too" "$wrong" ""

# ---- capabilities ---------------------------------------------------------

caps_are()	# caps_are S BOUNDING EFFECTIVE PERMITTED INHERITABLE AMBIENT
{
	what=$1
	shift
	check_is "$what" "$(seen cap | sed 's/.* 0*\(.\)/\1/' | tr '\n' ' ')" \
		"$(for set; do printf '%x ' "$set"; done)"
}

one=$(cap_mask chown)
two=$(cap_mask chown net_admin)
three=$(cap_mask chown net_admin kill)
x -- show cap
caps_are "capabilities are those of the config" "$one" "$one" "$one" 0 0
x --cap CAP_NET_ADMIN -- show cap
caps_are "--cap adds to all sets that harm nobody" "$two" "$two" "$two" 0 0
x -c CAP_NET_ADMIN -c CAP_KILL -- show cap
caps_are "again and again" "$three" "$three" "$three" 0 0
x --cap CAP_NET_ADMIN --user 5 -- show cap
caps_are "a user has none of them but in the bounding set" "$two" 0 0 0 0
x --cap CAP_NONE -- echo ran
declines "a capability that is none is an error" CAP_NONE
x -- show nnp
check_is "new privileges are as in the config" "$(seen nnp)" 0
x --no-new-privs -- show nnp
check_is "--no-new-privs" "$(seen nnp)" 1

# ---- directory and environment --------------------------------------------

x -- show cwd
check_is "the directory is that of the config" "$(seen cwd)" /
x --cwd /data -- show cwd
check_is "--cwd" "$(seen cwd)" /data
x --cwd /none -- echo ran
declines "a missing one is an error" /none
x --cwd data -- echo ran
declines "a relative one too" data

made etc/passwd
echo 'user:x:1000:1000::/home/user:/bin/sh' >"$B/rootfs/etc/passwd"
x -- show env
check_is "the environment is that of the config" \
	"$(seen env | sort | tr '\n' ' ')" "A=1 B=1 HOME=/ PATH=/bin "
x -e A=2 --env C=3 -e A=4 -- show env
check_is "--env adds to it, the last wins" \
	"$(seen env | grep -v -e PATH -e HOME | sort | tr '\n' ' ')" \
	"A=4 B=1 C=3 "
x -u 1000 -- show env
check_is "HOME comes from passwd" "$(seen env | grep HOME)" HOME=/home/user
x -u 1000 -e HOME=/x -- show env
check_is "if there is none" "$(seen env | grep HOME)" HOME=/x
verb exec "$ID" probe echo found
check_out "the program is looked for in PATH" '^found$'
verb exec -e PATH=/nowhere "$ID" probe echo found
declines "in the new one" 'not found in \$PATH'

# ---- a process file -------------------------------------------------------

cat >"$T/process.json" <<END
{"args":["/bin/probe","show","uid","gid","groups","cwd","env","cap","nnp",
	"rlimit","argv"],
 "env":["PATH=/bin","P=1"],"cwd":"/data","noNewPrivileges":true,
 "user":{"uid":3,"gid":4,"additionalGids":[5]},
 "rlimits":[{"type":"RLIMIT_NOFILE","soft":50,"hard":60}],
 "capabilities":{"bounding":["CAP_KILL"],"effective":["CAP_KILL"],
	"permitted":["CAP_KILL"],"inheritable":["CAP_KILL"],
	"ambient":["CAP_KILL"]}}
END
kill_bit=$(cap_mask kill)
verb exec --process "$T/process.json" "$ID"
check_is "--process says all: ids" \
	"$status $(seen uid)/$(seen gid)/$(seen groups)" "0 3 3 3/4 4 4/5"
check_is "directory" "$(seen cwd)" /data
check_is "environment" "$(seen env | sort | tr '\n' ' ')" \
	"HOME=/ P=1 PATH=/bin "
caps_are "capabilities" "$kill_bit" "$kill_bit" "$kill_bit" "$kill_bit" \
	"$kill_bit"
check_is "noNewPrivileges" "$(seen nnp)" 1
check_is "and limits" "$(seen rlimit | grep NOFILE)" "NOFILE 50 60"
verb exec -p "$T/process.json" -u 8 -e P=2 --cwd / "$ID"
check_is "options change it" "$(seen uid)/$(seen cwd)/$(seen env |
	grep P=)" "8 8 8///P=2"
verb exec -p "$T/none.json" "$ID"
declines "a missing file is an error" "$T/none.json.*[Nn]o such file"
echo '{"args":[]' >"$T/bad.json"
verb exec -p "$T/bad.json" "$ID"
declines "one with bad JSON too" "$T/bad.json"
echo '{"args":["/bin/true"],"cwd":7,"user":{"uid":0,"gid":0}}' >"$T/bad.json"
verb exec -p "$T/bad.json" "$ID"
declines "and one with a bad type" "$T/bad.json.*cwd"
echo '{"cwd":"/","user":{"uid":0,"gid":0}}' >"$T/bad.json"
verb exec -p "$T/bad.json" "$ID"
declines "and one without a command" args
verb exec -p "$T/bad.json" "$ID" /bin/probe echo given
check_out "unless that is given" '^given$'
verb exec -p "$T/process.json" "$ID" /bin/probe
declines "both is an error" "process"

# ---- descriptors ----------------------------------------------------------

echo three >"$T/three"
x -- show fd 3<"$T/three" 4<"$T/three" 9<"$T/three"
check_is "there are descriptors 0, 1 and 2" \
	"$(seen fd | cut -d ' ' -f 1 | tr '\n' ' ')" "0 1 2 "
x --preserve-fds 2 -- fd 3 : fd 4 four : show fd \
	3<"$T/three" 4>"$T/four" 5<"$T/three"
check_is "--preserve-fds passes more" \
	"$(seen fd | cut -d ' ' -f 1 | tr '\n' ' ')" "0 1 2 3 4 "
check_out "that can be read" '^three$'
check_is "and written to" "$(cat "$T/four")" four
x --preserve-fds 1 -- echo ran 3<&-
declined "those must be open" "3" 255
# shellcheck disable=SC2086 # words
$limit sh -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"' sh \
	"$NSRUN" --root "$STATE" exec "$ID" /bin/probe show fd env pid \
	>"$T/out" 2>"$T/err" 3<"$T/three" 4<"$T/three"
status=$?
outputs
check_is "LISTEN_FDS passes them too" \
	"$(seen fd | cut -d ' ' -f 1 | tr '\n' ' ')" "0 1 2 3 "
check_is "and tells the process so" \
	"$(seen env | grep LISTEN | sort | tr '\n' ' ')" \
	"LISTEN_FDS=1 LISTEN_PID=$(seen pid) "

# ---- signals and ends -----------------------------------------------------

start_exec()
{
	: >"$T/out"
	(exec "$NSRUN" --root "$STATE" exec --pid-file "$T/pid" "$ID" \
		/bin/probe "$@" >"$T/out" 2>"$T/err") &
	runner=$!
	wait_for started
}

start_exec signal-wait 15
kill -USR1 "$runner"
wait_for grep -qx 'signal 10' "$T/out"
kill -HUP "$runner"
wait_for grep -qx 'signal 1' "$T/out"
kill -TERM "$runner"
finish
check_is "signals are forwarded to it" "$status $(echo "$out" |
	tr '\n' ' ')" "55 ready signal 10 signal 1 signal 15 "
start_exec signal-wait 15
other=$(cat "$T/pid")
kill -KILL "$runner"
check "it dies with its nsrun" wait_for not alive "$other"
wait "$runner" 2>/dev/null
check "but the container does not" alive "$pid"
start_exec signal-wait 15
check "another one runs" alive "$(cat "$T/pid")"
down
finish
check_is "it ends with the container" "$status" 137

# ---- what of the config's user and capabilities stays ---------------------

config args="$waits" caps=unset user='"uid":0,"gid":7,"additionalGids":[44]' \
	process='"capabilities":{"bounding":["CAP_CHOWN","CAP_KILL"],
	"effective":["CAP_CHOWN"],"permitted":["CAP_CHOWN"],
	"inheritable":["CAP_CHOWN"]}'
up
x -u 5 -- show uid gid groups
check_is "--user UID leaves the gid and the groups" \
	"$(seen uid)/$(seen gid)/$(seen groups)" "5 5 5/7 7 7/44"
x -u 5:6 -g 9 -g 10 -- show gid groups
check_is "--additional-gids are more groups" \
	"$(seen gid)/$(seen groups | tr ' ' '\n' | sort -n | tr '\n' ' ')" \
	"6 6 6/9 10 44 "
x -g 9 -- show gid groups
check_is "without --user too" \
	"$(seen gid)/$(seen groups | tr ' ' '\n' | sort -n | tr '\n' ' ')" \
	"7 7 7/9 44 "
own=$(cap_mask chown)
x -u 5 -- show cap
caps_are "a user has no capability by itself" "$(cap_mask chown kill)" \
	0 0 "$own" 0
x -u 5 --cap CAP_CHOWN --cap CAP_KILL -- show cap
caps_are "--cap reaches it as the inheritable set allows" \
	"$(cap_mask chown kill)" "$own" "$own" "$own" "$own"
down

# ---- a terminal -----------------------------------------------------------

config args="$waits" process='"consoleSize":{"height":4,"width":5}'
up
shown='show tty ctty foreground fd sid pid'
# shellcheck disable=SC2086 # words
x -t -- $shown
out=$(printf '%s\n' "$out" | tr -d '\r')
check_is "--tty works without a terminal outside" \
	"$status $(seen tty | cut -d ' ' -f 1 | tr '\n' ' ')$(seen ctty) $(
	seen foreground)" "0 0 1 2 yes 1"
x --tty -- exit 9
check_is "the exit status is kept" "$status" 9
x --tty -- seq 50000
"$PROBE" seq 50000 >"$T/big"
tr -d '\r' <"$T/out" >"$T/lines"
check "nothing that is written to it is lost" cmp -s "$T/big" "$T/lines"
if able "a terminal inside and outside" script stty; then
	cat >"$T/tty.sh" <<-END
	stty rows 33 cols 77
	exec "$NSRUN" --root "$STATE" exec -t "$ID" /bin/probe $shown
	END
	# shellcheck disable=SC2086 # words
	sleep 1 | $limit script -qfec "sh '$T/tty.sh'" /dev/null \
		>"$T/out" 2>"$T/err"
	status=$?
	out=$(tr -d '\r' <"$T/out")
	check_is "all three are the terminal, in the size of the outer one" \
		"$status $(seen tty | tr '\n' ' ')" \
		"0 0 33x77 1 33x77 2 33x77 "
	check_is "it is the controlling one, in the foreground" \
		"$(seen ctty) $(seen foreground)" "yes 1"
	check_is "of a session of its own" "$(seen sid)" "$(seen pid)"
	check "and belongs to the container's /dev/pts" \
		[ "$(seen fd | grep -c '^[012] /dev/pts/[0-9]*$')" = 3 ]
fi
x -d --tty -- echo ran
declines "in the background it wants a console socket" \
	"cannot allocate tty if .* will detach without setting console socket"
x --console-socket "$T/none" -- echo ran
declines "which is not for others" "console socket"
: >"$T/got"
"$PROBE" receive "$T/tty" 'typed
' >"$T/got" &
job=$!
wait_for grep -q listening "$T/got"
x -d --tty --pid-file "$T/pid" --console-socket "$T/tty" -- \
	sleep 0.2 : show tty : fd 0
check_is "exec -d ends at once" "$status $err" "0 "
wait_for sh -c "[ \$(tr -d '\r' <'$T/got' | grep -cx typed) = 2 ]"
kill -KILL "$(cat "$T/pid")"
wait "$job"
check_is "the socket gets the terminal" \
	"$(sed -n 's/^received //p' "$T/got") $(tr -d '\r' <"$T/got" |
	grep -c '^tty [012] ') $(tr -d '\r' <"$T/got" | grep -cx typed)" \
	"/dev/ptmx 3 2"
check_is "with the modes of a new one: a line ends in CR LF" \
	"$(grep -c "^tty [012] .*$(printf '\r')\$" "$T/got")" 3
x -d --tty --console-socket "$T/none" -- echo ran
declines "a socket that nobody listens at is an error" "$T/none"

# ---- states ---------------------------------------------------------------

verb kill "$ID" KILL
wait_for in_state stopped
x -- echo ran
declines "in a stopped container it is refused" "stopped container"
down
create
x -- show ns
check_is "in a created one it runs" "$status $(seen ns)" "0 $(spaces "$pid")"
check "which stays created" in_state created
verb start "$ID"
check_is "and can be started" "$status" 0
freezer=$(sed -n 's/^ *"freezer": "\(.*\)".*/\1/p' "$STATE/$ID/state.json" \
	2>/dev/null)
ended()
{
	! alive "$1"
}
case $freezer in
*.state)
	echo FROZEN >"$freezer"
	wait_for in_state paused
	x -- echo ran
	declines "in a paused one it is refused" "paused container"
	(exec "$NSRUN" --root "$STATE" exec --ignore-paused "$ID" /bin/probe \
		exit 3 >"$T/out" 2>"$T/err") &
	runner=$!
	sleep 0.3
	check "--ignore-paused waits" alive "$runner"
	(exec "$NSRUN" --root "$STATE" exec --ignore-paused "$ID" /bin/probe \
		exit 3 >"$T/out.2" 2>&1) &
	second=$!
	sleep 0.3
	[ "$second" -gt 1 ] && kill "$second"
	check "but ends if it is told to" wait_for ended "$second"
	echo THAWED >"$freezer"
	wait "$second" 2>/dev/null
	finish
	check_is "until it is resumed" "$status" 3 ;;
*)	skip "in a paused one it is refused" "no freezer of cgroup v1" ;;
esac

jobs=
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	(exec "$NSRUN" --root "$STATE" exec "$ID" /bin/probe exit $n \
		>>"$T/out.many" 2>&1) &
	jobs="$jobs $!:$n"
done
wrong=
for job in $jobs; do
	wait "${job%:*}"
	[ $? = "${job#*:}" ] || wrong="$wrong $job"
done
check_is "20 run side by side" "$wrong$(cat "$T/out.many")" ""
check "and the container is unharmed" alive "$pid"

# ---- cgroups below --------------------------------------------------------

groups()	# the cgroup directories of the container
{
	sed -n 's/^ *"path": "\(.*\)",$/\1/p' "$STATE/$ID/state.json"
}

in_group()	# in_group OPTIONS..: the cgroups of an exec with these
{
	verb exec -d --pid-file "$T/pid" "$@" "$ID" /bin/probe signal-wait 15
	[ "$status" != 0 ] || {
		other=$(cat "$T/pid")
		cat "/proc/$other/cgroup"
		kill -KILL "$other"
	}
}

if [ -n "$peer" ] || [ -z "$(groups)" ]; then
	skip "--cgroup names a group below" "no cgroups here"
else
	groups | while read -r dir; do
		mkdir "$dir/sub"
		[ ! -e "$dir/sub/cpuset.cpus" ] || {
			cat "$dir/cpuset.cpus" >"$dir/sub/cpuset.cpus"
			cat "$dir/cpuset.mems" >"$dir/sub/cpuset.mems"
		}
	done
	theirs=$(cat "/proc/$pid/cgroup")
	check_is "without --cgroup it is in the container's" "$(in_group)" \
		"$theirs"
	in_group --cgroup sub >"$T/groups"
	check_is "--cgroup names a group below, of all controllers" \
		"$(grep "$ID" "$T/groups")" \
		"$(printf '%s\n' "$theirs" | grep "$ID" | sed 's|$|/sub|')"
	check "they are some" grep -q "$ID/sub\$" "$T/groups"
	in_group --cgroup /sub/ >"$T/groups.2"
	check "with slashes around it too" cmp -s "$T/groups" "$T/groups.2"
	if able "or of one" cgroup1:pids; then
		in_group --cgroup pids:sub >"$T/groups"
		check_is "or of one" "$(grep /sub "$T/groups")" \
			"$(printf '%s\n' "$theirs" | sed -n 's|:pids:.*|&/sub|p')"
		check_is "the others are the container's" \
			"$(grep -cFx "$theirs" "$T/groups")" \
			"$(printf '%s\n' "$theirs" | sed 1d | wc -l)"
	fi
	if able "or of some" cgroup1:pids && able "or of some" cgroup1:cpu; then
		in_group --cgroup pids:sub --cgroup cpu:/sub/ >"$T/groups"
		check_is "or one for each of some" "$(grep /sub "$T/groups")" \
			"$(printf '%s\n' "$theirs" | sed -n \
			-e 's|:pids:.*|&/sub|p' -e 's|:cpu[:,].*|&/sub|p')"
		x --cgroup pids:sub --cgroup sub -- echo ran
		declines "one of several without a controller is an error" \
			"sub is one of several"
	fi
	wrong=
	for below in ../.. .. sub/../../x sub/.. ../sub /..; do
		x --cgroup "$below" -- echo ran
		[ "$status$out" = 255 ] && printf '%s\n' "$err" |
			grep -q "leads out" || wrong="$wrong $below:$status:$err"
	done
	check_is "but never one outside" "$wrong" ""
	x --cgroup none -- echo ran
	declines "one that is missing is an error" none
	x --cgroup nonsense:sub -- echo ran
	declines "so is a controller that is none" nonsense
fi
down

# ---- kinds of containers --------------------------------------------------

# kind S CONFIG..: exec is in all namespaces of such a container
kind()
{
	what=$1
	shift
	config args="$waits" "$@"
	create
	verb start "$ID"
	[ "$status" = 0 ] || {
		fail_run "$what" "$(cat "$T/pay.err")"
		down
		return
	}
	wait_for said ready
	verb exec -d --pid-file "$T/pid" "$ID" /bin/probe signal-wait 15
	other=$(cat "$T/pid")
	check_is "$what" "$status $(spaces "$other")" "0 $(spaces "$pid")"
	kill -KILL "$other"
	x -- exit 3
	check_is "and the exit status is that of the process" "$status" 3
}

kind "a container without a pid namespace" ns='mount ipc uts network'
down
made dev
kind "one without a mount namespace" ns='pid ipc uts network' base=
x -- show cwd : stat /bin/probe
check_out "where the root is the container's too" \
	"ino=$(stat -c %i "$B/rootfs/bin/probe") "
down
kind "one with nothing of its own but mounts" ns=mount
down
kind "one without any" ns='' base=
down
kind "one with a cgroup namespace" ns='pid mount ipc uts network cgroup'
down
config args="$waits" base=
up
x -- exit 3
check_is "one without /proc" "$status" 3
down

if able "a user namespace" userns; then
	maps()		# the linux members for INSIDE OUTSIDE SIZE
	{
		for kind in uid gid; do
			printf '"%sMappings":[{"containerID":%s,"hostID":%s,' \
				$kind "$1" "$2"
			printf '"size":%s}]' "$3"
			[ $kind = gid ] || printf ,
		done
	}
	chown 100000:100000 "$B/rootfs"
	all='pid mount ipc uts network user'
	kind "one with a user namespace" ns="$all" caps='CAP_CHOWN' \
		linux="$(maps 0 100000 65536)"
	x -- show uid gid cap uid_map
	check_is "id 0 is its own" "$(seen uid)/$(seen gid)" "0 0 0/0 0 0"
	caps_are "with the capabilities of the config" "$one" "$one" "$one" \
		0 0
	check_is "the map is that of the container" "$(seen uid_map)" \
		"0 100000 65536"
	verb exec -d -u 5:6 --pid-file "$T/pid" "$ID" /bin/probe signal-wait 15
	other=$(cat "$T/pid")
	check_is "ids are mapped" "$(sed -n \
		's/^[UG]id:[[:space:]]*\([0-9]*\).*/\1/p' \
		"/proc/$other/status" | tr '\n' ' ')" "100005 100006 "
	kill -KILL "$other"
	x --tty -- show tty ctty
	check_is "a terminal works there" \
		"$status $(seen ctty | tr -d '\r')" "0 yes"
	x -u 65536 -- echo ran
	declines "an id that is not mapped is an error" unmapped
	x --cap CAP_NET_ADMIN -- show cap
	caps_are "--cap works there" "$two" "$two" "$two" 0 0
	down

	# Its init may have gone on to a namespace with another map.
	config args='"unshare","user",":",'"$waits" caps=all
	up
	echo "1000 0 1" >"/proc/$pid/uid_map"
	echo "1000 0 1" >"/proc/$pid/gid_map"
	x -u 1000:1000 -- show uid gid ns
	check_is "a map without 0 is none in the way" \
		"$status $(seen uid)/$(seen gid)" \
		"0 1000 1000 1000/1000 1000 1000"
	check_is "all namespaces are those of init" "$(seen ns)" \
		"$(spaces "$pid")"
	x -u 0 -- echo ran
	declines "there is no 0 then" .
	down
fi

if able "the offsets of a time namespace hold" timens; then
	config args="$waits" ns='pid mount ipc uts network time' \
		linux='"timeOffsets":{"monotonic":{"secs":1000000,"nanosecs":0},
			"boottime":{"secs":2000000,"nanosecs":0}}'
	up
	x -- show monotonic boottime ns
	check "the offsets of a time namespace hold (monotonic)" \
		[ "$(seen monotonic)" -ge 1000000 ]
	check "the offsets of a time namespace hold (boottime)" \
		[ "$(seen boottime)" -ge 2000000 ]
	check_is "in all namespaces of it" "$(seen ns)" "$(spaces "$pid")"
	down
fi

config args="$waits" process='"noNewPrivileges":true' root='"readonly":true'
up
x -- show nnp : try write /data/x y
check_is "noNewPrivileges of the config holds" "$(seen nnp)" 1
check_out "the root is read-only for it too" \
	'^error write /data/x: Read-only file system'
down

done_testing
