/* SPDX-License-Identifier: MIT */
/*
 * t_mount.c - MOUNT, the planning half: what the words of mounts[].options
 * become, by a table of its own of what mount(8) means by them.
 */
#include "unit.h"
#define NSRUN_NO_MAIN
#include "../../nsrun.c"

static struct arena mem;
static struct err err;

/* The plan of one mount with these members; NULL with err. */
static struct mnt *plan_with(const char *lin, bool nodev, const char *members)
{
	static const struct nsrun_options o = { .id = "c" };
	static struct mnt_list list;
	static char doc[8192];
	struct spec *s;

	mem_free(&mem);
	memset(&list, 0, sizeof list);
	memset(&err, 0, sizeof err);
	snprintf(doc, sizeof doc, "{\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]"
		 "},\"root\":{\"path\":\"r\"},\"linux\":{\"namespaces\":["
		 "{\"type\":\"mount\"}]%s},\"mounts\":[{%s}]}", lin, members);
	s = spec_parse(&mem, &o, doc, strlen(doc), &err);
	if (!s)
		return want(false, "%s: %s", members, err.text), NULL;
	return mnt_plan(&list, s, "/bundle", nodev, &mem, &err) ? list.v : NULL;
}

static struct mnt *plan_mount(const char *members)
{
	return plan_with("", false, members);
}

/* A mount of the type with these option words, separated by blanks. */
static struct mnt *options(const char *type, const char *words_text)
{
	char members[4096];
	char *p = members + sprintf(members, "\"destination\":\"/d\","
				    "\"source\":\"/s\",\"type\":\"%s\","
				    "\"options\":[", type);
	const char *sep = "\"";

	while (*words_text) {
		size_t n = strcspn(words_text, " ");

		p += sprintf(p, "%s%.*s\"", sep, (int)n, words_text);
		sep = ",\"";
		words_text += n + (words_text[n] == ' ');
	}
	strcpy(p, "]");
	return plan_mount(members);
}

/*
 * mount(8) and the specification: a word turns an attribute on or off, or
 * chooses how access times are kept. Each has a recursive form with r.
 */
static const struct meaning {
	const char	*word;
	unsigned	on, off;
} meanings[] = {
	{ "ro", 1, 0 },			{ "rw", 0, 1 },
	{ "nosuid", 2, 0 },		{ "suid", 0, 2 },
	{ "nodev", 4, 0 },		{ "dev", 0, 4 },
	{ "noexec", 8, 0 },		{ "exec", 0, 8 },
	{ "nodiratime", 0x80, 0 },	{ "diratime", 0, 0x80 },
	{ "nosymfollow", 0x200000, 0 },	{ "symfollow", 0, 0x200000 },
	{ "noatime", 0x10, 0x70 },	{ "strictatime", 0x20, 0x70 },
	{ "relatime", 0, 0x70 },	{ "atime", 0, 0x70 },
	{ "norelatime", 0, 0x70 },	{ "nostrictatime", 0, 0x70 },
};

/* What a mount with these attributes has after mount_setattr(2). */
static unsigned set_attr(unsigned now, unsigned set, unsigned clr)
{
	return (now & ~clr) | set;
}

/* The kernel takes access time bits only as a whole, 0x70 in clr. */
static bool valid_attr(unsigned set, unsigned clr)
{
	return !(set & 0x70) || (clr & 0x70) == 0x70;
}

