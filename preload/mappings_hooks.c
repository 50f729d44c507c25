/* The interposed functions that change the address space: each calls the real one and writes a
   MAPPING message with the stack of its caller. An unmapping is written before the call, as a free
   is, so that it precedes the next mapping of its addresses; everything else after it.

   The C library and the loader map for themselves without coming by here. Nothing of this is on the
   path of malloc. */
#include "preload/mappings.h"
#include "preload/hooks.h"
#include "preload/options.h"
#include "preload/record.h"
#include "core/trace/sys.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#define FRAME    __builtin_frame_address(0)
#define FIXED_SZ 88   /* of a MAPPING message without the file's name */
#define FILE_MAX 1024 /* of that name what is kept */

static uint64_t allocator_start, allocator_end; /* the module that provides malloc */

void vt_mappings_init(void) {
  vt_object_t object;
  vt_real_find();
  if (vt_real.malloc && vt_object_find((uint64_t)vt_real.malloc, &object)) {
    allocator_start = object.start;
    allocator_end = object.end;
  }
}

/* Before the real functions are found, the kernel is asked directly. */
static long result_of(long result) {
  if (result >= 0 || result < -4095) return result;
  errno = (int)-result;
  return -1;
}

typedef struct {
  vt_mapping_op_t op;
  vt_mapping_api_t api;
  uint64_t begun; /* tick before the call */
  uint64_t address, sz, old_address, old_sz, offset;
  uint32_t prot, flags;
  int fd;
} change_t;

static uint64_t now(void) { return vt_clock_tick_ordered(vt_process.sink.clock); }

/* put_file appends the name of the file behind fd, as far as the kernel may be asked. */
static void put_file(vt_message_t *m, int fd) {
  char link[32] = "/proc/self/fd/";
  size_t n = strlen(link), digits = 1;
  long sz = 0;
  if (fd >= 0 && !vt_process.filtered && !vt_process.sink.silent && m->cap - m->sz > FILE_MAX + 4) {
    for (int rest = fd; rest >= 10; rest /= 10) digits++;
    for (size_t i = digits; i-- > 0; fd /= 10) link[n + i] = (char)('0' + fd % 10);
    sz = vt_sys_readlink(link, (char *)m->data + m->sz + 4, FILE_MAX);
  }
  vt_message_u32(m, sz > 0 ? (uint32_t)sz : 0);
  if (sz > 0) m->sz += (uint32_t)sz; /* the bytes are there already */
}

static void put_change(vt_thread_t *t, change_t const *c, vt_message_t *m, int by_allocator) {
  vt_message_u64(m, c->op == VT_MAPPING_UNMAP ? c->begun : now());
  vt_message_u64(m, c->begun);
  vt_message_u32(m, c->op);
  vt_message_u32(m, c->api);
  vt_message_u32(m, vt_thread_tid(t));
  vt_message_u32(m, by_allocator ? VT_MAPPING_BY_ALLOCATOR : 0);
  vt_message_u64(m, c->address);
  vt_message_u64(m, c->sz);
  vt_message_u64(m, c->old_address);
  vt_message_u64(m, c->old_sz);
  vt_message_u32(m, c->prot);
  vt_message_u32(m, c->flags);
  vt_message_u64(m, c->offset);
  put_file(m, c->fd);
}

/* record writes one change with the stack of the hook's caller. */
static void record_change(change_t const *c, void const *frame) {
  vt_thread_t *t = vt_options.no_mappings ? NULL : vt_enter(frame);
  if (!t) return;
  vt_stack_t stack;
  vt_capture(t, frame, &stack);
  if (!t->text) {
    uint64_t pc = ((uint64_t const *)frame)[1] - 1;
    vt_message_t m = vt_stream_blob_open_at(&t->stream, FIXED_SZ + (c->fd >= 0 ? FILE_MAX + 8 : 0),
                                            now(), &stack);
    put_change(t, c, &m, pc - allocator_start < allocator_end - allocator_start);
    vt_stream_blob_close(&t->stream, VT_CHUNK_MAPPING, &m);
    if (m.overflow) {
      vt_sink_count(t->stream.sink, VT_COUNTER_LOST, 1);
      vt_losing(t);
    }
  }
  vt_leave(t);
}

/* record does so even inside of an allocator whose calls are the events. */
static void record(change_t const *c, void const *frame) {
  uint64_t busy = vt_tls.busy;
  int inside = busy & VT_BUSY_INSIDE && !vt_tls.quiet;
  if (inside) vt_tls.busy = 0;
  record_change(c, frame);
  if (inside) vt_tls.busy = busy;
}

static inline __attribute__((always_inline)) void *map(void *at, size_t sz, int prot, int flags,
                                                       int fd, off_t offset, void const *frame) {
  change_t c = {.op = VT_MAPPING_MAP,
                .api = VT_MAPPING_MMAP,
                .begun = now(),
                .sz = sz,
                .offset = (uint64_t)offset,
                .prot = (uint32_t)prot,
                .flags = (uint32_t)flags,
                .fd = flags & MAP_ANONYMOUS ? -1 : fd};
  void *p = vt_real.mmap ? vt_real.mmap(at, sz, prot, flags, fd, offset)
                         : (void *)result_of((long)vt_sys_mmap(at, sz, prot, flags, fd, offset));
  c.address = (uint64_t)p;
  if (p != MAP_FAILED && prot & PROT_EXEC) vt_object_mapped();
  if (p != MAP_FAILED) record(&c, frame);
  return p;
}

