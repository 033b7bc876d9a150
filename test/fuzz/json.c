/* SPDX-License-Identifier: MIT */
/*
 * json.c - a fuzz target: the JSON parser. What it takes is UTF-8 and in
 * bounds, and comes back the same when it is written and read again; what it
 * refuses has a place inside the text.
 */
#define NSRUN_NO_MAIN
#include "../../nsrun.c"

static void must(bool holds)
{
	if (!holds)
		abort();
}

static size_t walk(const struct json *j, int depth)
{
	size_t n = 1;

	must(depth <= JSON_DEPTH_MAX && j->type <= JSON_OBJ);
	if (j->type == JSON_STR) {
		const unsigned char *s = (const unsigned char *)j->str;
		unsigned i, k;

		must(!j->str[j->len]);
		for (i = 0; i < j->len; i += k)
			must((k = utf8_len(s + i)) != 0);
		must(j->nul || strlen(j->str) == j->len);
	} else if (j->type == JSON_NUM) {
		must(j->len && (*j->str == '-' || is_digit(*j->str)));
	} else if (j->type == JSON_LIST || j->type == JSON_OBJ) {
		const struct json *k;

		for (k = j->kids; k; k = k->next) {
			must(!k->key == (j->type == JSON_LIST));
			n += walk(k, depth + 1);
		}
	}
	return n;
}

/* Only strings, lists and objects: the writer has no more. */
static void put(struct json_out *o, const struct json *j, bool object)
{
	const char *key = object ? j->key : NULL;
	const struct json *k;

	if (j->type == JSON_STR) {
		json_put_str(o, key, j->str);
	} else if (j->type == JSON_LIST || j->type == JSON_OBJ) {
		json_put_open(o, key, j->type == JSON_OBJ ? '{' : '[');
		for (k = j->kids; k; k = k->next)
			put(o, k, j->type == JSON_OBJ);
		json_put_close(o, j->type == JSON_OBJ ? '}' : ']');
	} else {
		json_put_num(o, key, j->type);
	}
}

static bool same(const struct json *a, const struct json *b)
{
	bool plain = a->type < JSON_STR;

	if ((a->key && !str_eq(a->key, b->key)) ||
	    (plain ? b->type != JSON_NUM : a->type != b->type))
		return false;
	if (a->type == JSON_STR)
		return str_eq(a->str, b->str);
	if (plain)
		return true;
	for (a = a->kids, b = b->kids; a && b; a = a->next, b = b->next)
		if (!same(a, b))
			return false;
	return !a && !b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char out[1 << 20];
	struct text t = TEXT(out);
	struct json_out o = { &t, 0, true, false };
	struct arena mem = { 0 };
	struct err e = { 0, "" };
	char *text = malloc(size + 1);
	struct json *j, *again;

	memcpy(text, data, size);
	text[size] = 'x';
	j = json_parse(&mem, "f", text, size, &e);
	if (j) {
		walk(j, 0);
		json_asks(j);
		put(&o, j, false);
		again = t.bad ? NULL : json_parse(&mem, "o", out, t.len, &e);
		must(t.bad || (again && same(j, again)));
	} else {
		const char *p = str_after(e.text, "f:");
		unsigned long line, column;
		char *end;

		must(p != NULL);
		line = strtoul(p, &end, 10);
		must(*end == ':');
		column = strtoul(end + 1, &end, 10);
		must(*end == ':' && line >= 1 && column >= 1 &&
		     line + column <= size + 2);
	}
	free(text);
	mem_free(&mem);
	return 0;
}