static void t_attributes(void)
{
	static const unsigned starts[] = { 0, 0x20008f, 0x10, 0x20, 0x200095,
					   0x2a };
	size_t i, k, n;
	unsigned round;

	it("gives every attribute word its meaning, and its recursive form");
	for (i = 0; i < COUNT(meanings); i++) {
		const struct meaning *w = &meanings[i];
		char word[32];
		struct mnt *m = options("tmpfs", w->word);

		for (k = 0; m && k < COUNT(starts); k++)
			want(set_attr(starts[k], m->set, m->clr) ==
			     set_attr(starts[k], w->on, w->off), "%s on %#x: "
			     "set %#x, clear %#x", w->word, starts[k], m->set,
			     m->clr);
		want(m && !m->rset && !m->rclr && !*m->data, "%s has other "
		     "effects", w->word);
		snprintf(word, sizeof word, "r%s", w->word);
		m = options("tmpfs", word);
		for (k = 0; m && k < COUNT(starts); k++)
			want(set_attr(starts[k], m->rset, m->rclr) ==
			     set_attr(starts[k], w->on, w->off), "%s on %#x: "
			     "set %#x, clear %#x", word, starts[k], m->rset,
			     m->rclr);
		want(m && !m->set && !m->clr && !*m->data, "%s has other "
		     "effects", word);
	}

	it("lets the later of two words count, in any sequence of them");
	for (round = 0; round < 3000; round++) {
		unsigned due[COUNT(starts)], rdue[COUNT(starts)];
		char text[512] = "";
		struct mnt *m;

		memcpy(due, starts, sizeof due);
		memcpy(rdue, starts, sizeof rdue);
		for (n = 1 + draw(6); n; n--) {
			const struct meaning *w =
				&meanings[draw(COUNT(meanings))];
			bool rec = draw(3) == 0;

			snprintf(text + strlen(text),
				 sizeof text - strlen(text), "%s%s%s",
				 *text ? " " : "", rec ? "r" : "", w->word);
			for (k = 0; k < COUNT(starts); k++)
				if (rec)
					rdue[k] = set_attr(rdue[k], w->on,
							   w->off);
				else
					due[k] = set_attr(due[k], w->on,
							  w->off);
		}
		m = options("tmpfs", text);
		if (!want(m, "%s: %s", text, err.text))
			break;
		if (!want(valid_attr(m->set, m->clr) &&
			  valid_attr(m->rset, m->rclr), "%s: the kernel would "
			  "refuse set %#x clear %#x, set %#x clear %#x", text,
			  m->set, m->clr, m->rset, m->rclr))
			break;
		for (k = 0; k < COUNT(starts); k++)
			if (!want(set_attr(starts[k], m->set, m->clr) ==
				  due[k] && set_attr(starts[k], m->rset,
						     m->rclr) == rdue[k],
				  "%s: set %#x clear %#x, set %#x clear %#x",
				  text, m->set, m->clr, m->rset, m->rclr))
				return;
	}
}

static void t_superblock(void)
{
	struct mnt *m;

	it("keeps what is of the file system apart from what is of the mount");
	m = options("ext4", "sync dirsync lazytime");
	want(m && m->sb == (MS_SYNCHRONOUS | MS_DIRSYNC | K_MS_LAZYTIME) &&
	     !m->set, "%#x", m ? m->sb : 0);
	m = options("ext4", "sync mand async nomand");
	want(m && m->sb == 0, "%#x", m ? m->sb : 0);
	m = options("ext4", "silent loud iversion noiversion nolazytime");
	want(m && m->sb == 0, "%#x", m ? m->sb : 0);
	m = options("ext4", "ro");
	want(m && m->sb == MS_RDONLY && m->set == K_ATTR_RDONLY, "a disk that "
	     "is ro is not: %#x", m ? m->sb : 0);
	m = options("ext4", "ro rw");
	want(m && m->sb == 0 && m->set == 0, "%#x", m ? m->sb : 0);
	m = options("tmpfs", "ro");
	want(m && m->sb == 0, "a tmpfs that is ro cannot be filled");

	it("hands words that it does not know to the file system, in order");
	m = options("tmpfs", "size=64k nosuid mode=755 foo ro");
	want_str("the data", m ? m->data : NULL, "size=64k,mode=755,foo");
	m = options("tmpfs", "defaults");
	want_str("defaults", m ? m->data : NULL, "");
	m = options("proc", "hidepid=2 subset=pid");
	want_str("of proc", m ? m->data : NULL, "hidepid=2,subset=pid");
	m = plan_mount("\"destination\":\"/d\",\"type\":\"tmpfs\",\"options\":"
		       "[\"\",\"a=b,c\",\"\"]");
	want_str("empty words", m ? m->data : NULL, "a=b,c");
}

