# SPDX-License-Identifier: MIT
#
# Compares: conf (of flat.awk), host (namespaces), seen (of probe, and from
# outside). Prints what is wrong, and "fact KIND" for each that was compared.

function is(kind, what, got, want)
{
	print "fact " kind
	if (got "" != want "")
		print kind " " what ": " (got == "" ? "nothing" : got) \
			", wanted " (want == "" ? "nothing" : want)
}

function true(kind, what, yes, got)
{
	print "fact " kind
	if (!yes)
		print kind " " what ": " (got == "" ? "no" : got)
}

# A list of config.json as one string.
function list(path,	i, all)
{
	for (i = 0; path "/" i in conf; i++)
		all = all (i ? " " : "") conf[path "/" i]
	return all
}

function squeeze(s)
{
	gsub(/[ \t]+/, " ", s)
	sub(/^ /, "", s)
	sub(/ $/, "", s)
	return s
}

# Each number once, in order.
function numbers(s,	i, n, w, all, max)
{
	n = split(s, w, " ")
	for (i = 1; i <= n; i++)
		max = w[i] > max + 0 ? w[i] : max
	for (i = 1; i <= n; i++)
		once[w[i]]
	for (i = 0; i <= max && n; i++)
		if (i in once) {
			all = all (all == "" ? "" : " ") i
			delete once[i]
		}
	return all
}

function both(a, b,	i, n, w, all)
{
	n = split(a, w, " ")
	for (i = 1; i <= n; i++)
		if (word(w[i], b))
			all = all (all == "" ? "" : " ") w[i]
	return all
}

function either(a, b,	i, n, all)
{
	n = split(ENVIRON["all_caps"], cap_name, " ")
	for (i = 1; i <= n; i++)
		if (word(cap_name[i], a) || word(cap_name[i], b))
			all = all (all == "" ? "" : " ") cap_name[i]
	return all
}

# 65536, 64k, 1m as the kernel prints it.
function kilobytes(s)
{
	if (s ~ /[kK]$/)
		return s + 0 "k"
	if (s ~ /[mM]$/)
		return s * 1024 "k"
	return s / 1024 "k"
}

BEGIN { FS = "\t" }
kind == "conf"	{ conf[$1] = $2; next }
kind == "host"	{ host[$1] = $2; next }
{
	split($0, w, " ")
	rest = substr($0, length(w[1]) + 2)
}
w[1] == "mount" {
	sub(/\/$/, "", w[6])
	k = ++points[w[6]]
	where = w[6] SUBSEP k
	bound[where] = w[5]
	flags[where] = w[7]
	order[where] = NR
	shared[where] = ""
	for (i = 8; w[i] != "-"; i++)
		shared[where] = shared[where] " " w[i]
	type[where] = w[i + 1]
	super[where] = w[i + 3]
	next
}
w[1] == "stat"			{ stat[w[2]] = $0; next }
w[1] == "error"			{ sub(/:$/, "", w[3]); error[w[3]] = $0; next }
w[1] == "env"			{ env[rest]; envs[++envs_n] = rest; next }
w[1] == "fd"			{ fds = fds " " w[2]; next }
w[1] == "sysctl"		{ key = w[2]; next }
key != ""			{ sysctl[key] = squeeze($0); key = ""; next }
w[1] == "in"			{ looked = 1 }
w[1] ~ /^(cap|rlimit|ns|cg|tty|in)$/ {
	seen[w[1] " " w[2]] = substr(rest, length(w[2]) + 2)
	next
}
w[1] ~ /^(uid_map|gid_map)$/	{ seen[w[1]] = seen[w[1]] rest ";"; next }
w[1] == "devices.list"		{ device_rules = device_rules rest ";"; next }
				{ seen[w[1]] = rest }

