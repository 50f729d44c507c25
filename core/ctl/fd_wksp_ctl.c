/* The command line of wksp: one operation per command, commands in a row on one line, each error in
   one line. */

#include <unistd.h>

#include "ctl.h"

static char const help[] =
    "usage: fd_wksp_ctl [BOOT-OPTION VALUE]... [COMMAND ARG...]...\n"
    "  new NAME PAGE-CNT PAGE-SZ CPU MODE PART-MAX SEED   create a workspace (MODE octal, PART-MAX "
    "0: automatic)\n"
    "  delete NAME                         delete it\n"
    "  alloc NAME ALIGN SZ TAG             allocate, print NAME:GADDR (ALIGN 0: 4096)\n"
    "  free NAME:GADDR                     free the allocation that contains GADDR\n"
    "  tag NAME:GADDR                      print its tag\n"
    "  memset NAME:GADDR BYTE              fill it\n"
    "  tag-query NAME TAG                  list the partitions with TAG (0: free ones)\n"
    "  tag-free NAME TAG                   free all allocations with TAG\n"
    "  reset NAME SEED                     free everything\n"
    "  usage NAME TAG                      print usage (TAG 0: no tag)\n"
    "  verify NAME                         check all metadata\n"
    "  rebuild NAME SEED                   rebuild the indices from the allocations\n"
    "  checkpt NAME PATH MODE STYLE        write all allocations to PATH (STYLE 0 default, 1-2 "
    "raw, 3 LZ4)\n"
    "  restore NAME PATH SEED              replace all allocations by those in PATH\n"
    "  preview PATH                        print what workspace PATH was made of\n"
    "  printf PATH VERBOSE                 print PATH in detail (VERBOSE 0 to 5)\n"
    "  --help                              print this\n"
    "PAGE-SZ is normal, huge or gigantic.  Commands run in order; the first error ends with status "
    "1.\n--log-level-stderr 3 shows what the library warns of as well.\n";

/* 0, or 1 after telling what err means for what; fail: what FD_WKSP_ERR_FAIL means for it. */
static int status(char const *cmd, char const *what, int err, char const *fail) {
  if (!err) return 0;
  if (err == FD_WKSP_ERR_FAIL) return ctl_failed(cmd, what, fail);
  return ctl_failed(cmd, what,
                    err == FD_WKSP_ERR_CORRUPT ? "corrupt (--log-level-stderr 3 tells where)"
                                               : "bad argument");
}

static int cmd_new(char **a) {
  ulong page_cnt = fd_cstr_to_ulong(a[2]);
  ulong cpu = fd_cstr_to_ulong(a[4]);
  return status(a[0], a[1],
                fd_wksp_new_named(a[1], fd_cstr_to_shmem_page_sz(a[3]), 1UL, &page_cnt, &cpu,
                                  fd_cstr_to_ulong_octal(a[5]), fd_cstr_to_uint(a[7]),
                                  fd_cstr_to_ulong(a[6])),
                "exists already, no such cpu, or no memory for it");
}

static int cmd_delete(char **a) {
  return status(a[0], a[1], fd_wksp_delete_named(a[1]), "no such workspace");
}

static int cmd_alloc(char **a) {
  char pos[FD_WKSP_CSTR_MAX];
  if (FD_UNLIKELY(!fd_wksp_cstr_alloc(a[1], fd_cstr_to_ulong(a[2]), fd_cstr_to_ulong(a[3]),
                                      fd_cstr_to_ulong(a[4]), pos)))
    return ctl_failed(a[0], a[1], "no such workspace, bad argument or no space");
  puts(pos);
  return 0;
}

/* The laddr of a position whose wksp stays attached, or NULL after telling so. */
static void *map(char **a) {
  void *laddr = fd_wksp_map(a[1]);
  if (FD_UNLIKELY(!laddr)) ctl_failed(a[0], a[1], "no such position");
  return laddr;
}

static int cmd_position(char **a) {
  void *laddr = map(a);
  if (FD_UNLIKELY(!laddr)) return 1;
  fd_wksp_t *wksp = fd_wksp_containing(laddr);
  ulong gaddr = fd_wksp_gaddr_fast(wksp, laddr);
  ulong tag = fd_wksp_tag(wksp, gaddr);
  if (tag && !strcmp(a[0], "free")) fd_wksp_free(wksp, gaddr);
  if (tag && !strcmp(a[0], "memset")) fd_wksp_memset(wksp, gaddr, fd_cstr_to_int(a[2]));
  if (tag && !strcmp(a[0], "tag")) printf("%lu\n", tag);
  fd_wksp_unmap(laddr);
  return tag ? 0 : ctl_failed(a[0], a[1], "not in an allocation");
}

