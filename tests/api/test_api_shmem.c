/* The behaviour the shmem table promises: arguments, joins by every key, anonymous joins, creation,
   private pages, topology; and what logs. */

#include "api.h"

#include <errno.h>
#include <sys/stat.h>

#define NORMAL FD_SHMEM_NORMAL_PAGE_SZ

static char name[40], name2[40];

static void test_names(void) {
  char longest[] = "a123456789b123456789c123456789d12345678";
  char too_long[] = "a123456789b123456789c123456789d123456789";
  SILENT(fd_shmem_name_len("a") == 1UL && fd_shmem_name_len("0_-.z") == 5UL);
  SILENT(fd_shmem_name_len(longest) == 39UL && fd_shmem_name_len(too_long) == 0UL);
  SILENT(!fd_shmem_name_len(NULL) && !fd_shmem_name_len("") && !fd_shmem_name_len("_a") &&
         !fd_shmem_name_len("-a") && !fd_shmem_name_len(".a") && !fd_shmem_name_len("a/b") &&
         !fd_shmem_name_len("a b") && !fd_shmem_name_len("a:") && !fd_shmem_name_len("\xc3\xa9"));
  uchar * page =
      (uchar *)mmap(NULL, 8192UL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(page + 4096, 4096UL, PROT_NONE);
  memset(page + 4056, 'a', 40UL); /* 40 valid characters and no terminator before the hole */
  SILENT(fd_shmem_name_len((char *)page + 4056) == 0UL);
  munmap(page, 8192UL);
}

static void test_page_sizes(void) {
  SILENT(fd_shmem_is_page_sz(4096UL) == 1 && fd_shmem_is_page_sz(1UL << 21) == 1 &&
         fd_shmem_is_page_sz(1UL << 30) == 1 && !fd_shmem_is_page_sz(0UL) &&
         !fd_shmem_is_page_sz(8192UL));
  SILENT(fd_cstr_to_shmem_lg_page_sz("normal") == 12 && fd_cstr_to_shmem_lg_page_sz("HUGE") == 21 &&
         fd_cstr_to_shmem_lg_page_sz("GiGantic") == 30 && fd_cstr_to_shmem_lg_page_sz("21") == 21);
  SILENT(fd_cstr_to_shmem_page_sz("Normal") == 4096UL &&
         fd_cstr_to_shmem_page_sz("huge") == 1UL << 21 &&
         fd_cstr_to_shmem_page_sz("gigantic") == 1UL << 30 &&
         fd_cstr_to_shmem_page_sz("4096") == 4096UL &&
         fd_cstr_to_shmem_page_sz("0x200000") == 1UL << 21);
  char const * bad[] = {NULL,   "",   "norma", "normalx", "13",
                        "4095", "-1", "12x",   "4096x",   "unknown"};
  int all = 1;
  for (ulong i = 0UL; i < sizeof(bad) / sizeof(bad[0]); i++) {
    int lg_ok = fd_cstr_to_shmem_lg_page_sz(bad[i]) == -1,
        sz_ok = fd_cstr_to_shmem_page_sz(bad[i]) == 0UL;
    if (!lg_ok || !sz_ok) printf("# \"%s\" %d %d\n", bad[i] ? bad[i] : "NULL", lg_ok, sz_ok);
    all &= lg_ok && sz_ok;
  }
  SILENT(all);
  SILENT(!strcmp(fd_shmem_lg_page_sz_to_cstr(12), "normal") &&
         !strcmp(fd_shmem_lg_page_sz_to_cstr(21), "huge") &&
         !strcmp(fd_shmem_lg_page_sz_to_cstr(30), "gigantic") &&
         !strcmp(fd_shmem_lg_page_sz_to_cstr(-1), "unknown"));
  SILENT(!strcmp(fd_shmem_page_sz_to_cstr(4096UL), "normal") &&
         !strcmp(fd_shmem_page_sz_to_cstr(1UL << 21), "huge") &&
         !strcmp(fd_shmem_page_sz_to_cstr(1UL << 30), "gigantic") &&
         !strcmp(fd_shmem_page_sz_to_cstr(1UL), "unknown"));
}

static void test_topology(void) {
  ulong numa_cnt = fd_shmem_numa_cnt(), cpu_cnt = fd_shmem_cpu_cnt();
  int maps = 1;
  IS(numa_cnt >= 1UL && cpu_cnt >= numa_cnt && cpu_cnt <= FD_SHMEM_CPU_MAX &&
     numa_cnt <= FD_SHMEM_NUMA_MAX);
  for (ulong n = 0UL; n < numa_cnt; n++) {
    ulong cpu = fd_shmem_cpu_idx(n);
    maps &= cpu < cpu_cnt && fd_shmem_numa_idx(cpu) == n;
    for (ulong c = 0UL; c < cpu; c++) maps &= fd_shmem_numa_idx(c) != n;
  }
  IS(maps);
  SILENT(fd_shmem_cpu_idx(numa_cnt) == ULONG_MAX && fd_shmem_cpu_idx(ULONG_MAX) == ULONG_MAX &&
         fd_shmem_numa_idx(cpu_cnt) == ULONG_MAX && fd_shmem_numa_idx(ULONG_MAX) == ULONG_MAX);
  IS(fd_log_cpu_id() < cpu_cnt);
}

static void test_create(void) {
  ulong two[2] = {1UL, 2UL}, cpus[2] = {0UL, 0UL}, zero[2] = {0UL, 0UL};
  ulong huge_cnt[2] = {ULONG_MAX, 2UL}, far_cpu[2] = {fd_shmem_cpu_cnt(), 0UL},
        hole[2] = {0UL, 1UL};
  fd_shmem_info_t info = {7UL, 8UL};
  LOGS(fd_shmem_create("bad/name", NORMAL, 1UL, 0UL, 0600UL) == EINVAL);
  LOGS(fd_shmem_create(NULL, NORMAL, 1UL, 0UL, 0600UL) == EINVAL);
  LOGS(fd_shmem_create(name, 8192UL, 1UL, 0UL, 0600UL) == EINVAL);
  LOGS(fd_shmem_create(name, NORMAL, 0UL, 0UL, 0600UL) == EINVAL);
  LOGS(fd_shmem_create(name, NORMAL, 1UL, fd_shmem_cpu_cnt(), 0600UL) == EINVAL);
  LOGS(fd_shmem_create(name, NORMAL, 1UL, 0UL, 1UL << 40) == EINVAL);
  LOGS(fd_shmem_create(name, NORMAL, ULONG_MAX / 2UL, 0UL, 0600UL) == EINVAL);
  LOGS(fd_shmem_create_multi(name, NORMAL, 0UL, two, cpus, 0600UL) == EINVAL);
  LOGS(fd_shmem_create_multi(name, NORMAL, 2UL, NULL, cpus, 0600UL) == EINVAL);
  LOGS(fd_shmem_create_multi(name, NORMAL, 2UL, two, NULL, 0600UL) == EINVAL);
  LOGS(fd_shmem_create_multi(name, NORMAL, 2UL, zero, cpus, 0600UL) == EINVAL);
  LOGS(fd_shmem_create_multi(name, NORMAL, 2UL, huge_cnt, cpus, 0600UL) == EINVAL);
  LOGS(fd_shmem_create_multi(name, NORMAL, 2UL, two, far_cpu, 0600UL) == EINVAL);
  SILENT(fd_shmem_info(name, 0UL, &info) == ENOENT && info.page_sz == 7UL);
  SILENT(fd_shmem_create_multi(name, NORMAL, 2UL, hole, far_cpu, 0600UL) ==
         0); /* of an empty part */
  SILENT(fd_shmem_info(name, 0UL, &info) == 0 && info.page_sz == NORMAL && info.page_cnt == 1UL);
  SILENT(fd_shmem_info(name, NORMAL, NULL) == 0 &&
         fd_shmem_info(name, FD_SHMEM_HUGE_PAGE_SZ, NULL) == ENOENT);
  LOGS(fd_shmem_create(name, NORMAL, 1UL, 0UL, 0600UL) == EEXIST);
  SILENT(fd_shmem_update_multi(name, NORMAL, 2UL, two, cpus, 0600UL) == 0);
  SILENT(fd_shmem_info(name, 0UL, &info) == 0 && info.page_cnt == 3UL);
  LOGS(fd_shmem_unlink(name, 5UL) == EINVAL);
  LOGS(fd_shmem_unlink(name, FD_SHMEM_HUGE_PAGE_SZ) == ENOENT);
  LOGS(fd_shmem_unlink(NULL, NORMAL) == EINVAL);
}

static int calls;
static long seen_ref_cnt;
static void * seen_join;
static int fail_join;

static void * on_join(void * context, fd_shmem_join_info_t const * info) {
  calls++;
  seen_ref_cnt = info->ref_cnt;
  seen_join = info->join;
  return fail_join ? NULL : (uchar *)info->shmem + (ulong)context;
}

/* A join function that joins its own region: cyclic. */
static void * on_join_cyclic(void * context, fd_shmem_join_info_t const * info) {
  *(void **)context = fd_shmem_join(info->name, 0, 0, NULL, NULL, NULL);
  return info->shmem;
}

static void test_join(void) {
  fd_shmem_join_info_t a, b, c, d;
  memset(&a, 0x5a, sizeof(a));
  b = c = d = a;
  void * cyclic = name;
  LOGS(!fd_shmem_join("no-such-region", 1, 1, NULL, NULL, &a));
  LOGS(!fd_shmem_join("bad name", 1, 1, NULL, NULL, &a));
  LOGS(!fd_shmem_join(NULL, 1, 1, NULL, NULL, &a));
  LOGS(!fd_shmem_join(name, 2, 1, NULL, NULL, &a));
  fail_join = 1;
  LOGS(!fd_shmem_join(name, 1, 1, on_join, NULL, &a));
  fail_join = 0;
  SILENT(!memcmp(&a, &b, sizeof(a)) && fd_shmem_join_query_by_name(name, &a) == ENOENT);
  IS(fd_shmem_join(name, 1, 1, on_join_cyclic, &cyclic, NULL) && !cyclic && api_logged());
  IS(!fd_shmem_leave(fd_shmem_join(name, 1, 1, NULL, NULL, &d), NULL, NULL) && d.ref_cnt == 2L);
  SILENT(!fd_shmem_leave(d.join, NULL, NULL) && d.join == d.shmem);
  calls = 0;
  void * join = fd_shmem_join(name, FD_SHMEM_JOIN_MODE_READ_WRITE, 0, on_join, (void *)8, &a);
  SILENT(join && calls == 1 && seen_ref_cnt == -1L && !seen_join && a.ref_cnt == 1L &&
         a.join == join);
  SILENT(join == (uchar *)a.shmem + 8 && a.page_sz == NORMAL && a.page_cnt == 3UL && a.mode == 1);
  char key[40];
  fd_cstr_ncpy(key, name, 40UL);
  SILENT(a.hash == (uint)fd_hash(0UL, key, 40UL) && !memcmp(a.name, key, 40UL) &&
         !memcmp(a.key.cstr, key, 40UL));
  SILENT(fd_shmem_join(name, FD_SHMEM_JOIN_MODE_READ_ONLY, 1, on_join, NULL, &b) == join &&
         calls == 1 && b.ref_cnt == 2L && b.mode == 1);
  SILENT(!fd_shmem_join_query_by_name(name, &b) && !fd_shmem_join_query_by_join(join, &c) &&
         !fd_shmem_join_query_by_addr((uchar *)a.shmem + 12287, 1UL, &d));
  SILENT(!memcmp(&b, &c, 88UL) && !memcmp(&b, &d, 88UL) && b.ref_cnt == 2L);
  SILENT(!fd_shmem_join_query_by_addr((uchar *)a.shmem - 5, 6UL, NULL) &&
         fd_shmem_join_query_by_addr((uchar *)a.shmem - 5, 5UL, &d) == ENOENT &&
         fd_shmem_join_query_by_addr((uchar *)a.shmem + 12288, 1UL, &d) == ENOENT);
  SILENT(fd_shmem_join_query_by_addr(a.shmem, 0UL, &d) == ENOENT &&
         fd_shmem_join_query_by_addr((void *)(ulong)-8L, 9UL, &d) == EINVAL &&
         fd_shmem_join_query_by_join(NULL, &d) == EINVAL &&
         fd_shmem_join_query_by_join(a.shmem, &d) == ENOENT &&
         fd_shmem_join_query_by_name("", &d) == EINVAL &&
         fd_shmem_join_query_by_name(NULL, &d) == EINVAL &&
         fd_shmem_join_query_by_name("nobody", &d) == ENOENT && !memcmp(&b, &d, 88UL));
  ulong joins = 0UL;
  for (fd_shmem_join_info_t const * i = fd_shmem_iter_begin(); !fd_shmem_iter_done(i);
       i = fd_shmem_iter_next(i))
    joins += !strcmp(i->name, name);
  SILENT(joins == 1UL && fd_shmem_iter_done(NULL) == 1);
  SILENT(!fd_shmem_leave(join, on_join, NULL) && calls == 1);
  LOGS(fd_shmem_leave(a.shmem, NULL, NULL));
  SILENT(!fd_shmem_leave(join, on_join, NULL) && calls == 2 && seen_join == join);
  LOGS(fd_shmem_leave(join, NULL, NULL));
  LOGS(fd_shmem_leave(NULL, NULL, NULL));
}

/* Whether the mapping at addr is kept out of core dumps. */
static int is_dontdump(void const * addr) {
  char line[1024];
  int here = 0, dd = 0;
  ulong lo, hi;
  FILE * smaps = fopen("/proc/self/smaps", "re");
  while (smaps && fgets(line, sizeof(line), smaps)) {
    if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2) here = (ulong)addr >= lo && (ulong)addr < hi;
    if (here && !strncmp(line, "VmFlags:", 8UL)) dd = !!strstr(line, " dd");
  }
  if (smaps) fclose(smaps);
  return dd;
}

