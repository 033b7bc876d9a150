// SPDX-License-Identifier: MIT
/*
 * netfloor ROOTFS COMMAND ARGUMENT... - floor.c with a network: the kernel's
 * own price of a container with eth0 on the bridge br0, the addresses
 * 10.201.0.2/24 and fd01::2/64, and a default route by 10.201.0.1.
 *
 * The child does all of it, so that nobody waits for anybody: by a socket of
 * the host's namespace, opened before, the pair and its end on the bridge; by
 * one of its own lo, addresses and route. Each is one message of several
 * parts, of which only the last is answered unless one fails. The pair is
 * removed when the child has ended, as a runtime must that wants its name and
 * its bridge back.
 */
static void net_open(void), net_inside(void), net_close(void);
#define NET_OPEN	net_open
#define NET_INSIDE	net_inside
#define NET_CLOSE	net_close
#include "floor.c"

static char message[1024] __attribute__((aligned(4)));
static unsigned length, begin;
static char host_end[16] = "nf";
static int host;
static uint32_t bridge;

static unsigned put_bytes(const void *data, unsigned n)
{
	unsigned at = length;

	memcpy(message + at, data, n);
	length += (n + 3) & ~3u;
	return at;
}

/* type and flags of nlmsghdr; the last part asks for an answer. */
static void part(int type, int flags, const void *head, unsigned n)
{
	struct { uint32_t len; uint16_t type, flags; uint32_t seq, port; }
		h = { 0, type, 1 | flags, 0, 0 };

	begin = put_bytes(&h, sizeof(h));
	put_bytes(head, n);
}

static void part_end(void)
{
	memcpy(message + begin, (uint32_t[]){ length - begin }, 4);
}

static unsigned attribute(int type, const void *data, unsigned n)
{
	unsigned at = put_bytes((uint16_t[]){ 4 + n, type }, 4);

	put_bytes(data, n);
	return at;
}

static void nest_end(unsigned at)
{
	memcpy(message + at, (uint16_t[]){ length - at }, 2);
}

/* gone: it does not matter if there is no such device. */
static void send_parts(int fd, int gone)
{
	struct { uint32_t head[4]; int32_t error; uint32_t rest[64]; } r;

	part_end();
	message[begin + 6] |= 4;	/* NLM_F_ACK, little-endian */
	DO(send(fd, message, length, 0));
	DO(recv(fd, &r, sizeof(r), 0));
	errno = -r.error;
	DO(gone && errno == ENODEV ? 0 : r.error);
	memset(message, 0, length);
	length = 0;
}

/* struct ifinfomsg */
struct link { uint8_t family, pad; uint16_t type; int32_t index;
	      uint32_t flags, change; };
/* struct ifaddrmsg */
struct ip { uint8_t family, prefix, flags, scope; uint32_t index; };
/* struct rtmsg */
struct route { uint8_t family, dst, src, tos, table, protocol, scope, type;
	       uint32_t flags; };

enum { SET_LINK = 16, DEL_LINK = 17, NEW_ADDR = 20, NEW_ROUTE = 24,
       MAKE = 0x600 /* CREATE, EXCL */, ETH0 = 2 };

static void net_open(void)
{
	DO(host = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
	DO((bridge = if_nametoindex("br0")) ? 0 : -1);
	memcpy(host_end + 2, id + 6, 9);
}

static void net_inside(void)
{
	static const unsigned char v4[] = { 10, 201, 0, 2 },
		gateway[] = { 10, 201, 0, 1 },
		v6[16] = { 0xfd, 1, [15] = 2 };
	struct link peer = { .index = ETH0 };
	uint32_t self = getpid(), nodad = 2;
	unsigned info, data, pair;
	int own;

	part(SET_LINK, MAKE, &(struct link){ 0 }, sizeof(struct link));
	attribute(3, host_end, sizeof(host_end));
	info = attribute(18, 0, 0);
	attribute(1, "veth", 5);
	data = attribute(2, 0, 0);
	pair = attribute(1, 0, 0);
	put_bytes(&peer, sizeof(peer));
	attribute(3, "eth0", 5);
	attribute(19, &self, 4);
	nest_end(pair);
	nest_end(data);
	nest_end(info);
	part_end();
	part(SET_LINK, 0, &(struct link){ .flags = 1, .change = 1 },
	     sizeof(struct link));
	attribute(3, host_end, sizeof(host_end));
	attribute(10, &bridge, 4);
	send_parts(host, 0);

	DO(own = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
	part(SET_LINK, 0, &(struct link){ .index = 1, .flags = 1, .change = 1 },
	     sizeof(struct link));
	part_end();
	part(NEW_ADDR, MAKE, &(struct ip){ AF_INET, 24, 0, 0, ETH0 },
	     sizeof(struct ip));
	attribute(2, v4, 4);
	part_end();
	part(NEW_ADDR, MAKE, &(struct ip){ AF_INET6, 64, 0, 0, ETH0 },
	     sizeof(struct ip));
	attribute(2, v6, 16);
	attribute(8, &nodad, 4);
	part_end();
	part(SET_LINK, 0, &(struct link){ .index = ETH0, .flags = 1,
	     .change = 1 }, sizeof(struct link));
	part_end();
	part(NEW_ROUTE, MAKE, &(struct route){ .family = AF_INET, .table = 254,
	     .protocol = 3, .type = 1 }, sizeof(struct route));
	attribute(5, gateway, 4);
	send_parts(own, 0);
	close(own);
}

static void net_close(void)
{
	part(DEL_LINK, 0, &(struct link){ 0 }, sizeof(struct link));
	attribute(3, host_end, sizeof(host_end));
	send_parts(host, 1);	/* its namespace may have been faster */
}
