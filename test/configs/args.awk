# SPDX-License-Identifier: MIT
#
# What probe is told, as the list process.args, from the lines of flat.awk.

function tell(verb, path)
{
	printf ",\":\",\"try\",\"%s\",\"%s\"", verb, path
}
BEGIN {
	FS = "\t"
	printf "\"/bin/probe\",\"show\""
}
$1 ~ /^linux\/(maskedPaths|readonlyPaths)\/|^linux\/devices\/[0-9]*\/path$/ {
	tell("stat", $2)
}
$1 ~ /^linux\/sysctl\// {
	key = path = substr($1, 14)
	gsub(/\./, "/", path)
	printf ",\":\",\"echo\",\"sysctl\",\"%s\"", key
	tell("read", "/proc/sys/" path)
}
$1 ~ /^mounts\/[0-9]*\/destination$/ { destination = $2 }
$1 ~ /^mounts\/.*\/options\// && $2 == "tmpcopyup" {
	tell("stat", destination "/copied")
}
$1 == "process/terminal" { terminal = $2 == "true" }
END {
	n = split("null zero full random urandom tty", dev, " ")
	for (i = 1; i <= n; i++)
		tell("stat", "/dev/" dev[i])
	if (!terminal)
		printf ",\":\",\"signal-wait\",\"15\""
}
