/* A library with a place for a pointer, for planted.c. */
void *planted_keeps;
