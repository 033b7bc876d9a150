/* SPDX-License-Identifier: MIT */
/*
 * t_spec.c - SPEC: each property of config.json lands where it belongs, and
 * what is wrong with one is said with its path.
 */
#include "unit.h"
#define NSRUN_NO_MAIN
#include "../../nsrun.c"

static struct arena mem;
static struct err err;
static char warned[512];

static void on_log(void *data, enum nsrun_level level, const char *text)
{
	(void)data;
	if (level == NSRUN_WARNING)
		snprintf(warned, sizeof warned, "%s", text);
}

/* NULL with err; else valid until the next call. */
static struct spec *load(const char *text)
{
	static const struct nsrun_options o = { .id = "c", .log = on_log };
	static char *copy;
	size_t n = strlen(text);

	mem_free(&mem);
	free(copy);
	copy = malloc(n + 1);
	memcpy(copy, text, n);
	memset(&err, 0, sizeof err);
	*warned = 0;
	return spec_parse(&mem, &o, copy, n, &err);
}

/* The least config, with more members of process, linux and the top. */
static struct spec *with(const char *process, const char *lin, const char *top)
{
	char doc[8192];

	snprintf(doc, sizeof doc, "{\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]"
		 "%s%s},\"root\":{\"path\":\"r\"}%s%s%s%s%s}",
		 *process ? "," : "", process, *lin ? ",\"linux\":{" : "", lin,
		 *lin ? "}" : "", *top ? "," : "", top);
	return load(doc);
}

static void refused(int line, struct spec *s, const char *due)
{
	unit_want(!s && str_eq(err.text, due), line, "\"%s\", not \"%s\"",
		  s ? "no error" : err.text, due);
}

static bool is(struct opt o, long long v)
{
	return o.set && o.v == v;
}

