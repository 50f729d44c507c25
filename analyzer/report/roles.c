/* Tables of names, by language and by the modules they count in; see roles.h. */
#include "analyzer/report/roles.h"
#include <ctype.h>
#include <fnmatch.h>
#include <string.h>
#include "analyzer/report/names.h"

/* Classes of names, modules and files: a row counts if name and module have a bit of it in common.
 */
enum {
  EVERYWHERE = 0x100, /* every module has this one */
  SHARED = 0x200,     /* a shared library, which has its own wrapper of malloc */
  COMPILER = 0x400,   /* gcc's */
  PYTHON = 0x800,
  HOTSPOT = 0x1000,
  INTERPRETERS = 0x2000, /* programs that are interpreters, or their libraries */
  RUNTIME = 0x4000,      /* run-time libraries: everything in them is of the library */
  MODULES = 0xff00,
  RUST_SCOPE = 0x10000, /* Rust's standard library, unless it is a C_FILE */
  LIBRARY_FILE = 0x20000,
  C_FILE = 0x40000, /* C or C++ */
  ROLES = 0xff
};

/* What is said of names: `where` and `role`, then the names (C; a '*' at the end stands for any
 * rest). */
typedef struct {
  uint32_t where, role;
  char const *names;
} row_t;

static char const allocators[] =
    "malloc calloc realloc reallocarray posix_memalign aligned_alloc memalign valloc "
    "pvalloc __libc_malloc __libc_calloc __libc_realloc __libc_memalign "
    "__GI___libc_malloc __GI___libc_calloc __GI___libc_realloc _Znw* _Zna* __rdl_alloc "
    "__rdl_alloc_zeroed __rdl_realloc __rust_alloc __rust_alloc_zeroed __rust_realloc "
    "__rg_alloc __rg_alloc_zeroed __rg_realloc vt_hook_* vt_block_alloc fd_wksp_alloc "
    "fd_wksp_alloc_at_least fd_wksp_alloc_laddr fd_alloc_malloc fd_alloc_malloc_at_least "
    "fd_groove_data_alloc fd_valloc_malloc fd_alloc_malloc_virtual fd_backtracing_malloc_virtual "
    "fd_libc_malloc_virtual fd_groove_malloc_virtual fd_wksp_malloc_virtual";
static char const wrappers[] =
    "xmalloc xcalloc xrealloc xreallocarray xzalloc xstrdup xstrndup xmemdup xmemdup0 "
    "xnmalloc xnrealloc xcharalloc xasprintf xvasprintf x2realloc x2nrealloc xpalloc "
    "ximalloc xirealloc xicalloc do_xmalloc sh_xmalloc sh_xrealloc xmalloc0 g_malloc "
    "g_malloc0 g_malloc_n g_malloc0_n g_try_malloc g_try_malloc0 g_try_malloc_n g_realloc "
    "g_realloc_n g_try_realloc g_try_realloc_n g_slice_alloc g_slice_alloc0 g_slice_copy "
    "g_strdup g_strndup g_strdup_inline g_strdup_printf g_strdup_vprintf g_memdup "
    "g_memdup2 strdup __strdup __GI___strdup strndup __strndup __GI___strndup wcsdup "
    "asprintf vasprintf safemalloc saferealloc safecalloc safesysmalloc safesysrealloc "
    "safesyscalloc Perl_safesysmalloc Perl_safesysrealloc Perl_safesyscalloc "
    "sqlite3MemMalloc sqlite3MemRealloc sqlite3Malloc sqlite3MallocZero sqlite3_malloc "
    "sqlite3_malloc64 sqlite3Realloc sqlite3_realloc sqlite3_realloc64 "
    "sqlite3DbMallocZero sqlite3DbMallocRaw sqlite3DbMallocRawNN sqlite3DbRealloc "
    "sqlite3DbStrDup sqlite3DbStrNDup mallocWithAlarm zmalloc zcalloc zrealloc ztrymalloc "
    "ztrycalloc ztryrealloc zmalloc_usable zcalloc_num zstrdup ztrymalloc_usable "
    "ztrymalloc_usable_internal ztryrealloc_usable_internal je_malloc je_calloc "
    "je_realloc je_mallocx je_rallocx je_aligned_alloc je_posix_memalign je_memalign "
    "_obstack_begin _obstack_begin_1 _obstack_newchunk _objalloc_alloc __zend_malloc "
    "__zend_calloc __zend_realloc _emalloc _ecalloc _erealloc _estrdup _estrndup "
    "_safe_emalloc zend_strndup CRYPTO_malloc CRYPTO_zalloc CRYPTO_realloc CRYPTO_strdup "
    "CRYPTO_strndup CRYPTO_memdup monoeg_malloc monoeg_malloc0 monoeg_realloc "
    "monoeg_try_malloc monoeg_g_calloc monoeg_g_strdup";
