/* The table of modules: entries that never move and are never given back, found by index or by a
   key, the loader's link map, without locks. It grows in blocks that double, so it has no limit but memory. */
#ifndef VT_CORE_TRACE_MODULE_TABLE_H
#define VT_CORE_TRACE_MODULE_TABLE_H

#include <stdatomic.h>
#include <stdint.h>

#define VT_MODULE_RANGES_MAX 16

/* Life of an entry: claimed, loaded (may be written), gone (unload to be written). */
enum {
  VT_MODULE_FREE = 0,
  VT_MODULE_CLAIMED = 1,
  VT_MODULE_LOADED = 2,
  VT_MODULE_GONE = 3,
};

typedef struct {
  _Atomic uint32_t state;
  _Atomic uint32_t written; /* bit 0: load message written or being written, bit 1: unload */
  uint32_t next_gone;       /* in the list of those whose unload is to be written */
  uint32_t load_epoch;
  uint32_t unload_epoch;
  uint64_t load_tick;
  uint64_t unload_tick;
  uint64_t start; /* of the mapping, where the ELF header is */
  uint64_t end;
  void const *key; /* the loader's link map, or `start` of an object it does not list */
  uint8_t id_bytes[64];
  uint32_t id_sz;
  uint32_t flags;
  uint32_t range_cnt;
  uint32_t path_sz;
  uint64_t bias;
  struct {
    uint64_t start, end, off;
  } range[VT_MODULE_RANGES_MAX];
  uint64_t file[VT_MODULE_FILE_WORDS]; /* see trace-format.md; asked once, when first written */
  int file_asked;
  char path[1024]; /* with a terminating zero */
} vt_module_t;

/* vt_module_table_claim appends an entry and stores its index; NULL without memory. Thread- and
   signal-safe; maps memory when a block is full. */
vt_module_t *vt_module_table_claim(uint32_t *index);

/* vt_module_table_cnt is the number of indexes handed out. */
uint32_t vt_module_table_cnt(void);

/* vt_module_table_unlock undoes for the table what mlockall did. */
void vt_module_table_unlock(void);

/* vt_module_table_at is an entry, NULL when there was no memory for it. */
vt_module_t *vt_module_table_at(uint32_t index);

/* vt_module_table_enter makes an entry the one that is found by its key. */
void vt_module_table_enter(uint32_t index);

/* vt_module_table_find is the latest entry with this key; stores its index; NULL: none. Constant time;
   never reads what the key points to. */
vt_module_t *vt_module_table_find(void const *key, uint32_t *index);

#endif
