# SPDX-License-Identifier: MIT
#
# What a config needs of the machine, from the lines of flat.awk: words for the
# function fits of ../sys/configs.sh.

BEGIN { FS = "\t" }
function controller(path, name)
{
	if ($1 ~ "^linux/resources/" path && $2 + 0 > 0 || $2 == "true")
		need["controller:" name]
}
$1 ~ /^linux\/namespaces\/.*\/type$/ && $2 == "user"	{ need["userns"] }
$1 ~ /^linux\/namespaces\/.*\/type$/ && $2 == "network"	{ need["net"] }
$1 ~ /^mounts\/.*\/type$/ && $2 ~ /^(overlay|mqueue)$/	{ need["fs:" $2] }
$1 ~ /^mounts\/.*\/options\// && $2 == "idmap"		{ need["kernel:5.12"] }
$1 ~ /^mounts\/.*\/source$/ && $2 ~ /^\/sys\/./		{ need["path:" $2] }
$1 ~ /^linux\/resources\/devices\// { need["controller:devices"] }
$1 ~ /^linux\/resources\/unified\// {
	sub(/.*\//, "", $1)
	sub(/\..*/, "", $1)
	need["cgroup2:" $1]
}
$1 ~ /^linux\/resources\/memory\/(disableOOM|swappiness)/ && $2 ~ /^[1-9t]/ {
	need["cgroup1:memory"]
}
$1 ~ /^linux\/resources\/memory\/swap$/		{ need["knob:swap"] }
$1 ~ /^linux\/resources\/cpu\/realtime/		{ need["knob:rt"] }
$1 ~ /^linux\/resources\/hugepageLimits\//	{ need["controller:hugetlb"] }
$1 ~ /^linux\/resources\/cpu\/cpus$/ && $2 ~ /1/	{ need["cpu:1"] }
$1 ~ /^linux\/resources\/blockIO\/weight$/ && $2 > 0	{ need["knob:weight"] }
$1 ~ /^linux\/resources\/blockIO\/weightDevice\//	{ need["knob:weight"] }
$1 ~ /^linux\/resources\/blockIO\/.*\/major$/		{ major = $2 }
$1 ~ /^linux\/resources\/blockIO\/.*\/minor$/ {
	need["path:/sys/dev/block/" major ":" $2]
}
$1 == "process/terminal" && $2 == "true" { need["script"] }
$1 ~ /^hooks\/startContainer\//		{ need["static-busybox"] }
{
	controller("memory/", "memory")
	controller("cpu/[^cm]", "cpu")
	controller("cpu/[cm]", "cpuset")
	controller("pids/", "pids")
	controller("blockIO/", "blkio")
}
END {
	for (word in need)
		print word
}
