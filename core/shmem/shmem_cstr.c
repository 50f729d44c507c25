/* Names of regions and page sizes. */

#include "fd/util/shmem/fd_shmem.h"

#include <stdlib.h>

static struct {
  int lg_page_sz;
  char const * name;
} const known[3] = {{FD_SHMEM_NORMAL_LG_PAGE_SZ, "normal"},
                    {FD_SHMEM_HUGE_LG_PAGE_SZ, "huge"},
                    {FD_SHMEM_GIGANTIC_LG_PAGE_SZ, "gigantic"}};

static int is_alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

ulong fd_shmem_name_len(char const * name) {
  if (!name || !is_alnum(name[0])) return 0UL;
  for (ulong len = 1UL; len < FD_SHMEM_NAME_MAX; len++) {
    char c = name[len];
    if (!c) return len;
    if (!is_alnum(c) && c != '_' && c != '-' && c != '.') return 0UL;
  }
  return 0UL;
}

int fd_shmem_is_page_sz(ulong page_sz) {
  for (ulong i = 0UL; i < 3UL; i++) {
    if (page_sz == 1UL << known[i].lg_page_sz) return 1;
  }
  return 0;
}

/* The number that is all of cstr, or 0. */
static ulong whole_number(char const * cstr) {
  char * end;
  ulong x = strtoul(cstr, &end, 0);
  return end != cstr && !*end ? x : 0UL;
}

int fd_cstr_to_shmem_lg_page_sz(char const * cstr) {
  if (!cstr) return FD_SHMEM_UNKNOWN_LG_PAGE_SZ;
  ulong number = whole_number(cstr);
  for (ulong i = 0UL; i < 3UL; i++) {
    if (!fd_cstr_casecmp(cstr, known[i].name) || number == (ulong)known[i].lg_page_sz) {
      return known[i].lg_page_sz;
    }
  }
  return FD_SHMEM_UNKNOWN_LG_PAGE_SZ;
}

ulong fd_cstr_to_shmem_page_sz(char const * cstr) {
  if (!cstr) return FD_SHMEM_UNKNOWN_PAGE_SZ;
  ulong number = whole_number(cstr);
  for (ulong i = 0UL; i < 3UL; i++) {
    ulong page_sz = 1UL << known[i].lg_page_sz;
    if (!fd_cstr_casecmp(cstr, known[i].name) || number == page_sz) return page_sz;
  }
  return FD_SHMEM_UNKNOWN_PAGE_SZ;
}

char const * fd_shmem_lg_page_sz_to_cstr(int lg_page_sz) {
  for (ulong i = 0UL; i < 3UL; i++) {
    if (lg_page_sz == known[i].lg_page_sz) return known[i].name;
  }
  return "unknown";
}

char const * fd_shmem_page_sz_to_cstr(ulong page_sz) {
  return fd_shmem_is_page_sz(page_sz) ? fd_shmem_lg_page_sz_to_cstr(fd_ulong_find_msb(page_sz))
                                      : "unknown";
}
