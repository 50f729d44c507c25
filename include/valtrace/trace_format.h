/* Constants of the trace format that writer and reader share, and little-endian load and store.

   docs/trace-format.md is normative and explains every name. No I/O and no allocation here, so that
   the shim can use it; nothing is ever written as a C struct. */
#ifndef VALTRACE_TRACE_FORMAT_H
#define VALTRACE_TRACE_FORMAT_H

#include <stdint.h>
#include <string.h>

#define VT_FORMAT_VERSION 1
#define VT_MAGIC "\x89VTR\r\n\x1a\n"
#define VT_MAGIC_SZ 8
#define VT_HEADER_MAX ((uint32_t)1 << 20)

/* Offsets of header fields. */
enum {
  VT_HEADER_OFF_MIN_READER = 8,
  VT_HEADER_OFF_WRITER = 10,
  VT_HEADER_OFF_SZ = 12,
  VT_HEADER_OFF_REQUIRED = 16,
  VT_HEADER_OFF_OPTIONAL = 24,
  VT_HEADER_OFF_ARCH = 32,
  VT_HEADER_OFF_ENDIAN = 34,
  VT_HEADER_OFF_POINTER_SZ = 35,
  VT_HEADER_OFF_PAGE_SZ = 36,
  VT_HEADER_OFF_PID = 40,
  VT_HEADER_OFF_PPID = 44,
  VT_HEADER_OFF_IMAGE = 48,
  VT_HEADER_OFF_TICK_HZ = 56,
  VT_HEADER_OFF_START_TICK = 64,
  VT_HEADER_OFF_START_UNIX_NS = 72,
  VT_HEADER_OFF_SAMPLE_PERIOD = 80,
  VT_HEADER_OFF_FLAGS = 88,
  VT_HEADER_OFF_TIME_SHIFT = 92,
  VT_HEADER_OFF_STRINGS = 96
};

/* Feature bits. */
#define VT_OPTIONAL_NO_FREE_STACKS ((uint64_t)1 << 0)
#define VT_OPTIONAL_NO_COLLECTOR ((uint64_t)1 << 1)
#define VT_OPTIONAL_SYMBOLS ((uint64_t)1 << 2)
#define VT_OPTIONAL_DELETES ((uint64_t)1 << 3) /* what operator delete is told is recorded */
#define VT_OPTIONAL_SAMPLE_ALONE ((uint64_t)1 << 4) /* of a sampled trace: see VT_COLUMN_ALONE */
#define VT_REQUIRED_SAMPLED ((uint64_t)1 << 0) /* who takes the events for all is wrong */
#define VT_REQUIRED_POOLS ((uint64_t)1 << 1)   /* addresses of pools are packed in a column of their own */
#define VT_REQUIRED_DELETES ((uint64_t)1 << 2) /* there may be raw records of kind 13 */
#define VT_REQUIRED_KNOWN (VT_REQUIRED_SAMPLED | VT_REQUIRED_POOLS | VT_REQUIRED_DELETES)
#define VT_HEADER_FLAG_MID_LIFE ((uint32_t)1)

/* Chunks. */
#define VT_CHUNK_MAGIC ((uint32_t)0x4B435456) /* "VTCK" */
#define VT_CHUNK_HEADER_SZ 32
#define VT_CHUNK_PAYLOAD_MAX ((uint64_t)1 << 30)
enum {
  VT_CHUNK_OFF_TYPE = 4,
  VT_CHUNK_OFF_FLAGS = 6,
  VT_CHUNK_OFF_SZ = 8,
  VT_CHUNK_OFF_SEQ = 16,
  VT_CHUNK_OFF_WRITER = 20,
  VT_CHUNK_OFF_CHECKSUM = 24
};
#define VT_CHUNK_FLAG_ZSTD ((uint16_t)1)
#define VT_CHUNK_FLAG_OPEN ((uint16_t)2)
#define VT_CHUNK_FLAG_REQUIRED ((uint16_t)0x8000)