static void test_dump(void) {
  for (int dump = 0; dump < 2; dump++) {
    void * shmem = fd_shmem_join(name, 1, dump, NULL, NULL, NULL);
    SILENT(shmem && is_dontdump(shmem) == !dump && !fd_shmem_leave(shmem, NULL, NULL));
  }
}

static void test_read_only(void) {
  fd_shmem_join_info_t info;
  uchar * shmem = (uchar *)fd_shmem_join(name, FD_SHMEM_JOIN_MODE_READ_ONLY, 1, NULL, NULL, &info);
  IS(shmem && info.mode == 0 && shmem[0] == 0);
  IS(fd_shmem_join(name, FD_SHMEM_JOIN_MODE_READ_WRITE, 1, NULL, NULL, &info) == shmem &&
     info.mode == 0);
  IS(!fd_shmem_leave(shmem, NULL, NULL) && !fd_shmem_leave(shmem, NULL, NULL));
}

/* Largest page size of a name wins, also where normal pages stand in for huge ones. */
static void test_larger_wins(void) {
  fd_shmem_info_t info;
  fd_shmem_join_info_t join;
  IS(!fd_shmem_create(name, FD_SHMEM_HUGE_PAGE_SZ, 1UL, 0UL, 0600UL));
  IS(api_logged() <= 1UL); /* the one warning of the fallback */
  SILENT(!fd_shmem_info(name, 0UL, &info) && info.page_sz == FD_SHMEM_HUGE_PAGE_SZ &&
         info.page_cnt == 1UL);
  SILENT(!fd_shmem_info(name, NORMAL, &info) && info.page_cnt == 3UL);
  void * shmem = fd_shmem_join(name, 1, 1, NULL, NULL, &join);
  SILENT(shmem && join.page_sz == FD_SHMEM_HUGE_PAGE_SZ && join.page_cnt == 1UL &&
         fd_ulong_is_aligned((ulong)shmem, FD_SHMEM_HUGE_PAGE_SZ));
  SILENT(!fd_shmem_numa_validate(shmem, FD_SHMEM_HUGE_PAGE_SZ, 1UL, 0UL));
  SILENT(!fd_shmem_leave(shmem, NULL, NULL) && !fd_shmem_unlink(name, FD_SHMEM_HUGE_PAGE_SZ));
  SILENT(!fd_shmem_info(name, 0UL, &info) && info.page_sz == NORMAL);
}

