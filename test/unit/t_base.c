/* SPDX-License-Identifier: MIT */
/* t_base.c - BASE, ERR and MEM: numbers, text, paths, messages, the arena. */
#include "unit.h"
#define NSRUN_NO_MAIN
#include "../../nsrun.c"

static void t_numbers(void)
{
	static const struct { const char *s; bool ok; long long v; } t[] = {
		{ "0", true, 0 }, { "-0", true, 0 }, { "7", true, 7 },
		{ "-7", true, -7 }, { "010", true, 10 },
		{ "9223372036854775807", true, LLONG_MAX },
		{ "-9223372036854775808", true, LLONG_MIN },
		{ "9223372036854775808", false, 0 },
		{ "-9223372036854775809", false, 0 },
		{ "18446744073709551616", false, 0 },
		{ "99999999999999999999999999", false, 0 },
		{ "", false, 0 }, { "-", false, 0 }, { "--1", false, 0 },
		{ "+1", false, 0 }, { " 1", false, 0 }, { "1 ", false, 0 },
		{ "0x1", false, 0 }, { "1e3", false, 0 }, { "1.0", false, 0 },
		{ "1-", false, 0 }, { "a", false, 0 }, { "\xb2", false, 0 },
	};
	static const struct { const char *s; bool ok; } u[] = {
		{ "0", true }, { "18446744073709551615", true },
		{ "18446744073709551616", false },
		{ "28446744073709551615", false }, { "-1", false },
		{ "-0", false }, { "", false }, { "1_0", false },
	};
	unsigned long long w;
	long long v;
	size_t i;

	it("reads signed numbers over their whole range, and nothing else");
	for (i = 0; i < COUNT(t); i++) {
		bool ok = num_signed(t[i].s, strlen(t[i].s), &v);

		want(ok == t[i].ok, "\"%s\" was %s", t[i].s,
		     ok ? "taken" : "refused");
		want(!ok || v == t[i].v, "\"%s\" became %lld", t[i].s, v);
	}
	want(num_signed("123", 2, &v) && v == 12, "read past its length");

	it("reads unsigned numbers over their whole range, and nothing else");
	for (i = 0; i < COUNT(u); i++) {
		bool ok = num_unsigned(u[i].s, strlen(u[i].s), &w);

		want(ok == u[i].ok, "\"%s\" was %s", u[i].s,
		     ok ? "taken" : "refused");
		want(!ok || w == strtoull(u[i].s, NULL, 10), "\"%s\" became "
		     "%llu", u[i].s, w);
	}

	it("reads what printf writes, near every power of two");
	for (i = 0; i < 64; i++) {
		char s[24];
		int d;

		for (d = -2; d <= 2; d++) {
			uint64_t n = (1ULL << i) + (uint64_t)d;

			sprintf(s, "%llu", (unsigned long long)n);
			want(num_unsigned(s, strlen(s), &w) && w == n, "%s", s);
			sprintf(s, "%lld", (long long)n);
			want(num_signed(s, strlen(s), &v) &&
			     v == (long long)n, "%s", s);
		}
	}
}

/* Every conversion with random values, whole and cut off. */
static void t_formatter(void)
{
	static const char *const strings[] = { "", "a", "hello, world",
		"\xc3\xa4 100% sure" };
	int i;

	it("formats as snprintf does, also when it does not fit");
	for (i = 0; i < 20000; i++) {
		const char *s = strings[draw(COUNT(strings))];
		long long ll = (long long)((uint64_t)draw(0x7fffffff) << 33 ^
					   draw(0x7fffffff)) >> draw(64);
		int d = (int)draw(0x7fffffff) - 0x3fffffff, w = (int)draw(14);
		int size = 1 + (int)draw(200), n;
		char a[256], b[256];
		bool fits;

		if (!draw(8))
			d = draw(2) ? INT_MIN : INT_MAX;
		if (!draw(8))
			ll = draw(2) ? LLONG_MIN : LLONG_MAX;
#define FORMAT "<%s|%.*s|%c|%d|%u|%x|%o|%lld|%llu|%%>"
#define VALUES s, w, "precisely", 'a' + d % 26, d, (unsigned)d, (unsigned)d, \
	       (unsigned)d, ll, (unsigned long long)ll
		n = snprintf(a, (size_t)size, FORMAT, VALUES);
		memset(b, 'x', sizeof b);
		fits = text_to(b, (size_t)size, FORMAT, VALUES);
		if (!want(memcmp(a, b, strlen(a) + 1) == 0, "\"%s\", not "
			  "\"%s\"", b, a) ||
		    !want(fits == (n < size), "%d in %d bytes fits: %d", n,
			  size, fits) ||
		    !want(b[size] == 'x', "wrote past byte %d", size))
			break;
	}
}