static void t_propagation(void)
{
	static const struct { const char *word; int flags; } t[] = {
		{ "shared", MS_SHARED }, { "rshared", MS_SHARED | MS_REC },
		{ "slave", MS_SLAVE }, { "rslave", MS_SLAVE | MS_REC },
		{ "private", MS_PRIVATE }, { "rprivate", MS_PRIVATE | MS_REC },
		{ "unbindable", MS_UNBINDABLE },
		{ "runbindable", MS_UNBINDABLE | MS_REC },
	};
	char text[128];
	struct mnt *m;
	size_t i;

	it("gives every propagation word its flags");
	for (i = 0; i < COUNT(t); i++) {
		m = options("tmpfs", t[i].word);
		want(m && m->nprop == 1 && m->prop[0] == t[i].flags, "%s",
		     t[i].word);
	}

	it("applies all propagation words, in their order");
	m = options("tmpfs", "rslave ro shared");
	want(m && m->nprop == 2 && m->prop[0] == (MS_SLAVE | MS_REC) &&
	     m->prop[1] == MS_SHARED, "rslave, shared");

	it("does not lose the last of many propagation words");
	for (*text = 0, i = 0; i < 6; i++)
		strcat(text, "rprivate ");
	strcat(text, "shared");
	m = options("tmpfs", text);
	want(!m || m->prop[m->nprop - 1] == MS_SHARED, "it is not shared");
}

static void t_binds(void)
{
	struct mnt *m;

	it("tells a bind by its type or its options");
	m = options("bind", "");
	want(m && m->kind == MNT_BIND && !m->rec, "type bind");
	m = options("none", "bind ro");
	want(m && m->kind == MNT_BIND && !m->rec && m->set == 1, "bind");
	m = options("none", "rbind");
	want(m && m->kind == MNT_BIND && m->rec, "rbind");
	m = options("", "rbind");
	want(m && m->kind == MNT_BIND && m->rec, "rbind without a type");
	m = options("cgroup", "rbind");
	want(m && m->kind == MNT_BIND, "rbind of type cgroup");
	m = options("cgroup", "ro");
	want(m && m->kind == MNT_CGROUP, "cgroup");

	it("takes a relative source from the bundle");
	m = plan_mount("\"destination\":\"/d\",\"source\":\"a/b\",\"options\":"
		       "[\"bind\"]");
	want_str("the source", m ? m->src : NULL, "/bundle/a/b");
	m = plan_mount("\"destination\":\"/d\",\"source\":\"a/b\",\"type\":"
		       "\"tmpfs\"");
	want_str("that of a tmpfs", m ? m->src : NULL, "a/b");

	it("reads the words about links, idmap and tmpcopyup");
	m = options("bind", "src-nofollow dest-nofollow");
	want(m && m->src_nofollow && m->dest_nofollow && !m->copy_symlink,
	     "nofollow");
	m = options("bind", "copy-symlink");
	want(m && m->copy_symlink && m->src_nofollow, "copy-symlink");
	m = options("bind", "idmap");
	want(m && m->idmap == 1 && !*m->uid_map, "idmap");
	m = options("bind", "ridmap");
	want(m && m->idmap == 2, "ridmap");
	m = options("tmpfs", "tmpcopyup");
	want(m && m->copy_up && !*m->data, "tmpcopyup");
	m = options("tmpfs", "remount ro");
	want(m && m->remount && m->set == 1, "remount");

	it("writes the maps of an id-mapped mount as the kernel reads them");
	m = plan_mount("\"destination\":\"/d\",\"source\":\"/s\",\"options\":"
		       "[\"rbind\"],\"uidMappings\":[{\"containerID\":0,"
		       "\"hostID\":1000,\"size\":1},{\"containerID\":1,"
		       "\"hostID\":5,\"size\":9}],\"gidMappings\":["
		       "{\"containerID\":2,\"hostID\":3,\"size\":4}]");
	want(m && m->idmap == 1, "mappings alone say idmap");
	want_str("uids", m ? m->uid_map : NULL, "0 1000 1\n1 5 9\n");
	want_str("gids", m ? m->gid_map : NULL, "2 3 4\n");
}

/* The option idmap= of a bind in a container with these ids. */
static struct mnt *ids(const char *option)
{
	static const char user[] = ",\"namespaces\":[{\"type\":\"mount\"},"
		"{\"type\":\"user\"}],\"uidMappings\":[{\"containerID\":0,"
		"\"hostID\":7,\"size\":1},{\"containerID\":1,\"hostID\":100,"
		"\"size\":9}],\"gidMappings\":[{\"containerID\":0,"
		"\"hostID\":0,\"size\":3}]";
	char members[256];

	snprintf(members, sizeof members, "\"destination\":\"/d\","
		 "\"source\":\"/s\",\"options\":[\"bind\",\"%s\"]", option);
	return plan_with(user, false, members);
}