#define SAME(member, text) want_str(#member, member, text)
#define NUMBER(member, value) \
	want(is(member, value), #member " is %lld", (member).v)

static void t_process(void)
{
	struct spec *s = with(
		"\"terminal\":true,\"consoleSize\":{\"height\":24,"
		"\"width\":80},"
		"\"user\":{\"uid\":1,\"gid\":2,\"umask\":18,"
		"\"additionalGids\":[3,4294967294]},"
		"\"args\":[\"/bin/x\",\"\",\"-y\"],\"env\":[\"A=1\",\"B=\"],"
		"\"cwd\":\"/tmp\",\"capabilities\":{\"bounding\":["
		"\"CAP_CHOWN\",\"CAP_CHECKPOINT_RESTORE\"],\"effective\":["
		"\"CAP_KILL\"],\"inheritable\":[\"CAP_NET_RAW\"],"
		"\"permitted\":[\"CAP_SYS_ADMIN\"],\"ambient\":["
		"\"CAP_BPF\",\"CAP_BPF\"]},\"rlimits\":[{\"type\":"
		"\"RLIMIT_NOFILE\",\"soft\":1024,\"hard\":"
		"18446744073709551615},{\"type\":\"RLIMIT_CORE\",\"soft\":0,"
		"\"hard\":0}],\"noNewPrivileges\":true,"
		"\"apparmorProfile\":\"prof\",\"selinuxLabel\":\"label\","
		"\"oomScoreAdj\":-5,\"scheduler\":{\"policy\":\"SCHED_BATCH\","
		"\"nice\":5,\"flags\":[\"SCHED_FLAG_RESET_ON_FORK\","
		"\"SCHED_FLAG_UTIL_CLAMP_MAX\"]},\"ioPriority\":{\"class\":"
		"\"IOPRIO_CLASS_IDLE\",\"priority\":4},\"execCPUAffinity\":{"
		"\"initial\":\"0\",\"final\":\"0-1\"}", "", "");
	struct spec_process *p;

	it("puts every property of process where it belongs");
	if (!want(s, "%s", err.text))
		return;
	p = s->process;
	want(p->terminal && p->no_new_privs, "a flag");
	want(p->size && is(p->size->height, 24) && is(p->size->width, 80),
	     "consoleSize");
	NUMBER(p->user.uid, 1);
	NUMBER(p->user.gid, 2);
	NUMBER(p->user.umask, 18);
	want(p->user.groups.n == 2 && is(p->user.groups.v[0], 3) &&
	     is(p->user.groups.v[1], 4294967294LL), "additionalGids");
	want(p->args.n == 3 && str_eq(p->args.v[0], "/bin/x") &&
	     !*p->args.v[1] && str_eq(p->args.v[2], "-y") && !p->args.v[3],
	     "args");
	want(p->env.n == 2 && str_eq(p->env.v[0], "A=1") &&
	     str_eq(p->env.v[1], "B=") && !p->env.v[2], "env");
	SAME(p->cwd, "/tmp");
	want(p->caps->set[CAP_BOUNDING] == (1ULL << 40 | 1), "bounding");
	want(p->caps->set[CAP_EFFECTIVE] == 1ULL << 5, "effective");
	want(p->caps->set[CAP_INHERITABLE] == 1ULL << 13, "inheritable");
	want(p->caps->set[CAP_PERMITTED] == 1ULL << 21, "permitted");
	want(p->caps->set[CAP_AMBIENT] == 1ULL << 39, "ambient");
	want(p->rlimits.n == 2 && is(p->rlimits.v[0].type, RLIMIT_NOFILE) &&
	     p->rlimits.v[0].soft == 1024 &&
	     p->rlimits.v[0].hard == ULLONG_MAX &&
	     is(p->rlimits.v[1].type, RLIMIT_CORE), "rlimits");
	SAME(p->apparmor, "prof");
	SAME(p->selinux, "label");
	NUMBER(p->oom_score_adj, -5);
	NUMBER(p->scheduler->policy, 3);
	NUMBER(p->scheduler->nice, 5);
	want(p->scheduler->flags == 65, "scheduler.flags");
	NUMBER(p->ioprio->class, 3);
	NUMBER(p->ioprio->priority, 4);
	SAME(p->affinity->initial, "0");
	SAME(p->affinity->final, "0-1");

	it("takes the parameters of each scheduling policy");
	s = with("\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"priority\":99}",
		 "", "");
	want(s && is(s->process->scheduler->policy, 1) &&
	     is(s->process->scheduler->priority, 99), "%s", err.text);
	s = with("\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"runtime\":1,"
		 "\"deadline\":2,\"period\":3}", "", "");
	want(s && is(s->process->scheduler->policy, 6) &&
	     is(s->process->scheduler->runtime, 1) &&
	     is(s->process->scheduler->deadline, 2) &&
	     is(s->process->scheduler->period, 3), "%s", err.text);
}

static void t_top(void)
{
	struct spec *s = load("{\"ociVersion\":\"1.3.0\",\"hostname\":\"h\","
		"\"domainname\":\"d\",\"process\":{\"cwd\":\"/\",\"args\":"
		"[\"a\"]},\"root\":{\"path\":\"/r\",\"readonly\":true},"
		"\"mounts\":[{\"destination\":\"/d\",\"source\":\"s\",\"type\":"
		"\"t\",\"options\":[\"o\",\"p\"],\"uidMappings\":["
		"{\"containerID\":1,\"hostID\":2,\"size\":3}],"
		"\"gidMappings\":[{\"containerID\":4,\"hostID\":5,\"size\":"
		"4294967295}]},{\"destination\":\"/e\"}],\"annotations\":"
		"{\"k\":\"v\",\"\":\"\"},\"linux\":{\"namespaces\":["
		"{\"type\":\"mount\"},{\"type\":\"uts\",\"path\":\"\"}]}}");
	const struct spec_mount *m;

	it("puts every property of the top, root and mounts where it belongs");
	if (!want(s, "%s", err.text))
		return;
	SAME(s->version, "1.3.0");
	SAME(s->hostname, "h");
	SAME(s->domainname, "d");
	SAME(s->root->path, "/r");
	want(s->root->readonly, "root.readonly");
	want(s->mounts.n == 2, "%zu mounts", s->mounts.n);
	m = s->mounts.v;
	SAME(m->destination, "/d");
	SAME(m->source, "s");
	SAME(m->type, "t");
	want(m->options.n == 2 && str_eq(m->options.v[1], "p") &&
	     !m->options.v[2], "options");
	want(m->uids.n == 1 && is(m->uids.v[0].inside, 1) &&
	     is(m->uids.v[0].outside, 2) && is(m->uids.v[0].size, 3), "uids");
	want(m->gids.n == 1 && is(m->gids.v[0].inside, 4) &&
	     is(m->gids.v[0].size, 4294967295LL), "gids");
	want(!m[1].source && !m[1].type && !m[1].options.n, "the second");
	want(s->annotations.n == 2 && str_eq(s->annotations.v[0].key, "k") &&
	     str_eq(s->annotations.v[0].value, "v") &&
	     !*s->annotations.v[1].key, "annotations");
}

static void t_linux(void)
{
	struct spec *s = with("",
		"\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\","
		"\"path\":\"/n\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},"
		"{\"type\":\"mount\"},{\"type\":\"user\"},{\"type\":"
		"\"cgroup\"},{\"type\":\"time\"}],"
		"\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":2}],"
		"\"gidMappings\":[{\"containerID\":3,\"hostID\":4,\"size\":5}],"
		"\"timeOffsets\":{\"monotonic\":{\"secs\":-7,\"nanosecs\":8},"
		"\"boottime\":{\"secs\":9}},\"devices\":[{\"path\":\"/dev/x\","
		"\"type\":\"b\",\"major\":1,\"minor\":2,\"fileMode\":438,"
		"\"uid\":3,\"gid\":4},{\"path\":\"/dev/p\",\"type\":\"p\"}],"
		"\"cgroupsPath\":\"/c\",\"sysctl\":{\"a.b\":\"1\"},"
		"\"rootfsPropagation\":\"rslave\",\"maskedPaths\":[\"/m\"],"
		"\"readonlyPaths\":[\"/p\",\"/q\"],\"mountLabel\":\"ml\","
		"\"personality\":{\"domain\":\"LINUX32\",\"flags\":[\"F\"]}",
		"");
	static const int types[] = { CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC,
		CLONE_NEWUTS, CLONE_NEWNS, CLONE_NEWUSER, K_NEWCGROUP,
		K_NEWTIME };
	struct spec_linux *l;
	size_t i;

	it("puts every property of linux where it belongs");
	if (!want(s, "%s", err.text))
		return;
	l = &s->linux;
	want(l->namespaces.n == 8, "%zu namespaces", l->namespaces.n);
	for (i = 0; i < 8; i++)
		NUMBER(l->namespaces.v[i].type, types[i]);
	SAME(l->namespaces.v[1].path, "/n");
	want(l->uids.n == 1 && is(l->uids.v[0].outside, 1) &&
	     is(l->uids.v[0].size, 2), "uidMappings");
	want(l->gids.n == 1 && is(l->gids.v[0].inside, 3), "gidMappings");
	NUMBER(l->monotonic.secs, -7);
	NUMBER(l->monotonic.nanosecs, 8);
	NUMBER(l->boottime.secs, 9);
	want(!l->boottime.nanosecs.set, "boottime.nanosecs");
	want(l->devices.n == 2, "%zu devices", l->devices.n);
	SAME(l->devices.v[0].path, "/dev/x");
	NUMBER(l->devices.v[0].type, S_IFBLK);
	NUMBER(l->devices.v[0].major, 1);
	NUMBER(l->devices.v[0].minor, 2);
	NUMBER(l->devices.v[0].mode, 0666);
	NUMBER(l->devices.v[0].uid, 3);
	NUMBER(l->devices.v[0].gid, 4);
	NUMBER(l->devices.v[1].type, S_IFIFO);
	SAME(l->cgroups_path, "/c");
	want(l->sysctl.n == 1 && str_eq(l->sysctl.v[0].key, "a.b") &&
	     str_eq(l->sysctl.v[0].value, "1"), "sysctl");
	NUMBER(l->propagation, MS_SLAVE | MS_REC);
	want(l->masked.n == 1 && str_eq(l->masked.v[0], "/m"), "masked");
	want(l->readonly.n == 2 && str_eq(l->readonly.v[1], "/q"), "readonly");
	SAME(l->mount_label, "ml");
	NUMBER(l->personality->domain, 8);
	want(l->personality->flags.n == 1, "personality.flags");
}

