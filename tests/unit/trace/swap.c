/* One of two libraries that differ in the frame of the function at the same offset only: a stale
   rule of one yields a wrong stack in the other. */
__attribute__((visibility("default"))) void calls_back(void (*callback)(void));

void calls_back(void (*callback)(void)) {
  volatile char frame[FRAME];
  frame[0] = frame[FRAME - 1] = 1;
  callback();
  frame[0] = 2;
}
