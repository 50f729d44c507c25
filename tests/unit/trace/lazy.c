/* A library whose call of an IFUNC symbol is bound on the first call: the resolver runs on top of
   _dl_runtime_resolve and calls back. */
extern void (*in_resolver)(void);
__attribute__((visibility("default"))) void (*in_resolver)(void);

static void chosen(void) {}

static void (*resolve(void))(void) {
  if (in_resolver) in_resolver();
  return chosen;
}

__attribute__((visibility("default"))) void chosen_lazily(void) __attribute__((ifunc("resolve")));

__attribute__((visibility("default"))) void calls_lazily(void);
void calls_lazily(void) {
  chosen_lazily();
  __asm__ volatile("" ::: "memory");
}
