/* Shared memory: names and sizes, named regions across processes, anonymous joins, the join table's
   errors, private pages and topology. */

#include "fd/util/fd_util.h"
#include "tests/unit/tap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char name[FD_SHMEM_NAME_MAX];

static void test_cstr(void) {
  ok(fd_shmem_name_len("a") == 1UL && fd_shmem_name_len("9_-.z") == 5UL, "good names");
  ok(!fd_shmem_name_len(NULL) && !fd_shmem_name_len("") && !fd_shmem_name_len("_a") &&
         !fd_shmem_name_len("a/b") && !fd_shmem_name_len("a b"),
     "bad names");
  is_ulong(fd_shmem_name_len("123456789012345678901234567890123456789"), 39UL, "longest name");
  ok(!fd_shmem_name_len("1234567890123456789012345678901234567890"), "name too long");
  ok(fd_cstr_to_shmem_page_sz("GigantiC") == FD_SHMEM_GIGANTIC_PAGE_SZ &&
         fd_cstr_to_shmem_page_sz("4096") == 4096UL &&
         fd_cstr_to_shmem_page_sz("0x200000") == 2097152UL,
     "page sizes");
  ok(!fd_cstr_to_shmem_page_sz(NULL) && !fd_cstr_to_shmem_page_sz("") &&
         !fd_cstr_to_shmem_page_sz("4097"),
     "no page sizes");
  ok(fd_cstr_to_shmem_lg_page_sz("huge") == 21 && fd_cstr_to_shmem_lg_page_sz("12") == 12 &&
         fd_cstr_to_shmem_lg_page_sz("13") == -1 && fd_cstr_to_shmem_lg_page_sz(NULL) == -1,
     "lg page sizes");
  is_str(fd_shmem_page_sz_to_cstr(5UL), "unknown", "unknown page size");
  is_str(fd_shmem_lg_page_sz_to_cstr(30), "gigantic", "gigantic");
}

static void test_topology(void) {
  ulong numa = fd_shmem_numa_cnt(), cpu = fd_shmem_cpu_cnt();
  int good = 1;
  ok(numa >= 1UL && cpu >= numa && cpu <= FD_SHMEM_CPU_MAX, "%lu nodes, %lu cpus", numa, cpu);
  ok(fd_log_cpu_id() < cpu, "the caller's cpu is counted");
  for (ulong i = 0UL; i < numa; i++) good &= fd_shmem_numa_idx(fd_shmem_cpu_idx(i)) == i;
  ok(good && fd_shmem_cpu_idx(numa) == ULONG_MAX && fd_shmem_numa_idx(cpu) == ULONG_MAX,
     "nodes and cpus map to each other");
}

static void * to_second_page(void * context, fd_shmem_join_info_t const * info) {
  *(int *)context += 1;
  if (info->ref_cnt < 0L && info->join) return NULL;
  return (uchar *)info->shmem + 4096;
}

static void * join_self(void * context, fd_shmem_join_info_t const * info) {
  *(void **)context = fd_shmem_join(info->name, 1, 0, NULL, NULL, NULL);
  return info->shmem;
}

static void test_named_errors(void) {
  ulong one = 1UL, zero = 0UL, many = 1UL << 60, cpu = fd_shmem_cpu_cnt();
  ok(fd_shmem_create("_bad", 4096UL, 1UL, 0UL, 0600UL) == EINVAL, "create: name");
  ok(fd_shmem_create(name, 4097UL, 1UL, 0UL, 0600UL) == EINVAL, "create: page size");
  ok(fd_shmem_create(name, 4096UL, 0UL, 0UL, 0600UL) == EINVAL, "create: no pages");
  ok(fd_shmem_create(name, 4096UL, many, 0UL, 0600UL) == EINVAL, "create: too many pages");
  ok(fd_shmem_create(name, 4096UL, 1UL, cpu, 0600UL) == EINVAL, "create: cpu");
  ok(fd_shmem_create(name, 4096UL, 1UL, 0UL, 1UL << 40) == EINVAL, "create: mode");
  ok(fd_shmem_create_multi(name, 4096UL, 0UL, &one, &zero, 0600UL) == EINVAL, "create: no parts");
  ok(fd_shmem_create_multi(name, 4096UL, 1UL, NULL, &zero, 0600UL) == EINVAL, "create: NULL");
  ok(fd_shmem_info(name, 0UL, NULL) == ENOENT && fd_shmem_unlink(name, 4096UL) == ENOENT,
     "nothing there");
  ok(!fd_shmem_join(name, 1, 0, NULL, NULL, NULL) && !fd_shmem_join(NULL, 1, 0, NULL, NULL, NULL),
     "join: nothing there");
}

