/* The table of joins: a dense array under one recursive mutex, which is held while a join's
   function runs so that everyone else sees the region either joined or not.  That function may join
   other regions; joining its own is recognized by ref_cnt -1.  Entries are found by value only, so
   stale handles are harmless. */

#include "shmem_private.h"

#include "fd/util/io/fd_io.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

FD_STATIC_ASSERT(sizeof(fd_shmem_join_info_t) == 88UL, layout);

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static fd_shmem_join_info_t table[FD_SHMEM_JOIN_MAX];
static uchar anonymous[FD_SHMEM_JOIN_MAX];
static ulong table_cnt;

static ulong region_sz(fd_shmem_join_info_t const * e) { return e->page_sz * e->page_cnt; }

static void set_name(fd_shmem_join_info_t * e, char const * name) {
  fd_cstr_ncpy(e->name, name, FD_SHMEM_NAME_MAX);
  e->hash = (uint)fd_hash(0UL, e->name, FD_SHMEM_NAME_MAX);
}

/* The three look-ups; NULL if there is no such join. */
static fd_shmem_join_info_t * find_name(char const * name) {
  fd_shmem_join_info_t key;
  set_name(&key, name);
  for (ulong i = 0UL; i < table_cnt; i++) {
    if (table[i].hash == key.hash && fd_memeq(table[i].name, key.name, FD_SHMEM_NAME_MAX))
      return &table[i];
  }
  return NULL;
}

static fd_shmem_join_info_t * find_join(void const * join) {
  for (ulong i = 0UL; i < table_cnt; i++) {
    if (table[i].join == join) return &table[i];
  }
  return NULL;
}

static fd_shmem_join_info_t * find_addr(ulong lo, ulong sz) {
  for (ulong i = 0UL; i < table_cnt; i++) {
    ulong base = (ulong)table[i].shmem;
    if (lo < base + region_sz(&table[i]) && base <= lo + (sz - 1UL)) return &table[i];
  }
  return NULL;
}

static void remove_entry(fd_shmem_join_info_t * e) {
  ulong i = (ulong)(e - table);
  table_cnt--;
  table[i] = table[table_cnt];
  anonymous[i] = anonymous[table_cnt];
  memset(&table[table_cnt], 0, sizeof(table[0]));
}

/* Maps the region's file; 0 or errno. */
static int map_region(fd_shmem_join_info_t * e, int dump) {
  fd_shmem_info_t info;
  ulong sz;
  int prot = e->mode == FD_SHMEM_JOIN_MODE_READ_ONLY ? PROT_READ : PROT_READ | PROT_WRITE;
  int err = fd_shmem_private_info(e->name, 0UL, &info);
  if (err) return err;
  int fd = fd_shmem_private_open(e->name, info.page_sz, prot == PROT_READ ? O_RDONLY : O_RDWR, &sz);
  if (fd < 0) return -fd;
  e->page_sz = info.page_sz;
  e->page_cnt = sz / info.page_sz;
  sz = region_sz(e);
  void * at = sz ? fd_shmem_private_reserve(info.page_sz, sz) : NULL;
  void * mem = at ? fd_shmem_private_map(at, info.page_sz, sz, prot, fd) : MAP_FAILED;
  err = mem == MAP_FAILED ? (sz ? errno : EINVAL) : 0;
  if (err && at) munmap(at, sz);
  close(fd);
  if (err) return err;
  e->shmem = mem;
  if (!dump) madvise(mem, sz, MADV_DONTDUMP);
  mlock2(mem, sz, MLOCK_ONFAULT); /* a refusal leaves the pages unlocked, which is allowed */
  return 0;
}

/* The first join of a region; its entry, NULL (logs) on failure.  func may add and remove other
   entries, so the own one is looked up again after it ran. */
static fd_shmem_join_info_t * first_join(char const * name, int mode, int dump,
                                         fd_shmem_joinleave_func_t func, void * context) {
  if (table_cnt >= FD_SHMEM_JOIN_MAX) {
    FD_LOG_WARNING(("too many joins"));
    return NULL;
  }
  fd_shmem_join_info_t e;
  memset(&e, 0, sizeof(e));
  e.ref_cnt = -1L;
  e.mode = mode;
  set_name(&e, name);
  int err = map_region(&e, dump);
  if (err) {
    FD_LOG_WARNING(("region \"%s\" not joined (%s)", name, fd_io_strerror(err)));
    return NULL;
  }
  table[table_cnt] = e;
  anonymous[table_cnt++] = 0;
  void * join = func ? func(context, &e) : e.shmem;
  fd_shmem_join_info_t * entry = find_name(name);
  if (!join || find_join(join)) {
    FD_LOG_WARNING(("region \"%s\" not joined (it does not hold what was to be joined)", name));
    munmap(e.shmem, region_sz(&e));
    remove_entry(entry);
    return NULL;
  }
  entry->join = join;
  entry->ref_cnt = 1L;
  return entry;
}

void * fd_shmem_join(char const * name, int mode, int dump, fd_shmem_joinleave_func_t func,
                     void * context, fd_shmem_join_info_t * opt_info) {
  if (!fd_shmem_name_len(name) ||
      (mode != FD_SHMEM_JOIN_MODE_READ_ONLY && mode != FD_SHMEM_JOIN_MODE_READ_WRITE)) {
    FD_LOG_WARNING(("bad name or mode"));
    return NULL;
  }
  void * join = NULL;
  pthread_mutex_lock(&lock);
  fd_shmem_join_info_t * e = find_name(name);
  if (e && e->ref_cnt < 0L) {
    FD_LOG_WARNING(("region \"%s\" is joined by its own join function", name));
  } else {
    if (e)
      e->ref_cnt++;
    else
      e = first_join(name, mode, dump, func, context);
    if (e) join = e->join;
    if (e && opt_info) *opt_info = *e;
  }
  pthread_mutex_unlock(&lock);
  return join;
}