static char const compiler[] =
    "ggc_internal_alloc ggc_internal_cleared_alloc ggc_alloc* ggc_cleared_alloc* "
    "ggc_realloc ggc_vec_alloc* alloc_page alloc_anon";
static char const python[] =
    "PyMem_* _PyMem_* PyObject_Malloc PyObject_Calloc PyObject_Realloc _PyObject_Malloc* "
    "_PyObject_Calloc* _PyObject_Realloc* _PyObject_New* _PyObject_GC_* "
    "PyType_GenericAlloc pymalloc_alloc new_arena gc_alloc PyObject_Free PyObject_GC_Del "
    "_PyObject_Free";
static char const hotspot[] =
    "os::malloc os::realloc os::strdup os::strdup_check_oom AllocateHeap ReallocateHeap";
static char const interpreters[] =
    "_PyEval_* PyEval_* _PyFunction_Vectorcall PyObject_Call* _PyObject_Call* "
    "PyObject_Vectorcall* _PyObject_MakeTpCall _PyVectorcall_Call method_vectorcall* "
    "cfunction_vectorcall* cfunction_call Perl_runops_standard vm_exec vm_exec_core "
    "rb_vm_exec luaV_execute luaD_call* luaD_precall luaD_rawrunprotected execute_ex "
    "zend_execute zend_execute_scripts";
static char const go[] =
    "runtime.* runtime/internal/* internal/runtime/* _cgo_* x_cgo_* crosscall2 "
    "crosscall_amd64 threadentry";
static char const start[] =
    "__libc_start_main __libc_start_main_impl __libc_start_call_main clone3 "
    "__clone3 clone __clone start_thread";

static char const frees[] =
    "xfree g_free g_slice_free1 zfree je_free safefree safesysfree Perl_safesysfree sqlite3_free "
    "sqlite3DbFree sqlite3DbFreeNN _efree CRYPTO_free monoeg_g_free vt_block_free "
    "vt_block_free_interior vt_block_realloc";

static row_t const rows[] = {{EVERYWHERE, VT_ROLE_ALLOCATOR, allocators},
                             {EVERYWHERE, VT_ROLE_WRAPPER, wrappers},
                             {EVERYWHERE, VT_ROLE_WRAPPER, frees},
                             {EVERYWHERE, VT_ROLE_LIBRARY, go},
                             {EVERYWHERE, VT_ROLE_LIBRARY | VT_ROLE_START, "_start"},
                             {RUNTIME, VT_ROLE_LIBRARY | VT_ROLE_START, start},
                             {COMPILER, VT_ROLE_WRAPPER, compiler},
                             {PYTHON, VT_ROLE_WRAPPER, python},
                             {INTERPRETERS, VT_ROLE_INTERPRETER, interpreters}};

static int starts(char const *text, char const *prefix) {
  return !strncmp(text, prefix, strlen(prefix));
}

/* Is the text (of sz bytes) in a list of names with blanks between them? */
static int is_one_of(char const *names, char const *text, size_t sz) {
  for (size_t name_sz; *names; names += name_sz + (names[name_sz] == ' ')) {
    name_sz = strcspn(names, " ");
    size_t fixed = name_sz - (names[name_sz - 1] == '*');
    if ((fixed < name_sz ? sz >= fixed : sz == fixed) && !memcmp(names, text, fixed)) return 1;
  }
  return 0;
}

