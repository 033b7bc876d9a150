/* SPDX-License-Identifier: MIT */
/*
 * t_json.c - JSON: what RFC 8259 allows is read exactly, all else is refused
 * with its line and column, in time and memory that follow the size.
 */
#include "unit.h"
#define NSRUN_NO_MAIN
#include "../../nsrun.c"

static struct arena mem;
static struct err err;

/* A copy of exactly its size, so that a sanitizer sees a read behind it. */
static struct json *parse(const char *text, size_t len)
{
	static char *copy;

	mem_free(&mem);
	free(copy);
	copy = malloc(len + 1);
	memcpy(copy, text, len);
	copy[len] = '~';
	memset(&err, 0, sizeof err);
	return json_parse(&mem, "c", copy, len, &err);
}

/* Bytes below space as <NN>, all others as they are. */
static void dump_string(FILE *f, const char *s, size_t n)
{
	fputc('"', f);
	for (; n--; s++)
		if ((unsigned char)*s < 32)
			fprintf(f, "<%02x>", *s);
		else
			fputc(*s, f);
	fputc('"', f);
}

static void dump_node(FILE *f, const struct json *j)
{
	const struct json *k;

	switch (j->type) {
	case JSON_NULL:
		fputs("null", f);
		break;
	case JSON_FALSE: case JSON_TRUE:
		fputs(j->type == JSON_TRUE ? "true" : "false", f);
		break;
	case JSON_NUM:
		fprintf(f, "%.*s", (int)j->len, j->str);
		break;
	case JSON_STR:
		dump_string(f, j->str, j->len);
		break;
	default:
		fputc(j->type == JSON_OBJ ? '{' : '[', f);
		for (k = j->kids; k; k = k->next) {
			if (j->type == JSON_OBJ)
				fprintf(f, "\"%s\":", k->key);
			dump_node(f, k);
			if (k->next)
				fputc(',', f);
		}
		fputc(j->type == JSON_OBJ ? '}' : ']', f);
	}
}

static char *dump(const struct json *j)
{
	static char *p;
	size_t n;
	FILE *f;

	free(p);
	f = open_memstream(&p, &n);
	dump_node(f, j);
	fclose(f);
	return p;
}

struct good { const char *text, *tree; };	/* tree NULL: the text itself */

static void all_good(const struct good *t, size_t n)
{
	for (; n--; t++) {
		struct json *j = parse(t->text, strlen(t->text));
		const char *due = t->tree ? t->tree : t->text;

		if (want(j, "%s: %s", t->text, err.text))
			want(str_eq(dump(j), due), "%s became %s", t->text,
			     dump(j));
	}
}

struct bad { const char *text, *why; };		/* why NULL: any reason */

static void all_bad(const struct bad *t, size_t n)
{
	for (; n--; t++) {
		struct json *j = parse(t->text, strlen(t->text));

		if (want(!j, "%s was taken as %s", t->text, j ? dump(j) : ""))
			want(!t->why || strstr(err.text, t->why), "%s: %s, "
			     "not %s", t->text, err.text, t->why);
	}
}

static void t_values(void)
{
	static const struct good t[] = {
		{ "null", NULL }, { "true", NULL }, { "false", NULL },
		{ "\"\"", NULL }, { "\"a\"", NULL }, { "[]", NULL },
		{ "{}", NULL }, { "0", NULL }, { " 1 ", "1" },
		{ "\t\n\r [ ] \t\n\r", "[]" }, { "[1,2]", NULL },
		{ "[ 1\n,\r2\t]", "[1,2]" }, { "[[],[[]],{}]", NULL },
		{ "[null,true,false]", NULL }, { "[\"\"]", NULL },
		{ "{\"a\":1}", NULL }, { "{\"\":0}", NULL },
		{ "{ \"a\" : 1 , \"b\" : [ ] }", "{\"a\":1,\"b\":[]}" },
		{ "{\"a\":{\"b\":{\"c\":[]}}}", NULL },
		{ "{\"a\":1,\"a\":2}", NULL },
		{ "[[1],2,[3,[4]]]", NULL },
	};

	it("reads every kind of value, and blanks wherever they may be");
	all_good(t, COUNT(t));
}

