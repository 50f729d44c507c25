/* ELF files whose debug information is compressed with zstd, for a libelf that cannot read that. */
#ifndef VT_ANALYZER_SYMBOLS_UNZSTD_H
#define VT_ANALYZER_SYMBOLS_UNZSTD_H

/* vt_elf_unzstd returns a descriptor of the same file with such sections decompressed, a copy in memory,
   and closes `fd`; `fd` itself when there are none or they cannot be decompressed. The file is hostile:
   only for worker processes. */
int vt_elf_unzstd(int fd);

#endif
