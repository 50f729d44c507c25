/* See target.h. */
#include "analyzer/top/target.h"
#include <stdio.h>
#include <unistd.h>
#include "analyzer/collector/ask.h"

int vt_top_find(char const *pid, char path[VT_TOP_PATH], char const **why, char const **advice) {
  static vt_answer_t answer;
  int nobody = vt_control_ask(pid, "where", NULL, &answer, why);
  *advice = vt_control_advice(nobody);
  if (nobody) return nobody;
  *why = answer.text;
  *advice = answer.advice;
  if (answer.status) return -1;
  snprintf(path, VT_TOP_PATH, "/proc/%d/root%.4000s", (int)answer.collector, answer.text);
  if (!answer.collector || access(path, R_OK)) snprintf(path, VT_TOP_PATH, "%.4000s", answer.text);
  return 0;
}
