# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2016,SC2154,SC3045
#
# process: args, env, cwd, user, capabilities, limits, scheduling, keyring;
# and sysctl.

. "${0%/*}/../lib.sh"
need root

# ---- args -----------------------------------------------------------------

config args='"show","argv","",": ","a b","\"q\"","tab\tend","é€","$HOME","-x"'
run
check_is "arguments arrive unchanged" "$status $(printf '%s\n' "$out" |
	sed 's/^argv //' | tr '\n' '|')" '0 0 /bin/probe|1 show|2 argv|3 |4 : |'\
'5 a b|6 "q"|7 tab	end|8 é€|9 $HOME|10 -x|'

config cmd='"probe","show","argv"'
run
check_out "argv[0] is as it was given" '^argv 0 probe$'

bundle
made data
mkdir -p "$B/rootfs/data/w/bin" "$B/rootfs/data/one" "$B/rootfs/data/two"
for name in w/bin/tool w/here two/tool two/.dot two/text two/dir; do
	cp "$PROBE" "$B/rootfs/data/$name"
done
echo "not a program" >"$B/rootfs/data/one/text"
mkdir "$B/rootfs/data/one/dir"
ln -s ../../bin/probe "$B/rootfs/data/one/link"
ln -s /nowhere "$B/rootfs/data/one/tool"
ln -s /data/one/loop "$B/rootfs/data/one/loop"

found()		# S PATH COMMAND: it is found, with /data/w as cwd
{
	config cmd="\"$3\",\"exit\",\"3\"" env="\"PATH=$2\"" cwd=/data/w
	run
	check_is "$1" "$status" 3
}
found "a command is looked up in PATH" /nowhere:/data/two tool
found "a file without the x bit earlier in PATH is passed over" \
	/data/one:/data/two text
found "so is a directory" /data/one:/data/two dir
found "and a dangling link" /data/one:/data/two tool
found "a name may begin with a dot" /data/one:/data/two .dot
found "a link inside the root is followed" /data/one link
found "a name with a slash is taken from cwd" /bin bin/tool
found "also as ./name" /bin ./here
if ours "PATH may hold relative directories"; then
	found "PATH may hold relative directories" /data/one:bin tool
	found "an empty component is cwd" :/bin here
	found "also at the end" /bin: here
	found "and between" /bin::/data/one here
fi

absent()	# S ENV COMMAND
{
	config cmd="\"$3\",\"exit\",\"3\"" env="$2" cwd=/data/w
	PATH=$PATH:/data/two run
	refused "$1" 'executable file not found in \$PATH'
}
absent "a file in cwd is not found by its name" '"PATH=/bin"' here
absent "PATH is the one of process.env, not nsrun's" '"A=b"' tool
absent "a link that loops is not found" '"PATH=/data/one"' loop

config cmd=
printf '%s' "$(sed 's|"args": \[.*\]|"args": []|' "$B/config.json")" \
	>"$B/config.json"
run
refused "empty args are an error" 'args'
config cmd='""'
run
refused "an empty command is an error" .
config cmd='"/bin/probe","a\u0000b"'
run
refused "NUL in an argument is an error" 'args'
long=$(printf '%0140000d' 0)
config args="\"show\",\"pid\",\"$long\""
run
refused "an argument that is too long is an error" \
	'Argument list too long|argument list too long'

# ---- env ------------------------------------------------------------------

bundle
config args='"show","env"' \
	env='"PATH=/bin","A=1","HOME=/h","B=","C==x=y","A=2","D=a b\tc"'
run
check_is "env is the list, the last of a name wins" \
	"$(seen env | sort | tr '\n' '|')" \
	'A=2|B=|C==x=y|D=a b	c|HOME=/h|PATH=/bin|'
check "the environment of nsrun does not reach the process" \
	not grep -q NSRUN_TEST "$T/out"
for bad in A =B "" 'A\u0000=b' 'A=b\u0000c'; do
	config args='"show","env"' env="\"PATH=/bin\",\"$bad\""
	run
	refused "env \"$bad\" is an error" 'env'
done

# ---- HOME -----------------------------------------------------------------