/* ---- C ---- */

/* What a library calls its own malloc: its prefix and the name of the function that it wraps. */
static int ends_like_malloc(char const *name, size_t sz) {
  static char const verbs[] = "malloc malloc0 mallocz calloc realloc reallocarray zalloc strdup "
                              "strndup memdup asprintf ";
  for (char const *verb = verbs; *verb; verb += strcspn(verb, " ") + 1) {
    size_t verb_sz = strcspn(verb, " ");
    if (sz >= verb_sz && !strncasecmp(name + sz - verb_sz, verb, verb_sz)) return 1;
  }
  return 0;
}

/* The size of a name without what gcc and clang append to parts and copies of a function. */
static size_t plain_size(char const *name, size_t sz) {
  static char const *const endings[] = {".part.",      ".cold",      ".isra.",
                                        ".constprop.", ".lto_priv.", ".llvm."};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    char const *found = strstr(name, endings[i]);
    if (found && (size_t)(found - name) < sz) sz = (size_t)(found - name);
  }
  return sz;
}

/* A function that is in no scope. */
static uint32_t c_class(char const *name, size_t sz) {
  sz = plain_size(name, sz);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (is_one_of(rows[i].names, name, sz)) return rows[i].where | rows[i].role;
  return ends_like_malloc(name, sz) ? SHARED | VT_ROLE_WRAPPER : 0;
}

/* ---- C++ ---- */

static int in_cxx_library(char const *name) {
  return starts(name, "std::") || starts(name, "__gnu_cxx::") || starts(name, "__cxxabiv1::");
}

/* The standard library's own allocators: a member `allocate…` of one of their templates. */
static int is_cxx_allocator(vt_name_t name, char const *base) {
  static char const *const templates[] = {"std::allocator<",
                                          "std::__new_allocator<",
                                          "std::__1::allocator<",
                                          "__gnu_cxx::new_allocator<",
                                          "std::allocator_traits<",
                                          "std::__1::allocator_traits<",
                                          "__gnu_cxx::__alloc_traits<",
                                          "std::__allocate_guarded",
                                          "std::__1::__libcpp_allocate"};
  if (starts(name.start, "operator new")) return 1;
  for (size_t i = 0; i < sizeof templates / sizeof *templates; i++)
    if (starts(name.start, templates[i]))
      return starts(base, "allocate") || !strchr(templates[i], '<');
  return 0;
}

static uint32_t cxx_class(vt_name_t name, char const *base) {
  size_t sz = (size_t)(name.end - name.start);
  if (is_cxx_allocator(name, base)) return EVERYWHERE | VT_ROLE_ALLOCATOR | VT_ROLE_LIBRARY;
  if (in_cxx_library(name.start)) return EVERYWHERE | VT_ROLE_LIBRARY;
  if (is_one_of(hotspot, name.start, sz)) return HOTSPOT | VT_ROLE_WRAPPER;
  if (starts(base, "operator new")) return EVERYWHERE | VT_ROLE_WRAPPER; /* a class's own */
  return memmem(name.start, sz, "::", 2) ? 0 : c_class(name.start, sz);
}

/* ---- Rust ---- */

static int in_rust_library(char const *path) {
  static char const *const crates[] = {
      "core::", "alloc::", "std::", "hashbrown::", "__rustc::", "rustc_std_workspace_"};
  while (*path == '&' || *path == '<') path++;
  for (size_t i = 0; i < sizeof crates / sizeof *crates; i++)
    if (starts(path, crates[i])) return 1;
  return 0;
}

/* Has the type no crate: a primitive one, a reference, a pointer, a slice, a tuple, a parameter? */
static int is_nobodys(char const *type, char const *end) {
  for (; type < end && !starts(type, " as "); type++)
    if (type[0] == ':' && type[1] == ':') return 0;
  return 1;
}

