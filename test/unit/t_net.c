/* SPDX-License-Identifier: MIT */
/*
 * t_net.c - netlink messages as they are built and as answers are read, and
 * the addresses and ports of a config. What the kernel makes of them is in
 * test/sys/networks.sh.
 */
#include "unit.h"
#define NSRUN_NO_MAIN
#include "../../nsrun.c"

static struct nl_msg m;

static uint16_t u16(size_t at)
{
	uint16_t v;

	memcpy(&v, m.buf + at, sizeof v);
	return v;
}

static uint32_t u32(size_t at)
{
	uint32_t v;

	memcpy(&v, m.buf + at, sizeof v);
	return v;
}

static void t_build(void)
{
	const uint32_t body = 7;
	char big[9000];
	size_t outer, inner;

	it("writes a header, a body, and attributes padded to four bytes");
	nl_init(&m, 16, 0x400, &body, sizeof body);
	nl_str(&m, 3, "eth0");
	nl_u32(&m, 4, 1500);
	nl_end(&m);
	want(u32(0) == m.len && m.len == 16 + 4 + 12 + 8, "length %u of %zu",
	     u32(0), m.len);
	want(u16(4) == 16 && u16(6) == (0x400 | 1 | 4), "type %u flags %x",
	     u16(4), u16(6));
	want(u32(16) == 7, "body");
	want(u16(20) == 9 && u16(22) == 3 && !memcmp(m.buf + 24, "eth0\0\0\0\0",
						      8), "the string");
	want(u16(32) == 8 && u16(34) == 4 && u32(36) == 1500, "the number");

	it("closes a nest with the length of all that is in it");
	nl_init(&m, 16, 0, &body, sizeof body);
	outer = m.len;
	nl_open(&m, 18);
	nl_str(&m, 1, "veth");
	inner = m.len;
	nl_open(&m, 2 | 0x8000);
	nl_u32(&m, 1, 1);
	nl_close(&m);
	nl_close(&m);
	want(u16(outer) == 4 + 12 + 4 + 8 && u16(outer + 2) == 18, "outer %u",
	     u16(outer));
	want(u16(inner) == 12 && u16(inner + 2) == 0x8002, "inner %u",
	     u16(inner));

	it("remembers that something did not fit, and writes no further");
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = 0;
	nl_init(&m, 16, 0, &body, sizeof body);
	nl_str(&m, 1, big);
	want(m.bad && m.len <= sizeof m.buf, "%zu", m.len);
	nl_init(&m, 16, 0, &body, sizeof body);
	for (outer = 0; outer < 3000; outer++)
		nl_u32(&m, 1, 1);
	want(m.bad && m.len <= sizeof m.buf, "%zu", m.len);
	nl_init(&m, 16, 0, &body, sizeof body);
	want(!m.bad, "for ever");
}

/* An answer: ERROR with the number, of the message seq, and a text. */
static size_t answer(char *p, int32_t num, uint32_t seq, const char *text)
{
	struct nl_msg a = { .len = 0 };
	struct {
		int32_t num;
		struct k_nlmsg h;
	} e = { num, { 16, 16, 5, seq, 0 } };
	struct k_nlmsg *h;

	nl_add(&a, 2, 0, &e, sizeof e);
	if (text)
		nl_str(&a, 1, text);
	nl_end(&a);
	h = (struct k_nlmsg *)a.buf;
	h->seq = seq;
	h->flags = text ? 0x200 : 0;
	memcpy(p, a.buf, a.len);
	return a.len;
}

static int seen;

static void see(void *data, const char *body, size_t n)
{
	(void)body;
	*(size_t *)data += n;
	seen++;
}