home()		# S UID ENV WANTED
{
	config user="\"uid\":$2,\"gid\":0" args='"show","env"' \
		env="\"PATH=/bin\"${3:+,$3}"
	run
	check_is "$1" "$status $(seen env | sed -n 's/^HOME=//p')" "0 $4"
}
passwd=$B/rootfs/etc/passwd
made etc/passwd
home "without /etc/passwd HOME is /" 0 '' /
cat >"$passwd" <<-END
	5:x:7:7::/by-name:/bin/sh
	root:x:0:0:root:/root:/bin/sh
	also:x:0:0:root:/second:/bin/sh
	# a comment
	broken
	short:x:6
	five:x:5:5::/home/five:/bin/sh
	none:x:8:8:::/bin/sh
END
printf 'last:x:9:9::/last:/bin/sh' >>"$passwd"
home "HOME comes from /etc/passwd" 5 '' /home/five
home "the first entry of an uid counts" 0 '' /root
home "the last line need not end" 9 '' /last
home "an uid without entry has /" 1234 '' /
home "HOME in env stays" 5 '"HOME=/mine"' /mine
ours "an empty HOME is replaced" &&
	home "an empty HOME is replaced" 5 '"HOME="' /home/five

if ours "a hostile /etc/passwd does no harm"; then
	rm "$passwd"
	mkfifo "$passwd"
	home "/etc/passwd as a fifo does not block" 5 '' /
	rm "$passwd"
	mkdir "$passwd"
	home "/etc/passwd may be a directory" 5 '' /
	rmdir "$passwd"
	ln -s passwd "$passwd"
	home "or a link to itself" 5 '' /
	rm "$passwd"
	ln -s /dev/zero "$passwd"
	home "or /dev/zero" 5 '' /
	rm "$passwd"
	echo 'x:x:5:5::/outside:' >"$B/passwd"
	ln -s ../../passwd "$passwd"
	home "a link out of the root finds nothing" 5 '' /
	rm "$passwd" "$B/passwd"
	{
		printf 'long:'
		head -c 500000 /dev/zero | tr '\000' x
		printf ':x:5:5::/long:\nfive:x:5:5::/home/five:\n'
	} >"$passwd"
	home "a line of 500 KB is passed over" 5 '' /home/five
fi

# ---- cwd ------------------------------------------------------------------

bundle
made data tmp
at()		# S CWD WANTED [CONFIG..]
{
	what=$1 where=$2 wanted=$3
	shift 3
	config cwd="$where" args='"show","cwd",":","stat","."' "$@"
	run
	check_is "$what" "$status $(seen cwd)" "0 $wanted"
}
at "cwd is the working directory" /data /data
at "a missing cwd is made" /data/a/b/c /data/a/b/c
check_out "with mode 0755" '^stat \. type=dir mode=0755 uid=0 gid=0 '
at "also below a read-only root" /data/ro/deep /data/ro/deep \
	root='"readonly":true'
(umask 077 && at "the umask of nsrun does not matter to it" /data/d/e /data/d/e)
at "it is inside what is mounted" /data/m/x /data/m/x mounts='{
	"destination":"/data/m","type":"tmpfs","source":"tmpfs"}'
mkdir -m 700 "$B/rootfs/data/private"
at "the user need not have access to it" /data/private /data/private \
	user='"uid":1234,"gid":1234' args='"show","cwd"'
ln -s /tmp "$B/rootfs/data/link"
at "a link is followed" /data/link /tmp
ln -s ../../../../../../../../data/a "$B/rootfs/data/up"
at "and does not lead out of the root" /data/up /data/a
ln -s "$T" "$B/rootfs/data/host"
config cwd=/data/host args='"show","cwd",":","ls","."'
run
check "nor does a link to a path of the host" not grep -q '^out$' "$T/out"
made tmp

touch "$B/rootfs/data/file"
config cwd=/data/file args='"show","cwd"'
run
refused "a file as cwd is an error" '/data/file.*[Nn]ot a directory'
config cwd=data args='"show","cwd"'
run
refused "a relative cwd is an error" cwd
config cwd='' args='"show","cwd"'
run
refused "an empty cwd is an error" cwd

# CVE-2024-21626: a descriptor of the host as working directory.
escaped=
for fd in 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
	config cwd=/proc/self/fd/$fd args='"show","cwd",":","ls","../.."'
	run
	[ "$status" != 0 ] || escaped="$escaped $fd"
