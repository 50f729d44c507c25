/* Named regions as files.  They live under the configured base directory or, where that does not
   exist or cannot be written, under one fixed substitute; looking up always tries both, so
   processes that differ in rights find each other's regions. */

#include "shmem_private.h"

#include "fd/util/env/fd_env.h"
#include "fd/util/io/fd_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define DEFAULT_BASE    "/mnt/.fd"
#define SUBSTITUTE_BASE "/dev/shm/.fd"
#define HUGETLBFS_TYPE  (0x958458f6L)
#define PATH_SZ         (1280UL)

static char base_path[1024] = DEFAULT_BASE;

void fd_shmem_private_boot(int * pargc, char *** pargv) {
  char const * path =
      fd_env_strip_cmdline_cstr(pargc, pargv, "--shmem-path", "FD_SHMEM_PATH", DEFAULT_BASE);
  if (!path[0] || strlen(path) >= sizeof(base_path)) FD_LOG_ERR(("bad --shmem-path"));
  fd_cstr_ncpy(base_path, path, sizeof(base_path));
}

void fd_shmem_private_halt(void) { fd_cstr_ncpy(base_path, DEFAULT_BASE, sizeof(base_path)); }

static char const * base_dir(int substitute) { return substitute ? SUBSTITUTE_BASE : base_path; }

static char * dir_of(char * path, int substitute, ulong page_sz) {
  return fd_cstr_printf(path, PATH_SZ, NULL, "%s/.%s", base_dir(substitute),
                        fd_shmem_page_sz_to_cstr(page_sz));
}

static char * path_of(char * path, int substitute, char const * name, ulong page_sz) {
  return fd_cstr_printf(path, PATH_SZ, NULL, "%s/.%s/%s", base_dir(substitute),
                        fd_shmem_page_sz_to_cstr(page_sz), name);
}

int fd_shmem_private_open(char const * name, ulong page_sz, int flags, ulong * _sz) {
  char path[PATH_SZ];
  int fd = -1, err = ENOENT;
  for (int substitute = 0; fd < 0 && substitute < 2; substitute++) {
    fd = open(path_of(path, substitute, name, page_sz), flags | O_CLOEXEC);
    if (fd < 0 && (errno != ENOENT && errno != ENOTDIR)) err = errno;
  }
  if (fd < 0) return -err;
  err = fd_io_sz(fd, _sz);
  if (!err) return fd;
  close(fd);
  return -err;
}

/* The substitute is shared by all users like /tmp. */
static int make_dir(char const * path, int shared) {
  if (mkdir(path, 0777)) return errno == EEXIST ? 0 : errno;
  if (shared) chmod(path, 01777);
  return 0;
}

/* Makes <base>/.<size>/.  The default base is not created: on most hosts that would be a disk, and
   the substitute is memory. */
static int make_dirs(int substitute, ulong page_sz) {
  char path[PATH_SZ];
  if (substitute || strcmp(base_path, DEFAULT_BASE)) {
    int err = make_dir(base_dir(substitute), substitute);
    if (err) return err;
  }
  int err = make_dir(dir_of(path, substitute, page_sz), substitute);
  return err ? err : access(path, W_OK | X_OK) ? errno : 0;
}

static int exists(char const * name, ulong page_sz) {
  char path[PATH_SZ];
  return !access(path_of(path, 0, name, page_sz), F_OK) ||
         !access(path_of(path, 1, name, page_sz), F_OK);
}

static void note_stand_in(int fd, ulong page_sz) {
  struct statfs fs;
  if (page_sz == FD_SHMEM_NORMAL_PAGE_SZ) return;
  if (fstatfs(fd, &fs) || (long)fs.f_type != HUGETLBFS_TYPE) fd_shmem_private_warn_fallback();
}

/* Gives the file its size and its memory now, so that a later store cannot fail. */
static int provide_memory(int fd, ulong page_sz, ulong sub_cnt, ulong const * sub_page_cnt,
                          ulong const * sub_cpu_idx, ulong sz) {
  int err = fd_io_truncate(fd, sz);
  if (err) return err;
  if (fd_shmem_numa_cnt() > 1UL) {
    void * at = fd_shmem_private_reserve(page_sz, sz);
    if (!at) return ENOMEM;
    void * mem = fd_shmem_private_map(at, page_sz, sz, PROT_READ | PROT_WRITE, fd);
    if (mem != MAP_FAILED) fd_shmem_private_place(mem, page_sz, sub_cnt, sub_page_cnt, sub_cpu_idx);
    munmap(at, sz);
  }
  do err = posix_fallocate(fd, (off_t)0, (off_t)sz);
  while (err == EINTR);
  return err == EOPNOTSUPP || err == ENOSYS ? 0 : err;
}

