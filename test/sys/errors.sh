#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2086
#
# Faulty configurations: each is refused before anything is touched, in one
# line that says where; and what is odd but right is taken.

. "${0%/*}/../lib.sh"
need root

# Lines "KEY|MEMBERS|PATTERN" on stdin: config KEY=MEMBERS is refused.
each_refused()
{
	while IFS='|' read -r key members pattern; do
		config "$key=$members"
		run
		refused "$members" "$pattern"
	done
}

# ---- types ----------------------------------------------------------------

ours "values of a wrong type" && each_refused <<'END'
top|"ociVersion":1|ociVersion
top|"hostname":1|hostname
top|"domainname":[]|domainname
top|"root":"rootfs"|root
top|"root":{}|root\.path
top|"root":{"path":7}|root\.path
top|"root":{"path":"rootfs","readonly":"yes"}|root\.readonly
top|"process":[]|process
top|"process":{}|process\.(args|cwd|user)
top|"mounts":{}|mounts
top|"mounts":[7]|mounts\[0\]
top|"mounts":[{}]|mounts\[0\]\.destination
top|"mounts":[{"destination":7}]|mounts\[0\]\.destination
top|"mounts":[{"destination":"/a","type":[]}]|mounts\[0\]\.type
top|"mounts":[{"destination":"/a","source":1}]|mounts\[0\]\.source
top|"mounts":[{"destination":"/a","options":"ro"}]|mounts\[0\]\.options
top|"mounts":[{"destination":"/a","options":["ro",1]}]|mounts\[0\]\.options\[1\]
top|"annotations":[]|annotations
top|"annotations":{"a":1}|annotations\.a
top|"linux":7|linux
process|"terminal":"yes"|process\.terminal
process|"consoleSize":[]|process\.consoleSize
process|"consoleSize":{"height":"1","width":80}|process\.consoleSize\.height
process|"args":"sh"|process\.args
process|"args":["a",1]|process\.args\[1\]
process|"env":{"A":"b"}|process\.env
process|"env":["A=b",7]|process\.env\[1\]
process|"cwd":7|process\.cwd
process|"capabilities":[]|process\.capabilities
process|"capabilities":{"bounding":"CAP_KILL"}|process\.capabilities\.bounding
process|"capabilities":{"effective":[1]}|process\.capabilities\.effective\[0\]
process|"rlimits":{}|process\.rlimits
process|"rlimits":[{"type":"RLIMIT_CORE","soft":1,"hard":1},{"type":"RLIMIT_NOFILE","soft":"x","hard":1}]|process\.rlimits\[1\]\.soft
process|"rlimits":[{"type":7,"soft":1,"hard":1}]|process\.rlimits\[0\]\.type
process|"noNewPrivileges":1|process\.noNewPrivileges
process|"oomScoreAdj":"5"|process\.oomScoreAdj
process|"scheduler":7|process\.scheduler
process|"ioPriority":[]|process\.ioPriority
process|"apparmorProfile":1|process\.apparmorProfile
process|"selinuxLabel":{}|process\.selinuxLabel
user|"uid":"0","gid":0|process\.user\.uid
user|"uid":1.5,"gid":0|process\.user\.uid
user|"uid":0,"gid":true|process\.user\.gid
user|"uid":0,"gid":0,"umask":"022"|process\.user\.umask
user|"uid":0,"gid":0,"additionalGids":7|process\.user\.additionalGids
user|"uid":0,"gid":0,"additionalGids":[1,"x"]|process\.user\.additionalGids\[1\]
linux|"namespaces":{}|linux\.namespaces
linux|"namespaces":["pid"]|linux\.namespaces\[0\]
linux|"namespaces":[{"type":"pid","path":1}]|linux\.namespaces\[0\]\.path
linux|"uidMappings":{}|linux\.uidMappings
linux|"gidMappings":[{"containerID":"0","hostID":0,"size":1}]|linux\.gidMappings\[0\]\.containerID
linux|"timeOffsets":{"monotonic":{"secs":"1"}}|linux\.timeOffsets\.monotonic\.secs
linux|"devices":{}|linux\.devices
linux|"devices":[{"path":7,"type":"c","major":1,"minor":3}]|linux\.devices\[0\]\.path
linux|"devices":[{"path":"/dev/x","type":"c","major":"1","minor":3}]|linux\.devices\[0\]\.major
linux|"cgroupsPath":7|linux\.cgroupsPath
linux|"resources":[]|linux\.resources
linux|"resources":{"memory":7}|linux\.resources\.memory
linux|"resources":{"memory":{"limit":"64M"}}|linux\.resources\.memory\.limit
linux|"resources":{"memory":{"limit":1.5}}|linux\.resources\.memory\.limit
linux|"resources":{"memory":{"limit":1e3}}|linux\.resources\.memory\.limit
linux|"resources":{"cpu":{"quota":true}}|linux\.resources\.cpu\.quota
linux|"resources":{"cpu":{"cpus":0}}|linux\.resources\.cpu\.cpus
linux|"resources":{"pids":{"limit":"x"}}|linux\.resources\.pids\.limit
linux|"resources":{"devices":[{"allow":"yes"}]}|linux\.resources\.devices\[0\]\.allow
linux|"resources":{"devices":[{"allow":true,"access":7}]}|linux\.resources\.devices\[0\]\.access
linux|"resources":{"unified":{"pids.max":1}}|linux\.resources\.unified
linux|"sysctl":[]|linux\.sysctl
linux|"sysctl":{"net.a":1}|linux\.sysctl\.net\.a
linux|"maskedPaths":"x"|linux\.maskedPaths
linux|"maskedPaths":["/a",1]|linux\.maskedPaths\[1\]
linux|"readonlyPaths":{}|linux\.readonlyPaths
linux|"rootfsPropagation":7|linux\.rootfsPropagation
linux|"mountLabel":[]|linux\.mountLabel
linux|"personality":"LINUX"|linux\.personality
END

