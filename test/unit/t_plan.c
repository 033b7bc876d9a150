/* SPDX-License-Identifier: MIT */
/*
 * t_plan.c - the goldens of test/plan: of each HOST-NAME.json the plan on that
 * made-up host is HOST-NAME.plan, or its error is HOST-NAME.err. A warning is
 * a line of the plan. Some of the configs are links to test/configs.
 *
 *	UPDATE=1 test/run-unit.sh t_plan	writes them anew
 */
#include "unit.h"
#include <dirent.h>
#include <unistd.h>
#define NSRUN_NO_MAIN
#include "../../nsrun.c"

#define V1(ctrls, own) { "/sys/fs/cgroup/" ctrls, own, ctrls, false, false }
#define V1_ALL V1("cpu,cpuacct", "/"), V1("cpuset", "/"), V1("memory", "/m"), \
	V1("devices", "/"), V1("freezer", "/"), V1("pids", "/p/q"), \
	{ "/sys/fs/cgroup/systemd", "/s", "name=systemd", false, false }

static const struct canned {
	const char	*name;
	struct host	h;
} hosts[] = {
	{ "v1", { .cap_last = 40, .caps = ~0ULL, .proc = -1,
		  .cg = { { V1_ALL }, 7, false } } },
	{ "v2", { .cap_last = 40, .caps = ~0ULL, .proc = -1,
		  .cg = { { { "/sys/fs/cgroup", "/user.slice/s.scope", "",
			      true, false } }, 1, false } } },
	/* one that can enforce a device policy */
	{ "bpf", { .cap_last = 40, .caps = ~0ULL, .proc = -1,
		   .cg = { { { "/sys/fs/cgroup", "/", "", true, false } }, 1,
			   true } } },
	{ "hybrid", { .cap_last = 40, .caps = ~0ULL, .proc = -1,
		      .cg = { { V1_ALL, { "/sys/fs/cgroup/unified", "/u/v", "",
					  true, false } }, 8, false } } },
	{ "none", { .cap_last = 40, .caps = ~0ULL, .proc = -1 } },
	/* a kernel that knows fewer capabilities */
	{ "old", { .cap_last = 36, .caps = ~0ULL, .proc = -1 } },
	/* in a user namespace, as in a container */
	{ "nested", { .cap_last = 40, .caps = ~0ULL, .proc = -1,
		      .user_ns = true,
		      .cg = { { { "/sys/fs/cgroup", "/", "", true, false } }, 1,
			      false } } },
	{ "user", { .euid = 1000, .egid = 1000, .cap_last = 40, .proc = -1,
		    .cg = { { { "/sys/fs/cgroup", "/user.slice/s.scope", "",
				true, false } }, 1, false } } },
};

static char out[1 << 18];
static struct text plan_text;

static void on_log(void *data, enum nsrun_level level, const char *text)
{
	(void)data;
	if (level == NSRUN_WARNING)
		text_add(&plan_text, "warning     %s\n", text);
}

static const struct host *host_of(const char *name)
{
	size_t i, n = strcspn(name, "-");

	for (i = 0; i < COUNT(hosts); i++)
		if (strlen(hosts[i].name) == n &&
		    strncmp(hosts[i].name, name, n) == 0)
			return &hosts[i].h;
	return NULL;
}

/* The plan or the error into out; true: it is a plan. */
static bool make_plan(int dir, const char *json, const struct host *h)
{
	struct nsrun_options o = { .id = "web", .log = on_log };
	struct arena mem = { 0 };
	struct plan p = { 0 };
	struct err e = { 0, "" };
	struct spec *s = NULL;
	char *text;
	size_t len;
	bool ok;

	plan_text = (struct text)TEXT(out);
	*out = 0;
	text = io_load(&mem, dir, json, CONFIG_MAX, &len, &e);
	if (text)
		s = spec_parse(&mem, &o, text, len, &e);
	ok = s && plan_make(&p, h, &o, s, "/bundle", &mem, &e);
	if (ok)
		plan_print(&plan_text, &p);
	else
		text_add(&plan_text, "%s\n", e.text);
	want(!plan_text.bad, "the plan is too long for this test");
	mem_free(&mem);
	return ok;
}

/* The first line in which two texts differ. */
static void show_difference(const char *due, const char *got)
{
	int line = 1;

	while (*due || *got) {
		size_t a = strcspn(due, "\n"), b = strcspn(got, "\n");

		if (a != b || strncmp(due, got, a) != 0) {
			printf("    line %d: %.*s\n    but is:  %.*s\n", line,
			       (int)a, due, (int)b, got);
			return;
		}
		due += a + (due[a] == '\n');
		got += b + (got[b] == '\n');
		line++;
	}
}

static void check_golden(int dir, const char *json)
{
	static char golden[sizeof out];
	const struct host *h = host_of(json);
	char plan[300], error[300];
	bool ok;

	snprintf(plan, sizeof plan, "%.*s.plan", (int)strlen(json) - 5, json);
	snprintf(error, sizeof error, "%.*s.err", (int)strlen(json) - 5, json);
	it("plans %.*s as its golden says", (int)strlen(json) - 5, json);
	if (!want(h, "no host is called so"))
		return;
	ok = make_plan(dir, json, h);
	if (getenv("UPDATE")) {
		unlinkat(dir, ok ? error : plan, 0);
		want(io_replace(dir, ok ? plan : error, out, strlen(out), 0644),
		     "%s", strerror(errno));
		return;
	}
	if (!want(io_get(dir, ok ? plan : error, golden, sizeof golden) >= 0,
		  "%s: %s", ok ? plan : error, ok ? strerror(errno) : out))
		return;
	want(faccessat(dir, ok ? error : plan, F_OK, 0) < 0, "%s is there, "
	     "too", ok ? error : plan);
	if (!want(str_eq(golden, out), "%s differs", ok ? plan : error))
		show_difference(golden, out);
}

static int ends_in_json(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 5 && str_eq(d->d_name + n - 5, ".json");
}

static int is_golden(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');

	return dot && (str_eq(dot, ".plan") || str_eq(dot, ".err"));
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "plan";
	int dir = open(name, O_RDONLY | O_DIRECTORY), i, n;
	struct dirent **list;

	n = scandir(name, &list, ends_in_json, alphasort);
	if (dir < 0 || n <= 0) {
		fprintf(stderr, "no configs in %s\n", name);
		return 1;
	}
	for (i = 0; i < n; i++)
		check_golden(dir, list[i]->d_name);

	it("has no golden without its config");
	n = scandir(name, &list, is_golden, alphasort);
	for (i = 0; i < n; i++) {
		char json[300];

		snprintf(json, sizeof json, "%.*s.json",
			 (int)(strrchr(list[i]->d_name, '.') -
			       list[i]->d_name), list[i]->d_name);
		want(faccessat(dir, json, F_OK, 0) == 0, "%s",
		     list[i]->d_name);
	}
	return done();
}
