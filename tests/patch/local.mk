# Programs whose allocator preloading does not reach: patched entries.
PATCHED := $(BUILD)/programs
TAPS  += tests/patch/inside.t tests/patch/opened.t
LONG  += tests/patch/storm.t tests/patch/builds.t tests/patch/rust.t
TESTS += $(addprefix $(PATCHED)/,own_static own_prefixed own_stripped own_changed family_libc family_jemalloc family_tcmalloc \
           news_libc news_jemalloc news_tcmalloc stepped linked_symbolic linked_hidden storm operators pool inlined libstarts.so opening libplain.so libsymbolic.so libhidden.so libalias.so)
PATCH_CFLAGS := -O2 -g -fno-builtin $(WARN)
ARCHIVES     := /usr/lib/$(shell $(CC) -print-multiarch)
own_prefixed_FLAGS := -DPREFIX=_rjem_ -DHIDDEN=static
jemalloc_LIBS := $(ARCHIVES)/libjemalloc.a -lpthread -ldl -lm
tcmalloc_LIBS := $(ARCHIVES)/libtcmalloc_minimal.a -lpthread -lstdc++ -lm

$(PATCHED)/own_static $(PATCHED)/own_prefixed: tests/patch/own.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(PATCH_CFLAGS) $($(@F)_FLAGS) -o $@ $<
$(PATCHED)/own_changed: tests/patch/own.c tests/patch/changed.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(PATCH_CFLAGS) -fcf-protection=none -fpatchable-function-entry=5 -o $@ $^
$(PATCHED)/own_stripped: $(PATCHED)/own_prefixed
	strip -o $@ $<
$(PATCHED)/libstarts.so: tests/patch/starts.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(PATCH_CFLAGS) -fPIC -shared -o $@ $< -lpthread
$(PATCHED)/libplain.so: tests/patch/plain.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(PATCH_CFLAGS) -fPIC -shared -s -o $@ $<
$(PATCHED)/libsymbolic.so $(PATCHED)/libhidden.so $(PATCHED)/libalias.so: tests/patch/bound.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(PATCH_CFLAGS) -fPIC -shared $(if $(findstring hidden,$@),-DHIDDEN,-Wl,-Bsymbolic -s) $(if $(findstring alias,$@),-DALIAS) -o $@ $<
$(PATCHED)/operators: tests/patch/operators.cc
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 $(PATCH_CFLAGS) -o $@ $<
$(PATCHED)/linked_%: tests/patch/linked.c $(PATCHED)/lib%.so
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(PATCH_CFLAGS) -o $@ $^ '-Wl,-rpath,$$ORIGIN'
$(PATCHED)/pool $(PATCHED)/inlined: $(PATCHED)/%: tests/patch/%.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(PATCH_CFLAGS) -o $@ $<
$(PATCHED)/opening $(PATCHED)/storm: $(PATCHED)/%: tests/patch/%.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(PATCH_CFLAGS) -o $@ $< -lpthread -ldl
$(PATCHED)/stepped: tests/patch/stepped.cc
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 $(PATCH_CFLAGS) -mno-red-zone -o $@ $<
$(PATCHED)/family_%: tests/patch/family.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(PATCH_CFLAGS) -o $@ $< $($*_LIBS) -lpthread
$(PATCHED)/news_%: tests/patch/news.cc
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 $(PATCH_CFLAGS) -o $@ $< $($*_LIBS)
$(eval $(call add-tap-test,test_copy,tests/patch/test_copy.c,libvt_analyzer,$(VALTRACE_LIBS)))
$(eval $(call add-tap-test,test_plan,tests/patch/test_plan.c,libvt_analyzer,$(VALTRACE_LIBS)))
$(BUILD)/bin/test_plan: | $(PATCHED)/own_static
$(eval $(call add-tap-test,test_refuse,tests/patch/test_refuse.c,libvt_analyzer,$(VALTRACE_LIBS)))
$(eval $(call add-tap-test,test_rest,tests/patch/test_rest.c,libvt_analyzer,$(VALTRACE_LIBS)))
$(eval $(call add-tap-test,test_space,tests/patch/test_space.c,libvt_analyzer,$(VALTRACE_LIBS)))
