/* SPDX-License-Identifier: MIT */
/*
 * t_devices.c - the programs that enforce device policies on v2, run by an
 * interpreter and compared with a plain reading of the rules: the last that
 * speaks of a kind of access decides, and each kind that is asked must be
 * allowed. The kernel's verifier sees them in test/sys/devices.sh.
 */
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/syscall.h>

/* A group with one program, before 5.6: none takes the place of another. */
static int attached;

static long old_bpf(long n, ...)
{
	va_list ap;
	uint32_t *u;
	int cmd;

	va_start(ap, n);
	cmd = va_arg(ap, int);
	u = n == SYS_bpf ? va_arg(ap, void *) : NULL;
	va_end(ap);
	if (!u)
		return errno = ENOSYS, -1;
	switch (cmd) {
	case 16: return u[6] = 1, 0;			/* query */
	case 15: return strcpy((char *)*(uintptr_t *)(u + 2) + 64,
			       "nsrun_devices"), 0;	/* info */
	case 8: return u[3] & 4 ? (errno = EINVAL, -1) : (attached++, 0);
	case 9: return u[3] ? (errno = EINVAL, -1) : (attached--, 0);
	}
	return open("/dev/null", O_RDONLY);
}
#define syscall old_bpf
#define NSRUN_NO_MAIN
#include "../../nsrun.c"

enum { MKNOD = 1, READ = 2, WRITE = 4, BLOCK = 1, CHAR = 2 };

struct access {
	unsigned what, type, major, minor;
};

/* 0 or 1, or -1 and a reason if it is no program that the kernel would run. */
static int run(const struct bpf_program *b, const struct access *a)
{
	uint32_t ctx[3] = { a->what << 16 | a->type, a->major, a->minor };
	uint64_t r[6] = { 0, (uintptr_t)ctx };
	size_t pc;

	if (b->n > COUNT(b->v))
		return want(false, "it is too long"), -1;
	for (pc = 0; pc < b->n; pc++) {
		const struct k_bpf *i = &b->v[pc];
		uint64_t imm = (uint64_t)(int64_t)i->imm;

		if (i->dst > 5 || i->src > 5 || i->off < 0)
			return want(false, "%u: strange", (unsigned)pc), -1;
		switch (i->code) {
		case 0x61:
			if (i->src != 1 || i->off > 8 || i->off % 4)
				return want(false, "%u: reads elsewhere",
					    (unsigned)pc), -1;
			r[i->dst] = ctx[i->off / 4];
			break;
		case 0xbf: r[i->dst] = r[i->src]; break;
		case 0xb7: r[i->dst] = imm; break;
		case 0x57: r[i->dst] &= imm; break;
		case 0x77: r[i->dst] >>= imm; break;
		case 0x05: pc += (size_t)i->off; break;
		case 0x45: pc += r[i->dst] & imm ? (size_t)i->off : 0; break;
		case 0x55: pc += r[i->dst] != imm ? (size_t)i->off : 0; break;
		case 0x95: return (int)r[0];
		default:
			return want(false, "%u: unknown code %x", (unsigned)pc,
				    i->code), -1;
		}
	}
	return want(false, "it runs out of its end"), -1;
}

/* Every instruction can be reached, or the verifier refuses it. */
static bool is_all_reached(const struct bpf_program *b)
{
	static bool at[COUNT(b->v) + 1];
	size_t i;

	memset(at, 0, sizeof at);
	at[0] = true;
	for (i = 0; i < b->n; i++) {
		const struct k_bpf *p = &b->v[i];

		if (!at[i])
			return false;
		if (p->code == 0x95)
			continue;
		if (p->code == 0x05 || p->code == 0x45 || p->code == 0x55)
			at[i + 1 + (size_t)p->off] = true;
		at[i + 1] |= p->code != 0x05;
	}
	return !at[b->n];
}

static bool is_allowed(const struct cg_write *w, size_t n,
		       const struct access *a)
{
	unsigned bit;

	for (bit = 1; bit < 8; bit *= 2) {
		size_t i = n;
		bool yes = true;

		if (!(a->what & bit))
			continue;
		while (i--) {
			const char *s = w[i].value;
			char kinds[4] = "", type = a->type == BLOCK ? 'b' : 'c';
			unsigned major = a->major, minor = a->minor;

			if (*s != 'a') {
				if (*s != type)
					continue;
				if (s[2] != '*')
					sscanf(s + 2, "%u", &major);
				s = strchr(s, ':') + 1;
				if (*s != '*')
					sscanf(s, "%u", &minor);
				sscanf(strchr(s, ' '), "%3s", kinds);
				if (major != a->major || minor != a->minor ||
				    !strchr(kinds, bit == MKNOD ? 'm' :
					    bit == READ ? 'r' : 'w'))
					continue;
			}
			yes = strcmp(w[i].file, "devices.allow") == 0;
			break;
		}
		if (!yes)
			return false;
	}
	return true;
}