static void t_text(void)
{
	char buf[64], out[4096], big[1000];
	const char *volatile absent = NULL;	/* or the compiler would see */
	struct text t = TEXT(buf);
	int pair[2], i;
	ssize_t n;

	it("prints an absent string as (none)");
	text_to(buf, sizeof buf, "%s", absent);
	want_str("it", buf, "(none)");

	it("does not read past the precision of a string");
	char *edge = malloc(3);	/* no terminator; a sanitizer would see it */

	memcpy(edge, "abc", 3);
	text_to(buf, sizeof buf, "%.*s", 3, edge);
	want_str("it", buf, "abc");
	free(edge);

	it("keeps what fits, stays terminated, and remembers the rest");
	memset(big, 'y', sizeof big);
	text_put(&t, big, sizeof big);
	want(t.bad && strlen(buf) == sizeof buf - 1, "%zu bytes",
	     strlen(buf));

	it("streams to an fd what is larger than its buffer");
	if (pipe(pair) < 0)
		abort();
	t = (struct text){ buf, 0, 7, pair[1], false };
	for (i = 0; i < 100; i++)
		text_add(&t, "%d,", i);
	text_put(&t, big, 300);
	text_flush(&t);
	close(pair[1]);
	n = read(pair[0], out, sizeof out);
	want(n == 290 + 300 && !t.bad, "%zd bytes came", n);
	want(memcmp(out, "0,1,2,3,4,5,6,7,8,9,10,", 23) == 0, "%.30s", out);
	close(pair[0]);

	it("remembers that the fd took nothing");
	t = (struct text){ buf, 0, 7, open("/dev/full", O_WRONLY), false };
	text_add(&t, "more than seven bytes");
	text_flush(&t);
	want(t.bad, "a full device went unnoticed");
	close(t.fd);
}

static void put_quoted(char doc[4096], const char *s)
{
	struct text t = { doc, 0, 4096, -1, false };

	text_put(&t, "\"", 1);
	text_escape(&t, s, true);
	text_put(&t, "\"", 1);
}

