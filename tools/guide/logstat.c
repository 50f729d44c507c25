/* logstat FILE: who visits a web server, and which pages. The example of docs/guide.md: it leaks and
   it churns, in ways real programs do. -DFIXED builds it without either. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct visitor {
  struct visitor *next;
  char *address;
  char *agent;
  unsigned hits;
} visitor_t;

typedef struct {
  char *address, *path, *agent;
} request_t;

#define BUCKETS 1024
static visitor_t *visitors[BUCKETS];

static unsigned hash(char const *text) {
  unsigned h = 5381;
  while (*text) h = h * 33 + (unsigned char)*text++;
  return h % BUCKETS;
}

static char *field(char const *line, int number) {
#ifdef FIXED
  static char fields[3][512];
  char *copy = fields[number % 3];
  snprintf(copy, sizeof fields[0], "%s", line);
#else
  char *copy = strdup(line);
#endif
  char *at = copy;
  while (number-- > 0) at = strchr(at, '|') + 1;
  at[strcspn(at, "|\n")] = 0;
#ifdef FIXED
  return at;
#else
  char *result = strdup(at);
  free(copy);
  return result;
#endif
}

static void parse(char const *line, request_t *request) {
  request->address = field(line, 0);
  request->path = field(line, 1);
  request->agent = field(line, 2);
}

static void forget(request_t *request) {
#ifndef FIXED
  free(request->address);
  free(request->path);
  free(request->agent);
#else
  (void)request;
#endif
}

static visitor_t *find_visitor(char const *address) {
  visitor_t **at = &visitors[hash(address)];
  while (*at && strcmp((*at)->address, address)) at = &(*at)->next;
  if (!*at) {
    *at = calloc(1, sizeof **at);
    (*at)->address = strdup(address);
  }
  return *at;
}

static void count_visit(request_t const *request) {
  visitor_t *visitor = find_visitor(request->address);
  visitor->hits++;
#ifdef FIXED
  free(visitor->agent);
#endif
  visitor->agent = strdup(request->agent); /* the one before is lost */
}

int main(int argc, char **argv) {
  FILE *in = argc > 1 ? fopen(argv[1], "r") : stdin;
  char *line = NULL;
  size_t cap = 0, visits = 0;
  if (!in) return 1;
  while (getline(&line, &cap, in) > 0) {
    request_t request;
    parse(line, &request);
    count_visit(&request);
    forget(&request);
    visits++;
  }
  free(line);
  printf("%zu visits\n", visits);
  return 0;
}