END {
	peer = ENVIRON["peer"]		# older ones know less
	process = "process/"
	user = process "user/"
	uid = conf[user "uid"]
	is("uid", "", seen["uid"], uid " " uid " " uid)
	gid = conf[user "gid"]
	is("gid", "", seen["gid"], gid " " gid " " gid)
	if (conf["annotations/run.oci.keep_original_groups"] == "")
		is("groups", "", numbers(seen["groups"]), \
			numbers(list(user "additionalGids")))
	if (user "umask" in conf)
		is("umask", "", seen["umask"], \
			sprintf("%04o", conf[user "umask"]))
	is("cwd", "", seen["cwd"], conf[process "cwd"])
	if (conf["hostname"] != "")
		is("hostname", "", seen["hostname"], conf["hostname"])
	is("fd", "", fds, " 0 1 2")
	is("nnp", "", seen["nnp"], \
		conf[process "noNewPrivileges"] == "true" ? 1 : 0)
	if (process "oomScoreAdj" in conf)
		is("oom_score_adj", "", seen["oom_score_adj"], \
			conf[process "oomScoreAdj"])
	if (conf["linux/personality/domain"] == "LINUX32" && peer != "runc")
		is("personality", "", seen["personality"], "8")
	if (conf[process "terminal"] == "true") {
		is("terminal", "ctty", seen["ctty"], "yes")
		for (i = 0; i < 3; i++)
			true("terminal", "fd " i, "tty " i in seen)
	}

	# exec gives the rest: root has what is bounding or inheritable,
	# another user what is ambient.
	if (process "capabilities" in conf) {
		cap = process "capabilities/"
		bounding = caps(list(cap "bounding"))
		permitted = caps(list(cap "permitted"))
		inheritable = caps(list(cap "inheritable"))
		ambient = both(caps(list(cap "ambient")), \
			both(inheritable, permitted))
		is("caps", "bounding", caps(seen["cap bounding"]), bounding)
		is("caps", "inheritable", caps(seen["cap inheritable"]), \
			inheritable)
		is("caps", "ambient", caps(seen["cap ambient"]), ambient)
		after = ambient
		if (uid == 0)
			after = either(bounding, inheritable)
		if (uid == 0 && conf[process "noNewPrivileges"] == "true")
			after = both(after, permitted)
		is("caps", "permitted", caps(seen["cap permitted"]), after)
		is("caps", "effective", caps(seen["cap effective"]), after)
	}

	for (i = 0; process "rlimits/" i "/type" in conf; i++) {
		name = substr(conf[process "rlimits/" i "/type"], 8)
		want = conf[process "rlimits/" i "/soft"] " " \
			conf[process "rlimits/" i "/hard"]
		gsub(/18446744073709551615/, "unlimited", want)
		is("rlimit", name, seen["rlimit " name], want)
	}

	for (i = 0; process "env/" i in conf; i++) {
		asked[conf[process "env/" i]]
		true("env", conf[process "env/" i], conf[process "env/" i] in env)
	}
	for (i = 1; i <= envs_n; i++)
		true("env", "no other", envs[i] in asked || envs[i] ~ /^HOME=/, \
			envs[i])

	for (i = 0; "linux/namespaces/" i "/type" in conf; i++) {
		name = conf["linux/namespaces/" i "/type"]
		space[name] = conf["linux/namespaces/" i "/path"] == "" ? \
			"new" : "joined"
	}
	n = split("cgroup ipc mount network pid user uts", kinds, " ")
	for (i = 1; i <= n; i++) {
		short = kinds[i] == "mount" ? "mnt" : \
			kinds[i] == "network" ? "net" : kinds[i]
		got = seen["ns " short]
		if (space[kinds[i]] == "new")
			true("namespace", kinds[i] " is new", \
				got != "" && got != host["ns " short], got)
		else if (space[kinds[i]] == "joined")
			is("namespace", kinds[i] " is joined", got, \
				host["joined " short])
		else
			is("namespace", kinds[i], got, host["ns " short])
	}
	if (space["pid"] == "new")
		is("pid", "", seen["pid"], 1)
	for (id = "uid"; id; id = id == "uid" ? "gid" : "") {
		map = ""
		for (i = 0; "linux/" id "Mappings/" i "/size" in conf; i++)
			map = map conf["linux/" id "Mappings/" i "/containerID"] \
			" " conf["linux/" id "Mappings/" i "/hostID"] \
			" " conf["linux/" id "Mappings/" i "/size"] ";"
		if (space["user"] == "new" && map != "")
			is("map", id, seen[id "_map"], map)
	}

	for (i = 0; "mounts/" i "/destination" in conf; i++) {
		path = conf["mounts/" i "/destination"]
		sub(/\/$/, "", path)
		times[path]++
	}
	for (i = 0; "mounts/" i "/destination" in conf; i++)
		mounted("mounts/" i "/")
	root = "" SUBSEP points[""]
	true("root", "read-only is " (conf["root/readonly"] == "true"), \
		read_only(root) == (conf["root/readonly"] == "true"), \
		flags[root])
	if (conf["linux/rootfsPropagation"] !~ /shared$/)
		is("root", "is not shared", shared[root], "")
	else if (peer != "runc")
		true("root", "is shared", shared[root] ~ /shared:/, shared[root])

	for (i = 0; "linux/maskedPaths/" i in conf; i++) {
		path = conf["linux/maskedPaths/" i]
		if (error[path] ~ /No such file|Not a directory/)
			continue
		where = path SUBSEP points[path]
		true("mask", path, stat[path] ~ /type=char.* rdev=1:3 / || \
			stat[path] ~ /type=dir/ && type[where] == "tmpfs" && \
			read_only(where), \
			stat[path] error[path] " " flags[where])
	}
	for (i = 0; "linux/readonlyPaths/" i in conf; i++) {
		path = conf["linux/readonlyPaths/" i]
		if (error[path] ~ /No such file|Not a directory/)
			continue
		where = path SUBSEP points[path]
		true("read-only path", path, read_only(where), \
			stat[path] error[path] " " flags[where])
	}

	for (path in conf)
		if (path ~ /^linux\/sysctl\/./) {
			key = substr(path, 14)
			is("sysctl", key, sysctl[key], squeeze(conf[path]))
		}

	n = split("null 1:3 zero 1:5 full 1:7 random 1:8 urandom 1:9 tty 5:0", \
		dev, " ")
	for (i = 1; i <= n; i += 2)
		true("device", dev[i], stat["/dev/" dev[i]] ~ \
			"type=char.* rdev=" dev[i + 1] " ", stat["/dev/" dev[i]])
	for (i = 0; "linux/devices/" i "/path" in conf; i++)
		device("linux/devices/" i "/")
	rules("linux/resources/devices/")
	limits()
	hooks()
}