static void test_named(void) {
  fd_shmem_info_t info;
  fd_shmem_join_info_t a, b, c;
  int calls = 0;
  void * self = (void *)1;
  ok(!fd_shmem_create(name, 4096UL, 3UL, 0UL, 0600UL), "create");
  ok(fd_shmem_create(name, 4096UL, 3UL, 0UL, 0600UL) == EEXIST, "create again");
  ok(!fd_shmem_info(name, 0UL, &info) && info.page_sz == 4096UL && info.page_cnt == 3UL, "info");
  ok(!fd_shmem_join(name, 2, 0, NULL, NULL, NULL), "join: mode");
  void * join = fd_shmem_join(name, 1, 0, to_second_page, &calls, &a);
  ok(join && a.ref_cnt == 1L && a.join == join && a.page_cnt == 3UL && a.mode == 1, "join");
  is_ulong(a.hash, (uint)fd_hash(0UL, a.name, 40UL), "hash of the name");
  ok(fd_shmem_join(name, 0, 0, to_second_page, &calls, &a) == join && a.ref_cnt == 2L &&
         a.mode == 1 && calls == 1,
     "join again");
  memset(&a, 1, sizeof(a)), memset(&b, 2, sizeof(b)), memset(&c, 3, sizeof(c));
  ok(!fd_shmem_join_query_by_name(name, &a) && !fd_shmem_join_query_by_join(join, &b) &&
         !fd_shmem_join_query_by_addr((uchar *)join + 8191, 100UL, &c) &&
         !memcmp(&a, &b, sizeof(a)) && !memcmp(&a, &c, sizeof(a)),
     "three queries agree bytewise");
  ok(fd_shmem_join_query_by_addr(join, 0UL, NULL) == ENOENT &&
         fd_shmem_join_query_by_addr(join, ULONG_MAX, NULL) == EINVAL &&
         fd_shmem_join_query_by_join(NULL, NULL) == EINVAL &&
         fd_shmem_join_query_by_name("no", NULL) == ENOENT,
     "queries that find nothing");
  pid_t child = fork();
  if (!child) {
    uchar * p = fd_shmem_join(name, 1, 0, NULL, NULL, NULL);
    _exit(p == join ? (p[0] = 77, 0) : 1);
  }
  int status;
  waitpid(child, &status, 0);
  ok(!status && *(uchar *)join == 77, "memory is shared");
  ok(!fd_shmem_leave(join, to_second_page, &calls) &&
         !fd_shmem_leave(join, to_second_page, &calls) && calls == 2,
     "leave twice");
  ok(fd_shmem_leave(join, NULL, NULL) && fd_shmem_leave(NULL, NULL, NULL), "leave of no join");
  join = fd_shmem_join(name, 0, 0, join_self, &self, NULL);
  ok(join && !self && !fd_shmem_leave(join, NULL, NULL), "a cyclic join fails");
  ok(!fd_shmem_update(name, 4096UL, 5UL, 0UL, 0600UL) && !fd_shmem_info(name, 4096UL, &info) &&
         info.page_cnt == 5UL,
     "update");
  ok(!fd_shmem_unlink(name, 4096UL) && fd_shmem_info(name, 4096UL, NULL) == ENOENT, "unlink");
}

static void test_huge_named(void) {
  fd_shmem_join_info_t a;
  ok(!fd_shmem_create(name, FD_SHMEM_HUGE_PAGE_SZ, 2UL, 0UL, 0600UL), "create huge");
  uchar * p = fd_shmem_join(name, 1, 1, NULL, NULL, &a);
  ok(p && fd_ulong_is_aligned((ulong)p, FD_SHMEM_HUGE_PAGE_SZ) &&
         a.page_sz == FD_SHMEM_HUGE_PAGE_SZ && a.page_cnt == 2UL,
     "huge join");
  if (p) p[(4UL << 20) - 1UL] = 1;
  ok(!fd_shmem_numa_validate(p, FD_SHMEM_HUGE_PAGE_SZ, 2UL, 0UL), "validate");
  ok(!fd_shmem_leave(p, NULL, NULL) && !fd_shmem_unlink(name, FD_SHMEM_HUGE_PAGE_SZ), "huge gone");
}

