/* valtrace without a remedy, to see that the hazard is one: the linker puts these in place of the functions (--wrap). */
int __wrap_vt_entries_move_out(void);
int __wrap_vt_entries_returned_to(void);

/* Nobody is moved out of what changes. */
int __wrap_vt_entries_move_out(void) { return 0; }

/* No saved program counter is looked for. */
int __wrap_vt_entries_returned_to(void) { return 0; }