/* A new empty file: a descriptor and its path, or minus errno. */
static int create_file(char const * name, ulong page_sz, ulong mode, char * path) {
  int err = 0;
  for (int substitute = 0; substitute < 2; substitute++) {
    err = make_dirs(substitute, page_sz);
    if (err) continue;
    int fd = open(path_of(path, substitute, name, page_sz), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
                  (mode_t)mode);
    return fd < 0 ? -errno : fd;
  }
  return -err;
}

/* The size in bytes, 0 (logs) for bad arguments. */
static ulong check_region(char const * name, ulong page_sz, ulong sub_cnt,
                          ulong const * sub_page_cnt, ulong const * sub_cpu_idx, ulong mode) {
  if (!fd_shmem_name_len(name) || mode != (ulong)(mode_t)mode) {
    FD_LOG_WARNING(("bad name or mode"));
    return 0UL;
  }
  return page_sz * fd_shmem_private_check_multi(page_sz, sub_cnt, sub_page_cnt, sub_cpu_idx);
}

int fd_shmem_create_multi(char const * name, ulong page_sz, ulong sub_cnt,
                          ulong const * sub_page_cnt, ulong const * sub_cpu_idx, ulong mode) {
  char path[PATH_SZ];
  ulong sz = check_region(name, page_sz, sub_cnt, sub_page_cnt, sub_cpu_idx, mode);
  if (!sz) return EINVAL;
  int fd = exists(name, page_sz) ? -EEXIST : create_file(name, page_sz, mode, path);
  int err = fd < 0 ? -fd : 0;
  if (!err) {
    note_stand_in(fd, page_sz);
    err = provide_memory(fd, page_sz, sub_cnt, sub_page_cnt, sub_cpu_idx, sz);
    if (err) unlink(path);
    close(fd);
  }
  if (err) FD_LOG_WARNING(("region \"%s\" not created (%s)", name, fd_io_strerror(err)));
  return err;
}

int fd_shmem_update_multi(char const * name, ulong page_sz, ulong sub_cnt,
                          ulong const * sub_page_cnt, ulong const * sub_cpu_idx, ulong mode) {
  ulong old_sz, sz = check_region(name, page_sz, sub_cnt, sub_page_cnt, sub_cpu_idx, mode);
  if (!sz) return EINVAL;
  int fd = fd_shmem_private_open(name, page_sz, O_RDWR, &old_sz);
  int err = fd < 0 ? -fd : fchmod(fd, (mode_t)mode) ? errno : 0;
  if (!err) err = provide_memory(fd, page_sz, sub_cnt, sub_page_cnt, sub_cpu_idx, sz);
  if (fd >= 0) close(fd);
  if (err) FD_LOG_WARNING(("region \"%s\" not updated (%s)", name, fd_io_strerror(err)));
  return err;
}

int fd_shmem_unlink(char const * name, ulong page_sz) {
  char path[PATH_SZ];
  int err = ENOENT;
  if (!fd_shmem_name_len(name) || !fd_shmem_is_page_sz(page_sz)) {
    FD_LOG_WARNING(("bad name or page size"));
    return EINVAL;
  }
  for (int substitute = 0; substitute < 2; substitute++) {
    if (!unlink(path_of(path, substitute, name, page_sz))) return 0;
    if (errno != ENOENT && errno != ENOTDIR) err = errno;
  }
  FD_LOG_WARNING(("region \"%s\" not unlinked (%s)", name, fd_io_strerror(err)));
  return err;
}

int fd_shmem_private_info(char const * name, ulong page_sz, fd_shmem_info_t * opt_info) {
  static ulong const probe[3] = {FD_SHMEM_GIGANTIC_PAGE_SZ, FD_SHMEM_HUGE_PAGE_SZ,
                                 FD_SHMEM_NORMAL_PAGE_SZ};
  int fd = -ENOENT;
  ulong sz = 0UL;
  for (ulong i = 0UL; fd == -ENOENT && i < 3UL; i++) {
    if (page_sz && page_sz != probe[i]) continue;
    fd = fd_shmem_private_open(name, probe[i], O_RDONLY, &sz);
    if (fd >= 0 && opt_info) *opt_info = (fd_shmem_info_t){probe[i], sz / probe[i]};
  }
  if (fd >= 0) return close(fd), 0;
  return -fd;
}

int fd_shmem_info(char const * name, ulong page_sz, fd_shmem_info_t * opt_info) {
  if (!fd_shmem_name_len(name) || (page_sz && !fd_shmem_is_page_sz(page_sz))) {
    FD_LOG_WARNING(("bad name or page size"));
    return EINVAL;
  }
  int err = fd_shmem_private_info(name, page_sz, opt_info);
  if (err && err != ENOENT)
    FD_LOG_WARNING(("region \"%s\" not readable (%s)", name, fd_io_strerror(err)));
  return err;
}
