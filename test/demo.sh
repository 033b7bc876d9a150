#!/bin/sh
# SPDX-License-Identifier: MIT
# demo.sh - a bundle from what was built here, and what its container sees.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
nsrun=$here/../nsrun
b=$(mktemp -d)
trap 'rm -rf "$b"' EXIT

[ "$(id -u)" = 0 ] || { echo "demo.sh: run me as root" >&2; exit 1; }

mkdir -p "$b/rootfs/bin" "$b/rootfs/proc" "$b/rootfs/sys" "$b/rootfs/dev"
cp "$here/build/probe" "$b/rootfs/bin/"
"$nsrun" spec -b "$b"
sed -i -e 's/"terminal": true/"terminal": false/' -e 's/"hostname": "nsrun"/"hostname": "demo"/' \
	-e 's|"sh"|"/bin/probe", "show", "pid", "hostname", "uid", "cap", "nnp", "rlimit", "link", "ns", "mount", "cgroup"|' \
	-e 's|"resources": {|"resources": { "memory": { "limit": 33554432 }, "pids": { "limit": 50 },|' \
	"$b/config.json"

echo "A bundle is a directory:"
(cd "$b" && find . -type f | sed 's/^/    /')
echo "Its config.json is the default of \`nsrun spec\`, with two limits:"
grep -n '"limit"' "$b/config.json" | sed 's/^/    /'
echo
echo "nsrun run demo"
"$nsrun" run -b "$b" demo > "$b/out"
limit=$("$nsrun" plan "$b" | sed -n 's/^limit  *memory[^ ]* //p')

field() { sed -n "s/^$1 //p" "$b/out" | head -n "${2:-1}"; }
echo "    process     pid $(field pid) on host \"$(field hostname)\", uid $(field uid | cut -d' ' -f1)"
echo "    privileges  capabilities $(field 'cap effective'), no_new_privs $(field nnp)"
echo "    limits      $(field 'rlimit NOFILE' | cut -d' ' -f1) open files, memory $limit bytes"
echo "    network     $(field link 9 | tr "\n" " " | sed "s|  *$||"), nothing else"
for t in pid net ipc uts mnt; do
	h=$(readlink "/proc/self/ns/$t")
	echo "    namespace   $t $(field "ns $t") (the host's is $h)"
done
echo "    root        $(field mount 99 | awk '$5 == "/" { print $6 }'), and mounted below it:"
field mount 99 | awk '$5 != "/" { printf "%s ", $5 } END { print "" }' |
	fold -s -w 62 | sed 's/^/                /'
echo "    cgroup      $(field cgroup 99 | grep memory || field cgroup)"
echo
echo "Nothing is left of it:"
echo "    mounts below $b: $(grep -c " $b" /proc/self/mounts || :)"
echo "    cgroups called demo: $(find /sys/fs/cgroup -type d -name demo | wc -l)"
echo "    state: $(find /run/nsrun -name demo 2>/dev/null | wc -l) entries"
echo
echo "Next: ./nsrun plan BUNDLE shows what a config.json means, without doing it."