# ---- values ---------------------------------------------------------------

ours "values out of range" && each_refused <<'END'
process|"args":[]|process\.args
process|"args":["a\u0000b"]|process\.args\[0\]
process|"env":["A=\u0000"]|process\.env\[0\]
process|"env":["nothing"]|process\.env\[0\]
process|"env":["A=b","=x"]|process\.env\[1\]
process|"cwd":"relative"|process\.cwd
process|"cwd":""|process\.cwd
process|"cwd":"/\u0000x"|process\.cwd
process|"rlimits":[{"type":"RLIMIT_FOO","soft":1,"hard":1}]|process\.rlimits\[0\]\.type.*RLIMIT_FOO
process|"rlimits":[{"type":"RLIMIT_CORE","hard":1}]|process\.rlimits\[0\]\.soft
process|"rlimits":[{"type":"RLIMIT_CORE","soft":2,"hard":1}]|process\.rlimits\[0\]
process|"rlimits":[{"type":"RLIMIT_CORE","soft":-1,"hard":1}]|process\.rlimits\[0\]\.soft
process|"rlimits":[{"type":"RLIMIT_CORE","soft":1,"hard":18446744073709551616}]|process\.rlimits\[0\]\.hard
process|"rlimits":[{"type":"RLIMIT_CORE","soft":1,"hard":1},{"type":"RLIMIT_CORE","soft":1,"hard":1}]|process\.rlimits\[1\]
process|"oomScoreAdj":2000|process\.oomScoreAdj
process|"oomScoreAdj":-1001|process\.oomScoreAdj
process|"scheduler":{"policy":"SCHED_NOPE"}|process\.scheduler\.policy.*SCHED_NOPE
process|"ioPriority":{"class":"IOPRIO_CLASS_NOPE","priority":1}|process\.ioPriority\.class
process|"ioPriority":{"class":"IOPRIO_CLASS_BE","priority":9}|process\.ioPriority\.priority
user|"uid":-1,"gid":0|process\.user\.uid
user|"uid":4294967295,"gid":0|process\.user\.uid
user|"uid":0,"gid":99999999999|process\.user\.gid
top|"hostname":"a\u0000b"|hostname
top|"mounts":[{"destination":"","type":"tmpfs"}]|mounts\[0\]\.destination
top|"mounts":[{"destination":"/a\u0000","type":"tmpfs"}]|mounts\[0\]\.destination
linux|"resources":{"memory":{"limit":99999999999999999999}}|linux\.resources\.memory\.limit
linux|"resources":{"memory":{"swappiness":101}}|linux\.resources\.memory\.swappiness
linux|"resources":{"cpu":{"shares":-1}}|linux\.resources\.cpu\.shares
linux|"uidMappings":[{"containerID":-1,"hostID":0,"size":1}]|linux\.uidMappings\[0\]\.containerID
linux|"personality":{"domain":"BSD"}|linux\.personality\.domain.*BSD
linux|"rootfsPropagation":"sideways"|linux\.rootfsPropagation.*sideways
END
check "none of them has made a state directory" [ ! -e "$STATE" ]

