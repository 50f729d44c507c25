/* Names of functions: what is taken for the name proper, what a user reads, and whose function it
   is. The names are what binutils' demangler prints for real programs; what they should become is
   written by hand. */
#include "analyzer/report/names.h"
#include "analyzer/report/roles.h"
#include "tests/unit/tap.h"

#define MAP                                                                                        \
  "std::map<int, std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> "   \
  ">, "                                                                                            \
  "std::less<int>, std::allocator<std::pair<int const, std::__cxx11::basic_string<char, "          \
  "std::char_traits<char>, std::allocator<char> > > > >"

static struct {
  char const *full, *proper, *base, *brief;
} const names[] = {
    {"main", "main", "main", "main"},
    {"void std::vector<long, std::allocator<long> >::_M_realloc_insert<long>(long*, long&&)",
     "std::vector<long, std::allocator<long> >::_M_realloc_insert<long>", "_M_realloc_insert",
     "std::vector<long>::_M_realloc_insert<long>(long*, long&&)"},
    {MAP "::operator[](int&&)", MAP "::operator[]", "operator[]",
     "std::map<int, std::string>::operator[](int&&)"},
    {"main::{lambda(int)#1}::operator()(int) const", "main::{lambda(int)#1}::operator()",
     "operator()", "main::{lambda(int)#1}::operator()(int) const"},
    {"foo(int)::Bar::baz(char) const", "foo(int)::Bar::baz", "baz",
     "foo(int)::Bar::baz(char) const"},
    {"Foo::operator<(Foo const&)", "Foo::operator<", "operator<", "Foo::operator<(Foo const&)"},
    {"decltype (f()) ns::call<int>(int)", "ns::call<int>", "call", "ns::call<int>(int)"},
    {"Foo::operator std::function<void (int)>() const", "Foo::operator std::function<void (int)>",
     "operator std::function<void (int)>", "Foo::operator std::function<void (int)>() const"},
    {"<alloc::vec::Vec<T> as core::clone::Clone>::clone",
     "<alloc::vec::Vec<T> as core::clone::Clone>::clone", "clone",
     "<alloc::vec::Vec<T> as core::clone::Clone>::clone"},
    {"app::run::h0123456789abcdef", "app::run::h0123456789abcdef", "h0123456789abcdef", "app::run"},
    {"Foo::bar[abi:cxx11](int)", "Foo::bar[abi:cxx11]", "bar[abi:cxx11]", "Foo::bar(int)"},
    {"f(std::basic_ostream<wchar_t, std::char_traits<wchar_t> >&)", "f", "f", "f(std::wostream&)"},
    {"mine::vector<long, std::allocator<long> >::add(long)",
     "mine::vector<long, std::allocator<long> >::add", "add",
     "mine::vector<long, std::allocator<long>>::add(long)"},
    {"f(a_rather_long_type_of_mine const&, another_quite_long_type&, int)", "f", "f", "f(…)"},
    {"g<int, a_rather_long_type_of_mine, another_quite_long_type>(int)",
     "g<int, a_rather_long_type_of_mine, another_quite_long_type>", "g", "g<int, …>(int)"},
    {")(odd>>[", ")", ")", ")(odd)>[]"},
    {"", "", "", ""}};

enum {
  NONE = 0,
  A = VT_ROLE_ALLOCATOR,
  W = VT_ROLE_WRAPPER,
  L = VT_ROLE_LIBRARY,
  I = VT_ROLE_INTERPRETER,
  S = VT_ROLE_START
};
#define EXE  "/home/me/server"
#define LIB  "/usr/lib/libfoo.so.1"
#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"