done
check_is "no descriptor of nsrun serves as cwd" "$escaped" ""
config cwd=/proc/self/fd/3 args='"show","cwd",":","ls","."'
run --preserve-fds 1 3<"$T"
refused "nor does a directory of the host that is passed in" 'cwd|directory'

# ---- user -----------------------------------------------------------------

bundle
config args='"show"'
run
check_is "uid and gid are set" "$(seen uid)/$(seen gid)/$(seen groups)" \
	"0 0 0/0 0 0/"
check_is "the umask is 0022" "$(seen umask)" 0022
check_is "the process leads a session of its own" "$(seen sid) $(seen pid)" \
	"1 1"
check_is "the secure bits are clear" "$(seen securebits)" 0

config user='"uid":1234,"gid":567,"additionalGids":[10,7,10,4000]' \
	args='"show"'
run
check_is "uid, gid and additional gids are set, a gid may come twice" \
	"$(seen uid)/$(seen gid)/$(seen groups | tr ' ' '\n' | sort -un |
	tr '\n' ' ')" "1234 1234 1234/567 567 567/7 10 4000 "
if ours "ids go up to 4294967294"; then
	config args='"show"' user='"uid":4294967294,"gid":4294967293,
		"additionalGids":[4294967292]'
	run
	check_is "ids go up to 4294967294" \
		"$(seen uid | cut -d ' ' -f 1) $(seen gid | cut -d ' ' -f 1) $(
		seen groups)" "4294967294 4294967293 4294967292"
fi
for bad in '"uid":4294967295,"gid":0' '"uid":0,"gid":4294967295' \
	'"uid":4294967296,"gid":0' '"uid":-1,"gid":0' '"uid":"0","gid":0' \
	'"uid":1.5,"gid":0' '"uid":0,"gid":0,"additionalGids":[4294967295]' \
	'"uid":0,"gid":0,"additionalGids":[-1]'; do
	config user="$bad" args='"show","uid"'
	run
	refused "user $bad is an error" '[ug]id|Gids'
done

config user='"uid":0,"gid":0,"umask":23' args='"show","umask"'
run
check_is "user.umask is set" "$(seen umask)" 0027
config args='"show","umask"'
umask 077
run
umask 022
check_is "the umask of nsrun is not inherited" "$(seen umask)" 0022

if able "an id outside the user namespace's map is an error" userns; then
	config ns='user pid mount ipc uts network' user='"uid":5,"gid":0' \
		args='"show","uid"' linux='
		"uidMappings":[{"containerID":0,"hostID":100000,"size":2}],
		"gidMappings":[{"containerID":0,"hostID":100000,"size":2}]'
	chmod 755 "$T"
	run
	chmod 700 "$T"
	refused "an id outside the user namespace's map is an error" \
		'unmapped|not mapped|uidMappings'
fi

# ---- capabilities ---------------------------------------------------------

caps()		# the five sets, B E P I A, without leading zeros
{
	for set in bounding effective permitted inheritable ambient; do
		seen "cap $set" | sed 's/^0*\(.\)/\1/'
	done | tr '\n' ' '
}
sets()		# BOUNDING EFFECTIVE PERMITTED INHERITABLE AMBIENT, as words
{
	members=
	for set in bounding effective permitted inheritable ambient; do
		# shellcheck disable=SC2086 # words
		members="$members,\"$set\":[$(json_list $1)]"
		shift
	done
	echo "\"capabilities\":{${members#,}}"
}

config caps='CAP_CHOWN CAP_KILL CAP_NET_RAW' args='"show"'
run
check_is "for root permitted and effective are the bounding set" "$(caps)" \
	"2021 2021 2021 0 0 "
config args='"show","cap"'
run
check_is "empty sets are empty" "$(caps)" "0 0 0 0 0 "
config caps='CAP_CHOWN CAP_KILL' user='"uid":1234,"gid":1234' args='"show"'
run
check_is "another user has none after execve, but for the ambient" \
	"$(caps)" "21 0 0 0 0 "
config caps=unset user='"uid":1234,"gid":1234' args='"show"' \
	process="$(sets 'CAP_CHOWN CAP_KILL CAP_NET_RAW' 'CAP_CHOWN CAP_KILL' \
	'CAP_CHOWN CAP_KILL' 'CAP_CHOWN CAP_KILL' CAP_KILL)"
