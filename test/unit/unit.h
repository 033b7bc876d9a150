/* SPDX-License-Identifier: MIT */
/*
 * unit.h - a test is a sentence and what must hold for it. To be included
 * before nsrun.c:
 *
 *	#include "unit.h"
 *	#define NSRUN_NO_MAIN
 *	#include "../../nsrun.c"
 *
 *	static void numbers(void)
 *	{
 *		it("reads a number");
 *		want(num_signed("7", 1, &v) && v == 7, "7 became %lld", v);
 *	}
 *
 *	int main(void)
 *	{
 *		numbers();
 *		return done();
 *	}
 *
 * A sentence holds if every want() up to the next one does; each that does not
 * prints its line and its words.
 */
#define _GNU_SOURCE
#include <ftw.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No test uses all that nsrun.c has, nor all that is here. */
#pragma GCC diagnostic ignored "-Wunused-function"

static struct {
	char	sentence[256];
	int	bad;			/* of this sentence */
	int	passed, failed, skipped;
} unit;

static void unit_close(void)
{
	if (!*unit.sentence)
		return;
	printf("%s - %s\n", unit.bad ? "FAIL" : "ok", unit.sentence);
	*(unit.bad ? &unit.failed : &unit.passed) += 1;
	*unit.sentence = 0;
	fflush(stdout);
}

__attribute__((format(printf, 1, 2)))
static void it(const char *f, ...)
{
	va_list ap;

	unit_close();
	unit.bad = 0;
	va_start(ap, f);
	vsnprintf(unit.sentence, sizeof unit.sentence, f, ap);
	va_end(ap);
}

/* In place of it(): this cannot be tested here, because. */
static void skip(const char *sentence, const char *why)
{
	unit_close();
	printf("SKIP - %s: %s\n", sentence, why);
	unit.skipped++;
}

/* Ten of a kind are enough to see. */
__attribute__((format(printf, 3, 4)))
static bool unit_want(bool holds, int line, const char *f, ...)
{
	va_list ap;

	if (holds || ++unit.bad > 10)
		return holds;
	printf("    %d: ", line);
	va_start(ap, f);
	vprintf(f, ap);
	va_end(ap);
	putchar('\n');
	return false;
}
#define want(holds, ...) unit_want((holds), __LINE__, __VA_ARGS__)

static bool unit_same(int line, const char *what, const char *got,
		      const char *due)
{
	return unit_want(got && strcmp(got, due) == 0, line,
			 "%s is \"%s\", not \"%s\"", what,
			 got ? got : "(none)", due);
}
#define want_str(what, got, due) unit_same(__LINE__, what, got, due)

static int done(void)
{
	unit_close();
	printf("%d passed, %d failed, %d skipped\n", unit.passed, unit.failed,
	       unit.skipped);
	return unit.failed > 0;
}

/* A new directory, absolute; TMPDIR is removed by who ran the test. */
static void temp_dir(char *buf, size_t size)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(buf, size, "%s/nsrun-unit-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(buf))
		abort();
}

static int unit_remove(const char *path, const struct stat *st, int type,
		       struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void remove_tree(const char *path)
{
	nftw(path, unit_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* The same numbers in every run: xorshift64*. */
static uint64_t unit_seed = 88172645463325252ULL;

static unsigned draw(unsigned below)
{
	unit_seed ^= unit_seed >> 12;
	unit_seed ^= unit_seed << 25;
	unit_seed ^= unit_seed >> 27;
	return (unsigned)((unit_seed * 2685821657736338717ULL) >> 33) % below;
}