# What this nsrun does not do is refused by its name, not left out.
while IFS='|' read -r key members pattern; do
	config "$key=$members"
	run
	ours "$members" &&
	if [ "$status" = 0 ]; then
		pass "$members is done"
	else
		refused "$members is refused by name" "$pattern"
	fi
done <<'END'
top|"hooks":{"createRuntime":[{"path":"/bin/true"}]}|hooks
linux|"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["reboot"],"action":"SCMP_ACT_ERRNO"}]}|linux\.seccomp
linux|"intelRdt":{"closID":"x","l3CacheSchema":"L3:0=f"}|linux\.intelRdt
linux|"memoryPolicy":{"mode":"MPOL_BIND","nodes":"0"}|linux\.memoryPolicy
linux|"netDevices":{"nosuch0":{"name":"eth0"}}|linux\.netDevices
linux|"resources":{"cpu":{"burst":1000}}|linux\.resources\.cpu\.burst|cpu
linux|"resources":{"cpu":{"realtimeRuntime":1000}}|realtime|rt_runtime
linux|"resources":{"blockIO":{"weight":100}}|blockIO|weight
linux|"resources":{"hugepageLimits":[{"pageSize":"2MB","limit":0}]}|hugepage|hugetlb
linux|"resources":{"network":{"classID":1}}|network|net_cls
linux|"resources":{"rdma":{"mlx5_1":{"hcaHandles":3}}}|rdma
END
if [ -e /sys/kernel/security/apparmor ] || [ -e /sys/fs/selinux/enforce ]; then
	skip "security labels without their module" "this kernel has one"
else
	ours "labels" && each_refused <<-'END'
	process|"selinuxLabel":"system_u:system_r:x_t:s0"|process\.selinuxLabel
	process|"apparmorProfile":"some-profile"|process\.apparmorProfile
	END
fi

# ---- the text -------------------------------------------------------------

position='config\.json:[0-9]+:[0-9]+'

# SENTENCE: the config.json that stands there is refused with a position.
bad_text()
{
	run
	refused "$1 is refused, with its place" "$position"
}

config caps=all linux='"maskedPaths":["/proc/acpi","/proc/kcore"],
	"resources":{"memory":{"limit":1000000}}' top='"hostname":"web"' \
	root='"readonly":true' process='"rlimits":[{"type":"RLIMIT_CORE",
	"soft":12,"hard":34}],"noNewPrivileges":true'
cp "$B/config.json" "$T/whole"
size=$(wc -c <"$T/whole")
wrong='' n=0
while [ $n -lt $((size - 3)) ]; do
	head -c $n "$T/whole" >"$B/config.json"
	run
	if [ -n "$peer" ]; then
		[ "$status" != 0 ]
	else
		[ "$status" = 1 ] && [ "$(wc -l <"$T/err")" = 1 ] &&
			grep -Eq "$position" "$T/err"
	fi || wrong="$wrong
$n: $status $err"
	n=$((n + 61))
done
check_is "a config.json that is cut off anywhere is refused, with the place" \
	"$wrong" ""
ours "the line of a fault" && check "with the line where it ends" \
	grep -q "config\.json:$(head -c $((n - 61)) "$T/whole" |
		awk 'END { print NR }'):" "$T/err"