run
check_is "the five sets may differ" "$(caps)" "2021 20 20 21 20 "
config caps=unset args='"show"' process="$(sets 'CAP_KILL' \
	CAP_KILL CAP_KILL CAP_KILL '')"
run
check_is "inheritable is what was asked for" "$(caps)" "20 20 20 20 0 "
config caps='CAP_KILL CAP_NOSUCH CAP_9 kill' args='"show"'
run
check_is "an unknown capability is no error" "$status $(caps)" \
	"0 20 20 20 0 0 "
if ours "without capabilities there are none"; then
	config caps=unset args='"show"'
	run
	check_is "without capabilities there are none" "$(caps)" "0 0 0 0 0 "
	config caps=unset args='"show"' process='"capabilities":{}'
	run
	check_is "nor with an empty object" "$(caps)" "0 0 0 0 0 "
	config caps=unset args='"show"' user='"uid":1234,"gid":1234' \
		process="$(sets CAP_KILL '' CAP_KILL '' CAP_KILL)"
	run
	check_is "ambient without inheritable is left out" \
		"$status $(caps)" "0 20 0 0 0 0 "
	check_err "with a warning that names it" \
		"ambient: without CAP_KILL, which .* inheritable do not"
	config caps=all args='"show"'
	run
	check_is "all that this process may give is given" \
		"$status $(seen 'cap effective')" \
		"0 $(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)"
fi

