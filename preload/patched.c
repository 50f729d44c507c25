/* See patched.h. The collector decides and sends what to write (core/trace/patch.h); here it is asked,
   memory is mapped where it says, and the bytes are written through /proc/self/mem, so that no code is
   ever in writable memory. This happens before the program's own first instruction, in the only
   thread: nobody can be inside what changes. */
#include "preload/patched.h"
#include "preload/options.h"
#include "preload/process.h"
#include "core/trace/symbol.h"
#include "core/trace/sys.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#define ANSWER_MAX   ((uint64_t)64 << 20)
#define PATIENCE     30 /* receives of two seconds each until the plan is there */
#define SECTIONS_SZ  8192
#define ONE_THREAD   3  /* links of /proc/self/task: itself, its parent, and one for each thread */

static uint8_t *plans; /* modules and their functions, as sent */
static uint32_t module_cnt;
static int covered; /* the executable's malloc and free are patched */

static vt_patch_function_t *functions_of(vt_patch_module_t const *m) {
  return (vt_patch_function_t *)(m + 1);
}

static vt_patch_module_t *next_module(vt_patch_module_t *m) {
  return (vt_patch_module_t *)(functions_of(m) + m->function_cnt);
}

/* ---- is there anything to ask for? ---- */

/* has_names: does the file have more symbols than those of dynamic linking? */
static int has_names(char const *path) {
  static uint8_t sections[SECTIONS_SZ];
  Elf64_Ehdr eh;
  int fd = vt_sys_open(path, O_RDONLY | O_CLOEXEC, 0), found = 0;
  if (fd < 0) return 0;
  long n = vt_sys_pread(fd, &eh, sizeof eh, 0);
  if (n == (long)sizeof eh && eh.e_shentsize == sizeof(Elf64_Shdr))
    n = vt_sys_pread(fd, sections, sizeof sections, (off_t)eh.e_shoff);
  else
    n = 0;
  vt_sys_close(fd);
  for (long at = 0; at + (long)sizeof(Elf64_Shdr) <= n && at / 64 < eh.e_shnum && !found; at += 64)
    found = ((Elf64_Shdr const *)(sections + at))->sh_type == SHT_SYMTAB;
  return found;
}

/* may_bind: may this object's own allocator be out of reach? */
static int may_bind(struct link_map *map, int executable) {
  static char const *const never[] = {"libc.so", "ld-linux", "linux-vdso"};
  for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
    if (vt_symbol_object_begins(map, never[i])) return 0;
  if (map == vt_object_own()) return 0;
  if (vt_symbol_in(map, "malloc") || (executable && vt_symbol_in(map, "_Znwm"))) return 1;
  return has_names(executable ? "/proc/self/exe" : map->l_name);
}

static int wanted(void) {
  struct link_map *map = vt_object_first();
  if (vt_options.allocator) return 1;
  for (int executable = 1; map; map = map->l_next, executable = 0)
    if (may_bind(map, executable)) return 1;
  return 0;
}