static void t_resources(void)
{
	struct spec *s = with("", "\"resources\":{\"devices\":[{\"allow\":"
		"false},{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":"
		"-1,\"access\":\"rw\"}],\"memory\":{\"limit\":1048576,"
		"\"swap\":2097152,\"reservation\":3,\"swappiness\":60,"
		"\"disableOOMKiller\":true,\"checkBeforeUpdate\":true,"
		"\"kernel\":1,\"kernelTCP\":2,\"useHierarchy\":true},"
		"\"cpu\":{\"shares\":512,\"quota\":-1,\"period\":100000,"
		"\"cpus\":\"0-1\",\"mems\":\"0\"},\"pids\":{\"limit\":32},"
		"\"unified\":{\"memory.high\":\"max\"}}", "");
	const struct spec_resources *r;

	it("puts every property of resources where it belongs");
	if (!want(s, "%s", err.text))
		return;
	r = &s->linux.resources;
	want(r->devices.n == 2, "%zu rules", r->devices.n);
	want(!r->devices.v[0].allow && !r->devices.v[0].type.set &&
	     !r->devices.v[0].access, "rule 0");
	want(r->devices.v[1].allow && is(r->devices.v[1].type, S_IFCHR) &&
	     is(r->devices.v[1].major, 1) && is(r->devices.v[1].minor, -1),
	     "rule 1");
	SAME(r->devices.v[1].access, "rw");
	NUMBER(r->memory.limit, 1048576);
	NUMBER(r->memory.swap, 2097152);
	NUMBER(r->memory.reservation, 3);
	NUMBER(r->memory.swappiness, 60);
	want(r->memory.no_oom_killer && r->memory.check_update, "a flag");
	NUMBER(r->cpu.shares, 512);
	NUMBER(r->cpu.quota, -1);
	NUMBER(r->cpu.period, 100000);
	SAME(r->cpu.cpus, "0-1");
	SAME(r->cpu.mems, "0");
	NUMBER(r->pids, 32);
	want(r->unified.n == 1 && str_eq(r->unified.v[0].key, "memory.high") &&
	     str_eq(r->unified.v[0].value, "max"), "unified");
}

/*
 * Every property by its path, with what is written in the specification: the
 * range of a number, or the kind.
 */
enum kind { BOOL, STR, INT, NAME, LIST, OBJ };

