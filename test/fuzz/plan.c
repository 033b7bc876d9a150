/* SPDX-License-Identifier: MIT */
/*
 * plan.c - a fuzz target: config.json to spec to plan to text, on several
 * hosts. Whatever the config says, the plan keeps the promises that the
 * acting half relies on.
 */
#define NSRUN_NO_MAIN
#include "../../nsrun.c"

static void must(bool holds)
{
	if (!holds)
		abort();
}

static const struct host hosts[] = {
	{ .cap_last = 40, .caps = ~0ULL, .proc = -1 },
	{ .cap_last = 40, .caps = ~0ULL, .proc = -1,
	  .cg = { { { "/cg", "/user.slice/s.scope", "", true, false } }, 1, true } },
	{ .euid = 1000, .egid = 1000, .cap_last = 40, .proc = -1,
	  .cg = { { { "/cg/cpu,cpuacct", "/", "cpu,cpuacct", false, false },
		    { "/cg/cpuset", "/a", "cpuset", false, false },
		    { "/cg/memory", "/a/b", "memory", false, false },
		    { "/cg/devices", "/", "devices", false, false },
		    { "/cg/pids", "/", "pids", false, false },
		    { "/cg/unified", "/u/v", "", true, false } }, 6, false } },
};

/* Absolute, and nothing in it that leads up. */
static void must_be_clean(const char *path)
{
	must(*path == '/');
	for (; *path; path += strcspn(path, "/")) {
		path++;
		must(*path != '/' && strncmp(path, "../", 3) != 0 &&
		     strncmp(path, "./", 2) != 0 && !str_eq(path, "..") &&
		     !str_eq(path, "."));
	}
}

static void check(const struct plan *p)
{
	const uint64_t *caps = p->cred.caps;
	size_t i;

	for (i = 0; i < p->cg.n; i++) {
		const char *below = str_after(p->cg.d[i].path,
					      p->cg.d[i].h->mount);

		must(below != NULL);
		if (*below)
			must_be_clean(below);
	}
	for (i = 0; i < p->cg.nw; i++)
		must(p->cg.w[i].dir < p->cg.n && *p->cg.w[i].file &&
		     !strchr(p->cg.w[i].file, '/') && p->cg.w[i].value);
	for (i = 0; i < p->mounts.n; i++) {
		const struct mnt *m = &p->mounts.v[i];

		must_be_clean(m->dest);
		must(m->src && m->type && m->data && m->uid_map && m->gid_map);
		must(m->kind != MNT_BIND || *m->src == '/');
		must(!(m->set & K_ATTR__ATIME) ||
		     (m->clr & K_ATTR__ATIME) == K_ATTR__ATIME);
		must(!(m->set & m->clr & ~(unsigned)K_ATTR__ATIME));
	}
	for (i = 0; i < p->devs.n; i++)
		must_be_clean(p->devs.v[i].path);
	for (i = 0; i < p->proc.nsysctls; i++)
		must(*p->proc.sysctls[i].path && *p->proc.sysctls[i].path !=
		     '/');
	for (i = 0; i < p->proc.nenv; i++)
		must(strchr(p->proc.env[i], '=') > p->proc.env[i]);
	must(!p->proc.env[i] && !p->proc.env[i + 1]);
	must(p->proc.argv[0] && *p->proc.argv[0]);
	must(!(caps[CAP_EFFECTIVE] & ~caps[CAP_PERMITTED]));
	must(!(caps[CAP_AMBIENT] & ~(caps[CAP_PERMITTED] &
				     caps[CAP_INHERITABLE])));
	must(*p->root == '/' && *p->proc.cwd == '/');
	must(!p->nodev || !(caps[CAP_BOUNDING] >> CAP_MKNOD_NR & 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char out[1 << 16];
	const struct nsrun_options o = { .id = "web" };
	size_t i;

	for (i = 0; i < COUNT(hosts); i++) {
		struct arena mem = { 0 };
		struct err e = { 0, "" };
		struct plan p = { 0 };
		struct text t = TEXT(out);
		char *text = malloc(size + 1);
		struct spec *s;

		memcpy(text, data, size);
		s = spec_parse(&mem, &o, text, size, &e);
		if (s && plan_make(&p, &hosts[i], &o, s, "/bundle", &mem, &e)) {
			check(&p);
			plan_print(&t, &p);
		} else {
			must(str_after(e.text, "config.json") != NULL);
			must(strlen(e.text) < ERR_MAX);
		}
		free(text);
		mem_free(&mem);
	}
	return 0;
}
