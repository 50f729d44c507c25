# Programs whose allocator preloading does not reach: patched entries.
PATCHED := $(BUILD)/programs
TAPS  += tests/patch/inside.t
TESTS += $(addprefix $(PATCHED)/,own_static own_prefixed own_stripped family_libc family_jemalloc family_tcmalloc \
           news_libc news_jemalloc news_tcmalloc)
PATCH_CFLAGS := -O2 -g -fno-builtin $(WARN)
ARCHIVES     := /usr/lib/$(shell $(CC) -print-multiarch)
own_prefixed_FLAGS := -DPREFIX=_rjem_ -DHIDDEN=static
jemalloc_LIBS := $(ARCHIVES)/libjemalloc.a -lpthread -ldl -lm
tcmalloc_LIBS := $(ARCHIVES)/libtcmalloc_minimal.a -lpthread -lstdc++ -lm

$(PATCHED)/own_static $(PATCHED)/own_prefixed: tests/patch/own.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(PATCH_CFLAGS) $($(@F)_FLAGS) -o $@ $<
$(PATCHED)/own_stripped: $(PATCHED)/own_prefixed
	strip -o $@ $<
$(PATCHED)/family_%: tests/patch/family.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(PATCH_CFLAGS) -o $@ $< $($*_LIBS) -lpthread
$(PATCHED)/news_%: tests/patch/news.cc
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 $(PATCH_CFLAGS) -o $@ $< $($*_LIBS)