static void t_ids(void)
{
	static const char *const bad[] = {
		"idmap=uids", "idmap=uids=", "idmap=uids=0", "idmap=uids=0-1",
		"idmap=uids=0-1-", "idmap=uids=0-1-1", "idmap=uids=0-1-1;",
		"idmap=uids=0-1-1;gids=0-1", "idmap=gids=0-1-1",
		"idmap=uids=0-1-1#;gids=0-1-1", "idmap=uids=0-1-1x;gids=0-1-1",
		"idmap=uids=0--1-1;gids=0-1-1", "idmap=uids=0-1-1;;gids=0-1-1",
		"idmap=uids=0-1-4294967296;gids=0-1-1", "idmap=x=0-1-1",
		"idmap=uids=@0-10-1;gids=0-1-1", "idmap=uids=0-@1-1;gids=0-1-1",
		"idmap=uids= 0-1-1;gids=0-1-1",
	};
	struct mnt *m;
	size_t i;

	it("reads crun's idmap=uids=..;gids=..");
	m = ids("idmap=uids=0-1-10#10-11-12;gids=0-100-4294967295");
	want(m && m->idmap == 1, "idmap=");
	want_str("uids", m ? m->uid_map : NULL, "0 1 10\n10 11 12\n");
	want_str("gids", m ? m->gid_map : NULL, "0 100 4294967295\n");
	m = ids("ridmap=gids=1-2-3;uids=4-5-6;");
	want(m && m->idmap == 2, "ridmap=");
	want_str("uids", m ? m->uid_map : NULL, "4 5 6\n");
	want_str("gids", m ? m->gid_map : NULL, "1 2 3\n");
	m = ids("idmap=uids=@5-0-1#@6-9-1#7-8-9;gids=@0-2-1");
	want_str("with @, uids", m ? m->uid_map : NULL,
		 "5 7 1\n6 108 1\n7 8 9\n");
	want_str("with @, gids", m ? m->gid_map : NULL, "0 2 1\n");
	for (i = 0; i < COUNT(bad); i++)
		want(!ids(bad[i]) && (str_find(err.text, "options: idmap=") ||
				      str_find(err.text, ": is missing")),
		     "%s: %s", bad[i], err.text);
}

static void t_refusals(void)
{
	static const struct { const char *members, *error; } t[] = {
#define D "\"destination\":\"/d\","
#define MAP "[{\"containerID\":0,\"hostID\":0,\"size\":1}]"
		{ D "\"source\":\"/s\"", "mounts[0] (/d): type: is missing, "
		  "and the options do not say bind" },
		{ D "\"type\":\"\"", "mounts[0] (/d): type: is missing, and "
		  "the options do not say bind" },
		{ D "\"type\":\"bind\"", "mounts[0] (/d): source: is missing" },
		{ D "\"source\":\"\",\"options\":[\"bind\"]",
		  "mounts[0] (/d): source: is missing" },
		{ D "\"source\":\"/s\",\"options\":[\"bind\",\"size=1\",\"ro\","
		  "\"x\"]", "mounts[0] (/d): options: \"size=1,x\" is no "
		  "option of a bind mount" },
		{ D "\"options\":[\"bind\",\"remount\",\"idmap\"]",
		  "mounts[0] (/d): options: idmap goes with a bind mount "
		  "only" },
		{ D "\"type\":\"tmpfs\",\"options\":[\"idmap\"]",
		  "mounts[0] (/d): options: idmap goes with a bind mount "
		  "only" },
		{ D "\"type\":\"tmpfs\",\"uidMappings\":" MAP
		  ",\"gidMappings\":" MAP,
		  "mounts[0] (/d): options: idmap goes with a bind mount "
		  "only" },
		{ D "\"type\":\"bind\",\"source\":\"/s\",\"uidMappings\":" MAP,
		  "mounts[0] (/d): gidMappings: is missing" },
		{ D "\"type\":\"bind\",\"source\":\"/s\",\"gidMappings\":" MAP,
		  "mounts[0] (/d): uidMappings: is missing" },
		{ D "\"type\":\"proc\",\"options\":[\"tmpcopyup\"]",
		  "mounts[0] (/d): options: tmpcopyup goes with tmpfs only" },
		{ "\"destination\":\"/proc\",\"type\":\"tmpfs\"",
		  "mounts[0] (/proc): destination: /proc can hold a proc file "
		  "system only" },
		{ "\"destination\":\"/x/../proc/\",\"type\":\"tmpfs\"",
		  "mounts[0] (/x/../proc/): destination: /proc can hold a proc "
		  "file system only" },
		{ "\"destination\":\"/proc/1\",\"type\":\"tmpfs\"",
		  "mounts[0] (/proc/1): destination: is inside /proc, where "
		  "only some files may be covered" },
		{ "\"destination\":\"/proc/./stat/x\",\"type\":\"tmpfs\"",
		  "mounts[0] (/proc/./stat/x): destination: is inside /proc, "
		  "where only some files may be covered" },
		{ "\"destination\":\"proc/sys\",\"type\":\"bind\",\"source\":"
		  "\"/s\"", "mounts[0] (proc/sys): destination: is inside "
		  "/proc, where only some files may be covered" },
	};
	static const char *const good[] = {
		"\"destination\":\"/proc\",\"type\":\"proc\"",
		"\"destination\":\"/proc\",\"type\":\"bind\",\"source\":"
		"\"/proc\"",
		"\"destination\":\"/proc/cpuinfo\",\"type\":\"bind\","
		"\"source\":\"/s\"",
		"\"destination\":\"/proc/sys/kernel/ns_last_pid\",\"type\":"
		"\"bind\",\"source\":\"/s\"",
		"\"destination\":\"/procs/x\",\"type\":\"tmpfs\"",
		"\"destination\":\"/x/proc\",\"type\":\"tmpfs\"",
		D "\"options\":[\"remount\",\"ro\"]",
		D "\"options\":[\"bind\",\"remount\",\"ro\"]",
	};
	size_t i;

	it("refuses what cannot be, with the mount and the member at fault");
	for (i = 0; i < COUNT(t); i++) {
		struct mnt *m = plan_mount(t[i].members);

		want(!m && str_eq(err.text, t[i].error), "%s: \"%s\", not "
		     "\"%s\"", t[i].members, m ? "no error" : err.text,
		     t[i].error);
	}
	for (i = 0; i < COUNT(good); i++)
		want(plan_mount(good[i]), "%s: %s", good[i], err.text);
}

