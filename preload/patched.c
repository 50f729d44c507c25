/* Asking the collector, and doing what it says (core/trace/patch.h): memory is mapped where it says, and
   bytes are written through /proc/self/mem, so that no code is ever in writable memory. Who asks sees
   to it that nobody can be inside what changes. */
#include "preload/patched.h"
#include "preload/attached.h"
#include "preload/options.h"
#include "preload/process.h"
#include "core/trace/libc.h"
#include "core/trace/object.h"
#include "core/trace/sys.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#define ANSWER_MAX   ((uint64_t)4 << 20) /* thousands of functions */
#define PAGE         ((uint64_t)4096)
#define TRIES_MAX    8
#define PATIENCE     30 /* receives of two seconds each until the plan is there */
#define ONE_THREAD   3  /* links of /proc/self/task: itself, its parent, and one for each thread */

/* One answer: modules and their functions follow, as sent. */
typedef struct answer {
  struct answer *next; /* an earlier one */
  uint32_t module_cnt;
  _Atomic uint32_t written; /* it is in the trace */
} answer_t;
_Static_assert(sizeof(answer_t) == sizeof(vt_patch_answer_t) &&
                   offsetof(answer_t, module_cnt) == offsetof(vt_patch_answer_t, module_cnt),
               "vt_patched_adopt makes one of the other");

static _Atomic(answer_t *) answers; /* the latest; others are never freed */
static int covered;                 /* the executable's malloc and free are patched */

static answer_t *latest(void) {
  /* Pairs with the release in publish: who walks the list, perhaps in a signal handler, sees it whole. */
  return atomic_load_explicit(&answers, memory_order_acquire);
}

static void publish(answer_t *a) {
  a->next = atomic_load_explicit(&answers, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit(&answers, &a->next, a, memory_order_release,
                                                memory_order_relaxed))
    continue;
}

static vt_patch_module_t *modules_of(answer_t *a) { return (vt_patch_module_t *)(a + 1); }

static vt_patch_function_t *functions_of(vt_patch_module_t const *m) {
  return (vt_patch_function_t *)(m + 1);
}

static vt_patch_module_t *next_module(vt_patch_module_t *m) {
  return (vt_patch_module_t *)(functions_of(m) + m->function_cnt);
}

/* ---- asking ---- */

static int receive(int fd, void *out, uint64_t sz) {
  int patience = PATIENCE;
  for (uint64_t done = 0; done < sz;) {
    long n = vt_sys_read(fd, (uint8_t *)out + done, sz - done);
    if (n == -EINTR || (n == -EAGAIN && --patience)) continue;
    if (n <= 0) return -1;
    done += (uint64_t)n;
  }
  return 0;
}

/* is_whole: do the counts of an answer with `left` bytes add up? */
static int is_whole(answer_t *a, uint64_t left) {
  vt_patch_module_t *m = modules_of(a);
  for (uint32_t i = 0; i < a->module_cnt; i++, m = next_module(m)) {
    if (left < sizeof *m) return 0;
    uint64_t sz = sizeof *m + m->function_cnt * sizeof(vt_patch_function_t);
    if (left < sz) return 0;
    left -= sz;
  }
  return !left;
}

/* receive_answer takes it from the collector; one that is stopped does not say the first byte, the rest
   takes time. Returns its size, 0: there is none. */
static uint64_t receive_answer(int fd, answer_t *a) {
  char ack;
  vt_patch_answer_t head;
  if (vt_sys_read(fd, &ack, 1) != 1 || ack != VT_PATCH_ACK || receive(fd, &head, sizeof head) ||
      !head.module_cnt || head.sz > ANSWER_MAX - sizeof *a)
    return 0;
  a->module_cnt = head.module_cnt;
  return !receive(fd, a + 1, head.sz) && is_whole(a, head.sz) ? head.sz : 0;
}

/* ask: what is sent fits the socket's buffer at once. The memory for the answer is taken beforehand: it
   must not lie where the collector then finds room. */
