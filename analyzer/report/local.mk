TAPS += tests/integration/report.t tests/integration/export.t tests/integration/symbols.t tests/integration/dwarf.t tests/integration/debuginfod.t
