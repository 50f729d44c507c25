# Control programs of shared memory and workspaces.
CTL_SOURCES := core/ctl/fd_wksp_ctl.c core/ctl/fd_shmem_ctl.c
$(call objs,$(CTL_SOURCES)): CPPFLAGS += $(FD_DEFS)
$(eval $(call add-bin,fd_wksp_ctl,core/ctl/fd_wksp_ctl.c,libfd,$$(FD_LDLIBS)))
$(eval $(call add-bin,fd_shmem_ctl,core/ctl/fd_shmem_ctl.c,libfd,$$(FD_LDLIBS)))
