/* Counts words in a list. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct word {
  struct word *next;
  char *text;
  int cnt;
} word_t;

int main(void) {
  word_t *first = NULL;
  char text[32];
  for (int i = 0; i < 3000; i++) {
    snprintf(text, sizeof text, "word%d", i * 7 % 300);
    word_t *w = first;
    while (w && strcmp(w->text, text)) w = w->next;
    if (!w) {
      w = malloc(sizeof *w);
      *w = (word_t){first, strdup(text), 0};
      first = w;
    }
    w->cnt++;
  }
  int words = 0;
  for (word_t *w = first, *next; w; w = next) {
    next = w->next;
    words++;
    free(w->text);
    free(w);
  }
  printf("%d words\n", words);
  return 3;
}
