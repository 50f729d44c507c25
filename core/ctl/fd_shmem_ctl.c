/* The command line of fd_shmem: regions and what the machine offers for them. */

#include "ctl.h"

static char const help[] =
    "usage: fd_shmem_ctl [BOOT-OPTION VALUE]... [COMMAND ARG...]...\n"
    "  new NAME PAGE-CNT PAGE-SZ CPU MODE   create a region (MODE octal)\n"
    "  delete NAME PAGE-SZ                  unlink it (PAGE-SZ 0: largest of that name)\n"
    "  query NAME PAGE-SZ                   print its page size and count (PAGE-SZ 0: largest of "
    "that name)\n"
    "  info                                 print cpus and numa nodes\n"
    "  --help                               print this\n"
    "PAGE-SZ is normal, huge or gigantic.  Commands run in order; the first error ends with status "
    "1.\n--log-level-stderr 3 shows what the library warns of as well.\n";

static int cmd_new(char **a) {
  int err = fd_shmem_create(a[1], fd_cstr_to_shmem_page_sz(a[3]), fd_cstr_to_ulong(a[2]),
                            fd_cstr_to_ulong(a[4]), fd_cstr_to_ulong_octal(a[5]));
  return err ? ctl_failed(a[0], a[1], fd_io_strerror(err)) : 0;
}

/* Page size named by cstr, and for 0 that of region name; 0 if there is no such region. */
static ulong region_page_sz(char const *name, char const *cstr) {
  fd_shmem_info_t info;
  return fd_shmem_info(name, fd_cstr_to_shmem_page_sz(cstr), &info) ? 0UL : info.page_sz;
}

static int cmd_delete(char **a) {
  ulong page_sz = region_page_sz(a[1], a[2]);
  if (FD_UNLIKELY(!page_sz)) return ctl_failed(a[0], a[1], "no such region");
  int err = fd_shmem_unlink(a[1], page_sz);
  return err ? ctl_failed(a[0], a[1], fd_io_strerror(err)) : 0;
}

static int cmd_query(char **a) {
  fd_shmem_info_t info;
  int err = fd_shmem_info(a[1], fd_cstr_to_shmem_page_sz(a[2]), &info);
  if (FD_UNLIKELY(err)) return ctl_failed(a[0], a[1], fd_io_strerror(err));
  printf("%s: %lu %s pages, %lu bytes\n", a[1], info.page_cnt,
         fd_shmem_page_sz_to_cstr(info.page_sz), info.page_cnt * info.page_sz);
  return 0;
}

static int cmd_info(char **a) {
  (void)a;
  printf("%lu numa nodes, %lu cpus\n", fd_shmem_numa_cnt(), fd_shmem_cpu_cnt());
  for (ulong i = 0UL; i < fd_shmem_cpu_cnt(); i++)
    printf("cpu %lu: node %lu\n", i, fd_shmem_numa_idx(i));
  return 0;
}

static ctl_command_t const command[] = {
    {"new", "snpno", cmd_new},
    {"delete", "sp", cmd_delete},
    {"query", "sp", cmd_query},
    {"info", "", cmd_info},
};

ctl_t const ctl = {"fd_shmem_ctl", help, command, sizeof(command) / sizeof(command[0])};

int main(int argc, char **argv) { return ctl_main(argc, argv); }