static void t_answers(void)
{
	_Alignas(8) char buf[1024];
	char said[128] = "";
	size_t n, sum = 0, i;
	struct k_nlmsg h = { 24, 16, 2, 3, 0 };

	it("reads success and errors of the message that was sent");
	n = answer(buf, 0, 3, NULL);
	want(nl_parse(buf, n, 3, NULL, NULL, said) == 0, "0");
	n = answer(buf, -EEXIST, 3, NULL);
	want(nl_parse(buf, n, 3, NULL, NULL, said) == EEXIST && !*said,
	     "EEXIST");
	n = answer(buf, -EINVAL, 3, "Invalid prefix");
	want(nl_parse(buf, n, 3, NULL, NULL, said) == EINVAL &&
	     str_eq(said, "Invalid prefix"), "%s", said);

	it("takes an error of an earlier message of a batch for its own");
	n = answer(buf, 0, 2, NULL);
	want(nl_parse(buf, n, 3, NULL, NULL, said) == NL_MORE, "0 is not");
	n = answer(buf, -ENOENT, 2, NULL);
	want(nl_parse(buf, n, 3, NULL, NULL, said) == ENOENT, "ENOENT is");

	it("gives each part of a dump, and ends with DONE");
	memset(buf, 0, sizeof buf);
	memcpy(buf, &h, sizeof h);
	memcpy(buf + 24, &h, sizeof h);
	want(nl_parse(buf, 48, 3, see, &sum, said) == NL_MORE && seen == 2 &&
	     sum == 16, "%d parts of %zu", seen, sum);
	h.type = 3;
	h.len = 20;
	memcpy(buf + 48, &h, sizeof h);
	want(nl_parse(buf, 68, 3, see, &sum, said) == 0 && seen == 4, "%d",
	     seen);

	it("refuses what is cut off anywhere");
	n = answer(buf, -EINVAL, 3, "Invalid prefix");
	for (i = 1; i < n; i++)
		want(nl_parse(buf, i, 3, NULL, NULL, said) == NL_TORN, "%zu",
		     i);

	it("refuses numbers that are no errors");
	n = answer(buf, 5, 3, NULL);
	want(nl_parse(buf, n, 3, NULL, NULL, said) == NL_TORN, "5");
	n = answer(buf, INT32_MIN, 3, NULL);
	want(nl_parse(buf, n, 3, NULL, NULL, said) == NL_TORN, "INT32_MIN");
}

static void t_attributes(void)
{
	static const char good[] = "\5\0\1\0a\0\0\0" "\10\0\2\0b\0\0\0";
	static const char zero[] = "\0\0\1\0", cut[] = "\20\0\1\0ab";
	size_t n;

	it("finds an attribute behind another, by its padding");
	want(nl_find(good, 16, 2, &n) == good + 12 && n == 4, "not found");
	want(!nl_find(good, 16, 3, &n), "found");

	it("ends at attributes that are too short or too long");
	want(!nl_find(zero, 4, 1, &n), "zero");
	want(!nl_find(cut, 6, 1, &n), "cut");
	want(!nl_find(good, 3, 1, &n), "no room");

	it("takes only strings that end for strings");
	want(str_eq(nl_text(good, 16, 1), ""), "not ended");
	want(str_eq(nl_text(good, 16, 2), "b"), "b");
}

static void t_addresses(void)
{
	static const char *const bad[] = { "", "10.0.0.1", "10.0.0.1/33",
		"10.0.0.1/", "10.0.0/8", "/8", "fd00::1/129", "fd00::1/-1",
		"10.0.0.1/8x", "::g/8", "10.0.0.1 /8" };
	struct net_addr a = { 0 };
	size_t i;

	it("reads addresses with a prefix length");
	want(net_read("10.1.2.3/24", 11, true, &a) && a.family == AF_INET &&
	     a.prefix == 24 && !memcmp(a.b, "\12\1\2\3", 4), "v4");
	want(net_read("fd00::1/64", 10, true, &a) && a.family == AF_INET6 &&
	     a.prefix == 64 && a.b[0] == 0xfd && a.b[15] == 1, "v6");
	want(net_read("10.1.2.3", 8, false, &a) && a.prefix == 32, "alone");

	it("refuses what is none");
	for (i = 0; i < COUNT(bad); i++)
		want(!net_read(bad[i], strlen(bad[i]), true, &a), "%s", bad[i]);
	want(!net_read("10.1.2.3/24", 11, false, &a), "a prefix too many");
}

/* Beside libc's, which nsrun does without. */
static void t_texts(void)
{
	char mine[64], due[64];
	struct net_addr a;
	int i, k;

	srand(1);
	it("writes addresses as inet_ntop(3)");
	for (i = 0; i < 5000; i++) {
		struct text t = TEXT(mine);

		memset(&a, 0, sizeof a);
		a.family = i % 5 ? AF_INET6 : AF_INET;
		for (k = 0; k < 8; k++)
			if (rand() % 3)
				a.b[2 * k + rand() % 2] =
					(unsigned char)(rand() % 4 ? rand() :
							0);
		/* which writes ::ffff:1.2.3.4 and ::1.2.3.4 in its own way */
		a.b[0] = a.family == AF_INET6 ? 0xfd : a.b[0];
		*mine = 0;
		net_text(&t, &a);
		inet_ntop(a.family, a.b, due, sizeof due);
		want(str_eq(mine, due), "%s is not %s", mine, due);
	}
}