static bool says(const struct cg_write *w, size_t n, struct access a)
{
	static struct bpf_program b;

	bpf_make(&b, w, n);
	return run(&b, &a) == 1;
}

#define ALLOW(s) { .file = "devices.allow", .value = s, .key = "devices" }
#define DENY(s)	{ .file = "devices.deny", .value = s, .key = "devices" }

static void t_known(void)
{
	static const struct cg_write usual[] = { DENY("a"), ALLOW("c *:* m"),
		ALLOW("c 1:3 rwm"), ALLOW("b 8:* r"), DENY("b 8:1 r") };

	it("gives what was allowed after all was denied");
	want(says(usual, 5, (struct access){ READ | WRITE, CHAR, 1, 3 }),
	     "null");
	want(says(usual, 5, (struct access){ MKNOD, CHAR, 7, 7 }), "mknod");
	want(says(usual, 5, (struct access){ READ, BLOCK, 8, 16 }), "b 8:16");

	it("gives nothing else");
	want(!says(usual, 5, (struct access){ READ, CHAR, 1, 4 }), "minor");
	want(!says(usual, 5, (struct access){ READ, CHAR, 2, 3 }), "major");
	want(!says(usual, 5, (struct access){ READ, BLOCK, 1, 3 }), "type");
	want(!says(usual, 5, (struct access){ WRITE, BLOCK, 8, 16 }), "access");

	it("denies an access of which only a part is allowed");
	want(!says(usual, 5, (struct access){ READ | WRITE, BLOCK, 8, 16 }),
	     "rw");
	want(!says(usual, 5, (struct access){ MKNOD | READ, CHAR, 7, 7 }),
	     "mr");

	it("takes a part out of what was allowed before");
	want(!says(usual, 5, (struct access){ READ, BLOCK, 8, 1 }), "b 8:1");

	it("allows what no rule speaks of");
	want(says(usual + 2, 3, (struct access){ WRITE, BLOCK, 9, 9 }), "none");
	want(says(usual, 0, (struct access){ WRITE, BLOCK, 9, 9 }), "no rules");
}

static void t_random(void)
{
	static const char *const numbers[] = { "*", "0", "1", "1048575" };
	static const unsigned values[] = { 0, 1, 2, 1048575 };
	static const char *const kinds[] = { "r", "w", "m", "rw", "wm", "rm",
		"rwm" };
	static struct bpf_program b;
	char text[40][40];
	struct cg_write w[40];
	int round, k;

	srand(1);
	it("agrees with the rules, whatever they are");
	for (round = 0; round < 2000; round++) {
		size_t n = (size_t)rand() % 40, i;

		for (i = 0; i < n; i++) {
			snprintf(text[i], sizeof text[i], rand() % 9 ?
				 "%c %s:%s %s" : "a", "cb"[rand() % 2],
				 numbers[rand() % 4], numbers[rand() % 4],
				 kinds[rand() % 7]);
			w[i] = (struct cg_write){ .value = text[i],
				.file = rand() % 2 ? "devices.allow" :
						     "devices.deny" };
		}
		bpf_make(&b, w, n);
		want(is_all_reached(&b), "round %d has dead code", round);
		for (k = 0; k < 200; k++) {
			struct access a = { 1 + (unsigned)rand() % 7,
				rand() % 2 ? BLOCK : CHAR, values[rand() % 4],
				values[rand() % 4] };

			if (!want(run(&b, &a) == is_allowed(w, n, &a),
				  "round %d: %u %u %u:%u", round, a.what,
				  a.type, a.major, a.minor))
				return;
		}
	}
}

static void t_long(void)
{
	static struct cg_write w[2000];
	static struct bpf_program b;
	size_t i;

	for (i = 0; i < COUNT(w); i++)
		w[i] = (struct cg_write)ALLOW("c 1:3 r");
	it("says when it is too long for the kernel");
	bpf_make(&b, w, COUNT(w));
	want(b.n > COUNT(b.v), "%u", (unsigned)b.n);
	bpf_make(&b, w, 500);
	want(b.n <= COUNT(b.v), "%u", (unsigned)b.n);
}

static void t_old(void)
{
	static const struct cg_write w = ALLOW("c 1:3 r");
	static struct bpf_program b;

	it("takes the old program away where the kernel cannot replace it");
	bpf_make(&b, &w, 1);
	attached = 1;
	want(bpf_attach(&b, 3) && attached == 1, "%d: %s", attached,
	     strerror(errno));
}

int main(void)
{
	t_old();
	t_known();
	t_random();
	t_long();
	return done();
}
