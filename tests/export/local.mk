# Reports and exports: every view through every filter, the commands' manners; exports opened by the
# programs they are made for, those from npm and those in a browser included.
TAPS += tests/export/views.t tests/export/filters.t tests/export/commands.t tests/export/folders.t tests/export/gates.t tests/export/groups.t tests/export/replace.t tests/export/foreign_names.t tests/export/modes.t
LONG += tests/export/consumers.t tests/export/hello_long.t tests/export/sarif_long.t