static void t_ports(void)
{
	static const struct { const char *s; unsigned from, to; bool udp;
			      int family; } good[] = {
		{ "8080:80", 8080, 80, false, 0 },
		{ "8080:80/tcp", 8080, 80, false, 0 },
		{ "53:5353/udp", 53, 5353, true, 0 },
		{ "192.0.2.1:1:65535", 1, 65535, false, AF_INET },
		{ "[2001:db8::1]:443:8443/udp", 443, 8443, true, AF_INET6 },
	};
	static const char *const bad[] = { "", "80", ":80", "80:", "0:80",
		"80:0", "65536:80", "80:65536", "80:80/sctp", "80:80/",
		"x:80:80", "::1:80:80", "[::1]80:80", "[]:80:80", "[::1:80:80",
		"1.2.3:80:80", "-1:80", "80:80:80", "1.2.3.4/8:80:80", "a:b", "80-81:80", "80:80-81",
		"80-89:80-90", "81-80:81-80", "80-:80-", "-80:-80", "0-1:0-1",
		"80-65536:80-65536", "80-81-82:80-81-82" };
	struct net_port range = { 0 };
	size_t i;

	it("reads published ports");
	for (i = 0; i < COUNT(good); i++) {
		struct net_port p = { 0 };

		want(net_read_port(good[i].s, &p) && p.from == good[i].from &&
		     p.to == good[i].to && p.udp == good[i].udp &&
		     p.host.family == good[i].family, "%s", good[i].s);
	}
	it("reads ranges of them");
	want(net_read_port("[fd01::1]:8000-8010:1-11/udp", &range) &&
	     range.from == 8000 && range.to == 1 && range.count == 11 &&
	     range.udp, "%u %u %u", range.from, range.to, range.count);
	want(net_read_port("1-65535:1-65535", &range) && range.count == 65535,
	     "%u", range.count);
	it("refuses what is none");
	for (i = 0; i < COUNT(bad); i++) {
		struct net_port p = { 0 };

		want(!net_read_port(bad[i], &p), "%s", bad[i]);
	}
}

static void t_mac(void)
{
	static const char *const all[] = { "10.0.0.2", "10.0.1.2", "fd01::2",
		"fd02::2", "fd01::3", "fd01::1:0:0:2" };
	unsigned char mac[COUNT(all)][6];
	struct net_addr a[2];
	size_t i, k;

	it("makes an address of hardware of each address");
	for (i = 0; i < COUNT(all); i++) {
		bool v6 = strchr(all[i], ':') != NULL;

		memset(a, 0, sizeof a);
		want(net_read(all[i], strlen(all[i]), false, &a[v6]) &&
		     net_mac(a, mac[i]) && (mac[i][0] & 3) == 2, "%s", all[i]);
		for (k = 0; k < i; k++)
			want(memcmp(mac[i], mac[k], 6) != 0, "%s is %s",
			     all[i], all[k]);
	}
}

static void t_names(void)
{
	it("knows names of interfaces");
	want(net_is_name("eth0") && net_is_name("a") &&
	     net_is_name("fifteen-chars-x"), "good ones");
	want(!net_is_name("") && !net_is_name(NULL) && !net_is_name(".") &&
	     !net_is_name("..") && !net_is_name("a/b") && !net_is_name("a b") &&
	     !net_is_name("a:b") && !net_is_name("a%d") && !net_is_name("sixteen-chars-xx"), "bad");
}

static void t_keys(void)
{
	char key[2][NET_KEY_MAX], id[ID_MAX + 1];

	it("tells ids apart that differ in their last byte only");
	memset(id, 'a', ID_MAX);
	id[ID_MAX] = 0;
	net_key(key[0], id, -1);
	id[ID_MAX - 1] = 'b';
	net_key(key[1], id, -1);
	want(strcmp(key[0], key[1]) != 0, "%s", key[0]);
	want(strlen(key[0]) < NET_KEY_MAX, "it is too long");
}

static void t_radio(void)
{
	const struct k_genl head = { 1, 2, 0 };
	uint16_t family = 34;

	it("moves a radio by the index of a link and a pid");
	net_put_radio(&m, 34, 7, 4711);
	nl_end(&m);
	want(u32(0) == 16 + 4 + 8 + 8 && u16(4) == 34 && u16(6) == (1 | 4),
	     "length %u type %u flags %x", u32(0), u16(4), u16(6));
	want(m.buf[16] == 49 && m.buf[17] == 0, "the command");
	want(u16(20) == 8 && u16(22) == 3 && u32(24) == 7, "the link");
	want(u16(28) == 8 && u16(30) == 82 && u32(32) == 4711, "the process");

	it("reads the number of a family");
	nl_init(&m, 16, 0, &head, sizeof head);
	nl_put(&m, 1, &family, sizeof family);
	family = 0;
	net_see_family(&family, m.buf + 16, m.len - 16);
	want(family == 34, "family %u", family);
	family = 0;
	net_see_family(&family, m.buf + 16, 3);
	want(!family, "of a torn answer %u", family);
}

int main(void)
{
	t_build();
	t_answers();
	t_attributes();
	t_addresses();
	t_texts();
	t_ports();
	t_mac();
	t_radio();
	t_names();
	t_keys();
	return done();
}
