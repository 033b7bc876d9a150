/* SPDX-License-Identifier: MIT */
/*
 * cgroup.c - a fuzz target: /proc/self/cgroup, an empty line, and
 * /proc/self/mountinfo, as a strange host may show them. What is found has a
 * place below its mount, and a container's groups are planned below it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/statfs.h>

static int unusual;	/* so often, the usual place is not there */

static int fuzz_statfs(const char *path, struct statfs *fs)
{
	size_t n = strlen(path);

	memset(fs, 0, sizeof *fs);
	fs->f_type = n && path[n - 1] == 'd' ? 0x63677270 : 0x27e0eb;
	return unusual-- > 0 ? (errno = ENOENT, -1) : 0;
}
#define statfs(path, fs) fuzz_statfs(path, fs)
#define NSRUN_NO_MAIN
#include "../../nsrun.c"

static void must(bool holds)
{
	if (!holds)
		abort();
}

static char dir[128];

static void drop_dir(void)
{
	char path[160];

	snprintf(path, sizeof path, "%s/self/cgroup", dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/self/mountinfo", dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/self", dir);
	rmdir(path);
	rmdir(dir);
}

static int make_dir(void)
{
	const char *tmp = getenv("TMPDIR");
	char path[160];

	snprintf(dir, sizeof dir, "%s/nsrun-fuzz-XXXXXX", tmp ? tmp : "/tmp");
	must(mkdtemp(dir) != NULL);
	atexit(drop_dir);
	snprintf(path, sizeof path, "%s/self", dir);
	must(mkdir(path, 0700) == 0);
	return open(dir, O_RDONLY | O_DIRECTORY);
}

static void put(int proc, const char *name, const uint8_t *data, size_t n)
{
	int fd = openat(proc, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	must(fd >= 0 && write(fd, data, n) == (ssize_t)n);
	close(fd);
}

/* The kernel's paths begin with a slash. */
static bool is_sound(const uint8_t *p, const uint8_t *end)
{
	int colons = 0;

	for (; p < end; p++) {
		if (*p == '\n')
			colons = 0;
		else if (*p == ':' && ++colons == 2 &&
			 (p + 1 == end || p[1] != '/'))
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int proc = -1;
	const uint8_t *gap = memmem(data, size, "\n\n", 2);
	size_t first = gap ? (size_t)(gap + 1 - data) : size, i;
	const struct nsrun_options o = { .id = "web" };
	struct cg_host host;
	struct arena mem = { 0 };
	struct err e;

	if (!is_sound(data, data + first))
		return 0;
	unusual = size % 3;
	if (proc < 0)
		proc = make_dir();
	put(proc, "self/cgroup", data, first);
	put(proc, "self/mountinfo", data + first, size - first);
	if (cg_discover(&host, proc, &mem)) {
		char text[] = "{\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]},"
			"\"root\":{\"path\":\"r\"},\"linux\":{\"cgroupsPath\":"
			"\"a/../b\"}}";
		struct spec *s = spec_parse(&mem, &o, text, strlen(text), &e);
		struct cg_plan p = { 0 };
		bool nodev;

		must(host.n <= CG_HIER_MAX);
		for (i = 0; i < host.n; i++)
			must(host.h[i].mount && *host.h[i].own == '/' &&
			     !strchr(host.h[i].own, '\n') &&
			     (host.h[i].v2 || *host.h[i].ctrls));
		if (s && cg_plan(&p, &host, s, &o, &nodev, &mem, &e))
			for (i = 0; i < p.n; i++)
				must(str_after(p.d[i].path, host.h[i].mount) &&
				     !strstr(p.d[i].path +
					     strlen(host.h[i].mount), "/../"));
	}
	mem_free(&mem);
	return 0;
}