while IFS='|' read -r what text; do
	printf '%b' "$text" >"$B/config.json"
	bad_text "$what"
done <<'END'
an empty file|
white space alone|  \n\t
an open object|{
a key without value|{"a"}
a trailing comma|{"a":1,}
a missing comma|{"a":1 "b":2}
a single quote|{'a':1}
a comment|{/* no */"a":1}
a number with a leading zero|{"a":01}
a number with a plus|{"a":+1}
NaN|{"a":NaN}
a word|{"a":tru}
a bad escape|{"a":"\\x"}
half a surrogate pair|{"a":"\\ud800\\u0041"}
a raw newline in a string|{"a":"b\nc"}
a NUL byte|{"a":\0000}
an unknown character|{"a":\001}
END
printf '\357\273\277' >"$B/config.json"
cat "$T/whole" >>"$B/config.json"
bad_text "a byte order mark"
for text in '{}' ']' 'x' '\0000'; do
	cp "$T/whole" "$B/config.json"
	printf '%b' "$text" >>"$B/config.json"
	bad_text "a '$text' after the end"
done
for text in null '[]' '"x"' 7; do
	echo "$text" >"$B/config.json"
	run
	refused "a config.json that is $text is refused" "config\.json.*object"
done
rm "$B/config.json"
run
refused "a missing config.json is named" "config\.json.*(no such|not exist)"
mkdir "$B/config.json"
run
refused "so is one that is a directory" "config\.json.*directory"
rmdir "$B/config.json"

# Deep and large. The shell itself should not have to hold it.

# Prints a text so many times.
many()
{
	yes "$2" | head -n "$1" | tr -d '\n'
}

# The config, and what comes on stdin as members before its last brace
append_members()
{
	config args='"echo","taken"'
	sed '$d' "$B/config.json" >"$T/large"
	{
		cat
		echo "}"
	} >>"$T/large"
	mv "$T/large" "$B/config.json"
	what="a config.json of $(($(wc -c <"$B/config.json") / 1000000)) MB"
}

# DEPTH OPEN CLOSE
deep()
{
	{
		printf ',"x":'
		many "$1" "$2"
		printf 7
		many "$1" "$3"
	} | append_members
	run
}
for depth in 10000 1000000; do
	deep $depth '[' ']'
	ours "a depth of $depth" &&
		refused "a depth of $depth is refused" "$position"
	deep $depth '{"a":' '}'
	ours "a depth of $depth" &&
		refused "in objects too" "$position"
done
deep 100 '[' ']'
check_out "a depth of 100 is taken, where it is unknown" "^taken\$"

# SECONDS: runs, and has done so in time
in_time()
{
	began=$(date +%s)
	run
	[ $(($(date +%s) - began)) -le "$1" ]
}

hundred=$(printf '%0100d' 1)
{
	printf ',"x":[0'
	many 90000 ",\"$hundred\""
	printf '],"annotations":{"a":"b"'
	seq 5000 | sed "s/.*/,\"key.&\":\"$hundred\"/"
	printf '}'
} | append_members
check "$what is done in time" in_time 10
check_out "$what is taken" "^taken\$"
{
	printf ',"x":[0'
	many 3000000 ',{}'
	printf ']'
} | append_members
check "$what with millions of values too" in_time 10
ours "$what, taken or refused" &&
if [ "$status" = 0 ]; then
	check_out "it is taken" "^taken\$"
else
	refused "it is refused for that" "$position.*(large|memory)"
fi
config args='"echo","taken"'
head -c 17000000 /dev/zero | tr '\000' ' ' >>"$B/config.json"
in_time 10
ours "17 MB" && refused "17 MB are refused" "config\.json.*(large|big|long|M)"

# ---- odd but right --------------------------------------------------------

config args='"echo","taken"' top='"foo":1,"bar":{"linux":[null,{}]},
	"windows":{"x":1},"vm":{}' linux='"nothing":{"a":[]}' \
	process='"commandLine":"x","future":true' user='"uid":0,"gid":0,
	"username":"x"' root='"other":0'
run
check_out "unknown members are not looked at" "^taken\$"
config args='"echo","taken"' top='"Hostname":7' process='"ARGS":["/x"]'
run
ours "capital letters" &&
	check_out "capital letters make another member" "^taken\$"
config args='"echo","taken"' top='"hostname":null,"domainname":null,
	"annotations":null,"hooks":null,"vm":null' \
	linux='"resources":null,"uidMappings":null,"gidMappings":null,
	"sysctl":null,"devices":null,"cgroupsPath":null,"seccomp":null,
	"maskedPaths":null,"rootfsPropagation":null,"timeOffsets":null,
	"intelRdt":null,"personality":null' process='"rlimits":null,
	"consoleSize":null,"terminal":null,"capabilities":null,
	"oomScoreAdj":null,"scheduler":null,"ioPriority":null,
	"apparmorProfile":null,"selinuxLabel":null,"noNewPrivileges":null'
run
check_out "null is as good as absent" "^taken\$"
config args='"echo","taken"' linux='"resources":{"memory":{"limit":null},
	"cpu":{},"pids":null,"devices":[]},"sysctl":{},"maskedPaths":[],
	"seccomp":{}' process='"rlimits":[],"consoleSize":{"height":0,
	"width":0}' top='"hooks":{},"annotations":{}'