# What a capability of the user's own opens: its directory, it, and the
# interpreter of a script.
mkdir "$B/rootfs/data/closed"
made data/closed
cp "$PROBE" "$B/rootfs/data/closed/mine"
printf '#!/data/closed/mine show\n' >"$B/rootfs/data/closed/script"
chmod 700 "$B/rootfs/data/closed" "$B/rootfs/data/closed"/*
for program in mine /data/closed/mine script; do
	for cap in CAP_DAC_OVERRIDE CAP_CHOWN; do
		config caps=unset cmd="\"$program\",\"show\",\"uid\"" \
			env='"PATH=/bin:/data/closed"' \
			user='"uid":1234,"gid":1234' \
			process="$(sets $cap $cap $cap $cap $cap)"
		run
		[ $cap = CAP_CHOWN ] || check_is \
			"$program that CAP_DAC_OVERRIDE opens runs" \
			"$(seen uid)$err" "1234 1234 1234"
	done
	refused "another capability does not open it" '[Pp]ermission denied'
done
rm -r "$B/rootfs/data/closed"

config args='"show","nnp"' process='"noNewPrivileges":true'
run
check_is "noNewPrivileges is set" "$(seen nnp)" 1
config args='"show","nnp"' process='"noNewPrivileges":false'
run
check_is "and not set when it is false" "$(seen nnp)" 0

# ---- rlimits --------------------------------------------------------------

limits()	# NAME SOFT HARD ...
{
	members=
	while [ $# -ge 3 ]; do
		members="$members,{\"type\":\"RLIMIT_$1\",\"soft\":$2,
			\"hard\":$3}"
		shift 3
	done
	config args='"show","rlimit"' process="\"rlimits\":[${members#,}]"
}

set -- CPU 100 200 FSIZE 1000000 2000000 DATA 100000000 200000000 \
	STACK 1000000 2000000 CORE 0 1000 RSS 100000 200000 NPROC 100 200 \
	NOFILE 100 200 MEMLOCK 4096 8192 AS 100000000 200000000 LOCKS 10 20 \
	SIGPENDING 10 20 MSGQUEUE 1000 2000 RTTIME 100000 200000
limits "$@"
run
while [ $# -ge 3 ]; do
	check_is "RLIMIT_$1 is set" "$(seen "rlimit $1")" "$2 $3"
	shift 3
done
if able "RLIMIT_NICE and RLIMIT_RTPRIO are set" cap:sys_resource; then
	limits NICE 10 20 RTPRIO 30 40
	run
	check_is "RLIMIT_NICE and RLIMIT_RTPRIO are set" \
		"$(seen "rlimit NICE")/$(seen "rlimit RTPRIO")" "10 20/30 40"
fi
limits FSIZE 18446744073709551615 18446744073709551615 \
	CPU 9007199254740993 18446744073709551615
run
check_is "the largest number is unlimited" "$(seen "rlimit FSIZE")" \
	"unlimited unlimited"
check_is "numbers of 64 bits are exact" "$(seen "rlimit CPU")" \
	"9007199254740993 unlimited"
config args='"show","rlimit"'
(ulimit -n 123 && ulimit -c 0 && run && cp "$T/out" "$T/out.limits")
check "without rlimits those of the caller stay" \
	grep -qx 'rlimit NOFILE 123 123' "$T/out.limits"

# No report: this limit would hold for it.
config args='"exit","3"' \
	process='"rlimits":[{"type":"RLIMIT_FSIZE","soft":0,"hard":0}]'
run
check_is "FSIZE 0 does not hinder the start" "$status" 3
if ours "nor does NOFILE 3"; then
	limits NOFILE 3 3
	run
	check_is "nor does NOFILE 3" "$(seen "rlimit NOFILE")" "3 3"
	# glibc's start takes a heap. STACK is what can hinder nsrun, which
	# grows by nothing else.
	as=1000000 data=300000
	small_libc || as=1500000 data=500000
	limits AS $as $as DATA $data $data STACK 32768 32768
	run
	check_is "nor do small AS, DATA and STACK" \
		"$status $(seen "rlimit AS")" "0 $as $as"
	limits NOFILE 10 20 NOFILE 10 20
	run
	refused "the same limit twice is an error" 'rlimits.*NOFILE'
	limits NOFILE 30 20
	run
	refused "soft above hard is an error" 'rlimits'
fi
limits NOSUCH 10 20
run
refused "an unknown limit is an error" 'rlimits.*NOSUCH'
limits NOFILE -1 20
run
refused "a negative limit is an error" 'rlimits'

# ---- oomScoreAdj ----------------------------------------------------------

config args='"show","oom_score_adj"' process='"oomScoreAdj":500'
run
check_is "oomScoreAdj is set" "$(seen oom_score_adj)" 500
oom_was=$(cat /proc/self/oom_score_adj)
echo 300 >/proc/$$/oom_score_adj
config args='"show","oom_score_adj"'
run
check_is "without it that of the caller stays" "$(seen oom_score_adj)" 300
config args='"show","oom_score_adj"' process='"oomScoreAdj":0'
run
check_is "0 is set too" "$(seen oom_score_adj)" 0
echo "$oom_was" >/proc/$$/oom_score_adj
config user='"uid":1234,"gid":1234' args='"show","oom_score_adj"' \
	process='"oomScoreAdj":400'
run
check_is "also for another user" "$(seen oom_score_adj)" 400
if able "a negative one is set" cap:sys_resource; then
	config args='"show","oom_score_adj"' process='"oomScoreAdj":-500'
	run
	check_is "a negative one is set" "$(seen oom_score_adj)" -500
fi
config args='"show","oom_score_adj"' process='"oomScoreAdj":1001'
run
refused "one above 1000 is an error" 'oomScoreAdj'

# ---- scheduler, ioPriority, affinity --------------------------------------

if ours "the scheduler is set"; then
	sched()		# S MEMBERS WANTED
	{
		config args='"show","sched"' process="\"scheduler\":{$2}"
		run
		check_out "$1" "^sched $3"
	}
	sched "SCHED_OTHER with a nice value is set" \
		'"policy":"SCHED_OTHER","nice":5' \
		'policy=0 flags=0 nice=5 priority=0'
	sched "SCHED_BATCH is set" '"policy":"SCHED_BATCH","nice":3' \
		'policy=3 flags=0 nice=3'
	sched "SCHED_IDLE is set" '"policy":"SCHED_IDLE"' 'policy=5 '
	sched "with a nice value too" '"policy":"SCHED_IDLE","nice":5' \
		'policy=5 '
	sched "flags are set" \
		'"policy":"SCHED_OTHER","flags":["SCHED_FLAG_RESET_ON_FORK"]' \
		'policy=0 flags=1 '
	if able "real time policies are set" cap:sys_nice chrt; then
		# Some kernels share real time out by cgroup (v1), and a new
		# one gets nothing.
		if ls /sys/fs/cgroup/cpu*/cpu.rt_runtime_us >/dev/null 2>&1
		then
			skip "real time policies are set" \
				"a new cgroup gets no real time here"
		elif chrt -f 5 true 2>/dev/null; then
			sched "SCHED_FIFO is set" \
				'"policy":"SCHED_FIFO","priority":10' \
				'policy=1 .* priority=10 '
			sched "SCHED_RR is set" \
				'"policy":"SCHED_RR","priority":20' \
				'policy=2 .* priority=20 '
		else
			skip "real time policies are set" "forbidden here"
		fi
		if chrt -d -T 1000000 -D 5000000 -P 9000000 0 true \
			2>/dev/null; then
			sched "SCHED_DEADLINE is set" \
				'"policy":"SCHED_DEADLINE","runtime":1000000,
				"deadline":5000000,"period":9000000' \
				'policy=6 .* runtime=1000000 deadline=5000000 period=9000000'
			sched "with a nice value too" \
				'"policy":"SCHED_DEADLINE","runtime":1000000,
				"deadline":5000000,"period":9000000,"nice":5' \
				'policy=6 '
		else
			skip "SCHED_DEADLINE is set" "forbidden here"
		fi
	fi
	for bad in '"policy":"SCHED_NOSUCH"' '"nice":5' \
		'"policy":"SCHED_OTHER","nice":20' \
		'"policy":"SCHED_OTHER","nice":-21' \
		'"policy":"SCHED_OTHER","priority":5' \
		'"policy":"SCHED_FIFO","runtime":5' \
		'"policy":"SCHED_OTHER","flags":["NOSUCH"]'; do
		config args='"show","sched"' process="\"scheduler\":{$bad}"
		run
		refused "scheduler $bad is an error" 'scheduler'
	done

	prio()
	{
		config args='"show","ioprio"' \
			process="\"ioPriority\":{\"class\":\"IOPRIO_CLASS_$1\"${2:+,
			\"priority\":$2}}" user='"uid":1234,"gid":1234'
		run
	}
	prio BE 3
	check_is "the I/O class best effort is set" "$(seen ioprio)" "2 3"
	prio IDLE
	check_is "the I/O class idle is set" "$(seen ioprio)" "3 0"
	prio RT 2
	check_is "the I/O class real time is set" "$(seen ioprio)" "1 2"
	prio BE 8
	refused "an I/O priority of 8 is an error" 'ioPriority'
	prio NOSUCH 1
	refused "an unknown I/O class is an error" 'ioPriority.*NOSUCH'

	if able "the processors of the caller are not inherited" \
		cgroup1:cpuset taskset; then
		config args='"show","cpus"'
		run
		all=$(seen cpus)
		limit_was=$limit
		limit="taskset -c 0 $limit"
		run
		limit=$limit_was
		if [ "$all" = 0 ]; then
			skip "the processors of the caller are not inherited" \
				"one processor"
		else
			check_is "the processors of the caller are not inherited" \
				"$(seen cpus)" "$all"
		fi
	fi