static void t_no_values(void)
{
	static const struct bad t[] = {
		{ "", "c:1:1: unexpected end" },
		{ " ", "c:1:2: unexpected end" },
		{ "nul", NULL }, { "nulL", NULL }, { "Null", NULL },
		{ "tru", NULL }, { "True", NULL }, { "TRUE", NULL },
		{ "fals", NULL }, { "nan", NULL }, { "NaN", NULL },
		{ "Infinity", NULL }, { "-Infinity", NULL },
		{ "undefined", NULL }, { "truee", NULL }, { "nullx", NULL },
		{ "true false", NULL }, { "1 2", NULL }, { "{}{}", NULL },
		{ "[][]", NULL }, { "\"a\" \"b\"", NULL }, { "{},", NULL },
		{ ",", NULL }, { ":", NULL }, { "]", NULL }, { "}", NULL },
		{ "[", "end of file" }, { "[1", "end of file" },
		{ "[1,", "end of file" }, { "[,", NULL }, { "[,1]", NULL },
		{ "[1,]", NULL }, { "[1,,2]", NULL }, { "[1 2]", "a comma" },
		{ "[1}", "a comma or ]" }, { "[1:2]", NULL }, { "[[]", NULL },
		{ "[]]", "after the end" }, { "[\"a\" 1]", NULL },
		{ "{", "end of file" }, { "{\"a\"", "end of file" },
		{ "{\"a\":", "end of file" }, { "{\"a\":1", "end of file" },
		{ "{\"a\":1,", "end of file" }, { "{\"a\":1,}", NULL },
		{ "{\"a\"}", "a colon" }, { "{\"a\",1}", "a colon" },
		{ "{\"a\" 1}", "a colon" }, { "{\"a\"::1}", NULL },
		{ "{:1}", "a member name" }, { "{,}", "a member name" },
		{ "{1:1}", "a member name" }, { "{a:1}", "a member name" },
		{ "{'a':1}", "a member name" }, { "{null:1}", "a member name" },
		{ "{\"a\":1 \"b\":2}", "a comma or }" },
		{ "{\"a\":1]", "a comma or }" }, { "{\"a\":1,,\"b\":2}", NULL },
		{ "{\"a\":1}}", "after the end" }, { "{[]:1}", NULL },
		{ "'a'", NULL }, { "// c\n1", NULL }, { "/* c */1", NULL },
		{ "1 # c", NULL }, { "[1] //", NULL }, { "\v1", NULL },
		{ "\f1", NULL }, { "1\x1a", NULL }, { "\xc2\xa0" "1", NULL },
		{ "\xe2\x80\xa8" "1", NULL }, { "<a>", NULL }, { "*", NULL },
		{ "\\u0031", NULL }, { "@", NULL }, { "\x80", NULL },
	};

	it("refuses words, commas, brackets and comments that JSON has not");
	all_bad(t, COUNT(t));

	it("refuses a NUL byte between values");
	want(!parse("1\0", 2), "1 NUL was taken");
	want(!parse("[1\0]", 4), "[1 NUL] was taken");
	want(!parse("\0", 1), "NUL was taken");

	it("refuses a byte order mark, UTF-16 and UTF-32, and names the first");
	want(!parse("\xef\xbb\xbf{}", 5), "a mark was taken");
	want(strstr(err.text, "c:1:1: begins with a byte order mark") != NULL,
	     "%s", err.text);
	want(!parse("\xff\xfe{\0}\0", 6), "UTF-16LE was taken");
	want(!parse("\0{\0}", 4), "UTF-16BE was taken");
	want(!parse("\xef\xbb", 2), "half a mark was taken");
}