typedef enum {
  VT_CHUNK_EVENTS = 1,
  VT_CHUNK_SEGMENT = 2,
  VT_CHUNK_STACKS = 3,
  VT_CHUNK_MODULE = 4,
  VT_CHUNK_MODULE_UNLOAD = 5,
  VT_CHUNK_PROCESS = 6,
  VT_CHUNK_CLOCK = 7,
  VT_CHUNK_MEMORY = 8,
  VT_CHUNK_MARKER = 9,
  VT_CHUNK_THREAD = 10,
  VT_CHUNK_HEAP = 11,
  VT_CHUNK_HEAP_OP = 12,
  VT_CHUNK_SYMBOLS = 13,
  VT_CHUNK_LEAKS = 14,
  VT_CHUNK_PAGES = 15,
  VT_CHUNK_COUNTERS = 16,
  VT_CHUNK_IMAGE = 17,
  VT_CHUNK_END = 18,
  VT_CHUNK_MAPPING = 19,
  VT_CHUNK_SNAPSHOT = 20,
  VT_CHUNK_VFRAMES = 21,
  VT_CHUNK_JIT = 22,
  VT_CHUNK_PATCHED = 23,
  VT_CHUNK_LEAKS_AT = 25,
  VT_CHUNK_SUMMARY = 26,
  VT_CHUNK_MAX = VT_CHUNK_SUMMARY
} vt_chunk_type_t;

/* Raw segments. */
#define VT_SEGMENT_SZ 65536
#define VT_SEGMENT_RECORDS_OFF 128
#define VT_SEGMENT_RECORDS_MAX (VT_SEGMENT_SZ - VT_SEGMENT_RECORDS_OFF)
enum {
  VT_SEGMENT_OFF_COMMITTED = 32,
  VT_SEGMENT_OFF_IMAGE = 40,
  VT_SEGMENT_OFF_BASE_TICK = 48,
  VT_SEGMENT_OFF_CLOCK_NS = 56,
  VT_SEGMENT_OFF_CLOCK_TICK = 64,
  VT_SEGMENT_OFF_PID = 72,
  VT_SEGMENT_OFF_TID = 76,
  VT_SEGMENT_OFF_WRITER = 80,
  VT_SEGMENT_OFF_NUMBER = 84,
  VT_SEGMENT_OFF_EPOCH = 88,
  VT_SEGMENT_OFF_FLAGS = 92,
  VT_SEGMENT_OFF_THREAD = 96,
  /* Totals of a sampled recording: what the thread did while it wrote here. */
  VT_SEGMENT_OFF_REALLOCS = 100, /* 32 bits, the others 64 */
  VT_SEGMENT_OFF_ALLOCATIONS = 104,
  VT_SEGMENT_OFF_BYTES = 112,
  VT_SEGMENT_OFF_FREES = 120
};
#define VT_SEGMENT_FLAG_CONTINUES ((uint32_t)1)

/* Record kinds; the first five are also OP kinds of packed events. */
typedef enum {
  VT_KIND_NONE = 0,
  VT_KIND_ALLOC = 1,
  VT_KIND_FREE = 2,
  VT_KIND_REALLOC_INTENT = 3,
  VT_KIND_REALLOC_DONE = 4,
  VT_KIND_FRAMES = 5,
  VT_KIND_TIME = 6,
  VT_KIND_THREAD = 7,
  VT_KIND_EPOCH = 8,
  VT_KIND_BLOB = 9,
  VT_KIND_HEAP_ALLOC = 10,
  VT_KIND_HEAP_FREE = 11,
  VT_KIND_LOST = 12,
  VT_KIND_DELETE = 13 /* a FREE by an operator delete that was told of the block */
} vt_kind_t;

/* OP kinds of packed events that differ from record kinds. */
#define VT_OP_ALLOC_ALIGNED 5
#define VT_OP_HEAP_FREE_INTERIOR 12

/* Fields of a record's first word. */
#define VT_W0_API_SHIFT 4
#define VT_W0_WIDE ((uint64_t)1 << 8)
#define VT_W0_PUSH_SHIFT 9
#define VT_W0_PUSH_MAX 127
#define VT_W0_POP_SHIFT 16
#define VT_W0_POP_MAX 65535
#define VT_W0_TIME_SHIFT 32
#define VT_W1_ADDRESS_BITS 48
#define VT_W1_HEAP_ALONE ((uint64_t)1 << 32)   /* of a HEAP_FREE: as wide of a FREE */
#define VT_W3_DELETE_ALONE ((uint64_t)1 << 63) /* of a wide DELETE: the same, beside the alignment */
#define VT_W1_SIZE_MAX 65535