fi

# ---- personality, keyring, labels -----------------------------------------

if ours "the personality is set"; then
	config args='"show","personality","machine"' \
		linux='"personality":{"domain":"LINUX32"}'
	run
	check_is "the personality LINUX32 is set" "$(seen personality)" 8
	check "and changes the machine's name" \
		[ "$(seen machine)" != "$(uname -m)" ]
	config args='"show","personality"' \
		linux='"personality":{"domain":"LINUX"}'
	run
	check_is "LINUX is 0" "$status $(seen personality)" "0 0"
	config args='"show","personality"' \
		linux='"personality":{"domain":"NOSUCH"}'
	run
	refused "an unknown personality is an error" 'personality.*NOSUCH'
fi

keyring=$("$PROBE" show keyring)
if [ "${keyring#keyring none}" = "$keyring" ]; then
	config args='"show","keyring"'
	run
	check_out "the session keyring is a new one" \
		"^keyring [0-9]* keyring;.*;_ses"
	check "and not the caller's" \
		[ "$(seen keyring | cut -d ' ' -f 1)" != \
		"$(echo "$keyring" | cut -d ' ' -f 2)" ]
	run --no-new-keyring
	check_is "--no-new-keyring keeps the caller's" \
		"$(seen keyring | cut -d ' ' -f 1)" \
		"$(echo "$keyring" | cut -d ' ' -f 2)"
	"$PROBE" keyring "_ses.$ID" : show keyring : signal-wait 15 \
		>"$T/ring" &
	holder=$!
	wait_for grep -q ready "$T/ring"
	config args='"show","keyring"'
	run
	check "and not one that somebody made with a name" \
		[ "$(seen keyring | cut -d ' ' -f 1)" != \
		"$(sed -n 's/^keyring \([0-9]*\).*/\1/p' "$T/ring")" ]
	kill -TERM "$holder"
	wait "$holder" 2>/dev/null
