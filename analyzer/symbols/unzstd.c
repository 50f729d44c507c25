/* See unzstd.h. The copy is the file as it was, the decompressed sections behind it, and headers that
   say so. libelf learned zstd in elfutils 0.189, and only where it was built with it. */
#include "analyzer/symbols/unzstd.h"
#include "analyzer/util/kernel.h"
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define TYPE_ZSTD      2 /* ELFCOMPRESS_ZSTD, not in older elf.h */
#define SECTION_SZ_MAX ((uint64_t)2 << 30)

typedef struct {
  uint8_t const *p;
  uint64_t sz;
  Elf64_Shdr const *sections;
  unsigned cnt;
} elf_t;

/* open_elf finds the section headers of a mapped 64-bit file of this machine's byte order. */
static int open_elf(elf_t *elf) {
  Elf64_Ehdr const *header = (Elf64_Ehdr const *)elf->p;
  uint16_t const one = 1;
  unsigned char order = *(unsigned char const *)&one ? ELFDATA2LSB : ELFDATA2MSB;
  if (elf->sz < sizeof *header || memcmp(header->e_ident, ELFMAG, SELFMAG) ||
      header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != order ||
      header->e_shentsize != sizeof(Elf64_Shdr) || header->e_shoff > elf->sz ||
      header->e_shoff % 8 || header->e_shnum > (elf->sz - header->e_shoff) / sizeof(Elf64_Shdr))
    return -1;
  elf->sections = (Elf64_Shdr const *)(elf->p + header->e_shoff);
  elf->cnt = header->e_shnum;
  return 0;
}

/* packed copies the compression header of a section that zstd compressed; 0 for others. */
static int packed(elf_t const *elf, unsigned i, Elf64_Chdr *header) {
  Elf64_Shdr const *s = &elf->sections[i];
  if (!(s->sh_flags & SHF_COMPRESSED) || s->sh_flags & SHF_ALLOC || s->sh_type == SHT_NOBITS ||
      s->sh_size < sizeof *header || s->sh_offset > elf->sz || s->sh_size > elf->sz - s->sh_offset)
    return 0;
  memcpy(header, elf->p + s->sh_offset, sizeof *header);
  return header->ch_type == TYPE_ZSTD && header->ch_size <= SECTION_SZ_MAX;
}

static int any_packed(elf_t const *elf) {
  Elf64_Chdr header;
  for (unsigned i = 0; i < elf->cnt; i++)
    if (packed(elf, i, &header)) return 1;
  return 0;
}

static int put(int fd, void const *p, uint64_t sz, uint64_t at) {
  for (uint64_t done = 0; done < sz;) {
    ssize_t n = pwrite(fd, (uint8_t const *)p + done, sz - done, (off_t)(at + done));
    if (n <= 0) return -1;
    done += (uint64_t)n;
  }
  return 0;
}

/* unpack writes section i decompressed at *end of the copy, and its header. Returns 0 or -1. */
static int unpack(elf_t const *elf, unsigned i, int copy, uint64_t *end) {
  Elf64_Chdr header;
  Elf64_Shdr s = elf->sections[i];
  if (!packed(elf, i, &header)) return 0;
  uint8_t *text = malloc(header.ch_size + 1);
  size_t sz = text ? ZSTD_decompress(text, header.ch_size, elf->p + s.sh_offset + sizeof header,
                                     s.sh_size - sizeof header)
                   : 0;
  int failed = !text || ZSTD_isError(sz) || sz != header.ch_size || put(copy, text, sz, *end);
  free(text);
  if (failed) return -1;
  s.sh_offset = *end;
  s.sh_size = sz;
  s.sh_flags &= ~(Elf64_Xword)SHF_COMPRESSED;
  s.sh_addralign = header.ch_addralign;
  *end = (*end + sz + 15) & ~(uint64_t)15;
  return put(copy, &s, sizeof s, (uint64_t)((uint8_t const *)&elf->sections[i] - elf->p));
}

static int make_copy(elf_t const *elf) {
  int copy = vt_kernel_file("valtrace-unpacked", 1);
  uint64_t end = (elf->sz + 15) & ~(uint64_t)15;
  int failed = copy < 0 || put(copy, elf->p, elf->sz, 0);
  for (unsigned i = 0; i < elf->cnt && !failed; i++) failed = unpack(elf, i, copy, &end);
  if (!failed) return copy;
  if (copy >= 0) close(copy);
  return -1;
}

int vt_elf_unzstd(int fd) {
  struct stat st;
  if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || !st.st_size) return fd;
  elf_t elf = {.sz = (uint64_t)st.st_size};
  void *p = mmap(NULL, elf.sz, PROT_READ, MAP_PRIVATE, fd, 0);
  if (p == MAP_FAILED) return fd;
  elf.p = p;
  int copy = !open_elf(&elf) && any_packed(&elf) ? make_copy(&elf) : -1;
  munmap(p, elf.sz);
  if (copy < 0) return fd;
  close(fd);
  return copy;
}