run
ours "empty members" && check_out "so is what is empty" "^taken\$"
ours "members that are there twice" && {
	config args='"echo","first"' process='"args":["/bin/probe","echo",
		"second"]'
	run
	check_out "of a member that is there twice the last counts" \
		"^second\$"
	config mounts='{"destination":"/data/x","type":"nosuchfs"}' \
		top='"mounts":[]' args='"echo","second"'
	run
	check_out "also of a list" "^second\$"
	made dev
}
config args='"echo","\u0041\u00e9\ud83d\ude00\n\t\"\\\/"'
run
check_is "escapes are what they stand for" "$out" "$(printf \
	'A\303\251\360\237\230\200\n\t"\\/')"
config process='"rlimits":[{"type":"RLIMIT_FSIZE","soft":9007199254740993,
	"hard":9223372036854775807}]' args='"show","rlimit"'
run
check_out "integers are exact beyond 2^53" \
	"^rlimit FSIZE 9007199254740993 9223372036854775807\$"

# ---- the log --------------------------------------------------------------

odd='/no/such \"quoted\" \\back\nline\ttab\u0001\u00e9'
source="{\"destination\":\"/data\",\"type\":\"bind\",\"options\":[\"bind\"],
	\"source\":\"$odd\"}"
config mounts="$source"
G="--log $T/log --log-format json"
run
ours "the line of a failure" && {
	refused "names with odd bytes make one line" "/no/such"
	check_is "and one record in the log" "$(wc -l <"$T/log")" 1
}
able "the log is valid JSON" jq && {
	check "the log is valid JSON" jq -e . "$T/log" >/dev/null
	check_is "with a level, and all of the name" "$(jq -r 'select(.level ==
		"error") | .msg' "$T/log" | grep -c '/no/such "quoted" ')" 1
	check "and a time" jq -e '.time | test("^20..-..-..T..:..:..")' \
		"$T/log" >/dev/null
}
config args='"exit","5"'
rm "$T/log"
run
check_is "a payload that fails is no error" \
	"$status $(cat "$T/log" 2>/dev/null)" "5 "
config mounts="$source"
G="--log=$T/log.text --log-format=text"
run
check_is "the text log has one line" "$(wc -l <"$T/log.text")" 1
check "which names the cause" grep -q "/no/such" "$T/log.text"
run
check_is "the next is appended" "$(wc -l <"$T/log.text")" 2

config args='"write","/data/ran","x"'
ours "logs that cannot be" && {
	for G in "--log /none/at/all/log" "--log $T" \
		"--log $T/log2 --log-format xml"; do
		run
		check_is "$G is an error, in one line" \
			"$status $(wc -l <"$T/err")" "1 1"
		check "it is named" grep -q "/none/at/all/log\|$T\|xml" \
			"$T/err"
	done
	check "and nothing is run" [ ! -e "$B/rootfs/data/ran" ]
}
G=

done_testing