/* What is escaped is one JSON string, or one line. */
static void t_escaping(void)
{
	char in[300], doc[4096];
	struct arena mem = { 0 };
	struct text t = TEXT(doc);
	struct json *j;
	struct err e;
	int i, k;

	for (i = 1; i < 128; i++)
		in[i - 1] = (char)i;
	strcpy(in + 127, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x8b");
	put_quoted(doc, in);

	/* DEL is none to JSON, and six characters would be many */
	it("escapes a string without a control character");
	for (i = 0; doc[i]; i++)
		want((unsigned char)doc[i] >= 32, "byte %d is %d", i, doc[i]);

	it("escapes a string so that JSON reads the same back");
	j = json_parse(&mem, "doc", doc, strlen(doc), &e);
	want(j && j->type == JSON_STR && str_eq(j->str, in), "%s",
	     j ? j->str : e.text);

	it("escapes to JSON even what is not UTF-8");
	for (i = 0; i < 3000; i++) {
		for (k = 0; k < 6; k++)
			in[k] = (char)(draw(3) ? 128 + draw(128) : 'a');
		in[k] = 0;
		put_quoted(doc, in);
		if (!want(json_parse(&mem, "doc", doc, strlen(doc), &e),
			  "%02x %02x %02x %02x %02x %02x: %s",
			  (unsigned char)in[0], (unsigned char)in[1],
			  (unsigned char)in[2], (unsigned char)in[3],
			  (unsigned char)in[4], (unsigned char)in[5], e.text))
			break;
	}
	mem_free(&mem);

	it("keeps a message on one line, with its quotes as they are");
	text_escape(&t, "open \"a\\b\": no\nsuch\x1b[2Jfile", false);
	want_str("the line", doc, "open \"a\\b\": no\\nsuch\\u001b[2Jfile");
}

static void t_words_of_a_line(void)
{
	char line[] = "a\\040b c\\134d\\011\\012  e";
	char *p = line;

	it("takes the fields of a line apart and undoes the kernel's escapes");
	want_str("the first", word_next(&p), "a b");
	want_str("the second", word_next(&p), "c\\d\t\n");
	want_str("the third", word_next(&p), "");
	want_str("the fourth", word_next(&p), "e");
	want_str("one after the last", word_next(&p), "");
}

/* What path_clean() promises, in the slow way. */
static void clean_slowly(const char *path, char *out)
{
	char copy[256], *parts[128], *p, *save;
	int n = 0, i;

	strcpy(copy, path);
	for (p = strtok_r(copy, "/", &save); p; p = strtok_r(NULL, "/", &save))
		if (strcmp(p, "..") == 0)
			n -= n > 0;
		else if (strcmp(p, ".") != 0)
			parts[n++] = p;
	for (*out = 0, i = 0; i < n; i++)
		out += sprintf(out, "/%s", parts[i]);
}

static void t_paths(void)
{
	static const char *const t[][2] = {
		{ "/", "" }, { "//", "" }, { "/a", "/a" }, { "/a/", "/a" },
		{ "/a//b/./c", "/a/b/c" }, { "/a/../b", "/b" },
		{ "/..", "" }, { "/../../a", "/a" }, { "/a/b/../..", "" },
		{ "/...", "/..." }, { "/a../..b", "/a../..b" },
		{ "/.a/b.", "/.a/b." }, { "/a/b/../../../c", "/c" },
	};
	static const char *const parts[] = { "/", "//", ".", "..", "a", "bc",
					     "/..", "/.", "..." };
	char a[256], b[256];
	size_t i, k;

	it("cleans a path without leaving the top");
	for (i = 0; i < COUNT(t); i++) {
		strcpy(a, t[i][0]);
		path_clean(a);
		want(str_eq(a, t[i][1]), "%s became \"%s\"", t[i][0], a);
	}
	for (i = 0; i < 20000; i++) {
		strcpy(a, "/");
		for (k = draw(12); k; k--)
			strcat(a, parts[draw(COUNT(parts))]);
		clean_slowly(a, b);
		strcpy(b + 128, a);
		path_clean(a);
		if (!want(str_eq(a, b), "%s became \"%s\", not \"%s\"",
			  b + 128, a, b))
			break;
	}
}

static void t_messages(void)
{
	char big[3000];
	struct err e;

	it("tells an error from the outside in, and keeps the first errno");
	errno = ENOENT;
	want(!sysfail(&e, "open %s", "/x"), "sysfail returned true");
	want(!wrap(&e, "step %d", 2) && !wrap(&e, "cannot run"), "wrap "
	     "returned true");
	want_str("the text", e.text, "cannot run: step 2: open /x: no such "
		 "file or directory");
	want(e.num == ENOENT, "errno is %d", e.num);
	hint(&e, "is %s mounted?", "it");
	want(strstr(e.text, "directory (is it mounted?)") != NULL, "%s",
	     e.text);

	it("has no errno for a broken rule");
	want(!fail(&e, "rule") && e.num == 0, "errno is %d", e.num);
	want_str("the text", e.text, "rule");

	it("cuts a message that is too long, and stays terminated");
	memset(big, 'z', sizeof big);
	big[sizeof big - 1] = 0;
	fail(&e, "%s", big);
	hint(&e, "%s", big);
	wrap(&e, "outside");
	want(strlen(e.text) == ERR_MAX - 1, "%zu bytes", strlen(e.text));
	want(strncmp(e.text, "outside: zzz", 12) == 0, "%.20s", e.text);
}

static void t_arena(void)
{
	struct arena m = { 0 };
	bool zero = true, aligned = true, held = true;
	char *p, *text, *last = NULL;
	size_t i, k, n;

	it("gives zeroed, aligned memory that overlaps nothing");
	for (i = 0; i < 3000; i++) {
		n = draw(300);
		if (draw(2)) {
			text = mem_text(&m, "%.*s", (int)n, "0123456789abcdef"
					"0123456789abcdef0123456789abcdef");
			held &= !last || *last == '!';
			(void)text;
			continue;
		}
		p = mem_new(&m, n + 1);
		if (!p)
			break;
		for (k = 0; k <= n; k++)
			zero &= p[k] == 0;
		aligned &= ((uintptr_t)p & 15) == 0;
		held &= !last || *last == '!';
		memset(p, '!', n + 1);
		last = p;
	}
	want(zero, "it was not zero");
	want(aligned, "it was not aligned");
	want(held, "it was given out twice");

	it("formats strings longer than a chunk");
	p = mem_new(&m, 300000);
	memset(p, 'q', 299999);
	text = mem_text(&m, "<%s>", p);
	want(text && strlen(text) == 300001 && text[300000] == '>', "%zu",
	     text ? strlen(text) : 0);

	it("says E2BIG at its cap, and can be used again after that");
	for (errno = 0, i = 0; i < 100 && mem_new(&m, 1 << 20); i++)
		;
	want(i < 64 && errno == E2BIG, "%zu MiB, %s", i, strerror(errno));
	want(m.total <= ARENA_MAX, "%zu bytes", m.total);
	want(!mem_new(&m, (size_t)ARENA_MAX * 2), "more than all");
	mem_free(&m);
	want(mem_new(&m, 100) != NULL, "nothing after mem_free");

	it("makes room in advance");
	want(mem_reserve(&m, 200000) && m.end - m.p >= 200000, "%td",
	     m.end - m.p);
	mem_free(&m);
}

int main(void)
{
	t_numbers();
	t_formatter();
	t_text();
	t_escaping();
	t_words_of_a_line();
	t_paths();
	t_messages();
	t_arena();
	return done();
}