typedef enum {
  VT_API_MALLOC = 0,
  VT_API_CALLOC = 1,
  VT_API_REALLOC = 2,
  VT_API_POSIX_MEMALIGN = 3,
  VT_API_ALIGNED_ALLOC = 4,
  VT_API_MEMALIGN = 5,
  VT_API_VALLOC = 6,
  VT_API_PVALLOC = 7,
  VT_API_NEW = 8,
  VT_API_NEW_ARRAY = 9,
  VT_API_FREE = 10,
  VT_API_DELETE = 11,
  VT_API_DELETE_ARRAY = 12,
  VT_API_REALLOCARRAY = 13,
  VT_API_FREE_SIZED = 14,
  VT_API_OTHER = 15
} vt_api_t;

/* Pseudo return addresses. */
#define VT_ADDRESS_TRUNCATED ((uint64_t)1)
#define VT_ADDRESS_CUT ((uint64_t)2)

/* Virtual addresses: frames of interpreted languages. */
#define VT_VIRTUAL_BIT            ((uint64_t)1 << 63)
#define VT_VIRTUAL_LANGUAGE_SHIFT 56
#define VT_VIRTUAL_LANGUAGE_MAX   127
#define VT_VIRTUAL_CODE_SHIFT     24
#define VT_VIRTUAL_POSITION_MAX   (((uint32_t)1 << VT_VIRTUAL_CODE_SHIFT) - 1)
typedef enum { VT_LANGUAGE_PYTHON = 1 } vt_language_t;

/* VFRAMES messages. */
typedef enum { VT_VFRAMES_CODE = 1, VT_VFRAMES_REFUSED = 2 } vt_vframes_kind_t;
/* How the lines of a code are told. */
typedef enum {
  VT_LINES_LNOTAB = 1,   /* CPython 3.8, 3.9: pairs of unsigned and signed steps */
  VT_LINES_RANGES = 2,   /* CPython 3.10, PEP 626: the same, each pair a range */
  VT_LINES_LOCATIONS = 3 /* CPython from 3.11 */
} vt_lines_t;

/* Columns of packed events. */
typedef enum {
  VT_COLUMN_CODE = 1,
  VT_COLUMN_TIME = 2,
  VT_COLUMN_OP = 3,
  VT_COLUMN_SIZE = 4,
  VT_COLUMN_STACK = 5,
  VT_COLUMN_ADDRESS = 6,
  VT_COLUMN_ALIGN = 7,
  VT_COLUMN_HEAP = 8,
  VT_COLUMN_THREAD = 9,
  VT_COLUMN_THREAD_NUMBER = 10,
  VT_COLUMN_POOL = 11,
  VT_COLUMN_SAID = 12,
  VT_COLUMN_ALONE = 13
} vt_column_t;
#define VT_CODEC_STORED 0
#define VT_CODEC_ZSTD 1
#define VT_EVENTS_MAX ((uint32_t)1 << 20)

/* PROCESS messages. */
typedef enum {
  VT_PROCESS_STARTED = 1,
  VT_PROCESS_FORKED = 2,
  VT_PROCESS_EXEC = 3,
  VT_PROCESS_EXEC_FAILED = 4,
  VT_PROCESS_EXIT = 5, /* value: the status, or VT_STATUS_UNKNOWN */
  VT_PROCESS_SIGNAL = 6,
  VT_PROCESS_VANISHED = 7,
  VT_PROCESS_STOPPED = 8,
  VT_PROCESS_ATTACHED = 9,  /* recording begins in mid-life */
  VT_PROCESS_DETACHED = 10, /* it ends, and the process goes on */
  VT_PROCESS_PAUSED = 11,   /* value: vt_pause_t */
  VT_PROCESS_RESUMED = 12
} vt_process_kind_t;
#define VT_STATUS_UNKNOWN UINT32_MAX /* the process ended by itself and could not tell how */
typedef enum {
  VT_STOPPED_COLLECTOR = 1,
  VT_STOPPED_SPACE = 2,
  VT_STOPPED_LIMIT = 3,
  VT_STOPPED_OTHER = 4,
  VT_STOPPED_CONFINED = 5
} vt_stopped_t;

/* Why blocks are not recorded from a moment on. */
typedef enum {
  VT_PAUSE_ASKED = 1,    /* somebody wanted it */
  VT_PAUSE_DURATION = 2, /* the time that was to be recorded is over */
  VT_PAUSE_SIZE = 3      /* the file is as large as it may be */
} vt_pause_t;