static void test_acquire(void) {
  ulong two[2] = {1UL, 2UL}, cpus[2] = {0UL, 0UL};
  uchar * mem = (uchar *)fd_shmem_acquire(NORMAL, 3UL, 0UL);
  SILENT(mem && fd_ulong_is_aligned((ulong)mem, NORMAL) && fd_mem_iszero(mem, 3UL * NORMAL));
  SILENT(!fd_shmem_numa_validate(mem, NORMAL, 3UL, 0UL));
  IS(fd_shmem_numa_validate(mem, NORMAL, 3UL, fd_shmem_cpu_cnt()) == EINVAL &&
     fd_shmem_numa_validate(mem + 1, NORMAL, 3UL, 0UL) == EINVAL &&
     fd_shmem_numa_validate(NULL, NORMAL, 3UL, 0UL) == EINVAL &&
     fd_shmem_numa_validate(mem, 1UL, 3UL, 0UL) == EINVAL);
  api_logged();
  SILENT(!fd_shmem_release(mem + NORMAL, NORMAL, 1UL)); /* sub-ranges */
  SILENT(!fd_shmem_release(mem, NORMAL, 1UL) && !fd_shmem_release(mem + 2UL * NORMAL, NORMAL, 1UL));
  mem = (uchar *)fd_shmem_acquire_multi(NORMAL, 2UL, two, cpus);
  SILENT(mem && !fd_shmem_release(mem, NORMAL, 3UL));
  mem = (uchar *)fd_shmem_acquire(FD_SHMEM_GIGANTIC_PAGE_SZ, 2UL, 0UL);
  IS(mem && fd_ulong_is_aligned((ulong)mem, 1UL << 30) && !mem[(2UL << 30) - 1UL]);
  api_logged();
  SILENT(!fd_shmem_release(mem, FD_SHMEM_GIGANTIC_PAGE_SZ, 2UL));
  LOGS(!fd_shmem_acquire(NORMAL, 0UL, 0UL));
  LOGS(!fd_shmem_acquire(1UL, 1UL, 0UL));
  LOGS(!fd_shmem_acquire(NORMAL, 1UL, fd_shmem_cpu_cnt()));
  LOGS(!fd_shmem_acquire(NORMAL, ULONG_MAX, 0UL));
  LOGS(!fd_shmem_acquire_multi(NORMAL, 0UL, two, cpus));
  LOGS(!fd_shmem_acquire_multi(NORMAL, 2UL, NULL, cpus));
  LOGS(!fd_shmem_acquire_multi(NORMAL, 2UL, two, NULL));
  LOGS(fd_shmem_release(NULL, NORMAL, 1UL) == -1);
  LOGS(fd_shmem_release((void *)1, NORMAL, 1UL) == -1);
}

