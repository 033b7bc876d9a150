/* SPDX-License-Identifier: MIT */
/*
 * t_rdt.c - linux.intelRdt against a resctrl tree of plain files: hardly any
 * machine that runs tests has the real one. mkdir() fills a new group with the
 * files that the kernel makes; a write appends, so that all are seen.
 */
#include "unit.h"
#include <sys/stat.h>
#include <unistd.h>

static int group_mkdir(const char *path, mode_t mode);
static char tree[128];	/* absolute; the cwd of this test */

#define NSRUN_RESCTRL "resctrl"
#define mkdir(path, mode) group_mkdir(path, mode)
#define NSRUN_NO_MAIN
#include "../../nsrun.c"
#undef mkdir

static int made_groups, refuse, bare;

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	want(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text),
	     "%s: %s", path, strerror(errno));
	close(fd);
}

static const char *get(const char *path)
{
	static char buf[4096];

	return io_get(AT_FDCWD, path, buf, sizeof buf) < 0 ? "(missing)" : buf;
}

static void fill(const char *dir, const char *schemata)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/schemata", dir);
	put(path, schemata);
	snprintf(path, sizeof path, "%s/tasks", dir);
	put(path, "");
	snprintf(path, sizeof path, "%s/mon_groups", dir);
	mkdir(path, 0755);
}

static int group_mkdir(const char *path, mode_t mode)
{
	if (!str_after(path, "resctrl/"))
		return mkdir(path, mode);
	if (refuse)
		return errno = refuse, -1;
	if (mkdir(path, mode) < 0)
		return -1;
	made_groups++;
	if (!bare)
		fill(path, "    L3:0=fffff;1=fffff\n    MB:0=100;1=100\n");
	return 0;
}

static void fresh(void)
{
	remove_tree("resctrl");
	mkdir("resctrl", 0755);
	mkdir("resctrl/info", 0755);
	fill("resctrl", "    L3:0=fffff;1=fffff\n    MB:0=100;1=100\n");
	put("resctrl/info/last_cmd_status", "ok\n");
	made_groups = refuse = bare = 0;
}

static struct arena mem;
static struct err err;
static struct rdt_plan plan;

static bool plan_it(const char *rdt)
{
	static const struct nsrun_options o = { .id = "web" };
	static char doc[4096];
	struct spec *s;

	memset(&plan, 0, sizeof plan);
	memset(&err, 0, sizeof err);
	snprintf(doc, sizeof doc, "{\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]"
		 "},\"root\":{\"path\":\"r\"},\"linux\":{\"intelRdt\":%s}}",
		 rdt);
	s = spec_parse(&mem, &o, doc, strlen(doc), &err);
	return s && rdt_plan(&plan, s->linux.rdt, "web", &mem, &err);
}

static bool make(const char *rdt)
{
	return plan_it(rdt) && rdt_make(&plan, &err) &&
	       rdt_join(&plan, 4711, &err);
}

static void says(const char *what)
{
	want(strstr(err.text, what), "it says: %s", err.text);
}