static const struct property {
	const char	*path;
	enum kind	kind;
	const char	*below, *min, *max, *above;
} properties[] = {
#define IDS		"-1", "0", "4294967294", "4294967295"
#define ANY		"-9223372036854775809", "-9223372036854775808", \
			"9223372036854775807", "9223372036854775808"
#define UP		"-1", "0", "9223372036854775807", "9223372036854775808"
#define UP1		"-2", "-1", "9223372036854775807", "9223372036854775808"
#define WORD		NULL, NULL, NULL, NULL
	{ "ociVersion", STR, WORD },
	{ "hostname", STR, WORD },
	{ "domainname", STR, WORD },
	{ "annotations", OBJ, WORD },
	{ "annotations.k", STR, WORD },
	{ "root", OBJ, WORD },
	{ "root.path", STR, WORD },
	{ "root.readonly", BOOL, WORD },
	{ "mounts", LIST, WORD },
	{ "mounts[0]", OBJ, WORD },
	{ "mounts[0].destination", STR, WORD },
	{ "mounts[0].source", STR, WORD },
	{ "mounts[0].type", STR, WORD },
	{ "mounts[0].options", LIST, WORD },
	{ "mounts[0].options[0]", STR, WORD },
	{ "mounts[0].uidMappings", LIST, WORD },
	{ "mounts[0].uidMappings[0]", OBJ, WORD },
	{ "mounts[0].uidMappings[0].containerID", INT, IDS },
	{ "mounts[0].gidMappings[0].size", INT, "0", "1", "4294967295",
	  "4294967296" },
	{ "process", OBJ, WORD },
	{ "process.terminal", BOOL, WORD },
	{ "process.consoleSize", OBJ, WORD },
	{ "process.consoleSize.height", INT, "-1", "0", "65535", "65536" },
	{ "process.consoleSize.width", INT, "-1", "0", "65535", "65536" },
	{ "process.user", OBJ, WORD },
	{ "process.user.uid", INT, IDS },
	{ "process.user.gid", INT, IDS },
	{ "process.user.umask", INT, "-1", "0", "511", "512" },
	{ "process.user.additionalGids", LIST, WORD },
	{ "process.user.additionalGids[0]", INT, IDS },
	{ "process.args", LIST, WORD },
	{ "process.args[0]", STR, WORD },
	{ "process.env", LIST, WORD },
	{ "process.env[0]", STR, WORD },
	{ "process.cwd", STR, WORD },
	{ "process.capabilities", OBJ, WORD },
	{ "process.capabilities.bounding", LIST, WORD },
	{ "process.capabilities.bounding[0]", STR, WORD },
	{ "process.capabilities.effective[0]", STR, WORD },
	{ "process.capabilities.inheritable[0]", STR, WORD },
	{ "process.capabilities.permitted[0]", STR, WORD },
	{ "process.capabilities.ambient[0]", STR, WORD },
	{ "process.rlimits", LIST, WORD },
	{ "process.rlimits[0]", OBJ, WORD },
	{ "process.rlimits[0].type", NAME, WORD },
	{ "process.rlimits[0].soft", INT, "-1", "0", "18446744073709551615",
	  "18446744073709551616" },
	{ "process.rlimits[0].hard", INT, "-1", "0", "18446744073709551615",
	  "18446744073709551616" },
	{ "process.noNewPrivileges", BOOL, WORD },
	{ "process.apparmorProfile", STR, WORD },
	{ "process.selinuxLabel", STR, WORD },
	{ "process.oomScoreAdj", INT, "-1001", "-1000", "1000", "1001" },
	{ "process.scheduler", OBJ, WORD },
	{ "process.scheduler.policy", NAME, WORD },
	{ "process.scheduler.nice", INT, "-21", "-20", "19", "20" },
	{ "process.scheduler.priority", INT, "-1", "0", "99", "100" },
	{ "process.scheduler.flags", LIST, WORD },
	{ "process.scheduler.flags[0]", NAME, WORD },
	{ "process.scheduler.runtime", INT, UP },
	{ "process.scheduler.deadline", INT, UP },
	{ "process.scheduler.period", INT, UP },
	{ "process.ioPriority", OBJ, WORD },
	{ "process.ioPriority.class", NAME, WORD },
	{ "process.ioPriority.priority", INT, "-1", "0", "7", "8" },
	{ "process.execCPUAffinity", OBJ, WORD },
	{ "process.execCPUAffinity.initial", STR, WORD },
	{ "process.execCPUAffinity.final", STR, WORD },
	{ "linux", OBJ, WORD },
	{ "linux.namespaces", LIST, WORD },
	{ "linux.namespaces[0]", OBJ, WORD },
	{ "linux.namespaces[0].type", NAME, WORD },
	{ "linux.namespaces[0].path", STR, WORD },
	{ "linux.uidMappings", LIST, WORD },
	{ "linux.uidMappings[0].containerID", INT, IDS },
	{ "linux.uidMappings[0].hostID", INT, IDS },
	{ "linux.gidMappings[0].size", INT, "0", "1", "4294967295",
	  "4294967296" },
	{ "linux.timeOffsets", OBJ, WORD },
	{ "linux.timeOffsets.monotonic", OBJ, WORD },
	{ "linux.timeOffsets.monotonic.secs", INT, ANY },
	{ "linux.timeOffsets.boottime.secs", INT, ANY },
	{ "linux.timeOffsets.boottime.nanosecs", INT, "-1", "0", "999999999",
	  "1000000000" },
	{ "linux.devices", LIST, WORD },
	{ "linux.devices[0]", OBJ, WORD },
	{ "linux.devices[0].type", NAME, WORD },
	{ "linux.devices[0].path", STR, WORD },
	{ "linux.devices[0].major", INT, "-1", "0", "4095", "4096" },
	{ "linux.devices[0].minor", INT, "-1", "0", "1048575", "1048576" },
	{ "linux.devices[0].fileMode", INT, "-1", "0", "511", "4294967296" },
	{ "linux.devices[0].uid", INT, IDS },
	{ "linux.devices[0].gid", INT, IDS },
	{ "linux.cgroupsPath", STR, WORD },
	{ "linux.sysctl", OBJ, WORD },
	{ "linux.sysctl.k", STR, WORD },
	{ "linux.rootfsPropagation", NAME, WORD },
	{ "linux.maskedPaths", LIST, WORD },
	{ "linux.maskedPaths[0]", STR, WORD },
	{ "linux.readonlyPaths", LIST, WORD },
	{ "linux.readonlyPaths[0]", STR, WORD },
	{ "linux.mountLabel", STR, WORD },
	{ "linux.personality", OBJ, WORD },
	{ "linux.personality.domain", NAME, WORD },
	{ "linux.personality.flags", LIST, WORD },
	{ "linux.resources", OBJ, WORD },
	{ "linux.resources.devices", LIST, WORD },
	{ "linux.resources.devices[0]", OBJ, WORD },
	{ "linux.resources.devices[0].allow", BOOL, WORD },
	{ "linux.resources.devices[0].type", NAME, WORD },
	{ "linux.resources.devices[0].major", INT, "-2", "-1", "4095",
	  "9223372036854775808" },
	{ "linux.resources.devices[0].minor", INT, "-2", "-1", "1048575",
	  "9223372036854775808" },
	{ "linux.resources.devices[0].access", STR, WORD },
	{ "linux.resources.memory", OBJ, WORD },
	{ "linux.resources.memory.limit", INT, UP1 },
	{ "linux.resources.memory.swap", INT, UP1 },
	{ "linux.resources.memory.reservation", INT, UP1 },
	{ "linux.resources.memory.swappiness", INT, "-1", "0", "100", "101" },
	{ "linux.resources.memory.disableOOMKiller", BOOL, WORD },
	{ "linux.resources.memory.checkBeforeUpdate", BOOL, WORD },
	{ "linux.resources.cpu", OBJ, WORD },
	{ "linux.resources.cpu.shares", INT, UP },
	{ "linux.resources.cpu.quota", INT, ANY },
	{ "linux.resources.cpu.period", INT, UP },
	{ "linux.resources.cpu.cpus", STR, WORD },
	{ "linux.resources.cpu.mems", STR, WORD },
	{ "linux.resources.pids", OBJ, WORD },
	{ "linux.resources.pids.limit", INT, ANY },
	{ "linux.resources.unified", OBJ, WORD },
	{ "linux.resources.unified.k", STR, WORD },
};

