/* SPDX-License-Identifier: MIT */
/*
 * nsrun - run OCI containers on any Linux, with the kernel and libc alone.
 *
 * How a container comes to be
 * ===========================
 *
 * A bundle is a directory with a config.json and a root file system. `nsrun
 * run` turns it into a process that sees only what the config gives it. Three
 * processes share the work. All run this program: I and J are clones of P.
 *
 *  P  the caller's process, with the caller's privileges, in the host's
 *     namespaces. Only P writes to the host: state directory, cgroups, id
 *     maps. In the foreground P outlives I and J. If one of them fails, P
 *     undoes what was made.
 *  I  init, the container's first process. It is cloned straight into its new
 *     namespaces, arranges them from inside, gives up its privileges and
 *     executes the container's program. From its clone until that execve, I
 *     trusts nothing below the container's root. From the pivot on, no file
 *     descriptor of I leads to the host: not while I runs a hook of the image,
 *     waits for `start`, or looks up a path in the container.
 *  J  a process between P and I. It exists only if a namespace is joined or a
 *     time namespace is made: setns() to a pid namespace and time offsets take
 *     effect only in children. J enters the namespaces, clones I as P's child
 *     (CLONE_PARENT) and exits.
 *
 *	P							I
 *	load  config.json -> struct spec	verb_load()
 *	plan  spec + host -> struct plan	verb_load()
 *	claim <root>/<id>, locked; state	verb_claim()
 *	clone ------------------------------------------------> close fds
 *	id maps			spawn_map()			new mount ns
 *	links			net_make()			lo up, mounts
 *	make cgroups		cg_make()			/dev
 *	GO ---------------------------------------------------> cgroup ns, its
 *	limits, place I		cg_limit(), cg_join()		mount, routes,
 *		(I may send SOURCE or TTY)			names, sysctl,
 *								masks, label,
 *								pivot, ro, cwd,
 *	<------------------------------------------------ READY look up argv[0]
 *	memory cgroup, resctrl	(only if the plan has them)
 *	GO ---------------------------------------------------> ids, caps,
 *								rlimits
 *	<------------------------------------- EXEC, then the end of the socket
 *	state "running", wait, then undo: cgroups, state	the program
 *
 * The left column is P: verb_create(), spawn_init() and spawn_ready(). The
 * right column is I: init_arrange(), init_yield() and init_start(). These are
 * recipes, lists of steps; an error names the step that failed. Both columns
 * run at once. I waits for the first GO where it needs P's work: in a user
 * namespace or behind J before anything else, otherwise before the cgroup
 * mount. I may send ERR instead of any of its messages; P then kills I, undoes
 * in reverse order and reports.
 *
 * If there are hooks before the pivot, I sends MOUNTED, P runs prestart and
 * createRuntime and answers HOOKED, and I runs createContainer.
 *
 * `create` ends after READY: P saves the state "created" and sends the last GO.
 * I gives up all its privileges and waits at the socket <root>/<id>/start.
 * `start` connects to it and takes P's place for the rest. `exec` is the same
 * with another recipe, init_enter(): J joins the container's namespaces, and P
 * moves I into its cgroups. `kill`, `delete` and `start` find init by pid and
 * start time, and hold it by a pidfd.
 *
 * I dies with P (PR_SET_PDEATHSIG). Only with `create` and --detach does I
 * outlive P, and only from READY on: if P dies between READY and the last GO, I
 * reads the end of the socket and exits.
 *
 * Six rules
 * =========
 * 1. Load, plan, act. Load turns text into struct spec. Plan turns the spec
 *    into struct plan and is pure. Act makes system calls; nothing is touched
 *    before act. The plan says what is done; act may choose only how, by errno,
 *    from a listed fallback. Facts about the host are gathered before plan, in
 *    one struct host.
 * 2. After plan, no libc allocation. A raw-cloned child uses no malloc, stdio,
 *    setenv, getpw*, opendir, raise, abort or set*id of libc (musl's cached
 *    tid and thread list are stale there). Its memory is its stack;
 *    files are streamed through a small buffer.
 * 3. Library code never exits, prints, or changes its process; only main()
 *    does. Work that must change a process runs in a short-lived child. Never
 *    waitpid(-1), never kill() a pid that was not checked.
 * 4. Every fd is O_CLOEXEC and owned, by an autofd local or by a field, -1
 *    when empty. The first act of a child is to close every fd that is not on
 *    its own list.
 * 5. One error, told with the context first and the cause last; the first cause
 *    keeps its errno. A child that fails sends its struct err as one packet,
 *    then _exits.
 * 6. Undo removes what create made, and only that, in reverse order, as the
 *    bits of `made` say.
 *
 * The map
 * =======
 * CONFIG ABI BASE ERR MEM LOG IO JSON NAMES
 * SPEC		structs; tables; walker; rules between members
 * STATE DEVICE_BPF
 * CGROUP	hierarchies; knobs; plan; directories; limits; processes and
 *		removal; make, limit, join; statistics
 * RDT NS NETLINK NFT
 * NET		whose things are; plan; links, addresses and routes; what is
 *		there already; veth, macvlan, ipvlan; devices of the host;
 *		rules; flows; ports that are taken; make and drop; statistics
 * MOUNT	options and plan; attributes and clones; file systems;
 *		tmpcopyup; targets; binds and new mounts; cgroup; in order, and
 *		what covers paths
 * DEV ROOT TTY CRED SECCOMP PROC HOOK PLAN SYNC INIT SPAWN WATCH NOTIFY
 * VERBS	begin, load, end; processes and freezer; undo; claim; create and
 *		run; find; start, kill, pause, ps; delete, state, list, plan
 * EXEC UPDATE EVENTS TEMPLATE PROTECT CLI
 *
 * Each section uses only what is above it; the one forward declaration is that
 * of spec_object(), which is recursive. A part of a section begins with a
 * banner such as "----- NET: plan".
 */

/* ===== CONFIG ============================================================ */

#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "nsrun.h"

#undef linux			/* gnu dialects define it; struct spec has it */

#ifndef NSRUN_COMMIT
#define NSRUN_COMMIT "unknown"		/* the Makefile asks git */
#endif

#ifndef NSRUN_RESCTRL
#define NSRUN_RESCTRL "/sys/fs/resctrl"	/* the kernel makes this directory */
#endif

enum {
	CONFIG_MAX	= 16 << 20,	/* bytes of config.json */
	FDS_MAX		= 1 << 20,	/* default of fs.nr_open */
	JSON_DEPTH_MAX	= 128,
	ARENA_MAX	= 64 << 20,	/* bytes for one verb */
	ARENA_CHUNK	= 64 << 10,
	ERR_MAX		= 1000,
	ID_MAX		= 255,		/* an id is a file name */
	CG_HIER_MAX	= 24,
	CG_VALUE_MAX	= 4096,		/* bytes of a limit, as text */
	PASSWD_MAX	= 1 << 20,	/* bytes of /etc/passwd that are read */
	LINKS_MAX	= 40,		/* symlinks in a path, as in Linux */
	CPU_MASK	= 1024,		/* bytes: 8192 processors */
};

/* ===== ABI ===============================================================
 *
 * The parts of the kernel's interface that a bare libc may lack, under our own
 * names, with the kernel version that brought them. Of a system call that is
 * newer than the libc, only the number is missing: since 5.0 new calls have the
 * same number on every architecture, except that MIPS adds a base.
 */

#if defined(__mips__) && defined(_ABIO32)
#define NR_BASE 4000
#elif defined(__mips__) && defined(_ABIN32)
#define NR_BASE 6000
#elif defined(__mips__)
#define NR_BASE 5000
#else
#define NR_BASE 0
#endif

enum {
	NR_clock_gettime64	= NR_BASE + 403,	/* 5.1, 32-bit only */
	NR_pidfd_send_signal	= NR_BASE + 424,	/* 5.1 */
	NR_open_tree		= NR_BASE + 428,	/* 5.2 */
	NR_move_mount		= NR_BASE + 429,
	NR_fsopen		= NR_BASE + 430,
	NR_fsconfig		= NR_BASE + 431,
	NR_fsmount		= NR_BASE + 432,
	NR_pidfd_open		= NR_BASE + 434,	/* 5.3 */
	NR_clone3		= NR_BASE + 435,	/* 5.3 */
	NR_close_range		= NR_BASE + 436,	/* 5.9 */
	NR_openat2		= NR_BASE + 437,	/* 5.6 */
	NR_faccessat2		= NR_BASE + 439,	/* 5.8 */
	NR_mount_setattr	= NR_BASE + 442,	/* 5.12 */
};

enum {
	/* mount(2), the flags that not every libc has */
	K_MS_NOSYMFOLLOW	= 256,		/* 5.10 */
	K_MS_SYNCHRONOUS	= 16,
	K_MS_MANDLOCK		= 64,
	K_MS_DIRSYNC		= 128,
	K_MS_SILENT		= 32768,
	K_MS_I_VERSION		= 1 << 23,
	K_MS_LAZYTIME		= 1 << 25,
	K_MNT_DETACH		= 2,
	/* fsopen and friends, 5.2 */
	K_TREE_CLONE		= 1,
	K_AT_EACCESS		= 0x200,
	K_AT_EMPTY_PATH		= 0x1000,
	K_AT_RECURSIVE		= 0x8000,
	K_MOVE_F_EMPTY		= 4,
	K_MOVE_T_EMPTY		= 0x40,
	K_FSOPEN_CLOEXEC	= 1,
	K_FSMOUNT_CLOEXEC	= 1,
	K_FSCONFIG_FLAG		= 0,
	K_FSCONFIG_STRING	= 1,
	K_FSCONFIG_CREATE	= 6,
	/* mount attributes, 5.2; symfollow 5.14, idmap 5.12 */
	K_ATTR_RDONLY		= 0x01,
	K_ATTR_NOSUID		= 0x02,
	K_ATTR_NODEV		= 0x04,
	K_ATTR_NOEXEC		= 0x08,
	K_ATTR__ATIME		= 0x70,		/* a field of three bits */
	K_ATTR_RELATIME		= 0x00,
	K_ATTR_NOATIME		= 0x10,
	K_ATTR_STRICTATIME	= 0x20,
	K_ATTR_NODIRATIME	= 0x80,
	K_ATTR_IDMAP		= 0x100000,
	K_ATTR_NOSYMFOLLOW	= 0x200000,
	/* openat2, 5.6 */
	K_RESOLVE_NO_MAGICLINKS	= 0x02,
	K_RESOLVE_NO_SYMLINKS	= 0x04,
	K_RESOLVE_IN_ROOT	= 0x10,
	/* clone */
	K_NEWTIME		= 0x80,		/* 5.6, not for clone(2) */
	K_NEWCGROUP		= 0x02000000,	/* 4.6 */
	K_CLONE_PIDFD		= 0x00001000,	/* 5.2 */
	K_CLONE_PARENT		= 0x00008000,
	/* statfs; the first four flags are as in mount(2) */
	K_ST_NOEXEC		= 8,
	K_ST_NOATIME		= 1024,
	K_ST_NODIRATIME		= 2048,
	K_ST_RELATIME		= 4096,
	K_MAGIC_PROC		= 0x9fa0,
	K_MAGIC_SYSFS		= 0x62656572,
	K_MAGIC_SQUASHFS	= 0x73717368,
	K_MAGIC_CRAMFS		= 0x28cd3d45,
	K_MAGIC_ROMFS		= 0x7275,
	K_MAGIC_DEVPTS		= 0x1cd1,
	K_MAGIC_CGROUP		= 0x27e0eb,
	K_MAGIC_CGROUP2		= 0x63677270,
	/* namespaces, keyctl, capabilities */
	K_USER_NS_FIRST		= (int)0xeffffffdU,	/* inode number, 3.8 */
	K_KEYCTL_JOIN		= 1,
	K_CAP_DAC_OVERRIDE	= 1,
	K_CAP_AMBIENT		= 47,		/* PR_CAP_AMBIENT, 4.3 */
	K_CAP_AMBIENT_RAISE	= 2,
	K_CAP_AMBIENT_CLEAR	= 4,
	K_CAPS_V3		= 0x20080522,
	/* memfd */
	K_MFD_CLOEXEC		= 1,
	K_MFD_SEALING		= 2,
	K_MFD_EXEC		= 16,		/* 6.3; implied before */
	K_ADD_SEALS		= 1033,		/* fcntl */
	K_GET_SEALS		= 1034,
	K_SEALS			= 1 | 2 | 4 | 8, /* seal, shrink, grow, write */
	/* bpf(2), 4.15; K_BPF_REPLACE 5.6 */
	K_BPF_LOAD_PROGRAM	= 5,
	K_BPF_ATTACH		= 8,
	K_BPF_DETACH		= 9,
	K_BPF_GET		= 13,
	K_BPF_INFO		= 15,
	K_BPF_QUERY		= 16,
	K_BPF_CGROUP_DEVICE	= 15,		/* program type */
	K_BPF_DEVICE		= 6,		/* attach type */
	K_BPF_MULTI		= 2,
	K_BPF_REPLACE		= 4,
	K_BPF_LOAD		= 0x61,		/* dst = u32 at src + off */
	K_BPF_COPY		= 0xbf,
	K_BPF_MOV		= 0xb7,
	K_BPF_AND		= 0x57,
	K_BPF_SHIFT		= 0x77,
	K_BPF_JA		= 0x05,
	K_BPF_JSET		= 0x45,
	K_BPF_JNE		= 0x55,
	K_BPF_EXIT		= 0x95,
	/* netlink(7), 2.2; CAP_ACK 4.2, EXT_ACK 4.12 */
	K_SOL_NETLINK		= 270,
	K_NETLINK_ROUTE		= 0,
	K_NETLINK_NETFILTER	= 12,
	K_NETLINK_GENERIC	= 16,
	K_NETLINK_CAP_ACK	= 10,
	K_NETLINK_EXT_ACK	= 11,
	K_NLMSG_ERROR		= 2,
	K_NLMSG_DONE		= 3,
	K_NLMSGERR_MSG		= 1,
	K_NLM_REQUEST		= 1,
	K_NLM_ACK		= 4,
	K_NLM_ACK_TLVS		= 0x200,
	K_NLM_DUMP		= 0x300,
	K_NLM_REPLACE		= 0x100,
	K_NLM_EXCL		= 0x200,
	K_NLM_CREATE		= 0x400,
	K_NLM_APPEND		= 0x800,
	K_NLA_NESTED		= 0x8000,
	/* rtnetlink(7) */
	K_RTM_NEWLINK		= 16,
	K_RTM_DELLINK		= 17,
	K_RTM_GETLINK		= 18,
	K_RTM_SETLINK		= 19,
	K_RTM_DELLINKPROP	= 109,		/* 5.5 */
	K_RTM_NEWADDR		= 20,
	K_RTM_GETADDR		= 22,
	K_RTM_NEWROUTE		= 24,
	K_IFLA_ADDRESS		= 1,
	K_IFLA_IFNAME		= 3,
	K_IFLA_MTU		= 4,
	K_IFLA_LINK		= 5,
	K_IFLA_MASTER		= 10,
	K_IFLA_PROTINFO		= 12,
	K_IFLA_TXQLEN		= 13,
	K_IFLA_LINKINFO		= 18,
	K_IFLA_NET_NS_PID	= 19,
	K_IFLA_IFALIAS		= 20,
	K_IFLA_STATS64		= 23,		/* 2.6.35 */
	K_IFLA_AF_SPEC		= 26,
	K_IFLA_GROUP		= 27,		/* 2.6.39 */
	K_IFLA_PROP_LIST	= 52,		/* 5.5 */
	K_IFLA_INFO_KIND	= 1,
	K_IFLA_INFO_DATA	= 2,
	K_VETH_INFO_PEER	= 1,
	K_IFLA_MACVLAN_MODE	= 1,
	K_MACVLAN_BRIDGE	= 4,
	K_IFLA_IPVLAN_MODE	= 1,
	K_IFLA_BRPORT_MODE	= 4,
	K_IFLA_BR_VLAN_FILTERING = 7,		/* 4.3, the next too */
	K_IFLA_BR_VLAN_DEFAULT_PVID = 39,
	K_IFLA_BRIDGE_VLAN_INFO	= 2,		/* 3.9 */
	K_BRIDGE_VLAN_PVID	= 2,
	K_BRIDGE_VLAN_UNTAGGED	= 4,
	K_IFA_ADDRESS		= 1,
	K_IFA_LOCAL		= 2,
	K_IFA_BROADCAST		= 4,
	K_IFA_FLAGS		= 8,
	K_IFA_F_NODAD		= 2,
	K_IPV6_MIN_MTU		= 1280,
	K_RTA_DST		= 1,
	K_RTA_OIF		= 4,
	K_RTA_GATEWAY		= 5,
	K_RTA_PRIORITY		= 6,
	K_RTA_PREFSRC		= 7,
	K_RT_TABLE_MAIN		= 254,
	K_RT_SCOPE_LINK		= 253,
	K_RTPROT_BOOT		= 3,
	K_RTN_UNICAST		= 1,
	K_RTN_LOCAL		= 2,
	/* generic netlink; nl80211, 2.6.32 */
	K_GENL_ID_CTRL		= 16,
	K_CTRL_GETFAMILY	= 3,
	K_CTRL_FAMILY_ID	= 1,
	K_CTRL_FAMILY_NAME	= 2,
	K_NL80211_SET_WIPHY_NETNS = 49,
	K_NL80211_IFINDEX	= 3,
	K_NL80211_PID		= 82,
	/* conntrack */
	K_NFNL_CTNETLINK	= 1,
	K_CT_GET		= 1,
	K_CT_DELETE		= 2,
	K_CTA_TUPLE_ORIG	= 1,
	K_CTA_TUPLE_PROTO	= 2,
	K_CTA_PROTO_NUM		= 1,
	K_CTA_PROTO_DST_PORT	= 3,
	/* nf_tables, 3.13; fib 4.10 */
	K_NFNL_NFTABLES		= 10,
	K_NFNL_BATCH_BEGIN	= 16,
	K_NFNL_BATCH_END	= 17,
	K_NFPROTO_INET		= 1,
	K_NFPROTO_IPV4		= 2,
	K_NFPROTO_IPV6		= 10,
	K_NFT_NEWTABLE		= 0,
	K_NFT_DELTABLE		= 2,
	K_NFT_NEWCHAIN		= 3,
	K_NFT_GETCHAIN		= 4,
	K_NFT_NEWRULE		= 6,
	K_NFT_GETRULE		= 7,
	K_NFTA_TABLE_NAME	= 1,
	K_NFTA_CHAIN_TABLE	= 1,
	K_NFTA_CHAIN_NAME	= 3,
	K_NFTA_CHAIN_HOOK	= 4,
	K_NFTA_CHAIN_POLICY	= 5,
	K_NFTA_CHAIN_TYPE	= 7,
	K_NFTA_HOOK_HOOKNUM	= 1,
	K_NFTA_HOOK_PRIORITY	= 2,
	K_NFTA_RULE_TABLE	= 1,
	K_NFTA_RULE_CHAIN	= 2,
	K_NFTA_RULE_EXPRESSIONS	= 4,
	K_NFTA_RULE_USERDATA	= 7,
	K_NFTA_LIST_ELEM	= 1,
	K_NFTA_EXPR_NAME	= 1,
	K_NFTA_EXPR_DATA	= 2,
	K_NFTA_DATA_VALUE	= 1,
	K_NFTA_CMP_SREG		= 1,
	K_NFTA_CMP_OP		= 2,
	K_NFT_CMP_EQ		= 0,
	K_NFT_CMP_NEQ		= 1,
	K_NFT_CMP_LTE		= 3,
	K_NFT_CMP_GTE		= 5,
	K_NFTA_CMP_DATA		= 3,
	K_NFTA_PAYLOAD_DREG	= 1,
	K_NFTA_PAYLOAD_BASE	= 2,
	K_NFTA_PAYLOAD_OFFSET	= 3,
	K_NFTA_PAYLOAD_LEN	= 4,
	K_NFTA_BITWISE_SREG	= 1,
	K_NFTA_BITWISE_DREG	= 2,
	K_NFTA_BITWISE_LEN	= 3,
	K_NFTA_BITWISE_MASK	= 4,
	K_NFTA_BITWISE_XOR	= 5,
	K_NFTA_META_DREG	= 1,
	K_NFTA_META_KEY		= 2,
	K_NFTA_CT_DREG		= 1,
	K_NFTA_CT_KEY		= 2,
	K_NFT_CT_STATUS		= 2,
	K_IPS_DST_NAT		= 32,
	K_NFTA_FIB_DREG		= 1,
	K_NFTA_FIB_RESULT	= 2,
	K_NFTA_FIB_FLAGS	= 3,
	K_NFTA_FIB_F_DADDR	= 2,
	K_NFTA_IMMEDIATE_DREG	= 1,
	K_NFTA_IMMEDIATE_DATA	= 2,
	K_NFTA_NAT_TYPE		= 1,
	K_NFTA_NAT_FAMILY	= 2,
	K_NFTA_NAT_REG_ADDR_MIN	= 3,
	K_NFTA_NAT_REG_PROTO_MIN = 5,
	K_NFT_REG_1		= 1,
	K_NFT_REG_2		= 2,
	K_NF_FORWARD		= 2,	/* a hook */
	K_NF_DROP		= 0,
	K_NFT_NETWORK		= 1,
	K_NFT_TRANSPORT		= 2,
	K_NFT_META_OIFNAME	= 7,
	K_NFT_META_L4PROTO	= 16,
	K_NFT_FIB_ADDRTYPE	= 3,
	/* chown(2) leaves this id as it is */
	K_NO_ID			= -1,
};
#define K_CLONE_INTO_CGROUP	0x200000000ULL	/* 5.7 */
#define K_MAGIC_EROFS	0xe0f5e1e2U	/* 5.4 */

/* TIOCGPTPEER (4.13) contains direction bits, which differ by architecture. */
#if defined(__mips__) || defined(__powerpc__) || defined(__sparc__) || \
    defined(__alpha__)
#define K_TIOCGPTPEER	0x20005441UL
#else
#define K_TIOCGPTPEER	0x5441UL
#endif

struct k_clone {		/* clone3 */
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack,
		 stack_size, tls, set_tid, set_tid_size, cgroup;
};
struct k_how {			/* openat2 */
	uint64_t flags, mode, resolve;
};
struct k_attr {			/* mount_setattr */
	uint64_t set, clr, propagation, userns_fd;
};
struct k_capset {
	uint32_t effective, permitted, inheritable;
};
struct k_caphead {
	uint32_t version;
	int32_t pid;
};
struct k_rlimit {		/* prlimit64: 64 bits everywhere */
	uint64_t soft, hard;
};
struct k_sched {		/* sched_setattr */
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};
struct k_dirent {		/* getdents64 */
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};
struct k_bpf {			/* an eBPF instruction */
	uint8_t code, dst:4, src:4;	/* bit-fields as in the kernel */
	int16_t off;
	int32_t imm;
};
/* Parts of union bpf_attr. The kernel reads missing fields as 0. */
struct k_bpf_load {
	uint32_t type, count;
	uint64_t insns, license;
	uint32_t log_level, log_size;
	uint64_t log;
	uint32_t version, flags;
	char name[16];
};
struct k_bpf_attach {		/* BPF_DETACH too */
	uint32_t target, program, type, flags, replace;
};
struct k_bpf_query {
	uint32_t target, type, query_flags, attach_flags;
	uint64_t ids;
	uint32_t count, pad;
};
struct k_bpf_get {
	uint32_t id, next, flags;
};
struct k_bpf_about {
	uint32_t fd, size;
	uint64_t info;
};
struct k_bpf_info {
	uint32_t about[16];
	char name[16];
};
struct k_nlmsg {		/* netlink(7) */
	uint32_t len;
	uint16_t type, flags;
	uint32_t seq, pid;
};
struct k_ifinfo {		/* rtnetlink(7) */
	uint8_t family, pad;
	uint16_t type;
	int32_t index;
	uint32_t flags, change;
};
struct k_ifaddr {
	uint8_t family, prefix, flags, scope;
	uint32_t index;
};
struct k_route {
	uint8_t family, dst_len, src_len, tos, table, protocol, scope, type;
	uint32_t flags;
};
struct k_genl {			/* generic netlink */
	uint8_t cmd, version;
	uint16_t reserved;
};
struct k_nfgen {		/* nfnetlink */
	uint8_t family, version;
	uint16_t resource;		/* big-endian */
};

static long sys_clone3(struct k_clone *a)
{
	return syscall(NR_clone3, a, sizeof *a);
}

/* fork() with clone flags, SIGCHLD among them. For kernels without clone3. */
static long sys_clone(unsigned long flags)
{
#ifdef __s390x__
	return syscall(SYS_clone, 0L, flags, 0L, 0L, 0L);
#else
	return syscall(SYS_clone, flags, 0L, 0L, 0L, 0L);
#endif
}

static int sys_openat2(int dir, const char *path, const struct k_how *how)
{
	return (int)syscall(NR_openat2, dir, path, how, sizeof *how);
}

static int sys_eaccess(const char *path, int mode)
{
	return (int)syscall(NR_faccessat2, AT_FDCWD, path, mode, K_AT_EACCESS);
}

static int sys_close_range(unsigned first, unsigned last)
{
	return (int)syscall(NR_close_range, first, last, 0);
}

static int sys_open_tree(int dir, const char *path, unsigned flags)
{
	return (int)syscall(NR_open_tree, dir, path, flags | O_CLOEXEC);
}

static int sys_move_mount(int from, int to)
{
	return (int)syscall(NR_move_mount, from, "", to, "",
			    K_MOVE_F_EMPTY | K_MOVE_T_EMPTY);
}

static int sys_fsopen(const char *type)
{
	return (int)syscall(NR_fsopen, type, K_FSOPEN_CLOEXEC);
}

static int sys_fsconfig(int fd, unsigned cmd, const char *key, const char *val)
{
	return (int)syscall(NR_fsconfig, fd, cmd, key, val, 0);
}

static int sys_fsmount(int fd, unsigned attr)
{
	return (int)syscall(NR_fsmount, fd, K_FSMOUNT_CLOEXEC, attr);
}

static int sys_mount_setattr(int fd, unsigned flags, const struct k_attr *a)
{
	return (int)syscall(NR_mount_setattr, fd, "", flags | K_AT_EMPTY_PATH,
			    a, sizeof *a);
}

static int sys_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

static int sys_pidfd_open(int pid)
{
	return (int)syscall(NR_pidfd_open, pid, 0);
}

static int sys_pidfd_send_signal(int pidfd, int sig)
{
	return (int)syscall(NR_pidfd_send_signal, pidfd, sig, NULL, 0);
}

static int sys_execveat(int fd, char **argv, char **env)
{
	return (int)syscall(SYS_execveat, fd, "", argv, env, K_AT_EMPTY_PATH);
}

/* This and the next two are raw: musl's functions contain a fallback through
 * /proc/self/fd for cases that do not occur here. */
static int sys_fchdir(int fd)
{
	return (int)syscall(SYS_fchdir, fd);
}

static int sys_fchmodat(int dir, const char *path, mode_t mode)
{
	return (int)syscall(SYS_fchmodat, dir, path, mode);
}

static int sys_fchown(int fd, uid_t uid, gid_t gid)
{
	return fchownat(fd, "", uid, gid, K_AT_EMPTY_PATH);
}

static int sys_prctl(int what, unsigned long a, unsigned long b)
{
	return (int)syscall(SYS_prctl, what, a, b, 0L, 0L);
}

/* Holds until the process changes its ids or sets it again. */
static int sys_die_with_parent(void)
{
	return sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0);
}

/* Swaps two files of a directory. */
static int sys_exchange(int dir, const char *a, const char *b)
{
	return (int)syscall(SYS_renameat2, dir, a, dir, b, 2);
}

static int sys_memfd(const char *name)
{
	int fd = (int)syscall(SYS_memfd_create, name, K_MFD_CLOEXEC |
			      K_MFD_SEALING | K_MFD_EXEC);

	if (fd >= 0 || errno != EINVAL)
		return fd;
	return (int)syscall(SYS_memfd_create, name,
			    K_MFD_CLOEXEC | K_MFD_SEALING);
}

/* For commands whose argument is a number. */
static int sys_fcntl(int fd, int cmd, long arg)
{
	return (int)syscall(SYS_fcntl, fd, cmd, arg);
}

/* Sets the default action: zeros mean that on every architecture. */
static int sys_default_signal(int sig)
{
	static const long zeros[40 / sizeof(long) + 2];

	return (int)syscall(SYS_rt_sigaction, sig, zeros, NULL, _NSIG / 8);
}

/* Seconds and nanoseconds of a clock, without the vDSO. */
static void sys_now(int clock, int64_t t[2])
{
	long old[2] = { 0, 0 };

	if (sizeof(long) == 4 && syscall(NR_clock_gettime64, clock, t) == 0)
		return;
#if defined(SYS_clock_gettime32)
	syscall(SYS_clock_gettime32, clock, old);
#elif defined(SYS_clock_gettime)
	syscall(SYS_clock_gettime, clock, old);
#endif
	t[0] = old[0];
	t[1] = old[1];
}

static int sys_prlimit(int pid, int what, const struct k_rlimit *set,
		       struct k_rlimit *old)
{
	return (int)syscall(SYS_prlimit64, pid, what, set, old);
}

static long sys_getdents(int fd, void *buf, size_t size)
{
	return syscall(SYS_getdents64, fd, buf, size);
}

/* On old 32-bit ABIs the calls with the plain names take 16-bit ids. */
#ifdef SYS_setresuid32
#define NR_setresuid	SYS_setresuid32
#define NR_setresgid	SYS_setresgid32
#define NR_setgroups	SYS_setgroups32
#else
#define NR_setresuid	SYS_setresuid
#define NR_setresgid	SYS_setresgid
#define NR_setgroups	SYS_setgroups
#endif

/* Raw, because libc's would synchronise threads that a clone does not have. */
static int sys_setuid_all(uid_t id)
{
	return (int)syscall(NR_setresuid, id, id, id);
}

static int sys_setgid_all(gid_t id)
{
	return (int)syscall(NR_setresgid, id, id, id);
}

static int sys_setgroups(size_t n, const gid_t *list)
{
	return (int)syscall(NR_setgroups, n, list);
}

static int sys_capset(const struct k_capset set[2])
{
	struct k_caphead h = { K_CAPS_V3, 0 };

	return (int)syscall(SYS_capset, &h, set);
}

static int sys_capget(struct k_capset set[2])
{
	struct k_caphead h = { K_CAPS_V3, 0 };

	return (int)syscall(SYS_capget, &h, set);
}

static long sys_keyctl_join(void)
{
	/* without a name: a named keyring might be somebody else's */
	return syscall(SYS_keyctl, K_KEYCTL_JOIN, NULL, 0, 0, 0);
}

static int sys_sched_setattr(const struct k_sched *s)
{
	return (int)syscall(SYS_sched_setattr, 0, s, 0);
}

static int sys_setaffinity(size_t size, const void *mask)
{
	return (int)syscall(SYS_sched_setaffinity, 0, size, mask);
}

static int sys_ioprio_set(int value)
{
	return (int)syscall(SYS_ioprio_set, 1, 0, value);
}

static int sys_bpf(int cmd, void *attr, size_t size)
{
	return (int)syscall(SYS_bpf, cmd, attr, size);
}

static int sys_personality(unsigned long persona)
{
	return (int)syscall(SYS_personality, persona);
}

/* ===== BASE ==============================================================
 *
 * Counting, strings, numbers, fds, and one text builder for messages, kernel
 * files, the plan and JSON. The builder either fills a buffer, and remembers
 * that something did not fit, or streams to an fd when its buffer is full.
 */

#define COUNT(a) (sizeof(a) / sizeof *(a))

static bool str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* What follows the prefix in s, or NULL. */
static const char *str_after(const char *s, const char *prefix)
{
	for (; *prefix; s++, prefix++)
		if (*s != *prefix)
			return NULL;
	return s;
}

/* Where needle stands in s, or NULL. */
static char *str_find(const char *s, const char *needle)
{
	for (; *needle && (s = strchr(s, *needle)); s++)
		if (str_after(s, needle))
			break;
	return (char *)s;
}

/* The next string in a row of strings, "one\0two\0"; "" at its end. */
static const char *str_next(const char *s)
{
	return s + strlen(s) + 1;
}

/* Is s one of the strings in such a row? */
static bool str_among(const char *row, const char *s)
{
	for (; *row; row = str_next(row))
		if (str_eq(row, s))
			return true;
	return false;
}

/* Cuts s at the end of its first line. */
static void str_line(char *s)
{
	s[strcspn(s, "\n")] = 0;
}

static unsigned str_hash_from(unsigned h, const char *s, size_t n)
{
	while (n--)				/* FNV-1a */
		h = (h ^ (unsigned char)*s++) * 16777619u;
	return h;
}

static unsigned str_hash(const char *s, size_t n)
{
	return str_hash_from(2166136261u, s, n);
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

/* Reads the n bytes at s as one decimal number. False if there is a sign, a
 * blank or any other character, or if the number is out of range. */
static bool num_unsigned(const char *s, size_t n, unsigned long long *out)
{
	unsigned long long v = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned d = (unsigned)(s[i] - '0');

		if (d > 9 || v > (ULLONG_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*out = v;
	return n != 0;
}

/* Like num_unsigned(), but the number may begin with a '-'. */
static bool num_signed(const char *s, size_t n, long long *out)
{
	bool neg = n && *s == '-';
	unsigned long long v;

	if (!num_unsigned(s + neg, n - neg, &v) ||
	    v > (unsigned long long)LLONG_MAX + neg)
		return false;
	*out = neg ? (long long)-v : (long long)v;
	return true;
}

/* How many digits s begins with. */
static size_t num_len(const char *s)
{
	return strspn(s, "0123456789");
}

static void fd_close(int *fd)
{
	int keep = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = keep;
}
#define autofd __attribute__((cleanup(fd_close))) int

static int fd_take(int *fd)
{
	int n = *fd;

	*fd = -1;
	return n;
}

struct text {
	char	*p;
	size_t	len, cap;
	int	fd;		/* -1: keep in the buffer */
	bool	bad;		/* did not fit, or could not be written */
};
#define TEXT(buf) { (buf), 0, sizeof(buf), -1, false }

static void text_flush(struct text *t)
{
	size_t off = 0;

	while (t->fd >= 0 && off < t->len) {
		ssize_t n = write(t->fd, t->p + off, t->len - off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			t->bad = true;
			break;
		}
		off += (size_t)n;
	}
	if (t->fd >= 0)
		t->len = 0;
}

static void text_put(struct text *t, const char *s, size_t n)
{
	while (n) {
		size_t room = t->cap - 1 - t->len, k = n < room ? n : room;

		memcpy(t->p + t->len, s, k);
		t->len += k;
		s += k;
		n -= k;
		if (n && t->fd < 0) {
			t->bad = true;
			break;
		}
		if (n)
			text_flush(t);
	}
	t->p[t->len] = 0;
}

static void text_char(struct text *t, char c)
{
	text_put(t, &c, 1);
}

static void text_num(struct text *t, unsigned long long v, unsigned base)
{
	char buf[24], *p = buf + sizeof buf;

	do
		*--p = "0123456789abcdef"[v % base];
	while (v /= base);
	text_put(t, p, (size_t)(buf + sizeof buf - p));
}

/* The part of printf that nsrun needs: %s %.*s %c %d %u %x %o %lld %llu %%. */
static void text_vadd(struct text *t, const char *f, va_list ap)
{
	for (; *f; f++) {
		size_t n = strcspn(f, "%");
		bool wide = false;
		int width = -1;
		long long v;
		const char *s;

		text_put(t, f, n);
		f += n;
		if (!*f)
			break;
		f++;
		if (*f == '.' && f[1] == '*') {
			width = va_arg(ap, int);
			f += 2;
		}
		if (*f == 'l' && f[1] == 'l') {
			wide = true;
			f += 2;
		}
		switch (*f) {
		case 's':
			s = va_arg(ap, const char *);
			if (!s)
				s = "(none)";
			text_put(t, s, width < 0 ? strlen(s) :
				 strnlen(s, (size_t)width));
			break;
		case 'c':
			text_char(t, (char)va_arg(ap, int));
			break;
		case 'd':
			v = wide ? va_arg(ap, long long) : va_arg(ap, int);
			if (v < 0)
				text_char(t, '-');
			text_num(t, v < 0 ? -(unsigned long long)v :
				 (unsigned long long)v, 10);
			break;
		case 'u': case 'x': case 'o':
			text_num(t, wide ? va_arg(ap, unsigned long long) :
				 va_arg(ap, unsigned),
				 *f == 'u' ? 10 : *f == 'x' ? 16 : 8);
			break;
		default:
			text_char(t, *f);
		}
	}
}

__attribute__((format(printf, 2, 3)))
static void text_add(struct text *t, const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	text_vadd(t, f, ap);
	va_end(ap);
}

/* Formats into the caller's buffer; false and ENAMETOOLONG if it does not fit.
 */
static bool text_vto(char *buf, size_t size, const char *f, va_list ap)
{
	struct text t = { buf, 0, size, -1, false };

	*buf = 0;
	text_vadd(&t, f, ap);
	if (t.bad)
		errno = ENAMETOOLONG;
	return !t.bad;
}

__attribute__((format(printf, 3, 4)))
static bool text_to(char *buf, size_t size, const char *f, ...)
{
	va_list ap;
	bool fits;

	va_start(ap, f);
	fits = text_vto(buf, size, f, ap);
	va_end(ap);
	return fits;
}

/* Like text_to(), for the first n bytes of s, or all of s if it is shorter. */
static bool text_cut(char *buf, size_t size, const char *s, size_t n)
{
	return text_to(buf, size, "%.*s", (int)n, s);
}

/* The length of the UTF-8 sequence at s. 0 if it is not valid: overlong, a
 * surrogate, or above U+10FFFF. It is not read past a terminating zero. */
static unsigned utf8_len(const unsigned char *s)
{
	unsigned n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 :
		     s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0, i;

	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* The length of the run of bytes at s that a JSON string holds as they are,
 * without those of UTF-8. */
static size_t str_plain(const char *s)
{
	size_t n = 0;

	while (s[n] >= ' ' && s[n] < 127 && s[n] != '"' && s[n] != '\\')
		n++;
	return n;
}

/* Writes s as the inside of a JSON string; or, without quotes, as one line of
 * text. Bytes that are not UTF-8 become U+FFFD. */
static void text_escape(struct text *t, const char *s, bool quotes)
{
	for (; *s; s++) {
		size_t plain = str_plain(s);
		unsigned char c;
		unsigned n;

		text_put(t, s, plain);
		s += plain;
		if (!*s)
			break;
		c = (unsigned char)*s;
		n = utf8_len((const unsigned char *)s);
		if (quotes && (c == '"' || c == '\\'))
			text_add(t, "\\%c", c);
		else if (c == '\n')
			text_put(t, "\\n", 2);
		else if (c == '\t')
			text_put(t, "\\t", 2);
		else if (c < 32 || (c == 127 && !quotes))
			text_add(t, "\\u00%c%c", "0123456789abcdef"[c >> 4],
				 "0123456789abcdef"[c & 15]);
		else if (!n)
			text_put(t, "\xef\xbf\xbd", 3);
		else
			text_put(t, s, n);
		s += n > 1 ? n - 1 : 0;
	}
}

/* The next blank-separated field of a line. Octal escapes, such as \040, are
 * decoded in place. */
static char *word_next(char **line)
{
	char *p = *line, *out = p, *start = p;

	for (; *p && *p != ' '; p++)
		if (*p == '\\' && p[1] && p[2] && p[3]) {
			*out++ = (char)((p[1] & 7) << 6 | (p[2] & 7) << 3 |
					(p[3] & 7));
			p += 3;
		} else {
			*out++ = *p;
		}
	*line = *p ? p + 1 : p;
	*out = 0;
	return start;
}

/* Resolves "..", "." and double slashes of an absolute path, as text. ".." does
 * not go above "/". "/" itself becomes "". */
static void path_clean(char *path)
{
	char *out = path, *p = path;

	while (*p) {
		size_t n;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n == 2 && p[0] == '.' && p[1] == '.') {
			while (out > path && *--out != '/')
				;
		} else if (n && !(n == 1 && *p == '.')) {
			*out++ = '/';
			memmove(out, p, n);
			out += n;
		}
		p += n;
	}
	*out = 0;
}

/* ===== ERR ===============================================================
 *
 * An error is made once, where the cause is known, by fail() or sysfail(), and
 * gets its context from wrap() on the way out. All of them return false, so
 * that a sequence reads `a(c, e) && b(c, e) || wrap(e, "do it")`. The texts of
 * errno begin in lower case, because callers of OCI runtimes match on them.
 */

struct err {
	int	num;
	char	text[ERR_MAX];
};

static const char *err_text(int num, char buf[64])
{
	const char *s = strerror(num);

	text_to(buf, 64, "%s", s);
	if (buf[0] >= 'A' && buf[0] <= 'Z' && buf[1] >= 'a' && buf[1] <= 'z')
		buf[0] = (char)(buf[0] + 32);
	return buf;
}

/* Appends what the kernel or a program said about the error, as one line. */
static bool err_add(struct err *e, const char *said)
{
	struct text t = { e->text, strlen(e->text), sizeof e->text, -1, false };

	text_put(&t, ": ", 2);
	text_escape(&t, said, false);
	return false;
}

__attribute__((format(printf, 2, 3)))
static bool fail(struct err *e, const char *f, ...)
{
	va_list ap;

	e->num = 0;
	va_start(ap, f);
	text_vto(e->text, sizeof e->text, f, ap);
	va_end(ap);
	return false;
}

/* Like fail(), with the text of errno at the end. */
__attribute__((format(printf, 2, 3)))
static bool sysfail(struct err *e, const char *f, ...)
{
	int num = errno;
	char buf[64];
	va_list ap;

	e->num = num;
	va_start(ap, f);
	text_vto(e->text, sizeof e->text, f, ap);
	va_end(ap);
	return num ? err_add(e, err_text(num, buf)) : false;
}

/* Puts context in front of the text. If the context ends in a dot, such as
 * "networks[2].", the text begins with the rest of the key. */
__attribute__((format(printf, 2, 3)))
static bool wrap(struct err *e, const char *f, ...)
{
	char cause[ERR_MAX];
	struct text t = TEXT(e->text);
	va_list ap;

	memcpy(cause, e->text, sizeof cause);
	va_start(ap, f);
	text_vadd(&t, f, ap);
	va_end(ap);
	text_add(&t, f[strlen(f) - 1] == '.' ? "%s" : ": %s", cause);
	return false;
}

/* Appends more about the cause: a likely reason, a remedy. */
__attribute__((format(printf, 2, 3)))
static bool hint(struct err *e, const char *f, ...)
{
	struct text t = { e->text, strlen(e->text), sizeof e->text, -1, false };
	va_list ap;

	va_start(ap, f);
	text_put(&t, " (", 2);
	text_vadd(&t, f, ap);
	text_char(&t, ')');
	va_end(ap);
	return false;
}

/* ===== MEM ===============================================================
 *
 * One arena for each verb, in chunks from mmap, so that no heap is needed and
 * one call frees all. Allocation past ARENA_MAX fails: this limits the memory
 * that a hostile config can make nsrun use. Children allocate nothing: what
 * they need is on their stack.
 */

struct chunk {
	struct chunk	*next;
	size_t		size;
};

struct arena {
	struct chunk	*chunks;
	char		*p, *end;
	size_t		total;
};

static bool mem_grow(struct arena *a, size_t need)
{
	size_t size = ARENA_CHUNK;
	struct chunk *c;

	while (size < need + sizeof *c && size <= ARENA_MAX)
		size *= 2;
	if (a->total + size > ARENA_MAX) {
		errno = E2BIG;
		return false;
	}
	c = mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c == MAP_FAILED)
		return false;
	c->next = a->chunks;
	c->size = size;
	a->chunks = c;
	a->total += size;
	a->p = (char *)(c + 1);
	a->end = (char *)c + size;
	return true;
}

static bool mem_reserve(struct arena *a, size_t need)
{
	return (size_t)(a->end - a->p) >= need || mem_grow(a, need);
}

/* Zeroed memory; NULL with errno when there is no more. */
static void *mem_new(struct arena *a, size_t size)
{
	char *p;

	size = (size + 15) & ~(size_t)15;
	if (!mem_reserve(a, size))
		return NULL;
	p = a->p;
	a->p += size;
	return memset(p, 0, size);	/* mem_text() may have used it */
}

static void mem_free(struct arena *a)
{
	struct chunk *c = a->chunks;

	while (c) {
		struct chunk *next = c->next;

		munmap(c, c->size);
		c = next;
	}
	memset(a, 0, sizeof *a);
}

/* A formatted string in the arena. */
__attribute__((format(printf, 2, 3)))
static char *mem_text(struct arena *a, const char *f, ...)
{
	size_t cap = 256;

	for (;;) {
		char *p = mem_new(a, cap);
		struct text t = { p, 0, cap, -1, false };
		va_list ap;

		if (!p)
			return NULL;
		va_start(ap, f);
		text_vadd(&t, f, ap);
		va_end(ap);
		if (!t.bad) {
			if (a->p == p + cap)	/* give back the rest */
				a->p = p + ((t.len + 16) & ~(size_t)15);
			return p;
		}
		cap *= 4;
	}
}

static bool no_memory(struct err *e)
{
	return errno == E2BIG ?
	       fail(e, "the config is too large: it needs more than %d MiB of "
		    "memory", ARENA_MAX >> 20) :
	       sysfail(e, "allocate memory");
}

/* ===== LOG ===============================================================
 *
 * A warning is not an error: it goes to the caller's callback. Only P warns,
 * children do not.
 */

static void log_text(const struct nsrun_options *o, enum nsrun_level level,
		     const char *text)
{
	if (o->log)
		o->log(o->data, level, text);
}

__attribute__((format(printf, 3, 4)))
static void log_note(const struct nsrun_options *o, enum nsrun_level level,
		     const char *f, ...)
{
	char buf[ERR_MAX];
	va_list ap;

	va_start(ap, f);
	text_vto(buf, sizeof buf, f, ap);
	va_end(ap);
	log_text(o, level, buf);
}

/* ===== IO ================================================================
 *
 * Kernel files are written with one write(2); our own files are replaced by
 * rename. A path below an untrusted root is only opened by root_open() or
 * root_make(). They use openat2. Where the kernel lacks it, and to create what
 * is missing, they use a walker: it opens one component at a time with
 * O_NOFOLLOW and resolves symlinks itself. No symlink or rename can lead either
 * of them out of the root.
 */

/* open(2) in one system call: musl's open() makes two for O_CLOEXEC. */
static int io_open(const char *path, int flags)
{
	return openat(AT_FDCWD, path, flags | O_CLOEXEC);
}

/* Writes text to a kernel file, with one write(2). */
static bool io_put(int dir, const char *path, const char *text)
{
	autofd fd = openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	size_t n = strlen(text);
	ssize_t k;

	if (fd < 0)
		return false;
	k = write(fd, text, n);
	if (k >= 0 && (size_t)k != n)
		errno = EIO;
	return k >= 0 && (size_t)k == n;
}

/* Reads up to size - 1 bytes of a kernel file and terminates them; -1 if it
 * cannot be read. One read(2) is enough: the kernel returns all that fits. */
static ssize_t io_get(int dir, const char *path, char *buf, size_t size)
{
	autofd fd = openat(dir, path,
			   O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -1;
	do
		n = read(fd, buf, size - 1);
	while (n < 0 && errno == EINTR);
	buf[n < 0 ? 0 : n] = 0;
	return n;
}

/* io_get() and io_put() for a file in the directory with the path dir. */
static ssize_t io_get_in(const char *dir, const char *file, char *buf,
			 size_t size)
{
	char path[PATH_MAX];

	return text_to(path, sizeof path, "%s/%s", dir, file) ?
	       io_get(AT_FDCWD, path, buf, size) : -1;
}

static bool io_put_in(const char *dir, const char *file, const char *text)
{
	char path[PATH_MAX];

	return text_to(path, sizeof path, "%s/%s", dir, file) &&
	       io_put(AT_FDCWD, path, text);
}

/* The fd for poll(2) that is readable when the caller cancels; -1: never. */
static int io_cancel(const struct nsrun_options *o)
{
	return o->cancel_fd > 0 ? o->cancel_fd : -1;
}

/* Waits until fd is ready for the events. False if it is not, but cancel, which
 * may be -1, is readable. */
static bool io_await(int fd, short events, int cancel)
{
	struct pollfd p[] = { { fd, events, 0 }, { cancel, POLLIN, 0 } };

	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	return p[0].revents || !p[1].revents;
}

/* Reads a whole file of unknown length into the arena and terminates it. fd
 * stays open. */
static char *io_load_fd(struct arena *a, int fd, const char *path, size_t max,
			size_t *len, int cancel, struct err *e)
{
	size_t cap = 8192;
	struct stat st;
	char *p = NULL;

	if (fd < 0 || fstat(fd, &st) < 0)
		return sysfail(e, "open %s", path), NULL;
	if (S_ISDIR(st.st_mode))
		return errno = EISDIR, sysfail(e, "open %s", path), NULL;
	if (st.st_size > 0)
		cap = (size_t)st.st_size + 1;
	for (*len = 0; ; cap *= 2) {
		char *old = p;

		if (cap > max + 1)
			cap = max + 1;
		p = mem_new(a, cap + 1);
		if (!p)
			return no_memory(e), NULL;
		if (old)
			memcpy(p, old, *len);
		while (*len < cap) {
			ssize_t n;

			if (!S_ISREG(st.st_mode) &&
			    !io_await(fd, POLLIN, cancel))
				return fail(e, "read %s: interrupted", path),
				       NULL;
			n = read(fd, p + *len, cap - *len);
			if (n < 0 && (errno == EINTR || errno == EAGAIN))
				continue;
			if (n < 0)
				return sysfail(e, "read %s", path), NULL;
			*len += (size_t)n;
			/* at a short read a regular file has ended */
			if (n == 0 || (S_ISREG(st.st_mode) && st.st_size > 0 &&
				       *len < cap))
				return p[*len] = 0, p;
		}
		if (*len > max)
			return fail(e, "%s is larger than %u bytes", path,
				    (unsigned)max), NULL;
	}
}

static char *io_load(struct arena *a, int dir, const char *path, size_t max,
		     size_t *len, struct err *e)
{
	autofd fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return io_load_fd(a, fd, path, max, len, -1, e);
}

/* The entries of the directory open at fd, one by one, without . and .. */
struct entries {
	int	fd;
	long	at, len;		/* len -1: errno says why */
	_Alignas(struct k_dirent) char buf[2048];
};

static void io_list(struct entries *l, int fd)
{
	l->fd = fd;
	l->at = l->len = 0;
}

static struct k_dirent *io_entry(struct entries *l)
{
	struct k_dirent *d;

	do {
		if (l->at == l->len) {
			l->at = 0;
			l->len = sys_getdents(l->fd, l->buf, sizeof l->buf);
		}
		if (l->len <= 0)
			return NULL;
		d = (struct k_dirent *)(l->buf + l->at);
		l->at += d->len;
	} while (str_eq(d->name, ".") || str_eq(d->name, ".."));
	return d;
}

static bool io_remove(int dir, const char *name)
{
	return unlinkat(dir, name, 0) == 0 ||
	       unlinkat(dir, name, AT_REMOVEDIR) == 0;
}

/* Removes the directory name from the directory open at top. Subdirectories of
 * name that are not empty are moved to top, under the next free number. */
static bool io_hoist(int top, const char *name, unsigned *number)
{
	autofd dir = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			    O_CLOEXEC);
	struct k_dirent *d;
	struct entries l;
	char free_name[16];

	io_list(&l, dir);
	while ((d = io_entry(&l)))
		while (!io_remove(dir, d->name)) {
			if (errno != ENOTEMPTY)
				return false;
			text_to(free_name, sizeof free_name, ".%u", ++*number);
			if (renameat(dir, d->name, top, free_name) == 0)
				break;
			if (errno != EEXIST && errno != ENOTEMPTY &&
			    errno != ENOTDIR)	/* the name is in use */
				return false;
		}
	return l.len == 0 && (io_remove(top, name) || errno == ENOTEMPTY);
}

/* Empties the directory open at top. The tree may be deep, and other processes
 * may still move parts of it, so nsrun never goes up by "..". */
static bool io_clear(int top)
{
	struct k_dirent *d;
	unsigned number = 0;
	struct entries l;
	bool again = true;

	while (again && lseek(top, 0, SEEK_SET) == 0) {
		io_list(&l, top);
		for (again = false; (d = io_entry(&l)); again = true)
			if (!io_remove(top, d->name) &&
			    (errno != ENOTEMPTY ||
			     !io_hoist(top, d->name, &number)))
				return false;
	}
	return !again && l.len == 0;
}

/* Streams a file line by line. buf holds what is read and not yet used. */
struct lines {
	int	fd;
	size_t	at, len;
	size_t	left;		/* bytes that may still be read */
	bool	skip;		/* inside a line that did not fit */
	int	error;		/* errno of a read that failed */
	char	buf[4096 + 1];
};

static void io_lines(struct lines *l, int fd)
{
	l->fd = fd;
	l->at = l->len = 0;
	l->left = SIZE_MAX;
	l->skip = false;
	l->error = 0;
}

static char *io_line(struct lines *l)
{
	for (;;) {
		char *s = l->buf + l->at;
		char *nl = memchr(s, '\n', l->len - l->at);
		size_t room;
		ssize_t n;

		if (nl) {
			*nl = 0;
			l->at = (size_t)(nl + 1 - l->buf);
			if (!l->skip)
				return s;
			l->skip = false;
			continue;
		}
		memmove(l->buf, s, l->len -= l->at);
		l->at = 0;
		if (l->len == sizeof l->buf - 1) {
			l->skip = true;
			l->len = 0;
		}
		room = sizeof l->buf - 1 - l->len;
		n = read(l->fd, l->buf + l->len, room < l->left ? room :
			 l->left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			l->error = errno;
		if (n <= 0) {		/* the last line may lack its end */
			s = l->len && !l->skip ? l->buf : NULL;
			l->buf[l->len] = 0;
			l->at = l->len = 0;
			return s;
		}
		l->len += (size_t)n;
		l->left -= (size_t)n;
	}
}

/* io_new() and io_put_new() replace a file of ours: it is either new and whole,
 * or as it was. Between the two calls, the caller writes to t, which is open at
 * t->fd under another name. */
static bool io_new(struct text *t, int dir, const char *name, mode_t mode,
		   char tmp[NAME_MAX + 1])
{
	if (!text_to(tmp, NAME_MAX + 1, ".%s.tmp", name))
		return false;
	unlinkat(dir, tmp, 0);		/* left by a process that was killed */
	t->fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	return t->fd >= 0;
}

static bool io_put_new(struct text *t, int dir, const char *name,
		       const char *tmp)
{
	struct stat st;
	bool ok, swapped;

	text_flush(t);
	/* an existing file is exchanged: to rename over it, ext4 waits for the
	 * disk */
	swapped = !t->bad &&
		  fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		  S_ISREG(st.st_mode) && sys_exchange(dir, tmp, name) == 0;
	ok = swapped || (!t->bad && renameat(dir, tmp, dir, name) == 0);
	if (swapped || !ok) {
		int keep = errno;

		unlinkat(dir, tmp, 0);
		errno = keep;
	}
	fd_close(&t->fd);
	return ok;
}

static bool io_replace(int dir, const char *name, const char *data, size_t n,
		       mode_t mode)
{
	struct text t = { (char *)data, n, 0, -1, false };
	char tmp[NAME_MAX + 1];

	return io_new(&t, dir, name, mode, tmp) &&
	       io_put_new(&t, dir, name, tmp);
}

/* The kernel lacks the system call, or a filter hides it. */
static bool no_syscall(int num)
{
	return num == ENOSYS || num == EPERM;
}

/* A file without a name, in memory if the kernel can (3.17, or a filter hides
 * it), else in a directory that all may write to. */
static int io_temporary(const char *name)
{
	static const char dirs[] = "/dev/shm\0/run\0/tmp\0";
	int fd = sys_memfd(name);
	const char *dir;

	if (fd < 0 && no_syscall(errno))
		for (dir = dirs; fd < 0 && *dir; dir = str_next(dir))
			fd = openat(AT_FDCWD, dir, O_RDWR | O_TMPFILE |
				    O_CLOEXEC, 0600);
	return fd;
}

/* Does the errno say that a file or directory is not there or not accessible?
 * Any other errno is a failure. */
static bool is_absent(int num)
{
	return num == ENOENT || num == ENOTDIR || num == EACCES ||
	       num == ELOOP;
}

/* Checks X_OK or W_OK with the effective ids and capabilities. access(2) checks
 * with the real ids, and without capabilities unless the real uid is 0. Where
 * there is only access(2) (before 5.8), CAP_DAC_OVERRIDE is checked here. */
static bool io_may(const char *path, int mode)
{
	struct k_capset set[2];
	struct stat st;

	if (sys_eaccess(path, mode) == 0)
		return true;
	if (!no_syscall(errno))
		return false;
	if (access(path, mode) == 0)
		return true;
	if (errno != EACCES)
		return false;
	if (sys_capget(set) == 0 &&
	    set[0].effective & 1U << K_CAP_DAC_OVERRIDE &&
	    stat(path, &st) == 0 && (mode != X_OK || st.st_mode & 0111))
		return true;
	errno = EACCES;
	return false;
}

enum {
	WALK_NOLINK	= 1,	/* a symlink anywhere is ELOOP */
	WALK_NOFOLLOW	= 2,	/* do not follow the last component */
	WALK_DIR	= 4,	/* create what is missing as directories */
	WALK_FILE	= 8,	/* the same, but the last as an empty file */
};

/* The walker's state: where it is (fd), the path to there, the path ahead. */
struct walk {
	int	root, fd;
	char	done[PATH_MAX];		/* clean, no link in it */
	char	todo[PATH_MAX];
};

/* Goes back to the root and down the first len bytes of done again; a symlink
 * there is refused. */
static bool walk_again(struct walk *w, size_t len)
{
	char *p = w->done, *end = w->done + len;

	*end = 0;
	fd_close(&w->fd);
	w->fd = openat(w->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (w->fd >= 0 && p < end) {
		char *next = strchr(p + 1, '/');
		int fd;

		if (next)
			*next = 0;
		fd = openat(w->fd, p + 1, O_PATH | O_DIRECTORY | O_NOFOLLOW |
			    O_CLOEXEC);
		if (next)
			*next = '/';
		fd_close(&w->fd);
		w->fd = fd;
		p = next ? next : end;
	}
	return w->fd >= 0;
}

/* Makes todo the target of the symlink open at fd, followed by rest. */
static bool walk_link(struct walk *w, int fd, const char *rest)
{
	char target[PATH_MAX];
	struct statfs fs;
	ssize_t n = readlinkat(fd, "", target, sizeof target - 1);
	char tail[PATH_MAX];

	if (n < 0 || fstatfs(fd, &fs) < 0)
		return false;
	if ((unsigned)fs.f_type == K_MAGIC_PROC) {
		errno = ELOOP;		/* may be magic, as /proc/self/fd/N */
		return false;
	}
	target[n] = 0;
	text_to(tail, sizeof tail, "%s", rest);
	return text_to(w->todo, sizeof w->todo, "%s%s", target, tail) &&
	       (*target != '/' || walk_again(w, 0));
}

/* Walks one component; last says that only slashes follow it. Returns 0, or -1
 * and errno, or 1 if it was a symlink, whose target now begins todo. */
static int walk_step(struct walk *w, const char *name, const char *rest,
		     bool last, int flags, mode_t mode)
{
	int how = O_PATH | O_NOFOLLOW | O_CLOEXEC, fd;
	size_t len = strlen(w->done);
	struct stat st;

	if (str_eq(name, "."))
		return 0;
	if (str_eq(name, "..")) {
		while (len && w->done[--len] != '/')
			;
		return walk_again(w, len) ? 0 : -1;
	}
	fd = openat(w->fd, name, how);
	if (fd < 0 && errno == ENOENT && (flags & (WALK_DIR | WALK_FILE))) {
		if (last && (flags & WALK_FILE)) {
			int new = openat(w->fd, name, O_CREAT | O_EXCL |
					 O_WRONLY | O_NOFOLLOW | O_CLOEXEC,
					 0644);

			if (new < 0 && errno != EEXIST)
				return -1;
			fd_close(&new);
		} else if (mkdirat(w->fd, name, mode) < 0 && errno != EEXIST) {
			return -1;
		}
		fd = openat(w->fd, name, how);
	}
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0) {
		fd_close(&fd);
		return -1;
	}
	if (S_ISLNK(st.st_mode) &&
	    !(last && !*rest && (flags & WALK_NOFOLLOW))) {
		bool ok = !(flags & WALK_NOLINK);

		if (!ok)
			errno = ELOOP;
		ok = ok && walk_link(w, fd, rest);
		fd_close(&fd);
		return ok ? 1 : -1;
	}
	if ((!last || *rest) && !S_ISDIR(st.st_mode)) {
		fd_close(&fd);
		errno = ENOTDIR;
		return -1;
	}
	if (!text_to(w->done + len, sizeof w->done - len, "/%s", name)) {
		fd_close(&fd);
		return -1;
	}
	fd_close(&w->fd);
	w->fd = fd;
	return 0;
}

/* Opens path below root component by component; an O_PATH fd or -1. */
static int root_walk(int root, const char *path, int flags, mode_t mode)
{
	struct walk w;
	int links = 0;

	w.root = root;
	w.fd = -1;
	if (!text_to(w.todo, sizeof w.todo, "%s", path) || !walk_again(&w, 0))
		return -1;
	for (;;) {
		char *name = w.todo + strspn(w.todo, "/"), *rest;
		char one[NAME_MAX + 1];
		size_t n = strcspn(name, "/");
		int r;

		if (!n)
			return w.fd;
		if (!text_cut(one, sizeof one, name, n))
			break;
		rest = name + n;
		r = walk_step(&w, one, rest, !rest[strspn(rest, "/")], flags,
			      mode);
		if (r < 0)
			break;
		if (r == 0) {
			memmove(w.todo, rest, strlen(rest) + 1);
		} else if (++links > LINKS_MAX) {
			errno = ELOOP;
			break;
		}
	}
	fd_close(&w.fd);
	return -1;
}

/* Opens an existing path below root with O_PATH; symlinks stay inside the root.
 */
static int root_open(int root, const char *path, int flags)
{
	struct k_how how = {
		O_PATH | O_CLOEXEC | (flags & WALK_NOFOLLOW ? O_NOFOLLOW : 0),
		0,
		K_RESOLVE_IN_ROOT | K_RESOLVE_NO_MAGICLINKS |
		(flags & WALK_NOLINK ? K_RESOLVE_NO_SYMLINKS : 0),
	};
	int fd, tries = 0;

	do	/* EAGAIN: there was a rename or mount meanwhile, anywhere */
		fd = sys_openat2(root, path, &how);
	while (fd < 0 && errno == EAGAIN && ++tries < 128);
	if (fd < 0 && (no_syscall(errno) || errno == EAGAIN))
		fd = root_walk(root, path, flags, 0);
	return fd;
}

/* Like root_open(), and creates what is missing: directories with the mode, or,
 * with WALK_FILE, the last component as an empty file. */
static int root_make(int root, const char *path, int flags, mode_t mode)
{
	int fd = root_open(root, path, flags & (WALK_NOLINK | WALK_NOFOLLOW));

	if (fd < 0 && errno == ENOENT)
		fd = root_walk(root, path, flags, mode);
	return fd;
}

/* Opens the directory of path below root, creates it if it is missing, and
 * copies the last component to name. For mknod and symlink. */
static int root_parent(int root, const char *path, char name[NAME_MAX + 1])
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];

	if (!text_cut(dir, sizeof dir, path,
		      slash ? (size_t)(slash - path) : 0) ||
	    !text_to(name, NAME_MAX + 1, "%s", slash ? slash + 1 : path))
		return -1;
	return root_make(root, *dir ? dir : "/", WALK_DIR, 0755);
}

static bool io_send(int sock, const void *data, size_t n, int fd)
{
	struct iovec iov = { (void *)data, n };
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} u;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t k;

	if (fd >= 0) {
		memset(&u, 0, sizeof u);
		m.msg_control = &u;
		m.msg_controllen = sizeof u;
		u.h.cmsg_level = SOL_SOCKET;
		u.h.cmsg_type = SCM_RIGHTS;
		u.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&u.h), &fd, sizeof fd);
	}
	do
		k = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (k < 0 && errno == EINTR);
	return k == (ssize_t)n;
}

/* Receives one packet; *fd is the descriptor that came with it, or -1. 0 is the
 * end of the socket, also if the peer reset it. */
static ssize_t io_recv(int sock, void *data, size_t n, int *fd)
{
	struct iovec iov = { data, n };
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} u;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = &u, .msg_controllen = sizeof u };
	struct cmsghdr *h;
	int reset = 0;
	ssize_t k;

	*fd = -1;
	/* If the peer died with unread packets, one ECONNRESET comes first, and
	 * what the peer had sent can be read after it. */
	do
		k = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (k < 0 && (errno == EINTR || (errno == ECONNRESET && !reset++)));
	if (k < 0)
		return errno == ECONNRESET ? 0 : -1;
	h = CMSG_FIRSTHDR(&m);
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(h), sizeof *fd);
	return k;
}

static bool fd_is_kept(int fd, int from, const int *keep, size_t n)
{
	while (n--)
		if (keep[n] == fd)
			return true;
	return fd < from;
}

/* fd_keep_only() without close_range: closes what /proc/self/fd lists. Closing
 * disturbs the list, so it is read again until nothing was closed. */
static bool fd_keep_listed(int proc, int from, const int *keep, size_t n)
{
	unsigned long long fd;
	struct k_dirent *d;
	struct entries l;
	bool again;

	do {
		int dir = openat(proc, "self/fd", O_RDONLY | O_CLOEXEC);

		if (dir < 0)
			return false;
		again = false;
		io_list(&l, dir);
		while ((d = io_entry(&l)))
			if (num_unsigned(d->name, strlen(d->name), &fd) &&
			    (int)fd != dir &&
			    !fd_is_kept((int)fd, from, keep, n))
				again |= close((int)fd) == 0;
		fd_close(&dir);
	} while (again && l.len == 0);
	return l.len == 0;
}

/* Closes every fd from first on, except the n fds in keep. It sorts keep and
 * skips a -1 in it. */
static bool fd_keep_only(int proc, int first, int *keep, size_t n,
			 struct err *e)
{
	int from = first;
	size_t i, j;

	for (i = 1; i < n; i++)
		for (j = i; j && keep[j] < keep[j - 1]; j--) {
			int t = keep[j];

			keep[j] = keep[j - 1];
			keep[j - 1] = t;
		}
	for (i = 0; i <= n; i++) {
		int to = i < n ? keep[i] : INT_MAX;

		if (to < from)
			continue;
		if (to > from &&
		    sys_close_range((unsigned)from, (unsigned)to - 1) < 0)
			return fd_keep_listed(proc, first, keep, n) ||
			       sysfail(e, "close the caller's files");
		from = to == INT_MAX ? to : to + 1;
	}
	return true;
}

/* Gives every signal its default action and unblocks all. execve would reset
 * only handlers: ignored and blocked signals would stay so. */
static bool sig_reset(struct err *e)
{
	sigset_t none;
	int sig;

	for (sig = 1; sig < _NSIG; sig++)
		if (sys_default_signal(sig) < 0 && errno != EINVAL)
			return sysfail(e, "reset signal %d", sig);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return true;
}

/* Clones a child into new namespaces and, unless it is -1, into the cgroup that
 * is open at cgroup. Returns the pid, 0 in the child. */
static int io_clone(unsigned flags, int cgroup, int *pidfd)
{
	int fd = -1, pid;
	struct k_clone a = {
		.flags = flags | (pidfd ? K_CLONE_PIDFD : 0) |
			 (cgroup >= 0 ? K_CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)&fd,
		/* a CLONE_PARENT child has that of its maker */
		.exit_signal = flags & K_CLONE_PARENT ? 0 : SIGCHLD,
		.cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0,
	};

	pid = (int)sys_clone3(&a);
	if (pid < 0 && cgroup < 0 && (no_syscall(errno) || errno == EINVAL ||
				      errno == E2BIG))
		pid = (int)sys_clone(flags | SIGCHLD);
	if (pid > 0 && pidfd)
		*pidfd = fd;
	return pid;
}

static int io_reap(int pid)
{
	int status = 0;

	while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	return status;
}

/* A program of the host or of a container that runs beside the container: a
 * hook, newuidmap or newgidmap. */
struct run {
	char	*const *argv, *const *env;
	const char	*path;
	const char	*dir;		/* its cwd; NULL: ours */
	int		in;		/* its stdin; -1: /dev/null */
	long long	seconds;	/* time limit; 0: none */
	int		cancel;		/* readable: kill it; -1: never */
	int		proc;		/* /proc; -1: all fds are O_CLOEXEC */
};

static _Noreturn void run_child(const struct run *r, int said)
{
	autofd null = io_open("/dev/null", O_RDONLY);
	struct text t = { NULL, 0, 0, said, false };
	int keep[2] = { said, r->proc };
	struct err e = { 0, "" };
	char buf[64];

	/* the program is a process group of its own and dies with us */
	setpgid(0, 0);
	sys_die_with_parent();
	if ((r->in >= 0 || null >= 0) &&
	    dup2(r->in >= 0 ? r->in : null, 0) == 0 &&
	    dup2(said, 1) == 1 && dup2(said, 2) == 2 &&
	    (!r->dir || chdir(r->dir) == 0) &&
	    (r->proc < 0 || fd_keep_only(r->proc, 3, keep, 2, &e)) &&
	    sig_reset(&e)) {
		close(r->proc);		/* container paths could reach it */
		execve(r->path, r->argv, r->env);
	}
	t.p = *e.text ? e.text : (char *)err_text(errno, buf);
	t.len = strlen(t.p);
	text_flush(&t);
	_exit(127);
}

/* Monotonic, because a router sets its real-time clock only after boot. */
static long long now_ms(void)
{
	int64_t t[2];

	sys_now(CLOCK_MONOTONIC, t);
	return t[0] * 1000 + t[1] / 1000000;
}

/* Waits for the leader of the process group. If the time is over, or cancel is
 * readable, the whole group is killed. */
enum run_end { RUN_ENDED, RUN_LATE, RUN_CANCELLED };

static enum run_end run_wait(const struct run *r, int pid, int pidfd,
			     int *status)
{
	struct pollfd p[] = { { pidfd, POLLIN, 0 }, { r->cancel, POLLIN, 0 } };
	long long left = r->seconds > INT_MAX / 1000 ? INT_MAX :
			 r->seconds * 1000, end_ms = now_ms() + left;
	enum run_end end = RUN_ENDED;
	siginfo_t i = { 0 };

	while (r->seconds || r->cancel >= 0) {
		int step = pidfd < 0 ? 10 : r->seconds ? (int)left : -1;

		if (poll(p, 2, step) < 0 && errno != EINTR)
			break;
		if (waitid(P_PID, (id_t)pid, &i, WEXITED | WNOWAIT |
			   WNOHANG) < 0 || i.si_pid == pid)
			break;
		left = end_ms - now_ms();
		if (p[1].revents)
			end = RUN_CANCELLED;
		else if (r->seconds && left <= 0)
			end = RUN_LATE;
		if (end != RUN_ENDED) {
			kill(-pid, SIGKILL);
			break;
		}
	}
	*status = io_reap(pid);
	return end;
}

/* Runs the program to its end. Its output goes into a file in memory, so that
 * no process that keeps the output open can block us. If the program fails, its
 * output is added to the error. */
static bool io_run(const struct run *r, struct err *e)
{
	autofd said = io_temporary("output"), pidfd = -1;
	char buf[300] = "";
	int pid, status;
	enum run_end how;
	ssize_t n;
	off_t end;

	if (said < 0)
		return sysfail(e, "make a temporary file");
	pid = io_clone(0, -1, &pidfd);
	if (pid == 0)
		run_child(r, said);
	if (pid < 0)
		return sysfail(e, "start %s", r->path);
	setpgid(pid, pid);	/* the child may not have done so yet */
	how = run_wait(r, pid, pidfd, &status);
	if (how == RUN_ENDED && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	if (how == RUN_LATE)
		fail(e, "%s was killed: it took more than %lld second(s)",
		     r->path, r->seconds);
	else if (how == RUN_CANCELLED)
		fail(e, "%s was killed: interrupted", r->path);
	else if (WIFSIGNALED(status))
		fail(e, "%s was ended by signal %d", r->path,
		     WTERMSIG(status));
	else
		fail(e, "%s exited with status %d", r->path,
		     WEXITSTATUS(status));
	/* the end of the output: it names the cause */
	end = lseek(said, 0, SEEK_END);
	n = pread(said, buf, sizeof buf - 1,
		  end > (off_t)sizeof buf - 1 ? end - (off_t)sizeof buf + 1 :
		  0);
	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == ' '))
		n--;
	buf[n > 0 ? n : 0] = 0;
	return *buf ? err_add(e, buf) : false;
}

/* Binds or connects a socket. If the path does not fit into sun_path, a child
 * does it from the directory of the path, because the cwd is the caller's. */
static bool io_socket(int sock, const char *path, bool listens)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *slash = strrchr(path, '/');
	int status, pid;
	char dir[PATH_MAX];

	if (text_to(a.sun_path, sizeof a.sun_path, "%s", path))
		return (listens ? bind : connect)
			(sock, (struct sockaddr *)&a, sizeof a) == 0;
	if (!slash || !text_cut(dir, sizeof dir, path,
				(size_t)(slash - path) + 1) ||
	    !text_to(a.sun_path, sizeof a.sun_path, "%s", slash + 1))
		return false;
	pid = io_clone(0, -1, NULL);
	if (pid == 0)
		_exit(chdir(dir) == 0 && (listens ? bind : connect)
		      (sock, (struct sockaddr *)&a, sizeof a) == 0 ? 0 :
		      errno);
	if (pid < 0)
		return false;
	status = io_reap(pid);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return errno == 0;
}

/* ===== JSON ==============================================================
 *
 * RFC 8259 with no extension, into a tree of nodes that point into the text:
 * strings are decoded in place, numbers stay text until one is used, so that
 * 64 bits are exact. No recursion; the open lists and objects are kept in an
 * array. If two members have the same name the last one counts, as in Go.
 */

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUM, JSON_STR,
		 JSON_LIST, JSON_OBJ };

struct json {
	const char	*key;		/* in an object */
	struct json	*next;		/* in the same container */
	union {
		struct json	*kids;	/* of a list or an object */
		const char	*str;	/* decoded; or the number's text */
	};
	unsigned	len;		/* of str */
	unsigned char	type;
	bool		nul, key_nul;	/* str, key holds \u0000 */
};

static const char *const json_names[] = {
	"null", "a boolean", "a boolean", "a number", "a string", "a list",
	"an object",
};

struct json_parser {
	struct arena	*mem;
	const char	*name;		/* of the file, for messages */
	char		*p, *end;
	const char	*start;		/* of the line at p */
	unsigned	line;
	struct json	*open[JSON_DEPTH_MAX];
	struct json	**tail[JSON_DEPTH_MAX];	/* where the next kid goes */
	int		depth;
	struct err	*e;
};

static bool json_eof(struct json_parser *j)
{
	int i;

	for (i = j->depth - 1; i >= 0; i--)
		if (j->open[i]->key)
			return fail(j->e, "unexpected end of file inside "
				    "\"%s\"", j->open[i]->key);
	return fail(j->e, "unexpected end of file");
}

static char *utf8_put(char *to, unsigned c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 63));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 63));
		*to++ = (char)(0x80 | (c & 63));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 63));
		*to++ = (char)(0x80 | (c >> 6 & 63));
		*to++ = (char)(0x80 | (c & 63));
	}
	return to;
}

/* The value of the n hex digits at s; -1 if they are not all there. */
static int num_hex(const char *s, int n)
{
	int v = 0;

	for (; n--; s++) {
		int c = *s | 32;

		if (is_digit(*s))
			v = v << 4 | (*s - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (c - 'a' + 10);
		else
			return -1;
	}
	return v;
}

/* The character of \uXXXX, or of a surrogate pair. j->p is after the first u;
 * -1: error. */
static int json_unicode(struct json_parser *j)
{
	int c = num_hex(j->p, 4), low;

	if (c < 0)
		return fail(j->e, "\\u wants four hex digits"), -1;
	j->p += 4;
	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (c < 0xdc00 && j->p[0] == '\\' && j->p[1] == 'u') {
		low = num_hex(j->p + 2, 4);
		if (low >= 0xdc00 && low <= 0xdfff) {
			j->p += 6;
			return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	j->p -= 4;
	return fail(j->e, "half of a surrogate pair"), -1;
}

/* Decodes the string at j->p, which is after the opening quote, in place and
 * terminates it. */
static bool json_string(struct json_parser *j, const char **str, unsigned *len,
			bool *nul)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char *start = j->p, *out = j->p;

	for (;;) {
		const char *esc;
		size_t plain = str_plain(j->p);
		unsigned n;
		int c;

		memmove(out, j->p, plain);
		out += plain;
		j->p += plain;
		if (j->p >= j->end)
			return json_eof(j);
		c = (unsigned char)*j->p;
		if (c == '"')
			break;
		if (c < 32)
			return fail(j->e, "control character in a string");
		if (c != '\\') {
			n = utf8_len((unsigned char *)j->p);
			if (!n)
				return fail(j->e, "not UTF-8");
			while (n--)
				*out++ = *j->p++;
			continue;
		}
		if (++j->p >= j->end)
			return json_eof(j);
		c = *j->p++;
		esc = c ? strchr(from, c) : NULL;
		if (esc) {
			*out++ = to[esc - from];
		} else if (c == 'u') {
			c = json_unicode(j);
			if (c < 0)
				return false;
			*nul |= c == 0;
			out = utf8_put(out, (unsigned)c);
		} else {
			j->p--;
			return fail(j->e, "unknown escape");
		}
	}
	j->p++;
	*out = 0;
	*str = start;
	*len = (unsigned)(out - start);
	return true;
}

static bool json_number(struct json_parser *j, struct json *n)
{
	char *s = j->p;

	n->type = JSON_NUM;
	n->str = s;
	s += *s == '-';
	if (!is_digit(*s))
		return fail(j->e, "not a number");
	s += *s == '0' ? 1 : num_len(s);
	if (*s == '.') {
		j->p = ++s;
		if (!is_digit(*s))
			return fail(j->e, "expected a digit after the dot");
		s += num_len(s);
	}
	if ((*s | 32) == 'e') {
		s++;
		j->p = s += *s == '+' || *s == '-';
		if (!is_digit(*s))
			return fail(j->e, "expected a digit after the e");
		s += num_len(s);
	}
	n->len = (unsigned)(s - n->str);
	j->p = s;
	return true;
}

static void json_blank(struct json_parser *j)
{
	for (; *j->p == ' ' || *j->p == '\n' || *j->p == '\t' ||
	       *j->p == '\r'; j->p++)
		if (*j->p == '\n') {	/* no token holds one */
			j->line++;
			j->start = j->p + 1;
		}
}

static bool json_word(struct json_parser *j, struct json *n, const char *word,
		      enum json_type type)
{
	if (!str_after(j->p, word))
		return fail(j->e, "unexpected word");
	j->p += strlen(word);
	n->type = (unsigned char)type;
	return true;
}

/* Parses one value into n; of a list or an object only the bracket. */
static bool json_value(struct json_parser *j, struct json *n)
{
	char c;

	json_blank(j);
	if (j->p >= j->end)
		return json_eof(j);
	c = *j->p;
	if (c == '{' || c == '[') {
		if (j->depth == JSON_DEPTH_MAX)
			return fail(j->e, "nested deeper than %d",
					 JSON_DEPTH_MAX);
		n->type = c == '{' ? JSON_OBJ : JSON_LIST;
		j->open[j->depth] = n;
		j->tail[j->depth++] = &n->kids;
		j->p++;
		return true;
	}
	if (c == '"') {
		n->type = JSON_STR;
		j->p++;
		return json_string(j, &n->str, &n->len, &n->nul);
	}
	if (c == '-' || is_digit(c))
		return json_number(j, n);
	if (c == 't')
		return json_word(j, n, "true", JSON_TRUE);
	if (c == 'f')
		return json_word(j, n, "false", JSON_FALSE);
	if (c == 'n')
		return json_word(j, n, "null", JSON_NULL);
	return fail(j->e, "unexpected character");
}

/* Parses the "key": of the next member. */
static bool json_key(struct json_parser *j, struct json *n)
{
	unsigned len;

	if (*j->p != '"')
		return fail(j->e, "expected a member name in quotes");
	j->p++;
	if (!json_string(j, &n->key, &len, &n->key_nul))
		return false;
	json_blank(j);
	if (j->p >= j->end)
		return json_eof(j);
	if (*j->p != ':')
		return fail(j->e, "expected a colon after \"%s\"",
				 n->key);
	j->p++;
	return true;
}

/* One step inside the innermost container: its end, or its next kid. */
static bool json_step(struct json_parser *j)
{
	struct json *up = j->open[j->depth - 1], *n;
	char close = up->type == JSON_OBJ ? '}' : ']';

	json_blank(j);
	if (j->p >= j->end)
		return json_eof(j);
	if (*j->p == close) {
		j->p++;
		j->depth--;
		return true;
	}
	if (up->kids) {
		if (*j->p != ',')
			return fail(j->e, "expected a comma or %c",
					 close);
		j->p++;
		json_blank(j);
		if (j->p >= j->end)
			return json_eof(j);
	}
	n = mem_new(j->mem, sizeof *n);
	if (!n)
		return no_memory(j->e);
	*j->tail[j->depth - 1] = n;
	j->tail[j->depth - 1] = &n->next;
	return (up->type != JSON_OBJ || json_key(j, n)) && json_value(j, n);
}

/* Parses text[0..len), which it overwrites. text[len] must be writable. */
static struct json *json_parse(struct arena *mem, const char *name, char *text,
			       size_t len, struct err *e)
{
	struct json_parser j = { .mem = mem, .name = name, .p = text,
				 .end = text + len, .start = text, .line = 1,
				 .e = e };
	struct json *top = mem_new(mem, sizeof *top);
	bool ok = false;

	if (!top)
		return no_memory(e), NULL;
	text[len] = 0;		/* every token ends here at the latest */
	if (str_after(text, "\xef\xbb\xbf"))
		fail(e, "begins with a byte order mark; save it as plain "
		     "UTF-8");
	else
		ok = json_value(&j, top);
	while (ok && j.depth)
		ok = json_step(&j);
	if (ok) {
		json_blank(&j);
		ok = j.p == j.end || fail(e, "more text after the end");
	}
	if (!ok)
		wrap(e, "%s:%u:%u", name, j.line,
		     (unsigned)(j.p - j.start) + 1);
	return ok ? top : NULL;
}

/* Does the value ask for anything? null, false, "", 0, and lists and objects
 * that hold only these, do not. The parser bounds the depth of recursion. */
static bool json_asks(const struct json *n)
{
	const struct json *k;

	switch (n->type) {
	case JSON_NULL: case JSON_FALSE:
		return false;
	case JSON_STR:
		return n->len != 0;
	case JSON_NUM:
		return !(n->len == 1 && *n->str == '0');
	case JSON_LIST: case JSON_OBJ:
		for (k = n->kids; k; k = k->next)
			if (json_asks(k))
				return true;
		return false;
	}
	return true;
}

/* The writer: members and elements in order, indented by two blanks a level, or
 * all in one line. */
struct json_out {
	struct text	*t;
	int		depth;
	bool		first, line;
};

static void json_put_end(struct json_out *o)
{
	int i;

	if (o->line)
		return;
	text_char(o->t, '\n');
	for (i = 0; i < o->depth; i++)
		text_put(o->t, "  ", 2);
}

static void json_put_key(struct json_out *o, const char *key)
{
	if (!o->first)
		text_put(o->t, ",", o->depth != 0);
	if (o->depth)
		json_put_end(o);
	if (key) {
		text_char(o->t, '"');
		text_escape(o->t, key, true);
		text_put(o->t, "\": ", o->line ? 2 : 3);
	}
	o->first = false;
}

static void json_put_open(struct json_out *o, const char *key, char open)
{
	json_put_key(o, key);
	text_char(o->t, open);
	o->depth++;
	o->first = true;
}

static void json_put_close(struct json_out *o, char close)
{
	o->depth--;
	if (!o->first)
		json_put_end(o);
	text_char(o->t, close);
	o->first = false;
}

static void json_put_str(struct json_out *o, const char *key, const char *s)
{
	json_put_key(o, key);
	text_char(o->t, '"');
	text_escape(o->t, s, true);
	text_char(o->t, '"');
}

static void json_put_bool(struct json_out *o, const char *key, bool v)
{
	json_put_key(o, key);
	text_add(o->t, "%s", v ? "true" : "false");
}

static void json_put_u64(struct json_out *o, const char *key,
			 unsigned long long v)
{
	json_put_key(o, key);
	text_add(o->t, "%llu", v);
}

static void json_put_num(struct json_out *o, const char *key, long long v)
{
	json_put_key(o, key);
	text_add(o->t, "%lld", v);
}

static void json_put_pairs(struct json_out *o, const char *key,
			   const struct nsrun_pair *v, size_t n)
{
	json_put_open(o, key, '{');
	for (; n--; v++)
		json_put_str(o, v->key, v->value);
	json_put_close(o, '}');
}

/* ===== NAMES =============================================================
 *
 * Every vocabulary is a table of names and numbers, with one look-up in each
 * direction.
 */

struct name {
	const char	*name;
	int		value;
};

static const struct name *name_find(const struct name *table, size_t n,
				    const char *s)
{
	for (; n--; table++)
		if (str_eq(table->name, s))
			return table;
	return NULL;
}

static const char *name_of(const struct name *table, size_t n, int value)
{
	for (; n--; table++)
		if (table->value == value)
			return table->name;
	return NULL;
}

/* Capabilities without the prefix CAP_, in the order of their numbers. */
static const char cap_names[] =
	"CHOWN\0DAC_OVERRIDE\0DAC_READ_SEARCH\0FOWNER\0FSETID\0KILL\0SETGID\0"
	"SETUID\0SETPCAP\0LINUX_IMMUTABLE\0NET_BIND_SERVICE\0NET_BROADCAST\0"
	"NET_ADMIN\0NET_RAW\0IPC_LOCK\0IPC_OWNER\0SYS_MODULE\0SYS_RAWIO\0"
	"SYS_CHROOT\0SYS_PTRACE\0SYS_PACCT\0SYS_ADMIN\0SYS_BOOT\0SYS_NICE\0"
	"SYS_RESOURCE\0SYS_TIME\0SYS_TTY_CONFIG\0MKNOD\0LEASE\0AUDIT_WRITE\0"
	"AUDIT_CONTROL\0SETFCAP\0MAC_OVERRIDE\0MAC_ADMIN\0SYSLOG\0WAKE_ALARM\0"
	"BLOCK_SUSPEND\0AUDIT_READ\0PERFMON\0BPF\0CHECKPOINT_RESTORE\0";
enum { CAP_ADMIN_NR = 21, CAP_MKNOD_NR = 27 };

/* The number of the capability name, -1 if it is unknown. */
static int cap_find(const char *name)
{
	const char *p = cap_names;
	int n;

	name = str_after(name, "CAP_");
	for (n = 0; name && *p; n++, p = str_next(p))
		if (str_eq(p, name))
			return n;
	return -1;
}

/* Some numbers differ on MIPS and others; these are the constants of libc. */
static const struct name rlimit_names[] = {
	{ "RLIMIT_AS", RLIMIT_AS },		{ "RLIMIT_CORE", RLIMIT_CORE },
	{ "RLIMIT_CPU", RLIMIT_CPU },		{ "RLIMIT_DATA", RLIMIT_DATA },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE },	{ "RLIMIT_LOCKS", 10 },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },	{ "RLIMIT_MSGQUEUE", 12 },
	{ "RLIMIT_NICE", 13 },		{ "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_NPROC", RLIMIT_NPROC },	{ "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_RTPRIO", 14 },		{ "RLIMIT_RTTIME", 15 },
	{ "RLIMIT_SIGPENDING", 11 },	{ "RLIMIT_STACK", RLIMIT_STACK },
};

static const struct name signal_names[] = {
	{ "HUP", SIGHUP },	{ "INT", SIGINT },	{ "QUIT", SIGQUIT },
	{ "ILL", SIGILL },	{ "TRAP", SIGTRAP },	{ "ABRT", SIGABRT },
	{ "IOT", SIGABRT },	{ "BUS", SIGBUS },	{ "FPE", SIGFPE },
	{ "KILL", SIGKILL },	{ "USR1", SIGUSR1 },	{ "SEGV", SIGSEGV },
	{ "USR2", SIGUSR2 },	{ "PIPE", SIGPIPE },	{ "ALRM", SIGALRM },
	{ "TERM", SIGTERM },	{ "CHLD", SIGCHLD },	{ "CONT", SIGCONT },
	{ "STOP", SIGSTOP },	{ "TSTP", SIGTSTP },	{ "TTIN", SIGTTIN },
	{ "TTOU", SIGTTOU },	{ "URG", SIGURG },	{ "XCPU", SIGXCPU },
	{ "XFSZ", SIGXFSZ },	{ "VTALRM", SIGVTALRM },
	{ "PROF", SIGPROF },	{ "WINCH", SIGWINCH },	{ "IO", SIGIO },
	{ "POLL", SIGIO },	{ "PWR", SIGPWR },	{ "SYS", SIGSYS },
	{ "CLD", SIGCHLD },
#ifdef SIGSTKFLT
	{ "STKFLT", SIGSTKFLT },
#endif
};

/* In the order in which J joins them; values are clone flags. */
static const struct name ns_names[] = {
	{ "ipc", CLONE_NEWIPC },	{ "uts", CLONE_NEWUTS },
	{ "network", CLONE_NEWNET },	{ "pid", CLONE_NEWPID },
	{ "cgroup", K_NEWCGROUP },	{ "time", K_NEWTIME },
	{ "mount", CLONE_NEWNS },	{ "user", CLONE_NEWUSER },
};
enum { NS_COUNT = 8 };

static const struct name sched_names[] = {
	{ "SCHED_OTHER", 0 },	{ "SCHED_FIFO", 1 },	{ "SCHED_RR", 2 },
	{ "SCHED_BATCH", 3 },	{ "SCHED_ISO", 4 },	{ "SCHED_IDLE", 5 },
	{ "SCHED_DEADLINE", 6 },
};

static const struct name sched_flag_names[] = {
	{ "SCHED_FLAG_RESET_ON_FORK", 1 },	{ "SCHED_FLAG_RECLAIM", 2 },
	{ "SCHED_FLAG_DL_OVERRUN", 4 },		{ "SCHED_FLAG_KEEP_POLICY", 8 },
	{ "SCHED_FLAG_KEEP_PARAMS", 16 },
	{ "SCHED_FLAG_UTIL_CLAMP_MIN", 32 },
	{ "SCHED_FLAG_UTIL_CLAMP_MAX", 64 },
};

static const struct name ioprio_names[] = {
	{ "IOPRIO_CLASS_RT", 1 },	{ "IOPRIO_CLASS_BE", 2 },
	{ "IOPRIO_CLASS_IDLE", 3 },
};

static const struct name persona_names[] = {
	{ "LINUX", 0 },			{ "LINUX32", 8 },
};

/* mount(2)'s propagation flags, with MS_REC for the recursive words. */
static const struct name propagation_names[] = {
	{ "shared", MS_SHARED },	{ "rshared", MS_SHARED | MS_REC },
	{ "slave", MS_SLAVE },		{ "rslave", MS_SLAVE | MS_REC },
	{ "private", MS_PRIVATE },	{ "rprivate", MS_PRIVATE | MS_REC },
	{ "unbindable", MS_UNBINDABLE },
	{ "runbindable", MS_UNBINDABLE | MS_REC },
};

static const struct name device_names[] = {
	{ "c", S_IFCHR }, { "u", S_IFCHR }, { "b", S_IFBLK }, { "p", S_IFIFO },
	{ "a", 0 },
};

enum net_kind { NET_VETH, NET_LOOPBACK, NET_MACVLAN, NET_IPVLAN, NET_PHYS };

static const struct name net_kinds[] = {
	{ "veth", NET_VETH },		{ "loopback", NET_LOOPBACK },
	{ "macvlan", NET_MACVLAN },	{ "ipvlan", NET_IPVLAN },
	{ "phys", NET_PHYS },
};

static const struct name macvlan_modes[] = {
	{ "private", 1 },	{ "vepa", 2 },
	{ "bridge", K_MACVLAN_BRIDGE },	{ "passthru", 8 },
};

static const struct name ipvlan_modes[] = {
	{ "l2", 0 },	{ "l3", 1 },	{ "l3s", 2 },
};

/* ELF machines, for the message about a program for another machine. */
static const struct name machine_names[] = {
	{ "SPARC", 2 },		{ "x86 (i386)", 3 },	{ "m68k", 4 },
	{ "MIPS", 8 },		{ "PA-RISC", 15 },	{ "PowerPC", 20 },
	{ "PowerPC64", 21 },	{ "S390", 22 },		{ "ARM", 40 },
	{ "SuperH", 42 },	{ "SPARC64", 43 },	{ "x86_64", 62 },
	{ "Xtensa", 94 },	{ "AArch64", 183 },	{ "RISC-V", 243 },
	{ "LoongArch", 258 },
};

/* ===== SPEC ==============================================================
 *
 * config.json (config.md, config-linux.md of the OCI runtime specification) as
 * structs. One table for each object says which member goes to which field; one
 * walker does the rest and names the path of a member that it refuses. An
 * unknown property is ignored, as the specification wants; but in nsrun's own
 * objects (networks, routes, dns) it is an error, because there it can only be
 * a typing mistake. A known property with a bad value is an error. A known
 * property that nsrun does not apply (T_LATER) is refused by name if it asks
 * for anything. Rules between two members, which a table cannot express, are in
 * spec_check().
 */

/* ----- SPEC: structs ----------------------------------------------------- */

struct opt {			/* an integer that may be absent */
	long long	v;
	bool		set;
};

struct strs {			/* v[n] is NULL, one more slot is free */
	char		**v;
	size_t		n;
};

#define LIST_OF(type) struct { type *v; size_t n; }

struct spec_user {
	struct opt	uid, gid, umask;
	LIST_OF(struct opt) groups;
};

enum cap_set { CAP_BOUNDING, CAP_EFFECTIVE, CAP_PERMITTED, CAP_INHERITABLE,
	       CAP_AMBIENT, CAP_SETS };

struct spec_caps {
	uint64_t	set[CAP_SETS];
};

struct spec_rlimit {
	struct opt	type;
	unsigned long long soft, hard;
};

struct spec_scheduler {
	struct opt	policy, nice, priority, runtime, deadline, period;
	uint64_t	flags;
};

struct spec_ioprio {
	struct opt	class, priority;
};

struct spec_size {
	struct opt	height, width;
};

struct spec_affinity {
	const char	*initial, *final;
};

struct spec_process {
	bool		terminal, no_new_privs;
	struct spec_size *size;
	struct spec_user user;
	struct strs	args, env;
	const char	*cwd, *apparmor, *selinux;
	struct spec_caps *caps;
	LIST_OF(struct spec_rlimit) rlimits;
	struct opt	oom_score_adj;
	struct spec_scheduler *scheduler;
	struct spec_ioprio *ioprio;
	struct spec_affinity *affinity;
};

struct spec_root {
	const char	*path;
	bool		readonly;
};

struct spec_map {
	struct opt	inside, outside, size;
};

typedef LIST_OF(struct spec_map) spec_maps;

struct spec_mount {
	const char	*destination, *source, *type;
	struct strs	options;
	spec_maps	uids, gids;
};

struct spec_ns {
	struct opt	type;
	const char	*path;
};

struct spec_device {
	const char	*path;
	struct opt	type, major, minor, mode, uid, gid;
};

struct spec_device_rule {
	bool		allow;
	struct opt	type, major, minor;
	const char	*access;
};

struct spec_offset {
	struct opt	secs, nanosecs;
};

struct spec_memory {
	struct opt	limit, swap, reservation, swappiness, kernel,
			kernel_tcp;
	bool		no_oom_killer, use_hierarchy, check_update;
	bool		oom_killer;	/* an update turns it on again */
};

struct spec_cpu {
	struct opt	shares, quota, period, burst, idle, rt_runtime,
			rt_period;
	const char	*cpus, *mems;
};

struct spec_blkio_device {	/* in weightDevice or a throttle list */
	struct opt	major, minor, weight, leaf_weight;
	unsigned long long rate;	/* bytes or operations a second */
};

typedef LIST_OF(struct spec_blkio_device) spec_blkio_devices;

struct spec_blkio {
	struct opt	weight, leaf_weight;
	spec_blkio_devices weights, read_bps, write_bps, read_iops, write_iops;
};

struct spec_hugepage {
	const char	*size;
	unsigned long long limit;
};

struct spec_priority {
	const char	*name;
	struct opt	priority;
};

struct spec_network {
	struct opt	class_id;
	LIST_OF(struct spec_priority) priorities;
};

struct spec_rdma {
	const char	*device;
	struct opt	handles, objects;
};

struct spec_resources {
	LIST_OF(struct spec_device_rule) devices;
	struct spec_memory memory;
	struct spec_cpu	cpu;
	struct opt	pids;
	struct spec_blkio blkio;
	LIST_OF(struct spec_hugepage) hugepages;
	struct spec_network network;
	LIST_OF(struct spec_rdma) rdma;
	LIST_OF(struct nsrun_pair) unified;
};

struct spec_rdt {
	const char	*clos, *l3, *mb;
	struct strs	schemata;
	bool		monitoring;
};

struct spec_personality {
	struct opt	domain;
	struct strs	flags;
};

struct spec_linux {
	LIST_OF(struct spec_ns) namespaces;
	spec_maps	uids, gids;
	struct spec_offset monotonic, boottime;
	LIST_OF(struct spec_device) devices;
	const char	*cgroups_path, *mount_label;
	struct spec_resources resources;
	LIST_OF(struct nsrun_pair) sysctl;
	struct opt	propagation;
	struct strs	masked, readonly;
	struct spec_personality *personality;
	struct spec_rdt	*rdt;
};

struct spec_network_if {
	struct opt	type, mtu, txqlen, metric, vlan;
	const char	*name, *bridge, *mac, *host_name, *mode;
	const char	*address[2], *gateway[2], *host_address[2],
			*bridge_address[2];	/* IPv4, IPv6 */
	bool		hairpin, masquerade, publish_over;
	struct strs	publish;
};

struct spec_route {
	const char	*destination, *source, *gateway, *dev;
	struct opt	metric;
};

struct spec_dns {
	struct strs	servers, search, options;
};

struct spec_hook {
	const char	*path;
	struct strs	args, env;	/* env.v NULL: the runtime's */
	struct opt	timeout;	/* seconds */
};

typedef LIST_OF(struct spec_hook) spec_hooks;

enum hook { HOOK_PRESTART, HOOK_CREATE_RUNTIME, HOOK_CREATE_CONTAINER,
	    HOOK_START_CONTAINER, HOOK_POSTSTART, HOOK_POSTSTOP, HOOK_COUNT };

struct spec {
	const char	*version, *hostname, *domainname;
	struct spec_process *process;
	struct spec_root *root;
	LIST_OF(struct spec_mount) mounts;
	struct spec_linux linux;
	LIST_OF(struct nsrun_pair) annotations;
	spec_hooks	hooks[HOOK_COUNT];
	LIST_OF(struct spec_network_if) networks;
	LIST_OF(struct spec_route) routes;
	struct spec_dns	*dns;
};

/* ----- SPEC: tables ------------------------------------------------------ */

enum field_kind {
	T_BOOL,		/* bool */
	T_STR,		/* const char * */
	T_INT,		/* struct opt, from min to max */
	T_U64,		/* unsigned long long */
	T_NAME,		/* struct opt: the number of a name */
	T_BITS,		/* uint64_t: the names' numbers, or'ed */
	T_CAPS,		/* uint64_t: a bit for each; unknown: a warning */
	T_STRS,		/* struct strs */
	T_INTS,		/* a LIST_OF struct opt, from min to max */
	T_MAP,		/* a LIST_OF struct nsrun_pair */
	T_DICT,		/* a LIST_OF a struct that begins with its key */
	T_OBJ,		/* the struct itself */
	T_PTR,		/* a pointer to it, NULL when absent */
	T_LIST,		/* a LIST_OF it */
	T_LATER,	/* not applied: refused if it asks for anything */
};

/* The ranges of integers, as numbers for the tables. Up to R_LAST_NONE, 0 in an
 * update means "no change". */
enum range { R_ANY, R_POSITIVE, R_BYTES, R_RUNTIME, R_WEIGHT, R_LAST_NONE =
	     R_WEIGHT, R_ID, R_BURST, R_UMASK, R_NICE, R_PRIORITY, R_IOPRIO,
	     R_SIZE16, R_COUNT, R_U32, R_MAJOR, R_MINOR, R_MAJOR_ANY,
	     R_MINOR_ANY, R_MODE, R_NANOSECS, R_PERCENT, R_SWITCH, R_OOM,
	     R_PATH, R_PID, R_TASKS, R_VLAN };

static const struct {
	long long min, max;
} ranges[] = {
	[R_ANY]		= { LLONG_MIN, LLONG_MAX },
	[R_POSITIVE]	= { 0, LLONG_MAX },
	[R_BYTES]	= { -1, LLONG_MAX }, /* `update` also takes 64m */
	[R_RUNTIME]	= { -1, LLONG_MAX },
	[R_WEIGHT]	= { 0, 1000 },
	[R_ID]		= { 0, 4294967294LL },
	[R_BURST]	= { 0, LLONG_MAX },
	[R_UMASK]	= { 0, 0777 },
	[R_NICE]	= { -20, 19 },
	[R_PRIORITY]	= { 0, 99 },
	[R_IOPRIO]	= { 0, 7 },
	[R_SIZE16]	= { 0, 65535 },
	[R_COUNT]	= { 1, 4294967295LL },
	[R_U32]		= { 0, 4294967295LL },
	[R_MAJOR]	= { 0, 4095 },
	[R_MINOR]	= { 0, 1048575 },
	[R_MAJOR_ANY]	= { -1, 4095 },
	[R_MINOR_ANY]	= { -1, 1048575 },
	[R_MODE]	= { 0, 0177777 },
	[R_NANOSECS]	= { 0, 999999999 },
	[R_PERCENT]	= { 0, 100 },
	[R_SWITCH]	= { 0, 1 },
	[R_OOM]		= { -1000, 1000 },
	[R_PATH]	= { 0, PATH_MAX },
	[R_PID]		= { 0, INT_MAX },
	[R_TASKS]	= { LLONG_MIN, LLONG_MAX },
	[R_VLAN]	= { 1, 4094 },
};

struct field {
	const char	*name;
	const void	*arg;		/* struct field or struct name table */
	unsigned short	off;
	unsigned short	size;		/* of the struct; or number of names */
	unsigned char	kind, range;
	bool		due;		/* required; F_END_OWN: no other keys */
};

#define OFF(T, m)		(unsigned short)offsetof(struct T, m)
#define F(T, k, n, m)		{ n, NULL, OFF(T, m), 0, k, 0, false }
#define F_DUE(T, k, n, m)	{ n, NULL, OFF(T, m), 0, k, 0, true }
#define F_INT(T, n, m, r)	{ n, NULL, OFF(T, m), 0, T_INT, r, false }
#define F_INT_DUE(T, n, m, r)	{ n, NULL, OFF(T, m), 0, T_INT, r, true }
#define F_NAME(T, k, n, m, due, t) \
				{ n, t, OFF(T, m), COUNT(t), k, 0, due }
#define F_SUB(T, k, n, m, S, t)	{ n, t, OFF(T, m), sizeof(struct S), k, 0, \
				  false }
#define F_PART(n, T, t)		{ n, t, 0, sizeof(struct T), T_OBJ, 0, false }
#define F_LATER(n)		{ n, NULL, 0, 0, T_LATER, 0, false }
#define F_END			{ NULL, NULL, 0, 0, 0, 0, false }
#define F_END_OWN		{ NULL, NULL, 0, 0, 0, 0, true } /* no others */

static const struct field user_fields[] = {
	F_INT(spec_user, "uid", uid, R_ID),
	F_INT(spec_user, "gid", gid, R_ID),
	F_INT(spec_user, "umask", umask, R_UMASK),
	{ "additionalGids", NULL, OFF(spec_user, groups), 0, T_INTS, R_ID,
	  false },
	F_END
};

/* In the order of enum cap_set, which is the index of this table. */
static const struct field cap_fields[] = {
	F(spec_caps, T_CAPS, "bounding", set[CAP_BOUNDING]),
	F(spec_caps, T_CAPS, "effective", set[CAP_EFFECTIVE]),
	F(spec_caps, T_CAPS, "permitted", set[CAP_PERMITTED]),
	F(spec_caps, T_CAPS, "inheritable", set[CAP_INHERITABLE]),
	F(spec_caps, T_CAPS, "ambient", set[CAP_AMBIENT]),
	F_END
};

static const struct field rlimit_fields[] = {
	F_NAME(spec_rlimit, T_NAME, "type", type, true, rlimit_names),
	F_DUE(spec_rlimit, T_U64, "soft", soft),
	F_DUE(spec_rlimit, T_U64, "hard", hard),
	F_END
};

static const struct field scheduler_fields[] = {
	F_NAME(spec_scheduler, T_NAME, "policy", policy, true, sched_names),
	F_INT(spec_scheduler, "nice", nice, R_NICE),
	F_INT(spec_scheduler, "priority", priority, R_PRIORITY),
	F_NAME(spec_scheduler, T_BITS, "flags", flags, false,
	       sched_flag_names),
	F_INT(spec_scheduler, "runtime", runtime, R_POSITIVE),
	F_INT(spec_scheduler, "deadline", deadline, R_POSITIVE),
	F_INT(spec_scheduler, "period", period, R_POSITIVE),
	F_END
};

static const struct field ioprio_fields[] = {
	F_NAME(spec_ioprio, T_NAME, "class", class, true, ioprio_names),
	F_INT(spec_ioprio, "priority", priority, R_IOPRIO),
	F_END
};

static const struct field size_fields[] = {
	F_INT_DUE(spec_size, "height", height, R_SIZE16),
	F_INT_DUE(spec_size, "width", width, R_SIZE16),
	F_END
};

/* For `exec`. */
static const struct field affinity_fields[] = {
	F(spec_affinity, T_STR, "initial", initial),
	F(spec_affinity, T_STR, "final", final),
	F_END
};

static const struct field process_fields[] = {
	F(spec_process, T_BOOL, "terminal", terminal),
	F_SUB(spec_process, T_PTR, "consoleSize", size, spec_size, size_fields),
	F_SUB(spec_process, T_OBJ, "user", user, spec_user, user_fields),
	F(spec_process, T_STRS, "args", args),
	F(spec_process, T_STRS, "env", env),
	F_DUE(spec_process, T_STR, "cwd", cwd),
	F_SUB(spec_process, T_PTR, "capabilities", caps, spec_caps, cap_fields),
	F_SUB(spec_process, T_LIST, "rlimits", rlimits, spec_rlimit,
	      rlimit_fields),
	F(spec_process, T_BOOL, "noNewPrivileges", no_new_privs),
	F(spec_process, T_STR, "apparmorProfile", apparmor),
	F(spec_process, T_STR, "selinuxLabel", selinux),
	F_INT(spec_process, "oomScoreAdj", oom_score_adj, R_OOM),
	F_SUB(spec_process, T_PTR, "scheduler", scheduler, spec_scheduler,
	      scheduler_fields),
	F_SUB(spec_process, T_PTR, "ioPriority", ioprio, spec_ioprio,
	      ioprio_fields),
	F_SUB(spec_process, T_PTR, "execCPUAffinity", affinity, spec_affinity,
	      affinity_fields),
	F_END
};

static const struct field root_fields[] = {
	F_DUE(spec_root, T_STR, "path", path),
	F(spec_root, T_BOOL, "readonly", readonly),
	F_END
};

static const struct field map_fields[] = {
	F_INT_DUE(spec_map, "containerID", inside, R_ID),
	F_INT_DUE(spec_map, "hostID", outside, R_ID),
	F_INT_DUE(spec_map, "size", size, R_COUNT),
	F_END
};

static const struct field mount_fields[] = {
	F_DUE(spec_mount, T_STR, "destination", destination),
	F(spec_mount, T_STR, "source", source),
	F(spec_mount, T_STR, "type", type),
	F(spec_mount, T_STRS, "options", options),
	F_SUB(spec_mount, T_LIST, "uidMappings", uids, spec_map, map_fields),
	F_SUB(spec_mount, T_LIST, "gidMappings", gids, spec_map, map_fields),
	F_END
};

static const struct field ns_fields[] = {
	F_NAME(spec_ns, T_NAME, "type", type, true, ns_names),
	F(spec_ns, T_STR, "path", path),
	F_END
};

static const struct field device_fields[] = {
	F_NAME(spec_device, T_NAME, "type", type, true, device_names),
	F_DUE(spec_device, T_STR, "path", path),
	F_INT(spec_device, "major", major, R_MAJOR),
	F_INT(spec_device, "minor", minor, R_MINOR),
	F_INT(spec_device, "fileMode", mode, R_MODE),
	F_INT(spec_device, "uid", uid, R_ID),
	F_INT(spec_device, "gid", gid, R_ID),
	F_END
};

static const struct field device_rule_fields[] = {
	F_DUE(spec_device_rule, T_BOOL, "allow", allow),
	F_NAME(spec_device_rule, T_NAME, "type", type, false, device_names),
	F_INT(spec_device_rule, "major", major, R_MAJOR_ANY),
	F_INT(spec_device_rule, "minor", minor, R_MINOR_ANY),
	F(spec_device_rule, T_STR, "access", access),
	F_END
};

static const struct field offset_fields[] = {
	F_INT(spec_offset, "secs", secs, R_ANY),
	F_INT(spec_offset, "nanosecs", nanosecs, R_NANOSECS),
	F_END
};

static const struct field offsets_fields[] = {
	F_SUB(spec_linux, T_OBJ, "monotonic", monotonic, spec_offset,
	      offset_fields),
	F_SUB(spec_linux, T_OBJ, "boottime", boottime, spec_offset,
	      offset_fields),
	F_END
};

static const struct field memory_fields[] = {
	F_INT(spec_memory, "limit", limit, R_BYTES),
	F_INT(spec_memory, "swap", swap, R_BYTES),
	F_INT(spec_memory, "reservation", reservation, R_BYTES),
	F_INT(spec_memory, "kernel", kernel, R_BYTES),
	F_INT(spec_memory, "kernelTCP", kernel_tcp, R_BYTES),
	F_INT(spec_memory, "swappiness", swappiness, R_PERCENT),
	F(spec_memory, T_BOOL, "disableOOMKiller", no_oom_killer),
	F(spec_memory, T_BOOL, "useHierarchy", use_hierarchy),
	F(spec_memory, T_BOOL, "checkBeforeUpdate", check_update),
	F_END
};

static const struct field cpu_fields[] = {
	F_INT(spec_cpu, "shares", shares, R_POSITIVE),
	F_INT(spec_cpu, "quota", quota, R_ANY),
	F_INT(spec_cpu, "period", period, R_POSITIVE),
	F(spec_cpu, T_STR, "cpus", cpus),
	F(spec_cpu, T_STR, "mems", mems),
	F_INT(spec_cpu, "burst", burst, R_BURST),
	F_INT(spec_cpu, "realtimeRuntime", rt_runtime, R_RUNTIME),
	F_INT(spec_cpu, "realtimePeriod", rt_period, R_POSITIVE),
	F_INT(spec_cpu, "idle", idle, R_SWITCH),
	F_END
};

static const struct field pids_fields[] = {
	F_INT(spec_resources, "limit", pids, R_TASKS),
	F_END
};

static const struct field blkio_weight_fields[] = {
	F_INT_DUE(spec_blkio_device, "major", major, R_MAJOR),
	F_INT_DUE(spec_blkio_device, "minor", minor, R_MINOR),
	F_INT(spec_blkio_device, "weight", weight, R_WEIGHT),
	F_INT(spec_blkio_device, "leafWeight", leaf_weight, R_WEIGHT),
	F_END
};

static const struct field blkio_rate_fields[] = {
	F_INT_DUE(spec_blkio_device, "major", major, R_MAJOR),
	F_INT_DUE(spec_blkio_device, "minor", minor, R_MINOR),
	F_DUE(spec_blkio_device, T_U64, "rate", rate),
	F_END
};

static const struct field blkio_fields[] = {
	F_INT(spec_blkio, "weight", weight, R_WEIGHT),
	F_INT(spec_blkio, "leafWeight", leaf_weight, R_WEIGHT),
	F_SUB(spec_blkio, T_LIST, "weightDevice", weights, spec_blkio_device,
	      blkio_weight_fields),
#define RATES(n, m) F_SUB(spec_blkio, T_LIST, n, m, spec_blkio_device, \
			  blkio_rate_fields)
	RATES("throttleReadBpsDevice", read_bps),
	RATES("throttleWriteBpsDevice", write_bps),
	RATES("throttleReadIOPSDevice", read_iops),
	RATES("throttleWriteIOPSDevice", write_iops),
#undef RATES
	F_END
};

static const struct field hugepage_fields[] = {
	F_DUE(spec_hugepage, T_STR, "pageSize", size),
	F_DUE(spec_hugepage, T_U64, "limit", limit),
	F_END
};

static const struct field priority_fields[] = {
	F_DUE(spec_priority, T_STR, "name", name),
	F_INT_DUE(spec_priority, "priority", priority, R_U32),
	F_END
};

static const struct field network_fields[] = {
	F_INT(spec_network, "classID", class_id, R_U32),
	F_SUB(spec_network, T_LIST, "priorities", priorities, spec_priority,
	      priority_fields),
	F_END
};

static const struct field rdma_fields[] = {
	F_INT(spec_rdma, "hcaHandles", handles, R_U32),
	F_INT(spec_rdma, "hcaObjects", objects, R_U32),
	F_END
};

static const struct field resources_fields[] = {
	F_SUB(spec_resources, T_LIST, "devices", devices, spec_device_rule,
	      device_rule_fields),
	F_SUB(spec_resources, T_OBJ, "memory", memory, spec_memory,
	      memory_fields),
	F_SUB(spec_resources, T_OBJ, "cpu", cpu, spec_cpu, cpu_fields),
	F_PART("pids", spec_resources, pids_fields),
	F_SUB(spec_resources, T_OBJ, "blockIO", blkio, spec_blkio,
	      blkio_fields),
	F_SUB(spec_resources, T_LIST, "hugepageLimits", hugepages,
	      spec_hugepage, hugepage_fields),
	F_SUB(spec_resources, T_OBJ, "network", network, spec_network,
	      network_fields),
	F_SUB(spec_resources, T_DICT, "rdma", rdma, spec_rdma, rdma_fields),
	F(spec_resources, T_MAP, "unified", unified),
	F_END
};

static const struct field rdt_fields[] = {
	F(spec_rdt, T_STR, "closID", clos),
	F(spec_rdt, T_STR, "l3CacheSchema", l3),
	F(spec_rdt, T_STR, "memBwSchema", mb),
	F(spec_rdt, T_STRS, "schemata", schemata),
	F(spec_rdt, T_BOOL, "enableMonitoring", monitoring),
	F_END
};

static const struct field personality_fields[] = {
	F_NAME(spec_personality, T_NAME, "domain", domain, true,
	       persona_names),
	F(spec_personality, T_STRS, "flags", flags),
	F_END
};

static const struct field linux_fields[] = {
	F_SUB(spec_linux, T_LIST, "namespaces", namespaces, spec_ns, ns_fields),
	F_SUB(spec_linux, T_LIST, "uidMappings", uids, spec_map, map_fields),
	F_SUB(spec_linux, T_LIST, "gidMappings", gids, spec_map, map_fields),
	F_PART("timeOffsets", spec_linux, offsets_fields),
	F_SUB(spec_linux, T_LIST, "devices", devices, spec_device,
	      device_fields),
	F(spec_linux, T_STR, "cgroupsPath", cgroups_path),
	F_SUB(spec_linux, T_OBJ, "resources", resources, spec_resources,
	      resources_fields),
	F(spec_linux, T_MAP, "sysctl", sysctl),
	F_NAME(spec_linux, T_NAME, "rootfsPropagation", propagation, false,
	       propagation_names),
	F(spec_linux, T_STRS, "maskedPaths", masked),
	F(spec_linux, T_STRS, "readonlyPaths", readonly),
	F(spec_linux, T_STR, "mountLabel", mount_label),
	F_SUB(spec_linux, T_PTR, "personality", personality, spec_personality,
	      personality_fields),
	F_SUB(spec_linux, T_PTR, "intelRdt", rdt, spec_rdt, rdt_fields),
	F_LATER("seccomp"),
	F_LATER("memoryPolicy"),
	F_LATER("netDevices"),
	F_END
};

static const struct field hook_fields[] = {
	F_DUE(spec_hook, T_STR, "path", path),
	F(spec_hook, T_STRS, "args", args),
	F(spec_hook, T_STRS, "env", env),
	F_INT(spec_hook, "timeout", timeout, R_COUNT),
	F_END
};

/* In the order of enum hook, which is the index of this table. */
static const struct field hooks_fields[] = {
#define HOOK(n, kind) F_SUB(spec, T_LIST, n, hooks[kind], spec_hook, \
			    hook_fields)
	HOOK("prestart", HOOK_PRESTART),
	HOOK("createRuntime", HOOK_CREATE_RUNTIME),
	HOOK("createContainer", HOOK_CREATE_CONTAINER),
	HOOK("startContainer", HOOK_START_CONTAINER),
	HOOK("poststart", HOOK_POSTSTART),
	HOOK("poststop", HOOK_POSTSTOP),
#undef HOOK
	F_END
};

/* networks, routes and dns: see NET. The names are those of libcontainer, for
 * the properties that it had. */
static const struct field network_if_fields[] = {
	F_NAME(spec_network_if, T_NAME, "type", type, true, net_kinds),
	F(spec_network_if, T_STR, "name", name),
	F(spec_network_if, T_STR, "bridge", bridge),
	F(spec_network_if, T_STR, "mac_address", mac),
	F(spec_network_if, T_STR, "address", address[0]),
	F(spec_network_if, T_STR, "ipv6_address", address[1]),
	F(spec_network_if, T_STR, "gateway", gateway[0]),
	F(spec_network_if, T_STR, "ipv6_gateway", gateway[1]),
	F(spec_network_if, T_STR, "host_address", host_address[0]),
	F(spec_network_if, T_STR, "host_ipv6_address", host_address[1]),
	F(spec_network_if, T_STR, "bridge_address", bridge_address[0]),
	F(spec_network_if, T_STR, "bridge_ipv6_address", bridge_address[1]),
	F_INT(spec_network_if, "mtu", mtu, R_SIZE16),
	F_INT(spec_network_if, "txqueuelen", txqlen, R_U32),
	F_INT(spec_network_if, "metric", metric, R_U32),
	F_INT(spec_network_if, "vlan", vlan, R_VLAN),
	F(spec_network_if, T_STR, "host_interface_name", host_name),
	F(spec_network_if, T_STR, "mode", mode),
	F(spec_network_if, T_BOOL, "hairpin_mode", hairpin),
	F(spec_network_if, T_BOOL, "masquerade", masquerade),
	F(spec_network_if, T_STRS, "publish", publish),
	F(spec_network_if, T_BOOL, "publish_over", publish_over),
	F_END_OWN
};

static const struct field route_fields[] = {
	F(spec_route, T_STR, "destination", destination),
	F(spec_route, T_STR, "source", source),
	F(spec_route, T_STR, "gateway", gateway),
	F(spec_route, T_STR, "interface_name", dev),
	F_INT(spec_route, "metric", metric, R_U32),
	F_END_OWN
};

static const struct field dns_fields[] = {
	F(spec_dns, T_STRS, "nameservers", servers),
	F(spec_dns, T_STRS, "search", search),
	F(spec_dns, T_STRS, "options", options),
	F_END_OWN
};

static const struct field spec_fields[] = {
	F(spec, T_STR, "ociVersion", version),
	F(spec, T_STR, "hostname", hostname),
	F(spec, T_STR, "domainname", domainname),
	F_SUB(spec, T_PTR, "process", process, spec_process, process_fields),
	F_SUB(spec, T_PTR, "root", root, spec_root, root_fields),
	F_SUB(spec, T_LIST, "mounts", mounts, spec_mount, mount_fields),
	F_SUB(spec, T_OBJ, "linux", linux, spec_linux, linux_fields),
	F(spec, T_MAP, "annotations", annotations),
	F_PART("hooks", spec, hooks_fields),
	F_SUB(spec, T_LIST, "networks", networks, spec_network_if,
	      network_if_fields),
	F_SUB(spec, T_LIST, "routes", routes, spec_route, route_fields),
	F_SUB(spec, T_PTR, "dns", dns, spec_dns, dns_fields),
	F_END
};

/* ----- SPEC: walker ------------------------------------------------------ */

/* Where the walker is, for its messages. */
struct where {
	const struct where *up;
	const char	*key;
	size_t		index;
};

struct walker {
	struct arena	*mem;
	const struct nsrun_options *o;
	struct err	*e;
	bool		update;	/* 0 and "" mean "no change" */
};

static void where_add(struct text *t, const struct where *w)
{
	if (w->up)
		where_add(t, w->up);
	if (w->key)
		text_add(t, "%s%s", w->up && w->up->up ? "." : "", w->key);
	else if (w->up)
		text_add(t, "[%u]", (unsigned)w->index);
}

__attribute__((format(printf, 3, 4)))
static bool spec_fail(struct walker *k, const struct where *w,
		      const char *f, ...)
{
	struct text t = TEXT(k->e->text);
	va_list ap;

	k->e->num = 0;
	where_add(&t, w);
	text_put(&t, ": ", t.len ? 2 : 0);
	va_start(ap, f);
	text_vadd(&t, f, ap);
	va_end(ap);
	return false;
}

static bool spec_due(struct walker *k, const struct where *w,
		     const struct json *j, enum json_type type)
{
	if (j->type == type)
		return true;
	return spec_fail(k, w, "expected %s, found %s", json_names[type],
			 json_names[j->type]);
}

static bool spec_str(struct walker *k, const struct where *w,
		     const struct json *j, const char **out)
{
	if (!spec_due(k, w, j, JSON_STR))
		return false;
	if (j->nul)
		return spec_fail(k, w, "holds a NUL character");
	*out = j->str;
	return true;
}

static bool spec_int(struct walker *k, const struct where *w,
		     const struct json *j, const struct field *f,
		     struct opt *out)
{
	if (!spec_due(k, w, j, JSON_NUM))
		return false;
	if (k->update && f->range <= R_LAST_NONE && j->len == 1 &&
	    *j->str == '0')
		return true;
	if (memchr(j->str, '.', j->len) || memchr(j->str, 'e', j->len) ||
	    memchr(j->str, 'E', j->len))
		return spec_fail(k, w, "%.*s is no whole number", (int)j->len,
				 j->str);
	if (!num_signed(j->str, j->len, &out->v) ||
	    out->v < ranges[f->range].min || out->v > ranges[f->range].max)
		return spec_fail(k, w, "%.*s is out of range", (int)j->len,
				 j->str);
	out->set = true;
	return true;
}

static bool spec_name(struct walker *k, const struct where *w,
		      const struct json *j, const struct field *f, int *out)
{
	const struct name *n;
	const char *s;

	if (!spec_str(k, w, j, &s))
		return false;
	n = name_find(f->arg, f->size, s);
	if (!n)
		return spec_fail(k, w, "unknown value \"%s\"", s);
	*out = n->value;
	return true;
}

static size_t json_count(const struct json *j)
{
	size_t n = 0;

	for (j = j->kids; j; j = j->next)
		n++;
	return n;
}

static bool spec_cap(struct walker *k, const struct where *w,
		     const struct json *j, uint64_t *set)
{
	const char *s;
	int n;

	if (!spec_str(k, w, j, &s))
		return false;
	n = cap_find(s);
	if (n >= 0)
		*set |= 1ULL << n;
	else
		log_note(k->o, NSRUN_WARNING, "unknown capability %s is "
			 "ignored", s);
	return true;
}

/* The one forward declaration: objects hold lists, lists hold objects. The
 * tables bound the depth of the recursion. */
static bool spec_object(struct walker *k, const struct where *w,
			const struct json *j, const struct field *fields,
			void *base);

static bool spec_element(struct walker *k, const struct where *w,
			 const struct json *j, const struct field *f, void *p)
{
	int value;

	switch (f->kind) {
	case T_STRS:
		return spec_str(k, w, j, p);
	case T_INTS:
		return spec_int(k, w, j, f, p);
	case T_MAP:
		((struct nsrun_pair *)p)->key = j->key;
		return spec_str(k, w, j, &((struct nsrun_pair *)p)->value);
	case T_CAPS:
		return spec_cap(k, w, j, p);
	case T_BITS:
		if (!spec_name(k, w, j, f, &value))
			return false;
		*(uint64_t *)p |= (unsigned)value;
		return true;
	case T_DICT:
		*(const char **)p = j->key;
		/* fall through */
	default:
		return spec_due(k, w, j, JSON_OBJ) &&
		       spec_object(k, w, j, f->arg, p);
	}
}

/* Reads a list or a map into p: a LIST_OF, or, for T_CAPS and T_BITS, a
 * uint64_t. */
static bool spec_list(struct walker *k, const struct where *w,
		      const struct json *j, const struct field *f, void *p)
{
	bool map = f->kind == T_MAP || f->kind == T_DICT;
	bool bits = f->kind == T_CAPS || f->kind == T_BITS;
	size_t size = f->kind == T_STRS ? sizeof(char *) :
		      f->kind == T_INTS ? sizeof(struct opt) :
		      f->kind == T_MAP ? sizeof(struct nsrun_pair) : f->size;
	struct { char *v; size_t n; } *list = p;
	struct where at = { w, NULL, 0 };
	char *v;

	if (!spec_due(k, w, j, map ? JSON_OBJ : JSON_LIST))
		return false;
	if (bits)
		*(uint64_t *)p = 0;
	/* two more: the NULL at the end, and the free slot of struct strs */
	v = bits ? p : mem_new(k->mem, (json_count(j) + 2) * size);
	if (!v)
		return no_memory(k->e);
	if (!bits) {
		list->v = v;
		list->n = json_count(j);
	}
	for (j = j->kids; j; j = j->next, at.index++) {
		at.key = map ? j->key : NULL;
		if (map && j->key_nul)
			return spec_fail(k, &at, "holds a NUL character");
		if (!spec_element(k, &at, j, f, v))
			return false;
		if (!bits)
			v += size;
	}
	return true;
}

static bool spec_field(struct walker *k, const struct where *w,
		       const struct json *j, const struct field *f, void *base)
{
	void *p = (char *)base + f->off;
	int value;

	switch (f->kind) {
	case T_BOOL:
		if (j->type != JSON_FALSE && !spec_due(k, w, j, JSON_TRUE))
			return false;
		*(bool *)p = j->type == JSON_TRUE;
		return true;
	case T_STR:
		return (k->update && j->type == JSON_STR && !j->len) ||
		       spec_str(k, w, j, p);
	case T_INT:
		return spec_int(k, w, j, f, p);
	case T_U64:
		if (!spec_due(k, w, j, JSON_NUM))
			return false;
		return num_unsigned(j->str, j->len, p) ||
		       spec_fail(k, w, "%.*s is out of range", (int)j->len,
				 j->str);
	case T_NAME:
		if (!f->due && j->type == JSON_STR && !j->len)
			return true;	/* as if absent, like runc */
		if (!spec_name(k, w, j, f, &value))
			return false;
		*(struct opt *)p = (struct opt){ value, true };
		return true;
	case T_OBJ: case T_PTR:
		if (!spec_due(k, w, j, JSON_OBJ))
			return false;
		if (f->kind == T_PTR) {
			*(void **)p = mem_new(k->mem, f->size);
			p = *(void **)p;
			if (!p)
				return no_memory(k->e);
		}
		return spec_object(k, w, j, f->arg, p);
	case T_LATER:
		return !json_asks(j) ||
		       spec_fail(k, w, "nsrun %s does not support this",
				 NSRUN_VERSION);
	default:
		return spec_list(k, w, j, f, p);
	}
}

static bool spec_object(struct walker *k, const struct where *w,
			const struct json *j, const struct field *fields,
			void *base)
{
	const struct field *f;
	const struct json *m;
	uint64_t seen = 0;

	for (m = j->kids; m; m = m->next) {
		struct where at = { w, m->key, 0 };

		for (f = fields; f->name && !str_eq(f->name, m->key); f++)
			;
		if (!f->name && f->due)
			return spec_fail(k, &at, "there is no such key");
		if (!f->name || m->key_nul || m->type == JSON_NULL)
			continue;
		seen |= 1ULL << (f - fields);
		if (!spec_field(k, &at, m, f, base))
			return false;
	}
	for (f = fields; f->name; f++)
		if (f->due && !(seen >> (f - fields) & 1)) {
			struct where at = { w, f->name, 0 };

			return spec_fail(k, &at, "is missing");
		}
	return true;
}

/* Reads 10, 64m, 1.5g or -1 as bytes; units are powers of 1024, as in runc. */
static bool num_bytes(const char *s, long long *out)
{
	static const char units[] = "bkmgtp";
	size_t n = num_len(s), k;
	const char *rest = s + n, *unit;
	unsigned long long v, part = 0, one = 1;

	if (str_eq(s, "-1")) {
		*out = -1;
		return true;
	}
	if (!num_unsigned(s, n, &v) || v > LLONG_MAX)
		return false;
	if (*rest == '.')
		for (rest++; is_digit(*rest) && one < 1000000; rest++) {
			part = part * 10 + (unsigned)(*rest - '0');
			one *= 10;
		}
	unit = *rest ? strchr(units, *rest | 32) : units;
	if (!unit || (*rest && rest[1] && !str_eq(rest + 1, "b") &&
		      !str_eq(rest + 1, "B") && !str_eq(rest + 1, "iB")))
		return false;
	for (k = 0; k < (size_t)(unit - units); k++) {
		if (v > LLONG_MAX >> 10)
			return false;
		v = (v << 10) + (part << 10) / one;
		part = (part << 10) % one;
	}
	*out = (long long)v;
	return true;
}

/* Sets one member, named by its path ("memory.limit"), from a word of the
 * command line. */
static bool spec_set(struct walker *k, const struct field *f, void *base,
		     const char *key, const char *value)
{
	struct where top = { NULL, NULL, 0 }, at = { &top, key, 0 };
	struct json j = { .type = JSON_STR, .str = value };
	const char *part = key;
	long long bytes;
	char digits[24];

	for (;;) {
		size_t n = strcspn(part, ".");

		while (f->name && (strncmp(f->name, part, n) != 0 ||
				   f->name[n]))
			f++;
		if (!f->name)
			return spec_fail(k, &at, "is no property");
		if (!part[n])
			break;
		base = (char *)base + f->off;
		if (f->kind == T_PTR)
			base = *(void **)base;
		if (!base)
			return spec_fail(k, &at, "the container has no %.*s",
					 (int)n, part);
		f = f->arg;
		part += n + 1;
	}
	if (f->kind == T_INT) {
		if (f->range == R_BYTES && num_bytes(value, &bytes)) {
			text_to(digits, sizeof digits, "%lld", bytes);
			j.str = digits;
		}
		if (!num_signed(j.str, strlen(j.str), &bytes))
			return spec_fail(k, &at, "%s is no number%s", value,
					 f->range == R_BYTES ?
					 " of bytes, such as 64m" : "");
		j.type = JSON_NUM;
	}
	j.len = (unsigned)strlen(j.str);
	return spec_field(k, &at, &j, f, base);
}

/* The inverse of spec_object(): writes a struct as JSON, for the files that are
 * kept beside a config. */
static void spec_put_fields(struct json_out *o, const struct field *f,
			    const void *base)
{
	for (; f->name; f++) {
		const void *p = (const char *)base + f->off;
		const struct { char *v; size_t n; } *list = p;
		bool dict = f->kind == T_DICT;
		bool lists = dict || f->kind == T_LIST || f->kind == T_MAP ||
			     f->kind == T_STRS;
		size_t i;

		if (lists && !list->n)
			continue;

		if (f->kind == T_BOOL && *(const bool *)p) {
			json_put_bool(o, f->name, true);
		} else if (f->kind == T_STR && *(const char *const *)p) {
			json_put_str(o, f->name, *(const char *const *)p);
		} else if (f->kind == T_INT && ((const struct opt *)p)->set) {
			json_put_num(o, f->name, ((const struct opt *)p)->v);
		} else if (f->kind == T_U64) {
			json_put_u64(o, f->name,
				     *(const unsigned long long *)p);
		} else if (f->kind == T_OBJ || (f->kind == T_PTR &&
						*(const void *const *)p)) {
			json_put_open(o, f->name, '{');
			spec_put_fields(o, f->arg, f->kind == T_OBJ ? p :
					*(const void *const *)p);
			json_put_close(o, '}');
		} else if (f->kind == T_STRS) {
			json_put_open(o, f->name, '[');
			for (i = 0; i < list->n; i++)
				json_put_str(o, NULL,
					     ((char **)list->v)[i]);
			json_put_close(o, ']');
		} else if (f->kind == T_MAP) {
			json_put_pairs(o, f->name, (const void *)list->v,
				       list->n);
		} else if (f->kind == T_LIST || dict) {
			json_put_open(o, f->name, dict ? '{' : '[');
			for (i = 0; i < list->n; i++) {
				char *v = list->v + i * f->size;

				json_put_open(o, dict ? *(char **)v : NULL,
					      '{');
				spec_put_fields(o, f->arg, v);
				json_put_close(o, '}');
			}
			json_put_close(o, dict ? '}' : ']');
		}
	}
}

/* Appends strings to a list. */
static bool strs_add(struct arena *mem, struct strs *l, char **more)
{
	size_t n = 0;
	char **v;

	while (more && more[n])
		n++;
	v = mem_new(mem, (l->n + n + 2) * sizeof *v);
	if (!v)
		return false;
	if (l->n)
		memcpy(v, l->v, l->n * sizeof *v);
	if (n)
		memcpy(v + l->n, more, n * sizeof *v);
	l->v = v;
	l->n += n;
	return true;
}

/* ----- SPEC: rules between members --------------------------------------- */

static const struct spec_ns *spec_find_ns(const struct spec *s, int type)
{
	size_t i;

	for (i = 0; i < s->linux.namespaces.n; i++)
		if (s->linux.namespaces.v[i].type.v == type)
			return &s->linux.namespaces.v[i];
	return NULL;
}

static bool spec_has_ns(const struct spec *s, int type)
{
	return spec_find_ns(s, type) != NULL;
}

static bool spec_check_args(const struct spec_process *p, struct err *e)
{
	size_t i, k;

	if (*p->cwd != '/')
		return fail(e, "cwd: \"%s\" is not an absolute path", p->cwd);
	if (!p->args.n)
		return fail(e, "args: names no program");
	if (!*p->args.v[0])
		return fail(e, "args: exec: \"\": executable file not found in "
			    "$PATH");
	for (i = 0; i < p->env.n; i++) {
		const char *eq = strchr(p->env.v[i], '=');

		if (!eq || eq == p->env.v[i])
			return fail(e, "env[%u]: \"%s\" is not NAME=value",
				    (unsigned)i, p->env.v[i]);
	}
	for (i = 0; i < p->rlimits.n; i++) {
		const struct spec_rlimit *r = &p->rlimits.v[i];

		if (r->soft > r->hard)
			return fail(e, "rlimits[%u].soft: %llu is more than "
				    "hard, %llu", (unsigned)i, r->soft,
				    r->hard);
		for (k = 0; k < i; k++)
			if (p->rlimits.v[k].type.v == r->type.v)
				return fail(e, "rlimits[%u].type: %s stands "
					    "there twice", (unsigned)i,
					    name_of(rlimit_names,
						    COUNT(rlimit_names),
						    (int)r->type.v));
	}
	return true;
}

/* sched_setattr(2): each policy has its own parameters. But a nice value is
 * accepted with every policy, as in runc: the kernel uses it where it has an
 * effect. */
static bool spec_check_scheduler(const struct spec_scheduler *s, struct err *e)
{
	bool fixed = s->policy.v == 1 || s->policy.v == 2;
	bool deadline = s->policy.v == 6;

	if (s->priority.set && s->priority.v && !fixed)
		return fail(e, "scheduler.priority: goes with SCHED_FIFO and "
			    "SCHED_RR only");
	if (!deadline && (s->runtime.v || s->deadline.v || s->period.v))
		return fail(e, "scheduler.runtime: runtime, deadline and "
			    "period go with SCHED_DEADLINE only");
	return true;
}

static bool spec_check_process(const struct spec_process *p, struct err *e)
{
	return (spec_check_args(p, e) &&
		(!p->scheduler || spec_check_scheduler(p->scheduler, e))) ||
	       wrap(e, "process.");
}

static bool spec_lacks_ns(const char *key, const char *type, struct err *e)
{
	return fail(e, "%s: there is no %s namespace in linux.namespaces", key,
		    type);
}

static bool spec_check_ns(const struct spec *s, struct err *e)
{
	const struct spec_linux *l = &s->linux;
	bool time_path = false, user_path = false;
	bool maps = l->uids.n || l->gids.n;
	const char *key;
	size_t i, k;

	for (i = 0; i < l->namespaces.n; i++) {
		const struct spec_ns *n = &l->namespaces.v[i];

		for (k = 0; k < i; k++)
			if (l->namespaces.v[k].type.v == n->type.v)
				return fail(e, "linux.namespaces[%u].type: "
					    "this type stands there twice",
					    (unsigned)i);
		if (n->path && *n->path && *n->path != '/')
			return fail(e, "linux.namespaces[%u].path: \"%s\" is "
				    "not an absolute path", (unsigned)i,
				    n->path);
		if (n->path && *n->path) {
			time_path |= n->type.v == K_NEWTIME;
			user_path |= n->type.v == CLONE_NEWUSER;
		}
	}
	if (maps && !spec_has_ns(s, CLONE_NEWUSER))
		return spec_lacks_ns("linux.uidMappings", "user", e);
	if (spec_has_ns(s, CLONE_NEWUSER) && !user_path &&
	    (!l->uids.n || !l->gids.n))
		return fail(e, "linux.%s: a new user namespace needs one",
			    l->uids.n ? "gidMappings" : "uidMappings");
	if ((l->monotonic.secs.set || l->monotonic.nanosecs.set ||
	     l->boottime.secs.set || l->boottime.nanosecs.set) &&
	    (!spec_has_ns(s, K_NEWTIME) || time_path))
		return spec_lacks_ns("linux.timeOffsets", "new time", e);
	if (s->hostname && *s->hostname && !spec_has_ns(s, CLONE_NEWUTS))
		return spec_lacks_ns("hostname", "uts", e);
	if (s->domainname && *s->domainname && !spec_has_ns(s, CLONE_NEWUTS))
		return spec_lacks_ns("domainname", "uts", e);
	if (spec_has_ns(s, CLONE_NEWNS))
		return true;
	if (s->mounts.n) {
		spec_lacks_ns("mounts", "mount", e);
		return hint(e, "they would change the host");
	}
	key = l->masked.n ? "linux.maskedPaths" :
	      l->readonly.n ? "linux.readonlyPaths" :
	      l->propagation.set ? "linux.rootfsPropagation" :
	      s->root->readonly ? "root.readonly" : s->dns ? "dns" : NULL;
	return !key || spec_lacks_ns(key, "mount", e);
}

static bool spec_check_device(const struct spec_device *d, struct err *e)
{
	if (*d->path != '/')
		return fail(e, "path: \"%s\" is not an absolute path", d->path);
	if (d->type.v == 0)
		return fail(e, "type: \"a\" is for device rules only");
	return d->type.v == S_IFIFO || (d->major.set && d->minor.set) ||
	       fail(e, "%s: is missing", d->major.set ? "minor" : "major");
}

/* Is a weight in its range? 0 means that none is asked for; the tables check
 * the upper end. */
static bool spec_is_weight(const struct opt *w)
{
	return !w->v || w->v >= 10;
}

static bool spec_check_blkio(const struct spec_blkio *b, struct err *e)
{
	bool ok = spec_is_weight(&b->weight) && spec_is_weight(&b->leaf_weight);
	size_t i;

	for (i = 0; i < b->weights.n; i++)
		ok = ok && spec_is_weight(&b->weights.v[i].weight) &&
		     spec_is_weight(&b->weights.v[i].leaf_weight);
	return ok || fail(e, "blockIO: a weight is from 10 to 1000");
}

/* Checks the strings that become a part of a cgroup file's name (a page size)
 * or a word of its line (an interface, an RDMA device). */
static bool spec_check_words(const struct spec_resources *r, struct err *e)
{
	size_t i;

	for (i = 0; i < r->hugepages.n; i++) {
		const char *s = r->hugepages.v[i].size;
		size_t n = num_len(s);

		if (!n || *s == '0' || !s[n] || !strchr("KMG", s[n]) ||
		    !str_eq(s + n + 1, "B"))
			return fail(e, "hugepageLimits[%u].pageSize: \"%s\" is "
				    "no size such as 2MB", (unsigned)i, s);
	}
	for (i = 0; i < r->network.priorities.n; i++)
		if (strpbrk(r->network.priorities.v[i].name, " \t\n"))
			return fail(e, "network.priorities[%u].name: is no "
				    "name of an interface", (unsigned)i);
	for (i = 0; i < r->rdma.n; i++)
		if (!*r->rdma.v[i].device ||
		    strpbrk(r->rdma.v[i].device, " \t\n"))
			return fail(e, "rdma.%s: is no name of a device",
				    r->rdma.v[i].device);
	return true;
}

static bool spec_check_members(const struct spec_resources *r, struct err *e)
{
	const struct spec_memory *m = &r->memory;
	size_t i;

	if (m->swap.set && m->swap.v > 0) {
		if (!m->limit.set || m->limit.v <= 0)
			return fail(e, "memory.swap: is memory and swap "
				    "together, and needs memory.limit");
		if (m->swap.v < m->limit.v)
			return fail(e, "memory.swap: %lld is memory and swap "
				    "together, and less than memory.limit, "
				    "%lld", m->swap.v, m->limit.v);
	}
	for (i = 0; i < r->devices.n; i++) {
		const char *a = r->devices.v[i].access;

		if (r->devices.v[i].type.set &&
		    r->devices.v[i].type.v == S_IFIFO)
			return fail(e, "devices[%u].type: a rule is for a, b "
				    "or c", (unsigned)i);
		if (a && (!*a || a[strspn(a, "rwm")]))
			return fail(e, "devices[%u].access: \"%s\" is not made "
				    "of r, w and m", (unsigned)i, a);
	}
	for (i = 0; i < r->unified.n; i++)
		if (strchr(r->unified.v[i].key, '/') ||
		    !strchr(r->unified.v[i].key, '.'))
			return fail(e, "unified.%s: is no file of a controller",
				    r->unified.v[i].key);
	return true;
}

static bool spec_check_resources(const struct spec_resources *r, struct err *e)
{
	return (spec_check_members(r, e) && spec_check_blkio(&r->blkio, e) &&
		spec_check_words(r, e)) || wrap(e, "linux.resources.");
}

/* closID is the name of one directory, or "/" for the one that the kernel
 * made. */
static bool spec_check_rdt(const struct spec_rdt *r, struct err *e)
{
	const char *c = r->clos;
	bool bad = (r->l3 && strchr(r->l3, '\n')) ||
		   (r->mb && strchr(r->mb, '\n'));
	size_t i;

	if (c && (str_eq(c, ".") || str_eq(c, "..") ||
		  (strchr(c, '/') && !str_eq(c, "/"))))
		return fail(e, "linux.intelRdt.closID: \"%s\" is no name", c);
	if (r->mb && *r->mb && !str_after(r->mb, "MB:"))
		return fail(e, "linux.intelRdt.memBwSchema: does not begin "
			    "with MB:");
	for (i = 0; i < r->schemata.n; i++)
		bad |= strchr(r->schemata.v[i], '\n') != NULL;
	return !bad || fail(e, "linux.intelRdt: a schema is one line");
}

static bool spec_check_absolute(const struct strs *l, const char *name,
				struct err *e)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (*l->v[i] != '/')
			return fail(e, "linux.%s[%u]: \"%s\" is not an "
				    "absolute path", name, (unsigned)i,
				    l->v[i]);
	return true;
}

static bool spec_check_hooks(const struct spec *s, struct err *e)
{
	size_t i, k;

	for (k = 0; k < HOOK_COUNT; k++)
		for (i = 0; i < s->hooks[k].n; i++)
			if (*s->hooks[k].v[i].path != '/')
				return fail(e, "hooks.%s[%u].path: \"%s\" is "
					    "not an absolute path",
					    hooks_fields[k].name, (unsigned)i,
					    s->hooks[k].v[i].path);
	return true;
}

/* Checks the rules between members, which the tables cannot express. */
static bool spec_check(const struct spec *s, struct err *e)
{
	size_t i;

	if (!s->process)
		return fail(e, "process: is missing");
	if (!s->root)
		return fail(e, "root: is missing");
	if (!*s->root->path)
		return fail(e, "root.path: is empty");
	if (s->hostname && strlen(s->hostname) > 64)
		return fail(e, "hostname: is longer than 64 bytes");
	if (s->domainname && strlen(s->domainname) > 64)
		return fail(e, "domainname: is longer than 64 bytes");
	for (i = 0; i < s->mounts.n; i++)
		if (!*s->mounts.v[i].destination)
			return fail(e, "mounts[%u].destination: is empty",
				    (unsigned)i);
	for (i = 0; i < s->linux.devices.n; i++)
		if (!spec_check_device(&s->linux.devices.v[i], e))
			return wrap(e, "linux.devices[%u].", (unsigned)i);
	return spec_check_absolute(&s->linux.masked, "maskedPaths", e) &&
	       spec_check_absolute(&s->linux.readonly, "readonlyPaths", e) &&
	       spec_check_process(s->process, e) &&
	       spec_check_ns(s, e) &&
	       spec_check_hooks(s, e) &&
	       (!s->linux.rdt || spec_check_rdt(s->linux.rdt, e)) &&
	       spec_check_resources(&s->linux.resources, e);
}

/* Parses text, the content of the file called name, into the struct at base, as
 * its table fields says. text is overwritten. */
static bool spec_read(struct arena *mem, const struct nsrun_options *o,
		      const char *name, char *text, size_t len,
		      const struct field *fields, void *base, struct err *e)
{
	struct walker k = { mem, o, e, false };
	struct where top = { NULL, NULL, 0 };
	struct json *j = json_parse(mem, name, text, len, e);

	return j && ((spec_due(&k, &top, j, JSON_OBJ) &&
		      spec_object(&k, &top, j, fields, base)) ||
		     wrap(e, "%s", name));
}

/* Before version 1.3.0 of the specification a pids.limit of 0 meant no limit,
 * as -1 does. */
static void spec_date_pids(struct spec *s)
{
	struct opt *pids = &s->linux.resources.pids;
	const char *v = s->version ? s->version : "";
	long long major = 0, minor = 0;

	num_signed(v, num_len(v), &major);
	v += strcspn(v, ".");
	v += *v == '.';
	num_signed(v, num_len(v), &minor);
	if (pids->set && !pids->v && (major < 1 || (major == 1 && minor < 3)))
		pids->v = -1;
}

static struct spec *spec_parse(struct arena *mem, const struct nsrun_options *o,
			       char *text, size_t len, struct err *e)
{
	struct spec *s = mem_new(mem, sizeof *s);

	if (!s)
		return no_memory(e), NULL;
	if (!spec_read(mem, o, "config.json", text, len, spec_fields, s, e))
		return NULL;
	spec_date_pids(s);
	return spec_check(s, e) ? s : (wrap(e, "config.json"), NULL);
}

/* ===== STATE =============================================================
 *
 * <root>/<id>/state.json records what exists of a container. It is replaced by
 * rename: at the claim, with the cgroup directories that will be made; and with
 * init's pid and start time, before nsrun lets init outlive it, or, in the
 * foreground, when init runs. Between the two init dies with nsrun. So whatever
 * kills nsrun, the next nsrun finds what to undo.
 *
 * Beside it are config.json, as it was at the create; update.json, the limits
 * as `update` changed them; start, the socket; init, a link with init's pid and
 * start time; and netns, where the network namespace is kept as long as devices
 * of the host are in it.
 *
 * The directory itself is the lock (flock) of the nsrun that makes, starts or
 * deletes the container. An init that has not yet left the host's root shares
 * this lock, so the nsrun that gets it knows that there is no such init. mkdir
 * decides who owns an id. A pid counts only together with its start time.
 *
 * An id whose processes are gone is reclaimed in two cases: its state says
 * "creating", or it belonged to an nsrun in the foreground that is gone too.
 */

struct state_cgroup {
	const char	*path;		/* absolute, with the mount point */
	struct opt	keep;		/* length of what existed before */
};

struct state_device {		/* a host device that moves in (phys) */
	const char	*name, *inside, *mac, *alias;
	struct opt	index, mtu, type, group;
};

struct state {
	const char	*version, *id, *status, *bundle, *rootfs, *created;
	const char	*freezer;	/* the file that says whether it is
					   paused; NULL: none */
	struct opt	pid, start;	/* init; start time in clock ticks */
	struct opt	runner, runner_start;	/* nsrun in the foreground */
	LIST_OF(struct state_cgroup) cgroups;
	struct strs	rdt;	/* resctrl directories to remove */
	LIST_OF(struct state_device) devices;	/* as they were on the host */
	bool		networks;	/* it has networks made by nsrun */
	bool		best_effort;	/* limits may be missing */
	bool		nodev;		/* a device policy by nodev, see DEV */
	LIST_OF(struct nsrun_pair) annotations;
};

static const struct field state_cgroup_fields[] = {
	F_DUE(state_cgroup, T_STR, "path", path),
	F_INT_DUE(state_cgroup, "keep", keep, R_PATH),
	F_END
};

static const struct field state_device_fields[] = {
	F_DUE(state_device, T_STR, "name", name),
	F_DUE(state_device, T_STR, "inside", inside),
	F(state_device, T_STR, "mac", mac),
	F_INT(state_device, "index", index, R_POSITIVE),
	F_INT(state_device, "mtu", mtu, R_POSITIVE),
	F(state_device, T_STR, "alias", alias),
	F_INT(state_device, "type", type, R_POSITIVE),
	F_INT(state_device, "group", group, R_ANY),
	F_END
};

static const struct field state_fields[] = {
	F(state, T_STR, "ociVersion", version),
	F(state, T_STR, "id", id),
	F(state, T_STR, "status", status),
	F_INT(state, "pid", pid, R_PID),
	F(state, T_STR, "bundle", bundle),
	F(state, T_STR, "rootfs", rootfs),
	F(state, T_STR, "created", created),
	F_INT(state, "pidStart", start, R_POSITIVE),
	F_INT(state, "runner", runner, R_PID),
	F_INT(state, "runnerStart", runner_start, R_POSITIVE),
	F(state, T_STR, "freezer", freezer),
	F_SUB(state, T_LIST, "cgroups", cgroups, state_cgroup,
	      state_cgroup_fields),
	F(state, T_STRS, "rdt", rdt),
	F_SUB(state, T_LIST, "devices", devices, state_device,
	      state_device_fields),
	F(state, T_BOOL, "networks", networks),
	F(state, T_BOOL, "bestEffort", best_effort),
	F(state, T_BOOL, "nodev", nodev),
	F(state, T_MAP, "annotations", annotations),
	F_END
};

static bool state_is_id(const char *id, struct err *e)
{
	const char *p = id;

	if (!id || !*id)
		return fail(e, "it is empty");
	if (strlen(id) > ID_MAX)
		return fail(e, "it is longer than %d bytes", ID_MAX);
	if (str_eq(id, ".") || str_eq(id, ".."))
		return fail(e, "\"%s\"", id);
	for (; *p; p++)
		if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') &&
		    !is_digit(*p) && !strchr("_+-.", *p))
			return fail(e, "only letters, digits and _+-. may "
				    "stand in it");
	return true;
}

/* The id is a file name, and a part of names elsewhere. */
static bool state_check_id(const char *id, struct err *e)
{
	return state_is_id(id, e) || wrap(e, "invalid container ID format");
}

/* The start time of a process: field 22 of /proc/PID/stat, searched for behind
 * the name, which may contain any character. 0: there is no such process, or it
 * is a zombie; -1 with errno: it cannot be read. */
static long long state_pid_start(int proc, int pid)
{
	char path[32], buf[512], *p;
	long long start = 0;
	int i;

	text_to(path, sizeof path, "%d/stat", pid);
	if (pid <= 0)
		return 0;
	if (io_get(proc, path, buf, sizeof buf) < 0)
		return errno == ENOENT || errno == ESRCH ? 0 : -1;
	p = strrchr(buf, ')');
	if (!p || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X')
		return 0;
	for (i = 2, p++; i < 22 && *p; p++)
		i += *p == ' ';
	num_signed(p, strcspn(p, " "), &start);
	return start;
}

/* Does this process live? If that cannot be found out, the answer is yes, so
 * that nothing is done to it. */
static bool state_alive(int proc, struct opt pid, struct opt start)
{
	long long now = pid.set && start.set && start.v ?
			state_pid_start(proc, (int)pid.v) : 0;

	return now && (now == start.v || now < 0);
}

/* Does the container's init live? The next function asks this of the nsrun that
 * runs the container in the foreground. */
static bool state_has_init(const struct state *s, int proc)
{
	return state_alive(proc, s->pid, s->start);
}

static bool state_has_runner(const struct state *s, int proc)
{
	return state_alive(proc, s->runner, s->runner_start);
}

/* RFC 3339, UTC, by Howard Hinnant's days-to-civil. */
static void state_now(char buf[40])
{
	struct text t = { buf, 0, 40, -1, false };
	long long days, era, doe, yoe, doy, mp, y;
	unsigned rest, part[5], i;
	int64_t now[2];

	sys_now(CLOCK_REALTIME, now);
	days = now[0] / 86400 + 719468;
	rest = (unsigned)(now[0] % 86400);
	era = days / 146097;
	doe = days % 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	y = yoe + era * 400 + (mp >= 10);
	part[0] = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
	part[1] = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
	part[2] = rest / 3600;
	part[3] = rest / 60 % 60;
	part[4] = rest % 60;
	text_add(&t, "%lld", y);
	for (i = 0; i < 5; i++)
		text_add(&t, "%c%u%u", "--T::"[i], part[i] / 10, part[i] % 10);
	text_char(&t, '.');
	for (i = 100000000; i; i /= 10)
		text_add(&t, "%u", (unsigned)now[1] / i % 10);
	text_char(&t, 'Z');
}

/* Is this a user namespace? In the initial one the map is "0 0 4294967295". */
static bool state_in_user_ns(void)
{
	char map[64];

	return io_get(AT_FDCWD, "/proc/self/uid_map", map, sizeof map) > 0 &&
	       !str_find(map, " 4294967295\n");
}

/* The state root's path: what the caller says, or the usual place. */
static bool state_root(const struct nsrun_options *o, char path[PATH_MAX],
		       struct err *e)
{
	const char *s = o->root ? o->root : getenv("NSRUN_ROOT"), *sub = "";

	if (o->root && (!*o->root || str_eq(o->root, "/")))
		return fail(e, "--root must not be %s",
			    *o->root ? "/" : "empty");
	if (!s || !*s) {
		s = getenv("XDG_RUNTIME_DIR");
		sub = "/nsrun";
		/* root in a user namespace is a user outside of it */
		if (geteuid() == 0 && !(s && *s && state_in_user_ns())) {
			s = "/run/nsrun";
			sub = "";
		}
	}
	if (!s || !*s)
		return fail(e, "no place for state: neither --root, "
			    "$NSRUN_ROOT nor $XDG_RUNTIME_DIR is given");
	if (!text_to(path, PATH_MAX, "%s%s", s, sub))
		return fail(e, "the path of --root is too long");
	return true;
}

/* Opens the state root; makes it, and its parents, if it is missing. -1 with
 * errno. */
static int state_open_root(char *path)
{
	int fd = io_open(path, O_PATH | O_DIRECTORY);
	char *p = path;

	if (fd >= 0 || errno != ENOENT)
		return fd;
	while (*p) {
		bool last;
		char end;

		p += strspn(p, "/");
		p += strcspn(p, "/");
		last = !p[strspn(p, "/")];
		end = *p;
		*p = 0;
		if (mkdir(path, last ? 0711 : 0755) < 0 && errno != EEXIST)
			return -1;
		*p = end;
	}
	return io_open(path, O_PATH | O_DIRECTORY);
}

/* Refuses a directory (the state root, or that of an id) that another user may
 * write to: that user could choose the hooks that nsrun runs, the pids it kills
 * and the paths it removes. */
static bool state_trust(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return sysfail(e, "stat %s", path);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return fail(e, "%s belongs to user %u: no state is taken from "
			    "there", path, (unsigned)st.st_uid);
	return !(st.st_mode & 022) ||
	       fail(e, "%s may be written to by others (mode %o): no state is "
		    "taken from there (chmod go-w, or another --root)", path,
		    (unsigned)st.st_mode & 07777);
}

/* What a caller gets of a state. The state may be incomplete. */
static struct nsrun_state state_tell(const struct state *s, const char *status,
				     int pid)
{
	return (struct nsrun_state){
		.version = s->version ? s->version : "", .id = s->id,
		.status = status, .bundle = s->bundle ? s->bundle : "",
		.rootfs = s->rootfs ? s->rootfs : "",
		.created = s->created ? s->created : "", .pid = pid,
		.annotations = s->annotations.v,
		.annotation_count = s->annotations.n,
	};
}

/* Writes the members of runtime.md, "State", and those that other runtimes
 * add. */
static void state_put(struct json_out *o, const struct nsrun_state *s)
{
	json_put_str(o, "ociVersion", s->version);
	json_put_str(o, "id", s->id);
	json_put_num(o, "pid", s->pid);
	json_put_str(o, "status", s->status);
	json_put_str(o, "bundle", s->bundle);
	json_put_str(o, "rootfs", s->rootfs);
	json_put_str(o, "created", s->created);
	if (s->annotation_count)
		json_put_pairs(o, "annotations", s->annotations,
			       s->annotation_count);
}

/* Writes a file in the container's directory, with what the struct at base
 * holds in the fields. */
static bool state_write(int dir, const char *name, const struct field *fields,
			const void *base, struct err *e)
{
	char buf[4096], tmp[NAME_MAX + 1];
	struct text t = TEXT(buf);
	struct json_out o = { &t, 0, true, false };

	if (!io_new(&t, dir, name, 0600, tmp))
		return sysfail(e, "write %s", name);
	json_put_open(&o, NULL, '{');
	spec_put_fields(&o, fields, base);
	json_put_close(&o, '}');
	text_char(&t, '\n');
	return io_put_new(&t, dir, name, tmp) || sysfail(e, "write %s", name);
}

static bool state_save(int dir, const struct state *s, struct err *e)
{
	return state_write(dir, "state.json", state_fields, s, e);
}

/* The pid and start time of init, once more, as the target of the symbolic link
 * "init": they prove which processes are the container's if state.json is
 * damaged. */
static bool state_save_init(int dir, const struct state *s, struct err *e)
{
	char target[48];

	text_to(target, sizeof target, "%lld %lld", s->pid.v, s->start.v);
	return symlinkat(target, dir, "init") == 0 || errno == EEXIST ||
	       sysfail(e, "write the link init");
}

static void state_load_init(int dir, struct state *s)
{
	char target[48], *p = target;
	ssize_t n = readlinkat(dir, "init", target, sizeof target - 1);
	const char *pid;

	if (n <= 0)
		return;
	target[n] = 0;
	pid = word_next(&p);
	s->pid.set = num_signed(pid, strlen(pid), &s->pid.v) &&
		     s->pid.v <= INT_MAX;
	s->start.set = num_signed(p, strlen(p), &s->start.v);
}

/* NULL without an error text: there is no such file. */
static struct state *state_load(int dir, const char *file, struct arena *mem,
				const struct nsrun_options *o, struct err *e)
{
	struct state *s = mem_new(mem, sizeof *s);
	size_t len;
	char *p;

	if (!s)
		return no_memory(e), NULL;
	p = io_load(mem, dir, file, CONFIG_MAX, &len, e);
	if (!p) {
		if (e->num == ENOENT || e->num == ENOTDIR)
			*e->text = 0;
		return NULL;
	}
	return spec_read(mem, o, "state.json", p, len, state_fields, s, e) ? s :
	       NULL;
}

/* Does id below root still name the directory that is open at dir? */
static bool state_same(int root, const char *id, int dir)
{
	struct stat a, b;

	return fstat(dir, &a) == 0 &&
	       fstatat(root, id, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* Was the directory open at dir removed, or does id name another one now? */
static bool state_is_gone(int root, const char *id, int dir)
{
	struct stat a, b;

	if (fstatat(root, id, &b, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT;
	return fstat(dir, &a) == 0 &&
	       (a.st_ino != b.st_ino || a.st_dev != b.st_dev);
}

/* Empties and removes the container's directory. */
static bool state_drop(int root, const char *id, int dir)
{
	static const char *const files[] = { "state.json", ".state.json.tmp",
		"config.json", ".config.json.tmp", "update.json",
		".update.json.tmp", "warned", ".warned.tmp", "start", "init",
		"netns" };
	/* it is mounted in the container, where a process that may mount can
	 * make it writable */
	autofd notify = openat(dir, "notify", O_RDONLY | O_DIRECTORY |
			       O_NOFOLLOW | O_CLOEXEC);
	size_t i;
	int num = 0;

	if (notify >= 0 && !io_clear(notify))
		num = errno;
	for (i = 0; i < COUNT(files); i++)
		if (unlinkat(dir, files[i], 0) < 0 && errno != ENOENT)
			num = errno;
	if (unlinkat(dir, "notify", AT_REMOVEDIR) < 0 && errno != ENOENT)
		num = errno;
	if (unlinkat(root, id, AT_REMOVEDIR) == 0)
		return true;
	errno = num ? num : errno;
	return false;
}

/* Are the container's processes stopped by the freezer? */
static bool state_is_paused(const struct state *s)
{
	char buf[32];

	/* v1: FROZEN, FREEZING, THAWED; v2: 1, 0 */
	return s->freezer && io_get(AT_FDCWD, s->freezer, buf, sizeof buf) >
	       0 && (*buf == 'F' || *buf == '1');
}

/* The status that a caller gets (runtime.md): it depends on the state and on
 * which processes live. */
static const char *state_status(const struct state *s, int proc)
{
	if (!s->status || str_eq(s->status, "creating"))
		return state_has_runner(s, proc) ? "creating" : "stopped";
	if (!state_has_init(s, proc))
		return "stopped";
	return state_is_paused(s) ? "paused" : s->status;
}

/* ===== DEVICE_BPF ========================================================
 *
 * On v2 a device policy is a BPF program that the kernel runs at each open and
 * mknod: r2 holds the access bits that are asked for, r3 the device type, r4
 * and r5 the numbers. For each bit the last rule that matches the device and
 * has the bit decides, so rules are taken from the last to the first: a rule
 * that allows removes its bits from r2, and when no bit is left the answer is
 * yes; a rule that denies a bit that is left answers no. What no rule matches
 * is allowed, as in v1.
 */

/* One write to a file of a group. In a device policy each rule is one write, in
 * the syntax of v1: "c 1:3 rwm" into devices.allow. */
struct cg_write {
	unsigned	dir;		/* index */
	const char	*file, *value, *key;	/* key: in config.json */
	bool		optional;	/* the file may be missing */
	bool		instead;	/* only if the file before is missing */
	bool		missing, again;
};

static const char *const cg_default_devices[] = {
	"c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",
	"c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:2 rwm", "c 136:* rwm",
	"c 10:200 rwm",
};

/* A line of a devices file, "a" or "c 1:* rw". Type 0 and number -1 mean
 * any. */
struct dev_rule {
	int		type;		/* as BPF programs see it */
	long long	major, minor;
	int		access;		/* 1: mknod, 2: read, 4: write */
};

static int dev_bits(const char *access)
{
	return (strchr(access, 'm') ? 1 : 0) | (strchr(access, 'r') ? 2 : 0) |
	       (strchr(access, 'w') ? 4 : 0);
}

static struct dev_rule dev_rule(const char *line)
{
	struct dev_rule r = { 0, -1, -1, 7 };
	const char *minor = strchr(line, ':'), *word = strrchr(line, ' ');

	if (*line == 'a')
		return r;
	r.type = *line == 'b' ? 1 : 2;
	num_signed(line + 2, num_len(line + 2), &r.major);
	num_signed(minor + 1, num_len(minor + 1), &r.minor);
	r.access = dev_bits(word);
	return r;
}

/* The device list of a v1 group holds exceptions from "all" or from "nothing".
 * The kernel removes an exception only if the same numbers are written again.
 * Does a, which shall be removed, overlap with the exception b without having
 * the same numbers? */
static bool dev_is_hole(const struct dev_rule *a, const struct dev_rule *b)
{
	return a->type == b->type && a->access & b->access &&
	       (a->major < 0 || b->major < 0 || a->major == b->major) &&
	       (a->minor < 0 || b->minor < 0 || a->minor == b->minor) &&
	       (a->major != b->major || a->minor != b->minor);
}

static bool dev_is_of(const struct dev_rule *a, const struct spec_device *d)
{
	return (!a->type || (a->type == 2) == (d->type.v == S_IFCHR)) &&
	       (a->major < 0 || a->major == d->major.v) &&
	       (a->minor < 0 || a->minor == d->minor.v);
}

/* May the device be read and written? The last rule that matches it decides,
 * and the default devices, which every container may use, come last. */
static bool dev_opens(const struct spec_resources *r,
		      const struct spec_device *d)
{
	int may = 7;
	size_t i;

	for (i = 0; i < r->devices.n; i++) {
		const struct spec_device_rule *rule = &r->devices.v[i];
		struct dev_rule a = { !rule->type.v ? 0 :
				      rule->type.v == S_IFBLK ? 1 : 2,
			rule->major.set ? rule->major.v : -1,
			rule->minor.set ? rule->minor.v : -1,
			rule->access ? dev_bits(rule->access) : 7 };

		if (dev_is_of(&a, d))
			may = rule->allow ? may | a.access : may & ~a.access;
	}
	for (i = 0; i < COUNT(cg_default_devices); i++) {
		struct dev_rule a = dev_rule(cg_default_devices[i]);

		if (dev_is_of(&a, d))
			may |= a.access;
	}
	return (may | 1) == 7;
}

enum { BPF_R0, BPF_R1, BPF_R2, BPF_R3, BPF_R4, BPF_R5 };

struct bpf_program {
	struct k_bpf	v[4096];	/* the kernel's own limit before 5.2 */
	size_t		n;		/* more than fit in v: too long */
};

static void bpf_add(struct bpf_program *b, int code, int dst, int src, int off,
		    int imm)
{
	if (b->n < COUNT(b->v))
		b->v[b->n] = (struct k_bpf){ (uint8_t)code, (uint8_t)dst & 15,
			(uint8_t)src & 15, (int16_t)off, imm };
	b->n++;
}

static void bpf_return(struct bpf_program *b, bool yes)
{
	bpf_add(b, K_BPF_MOV, BPF_R0, 0, 0, yes);
	bpf_add(b, K_BPF_EXIT, 0, 0, 0, 0);
}

/* Adds one line of a devices file. False: rules ahead of it have no effect. */
static bool bpf_rule(struct bpf_program *b, const char *line, bool allow)
{
	struct dev_rule r = dev_rule(line);
	int access = r.access, body = access == 7 ? 2 : 4, k;
	long long want[3] = { r.type ? r.type : -1, r.major, r.minor };

	for (k = 0; k < 3; k++)		/* jump over later tests and the body */
		if (want[k] >= 0)
			bpf_add(b, K_BPF_JNE, BPF_R3 + k, 0, body +
				(k < 1 && want[1] >= 0) +
				(k < 2 && want[2] >= 0), (int)want[k]);
	if (access != 7 && allow) {
		bpf_add(b, K_BPF_AND, BPF_R2, 0, 0, 7 & ~access);
		bpf_add(b, K_BPF_JNE, BPF_R2, 0, 2, 0);
	} else if (access != 7) {
		bpf_add(b, K_BPF_JSET, BPF_R2, 0, 1, access);
		bpf_add(b, K_BPF_JA, 0, 0, 2, 0);
	}
	bpf_return(b, allow);
	return r.type;
}

/* Makes the program. The rules are writes[0..n). */
static void bpf_make(struct bpf_program *b, const struct cg_write *writes,
		     size_t n)
{
	b->n = 0;
	bpf_add(b, K_BPF_LOAD, BPF_R2, BPF_R1, 0, 0);
	bpf_add(b, K_BPF_COPY, BPF_R3, BPF_R2, 0, 0);
	bpf_add(b, K_BPF_AND, BPF_R3, 0, 0, 0xffff);
	bpf_add(b, K_BPF_SHIFT, BPF_R2, 0, 0, 16);
	bpf_add(b, K_BPF_LOAD, BPF_R4, BPF_R1, 4, 0);
	bpf_add(b, K_BPF_LOAD, BPF_R5, BPF_R1, 8, 0);
	while (n--)
		if (!bpf_rule(b, writes[n].value,
			      str_eq(writes[n].file, "devices.allow")))
			return;
	bpf_return(b, true);
}

static const char bpf_name[16] = "nsrun_devices";

/* The program that an earlier nsrun container left attached to the group; -1:
 * none. Programs of others stay: the kernel allows only what all attached
 * programs allow. */
static int bpf_find(int group)
{
	uint32_t ids[64];
	struct k_bpf_query q = { .target = (uint32_t)group,
		.type = K_BPF_DEVICE, .ids = (uintptr_t)ids,
		.count = COUNT(ids) };
	size_t i;

	if (sys_bpf(K_BPF_QUERY, &q, sizeof q) < 0)
		return -1;
	for (i = 0; i < q.count; i++) {
		struct k_bpf_info info = { .name = "" };
		struct k_bpf_get get = { ids[i], 0, 0 };
		autofd fd = sys_bpf(K_BPF_GET, &get, sizeof get);
		struct k_bpf_about about = { (uint32_t)fd, sizeof info,
					     (uintptr_t)&info };

		if (fd >= 0 && sys_bpf(K_BPF_INFO, &about, sizeof about) == 0 &&
		    memcmp(info.name, bpf_name, sizeof info.name) == 0)
			return fd_take(&fd);
	}
	return -1;
}

/* Loads the program and attaches it to the group, in place of the old one. */
static bool bpf_attach(const struct bpf_program *b, int group)
{
	struct k_bpf_load load = { .type = K_BPF_CGROUP_DEVICE,
		.count = (uint32_t)b->n, .insns = (uintptr_t)b->v,
		.license = (uintptr_t)"MIT" };
	struct k_bpf_attach at = { (uint32_t)group, 0, K_BPF_DEVICE,
				   K_BPF_MULTI, 0 };
	autofd old = bpf_find(group), fd = -1;

	memcpy(load.name, bpf_name, sizeof load.name);
	fd = sys_bpf(K_BPF_LOAD_PROGRAM, &load, sizeof load);
	if (fd < 0)
		return false;
	at.program = (uint32_t)fd;
	if (old >= 0) {			/* since 5.6 */
		at.replace = (uint32_t)old;
		at.flags |= K_BPF_REPLACE;
		if (sys_bpf(K_BPF_ATTACH, &at, sizeof at) == 0)
			return true;
		at.replace = 0;
		at.flags = K_BPF_MULTI;
	}
	if (sys_bpf(K_BPF_ATTACH, &at, sizeof at) < 0)
		return false;
	at.program = (uint32_t)old;
	at.flags = 0;
	return old < 0 || sys_bpf(K_BPF_DETACH, &at, sizeof at) == 0;
}

/* Before 5.11 BPF programs count as locked memory: a child raises its limit
 * (RLIMIT_MEMLOCK) and attaches the program. */
static bool bpf_attach_child(const struct bpf_program *b, int group)
{
	const struct k_rlimit all = { ~0ULL, ~0ULL };
	int pid = io_clone(0, -1, NULL), status;

	if (pid == 0) {
		sys_prlimit(0, RLIMIT_MEMLOCK, &all, NULL);
		_exit(bpf_attach(b, group) ? 0 : errno);
	}
	status = pid < 0 ? 0 : io_reap(pid);
	errno = pid < 0 ? errno : WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
	return pid > 0 && errno == 0;
}

/* Detaches the policy that an earlier container left at this group. */
static void bpf_drop(const char *path)
{
	autofd group = io_open(path, O_RDONLY | O_DIRECTORY), old = -1;
	struct k_bpf_attach at = { (uint32_t)group, 0, K_BPF_DEVICE, 0, 0 };

	if (group >= 0)
		old = bpf_find(group);
	at.program = (uint32_t)old;
	if (old >= 0)
		sys_bpf(K_BPF_DETACH, &at, sizeof at);
}

/* ===== CGROUP ============================================================
 *
 * A hierarchy is a mounted cgroup file system. A v2 host has one, a v1 host has
 * one for each group of controllers, and a hybrid host has those and a v2 one
 * with the remaining controllers. The container gets one directory in each
 * hierarchy, at the same path, and joins them all. Which limits a controller
 * can have is one table for v1 and one for v2: a row names the file, and the
 * function that writes its value from the config. A missing controller matters
 * only if the config asks for a limit of it.
 *
 * The memory group is joined last, because the memory that a process uses
 * during setup stays charged to its group. On v1 the process joins the memory
 * hierarchy after READY. On v2 P moves the process in, the process makes its
 * cgroup namespace, P moves it back to P's own group, and moves it in for good
 * after READY. What tmpcopyup copies stays in memory for the container: the
 * process is in all of the container's groups while it copies.
 */

struct cg_hier {
	const char	*mount;		/* where it is mounted */
	const char	*own;		/* P's group in it: "/" or "/a/b" */
	const char	*ctrls;		/* v1: "cpu,cpuacct", "name=systemd" */
	bool		v2;
	bool		below;		/* v2: P may not write to own/.. */
};

struct cg_host {
	struct cg_hier	h[CG_HIER_MAX];
	size_t		n;
	bool		bpf;		/* v2 can enforce a device policy */
};

struct cg_dir {
	const struct cg_hier *h;
	const char	*path;		/* with the mount point */
	size_t		keep;		/* length of what existed before */
	bool		late;		/* joined after READY */
	bool		ours;		/* the container's: join, remove */
};

struct cg_plan {
	struct cg_dir	d[CG_HIER_MAX];
	size_t		n;
	struct cg_write	*w;
	size_t		nw;
	long long	owner;		/* uid for the v2 group, -1: P */
	bool		asked;		/* cgroupsPath is absolute */
	bool		named;		/* cgroupsPath is given */
	bool		loose;		/* may run without a device policy */
	bool		limits;
	bool		check_memory;	/* refuse less than is in use */
};

/* ----- CGROUP: hierarchies ----------------------------------------------- */

/* Is the controller in a list? v1 separates with commas, v2 with blanks. */
static bool cg_has(const char *ctrls, const char *name)
{
	size_t n = strlen(name);
	const char *p = ctrls;

	for (; (p = str_find(p, name)); p++)
		if ((p == ctrls || strchr(", ", p[-1])) &&
		    strchr(", \n", p[n]))
			return true;
	return false;
}

/* P's path in the hierarchy with these controllers, from text, the content of
 * /proc/self/cgroup. mount_root, the part of the path that is not below the
 * mount, is removed. */
static const char *cg_own(const char *text, struct arena *mem,
			  const char *ctrls, bool v2, const char *mount_root)
{
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		const char *colon = text + strcspn(text, ":\n");
		const char *list = colon + (*colon == ':');
		size_t n = strcspn(list, ":\n");
		const char *path = list + n + 1, *up;
		char one[256];

		if (*colon != ':' || list[n] != ':' ||
		    !text_cut(one, sizeof one, list, n) ||
		    (v2 ? n != 0 : !n || !cg_has(ctrls, one)))
			continue;
		if (!str_eq(mount_root, "/"))
			path = str_after(path, mount_root);
		up = path ? str_after(path, "/..") : NULL;
		if (!path || *path != '/' || (up && strchr("/\n", *up)))
			break;
		return mem_text(mem, "%.*s", (int)strcspn(path, "\n"), path);
	}
	return "/";
}

/* Finds the controllers in v1 super options, where they are among flags. */
static const char *cg_controllers(struct arena *mem, const char *options)
{
	static const char known[] = "cpu\0cpuacct\0cpuset\0memory\0devices\0"
		"freezer\0blkio\0pids\0hugetlb\0net_cls\0net_prio\0"
		"perf_event\0rdma\0misc\0debug\0";
	char buf[256], one[256];
	struct text t = TEXT(buf);
	const char *p = options;

	while (*p) {
		size_t n = strcspn(p, ",");

		text_cut(one, sizeof one, p, n);
		if (str_after(one, "name=") || str_among(known, one))
			text_add(&t, "%s%s", t.len ? "," : "", one);
		p += n + (p[n] == ',');
	}
	return t.len ? mem_text(mem, "%s", buf) : NULL;
}

static bool cg_add_host(struct cg_host *c, const char *own, struct arena *mem,
			const char *mount, const char *mount_root,
			const char *options, bool v2)
{
	const char *ctrls = v2 ? "" : cg_controllers(mem, options);
	struct cg_hier *h = &c->h[c->n];
	struct statfs fs;
	size_t i;

	if (!ctrls || c->n == CG_HIER_MAX)
		return true;
	/* a mount that is covered by another one, or read-only, counts as
	 * absent */
	if (statfs(mount, &fs) < 0)
		return is_absent(errno);
	if (fs.f_flags & MS_RDONLY ||
	    (unsigned)fs.f_type != (v2 ? K_MAGIC_CGROUP2 : K_MAGIC_CGROUP))
		return true;
	for (i = 0; i < c->n; i++)	/* mounted a second time elsewhere */
		if (c->h[i].v2 == v2 && str_eq(c->h[i].ctrls, ctrls))
			return true;
	h->mount = mem_text(mem, "%s", mount);
	h->own = cg_own(own, mem, ctrls, v2, mount_root);
	h->ctrls = ctrls;
	h->v2 = v2;
	h->below = false;
	c->n++;
	return h->mount && h->own;
}

/* Which hierarchies are mounted, and where P is in each. False with errno. */
static bool cg_discover(struct cg_host *c, int proc, struct arena *mem)
{
	struct lines l;
	struct statfs fs;
	char *s, own[8192];
	autofd fd = -1;

	c->n = 0;
	if (io_get(proc, "self/cgroup", own, sizeof own) < 0)
		return errno == ENOENT;		/* a kernel without cgroups */
	if (statfs("/sys/fs/cgroup", &fs) == 0 &&
	    (unsigned)fs.f_type == K_MAGIC_CGROUP2) {	/* the usual place */
		char path[PATH_MAX];

		if (!cg_add_host(c, own, mem, "/sys/fs/cgroup", "/", "", true))
			return false;
		/* not if only a part is mounted, as in a container without a
		 * cgroup namespace */
		if (c->n && text_to(path, sizeof path, "/sys/fs/cgroup%s",
				    c->h[0].own) && access(path, F_OK) == 0)
			return true;
		c->n = 0;
	}
	fd = openat(proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	io_lines(&l, fd);
	while ((s = io_line(&l))) {
		char *type = str_find(s, " - cgroup"), *root, *mount, *options;

		if (!type)
			continue;
		*type = 0;
		type += 3;
		word_next(&s);		/* mount id, parent id, device */
		word_next(&s);
		word_next(&s);
		root = word_next(&s);
		mount = word_next(&s);
		options = type;
		type = word_next(&options);
		word_next(&options);	/* source */
		if (!cg_add_host(c, own, mem, mount, root, options,
				 str_eq(type, "cgroup2")))
			return false;
	}
	errno = l.error;
	return !l.error;
}

/* config-linux.md, "Cgroups Path": an absolute path is below the mount. A
 * relative path (the id, if no path is given) is below P's own group on v1, and
 * beside P's own group on v2, where a group with processes has no controllers
 * for the groups below it. */
static const char *cg_path(struct arena *mem, const struct cg_hier *h,
			   const char *asked, const char *id)
{
	char *p = mem_new(mem, PATH_MAX);
	bool absolute = asked && *asked == '/';
	struct text t = { p, 0, PATH_MAX, -1, false };
	size_t mount = strlen(h->mount);

	if (!p)
		return NULL;
	text_add(&t, "%s", h->mount);
	if (!absolute)
		text_add(&t, "%s%s", h->own, h->v2 && !h->below ? "/.." : "");
	text_add(&t, "/%s", asked && *asked ? asked : id);
	if (t.bad)
		return NULL;
	path_clean(p + mount);
	mem->p = p + ((strlen(p) + 16) & ~(size_t)15);
	return p;
}

/* ----- CGROUP: knobs ----------------------------------------------------- */

/* The upper 64 bits of the product. */
static uint64_t cg_times(uint64_t a, uint64_t b)
{
	uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
	uint64_t mid = ah * bl + (al * bl >> 32);

	return ah * bh + (mid >> 32) + (((uint32_t)mid + al * bh) >> 32);
}

/* log2(v) as a fixed-point number with 40 fraction bits. */
static uint64_t cg_log2(uint64_t v)
{
	uint64_t l = 63;
	int i;

	for (; !(v >> 63); v <<= 1)
		l--;
	for (i = 0; i < 40; i++) {	/* v in [1, 2), 63 fraction bits */
		v = cg_times(v, v);
		l = l << 1 | v >> 63;
		v <<= !(v >> 63);
	}
	return l;
}

/* Shares (2 to 262144, default 1024) as a weight (1 to 10000, default 100):
 * ceil(10 ^ ((l^2 + 125 l - 126) / 612)), l = log2(shares). */
static unsigned cg_weight(long long shares)
{
	uint64_t l = cg_log2(shares < 2 ? 2 : shares > 262144 ? 262144 :
			     (uint64_t)shares), x;
	unsigned low = 1, high = 10000;

	x = cg_times(l << 12, l << 12) + 125 * l - (126ULL << 40);
	/* log2(10) / 612, with 71 fraction bits */
	x = cg_times(x << 12, 12816472135456776458ULL) >> 19;
	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (cg_log2(mid) + 16 < x)	/* rounding must not add 1 */
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/*
 * Writes a value of the config as the text of a file; nothing, if the config
 * does not ask for the limit. limit is the member of struct spec_resources that
 * the knob names.
 */
typedef void cg_put(struct text *t, const struct spec_resources *r,
		    const void *limit);

static void put_plain(struct text *t, const struct spec_resources *r,
		      const void *limit)
{
	const struct opt *v = limit;

	(void)r;
	if (v->set)
		text_add(t, "%lld", v->v);
}

/* As put_plain(), but 0 asks for no limit. */
static void put_some(struct text *t, const struct spec_resources *r,
		     const void *limit)
{
	if (((const struct opt *)limit)->v)
		put_plain(t, r, limit);
}

/* -1 is "max". */
static void put_max(struct text *t, const struct spec_resources *r,
		    const void *limit)
{
	if (((const struct opt *)limit)->v < 0)
		text_add(t, "max");
	else
		put_some(t, r, limit);
}

/* A 0 that spec_date_pids() leaves is a limit: 1, the kernel's lowest. */
static void put_pids(struct text *t, const struct spec_resources *r,
		     const void *limit)
{
	const struct opt *v = limit;

	if (v->set && v->v == 0)
		text_add(t, "1");
	else
		put_max(t, r, limit);
}

static void put_text(struct text *t, const struct spec_resources *r,
		     const void *limit)
{
	const char *s = *(const char *const *)limit;

	(void)r;
	text_add(t, "%s", s ? s : "");
}

static void put_true(struct text *t, const struct spec_resources *r,
		     const void *limit)
{
	(void)r;
	text_add(t, "%s", *(const bool *)limit ? "1" : "");
}

static void put_oom(struct text *t, const struct spec_resources *r,
		    const void *limit)
{
	(void)limit;
	text_add(t, "%s", r->memory.no_oom_killer ? "1" :
		 r->memory.oom_killer ? "0" : "");
}

/* v2 limits swap alone; the config gives memory and swap together. */
static void put_swap(struct text *t, const struct spec_resources *r,
		     const void *limit)
{
	const struct opt *v = limit;

	if (v->v > 0)
		text_add(t, "%lld", v->v - r->memory.limit.v);
	else
		put_max(t, r, limit);
}

/* An idle group has no weight, and the kernel refuses one. */
static void put_shares(struct text *t, const struct spec_resources *r,
		       const void *limit)
{
	if (!r->cpu.idle.v)
		put_some(t, r, limit);
}

static void put_weight(struct text *t, const struct spec_resources *r,
		       const void *limit)
{
	const struct opt *v = limit;

	if (v->v && !r->cpu.idle.v)
		text_add(t, "%u", cg_weight(v->v));
}

static void put_cpu_max(struct text *t, const struct spec_resources *r,
			const void *limit)
{
	const struct spec_cpu *c = &r->cpu;

	(void)limit;
	if (!c->quota.v && !c->period.v)
		return;
	if (c->quota.v > 0)
		text_add(t, "%lld", c->quota.v);
	else
		text_add(t, "max");
	text_add(t, " %lld", c->period.v ? c->period.v : 100000LL);
}

/* Converts a blkio weight, 10 to 1000, to an io weight, 1 to 10000. */
static void put_io_weight(struct text *t, const struct spec_resources *r,
			  const void *limit)
{
	const struct opt *v = limit;

	(void)r;
	if (v->v)
		text_add(t, "%lld", 1 + (v->v - 10) * 9999 / 990);
}

/* "MAJOR:MINOR VALUE", a line for each device that has a weight. */
static void put_weights_by(struct text *t, const spec_blkio_devices *l,
			   size_t off, cg_put *put)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		const struct spec_blkio_device *d = &l->v[i];
		const struct opt *w = (const void *)((const char *)d + off);

		if (!w->v)
			continue;
		text_add(t, "%s%lld:%lld ", t->len ? "\n" : "", d->major.v,
			 d->minor.v);
		put(t, NULL, w);
	}
}

static void put_weights(struct text *t, const struct spec_resources *r,
			const void *limit)
{
	(void)r;
	put_weights_by(t, limit, offsetof(struct spec_blkio_device, weight),
		       put_plain);
}

static void put_leaf_weights(struct text *t, const struct spec_resources *r,
			     const void *limit)
{
	(void)r;
	put_weights_by(t, limit, offsetof(struct spec_blkio_device,
					  leaf_weight), put_plain);
}

static void put_io_weights(struct text *t, const struct spec_resources *r,
			   const void *limit)
{
	(void)r;
	put_weights_by(t, limit, offsetof(struct spec_blkio_device, weight),
		       put_io_weight);
}

static void put_rates(struct text *t, const struct spec_resources *r,
		      const void *limit)
{
	const spec_blkio_devices *l = limit;
	size_t i;

	(void)r;
	for (i = 0; i < l->n; i++)
		text_add(t, "%s%lld:%lld %llu", i ? "\n" : "",
			 l->v[i].major.v, l->v[i].minor.v, l->v[i].rate);
}

/* Each list has a word of its own in io.max; a rate of 0 means no limit. */
static void put_io_max(struct text *t, const struct spec_resources *r,
		       const void *limit)
{
	static const char *const words[] = { "rbps", "wbps", "riops", "wiops" };
	const spec_blkio_devices *l = limit;
	const char *word = words[l - &r->blkio.read_bps];
	size_t i;

	for (i = 0; i < l->n; i++) {
		text_add(t, "%s%lld:%lld %s=", i ? "\n" : "",
			 l->v[i].major.v, l->v[i].minor.v, word);
		text_add(t, l->v[i].rate ? "%llu" : "max", l->v[i].rate);
	}
}

static void put_priorities(struct text *t, const struct spec_resources *r,
			   const void *limit)
{
	const struct spec_network *n = &r->network;
	size_t i;

	(void)limit;
	for (i = 0; i < n->priorities.n; i++)
		text_add(t, "%s%s %lld", i ? "\n" : "",
			 n->priorities.v[i].name,
			 n->priorities.v[i].priority.v);
}

static void put_rdma(struct text *t, const struct spec_resources *r,
		     const void *limit)
{
	size_t i;

	(void)limit;
	for (i = 0; i < r->rdma.n; i++) {
		const struct spec_rdma *d = &r->rdma.v[i];

		text_add(t, "%s%s", i ? "\n" : "", d->device);
		if (d->handles.set)
			text_add(t, " hca_handle=%lld", d->handles.v);
		if (d->objects.set)
			text_add(t, " hca_object=%lld", d->objects.v);
	}
}

/*
 * The knobs of v1 and of v2, in the order of writing. A file with ? in front
 * may be missing. A file with ~ may be missing if the value is 0 or max. A file
 * with | is written only if the one before it is missing. For a limit that v2
 * does not have, `only` says what happens on v2: a warning or an error.
 */
enum cg_only { CG_BOTH, CG_V1_WARN, CG_V1_FAIL };

struct cg_knob {
	const char	*file;
	cg_put		*put;
	unsigned short	off;		/* in struct spec_resources */
	unsigned short	only;		/* enum cg_only */
	const char	*key;
};

#define R(m) (unsigned short)offsetof(struct spec_resources, m)
#define K(file, put, m)		{ file, put, R(m), CG_BOTH, #m }
#define K_AS(file, put, m, key, only) { file, put, R(m), only, key }

static const struct cg_knob knobs1[] = {
	K("cpu.idle", put_plain, cpu.idle),
	K("cpu.shares", put_shares, cpu.shares),
	K("cpu.cfs_period_us", put_some, cpu.period),
	K("cpu.cfs_quota_us", put_some, cpu.quota),
	K("~cpu.cfs_burst_us", put_plain, cpu.burst),
	K_AS("cpu.rt_period_us", put_some, cpu.rt_period, "cpu.realtimePeriod",
	     CG_V1_FAIL),
	K_AS("cpu.rt_runtime_us", put_some, cpu.rt_runtime,
	     "cpu.realtimeRuntime", CG_V1_FAIL),
	K("cpuset.cpus", put_text, cpu.cpus),
	K("cpuset.mems", put_text, cpu.mems),
	K_AS("memory.use_hierarchy", put_true, memory.use_hierarchy,
	     "memory.useHierarchy", CG_V1_WARN),
	K("memory.limit_in_bytes", put_some, memory.limit),
	K("memory.memsw.limit_in_bytes", put_some, memory.swap),
	K("memory.soft_limit_in_bytes", put_some, memory.reservation),
	K_AS("?memory.kmem.limit_in_bytes", put_some, memory.kernel,
	     "memory.kernel", CG_V1_WARN),
	K_AS("?memory.kmem.tcp.limit_in_bytes", put_some, memory.kernel_tcp,
	     "memory.kernelTCP", CG_V1_WARN),
	K_AS("memory.swappiness", put_plain, memory.swappiness,
	     "memory.swappiness", CG_V1_WARN),
	K_AS("memory.oom_control", put_oom, memory.no_oom_killer,
	     "memory.disableOOMKiller", CG_V1_WARN),
	K_AS("~pids.max", put_pids, pids, "pids.limit", CG_BOTH),
#define BLKIO(file, put, m, key) \
	K_AS(file, put, blkio.m, "blockIO." key, CG_BOTH)
	BLKIO("?blkio.bfq.weight", put_some, weight, "weight"),
	BLKIO("|blkio.weight", put_some, weight, "weight"),
	BLKIO("?blkio.bfq.weight_device", put_weights, weights, "weightDevice"),
	BLKIO("|blkio.weight_device", put_weights, weights, "weightDevice"),
	K_AS("blkio.leaf_weight", put_some, blkio.leaf_weight,
	     "blockIO.leafWeight", CG_V1_WARN),
	K_AS("blkio.leaf_weight_device", put_leaf_weights, blkio.weights,
	     "blockIO.weightDevice.leafWeight", CG_V1_WARN),
	BLKIO("blkio.throttle.read_bps_device", put_rates, read_bps,
	      "throttleReadBpsDevice"),
	BLKIO("blkio.throttle.write_bps_device", put_rates, write_bps,
	      "throttleWriteBpsDevice"),
	BLKIO("blkio.throttle.read_iops_device", put_rates, read_iops,
	      "throttleReadIOPSDevice"),
	BLKIO("blkio.throttle.write_iops_device", put_rates, write_iops,
	      "throttleWriteIOPSDevice"),
	K_AS("net_cls.classid", put_some, network.class_id, "network.classID",
	     CG_V1_FAIL),
	K_AS("net_prio.ifpriomap", put_priorities, network.priorities,
	     "network.priorities", CG_V1_FAIL),
	K("rdma.max", put_rdma, rdma),
};

static const struct cg_knob knobs2[] = {
	K("cpu.idle", put_plain, cpu.idle),
	K("cpu.weight", put_weight, cpu.shares),
	K("cpu.max", put_cpu_max, cpu.quota),
	K("~cpu.max.burst", put_plain, cpu.burst),
	K("cpuset.cpus", put_text, cpu.cpus),
	K("cpuset.mems", put_text, cpu.mems),
	K("~memory.swap.max", put_swap, memory.swap),
	K("memory.max", put_max, memory.limit),
	K("memory.low", put_max, memory.reservation),
	K_AS("~pids.max", put_pids, pids, "pids.limit", CG_BOTH),
	BLKIO("?io.bfq.weight", put_some, weight, "weight"),
	BLKIO("|io.weight", put_io_weight, weight, "weight"),
	BLKIO("?io.bfq.weight", put_weights, weights, "weightDevice"),
	BLKIO("|io.weight", put_io_weights, weights, "weightDevice"),
	BLKIO("io.max", put_io_max, read_bps, "throttleReadBpsDevice"),
	BLKIO("io.max", put_io_max, write_bps, "throttleWriteBpsDevice"),
	BLKIO("io.max", put_io_max, read_iops, "throttleReadIOPSDevice"),
	BLKIO("io.max", put_io_max, write_iops, "throttleWriteIOPSDevice"),
	K("rdma.max", put_rdma, rdma),
#undef BLKIO
};

/* ----- CGROUP: plan ------------------------------------------------------ */

/* The index of the hierarchy with a controller, or with the controller of a
 * file, whose name begins with it. It is a v1 one that has it, else the v2 one;
 * -1: none. */
static int cg_find(const struct cg_host *host, const char *file)
{
	const char *name = str_after(file, "io.") ? "blkio" : file;
	char ctrl[16];
	int found = -1;
	size_t i;

	text_cut(ctrl, sizeof ctrl, name, strcspn(name, "."));
	for (i = 0; i < host->n; i++) {
		if (!host->h[i].v2 && cg_has(host->h[i].ctrls, ctrl))
			return (int)i;
		if (host->h[i].v2)
			found = (int)i;
	}
	return found;
}

/* A value that limits nothing needs neither the file nor the controller. */
static bool cg_is_none(const char *file, const char *value)
{
	return *file == '~' && (str_eq(value, "0") || str_eq(value, "max"));
}

static bool cg_plan_write(struct cg_plan *p, struct arena *mem, int dir,
			  const char *file, const char *value, const char *key)
{
	bool optional = *file == '?' || cg_is_none(file, value);
	bool instead = *file == '|';

	p->w[p->nw++] = (struct cg_write){ (unsigned)dir,
		file + strspn(file, "?~|"), mem_text(mem, "%s", value), key,
		optional, instead, false, false };
	return p->w[p->nw - 1].value != NULL;
}

/* A limit cannot be applied: an error, or a warning with best effort. */
static bool cg_plan_lack(const struct nsrun_options *o, struct err *e)
{
	if (o->flags & NSRUN_BEST_EFFORT)
		log_note(o, NSRUN_WARNING, "%s: it is not applied", e->text);
	return o->flags & NSRUN_BEST_EFFORT;
}

/* Finds the hierarchy *h for a limit that the config asks for. *h < 0: there is
 * none, and the limit is not applied. */
static bool cg_plan_place(const struct cg_host *host, const char *file,
			  const char *key, enum cg_only only, int *h,
			  const struct nsrun_options *o, struct err *e)
{
	*h = cg_find(host, file);
	if (*h >= 0 && host->h[*h].v2 && only == CG_V1_WARN) {
		log_note(o, NSRUN_WARNING, "linux.resources.%s: cgroup v2 has "
			 "no such limit: it is not applied", key);
		*h = -1;
		return true;
	}
	if (*h < 0 || (host->h[*h].v2 && only)) {
		*h = -1;
		fail(e, "linux.resources.%s: no cgroup %sfile system with the "
		     "controller \"%.*s\" is mounted here", key, only ==
		     CG_V1_FAIL ? "v1 " : "", (int)strcspn(file, "."), file);
		return cg_plan_lack(o, e);
	}
	return true;
}

static bool cg_plan_knobs(struct cg_plan *p, const struct cg_host *host,
			  const struct spec_resources *r, bool v2,
			  const struct nsrun_options *o, struct arena *mem,
			  struct err *e)
{
	const struct cg_knob *k = v2 ? knobs2 : knobs1;
	size_t n = v2 ? COUNT(knobs2) : COUNT(knobs1);

	for (; n--; k++) {
		const char *file = k->file + strspn(k->file, "?~|");
		char buf[CG_VALUE_MAX];
		struct text t = TEXT(buf);
		int h;

		k->put(&t, r, (const char *)r + k->off);
		h = t.len ? cg_find(host, file) : -1;
		/* the pass over the v1 table also reports what is missing */
		if (!t.len || (h < 0 && (*k->file == '|' ||
					 cg_is_none(k->file, buf))) ||
		    (h >= 0 && host->h[h].v2 && !k->only) != v2)
			continue;
		if (t.bad)
			return fail(e, "linux.resources.%s: is longer than %d "
				    "bytes", k->key, CG_VALUE_MAX - 1);
		if (!cg_plan_place(host, file, k->key, k->only, &h, o, e))
			return false;
		if (h < 0)
			continue;
		p->limits = true;
		/* on v2 quota and period are one line: name the key in use */
		if (!cg_plan_write(p, mem, h, k->file, buf,
				   k->put == put_cpu_max && !r->cpu.quota.v ?
				   "cpu.period" : k->key))
			return no_memory(e);
	}
	return true;
}

/* The file names contain the page size. The files for reservations (.rsvd)
 * exist since 5.7. */
static bool cg_plan_hugepages(struct cg_plan *p, const struct cg_host *host,
			      const struct spec_resources *r,
			      const struct nsrun_options *o,
			      struct arena *mem, struct err *e)
{
	size_t i, k;
	int h;

	for (i = 0; i < r->hugepages.n; i++) {
		const struct spec_hugepage *g = &r->hugepages.v[i];
		char buf[24];

		if (!cg_plan_place(host, "hugetlb", "hugepageLimits", CG_BOTH,
				   &h, o, e))
			return false;
		text_to(buf, sizeof buf, "%llu", g->limit);
		for (k = 0; h >= 0 && k < 2; k++) {
			struct text t = { mem_new(mem, 64), 0, 64, -1, false };

			if (!t.p)
				return no_memory(e);
			text_add(&t, "%shugetlb.%s%s.%s", k ? "?" : "", g->size,
				 k ? ".rsvd" : "",
				 host->h[h].v2 ? "max" : "limit_in_bytes");
			if (t.bad)
				return fail(e, "linux.resources.hugepageLimits"
					    "[%u].pageSize: is too long",
					    (unsigned)i);
			p->limits = true;
			if (!cg_plan_write(p, mem, h, t.p, buf,
					   "hugepageLimits"))
				return no_memory(e);
		}
	}
	return true;
}

/* Finds out what P may do in the v2 hierarchy: attach BPF programs, and where
 * to make groups. */
static void cg_try(struct cg_host *c)
{
	struct k_bpf_query q = { .type = K_BPF_DEVICE };
	int i = cg_find(c, "devices");
	struct cg_hier *h = i >= 0 ? &c->h[i] : NULL;
	char path[PATH_MAX];
	autofd dir = -1;

	if (!h || !h->v2)
		return;
	dir = io_open(h->mount, O_RDONLY | O_DIRECTORY);
	q.target = (uint32_t)dir;
	/* any other error is reported when the program is attached */
	c->bpf = dir < 0 || sys_bpf(K_BPF_QUERY, &q, sizeof q) == 0 ||
		 !(no_syscall(errno) || errno == EINVAL || errno == EACCES);
	/* in a delegated subtree P's own group may be the top: P may write to
	 * it, but not to the group above it */
	h->below = geteuid() != 0 &&
		   text_to(path, sizeof path, "%s%s", h->mount, h->own) &&
		   io_may(path, W_OK) &&
		   text_to(path, sizeof path, "%s%s/..", h->mount, h->own) &&
		   !io_may(path, W_OK);
}

/* Can v1 express the rules, which are writes from first on? */
static bool dev_check(const struct cg_plan *p, size_t first, struct err *e)
{
	size_t base = first, i, k;
	bool all = true;		/* the default of a new group */

	for (i = first; i < p->nw; i++) {
		bool allow = str_eq(p->w[i].file, "devices.allow");
		struct dev_rule a = dev_rule(p->w[i].value), b;

		if (!a.type) {
			all = allow;
			base = i + 1;
		}
		for (k = base; a.type && allow == all && k < i; k++) {
			b = dev_rule(p->w[k].value);
			if (str_eq(p->w[k].file, p->w[i].file) ||
			    !dev_is_hole(&a, &b))
				continue;
			return fail(e, "linux.resources.devices: cgroup v1 "
				    "cannot %s \"%s\", a part of \"%s\" that "
				    "is %s", allow ? "allow" : "deny",
				    p->w[i].value, p->w[k].value,
				    allow ? "denied" : "allowed");
		}
	}
	return true;
}

/* Plans the rules in order, in the syntax of v1, then the default devices,
 * which every container may use. For v2 they become a BPF program. */
static bool cg_plan_devices(struct cg_plan *p, int dir,
			    const struct spec_resources *r, struct arena *mem,
			    struct err *e)
{
	size_t first = p->nw, i, k;
	char buf[64], n[2][24];

	for (i = 0; i < r->devices.n; i++) {
		const struct spec_device_rule *d = &r->devices.v[i];
		const struct opt *num[2] = { &d->major, &d->minor };
		const char *access = d->access ? d->access : "rwm", *kinds;
		char type = d->type.v == S_IFCHR ? 'c' :
			    d->type.v == S_IFBLK ? 'b' : 'a';

		for (k = 0; k < 2; k++)
			if (num[k]->set && num[k]->v >= 0)
				text_to(n[k], sizeof n[k], "%lld", num[k]->v);
			else
				text_to(n[k], sizeof n[k], "*");
		if (type == 'a' && *n[0] == '*' && *n[1] == '*' &&
		    strchr(access, 'r') && strchr(access, 'w') &&
		    strchr(access, 'm'))
			kinds = "a";
		else	/* to the kernel "a" means all, whatever follows */
			kinds = type == 'a' ? "cb" : type == 'c' ? "c" : "b";
		for (; *kinds; kinds++) {
			text_to(buf, sizeof buf, *kinds == 'a' ? "a" :
				"%c %s:%s %s", *kinds, n[0], n[1], access);
			if (!cg_plan_write(p, mem, dir, d->allow ?
					   "devices.allow" : "devices.deny",
					   buf, "devices"))
				return no_memory(e);
		}
	}
	for (i = 0; i < COUNT(cg_default_devices); i++)
		if (!cg_plan_write(p, mem, dir, "devices.allow",
				   cg_default_devices[i], "devices"))
			return no_memory(e);
	return p->d[dir].h->v2 || dev_check(p, first, e);
}

/* Is anything denied? */
static bool cg_denies(const struct spec_resources *r)
{
	size_t i;

	for (i = 0; i < r->devices.n; i++)
		if (!r->devices.v[i].allow)
			return true;
	return false;
}

/* Plans the container's directory in each hierarchy. */
static bool cg_plan_dirs(struct cg_plan *p, const struct cg_host *host,
			 const char *asked, const char *id, struct arena *mem,
			 struct err *e)
{
	size_t i;

	p->owner = -1;
	p->asked = asked && *asked == '/';
	p->named = asked && *asked;
	for (i = p->n; i < host->n; i++) {	/* not those of cg_recorded() */
		struct cg_dir *d = &p->d[p->n++];

		d->h = &host->h[i];
		d->path = cg_path(mem, d->h, asked, id);
		if (!d->path)
			return fail(e, "linux.cgroupsPath: is too long");
		if (strlen(d->path) == strlen(d->h->mount))
			return fail(e, "linux.cgroupsPath: leads to the top of "
				    "%s, which is not the container's",
				    d->h->mount);
	}
	return true;
}

/* *nodev: the config asks for a device policy, no cgroup here can enforce it,
 * and the container may not run without one. */
static bool cg_plan_policy(struct cg_plan *p, const struct cg_host *host,
			   const struct spec_resources *r, bool *nodev,
			   struct arena *mem, struct err *e)
{
	int dev = cg_find(host, "devices");
	bool denies = cg_denies(r);
	bool lost = denies && (dev < 0 || (host->h[dev].v2 && !host->bpf));

	*nodev = lost && !p->loose;
	/* without a deny rule, v2 needs no allow rules; v1 does, because a
	 * group that existed before may have rules already */
	return !r->devices.n || dev < 0 || lost ||
	       (!denies && host->h[dev].v2) ||
	       cg_plan_devices(p, dev, r, mem, e);
}

static bool cg_plan_unified(struct cg_plan *p, const struct cg_host *host,
			    const struct spec_resources *r,
			    const struct nsrun_options *o, struct arena *mem,
			    struct err *e)
{
	int v2 = -1;
	size_t i;

	for (i = 0; i < host->n; i++)
		if (host->h[i].v2)
			v2 = (int)i;
	if (r->unified.n && v2 < 0) {
		fail(e, "linux.resources.unified: no cgroup v2 file system is "
		     "mounted here");
		return cg_plan_lack(o, e);
	}
	for (i = 0; i < r->unified.n; i++) {
		p->limits = true;
		if (!cg_plan_write(p, mem, v2, r->unified.v[i].key,
				   r->unified.v[i].value, "unified"))
			return no_memory(e);
	}
	return true;
}

static bool cg_plan(struct cg_plan *p, const struct cg_host *host,
		    const struct spec *s, const struct nsrun_options *o,
		    bool *nodev, struct arena *mem, struct err *e)
{
	const struct spec_resources *r = &s->linux.resources;
	size_t i;

	if (r->pids.set && !r->pids.v)
		log_note(o, NSRUN_WARNING, "linux.resources.pids.limit: 0 is "
			 "a limit since ociVersion 1.3.0, the lowest one: the "
			 "process cannot fork (-1: no limit)");
	p->check_memory = r->memory.check_update && r->memory.limit.v > 0;
	p->w = mem_new(mem, (COUNT(knobs1) + COUNT(knobs2) + 2 * r->devices.n +
			     COUNT(cg_default_devices) + 2 * r->hugepages.n +
			     r->unified.n) * sizeof *p->w);
	if (!p->w)
		return no_memory(e);
	if (!cg_plan_dirs(p, host, s->linux.cgroups_path, o->id, mem, e) ||
	    !cg_plan_knobs(p, host, r, false, o, mem, e) ||
	    !cg_plan_knobs(p, host, r, true, o, mem, e) ||
	    !cg_plan_hugepages(p, host, r, o, mem, e) ||
	    !cg_plan_policy(p, host, r, nodev, mem, e) ||
	    !cg_plan_unified(p, host, r, o, mem, e))
		return false;
	for (i = 0; i < p->nw; i++)
		if (str_after(p->w[i].file, "memory."))
			p->d[p->w[i].dir].late = true;
	return true;
}

/* ----- CGROUP: directories ----------------------------------------------- */

/* The end of the path component that follows the one ending at n. */
static size_t cg_next(const char *path, size_t n)
{
	return n + 1 + strcspn(path + n + 1, "/");
}

/* Reads the number that follows word in a file of a group. */
static bool cg_number(const char *path, const char *file, const char *word,
		      unsigned long long *v)
{
	char buf[256];
	const char *s = io_get_in(path, file, buf, sizeof buf) > 0 ?
			str_after(buf, word) : NULL;

	return s && num_unsigned(s, num_len(s), v);
}

/* mkdir failed with EAGAIN: which of the groups above has reached its limit of
 * descendants or of depth? */
static bool cg_explain_mkdir(const char *mount, const char *path,
			     struct err *e)
{
	size_t n = strlen(mount), len = strlen(path), k;
	unsigned long long max, now;
	char at[PATH_MAX];

	for (; e->num == EAGAIN && n < len; n = cg_next(path, n)) {
		text_cut(at, sizeof at, path, n);
		if (cg_number(at, "cgroup.max.descendants", "", &max) &&
		    cg_number(at, "cgroup.stat", "nr_descendants ", &now) &&
		    now >= max)
			return hint(e, "%s/cgroup.max.descendants is %llu, and "
				    "that many exist", at, max);
		for (now = 0, k = n; k < len; k = cg_next(path, k))
			now++;
		if (cg_number(at, "cgroup.max.depth", "", &max) && now > max)
			return hint(e, "%s/cgroup.max.depth is %llu", at, max);
	}
	return false;
}

/* clone failed with EAGAIN: which group, path or one above it, has reached its
 * pids.max? */
static bool cg_explain_clone(const char *mount, const char *path,
			     struct err *e)
{
	size_t n = strlen(mount), len = strlen(path);
	unsigned long long max, now;
	char at[PATH_MAX];

	for (; n <= len; n = n < len ? cg_next(path, n) : len + 1) {
		text_cut(at, sizeof at, path, n);
		if (cg_number(at, "pids.max", "", &max) &&
		    cg_number(at, "pids.current", "", &now) && now >= max) {
			hint(e, "%s/pids.max is %llu, and there are %llu", at,
			     max, now);
			return true;
		}
	}
	return false;
}

/* Is it a group? A controller's file may have the name that was asked for. */
static bool cg_is_group(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Finds out how much of each path exists before nsrun makes the rest. */
static void cg_probe(struct cg_plan *p)
{
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < p->n; i++) {
		size_t n = strlen(p->d[i].path), top;

		top = strlen(p->d[i].h->mount);
		text_to(path, sizeof path, "%s", p->d[i].path);
		while (n > top && !cg_is_group(path)) {
			while (n > top && path[--n] != '/')
				;
			path[n] = 0;
		}
		p->d[i].keep = n;
	}
}

/* Fills an empty v1 cpuset from its parent. A new one is empty, and takes no
 * process; one that existed before may have been left empty by its maker. */
static bool cg_fill_cpuset(const char *path, struct err *e)
{
	static const char *const up[] = { "../cpuset.cpus", "../cpuset.mems" };
	char buf[1024];
	size_t i;

	for (i = 0; i < COUNT(up); i++) {
		if (io_get_in(path, up[i] + 3, buf, sizeof buf) > 1)
			continue;
		if (io_get_in(path, up[i], buf, sizeof buf) < 0) {
			if (errno == ENOENT)	/* mounted with noprefix */
				continue;
			return sysfail(e, "read %s/%s", path, up[i]);
		}
		if (!io_put_in(path, up[i] + 3, buf))
			return sysfail(e, "write %s/%s", path, up[i] + 3);
	}
	return true;
}

/* Does the plan write to a file of the controller in d? */
static bool cg_wants(const struct cg_plan *p, const struct cg_dir *d,
		     const char *ctrl)
{
	const char *rest;
	size_t i;

	for (i = 0; i < p->nw; i++) {
		rest = str_after(p->w[i].file, ctrl);
		if (&p->d[p->w[i].dir] == d && rest && *rest == '.')
			return true;
	}
	return false;
}

/* Enables controllers for the children of a v2 group, which get none without
 * it. A controller that cannot be enabled is reported when its file is written.
 * A group with processes accepts only threaded controllers, and changes its
 * type when it gets one, so it gets only those that are needed. */
static void cg_enable(const char *path, const struct cg_plan *plan,
		      const struct cg_dir *d)
{
	char have[512], on[512], buf[1024], *p = have;
	struct text t = TEXT(buf);
	char *save;
	bool busy;

	*buf = 0;
	if (io_get_in(path, "cgroup.controllers", have, sizeof have) <= 0 ||
	    io_get_in(path, "cgroup.subtree_control", on, sizeof on) < 0 ||
	    str_eq(have, on))
		return;
	str_line(have);
	for (save = p; *p; p++)
		text_add(&t, "%s%c", p == save || p[-1] == ' ' ? "+" : "", *p);
	if (io_put_in(path, "cgroup.subtree_control", buf))
		return;
	busy = errno == EBUSY;
	for (p = strtok_r(buf, " ", &save); p; p = strtok_r(NULL, " ", &save))
		if (!busy || cg_wants(plan, d, p + 1))
			io_put_in(path, "cgroup.subtree_control", p);
}

/* Makes an invalid group threaded: below a threaded group only threaded groups
 * can be used. */
static void cg_thread(const char *path)
{
	char buf[32];

	if (io_get_in(path, "cgroup.type", buf, sizeof buf) > 0 &&
	    str_eq(buf, "domain invalid\n"))
		io_put_in(path, "cgroup.type", "threaded");
}

/* Makes the directories from keep on. Another container's nsrun may remove a
 * common parent between two steps, so a missing one is made again. */
static bool cg_make_dir(const struct cg_plan *p, struct cg_dir *d,
			struct err *e)
{
	char path[PATH_MAX];
	bool cpuset = cg_has(d->h->ctrls, "cpuset");
	size_t n = d->h->v2 || cpuset ? strlen(d->h->mount) : d->keep, next;
	size_t len = strlen(d->path), there = d->keep;
	int tries = 0;

	for (; n < len; n = next) {
		next = cg_next(d->path, n);
		if (d->h->v2) {
			text_cut(path, sizeof path, d->path, n);
			cg_enable(path, p, d);
		}
		text_cut(path, sizeof path, d->path, next);
		if (n < there || mkdir(path, 0755) == 0) {
			if (cpuset && !cg_fill_cpuset(path, e))
				return false;
			if (d->h->v2 && n >= there)
				cg_thread(path);
		} else if (errno == EEXIST && !cg_is_group(path) &&
			   errno != ENOENT) {
			return fail(e, "make cgroup %s: it is a file of the "
				    "group above", path);
		} else if (errno != EEXIST) {
			if (errno != ENOENT || ++tries > 16) {
				sysfail(e, "make cgroup %s", path);
				return cg_explain_mkdir(d->h->mount, path, e);
			}
			there = next = strlen(d->h->mount);
		} else if (!tries || next == len) {
			d->keep = next;	/* made by another since cg_probe() */
		}
	}
	return true;
}

/* In a frozen group, or below one, init would stop before its first message. */
static bool cg_check_thawed(const struct cg_dir *d, struct err *e)
{
	const char *file = d->h->v2 ? "cgroup.events" : "freezer.state";
	char buf[128];

	return (!d->h->v2 && !cg_has(d->h->ctrls, "freezer")) ||
	       io_get_in(d->path, file, buf, sizeof buf) <= 0 ||
	       (*buf != 'F' && !str_find(buf, "frozen 1")) ||
	       fail(e, "container's cgroup is frozen: thaw %s, or the "
		    "frozen one above it", d->path);
}

/* ----- CGROUP: limits ---------------------------------------------------- */

/* Why does a v2 group lack the files of a controller? Looks for the group on
 * the way down that does not pass the controller on. */
static bool cg_explain(const struct cg_dir *d, const char *file, struct err *e)
{
	size_t n = strlen(d->h->mount), len = strlen(d->path);
	char path[PATH_MAX], list[1024], ctrl[32];

	text_cut(ctrl, sizeof ctrl, file, strcspn(file, "."));
	if (io_get_in(d->path, "cgroup.type", list, sizeof list) > 0 &&
	    str_after(list, "threaded") &&
	    !cg_has("cpu,cpuset,perf_event,pids", ctrl))
		return hint(e, "the group is threaded, as the one above it is: "
			    "it can have cpu, cpuset, perf_event and pids "
			    "only");
	for (; n < len; n = cg_next(d->path, n)) {
		text_cut(path, sizeof path, d->path, n);
		if (io_get_in(path, "cgroup.controllers", list, sizeof list) >=
		    0 && !cg_has(list, ctrl))
			return hint(e, "%s/cgroup.controllers does not have "
				    "the controller \"%s\"", path, ctrl);
		if (io_get_in(path, "cgroup.subtree_control", list,
			      sizeof list) < 0 || cg_has(list, ctrl))
			continue;
		return hint(e, "%s/cgroup.subtree_control does not have the "
			    "controller \"%s\"%s", path, ctrl,
			    io_get_in(path, "cgroup.procs", list,
				      sizeof list) > 0 ?
			    ", and cannot have it while processes are in that "
			    "group: move them to a group below it" : "");
	}
	return hint(e, "this kernel does not have it");
}

static bool cg_limit_failed(const struct cg_dir *d, const struct cg_write *w,
			    const char *line, struct err *e)
{
	char used[32];

	/* without its text: callers take ENOENT's for a missing command */
	if (errno == ENOENT && !d->h->v2)
		return fail(e, "linux.resources.%s: this kernel does not have "
			    "%s/%s", w->key, d->path, w->file);
	sysfail(e, "linux.resources.%s: write \"%s\" to %s/%s", w->key, line,
		d->path, w->file);
	if (e->num == ENOENT)
		return cg_explain(d, w->file, e);
	if (e->num != EBUSY || !str_after(w->file, "memory.limit"))
		return false;
	if (io_get_in(d->path, "memory.usage_in_bytes", used, sizeof used) <= 0)
		return false;
	str_line(used);
	return hint(e, "%s bytes are in use", used);
}

/* Does a file of the group hold a number above value? *now is that number. */
static bool cg_exceeds(const struct cg_dir *d, const char *file,
		       const char *value, unsigned long long *now)
{
	unsigned long long max;
	char buf[32];

	return io_get_in(d->path, file, buf, sizeof buf) > 0 &&
	       num_unsigned(buf, strcspn(buf, "\n"), now) &&
	       num_unsigned(value, strlen(value), &max) && *now > max;
}

/* Warns that a limit of the kernel's own memory has no effect: since 5.16 the
 * kernel has no such limit (EOPNOTSUPP), and since 6.7 the write does not even
 * fail. */
static void cg_tell_kernel(const struct cg_dir *d, const struct cg_write *w,
			   const struct nsrun_options *o)
{
	unsigned long long now;

	if (str_after(w->file, "memory.kmem.") &&
	    (w->missing || cg_exceeds(d, w->file, w->value, &now)))
		log_note(o, NSRUN_WARNING, "linux.resources.%s: this kernel "
			 "has no such limit: it is not applied", w->key);
}

/* The file that is open for writing limits. It stays open while the next write
 * is for the same file: a device policy is a dozen lines. */
struct cg_file {
	int		fd;
	const struct cg_write *of;
};

static bool cg_open_limit(const struct cg_dir *d, struct cg_write *w,
			  struct cg_file *f, const char *path, struct err *e)
{
	if (f->fd >= 0 && f->of->dir == w->dir && str_eq(f->of->file, w->file))
		return true;
	fd_close(&f->fd);
	f->fd = io_open(path, O_WRONLY);
	f->of = w;
	w->missing = f->fd < 0 && errno == ENOENT && w->optional;
	return f->fd >= 0 || w->missing || cg_limit_failed(d, w, w->value, e);
}

/* Real-time limits are written from the top down into each new directory, and
 * before a process that uses real time joins. */
static bool cg_put_realtime(const struct cg_dir *d, const struct cg_write *w,
			    struct err *e)
{
	size_t n = d->keep, len = strlen(d->path);
	char path[PATH_MAX];

	do {
		n = n < len ? cg_next(d->path, n) : len;
		text_to(path, sizeof path, "%.*s/%s", (int)n, d->path, w->file);
		if (!io_put(AT_FDCWD, path, w->value))
			return cg_limit_failed(d, w, w->value, e);
	} while (n < len);
	return true;
}

static bool cg_put_limit(const struct cg_dir *d, struct cg_write *w,
			 struct cg_file *f, struct err *e)
{
	const char *line = w->value;
	char buf[PATH_MAX];

	if (w->instead && !w[-1].missing)
		return true;
	if (str_after(w->file, "cpu.rt_"))
		return cg_put_realtime(d, w, e);
	text_to(buf, sizeof buf, "%s/%s", d->path, w->file);
	if (!cg_open_limit(d, w, f, buf, e))
		return false;
	while (!w->missing && *line) {	/* the kernel takes a line per write */
		size_t n = strcspn(line, "\n");

		text_cut(buf, sizeof buf, line, n);
		if (write(f->fd, line, n ? n : 1) < 0) {
			w->missing = w->optional && errno == EOPNOTSUPP;
			if (!w->missing)
				return cg_limit_failed(d, w, buf, e);
		}
		line += n + (line[n] == '\n');
	}
	return true;
}

static bool cg_put_program(const struct cg_dir *d, const struct cg_write *w,
			   size_t n, struct err *e)
{
	autofd group = io_open(d->path, O_RDONLY | O_DIRECTORY);
	struct bpf_program b;

	bpf_make(&b, w, n);
	if (b.n > COUNT(b.v))
		return fail(e, "linux.resources.devices: are too many rules");
	return (group >= 0 && (bpf_attach(&b, group) ||
			       (errno == EPERM &&
				bpf_attach_child(&b, group)))) ||
	       sysfail(e, "linux.resources.devices: attach a program to %s",
		       d->path);
}

/* ----- CGROUP: processes and removal ------------------------------------- */

/* Calls each() for the processes of the group open at dir. Returns 0 or an
 * errno. A group that was removed has no processes, and a threaded one lists
 * threads only. */
static int cg_each_in(int dir, const char *file, void (*each)(void *, int pid),
		      void *data)
{
	autofd fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	struct lines l;
	char *s;

	io_lines(&l, fd);
	l.error = fd < 0 ? errno : 0;
	while (fd >= 0 && (s = io_line(&l))) {
		long long pid;

		if (num_signed(s, strlen(s), &pid))
			each(data, (int)pid);	/* 0: of another pid ns */
	}
	return l.error == ENOENT || l.error == ENODEV ? 0 : l.error;
}

static int cg_each_here(int dir, void (*each)(void *, int pid), void *data)
{
	int num = cg_each_in(dir, "cgroup.procs", each, data);

	return num == EOPNOTSUPP ?
	       cg_each_in(dir, "cgroup.threads", each, data) : num;
}

/* A stack of names, each with its NUL, and room for one more NUL. The container
 * decides how many names there are, so the memory is mapped as it is needed. */
struct cg_names {
	char		*v;
	size_t		n, max;
};

static bool cg_push(struct cg_names *s, const char *name)
{
	size_t len = strlen(name) + 1;

	if (s->n + len >= s->max) {
		size_t max = s->max ? 2 * s->max : 65536;
		void *v = s->v ? mremap(s->v, s->max, max, MREMAP_MAYMOVE) :
			  mmap(NULL, max, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (v == MAP_FAILED)
			return false;
		s->v = v;
		s->max = max;
	}
	memcpy(s->v + s->n, name, len);
	s->n += len;
	return true;
}

/* The last name; NULL: there is none. */
static char *cg_top(const struct cg_names *s)
{
	char *p = s->v + s->n;

	if (!s->n)
		return NULL;
	for (p--; p > s->v && p[-1]; p--)
		;
	return p;
}

/* Pushes the groups in dir. If drop, empty ones are removed instead. */
static bool cg_push_all(struct cg_names *s, int dir, bool drop)
{
	struct k_dirent *d;
	struct entries l;

	io_list(&l, dir);
	while ((d = io_entry(&l)))
		if (d->type == DT_DIR &&
		    (!drop || unlinkat(dir, d->name, AT_REMOVEDIR) < 0) &&
		    !cg_push(s, d->name))
			return false;
	return l.len == 0;
}

/* Calls each() for the processes of a group and of the groups below it. The
 * container may have made those, as many and as deep as it likes, so each
 * directory is read only once. An empty name on the stack means: go up. If
 * drop, the groups below are removed. */
static int cg_each(int top, bool drop, void (*each)(void *, int pid),
		   void *data)
{
	const int how = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	autofd at = openat(top, ".", how);
	struct cg_names s = { NULL, 0, 0 };
	int num = at < 0 ? errno : 0, here, to;
	bool down = true;
	char *name;

	while (at >= 0) {
		here = down ? cg_each_here(at, each, data) : 0;
		num = num ? num : here;
		if (down && !cg_push_all(&s, at, drop) && errno != ENOENT)
			num = errno;
		name = cg_top(&s);
		if (!name)
			break;
		down = *name;
		to = openat(at, down ? name : "..", how);
		if (to < 0) {
			num = errno == ENOENT ? num : errno;
			if (!down)
				break;
			down = false;
			s.n = (size_t)(name - s.v);
			continue;
		}
		fd_close(&at);
		at = to;
		if (down) {
			s.v[s.n++] = 0;
			continue;
		}
		s.n--;			/* left the group on top */
		name = cg_top(&s);
		if (drop)
			unlinkat(at, name, AT_REMOVEDIR);
		s.n = (size_t)(name - s.v);
	}
	if (s.v)
		munmap(s.v, s.max);
	return num;
}

static void cg_signal(void *sig, int pid)
{
	if (pid > 1)
		kill(pid, *(int *)sig);
}

static void cg_count(void *n, int pid)
{
	(void)pid;
	++*(unsigned *)n;
}

/* A group that existed before must be empty, because all processes in it are
 * the container's from now on. */
static bool cg_check_empty(const struct cg_dir *d, struct err *e)
{
	autofd dir = -1;
	unsigned n = 0;

	if (d->keep < strlen(d->path))
		return true;
	dir = io_open(d->path, O_RDONLY | O_DIRECTORY);
	if (dir >= 0)
		cg_each(dir, false, cg_count, &n);
	return n == 0 || fail(e, "container's cgroup is not empty: %u "
			      "process(es) found in %s", n, d->path);
}

/* Removes the directories from the leaf up to what existed before. The groups
 * below the leaf are removed too, and the processes in it and below get sig. A
 * directory above the leaf stays if others use it. False with errno: the leaf
 * stays, because its processes did not end in time. */
static bool cg_drop_path(const char *full, size_t keep, int sig, int *tries)
{
	char path[PATH_MAX];
	size_t len = strlen(full), n = len;

	text_to(path, sizeof path, "%s", full);
	while (n > keep) {
		if (rmdir(path) < 0) {
			if (errno == EBUSY && n == len && ++*tries < 1000) {
				autofd dir = io_open(path, O_RDONLY |
						     O_DIRECTORY);

				if (dir >= 0)
					cg_each(dir, true, cg_signal, &sig);
				if (*tries > 1)
					poll(NULL, 0, 1);
				continue;
			}
			if (errno != ENOENT && errno != ENOTDIR)
				return n < len;
		}
		while (n > keep && path[--n] != '/')
			;
		path[n] = 0;
	}
	return true;
}

/* ----- CGROUP: make, limit, join ----------------------------------------- */

static bool cg_is_device(const struct cg_write *w)
{
	return str_eq(w->key, "devices");
}

/* May the container run without this group, which could not be made? Yes, if
 * nothing has to be written there, cgroupsPath is not absolute and the host
 * gives no cgroup. With best effort only a device policy needs the group. A
 * loose device policy does not need it. */
static bool cg_refused(const struct cg_plan *p, size_t dir,
		       const struct nsrun_options *o, int num)
{
	bool best = o->flags & NSRUN_BEST_EFFORT;
	size_t i;

	for (i = 0; i < p->nw; i++)
		if (p->w[i].dir == dir &&
		    !(cg_is_device(&p->w[i]) ? p->loose : best))
			return false;
	return best || (!p->asked && (num == EACCES || num == EPERM ||
				      num == EROFS));
}

/* Gives a v2 group that the container may divide to the container's user
 * (config-linux.md, "Cgroup ownership"). */
static bool cg_delegate(const struct cg_plan *p, const struct cg_dir *d,
			struct err *e)
{
	char list[1024] = "cgroup.procs\ncgroup.subtree_control\n"
			  "cgroup.threads\n", path[PATH_MAX], *s = list;
	uid_t owner = (uid_t)p->owner;

	if (p->owner < 0 || !d->h->v2 || d->keep == strlen(d->path))
		return true;
	if (io_get(AT_FDCWD, "/sys/kernel/cgroup/delegate", path,
		   sizeof list) > 0)
		text_to(list, sizeof list, "%s", path);
	text_to(path, sizeof path, "%s", d->path);
	do {
		if (chown(path, owner, (gid_t)K_NO_ID) < 0 && errno != ENOENT)
			return sysfail(e, "give %s to its user", path);
		text_to(path, sizeof path, "%s/%.*s", d->path,
			(int)strcspn(s, "\n"), s);
		s += strcspn(s, "\n");
	} while (*s++);
	return true;
}

static bool cg_has_devices(const struct cg_plan *p)
{
	size_t i;

	for (i = 0; i < p->nw; i++)
		if (cg_is_device(&p->w[i]))
			return true;
	return false;
}

static bool cg_make(struct cg_plan *p, const struct nsrun_options *o,
		    struct err *e)
{
	bool said = false;
	int tries = 0;
	size_t i;

	for (i = 0; i < p->n; i++) {
		struct cg_dir *d = &p->d[i];

		d->ours = cg_make_dir(p, d, e) && cg_check_empty(d, e) &&
			  cg_check_thawed(d, e) && cg_delegate(p, d, e);
		if (d->ours && d->h->v2 && d->keep == strlen(d->path) &&
		    !cg_has_devices(p))
			bpf_drop(d->path);
		if (!d->ours)
			cg_drop_path(d->path, d->keep, 0, &tries);
		if (!d->ours && !cg_refused(p, i, o, e->num))
			return wrap(e, "linux.cgroupsPath");
		if (!d->ours && !said)
			log_note(o, p->limits || p->named ? NSRUN_WARNING :
				 NSRUN_DEBUG, "no cgroup of its own, and no "
				 "limits: %s", e->text);
		said |= !d->ours;
	}
	return true;
}

/* Attaches the device policy whose first rule is p->w[first]. *n: how many
 * writes it has. */
static bool cg_put_devices(const struct cg_plan *p, size_t first, size_t *n,
			   struct err *e)
{
	for (*n = 0; first + *n < p->nw && cg_is_device(&p->w[first + *n]); )
		++*n;
	return cg_put_program(&p->d[p->w[first].dir], &p->w[first], *n, e);
}

/* May the container run without the limit that could not be written? */
static bool cg_yields(const struct cg_plan *p, const struct cg_write *w,
		      const struct nsrun_options *o, struct err *e)
{
	if (cg_is_device(w))
		return p->loose && (e->num == EPERM || e->num == EACCES);
	return cg_plan_lack(o, e);
}

/* Some files depend on each other, in an order that depends on their values, so
 * what the kernel refuses is written once more after the rest. */
static bool cg_limit(const struct cg_plan *p, const struct nsrun_options *o,
		     struct err *e)
{
	struct cg_file f = { -1, NULL };
	bool ok = true;
	size_t i, n;
	int round;

	for (round = 0; round < 2 && ok; round++)
		for (i = 0; i < p->nw && ok; i += n) {
			struct cg_write *w = &p->w[i];

			n = 1;
			if (!p->d[w->dir].ours || (round && !w->again))
				continue;
			if (cg_is_device(w) && p->d[w->dir].h->v2) {
				ok = cg_put_devices(p, i, &n, e) ||
				     cg_yields(p, w, o, e);
				continue;
			}
			ok = cg_put_limit(&p->d[w->dir], w, &f, e);
			if (ok)
				cg_tell_kernel(&p->d[w->dir], w, o);
			w->again = !ok && !round && (e->num == EINVAL ||
						     e->num == EBUSY);
			ok = ok || w->again || cg_yields(p, w, o, e);
		}
	fd_close(&f.fd);
	return ok;
}

/* While a neighbour exits, the kernel may answer EINVAL for a moment. */
static bool cg_join_dir(const struct cg_dir *d, const char *pid, struct err *e)
{
	int tries = 0;

	while (!io_put_in(d->path, "cgroup.procs", pid)) {
		if (errno == EINVAL && ++tries < 10) {
			poll(NULL, 0, 10);
			continue;
		}
		return sysfail(e, "join cgroup %s", d->path);
	}
	return true;
}

/* P moves a process into the late groups, or into all others. */
static bool cg_join(const struct cg_plan *p, int pid, bool late,
		    struct err *e)
{
	char buf[16];
	size_t i;

	text_to(buf, sizeof buf, "%d", pid);
	for (i = 0; i < p->n; i++)
		if (p->d[i].ours && p->d[i].late == late &&
		    !cg_join_dir(&p->d[i], buf, e))
			return false;
	return true;
}

/* Finds the group below path that init moved to, by init's /proc/PID/cgroup.
 * The kernel takes no process into a v2 group whose children have
 * controllers. */
static bool cg_path_of(const char *path, int proc, int init, char out[PATH_MAX])
{
	char name[32], text[8192], *s;
	size_t len = strlen(path), n;

	text_to(name, sizeof name, "%d/cgroup", init);
	if (io_get(proc, name, text, sizeof text) < 0)
		return false;
	s = str_after(text, "0::") ? text : str_find(text, "\n0::");
	if (!s)
		return false;
	s = str_find(s, "::") + 2;
	str_line(s);
	/* the end of path that is also the start of s leads to the group */
	for (n = strlen(s); n; n--)
		if (n <= len && strncmp(path + len - n, s, n) == 0 &&
		    s[n] == '/' && !str_find(s, "/.."))
			return text_to(out, PATH_MAX, "%s%s", path, s + n);
	return false;
}

/* P moves one more process to the groups that init is in. */
static bool cg_join_init(const struct cg_plan *p, int pid, int proc, int init,
			 struct err *e)
{
	char buf[16], path[PATH_MAX];
	size_t i;

	text_to(buf, sizeof buf, "%d", pid);
	for (i = 0; i < p->n; i++) {
		struct cg_dir d = { .path = path };

		if (!cg_join_dir(&p->d[i], buf, e) &&
		    (e->num != EBUSY ||
		     !cg_path_of(p->d[i].path, proc, init, path) ||
		     !cg_join_dir(&d, buf, e)))
			return false;
	}
	return true;
}

/* Is there a group that is joined after READY? */
static bool cg_is_late(const struct cg_plan *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->d[i].late)
			return true;
	return false;
}

/* Moves a process from the late groups back to P's own groups. */
static bool cg_leave(const struct cg_plan *p, int pid, struct err *e)
{
	char path[PATH_MAX], buf[16];
	size_t i;

	text_to(buf, sizeof buf, "%d", pid);
	for (i = 0; i < p->n; i++) {
		const struct cg_hier *h = p->d[i].h;

		if (!p->d[i].ours || !p->d[i].late)
			continue;
		text_to(path, sizeof path, "%s%s/cgroup.procs", h->mount,
			h->own);
		if (!io_put(AT_FDCWD, path, buf))
			return sysfail(e, "write %s", path);
	}
	return true;
}

/* Puts the groups that the state records into the plan, at the index of their
 * hierarchy. */
static void cg_recorded(struct cg_plan *p, const struct cg_host *host,
			const struct state *s)
{
	size_t i, k;

	for (i = 0; i < host->n; i++) {
		struct cg_dir *d = &p->d[p->n++];

		*d = (struct cg_dir){ .h = &host->h[i] };
		for (k = 0; k < s->cgroups.n && !d->ours; k++) {
			const char *path = s->cgroups.v[k].path;
			const char *below = str_after(path, d->h->mount);

			if (!below || *below != '/')
				continue;
			d->path = path;
			d->keep = strlen(path);
			d->ours = true;
		}
	}
}

/* ----- CGROUP: statistics ------------------------------------------------ */

/*
 * Statistics, in the shape of runc's: which value is read from which file, in
 * the order of the objects. Only the rows for the cgroup version of a
 * controller count; version 0 means both.
 */
enum stat_kind {
	STAT_NUM,	/* a number, or that of a field; "max" is ~0ULL */
	STAT_LIMIT,	/* the same, but "max" is 0 */
	STAT_SUM,	/* plus that of a second file, the field */
	STAT_LIST,	/* all numbers */
	STAT_COLUMN,	/* the numbers in column number scale */
	STAT_SET,	/* 0-2,5 as numbers */
	STAT_ALL,	/* KEY VALUE in each line: members */
	STAT_PSI,	/* pressure */
	STAT_IO1,	/* MAJOR:MINOR OPERATION VALUE */
	STAT_IO2,	/* io.stat: the keys that end in the field */
};

static const struct cg_stat {
	const char	*object, *key, *file, *field;
	unsigned char	version, kind;
	unsigned	scale;
} cg_stats[] = {
#define S(object, key, v, file, field, kind) \
	{ object, key, file, field, v, kind, 1 }
#define S_BY(object, key, v, file, field, kind, scale) \
	{ object, key, file, field, v, kind, scale }
	S("cpu.usage", "total", 1, "cpuacct.usage", NULL, STAT_NUM),
	S("cpu.usage", "percpu", 1, "cpuacct.usage_percpu", NULL, STAT_LIST),
	S_BY("cpu.usage", "percpu_kernel", 1, "cpuacct.usage_all", NULL,
	     STAT_COLUMN, 2),
	S_BY("cpu.usage", "percpu_user", 1, "cpuacct.usage_all", NULL,
	     STAT_COLUMN, 1),
	/* in hundredths of a second, on every architecture */
	S_BY("cpu.usage", "kernel", 1, "cpuacct.stat", "system", STAT_NUM,
	     10000000),
	S_BY("cpu.usage", "user", 1, "cpuacct.stat", "user", STAT_NUM,
	     10000000),
	S_BY("cpu.usage", "total", 2, "cpu.stat", "usage_usec", STAT_NUM, 1000),
	S_BY("cpu.usage", "kernel", 2, "cpu.stat", "system_usec", STAT_NUM,
	     1000),
	S_BY("cpu.usage", "user", 2, "cpu.stat", "user_usec", STAT_NUM, 1000),
	S("cpu.throttling", "periods", 0, "cpu.stat", "nr_periods", STAT_NUM),
	S("cpu.throttling", "throttledPeriods", 0, "cpu.stat", "nr_throttled",
	  STAT_NUM),
	S("cpu.throttling", "throttledTime", 1, "cpu.stat", "throttled_time",
	  STAT_NUM),
	S_BY("cpu.throttling", "throttledTime", 2, "cpu.stat", "throttled_usec",
	     STAT_NUM, 1000),
	S("cpu.psi", NULL, 2, "cpu.pressure", NULL, STAT_PSI),
	S("cpuset", "cpus", 1, "cpuset.cpus", NULL, STAT_SET),
	S("cpuset", "mems", 1, "cpuset.mems", NULL, STAT_SET),
	S("cpuset", "cpus", 2, "cpuset.cpus.effective", NULL, STAT_SET),
	S("cpuset", "mems", 2, "cpuset.mems.effective", NULL, STAT_SET),
#define SET(key) S("cpuset", #key, 1, "cpuset." #key, NULL, STAT_NUM)
	SET(cpu_exclusive), SET(mem_hardwall), SET(mem_exclusive),
	S("cpuset", "memory_migrate", 1, "cpuset.memory_migrate", NULL,
	  STAT_NUM),
	SET(memory_spread_page), SET(memory_spread_slab), SET(memory_pressure),
	SET(sched_load_balance), SET(sched_relax_domain_level),
#undef SET
	S("memory", "cache", 1, "memory.stat", "cache", STAT_NUM),
	S("memory", "cache", 2, "memory.stat", "file", STAT_NUM),
#define MEM(object, file) \
	S(object, "limit", 1, file ".limit_in_bytes", NULL, STAT_NUM), \
	S(object, "usage", 1, file ".usage_in_bytes", NULL, STAT_NUM), \
	S(object, "max", 1, file ".max_usage_in_bytes", NULL, STAT_NUM), \
	S(object, "failcnt", 1, file ".failcnt", NULL, STAT_NUM)
	MEM("memory.usage", "memory"),
	S("memory.usage", "limit", 2, "memory.max", NULL, STAT_NUM),
	S("memory.usage", "usage", 2, "memory.current", NULL, STAT_NUM),
	S("memory.usage", "max", 2, "memory.peak", NULL, STAT_NUM),
	S("memory.usage", "failcnt", 2, "memory.events", "max", STAT_NUM),
	MEM("memory.swap", "memory.memsw"),
	S("memory.swap", "limit", 2, "memory.swap.max", "memory.max", STAT_SUM),
	S("memory.swap", "usage", 2, "memory.swap.current", "memory.current",
	  STAT_SUM),
	S("memory.swap", "failcnt", 2, "memory.swap.events", "max", STAT_NUM),
	MEM("memory.kernel", "memory.kmem"),
	MEM("memory.kernelTCP", "memory.kmem.tcp"),
#undef MEM
	S("memory.raw", NULL, 0, "memory.stat", NULL, STAT_ALL),
	S("memory.psi", NULL, 2, "memory.pressure", NULL, STAT_PSI),
	S("memory.event_count", NULL, 2, "memory.events", NULL, STAT_ALL),
	S("pids", "current", 0, "pids.current", NULL, STAT_NUM),
	S("pids", "limit", 0, "pids.max", NULL, STAT_LIMIT),
	S("blkio", "ioServiceBytesRecursive", 1,
	  "blkio.throttle.io_service_bytes_recursive", NULL, STAT_IO1),
	S("blkio", "ioServicedRecursive", 1,
	  "blkio.throttle.io_serviced_recursive", NULL, STAT_IO1),
	S("blkio", "ioServiceBytesRecursive", 2, "io.stat", "bytes", STAT_IO2),
	S("blkio", "ioServicedRecursive", 2, "io.stat", "ios", STAT_IO2),
	S("blkio.psi", NULL, 2, "io.pressure", NULL, STAT_PSI),
#undef S
#undef S_BY
};

/* The number at s; "max" gives max, no number gives 0. */
static unsigned long long stat_number(const char *s, unsigned long long max)
{
	unsigned long long v = 0;

	if (str_after(s, "max"))
		return max;
	num_unsigned(s, num_len(s), &v);
	return v;
}

/* The text that follows field at the start of a line, or the whole text without
 * a field; NULL: there is no such line. */
static const char *stat_field(const char *text, const char *field)
{
	size_t n = field ? strlen(field) : 0;

	for (; n && *text; text += strcspn(text, "\n"), text += *text == '\n')
		if (strncmp(text, field, n) == 0 && text[n] == ' ')
			return text + n + 1;
	return n ? NULL : text;
}

/* Splits a line into words, in place; returns how many. */
static unsigned stat_split(char *line, char **w, unsigned max)
{
	unsigned n = 0;

	for (line += strspn(line, " "); *line && n < max; ) {
		w[n++] = line;
		line += strcspn(line, " ");
		while (*line == ' ')
			*line++ = 0;
	}
	return n;
}

/* Puts one entry of a list of block devices. */
static void stat_io(struct json_out *o, const char *device, const char *op,
		    const char *value)
{
	const char *minor = strchr(device, ':');

	if (!minor)
		return;			/* a total */
	json_put_open(o, NULL, '{');
	json_put_u64(o, "major", stat_number(device, 0));
	json_put_u64(o, "minor", stat_number(minor + 1, 0));
	json_put_str(o, "op", op);
	json_put_u64(o, "value", stat_number(value, 0));
	json_put_close(o, '}');
}

/* Puts a word of io.stat, such as rbytes=5, if it is of the field: "bytes" or
 * "ios". */
static void stat_io2(struct json_out *o, const char *device, const char *word,
		     const char *field)
{
	static const struct name ops[] = { { "Read", 'r' }, { "Write", 'w' },
					   { "Discard", 'd' } };
	const char *op = name_of(ops, COUNT(ops), *word);
	const char *value = op ? str_after(word + 1, field) : NULL;

	if (value && *value == '=')
		stat_io(o, device, op, value + 1);
}

/* Puts a line such as "some avg10=0.25 ... total=7". */
static void stat_pressure(struct json_out *o, char **w, unsigned n)
{
	unsigned i;

	json_put_open(o, w[0], '{');
	for (i = 1; i < n; i++) {
		char *eq = strchr(w[i], '=');

		if (!eq)
			continue;
		*eq = 0;
		json_put_key(o, w[i]);	/* a fraction is valid JSON */
		text_add(o->t, "%s", eq + 1);
	}
	json_put_close(o, '}');
}

/* Puts the numbers of a set such as "0-2,5". */
static void stat_set(struct json_out *o, const char *s)
{
	while (is_digit(*s)) {
		unsigned long long from = stat_number(s, 0), to = from;

		s += num_len(s);
		if (*s == '-') {
			to = stat_number(++s, 0);
			s += num_len(s);
		}
		for (; from <= to; from++)
			json_put_u64(o, NULL, from);
		s += *s == ',';
	}
}

static void stat_line(struct json_out *o, const struct cg_stat *s, char *line)
{
	char *w[32];
	unsigned n = stat_split(line, w, COUNT(w)), i;

	if (!n)
		return;
	if (s->kind == STAT_ALL && n == 2)
		json_put_u64(o, w[0], stat_number(w[1], ~0ULL));
	else if (s->kind == STAT_COLUMN && n > s->scale && is_digit(*w[0]))
		json_put_u64(o, NULL, stat_number(w[s->scale], 0));
	else if (s->kind == STAT_IO1 && n == 3)
		stat_io(o, w[0], w[1], w[2]);
	else if (s->kind == STAT_PSI)
		stat_pressure(o, w, n);
	else if (s->kind == STAT_SET)
		stat_set(o, w[0]);
	else if (s->kind == STAT_LIST || s->kind == STAT_IO2)
		for (i = 0; i < n; i++) {
			if (s->kind == STAT_LIST)
				json_put_u64(o, NULL, stat_number(w[i], 0));
			else
				stat_io2(o, w[0], w[i], s->field);
		}
}

/* Puts a number as it is in the file, or multiplied by the scale, or (STAT_SUM)
 * plus the number in dir's file whose name is the field. */
static void stat_put_number(struct json_out *o, const struct cg_stat *s,
			    int dir, const char *text)
{
	bool sum = s->kind == STAT_SUM;
	const char *p = stat_field(text, sum ? NULL : s->field);
	unsigned long long max = s->kind == STAT_LIMIT ? 0 : ~0ULL, v, more;
	char other[64];

	if (!p)
		return;
	v = stat_number(p, max);
	more = sum && io_get(dir, s->field, other, sizeof other) > 0 ?
	       stat_number(other, max) : 0;
	json_put_key(o, s->key);
	if (*p == '-')
		text_add(o->t, "%.*s", (int)strcspn(p, " \n"), p);
	else
		text_add(o->t, "%llu", v == ~0ULL || more == ~0ULL ? ~0ULL :
			 v * s->scale + more);
}

/* Puts the value of one row of the table, from the text of its file. */
static void stat_put(struct json_out *o, const struct cg_stat *s, int dir,
		     char *text)
{
	char *next;

	if (s->kind <= STAT_SUM) {
		stat_put_number(o, s, dir, text);
		return;
	}
	if (s->key)
		json_put_open(o, s->key, '[');
	for (; *text; text = next) {
		next = text + strcspn(text, "\n");
		if (*next)
			*next++ = 0;
		stat_line(o, s, text);
	}
	if (s->key)
		json_put_close(o, ']');
}

/* Closes and opens objects to get from inside one to another: from "cpu.usage"
 * to "memory". */
static void stat_move(struct json_out *o, const char *at, const char *to)
{
	size_t i, n, common = 0;
	char part[32];

	for (i = 0; ; i++) {
		if (strchr(".", at[i]) && strchr(".", to[i]))
			common = i;		/* both at the end of a part */
		if (!at[i] || at[i] != to[i])
			break;
	}
	for (i = common; at[i]; i++)
		if (!i || at[i] == '.')
			json_put_close(o, '}');
	for (i = common; to[i]; i += n) {
		i += to[i] == '.';
		n = strcspn(to + i, ".");
		text_cut(part, sizeof part, to + i, n);
		json_put_open(o, part, '{');
	}
}

/* Puts an object for each page size, from the files of the group open at
 * dir. */
static void stat_hugetlb(struct json_out *o, int dir, bool v2)
{
	static const struct { const char *key, *file[2], *field[2]; } rows[] = {
		{ "usage", { "usage_in_bytes", "current" }, { NULL, NULL } },
		{ "max", { "max_usage_in_bytes", NULL }, { NULL, NULL } },
		{ "failcnt", { "failcnt", "events" }, { NULL, "max" } },
	};
	char name[NAME_MAX + 1], text[128];
	struct k_dirent *d;
	struct entries l;
	size_t i, len;

	io_list(&l, dir);
	while ((d = io_entry(&l))) {
		const char *size = str_after(d->name, "hugetlb.");

		len = size ? strcspn(size, ".") : 0;
		if (!len || !str_eq(size + len + 1, rows[0].file[v2]))
			continue;
		text_cut(name, sizeof name, size, len);
		json_put_open(o, name, '{');
		for (i = 0; i < COUNT(rows); i++) {
			const char *file = rows[i].file[v2], *p = NULL;

			if (file && text_to(name, sizeof name, "hugetlb.%.*s."
					    "%s", (int)len, size, file) &&
			    io_get(dir, name, text, sizeof text) > 0)
				p = stat_field(text, rows[i].field[v2]);
			if (p)
				json_put_u64(o, rows[i].key,
					     stat_number(p, ~0ULL));
		}
		json_put_close(o, '}');
	}
}

/* Puts the members of a statistics object, from the groups that the state
 * records. */
static void cg_put_stats(struct json_out *o, const struct cg_plan *p,
			 const struct cg_host *host)
{
	const char *at = "", *held = "";	/* held: the file in text */
	char text[16384];
	autofd dir = -1;
	int last = -1, h;
	size_t i;

	for (i = 0; i <= COUNT(cg_stats); i++) {
		const struct cg_stat *s = &cg_stats[i];
		bool pages = i == COUNT(cg_stats);	/* after the table */

		h = cg_find(host, pages ? "hugetlb" : s->file);
		if (h < 0 || !p->d[h].ours ||
		    (!pages && s->version && s->version != 1 + host->h[h].v2))
			continue;
		if (h != last) {
			fd_close(&dir);
			dir = io_open(p->d[h].path, O_RDONLY | O_DIRECTORY);
			last = h;
			held = "";
		}
		stat_move(o, at, pages ? "hugetlb" : s->object);
		at = pages ? "hugetlb" : s->object;
		if (dir < 0)
			continue;
		if (pages) {
			stat_hugetlb(o, dir, host->h[h].v2);
			continue;
		}
		if (!str_eq(held, s->file) &&
		    io_get(dir, s->file, text, sizeof text) <= 0)
			*text = 0;
		held = s->file;
		if (!*text)
			continue;
		stat_put(o, s, dir, text);
		if (s->kind > STAT_SUM)		/* text was split in place */
			held = "";
	}
	stat_move(o, at, "");
}

/* Opens a file descriptor that becomes readable when the kernel kills a process
 * for lack of memory: an eventfd on v1, an inotify watch of memory.events on
 * v2. -1: the container has no memory group, or there is an error. */
static int cg_open_oom(const struct cg_plan *p, const struct cg_host *host,
		       struct err *e)
{
	int h = cg_find(host, "memory");
	autofd event = -1, file = -1;
	char path[PATH_MAX], line[32];

	if (h < 0 || !p->d[h].ours)
		return -1;
	text_to(path, sizeof path, "%s/%s", p->d[h].path, host->h[h].v2 ?
		"memory.events" : "memory.oom_control");
	if (host->h[h].v2) {
		event = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		if (event >= 0 && inotify_add_watch(event, path, IN_MODIFY) < 0)
			fd_close(&event);
	} else {
		event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		file = io_open(path, O_RDONLY);
		text_to(line, sizeof line, "%d %d", event, file);
		if (event >= 0 && (file < 0 || !io_put_in(p->d[h].path,
					"cgroup.event_control", line)))
			fd_close(&event);
	}
	if (event < 0)
		sysfail(e, "watch %s", path);
	return fd_take(&event);
}

/* Was a process killed for lack of memory since the last call? told: the watch
 * reported it. v1 reports it before it counts the kill, and reports the removal
 * of the group too; v2 may report it late. */
static bool cg_had_oom(const struct cg_plan *p, const struct cg_host *host,
		       bool told, unsigned long long *seen)
{
	int h = cg_find(host, "memory");
	unsigned long long now;
	char text[512];
	const char *n;

	if (!host->h[h].v2)
		return told && access(p->d[h].path, F_OK) == 0;
	if (io_get_in(p->d[h].path, "memory.events", text, sizeof text) <= 0)
		return false;
	n = stat_field(text, "oom_kill");
	now = n ? stat_number(n, 0) : 0;
	if (now <= *seen)
		return false;
	*seen = now;
	return true;
}

/* ===== RDT ===============================================================
 *
 * linux.intelRdt: shares of the cache and of the memory bandwidth, by the
 * directories of a resctrl file system, which are groups of tasks as cgroups
 * are. A directory that has the container's name is made and removed with it. A
 * directory that closID names is made if it is missing, and stays. A monitoring
 * group below it is always removed with the container. The process joins both
 * after its cgroups.
 */

struct rdt_plan {
	const char	*group;		/* path; NULL: nothing was asked */
	const char	*monitor;	/* path or NULL */
	const char	*schemata;	/* lines */
	bool		own;		/* it has the container's name */
};

static bool rdt_plan(struct rdt_plan *p, const struct spec_rdt *r,
		     const char *id, struct arena *mem, struct err *e)
{
	const char *s = "";
	size_t i;

	if (!r)
		return true;
	p->own = !r->clos || !*r->clos;
	p->group = !p->own && str_eq(r->clos, "/") ? NSRUN_RESCTRL :
		   mem_text(mem, NSRUN_RESCTRL "/%s", p->own ? id : r->clos);
	if (r->monitoring && p->group)
		p->monitor = mem_text(mem, "%s/mon_groups/%s", p->group, id);
	if (r->l3 && *r->l3)
		s = mem_text(mem, "%s\n", r->l3);
	if (s && r->mb && *r->mb)
		s = mem_text(mem, "%s%s\n", s, r->mb);
	for (i = 0; s && i < r->schemata.n; i++)
		s = mem_text(mem, "%s%s\n", s, r->schemata.v[i]);
	p->schemata = s;
	return (s && p->group && (p->monitor || !r->monitoring)) ||
	       no_memory(e);
}

/* Adds the kernel's reason for a refusal, which it writes to a file. */
static bool rdt_failed(struct err *e)
{
	char said[256];

	if (io_get(AT_FDCWD, NSRUN_RESCTRL "/info/last_cmd_status", said,
		   sizeof said) <= 0)
		return false;
	str_line(said);
	return err_add(e, said);
}

/* Writes each line separately, so that the error names the refused one. */
static bool rdt_limit(const struct rdt_plan *p, struct err *e)
{
	char line[CG_VALUE_MAX];
	const char *s = p->schemata;
	size_t n;

	for (; *s; s += n) {
		n = strcspn(s, "\n") + 1;
		if (!text_cut(line, sizeof line, s, n))
			return fail(e, "linux.intelRdt: a schema is too long");
		if (io_put_in(p->group, "schemata", line))
			continue;
		line[n - 1] = 0;
		sysfail(e, "linux.intelRdt: write \"%s\" to %s/schemata", line,
			p->group);
		return rdt_failed(e);
	}
	return true;
}

/* Does the list of a schema, such as 0=7f;1=3, contain one, an entry of n bytes
 * such as 1=3? Leading zeros do not count. */
static bool rdt_has(const char *list, const char *one, size_t n)
{
	size_t id = strcspn(one, "=") + 1, zeros = strspn(one + id, "0");

	for (list += strspn(list, " "); *list && *list != '\n';
	     list += strcspn(list, ";\n"), list += *list == ';') {
		const char *value = list + id;
		size_t rest = n - id - zeros;

		if (strncmp(list, one, id) != 0)
			continue;
		value += strspn(value, "0");
		return strncmp(value, one + id + zeros, rest) == 0 &&
		       strchr(";\n", value[rest]);
	}
	return false;
}

/* An existing group that closID names may be used by others, so it is not
 * changed: it must already have what the config asks for. */
static bool rdt_compare(const struct rdt_plan *p, struct err *e)
{
	char have[CG_VALUE_MAX];
	const char *s = p->schemata, *at;
	size_t n;

	if (io_get_in(p->group, "schemata", have, sizeof have) < 0)
		return sysfail(e, "linux.intelRdt: read %s/schemata", p->group);
	for (; *s; s += *s == '\n') {
		char name[32];

		text_to(name, sizeof name, "%.*s:", (int)strcspn(s, ":\n"), s);
		s += strcspn(s, ":\n");
		at = str_find(have, name);
		for (s += *s == ':'; *s && *s != '\n'; s += n) {
			n = strcspn(s, ";\n");
			if (!at || !memchr(s, '=', n) ||
			    !rdt_has(at + strlen(name), s, n))
				return fail(e, "linux.intelRdt: %s/schemata "
					    "does not have %s%.*s", p->group,
					    name, (int)n, s);
			n += s[n] == ';';
		}
	}
	return true;
}

static bool rdt_make(const struct rdt_plan *p, struct err *e)
{
	bool there;

	if (!p->group)
		return true;
	if (access(NSRUN_RESCTRL "/schemata", F_OK) < 0)
		return fail(e, "linux.intelRdt: no resctrl file system is "
			    "mounted on " NSRUN_RESCTRL);
	there = access(p->group, F_OK) == 0;
	if (!there && !p->own && !*p->schemata)
		return fail(e, "linux.intelRdt.closID: %s does not exist, and "
			    "no schema is given to make it with", p->group);
	if (!there && mkdir(p->group, 0755) < 0) {
		sysfail(e, "linux.intelRdt: make %s", p->group);
		return rdt_failed(e);
	}
	if (!(there && !p->own ? rdt_compare(p, e) : rdt_limit(p, e))) {
		if (!there)
			rmdir(p->group);
		return false;
	}
	if (p->monitor && mkdir(p->monitor, 0755) < 0 && errno != EEXIST) {
		sysfail(e, "linux.intelRdt.enableMonitoring: make %s",
			p->monitor);
		return rdt_failed(e);
	}
	return true;
}

static bool rdt_join(const struct rdt_plan *p, int pid, struct err *e)
{
	const char *dirs[] = { p->group, p->monitor };
	char number[16];
	size_t i;

	text_to(number, sizeof number, "%d", pid);
	for (i = 0; i < COUNT(dirs) && dirs[i]; i++)
		if (!io_put_in(dirs[i], "tasks", number))
			return sysfail(e, "linux.intelRdt: join %s", dirs[i]);
	return true;
}

/* Puts the files of a directory that exist as members, numbers or text. files
 * is a row, as for str_among(). */
static void rdt_put_files(struct json_out *o, const char *key, const char *dir,
			  const char *files)
{
	char text[64];
	bool open = false;

	for (; *files; files = str_next(files)) {
		if (io_get_in(dir, files, text, sizeof text) <= 0)
			continue;
		str_line(text);
		if (!open)
			json_put_open(o, key, '{');
		open = true;
		if (str_eq(files, "cbm_mask"))
			json_put_str(o, files, text);
		else
			json_put_u64(o, files, stat_number(text, 0));
	}
	if (open)
		json_put_close(o, '}');
}

/* Puts the schema of a resource in a group, such as "L3:0=f". */
static void rdt_put_schema(struct json_out *o, const char *key, const char *dir,
			   const char *name)
{
	char text[CG_VALUE_MAX], *s;

	if (io_get_in(dir, "schemata", text, sizeof text) <= 0)
		return;
	s = str_find(text, name);
	if (!s)
		return;
	str_line(s);
	json_put_str(o, key, s);
}

/* Puts the values of each cache's monitors. */
static void rdt_put_monitors(struct json_out *o, const struct rdt_plan *p,
			     const char *key, const char *files)
{
	const char *group = p->monitor ? p->monitor : p->group;
	char path[PATH_MAX];
	struct k_dirent *d;
	struct entries l;
	autofd dir = -1;

	text_to(path, sizeof path, "%s/mon_data", group);
	dir = io_open(path, O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		return;
	json_put_open(o, key, '[');
	io_list(&l, dir);
	while ((d = io_entry(&l))) {
		if (!str_after(d->name, "mon_L3_"))
			continue;
		text_to(path, sizeof path, "%s/mon_data/%s", group, d->name);
		rdt_put_files(o, NULL, path, files);
	}
	json_put_close(o, ']');
}

static void rdt_put_stats(struct json_out *o, const struct rdt_plan *p)
{
	json_put_open(o, "intel_rdt", '{');
	if (p->group) {
		rdt_put_files(o, "l3_cache_info", NSRUN_RESCTRL "/info/L3",
			      "cbm_mask\0min_cbm_bits\0num_closids\0");
		rdt_put_schema(o, "l3_cache_schema_root", NSRUN_RESCTRL, "L3:");
		rdt_put_schema(o, "l3_cache_schema", p->group, "L3:");
		rdt_put_files(o, "mem_bw_info", NSRUN_RESCTRL "/info/MB",
			      "bandwidth_gran\0delay_linear\0min_bandwidth\0"
			      "num_closids\0");
		rdt_put_schema(o, "mem_bw_schema_root", NSRUN_RESCTRL, "MB:");
		rdt_put_schema(o, "mem_bw_schema", p->group, "MB:");
		rdt_put_monitors(o, p, "mbm_stats",
				 "mbm_total_bytes\0mbm_local_bytes\0");
		rdt_put_monitors(o, p, "cmt_stats", "llc_occupancy\0");
	}
	json_put_close(o, '}');
}

/* ===== NS ================================================================
 *
 * Which namespaces are made and which are joined. The clone of init makes all
 * but mount, cgroup and time; the kernel makes a user namespace first, so one
 * clone is enough. Init unshares mount, so that its cwd, the root, moves along,
 * and unshares cgroup when it is in its cgroups. The stage J makes time,
 * because that takes effect for children only.
 *
 * All paths are opened before the first namespace is joined. If J may not join
 * one yet, it joins the user namespace and tries again.
 */

struct ns_join {
	int		type;
	const char	*path;
	int		fd;
};

struct ns_plan {
	unsigned	make;		/* clone flags */
	struct ns_join	join[NS_COUNT];	/* in the order of joining */
	size_t		n;
	bool		stage;		/* J is needed */
	bool		enter;		/* exec: join a container's */
	const char	*uid_map, *gid_map;	/* text of the kernel's files */
	const char	*time_offsets;
	char		**newuidmap, **newgidmap;	/* argv; [1]: the pid */
};

static bool ns_makes(const struct ns_plan *p, int type)
{
	return p->make & (unsigned)type;
}

static bool ns_joins(const struct ns_plan *p, int type)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->join[i].type == type)
			return true;
	return false;
}

/* Does the process leave P's namespace of this type? */
static bool ns_leaves(const struct ns_plan *p, int type)
{
	return ns_makes(p, type) || ns_joins(p, type);
}

/* What the clone of init makes; the others are made later. With a user
 * namespace, ipc is one of those, because its /dev/mqueue belongs to the
 * process that makes it, which must be id 0. */
static unsigned ns_clone_flags(const struct ns_plan *p)
{
	bool user = ns_leaves(p, CLONE_NEWUSER);

	return p->make & ~(unsigned)(CLONE_NEWNS | K_NEWCGROUP | K_NEWTIME |
				     (user ? CLONE_NEWIPC : 0));
}

static const char *ns_map_text(struct arena *mem, const spec_maps *m)
{
	const char *s = "";
	size_t i;

	for (i = 0; s && i < m->n; i++)
		s = mem_text(mem, "%s%lld %lld %lld\n", s, m->v[i].inside.v,
			     m->v[i].outside.v, m->v[i].size.v);
	return s;
}

/* newuidmap(1), newgidmap(1): PID, then three numbers a line. */
static char **ns_map_argv(struct arena *mem, const char *tool,
			  const spec_maps *m)
{
	char **argv = mem_new(mem, (m->n * 3 + 3) * sizeof *argv);
	size_t i, n = 2;

	if (!argv)
		return NULL;
	argv[0] = (char *)tool;
	for (i = 0; i < m->n; i++) {
		argv[n++] = mem_text(mem, "%lld", m->v[i].inside.v);
		argv[n++] = mem_text(mem, "%lld", m->v[i].outside.v);
		argv[n++] = mem_text(mem, "%lld", m->v[i].size.v);
	}
	return argv;
}

static bool ns_plan(struct ns_plan *p, const struct spec *s,
		    struct arena *mem, struct err *e)
{
	const struct spec_linux *l = &s->linux;
	const struct spec_offset *off[2] = { &l->monotonic, &l->boottime };
	const char *offsets = "";
	size_t i, k;

	for (i = 0; i < COUNT(ns_names); i++)
		for (k = 0; k < l->namespaces.n; k++) {
			const struct spec_ns *n = &l->namespaces.v[k];

			if (n->type.v != ns_names[i].value)
				continue;
			if (!n->path || !*n->path) {
				p->make |= (unsigned)n->type.v;
				continue;
			}
			p->join[p->n++] = (struct ns_join){ (int)n->type.v,
							    n->path, -1 };
		}
	p->stage = p->n || ns_makes(p, K_NEWTIME);
	for (i = 0; offsets && i < 2; i++)
		if (off[i]->secs.set || off[i]->nanosecs.set)
			offsets = mem_text(mem, "%s%s %lld %lld\n", offsets,
					   i ? "boottime" : "monotonic",
					   off[i]->secs.v, off[i]->nanosecs.v);
	p->time_offsets = offsets;
	if (ns_makes(p, CLONE_NEWUSER)) {
		p->uid_map = ns_map_text(mem, &l->uids);
		p->gid_map = ns_map_text(mem, &l->gids);
		p->newuidmap = ns_map_argv(mem, "newuidmap", &l->uids);
		p->newgidmap = ns_map_argv(mem, "newgidmap", &l->gids);
		if (!p->uid_map || !p->gid_map || !p->newuidmap ||
		    !p->newgidmap)
			return no_memory(e);
	}
	return p->time_offsets || no_memory(e);
}

static const char *ns_name(int type)
{
	return name_of(ns_names, COUNT(ns_names), type);
}

/* The file of a process's namespace of a type, below a procfs. pid 0: the
 * calling process. */
static void ns_file(char buf[32], int pid, int type)
{
	char number[16] = "self";

	if (pid)
		text_to(number, sizeof number, "%d", pid);
	text_to(buf, 32, "%s/ns/%s", number, type == CLONE_NEWNET ? "net" :
		type == CLONE_NEWNS ? "mnt" : ns_name(type));
}

static int ns_fd(int proc, int pid, int type)
{
	char path[32];

	ns_file(path, pid, type);
	return openat(proc, path, O_RDONLY | O_CLOEXEC);
}

/* Is setgroups() denied here, as in a user namespace that a user made? */
static bool ns_has_no_groups(int proc)
{
	char buf[16];

	return io_get(proc, "self/setgroups", buf, sizeof buf) > 0 &&
	       *buf == 'd';
}

/* Plans to join all namespaces of a process. */
static bool ns_plan_enter(struct ns_plan *p, int pid, struct arena *mem,
			  struct err *e)
{
	char *path;
	size_t i;

	for (i = 0; i < COUNT(ns_names); i++) {
		path = mem_new(mem, 32);
		if (!path)
			return no_memory(e);
		ns_file(path, pid, ns_names[i].value);
		p->join[p->n++] = (struct ns_join){ ns_names[i].value, path,
						    -1 };
	}
	p->stage = p->enter = true;
	return true;
}

/* Opens all namespaces that will be joined. One that P is in already is left
 * out: the kernel would refuse to join the same user namespace again. */
static bool ns_open(struct ns_plan *p, int proc, struct err *e)
{
	char own[32];
	size_t i, n;

	for (i = 0; i < p->n; i++) {
		struct ns_join *j = &p->join[i];
		struct stat a, b;

		j->fd = openat(proc, j->path, O_RDONLY | O_CLOEXEC);
		if (j->fd < 0 && p->enter && errno == ENOENT)
			continue;	/* the kernel has none of this type */
		if (j->fd < 0 || fstat(j->fd, &a) < 0) {
			sysfail(e, "linux.namespaces: open the %s namespace %s",
				ns_name(j->type), j->path);
			return p->enter && e->num == EACCES ?
			       hint(e, "an unprivileged user can enter a "
				    "container only after its start") : false;
		}
		ns_file(own, 0, j->type);
		if (fstatat(proc, own, &b, 0) == 0 && a.st_ino == b.st_ino &&
		    a.st_dev == b.st_dev)
			fd_close(&j->fd);
		/* pivot_root changes the root of all processes in it */
		if (j->type == CLONE_NEWNS && !p->enter &&
		    (j->fd < 0 || (fstatat(proc, "1/ns/mnt", &b, 0) == 0 &&
				   a.st_ino == b.st_ino)))
			return fail(e, "linux.namespaces: the mount namespace "
				    "%s is the host's, whose root would be "
				    "replaced", j->path);
	}
	if (p->enter) {		/* drop those that P is in too */
		for (i = n = 0; i < p->n; i++)
			if (p->join[i].fd >= 0)
				p->join[n++] = p->join[i];
		p->n = n;
	}
	return true;
}

/* Does the path of the namespace to join lead to the one that P is in? */
static bool ns_is_own(const struct ns_plan *p, int type)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->join[i].type == type)
			return p->join[i].fd < 0;
	return false;
}

static bool ns_enter_failed(const struct ns_join *j, struct err *e)
{
	const char *name = ns_name(j->type);

	sysfail(e, "linux.namespaces: join the %s namespace %s", name,
		j->path);
	return e->num == EINVAL ? hint(e, "it is no %s namespace", name) :
	       false;
}

/* Runs in J. The namespaces that need the user namespace's privileges are
 * joined in round two. */
static bool ns_enter(struct ns_plan *p, struct err *e)
{
	int round;
	size_t i;

	for (round = 0; round < 2; round++)
		for (i = 0; i < p->n; i++) {
			struct ns_join *j = &p->join[i];

			if (j->fd < 0)
				continue;
			if (setns(j->fd, j->type) == 0)
				fd_close(&j->fd);
			else if (errno != EPERM || round)
				return ns_enter_failed(j, e);
		}
	return true;
}

/* ENOSPC: which of these types may not be made? A limit of 0 can be read,
 * unless it is that of a user namespace around this one. The hint is given only
 * once: I may have given it already. */
static bool ns_explain_limit(unsigned types, int proc, struct err *e)
{
	char file[32], which[32] = "*", path[64], value[16];
	size_t i;

	for (i = 0; i < COUNT(ns_names); i++) {
		unsigned type = (unsigned)ns_names[i].value;

		if (!(types & type))
			continue;
		ns_file(file, 0, (int)type);
		text_to(path, sizeof path, "sys/user/max_%s_namespaces",
			str_after(file, "self/ns/"));
		if (types == type || (io_get(proc, path, value,
					     sizeof value) > 0 &&
				      *value == '0'))
			text_to(which, sizeof which, "%s",
				str_after(file, "self/ns/"));
	}
	return str_find(e->text, "user.max_") ? false :
	       hint(e, "the sysctl user.max_%s_namespaces, of this user "
		    "namespace or one around it, allows no more", which);
}

/* Runs in I or J. */
static bool ns_unshare(int type, struct err *e)
{
	if (unshare(type) == 0)
		return true;
	sysfail(e, "make the %s namespace", ns_name(type));
	return e->num == ENOSPC ? ns_explain_limit((unsigned)type, -1, e) :
	       false;
}

/* Which namespace does the kernel lack, or which switch forbids it? */
static bool ns_explain(const struct ns_plan *p, int proc, struct err *e)
{
	struct stat st;
	char buf[64];
	size_t i;

	if (e->num == ENOSPC)
		return ns_explain_limit(p->make, proc, e);
	if (e->num == ENOMEM && ns_joins(p, CLONE_NEWPID))
		return hint(e, "nothing can be started in a pid namespace "
			    "whose process 1 has ended");
	if (e->num != EPERM && e->num != EINVAL && e->num != ENOSYS)
		return false;
	for (i = 0; i < COUNT(ns_names); i++) {
		const char *name = ns_names[i].name;

		if (!ns_makes(p, ns_names[i].value))
			continue;
		ns_file(buf, 0, ns_names[i].value);
		if (fstatat(proc, buf, &st, 0) < 0)
			return hint(e, "this kernel has no %s namespaces",
				    name);
	}
	if (e->num == EINVAL)
		return false;
	if (!ns_makes(p, CLONE_NEWUSER))
		return geteuid() == 0 ? hint(e, "CAP_SYS_ADMIN is missing") :
			hint(e, "not root: a user namespace is needed, see "
			     "nsrun spec --rootless");
	if (io_get(proc, "sys/user/max_user_namespaces", buf,
		   sizeof buf) > 0 && *buf == '0')
		return hint(e, "the sysctl user.max_user_namespaces forbids "
			    "it");
	if (io_get(proc, "sys/kernel/unprivileged_userns_clone", buf,
		   sizeof buf) > 0 && *buf == '0')
		return hint(e, "the sysctl kernel.unprivileged_userns_clone "
			    "forbids it");
	if (io_get(proc, "sys/kernel/apparmor_restrict_unprivileged_userns",
		   buf, sizeof buf) > 0 && *buf == '1')
		return hint(e, "the sysctl kernel.apparmor_restrict_"
			    "unprivileged_userns forbids it without a "
			    "profile");
	return false;
}

/* ===== NETLINK ===========================================================
 *
 * netlink(7): messages to the kernel and its answers. A message is built in a
 * buffer. A nest (an attribute that holds attributes) is an offset until it is
 * closed; then its length is filled in. If something does not fit, the message
 * is marked as bad, and refused when it is sent.
 */

struct nl_msg {			/* one or more messages, as they are sent */
	_Alignas(8) char buf[8192];
	size_t		len;
	size_t		head;		/* where the last message begins */
	uint32_t	seq;
	size_t		nest[6];	/* where the open nests begin */
	unsigned	depth;
	bool		bad;		/* something did not fit */
};

/* Appends n zero bytes. NULL: there is no room, and m->bad is set. */
static void *nl_grow(struct nl_msg *m, size_t n)
{
	void *p = m->buf + m->len;

	n = (n + 3) & ~(size_t)3;
	m->bad |= n > sizeof m->buf - m->len;
	if (m->bad)
		return NULL;
	m->len += n;
	return memset(p, 0, n);
}

/* Begins one more message. data, size: the header that this type of message has
 * after struct nlmsghdr. */
static void nl_add(struct nl_msg *m, unsigned type, unsigned flags,
		   const void *data, size_t size)
{
	const struct k_nlmsg h = { 0, (uint16_t)type,
		(uint16_t)(flags | K_NLM_REQUEST), ++m->seq, 0 };
	char *p;

	m->head = m->len;
	p = nl_grow(m, sizeof h + size);
	if (!p)
		return;
	memcpy(p, &h, sizeof h);
	memcpy(p + sizeof h, data, size);
}

/* Fills in the length of the last message, which is complete now. */
static void nl_end(struct nl_msg *m)
{
	if (!m->bad)
		((struct k_nlmsg *)(m->buf + m->head))->len =
			(uint32_t)(m->len - m->head);
}

static void nl_begin(struct nl_msg *m)
{
	m->len = m->head = m->seq = m->depth = 0;
	m->bad = false;
}

static void nl_init(struct nl_msg *m, unsigned type, unsigned flags,
		    const void *data, size_t size)
{
	nl_begin(m);
	nl_add(m, type, flags | K_NLM_ACK, data, size);
}

/* Begins a message about a link. The index names the link; if it is 0, the
 * caller adds a name. up: the flags to set. */
static void nl_link(struct nl_msg *m, unsigned type, unsigned flags, int index,
		    unsigned up)
{
	const struct k_ifinfo h = { .index = index, .flags = up, .change = up };

	nl_init(m, type, flags, &h, sizeof h);
}

static void nl_put(struct nl_msg *m, unsigned type, const void *data, size_t n)
{
	uint16_t *a = nl_grow(m, 4 + n);

	if (!a)
		return;
	a[0] = (uint16_t)(4 + n);
	a[1] = (uint16_t)type;
	if (n)
		memcpy(a + 2, data, n);
}

static void nl_u32(struct nl_msg *m, unsigned type, uint32_t v)
{
	nl_put(m, type, &v, sizeof v);
}

static void nl_str(struct nl_msg *m, unsigned type, const char *s)
{
	nl_put(m, type, s, strlen(s) + 1);
}

/* Opens a nest; nl_close() fills in its length. */
static void nl_open(struct nl_msg *m, unsigned type)
{
	m->nest[m->depth++] = m->len;
	nl_put(m, type, NULL, 0);
}

static void nl_close(struct nl_msg *m)
{
	size_t at = m->nest[--m->depth];

	if (!m->bad)
		*(uint16_t *)(m->buf + at) = (uint16_t)(m->len - at);
}

static int nl_socket(int protocol, struct err *e)
{
	autofd s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	int one = 1;

	if (s < 0)
		return sysfail(e, "open netlink"), -1;
	/* errors: with the kernel's text (4.12), without our own message */
	setsockopt(s, K_SOL_NETLINK, K_NETLINK_CAP_ACK, &one, sizeof one);
	setsockopt(s, K_SOL_NETLINK, K_NETLINK_EXT_ACK, &one, sizeof one);
	return fd_take(&s);
}

/* Finds the attribute of that type in the n bytes at p; NULL: there is none. */
static const char *nl_find(const char *p, size_t n, unsigned type, size_t *len)
{
	uint16_t a[2];

	while (n >= sizeof a) {
		memcpy(a, p, sizeof a);
		if (a[0] < sizeof a || a[0] > n)
			return NULL;
		if ((a[1] & 0x3fff) == type) {
			*len = a[0] - sizeof a;
			return p + sizeof a;
		}
		a[0] = (uint16_t)((a[0] + 3) & ~3);
		p += a[0] < n ? a[0] : n;
		n -= a[0] < n ? a[0] : n;
	}
	return NULL;
}

/* As nl_find(), for a string. "": there is none, or it has no final NUL. */
static const char *nl_text(const char *p, size_t n, unsigned type)
{
	size_t len;
	const char *s = nl_find(p, n, type, &len);

	return s && len && !s[len - 1] ? s : "";
}

typedef void nl_each(void *data, const char *body, size_t n);

enum { NL_MORE = -1, NL_TORN = -2 };

/* Parses replies of the kernel. 0 or an errno: the answer to the message with
 * the number last, or the error of a message before it. NL_MORE: this answer is
 * still to come. NL_TORN: the reply is malformed. said: the kernel's text. */
static int nl_parse(const char *p, size_t n, uint32_t last, nl_each *each,
		    void *data, char said[128])
{
	struct k_nlmsg h;

	while (n >= sizeof h) {
		const char *body = p + sizeof h;
		int32_t num = 0;

		memcpy(&h, p, sizeof h);
		if (h.len < sizeof h || h.len > n)
			return NL_TORN;
		if (h.type == K_NLMSG_ERROR) {
			size_t skip = sizeof num + sizeof h;

			if (h.len < sizeof h + skip)
				return NL_TORN;
			memcpy(&num, body, sizeof num);
			if (h.flags & K_NLM_ACK_TLVS)
				text_to(said, 128, "%s",
					nl_text(body + skip, h.len - sizeof h -
						skip, K_NLMSGERR_MSG));
		} else if (each && h.type != K_NLMSG_DONE) {
			each(data, body, h.len - sizeof h);
		}
		if (num || ((h.type == K_NLMSG_ERROR ||
			     h.type == K_NLMSG_DONE) && h.seq == last))
			return num > 0 || num == INT32_MIN ? NL_TORN : -num;
		h.len = (h.len + 3) & ~3U;
		p += h.len < n ? h.len : n;
		n -= h.len < n ? h.len : n;
	}
	return n ? NL_TORN : NL_MORE;
}

/* Sends the messages in m and reads up to the answer to the last one. each is
 * called for every reply with data, such as those of a dump. On failure e->num
 * is the errno; the caller wraps the text with what it wanted to do. */
static bool nl_call(int s, struct nl_msg *m, nl_each *each, void *data,
		    struct err *e)
{
	_Alignas(8) char buf[8192];
	char said[128] = "";
	int num = NL_MORE;
	ssize_t n;

	nl_end(m);
	if (m->bad)
		return fail(e, "is too long for a message to the kernel");
	if (send(s, m->buf, m->len, 0) < 0)
		return sysfail(e, "send");
	while (num == NL_MORE) {
		n = recv(s, buf, sizeof buf, MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sysfail(e, "receive");
		num = (size_t)n > sizeof buf ? NL_TORN :
		      nl_parse(buf, (size_t)n, m->seq, each, data, said);
	}
	if (num == 0)
		return true;
	while (recv(s, buf, sizeof buf, MSG_DONTWAIT) > 0)
		;		/* answers to messages after the failed one */
	if (num == NL_TORN)
		return fail(e, "the kernel's answer is not understood");
	errno = num;
	return *said ? sysfail(e, "%s", said) : sysfail(e, "the kernel");
}

/* ===== NFT ===============================================================
 *
 * nf_tables over nfnetlink. Functions build the expressions of a rule. A batch
 * makes one rule, or one table with its chains. Numbers are big-endian.
 */

static void nft_u32(struct nl_msg *m, unsigned type, uint32_t v)
{
	nl_u32(m, type, htonl(v));
}

static void nft_begin(struct nl_msg *m)
{
	const struct k_nfgen h = { 0, 0, htons(K_NFNL_NFTABLES) };

	nl_begin(m);
	nl_add(m, K_NFNL_BATCH_BEGIN, 0, &h, sizeof h);
}

static uint8_t nft_family(int family)
{
	return family == AF_INET ? K_NFPROTO_IPV4 : K_NFPROTO_IPV6;
}

static void nft_add(struct nl_msg *m, unsigned what, unsigned flags, int family)
{
	const struct k_nfgen h = { nft_family(family), 0, 0 };

	nl_end(m);
	nl_add(m, K_NFNL_NFTABLES << 8 | what, flags | K_NLM_ACK, &h,
	       sizeof h);
}

static bool nft_commit(int s, struct nl_msg *m, struct err *e)
{
	const struct k_nfgen h = { 0, 0, htons(K_NFNL_NFTABLES) };

	nl_end(m);
	m->seq--;		/* the message before the end is answered */
	nl_add(m, K_NFNL_BATCH_END, 0, &h, sizeof h);
	return nl_call(s, m, NULL, NULL, e);
}

#define NFT_TABLE "nsrun-"		/* then the key, see net_key() */
enum { NFT_COMMENT_MAX = 100 };

/* An expression is two nests: an element of the list, and its data. */
static void nft_open(struct nl_msg *m, const char *name)
{
	nl_open(m, K_NFTA_LIST_ELEM | K_NLA_NESTED);
	nl_str(m, K_NFTA_EXPR_NAME, name);
	nl_open(m, K_NFTA_EXPR_DATA | K_NLA_NESTED);
}

static void nft_close(struct nl_msg *m)
{
	nl_close(m);
	nl_close(m);
}

static void nft_value(struct nl_msg *m, unsigned type, const void *data,
		      size_t n)
{
	nl_open(m, type | K_NLA_NESTED);
	nl_put(m, K_NFTA_DATA_VALUE, data, n);
	nl_close(m);
}

static void nft_cmp(struct nl_msg *m, uint32_t op, const void *data, size_t n)
{
	nft_open(m, "cmp");
	nft_u32(m, K_NFTA_CMP_SREG, K_NFT_REG_1);
	nft_u32(m, K_NFTA_CMP_OP, op);
	nft_value(m, K_NFTA_CMP_DATA, data, n);
	nft_close(m);
}

static void nft_compare(struct nl_msg *m, bool equal, const void *data,
			size_t n)
{
	nft_cmp(m, equal ? K_NFT_CMP_EQ : K_NFT_CMP_NEQ, data, n);
}

/* Loads n bytes of the packet, at that offset in the header of that layer. */
static void nft_payload(struct nl_msg *m, unsigned layer, size_t offset,
			size_t n)
{
	nft_open(m, "payload");
	nft_u32(m, K_NFTA_PAYLOAD_DREG, K_NFT_REG_1);
	nft_u32(m, K_NFTA_PAYLOAD_BASE, layer);
	nft_u32(m, K_NFTA_PAYLOAD_OFFSET, (uint32_t)offset);
	nft_u32(m, K_NFTA_PAYLOAD_LEN, (uint32_t)n);
	nft_close(m);
}

static void nft_mask(struct nl_msg *m, const void *mask, size_t n)
{
	static const unsigned char zero[16];

	nft_open(m, "bitwise");
	nft_u32(m, K_NFTA_BITWISE_SREG, K_NFT_REG_1);
	nft_u32(m, K_NFTA_BITWISE_DREG, K_NFT_REG_1);
	nft_u32(m, K_NFTA_BITWISE_LEN, (uint32_t)n);
	nft_value(m, K_NFTA_BITWISE_MASK, mask, n);
	nft_value(m, K_NFTA_BITWISE_XOR, zero, n);
	nft_close(m);
}

static void nft_meta(struct nl_msg *m, unsigned key)
{
	nft_open(m, "meta");
	nft_u32(m, K_NFTA_META_DREG, K_NFT_REG_1);
	nft_u32(m, K_NFTA_META_KEY, key);
	nft_close(m);
}

/* Matches a packet that came by a published port. */
static void nft_translated(struct nl_msg *m)
{
	const uint32_t bit = K_IPS_DST_NAT;

	nft_open(m, "ct");
	nft_u32(m, K_NFTA_CT_DREG, K_NFT_REG_1);
	nft_u32(m, K_NFTA_CT_KEY, K_NFT_CT_STATUS);
	nft_close(m);
	nft_mask(m, &bit, sizeof bit);
	nft_compare(m, false, (const char[4]){ 0 }, sizeof bit);
}

/* Matches a packet whose destination is an address of the host. */
static void nft_local(struct nl_msg *m)
{
	const uint32_t local = K_RTN_LOCAL;

	nft_open(m, "fib");
	nft_u32(m, K_NFTA_FIB_DREG, K_NFT_REG_1);
	nft_u32(m, K_NFTA_FIB_RESULT, K_NFT_FIB_ADDRTYPE);
	nft_u32(m, K_NFTA_FIB_FLAGS, K_NFTA_FIB_F_DADDR);
	nft_close(m);
	nft_compare(m, true, &local, sizeof local);
}

static void nft_immediate(struct nl_msg *m, unsigned reg, const void *data,
			  size_t n)
{
	nft_open(m, "immediate");
	nft_u32(m, K_NFTA_IMMEDIATE_DREG, reg);
	nft_value(m, K_NFTA_IMMEDIATE_DATA, data, n);
	nft_close(m);
}

static void nft_rule(struct nl_msg *m, int family, const char *table,
		     const char *chain)
{
	nft_begin(m);
	nft_add(m, K_NFT_NEWRULE, K_NLM_CREATE | K_NLM_APPEND, family);
	nl_str(m, K_NFTA_RULE_TABLE, table);
	nl_str(m, K_NFTA_RULE_CHAIN, chain);
	nl_open(m, K_NFTA_RULE_EXPRESSIONS | K_NLA_NESTED);
}

static const struct nft_chain {
	const char	*name;
	uint32_t	hook;
	int32_t		priority;
} nft_chains[] = {
	{ "prerouting", 0, -100 },	/* from outside and from containers */
	{ "output", 3, -100 },		/* from the host itself */
	{ "postrouting", 4, 100 },
};

static bool nft_table(int s, int family, const char *table, struct err *e)
{
	struct nl_msg m;
	size_t i;

	nft_begin(&m);
	nft_add(&m, K_NFT_NEWTABLE, K_NLM_CREATE | K_NLM_EXCL, family);
	nl_str(&m, K_NFTA_TABLE_NAME, table);
	for (i = 0; i < COUNT(nft_chains); i++) {
		nft_add(&m, K_NFT_NEWCHAIN, K_NLM_CREATE, family);
		nl_str(&m, K_NFTA_CHAIN_TABLE, table);
		nl_str(&m, K_NFTA_CHAIN_NAME, nft_chains[i].name);
		nl_str(&m, K_NFTA_CHAIN_TYPE, "nat");
		nl_open(&m, K_NFTA_CHAIN_HOOK | K_NLA_NESTED);
		    nft_u32(&m, K_NFTA_HOOK_HOOKNUM, nft_chains[i].hook);
		    nft_u32(&m, K_NFTA_HOOK_PRIORITY,
			    (uint32_t)nft_chains[i].priority);
		nl_close(&m);
	}
	return nft_commit(s, &m, e);
}

static bool nft_drop_table(int s, int family, const char *table,
			   struct err *e)
{
	struct nl_msg m;

	nft_begin(&m);
	nft_add(&m, K_NFT_DELTABLE, 0, family);
	nl_str(&m, K_NFTA_TABLE_NAME, table);
	return nft_commit(s, &m, e) || wrap(e, "remove the table %s", table);
}

/* ===== NET ===============================================================
 *
 * The keys networks, routes and dns are nsrun's own. They stand beside those of
 * the OCI specification, and other runtimes ignore them. P makes the links,
 * because they begin in the host's namespace. One message makes a veth pair:
 * its far end is created in the container's namespace under its final name. I
 * gives the links addresses and routes from inside, and brings up lo, which has
 * index 1 in a new namespace. All of this uses rtnetlink, which exists even
 * where the kernel has no IPv4.
 *
 * No record is needed to find again what stays on the host:
 * - A link's alias names its container and the container's init. A link without
 *   an alias yet has a group, set when it is created, that names the container.
 * - A bridge that nsrun made has a group and no alias.
 * - The rules for masquerade and publish are in tables of nf_tables, which are
 *   named after the container; the comments of the rules say what they publish.
 *   A table belongs to the init that the links of the same container name.
 * As long as that init lives, its links and tables are never touched: another
 * container that wants one of their names or ports is refused. When the init is
 * dead, they are replaced. One lock for the whole host keeps the last container
 * that leaves a bridge from removing it while another container joins it.
 */

/* ----- NET: whose things are --------------------------------------------- */

/* "nsrn": the group of nsrun's links on the host, which are bridges and ends of
 * veth pairs (these have an alias, too). A firewall can name this group. It is
 * even, the groups of net_group() are odd. */
enum { NET_GROUP = 0x6e73726e };

/* A key names the container that owns a link or a table: its id, cut if it is
 * too long, and a hash of the rest of the id and of the state root. So the same
 * id in another state root is another container. root -1: no state root. */
enum { NET_KEY_MAX = 145 };		/* an alias has 255 bytes at most */

static bool net_hash_root(int root, unsigned *hash)
{
	struct stat st = { 0 };

	if (root >= 0 && fstat(root, &st) < 0)
		return false;
	*hash = str_hash((const char *)&st.st_ino, sizeof st.st_ino) ^
		str_hash((const char *)&st.st_dev, sizeof st.st_dev);
	return true;
}

static const char *net_key(char key[NET_KEY_MAX], const char *id, int root)
{
	const size_t most = NET_KEY_MAX - 10, n = strlen(id);
	unsigned hash;

	if (!net_hash_root(root, &hash))
		return NULL;
	text_to(key, NET_KEY_MAX, "%.*s-%x", (int)most, id,
		hash ^ (n > most ? str_hash(id + most, n - most) : 0));
	return key;
}

static int net_group(const char *id)
{
	return (int)(str_hash(id, strlen(id)) >> 1 | 1);
}

#define NET_ALIAS "nsrun "		/* then key, pid, start time, pid ns
					   and addresses of the container */
enum { NET_ALIAS_MAX = 256 };		/* IFALIASZ */

/* An alias names this, too: pids of another pid namespace mean nothing here. */
static unsigned long long net_pid_ns(int proc)
{
	struct stat st = { 0 };

	fstatat(proc, "self/ns/pid", &st, 0);
	return st.st_ino;
}

static void net_alias(char buf[NET_ALIAS_MAX], const char *key, int pid,
		      int proc)
{
	text_to(buf, NET_ALIAS_MAX, NET_ALIAS "%s %d %lld %llu", key, pid,
		state_pid_start(proc, pid), net_pid_ns(proc));
}

/* Is the init that this alias names alive? If nsrun cannot tell, the answer is
 * yes, and nothing is taken from that container. */
static bool net_lives(const char *alias, int proc)
{
	const char *s = strchr(alias + strlen(NET_ALIAS), ' ');
	long long v[3];
	size_t i, len;

	for (i = 0; i < COUNT(v); i++, s += 1 + len) {
		len = s && *s ? num_len(s + 1) : 0;
		if (!len || !num_signed(s + 1, len, &v[i]))
			return true;
	}
	return (unsigned long long)v[2] != net_pid_ns(proc) ||
	       state_alive(proc, (struct opt){ v[0], true },
			   (struct opt){ v[1], true });
}

/* Does the alias have this key? An empty key matches all containers. */
static bool net_is_of(const char *alias, const char *key)
{
	const char *s = str_after(alias, NET_ALIAS);

	s = s ? str_after(s, key) : NULL;
	return s && (!*key || !*s || *s == ' ');
}

/* ----- NET: plan --------------------------------------------------------- */

struct net_addr {
	unsigned char	family;		/* 0: none */
	unsigned char	prefix;
	unsigned char	b[16];
};

struct net_port {
	struct net_addr	host;		/* none: all addresses of the host */
	unsigned	from, to;	/* the first of count ports */
	unsigned	count;
	bool		udp;
};

/* In arrays of two, [0] is IPv4 and [1] is IPv6. */
struct net_if {
	const struct spec_network_if *s;
	struct net_addr	addr[2], via[2], host[2], bridge[2];
	unsigned char	mac[6];
	bool		has_mac;
	bool		made;		/* by this call, on a parent link */
	unsigned	id;		/* a hash of the container's id */
	unsigned	mode, mtu;	/* mtu 0: the kernel chooses it */
	char		born[16];	/* its first name; "": s->name */
	int		end, master;	/* indices of the host's end and of its
					   bridge, once they are made */
	struct net_port	*ports;
	size_t		nports;
};

struct net_route {
	const char	*dev;
	struct net_addr	to, from, via;	/* no to: the default route */
	struct opt	metric;
};

struct net_plan {
	struct net_if	*v;
	size_t		n;
	struct net_route *r;
	size_t		nr;
	bool		nat[2];		/* forwarding is needed */
	bool		forwards[2];	/* this call switched it on */
	const char	*files[3];	/* texts of net_files, or NULL */
	const char	*tmpfs;		/* options of the tmpfs for the files */
	unsigned	mark;		/* see net_is_marked() */
};

static const char *const net_files[] = { "/etc/resolv.conf", "/etc/hosts",
					 "/etc/hostname" };

static bool net_is_file(const char *path)
{
	size_t i;

	for (i = 0; i < COUNT(net_files); i++)
		if (str_eq(net_files[i], path))
			return true;
	return false;
}

/*
 * Each of net_files is bound over a file of the root. If that file is missing,
 * nsrun makes an empty one, and removes it with the last container of the root.
 * It must not be removed while another container has its bind there: unlink()
 * would silently undo that bind (since 3.18). So the file is marked: by the
 * sticky bit, and by its mtime, a hash that says in which state root to look
 * for other containers. A container of another state root takes the mark away,
 * and then the file stays. An /etc that was made for the files has the sticky
 * bit, too, and is removed with them if nothing else is in it.
 */
static bool net_is_marked(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_mode & S_ISVTX && !st->st_size;
}

static size_t net_size(const struct net_addr *a)
{
	return a->family == AF_INET ? 4 : 16;
}

/* Does what inet_ntop(3) does, which needs the whole of printf, and a floating
 * point unit. The longest run of zeros becomes "::"; of several equally long
 * runs it is the first (RFC 5952). */
static void net_text(struct text *t, const struct net_addr *a)
{
	int i, k, from = 8, most = 1;	/* a single zero is written out */

	if (a->family == AF_INET) {
		text_add(t, "%u.%u.%u.%u", a->b[0], a->b[1], a->b[2], a->b[3]);
		return;
	}
	for (i = 0; i < 8; i = k + 1) {
		for (k = i; k < 8 && !a->b[2 * k] && !a->b[2 * k + 1]; k++)
			;
		if (k - i > most) {
			most = k - i;
			from = i;
		}
	}
	for (i = 0; i < 8; i++) {
		if (i == from) {
			text_add(t, i ? ":" : "::");
			i += most - 1;
			continue;
		}
		text_add(t, i < 7 ? "%x:" : "%x",
			 (unsigned)a->b[2 * i] << 8 | a->b[2 * i + 1]);
	}
}

/* Parses n characters at s: ADDRESS/PREFIX if prefix is set, else ADDRESS. */
static bool net_read(const char *s, size_t n, bool prefix, struct net_addr *a)
{
	const char *slash = memchr(s, '/', n);
	size_t len = slash ? (size_t)(slash - s) : n;
	unsigned long long v = 0;
	char text[64];

	if (!text_cut(text, sizeof text, s, len))
		return false;
	a->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	a->prefix = (unsigned char)(net_size(a) * 8);
	if (slash && (!num_unsigned(slash + 1, n - len - 1, &v) ||
		      v > net_size(a) * 8))
		return false;
	if (slash)
		a->prefix = (unsigned char)v;
	return (slash != NULL || !prefix) && (prefix || !slash) &&
	       inet_pton(a->family, text, a->b) == 1;
}

static bool net_is_name(const char *s)
{
	return s && *s && strlen(s) < 16 && !strpbrk(s, "/:% \t\n") &&
	       !str_eq(s, ".") && !str_eq(s, "..");
}

/* PORT or PORT-PORT */
static bool net_read_range(const char *s, size_t n, unsigned *first,
			   unsigned *count)
{
	const char *dash = memchr(s, '-', n);
	size_t len = dash ? (size_t)(dash - s) : n;
	unsigned long long from, to;

	if (!num_unsigned(s, len, &from) ||
	    !(dash ? num_unsigned(dash + 1, n - len - 1, &to) :
		     num_unsigned(s, len, &to)) ||
	    !from || to < from || to > 65535)
		return false;
	*first = (unsigned)from;
	*count = (unsigned)(to - from) + 1;
	return true;
}

/* 8080:80, 8000-8010:8000-8010, 8080:80/udp, 192.0.2.1:8080:80,
 * [2001:db8::1]:8080:80/tcp */
static bool net_read_port(const char *s, struct net_port *p)
{
	const char *end = s + strcspn(s, "/"), *colon, *first;
	unsigned count;

	p->udp = str_eq(end, "/udp");
	if (*end && !p->udp && !str_eq(end, "/tcp"))
		return false;
	for (colon = end; colon > s && *colon != ':'; colon--)
		;
	for (first = colon; first > s && first[-1] != ':'; first--)
		;
	if (first > s && (*s == '[' ? first - s < 4 || first[-2] != ']' ||
			  !net_read(s + 1, (size_t)(first - s) - 3, false,
				    &p->host) :
			  !net_read(s, (size_t)(first - s) - 1, false,
				    &p->host) || p->host.family != AF_INET))
		return false;
	return colon > s &&
	       net_read_range(first, (size_t)(colon - first), &p->from,
			      &p->count) &&
	       net_read_range(colon + 1, (size_t)(end - colon) - 1, &p->to,
			      &count) && count == p->count;
}

/* 0.0.0.0 or ::, which stands for all addresses of the family. */
static bool net_is_zero(const struct net_addr *a)
{
	return memcmp(a->b, (const char[16]){ 0 }, net_size(a)) == 0;
}

static bool net_is_same(const struct net_addr *a, const struct net_addr *b)
{
	return a->family && a->family == b->family &&
	       memcmp(a->b, b->b, net_size(a)) == 0;
}

/* A loopback address (127.0.0.0/8, ::1), from where nothing is forwarded. */
static bool net_is_own(const struct net_addr *a)
{
	return a->family == AF_INET ? a->b[0] == 127 :
	       a->b[15] == 1 && memcmp(a->b, (const char[16]){ 0 }, 15) == 0;
}

static bool net_port_is_of(const struct net_port *p, int family)
{
	return !p->host.family || p->host.family == family;
}

/* Finds a published port of the network f that overlaps with port: if two
 * publish the same port, the second gets nothing. NULL: there is none. */
static const char *net_find_port(const struct net_if *f,
				 const struct net_port *port, int family)
{
	size_t i;

	for (i = 0; f->addr[family == AF_INET6].family && i < f->nports; i++) {
		const struct net_port *p = &f->ports[i];

		if (p->from < port->from + port->count &&
		    port->from < p->from + p->count && p->udp == port->udp &&
		    net_port_is_of(p, family) && net_port_is_of(port, family) &&
		    (net_is_zero(&p->host) || net_is_zero(&port->host) ||
		     memcmp(p->host.b, port->host.b, net_size(&p->host)) == 0))
			return f->s->publish.v[i];
	}
	return NULL;
}

enum { NET_MAPPED_MAX = 1000 };	/* each is a rule for each chain */

static bool net_plan_ports(struct net_plan *p, struct net_if *f, struct err *e)
{
	const struct strs *l = &f->s->publish;
	const struct net_if *of;
	const char *twin = NULL;
	size_t i, k;

	for (i = 0; i < l->n; i++) {
		struct net_port *port = &f->ports[i];

		if (!net_read_port(l->v[i], port))
			return fail(e, "publish[%u]: \"%s\" is not "
				    "[ADDRESS:]PORT:PORT[/tcp|/udp], PORT is "
				    "a number or a range FIRST-LAST, both of "
				    "equal lengths",
				    (unsigned)i, l->v[i]);
		if (port->from != port->to && port->count > NET_MAPPED_MAX)
			return fail(e, "publish[%u]: \"%s\" changes the "
				    "numbers of %u ports, %u are the most (a "
				    "range that keeps them has no limit)",
				    (unsigned)i, l->v[i], port->count,
				    (unsigned)NET_MAPPED_MAX);
		k = port->host.family == AF_INET6;
		if (port->host.family && net_is_own(&port->host))
			return fail(e, "publish[%u]: \"%s\" has a loopback "
				    "address, from where nothing is forwarded: "
				    "the host can use the container's address",
				    (unsigned)i, l->v[i]);
		if (port->host.family && !f->addr[k].family)
			return fail(e, "publish[%u]: the container has no "
				    "address of the family of %s", (unsigned)i,
				    l->v[i]);
		for (of = p->v; !twin && of <= f; of++) {
			twin = net_find_port(of, port, AF_INET);
			if (!twin)
				twin = net_find_port(of, port, AF_INET6);
		}
		if (twin)
			return fail(e, "publish[%u]: %s has that port already",
				    (unsigned)i, twin);
		f->nports++;
	}
	for (k = 0; k < 2; k++)
		p->nat[k] |= (l->n || f->s->masquerade) && f->addr[k].family;
	return (f->addr[0].family || f->addr[1].family ||
		(!l->n && !f->s->masquerade)) ||
	       fail(e, "%s: needs an address", l->n ? "publish" : "masquerade");
}

/* Two bytes and the four given. The 2 says "locally administered". */
static void net_put_mac(unsigned char mac[6], const void *four)
{
	memcpy(mac, "\2n", 2);
	memcpy(mac + 2, four, 4);
}

/* Makes a hardware address from the IPv4 address, or from a hash of the IPv6
 * address. So a neighbour that remembers the hardware address of the last
 * container with this address is right about the next one, too. False: a is
 * empty. */
static bool net_mac(const struct net_addr a[2], unsigned char mac[6])
{
	const struct net_addr *of = a[0].family ? &a[0] : &a[1];
	unsigned hash;

	if (!of->family)
		return false;
	hash = str_hash((const char *)of->b, net_size(of));
	net_put_mac(mac, of->family == AF_INET ? (const void *)of->b : &hash);
	return true;
}

/* Makes a hardware address from the container's id and the link's name. It is
 * the same in each run, so a DHCP lease lasts. seed makes a difference between
 * links of different parents, which may be in one network. */
static void net_mac_of_name(struct net_if *f, unsigned seed)
{
	unsigned hash = seed ^ f->id * 31 ^
			str_hash(f->s->name, strlen(f->s->name));

	if (!f->has_mac)
		net_put_mac(f->mac, &hash);
	f->has_mac = true;
}

/* The addresses of a network: the fields of their texts and of their values. */
static const struct {
	const char	*key;
	unsigned short	text, to;	/* offsets in spec and plan */
	bool		v6, prefix;
} net_keys[] = {
#define ADDRESS(key, from, to, v6, prefix) \
	{ key, OFF(spec_network_if, from[v6]), OFF(net_if, to[v6]), v6, prefix }
	ADDRESS("address", address, addr, 0, true),
	ADDRESS("ipv6_address", address, addr, 1, true),
	ADDRESS("gateway", gateway, via, 0, false),
	ADDRESS("ipv6_gateway", gateway, via, 1, false),
	ADDRESS("host_address", host_address, host, 0, true),
	ADDRESS("host_ipv6_address", host_address, host, 1, true),
	ADDRESS("bridge_address", bridge_address, bridge, 0, true),
	ADDRESS("bridge_ipv6_address", bridge_address, bridge, 1, true),
#undef ADDRESS
};

static bool net_plan_addresses(struct net_if *f, struct err *e)
{
	size_t i;

	for (i = 0; i < COUNT(net_keys); i++) {
		const char *text = *(const char *const *)((const char *)f->s +
							  net_keys[i].text);
		struct net_addr *to = (void *)((char *)f + net_keys[i].to);

		if (text && (!net_read(text, strlen(text), net_keys[i].prefix,
				       to) ||
			     (to->family == AF_INET6) != net_keys[i].v6))
			return fail(e, "%s: \"%s\" is no IPv%c address%s",
				    net_keys[i].key, text,
				    net_keys[i].v6 ? '6' : '4',
				    net_keys[i].prefix ?
				    " with a prefix length" : "");
	}
	return true;
}

/* Is the link on a parent, a link of the host? Before 6.15 the kernel looks for
 * the name of such a new link in the host's namespace, and refuses a name that
 * is taken there. So the link is created under a name that nobody else uses,
 * and I gives it its own name inside. */
static bool net_is_on_link(const struct net_if *f)
{
	return f->s->type.v == NET_MACVLAN || f->s->type.v == NET_IPVLAN;
}

static bool net_plan_gateways(const struct net_if *f, struct err *e)
{
	size_t k;

	for (k = 0; k < 2; k++)
		if (net_is_same(&f->addr[k], &f->via[k]) ||
		    net_is_same(&f->addr[k], &f->bridge[k]) ||
		    net_is_same(&f->addr[k], &f->host[k]))
			return fail(e, "%saddress: is that of the gateway, the "
				    "bridge or the other end",
				    k ? "ipv6_" : "");
	if (f->via[0].family && !f->addr[0].family)
		return fail(e, "gateway: needs an address");
	return !f->s->metric.set || f->via[0].family || f->via[1].family ||
	       fail(e, "metric: needs a gateway");
}

/* Does the config of lo set nothing? The address and gateway that libcontainer
 * writes for lo are accepted: they say what lo has anyway. */
static bool net_is_bare(const struct spec_network_if *s)
{
	return !s->bridge && !s->mac && !s->host_name && !s->mode &&
	       !s->hairpin && !s->masquerade && !s->publish.n &&
	       !s->publish_over && !s->mtu.v && !s->txqlen.set &&
	       !s->metric.set && !s->vlan.set && !s->address[1] &&
	       !s->gateway[1] && !s->host_address[0] && !s->host_address[1] &&
	       !s->bridge_address[0] && !s->bridge_address[1] &&
	       (!s->address[0] || str_eq(s->address[0], "127.0.0.1/0")) &&
	       (!s->gateway[0] || str_eq(s->gateway[0], "localhost"));
}

static bool net_read_mac(const char *s, unsigned char mac[6])
{
	size_t i;

	for (i = 0; i < 6; i++) {
		int v = strlen(s) == 17 ? num_hex(s + 3 * i, 2) : -1;

		if (v < 0 || (i < 5 && s[3 * i + 2] != ':'))
			return false;
		mac[i] = (unsigned char)v;
	}
	return true;
}

static bool net_plan_mac(struct net_if *f, struct err *e)
{
	bool veth = f->s->type.v == NET_VETH;

	if (f->s->mac && !net_read_mac(f->s->mac, f->mac))
		return fail(e, "mac_address: \"%s\" is no address such as "
			    "02:00:00:00:00:01", f->s->mac);
	f->has_mac = f->s->mac || (veth && net_mac(f->addr, f->mac));
	if (veth)
		net_mac_of_name(f, 0);
	return true;
}

static void net_mac_text(struct text *t, const unsigned char mac[6])
{
	size_t i;

	for (i = 0; i < 6; i++)
		text_add(t, "%s%x%x", i ? ":" : "", mac[i] >> 4, mac[i] & 15U);
}

static bool net_plan_one(struct net_plan *p, struct net_if *f, size_t index,
			 struct err *e)
{
	const struct spec_network_if *s = f->s;
	bool veth = s->type.v == NET_VETH;
	const struct name *mode;
	size_t i;

	if (s->type.v == NET_LOOPBACK)
		return net_is_bare(s) ||
		       fail(e, "type: loopback has nothing to set");
	if (!net_is_name(s->name))
		return fail(e, "name: is not 1 to 15 characters of an "
			    "interface");
	for (i = 0; i < index; i++)
		if (p->v[i].s->name && str_eq(p->v[i].s->name, s->name))
			return fail(e, "name: %s stands there twice", s->name);
	if ((s->host_name || !veth) && !net_is_name(s->host_name))
		return fail(e, "host_interface_name: %s", s->host_name ?
			    "is not 1 to 15 characters of an interface" :
			    "is missing");
	if (s->bridge && !net_is_name(s->bridge))
		return fail(e, "bridge: is not 1 to 15 characters of an "
			    "interface");
	if (!veth && (s->bridge || s->hairpin || s->host_address[0] ||
		      s->host_address[1] || s->publish.n || s->masquerade))
		return fail(e, "bridge, host_address, hairpin_mode, masquerade "
			    "and publish are for the type veth");
	if (!s->bridge && (s->bridge_address[0] || s->bridge_address[1]))
		return fail(e, "bridge_address: there is no bridge");
	if ((s->hairpin || s->vlan.set) && !s->bridge)
		return fail(e, "%s: there is no bridge", s->hairpin ?
			    "hairpin_mode" : "vlan");
	if (s->bridge && (s->host_address[0] || s->host_address[1]))
		return fail(e, "host_address: the pair is on a bridge, see "
			    "bridge_address");
	if (!net_plan_addresses(f, e) || !net_plan_gateways(f, e) ||
	    !net_plan_mac(f, e))
		return false;
	mode = !s->mode ? NULL : s->type.v == NET_MACVLAN ?
	       name_find(macvlan_modes, COUNT(macvlan_modes), s->mode) :
	       s->type.v == NET_IPVLAN ?
	       name_find(ipvlan_modes, COUNT(ipvlan_modes), s->mode) : NULL;
	if (s->mode && !mode)
		return fail(e, "mode: %s has no mode \"%s\"",
			    name_of(net_kinds, COUNT(net_kinds),
				    (int)s->type.v), s->mode);
	f->mode = mode ? (unsigned)mode->value :
		  s->type.v == NET_MACVLAN ? K_MACVLAN_BRIDGE : 0;
	f->mtu = (unsigned)s->mtu.v;
	if (f->mtu && f->mtu < K_IPV6_MIN_MTU &&
	    (f->addr[1].family || f->host[1].family))
		return fail(e, "mtu: IPv6 needs %d", K_IPV6_MIN_MTU);
	return net_plan_ports(p, f, e);
}

static bool net_plan_route(struct net_route *r, const struct spec_route *s,
			   struct err *e)
{
	const struct {
		const char *key, *text;
		struct net_addr *to;
		bool prefix;
	} t[] = {
		{ "destination", s->destination, &r->to, true },
		{ "source", s->source, &r->from, false },
		{ "gateway", s->gateway, &r->via, false },
	};
	size_t i;

	r->dev = s->dev;
	r->metric = s->metric;
	if (s->dev && !net_is_name(s->dev))
		return fail(e, "interface_name: is no name of an interface");
	for (i = 0; i < COUNT(t); i++)
		if (t[i].text && *t[i].text &&
		    (!net_read(t[i].text, strlen(t[i].text), t[i].prefix,
			       t[i].to) ||
		     (i && t[i].to->family != r->to.family)))
			return fail(e, "%s: \"%s\" is no address%s", t[i].key,
				    t[i].text,
				    t[i].prefix ? " with a prefix length" :
				    " of the family of destination");
	return (r->to.family && (r->via.family || r->dev)) ||
	       fail(e, "destination: is needed, and a gateway or an "
		    "interface_name");
}

static char *net_lines(struct arena *mem, char *text, const char *word,
		       const struct strs *l)
{
	size_t i;

	for (i = 0; text && i < l->n; i++)
		text = mem_text(mem, "%s%s %s\n", text, word, l->v[i]);
	return text;
}

/* Writes the texts of resolv.conf, hosts and hostname. */
static bool net_plan_dns(struct net_plan *p, const struct spec_dns *d,
			 const char *hostname, const char *label,
			 struct arena *mem, struct err *e)
{
	const struct strs *lists[] = { &d->servers, &d->search, &d->options };
	char *resolv, *hosts, text[64];
	size_t i, k;

	for (k = 0; k < COUNT(lists); k++)
		for (i = 0; i < lists[k]->n; i++)
			if (strpbrk(lists[k]->v[i], " \t\n"))
				return fail(e, "dns: \"%s\" has white space",
					    lists[k]->v[i]);
	resolv = net_lines(mem, mem_text(mem, "%s", ""), "nameserver",
			   &d->servers);
	for (i = 0; resolv && i < d->search.n; i++)
		resolv = mem_text(mem, "%s%s%s%s", resolv, i ? " " : "search ",
				  d->search.v[i], i + 1 == d->search.n ? "\n" :
				  "");
	resolv = net_lines(mem, resolv, "options", &d->options);
	hosts = mem_text(mem, "127.0.0.1 localhost\n::1 localhost\n");
	for (i = 0; hosts && hostname && i < p->n; i++)
		for (k = 0; hosts && k < 2; k++)
			if (p->v[i].addr[k].family) {
				struct text t = TEXT(text);

				net_text(&t, &p->v[i].addr[k]);
				hosts = mem_text(mem, "%s%s %s\n", hosts, text,
						 hostname);
			}
	p->files[0] = resolv;
	p->files[1] = hosts;
	p->files[2] = hostname ? mem_text(mem, "%s\n", hostname) : NULL;
	p->tmpfs = label && *label ?
		   mem_text(mem, "mode=755,size=1m,context=\"%s\"", label) :
		   "mode=755,size=1m";
	return (resolv && hosts && (p->files[2] || !hostname) && p->tmpfs) ||
	       no_memory(e);
}

static bool net_plan(struct net_plan *p, const struct spec *s, const char *id,
		     struct arena *mem, struct err *e)
{
	size_t i;

	if ((s->networks.n || s->routes.n) && !spec_has_ns(s, CLONE_NEWNET))
		return spec_lacks_ns(s->networks.n ? "networks" : "routes",
				     "network", e);
	p->v = mem_new(mem, s->networks.n * sizeof *p->v);
	p->r = mem_new(mem, s->routes.n * sizeof *p->r);
	if (!p->v || !p->r)
		return no_memory(e);
	for (i = 0; i < s->networks.n; i++) {
		struct net_if *f = &p->v[p->n++];

		f->s = &s->networks.v[i];
		f->id = str_hash(id, strlen(id));
		f->ports = mem_new(mem, f->s->publish.n * sizeof *f->ports);
		if (!f->ports)
			return no_memory(e);
		if (!net_plan_one(p, f, i, e))
			return wrap(e, "networks[%u].", (unsigned)i);
		if (net_is_on_link(f))
			text_to(f->born, sizeof f->born, "nsrun%x",
				f->id + (unsigned)i);
	}
	for (; p->nr < s->routes.n; p->nr++)
		if (!net_plan_route(&p->r[p->nr], &s->routes.v[p->nr], e))
			return wrap(e, "routes[%u].", (unsigned)p->nr);
	for (i = 0; s->dns && i < s->mounts.n; i++)
		if (net_is_file(s->mounts.v[i].destination))
			return fail(e, "dns: mounts[%u] is %s already",
				    (unsigned)i, s->mounts.v[i].destination);
	return !s->dns || net_plan_dns(p, s->dns, s->hostname && *s->hostname ?
				       s->hostname : NULL,
				       s->linux.mount_label, mem, e);
}

/* ----- NET: links, addresses and routes ---------------------------------- */

static bool net_lo_up(struct err *e)
{
	autofd s = nl_socket(K_NETLINK_ROUTE, e);
	struct nl_msg m;

	if (s < 0)
		return e->num == EAFNOSUPPORT || e->num == EPROTONOSUPPORT;
	nl_link(&m, K_RTM_NEWLINK, 0, 1, IFF_UP);
	return nl_call(s, &m, NULL, NULL, e) || e->num == ENODEV ||
	       wrap(e, "bring up lo");
}

/* What a reply says about a link. */
struct net_link {
	int		index, type, master, group, mtu;
	unsigned char	mac[6];
	bool		has_mac;
	uint16_t	pvid;			/* default_pvid of a bridge */
	bool		filters;		/* vlan_filtering of a bridge */
	char		alias[256];		/* IFALIASZ */
};

static int net_number(const char *p, size_t n, unsigned type)
{
	size_t len;
	int v = 0;

	p = nl_find(p, n, type, &len);
	if (p && len == sizeof v)
		memcpy(&v, p, sizeof v);
	return v;
}

/* If the link is no bridge, the values are nonsense, but nothing uses them. */
static void net_see_bridge(struct net_link *l, const char *p, size_t n)
{
	const char *v;
	size_t len;

	p = nl_find(p, n, K_IFLA_LINKINFO, &n);
	p = p ? nl_find(p, n, K_IFLA_INFO_DATA, &n) : NULL;
	v = p ? nl_find(p, n, K_IFLA_BR_VLAN_FILTERING, &len) : NULL;
	l->filters = v && len == 1 && *v;
	v = p ? nl_find(p, n, K_IFLA_BR_VLAN_DEFAULT_PVID, &len) : NULL;
	if (v && len == sizeof l->pvid)
		memcpy(&l->pvid, v, sizeof l->pvid);
}

static void net_see_link(void *data, const char *body, size_t n)
{
	struct net_link *l = data;
	struct k_ifinfo i;
	const char *mac;
	size_t len;

	if (n < sizeof i)
		return;
	memcpy(&i, body, sizeof i);
	l->index = i.index;
	l->type = i.type;
	net_see_bridge(l, body + sizeof i, n - sizeof i);
	text_to(l->alias, sizeof l->alias, "%s",
		nl_text(body + sizeof i, n - sizeof i, K_IFLA_IFALIAS));
	l->master = net_number(body + sizeof i, n - sizeof i, K_IFLA_MASTER);
	l->mtu = net_number(body + sizeof i, n - sizeof i, K_IFLA_MTU);
	mac = nl_find(body + sizeof i, n - sizeof i, K_IFLA_ADDRESS, &len);
	l->has_mac = mac && len == sizeof l->mac;
	if (l->has_mac)
		memcpy(l->mac, mac, sizeof l->mac);
	l->group = net_number(body + sizeof i, n - sizeof i, K_IFLA_GROUP);
}

/* Finds a link by its name, in the network namespace of the socket. */
static bool net_get(int s, const char *name, struct net_link *l, struct err *e)
{
	struct nl_msg m;

	*l = (struct net_link){ 0 };
	nl_link(&m, K_RTM_GETLINK, 0, 0, 0);
	nl_str(&m, K_IFLA_IFNAME, name);
	return nl_call(s, &m, net_see_link, l, e) ||
	       wrap(e, "find the interface %s", name);
}

/* Adds a hint if the kernel does not know this kind of link. Returns false. */
static bool net_lacks(const char *kind, const char *config, struct err *e)
{
	return e->num == EOPNOTSUPP ? hint(e, "this kernel has no %s: %s, or "
					   "its module %s", kind, config,
					   kind) : false;
}

static bool net_add_address(int s, int index, const struct net_addr *a,
			    struct err *e)
{
	const struct k_ifaddr h = { a->family, a->prefix, 0, 0,
				    (uint32_t)index };
	char text[64];
	struct text t = TEXT(text);
	struct nl_msg m;
	uint32_t all;

	if (!a->family)
		return true;
	memcpy(&all, a->b, sizeof all);
	all |= htonl(0xffffffffU >> (a->prefix & 31));
	nl_init(&m, K_RTM_NEWADDR, K_NLM_CREATE | K_NLM_REPLACE, &h, sizeof h);
	nl_put(&m, K_IFA_LOCAL, a->b, net_size(a));
	nl_put(&m, K_IFA_ADDRESS, a->b, net_size(a));
	/* the kernel does not set it itself: programs would use 0.0.0.0 */
	if (a->family == AF_INET && a->prefix < 31)
		nl_u32(&m, K_IFA_BROADCAST, all);
	if (a->family == AF_INET6)	/* configured: usable at once, no DAD */
		nl_u32(&m, K_IFA_FLAGS, K_IFA_F_NODAD);
	net_text(&t, a);
	if (nl_call(s, &m, NULL, NULL, e))
		return true;
	wrap(e, "add the address %s/%u", text, a->prefix);
	return e->num == EOPNOTSUPP ? hint(e, "this kernel has no IPv%c: %s",
		a->family == AF_INET ? '4' : '6', a->family == AF_INET ?
		"CONFIG_INET" : "CONFIG_IPV6, or ipv6.disable=1 was given to "
		"it") : false;
}

static bool net_add_both(int s, int index, const struct net_addr a[2],
			 struct err *e)
{
	return net_add_address(s, index, &a[0], e) &&
	       net_add_address(s, index, &a[1], e);
}

/* Waits before another try; false after a second in all. A later try can
 * succeed: the device of a container that has just ended keeps its parent, or
 * its address, until its namespace goes, a moment later; and an init does not
 * die at once when its nsrun dies. */
static bool net_wait(unsigned *tries)
{
	return ++*tries <= 100 && poll(NULL, 0, 10) == 0;
}

static bool net_up(int s, int index, struct err *e)
{
	unsigned tries = 0;
	struct nl_msg m;

	do {
		nl_link(&m, K_RTM_NEWLINK, 0, index, IFF_UP);
		if (nl_call(s, &m, NULL, NULL, e))
			return true;
	} while (e->num == EADDRINUSE && net_wait(&tries));
	return wrap(e, "bring it up");
}

static bool net_put_route(int s, int index, const struct net_route *r,
			  struct err *e)
{
	const struct net_addr *any = r->to.family ? &r->to : &r->via;
	const struct k_route h = { .family = any->family,
		.dst_len = r->to.prefix, .table = K_RT_TABLE_MAIN,
		.protocol = K_RTPROT_BOOT, .type = K_RTN_UNICAST,
		.scope = r->via.family ? 0 : K_RT_SCOPE_LINK };
	struct nl_msg m;

	nl_init(&m, K_RTM_NEWROUTE, K_NLM_CREATE | K_NLM_EXCL, &h, sizeof h);
	if (r->to.family)
		nl_put(&m, K_RTA_DST, r->to.b, net_size(&r->to));
	if (r->from.family)
		nl_put(&m, K_RTA_PREFSRC, r->from.b, net_size(&r->from));
	if (r->via.family)
		nl_put(&m, K_RTA_GATEWAY, r->via.b, net_size(&r->via));
	if (index)
		nl_u32(&m, K_RTA_OIF, (uint32_t)index);
	if (r->metric.set)
		nl_u32(&m, K_RTA_PRIORITY, (uint32_t)r->metric.v);
	return nl_call(s, &m, NULL, NULL, e);
}

/* A gateway may be in no network of the link: then a route to the gateway alone
 * is added first. IPv6 does not know the flag RTNH_F_ONLINK before 4.16. */
static bool net_add_route(int s, int index, const struct net_route *r,
			  struct err *e)
{
	const struct net_route gateway = { .to = r->via };

	if (net_put_route(s, index, r, e) ||
	    (index && r->via.family &&
	     (e->num == ENETUNREACH || e->num == EHOSTUNREACH) &&
	     net_put_route(s, index, &gateway, e) &&
	     net_put_route(s, index, r, e)))
		return true;
	return e->num == EEXIST ? hint(e, "another route has this destination, "
				       "set another metric") : false;
}

/* Asks for a link. Before the kernel answers, it tells itself that the link is
 * up (since 6.6). Without the question it may put that off for a second, and a
 * bridge and IPv6 wait for it. */
static void net_sync(int s, int index)
{
	struct net_link l;
	struct err ignored;
	struct nl_msg m;

	nl_link(&m, K_RTM_GETLINK, 0, index, 0);
	nl_call(s, &m, net_see_link, &l, &ignored);
}

/* Sets an IPv6 parameter of an interface to 0. Call it before the interface is
 * up. */
static void net_forbid(int proc, const char *name, const char *what)
{
	char path[64];

	text_to(path, sizeof path, "sys/net/ipv6/conf/%s/%s", name, what);
	io_put(proc, path, "0");
}

/* Switches IPv6 on, also where it is off by default, and duplicate address
 * detection off: it would test the address that the interface gives itself for
 * a second or two, in which the interface neither asks nor answers anybody. */
static void net_allow_v6(int proc, const char *name)
{
	net_forbid(proc, name, "disable_ipv6");
	net_forbid(proc, name, "accept_dad");
}

/* Router advertisements and redirects are not accepted on this interface: with
 * them a container could become the router of the host (CVE-2020-13401), or of
 * its neighbours (CVE-2020-10749). */
static void net_no_routers(int proc, const char *name)
{
	net_forbid(proc, name, "accept_ra");
	net_forbid(proc, name, "accept_redirects");
}

/* The attributes with which a link is created; mac may be NULL. */
static void net_put_link(struct nl_msg *m, const struct net_if *f,
			 const char *name, const unsigned char *mac)
{
	const struct spec_network_if *s = f->s;

	nl_str(m, K_IFLA_IFNAME, name);
	if (f->mtu)
		nl_u32(m, K_IFLA_MTU, f->mtu);
	if (s->txqlen.set)
		nl_u32(m, K_IFLA_TXQLEN, (uint32_t)s->txqlen.v);
	if (mac)
		nl_put(m, K_IFLA_ADDRESS, mac, sizeof f->mac);
}

/* Finds the link in the container, and gives it its own name. */
static bool net_get_inside(int s, const struct net_if *f, struct net_link *l,
			   struct err *e)
{
	bool phys = f->s->type.v == NET_PHYS;
	struct nl_msg m;

	if (net_get(s, *f->born ? f->born : f->s->name, l, e)) {
		if (!*f->born)
			return true;
	} else if (!phys || e->num != ENODEV ||
		   !net_get(s, f->s->host_name, l, e)) {
		return false;	/* else it moved with a radio, unrenamed */
	}
	nl_link(&m, K_RTM_NEWLINK, 0, l->index, 0);
	if (phys)
		net_put_link(&m, f, f->s->name, f->has_mac ? f->mac : NULL);
	else
		nl_str(&m, K_IFLA_IFNAME, f->s->name);
	return nl_call(s, &m, NULL, NULL, e) ||
	       wrap(e, "give it the name %s", f->s->name);
}

/* Switches forwarding on for what comes in by a link of nsrun's, also where it
 * is off for new links (conf/default). */
static void net_forwards(int proc, const char *name, const struct net_if *f)
{
	char path[64];
	size_t k;

	for (k = 0; k < 2 && (f->s->masquerade || f->nports); k++) {
		text_to(path, sizeof path, "sys/net/ipv%c/conf/%s/forwarding",
			k ? '6' : '4', name);
		if (f->addr[k].family)
			io_put(proc, path, "1");
	}
}

/* In the container: sets addresses, brings the link up, adds default routes. */
static bool net_inside_one(int s, const struct net_if *f, int proc,
			   struct err *e)
{
	struct net_link l;
	size_t k;

	if (!net_get_inside(s, f, &l, e))
		return false;
	if (f->addr[1].family || f->via[1].family)
		net_allow_v6(proc, f->s->name);
	if (f->via[1].family || f->bridge[0].family || f->bridge[1].family)
		net_no_routers(proc, f->s->name);
	if (!net_add_both(s, l.index, f->addr, e) || !net_up(s, l.index, e))
		return false;
	net_sync(s, l.index);
	for (k = 0; k < 2; k++) {
		const struct net_route r = { .via = f->via[k],
					     .metric = f->s->metric };

		if (r.via.family && !net_add_route(s, l.index, &r, e))
			return wrap(e, "%s: set the default route",
				    k ? "ipv6_gateway" : "gateway");
	}
	return true;
}

static bool net_inside(const struct net_plan *p, int proc, struct err *e)
{
	autofd s = -1;
	struct net_link l;
	size_t i;

	if (!p->n && !p->nr)
		return true;
	s = nl_socket(K_NETLINK_ROUTE, e);
	if (s < 0)
		return false;
	for (i = 0; i < p->n; i++)
		if (p->v[i].s->type.v != NET_LOOPBACK &&
		    !net_inside_one(s, &p->v[i], proc, e))
			return wrap(e, "networks[%u]", (unsigned)i);
	for (i = 0; i < p->nr; i++) {
		const struct net_route *r = &p->r[i];

		l.index = 0;
		if (!(!r->dev || net_get(s, r->dev, &l, e)) ||
		    !net_add_route(s, l.index, r, e))
			return wrap(e, "routes[%u]", (unsigned)i);
	}
	return true;
}

/* ----- NET: what is there already ---------------------------------------- */

/* Looks for the links of a container, and counts the ports of a bridge. */
struct net_search {
	const char	*key, *own;	/* own: links whose alias begins so do
					   not count as living */
	int		proc, group;
	int		index;		/* of a link whose init is dead */
	int		living;		/* the number of those that live */
	int		bridge, ports;
};

static void net_see_all(void *data, const char *body, size_t n)
{
	struct net_search *f = data;
	struct net_link l = { 0 };

	net_see_link(&l, body, n);
	f->ports += f->bridge && l.master == f->bridge;
	if (!f->key || !(*l.alias ? net_is_of(l.alias, f->key) :
			 l.group == f->group))
		return;
	if (!*l.alias || !net_lives(l.alias, f->proc))
		f->index = l.index;
	else
		f->living += !f->own || !str_after(l.alias, f->own);
}

static bool net_dump(int s, struct net_search *f, struct err *e)
{
	struct nl_msg m;

	nl_link(&m, K_RTM_GETLINK, K_NLM_DUMP, 0, 0);
	return nl_call(s, &m, net_see_all, f, e) || wrap(e, "list the links");
}

/* Is there a container with that key whose init is alive, except the one whose
 * alias begins with own? If nsrun cannot tell, the answer is yes. */
static bool net_has_living(int s, const char *key, const char *own, int proc)
{
	unsigned tries = 0;
	struct err ignored;

	do {
		struct net_search f = { .key = key, .own = own, .proc = proc,
					.group = net_group(key) };

		if (net_dump(s, &f, &ignored) && !f.living)
			return false;
	} while (net_wait(&tries));
	return true;
}

/* Removes a link, which may already be gone together with its other end. */
static bool net_remove(int s, int index, struct err *e)
{
	struct nl_msg m;

	nl_link(&m, K_RTM_DELLINK, 0, index, 0);
	return nl_call(s, &m, NULL, NULL, e) || e->num == ENODEV ||
	       wrap(e, "remove a link");
}

/* A link of this name is in the way. Removes it if nsrun made it, for a
 * container whose init is dead. False with an empty e->text: the link is not
 * nsrun's, or it belongs to another container. */
static bool net_replace(int s, const char *name, const char *id, int proc,
			struct err *e)
{
	unsigned tries = 0;
	struct net_link l;
	struct err ignored;

	*e->text = 0;
	if (!net_get(s, name, &l, &ignored))
		return false;
	if (*l.alias ? !str_after(l.alias, NET_ALIAS) :
	    l.group != net_group(id))
		return false;
	while (*l.alias && net_lives(l.alias, proc)) {
		if (!net_is_of(l.alias, id))
			return false;
		if (!net_wait(&tries))
			return fail(e, "a container of the same id runs, and "
				    "has %s", name);
	}
	return net_remove(s, l.index, e);
}

/* ----- NET: veth, macvlan, ipvlan ---------------------------------------- */

/* Is it a bridge that nsrun made? */
static bool net_is_bridge(const struct net_link *l)
{
	return l->group == NET_GROUP && !*l->alias;
}

/* Finds the bridge, and makes it if it is missing and has a bridge_address. */
static bool net_bridge(int s, const struct net_if *f, int proc,
		       struct net_link *l, struct err *e)
{
	bool make = f->bridge[0].family || f->bridge[1].family;
	const char *name = f->s->bridge;
	unsigned char mac[6];
	struct nl_msg m;

	if (!net_get(s, name, l, e) && (!make || e->num != ENODEV))
		return e->num == ENODEV ? hint(e, "with bridge_address nsrun "
					       "makes it") : false;
	if (l->index && !net_is_bridge(l))
		return true;		/* not made by nsrun: used as it is */
	if (!l->index) {
		nl_link(&m, K_RTM_NEWLINK, K_NLM_CREATE | K_NLM_EXCL, 0, 0);
		nl_str(&m, K_IFLA_IFNAME, name);
		nl_u32(&m, K_IFLA_GROUP, NET_GROUP);
		/* else its address is that of a port, and changes with ports */
		if (net_mac(f->bridge, mac))
			nl_put(&m, K_IFLA_ADDRESS, mac, sizeof mac);
		nl_open(&m, K_IFLA_LINKINFO);
		    nl_str(&m, K_IFLA_INFO_KIND, "bridge");
		nl_close(&m);
		if ((!nl_call(s, &m, NULL, NULL, e) && e->num != EEXIST) ||
		    !net_get(s, name, l, e)) {
			wrap(e, "make the bridge %s", name);
			return net_lacks("bridge", "CONFIG_BRIDGE", e);
		}
		net_no_routers(proc, name);
	}
	if (f->bridge[1].family)	/* it may have had no IPv6 before */
		net_allow_v6(proc, name);
	net_forwards(proc, name, f);
	return (net_add_both(s, l->index, f->bridge, e) &&
		net_up(s, l->index, e)) || wrap(e, "bridge %s", name);
}

/* Sets the mtu: that of the config, or of the bridge or parent (on). */
static bool net_set_mtu(struct net_if *f, const char *on, int mtu,
			struct err *e)
{
	if (!f->mtu)
		f->mtu = (unsigned)mtu;
	if (net_is_on_link(f) && f->mtu > (unsigned)mtu)
		return fail(e, "mtu: %u is more than the %d of %s", f->mtu,
			    mtu, on);
	return f->mtu >= K_IPV6_MIN_MTU || !f->addr[1].family ||
	       fail(e, "mtu: IPv6 needs %d, %s has %d", K_IPV6_MIN_MTU, on,
		    mtu);
}

/* As net_put_link(), for the container's link, which goes to the network
 * namespace of the process pid. */
static void net_put_inside(struct nl_msg *m, const struct net_if *f, int pid)
{
	net_put_link(m, f, *f->born ? f->born : f->s->name,
		     f->has_mac ? f->mac : NULL);
	nl_u32(m, K_IFLA_NET_NS_PID, (uint32_t)pid);
}

static bool net_make_pair(int s, const struct net_if *f, const char *host,
			  int group, int pid, struct err *e)
{
	unsigned char mac[6];
	struct nl_msg m;

	nl_link(&m, K_RTM_NEWLINK, K_NLM_CREATE | K_NLM_EXCL, 0, 0);
	net_put_link(&m, f, host, net_mac(f->host, mac) ? mac : NULL);
	nl_u32(&m, K_IFLA_GROUP, (uint32_t)group);
	nl_open(&m, K_IFLA_LINKINFO);
	    nl_str(&m, K_IFLA_INFO_KIND, "veth");
	    nl_open(&m, K_IFLA_INFO_DATA);
		nl_open(&m, K_VETH_INFO_PEER);
		    nl_grow(&m, sizeof(struct k_ifinfo));
		    net_put_inside(&m, f, pid);
		nl_close(&m);
	    nl_close(&m);
	nl_close(&m);
	return nl_call(s, &m, NULL, NULL, e) ||
	       wrap(e, "create veth %s/%s", host, f->s->name);
}

/* A bridge that filters by VLAN puts a new port into the VLAN default_pvid; if
 * that is 0, into none. */
static bool net_check_vlan(const struct net_if *f, const struct net_link *b,
			   struct err *e)
{
	if (f->s->vlan.set && !b->filters)
		return fail(e, "vlan: %s does not filter by VLAN, its "
			    "vlan_filtering is 0", f->s->bridge);
	return !b->filters || b->pvid || f->s->vlan.set ||
	       fail(e, "vlan: is missing: %s filters by VLAN and has none for "
		    "a new port, its default_pvid is 0", f->s->bridge);
}

/* RTM_SETLINK adds a port of a bridge to a VLAN, RTM_DELLINK removes it. */
static bool net_put_vlan(int s, int port, unsigned type, unsigned vlan,
			 struct err *e)
{
	const struct k_ifinfo h = { .family = AF_BRIDGE, .index = port };
	const uint16_t info[] = { K_BRIDGE_VLAN_PVID | K_BRIDGE_VLAN_UNTAGGED,
				  (uint16_t)vlan };
	struct nl_msg m;

	nl_init(&m, type, 0, &h, sizeof h);
	nl_open(&m, K_IFLA_AF_SPEC);
	    nl_put(&m, K_IFLA_BRIDGE_VLAN_INFO, info, sizeof info);
	nl_close(&m);
	return nl_call(s, &m, NULL, NULL, e) || wrap(e, "vlan");
}

/* Moves the port from the default VLAN to its own. If it were only added to
 * that, it would stay in the default one, too, and get what is sent there. */
static bool net_set_vlan(int s, const struct net_if *f,
			 const struct net_link *bridge, struct err *e)
{
	unsigned vlan = (unsigned)f->s->vlan.v;

	return !vlan || vlan == bridge->pvid ||
	       ((!bridge->pvid ||
		 net_put_vlan(s, f->end, K_RTM_DELLINK, bridge->pvid, e)) &&
		net_put_vlan(s, f->end, K_RTM_SETLINK, vlan, e));
}

/* Sets alias, group, bridge or addresses of the host's end and brings it up. */
static bool net_host_end(int s, struct net_if *f, const char *host,
			 const struct net_link *bridge, const char *alias,
			 struct err *e)
{
	struct net_link l;
	struct nl_msg m;

	if (!net_get(s, host, &l, e))
		return false;
	f->end = l.index;
	f->master = bridge->index;
	nl_link(&m, K_RTM_NEWLINK, 0, l.index, IFF_UP);
	nl_str(&m, K_IFLA_IFALIAS, alias);
	nl_u32(&m, K_IFLA_GROUP, NET_GROUP);	/* the alias names it now */
	if (bridge->index)
		nl_u32(&m, K_IFLA_MASTER, (uint32_t)bridge->index);
	if (!nl_call(s, &m, NULL, NULL, e))
		return wrap(e, "attach %s%s%s", host, f->master ? " to " : "",
			    f->master ? f->s->bridge : "");
	if (!net_add_both(s, l.index, f->host, e))
		return wrap(e, "host_address");
	if (!net_set_vlan(s, f, bridge, e))
		return false;
	if (!f->s->hairpin || !f->master)
		return true;
	nl_init(&m, K_RTM_SETLINK, 0, &(struct k_ifinfo){ .family = AF_BRIDGE,
		.index = l.index }, sizeof(struct k_ifinfo));
	nl_open(&m, K_IFLA_PROTINFO | K_NLA_NESTED);
	    nl_put(&m, K_IFLA_BRPORT_MODE, "\1", 1);
	nl_close(&m);
	return nl_call(s, &m, NULL, NULL, e) || wrap(e, "hairpin_mode");
}

/* Gets the address from a reply. Returns the index of its link; 0: none. */
static int net_get_address(const char *body, size_t n, struct net_addr *at)
{
	struct k_ifaddr a;
	const char *p;
	size_t len;

	*at = (struct net_addr){ 0 };
	if (n < sizeof a)
		return 0;
	memcpy(&a, body, sizeof a);
	p = nl_find(body + sizeof a, n - sizeof a, K_IFA_LOCAL, &len);
	if (!p)			/* IPv6, where there is no peer */
		p = nl_find(body + sizeof a, n - sizeof a, K_IFA_ADDRESS,
			    &len);
	at->family = a.family;
	at->prefix = a.prefix;
	if (!p || len < net_size(at))
		return 0;
	memcpy(at->b, p, net_size(at));
	return (int)a.index;
}

/* Looks for a holder of one of f's addresses: the bridge or a port of it. */
struct net_holder {
	const struct net_if *f;
	int		bridge, proc;
	int		taken;		/* 1 or 2: IPv4 or IPv6 */
	char		by[NET_KEY_MAX];	/* key; "": the bridge */
};

static void net_see_port(void *data, const char *body, size_t n)
{
	struct net_holder *h = data;
	struct net_link l = { 0 };
	const char *s, *key;
	size_t i, len;

	net_see_link(&l, body, n);
	key = s = str_after(l.alias, NET_ALIAS);
	if (l.master != h->bridge || !s || !net_lives(l.alias, h->proc))
		return;
	for (i = 0; *s && !h->taken; i++, s += len, s += *s == ' ') {
		struct net_addr a = { 0 };

		len = strcspn(s, " ");
		if (i < 4 || !net_read(s, len, false, &a) ||
		    !net_is_same(&a, &h->f->addr[a.family == AF_INET6]))
			continue;
		h->taken = a.family == AF_INET6 ? 2 : 1;
		text_cut(h->by, sizeof h->by, key, strcspn(key, " "));
	}
}

static void net_see_held(void *data, const char *body, size_t n)
{
	struct net_holder *h = data;
	struct net_addr a;

	if (net_get_address(body, n, &a) == h->bridge &&
	    net_is_same(&a, &h->f->addr[a.family == AF_INET6]))
		h->taken = a.family == AF_INET6 ? 2 : 1;
}

/* Checks that nobody on the bridge has the container's addresses: two holders
 * of one address take each other's packets, without any error. If the init of a
 * holder is about to die, nsrun waits for that. */
static bool net_address_free(int s, const struct net_if *f, int bridge,
			     int proc, struct err *e)
{
	const struct k_ifaddr all = { 0, 0, 0, 0, 0 };
	struct net_holder h = { .f = f, .bridge = bridge, .proc = proc };
	const char *key;
	unsigned tries = 0;
	struct nl_msg m;

	do {
		h.taken = 0;
		*h.by = 0;
		nl_link(&m, K_RTM_GETLINK, K_NLM_DUMP, 0, 0);
		nl_u32(&m, K_IFLA_MASTER, (uint32_t)bridge);	/* 4.6 */
		if (!nl_call(s, &m, net_see_port, &h, e))
			return wrap(e, "list the ports");
	} while (h.taken && net_wait(&tries));
	if (!h.taken) {
		nl_init(&m, K_RTM_GETADDR, K_NLM_DUMP, &all, sizeof all);
		if (!nl_call(s, &m, net_see_held, &h, e))
			return wrap(e, "list the addresses");
	}
	key = h.taken == 2 ? "ipv6_address" : "address";
	if (h.taken && *h.by)
		return fail(e, "%s: '%.*s' on %s has the same", key,
			    (int)(strrchr(h.by, '-') - h.by), h.by,
			    f->s->bridge);
	return !h.taken || fail(e, "%s: %s itself has the same", key,
				f->s->bridge);
}

/* Adds the container's addresses to the alias, for net_address_free(). */
static void net_alias_addresses(char alias[NET_ALIAS_MAX],
				const struct net_if *f)
{
	struct text t = { alias, strlen(alias), NET_ALIAS_MAX, -1, false };
	size_t k;

	for (k = 0; k < 2; k++)
		if (f->addr[k].family) {
			text_char(&t, ' ');
			net_text(&t, &f->addr[k]);
		}
}

/* Makes a veth pair. The host's end gets the config's name, or a free one. */
static bool net_veth(int s, struct net_if *f, const char *id,
		     size_t index, int pid, int proc, struct err *e)
{
	unsigned hash = str_hash(id, strlen(id)) + (unsigned)index, i;
	char host[16], alias[NET_ALIAS_MAX];
	struct net_link bridge = { 0 };
	struct err why;

	net_alias(alias, id, pid, proc);
	net_alias_addresses(alias, f);
	if (f->s->bridge &&
	    (!net_bridge(s, f, proc, &bridge, e) ||
	     !net_set_mtu(f, f->s->bridge, bridge.mtu, e) ||
	     !net_check_vlan(f, &bridge, e) ||
	     !net_address_free(s, f, bridge.index, proc, e)))
		return false;
	for (i = 0; i < 64; i++) {
		if (f->s->host_name)
			text_to(host, sizeof host, "%s", f->s->host_name);
		else
			text_to(host, sizeof host, "veth%x",
				hash + i * 2654435761U);
		if (net_make_pair(s, f, host, net_group(id), pid, e)) {
			net_no_routers(proc, host);
			if (f->host[1].family)
				net_allow_v6(proc, host);
			if (!bridge.index)
				net_forwards(proc, host, f);
			return net_host_end(s, f, host, &bridge, alias, e);
		}
		if (e->num != EEXIST)
			return net_lacks("veth", "CONFIG_VETH", e);
		if (net_replace(s, host, id, proc, &why))
			i--;
		else if (*why.text)
			return *e = why, false;
		else if (f->s->host_name)
			return false;
	}
	return false;
}

/* Makes a macvlan or ipvlan for the container on the link that has the index
 * parent. */
static bool net_make_on(int s, const struct net_if *f, const char *kind,
			int parent, int group, int pid, struct err *e)
{
	struct nl_msg m;

	nl_link(&m, K_RTM_NEWLINK, K_NLM_CREATE | K_NLM_EXCL, 0, 0);
	net_put_inside(&m, f, pid);
	nl_u32(&m, K_IFLA_GROUP, (uint32_t)group);
	nl_u32(&m, K_IFLA_LINK, (uint32_t)parent);
	nl_open(&m, K_IFLA_LINKINFO);
	    nl_str(&m, K_IFLA_INFO_KIND, kind);
	    nl_open(&m, K_IFLA_INFO_DATA);
		if (f->s->type.v == NET_MACVLAN)
			nl_u32(&m, K_IFLA_MACVLAN_MODE, f->mode);
		else
			nl_put(&m, K_IFLA_IPVLAN_MODE,
			       &(uint16_t){ (uint16_t)f->mode }, 2);
	    nl_close(&m);
	nl_close(&m);
	return nl_call(s, &m, NULL, NULL, e);
}

static bool net_on_link(int s, struct net_if *f, int group, int pid,
			struct err *e)
{
	const char *kind = name_of(net_kinds, COUNT(net_kinds),
				   (int)f->s->type.v);
	bool macvlan = f->s->type.v == NET_MACVLAN;
	unsigned tries = 0;
	struct net_link l;

	if (!net_get(s, f->s->host_name, &l, e) ||
	    !net_set_mtu(f, f->s->host_name, l.mtu, e))
		return false;
	if (macvlan)
		net_mac_of_name(f, str_hash((const char *)l.mac,
					    sizeof l.mac));
	do {	/* EINVAL: another macvlan is on the parent, one is passthru */
		f->made = net_make_on(s, f, kind, l.index, group, pid, e);
		if (f->made)
			return true;
	} while (macvlan && e->num == EINVAL && net_wait(&tries));
	wrap(e, "create %s %s on %s", kind, f->s->name, f->s->host_name);
	return net_lacks(kind, macvlan ? "CONFIG_MACVLAN" : "CONFIG_IPVLAN", e);
}

/* ----- NET: devices of the host ------------------------------------------ */

/* Makes the message that moves a radio and all its links to the network
 * namespace of the process pid. index: one of these links. family: the number
 * of nl80211. */
static void net_put_radio(struct nl_msg *m, unsigned family, int index, int pid)
{
	const struct k_genl h = { K_NL80211_SET_WIPHY_NETNS, 0, 0 };

	nl_init(m, family, 0, &h, sizeof h);
	nl_u32(m, K_NL80211_IFINDEX, (uint32_t)index);
	nl_u32(m, K_NL80211_PID, (uint32_t)pid);
}

static void net_see_family(void *data, const char *body, size_t n)
{
	size_t len;
	const char *p = n < sizeof(struct k_genl) ? NULL :
			nl_find(body + sizeof(struct k_genl),
				n - sizeof(struct k_genl), K_CTRL_FAMILY_ID,
				&len);

	if (p && len == sizeof(uint16_t))
		memcpy(data, p, len);
}

/* Moves the radio of a link. e->num EOPNOTSUPP: the link has a radio, and its
 * driver cannot move it. */
static bool net_move_radio(int index, int pid, struct err *e)
{
	const struct k_genl h = { K_CTRL_GETFAMILY, 1, 0 };
	autofd s = nl_socket(K_NETLINK_GENERIC, e);
	uint16_t family = 0;
	struct nl_msg m;

	if (s < 0)
		return false;
	nl_init(&m, K_GENL_ID_CTRL, 0, &h, sizeof h);
	nl_str(&m, K_CTRL_FAMILY_NAME, "nl80211");
	if (!nl_call(s, &m, net_see_family, &family, e))
		return false;
	net_put_radio(&m, family, index, pid);
	return nl_call(s, &m, NULL, NULL, e) ||
	       wrap(e, "move its radio (nl80211)");
}

/* Moves a device of the host in. A wireless link moves only with its radio, and
 * gets its name inside. */
static bool net_phys(int s, const struct net_if *f, int pid, struct err *e)
{
	struct net_link l;
	struct err radio;
	struct nl_msg m;

	if (!net_get(s, f->s->host_name, &l, e))
		return false;
	nl_link(&m, K_RTM_NEWLINK, 0, l.index, 0);
	net_put_inside(&m, f, pid);
	if (nl_call(s, &m, NULL, NULL, e))
		return true;
	if (e->num == EINVAL) {
		if (net_move_radio(l.index, pid, &radio))
			return true;
		if (radio.num == EOPNOTSUPP)
			*e = radio;
	}
	return wrap(e, "move %s in as %s", f->s->host_name, f->s->name);
}

/* Notes the devices that will move in, as they are now. own: the namespace is
 * new, and they keep their indices there, because they are its first links. */
static bool net_note_devices(const struct net_plan *p, bool own,
			     struct arena *mem, struct state_device *v,
			     size_t *n, struct err *e)
{
	autofd s = -1;
	char mac[20];
	struct net_link l;
	size_t i;

	for (i = 0; i < p->n; i++) {
		const struct spec_network_if *f = p->v[i].s;
		struct text t = TEXT(mac);

		if (f->type.v != NET_PHYS)
			continue;
		if (s < 0)
			s = nl_socket(K_NETLINK_ROUTE, e);
		if (s < 0 || !net_get(s, f->host_name, &l, e))
			return wrap(e, "networks[%u]", (unsigned)i);
		net_mac_text(&t, l.mac);
		v[*n] = (struct state_device){ f->host_name, f->name,
			l.has_mac ? mem_text(mem, "%s", mac) : NULL,
			mem_text(mem, "%s", l.alias), { l.index, own },
			{ l.mtu, true }, { l.type, true }, { l.group, true } };
		if ((l.has_mac && !v[*n].mac) || !v[*n].alias)
			return no_memory(e);
		++*n;
	}
	return true;
}

/* The alternative names of a link, as the kernel tells and takes them. */
struct net_names {
	char	v[1024];
	size_t	n;
};

static void net_see_names(void *data, const char *body, size_t n)
{
	struct net_names *names = data;
	size_t head = sizeof(struct k_ifinfo), len;
	const char *p = n < head ? NULL :
			nl_find(body + head, n - head, K_IFLA_PROP_LIST, &len);

	if (p && len <= sizeof names->v) {
		memcpy(names->v, p, len);
		names->n = len;
	}
}

static void net_drop_names(int s, int index)
{
	struct net_names names = { .n = 0 };
	struct nl_msg m;
	struct err e;

	nl_link(&m, K_RTM_GETLINK, 0, index, 0);
	if (!nl_call(s, &m, net_see_names, &names, &e) || !names.n)
		return;
	nl_link(&m, K_RTM_DELLINKPROP, 0, index, 0);
	nl_put(&m, K_IFLA_PROP_LIST | K_NLA_NESTED, names.v, names.n);
	nl_call(s, &m, NULL, NULL, &e);
}

/* Moves a device to the namespace of our parent and makes it what it was. Its
 * alias and group are set, because those that the container gave it could pass
 * for a link of nsrun. */
static bool net_move_back(int s, const struct state_device *d,
			  const struct net_link *l, struct err *e)
{
	const char *alias = d->alias ? d->alias : "";
	unsigned char mac[6];
	struct nl_msg m;

	nl_link(&m, K_RTM_NEWLINK, 0, l->index, 0);
	nl_u32(&m, K_IFLA_NET_NS_PID, (uint32_t)getppid());
	nl_str(&m, K_IFLA_IFNAME, d->name);
	nl_put(&m, K_IFLA_IFALIAS, alias, strlen(alias));
	nl_u32(&m, K_IFLA_GROUP, (uint32_t)d->group.v);
	if (l->mtu != d->mtu.v)
		nl_u32(&m, K_IFLA_MTU, (uint32_t)d->mtu.v);
	if (d->mac && net_read_mac(d->mac, mac) &&
	    memcmp(mac, l->mac, sizeof mac) != 0)
		nl_put(&m, K_IFLA_ADDRESS, mac, sizeof mac);
	return nl_call(s, &m, NULL, NULL, e);
}

/* In a child in the container's network namespace: moves one device to that of
 * the parent process, with the name, mtu and hardware address that it had. */
static void net_return_one(int s, const struct state_device *d)
{
	const struct k_ifinfo down = { .change = IFF_UP };
	struct net_link l = { 0 };
	struct nl_msg m;
	struct err e;

	/* the kernel's own tunnel of a new namespace may have this index */
	nl_link(&m, K_RTM_GETLINK, 0, (int)d->index.v, 0);
	if ((!d->index.set || !nl_call(s, &m, net_see_link, &l, &e) ||
	     l.type != d->type.v) && !net_get(s, d->inside, &l, &e))
		return;
	if (net_move_back(s, d, &l, &e))
		return;
	/* an alternative name that the container gave it is taken outside */
	if (e.num == EEXIST) {
		net_drop_names(s, l.index);
		net_move_back(s, d, &l, &e);
	}
	if (e.num != EINVAL)
		return;
	/* a link keeps its name when its radio moves: rename it before */
	nl_init(&m, K_RTM_NEWLINK, 0, &down, sizeof down);
	((struct k_ifinfo *)(m.buf + m.len - sizeof down))->index = l.index;
	nl_str(&m, K_IFLA_IFNAME, d->name);
	nl_call(s, &m, NULL, NULL, &e);
	net_move_radio(l.index, getppid(), &e);
}

static _Noreturn void net_return_main(const struct state_device *v, size_t n,
				      int ns)
{
	struct err e;
	int s = setns(ns, CLONE_NEWNET) == 0 ?
		nl_socket(K_NETLINK_ROUTE, &e) : -1;

	for (; s >= 0 && n--; v++)
		net_return_one(s, v);
	_exit(0);
}

/* Brings the devices back from the network namespace that is open as ns. */
static void net_return(const struct state_device *v, size_t n, int ns,
		       const struct nsrun_options *o)
{
	autofd s = -1;
	struct net_link l;
	struct err e;
	int pid = io_clone(0, -1, NULL);

	if (pid == 0)
		net_return_main(v, n, ns);
	if (pid > 0)
		io_reap(pid);
	s = nl_socket(K_NETLINK_ROUTE, &e);
	for (; s >= 0 && n--; v++)
		if (!net_get(s, v->name, &l, &e))
			log_note(o, NSRUN_WARNING, "networks: %s does not come "
				 "back from the container", v->name);
}

/* ----- NET: rules -------------------------------------------------------- */

/* masquerade and publish use one table of nf_tables for each family and
 * container, so that one message removes all rules of the container. */

/* Matches a packet whose source (or destination) is (or, if equal is false, is
 * not) in the network of a with a prefix of so many bits. */
static void nft_address(struct nl_msg *m, bool source, const struct net_addr *a,
			unsigned bits, bool equal)
{
	size_t n = net_size(a), i;
	unsigned char mask[16], net[16];

	for (i = 0; i < n; i++) {
		unsigned left = bits > 8 * i ? bits - 8 * (unsigned)i : 0;

		mask[i] = (unsigned char)(left >= 8 ? 255 : 255 << (8 - left));
		net[i] = a->b[i] & mask[i];
	}
	nft_payload(m, K_NFT_NETWORK, n == 4 ? (source ? 12 : 16) :
		    source ? 8 : 24, n);
	if (bits < 8 * n)
		nft_mask(m, mask, n);
	nft_compare(m, equal, net, n);
}

/* Gives packets the host's address: those of the container that leave its
 * network by another link; or, if inbound is true, those from its own network
 * that came to it by a published port. */
static bool nft_masquerade(int s, const struct net_if *f,
			   const struct net_addr *a, const char *table,
			   bool inbound, struct err *e)
{
	char bridge[16] = "";
	struct nl_msg m;
	int family = a->family;
	unsigned bits = 8 * (unsigned)net_size(a);

	nft_rule(&m, family, table, "postrouting");
	nft_address(&m, true, a, inbound ? a->prefix : bits, true);
	nft_address(&m, false, a, inbound ? bits : a->prefix, inbound);
	if (inbound)
		nft_translated(&m);
	if (!inbound && f->s->bridge) {
		text_to(bridge, sizeof bridge, "%s", f->s->bridge);
		nft_meta(&m, K_NFT_META_OIFNAME);
		nft_compare(&m, false, bridge, sizeof bridge);
	}
	nft_open(&m, "masq");
	nft_close(&m);
	nl_close(&m);
	return nft_commit(s, &m, e);
}

/* Adds a comment to the rule; nft shows it. */
static void nft_comment(struct nl_msg *m, const char *s)
{
	char data[2 + NFT_COMMENT_MAX];

	if (!text_to(data + 2, sizeof data - 2, "%s", s))
		return;			/* a port with a hundred zeros */
	data[0] = 0;			/* the kind: a comment */
	data[1] = (char)(strlen(data + 2) + 1);
	nl_put(m, K_NFTA_RULE_USERDATA, data, 2 + (size_t)data[1]);
}

/* Publishes one port, or several that keep their numbers. */
static bool nft_publish(int s, const struct net_port *p, const char *text,
			const struct net_addr *a, const char *table,
			const struct nft_chain *chain, struct err *e)
{
	static const struct net_addr own[] = {
		{ AF_INET, 8, { 127 } }, { AF_INET6, 128, { [15] = 1 } },
	};
	const struct net_addr *not = &own[a->family == AF_INET6];
	const uint16_t from = htons((uint16_t)p->from),
		       last = htons((uint16_t)(p->from + p->count - 1)),
		       to = htons((uint16_t)p->to);
	const unsigned char proto = p->udp ? IPPROTO_UDP : IPPROTO_TCP;
	struct nl_msg m;

	nft_rule(&m, a->family, table, chain->name);
	if (p->host.family && !net_is_zero(&p->host))
		nft_address(&m, false, &p->host, p->host.prefix, true);
	else
		nft_local(&m);
	/* not loopback: no other address can be reached from there */
	if (chain->hook == 3)
		nft_address(&m, false, not, not->prefix, false);
	nft_meta(&m, K_NFT_META_L4PROTO);
	nft_compare(&m, true, &proto, 1);
	nft_payload(&m, K_NFT_TRANSPORT, 2, 2);
	if (p->count > 1) {
		nft_cmp(&m, K_NFT_CMP_GTE, &from, sizeof from);
		nft_cmp(&m, K_NFT_CMP_LTE, &last, sizeof last);
	} else {
		nft_compare(&m, true, &from, sizeof from);
	}
	nft_immediate(&m, K_NFT_REG_1, a->b, net_size(a));
	if (p->count == 1)
		nft_immediate(&m, K_NFT_REG_2, &to, sizeof to);
	nft_open(&m, "nat");
	    nft_u32(&m, K_NFTA_NAT_TYPE, 1);	/* destination */
	    nft_u32(&m, K_NFTA_NAT_FAMILY, nft_family(a->family));
	    nft_u32(&m, K_NFTA_NAT_REG_ADDR_MIN, K_NFT_REG_1);
	    if (p->count == 1)
		nft_u32(&m, K_NFTA_NAT_REG_PROTO_MIN, K_NFT_REG_2);
	nft_close(&m);
	nl_close(&m);
	nft_comment(&m, text);
	return nft_commit(s, &m, e);
}

/* A range of ports whose numbers change needs one rule for each port: from a
 * range that a translation gives, the kernel chooses any port. */
static bool nft_publish_all(int s, const struct net_port *p, const char *text,
			    const struct net_addr *a, const char *table,
			    struct err *e)
{
	struct net_port one = *p;
	size_t k;

	if (p->from != p->to)
		one.count = 1;
	for (; one.from < p->from + p->count; one.from += one.count)
		for (k = 0; k < 2; k++) {
			one.to = p->to + (one.from - p->from);
			if (!nft_publish(s, &one, text, a, table,
					 &nft_chains[k], e))
				return false;
		}
	return true;
}

/* The rules of one network for one family. */
static bool nft_network(int s, const struct net_if *f, const struct net_addr *a,
			const char *table, struct err *e)
{
	size_t i;

	if (!a->family)
		return true;
	if (f->s->masquerade && !nft_masquerade(s, f, a, table, false, e))
		return wrap(e, "masquerade");
	for (i = 0; i < f->nports; i++) {
		const struct net_port *p = &f->ports[i];

		if (!net_port_is_of(p, a->family))
			continue;
		if (!nft_publish_all(s, p, f->s->publish.v[i], a, table, e))
			return wrap(e, "publish[%u]", (unsigned)i);
	}
	return !f->nports || nft_masquerade(s, f, a, table, true, e) ||
	       wrap(e, "publish");
}

static const char *const net_forward_files[] = {
	"sys/net/ipv4/ip_forward", "sys/net/ipv6/conf/all/forwarding",
};

/* Switches IP forwarding on: without it no packet goes from link to link. */
static bool net_forward(struct net_plan *p, bool v6, int proc,
			const struct nsrun_options *o, struct err *e)
{
	const char *path = net_forward_files[v6];
	char now[8];

	if (io_get(proc, path, now, sizeof now) > 0 && *now != '0')
		return true;
	if (!io_put(proc, path, "1"))
		return sysfail(e, "write 1 to /proc/%s", path);
	p->forwards[v6] = true;
	log_note(o, NSRUN_WARNING, "networks: IPv%c forwarding was off on the "
		 "host, and is on now%s", v6 ? '6' : '4', v6 ? "; its "
		 "interfaces with accept_ra 1 no longer hear routers, 2 would" :
		 "");
	return true;
}

/* ----- NET: flows -------------------------------------------------------- */

/*
 * The kernel (conntrack) sends a flow of UDP where its first packet went, for
 * as long as packets come. A client that does not give up may have begun its
 * flow while nobody, or another container, had the port. So such flows are
 * deleted, all in one pass, because a client makes as many as it likes. If the
 * kernel cannot do this, it is no error.
 */
struct ct_search {
	const struct spec_network_if *v;
	size_t		n;
	struct nl_msg	m;		/* deletes the flows that were seen */
	int		s;		/* for m: another socket lists flows */
	uint8_t		family;
};

static void ct_flush(struct ct_search *f)
{
	struct err ignored;

	if (f->m.len)
		nl_call(f->s, &f->m, NULL, NULL, &ignored);
	nl_begin(&f->m);
}

/* Does a network publish this port of UDP? port 0: does one publish any? */
static bool ct_is_published(const struct ct_search *f, unsigned port)
{
	struct net_port p;
	size_t i, k;

	for (i = 0; i < f->n; i++)
		for (k = 0; k < f->v[i].publish.n; k++) {
			p = (struct net_port){ .udp = false };
			if (net_read_port(f->v[i].publish.v[k], &p) && p.udp &&
			    (!port || port - p.from < p.count))
				return true;
		}
	return false;
}

static void ct_see(void *data, const char *body, size_t n)
{
	struct ct_search *f = data;
	const struct k_nfgen h = { f->family, 0, 0 };
	const char *tuple, *proto, *kind = NULL, *port = NULL;
	size_t len, size, one, two;

	if (n < sizeof h)
		return;
	tuple = nl_find(body + sizeof h, n - sizeof h, K_CTA_TUPLE_ORIG, &len);
	proto = tuple ? nl_find(tuple, len, K_CTA_TUPLE_PROTO, &size) : NULL;
	if (proto) {
		kind = nl_find(proto, size, K_CTA_PROTO_NUM, &one);
		port = nl_find(proto, size, K_CTA_PROTO_DST_PORT, &two);
	}
	if (!kind || !port || one != 1 || two != 2 || *kind != IPPROTO_UDP ||
	    !ct_is_published(f, (unsigned)(uint8_t)port[0] << 8 |
				(uint8_t)port[1]))
		return;
	if (f->m.len + len + 64 > sizeof f->m.buf)
		ct_flush(f);
	nl_end(&f->m);
	nl_add(&f->m, K_NFNL_CTNETLINK << 8 | K_CT_DELETE, K_NLM_ACK, &h,
	       sizeof h);
	nl_put(&f->m, K_CTA_TUPLE_ORIG | K_NLA_NESTED, tuple, len);
}

static void ct_forget(int s, const struct spec_network_if *v, size_t n,
		      int family)
{
	struct ct_search f = { .v = v, .n = n, .family = nft_family(family) };
	const struct k_nfgen h = { f.family, 0, 0 };
	autofd forget = -1;
	struct err ignored;
	struct nl_msg m;

	if (!ct_is_published(&f, 0))
		return;
	forget = nl_socket(K_NETLINK_NETFILTER, &ignored);
	if (forget < 0)
		return;
	f.s = forget;
	nl_begin(&f.m);
	nl_init(&m, K_NFNL_CTNETLINK << 8 | K_CT_GET, K_NLM_DUMP, &h,
		sizeof h);
	nl_call(s, &m, ct_see, &f, &ignored);
	ct_flush(&f);
}

/* ----- NET: ports that are taken ----------------------------------------- */

/* The key in the name of a table that nsrun made: nsrun-ID-NUMBER. NULL: it is
 * another table, whatever its rules say. */
static const char *net_table_key(const char *table)
{
	const char *key = str_after(table, NFT_TABLE);
	const char *number = key ? strrchr(key, '-') : NULL;

	return number && number > key && number[1] &&
	       !number[1 + strspn(number + 1, "0123456789abcdef")] ? key : NULL;
}

/* Looks for a rule of another container that publishes one of p's ports. */
struct nft_search {
	const struct net_plan *p;
	int		family;
	const char	*port;			/* that of p; NULL: none */
	char		by[NET_KEY_MAX];	/* the other's key */
};

static void nft_see_rule(void *data, const char *body, size_t n)
{
	struct nft_search *f = data;
	struct net_port port = { 0 };
	const char *by, *comment;
	size_t len, i;

	if (n < sizeof(struct k_nfgen) || f->port)
		return;
	body += sizeof(struct k_nfgen);
	n -= sizeof(struct k_nfgen);
	by = net_table_key(nl_text(body, n, K_NFTA_RULE_TABLE));
	comment = nl_find(body, n, K_NFTA_RULE_USERDATA, &len);
	if (!by || !comment || len < 3 || comment[len - 1] ||
	    !net_read_port(comment + 2, &port))
		return;
	for (i = 0; !f->port && i < f->p->n; i++)
		f->port = net_find_port(&f->p->v[i], &port, f->family);
	text_to(f->by, sizeof f->by, "%s", by);
}

static void net_table_name(char buf[NET_KEY_MAX + 8], const char *key)
{
	text_to(buf, NET_KEY_MAX + 8, NFT_TABLE "%s", key);
}

/* Checks that the ports are free. A container that has one of them, and whose
 * init is dead, loses its table. Call it before our rules are added. links: a
 * socket of rtnetlink. */
static bool nft_ports_free(int s, int links, const struct net_plan *p,
			   int family, int proc, struct err *e)
{
	const struct k_nfgen h = { nft_family(family), 0, 0 };
	struct nft_search f = { .p = p, .family = family };
	char table[NET_KEY_MAX + 8];
	struct nl_msg m;
	size_t i;

	for (i = 0; i < p->n && !p->v[i].nports; i++)
		;
	if (i == p->n)
		return true;
	for (;;) {
		nl_init(&m, K_NFNL_NFTABLES << 8 | K_NFT_GETRULE, K_NLM_DUMP,
			&h, sizeof h);
		f.port = NULL;
		if (!nl_call(s, &m, nft_see_rule, &f, e))
			return wrap(e, "list the rules");
		if (!f.port)
			return true;
		if (net_has_living(links, f.by, NULL, proc))
			break;
		net_table_name(table, f.by);
		if (!nft_drop_table(s, family, table, e))
			return false;
	}
	return fail(e, "publish: \"%s\" takes a port that '%.*s' has already",
		    f.port, (int)(strrchr(f.by, '-') - f.by), f.by);
}

/* Looks for base chains that drop forwarded packets. */
static const struct name nft_families[] = {
	{ "inet", K_NFPROTO_INET }, { "ip", K_NFPROTO_IPV4 },
	{ "ip6", K_NFPROTO_IPV6 },
};

struct nft_drops {
	struct nft_drop {
		const char	*family;
		char		table[128], chain[128];
		bool		knows;		/* has a rule for NET_GROUP */
	} v[8];
	size_t		n;
};

static uint32_t nft_number(const char *p, size_t n, unsigned type)
{
	size_t len;
	uint32_t v = UINT32_MAX;

	p = p ? nl_find(p, n, type, &len) : NULL;
	if (p && len == sizeof v)
		memcpy(&v, p, sizeof v);
	return ntohl(v);
}

static void nft_see_chain(void *data, const char *body, size_t n)
{
	struct nft_drops *f = data;
	struct nft_drop *d = &f->v[f->n];
	const char *hook;
	size_t len;

	if (n < sizeof(struct k_nfgen) || f->n == COUNT(f->v))
		return;
	d->family = name_of(nft_families, COUNT(nft_families), *body);
	body += sizeof(struct k_nfgen);
	n -= sizeof(struct k_nfgen);
	hook = nl_find(body, n, K_NFTA_CHAIN_HOOK, &len);
	f->n += d->family && hook &&
		nft_number(hook, len, K_NFTA_HOOK_HOOKNUM) == K_NF_FORWARD &&
		nft_number(body, n, K_NFTA_CHAIN_POLICY) == K_NF_DROP &&
		text_to(d->table, sizeof d->table, "%s",
			nl_text(body, n, K_NFTA_CHAIN_TABLE)) &&
		text_to(d->chain, sizeof d->chain, "%s",
			nl_text(body, n, K_NFTA_CHAIN_NAME));
}

static void nft_see_group(void *data, const char *body, size_t n)
{
	const uint32_t group = NET_GROUP;	/* as it stands in a register */
	struct nft_drops *f = data;
	const char *family, *table;
	size_t i;

	if (n < sizeof(struct k_nfgen) ||
	    !memmem(body, n, &group, sizeof group))
		return;
	family = name_of(nft_families, COUNT(nft_families), *body);
	table = nl_text(body + sizeof(struct k_nfgen),
			n - sizeof(struct k_nfgen), K_NFTA_RULE_TABLE);
	for (i = 0; i < f->n; i++)
		f->v[i].knows |= f->v[i].family == family &&
				 str_eq(f->v[i].table, table);
}

/* Warns of chains that drop forwarded packets. A packet that one chain of the
 * hook drops is dropped, whatever nsrun's tables say: the rule that accepts it
 * must be in that chain. */
static void nft_warn_drops(int s, const struct nsrun_options *o)
{
	const struct k_nfgen all = { 0, 0, 0 };
	struct nft_drops f = { .n = 0 };
	struct err ignored;
	struct nl_msg m;
	size_t i;

	nl_init(&m, K_NFNL_NFTABLES << 8 | K_NFT_GETCHAIN, K_NLM_DUMP, &all,
		sizeof all);
	if (!nl_call(s, &m, nft_see_chain, &f, &ignored) || !f.n)
		return;
	nl_init(&m, K_NFNL_NFTABLES << 8 | K_NFT_GETRULE, K_NLM_DUMP, &all,
		sizeof all);
	nl_call(s, &m, nft_see_group, &f, &ignored);
	for (i = 0; i < f.n; i++) {
		const struct nft_drop *d = &f.v[i];

		if (d->knows)
			continue;
		log_note(o, NSRUN_WARNING, "networks: the chain %s of the "
			 "table %s %s drops what is forwarded, see README, "
			 "Networks: nft insert rule %s %s %s iifgroup %d "
			 "accept; nft insert rule %s %s %s oifgroup %d ct "
			 "status snat,dnat accept", d->chain, d->family,
			 d->table, d->family, d->table, d->chain, NET_GROUP,
			 d->family, d->table, d->chain, NET_GROUP);
	}
}

/* Makes the table of a container for a family. It replaces a table that a dead
 * container of the same key left. own: how the alias of this container's links
 * begins. */
static bool net_table(int s, int links, int family, const char *id,
		      const char *own, int proc, struct err *e)
{
	char table[NET_KEY_MAX + 8];
	struct err ignored;

	net_table_name(table, id);
	if (nft_table(s, family, table, e))
		return true;
	if (e->num == EEXIST && net_has_living(links, id, own, proc))
		return wrap(e, "a container of the same id runs, and has the "
			    "table %s", table);
	if (e->num == EEXIST && nft_drop_table(s, family, table, &ignored) &&
	    nft_table(s, family, table, e))
		return true;
	wrap(e, "make the table %s", table);
	return e->num == EEXIST ? false : hint(e, "masquerade and publish need "
		"nf_tables and its nat chains in the kernel");
}

/* The files that list sockets. Those of TCP list listening sockets first. */
static const struct net_sockets {
	const char	*path;
	bool		udp;
	int		words;		/* of an address, 32 bits each */
	int		state;		/* listening; UDP: not connected */
} net_sockets[] = {
	{ "thread-self/net/tcp",	false,	1,	10 },
	{ "thread-self/net/tcp6",	false,	4,	10 },
	{ "thread-self/net/udp",	true,	1,	7 },
	{ "thread-self/net/udp6",	true,	4,	7 },
};

/* Parses "0: 0100007F:1F90 00000000:0000 0A ...". Returns the state of the
 * socket; -1: it is another line. */
static int net_read_socket(const struct net_sockets *t, const char *line,
			   struct net_port *p)
{
	const char *s = strstr(line, ": ");
	const size_t n = 8 * (size_t)t->words;
	int i;

	*p = (struct net_port){ .count = 1, .udp = t->udp };
	if (!s || strlen(s += 2) < 2 * (n + 6) + 2)
		return -1;
	for (i = 0; i < t->words; i++) {
		uint32_t v = (uint32_t)num_hex(s + 8 * i, 4) << 16 |
			     (uint32_t)num_hex(s + 8 * i + 4, 4);

		memcpy(p->host.b + 4 * i, &v, sizeof v);
	}
	p->from = (unsigned)num_hex(s + n + 1, 4);
	p->host.family = t->words == 1 ? AF_INET : AF_INET6;
	if (t->words > 1 && net_is_zero(&p->host))
		p->host.family = 0;	/* the socket takes IPv4, too */
	return num_hex(s + 2 * (n + 6), 2);
}

/* Finds a port to publish at which a program of the host listens. Once it is
 * published, the program is reached by 127.0.0.1 and ::1 alone. NULL: none. */
static const char *net_find_socket(const struct net_plan *p, int proc,
				   const struct net_sockets *t)
{
	autofd fd = openat(proc, t->path, O_RDONLY | O_CLOEXEC);
	const char *line, *found;
	struct net_port port;
	struct lines l;
	size_t i;
	int state;

	io_lines(&l, fd);
	while (fd >= 0 && (line = io_line(&l))) {
		state = net_read_socket(t, line, &port);
		if (state != t->state && state >= 0 && !t->udp)
			break;
		if (state != t->state ||
		    (port.host.family && net_is_own(&port.host)))
			continue;
		for (i = 0; i < p->n; i++) {
			if (p->v[i].s->publish_over)
				continue;
			found = net_find_port(&p->v[i], &port, AF_INET);
			if (!found)
				found = net_find_port(&p->v[i], &port,
						      AF_INET6);
			if (found)
				return found;
		}
	}
	return NULL;
}

static void net_warn_sockets(const struct net_plan *p, int proc,
			     const struct nsrun_options *o)
{
	const char *found = NULL;
	bool publishes = false;
	size_t i;

	for (i = 0; i < p->n; i++)
		publishes |= p->v[i].nports && !p->v[i].s->publish_over;
	for (i = 0; publishes && !found && i < COUNT(net_sockets); i++)
		found = net_find_socket(p, proc, &net_sockets[i]);
	if (found)
		log_note(o, NSRUN_WARNING, "networks: publish: \"%s\" takes "
			 "the port from a program of the host that listens at "
			 "it (see ss -lntup); set \"publish_over\": true if "
			 "this is intended", found);
}

static bool net_nat(int links, struct net_plan *p, const char *id,
		    int pid, int proc, const struct nsrun_options *o,
		    struct err *e)
{
	char table[NET_KEY_MAX + 8], own[NET_ALIAS_MAX];
	autofd s = -1;
	size_t i, k;

	if (!p->nat[0] && !p->nat[1])
		return true;
	s = nl_socket(K_NETLINK_NETFILTER, e);
	if (s < 0)
		return hint(e, "masquerade and publish need nf_tables and its "
			    "nat chains in the kernel");
	net_table_name(table, id);
	net_alias(own, id, pid, proc);
	for (k = 0; k < 2; k++) {
		int family = k ? AF_INET6 : AF_INET;

		if (!p->nat[k])
			continue;
		if (!net_table(s, links, family, id, own, proc, e) ||
		    !nft_ports_free(s, links, p, family, proc, e))
			return false;
		for (i = 0; i < p->n; i++) {
			if (nft_network(s, &p->v[i], &p->v[i].addr[k], table,
					e))
				continue;
			wrap(e, "networks[%u]", (unsigned)i);
			return e->num == ENOENT ? hint(e, "does the kernel "
				"have nft_nat, nft_masq, nft_ct and nft_fib?") :
				false;
		}
		ct_forget(s, p->v[0].s, p->n, family);
		if (!net_forward(p, k, proc, o, e))
			return false;
	}
	nft_warn_drops(s, o);
	net_warn_sockets(p, proc, o);
	return true;
}

/* ----- NET: make and drop ------------------------------------------------ */

/* Locks fd. A process of a container can hold the lock, too, so this ends after
 * that many hundredths of a second. */
static bool net_flock(int fd, unsigned tries)
{
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EINTR && (errno != EWOULDBLOCK || !tries--))
			return false;
		poll(NULL, 0, 10);
	}
	return true;
}

/* A process that makes or removes links or rules holds this lock. The locked
 * file exists in each network namespace, needs no writable directory, and only
 * root of that namespace may open it. A container that is root of the host's
 * namespaces can open it, too: after ten seconds nsrun goes on without it. */
static int net_lock(int proc)
{
	int fd = openat(proc, "sys/net/ipv4/tcp_fastopen_key", O_RDONLY |
			O_CLOEXEC);

	if (fd >= 0)
		net_flock(fd, 1000);
	return fd;
}

/* A process that makes, uses or removes marked files in a root holds this
 * lock. */
static bool net_lock_root(int root)
{
	return net_flock(root, 100);
}

/* In P: makes the links, or moves them, into the network namespace of the
 * process pid, and makes the rules. */
static bool net_make(struct net_plan *p, const char *id, int pid,
		     int proc, int root, const struct nsrun_options *o,
		     struct err *e)
{
	autofd s = -1, lock = -1;
	char key[NET_KEY_MAX];
	size_t i;

	if (!p->n)
		return true;
	id = net_key(key, id, root);
	if (!id)
		return sysfail(e, "networks: look at the state root");
	lock = net_lock(proc);
	s = nl_socket(K_NETLINK_ROUTE, e);
	if (s < 0)
		return false;
	for (i = 0; i < 2 * p->n; i++) {	/* phys first: indices */
		struct net_if *f = &p->v[i % p->n];
		int type = (int)f->s->type.v;

		if ((type == NET_PHYS) != (i < p->n))
			continue;
		if (!(type == NET_LOOPBACK ? true :
		      type == NET_VETH ? net_veth(s, f, id, i - p->n, pid,
						  proc, e) :
		      type == NET_PHYS ? net_phys(s, f, pid, e) :
		      net_on_link(s, f, net_group(id), pid, e)))
			return wrap(e, "networks[%u]", (unsigned)(i % p->n));
	}
	return net_nat(s, p, id, pid, proc, o, e);
}

/* In P, when the ends in the container are up: see net_sync(). */
static void net_settle(const struct net_plan *p)
{
	autofd s = -1;
	struct err ignored;
	size_t i;

	for (i = 0; i < p->n; i++) {
		if (!p->v[i].end)
			continue;
		if (s < 0)
			s = nl_socket(K_NETLINK_ROUTE, &ignored);
		if (s >= 0)
			net_sync(s, p->v[i].end);
		if (s >= 0 && p->v[i].master)	/* maybe its first port */
			net_sync(s, p->v[i].master);
	}
}

/* Removes a bridge that nsrun made and that has no port any more. */
static bool net_drop_bridge(int s, const char *name, struct err *e)
{
	struct net_search f = { .key = NULL };
	struct net_link l;

	if (!net_get(s, name, &l, e))
		return e->num == ENODEV;
	if (!net_is_bridge(&l))
		return true;
	f.bridge = l.index;
	return net_dump(s, &f, e) && (f.ports || net_remove(s, l.index, e));
}

/* Removes links of the container whose init is dead, and bridges without ports.
 * living: there are links whose init is alive; these stay. */
static bool net_drop_links(const struct spec *spec, const char *id, int proc,
			   bool *living, struct err *e)
{
	autofd s = nl_socket(K_NETLINK_ROUTE, e);
	bool ok = s >= 0;
	unsigned tries = 0;
	size_t i;

	if (s < 0)		/* without rtnetlink nothing was made */
		return e->num == EAFNOSUPPORT || e->num == EPROTONOSUPPORT;
	while (ok) {
		struct net_search f = { .key = id, .proc = proc,
					.group = net_group(id) };

		ok = net_dump(s, &f, e);
		*living = f.living;
		if (f.index)
			ok = ok && net_remove(s, f.index, e);
		else if (!f.living || !net_wait(&tries))
			break;
	}
	for (i = 0; ok && i < spec->networks.n; i++)
		ok = !spec->networks.v[i].bridge ||
		     net_drop_bridge(s, spec->networks.v[i].bridge, e);
	return ok;
}

static bool net_drop_tables(const struct spec *spec, const char *id,
			    struct err *e)
{
	char table[NET_KEY_MAX + 8];
	autofd s = nl_socket(K_NETLINK_NETFILTER, e);
	bool ok = s >= 0 || e->num == EPROTONOSUPPORT;
	int k;

	net_table_name(table, id);
	for (k = 0; ok && s >= 0 && k < 2; k++) {
		int family = k ? AF_INET6 : AF_INET;

		/* there is no table: ENOENT, or what old kernels answer for a
		 * family or a subsystem that they do not have */
		ok = nft_drop_table(s, family, table, e) ||
		     e->num == ENOENT || e->num == EAFNOSUPPORT ||
		     e->num == EOPNOTSUPP || e->num == EINVAL;
		ct_forget(s, spec->networks.v, spec->networks.n, family);
	}
	return ok;
}

/* In a child: removes links that have no end on the host. The container joined
 * their network namespace, which others made and which stays. */
static _Noreturn void net_drop_joined(const char *path, const char *id,
				      int proc)
{
	struct net_search f = { .key = id, .proc = proc,
				.group = net_group(id) };
	int ns = io_open(path, O_RDONLY), s;
	struct err e;

	s = ns >= 0 && setns(ns, CLONE_NEWNET) == 0 ?
	    nl_socket(K_NETLINK_ROUTE, &e) : -1;
	while (s >= 0 && net_dump(s, &f, &e) && f.index &&
	       net_remove(s, f.index, &e))
		f.index = 0;
	_exit(0);
}

static void net_drop_inside(const struct spec *spec, const char *id, int proc)
{
	const struct spec_ns *ns = spec_find_ns(spec, CLONE_NEWNET);
	int pid;

	if (!ns || !ns->path || !*ns->path)	/* ends with the container */
		return;
	pid = io_clone(0, -1, NULL);
	if (pid == 0)
		net_drop_joined(ns->path, id, proc);
	if (pid > 0)
		io_reap(pid);
}

/* Removes what net_make() left on the host, also if that nsrun was killed. The
 * container's init is dead: links whose init is alive belong to another
 * container of the same id. p: the plan of this call, which called net_make();
 * empty: another call did. */
static bool net_drop(const struct spec *spec, const struct net_plan *p,
		     const char *id, int root, int proc, struct err *e)
{
	autofd lock = -1;
	char key[NET_KEY_MAX];
	bool nat = false, living = false, inside = !p->n;
	size_t i;

	id = net_key(key, id, root);
	if (!id)
		return sysfail(e, "look at the state root");
	lock = net_lock(proc);
	for (i = 0; i < p->n; i++)
		inside |= p->v[i].made;
	if (inside)
		net_drop_inside(spec, id, proc);
	for (i = 0; i < spec->networks.n; i++)
		nat |= spec->networks.v[i].masquerade ||
		       spec->networks.v[i].publish.n;
	return net_drop_links(spec, id, proc, &living, e) &&
	       (!nat || living || net_drop_tables(spec, id, e));
}

/* After a failure: switches forwarding off again that this call switched on,
 * unless another container has been made meanwhile, which found it on. */
static void net_unforward(const struct net_plan *p, int proc)
{
	autofd lock = -1, s = -1;
	struct net_search f = { .key = "", .proc = proc };
	struct err ignored;
	size_t k;

	lock = net_lock(proc);
	s = nl_socket(K_NETLINK_ROUTE, &ignored);
	if (s < 0 || !net_dump(s, &f, &ignored) || f.living)
		return;
	for (k = 0; k < 2; k++)
		if (p->forwards[k])
			io_put(proc, net_forward_files[k], "0");
}

/* Finds the bridge of nsrun with the next higher index. */
struct net_next {
	int		after, index;		/* index 0: there is none */
};

static void net_see_bridges(void *data, const char *body, size_t n)
{
	struct net_next *next = data;
	struct net_link l = { 0 };

	net_see_link(&l, body, n);
	if (net_is_bridge(&l) && l.index > next->after &&
	    (!next->index || l.index < next->index))
		next->index = l.index;
}

/* Removes each bridge of nsrun that no container has a port on. */
static void net_drop_bridges(void)
{
	struct net_next next = { 0, 0 };
	struct nl_msg m;
	struct err e;
	autofd s = nl_socket(K_NETLINK_ROUTE, &e);

	for (; s >= 0; next = (struct net_next){ next.index, 0 }) {
		struct net_search f = { .key = NULL };

		nl_link(&m, K_RTM_GETLINK, K_NLM_DUMP, 0, 0);
		if (!nl_call(s, &m, net_see_bridges, &next, &e) || !next.index)
			return;
		f.bridge = next.index;
		if (net_dump(s, &f, &e) && !f.ports)
			net_remove(s, next.index, &e);
	}
}

/* Removes what is left of an id that has no state: of a run that could do
 * without one, or whose state is lost. */
static void net_drop_lost(const char *id, int root, int proc)
{
	static const struct spec none;
	autofd lock = -1;
	char key[NET_KEY_MAX];
	struct err ignored;
	bool living;

	id = net_key(key, id, root);
	if (!id)
		return;
	lock = net_lock(proc);
	if (net_drop_links(&none, id, proc, &living, &ignored) && !living)
		net_drop_tables(&none, id, &ignored);
	net_drop_bridges();
}

/* ----- NET: statistics --------------------------------------------------- */

/* The interfaces of the network namespace in which the caller is. */
struct net_tell {
	struct nsrun_link v[NSRUN_LINKS_MAX];
	int		index[NSRUN_LINKS_MAX];
	size_t		n;
};

static void net_see_stats(void *data, const char *body, size_t n)
{
	struct net_tell *t = data;
	struct nsrun_link *l = &t->v[t->n];
	struct k_ifinfo i;
	const char *p;
	uint64_t s[8];		/* the first of struct rtnl_link_stats64 */
	size_t len;

	if (n < sizeof i || t->n == NSRUN_LINKS_MAX)
		return;
	memcpy(&i, body, sizeof i);
	p = nl_find(body + sizeof i, n - sizeof i, K_IFLA_STATS64, &len);
	if (!p || len < sizeof s)
		return;
	memcpy(s, p, sizeof s);
	*l = (struct nsrun_link){ .rx_packets = s[0], .tx_packets = s[1],
		.rx_bytes = s[2], .tx_bytes = s[3], .rx_errors = s[4],
		.tx_errors = s[5], .rx_dropped = s[6], .tx_dropped = s[7] };
	text_to(l->name, sizeof l->name, "%s",
		nl_text(body + sizeof i, n - sizeof i, K_IFLA_IFNAME));
	t->index[t->n++] = i.index;
}

static void net_see_address(void *data, const char *body, size_t n)
{
	struct net_tell *t = data;
	struct net_addr at;
	size_t i;
	int index = net_get_address(body, n, &at);

	if (!index)
		return;
	for (i = 0; i < t->n; i++) {
		struct text to = TEXT(t->v[i].addresses);
		size_t had = strlen(to.p);

		if (t->index[i] != index)
			continue;
		to.len = had;
		text_add(&to, "%s", had ? " " : "");
		net_text(&to, &at);
		text_add(&to, "/%u", at.prefix);
		if (to.bad)		/* no address rather than half of one */
			to.p[had] = 0;
	}
}

static bool net_list(struct net_tell *t, struct err *e)
{
	const struct k_ifaddr addresses = { 0, 0, 0, 0, 0 };
	autofd s = nl_socket(K_NETLINK_ROUTE, e);
	struct nl_msg m;

	t->n = 0;
	if (s < 0)
		return false;
	nl_link(&m, K_RTM_GETLINK, K_NLM_DUMP, 0, 0);
	if (!nl_call(s, &m, net_see_stats, t, e))
		return false;
	nl_init(&m, K_RTM_GETADDR, K_NLM_DUMP, &addresses, sizeof addresses);
	return nl_call(s, &m, net_see_address, t, e);
}

/* Writes the members that runc's events have, and the addresses. */
static void net_put_links(struct json_out *o, const char *key,
			  const struct nsrun_link *l, size_t n)
{
	const char *s;
	char one[64];
	size_t k;

	json_put_open(o, key, '[');
	for (; n--; l++) {
		json_put_open(o, NULL, '{');
		json_put_str(o, "Name", l->name);
		json_put_open(o, "Addresses", '[');
		for (s = l->addresses; *s; s += k, s += *s == ' ') {
			k = strcspn(s, " ");
			text_cut(one, sizeof one, s, k);
			json_put_str(o, NULL, one);
		}
		json_put_close(o, ']');
		json_put_u64(o, "RxBytes", l->rx_bytes);
		json_put_u64(o, "RxPackets", l->rx_packets);
		json_put_u64(o, "RxErrors", l->rx_errors);
		json_put_u64(o, "RxDropped", l->rx_dropped);
		json_put_u64(o, "TxBytes", l->tx_bytes);
		json_put_u64(o, "TxPackets", l->tx_packets);
		json_put_u64(o, "TxErrors", l->tx_errors);
		json_put_u64(o, "TxDropped", l->tx_dropped);
		json_put_close(o, '}');
	}
	json_put_close(o, ']');
}

/* ===== MOUNT =============================================================
 *
 * The table `words` says what each option of mounts[] does to a struct mnt. An
 * option that is not in the table is data for the file system. Mounting works
 * on fds only: the target is opened below the root (IO), a file system is
 * mounted on it, or a tree is cloned and moved onto it; then attributes and
 * propagation are set, also by fd. So no name in an untrusted tree is looked up
 * twice.
 *
 * Trees are bound with open_tree(2), move_mount(2) and mount_setattr(2).
 * Kernels before 5.2 have none of the three, kernels before 5.12 lack
 * mount_setattr(2). There, and for new file systems on every kernel (but see
 * mnt_fs_held()), nsrun uses mount(2) with the path "self/fd/N" below a
 * verified procfs, and finds the new mount by opening the target again.
 */

enum mnt_kind { MNT_FS, MNT_BIND, MNT_CGROUP };

enum { PROP_MAX = 4 };

struct mnt {
	size_t		index;		/* in mounts[] */
	const char	*dest;		/* clean, below the root */
	const char	*src, *type, *data;
	unsigned char	kind;
	bool		rec, copy_up, remount, late_ro;
	bool		src_nofollow, dest_nofollow, copy_symlink;
	bool		labelled;	/* by linux.mountLabel */
	unsigned char	idmap;		/* 1: this mount, 2: the tree */
	unsigned	set, clr, rset, rclr;	/* attributes */
	unsigned	sb;		/* mount(2) flags of the superblock */
	int		prop[PROP_MAX];
	size_t		nprop;
	const char	*uid_map, *gid_map;	/* idmap; "": the container's */
	const char	*ids;		/* of an option idmap=IDS */
};

/* ----- MOUNT: options and plan ------------------------------------------- */

enum word_act { W_ATTR, W_ATTR_OFF, W_ATIME, W_SB, W_SB_OFF, W_BIND, W_RBIND,
		W_COPYUP, W_IDMAP, W_RIDMAP, W_REMOUNT, W_SRC, W_DEST, W_LINK,
		W_NONE };

static const struct word {
	const char	*name;
	unsigned	act, bits;
} words[] = {	/* an r before a word up to W_ATIME makes it recursive */
	{ "defaults",	 W_NONE, 0 },
	{ "copy",	 W_NONE, 0 },	/* Podman's, of a volume's contents */
	{ "nocopy",	 W_NONE, 0 },
	{ "ro",		 W_ATTR, K_ATTR_RDONLY },
	{ "rw",		 W_ATTR_OFF, K_ATTR_RDONLY },
	{ "nosuid",	 W_ATTR, K_ATTR_NOSUID },
	{ "suid",	 W_ATTR_OFF, K_ATTR_NOSUID },
	{ "nodev",	 W_ATTR, K_ATTR_NODEV },
	{ "dev",	 W_ATTR_OFF, K_ATTR_NODEV },
	{ "noexec",	 W_ATTR, K_ATTR_NOEXEC },
	{ "exec",	 W_ATTR_OFF, K_ATTR_NOEXEC },
	{ "noatime",	 W_ATIME, K_ATTR_NOATIME },
	{ "atime",	 W_ATIME, K_ATTR_RELATIME },
	{ "relatime",	 W_ATIME, K_ATTR_RELATIME },
	{ "norelatime",	 W_ATIME, K_ATTR_RELATIME },
	{ "strictatime", W_ATIME, K_ATTR_STRICTATIME },
	{ "nostrictatime", W_ATIME, K_ATTR_RELATIME },
	{ "nodiratime",	 W_ATTR, K_ATTR_NODIRATIME },
	{ "diratime",	 W_ATTR_OFF, K_ATTR_NODIRATIME },
	{ "nosymfollow", W_ATTR, K_ATTR_NOSYMFOLLOW },
	{ "symfollow",	 W_ATTR_OFF, K_ATTR_NOSYMFOLLOW },
	{ "sync",	 W_SB, K_MS_SYNCHRONOUS },
	{ "async",	 W_SB_OFF, K_MS_SYNCHRONOUS },
	{ "dirsync",	 W_SB, K_MS_DIRSYNC },
	{ "mand",	 W_SB, K_MS_MANDLOCK },
	{ "nomand",	 W_SB_OFF, K_MS_MANDLOCK },
	{ "lazytime",	 W_SB, K_MS_LAZYTIME },
	{ "nolazytime",	 W_SB_OFF, K_MS_LAZYTIME },
	{ "iversion",	 W_SB, K_MS_I_VERSION },
	{ "noiversion",	 W_SB_OFF, K_MS_I_VERSION },
	{ "silent",	 W_SB, K_MS_SILENT },
	{ "loud",	 W_SB_OFF, K_MS_SILENT },
	{ "bind",	 W_BIND, 0 },
	{ "rbind",	 W_RBIND, 0 },
	{ "remount",	 W_REMOUNT, 0 },
	{ "tmpcopyup",	 W_COPYUP, 0 },
	{ "idmap",	 W_IDMAP, 0 },
	{ "ridmap",	 W_RIDMAP, 0 },
	{ "src-nofollow", W_SRC, 0 },
	{ "dest-nofollow", W_DEST, 0 },
	{ "copy-symlink", W_LINK, 0 },
};

/* Attributes of mounts and the options that set them. */
static const struct name attr_names[] = {
	{ "ro", K_ATTR_RDONLY },	{ "nosuid", K_ATTR_NOSUID },
	{ "nodev", K_ATTR_NODEV },	{ "noexec", K_ATTR_NOEXEC },
	{ "noatime", K_ATTR_NOATIME },	{ "strictatime", K_ATTR_STRICTATIME },
	{ "nodiratime", K_ATTR_NODIRATIME },
	{ "nosymfollow", K_ATTR_NOSYMFOLLOW },
};

static const struct word *word_find(const char *s)
{
	size_t i;

	for (i = 0; i < COUNT(words); i++)
		if (str_eq(words[i].name, s))
			return &words[i];
	return NULL;
}

static bool mnt_word(struct mnt *m, const char *s)
{
	const struct name *prop = name_find(propagation_names,
					    COUNT(propagation_names), s);
	unsigned *set = &m->set, *clr = &m->clr;
	const char *ids = str_after(s + (*s == 'r'), "idmap=");
	const struct word *w;

	if (ids) {
		m->idmap = *s == 'r' ? 2 : 1;
		m->ids = ids;
		return true;
	}
	if (prop) {
		if (m->nprop == PROP_MAX)	/* the last ones count */
			memmove(m->prop, m->prop + 1,
				--m->nprop * sizeof *m->prop);
		m->prop[m->nprop++] = prop->value;
		return true;
	}
	w = word_find(s);
	if (!w && *s == 'r') {
		w = word_find(s + 1);
		if (w && w->act > W_ATIME)
			w = NULL;
		set = &m->rset;
		clr = &m->rclr;
	}
	if (!w)
		return false;
	switch (w->act) {
	/* of two options about one attribute the later one counts */
	case W_ATTR:	 *set |= w->bits; *clr &= ~w->bits; break;
	case W_ATTR_OFF: *clr |= w->bits; *set &= ~w->bits; break;
	case W_ATIME:	/* a field of bits: cleared before it is set */
		*set = (*set & ~(unsigned)K_ATTR__ATIME) | w->bits;
		*clr |= K_ATTR__ATIME;
		break;
	case W_SB:	 m->sb |= w->bits; break;
	case W_SB_OFF:	 m->sb &= ~w->bits; break;
	case W_RBIND:	 m->rec = true;	/* fall through */
	case W_BIND:	 m->kind = MNT_BIND; break;
	case W_COPYUP:	 m->copy_up = true; break;
	case W_IDMAP:	 m->idmap = 1; break;
	case W_RIDMAP:	 m->idmap = 2; break;
	case W_REMOUNT:	 m->remount = true; break;
	case W_SRC:	 m->src_nofollow = true; break;
	case W_DEST:	 m->dest_nofollow = true; break;
	case W_LINK:	 m->copy_symlink = m->src_nofollow = true; break;
	}
	return true;
}

/* File systems of the kernel: `ro` is set on the mount only, because their
 * superblock is shared or has no read-only flag of its own. */
static bool mnt_is_kernel(const char *type)
{
	return str_among("tmpfs\0proc\0sysfs\0devpts\0mqueue\0cgroup\0"
			 "cgroup2\0", type);
}

/* The files inside /proc that may be covered: lxcfs and such provide them. */
static bool mnt_proc_allowed(const char *dest)
{
	return str_among("cpuinfo\0diskstats\0meminfo\0stat\0swaps\0uptime\0"
			 "loadavg\0slabinfo\0sys/kernel/ns_last_pid\0"
			 "sys/crypto/fips_enabled\0", dest + 6);
}

/* Appends the range at *p, ID-HOST-LENGTH, to *map; on failure *map is NULL.
 * After an @, HOST is an id of the container's user namespace. */
static bool mnt_plan_range(const char **map, const char **p,
			   const spec_maps *own, struct arena *mem)
{
	bool inside = **p == '@';
	long long v[3];
	size_t i, n;

	*p += inside;
	for (i = 0; i < 3; i++) {
		n = num_len(*p);
		if (!num_signed(*p, n, &v[i]) || v[i] > UINT32_MAX ||
		    (i < 2 && (*p)[n] != '-')) {
			*map = NULL;
			return false;
		}
		*p += n + (i < 2);
	}
	for (i = 0; inside && i < own->n; i++) {
		const struct spec_map *o = &own->v[i];

		if (v[1] < o->inside.v || v[1] - o->inside.v >= o->size.v)
			continue;
		v[1] += o->outside.v - o->inside.v;
		inside = false;
	}
	*map = inside ? NULL : mem_text(mem, "%s%lld %lld %lld\n", *map, v[0],
					v[1], v[2]);
	return *map != NULL;
}

/* crun's option, as in idmap=uids=0-1-10#10-11-10;gids=@0-100-10. */
static bool mnt_plan_ids(struct mnt *m, const struct spec_linux *l,
			 struct arena *mem, struct err *e)
{
	const char *p = m->ids;

	m->uid_map = m->gid_map = "";
	while (*p) {
		bool gid = *p == 'g';

		p = str_after(p, gid ? "gids=" : "uids=");
		while (p && mnt_plan_range(gid ? &m->gid_map : &m->uid_map, &p,
					   gid ? &l->gids : &l->uids, mem) &&
		       *p == '#')
			p++;
		if (!p || !m->uid_map || !m->gid_map || (*p && *p++ != ';'))
			return fail(e, "options: idmap=%s: not made of uids= "
				    "and gids=, each with ID-HOST-LENGTH (@ if "
				    "HOST is one that the container maps)",
				    m->ids);
	}
	return true;
}

/* Reads the options. One that nsrun does not know is for the file system. */
static bool mnt_plan_words(struct mnt *m, const struct spec_mount *s,
			   const struct spec_linux *l, struct arena *mem,
			   struct err *e)
{
	size_t i;

	m->data = "";
	for (i = 0; i < s->options.n && m->data; i++)
		if (*s->options.v[i] && !mnt_word(m, s->options.v[i]))
			m->data = mem_text(mem, "%s%s%s", m->data,
					   *m->data ? "," : "",
					   s->options.v[i]);
	m->uid_map = ns_map_text(mem, &s->uids);
	m->gid_map = ns_map_text(mem, &s->gids);
	if (!m->data || !m->uid_map || !m->gid_map)
		return no_memory(e);
	if ((s->uids.n || s->gids.n) && !m->idmap)
		m->idmap = 1;
	return !m->ids || mnt_plan_ids(m, l, mem, e);
}

static bool mnt_plan_source(struct mnt *m, const char *bundle,
			    struct arena *mem, struct err *e)
{
	if (m->kind != MNT_BIND || m->remount)
		return *m->type || m->remount ||
		       fail(e, "type: is missing, and the options do not say "
			    "bind");
	if (!*m->src)
		return fail(e, "source: is missing");
	if (*m->src != '/')
		m->src = mem_text(mem, "%s/%s", bundle, m->src);
	return m->src || no_memory(e);
}

/* Refuses members and options that do not go together. */
static bool mnt_plan_check(const struct mnt *m, struct err *e)
{
	if (*m->data && m->kind != MNT_FS)
		return fail(e, "options: \"%s\" is no option of a %s mount",
			    m->data, m->kind == MNT_BIND ? "bind" : "cgroup");
	if (m->idmap && (m->kind != MNT_BIND || m->remount))
		return fail(e, "options: idmap goes with a bind mount only");
	if (m->idmap && !*m->uid_map != !*m->gid_map)
		return fail(e, "%s: is missing", *m->uid_map ? "gidMappings" :
			    "uidMappings");
	if (m->copy_up && !str_eq(m->type, "tmpfs"))
		return fail(e, "options: tmpcopyup goes with tmpfs only");
	if (str_after(m->dest, "/proc/") && !mnt_proc_allowed(m->dest))
		return fail(e, "destination: is inside /proc, where only some "
			    "files may be covered");
	return !str_eq(m->dest, "/proc") || m->kind == MNT_BIND ||
	       str_eq(m->type, "proc") || m->remount ||
	       fail(e, "destination: /proc can hold a proc file system only");
}

static bool mnt_plan_label(struct mnt *m, const char *label,
			   struct arena *mem, struct err *e)
{
	if (!label || !*label || !*m->type || m->kind != MNT_FS ||
	    str_eq(m->type, "proc") || str_eq(m->type, "sysfs"))
		return true;
	m->data = mem_text(mem, "%s%scontext=\"%s\"", m->data,
			   *m->data ? "," : "", label);
	m->labelled = true;
	return m->data || no_memory(e);
}

static bool mnt_plan_one(struct mnt *m, const struct spec_mount *s,
			 const char *bundle, const struct spec_linux *l,
			 struct arena *mem, struct err *e)
{
	char *dest = mem_text(mem, "/%s", s->destination);

	if (!dest)
		return no_memory(e);
	path_clean(dest);
	m->dest = *dest ? dest : "/";
	m->type = s->type ? s->type : "";
	m->src = s->source ? s->source : "";
	if (str_eq(m->type, "bind") || str_eq(m->type, "rbind"))
		m->kind = MNT_BIND;
	if (!mnt_plan_words(m, s, l, mem, e))
		return false;
	if (str_eq(m->type, "cgroup") && m->kind != MNT_BIND)
		m->kind = MNT_CGROUP;
	if (!mnt_plan_source(m, bundle, mem, e) || !mnt_plan_check(m, e) ||
	    !mnt_plan_label(m, l->mount_label, mem, e))
		return false;
	if (m->kind == MNT_BIND)
		m->sb = 0;		/* a bind changes no superblock */
	else if (m->set & K_ATTR_RDONLY && !mnt_is_kernel(m->type))
		m->sb |= MS_RDONLY;	/* the medium may be read-only */
	m->late_ro = (m->remount || str_eq(m->type, "tmpfs")) &&
		     (m->set & K_ATTR_RDONLY);
	return true;
}

struct mnt_list {
	struct mnt	*v;
	size_t		n;
};

/* Makes the mount nodev, so that no device on it can be opened. Exceptions are
 * devpts and a tmpfs on /dev, which holds only the devices made there. */
static bool mnt_nodev(struct mnt *m, struct err *e)
{
	bool tree = m->kind == MNT_BIND && m->rec;

	if (str_eq(m->type, "devpts"))
		return true;
	if (m->remount) {	/* if it must be nodev, it is so already */
		m->clr &= ~(unsigned)K_ATTR_NODEV;
		m->rclr &= ~(unsigned)K_ATTR_NODEV;
		return true;
	}
	if (str_eq(m->dest, "/dev") && str_eq(m->type, "tmpfs"))
		return !m->copy_up || fail(e, "options: no tmpcopyup here, "
			"where no cgroup can enforce linux.resources.devices");
	*(tree ? &m->rset : &m->set) |= K_ATTR_NODEV;
	m->clr &= ~(unsigned)K_ATTR_NODEV;
	m->rclr &= ~(unsigned)K_ATTR_NODEV;
	return true;
}

static bool mnt_plan(struct mnt_list *l, const struct spec *s,
		     const char *bundle, bool nodev, struct arena *mem,
		     struct err *e)
{
	size_t i;

	l->v = mem_new(mem, s->mounts.n * sizeof *l->v);
	if (!l->v)
		return no_memory(e);
	for (i = 0; i < s->mounts.n; i++) {
		struct mnt *m = &l->v[i];

		m->index = i;
		if (!mnt_plan_one(m, &s->mounts.v[i], bundle, &s->linux, mem,
				  e))
			return wrap(e, "mounts[%u] (%s)", (unsigned)i,
				    s->mounts.v[i].destination);
		if (nodev && !mnt_nodev(m, e))
			return wrap(e, "mounts[%u] (%s)", (unsigned)i,
				    s->mounts.v[i].destination);
	}
	l->n = s->mounts.n;
	return true;
}

/* ----- MOUNT: attributes and clones -------------------------------------- */

/*
 * What I holds while it arranges its namespaces: the root, as an fd in its own
 * mount namespace; the host's procfs, until I leaves the host's root; and the
 * functions that ask P for help.
 */
struct inside {
	int		root, proc;	/* proc: -1 after init_leave() */
	const char	*path;		/* of the root, on the host */
	int		covered;	/* the root below a mount on /; -1 */
	const struct cg_plan *cg;
	bool		cgroup_ns, user_ns;
	bool		cgroup_view;	/* cgroup_ns, or one is joined */
	bool		cwd_due;	/* only process.user may enter it */
	bool		no_groups;	/* setgroups is denied */
	bool		nodev;		/* see DEV */
	bool		root_ro;	/* a mount on / asks for it */
	int		late[32];	/* mounts to become read-only, O_PATH */
	size_t		nlate;
	/* Asks P for what needs the host's privileges: the bind source of
	 * mounts[index], as a detached tree with its idmap. An index behind
	 * those of mounts[] means the node of a device. -1 on failure. */
	int		(*source)(struct inside *, size_t index, struct err *);
	/* Waits until P has placed I in the cgroups, which P does while I
	 * mounts. A second call does nothing. */
	bool		(*placed)(struct inside *, struct err *);
	/* Has P put I into all cgroups, so that memory that the container keeps
	 * is charged to it; or take I out of those that are entered last. */
	bool		(*charged)(struct inside *, bool in, struct err *);
	bool		is_placed;
	int		gos;		/* GO messages received */
	int		sock;
};

static unsigned long mnt_flags(unsigned attr)
{
	unsigned atime = attr & K_ATTR__ATIME;

	return (attr & 15) | (attr & K_ATTR_NODIRATIME ? MS_NODIRATIME : 0) |
	       (attr & K_ATTR_NOSYMFOLLOW ? (unsigned)K_MS_NOSYMFOLLOW : 0) |
	       (atime == K_ATTR_NOATIME ? (unsigned long)MS_NOATIME :
		atime == K_ATTR_STRICTATIME ? (unsigned long)MS_STRICTATIME :
		(unsigned long)MS_RELATIME);
}

/* mount(2) on fds. The procfs becomes the cwd, so that no absolute path is
 * used. After init_leave() there is no procfs, and only the mount of the root
 * is still changed: then target becomes the cwd. */
static bool mnt_old(struct inside *in, int src, int target, const char *type,
		    unsigned long flags, const char *data)
{
	char from[32], to[32] = ".";

	text_to(from, sizeof from, "self/fd/%d", src);
	if (in->proc >= 0)
		text_to(to, sizeof to, "self/fd/%d", target);
	return sys_fchdir(in->proc >= 0 ? in->proc : target) == 0 &&
	       mount(src < 0 ? type : from, to, type, flags, data) == 0;
}

/* Reads the attributes of the mount at fd. */
static bool mnt_attributes(int fd, unsigned *now, struct err *e)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return sysfail(e, "statfs");
	*now = (unsigned)(fs.f_flags & 15) |
	       (fs.f_flags & K_ST_NOATIME ? K_ATTR_NOATIME :
		fs.f_flags & K_ST_RELATIME ? K_ATTR_RELATIME :
		K_ATTR_STRICTATIME) |
	       (fs.f_flags & K_ST_NODIRATIME ? K_ATTR_NODIRATIME : 0);
	return true;
}

/* Sets and clears attributes of the mount at fd (and of those below it, if
 * rec). All others stay as they are, also those that a user namespace has
 * locked. */
static bool mnt_set(struct inside *in, int fd, unsigned set, unsigned clr,
		    bool rec, struct err *e)
{
	struct k_attr a = { set, clr, 0, 0 };
	unsigned now;

	if (!set && !clr)
		return true;
	if (sys_mount_setattr(fd, rec ? K_AT_RECURSIVE : 0, &a) == 0)
		return true;
	if (!no_syscall(errno))
		return sysfail(e, "set mount attributes");
	if (rec)
		return sysfail(e, "set mount attributes recursively, which "
			       "needs Linux 5.12");
	if (!mnt_attributes(fd, &now, e))
		return false;
	now = (now & ~clr) | set;
	if (mnt_old(in, -1, fd, NULL, MS_BIND | MS_REMOUNT | mnt_flags(now),
		    NULL))
		return true;
	sysfail(e, "set mount attributes");
	return e->num == EPERM ? hint(e, "the source's mount has flags that "
				      "are locked here") : false;
}

static bool mnt_set_ro(struct inside *in, int fd, struct err *e)
{
	return mnt_set(in, fd, K_ATTR_RDONLY, 0, false, e);
}

static bool mnt_propagate(struct inside *in, int fd, int how, struct err *e)
{
	struct k_attr a = { 0, 0, (unsigned)how & ~(unsigned)MS_REC, 0 };

	if (sys_mount_setattr(fd, how & MS_REC ? K_AT_RECURSIVE : 0, &a) == 0)
		return true;
	/* the call is missing before 5.12, where a filter may answer EINVAL */
	return mnt_old(in, -1, fd, NULL, (unsigned long)how, NULL) ||
	       sysfail(e, "set propagation");
}

/* Clones the tree at src, with the mounts below it if rec, and moves the clone
 * onto target, whose path below the root is path. Returns the mount's fd. */
static int mnt_clone(struct inside *in, int src, int target, const char *path,
		     bool rec, int walk, struct err *e)
{
	autofd tree = sys_open_tree(src, "", K_TREE_CLONE | K_AT_EMPTY_PATH |
				    (rec ? K_AT_RECURSIVE : 0));

	if (tree >= 0) {
		if (sys_move_mount(tree, target) == 0)
			return fd_take(&tree);
	} else if (no_syscall(errno)) {
		if (mnt_old(in, src, target, NULL, MS_BIND |
			    (rec ? MS_REC : 0), NULL))
			tree = root_open(in->root, path, walk);
		if (tree >= 0)
			return fd_take(&tree);
	}
	sysfail(e, "bind mount");
	return -1;
}

enum { MNT_OPTION_MAX = 4096 };	/* the options of a mount are a page at most */

/* ----- MOUNT: file systems ----------------------------------------------- */

/* Copies the file system option at *p to buf and moves *p behind it. A comma
 * ends the option, except inside quotes or after a backslash. */
static bool mnt_option(const char **p, char *buf, size_t size)
{
	const char *s = *p;
	bool quoted = false;
	size_t n;

	for (n = 0; s[n] && (quoted || s[n] != ',' ||
			     (n && s[n - 1] == '\\')); n++)
		quoted ^= s[n] == '"';
	*p = s + n + (s[n] == ',');
	return text_to(buf, size, "%.*s", (int)n, s);
}

/* Gives each option in data to fs, which is from fsopen(2). False: `one` is the
 * option that was refused, with errno. */
static bool mnt_options_to(int fs, const char *data, char one[MNT_OPTION_MAX])
{
	while (*data && mnt_option(&data, one, MNT_OPTION_MAX)) {
		char *value = strchr(one, '=');

		if (value)
			*value = 0;
		if (sys_fsconfig(fs, value ? K_FSCONFIG_STRING :
				 K_FSCONFIG_FLAG, one,
				 value ? value + 1 : NULL) == 0)
			continue;
		if (value)
			*value = '=';
		return false;
	}
	return true;
}

/* Adds the kernel's own error messages, as "e tmpfs: Unknown parameter 'x'". */
static void mnt_fs_words(int fs, struct err *e)
{
	char buf[256];
	ssize_t n;

	while ((n = read(fs, buf, sizeof buf - 1)) > 2) {
		buf[n] = 0;
		str_line(buf);
		if (*buf == 'e')
			hint(e, "%s", buf + 2);
	}
}

/* Explains why mount(2) failed with errno. EINVAL says too little: fsconfig(2),
 * which takes the options one by one, says which one it refuses, and why. */
static bool mnt_fs_fail(const struct mnt *m, const char *data, struct err *e)
{
	char one[MNT_OPTION_MAX];
	autofd fs = -1;

	sysfail(e, "mount %s%s%s", m->type, *data ? " with " : "", data);
	if (e->num == ENODEV)
		return hint(e, "the kernel has no file system \"%s\", see "
			    "/proc/filesystems", m->type);
	if (e->num != EINVAL)
		return false;
	fs = sys_fsopen(m->type);
	if (fs >= 0 && !mnt_options_to(fs, data, one))
		sysfail(e, "%s refused the option \"%s\"", m->type, one);
	mnt_fs_words(fs, e);
	if (m->labelled && (fs < 0 || str_after(one, "context=")))
		hint(e, "the option is from linux.mountLabel; is SELinux "
		     "enabled here?");
	return false;
}

/* Mounts a new file system onto target with fsopen(2), fsmount(2) and
 * move_mount(2), which give an fd of the mount from the start. Returns it, or
 * -1 if that fails, or if only mount(2) can do it: flags of the superblock,
 * quotes. */
static int mnt_fs_held(const struct mnt *m, unsigned attr, const char *data,
		       int target)
{
	const unsigned plain = 15 | K_ATTR__ATIME | K_ATTR_NODIRATIME;
	char one[MNT_OPTION_MAX];
	autofd fs = -1, fd = -1;

	if (m->sb || attr & ~plain || strchr(data, '"') ||
	    (attr & K_ATTR_RDONLY && !mnt_is_kernel(m->type)))
		return -1;
	fs = sys_fsopen(m->type);
	if (fs < 0 || sys_fsconfig(fs, K_FSCONFIG_STRING, "source",
				   *m->src ? m->src : "none") < 0 ||
	    !mnt_options_to(fs, data, one) ||
	    sys_fsconfig(fs, K_FSCONFIG_CREATE, NULL, NULL) < 0)
		return -1;
	fd = sys_fsmount(fs, attr);
	return fd >= 0 && sys_move_mount(fd, target) == 0 ? fd_take(&fd) : -1;
}

/* Is fd, which was opened by the path of target, the root of a mount on target?
 * Another container that shares a volume could have changed that path meanwhile
 * (CVE-2021-30465). False: errno is set. */
static bool mnt_is_on(int fd, int target)
{
	struct stat top, below, up, up_below;

	if (fstat(fd, &top) < 0 || fstat(target, &below) < 0 ||
	    fstatat(fd, "..", &up, 0) < 0 ||
	    fstatat(target, "..", &up_below, 0) < 0)
		return false;
	errno = ESTALE;
	return top.st_dev != below.st_dev && up.st_dev == up_below.st_dev &&
	       up.st_ino == up_below.st_ino;
}

/* Opens the new mount on target, which is at path. A mount on the root is found
 * by the root's path on the host: no path below the root leads to it. */
static int mnt_top(struct inside *in, const char *path, int target,
		   struct err *e)
{
	bool root = str_eq(path, "/");
	autofd fd = root ? io_open(in->path, O_PATH) :
			   root_open(in->root, path, 0);

	if (fd >= 0 && (root || mnt_is_on(fd, target)))
		return fd_take(&fd);
	sysfail(e, "open the new mount");
	if (e->num == ESTALE)
		hint(e, "its mount point was replaced meanwhile");
	return -1;
}

/* How a new file system is mounted. */
struct mnt_fs {
	unsigned	attr;
	const char	*mode;		/* of an option mode=; NULL: none */
	const char	*skip;		/* leave out options that begin so */
	const char	*path;		/* of target; NULL: no need of top */
	int		top;		/* fd of the new mount, or -1 */
};

/* Mounts a new file system onto target, by mount(2) with the path self/fd/N:
 * one call, where fsopen(2) and its friends need seven. Those are tried only if
 * the caller needs the mount's fd. */
static bool mnt_fs(struct inside *in, const struct mnt *m, struct mnt_fs *f,
		   int target, struct err *e)
{
	char data[MNT_OPTION_MAX], one[MNT_OPTION_MAX], path[32];
	struct text t = TEXT(data);
	const char *p = m->data;

	*data = 0;
	if (f->mode)
		text_add(&t, "mode=%s", f->mode);
	while (*p && !t.bad)
		if (!mnt_option(&p, one, sizeof one))
			t.bad = true;
		else if (!f->skip || !str_after(one, f->skip))
			text_add(&t, "%s%s", t.len ? "," : "", one);
	if (t.bad)
		return fail(e, "the options are longer than a page");
	f->top = f->path ? mnt_fs_held(m, f->attr, data, target) : -1;
	if (f->top >= 0)
		return true;
	text_to(path, sizeof path, "self/fd/%d", target);
	if (sys_fchdir(in->proc) < 0 ||
	    mount(*m->src ? m->src : "none", path, m->type,
		  mnt_flags(f->attr) | m->sb, data) < 0)
		return mnt_fs_fail(m, data, e);
	if (f->path)
		f->top = mnt_top(in, f->path, target, e);
	return f->top >= 0 || !f->path;
}

/* ----- MOUNT: tmpcopyup -------------------------------------------------- */

/* Copies one entry of a directory into a tmpfs: its kind, mode, owner, data. */
static bool copy_entry(int from, int to, const char *name,
		       const struct stat *st)
{
	mode_t mode = st->st_mode;
	char buf[4096];
	ssize_t n;

	if (S_ISLNK(mode)) {
		n = readlinkat(from, name, buf, sizeof buf - 1);
		if (n < 0)
			return false;
		buf[n] = 0;
		if (symlinkat(buf, to, name) < 0)
			return false;
	} else if (S_ISDIR(mode)) {
		if (mkdirat(to, name, 0700) < 0)
			return false;
	} else if (S_ISREG(mode)) {
		autofd in = openat(from, name, O_RDONLY | O_NOFOLLOW |
				   O_CLOEXEC | O_NONBLOCK);
		autofd out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL |
				    O_CLOEXEC, 0600);
		struct text t = { buf, 0, sizeof buf, out, false };

		if (in < 0 || out < 0)
			return false;
		while ((n = read(in, buf, sizeof buf)) > 0) {
			t.len = (size_t)n;
			text_flush(&t);
		}
		if (n < 0 || t.bad)
			return false;
	} else if (mknodat(to, name, mode, st->st_rdev) < 0) {
		return false;
	}
	return fchownat(to, name, st->st_uid, st->st_gid,
			AT_SYMLINK_NOFOLLOW) == 0 &&
	       (S_ISLNK(mode) ||
		sys_fchmodat(to, name, mode & 07777) == 0);
}

/* Copies the extended attributes of a file, as far as that is possible. */
static void copy_xattrs(int from, int to)
{
	char names[2048], value[2048], *p = names;
	ssize_t n = flistxattr(from, names, sizeof names), k;

	for (; n > 0 && p < names + n; p += strlen(p) + 1) {
		k = fgetxattr(from, p, value, sizeof value);
		if (k >= 0)
			fsetxattr(to, p, value, (size_t)k, 0);
	}
}

/* Copies the contents of a directory and of those below it, up to a depth that
 * only a hostile image exceeds. */
static bool copy_tree(int from, int to, int depth)
{
	struct k_dirent *d;
	struct entries l;

	if (depth > 64) {
		errno = ELOOP;
		return false;
	}
	io_list(&l, from);
	while ((d = io_entry(&l))) {
		autofd sub = -1, dest = -1;
		struct stat st;

		if (fstatat(from, d->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !copy_entry(from, to, d->name, &st))
			return false;
		if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
			continue;
		sub = openat(from, d->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC |
			     O_NONBLOCK);
		dest = openat(to, d->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0 || dest < 0)
			return false;
		copy_xattrs(sub, dest);
		if (S_ISDIR(st.st_mode) && !copy_tree(sub, dest, depth + 1))
			return false;
	}
	return l.len == 0;
}

/* tmpcopyup: copies what the new tmpfs at fs covers into it. The top directory
 * has the right mode already, by the option mode=. */
static bool mnt_copy_up(struct inside *in, const struct mnt *m, int fs,
			int target, struct err *e)
{
	autofd from = openat(target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autofd to = openat(fs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (from < 0 || to < 0 || fstat(from, &st) < 0)
		return sysfail(e, "tmpcopyup");
	if (!in->charged(in, true, e))
		return false;
	copy_xattrs(from, to);
	/* an owner that the options name stays */
	return ((copy_tree(from, to, 0) &&
		 sys_fchown(to, str_find(m->data, "uid=") ? (uid_t)K_NO_ID :
			    st.st_uid, str_find(m->data, "gid=") ?
			    (gid_t)K_NO_ID : st.st_gid) == 0) ||
		sysfail(e, "tmpcopyup")) && in->charged(in, false, e);
}

/* ----- MOUNT: targets ---------------------------------------------------- */

/* Guards procfs: mnt_plan_check() lets only some files in /proc be covered, so
 * a link must not lead into a procfs under another name. (proc and sysfs are
 * never mounted through a link: see mnt_target().) */
static bool mnt_guard(const struct mnt *m, int target, struct err *e)
{
	struct statfs fs;

	if (fstatfs(target, &fs) < 0)
		return sysfail(e, "statfs");
	return (unsigned)fs.f_type != K_MAGIC_PROC ||
	       str_after(m->dest, "/proc/") || str_eq(m->dest, "/proc") ||
	       fail(e, "destination: leads into /proc through a symbolic "
		    "link");
}

static bool mnt_is_real(const struct mnt *m)
{
	return m->kind == MNT_FS && (str_eq(m->type, "proc") ||
				     str_eq(m->type, "sysfs"));
}

/* Opens the mount point. A missing one is made, as a directory if dir, else as
 * a file. */
static int mnt_target(struct inside *in, const struct mnt *m, bool dir,
		      bool *existed, struct err *e)
{
	int walk = (mnt_is_real(m) ? WALK_NOLINK : 0) |
		   (m->dest_nofollow ? WALK_NOFOLLOW : 0);
	int fd = root_open(in->root, m->dest, walk);
	struct stat st;

	*existed = fd >= 0;
	if (fd < 0 && errno == ENOENT)
		fd = root_walk(in->root, m->dest,
			       walk | (dir ? WALK_DIR : WALK_FILE), 0755);
	if (fd < 0 || fstat(fd, &st) < 0) {
		if (errno == ELOOP && mnt_is_real(m))
			fail(e, "destination: is a symbolic link in the root, "
			     "which %s does not go through", m->type);
		else
			sysfail(e, "make the mount point");
	} else if (dir != !!S_ISDIR(st.st_mode) && !m->dest_nofollow) {
		fail(e, dir ? "destination: not a directory, but the source "
		     "is one" : "source: not a directory, but the destination "
		     "is one");
	} else if (mnt_guard(m, fd, e)) {
		return fd;
	}
	fd_close(&fd);
	return -1;
}

static bool mnt_finish(struct inside *in, const struct mnt *m, int *fd,
		       struct err *e)
{
	size_t i;

	if (!mnt_set(in, *fd, m->rset, m->rclr, true, e))
		return false;
	for (i = 0; i < m->nprop; i++)
		if (!mnt_propagate(in, *fd, m->prop[i], e))
			return false;
	if (str_eq(m->dest, "/")) {	/* the mount replaces the root */
		if (in->covered < 0)
			in->covered = fd_take(&in->root);
		fd_close(&in->root);
		in->root = fd_take(fd);
		in->root_ro |= m->late_ro;
	} else if (m->late_ro && in->nlate < COUNT(in->late)) {
		in->late[in->nlate++] = fd_take(fd);
	} else if (m->late_ro) {
		return mnt_set_ro(in, *fd, e);
	}
	return true;
}

/* ----- MOUNT: binds and new mounts --------------------------------------- */

/* copy-symlink: the source is a symbolic link, and the same link is made at the
 * destination. */
static bool mnt_symlink(struct inside *in, const struct mnt *m, int src,
			struct err *e)
{
	char target[PATH_MAX], old[PATH_MAX], name[NAME_MAX + 1];
	ssize_t n = readlinkat(src, "", target, sizeof target - 1), k;
	autofd dir = -1;

	if (n < 0)
		return sysfail(e, "read the link %s", m->src);
	target[n] = 0;
	dir = root_parent(in->root, m->dest, name);
	if (dir < 0)
		return sysfail(e, "make the directory of the link");
	if (symlinkat(target, dir, name) == 0)
		return true;
	k = errno == EEXIST ? readlinkat(dir, name, old, sizeof old) : -1;
	return (k == n && memcmp(old, target, (size_t)n) == 0) ||
	       sysfail(e, "make the symbolic link");
}

/* Opens the source. A source below the root's path means the host's file, also
 * if a mount on / covers that now. */
static int mnt_open(const struct inside *in, const struct mnt *m)
{
	int flags = O_PATH | O_CLOEXEC | (m->src_nofollow ? O_NOFOLLOW : 0);
	size_t n = strlen(in->path);
	const char *p = m->src;

	while (n && in->path[n - 1] == '/')
		n--;
	if (in->covered < 0 || strncmp(p, in->path, n) != 0 ||
	    (p[n] && p[n] != '/'))
		return openat(AT_FDCWD, p, flags);
	p += n + strspn(p + n, "/");
	return openat(in->covered, *p ? p : ".", flags);
}

/* Opens the source, as an O_PATH fd in *src; or, if it has an idmap or only P
 * may open it, gets it from P as a tree that is ready to be moved, in *tree. */
static bool mnt_source(struct inside *in, const struct mnt *m, int *src,
		       int *tree, struct err *e)
{
	*src = -1;
	if (!m->idmap) {
		*src = mnt_open(in, m);
		if (*src >= 0)
			return true;
		if (errno == ENOENT)
			return sysfail(e, "source %s does not exist on the "
				       "host", m->src);
		if (errno != EACCES || !in->user_ns)
			return sysfail(e, "open the source %s", m->src);
	}
	*tree = in->source(in, m->index, e);
	return *tree >= 0;
}

/* Clones src onto target; or moves tree there, if P has made it. In a user
 * namespace the mounts below src are locked, and a clone that leaves them out
 * fails with EINVAL. P is outside the user namespace and may leave them out. */
static bool mnt_bind_to(struct inside *in, const struct mnt *m, int src,
			int *tree, int target, struct err *e)
{
	if (*tree < 0) {
		*tree = mnt_clone(in, src, target, m->dest, m->rec,
				  m->dest_nofollow ? WALK_NOFOLLOW : 0, e);
		if (*tree >= 0)
			return true;
		if (e->num != EINVAL || m->rec || !in->user_ns)
			return false;
		*tree = in->source(in, m->index, e);
		if (*tree < 0)
			return hint(e, "if something is mounted below %s, "
				    "rbind takes that along", m->src);
	}
	return sys_move_mount(*tree, target) == 0 ||
	       sysfail(e, "move the mount into place");
}

static bool mnt_bind(struct inside *in, const struct mnt *m, struct err *e)
{
	autofd src = -1, tree = -1, target = -1;
	struct statfs fs;
	bool existed;
	struct stat st;

	if (!mnt_source(in, m, &src, &tree, e))
		return false;
	if (fstat(src >= 0 ? src : tree, &st) < 0)
		return sysfail(e, "stat the source %s", m->src);
	if (S_ISLNK(st.st_mode) && m->copy_symlink)
		return mnt_symlink(in, m, src, e);
	if (str_eq(m->dest, "/proc") && (fstatfs(src >= 0 ? src : tree,
						 &fs) < 0 ||
					 (unsigned)fs.f_type != K_MAGIC_PROC ||
					 st.st_ino != 1))
		return fail(e, "source: only a whole proc file system can be "
			    "bound to /proc");
	target = mnt_target(in, m, S_ISDIR(st.st_mode), &existed, e);
	return target >= 0 && mnt_bind_to(in, m, src, &tree, target, e) &&
	       mnt_set(in, tree, m->set, m->clr, false, e) &&
	       mnt_finish(in, m, &tree, e);
}

/* Explains why a user namespace may not mount this file system. */
static bool mnt_fs_explain(struct inside *in, const struct mnt *m,
			   struct err *e)
{
	if (e->num != EPERM || !in->user_ns)
		return false;
	if (str_eq(m->type, "proc"))
		return hint(e, "in a user namespace a new proc needs one on "
			    "the host that nothing covers: in a container run "
			    "that one with unmasked paths");
	if (str_eq(m->type, "sysfs"))
		return hint(e, "in a user namespace sysfs needs a new network "
			    "namespace, or a bind of /sys");
	return false;
}

/* sysfs belongs to the network namespace. A user namespace without a new
 * network namespace gets the host's /sys, read-only if that is asked. Returns
 * the mount, or -1. */
static int mnt_host_sys(const struct mnt *m, int target)
{
	struct k_attr a = { m->set, m->clr, 0, 0 };
	autofd fd = sys_open_tree(AT_FDCWD, "/sys", K_TREE_CLONE |
				  K_AT_RECURSIVE);

	return fd >= 0 && sys_mount_setattr(fd, K_AT_RECURSIVE, &a) == 0 &&
	       sys_move_mount(fd, target) == 0 ? fd_take(&fd) : -1;
}

static bool mnt_new(struct inside *in, const struct mnt *m, struct err *e)
{
	bool wanted = m->copy_up || m->rset || m->rclr || m->nprop ||
		      m->late_ro || str_eq(m->dest, "/"), existed, ok;
	struct mnt_fs f = { .attr = m->set & ~(m->late_ro ?
					       (unsigned)K_ATTR_RDONLY : 0),
			    .path = wanted ? m->dest : NULL };
	autofd fd = -1, target = -1;
	char mode[16];
	struct stat st;

	target = mnt_target(in, m, true, &existed, e);
	if (target < 0)
		return false;
	if (fstat(target, &st) < 0)
		return sysfail(e, "stat the mount point");
	text_to(mode, sizeof mode, "%o", st.st_mode & 07777);
	if (existed && str_eq(m->type, "tmpfs") && !str_find(m->data, "mode="))
		f.mode = mode;
	ok = mnt_fs(in, m, &f, target, e);
	if (!ok && e->num == EINVAL && in->user_ns &&
	    str_eq(m->type, "devpts")) {
		f.skip = "gid=";
		ok = mnt_fs(in, m, &f, target, e);
	}
	if (!ok && e->num == EPERM && in->user_ns && str_eq(m->type, "sysfs")) {
		f.top = mnt_host_sys(m, target);
		ok = f.top >= 0;
	}
	fd = f.top;
	if (!ok)
		return mnt_fs_explain(in, m, e);
	return !wanted ||
	       ((!m->copy_up || !existed ||
		 mnt_copy_up(in, m, fd, target, e)) &&
		mnt_finish(in, m, &fd, e));
}

/* Gives the file system at fd other options; its mount keeps its attributes. */
static bool mnt_options(struct inside *in, const struct mnt *m, int fd,
			struct err *e)
{
	unsigned now;

	if (!*m->data && !m->sb)
		return true;
	return mnt_attributes(fd, &now, e) &&
	       (mnt_old(in, -1, fd, m->type, MS_REMOUNT | mnt_flags(now) |
			m->sb, m->data) ||
		sysfail(e, "remount with \"%s\"", m->data));
}

/* `remount` gives other options to the mount at the destination; with `bind`
 * only to the mount, not to its file system. */
static bool mnt_again(struct inside *in, const struct mnt *m, struct err *e)
{
	autofd fd = root_open(in->root, m->dest, 0);

	if (fd < 0)
		return sysfail(e, "open the mount");
	return mnt_guard(m, fd, e) && mnt_options(in, m, fd, e) &&
	       mnt_set(in, fd, m->set & ~(m->late_ro ?
					  (unsigned)K_ATTR_RDONLY : 0),
		       m->clr, false, e) &&
	       mnt_finish(in, m, &fd, e);
}

/* ----- MOUNT: cgroup ----------------------------------------------------- */

/* The directory that a bind of one hierarchy shows: the container's own group.
 * Two exceptions: v2 without a cgroup namespace shows the whole hierarchy, so
 * that the path in /proc/self/cgroup is below it; v1 shows P's group if the
 * host gave the container none. */
static bool mnt_cgroup_from(struct inside *in, const struct cg_dir *d,
			    char from[PATH_MAX], struct err *e)
{
	const struct cg_hier *h = d->h;
	bool own = h->v2 ? in->cgroup_view : access(d->path, F_OK) == 0;

	if (!own && !h->v2 && errno != ENOENT)
		return sysfail(e, "look for %s", d->path);
	return text_to(from, PATH_MAX, "%s%s", own ? d->path : h->mount,
		       own || h->v2 ? "" : h->own) ||
	       fail(e, "the path is too long");
}

/* Mounts one hierarchy: anew from inside the container's cgroup namespace; or
 * as a bind if there is none, or if the new mount fails, as a nested container
 * may not make one. A new mount of v2 from the host's cgroup namespace would
 * take options away from the host's mount (nsdelegate). Returns 1: done; 0: the
 * host gave no such group; -1: failed. */
static int mnt_cgroup_one(struct inside *in, const struct mnt *m,
			  const struct cg_dir *d, int target,
			  const char *path, int *top, struct err *e)
{
	struct mnt h = { .src = "cgroup", .type = d->h->v2 ? "cgroup2" :
			 "cgroup", .data = d->h->v2 ? "" : d->h->ctrls };
	struct mnt_fs f = { .path = path };
	char data[256], from[PATH_MAX];
	autofd fd = -1, src = -1;

	if (str_after(h.data, "name=") &&
	    text_to(data, sizeof data, "none,%s", h.data))
		h.data = data;
	if (in->cgroup_view && mnt_fs(in, &h, &f, target, e)) {
		fd = f.top;
	} else {
		if (!mnt_cgroup_from(in, d, from, e))
			return -1;
		src = io_open(from, O_PATH | O_DIRECTORY);
		if (src < 0)
			return errno == ENOENT ? 0 :
			       (sysfail(e, "open %s", from), -1);
		fd = mnt_clone(in, src, target, path, false, 0, e);
	}
	if (fd < 0 || !mnt_set(in, fd, m->set, m->clr, false, e))
		return -1;
	*top = fd_take(&fd);
	return 1;
}

/* v1: fills the tmpfs with a directory for each hierarchy, named as on the
 * host. If a hierarchy has several controllers, each of them gets a link to it.
 * The v2 hierarchy of a hybrid host is left out: systemd, run as the
 * container's program, would take it for its own. */
static bool mnt_cgroup_v1(struct inside *in, const struct mnt *m, int top,
			  struct err *e)
{
	char path[PATH_MAX];
	size_t i;
	int done;

	for (i = 0; i < in->cg->n; i++) {
		const struct cg_dir *d = &in->cg->d[i];
		const char *name = strrchr(d->h->mount, '/') + 1;
		const char *p = d->h->ctrls;
		autofd dir = -1, fd = -1;

		if (d->h->v2)
			continue;
		text_to(path, sizeof path, "%s/%s", m->dest, name);
		if (mkdirat(top, name, 0755) < 0)
			return sysfail(e, "make %s", path);
		dir = openat(top, name, O_PATH | O_DIRECTORY | O_NOFOLLOW |
			     O_CLOEXEC);
		if (dir < 0)
			return sysfail(e, "open %s", path);
		done = mnt_cgroup_one(in, m, d, dir, path, &fd, e);
		if (done < 0)
			return wrap(e, "%s", name);
		if (!done)
			unlinkat(top, name, AT_REMOVEDIR);
		while (done && str_find(d->h->ctrls, ",") && *p) {
			size_t n = strcspn(p, ",");
			char one[64];

			text_cut(one, sizeof one, p, n);
			if (!str_eq(one, name) &&
			    symlinkat(name, top, one) < 0)
				return sysfail(e, "make the link %s", one);
			p += n + (p[n] == ',');
		}
	}
	return true;
}

/* A mount of type `cgroup` shows what the host has: v2, or the v1 hierarchies,
 * or an empty directory if it has none. The tmpfs becomes read-only after all
 * mounts are made, because some may be below it. */
static bool mnt_cgroup(struct inside *in, const struct mnt *m, struct err *e)
{
	struct mnt t = { .dest = m->dest, .src = "cgroup", .type = "tmpfs",
			 .data = "mode=755" }, last = *m;
	const struct cg_dir *only = in->cg->n == 1 && in->cg->d[0].h->v2 ?
				    &in->cg->d[0] : NULL;
	struct mnt_fs f = { .attr = m->set & ~(unsigned)K_ATTR_RDONLY,
			    .path = m->dest };
	autofd fd = -1, target = -1;
	bool existed;

	target = mnt_target(in, m, true, &existed, e);
	if (target < 0 || !in->placed(in, e))
		return false;
	if (only) {
		int done = mnt_cgroup_one(in, m, only, target, m->dest, &fd, e);

		if (done)
			return done > 0 && mnt_finish(in, m, &fd, e);
	}
	if (!mnt_fs(in, &t, &f, target, e))
		return false;
	fd = f.top;
	if (!only && !mnt_cgroup_v1(in, m, fd, e))
		return false;
	last.late_ro = m->set & K_ATTR_RDONLY || in->cg->n == 0 || only;
	return mnt_finish(in, &last, &fd, e);
}

/* ----- MOUNT: in order, and what covers paths ---------------------------- */

static bool mnt_all(struct inside *in, const struct mnt_list *l,
		    struct err *e)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		const struct mnt *m = &l->v[i];
		bool ok = m->kind == MNT_CGROUP ? mnt_cgroup(in, m, e) :
			  m->remount ? mnt_again(in, m, e) :
			  m->kind == MNT_BIND ? mnt_bind(in, m, e) :
			  mnt_new(in, m, e);

		if (!ok)
			return wrap(e, "mounts[%u] (%s)", (unsigned)m->index,
				    m->dest);
	}
	fd_close(&in->covered);
	return true;
}

/* Makes mounts read-only after everything below them was made. */
static bool mnt_late(struct inside *in, struct err *e)
{
	while (in->nlate) {
		int *fd = &in->late[--in->nlate];
		bool ok = mnt_set_ro(in, *fd, e);

		fd_close(fd);
		if (!ok)
			return wrap(e, "make a tmpfs read-only");
	}
	return true;
}

/* readonlyPaths: binds each path onto itself, read-only. A path that does not
 * exist needs no protection. */
static bool mnt_readonly(struct inside *in, const struct strs *paths,
			 struct err *e)
{
	size_t i;

	for (i = 0; i < paths->n; i++) {
		const char *path = paths->v[i];
		autofd at = root_open(in->root, path, 0), fd = -1;

		if (at < 0 && (errno == ENOENT || errno == ENOTDIR))
			continue;
		if (at < 0)
			return sysfail(e, "linux.readonlyPaths[%u]: open %s",
				       (unsigned)i, path);
		fd = mnt_clone(in, at, at, path, true, 0, e);
		if (fd < 0 || !mnt_set_ro(in, fd, e))
			return wrap(e, "linux.readonlyPaths[%u]: %s",
				    (unsigned)i, path);
	}
	return true;
}

/* Opens the container's /dev/null, which must be the null device
 * (CVE-2025-31133). */
static int mnt_null(struct inside *in, struct err *e)
{
	int fd = root_open(in->root, "/dev/null", WALK_NOLINK);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) < 0)
		fd_close(&fd);
	if (fd >= 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
		return fd;
	if (fd < 0)
		sysfail(e, "open /dev/null to mask files");
	else
		fail(e, "/dev/null in the root is not the null device");
	fd_close(&fd);
	return -1;
}

/* maskedPaths: an empty read-only tmpfs, the same for all, covers a directory;
 * the null device covers anything else. */
static bool mnt_mask(struct inside *in, const struct strs *paths,
		     struct err *e)
{
	static const struct mnt empty = { .src = "tmpfs", .type = "tmpfs",
					  .data = "" };
	autofd null = -1, dir = -1;
	size_t i;

	for (i = 0; i < paths->n; i++) {
		const char *path = paths->v[i];
		autofd at = root_open(in->root, path, 0), fd = -1;
		bool first = false;
		struct stat st;

		if (at < 0 && (errno == ENOENT || errno == ENOTDIR))
			continue;
		if (at < 0 || fstat(at, &st) < 0)
			return sysfail(e, "linux.maskedPaths[%u]: open %s",
				       (unsigned)i, path);
		if (!S_ISDIR(st.st_mode)) {
			if (null < 0)
				null = mnt_null(in, e);
			if (null >= 0)
				fd = mnt_clone(in, null, at, path, false, 0, e);
		} else if (dir >= 0) {
			fd = mnt_clone(in, dir, at, path, false, 0, e);
		} else {
			struct mnt_fs f = { .attr = K_ATTR_RDONLY,
					    .path = path };

			first = true;
			if (mnt_fs(in, &empty, &f, at, e))
				fd = f.top;
		}
		if (fd < 0)
			return wrap(e, "linux.maskedPaths[%u]: %s",
				    (unsigned)i, path);
		if (first)
			dir = fd_take(&fd);
	}
	return true;
}

/* ===== DEV ===============================================================
 *
 * Every container gets six nodes and six links (config-linux.md, "Default
 * Devices"), then the nodes of linux.devices. An existing node must be the
 * right one. Where mknod is refused (a user namespace, a filter) the host's
 * node is bound instead, or a node that P makes. If /dev is a bind mount, its
 * contents are the caller's business, and nothing is made there; nor is a node
 * made at a path where mounts[] mounts something.
 *
 * nodev: the config asks for a device policy, no cgroup here can enforce it,
 * and the container can make neither nodes nor mounts. Then only the nodes that
 * it brings along must not open: all mounts are made nodev, except devpts and a
 * tmpfs on /dev.
 */

struct dev {
	const char	*path;
	unsigned	mode;		/* with S_IFCHR or such */
	dev_t		rdev;
	unsigned	uid, gid;
};

struct dev_list {
	struct dev	*v;
	size_t		n;
	size_t		base;		/* index of v[0] in MSG_SOURCE */
	bool		skip;		/* none is made: see dev_plan() */
};

static const struct { const char *path; unsigned char major, minor; }
dev_defaults[] = {
	{ "/dev/null", 1, 3 },	{ "/dev/zero", 1, 5 },	{ "/dev/full", 1, 7 },
	{ "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};

static const char *const dev_links[][2] = {
	{ "/proc/self/fd", "/dev/fd" },
	{ "/proc/self/fd/0", "/dev/stdin" },
	{ "/proc/self/fd/1", "/dev/stdout" },
	{ "/proc/self/fd/2", "/dev/stderr" },
	{ "/proc/kcore", "/dev/core" },
	{ "pts/ptmx", "/dev/ptmx" },
};

static bool dev_listed(const struct spec *s, const char *path)
{
	size_t i;

	for (i = 0; i < s->linux.devices.n; i++)
		if (str_eq(s->linux.devices.v[i].path, path))
			return true;
	return false;
}

/* Does mounts[] mount something at path, as with -v /dev/urandom:/dev/random?
 * A mount on /dev or / hides the mounts before it. */
static bool dev_mounted(const struct mnt_list *mounts, const char *path)
{
	bool there = false;
	size_t i;

	for (i = 0; i < mounts->n; i++)
		if (mounts->v[i].remount)
			continue;
		else if (str_eq(mounts->v[i].dest, path))
			there = true;
		else if (str_among("/dev\0/\0", mounts->v[i].dest))
			there = false;
	return there;
}

/* Fails: nothing here can enforce the device policy of the config. */
static bool dev_unguarded(const char *why, struct err *e)
{
	return fail(e, "linux.resources.devices: no cgroup here can enforce "
		    "it, and %s", why);
}

static bool dev_plan(struct dev_list *l, const struct spec *s,
		     const struct mnt_list *mounts, bool nodev,
		     struct arena *mem, struct err *e)
{
	bool covered = false;
	size_t i;

	for (i = 0; i < mounts->n; i++)
		if (str_eq(mounts->v[i].dest, "/dev") &&
		    !mounts->v[i].remount) {
			l->skip = mounts->v[i].kind == MNT_BIND;
			covered = true;
		}
	/* without a mount namespace they would be made in the host's tree */
	l->skip |= !spec_has_ns(s, CLONE_NEWNS);
	l->base = mounts->n;
	l->v = mem_new(mem, (COUNT(dev_defaults) + s->linux.devices.n) *
		       sizeof *l->v);
	if (!l->v)
		return no_memory(e);
	if (l->skip)
		return true;
	if (nodev && !covered)
		return dev_unguarded("without a mount on /dev the default "
				     "devices would not open either", e);
	for (i = 0; i < COUNT(dev_defaults); i++)
		if (!dev_listed(s, dev_defaults[i].path) &&
		    !dev_mounted(mounts, dev_defaults[i].path))
			l->v[l->n++] = (struct dev){ dev_defaults[i].path,
				S_IFCHR | 0666, makedev(dev_defaults[i].major,
							dev_defaults[i].minor),
				0, 0 };
	for (i = 0; i < s->linux.devices.n; i++) {
		const struct spec_device *d = &s->linux.devices.v[i];
		char *path = mem_text(mem, "%s", d->path);

		if (!path)
			return no_memory(e);
		path_clean(path);
		if (!*path)
			return fail(e, "linux.devices[%u].path: is the root",
				    (unsigned)i);
		if (dev_mounted(mounts, path))
			continue;
		if (nodev && d->type.v != S_IFIFO &&
		    !dev_opens(&s->linux.resources, d))
			return fail(e, "linux.resources.devices: no cgroup "
				    "here can enforce it, and it does not "
				    "allow linux.devices[%u] (%s) to be read "
				    "and written", (unsigned)i, path);
		l->v[l->n++] = (struct dev){ path, (unsigned)d->type.v |
			(d->mode.set ? (unsigned)d->mode.v & 07777 : 0666),
			makedev((unsigned)d->major.v, (unsigned)d->minor.v),
			(unsigned)d->uid.v, (unsigned)d->gid.v };
	}
	return true;
}

static bool dev_is(const struct dev *d, const struct stat *st)
{
	return (st->st_mode & S_IFMT) == (d->mode & S_IFMT) &&
	       st->st_rdev == d->rdev;
}

/* Binds the host's node where I may not make one; or, if the host has no such
 * node, one that P makes. */
static bool dev_bind(struct inside *in, const struct dev_list *l,
		     const struct dev *d, struct err *e)
{
	autofd src = io_open(d->path, O_PATH), at = -1, fd = -1;
	struct stat st;

	if (src < 0 ? !is_absent(errno) : fstat(src, &st) < 0)
		return sysfail(e, "open the host's %s", d->path);
	at = root_make(in->root, d->path, WALK_FILE, 0755);
	if (at < 0)
		return sysfail(e, "make the mount point");
	if (src >= 0 && dev_is(d, &st)) {
		fd = mnt_clone(in, src, at, d->path, false, 0, e);
		return fd >= 0;
	}
	fd = in->source(in, l->base + (size_t)(d - l->v), e);
	return fd >= 0 && (sys_move_mount(fd, at) == 0 ||
			   sysfail(e, "mount the node"));
}

/* Opens the directory of a path below the root and copies the last component to
 * name. Most paths are in /dev, which stays open in *dev; another directory's
 * fd is in *own as well, for the caller to close. */
static int dev_parent(struct inside *in, int *dev, const char *path,
		      char name[NAME_MAX + 1], int *own)
{
	const char *rest = str_after(path, "/dev/");

	if (!rest || str_find(rest, "/"))
		return *own = root_parent(in->root, path, name);
	if (*dev < 0)
		*dev = root_make(in->root, "/dev", WALK_DIR, 0755);
	return text_to(name, NAME_MAX + 1, "%s", rest) ? *dev : -1;
}

static bool dev_make(struct inside *in, int *dev, const struct dev_list *l,
		     const struct dev *d, struct err *e)
{
	char name[NAME_MAX + 1];
	autofd own = -1;
	int dir = dev_parent(in, dev, d->path, name, &own);
	struct stat st;

	if (dir < 0)
		return sysfail(e, "make its directory");
	if (mknodat(dir, name, d->mode, d->rdev) == 0) {
		if (!d->uid && !d->gid)
			return true;
		return fchownat(dir, name, d->uid, d->gid,
				AT_SYMLINK_NOFOLLOW) == 0 ||
		       sysfail(e, "set its owner");
	}
	if (errno == EPERM || errno == EROFS)
		return (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			dev_is(d, &st)) || dev_bind(in, l, d, e);
	if (errno != EEXIST)
		return sysfail(e, "make the node");
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return sysfail(e, "stat it");
	if ((st.st_mode & S_IFMT) == (d->mode & S_IFMT) &&
	    (S_ISFIFO(st.st_mode) || st.st_rdev == d->rdev))
		return true;
	if (S_ISREG(st.st_mode) && in->user_ns)	/* earlier run's mount point */
		return dev_bind(in, l, d, e);
	return fail(e, "something else is there already");
}

static bool dev_link(struct inside *in, int *dev, const char *target,
		     const char *path, struct err *e)
{
	char name[NAME_MAX + 1];
	autofd own = -1;
	int dir = dev_parent(in, dev, path, name, &own);

	return (dir >= 0 && (symlinkat(target, dir, name) == 0 ||
			     errno == EEXIST || errno == EROFS)) ||
	       sysfail(e, "make the link %s", path);
}

static bool dev_all(struct inside *in, const struct dev_list *l,
		    struct err *e)
{
	autofd dev = -1;
	size_t i;

	if (l->skip)
		return true;
	for (i = 0; i < l->n; i++)
		if (!dev_make(in, &dev, l, &l->v[i], e))
			return wrap(e, "device %s", l->v[i].path);
	for (i = 0; i < COUNT(dev_links); i++) {
		if (str_eq(dev_links[i][0], "/proc/kcore") &&
		    access("/proc/kcore", F_OK) < 0) {
			if (is_absent(errno))	/* as in many kernels */
				continue;
			return sysfail(e, "look for /proc/kcore");
		}
		if (!dev_link(in, &dev, dev_links[i][0], dev_links[i][1], e))
			return false;
	}
	return true;
}

/* Copies the "mnt_id:" line of fd's fdinfo: the mount that fd is on. */
static bool dev_mount_id(struct inside *in, int fd, char id[32])
{
	char path[32], buf[512], *p = NULL;

	text_to(path, sizeof path, "self/fdinfo/%d", fd);
	if (io_get(in->proc, path, buf, sizeof buf) > 0)
		p = str_find(buf, "mnt_id:");		/* 3.15 */
	return p && text_cut(id, 32, p, strcspn(p, "\n"));
}

static bool dev_is_on_root(struct inside *in, int fd)
{
	char root[32], own[32];

	return dev_mount_id(in, in->root, root) &&
	       dev_mount_id(in, fd, own) && str_eq(root, own);
}

/* Marks a file that was made, and takes away another state root's mark: see
 * net_is_marked(). A file in a mount of the container is not marked, because it
 * is not found in the root afterwards. mark 0: no file is marked. */
static void dev_file_mark(struct inside *in, int fd, const struct stat *st,
			  bool made, unsigned mark)
{
	const struct timespec t[2] = { { .tv_nsec = UTIME_OMIT },
				       { .tv_sec = mark } };
	bool ours = mark && in->covered < 0 && dev_is_on_root(in, fd);
	mode_t mode = st->st_mode & 0777;
	char path[32];

	text_to(path, sizeof path, "self/fd/%d", fd);
	if (made && ours && utimensat(in->proc, path, t, 0) == 0)
		sys_fchmodat(in->proc, path, S_ISVTX | mode);
	else if (!made && !(ours && st->st_mtime == (time_t)mark))
		sys_fchmodat(in->proc, path, mode);
}

/*
 * Opens the path over which a file of dns is bound; a missing file is made. The
 * image's links could lead into a mount in the root, a volume or procfs. So a
 * link is followed only on the root's own mount, and no file is made through a
 * link: a link that leads nowhere is covered itself.
 */
static int dev_file_place(struct inside *in, const char *path, unsigned mark,
			  struct err *e)
{
	autofd fd = root_open(in->root, path, WALK_NOLINK);
	bool made = fd < 0 && errno == ENOENT;
	struct stat st;

	if (made)
		fd = root_make(in->root, path, WALK_NOLINK | WALK_FILE,
			       mark && in->covered < 0 ? S_ISVTX | 0755 : 0755);
	if (fd < 0 && errno == ELOOP) {
		fd = root_open(in->root, path, 0);
		if (fd >= 0 && !dev_is_on_root(in, fd))
			return fail(e, "dns: %s is a link that leads from the "
				    "root into another mount", path), -1;
		if (fd < 0 && errno == ENOENT)
			fd = root_open(in->root, path, WALK_NOFOLLOW);
	}
	if (fd < 0 || fstat(fd, &st) < 0) {
		sysfail(e, "dns: make the mount point %s", path);
		if (e->num == EROFS)
			hint(e, "the root needs an empty file there");
		return -1;
	}
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return fail(e, "dns: %s is no regular file", path), -1;
	if (made || net_is_marked(&st))
		dev_file_mark(in, fd, &st, made, mark);
	return fd_take(&fd);
}

static bool dev_file_write(int dir, const char *path, const char *text,
			   struct err *e)
{
	autofd fd = openat(dir, strrchr(path, '/') + 1, O_WRONLY | O_CREAT |
			   O_EXCL | O_CLOEXEC, 0644);
	struct text t = { (char *)text, strlen(text), 0, fd, false };

	if (fd >= 0)
		text_flush(&t);
	return (fd >= 0 && !t.bad) || sysfail(e, "dns: write %s", path);
}

static bool dev_file_bind(struct inside *in, int dir, const char *path,
			  int place, struct err *e)
{
	autofd fd = openat(dir, strrchr(path, '/') + 1, O_PATH | O_CLOEXEC);
	autofd tree = -1;

	if (fd >= 0)
		tree = sys_open_tree(fd, "", K_TREE_CLONE | K_AT_EMPTY_PATH);
	return (tree >= 0 ? sys_move_mount(tree, place) == 0 :
		fd >= 0 && no_syscall(errno) &&
		mnt_old(in, fd, place, NULL, MS_BIND, NULL)) ||
	       sysfail(e, "dns: bind %s", path);
}

/* Writes the files to the tmpfs at dir and binds them. The tmpfs becomes
 * read-only before the binds are made: otherwise a kernel without open_tree(2)
 * would have to find each bind again to make it read-only. */
static bool dev_files_bind(struct inside *in, const struct net_plan *p,
			   bool ro, int dir, const int *place, struct err *e)
{
	size_t i;

	for (i = 0; i < COUNT(net_files); i++)
		if (p->files[i] &&
		    !dev_file_write(dir, net_files[i], p->files[i], e))
			return false;
	if (ro && !mnt_set_ro(in, dir, e))
		return wrap(e, "dns");
	for (i = 0; i < COUNT(net_files); i++)
		if (p->files[i] &&
		    !dev_file_bind(in, dir, net_files[i], place[i], e))
			return false;
	return true;
}

/* Mounts the tmpfs over the root and detaches it as soon as the files are
 * bound: while it is there, a path with `..` would lead into it. */
static bool dev_files_make(struct inside *in, const struct net_plan *p,
			   bool ro, const int *place, struct err *e)
{
	const struct mnt m = { .src = "tmpfs", .type = "tmpfs",
			       .data = p->tmpfs };
	struct mnt_fs f = { .attr = K_ATTR_NOSUID | K_ATTR_NODEV |
				    K_ATTR_NOEXEC, .path = "/" };
	autofd dir = -1;
	bool ok;

	if (!mnt_fs(in, &m, &f, in->root, e))
		return wrap(e, "dns");
	dir = f.top;
	ok = dev_files_bind(in, p, ro, dir, place, e);
	return ((sys_fchdir(dir) == 0 && umount2(".", K_MNT_DETACH) == 0) ||
		sysfail(e, "dns: detach the tmpfs")) && ok;
}

/* Makes the files of dns on a tmpfs of the container's own and binds them over
 * their paths. So nothing in the image, or in a mount in it, is written to. */
static bool dev_files(struct inside *in, const struct net_plan *p, bool ro,
		      struct err *e)
{
	int place[COUNT(net_files)];
	autofd lock = -1;
	unsigned mark;
	bool ok = true;
	size_t i;

	if (!p->tmpfs)
		return true;
	lock = openat(in->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mark = net_lock_root(lock) ? p->mark : 0;
	for (i = 0; i < COUNT(net_files); i++) {
		place[i] = p->files[i] && ok ?
			   dev_file_place(in, net_files[i], mark, e) : -1;
		ok = ok && (place[i] >= 0 || !p->files[i]);
	}
	ok = ok && dev_files_make(in, p, ro, place, e);
	for (i = 0; i < COUNT(net_files); i++)
		fd_close(&place[i]);
	return ok;
}

/* ===== ROOT ==============================================================
 *
 * The root is bound onto itself, because pivot_root wants a mount point. Then
 * mounts and devices are made below it, and at last it becomes "/".
 *
 * pivot_root fails with EINVAL if the host's root is the initramfs itself (it
 * has no parent to be detached from), or is not a mount point (in a chroot).
 * Then a stepping stone is needed: a tmpfs is mounted over the host's root, and
 * the container's root is moved onto it; from that tmpfs pivot_root works. The
 * mounts on the initramfs are detached, so that no unmasked /proc stays in the
 * namespace. The initramfs itself cannot be detached: it lies below all mounts,
 * and a process with CAP_SYS_ADMIN can dig down to it (README).
 */

/* Makes all mounts slaves: the host's later mounts may propagate to the
 * container, the container's mounts never propagate to the host. With a shared
 * rootfsPropagation, bind mounts must stay peers of the host's mounts. Then
 * only the mount that holds the root becomes private: the root is cloned from
 * it, and all the container's mounts are made below that clone. */
static bool root_private(struct inside *in, int propagation, struct err *e)
{
	autofd fd = -1;
	int i;

	if (!(propagation & MS_SHARED))
		return mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) == 0 ||
		       sysfail(e, "make the mounts of the host slaves");
	fd = openat(in->root, ".", O_PATH | O_CLOEXEC);
	for (i = 0; fd >= 0 && !mnt_propagate(in, fd, MS_PRIVATE, e); i++) {
		int up = e->num == EINVAL && i < PATH_MAX ?
			 openat(fd, "..", O_PATH | O_CLOEXEC) : -1;

		fd_close(&fd);	/* EINVAL: not the top of a mount */
		fd = up;
	}
	return fd >= 0 || wrap(e, "make the mount of the root private");
}

static bool root_bind(struct inside *in, const char *path, struct err *e)
{
	struct k_attr none = { 0, 0, 0, 0 };
	/* nodev must hold for the whole tree: if only the top mount can be made
	 * nodev, the mounts below it are left out */
	bool tree = !in->nodev || sys_mount_setattr(-1, 0, &none) == 0 ||
		    !no_syscall(errno);
	int fd = sys_open_tree(in->root, "", K_TREE_CLONE | K_AT_EMPTY_PATH |
			       (tree ? K_AT_RECURSIVE : 0));
	struct stat a, b;

	if (fd >= 0) {
		if (sys_move_mount(fd, in->root) < 0) {
			fd_close(&fd);
			return sysfail(e, "bind the root onto itself");
		}
	} else if (no_syscall(errno) && sys_fchdir(in->root) == 0 &&
		   mount(".", ".", NULL, MS_BIND | (tree ? MS_REC : 0),
			 NULL) == 0) {
		fd = io_open(path, O_PATH | O_DIRECTORY);
		if (fd >= 0 && (fstat(fd, &a) < 0 || fstat(in->root, &b) < 0))
			fd_close(&fd);
		if (fd >= 0 && (a.st_ino != b.st_ino || a.st_dev != b.st_dev)) {
			fd_close(&fd);
			return fail(e, "%s was replaced", path);
		}
	}
	if (fd < 0)
		return sysfail(e, "bind the root onto itself");
	fd_close(&in->root);
	in->root = fd;
	return !in->nodev || mnt_set(in, fd, K_ATTR_NODEV, 0, tree, e);
}

/* Detaches the mounts on the bottom file system; each takes the mounts below it
 * along. They are made slaves first, or the host would lose them, too. */
static void root_strip(int proc)
{
	autofd fd = openat(proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	struct lines l;
	char *s;

	io_lines(&l, fd);
	while (fd >= 0 && (s = io_line(&l))) {
		char *path;

		word_next(&s);
		word_next(&s);
		word_next(&s);
		word_next(&s);
		path = word_next(&s);
		if (!str_eq(path, "/") &&
		    mount(NULL, path, NULL, MS_SLAVE | MS_REC, NULL) == 0)
			umount2(path, K_MNT_DETACH);
	}
}

/* The stepping stone: a tmpfs that covers the host's root. */
static int root_stone(struct inside *in, struct err *e)
{
	autofd fd = -1;
	bool ok;

	if (mount(NULL, "/", NULL, MS_PRIVATE, NULL) < 0 && errno != EINVAL)
		return sysfail(e, "make the host's root private"), -1;
	/* "/.." leads to the mount that covers the root */
	ok = mount("nsrun", "/", "tmpfs", 0, "mode=755") == 0 &&
	     chdir("/..") == 0;
	if (ok)
		fd = io_open(".", O_PATH | O_DIRECTORY);
	ok = ok && fd >= 0 &&
	     (sys_move_mount(in->root, fd) == 0 ||
	      (no_syscall(errno) &&
	       mnt_old(in, in->root, fd, NULL, MS_MOVE, NULL)));
	if (!ok)
		sysfail(e, "put a tmpfs over the host's root");
	if (!ok && e->num == ELOOP)
		hint(e, "root.path / cannot be where / is an initramfs");
	return ok ? fd_take(&fd) : -1;
}

static bool root_pivot(struct inside *in, struct err *e)
{
	autofd old = io_open("/", O_PATH | O_DIRECTORY);

	if (old < 0 || sys_fchdir(in->root) < 0)
		return sysfail(e, "enter the root");
	if (sys_pivot_root(".", ".") < 0) {
		autofd stone = -1;

		if (errno != EINVAL)
			return sysfail(e, "pivot_root");
		stone = root_stone(in, e);
		if (stone < 0)
			return wrap(e, "leave the initramfs");
		if (in->proc >= 0)
			root_strip(in->proc);
		if (sys_fchdir(stone) < 0 || chroot(".") < 0 ||
		    sys_fchdir(in->root) < 0 || sys_pivot_root(".", ".") < 0)
			return sysfail(e, "pivot_root from a tmpfs");
		fd_close(&old);
		old = fd_take(&stone);
	}
	/* the old root now lies over the new one; as slaves, its mounts can be
	 * detached without effect on the host's mounts */
	if (sys_fchdir(old) < 0 || mount(NULL, ".", NULL, MS_SLAVE | MS_REC,
				     NULL) < 0)
		return sysfail(e, "cut off the host's root");
	if (umount2(".", K_MNT_DETACH) < 0 || chdir("/") < 0)
		return sysfail(e, "detach the host's root");
	return true;
}

/* Without a mount namespace nothing can be mounted, so no path is masked: the
 * config asked for that. */
static bool root_chroot(struct inside *in, struct err *e)
{
	return (sys_fchdir(in->root) == 0 && chroot(".") == 0) ||
	       sysfail(e, "chroot");
}

static bool root_enter(struct inside *in, bool pivot, struct err *e)
{
	if (!(pivot ? root_pivot(in, e) : root_chroot(in, e)))
		return false;
	fd_close(&in->root);
	in->root = io_open("/", O_PATH | O_DIRECTORY);
	return in->root >= 0 || sysfail(e, "open the new root");
}

/* ===== TTY ===============================================================
 *
 * The pty comes from the container's own /dev/pts, which must be a devpts. The
 * slave is opened through the master, by TIOCGPTPEER, so that no path is
 * trusted (CVE-2025-52565). The slave becomes /dev/console, the controlling
 * terminal and fds 0 to 2; the master goes to P.
 */

static int tty_slave(int pts, int master)
{
	int fd = ioctl(master, K_TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	char name[16];
	struct stat st;
	unsigned n;

	if (fd >= 0 || ioctl(master, TIOCGPTN, &n) < 0)
		return fd;
	text_to(name, sizeof name, "%u", n);
	fd = openat(pts, name, O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_rdev != makedev(136, n)))
		fd_close(&fd);
	return fd;
}

static bool tty_console(struct inside *in, int slave, struct err *e)
{
	autofd at = root_make(in->root, "/dev/console",
			      WALK_FILE | WALK_NOLINK, 0755), fd = -1;

	if (at < 0 && errno == EROFS)
		return true;
	if (at < 0)
		return sysfail(e, "make /dev/console");
	fd = mnt_clone(in, slave, at, "/dev/console", false, 0, e);
	return fd >= 0 || wrap(e, "/dev/console");
}

/* Makes the pty; the slave becomes stdin, stdout and stderr. Returns the
 * master, or -1. */
static int tty_make(struct inside *in, const struct spec_size *size,
		    bool console, struct err *e)
{
	autofd pts = root_open(in->root, "/dev/pts", WALK_NOLINK);
	autofd master = -1, slave = -1;
	struct statfs fs;
	int unlock = 0;

	if (pts < 0 || fstatfs(pts, &fs) < 0)
		return sysfail(e, "open /dev/pts"), -1;
	if ((unsigned)fs.f_type != K_MAGIC_DEVPTS)
		return fail(e, "there is no devpts mount at /dev/pts"), -1;
	master = openat(pts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW |
			O_CLOEXEC);
	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return sysfail(e, "open /dev/pts/ptmx"), -1;
	slave = tty_slave(pts, master);
	if (slave < 0)
		return sysfail(e, "open the slave of the pty"), -1;
	if (size) {
		struct winsize w = { (unsigned short)size->height.v,
				     (unsigned short)size->width.v, 0, 0 };

		if (ioctl(master, TIOCSWINSZ, &w) < 0)
			return sysfail(e, "set the size of the pty"), -1;
	}
	if (console && !tty_console(in, slave, e))
		return -1;
	if (ioctl(slave, TIOCSCTTY, 0) < 0 || dup2(slave, 0) < 0 ||
	    dup2(slave, 1) < 0 || dup2(slave, 2) < 0)
		return sysfail(e, "make it the controlling terminal"), -1;
	return fd_take(&master);
}

/* ===== CRED ==============================================================
 *
 * The ids, groups and capabilities of the process. The order matters. The
 * bounding set is cut while I still has CAP_SETPCAP. The ids change with
 * PR_SET_KEEPCAPS, or all capabilities would be lost. The sets are exactly
 * those of the config: nothing is added to the inheritable set
 * (CVE-2022-29162). The ambient set comes last, since its members must be
 * permitted and inheritable.
 */

struct cred_plan {
	uint64_t	caps[CAP_SETS];
	uid_t		uid;
	gid_t		gid;
	gid_t		*groups;
	size_t		ngroups;
	mode_t		umask;
	bool		no_new_privs;
};

/* Logs one warning for all lost ambient capabilities, because callers that
 * leave the inheritable set empty lose them every time. */
static void cred_tell_ambient(const struct nsrun_options *o, uint64_t lost)
{
	const char *name = cap_names;
	char buf[ERR_MAX];
	struct text t = TEXT(buf);
	size_t i;

	for (i = 0; *name; i++, name = str_next(name))
		if (lost & 1ULL << i)
			text_add(&t, "%sCAP_%s", t.len ? ", " : "", name);
	if (lost)
		log_note(o, NSRUN_WARNING, "process.capabilities.ambient: "
			 "without %s, which permitted and inheritable do not "
			 "both hold", buf);
}

/* A capability that cannot be granted is left out with a warning (config.md,
 * "Linux Process"). grant: the capabilities that the kernel knows and, unless
 * the config names a user namespace, that P has. */
static bool cred_plan(struct cred_plan *p, const struct nsrun_options *o,
		      const struct spec_process *s, uint64_t grant,
		      struct arena *mem, struct err *e)
{
	uint64_t *caps = p->caps, all = 0;
	const char *name = cap_names;
	size_t i;

	for (i = 0; s->caps && i < CAP_SETS; i++) {
		all |= s->caps->set[i];
		caps[i] = s->caps->set[i] & grant;
	}
	for (i = 0; *name; i++, name = str_next(name))
		if (all & ~grant & 1ULL << i)
			log_note(o, NSRUN_WARNING, "CAP_%s cannot be granted "
				 "here", name);
	if (caps[CAP_EFFECTIVE] & ~caps[CAP_PERMITTED])
		return fail(e, "process.capabilities.effective: holds what is "
			    "not in permitted");
	all = caps[CAP_PERMITTED] & caps[CAP_INHERITABLE];
	/* root gets by execve what is permitted and in the bounding set */
	cred_tell_ambient(o, caps[CAP_AMBIENT] & ~all &
			  ~(s->user.uid.v ? 0 : caps[CAP_PERMITTED] &
			    caps[CAP_BOUNDING]));
	caps[CAP_AMBIENT] &= all;
	p->uid = (uid_t)s->user.uid.v;
	p->gid = (gid_t)s->user.gid.v;
	p->umask = s->user.umask.set ? (mode_t)s->user.umask.v : 0022;
	p->no_new_privs = s->no_new_privs;
	p->ngroups = s->user.groups.n;
	p->groups = mem_new(mem, p->ngroups * sizeof *p->groups);
	if (!p->groups)
		return no_memory(e);
	for (i = 0; i < p->ngroups; i++)
		p->groups[i] = (gid_t)s->user.groups.v[i].v;
	return true;
}

static bool cred_bounding(const struct cred_plan *p, struct err *e)
{
	int cap;

	for (cap = 0; cap < 64; cap++)
		if (!(p->caps[CAP_BOUNDING] >> cap & 1) &&
		    sys_prctl(PR_CAPBSET_DROP, cap, 0) < 0) {
			if (errno == EINVAL)	/* no such capability */
				break;
			return sysfail(e, "drop a capability from the bounding "
				       "set");
		}
	return true;
}

/* In a user namespace I makes files as id 0. If id 0 is not mapped, I takes the
 * ids of the process: an unmapped id that makes a file gets EOVERFLOW. */
static bool cred_become(const struct cred_plan *p)
{
	return (sys_setgid_all(0) == 0 ||
		(errno == EINVAL && sys_setgid_all(p->gid) == 0)) &&
	       (sys_setuid_all(0) == 0 ||
		(errno == EINVAL && sys_setuid_all(p->uid) == 0));
}

static bool cred_ids(const struct cred_plan *p, struct inside *in,
		     struct err *e)
{
	if (sys_setgroups(p->ngroups, p->groups) < 0) {
		if (!in->no_groups || errno != EPERM)
			return sysfail(e, "additionalGids: set the groups");
		if (p->ngroups)
			return sysfail(e, "additionalGids: this user namespace "
				       "allows no setgroups");
	}
	if (sys_setgid_all(p->gid) < 0)
		return errno == EINVAL ? sysfail(e, "gid: cannot set gid to "
			"unmapped group in user namespace") :
			sysfail(e, "gid: setgid %u", p->gid);
	if (sys_setuid_all(p->uid) < 0)
		return errno == EINVAL ? sysfail(e, "uid: cannot set uid to "
			"unmapped user in user namespace") :
			sysfail(e, "uid: setuid %u", p->uid);
	return true;
}

static bool cred_caps(const struct cred_plan *p, struct err *e)
{
	struct k_capset set[2];
	int i, cap;

	for (i = 0; i < 2; i++)
		set[i] = (struct k_capset){
			(uint32_t)(p->caps[CAP_EFFECTIVE] >> 32 * i),
			(uint32_t)(p->caps[CAP_PERMITTED] >> 32 * i),
			(uint32_t)(p->caps[CAP_INHERITABLE] >> 32 * i) };
	if (sys_capset(set) < 0)
		return sysfail(e, "set the capabilities");
	if (sys_prctl(K_CAP_AMBIENT, K_CAP_AMBIENT_CLEAR, 0) < 0)
		return errno == EINVAL || sysfail(e, "clear the ambient set");
	for (cap = 0; cap < 64; cap++)
		if (p->caps[CAP_AMBIENT] >> cap & 1 &&
		    sys_prctl(K_CAP_AMBIENT, K_CAP_AMBIENT_RAISE, cap) < 0)
			return sysfail(e, "raise an ambient capability");
	return true;
}

static bool cred_apply(const struct cred_plan *p, struct inside *in,
		       struct err *e)
{
	umask(p->umask);
	if (p->no_new_privs && sys_prctl(PR_SET_NO_NEW_PRIVS, 1, 0) < 0)
		return sysfail(e, "process.noNewPrivileges");
	return (cred_bounding(p, e) &&
		(sys_prctl(PR_SET_KEEPCAPS, 1, 0) == 0 ||
		 sysfail(e, "keep capabilities")) &&
		(cred_ids(p, in, e) || wrap(e, "process.user.")) &&
		(sys_prctl(PR_SET_KEEPCAPS, 0, 0) == 0 ||
		 sysfail(e, "keep capabilities")) &&
		cred_caps(p, e));
}

/* ===== SECCOMP ===========================================================
 *
 * linux.seccomp is refused by name (SPEC): a filter that is not applied would
 * leave the process less confined than was asked.
 */

/* ===== PROC ==============================================================
 *
 * The process: its limits, its scheduling, its environment, its program. The
 * program is looked up in the container, as a shell does it, when everything is
 * arranged, so that a missing program is reported before anything starts. If
 * execve refuses the program, proc_explain() opens the file and says why: the
 * kernel's errno alone is the most asked-about error of all runtimes. A message
 * begins with the words that callers match on.
 */

struct proc_rlimit {
	int		what;
	struct k_rlimit	limit;
};

struct sysctl {
	const char	*path, *value, *key;
	int		ns;		/* the namespace it belongs to */
};

struct proc_plan {
	char		**argv, **env;	/* env has a spare slot */
	size_t		nenv;
	char		*listen_pid;	/* in env, for I's pid; NULL: none */
	const char	*cwd, *apparmor, *selinux;
	struct proc_rlimit *rlimits;
	size_t		nrlimits;
	struct opt	oom_score_adj;
	struct k_sched	sched;		/* size 0: leave it */
	int		ioprio;		/* -1: leave it */
	/* affinity of an exec: before and after it enters the cgroup. NULL:
	 * what the cpuset gives */
	const unsigned char *cpus_first, *cpus;
	struct opt	personality;
	struct sysctl	*sysctls;
	size_t		nsysctls;
	bool		terminal;
	bool		keyring;	/* a new session keyring */
	const struct spec_size *size;
	int		preserve_fds;
};

/* Which namespace a sysctl belongs to; 0: the whole machine. */
static int proc_sysctl_ns(const char *path)
{
	static const char ipc[] = "kernel/msgmax\0kernel/msgmnb\0"
		"kernel/msgmni\0kernel/sem\0kernel/shmall\0kernel/shmmax\0"
		"kernel/shmmni\0kernel/shm_rmid_forced\0";

	return str_among(ipc, path) || str_after(path, "fs/mqueue/") ?
	       CLONE_NEWIPC :
	       str_after(path, "net/") ? CLONE_NEWNET :
	       str_after(path, "user/") ? CLONE_NEWUSER :
	       str_eq(path, "kernel/domainname") ? CLONE_NEWUTS : 0;
}

/* net.ipv4.conf.eth0/100.x is net/ipv4/conf/eth0.100/x: the first separator
 * says which of the two notations is used. */
static bool proc_plan_sysctl(struct sysctl *y, const struct nsrun_pair *s,
			     const struct spec *spec, struct arena *mem,
			     struct err *e)
{
	char *path = mem_text(mem, "%s", s->key), *p;
	int ns;

	if (!path)
		return no_memory(e);
	if (path[strcspn(path, "./")] == '.')
		for (p = path; *p; p++)
			*p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
	for (p = path; *p; p += strcspn(p, "/"), p += *p == '/') {
		size_t n = strcspn(p, "/");

		if (!n || (n <= 2 && strspn(p, ".") >= n))
			return fail(e, "is no name of a sysctl");
	}
	if (str_eq(path, "kernel/hostname"))
		return fail(e, "conflicts with the OCI hostname field");
	if (str_eq(path, "kernel/domainname") && spec->domainname &&
	    *spec->domainname)
		return fail(e, "conflicts with the OCI domainname field");
	ns = proc_sysctl_ns(path);
	if (!ns || !spec_has_ns(spec, ns))
		return fail(e, "is not in a separate kernel namespace, setting "
			    "it would change the host");
	if (strchr(s->value, '\n'))
		return fail(e, "the value holds a line end");
	*y = (struct sysctl){ path, s->value, s->key, ns };
	return true;
}

/* Makes a mask from a list such as "0-3,7"; none if there is no list. */
static bool proc_plan_cpus(const unsigned char **out, const char *s,
			   struct arena *mem, struct err *e)
{
	const char *p = s;
	unsigned char *mask;

	if (!s || !*s)
		return true;
	mask = mem_new(mem, CPU_MASK);
	if (!mask)
		return no_memory(e);
	for (*out = mask; ; p++) {
		unsigned long long from, to;
		size_t n = num_len(p);
		bool ok = num_unsigned(p, n, &from);

		to = from;
		p += n;
		if (ok && *p == '-') {
			n = num_len(++p);
			ok = num_unsigned(p, n, &to);
			p += n;
		}
		if (!ok || from > to || to >= 8 * CPU_MASK ||
		    (*p && *p != ','))
			return fail(e, "process.execCPUAffinity: \"%s\" is no "
				    "list of processors, as 0-3,7", s);
		for (; from <= to; from++)
			mask[from / 8] |= (unsigned char)(1 << from % 8);
		if (!*p)
			return true;
	}
}

/* sd_listen_fds(3). The pid is filled in later, by proc_give_fds(). */
static bool proc_plan_listen(struct proc_plan *p, int fds, struct arena *mem,
			     struct err *e)
{
	char *count = mem_text(mem, "LISTEN_FDS=%d", fds);

	p->listen_pid = mem_text(mem, "LISTEN_PID=1234567890");
	if (!count || !p->listen_pid)
		return no_memory(e);
	p->env[p->nenv++] = count;
	p->env[p->nenv++] = p->listen_pid;
	return true;
}

/* Of two variables with the same name the later one counts. */
static bool proc_plan_env(struct proc_plan *p, const struct strs *env,
			  struct arena *mem, struct err *e)
{
	/* 16 random bytes from the kernel: nobody can choose names that all
	 * share one slot */
	const char *random = (const char *)getauxval(AT_RANDOM);
	unsigned salt = random ? str_hash(random, 16) : 0;
	unsigned *seen;			/* by hash: index in p->env, plus 1 */
	size_t i, k, slots;

	for (slots = 8; slots < 2 * env->n; slots *= 2)
		;
	p->env = mem_new(mem, (env->n + 4) * sizeof *p->env);
	seen = mem_new(mem, slots * sizeof *seen);
	if (!p->env || !seen)
		return no_memory(e);
	for (i = 0; i < env->n; i++) {
		size_t len = strcspn(env->v[i], "=") + 1;

		k = str_hash_from(salt, env->v[i], len) & (slots - 1);
		while (seen[k] && strncmp(p->env[seen[k] - 1], env->v[i],
					  len) != 0)
			k = (k + 1) & (slots - 1);
		if (!seen[k])
			seen[k] = (unsigned)++p->nenv;
		p->env[seen[k] - 1] = env->v[i];
	}
	return true;
}

static bool proc_plan_rlimits(struct proc_plan *p,
			      const struct spec_process *s, struct arena *mem,
			      struct err *e)
{
	size_t i;

	p->rlimits = mem_new(mem, s->rlimits.n * sizeof *p->rlimits);
	if (!p->rlimits)
		return no_memory(e);
	for (i = 0; i < s->rlimits.n; i++)
		p->rlimits[i] = (struct proc_rlimit){
			(int)s->rlimits.v[i].type.v,
			{ s->rlimits.v[i].soft, s->rlimits.v[i].hard } };
	p->nrlimits = i;
	return true;
}

/* The scheduler, the I/O priority and the CPU affinity. */
static bool proc_plan_schedule(struct proc_plan *p,
			       const struct spec_process *s, struct arena *mem,
			       struct err *e)
{
	const struct spec_scheduler *c = s->scheduler;

	if (c)
		p->sched = (struct k_sched){ sizeof p->sched,
			(uint32_t)c->policy.v, c->flags, (int32_t)c->nice.v,
			(uint32_t)c->priority.v, (uint64_t)c->runtime.v,
			(uint64_t)c->deadline.v, (uint64_t)c->period.v };
	p->ioprio = s->ioprio ? (int)(s->ioprio->class.v << 13 |
				      s->ioprio->priority.v) : -1;
	return !s->affinity ||
	       (proc_plan_cpus(&p->cpus_first, s->affinity->initial, mem, e) &&
		proc_plan_cpus(&p->cpus, s->affinity->final, mem, e));
}

static bool proc_plan_personality(struct proc_plan *p,
				  const struct spec_personality *s,
				  struct err *e)
{
	if (s)
		p->personality = s->domain;
	return !s || !s->flags.n ||
	       fail(e, "linux.personality.flags: no flag is defined");
}

static bool proc_plan_sysctls(struct proc_plan *p, const struct spec *spec,
			      struct arena *mem, struct err *e)
{
	const struct nsrun_pair *v = spec->linux.sysctl.v;
	size_t i;

	p->sysctls = mem_new(mem, spec->linux.sysctl.n * sizeof *p->sysctls);
	if (!p->sysctls)
		return no_memory(e);
	for (i = 0; i < spec->linux.sysctl.n; i++)
		if (!proc_plan_sysctl(&p->sysctls[i], &v[i], spec, mem, e))
			return wrap(e, "linux.sysctl.%s", v[i].key);
	p->nsysctls = i;
	return true;
}

static bool proc_plan(struct proc_plan *p, const struct nsrun_options *o,
		      const struct spec *spec, struct arena *mem,
		      struct err *e)
{
	const struct spec_process *s = spec->process;

	p->argv = s->args.v;
	p->cwd = s->cwd;
	p->apparmor = s->apparmor && *s->apparmor ? s->apparmor : NULL;
	p->selinux = s->selinux && *s->selinux ? s->selinux : NULL;
	p->keyring = !(o->flags & NSRUN_NO_NEW_KEYRING);
	p->terminal = s->terminal;
	p->size = s->size;
	p->oom_score_adj = s->oom_score_adj;
	p->preserve_fds = o->preserve_fds + o->listen_fds;
	return proc_plan_env(p, &s->env, mem, e) &&
	       (!o->listen_fds || proc_plan_listen(p, o->listen_fds, mem, e)) &&
	       proc_plan_rlimits(p, s, mem, e) &&
	       proc_plan_schedule(p, s, mem, e) &&
	       proc_plan_personality(p, spec->linux.personality, e) &&
	       proc_plan_sysctls(p, spec, mem, e);
}

static bool proc_sysctl(const struct proc_plan *p, int proc, struct err *e)
{
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < p->nsysctls; i++) {
		text_to(path, sizeof path, "sys/%s", p->sysctls[i].path);
		if (!io_put(proc, path, p->sysctls[i].value))
			return sysfail(e, "linux.sysctl.%s: write \"%s\"",
				       p->sysctls[i].key, p->sysctls[i].value);
	}
	return true;
}

/* With make, makes the working directory if it is missing; without, enters it.
 * It must lie in the container: a path through a leaked fd in /proc/self/fd
 * would lead to the host (CVE-2024-21626). */
static bool proc_cwd(const struct proc_plan *p, int root, bool make,
		     struct err *e)
{
	autofd fd = make ? root_make(root, p->cwd, WALK_DIR, 0755) :
		    root_open(root, p->cwd, 0);
	char buf[PATH_MAX];
	long n;

	if (fd < 0)
		return sysfail(e, "process.cwd: %s", p->cwd);
	if (make)
		return true;
	if (sys_fchdir(fd) < 0)
		return sysfail(e, "process.cwd: change to %s", p->cwd);
	n = syscall(SYS_getcwd, buf, sizeof buf);
	if (n < 0)
		return sysfail(e, "process.cwd: %s", p->cwd);
	return *buf == '/' || fail(e, "process.cwd: %s is not inside the "
				   "container", p->cwd);
}

static const char *proc_getenv(const struct proc_plan *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->nenv; i++) {
		const char *v = str_after(p->env[i], name);

		if (v && *v == '=')
			return v + 1;
	}
	return NULL;
}

/* Opens for reading the file that is open at `at` and found at path. That may
 * be anything in the image, so only a regular file outside procfs and sysfs is
 * opened: to read the kernel's log (kmsg) consumes it, and a page map has no
 * end. Returns -1 with errno on failure. */
static int proc_open_file(int at, const char *path)
{
	struct stat was, now;
	struct statfs fs;
	autofd fd = -1;

	if (fstat(at, &was) < 0 || fstatfs(at, &fs) < 0)
		return -1;
	errno = EACCES;
	if (!S_ISREG(was.st_mode) || (unsigned)fs.f_type == K_MAGIC_PROC ||
	    (unsigned)fs.f_type == K_MAGIC_SYSFS)
		return -1;
	fd = io_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &now) < 0)
		return -1;
	errno = ESTALE;		/* something else was put there meanwhile */
	return now.st_ino == was.st_ino && now.st_dev == was.st_dev ?
	       fd_take(&fd) : -1;
}

/* The home directory of uid in a passwd(5) file, as "HOME=...". Lines that do
 * not fit are skipped. */
static bool proc_passwd(int fd, uid_t uid, char *buf, size_t size)
{
	struct lines l;
	char *s;

	io_lines(&l, fd);
	l.left = PASSWD_MAX;	/* it may grow while it is read */
	while ((s = io_line(&l))) {
		unsigned long long n;
		char *f[7];
		int i;

		for (i = 0; i < 7 && s; i++) {
			f[i] = s;
			s = strchr(s, ':');
			if (s)
				*s++ = 0;
		}
		if (i < 6 || !num_unsigned(f[2], strlen(f[2]), &n) ||
		    n != uid || *f[5] != '/')
			continue;
		if (text_to(buf, size, "HOME=%s", f[5]))
			break;
		text_to(buf, size, "HOME=/");	/* the path is too long */
	}
	errno = l.error;
	return !l.error;
}

/* Sets HOME, if it is unset or empty, from the container's own /etc/passwd. */
static bool proc_home(struct proc_plan *p, uid_t uid, int root, char *buf,
		      size_t size, struct err *e)
{
	autofd at = root_open(root, "/etc/passwd", 0), fd = -1;
	const char *home = proc_getenv(p, "HOME");
	size_t i;

	if (home && *home)
		return true;
	text_to(buf, size, "HOME=/");
	if (at < 0 && !is_absent(errno))
		return sysfail(e, "open /etc/passwd");
	if (at >= 0)
		fd = proc_open_file(at, "/etc/passwd");
	if (at >= 0 && (fd < 0 ? !is_absent(errno) :
				 !proc_passwd(fd, uid, buf, size)))
		return sysfail(e, "read /etc/passwd");
	for (i = 0; i < p->nenv && !str_after(p->env[i], "HOME="); i++)
		;
	p->env[i] = buf;
	p->nenv += i == p->nenv;
	return true;
}

/* Finds argv[0] by the PATH of the process. False: errno is ENOENT, or EACCES
 * if a file was found that may not be executed. */
static bool proc_find(const struct proc_plan *p, char path[PATH_MAX])
{
	const char *dirs = proc_getenv(p, "PATH"), *name = p->argv[0];
	int num = ENOENT;
	struct stat st;

	if (strchr(name, '/'))
		return text_to(path, PATH_MAX, "%s", name) &&
		       stat(path, &st) == 0 && io_may(path, X_OK) &&
		       (!S_ISDIR(st.st_mode) || (errno = EISDIR, false));
	for (dirs = dirs ? dirs : "/bin:/usr/bin"; ; dirs++) {
		size_t n = strcspn(dirs, ":");

		if (text_to(path, PATH_MAX, "%.*s/%s", n ? (int)n : 1,
			    n ? dirs : ".", name) && stat(path, &st) == 0 &&
		    !S_ISDIR(st.st_mode)) {
			if (io_may(path, X_OK))
				return true;
			num = EACCES;
		} else if (errno == EACCES) {
			num = EACCES;
		}
		dirs += n;
		if (!*dirs)
			break;
	}
	errno = num;
	return false;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
enum { ELF_ORDER = ELFDATA2LSB };
#else
enum { ELF_ORDER = ELFDATA2MSB };
#endif

#if defined(__x86_64__)
enum { ELF_HOST = 62 };
#elif defined(__i386__)
enum { ELF_HOST = 3 };
#elif defined(__aarch64__)
enum { ELF_HOST = 183 };
#elif defined(__arm__)
enum { ELF_HOST = 40 };
#elif defined(__mips__)
enum { ELF_HOST = 8 };
#elif defined(__s390__)
enum { ELF_HOST = 22 };
#elif defined(__riscv)
enum { ELF_HOST = 243 };
#elif defined(__powerpc64__)
enum { ELF_HOST = 21 };
#elif defined(__powerpc__)
enum { ELF_HOST = 20 };
#elif defined(__loongarch__)
enum { ELF_HOST = 258 };
#else
enum { ELF_HOST = 0 };
#endif

/* A little- or big-endian number inside a file. */
static uint64_t elf_num(const unsigned char *p, int size, bool big)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < size; i++)
		v = v << 8 | p[big ? i : size - 1 - i];
	return v;
}

static const char *elf_machine(unsigned machine, char buf[32])
{
	const char *s = name_of(machine_names, COUNT(machine_names),
				(int)machine);

	if (s)
		return s;
	text_to(buf, 32, "machine %u", machine);
	return buf;
}

/* Copies to loader the path of the loader that a dynamic program names; false
 * if it names none. */
static bool elf_interp(int fd, const unsigned char *h, bool wide, bool big,
		       char *loader, size_t size)
{
	uint64_t off = wide ? elf_num(h + 32, 8, big) : elf_num(h + 28, 4, big);
	unsigned each = (unsigned)elf_num(h + (wide ? 54 : 42), 2, big);
	unsigned n = (unsigned)elf_num(h + (wide ? 56 : 44), 2, big), i;
	unsigned char ph[56];

	for (i = 0; i < n && i < 64; i++) {
		ssize_t got = pread(fd, ph, wide ? 56 : 32,
				    (off_t)(off + (uint64_t)i * each));

		if (got < (wide ? 56 : 32))
			return false;
		if (elf_num(ph, 4, big) != PT_INTERP)
			continue;
		off = wide ? elf_num(ph + 8, 8, big) : elf_num(ph + 4, 4, big);
		got = pread(fd, loader, size - 1, (off_t)off);
		loader[got > 0 ? got : 0] = 0;
		return got > 0;
	}
	return false;
}

static bool proc_explain_elf(int fd, const unsigned char *h, ssize_t n, int num,
			     struct err *e)
{
	bool wide = h[EI_CLASS] == ELFCLASS64, big = h[EI_DATA] == ELFDATA2MSB;
	unsigned machine = (unsigned)elf_num(h + 18, 2, big);
	char loader[256], a[32], b[32];

	if (n < 52)
		return hint(e, "it is an ELF file that was cut short");
	if (num != ENOEXEC && elf_interp(fd, h, wide, big, loader,
					 sizeof loader))
		return num == ENOENT ?
		       hint(e, "it needs the loader %s, which is not in the "
			    "container: built for another libc?", loader) :
		       hint(e, "its loader %s may not be executed", loader);
	if (num != ENOEXEC)	/* the kernel accepts the format */
		return false;
	if (machine != ELF_HOST || h[EI_DATA] != ELF_ORDER ||
	    (wide && sizeof(long) == 4))
		return hint(e, "it is a %s %d-bit %s-endian program, this "
			    "machine is %s", elf_machine(machine, a),
			    wide ? 64 : 32, big ? "big" : "little",
			    elf_machine(ELF_HOST, b));
	return hint(e, "it is a damaged ELF file");
}

static bool proc_explain_script(char *line, int num, struct err *e)
{
	char *p = line + 2 + strspn(line + 2, " \t");
	size_t n = strcspn(p, " \t\n");
	struct stat st;

	p[n] = 0;
	if (!n)
		return hint(e, "its first line names no interpreter");
	if (num == ELOOP)
		return hint(e, "its interpreter %s is a script again, and so "
			    "on", p);
	if (p[n - 1] == '\r')
		return p[n - 1] = 0, hint(e, "its first line names the "
			"interpreter \"%s\\r\": the file has Windows line "
			"ends", p);
	if (num == ENOENT && stat(p, &st) < 0)
		return hint(e, "its interpreter %s does not exist in the "
			    "container", p);
	return num == EACCES && !io_may(p, X_OK) ?
	       hint(e, "its interpreter %s may not be executed", p) : false;
}

/* Names the first directory of path that the user may not enter. */
static bool proc_explain_way(const char *path, struct err *e)
{
	char dir[PATH_MAX];
	size_t n;

	for (n = 1; path[n]; n++)
		if (path[n] == '/' && text_cut(dir, sizeof dir, path, n) &&
		    !io_may(dir, X_OK))
			return hint(e, "user %u may not enter %s", geteuid(),
				    dir);
	return false;
}

/* Adds why the program at path was not executed; e already has num's text. */
static bool proc_explain(const char *path, int num, struct err *e)
{
	autofd at = io_open(path, O_PATH), fd = proc_open_file(at, path);
	unsigned char h[257] = { 0 };
	struct statfs fs;
	struct stat st;
	ssize_t n;

	if (num == EACCES && stat(path, &st) < 0)
		return proc_explain_way(path, e);
	if (num == ENOENT && stat(path, &st) < 0)
		return lstat(path, &st) == 0 && S_ISLNK(st.st_mode) ?
		       hint(e, "it is a symbolic link to something that is not "
			    "there") : false;
	if (stat(path, &st) < 0)
		return false;
	if (S_ISDIR(st.st_mode))
		return hint(e, "it is a directory");
	if (!S_ISREG(st.st_mode))
		return hint(e, "it is not a regular file");
	if (num == EACCES && !(st.st_mode & 0111))
		return hint(e, "it is not executable, mode 0%o",
			    st.st_mode & 07777);
	if (num == EACCES && statfs(path, &fs) == 0 &&
	    (fs.f_flags & K_ST_NOEXEC))
		return hint(e, "its mount has the option noexec");
	if (num == EACCES && !io_may(path, X_OK))
		return hint(e, "user %u may not execute it: mode 0%o, owner "
			    "%u:%u", geteuid(), st.st_mode & 07777, st.st_uid,
			    st.st_gid);
	if (fd < 0)
		return false;
	n = read(fd, h, sizeof h - 1);
	if (n <= 0)
		return n == 0 ? hint(e, "the file is empty") : false;
	if (n >= 4 && memcmp(h, ELFMAG, SELFMAG) == 0)
		return proc_explain_elf(fd, h, n, num, e);
	if (h[0] == '#' && h[1] == '!')
		return proc_explain_script((char *)h, num, e);
	return num == ENOEXEC ? hint(e, "it is no program and has no #! line; "
				     "try: sh %s", path) : false;
}

/* Reports the error of proc_find(). Callers match on the text for a name
 * without a slash, so it stays verbatim. */
static bool proc_fail(const struct proc_plan *p, const char *path,
		      struct err *e)
{
	int num = errno;
	char buf[64];

	if (num == EISDIR)
		num = EACCES;
	if (num == ENOENT && !strchr(p->argv[0], '/'))
		fail(e, "exec: \"%s\": executable file not found in $PATH",
		     p->argv[0]);
	else
		fail(e, "exec: \"%s\": %s", strchr(p->argv[0], '/') ? path :
		     p->argv[0], err_text(num, buf));
	e->num = num;
	if (strchr(p->argv[0], '/'))
		proc_explain(path, num, e);
	return false;
}

/* Sets the exec attributes of a security module. If there is no such module or
 * profile, `create` fails already. The attributes apply to the next execve, so
 * no execve may come before that of the program, except that of a
 * startContainer hook. */
static bool proc_label(const struct proc_plan *p, int proc, struct err *e)
{
	char buf[512];

	if (p->apparmor) {
		if (!text_to(buf, sizeof buf, "exec %s", p->apparmor))
			return fail(e, "process.apparmorProfile: is too long");
		if (!io_put(proc, "self/attr/apparmor/exec", buf) &&
		    (errno != ENOENT ||
		     access("/sys/module/apparmor", F_OK) < 0 ||
		     !io_put(proc, "self/attr/exec", buf)))
			return sysfail(e, "process.apparmorProfile: apply %s "
				       "(is AppArmor enabled here?)",
				       p->apparmor);
	}
	if (p->selinux && !io_put(proc, "self/attr/exec", p->selinux))
		return sysfail(e, "process.selinuxLabel: apply %s (is SELinux "
			       "enabled here?)", p->selinux);
	return true;
}

static bool proc_limit_failed(int what, struct err *e)
{
	return sysfail(e, "process.rlimits: set %s",
		       name_of(rlimit_names, COUNT(rlimit_names), what));
}

static bool proc_limits(const struct proc_plan *p, struct err *e)
{
	size_t i;

	for (i = 0; i < p->nrlimits; i++)
		if (sys_prlimit(0, p->rlimits[i].what, &p->rlimits[i].limit,
				NULL) < 0)
			return proc_limit_failed(p->rlimits[i].what, e);
	return true;
}

/* Raises the hard limits, which needs privileges, but lowers none and sets no
 * soft limit, which would restrict I. So `create` fails already if the
 * container could not be started. */
static bool proc_raise_limits(const struct proc_plan *p, struct err *e)
{
	struct k_rlimit now;
	size_t i;

	for (i = 0; i < p->nrlimits; i++) {
		int what = p->rlimits[i].what;

		if (sys_prlimit(0, what, NULL, &now) < 0)
			return proc_limit_failed(what, e);
		if (now.hard >= p->rlimits[i].limit.hard)
			continue;
		now.hard = p->rlimits[i].limit.hard;
		if (sys_prlimit(0, what, &now, NULL) < 0)
			return proc_limit_failed(what, e);
	}
	return true;
}

static bool proc_pin(const unsigned char *cpus, const char *when,
		     struct err *e)
{
	return !cpus || sys_setaffinity(CPU_MASK, cpus) == 0 ||
	       sysfail(e, "process.execCPUAffinity.%s: set it", when);
}

static bool proc_schedule(const struct proc_plan *p, bool exec, struct err *e)
{
	unsigned char all[CPU_MASK];

	/* the cpuset decides, not the affinity of P; a failure is ignored */
	memset(all, 255, sizeof all);
	if (!exec || !p->cpus)
		sys_setaffinity(sizeof all, all);
	else if (!proc_pin(p->cpus, "final", e))
		return false;
	if (p->sched.size && sys_sched_setattr(&p->sched) < 0)
		return sysfail(e, "process.scheduler: set %s",
			       name_of(sched_names, COUNT(sched_names),
				       (int)p->sched.policy));
	if (p->ioprio >= 0 && sys_ioprio_set(p->ioprio) < 0)
		return sysfail(e, "process.ioPriority");
	if (p->personality.set &&
	    sys_personality((unsigned long)p->personality.v) < 0)
		return sysfail(e, "linux.personality");
	return true;
}

/* Gives stdio to the process's user, so that the process may reopen it by
 * /proc/self/fd. The null device, and a terminal that is not the container's,
 * keep their owner. */
static void proc_own_stdio(uid_t uid, bool terminal)
{
	struct termios t;
	struct stat st;
	int fd;

	for (fd = 0; fd < 3; fd++)
		if (fstat(fd, &st) == 0 && st.st_uid != uid &&
		    !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) &&
		    (terminal || tcgetattr(fd, &t) < 0))
			sys_fchown(fd, uid, (gid_t)K_NO_ID);
}

/* The fds that the caller passes to the process lose their close-on-exec. */
static bool proc_give_fds(const struct proc_plan *p, struct err *e)
{
	int fd;

	if (p->listen_pid)
		text_to(p->listen_pid, sizeof "LISTEN_PID=1234567890",
			"LISTEN_PID=%d", getpid());

	for (fd = 3; fd < 3 + p->preserve_fds; fd++)
		if (sys_fcntl(fd, F_SETFD, 0) < 0)
			return sysfail(e, "--preserve-fds: fd %d", fd);
	return true;
}

/* ===== HOOK ==============================================================
 *
 * Hooks (config.md, "POSIX-platform Hooks") are programs that get the
 * container's state on stdin. prestart and createRuntime run in P, after the
 * mounts are made and before the pivot; createContainer runs in I at the same
 * point; startContainer runs in I, with all that the process will have (ids,
 * capabilities, limits); poststart and poststop run in P. A hook that fails
 * ends the operation, except poststop: its failure is only logged.
 */

static const char *hook_name(enum hook kind)
{
	return hooks_fields[kind].name;
}

/* Makes the stdin of a hook, which holds the state. It is a file, not a pipe,
 * so that a hook that does not read it does no harm. */
static int hook_stdin(const struct state *s, const char *status, int pid,
		      struct err *e)
{
	char buf[1024];
	struct text t = { buf, 0, sizeof buf, io_temporary("state"), false };
	struct json_out o = { &t, 0, true, true };
	struct nsrun_state told = state_tell(s, status, pid);

	if (t.fd < 0)
		return sysfail(e, "make a temporary file"), -1;
	json_put_open(&o, NULL, '{');
	state_put(&o, &told);
	json_put_close(&o, '}');
	text_char(&t, '\n');
	text_flush(&t);
	if (t.bad || lseek(t.fd, 0, SEEK_SET) != 0) {
		sysfail(e, "write the state for a hook");
		fd_close(&t.fd);
	}
	return t.fd;
}

/* How the hooks of a container are run. */
struct hook_how {
	const spec_hooks *hooks;	/* by enum hook */
	const struct state *state;
	const char	*status;
	int		pid;
	char		*const *env;	/* of hooks without an env */
	const char	*dir;		/* their cwd; NULL: the current one */
	int		cancel, proc;
};

static bool hook_run(const struct hook_how *w, enum hook kind, size_t i,
		     struct err *e)
{
	const struct spec_hook *h = &w->hooks[kind].v[i];
	char *argv[] = { (char *)h->path, NULL };
	autofd in = hook_stdin(w->state, w->status, w->pid, e);
	struct run r = { h->args.n ? h->args.v : argv,
			 h->env.v ? h->env.v : w->env, h->path, w->dir, in,
			 h->timeout.v, w->cancel, w->proc };

	return (in >= 0 && io_run(&r, e)) ||
	       wrap(e, "hooks.%s: hook #%u", hook_name(kind), (unsigned)i);
}

/* Runs the hooks of a kind in order, up to the first that fails. */
static bool hook_all(const struct hook_how *w, enum hook kind, struct err *e)
{
	size_t i;

	for (i = 0; i < w->hooks[kind].n; i++)
		if (!hook_run(w, kind, i, e))
			return false;
	return true;
}

/* ===== PLAN ==============================================================
 *
 * The plan of a container: the parts that the sections above make from the
 * config, and its printer. The printer shows what act uses, in the order in
 * which act uses it; the golden files of the tests hold its output.
 */

struct host {
	uid_t		euid;
	gid_t		egid;
	int		cap_last;
	uint64_t	caps;		/* P's permitted set */
	bool		user_ns;	/* P's is not the initial one */
	int		proc;		/* a procfs, or -1 */
	struct cg_host	cg;
};

struct plan {
	const char	*id, *bundle, *root;	/* absolute paths */
	const char	*hostname, *domainname;
	struct ns_plan	ns;
	struct cg_plan	cg;
	struct rdt_plan	rdt;
	struct net_plan	net;
	struct mnt_list	mounts;
	struct dev_list	devs;
	struct cred_plan cred;
	struct proc_plan proc;
	const spec_hooks *hooks;	/* by enum hook */
	struct strs	masked, readonly;
	int		propagation;	/* of the root; 0: unchanged */
	bool		nodev, root_ro, rootless;
};

/* Gives the v2 group to the process's user if the process can make groups in
 * it: that needs a cgroup namespace of its own and a writable mount of v2. */
static void plan_delegate(struct plan *p, const struct host *h,
			  const struct spec *s)
{
	const spec_maps *maps = &s->linux.uids;
	long long id = p->cred.uid;
	size_t i;

	for (i = 0; i < p->mounts.n; i++) {
		const struct mnt *m = &p->mounts.v[i];

		if (m->kind == MNT_CGROUP && str_eq(m->dest,
						    "/sys/fs/cgroup"))
			break;
	}
	if (i == p->mounts.n || p->mounts.v[i].late_ro || p->cg.n > 1 ||
	    p->mounts.v[i].set & K_ATTR_RDONLY ||
	    !ns_makes(&p->ns, K_NEWCGROUP))
		return;
	if (!ns_makes(&p->ns, CLONE_NEWUSER))
		p->cg.owner = id;
	for (i = 0; i < maps->n; i++) {
		long long at = id - maps->v[i].inside.v;

		if (at >= 0 && at < maps->v[i].size.v)
			p->cg.owner = maps->v[i].outside.v + at;
	}
	if (p->cg.owner == h->euid)	/* P owns it already */
		p->cg.owner = -1;
}

/* If no cgroup enforces the device policy, nodev on all mounts is as good, but
 * only for a process that can make neither nodes nor mounts. `exec` checks its
 * process in the same way. */
static bool plan_is_held(const struct cred_plan *p, struct err *e)
{
	const uint64_t *c = p->caps;
	uint64_t all = c[CAP_BOUNDING] | c[CAP_PERMITTED] | c[CAP_INHERITABLE];

	return !(all >> CAP_MKNOD_NR & 1 || all >> CAP_ADMIN_NR & 1) ||
	       dev_unguarded("the process may make nodes or mounts (without "
			     "CAP_MKNOD and CAP_SYS_ADMIN in all sets, mounts "
			     "are made nodev instead)", e);
}

static bool plan_nodev(const struct plan *p, const struct nsrun_options *o,
		       const struct spec *s, struct err *e)
{
	if (!p->nodev)
		return true;
	if (!plan_is_held(&p->cred, e))
		return false;
	if (!spec_has_ns(s, CLONE_NEWNS))
		return dev_unguarded("there is no mount namespace", e);
	log_note(o, NSRUN_WARNING, "linux.resources.devices: no cgroup here "
		 "can enforce it; all mounts are nodev instead");
	return true;
}

static bool plan_make(struct plan *p, const struct host *h,
		      const struct nsrun_options *o, const struct spec *s,
		      const char *bundle, struct arena *mem, struct err *e)
{
	uint64_t grant = h->cap_last >= 63 ? ~0ULL : (2ULL << h->cap_last) - 1;

	if (!spec_has_ns(s, CLONE_NEWUSER))
		grant &= h->caps;
	p->id = o->id;
	p->bundle = bundle;
	p->rootless = h->euid != 0;
	p->root = *s->root->path == '/' ? s->root->path :
		  mem_text(mem, "%s/%s", bundle, s->root->path);
	p->hostname = s->hostname && *s->hostname ? s->hostname : NULL;
	p->domainname = s->domainname && *s->domainname ? s->domainname : NULL;
	p->hooks = s->hooks;
	p->masked = s->linux.masked;
	p->readonly = s->linux.readonly;
	p->propagation = (int)s->linux.propagation.v;
	p->root_ro = s->root->readonly;
	if (!p->root)
		return no_memory(e);
	if (!ns_plan(&p->ns, s, mem, e))
		return wrap(e, "config.json");
	/* mknod makes no device in a user namespace, so the policy may be left
	 * out; but a user namespace that root joins may be the initial one */
	p->cg.loose = h->user_ns || ns_makes(&p->ns, CLONE_NEWUSER) ||
		      (h->euid && ns_joins(&p->ns, CLONE_NEWUSER));
	if (!cg_plan(&p->cg, &h->cg, s, o, &p->nodev, mem, e) ||
	    !rdt_plan(&p->rdt, s->linux.rdt, o->id, mem, e) ||
	    !net_plan(&p->net, s, o->id, mem, e) ||
	    !cred_plan(&p->cred, o, s->process, grant, mem, e) ||
	    !proc_plan(&p->proc, o, s, mem, e) ||
	    !plan_nodev(p, o, s, e) ||
	    !mnt_plan(&p->mounts, s, bundle, p->nodev, mem, e) ||
	    !dev_plan(&p->devs, s, &p->mounts, p->nodev, mem, e))
		return wrap(e, "config.json");
	plan_delegate(p, h, s);
	return true;
}

static void plan_put_list(struct text *t, const char *title,
			  const struct strs *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		text_add(t, "%s%s\n", title, l->v[i]);
}

static void plan_put_lines(struct text *t, const char *title, const char *s)
{
	for (; s && *s; s += strcspn(s, "\n"), s += *s == '\n')
		text_add(t, "%s%.*s\n", title, (int)strcspn(s, "\n"), s);
}

static void plan_put_ns(struct text *t, const struct plan *p)
{
	size_t i;

	text_add(t, "make        ");
	for (i = 0; i < COUNT(ns_names); i++)
		if (ns_makes(&p->ns, ns_names[i].value))
			text_add(t, "%s ", ns_names[i].name);
	text_add(t, "namespaces\n");
	for (i = 0; i < p->ns.n; i++)
		text_add(t, "join        %s namespace %s\n",
			 ns_name(p->ns.join[i].type), p->ns.join[i].path);
	plan_put_lines(t, "uid_map     ", p->ns.uid_map);
	plan_put_lines(t, "gid_map     ", p->ns.gid_map);
	plan_put_lines(t, "time        ", p->ns.time_offsets);
}

static void plan_put_mount(struct text *t, const struct mnt *m)
{
	size_t i;

	text_add(t, "mount       %s  %s %s", m->dest, m->kind == MNT_BIND ?
		 m->rec ? "rbind" : "bind" : m->type, m->src);
	for (i = 0; i < COUNT(attr_names); i++) {
		if (m->set & (unsigned)attr_names[i].value)
			text_add(t, " %s", attr_names[i].name);
		if (m->clr & (unsigned)attr_names[i].value &&
		    !(attr_names[i].value & K_ATTR__ATIME))
			text_add(t, " !%s", attr_names[i].name);
		if (m->rset & (unsigned)attr_names[i].value)
			text_add(t, " r%s", attr_names[i].name);
		if (m->rclr & (unsigned)attr_names[i].value &&
		    !(attr_names[i].value & K_ATTR__ATIME))
			text_add(t, " !r%s", attr_names[i].name);
	}
	for (i = 0; i < m->nprop; i++)
		text_add(t, " %s", name_of(propagation_names,
					   COUNT(propagation_names),
					   m->prop[i]));
	if (m->remount)
		text_add(t, " remount");
	if (m->copy_up)
		text_add(t, " tmpcopyup");
	if (m->idmap)
		text_add(t, " %s", m->idmap == 2 ? "ridmap" : "idmap");
	if (*m->data)
		text_add(t, " data=%s", m->data);
	text_add(t, "\n");
}

static void plan_put_addr(struct text *t, const char *word,
			  const struct net_addr *a)
{
	if (!a->family)
		return;
	text_add(t, "%s", word);
	net_text(t, a);
	if (a->prefix != 8 * net_size(a))
		text_add(t, "/%u", a->prefix);
}

static void plan_put_ports(struct text *t, const char *word, unsigned from,
			   unsigned count)
{
	text_add(t, "%s%u", word, from);
	if (count > 1)
		text_add(t, "-%u", from + count - 1);
}

static void plan_put_if(struct text *t, const struct net_if *f)
{
	const struct spec_network_if *s = f->s;
	size_t k;

	text_add(t, "network     %s %s", s->name ? s->name : "lo",
		 name_of(net_kinds, COUNT(net_kinds), (int)s->type.v));
	if (s->mode)
		text_add(t, " %s", s->mode);
	if (s->host_name)
		text_add(t, " host %s", s->host_name);
	if (s->bridge)
		text_add(t, " bridge %s", s->bridge);
	for (k = 0; k < 2; k++) {
		plan_put_addr(t, " (", &f->bridge[k]);
		text_add(t, "%s", f->bridge[k].family ? ")" : "");
		plan_put_addr(t, " host ", &f->host[k]);
		plan_put_addr(t, " address ", &f->addr[k]);
		plan_put_addr(t, " gateway ", &f->via[k]);
	}
	if (s->mac)
		text_add(t, " mac %s", s->mac);
	if (s->mtu.v)
		text_add(t, " mtu %lld", s->mtu.v);
	if (s->metric.set)
		text_add(t, " metric %lld", s->metric.v);
	if (s->vlan.set)
		text_add(t, " vlan %lld", s->vlan.v);
	text_add(t, "%s%s%s\n", s->hairpin ? " hairpin" : "",
		 s->masquerade ? " masquerade" : "",
		 s->publish_over ? " publish_over" : "");
	for (k = 0; k < f->nports; k++) {
		const struct net_port *o = &f->ports[k];

		text_add(t, "publish     %s", o->udp ? "udp" : "tcp");
		plan_put_addr(t, " ", &o->host);
		plan_put_ports(t, " port ", o->from, o->count);
		plan_put_ports(t, " to port ", o->to, o->count);
		text_add(t, " of %s\n", s->name);
	}
}

static void plan_put_net(struct text *t, const struct net_plan *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		plan_put_if(t, &p->v[i]);
	for (i = 0; i < p->nr; i++) {
		plan_put_addr(t, "route       ", &p->r[i].to);
		plan_put_addr(t, " from ", &p->r[i].from);
		plan_put_addr(t, " gateway ", &p->r[i].via);
		text_add(t, "%s%s", p->r[i].dev ? " dev " : "",
			 p->r[i].dev ? p->r[i].dev : "");
		if (p->r[i].metric.set)
			text_add(t, " metric %lld", p->r[i].metric.v);
		text_char(t, '\n');
	}
	for (i = 0; i < COUNT(p->files); i++)
		if (p->files[i]) {
			text_add(t, "file        %s\n", net_files[i]);
			plan_put_lines(t, "            ", p->files[i]);
		}
}

static void plan_put_caps(struct text *t, const struct cred_plan *c)
{
	const char *name;
	size_t i, k;

	for (i = 0; i < CAP_SETS; i++) {
		text_add(t, "caps        %s", cap_fields[i].name);
		for (k = 0, name = cap_names; *name; k++, name = str_next(name))
			if (c->caps[i] >> k & 1)
				text_add(t, " %s", name);
		text_char(t, '\n');
	}
}

static void plan_put_hooks(struct text *t, const struct plan *p,
			   enum hook from, enum hook to)
{
	size_t i;
	int k;

	for (k = from; k <= (int)to; k++)
		for (i = 0; i < p->hooks[k].n; i++)
			text_add(t, "hook        %s %s\n", hook_name(k),
				 p->hooks[k].v[i].path);
}

static void plan_put_proc(struct text *t, const struct plan *p)
{
	const struct proc_plan *r = &p->proc;
	size_t i;

	for (i = 0; i < r->nrlimits; i++)
		text_add(t, "rlimit      %s %llu %llu\n",
			 name_of(rlimit_names, COUNT(rlimit_names),
				 r->rlimits[i].what),
			 (unsigned long long)r->rlimits[i].limit.soft,
			 (unsigned long long)r->rlimits[i].limit.hard);
	if (r->oom_score_adj.set)
		text_add(t, "oom         %lld\n", r->oom_score_adj.v);
	if (r->sched.size)
		text_add(t, "scheduler   %s nice %d priority %u\n",
			 name_of(sched_names, COUNT(sched_names),
				 (int)r->sched.policy), r->sched.nice,
			 r->sched.priority);
	if (r->ioprio >= 0)
		text_add(t, "io priority %s %d\n",
			 name_of(ioprio_names, COUNT(ioprio_names),
				 r->ioprio >> 13), r->ioprio & 7);
	if (r->personality.set)
		text_add(t, "personality %s\n",
			 name_of(persona_names, COUNT(persona_names),
				 (int)r->personality.v));
	text_add(t, "user        %u:%u", p->cred.uid, p->cred.gid);
	for (i = 0; i < p->cred.ngroups; i++)
		text_add(t, " +%u", p->cred.groups[i]);
	text_add(t, " umask 0%o\n", p->cred.umask);
	plan_put_caps(t, &p->cred);
	if (p->cred.no_new_privs)
		text_add(t, "no new privileges\n");
	plan_put_lines(t, "apparmor    ", r->apparmor);
	plan_put_lines(t, "selinux     ", r->selinux);
	text_add(t, "cwd         %s\n", r->cwd);
	for (i = 0; i < r->nenv; i++)
		text_add(t, "env         %s\n", r->env[i]);
	plan_put_hooks(t, p, HOOK_START_CONTAINER, HOOK_START_CONTAINER);
	text_add(t, "exec       ");
	for (i = 0; r->argv[i]; i++)
		text_add(t, " %s", r->argv[i]);
	text_add(t, "%s\n", r->terminal ? "  (on a terminal)" : "");
}

static void plan_print(struct text *t, const struct plan *p)
{
	char title[NAME_MAX + 32];
	size_t i;

	text_add(t, "bundle      %s\n", p->bundle);
	for (i = 0; i < p->cg.n; i++)
		text_add(t, "cgroup      %s%s\n", p->cg.d[i].path,
			 p->cg.d[i].late ? "  (entered last)" : "");
	if (p->cg.owner >= 0)
		text_add(t, "cgroup      is given to user %lld\n",
			 p->cg.owner);
	for (i = 0; i < p->cg.nw; i++) {
		const struct cg_write *w = &p->cg.w[i];

		text_to(title, sizeof title, "limit       %s%s ", w->instead ?
			"or " : "", w->file);
		plan_put_lines(t, title, w->value);
	}
	plan_put_lines(t, "resctrl     ", p->rdt.group);
	plan_put_lines(t, "resctrl     ", p->rdt.monitor);
	plan_put_lines(t, "schema      ", p->rdt.schemata);
	plan_put_ns(t, p);
	plan_put_net(t, &p->net);
	text_add(t, "root        %s%s\n", p->root, p->nodev ? " nodev" : "");
	for (i = 0; i < p->mounts.n; i++)
		plan_put_mount(t, &p->mounts.v[i]);
	for (i = 0; i < p->devs.n; i++) {
		const struct dev *d = &p->devs.v[i];

		text_add(t, "device      %s %c %u:%u mode 0%o owner %u:%u\n",
			 d->path, S_ISCHR(d->mode) ? 'c' : S_ISBLK(d->mode) ?
			 'b' : 'p', major(d->rdev), minor(d->rdev),
			 d->mode & 07777, d->uid, d->gid);
	}
	plan_put_hooks(t, p, HOOK_PRESTART, HOOK_CREATE_CONTAINER);
	if (p->propagation)
		text_add(t, "propagation %s\n",
			 name_of(propagation_names, COUNT(propagation_names),
				 p->propagation));
	plan_put_lines(t, "hostname    ", p->hostname);
	plan_put_lines(t, "domainname  ", p->domainname);
	for (i = 0; i < p->proc.nsysctls; i++)
		text_add(t, "sysctl      %s %s\n", p->proc.sysctls[i].path,
			 p->proc.sysctls[i].value);
	plan_put_list(t, "readonly    ", &p->readonly);
	plan_put_list(t, "mask        ", &p->masked);
	text_add(t, "%s\n", ns_leaves(&p->ns, CLONE_NEWNS) ? "pivot_root" :
		 "chroot");
	if (p->root_ro)
		text_add(t, "root read-only\n");
	plan_put_proc(t, p);
	plan_put_hooks(t, p, HOOK_POSTSTART, HOOK_POSTSTOP);
}

/* ===== SYNC ==============================================================
 *
 * P talks with I (and J) over one SOCK_SEQPACKET pair, one packet a message.
 * EXEC is I's last message. The end of the socket after EXEC means that execve
 * took place, because the socket is close-on-exec; the end of the socket
 * without EXEC means that I died.
 */

enum msg_kind {
	MSG_HELLO = 1,	/* J: init is cloned, index is its pid */
	MSG_MAP,	/* J: map my ids */
	MSG_GO,		/* P: go on */
	MSG_CHARGE,	/* I: put me into all cgroups; P: you are there */
	MSG_LEAVE,	/* I: take me out of those that are entered last */
	MSG_SOURCE,	/* I: the source of mounts[index]; P: here, an fd */
	MSG_TTY,	/* I: the master of the pty, an fd */
	MSG_MOUNTED,	/* I: before the pivot; run the hooks now */
	MSG_HOOKED,	/* P: P's hooks have run */
	MSG_READY,	/* I: all is arranged */
	MSG_EXEC,	/* I: about to execve */
	MSG_ERR,	/* any: text and errno, the last message */
	MSG_END,	/* not sent: the socket ended after EXEC */
};

struct msg {
	int		kind;
	unsigned	index;
	struct err	err;		/* of ERR */
};

static bool sync_send(int sock, enum msg_kind kind, size_t index, int fd)
{
	struct msg m;

	m.kind = kind;
	m.index = (unsigned)index;
	return io_send(sock, &m, offsetof(struct msg, err), fd);
}

static bool sync_send_err(int sock, const struct err *e)
{
	struct msg m = { .kind = MSG_ERR, .err = *e };

	return io_send(sock, &m, sizeof m, -1);
}

/* Receives a packet. Returns its kind; 0 at the end of the socket; -1 with
 * errno on failure. */
static int sync_recv(int sock, struct msg *m, int *fd)
{
	ssize_t n;

	memset(m, 0, offsetof(struct msg, err) + sizeof m->err.num + 1);
	n = io_recv(sock, m, sizeof *m, fd);
	m->err.text[sizeof m->err.text - 1] = 0;
	return n < 0 ? -1 : n >= (ssize_t)offsetof(struct msg, err) ?
	       m->kind : 0;
}

/* I sends P a message that carries nothing else. */
static bool sync_report(int sock, enum msg_kind kind, struct err *e)
{
	return sync_send(sock, kind, 0, -1) ||
	       sysfail(e, "report to the parent");
}

/* P lets a child go on. If the child has died, its ERR is still to be read, so
 * that is no failure here. */
static bool sync_go(int sock, struct err *e)
{
	return sync_send(sock, MSG_GO, 0, -1) || errno == EPIPE ||
	       errno == ECONNRESET || sysfail(e, "let init go on");
}

/* In a child: waits for P's GO. If P has died, nobody can receive an error. */
static bool sync_wait_go(int sock, struct err *e)
{
	struct msg m;
	int fd, kind = sync_recv(sock, &m, &fd);

	if (kind == 0)
		_exit(1);
	return kind == MSG_GO || sysfail(e, "wait for the parent");
}

/* What was made for a container and is to be undone. */
enum made { MADE_STATE = 1, MADE_CGROUP = 2, MADE_INIT = 4, MADE_PIDFILE = 8,
	    MADE_POSTSTOP = 16 /* the hooks are due */, MADE_NET = 32,
	    MADE_FORWARD = 64 };

/* What I does when everything is arranged. */
enum mode {
	MODE_RUN,	/* execute, and die with P */
	MODE_DETACH,	/* execute */
	MODE_CREATE,	/* wait for a start */
};

/* Everything about one container while a verb works on it. */
struct ctr {
	const struct nsrun_options *o;
	struct arena	mem;
	struct host	host;
	struct spec	*spec;
	struct plan	plan;
	struct state	state;
	char		*dir;		/* path of the state directory */
	union {
		struct {
			int	root, pidfd, tty;
			int	sock, peer;	/* P's; I's until the clone */
			int	start;		/* I's socket for `start` */
			int	console;	/* to --console-socket */
			int	notify;		/* container's NOTIFY_SOCKET */
			int	netns;		/* devices return from it */
			int	state_dir, state_root;
		};
		int	fds[11];	/* the same fds, to close them */
	};
	int		relay;		/* the child that relays READY */
	int		pid;
	unsigned	made;
	int		left;	/* errno: the state could not be removed */
	enum mode	mode;
	bool		exec;	/* one more process: the verb exec */
	bool		damaged;	/* its state.json cannot be parsed */
	bool		no_groups;	/* J of an exec: see struct inside */
	bool		hold;	/* P acts between READY and the GO */
	bool		arranged;	/* READY came */
	const char	*config;	/* text of config.json, to be saved */
	size_t		config_len;
	struct err	err;		/* of the verb, for out */
	struct nsrun_error *out;
};

/* A socket with that name in the state directory; -1: see errno. */
static int ctr_socket(const struct ctr *c, const char *name, int type,
		      mode_t mode)
{
	autofd s = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	char path[PATH_MAX];

	return s >= 0 && text_to(path, sizeof path, "%s/%s", c->dir, name) &&
	       io_socket(s, path, true) &&
	       sys_fchmodat(c->state_dir, name, mode) == 0 ? fd_take(&s) : -1;
}

/* Are there hooks between the mounts and the pivot? */
static bool ctr_is_hooked(const struct ctr *c)
{
	return c->plan.hooks[HOOK_PRESTART].n ||
	       c->plan.hooks[HOOK_CREATE_RUNTIME].n ||
	       c->plan.hooks[HOOK_CREATE_CONTAINER].n;
}

/* ===== INIT ==============================================================
 *
 * All that I does, from the clone to the execve: init_arrange(), init_yield()
 * and init_start() list the steps in order. I has P's memory as it was at the
 * clone and must not allocate (rule 2). Nothing here returns to P's code.
 */

/* The first step of I and J: they close all fds of P but these. */
static bool init_keep(struct ctr *c, bool stage, struct err *e)
{
	const struct ns_plan *p = &c->plan.ns;
	int keep[5 + NS_COUNT], n = 0, i;

	keep[n++] = c->peer;
	keep[n++] = ns_joins(p, CLONE_NEWNS) ? -1 : c->root;
	keep[n++] = c->start;
	keep[n++] = c->exec ? -1 : c->state_dir;  /* the lock: see STATE */
	keep[n++] = c->host.proc;
	for (i = 0; stage && i < (int)p->n; i++)
		keep[n++] = p->join[i].fd;
	for (i = 0; i < c->plan.proc.preserve_fds; i++)	/* not for hooks */
		sys_fcntl(3 + i, F_SETFD, FD_CLOEXEC);
	return fd_keep_only(c->host.proc, 3 + c->plan.proc.preserve_fds, keep,
			    (size_t)n, e);
}

static bool init_begin(struct ctr *c, struct inside *in, struct err *e)
{
	const struct plan *p = &c->plan;

	if (!p->ns.stage && !init_keep(c, false, e))	/* or J did so */
		return false;
	/* I dies with P from now on; if P has died already, GO never comes */
	if (sys_die_with_parent() < 0)
		return sysfail(e, "PR_SET_PDEATHSIG");
	if (ns_joins(&p->ns, CLONE_NEWNS)) {
		if (chdir(p->root) < 0)
			return sysfail(e, "root.path: open %s in the joined "
				       "mount namespace", p->root);
	} else if (sys_fchdir(c->root) < 0) {
		return sysfail(e, "root.path: enter %s", p->root);
	}
	/* the cwd moves along into the new mount namespace */
	if (ns_makes(&p->ns, CLONE_NEWNS) && !ns_unshare(CLONE_NEWNS, e))
		return false;
	fd_close(&c->root);
	*in = (struct inside){
		.root = io_open(".", O_PATH | O_DIRECTORY),
		.path = p->root, .proc = c->host.proc, .cg = &p->cg,
		.covered = -1,
		.sock = c->peer,
		.cgroup_ns = ns_makes(&p->ns, K_NEWCGROUP),
		.cgroup_view = ns_leaves(&p->ns, K_NEWCGROUP),
		.user_ns = ns_leaves(&p->ns, CLONE_NEWUSER),
		.no_groups = c->no_groups,
		.nodev = p->nodev,
	};
	return in->root >= 0 || sysfail(e, "root.path: open %s", p->root);
}

static int init_source(struct inside *in, size_t index, struct err *e)
{
	struct msg m;
	int fd = -1, kind;

	if (!sync_send(in->sock, MSG_SOURCE, index, -1))
		return sysfail(e, "ask the parent for the source"), -1;
	while ((kind = sync_recv(in->sock, &m, &fd)) == MSG_GO)
		in->gos++;		/* P had sent it before */
	if (kind < 0)
		return sysfail(e, "receive the source"), -1;
	if (m.kind == MSG_SOURCE && fd < 0)
		fail(e, "the source was lost on its way: too many open files");
	if (m.kind == MSG_SOURCE)
		return fd;
	if (m.kind == MSG_ERR)
		*e = m.err;
	else
		fail(e, "the parent did not answer");
	return -1;
}

/* Waits for the n-th GO. */
static bool init_wait_go(struct inside *in, int n, struct err *e)
{
	for (; in->gos < n; in->gos++)
		if (!sync_wait_go(in->sock, e))
			return false;
	return true;
}

/* Waits until P has mapped I's ids and placed I in the cgroups; then the cgroup
 * namespace can be made. The first step that needs this calls it (struct
 * inside). */
static bool init_placed(struct inside *in, struct err *e)
{
	if (in->is_placed)
		return true;
	if (!init_wait_go(in, 1, e))
		return false;
	in->is_placed = true;
	if (!in->cgroup_ns)
		return true;
	if (!ns_unshare(K_NEWCGROUP, e))
		return false;
	return !cg_is_late(in->cg) || sync_report(in->sock, MSG_LEAVE, e);
}

/* A copy into a tmpfs is charged to the cgroup of the process that makes it. */
static bool init_charged(struct inside *in, bool all, struct err *e)
{
	struct msg m;
	int fd, kind;

	if (!all)
		return !cg_is_late(in->cg) ||
		       sync_report(in->sock, MSG_LEAVE, e);
	if (!in->cg->n)
		return true;
	if (!init_placed(in, e) || !sync_report(in->sock, MSG_CHARGE, e))
		return false;
	while ((kind = sync_recv(in->sock, &m, &fd)) == MSG_GO)
		in->gos++;
	if (kind == 0)
		_exit(1);
	return kind == MSG_CHARGE || sysfail(e, "wait for the parent");
}

/* I becomes id 0 of its user namespace, and that id owns the files it makes. */
static bool init_become(struct ctr *c, struct inside *in, struct err *e)
{
	const struct plan *p = &c->plan;

	in->source = init_source;
	in->placed = init_placed;
	in->charged = init_charged;
	/* a user namespace needs its id maps first; and if J cloned I, P knows
	 * I only by then */
	if ((in->user_ns || p->ns.stage) && !init_placed(in, e))
		return false;
	if (in->user_ns && !cred_become(&p->cred) &&
	    !(c->exec && errno == EINVAL))	/* see cred_ids() */
		return sysfail(e, "become id 0 of the user namespace, or "
			       "process.user (is neither mapped?)");
	if (in->user_ns && ns_makes(&p->ns, CLONE_NEWIPC) &&
	    !ns_unshare(CLONE_NEWIPC, e))
		return ns_explain(&p->ns, in->proc, e);
	if (p->ns.n)	/* or others in a joined namespace could inspect I */
		sys_prctl(PR_SET_DUMPABLE, 0, 0);
	sys_die_with_parent();
	setsid();
	umask(0);
	if (p->proc.keyring && sys_keyctl_join() < 0 &&
	    errno != ENOSYS && errno != EPERM)
		return sysfail(e, "join a new session keyring (see "
			       "--no-new-keyring)");
	return true;
}

static bool init_names(const struct plan *p, struct err *e)
{
	if (p->hostname && sethostname(p->hostname, strlen(p->hostname)) < 0)
		return sysfail(e, "hostname: set \"%s\"", p->hostname);
	if (p->domainname &&
	    setdomainname(p->domainname, strlen(p->domainname)) < 0)
		return sysfail(e, "domainname: set \"%s\"", p->domainname);
	return true;
}

static bool init_console(struct ctr *c, struct inside *in, struct err *e)
{
	const struct proc_plan *p = &c->plan.proc;
	autofd master = -1;

	if (!p->terminal)
		return true;
	master = tty_make(in, p->size, !c->plan.devs.skip, e);
	if (master < 0)
		return wrap(e, "process.terminal");
	return sync_send(c->peer, MSG_TTY, 0, master) ||
	       sysfail(e, "hand over the terminal");
}

/* Call it before the mounts are made, which may have a propagation of their
 * own; but after them if the root becomes unbindable, because then nothing in
 * it can be bound any more. */
static bool init_propagate(const struct plan *p, struct inside *in,
			   struct err *e)
{
	return mnt_propagate(in, in->root, p->propagation, e) ||
	       wrap(e, "linux.rootfsPropagation");
}

/* Runs the hooks before the pivot, while I still sees the host's mounts: P's
 * hooks, then I's. */
static bool init_hooks(struct ctr *c, struct inside *in, struct err *e)
{
	struct msg m;
	int fd;

	if (!ctr_is_hooked(c))
		return true;
	if (!sync_report(in->sock, MSG_MOUNTED, e))
		return false;
	while (sync_recv(in->sock, &m, &fd) == MSG_GO)
		in->gos++;
	if (m.kind != MSG_HOOKED)
		_exit(1);		/* P knows the reason */
	return hook_all(&(struct hook_how){ c->plan.hooks, &c->state,
		"creating", getpid(), environ, c->plan.bundle, -1,
		c->host.proc }, HOOK_CREATE_CONTAINER, e);
}

/* Enters the container's root. From here on the container's programs and links
 * can reach I's open fds, so none of them leads to the host any more. */
static bool init_leave(struct ctr *c, struct inside *in, bool pivot,
		       struct err *e)
{
	in->no_groups = (in->user_ns || c->host.user_ns) &&
			ns_has_no_groups(in->proc);
	if (!proc_label(&c->plan.proc, in->proc, e) ||
	    !root_enter(in, pivot, e))
		return false;
	fd_close(&in->proc);
	fd_close(&c->state_dir);
	c->host.proc = -1;
	/* a hook of the image could take our socket to P (pidfd_getfd) */
	sys_prctl(PR_SET_DUMPABLE, 0, 0);
	return true;
}

static bool init_last(const struct plan *p, struct inside *in, struct err *e)
{
	struct err ignored;

	if (p->propagation & MS_UNBINDABLE && !init_propagate(p, in, e))
		return false;
	if (!p->root_ro && !in->root_ro)
		return true;
	/* a root whose own mount is read-only already may be locked so */
	return mnt_set_ro(in, in->root, &ignored) ||
	       (*e = ignored, wrap(e, "root.readonly"));
}

/* Can the process have an access right that I lacks here? Yes if its uid is not
 * 0; in a user namespace also with uid 0, by its groups: for example to a file
 * whose owner is not mapped. */
static bool init_has_less(const struct plan *p, const struct inside *in)
{
	return p->cred.uid || (in->user_ns && (p->cred.gid ||
					       p->cred.ngroups));
}

/* A working directory that only process.user may enter is entered later, as
 * that user, in init_yield(). */
static bool init_cwd(const struct plan *p, struct inside *in, bool make,
		     struct err *e)
{
	in->cwd_due = !proc_cwd(&p->proc, in->root, make, e);
	return !in->cwd_due || (e->num == EACCES && init_has_less(p, in));
}

/* init_start() looks the program up again, as process.user. So it is no error
 * yet if only that user may see the program, or if the working directory is not
 * entered yet. */
static bool init_look_up(const struct plan *p, const struct inside *in,
			 char *path, struct err *e)
{
	return proc_find(&p->proc, path) || in->cwd_due ||
	       (errno == EACCES && init_has_less(p, in)) ||
	       proc_fail(&p->proc, path, e);
}

/* All steps from the clone to READY. */
static bool init_arrange(struct ctr *c, struct inside *in, char *path,
			 struct err *e)
{
	const struct plan *p = &c->plan;
	bool own = ns_makes(&p->ns, CLONE_NEWNS);
	bool mounts = ns_leaves(&p->ns, CLONE_NEWNS);

	return init_begin(c, in, e) &&
	       init_become(c, in, e) &&
	       (!ns_makes(&p->ns, CLONE_NEWNET) || net_lo_up(e)) &&
	       (!own || root_private(in, p->propagation, e)) &&
	       (!mounts || root_bind(in, p->root, e)) &&
	       (!p->propagation || p->propagation & MS_UNBINDABLE ||
		init_propagate(p, in, e)) &&
	       mnt_all(in, &p->mounts, e) &&	/* later covers earlier */
	       dev_all(in, &p->devs, e) &&
	       dev_files(in, &p->net, p->root_ro || in->root_ro, e) &&
	       init_placed(in, e) &&
	       net_inside(&p->net, in->proc, e) &&
	       init_hooks(c, in, e) &&
	       init_console(c, in, e) &&
	       init_names(p, e) &&
	       proc_raise_limits(&p->proc, e) &&
	       proc_sysctl(&p->proc, in->proc, e) &&
	       init_cwd(p, in, true, e) &&
	       mnt_readonly(in, &p->readonly, e) &&
	       mnt_mask(in, &p->masked, e) &&
	       mnt_late(in, e) &&
	       (!(p->propagation & MS_SHARED) ||
		mnt_propagate(in, in->root, MS_PRIVATE, e)) && /* for pivot */
	       init_leave(c, in, mounts, e) &&
	       (!(p->propagation & MS_SHARED) ||
		mnt_propagate(in, in->root, MS_SHARED, e)) &&
	       init_last(p, in, e) &&		/* nothing is made any more */
	       /* entered only now: mount(2) by fd changes the cwd */
	       init_cwd(p, in, false, e) &&
	       init_look_up(p, in, path, e);
}

/* The same for `exec`, one more process in an existing container. The
 * container's init may be hostile: only its namespaces are used. */
static bool init_enter(struct ctr *c, struct inside *in, char *path,
		       struct err *e)
{
	const struct plan *p = &c->plan;

	return init_begin(c, in, e) &&
	       proc_pin(p->proc.cpus_first, "initial", e) &&
	       init_become(c, in, e) &&
	       (ns_joins(&p->ns, CLONE_NEWNS) || root_enter(in, false, e)) &&
	       init_console(c, in, e) &&
	       init_cwd(p, in, false, e) &&
	       init_look_up(p, in, path, e);
}

/* The last steps that need privileges; then I gives the privileges up. */
static bool init_yield(struct ctr *c, struct inside *in, char *home,
		       size_t home_size, struct err *e)
{
	struct plan *p = &c->plan;

	if (!proc_home(&p->proc, p->cred.uid, in->root, home, home_size, e))
		return false;
	proc_own_stdio(p->cred.uid, p->proc.terminal);
	/* with MODE_CREATE, I must accept a connection before it is limited */
	if (!proc_schedule(&p->proc, c->exec, e) ||
	    (c->mode != MODE_CREATE && !proc_limits(&p->proc, e)) ||
	    !cred_apply(&p->cred, in, e) ||
	    (in->cwd_due && !proc_cwd(&p->proc, in->root, false, e)))
		return false;
	fd_close(&in->root);
	return true;
}

/* All steps up to execve: they cannot be undone. */
static bool init_start(struct ctr *c, char *path, struct err *e)
{
	struct plan *p = &c->plan;
	struct pollfd gone = { c->peer, 0, 0 };
	int num;

	if ((c->mode == MODE_CREATE && !proc_limits(&p->proc, e)) ||
	    (!c->exec && !hook_all(&(struct hook_how){ p->hooks, &c->state,
		"created", getpid(), p->proc.env, NULL, -1, -1 },
				   HOOK_START_CONTAINER, e)) ||
	    !proc_give_fds(&p->proc, e))
		return false;
	if (c->mode == MODE_RUN) {
		/* the change of ids cleared this, and P may have died since */
		sys_die_with_parent();
		poll(&gone, 1, 0);
		if (gone.revents)
			_exit(1);
	}
	if (!proc_find(&p->proc, path))
		return proc_fail(&p->proc, path, e);
	if (!sig_reset(e))
		return false;
	/* without MODE_RUN, I may outlive P from now on */
	if (!sync_report(c->peer, MSG_EXEC, e) &&
	    (c->mode == MODE_RUN || (e->num != EPIPE && e->num != ECONNRESET)))
		return false;
	execve(path, p->proc.argv, p->proc.env);
	num = errno;
	sysfail(e, "exec %s", path);
	return proc_explain(path, num, e);
}

/* Sends P the error and exits. */
static _Noreturn void init_die(int sock, const struct err *e)
{
	sync_send_err(sock, e);
	_exit(1);
}

/* Only P's GO is missing. From here on an I that is to outlive P does not die
 * with P: it ends when the socket ends, if P dies before the GO. */
static bool init_ready(struct ctr *c, struct err *e)
{
	if (c->mode != MODE_RUN && sys_prctl(PR_SET_PDEATHSIG, 0, 0) < 0)
		return sysfail(e, "PR_SET_PDEATHSIG");
	if (c->mode == MODE_CREATE && listen(c->start, 16) < 0)
		return sysfail(e, "listen on the start socket");
	return !c->hold || sync_report(c->peer, MSG_READY, e);
}

/* Does the signal end a process that has no handler for it? */
static bool init_is_fatal(unsigned sig)
{
	return sig != SIGCHLD && sig != SIGCONT && sig != SIGURG &&
	       sig != SIGWINCH && sig != SIGTSTP && sig != SIGTTIN &&
	       sig != SIGTTOU;
}

/* From the linker: where code and constants, and where writable data begin. */
extern char __executable_start[], __init_array_start[];

/* A created container waits for `start`, whose connection takes P's place. The
 * kernel drops a signal to pid 1 that has no handler there, so I blocks signals
 * and reads them. I is non-dumpable: a process that enters the container now
 * has the same ids and must not read P's environment in I's memory. */
static bool init_await(struct ctr *c, struct inside *in, struct err *e)
{
	struct pollfd p[2] = { { c->start, POLLIN, 0 }, { -1, POLLIN, 0 } };
	struct ucred creator, caller;
	socklen_t size = sizeof creator;
	struct signalfd_siginfo sig;
	autofd signals = -1;
	struct msg m;
	sigset_t all;
	int fd, kind;

	memset(&all, 0xff, sizeof all);	/* sigfillset() omits some */
	sigprocmask(SIG_SETMASK, &all, NULL);
	sys_prctl(PR_SET_DUMPABLE, 0, 0);	/* setting the ids undid it */
	/* the wait may be long: drop the pages of code that were used so far;
	 * the kernel reads them from the file if they are needed again */
	madvise((void *)((uintptr_t)__executable_start & ~4095UL),
		((uintptr_t)__init_array_start & ~4095UL) -
		((uintptr_t)__executable_start & ~4095UL), MADV_DONTNEED);
	signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0 || getsockopt(c->peer, SOL_SOCKET, SO_PEERCRED,
				      &creator, &size) < 0)
		return sysfail(e, "wait for the start");
	p[1].fd = signals;
	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return sysfail(e, "wait for the start");
		while (read(signals, &sig, sizeof sig) == sizeof sig)
			if (init_is_fatal(sig.ssi_signo))
				_exit(128 + (int)sig.ssi_signo);
		if (!p[0].revents)
			continue;
		fd_close(&c->peer);
		c->peer = in->sock = accept4(c->start, NULL, NULL,
					     SOCK_CLOEXEC);
		if (c->peer < 0)
			continue;
		size = sizeof caller;
		if (getsockopt(c->peer, SOL_SOCKET, SO_PEERCRED, &caller,
			       &size) < 0)
			return sysfail(e, "ask who starts");
		kind = caller.uid == creator.uid ?
		       sync_recv(c->peer, &m, &fd) : 0;
		if (kind < 0)
			return sysfail(e, "receive the start");
		if (kind == MSG_GO)
			break;
		fd_close(&c->peer);
	}
	/* the container runs: a further `start` cannot connect any more */
	fd_close(&c->start);
	return true;
}

static _Noreturn void init_main(struct ctr *c)
{
	char path[PATH_MAX], home[512];
	struct inside in;
	struct err e = { 0, "" }, late = e;
	bool ok;

	if ((c->exec ? init_enter(c, &in, path, &e) :
		       init_arrange(c, &in, path, &e)) &&
	    init_ready(c, &e) && init_wait_go(&in, 2, &e)) {
		ok = init_yield(c, &in, home, sizeof home, &e);
		/* P has ended: `start` gets the error of init_yield() */
		if (c->mode == MODE_CREATE && !init_await(c, &in, &late))
			init_die(c->peer, ok ? &late : &e);
		if (ok)
			init_start(c, path, &e);
	}
	init_die(c->peer, &e);
}

/* ===== SPAWN =============================================================
 *
 * P's half: it clones init, does what needs the host's privileges while init
 * sets itself up, and reads init's messages.
 */

/* Makes the user namespace before a time namespace, which belongs to it. J
 * keeps its ids: the ids in the new user namespace may not write J's
 * timens_offsets, which belongs to root. */
static bool stage_user(struct ctr *c, struct err *e)
{
	return (unshare(CLONE_NEWUSER) == 0 &&
		sync_send(c->peer, MSG_MAP, 0, -1) &&
		sync_wait_go(c->peer, e)) ||
	       (!*e->text && sysfail(e, "make the user namespace"));
}

/* J becomes non-dumpable before it joins namespaces: the processes there must
 * not get at anything of P's. Only a J whose maps an unprivileged P must write
 * stays dumpable; it shares no user namespace with the processes that it
 * joins. A user may not open J's files in /proc once J is non-dumpable, so
 * timens_offsets is opened and oom_score_adj is written here, before that. */
static bool stage_hide(struct ctr *c, int *offsets, struct err *e)
{
	struct ns_plan *p = &c->plan.ns;
	char score[16];

	if (p->make & K_NEWTIME && *p->time_offsets) {
		*offsets = openat(c->host.proc, "self/timens_offsets",
				  O_WRONLY | O_CLOEXEC);
		if (*offsets < 0)
			return sysfail(e, "linux.timeOffsets");
	}
	if (c->host.euid && c->plan.proc.oom_score_adj.set) {
		text_to(score, sizeof score, "%lld",
			c->plan.proc.oom_score_adj.v);
		io_put(c->host.proc, "self/oom_score_adj", score);
	}
	if (p->n && (c->host.euid == 0 || !(p->make & CLONE_NEWUSER)))
		sys_prctl(PR_SET_DUMPABLE, 0, 0);
	return true;
}

/* J joins namespaces, makes the time namespace, and clones init as P's
 * child. */
static bool stage_enter(struct ctr *c, struct err *e)
{
	struct ns_plan *p = &c->plan.ns;
	unsigned flags = ns_clone_flags(p);
	autofd offsets = -1;
	size_t n;
	int pid;

	/* the label of J's next execve is inherited by its child, init */
	if (!init_keep(c, true, e) || (c->exec && !proc_label(&c->plan.proc,
						c->host.proc, e)))
		return false;
	sys_die_with_parent();
	if (!stage_hide(c, &offsets, e) || !ns_enter(p, e))
		return false;
	if (p->make & K_NEWTIME) {
		if (p->make & CLONE_NEWUSER && !stage_user(c, e))
			return false;
		flags &= ~(unsigned)CLONE_NEWUSER;
		if (!ns_unshare(K_NEWTIME, e))
			return false;
		n = strlen(p->time_offsets);
		if (n && write(offsets, p->time_offsets, n) != (ssize_t)n)
			return sysfail(e, "linux.timeOffsets");
		fd_close(&offsets);
	}
	if (c->exec) {	/* init starts among the container's processes */
		c->no_groups = (ns_joins(p, CLONE_NEWUSER) ||
				c->host.user_ns) &&
			       ns_has_no_groups(c->host.proc);
		fd_close(&c->host.proc);
	}
	pid = io_clone(flags | K_CLONE_PARENT, -1, NULL);
	if (pid == 0)
		init_main(c);
	if (pid < 0)
		return sysfail(e, "make the namespaces");
	/* J is still in P's pid namespace, so this is init's pid for P */
	if (sync_send(c->peer, MSG_HELLO, (size_t)pid, -1))
		return true;
	sysfail(e, "tell the parent of init");
	kill(pid, SIGKILL);
	return false;
}

static _Noreturn void stage_main(struct ctr *c)
{
	struct err e = { 0, "" };

	if (stage_enter(c, &e))
		_exit(0);
	init_die(c->peer, &e);
}

/* Runs newuidmap or newgidmap, which is set-user-id root. */
static bool spawn_run_map(struct ctr *c, char **argv, int pid, struct err *e)
{
	static const char *const dirs[] = { "/usr/bin", "/usr/local/bin",
					    "/bin" };
	char *env[] = { (char *)"PATH=/usr/bin:/bin", NULL };
	char number[16], path[64];
	struct run r = { argv, env, path, NULL, -1, 0, -1, c->host.proc };
	size_t i;
	bool ok;

	text_to(number, sizeof number, "%d", pid);
	for (i = 0; i < COUNT(dirs); i++) {
		text_to(path, sizeof path, "%s/%s", dirs[i], argv[0]);
		if (!io_may(path, X_OK))
			continue;
		argv[1] = number;
		ok = io_run(&r, e);
		argv[1] = NULL;
		return ok;
	}
	return fail(e, "a map that is not only the user's own id needs the "
		    "program %s (package uidmap or shadow)", argv[0]);
}

/* Writes one of the two id maps of pid. A user may map only its own id without
 * newuidmap or newgidmap. */
static bool spawn_map_one(struct ctr *c, int pid, bool gid, struct err *e)
{
	const struct ns_plan *p = &c->plan.ns;
	const char *text = gid ? p->gid_map : p->uid_map;
	const spec_maps *m = gid ? &c->spec->linux.gids : &c->spec->linux.uids;
	long long own = gid ? c->host.egid : c->host.euid;
	bool self = m->n == 1 && m->v[0].size.v == 1 &&
		    m->v[0].outside.v == own;
	char path[32];

	text_to(path, sizeof path, "%d/%s", pid, gid ? "gid_map" : "uid_map");
	if (c->host.euid != 0 && !self)
		return spawn_run_map(c, gid ? p->newgidmap : p->newuidmap, pid,
				     e);
	if (io_put(c->host.proc, path, text))
		return true;
	if (errno == EPERM && gid) {
		char deny[32];

		text_to(deny, sizeof deny, "%d/setgroups", pid);
		if (self && !io_put(c->host.proc, deny, "deny"))
			return sysfail(e, "write deny to %s", deny);
		if (self && io_put(c->host.proc, path, text))
			return true;
	}
	return sysfail(e, "linux.%sMappings: write %s", gid ? "gid" : "uid",
		       path);
}

static bool spawn_map(struct ctr *c, int pid, struct err *e)
{
	return spawn_map_one(c, pid, true, e) && spawn_map_one(c, pid, false,
							       e);
}

/* Runs in a helper of P's. Opens a user namespace with the maps of m: a
 * process is cloned into that namespace and kept until it is open. An empty
 * map means the container's own user namespace. */
static int spawn_idmap_ns(struct ctr *c, const struct mnt *m, struct err *e)
{
	char path[32];
	int pid, fd = -1;

	if (!*m->uid_map) {
		if (!ns_leaves(&c->plan.ns, CLONE_NEWUSER))
			return fail(e, "idmap without mappings needs a user "
				    "namespace"), -1;
		fd = ns_fd(c->host.proc, c->pid, CLONE_NEWUSER);
		return fd >= 0 ? fd : (sysfail(e, "open the user namespace"),
				       -1);
	}
	pid = io_clone(CLONE_NEWUSER, -1, NULL);
	if (pid == 0) {
		sys_die_with_parent();
		if (fd_keep_only(c->host.proc, 3, NULL, 0, e))
			for (;;)
				poll(NULL, 0, -1);
		_exit(1);
	}
	if (pid < 0) {
		sysfail(e, "make a user namespace for the idmap");
		if (e->num == ENOSPC)
			ns_explain_limit(CLONE_NEWUSER, -1, e);
		return -1;
	}
	text_to(path, sizeof path, "%d/uid_map", pid);
	if (io_put(c->host.proc, path, m->uid_map)) {
		text_to(path, sizeof path, "%d/gid_map", pid);
		if (io_put(c->host.proc, path, m->gid_map))
			fd = ns_fd(c->host.proc, pid, CLONE_NEWUSER);
	}
	if (fd < 0)
		sysfail(e, "write the idmap");
	kill(pid, SIGKILL);
	io_reap(pid);
	return fd;
}

/* Runs in a helper: makes a copy of the host's mounts, cut off from the host
 * as init's mounts are. */
static bool spawn_cut_mounts(struct err *e)
{
	return (unshare(CLONE_NEWNS) == 0 &&
		mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) == 0) ||
	       sysfail(e, "make a mount namespace for the source");
}

/* The helper enters the mounts in which it opens the source. These are init's:
 * there the kernel locks what a user namespace may not change. A directory
 * there is locked together with all mounts below it; to get the directory
 * alone (*apart) the helper opens it in a copy of the host's mounts, cut off
 * from the host as init's mounts are. */
static bool spawn_source_enter(struct ctr *c, const struct mnt *m, bool *apart,
			       struct err *e)
{
	const struct ns_plan *p = &c->plan.ns;
	autofd ns = -1;
	struct stat st;

	*apart = !m->rec && ns_makes(p, CLONE_NEWNS) &&
		 ns_leaves(p, CLONE_NEWUSER) &&
		 stat(m->src, &st) == 0 && S_ISDIR(st.st_mode);
	if (*apart)
		return spawn_cut_mounts(e);
	ns = ns_fd(c->host.proc, c->pid, CLONE_NEWNS);
	return (ns >= 0 && setns(ns, CLONE_NEWNS) == 0) ||
	       sysfail(e, "enter the mount namespace");
}

/* Locks the mount flags of a source that was opened apart; otherwise the
 * container could make writable what is read-only on the host. The kernel
 * locks them in a copy of the mount namespace that belongs to the container's
 * user namespace. The working directory, set to the tree, leads into that
 * copy. */
static bool spawn_source_lock(struct ctr *c, const struct mnt *m, int *tree,
			      struct err *e)
{
	autofd user = ns_fd(c->host.proc, c->pid, CLONE_NEWUSER);
	autofd at = io_open(m->src, O_PATH | O_DIRECTORY);
	bool ok = user >= 0 && at >= 0 && sys_move_mount(*tree, at) == 0 &&
		  sys_fchdir(*tree) == 0 && setns(user, CLONE_NEWUSER) == 0 &&
		  unshare(CLONE_NEWNS) == 0;

	if (ok) {
		fd_close(tree);
		*tree = sys_open_tree(AT_FDCWD, "", K_TREE_CLONE |
				      K_AT_EMPTY_PATH);
	}
	return (ok && *tree >= 0) || sysfail(e, "lock the source %s", m->src);
}

/* The helper that opens a source, with the host's privileges. */
static _Noreturn void spawn_open_main(struct ctr *c, const struct mnt *m)
{
	autofd user = -1, tree = -1;
	struct k_attr a = { K_ATTR_IDMAP, 0, 0, 0 };
	struct err e = { 0, "" };
	bool apart;

	if (m->idmap) {
		user = spawn_idmap_ns(c, m, &e);
		if (user < 0)
			init_die(c->sock, &e);
		a.userns_fd = (uint64_t)user;
	}
	if (!spawn_source_enter(c, m, &apart, &e))
		init_die(c->sock, &e);
	tree = sys_open_tree(AT_FDCWD, m->src, K_TREE_CLONE |
			     (m->rec ? K_AT_RECURSIVE : 0));
	if (tree < 0)
		sysfail(&e, "open the source %s", m->src);
	else if (m->idmap &&
		 sys_mount_setattr(tree, m->idmap == 2 ? K_AT_RECURSIVE : 0,
				   &a) < 0)
		sysfail(&e, "idmap %s (the kernel or its file system may not "
			"support it)", m->src);
	else if (apart && !spawn_source_lock(c, m, &tree, &e))
		init_die(c->sock, &e);
	else if (sync_send(c->sock, MSG_SOURCE, 0, tree))
		_exit(0);
	else
		sysfail(&e, "hand over the source %s", m->src);
	init_die(c->sock, &e);
}

/* Translates an id of the container to the host's id. */
static unsigned spawn_id(const spec_maps *maps, unsigned id)
{
	size_t i;

	for (i = 0; i < maps->n; i++) {
		long long at = id - maps->v[i].inside.v;

		if (at >= 0 && at < maps->v[i].size.v)
			return (unsigned)(maps->v[i].outside.v + at);
	}
	return id;
}

/* A helper like spawn_source_main(). It makes a device node that the host does
 * not have, on a tmpfs that belongs to the host's user namespace: only there
 * the node works as a device. */
static _Noreturn void spawn_node_main(struct ctr *c, const struct dev *d)
{
	const struct spec_linux *l = &c->spec->linux;
	autofd fs = -1, top = -1, tree = -1, at = -1;
	struct err e = { 0, "" };

	umask(0);
	fs = sys_fsopen("tmpfs");
	if (fs >= 0 && sys_fsconfig(fs, K_FSCONFIG_CREATE, NULL, NULL) == 0)
		top = sys_fsmount(fs, 0);
	/* before 6.15 open_tree() clones only what is mounted somewhere */
	if (top >= 0 && spawn_cut_mounts(&e))
		at = io_open("/", O_PATH | O_DIRECTORY);
	if (at >= 0 && sys_move_mount(top, at) == 0 &&
	    mknodat(top, "node", d->mode, d->rdev) == 0 &&
	    fchownat(top, "node", spawn_id(&l->uids, d->uid),
		     spawn_id(&l->gids, d->gid), 0) == 0)
		tree = sys_open_tree(top, "node", K_TREE_CLONE);
	if (tree >= 0 && sync_send(c->sock, MSG_SOURCE, 0, tree))
		_exit(0);
	sysfail(&e, "make the node, which the host does not have");
	init_die(c->sock, &e);
}

/* One of the two helpers: opens the source number index of the mounts, or makes
 * a node that comes after them. */
static _Noreturn void spawn_source_main(struct ctr *c, unsigned index)
{
	const struct mnt_list *m = &c->plan.mounts;
	int keep[2] = { c->sock, c->host.proc };
	struct err e = { 0, "" };

	/* it may enter a user namespace in which others may trace it */
	sys_prctl(PR_SET_DUMPABLE, 0, 0);
	sys_die_with_parent();
	if (!fd_keep_only(c->host.proc, 3, keep, 2, &e))
		init_die(c->sock, &e);
	if (index < m->n)
		spawn_open_main(c, &m->v[index]);
	spawn_node_main(c, &c->plan.devs.v[index - m->n]);
}

static bool spawn_source(struct ctr *c, unsigned index, struct err *e)
{
	int pid;

	if (index >= c->plan.mounts.n + c->plan.devs.n)
		return fail(e, "init asked for mounts[%u]", index);
	pid = io_clone(0, -1, NULL);
	if (pid == 0)
		spawn_source_main(c, index);
	if (pid < 0)
		return sysfail(e, "clone");
	io_reap(pid);
	return true;
}

/* init, or J, ended without a message: finds out why. */
static bool spawn_died(struct ctr *c, struct err *e)
{
	int status;

	if (c->pid <= 0)
		return fail(e, "the first stage died");
	if (!(c->made & MADE_INIT)) {	/* not our child */
		fail(e, "init ended before it executed the program");
		return c->spec && c->spec->linux.resources.memory.limit.set ?
		       hint(e, "is linux.resources.memory.limit too low?") :
		       false;
	}
	kill(c->pid, SIGKILL);	/* so that the wait ends */
	status = io_reap(c->pid);
	c->made &= ~(unsigned)MADE_INIT;
	if (!WIFSIGNALED(status))
		return fail(e, "init ended with status %d before it executed "
			    "the program", WEXITSTATUS(status));
	fail(e, "init was ended by signal %d before it executed the program",
	     WTERMSIG(status));
	return WTERMSIG(status) == SIGKILL && c->plan.cg.limits ?
	       hint(e, "is linux.resources.memory.limit too low?") : false;
}

/* Sends the master of the terminal to the console socket, or shows it to
 * o->console(). */
static bool spawn_give_tty(struct ctr *c, struct err *e)
{
	static const char name[] = "/dev/ptmx";	/* receivers want a name */

	if (c->console < 0) {
		if (c->o->console)
			c->o->console(c->o->data, c->tty);
		return true;
	}
	if (!io_send(c->console, name, sizeof name - 1, c->tty))
		return sysfail(e, "--console-socket: send the terminal");
	fd_close(&c->tty);
	fd_close(&c->console);
	return true;
}

/* A clone failed. If a pids cgroup is full, explains which: the container's or
 * P's. */
static bool spawn_is_full(struct ctr *c, struct err *e)
{
	const struct cg_host *h = &c->host.cg;
	int i = e->num == EAGAIN ? cg_find(h, "pids") : -1;
	const struct cg_dir *d = i < 0 ? NULL : &c->plan.cg.d[i];
	char own[PATH_MAX];

	return d && ((d->ours && d->h == &h->h[i] &&
		      cg_explain_clone(d->h->mount, d->path, e)) ||
		     (text_to(own, sizeof own, "%s%s", h->h[i].mount,
			      h->h[i].own) &&
		      cg_explain_clone(h->h[i].mount, own, e)));
}

static bool spawn_clone_failed(struct ctr *c, struct err *e)
{
	if (e->num != EAGAIN)
		return ns_explain(&c->plan.ns, c->host.proc, e);
	if (c->exec)
		cg_discover(&c->host.cg, c->host.proc, &c->mem);
	return !spawn_is_full(c, e) &&
	       hint(e, "too many processes: see ulimit -u and the sysctls "
		    "kernel.threads-max and kernel.pid_max");
}

/* Serves a request of init; *fd is the file descriptor that came with it. A
 * message that is not a request is left to the caller: *served is false. Once
 * init is READY, programs of the image may have its socket, so P refuses each
 * request. */
static bool spawn_serve(struct ctr *c, const struct msg *m, int *fd,
			bool *served, struct err *e)
{
	bool asks = m->kind >= MSG_MAP && m->kind <= MSG_TTY &&
		    m->kind != MSG_GO;

	c->arranged |= m->kind == MSG_READY;
	if (asks && (c->arranged || (c->exec && m->kind != MSG_TTY)))
		return fail(e, "init sent a request that is not allowed");
	*served = true;
	switch (m->kind) {
	case MSG_SOURCE:
		return spawn_source(c, m->index, e);
	case MSG_LEAVE:
		return cg_leave(&c->plan.cg, c->pid, e);
	case MSG_CHARGE:
		return cg_join(&c->plan.cg, c->pid, true, e) &&
		       (sync_send(c->sock, MSG_CHARGE, 0, -1) ||
			sysfail(e, "let init copy"));
	case MSG_MAP:
		return spawn_map(c, c->pid, e) && sync_go(c->sock, e);
	case MSG_TTY:
		c->tty = fd_take(fd);
		return spawn_give_tty(c, e);
	}
	*served = false;
	return true;
}

/* Receives the next message; *kind is what sync_recv() returns. The caller can
 * cancel until EXEC has come (exec); after that, signals are for the
 * process. */
static bool spawn_next(struct ctr *c, bool exec, struct msg *m, int *fd,
		       int *kind, struct err *e)
{
	struct pollfd p[] = { { c->sock, POLLIN, 0 },
			      { io_cancel(c->o), POLLIN, 0 } };

	while (poll(p, exec ? 1 : 2, -1) < 0)
		if (errno != EINTR)
			return sysfail(e, "wait for init");
	if (p[1].revents && !p[0].revents && !exec)
		return fail(e, "interrupted");
	fd_close(fd);
	*kind = sync_recv(c->sock, m, fd);
	return true;
}

/* Reads messages and serves them until one of the kind want comes. While P
 * waits for J's HELLO, an ERR does not end the wait: init may exist
 * nevertheless, and the HELLO with its pid comes next. */
static bool spawn_wait(struct ctr *c, enum msg_kind want, struct err *e)
{
	bool exec = false, failed = false, served = false;
	autofd fd = -1;
	struct msg m;
	int kind = 0;

	while (spawn_next(c, exec, &m, &fd, &kind, e)) {
		if (kind == 0)
			return (want == MSG_END && exec) ||
			       (!failed && spawn_died(c, e));
		if (kind == -1 || kind == MSG_ERR) {
			if (kind == MSG_ERR)
				*e = m.err;
			else
				sysfail(e, "receive from init");
			if (want != MSG_HELLO && kind == MSG_ERR)
				spawn_is_full(c, e);
			if (want != MSG_HELLO || (kind == -1 && failed))
				return false;
			failed = true;
			continue;
		}
		if (!spawn_serve(c, &m, &fd, &served, e))
			return false;
		exec |= kind == MSG_EXEC;
		if (served || kind != (int)want)
			continue;
		if (kind == MSG_HELLO) {
			io_reap(c->pid);		/* J */
			c->pid = (int)m.index;
		}
		return !failed;
	}
	return false;
}

/* P raises init's hard limits to those of the config that are above P's own:
 * in a user namespace init lacks the privilege to do so. */
static void spawn_raise_limits(const struct ctr *c)
{
	const struct proc_plan *p = &c->plan.proc;
	struct k_rlimit now;
	size_t i;

	for (i = 0; i < p->nrlimits; i++)
		if (sys_prlimit(c->pid, p->rlimits[i].what, NULL, &now) == 0 &&
		    now.hard < p->rlimits[i].limit.hard) {
			now.hard = p->rlimits[i].limit.hard;
			sys_prlimit(c->pid, p->rlimits[i].what, &now, NULL);
		}
}

static bool spawn_oom_score(struct ctr *c, struct err *e)
{
	const struct opt *adj = &c->plan.proc.oom_score_adj;
	char path[32], value[16], now[16] = "";

	if (!adj->set)
		return true;
	text_to(path, sizeof path, "%d/oom_score_adj", c->pid);
	text_to(value, sizeof value, "%lld", adj->v);
	if (io_put(c->host.proc, path, value))
		return true;
	if (errno == EACCES && c->plan.rootless) {
		/* J was non-dumpable, so P may not write the file; J has set
		 * the value itself, see stage_hide() */
		io_get(c->host.proc, path, now, sizeof now);
		str_line(now);
		if (str_eq(now, value))
			return true;
		log_note(c->o, NSRUN_WARNING, "process.oomScoreAdj: a user "
			 "may not lower it");
		return true;
	}
	return sysfail(e, "process.oomScoreAdj: set %s", value);
}

/* Can init be cloned into its cgroup? Only into a v2 directory that P makes:
 * if a directory was ever killed by cgroup.kill, the kernel kills a process
 * that is cloned into it. */
static bool spawn_into(const struct plan *p)
{
	const struct cg_dir *d = &p->cg.d[0];

	return !p->ns.stage && p->cg.n == 1 && d->h->v2 && !d->late &&
	       d->keep < strlen(d->path);
}

/* Makes the cgroups. From now on the state lists those that exist and that are
 * to be joined and removed (ours). */
static bool spawn_cgroups(struct ctr *c, struct err *e)
{
	bool ok = cg_make(&c->plan.cg, c->o, e);
	struct state *s = &c->state;
	size_t i;

	for (i = 0; i < c->plan.cg.n; i++) {
		const struct cg_dir *d = &c->plan.cg.d[i];

		if (!d->ours)
			continue;
		s->cgroups.v[s->cgroups.n++] = (struct state_cgroup){
			d->path, { (long long)d->keep, true } };
		if (!cg_has(d->h->ctrls, "freezer") &&
		    (!d->h->v2 || s->freezer))
			continue;
		s->freezer = mem_text(&c->mem, "%s/%s", d->path, d->h->v2 ?
				      "cgroup.freeze" : "freezer.state");
		if (!s->freezer)
			return ok && no_memory(e);
	}
	return ok;
}

/* Writes the limits of the cgroups, then moves init into them. Not in the
 * other order: init must not run under a half-written device policy. */
static bool spawn_join(struct ctr *c, bool all, struct err *e)
{
	const struct cg_plan *p = &c->plan.cg;

	return cg_limit(p, c->o, e) && cg_join(p, c->pid, false, e) &&
	       (!all || cg_join(p, c->pid, true, e));
}

/* Makes the cgroups while init mounts. The root of a cgroup namespace is the
 * cgroup of the process that makes the namespace. So if init makes one, it
 * must be in all its cgroups before the GO; otherwise only the directories
 * must exist before the GO. */
static bool spawn_place(struct ctr *c, bool made, bool placed, struct err *e)
{
	bool all = ns_makes(&c->plan.ns, K_NEWCGROUP);

	if (placed)
		return sync_go(c->sock, e);
	if (!made && !spawn_cgroups(c, e))
		return false;
	return all ? spawn_join(c, true, e) && sync_go(c->sock, e) :
		     sync_go(c->sock, e) && spawn_join(c, false, e);
}

/* Keeps the network namespace until the host's devices are back; otherwise it
 * would end and take the devices with it. P keeps it by a file descriptor, and
 * a later nsrun (delete, or a takeover) finds it by a mount. */
static bool spawn_keep_net(struct ctr *c, struct err *e)
{
	char from[40], to[PATH_MAX];
	autofd file = -1;

	c->netns = ns_fd(c->host.proc, c->pid, CLONE_NEWNET);
	if (c->netns < 0)
		return sysfail(e, "open the network namespace of init");
	if (c->state_dir < 0)
		return true;
	text_to(from, sizeof from, "/proc/self/fd/%d", c->netns);
	file = openat(c->state_dir, "netns", O_WRONLY | O_CREAT | O_CLOEXEC,
		      0600);
	return (file >= 0 && text_to(to, sizeof to, "%s/netns", c->dir) &&
		mount(from, to, NULL, MS_BIND, NULL) == 0) ||
	       sysfail(e, "keep the network namespace at %s/netns", c->dir);
}

static bool spawn_net(struct ctr *c, struct err *e)
{
	if (c->state.devices.n && !spawn_keep_net(c, e))
		return wrap(e, "networks");
	c->made |= MADE_NET | MADE_FORWARD;
	return net_make(&c->plan.net, c->o->id, c->pid, c->host.proc,
			c->state_root, c->o, e) ||
	       (e->num == EPERM && hint(e, "networks need CAP_NET_ADMIN "
					"on the host, as root has it"));
}

/* Clones init and does P's part up to the first GO. */
static bool spawn_init(struct ctr *c, struct err *e)
{
	struct ns_plan *p = &c->plan.ns;
	unsigned flags = ns_clone_flags(p);
	int pair[2];
	bool into = spawn_into(&c->plan), placed;
	autofd group = -1;
	bool mapped = p->stage && ns_makes(p, K_NEWTIME);

	/* the size of a terminal is set before the process can ask for it */
	c->hold = cg_is_late(&c->plan.cg) || c->plan.rdt.group ||
		  c->plan.net.n ||
		  c->plan.proc.terminal || c->o->starting ||
		  c->mode != MODE_RUN || c->exec;
	if (!c->exec) {
		c->made |= MADE_CGROUP;
		c->state.cgroups.n = 0;
	}
	if (into && (!spawn_cgroups(c, e) ||
		     !cg_limit(&c->plan.cg, c->o, e)))
		return false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return sysfail(e, "make a socket pair");
	c->sock = pair[0];
	c->peer = pair[1];
	if (into)
		group = io_open(c->plan.cg.d[0].path, O_PATH | O_DIRECTORY);
	c->pid = io_clone(p->stage ? 0 : flags, group, &c->pidfd);
	placed = group >= 0 && c->pid >= 0;
	if (c->pid < 0 && into)		/* before 5.7, or seccomp */
		c->pid = io_clone(flags, -1, &c->pidfd);
	if (c->pid == 0) {
		if (p->stage)
			stage_main(c);
		init_main(c);
	}
	if (c->pid < 0) {
		sysfail(e, "make the namespaces");
		return spawn_clone_failed(c, e);
	}
	c->made |= MADE_INIT | (c->exec ? 0 : MADE_POSTSTOP);
	fd_close(&c->peer);
	fd_close(&c->start);
	if (p->stage) {
		if (!spawn_wait(c, MSG_HELLO, e))
			return spawn_clone_failed(c, e);
		fd_close(&c->pidfd);
		c->pidfd = sys_pidfd_open(c->pid);
	}
	if (ns_makes(p, CLONE_NEWUSER) && !mapped && !spawn_map(c, c->pid, e))
		return false;
	if (ns_leaves(p, CLONE_NEWUSER))
		spawn_raise_limits(c);
	return spawn_oom_score(c, e) && (c->exec || spawn_net(c, e)) &&
	       (c->exec ? sync_go(c->sock, e) :
			  spawn_place(c, into, placed, e));
}

/* If init has failed already, its error is the cause, and replaces P's. */
static bool spawn_blame(struct ctr *c, struct err *e)
{
	struct pollfd p = { c->sock, POLLIN, 0 };
	struct msg m;
	int fd, kind;

	while (c->made & MADE_INIT && c->sock >= 0 && poll(&p, 1, 0) > 0 &&
	       (kind = sync_recv(c->sock, &m, &fd)) > 0) {
		fd_close(&fd);
		if (kind == MSG_ERR)
			*e = m.err;
	}
	return false;
}

/* How P runs hooks. Those before the pivot can be cancelled. */
static struct hook_how spawn_hooks(const struct ctr *c, const char *status)
{
	bool before = str_eq(status, "creating");

	return (struct hook_how){ c->plan.hooks, &c->state, status, c->pid,
		environ, c->plan.bundle, before ? io_cancel(c->o) : -1,
		c->host.proc };
}

/* From init's setup to the point where it waits only for its last GO. */
static bool spawn_ready(struct ctr *c, struct err *e)
{
	struct hook_how how = spawn_hooks(c, "creating");

	if (!c->exec && ctr_is_hooked(c) &&
	    !(spawn_wait(c, MSG_MOUNTED, e) &&
	      hook_all(&how, HOOK_PRESTART, e) &&
	      hook_all(&how, HOOK_CREATE_RUNTIME, e) &&
	      (sync_send(c->sock, MSG_HOOKED, 0, -1) ||
	       sysfail(e, "let init go on"))))
		return false;
	if (!c->hold)
		return true;
	if (!spawn_wait(c, MSG_READY, e))
		return false;
	net_settle(&c->plan.net);
	/* the memory cgroup comes last, the setup is not charged to it */
	return (c->exec ? cg_join_init(&c->plan.cg, c->pid, c->host.proc,
				       (int)c->state.pid.v, e) :
			  cg_join(&c->plan.cg, c->pid, true, e) &&
			  rdt_make(&c->plan.rdt, e)) &&
	       rdt_join(&c->plan.rdt, c->pid, e);
}

/* Gives init the last GO and waits for its execve. */
static bool spawn_start(struct ctr *c, struct err *e)
{
	if (c->o->starting)
		c->o->starting(c->o->data);
	return sync_go(c->sock, e) && spawn_wait(c, MSG_END, e);
}

/* A child enters the container's network namespace and sends the interfaces
 * that it finds there. */
static _Noreturn void spawn_links_main(struct ctr *c, int sock)
{
	int ns = ns_fd(c->host.proc, c->pid, CLONE_NEWNET);
	struct net_tell t;
	struct err e;
	size_t i;

	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0 || !net_list(&t, &e))
		_exit(1);
	for (i = 0; i < t.n; i++)
		if (!io_send(sock, &t.v[i], sizeof t.v[i], -1))
			_exit(1);
	_exit(0);
}

/* Fills v with the container's interfaces and returns their number: 0 if the
 * container has no networks, or has ended. */
static size_t spawn_links(struct ctr *c, struct nsrun_link *v)
{
	int pair[2], pid, fd;
	size_t n = 0;

	if (!c->state.networks ||
	    !state_has_init(&c->state, c->host.proc) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return 0;
	pid = io_clone(0, -1, NULL);
	if (pid == 0)
		spawn_links_main(c, pair[1]);
	fd_close(&pair[1]);
	while (pid > 0 && n < NSRUN_LINKS_MAX &&
	       io_recv(pair[0], &v[n], sizeof v[n], &fd) == sizeof v[n])
		n++;
	fd_close(&pair[0]);
	if (pid > 0)
		io_reap(pid);
	return n;
}

/* ===== WATCH =============================================================
 *
 * The foreground: the command line's nsrun_options.attend. One poll loop
 * forwards signals to the process, and bytes between the terminals. It never
 * writes more than a pipe takes at once (PIPE_BUF), and only when poll()
 * reports room, so that a reader that does not read blocks nothing else. A
 * terminal for which poll() reports room may have room for one byte only, so
 * writes to terminals are non-blocking.
 */

struct relay {			/* one direction */
	int		from, to;
	size_t		at, len;
	char		buf[4096];	/* at most PIPE_BUF */
};

struct watch {
	int		signals;	/* signalfd */
	int		tty;		/* our fd that is a terminal, or -1 */
	struct termios	saved;
};

/* SIGWINCH is for the terminal; the other three concern only nsrun. */
static bool watch_forwards(int sig)
{
	return sig != SIGCHLD && sig != SIGPIPE && sig != SIGURG &&
	       sig != SIGWINCH;
}

static void watch_kill(const struct nsrun_process *p, int sig)
{
	if (p->pidfd >= 0)
		sys_pidfd_send_signal(p->pidfd, sig);
	else if (p->pid > 0)	/* our child, not reaped: no reuse of pid */
		kill(p->pid, sig);
}

static void watch_resize(const struct watch *w, int master)
{
	struct winsize size;

	if (w->tty >= 0 && ioctl(w->tty, TIOCGWINSZ, &size) == 0)
		ioctl(master, TIOCSWINSZ, &size);
}

static void watch_raw(struct watch *w)
{
	struct termios raw;
	int fd;

	w->tty = -1;
	for (fd = 0; fd < 3 && w->tty < 0; fd++)
		if (tcgetattr(fd, &w->saved) == 0)
			w->tty = fd;
	if (w->tty < 0)
		return;
	raw = w->saved;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST;	/* the pty leaves \\n to this terminal */
	tcsetattr(w->tty, TCSANOW, &raw);
}

/* Reads or writes, as poll() reported. False at the end or on an error. */
static bool relay_step(struct relay *r, bool can_read, bool can_write)
{
	ssize_t n;

	if (r->len && can_write) {
		n = write(r->to, r->buf + r->at, r->len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		r->at += n > 0 ? (size_t)n : 0;
		r->len -= n > 0 ? (size_t)n : 0;
	} else if (!r->len && can_read) {
		n = read(r->from, r->buf, sizeof r->buf);
		if (n <= 0)
			return n < 0 && (errno == EINTR || errno == EAGAIN);
		r->at = 0;
		r->len = (size_t)n;
	}
	return true;
}

/* Sends the end of the input as a terminal does: ^D. After an incomplete line
 * the first ^D only delivers that line, so a second one follows. */
static void relay_end(struct relay *r)
{
	r->len = r->at && r->buf[r->at - 1] != '\n' ? 2 : 1;
	r->at = 0;
	r->buf[0] = r->buf[1] = 4;
}

/* Copies all that the pty still holds. Gives up if the reader takes nothing
 * for one second. */
static void relay_drain(struct relay *r)
{
	struct pollfd to = { r->to, POLLOUT, 0 };

	do {
		while (r->len)
			if (poll(&to, 1, 1000) <= 0 ||
			    !relay_step(r, false, true))
				return;
	} while (relay_step(r, true, false) && r->len);
}

/* The next pending signal, or 0. */
static int watch_signal(int signals)
{
	struct signalfd_siginfo s;

	return read(signals, &s, sizeof s) == sizeof s ? (int)s.ssi_signo : 0;
}

static bool watch_ended(const struct nsrun_process *p)
{
	siginfo_t i = { 0 };

	return waitid(P_PID, (id_t)p->pid, &i, WEXITED | WNOWAIT | WNOHANG) ==
	       0 && i.si_pid == p->pid;
}

/* Closes the master, but keeps its fd number in use, for /dev/null. */
static void watch_hang_up(int master)
{
	autofd null = io_open("/dev/null", O_RDWR);

	if (null >= 0)
		dup2(null, master);
}

/* Opens our stdout again, for non-blocking writes, if it is a terminal. It is
 * not made non-blocking itself, because other processes share that open file.
 * -1: stdout is used as it is. */
static int watch_stdout(void)
{
	return isatty(1) ? io_open("/proc/self/fd/1", O_WRONLY | O_NOCTTY |
				   O_NONBLOCK) : -1;
}

static void watch_loop(struct watch *w, const struct nsrun_process *p)
{
	bool more_in = p->terminal >= 0, more_out = more_in;
	autofd own = more_out ? watch_stdout() : -1;
	struct relay in = { 0, p->terminal, 0, 0, "" };
	struct relay out = { p->terminal, own < 0 ? 1 : own, 0, 0, "" };

	if (more_in)
		sys_fcntl(p->terminal, F_SETFL, O_NONBLOCK | O_RDWR);
	for (;;) {
		struct pollfd f[] = {
			{ w->signals, POLLIN, 0 },
			{ p->pidfd, POLLIN, 0 },
			{ more_in && !in.len ? 0 : -1, POLLIN, 0 },
			{ in.len ? p->terminal : -1, POLLOUT, 0 },
			{ more_out && !out.len ? p->terminal : -1, POLLIN, 0 },
			{ out.len ? out.to : -1, POLLOUT, 0 },
		};
		int sig;

		if (poll(f, COUNT(f), -1) < 0)
			continue;
		while (f[0].revents && (sig = watch_signal(w->signals))) {
			if (sig == SIGWINCH && p->terminal >= 0)
				watch_resize(w, p->terminal);
			else if (watch_forwards(sig))
				watch_kill(p, sig);
			else if (sig == SIGCHLD && p->pidfd < 0 &&
				 watch_ended(p))
				f[1].revents = POLLIN;
		}
		if (f[1].revents)
			break;
		if ((f[2].revents || f[3].revents) &&
		    !relay_step(&in, f[2].revents, f[3].revents)) {
			more_in = false;
			in.len = 0;
			if (f[2].revents)
				relay_end(&in);
		}
		if ((f[4].revents || f[5].revents) &&
		    !relay_step(&out, f[4].revents, f[5].revents)) {
			more_out = false;
			if (f[5].revents) {	/* nobody reads: a hang-up */
				more_in = false;
				in.len = out.len = 0;
				watch_hang_up(p->terminal);
			}
		}
	}
	if (more_out)
		relay_drain(&out);
}

/* Called before the process sees its terminal. Our own terminal becomes raw,
 * but still turns \n into \r\n, so the pty must not do so too. A pty that goes
 * to a console socket keeps its modes, as with runc: its reader expects those
 * of a new pty. */
static void watch_console(struct watch *w, int master)
{
	struct termios t;

	if (tcgetattr(master, &t) == 0) {
		t.c_oflag &= ~(tcflag_t)ONLCR;
		tcsetattr(master, TCSANOW, &t);
	}
	watch_raw(w);
	watch_resize(w, master);
}

static void watch_restore(struct watch *w)
{
	if (w->tty >= 0)
		tcsetattr(w->tty, TCSANOW, &w->saved);
}

/* ===== NOTIFY ============================================================
 *
 * sd_notify(3): with o->notify_socket the container gets its own socket at
 * /run/notify, because systemd ignores a message from a process that it does
 * not know. When the process runs, nsrun waits for a message on that socket,
 * and passes READY on to systemd with the pid of the process on the host.
 */

static bool notify_add(struct ctr *c, struct err *e)
{
	/* a read-only mount does not prevent sending to a socket in it */
	static const char *const options[] = { "bind", "ro", "nosuid", "nodev",
					       "noexec" };
	char *env[] = { (char *)"NOTIFY_SOCKET=/run/notify/notify.sock", NULL };
	struct spec *s = c->spec;
	char root[PATH_MAX];
	struct spec_mount *m;

	if (!c->o->notify_socket)
		return true;
	m = mem_new(&c->mem, (s->mounts.n + 1) * sizeof *m);
	if (!m || !state_root(c->o, root, e))
		return m ? false : no_memory(e);
	if (s->mounts.n)
		memcpy(m, s->mounts.v, s->mounts.n * sizeof *m);
	s->mounts.v = m;
	m += s->mounts.n++;
	m->destination = "/run/notify";
	m->source = mem_text(&c->mem, "%s/%s/notify", root, c->o->id);
	m->options.v = (char **)options;
	m->options.n = COUNT(options);
	return (m->source && strs_add(&c->mem, &s->process->env, env)) ||
	       no_memory(e);
}

/* Makes the socket in the call that will read from it: run or start, not
 * create. */
static bool notify_open(struct ctr *c, struct err *e)
{
	if (!c->o->notify_socket)
		return true;
	unlinkat(c->state_dir, "notify/notify.sock", 0);
	c->notify = ctr_socket(c, "notify/notify.sock", SOCK_DGRAM, 0777);
	return c->notify >= 0 || sysfail(e, "make the notify socket");
}

/* Reads until the process is READY, or has ended. False: an error, or the
 * caller cancelled. */
static bool notify_relay(struct ctr *c, struct err *e)
{
	struct pollfd p[] = { { c->notify, POLLIN, 0 },
			      { c->pidfd, POLLIN, 0 },
			      { io_cancel(c->o), POLLIN, 0 } };
	autofd to = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char buf[4096];
	ssize_t n;

	for (;;) {
		if (poll(p, 3, c->pidfd < 0 ? 1000 : -1) < 0 && errno != EINTR)
			return sysfail(e, "wait for READY");
		if (p[0].revents) {
			n = recv(c->notify, buf, sizeof buf - 1, MSG_DONTWAIT);
			buf[n > 0 ? n : 0] = 0;
			if (str_find(buf, "READY=1"))
				break;
		} else if (p[1].revents || kill(c->pid, 0) < 0) {
			return true;
		} else if (p[2].revents) {
			return fail(e, "interrupted before the process was "
				    "READY");
		}
	}
	text_to(buf, sizeof buf, "READY=1\nMAINPID=%d\n", c->pid);
	if (!io_socket(to, c->o->notify_socket, false))
		log_note(c->o, NSRUN_WARNING, "connect to NOTIFY_SOCKET %s "
			 "failed", c->o->notify_socket);
	else if (io_await(to, POLLOUT, p[2].fd))
		send(to, buf, strlen(buf), MSG_DONTWAIT | MSG_NOSIGNAL);
	return true;
}

/* Waits for READY; in the foreground a child waits, and dies with P. */
static bool notify_serve(struct ctr *c, struct err *e)
{
	if (c->notify < 0)
		return true;
	if (c->mode != MODE_RUN)
		return notify_relay(c, e);
	c->relay = io_clone(0, -1, NULL);
	if (c->relay != 0)
		return true;
	sys_die_with_parent();
	notify_relay(c, e);
	_exit(0);
}

/* ===== VERBS =============================================================
 *
 * The public interface. Each verb loads, plans and acts, and leaves through
 * verb_end(), which undoes what was made if it failed.
 */

/* ----- VERBS: begin, load, end ------------------------------------------- */

static void verb_begin(struct ctr *c, const struct nsrun_options *o,
		       struct nsrun_error *out)
{
	memset(c, 0, sizeof *c);
	memset(c->fds, -1, sizeof c->fds);
	c->host.proc = -1;
	c->o = o;
	c->out = out;
	out->errnum = 0;
	out->text[0] = 0;
}

static void verb_close(struct ctr *c)
{
	size_t i;

	fd_close(&c->host.proc);
	for (i = 0; i < COUNT(c->fds); i++)
		fd_close(&c->fds[i]);
}

static int verb_end(struct ctr *c, bool ok, const char *what)
{
	struct err *e = &c->err;

	verb_close(c);
	mem_free(&c->mem);
	if (ok)
		return 0;
	if (c->o->id)
		wrap(e, "cannot %s '%.*s'", what, ID_MAX, c->o->id);
	else
		wrap(e, "cannot %s", what);
	c->out->errnum = e->num;
	text_to(c->out->text, sizeof c->out->text, "%s", e->text);
	return -1;
}

/* Opens /proc, if it is really a procfs; otherwise makes a procfs mount of our
 * own that nobody else sees. */
static int host_proc(void)
{
	autofd fd = io_open("/proc", O_PATH | O_DIRECTORY), fs = -1;
	struct statfs s;
	struct stat st;

	if (fd >= 0 && fstatfs(fd, &s) == 0 && fstat(fd, &st) == 0 &&
	    (unsigned)s.f_type == K_MAGIC_PROC && st.st_ino == 1)
		return fd_take(&fd);
	fs = sys_fsopen("proc");
	if (fs < 0 || sys_fsconfig(fs, K_FSCONFIG_CREATE, NULL, NULL) < 0)
		return -1;
	return sys_fsmount(fs, 0);
}

static bool host_gather(struct host *h, bool cgroups, struct arena *mem,
			struct err *e)
{
	struct k_capset set[2];
	struct stat st;

	h->euid = geteuid();
	h->egid = getegid();
	h->cap_last = 36;
	while (sys_prctl(PR_CAPBSET_READ, h->cap_last + 1, 0) >= 0)
		h->cap_last++;
	if (sys_capget(set) < 0)
		return sysfail(e, "capget");
	h->caps = set[0].permitted | (uint64_t)set[1].permitted << 32;
	if (h->proc < 0)
		h->proc = host_proc();
	if (h->proc < 0)
		return fail(e, "there is no proc file system on /proc: mount "
			    "one");
	h->user_ns = fstatat(h->proc, "self/ns/user", &st, 0) == 0 &&
		     (int)st.st_ino != K_USER_NS_FIRST;
	return !cgroups || cg_discover(&h->cg, h->proc, mem) ||
	       sysfail(e, "find the cgroups of this machine");
}

/* Loads a file that the caller names. A FIFO may have no writer yet: then the
 * read waits, which the caller can cancel, and not the open. */
static char *verb_load_file(struct ctr *c, int dir, const char *path,
			    size_t *len, struct err *e)
{
	autofd fd = openat(dir, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC |
			   O_NOCTTY);

	return io_load_fd(&c->mem, fd, path, CONFIG_MAX, len, io_cancel(c->o),
			  e);
}

/* Load and plan: nothing on the host is touched. */
static bool verb_load(struct ctr *c, bool keep, struct err *e)
{
	const char *name = c->o->bundle ? c->o->bundle : ".";
	autofd dir = -1;
	char *bundle, *text, path[32];
	size_t len;
	ssize_t n;

	bundle = mem_new(&c->mem, PATH_MAX);
	if (!bundle)
		return no_memory(e);
	if (!host_gather(&c->host, !(c->o->flags & NSRUN_NO_CGROUPS), &c->mem,
			 e))
		return false;
	cg_try(&c->host.cg);
	dir = io_open(name, O_RDONLY | O_DIRECTORY);
	text_to(path, sizeof path, "self/fd/%d", dir);
	n = dir < 0 ? -1 : readlinkat(c->host.proc, path, bundle, PATH_MAX - 1);
	if (n < 0)
		return sysfail(e, "open the bundle %s", name);
	text = c->o->config ?
	       verb_load_file(c, AT_FDCWD, c->o->config, &len, e) :
	       verb_load_file(c, dir, "config.json", &len, e);
	if (!text)
		return wrap(e, "bundle %s", bundle);
	if (keep) {		/* the parser overwrites text */
		c->config = mem_new(&c->mem, len);
		c->config_len = len;
		if (!c->config)
			return no_memory(e);
		memcpy((char *)c->config, text, len);
	}
	c->spec = spec_parse(&c->mem, c->o, text, len, e);
	return c->spec && (!keep || notify_add(c, e)) &&
	       plan_make(&c->plan, &c->host, c->o, c->spec, bundle, &c->mem,
			 e);
}

/* Loads the config from which the container was made. */
static bool verb_load_kept(struct ctr *c, struct err *e)
{
	size_t len;
	char *text = io_load(&c->mem, c->state_dir, "config.json", CONFIG_MAX,
			     &len, e);

	c->spec = text ? spec_parse(&c->mem, c->o, text, len, e) : NULL;
	if (!c->spec)
		return wrap(e, "the config of the container");
	c->plan.hooks = c->spec->hooks;
	c->plan.bundle = c->state.bundle;
	return true;
}

/* ----- VERBS: processes and freezer -------------------------------------- */

/* cgroup v1 takes the words FROZEN and THAWED, v2 the digits 1 and 0. */
static bool verb_put_freezer(const struct ctr *c, bool stop)
{
	const char *file = c->state.freezer;

	return io_put(AT_FDCWD, file, str_find(file, ".state") ?
		      stop ? "FROZEN" : "THAWED" : stop ? "1" : "0");
}

/* Has the freezer reached the wanted state? v1 must be written again if a
 * process forked while the freezer was at work. */
static bool verb_is_frozen(const struct ctr *c, bool want)
{
	const char *file = c->state.freezer;
	size_t dir = (size_t)(strrchr(file, '/') - file);
	char path[PATH_MAX], buf[128];

	if (str_find(file, ".state")) {
		verb_put_freezer(c, want);
		return io_get(AT_FDCWD, file, buf, sizeof buf) > 0 &&
		       str_after(buf, want ? "FROZEN" : "THAWED");
	}
	return text_to(path, sizeof path, "%.*s/cgroup.events", (int)dir,
		       file) &&
	       io_get(AT_FDCWD, path, buf, sizeof buf) > 0 &&
	       str_find(buf, want ? "frozen 1" : "frozen 0");
}

/* Waits for the wanted state, at most ms milliseconds. */
static bool verb_await_freezer(const struct ctr *c, bool want, int ms)
{
	for (; !verb_is_frozen(c, want); ms -= 5) {
		if (ms <= 0)
			return false;
		poll(NULL, 0, 5);
	}
	return true;
}

/* Calls each for all processes of the container. They are read from the first
 * of its cgroups that exists: they are in all of them. */
static bool verb_each(const struct ctr *c, void (*each)(void *, int pid),
		      void *data, struct err *e)
{
	size_t i;

	for (i = 0; i < c->state.cgroups.n; i++) {
		const char *path = c->state.cgroups.v[i].path;
		autofd dir = io_open(path, O_RDONLY | O_DIRECTORY);

		if (dir < 0 && errno == ENOENT)
			continue;
		errno = dir < 0 ? errno : cg_each(dir, false, each, data);
		return !errno || sysfail(e, "read the processes of %s", path);
	}
	return true;
}

/* Signals all processes of the container. No process escapes SIGKILL by a
 * fork: the kernel kills a v2 cgroup as a whole (cgroup.kill); elsewhere the
 * cgroup is frozen first, and a frozen process does not fork. Other signals
 * leave the freezer as it is. */
static bool verb_signal_all(struct ctr *c, int sig, struct err *e)
{
	const char *freezer = sig == SIGKILL ? c->state.freezer : NULL;
	size_t i;
	bool ok;

	for (i = 0; sig == SIGKILL && i < c->state.cgroups.n; i++)
		if (io_put_in(c->state.cgroups.v[i].path, "cgroup.kill", "1"))
			return true;
	if (freezer && verb_put_freezer(c, true))
		verb_await_freezer(c, true, 1000);
	ok = verb_each(c, cg_signal, &sig, e);
	if (freezer && !verb_put_freezer(c, false))	/* else none arrives */
		return sysfail(e, "write %s", freezer);
	return ok;
}

/* Can a process of the container exist when init does not? Not if the
 * container has its own pid namespace: then the processes that are found in
 * its cgroups are not the container's. */
static bool verb_leaves_some(const struct ctr *c)
{
	const struct spec_ns *ns = c->spec ?
				   spec_find_ns(c->spec, CLONE_NEWPID) : NULL;

	return c->spec && (!ns || (ns->path && *ns->path));
}

/* ----- VERBS: undo ------------------------------------------------------- */

static bool verb_drop_groups(struct ctr *c, struct err *e)
{
	size_t i = c->state.cgroups.n;
	int tries = 0, sig = verb_leaves_some(c) ? SIGKILL : 0;
	bool ok = true;

	if (sig)
		verb_signal_all(c, sig, e);
	while (i--) {
		const struct state_cgroup *g = &c->state.cgroups.v[i];
		size_t keep = (size_t)g->keep.v;

		if (*g->path != '/' || keep >= strlen(g->path) ||
		    cg_drop_path(g->path, keep, sig, &tries))
			continue;
		ok = sysfail(e, "remove %s", g->path);
		if (e->num == EBUSY)
			hint(e, "processes in it do not end");
	}
	c->state.cgroups.n = 0;
	return ok;
}

/* Moves the host's devices out of the network namespace, which may end after
 * that. */
static void verb_return_devices(struct ctr *c)
{
	char path[PATH_MAX];

	if (c->netns < 0)
		c->netns = openat(c->state_dir, "netns", O_RDONLY | O_CLOEXEC);
	net_return(c->state.devices.v, c->state.devices.n, c->netns, c->o);
	fd_close(&c->netns);
	if (c->state_dir >= 0 &&
	    text_to(path, sizeof path, "%s/netns", c->dir))
		umount2(path, K_MNT_DETACH);
}

static void verb_undo_net(struct ctr *c)
{
	struct err e;
	int tries;

	if (c->state.devices.n)
		verb_return_devices(c);
	if (!c->spec || !c->spec->networks.n)
		return;
	for (tries = 0; tries < 2; tries++)
		if (net_drop(c->spec, &c->plan.net, c->o->id, c->state_root,
			     c->host.proc, &e))
			return;
	log_note(c->o, NSRUN_WARNING, "networks: %s", e.text);
}

/* The mark of files that are made in the root for dns; 0: there is none. It
 * stands for the state root. Without a state directory no other nsrun could
 * find this container in the state root, so the mark is made from this process
 * alone. */
static unsigned verb_mark(const struct ctr *c)
{
	const long long us[2] = { c->state.runner.v, c->state.runner_start.v };
	unsigned hash = str_hash((const char *)us, sizeof us);

	if (c->state_dir >= 0 && !net_hash_root(c->state_root, &hash))
		return 0;
	return hash >> 1 | 1;
}

/* The state of a container of the same root. NULL without an error text: it is
 * not made yet, or is being deleted. */
static struct state *verb_load_other(struct ctr *c, const char *id,
				     struct err *e)
{
	autofd dir = openat(c->state_root, id, O_RDONLY | O_DIRECTORY |
			    O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0 && errno != ENOENT && errno != ENOTDIR)
		sysfail(e, "open its directory");
	return dir >= 0 && state_trust(dir, "its directory", e) ?
	       state_load(dir, "state.json", &c->mem, c->o, e) : NULL;
}

/* Does the container id use this root? Yes, if that cannot be found out. */
static bool verb_has_root(struct ctr *c, const char *id,
			  const struct stat *root)
{
	struct arena mark = c->mem;
	struct err e = { 0, "" };
	struct state *s = verb_load_other(c, id, &e);
	struct stat st;
	bool has;

	if (s && s->rootfs)
		has = stat(s->rootfs, &st) < 0 ? errno != ENOENT :
		      st.st_ino == root->st_ino && st.st_dev == root->st_dev;
	else	/* without a state it has not begun yet */
		has = s || *e.text;
	if (c->mem.chunks == mark.chunks)	/* reuse its memory */
		c->mem = mark;
	return has;
}

static bool verb_is_last(struct ctr *c, int root)
{
	autofd dir = openat(c->state_root, ".", O_RDONLY | O_DIRECTORY |
			    O_CLOEXEC);
	struct k_dirent *d;
	struct entries l;
	struct stat st;

	if (c->state_dir < 0)
		return true;
	if (fstat(root, &st) < 0)
		return false;
	io_list(&l, dir);
	while ((d = io_entry(&l)))
		if (verb_has_root(c, d->name, &st))
			return false;
	return l.len == 0;
}

/* Removes what was made in the root for dns, see net_is_marked(). Call it
 * after our own state is removed: if two containers end at once, the later one
 * then sees that it is the last. */
static void verb_undo_places(struct ctr *c)
{
	const char *path = c->spec && c->spec->dns ? c->state.rootfs : NULL;
	unsigned mark = path ? verb_mark(c) : 0;
	autofd root = -1, etc = -1;
	struct stat st;
	size_t i;

	if (mark)
		root = io_open(path, O_RDONLY | O_DIRECTORY);
	if (root < 0 || !net_lock_root(root))
		return;
	etc = root_open(root, "/etc", WALK_NOLINK);
	for (i = 0; etc >= 0 && i < COUNT(net_files); i++) {
		const char *name = strrchr(net_files[i], '/') + 1;

		if (fstatat(etc, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !net_is_marked(&st) || st.st_mtime != (time_t)mark)
			continue;
		if (!verb_is_last(c, root))
			return;
		if (unlinkat(etc, name, 0) == 0 && fstat(etc, &st) == 0 &&
		    st.st_mode & S_ISVTX)
			unlinkat(root, "etc", AT_REMOVEDIR);
	}
}

/* Undoes what was made, in reverse order, by the bits of c->made (rule 6). */
static void verb_undo(struct ctr *c)
{
	struct err e = { 0, "" };
	size_t i;

	fd_close(&c->sock);
	fd_close(&c->peer);
	fd_close(&c->tty);
	if (c->made & MADE_INIT && c->pid > 0) {
		kill(c->pid, SIGKILL);	/* our child: no reuse of the pid */
		if (c->state.freezer && !c->exec)
			verb_put_freezer(c, false);	/* v1: so it dies */
		/* in a paused container it ends only after a resume */
		if (!c->exec || !state_is_paused(&c->state))
			io_reap(c->pid);
	}
	if (c->relay > 0) {
		kill(c->relay, SIGKILL);
		io_reap(c->relay);
	}
	fd_close(&c->pidfd);
	/* a delete may have been faster: then nothing is left to undo here */
	if (c->made & MADE_STATE && flock(c->state_dir, LOCK_EX) == 0 &&
	    state_is_gone(c->state_root, c->o->id, c->state_dir))
		c->made = 0;
	if (c->made & MADE_PIDFILE)
		unlink(c->o->pid_file);
	if (c->made & MADE_CGROUP && !verb_drop_groups(c, &e))
		log_note(c->o, NSRUN_WARNING, "%s", e.text);
	for (i = 0; c->made & MADE_CGROUP && i < c->state.rdt.n; i++)
		rmdir(c->state.rdt.v[i]);
	if (c->made & MADE_NET)
		verb_undo_net(c);
	if (c->made & MADE_FORWARD &&
	    (c->plan.net.forwards[0] || c->plan.net.forwards[1]))
		net_unforward(&c->plan.net, c->host.proc);
	if (c->made & MADE_STATE &&
	    !state_drop(c->state_root, c->o->id, c->state_dir))
		c->left = errno;
	if (c->made & MADE_NET)
		verb_undo_places(c);
	c->pid = 0;
	if (c->made & MADE_POSTSTOP && c->plan.hooks) {
		struct hook_how how = spawn_hooks(c, "stopped");

		for (i = 0; i < c->plan.hooks[HOOK_POSTSTOP].n; i++)
			if (!hook_run(&how, HOOK_POSTSTOP, i, &e))
				log_note(c->o, NSRUN_WARNING, "%s", e.text);
	}
	c->made = 0;
}

/* ----- VERBS: claim ------------------------------------------------------ */

/* Is s the state of a container that is left over from an nsrun that died?
 * Then neither init nor that nsrun (the runner) lives, and the container was
 * being created, or ran in the foreground. */
static bool verb_is_stale(const struct ctr *c, const struct state *s)
{
	if (state_has_init(s, c->host.proc) ||
	    state_has_runner(s, c->host.proc))
		return false;
	return !s->status || str_eq(s->status, "creating") ||
	       (s->runner.set && s->runner.v);
}

static void verb_count(void *n, int pid)
{
	*(unsigned *)n += pid > 0;
}

/*
 * Replaces a state.json that a power cut left empty or cut short: finds the
 * cgroups of the container by its name, and its init by the link "init". If end
 * is set and that init lives, the processes in the cgroup are killed, and init
 * by the caller. Else the processes may be those of a container of another
 * state root that has the same name, and are left alone.
 */
static bool verb_guess(struct ctr *c, bool end, struct err *e)
{
	const struct cg_host *h = &c->host.cg;
	struct state *s = &c->state;
	struct err ignored = { 0, "" };
	const char *asked = NULL, *name;
	unsigned n = 0;
	size_t i;

	if (!h->n && !host_gather(&c->host, true, &c->mem, e))
		return false;
	if (verb_load_kept(c, &ignored))
		asked = c->spec->linux.cgroups_path;
	name = asked && *asked ? asked : c->o->id;
	name = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
	*s = (struct state){ .id = c->o->id, .status = "creating" };
	s->cgroups.v = mem_new(&c->mem, (h->n + 1) * sizeof *s->cgroups.v);
	for (i = 0; s->cgroups.v && i < h->n; i++) {
		const char *path = cg_path(&c->mem, &h->h[i], asked, s->id);
		size_t keep = path ? strlen(path) : 0;

		if (path && str_eq(name, s->id))	/* it is ours */
			keep -= strlen(name) + 1;
		if (path)
			s->cgroups.v[s->cgroups.n++] = (struct state_cgroup){
				path, { (long long)keep, true } };
	}
	if (s->cgroups.n < h->n)
		return no_memory(e);
	if (!verb_each(c, verb_count, &n, e))
		return false;
	state_load_init(c->state_dir, s);
	c->pid = (int)s->pid.v;
	if (end && state_has_init(s, c->host.proc))
		return !str_eq(name, s->id) || verb_signal_all(c, SIGKILL, e);
	return !n || fail(e, "%u process(es) live in the cgroup %s%s", n, name,
			  end ? ", which may be those of another container: "
			  "end them first" : "");
}

/* Undoes what a dead nsrun left in the state directory open at dir: by its
 * state s, or without one (s is NULL). */
static bool verb_reclaim(const struct ctr *c, int dir, const struct state *s,
			 bool damaged, struct err *e)
{
	struct err ignored;
	struct ctr dead;
	bool ok = true;

	verb_begin(&dead, c->o, c->out);
	dead.state_root = c->state_root;
	dead.state_dir = dir;
	dead.dir = c->dir;
	dead.host = c->host;
	dead.made = MADE_STATE;
	if (s) {
		dead.state = *s;
		dead.state.id = c->o->id;
		verb_load_kept(&dead, &ignored);
	}
	if (s || damaged)
		dead.made |= MADE_CGROUP | MADE_NET | MADE_POSTSTOP;
	ok = !damaged || verb_guess(&dead, false, e);
	if (ok)
		verb_undo(&dead);
	mem_free(&dead.mem);
	return ok;
}

/* The state directory of the id exists already. If its container is gone,
 * removes what is left of it and sets *again: the caller tries to make the
 * directory again. Never returns true. */
static bool verb_take_over(struct ctr *c, bool *again, struct err *e)
{
	const char *id = c->o->id;
	autofd dir = openat(c->state_root, id, O_RDONLY | O_DIRECTORY |
			    O_NOFOLLOW | O_CLOEXEC);
	struct err lives = { 0, "" };
	struct state *s;
	bool damaged;
	int tries;

	*again = dir < 0 && errno == ENOENT;	/* deleted meanwhile */
	if (*again)
		return false;
	if (dir < 0)
		return sysfail(e, "open the state of %s", id);
	if (!state_trust(dir, c->dir, e))
		return false;
	/* a stale container stays locked until its init has died; an init that
	 * ran in the foreground dies with its nsrun, but not at once */
	s = state_load(dir, "state.json", &c->mem, c->o, e);
	for (tries = 0; s && s->runner.v && tries < 100 &&
	     !state_has_runner(s, c->host.proc) &&
	     state_has_init(s, c->host.proc); tries++)
		poll(NULL, 0, 10);
	if (flock(dir, s && verb_is_stale(c, s) && s->runner.v ?
		  LOCK_EX : LOCK_EX | LOCK_NB) == 0) {
		*again = !state_same(c->state_root, id, dir);
		if (*again)
			return false;
		s = state_load(dir, "state.json", &c->mem, c->o, e);
		damaged = !s && *e->text && !e->num;
		*again = s ? verb_is_stale(c, s) : damaged || !*e->text;
		if (*again && !verb_reclaim(c, dir, s, damaged, &lives)) {
			*again = false;
			*e = lives;
			return wrap(e, "container with given ID already "
				    "exists, its state is damaged");
		}
		if (damaged)
			log_note(c->o, NSRUN_WARNING, "%s is taken over, its "
				 "state is damaged: %s", id, e->text);
		if (*again)
			return *e->text = 0, false;
	}
	return fail(e, "container with given ID already exists");
}

static bool verb_claim_dir(struct ctr *c, struct err *e)
{
	char path[PATH_MAX];
	int tries;

	if (!state_root(c->o, path, e))		/* no place for the state */
		return e->num = c->o->root ? EINVAL : EACCES, false;
	c->state_root = state_open_root(path);
	c->dir = mem_text(&c->mem, "%s/%s", path, c->o->id);
	if (c->state_root < 0)
		return sysfail(e, "make the state root %s", path);
	if (!c->dir)
		return no_memory(e);
	if (!state_trust(c->state_root, path, e)) {
		fd_close(&c->state_root);
		return e->num = EACCES, false;
	}
	for (tries = 0; tries < 100; tries++) {
		bool again;

		if (mkdirat(c->state_root, c->o->id, 0700) == 0) {
			c->state_dir = openat(c->state_root, c->o->id,
					      O_RDONLY | O_DIRECTORY |
					      O_NOFOLLOW | O_CLOEXEC);
			if (c->state_dir < 0 ||
			    flock(c->state_dir, LOCK_EX | LOCK_NB) < 0 ||
			    !state_same(c->state_root, c->o->id,
					c->state_dir)) {
				fd_close(&c->state_dir);
				continue;	/* somebody took it over */
			}
			c->made |= MADE_STATE;
			return true;
		}
		if (errno != EEXIST)
			return sysfail(e, "make the state directory");
		if (!verb_take_over(c, &again, e) && !again)
			return false;
	}
	return fail(e, "container with given ID already exists");
}

/* Makes the socket to which `start` will connect; init listens on it. To
 * connect needs write permission, so the mode of the socket says who may: init
 * cannot check the user id, for in a user namespace it sees most users as
 * 65534. */
static bool verb_start_socket(struct ctr *c, struct err *e)
{
	c->start = ctr_socket(c, "start", SOCK_SEQPACKET, 0600);
	return c->start >= 0 || sysfail(e, "make the start socket");
}

/* Fills in the state of a container that will be made. */
static bool verb_describe(struct ctr *c, struct err *e)
{
	const struct rdt_plan *rdt = &c->plan.rdt;
	struct state *s = &c->state;
	char *now = mem_new(&c->mem, 40);

	*s = (struct state){ .version = NSRUN_SPEC_VERSION, .id = c->o->id,
		.status = "creating", .bundle = c->plan.bundle,
		.rootfs = c->plan.root, .created = now,
		.networks = c->plan.net.n != 0,
		.best_effort = c->o->flags & NSRUN_BEST_EFFORT,
		.nodev = c->plan.nodev, .runner = { getpid(), true } };
	s->cgroups.v = mem_new(&c->mem, c->plan.cg.n * sizeof *s->cgroups.v);
	s->rdt.v = mem_new(&c->mem, 2 * sizeof *s->rdt.v);
	s->devices.v = mem_new(&c->mem, c->plan.net.n * sizeof *s->devices.v);
	if (!now || !s->cgroups.v || !s->rdt.v || !s->devices.v)
		return no_memory(e);
	state_now(now);
	if (rdt->monitor)
		s->rdt.v[s->rdt.n++] = (char *)rdt->monitor;
	if (rdt->own && access(rdt->group, F_OK) < 0)
		s->rdt.v[s->rdt.n++] = (char *)rdt->group;
	s->annotations.v = c->spec->annotations.v;
	s->annotations.n = c->spec->annotations.n;
	s->runner_start = (struct opt){ state_pid_start(c->host.proc,
							getpid()), true };
	return s->runner_start.v >= 0 || sysfail(e, "read our start time");
}

/* Fills in what depends on what exists on the host: the mark, the devices, the
 * cgroups. Call it after the leftovers of a dead container were removed. */
static bool verb_describe_host(struct ctr *c, struct err *e)
{
	struct cg_plan *cg = &c->plan.cg;
	struct state *s = &c->state;
	size_t i;

	if (c->plan.net.tmpfs)
		c->plan.net.mark = verb_mark(c);
	if (!net_note_devices(&c->plan.net, ns_makes(&c->plan.ns,
						     CLONE_NEWNET),
			      &c->mem, s->devices.v, &s->devices.n, e))
		return false;
	cg_probe(cg);
	for (i = 0; i < cg->n; i++)
		if (cg->d[i].keep < strlen(cg->d[i].path))
			s->cgroups.v[s->cgroups.n++] = (struct state_cgroup){
				cg->d[i].path,
				{ (long long)cg->d[i].keep, true } };
	return true;
}

/* A run in the foreground works without a state on a host that has no writable
 * place for it, or no place that is safe from other users. */
static bool verb_can_do_without(const struct ctr *c, const struct err *e)
{
	return c->mode == MODE_RUN && !(c->o->flags & NSRUN_KEEP_ON_EXIT) &&
	       (!*e->text || e->num == EROFS || e->num == EACCES ||
		e->num == ENOSPC);
}

/* Takes the id and writes down what will be made. */
static bool verb_claim(struct ctr *c, struct err *e)
{
	if (!verb_describe(c, e))
		return false;
	if (!verb_claim_dir(c, e)) {
		if (!verb_can_do_without(c, e))
			return false;
		log_note(c->o, NSRUN_WARNING, "no state is kept: %s", e->text);
		*e->text = 0;
	}
	if (!verb_describe_host(c, e))
		return false;
	if (c->state_dir < 0)
		return true;
	if (!io_replace(c->state_dir, "config.json", c->config, c->config_len,
			0600))
		return sysfail(e, "keep config.json");
	if (c->o->notify_socket && mkdirat(c->state_dir, "notify", 0755) < 0)
		return sysfail(e, "make the directory of the notify socket");
	return state_save(c->state_dir, &c->state, e) &&
	       (c->mode != MODE_CREATE ? notify_open(c, e) :
		verb_start_socket(c, e));
}

/* ----- VERBS: create and run --------------------------------------------- */

/* An existing path that is not a regular file (a FIFO, a device, the link
 * /dev/stdout) is written to, not replaced: a rename would put a regular file
 * in its place. A link of another user's is replaced: it could lead to a file
 * of ours. */
static bool verb_pid_special(const struct ctr *c)
{
	const char *path = c->o->pid_file;
	struct stat st;

	return fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       !S_ISREG(st.st_mode) &&
	       (!S_ISLNK(st.st_mode) ||
		((st.st_uid == 0 || st.st_uid == geteuid()) &&
		 access(path, F_OK) == 0));
}

static bool verb_put_special(const char *path, char *pid, struct err *e)
{
	autofd fd = io_open(path, O_WRONLY | O_TRUNC | O_NOCTTY | O_NONBLOCK);
	struct text t = { pid, strlen(pid), 0, fd, fd < 0 };

	text_flush(&t);
	if (!t.bad)
		return true;
	sysfail(e, "--pid-file: write %s", path);
	return e->num == ENXIO ? hint(e, "nobody reads it") : false;
}

static bool verb_pid_file(struct ctr *c, struct err *e)
{
	const char *path = c->o->pid_file, *slash;
	char dir[PATH_MAX], buf[16];
	autofd fd = -1;

	if (!path)
		return true;
	slash = strrchr(path, '/');
	text_cut(dir, sizeof dir, slash ? path : ".",
		 slash ? (size_t)(slash - path) + 1 : 1);
	text_to(buf, sizeof buf, "%d", c->pid);
	if (verb_pid_special(c))
		return verb_put_special(path, buf, e);
	fd = io_open(dir, O_RDONLY | O_DIRECTORY);
	if (fd < 0 || !io_replace(fd, slash ? slash + 1 : path, buf,
				  strlen(buf), 0644))
		return sysfail(e, "--pid-file: write %s", path);
	c->made |= MADE_PIDFILE;
	return true;
}

/* Call it before nsrun opens anything: otherwise an fd of nsrun could get a
 * free number among the preserved fds, and be passed to the container. */
static bool verb_check_fds(const struct nsrun_options *o, struct err *e)
{
	int i;

	for (i = -3; i < 0; i++)
		if (sys_fcntl(3 + i, F_GETFD, 0) < 0)
			return sysfail(e, "fd %d must be open", 3 + i);
	for (i = 0; i < o->preserve_fds + o->listen_fds; i++)
		if (sys_fcntl(3 + i, F_GETFD, 0) < 0)
			return sysfail(e, "--preserve-fds: fd %d", 3 + i);
	return true;
}

/* Connects to a socket of the caller's, to which a file descriptor will be
 * sent. While the queue of the listener is full (EAGAIN) it tries again, for
 * ten seconds at most. */
static int verb_connect(const struct ctr *c, const char *path,
			const char *option, struct err *e)
{
	autofd s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			  0);
	struct pollfd cancel = { io_cancel(c->o), POLLIN, 0 };
	int tries;

	for (tries = 0; s >= 0 && tries < 1000; tries++) {
		if (io_socket(s, path, false))
			return fd_take(&s);
		if (errno != EAGAIN)
			break;
		if (poll(&cancel, 1, 10) > 0)
			return fail(e, "--%s: connect to %s: interrupted",
				    option, path), -1;
	}
	sysfail(e, "--%s: connect to %s", option, path);
	if (e->num == EAGAIN)
		hint(e, "nobody accepts there");
	return -1;
}

/* Checks that --console-socket is given if, and only if, nobody else will hold
 * the terminal, and connects to it. */
static bool verb_console(struct ctr *c, struct err *e)
{
	const char *path = c->o->console_socket;
	bool wanted = c->plan.proc.terminal && c->mode != MODE_RUN;

	if (wanted && !path)
		return fail(e, "cannot allocate tty if nsrun will detach "
			    "without setting console socket: process.terminal "
			    "is true, give --console-socket");
	if (!wanted && path)
		return fail(e, "cannot use console socket if nsrun will not "
			    "detach or allocate tty: --console-socket is for "
			    "process.terminal true and a detached process");
	if (path)
		c->console = verb_connect(c, path, "console-socket", e);
	return !path || c->console >= 0;
}

static bool verb_pidfd_socket(struct ctr *c, struct err *e)
{
	const char *path = c->o->pidfd_socket;
	autofd sock = -1;

	if (!path)
		return true;
	if (c->pidfd < 0)
		return fail(e, "--pidfd-socket: this kernel has no pidfds");
	sock = verb_connect(c, path, "pidfd-socket", e);
	return sock >= 0 && (io_send(sock, "pidfd", 5, c->pidfd) ||
			     sysfail(e, "--pidfd-socket: send the pidfd"));
}

static void verb_close_joined(struct ctr *c)
{
	size_t i;

	for (i = 0; i < c->plan.ns.n; i++)
		fd_close(&c->plan.ns.join[i].fd);
}

/* Does everything up to the point where init waits for its last GO. */
static bool verb_create(struct ctr *c, struct err *e)
{
	const struct plan *p = &c->plan;
	size_t i;

	if (!verb_load(c, true, e))
		return false;
	c->root = io_open(p->root, O_PATH | O_DIRECTORY);
	if (c->root < 0)
		return sysfail(e, "root.path: open %s", p->root);
	if (!ns_open(&c->plan.ns, c->host.proc, e))
		return false;
	for (i = 0; i < p->proc.nsysctls; i++)
		if (ns_is_own(&p->ns, p->proc.sysctls[i].ns))
			return fail(e, "linux.sysctl.%s: the namespace that is "
				    "joined is the host's",
				    p->proc.sysctls[i].key);
	if ((p->hostname || p->domainname) && ns_is_own(&p->ns, CLONE_NEWUTS))
		return fail(e, "%s: the uts namespace that is joined is the "
			    "host's", p->hostname ? "hostname" : "domainname");
	return verb_console(c, e) && verb_claim(c, e) &&
	       (spawn_init(c, e) || spawn_blame(c, e)) &&
	       spawn_ready(c, e) && verb_pid_file(c, e) &&
	       verb_pidfd_socket(c, e);
}

/* Saves the state of a container whose init outlives P, or runs. */
static bool verb_save(struct ctr *c, const char *status, struct err *e)
{
	struct state *s = &c->state;

	if (c->state_dir < 0)
		return true;
	s->pid = (struct opt){ c->pid, true };
	s->start = (struct opt){ state_pid_start(c->host.proc, c->pid), true };
	if (s->start.v < 0)
		return sysfail(e, "read the start time of init");
	s->status = status;
	if (c->mode != MODE_RUN)
		s->runner = s->runner_start = (struct opt){ 0, true };
	return state_save(c->state_dir, s, e) &&
	       state_save_init(c->state_dir, s, e);
}

static bool verb_poststart(struct ctr *c, struct err *e)
{
	struct hook_how how = spawn_hooks(c, "running");

	return hook_all(&how, HOOK_POSTSTART, e);
}

/* The process was ended by SIGKILL. If the kernel sent it, for want of memory,
 * says so: the kernel itself does not tell the caller. */
static void verb_tell_oom(const struct ctr *c)
{
	int h = c->exec ? -1 : cg_find(&c->host.cg, "memory");
	const struct cg_dir *d = &c->plan.cg.d[h < 0 ? 0 : h];
	char text[512], limit[32];
	const char *kills;

	if (h < 0 || !d->ours ||
	    io_get_in(d->path, d->h->v2 ? "memory.events" :
		      "memory.oom_control", text, sizeof text) <= 0)
		return;
	kills = stat_field(text, "oom_kill");	/* v1: since 4.13 */
	if (!kills || !stat_number(kills, 0) ||
	    io_get_in(d->path, d->h->v2 ? "memory.max" :
		      "memory.limit_in_bytes", limit, sizeof limit) <= 0)
		return;
	str_line(limit);
	if (c->spec->linux.resources.memory.limit.set)
		log_note(c->o, NSRUN_WARNING, "the kernel killed the process "
			 "for want of memory: linux.resources.memory.limit is "
			 "%s", limit);
	else
		log_note(c->o, NSRUN_WARNING, "the kernel killed the process "
			 "for want of memory");
}

/* Waits for the process in the foreground. */
static int verb_attend(struct ctr *c)
{
	struct nsrun_process p = { c->pid, c->pidfd, c->tty };
	int status;

	if (c->o->attend)
		c->o->attend(c->o->data, &p);
	status = io_reap(c->pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		verb_tell_oom(c);
	c->made &= ~(unsigned)(MADE_INIT | MADE_PIDFILE | MADE_FORWARD);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
	       WEXITSTATUS(status);
}

/* The process was created with --keep and has ended. The state no longer names
 * a runner; otherwise the next nsrun with this id would find it stale and take
 * it over. */
static void verb_keep(struct ctr *c)
{
	struct err e;

	c->made = 0;
	c->state.runner = c->state.runner_start = (struct opt){ 0, true };
	if (flock(c->state_dir, LOCK_EX) == 0 &&
	    !state_is_gone(c->state_root, c->o->id, c->state_dir) &&
	    !state_save(c->state_dir, &c->state, &e))
		log_note(c->o, NSRUN_WARNING, "%s", e.text);
}

int nsrun_create(const struct nsrun_options *o, struct nsrun_error *out)
{
	struct ctr c;
	bool ok;

	verb_begin(&c, o, out);
	c.mode = MODE_CREATE;
	ok = verb_check_fds(o, &c.err) && state_check_id(o->id, &c.err) &&
	     verb_create(&c, &c.err) && verb_save(&c, "created", &c.err) &&
	     sync_go(c.sock, &c.err);
	verb_close_joined(&c);
	if (ok)
		c.made = 0;
	verb_undo(&c);
	return verb_end(&c, ok, "create");
}

int nsrun_run(const struct nsrun_options *o, int *status,
	      struct nsrun_error *out)
{
	struct ctr c;
	bool ok;

	verb_begin(&c, o, out);
	c.mode = o->flags & NSRUN_DETACH ? MODE_DETACH : MODE_RUN;
	/* in the foreground init dies with P, so its pid need not be saved
	 * before it runs */
	ok = verb_check_fds(o, &c.err) && state_check_id(o->id, &c.err) &&
	     verb_create(&c, &c.err) &&
	     (c.mode == MODE_RUN || verb_save(&c, "running", &c.err)) &&
	     spawn_start(&c, &c.err) &&
	     (c.mode != MODE_RUN || verb_save(&c, "running", &c.err)) &&
	     verb_poststart(&c, &c.err);
	verb_close_joined(&c);
	ok = ok && notify_serve(&c, &c.err);
	if (ok && c.mode == MODE_DETACH) {
		c.made = 0;
	} else if (ok) {
		if (c.state_dir >= 0)
			flock(c.state_dir, LOCK_UN);
		*status = verb_attend(&c);
		if (o->flags & NSRUN_KEEP_ON_EXIT)
			verb_keep(&c);
	}
	verb_undo(&c);
	return verb_end(&c, ok, "run");
}

/* ----- VERBS: find ------------------------------------------------------- */

static bool verb_is_not(struct err *e)
{
	fail(e, "container does not exist");
	return e->num = ENOENT, false;
}

/* Reads state.json. It is no error if there is none yet. */
static bool verb_read_state(struct ctr *c, struct err *e)
{
	struct state *s = state_load(c->state_dir, "state.json", &c->mem, c->o,
				     e);

	if (s)
		c->state = *s;
	c->state.id = c->o->id;
	c->pid = (int)c->state.pid.v;
	c->damaged = !s && *e->text && !e->num;
	if (c->damaged)
		hint(e, "it is damaged: delete --force removes the container");
	return s || !*e->text;
}

/* Opens the state directory of a container that exists. */
static bool verb_open(struct ctr *c, struct err *e)
{
	char path[PATH_MAX];

	if (!state_check_id(c->o->id, e) || !state_root(c->o, path, e))
		return false;
	c->dir = mem_text(&c->mem, "%s/%s", path, c->o->id);
	c->host.proc = host_proc();
	if (!c->dir || c->host.proc < 0)
		return fail(e, "there is no proc file system on /proc");
	c->state_root = io_open(path, O_PATH | O_DIRECTORY);
	if (c->state_root >= 0)
		c->state_dir = openat(c->state_root, c->o->id, O_RDONLY |
				      O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->state_dir < 0)
		return errno == ENOENT ? verb_is_not(e) :
		       sysfail(e, "open %s", c->dir);
	return state_trust(c->state_root, path, e) &&
	       state_trust(c->state_dir, c->dir, e);
}

static bool verb_find(struct ctr *c, struct err *e)
{
	return verb_open(c, e) && verb_read_state(c, e);
}

/* Like verb_find(), and locks the container: no other nsrun changes it
 * meanwhile. */
static bool verb_find_locked(struct ctr *c, struct err *e)
{
	if (!verb_open(c, e))
		return false;
	while (flock(c->state_dir, LOCK_EX) < 0)
		if (errno != EINTR)
			return sysfail(e, "lock %s", c->dir);
	if (state_is_gone(c->state_root, c->o->id, c->state_dir))
		return verb_is_not(e);
	return verb_read_state(c, e);
}

/* ----- VERBS: start, kill, pause, ps ------------------------------------- */

/* Opens a pidfd of init. That init is checked before and after makes sure that
 * the pidfd is not of another process with the same pid. */
static bool verb_hold_init(struct ctr *c, struct err *e)
{
	if (!state_has_init(&c->state, c->host.proc))
		return fail(e, "container not running");
	c->pidfd = sys_pidfd_open(c->pid);
	return state_has_init(&c->state, c->host.proc) ||
	       fail(e, "container not running");
}

static bool verb_signal(const struct ctr *c, int sig)
{
	return (c->pidfd >= 0 ? sys_pidfd_send_signal(c->pidfd, sig) :
		kill(c->pid, sig)) == 0;
}

/* Kills init, which is not our child, and waits until it has ended. */
static bool verb_end_init(struct ctr *c, struct err *e)
{
	const struct state *s = &c->state;
	struct pollfd p = { c->pidfd, POLLIN, 0 };
	struct err ignored;
	int tries;

	if (!verb_hold_init(c, &ignored))
		return true;
	if (!verb_signal(c, SIGKILL) && errno != ESRCH)
		return sysfail(e, "kill process %d", c->pid);
	if (s->freezer)		/* v1: a frozen process does not die */
		verb_put_freezer(c, false);
	p.fd = c->pidfd;
	for (tries = 0; state_has_init(s, c->host.proc); tries++) {
		if (tries == 1000)
			return fail(e, "process %d does not end", c->pid);
		poll(&p, c->pidfd >= 0, 10);
	}
	return true;
}

/* Removes what exists of the container, whatever its status. The poststop
 * hooks run if the config can be read. */
static bool verb_destroy(struct ctr *c, struct err *e)
{
	struct err ignored = { 0, "" };

	if (!verb_end_init(c, e))
		return false;
	c->made = MADE_STATE | MADE_CGROUP | MADE_NET;
	if (c->state.status && verb_load_kept(c, &ignored))
		c->made |= MADE_POSTSTOP;
	if (!verb_drop_groups(c, e))	/* the delete can be repeated */
		return false;
	verb_undo(c);
	errno = c->left;
	return !c->left || sysfail(e, "remove %s", c->dir);
}

/* Connects to an init that waits for its start. */
static bool verb_knock(struct ctr *c, struct err *e)
{
	char path[PATH_MAX];
	struct ucred who;
	socklen_t size = sizeof who;

	c->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (c->sock < 0 || !text_to(path, sizeof path, "%s/start", c->dir))
		return sysfail(e, "make a socket");
	if (!io_socket(c->sock, path, false)) {
		if (errno != ECONNREFUSED && errno != ENOENT)
			return sysfail(e, "connect to %s", path);
		return state_has_init(&c->state, c->host.proc) ?
		       fail(e, "cannot start an already running container") :
		       fail(e, "cannot start a container that has stopped");
	}
	if (getsockopt(c->sock, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
		return sysfail(e, "ask who holds %s", path);
	return who.pid == c->pid || fail(e, "%s is not held by init", path);
}

/* A poststart hook that fails ends the container (runtime.md, "Lifecycle"). */
static bool verb_abandon(struct ctr *c)
{
	struct err e = { 0, "" };

	fd_close(&c->pidfd);
	if (!verb_destroy(c, &e))
		log_note(c->o, NSRUN_WARNING, "%s", e.text);
	return false;
}

/* A startContainer hook that fails ends the container, too; if the program
 * cannot be executed the container stays, with status stopped. The start of
 * the text is hook_run()'s. */
static bool verb_start_failed(struct ctr *c, const struct err *e)
{
	return str_after(e->text, "hooks.startContainer") ? verb_abandon(c) :
	       false;
}

static bool verb_start(struct ctr *c, struct err *e)
{
	const char *status;
	struct stat st;

	if (!verb_find_locked(c, e))
		return false;
	status = state_status(&c->state, c->host.proc);
	if (str_eq(status, "stopped"))
		return fail(e, "cannot start a container that has stopped");
	if (str_eq(status, "paused"))
		return fail(e, "cannot start a container in the paused state");
	/* saved before the start: if nsrun dies in between, the state says
	 * more than is true, and a delete without --force refuses */
	c->state.status = "running";
	return verb_hold_init(c, e) && verb_load_kept(c, e) &&
	       verb_knock(c, e) &&
	       (fstatat(c->state_dir, "notify", &st, 0) < 0 ||
		notify_open(c, e)) &&
	       state_save(c->state_dir, &c->state, e) &&
	       (spawn_start(c, e) || verb_start_failed(c, e)) &&
	       (verb_poststart(c, e) || verb_abandon(c));
}

int nsrun_start(const struct nsrun_options *o, struct nsrun_error *out)
{
	struct ctr c;
	bool ok;

	verb_begin(&c, o, out);
	c.mode = MODE_CREATE;
	ok = verb_start(&c, &c.err) && notify_serve(&c, &c.err);
	return verb_end(&c, ok, "start");
}

/* If init is not pid 1 of a pid namespace, the other processes of the
 * container do not die with it. */
static bool verb_shares_pids(const struct ctr *c)
{
	char path[32], status[4096], *s = NULL;
	struct stat a, b;

	text_to(path, sizeof path, "%d/status", c->pid);
	if (io_get(c->host.proc, path, status, sizeof status) > 0)
		s = str_find(status, "\nNSpid:");	/* 4.1 */
	if (s) {
		s += 1 + strcspn(s + 1, "\n");
		return s[-1] != '1' || s[-2] != '\t';
	}
	ns_file(path, c->pid, CLONE_NEWPID);
	return fstatat(c->host.proc, path, &a, 0) == 0 &&
	       fstatat(c->host.proc, "self/ns/pid", &b, 0) == 0 &&
	       a.st_ino == b.st_ino;
}

static bool verb_kill(struct ctr *c, int sig, bool all, struct err *e)
{
	bool alive;

	if (!verb_find(c, e))
		return false;
	alive = verb_hold_init(c, e);
	/* processes that init left behind can be signalled after init has
	 * ended, too */
	if (!alive && !all)
		return false;
	all |= sig == SIGKILL && verb_shares_pids(c);
	if (all && !verb_signal_all(c, sig, e))
		return false;
	if (alive && !(all && c->state.cgroups.n) && !verb_signal(c, sig))
		return errno == ESRCH ? fail(e, "container not running") :
		       sysfail(e, "send signal %d", sig);
	/* v1 does not deliver SIGKILL to a frozen process: thaw it */
	return sig != SIGKILL || !state_is_paused(&c->state) ||
	       verb_put_freezer(c, false) ||
	       sysfail(e, "write %s", c->state.freezer);
}

int nsrun_kill(const struct nsrun_options *o, int sig, int all,
	       struct nsrun_error *out)
{
	struct ctr c;
	bool ok;

	verb_begin(&c, o, out);
	ok = verb_kill(&c, sig, all, &c.err);
	return verb_end(&c, ok, "kill");
}

static bool verb_freeze(struct ctr *c, bool want, struct err *e)
{
	const char *status;

	if (!verb_find_locked(c, e))
		return false;
	status = state_status(&c->state, c->host.proc);
	if (want && !str_eq(status, "running") && !str_eq(status, "created"))
		return fail(e, "container not running or created: %s", status);
	errno = 0;
	if (!want && !str_eq(status, "paused") && !state_is_paused(&c->state))
		return errno && errno != ENOENT ?
		       sysfail(e, "read %s", c->state.freezer) :
		       fail(e, "container not paused");
	if (!c->state.freezer)
		return fail(e, "no cgroup here has a freezer");
	if (!verb_put_freezer(c, want))
		return sysfail(e, "write %s", c->state.freezer);
	if (verb_await_freezer(c, want, 10000))
		return true;
	if (want)			/* no half-frozen cgroup */
		verb_put_freezer(c, false);
	return fail(e, "%s did not change in ten seconds",
		    c->state.freezer);
}

static int verb_freeze_end(const struct nsrun_options *o, bool want,
			   const char *what, struct nsrun_error *out)
{
	struct ctr c;
	bool ok;

	verb_begin(&c, o, out);
	ok = verb_freeze(&c, want, &c.err);
	return verb_end(&c, ok, what);
}

int nsrun_pause(const struct nsrun_options *o, struct nsrun_error *out)
{
	return verb_freeze_end(o, true, "pause", out);
}

int nsrun_resume(const struct nsrun_options *o, struct nsrun_error *out)
{
	return verb_freeze_end(o, false, "resume", out);
}

int nsrun_ps(const struct nsrun_options *o, void (*each)(void *, int pid),
	     void *data, struct nsrun_error *out)
{
	struct ctr c;
	bool ok;

	verb_begin(&c, o, out);
	ok = verb_find(&c, &c.err);
	if (ok && c.state.cgroups.n)
		ok = verb_each(&c, each, data, &c.err);
	else if (ok && verb_hold_init(&c, &c.err))	/* only init is known */
		each(data, c.pid);
	return verb_end(&c, ok, "list the processes of");
}

/* ----- VERBS: delete, state, list, plan ---------------------------------- */

static bool verb_delete(struct ctr *c, bool force, struct err *e)
{
	const char *status;

	/* a start that waits for init may hold the lock, so init is killed
	 * first, without the lock */
	if (force && ((!verb_find(c, e) && !c->damaged) ||
		      !verb_end_init(c, e)))
		return false;
	verb_close(c);
	if (!verb_find_locked(c, e) &&
	    !(force && c->damaged && verb_guess(c, true, e)))
		return false;
	status = state_status(&c->state, c->host.proc);
	if (!force && !str_eq(status, "stopped") && !str_eq(status, "created"))
		return fail(e, "cannot delete container %s that is not "
			    "stopped: %s", c->o->id, status);
	return verb_destroy(c, e);
}

int nsrun_delete(const struct nsrun_options *o, int force,
		 struct nsrun_error *out)
{
	struct ctr c;
	bool ok;

	verb_begin(&c, o, out);
	ok = verb_delete(&c, force, &c.err);
	if (!ok && force && c.err.num == ENOENT) {
		net_drop_lost(o->id, -1, c.host.proc);
		net_drop_lost(o->id, c.state_root, c.host.proc);
		ok = true;
	}
	return verb_end(&c, ok, "delete");
}

static void verb_tell(const struct ctr *c, const struct state *s,
		      const struct nsrun_link *links, size_t link_count,
		      nsrun_each *each, void *data)
{
	const char *status = state_status(s, c->host.proc);
	struct stat st = { .st_uid = 0 };
	struct nsrun_state n = state_tell(s, status, str_eq(status, "stopped") ?
					  0 : (int)s->pid.v);

	n.links = links;
	n.link_count = link_count;
	fstatat(c->state_root, s->id, &st, AT_SYMLINK_NOFOLLOW);
	n.owner = st.st_uid;
	each(data, &n);
}

int nsrun_state(const struct nsrun_options *o, nsrun_each *each, void *data,
		struct nsrun_error *out)
{
	struct nsrun_link links[NSRUN_LINKS_MAX];
	struct ctr c;
	bool ok;

	verb_begin(&c, o, out);
	/* a container exists as soon as its first state is saved */
	ok = verb_find(&c, &c.err) &&
	     (c.state.status || verb_is_not(&c.err));
	if (ok)
		verb_tell(&c, &c.state, links, spawn_links(&c, links), each,
			  data);
	return verb_end(&c, ok, "show the state of");
}

/* Lists one entry of the state root. An entry that is being deleted is left
 * out. */
static void verb_list_one(struct ctr *c, const char *id, nsrun_each *each,
			  void *data)
{
	struct arena mark = c->mem;
	struct err e = { 0, "" };
	struct state *s = verb_load_other(c, id, &e);

	if (s) {
		s->id = id;
		verb_tell(c, s, NULL, 0, each, data);
	} else if (*e.text) {
		log_note(c->o, NSRUN_WARNING, "%s is skipped: %s", id, e.text);
	}
	if (c->mem.chunks == mark.chunks)	/* reuse its memory */
		c->mem = mark;
}

/* Adds an id. The array is made twice as long when its length is a power of
 * two. */
static bool verb_list_add(struct arena *mem, struct strs *ids, const char *id)
{
	char **v = ids->v;

	if (!(ids->n & (ids->n - 1))) {
		v = mem_new(mem, (ids->n ? 2 * ids->n : 1) * sizeof *v);
		if (v && ids->n)
			memcpy(v, ids->v, ids->n * sizeof *v);
	}
	if (!v || !(v[ids->n] = mem_text(mem, "%s", id)))
		return false;
	ids->v = v;
	ids->n++;
	return true;
}

static int verb_list_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int nsrun_list(const struct nsrun_options *o, nsrun_each *each, void *data,
	       struct nsrun_error *out)
{
	struct k_dirent *d;
	struct entries l;
	struct strs ids = { NULL, 0 };
	char path[PATH_MAX];
	struct err ignored;
	struct ctr c;
	autofd dir = -1;
	size_t i;
	bool ok;

	verb_begin(&c, o, out);
	c.host.proc = host_proc();
	ok = state_root(o, path, &c.err) && (mem_reserve(&c.mem, 1) ||
					 no_memory(&c.err));
	dir = ok ? io_open(path, O_RDONLY | O_DIRECTORY) : -1;
	c.state_root = dir;
	if (ok && dir < 0 && errno != ENOENT)
		ok = sysfail(&c.err, "open %s", path);
	if (dir >= 0 && !state_trust(dir, path, &c.err)) {
		fd_close(&dir);
		ok = false;
	}
	io_list(&l, dir);
	while (ok && dir >= 0 && (d = io_entry(&l)))
		if (state_check_id(d->name, &ignored))
			ok = verb_list_add(&c.mem, &ids, d->name) ||
			     no_memory(&c.err);
	if (l.len < 0)
		ok = sysfail(&c.err, "read %s", path);
	if (ids.n)
		qsort(ids.v, ids.n, sizeof *ids.v, verb_list_order);
	for (i = 0; ok && i < ids.n; i++)
		verb_list_one(&c, ids.v[i], each, data);
	c.state_root = -1;
	return verb_end(&c, ok, "list containers");
}

int nsrun_plan(const struct nsrun_options *o, int fd, struct nsrun_error *out)
{
	struct nsrun_options with_id = *o;
	char buf[4096];
	struct text t = { buf, 0, sizeof buf, fd, false };
	struct ctr c;
	bool ok;

	if (!o->id)
		with_id.id = "ID";
	verb_begin(&c, &with_id, out);
	ok = verb_load(&c, false, &c.err);
	if (ok) {
		plan_print(&t, &c.plan);
		text_flush(&t);
		ok = !t.bad || sysfail(&c.err, "write the plan");
	}
	with_id.id = NULL;	/* no id in the error text */
	return verb_end(&c, ok, "plan");
}

/* ===== EXEC ==============================================================
 *
 * Runs one more process in a container: the process of the config as changed
 * by the options, or another process from a file. It joins those namespaces of
 * init that are not nsrun's own, and the cgroups that the state names.
 */

/* UID[:GID], and nothing else: a name or a sign must not become a 0. */
static bool exec_user(struct spec_user *u, const char *s, struct err *e)
{
	size_t n = strcspn(s, ":");
	unsigned long long uid, gid = 0;

	if (!num_unsigned(s, n, &uid) || uid > 4294967294U ||
	    (s[n] && (!num_unsigned(s + n + 1, strlen(s + n + 1), &gid) ||
		      gid > 4294967294U)))
		return fail(e, "--user wants UID or UID:GID in digits, not %s",
			    s);
	u->uid = (struct opt){ (long long)uid, true };
	if (s[n])		/* else that of the config stays, as in runc */
		u->gid = (struct opt){ (long long)gid, true };
	return true;
}

/* Adds capabilities to all sets but the inheritable one: an inheritable
 * capability would reach programs for which it was not requested
 * (CVE-2022-29162). So a capability that is not in the config's inheritable
 * set cannot be ambient, and a process that is not root does not get it. */
static bool exec_caps(struct ctr *c, struct spec_process *p, char **names,
		      struct err *e)
{
	int n;

	if (!names || !*names)
		return true;
	if (!p->caps)
		p->caps = mem_new(&c->mem, sizeof *p->caps);
	if (!p->caps)
		return no_memory(e);
	for (; *names; names++) {
		n = cap_find(*names);
		if (n < 0)
			return fail(e, "--cap: there is no capability %s",
				    *names);
		p->caps->set[CAP_BOUNDING] |= 1ULL << n;
		p->caps->set[CAP_EFFECTIVE] |= 1ULL << n;
		p->caps->set[CAP_PERMITTED] |= 1ULL << n;
		p->caps->set[CAP_AMBIENT] |= 1ULL << n &
					     p->caps->set[CAP_INHERITABLE];
	}
	return true;
}

/* Appends groups to those of the config. */
static bool exec_groups(struct ctr *c, struct spec_user *u, char **ids,
			struct err *e)
{
	struct opt *old = u->groups.v;
	unsigned long long id;
	size_t n = 0;

	while (ids && ids[n])
		n++;
	if (!n)
		return true;
	u->groups.v = mem_new(&c->mem, (u->groups.n + n) * sizeof *old);
	if (!u->groups.v)
		return no_memory(e);
	if (old)
		memcpy(u->groups.v, old, u->groups.n * sizeof *old);
	for (; *ids; u->groups.n++) {
		const char *s = *ids++;

		if (!num_unsigned(s, strlen(s), &id) || id > 4294967294U)
			return fail(e, "--additional-gids wants an id in "
				    "digits, not %s", s);
		u->groups.v[u->groups.n] = (struct opt){ (long long)id, true };
	}
	return true;
}

/* Builds the process: that of --process, or the container's as changed by the
 * options. */
static bool exec_process(struct ctr *c, const struct nsrun_exec *x,
			 struct err *e)
{
	struct spec_process *p = c->spec->process;
	size_t len;
	char *text;

	if (x->process) {
		p = mem_new(&c->mem, sizeof *p);
		if (!p)
			return no_memory(e);
		text = verb_load_file(c, AT_FDCWD, x->process, &len, e);
		if (!text || !spec_read(&c->mem, c->o, x->process, text, len,
					process_fields, p, e))
			return false;
		c->spec->process = p;
	} else {
		p->terminal = false;
		p->size = NULL;
		p->args = (struct strs){ NULL, 0 };
	}
	p->terminal |= (x->flags & NSRUN_EXEC_TTY) != 0;
	p->no_new_privs |= (x->flags & NSRUN_EXEC_NO_NEW_PRIVS) != 0;
	p->cwd = x->cwd ? x->cwd : p->cwd;
	p->apparmor = x->apparmor ? x->apparmor : p->apparmor;
	p->selinux = x->selinux ? x->selinux : p->selinux;
	if (x->argv && *x->argv && p->args.n)
		return fail(e, "a command is given, and --process too");
	if (!strs_add(&c->mem, &p->args, x->argv) ||
	    !strs_add(&c->mem, &p->env, x->env))
		return no_memory(e);
	return (!x->user || exec_user(&p->user, x->user, e)) &&
	       exec_groups(c, &p->user, x->groups, e) &&
	       exec_caps(c, p, x->caps, e) &&
	       spec_check_process(p, e);
}

/* Does the hierarchy of the cgroup at path have one of the controllers? ctrls
 * is a list with commas, n bytes long. */
static bool exec_has(struct ctr *c, const char *ctrls, size_t n,
		     const char *path)
{
	char *list = mem_text(&c->mem, "%.*s", (int)n, ctrls), *one, *save;
	size_t k;

	one = list ? strtok_r(list, ",", &save) : NULL;
	for (; one; one = strtok_r(NULL, ",", &save))
		for (k = 0; k < c->host.cg.n; k++) {
			const struct cg_hier *h = &c->host.cg.h[k];
			const char *rest = str_after(path, h->mount);

			if (rest && *rest == '/' && cg_has(h->ctrls, one))
				return true;
		}
	return false;
}

/* --cgroup: a cgroup below the container's. It is for all controllers if it is
 * the only --cgroup; otherwise for the controllers that it names. */
static bool exec_cgroup(struct ctr *c, const char *asked, bool only,
			struct err *e)
{
	const char *colon = strchr(asked, ':');
	const char *sub = colon ? colon + 1 : asked, *s;
	char *clean = mem_text(&c->mem, "/%s", sub);
	bool found = false;
	size_t i;

	if (!clean)
		return no_memory(e);
	if (!colon && !only)
		return fail(e, "--cgroup: %s is one of several, and names no "
			    "controller (CONTROLLER:PATH)", asked);
	for (s = clean; *s; s += strcspn(s, "/"), s += *s == '/')
		if (str_after(s, "..") && (!s[2] || s[2] == '/'))
			return fail(e, "--cgroup: %s leads out of the "
				    "container's cgroup", sub);
	path_clean(clean);
	for (i = 0; i < c->plan.cg.n; i++) {
		const char *path = c->state.cgroups.v[i].path;
		struct cg_dir *d = &c->plan.cg.d[i];

		if (colon && !exec_has(c, asked, (size_t)(colon - asked), path))
			continue;
		found = true;
		d->path = mem_text(&c->mem, "%s%s", path, clean);
		if (!d->path)
			return no_memory(e);
	}
	return found || !colon ||
	       fail(e, "--cgroup: %.*s is no controller of the container",
		    (int)(colon - asked), asked);
}

/* The cgroups that the process joins: the container's, or those of --cgroup
 * below them. All are joined late, after READY. */
static bool exec_cgroups(struct ctr *c, char **asked, struct err *e)
{
	struct cg_plan *p = &c->plan.cg;
	size_t i;

	for (i = 0; i < c->state.cgroups.n && i < CG_HIER_MAX; i++)
		p->d[p->n++] = (struct cg_dir){
			.path = c->state.cgroups.v[i].path, .late = true,
			.ours = true };
	for (i = 0; asked && asked[i]; i++)
		if (!exec_cgroup(c, asked[i], !asked[1], e))
			return false;
	return true;
}

static bool exec_plan(struct ctr *c, const struct nsrun_exec *x,
		      struct err *e)
{
	struct plan *p = &c->plan;
	uint64_t grant;
	struct stat st;

	if (!host_gather(&c->host, x->cgroups && *x->cgroups, &c->mem, e) ||
	    !verb_load_kept(c, e) || !exec_process(c, x, e))
		return false;
	c->spec->linux.sysctl.n = 0;	/* set by create already */
	grant = c->host.cap_last >= 63 ? ~0ULL :
		(2ULL << c->host.cap_last) - 1;
	p->id = c->o->id;
	p->rootless = c->host.euid != 0;
	p->devs.skip = true;		/* no console of its own */
	if (!ns_plan_enter(&p->ns, c->pid, &c->mem, e) ||
	    !ns_open(&p->ns, c->host.proc, e))
		return false;
	/* is it still init whose namespaces were opened, and not a process
	 * that got its pid? */
	if (!state_has_init(&c->state, c->host.proc))
		return fail(e, "cannot exec in a %s container", "stopped");
	if (!ns_joins(&p->ns, CLONE_NEWUSER))
		grant &= c->host.caps;
	p->root = ns_joins(&p->ns, CLONE_NEWNS) ? "/" : c->state.rootfs;
	c->root = io_open(p->root, O_PATH | O_DIRECTORY);
	if (c->root < 0 || fstat(c->root, &st) < 0)
		return sysfail(e, "open the root %s", p->root);
	return rdt_plan(&p->rdt, c->spec->linux.rdt, p->id, &c->mem, e) &&
	       cred_plan(&p->cred, c->o, c->spec->process, grant, &c->mem,
			 e) &&
	       (!c->state.nodev || plan_is_held(&p->cred, e)) &&
	       proc_plan(&p->proc, c->o, c->spec, &c->mem, e) &&
	       exec_cgroups(c, x->cgroups, e);
}

static bool verb_exec(struct ctr *c, const struct nsrun_exec *x,
		      struct err *e)
{
	const char *status;

	if (!verb_find(c, e))
		return false;
	status = state_status(&c->state, c->host.proc);
	if (str_eq(status, "stopped") || str_eq(status, "creating"))
		return fail(e, "cannot exec in a %s container", status);
	if (str_eq(status, "paused") &&
	    !(x->flags & NSRUN_EXEC_IGNORE_PAUSED))
		return fail(e, "cannot exec in a paused container (use "
			    "--ignore-paused to override)");
	c->exec = true;
	c->mode = c->o->flags & NSRUN_DETACH ? MODE_DETACH : MODE_RUN;
	return exec_plan(c, x, e) && verb_console(c, e) &&
	       (spawn_init(c, e) || spawn_blame(c, e)) &&
	       spawn_ready(c, e) && verb_pid_file(c, e) &&
	       verb_pidfd_socket(c, e) && spawn_start(c, e);
}

int nsrun_exec(const struct nsrun_options *o, const struct nsrun_exec *x,
	       int *status, struct nsrun_error *out)
{
	struct ctr c;
	bool ok;

	verb_begin(&c, o, out);
	ok = verb_check_fds(o, &c.err) && verb_exec(&c, x, &c.err);
	verb_close_joined(&c);
	if (ok && c.mode == MODE_RUN)
		*status = verb_attend(&c);
	if (ok)
		c.made = 0;
	verb_undo(&c);
	return verb_end(&c, ok, "exec in");
}

/* ===== UPDATE ============================================================
 *
 * Changes the limits of an existing container. The new limits are merged into
 * those of the config and of earlier updates; then all are planned and applied
 * again. If one cannot be applied, the former contents of the files are
 * written back.
 */

/* The members of linux that `update` may change. Device rules are never
 * changed. */
static const struct field update_fields[] = {
	F_SUB(spec_linux, T_OBJ, "resources", resources, spec_resources,
	      resources_fields),
	F_SUB(spec_linux, T_PTR, "intelRdt", rdt, spec_rdt, rdt_fields),
	F_END
};

/* Reads a JSON object with the members fields into the spec at base. */
static bool update_read(struct ctr *c, const char *name, char *text, size_t len,
			const struct field *fields, void *base, struct err *e)
{
	bool resources = fields == resources_fields;
	struct walker k = { &c->mem, c->o, e, resources };
	struct where top = { NULL, NULL, 0 }, in = { &top, "resources", 0 };
	struct json *j = json_parse(&c->mem, name, text, len, e);

	return j && spec_due(&k, resources ? &in : &top, j, JSON_OBJ) &&
	       spec_object(&k, resources ? &in : &top, j, fields, base);
}

/* Loads the current limits: those of the last update, or else the config's. */
static bool update_load(struct ctr *c, struct err *e)
{
	struct spec_linux *l;
	size_t len;
	char *text;

	if (!verb_load_kept(c, e))
		return false;
	l = &c->spec->linux;
	text = io_load(&c->mem, c->state_dir, "update.json", CONFIG_MAX, &len,
		       e);
	if (!text && e->num != ENOENT)
		return false;
	if (text) {
		memset(&l->resources, 0, sizeof l->resources);
		l->rdt = NULL;
		if (!update_read(c, "update.json", text, len, update_fields, l,
				 e))
			return false;
	}
	l->resources.devices.n = 0;
	return true;
}

static bool update_merge(struct ctr *c, const struct nsrun_update *u,
			 struct err *e)
{
	struct walker k = { &c->mem, c->o, e, true };
	struct spec_resources *r = &c->spec->linux.resources;
	struct opt swap = r->memory.swap;
	bool no_oom_killer = r->memory.no_oom_killer;
	size_t i, len;
	char *text;

	r->memory.swap.set = false;
	if (u->resources) {
		len = strlen(u->resources);
		text = mem_text(&c->mem, "%s", u->resources);
		if (!text)
			return no_memory(e);
		if (!update_read(c, "resources", text, len, resources_fields,
				 r, e))
			return false;
	}
	r->devices.n = 0;
	r->memory.oom_killer = no_oom_killer;
	for (i = 0; i < u->count; i++)
		if (!spec_set(&k, update_fields, &c->spec->linux,
			      u->set[i].key, u->set[i].value))
			return false;
	spec_date_pids(c->spec);
	/* without a memory limit there is no limit of memory and swap
	 * together */
	if (!r->memory.swap.set)
		r->memory.swap = swap.set && r->memory.limit.v < 0 ?
				 (struct opt){ -1, true } : swap;
	return spec_check_resources(r, e) &&
	       (!c->spec->linux.rdt || spec_check_rdt(c->spec->linux.rdt, e));
}

static bool update_plan(struct ctr *c, struct cg_plan *p, struct err *e)
{
	bool nodev;

	cg_recorded(p, &c->host.cg, &c->state);
	return cg_plan(p, &c->host.cg, c->spec, c->o, &nodev, &c->mem, e);
}

/* memory.checkBeforeUpdate: refuses a limit below the memory in use, because
 * the kernel would kill processes to reach it. */
static bool update_check_memory(const struct cg_dir *d, const char *value,
				struct err *e)
{
	unsigned long long now;

	return !cg_exceeds(d, "memory.current", value, &now) ||
	       fail(e, "linux.resources.memory.limit: %s is less than the "
		    "%llu bytes in use (see checkBeforeUpdate)", value, now);
}

/* Checks that the container has a cgroup for each limit, and that the memory
 * in use fits if checkBeforeUpdate is set. */
static bool update_check(const struct cg_plan *p, const struct nsrun_options *o,
			 struct err *e)
{
	size_t i;

	for (i = 0; i < p->nw; i++) {
		const struct cg_write *w = &p->w[i];
		const struct cg_dir *d = &p->d[w->dir];

		if (!d->ours) {
			fail(e, "linux.resources.%s: the container has no "
			     "group in %s", w->key, d->h->mount);
			if (!cg_plan_lack(o, e))
				return false;
		} else if (p->check_memory && str_eq(w->file, "memory.max") &&
			   !update_check_memory(d, w->value, e)) {
			return false;
		}
	}
	return true;
}

/* A device that the file does not list has no limit. Adds, for each device
 * that w writes, the line that removes its limit; these lines come before what
 * the file holds now. */
static void update_reset(struct text *t, const struct cg_write *w)
{
	static const struct { const char *file, *none; } files[] = {
		{ "io.max",	"rbps=max wbps=max riops=max wiops=max" },
		{ "io.weight",	"default" },
		{ "io.bfq.",	"0" },
		{ "blkio.",	"0" },
	};
	const char *s = w->value;
	size_t i, n;

	for (i = 0; i < COUNT(files); i++)
		if (str_after(w->file, files[i].file))
			break;
	for (; i < COUNT(files) && *s; s += strcspn(s, "\n"), s += *s != 0) {
		n = strcspn(s, " \n");
		if (memchr(s, ':', n))
			text_add(t, "%.*s %s\n", (int)n, s, files[i].none);
	}
}

/* Reads the present contents of the files that will be written, as a plan that
 * puts them back. */
static bool update_remember(struct ctr *c, const struct cg_plan *p,
			    struct cg_plan *old, struct err *e)
{
	char value[CG_VALUE_MAX], none[CG_VALUE_MAX];
	const char *digit;
	size_t i;

	*old = *p;
	old->w = mem_new(&c->mem, (p->nw + 1) * sizeof *old->w);
	if (!old->w)
		return no_memory(e);
	for (i = 0; i < p->nw; i++) {
		struct cg_write *w = &old->w[i];
		struct text t = TEXT(none);

		*w = p->w[i];
		*none = 0;
		update_reset(&t, w);
		if (!p->d[w->dir].ours ||
		    io_get_in(p->d[w->dir].path, w->file, value,
			      sizeof value) <= 0)
			*value = 0;		/* no value, no write */
		digit = str_after(value, "oom_kill_disable ");
		w->value = mem_text(&c->mem, "%s%.*s", none,
				    digit ? 1 : CG_VALUE_MAX,
				    digit ? digit : value);
		if (!w->value)
			return no_memory(e);
	}
	return true;
}

/* A resctrl group may be shared with others, so it is written only if the
 * update sets a member of intelRdt. */
static bool update_plan_rdt(struct ctr *c, const struct nsrun_update *u,
			    struct err *e)
{
	const struct spec_rdt *r = NULL;
	size_t i;

	for (i = 0; i < u->count; i++)
		if (str_after(u->set[i].key, "intelRdt."))
			r = c->spec->linux.rdt;
	return rdt_plan(&c->plan.rdt, r, c->o->id, &c->mem, e);
}

static bool verb_update(struct ctr *c, const struct nsrun_update *u,
			struct err *e)
{
	struct nsrun_options quiet = *c->o;
	struct cg_plan old, *new = &c->plan.cg;
	struct err ignored;

	if (!state_has_init(&c->state, c->host.proc))
		return fail(e, "container not running");
	quiet.log = NULL;
	quiet.flags |= NSRUN_BEST_EFFORT;
	if (!host_gather(&c->host, true, &c->mem, e) || !update_load(c, e) ||
	    !update_merge(c, u, e) || !update_plan(c, new, e) ||
	    !update_check(new, c->o, e) || !update_remember(c, new, &old, e) ||
	    !update_plan_rdt(c, u, e))
		return false;
	if (cg_limit(new, c->o, e) &&
	    (!c->plan.rdt.group || rdt_limit(&c->plan.rdt, e)) &&
	    state_write(c->state_dir, "update.json", update_fields,
			&c->spec->linux, e))
		return true;
	cg_limit(&old, &quiet, &ignored);
	return false;
}

/* An update applies all limits again, also those of earlier updates. The
 * warnings of earlier updates, one per line, are kept in the file warned and
 * are not repeated. */
struct update_log {
	const struct nsrun_options *o;
	struct text	said;
	char		buf[4096];
	bool		more;
};

static void update_log(void *data, enum nsrun_level level, const char *text)
{
	struct update_log *l = data;
	char line[ERR_MAX + 1];

	if (level == NSRUN_WARNING) {
		text_to(line, sizeof line, "%s\n", text);
		if (str_find(l->buf, line))
			return;
		l->more = true;
		text_add(&l->said, "%s", line);
	}
	log_text(l->o, level, text);
}

int nsrun_update(const struct nsrun_options *o, const struct nsrun_update *u,
		 struct nsrun_error *out)
{
	struct nsrun_options how = *o;
	struct update_log l = { .o = o, .said = TEXT(l.buf) };
	struct ctr c;
	ssize_t n;
	bool ok;

	how.log = update_log;
	how.data = &l;
	verb_begin(&c, &how, out);
	ok = verb_find_locked(&c, &c.err);
	if (c.state.best_effort)
		how.flags |= NSRUN_BEST_EFFORT;
	n = ok ? io_get(c.state_dir, "warned", l.buf, sizeof l.buf) : 0;
	l.said.len = n > 0 ? (size_t)n : 0;
	ok = ok && verb_update(&c, u, &c.err);
	if (l.more)
		io_replace(c.state_dir, "warned", l.buf, l.said.len, 0600);
	return verb_end(&c, ok, "update");
}

/* ===== EVENTS ============================================================
 *
 * Statistics, and the out-of-memory kills of a container, as lines of JSON.
 */

/* Finds a container that is not stopped, its groups and its resctrl group. */
static bool verb_find_groups(struct ctr *c, struct err *e)
{
	if (!verb_find(c, e))
		return false;
	if (!state_has_init(&c->state, c->host.proc))
		return fail(e, "container with id %s is not running", c->o->id);
	if (!host_gather(&c->host, true, &c->mem, e) || !verb_load_kept(c, e) ||
	    !rdt_plan(&c->plan.rdt, c->spec->linux.rdt, c->o->id, &c->mem, e))
		return false;
	cg_recorded(&c->plan.cg, &c->host.cg, &c->state);
	c->pidfd = sys_pidfd_open(c->pid);
	return true;
}

/* Writes one line: an oom event, or the statistics. */
static bool event_put(struct ctr *c, int fd, bool oom, struct err *e)
{
	struct nsrun_link links[NSRUN_LINKS_MAX];
	char buf[4096];
	struct text t = { buf, 0, sizeof buf, fd, false };
	struct json_out o = { &t, 0, true, true };

	json_put_open(&o, NULL, '{');
	json_put_str(&o, "type", oom ? "oom" : "stats");
	json_put_str(&o, "id", c->o->id);
	if (!oom) {
		json_put_open(&o, "data", '{');
		cg_put_stats(&o, &c->plan.cg, &c->host.cg);
		rdt_put_stats(&o, &c->plan.rdt);
		net_put_links(&o, "network_interfaces", links,
			      spawn_links(c, links));
		json_put_close(&o, '}');
	}
	json_put_close(&o, '}');
	text_char(&t, '\n');
	text_flush(&t);
	return !t.bad || sysfail(e, "write the event");
}

int nsrun_stats(const struct nsrun_options *o, int fd, struct nsrun_error *out)
{
	struct ctr c;
	bool ok;

	verb_begin(&c, o, out);
	ok = verb_find_groups(&c, &c.err) && event_put(&c, fd, false, &c.err);
	return verb_end(&c, ok, "tell the statistics of");
}

/* Writes events until the container ends or the caller cancels. */
static bool verb_watch(struct ctr *c, int fd, int interval, struct err *e)
{
	autofd oom = cg_open_oom(&c->plan.cg, &c->host.cg, e);
	struct pollfd p[] = { { oom, POLLIN, 0 }, { c->pidfd, POLLIN, 0 },
		{ io_cancel(c->o), POLLIN, 0 } };
	long long next = now_ms() + interval, wait;
	unsigned long long seen = 0;
	char drain[4096];
	bool told, ended;

	if (*e->text)
		return false;
	if (oom >= 0)
		cg_had_oom(&c->plan.cg, &c->host.cg, false, &seen);
	for (;;) {
		wait = next - now_ms();
		wait = wait < 0 ? 0 : wait;
		/* without a pidfd, check for the end every 100 ms */
		if (c->pidfd < 0 && wait > 100)
			wait = 100;
		if (poll(p, COUNT(p), (int)wait) < 0 && errno != EINTR)
			return sysfail(e, "wait for an event");
		told = p[0].revents && read(oom, drain, sizeof drain) > 0;
		ended = p[1].revents ||
			!state_has_init(&c->state, c->host.proc);
		if ((told || (ended && oom >= 0)) &&
		    cg_had_oom(&c->plan.cg, &c->host.cg, told, &seen) &&
		    !event_put(c, fd, true, e))
			return false;
		if (ended || p[2].revents)
			return true;
		if (now_ms() < next)
			continue;
		next += interval;
		if (!event_put(c, fd, false, e))
			return false;
	}
}

int nsrun_events(const struct nsrun_options *o, int fd, int interval,
		 struct nsrun_error *out)
{
	struct ctr c;
	bool ok;

	verb_begin(&c, o, out);
	ok = (interval > 0 ||
	      fail(&c.err, "duration interval must be greater than 0")) &&
	     verb_find_groups(&c, &c.err) &&
	     verb_watch(&c, fd, interval, &c.err);
	return verb_end(&c, ok, "tell the events of");
}

/* ===== TEMPLATE ==========================================================
 *
 * `nsrun spec`: writes a config.json to begin with.
 */

enum { SPEC_ROOT = 1, SPEC_USER = 2, SPEC_V2 = 4 };

/* The default config.json, that of runc, without its white space. Parts are for
 * root, for a user, or for hosts with cgroup v2; %u and %g stand for ids. */
static const struct {
	unsigned	when;
	const char	*text;
} spec_parts[] = {
#define CAPS "[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"]"
#define MOUNT(dest, type, src) "{\"destination\":\"" dest "\",\"type\":\"" \
	type "\",\"source\":\"" src "\""
#define SAFE ",\"options\":[\"nosuid\",\"noexec\","
	{ 0, "{\"ociVersion\":\"" NSRUN_SPEC_VERSION "\",\"process\":{"
	  "\"terminal\":true,\"user\":{\"uid\":0,\"gid\":0},"
	  "\"args\":[\"sh\"],\"env\":[\"PATH=/usr/local/sbin:/usr/local/bin:"
	  "/usr/sbin:/usr/bin:/sbin:/bin\",\"TERM=xterm\"],\"cwd\":\"/\","
	  "\"capabilities\":{\"bounding\":" CAPS ",\"effective\":" CAPS ","
	  "\"permitted\":" CAPS "},\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\","
	  "\"hard\":1024,\"soft\":1024}],\"noNewPrivileges\":true},"
	  "\"root\":{\"path\":\"rootfs\",\"readonly\":true},"
	  "\"hostname\":\"nsrun\",\"mounts\":["
	  MOUNT("/proc", "proc", "proc") "},"
	  MOUNT("/dev", "tmpfs", "tmpfs") ",\"options\":[\"nosuid\","
	  "\"strictatime\",\"mode=755\",\"size=65536k\"]},"
	  MOUNT("/dev/pts", "devpts", "devpts") SAFE "\"newinstance\","
	  "\"ptmxmode=0666\",\"mode=0620\"" },
	{ SPEC_ROOT, ",\"gid=5\"" },
	{ 0, "]}," MOUNT("/dev/shm", "tmpfs", "shm") SAFE "\"nodev\","
	  "\"mode=1777\",\"size=65536k\"]},"
	  MOUNT("/dev/mqueue", "mqueue", "mqueue") SAFE "\"nodev\"]}," },
	{ SPEC_ROOT, MOUNT("/sys", "sysfs", "sysfs") SAFE "\"nodev\","
	  "\"ro\"]}" },
	{ SPEC_USER, MOUNT("/sys", "none", "/sys") SAFE "\"nodev\",\"rbind\","
	  "\"ro\"]}" },
	/* covers the cgroups of the bind at /sys, which a user may write to
	 * (CVE-2023-25809) */
	{ 0, "," MOUNT("/sys/fs/cgroup", "cgroup", "cgroup") SAFE "\"nodev\","
	  "\"relatime\",\"ro\"]}],\"linux\":{" },
	{ SPEC_ROOT, "\"resources\":{\"devices\":[{\"allow\":false,"
	  "\"access\":\"rwm\"}]}," },
	{ 0, "\"namespaces\":[{\"type\":\"pid\"}," },
	{ SPEC_ROOT, "{\"type\":\"network\"}," },
	{ 0, "{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"}" },
	{ SPEC_V2, ",{\"type\":\"cgroup\"}" },
	{ SPEC_USER, ",{\"type\":\"user\"}],\"uidMappings\":[{"
	  "\"containerID\":0,\"hostID\":%u,\"size\":1}],\"gidMappings\":[{"
	  "\"containerID\":0,\"hostID\":%g,\"size\":1}" },
	{ 0, "],\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\","
	  "\"/proc/kcore\",\"/proc/keys\",\"/proc/latency_stats\","
	  "\"/proc/timer_list\",\"/proc/timer_stats\",\"/proc/sched_debug\","
	  "\"/sys/firmware\",\"/proc/scsi\"],\"readonlyPaths\":["
	  "\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\","
	  "\"/proc/sysrq-trigger\"]}}" },
#undef CAPS
#undef MOUNT
#undef SAFE
};

static void spec_newline(struct text *t, int depth)
{
	text_char(t, '\n');
	while (depth-- > 0)
		text_char(t, '\t');
}

/* Compact JSON with line ends and tabs, from depth on; returns the depth. */
static int spec_put(struct text *t, const char *s, int depth)
{
	bool quoted = false;

	for (; *s; s++) {
		quoted ^= *s == '"';
		if (*s == '%') {
			text_add(t, "%u", *++s == 'u' ? geteuid() : getegid());
			continue;
		}
		if (!quoted && (*s == ']' || *s == '}'))
			spec_newline(t, --depth);
		text_char(t, *s);
		if (quoted)
			continue;
		if (*s == '[' || *s == '{')
			spec_newline(t, ++depth);
		else if (*s == ',')
			spec_newline(t, depth);
		else if (*s == ':')
			text_char(t, ' ');
	}
	return depth;
}

int nsrun_spec(const struct nsrun_options *o, int rootless,
	       struct nsrun_error *out)
{
	unsigned have = rootless ? SPEC_USER : SPEC_ROOT;
	char path[PATH_MAX], buf[4096];
	struct text t = { buf, 0, sizeof buf, -1, false };
	struct statfs fs;
	struct nsrun_options no_id = { .bundle = o->bundle };
	struct ctr c;
	int depth = 0;
	bool ok;
	size_t i;

	verb_begin(&c, &no_id, out);
	if (statfs("/sys/fs/cgroup", &fs) == 0 &&
	    (unsigned)fs.f_type == K_MAGIC_CGROUP2)
		have |= SPEC_V2;
	ok = text_to(path, sizeof path, "%s/config.json",
		     o->bundle ? o->bundle : ".") ||
	     fail(&c.err, "the path is too long");
	if (ok)
		t.fd = openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL |
			      O_CLOEXEC, 0666);
	if (ok && t.fd < 0)
		ok = errno == EEXIST ? fail(&c.err, "File config.json exists. "
			"Remove it first") : sysfail(&c.err, "create %s", path);
	for (i = 0; ok && i < COUNT(spec_parts); i++)
		if (!(spec_parts[i].when & ~have))
			depth = spec_put(&t, spec_parts[i].text, depth);
	text_put(&t, "\n", ok);
	text_flush(&t);
	if (ok && t.bad) {
		ok = sysfail(&c.err, "write %s", path);
		unlink(path);
	}
	fd_close(&t.fd);
	return verb_end(&c, ok, "write a config.json");
}

/* ===== PROTECT ===========================================================
 *
 * The program is executed again from a copy or a clone of its file that nobody
 * can ever write to, so that no container can overwrite the program through
 * /proc/PID/exe (CVE-2019-5736).
 */

/* A read-only clone of the mount of our program; needs 5.12 and root. */
static int protect_clone(int proc)
{
	struct k_attr a = { K_ATTR_RDONLY, 0, 0, 0 };
	int fd = sys_open_tree(proc, "self/exe", K_TREE_CLONE);

	if (fd >= 0 && sys_mount_setattr(fd, 0, &a) < 0)
		fd_close(&fd);
	return fd;
}

/* A copy in memory that nobody can change. */
static int protect_copy(int from, struct err *e)
{
	autofd to = -1;
	char buf[4096];
	struct text t = TEXT(buf);
	ssize_t n;

	to = sys_memfd("nsrun");
	if (from < 0 || to < 0)
		return sysfail(e, "copy the program into memory"), -1;
	t.fd = to;
	while ((n = read(from, buf, sizeof buf)) > 0) {
		t.len = (size_t)n;
		text_flush(&t);
	}
	if (n < 0 || t.bad || sys_fcntl(to, K_ADD_SEALS, K_SEALS) < 0)
		return sysfail(e, "seal a copy of the program"), -1;
	return fd_take(&to);
}

/* Can nobody ever write to the program open at self? That is so if it is a
 * sealed copy; or a read-only clone: its path is /, as it is the root of a
 * mount without a place, which only its maker could change; or if its file
 * system cannot be written to, as on the flash of a router. It does not
 * suffice that a mount is read-only: it may be rw a moment later. */
static bool protect_is_done(int proc, int self, bool *ro)
{
	struct statfs fs;
	char path[2];

	if (fstatfs(self, &fs) < 0)
		return false;
	*ro = fs.f_flags & MS_RDONLY;
	switch ((unsigned)fs.f_type) {
	case K_MAGIC_SQUASHFS:
	case K_MAGIC_CRAMFS:
	case K_MAGIC_ROMFS:
	case K_MAGIC_EROFS:
		return true;
	}
	return sys_fcntl(self, K_GET_SEALS, 0) == K_SEALS ||
	       (*ro && readlinkat(proc, "self/exe", path, 2) == 1);
}

/* Returns only if it fails. 5.10 knows execveat, but not the empty path. */
static void protect_exec(int fd, char **argv)
{
	char path[32];

	sys_execveat(fd, argv, environ);
	text_to(path, sizeof path, "/proc/self/fd/%d", fd);
	execve(path, argv, environ);
}

int nsrun_protect(char **argv, struct nsrun_error *out)
{
	autofd proc = host_proc(), fd = -1;
	autofd self = openat(proc, "self/exe", O_RDONLY | O_CLOEXEC);
	struct err e = { 0, "" };
	bool ro = false;

	out->errnum = 0;
	out->text[0] = 0;
	if (self < 0) {
		sysfail(&e, "open /proc/self/exe");
		goto out;
	}
	if (protect_is_done(proc, self, &ro))
		return 0;
	/* if a clone were not recognised above, nsrun would be cloned for
	 * ever */
	fd = ro ? -1 : protect_clone(proc);
	if (fd >= 0)
		protect_exec(fd, argv);
	fd_close(&fd);
	fd = protect_copy(self, &e);
	if (fd >= 0) {
		protect_exec(fd, argv);
		sysfail(&e, "execute a protected copy of the program");
	}
out:
	out->errnum = e.num;
	text_to(out->text, sizeof out->text, "%s", e.text);
	return -1;
}

/* ===== CLI ===============================================================
 *
 * The command line, a user of nsrun.h. One table lists the options, the
 * commands that have them, and where their values are stored; the usage is
 * printed from this table. As with runc, -name means --name, a value follows
 * as =value or as the next word, and options may also come after the ID,
 * except with exec, whose COMMAND has its own options.
 */

struct cli {
	struct nsrun_options o;
	struct nsrun_exec x;
	const char	*log, *log_format, *preserve, *manager, *format,
			*resources, *interval, *set[18];
	bool		debug, systemd, rootless, keep, no_keyring, ignored,
			detach, tty, no_new_privs, ignore_paused, all, force,
			quiet, help, version, best_effort, stats;
	int		log_fd;
	char		**argv;
	const struct command *cmd;
	char		*words[3];	/* args of all commands but exec */
	char		**args;
	int		nargs;
	struct arena	mem;		/* of repeated options */
	struct watch	watch;
	size_t		listed;
	struct text	out;		/* to stdout, through buf */
	char		buf[4096];
	struct text	held;		/* warnings, to stderr */
	char		held_buf[2048];
	struct nsrun_error e;
};

struct command {
	const char	*name, *args, *help;
	short		least, most;	/* arguments; most -1: any number */
	unsigned	where;		/* its options */
	int		(*run)(struct cli *);	/* exit status; -1: see e */
};

enum { OF_GLOBAL = 1, OF_RUN = 2, OF_CREATE = 4, OF_EXEC = 8, OF_KILL = 16,
       OF_DELETE = 32, OF_LIST = 64, OF_SPEC = 128, OF_PLAN = 256,
       OF_PLAIN = 512, OF_PS = 1024, OF_UPDATE = 2048, OF_EVENTS = 4096,
       OF_MAKE = OF_RUN | OF_CREATE };

/* The members that the options of `update` set, in the order of cli.set. */
static const char *const update_keys[] = {
	"resources.memory.limit", "resources.memory.reservation",
	"resources.memory.swap", "resources.memory.kernel",
	"resources.memory.kernelTCP", "resources.cpu.shares",
	"resources.cpu.quota", "resources.cpu.period", "resources.cpu.burst",
	"resources.cpu.idle", "resources.cpu.realtimePeriod",
	"resources.cpu.realtimeRuntime", "resources.cpu.cpus",
	"resources.cpu.mems", "resources.pids.limit",
	"resources.blockIO.weight", "intelRdt.l3CacheSchema",
	"intelRdt.memBwSchema",
};

static const struct cli_option {
	const char	*name;
	char		letter;
	bool		list;		/* each use adds a value */
	unsigned short	where;
	unsigned short	off;
	const char	*arg;		/* NULL: a switch */
	const char	*help;
} cli_options[] = {
#define C(m) (unsigned short)offsetof(struct cli, m)
	{ "root", 0, false, OF_GLOBAL, C(o.root), "DIR",
	  "where the state of containers lives (/run/nsrun)" },
	{ "log", 0, false, OF_GLOBAL, C(log), "FILE",
	  "append errors to FILE too" },
	{ "log-format", 0, false, OF_GLOBAL, C(log_format), "text|json",
	  "format of the log" },
	{ "debug", 0, false, OF_GLOBAL, C(debug), NULL,
	  "log warnings and details as well" },
	{ "log-level", 0, false, OF_GLOBAL, C(ignored), "LEVEL",
	  "accepted and ignored: see --debug" },
	{ "cgroup-manager", 0, false, OF_GLOBAL, C(manager),
	  "cgroupfs|disabled", "disabled: as on a host without cgroups" },
	{ "systemd-cgroup", 0, false, OF_GLOBAL, C(systemd), NULL,
	  "refused: nsrun writes the cgroup files itself" },
	{ "rootless", 0, false, OF_GLOBAL, C(ignored), "auto|true|false",
	  "accepted and ignored: nsrun finds out itself" },
	{ "criu", 0, false, OF_GLOBAL, C(ignored), "FILE",
	  "accepted and ignored: there are no checkpoints" },
	{ "version", 'v', false, OF_GLOBAL, C(version), NULL,
	  "print the version" },
	{ "help", 'h', false, 0xffff, C(help), NULL, "print this help" },
	{ "bundle", 'b', false, OF_MAKE | OF_SPEC | OF_PLAN, C(o.bundle),
	  "DIR", "the directory of config.json (.)" },
	{ "config", 'f', false, OF_MAKE | OF_PLAN, C(o.config), "FILE",
	  "read FILE in place of config.json" },
	{ "pid-file", 0, false, OF_MAKE | OF_EXEC, C(o.pid_file), "FILE",
	  "write the pid of the process to FILE" },
	{ "console-socket", 0, false, OF_MAKE | OF_EXEC, C(o.console_socket),
	  "SOCKET", "send the master of the terminal there" },
	{ "pidfd-socket", 0, false, OF_MAKE | OF_EXEC, C(o.pidfd_socket),
	  "SOCKET", "send a pidfd of the process there" },
	{ "preserve-fds", 0, false, OF_MAKE | OF_EXEC, C(preserve), "N",
	  "keep N fds open, from 3 on" },
	{ "detach", 'd', false, OF_RUN | OF_EXEC, C(detach), NULL,
	  "do not wait for the end of the process" },
	{ "best-effort", 0, false, OF_MAKE, C(best_effort), NULL,
	  "run without the limits that this host cannot keep" },
	{ "no-new-keyring", 0, false, OF_MAKE, C(no_keyring), NULL,
	  "keep the session keyring" },
	{ "keep", 0, false, OF_RUN, C(keep), NULL,
	  "leave cgroups and state when the process has ended" },
	{ "no-pivot", 0, false, OF_MAKE, C(ignored), NULL,
	  "accepted and ignored: an initramfs is recognised" },
	{ "no-subreaper", 0, false, OF_MAKE, C(ignored), NULL,
	  "accepted and ignored: nsrun is no subreaper" },
	{ "process", 'p', false, OF_EXEC, C(x.process), "FILE",
	  "read the whole process from FILE" },
	{ "tty", 't', false, OF_EXEC, C(tty), NULL, "use a new terminal" },
	{ "cwd", 0, false, OF_EXEC, C(x.cwd), "DIR", "working directory" },
	{ "env", 'e', true, OF_EXEC, C(x.env), "NAME=VALUE",
	  "one more variable" },
	{ "user", 'u', false, OF_EXEC, C(x.user), "UID[:GID]", "its ids" },
	{ "additional-gids", 'g', true, OF_EXEC, C(x.groups), "GID",
	  "one more group" },
	{ "cap", 'c', true, OF_EXEC, C(x.caps), "CAP_NAME",
	  "one more capability" },
	{ "process-label", 0, false, OF_EXEC, C(x.selinux), "LABEL",
	  "SELinux label" },
	{ "apparmor", 0, false, OF_EXEC, C(x.apparmor), "PROFILE",
	  "AppArmor profile" },
	{ "no-new-privs", 0, false, OF_EXEC, C(no_new_privs), NULL,
	  "no new privileges by execve" },
	{ "cgroup", 0, true, OF_EXEC, C(x.cgroups), "[CTRL,..:]PATH",
	  "a cgroup below the container's" },
	{ "ignore-paused", 0, false, OF_EXEC, C(ignore_paused), NULL,
	  "if it is paused, wait for a resume" },
	{ "all", 'a', false, OF_KILL, C(all), NULL,
	  "signal all processes of the container" },
	{ "force", 'f', false, OF_DELETE, C(force), NULL,
	  "kill it first if it runs" },
	{ "format", 'f', false, OF_LIST | OF_PS, C(format), "table|json",
	  "format of the list" },
	{ "quiet", 'q', false, OF_LIST, C(quiet), NULL, "ids only" },
	{ "rootless", 0, false, OF_SPEC, C(rootless), NULL,
	  "a config for a user who is not root" },
	{ "resources", 'r', false, OF_UPDATE, C(resources), "FILE",
	  "linux.resources as JSON, - for stdin" },
#define SET(name, n, arg, help) \
	{ name, 0, false, OF_UPDATE, C(set[n]), arg, help }
	SET("memory", 0, "BYTES", "limit; 64m, 1.5g; -1: none"),
	SET("memory-reservation", 1, "BYTES", "soft limit"),
	SET("memory-swap", 2, "BYTES", "limit of memory and swap together"),
	SET("kernel-memory", 3, "BYTES", "removed from the kernel"),
	SET("kernel-memory-tcp", 4, "BYTES", "removed from the kernel"),
	SET("cpu-share", 5, "N", "shares, relative to those of others"),
	SET("cpu-quota", 6, "USEC", "CPU time in each period; -1: no limit"),
	SET("cpu-period", 7, "USEC", "length of the period"),
	SET("cpu-burst", 8, "USEC", "unused time that may be saved up"),
	SET("cpu-idle", 9, "0|1", "1: only CPU time that is left over"),
	SET("cpu-rt-period", 10, "USEC", "period of realtime scheduling"),
	SET("cpu-rt-runtime", 11, "USEC", "realtime CPU time in each period"),
	SET("cpuset-cpus", 12, "LIST", "processors, 0-2,5"),
	SET("cpuset-mems", 13, "LIST", "memory nodes"),
	SET("pids-limit", 14, "N", "processes; -1: no limit"),
	SET("blkio-weight", 15, "N", "10 to 1000"),
	SET("l3-cache-schema", 16, "SCHEMA", "as in linux.intelRdt"),
	SET("mem-bw-schema", 17, "SCHEMA", "as in linux.intelRdt"),
#undef SET
	{ "stats", 0, false, OF_EVENTS, C(stats), NULL,
	  "print the statistics once" },
	{ "interval", 0, false, OF_EVENTS, C(interval), "TIME",
	  "time between two statistics: 5s, 100ms" },
#undef C
};

static void cli_time(char buf[40])
{
	state_now(buf);
	buf[19] = 'Z';		/* seconds are enough */
	buf[20] = 0;
}

/* Writes t at once. If the reader of a pipe, a socket or a terminal does not
 * read, this waits, but not once the caller cancels. Other devices, such as
 * /dev/kmsg, never say that they can be written to. */
static void cli_put(const struct cli *c, struct text *t)
{
	struct stat st;
	bool waits = fstat(t->fd, &st) == 0 && (S_ISFIFO(st.st_mode) ||
			S_ISSOCK(st.st_mode) || isatty(t->fd));

	if (!waits || io_await(t->fd, POLLOUT, io_cancel(&c->o)))
		text_flush(t);
}

static void cli_record(struct cli *c, const char *level, const char *text)
{
	char buf[4096], now[40];
	struct text t = { buf, 0, sizeof buf, c->log_fd, false };

	cli_time(now);
	if (c->log_format && str_eq(c->log_format, "json")) {
		text_add(&t, "{\"level\":\"%s\",\"msg\":\"", level);
		text_escape(&t, text, true);
		text_add(&t, "\",\"time\":\"%s\"}\n", now);
	} else {
		text_add(&t, "time=\"%s\" level=%s msg=\"", now, level);
		text_escape(&t, text, true);
		text_add(&t, "\"\n");
	}
	cli_put(c, &t);
}

static void cli_line(struct text *t, const char *text)
{
	text_add(t, "nsrun: ");
	text_escape(t, text, false);
	text_char(t, '\n');
}

static void cli_say(const struct cli *c, const char *text)
{
	char buf[2048];
	struct text t = { buf, 0, sizeof buf, 2, false };

	cli_line(&t, text);
	cli_put(c, &t);
}

/* Prints the warnings that were held back: before the process can write
 * anything, or at the end. */
static void cli_release(void *data)
{
	struct cli *c = data;

	if (c->held.len)
		cli_put(c, &c->held);
}

/* Callers read the log as the record of one failure, so warnings go there only
 * with --debug. On stderr callers take the first line for the error, so a
 * warning is held back until it is known whether an error follows. To know
 * that, nsrun must wait for init; so o.starting is set only when there is a
 * warning. */
static void cli_log(void *data, enum nsrun_level level, const char *text)
{
	struct cli *c = data;

	if (c->log_fd >= 0 && c->debug)
		cli_record(c, level == NSRUN_WARNING ? "warning" : "debug",
			   text);
	else if (c->log_fd < 0 && c->debug)
		cli_say(c, text);
	else if (c->log_fd < 0 && level == NSRUN_WARNING) {
		cli_line(&c->held, text);
		c->o.starting = cli_release;
	}
}

/* Opens the log. A FIFO that nobody reads is an error (ENXIO). */
static void cli_open(struct cli *c)
{
	c->log_fd = openat(AT_FDCWD, c->log, O_WRONLY | O_APPEND | O_CREAT |
			   O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
}

/* Reports an error on stderr and in the log. An error that comes before the
 * log was opened is written there, too. */
static int cli_fail(struct cli *c, const char *text)
{
	if (c->log_fd < 0 && c->log && *c->log)
		cli_open(c);
	if (c->log_fd >= 0)
		cli_record(c, "error", text);
	cli_say(c, text);
	return 1;
}

__attribute__((format(printf, 2, 3)))
static int cli_failf(struct cli *c, const char *f, ...)
{
	char buf[ERR_MAX];
	va_list ap;

	va_start(ap, f);
	text_vto(buf, sizeof buf, f, ap);
	va_end(ap);
	return cli_fail(c, buf);
}

static void cli_attend(void *data, const struct nsrun_process *p)
{
	watch_loop(&((struct cli *)data)->watch, p);
}

static void cli_console(void *data, int master)
{
	watch_console(&((struct cli *)data)->watch, master);
}

/* Reports an error that came before the library was called. */
static int cli_cannot(struct cli *c, const char *step, const char *why)
{
	bool exec = c->cmd && c->cmd->where == OF_EXEC;

	cli_failf(c, "cannot %s%s '%s': %s%s", c->cmd ? c->cmd->name : "start",
		  exec ? " in" : "", c->nargs ? c->args[0] : "", step, why);
	return exec ? 255 : 1;
}

/* Writes out what was printed, and fails if stdout did not take it. */
static int cli_flush(struct cli *c)
{
	char why[64];

	text_flush(&c->out);
	return !c->out.bad ? 0 : cli_failf(c, "write to stdout: %s",
				       err_text(errno, why));
}

/* An empty $NOTIFY_SOCKET counts as not set, as for sd_notify(3). */
static const char *cli_notify_socket(void)
{
	const char *s = getenv("NOTIFY_SOCKET");

	return s && *s ? s : NULL;
}

/* Called before a process is made: from here on signals are blocked and read.
 * SIGTERM, SIGINT, SIGQUIT and SIGHUP cancel while the process is being made.
 * Returns nonzero if it has reported an error. */
static int cli_prepare(struct cli *c)
{
	sigset_t set;

	sys_prctl(PR_SET_NAME, (uintptr_t)"nsrun", 0);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGHUP);
	c->o.cancel_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	memset(&set, 0xff, sizeof set);	/* sigfillset() leaves some out */
	sigprocmask(SIG_SETMASK, &set, NULL);
	c->watch.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (c->o.cancel_fd < 0 || c->watch.signals < 0)
		return cli_cannot(c, "", "this kernel has no signalfd");
	c->o.console = cli_console;
	c->o.attend = cli_attend;
	c->watch.tty = -1;
	c->o.notify_socket = cli_notify_socket();
	c->o.flags |= (c->no_keyring ? NSRUN_NO_NEW_KEYRING : 0) |
		      (c->best_effort ? NSRUN_BEST_EFFORT : 0) |
		      (c->keep ? NSRUN_KEEP_ON_EXIT : 0) |
		      (c->detach ? NSRUN_DETACH : 0);
	c->x.argv = c->args + 1;
	c->x.flags = (c->tty ? NSRUN_EXEC_TTY : 0) |
		     (c->no_new_privs ? NSRUN_EXEC_NO_NEW_PRIVS : 0) |
		     (c->ignore_paused ? NSRUN_EXEC_IGNORE_PAUSED : 0);
	return 0;
}

/* create, run and exec. Restores the terminal. If signal n cancelled the
 * command, the status is 128 + n. */
static int cli_make(struct cli *c)
{
	unsigned what = c->cmd->where;
	int status = cli_prepare(c), failed, sig;

	if (status)
		return status;
	failed = what == OF_CREATE ? nsrun_create(&c->o, &c->e) :
		 what == OF_RUN ? nsrun_run(&c->o, &status, &c->e) :
		 nsrun_exec(&c->o, &c->x, &status, &c->e);
	watch_restore(&c->watch);
	if (!failed)
		return c->detach ? 0 : status;
	cli_fail(c, c->e.text);
	sig = watch_signal(c->o.cancel_fd);
	return sig ? 128 + sig : what == OF_EXEC ? 255 : 1;
}

static int cli_start(struct cli *c)
{
	c->o.notify_socket = cli_notify_socket();
	return nsrun_start(&c->o, &c->e);
}

static int cli_delete(struct cli *c)
{
	return nsrun_delete(&c->o, c->force, &c->e);
}

/* The number of 9, KILL, SIGKILL, sigkill, RTMIN+3, or 0, which only tests
 * whether the process lives; -1: no signal. */
static int cli_signal(const char *s)
{
	unsigned long long n;
	char name[16];
	size_t i;

	if (num_unsigned(s, strlen(s), &n))
		return n < _NSIG ? (int)n : -1;
	for (i = 0; s[i] && i < sizeof name - 1; i++)
		name[i] = (char)(s[i] >= 'a' && s[i] <= 'z' ? s[i] - 32 : s[i]);
	name[i] = 0;
	s = str_after(name, "SIG") ? name + 3 : name;
	for (i = 0; i < COUNT(signal_names); i++)
		if (str_eq(s, signal_names[i].name))
			return signal_names[i].value;
	n = 0;
	if ((!str_after(s, "RTMIN") && !str_after(s, "RTMAX")) ||
	    (s[5] && (s[5] != "+-"[s[4] == 'X'] ||
		      !num_unsigned(s + 6, strlen(s + 6), &n))) ||
	    n >= _NSIG - 34)
		return -1;
	return s[4] == 'X' ? _NSIG - 1 - (int)n : 34 + (int)n;
}

static int cli_kill(struct cli *c)
{
	const char *name = c->nargs > 1 ? c->args[1] : "TERM";
	int sig = cli_signal(name);

	if (sig < 0)
		return cli_failf(c, "unknown signal \"%s\"", name);
	return nsrun_kill(&c->o, sig, c->all, &c->e);
}

static void cli_put_state(struct json_out *o, const struct nsrun_state *s)
{
	json_put_open(o, NULL, '{');
	state_put(o, s);
	json_put_str(o, "owner", s->owner ? "" : "root");
	if (s->link_count)
		net_put_links(o, "networks", s->links, s->link_count);
	json_put_close(o, '}');
}

static void cli_each_state(void *data, const struct nsrun_state *s)
{
	struct cli *c = data;
	struct json_out o = { &c->out, 0, true, false };

	cli_put_state(&o, s);
}

static int cli_state(struct cli *c)
{
	if (nsrun_state(&c->o, cli_each_state, c, &c->e))
		return -1;
	text_char(&c->out, '\n');
	return cli_flush(c);
}

/* Prints a column of a table. */
static void cli_column(struct text *t, const char *s, size_t width)
{
	size_t n = strlen(s);

	text_put(t, s, n);
	for (; n < width; n++)
		text_char(t, ' ');
	text_char(t, ' ');
}

static void cli_each_listed(void *data, const struct nsrun_state *s)
{
	struct cli *c = data;
	struct text *t = &c->out;
	struct json_out o = { t, 1, c->listed++ == 0, true };
	char number[16];

	if (c->quiet) {
		text_add(t, "%s\n", s->id);
	} else if (c->format && str_eq(c->format, "json")) {
		cli_put_state(&o, s);
	} else {
		text_to(number, sizeof number, "%d", s->pid);
		cli_column(t, s->id, 15);
		cli_column(t, number, 11);
		cli_column(t, s->status, 11);
		cli_column(t, s->bundle, 23);
		cli_column(t, s->created, 30);
		text_to(number, sizeof number, "#%u", s->owner);
		text_add(t, "%s\n", s->owner ? number : "root");
	}
}

/* --format json? The other one is table. */
static bool cli_is_json(struct cli *c, bool *json)
{
	*json = c->format && str_eq(c->format, "json");
	if (!c->format || *json || str_eq(c->format, "table"))
		return true;
	cli_failf(c, "--format is table or json, not %s", c->format);
	return false;
}

static int cli_pause(struct cli *c)
{
	return nsrun_pause(&c->o, &c->e);
}

static int cli_resume(struct cli *c)
{
	return nsrun_resume(&c->o, &c->e);
}

static void cli_each_pid(void *data, int pid)
{
	struct cli *c = data;
	char path[32], line[512], number[16];
	ssize_t n;

	if (c->format && str_eq(c->format, "json")) {
		text_add(&c->out, "%s%d", c->listed++ ? "," : "", pid);
		return;
	}
	text_to(path, sizeof path, "/proc/%d/cmdline", pid);
	n = io_get(AT_FDCWD, path, line, sizeof line);
	for (; n > 0; n--)
		if (!line[n - 1])
			line[n - 1] = ' ';
	text_to(number, sizeof number, "%d", pid);
	cli_column(&c->out, number, 11);
	text_escape(&c->out, line, false);
	text_char(&c->out, '\n');
}

static int cli_ps(struct cli *c)
{
	bool json;

	if (!cli_is_json(c, &json))
		return 1;
	text_add(&c->out, json ? "[" : "PID         COMMAND\n");
	if (nsrun_ps(&c->o, cli_each_pid, c, &c->e))
		return -1;
	text_add(&c->out, json ? "]\n" : "");
	return cli_flush(c);
}

static int cli_list(struct cli *c)
{
	struct text *t = &c->out;
	bool json;

	if (!cli_is_json(c, &json))
		return 1;
	if (!c->quiet)
		text_add(t, json ? "[" : "ID              PID         STATUS  "
			 "    BUNDLE                  CREATED              "
			 "          OWNER\n");
	if (nsrun_list(&c->o, cli_each_listed, c, &c->e))
		return -1;
	text_add(t, json && !c->quiet ? "]\n" : "");
	return cli_flush(c);
}

/* What nsrun supports, and what it does not, of each member of linux in
 * features.md. */
static const struct {
	const char	*name, *yes, *no;
} features[] = {
	{ "cgroup", "v1\0v2\0rdma\0", "systemd\0systemdUser\0" },
	{ "seccomp", "", "enabled\0" },
	{ "apparmor", "enabled\0", "" },
	{ "selinux", "enabled\0", "" },
	{ "intelRdt", "enabled\0schemata\0monitoring\0", "" },
	{ "netDevices", "", "enabled\0" },
};

static void cli_put_words(struct json_out *o, const char *key,
			  const char *prefix, const char *row)
{
	char word[32];

	json_put_open(o, key, '[');
	for (; *row; row = str_next(row)) {
		text_to(word, sizeof word, "%s%s", prefix, row);
		json_put_str(o, NULL, word);
	}
	json_put_close(o, ']');
}

static void cli_put_mount_words(struct json_out *o)
{
	char word[32];
	size_t i;

	json_put_open(o, "mountOptions", '[');
	for (i = 0; i < COUNT(words); i++) {
		json_put_str(o, NULL, words[i].name);
		text_to(word, sizeof word, "r%s", words[i].name);
		if (words[i].act <= W_ATIME && !word_find(word))
			json_put_str(o, NULL, word);
	}
	for (i = 0; i < COUNT(propagation_names); i++)
		json_put_str(o, NULL, propagation_names[i].name);
	json_put_close(o, ']');
}

static void cli_put_features(struct json_out *o)
{
	const char *row;
	size_t i;

	for (i = 0; i < COUNT(features); i++) {
		json_put_open(o, features[i].name, '{');
		for (row = features[i].yes; *row; row = str_next(row))
			json_put_bool(o, row, true);
		for (row = features[i].no; *row; row = str_next(row))
			json_put_bool(o, row, false);
		json_put_close(o, '}');
	}
	json_put_open(o, "mountExtensions", '{');
	json_put_open(o, "idmap", '{');
	json_put_bool(o, "enabled", true);
	json_put_close(o, '}');
	json_put_close(o, '}');
}

/* features.md: what nsrun supports, even if this kernel does not. */
static int cli_features(struct cli *c)
{
	struct json_out o = { &c->out, 0, true, false };
	size_t i;

	json_put_open(&o, NULL, '{');
	json_put_str(&o, "ociVersionMin", "1.0.0");
	json_put_str(&o, "ociVersionMax", NSRUN_SPEC_VERSION);
	json_put_open(&o, "hooks", '[');
	for (i = 0; i < HOOK_COUNT; i++)
		json_put_str(&o, NULL, hook_name((enum hook)i));
	json_put_close(&o, ']');
	cli_put_mount_words(&o);
	json_put_open(&o, "linux", '{');
	cli_put_words(&o, "namespaces", "", "cgroup\0ipc\0mount\0network\0pid\0"
		      "time\0user\0uts\0");
	cli_put_words(&o, "capabilities", "CAP_", cap_names);
	cli_put_features(&o);
	json_put_close(&o, '}');
	json_put_close(&o, '}');
	text_char(&c->out, '\n');
	return cli_flush(c);
}

static int cli_update(struct cli *c)
{
	struct nsrun_pair set[COUNT(update_keys)];
	struct nsrun_update u = { .set = set };
	struct err why = { 0, "" };
	autofd fd = -1;
	size_t i, len;

	for (i = 0; i < COUNT(update_keys); i++)
		if (c->set[i])
			set[u.count++] = (struct nsrun_pair){ update_keys[i],
							      c->set[i] };
	if (c->resources) {
		fd = str_eq(c->resources, "-") ? dup(0) :
		     io_open(c->resources, O_RDONLY | O_NOCTTY);
		u.resources = io_load_fd(&c->mem, fd, c->resources, CONFIG_MAX,
					 &len, -1, &why);
		if (!u.resources)
			return cli_cannot(c, "--resources: ", why.text);
	}
	return nsrun_update(&c->o, &u, &c->e);
}

/* Milliseconds of 5s, 100ms, 1m30s; -1: not a time. */
static int cli_duration(const char *s)
{
	static const struct name units[] = { { "ms", 1 }, { "s", 1000 },
		{ "m", 60000 }, { "h", 3600000 } };
	unsigned long long v, sum = 0;
	const struct name *unit;
	char word[4];
	size_t n;

	do {
		n = num_len(s);
		if (!num_unsigned(s, n, &v) || v > 1000000)
			return -1;
		s += n;
		n = strcspn(s, "0123456789");
		text_cut(word, sizeof word, s, n);
		unit = name_find(units, COUNT(units), word);
		if (n && !unit)
			return -1;
		sum += v * (unsigned)(unit ? unit->value : 1000);
		s += n;
	} while (*s && sum < INT_MAX);
	return sum < INT_MAX ? (int)sum : -1;
}

static int cli_events(struct cli *c)
{
	int interval = c->interval ? cli_duration(c->interval) : 5000;

	if (interval < 0)
		return cli_failf(c, "--interval is a time such as 5s or 100ms, "
				 "not %s", c->interval);
	return c->stats ? nsrun_stats(&c->o, 1, &c->e) :
	       nsrun_events(&c->o, 1, interval, &c->e);
}

static int cli_plan(struct cli *c)
{
	if (c->nargs)
		c->o.bundle = c->args[0];
	return nsrun_plan(&c->o, 1, &c->e);
}

static int cli_spec(struct cli *c)
{
	return nsrun_spec(&c->o, c->rootless, &c->e);
}

static const struct command commands[] = {
	{ "run", "ID", "run a container", 1, 1, OF_RUN, cli_make },
	{ "create", "ID", "make a container, but do not start its program",
	  1, 1, OF_CREATE, cli_make },
	{ "start", "ID", "start the program of a created container", 1, 1,
	  OF_PLAIN, cli_start },
	{ "exec", "ID COMMAND [ARGUMENT...]",
	  "run one more program in a container", 1, -1, OF_EXEC, cli_make },
	{ "kill", "ID [SIGNAL]", "send a signal, TERM if none is named", 1, 2,
	  OF_KILL, cli_kill },
	{ "delete", "ID", "remove a stopped container", 1, 1, OF_DELETE,
	  cli_delete },
	{ "state", "ID", "print the state of a container as JSON", 1, 1,
	  OF_PLAIN, cli_state },
	{ "list", "", "list all containers", 0, 0, OF_LIST, cli_list },
	{ "pause", "ID", "stop all processes of a container", 1, 1, OF_PLAIN,
	  cli_pause },
	{ "resume", "ID", "end the pause", 1, 1, OF_PLAIN, cli_resume },
	{ "ps", "ID", "list the processes of a container", 1, 1, OF_PS,
	  cli_ps },
	{ "update", "ID", "change limits of a container", 1, 1, OF_UPDATE,
	  cli_update },
	{ "events", "ID", "print statistics and events as JSON, until it ends",
	  1, 1, OF_EVENTS, cli_events },
	{ "plan", "[BUNDLE]", "print what run would do, and do nothing", 0, 1,
	  OF_PLAN, cli_plan },
	{ "spec", "", "write a default config.json", 0, 0, OF_SPEC, cli_spec },
	{ "features", "", "print what nsrun supports as JSON", 0, 0, OF_PLAIN,
	  cli_features },
};

static void cli_usage_options(struct text *t, unsigned where)
{
	size_t i;

	for (i = 0; i < COUNT(cli_options); i++) {
		const struct cli_option *o = &cli_options[i];
		size_t len = strlen(o->name) + (o->arg ? strlen(o->arg) + 1 :
						0);

		if (!(o->where & where))
			continue;
		if (o->letter)
			text_add(t, "  -%c, --%s", o->letter, o->name);
		else
			text_add(t, "      --%s", o->name);
		if (o->arg)
			text_add(t, " %s", o->arg);
		for (; len < 24; len++)
			text_char(t, ' ');
		text_add(t, " %s\n", o->help);
	}
}

static int cli_usage(struct cli *c, const struct command *cmd)
{
	struct text *t = &c->out;
	size_t i;

	if (cmd) {
		text_add(t, "nsrun %s [options]%s%s\n%s\n\n", cmd->name,
			 *cmd->args ? " " : "", cmd->args, cmd->help);
		cli_usage_options(t, cmd->where);
	} else {
		text_add(t, "nsrun " NSRUN_VERSION " - run OCI containers\n\n"
			 "nsrun [options] COMMAND [options] [arguments]\n\n");
		for (i = 0; i < COUNT(commands); i++)
			text_add(t, "  %s%s%s\n        %s\n", commands[i].name,
				 *commands[i].args ? " " : "",
				 commands[i].args, commands[i].help);
		text_add(t, "\nOptions before the command:\n");
		cli_usage_options(t, OF_GLOBAL);
		text_add(t, "\n`nsrun COMMAND --help` prints those of a "
			 "command.\n");
	}
	return cli_flush(c);
}

static int cli_version(struct cli *c)
{
	const char *slash = strrchr(c->argv[0], '/');
	const char *name = slash ? slash + 1 : c->argv[0];

	/* callers of runc and crun parse the first line, docker info shows the
	 * commit too */
	text_add(&c->out, "%s version %s\ncommit: %s\nspec: %s\n",
		 str_eq(name, "runc") || str_eq(name, "crun") ? name : "nsrun",
		 NSRUN_VERSION, NSRUN_COMMIT, NSRUN_SPEC_VERSION);
	return cli_flush(c);
}

/* The option that word names; *value is its =value, or NULL. NULL: no
 * option. */
static const struct cli_option *cli_option(const char *word, unsigned where,
					   const char **value)
{
	const char *name = word + 1 + (word[1] == '-');
	size_t n = strcspn(name, "="), i;

	*value = name[n] ? name + n + 1 : NULL;
	for (i = 0; i < COUNT(cli_options); i++) {
		const struct cli_option *o = &cli_options[i];

		if (o->where & where &&
		    ((strlen(o->name) == n && strncmp(o->name, name, n) == 0) ||
		     (n == 1 && o->letter == *name)))
			return o;
	}
	return NULL;
}

/* Adds a value to an option that may be given several times. */
static bool cli_add(struct cli *c, char ***list, int most, const char *value)
{
	size_t n = 0;

	if (!*list)
		*list = mem_new(&c->mem, ((size_t)most + 1) * sizeof **list);
	if (!*list) {
		cli_failf(c, "out of memory");
		return false;
	}
	while ((*list)[n])
		n++;
	(*list)[n] = (char *)value;
	return true;
}

/* The words for true and false that Go's flags accept, as runc's callers use
 * them. */
static const char cli_yes[] = "1\0t\0T\0true\0True\0TRUE\0";
static const char cli_no[] = "0\0f\0F\0false\0False\0FALSE\0";

/* Reads options from argv[*at] on, up to -- or the first word that is not an
 * option. */
static bool cli_parse(struct cli *c, int argc, char **argv, int *at,
		      unsigned where)
{
	for (; *at < argc && argv[*at][0] == '-' && argv[*at][1]; ++*at) {
		const struct cli_option *o;
		const char *value;

		if (str_eq(argv[*at], "--"))
			break;
		o = cli_option(argv[*at], where, &value);
		if (!o) {
			cli_failf(c, "unknown option %s, see nsrun%s%s --help",
				  argv[*at], c->cmd ? " " : "",
				  c->cmd ? c->cmd->name : "");
			return false;
		}
		if (!o->arg) {
			bool yes = !value || str_among(cli_yes, value);

			if (!yes && !str_among(cli_no, value)) {
				cli_failf(c, "--%s is true or false, not %s",
					  o->name, value);
				return false;
			}
			*(bool *)((char *)c + o->off) = yes;
			continue;
		}
		if (!value && *at + 1 < argc)
			value = argv[++*at];
		if (!value) {
			cli_failf(c, "--%s wants a value: %s", o->name,
				  o->arg);
			return false;
		}
		if (o->list) {
			if (!cli_add(c, (char ***)((char *)c + o->off), argc,
				     value))
				return false;
		} else if (o->off != offsetof(struct cli, ignored)) {
			*(const char **)((char *)c + o->off) = value;
		}
	}
	return true;
}

/* Reads the options and arguments of the command. argv is not changed, because
 * nsrun_protect() executes the program with it again. More words than any
 * command takes are counted, but not kept. */
static bool cli_arguments(struct cli *c, int argc, char **argv, int at)
{
	bool ended;

	c->args = c->words;
	do {
		if (!cli_parse(c, argc, argv, &at, c->cmd->where))
			return false;
		ended = at < argc && str_eq(argv[at], "--");
		at += ended;
		if (c->cmd->where == OF_EXEC) {
			c->args = argv + at;
			c->nargs = argc - at;
			return true;
		}
		for (; at < argc && (ended || argv[at][0] != '-' ||
				     !argv[at][1]); at++, c->nargs++)
			if (c->nargs < (int)COUNT(c->words))
				c->words[c->nargs] = argv[at];
	} while (at < argc);
	return true;
}

static bool cli_open_log(struct cli *c)
{
	const char *f = c->log_format;
	char why[64];

	if (f && !str_eq(f, "text") && !str_eq(f, "json")) {
		cli_failf(c, "--log-format is text or json, not %s", f);
		return false;
	}
	if (!c->log || !*c->log)
		return true;
	if (str_after(c->log, "file:"))	/* as crun spells it */
		c->log = str_after(c->log, "file:");
	cli_open(c);
	if (c->log_fd < 0)
		cli_failf(c, "cannot open the log %s: %s%s", c->log,
			  err_text(errno, why), errno == ENXIO ?
			  " (nobody reads it)" : "");
	return c->log_fd >= 0;
}

/* --preserve-fds, and the fds that systemd passes ($LISTEN_FDS). */
static int cli_preserve(struct cli *c)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	unsigned long long n;
	struct err e;

	if (c->preserve) {
		if (!num_unsigned(c->preserve, strlen(c->preserve), &n) ||
		    n > FDS_MAX)
			return cli_failf(c, "--preserve-fds wants a number up "
					 "to %d, not %s", FDS_MAX, c->preserve);
		c->o.preserve_fds = (int)n;
	}
	if (pid && fds && num_unsigned(pid, strlen(pid), &n) &&
	    n == (unsigned)getpid() &&
	    num_unsigned(fds, strlen(fds), &n) && n <= FDS_MAX)
		c->o.listen_fds = (int)n;
	return verb_check_fds(&c->o, &e) ? 0 : cli_cannot(c, "", e.text);
}

/* Changes to the process that only main() may make, not the library (rule
 * 3). */
static void cli_own_process(void)
{
	int fd;

	for (fd = 0; fd < 3; fd++)
		while (sys_fcntl(fd, F_GETFD, 0) < 0 && errno == EBADF)
			if (openat(AT_FDCWD, "/dev/null", O_RDWR) < 0 &&
			    syscall(SYS_memfd_create, "null", 0) < 0)
				return;		/* verb_check_fds() refuses */
	sys_default_signal(SIGCHLD);
}

/* --cgroup-manager and --systemd-cgroup. */
static bool cli_check_manager(struct cli *c)
{
	const char *m = c->manager ? c->manager : "cgroupfs";

	if (!str_among("cgroupfs\0disabled\0systemd\0", m)) {
		cli_failf(c, "--cgroup-manager is cgroupfs or disabled, not %s",
			  m);
		return false;
	}
	if (c->systemd || str_eq(m, "systemd")) {
		cli_failf(c, "systemd cgroup flag passed, but systemd support "
			  "for managing cgroups is not available");
		return false;
	}
	if (str_eq(m, "disabled"))
		c->o.flags |= NSRUN_NO_CGROUPS;
	return true;
}

/* Checks the number of arguments; the first is the ID. */
static bool cli_check_arguments(struct cli *c)
{
	const struct command *cmd = c->cmd;
	const char *more = cmd->most >= 0 && c->nargs > cmd->most ?
			   c->args[cmd->most] : NULL;

	if (c->nargs < cmd->least || more) {
		cli_failf(c, "%s takes %s%s%s, see nsrun %s --help", cmd->name,
			  *cmd->args ? cmd->args : "no argument",
			  more ? ", not " : "", more ? more : "", cmd->name);
		return false;
	}
	if (cmd->least)
		c->o.id = c->args[0];
	return true;
}

static int cli_run(struct cli *c)
{
	int status = c->cmd->run(c);

	if (status < 0)
		status = cli_fail(c, c->e.text);
	cli_release(c);
	mem_free(&c->mem);
	return status;
}

int nsrun_main(int argc, char **argv)
{
	struct cli c = { .log_fd = -1, .argv = argv,
			 .out = { c.buf, 0, sizeof c.buf, 1, false },
			 .held = { c.held_buf, 0, sizeof c.held_buf, 2,
				   false } };
	const char *word;
	int at = 1, status;
	size_t i;

	cli_own_process();
	c.o.log = cli_log;
	c.o.data = &c;
	if (!cli_parse(&c, argc, argv, &at, OF_GLOBAL))
		return 1;
	if (c.version)
		return cli_version(&c);
	at += at < argc && str_eq(argv[at], "--");
	if (c.help || at >= argc || str_eq(argv[at], "help"))
		return cli_usage(&c, NULL);
	word = argv[at++];
	for (i = 0; i < COUNT(commands); i++)
		if (str_eq(commands[i].name, word))
			c.cmd = &commands[i];
	if (c.cmd && !cli_arguments(&c, argc, argv, at))
		return 1;
	/* nsrun_protect() executes nsrun again, and only that nsrun opens the
	 * log: if the log is a FIFO, its reader would take a close in between
	 * for the end */
	if (c.cmd && c.cmd->run == cli_make && !c.help &&
	    nsrun_protect(argv, &c.e) < 0)
		return cli_cannot(&c, "protect the program file: ", c.e.text);
	/* the log is opened last: it must not take the number of a preserved
	 * fd */
	status = cli_preserve(&c);
	if (status || !cli_open_log(&c) || !cli_check_manager(&c))
		return status ? status : 1;
	if (!c.cmd)
		return cli_failf(&c, "unknown command %s, see nsrun --help",
				 word);
	if (c.help)
		return cli_usage(&c, c.cmd);
	return cli_check_arguments(&c) ? cli_run(&c) : 1;
}

#ifndef NSRUN_NO_MAIN
int main(int argc, char **argv)
{
	return nsrun_main(argc, argv);
}
#endif