else
	skip "the session keyring is a new one" "$keyring"
fi

if [ ! -d /sys/kernel/security/apparmor ] && [ ! -d /sys/fs/selinux ]; then
	config args='"show","pid"' process='"apparmorProfile":"nosuch"'
	run
	refused "an AppArmor profile without AppArmor is an error" \
		'[aA]pp[aA]rmor'
	config args='"show","pid"' process='"selinuxLabel":"a:b:c:s0"'
	run
	refused "a SELinux label without SELinux is an error" '[sS][eE][lL]inux'
	config process='"apparmorProfile":"nosuch"'
	verb create -b "$B" "$ID"
	declined "a create fails by the profile, and not the start" \
		'process\.apparmorProfile'
	verb delete --force "$ID"
else
	skip "a label without its security module is an error" \
		"this kernel has one"
fi

# ---- sysctl ---------------------------------------------------------------

sysctl()	# KEY VALUE
{
	config args="\"read\",\"/proc/sys/$(echo "$1" | tr . /)\"" \
		linux="\"sysctl\":{\"$1\":\"$2\"}"
	host=$(cat "/proc/sys/$(echo "$1" | tr . /)" 2>/dev/null)
	run
}
for pair in kernel.msgmax=1234 kernel.shm_rmid_forced=1 fs.mqueue.msg_max=7 \
	net.ipv4.ip_forward=1 net/ipv4/ip_forward=1 \
	net.ipv4.conf.lo.forwarding=1; do
	key=${pair%=*} value=${pair#*=}
	if [ -e "/proc/sys/$(echo "$key" | tr . /)" ]; then
		sysctl "$key" "$value"
		check_is "sysctl $key is set" "$status $out" "0 $value"
		check_is "and the host's $key is not" "$(cat \
			"/proc/sys/$(echo "$key" | tr . /)")" "$host"
	else
		skip "sysctl $key is set" "this kernel has none"
	fi
done
config args='"read","/proc/sys/kernel/domainname"' \
	linux='"sysctl":{"kernel.domainname":"here"}'
run
check_is "sysctl kernel.domainname is set" "$status $out" "0 here"
config args='"read","/proc/sys/kernel/domainname"' top='"domainname":""' \
	linux='"sysctl":{"kernel.domainname":"here"}'
run
check_is "beside an empty domainname too" "$status $out" "0 here"
for key in kernel.domainname kernel/domainname; do
	config args='"show","domainname"' top='"domainname":"there"' \
		linux="\"sysctl\":{\"$key\":\"here\"}"
	run
	ours "$key beside domainname" &&
		refused "$key beside domainname is an error" \
			'sysctl.*conflicts with the OCI domainname'
done

for pair in vm.swappiness=10 kernel.hostname=x kernel.panic=0 \
	kernel.core_pattern=x net/../kernel/panic=0 \
	net.ipv4/../../kernel/panic=0 net..ipv4=1 net.=1 .net=1 =1 \
	net.ipv4.no_such_key=1 net.ipv4.ip_forward=abc fs.file-max=1000; do
	config args='"show","pid"' \
		linux="\"sysctl\":{\"${pair%=*}\":\"${pair#*=}\"}"
	run
	refused "sysctl ${pair%=*} = ${pair#*=} is an error" 'sysctl'
done
config ns='pid mount uts network' args='"show","pid"' \
	linux='"sysctl":{"kernel.msgmax":"1234"}'
run
refused "sysctl kernel.msgmax without an ipc namespace is an error" 'sysctl'
config ns='pid mount ipc uts' args='"show","pid"' \
	linux='"sysctl":{"net.ipv4.ip_forward":"1"}'
run
refused "sysctl net... without a network namespace is an error" 'sysctl'
config ns='pid mount ipc uts network:/proc/'$$'/ns/net' args='"show","pid"' \
	linux="\"sysctl\":{\"net.ipv4.ip_forward\":
		\"$(cat /proc/sys/net/ipv4/ip_forward)\"}"
run
refused "sysctl net... with the host's network namespace is one too" 'sysctl'

done_testing