static void t_numbers(void)
{
	static const struct good y[] = {
		{ "0", NULL }, { "-0", NULL }, { "1", NULL }, { "-1", NULL },
		{ "10", NULL }, { "1234567890", NULL }, { "0.0", NULL },
		{ "-0.1", NULL }, { "1.25", NULL }, { "0e0", NULL },
		{ "1e5", NULL }, { "1E5", NULL }, { "1e+05", NULL },
		{ "1E-5", NULL }, { "1.5e300", NULL }, { "-1.5E-0", NULL },
		{ "123456789012345678901234567890", NULL },
		{ "0.00000000000000000000000000001", NULL },
		{ "1e99999", NULL }, { "[0,-0,0.5]", NULL },
		{ "9223372036854775807", NULL },
		{ "18446744073709551615", NULL },
	};
	static const struct bad n[] = {
		{ "-", NULL }, { "+1", NULL }, { "01", NULL }, { "-01", NULL },
		{ "00", NULL }, { "1.", "after the dot" }, { ".5", NULL },
		{ "-.5", NULL }, { "1.e1", "after the dot" },
		{ "1e", "after the e" }, { "1e+", "after the e" },
		{ "1E-", "after the e" }, { "1ee1", NULL }, { "1e1.5", NULL },
		{ "--1", NULL }, { "-+1", NULL }, { "1-", NULL },
		{ "1+2", NULL }, { "0x10", NULL }, { "1_000", NULL },
		{ "1,000", NULL }, { "1a", NULL }, { "-a", NULL },
		{ "0b1", NULL }, { "1.5.2", NULL }, { "[1.]", NULL },
		{ "[-]", NULL }, { "[1e]", NULL }, { "[-,1]", NULL },
		{ "\xef\xbc\x91", NULL }, { "1\xc2\xb2", NULL },
		{ "1 .5", NULL },
	};

	it("keeps a number as it was written, whatever its size");
	all_good(y, COUNT(y));
	it("refuses numbers of other languages");
	all_bad(n, COUNT(n));
	it("does not read a number past the end of the text");
	want(parse("-12", 2) && str_eq(dump(parse("-12", 2)), "-1"), "%s",
	     err.text);
	want(!parse("-1", 1), "a lone minus was taken");
	want(!parse("1.5", 2), "a dot without a digit was taken");
	want(!parse("1e5", 2), "an e without a digit was taken");
	want(!parse("1e+5", 3), "a sign without a digit was taken");
}