static void t_groups(void)
{
	it("makes a group called after the container");
	fresh();
	want(make("{}"), "%s", err.text);
	want(str_eq(get("resctrl/web/tasks"), "4711"), "%s",
	     get("resctrl/web/tasks"));
	want(plan.own, "and does not call it its own");

	it("writes no schema where none is asked");
	want(str_after(get("resctrl/web/schemata"), "    L3:0=fffff"), "%s",
	     get("resctrl/web/schemata"));

	it("writes each schema as a line, in the specified order");
	fresh();
	mkdir("resctrl/web", 0755);
	fill("resctrl/web", "");
	want(make("{\"memBwSchema\":\"MB:0=20\",\"schemata\":[\"L2:0=f\"],"
		  "\"l3CacheSchema\":\"L3:0=7f0\"}"), "%s", err.text);
	want(str_eq(plan.schemata, "L3:0=7f0\nMB:0=20\nL2:0=f\n"), "%s",
	     plan.schemata);
	/* one write each from the start of a plain file: the last one shows */
	want(str_after(get("resctrl/web/schemata"), "L2:0=f\n"), "%s",
	     get("resctrl/web/schemata"));

	it("makes the group of closID if it gets a schema");
	fresh();
	want(make("{\"closID\":\"gold\",\"l3CacheSchema\":\"L3:0=7f0\"}") &&
	     made_groups == 1, "%s", err.text);
	want(str_after(get("resctrl/gold/schemata"), "L3:0=7f0\n"), "%s",
	     get("resctrl/gold/schemata"));
	want(!plan.own, "and calls it its own");

	it("leaves no such group if it does not get it");
	fresh();
	bare = 1;
	want(!make("{\"closID\":\"gold\",\"l3CacheSchema\":\"L3:0=7f0\"}") &&
	     made_groups == 1 && access("resctrl/gold", F_OK) < 0, "it does");
	says("write \"L3:0=7f0\" to resctrl/gold/schemata: no such file");

	it("wants it to be there without one");
	fresh();
	want(!make("{\"closID\":\"gold\"}") && !made_groups, "made");
	says("linux.intelRdt.closID: resctrl/gold does not exist");

	it("joins one that is there");
	mkdir("resctrl/gold", 0755);
	fill("resctrl/gold", "    L3:0=7f0;1=1f\n    MB:0= 20;1=100\n");
	want(make("{\"closID\":\"gold\"}") && !made_groups, "%s", err.text);
	want(str_eq(get("resctrl/gold/tasks"), "4711"), "%s",
	     get("resctrl/gold/tasks"));

	it("takes / for the kernel's own group");
	want(make("{\"closID\":\"/\"}") &&
	     str_eq(get("resctrl/tasks"), "4711"), "%s", err.text);
}

static void t_compare(void)
{
	static const struct { const char *rdt; bool same; } t[] = {
		{ "\"l3CacheSchema\":\"L3:0=7f0;1=1f\"", true },
		{ "\"l3CacheSchema\":\"L3:1=1f;0=7f0\"", true },
		{ "\"l3CacheSchema\":\"L3:0=007f0\"", true },
		{ "\"memBwSchema\":\"MB:0=20;1=100\"", true },
		{ "\"schemata\":[\"MB:1=100\",\"L3:1=01f\"]", true },
		{ "\"l3CacheSchema\":\"L3:0=7f\"", false },
		{ "\"l3CacheSchema\":\"L3:0=7f00\"", false },
		{ "\"l3CacheSchema\":\"L3:2=7f0\"", false },
		{ "\"l3CacheSchema\":\"L2:0=7f0\"", false },
		{ "\"l3CacheSchema\":\"L3:0=7f0;1=2f\"", false },
		{ "\"l3CacheSchema\":\"L3:0=7f0;x\"", false },
		{ "\"memBwSchema\":\"MB:0=30\"", false },
	};
	char rdt[200];
	size_t i;

	it("does not change a group of others, but compares it");
	for (i = 0; i < COUNT(t); i++) {
		fresh();
		mkdir("resctrl/gold", 0755);
		fill("resctrl/gold", "    L3:0=007f0;1=0001f\n"
		     "    MB:0=20;1=100\n");
		snprintf(rdt, sizeof rdt, "{\"closID\":\"gold\",%s}", t[i].rdt);
		want(make(rdt) == t[i].same, "%s: %s", t[i].rdt, err.text);
		if (!t[i].same)
			says("resctrl/gold/schemata does not have ");
		want(str_after(get("resctrl/gold/schemata"),
			       "    L3:0=007f0"), "%s: written", t[i].rdt);
	}
}