/* `<Type as Trait>::f` lies in the crate of the type, or of the trait if the type is nobody's. */
static int is_rust_library(vt_name_t name) {
  char const *as = strstr(name.start, " as ");
  if (*name.start != '<' || !as || as > name.end) return in_rust_library(name.start);
  if (is_nobodys(name.start + 1, as)) return in_rust_library(as + 4);
  if (!in_rust_library(name.start + 1)) return 0;
  return in_rust_library(as + 4); /* the user's trait for a type of the library */
}

static int is_rust_allocator(char const *name) {
  return starts(name, "alloc::alloc::") || starts(name, "<alloc::alloc::Global as ") ||
         starts(name, "std::alloc::") || starts(name, "__rustc::__r");
}

static uint32_t rust_class(vt_name_t name) {
  if (is_rust_allocator(name.start)) return RUST_SCOPE | VT_ROLE_ALLOCATOR | VT_ROLE_LIBRARY;
  if (is_rust_library(name)) return RUST_SCOPE | VT_ROLE_LIBRARY;
  return in_cxx_library(name.start) ? EVERYWHERE | VT_ROLE_LIBRARY : 0;
}

/* ---- together ---- */

uint32_t vt_role_name_class(char const *function) {
  size_t sz;
  if (!function[0]) return 0;
  vt_name_t name = vt_name_parse(function);
  if (name.parameters) return cxx_class(name, vt_name_base(function, &sz));
  return strstr(name.start, "::") || *name.start == '<' ? rust_class(name)
                                                        : c_class(function, strlen(function));
}

/* Does the text match a pattern in a list with blanks between them? */
static int matches_one(char const *patterns, char const *text) {
  char pattern[64];
  for (size_t sz; *patterns; patterns += sz + (patterns[sz] == ' ')) {
    sz = strcspn(patterns, " ");
    memcpy(pattern, patterns, sz);
    pattern[sz] = 0;
    if (!fnmatch(pattern, text, 0)) return 1;
  }
  return 0;
}

uint32_t vt_role_module_class(char const *path) {
  static char const runtime[] =
      "libc.so.* libc-2.* libstdc++.so.* libc++.so.* libc++abi.so.* libgcc_s.so.* ld-linux* "
      "ld-2.* libpthread.so.* libpthread-2.* libm.so.* libm-2.* libdl.so.* librt.so.* "
      "libvaltrace.so libjemalloc.so.* libtcmalloc*.so.* libmimalloc*.so* "
      "libtbbmalloc*.so.* libstd-*.so";
  static char const gcc[] = "cc1 cc1plus cc1obj cc1objplus lto1 f951 gnat1 d21 go1 rust1";
  static char const py[] = "python[0-9]* python libpython*.so*";
  static char const jvm[] = "libjvm.so";
  static char const others[] =
      "perl* libperl.so* ruby* libruby*.so* lua* liblua*.so* php* libphp*.so*";
  char const *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  uint32_t class = EVERYWHERE;
  if (strstr(name, ".so")) class |= SHARED;
  if (matches_one(runtime, name)) class |= RUNTIME;
  if (matches_one(gcc, name)) class |= COMPILER;
  if (matches_one(py, name)) class |= PYTHON | INTERPRETERS;
  if (matches_one(jvm, name)) class |= HOTSPOT;
  if (matches_one(others, name)) class |= INTERPRETERS;
  return class;
}

uint32_t vt_role_file_class(char const *path) {
  static char const libraries[] = "*/include/c++/* */library/core/src/* */library/alloc/src/* "
                                  "*/library/std/src/* */hashbrown-*/src/*";
  static char const c[] = "*.c *.cc *.cpp *.cxx *.C *.h *.hh *.hpp *.ipp *.tcc *.inl";
  if (matches_one(libraries, path)) return LIBRARY_FILE;
  return matches_one(c, path) ? C_FILE : 0;
}

unsigned vt_role_of(uint32_t name, uint32_t module, uint32_t file) {
  unsigned roles = module & RUNTIME || file & LIBRARY_FILE ? VT_ROLE_LIBRARY : 0;
  if (name & MODULES & module) roles |= name & ROLES;
  if (name & RUST_SCOPE && !(file & C_FILE)) roles |= name & ROLES;
  return roles;
}