/* A config that holds nothing but the value at the path; without it if NULL. */
static struct spec *load_at(const char *path, const char *value)
{
	char doc[1024] = "", tail[64] = "";
	const char *last = strrchr(path, '.');

	if (!value && !last)
		return load("{}");
	while (*path) {
		size_t n = strcspn(path, ".[");

		if (!value && path > last) {
			strcat(doc, "{");
			memmove(tail + 1, tail, strlen(tail) + 1);
			*tail = '}';
			break;
		}
		if (*path == '[') {
			strcat(doc, "[");
			memmove(tail + 1, tail, strlen(tail) + 1);
			*tail = ']';
			path += 3;
		} else {
			sprintf(doc + strlen(doc), "{\"%.*s\":", (int)n, path);
			memmove(tail + 1, tail, strlen(tail) + 1);
			*tail = '}';
			path += n;
		}
		path += *path == '.';
	}
	strcat(doc, value ? value : "");
	strcat(doc, tail);
	return load(doc);
}

/* Is the error about this path, and does it end so? */
static bool says(const char *path, const char *what)
{
	char due[512];

	snprintf(due, sizeof due, "config.json: %s: %s", path, what);
	return strncmp(err.text, due, strlen(due)) == 0;
}

static void t_wrong_types(void)
{
	static const struct { const char *value, *name; int fits; } t[] = {
		{ "true", "a boolean", 1 << BOOL },
		{ "false", "a boolean", 1 << BOOL },
		{ "1", "a number", 1 << INT },
		{ "\"x\"", "a string", 1 << STR | 1 << NAME },
		{ "[]", "a list", 1 << LIST }, { "{}", "an object", 1 << OBJ },
	};
	static const char *const names[] = { "a boolean", "a string",
		"a number", "a string", "a list", "an object" };
	char due[128];
	size_t i, k;

	it("refuses every wrong type, with the path and both types");
	for (i = 0; i < COUNT(properties); i++)
		for (k = 0; k < COUNT(t); k++) {
			const struct property *p = &properties[i];

			if (t[k].fits >> p->kind & 1)
				continue;
			sprintf(due, "expected %s, found %s", names[p->kind],
				t[k].name);
			want(!load_at(p->path, t[k].value) &&
			     says(p->path, due), "%s = %s: %s", p->path,
			     t[k].value, err.text);
		}

	it("refuses a NUL character in every string");
	for (i = 0; i < COUNT(properties); i++)
		if (properties[i].kind == STR || properties[i].kind == NAME)
			want(!load_at(properties[i].path, "\"a\\u0000b\"") &&
			     says(properties[i].path, "holds a NUL"), "%s: %s",
			     properties[i].path, err.text);

	it("refuses unknown words where words are due");
	for (i = 0; i < COUNT(properties); i++)
		if (properties[i].kind == NAME)
			want(!load_at(properties[i].path, "\"bogus\"") &&
			     says(properties[i].path,
				  "unknown value \"bogus\""), "%s: %s",
			     properties[i].path, err.text);
}

static void t_ranges(void)
{
	static const char *const no_int[] = { "1.5", "1.0", "1e3", "1E3",
					      "0.5e1", "-0.0" };
	static const char *const too_large[] = {
		"100000000000000000000", "-100000000000000000000",
		"340282366920938463463374607431768211456" };
	size_t i, k;

	it("takes the first and the last number of each range, and no other");
	for (i = 0; i < COUNT(properties); i++) {
		const struct property *p = &properties[i];

		if (p->kind != INT)
			continue;
		load_at(p->path, p->min);
		want(!says(p->path, p->min), "least: %s", err.text);
		load_at(p->path, p->max);
		want(!says(p->path, p->max), "most: %s", err.text);
		want(!load_at(p->path, p->below) && says(p->path, p->below) &&
		     strstr(err.text, "is out of range"), "%s = %s: %s",
		     p->path, p->below, err.text);
		want(!load_at(p->path, p->above) && says(p->path, p->above) &&
		     strstr(err.text, "is out of range"), "%s = %s: %s",
		     p->path, p->above, err.text);
	}

	it("refuses fractions, powers and what is larger than 64 bits");
	for (i = 0; i < COUNT(properties); i++) {
		const struct property *p = &properties[i];

		if (p->kind != INT)
			continue;
		for (k = 0; k < COUNT(no_int); k++)
			want(!load_at(p->path, no_int[k]) &&
			     says(p->path, no_int[k]), "%s = %s: %s", p->path,
			     no_int[k], err.text);
		for (k = 0; k < COUNT(too_large); k++)
			want(!load_at(p->path, too_large[k]) &&
			     says(p->path, too_large[k]), "%s = %s: %s",
			     p->path, too_large[k], err.text);
	}
}

static void t_nulls(void)
{
	char absent[ERR_MAX];
	size_t i;

	it("takes null for absent, for every property");
	for (i = 0; i < COUNT(properties); i++) {
		const char *path = properties[i].path;

		if (strchr("]k", path[strlen(path) - 1]))
			continue;	/* an element is no property */
		load_at(path, NULL);
		strcpy(absent, err.text);
		load_at(path, "null");
		want(str_eq(err.text, absent), "%s: \"%s\", not \"%s\"", path,
		     err.text, absent);
	}

	it("refuses null as an element");
	refused(__LINE__, load_at("process.args[0]", "null"), "config.json: "
		"process.args[0]: expected a string, found null");
	refused(__LINE__, load_at("mounts[0]", "null"), "config.json: "
		"mounts[0]: expected an object, found null");
	refused(__LINE__, load_at("annotations.k", "null"), "config.json: "
		"annotations.k: expected a string, found null");
}