static void t_strings(void)
{
	static const struct good y[] = {
		{ "\"\\\"\\\\\\/\"", "\"\"\\/\"" },
		{ "\"\\b\\f\\n\\r\\t\"", "\"<08><0c><0a><0d><09>\"" },
		{ "\"\\u0041\\u00e4\\u20AC\"", "\"A\xc3\xa4\xe2\x82\xac\"" },
		{ "\"\\uD83D\\uDC0B\"", "\"\xf0\x9f\x90\x8b\"" },
		{ "\"\\ud800\\udc00\"", "\"\xf0\x90\x80\x80\"" },
		{ "\"\\udbff\\udfff\"", "\"\xf4\x8f\xbf\xbf\"" },
		{ "\"\\ud7ff\\ue000\"", "\"\xed\x9f\xbf\xee\x80\x80\"" },
		{ "\"\\uffff\\u007f\"", "\"\xef\xbf\xbf\x7f\"" },
		{ "\"\\u0000\"", "\"<00>\"" },
		{ "\"a\\u0000b\"", "\"a<00>b\"" },
		{ "\"\\u001f\"", "\"<1f>\"" },
		{ "\"\\\\u0041\"", "\"\\u0041\"" },
		{ "\"\\\\\\\\\"", "\"\\\\\"" }, { "\"\x7f\"", NULL },
		{ "\"\xc2\x80\xdf\xbf\"", NULL },
		{ "\"\xe0\xa0\x80\xef\xbf\xbf\"", NULL },
		{ "\"\xed\x9f\xbf\xee\x80\x80\"", NULL },
		{ "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"", NULL },
		{ "\"\xef\xbb\xbf\"", NULL }, { "\"\xe2\x80\xa8\"", NULL },
		{ "\"//*,:[]{}'\"", NULL }, { "[\"a\",\"\\n\",\"b\"]",
		  "[\"a\",\"<0a>\",\"b\"]" },
		{ "{\"\\u0061\\t\":\"\\u0062\"}", "{\"a\t\":\"b\"}" },
	};
	static const struct bad n[] = {
		{ "\"", NULL }, { "\"a", "end of file" }, { "\"\\", NULL },
		{ "\"\\\"", "end of file" }, { "\"\\a\"", "unknown escape" },
		{ "\"\\x41\"", "unknown escape" }, { "\"\\0\"", NULL },
		{ "\"\\'\"", NULL }, { "\"\\ \"", NULL },
		{ "\"\\U0041\"", NULL },
		{ "\"\\\n\"", NULL }, { "\"\\\xc3\xa4\"", NULL },
		{ "\"\\u\"", "four hex" }, { "\"\\u1\"", "four hex" },
		{ "\"\\u12\"", "four hex" }, { "\"\\u123\"", "four hex" },
		{ "\"\\u123g\"", "four hex" }, { "\"\\u+123\"", "four hex" },
		{ "\"\\u 123\"", "four hex" }, { "\"\\u-001\"", "four hex" },
		{ "\"\\u00@0\"", "four hex" }, { "\"\\u00`0\"", "four hex" },
		{ "\"\\u", NULL }, { "\"\\u004", NULL },
		{ "\"\\ud800\"", "surrogate" }, { "\"\\udfff\"", "surrogate" },
		{ "\"\\ud800a\"", "surrogate" },
		{ "\"\\ud800\\n\"", "surrogate" },
		{ "\"\\ud800\\u\"", NULL }, { "\"\\ud800\\u12\"", NULL },
		{ "\"\\ud800\\u0041\"", "surrogate" },
		{ "\"\\ud800\\ud800\"", "surrogate" },
		{ "\"\\udc00\\ud800\"", "surrogate" },
		{ "\"\\ud800\\ue000\"", "surrogate" },
		{ "\"\\ud800", NULL }, { "\"\\ud800\\", NULL },
		{ "\"\n\"", "control" }, { "\"\t\"", "control" },
		{ "\"\x1f\"", "control" }, { "\"\x01\"", "control" },
		/* overlong, surrogates, too large, cut off, lone */
		{ "\"\xc0\xaf\"", "not UTF-8" },
		{ "\"\xc1\xbf\"", "not UTF-8" },
		{ "\"\xc0\x80\"", "not UTF-8" },
		{ "\"\xe0\x80\xaf\"", "not UTF-8" },
		{ "\"\xe0\x9f\xbf\"", "not UTF-8" },
		{ "\"\xf0\x80\x80\xaf\"", "not UTF-8" },
		{ "\"\xf0\x8f\xbf\xbf\"", "not UTF-8" },
		{ "\"\xed\xa0\x80\"", "not UTF-8" },
		{ "\"\xed\xbf\xbf\"", "not UTF-8" },
		{ "\"\xf4\x90\x80\x80\"", "not UTF-8" },
		{ "\"\xf5\x80\x80\x80\"", "not UTF-8" },
		{ "\"\xf8\x88\x80\x80\x80\"", "not UTF-8" },
		{ "\"\xff\"", "not UTF-8" }, { "\"\xfe\"", "not UTF-8" },
		{ "\"\x80\"", "not UTF-8" }, { "\"\xbf\"", "not UTF-8" },
		{ "\"\xc3\"", "not UTF-8" }, { "\"\xe2\x82\"", "not UTF-8" },
		{ "\"\xf0\x9f\x90\"", "not UTF-8" }, { "\"\xc3", "not UTF-8" },
		{ "\"\xe2\x82", "not UTF-8" },
		{ "\"\xf0\x9f\x90", "not UTF-8" },
		{ "{\"\xff\":1}", "not UTF-8" },
		{ "\"\xe9t\xe9\"", "not UTF-8" },
	};
	struct json *j;

	it("decodes every escape, surrogate pairs, and all of UTF-8");
	all_good(y, COUNT(y));
	it("refuses bad escapes, half pairs, control bytes and bad UTF-8");
	all_bad(n, COUNT(n));
	it("refuses a NUL byte inside a string");
	want(!parse("\"a\0b\"", 5), "it was taken");

	it("says that a string holds an escaped NUL");
	j = parse("[\"a\",\"b\\u0000\",\"c\"]", 19);
	want(j && !j->kids->nul && j->kids->next->nul &&
	     !j->kids->next->next->nul, "the marks are wrong");
}

/* All two- and three-byte strings, and four-byte ones by chance, against the
 * table of RFC 3629. */
static bool utf8_by_the_table(const unsigned char *s, size_t n)
{
	static const struct { unsigned char from[4], to[4]; int n; } t[] = {
		{ { 0x20 }, { 0x7f }, 1 },
		{ { 0xc2, 0x80 }, { 0xdf, 0xbf }, 2 },
		{ { 0xe0, 0xa0, 0x80 }, { 0xe0, 0xbf, 0xbf }, 3 },
		{ { 0xe1, 0x80, 0x80 }, { 0xec, 0xbf, 0xbf }, 3 },
		{ { 0xed, 0x80, 0x80 }, { 0xed, 0x9f, 0xbf }, 3 },
		{ { 0xee, 0x80, 0x80 }, { 0xef, 0xbf, 0xbf }, 3 },
		{ { 0xf0, 0x90, 0x80, 0x80 }, { 0xf0, 0xbf, 0xbf, 0xbf }, 4 },
		{ { 0xf1, 0x80, 0x80, 0x80 }, { 0xf3, 0xbf, 0xbf, 0xbf }, 4 },
		{ { 0xf4, 0x80, 0x80, 0x80 }, { 0xf4, 0x8f, 0xbf, 0xbf }, 4 },
	};
	size_t i;
	int k;

	while (n) {
		for (i = 0; i < COUNT(t); i++) {
			for (k = 0; k < t[i].n && (size_t)k < n &&
			     s[k] >= t[i].from[k] && s[k] <= t[i].to[k]; k++)
				;
			if (k == t[i].n)
				break;
		}
		if (i == COUNT(t))
			return false;
		s += t[i].n;
		n -= (size_t)t[i].n;
	}
	return true;
}

static void t_utf8(void)
{
	unsigned char s[8] = { '"' };
	unsigned i, k, n;

	it("knows UTF-8 from what is none, by the table of RFC 3629");
	for (i = 0; i < 0x8000 + 20000; i++) {
		n = i < 0x8000 ? 2 : 4;
		for (k = 1; k <= n; k++)
			s[k] = (unsigned char)(i < 0x8000 ? 0x80 |
				(k == 1 ? i >> 8 : i & 255) :
				draw(2) ? 0xc0 | draw(64) : 0x80 | draw(64));
		if (memchr(s + 1, '"', n) || memchr(s + 1, '\\', n))
			continue;
		s[n + 1] = '"';
		if (!want(!!parse((char *)s, n + 2) ==
			  utf8_by_the_table(s + 1, n), "%02x %02x %02x %02x",
			  s[1], s[2], s[3], s[4]))
			break;
	}
}

static void t_depth(void)
{
	static char big[20002];
	struct json *j;
	int n, i, k;

	it("nests 128 deep, lists and objects alike");
	memset(big, '[', 128);
	memset(big + 128, ']', 128);
	j = parse(big, 256);
	for (n = 0; j; j = j->kids)
		n++;
	want(n == 128, "%d: %s", n, err.text);
	for (n = 0, i = 0; i < 128; i++)
		n += sprintf(big + n, "{\"a\":");
	n += sprintf(big + n, "1");
	memset(big + n, '}', 128);
	want(parse(big, (size_t)n + 128), "%s", err.text);

	it("refuses 129 and 10000 levels, at the bracket");
	memset(big, '[', 10000);
	memset(big + 129, ']', 129);
	want(!parse(big, 258), "129 were taken");
	want_str("the error", err.text, "c:1:129: nested deeper than 128");
	memset(big, '[', 10000);
	memset(big + 10000, ']', 10000);
	want(!parse(big, 20000), "10000 were taken");
	want_str("the error", err.text, "c:1:129: nested deeper than 128");

	it("can close and open again at the deepest level");
	for (k = 126; k < 128; k++) {
		memset(big, '[', (size_t)k);
		for (n = k, i = 0; i < 100; i++)
			n += sprintf(big + n, "%s[{}],[]", i ? "," : "");
		memset(big + n, ']', (size_t)k);
		want(!!parse(big, (size_t)(n + k)) == (k == 126), "%d: %s",
		     k + 2, err.text);
	}
}

static void t_places(void)
{
	static const struct { const char *text, *place; } t[] = {
		{ "x", "c:1:1: " }, { "{\n  \"a\": tru\n}", "c:2:8: " },
		{ "{\n\t\"a\": 1\n\t\"b\": 2\n}", "c:3:2: " },
		{ "[1,\r\n2,\r\n]", "c:3:1: " }, { "{\"a\": 01}", "c:1:8: " },
		{ "[1.x]", "c:1:4: " }, { "[\"a\\q\"]", "c:1:5: " },
		{ "[\"a\x01\"]", "c:1:4: " }, { "[\"a\xff\"]", "c:1:4: " },
		{ "\n\n {\"a\" 1}", "c:3:7: " }, { "[]\n]", "c:2:1: " },
		{ "{\"mounts\": [\n{\"type\":", "c:2:9: " },
		/* what was decoded before it does not move a place */
		{ "{\"a\": \"x\\ny\", \"b\": tru}", "c:1:20: " },
		{ "{\"a\\n\\n\": \"\\n\\n\",\n\"b\": tru}", "c:2:6: " },
		{ "[\"\\u000a\\u000a\", tru]", "c:1:18: " },
		{ "[\"\\u00e4\\u00e4\", tru]", "c:1:18: " },
	};
	size_t i;

	it("says the line and the column (in bytes) of what it refuses");
	for (i = 0; i < COUNT(t); i++) {
		want(!parse(t[i].text, strlen(t[i].text)), "%s was taken",
		     t[i].text);
		want(strncmp(err.text, t[i].place, strlen(t[i].place)) == 0,
		     "%s: \"%s\", not %s", t[i].text, err.text, t[i].place);
	}

	it("says inside which member the file ends");
	want(!parse("{\"mounts\": [\n{\"type\":", 21) &&
	     strstr(err.text, "inside \"mounts\""), "%s", err.text);

	it("survives a member name of a megabyte in a message");
	char *big = malloc(1 << 20);

	memset(big, 'k', 1 << 20);
	memcpy(big, "{\"", 2);
	memcpy(big + (1 << 20) - 4, "\" 1}", 4);
	want(!parse(big, 1 << 20), "it was taken");
	want(strlen(err.text) < sizeof err.text && strncmp(err.text, "c:1:", 4)
	     == 0, "%.20s", err.text);
	free(big);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The best of some, so that a busy machine does not matter. */
static double time_of(const char *text, size_t n, bool good)
{
	double best = 1e9;
	int i;

	for (i = n > 2 << 20; i < 3; i++) {
		double t = now();
		bool ok = parse(text, n) != NULL;

		t = now() - t;
		want(ok == good, "%zu bytes: %s", n, err.text);
		best = t < best ? t : best;
	}
	return best;
}

/* n bytes: a head, a unit as often as it fits, a tail. */
static char *repeat(size_t n, const char *head, const char *unit_text,
		    const char *tail)
{
	size_t each = strlen(unit_text), at = strlen(head);
	char *p = malloc(n + 1);

	memset(p, ' ', n);
	memcpy(p, head, at);
	for (; at + each + strlen(tail) <= n; at += each)
		memcpy(p + at, unit_text, each);
	memcpy(p + n - strlen(tail), tail, strlen(tail));
	p[n] = 0;
	return p;
}

static void linear(size_t mb, const char *what, const char *head,
		   const char *unit_text, const char *tail, bool good)
{
	size_t n = mb << 19;
	char *one = repeat(n, head, unit_text, tail);
	char *two = repeat(2 * n, head, unit_text, tail);
	double a, b;
	int tries = 0;

	it("reads %zu MB of %s in twice the time of half of it", mb, what);
	do {	/* a busy machine may make the best of one measurement long */
		a = time_of(one, n, good);
		b = time_of(two, 2 * n, good);
	} while (b >= 3 * a + 0.01 && ++tries < 5);
	want(b < 3 * a + 0.01, "%.0f ms, then %.0f ms", a * 1e3, b * 1e3);
	want(b < 0.5 * (double)mb, "%.1f s are too slow", b);
	free(one);
	free(two);
}

static void t_sizes(void)
{
	static char str[201], member[201];
	char *p;

	memset(str, 'a', 200);
	memcpy(member, str, 200);
	memcpy(str, "\"", 1);
	memcpy(str + 198, "\",", 2);
	memcpy(member, "\"", 1);
	memcpy(member + 98, "\":\"", 3);
	memcpy(member + 198, "\",", 2);
	linear(10, "members", "{", member, "\"z\":0}", true);
	linear(1, "strings", "[", str, "0]", true);
	linear(1, "one string", "\"", "a", "\"", true);
	linear(1, "escapes", "\"", "\\u00e4\\n", "\"", true);
	linear(1, "blanks", "[", "\n   ", "]", true);
	linear(1, "a number", "-", "7", "7", true);
	linear(1, "small lists", "[", "[],", "0]", true);
	linear(1, "an open string", "\"", "a", "a", false);
	linear(1, "lines before an error", "[", "\n\n\n\n", "x", false);

	it("gives up at 64 MiB of memory, and says so");
	p = repeat(10 << 20, "[0", ",0", "]");
	want(!parse(p, 10 << 20), "five million elements were taken");
	want(strstr(err.text, "too large: it needs more than 64 MiB") != NULL,
	     "%s", err.text);
	want(mem.total <= ARENA_MAX, "%zu bytes", mem.total);
	free(p);
}

/* Members and elements of every kind, at random, as text by the writer. */
static void write_some(struct json_out *o, bool in_object, int depth)
{
	static const char *const strings[] = { "", "a", "\"\\/", "\n\t\r\b\f",
		"\x01\x1f\x7f", "\xc3\xa4", "\xf0\x9f\x90\x8b", "a b" };
	unsigned n = draw(6);

	while (n--) {
		const char *key = in_object ? strings[draw(COUNT(strings))] :
				  NULL;
		bool object = draw(2);

		switch (draw(depth < 20 ? 4 : 2)) {
		case 0:
			json_put_str(o, key, strings[draw(COUNT(strings))]);
			break;
		case 1:
			json_put_num(o, key, draw(9) ? (int)draw(2000) - 1000 :
				     draw(2) ? LLONG_MIN : LLONG_MAX);
			break;
		default:
			json_put_open(o, key, object ? '{' : '[');
			write_some(o, object, depth + 1);
			json_put_close(o, object ? '}' : ']');
		}
	}
}

/* The tree again by the writer: the same text must come out. */
static void write_tree(struct json_out *o, const struct json *j, bool in_object)
{
	const char *key = in_object ? j->key : NULL;
	const struct json *k;
	long long v;

	switch (j->type) {
	case JSON_STR:
		json_put_str(o, key, j->str);
		break;
	case JSON_NUM:
		num_signed(j->str, j->len, &v);
		json_put_num(o, key, v);
		break;
	default:
		json_put_open(o, key, j->type == JSON_OBJ ? '{' : '[');
		for (k = j->kids; k; k = k->next)
			write_tree(o, k, j->type == JSON_OBJ);
		json_put_close(o, j->type == JSON_OBJ ? '}' : ']');
	}
}

static void t_writer(void)
{
	static char one[1 << 20], two[1 << 20];
	int i;

	it("reads back what it writes, and writes it the same again");
	for (i = 0; i < 500; i++) {
		struct text t = TEXT(one), u = TEXT(two);
		struct json_out o = { &t, 0, true, false };
		struct json_out p = { &u, 0, true, false };
		struct json *j;

		*one = *two = 0;
		json_put_open(&o, NULL, '{');
		write_some(&o, true, 1);
		json_put_close(&o, '}');
		if (t.bad)
			continue;
		j = parse(one, t.len);
		if (!want(j, "%s: %s", one, err.text))
			break;
		write_tree(&p, j, false);
		if (!want(str_eq(one, two), "%s became %s", one, two))
			break;
	}

	it("lays out members and elements one a line, empty ones on one");
	struct text t = TEXT(one);
	struct json_out o = { &t, 0, true, false };

	json_put_open(&o, NULL, '{');
	json_put_str(&o, "a", "b");
	json_put_open(&o, "c", '[');
	json_put_num(&o, NULL, -1);
	json_put_close(&o, ']');
	json_put_open(&o, "d", '{');
	json_put_close(&o, '}');
	json_put_close(&o, '}');
	want_str("it", one, "{\n  \"a\": \"b\",\n  \"c\": [\n    -1\n  ],\n"
		 "  \"d\": {}\n}");
}

/* Whatever the bytes, it says yes or gives a place; nothing else happens. */
static void t_noise(void)
{
	static const char seed[] = "{\"a\":[1,-2.5e3,true,null,\"\\u00e4\\n\xc3"
		"\xa4\"],\"b\":{\"c\":{}},\"d\":\"x\"}";
	char buf[sizeof seed];
	int i, k, taken = 0;

	it("answers any damage with a value or a place");
	for (i = 0; i < 20000; i++) {
		memcpy(buf, seed, sizeof buf);
		for (k = 1 + (int)draw(3); k; k--)
			buf[draw(sizeof buf - 1)] =
				draw(2) ? seed[draw(sizeof seed - 1)] :
				(char)draw(256);
		if (parse(buf, draw(4) ? sizeof buf - 1 : draw(sizeof buf)))
			taken++;
		else if (!want(strncmp(err.text, "c:", 2) == 0, "%s",
			       err.text))
			break;
	}
	want(taken > 100 && taken < 19000, "%d of 20000 were taken", taken);
}

int main(void)
{
	t_values();
	t_no_values();
	t_numbers();
	t_strings();
	t_utf8();
	t_depth();
	t_places();
	t_sizes();
	t_writer();
	t_noise();
	mem_free(&mem);
	return done();
}