static fd_wksp_t *attach(char **a) {
  fd_wksp_t *wksp = fd_wksp_attach(a[1]);
  if (FD_UNLIKELY(!wksp)) ctl_failed(a[0], a[1], "no such workspace");
  return wksp;
}

/* Prints the partitions with tag in ascending order, at most 65536, and how many there are. */
static void tag_query(fd_wksp_t *wksp, ulong tag) {
  static fd_wksp_tag_query_info_t info[65536];
  ulong cnt = fd_wksp_tag_query(wksp, &tag, 1UL, info, 65536UL);
  for (ulong i = 0UL; i < fd_ulong_min(cnt, 65536UL); i++)
    printf("%lu %lu sz %lu tag %lu\n", info[i].gaddr_lo, info[i].gaddr_hi,
           info[i].gaddr_hi - info[i].gaddr_lo, info[i].tag);
  printf("%lu partitions\n", cnt);
}

static void usage(fd_wksp_t *wksp, ulong tag) {
  fd_wksp_usage_t u;
  fd_wksp_usage(wksp, &tag, tag ? 1UL : 0UL, &u);
  printf("wksp %s\ntotal max %lu cnt %lu sz %lu\nfree cnt %lu sz %lu\nused cnt %lu sz %lu\n",
         fd_wksp_name(wksp), u.total_max, u.total_cnt, u.total_sz, u.free_cnt, u.free_sz,
         u.used_cnt, u.used_sz);
}

/* Commands on an attached workspace. */
static int on_wksp(char **a, fd_wksp_t *wksp) {
  char const *cmd = a[0];
  if (!strcmp(cmd, "tag-query")) tag_query(wksp, fd_cstr_to_ulong(a[2]));
  if (!strcmp(cmd, "usage")) usage(wksp, fd_cstr_to_ulong(a[2]));
  if (!strcmp(cmd, "reset")) fd_wksp_reset(wksp, fd_cstr_to_uint(a[2]));
  if (!strcmp(cmd, "verify")) return status(cmd, a[1], fd_wksp_verify(wksp), "");
  if (!strcmp(cmd, "rebuild"))
    return status(cmd, a[1], fd_wksp_rebuild(wksp, fd_cstr_to_uint(a[2])), "");
  if (!strcmp(cmd, "checkpt"))
    return status(
        cmd, a[2],
        fd_wksp_checkpt(wksp, a[2], fd_cstr_to_ulong_octal(a[3]), fd_cstr_to_int(a[4]), ""),
        "exists already or can not be written");
  if (!strcmp(cmd, "restore"))
    return status(cmd, a[2], fd_wksp_restore(wksp, a[2], fd_cstr_to_uint(a[3])),
                  "can not be read, or does not fit into this workspace");
  if (!strcmp(cmd, "tag-free")) {
    ulong tag = fd_cstr_to_ulong(a[2]);
    fd_wksp_tag_free(wksp, &tag, 1UL);
  }
  return 0;
}

static int cmd_wksp(char **a) {
  fd_wksp_t *wksp = attach(a);
  if (FD_UNLIKELY(!wksp)) return 1;
  int err = on_wksp(a, wksp);
  fd_wksp_detach(wksp);
  return err;
}

static char const unreadable[] = "can not be read";

static int cmd_preview(char **a) {
  fd_wksp_preview_t p;
  int err = fd_wksp_preview(a[1], &p);
  if (FD_UNLIKELY(err)) return status(a[0], a[1], err, unreadable);
  printf("style %i name %s seed %u part-max %lu data-max %lu\n", p.style, p.name, p.seed,
         p.part_max, p.data_max);
  return 0;
}

static int cmd_printf(char **a) {
  fflush(stdout);
  int cnt = fd_wksp_printf(STDOUT_FILENO, a[1], fd_cstr_to_int(a[2]));
  return status(a[0], a[1], cnt < 0 ? cnt : 0, unreadable);
}

static ctl_command_t const command[] = {
    {"new", "snpnonn", cmd_new},   {"delete", "s", cmd_delete},  {"alloc", "snnn", cmd_alloc},
    {"free", "s", cmd_position},   {"tag", "s", cmd_position},   {"memset", "sn", cmd_position},
    {"tag-query", "sn", cmd_wksp}, {"tag-free", "sn", cmd_wksp}, {"reset", "sn", cmd_wksp},
    {"usage", "sn", cmd_wksp},     {"verify", "s", cmd_wksp},    {"rebuild", "sn", cmd_wksp},
    {"checkpt", "sson", cmd_wksp}, {"restore", "ssn", cmd_wksp}, {"preview", "s", cmd_preview},
    {"printf", "sn", cmd_printf},
};

ctl_t const ctl = {"fd_wksp_ctl", help, command, sizeof(command) / sizeof(command[0])};

int main(int argc, char **argv) { return ctl_main(argc, argv); }