static void t_monitoring(void)
{
	char buf[2048];
	struct text t = TEXT(buf);
	struct json_out o = { &t, 0, true, true };

	it("makes a monitoring group for the container and joins it");
	fresh();
	want(make("{\"enableMonitoring\":true}"), "%s", err.text);
	want(str_eq(get("resctrl/web/mon_groups/web/tasks"), "4711"), "%s",
	     get("resctrl/web/mon_groups/web/tasks"));

	it("tells what the monitors say");
	mkdir("resctrl/web/mon_groups/web/mon_data", 0755);
	mkdir("resctrl/web/mon_groups/web/mon_data/mon_L3_00", 0755);
	put("resctrl/web/mon_groups/web/mon_data/mon_L3_00/llc_occupancy",
	    "65536\n");
	put("resctrl/web/mon_groups/web/mon_data/mon_L3_00/mbm_total_bytes",
	    "7\n");
	put("resctrl/web/mon_groups/web/mon_data/mon_L3_00/mbm_local_bytes",
	    "5\n");
	mkdir("resctrl/info/L3", 0755);
	put("resctrl/info/L3/cbm_mask", "fffff\n");
	put("resctrl/info/L3/min_cbm_bits", "1\n");
	put("resctrl/info/L3/num_closids", "16\n");
	json_put_open(&o, NULL, '{');
	rdt_put_stats(&o, &plan);
	json_put_close(&o, '}');
	want(str_eq(buf, "{\"intel_rdt\":{\"l3_cache_info\":{\"cbm_mask\":"
		    "\"fffff\",\"min_cbm_bits\":1,\"num_closids\":16},"
		    "\"l3_cache_schema_root\":\"L3:0=fffff;1=fffff\","
		    "\"l3_cache_schema\":\"L3:0=fffff;1=fffff\","
		    "\"mem_bw_schema_root\":\"MB:0=100;1=100\","
		    "\"mem_bw_schema\":\"MB:0=100;1=100\","
		    "\"mbm_stats\":[{\"mbm_total_bytes\":7,"
		    "\"mbm_local_bytes\":5}],"
		    "\"cmt_stats\":[{\"llc_occupancy\":65536}]}}"), "%s", buf);
}

static void t_errors(void)
{
	it("refuses where there is no resctrl file system");
	remove_tree("resctrl");
	mkdir("resctrl", 0755);
	want(!make("{}"), "made");
	says("linux.intelRdt: no resctrl file system is mounted on resctrl");

	it("tells why the kernel makes no more groups");
	fresh();
	put("resctrl/info/last_cmd_status", "Out of CLOSIDs\n");
	refuse = ENOSPC;
	want(!make("{}"), "made");
	says("make resctrl/web: no space left on device: Out of CLOSIDs");

	it("refuses names that lead elsewhere");
	want(!plan_it("{\"closID\":\"..\"}"), "..");
	says("linux.intelRdt.closID: \"..\" is no name");
	want(!plan_it("{\"closID\":\"a/b\"}"), "a/b");
	want(!plan_it("{\"closID\":\".\"}"), ".");

	it("refuses schemas of more than a line");
	want(!plan_it("{\"l3CacheSchema\":\"L3:0=f\\nMB:0=10\"}"), "l3");
	says("a schema is one line");
	want(!plan_it("{\"schemata\":[\"a\\nb\"]}"), "schemata");
	want(!plan_it("{\"memBwSchema\":\"L3:0=f\"}"), "mb");
	says("linux.intelRdt.memBwSchema: does not begin with MB:");
}

static void t_update(void)
{
	static const struct nsrun_options o = { .id = "web" };
	static struct spec_rdt r = { .clos = "gold", .l3 = "L3:0=7f0" };
	struct nsrun_pair set = { "resources.pids.limit", "5" };
	struct nsrun_update u = { NULL, &set, 1 };
	static struct spec s;
	static struct ctr c;

	c.o = &o;
	c.spec = &s;
	s.linux.rdt = &r;
	it("leaves a group alone that an update does not mean");
	want(update_plan_rdt(&c, &u, &err) && !c.plan.rdt.group, "it does not");
	set.key = "intelRdt.memBwSchema";
	want(update_plan_rdt(&c, &u, &err) && c.plan.rdt.group, "nor others");
}

int main(void)
{
	temp_dir(tree, sizeof tree);
	if (chdir(tree) < 0)
		return 1;
	t_groups();
	t_compare();
	t_monitoring();
	t_errors();
	t_update();
	remove_tree(tree);
	return done();
}
