/* The --tile-cpus grammar: comma separated f, fN, a, a-b, a-b/s, a-b:s and Nh, in tile order. */

#include "tile_cpus.h"

#include "fd/util/shmem/fd_shmem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
  ulong * cpu;
  ulong cnt;
  char const * fault; /* NULL so far good */
} cpu_list_t;

static void add(cpu_list_t * list, ulong cpu) {
  if (list->fault) return;
  if (list->cnt >= FD_TILE_MAX) {
    list->fault = "too many tiles";
  } else if (cpu != FD_TILE_CPU_FLOATING && cpu >= FD_SHMEM_CPU_MAX) {
    list->fault = "no such cpu";
  } else {
    for (ulong i = 0UL; cpu != FD_TILE_CPU_FLOATING && i < list->cnt; i++) {
      if (list->cpu[i] == cpu) list->fault = "cpu given twice";
    }
    list->cpu[list->cnt++] = cpu;
  }
}

/* Decimal digits only; the fault is set if there are none. */
static ulong number(cpu_list_t * list, char const ** p) {
  char * end;
  if (!isdigit((uchar) * *p)) {
    list->fault = "malformed list";
    return 0UL;
  }
  ulong x = strtoul(*p, &end, 10);
  *p = end;
  return x;
}

/* The cpu and the other hardware threads of its core. */
static void add_with_siblings(cpu_list_t * list, ulong cpu) {
  char path[96], text[256] = "";
  ulong sibling[64];
  add(list, cpu);
  fd_cstr_printf(path, sizeof(path), NULL,
                 "/sys/devices/system/cpu/cpu%lu/topology/thread_siblings_list", cpu);
  FILE * file = fopen(path, "re");
  if (!file) return;
  if (!fgets(text, sizeof(text), file)) text[0] = '\0';
  fclose(file);
  ulong cnt = fd_ulong_min(fd_cstr_to_ulong_seq(text, sibling, 64UL), 64UL);
  for (ulong i = 0UL; i < cnt; i++) {
    if (sibling[i] != cpu) add(list, sibling[i]);
  }
}

static void add_range(cpu_list_t * list, char const ** p, ulong lo) {
  *p += 1;
  ulong hi = number(list, p), stride = 1UL;
  if (**p == '/' || **p == ':') {
    *p += 1;
    stride = number(list, p);
  }
  if (list->fault) return;
  if (hi < lo || !stride || hi >= FD_SHMEM_CPU_MAX) list->fault = "bad range";
  for (ulong cpu = lo; !list->fault && cpu <= hi; cpu += stride) add(list, cpu);
}

static void add_item(cpu_list_t * list, char const ** p) {
  if (**p == 'f') {
    *p += 1;
    ulong cnt = isdigit((uchar) * *p) ? number(list, p) : 1UL;
    if (!cnt || cnt > FD_TILE_MAX) list->fault = "bad number of floating tiles";
    for (; cnt && !list->fault; cnt--) add(list, FD_TILE_CPU_FLOATING);
    return;
  }
  ulong cpu = number(list, p);
  if (list->fault) return;
  if (**p == '-') {
    add_range(list, p, cpu);
  } else if (**p == 'h') {
    *p += 1;
    add_with_siblings(list, cpu);
  } else {
    add(list, cpu);
  }
}

ulong fd_tile_private_parse_cpus(char const * text, ulong * cpu, char const ** fault) {
  cpu_list_t list = {cpu, 0UL, NULL};
  for (char const * p = text; !list.fault; p++) {
    while (isspace((uchar)*p)) p++;
    add_item(&list, &p);
    while (isspace((uchar)*p)) p++;
    if (!*p) break;
    if (*p != ',' && !list.fault) list.fault = "malformed list";
  }
  *fault = list.fault;
  return list.fault ? 0UL : list.cnt;
}
