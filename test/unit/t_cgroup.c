/* SPDX-License-Identifier: MIT */
/*
 * t_cgroup.c - CGROUP: what is found on a host, where a container's groups
 * lie, and what is written into them. The host is made of texts.
 */
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/statfs.h>

/* The mountinfo of the host, from which statfs(2) is answered; and a place
 * where something else was mounted later, or that may not be entered. */
static const char *host_mounts = "";
static const char *read_only_at, *covered_at, *denied_at;

/* Undoes \040 and such. */
static void decode(char *p)
{
	char *out = p;
	unsigned c;

	for (; *p; *out++ = (char)c)
		if (sscanf(p, "\\%3o", &c) == 1)
			p += 4;
		else
			c = (unsigned char)*p++;
	*out = 0;
}

/* Is a the same as b, or above it? */
static bool holds(const char *a, const char *b)
{
	size_t n = strlen(a);

	return strncmp(a, b, n) == 0 &&
	       (!b[n] || b[n] == '/' || (n && a[n - 1] == '/'));
}

/* What is mounted at path, by the longest name above it; a directory exists
 * below a cgroup mount, and above one. */
static int unit_statfs(const char *path, struct statfs *fs)
{
	const char *line = host_mounts, *dash;
	char root[256], mount[256];
	size_t best = 0;
	bool exists = false;

	memset(fs, 0, sizeof *fs);
	if (denied_at && strcmp(path, denied_at) == 0)
		return errno = EACCES, -1;
	for (; line && *line; line = strchr(line, '\n')) {
		bool cgroup;

		line += *line == '\n';
		dash = strstr(line, " - ");
		if (!dash || sscanf(line, "%*d %*d %*s %255s %255s", root,
				    mount) != 2)
			continue;
		decode(mount);
		cgroup = strncmp(dash, " - cgroup", 9) == 0;
		exists |= cgroup && holds(path, mount);
		if (!holds(mount, path) || strlen(mount) < best)
			continue;
		best = strlen(mount);
		fs->f_type = !cgroup ? 0x01021994 :
			     dash[9] == '2' ? 0x63677270 : 0x27e0eb;
		exists |= cgroup && (strcmp(root, "/") == 0 ||
				     strlen(path) <= best + 1);
	}
	if (covered_at && holds(covered_at, path))
		fs->f_type = 0x01021994;
	fs->f_flags = read_only_at && holds(read_only_at, path);
	return exists ? 0 : (errno = ENOENT, -1);
}
#define statfs(path, fs) unit_statfs(path, fs)

#define NSRUN_NO_MAIN
#include "../../nsrun.c"

static struct arena mem;
static struct err err;

/* The formula of the OCI world, in floating point. */
static double weight_exactly(double shares)
{
	double l = log2(shares);
	double w = ceil(pow(10, (l * l + 125 * l) / 612 - 7.0 / 34));

	return w > 10000 ? 10000 : w;
}

static void t_weights(void)
{
	double last = 0;
	long long s;

	it("weighs all shares from 2 to 262144 as the formula");
	for (s = 2; s <= 262144; s++) {
		double w = cg_weight(s), due = weight_exactly((double)s);

		if (!want(fabs(w - due) < 1, "%lld: %.0f, not %.0f", s, w,
			  due) ||
		    !want(w >= last, "%lld: %.0f, after %.0f", s, w, last))
			break;
		last = w;
	}

	it("weighs the default as the default, and both ends as the ends");
	want(cg_weight(1024) == 100, "1024: %u", cg_weight(1024));
	want(cg_weight(2) == 1, "2: %u", cg_weight(2));
	want(cg_weight(262144) == 10000, "262144: %u", cg_weight(262144));
	want(cg_weight(1) == 1 && cg_weight(LLONG_MIN) == 1 &&
	     cg_weight(LLONG_MAX) == 10000, "out of range");
}

