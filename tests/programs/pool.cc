// A library with operators new and delete that call malloc now and then: blocks of up to 64 bytes
// come ten at a time out of a larger one and go back to a list, others are malloc's own. Beyond
// 1000 bytes it keeps books in malloc's memory too, made after the block: one for the block and one for
// each of 40 pieces of it.
#include <cstdlib>
#include <new>

namespace {
struct Slot {
  Slot *next;
  char rest[56];
};
struct Book {
  void *block;
  Book *next;
};
constexpr int kPieces = 41;
Slot *free_slots;
Book *books;

void *from_pool() {
  if (!free_slots) {
    char *chunk = static_cast<char *>(std::malloc(16 + 10 * sizeof(Slot)));
    if (!chunk) throw std::bad_alloc();
    Slot *first = reinterpret_cast<Slot *>(chunk + 16);
    for (int i = 0; i < 10; i++) {
      first[i].next = free_slots;
      free_slots = &first[i];
    }
  }
  Slot *slot = free_slots;
  free_slots = slot->next;
  return slot;
}
} // namespace

void *operator new(std::size_t sz) {
  if (sz <= sizeof(Slot)) return from_pool();
  void *p = std::malloc(sz);
  if (!p) throw std::bad_alloc();
  for (int i = 0; sz > 1000 && i < kPieces; i++) {
    Book *book = static_cast<Book *>(std::malloc(sizeof *book));
    book->block = p;
    book->next = books;
    books = book;
  }
  return p;
}
void operator delete(void *p, std::size_t sz) noexcept {
  if (sz <= sizeof(Slot)) {
    Slot *slot = static_cast<Slot *>(p);
    slot->next = free_slots;
    free_slots = slot;
    return;
  }
  for (Book **b = &books; *b;) {
    Book *gone = *b;
    if (gone->block == p) {
      *b = gone->next;
      std::free(gone);
    } else {
      b = &gone->next;
    }
  }
  std::free(p);
}
void operator delete(void *p) noexcept { std::free(p); }
