# SPDX-License-Identifier: MIT
# CC, CFLAGS and LDFLAGS may come from outside; what nsrun needs is added.
# What is found is looked for again by each recipe: tools.sh may install it.
ifeq ($(origin CC),default)
CC = $(shell command -v musl-gcc || echo cc)
endif
CFLAGS ?= -Os
LDFLAGS ?=
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wvla -Wundef
BUILD = -std=c11 -fno-pie -ffunction-sections -fdata-sections \
	-fno-asynchronous-unwind-tables -fno-unwind-tables -fno-stack-protector
LINK = -static -no-pie -Wl,--gc-sections -Wl,-z,noseparate-code,-z,norelro \
	-Wl,-z,common-page-size=16 -Wl,--build-id=none
COMMIT = $(if $(wildcard .git),$(shell git describe --always --dirty --abbrev=12 2>/dev/null))
PREFIX ?= /usr/local
ARCHS = arm64 armhf i386 mipsel s390x
# What a build, a test or a demo wants from outside: command=package.
TOOLS = musl-gcc=musl-tools
export CC CFLAGS LDFLAGS WARN BUILD LINK

nsrun: nsrun.c nsrun.h Makefile	## the program, static (default)
	$(CC) $(BUILD) $(WARN) $(WERROR) $(CFLAGS) \
		$(if $(COMMIT),-DNSRUN_COMMIT='"$(COMMIT)"') \
		-o $@ nsrun.c $(LINK) $(LDFLAGS)

test/build/netfloor: test/floor.c

test/build/%: test/%.c Makefile
	@mkdir -p test/build
	$(CC) $(BUILD) -Wall -Wextra $(WERROR) $(CFLAGS) -o $@ $< $(LINK) $(LDFLAGS)

tools:
	@test/tools.sh build $(if $(filter check check-quick,$(MAKECMDGOALS)),check)

demo: tools	## install what is missing, build, run a container and show it
	@$(MAKE) -s nsrun test/build/probe
	@test/demo.sh

check: tools	## install what is missing, run all tests
	@$(MAKE) -s WERROR=-Werror nsrun test/build/probe test/build/floor test/build/rounds test/build/killer
	@test/check.sh

check-quick: tools	## the tests for each change, in some two minutes; SYS="mounts exec"
	@$(MAKE) -s WERROR=-Werror nsrun test/build/probe test/build/floor test/build/rounds test/build/killer
	@test/check.sh quick

bench: tools	## nsrun beside the kernel's own price, crun, runc and bwrap
	@$(MAKE) -s nsrun test/build/probe test/build/floor test/build/rounds
	@test/bench.sh

bench-net: tools	## a container with a network beside the kernel, ip and CNI
	@$(MAKE) -s nsrun test/build/probe test/build/floor test/build/netfloor test/build/rounds
	@test/bench-net.sh

cross:	## nsrun for $(ARCHS)
	@CFLAGS="$(BUILD) $(CFLAGS)" LDFLAGS="$(LINK)" test/cross.sh $(ARCHS)

size: nsrun	## the stripped size, and the largest functions
	@strip -o test/build/nsrun.stripped nsrun
	@ls -l test/build/nsrun.stripped | awk '{ print $$5, "bytes stripped" }'
	@nm -S --size-sort nsrun | tail -20

install: nsrun	## into $(PREFIX)/bin
	install -d $(DESTDIR)$(PREFIX)/bin
	install -s -m 755 nsrun $(DESTDIR)$(PREFIX)/bin/nsrun

clean:	## remove what was built
	rm -rf nsrun test/build

help:	## this
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: tools demo check check-quick bench bench-net cross size install clean help