/* is_confined: a filter that the program was started under may end it for a call it does not expect. */
static int is_confined(void) {
  return vt_process.filtered || vt_sys(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0, 0) > 0;
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

/* is_whole: do the counts add up? */
static int is_whole(vt_patch_answer_t const *head) {
  uint64_t left = head->sz;
  uint8_t *p = plans;
  for (uint32_t i = 0; i < head->module_cnt; i++) {
    if (left < sizeof(vt_patch_module_t)) return 0;
    vt_patch_module_t *m = (vt_patch_module_t *)p;
    uint64_t sz = sizeof *m + m->function_cnt * sizeof(vt_patch_function_t);
    if (left < sz) return 0;
    left -= sz;
    p += sz;
  }
  return !left;
}

/* ask fills plans. A collector that is stopped does not say the first byte; the rest takes time. */
static void ask(void) {
  char ack;
  vt_patch_answer_t head;
  int fd = vt_sink_connect(vt_options.collector, VT_PATCH_SOCKET_SUFFIX);
  if (fd < 0) return;
  if (vt_sys_read(fd, &ack, 1) == 1 && ack == VT_PATCH_ACK && !receive(fd, &head, sizeof head) &&
      head.sz && head.sz <= ANSWER_MAX && (plans = vt_sys_memory(head.sz)) &&
      !receive(fd, plans, head.sz) && is_whole(&head))
    module_cnt = head.module_cnt;
  vt_sys_close(fd);
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

static void fill_descriptors(vt_patch_module_t *m) {
  vt_patch_function_t const *f = functions_of(m);
  vt_patch_descriptor_t *d = (vt_patch_descriptor_t *)m->data;
  for (uint32_t i = 0; i < m->function_cnt; i++) {
    uint64_t copy = m->code + (uint64_t)i * VT_PATCH_SLOT_SZ + VT_PATCH_COPY_OFF;
    if (f[i].why[0] || f[i].kind.shape >= VT_SHAPE_CNT) continue;
    void *hook = f[i].kind.keeps ? (void *)vt_patched_keep : (void *)vt_patched_hooks[f[i].kind.shape];
    d[i] = (vt_patch_descriptor_t){.hook = hook, .real = (void *)copy, .kind = f[i].kind};
  }
}

static int write_at(int fd, uint64_t address, void const *bytes, uint64_t sz) {
  return vt_sys(SYS_pwrite64, fd, (long)bytes, (long)sz, (long)address, 0, 0) == (long)sz ? 0 : -1;
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
  if (i == m->function_cnt) return 0;
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

static char const *patch(int fd, vt_patch_module_t *m) {
  if (!is_as_planned(m)) return "its code in memory is not that of the file";
  if (fd < 0) return "/proc/self/mem cannot be opened";
  if (!map_at(m->data, m->data_sz, PROT_READ | PROT_WRITE)) return "there is no memory beside its code";
  fill_descriptors(m);
  if (map_at(m->code, m->code_sz, PROT_READ | PROT_EXEC) && !write_all(fd, m)) {
    move_hooks(m);
    return NULL;
  }
  vt_sys_munmap((void *)m->data, m->data_sz);
  vt_sys_munmap((void *)m->code, m->code_sz);
  return "the system does not let its code be changed";
}

static int has_threads(void) {
  struct stat st;
  return !vt_sys_stat("/proc/self/task", &st) && st.st_nlink > ONE_THREAD;
}

static void patch_all(void) {
  int threads = has_threads(), fd = vt_sys_open("/proc/self/mem", O_RDWR | O_CLOEXEC, 0);
  vt_real_get();
  vt_patched_keep_init();
  vt_patch_module_t *m = (vt_patch_module_t *)plans;
  for (uint32_t i = 0; i < module_cnt; i++, m = next_module(m)) {
    if (!m->code) continue;
    char const *why = threads ? "other threads run already when recording begins" : patch(fd, m);
    if (why) refuse_all(m, why);
    covered |= m->executable && m->covered;
  }
  if (fd >= 0) vt_sys_close(fd);
}

/* original is where the code was that is in a slot; see vt_unwind_moved. In front of the jump to the
   hook, and of the one that stands for a displaced call, the stack is as at a function's entry; behind
   a stub's push as at that of vt_patched_keep. */
static uint64_t original(uint64_t pc) {
  vt_patch_module_t *m = (vt_patch_module_t *)plans;
  for (uint32_t n = 0; n < module_cnt; n++, m = next_module(m)) {
    uint64_t i = (pc - m->code) / VT_PATCH_SLOT_SZ, at = (pc - m->code) % VT_PATCH_SLOT_SZ;
    if (!m->code || pc < m->code || i >= m->function_cnt) continue;
    vt_patch_function_t const *f = &functions_of(m)[i];
    if (at < VT_PATCH_COPY_OFF)
      return at && f->kind.keeps ? (uint64_t)vt_patched_keep : f->address;
    at -= VT_PATCH_COPY_OFF;
    for (uint32_t k = 0; k < f->insn_cnt; k++)
      if (f->insn_to[k] == at) return f->address + f->insn_from[k];
    return f->pushes && at == f->pushes ? f->address : f->address + f->sz;
  }
  return pc;
}

/* ---- what the rest of the shim asks ---- */

static void say_unreached(void) {
  if (vt_hooks_reached() == VT_HOOKS_BEHIND_EXECUTABLE)
    vt_say("the program's allocator is inside its executable", "preloading does not reach it",
           "record it with `valtrace run`");
}

void vt_patched_begin(void) {
  if (!vt_options.collector) return say_unreached();
  if (vt_options.text_fd >= 0 || !wanted() || is_confined()) return;
  ask();
  if (!module_cnt) return;
  patch_all();
  vt_unwind_moved = original;
}

int vt_patched_any(void) { return module_cnt != 0; }

vt_hooks_order_t vt_patched_order(void) {
  vt_hooks_order_t order = vt_hooks_reached();
  return order == VT_HOOKS_BEHIND_EXECUTABLE && covered ? VT_HOOKS_FIRST : order;
}

static void write_one(vt_stream_t *s, vt_patch_module_t const *m, vt_patch_function_t const *f) {
  vt_message_t out = vt_stream_blob_open(s, sizeof f->name + sizeof f->why + sizeof m->path + 64);
  vt_message_u64(&out, vt_clock_tick(s->sink->clock));
  vt_message_u32(&out, (f->why[0] ? 0 : VT_PATCHED_RECORDED) | (m->executable ? VT_PATCHED_EXECUTABLE : 0));
  vt_message_u64(&out, f->entry);
  vt_message_string(&out, f->name, strnlen(f->name, sizeof f->name));
  vt_message_string(&out, m->path, strnlen(m->path, sizeof m->path));
  vt_message_string(&out, f->why, strnlen(f->why, sizeof f->why));
  vt_stream_blob_close(s, VT_CHUNK_PATCHED, &out);
}

void vt_patched_write(vt_stream_t *s) {
  vt_patch_module_t *m = (vt_patch_module_t *)plans;
  for (uint32_t n = 0; n < module_cnt; n++, m = next_module(m))
    for (uint32_t i = 0; i < m->function_cnt; i++) write_one(s, m, &functions_of(m)[i]);
}