static void test_anonymous(void) {
  fd_shmem_join_info_t a;
  uchar * mem = fd_shmem_acquire(4096UL, 4UL, 0UL);
  void * join = mem + 5;
  ok(mem && fd_mem_iszero(mem, 16384UL), "acquire");
  ok(fd_shmem_join_anonymous(name, 1, NULL, mem, 4096UL, 4UL) == EINVAL, "anonymous: NULL join");
  ok(fd_shmem_join_anonymous(name, 1, join, mem + 1, 4096UL, 4UL) == EINVAL,
     "anonymous: misaligned");
  ok(fd_shmem_join_anonymous(name, 9, join, mem, 4096UL, 4UL) == EINVAL, "anonymous: mode");
  ok(fd_shmem_join_anonymous(name, 1, join, mem, 4096UL, 0UL) == EINVAL, "anonymous: no pages");
  ok(!fd_shmem_join_anonymous(name, 1, join, mem, 4096UL, 4UL), "anonymous join");
  ok(fd_shmem_join_anonymous(name, 1, mem + 6, mem + 16384, 4096UL, 1UL) == EINVAL,
     "anonymous: name taken");
  ok(fd_shmem_join_anonymous("other", 1, mem + 6, mem + 12288, 4096UL, 1UL) == EINVAL,
     "anonymous: memory taken");
  ok(fd_shmem_join(name, 0, 0, NULL, NULL, &a) == join && a.ref_cnt == 2L, "join by name");
  ok(fd_shmem_leave_anonymous(join, NULL) == EINVAL, "not the only join");
  ok(!fd_shmem_leave(join, NULL, NULL) && fd_shmem_leave(join, NULL, NULL),
     "the last leave is another");
  fd_shmem_join_info_t const * iter = fd_shmem_iter_begin();
  ok(iter && iter->join == join && fd_shmem_iter_done(fd_shmem_iter_next(iter)), "iterate");
  ok(!fd_shmem_leave_anonymous(join, &a) && !a.ref_cnt && a.join == join, "leave anonymous");
  ok(fd_shmem_leave_anonymous(join, NULL) == EINVAL && fd_shmem_iter_done(fd_shmem_iter_begin()),
     "table empty");
  ok(!fd_shmem_release(mem, 4096UL, 2UL) && !fd_shmem_release(mem + 8192, 4096UL, 2UL),
     "release in parts");
  ok(fd_shmem_release(NULL, 4096UL, 2UL) == -1 && !fd_shmem_acquire(4096UL, 0UL, 0UL),
     "bad release, bad acquire");
}

static void test_table_full(void) {
  uchar * mem = fd_shmem_acquire(4096UL, 256UL, 0UL);
  char n[FD_SHMEM_NAME_MAX];
  ulong cnt = 0UL;
  for (ulong i = 0UL; i < 256UL; i++) {
    fd_cstr_printf(n, sizeof(n), NULL, "n%lu", i);
    cnt += !fd_shmem_join_anonymous(n, 1, mem + 4096UL * i, mem + 4096UL * i, 4096UL, 1UL);
  }
  is_ulong(cnt, FD_SHMEM_JOIN_MAX, "joins the table takes");
  for (ulong i = 0UL; i < 255UL; i++) cnt -= !fd_shmem_leave_anonymous(mem + 4096UL * i, NULL);
  is_ulong(cnt, 0UL, "and gives back");
  fd_shmem_release(mem, 4096UL, 256UL);
}

static void test_gigantic(void) {
  uchar * mem = fd_shmem_acquire(FD_SHMEM_GIGANTIC_PAGE_SZ, 2UL, fd_log_cpu_id());
  ok(mem && fd_ulong_is_aligned((ulong)mem, FD_SHMEM_GIGANTIC_PAGE_SZ), "2 GiB of gigantic pages");
  if (mem) mem[(2UL << 30) - 1UL] = 1;
  ok(!fd_shmem_release(mem, FD_SHMEM_GIGANTIC_PAGE_SZ, 2UL), "released");
}

static void test_path(void) {
  char file[128], dir[] = "/tmp/test_fd_shmem.XXXXXX";
  char * argv_[] = {(char *)(ulong) "x", (char *)(ulong) "--shmem-path", dir, NULL};
  char ** argv = argv_;
  int argc = 3;
  if (!mkdtemp(dir)) return;
  fd_shmem_private_boot(&argc, &argv);
  ok(argc == 1 && !fd_shmem_create(name, 4096UL, 1UL, 0UL, 0640UL), "create under --shmem-path");
  fd_cstr_printf(file, sizeof(file), NULL, "%s/.normal/%s", dir, name);
  struct stat st;
  ok(!stat(file, &st) && st.st_size == 4096 && (st.st_mode & 0777) == 0640,
     "the file is where it should be");
  ok(!fd_shmem_unlink(name, 4096UL), "unlink there");
  fd_cstr_printf(file, sizeof(file), NULL, "%s/.normal", dir);
  rmdir(file);
  rmdir(dir);
  fd_shmem_private_halt();
}

int main(int argc, char ** argv) {
  setenv("FD_LOG_PATH", "", 0); /* no litter in /tmp */
  fd_boot(&argc, &argv);
  fd_log_level_stderr_set(4);
  fd_cstr_printf(name, sizeof(name), NULL, "test.%lu", fd_log_group_id());
  is_ulong(sizeof(fd_shmem_join_info_t), 88UL, "size of join info");
  test_cstr();
  test_topology();
  test_named_errors();
  test_named();
  test_huge_named();
  test_anonymous();
  test_table_full();
  test_gigantic();
  test_path();
  fd_halt();
  return done_testing();
}