/* A directory that looks like /proc: self/cgroup and self/mountinfo. */
static int fake_proc(const char *cgroup, const char *mountinfo)
{
	char dir[128], path[160];
	const char *name[] = { "cgroup", "mountinfo" };
	const char *text[] = { cgroup, mountinfo };
	int fd, i;

	temp_dir(dir, sizeof dir);
	snprintf(path, sizeof path, "%s/self", dir);
	mkdir(path, 0700);
	for (i = 0; i < 2; i++) {
		FILE *f;

		if (!text[i])
			continue;
		snprintf(path, sizeof path, "%s/self/%s", dir, name[i]);
		f = fopen(path, "w");
		fputs(text[i], f);
		fclose(f);
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	return fd;
}

static void drop_proc(int fd)
{
	char path[64], dir[256];
	ssize_t n;

	unlinkat(fd, "self/cgroup", 0);
	unlinkat(fd, "self/mountinfo", 0);
	unlinkat(fd, "self", AT_REMOVEDIR);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	n = readlink(path, dir, sizeof dir - 1);
	close(fd);
	if (n > 0) {
		dir[n] = 0;
		rmdir(dir);
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What was found, a hierarchy a line, sorted: MOUNT OWN CONTROLLERS. */
static const char *found(const char *cgroup, const char *mountinfo)
{
	static char out[16384];
	struct text t = TEXT(out);
	char *lines[CG_HIER_MAX];
	struct cg_host host;
	int proc = fake_proc(cgroup, mountinfo);
	size_t i;

	mem_free(&mem);
	*out = 0;
	host_mounts = mountinfo;
	if (!cg_discover(&host, proc, &mem))
		text_add(&t, "failed\n");
	for (i = 0; i < host.n; i++)
		lines[i] = mem_text(&mem, "%s %s %s\n", host.h[i].mount,
				    host.h[i].own, host.h[i].v2 ? "v2" :
				    host.h[i].ctrls);
	qsort(lines, host.n, sizeof *lines, by_text);
	for (i = 0; i < host.n; i++)
		text_add(&t, "%s", lines[i]);
	drop_proc(proc);
	return out;
}

#define HYBRID ROOTFS \
	"30 22 0:26 / /sys/fs/cgroup ro shared:9 - tmpfs t ro\n" \
	"31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 " \
	"cgroup2 rw,nsdelegate\n" \
	"32 30 0:28 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup " \
	"rw,xattr,name=systemd\n" \
	"33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:12 master:3 " \
	"propagate_from:2 unbindable - cgroup cgroup rw,cpu,cpuacct\n" \
	"34 30 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
#define ROOTFS "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"

static void t_discovery(void)
{
	char *big;

	it("takes /sys/fs/cgroup for the whole where it is v2");
	want_str("the host", found("0::/user.slice/s.scope\n", ROOTFS
		 "30 22 0:26 / /sys/fs/cgroup rw - cgroup2 c rw\n"),
		 "/sys/fs/cgroup /user.slice/s.scope v2\n");

	it("finds hybrid hierarchies, each with the place of this process");
	want_str("the host",
		 found("12:cpu,cpuacct:/u\n4:memory:/m/n\n1:name=systemd:/s\n"
		       "0::/user/x\n", HYBRID),
		 "/sys/fs/cgroup/cpu,cpuacct /u cpu,cpuacct\n"
		 "/sys/fs/cgroup/memory /m/n memory\n"
		 "/sys/fs/cgroup/systemd /s name=systemd\n"
		 "/sys/fs/cgroup/unified /user/x v2\n");

	it("finds the mounted ones where the kernel has more");
	want_str("the host",
		 found("11:hugetlb:/\n4:memory:/m/n\n0::/user/x\n", HYBRID),
		 "/sys/fs/cgroup/cpu,cpuacct / cpu,cpuacct\n"
		 "/sys/fs/cgroup/memory /m/n memory\n"
		 "/sys/fs/cgroup/systemd / name=systemd\n"
		 "/sys/fs/cgroup/unified /user/x v2\n");

	it("finds them in unusual places: v1, v2, one of them");
	want_str("v2 alone", found("0::/a\n", ROOTFS
		 "30 22 0:26 / /cgroup rw - cgroup2 c rw\n"),
		 "/cgroup /a v2\n");
	want_str("v1 alone", found("4:memory:/a\n0::/\n", ROOTFS
		 "30 22 0:26 / /dev/memcg rw - cgroup c rw,memory\n"),
		 "/dev/memcg /a memory\n");
	want_str("v2 beside usual v1", found("4:memory:/a\n0::/b\n", ROOTFS
		 "30 22 0:26 / /sys/fs/cgroup/memory rw - cgroup c rw,memory\n"
		 "31 22 0:27 / /cgroup2 rw - cgroup2 c rw\n"),
		 "/cgroup2 /b v2\n/sys/fs/cgroup/memory /a memory\n");

	it("reads names with blanks, tabs, line ends, backslashes, dashes");
	want_str("the host",
		 found("4:memory:/a b\\c - d\n",
		       "30 22 0:30 / /x\\040y\\011z\\134\\012 rw - cgroup "
		       "c\\040d rw,memory\n"
		       "31 22 0:31 / /not\\040-\\040cgroup2 rw - ext4 "
		       "/dev/sd\\040-\\040cgroup rw\n"),
		 "/x y\tz\\\n /a b\\c - d memory\n");
	want_str("the second", found("4:memory:/\n", "31 22 0:31 / /-\\040"
		 "cgroup rw - ext4 - rw\n30 22 0:30 / /m rw - cgroup - "
		 "rw,memory\n"), "/m / memory\n");

	it("counts a hierarchy once, wherever else it is mounted");
	want_str("the host",
		 found("4:memory:/\n",
		       "30 22 0:30 / /a rw - cgroup cgroup rw,memory\n"
		       "31 22 0:30 / /b rw - cgroup cgroup rw,memory\n"),
		 "/a / memory\n");

	it("leaves out what is covered, read-only or not to be reached");
	covered_at = "/covered";
	read_only_at = "/ro";
	denied_at = "/denied";
	want_str("the host",
		 found("4:memory:/\n3:pids:/\n2:cpu:/\n1:cpuset:/\n",
		       "30 22 0:30 / /covered rw - cgroup cgroup rw,memory\n"
		       "31 22 0:31 / /ro ro - cgroup cgroup rw,pids\n"
		       "32 22 0:32 / /denied rw - cgroup cgroup rw,cpu\n"
		       "33 22 0:33 / /good rw - cgroup cgroup rw,cpuset\n"
		       "34 22 0:30 / /again rw - cgroup cgroup rw,memory\n"),
		 "/again / memory\n/good / cpuset\n");
	covered_at = read_only_at = denied_at = NULL;

	it("sees its place below a group that is bound as the whole");
	want_str("the host",
		 found("4:memory:/docker/abc/x\n3:pids:/docker/abc\n"
		       "2:cpu:/docker/abcd\n1:cpuset:/other\n0::/\n",
		       "30 22 0:30 /docker/abc /m rw - cgroup c rw,memory\n"
		       "31 22 0:31 /docker/abc /p rw - cgroup c rw,pids\n"
		       "32 22 0:32 /docker/abc /c rw - cgroup c rw,cpu\n"
		       "33 22 0:33 /docker/abc /s rw - cgroup c rw,cpuset\n"),
		 "/c / cpu\n/m /x memory\n/p / pids\n/s / cpuset\n");

	it("takes a place outside its cgroup namespace for the top");
	want_str("the host", found("4:memory:/../../x\n3:pids:/..\n",
		 "30 22 0:30 / /m rw - cgroup c rw,memory\n"
		 "31 22 0:31 / /p rw - cgroup c rw,pids\n"),
		 "/m / memory\n/p / pids\n");
	want_str("a name with dots", found("4:memory:/..x\n",
		 "30 22 0:30 / /m rw - cgroup c rw,memory\n"),
		 "/m /..x memory\n");

	it("does not take a controller for another that begins like it");
	want_str("the host", found("3:cpuset:/set\n2:cpuacct:/acct\n1:cpu:/c\n",
		 "30 22 0:30 / /c rw - cgroup c rw,cpu\n"
		 "31 22 0:31 / /a rw - cgroup c rw,cpuacct\n"
		 "32 22 0:32 / /s rw - cgroup c rw,cpuset\n"),
		 "/a /acct cpuacct\n/c /c cpu\n/s /set cpuset\n");

	it("finds nothing where there is nothing, and that is no failure");
	want_str("a kernel without", found(NULL, ROOTFS), "");
	want_str("nothing mounted", found("0::/\n", ROOTFS), "");
	want_str("no text", found("", ""), "");
	want_str("a line without a type", found("0::/\n", "1 2 3\n - cgroup\n"
		 " - cgroup cgroup \n"), "");

	it("skips lines that are too long, and takes the others");
	big = malloc(20000);
	memset(big, 'x', 20000);
	sprintf(big + 10000, "\n30 22 0:30 / /m rw - cgroup c rw,memory\n");
	want_str("the host", found("4:memory:/y\n", big), "/m /y memory\n");
	free(big);

	it("stops at the number of hierarchies it has room for");
	big = malloc(100000);
	for (int i = 0, n = 0; i < 100; i++)
		n += sprintf(big + n, "%d 22 0:30 / /m%d rw - cgroup c rw,"
			     "name=n%d\n", i, i, i);
	int lines = 0;

	for (const char *p = found("1:name=n1:/x\n", big); *p; p++)
		lines += *p == '\n';
	want(lines == CG_HIER_MAX, "%d", lines);
	free(big);

	it("takes the last line without its end");
	want_str("the host", found("4:memory:/y", "30 22 0:30 / /m rw - cgroup "
		 "c rw,memory"), "/m /y memory\n");
}

/* Hosts that are made by hand. */
static const struct cg_host v1 = { {
	{ "/cg/cpu,cpuacct", "/u", "cpu,cpuacct", false, false },
	{ "/cg/cpuset", "/", "cpuset", false, false },
	{ "/cg/memory", "/m/n", "memory", false, false },
	{ "/cg/devices", "/", "devices", false, false },
	{ "/cg/pids", "/", "pids", false, false },
	{ "/cg/systemd", "/s", "name=systemd", false, false },
}, 6, false };
static const struct cg_host v2 = { {
	{ "/cg", "/user.slice/one.scope", "", true, false },
}, 1, false };
static const struct cg_host half = { {
	{ "/cg/memory", "/", "memory", false, false },
	{ "/cg/unified", "/u", "", true, false },
}, 2, false };
static const struct cg_host none;

static struct cg_plan plan;
static bool nodev;

static bool plan_it(const struct cg_host *host, const char *lin)
{
	static const struct nsrun_options o = { .id = "web" };
	static char doc[16384];
	struct spec *s;

	mem_free(&mem);
	memset(&plan, 0, sizeof plan);
	memset(&err, 0, sizeof err);
	snprintf(doc, sizeof doc, "{\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]"
		 "},\"root\":{\"path\":\"r\"},\"linux\":{%s}}", lin);
	s = spec_parse(&mem, &o, doc, strlen(doc), &err);
	if (!s)
		return want(false, "%s: %s", lin, err.text);
	nodev = false;
	return cg_plan(&plan, host, s, &o, &nodev, &mem, &err);
}

static const char *paths_of(const struct cg_host *host, const char *path)
{
	static char out[16384];
	char lin[8000];
	struct text t = TEXT(out);
	size_t i;

	*lin = 0;
	if (path)
		snprintf(lin, sizeof lin, "\"cgroupsPath\":\"%s\"", path);
	*out = 0;
	if (!plan_it(host, lin))
		return err.text;
	for (i = 0; i < plan.n; i++)
		text_add(&t, "%s%s", i ? " " : "", plan.d[i].path);
	return out;
}

static void t_places(void)
{
	static const char *const deep[] = { "\"cgroupsPath\":\"\"",
		"\"cgroupsPath\":\"../one/../two\"",
		"\"cgroupsPath\":\"/a-name-of-more-than-sixteen/../x\"" };
	char path[5002], *p;
	int i, k;

	it("puts an absolute cgroupsPath below the mount");
	want_str("v2", paths_of(&v2, "/a/b"), "/cg/a/b");
	want_str("v1", paths_of(&v1, "/a"), "/cg/cpu,cpuacct/a /cg/cpuset/a "
		 "/cg/memory/a /cg/devices/a /cg/pids/a /cg/systemd/a");

	it("puts a relative one, or the id, below the own group on v1");
	want_str("relative", paths_of(&v1, "a/b"), "/cg/cpu,cpuacct/u/a/b "
		 "/cg/cpuset/a/b /cg/memory/m/n/a/b /cg/devices/a/b "
		 "/cg/pids/a/b /cg/systemd/s/a/b");
	want_str("absent", paths_of(&half, NULL), "/cg/memory/web "
		 "/cg/unified/web");
	want_str("empty", paths_of(&half, ""), "/cg/memory/web "
		 "/cg/unified/web");

	it("puts it beside the own group on v2");
	want_str("relative", paths_of(&v2, "a/b"), "/cg/user.slice/a/b");
	want_str("absent", paths_of(&v2, NULL), "/cg/user.slice/web");

	it("cannot be led above the mount");
	want_str("absolute", paths_of(&v2, "/../../x"), "/cg/x");
	want_str("relative", paths_of(&v2, "../../../../../x"), "/cg/x");
	want_str("in the middle", paths_of(&v2, "/a/../../x//./y/"),
		 "/cg/x/y");

	it("refuses a path that is too long");
	memset(path, 'a', sizeof path);
	path[5001] = 0;
	*path = '/';
	want_str("it", paths_of(&v2, path), "linux.cgroupsPath: is too long");

	it("leaves zeroed memory for what is planned after it");
	for (i = 0; i < (int)COUNT(deep); i++) {
		bool zero = true;

		want(plan_it(&v2, deep[i]), "%s", err.text);
		p = mem_new(&mem, 2000);
		for (k = 0; p && k < 2000; k++)
			zero &= !p[k];
		want(zero, "%s: what was cleaned away is still there",
		     deep[i]);
	}
}

/* What is written, without the default devices: FILE=VALUE, blank between. */
static const char *writes(const struct cg_host *host, const char *resources)
{
	static char out[8192];
	char lin[4096];
	struct text t = TEXT(out);
	size_t i;

	snprintf(lin, sizeof lin, "\"resources\":{%s}", resources);
	*out = 0;
	if (!plan_it(host, lin))
		return err.text;
	for (i = 0; i < plan.nw; i++)
		text_add(&t, "%s%s=%s", i ? " " : "", plan.w[i].file,
			 plan.w[i].value);
	return out;
}

/* May the file of the first limit be missing on v2? */
static bool may_miss(const char *resources)
{
	writes(&v2, resources);
	return plan.nw && plan.w[0].optional;
}

static void t_knobs(void)
{
	static const struct { const char *json, *v1, *v2; } t[] = {
		{ "\"memory\":{\"limit\":1000}",
		  "memory.limit_in_bytes=1000", "memory.max=1000" },
		{ "\"memory\":{\"limit\":-1}",
		  "memory.limit_in_bytes=-1", "memory.max=max" },
		{ "\"memory\":{\"limit\":0}", "", "" },
		{ "\"memory\":{\"limit\":1000,\"swap\":3000}",
		  "memory.limit_in_bytes=1000 "
		  "memory.memsw.limit_in_bytes=3000",
		  "memory.swap.max=2000 memory.max=1000" },
		{ "\"memory\":{\"limit\":1000,\"swap\":1000}",
		  "memory.limit_in_bytes=1000 "
		  "memory.memsw.limit_in_bytes=1000",
		  "memory.swap.max=0 memory.max=1000" },
		{ "\"memory\":{\"limit\":1000,\"swap\":-1}",
		  "memory.limit_in_bytes=1000 "
		  "memory.memsw.limit_in_bytes=-1",
		  "memory.swap.max=max memory.max=1000" },
		{ "\"memory\":{\"limit\":1000,\"swap\":0}",
		  "memory.limit_in_bytes=1000", "memory.max=1000" },
		{ "\"memory\":{\"reservation\":500}",
		  "memory.soft_limit_in_bytes=500", "memory.low=500" },
		{ "\"memory\":{\"swappiness\":0}",
		  "memory.swappiness=0", "" },
		{ "\"memory\":{\"disableOOMKiller\":true}",
		  "memory.oom_control=1", "" },
		{ "\"memory\":{\"disableOOMKiller\":false}", "", "" },
		{ "\"cpu\":{\"shares\":512}", "cpu.shares=512",
		  "cpu.weight=59" },
		{ "\"cpu\":{\"shares\":0}", "", "" },
		{ "\"cpu\":{\"quota\":50000,\"period\":200000}",
		  "cpu.cfs_period_us=200000 cpu.cfs_quota_us=50000",
		  "cpu.max=50000 200000" },
		{ "\"cpu\":{\"quota\":50000}", "cpu.cfs_quota_us=50000",
		  "cpu.max=50000 100000" },
		{ "\"cpu\":{\"period\":50000}", "cpu.cfs_period_us=50000",
		  "cpu.max=max 50000" },
		{ "\"cpu\":{\"quota\":-1}", "cpu.cfs_quota_us=-1",
		  "cpu.max=max 100000" },
		{ "\"cpu\":{\"quota\":0,\"period\":0}", "", "" },
		{ "\"cpu\":{\"cpus\":\"0-1,3\",\"mems\":\"0\"}",
		  "cpuset.cpus=0-1,3 cpuset.mems=0",
		  "cpuset.cpus=0-1,3 cpuset.mems=0" },
		{ "\"cpu\":{\"cpus\":\"\"}", "", "" },
		{ "\"cpu\":{\"cpus\":\"0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,"
		  "30,32,34,36,38,40,42,44,46,48,50,52,54,56,58,60,62\"}",
		  "cpuset.cpus=0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,"
		  "30,32,34,36,38,40,42,44,46,48,50,52,54,56,58,60,62",
		  "cpuset.cpus=0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,"
		  "30,32,34,36,38,40,42,44,46,48,50,52,54,56,58,60,62" },
		{ "\"pids\":{\"limit\":10}", "pids.max=10", "pids.max=10" },
		{ "\"pids\":{\"limit\":0}", "pids.max=max", "pids.max=max" },
		{ "\"pids\":{\"limit\":-1}", "pids.max=max", "pids.max=max" },
		{ "", "", "" },
	};
	size_t i;

	it("writes each limit into the file of its cgroup version");
	for (i = 0; i < COUNT(t); i++) {
		want(str_eq(writes(&v1, t[i].json), t[i].v1), "v1, %s: \"%s\", "
		     "not \"%s\"", t[i].json, writes(&v1, t[i].json),
		     t[i].v1);
		want(str_eq(writes(&v2, t[i].json), t[i].v2), "v2, %s: \"%s\", "
		     "not \"%s\"", t[i].json, writes(&v2, t[i].json),
		     t[i].v2);
	}

	it("does without a file for swap or burst if it is not to limit any");
	want(may_miss("\"memory\":{\"limit\":9,\"swap\":9}") &&
	     may_miss("\"memory\":{\"limit\":9,\"swap\":-1}") &&
	     may_miss("\"cpu\":{\"burst\":0}"), "not without");
	want(!may_miss("\"memory\":{\"limit\":9,\"swap\":10}") &&
	     !may_miss("\"cpu\":{\"burst\":10}"), "but with one");

	it("splits limits between the versions on a hybrid host");
	want_str("it", writes(&half, "\"memory\":{\"limit\":9},\"pids\":"
		 "{\"limit\":8},\"cpu\":{\"shares\":1024}"),
		 "memory.limit_in_bytes=9 cpu.weight=100 pids.max=8");
	want(plan.w[0].dir == 0 && plan.w[1].dir == 1 && plan.w[2].dir == 1,
	     "into the wrong hierarchy");

	it("enters the hierarchy with the memory limit last, no other");
	want(plan.d[0].late && !plan.d[1].late, "%d %d", plan.d[0].late,
	     plan.d[1].late);
	plan_it(&v2, "\"resources\":{\"pids\":{\"limit\":1}}");
	want(!plan.d[0].late, "a v2 group without a memory limit is late");

	it("writes unified values as they are, to v2 only");
	want_str("v2", writes(&v2, "\"unified\":{\"memory.high\":\"max\","
			      "\"io.max\":\"8:0 rbps=1\\n8:16 rbps=2\"}"),
		 "memory.high=max io.max=8:0 rbps=1\n8:16 rbps=2");
	want(plan.d[0].late, "a unified memory limit is a memory limit");
	want_str("v1", writes(&v1, "\"unified\":{\"memory.high\":\"1\"}"),
		 "linux.resources.unified: no cgroup v2 file system is mounted "
		 "here");

	it("names the limit for which there is no hierarchy");
	want_str("memory", writes(&none, "\"memory\":{\"limit\":1}"),
		 "linux.resources.memory.limit: no cgroup file system with the "
		 "controller \"memory\" is mounted here");
	want_str("pids", writes(&none, "\"pids\":{\"limit\":1}"),
		 "linux.resources.pids.limit: no cgroup file system with the "
		 "controller \"pids\" is mounted here");
	want_str("nothing asked", writes(&none, "\"memory\":{},\"cpu\":{}"),
		 "");
}

#define ALWAYS "devices.allow=c *:* m devices.allow=b *:* m " \
	"devices.allow=c 1:3 rwm devices.allow=c 1:5 rwm " \
	"devices.allow=c 1:7 rwm devices.allow=c 1:8 rwm " \
	"devices.allow=c 1:9 rwm devices.allow=c 5:0 rwm " \
	"devices.allow=c 5:2 rwm " \
	"devices.allow=c 136:* rwm devices.allow=c 10:200 rwm"

static void t_devices(void)
{
#define ALLOW(rest)	"{\"allow\":true," rest "}"
#define DENY(rest)	"{\"allow\":false," rest "}"
#define C10		"\"type\":\"c\",\"major\":10"
	static const struct { const char *rules, *refused; } lists[] = {
		{ DENY("\"access\":\"rwm\"") "," ALLOW(C10) ","
		  DENY(C10 ",\"minor\":5"),
		  "cannot deny \"c 10:5 rwm\", a part of \"c 10:* rwm\"" },
		{ DENY("\"access\":\"rwm\"") "," ALLOW(C10) "," DENY(C10),
		  NULL },
		{ ALLOW(C10) "," DENY(C10 ",\"minor\":5,\"access\":\"rw\""),
		  NULL },
		{ DENY(C10) "," ALLOW(C10 ",\"minor\":5"),
		  "cannot allow \"c 10:5 rwm\", a part of \"c 10:* rwm\"" },
		{ DENY("\"access\":\"w\""),
		  "cannot allow \"c 1:3 rwm\", a part of \"c *:* w\"" },
		{ DENY(C10) "," DENY("\"access\":\"rwm\"") ","
		  ALLOW(C10 ",\"minor\":5"), NULL },
		{ DENY("\"access\":\"rrr\""), "cannot allow" },
	};
	size_t i;
#undef ALLOW
#undef DENY
#undef C10
	it("writes device rules in order, then what everyone may use");
	want_str("v1", writes(&v1, "\"devices\":[{\"allow\":false},"
		 "{\"allow\":true,\"type\":\"c\",\"major\":10,\"minor\":229,"
		 "\"access\":\"rw\"},{\"allow\":true,\"type\":\"b\"},"
		 "{\"allow\":false,\"type\":\"c\",\"major\":4,\"minor\":-1,"
		 "\"access\":\"w\"}]"),
		 "devices.deny=a devices.allow=c 10:229 rw "
		 "devices.allow=b *:* rwm devices.deny=c 4:* w " ALWAYS);
	want(!nodev, "v1 enforces it");
	want_str("no rule", writes(&v1, ""), "");

	it("says that no cgroup enforces a denial on v2 and without one");
	want_str("v2", writes(&v2, "\"devices\":[{\"allow\":false}]"), "");
	want(nodev, "v2");
	want_str("none", writes(&none, "\"devices\":[{\"allow\":false}]"), "");
	want(nodev, "none");
	want_str("only allowed", writes(&v2, "\"devices\":[{\"allow\":true}]"),
		 "");
	want(!nodev, "nothing is denied");

	it("refuses what a list of v1 cannot hold, and only that");
	for (i = 0; i < COUNT(lists); i++) {
		char lin[600];

		snprintf(lin, sizeof lin, "\"resources\":{\"devices\":[%s]}",
			 lists[i].rules);
		want(plan_it(&v1, lin) == !lists[i].refused, "%s: %s",
		     lists[i].rules, err.text);
		want(!lists[i].refused || strstr(err.text, lists[i].refused),
		     "%s: %s", lists[i].rules, err.text);
	}
}

/* Whatever stands in those files: some answer, in bounds. */
static void t_noise(void)
{
	static const char seed[] =
		"30 22 0:30 / /x\\040y rw shared:1 - cgroup c rw,cpu,cpuacct\n"
		"31 22 0:31 /docker /b rw - cgroup2 c rw\n"
		"32 22 0:32 / /c rw - cgroup c rw,name=systemd\n";
	static const char own[] = "3:cpu,cpuacct:/a\n1:name=systemd:/x\n"
		"0::/d\n";
	char a[sizeof seed], b[sizeof own];
	int i, k, with_any = 0;

	it("survives any damage to mountinfo and cgroup");
	for (i = 0; i < 500; i++) {
		memcpy(a, seed, sizeof a);
		memcpy(b, own, sizeof b);
		for (k = (int)draw(8); k; k--)
			a[draw(sizeof a - 1)] = "\\\n - :,/c\t\xff"[draw(11)];
		for (k = (int)draw(4); k; k--)
			b[draw(sizeof b - 1)] = "\n:,/.0"[draw(6)];
		with_any += *found(b, a) != 0;
	}
	want(with_any > 250, "%d of 500 found any", with_any);
}

int main(void)
{
	t_weights();
	t_discovery();
	t_places();
	t_knobs();
	t_devices();
	t_noise();
	mem_free(&mem);
	return done();
}