static void t_missing(void)
{
	static const struct { const char *doc, *path; } t[] = {
		{ "{}", "process" },
		{ "{\"process\":null}", "process" },
		{ "{\"process\":{}}", "process.cwd" },
		{ "{\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]}}", "root" },
		{ "{\"root\":{}}", "root.path" },
		{ "{\"mounts\":[{}]}", "mounts[0].destination" },
		{ "{\"mounts\":[{\"destination\":\"/a\"},{\"type\":\"x\"}]}",
		  "mounts[1].destination" },
		{ "{\"process\":{\"rlimits\":[{\"soft\":1,\"hard\":1}]}}",
		  "process.rlimits[0].type" },
		{ "{\"process\":{\"rlimits\":[{\"type\":\"RLIMIT_AS\","
		  "\"hard\":1}]}}", "process.rlimits[0].soft" },
		{ "{\"process\":{\"rlimits\":[{\"type\":\"RLIMIT_AS\","
		  "\"soft\":1}]}}", "process.rlimits[0].hard" },
		{ "{\"process\":{\"scheduler\":{}}}",
		  "process.scheduler.policy" },
		{ "{\"process\":{\"ioPriority\":{\"priority\":1}}}",
		  "process.ioPriority.class" },
		{ "{\"process\":{\"consoleSize\":{\"width\":1}}}",
		  "process.consoleSize.height" },
		{ "{\"linux\":{\"namespaces\":[{\"path\":\"/x\"}]}}",
		  "linux.namespaces[0].type" },
		{ "{\"linux\":{\"uidMappings\":[{\"hostID\":1,\"size\":1}]}}",
		  "linux.uidMappings[0].containerID" },
		{ "{\"linux\":{\"uidMappings\":[{\"containerID\":1,"
		  "\"size\":1}]}}", "linux.uidMappings[0].hostID" },
		{ "{\"linux\":{\"gidMappings\":[{\"containerID\":1,"
		  "\"hostID\":1}]}}", "linux.gidMappings[0].size" },
		{ "{\"linux\":{\"devices\":[{\"path\":\"/x\"}]}}",
		  "linux.devices[0].type" },
		{ "{\"linux\":{\"devices\":[{\"type\":\"p\"}]}}",
		  "linux.devices[0].path" },
		{ "{\"linux\":{\"resources\":{\"devices\":[{\"access\":\"r\"}]"
		  "}}}", "linux.resources.devices[0].allow" },
		{ "{\"linux\":{\"personality\":{}}}",
		  "linux.personality.domain" },
	};
	char due[128];
	size_t i;

	it("names the property that is missing");
	for (i = 0; i < COUNT(t); i++) {
		sprintf(due, "config.json: %s: is missing", t[i].path);
		refused(__LINE__, load(t[i].doc), due);
	}
}

static void t_twice(void)
{
	struct spec *s;

	it("takes the later of two members of one name");
	s = with("\"cwd\":\"/b\",\"args\":[\"b\",\"c\"],\"oomScoreAdj\":1,"
		 "\"oomScoreAdj\":2,\"terminal\":true,\"terminal\":false", "",
		 "\"root\":{\"path\":\"z\"},\"annotations\":{\"a\":\"1\"},"
		 "\"annotations\":{\"b\":\"2\"}");
	if (want(s, "%s", err.text)) {
		SAME(s->process->cwd, "/b");
		want(s->process->args.n == 2, "args");
		NUMBER(s->process->oom_score_adj, 2);
		want(!s->process->terminal, "terminal");
		SAME(s->root->path, "z");
		want(s->annotations.n == 1 &&
		     str_eq(s->annotations.v[0].key, "b"), "annotations");
	}

	it("looks at the earlier of the two all the same");
	refused(__LINE__, with("\"oomScoreAdj\":9999,\"oomScoreAdj\":2", "",
			       ""),
		"config.json: process.oomScoreAdj: 9999 is out of range");
}

static void t_unknown(void)
{
	struct spec *s;

	it("ignores unknown properties at every level, whatever they hold");
	s = with("\"x\":1,\"commandLine\":\"y\",\"user\":{\"username\":\"z\","
		 "\"uid\":7},\"capabilities\":{\"x\":[1]}",
		 "\"x\":{},\"namespaces\":[{\"type\":\"mount\",\"y\":[[]]}],"
		 "\"resources\":{\"x\":1,\"memory\":{\"x\":1.5},\"cpu\":{\"y\":"
		 "true},\"pids\":{\"z\":null}},\"timeOffsets\":{\"x\":1}",
		 "\"windows\":{\"layerFolders\":[\"x\"]},\"solaris\":{},"
		 "\"vm\":{\"hypervisor\":{}},\"x\":null,\"\":0,\"Hostname\":5,"
		 "\"mounts\":[{\"destination\":\"/d\",\"x\":9}]");
	want(s && is(s->process->user.uid, 7), "%s", err.text);

	it("does not take a member with a NUL in its name for another one");
	s = with("", "", "\"hostname\\u0000x\":5");
	want(s || strstr(err.text, "NUL"), "%s", err.text);

	it("warns of a capability that it does not know, and goes on");
	s = with("\"capabilities\":{\"bounding\":[\"CAP_NEW\",\"CAP_KILL\"]}",
		 "", "");
	want(s && s->process->caps->set[CAP_BOUNDING] == 32, "%s", err.text);
	want(strstr(warned, "CAP_NEW") != NULL, "warned: \"%s\"", warned);
}

