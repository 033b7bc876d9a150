# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2016,SC2154
#
# A program that cannot be executed: the message names the file and the cause,
# and holds the words by which engines tell 126 from 127.

. "${0%/*}/../lib.sh"
need root
made data

data=$B/rootfs/data

# fails S COMMAND WORDS CAUSE [CONFIG..]: runs COMMAND, which must fail with a
# message that holds its name, WORDS as runc has them, and the CAUSE, which the
# others do not tell. Upper and lower case count the same.
fails()
{
	what=$1 command=$2 words=$3 cause=$4
	shift 4
	config cmd="\"$command\"" "$@"
	run
	name=$(printf %s "$command" | sed 's/[.[\*^$]/\\&/g')
	refused "$what is named" "$name"
	err=$(printf '%s\n' "$err" | tr '[:upper:]' '[:lower:]')
	check_err "$what: in the words that callers look for" "$words"
	[ -n "$peer" ] || [ -z "$cause" ] ||
		check_err "$what: with the cause" "$cause"
}

# ---- not there ------------------------------------------------------------

fails "a command that is nowhere in PATH" nosuch \
	'executable file not found in \$path' ''
fails "a path that does not exist" /bin/nosuch 'no such file or directory' ''
fails "a directory that does not exist" /nodir/x 'no such file or directory' ''
fails "a file where a directory should be" /bin/probe/x 'not a directory' ''
fails "a relative path that does not exist" ./nosuch \
	'no such file or directory' ''
ln -s /nowhere/target "$data/dangling"
fails "a link to nothing" /data/dangling 'no such file or directory' \
	'symbolic link'
ln -s loop "$data/loop"
fails "a link to itself" /data/loop \
	'(too many levels|symbolic link loop)' ''
config cmd='"/data/a\nb"'
run
refused "a name with a line end is told in one line" \
	'[Nn]o such file or directory'
long=$(printf '%0300d' 0)
fails "a name that is too long" "/data/$long" 'name too long' ''

# ---- not executable -------------------------------------------------------

fails "a directory" /data '(is a directory|permission denied)' \
	'is a directory'
cp "$PROBE" "$data/plain"
chmod 644 "$data/plain"
fails "a file without the x bit" /data/plain 'permission denied' '0644'
fails "the same, found in PATH only" plain \
	'(executable file not found in \$path|permission denied)' '' \
	env='"PATH=/data"'
cp "$PROBE" "$data/owned"
chmod 700 "$data/owned"
fails "a file of another user" /data/owned 'permission denied' '0700' \
	user='"uid":1234,"gid":1234'
mkdir -m 700 "$data/closed"
cp "$PROBE" "$data/closed/tool"
fails "a directory that the user may not enter" /data/closed/tool \
	'permission denied' '/data/closed[^/]' user='"uid":1234,"gid":1234'
mkfifo -m 755 "$data/fifo"
fails "a fifo" /data/fifo 'permission denied' '(fifo|regular|pipe)'
fails "a device" /dev/null 'permission denied' '(device|regular|0666)'
mkdir "$T/noexec"
cp "$PROBE" "$T/noexec/tool"
mounts='{"destination":"/data/m","type":"bind","source":"'$T/noexec'",
	"options":["bind","noexec"]}'
fails "a file on a noexec mount" /data/m/tool 'permission denied' noexec \
	mounts="$mounts"
fails "the same, found in PATH" tool \
	'(permission denied|executable file not found)' '' \
	mounts="$mounts" env='"PATH=/data/m"'
cp "$PROBE" "$data/busy"
exec 8>>"$data/busy"
fails "a file that is open for writing" /data/busy 'text file busy' ''
exec 8>&-

# ---- scripts --------------------------------------------------------------

script()	# NAME, with the text from stdin
{
	cat >"$data/$1"
	chmod 755 "$data/$1"
}
printf '#!/no/such/shell -x\necho\n' | script sh1
fails "a script without its interpreter" /data/sh1 \
	'no such file or directory' 'interpreter.*/no/such/shell'
printf '#!  \t/usr/bin/env python3\n' | script sh2
fails "the same with blanks before it" /data/sh2 \
	'no such file or directory' '/usr/bin/env'
printf '#!/data/plain\n' | script sh3
fails "an interpreter without the x bit" /data/sh3 'permission denied' \
	/data/plain
printf '#!/bin/probe\r\necho\r\n' | script crlf
fails "a script with Windows line ends" /data/crlf \
	'no such file or directory' '(windows|crlf|carriage)'
check "a script with Windows line ends: no carriage return is printed" \
	[ "$(tr -dc '\r' <"$T/err" | wc -c)" = 0 ]