static answer_t *ask(vt_patch_request_t const *request) {
  uint64_t used = 0;
  answer_t *a = vt_sys_memory(ANSWER_MAX);
  int fd = a ? vt_sink_connect(vt_options.collector, VT_PATCH_SOCKET_SUFFIX) : -1;
  if (fd >= 0 && vt_sys(SYS_sendto, fd, (long)request, sizeof *request, MSG_NOSIGNAL, 0, 0) ==
                     (long)sizeof *request)
    used = receive_answer(fd, a);
  if (fd >= 0) vt_sys_close(fd);
  used = used ? (sizeof *a + used + PAGE - 1) & ~(PAGE - 1) : 0;
  if (a) vt_sys_munmap((uint8_t *)a + used, ANSWER_MAX - used);
  return used ? a : NULL;
}

/* ---- patching ---- */

static void refuse_all(vt_patch_module_t *m, char const *why) {
  vt_patch_function_t *f = functions_of(m);
  for (uint32_t i = 0; i < m->function_cnt; i++)
    if (!f[i].why[0]) memcpy(f[i].why, why, strlen(why) + 1);
  m->covered = 0;
  m->code = 0;
}

static void *map_at(uint64_t address, uint64_t sz, int prot) {
  void *p = vt_sys_mmap((void *)address, sz, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (vt_sys_failed(p)) return NULL;
  if (p == (void *)address) return p;
  vt_sys_munmap(p, sz); /* an old kernel took the address for a hint */
  return NULL;
}

/* is_as_planned: are the bytes in memory those of the file? */
static int is_as_planned(vt_patch_module_t *m) {
  vt_patch_function_t const *f = functions_of(m);
  for (uint32_t i = 0; i < m->function_cnt; i++)
    if (!f[i].why[0] && memcmp((void const *)f[i].address, f[i].before, f[i].sz)) return 0;
  return 1;
}

static void *hook_of(vt_patch_function_t const *f) {
  return f->kind.keeps ? (void *)vt_patched_keep : (void *)vt_patched_hooks[f->kind.shape];
}

static void fill_descriptors(vt_patch_module_t *m) {
  vt_patch_function_t const *f = functions_of(m);
  vt_patch_descriptor_t *d = (vt_patch_descriptor_t *)m->data;
  for (uint32_t i = 0; i < m->function_cnt; i++) {
    uint64_t copy = m->code + (uint64_t)i * VT_PATCH_SLOT_SZ + VT_PATCH_COPY_OFF;
    if (f[i].why[0] || f[i].kind.shape >= VT_SHAPE_CNT) continue;
    d[i] = (vt_patch_descriptor_t){.hook = hook_of(&f[i]), .real = (void *)copy, .kind = f[i].kind};
  }
}

static int write_at(int fd, uint64_t address, void const *bytes, uint64_t sz) {
  return vt_sys(SYS_pwrite64, fd, (long)bytes, (long)sz, (long)address, 0, 0) == (long)sz ? 0 : -1;
}

/* lead_past leads the C library's own calls to the copies; one that cannot be written is an event more,
   as the calls of anybody else. */
static int lead_past(int fd, vt_patch_module_t const *m) {
  vt_patch_function_t const *f = (vt_patch_function_t const *)(m + 1);
  for (uint32_t i = 0; i < m->function_cnt; i++)
    for (uint32_t s = 0; s < f[i].site_cnt && s < VT_PATCH_SITES_MAX; s++) {
      uint64_t copy = m->code + (uint64_t)i * VT_PATCH_SLOT_SZ + VT_PATCH_COPY_OFF;
      int32_t distance = (int32_t)(copy - (f[i].sites[s] + 4));
      write_at(fd, f[i].sites[s], &distance, sizeof distance);
    }
  return 0;
}

/* write_all writes the slots and then, when all are there, the jumps; what was written of these is taken
   back when one cannot be. */
static int write_all(int fd, vt_patch_module_t *m) {
  vt_patch_function_t const *f = functions_of(m);
  uint32_t i;
  for (i = 0; i < m->function_cnt; i++)
    if (write_at(fd, m->code + (uint64_t)i * VT_PATCH_SLOT_SZ, f[i].slot, sizeof f[i].slot)) return -1;
  for (i = 0; i < m->function_cnt; i++)
    if (!f[i].why[0] && write_at(fd, f[i].address, f[i].after, f[i].sz)) break;
  if (i == m->function_cnt) return lead_past(fd, m);
  while (i--)
    if (!f[i].why[0]) write_at(fd, f[i].address, f[i].before, f[i].sz);
  return -1;
}

static void move_hooks(vt_patch_module_t *m) {
  vt_patch_function_t const *f = functions_of(m);
  vt_patch_descriptor_t const *d = (vt_patch_descriptor_t const *)m->data;
  for (uint32_t i = 0; i < m->function_cnt; i++)
    if (!f[i].why[0]) vt_hooks_moved((void *)f[i].entry, d[i].real);
}

static char const no_room[] = "there is no memory beside its code";

static char const *patch(int fd, vt_patch_module_t *m) {
  if (!is_as_planned(m)) return "its code in memory is not that of the file";
  if (fd < 0) return "/proc/self/mem cannot be opened";
  if (!map_at(m->data, m->data_sz, PROT_READ | PROT_WRITE)) return no_room;
  fill_descriptors(m);
  void *code = map_at(m->code, m->code_sz, PROT_READ | PROT_EXEC);
  if (code && !write_all(fd, m)) {
    move_hooks(m);
    return NULL;
  }
  vt_sys_munmap((void *)m->data, m->data_sz);
  if (code) vt_sys_munmap(code, m->code_sz);
  return code ? "the system does not let its code be changed" : no_room;
}

int vt_patched_alone(void) {
  struct stat st;
  return vt_sys_stat("/proc/self/task", &st) || st.st_nlink <= ONE_THREAD;
}

void vt_patched_refuse(char const *name, char const *why) {
  answer_t *a = vt_sys_memory(sizeof *a + sizeof(vt_patch_module_t) + sizeof(vt_patch_function_t));
  if (!a) return;
  a->module_cnt = modules_of(a)->function_cnt = 1;
  vt_patch_function_t *f = functions_of(modules_of(a));
  memcpy(f->name, name, strnlen(name, sizeof f->name - 1));
  memcpy(f->why, why, strnlen(why, sizeof f->why - 1));
  publish(a);
}

/* patch_all returns 1 if it only failed for room that another thread took since it was found: another
   answer may do. */
static int patch_all(answer_t *a, int threads) {
  int patched = 0, lacking = 0;
  int fd = vt_sys_open("/proc/self/mem", O_RDWR | O_CLOEXEC, 0);
  vt_real_get();
  vt_patched_keep_init();
  vt_patch_module_t *m = modules_of(a);
  for (uint32_t i = 0; i < a->module_cnt; i++, m = next_module(m)) {
    if (!m->code) continue;
    char const *why = threads ? VT_PATCHED_THREADS : patch(fd, m);
    patched |= !why;
    lacking |= why == no_room;
    if (why) refuse_all(m, why);
    covered |= m->executable && m->covered;
  }
  if (fd >= 0) vt_sys_close(fd);
  return lacking && !patched;
}

/* original is where the code was that is in a slot; see vt_unwind_moved. In front of the jump to the
   hook, and of the one that stands for a displaced call, the stack is as at a function's entry; behind
   a stub's push as at that of vt_patched_keep. */
static uint64_t original_in(vt_patch_module_t *m, uint64_t pc) {
  uint64_t i = (pc - m->code) / VT_PATCH_SLOT_SZ, at = (pc - m->code) % VT_PATCH_SLOT_SZ;
  vt_patch_function_t const *f = &functions_of(m)[i];
  if (at < VT_PATCH_COPY_OFF) return at && f->kind.keeps ? (uint64_t)vt_patched_keep : f->address;
  at -= VT_PATCH_COPY_OFF;
  for (uint32_t k = 0; k < f->insn_cnt; k++)
    if (f->insn_to[k] == at) return f->address + f->insn_from[k];
  return f->pushes && at == f->pushes ? f->address : f->address + f->sz;
}

static uint64_t original(uint64_t pc) {
  for (answer_t *a = latest(); a; a = a->next) {
    vt_patch_module_t *m = modules_of(a);
    for (uint32_t n = 0; n < a->module_cnt; n++, m = next_module(m))
      if (m->code && pc - m->code < (uint64_t)m->function_cnt * VT_PATCH_SLOT_SZ)
        return original_in(m, pc);
  }
  return pc;
}

/* ---- what the rest of the shim asks ---- */

void vt_patched_ask(vt_patch_request_t const *request, int fresh) {
  for (int tries = 0;; tries++) {
    answer_t *a = ask(request);
    if (!a) return;
    if (patch_all(a, !fresh && !vt_patched_alone()) && tries < TRIES_MAX) continue;
    publish(a);
    break;
  }
  vt_unwind_moved = original;
}

/* lead_here leads entries that are patched already to the hooks: one store each, as threads pass. */
static void lead_here(vt_patch_module_t *m) {
  vt_patch_function_t const *f = functions_of(m);
  vt_patch_descriptor_t *d = (vt_patch_descriptor_t *)m->data;
  for (uint32_t i = 0; m->code && i < m->function_cnt; i++)
    if (!f[i].why[0] && f[i].kind.shape < VT_SHAPE_CNT)
      __atomic_store_n(&d[i].hook, hook_of(&f[i]), __ATOMIC_RELEASE);
}

void vt_patched_adopt(void *told, uint64_t sz) {
  answer_t *a = told;
  if (sz < sizeof *a || !is_whole(a, sz - sizeof *a)) return;
  vt_real_get();
  vt_patched_keep_init();
  vt_patch_module_t *m = modules_of(a);
  for (uint32_t i = 0; i < a->module_cnt; i++, m = next_module(m)) {
    if (m->code) move_hooks(m);
    covered |= m->executable && m->covered;
  }
  vt_unwind_moved = original;
  publish(a);
  vt_patched_lead();
}

void vt_patched_lead(void) {
  for (answer_t *a = latest(); a; a = a->next) {
    vt_patch_module_t *m = modules_of(a);
    for (uint32_t i = 0; i < a->module_cnt; i++, m = next_module(m)) lead_here(m);
  }
}

static int patches_new(vt_patch_module_t *m) {
  for (uint32_t i = 0; m->code && i < m->function_cnt; i++)
    if (functions_of(m)[i].kind.shape == VT_SHAPE_NEW && !functions_of(m)[i].why[0]) return 1;
  return 0;
}

int vt_patched_new(void) {
  for (answer_t *a = latest(); a; a = a->next) {
    vt_patch_module_t *m = modules_of(a);
    for (uint32_t n = 0; n < a->module_cnt; n++, m = next_module(m))
      if (patches_new(m)) return 1;
  }
  return 0;
}

vt_hooks_order_t vt_patched_order(void) {
  if (vt_attached()) return VT_HOOKS_FIRST; /* all that is known is patched */
  vt_hooks_order_t order = vt_hooks_reached();
  return order == VT_HOOKS_BEHIND_EXECUTABLE && covered ? VT_HOOKS_FIRST : order;
}

/* is_apart: does the module have an allocator that is not the C library's which the program uses? */
static int is_apart(vt_patch_module_t *m) {
  vt_object_t libc, own;
  return m->covered && !(vt_object_find((uint64_t)gnu_get_libc_version, &libc) &&
                         vt_object_find(functions_of(m)->entry, &own) && libc.map == own.map);
}

static void write_one(vt_stream_t *s, vt_patch_module_t *m, vt_patch_function_t const *f) {
  vt_message_t out = vt_stream_blob_open(s, sizeof f->name + sizeof f->why + sizeof m->path + 64);
  vt_message_u64(&out, vt_clock_tick(s->sink->clock));
  vt_message_u32(&out, (f->why[0] ? 0 : VT_PATCHED_RECORDED) |
                           (m->executable ? VT_PATCHED_EXECUTABLE : 0) |
                           (is_apart(m) ? VT_PATCHED_APART : 0));
  vt_message_u64(&out, f->entry);
  vt_message_string(&out, f->name, strnlen(f->name, sizeof f->name));
  vt_message_string(&out, m->path, strnlen(m->path, sizeof m->path));
  vt_message_string(&out, f->why, strnlen(f->why, sizeof f->why));
  vt_stream_blob_close(s, VT_CHUNK_PATCHED, &out);
}

void vt_patched_write(vt_stream_t *s, int again) {
  for (answer_t *a = latest(); a; a = a->next) {
    if (atomic_exchange_explicit(&a->written, 1, memory_order_relaxed) && !again) continue;
    vt_patch_module_t *m = modules_of(a);
    for (uint32_t n = 0; n < a->module_cnt; n++, m = next_module(m))
      for (uint32_t i = 0; i < m->function_cnt; i++) write_one(s, m, &functions_of(m)[i]);
  }
}