static void test_anonymous(void) {
  uchar * mem = (uchar *)fd_shmem_acquire(NORMAL, 4UL, 0UL);
  void * odd = mem + 1; /* any non-NULL value */
  fd_shmem_join_info_t info, by_addr;
  SILENT(!fd_shmem_join_anonymous(name2, 1, odd, mem, NORMAL, 2UL));
  LOGS(fd_shmem_join_anonymous(name2, 1, mem, mem + 8192, NORMAL, 1UL) == EINVAL);
  LOGS(fd_shmem_join_anonymous("other", 1, odd, mem + 8192, NORMAL, 1UL) == EINVAL);
  LOGS(fd_shmem_join_anonymous("other", 1, mem, mem + 4096, NORMAL, 2UL) == EINVAL);
  LOGS(fd_shmem_join_anonymous("bad/", 1, mem, mem + 8192, NORMAL, 1UL) == EINVAL);
  LOGS(fd_shmem_join_anonymous(NULL, 1, mem, mem + 8192, NORMAL, 1UL) == EINVAL);
  LOGS(fd_shmem_join_anonymous("other", 2, mem, mem + 8192, NORMAL, 1UL) == EINVAL);
  LOGS(fd_shmem_join_anonymous("other", 1, NULL, mem + 8192, NORMAL, 1UL) == EINVAL);
  LOGS(fd_shmem_join_anonymous("other", 1, mem, NULL, NORMAL, 1UL) == EINVAL);
  LOGS(fd_shmem_join_anonymous("other", 1, mem, mem + 8193, NORMAL, 1UL) == EINVAL);
  LOGS(fd_shmem_join_anonymous("other", 1, mem, mem + 8192, 1UL, 1UL) == EINVAL);
  LOGS(fd_shmem_join_anonymous("other", 1, mem, mem + 8192, NORMAL, 0UL) == EINVAL);
  LOGS(fd_shmem_join_anonymous("other", 1, mem, mem + 8192, NORMAL, ULONG_MAX) == EINVAL);
  SILENT(!fd_shmem_join_query_by_join(odd, &info) && info.ref_cnt == 1L && info.shmem == mem &&
         info.join == odd && info.page_cnt == 2UL && info.page_sz == NORMAL && info.mode == 1);
  SILENT(!fd_shmem_join_query_by_addr(mem + 8191, 1UL, &by_addr) && !memcmp(&info, &by_addr, 88UL));
  SILENT(fd_shmem_join(name2, 0, 1, NULL, NULL, &info) == odd && info.ref_cnt == 2L);
  LOGS(fd_shmem_leave_anonymous(odd, &info) == EINVAL);
  SILENT(!fd_shmem_leave(odd, NULL, NULL));
  LOGS(fd_shmem_leave(odd, NULL, NULL)); /* the final leave is the other one */
  SILENT(!fd_shmem_leave_anonymous(odd, &info) && info.ref_cnt == 0L && info.join == odd &&
         info.shmem == mem);
  LOGS(fd_shmem_leave_anonymous(odd, NULL) == EINVAL);
  LOGS(fd_shmem_leave_anonymous(NULL, NULL) == EINVAL);
  SILENT(!fd_shmem_join_anonymous(name, 1, mem, mem, NORMAL, 1UL)); /* shadows the file */
  SILENT(fd_shmem_join(name, 1, 1, NULL, NULL, &info) == mem && info.page_cnt == 1UL);
  SILENT(!fd_shmem_leave(mem, NULL, NULL) && !fd_shmem_leave_anonymous(mem, NULL));
  fd_shmem_release(mem, NORMAL, 4UL);
}