function read_only(where)
{
	return ("," flags[where] ",") ~ /,ro,/ ? 1 : 0
}

function mounted(m,	i, d, k, where, opts, want, bind, o, v, ro)
{
	d = conf[m "destination"]
	sub(/\/$/, "", d)
	# What came with another mount was there before.
	met[d]++
	where = d SUBSEP (points[d] - times[d] + met[d])
	if (!(where in type)) {
		true("mount", d, 0, "not mounted")
		return
	}
	opts = "," flags[where] "," super[where] ","
	want = conf[m "type"]
	bind = 0
	ro = 0
	for (i = 0; m "options/" i in conf; i++) {
		o = conf[m "options/" i]
		v = substr(o, index(o, "=") + 1)
		if (o ~ /^r?bind$/)
			bind = 1
		else if (o == "ro" || o == "rw")
			ro = o == "ro"
		else if (o ~ /^(nosuid|nodev|noexec|relatime)$/)
			true("mount flag", d " " o, \
				("," flags[where] ",") ~ "," o ",", flags[where])
		else if (o ~ /^(suid|dev|exec)$/)
			true("mount flag", d " " o, \
				("," flags[where] ",") !~ ",no" o ",", flags[where])
		else if (o == "strictatime")
			true("mount flag", d " " o, opts !~ /,(rel|no)atime,/, opts)
		else if (o ~ /^r?private$/)
			is("propagation", d " " o, shared[where], "")
		else if (o ~ /^r?slave$/)
			true("propagation", d " " o, shared[where] !~ /shared:/, \
				shared[where])
		else if (o ~ /^r?shared$/)
			true("propagation", d " " o, shared[where] ~ /shared:/, \
				shared[where])
		else if (o == "idmap" && peer != "runc")
			true("mount flag", d " idmap", opts ~ /,idmapped,/, opts)
		else if (o == "tmpcopyup")
			true("tmpcopyup", d, stat[d "/copied"] ~ /type=file/, \
				stat[d "/copied"] error[d "/copied"])
		else if (o ~ /^size=/)
			true("mount data", d " " o, opts ~ ",size=" kilobytes(v) ",", \
				opts)
		else if (o ~ /^(ptmx)?mode=/ && v != "1777") {
			sub(/^0/, "", v)
			sub(/=.*/, "", o)
			true("mount data", d " " o, opts ~ "," o "=" v ",", opts)
		} else if (o ~ /^[gu]id=|^max=/ && space["user"] == "")
			true("mount data", d " " o, opts ~ "," o ",", opts)
		else if (o ~ /^hidepid=/)
			true("mount data", d " " o, \
				opts ~ /,hidepid=(2|invisible),/, opts)
	}
	if (want == "cgroup") {
		cgroups(d, ro, order[where])
		return
	}
	true("mount flag", d " read-only is " ro, \
		read_only(where) == ro, flags[where])
	if (bind && conf[m "source"] ~ "^" ENVIRON["T"] "/src/") {
		v = conf[m "source"]
		sub(/.*\/src\//, "/src/", v)
		true("mount", d " is " v, substr(bound[where], \
			length(bound[where]) - length(v) + 1) == v, bound[where])
	} else if (!bind)
		is("mount", d, type[where], want)
}

# One v2 hierarchy, or a tmpfs with one mount for each of v1.
function cgroups(d, ro, first,	where, key, all)
{
	for (where in type) {
		split(where, key, SUBSEP)
		if (index(key[1] "/", d "/") == 1 && order[where] >= first && \
		    type[where] ~ /^cgroup/ && \
		    (key[1] == d || !(key[1] in times))) {
			all++
			true("mount flag", key[1] " read-only is " ro, \
				read_only(where) == ro, flags[where])
		}
	}
	true("mount", d " shows cgroups", all > 0)
}

function device(c,	p, want)
{
	p = conf[c "path"]
	want = "stat " p " type=" (conf[c "type"] == "b" ? "block" : "char")
	if (space["user"] == "") {
		want = want sprintf(" mode=%04o", conf[c "fileMode"] % 4096)
		want = want " uid=" conf[c "uid"] " gid=" conf[c "gid"]
	}
	want = want ".* rdev=" conf[c "major"] ":" conf[c "minor"] " "
	true("device", p, stat[p] ~ want, stat[p] error[p] " not " want)
}

# Where the kernel lists the rules: v1.
function rules(r,	i, j, c, kind, number, open, n, line, found, access)
{
	if (device_rules == "" || !(r "0/allow" in conf))
		return
	n = split(device_rules, line, ";")
	for (i = 0; r i "/allow" in conf; i++) {
		c = r i "/"
		kind = conf[c "type"]
		if (kind == "" || kind == "a") {
			open = conf[c "allow"] == "true"
			continue
		}
		number = kind " " part(c "major") ":" part(c "minor")
		last[number] = i
	}
	for (i = 0; r i "/allow" in conf && !open; i++) {
		c = r i "/"
		number = conf[c "type"] " " part(c "major") ":" part(c "minor")
		if (last[number] != i)
			continue
		found = 0
		access = conf[c "access"]
		for (j = 1; j < n; j++)
			if (index(line[j], number " ") == 1)
				found = covers(substr(line[j], \
					length(number) + 2), access)
		true("device rule", number " " access, \
			found == (conf[c "allow"] == "true"), device_rules)
	}
	true("device rule", "all is " (open ? "" : "not ") "allowed", \
		(device_rules ~ /(^|;)a \*:\* rwm;/ ? 1 : 0) == open, device_rules)
}

function part(path)
{
	return conf[path] == "" || conf[path] < 0 ? "*" : conf[path]
}

function covers(have, access,	i)
{
	for (i = 1; i <= length(access); i++)
		if (!index(have, substr(access, i, 1)))
			return 0
	return 1
}

# A file that is not there is of another cgroup version.
function limit(path, file, want)
{
	if (conf["linux/resources/" path] != "" && "cg " file in seen)
		is("limit", file, seen["cg " file], want)
}

function limits(	r, quota, period, swap, path, file, n, c)
{
	r = "linux/resources/"
	limit("memory/limit", "memory.limit_in_bytes", conf[r "memory/limit"])
	limit("memory/limit", "memory.max", conf[r "memory/limit"])
	limit("memory/reservation", "memory.soft_limit_in_bytes", \
		conf[r "memory/reservation"])
	limit("memory/reservation", "memory.low", conf[r "memory/reservation"])
	swap = conf[r "memory/swap"]
	limit("memory/swap", "memory.memsw.limit_in_bytes", swap)
	limit("memory/swap", "memory.swap.max", swap - conf[r "memory/limit"])
	limit("memory/swappiness", "memory.swappiness", \
		conf[r "memory/swappiness"])
	if (conf[r "memory/disableOOMKiller"] == "true")
		limit("memory/disableOOMKiller", "memory.oom_control", \
			"oom_kill_disable 1")
	if (conf[r "cpu/shares"] > 0)
		limit("cpu/shares", "cpu.shares", conf[r "cpu/shares"])
	quota = conf[r "cpu/quota"]
	period = conf[r "cpu/period"]
	limit("cpu/quota", "cpu.cfs_quota_us", quota)
	limit("cpu/period", "cpu.cfs_period_us", period)
	limit("cpu/quota", "cpu.max", quota " " period)
	limit("cpu/realtimeRuntime", "cpu.rt_runtime_us", \
		conf[r "cpu/realtimeRuntime"])
	limit("cpu/cpus", "cpuset.cpus", conf[r "cpu/cpus"])
	limit("cpu/mems", "cpuset.mems", conf[r "cpu/mems"])
	if (conf[r "pids/limit"] > 0)
		limit("pids/limit", "pids.max", conf[r "pids/limit"])
	for (path in conf)
		if (path ~ /^linux\/resources\/unified\/./) {
			file = substr(path, 25)
			is("limit", file, seen["cg " file], conf[path])
		}
	throttle("throttleReadBpsDevice", "read_bps_device")
	throttle("throttleWriteBpsDevice", "write_bps_device")
	throttle("throttleReadIOPSDevice", "read_iops_device")
	throttle("throttleWriteIOPSDevice", "write_iops_device")
	n = looked ? split(ENVIRON["placed"], c, " ") : 0
	for (i = 1; i <= n && "linux/cgroupsPath" in conf; i++)
		is("cgroup", c[i], seen["in " c[i]], conf["linux/cgroupsPath"])
}

function throttle(devices, file,	c)
{
	c = "linux/resources/blockIO/" devices "/0/"
	if (c "rate" in conf && "cg blkio.throttle." file in seen)
		is("limit", file, seen["cg blkio.throttle." file], \
			conf[c "major"] ":" conf[c "minor"] " " conf[c "rate"])
}

# Each hook has left the state that it got.
function hooks(	path, stage)
{
	for (path in conf)
		if (path ~ /^hooks\/[a-zA-Z]*\/0\/path$/) {
			stage = path
			sub(/^hooks\//, "", stage)
			sub(/\/.*/, "", stage)
			true("hook", stage, seen["hook." stage] ~ \
				"\"id\": *\"" ENVIRON["ID"] "\"", \
				seen["hook." stage])
		}
}