static struct {
  char const *function, *module, *file;
  unsigned roles;
} const functions[] = {
    /* the user's, whatever their names begin with */
    {"core::Reader::read(int)", EXE, "/src/reader.cc", NONE},
    {"alloc::page(int)", EXE, "", NONE},
    {"core::Reader::read", EXE, "/src/reader.cc", NONE}, /* inlined: no parameters */
    {"je_reader", EXE, "", NONE},
    {"alloc_pages_now", EXE, "", NONE},
    {"alloc_page", EXE, "", NONE},
    {"xmalloc_statistics", EXE, "", NONE},
    {"plant_realloc", EXE, "", NONE},
    {"clone", EXE, "", NONE},
    {"gc_alloc", EXE, "", NONE},
    {"PyMem_mine", EXE, "", NONE},
    {"stdx::f(int)", EXE, "", NONE},
    {"app::main::{{closure}}", EXE, "", NONE},
    {"<app::Tree as core::clone::Clone>::clone", EXE, "", NONE},
    {"<alloc::vec::Vec<T> as app::Sum>::sum", EXE, "", NONE},
    {"app::core::run", EXE, "", NONE},
    {"void mine::fill<std::vector<int> >(std::vector<int>&)", EXE, "", NONE},
    {"std_like(int)", EXE, "", NONE},
    {"my::os::malloc(unsigned long)", EXE, "", NONE},
    /* run-time libraries */
    {"int std::_Function_handler<int (int), main::{lambda(int)#1}>::_M_invoke(std::_Any_data "
     "const&)",
     EXE, "", L},
    {"std::enable_if<is_invocable_r_v<void, F&>, void>::type std::__invoke_r<void, F&>(F&)", EXE,
     "", L},
    {"__invoke_impl<void, main()::<lambda()> >", EXE, "/usr/include/c++/12/bits/invoke.h", L},
    {"alloc::raw_vec::RawVec<T,A>::grow_one", EXE, "", L},
    {"core::ops::function::FnOnce::call_once{{vtable.shim}}", EXE, "", L},
    {"<alloc::vec::Vec<T,A> as core::clone::Clone>::clone", EXE, "", L},
    {"<T as alloc::slice::hack::ConvertVec>::to_vec", EXE, "", L},
    {"<&str as core::convert::Into<T>>::into", EXE, "", L},
    {"to_vec", EXE, "/rustc/9fc6b43126469e3858e2fe86cafb4f0fd5068869/library/alloc/src/slice.rs",
     L},
    {"std::rt::lang_start::{{closure}}", EXE, "", L},
    {"qsort", LIBC, "", L},
    {"", LIBC, "", L},
    {"runtime.asmcgocall", EXE, "", L},
    {"clone", LIBC, "", L | S},
    {"_start", EXE, "", L | S},
    /* allocators and their wrappers */
    {"malloc", EXE, "", A},
    {"operator new(unsigned long)", EXE, "", A | L},
    {"std::__new_allocator<int>::allocate(unsigned long, void const*)", EXE, "", A | L},
    {"alloc::alloc::exchange_malloc", EXE, "", A | L},
    {"Pool::operator new(unsigned long)", EXE, "", W},
    {"xmalloc", EXE, "", W},
    {"xmalloc.part.0", EXE, "", W},
    {"xfree", EXE, "", W},
    {"vt_block_free", EXE, "include/valtrace/annotate.h", W},
    {"free_list_of_mine", EXE, "", NONE},
    {"__zend_malloc", "/usr/bin/php8.2", "", W},
    {"CRYPTO_strndup", "/usr/lib/libcrypto.so.3", "", W},
    {"monoeg_malloc", "/usr/bin/mono-sgen", "", W},
    {"os::malloc(unsigned long, MEMFLAGS)", "/usr/lib/jvm/lib/server/libjvm.so", "", W},
    {"foo_malloc", LIB, "", W},
    {"fooStrDup", LIB, "", W},
    {"foo_malloc", EXE, "", NONE},
    {"alloc_page(unsigned int)", "/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus", "", W},
    {"PyMem_RawMalloc", "/usr/bin/python3.11", "", W},
    {"_PyEval_EvalFrameDefault", "/usr/bin/python3.11", "", I}};

static void check_names(void) {
  char buffer[512], tiny[8];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char const *full = names[i].full;
    size_t sz;
    vt_name_t proper = vt_name_parse(full);
    char const *base = vt_name_base(full, &sz);
    ok(strlen(names[i].proper) == (size_t)(proper.end - proper.start) &&
           !memcmp(names[i].proper, proper.start, strlen(names[i].proper)),
       "proper: %s", names[i].proper);
    ok(sz == strlen(names[i].base) && !memcmp(base, names[i].base, sz), "base: %s", names[i].base);
    if (!ok(!strcmp(vt_name_short(full, buffer, sizeof buffer), names[i].brief), "short: %s",
            names[i].brief))
      printf("# got %s\n", buffer);
    ok(strlen(vt_name_short(full, tiny, sizeof tiny)) < sizeof tiny, "in a small buffer");
  }
}

static void check_roles(void) {
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    char const *file = functions[i].file;
    unsigned roles = vt_role_of(vt_role_name_class(functions[i].function),
                                vt_role_module_class(functions[i].module),
                                file[0] ? vt_role_file_class(file) : 0);
    if (!ok(roles == functions[i].roles, "%s in %s", functions[i].function, functions[i].module))
      printf("# got %u, want %u\n", roles, functions[i].roles);
  }
}

int main(void) {
  check_names();
  check_roles();
  return done_testing();
}