static void t_destinations(void)
{
	static const char *const t[][2] = {
		{ "/a/b", "/a/b" }, { "a/b", "/a/b" }, { "/", "/" },
		{ "//", "/" }, { "/a/../..", "/" }, { "../x", "/x" },
		{ "/a//./b/", "/a/b" },
	};
	char members[256];
	size_t i;

	it("cleans a destination, and takes a relative one from the root");
	for (i = 0; i < COUNT(t); i++) {
		struct mnt *m;

		sprintf(members, "\"destination\":\"%s\",\"type\":\"tmpfs\"",
			t[i][0]);
		m = plan_mount(members);
		want(m && str_eq(m->dest, t[i][1]), "%s became %s", t[i][0],
		     m ? m->dest : err.text);
	}
}

static void t_context(void)
{
	static const char label[] = ",\"mountLabel\":\"u:r:t:s0:c1,c2\"";
	struct mnt *m;

	it("adds mountLabel to the file systems that can have one");
	m = plan_with(label, false, D "\"type\":\"tmpfs\",\"options\":["
		      "\"size=1k\"]");
	want_str("tmpfs", m ? m->data : NULL,
		 "size=1k,context=\"u:r:t:s0:c1,c2\"");
	m = plan_with(label, false, D "\"type\":\"proc\"");
	want_str("proc", m ? m->data : NULL, "");
	m = plan_with(label, false, D "\"type\":\"bind\",\"source\":\"/s\"");
	want_str("a bind", m ? m->data : NULL, "");

	it("makes binds nodev where no cgroup guards the devices");
	m = plan_with("", true, D "\"type\":\"bind\",\"source\":\"/s\"");
	want(m && m->set == K_ATTR_NODEV, "a bind");
	m = plan_with("", true, D "\"source\":\"/s\",\"options\":[\"bind\","
		      "\"dev\"]");
	want(m && m->set == K_ATTR_NODEV && !m->clr, "whatever the config says");

	it("makes all of a recursive bind nodev there, not its top alone");
	m = plan_with("", true, D "\"source\":\"/s\",\"options\":[\"rbind\"]");
	want(m && (m->rset & K_ATTR_NODEV), "a file system mounted below the "
	     "source keeps its devices");
}

int main(void)
{
	t_attributes();
	t_superblock();
	t_propagation();
	t_binds();
	t_ids();
	t_refusals();
	t_destinations();
	t_context();
	mem_free(&mem);
	return done();
}
