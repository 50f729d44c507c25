/* What `valtrace attach` and the recorder in a running process say to each other, in memory of that
   process: the *area*.

   The area is a page of code that nobody can write to (the loader, analyzer/attach/loader.c) and,
   behind it, data: this structure and what it points to. The descriptors of patched entries
   (patch.h) lead to the loader first. The next allocation of any thread enters it there, loads the
   shim, and the shim takes over (preload/attached.c). Both are of one build. The area stays when the
   recorder leaves, and is found again by what its code begins with. */
#ifndef VT_CORE_TRACE_ATTACH_H
#define VT_CORE_TRACE_ATTACH_H

#include <stdint.h>

/* The page of code begins with it; one digit of it is the version of all that is here. */
#define VT_ATTACH_MAGIC    "VTattch3"
#define VT_ATTACH_MAGIC_SZ 8
#define VT_ATTACH_CODE_SZ  4096

/* Values of `state`. */
#define VT_ATTACH_WAITING   1 /* for an allocation */
#define VT_ATTACH_LOADING   2 /* one has come */
#define VT_ATTACH_RECORDING 3
#define VT_ATTACH_FAILED    4 /* `text` tells why; calls go by unrecorded */
#define VT_ATTACH_DETACHED  5 /* the entries are as they were */

/* What closes the gate (preload/process.h). */
#define VT_ATTACH_GATE_OFF 3

/* Offsets of what the loader reads. */
#define VT_ATTACH_OFF_PID       4
#define VT_ATTACH_OFF_RESTART   8
#define VT_ATTACH_OFF_STACK     16
#define VT_ATTACH_OFF_DLOPEN    24
#define VT_ATTACH_OFF_DLERROR   32
#define VT_ATTACH_OFF_CREATE    40
#define VT_ATTACH_OFF_DETACH    48
#define VT_ATTACH_OFF_ERRNO     56
#define VT_ATTACH_OFF_THREAD    64
#define VT_ATTACH_OFF_SHIM_DEV  72
#define VT_ATTACH_OFF_SHIM_INO  80
#define VT_ATTACH_OFF_VECTORS   88
#define VT_ATTACH_OFF_RANGE_CNT 92
#define VT_ATTACH_OFF_SHIM      96
#define VT_ATTACH_OFF_TASKS     128
#define VT_ATTACH_OFF_RANGES    144
#define VT_ATTACH_OFF_ITERATE     272
#define VT_ATTACH_OFF_ITERATE_END 280
#define VT_ATTACH_OFF_TEXT      288

#define VT_ATTACH_RANGES_MAX 8
#define VT_ATTACH_TEXT_SZ    240
#define VT_ATTACH_OPTIONS_SZ 8192
#define VT_ATTACH_STACK_SZ   ((uint64_t)512 << 10)
#define VT_ATTACH_REGISTERS_SZ ((uint64_t)256 << 10) /* behind the stack: where a snapshot finds what threads have in theirs */

typedef struct vt_attach {
  _Atomic uint32_t state;
  uint32_t pid;        /* as the process calls itself; its children are others */
  uint64_t restart;    /* the shim is loaded already: the function that takes up recording again */
  uint64_t stack;      /* end of the stack that the loader runs on */
  uint64_t dlopen, dlerror, pthread_create, pthread_detach, errno_location; /* the C library's */
  uint64_t thread;     /* pthread_t of the one that loads, in a process with threads */
  uint64_t shim_device, shim_inode; /* the file that `shim` must still lead to */
  uint32_t vectors;    /* what xsave is to keep; 0: fxsave serves */
  uint32_t range_cnt;  /* of callers under whose calls nothing is loaded: they may hold locks of the loader */
  char shim[32];       /* the path of its descriptor in /proc */
  char tasks[16];      /* /proc/self/task */
  uint64_t ranges[VT_ATTACH_RANGES_MAX][2];
  uint64_t iterate, iterate_end; /* dl_iterate_phdr: neither below what it calls, see loader.c; 0: not known */
  char text[VT_ATTACH_TEXT_SZ];
  /* What the shim reads, and says. */
  uint64_t answer, answer_sz; /* vt_patch_answer_t and the modules behind it */
  uint32_t shim_fd, ring_fd;  /* to be closed when it is loaded */
  uint64_t ring_device, ring_inode;
  uint64_t gate;              /* where the gate's word is; 0: not loaded */
  uint64_t copy;              /* a function to be run while all threads stand (preload/snapshot.h); 0: not loaded */
  uint64_t python;            /* a library of Python's interpreter is mapped */
  uint32_t number, unknown;   /* what it is told: of the copy; threads whose registers are not behind the stack */
  int32_t copied;             /* what it says: see vt_copy_make */
  uint64_t options_sz;
  char options[VT_ATTACH_OPTIONS_SZ]; /* VALTRACE_…=…, each with its zero */
} vt_attach_t;

/* The shim exports this pointer. In the copy of its file that is put into a process it is not NULL: the
   area's data. */
#define VT_ATTACH_SYMBOL "vt_attach_v1"

#endif