static void test_join_max(void) {
  uchar * mem = (uchar *)fd_shmem_acquire(NORMAL, 256UL, 0UL);
  ulong joined = 0UL;
  char text[40];
  for (; joined < 255UL; joined++) {
    fd_cstr_printf(text, 40UL, NULL, "many%lu", joined);
    if (fd_shmem_join_anonymous(text, 1, mem + joined, mem + 4096UL * joined, NORMAL, 1UL)) break;
  }
  SILENT(joined == 255UL);
  LOGS(fd_shmem_join_anonymous("onemore", 1, mem + 255, mem + 4096UL * 255UL, NORMAL, 1UL) ==
        EINVAL);
  LOGS(!fd_shmem_join(name, 1, 1, NULL, NULL, NULL));
  int left = 0;
  while (joined--) left |= fd_shmem_leave_anonymous(mem + joined, NULL);
  SILENT(!left);
  fd_shmem_release(mem, NORMAL, 256UL);
}

int main(void) {
  char base[] = "/dev/shm/api_shmemXXXXXX", option[80];
  if (!mkdtemp(base)) return 1;
  fd_cstr_printf(option, sizeof(option), NULL, "--shmem-path %s", base);
  api_boot(option);
  fd_cstr_printf(name, 40UL, NULL, "api%d", (int)getpid());
  fd_cstr_printf(name2, 40UL, NULL, "anon%d", (int)getpid());
  test_names();
  test_page_sizes();
  test_topology();
  test_create();
  test_join();
  test_dump();
  test_read_only();
  test_larger_wins();
  test_acquire();
  test_anonymous();
  test_join_max();
  char path[120];
  struct stat st;
  IS(!stat(fd_cstr_printf(path, 120UL, NULL, "%s/.normal/%s", base, name), &st) &&
     (st.st_mode & 0777) == 0600 && st.st_size == 12288);
  SILENT(!fd_shmem_unlink(name, NORMAL));
  fd_halt();
  IS(!rmdir(fd_cstr_printf(path, 120UL, NULL, "%s/.normal", base)) &&
     !rmdir(fd_cstr_printf(path, 120UL, NULL, "%s/.huge", base)) && !rmdir(base));
  return done_testing();
}
