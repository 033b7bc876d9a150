# SPDX-License-Identifier: MIT
#
# The config with the test's own root, command, sources, namespaces, cgroup.
# $T/sources gets "file PATH" or "dir PATH" for what is to be made.

BEGIN {
	tmp = ENVIRON["T"]
	holder = ENVIRON["holder"]
	link["network"] = "net"
	link["mount"] = "mnt"
	link["pid"] = "pid_for_children"
}

function value(key)
{
	if (!match($0, "\"" key "\": (\"[^\"]*\"|[^,}]*)"))
		return ""
	key = substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 4)
	gsub(/"/, "", key)
	return key
}

# match() again: only RSTART and RLENGTH say where it stands.
function put(key, new)
{
	match($0, "\"" key "\": (\"[^\"]*\"|[^,}]*)")
	$0 = substr($0, 1, RSTART + length(key) + 3) new \
		substr($0, RSTART + RLENGTH)
}

# The same source stays the same.
function own(source, type)
{
	if (!(source in place)) {
		place[source] = tmp "/src/" (++places)
		print type, place[source] >(tmp "/sources")
	}
	return place[source]
}

# What may be asked for a limit: no more than our own.
function lower(hard, most)
{
	if (most == "unlimited" || length(hard) < length(most) || \
	    length(hard) == length(most) && hard <= most)
		return hard
	print "rlimit " substr(value("type"), 8) " " hard >>(tmp "/lowered")
	return most
}

# The first file is what probe sees of our own limits.
FNR == NR {
	split($0, w, " ")
	if ($0 ~ /^rlimit/)
		most["RLIMIT_" w[2]] = w[4]
	else if ($0 ~ /^cap effective/) {
		resource = word("sys_resource", caps(w[3]))
		n = split(ENVIRON["all_caps"], all, " ")
		for (i = 1; i <= n; i++)
			if (!word(all[i], caps(w[3])))
				lacking[toupper(all[i])]
	}
	next
}

/^\t"/ { section = $1 }

/^\t\t"args": / { $0 = "\t\t\"args\": [" ENVIRON["args"] "]," }

/^\t\t"path": / && section == "\"root\":" { put("path", "\"rootfs\"") }

/^\t\t"cgroupsPath": / {
	put("cgroupsPath", "\"" ENVIRON["parent"] value("cgroupsPath") "\"")
}

/^\t\t"oomScoreAdj": -/ && !resource {
	print "oom_score_adj " value("oomScoreAdj") >>(tmp "/lowered")
	put("oomScoreAdj", "0")
}

/^\t\t\t"(bounding|effective|permitted|inheritable|ambient)": / {
	for (name in lacking)
		if (sub("\"CAP_" name "\", ", "") || \
		    sub(", \"CAP_" name "\"", ""))
			print "CAP_" name >>(tmp "/lowered")
}

/^\t\t\t[{]"type": "RLIMIT_/ && !resource && value("type") in most {
	limit = most[value("type")]
	put("soft", lower(value("soft"), limit))
	put("hard", lower(value("hard"), limit))
}

/^\t\t\t[{]"type": "[a-z]*", "path": / {
	type = value("type")
	put("path", "\"/proc/" holder "/ns/" \
		(type in link ? link[type] : type) "\"")
}

/^\t\t[{]"destination": / {
	source = value("source")
	to = value("destination")
	if (value("type") == "overlay") {
		for (i = split("lower upper work", dir, " "); i; i--) {
			new = own(source dir[i], "dir")
			sub(dir[i] "dir=[^\"]*", dir[i] "dir=" new)
		}
	} else if (source ~ /^\/dev\// && system("[ -e " source " ]")) {
		print "device " source >>(tmp "/lowered")
		put("source", "\"/dev/null\"")
	} else if (source ~ /^\// && source !~ /^\/(dev|sys)(\/|$)/) {
		file = to ~ /^\/etc\/|\/\.containerenv$|secrets\/.|-(init|log)$/
		put("source", "\"" own(source, file ? "file" : "dir") "\"")
	}
}

# Docker's hook is dockerd itself: it calls back to a daemon that is not here.
section == "\"hooks\":" && /^\t\t\t/ && value("path") ~ /^\/proc\/[0-9]*\/exe/ {
	next
}
section == "\"hooks\":" && !/hook\.startContainer/ {
	sub(/\/tmp\/cap\/hook\./, tmp "/hook.")
}
section == "\"hooks\":" {
	sub(/\/tmp\/cap\/hook\./, "/tmp/hook.")
}
{ print }