/* Values of VT_COUNTER_NEW_BEFORE. */
typedef enum { VT_NEW_OF_EXECUTABLE = 1, VT_NEW_OF_LIBRARY = 2 } vt_new_before_t;

/* COUNTERS messages. */
typedef enum {
  VT_COUNTER_LOST = 1,
  VT_COUNTER_TRUNCATED = 2,
  VT_COUNTER_GENERAL_UNWINDS = 3,
  VT_COUNTER_EVENTS = 4,
  VT_COUNTER_SHIM_BYTES = 5,
  VT_COUNTER_SHIM_NS = 6,
  VT_COUNTER_ALLOCATOR_IN_EXECUTABLE = 7,
  VT_COUNTER_UNWIND_DIFFERENCES = 8,
  VT_COUNTER_UNWIND_CHECKED = 9,
  VT_COUNTER_NESTED_LOST = 10,
  VT_COUNTER_CUT = 11,
  VT_COUNTER_BEFORE_START = 12,
  VT_COUNTER_LIBUNWIND_DIFFERENCES = 13,
  VT_COUNTER_SEGMENTS = 14,
  VT_COUNTER_STOPPED = 15,
  VT_COUNTER_STOPPED_TICK = 16,
  VT_COUNTER_PEAK_RESIDENT = 17,
  VT_COUNTER_FILE_INODE = 18,
  VT_COUNTER_FILE_BORN_NS = 19,
  VT_COUNTER_FILE_DEVICE = 20,
  VT_COUNTER_PEAK_CERTAIN = 21,
  VT_COUNTER_NEW_BEFORE = 22,
  /* Of a sampled recording, exact; without annotated heaps. */
  VT_COUNTER_ALLOCATIONS = 23,
  VT_COUNTER_ALLOCATED_BYTES = 24,
  VT_COUNTER_FREES = 25,
  VT_COUNTER_REALLOCS = 26
} vt_counter_t;
#define VT_COUNTER_MAX 26

#define VT_MODULE_FLAG_EXECUTABLE ((uint32_t)1)
#define VT_MODULE_FLAG_VDSO ((uint32_t)2)
/* Device, inode, size, and time of change (ns) of the file of a module without build-id. */
#define VT_MODULE_FILE_WORDS 4

typedef enum {
  VT_HEAP_CREATE = 1,
  VT_HEAP_ATTACH = 2,
  VT_HEAP_DETACH = 3,
  VT_HEAP_DELETE = 4
} vt_heap_event_t;
typedef enum {
  VT_HEAP_KIND_WKSP = 1,
  VT_HEAP_KIND_ALLOC = 2,
  VT_HEAP_KIND_GROOVE = 3,
  VT_HEAP_KIND_CUSTOM = 4,
  VT_HEAP_KIND_PYTHON = 5 /* never announced: api 15 in kinds 1 to 4 */
} vt_heap_kind_t;
typedef enum {
  VT_HEAP_OP_RESET = 1,
  VT_HEAP_OP_TAG_FREE = 2,
  VT_HEAP_OP_RESTORE = 3,
  VT_HEAP_OP_PLACE = 4
} vt_heap_op_t;

/* SNAPSHOT messages. */
typedef enum {
  VT_SNAPSHOT_EXIT = 1,
  VT_SNAPSHOT_EXEC = 2,
  VT_SNAPSHOT_KILLED = 3, /* written by the collector */
  VT_SNAPSHOT_REQUEST = 4 /* while the process ran */
} vt_snapshot_kind_t;
/* What the MARKER is called that has the time of a LEAKS_AT: a snapshot that was asked for, then its number; or one
   near the highest resident size so far. */
#define VT_MARKER_SNAPSHOT "snapshot "
#define VT_MARKER_PEAK     "peak"
#define VT_SNAPSHOT_LIBC_MALLOC ((uint32_t)1) /* malloc is the C library's */
#define VT_SNAPSHOT_PAUSED      ((uint32_t)2) /* some events were not recorded on purpose */
#define VT_SNAPSHOT_CUT         ((uint32_t)4) /* more ranges than the message holds */
#define VT_SNAPSHOT_THREADS     ((uint32_t)8) /* other threads lived */
#define VT_SNAPSHOT_NO_MAPPINGS ((uint32_t)16) /* mappings were not recorded */
#define VT_SNAPSHOT_REGISTERS   ((uint32_t)32) /* in LEAKS: the registers of all threads are known */
typedef enum { VT_RANGE_OWN = 1, VT_RANGE_BOOT = 2, VT_RANGE_MALLOC = 3 } vt_range_kind_t;

