/* Topology and placement.  The topology is read once from sysfs; nodes without cpus are not
   counted, so every counted node has a cpu and every cpu a node.  A host without that information
   is one node. */

#include "shmem_private.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MPOL_PREFERRED_MODE (1)

static pthread_once_t topo_once = PTHREAD_ONCE_INIT;
static ulong cpu_cnt;
static ulong numa_cnt;
static ushort cpu_to_numa[FD_SHMEM_CPU_MAX];
static ushort numa_to_os[FD_SHMEM_NUMA_MAX]; /* the kernel's node number */

/* The numbers of a sysfs list such as "0-3,8"; 0 if there is no such file or it is empty. */
static ulong read_list(char const * path, ulong * seq, ulong max) {
  char text[4096] = "";
  FILE * file = fopen(path, "re");
  if (!file) return 0UL;
  if (!fgets(text, sizeof(text), file)) text[0] = '\0';
  fclose(file);
  return fd_ulong_min(fd_cstr_to_ulong_seq(text, seq, max), max);
}

static ulong highest_cpu(void) {
  static ulong seq[FD_SHMEM_CPU_MAX];
  long conf = sysconf(_SC_NPROCESSORS_CONF);
  ulong top = conf > 0L ? (ulong)conf - 1UL : 0UL;
  ulong cnt = read_list("/sys/devices/system/cpu/present", seq, FD_SHMEM_CPU_MAX);
  for (ulong i = 0UL; i < cnt; i++) top = fd_ulong_max(top, seq[i]);
  cpu_set_t set;
  if (!sched_getaffinity(0, sizeof(set), &set)) {
    for (ulong i = 0UL; i < CPU_SETSIZE; i++) {
      if (CPU_ISSET(i, &set)) top = fd_ulong_max(top, i);
    }
  }
  return fd_ulong_min(top, FD_SHMEM_CPU_MAX - 1UL);
}

static void read_node(ulong os_node) {
  static ulong seq[FD_SHMEM_CPU_MAX];
  char path[64];
  int used = 0;
  fd_cstr_printf(path, sizeof(path), NULL, "/sys/devices/system/node/node%lu/cpulist", os_node);
  ulong cnt = read_list(path, seq, FD_SHMEM_CPU_MAX);
  for (ulong i = 0UL; i < cnt; i++) {
    if (seq[i] >= cpu_cnt) continue;
    cpu_to_numa[seq[i]] = (ushort)numa_cnt;
    used = 1;
  }
  if (!used) return;
  numa_to_os[numa_cnt] = (ushort)os_node;
  numa_cnt++;
}

/* Cpus no node claims count as node 0, which cpu_to_numa already says. */
static void read_topology(void) {
  static ulong nodes[FD_SHMEM_NUMA_MAX];
  cpu_cnt = highest_cpu() + 1UL;
  ulong cnt = read_list("/sys/devices/system/node/online", nodes, FD_SHMEM_NUMA_MAX);
  for (ulong i = 0UL; i < cnt; i++) read_node(nodes[i]);
  if (!numa_cnt) numa_cnt = 1UL;
}

static void topology(void) { pthread_once(&topo_once, read_topology); }

ulong fd_shmem_numa_cnt(void) {
  topology();
  return numa_cnt;
}

ulong fd_shmem_cpu_cnt(void) {
  topology();
  return cpu_cnt;
}

ulong fd_shmem_numa_idx(ulong cpu_idx) {
  topology();
  return cpu_idx < cpu_cnt ? (ulong)cpu_to_numa[cpu_idx] : ULONG_MAX;
}

ulong fd_shmem_cpu_idx(ulong numa_idx) {
  topology();
  for (ulong cpu = 0UL; numa_idx < numa_cnt && cpu < cpu_cnt; cpu++) {
    if ((ulong)cpu_to_numa[cpu] == numa_idx) return cpu;
  }
  return ULONG_MAX;
}

/* The first touch after mbind decides where a page lives, so touch at once. */
static void place_part(uchar * mem, ulong sz, ulong cpu_idx) {
  ulong mask[FD_SHMEM_NUMA_MAX / 64UL] = {0};
  ulong node = numa_to_os[cpu_to_numa[cpu_idx]];
  mask[node / 64UL] = fd_ulong_mask_bit((int)(node % 64UL));
  if (syscall(SYS_mbind, mem, sz, MPOL_PREFERRED_MODE, mask, FD_SHMEM_NUMA_MAX, 0U)) return;
  for (ulong off = 0UL; off < sz; off += FD_SHMEM_NORMAL_PAGE_SZ) {
    FD_VOLATILE(mem[off]) = FD_VOLATILE_CONST(mem[off]);
  }
}

void fd_shmem_private_place(void * mem, ulong page_sz, ulong sub_cnt, ulong const * sub_page_cnt,
                            ulong const * sub_cpu_idx) {
  if (fd_shmem_numa_cnt() < 2UL) return;
  uchar * part = (uchar *)mem;
  for (ulong i = 0UL; i < sub_cnt; i++) {
    ulong sz = sub_page_cnt[i] * page_sz;
    if (sz) place_part(part, sz, sub_cpu_idx[i]);
    part += sz;
  }
}

/* EFAULT if some page cannot be read: the kernel refuses to copy from it. */
static int is_readable(uchar const * mem, ulong sz) {
  int pipe_fd[2], err = 0;
  if (pipe2(pipe_fd, O_CLOEXEC)) return errno;
  for (ulong off = 0UL; !err && off < sz; off += FD_SHMEM_NORMAL_PAGE_SZ) {
    char c;
    if (write(pipe_fd[1], mem + off, 1UL) != 1L || read(pipe_fd[0], &c, 1UL) != 1L) err = errno;
  }
  close(pipe_fd[0]);
  close(pipe_fd[1]);
  return err;
}

/* ENXIO if a resident page is on another node; a refused query counts as fine. */
static int on_node(uchar const * mem, ulong page_sz, ulong page_cnt, ulong os_node) {
  for (ulong i = 0UL; i < page_cnt; i++) {
    void const * page = mem + i * page_sz;
    int status = -1;
    if (syscall(SYS_move_pages, 0, 1UL, &page, NULL, &status, 0)) return 0;
    if (status == -ENOENT) return ENOENT;
    if (status >= 0 && (ulong)status != os_node) return ENXIO;
  }
  return 0;
}

int fd_shmem_numa_validate(void const * mem, ulong page_sz, ulong page_cnt, ulong cpu_idx) {
  ulong sz;
  if (!mem || !fd_shmem_is_page_sz(page_sz) || !fd_ulong_is_aligned((ulong)mem, page_sz) ||
      !page_cnt || cpu_idx >= fd_shmem_cpu_cnt() ||
      __builtin_mul_overflow(page_sz, page_cnt, &sz)) {
    FD_LOG_WARNING(("bad arguments"));
    return EINVAL;
  }
  int err = is_readable((uchar const *)mem, sz);
  if (err || numa_cnt < 2UL) return err;
  return on_node((uchar const *)mem, page_sz, page_cnt, (ulong)numa_to_os[cpu_to_numa[cpu_idx]]);
}
