// A library that allocates with operator new, for a program that knows no C++.
#include <new>

extern "C" void *plugin_new(unsigned long sz);
extern "C" void plugin_delete(void *p);
void *plugin_new(unsigned long sz) { return ::operator new(sz); }
void plugin_delete(void *p) { ::operator delete(p); }