/* Classes of live blocks in LEAKS chunks, the better one first. */
typedef enum {
  VT_CLASS_UNKNOWN = 0,
  VT_CLASS_REACHABLE = 1,
  VT_CLASS_POSSIBLE = 2,
  VT_CLASS_INDIRECT = 3,
  VT_CLASS_DEFINITE = 4
} vt_class_t;

/* PAGES chunks: the fields behind the time, and flags of a mapping. */
enum { VT_PAGES_OFF_END = 8, VT_PAGES_OFF_KIND = 16, VT_PAGES_OFF_AREAS = 20 };
#define VT_PAGES_READABLE     ((uint32_t)1)
#define VT_PAGES_WRITABLE     ((uint32_t)2)
#define VT_PAGES_EXECUTABLE   ((uint32_t)4)
#define VT_PAGES_SHARED       ((uint32_t)8)
#define VT_PAGES_FILE         ((uint32_t)16) /* of a file, or of shared memory */
#define VT_PAGES_RUNS_UNKNOWN ((uint32_t)32) /* how much is known, but not which pages */

/* PATCHED messages. */
#define VT_PATCHED_RECORDED   ((uint32_t)1) /* its calls are events; else `why` tells why not */
#define VT_PATCHED_EXECUTABLE ((uint32_t)2) /* it is in the executable */
#define VT_PATCHED_APART      ((uint32_t)4) /* of an allocator beside the C library's that the program uses */

/* MAPPING messages. */
typedef enum { VT_MAPPING_MAP = 1, VT_MAPPING_UNMAP = 2, VT_MAPPING_REMAP = 3 } vt_mapping_op_t;
typedef enum {
  VT_MAPPING_MMAP = 0,
  VT_MAPPING_MUNMAP = 1,
  VT_MAPPING_MREMAP = 2,
  VT_MAPPING_SHMAT = 3,
  VT_MAPPING_SHMDT = 4,
  VT_MAPPING_SBRK = 5,
  VT_MAPPING_BRK = 6
} vt_mapping_api_t;
enum { VT_MAPPING_OFF_FILE = 80 }; /* in the message: its last field */
#define VT_MAPPING_BY_ALLOCATOR ((uint32_t)1)

/* Little-endian load and store at any alignment. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define VT_LE16(v) (v)
#define VT_LE32(v) (v)
#define VT_LE64(v) (v)
#else
#define VT_LE16(v) __builtin_bswap16(v)
#define VT_LE32(v) __builtin_bswap32(v)
#define VT_LE64(v) __builtin_bswap64(v)
#endif

static inline uint16_t vt_load16(void const *p) {
  uint16_t v;
  memcpy(&v, p, sizeof v);
  return VT_LE16(v);
}
static inline uint32_t vt_load32(void const *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return VT_LE32(v);
}
static inline uint64_t vt_load64(void const *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return VT_LE64(v);
}
static inline void vt_store16(void *p, uint16_t v) {
  v = VT_LE16(v);
  memcpy(p, &v, sizeof v);
}
static inline void vt_store32(void *p, uint32_t v) {
  v = VT_LE32(v);
  memcpy(p, &v, sizeof v);
}
static inline void vt_store64(void *p, uint64_t v) {
  v = VT_LE64(v);
  memcpy(p, &v, sizeof v);
}

/* Bytes a payload takes in a file: chunks begin at multiples of 8. */
static inline uint64_t vt_pad8(uint64_t sz) { return (sz + 7) & ~(uint64_t)7; }

/* zigzag: small magnitudes of either sign become small unsigned values. */
static inline uint64_t vt_zigzag(int64_t v) { return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63); }
static inline int64_t vt_unzigzag(uint64_t v) { return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }

/* The virtual address of a position (UINT32_MAX: not known) in a code; code 0 is a mark: there are
   frames that are not shown. */
static inline uint64_t vt_virtual_address(vt_language_t language, uint32_t code,
                                          uint32_t position) {
  if (position != UINT32_MAX && position >= VT_VIRTUAL_POSITION_MAX) position = UINT32_MAX;
  return VT_VIRTUAL_BIT | (uint64_t)language << VT_VIRTUAL_LANGUAGE_SHIFT |
         (uint64_t)code << VT_VIRTUAL_CODE_SHIFT | (uint64_t)(position + 1);
}

#endif
