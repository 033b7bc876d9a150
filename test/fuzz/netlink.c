/* SPDX-License-Identifier: MIT */
/*
 * netlink.c - answers of the kernel, whatever they are: nothing behind their
 * end is read, and what is read of them is sound.
 */
#define NSRUN_NO_MAIN
#include "../../nsrun.c"

#pragma GCC diagnostic ignored "-Wunused-function"

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* Each reader that there is. */
static void see(void *data, const char *body, size_t n)
{
	static struct spec_network_if spec;
	static char *publish[] = { "8080:80/udp" };
	static struct net_port port = { .from = 8080, .to = 80, .count = 1 };
	struct net_if own = { .s = &spec, .addr[0].family = AF_INET,
			      .ports = &port, .nports = 1 };
	struct net_plan plan = { .v = &own, .n = 1 };
	struct nft_search ports = { .p = &plan, .family = AF_INET };
	static struct ct_search flows;
	struct net_search search = { .key = "web", .proc = -1, .bridge = 2 };
	struct net_holder holder = { .f = &own, .bridge = 2, .proc = -1 };
	struct net_link l = { 0 };

	net_see_link(&l, body, n);
	must(memchr(l.alias, 0, sizeof l.alias) != NULL);
	net_see_all(&search, body, n);
	net_see_port(&holder, body, n);
	net_see_held(&holder, body, n);
	must(memchr(holder.by, 0, sizeof holder.by));
	net_see_stats(data, body, n);
	net_see_address(data, body, n);
	spec.publish.v = publish;
	spec.publish.n = 1;
	nft_see_rule(&ports, body, n);
	must(!ports.port || memchr(ports.by, 0, sizeof ports.by));
	flows.v = &spec;
	flows.n = 1;
	nl_begin(&flows.m);
	ct_see(&flows, body, n);
	must(!flows.m.bad && flows.m.len <= sizeof flows.m.buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct net_tell tell = { .n = 0 };
	/* a copy of its own, so that a sanitizer sees its end */
	char *copy = malloc(size ? size : 1), said[128] = "";
	size_t i;
	int r;

	must(copy != NULL);
	memcpy(copy, data, size);
	r = nl_parse(copy, size, size > 8 ? data[8] : 1, see, &tell, said);
	must(r >= NL_TORN && memchr(said, 0, sizeof said));
	must(tell.n <= NSRUN_LINKS_MAX);
	for (i = 0; i < tell.n; i++)
		must(memchr(tell.v[i].name, 0, sizeof tell.v[i].name) &&
		     memchr(tell.v[i].addresses, 0,
			    sizeof tell.v[i].addresses));
	see(&tell, copy, size);
	free(copy);
	return 0;
}
