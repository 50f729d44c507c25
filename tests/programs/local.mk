# Hazard programs: what people run under the shim, so no sanitizer and no frame pointers.
P := $(BUILD)/programs
PROGRAMS := apis early signals forks threads ends descriptors confine measure loader recursion \
            planted counted ownmalloc hello stages ways mappings dlerror handover first painted recycled \
            halves misaligned unnoticed resident trimmed without environment watched
PLUGINS  := $(P)/libbump.so $(P)/libplugin_a.so $(P)/libplugin_b.so $(P)/libplanted.so \
            $(P)/libpool.so $(P)/libcxx_plugin.so $(P)/libopens.so $(P)/libsmaps.so
HAZARDS  := $(addprefix $(P)/,$(PROGRAMS) newdel pooled static ownnew ownnew_static staticnew) $(PLUGINS)
TESTS    += $(HAZARDS)

P_CFLAGS := -O1 -g -fomit-frame-pointer -fno-builtin $(WARN) $(DEFS)
$(P)/painted $(P)/resident: P_CFLAGS += -Iinclude -Wl,-z,now
$(P)/%: tests/programs/%.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(P_CFLAGS) -o $@ $< -pthread -ldl
$(P)/newdel $(P)/pooled: $(P)/%: tests/programs/%.cc
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 $(P_CFLAGS) -o $@ $<
$(P)/ownnew $(P)/ownnew_static: P_CFLAGS += -DOWN
$(P)/ownnew_static $(P)/staticnew: P_CFLAGS += -static-libstdc++ -static-libgcc
$(P)/ownnew $(P)/ownnew_static $(P)/staticnew: tests/programs/ownnew.cc
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 $(P_CFLAGS) -o $@ $<
$(P)/static: tests/programs/hello.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(P_CFLAGS) -static -o $@ $<
$(P)/libplugin_%.so: tests/programs/plugin.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(P_CFLAGS) -fPIC -shared -DNAME=plugin_$* -o $@ $<
$(P)/libbump.so $(P)/libopens.so $(P)/libsmaps.so: $(P)/%.so: tests/programs/%.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(P_CFLAGS) -fPIC -shared -o $@ $<
$(P)/libplanted.so: tests/programs/planted_lib.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(P_CFLAGS) -fPIC -shared -o $@ $<
$(P)/libpool.so $(P)/libcxx_plugin.so: $(P)/lib%.so: tests/programs/%.cc
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 $(P_CFLAGS) -fPIC -shared -o $@ $<