/* The last leave: the entry is gone only after func ran, so that func may still look it up. */
static int last_leave(fd_shmem_join_info_t * e, fd_shmem_joinleave_func_t func, void * context) {
  fd_shmem_join_info_t info = *e;
  info.ref_cnt = 0L;
  e->ref_cnt = -1L;
  if (func) func(context, &info);
  remove_entry(find_name(info.name));
  if (!munmap(info.shmem, region_sz(&info))) return 0;
  FD_LOG_WARNING(("region not unmapped"));
  return EFAULT;
}

int fd_shmem_leave(void * join, fd_shmem_joinleave_func_t func, void * context) {
  int err = 0;
  pthread_mutex_lock(&lock);
  fd_shmem_join_info_t * e = join ? find_join(join) : NULL;
  if (!e || e->ref_cnt < 1L || (e->ref_cnt == 1L && anonymous[e - table])) {
    FD_LOG_WARNING(("not a join that can be left"));
    err = EINVAL;
  } else if (e->ref_cnt > 1L) {
    e->ref_cnt--;
  } else {
    err = last_leave(e, func, context);
  }
  pthread_mutex_unlock(&lock);
  return err;
}

static int result(fd_shmem_join_info_t const * e, fd_shmem_join_info_t * opt_info) {
  if (!e) return ENOENT;
  if (opt_info) *opt_info = *e;
  return 0;
}

int fd_shmem_join_query_by_name(char const * name, fd_shmem_join_info_t * opt_info) {
  if (!fd_shmem_name_len(name)) return EINVAL;
  pthread_mutex_lock(&lock);
  int err = result(find_name(name), opt_info);
  pthread_mutex_unlock(&lock);
  return err;
}

int fd_shmem_join_query_by_join(void const * join, fd_shmem_join_info_t * opt_info) {
  if (!join) return EINVAL;
  pthread_mutex_lock(&lock);
  int err = result(find_join(join), opt_info);
  pthread_mutex_unlock(&lock);
  return err;
}

int fd_shmem_join_query_by_addr(void const * addr, ulong sz, fd_shmem_join_info_t * opt_info) {
  if (!sz) return ENOENT;
  if ((ulong)addr + (sz - 1UL) < (ulong)addr) return EINVAL;
  pthread_mutex_lock(&lock);
  int err = result(find_addr((ulong)addr, sz), opt_info);
  pthread_mutex_unlock(&lock);
  return err;
}

/* What is wrong with the arguments of an anonymous join, NULL if nothing; caller has the lock. */
static char const * anonymous_fault(fd_shmem_join_info_t const * e) {
  ulong sz;
  if (e->mode != FD_SHMEM_JOIN_MODE_READ_ONLY && e->mode != FD_SHMEM_JOIN_MODE_READ_WRITE)
    return "bad mode";
  if (!fd_shmem_is_page_sz(e->page_sz) || !e->page_cnt) return "bad page size or count";
  if (__builtin_mul_overflow(e->page_sz, e->page_cnt, &sz)) return "too many pages";
  if (!e->join || !e->shmem || !fd_ulong_is_aligned((ulong)e->shmem, e->page_sz))
    return "bad memory or join";
  if ((ulong)e->shmem + (sz - 1UL) < (ulong)e->shmem) return "too many pages";
  if (find_name(e->name) || find_join(e->join) || find_addr((ulong)e->shmem, sz))
    return "already joined";
  return table_cnt >= FD_SHMEM_JOIN_MAX ? "too many joins" : NULL;
}

int fd_shmem_join_anonymous(char const * name, int mode, void * join, void * mem, ulong page_sz,
                            ulong page_cnt) {
  fd_shmem_join_info_t e;
  if (!fd_shmem_name_len(name)) {
    FD_LOG_WARNING(("bad name"));
    return EINVAL;
  }
  memset(&e, 0, sizeof(e));
  e.ref_cnt = 1L;
  e.join = join;
  e.shmem = mem;
  e.page_sz = page_sz;
  e.page_cnt = page_cnt;
  e.mode = mode;
  set_name(&e, name);
  pthread_mutex_lock(&lock);
  char const * fault = anonymous_fault(&e);
  if (!fault) {
    table[table_cnt] = e;
    anonymous[table_cnt++] = 1;
  }
  pthread_mutex_unlock(&lock);
  if (fault) FD_LOG_WARNING(("%s", fault));
  return fault ? EINVAL : 0;
}

int fd_shmem_leave_anonymous(void * join, fd_shmem_join_info_t * opt_info) {
  pthread_mutex_lock(&lock);
  fd_shmem_join_info_t * e = join ? find_join(join) : NULL;
  int err = !e || !anonymous[e - table] || e->ref_cnt != 1L ? EINVAL : 0;
  if (!err) {
    e->ref_cnt = 0L;
    if (opt_info) *opt_info = *e;
    remove_entry(e);
  }
  pthread_mutex_unlock(&lock);
  if (err) FD_LOG_WARNING(("not the only join of an anonymous region"));
  return err;
}

fd_shmem_join_info_t const * fd_shmem_iter_begin(void) { return table_cnt ? table : NULL; }

fd_shmem_join_info_t const * fd_shmem_iter_next(fd_shmem_join_info_t const * iter) {
  return iter && iter + 1 < table + table_cnt ? iter + 1 : NULL;
}
