/* SPDX-License-Identifier: MIT */
/*
 * driver.c - a main() for the targets beside it, where there is no libFuzzer:
 * it runs the files that are named, then N mutations of them, the same ones
 * for the same -s. An input that ends the program, or takes ten seconds, is
 * left in PROGRAM.crash.
 *
 *	cc -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
 *		-o json json.c driver.c
 *	./json [-n N] [-s SEED] [-m BYTES] FILE...
 *
 * With clang's libFuzzer, and with AFL++:
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -o json json.c
 *	mkdir corpus; cp ../plan/[a-z]*.json corpus; ./json corpus
 *
 *	afl-clang-fast -o json json.c driver.c
 *	afl-fuzz -i ../plan -o findings -- ./json -n 0 @@
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_set_death_callback(void (*call)(void)) __attribute__((weak));

enum { SEEDS_MAX = 512, INPUT_MAX = 1 << 16 };

static struct { uint8_t *p; size_t n; } seeds[SEEDS_MAX];
static size_t nseeds, limit = 16384;
static uint8_t input[INPUT_MAX];
static size_t len;
static const char *name;
static uint64_t state = 1;

static size_t draw(size_t below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return below ? (size_t)((state * 2685821657736338717ULL) >> 33) % below
		     : 0;
}

static void on_death(void)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof path, "%s.crash", name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd >= 0 && write(fd, input, len) == (ssize_t)len)
		dprintf(2, "the input is in %s\n", path);
}

static void on_signal(int sig)
{
	signal(sig, SIG_DFL);
	if (sig == SIGALRM)
		dprintf(2, "this input takes too long\n");
	on_death();
	raise(sig == SIGALRM ? SIGKILL : sig);
}

static void run(void)
{
	uint8_t *copy = malloc(len + 1);	/* of exactly its size */

	memcpy(copy, input, len);
	copy = realloc(copy, len ? len : 1);
	alarm(10);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

/* Takes n bytes out at `at` and puts m of from there. */
static void replace(size_t at, size_t n, const void *from, size_t m)
{
	static uint8_t tail[INPUT_MAX];
	size_t rest;

	if (at > len)
		at = len;
	if (n > len - at)
		n = len - at;
	rest = len - at - n;
	if (at + m + rest > limit)
		return;
	memcpy(tail, input + at + n, rest);
	memcpy(input + at, from, m);
	memcpy(input + at + m, tail, rest);
	len = at + m + rest;
}

/* The next JSON value behind a colon or a bracket, at or after `at`; in other
 * texts, what is up to the end of a line. Its length, 0: there is none. */
static size_t value(const uint8_t *p, size_t n, size_t *at)
{
	size_t i = *at, depth = 0, start;
	int quoted = 0;

	while (i < n && p[i] != ':' && p[i] != '[')
		i++;
	for (i++; i < n && (p[i] == ' ' || p[i] == '\n' || p[i] == '\t'); i++)
		;
	for (start = i; i < n; i++) {
		if (p[i] == '"' && (i == start || p[i - 1] != '\\'))
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (p[i] == '{' || p[i] == '[')
			depth++;
		else if (!depth && strchr(",]}\n", p[i]))
			break;
		else if (p[i] == '}' || p[i] == ']')
			depth--;
	}
	*at = start;
	return start < n ? i - start : 0;
}

static void mutate(void)
{
	static const char *const words[] = { "null", "true", "0", "-1", "1e9",
		"9223372036854775807", "18446744073709551616", "{}", "[]",
		"\"\"", "[{}]", "\"/\"", "\"..\"", "\"\\u0000\"", "\"mount\"",
		"\"a/../../b\"", "\"bind\"", "\"tmpfs\"", "1", "4294967295" };
	static const char *const bytes[] = { "\n", " ", ",", "\\134", "\\",
		"/../", "[[[[[[[[", "{\"a\":", ":", "%s%n", "\xc0\x80", "\xff",
		"\\ud800", "\"", "}", "]", "{" };
	static uint8_t piece[INPUT_MAX];
	size_t at = draw(len + 1), s, from, n, m;
	const char *word;

	switch (draw(16)) {
	case 0:
		if (at < len)
			input[at] ^= (uint8_t)(1 << draw(8));
		break;
	case 1:
		if (at < len)
			input[at] = (uint8_t)draw(256);
		break;
	case 2:
		replace(at, 1 + draw(draw(4) ? 4 : 400), "", 0);
		break;
	case 3:
		word = bytes[draw(sizeof bytes / sizeof *bytes)];
		replace(at, draw(2) ? strlen(word) : 0, word, strlen(word));
		break;
	case 4:			/* a part of itself elsewhere */
		from = draw(len + 1);
		n = draw(draw(2) ? 32 : 4096);
		if (n > len - from)
			n = len - from;
		memcpy(piece, input + from, n);
		replace(at, draw(2) ? n : 0, piece, n);
		break;
	case 5: case 6: case 7:	/* a value becomes a word */
		n = value(input, len, &at);
		word = words[draw(sizeof words / sizeof *words)];
		if (n)
			replace(at, n, word, strlen(word));
		break;
	case 8: case 9:		/* a value stands there twice */
		n = value(input, len, &at);
		if (!n || 2 * n + 1 > sizeof piece)
			break;
		memcpy(piece, input + at, n);
		piece[n] = ',';
		replace(at, 0, piece, n + 1);
		break;
	default:		/* a value becomes one of another */
		s = draw(nseeds);
		from = draw(seeds[s].n);
		n = value(seeds[s].p, seeds[s].n, &from);
		m = value(input, len, &at);
		if (n && m)
			replace(at, m, seeds[s].p + from, n);
	}
}

static void load(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0 || nseeds == SEEDS_MAX) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(2);
	}
	n = read(fd, input, limit);
	close(fd);
	len = n > 0 ? (size_t)n : 0;
	seeds[nseeds].n = len;
	seeds[nseeds].p = malloc(len + 1);
	memcpy(seeds[nseeds++].p, input, len);
	run();
}

int main(int argc, char **argv)
{
	/* the first two are ours alone, the others a sanitizer's if there is */
	static const int deadly[] = { SIGALRM, SIGABRT, SIGSEGV, SIGBUS,
				      SIGFPE, SIGILL };
	unsigned long n = 10000, i;
	int c;

	while ((c = getopt(argc, argv, "n:s:m:")) >= 0)
		if (c == 'n')
			n = strtoul(optarg, NULL, 10);
		else if (c == 's')
			state = strtoul(optarg, NULL, 10) * 2 + 1;
		else if (c == 'm')
			limit = strtoul(optarg, NULL, 10);
		else
			return 2;
	if (limit > INPUT_MAX)
		limit = INPUT_MAX;
	name = argv[0];
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(on_death);
	for (i = 0; i < sizeof deadly / sizeof *deadly; i++)
		if (i < 2 || !__sanitizer_set_death_callback)
			signal(deadly[i], on_signal);
	for (; optind < argc; optind++)
		load(argv[optind]);
	for (i = 0; nseeds && i < n; i++) {
		size_t s = draw(nseeds), k = 1 + draw(draw(3) ? 4 : 30);

		len = seeds[s].n;
		memcpy(input, seeds[s].p, len);
		while (k--)
			mutate();
		run();
	}
	printf("%zu files and %lu mutations\n", nseeds, nseeds ? n : 0);
	return 0;
}