static void t_later(void)
{
	static const struct { const char *path, *asks; } t[] = {
		{ "linux.seccomp", "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}" },
		{ "linux.memoryPolicy", "{\"mode\":\"MPOL_BIND\"}" },
		{ "linux.netDevices", "{\"eth0\":{\"name\":\"e\"}}" },
	};
	static const char *const nothing[] = { "null", "{}", "[]", "0",
		"false", "\"\"", "{\"a\":null,\"b\":[],\"c\":{\"d\":[{}]}}" };
	size_t i, k;

	it("refuses by name what it does not apply, if it is asked for");
	for (i = 0; i < COUNT(t); i++)
		want(!load_at(t[i].path, t[i].asks) &&
		     says(t[i].path, "nsrun " NSRUN_VERSION
			  " does not support this"), "%s: %s", t[i].path,
		     err.text);

	it("does not refuse it if it asks for nothing");
	for (i = 0; i < COUNT(t); i++)
		for (k = 0; k < COUNT(nothing); k++) {
			load_at(t[i].path, nothing[k]);
			want(!says(t[i].path, ""), "%s = %s: %s", t[i].path,
			     nothing[k], err.text);
		}
}

static void t_rules(void)
{
#define MNT "\"namespaces\":[{\"type\":\"mount\"}]"
#define USER "\"namespaces\":[{\"type\":\"user\"}]"
#define ONE "[{\"containerID\":0,\"hostID\":0,\"size\":1}]"
#define RES(s) "\"resources\":{" s "}"
	static const struct { const char *process, *lin, *top, *error; } t[] = {
		{ "", "", "\"hooks\":{\"prestart\":[{\"args\":[]}]}",
		  "hooks.prestart[0].path: is missing" },
		{ "", "", "\"hooks\":{\"poststop\":[{\"path\":\"/a\"},"
		  "{\"path\":\"b\"}]}", "hooks.poststop[1].path: \"b\" is "
		  "not an absolute path" },
		{ "", "", "\"hooks\":{\"startContainer\":[{\"path\":"
		  "\"/a\",\"timeout\":0}]}", "hooks.startContainer[0]."
		  "timeout: 0 is out of range" },
		{ "\"cwd\":\"tmp\"", "", "", "process.cwd: \"tmp\" is not an "
		  "absolute path" },
		{ "\"cwd\":\"\"", "", "", "process.cwd: \"\" is not an "
		  "absolute path" },
		{ "\"args\":[]", "", "", "process.args: names no program" },
		{ "\"args\":[\"\"]", "", "", "process.args: exec: \"\": "
		  "executable file not found in $PATH" },
		{ "\"env\":[\"A=1\",\"B\"]", "", "", "process.env[1]: \"B\" is "
		  "not NAME=value" },
		{ "\"env\":[\"=x\"]", "", "", "process.env[0]: \"=x\" is not "
		  "NAME=value" },
		{ "\"env\":[\"\"]", "", "", "process.env[0]: \"\" is not "
		  "NAME=value" },
		{ "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1}"
		  "]", "", "", "process.rlimits[0].soft: 2 is more than hard, "
		  "1" },
		{ "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1}"
		  ",{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1}]", "", "",
		  "process.rlimits[1].type: RLIMIT_CPU stands there twice" },
		{ "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"priority\":1}",
		  "", "", "process.scheduler.priority: goes with SCHED_FIFO "
		  "and SCHED_RR only" },
		{ "\"scheduler\":{\"policy\":\"SCHED_RR\",\"period\":1}", "",
		  "", "process.scheduler.runtime: runtime, deadline and period "
		  "go with SCHED_DEADLINE only" },
		{ "", "", "\"root\":{\"path\":\"\"}", "root.path: is empty" },
		{ "", MNT, "\"mounts\":[{\"destination\":\"\"}]",
		  "mounts[0].destination: is empty" },
		{ "", "", "\"hostname\":\"x\"", "hostname: there is no uts "
		  "namespace in linux.namespaces" },
		{ "", "", "\"domainname\":\"x\"", "domainname: there is no uts "
		  "namespace in linux.namespaces" },
		{ "", "", "\"hostname\":\"0123456789012345678901234567890123456"
		  "7890123456789012345678901234\"", "hostname: is longer than "
		  "64 bytes" },
		{ "", "", "\"mounts\":[{\"destination\":\"/a\"}]", "mounts: "
		  "there is no mount namespace in linux.namespaces (they would "
		  "change the host)" },
		{ "", "\"maskedPaths\":[\"/a\"]", "", "linux.maskedPaths: "
		  "there is no mount namespace in linux.namespaces" },
		{ "", "\"readonlyPaths\":[\"/a\"]", "", "linux.readonlyPaths: "
		  "there is no mount namespace in linux.namespaces" },
		{ "", "\"rootfsPropagation\":\"shared\"", "",
		  "linux.rootfsPropagation: there is no mount namespace in "
		  "linux.namespaces" },
		{ "", "", "\"root\":{\"path\":\"r\",\"readonly\":true}",
		  "root.readonly: there is no mount namespace in "
		  "linux.namespaces" },
		{ "", "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]",
		  "", "linux.namespaces[1].type: this type stands there "
		  "twice" },
		{ "", "\"namespaces\":[{\"type\":\"pid\",\"path\":\"x\"}]", "",
		  "linux.namespaces[0].path: \"x\" is not an absolute path" },
		{ "", "\"uidMappings\":" ONE, "", "linux.uidMappings: there is "
		  "no user namespace in linux.namespaces" },
		{ "", USER, "", "linux.uidMappings: a new user namespace needs "
		  "one" },
		{ "", USER ",\"uidMappings\":" ONE, "", "linux.gidMappings: a "
		  "new user namespace needs one" },
		{ "", "\"timeOffsets\":{\"boottime\":{\"secs\":1}}", "",
		  "linux.timeOffsets: there is no new time namespace in "
		  "linux.namespaces" },
		{ "", "\"timeOffsets\":{\"boottime\":{\"secs\":1}},"
		  "\"namespaces\":[{\"type\":\"time\",\"path\":\"/t\"}]", "",
		  "linux.timeOffsets: there is no new time namespace in "
		  "linux.namespaces" },
		{ "", "\"devices\":[{\"path\":\"x\",\"type\":\"p\"}]", "",
		  "linux.devices[0].path: \"x\" is not an absolute path" },
		{ "", "\"devices\":[{\"path\":\"/x\",\"type\":\"a\"}]", "",
		  "linux.devices[0].type: \"a\" is for device rules only" },
		{ "", "\"devices\":[{\"path\":\"/x\",\"type\":\"c\"}]", "",
		  "linux.devices[0].major: is missing" },
		{ "", "\"devices\":[{\"path\":\"/x\",\"type\":\"b\",\"major\":1"
		  "}]", "", "linux.devices[0].minor: is missing" },
		{ "", RES("\"memory\":{\"swap\":2}"), "",
		  "linux.resources.memory.swap: is memory and swap together, "
		  "and needs memory.limit" },
		{ "", RES("\"memory\":{\"limit\":3,\"swap\":2}"), "",
		  "linux.resources.memory.swap: 2 is memory and swap together, "
		  "and less than memory.limit, 3" },
		{ "", RES("\"devices\":[{\"allow\":true,\"type\":\"p\"}]"), "",
		  "linux.resources.devices[0].type: a rule is for a, b or c" },
		{ "", RES("\"devices\":[{\"allow\":true,\"access\":\"rx\"}]"),
		  "", "linux.resources.devices[0].access: \"rx\" is not made "
		  "of r, w and m" },
		{ "", RES("\"devices\":[{\"allow\":true,\"access\":\"\"}]"),
		  "", "linux.resources.devices[0].access: \"\" is not made "
		  "of r, w and m" },
		{ "", RES("\"unified\":{\"../memory.max\":\"1\"}"), "",
		  "linux.resources.unified.../memory.max: is no file of a "
		  "controller" },
		{ "", RES("\"unified\":{\"x\":\"1\"}"), "",
		  "linux.resources.unified.x: is no file of a controller" },
	};
	static const struct { const char *process, *lin, *top; } good[] = {
		{ "", "", "" }, { "", USER ",\"uidMappings\":" ONE
		  ",\"gidMappings\":" ONE, "" },
		{ "", "\"namespaces\":[{\"type\":\"user\",\"path\":\"/u\"}]",
		  "" },
		{ "", "\"namespaces\":[{\"type\":\"pid\",\"path\":null}]", "" },
		{ "\"env\":[\"A==\",\"A=\"]", "", "\"hostname\":\"\"" },
		{ "", RES("\"memory\":{\"limit\":-1,\"swap\":-1}"), "" },
		{ "", RES("\"memory\":{\"limit\":5,\"swap\":5}"), "" },
		{ "", RES("\"memory\":{\"swap\":0}"), "" },
		{ "", RES("\"devices\":[{\"allow\":true,\"type\":\"\"}]"), "" },
		{ "", "\"rootfsPropagation\":\"\"", "" },
		{ "", "\"devices\":[{\"path\":\"/x\",\"type\":\"u\","
		  "\"major\":0,\"minor\":0}]", "" },
		{ "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1}"
		  "]", "", "" },
	};
	char due[512];
	size_t i;

	it("knows the rules between properties");
	for (i = 0; i < COUNT(t); i++) {
		sprintf(due, "config.json: %s", t[i].error);
		refused(__LINE__, with(t[i].process, t[i].lin, t[i].top), due);
	}
	for (i = 0; i < COUNT(good); i++)
		want(with(good[i].process, good[i].lin, good[i].top), "%s %s "
		     "%s: %s", good[i].process, good[i].lin, good[i].top,
		     err.text);
}