printf '#!/data/again\n' | script again
fails "a script that is its own interpreter" /data/again \
	'(too many levels|link loop|exec format)' 'interpreter'
printf '#!\n' | script bare
fails "a first line that names no interpreter" /data/bare \
	'exec format error' 'interpreter'
: | script empty
fails "an empty file" /data/empty 'exec format error' 'empty'
printf 'echo hello\n' | script text
fails "a script without a #! line" /data/text 'exec format error' '#!'
printf '\003\002\001\000rubbish' | script rubbish
fails "a file that is no program at all" /data/rubbish 'exec format error' \
	'(not a program|unknown format|#!)'

# ---- programs -------------------------------------------------------------

# number SIZE N: N in SIZE bytes, most significant last or, if $big, first.
number()
{
	rest=$2 bytes=''
	left=$1
	while [ "$left" -gt 0 ]; do
		byte=$(printf '\\%03o' $((rest & 255)))
		if [ -n "$big" ]; then
			bytes=$byte$bytes
		else
			bytes=$bytes$byte
		fi
		rest=$((rest >> 8))
		left=$((left - 1))
	done
	# shellcheck disable=SC2059 # the bytes are the format
	printf "$bytes"
}

# elf CLASS DATA MACHINE [LOADER]: an ELF file that ends behind its headers.
# CLASS 1 is 32 bits, 2 is 64; DATA 1 is little endian, 2 big.
elf()
{
	word=4 head=52 entry=32
	[ "$1" = 1 ] || word=8 head=64 entry=56
	big=
	[ "$2" = 1 ] || big=1
	# shellcheck disable=SC2059
	printf "\\177ELF\\00$1\\00$2\\001\\000\\000\\000\\000\\000\\000\\000\\000\\000"
	number 2 2		# an executable
	number 2 "$3"
	number 4 1
	number $word 0		# where it starts
	number $word $head	# the program headers
	number $word 0
	number 4 0
	number 2 $head
	number 2 $entry
	number 2 $((${#4} > 0))
	number 6 0
	[ -n "${4:-}" ] || return 0
	at=$((head + entry)) len=$((${#4} + 1))
	number 4 3		# the path of the loader
	[ "$1" = 1 ] || number 4 4
	number $word $at
	number $word 0
	number $word 0
	number $word $len
	number $word $len
	[ "$1" = 2 ] || number 4 4
	number $word 1
	printf '%s\000' "$4"
}

byte_at()
{
	od -An -tu1 -j "$1" -N 1 "$PROBE" | tr -d ' '
}
class=$(byte_at 4) order=$(byte_at 5)
if [ "$order" = 1 ]; then
	own=$(($(byte_at 18) + 256 * $(byte_at 19)))
else
	own=$(($(byte_at 19) + 256 * $(byte_at 18)))
fi
arch=$(uname -m | tr '[:upper:]' '[:lower:]')

foreign()	# CLASS DATA MACHINE REGEX
{
	[ "$3" != "$own" ] || return 0
	elf "$1" "$2" "$3" | script foreign
	fails "a program for machine $3" /data/foreign \
		'exec format error' "$4.*$arch"
}
foreign 1 2 8 'mips.*big'
foreign 1 1 40 'arm'
foreign 2 1 62 '(x86.64|amd64)'
foreign 2 1 183 '(aarch64|arm64)'
foreign 2 2 22 's.?390'
foreign 2 1 243 'risc.?v'
foreign 2 1 258 'loongarch'
foreign 1 2 20 'p.*pc'
foreign 2 1 65244 '(65244|0xfedc)'

elf "$class" "$order" "$own" /lib/ld-nosuch.so.1 | script dynamic
fails "a program without its loader" /data/dynamic \
	'no such file or directory' '/lib/ld-nosuch\.so\.1'
elf "$class" "$order" "$own" /data/plain | script dynamic
fails "a loader without the x bit" /data/dynamic 'permission denied' \
	/data/plain

for size in 4 10 50; do
	head -c $size "$PROBE" | script "cut$size"
	fails "a program of which only $size bytes are there" "/data/cut$size" \
		'(exec format error|input/output error)' \
		'(truncated|cut short|too short|incomplete|damaged)'
done
head -c 100 "$PROBE" | script cut100
fails "a program cut within its headers" /data/cut100 \
	'(exec format error|input/output error)' ''

# ---- and when it works ----------------------------------------------------

printf '#!/bin/probe show\n' | script good
config cmd='"/data/good","argv"'
run
check_is "a script with its interpreter runs" "$status" 0
config args='"exec","/data/nosuch"'
run
check_is "a failing exec of the process itself is its own affair" \
	"$status $out" "1 error exec /data/nosuch: No such file or directory"

done_testing