VT_EXPORT void *mmap(void *at, size_t sz, int prot, int flags, int fd, off_t offset) {
  return map(at, sz, prot, flags, fd, offset, FRAME);
}
VT_EXPORT void *mmap64(void *at, size_t sz, int prot, int flags, int fd, off64_t offset) {
  return map(at, sz, prot, flags, fd, offset, FRAME);
}

VT_EXPORT int munmap(void *at, size_t sz) {
  change_t c = {.op = VT_MAPPING_UNMAP,
                .api = VT_MAPPING_MUNMAP,
                .begun = now(),
                .address = (uint64_t)at,
                .sz = sz,
                .fd = -1};
  if (sz && !((uint64_t)at & 4095)) record(&c, FRAME); /* else it fails */
  return vt_real.munmap ? vt_real.munmap(at, sz) : (int)result_of(vt_sys_munmap(at, sz));
}

VT_EXPORT void *mremap(void *old, size_t old_sz, size_t sz, int flags, ...) {
  va_list args;
  va_start(args, flags);
  void *at = flags & MREMAP_FIXED ? va_arg(args, void *) : NULL;
  va_end(args);
  change_t c = {.op = VT_MAPPING_REMAP,
                .api = VT_MAPPING_MREMAP,
                .begun = now(),
                .sz = sz,
                .old_address = (uint64_t)old,
                .old_sz = old_sz,
                .flags = (uint32_t)flags,
                .fd = -1};
  void *p = vt_real.mremap ? vt_real.mremap(old, old_sz, sz, flags, at)
                           : (void *)result_of(vt_sys(SYS_mremap, (long)old, (long)old_sz, (long)sz,
                                                      flags, (long)at, 0));
  c.address = (uint64_t)p;
  if (p != MAP_FAILED) record(&c, FRAME);
  return p;
}

VT_EXPORT void *shmat(int id, void const *at, int flags) {
  struct shmid_ds segment = {0};
  change_t c = {.op = VT_MAPPING_MAP,
                .api = VT_MAPPING_SHMAT,
                .begun = now(),
                .prot = flags & SHM_RDONLY ? PROT_READ : PROT_READ | PROT_WRITE,
                .flags = MAP_SHARED,
                .fd = -1};
  void *p = vt_real.shmat ? vt_real.shmat(id, at, flags)
                          : (void *)result_of(vt_sys(SYS_shmat, id, (long)at, flags, 0, 0, 0));
  if (p == (void *)-1) return p;
  if (!vt_process.filtered && !vt_process.sink.silent)
    vt_sys(SYS_shmctl, id, IPC_STAT, (long)&segment, 0, 0, 0);
  c.address = (uint64_t)p;
  c.sz = (segment.shm_segsz + 4095) & ~(uint64_t)4095;
  record(&c, FRAME);
  return p;
}

VT_EXPORT int shmdt(void const *at) {
  change_t c = {.op = VT_MAPPING_UNMAP,
                .api = VT_MAPPING_SHMDT,
                .begun = now(),
                .address = (uint64_t)at,
                .fd = -1};
  record(&c, FRAME);
  return vt_real.shmdt ? vt_real.shmdt(at)
                       : (int)result_of(vt_sys(SYS_shmdt, (long)at, 0, 0, 0, 0, 0));
}

/* moved_break records that the program break went from `from` to `to`. */
static void moved_break(vt_mapping_api_t api, uint64_t begun, uint64_t from, uint64_t to,
                        void const *frame) {
  int up = to > from;
  change_t c = {.op = up ? VT_MAPPING_MAP : VT_MAPPING_UNMAP,
                .api = api,
                .begun = begun,
                .address = up ? from : to,
                .sz = up ? to - from : from - to,
                .prot = PROT_READ | PROT_WRITE,
                .flags = MAP_PRIVATE | MAP_ANONYMOUS,
                .fd = -1};
  if (to != from) record(&c, frame);
}

/* The break is the C library's to keep: there is no going round it. */
static int break_known(void) { return vt_real_get()->sbrk && vt_real.brk; }

VT_EXPORT void *sbrk(intptr_t more) {
  uint64_t begun = now();
  if (!break_known()) {
    errno = ENOMEM;
    return (void *)-1;
  }
  void *p = vt_real.sbrk(more);
  if (p != (void *)-1)
    moved_break(VT_MAPPING_SBRK, begun, (uint64_t)p, (uint64_t)p + (uint64_t)more, FRAME);
  return p;
}

VT_EXPORT int brk(void *at) {
  uint64_t begun = now();
  if (!break_known()) {
    errno = ENOMEM;
    return -1;
  }
  void *before = vt_real.sbrk(0);
  int result = vt_real.brk(at);
  if (!result) moved_break(VT_MAPPING_BRK, begun, (uint64_t)before, (uint64_t)at, FRAME);
  return result;
}