static void t_no_object(void)
{
	it("wants one object");
	refused(__LINE__, load("[]"), "config.json: expected an object, found "
		"a list");
	refused(__LINE__, load("null"), "config.json: expected an object, found "
		"null");
	refused(__LINE__, load("7"), "config.json: expected an object, found "
		"a number");
	refused(__LINE__, load(""), "config.json:1:1: unexpected end of file");
	refused(__LINE__, load("{\"process\":{"), "config.json:1:13: "
		"unexpected end of file inside \"process\"");
}

/* What one may be sent: many of everything. Time is not to grow faster than
 * the text. */
static void t_hostile(void)
{
	size_t n = 100000, i;
	char *doc = malloc(n * 24 + 100), *p = doc;
	struct spec *s;

	it("takes a hundred thousand mounts");
	p += sprintf(p, "{\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]},"
		     "\"root\":{\"path\":\"r\"},\"linux\":{" MNT "},"
		     "\"mounts\":[");
	for (i = 0; i < n; i++)
		p += sprintf(p, "%s{\"destination\":\"/\"}", i ? "," : "");
	strcpy(p, "]}");
	s = load(doc);
	want(s && s->mounts.n == n, "%s", err.text);

	it("names the right one of a hundred thousand");
	strcpy(p, ",{\"destination\":\"\"}]}");
	refused(__LINE__, load(doc), "config.json: mounts[100000].destination: "
		"is empty");

	it("keeps a message within its bounds, whatever the names in it");
	p = doc + sprintf(doc, "{\"annotations\":{\"");
	memset(p, 'x', n);
	strcpy(p + n, "\":1}}");
	want(!load(doc) && strlen(err.text) < sizeof err.text &&
	     strncmp(err.text, "config.json: annotations.xxx", 28) == 0,
	     "%.40s", err.text);
	free(doc);
}

int main(void)
{
	t_top();
	t_process();
	t_linux();
	t_resources();
	t_wrong_types();
	t_ranges();
	t_nulls();
	t_missing();
	t_twice();
	t_unknown();
	t_later();
	t_rules();
	t_no_object();
	t_hostile();
	mem_free(&mem);
	return done();
}
