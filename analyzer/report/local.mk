TAPS += tests/integration/report.t tests/integration/export.t tests/integration/symbols.t tests/integration/dwarf.t tests/integration/debuginfod.t tests/integration/builds.t
$(eval $(call add-tap-test,test_names,tests/unit/test_names.c analyzer/report/names.c analyzer/report/roles.c,,))
$(eval $(call add-tap-test,test_languages,tests/unit/test_languages.c,libvt_analyzer,$(VALTRACE_LIBS)))
